/* schedule.h: when each target is due next. Pure.
 *
 * A target has a grid of times, its interval apart and shifted by a hash of its name, so that
 * starts are spread and a restart keeps the pattern. The first look comes within FIRST_LOOK_MS,
 * whatever the interval. Times that passed while a probe ran are skipped, not caught up. */
#ifndef WARROOM_WATCH_SCHEDULE_H
#define WARROOM_WATCH_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "warroom/err.h"

typedef struct wr_slot {
	int64_t due_ms;
	int64_t grid_ms; /* some point of the grid */
	int64_t interval_ms;
} wr_slot;

/* A binary heap of slots, the earliest first; `items` has room for all. */
typedef struct wr_heap {
	wr_slot **items;
	size_t count;
} wr_heap;

void wr_slot_init(wr_slot *s, const char *kind, const char *name, int64_t interval_ms,
                  int64_t now_ms);
void wr_slot_next(wr_slot *s, int64_t now_ms); /* the first point of the grid after now */
void wr_heap_push(wr_heap *h, wr_slot *s);
wr_slot *wr_heap_pop(wr_heap *h); /* NULL when empty */

#endif
