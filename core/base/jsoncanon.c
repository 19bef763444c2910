/* jsoncanon.c: the canonicalisers of jsontext.h. Each must give the very bytes that the other
 * software hashed, so nothing here is a matter of taste. Recursion is bounded by the tokenizer. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsontext.h"
#include "base/utf8.h"

typedef struct writer {
	wr_jt *j;
	const wr_canon_style *style;
	wr_buf *out;
	wr_err *err;
} writer;

static int put(writer *w, uint32_t node);

/* ---- strings ---- */

static void put_escape(wr_buf *out, uint32_t unit)
{
	wr_buf_addf(out, "\\u%04x", unit);
}

static const char *short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\b':
		return "\\b";
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	case '\f':
		return "\\f";
	case '\r':
		return "\\r";
	default:
		return NULL;
	}
}

/* A code point beyond ASCII, as the style has it. `s` is its n bytes. */
static void put_wide(const writer *w, const char *s, size_t n, uint32_t cp)
{
	if (w->style->kind == WR_CANON_JCS || w->style->utf8) {
		wr_buf_add(w->out, s, n);
	} else if (cp < 0x10000) {
		put_escape(w->out, cp);
	} else {
		put_escape(w->out, 0xD800 + ((cp - 0x10000) >> 10));
		put_escape(w->out, 0xDC00 + ((cp - 0x10000) & 0x3FF));
	}
}

/* One code point of WTF-8, which is what jt_decode gives; false: a lone surrogate that this style
 * cannot write. */
static bool put_cp(const writer *w, const char *s, const char *end, size_t *n)
{
	uint32_t cp;
	bool ok;
	*n = wr_utf8_step(s, end, &cp, &ok);
	if (!ok) {
		WR_ASSERT(end - s >= 3);
		*n = 3;
		cp = 0xD000u | ((unsigned char)s[1] & 0x3Fu) << 6 | ((unsigned char)s[2] & 0x3Fu);
		if (w->style->kind == WR_CANON_JCS || w->style->utf8) return false;
	}
	put_wide(w, s, *n, cp);
	return true;
}

static int put_string(writer *w, const char *s, size_t n)
{
	const char *end = s + n;
	bool ascii = w->style->kind == WR_CANON_PYTHON && !w->style->utf8;
	wr_buf_addc(w->out, '"');
	while (s < end) {
		unsigned char c = (unsigned char)*s;
		const char *e = c < 0x80 ? short_escape(c) : NULL;
		size_t len = 1;
		if (e)
			wr_buf_adds(w->out, e);
		else if (c < 0x20 || (c == 0x7f && ascii))
			put_escape(w->out, c);
		else if (c < 0x80)
			wr_buf_addc(w->out, (char)c);
		else if (!put_cp(w, s, end, &len))
			return wr_fail(w->err, WR_E_INVALID, "a lone surrogate, which UTF-8 cannot hold");
		s += len;
	}
	wr_buf_addc(w->out, '"');
	return 0;
}

static int put_string_node(writer *w, const jt_node *n)
{
	bool lone;
	const char *s = w->j->text + n->start + 1;
	size_t len = n->end - n->start - 2;
	if (!memchr(s, '\\', len)) return put_string(w, s, len);
	wr_buf plain = WR_BUF_INIT(len + 4);
	jt_decode(s, len, &plain, &lone);
	int rc = wr_buf_ok(&plain) ? put_string(w, wr_buf_cstr(&plain), plain.len)
	                           : wr_fail(w->err, WR_E_NOMEM, "out of memory");
	wr_buf_free(&plain);
	return rc;
}

/* ---- numbers ---- */

static int put_number(writer *w, const jt_node *n)
{
	char text[WR_NUMBER_LEN];
	const char *s = w->j->text + n->start;
	size_t len = n->end - n->start;
	bool integer = !memchr(s, '.', len) && !memchr(s, 'e', len) && !memchr(s, 'E', len);
	if (w->style->kind == WR_CANON_JCS) {
		if (!wr_number_es6(s, len, text))
			return wr_fail(w->err, WR_E_INVALID, "the number at byte %u is no finite double",
			               n->start);
		wr_buf_adds(w->out, text);
	} else if (integer) {
		bool minus_zero = len == 2 && s[0] == '-' && s[1] == '0';
		wr_buf_add(w->out, minus_zero ? "0" : s, minus_zero ? 1 : len);
	} else {
		(void)wr_number_python(s, len, text);
		wr_buf_adds(w->out, text);
	}
	return 0;
}

/* ---- containers ---- */

/* The order of UTF-16 code units, on UTF-8: only there do the surrogates of what is beyond U+FFFF
 * come before U+E000. */
static unsigned char utf16_rank(unsigned char c)
{
	return c >= 0xF0 ? (unsigned char)(c - 0x02) : c >= 0xEE ? (unsigned char)(c + 0x08) : c;
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const writer *w = ctx;
	const wr_jt *j = w->j;
	const jt_node *x = &j->nodes[*(const uint32_t *)a], *y = &j->nodes[*(const uint32_t *)b];
	const unsigned char *s = (const unsigned char *)jt_key(j, x);
	const unsigned char *t = (const unsigned char *)jt_key(j, y);
	uint32_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	for (uint32_t i = 0; i < n; i++) {
		if (s[i] == t[i]) continue;
		if (w->style->kind != WR_CANON_JCS) return s[i] < t[i] ? -1 : 1;
		return utf16_rank(s[i]) < utf16_rank(t[i]) ? -1 : 1;
	}
	return (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static int push_kids(writer *w, uint32_t node, size_t *from)
{
	wr_jt *j = w->j;
	*from = j->order_count;
	for (uint32_t k = wr_jt_first(j, node); k != WR_JT_NONE; k = j->nodes[k].next) {
		if (j->nodes[k].excluded) continue;
		if (j->order_count == j->order_cap) {
			size_t cap = j->order_cap ? 2 * j->order_cap : 64;
			uint32_t *more = realloc(j->order, cap * sizeof *more);
			if (!more) return wr_fail(w->err, WR_E_NOMEM, "out of memory");
			j->order = more;
			j->order_cap = cap;
		}
		j->order[j->order_count++] = k;
	}
	if (j->nodes[node].kind == WR_JT_OBJECT && j->order_count - *from > 1)
		qsort_r(j->order + *from, j->order_count - *from, sizeof *j->order, by_key, w);
	return 0;
}

static int put_container(writer *w, uint32_t node)
{
	wr_jt *j = w->j;
	bool object = j->nodes[node].kind == WR_JT_OBJECT;
	bool wide = w->style->kind == WR_CANON_PYTHON && !w->style->compact;
	size_t from, to;
	if (push_kids(w, node, &from) != 0) return -1;
	to = j->order_count;
	wr_buf_addc(w->out, object ? '{' : '[');
	for (size_t i = from; i < to; i++) {
		uint32_t k = j->order[i];
		if (i > from) wr_buf_adds(w->out, wide ? ", " : ",");
		if (object) {
			if (put_string(w, jt_key(j, &j->nodes[k]), j->nodes[k].key_len) != 0) return -1;
			wr_buf_adds(w->out, wide ? ": " : ":");
		}
		if (put(w, k) != 0) return -1;
	}
	j->order_count = from;
	wr_buf_addc(w->out, object ? '}' : ']');
	return 0;
}

static int put(writer *w, uint32_t node)
{
	const jt_node *n = &w->j->nodes[node];
	switch ((wr_jt_kind)n->kind) {
	case WR_JT_OBJECT:
	case WR_JT_ARRAY:
		return put_container(w, node);
	case WR_JT_STRING:
		return put_string_node(w, n);
	case WR_JT_NUMBER:
		return put_number(w, n);
	case WR_JT_TRUE:
	case WR_JT_FALSE:
	case WR_JT_NULL:
		break;
	}
	wr_buf_add(w->out, w->j->text + n->start, n->end - n->start);
	return 0;
}

/* ---- the bytes as they are ---- */

/* An excluded member goes with what stands between it and the next one; the last one with what
 * stands between it and the last that stays. */
static void put_raw(const writer *w, uint32_t node)
{
	const wr_jt *j = w->j;
	const jt_node *n = &j->nodes[node];
	uint32_t first = wr_jt_first(j, node), end_of_last = n->end - 1, gap = 0, gap_end = 0;
	if (!n->cut) {
		wr_buf_add(w->out, j->text + n->start, n->end - n->start);
		return;
	}
	bool any = false;
	wr_buf_add(w->out, j->text + n->start, j->nodes[first].key_start - n->start);
	for (uint32_t k = first; k != WR_JT_NONE; k = j->nodes[k].next) {
		const jt_node *m = &j->nodes[k];
		end_of_last = m->end;
		if (m->excluded) continue;
		if (any) wr_buf_add(w->out, j->text + gap, gap_end - gap);
		any = true;
		wr_buf_add(w->out, j->text + m->key_start, m->start - m->key_start);
		put_raw(w, k);
		gap = m->end;
		gap_end = m->next == WR_JT_NONE ? gap : j->nodes[m->next].key_start;
	}
	wr_buf_add(w->out, j->text + end_of_last, n->end - end_of_last);
}

static int put_jansson(const writer *w)
{
	wr_buf text = WR_BUF_INIT(w->j->len + 1u);
	writer raw = {.j = w->j, .style = w->style, .out = &text, .err = w->err};
	json_error_t error;
	put_raw(&raw, 0);
	json_t *v = wr_buf_ok(&text)
	                ? json_loadb(wr_buf_cstr(&text), text.len,
	                             JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error)
	                : NULL;
	char *dump = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
	int rc = dump ? 0
	         : !v && wr_buf_ok(&text)
	             ? wr_fail(w->err, WR_E_INVALID, "jansson cannot read it: %.150s", error.text)
	             : wr_fail(w->err, WR_E_NOMEM, "out of memory");
	if (dump) wr_buf_adds(w->out, dump);
	free(dump);
	json_decref(v);
	wr_buf_free(&text);
	return rc;
}

int wr_jt_write(wr_jt *j, const wr_canon_style *style, wr_buf *out, wr_err *err)
{
	writer w = {.j = j, .style = style, .out = out, .err = err};
	int rc = 0;
	WR_ASSERT(j->count > 0);
	j->order_count = 0;
	if (style->kind == WR_CANON_RAW)
		put_raw(&w, 0);
	else if (style->kind == WR_CANON_JANSSON)
		rc = put_jansson(&w);
	else
		rc = put(&w, 0);
	if (rc == 0 && !wr_buf_ok(out)) rc = wr_fail(err, WR_E_LIMIT, "too large in canonical form");
	return rc;
}
