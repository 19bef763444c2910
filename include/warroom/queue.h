/* queue.h: a bounded queue of pointers between threads, with an eventfd to poll on.
 *
 * Many producers, one consumer. Ownership of the pointer moves with it. One mutex guards all. */
#ifndef WARROOM_QUEUE_H
#define WARROOM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/err.h"

typedef struct wr_queue wr_queue;

WR_CHECKED wr_queue *wr_queue_new(size_t capacity);
void wr_queue_free(wr_queue *q, void (*free_item)(void *));
/* wr_queue_push: false when full or closed (the item stays the caller's). */
WR_CHECKED bool wr_queue_push(wr_queue *q, void *item);
/* wr_queue_pop: NULL when nothing came within timeout_ms (0: at once, -1: for ever) or closed and
 * empty. */
void *wr_queue_pop(wr_queue *q, int timeout_ms);
int wr_queue_fd(const wr_queue *q); /* readable while not empty */
/* wr_queue_close wakes the consumer, by fd too, which stays readable until a pop has found the
 * queue empty; later pushes fail. */
void wr_queue_close(wr_queue *q);
size_t wr_queue_count(wr_queue *q);
uint64_t wr_queue_dropped(wr_queue *q); /* refused pushes so far */

#endif
