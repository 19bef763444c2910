/* schedule.c: due times and their heap. Pure. */
#include "watch/schedule.h"

#define FIRST_LOOK_MS 5000

/* FNV-1a, 64 bits: spreads similar names well, which is all that is asked of it. */
static uint64_t hash(uint64_t h, const char *s)
{
	for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
	return (h ^ 0xFF) * UINT64_C(1099511628211);
}

void wr_slot_init(wr_slot *s, const char *kind, const char *name, int64_t interval_ms,
                  int64_t now_ms)
{
	uint64_t h = hash(hash(UINT64_C(14695981039346656037), kind), name);
	h ^= h >> 32; /* the low bits of FNV alone are poor for small moduli */
	s->interval_ms = interval_ms > 0 ? interval_ms : 1;
	int64_t first = s->interval_ms < FIRST_LOOK_MS ? s->interval_ms : FIRST_LOOK_MS;
	s->grid_ms = now_ms + (int64_t)(h % (uint64_t)s->interval_ms);
	s->due_ms = now_ms + (int64_t)(h % (uint64_t)first);
}

void wr_slot_next(wr_slot *s, int64_t now_ms)
{
	int64_t since = now_ms - s->grid_ms;
	s->due_ms = s->grid_ms;
	if (since >= 0) s->due_ms += (since / s->interval_ms + 1) * s->interval_ms;
}

void wr_heap_push(wr_heap *h, wr_slot *s)
{
	size_t at = h->count++;
	while (at > 0 && s->due_ms < h->items[(at - 1) / 2]->due_ms) {
		h->items[at] = h->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	h->items[at] = s;
}

wr_slot *wr_heap_pop(wr_heap *h)
{
	if (h->count == 0) return NULL;
	wr_slot *top = h->items[0], *last = h->items[--h->count];
	size_t at = 0, child;
	while ((child = 2 * at + 1) < h->count) {
		if (child + 1 < h->count && h->items[child + 1]->due_ms < h->items[child]->due_ms) child++;
		if (last->due_ms <= h->items[child]->due_ms) break;
		h->items[at] = h->items[child];
		at = child;
	}
	h->items[at] = last;
	return top;
}
