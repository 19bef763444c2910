/* arena.c: chunks of bump-allocated memory with a ceiling. See arena.h. */
#include "model/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)64 << 10)

typedef struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
} chunk;

typedef struct owned {
	struct owned *next;
	wr_expr *expr;
} owned;

struct wr_arena {
	chunk *chunks;
	owned *exprs;
	size_t total, max;
	bool failed;
};

struct wr_arena *wr_arena_new(size_t max_bytes)
{
	struct wr_arena *a = calloc(1, sizeof *a);
	if (a != NULL) a->max = max_bytes;
	return a;
}

void wr_arena_free(struct wr_arena *a)
{
	if (a == NULL) return;
	for (owned *o = a->exprs; o != NULL; o = o->next) wr_expr_free(o->expr);
	for (chunk *c = a->chunks, *next; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

bool wr_arena_failed(const struct wr_arena *a)
{
	return a->failed;
}

static void *bump(struct wr_arena *a, size_t bytes)
{
	const size_t align = sizeof(max_align_t);
	if (a->failed || bytes > a->max) {
		a->failed = true;
		return NULL;
	}
	bytes = (bytes + align - 1) / align * align;
	chunk *c = a->chunks;
	if (c == NULL || c->size - c->used < bytes) {
		size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		if (a->total + size > a->max || (c = calloc(1, sizeof *c + size)) == NULL) {
			a->failed = true;
			return NULL;
		}
		a->total += size;
		c->size = size;
		c->next = a->chunks;
		a->chunks = c;
	}
	char *p = (char *)c->data + c->used;
	c->used += bytes;
	return p;
}

void *wr_arena_zero(struct wr_arena *a, size_t count, size_t size)
{
	if (count == 0) return NULL;
	if (size > SIZE_MAX / count) {
		a->failed = true;
		return NULL;
	}
	return bump(a, count * size);
}

const char *wr_arena_dup(struct wr_arena *a, const char *s, size_t len)
{
	if (len == 0) return "";
	char *p = bump(a, len + 1);
	if (p == NULL) return "";
	memcpy(p, s, len);
	return p;
}

const wr_expr *wr_arena_take_expr(struct wr_arena *a, wr_expr *e)
{
	if (e == NULL) return NULL;
	owned *o = bump(a, sizeof *o);
	if (o == NULL) {
		wr_expr_free(e);
		return NULL;
	}
	o->expr = e;
	o->next = a->exprs;
	a->exprs = o;
	return e;
}
