/* run.c: driving operations: what each event means for them. Pure.
 *
 * One transition at a time; what follows is decided when that one is folded. A step that runs is
 * never interrupted by hold: it finishes, and nothing new starts. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define PROBE_DONE_TEXT "probe: it was done"

/* ---- after a start ---- */

static void restart_op(wr_decision *d, const wr_op *op)
{
	bool moving = op->state == WR_OP_RUNNING || op->state == WR_OP_ROLLING_BACK;
	for (size_t i = 0; i < op->step_count && wr_room(d); i++) {
		const wr_op_step *st = &op->steps[i];
		if (st->intent_open)
			wr_emit_uncertain(d, op, i,
			                  st->kind == WR_STEP_SOAK ? "engine restarted: the soak starts over"
			                                           : "engine restarted");
		else if (st->probe_open && (moving || op->abort_requested))
			wr_emit_probe(d, op, i);
	}
}

void wr_decide_started(wr_decision *d)
{
	const wr_op *ops[WR_OPS_KEPT];
	size_t n = wr_state_ops(d->s, ops, WR_OPS_KEPT);
	for (size_t i = 0; i < n; i++)
		if (wr_rule_for(ops[i]->state, "started")) restart_op(d, ops[i]);
	wr_wake(d, d->now_us);
}

/* ---- reports ---- */

static bool refuse_report(wr_decision *d, const char *fmt, ...) WR_PRINTF(2, 3);

static bool refuse_report(wr_decision *d, const char *fmt, ...)
{
	char why[160];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(why, sizeof why, fmt, ap) < 0) why[0] = '\0';
	va_end(ap);
	const wr_step_report *rep = d->ev->report;
	d->out->accepted = false;
	d->out->refusal.code = WR_E_CONFLICT;
	wr_put(d->out->refusal.msg, sizeof d->out->refusal.msg,
	       "A-REPORT: %s (%.*s, step %zu, %sattempt %d)", why, WR_ID_LEN, rep->operation_id,
	       rep->index + 1, rep->undo ? "undo, " : "", rep->attempt);
	return false;
}

static bool fits_attempt(wr_decision *d, const wr_op *op, const char *event)
{
	const wr_step_report *rep = d->ev->report;
	if (!op) return refuse_report(d, "no such operation");
	if (!wr_rule_for(op->state, event))
		return refuse_report(d, "the operation is over: %s", wr_op_state_name(op->state));
	if (rep->index >= op->step_count)
		return refuse_report(d, "no such step: there are %zu", op->step_count);
	const wr_op_step *st = &op->steps[rep->index];
	if (st->attempts != rep->attempt || st->undo != rep->undo)
		return refuse_report(d, "the newest is %sattempt %d", st->undo ? "undo, " : "",
		                     st->attempts);
	if (!st->intent_open && st->state != WR_SS_UNCERTAIN)
		return refuse_report(d, "the attempt is closed: %s", wr_step_state_name(st->state));
	/* Law 7: a gate passes on evidence, and what a person ticks off no machine does. */
	if (st->kind == WR_STEP_SOAK || st->kind == WR_STEP_MANUAL)
		return refuse_report(d, "no report ends a %s step", wr_step_kind_name(st->kind));
	return true;
}

static const wr_op *reported(wr_decision *d, const char *event)
{
	const wr_op *op = wr_state_op(d->s, d->ev->report->operation_id);
	if (!fits_attempt(d, op, event)) return NULL;
	d->out->accepted = true;
	return op;
}

static void emit_notification(wr_decision *d, const wr_op *op, size_t index, const char *outcome)
{
	const json_t *notify = json_object_get(wr_op_plan_step(op, index), "notify");
	json_t *r = wr_draft(d, "notification_sent");
	char subject[200];
	wr_sanitise_to(subject, sizeof subject, wr_json_str(notify, "text", ""));
	wr_set_str(r, "channel", wr_json_str(notify, "channel", ""));
	wr_set_str(r, "subject", subject);
	wr_set_str(r, "outcome", outcome);
	wr_emit(d, r);
}

void wr_decide_result(wr_decision *d)
{
	const wr_step_report *rep = d->ev->report;
	const wr_op *op = reported(d, "result");
	if (!op) return;
	const wr_op_step *st = &op->steps[rep->index];
	step_view v;
	bool waits = wr_kind_waits(st->kind);
	if (rep->outcome == WR_OUT_UNKNOWN && !waits) {
		if (st->intent_open)
			wr_emit_uncertain(d, op, rep->index, rep->error[0] ? rep->error : "no answer");
		return;
	}
	const char *outcome = rep->outcome == WR_OUT_DONE ? "done" : "failed";
	wr_emit_result(d, op, rep->index, outcome, rep, rep->error);
	if (!rep->undo && wr_step_view(&v, op, rep->index, false) && v.kind == WR_STEP_NOTIFY)
		emit_notification(d, op, rep->index, outcome);
}

static const char *blind_rule(const wr_op *op)
{
	if (op->state == WR_OP_HELD) return "H-PROBE-BLIND";
	return op->state == WR_OP_RUNNING ? "R-PROBE-BLIND" : "B-PROBE-BLIND";
}

void wr_decide_probed(wr_decision *d)
{
	const wr_step_report *rep = d->ev->report;
	const wr_op *op = reported(d, "probed");
	if (!op) return;
	const wr_op_step *st = &op->steps[rep->index];
	if (st->intent_open) {
		refuse_report(d, "it went on without the probe");
		return;
	}
	if (rep->outcome == WR_OUT_UNKNOWN) {
		if (op->state == WR_OP_HELD && !strcmp(op->held_rule, HOLD_UNCERTAIN)) return;
		wr_hold(d, op, blind_rule(op), HOLD_UNCERTAIN,
		        "the probe of %s cannot tell: two people rule (%.80s)",
		        wr_op_step_name(op, rep->index), rep->error);
		return;
	}
	/* The probe says whether the step is in effect; a rollback has happened when it is not. */
	bool in_effect = rep->outcome == WR_OUT_DONE, done = in_effect != rep->undo;
	wr_step_report told = *rep;
	told.duration_ms = 0;
	wr_put(told.output, sizeof told.output, "%s",
	       done ? rep->undo ? "probe: it was undone" : PROBE_DONE_TEXT : "");
	wr_emit_result(d, op, rep->index, done ? "done" : "failed", &told,
	               done        ? ""
	               : rep->undo ? "probe: it was not undone"
	                           : "probe: it was not done");
}

/* ---- before the start ---- */

static bool has_deny(const wr_op *op, const char **who)
{
	for (size_t i = 0; i < op->approval_count; i++) {
		if (strcmp(op->approvals[i].decision, "deny") != 0) continue;
		*who = op->approvals[i].principal;
		return true;
	}
	return false;
}

static bool guards_block(const wr_decision *d, const wr_op *op)
{
	wr_guards g;
	int from = wr_region_index(d->cfg, op->from), to = wr_region_index(d->cfg, op->to);
	if (from < 0 || to < 0) return true;
	wr_guards_eval(&g, d->s, d->w, op->kind, (size_t)from, (size_t)to, op->group, op, d->now_us);
	return g.blocking > 0;
}

static void emit_started(wr_decision *d, const wr_op *op, size_t have)
{
	json_t *r = wr_transition(d, op, "Q-START", "%zu approvals, and no guard blocks", have);
	int from = wr_region_index(d->cfg, op->from);
	int64_t impact_us = 0;
	if (op->kind == WR_RB_FAILOVER) {
		if (from >= 0) impact_us = d->s->regions[from].impact_us;
		if (!impact_us && from >= 0) impact_us = d->w->regions[from].first_bad_us;
		if (!impact_us) wr_state_incident(d->s, &impact_us);
	}
	wr_set_str(r, "plan_hash", op->plan_hash);
	wr_set_int(r, "rto_ms", wr_json_int(op->plan, "rto_ms", 0));
	wr_set_time(r, "impact_started", impact_us);
	wr_emit(d, r);
}

static void wait_for_start(wr_decision *d, const wr_op *op)
{
	bool proposed = op->state == WR_OP_PROPOSED;
	const char *who = "";
	wr_quorum q;
	wr_quorum_eval(&q, d->cfg, op, d->now_us);
	if (has_deny(op, &who)) {
		wr_emit(d, wr_transition(d, op, proposed ? "P-DENIED" : "Q-DENIED", "denied by %s", who));
	} else if (wr_drifted(d, op)) {
		wr_emit(d, wr_transition(d, op, proposed ? "P-DRIFT" : "Q-DRIFT",
		                         "plan drift: the plan would be another one now"));
	} else if (!q.met && !proposed) {
		wr_emit(d, wr_transition(d, op, "Q-EXPIRE", "the approvals ran out before it could start"));
	} else if (!q.met && d->now_us >= op->expires_us) {
		wr_emit(d, wr_transition(d, op, "P-EXPIRE", "%zu of %zu approvals were valid at its end",
		                         q.have, q.need));
	} else if (!q.met) {
		wr_wake(d, op->expires_us);
		wr_wake(d, q.first_expiry_us);
	} else if (!op->plan || guards_block(d, op)) {
		wr_wake(d, q.first_expiry_us); /* starts by itself when nothing blocks any more */
	} else if (proposed) {
		wr_emit(d, wr_transition(d, op, "P-QUORUM", "%zu of %zu approvals", q.have, q.need));
	} else {
		emit_started(d, op, q.have);
	}
}

/* ---- under way ---- */

static void gave_up(wr_decision *d, const wr_op *op, size_t index)
{
	const wr_op_step *st = &op->steps[index];
	step_view v;
	char why[200];
	if (!wr_step_view(&v, op, index, false)) return;
	bool unclear = st->state == WR_SS_UNCERTAIN;
	wr_put(why, sizeof why, "step %s %s after %d attempt%s: %.100s", v.name,
	       unclear ? "is uncertain" : "failed", st->attempts, st->attempts == 1 ? "" : "s",
	       st->error);
	switch (v.on_failure) {
	case WR_FAIL_CONTINUE:
		wr_emit_result(d, op, index, "skipped", NULL, why);
		break;
	case WR_FAIL_ROLLBACK:
	case WR_FAIL_ABORT:
		wr_back_off(d, op, why);
		break;
	default:
		wr_hold(d, op, "R-CHECK", unclear ? HOLD_UNCERTAIN : HOLD_FAILED,
		        "%s; resume to try again, abort, or two people rule on it", why);
	}
}

/* An abort has to know what was done before it can go back. */
static void settle_doubt(wr_decision *d, const wr_op *op, size_t index, const step_view *v)
{
	const wr_op_step *st = &op->steps[index];
	bool asks_people = !strcmp(op->held_rule, HOLD_UNCERTAIN);
	if (v->step_class == WR_PROBEABLE && v->has_probe && !asks_people) {
		if (!st->probe_open) wr_emit_probe(d, op, index);
		if (!st->probe_open || d->now_us < st->probe_us + wr_step_patience_us(v)) return;
	}
	if (op->state == WR_OP_RUNNING || !asks_people)
		wr_hold(d, op, op->state == WR_OP_RUNNING ? "R-CHECK" : "H-RULING", HOLD_UNCERTAIN,
		        "aborting, but whether %s was done is unknown: two people rule", v->name);
}

/* Abort was asked for: end what only waits, wait for what acts, settle what is uncertain, go back.
 */
static void progress_abort(wr_decision *d, const wr_op *op)
{
	for (size_t i = 0; i < op->step_count; i++) {
		const wr_op_step *st = &op->steps[i];
		step_view v;
		if (!wr_step_view(&v, op, i, false)) continue;
		if (st->intent_open && (v.kind == WR_STEP_SOAK || v.kind == WR_STEP_MANUAL)) {
			wr_emit_result(d, op, i, "failed", NULL, "ended by abort");
			return;
		}
		if (st->intent_open) {
			wr_step_settle(d, op, i);
			return;
		}
		if (st->state != WR_SS_UNCERTAIN || wr_kind_waits(v.kind) || v.step_class == WR_IDEMPOTENT)
			continue;
		settle_doubt(d, op, i, &v);
		return;
	}
	wr_back_off(d, op, "abort was asked for");
}

static void progress_running(wr_decision *d, const wr_op *op)
{
	if (!op->plan) {
		wr_hold(d, op, "R-CHECK", HOLD_PLAN, "the plan %.16s… is missing or damaged",
		        op->plan_hash);
		return;
	}
	if (op->abort_requested) {
		progress_abort(d, op);
		return;
	}
	int i = wr_op_current(op);
	if (i < 0)
		wr_finish_complete(d, op);
	else if (wr_step_advance(d, op, (size_t)i, false) == STEP_GAVE_UP)
		gave_up(d, op, (size_t)i);
}

static void progress_back(wr_decision *d, const wr_op *op)
{
	if (!op->plan)
		wr_hold(d, op, "B-CHECK", HOLD_PLAN, "the plan %.16s… is missing or damaged",
		        op->plan_hash);
	else
		wr_back_advance(d, op);
}

/* ---- held ---- */

static bool may_rule(const wr_config *cfg, const wr_op *op, const wr_approval *a)
{
	const wr_operator *who = wr_config_operator(cfg, a->principal);
	return who && wr_operator_holds(who, a->role) &&
	       wr_role_wanted(wr_policy(cfg, op->kind), a->role);
}

static bool counts_as_ruling(const wr_config *cfg, const wr_op *op, const wr_approval *a,
                             const wr_op_step *st, int64_t at_us)
{
	return !strncmp(a->decision, "rule:", 5) && wr_approval_lives(a, at_us) &&
	       a->seq > op->held_seq && a->seq > st->ruled_seq && (!cfg || may_rule(cfg, op, a));
}

bool wr_find_ruling(const wr_config *cfg, const wr_op *op, size_t index, const char *name,
                    int64_t at_us, const wr_approval **one, const wr_approval **two)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		if (!counts_as_ruling(cfg, op, a, &op->steps[index], at_us)) continue;
		if (strncmp(a->decision + 5, name, len) != 0 ||
		    strrchr(a->decision, ':') != a->decision + 5 + len)
			continue;
		for (size_t k = i + 1; k < op->approval_count; k++) {
			const wr_approval *b = &op->approvals[k];
			if (strcmp(a->decision, b->decision) != 0 ||
			    !counts_as_ruling(cfg, op, b, &op->steps[index], at_us))
				continue;
			if (!strcmp(a->principal, b->principal) || !strcmp(a->fingerprint, b->fingerprint))
				continue;
			*one = a;
			*two = b;
			return true;
		}
	}
	return false;
}

bool wr_ruling_fits(const wr_op *op, size_t index, const char *what)
{
	const wr_op_step *st = &op->steps[index];
	bool skip = !strcmp(what, "skip");
	bool open_question =
	    st->state == WR_SS_UNCERTAIN || st->state == WR_SS_FAILED || st->state == WR_SS_UNDO_FAILED;
	step_view v;
	/* A fence that was passed over, or proved before the other side came back. */
	bool fence = wr_step_view(&v, op, index, false) && v.phase == WR_PHASE_FENCE &&
	             !strcmp(op->held_rule, HOLD_FENCE) && op->held_from == WR_OP_RUNNING &&
	             (st->state == WR_SS_SKIPPED || st->state == WR_SS_DONE);
	if (st->intent_open) return false;
	return fence || (wr_op_current(op) == (int)index && (open_question || skip));
}

static bool progress_ruling(wr_decision *d, const wr_op *op)
{
	const wr_approval *one, *two;
	for (size_t i = 0; i < op->step_count; i++) {
		if (op->steps[i].intent_open ||
		    !wr_find_ruling(d->cfg, op, i, wr_op_step_name(op, i),
		                    d->now_us + WR_APPROVAL_MARGIN_US, &one, &two) ||
		    !wr_ruling_fits(op, i, strrchr(one->decision, ':') + 1))
			continue;
		char by[160];
		wr_put(by, sizeof by, "%s,%s", one->principal, two->principal);
		bool back = op->held_from == WR_OP_ROLLING_BACK;
		json_t *r = wr_draft(d, "step_ruled");
		wr_set_str(r, "operation_id", op->id);
		wr_set_str(r, "step", wr_op_step_name(op, i));
		wr_set_int(r, "index", (int64_t)i);
		wr_set_bool(r, "undo", back);
		wr_set_str(r, "ruling", strrchr(one->decision, ':') + 1);
		wr_set_str(r, "by", by);
		wr_emit(d, r);
		return true;
	}
	return false;
}

/* Is what held it settled by signatures (or by a late report), without a resume? */
static bool settled(const wr_decision *d, const wr_op *op)
{
	bool back = op->held_from == WR_OP_ROLLING_BACK, ruled = false, doubt = false;
	for (size_t i = 0; i < op->step_count; i++) {
		const wr_op_step *st = &op->steps[i];
		step_view v;
		ruled = ruled || (st->ruled_seq > op->held_seq);
		if (st->state == WR_SS_UNCERTAIN && wr_step_view(&v, op, i, st->undo)) doubt = true;
	}
	if (!strcmp(op->held_rule, HOLD_APPROVALS)) {
		wr_quorum q;
		if (back)
			wr_quorum_back(&q, d->cfg, op);
		else
			wr_quorum_eval(&q, d->cfg, op, d->now_us + WR_APPROVAL_MARGIN_US);
		return q.met;
	}
	if (!strcmp(op->held_rule, HOLD_UNCERTAIN)) return !doubt;
	return ruled && (!strcmp(op->held_rule, HOLD_FENCE) || !strcmp(op->held_rule, HOLD_FAILED) ||
	                 !strcmp(op->held_rule, HOLD_UNDO) || !strcmp(op->held_rule, HOLD_TRAFFIC));
}

static void progress_held(wr_decision *d, const wr_op *op)
{
	bool back = op->held_from == WR_OP_ROLLING_BACK;
	if (!op->plan) return; /* abort ends it, or the plan's blob is put back */
	if (progress_ruling(d, op)) return;
	size_t before = d->out->receipt_count;
	for (size_t i = 0; i < op->step_count; i++) wr_step_settle(d, op, i);
	if (d->out->receipt_count != before) return;
	if (op->abort_requested && !back) {
		progress_abort(d, op);
		return;
	}
	if (settled(d, op))
		wr_emit(d, wr_transition(d, op, back ? "H-LIFT-BACK" : "H-LIFT-RUN",
		                         "what held it is settled (%s)", op->held_rule));
}

void wr_decide_operations(wr_decision *d)
{
	const wr_op *ops[WR_OPS_KEPT];
	size_t n = wr_state_ops(d->s, ops, WR_OPS_KEPT);
	for (size_t i = n; i-- > 0;) {
		const wr_op *op = ops[i];
		if (wr_room(d) < 8) return; /* the rest at the next tick, which is due at once */
		if (wr_take_up(d, op)) continue;
		switch (op->state) {
		case WR_OP_PROPOSED:
		case WR_OP_APPROVED:
			wait_for_start(d, op);
			break;
		case WR_OP_RUNNING:
			progress_running(d, op);
			break;
		case WR_OP_HELD:
			progress_held(d, op);
			break;
		case WR_OP_ROLLING_BACK:
			progress_back(d, op);
			break;
		default:
			break;
		}
	}
}
