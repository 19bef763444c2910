/* jw.h: writing JSON text into a wr_buf, member by member.
 *
 * Numbers with a fraction are given as integers in a smaller unit and printed exactly, so the same
 * state gives the same text everywhere. `key` is NULL inside arrays. Not thread-safe. */
#ifndef WR_SIM_JW_H
#define WR_SIM_JW_H

#include <stdbool.h>
#include <stdint.h>

#include "warroom/buf.h"

typedef struct wr_jw {
	wr_buf *out;
	bool comma; /* a value stands before the next one */
} wr_jw;

void wr_jw_begin(wr_jw *w, wr_buf *out); /* opens the outer object */
void wr_jw_end(wr_jw *w);                /* closes it */
void wr_jw_object(wr_jw *w, const char *key);
void wr_jw_object_end(wr_jw *w);
void wr_jw_array(wr_jw *w, const char *key);
void wr_jw_array_end(wr_jw *w);
void wr_jw_str(wr_jw *w, const char *key, const char *value); /* escaped */
void wr_jw_int(wr_jw *w, const char *key, int64_t value);
/* wr_jw_fixed prints value / 10^decimals without trailing zeros: (12500, 3) is 12.5. */
void wr_jw_fixed(wr_jw *w, const char *key, int64_t value, int decimals);
void wr_jw_bool(wr_jw *w, const char *key, bool value);
/* wr_jw_raw begins a value that the caller writes to w->out; it must be one JSON value. */
void wr_jw_raw(wr_jw *w, const char *key);

#endif
