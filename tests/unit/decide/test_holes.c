/* test_holes.c: holes that an audit of the laws found: doubts that were forgotten, times that lie,
 * numbers that cannot be, and words that say more than was meant. */
#include <math.h>

#include "laws.h"

static size_t intents_of(const lab *l, int index)
{
	size_t n = 0;
	for (size_t i = 0; i < l->count; i++)
		n += law_of(l->receipts[i], "step_intent", "op-1") &&
		     wr_json_int(l->receipts[i], "index", -1) == index;
	return n;
}

static void late_result(lab *l, size_t index, int attempt, wr_outcome outcome)
{
	wr_step_report rep = {.operation_id = "op-1",
	                      .index = index,
	                      .attempt = attempt,
	                      .outcome = outcome,
	                      .exit_code = -1};
	wr_event ev = {.kind = WR_EV_RESULT, .report = &rep};
	lab_decide(l, &ev);
}

/* `who` signs, and nothing follows yet. */
static void sign_only(lab *l, const char *who, const char *what)
{
	lab_sig g;
	const wr_op *op = lab_op(l);
	lab_sign_init(l, &g, op->id, op->plan_hash, who, lab_role(who), what);
	lab_seal(&g);
	if (!lab_send(l, &g)) fail_msg("%s", l->refusal.msg);
}

/* ---- law 3: what was settled is not asked again ---- */

/* Two people have said that it was not done; before that is written, the report arrives: it was. */
static void a_result_before_the_ruling(void **state)
{
	(void)state;
	for (int by_record = 0; by_record < 2; by_record++) {
		lab l;
		at_promote_in_doubt(&l);
		assert_true(lab_says(&l, "alice", "rule:promote-postgres:not_done"));
		sign_only(&l, "bob", "rule:promote-postgres:not_done");
		late_result(&l, PROMOTE, 1, WR_OUT_DONE);
		assert_true(l.accepted);
		if (by_record) { /* an engine that wrote it all the same */
			l.law = NULL;
			lab_append(&l,
			           json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:s}", "operation", "step_ruled",
			                     "operation_id", "op-1", "step", "promote-postgres", "index",
			                     PROMOTE, "undo", 0, "ruling", "not_done", "by", "alice,bob"));
			assert_int_equal(wr_state_contradictions(l.s), 1);
		}
		lab_settle(&l);
		lab_sleep(&l, S(5));
		assert_int_equal(step(&l, PROMOTE)->state, WR_SS_DONE);
		assert_int_equal(intents_of(&l, PROMOTE), 1);
		assert_int_equal(lab_number(&l, "step_ruled"), (size_t)by_record);
		lab_free(&l);
	}
}

/* ---- laws 5 and 6: what may have happened is not forgotten ---- */

/* "Go on without it" is not "it did not happen": the other side may be promoted. */
static void a_skipped_doubt_keeps_the_fence(void **state)
{
	(void)state;
	lab l;
	at_promote_in_doubt(&l);
	assert_true(both_say(&l, "rule:promote-postgres:skip"));
	lab_state_is(&l, WR_OP_RUNNING);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_DONE); /* scale, which has no way back */
	lab_held_for(&l, "HOLD-FENCE");
	assert_non_null(strstr(lab_op(&l)->held_reason, "promote-postgres"));
	assert_int_equal(l.job_count, 0);
	assert_true(both_say(&l, "rule:fence:skip"));
	while (lab_op(&l)->state == WR_OP_ROLLING_BACK) lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_FAILED);
	assert_non_null(strstr(lab_op(&l)->final_reason, "promote-postgres"));
	lab_free(&l);
}

/* The first attempt was lost on the way, the second was told "I am primary already": promoted. */
static void a_failed_retry_keeps_the_doubt(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		lab l;
		lab_lawful(&l);
		l.fo[PROMOTE].step_class = WR_IDEMPOTENT;
		l.fo[PROMOTE].on_failure = how ? WR_FAIL_CONTINUE : WR_FAIL_ROLLBACK;
		lab_failover(&l);
		lab_run(&l, PROMOTE);
		lab_finish(&l, WR_OUT_UNKNOWN);
		lab_sleep(&l, S(2));
		assert_int_equal(l.jobs[0].attempt, 2);
		lab_finish(&l, WR_OUT_FAILED);
		if (how) {
			assert_int_equal(step(&l, PROMOTE)->state, WR_SS_SKIPPED);
			assert_true(lab_says(&l, "alice", "abort"));
			lab_finish(&l, WR_OUT_DONE);
		}
		lab_state_is(&l, WR_OP_ROLLING_BACK);
		assert_string_equal(l.jobs[0].idempotency_key, "op-1/promote-postgres/undo");
		lab_finish(&l, WR_OUT_DONE);
		assert_string_equal(l.jobs[0].idempotency_key, "op-1/fence/undo");
		lab_free(&l);
	}
}

/* … also when nothing else was done: the operation does not end with "nothing to undo". */
static void a_doubt_is_not_nothing(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		lab l;
		lab_lawful(&l);
		lab_failover(&l);
		lab_finish(&l, WR_OUT_UNKNOWN);
		lab_sleep(&l, S(2));
		lab_finish(&l, WR_OUT_FAILED);
		lab_held_for(&l, "HOLD-FAILED");
		if (how == 1) assert_true(both_say(&l, "rule:freeze:not_done")); /* two know better */
		if (how == 2) {                                                  /* done after all */
			assert_true(lab_says(&l, "bob", "resume"));
			lab_finish(&l, WR_OUT_DONE);
		}
		assert_true(lab_says(&l, "alice", "abort"));
		if (how) lab_finish(&l, WR_OUT_FAILED);
		if (how == 1) {
			lab_state_is(&l, WR_OP_ABORTED);
		} else {
			lab_state_is(&l, WR_OP_ROLLING_BACK);
			assert_string_equal(l.jobs[0].idempotency_key, "op-1/freeze/undo");
		}
		lab_free(&l);
	}
}

/* Some servers may have been set before it failed, or before two people said to go on. */
static void skipped_traffic_is_taken_back(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[SHIFT10].on_failure = WR_FAIL_CONTINUE;
	lab_failover(&l);
	lab_verdict(&l, US, WR_V_HEALTHY); /* so that it may come back */
	lab_run(&l, SHIFT10);
	lab_finish(&l, WR_OUT_FAILED);
	lab_sleep(&l, S(2));
	lab_finish(&l, WR_OUT_FAILED);
	assert_int_equal(step(&l, SHIFT10)->state, WR_SS_SKIPPED);
	lab_weights(&l, 95, 5);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/shift-10/undo");
	lab_free(&l);
}

/* A person who promoted by hand did promote. */
static void done_by_hand_is_done(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[FREEZE] = lab_step("freeze", WR_PHASE_OTHER, WR_IDEMPOTENT, lab_notify("now"));
	l.fo[FENCE] = lab_step("fence", WR_PHASE_FENCE, WR_IDEMPOTENT, lab_wait(&l));
	l.fo[PROMOTE] = lab_step("promote", WR_PHASE_PROMOTE, WR_IDEMPOTENT, lab_manual("Promote."));
	lab_failover(&l);
	lab_run(&l, PROMOTE);
	assert_true(lab_says(&l, "bob", "tick:promote"));
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_FAILED); /* scale */
	lab_state_is(&l, WR_OP_FAILED);
	assert_non_null(strstr(lab_op(&l)->final_reason, "promote"));
	lab_free(&l);
}

/* ---- law 6: back from the dead ---- */

/* It was fenced, or people accepted that it could not be, because it was dead. It is back. */
static void the_dead_come_back_unfenced(void **state)
{
	(void)state;
	static const char *const rulings[] = {"rule:fence:not_done", "rule:fence:done"};
	for (int how = 0; how < 6; how++) {
		lab l;
		bool skipped = how % 2, rebooted = how / 2 == 0;
		lab_lawful(&l);
		if (skipped) l.fo[FENCE].retries = 0;
		lab_failover(&l);
		lab_run(&l, FENCE);
		assert_true(lab_says(&l, "alice", "hold"));
		lab_finish(&l, skipped ? WR_OUT_FAILED : WR_OUT_DONE);
		if (skipped) {
			assert_true(lab_says(&l, "alice", "resume"));
			lab_held_for(&l, "HOLD-FAILED");
			sign_only(&l, "alice", "rule:fence:skip");
			sign_only(&l, "bob", "rule:fence:skip");
			wr_event tick = {.kind = WR_EV_TICK};
			lab_decide(&l, &tick); /* ruled; the next tick would go on */
			assert_int_equal(step(&l, FENCE)->state, WR_SS_SKIPPED);
		}
		lab_verdict(&l, US, WR_V_UNKNOWN); /* nobody saw it */
		if (!rebooted && !skipped) lab_settle(&l);
		lab_verdict(&l, US, how < 4 ? WR_V_DEGRADED : WR_V_HEALTHY);
		if (!skipped) assert_true(lab_says(&l, "alice", "resume"));
		lab_settle(&l);
		lab_held_for(&l, "HOLD-FENCE");
		assert_non_null(strstr(lab_op(&l)->held_reason, "us is back"));
		assert_int_equal(intents_of(&l, PROMOTE), 0);
		assert_true(lab_says(&l, "alice", "resume"));
		lab_held_for(&l, "HOLD-FENCE");
		assert_true(both_say(&l, rulings[how % 3 == 0]));
		lab_state_is(&l, WR_OP_RUNNING);
		if (how % 3) {
			assert_string_equal(l.jobs[0].idempotency_key, "op-1/fence/do");
			lab_finish(&l, WR_OUT_DONE);
		}
		assert_string_equal(l.jobs[0].idempotency_key, "op-1/promote-postgres/do");
		lab_free(&l);
	}
}

/* ---- law 5: where traffic is ---- */

/* The last word on the weights is the last one written, whatever the clock said at the time. */
static void the_clock_does_not_order_the_weights(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SHIFT100);
	l.now -= MIN(60);
	l.weights[US] = 0, l.weights[EU] = 100;
	l.w->weights_us[0] = 0;
	lab_finish(&l, WR_OUT_DONE);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_held_for(&l, "HOLD-TRAFFIC"); /* back to 90 % at us, which is DOWN */
	lab_free(&l);
}

/* Read "in three minutes", by the clock as it is now: that was before, and nobody knows what since.
 */
static void a_reading_from_the_future(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SCALE);
	lab_weights(&l, 100, 0);
	l.now -= MIN(3);
	l.weights[US] = 0, l.weights[EU] = 100; /* by hand */
	lab_finish(&l, WR_OUT_DONE);
	lab_held_for(&l, "HOLD-TRAFFIC");
	lab_free(&l);
}

static void ruled_weights_are_weights(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[SHIFT100].step_class = WR_OPAQUE;
	lab_failover(&l);
	lab_run(&l, SHIFT100);
	l.weights[US] = 0, l.weights[EU] = 100;
	l.w->weights_us[0] = 0;
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(both_say(&l, "rule:shift-100:done"));
	assert_true(lab_says(&l, "alice", "abort"));
	lab_held_for(&l, "HOLD-TRAFFIC");
	lab_free(&l);
}

/* What the plan saw is past: somebody may have moved traffic by hand since. */
static void what_the_plan_saw_is_past(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SCALE);
	l.weights[US] = 0, l.weights[EU] = 100; /* by hand, and nobody has read it */
	l.now += S(20);
	lab_finish(&l, WR_OUT_DONE);
	lab_held_for(&l, "HOLD-TRAFFIC"); /* 90 % to us would be toward what is DOWN */
	lab_free(&l);
}

/* On record it is DOWN; that our restart makes it SUSPECT again makes it no better. */
static void a_restart_makes_nothing_better(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SOAK);
	lab_weights(&l, 90, 10);
	lab_verdict(&l, US, WR_V_SUSPECT);
	lab_verdict(&l, EU, WR_V_SUSPECT);
	lab_settle(&l);
	assert_int_equal(wr_state_region(l.s, US)->verdict, WR_V_DOWN);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_held_for(&l, "HOLD-TRAFFIC");
	lab_free(&l);
}

/* ---- law 2 ---- */

/* It was on record that they ran out; that the clock is set back does not bring them back. */
static void the_clock_revives_no_approval(void **state)
{
	(void)state;
	lab l;
	wr_quorum q;
	lab_lawful(&l);
	lab_failover(&l);
	assert_true(lab_says(&l, "alice", "hold"));
	lab_finish(&l, WR_OUT_DONE);
	lab_sleep(&l, MIN(16));
	assert_true(lab_says(&l, "bob", "resume"));
	lab_held_for(&l, "HOLD-APPROVALS");
	l.now -= MIN(10);
	lab_fresh(&l);
	lab_settle(&l);
	lab_held_for(&l, "HOLD-APPROVALS");
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_false(q.met);
	assert_true(lab_says(&l, "alice", "approve")); /* given anew, they count */
	lab_held_for(&l, "HOLD-APPROVALS");
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void the_clock_revives_no_ruling(void **state)
{
	(void)state;
	lab l;
	at_promote_in_doubt(&l);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	l.now += MIN(16);
	lab_append(&l, json_pack("{s:s}", "operation", "notification_sent"));
	l.now -= MIN(10);
	assert_true(lab_says(&l, "bob", "rule:promote-postgres:done"));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_DONE);
	lab_free(&l);
}

/* Who only looks undoes nothing: a rollback acts, in whatever phase its step is. */
static void a_rollback_is_guarded(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[CHECK] = lab_step("check", WR_PHASE_VERIFY, WR_IDEMPOTENT, lab_exec());
	l.fo[CHECK].has_rollback = true;
	l.fo[CHECK].rollback = lab_exec();
	l.fo[TELL] = lab_step("tell", WR_PHASE_ANNOUNCE, WR_IDEMPOTENT, lab_manual("Tell them."));
	lab_failover(&l);
	lab_run(&l, TELL);
	assert_false(wr_json_bool(lab_last(&l, "step_intent"), "guarded", true)); /* the manual one */
	l.operators[1].principal = "bert"; /* bob's word does not count any more */
	lab_crash(&l);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_held_for(&l, "HOLD-APPROVALS");
	assert_int_equal(l.job_count, 0);
	lab_free(&l);
}

static json_t *approval_of(const lab *l, const char *who, const char *role, const char *nonce)
{
	char expires[WR_TIME_LEN];
	const wr_op *op = NULL;
	(void)wr_state_ops(l->s, &op, 1);
	wr_time_format(expires, l->now + MIN(10));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "operation",
	                 "approval_recorded", "operation_id", op->id, "plan_hash", op->plan_hash,
	                 "principal", who, "role", role, "decision", "approve", "assurance",
	                 "own_device", "observed_assurance", "own_device", "nonce", nonce, "expires",
	                 expires);
}

static json_t *with_key(json_t *a, const char *key)
{
	json_object_set_new(a, "key_fingerprint", json_string(key));
	return a;
}

/* docs/receipts.md: a nonce is used once in a chain, also by an engine whose epoch is over. */
static void a_nonce_is_used_once(void **state)
{
	(void)state;
	lab l;
	wr_quorum q;
	lab_init(&l);
	lab_outage(&l);
	l.epoch = 3;
	assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
	lab_append(&l, with_key(approval_of(&l, "bob", "on_call", "nonce-1"), "SHA256:key-of-bob"));
	assert_int_equal(wr_state_contradictions(l.s), 1); /* alice's */
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_int_equal(q.have, 1);
	lab_append(&l, with_key(approval_of(&l, "bob", "on_call", ""), "SHA256:key-of-bob"));
	lab_append(&l, approval_of(&l, "bob", "on_call", "fresh-1"));
	lab_append(&l, with_key(approval_of(&l, "", "on_call", "fresh-2"), "SHA256:key-of-bob"));
	assert_int_equal(wr_state_contradictions(l.s), 4);
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_int_equal(q.have, 1);
	l.epoch = 2;
	lab_append(&l, with_key(approval_of(&l, "bob", "on_call", "stale"), "SHA256:key-of-bob"));
	assert_true(wr_state_nonce_used(l.s, "stale"));
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_int_equal(q.have, 1);
	l.epoch = 3;
	lab_append(&l, with_key(approval_of(&l, "bob", "on_call", "own"), "SHA256:key-of-bob"));
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_true(q.met);
	lab_free(&l);
}

/* Nobody can have meant to be bound for longer than a quarter of an hour. */
static void no_approval_lasts(void **state)
{
	(void)state;
	lab l;
	wr_quorum q;
	lab_init(&l);
	lab_outage(&l);
	assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
	json_t *a = with_key(approval_of(&l, "bob", "on_call", "long"), "SHA256:key-of-bob");
	json_object_set_new(a, "expires", json_string("2027-01-01T00:00:00Z"));
	lab_append(&l, a);
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now + MIN(14));
	assert_true(q.met);
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now + MIN(16));
	assert_int_equal(q.have, 0);
	lab_free(&l);
}

/* Nobody said whether the configuration is the same: it is looked up, not taken for granted. */
static void drift_is_not_taken_on_trust(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	l.fo[FENCE].timeout_ms++;
	lab_finish(&l, WR_OUT_DONE);
	lab_held_for(&l, "HOLD-DRIFT");
	assert_int_equal(l.job_count, 0);
	lab_free(&l);
}

/* An id that is forgotten is still taken: its approvals are in the chain. */
static void a_forgotten_id_is_taken(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	for (unsigned i = 1; i < 200; i++) {
		char id[WR_ID_LEN];
		snprintf(id, sizeof id, "op-%u", i);
		lab_append(&l, json_pack("{s:s, s:s, s:s}", "operation", "operation_proposed",
		                         "operation_id", id, "group", "main"));
		lab_append(&l,
		           json_pack("{s:s, s:s}", "operation", "operation_denied", "operation_id", id));
	}
	assert_null(wr_state_op(l.s, "op-2"));
	lab_outage(&l);
	json_t *plan = lab_plan(&l, RB_FO, US, EU);
	char hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_err err = {0};
	assert_int_equal(wr_plan_hash(plan, hash, words, &err), 0);
	lab_sig g;
	lab_sign_init(&l, &g, "op-2", hash, "alice", "sre", "approve");
	lab_seal(&g);
	wr_event ev = {.kind = WR_EV_PROPOSE,
	               .draft_plan = plan,
	               .draft_id = "op-2",
	               .draft_reason = "",
	               .sign = &g.s};
	lab_decide(&l, &ev);
	lab_is_refused(&l, "A-ID");
	wr_buf_free(&g.text);
	json_decref(plan);
	lab_free(&l);
}

/* However much is ticked off and ruled on, who approved is not forgotten. */
static void ticks_push_out_no_approval(void **state)
{
	(void)state;
	lab l;
	wr_quorum q;
	lab_init(&l);
	lab_failover(&l);
	for (int i = 0; i < 60; i++) {
		char what[32], nonce[32];
		snprintf(what, sizeof what, "tick:step-%d", i);
		snprintf(nonce, sizeof nonce, "tick-%d", i);
		l.now += S(1);
		json_t *a = with_key(approval_of(&l, "erin", "sre", nonce), "SHA256:key-of-erin");
		json_object_set_new(a, "decision", json_string(what));
		json_object_set_new(a, "expires", json_string("2026-01-25T12:21:30Z"));
		lab_append(&l, a);
	}
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_true(q.met);
	lab_free(&l);
}

/* A ruling says what happened to a guarded step: it takes those who may approve it. */
static void who_may_not_approve_may_not_rule(void **state)
{
	(void)state;
	lab l;
	at_promote_in_doubt(&l);
	assert_false(lab_says(&l, "dave", "rule:promote-postgres:done"));
	lab_is_refused(&l, "A-ROLE");
	json_t *a = with_key(approval_of(&l, "dave", "viewer", "by-dave"), "SHA256:key-of-dave");
	json_object_set_new(a, "decision", json_string("rule:promote-postgres:done"));
	lab_append(&l, a);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_UNCERTAIN);
	assert_int_equal(lab_number(&l, "step_ruled"), 0);
	assert_true(lab_says(&l, "bob", "rule:promote-postgres:done"));
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_DONE);
	lab_free(&l);
}

/* ---- law 4 ---- */

/* Two groups behind one load balancer: both would set the same weights. */
static void groups_that_share_traffic(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.ot[0] = lab_step("move", WR_PHASE_SHIFT, WR_IDEMPOTENT, lab_traffic(50));
	lab_failover(&l);
	assert_false(lab_propose(&l, RB_OT, US, EU, "alice"));
	lab_is_refused(&l, "A-BUSY");
	assert_non_null(strstr(l.refusal.msg, "edge"));
	l.ot[0] = lab_step("rotate", WR_PHASE_OTHER, WR_IDEMPOTENT, lab_exec());
	assert_true(lab_propose(&l, RB_OT, US, EU, "alice"));
	lab_free(&l);
}

/* ---- plans ---- */

static json_t *plan_step(json_t *plan, size_t i)
{
	return json_array_get(json_object_get(plan, "steps"), i);
}

static void seal_plan(json_t *plan)
{
	char hex[WR_HEX_LEN];
	wr_err err = {0};
	assert_int_equal(wr_plan_steps_hash(plan, hex, &err), 0);
	json_object_set_new(plan, "steps_hash", json_string(hex));
}

static void spoil(json_t *plan, int how)
{
	json_t *shift = json_object_get(plan_step(plan, SHIFT10), "traffic");
	json_t *soak = json_object_get(plan_step(plan, SOAK), "soak");
	json_t *back = json_object_get(plan_step(plan, FENCE), "rollback");
	json_t *probe = json_object_get(plan_step(plan, FENCE), "probe");
	switch (how) {
	case 0: /* eu would keep what it has beside the 100 % of us */
		json_object_set_new(shift, "weights", json_pack("{s:i}", "us", 100));
		break;
	case 1:
		json_object_set_new(shift, "weights", json_pack("{s:i, s:i}", "us", 90, "mars", 10));
		break;
	case 2:
		json_object_set_new(plan_step(plan, FREEZE), "timeout_ms", json_integer(WR_INT_MAX_SAFE));
		break;
	case 3:
		json_object_set_new(plan_step(plan, FREEZE), "backoff_ms", json_integer(WR_INT_MAX_SAFE));
		break;
	case 4:
		json_object_set_new(soak, "duration_ms", json_integer(WR_INT_MAX_SAFE));
		break;
	case 5:
		json_object_set_new(soak, "duration_ms", json_integer(-1));
		break;
	case 6:
		json_object_set_new(soak, "min_samples", json_integer(0));
		break;
	case 7:
		json_object_set_new(soak, "gates", json_array());
		break;
	case 8:
		json_object_set_new(soak, "gates", json_pack("[i]", 7));
		break;
	case 9: /* what people are shown */
		json_object_set_new(plan_step(plan, PROMOTE), "guarded", json_false());
		break;
	case 10: /* "rule:fence:x:done" could be of two steps */
		json_object_set_new(plan_step(plan, PROMOTE), "name", json_string("fence:x"));
		break;
	case 11:
		json_object_set_new(back, "kind", json_string("magic"));
		break;
	case 12:
		json_object_set_new(probe, "kind", json_string("http"));
		break;
	case 13:
		json_object_set_new(plan_step(plan, FENCE), "rollback", json_string("unfence"));
		break;
	default:
		json_object_set_new(plan_step(plan, FENCE), "probe", json_integer(1));
		break;
	}
}

static void plans_that_cannot_be(void **state)
{
	(void)state;
	lab l;
	wr_err err = {0};
	lab_init(&l);
	json_t *good = lab_plan(&l, RB_FO, US, EU);
	assert_int_equal(wr_plan_check(good, &err), 0);
	for (int how = 0; how < 15; how++) {
		json_t *bad = json_deep_copy(good);
		spoil(bad, how);
		seal_plan(bad);
		if (wr_plan_check(bad, &err) == 0) fail_msg("%d goes through", how);
		assert_true(err.msg[0]);
		json_decref(bad);
	}
	json_decref(good);
	lab_free(&l);
}

/* A blob that has the hash that was approved, and is no plan, is no plan. */
static void a_blob_that_is_no_plan(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	json_t *bad = lab_plan(&l, RB_FO, US, EU);
	spoil(bad, 2);
	seal_plan(bad);
	char hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_err err = {0};
	assert_int_equal(wr_plan_hash(bad, hash, words, &err), 0);
	lab_append(&l, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "operation",
	                         "operation_proposed", "operation_id", "op-1", "kind", "failover",
	                         "group", "main", "runbook", "fo", "from_region", "us", "to_region",
	                         "eu", "plan_hash", hash, "steps_hash", lab_str(bad, "steps_hash")));
	wr_state_put_plan(l.s, hash, bad);
	assert_null(lab_op(&l)->plan);
	assert_int_equal(wr_state_contradictions(l.s), 1);
	lab_free(&l);
}

/* ---- law 7 ---- */

static wr_guards table;

static const wr_guard *judged_row(lab *l, wr_runbook_kind kind, const char *name)
{
	bool back = kind == WR_RB_FAILBACK;
	wr_guards_eval(&table, l->s, l->w, kind, back ? EU : US, back ? US : EU, "main", NULL, l->now);
	for (size_t i = 0; i < table.count; i++)
		if (!strcmp(table.rows[i].name, name)) return &table.rows[i];
	fail_msg("no row %s", name);
	return NULL;
}

/* While nobody was looking it may have been anything. */
static void health_is_not_sustained_unseen(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_settle(&l); /* HEALTHY, on record */
	l.now += MIN(10);
	lab_append(&l, json_pack("{s:s}", "operation", "notification_sent"));
	l.now += S(2); /* a quick restart */
	lab_append(&l, json_pack("{s:s}", "operation", "engine_started"));
	l.w->regions[US].since_us = l.now;
	assert_int_equal(judged_row(&l, WR_RB_FAILBACK, "sustained_time")->verdict, WR_PASS);
	l.now += MIN(180); /* three hours of nobody */
	lab_append(&l, json_pack("{s:s}", "operation", "engine_started"));
	l.w->regions[US].since_us = l.now;
	assert_int_equal(judged_row(&l, WR_RB_FAILBACK, "sustained_time")->verdict, WR_FAIL);
	l.now += MIN(5);
	assert_int_equal(judged_row(&l, WR_RB_FAILBACK, "sustained_time")->verdict, WR_PASS);
	lab_free(&l);
}

/* It was DOWN hours ago, when somebody last looked; that it is SUSPECT now may be a blip. */
static void an_outage_is_not_sustained_unseen(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_settle(&l);
	lab_verdict(&l, US, WR_V_DOWN);
	lab_settle(&l);
	l.now += MIN(4); /* the engine was away, but not for long */
	lab_append(&l, json_pack("{s:s}", "operation", "engine_started"));
	lab_verdict(&l, US, WR_V_SUSPECT);
	assert_int_equal(judged_row(&l, WR_RB_FAILOVER, "sustained_time")->verdict, WR_PASS);
	l.now += MIN(180);
	lab_append(&l, json_pack("{s:s}", "operation", "engine_started"));
	l.w->regions[US].quorum_since_us = l.now - S(15);
	assert_int_equal(judged_row(&l, WR_RB_FAILOVER, "sustained_time")->verdict, WR_FAIL);
	l.now += MIN(5);
	assert_int_equal(judged_row(&l, WR_RB_FAILOVER, "sustained_time")->verdict, WR_PASS);
	lab_free(&l);
}

static void numbers_that_cannot_be(void **state)
{
	(void)state;
	static const double odd[] = {-1e18, -5, -2, (double)NAN, (double)INFINITY, -(double)INFINITY,
	                             1e300};
	lab l;
	wr_quota quota = {
	    .name = "cpu", .layer = "", .region = "eu", .has_after = true, .interval_ms = 5000};
	lab_init(&l);
	l.cfg.quotas = &quota;
	l.cfg.quota_count = 1;
	wr_world_free(l.w);
	lab_world(&l);
	wr_link_view *v = &l.w->links[PG_US_EU];
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		lab_measure(&l.w->quotas_after[0], l.now, odd[i]);
		assert_int_not_equal(judged_row(&l, WR_RB_FAILOVER, "quota:cpu")->verdict, WR_PASS);
		lab_measure(&v->bytes, l.now, 41000);
		lab_measure(&v->receipts, l.now, 47);
		lab_measure(&v->seconds, l.now, odd[i]);
		assert_int_not_equal(judged_row(&l, WR_RB_FAILOVER, "lag:pg")->verdict, WR_PASS);
		l.links[PG_US_EU].has_seconds = false;
		lab_measure(&v->receipts, l.now, 0);
		lab_measure(&v->bytes, l.now, odd[i]);
		l.links[PG_US_EU].has_receipts = false;
		assert_int_not_equal(judged_row(&l, WR_RB_FAILOVER, "lag:pg")->verdict, WR_PASS);
		l.links[PG_US_EU].has_seconds = l.links[PG_US_EU].has_receipts = true;
	}
	lab_measure(&v->seconds, l.now, -0.3); /* two clocks a little apart */
	assert_int_equal(judged_row(&l, WR_RB_FAILOVER, "lag:pg")->verdict, WR_PASS);
	lab_free(&l);
}

/* A share, a stock or an age below nothing is no measurement, whatever the need says of it. */
static void facts_that_cannot_be(void **state)
{
	(void)state;
	static const wr_fact_kind kinds[] = {WR_FACT_CAPACITY, WR_FACT_QUOTA, WR_FACT_BACKUP};
	static const char *const names[] = {"capacity", "quota", "backup"};
	wr_err err = {0};
	for (size_t i = 0; i < 3; i++) {
		lab l;
		lab_init(&l);
		wr_expr *need = wr_expr_parse("value <= 96", &err);
		assert_non_null(need);
		l.facts[CAP_EU].kind = kinds[i];
		l.facts[CAP_EU].need = need;
		l.facts[CAP_US].kind = WR_FACT_CUSTOM;
		lab_measure(&l.w->facts[CAP_EU], l.now, 50);
		assert_int_equal(judged_row(&l, WR_RB_FAILOVER, names[i])->verdict, WR_PASS);
		lab_measure(&l.w->facts[CAP_EU], l.now, -3600);
		assert_int_equal(judged_row(&l, WR_RB_FAILOVER, names[i])->verdict, WR_GATE_NO_DATA);
		assert_true(judged_row(&l, WR_RB_FAILOVER, names[i])->observed[0]);
		wr_expr_free(need);
		lab_free(&l);
	}
}

/* A loss is as old as its oldest part. */
static void the_loss_is_as_old_as_its_oldest_part(void **state)
{
	(void)state;
	lab l;
	wr_loss loss;
	lab_init(&l);
	l.links[PG_EU_US].from = "us";
	l.links[PG_EU_US].to = "eu";
	int64_t old = l.now;
	l.now += S(9);
	lab_measure(&l.w->links[PG_EU_US].seconds, l.now, 7);
	lab_measure(&l.w->links[PG_EU_US].bytes, l.now, 7);
	lab_measure(&l.w->links[PG_EU_US].receipts, l.now, 7);
	wr_loss_eval(&loss, l.w, US, EU, l.now);
	assert_int_equal(loss.proven_us, old);
	assert_non_null(strstr(loss.text, "measured 9 s ago"));
	lab_free(&l);
}

/* What ends by time and evidence, or by a person, no report ends. */
static void no_report_ends_a_soak(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SOAK);
	late_result(&l, SOAK, 1, WR_OUT_DONE);
	lab_is_refused(&l, "A-REPORT");
	assert_int_equal(step(&l, SOAK)->state, WR_SS_RUNNING);
	lab_run(&l, CHECK);
	late_result(&l, CHECK, 1, WR_OUT_DONE);
	lab_is_refused(&l, "A-REPORT");
	assert_int_equal(step(&l, CHECK)->state, WR_SS_RUNNING);
	lab_free(&l);
}

/* ---- law 11 ---- */

/* Each refusal has a rule, and what it looked at. */
static void refused_reports_say_why(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	wr_step_report rep = {.operation_id = "op-1", .attempt = 1, .exit_code = -1};
	wr_event probed = {.kind = WR_EV_PROBED, .report = &rep}; /* nobody asked */
	lab_decide(&l, &probed);
	lab_is_refused(&l, "A-REPORT");
	late_result(&l, FREEZE, 7, WR_OUT_DONE);
	lab_is_refused(&l, "A-REPORT");
	assert_non_null(strstr(l.refusal.msg, "op-1"));
	assert_non_null(strstr(l.refusal.msg, "7"));
	late_result(&l, FENCE, 1, WR_OUT_DONE);
	lab_is_refused(&l, "A-REPORT");
	lab_free(&l);
}

/* A retry waits for its backoff, not for the clock to come back to where it was. */
static void a_retry_after_the_clock_was_set_back(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		lab l;
		lab_lawful(&l);
		lab_failover(&l);
		lab_report_to(&l, 0, how ? WR_OUT_UNKNOWN : WR_OUT_FAILED, "");
		l.now -= MIN(60);
		lab_fresh(&l);
		lab_settle(&l);
		lab_sleep(&l, S(2));
		assert_int_equal(l.job_count, 1);
		assert_int_equal(l.jobs[0].attempt, 2);
		lab_free(&l);
	}
}

/* The table is kept also when the clock was set back. */
static void tables_after_the_clock_was_set_back(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_settle(&l);
	size_t before = lab_number(&l, "guards_changed");
	assert_true(before > 0);
	l.now -= MIN(60);
	l.w->ledger_ok = false;
	lab_fresh(&l);
	lab_settle(&l);
	assert_true(lab_number(&l, "guards_changed") > before);
	lab_free(&l);
}

/* One class of signals can never be two: what would change it is another class, and is said. */
static void one_class_is_not_two(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	for (size_t i = US_SYN; i <= US_CTL; i++) l.signals[i].signal_class = WR_CLASS_SYNTHETIC;
	lab_outage(&l);
	l.w->regions[US].verdict = WR_V_DEGRADED;
	l.w->regions[US].breached_classes = 1u << WR_CLASS_SYNTHETIC;
	const wr_guard *g = judged_row(&l, WR_RB_FAILOVER, "signal_classes");
	assert_int_equal(g->verdict, WR_FAIL);
	assert_non_null(strstr(g->flip, "another class"));
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_result_before_the_ruling),
	    cmocka_unit_test(a_skipped_doubt_keeps_the_fence),
	    cmocka_unit_test(a_failed_retry_keeps_the_doubt),
	    cmocka_unit_test(a_doubt_is_not_nothing),
	    cmocka_unit_test(skipped_traffic_is_taken_back),
	    cmocka_unit_test(done_by_hand_is_done),
	    cmocka_unit_test(the_dead_come_back_unfenced),
	    cmocka_unit_test(the_clock_does_not_order_the_weights),
	    cmocka_unit_test(a_reading_from_the_future),
	    cmocka_unit_test(ruled_weights_are_weights),
	    cmocka_unit_test(what_the_plan_saw_is_past),
	    cmocka_unit_test(a_restart_makes_nothing_better),
	    cmocka_unit_test(the_clock_revives_no_approval),
	    cmocka_unit_test(the_clock_revives_no_ruling),
	    cmocka_unit_test(a_rollback_is_guarded),
	    cmocka_unit_test(a_nonce_is_used_once),
	    cmocka_unit_test(no_approval_lasts),
	    cmocka_unit_test(drift_is_not_taken_on_trust),
	    cmocka_unit_test(a_forgotten_id_is_taken),
	    cmocka_unit_test(ticks_push_out_no_approval),
	    cmocka_unit_test(who_may_not_approve_may_not_rule),
	    cmocka_unit_test(groups_that_share_traffic),
	    cmocka_unit_test(plans_that_cannot_be),
	    cmocka_unit_test(a_blob_that_is_no_plan),
	    cmocka_unit_test(health_is_not_sustained_unseen),
	    cmocka_unit_test(an_outage_is_not_sustained_unseen),
	    cmocka_unit_test(numbers_that_cannot_be),
	    cmocka_unit_test(facts_that_cannot_be),
	    cmocka_unit_test(the_loss_is_as_old_as_its_oldest_part),
	    cmocka_unit_test(no_report_ends_a_soak),
	    cmocka_unit_test(refused_reports_say_why),
	    cmocka_unit_test(a_retry_after_the_clock_was_set_back),
	    cmocka_unit_test(tables_after_the_clock_was_set_back),
	    cmocka_unit_test(one_class_is_not_two),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
