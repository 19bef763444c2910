/* queue.c: the bounded queue between threads.
 *
 * A ring of pointers under one mutex. The eventfd is the only thing to wait on, for wr_queue_pop as
 * for a caller's own poll: it is signalled while the ring is not empty, and once more by close. */
#include "warroom/queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "warroom/clock.h"

struct wr_queue {
	pthread_mutex_t lock; /* guards every field below but fd, which never changes */
	size_t capacity;
	size_t head; /* index of the oldest item */
	size_t count;
	uint64_t dropped;
	bool closed;
	bool signalled; /* fd is readable */
	int fd;
	void *items[];
};

wr_queue *wr_queue_new(size_t capacity)
{
	WR_ASSERT(capacity > 0);
	if (capacity > (SIZE_MAX - sizeof(wr_queue)) / sizeof(void *)) return NULL;
	wr_queue *q = calloc(1, sizeof *q + capacity * sizeof q->items[0]);
	if (!q) return NULL;
	q->capacity = capacity;
	q->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->fd < 0) {
		free(q);
		return NULL;
	}
	if (pthread_mutex_init(&q->lock, NULL)) {
		(void)close(q->fd);
		free(q);
		return NULL;
	}
	return q;
}

static void lock(wr_queue *q)
{
	if (pthread_mutex_lock(&q->lock)) wr_die("queue: lock failed");
}

static void unlock(wr_queue *q)
{
	if (pthread_mutex_unlock(&q->lock)) wr_die("queue: unlock failed");
}

/* signal makes fd readable or not; the lock is held. */
static void set_signal(wr_queue *q, bool on)
{
	uint64_t value = 1;
	if (on == q->signalled) return;
	ssize_t n;
	do {
		n = on ? write(q->fd, &value, sizeof value) : read(q->fd, &value, sizeof value);
	} while (n < 0 && errno == EINTR);
	WR_ASSERT(n == (ssize_t)sizeof value);
	q->signalled = on;
}

void wr_queue_free(wr_queue *q, void (*free_item)(void *))
{
	if (!q) return;
	for (; q->count > 0; q->count--) {
		if (free_item) free_item(q->items[q->head]);
		q->head = (q->head + 1) % q->capacity;
	}
	(void)close(q->fd);
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}

bool wr_queue_push(wr_queue *q, void *item)
{
	WR_ASSERT(item);
	lock(q);
	bool room = !q->closed && q->count < q->capacity;
	if (room) {
		q->items[(q->head + q->count) % q->capacity] = item;
		q->count++;
		set_signal(q, true);
	} else {
		q->dropped++;
	}
	unlock(q);
	return room;
}

/* take gives the oldest item or NULL; *closed says whether waiting for more is in vain. */
static void *take(wr_queue *q, bool *closed)
{
	void *item = NULL;
	lock(q);
	if (q->count > 0) {
		item = q->items[q->head];
		q->head = (q->head + 1) % q->capacity;
		q->count--;
	}
	*closed = q->closed;
	/* The signal of close stays until somebody came for it and found the queue empty. */
	if (q->count == 0 && (!item || !q->closed)) set_signal(q, false);
	unlock(q);
	return item;
}

void *wr_queue_pop(wr_queue *q, int timeout_ms)
{
	int64_t deadline_ms = timeout_ms > 0 ? wr_mono_ms(&wr_clock_system) + timeout_ms : 0;
	for (;;) {
		bool closed;
		void *item = take(q, &closed);
		if (item || closed || timeout_ms == 0) return item;
		int wait_ms = -1;
		if (timeout_ms > 0) {
			int64_t left_ms = deadline_ms - wr_mono_ms(&wr_clock_system);
			if (left_ms <= 0) return NULL;
			wait_ms = (int)left_ms;
		}
		struct pollfd p = {.fd = q->fd, .events = POLLIN};
		if (poll(&p, 1, wait_ms) < 0 && errno != EINTR) wr_die("queue: poll failed");
	}
}

int wr_queue_fd(const wr_queue *q)
{
	return q->fd;
}

void wr_queue_close(wr_queue *q)
{
	lock(q);
	if (!q->closed) {
		q->closed = true;
		set_signal(q, true);
	}
	unlock(q);
}

size_t wr_queue_count(wr_queue *q)
{
	lock(q);
	size_t count = q->count;
	unlock(q);
	return count;
}

uint64_t wr_queue_dropped(wr_queue *q)
{
	lock(q);
	uint64_t dropped = q->dropped;
	unlock(q);
	return dropped;
}
