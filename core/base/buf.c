/* buf.c: the growable byte buffer.
 *
 * Growth doubles, capped at max + 1 (the NUL). A write that would pass the maximum adds nothing and
 * marks the buffer failed. Not thread-safe. */
#include "warroom/buf.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void wr_buf_init(wr_buf *b, size_t max)
{
	*b = (wr_buf)WR_BUF_INIT(max);
}

void wr_buf_free(wr_buf *b)
{
	free(b->data);
	wr_buf_init(b, b->max);
}

void wr_buf_wipe(wr_buf *b)
{
	if (b->data) sodium_memzero(b->data, b->cap);
	wr_buf_free(b);
}

void wr_buf_reset(wr_buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data) b->data[0] = '\0';
}

bool wr_buf_ok(const wr_buf *b)
{
	return !b->failed;
}

const char *wr_buf_cstr(const wr_buf *b)
{
	return b->data ? b->data : "";
}

bool wr_buf_reserve(wr_buf *b, size_t more)
{
	if (b->failed) return false;
	if (b->len > b->max || more > b->max - b->len || b->len + more == SIZE_MAX) {
		b->failed = true;
		return false;
	}
	size_t need = b->len + more + 1;
	if (need <= b->cap) return true;
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	if (cap - 1 > b->max) cap = b->max + 1;
	char *data = realloc(b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return true;
}

void wr_buf_add(wr_buf *b, const void *data, size_t len)
{
	if (!wr_buf_reserve(b, len)) return;
	if (len) memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void wr_buf_adds(wr_buf *b, const char *s)
{
	wr_buf_add(b, s, strlen(s));
}

void wr_buf_addc(wr_buf *b, char c)
{
	if (b->len + 1 < b->cap && !b->failed) {
		b->data[b->len++] = c;
		b->data[b->len] = '\0';
		return;
	}
	wr_buf_add(b, &c, 1);
}

void wr_buf_addf(wr_buf *b, const char *fmt, ...)
{
	if (b->failed) return;
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	size_t room = b->cap - b->len;
	int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < room) {
		b->len += (size_t)n;
	} else if (wr_buf_reserve(b, (size_t)n)) {
		(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
	if (b->data) b->data[b->len] = '\0';
}

char *wr_buf_take(wr_buf *b)
{
	char *data = NULL;
	if (!b->failed && (b->data || wr_buf_reserve(b, 0))) {
		data = b->data;
		b->data = NULL;
	}
	wr_buf_free(b);
	return data;
}
