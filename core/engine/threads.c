/* threads.c: the auditor (verifies our own ledger again and again) and the traffic watch (reads the
 * weights). */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "warroom/log.h"
#include "warroom/verify.h"

#define AUDIT_EVERY_MS 60000
#define AUDIT_NICE     10
#define AUDIT_SHARE    20 /* a long ledger is audited less often: a twentieth of the time at most */

/* Sleeps until due (monotonic) or the engine stops; false when stopping. */
static bool nap_until(engine *e, int64_t due_ms)
{
	struct timespec until = {.tv_sec = (time_t)(due_ms / 1000),
	                         .tv_nsec = (long)(due_ms % 1000) * 1000000L};
	pthread_mutex_lock(&e->nap_lock);
	while (!atomic_load(&e->stopping) && wr_mono_ms(e->clock) < due_ms)
		(void)pthread_cond_timedwait(&e->nap, &e->nap_lock, &until);
	pthread_mutex_unlock(&e->nap_lock);
	return !atomic_load(&e->stopping);
}

static void audit_progress(void *ctx, int64_t bytes, int64_t total)
{
	engine *e = ctx;
	atomic_store(&e->audit_percent, total > 0 ? (int)(bytes * 100 / total) : 100);
}

static int64_t attested_of(const wr_verify_report *rep, const char *partition, const char *stream)
{
	char chain[160];
	snprintf(chain, sizeof chain, "%s/%s", partition, stream);
	for (size_t i = 0; i < rep->chain_report_count; i++)
		if (!strcmp(rep->chain_reports[i].chain, chain))
			return rep->chain_reports[i].last_attested_seq;
	return -1;
}

/* In this thread alone: who waits for a step has the other processors. */
static void audit_once(engine *e)
{
	const wr_verify_opts opts = {
	    .threads = 1, .cancel = &e->stopping, .progress = audit_progress, .ctx = e};
	wr_verify_report rep = {0};
	wr_err err = {0};
	msg *m = calloc(1, sizeof *m);
	if (!m) return;
	m->kind = MSG_AUDIT;
	m->audit.attested = -1;
	atomic_store(&e->audit_percent, 0);
	int rc = wr_ledger_verify_with(e->cfg->ledger_dir, &opts, &rep, &err);
	atomic_store(&e->audit_percent, -1);
	if (rc != 0 && err.code == WR_E_CANCELLED) {
		free(m);
		return;
	}
	if (rc != 0) {
		snprintf(m->audit.text, sizeof m->audit.text, "cannot verify: %.200s", err.msg);
	} else {
		m->audit.ok = rep.ok;
		m->audit.checked = rep.checked;
		m->audit.attested = attested_of(&rep, e->cfg->partition, e->cfg->stream);
		if (!rep.ok && rep.anomaly_count)
			snprintf(m->audit.text, sizeof m->audit.text, "%s at seq %lld: %.180s",
			         wr_anomaly_name(rep.anomalies[0].kind), (long long)rep.anomalies[0].seq,
			         rep.anomalies[0].text);
	}
	wr_verify_free(&rep);
	m->audit.at_us = wr_wall_us(e->clock);
	if (!wr_queue_push(e->inbox, m)) free(m);
}

static void *auditor_main(void *ctx)
{
	engine *e = ctx;
	int64_t due = 0;
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), AUDIT_NICE); /* of this thread, on Linux */
	while (nap_until(e, due)) {
		int64_t began = wr_mono_ms(e->clock);
		audit_once(e);
		int64_t now = wr_mono_ms(e->clock), rest = (now - began) * AUDIT_SHARE;
		due = now + (rest > AUDIT_EVERY_MS ? rest : AUDIT_EVERY_MS);
	}
	return NULL;
}

static void watch_weights(engine *e, size_t i)
{
	msg *m = calloc(1, sizeof *m);
	if (!m) return;
	m->kind = MSG_SAMPLE;
	m->sample.target = WR_T_WEIGHTS;
	m->sample.index = i;
	wr_err err = {0};
	if (wr_traffic_get(e->cfg, i, m->sample.weights, &err) != 0) {
		m->sample.vars.error = true;
		for (size_t k = 0; k < WR_MAX_REGIONS; k++) m->sample.weights[k] = -1;
		snprintf(m->sample.detail, sizeof m->sample.detail, "%.190s", err.msg);
	}
	m->sample.at_us = wr_wall_us(e->clock);
	if (!wr_queue_push(e->samples, m)) free(m);
}

static void *traffic_main(void *ctx)
{
	engine *e = ctx;
	int64_t due[WR_MAX_TRAFFIC] = {0};
	for (;;) {
		int64_t next = wr_mono_ms(e->clock) + AUDIT_EVERY_MS;
		for (size_t i = 0; i < e->cfg->traffic_count && !atomic_load(&e->stopping); i++) {
			if (wr_mono_ms(e->clock) >= due[i]) {
				watch_weights(e, i);
				due[i] = wr_mono_ms(e->clock) + e->cfg->traffic[i].interval_ms;
			}
			if (due[i] < next) next = due[i];
		}
		if (!nap_until(e, next)) return NULL;
	}
}

int engine_threads_start(engine *e, wr_err *err)
{
	int rc = pthread_create(&e->auditor, NULL, auditor_main, e);
	if (rc != 0) return wr_fail_errno(err, rc, "cannot start the auditor's thread");
	e->auditor_up = true;
	if (engine_foreign_start(e, err) != 0) return -1;
	if (!e->cfg->traffic_count) return 0;
	rc = pthread_create(&e->traffic_watch, NULL, traffic_main, e);
	if (rc != 0) return wr_fail_errno(err, rc, "cannot start the traffic watch's thread");
	e->traffic_up = true;
	return 0;
}

void engine_threads_stop(engine *e)
{
	pthread_mutex_lock(&e->nap_lock);
	atomic_store(&e->stopping, true);
	pthread_cond_broadcast(&e->nap);
	pthread_mutex_unlock(&e->nap_lock);
	engine_foreign_stop(e);
	if (e->auditor_up) pthread_join(e->auditor, NULL);
	if (e->traffic_up) pthread_join(e->traffic_watch, NULL);
	e->auditor_up = e->traffic_up = false;
	engine_archive_stop(e);
}
