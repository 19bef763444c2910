/* test_fold.c: the fold of receipts that nobody would have written: counted, never fatal. */
#include "lab.h"

static void put(lab *l, const char *format, ...) WR_PRINTF(2, 3);

static void put(lab *l, const char *format, ...)
{
	char text[2048];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\'') *p = '"';
	json_error_t err;
	json_t *draft = json_loads(text, 0, &err);
	if (!draft) fail_msg("%s: %s", text, err.text);
	lab_append(l, draft);
}

static void contradictions(void **state)
{
	(void)state;
	static const char *const odd[] = {
	    "{'operation':'operation_started','operation_id':'op-9'}",
	    "{'operation':'operation_started'}",
	    "{'operation':'operation_completed','operation_id':'op-1'}",
	    "{'operation':'operation_resumed','operation_id':'op-1'}",
	    "{'operation':'operation_invented','operation_id':'op-1'}",
	    "{'operation':'operation_proposed','operation_id':'op-1','group':'main'}",
	    "{'operation':'operation_proposed','group':'main'}",
	    "{'operation':'step_result','operation_id':'op-1','index':0,'attempt':1,'outcome':'done'}",
	    "{'operation':'step_result','operation_id':'op-1','index':-1,'attempt':1}",
	    "{'operation':'step_result','operation_id':'op-1','index':64,'attempt':1}",
	    "{'operation':'step_result','operation_id':'op-1','index':'x','attempt':true}",
	    "{'operation':'step_intent','operation_id':'op-1','index':9007199254740991,'attempt':1}",
	    "{'operation':'step_uncertain','operation_id':'op-1','index':0,'attempt':1}",
	    "{'operation':'step_probing','operation_id':'op-1','index':0,'attempt':1}",
	    "{'operation':'step_ruled','operation_id':'op-1','index':0,'ruling':'done'}",
	    "{'operation':'step_ruled','operation_id':'op-4','index':0,'ruling':'done'}",
	    "{'operation':'approval_recorded','operation_id':'op-1','plan_hash':'00'}",
	    "{'operation':'approval_recorded'}",
	    "{'operation':'incident_closed'}",
	    "{'operation':'verdict_changed','region':'us','to':'SPLENDID'}",
	};
	lab l;
	lab_init(&l);
	lab_outage(&l);
	lab_propose(&l, RB_FO, US, EU, "alice");
	put(&l, "{'operation':'incident_closed'}");
	assert_int_equal(wr_state_contradictions(l.s), 0);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		uint64_t before = wr_state_contradictions(l.s);
		put(&l, "%s", odd[i]);
		if (wr_state_contradictions(l.s) != before + 1) fail_msg("not counted: %s", odd[i]);
		lab_state_is(&l, WR_OP_PROPOSED);
	}
	lab_free(&l);
}

static void harmless(void **state)
{
	(void)state;
	static const char *const odd[] = {
	    "{'operation':'checkpoint'}",
	    "{'operation':'something_new','operation_id':'op-1','index':7}",
	    "{'operation':'verdict_changed','region':'atlantis','to':'DOWN'}",
	    "{'operation':'region_role_changed','region':'atlantis','role':'primary'}",
	    "{'operation':'region_role_changed','region':'us','role':'king'}",
	    "{'operation':'region_role_changed','region':7,'role':7}",
	    "{'operation':'guards_changed'}",
	    "{'operation':'guards_changed','action':true,'digest':3}",
	    "{'operation':'x_failover_executed'}",
	    "{'operation':'_failover_executed','primary_region':'us','secondary_region':'eu'}",
	    "{'operation':'regional_failover_completed'}",
	    "{'operation':'engine_started'}",
	    "{'operation':'notification_sent'}",
	};
	lab l;
	lab_init(&l);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) put(&l, "%s", odd[i]);
	assert_int_equal(wr_state_contradictions(l.s), 0);
	assert_int_equal(wr_state_primary(l.s), US);
	assert_int_equal(wr_state_seq(l.s), (int64_t)(sizeof odd / sizeof odd[0]) - 1);
	lab_free(&l);
}

static void stale_epochs_act_no_more(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	l.epoch = 5;
	put(&l, "{'operation':'engine_started'}");
	assert_int_equal(wr_state_epoch(l.s), 5);
	l.epoch = 4;
	put(&l, "{'operation':'region_role_changed','region':'eu','role':'primary'}");
	assert_int_equal(wr_state_contradictions(l.s), 1);
	assert_int_equal(wr_state_region(l.s, EU)->role, WR_STANDBY);
	assert_int_equal(wr_state_epoch(l.s), 5);
	lab_free(&l);
}

static void gaps_and_repeats(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	for (unsigned i = 0; i < 4; i++) put(&l, "{'operation':'engine_started'}");
	wr_state *s = wr_state_new(&l.cfg);
	lab_fold(s, l.lines[1], l.blobs);
	assert_int_equal(wr_state_contradictions(s), 1); /* it begins in the middle */
	lab_fold(s, l.lines[1], l.blobs);
	lab_fold(s, l.lines[0], l.blobs);
	assert_int_equal(wr_state_contradictions(s), 1);
	assert_int_equal(wr_state_seq(s), 1);
	lab_fold(s, l.lines[3], l.blobs);
	assert_int_equal(wr_state_contradictions(s), 2);
	wr_state_free(s);
	lab_free(&l);
}

static void long_texts_are_cut(void **state)
{
	(void)state;
	lab l;
	char big[1500];
	lab_init(&l);
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	put(&l, "{'operation':'incident_opened','incident':'INC-0007','title':'%s','region':'us'}",
	    big);
	assert_true(strlen(wr_state_incident_title(l.s)) < 200);
	put(&l,
	    "{'operation':'operation_proposed','operation_id':'op-41','group':'main','reason':'%s'}",
	    big);
	char id[WR_ID_LEN];
	wr_state_next_id(l.s, id);
	assert_string_equal(id, "op-42");
	assert_true(strlen(lab_op(&l)->reason) < 256);
	put(&l,
	    "{'operation':'operation_proposed','operation_id':'op-99999999999999999999','group':'x'}");
	wr_state_next_id(l.s, id);
	assert_string_equal(id, "op-42");
	lab_free(&l);
}

/* A ledger of years: what is over is forgotten, what is not never. */
static void many_operations(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	put(&l, "{'operation':'operation_proposed','operation_id':'op-1','group':'slow'}");
	for (unsigned i = 2; i < 400; i++) {
		put(&l, "{'operation':'operation_proposed','operation_id':'op-%u','group':'main'}", i);
		put(&l, "{'operation':'operation_denied','operation_id':'op-%u'}", i);
	}
	const wr_op *ops[200];
	size_t n = wr_state_ops(l.s, ops, 200);
	assert_true(n > 50 && n < 200);
	assert_string_equal(ops[0]->id, "op-399");
	assert_non_null(wr_state_op(l.s, "op-1"));
	assert_non_null(wr_state_active(l.s, "slow"));
	assert_null(wr_state_op(l.s, "op-2"));
	assert_int_equal(wr_state_contradictions(l.s), 0);
	lab_free(&l);
}

/* Many people, many words: the newest of each counts. */
static void many_approvals(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_outage(&l);
	lab_propose(&l, RB_FO, US, EU, "alice");
	for (unsigned i = 0; i < 100; i++)
		put(&l,
		    "{'operation':'approval_recorded','operation_id':'op-1','plan_hash':'%s',"
		    "'principal':'p%u','role':'sre','decision':'approve','nonce':'n%u',"
		    "'expires':'2026-01-25T12:%02u:00Z','key_fingerprint':'k%u'}",
		    lab_op(&l)->plan_hash, i, i, i % 60, i);
	assert_int_equal(lab_op(&l)->approval_count, 32);
	assert_true(wr_state_nonce_used(l.s, "n0") && wr_state_nonce_used(l.s, "n99"));
	assert_false(wr_state_nonce_used(l.s, "n100"));
	wr_quorum q;
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_false(q.met); /* none of them is an operator */
	lab_free(&l);
}

static void soak_baselines(void **state)
{
	(void)state;
	static const char *const odd[] = {"", ",", "12,x,3", "99999999999999999999999999",
	                                  "1,2,3,4,5,6"};
	lab l;
	lab_init(&l);
	lab_failover(&l);
	lab_run(&l, SCALE);
	lab_finish(&l, WR_OUT_DONE);
	lab_finish(&l, WR_OUT_DONE);
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
		put(&l,
		    "{'operation':'step_intent','operation_id':'op-1','index':5,'attempt':%zu,'kind':'soak'"
		    ","
		    "'baseline':'%s'}",
		    i + 1, odd[i]);
		wr_gate g;
		wr_gate_eval(&g, lab_op(&l), SOAK, l.w, l.now + S(61));
		assert_true(g.verdict != WR_FAIL && g.text[0]);
		if (i < 2) assert_int_equal(g.verdict, WR_GATE_NO_DATA); /* nothing to count from */
	}
	wr_gate g;
	wr_gate_eval(&g, lab_op(&l), 63, l.w, l.now);
	assert_int_equal(g.verdict, WR_GATE_NO_DATA);
	wr_gate_eval(&g, lab_op(&l), FREEZE, l.w, l.now);
	assert_int_equal(g.verdict, WR_GATE_NO_DATA);
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(contradictions),     cmocka_unit_test(harmless),
	    cmocka_unit_test(gaps_and_repeats),   cmocka_unit_test(stale_epochs_act_no_more),
	    cmocka_unit_test(long_texts_are_cut), cmocka_unit_test(many_operations),
	    cmocka_unit_test(many_approvals),     cmocka_unit_test(soak_baselines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
