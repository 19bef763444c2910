/* json.c: bounded JSON from outside, and plain JSON for the API.
 *
 * The depth is counted before jansson sees the text, because its parser recurses much deeper than
 * we allow. Pure (no state). */
#include "warroom/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/canon.h"
#include "warroom/limits.h"
#include "warroom/text.h"

/* depth_ok counts brackets outside of strings; on failure *at is the offending byte. Text that is
 * not JSON may pass: the parser decides that. */
static bool depth_ok(const char *s, size_t n, size_t *at)
{
	size_t depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > WR_JSON_DEPTH_MAX) {
				*at = i;
				return false;
			}
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

json_t *wr_json_parse(const char *s, size_t n, wr_err *err)
{
	size_t at;
	if (!depth_ok(s, n, &at)) {
		wr_fail(err, WR_E_LIMIT, "JSON at byte %zu: nested deeper than %d", at, WR_JSON_DEPTH_MAX);
		return NULL;
	}
	json_error_t why;
	json_t *value = json_loadb(s, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (value) return value;
	char text[JSON_ERROR_TEXT_LENGTH];
	wr_code code = json_error_code(&why) == json_error_out_of_memory ? WR_E_NOMEM : WR_E_INVALID;
	wr_fail(err, code, "JSON at line %d, column %d (byte %d): %s", why.line, why.column,
	        why.position, wr_sanitise_to(text, sizeof text, why.text));
	return NULL;
}

/* unescape_token copies one reference token of a pointer up to the next '/', undoing ~0 and ~1. */
static bool unescape_token(char *out, size_t size, const char **pointer)
{
	const char *p = *pointer;
	size_t len = 0;
	for (; *p && *p != '/'; p++) {
		char c = *p;
		if (c == '~') {
			c = *++p;
			if (c != '0' && c != '1') return false;
			c = c == '0' ? '~' : '/';
		}
		if (len + 1 >= size) return false;
		out[len++] = c;
	}
	out[len] = '\0';
	*pointer = p;
	return true;
}

static const json_t *array_element(const json_t *array, const char *token)
{
	size_t index = 0;
	if (token[0] == '\0' || (token[0] == '0' && token[1])) return NULL;
	for (const char *p = token; *p; p++) {
		if (*p < '0' || *p > '9' || index > SIZE_MAX / 16) return NULL;
		index = index * 10 + (size_t)(*p - '0');
	}
	return json_array_get(array, index);
}

const json_t *wr_json_get(const json_t *root, const char *pointer)
{
	char token[WR_STR_MAX + 1];
	while (root && *pointer) {
		if (*pointer++ != '/' || !unescape_token(token, sizeof token, &pointer)) return NULL;
		root = json_is_array(root) ? array_element(root, token) : json_object_get(root, token);
	}
	return root;
}

const char *wr_json_str(const json_t *obj, const char *key, const char *dflt)
{
	const char *s = json_string_value(json_object_get(obj, key));
	return s ? s : dflt;
}

int64_t wr_json_int(const json_t *obj, const char *key, int64_t dflt)
{
	const json_t *v = json_object_get(obj, key);
	return json_is_integer(v) ? json_integer_value(v) : dflt;
}

bool wr_json_bool(const json_t *obj, const char *key, bool dflt)
{
	const json_t *v = json_object_get(obj, key);
	return json_is_boolean(v) ? json_is_true(v) : dflt;
}

/* dump_real writes the shortest of 15 to 17 digits that reads back the same, with a point whatever
 * the locale's radix character is, and so that it stays a real when read again. */
static void dump_real(wr_buf *out, double value)
{
	char text[40], plain[40];
	size_t len = 0;
	bool real = false;
	for (int precision = 15; precision <= 17; precision++) {
		(void)snprintf(text, sizeof text, "%.*g", precision, value);
		if (strtod(text, NULL) == value) break;
	}
	for (const char *p = text; *p; p++) {
		if ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e') {
			real = real || *p == 'e';
			plain[len++] = *p;
		} else if (!real) {
			real = true;
			plain[len++] = '.';
		}
	}
	wr_buf_add(out, plain, len);
	if (!real) wr_buf_adds(out, ".0");
}

static void dump(wr_buf *out, const json_t *value, unsigned depth);

static void dump_unsafe(wr_buf *out, uint32_t cp)
{
	if (cp > 0xFFFF) {
		wr_buf_addf(out, "\\u%04x", 0xD7C0u + (cp >> 10));
		cp = 0xDC00u + (cp & 0x3FF);
	}
	wr_buf_addf(out, "\\u%04x", cp);
}

/* As wr_canon_str writes it, and what that leaves raw and a terminal would obey is escaped too. */
static void dump_string(wr_buf *out, const char *s, size_t n)
{
	size_t start = out->len;
	wr_canon_str(out, s, n);
	if (!wr_buf_ok(out)) return;
	const char *p = out->data + start, *end = out->data + out->len;
	while (p < end && !wr_cp_unsafe(wr_utf8_next(&p, end))) {
	}
	if (p == end) return;
	wr_buf raw = WR_BUF_INIT(out->max);
	wr_buf_add(&raw, out->data + start, out->len - start);
	if (!wr_buf_ok(&raw)) out->failed = true;
	out->len = start;
	p = wr_buf_cstr(&raw);
	end = p + raw.len;
	while (p < end && wr_buf_ok(out)) {
		const char *from = p;
		uint32_t cp = wr_utf8_next(&p, end);
		if (wr_cp_unsafe(cp))
			dump_unsafe(out, cp);
		else
			wr_buf_add(out, from, (size_t)(p - from));
	}
	wr_buf_free(&raw);
}

static void dump_object(wr_buf *out, const json_t *value, unsigned depth)
{
	const char **keys = wr_canon_keys(value);
	if (!keys) {
		out->failed = true;
		return;
	}
	wr_buf_addc(out, '{');
	for (size_t i = 0; keys[i]; i++) {
		if (i) wr_buf_addc(out, ',');
		dump_string(out, keys[i], strlen(keys[i]));
		wr_buf_addc(out, ':');
		dump(out, json_object_get(value, keys[i]), depth + 1);
	}
	wr_buf_addc(out, '}');
	free(keys);
}

static void dump(wr_buf *out, const json_t *value, unsigned depth)
{
	if (depth > WR_JSON_DEPTH_MAX || !value) {
		out->failed = true;
		return;
	}
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		dump_object(out, value, depth);
		break;
	case JSON_ARRAY:
		wr_buf_addc(out, '[');
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i) wr_buf_addc(out, ',');
			dump(out, json_array_get(value, i), depth + 1);
		}
		wr_buf_addc(out, ']');
		break;
	case JSON_STRING:
		dump_string(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		wr_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		dump_real(out, json_real_value(value));
		break;
	case JSON_TRUE:
		wr_buf_adds(out, "true");
		break;
	case JSON_FALSE:
		wr_buf_adds(out, "false");
		break;
	case JSON_NULL:
		wr_buf_adds(out, "null");
		break;
	}
}

void wr_json_dump(wr_buf *out, const json_t *value)
{
	dump(out, value, 0);
}

static bool harmless(const char *s, size_t n, bool lines)
{
	for (const char *end = s + n; s < end;) {
		if (*s == '\n' && lines)
			s++;
		else if (wr_cp_unsafe(wr_utf8_next(&s, end)))
			return false;
	}
	return true;
}

static int sanitise_string(json_t *value, bool lines)
{
	const char *s = json_string_value(value);
	size_t n = json_string_length(value);
	if (harmless(s, n, lines)) return 0;
	wr_buf clean = WR_BUF_INIT(n * 3 + 1);
	wr_sanitise(&clean, s, n, lines);
	int rc = wr_buf_ok(&clean) ? json_string_setn(value, wr_buf_cstr(&clean), clean.len) : -1;
	wr_buf_free(&clean);
	return rc;
}

static int sanitise(json_t *value, const char *const *multi, bool lines, unsigned depth)
{
	const char *key;
	json_t *member;
	size_t i;
	int rc = 0;
	if (depth > WR_JSON_DEPTH_MAX) return -1;
	if (json_is_string(value)) return sanitise_string(value, lines);
	json_array_foreach (value, i, member)
		if (rc == 0) rc = sanitise(member, multi, lines, depth + 1);
	json_object_foreach (value, key, member) {
		bool keep = false;
		for (size_t k = 0; multi[k] && !keep; k++) keep = strcmp(multi[k], key) == 0;
		if (rc == 0) rc = sanitise(member, multi, keep, depth + 1);
	}
	return rc;
}

int wr_json_sanitise(json_t *value, const char *const *multi)
{
	return sanitise(value, multi, false, 0);
}
