/* test_signed.c: who may decide what, when, and how each refusal is called. */
#include "laws.h"

static void proposed(lab *l)
{
	lab_lawful(l);
	lab_outage(l);
	assert_true(lab_propose(l, RB_FO, US, EU, "alice"));
	lab_state_is(l, WR_OP_PROPOSED);
}

static void approval(lab *l, lab_sig *g, const char *who)
{
	const wr_op *op = lab_op(l);
	lab_sign_init(l, g, op->id, op->plan_hash, who, lab_role(who), "approve");
}

/* One defect each, of an approval that is otherwise good. */
static void damage(lab *l, wr_signed *s, int what)
{
	switch (what) {
	case 0:
		snprintf(s->operation_id, sizeof s->operation_id, "op-77");
		break;
	case 1:
		s->plan_hash[5] = s->plan_hash[5] == '0' ? '1' : '0';
		break;
	case 2:
		snprintf(s->principal, sizeof s->principal, "mallory");
		break;
	case 3:
		snprintf(s->role, sizeof s->role, "sre");
		break; /* bob has it not */
	case 4:
		s->role[0] = '\0';
		break;
	case 5:
		s->expires_us = l->now;
		break;
	case 6:
		s->expires_us = l->now + MIN(15) + 1;
		break;
	case 7:
		s->head[0] = 'X';
		break;
	case 8:
		s->head[63] = '\0';
		break;
	case 9:
		snprintf(s->nonce, sizeof s->nonce, "nonce-1");
		break; /* the proposal's */
	case 10:
		s->nonce[0] = '\0';
		break;
	case 11:
		s->assurance = WR_SHARED_TERMINAL;
		break;
	case 12:
		s->observed = WR_SHARED_TERMINAL;
		break;
	case 13:
		snprintf(s->fingerprint, sizeof s->fingerprint, "SHA256:key-of-alice");
		break;
	case 14:
		s->fingerprint[0] = '\0';
		break;
	case 15:
		s->signature = NULL;
		break;
	default:
		break;
	}
}

static void one_defect_each(void **state)
{
	(void)state;
	static const char *const rules[] = {"A-UNKNOWN",   "A-PLAN",     "A-OPERATOR", "A-ROLE",
	                                    "A-ROLE",      "A-EXPIRED",  "A-TOO-LONG", "A-HEAD",
	                                    "A-HEAD",      "A-NONCE",    "A-TEXT",     "A-ASSURANCE",
	                                    "A-ASSURANCE", "A-SAME-KEY", "A-TEXT",     "A-TEXT"};
	lab l;
	proposed(&l);
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		lab_sig g;
		size_t before = l.count;
		approval(&l, &g, "bob");
		damage(&l, &g.s, (int)i);
		lab_seal(&g);
		assert_false(lab_send(&l, &g));
		lab_is_refused(&l, rules[i]);
		assert_int_equal(l.count, before);
		lab_settle(&l);
		lab_state_is(&l, WR_OP_PROPOSED);
	}
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void another_text(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	proposed(&l);
	approval(&l, &g, "bob");
	lab_seal(&g);
	g.s.expires_us += 1; /* not what was signed */
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-TEXT");
	approval(&l, &g, "bob");
	lab_seal(&g);
	g.s.text = NULL;
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-TEXT");
	lab_free(&l);
}

static void twice_and_too_few(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	proposed(&l);
	assert_false(lab_says(&l, "alice", "approve"));
	lab_is_refused(&l, "A-TWICE");
	assert_true(lab_says(&l, "erin", "approve")); /* a second sre is no on_call */
	lab_state_is(&l, WR_OP_PROPOSED);
	wr_quorum q;
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_false(q.met);
	assert_int_equal(q.have, 1);
	assert_int_equal(q.need, 2);
	assert_string_equal(q.missing, "one on_call");
	approval(&l, &g, "dave");
	lab_seal(&g);
	assert_false(lab_send(&l, &g)); /* a viewer is not asked */
	lab_is_refused(&l, "A-ROLE");
	/* Carol can be either, but is one person. */
	approval(&l, &g, "carol");
	snprintf(g.s.role, sizeof g.s.role, "on_call");
	lab_seal(&g);
	assert_true(lab_send(&l, &g));
	lab_settle(&l);
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void one_person_two_roles(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	lab_lawful(&l);
	lab_outage(&l);
	assert_true(lab_propose(&l, RB_FO, US, EU, "carol"));
	approval(&l, &g, "carol");
	snprintf(g.s.role, sizeof g.s.role, "on_call");
	lab_seal(&g);
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-TWICE");
	lab_settle(&l);
	lab_state_is(&l, WR_OP_PROPOSED);
	lab_free(&l);
}

static void deny_beats(void **state)
{
	(void)state;
	lab l;
	proposed(&l);
	assert_true(lab_says(&l, "dave", "deny"));
	lab_state_is(&l, WR_OP_DENIED);
	assert_false(lab_says(&l, "bob", "approve"));
	lab_is_refused(&l, "A-STATE");
	lab_free(&l);
	lab_lawful(&l);
	lab_failover(&l);
	assert_false(lab_says(&l, "dave", "deny"));
	lab_is_refused(&l, "A-STATE");
	assert_non_null(strstr(l.refusal.msg, "abort"));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

/* Of deny only the signature reached the disk: it counts. */
static void torn_deny(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	proposed(&l);
	approval(&l, &g, "dave");
	snprintf(g.s.decision, sizeof g.s.decision, "deny");
	lab_seal(&g);
	wr_effects fx;
	wr_event ev = {.kind = WR_EV_SIGNED, .sign = &g.s};
	wr_decide(l.s, l.w, &ev, l.now, &fx);
	assert_int_equal(fx.receipt_count, 2);
	lab_append(&l, json_incref(fx.receipts[0]));
	wr_effects_clear(&fx);
	wr_buf_free(&g.text);
	l.law = NULL;
	lab_says(&l, "bob", "approve");
	lab_state_is(&l, WR_OP_DENIED);
	assert_int_equal(l.job_count, 0);
	lab_free(&l);
}

static void safety_needs_no_better_terminal(void **state)
{
	(void)state;
	static const char *const whats[] = {"hold", "resume", "abort"};
	static const bool goes[] = {true, false, true};
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	for (size_t i = 0; i < 3; i++) {
		lab_sig g;
		approval(&l, &g, "bob");
		snprintf(g.s.decision, sizeof g.s.decision, "%s", whats[i]);
		g.s.assurance = WR_SHARED_TERMINAL;
		lab_seal(&g);
		assert_int_equal(lab_send(&l, &g), goes[i]);
	}
	lab_free(&l);
}

static void proposing(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_outage(&l);
	assert_true(lab_propose_plan(&l, lab_plan(&l, RB_FO, US, EU), "dave", "propose"));
	lab_settle(&l);
	lab_state_is(&l, WR_OP_PROPOSED);
	const wr_op *op = lab_op(&l);
	assert_string_equal(op->id, "op-1");
	assert_string_equal(op->proposer, "dave");
	assert_string_equal(op->reason, "the region burns");
	assert_int_equal(op->approval_count, 1);
	assert_string_equal(op->approvals[0].decision, "propose");
	assert_true(lab_says(&l, "alice", "approve")); /* the proposer's word was no approval */
	lab_state_is(&l, WR_OP_PROPOSED);
	assert_false(lab_propose(&l, RB_FO, US, EU, "bob"));
	lab_is_refused(&l, "A-BUSY");
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static bool propose_raw(lab *l, json_t *plan, const char *id, const char *signed_id,
                        const char *what, const char *drift)
{
	lab_sig g;
	char hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_err err = {0};
	assert_int_equal(wr_plan_hash(plan, hash, words, &err), 0);
	lab_sign_init(l, &g, signed_id, hash, "alice", "sre", what);
	lab_seal(&g);
	wr_event ev = {.kind = WR_EV_PROPOSE,
	               .draft_plan = plan,
	               .draft_id = id,
	               .sign = &g.s,
	               .steps_hash_now = drift};
	lab_decide(l, &ev);
	wr_buf_free(&g.text);
	return l->accepted;
}

static void bad_proposals(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_outage(&l);
	json_t *plan = lab_plan(&l, RB_FO, US, EU), *bad;
	assert_false(propose_raw(&l, plan, "op-1", "op-2", "approve", NULL));
	lab_is_refused(&l, "A-UNKNOWN");
	assert_false(propose_raw(&l, plan, "op-x", "op-x", "approve", NULL));
	lab_is_refused(&l, "A-ID");
	assert_false(propose_raw(&l, plan, "op-1", "op-1", "deny", NULL));
	lab_is_refused(&l, "A-STATE");
	assert_false(propose_raw(&l, plan, "op-1", "op-1", "approve", ""));
	lab_is_refused(&l, "A-DRIFT");
	bad = json_deep_copy(plan);
	json_object_set_new(
	    json_object_get(
	        json_object_get(json_array_get(json_object_get(bad, "steps"), SHIFT10), "traffic"),
	        "weights"),
	    "us", json_integer(91));
	assert_false(propose_raw(&l, bad, "op-1", "op-1", "approve", NULL));
	lab_is_refused(&l, "A-PLAN");
	json_decref(bad);
	bad = json_deep_copy(plan); /* a step changed behind the hash */
	json_object_set_new(json_array_get(json_object_get(bad, "steps"), 0), "timeout_ms",
	                    json_integer(1));
	assert_false(propose_raw(&l, bad, "op-1", "op-1", "approve", NULL));
	lab_is_refused(&l, "A-PLAN");
	json_decref(bad);
	l.now += MIN(16);
	assert_false(propose_raw(&l, plan, "op-1", "op-1", "approve", NULL));
	lab_is_refused(&l, "A-OLD");
	assert_int_equal(lab_number(&l, "operation_proposed"), 0);
	json_decref(plan);
	lab_free(&l);
}

static void time_runs_out(void **state)
{
	(void)state;
	lab l;
	proposed(&l);
	lab_sleep(&l, MIN(15) - 1);
	lab_state_is(&l, WR_OP_PROPOSED);
	lab_sleep(&l, 1);
	lab_state_is(&l, WR_OP_EXPIRED);
	lab_free(&l);
	proposed(&l);
	l.now += MIN(16); /* nobody ticked in between */
	lab_sig g;
	approval(&l, &g, "bob");
	lab_seal(&g);
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-STATE");
	lab_state_is(&l, WR_OP_EXPIRED);
	lab_free(&l);
}

static void drift_voids(void **state)
{
	(void)state;
	lab l;
	proposed(&l);
	l.drift = "";
	lab_sig g;
	approval(&l, &g, "bob");
	lab_seal(&g);
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-DRIFT");
	lab_state_is(&l, WR_OP_EXPIRED);
	assert_string_equal(lab_op(&l)->final_reason, "plan drift: the plan would be another one now");
	lab_free(&l);
	proposed(&l);
	l.drift = lab_op(&l)->steps_hash;
	lab_settle(&l);
	lab_state_is(&l, WR_OP_PROPOSED);
	l.drift = "0000";
	lab_settle(&l);
	lab_state_is(&l, WR_OP_EXPIRED);
	lab_free(&l);
}

/* Quorum, but a guard blocks: it waits, and starts by itself when the guard passes. */
static void blocked_by_a_guard(void **state)
{
	(void)state;
	lab l;
	proposed(&l);
	lab_verdict(&l, EU, WR_V_DEGRADED);
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_PROPOSED);
	lab_sleep(&l, MIN(2));
	lab_state_is(&l, WR_OP_PROPOSED);
	lab_verdict(&l, EU, WR_V_HEALTHY);
	lab_sleep(&l, S(1));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
	proposed(&l);
	lab_verdict(&l, EU, WR_V_DEGRADED);
	assert_true(lab_says(&l, "bob", "approve"));
	lab_sleep(&l, MIN(15));
	lab_state_is(&l, WR_OP_EXPIRED);
	lab_free(&l);
}

static void withdrawn(void **state)
{
	(void)state;
	lab l;
	proposed(&l);
	assert_false(lab_says(&l, "bob", "hold"));
	lab_is_refused(&l, "A-STATE");
	assert_false(lab_says(&l, "bob", "resume"));
	assert_false(lab_says(&l, "bob", "rule:fence:skip"));
	assert_false(lab_says(&l, "bob", "tick:check"));
	assert_true(lab_says(&l, "alice", "abort"));
	lab_state_is(&l, WR_OP_ABORTED);
	assert_int_equal(lab_op(&l)->started_us, 0);
	static const char *const all[] = {"approve",         "deny",       "hold",   "resume", "abort",
	                                  "rule:fence:skip", "tick:check", "propose"};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		size_t before = l.count;
		assert_false(lab_says(&l, "bob", all[i]));
		lab_is_refused(&l, "A-STATE");
		assert_int_equal(l.count, before);
	}
	lab_free(&l);
}

/* An approval written for the one plan says nothing of another. */
static void void_for_another_plan(void **state)
{
	(void)state;
	lab l;
	proposed(&l);
	char hash[WR_HEX_LEN];
	memcpy(hash, lab_op(&l)->plan_hash, sizeof hash);
	assert_true(lab_says(&l, "alice", "deny"));
	lab_sleep(&l, S(1));
	assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
	assert_string_equal(lab_op(&l)->id, "op-2");
	assert_string_not_equal(lab_op(&l)->plan_hash, hash);
	lab_sig g;
	lab_sign_init(&l, &g, "op-2", hash, "bob", "on_call", "approve");
	lab_seal(&g);
	assert_false(lab_send(&l, &g));
	lab_is_refused(&l, "A-PLAN");
	lab_free(&l);
}

static void policies(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.cfg.approve_failover.role_count = 0; /* any two people */
	l.cfg.approve_failover.expires_ms = 60000;
	lab_outage(&l);
	lab_sig g;
	json_t *plan = lab_plan(&l, RB_FO, US, EU);
	assert_false(lab_propose_plan(&l, plan, "alice", "approve")); /* 15 min are too long here */
	lab_is_refused(&l, "A-TOO-LONG");
	l.cfg.approve_failover.expires_ms = 900000;
	assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
	wr_quorum q;
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_int_equal(q.need, 2);
	assert_string_equal(q.missing, "one other operator");
	assert_int_equal(q.first_expiry_us, l.now + MIN(15));
	approval(&l, &g, "dave");
	lab_seal(&g);
	assert_true(lab_send(&l, &g));
	lab_settle(&l);
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

/* Many roles, many people: every group needs its own. */
static void three_groups(void **state)
{
	(void)state;
	static const char *const three[] = {"sre", "sre", "on_call"};
	lab l;
	lab_lawful(&l);
	l.cfg.approve_failover.roles = three;
	l.cfg.approve_failover.role_count = 3;
	lab_outage(&l);
	assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
	assert_true(lab_says(&l, "bob", "approve"));
	lab_state_is(&l, WR_OP_PROPOSED);
	wr_quorum q;
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_int_equal(q.have, 2);
	assert_string_equal(q.missing, "one sre");
	assert_true(lab_says(&l, "erin", "approve"));
	lab_state_is(&l, WR_OP_RUNNING);
	/* Somebody is no operator any more: what they signed counts no longer. */
	l.cfg.operator_count = 4;
	wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
	assert_false(q.met);
	lab_finish(&l, WR_OUT_DONE);
	lab_held_for(&l, "HOLD-APPROVALS");
	lab_free(&l);
}

static void a_deny_voids_all(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	wr_quorum q;
	wr_op op = *lab_op(&l);
	wr_quorum_eval(&q, &l.cfg, &op, l.now);
	assert_true(q.met);
	op.approvals[op.approval_count] = op.approvals[0];
	snprintf(op.approvals[op.approval_count].decision, 96, "deny");
	snprintf(op.approvals[op.approval_count++].principal, 64, "dave");
	wr_quorum_eval(&q, &l.cfg, &op, l.now);
	assert_false(q.met);
	assert_string_equal(q.missing, "dave denied it");
	lab_free(&l);
}

/* Whatever got into the record: one key is one person, and a shared terminal too little. */
static void counting_again(void **state)
{
	(void)state;
	static const char *const keys[] = {"SHA256:key-of-alice", "SHA256:key-of-bob"};
	static const char *const terminals[] = {"own_device", "shared_terminal"};
	for (int i = 0; i < 4; i++) {
		lab l;
		proposed(&l);
		l.law = NULL;
		json_t *r =
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "operation",
		              "approval_recorded", "nonce", "its-own", "operation_id", "op-1", "plan_hash",
		              lab_op(&l)->plan_hash, "principal", "bob", "role", "on_call", "decision",
		              "approve", "assurance", "own_device", "observed_assurance", terminals[i / 2],
		              "key_fingerprint", keys[i % 2], "expires", "2026-01-25T12:20:00Z");
		lab_append(&l, r);
		wr_quorum q;
		wr_quorum_eval(&q, &l.cfg, lab_op(&l), l.now);
		assert_int_equal(q.met, i == 1);
		lab_settle(&l);
		lab_state_is(&l, i == 1 ? WR_OP_RUNNING : WR_OP_PROPOSED);
		lab_free(&l);
	}
}

static void hostile_text(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	proposed(&l);
	approval(&l, &g, "bob");
	g.s.note = "line\none\x1b[2J\xff\xe2\x80\xae evil";
	lab_seal(&g);
	assert_true(lab_send(&l, &g));
	const char *note = lab_str(lab_last(&l, "approval_recorded"), "note");
	assert_null(strchr(note, 0x1b));
	assert_null(strstr(note, "\xe2\x80\xae"));
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_defect_each),
	    cmocka_unit_test(another_text),
	    cmocka_unit_test(twice_and_too_few),
	    cmocka_unit_test(one_person_two_roles),
	    cmocka_unit_test(deny_beats),
	    cmocka_unit_test(torn_deny),
	    cmocka_unit_test(safety_needs_no_better_terminal),
	    cmocka_unit_test(proposing),
	    cmocka_unit_test(bad_proposals),
	    cmocka_unit_test(time_runs_out),
	    cmocka_unit_test(drift_voids),
	    cmocka_unit_test(blocked_by_a_guard),
	    cmocka_unit_test(withdrawn),
	    cmocka_unit_test(void_for_another_plan),
	    cmocka_unit_test(policies),
	    cmocka_unit_test(three_groups),
	    cmocka_unit_test(a_deny_voids_all),
	    cmocka_unit_test(counting_again),
	    cmocka_unit_test(hostile_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
