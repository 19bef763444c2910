/* prober.c: starting and stopping the prober: its targets, threads and numbers. */
#include "watch/prober.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors left to the rest of the process: ledger, API clients, runners. */
#define FDS_RESERVED 384
#define RUNNING_MIN  64

/* ---- numbers and samples ---- */

void wr_prober_began(wr_prober *p, const wr_probe_target *t)
{
	int64_t late_ms = wr_mono_ms(p->clock) - t->slot.due_ms;
	(void)pthread_mutex_lock(&p->lock);
	if (late_ms > t->slot.interval_ms) p->stats.late++;
	if (late_ms > p->stats.worst_late_ms) p->stats.worst_late_ms = late_ms;
	(void)pthread_mutex_unlock(&p->lock);
}

void wr_prober_deliver(wr_prober *p, const wr_probe_target *t, wr_sample *s)
{
	s->target = t->target;
	s->index = t->index;
	s->at_us = wr_wall_us(p->clock);
	(void)pthread_mutex_lock(&p->lock);
	p->stats.done++;
	if (s->vars.error) p->stats.failed++;
	(void)pthread_mutex_unlock(&p->lock);
	p->sink(p->ctx, s);
}

void wr_prober_get_stats(wr_prober *p, wr_prober_stats *out)
{
	(void)pthread_mutex_lock(&p->lock);
	*out = p->stats;
	(void)pthread_mutex_unlock(&p->lock);
}

/* ---- targets ---- */

static size_t count_targets(const wr_config *cfg)
{
	size_t n = cfg->signal_count + cfg->fact_count + cfg->quota_count;
	for (size_t i = 0; i < cfg->quota_count; i++) n += cfg->quotas[i].has_after ? 1 : 0;
	for (size_t i = 0; i < cfg->link_count; i++) {
		const wr_link *l = &cfg->links[i];
		n += (size_t)l->has_seconds + l->has_bytes + l->has_receipts + l->has_state;
	}
	return n;
}

typedef struct target_spec {
	wr_target target;
	size_t index;
	const char *kind, *name; /* for the spread: a name may be a link's and a signal's */
	const wr_probe *probe;
	int64_t interval_ms, timeout_ms;
} target_spec;

static int add_target(wr_prober *p, target_spec spec, wr_err *err)
{
	if (spec.probe->kind == WR_PROBE_FED) return 0;
	wr_probe_target *t = &p->targets[p->count];
	t->target = spec.target;
	t->index = spec.index;
	t->probe = spec.probe;
	t->timeout_ms = spec.timeout_ms;
	if (spec.probe->kind != WR_PROBE_EXEC) {
		t->fetch = wr_fetch_new(spec.probe, spec.timeout_ms, t, err);
		if (!t->fetch) return -1;
		t->host = wr_hosts_find(&p->hosts, spec.probe->url);
	}
	p->count++;
	wr_slot_init(&t->slot, spec.kind, spec.name, spec.interval_ms, wr_mono_ms(p->clock));
	wr_heap_push(&p->heap, &t->slot);
	return 0;
}

static int add_link(wr_prober *p, const wr_link *l, size_t i, wr_err *err)
{
	const struct {
		bool has;
		wr_target target;
		const char *kind;
		const wr_probe *probe;
	} measures[] = {{l->has_seconds, WR_T_LINK_SECONDS, "seconds", &l->seconds},
	                {l->has_bytes, WR_T_LINK_BYTES, "bytes", &l->bytes},
	                {l->has_receipts, WR_T_LINK_RECEIPTS, "receipts", &l->receipts},
	                {l->has_state, WR_T_LINK_STATE, "state", &l->state}};
	for (size_t m = 0; m < sizeof measures / sizeof *measures; m++)
		if (measures[m].has &&
		    add_target(p,
		               (target_spec){measures[m].target, i, measures[m].kind, l->name,
		                             measures[m].probe, l->interval_ms, l->timeout_ms},
		               err))
			return -1;
	return 0;
}

static int add_quota(wr_prober *p, const wr_quota *q, size_t i, wr_err *err)
{
	if (add_target(p,
	               (target_spec){WR_T_QUOTA_PERCENT, i, "quota", q->name, &q->percent,
	                             q->interval_ms, q->timeout_ms},
	               err))
		return -1;
	if (!q->has_after) return 0;
	return add_target(p,
	                  (target_spec){WR_T_QUOTA_AFTER, i, "after", q->name, &q->after_shift,
	                                q->interval_ms, q->timeout_ms},
	                  err);
}

static int add_targets(wr_prober *p, const wr_config *cfg, wr_err *err)
{
	size_t n = count_targets(cfg);
	p->targets = calloc(n + 1, sizeof *p->targets);
	p->heap.items = calloc(n + 1, sizeof(wr_slot *));
	p->hosts.items = calloc(n + 1, sizeof *p->hosts.items);
	p->hosts.max = n;
	if (!p->targets || !p->heap.items || !p->hosts.items)
		return wr_fail(err, WR_E_NOMEM, "out of memory for %zu probes", n);
	for (size_t i = 0; i < cfg->signal_count; i++) {
		const wr_signal *s = &cfg->signals[i];
		if (add_target(p,
		               (target_spec){WR_T_SIGNAL, i, "signal", s->name, &s->probe, s->interval_ms,
		                             s->timeout_ms},
		               err))
			return -1;
	}
	for (size_t i = 0; i < cfg->link_count; i++)
		if (add_link(p, &cfg->links[i], i, err)) return -1;
	for (size_t i = 0; i < cfg->fact_count; i++) {
		const wr_fact *f = &cfg->facts[i];
		if (add_target(p,
		               (target_spec){WR_T_FACT, i, f->region, f->name, &f->probe, f->interval_ms,
		                             f->timeout_ms},
		               err))
			return -1;
	}
	for (size_t i = 0; i < cfg->quota_count; i++)
		if (add_quota(p, &cfg->quotas[i], i, err)) return -1;
	WR_ASSERT(p->count <= n);
	return 0;
}

/* ---- start and stop ---- */

/* How many transfers may be open at once, so that our own descriptors never run out: a probe that
 * fails for want of one would say nothing about its target. */
static size_t running_max(size_t targets)
{
	struct rlimit limit;
	size_t max = RUNNING_MIN;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > FDS_RESERVED + targets)
			max = targets;
		else if (limit.rlim_cur > FDS_RESERVED + RUNNING_MIN)
			max = (size_t)limit.rlim_cur - FDS_RESERVED;
	}
	return max < RUNNING_MIN ? RUNNING_MIN : max;
}

static int open_loop(wr_prober *p, wr_err *err)
{
	p->multi = curl_multi_init();
	if (!p->multi) return wr_fail(err, WR_E_NOMEM, "out of memory");
	p->running_max = running_max(p->count);
	/* The default keeps four times as many connections as run at the moment: too few to reuse. */
	(void)curl_multi_setopt(p->multi, CURLMOPT_MAXCONNECTS, (long)p->running_max);
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = p->wake_fd};
	if (p->epoll_fd < 0 || p->wake_fd < 0 || epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd, &ev))
		return wr_fail_errno(err, errno, "prober");
	return 0;
}

static int start_threads(wr_prober *p, wr_err *err)
{
	bool programs = false;
	for (size_t i = 0; i < p->count; i++) programs = programs || !p->targets[i].fetch;
	for (; programs && p->workers_started < WR_EXEC_THREADS; p->workers_started++) {
		int rc = pthread_create(&p->workers[p->workers_started], NULL, wr_prober_worker, p);
		if (rc) return wr_fail_errno(err, rc, "a thread for programs");
	}
	int rc = pthread_create(&p->loop, NULL, wr_prober_loop, p);
	if (rc) return wr_fail_errno(err, rc, "the prober's thread");
	p->loop_started = true;
	return 0;
}

wr_prober *wr_prober_start(const wr_config *cfg, const wr_clock *clock,
                           void (*sink)(void *ctx, const wr_sample *s), void *ctx, wr_err *err)
{
	if (wr_fetch_setup(err)) return NULL;
	wr_prober *p = calloc(1, sizeof *p);
	if (!p) {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	p->clock = clock;
	p->sink = sink;
	p->ctx = ctx;
	p->epoll_fd = p->wake_fd = -1;
	p->curl_due_ms = -1;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	if (add_targets(p, cfg, err) || open_loop(p, err) || start_threads(p, err)) {
		wr_prober_stop(p);
		return NULL;
	}
	return p;
}

static void join(wr_prober *p)
{
	(void)pthread_mutex_lock(&p->lock);
	atomic_store(&p->stopping, true);
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	if (p->wake_fd >= 0) {
		uint64_t one = 1;
		ssize_t put = write(p->wake_fd, &one, sizeof one);
		WR_ASSERT(put == (ssize_t)sizeof one || errno == EAGAIN);
	}
	if (p->loop_started) (void)pthread_join(p->loop, NULL);
	for (size_t i = 0; i < p->workers_started; i++) (void)pthread_join(p->workers[i], NULL);
}

void wr_prober_stop(wr_prober *p)
{
	if (!p) return;
	join(p);
	for (size_t i = 0; i < p->count; i++) wr_fetch_free(p->targets[i].fetch);
	if (p->multi) (void)curl_multi_cleanup(p->multi);
	if (p->epoll_fd >= 0) (void)close(p->epoll_fd);
	if (p->wake_fd >= 0) (void)close(p->wake_fd);
	wr_hosts_clear(&p->hosts);
	free(p->heap.items);
	free(p->targets);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
