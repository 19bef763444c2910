/* archive.c: the daily export, on a thread of its own; and what it shares with the time stamps.
 *
 * What was exported is known from the receipts alone, so an export that was missed, because nobody
 * ran or because it failed, is due at once. A crash in between leaves an export that is not on
 * record: the next run finds it, whole, and takes it. Exports into a store are made beside the
 * ledger first, and stay there until they are on record. */
#include "engine/archive.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/view.h"
#include "warroom/archive.h"
#include "warroom/json.h"
#include "warroom/log.h"
#include "warroom/transfer.h"

#define LOOK_MS    60000 /* the clock may have been set */
#define RETRY_MS   60000 /* after a failure: twice as long each time */
#define RETRY_MOST 1800000
#define NICE       10 /* who waits for a step comes first */
#define ATTEMPTS   5  /* of each request, within one run */
#define SPOOL      ".spool"

/* ---- duties ---- */

static bool due_now(engine *e, duty *d, int64_t (*due)(engine *e, int64_t now_us), int64_t now_ms)
{
	int64_t now_us = wr_wall_us(e->clock);
	d->next_us = due(e, now_us);
	return d->wanted > d->runs || (d->next_us <= now_us && now_ms >= d->retry_ms);
}

bool duty_wait(engine *e, duty *d, int64_t (*due)(engine *e, int64_t now_us))
{
	pthread_mutex_lock(&e->nap_lock);
	for (;;) {
		int64_t now_ms = wr_mono_ms(e->clock);
		if (atomic_load(&e->stopping) || due_now(e, d, due, now_ms)) break;
		int64_t ms = (d->next_us - wr_wall_us(e->clock)) / 1000 + 1;
		if (now_ms + ms < d->retry_ms) ms = d->retry_ms - now_ms;
		int64_t until_ms = now_ms + (ms < 1 ? 1 : ms > LOOK_MS ? LOOK_MS : ms);
		struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
		                         .tv_nsec = (long)(until_ms % 1000) * 1000000L};
		(void)pthread_cond_timedwait(&e->nap, &e->nap_lock, &until);
	}
	bool go = !atomic_load(&e->stopping);
	d->running = go;
	pthread_mutex_unlock(&e->nap_lock);
	return go;
}

bool duty_end(engine *e, duty *d, const wr_err *err)
{
	pthread_mutex_lock(&e->nap_lock);
	bool news = err ? strncmp(d->failure, err->msg, sizeof d->failure - 1) != 0 : d->failure[0];
	d->running = false;
	d->runs++;
	if (err) {
		int64_t wait_ms = RETRY_MS << (d->failures < 5 ? d->failures : 5);
		d->retry_ms = wr_mono_ms(e->clock) + (wait_ms < RETRY_MOST ? wait_ms : RETRY_MOST);
		d->failures++;
		if (!d->failed_us) d->failed_us = wr_wall_us(e->clock);
		snprintf(d->failure, sizeof d->failure, "%.255s", err->msg);
	} else {
		d->failures = 0;
		d->retry_ms = d->failed_us = 0;
		d->failure[0] = '\0';
	}
	pthread_mutex_unlock(&e->nap_lock);
	return news;
}

void duty_later(engine *e, duty *d, int64_t ms)
{
	pthread_mutex_lock(&e->nap_lock);
	d->retry_ms = wr_mono_ms(e->clock) + ms;
	pthread_mutex_unlock(&e->nap_lock);
}

bool duty_nap(void *ctx, int64_t ms)
{
	engine *e = ctx;
	int64_t until_ms = wr_mono_ms(e->clock) + ms;
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
	                         .tv_nsec = (long)(until_ms % 1000) * 1000000L};
	pthread_mutex_lock(&e->nap_lock);
	while (!atomic_load(&e->stopping) && wr_mono_ms(e->clock) < until_ms)
		(void)pthread_cond_timedwait(&e->nap, &e->nap_lock, &until);
	pthread_mutex_unlock(&e->nap_lock);
	return !atomic_load(&e->stopping);
}

/* The main loop finds it in the ledger (engine_catch_up). */
static int append(engine *e, json_t *receipt, wr_err *err)
{
	if (!receipt) return wr_fail(err, WR_E_NOMEM, "out of memory");
	return wr_ledger_append(e->ledger, receipt, e->epoch, NULL, err);
}

void archive_append(engine *e, json_t *receipt)
{
	wr_err err = {0};
	if (append(e, receipt, &err)) wr_log(WR_LOG_ERROR, "archive", "not recorded: %s", err.msg);
}

/* ---- one export ---- */

static int64_t export_due(engine *e, int64_t now_us)
{
	const struct archive *a = e->archive;
	int64_t last = a->exports.done_us ? a->exports.done_us : a->began_us;
	return wr_archive_next(now_us, e->cfg->ledger_export->at_ms, last);
}

typedef struct run {
	engine *e;
	const wr_export_plan *plan;
	char chain[128], dir[4096], to[1024];
	int64_t first, began_ms;
	wr_archive_made made;
	wr_store_result sent;
	int64_t removed, left;
} run;

static int begin(run *r, wr_err *err)
{
	const wr_config *c = r->e->cfg;
	snprintf(r->chain, sizeof r->chain, "%s/%s", c->partition, c->stream);
	wr_store_name(r->plan, r->to, sizeof r->to);
	const char *under = r->plan->dir[0] ? r->plan->dir : c->ledger_dir;
	int n = snprintf(r->dir, sizeof r->dir, "%s/%s", under, r->plan->dir[0] ? r->chain : SPOOL);
	if (n < 0 || (size_t)n >= sizeof r->dir)
		return wr_fail(err, WR_E_LIMIT, "the archive's path is too long");
	pthread_mutex_lock(&r->e->nap_lock);
	r->first = r->e->archive->exports.upto;
	pthread_mutex_unlock(&r->e->nap_lock);
	/* Else the rest would go to the disk below, and nobody would see that it is not with the
	 * others. */
	if (r->plan->dir[0] && r->first > 0 && access(r->dir, F_OK) != 0)
		return wr_fail(err, WR_E_NOT_FOUND,
		               "%.200s is gone, and the exports that are on record with it: is its disk "
		               "mounted?",
		               r->dir);
	return 0;
}

static int send(run *r, wr_err *err)
{
	char dir[4200], under[256];
	snprintf(dir, sizeof dir, "%s/%s", r->dir, r->made.entry.name);
	snprintf(under, sizeof under, "%s/%s", r->chain, r->made.entry.name);
	wr_store_job job = {.to = r->plan,
	                    .dir = dir,
	                    .under = under,
	                    .clock = r->e->clock,
	                    .random = &wr_random_system,
	                    .attempts = ATTEMPTS,
	                    .nap = duty_nap,
	                    .ctx = r->e};
	return wr_store_put(&job, &r->sent, err);
}

static int record(run *r, wr_err *err)
{
	const wr_archive_made *m = &r->made;
	return append(r->e,
	              json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:s}",
	                        "operation", "ledger_exported", "destination", r->to, "name",
	                        m->entry.name, "first_seq", (json_int_t)m->entry.first_seq, "last_seq",
	                        (json_int_t)m->entry.last_seq, "receipts", (json_int_t)m->receipts,
	                        "bytes", (json_int_t)m->bytes, "manifest_sha256", m->manifest,
	                        "duration_ms", (json_int_t)(wr_mono_ms(r->e->clock) - r->began_ms),
	                        "retries", (json_int_t)r->sent.retries, "removed",
	                        (json_int_t)r->removed, "outcome", m->found ? "found" : "exported"),
	              err);
}

/* Old exports, or what the store has now. */
static int clean(run *r, wr_err *err)
{
	wr_archive_entry *all = NULL;
	size_t count = 0;
	if (r->plan->dir[0])
		return wr_archive_prune(r->dir, r->plan->keep_ms, wr_wall_us(r->e->clock), &r->removed,
		                        &r->left, err);
	int rc = wr_archive_list(r->dir, &all, &count, err);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (all[i].first_seq <= r->first) rc = wr_archive_remove(r->dir, all[i].name, err);
	free(all);
	return rc;
}

static void done(run *r)
{
	duty *d = &r->e->archive->exports;
	pthread_mutex_lock(&r->e->nap_lock);
	d->done_us = wr_wall_us(r->e->clock);
	if (r->made.receipts > 0) {
		d->upto = r->made.entry.last_seq + 1;
		memcpy(d->what, r->made.entry.name, sizeof r->made.entry.name);
	}
	pthread_mutex_unlock(&r->e->nap_lock);
}

static int export_once(run *r, wr_err *err)
{
	wr_err why = {0};
	bool local = r->plan->dir[0];
	r->began_ms = wr_mono_ms(r->e->clock);
	if (begin(r, err)) return -1;
	wr_archive_job job = {.ledger = r->e->cfg->ledger_dir,
	                      .chain = r->chain,
	                      .dir = r->dir,
	                      .first_seq = r->first,
	                      .clock = r->e->clock};
	if (wr_archive_make(&job, &r->made, err)) return -1;
	if (r->made.receipts == 0) {
		done(r);
		return 0;
	}
	if (!local && send(r, err)) return -1;
	/* What is too old goes only once the new one is there. */
	if (local && clean(r, &why))
		wr_log(WR_LOG_WARN, "archive", "old exports are not removed: %s", why.msg);
	if (r->left)
		wr_log(WR_LOG_WARN, "archive",
		       "%lld old exports stay: they are not what their manifests say", (long long)r->left);
	if (record(r, err)) return -1;
	done(r);
	if (!local && clean(r, &why))
		wr_log(WR_LOG_WARN, "archive", "%s is not removed: %s", r->dir, why.msg);
	wr_log(WR_LOG_INFO, "archive", "receipts %lld to %lld exported to %s",
	       (long long)r->made.entry.first_seq, (long long)r->made.entry.last_seq, r->to);
	return 0;
}

void archive_nice(void)
{
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
}

static void *exports_main(void *ctx)
{
	engine *e = ctx;
	archive_nice();
	while (duty_wait(e, &e->archive->exports, export_due)) {
		run r = {.e = e, .plan = e->cfg->ledger_export};
		wr_err err = {0};
		bool failed = export_once(&r, &err) != 0;
		/* Stopping is no failure: it goes on at the next start. */
		if (failed && err.code == WR_E_CANCELLED) continue;
		bool news = duty_end(e, &e->archive->exports, failed ? &err : NULL);
		if (failed && news) {
			wr_log(WR_LOG_ERROR, "archive", "the export to %s failed: %s", r.to, err.msg);
			archive_append(e, json_pack("{s:s, s:s, s:I, s:s, s:s}", "operation",
			                            "ledger_export_failed", "destination", r.to, "first_seq",
			                            (json_int_t)r.first, "code", wr_err_name(err.code),
			                            "reason", err.msg));
		}
	}
	return NULL;
}

/* ---- from the receipts ---- */

static bool about_itself(const char *operation)
{
	static const char *const names[] = {"ledger_exported", "ledger_export_failed",
	                                    "checkpoint_signed", "checkpoint_anchored",
	                                    "checkpoint_anchor_failed"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(operation, names[i])) return true;
	return false;
}

/* What went elsewhere is not where it should be now. */
static void fold_exported(const engine *e, duty *d, const wr_receipt *r)
{
	char to[1024], there[1024];
	int64_t upto = wr_receipt_int(r, "last_seq", -1) + 1;
	if (!e->cfg->ledger_export || upto < d->upto || upto > r->seq) return;
	wr_store_name(e->cfg->ledger_export, to, sizeof to);
	if (!wr_receipt_str(r, "destination", there, sizeof there) || strcmp(to, there) != 0) return;
	d->upto = upto;
	d->done_us = r->timestamp_us;
	(void)wr_receipt_str(r, "name", d->what, sizeof d->what);
}

static void fold_anchored(duty *d, const wr_receipt *r)
{
	char at[WR_TIME_LEN];
	int64_t upto = wr_receipt_int(r, "size", -1);
	if (upto < d->upto || upto > r->seq) return;
	d->upto = upto;
	d->done_us = r->timestamp_us;
	(void)wr_receipt_str(r, "tsa", d->what, sizeof d->what);
	if (wr_receipt_str(r, "time", at, sizeof at)) {
		int64_t us;
		if (wr_time_parse(at, &us, NULL) == 0) d->stamped_us = us;
	}
}

void engine_fold_archive(engine *e, const wr_receipt *r)
{
	struct archive *a = e->archive;
	if (!a) return;
	pthread_mutex_lock(&e->nap_lock);
	if (r->seq == 0) a->began_us = r->timestamp_us;
	if (!about_itself(r->operation)) a->news = r->seq;
	if (!strcmp(r->operation, "ledger_exported")) fold_exported(e, &a->exports, r);
	if (!strcmp(r->operation, "checkpoint_anchored")) fold_anchored(&a->stamps, r);
	pthread_mutex_unlock(&e->nap_lock);
}

/* ---- for people ---- */

static json_t *view_duty(const engine *e, const duty *live, const char *to)
{
	pthread_mutex_lock(e->archive->lock);
	duty d = *live;
	bool news = e->archive->news >= d.upto;
	pthread_mutex_unlock(e->archive->lock);
	json_t *o = json_object();
	put_str(o, "to", to);
	put_bool(o, "running", d.running);
	put_int(o, "runs", d.runs);
	put_bool(o, "news", news);
	put_int(o, "upto", d.upto);
	put(o, "next", view_time(d.next_us));
	put(o, "last", view_time(d.done_us));
	put_str(o, "what", d.what);
	put_str(o, "failure", d.failure);
	put(o, "failed", view_time(d.failed_us));
	return o;
}

json_t *view_export(const engine *e)
{
	char to[1024];
	if (!e->cfg->ledger_export) return json_null();
	wr_store_name(e->cfg->ledger_export, to, sizeof to);
	return view_duty(e, &e->archive->exports, to);
}

json_t *view_anchor(const engine *e)
{
	const wr_anchor_plan *p = e->cfg->ledger_anchor;
	if (!p) return json_null();
	json_t *o = view_duty(e, &e->archive->stamps, p->url);
	pthread_mutex_lock(e->archive->lock);
	int64_t stamped_us = e->archive->stamps.stamped_us;
	pthread_mutex_unlock(e->archive->lock);
	put(o, "time", view_time(stamped_us));
	return o;
}

/* POST /v1/archive {"what":"export"|"anchor"}: now instead of when it is due. It does only what
 * would be done anyway, where the configuration says, and nothing if nothing is new: so it needs no
 * signature. */
void engine_archive_request(engine *e, request *r, const json_t *body)
{
	const char *what = wr_json_str(body, "what", "");
	bool exports = !strcmp(what, "export");
	if (!exports && strcmp(what, "anchor") != 0) {
		request_error(e, r, 400, "invalid", "", "what: \"export\" or \"anchor\"");
		return;
	}
	if (exports ? !e->cfg->ledger_export : !e->cfg->ledger_anchor) {
		request_error(e, r, 404, "not_found", "", "the configuration has no ledger.%s", what);
		return;
	}
	duty *d = exports ? &e->archive->exports : &e->archive->stamps;
	pthread_mutex_lock(&e->nap_lock);
	bool news = e->archive->news >= d->upto;
	/* One that runs may have begun before what is new: another one comes after it. */
	if (news) d->wanted = d->runs + 1 + d->running;
	int64_t number = d->wanted;
	pthread_cond_broadcast(&e->nap);
	pthread_mutex_unlock(&e->nap_lock);
	request_json(e, r, 200, json_pack("{s:b, s:I}", "started", news, "run", (json_int_t)number));
}

/* ---- threads ---- */

int engine_archive_new(engine *e, wr_err *err)
{
	e->archive = calloc(1, sizeof *e->archive);
	if (!e->archive) return wr_fail(err, WR_E_NOMEM, "out of memory");
	e->archive->lock = &e->nap_lock;
	e->archive->news = -1;
	return 0;
}

static int start(engine *e, duty *d, void *(*body)(void *ctx), const char *what, wr_err *err)
{
	int rc = pthread_create(&d->thread, NULL, body, e);
	if (rc != 0) return wr_fail_errno(err, rc, "cannot start the thread of %s", what);
	d->up = true;
	return 0;
}

int engine_archive_start(engine *e, wr_err *err)
{
	struct archive *a = e->archive;
	if (e->cfg->ledger_export && start(e, &a->exports, exports_main, "the export", err)) return -1;
	return e->cfg->ledger_anchor ? start(e, &a->stamps, stamps_main, "the time stamps", err) : 0;
}

void engine_archive_free(engine *e)
{
	free(e->archive);
	e->archive = NULL;
}

/* `stopping` is set. */
void engine_archive_stop(engine *e)
{
	struct archive *a = e->archive;
	if (!a) return;
	if (a->exports.up) pthread_join(a->exports.thread, NULL);
	if (a->stamps.up) pthread_join(a->stamps.thread, NULL);
	a->exports.up = a->stamps.up = false;
}
