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

#define RETRY_MS 1000 /* between appends while the ledger refuses */

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

void engine_fold_line(engine *e, const char *line, size_t len)
{
	wr_receipt r;
	wr_err err = {0};
	if (wr_receipt_parse(&r, line, len, false, &err) != WR_RF_OK) {
		wr_log(WR_LOG_ERROR, "engine", "cannot fold our own receipt: %s", err.msg);
		return;
	}
	wr_fold(e->state, &r);
	tail_line *t = &e->tail[e->tail_count++ % TAIL];
	t->seq = r.seq;
	wr_time_format(t->timestamp, r.timestamp_us);
	snprintf(t->operation, sizeof t->operation, "%s", r.operation);
	wr_receipt_str(&r, "actor", t->actor, sizeof t->actor);
	wr_hex(t->hash, r.hash, sizeof r.hash);
	receipt_sentence(&r, t->text, sizeof t->text);
}

const char *engine_steps_hash(engine *e, const wr_op *op)
{
	/* The configuration does not change while an engine runs: once per operation is enough. */
	if (!strcmp(e->drift_id, op->id)) return e->drift_hash;
	snprintf(e->drift_id, sizeof e->drift_id, "%s", op->id);
	e->drift_hash[0] = '\0';
	const wr_runbook *rb = wr_config_runbook(e->cfg, op->runbook);
	const wr_region *from = wr_config_region(e->cfg, op->from),
	                *to = wr_config_region(e->cfg, op->to);
	if (rb && from && to) {
		wr_err err = {0};
		json_t *plan =
		    wr_plan_make(e->cfg, e->state, e->world, rb, (size_t)(from - e->cfg->regions),
		                 (size_t)(to - e->cfg->regions), op->plan_hash, wr_wall_us(e->clock), &err);
		if (plan)
			snprintf(e->drift_hash, sizeof e->drift_hash, "%s",
			         wr_json_str(plan, "steps_hash", ""));
		else
			wr_log(WR_LOG_WARN, "engine", "%s cannot be planned any more: %s", op->id, err.msg);
		json_decref(plan);
	}
	return e->drift_hash;
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
	/* At most one unit is in flight, so the inbox always has room for its answer. */
	while (!wr_queue_push(e->inbox, m) && !atomic_load(&e->stopping)) {
	}
}

static void run_command(engine *e, const wr_command *c)
{
	if (c->kind == WR_CMD_CANCEL) {
		wr_runner_cancel(e->runner, c->operation_id, c->index);
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
	memset(&e->live, 0, sizeof e->live);
	snprintf(e->live.operation_id, sizeof e->live.operation_id, "%s", c->operation_id);
	e->live.index = c->index;
	wr_err err = {0};
	if (wr_runner_submit(e->runner, job, &err) == 0) return;
	/* Nothing was done, and that is known: the intent gets its result at once. */
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
	snprintf(m->report.error, sizeof m->report.error, "not started: %.150s", err.msg);
	json_decref(job->step);
	free(job);
	if (!wr_queue_push(e->inbox, m)) wr_die("the engine's inbox is full");
}

/* Finish what caused the unit: answer its request, free its message. */
static void settle(engine *e, msg *cause, bool durable, const wr_err *why)
{
	if (!cause) return;
	if (cause->kind == MSG_REQUEST && durable)
		request_accepted(e, cause->request, &e->flight_sign);
	else if (cause->kind == MSG_REQUEST)
		request_error(e, cause->request, 503, wr_err_name(why->code), "",
		              "not recorded, so not accepted: %s", why->msg);
	msg_free(cause);
}

void engine_appended(engine *e, const appended *a)
{
	WR_ASSERT(e->in_flight);
	e->in_flight = false;
	e->dirty = true;
	msg *cause = e->flight_msg;
	e->flight_msg = NULL;
	if (a->status == WR_APPEND_DONE) {
		e->banner[0] = '\0';
		e->append_retry_ms = 0;
		if (e->flight_plan) {
			char hash[WR_HEX_LEN], words[WR_WORDS_LEN];
			if (wr_plan_hash(e->flight_plan, hash, words, NULL) == 0)
				wr_state_put_plan(e->state, hash, json_incref(e->flight_plan));
		}
		for (size_t i = 0; i < a->count; i++) engine_fold_line(e, a->lines[i], a->lens[i]);
		/* Who is told "accepted" must find it in the very next state. */
		if (cause && cause->kind == MSG_REQUEST) engine_publish(e, true);
		settle(e, cause, true, NULL);
		for (size_t i = 0; i < e->flight.command_count; i++) run_command(e, &e->flight.commands[i]);
		e->tick_due = true;
	} else {
		snprintf(e->banner, sizeof e->banner, "LEDGER CANNOT WRITE: %.200s", a->err.msg);
		wr_log(WR_LOG_ERROR, "ledger", "append failed: %s", a->err.msg);
		e->append_retry_ms = wr_mono_ms(e->clock) + RETRY_MS;
		if (cause && cause->kind == MSG_REPORT) {
			/* What a step did must not be forgotten: first in line for the next try. */
			cause->next = e->waiting_first;
			e->waiting_first = cause;
			if (!e->waiting_last) e->waiting_last = cause;
		} else {
			settle(e, cause, false, &a->err);
		}
	}
	if (e->flight_plan) json_decref(e->flight_plan);
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

void engine_decide(engine *e, const wr_event *ev, msg *cause)
{
	WR_ASSERT(!e->in_flight);
	wr_effects *fx = &e->flight;
	memset(fx, 0, sizeof *fx);
	wr_decide(e->state, e->world, ev, wr_wall_us(e->clock), fx);
	wr_err err = {0};
	bool asked = ev->kind == WR_EV_PROPOSE || ev->kind == WR_EV_SIGNED;
	if (asked) e->flight_sign = *ev->sign;
	e->flight_sign.text = e->flight_sign.signature = e->flight_sign.note = NULL;
	if (asked && !fx->accepted && cause && cause->kind == MSG_REQUEST) {
		/* Refused; but a refusal may still have something to record (drift voids the plan). */
		request_error(e, cause->request, 409, wr_err_name(fx->refusal.code), "", "%s",
		              fx->refusal.msg);
		msg_free(cause);
		cause = NULL;
	}
	if (asked && fx->accepted && ev->kind == WR_EV_PROPOSE) {
		if (store_plan(e, ev->draft_plan, &err) != 0) {
			settle(e, cause, false, &err);
			wr_effects_clear(fx);
			return;
		}
		e->flight_plan = json_deep_copy(ev->draft_plan);
	}
	if (!fx->receipt_count) {
		for (size_t i = 0; i < fx->command_count; i++) run_command(e, &fx->commands[i]);
		settle(e, cause, true, NULL);
		if (e->flight_plan) json_decref(e->flight_plan);
		e->flight_plan = NULL;
		wr_effects_clear(fx);
		return;
	}
	e->in_flight = true;
	e->flight_msg = cause;
	size_t n = fx->receipt_count;
	fx->receipt_count = 0; /* the ledger owns the drafts from here */
	if (wr_ledger_submit(e->ledger, fx->receipts, n, e->epoch, on_appended, e, &err) != 0) {
		appended failed = {.status = WR_APPEND_UNAVAILABLE, .err = err};
		engine_appended(e, &failed);
	}
}
