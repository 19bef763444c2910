/* runner.c: the pool: a bounded list of jobs, a few threads, a step each.
 *
 * One mutex guards the lists and `stopping`; a job is in the waiting list, or belongs to the one
 * thread that runs it. A job that was cancelled while it waited takes the ordinary way, and
 * wr_step_run then does nothing but say so: each job is reported exactly once, or, after a stop,
 * never (its intent is then without a result, which is what it is). */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/act.h"

#define THREADS_MAX 64
/* Every step of several operations at once; more is a loop in the caller. */
#define WAITING_MAX 256

typedef struct entry {
	wr_job *job;
	wr_runner *runner;
	atomic_bool cancel;
	struct entry *next;
} entry;

struct wr_runner {
	const wr_clock *clock;
	void (*report)(void *ctx, const wr_step_report *r, wr_command_kind kind);
	void (*output)(void *ctx, const char *operation_id, size_t index, const char *text);
	void *ctx;
	pthread_t *threads;
	size_t thread_count;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	entry *first, *last; /* waiting, oldest first; mutex */
	size_t waiting;      /* mutex */
	entry *running;      /* in no order; mutex */
	bool stopping;       /* mutex */
};

static void free_entry(entry *e)
{
	json_decref(e->job->step);
	free(e->job);
	free(e);
}

/* take waits for a job and marks it running; NULL: stop. */
static entry *take(wr_runner *r)
{
	pthread_mutex_lock(&r->mutex);
	while (!r->stopping && !r->first) pthread_cond_wait(&r->work, &r->mutex);
	entry *e = r->stopping ? NULL : r->first;
	if (e) {
		r->first = e->next;
		if (!r->first) r->last = NULL;
		r->waiting--;
		e->next = r->running;
		r->running = e;
	}
	pthread_mutex_unlock(&r->mutex);
	return e;
}

/* leave takes a job out of the running ones; false: stopping, so do not report. */
static bool leave(wr_runner *r, entry *e)
{
	pthread_mutex_lock(&r->mutex);
	entry **at = &r->running;
	while (*at != e) at = &(*at)->next;
	*at = e->next;
	bool go_on = !r->stopping;
	pthread_mutex_unlock(&r->mutex);
	return go_on;
}

static void on_output(void *ctx, const char *text)
{
	const entry *e = ctx;
	e->runner->output(e->runner->ctx, e->job->operation_id, e->job->index, text);
}

static void *thread_main(void *ctx)
{
	wr_runner *r = ctx;
	for (entry *e; (e = take(r)) != NULL; free_entry(e)) {
		wr_step_report report;
		wr_step_run(e->job, r->clock, &e->cancel, r->output ? on_output : NULL, e, &report);
		if (leave(r, e)) r->report(r->ctx, &report, e->job->kind);
	}
	return NULL;
}

wr_runner *wr_runner_start(size_t threads, const wr_clock *clock,
                           void (*report)(void *ctx, const wr_step_report *r, wr_command_kind kind),
                           void (*output)(void *ctx, const char *operation_id, size_t index,
                                          const char *text),
                           void *ctx, wr_err *err)
{
	WR_ASSERT(threads > 0 && threads <= THREADS_MAX && report);
	wr_runner *r = calloc(1, sizeof *r);
	if (r) r->threads = calloc(threads, sizeof *r->threads);
	if (!r || !r->threads) {
		free(r);
		wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	r->clock = clock;
	r->report = report;
	r->output = output;
	r->ctx = ctx;
	if (pthread_mutex_init(&r->mutex, NULL) != 0 || pthread_cond_init(&r->work, NULL) != 0)
		wr_die("cannot make a mutex");
	for (; r->thread_count < threads; r->thread_count++) {
		int rc = pthread_create(&r->threads[r->thread_count], NULL, thread_main, r);
		if (rc == 0) continue;
		wr_fail_errno(err, rc, "cannot start a runner thread");
		wr_runner_stop(r);
		return NULL;
	}
	return r;
}

void wr_runner_stop(wr_runner *r)
{
	if (!r) return;
	pthread_mutex_lock(&r->mutex);
	r->stopping = true;
	for (entry *e = r->running; e; e = e->next) atomic_store(&e->cancel, true);
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->mutex);
	for (size_t i = 0; i < r->thread_count; i++) {
		WR_ASSERT(!pthread_equal(r->threads[i], pthread_self()));
		pthread_join(r->threads[i], NULL);
	}
	for (entry *e = r->first, *next; e; e = next) {
		next = e->next;
		free_entry(e);
	}
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->mutex);
	free(r->threads);
	free(r);
}

int wr_runner_submit(wr_runner *r, wr_job *job, wr_err *err)
{
	if (job->kind != WR_CMD_START && job->kind != WR_CMD_PROBE)
		return wr_fail(err, WR_E_INVALID, "a runner starts and probes, nothing else");
	entry *e = calloc(1, sizeof *e);
	if (!e) return wr_fail(err, WR_E_NOMEM, "out of memory");
	e->job = job;
	e->runner = r;
	atomic_init(&e->cancel, false);
	pthread_mutex_lock(&r->mutex);
	bool taken = !r->stopping && r->waiting < WAITING_MAX, stopping = r->stopping;
	if (taken) {
		if (r->last)
			r->last->next = e;
		else
			r->first = e;
		r->last = e;
		r->waiting++;
		pthread_cond_signal(&r->work);
	}
	pthread_mutex_unlock(&r->mutex);
	if (taken) return 0;
	free(e);
	return stopping ? wr_fail(err, WR_E_CANCELLED, "the runner is stopping")
	                : wr_fail(err, WR_E_LIMIT, "%d jobs wait already", WAITING_MAX);
}

void wr_runner_cancel(wr_runner *r, const char *operation_id, size_t index)
{
	pthread_mutex_lock(&r->mutex);
	entry *lists[] = {r->first, r->running};
	for (size_t i = 0; i < 2; i++) {
		for (entry *e = lists[i]; e; e = e->next)
			if (e->job->index == index && strcmp(e->job->operation_id, operation_id) == 0)
				atomic_store(&e->cancel, true);
	}
	pthread_mutex_unlock(&r->mutex);
}
