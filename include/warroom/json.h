/* json.h: bounded JSON in, RFC 8785 canonical JSON out.
 *
 * jansson parses what comes from outside; what we hash or sign is written and checked by our own
 * code, because jansson's output is not RFC 8785 (numbers, escapes, key order). The canonical
 * subset is DESIGN.md section 6: ASCII keys, no floats, no null, |int| <= 2^53-1, depth <= 32
 * (nested objects and arrays, the outermost counted); and no U+0000, in or out.
 * Pure. */
#ifndef WARROOM_JSON_H
#define WARROOM_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "warroom/buf.h"

#define WR_INT_MAX_SAFE INT64_C(9007199254740991) /* 2^53 - 1 */

/* wr_json_parse: the whole of [s, s+n) must be one JSON value of depth <= WR_JSON_DEPTH_MAX, valid
 * UTF-8, no duplicate keys; numbers that overflow are an error. New reference or NULL with *err. */
WR_CHECKED json_t *wr_json_parse(const char *s, size_t n, wr_err *err);
/* wr_json_get follows an RFC 6901 pointer ("" is the whole; "/a/0/b~1c"). Borrowed or NULL. */
const json_t *wr_json_get(const json_t *root, const char *pointer);
/* Borrowed members with a default; NULL object is fine. */
const char *wr_json_str(const json_t *obj, const char *key, const char *dflt);
int64_t wr_json_int(const json_t *obj, const char *key, int64_t dflt);
bool wr_json_bool(const json_t *obj, const char *key, bool dflt);

/* wr_canon_write appends `value` as canonical JSON; fails on what the subset excludes. */
WR_CHECKED int wr_canon_write(wr_buf *out, const json_t *value, wr_err *err);
/* wr_canon_str appends one JSON string, quotes included, escaped as RFC 8785 says; `s` is UTF-8
 * (invalid bytes and U+0000 become U+FFFD). */
void wr_canon_str(wr_buf *out, const char *s, size_t n);
/* wr_canon_check: is [s, s+n) exactly canonical JSON of the subset, one object? One pass, no
 * allocation. On failure *err gives the byte offset. */
WR_CHECKED int wr_canon_check(const char *s, size_t n, wr_err *err);
/* wr_json_dump appends any JSON compactly in our key order (for the API; floats allowed). Whatever
 * could act on a terminal is escaped (law 12), so that the text is harmless and loses nothing. */
void wr_json_dump(wr_buf *out, const json_t *value);
/* wr_json_sanitise makes every string in value harmless, in place; newlines go as well, but in
 * members whose name is in `multi` (ends with NULL). -1: out of memory. */
WR_CHECKED int wr_json_sanitise(json_t *value, const char *const *multi);

#endif
