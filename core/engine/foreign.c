/* foreign.c: what the engine makes of the foreign chains: samples for verdicts and guards, receipts
 * when something changes, the state's list, and audits that somebody asks for. All but the starting
 * and stopping is the main loop's.
 *
 * What was last seen of a chain is in the receipts, so a history that was rewritten while the
 * engine was down is noticed. A copy in a standby region is rebuilt after a failover that two
 * people approved, with the loss that their plan named: then, and only then, another history is
 * accepted, and a receipt says so. */
#include "engine/foreign.h"

#include <stdlib.h>
#include <string.h>

#include "engine/view.h"
#include "warroom/json.h"
#include "warroom/log.h"
#include "warroom/text.h"

static const char *const what_names[] = {"verified", "broken", "unreadable"};
static const char *const why_names[] = {"follow", "start", "due", "asked"};

/* ---- setting up ---- */

static size_t region_index(const wr_config *cfg, const char *name)
{
	size_t i = 0;
	while (i < cfg->region_count && strcmp(cfg->regions[i].name, name) != 0) i++;
	return i;
}

static size_t signal_index(const wr_config *cfg, const char *name)
{
	size_t i = 0;
	while (i < cfg->signal_count &&
	       (cfg->signals[i].probe.kind != WR_PROBE_FED || strcmp(cfg->signals[i].name, name) != 0))
		i++;
	return i;
}

static size_t fact_index(const wr_config *cfg, const char *name)
{
	size_t i = 0;
	while (i < cfg->fact_count &&
	       (cfg->facts[i].probe.kind != WR_PROBE_FED || strcmp(cfg->facts[i].name, name) != 0))
		i++;
	return i;
}

int engine_foreign_new(engine *e, wr_err *err)
{
	struct foreign *all = calloc(1, sizeof *all);
	pthread_condattr_t attr;
	if (!all) return wr_fail(err, WR_E_NOMEM, "out of memory");
	e->foreign = all;
	all->e = e;
	all->count = e->cfg->foreign_count;
	pthread_mutex_init(&all->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&all->news, &attr);
	pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < all->count; i++) {
		follower *f = &all->chains[i];
		f->all = all;
		f->index = i;
		f->cfg = &e->cfg->foreign[i];
		f->region = region_index(e->cfg, f->cfg->region);
		f->signal = signal_index(e->cfg, f->cfg->name);
		f->fact = fact_index(e->cfg, f->cfg->name);
		WR_ASSERT((!f->cfg->signal || f->signal < e->cfg->signal_count) &&
		          f->fact < e->cfg->fact_count);
		f->records = -1;
		f->live = wr_foreign_open(f->cfg->profile, f->cfg->source, err);
		f->deep = f->live ? wr_foreign_open(f->cfg->profile, f->cfg->source, err) : NULL;
		if (!f->deep) return -1;
	}
	return 0;
}

int engine_foreign_start(engine *e, wr_err *err)
{
	for (size_t i = 0; i < e->foreign->count; i++) {
		follower *f = &e->foreign->chains[i];
		if (f->known.known) wr_foreign_expect(f->live, &f->known);
		f->poll_due_ms = f->audit_due_ms = wr_mono_ms(e->clock);
		int rc = pthread_create(&f->thread, NULL, follower_main, f);
		if (rc != 0) return wr_fail_errno(err, rc, "cannot start the thread of %s", f->cfg->name);
		f->up = true;
	}
	return 0;
}

void engine_foreign_stop(engine *e)
{
	struct foreign *all = e->foreign;
	if (!all) return;
	pthread_mutex_lock(&all->lock);
	all->stopping = true;
	pthread_cond_broadcast(&all->news);
	pthread_mutex_unlock(&all->lock);
	for (size_t i = 0; i < all->count; i++) {
		if (all->chains[i].up) pthread_join(all->chains[i].thread, NULL);
		all->chains[i].up = false;
	}
}

void engine_foreign_free(engine *e)
{
	struct foreign *all = e->foreign;
	if (!all) return;
	for (size_t i = 0; i < all->count; i++) {
		wr_foreign_close(all->chains[i].live);
		wr_foreign_close(all->chains[i].deep);
		json_decref(all->chains[i].owed);
	}
	pthread_cond_destroy(&all->news);
	pthread_mutex_destroy(&all->lock);
	free(all);
	e->foreign = NULL;
}

/* ---- receipts: read back, and written ---- */

static follower *find(const engine *e, const wr_receipt *r)
{
	char name[64], region[64];
	if (!wr_receipt_str(r, "name", name, sizeof name) ||
	    !wr_receipt_str(r, "region", region, sizeof region))
		return NULL;
	for (size_t i = 0; e->foreign && i < e->foreign->count; i++) {
		follower *f = &e->foreign->chains[i];
		if (!strcmp(f->cfg->name, name) && !strcmp(f->cfg->region, region)) return f;
	}
	return NULL;
}

static void fold_head(follower *f, const wr_receipt *r)
{
	wr_foreign_head h = {.known = true, .seq = wr_receipt_int(r, "head_seq", -1)};
	h.position = wr_receipt_int(r, "head_position", 0);
	(void)wr_receipt_str(r, "head_id", h.id, sizeof h.id);
	if (wr_receipt_str(r, "head_hash", h.hash, sizeof h.hash) && h.hash[0]) f->known = h;
}

void engine_foreign_fold(engine *e, const wr_receipt *r)
{
	static const char prefix[] = "foreign_chain_";
	char result[32] = "";
	if (strncmp(r->operation, prefix, sizeof prefix - 1) != 0) return;
	const char *what = r->operation + sizeof prefix - 1;
	follower *f = find(e, r);
	if (!f) return;
	(void)wr_receipt_str(r, "result", result, sizeof result);
	if (!strcmp(what, "audited")) {
		if (!strcmp(result, what_names[FOREIGN_OK])) fold_head(f, r);
		json_decref(f->owed);
		f->owed = NULL;
		atomic_store(&f->sending_owed, false);
		return;
	}
	if (!strcmp(what, "broken")) {
		f->said_broken = true;
		f->broken_us = r->timestamp_us;
	} else if (!strcmp(what, "restored") || !strcmp(what, "rewound")) {
		f->said_broken = false;
		if (!strcmp(what, "rewound")) f->rewound_us = r->timestamp_us;
		fold_head(f, r);
	}
	atomic_store(&f->sending, false);
}

/* Called when the receipt is durable, or not; the fold has the rest. */
static void on_written(void *ctx, const wr_appended *a)
{
	if (a->status != WR_APPEND_DONE) atomic_store((atomic_bool *)ctx, false);
}

static void record(engine *e, json_t *receipt, atomic_bool *sending)
{
	wr_err err = {0};
	if (!receipt) return;
	atomic_store(sending, true);
	if (wr_ledger_submit(e->ledger, &receipt, 1, e->epoch, on_written, sending, &err) == 0) return;
	atomic_store(sending, false);
	wr_log(WR_LOG_ERROR, "foreign", "not recorded, will be tried again: %s", err.msg);
}

static json_t *draft_of(const follower *f, const char *operation)
{
	return json_pack("{s:s, s:s, s:s}", "operation", operation, "name", f->cfg->name, "region",
	                 f->cfg->region);
}

static void add_head(json_t *o, const wr_foreign_head *h)
{
	if (!o || !h->known) return;
	put_str(o, "head_id", h->id);
	put_str(o, "head_hash", h->hash);
	put_int(o, "head_seq", h->seq);
	put_int(o, "head_position", h->position);
}

static void record_broken(engine *e, follower *f, const foreign_result *r)
{
	json_t *o = draft_of(f, "foreign_chain_broken");
	if (!o) return;
	put_str(o, "kind", r->kind);
	put_str(o, "record_id", r->id);
	put_int(o, "record_seq", r->seq);
	put_int(o, "anomalies", r->anomalies);
	put_str(o, "reason", r->text);
	put_str(o, "last_consistent_id", r->consistent.id);
	put_int(o, "last_consistent_seq", r->consistent.known ? r->consistent.seq : -1);
	put_str(o, "last_consistent_hash", r->consistent.hash);
	record(e, o, &f->sending);
}

static void record_audit(engine *e, follower *f, const foreign_result *r)
{
	json_t *o = draft_of(f, "foreign_chain_audited");
	if (!o) return;
	put_int(o, "checked", r->checked);
	put_int(o, "valid", r->valid);
	put_int(o, "duration_ms", r->duration_ms);
	put_str(o, "result", what_names[r->what]);
	put_str(o, "trigger", why_names[r->why]);
	put_str(o, "reason", r->text);
	add_head(o, &r->head);
	json_decref(f->owed);
	f->owed = o;
	record(e, json_deep_copy(o), &f->sending_owed);
}

/* ---- another history, accepted ---- */

/* The operation that explains it: approved by two, of this region, begun since the last time; and
 * this is not the side that everybody writes to, unless the operation is still at it. */
static const wr_op *explained_by(const engine *e, const follower *f)
{
	const wr_op *ops[16];
	size_t n = wr_state_ops(e->state, ops, 16);
	for (size_t i = 0; i < n; i++) {
		const wr_op *op = ops[i];
		bool here = !strcmp(op->from, f->cfg->region) || !strcmp(op->to, f->cfg->region);
		bool primary = wr_state_primary(e->state) == (int)f->region;
		if (here && op->started_us > f->rewound_us && (!primary || !wr_op_final(op->state)))
			return op;
	}
	return NULL;
}

static void forget(follower *f)
{
	pthread_mutex_lock(&f->all->lock);
	f->forget = true;
	pthread_cond_broadcast(&f->all->news);
	pthread_mutex_unlock(&f->all->lock);
}

static void record_rewound(engine *e, follower *f, const foreign_result *r)
{
	const wr_op *op = explained_by(e, f);
	json_t *o = draft_of(f, "foreign_chain_rewound");
	if (!o) return;
	put_str(o, "operation_id", op ? op->id : "");
	put_str(o, "lost_id", f->known.id);
	put_int(o, "lost_seq", f->known.known ? f->known.seq : -1);
	put_str(o, "lost_hash", f->known.hash);
	add_head(o, &r->head);
	record(e, o, &f->sending);
}

static void record_restored(engine *e, follower *f, const foreign_result *r)
{
	json_t *o = draft_of(f, "foreign_chain_restored");
	if (!o) return;
	put_int(o, "broken_ms", f->broken_us ? (r->at_us - f->broken_us) / 1000 : -1);
	put_int(o, "checked", r->checked);
	add_head(o, &r->head);
	record(e, o, &f->sending);
}

/* ---- results ---- */

static bool too_old(const follower *f, const foreign_result *r, int64_t now_us)
{
	return f->cfg->fresh_ms > 0 && r->head.known &&
	       (r->head.time_us == 0 || now_us - r->head.time_us > f->cfg->fresh_ms * 1000);
}

static void feed(engine *e, const follower *f, const foreign_result *r)
{
	wr_sample s = {.target = WR_T_SIGNAL, .index = f->signal, .at_us = r->at_us};
	s.vars = (wr_expr_vars){.latency_ms = -1, .exit_code = -1, .age_s = -1};
	s.vars.error = r->what == FOREIGN_UNREADABLE;
	if (!s.vars.error) s.vars.value = (wr_value){.type = WR_V_BOOL, .truth = r->what == FOREIGN_OK};
	(void)wr_sanitise_to(s.detail, sizeof s.detail, r->text);
	if (f->cfg->signal) wr_world_feed(e->world, &s);
	s.target = WR_T_FACT;
	s.index = f->fact;
	if (r->what == FOREIGN_OK && too_old(f, r, r->at_us)) {
		char age[16];
		s.vars.value.truth = false;
		wr_duration_words(age, sizeof age, (r->at_us - r->head.time_us) / 1000);
		(void)snprintf(s.detail, sizeof s.detail, "verified, but the newest record is %s old",
		               r->head.time_us ? age : "of unknown age, perhaps");
	}
	wr_world_feed(e->world, &s);
	e->fresh = true;
}

/* False: it is read again before anything is said. */
static bool settle_broken(engine *e, follower *f, const foreign_result *r)
{
	if (r->moved && !f->said_broken && explained_by(e, f)) {
		forget(f);
		return false;
	}
	if (f->said_broken || atomic_load(&f->sending)) return true;
	wr_log(WR_LOG_ERROR, "foreign", "%s of %s is broken: %s", f->cfg->name, f->cfg->region,
	       r->text);
	record_broken(e, f, r);
	return true;
}

static bool same_record(const wr_foreign_head *a, const wr_foreign_head *b)
{
	return a->known == b->known && !strcmp(a->hash, b->hash);
}

static void settle_ok(engine *e, follower *f, const foreign_result *r, bool rewound)
{
	f->ok_us = r->at_us;
	if (atomic_load(&f->sending)) return;
	if (rewound && f->known.known && !same_record(&f->known, &r->head))
		record_rewound(e, f, r);
	else if (f->said_broken)
		record_restored(e, f, r);
}

void engine_foreign_take(engine *e, msg *m)
{
	struct foreign *all = e->foreign;
	const foreign_result *r = m->foreign;
	follower *f = &all->chains[r->chain];
	bool changed = !f->heard || f->last.what != r->what;
	/* The audit after forgetting is the one that was asked for by settle_broken. */
	bool rewound = r->what == FOREIGN_OK && f->heard && f->last.what == FOREIGN_BROKEN &&
	               f->last.moved && r->audit > 0 && !f->said_broken && explained_by(e, f);
	bool counts = true;
	if (r->what == FOREIGN_BROKEN)
		counts = settle_broken(e, f, r);
	else if (r->what == FOREIGN_OK)
		settle_ok(e, f, r, rewound);
	if (r->audit && (r->why == WHY_ASKED || r->why == WHY_DUE ||
	                 (r->why == WHY_START && (changed || r->what == FOREIGN_OK))))
		record_audit(e, f, r);
	else if (f->owed && !atomic_load(&f->sending_owed))
		record(e, json_deep_copy(f->owed), &f->sending_owed);
	if (counts) feed(e, f, r);
	f->heard = true;
	f->last = *r;
	if (r->audit) {
		f->last_audit = *r;
		f->audits_done = r->audit;
		e->dirty = true;
	}
	if (changed) e->dirty = e->tick_due = true;
	pthread_mutex_lock(&all->lock);
	f->pending = false;
	pthread_cond_broadcast(&all->news);
	pthread_mutex_unlock(&all->lock);
}

/* ---- the API ---- */

json_t *view_foreign(engine *e)
{
	json_t *list = json_array();
	for (size_t i = 0; e->foreign && i < e->foreign->count; i++) {
		follower *f = &e->foreign->chains[i];
		const foreign_result *r = &f->last;
		json_t *o = json_object();
		pthread_mutex_lock(&e->foreign->lock);
		int64_t records = f->records;
		pthread_mutex_unlock(&e->foreign->lock);
		bool stale = f->heard && r->what == FOREIGN_OK && too_old(f, r, wr_wall_us(e->clock));
		put_str(o, "name", f->cfg->name);
		put_str(o, "region", f->cfg->region);
		put_str(o, "source", f->cfg->source);
		put_str(o, "status", !f->heard ? "unknown" : stale ? "stale" : what_names[f->last.what]);
		put_str(o, "reason", f->heard ? r->text : "not read yet");
		put_int(o, "age_ms", f->heard ? view_age_ms(e, r->at_us) : -1);
		put_int(o, "ok_age_ms", view_age_ms(e, f->ok_us));
		put_int(o, "head_seq", r->head.known ? r->head.seq : -1);
		put_str(o, "head_id", r->head.id);
		put_str(o, "head_hash", r->head.hash);
		put(o, "head_time", view_time(r->head.time_us));
		put_int(o, "head_age_ms", view_age_ms(e, r->head.time_us));
		put_int(o, "anomalies", f->heard ? r->anomalies : 0);
		put_int(o, "audits", f->audits_done);
		put_int(o, "audit_age_ms", view_age_ms(e, f->last_audit.at_us));
		put_str(o, "audit_result", f->audits_done ? what_names[f->last_audit.what] : "");
		put_int(o, "checked", f->last_audit.checked);
		put_int(o, "valid", f->last_audit.valid);
		put_int(o, "audit_ms", f->last_audit.duration_ms);
		put_int(o, "auditing", records);
		(void)json_array_append_new(list, o);
	}
	return list;
}

void engine_foreign_ask(engine *e, request *r, const json_t *body)
{
	const char *region = wr_json_str(body, "region", "");
	bool all = !strcmp(region, "all");
	json_t *asked = json_array();
	if (!all && !wr_config_region(e->cfg, region)) {
		json_decref(asked);
		request_error(e, r, 400, "invalid", "", "region \"%.63s\" is not a region of this platform",
		              region);
		return;
	}
	pthread_mutex_lock(&e->foreign->lock);
	for (size_t i = 0; i < e->foreign->count; i++) {
		follower *f = &e->foreign->chains[i];
		if (!all && strcmp(f->cfg->region, region) != 0) continue;
		f->asked = true;
		(void)json_array_append_new(asked, json_pack("{s:s, s:s, s:I}", "name", f->cfg->name,
		                                             "region", f->cfg->region, "audit",
		                                             (json_int_t)f->audits_begun + 1));
	}
	pthread_cond_broadcast(&e->foreign->news);
	pthread_mutex_unlock(&e->foreign->lock);
	if (json_array_size(asked) == 0) {
		json_decref(asked);
		request_error(e, r, 404, "not_found", "", "no foreign chain is configured%s%s",
		              all ? "" : " for ", all ? "" : region);
		return;
	}
	request_json(e, r, 200, json_pack("{s:o}", "asked", asked));
}
