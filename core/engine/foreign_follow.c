/* foreign_follow.c: the thread of one foreign chain: it follows what is new, audits everything from
 * time to time, and hands the results over. A thread each, so that a server that hangs keeps no
 * other chain waiting.
 *
 * While everything is read again, what is new is still followed: two readers, one of which works in
 * the pauses of the other. A broken chain is read as a whole each time, until it holds. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/foreign.h"
#include "warroom/log.h"
#include "warroom/text.h"

#define AUDIT_SHARE 20 /* a long audit is not repeated sooner than this many times its duration */

static int64_t now_ms(const follower *f)
{
	return wr_mono_ms(f->all->e->clock);
}

static bool stopping(void *ctx)
{
	const follower *f = ctx;
	pthread_mutex_lock(&f->all->lock);
	bool stop = f->all->stopping;
	pthread_mutex_unlock(&f->all->lock);
	return stop;
}

/* Waits until the last result was taken; false when stopping. */
static bool hand_over(follower *f, const foreign_result *r)
{
	struct foreign *all = f->all;
	msg *m = calloc(1, sizeof *m);
	if (m) m->foreign = malloc(sizeof *m->foreign);
	if (!m || !m->foreign) {
		free(m);
		return true;
	}
	m->kind = MSG_FOREIGN;
	*m->foreign = *r;
	pthread_mutex_lock(&all->lock);
	while (f->pending && !all->stopping) pthread_cond_wait(&all->news, &all->lock);
	bool go = !all->stopping;
	f->pending = go;
	pthread_mutex_unlock(&all->lock);
	if (go && wr_queue_push(all->e->inbox, m)) return true;
	free(m->foreign);
	free(m);
	return go;
}

static void describe(follower *f, const wr_foreign_report *rep, int rc, const wr_err *err,
                     foreign_result *r)
{
	r->chain = f->index;
	r->at_us = wr_wall_us(f->all->e->clock);
	r->checked = rep->checked;
	r->valid = rep->valid;
	r->anomalies = rep->anomaly_total;
	r->head = rep->head;
	r->consistent = rep->consistent;
	r->seq = -1;
	r->moved = rep->moved;
	r->what = !rep->ok ? FOREIGN_BROKEN : rc != 0 ? FOREIGN_UNREADABLE : FOREIGN_OK;
	if (r->what == FOREIGN_UNREADABLE) (void)wr_sanitise_to(r->text, sizeof r->text, err->msg);
	if (r->what != FOREIGN_BROKEN) return;
	wr_foreign_say(rep, r->text, sizeof r->text);
	for (size_t i = 0; i < rep->anomaly_count; i++) {
		const wr_foreign_anomaly *a = &rep->anomalies[i];
		if (a->kind == WR_AN_TORN) continue;
		r->seq = a->seq;
		(void)snprintf(r->kind, sizeof r->kind, "%s", wr_anomaly_name(a->kind));
		(void)snprintf(r->id, sizeof r->id, "%s", a->id);
		break;
	}
}

/* What is new; false when stopping. */
static bool poll_live(follower *f)
{
	wr_foreign_report *rep = calloc(1, sizeof *rep);
	wr_foreign_hooks hooks = {.stop = stopping, .ctx = f};
	foreign_result r = {.why = WHY_POLL};
	wr_err err = {0};
	if (!rep) return true;
	int64_t began = now_ms(f);
	int rc = wr_foreign_poll(f->live, rep, &hooks, &err);
	r.duration_ms = now_ms(f) - began;
	bool stop = err.code == WR_E_CANCELLED;
	describe(f, rep, rc, &err, &r);
	free(rep);
	if (stop) return false;
	if (r.what != FOREIGN_UNREADABLE) f->broken = r.what == FOREIGN_BROKEN;
	int64_t rest = f->broken ? r.duration_ms * AUDIT_SHARE : 0;
	f->poll_due_ms = now_ms(f) + (rest > f->cfg->every_ms ? rest : f->cfg->every_ms);
	if (f->broken) f->audit_due_ms = f->poll_due_ms;
	return hand_over(f, &r);
}

/* In the pauses of an audit. */
static void progress(void *ctx, int64_t records, int64_t bytes, int64_t total)
{
	(void)bytes, (void)total;
	follower *f = ctx;
	pthread_mutex_lock(&f->all->lock);
	f->records = records;
	pthread_mutex_unlock(&f->all->lock);
	if (f->audited && !f->broken && now_ms(f) >= f->poll_due_ms) (void)poll_live(f);
}

static int64_t begin_audit(follower *f, bool *forget)
{
	pthread_mutex_lock(&f->all->lock);
	int64_t number = ++f->audits_begun;
	*forget = f->forget;
	f->asked = f->forget = false;
	f->records = 0;
	pthread_mutex_unlock(&f->all->lock);
	return number;
}

static void end_audit(follower *f)
{
	pthread_mutex_lock(&f->all->lock);
	f->records = -1;
	pthread_mutex_unlock(&f->all->lock);
}

/* Everything; false when stopping. */
static bool read_all(follower *f, foreign_why why)
{
	wr_foreign_report *rep = calloc(1, sizeof *rep);
	wr_foreign_hooks hooks = {.stop = stopping, .progress = progress, .ctx = f};
	wr_err err = {0};
	bool forget;
	if (!rep) return true;
	foreign_result r = {.why = why, .audit = begin_audit(f, &forget)};
	if (forget) wr_foreign_expect(f->live, NULL);
	/* The first one, and that of a broken chain, is also what there is to follow from. */
	bool beside = f->audited && !f->broken && !forget;
	if (beside) wr_foreign_expect(f->deep, wr_foreign_known(f->live));
	int64_t began = now_ms(f);
	int rc = wr_foreign_audit(beside ? f->deep : f->live, rep, &hooks, &err);
	int64_t now = now_ms(f);
	r.duration_ms = now - began;
	bool stop = err.code == WR_E_CANCELLED;
	describe(f, rep, rc, &err, &r);
	free(rep);
	end_audit(f);
	if (stop) return false;
	/* What came meanwhile was bad: that is not taken back by what is older. */
	if (beside && f->broken && r.what == FOREIGN_OK) return read_all(f, why);
	f->audited = f->audited || r.what == FOREIGN_OK;
	if (r.what != FOREIGN_UNREADABLE) f->broken = r.what == FOREIGN_BROKEN;
	int64_t rest = r.duration_ms * AUDIT_SHARE;
	int64_t again = r.what == FOREIGN_OK ? f->cfg->audit_every_ms : f->cfg->every_ms;
	f->audit_due_ms = now + (again > rest ? again : rest);
	f->poll_due_ms = now + f->cfg->every_ms;
	return hand_over(f, &r);
}

/* Until something is due: what, and false when stopping. */
static bool next(follower *f, bool *whole, foreign_why *why)
{
	struct foreign *all = f->all;
	pthread_mutex_lock(&all->lock);
	for (;;) {
		/* What is broken or was never read as a whole cannot be followed. */
		bool polls = f->audited && !f->broken;
		int64_t due = polls && f->poll_due_ms < f->audit_due_ms ? f->poll_due_ms : f->audit_due_ms;
		if (all->stopping || f->asked || f->forget || now_ms(f) >= due) break;
		struct timespec until = {.tv_sec = (time_t)(due / 1000),
		                         .tv_nsec = (long)(due % 1000) * 1000000L};
		(void)pthread_cond_timedwait(&all->news, &all->lock, &until);
	}
	bool go = !all->stopping;
	*whole = f->asked || f->forget || now_ms(f) >= f->audit_due_ms;
	*why = f->asked      ? WHY_ASKED
	       : !f->audited ? WHY_START
	       : f->broken   ? WHY_POLL
	       : f->forget   ? WHY_POLL
	                     : WHY_DUE;
	pthread_mutex_unlock(&all->lock);
	return go;
}

void *follower_main(void *ctx)
{
	follower *f = ctx;
	bool whole;
	foreign_why why;
	while (next(f, &whole, &why))
		if (!(whole ? read_all(f, why) : poll_live(f))) break;
	return NULL;
}
