/* jsontext.c: the tokenizer of jsontext.h.
 *
 * Tokens are in one array, parents before children; keys are decoded once, because duplicates are
 * judged by meaning ("a" is "\u0061"). Recursion is bounded by WR_JSON_DEPTH_MAX. */
#include "base/jsontext.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "warroom/limits.h"
#include "warroom/text.h"

#define TEXT_MAX    (64u << 20) /* offsets are 32 bits; callers bound far below */
#define SORTED_FROM 16          /* fewer members are compared each with each */

typedef struct parser {
	wr_jt *j;
	const char *s;
	uint32_t at, end;
	wr_err *err;
} parser;

wr_jt *wr_jt_new(void)
{
	wr_jt *j = calloc(1, sizeof *j);
	if (j) wr_buf_init(&j->decoded, TEXT_MAX);
	return j;
}

void wr_jt_free(wr_jt *j)
{
	if (!j) return;
	wr_buf_free(&j->decoded);
	free(j->nodes);
	free(j->order);
	free(j);
}

const char *jt_key(const wr_jt *j, const jt_node *n)
{
	return n->key_decoded ? j->decoded.data + n->key_off : j->text + n->key_off;
}

static int bad(parser *p, const char *what)
{
	return wr_fail(p->err, WR_E_INVALID, "%s at byte %u", what, p->at);
}

static void blank(parser *p)
{
	while (p->at < p->end && (p->s[p->at] == ' ' || p->s[p->at] == '\n' || p->s[p->at] == '\r' ||
	                          p->s[p->at] == '\t'))
		p->at++;
}

static int new_node(parser *p, wr_jt_kind kind, uint32_t parent, uint32_t *out)
{
	wr_jt *j = p->j;
	if (j->count >= WR_JT_NODES_MAX)
		return wr_fail(p->err, WR_E_LIMIT, "more than %u values", WR_JT_NODES_MAX);
	if (j->count == j->cap) {
		uint32_t cap = j->cap ? j->cap * 2 : 64;
		jt_node *more = realloc(j->nodes, cap * sizeof *more);
		if (!more) return wr_fail(p->err, WR_E_NOMEM, "out of memory");
		j->nodes = more;
		j->cap = cap;
	}
	*out = j->count++;
	j->nodes[*out] = (jt_node){.kind = (uint8_t)kind,
	                           .start = p->at,
	                           .key_start = p->at,
	                           .next = WR_JT_NONE,
	                           .parent = parent};
	return 0;
}

/* ---- strings ---- */

static int hex4(const char *s, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < 4; i++) {
		char c = s[i];
		uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
		             : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
		             : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
		                                    : 16;
		if (d > 15) return -1;
		*out = *out << 4 | d;
	}
	return 0;
}

/* Passes over a string, from its opening quote; *escaped: it has a backslash. */
static int scan_string(parser *p, bool *escaped)
{
	const char *s = p->s;
	*escaped = false;
	p->at++;
	while (p->at < p->end && s[p->at] != '"') {
		unsigned char c = (unsigned char)s[p->at];
		uint32_t cp;
		bool ok;
		if (c < 0x20) return bad(p, "a control character in a string");
		if (c == '\\') {
			*escaped = true;
			if (p->end - p->at < 2) return bad(p, "a string that does not end");
			char e = s[p->at + 1];
			if (e == 'u') {
				if (p->end - p->at < 6 || hex4(s + p->at + 2, &cp) != 0)
					return bad(p, "a \\u without four digits");
				p->at += 6;
			} else if (e != '\0' && strchr("\"\\/bfnrt", e)) {
				p->at += 2;
			} else {
				return bad(p, "an unknown escape");
			}
		} else if (c < 0x80) {
			p->at++;
		} else {
			size_t n = wr_utf8_step(s + p->at, s + p->end, &cp, &ok);
			if (!ok) return bad(p, "invalid UTF-8");
			p->at += (uint32_t)n;
		}
	}
	if (p->at >= p->end) return bad(p, "a string that does not end");
	p->at++;
	return 0;
}

static void put_cp(wr_buf *out, uint32_t cp)
{
	char utf8[4];
	if (cp >= 0xD800 && cp <= 0xDFFF) { /* wr_utf8_put refuses these, rightly */
		utf8[0] = (char)(0xE0 | cp >> 12);
		utf8[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		utf8[2] = (char)(0x80 | (cp & 0x3F));
		wr_buf_add(out, utf8, 3);
	} else {
		wr_buf_add(out, utf8, wr_utf8_put(utf8, cp));
	}
}

void jt_decode(const char *s, size_t n, wr_buf *out, bool *lone)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t i = 0;
	*lone = false;
	while (i < n) {
		const char *slash = memchr(s + i, '\\', n - i);
		size_t plain = slash ? (size_t)(slash - s) - i : n - i;
		wr_buf_add(out, s + i, plain);
		i += plain;
		if (!slash) break;
		uint32_t cp = 0, low = 0;
		if (s[i + 1] != 'u') {
			wr_buf_addc(out, to[strchr(from, s[i + 1]) - from]);
			i += 2;
			continue;
		}
		(void)hex4(s + i + 2, &cp);
		i += 6;
		if (cp >= 0xD800 && cp <= 0xDBFF && n - i >= 6 && s[i] == '\\' && s[i + 1] == 'u' &&
		    hex4(s + i + 2, &low) == 0 && low >= 0xDC00 && low <= 0xDFFF) {
			cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
			i += 6;
		}
		if (cp >= 0xD800 && cp <= 0xDFFF) *lone = true;
		put_cp(out, cp);
	}
}

/* ---- numbers and words ---- */

static bool digits(parser *p)
{
	uint32_t from = p->at;
	while (p->at < p->end && p->s[p->at] >= '0' && p->s[p->at] <= '9') p->at++;
	return p->at > from;
}

static char peek(const parser *p)
{
	return p->at < p->end ? p->s[p->at] : '\0';
}

static int number(parser *p)
{
	uint32_t from = p->at;
	if (peek(p) == '-') p->at++;
	if (peek(p) == '0')
		p->at++;
	else if (!digits(p))
		return bad(p, "a number without digits");
	if (peek(p) == '.') {
		p->at++;
		if (!digits(p)) return bad(p, "a number that ends with a point");
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		p->at++;
		if (peek(p) == '+' || peek(p) == '-') p->at++;
		if (!digits(p)) return bad(p, "an exponent without digits");
	}
	if (p->at - from > WR_JT_NUMBER_MAX)
		return wr_fail(p->err, WR_E_LIMIT, "a number of more than %u characters at byte %u",
		               WR_JT_NUMBER_MAX, from);
	return 0;
}

static int word(parser *p, const char *expected)
{
	size_t n = strlen(expected);
	if (p->end - p->at < n || memcmp(p->s + p->at, expected, n) != 0)
		return bad(p, "no JSON value");
	p->at += (uint32_t)n;
	return 0;
}

/* ---- containers ---- */

static int compare_keys(const void *a, const void *b, void *ctx)
{
	const wr_jt *j = ctx;
	const jt_node *x = &j->nodes[*(const uint32_t *)a], *y = &j->nodes[*(const uint32_t *)b];
	uint32_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int c = memcmp(jt_key(j, x), jt_key(j, y), n);
	return c ? c : (x->key_len > y->key_len) - (x->key_len < y->key_len);
}

static int no_duplicates(parser *p, uint32_t object)
{
	wr_jt *j = p->j;
	uint32_t few[SORTED_FROM], *kids = few, count = j->nodes[object].count, n = 0;
	if (count > SORTED_FROM && !(kids = calloc(count, sizeof *kids)))
		return wr_fail(p->err, WR_E_NOMEM, "out of memory");
	for (uint32_t k = wr_jt_first(j, object); k != WR_JT_NONE; k = j->nodes[k].next) kids[n++] = k;
	bool twice = false;
	if (count > SORTED_FROM) {
		qsort_r(kids, n, sizeof *kids, compare_keys, j);
		for (uint32_t i = 1; i < n && !twice; i++)
			twice = compare_keys(&kids[i - 1], &kids[i], j) == 0;
		free(kids);
	} else {
		for (uint32_t i = 1; i < n; i++)
			for (uint32_t k = 0; k < i; k++) twice |= compare_keys(&kids[i], &kids[k], j) == 0;
	}
	if (twice)
		return wr_fail(p->err, WR_E_INVALID, "a key that occurs twice in the object at byte %u",
		               j->nodes[object].start);
	return 0;
}

/* A key, its colon; what the key means goes to *node when that exists. */
static int key(parser *p, jt_node *out)
{
	bool escaped, lone;
	uint32_t from = p->at;
	if (peek(p) != '"') return bad(p, "expected a key");
	if (scan_string(p, &escaped) != 0) return -1;
	*out = (jt_node){.key_start = from, .key_off = from + 1, .key_len = p->at - from - 2};
	if (escaped) {
		wr_buf *d = &p->j->decoded;
		uint32_t off = (uint32_t)d->len;
		jt_decode(p->s + from + 1, p->at - from - 2, d, &lone);
		if (!wr_buf_ok(d)) return wr_fail(p->err, WR_E_NOMEM, "out of memory");
		out->key_decoded = true;
		out->key_off = off;
		out->key_len = (uint32_t)d->len - off;
	}
	blank(p);
	if (peek(p) != ':') return bad(p, "expected a colon");
	p->at++;
	blank(p);
	return 0;
}

static int value(parser *p, uint32_t parent, int depth, uint32_t *out);

static int container(parser *p, uint32_t self, int depth)
{
	bool object = p->s[p->at] == '{';
	char close = object ? '}' : ']';
	uint32_t last = WR_JT_NONE, kid = 0;
	if (depth >= WR_JSON_DEPTH_MAX)
		return wr_fail(p->err, WR_E_LIMIT, "nested deeper than %d at byte %u", WR_JSON_DEPTH_MAX,
		               p->at);
	p->at++;
	blank(p);
	while (peek(p) != close || last != WR_JT_NONE) {
		jt_node named = {0};
		if (object && key(p, &named) != 0) return -1;
		if (value(p, self, depth + 1, &kid) != 0) return -1;
		jt_node *k = &p->j->nodes[kid];
		if (object) {
			k->key_start = named.key_start;
			k->key_off = named.key_off;
			k->key_len = named.key_len;
			k->key_decoded = named.key_decoded;
		}
		if (last != WR_JT_NONE) p->j->nodes[last].next = kid;
		last = kid;
		p->j->nodes[self].count++;
		blank(p);
		if (peek(p) == close) break;
		if (peek(p) != ',') return bad(p, object ? "expected , or }" : "expected , or ]");
		p->at++;
		blank(p);
	}
	p->at++;
	return object ? no_duplicates(p, self) : 0;
}

static int value(parser *p, uint32_t parent, int depth, uint32_t *out)
{
	bool escaped;
	int rc;
	char c = peek(p);
	wr_jt_kind kind = c == '{'   ? WR_JT_OBJECT
	                  : c == '[' ? WR_JT_ARRAY
	                  : c == '"' ? WR_JT_STRING
	                  : c == 't' ? WR_JT_TRUE
	                  : c == 'f' ? WR_JT_FALSE
	                  : c == 'n' ? WR_JT_NULL
	                             : WR_JT_NUMBER;
	if (kind == WR_JT_NUMBER && c != '-' && (c < '0' || c > '9'))
		return bad(p, "expected a JSON value");
	if (new_node(p, kind, parent, out) != 0) return -1;
	switch (kind) {
	case WR_JT_OBJECT:
	case WR_JT_ARRAY:
		rc = container(p, *out, depth);
		break;
	case WR_JT_STRING:
		rc = scan_string(p, &escaped);
		break;
	case WR_JT_NUMBER:
		rc = number(p);
		break;
	default:
		rc = word(p, kind == WR_JT_TRUE ? "true" : kind == WR_JT_FALSE ? "false" : "null");
		break;
	}
	p->j->nodes[*out].end = p->at;
	return rc;
}

int wr_jt_parse(wr_jt *j, const char *s, size_t n, wr_err *err)
{
	uint32_t root = 0;
	j->text = s;
	j->count = 0;
	wr_buf_reset(&j->decoded);
	if (n > TEXT_MAX) return wr_fail(err, WR_E_LIMIT, "a text of %zu bytes", n);
	j->len = (uint32_t)n;
	parser p = {.j = j, .s = s, .end = j->len, .err = err};
	blank(&p);
	int rc = value(&p, WR_JT_NONE, 0, &root);
	if (rc == 0) {
		blank(&p);
		if (p.at < p.end) rc = bad(&p, "something after the value");
	}
	if (rc != 0) j->count = 0;
	return rc;
}

/* ---- looking around ---- */

wr_jt_kind wr_jt_kind_of(const wr_jt *j, uint32_t node)
{
	WR_ASSERT(node < j->count);
	return (wr_jt_kind)j->nodes[node].kind;
}

size_t wr_jt_count(const wr_jt *j, uint32_t node)
{
	WR_ASSERT(node < j->count);
	return j->nodes[node].count;
}

uint32_t wr_jt_first(const wr_jt *j, uint32_t node)
{
	WR_ASSERT(node < j->count);
	return j->nodes[node].count ? node + 1 : WR_JT_NONE;
}

uint32_t wr_jt_next(const wr_jt *j, uint32_t node)
{
	WR_ASSERT(node < j->count);
	return j->nodes[node].next;
}

const char *wr_jt_raw(const wr_jt *j, uint32_t node, size_t *len)
{
	WR_ASSERT(node < j->count);
	*len = j->nodes[node].end - j->nodes[node].start;
	return j->text + j->nodes[node].start;
}

/* Is the pointer's token (up to the next /) this key? */
static bool token_is(const char *token, size_t len, const char *name, size_t name_len)
{
	size_t at = 0;
	for (size_t i = 0; i < len; i++) {
		char c = token[i];
		if (c == '~' && i + 1 < len) c = token[++i] == '1' ? '/' : '~';
		if (at == name_len || name[at++] != c) return false;
	}
	return at == name_len;
}

static uint32_t child(const wr_jt *j, uint32_t node, const char *token, size_t len)
{
	const jt_node *n = &j->nodes[node];
	if (n->kind == WR_JT_OBJECT) {
		for (uint32_t k = wr_jt_first(j, node); k != WR_JT_NONE; k = j->nodes[k].next)
			if (token_is(token, len, jt_key(j, &j->nodes[k]), j->nodes[k].key_len)) return k;
		return WR_JT_NONE;
	}
	if (n->kind != WR_JT_ARRAY || len == 0 || len > 9 || (len > 1 && token[0] == '0'))
		return WR_JT_NONE;
	uint32_t index = 0, k = wr_jt_first(j, node);
	for (size_t i = 0; i < len; i++) {
		if (token[i] < '0' || token[i] > '9') return WR_JT_NONE;
		index = index * 10 + (uint32_t)(token[i] - '0');
	}
	while (k != WR_JT_NONE && index-- > 0) k = j->nodes[k].next;
	return k;
}

uint32_t wr_jt_at(const wr_jt *j, const char *pointer)
{
	uint32_t node = j->count ? 0 : WR_JT_NONE;
	while (*pointer == '/' && node != WR_JT_NONE) {
		size_t len = strcspn(++pointer, "/");
		node = child(j, node, pointer, len);
		pointer += len;
	}
	return *pointer ? WR_JT_NONE : node;
}

int wr_jt_string(const wr_jt *j, uint32_t node, wr_buf *out)
{
	bool lone;
	size_t n;
	const char *s = wr_jt_raw(j, node, &n);
	if (wr_jt_kind_of(j, node) != WR_JT_STRING) return -1;
	jt_decode(s + 1, n - 2, out, &lone);
	return lone || !wr_buf_ok(out) ? -1 : 0;
}

bool wr_jt_integer(const wr_jt *j, uint32_t node, int64_t *out)
{
	size_t n;
	const char *s = wr_jt_raw(j, node, &n);
	bool minus = s[0] == '-';
	int64_t v = 0;
	if (wr_jt_kind_of(j, node) != WR_JT_NUMBER || n > 18u + minus) return false;
	for (size_t i = minus; i < n; i++) {
		if (s[i] < '0' || s[i] > '9') return false;
		v = v * 10 + (s[i] - '0');
	}
	*out = minus ? -v : v;
	return true;
}

void wr_jt_exclude(wr_jt *j, uint32_t node)
{
	WR_ASSERT(node < j->count);
	uint32_t up = j->nodes[node].parent;
	WR_ASSERT(up != WR_JT_NONE && j->nodes[up].kind == WR_JT_OBJECT);
	j->nodes[node].excluded = true;
	for (; up != WR_JT_NONE; up = j->nodes[up].parent) j->nodes[up].cut = true;
}
