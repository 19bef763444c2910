/* output.c: what a step printed, made fit for people's eyes and for the ledger; and the secrets
 * that must not be in it. No state of its own: one wr_act_output belongs to one thread. */
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "act/internal.h"
#include "warroom/limits.h"
#include "warroom/model.h"
#include "warroom/text.h"

/* Raw bytes handed on at once: three times as many when each becomes U+FFFD, still under 1 KiB. */
#define PIECE_MAX 330
#define CHUNK_MAX 4096
/* A line without an end is held back for as long as a secret could still be cut in two. */
#define PENDING_MAX (WR_SECRET_MAX + PIECE_MAX + CHUNK_MAX)
/* Shorter values are no secrets, and striking them out would make the text unreadable. */
#define SECRET_MIN 4
#define STRUCK     "***"

void wr_act_output_init(wr_act_output *o, void (*sink)(void *ctx, const char *text), void *ctx)
{
	memset(o, 0, sizeof *o);
	o->sink = sink;
	o->sink_ctx = ctx;
	wr_buf_init(&o->pending, PENDING_MAX);
}

void wr_act_output_free(wr_act_output *o)
{
	for (size_t i = 0; i < o->secret_count; i++) wr_buf_wipe(&o->secrets[i]);
	o->secret_count = 0;
	wr_buf_wipe(&o->pending);
}

/* strike replaces every secret in [s, s+n); the text only ever gets shorter. */
static size_t strike(const wr_act_output *o, char *s, size_t n)
{
	const size_t mark = sizeof STRUCK - 1;
	for (size_t i = 0; i < o->secret_count; i++) {
		const wr_buf *secret = &o->secrets[i];
		for (char *at = s;;) {
			at = memmem(at, n - (size_t)(at - s), secret->data, secret->len);
			if (!at) break;
			size_t after = n - (size_t)(at - s) - secret->len;
			memcpy(at, STRUCK, mark);
			memmove(at + mark, at + secret->len, after);
			n -= secret->len - mark;
			at += mark;
		}
	}
	return n;
}

/* whole_chars cuts n back so that no UTF-8 sequence is cut in two. */
static size_t whole_chars(const char *s, size_t n, size_t total)
{
	if (n >= total) return total;
	size_t cut = n;
	while (cut > 0 && n - cut < 3 && ((unsigned char)s[cut] & 0xC0) == 0x80) cut--;
	return cut > 0 && ((unsigned char)s[cut] & 0xC0) != 0x80 ? cut : n;
}

static void keep_tail(wr_act_output *o, const char *s, size_t n)
{
	if (o->tail_len + n > sizeof o->tail) {
		size_t half = sizeof o->tail / 2;
		size_t keep = o->tail_len < half ? o->tail_len : half;
		memmove(o->tail, o->tail + o->tail_len - keep, keep);
		o->tail_len = keep;
	}
	WR_ASSERT(n <= sizeof o->tail - o->tail_len);
	memcpy(o->tail + o->tail_len, s, n);
	o->tail_len += n;
}

static void show(wr_act_output *o, const char *s, size_t n)
{
	while (n > 0) {
		size_t len = whole_chars(s, n < PIECE_MAX ? n : PIECE_MAX, n);
		wr_buf piece = WR_BUF_INIT(4 * PIECE_MAX);
		wr_sanitise(&piece, s, len, true);
		keep_tail(o, wr_buf_cstr(&piece), piece.len);
		if (o->sink && piece.len > 0 && o->streamed < WR_EXEC_OUTPUT_MAX) {
			o->streamed += piece.len;
			o->sink(o->sink_ctx, wr_buf_cstr(&piece));
			if (o->streamed >= WR_EXEC_OUTPUT_MAX)
				o->sink(o->sink_ctx, "\n(more output is not shown)\n");
		}
		wr_buf_free(&piece);
		s += len;
		n -= len;
	}
}

/* let_out shows whole lines; of an unfinished one only what no secret can reach into any more. */
static void let_out(wr_act_output *o, bool all)
{
	wr_buf *p = &o->pending;
	if (p->len == 0) return;
	p->len = strike(o, p->data, p->len);
	const char *last = memrchr(p->data, '\n', p->len);
	size_t n = last ? (size_t)(last - p->data) + 1 : 0;
	if (all) n = p->len;
	size_t hold = o->secret_count > 0 ? o->secrets[0].len : 0;
	if (p->len - n > hold + PIECE_MAX) n = whole_chars(p->data, p->len - hold, p->len);
	show(o, p->data, n);
	memmove(p->data, p->data + n, p->len - n);
	p->len -= n;
	p->data[p->len] = '\0';
}

void wr_act_output_add(wr_act_output *o, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = len < CHUNK_MAX ? len : CHUNK_MAX;
		wr_buf_add(&o->pending, data, n);
		let_out(o, false);
		if (!wr_buf_ok(&o->pending))
			wr_buf_reset(&o->pending); /* out of memory: the text is lost */
		data += n;
		len -= n;
	}
}

void wr_act_output_line(wr_act_output *o, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (n < 0) return;
	wr_act_output_add(o, text, strlen(text));
	wr_act_output_add(o, "\n", 1);
}

void wr_act_output_end(wr_act_output *o, char *out, size_t size)
{
	let_out(o, true);
	size_t from = o->tail_len < size ? 0 : o->tail_len - (size - 1);
	while (from < o->tail_len && from > 0 && ((unsigned char)o->tail[from] & 0xC0) == 0x80) from++;
	memcpy(out, o->tail + from, o->tail_len - from);
	out[o->tail_len - from] = '\0';
}

void wr_act_clean(const wr_act_output *o, char *out, size_t size, const char *raw)
{
	char text[WR_STR_MAX + 1];
	size_t n = strnlen(raw, sizeof text - 1);
	memcpy(text, raw, n);
	text[strike(o, text, n)] = '\0';
	wr_sanitise_to(out, size, text);
	sodium_memzero(text, sizeof text);
}

bool wr_act_has_secret(const char *text)
{
	size_t at = 0, len;
	return wr_secret_find(text, &at, &len);
}

static int remember(wr_act_output *o, const wr_buf *value, wr_err *err)
{
	if (value->len < SECRET_MIN) return 0;
	size_t at = o->secret_count;
	for (size_t i = 0; i < o->secret_count; i++) {
		const wr_buf *known = &o->secrets[i];
		if (known->len == value->len && memcmp(known->data, value->data, value->len) == 0) return 0;
		if (at == o->secret_count && known->len < value->len) at = i;
	}
	if (o->secret_count == WR_ACT_SECRETS_MAX)
		return wr_fail(err, WR_E_LIMIT, "more than %d secrets in one step", WR_ACT_SECRETS_MAX);
	wr_buf copy = WR_BUF_INIT(WR_SECRET_MAX);
	wr_buf_add(&copy, value->data, value->len);
	if (!wr_buf_ok(&copy)) return wr_fail(err, WR_E_NOMEM, "out of memory");
	memmove(&o->secrets[at + 1], &o->secrets[at], (o->secret_count - at) * sizeof *o->secrets);
	o->secrets[at] = copy;
	o->secret_count++;
	return 0;
}

/* Each reference is read once, so that what is sent is also what is struck out. */
static int expand_one(wr_act_output *o, wr_buf *out, const char *reference, size_t len, wr_err *err)
{
	char text[WR_STR_MAX + 1];
	if (len >= sizeof text) return wr_fail(err, WR_E_LIMIT, "the name of a secret is too long");
	memcpy(text, reference, len);
	text[len] = '\0';
	wr_buf value = WR_BUF_INIT(WR_SECRET_MAX);
	int rc = -1;
	if (!wr_buf_reserve(&value, WR_SECRET_MAX))
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
	else
		rc = wr_secret_expand(&value, text, err);
	if (rc == 0) rc = remember(o, &value, err);
	if (rc == 0) wr_buf_add(out, value.data, value.len);
	wr_buf_wipe(&value);
	return rc;
}

int wr_act_expand(wr_act_output *o, wr_buf *out, const char *text, wr_err *err)
{
	size_t room = strlen(text), at = 0, len;
	for (; wr_secret_find(text, &at, &len); at += len) room += WR_SECRET_MAX;
	if (!wr_buf_reserve(out, room))
		return wr_fail(err, WR_E_LIMIT, "too long with its secrets filled in");
	size_t done = 0;
	for (at = 0; wr_secret_find(text, &at, &len); at += len, done = at) {
		wr_buf_add(out, text + done, at - done);
		if (expand_one(o, out, text + at, len, err) != 0) return -1;
	}
	wr_buf_adds(out, text + done);
	if (!wr_buf_ok(out)) return wr_fail(err, WR_E_LIMIT, "too long with its secrets filled in");
	return 0;
}
