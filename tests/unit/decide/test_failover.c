/* test_failover.c: whole operations, from the outage to the receipts of the end. */
#include "laws.h"

static void whole_failover(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, -1);
	lab_state_is(&l, WR_OP_COMPLETED);
	const wr_op *op = lab_op(&l);
	for (size_t i = 0; i < FO_STEPS; i++) {
		assert_int_equal(op->steps[i].state, WR_SS_DONE);
		assert_int_equal(op->steps[i].attempts, 1);
	}
	assert_int_equal(wr_state_primary(l.s), EU);
	assert_int_equal(wr_state_region(l.s, US)->role, WR_STANDBY);
	assert_int_equal(lab_number(&l, "region_role_changed"), 2);
	assert_int_equal(lab_number(&l, "step_intent"), FO_STEPS);
	assert_int_equal(lab_number(&l, "step_result"), FO_STEPS);
	assert_int_equal(lab_number(&l, "notification_sent"), 1);
	assert_string_equal(lab_str(lab_last(&l, "notification_sent"), "subject"), "eu serves");
	assert_int_equal(l.job_count, 0);
	lab_free(&l);
}

static void contracts(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.w->signals[US_SYN].bad_streak = 3;
	lab_failover(&l);
	lab_run(&l, -1);
	const json_t *r = lab_last(&l, "regional_failover_completed");
	assert_non_null(r);
	assert_string_equal(lab_str(r, "primary_region_status"), "unavailable");
	assert_string_equal(lab_str(r, "primary_region"), "us");
	assert_string_equal(lab_str(r, "secondary_region"), "eu");
	assert_string_equal(lab_str(r, "failover_trigger"), "operator_command");
	assert_string_equal(lab_str(r, "status"), "secondary_active");
	assert_int_equal(wr_json_int(r, "dns_ttl_seconds", -1), 60);
	assert_int_equal(wr_json_int(r, "dns_propagation_seconds", -1), 3); /* two shifts of 1.5 s */
	assert_int_equal(wr_json_int(r, "warm_start_duration_seconds", -1), 2);
	const json_t *end = lab_last(&l, "operation_completed");
	int64_t impact_ms = wr_json_int(end, "impact_to_finish_ms", -1);
	assert_true(impact_ms >= 360000 + 60000 && impact_ms < 900000);
	assert_int_equal(wr_json_int(r, "total_failover_time_seconds", -1), (impact_ms + 999) / 1000);
	assert_int_equal(wr_json_int(end, "rto_ms", 0), 1800000);
	assert_true(wr_json_bool(end, "rto_met", false));
	const json_t *db = lab_last(&l, "postgres_failover_executed");
	assert_non_null(db);
	assert_string_equal(lab_str(db, "primary_region"), "us");
	assert_string_equal(lab_str(db, "secondary_region"), "eu");
	assert_string_equal(lab_str(db, "reason"), "the region burns");
	assert_int_equal(wr_json_int(db, "failure_count", -1), 3);
	assert_int_equal(wr_json_int(db, "failover_latency_ms", -1), 1500);
	assert_string_equal(lab_str(db, "status"), "failed_over");
	assert_string_equal(lab_str(end, "incident"), "INC-0001");
	lab_free(&l);
}

static void late_is_not_met(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.services[0].rto_ms = 60000;
	lab_failover(&l);
	lab_run(&l, -1);
	assert_false(wr_json_bool(lab_last(&l, "operation_completed"), "rto_met", true));
	lab_free(&l);
}

static void back_home(lab *l)
{
	lab_verdict(l, US, WR_V_HEALTHY);
	lab_weights(l, 0, 100);
	lab_settle(l);
	for (unsigned i = 0; i < 80; i++) lab_sleep(l, S(5)); /* 400 s HEALTHY, and cooled down */
	assert_true(lab_propose(l, RB_FB, EU, US, "alice"));
	assert_true(lab_says(l, "bob", "approve"));
}

static void and_back_again(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, -1);
	size_t regional = lab_number(&l, "regional_failover_completed");
	back_home(&l);
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(lab_op(&l)->impact_us, 0); /* nobody suffers from a failback */
	lab_run(&l, -1);
	lab_state_is(&l, WR_OP_COMPLETED);
	assert_int_equal(wr_state_primary(l.s), US);
	assert_int_equal(wr_state_region(l.s, EU)->role, WR_STANDBY);
	assert_int_equal(lab_number(&l, "regional_failover_completed"), regional);
	lab_free(&l);
}

static void cut_ledger(lab *l, size_t count)
{
	wr_receipt last;
	wr_err err = {0};
	for (size_t i = count; i < l->count; i++) {
		free(l->lines[i]);
		json_decref(l->receipts[i]);
	}
	l->count = count;
	if (l->checked > count) l->checked = count;
	const char *line = l->lines[count - 1];
	assert_int_equal(wr_receipt_parse(&last, line, strlen(line), true, &err), WR_RF_OK);
	memcpy(l->head, last.hash, sizeof l->head);
}

/* A crash between any two receipts of the end is finished by the next tick, nothing twice. */
static void crash_in_the_end(void **state)
{
	(void)state;
	/* Two roles, postgres, regional, completed: cut after some of them. */
	for (size_t cut = 0; cut <= 5; cut++) {
		lab l;
		lab_lawful(&l);
		lab_failover(&l);
		lab_run(&l, TELL);
		lab_finish(&l, WR_OUT_DONE);
		size_t first = 0;
		while (strcmp(lab_str(l.receipts[first], "operation"), "region_role_changed") != 0) first++;
		assert_string_equal(lab_str(l.receipts[first + 4], "operation"), "operation_completed");
		cut_ledger(&l, first + cut);
		lab_crash(&l);
		lab_settle(&l);
		lab_state_is(&l, WR_OP_COMPLETED);
		assert_int_equal(lab_number(&l, "operation_completed"), 1);
		assert_int_equal(lab_number(&l, "regional_failover_completed"), 1);
		assert_int_equal(lab_number(&l, "postgres_failover_executed"), 1);
		assert_int_equal(lab_number(&l, "region_role_changed"), 2);
		lab_free(&l);
	}
}

static void other_kind(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_settle(&l);
	assert_true(lab_propose(&l, RB_OT, US, EU, "alice"));
	assert_true(lab_says(&l, "bob", "approve"));
	lab_run(&l, -1);
	lab_state_is(&l, WR_OP_COMPLETED);
	assert_int_equal(wr_state_primary(l.s), US);
	lab_free(&l);
}

/* Groups do not wait for each other. */
static void two_groups(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	assert_true(lab_propose(&l, RB_OT, US, EU, "alice"));
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(wr_state_op(l.s, "op-1")->state, WR_OP_RUNNING);
	assert_int_equal(l.job_count, 2);
	lab_report_to(&l, 1, WR_OUT_DONE, "");
	lab_settle(&l);
	lab_state_is(&l, WR_OP_COMPLETED);
	assert_int_equal(wr_state_op(l.s, "op-1")->state, WR_OP_RUNNING);
	assert_null(wr_state_active(l.s, "side"));
	assert_non_null(wr_state_active(l.s, "main"));
	lab_free(&l);
}

static void same_operation(const wr_op *a, const wr_op *b)
{
	assert_int_equal(a->approval_count, b->approval_count);
	for (size_t i = 0; i < a->approval_count; i++) {
		assert_string_equal(a->approvals[i].principal, b->approvals[i].principal);
		assert_string_equal(a->approvals[i].decision, b->approvals[i].decision);
		assert_string_equal(a->approvals[i].nonce, b->approvals[i].nonce);
		assert_int_equal(a->approvals[i].expires_us, b->approvals[i].expires_us);
	}
	assert_int_equal(a->step_count, b->step_count);
	for (size_t i = 0; i < a->step_count; i++) {
		assert_int_equal(a->steps[i].state, b->steps[i].state);
		assert_int_equal(a->steps[i].attempts, b->steps[i].attempts);
		assert_int_equal(a->steps[i].intent_open, b->steps[i].intent_open);
		assert_int_equal(a->steps[i].result_us, b->steps[i].result_us);
		assert_string_equal(a->steps[i].output, b->steps[i].output);
	}
}

/* fold(all) is what it was before the crash; starting twice adds nothing. */
static void replay(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SCALE);
	wr_op before = *lab_op(&l);
	wr_state *again = wr_state_new(&l.cfg);
	for (size_t i = 0; i < l.count; i++) lab_fold(again, l.lines[i], l.blobs);
	for (size_t i = 0; i < l.count; i++) lab_fold(again, l.lines[i], l.blobs); /* idempotent */
	const wr_op *op;
	assert_int_equal(wr_state_ops(again, &op, 1), 1);
	assert_int_equal(op->state, before.state);
	same_operation(op, &before);
	assert_int_equal(wr_state_seq(again), (int64_t)l.count - 1);
	assert_int_equal(wr_state_contradictions(again), 0);
	wr_state_free(again);
	lab_crash(&l);
	assert_int_equal(lab_number(&l, "step_uncertain"), 1);
	size_t count = l.count;
	wr_event ev = {.kind = WR_EV_STARTED};
	lab_decide(&l, &ev);
	lab_decide(&l, &ev);
	assert_int_equal(l.count, count);
	lab_run(&l, -1);
	lab_state_is(&l, WR_OP_COMPLETED);
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_failover),   cmocka_unit_test(contracts),
	    cmocka_unit_test(late_is_not_met),  cmocka_unit_test(and_back_again),
	    cmocka_unit_test(crash_in_the_end), cmocka_unit_test(other_kind),
	    cmocka_unit_test(two_groups),       cmocka_unit_test(replay),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
