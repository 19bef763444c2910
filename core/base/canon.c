/* canon.c: RFC 8785 canonical JSON, the subset of DESIGN.md section 6: written and checked.
 *
 * The writer recurses (depth is bounded), the checker keeps its own stack and allocates nothing.
 * U+0000 is outside the subset: C strings cannot carry it, and a parser that stops there would read
 * something else than what was hashed. Pure. */
#include "base/canon.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "warroom/json.h"
#include "warroom/limits.h"

/* ---- writing ---- */

static int by_bytes(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

const char **wr_canon_keys(const json_t *object)
{
	/* jansson's iterators want a mutable object, though json_object_iter changes nothing. */
	union {
		const json_t *given;
		json_t *taken;
	} as = {.given = object};
	json_t *o = as.taken;
	const char **keys = calloc(json_object_size(object) + 1, sizeof *keys);
	if (!keys) return NULL;
	size_t n = 0;
	for (void *i = json_object_iter(o); i; i = json_object_iter_next(o, i))
		keys[n++] = json_object_iter_key(i);
	qsort(keys, n, sizeof *keys, by_bytes);
	return keys;
}

/* plain: goes into a canonical string as it is, one byte a character. */
static bool plain(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

void wr_canon_str(wr_buf *out, const char *s, size_t n)
{
	static const char short_escapes[] = "btn\0fr"; /* for 0x08 to 0x0D */
	const char *end = s + n;
	wr_buf_addc(out, '"');
	while (s < end) {
		const char *run = s;
		while (s < end && plain(*s)) s++;
		wr_buf_add(out, run, (size_t)(s - run));
		if (s == end) break;
		uint32_t cp;
		bool ok;
		size_t len = wr_utf8_step(s, end, &cp, &ok);
		if (!ok || cp == 0)
			wr_buf_adds(out, "\xEF\xBF\xBD");
		else if (cp >= 0x80)
			wr_buf_add(out, s, len);
		else if (cp >= 0x20)
			wr_buf_add(out, (char[2]){'\\', *s}, 2);
		else if (cp >= 0x08 && cp <= 0x0D && cp != 0x0B)
			wr_buf_add(out, (char[2]){'\\', short_escapes[cp - 0x08]}, 2);
		else
			wr_buf_addf(out, "\\u%04x", (unsigned)cp);
		s += len;
	}
	wr_buf_addc(out, '"');
}

static int write_string(wr_buf *out, const char *s, size_t n, wr_err *err)
{
	for (const char *p = s, *end = s + n; p < end;) {
		uint32_t cp;
		bool ok;
		p += wr_utf8_step(p, end, &cp, &ok);
		if (!ok) return wr_fail(err, WR_E_INVALID, "canonical JSON: a string is not UTF-8");
		if (cp == 0) return wr_fail(err, WR_E_INVALID, "canonical JSON: a string contains U+0000");
	}
	wr_canon_str(out, s, n);
	return 0;
}

static int write_value(wr_buf *out, const json_t *value, unsigned depth, wr_err *err);

static int write_members(wr_buf *out, const json_t *object, const char **keys, unsigned depth,
                         wr_err *err)
{
	for (size_t i = 0; keys[i]; i++) {
		size_t len = strlen(keys[i]);
		for (size_t c = 0; c < len; c++)
			if ((unsigned char)keys[i][c] >= 0x80)
				return wr_fail(err, WR_E_INVALID, "canonical JSON: a key is not ASCII");
		if (i) wr_buf_addc(out, ',');
		wr_canon_str(out, keys[i], len);
		wr_buf_addc(out, ':');
		if (write_value(out, json_object_get(object, keys[i]), depth, err)) return -1;
	}
	return 0;
}

static int write_object(wr_buf *out, const json_t *object, unsigned depth, wr_err *err)
{
	const char **keys = wr_canon_keys(object);
	if (!keys) return wr_fail(err, WR_E_NOMEM, "canonical JSON: out of memory");
	wr_buf_addc(out, '{');
	int rc = write_members(out, object, keys, depth, err);
	wr_buf_addc(out, '}');
	free(keys);
	return rc;
}

static int write_array(wr_buf *out, const json_t *array, unsigned depth, wr_err *err)
{
	wr_buf_addc(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i) wr_buf_addc(out, ',');
		if (write_value(out, json_array_get(array, i), depth, err)) return -1;
	}
	wr_buf_addc(out, ']');
	return 0;
}

static int write_int(wr_buf *out, json_int_t n, wr_err *err)
{
	if (n > WR_INT_MAX_SAFE || n < -WR_INT_MAX_SAFE)
		return wr_fail(err, WR_E_INVALID, "canonical JSON: %" JSON_INTEGER_FORMAT " exceeds 2^53-1",
		               n);
	wr_buf_addf(out, "%" JSON_INTEGER_FORMAT, n);
	return 0;
}

static int write_value(wr_buf *out, const json_t *value, unsigned depth, wr_err *err)
{
	if (!value) return wr_fail(err, WR_E_INVALID, "canonical JSON: no value");
	switch (json_typeof(value)) {
	case JSON_OBJECT:
	case JSON_ARRAY:
		if (depth == WR_JSON_DEPTH_MAX)
			return wr_fail(err, WR_E_LIMIT, "canonical JSON: nested deeper than %d",
			               WR_JSON_DEPTH_MAX);
		return json_is_object(value) ? write_object(out, value, depth + 1, err)
		                             : write_array(out, value, depth + 1, err);
	case JSON_STRING:
		return write_string(out, json_string_value(value), json_string_length(value), err);
	case JSON_INTEGER:
		return write_int(out, json_integer_value(value), err);
	case JSON_TRUE:
		wr_buf_adds(out, "true");
		return 0;
	case JSON_FALSE:
		wr_buf_adds(out, "false");
		return 0;
	case JSON_REAL:
		return wr_fail(err, WR_E_INVALID, "canonical JSON: numbers with a fraction are excluded");
	case JSON_NULL:
		return wr_fail(err, WR_E_INVALID, "canonical JSON: null is excluded");
	}
	return wr_fail(err, WR_E_BUG, "canonical JSON: unknown type");
}

int wr_canon_write(wr_buf *out, const json_t *value, wr_err *err)
{
	if (write_value(out, value, 0, err)) return -1;
	if (!wr_buf_ok(out))
		return wr_fail(err, WR_E_LIMIT, "canonical JSON: larger than %zu bytes", out->max);
	return 0;
}

/* ---- checking ---- */

typedef struct slice {
	const char *s, *end;
} slice;

typedef struct level {
	slice last_key; /* raw, without quotes; s is NULL before the first key and in arrays */
	bool object;
} level;

typedef struct scan {
	const char *p, *end;
	const char *why; /* set by the failing step, p is then where */
	unsigned depth;
	level levels[WR_JSON_DEPTH_MAX];
} scan;

static bool refuse(scan *sc, const char *why)
{
	sc->why = why;
	return false;
}

static bool at(const scan *sc, char c)
{
	return sc->p < sc->end && *sc->p == c;
}

/* all_plain: none of eight bytes is a control, a quote, a backslash or beyond ASCII. Each test
 * raises the top bit of a byte that hits, or of one above it after a borrow: a false alarm only
 * sends us the slow way. */
static bool all_plain(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t quote = (w ^ ones * '"') - ones, backslash = (w ^ ones * '\\') - ones;
	return ((w | (w - ones * 0x20) | quote | backslash) & tops) == 0;
}

/* escape checks one escape at a backslash: only those that RFC 8785 writes. */
static bool escape(scan *sc)
{
	const char *p = sc->p;
	if (sc->end - p >= 2 && p[1] && strchr("\"\\bfnrt", p[1])) {
		sc->p += 2;
		return true;
	}
	if (sc->end - p < 6 || memcmp(p, "\\u00", 4) != 0 || (p[4] != '0' && p[4] != '1'))
		return refuse(sc, "not a canonical escape");
	if (!((p[5] >= '0' && p[5] <= '9') || (p[5] >= 'a' && p[5] <= 'f')))
		return refuse(sc, "not a canonical escape");
	if (p[4] == '0' && p[5] && strchr("089acd", p[5]))
		return refuse(sc, p[5] == '0' ? "U+0000 is excluded" : "this escape has a shorter form");
	sc->p += 6;
	return true;
}

/* string checks from the opening quote to past the closing one. */
static bool string(scan *sc, bool ascii)
{
	sc->p++;
	for (;;) {
		uint64_t w;
		while (sc->end - sc->p >= 8 && (memcpy(&w, sc->p, 8), all_plain(w))) sc->p += 8;
		while (sc->p < sc->end && plain(*sc->p)) sc->p++;
		if (sc->p == sc->end) return refuse(sc, "unfinished string");
		if (*sc->p == '"') {
			sc->p++;
			return true;
		}
		if (*sc->p == '\\') {
			if (!escape(sc)) return false;
			continue;
		}
		if ((unsigned char)*sc->p < 0x20) return refuse(sc, "control character in a string");
		if (ascii) return refuse(sc, "key is not ASCII");
		uint32_t cp;
		bool ok;
		size_t len = wr_utf8_step(sc->p, sc->end, &cp, &ok);
		if (!ok) return refuse(sc, "invalid UTF-8");
		sc->p += len;
	}
}

/* key_char decodes one character of a checked raw key. */
static int key_char(slice *k)
{
	if (*k->s != '\\') return *k->s++;
	char c = k->s[1];
	if (c == 'u') {
		int low = k->s[5] <= '9' ? k->s[5] - '0' : k->s[5] - 'a' + 10;
		int value = (k->s[4] - '0') * 16 + low;
		k->s += 6;
		return value;
	}
	k->s += 2;
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
	default:
		return c;
	}
}

static int compare_keys(slice a, slice b)
{
	while (a.s < a.end && b.s < b.end) {
		int x = key_char(&a), y = key_char(&b);
		if (x != y) return x < y ? -1 : 1;
	}
	return (a.s < a.end) - (b.s < b.end);
}

/* key checks `"key":` and that it comes after the object's last one. */
static bool key(scan *sc)
{
	level *l = &sc->levels[sc->depth - 1];
	const char *start = sc->p;
	if (!at(sc, '"')) return refuse(sc, "a key is expected");
	if (!string(sc, true)) return false;
	slice k = {start + 1, sc->p - 1};
	int order = l->last_key.s ? compare_keys(l->last_key, k) : -1;
	if (order >= 0) {
		sc->p = start;
		return refuse(sc, order == 0 ? "duplicate key" : "keys are not sorted");
	}
	l->last_key = k;
	if (!at(sc, ':')) return refuse(sc, "':' is expected");
	sc->p++;
	return true;
}

static bool integer(scan *sc)
{
	const char *start = sc->p;
	if (at(sc, '-')) sc->p++;
	const char *digits = sc->p;
	int64_t value = 0;
	/* 16 digits hold every allowed value and cannot overflow. */
	while (sc->p < sc->end && *sc->p >= '0' && *sc->p <= '9' && sc->p - digits <= 16)
		value = value * 10 + (*sc->p++ - '0');
	ptrdiff_t len = sc->p - digits;
	sc->p = len == 0 ? sc->p : start;
	if (len == 0) return refuse(sc, "a value is expected");
	if (len > 1 && *digits == '0') return refuse(sc, "leading zero");
	if (*digits == '0' && digits > start) return refuse(sc, "negative zero");
	if (len > 16 || value > WR_INT_MAX_SAFE) return refuse(sc, "number exceeds 2^53-1");
	sc->p = digits + len;
	if (sc->p < sc->end && (*sc->p == '.' || *sc->p == 'e' || *sc->p == 'E'))
		return refuse(sc, "numbers with a fraction or exponent are excluded");
	return true;
}

static bool literal(scan *sc, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(sc->end - sc->p) < len || memcmp(sc->p, word, len) != 0)
		return refuse(sc, "a value is expected");
	sc->p += len;
	return true;
}

/* open enters an object or array, as far as its first value; *empty if it closed at once. */
static bool open_level(scan *sc, bool object, bool *empty)
{
	if (sc->depth == WR_JSON_DEPTH_MAX) return refuse(sc, "nested too deep");
	sc->levels[sc->depth++] = (level){.object = object};
	sc->p++;
	*empty = at(sc, object ? '}' : ']');
	if (*empty) {
		sc->p++;
		sc->depth--;
		return true;
	}
	return object ? key(sc) : true;
}

/* value checks one scalar or enters a container; *complete tells which. */
static bool value(scan *sc, bool *complete)
{
	*complete = true;
	if (sc->p == sc->end) return refuse(sc, "unfinished");
	switch (*sc->p) {
	case '{':
		return open_level(sc, true, complete);
	case '[':
		return open_level(sc, false, complete);
	case '"':
		return string(sc, false);
	case 't':
		return literal(sc, "true");
	case 'f':
		return literal(sc, "false");
	case 'n':
		return refuse(sc, "null is excluded");
	default:
		return integer(sc);
	}
}

/* after_value closes what ends here and steps over a comma; *done when the outermost closed. */
static bool after_value(scan *sc, bool *done)
{
	for (; sc->depth > 0; sc->depth--) {
		const level *l = &sc->levels[sc->depth - 1];
		if (at(sc, ',')) {
			sc->p++;
			return l->object ? key(sc) : true;
		}
		if (!at(sc, l->object ? '}' : ']'))
			return refuse(sc, l->object ? "',' or '}' is expected" : "',' or ']' is expected");
		sc->p++;
	}
	*done = true;
	return sc->p == sc->end ? true : refuse(sc, "bytes after the end");
}

static bool document(scan *sc)
{
	if (!at(sc, '{')) return refuse(sc, "an object is expected");
	for (bool done = false, complete; !done;) {
		if (!value(sc, &complete)) return false;
		if (complete && !after_value(sc, &done)) return false;
	}
	return true;
}

int wr_canon_check(const char *s, size_t n, wr_err *err)
{
	scan sc;
	sc.p = s;
	sc.end = s + n;
	sc.why = NULL;
	sc.depth = 0;
	if (document(&sc)) return 0;
	return wr_fail(err, WR_E_INVALID, "not canonical JSON at byte %zu: %s", (size_t)(sc.p - s),
	               sc.why);
}
