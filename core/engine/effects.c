/* effects.c: from a decision to durable receipts to commands; the only way to an effect.
 *
 * wr_decide answers with receipts and commands. The receipts go to the ledger's writer; only when
 * they are durable are they folded and the commands run. One such unit is on its way at a time, so
 * a decision always sees everything decided before it. If the append fails nothing happened:
 * requests are told so, a step's result waits and is tried again, and a tick would decide the same
 * once more. */
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "warroom/json.h"
#include "warroom/log.h"

#define RETRY_MS      1000 /* between appends while the ledger refuses */
#define WAKE_LEAST_MS 20   /* between two ticks that had nothing to record */

void engine_load_plan(engine *e, const wr_receipt *r)
{
	char hash[WR_HEX_LEN];
	if (strcmp(r->operation, "operation_proposed") != 0 ||
	    !wr_receipt_str(r, "plan_hash", hash, sizeof hash))
		return;
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	wr_err err = {0};
	json_t *plan = NULL;
	if (wr_blob_get(e->cfg->ledger_dir, hash, &text, &err) == 0)
		plan = wr_json_parse(text.data, text.len, &err);
	wr_buf_free(&text);
	if (plan)
		wr_state_put_plan(e->state, hash, plan);
	else
		wr_log(WR_LOG_ERROR, "engine", "plan %s is missing or damaged: %s", hash, err.msg);
}

static void show_in_tail(engine *e, const wr_receipt *r)
{
	tail_line *t = &e->tail[e->tail_count++ % TAIL];
	t->seq = r->seq;
	wr_time_format(t->timestamp, r->timestamp_us);
	snprintf(t->operation, sizeof t->operation, "%s", r->operation);
	wr_receipt_str(r, "actor", t->actor, sizeof t->actor);
	wr_hex(t->hash, r->hash, sizeof r->hash);
	receipt_sentence(r, t->text, sizeof t->text);
}

void engine_fold(engine *e, const wr_receipt *r, bool show)
{
	e->seen_seq = r->seq;
	wr_fold(e->state, r);
	engine_fold_seat(e, r);
	engine_fold_archive(e, r);
	engine_foreign_fold(e, r);
	if (!strcmp(r->operation, "incident_opened"))
		wr_receipt_str(r, "region", e->incident_region, sizeof e->incident_region);
	if (show) show_in_tail(e, r);
}

static void fold_line(engine *e, const char *line, size_t len)
{
	wr_receipt r;
	wr_err err = {0};
	if (wr_receipt_parse(&r, line, len, false, &err) == WR_RF_OK)
		engine_fold(e, &r, true);
	else
		wr_log(WR_LOG_ERROR, "engine", "cannot fold our own receipt: %s", err.msg);
}

typedef struct catching_up {
	engine *e;
	int64_t before;
} catching_up;

static int fold_missed(void *ctx, const wr_receipt *r)
{
	const catching_up *c = ctx;
	if (r->seq >= c->before) return 1;
	engine_fold(c->e, r, true);
	return 0;
}

void engine_catch_up(engine *e, int64_t before)
{
	catching_up c = {.e = e, .before = before};
	wr_err err = {0};
	if (before <= e->seen_seq + 1) return;
	if (wr_ledger_read(e->ledger, e->seen_seq + 1, fold_missed, &c, &err) < 0)
		wr_log(WR_LOG_ERROR, "engine", "cannot read back the ledger's own receipts: %s", err.msg);
}

/* The configuration does not change while an engine runs: once per operation is enough. A plan that
 * could not be made is tried again. */
void engine_steps_hash(engine *e, const wr_op *op, char out[static WR_HEX_LEN])
{
	size_t at = 0;
	while (at < LIVES - 1 && strcmp(e->drift[at].id, op->id) != 0) at++;
	bool known = !strcmp(e->drift[at].id, op->id) && e->drift[at].hash[0];
	memcpy(out, e->drift[at].hash, WR_HEX_LEN);
	memmove(&e->drift[1], &e->drift[0], at * sizeof e->drift[0]);
	memcpy(e->drift[0].id, op->id, sizeof op->id);
	if (!known) {
		out[0] = '\0';
		const wr_runbook *rb = wr_config_runbook(e->cfg, op->runbook);
		const wr_region *from = wr_config_region(e->cfg, op->from),
		                *to = wr_config_region(e->cfg, op->to);
		wr_err err = {0};
		json_t *plan = rb && from && to ? wr_plan_make(e->cfg, e->state, e->world, rb,
		                                               (size_t)(from - e->cfg->regions),
		                                               (size_t)(to - e->cfg->regions),
		                                               op->plan_hash, wr_wall_us(e->clock), &err)
		                                : NULL;
		if (plan)
			snprintf(out, WR_HEX_LEN, "%s", wr_json_str(plan, "steps_hash", ""));
		else
			wr_log(WR_LOG_WARN, "engine", "%s cannot be planned any more: %s", op->id, err.msg);
		json_decref(plan);
	}
	memcpy(e->drift[0].hash, out, WR_HEX_LEN);
}

/* Called on the ledger writer's thread. */
static void on_appended(void *ctx, const wr_appended *a)
{
	engine *e = ctx;
	msg *m = calloc(1, sizeof *m);
	WR_ASSERT(m);
	m->kind = MSG_APPENDED;
	m->appended.status = a->status;
	m->appended.err = a->err;
	m->appended.first_seq = a->first_seq;
	if (a->status == WR_APPEND_DONE && a->count) {
		m->appended.lines = calloc(a->count, sizeof *m->appended.lines);
		m->appended.lens = calloc(a->count, sizeof *m->appended.lens);
		WR_ASSERT(m->appended.lines && m->appended.lens);
		for (size_t i = 0; i < a->count; i++) {
			m->appended.lines[i] = strndup(a->lines[i], a->lens[i]);
			WR_ASSERT(m->appended.lines[i]);
			m->appended.lens[i] = a->lens[i];
		}
		m->appended.count = a->count;
	}
	WR_ASSERT(wr_queue_push(e->inbox, m)); /* there is room by construction: api.c */
}

/* What a step prints is shown from its beginning; one step of an operation prints at a time. */
static void clear_output(engine *e, const char *operation_id, size_t index)
{
	live_output *l = NULL;
	for (size_t i = 0; i < LIVES && !l; i++)
		if (!strcmp(e->live[i].operation_id, operation_id)) l = &e->live[i];
	if (!l) l = &e->live[e->live_next++ % LIVES];
	memset(l, 0, sizeof *l);
	snprintf(l->operation_id, sizeof l->operation_id, "%s", operation_id);
	l->index = index;
}

/* Nothing was done, and that is known: the intent gets its result at once. */
static void not_started(engine *e, const wr_command *c, const char *why)
{
	msg *m = calloc(1, sizeof *m);
	WR_ASSERT(m);
	m->kind = MSG_REPORT;
	m->command = c->kind;
	memcpy(m->report.operation_id, c->operation_id, sizeof m->report.operation_id);
	m->report.index = c->index;
	m->report.attempt = c->attempt;
	m->report.undo = c->undo;
	m->report.outcome = c->kind == WR_CMD_PROBE ? WR_OUT_UNKNOWN : WR_OUT_FAILED;
	m->report.exit_code = -1;
	snprintf(m->report.error, sizeof m->report.error, "not started: %.150s", why);
	list_add(&e->reports, m);
}

/* The disk may have taken its time over the intent: what ran out meanwhile is not begun (law 2). */
static bool still_approved(const engine *e, const wr_command *c)
{
	wr_quorum q = {0};
	const wr_op *op = wr_state_op(e->state, c->operation_id);
	if (c->kind != WR_CMD_START || c->undo || !wr_json_bool(c->step, "guarded", true)) return true;
	if (op) wr_quorum_eval(&q, e->cfg, op, wr_wall_us(e->clock));
	return op && q.met;
}

static void run_command(engine *e, const wr_command *c)
{
	/* Going down: an intent whose step was not begun is uncertain at the next start. */
	if (!e->runner) return;
	if (c->kind == WR_CMD_CANCEL) {
		wr_runner_cancel(e->runner, c->operation_id, c->index);
		return;
	}
	if (!still_approved(e, c)) {
		not_started(e, c, "the approvals ran out while the ledger was being written");
		return;
	}
	wr_job *job = calloc(1, sizeof *job);
	WR_ASSERT(job);
	job->kind = c->kind;
	memcpy(job->operation_id, c->operation_id, sizeof job->operation_id);
	job->index = c->index;
	job->attempt = c->attempt;
	job->undo = c->undo;
	memcpy(job->idempotency_key, c->idempotency_key, sizeof job->idempotency_key);
	job->epoch = e->epoch;
	job->step = json_deep_copy(c->step);
	WR_ASSERT(job->step);
	clear_output(e, c->operation_id, c->index);
	wr_err err = {0};
	if (wr_runner_submit(e->runner, job, &err) == 0) return;
	json_decref(job->step);
	free(job);
	not_started(e, c, err.msg);
}

/* Finish what caused the unit: answer its request, free its message. `why` NULL: it is durable. */
static void settle(engine *e, msg *cause, const wr_err *why, bool unknown)
{
	if (!cause) return;
	if (cause->kind == MSG_REQUEST) {
		request *r = cause->request;
		if (e->flight_refused)
			request_refused(e, r, &e->flight_refusal);
		else if (!why)
			request_accepted(e, r, &e->flight_sign);
		else
			request_error(e, r, 503, wr_err_name(why->code), "", "%s: %s",
			              unknown ? "it is not known whether this is recorded; see after the "
			                        "engine's restart"
			                      : "not recorded, so not accepted",
			              why->msg);
	}
	msg_free(cause);
}

static void unit_durable(engine *e, msg *cause, const appended *a)
{
	e->banner[0] = '\0';
	e->append_retry_ms = 0;
	e->start_due = false;
	if (e->flight_plan) {
		char hash[WR_HEX_LEN], words[WR_WORDS_LEN];
		if (wr_plan_hash(e->flight_plan, hash, words, NULL) == 0)
			wr_state_put_plan(e->state, hash, json_incref(e->flight_plan));
		draft *d = engine_draft(e, e->flight_sign.operation_id);
		if (d) draft_clear(d);
	}
	engine_catch_up(e, a->first_seq);
	for (size_t i = 0; i < a->count; i++) fold_line(e, a->lines[i], a->lens[i]);
	/* Who is told "accepted" must find it in the very next state. */
	if (cause && cause->kind == MSG_REQUEST) engine_publish(e, true);
	settle(e, cause, NULL, false);
	for (size_t i = 0; i < e->flight.command_count; i++) run_command(e, &e->flight.commands[i]);
	e->tick_due = true;
}

static void unit_failed(engine *e, msg *cause, const appended *a)
{
	snprintf(e->banner, sizeof e->banner, "LEDGER CANNOT WRITE: %.200s", a->err.msg);
	wr_log(WR_LOG_ERROR, "ledger", "append failed: %s", a->err.msg);
	e->append_retry_ms = wr_mono_ms(e->clock) + RETRY_MS;
	e->tick_due = true;
	if (cause && cause->kind == MSG_REPORT)
		/* What a step did must not be forgotten: first in line for the next try. */
		list_add_first(&e->reports, cause);
	else
		settle(e, cause, &a->err, a->status == WR_APPEND_UNKNOWN);
}

void engine_appended(engine *e, const appended *a)
{
	WR_ASSERT(e->in_flight);
	e->in_flight = false;
	e->dirty = true;
	msg *cause = e->flight_msg;
	e->flight_msg = NULL;
	if (a->status == WR_APPEND_DONE)
		unit_durable(e, cause, a);
	else
		unit_failed(e, cause, a);
	json_decref(e->flight_plan);
	e->flight_plan = NULL;
	wr_effects_clear(&e->flight);
}

/* A proposal's plan is a blob that must be there before the receipt that names it. */
static int store_plan(engine *e, const json_t *plan, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	char hex[WR_HEX_LEN];
	int rc = wr_canon_write(&text, plan, err);
	if (rc == 0 && !wr_buf_ok(&text))
		rc = wr_fail(err, WR_E_LIMIT, "the plan is larger than %u bytes", WR_BLOB_MAX);
	if (rc == 0) rc = wr_blob_put(e->ledger, text.data, text.len, hex, err);
	wr_buf_free(&text);
	return rc;
}

/* From where a person approved is kept beside the approval (seat.c). */
static void put_seat(wr_effects *fx, const peer *from)
{
	char text[PEER_TEXT];
	peer_write(from, text);
	for (size_t i = 0; i < fx->receipt_count && *text; i++)
		if (!strcmp(wr_json_str(fx->receipts[i], "operation", ""), "approval_recorded"))
			(void)json_object_set_new(fx->receipts[i], "seat", json_string(text));
}

/* When nothing is to be recorded the loop sleeps until something may be. */
static void sleep_until(engine *e, int64_t wake_us, int64_t now_us)
{
	if (!wake_us) return;
	int64_t in_ms = (wake_us - now_us) / 1000;
	if (in_ms < WAKE_LEAST_MS) in_ms = WAKE_LEAST_MS;
	int64_t at_ms = wr_mono_ms(e->clock) + in_ms;
	if (at_ms < e->next_tick_ms) e->next_tick_ms = at_ms;
}

static void submit(engine *e, msg *cause)
{
	wr_effects *fx = &e->flight;
	wr_err err = {0};
	size_t n = fx->receipt_count;
	e->in_flight = true;
	e->flight_msg = cause;
	fx->receipt_count = 0; /* the ledger owns the drafts from here */
	if (wr_ledger_submit(e->ledger, fx->receipts, n, e->epoch, on_appended, e, &err) == 0) return;
	appended failed = {.status = WR_APPEND_UNAVAILABLE, .err = err};
	engine_appended(e, &failed);
}

void engine_decide(engine *e, const wr_event *ev, msg *cause)
{
	WR_ASSERT(!e->in_flight);
	wr_effects *fx = &e->flight;
	int64_t now = wr_wall_us(e->clock);
	wr_err err = {0};
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	engine_catch_up(e, head.count);
	memset(fx, 0, sizeof *fx);
	wr_decide(e->state, e->world, ev, now, fx);
	bool asked = ev->kind == WR_EV_PROPOSE || ev->kind == WR_EV_SIGNED;
	/* Refused; but a refusal may still have something to record (drift voids the plan). */
	e->flight_refused = asked && !fx->accepted;
	if (e->flight_refused) e->flight_refusal = fx->refusal;
	if (asked) {
		e->flight_sign = *ev->sign;
		e->flight_sign.text = e->flight_sign.signature = e->flight_sign.note = NULL;
		put_seat(fx, &cause->request->from);
	}
	if (asked && fx->accepted && ev->kind == WR_EV_PROPOSE) {
		if (store_plan(e, ev->draft_plan, &err) != 0) {
			settle(e, cause, &err, false);
			wr_effects_clear(fx);
			return;
		}
		e->flight_plan = json_deep_copy(ev->draft_plan);
		WR_ASSERT(e->flight_plan);
	}
	if (fx->receipt_count) {
		submit(e, cause);
		return;
	}
	if (ev->kind == WR_EV_STARTED) e->start_due = false;
	if (ev->kind == WR_EV_TICK) sleep_until(e, fx->wake_us, now);
	for (size_t i = 0; i < fx->command_count; i++) run_command(e, &fx->commands[i]);
	settle(e, cause, NULL, false);
	wr_effects_clear(fx);
}
