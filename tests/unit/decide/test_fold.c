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

/* ---- law 9 ---- */

static void dump_step(wr_buf *out, const wr_op_step *st, bool seqs)
{
	wr_buf_addf(out, "  %s %d %d %d %lld %lld %lld %lld %s|%s|%s| %d %d %d %d %d %lld %lld %s %d",
	            wr_step_state_name(st->state), st->attempts, st->undo, st->intent_open,
	            (long long)st->intent_us, (long long)st->result_us, (long long)st->duration_ms,
	            (long long)st->soak_started_us, st->outcome, st->error, st->output, st->ticked,
	            st->kind, st->attempts_free, st->was_uncertain, st->probe_open,
	            (long long)st->probe_us, (long long)st->uncertain_us, st->ruling, st->doubtful);
	for (size_t i = 0; i < st->baseline_count; i++)
		wr_buf_addf(out, " %lld", (long long)st->baseline[i]);
	if (seqs) wr_buf_addf(out, " %lld %lld", (long long)st->ruled_seq, (long long)st->said_seq);
	wr_buf_addc(out, '\n');
}

static void dump_op(wr_buf *out, const wr_op *op, bool seqs)
{
	wr_buf_addf(out, "%s %d %s %d %s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%d\n", op->id, op->kind,
	            wr_op_state_name(op->state), op->held_from, op->runbook, op->group, op->from,
	            op->to, op->proposer, op->reason, op->words, op->plan_hash, op->steps_hash,
	            op->held_reason, op->final_reason, op->held_rule, op->plan != NULL);
	wr_buf_addf(out, " %lld %lld %lld %lld %lld %lld %lld %lld %lld %d\n",
	            (long long)op->proposed_us, (long long)op->approved_us, (long long)op->started_us,
	            (long long)op->finished_us, (long long)op->expires_us, (long long)op->impact_us,
	            (long long)op->rto_ms, (long long)op->epoch, (long long)op->held_us,
	            op->abort_requested);
	if (seqs) wr_buf_addf(out, " held at %lld\n", (long long)op->held_seq);
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		wr_buf_addf(out, " %s %s %s %s %s %d %lld %lld %d", a->principal, a->role, a->decision,
		            a->fingerprint, a->nonce, a->assurance, (long long)a->expires_us,
		            (long long)a->at_us, a->ran_out);
		if (seqs) wr_buf_addf(out, " %lld", (long long)a->seq);
		wr_buf_addc(out, '\n');
	}
	for (size_t i = 0; i < op->step_count; i++) dump_step(out, &op->steps[i], seqs);
}

/* Everything that the state shows, as text; without sequence numbers where other receipts stand
 * between. */
static char *dump(const wr_state *s, bool seqs)
{
	wr_buf out = WR_BUF_INIT(4u << 20);
	const wr_op *ops[16];
	char id[WR_ID_LEN];
	int64_t since_us;
	size_t n = wr_state_ops(s, ops, 16);
	wr_state_next_id(s, id);
	wr_buf_addf(&out, "%s %lld %llu %d %s", id, (long long)wr_state_epoch(s),
	            (unsigned long long)wr_state_contradictions(s), wr_state_primary(s),
	            wr_state_incident(s, &since_us));
	wr_buf_addf(&out, " %lld %s\n", (long long)since_us, wr_state_incident_title(s));
	for (size_t i = 0; i < REGIONS; i++) {
		const wr_region_state *r = wr_state_region(s, i);
		wr_buf_addf(&out, "%d %d %lld %lld %d", r->role, r->verdict, (long long)r->verdict_us,
		            (long long)r->impact_us, r->out);
		if (seqs) wr_buf_addf(&out, " %lld", (long long)r->back_seq);
		wr_buf_addc(&out, '\n');
	}
	for (size_t i = 0; i < n; i++) dump_op(&out, ops[i], seqs);
	assert_true(wr_buf_ok(&out));
	return wr_buf_take(&out);
}

/* A story with everything in it: doubts, rulings, probes, crashes, approvals given again, a way
 * back, a region that comes back, and a second operation that completes. */
static void long_story(lab *l)
{
	lab_init(l);
	l->fo[SCALE].step_class = WR_OPAQUE;
	lab_failover(l);
	lab_run(l, FENCE);
	lab_finish(l, WR_OUT_UNKNOWN);
	lab_crash(l);
	lab_finish(l, WR_OUT_DONE);
	lab_run(l, PROMOTE);
	assert_true(lab_says(l, "alice", "hold"));
	lab_finish(l, WR_OUT_DONE);
	lab_sleep(l, MIN(16));
	assert_true(lab_says(l, "alice", "resume"));
	assert_true(lab_says(l, "alice", "approve"));
	assert_true(lab_says(l, "bob", "approve"));
	lab_finish(l, WR_OUT_UNKNOWN);
	assert_true(lab_says(l, "alice", "rule:scale:done"));
	assert_true(lab_says(l, "bob", "rule:scale:done"));
	lab_run(l, SOAK);
	lab_weights(l, 90, 10);
	lab_sleep(l, S(20));
	lab_crash(l);
	lab_verdict(l, US, WR_V_HEALTHY);
	lab_sleep(l, S(20));
	assert_true(lab_says(l, "alice", "abort"));
	for (unsigned i = 0; i < 40 && !wr_op_final(lab_op(l)->state); i++) {
		if (l->job_count)
			lab_finish(l, WR_OUT_DONE);
		else
			lab_sleep(l, S(5));
	}
	assert_true(wr_op_final(lab_op(l)->state));
	lab_weights(l, 100, 0);
	lab_sleep(l, MIN(20));
	lab_verdict(l, US, WR_V_DOWN);
	lab_sleep(l, MIN(6));
	assert_true(lab_propose(l, RB_FO, US, EU, "alice"));
	assert_true(lab_says(l, "bob", "approve"));
	lab_run(l, -1);
	assert_true(l->count > 70);
}

/* fold(all) == fold(prefix) + fold(tail), wherever it is cut, also when some is read twice. */
static void any_split(void **state)
{
	(void)state;
	lab l;
	long_story(&l);
	char *whole = dump(l.s, true);
	for (size_t cut = 0; cut <= l.count; cut++) {
		wr_state *s = wr_state_new(&l.cfg);
		for (size_t i = 0; i < cut; i++) lab_fold(s, l.lines[i], l.blobs);
		for (size_t i = cut > 7 ? cut - 7 : 0; i < l.count; i++) lab_fold(s, l.lines[i], l.blobs);
		char *again = dump(s, true);
		if (strcmp(whole, again) != 0) fail_msg("cut at %zu: it is another state", cut);
		free(again);
		wr_state_free(s);
	}
	free(whole);
	lab_free(&l);
}

static json_t *of_the_ledger(size_t i)
{
	static const char *const operations[] = {"checkpoint_signed", "foreign_chain_audited",
	                                         "ledger_exported", "checkpoint_anchored",
	                                         "receipt_corruption_detected"};
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:s}", "operation", operations[i % 5],
	                 "checkpoint", "warroom/us/ops\n7\nAAAA\n\n— k sig\n", "size", 7, "root", "00",
	                 "operation_id", "op-1", "region", "us", "index", 2, "role", "primary");
}

/* What the ledger writes about itself stands anywhere between, and changes nothing. */
static void receipts_of_the_ledger(void **state)
{
	(void)state;
	static const char *const own[] = {"hash", "prev_hash", "seq",   "receipt_id",
	                                  "v",    "timestamp", "epoch", "chain"};
	lab l, with;
	long_story(&l);
	lab_init(&with);
	json_object_update(with.blobs, l.blobs);
	for (size_t i = 0; i < l.count; i++) {
		wr_err err = {0};
		json_t *r = json_deep_copy(l.receipts[i]);
		with.epoch = wr_json_int(r, "epoch", 0);
		assert_int_equal(wr_time_parse(lab_str(r, "timestamp"), &with.now, &err), 0);
		for (size_t k = 0; k < sizeof own / sizeof own[0]; k++) json_object_del(r, own[k]);
		lab_append(&with, of_the_ledger(i));
		lab_append(&with, r);
		lab_append(&with, of_the_ledger(i + 3));
	}
	char *without_them = dump(l.s, false), *with_them = dump(with.s, false);
	assert_string_equal(without_them, with_them);
	assert_int_equal(wr_state_contradictions(with.s), 0);
	assert_int_equal(wr_state_seq(with.s), (int64_t)(3 * l.count) - 1);
	free(without_them);
	free(with_them);
	lab_free(&with);
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(contradictions),     cmocka_unit_test(harmless),
	    cmocka_unit_test(gaps_and_repeats),   cmocka_unit_test(stale_epochs_act_no_more),
	    cmocka_unit_test(long_texts_are_cut), cmocka_unit_test(many_operations),
	    cmocka_unit_test(many_approvals),     cmocka_unit_test(soak_baselines),
	    cmocka_unit_test(any_split),          cmocka_unit_test(receipts_of_the_ledger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
