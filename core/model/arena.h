/* arena.h: the memory of one configuration, freed at once.
 *
 * A failure is sticky, like wr_buf's: strings become "", arrays NULL, and the loader looks at
 * wr_arena_failed() once at the end. Not thread-safe; read-only after loading. */
#ifndef WARROOM_MODEL_ARENA_H
#define WARROOM_MODEL_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "warroom/expr.h"

struct wr_arena;

struct wr_arena *wr_arena_new(size_t max_bytes); /* NULL: out of memory */
void wr_arena_free(struct wr_arena *a);          /* also the expressions it took; NULL is fine */
bool wr_arena_failed(const struct wr_arena *a);
/* wr_arena_zero gives zeroed memory for `count` objects; NULL on failure and for count 0. */
void *wr_arena_zero(struct wr_arena *a, size_t count, size_t size);
const char *wr_arena_dup(struct wr_arena *a, const char *s, size_t len); /* never NULL */
/* wr_arena_take_expr makes the arena free `e`; returns it, or NULL (freed) on failure. */
const wr_expr *wr_arena_take_expr(struct wr_arena *a, wr_expr *e);

#endif
