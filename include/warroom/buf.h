/* buf.h: a growable byte buffer that knows its maximum from birth.
 *
 * Errors are sticky: after a failed growth `failed` is set, later writes do nothing, and the caller
 * checks once at the end with wr_buf_ok(). `data` is always NUL-terminated (or NULL before the
 * first write; wr_buf_cstr never returns NULL). Not thread-safe. */
#ifndef WARROOM_BUF_H
#define WARROOM_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "warroom/err.h"

typedef struct wr_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes of content that will ever be held */
	bool failed;
} wr_buf;

#define WR_BUF_INIT(maximum)                                                                       \
	{                                                                                              \
		.max = (maximum)                                                                           \
	}

void wr_buf_init(wr_buf *b, size_t max);
void wr_buf_free(wr_buf *b);  /* zeroes nothing; for secrets use wr_buf_wipe */
void wr_buf_wipe(wr_buf *b);  /* sodium_memzero, then free */
void wr_buf_reset(wr_buf *b); /* keeps the memory, clears len and failed */
bool wr_buf_ok(const wr_buf *b);
const char *wr_buf_cstr(const wr_buf *b);
void wr_buf_add(wr_buf *b, const void *data, size_t len);
void wr_buf_adds(wr_buf *b, const char *s);
void wr_buf_addc(wr_buf *b, char c);
void wr_buf_addf(wr_buf *b, const char *fmt, ...) WR_PRINTF(2, 3);
/* wr_buf_reserve makes room for `more` bytes at once (for secrets: growing by copies would leave
 * traces in freed memory); false, and failed, when that passes the maximum or memory. */
bool wr_buf_reserve(wr_buf *b, size_t more);
/* wr_buf_take hands the memory to the caller (free with free()); NULL if the buffer failed. */
char *wr_buf_take(wr_buf *b);

#endif
