/* test_back.c: the way back: abort, rollback, undo, and traffic that must not return. */
#include "laws.h"

static void failure_goes_back_in_reverse(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, PROMOTE);
	lab_finish(&l, WR_OUT_FAILED);
	lab_sleep(&l, S(2));
	lab_finish(&l, WR_OUT_FAILED);
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	/* A failed promote did nothing; the fence and the freeze are taken back, newest first. */
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/fence/undo");
	assert_true(l.jobs[0].undo);
	assert_int_equal(l.jobs[0].attempt, 1);
	lab_finish(&l, WR_OUT_DONE);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/freeze/undo");
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLED_BACK);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_UNDONE);
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_FAILED);
	assert_int_equal(wr_state_primary(l.s), US);
	assert_false(wr_json_bool(lab_last(&l, "operation_rolled_back"), "rto_met", true) &&
	             !wr_json_int(lab_last(&l, "operation_rolled_back"), "rto_ms", 0));
	lab_free(&l);
}

static void abort_with_nothing_done(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	assert_true(lab_says(&l, "dave", "abort")); /* any operator */
	lab_state_is(&l, WR_OP_RUNNING);            /* what acts is let finish */
	assert_false(lab_says(&l, "bob", "abort"));
	lab_is_refused(&l, "A-TWICE");
	lab_finish(&l, WR_OUT_FAILED);
	lab_state_is(&l, WR_OP_ABORTED);
	assert_int_equal(l.job_count, 0);
	lab_free(&l);
}

static void abort_goes_back(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	assert_false(lab_says(&l, "alice", "abort"));
	lab_is_refused(&l, "A-STATE");
	assert_false(lab_says(&l, "carol", "approve"));
	lab_is_refused(&l, "A-STATE");
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLED_BACK);
	lab_free(&l);
}

static void abort_ends_a_wait(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	cancels = 0;
	l.command_law = count_cancels;
	l.fo[FREEZE].action = lab_wait(&l);
	l.fo[FREEZE].has_rollback = false;
	lab_failover(&l);
	assert_true(lab_says(&l, "alice", "abort"));
	assert_int_equal(cancels, 1);
	lab_finish(&l, WR_OUT_UNKNOWN); /* a cancelled wait has changed nothing: no doubt about it */
	assert_int_equal(lab_number(&l, "step_uncertain"), 0);
	lab_state_is(&l, WR_OP_ABORTED);
	lab_free(&l);
}

/* Undo of the shift would send traffic to a region that is down: never by itself. */
static void never_back_to_the_worse_side(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SOAK);
	lab_weights(&l, 90, 10);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_held_for(&l, "HOLD-TRAFFIC");
	assert_int_equal(lab_op(&l)->held_from, WR_OP_ROLLING_BACK);
	assert_int_equal(wr_op_current(lab_op(&l)), SHIFT10);
	assert_true(lab_says(&l, "alice", "resume")); /* asks again, and is held again */
	lab_held_for(&l, "HOLD-TRAFFIC");
	assert_false(lab_says(&l, "alice", "abort"));
	lab_is_refused(&l, "A-STATE");
	assert_true(both_say(&l, "rule:shift-10:skip"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	while (lab_op(&l)->state == WR_OP_ROLLING_BACK) lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_FAILED);
	assert_non_null(strstr(lab_op(&l)->final_reason, "shift-10"));
	lab_free(&l);
}

/* The shift may have happened, and nobody has looked since: what is undone would be a guess. */
static void never_back_on_a_guess(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SHIFT10);
	l.weights[US] = 90, l.weights[EU] = 10; /* it did happen; the observer has not seen it */
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_held_for(&l, "HOLD-TRAFFIC");
	l.now += S(1);
	lab_weights(&l, 100, 0); /* seen: nothing was moved, so nothing moves back */
	l.weights[US] = 100, l.weights[EU] = 0;
	assert_true(lab_says(&l, "alice", "resume"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/shift-10/undo");
	lab_free(&l);
}

static void back_to_the_better_side(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SOAK);
	lab_weights(&l, 90, 10);
	lab_verdict(&l, US, WR_V_HEALTHY);
	l.w->signals[EU_MESH].breached = true;
	l.w->signals[EU_MESH].status = WR_BREACHED;
	lab_verdict(&l, EU, WR_V_DEGRADED);
	lab_settle(&l); /* the soak fails at once, and its failure rolls back after its one retry */
	assert_int_equal(step(&l, SOAK)->state, WR_SS_FAILED);
	lab_sleep(&l, S(2));
	assert_int_equal(step(&l, SOAK)->attempts, 2);
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/shift-10/undo");
	const json_t *back = json_object_get(l.jobs[0].step, "rollback");
	assert_true(wr_json_bool(back, "observed", false));
	const json_t *weights = json_object_get(json_object_get(back, "traffic"), "weights");
	assert_int_equal(wr_json_int(weights, "us", -1), 100);
	assert_int_equal(wr_json_int(weights, "eu", -1), 0);
	lab_finish(&l, WR_OUT_DONE);
	lab_weights(&l, 100, 0);
	while (lab_op(&l)->state == WR_OP_ROLLING_BACK) lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLED_BACK);
	assert_non_null(strstr(lab_op(&l)->final_reason, "scale")); /* had no way back, and is said */
	lab_free(&l);
}

/* It may have been done, and taking it back twice is harmless: it is taken back. */
static void idempotent_doubt_is_taken_back(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_finish(&l, WR_OUT_UNKNOWN);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/freeze/undo");
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLED_BACK);
	lab_free(&l);
}

static void abort_in_doubt(void **state)
{
	(void)state;
	lab l;
	at_promote_in_doubt(&l);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_state_is(&l, WR_OP_HELD); /* what was done must be known before going back */
	assert_false(lab_says(&l, "alice", "resume"));
	lab_is_refused(&l, "A-STATE");
	assert_true(both_say(&l, "rule:promote-postgres:done"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/promote-postgres/undo");
	lab_finish(&l, WR_OUT_UNKNOWN); /* now the way back is in doubt */
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(both_say(&l, "rule:promote-postgres:done")); /* the undo was done */
	assert_int_equal(step(&l, PROMOTE)->state, WR_SS_UNDONE);
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	while (lab_op(&l)->state == WR_OP_ROLLING_BACK) lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLED_BACK);
	lab_free(&l);
}

static void abort_probes_first(void **state)
{
	(void)state;
	for (int answer = WR_OUT_DONE; answer <= WR_OUT_UNKNOWN; answer++) {
		lab l;
		at_fence_in_doubt(&l);
		assert_true(lab_says(&l, "alice", "abort"));
		lab_state_is(&l, WR_OP_RUNNING);
		lab_finish(&l, (wr_outcome)answer);
		if (answer == WR_OUT_UNKNOWN) {
			lab_held_for(&l, "HOLD-UNCERTAIN");
			assert_true(both_say(&l, "rule:fence:not_done"));
		}
		lab_state_is(&l, WR_OP_ROLLING_BACK);
		assert_string_equal(l.jobs[0].idempotency_key,
		                    answer == WR_OUT_DONE ? "op-1/fence/undo" : "op-1/freeze/undo");
		lab_free(&l);
	}
}

/* Held by a person, then aborted while a step is in doubt: it says what it waits for. */
static void abort_asks_when_held(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, PROMOTE);
	assert_true(lab_says(&l, "bob", "hold"));
	lab_held_for(&l, "HOLD-OPERATOR");
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_held_for(&l, "HOLD-OPERATOR");
	assert_true(lab_says(&l, "bob", "abort"));
	lab_held_for(&l, "HOLD-UNCERTAIN");
	assert_true(both_say(&l, "rule:promote-postgres:not_done"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	lab_free(&l);
}

static void undo_probes_the_effect(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, PROMOTE);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_FAILED);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/fence/undo");
	lab_finish(&l, WR_OUT_UNKNOWN);
	assert_int_equal(l.jobs[0].kind, WR_CMD_PROBE);
	lab_finish(&l, WR_OUT_DONE); /* still fenced: the undo has not happened */
	assert_int_equal(step(&l, FENCE)->state, WR_SS_UNDO_FAILED);
	lab_sleep(&l, S(3));
	lab_finish(&l, WR_OUT_UNKNOWN);
	lab_finish(&l, WR_OUT_FAILED); /* fenced no more */
	assert_int_equal(step(&l, FENCE)->state, WR_SS_UNDONE);
	assert_string_equal(l.jobs[0].idempotency_key, "op-1/freeze/undo");
	lab_free(&l);
}

static void undo_that_fails(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, FENCE);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_DONE);
	lab_finish(&l, WR_OUT_FAILED);
	lab_sleep(&l, S(2));
	lab_finish(&l, WR_OUT_FAILED);
	lab_held_for(&l, "HOLD-UNDO");
	assert_true(lab_says(&l, "bob", "resume"));
	assert_int_equal(l.jobs[0].attempt, 3);
	lab_finish(&l, WR_OUT_FAILED);
	lab_sleep(&l, S(2));
	lab_finish(&l, WR_OUT_FAILED);
	lab_held_for(&l, "HOLD-UNDO");
	assert_true(both_say(&l, "rule:fence:skip"));
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_FAILED);
	assert_non_null(strstr(lab_op(&l)->final_reason, "fence"));
	lab_free(&l);
}

static void drift_holds(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	l.drift = "0000000000000000000000000000000000000000000000000000000000000000";
	lab_finish(&l, WR_OUT_DONE);
	lab_held_for(&l, "HOLD-DRIFT");
	assert_false(lab_says(&l, "carol", "approve"));
	lab_is_refused(&l, "A-DRIFT");
	assert_true(lab_says(&l, "bob", "abort")); /* going back was approved, as it was */
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLED_BACK);
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(failure_goes_back_in_reverse),
	    cmocka_unit_test(abort_with_nothing_done),
	    cmocka_unit_test(abort_goes_back),
	    cmocka_unit_test(abort_ends_a_wait),
	    cmocka_unit_test(never_back_to_the_worse_side),
	    cmocka_unit_test(never_back_on_a_guess),
	    cmocka_unit_test(back_to_the_better_side),
	    cmocka_unit_test(idempotent_doubt_is_taken_back),
	    cmocka_unit_test(abort_in_doubt),
	    cmocka_unit_test(abort_probes_first),
	    cmocka_unit_test(abort_asks_when_held),
	    cmocka_unit_test(undo_probes_the_effect),
	    cmocka_unit_test(undo_that_fails),
	    cmocka_unit_test(drift_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
