/* jsontext.h: JSON as it was written: a strict, bounded tokenizer that keeps every number's text
 * and every byte's place, and the canonicalisers under which other software hashes its receipts.
 *
 * json.h is for what we write ourselves; this is for what others wrote and hashed. A wr_jt is
 * reused for one text after the other; it borrows the text until the next parse. Not thread-safe.
 */
#ifndef WARROOM_JSONTEXT_H
#define WARROOM_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/buf.h"

typedef struct wr_jt wr_jt;
typedef enum wr_jt_kind {
	WR_JT_OBJECT,
	WR_JT_ARRAY,
	WR_JT_STRING,
	WR_JT_NUMBER,
	WR_JT_TRUE,
	WR_JT_FALSE,
	WR_JT_NULL
} wr_jt_kind;

#define WR_JT_NONE       UINT32_MAX
#define WR_JT_NODES_MAX  400000u /* values in one text: a page of receipts, 16 MB of tokens */
#define WR_JT_NUMBER_MAX 4300u   /* characters of a number: what Python reads as an integer */

wr_jt *wr_jt_new(void); /* NULL: out of memory */
void wr_jt_free(wr_jt *j);
/* wr_jt_parse: the whole of [s, s+n) must be one value (RFC 8259, white space around it is fine) of
 * depth <= WR_JSON_DEPTH_MAX, valid UTF-8, no duplicate keys. On failure *err has the byte. */
WR_CHECKED int wr_jt_parse(wr_jt *j, const char *s, size_t n, wr_err *err);
/* Values are numbered; the outermost is 0. */
wr_jt_kind wr_jt_kind_of(const wr_jt *j, uint32_t node);
size_t wr_jt_count(const wr_jt *j, uint32_t node);   /* members or elements */
uint32_t wr_jt_first(const wr_jt *j, uint32_t node); /* child, or WR_JT_NONE */
uint32_t wr_jt_next(const wr_jt *j, uint32_t node);  /* sibling, or WR_JT_NONE */
/* wr_jt_at follows an RFC 6901 pointer from the outermost value; WR_JT_NONE when there is nothing.
 */
uint32_t wr_jt_at(const wr_jt *j, const char *pointer);
/* The value as it was written, quotes included. */
const char *wr_jt_raw(const wr_jt *j, uint32_t node, size_t *len);
/* wr_jt_string appends what a string means; -1 when it is no string or holds a lone surrogate. */
WR_CHECKED int wr_jt_string(const wr_jt *j, uint32_t node, wr_buf *out);
/* wr_jt_integer: false when it is not a whole number of 18 digits at most. */
bool wr_jt_integer(const wr_jt *j, uint32_t node, int64_t *out);
/* wr_jt_exclude leaves this member out of what wr_jt_write writes; only members of objects. */
void wr_jt_exclude(wr_jt *j, uint32_t node);

typedef enum wr_canon_kind {
	WR_CANON_RAW,     /* the bytes as they are, excluded members cut out */
	WR_CANON_JCS,     /* RFC 8785 */
	WR_CANON_PYTHON,  /* json.dumps(json.loads(text), sort_keys=True, …) */
	WR_CANON_JANSSON, /* json_dumps(…, JSON_COMPACT | JSON_SORT_KEYS) of the jansson here */
	WR_CANON_COUNT
} wr_canon_kind;
typedef struct wr_canon_style {
	wr_canon_kind kind;
	bool compact; /* python: separators=(",", ":") */
	bool utf8;    /* python: ensure_ascii=False */
} wr_canon_style;
/* wr_jt_write appends the outermost value, without what is excluded. Fails on what the
 * canonicaliser cannot express: a number that is no finite double (jcs), a lone surrogate, an
 * integer that jansson cannot read. */
WR_CHECKED int wr_jt_write(wr_jt *j, const wr_canon_style *style, wr_buf *out, wr_err *err);

/* A number's text to the text that ECMAScript (RFC 8785) or Python's repr gives the double. false:
 * it is no finite double (python: writes Infinity, and is true). `n` is bounded as above. */
#define WR_NUMBER_LEN 56
bool wr_number_es6(const char *text, size_t n, char out[static WR_NUMBER_LEN]);
bool wr_number_python(const char *text, size_t n, char out[static WR_NUMBER_LEN]);

#endif
