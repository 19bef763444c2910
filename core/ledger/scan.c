/* scan.c: the one-pass scanner of receipt lines.
 *
 * Accepts exactly: { "key":value , … ,"hash":"<64 hex>"} where keys are printable ASCII, strictly
 * ascending (but "hash", which is last), and values are strings, integers of at most 2^53-1 and
 * booleans in their RFC 8785 form. It allocates nothing and stops at the first wrong byte; running
 * out of input is told from a wrong byte by at == n. Pure. */
#include "ledger/scan.h"

#include <string.h>

#include "warroom/json.h"
#include "warroom/text.h"

static const char no_value[] = "not a string, an integer, true or false";

typedef struct cursor {
	const char *s;
	size_t n, at;
	const char *why;
} cursor;

static bool bad(cursor *c, size_t at, const char *why)
{
	c->at = at;
	c->why = why;
	return false;
}

static bool expect(cursor *c, char ch, const char *why)
{
	if (c->at == c->n || c->s[c->at] != ch) return bad(c, c->at, why);
	c->at++;
	return true;
}

static bool expect_word(cursor *c, const char *word, const char *why)
{
	for (; *word; word++)
		if (!expect(c, *word, why)) return false;
	return true;
}

static bool one_of(char ch, const char *set)
{
	for (; *set; set++)
		if (*set == ch) return true;
	return false;
}

/* Length of the well-formed UTF-8 sequence at s[at], 0 if wrong; *wrong_at says where, which is n
 * when the input merely ends inside it. */
static size_t utf8_len(const char *s, size_t n, size_t at, size_t *wrong_at)
{
	unsigned char lead = (unsigned char)s[at];
	size_t len = lead >= 0xc2 && lead <= 0xdf   ? 2
	             : lead >= 0xe0 && lead <= 0xef ? 3
	             : lead >= 0xf0 && lead <= 0xf4 ? 4
	                                            : 0;
	*wrong_at = at;
	for (size_t i = 1; i < len; i++) {
		*wrong_at = at + i;
		if (at + i >= n) return 0;
		unsigned char c = (unsigned char)s[at + i];
		unsigned char low = 0x80, high = 0xbf;
		if (i == 1 && lead == 0xe0) low = 0xa0;  /* overlong */
		if (i == 1 && lead == 0xed) high = 0x9f; /* surrogates */
		if (i == 1 && lead == 0xf0) low = 0x90;
		if (i == 1 && lead == 0xf4) high = 0x8f; /* beyond U+10FFFF */
		if (c < low || c > high) return 0;
	}
	return len;
}

static bool lower_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The one canonical spelling of each escape: the short ones, else \u00xx in lower case; U+0000 is
 * excluded. */
static bool scan_escape(cursor *c)
{
	static const char wrong[] = "not the canonical escape";
	c->at++;
	if (c->at == c->n) return bad(c, c->at, wrong);
	if (c->s[c->at] != 'u') {
		if (!one_of(c->s[c->at], "\"\\bfnrt")) return bad(c, c->at, wrong);
		c->at++;
		return true;
	}
	c->at++;
	if (!expect_word(c, "00", wrong)) return false;
	if (c->at == c->n || (c->s[c->at] != '0' && c->s[c->at] != '1')) return bad(c, c->at, wrong);
	bool low = c->s[c->at++] == '0';
	if (c->at == c->n || !lower_hex(c->s[c->at])) return bad(c, c->at, wrong);
	if (low && one_of(c->s[c->at], "089acd")) return bad(c, c->at, wrong);
	c->at++;
	return true;
}

static bool scan_string(cursor *c)
{
	if (!expect(c, '"', "no string")) return false;
	while (c->at < c->n) {
		unsigned char ch = (unsigned char)c->s[c->at];
		if (ch == '"') {
			c->at++;
			return true;
		}
		if (ch == '\\') {
			if (!scan_escape(c)) return false;
		} else if (ch < 0x20) {
			return bad(c, c->at, "a bare control character");
		} else if (ch < 0x80) {
			c->at++;
		} else {
			size_t wrong_at, len = utf8_len(c->s, c->n, c->at, &wrong_at);
			if (len == 0) return bad(c, wrong_at, "invalid UTF-8");
			c->at += len;
		}
	}
	return bad(c, c->at, "the string does not end");
}

static bool scan_integer(cursor *c)
{
	size_t start = c->at;
	if (c->s[c->at] == '-') c->at++;
	size_t digits_at = c->at;
	int64_t value = 0;
	while (c->at < c->n && c->s[c->at] >= '0' && c->s[c->at] <= '9') {
		if (c->at - digits_at >= 16) return bad(c, c->at, "an integer beyond 2^53-1");
		value = value * 10 + (c->s[c->at++] - '0');
	}
	size_t digits = c->at - digits_at;
	if (digits == 0) return bad(c, c->at, no_value);
	if (c->s[digits_at] == '0' && (digits > 1 || digits_at > start))
		return bad(c, digits_at, "a number that is not canonical");
	if (value > WR_INT_MAX_SAFE) return bad(c, start, "an integer beyond 2^53-1");
	return true;
}

static bool scan_value(cursor *c)
{
	if (c->at == c->n) return bad(c, c->at, "a value is missing");
	switch (c->s[c->at]) {
	case '"':
		return scan_string(c);
	case 't':
		return expect_word(c, "true", no_value);
	case 'f':
		return expect_word(c, "false", no_value);
	case '{':
	case '[':
		return bad(c, c->at, "a receipt is flat: no object or array inside");
	default:
		return scan_integer(c);
	}
}

static bool scan_key(cursor *c, wr_field *f)
{
	if (!expect(c, '"', "a key is missing")) return false;
	f->key = c->s + c->at;
	while (c->at < c->n && c->s[c->at] != '"') {
		unsigned char ch = (unsigned char)c->s[c->at];
		if (ch < 0x20 || ch > 0x7e || ch == '\\')
			return bad(c, c->at, "a key that is not printable ASCII");
		c->at++;
	}
	f->key_len = (size_t)(c->s + c->at - f->key);
	return expect(c, '"', "the key does not end") && expect(c, ':', "no colon after the key");
}

static bool key_is_hash(const wr_field *f)
{
	return f->key_len == 4 && memcmp(f->key, "hash", 4) == 0;
}

static bool ascending(const wr_field *a, const wr_field *b)
{
	size_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, shorter);
	return order < 0 || (order == 0 && a->key_len < b->key_len);
}

static bool scan_hash_tail(cursor *c, const wr_field *f)
{
	if (c->at < c->n && c->s[c->at] != '"') return bad(c, c->at, "the hash is no string");
	if (!scan_string(c)) return false;
	size_t start = (size_t)(f->key - c->s) + sizeof "hash\":\"" - 1;
	if (c->at - start != 65) return bad(c, start, "the hash is not 64 digits");
	for (size_t i = 0; i < 64; i++)
		if (!lower_hex(c->s[start + i])) return bad(c, start + i, "the hash is not lower-case hex");
	if (!expect(c, '}', "the hash is not the last field")) return false;
	if (c->at != c->n) return bad(c, c->at, "something follows the receipt");
	return true;
}

static bool scan_fields(cursor *c, wr_field *fields, wr_scan *out)
{
	if (!expect(c, '{', "no receipt begins here")) return false;
	for (;;) {
		if (out->count == WR_RECEIPT_FIELDS_MAX) return bad(c, c->at, "too many fields");
		wr_field *f = &fields[out->count];
		out->hash_at = out->count ? c->at - 1 : c->at;
		if (!scan_key(c, f)) return false;
		size_t value_at = c->at;
		bool last = key_is_hash(f);
		if (last) {
			if (!scan_hash_tail(c, f)) return false;
		} else {
			if (out->count > 0 && !ascending(f - 1, f))
				return bad(c, (size_t)(f->key - c->s), "keys are not in ascending order");
			if (!scan_value(c)) return false;
		}
		f->raw = c->s + value_at;
		f->raw_len = c->at - value_at - (last ? 1 : 0);
		out->count++;
		if (last) return true;
		if (!expect(c, ',', "the receipt does not go on to its hash")) return false;
	}
}

bool wr_scan_line(const char *s, size_t n, wr_field fields[static WR_RECEIPT_FIELDS_MAX],
                  wr_scan *out)
{
	cursor c = {.s = s, .n = n};
	*out = (wr_scan){0};
	bool ok = n <= WR_LINE_MAX ? scan_fields(&c, fields, out)
	                           : bad(&c, WR_LINE_MAX, "longer than a receipt may be");
	out->at = c.at;
	out->why = c.why;
	return ok;
}

bool wr_scan_prefix(const char *s, size_t n)
{
	wr_field fields[WR_RECEIPT_FIELDS_MAX];
	wr_scan scan;
	if (n > WR_LINE_MAX) return false;
	return wr_scan_line(s, n, fields, &scan) || scan.at == n;
}

void wr_scan_leaf(uint8_t out[static WR_HASH_LEN], const char *line, size_t len)
{
	char e[WR_RECEIPT_MAX];
	size_t hash_at = len - WR_HASH_TAIL - 1;
	WR_ASSERT(len > WR_HASH_TAIL && hash_at < sizeof e);
	memcpy(e, line, hash_at);
	e[hash_at] = '}';
	wr_leaf_hash(out, e, hash_at + 1);
}

static uint32_t unescape_one(const char **p)
{
	char c = (*p)[1];
	*p += 2;
	switch (c) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'u': {
		uint32_t cp = (*p)[2] == '1' ? 0x10 : 0;
		char d = (*p)[3];
		*p += 4;
		return cp + (uint32_t)(d <= '9' ? d - '0' : d - 'a' + 10);
	}
	default:
		return (unsigned char)c;
	}
}

void wr_scan_unescape(const char *raw, size_t raw_len, char *out, size_t size)
{
	size_t len = 0;
	const char *p = raw + 1, *end = raw + raw_len - 1;
	while (p < end) {
		char put[4];
		uint32_t cp = *p == '\\' ? unescape_one(&p) : wr_utf8_next(&p, end);
		size_t n = wr_utf8_put(put, cp);
		if (len + n + 1 > size) break;
		memcpy(out + len, put, n);
		len += n;
	}
	if (size) out[len] = '\0';
}
