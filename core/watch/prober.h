/* prober.h: what the parts of the prober share: targets, the HTTP loop, the pool for programs.
 *
 * Threads: one loop (loop.c) owns the schedule, curl and every target that is not with the pool;
 * the pool (pool.c) owns a target from the moment it is queued until it is handed back. */
#ifndef WARROOM_WATCH_PROBER_H
#define WARROOM_WATCH_PROBER_H

#include <pthread.h>
#include <stdatomic.h>

#include "watch/fetch.h"
#include "watch/lookup.h"
#include "watch/schedule.h"

#define WR_EXEC_THREADS 4 /* programs that may hang at the same time without delaying others */

typedef struct wr_probe_target {
	wr_slot slot; /* first: a slot of the heap is cast to this */
	wr_target target;
	size_t index;
	const wr_probe *probe;
	int64_t timeout_ms;
	wr_fetch *fetch; /* NULL: exec */
	wr_host *host;   /* or NULL */
	bool failed;     /* the last probe did; only such targets may be held back for a lookup */
	struct wr_probe_target *next; /* in a list of the pool */
} wr_probe_target;

typedef struct wr_target_list {
	wr_probe_target *head, *tail;
} wr_target_list;

struct wr_prober {
	const wr_clock *clock;
	void (*sink)(void *ctx, const wr_sample *s);
	void *ctx;
	wr_probe_target *targets;
	size_t count;
	wr_heap heap;        /* the loop's */
	wr_hosts hosts;      /* the loop's */
	CURLM *multi;        /* the loop's */
	int64_t curl_due_ms; /* on CLOCK_MONOTONIC; -1 none */
	size_t running, running_max;
	int64_t logged_ms; /* of the last complaint about our own resources */
	int epoll_fd, wake_fd;
	atomic_bool stopping;
	pthread_t loop, workers[WR_EXEC_THREADS];
	bool loop_started;
	size_t workers_started;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work;  /* signalled when `queued` grows or we stop */
	wr_target_list queued, handed_back;
	wr_prober_stats stats;
};

void *wr_prober_loop(void *prober);
void *wr_prober_worker(void *prober);
void wr_prober_queue(wr_prober *p, wr_probe_target *t);       /* loop → pool */
wr_probe_target *wr_prober_take_back(wr_prober *p);           /* pool → loop: a list */
void wr_prober_began(wr_prober *p, const wr_probe_target *t); /* counts lateness */
/* wr_prober_deliver stamps the sample and gives it to the sink. */
void wr_prober_deliver(wr_prober *p, const wr_probe_target *t, wr_sample *s);

#endif
