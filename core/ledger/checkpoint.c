/* checkpoint.c: a tree's head as the text of a signed note (c2sp.org/tlog-checkpoint). See note.h.
 * Pure. */
#include <string.h>

#include "warroom/note.h"

#define ROOT_BASE64 44 /* of 32 bytes */

void wr_checkpoint_format(wr_buf *out, const wr_checkpoint *c)
{
	wr_buf_addf(out, "%s\n%lld\n", c->origin, (long long)c->size);
	wr_base64(out, c->root, WR_HASH_LEN);
	wr_buf_addc(out, '\n');
}

static int parse_size(int64_t *out, const char *s, size_t len)
{
	int64_t size = 0;
	if (len == 0 || (len > 1 && s[0] == '0')) return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9') return -1;
		int digit = s[i] - '0';
		if (size > (INT64_MAX - digit) / 10) return -1;
		size = size * 10 + digit;
	}
	*out = size;
	return 0;
}

static int parse_root(uint8_t out[static WR_HASH_LEN], const char *s, size_t len, wr_err *err)
{
	wr_buf raw = WR_BUF_INIT(WR_HASH_LEN + 1);
	int rc = len == ROOT_BASE64 ? wr_unbase64(&raw, s, len, false, err) : -1;
	if (rc == 0 && raw.len == WR_HASH_LEN)
		memcpy(out, raw.data, WR_HASH_LEN);
	else
		rc = wr_fail(err, WR_E_INVALID, "checkpoint: the root is not the base64 of 32 bytes");
	wr_buf_free(&raw);
	return rc;
}

/* The next line, without its newline; NULL if there is none that ends. */
static const char *next_line(const char **at, const char *end, size_t *len)
{
	const char *line = *at;
	const char *newline = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
	if (!newline) return NULL;
	*len = (size_t)(newline - line);
	*at = newline + 1;
	return line;
}

int wr_checkpoint_parse(wr_checkpoint *out, const char *text, size_t len, wr_err *err)
{
	static const char shape[] = "checkpoint: expected three lines: origin, size, root";
	static const uint8_t no_key[WR_ED25519_PUBLIC];
	const char *end = text + len, *line;
	size_t n;
	wr_note_key name;
	*out = (wr_checkpoint){0};
	if (!(line = next_line(&text, end, &n))) return wr_fail(err, WR_E_INVALID, "%s", shape);
	if (n > WR_NOTE_NAME_MAX || memchr(line, '\0', n))
		return wr_fail(err, WR_E_INVALID, "checkpoint: the origin is too long or not text");
	memcpy(out->origin, line, n);
	/* The origin is its key's name as well. */
	if (wr_note_key_make(&name, out->origin, WR_NOTE_ED25519, no_key, err))
		return wr_err_wrap(err, "checkpoint: origin");
	if (!(line = next_line(&text, end, &n))) return wr_fail(err, WR_E_INVALID, "%s", shape);
	if (parse_size(&out->size, line, n))
		return wr_fail(err, WR_E_INVALID, "checkpoint: the size is not a plain decimal number");
	if (!(line = next_line(&text, end, &n))) return wr_fail(err, WR_E_INVALID, "%s", shape);
	if (parse_root(out->root, line, n, err)) return -1;
	while (text < end)
		if (!next_line(&text, end, &n) || n == 0)
			return wr_fail(err, WR_E_INVALID, "checkpoint: an empty or unfinished extension line");
	return 0;
}

int wr_checkpoint_open(wr_checkpoint *out, const char *data, size_t len, const char *origin,
                       const uint8_t public_key[static WR_ED25519_PUBLIC], wr_err *err)
{
	wr_note n;
	wr_note_key key;
	if (wr_note_parse(&n, data, len, err)) return -1;
	if (wr_checkpoint_parse(out, n.text, n.text_len, err)) return -1;
	if (origin && strcmp(out->origin, origin) != 0)
		return wr_fail(err, WR_E_CONFLICT, "checkpoint: of %.150s, not of %.150s", out->origin,
		               origin);
	if (wr_note_key_make(&key, out->origin, WR_NOTE_ED25519, public_key, err)) return -1;
	return wr_note_verify(&n, &key, NULL, err);
}

int wr_checkpoint_sign(wr_buf *out, const wr_checkpoint *c, const wr_engine_key *k, wr_err *err)
{
	wr_checkpoint again;
	wr_buf text = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint_format(&text, c);
	int rc = wr_buf_ok(&text) ? wr_checkpoint_parse(&again, text.data, text.len, err)
	                          : wr_fail(err, WR_E_NOMEM, "checkpoint: out of memory");
	if (rc == 0) rc = wr_note_sign(out, text.data, c->origin, k, err);
	wr_buf_free(&text);
	return rc;
}
