/* laws.h: the laws (DESIGN.md section 4), checked from the receipts alone and not from the code's
 * own state: each receipt as it is written, each command as it is taken up. */
#ifndef WARROOM_TEST_LAWS_H
#define WARROOM_TEST_LAWS_H

#include "lab.h"

static UNUSED int64_t law_time(const json_t *r, const char *key)
{
	int64_t us = 0;
	return wr_time_parse(lab_str(r, key), &us, NULL) == 0 ? us : 0;
}

static UNUSED bool law_of(const json_t *r, const char *operation, const char *op)
{
	return !strcmp(lab_str(r, "operation"), operation) && !strcmp(lab_str(r, "operation_id"), op);
}

static UNUSED bool law_of_step(const json_t *r, const char *operation, const json_t *like)
{
	return law_of(r, operation, lab_str(like, "operation_id")) &&
	       wr_json_int(r, "index", -1) == wr_json_int(like, "index", -2) &&
	       wr_json_bool(r, "undo", false) == wr_json_bool(like, "undo", false);
}

/* docs/receipts.md: an authorised guarded intent. */
static UNUSED void law_authorised(const lab *l, size_t at)
{
	const json_t *intent = l->receipts[at], *first = NULL;
	bool two = false, undo = wr_json_bool(intent, "undo", false);
	const char *op = lab_str(intent, "operation_id");
	int64_t when = law_time(intent, "timestamp");
	for (size_t i = 0; i < at; i++) {
		const json_t *a = l->receipts[i];
		if (!law_of(a, "approval_recorded", op)) continue;
		assert_string_not_equal(lab_str(a, "decision"), "deny");
		if (strcmp(lab_str(a, "decision"), "approve") != 0) continue;
		assert_string_equal(lab_str(a, "plan_hash"), lab_str(intent, "plan_hash"));
		if (!undo && law_time(a, "expires") < when) continue;
		if (!first)
			first = a;
		else if (strcmp(lab_str(a, "principal"), lab_str(first, "principal")) != 0 &&
		         strcmp(lab_str(a, "key_fingerprint"), lab_str(first, "key_fingerprint")) != 0)
			two = true;
	}
	if (!two) fail_msg("law 2: a guarded intent without two approvals: %s", l->lines[at]);
}

/* Law 3, and one at a time: what is said of the step since its last intent? */
static UNUSED void law_no_blind_retry(const lab *l, size_t at)
{
	const json_t *intent = l->receipts[at];
	const char *op = lab_str(intent, "operation_id");
	bool open = false, doubt = false;
	const json_t *last = NULL;
	for (size_t i = 0; i < at; i++) {
		const json_t *r = l->receipts[i];
		if (law_of(r, "step_intent", op)) {
			last = r;
			open = true;
			doubt = false;
		} else if (law_of(r, "step_result", op)) {
			open = doubt = false;
		} else if (law_of(r, "step_uncertain", op)) {
			open = false;
			doubt = true;
		} else if (law_of(r, "step_ruled", op)) {
			doubt = false;
		}
	}
	if (open) fail_msg("law 3: an intent while another is open: %s", l->lines[at]);
	if (!doubt) return;
	const char *kind = lab_str(last, "kind");
	bool waits = !strcmp(kind, "wait") || !strcmp(kind, "soak") || !strcmp(kind, "manual");
	if (waits || !strcmp(lab_str(last, "class"), "idempotent")) return;
	fail_msg("law 3: an uncertain %s step is passed over: %s", lab_str(last, "class"),
	         l->lines[at]);
}

static UNUSED bool law_step_settled(const lab *l, size_t at, const json_t *like, int64_t index)
{
	bool good = false;
	for (size_t i = 0; i < at; i++) {
		const json_t *r = l->receipts[i];
		if (!law_of(r, "step_result", lab_str(like, "operation_id")) &&
		    !law_of(r, "step_ruled", lab_str(like, "operation_id")))
			continue;
		if (wr_json_int(r, "index", -1) != index || wr_json_bool(r, "undo", false)) continue;
		const char *ruling = lab_str(r, "ruling");
		if (!strcmp(lab_str(r, "operation"), "step_result"))
			good = !strcmp(lab_str(r, "outcome"), "done");
		else
			good = !strcmp(ruling, "done") || !strcmp(ruling, "skip");
	}
	return good;
}

/* Law 6. */
static UNUSED void law_fenced(const lab *l, size_t at)
{
	const json_t *intent = l->receipts[at];
	const wr_op *op = wr_state_op(l->s, lab_str(intent, "operation_id"));
	assert_non_null(op);
	bool any = false;
	for (size_t i = 0; i < (size_t)wr_json_int(intent, "index", 0); i++) {
		if (strcmp(lab_str(wr_op_plan_step(op, i), "phase"), "fence") != 0) continue;
		any = true;
		if (!law_step_settled(l, at, intent, (int64_t)i))
			fail_msg("law 6: promote without its fence: %s", l->lines[at]);
	}
	assert_true(any);
}

static UNUSED int law_rank(wr_verdict v)
{
	static const int ranks[] = {[WR_V_HEALTHY] = 0,
	                            [WR_V_UNKNOWN] = 1,
	                            [WR_V_DEGRADED] = 2,
	                            [WR_V_SUSPECT] = 3,
	                            [WR_V_DOWN] = 4};
	return ranks[v];
}

/* Law 5, with the weights as they are, whatever the observer has seen of them. */
static UNUSED void law_traffic(const lab *l, size_t at)
{
	const json_t *intent = l->receipts[at];
	const wr_op *op = wr_state_op(l->s, lab_str(intent, "operation_id"));
	const json_t *step = wr_op_plan_step(op, (size_t)wr_json_int(intent, "index", 0));
	if (wr_json_bool(intent, "undo", false)) step = json_object_get(step, "rollback");
	const json_t *weights = json_object_get(json_object_get(step, "traffic"), "weights");
	int64_t us = wr_json_int(weights, "us", -1), eu = wr_json_int(weights, "eu", -1);
	assert_int_equal(us + eu, 100);
	int64_t us_gain = us - l->weights[US], eu_gain = eu - l->weights[EU];
	int rank_us = law_rank(l->w->regions[US].verdict),
	    rank_eu = law_rank(l->w->regions[EU].verdict);
	if ((us_gain > 0 && rank_us > rank_eu) || (eu_gain > 0 && rank_eu > rank_us))
		fail_msg("law 5: toward the worse side: %s", l->lines[at]);
}

/* Law 4: at most one operation of a group that is not over. */
static UNUSED void law_one(const lab *l)
{
	const wr_op *ops[64];
	size_t n = wr_state_ops(l->s, ops, 64);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (!wr_op_final(ops[i]->state) && !wr_op_final(ops[k]->state) &&
			    !strcmp(ops[i]->group, ops[k]->group))
				fail_msg("law 4: %s and %s", ops[i]->id, ops[k]->id);
}

static UNUSED void law_nonce(const lab *l, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!strcmp(lab_str(l->receipts[i], "operation"), "approval_recorded") &&
		    !strcmp(lab_str(l->receipts[i], "nonce"), lab_str(l->receipts[at], "nonce")))
			fail_msg("law 2: a nonce twice: %s", l->lines[at]);
}

static UNUSED void laws_hold(lab *l)
{
	for (; l->checked < l->count; l->checked++) {
		const json_t *r = l->receipts[l->checked];
		const char *operation = lab_str(r, "operation");
		if (!strcmp(operation, "approval_recorded")) law_nonce(l, l->checked);
		if (strcmp(operation, "step_intent") != 0) continue;
		if (wr_json_bool(r, "guarded", false)) law_authorised(l, l->checked);
		law_no_blind_retry(l, l->checked);
		bool undo = wr_json_bool(r, "undo", false);
		if (!undo && !strcmp(lab_str(r, "phase"), "promote")) law_fenced(l, l->checked);
		if (!strcmp(lab_str(r, "kind"), "traffic")) law_traffic(l, l->checked);
	}
	law_one(l);
	assert_int_equal(wr_state_contradictions(l->s), 0);
}

/* Law 2: a command starts only what is durably intended and still open. */
static UNUSED void laws_command(lab *l, const wr_command *c)
{
	const wr_op *op = wr_state_op(l->s, c->operation_id);
	assert_non_null(op);
	if (c->kind != WR_CMD_START) return;
	const wr_op_step *st = &op->steps[c->index];
	assert_true(st->intent_open);
	assert_int_equal(st->attempts, c->attempt);
	assert_int_equal(st->undo, c->undo);
	bool found = false;
	for (size_t i = 0; i < l->count; i++) {
		const json_t *r = l->receipts[i];
		found = found || (law_of(r, "step_intent", c->operation_id) &&
		                  wr_json_int(r, "index", -1) == (int64_t)c->index &&
		                  wr_json_int(r, "attempt", -1) == c->attempt &&
		                  wr_json_bool(r, "undo", false) == c->undo &&
		                  !strcmp(lab_str(r, "idempotency_key"), c->idempotency_key));
	}
	if (!found) fail_msg("law 2: a command without an intent: %s", c->idempotency_key);
}

static UNUSED void lab_lawful(lab *l)
{
	lab_init(l);
	l->law = laws_hold;
	l->command_law = laws_command;
}

/* ---- what several tests begin with ---- */

static UNUSED unsigned cancels;

static UNUSED void count_cancels(lab *l, const wr_command *c)
{
	cancels += c->kind == WR_CMD_CANCEL;
	laws_command(l, c);
}

static UNUSED const wr_op_step *step(lab *l, size_t i)
{
	return &lab_op(l)->steps[i];
}

static UNUSED bool both_say(lab *l, const char *what)
{
	return lab_says(l, "alice", what) && lab_says(l, "bob", what);
}

static UNUSED void at_fence_in_doubt(lab *l)
{
	lab_lawful(l);
	lab_failover(l);
	lab_run(l, FENCE);
	lab_finish(l, WR_OUT_UNKNOWN);
	assert_int_equal(step(l, FENCE)->state, WR_SS_UNCERTAIN);
	assert_int_equal(l->job_count, 1);
	assert_int_equal(l->jobs[0].kind, WR_CMD_PROBE);
	assert_int_equal(lab_number(l, "step_probing"), 1);
	lab_sleep(l, S(1));
	assert_int_equal(l->job_count, 1); /* once */
}

static UNUSED void at_promote_in_doubt(lab *l)
{
	lab_lawful(l);
	lab_failover(l);
	lab_run(l, PROMOTE);
	lab_finish(l, WR_OUT_UNKNOWN);
	lab_held_for(l, "HOLD-UNCERTAIN");
	assert_int_equal(l->job_count, 0);
	lab_sleep(l, MIN(1)); /* an opaque step never goes again by itself */
	assert_int_equal(l->job_count, 0);
	lab_held_for(l, "HOLD-UNCERTAIN");
}

#endif
