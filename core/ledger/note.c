/* note.c: signed notes (c2sp.org/signed-note) and cosignatures (c2sp.org/tlog-cosignature), for
 * Ed25519. See note.h.
 *
 * A log's signature and a cosignature may come from one key: the header of what is cosigned tells
 * them apart, so no text that begins like that header is signed as a plain note. Pure. */
#include "warroom/note.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/key.h"
#include "warroom/text.h"

#define SIG_MARK     "\xe2\x80\x94 " /* em dash, space */
#define SIG_MARK_LEN (sizeof SIG_MARK - 1)
#define COSIG_HEAD   "cosignature/v1\n"
#define COSIG_LEN    (8 + WR_ED25519_SIGNATURE) /* the time, big-endian, and the signature */
#define ID_LEN       4

/* The next code point; false: what is there is not UTF-8. */
static bool next_cp(const char **s, const char *end, uint32_t *cp)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* itself is well-formed */
	const char *from = *s;
	*cp = wr_utf8_next(s, end);
	return *cp != 0xfffd || (*s - from == 3 && memcmp(from, replacement, 3) == 0);
}

/* ---- keys ---- */

static bool unicode_space(uint32_t cp)
{
	return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
	       (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
	       cp == 0x205f || cp == 0x3000;
}

/* What is wrong with a key's name; NULL if nothing. One that we use (not one that a line of
 * somebody else's has) is also fit to be shown. */
static const char *name_fault(const char *name, size_t len, bool used)
{
	const char *end = name + len;
	if (len == 0) return "the name is empty";
	if (len > WR_NOTE_NAME_MAX) return "the name is longer than 255 bytes";
	while (name < end) {
		uint32_t cp;
		if (!next_cp(&name, end, &cp)) return "the name is not UTF-8";
		if (unicode_space(cp)) return "a space in the name";
		if (cp == '+') return "a plus sign in the name";
		if (cp < 0x20 || (used && wr_cp_unsafe(cp))) return "a control character in the name";
	}
	return NULL;
}

int wr_note_key_make(wr_note_key *out, const char *name, wr_note_alg alg,
                     const uint8_t public_key[static WR_ED25519_PUBLIC], wr_err *err)
{
	char preimage[WR_NOTE_NAME_MAX + 2 + WR_ED25519_PUBLIC + 1];
	uint8_t hash[WR_HASH_LEN];
	size_t len = strlen(name);
	const char *fault = name_fault(name, len, true);
	if (fault) return wr_fail(err, WR_E_INVALID, "key name: %s", fault);
	if (alg != WR_NOTE_ED25519 && alg != WR_NOTE_COSIGNATURE)
		return wr_fail(err, WR_E_INVALID, "key: no signature type that is known: 0x%02x",
		               (unsigned)alg);
	(void)snprintf(preimage, sizeof preimage, "%s\n%c", name, (int)alg);
	memcpy(preimage + len + 2, public_key, WR_ED25519_PUBLIC);
	wr_sha256(hash, preimage, len + 2 + WR_ED25519_PUBLIC);
	*out = (wr_note_key){.alg = alg};
	(void)snprintf(out->name, sizeof out->name, "%s", name);
	memcpy(out->public_key, public_key, WR_ED25519_PUBLIC);
	memcpy(out->id, hash, ID_LEN);
	return 0;
}

void wr_note_key_format(wr_buf *out, const wr_note_key *k)
{
	char id[2 * ID_LEN + 1];
	uint8_t typed[1 + WR_ED25519_PUBLIC];
	wr_hex(id, k->id, ID_LEN);
	typed[0] = (uint8_t)k->alg;
	memcpy(typed + 1, k->public_key, WR_ED25519_PUBLIC);
	wr_buf_addf(out, "%s+%s+", k->name, id);
	wr_base64(out, typed, sizeof typed);
}

static int key_bytes(uint8_t typed[static 1 + WR_ED25519_PUBLIC], const char *base64, size_t len,
                     wr_err *err)
{
	wr_buf raw = WR_BUF_INIT(64);
	int rc = wr_unbase64(&raw, base64, len, false, err);
	if (rc) rc = wr_err_wrap(err, "verifier key");
	if (rc == 0 && raw.len != 1 + WR_ED25519_PUBLIC)
		rc = wr_fail(err, WR_E_INVALID, "verifier key: %zu bytes where an Ed25519 key has 33",
		             raw.len);
	if (rc == 0) memcpy(typed, raw.data, 1 + WR_ED25519_PUBLIC);
	wr_buf_free(&raw);
	return rc;
}

int wr_note_key_parse(wr_note_key *out, const char *text, wr_err *err)
{
	static const char shape[] = "verifier key: expected name+8 hex digits+base64";
	char name[WR_NOTE_NAME_MAX + 1];
	uint8_t id[ID_LEN], typed[1 + WR_ED25519_PUBLIC];
	const char *plus = strchr(text, '+'), *second = plus ? strchr(plus + 1, '+') : NULL;
	if (!second) return wr_fail(err, WR_E_INVALID, "%s", shape);
	size_t name_len = (size_t)(plus - text), base64_len = strlen(second + 1);
	if (name_len > WR_NOTE_NAME_MAX)
		return wr_fail(err, WR_E_INVALID, "verifier key: the name is longer than 255 bytes");
	if (wr_unhex(id, ID_LEN, plus + 1, (size_t)(second - plus - 1)))
		return wr_fail(err, WR_E_INVALID, "%s", shape);
	if (key_bytes(typed, second + 1, base64_len, err)) return -1;
	memcpy(name, text, name_len);
	name[name_len] = '\0';
	if (wr_note_key_make(out, name, (wr_note_alg)typed[0], typed + 1, err)) return -1;
	if (memcmp(id, out->id, ID_LEN) != 0)
		return wr_fail(err, WR_E_INVALID,
		               "verifier key: its hash is not that of its name and key: it was changed or "
		               "cut");
	return 0;
}

/* ---- form ---- */

static int check_bytes(const char *data, size_t len, wr_err *err)
{
	const char *s = data, *end = data + len;
	while (s < end) {
		uint32_t cp;
		const char *at = s;
		if (!next_cp(&s, end, &cp))
			return wr_fail(err, WR_E_INVALID, "note: not UTF-8 at byte %zd", at - data);
		if (cp < 0x20 && cp != '\n')
			return wr_fail(err, WR_E_INVALID, "note: a control character at byte %zd", at - data);
	}
	return 0;
}

static int parse_sig(wr_note_sig *out, const char *line, size_t len, wr_err *err)
{
	const char *name = line + SIG_MARK_LEN, *end = line + len;
	if (len < SIG_MARK_LEN || memcmp(line, SIG_MARK, SIG_MARK_LEN) != 0)
		return wr_fail(err, WR_E_INVALID, "note: a signature line begins with an em dash, a space");
	const char *space = memchr(name, ' ', (size_t)(end - name));
	if (!space) return wr_fail(err, WR_E_INVALID, "note: a signature line without a signature");
	size_t name_len = (size_t)(space - name);
	const char *fault = name_fault(name, name_len, false);
	if (fault) return wr_fail(err, WR_E_INVALID, "note: a signature line: %s", fault);
	wr_buf raw = WR_BUF_INIT(WR_NOTE_MAX);
	int rc = wr_unbase64(&raw, space + 1, (size_t)(end - space - 1), false, err);
	if (rc) rc = wr_err_wrap(err, "note: a signature line");
	if (rc == 0 && raw.len <= ID_LEN)
		rc = wr_fail(err, WR_E_INVALID, "note: a signature line: the signature is empty");
	if (rc == 0) {
		*out = (wr_note_sig){.len = raw.len - ID_LEN};
		size_t keep = out->len < sizeof out->data ? out->len : sizeof out->data;
		memcpy(out->name, name, name_len);
		memcpy(out->id, raw.data, ID_LEN);
		memcpy(out->data, raw.data + ID_LEN, keep);
	}
	wr_buf_free(&raw);
	return rc;
}

/* Where the signature lines begin: after the last empty line. */
static const char *sigs_at(const char *data, size_t len)
{
	for (size_t i = len; i-- > 1;)
		if (data[i] == '\n' && data[i - 1] == '\n') return data + i + 1;
	return NULL;
}

int wr_note_parse(wr_note *out, const char *data, size_t len, wr_err *err)
{
	*out = (wr_note){0};
	if (len > WR_NOTE_MAX)
		return wr_fail(err, WR_E_LIMIT, "note: longer than %u bytes", WR_NOTE_MAX);
	if (len == 0) return wr_fail(err, WR_E_INVALID, "note: empty");
	if (check_bytes(data, len, err)) return -1;
	const char *line = sigs_at(data, len), *end = data + len;
	if (!line) return wr_fail(err, WR_E_INVALID, "note: no empty line before the signatures");
	if (line == end) return wr_fail(err, WR_E_INVALID, "note: no signature");
	out->text = data;
	out->text_len = (size_t)(line - data) - 1;
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline) return wr_fail(err, WR_E_INVALID, "note: the last line does not end");
		if (out->sig_count == WR_NOTE_SIGS_MAX)
			return wr_fail(err, WR_E_LIMIT, "note: more than %d signatures", WR_NOTE_SIGS_MAX);
		if (parse_sig(&out->sigs[out->sig_count], line, (size_t)(newline - line), err)) return -1;
		out->sig_count++;
		line = newline + 1;
	}
	return 0;
}

/* ---- signatures ---- */

static int cosigned_text(wr_buf *out, int64_t time, const char *text, size_t len, wr_err *err)
{
	wr_buf_init(out, WR_NOTE_MAX + 64);
	wr_buf_addf(out, COSIG_HEAD "time %lld\n", (long long)time);
	wr_buf_add(out, text, len);
	if (wr_buf_ok(out)) return 0;
	wr_buf_free(out);
	return wr_fail(err, WR_E_NOMEM, "note: out of memory");
}

static int64_t time_of(const uint8_t bytes[static 8])
{
	uint64_t time = 0;
	for (size_t i = 0; i < 8; i++) time = time << 8 | bytes[i];
	return time <= INT64_MAX ? (int64_t)time : -1;
}

/* 1: a good signature, 0: a bad one, -1: error. */
static int check_cosig(const wr_note *n, const wr_note_sig *sig, const wr_note_key *key,
                       int64_t *time, wr_err *err)
{
	wr_buf message;
	if (sig->len != COSIG_LEN) return 0;
	*time = time_of(sig->data);
	if (*time < 0) return 0;
	if (cosigned_text(&message, *time, n->text, n->text_len, err)) return -1;
	int bad = crypto_sign_verify_detached(sig->data + 8, (const uint8_t *)message.data, message.len,
	                                      key->public_key);
	wr_buf_free(&message);
	return bad == 0;
}

static int check_sig(const wr_note *n, const wr_note_sig *sig, const wr_note_key *key,
                     int64_t *time, wr_err *err)
{
	*time = 0;
	if (key->alg == WR_NOTE_COSIGNATURE) return check_cosig(n, sig, key, time, err);
	return sig->len == WR_ED25519_SIGNATURE &&
	       crypto_sign_verify_detached(sig->data, (const uint8_t *)n->text, n->text_len,
	                                   key->public_key) == 0;
}

int wr_note_verify(const wr_note *n, const wr_note_key *key, int64_t *time, wr_err *err)
{
	int64_t latest = -1, at = 0;
	if (sodium_init() < 0) return wr_fail(err, WR_E_UNAVAILABLE, "libsodium does not start");
	for (size_t i = 0; i < n->sig_count; i++) {
		const wr_note_sig *sig = &n->sigs[i];
		if (strcmp(sig->name, key->name) != 0 || memcmp(sig->id, key->id, ID_LEN) != 0) continue;
		int good = check_sig(n, sig, key, &at, err);
		if (good < 0) return -1;
		if (!good)
			return wr_fail(err, WR_E_DENIED, "note: the signature of %.100s is not good",
			               key->name);
		if (at > latest) latest = at;
	}
	if (latest < 0)
		return wr_fail(err, WR_E_NOT_FOUND, "note: no signature of the key %.100s is on it",
		               key->name);
	if (time) *time = latest;
	return 0;
}

static void add_sig(wr_buf *out, const wr_note_key *key, const uint8_t *sig, size_t len)
{
	uint8_t raw[ID_LEN + COSIG_LEN];
	memcpy(raw, key->id, ID_LEN);
	memcpy(raw + ID_LEN, sig, len);
	wr_buf_addf(out, SIG_MARK "%s ", key->name);
	wr_base64(out, raw, ID_LEN + len);
	wr_buf_addc(out, '\n');
}

int wr_note_sign(wr_buf *out, const char *text, const char *name, const wr_engine_key *k,
                 wr_err *err)
{
	wr_note_key key;
	uint8_t sig[WR_ED25519_SIGNATURE];
	size_t len = strlen(text);
	if (len == 0 || text[len - 1] != '\n')
		return wr_fail(err, WR_E_INVALID, "note: the text must end in a newline");
	if (strncmp(text, COSIG_HEAD, sizeof COSIG_HEAD - 1) == 0)
		return wr_fail(err, WR_E_INVALID, "note: a text that could pass for a cosignature's");
	if (check_bytes(text, len, err)) return -1;
	if (wr_note_key_make(&key, name, WR_NOTE_ED25519, wr_engine_key_public(k), err)) return -1;
	wr_engine_key_sign(k, sig, text, len);
	wr_buf_add(out, text, len);
	wr_buf_addc(out, '\n');
	add_sig(out, &key, sig, sizeof sig);
	return wr_buf_ok(out) ? 0 : wr_fail(err, WR_E_LIMIT, "note: too long, or out of memory");
}

int wr_note_cosign(wr_buf *note, const char *name, const wr_engine_key *k, int64_t time,
                   wr_err *err)
{
	wr_note n;
	wr_note_key key;
	wr_checkpoint c;
	wr_buf message;
	uint8_t sig[COSIG_LEN];
	if (time < 0) return wr_fail(err, WR_E_INVALID, "cosign: a time before 1970");
	if (wr_note_parse(&n, wr_buf_cstr(note), note->len, err)) return -1;
	if (wr_checkpoint_parse(&c, n.text, n.text_len, err)) return wr_err_wrap(err, "cosign");
	if (n.sig_count == WR_NOTE_SIGS_MAX)
		return wr_fail(err, WR_E_LIMIT, "cosign: there are %d signatures already",
		               WR_NOTE_SIGS_MAX);
	if (wr_note_key_make(&key, name, WR_NOTE_COSIGNATURE, wr_engine_key_public(k), err)) return -1;
	if (cosigned_text(&message, time, n.text, n.text_len, err)) return -1;
	for (size_t i = 0; i < 8; i++) sig[i] = (uint8_t)((uint64_t)time >> (56 - 8 * i));
	wr_engine_key_sign(k, sig + 8, message.data, message.len);
	wr_buf_free(&message);
	add_sig(note, &key, sig, sizeof sig);
	return wr_buf_ok(note) ? 0 : wr_fail(err, WR_E_LIMIT, "cosign: too long, or out of memory");
}
