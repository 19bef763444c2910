/* test_steps.c: one step at a time: retries, doubt, rulings, holds, what is checked before each. */
#include "laws.h"

static void retries_with_backoff(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	char key[80];
	memcpy(key, l.jobs[0].idempotency_key, sizeof key);
	assert_string_equal(key, "op-1/freeze/do");
	lab_finish(&l, WR_OUT_FAILED);
	assert_int_equal(step(&l, FREEZE)->state, WR_SS_FAILED);
	assert_int_equal(l.job_count, 0);
	int64_t due = l.wake - l.now;
	assert_true(due >= 800000 && due <= 1200000);
	l.now += due - 1;
	lab_settle(&l);
	assert_int_equal(l.job_count, 0);
	l.now += 1;
	lab_settle(&l);
	assert_int_equal(l.job_count, 1);
	assert_int_equal(l.jobs[0].attempt, 2);
	assert_string_equal(l.jobs[0].idempotency_key, key);
	lab_finish(&l, WR_OUT_FAILED);
	lab_held_for(&l, "HOLD-FAILED");
	lab_sleep(&l, MIN(1));
	assert_int_equal(l.job_count, 0);
	assert_true(lab_says(&l, "carol", "resume")); /* new retries, at once */
	assert_int_equal(l.jobs[0].attempt, 3);
	lab_finish(&l, WR_OUT_DONE);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_RUNNING);
	lab_free(&l);
}

static void backoff_grows_to_its_bound(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[FREEZE].retries = 8;
	lab_failover(&l);
	int64_t last = 0;
	for (int i = 0; i < 8; i++) {
		lab_finish(&l, WR_OUT_FAILED);
		int64_t due = l.wake - l.now;
		assert_true(due <= S(36));
		if (i > 0 && i < 5) assert_true(due > last);
		last = due;
		lab_sleep(&l, due);
	}
	assert_int_equal(l.jobs[0].attempt, 9);
	lab_free(&l);
}

static void optional_steps_are_skipped(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, TELL);
	lab_finish(&l, WR_OUT_FAILED);
	lab_sleep(&l, S(2));
	lab_finish(&l, WR_OUT_FAILED);
	lab_state_is(&l, WR_OP_COMPLETED);
	assert_int_equal(step(&l, TELL)->state, WR_SS_SKIPPED);
	assert_string_equal(lab_str(lab_last(&l, "notification_sent"), "outcome"), "failed");
	lab_free(&l);
}

static void idempotent_doubt_goes_again(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[FREEZE].retries = 0;
	lab_failover(&l);
	lab_finish(&l, WR_OUT_UNKNOWN);
	assert_int_equal(step(&l, FREEZE)->state, WR_SS_UNCERTAIN);
	lab_sleep(&l, S(2));
	assert_int_equal(l.jobs[0].attempt, 2);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/freeze/do");
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_sleep(&l, S(5));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	lab_free(&l);
}

static void probe_says_done(void **state)
{
	(void)state;
	lab l;
	at_fence_in_doubt(&l);
	lab_finish(&l, WR_OUT_DONE);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_DONE);
	assert_string_equal(step(&l, FENCE)->output, "probe: it was done");
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_RUNNING); /* the fence is proved */
	lab_free(&l);
}

static void probe_says_not_done(void **state)
{
	(void)state;
	lab l;
	at_fence_in_doubt(&l);
	lab_finish(&l, WR_OUT_FAILED);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_FAILED);
	lab_sleep(&l, S(2));
	assert_int_equal(l.jobs[0].kind, WR_CMD_START);
	assert_int_equal(l.jobs[0].attempt, 2);
	lab_free(&l);
}

static void probe_cannot_tell(void **state)
{
	(void)state;
	lab l;
	at_fence_in_doubt(&l);
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(lab_says(&l, "alice", "resume")); /* probes again */
	assert_int_equal(l.jobs[0].kind, WR_CMD_PROBE);
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(both_say(&l, "rule:fence:done"));
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_DONE);
	assert_string_equal(lab_str(lab_last(&l, "step_ruled"), "by"), "alice,bob");
	lab_free(&l);
}

static void probe_never_answers(void **state)
{
	(void)state;
	lab l;
	at_fence_in_doubt(&l);
	lab_sleep(&l, S(46));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	lab_finish(&l, WR_OUT_DONE); /* late, but it settles the question */
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_DONE);
	lab_free(&l);
}

static void opaque_waits_for_two(void **state)
{
	(void)state;
	lab l;
	at_promote_in_doubt(&l);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_false(lab_says(&l, "alice", "rule:promote-postgres:done"));
	lab_is_refused(&l, "A-TWICE");
	assert_true(lab_says(&l, "bob", "rule:promote-postgres:not_done")); /* they disagree */
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_int_equal(lab_number(&l, "step_ruled"), 0);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:not_done")); /* changes her mind */
	assert_int_equal(lab_number(&l, "step_ruled"), 1);
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(l.jobs[0].attempt, 2);
	/* Used up: the same doubt again needs two new signatures. */
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(lab_says(&l, "bob", "rule:promote-postgres:not_done"));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(lab_says(&l, "erin", "rule:promote-postgres:not_done"));
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(l.jobs[0].attempt, 3);
	lab_free(&l);
}

/* What somebody said before the operation was resumed does not count after it. */
static void rulings_do_not_keep(void **state)
{
	(void)state;
	lab l;
	at_promote_in_doubt(&l);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	assert_true(lab_says(&l, "carol", "resume"));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(lab_says(&l, "bob", "rule:promote-postgres:done"));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_int_equal(lab_number(&l, "step_ruled"), 0);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void ruling_by_one_key(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	at_promote_in_doubt(&l);
	assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
	const wr_op *op = lab_op(&l);
	lab_sign_init(&l, &g, op->id, op->plan_hash, "erin", "sre", "rule:promote-postgres:done");
	snprintf(g.s.fingerprint, sizeof g.s.fingerprint, "SHA256:key-of-alice");
	lab_seal(&g);
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-SAME-KEY");
	lab_free(&l);
}

static void ruling_skip_and_nonsense(void **state)
{
	(void)state;
	static const struct {
		const char *what, *rule;
	} bad[] = {
	    {"rule:promote-postgres:maybe", "A-DECISION"},
	    {"rule:promote-postgres:", "A-DECISION"},
	    {"rule:promote-postgres", "A-STEP"},
	    {"rule:nothing:done", "A-STEP"},
	    {"rule:", "A-STEP"},
	    {"rule::", "A-STEP"},
	    {"rule:freeze:done", "A-STATE"},
	    {"rule:scale:skip", "A-STATE"},
	    {"tick:promote-postgres", "A-STATE"},
	    {"tick:", "A-STEP"},
	    {"dance", "A-DECISION"},
	    {"", "A-DECISION"},
	    {"propose", "A-STATE"},
	    {"hold", "A-STATE"},
	};
	lab l;
	at_promote_in_doubt(&l);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		size_t before = l.count;
		assert_false(lab_says(&l, "alice", bad[i].what));
		if (l.count != before) fail_msg("%s left a receipt", bad[i].what);
		lab_sig g;
		lab_sign_init(&l, &g, "op-1", lab_op(&l)->plan_hash, "alice", "sre", bad[i].what);
		lab_seal(&g);
		lab_send(&l, &g);
		lab_is_refused(&l, bad[i].rule);
	}
	assert_true(both_say(&l, "rule:promote-postgres:skip"));
	lab_run(&l, -1);
	lab_state_is(&l, WR_OP_COMPLETED);
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_SKIPPED);
	assert_null(lab_last(&l, "postgres_failover_executed")); /* it was not promoted by us */
	lab_free(&l);
}

static void hold_lets_the_step_finish(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	assert_true(lab_says(&l, "dave", "hold"));
	lab_held_for(&l, "HOLD-OPERATOR");
	lab_finish(&l, WR_OUT_DONE);
	assert_int_equal(step(&l, FREEZE)->state, WR_SS_DONE);
	lab_sleep(&l, MIN(1));
	assert_int_equal(l.job_count, 0);
	assert_true(lab_says(&l, "bob", "resume"));
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/fence/do");
	lab_free(&l);
}

static void approvals_run_out(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_sleep(&l, S(40)); /* the first attempt never reports, then … */
	l.now += MIN(15);
	lab_fresh(&l);
	lab_settle(&l);
	lab_sleep(&l, S(5));
	lab_held_for(&l, "HOLD-APPROVALS");
	assert_true(lab_says(&l, "alice", "resume")); /* does not help */
	lab_held_for(&l, "HOLD-APPROVALS");
	assert_true(lab_says(&l, "carol", "approve"));
	lab_held_for(&l, "HOLD-APPROVALS");
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_RUNNING); /* by itself */
	assert_int_equal(step(&l, FREEZE)->attempts, 2);
	lab_free(&l);
}

/* An approval that would run out while the intent is written does not count. */
static void approvals_outlive_the_intent(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	int64_t expiry = lab_op(&l)->approvals[0].expires_us;
	l.now = expiry - S(4);
	lab_fresh(&l);
	lab_finish(&l, WR_OUT_DONE);
	lab_held_for(&l, "HOLD-APPROVALS");
	lab_free(&l);
}

static void renewal_keeps_it_running(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_sleep(&l, MIN(10));
	assert_true(lab_says(&l, "alice", "approve"));
	assert_true(lab_says(&l, "bob", "approve"));
	assert_int_equal(lab_op(&l)->approval_count, 2);
	lab_sleep(&l, MIN(10));
	lab_run(&l, FENCE);
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void guards_keep_running(void **state)
{
	(void)state;
	for (int what = 0; what < 4; what++) {
		lab l;
		lab_lawful(&l);
		lab_failover(&l);
		if (what == 0) lab_verdict(&l, EU, WR_V_DEGRADED);
		if (what == 1) lab_verdict(&l, EU, WR_V_UNKNOWN);
		if (what == 2) l.w->isolated = true;
		if (what == 3) l.w->ledger_ok = false;
		/* The source does not matter any more once it is being left. */
		lab_verdict(&l, US, WR_V_HEALTHY);
		lab_finish(&l, WR_OUT_DONE);
		lab_held_for(&l, "HOLD-GUARD");
		lab_verdict(&l, EU, WR_V_HEALTHY);
		l.w->isolated = false;
		l.w->ledger_ok = true;
		lab_sleep(&l, S(5));
		lab_held_for(&l, "HOLD-GUARD"); /* a person goes on */
		assert_true(lab_says(&l, "bob", "resume"));
		lab_state_is(&l, WR_OP_RUNNING);
		lab_free(&l);
	}
}

static void promote_needs_its_fence(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[FENCE].optional = true;
	lab_failover(&l);
	lab_run(&l, FENCE);
	lab_finish(&l, WR_OUT_FAILED);
	lab_sleep(&l, S(2));
	lab_finish(&l, WR_OUT_FAILED);
	lab_held_for(&l, "HOLD-FENCE");
	assert_true(lab_says(&l, "alice", "resume"));
	lab_held_for(&l, "HOLD-FENCE");
	assert_true(lab_says(&l, "alice", "rule:fence:skip"));
	lab_held_for(&l, "HOLD-FENCE");
	assert_true(lab_says(&l, "bob", "rule:fence:skip"));
	lab_state_is(&l, WR_OP_RUNNING); /* accepted by name by both */
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/promote-postgres/do");
	lab_free(&l);
}

static void traffic_to_the_unknown(void **state)
{
	(void)state;
	static const struct {
		wr_verdict us, eu;
		bool goes;
	} cases[] = {
	    {WR_V_HEALTHY, WR_V_HEALTHY, true},   {WR_V_DOWN, WR_V_DEGRADED, true},
	    {WR_V_HEALTHY, WR_V_DEGRADED, false}, {WR_V_DOWN, WR_V_UNKNOWN, false},
	    {WR_V_UNKNOWN, WR_V_DEGRADED, false}, {WR_V_UNKNOWN, WR_V_HEALTHY, true},
	    {WR_V_SUSPECT, WR_V_DOWN, false},     {WR_V_DEGRADED, WR_V_DEGRADED, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		lab l;
		lab_lawful(&l);
		l.ot[0] = lab_step("move", WR_PHASE_SHIFT, WR_IDEMPOTENT, lab_traffic(0));
		lab_settle(&l);
		lab_verdict(&l, US, cases[i].us);
		lab_verdict(&l, EU, cases[i].eu);
		assert_true(lab_propose(&l, RB_OT, US, EU, "alice"));
		assert_true(lab_says(&l, "bob", "approve"));
		if (cases[i].goes)
			assert_int_equal(l.job_count, 1);
		else
			lab_held_for(&l, "HOLD-TRAFFIC");
		lab_free(&l);
	}
}

/* Nothing to say where traffic is now: every pair of the regions must be all right. */
static void traffic_with_unknown_weights(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.law = NULL;
	l.ot[0] = lab_step("move", WR_PHASE_SHIFT, WR_IDEMPOTENT, lab_traffic(50));
	lab_weights(&l, -1, -1);
	lab_settle(&l);
	lab_verdict(&l, US, WR_V_DEGRADED);
	assert_true(lab_propose(&l, RB_OT, US, EU, "alice"));
	assert_true(lab_says(&l, "bob", "approve"));
	lab_held_for(&l, "HOLD-TRAFFIC");
	lab_verdict(&l, US, WR_V_HEALTHY);
	assert_true(lab_says(&l, "bob", "resume"));
	assert_int_equal(l.job_count, 1);
	lab_free(&l);
}

static void soak_without_data(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[SOAK].retries = 0;
	l.fo[SOAK].on_failure = WR_FAIL_HOLD;
	lab_failover(&l);
	lab_run(&l, SOAK);
	uint64_t before = l.w->signals[EU_CTL].samples;
	for (int i = 0; i < 23; i++) {
		lab_sleep(&l, S(5));
		l.w->signals[EU_CTL].samples = before; /* one signal never speaks */
		assert_int_equal(step(&l, SOAK)->state, WR_SS_RUNNING);
	}
	lab_sleep(&l, S(5) - 1);
	l.w->signals[EU_CTL].samples = before;
	l.now += 1;
	lab_settle(&l); /* 120 s: its timeout, and still no data */
	lab_held_for(&l, "HOLD-FAILED");
	assert_non_null(strstr(step(&l, SOAK)->error, "no sample"));
	lab_free(&l);
}

static void soak_starts_over(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SOAK);
	int64_t began = step(&l, SOAK)->soak_started_us;
	lab_sleep(&l, S(50));
	lab_crash(&l);
	assert_non_null(strstr(lab_str(lab_last(&l, "step_uncertain"), "reason"), "starts over"));
	for (size_t i = 0; i < SIGNALS; i++) l.w->signals[i].samples = 0; /* the world is new too */
	lab_sleep(&l, S(20));
	assert_int_equal(step(&l, SOAK)->state, WR_SS_RUNNING);
	assert_true(step(&l, SOAK)->soak_started_us >= began + S(50));
	assert_int_equal(step(&l, SOAK)->attempts, 2);
	lab_sleep(&l, S(30));
	lab_sleep(&l, S(25));
	assert_int_equal(step(&l, SOAK)->state, WR_SS_RUNNING);
	lab_sleep(&l, S(10));
	assert_int_equal(step(&l, SOAK)->state, WR_SS_DONE);
	lab_free(&l);
}

static void manual_waits_for_its_tick(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, CHECK);
	lab_sleep(&l, MIN(4)); /* people take their time */
	assert_int_equal(step(&l, CHECK)->state, WR_SS_RUNNING);
	lab_crash(&l);
	lab_settle(&l);
	assert_int_equal(step(&l, CHECK)->state, WR_SS_RUNNING);
	assert_false(lab_says(&l, "alice", "tick:soak"));
	assert_false(lab_says(&l, "alice", "tick:nothing"));
	assert_true(lab_says(&l, "bob", "hold"));
	assert_true(lab_says(&l, "alice", "tick:check")); /* what is open may be finished */
	assert_int_equal(step(&l, CHECK)->state, WR_SS_DONE);
	assert_string_equal(step(&l, CHECK)->output, "ticked off by alice");
	assert_true(lab_says(&l, "bob", "resume"));
	lab_run(&l, -1);
	lab_state_is(&l, WR_OP_COMPLETED);
	lab_free(&l);
}

static void lost_report(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	cancels = 0;
	l.command_law = count_cancels;
	lab_failover(&l);
	lab_run(&l, PROMOTE);
	lab_sleep(&l, S(44));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_sleep(&l, S(2));
	assert_int_equal(cancels, 1);
	lab_held_for(&l, "HOLD-UNCERTAIN");
	lab_finish(&l, WR_OUT_DONE); /* it comes at last */
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_DONE);
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void stray_reports(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	wr_step_report good = {.operation_id = "op-1", .attempt = 1, .exit_code = -1};
	wr_step_report bad[6] = {good, good, good, good, good, good};
	snprintf(bad[0].operation_id, sizeof bad[0].operation_id, "op-9");
	bad[1].index = 1;
	bad[2].index = 4711;
	bad[3].attempt = 2;
	bad[4].undo = true;
	bad[5].index = SIZE_MAX;
	size_t before = l.count;
	for (size_t i = 0; i < 6; i++) {
		wr_event ev = {.kind = i % 2 ? WR_EV_RESULT : WR_EV_PROBED, .report = &bad[i]};
		lab_decide(&l, &ev);
		assert_false(l.accepted);
	}
	wr_event probed = {.kind = WR_EV_PROBED, .report = &good}; /* nobody asked for a probe */
	lab_decide(&l, &probed);
	assert_false(l.accepted);
	assert_int_equal(l.count, before);
	wr_event ev = {.kind = WR_EV_RESULT, .report = &good};
	lab_decide(&l, &ev);
	assert_true(l.accepted);
	before = l.count;
	lab_decide(&l, &ev); /* the same again */
	assert_false(l.accepted);
	assert_int_equal(l.count, before);
	lab_free(&l);
}

static void lost_plan(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, PROMOTE);
	json_object_clear(l.blobs);
	lab_crash(&l);
	lab_settle(&l);
	lab_held_for(&l, "HOLD-PLAN");
	assert_false(lab_says(&l, "alice", "resume"));
	lab_is_refused(&l, "A-STATE");
	assert_true(lab_says(&l, "alice", "abort"));
	lab_state_is(&l, WR_OP_FAILED);
	lab_free(&l);
}

static void after_a_start_nothing_is_known(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	json_t *started = json_pack("{s:s}", "operation", "engine_started");
	lab_append(&l, started);
	lab_crash(&l);
	for (size_t i = 0; i < SIGNALS; i++) l.w->signals[i].samples = 0;
	for (size_t i = US; i <= EU; i++) lab_verdict(&l, i, WR_V_UNKNOWN);
	size_t verdicts = lab_number(&l, "verdict_changed");
	l.now += S(5);
	lab_settle(&l);
	lab_state_is(&l, WR_OP_RUNNING); /* neither held nor going on */
	assert_int_equal(l.job_count, 0);
	assert_int_equal(lab_number(&l, "verdict_changed"), verdicts);
	for (size_t i = 0; i < SIGNALS; i++) l.w->signals[i].samples = 3;
	lab_verdict(&l, EU, WR_V_HEALTHY);
	lab_verdict(&l, US, WR_V_SUSPECT); /* the observer's clock began anew: on record it is DOWN */
	lab_sleep(&l, S(1));
	assert_int_equal(l.job_count, 1);
	assert_int_equal(wr_state_region(l.s, US)->verdict, WR_V_DOWN);
	assert_int_equal(lab_number(&l, "verdict_changed"), verdicts);
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(retries_with_backoff),
	    cmocka_unit_test(backoff_grows_to_its_bound),
	    cmocka_unit_test(optional_steps_are_skipped),
	    cmocka_unit_test(idempotent_doubt_goes_again),
	    cmocka_unit_test(probe_says_done),
	    cmocka_unit_test(probe_says_not_done),
	    cmocka_unit_test(probe_cannot_tell),
	    cmocka_unit_test(probe_never_answers),
	    cmocka_unit_test(opaque_waits_for_two),
	    cmocka_unit_test(rulings_do_not_keep),
	    cmocka_unit_test(ruling_by_one_key),
	    cmocka_unit_test(ruling_skip_and_nonsense),
	    cmocka_unit_test(hold_lets_the_step_finish),
	    cmocka_unit_test(approvals_run_out),
	    cmocka_unit_test(approvals_outlive_the_intent),
	    cmocka_unit_test(renewal_keeps_it_running),
	    cmocka_unit_test(guards_keep_running),
	    cmocka_unit_test(promote_needs_its_fence),
	    cmocka_unit_test(traffic_to_the_unknown),
	    cmocka_unit_test(traffic_with_unknown_weights),
	    cmocka_unit_test(soak_without_data),
	    cmocka_unit_test(soak_starts_over),
	    cmocka_unit_test(manual_waits_for_its_tick),
	    cmocka_unit_test(lost_report),
	    cmocka_unit_test(stray_reports),
	    cmocka_unit_test(lost_plan),
	    cmocka_unit_test(after_a_start_nothing_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
