/* step.c: one step of an operation in one direction: its intent, its retries, its doubts. Pure.
 *
 * Law 3: an attempt whose end is unknown is uncertain. Idempotent steps go again with the same key,
 * probeable ones are probed, all others wait for a ruling by two. What only waits (wait, soak,
 * manual) has changed nothing, and starts over. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/json.h"

#define BACKOFF_MAX_MS     30000
#define REPORT_GRACE_MS    15000 /* past its timeout a runner has reported long since */
#define TIMEOUT_DEFAULT_MS 30000

static json_t *step_draft(const wr_decision *d, const char *operation, const wr_op *op,
                          size_t index)
{
	json_t *r = wr_draft(d, operation);
	wr_set_str(r, "operation_id", op->id);
	wr_set_str(r, "step", wr_op_step_name(op, index));
	wr_set_int(r, "index", (int64_t)index);
	return r;
}

static json_t *attempt_draft(const wr_decision *d, const char *operation, const wr_op *op,
                             size_t index, int attempt, bool undo)
{
	json_t *r = step_draft(d, operation, op, index);
	wr_set_int(r, "attempt", attempt);
	wr_set_bool(r, "undo", undo);
	return r;
}

void wr_emit_result(wr_decision *d, const wr_op *op, size_t index, const char *outcome,
                    const wr_step_report *rep, const char *error)
{
	const wr_op_step *st = &op->steps[index];
	json_t *r = attempt_draft(d, "step_result", op, index, st->attempts, st->undo);
	wr_set_str(r, "outcome", outcome);
	wr_set_int(r, "status", rep ? rep->status : 0);
	wr_set_int(r, "exit_code", rep ? rep->exit_code : -1);
	int64_t took_ms = st->intent_us ? (d->now_us - st->intent_us) / US_PER_MS : 0;
	wr_set_int(r, "duration_ms", rep && rep->duration_ms > 0 ? rep->duration_ms : took_ms);
	wr_set_str(r, "output", rep ? rep->output : "");
	wr_set_str(r, "error", error);
	wr_emit(d, r);
}

void wr_emit_uncertain(wr_decision *d, const wr_op *op, size_t index, const char *reason)
{
	const wr_op_step *st = &op->steps[index];
	json_t *r = attempt_draft(d, "step_uncertain", op, index, st->attempts, st->undo);
	wr_set_str(r, "reason", reason);
	wr_emit(d, r);
}

void wr_hold(wr_decision *d, const wr_op *op, const char *rule, const char *cause, const char *fmt,
             ...)
{
	char why[256];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(why, sizeof why, fmt, ap) < 0) why[0] = '\0';
	va_end(ap);
	json_t *r = wr_transition(d, op, rule, "%s", why);
	wr_set_str(r, "rule", cause);
	wr_emit(d, r);
}

static const char *check_rule(const wr_op *op)
{
	return op->state == WR_OP_ROLLING_BACK ? "B-CHECK" : "R-CHECK";
}

/* ---- commands ---- */

static wr_command *command(wr_decision *d, wr_command_kind kind, const wr_op *op, size_t index,
                           int attempt, bool undo)
{
	WR_ASSERT(d->out->command_count < WR_MAX_EFFECTS);
	wr_command *c = &d->out->commands[d->out->command_count++];
	*c = (wr_command){.kind = kind,
	                  .index = index,
	                  .attempt = attempt,
	                  .undo = undo,
	                  .step = wr_op_plan_step(op, index)};
	wr_put(c->operation_id, sizeof c->operation_id, "%s", op->id);
	const char *name = wr_op_step_name(op, index), *way = undo ? "undo" : "do";
	/* A long name gives way to its number: the key must be whole, or two steps could share one. */
	if (strlen(op->id) + strlen(name) + strlen(way) + 3 <= sizeof c->idempotency_key)
		wr_put(c->idempotency_key, sizeof c->idempotency_key, "%s/%s/%s", op->id, name, way);
	else
		wr_put(c->idempotency_key, sizeof c->idempotency_key, "%s/#%zu/%s", op->id, index, way);
	return c;
}

static bool full(const wr_decision *d)
{
	return wr_room(d) < 4 || d->out->command_count + 2 > WR_MAX_EFFECTS;
}

bool wr_emit_probe(wr_decision *d, const wr_op *op, size_t index)
{
	const wr_op_step *st = &op->steps[index];
	if (full(d)) return false;
	command(d, WR_CMD_PROBE, op, index, st->attempts, st->undo);
	if (!st->probe_open)
		wr_emit(d, attempt_draft(d, "step_probing", op, index, st->attempts, st->undo));
	return true;
}

/* ---- intents ---- */

static void set_baseline(const wr_decision *d, json_t *r, const json_t *soak)
{
	wr_buf list = WR_BUF_INIT(50u << 10);
	size_t i;
	json_t *gate;
	json_array_foreach (json_object_get(soak, "gates"), i, gate) {
		int64_t samples = 0;
		for (size_t k = 0; k < d->cfg->signal_count; k++)
			if (!strcmp(d->cfg->signals[k].name, json_string_value(gate)))
				samples = wr_evidence(&d->w->signals[k]);
		wr_buf_addf(&list, "%s%lld", i ? "," : "", (long long)samples);
	}
	wr_set_str(r, "baseline", wr_buf_ok(&list) ? wr_buf_cstr(&list) : "");
	wr_buf_free(&list);
}

static void emit_intent(wr_decision *d, const wr_op *op, size_t index, const step_view *v,
                        bool undo)
{
	const wr_op_step *st = &op->steps[index];
	int attempt = st->undo == undo ? st->attempts + 1 : 1;
	json_t *r = attempt_draft(d, "step_intent", op, index, attempt, undo);
	wr_set_str(r, "plan_hash", op->plan_hash);
	wr_set_str(r, "kind", wr_step_kind_name(v->kind));
	wr_set_str(r, "phase", wr_phase_name(v->phase));
	wr_set_str(r, "class", wr_step_class_text(v->step_class));
	wr_set_bool(r, "guarded", v->guarded);
	bool runs = v->kind != WR_STEP_SOAK && v->kind != WR_STEP_MANUAL;
	wr_command *c = command(d, WR_CMD_START, op, index, attempt, undo);
	wr_set_str(r, "idempotency_key", c->idempotency_key);
	if (!runs) d->out->command_count--; /* nothing to run: time or a person ends it */
	if (v->kind == WR_STEP_SOAK) set_baseline(d, r, v->action);
	wr_emit(d, r);
}

static step_next begin(wr_decision *d, const wr_op *op, size_t index, const step_view *v, bool undo)
{
	char why[256];
	if (full(d)) return STEP_BUSY;
	/* Just after a start nothing has been looked at yet: that is no reason to hold, nor to go on.
	 */
	if (v->guarded && (!wr_op_regions_warm(d, op) || wr_weights_awaited(d, v))) {
		wr_wake(d, d->now_us + US_PER_S);
		return STEP_BUSY;
	}
	const char *cause = wr_check_begin(d, op, index, v, undo, why, sizeof why);
	if (cause)
		wr_hold(d, op, check_rule(op), cause, "%s", why);
	else
		emit_intent(d, op, index, v, undo);
	return STEP_BUSY;
}

/* ---- retries ---- */

/* Exponential from backoff_ms to 30 s, ±20 % that depend on nothing but what is on record. */
static int64_t backoff_ms(const wr_op *op, size_t index, const step_view *v)
{
	const wr_op_step *st = &op->steps[index];
	int64_t ms = v->backoff_ms;
	for (int i = 1; i < st->attempts - st->attempts_free && ms < BACKOFF_MAX_MS; i++) ms *= 2;
	if (ms > BACKOFF_MAX_MS) ms = BACKOFF_MAX_MS;
	char seed[96];
	uint8_t hash[WR_HASH_LEN];
	wr_put(seed, sizeof seed, "%s/%zu/%d/%d", op->id, index, st->attempts, st->undo);
	wr_sha256(hash, seed, strlen(seed));
	int64_t jitter = (int64_t)(hash[0] << 8 | hash[1]) % 401 - 200; /* per mille */
	return ms + ms * jitter / 1000;
}

static step_next again(wr_decision *d, const wr_op *op, size_t index, const step_view *v, bool undo)
{
	const wr_op_step *st = &op->steps[index];
	int allowed = 1 + v->retries, used = st->attempts - st->attempts_free;
	if (st->was_uncertain && allowed < 2) allowed = 2;
	if (used >= allowed) return STEP_GAVE_UP;
	if (used > 0) {
		int64_t times[] = {st->result_us, st->uncertain_us}, since_us = 0;
		for (size_t i = 0; i < 2;
		     i++) /* a time to come is one from before the clock was set back */
			if (times[i] > since_us && times[i] <= d->now_us) since_us = times[i];
		int64_t due_us = since_us + backoff_ms(op, index, v) * US_PER_MS;
		if (d->now_us < due_us) {
			wr_wake(d, due_us);
			return STEP_BUSY;
		}
	}
	return begin(d, op, index, v, undo);
}

int64_t wr_step_patience_us(const step_view *v)
{
	return ((v->timeout_ms > 0 ? v->timeout_ms : TIMEOUT_DEFAULT_MS) + REPORT_GRACE_MS) * US_PER_MS;
}

static step_next doubt(wr_decision *d, const wr_op *op, size_t index, const step_view *v, bool undo)
{
	const wr_op_step *st = &op->steps[index];
	if (wr_kind_waits(v->kind) || v->step_class == WR_IDEMPOTENT)
		return again(d, op, index, v, undo);
	const char *what = undo ? "was undone" : "was done";
	if (v->step_class == WR_PROBEABLE && v->has_probe) {
		int64_t until_us = st->probe_us + wr_step_patience_us(v);
		if (!st->probe_open)
			wr_emit_probe(d, op, index);
		else if (d->now_us < until_us)
			wr_wake(d, until_us);
		else
			wr_hold(d, op, check_rule(op), HOLD_UNCERTAIN,
			        "whether %s %s is unknown, and the probe does not answer: two people rule",
			        v->name, what);
		return STEP_BUSY;
	}
	wr_hold(d, op, check_rule(op), HOLD_UNCERTAIN,
	        "whether %s %s is unknown (%.80s), and nothing can tell: two people rule", v->name,
	        what, st->error);
	return STEP_BUSY;
}

/* ---- what is under way ---- */

static void settle_soak(wr_decision *d, const wr_op *op, size_t index, const step_view *v)
{
	const wr_op_step *st = &op->steps[index];
	wr_gate gate;
	wr_gate_eval(&gate, op, index, d->w, d->now_us);
	int64_t most_ms = wr_json_int(v->action, "duration_ms", 0);
	if (v->timeout_ms > most_ms) most_ms = v->timeout_ms;
	int64_t end_us = st->soak_started_us + most_ms * US_PER_MS;
	if (gate.verdict == WR_PASS) {
		wr_step_report rep = {.exit_code = -1};
		wr_put(rep.output, sizeof rep.output, "%s", gate.text);
		wr_emit_result(d, op, index, "done", &rep, "");
	} else if (gate.verdict == WR_FAIL || d->now_us >= end_us) {
		wr_emit_result(d, op, index, "failed", NULL, gate.text);
	} else {
		wr_wake(d, gate.to_verdict_ms > 0 ? d->now_us + gate.to_verdict_ms * US_PER_MS : end_us);
	}
}

static void settle_manual(wr_decision *d, const wr_op *op, size_t index)
{
	wr_step_report rep = {.exit_code = -1};
	int64_t newest = -1;
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		if (strncmp(a->decision, "tick:", 5) != 0 || a->seq < newest ||
		    strcmp(a->decision + 5, wr_op_step_name(op, index)) != 0)
			continue;
		newest = a->seq;
		wr_put(rep.output, sizeof rep.output, "ticked off by %s", a->principal);
	}
	wr_emit_result(d, op, index, "done", &rep, "");
}

void wr_step_settle(wr_decision *d, const wr_op *op, size_t index)
{
	const wr_op_step *st = &op->steps[index];
	step_view v;
	if (!st->intent_open || full(d) || !wr_step_view(&v, op, index, st->undo)) return;
	if (v.kind == WR_STEP_SOAK) {
		settle_soak(d, op, index, &v);
	} else if (v.kind == WR_STEP_MANUAL) {
		if (st->ticked) settle_manual(d, op, index);
	} else if (d->now_us >= st->intent_us + wr_step_patience_us(&v)) {
		command(d, WR_CMD_CANCEL, op, index, st->attempts, st->undo);
		wr_emit_uncertain(d, op, index, "no report came back, long after its timeout");
	} else {
		wr_wake(d, st->intent_us + wr_step_patience_us(&v));
	}
}

step_next wr_step_advance(wr_decision *d, const wr_op *op, size_t index, bool undo)
{
	const wr_op_step *st = &op->steps[index];
	step_view v;
	if (!wr_step_view(&v, op, index, undo)) {
		wr_hold(d, op, check_rule(op), HOLD_PLAN, "step %zu of the plan cannot be read", index + 1);
		return STEP_BUSY;
	}
	if (st->intent_open) {
		wr_step_settle(d, op, index);
		return STEP_BUSY;
	}
	if (st->undo != undo) return begin(d, op, index, &v, undo);
	switch (st->state) {
	case WR_SS_UNCERTAIN:
		return doubt(d, op, index, &v, undo);
	case WR_SS_FAILED:
	case WR_SS_UNDO_FAILED:
		return again(d, op, index, &v, undo);
	default:
		return begin(d, op, index, &v, undo);
	}
}
