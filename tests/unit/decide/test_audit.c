/* test_audit.c: attacks on the laws: records that say more than people signed, crashes inside a
 * unit of receipts, and a source of evidence that is missing (each one, one at a time). */
#include "laws.h"

/* What a crash leaves: the first `count` receipts. */
static void cut(lab *l, size_t count)
{
	assert_true(count > 0 && count <= l->count);
	for (size_t i = count; i < l->count; i++) {
		free(l->lines[i]);
		json_decref(l->receipts[i]);
	}
	l->count = count;
	if (l->checked > count) l->checked = count;
	wr_receipt r;
	wr_err err;
	assert_int_equal(
	    wr_receipt_parse(&r, l->lines[count - 1], strlen(l->lines[count - 1]), true, &err),
	    WR_RF_OK);
	memcpy(l->head, r.hash, sizeof l->head);
	lab_crash(l);
}

/* ---- records that say more than people signed ---- */

static void at_failed_fence(lab *l)
{
	lab_lawful(l);
	l->fo[FENCE].retries = 0;
	lab_failover(l);
	lab_run(l, FENCE);
	lab_finish(l, WR_OUT_FAILED);
	lab_held_for(l, "HOLD-FAILED");
}

static json_t *ruling(const char *step_name, int index, const char *what)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:s}", "operation", "step_ruled",
	                 "operation_id", "op-1", "step", step_name, "index", index, "undo", 0, "ruling",
	                 what, "by", "alice,bob");
}

/* Laws 3 and 6: nobody ruled, so nothing was ruled. */
static void a_ruling_of_nobody(void **state)
{
	(void)state;
	lab l;
	at_failed_fence(&l);
	l.law = NULL; /* it would rightly complain about what comes now */
	lab_append(&l, ruling("fence", FENCE, "skip"));
	assert_int_equal(wr_state_contradictions(l.s), 1);
	lab_settle(&l);
	lab_held_for(&l, "HOLD-FAILED");
	assert_int_equal(step(&l, FENCE)->state, WR_SS_FAILED);
	/* One person is not two, two who disagree are not two, and names do not stand for each other.
	 */
	assert_true(lab_says(&l, "alice", "rule:fence:skip"));
	assert_true(lab_says(&l, "bob", "rule:fence:not_done"));
	lab_append(&l, ruling("fence", FENCE, "skip"));
	lab_append(&l, ruling("fence", FENCE, "not_done"));
	lab_append(&l, ruling("freeze", FENCE, "skip"));
	assert_int_equal(wr_state_contradictions(l.s), 4);
	lab_held_for(&l, "HOLD-FAILED");
	assert_true(lab_says(&l, "bob", "rule:fence:skip"));
	assert_int_equal(step(&l, FENCE)->state, WR_SS_SKIPPED);
	lab_state_is(&l, WR_OP_RUNNING);
	assert_int_equal(wr_state_contradictions(l.s), 4);
	lab_free(&l);
}

/* Who is no operator any more rules on nothing. */
static void a_ruling_of_the_past(void **state)
{
	(void)state;
	lab l;
	at_failed_fence(&l);
	assert_true(lab_says(&l, "erin", "rule:fence:skip"));
	l.cfg.operator_count--; /* erin left; the engine was restarted */
	lab_crash(&l);
	assert_true(lab_says(&l, "bob", "rule:fence:skip"));
	lab_held_for(&l, "HOLD-FAILED");
	assert_true(lab_says(&l, "alice", "rule:fence:skip"));
	lab_state_is(&l, WR_OP_RUNNING);
	l.cfg.operator_count++;
	lab_free(&l);
}

/* A ruling is written a little after it was decided, and must still be valid then. */
static void a_ruling_about_to_expire(void **state)
{
	(void)state;
	lab l;
	at_failed_fence(&l);
	assert_true(lab_says(&l, "alice", "rule:fence:skip"));
	l.now += MIN(15) - S(4);
	lab_fresh(&l);
	assert_true(lab_says(&l, "bob", "rule:fence:skip"));
	assert_int_equal(lab_number(&l, "step_ruled"), 0);
	lab_sleep(&l, S(5));
	assert_true(lab_says(&l, "alice", "rule:fence:skip"));
	assert_int_equal(lab_number(&l, "step_ruled"), 1);
	lab_free(&l);
}

/* Law 2, "exactly that plan": the receipt says one thing, the plan that people sign another. */
static void a_proposal_beside_its_plan(void **state)
{
	(void)state;
	static const char *const changes[][2] = {
	    {"kind", "other"},     {"runbook", "fb"},   {"group", "side"},
	    {"from_region", "eu"}, {"to_region", "us"}, {"steps_hash", "00"},
	};
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		lab l;
		lab_init(&l);
		lab_outage(&l);
		assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
		json_t *r = json_deep_copy(lab_last(&l, "operation_proposed"));
		static const char *const own[] = {"hash", "prev_hash", "seq",   "receipt_id",
		                                  "v",    "timestamp", "epoch", "chain"};
		for (size_t k = 0; k < sizeof own / sizeof own[0]; k++) json_object_del(r, own[k]);
		size_t before = l.count;
		while (strcmp(lab_str(l.receipts[before - 1], "operation"), "operation_proposed") != 0)
			before--;
		json_object_set_new(r, changes[i][0], json_string(changes[i][1]));
		cut(&l, before - 1);
		lab_append(&l, r);
		lab_settle(&l);
		assert_int_equal(wr_state_contradictions(l.s), 1);
		assert_null(lab_op(&l)->plan);
		(void)lab_says(&l, "alice", "approve");
		(void)lab_says(&l, "bob", "approve");
		lab_sleep(&l, MIN(1));
		/* Void at once where another plan would be made from what it says; else never started. */
		wr_op_state now = lab_op(&l)->state;
		assert_true(now == WR_OP_PROPOSED || now == WR_OP_EXPIRED);
		assert_int_equal(l.job_count, 0);
		lab_free(&l);
	}
}

/* ---- any receipts at all ---- */

static uint64_t roll(uint64_t *seed, uint64_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 33) % n;
}

static const char *pick(uint64_t *seed, const char *const *list)
{
	size_t n = 0;
	while (list[n]) n++;
	return list[roll(seed, n)];
}

static const char *const lab_steps[] = {"freeze",    "fence",    "promote-postgres",
                                        "scale",     "shift-10", "soak",
                                        "shift-100", "check",    "tell",
                                        "none",      NULL};

/* A receipt that fits the operation more often than not, and is none of ours. */
static json_t *any_receipt(lab *l, uint64_t *seed)
{
	static const struct {
		const char *key, *values[32];
	} texts[] = {
	    {"operation",
	     {"operation_proposed",
	      "approval_recorded",
	      "approval_recorded",
	      "operation_approved",
	      "operation_denied",
	      "operation_expired",
	      "operation_started",
	      "step_intent",
	      "step_result",
	      "step_result",
	      "step_uncertain",
	      "step_probing",
	      "step_ruled",
	      "operation_held",
	      "operation_resumed",
	      "operation_abort_requested",
	      "operation_completed",
	      "operation_rollback_started",
	      "operation_rolled_back",
	      "operation_aborted",
	      "operation_failed",
	      "verdict_changed",
	      "region_role_changed",
	      "incident_opened",
	      "observer_isolated",
	      "guards_changed",
	      "postgres_failover_executed",
	      "regional_failover_completed"}},
	    {"operation_id", {"op-1", "op-1", "op-1", "op-1", "op-2", "op-999999999999999", ""}},
	    {"outcome", {"done", "failed", "skipped", "perhaps"}},
	    {"ruling", {"done", "not_done", "skip", "?"}},
	    {"kind", {"traffic", "soak", "manual", "wait", "exec", "failover", "magic"}},
	    {"class", {"opaque", "idempotent", "probeable"}},
	    {"principal", {"alice", "bob", "carol", "mallory"}},
	    {"role", {"sre", "on_call", "primary", "standby"}},
	    {"key_fingerprint", {"k1", "k2", "k3"}},
	    {"assurance", {"own_device", "own_device", "shared_terminal", "x"}},
	    {"observed_assurance", {"own_device"}},
	    {"region", {"us", "eu", "wit", "moon"}},
	    {"to", {"DOWN", "HEALTHY", "?"}},
	    {"group", {"main", "side", ""}},
	    {"baseline", {"1,2,3", "", ",,,", "99999999999999999999,x"}},
	};
	static const char *const said[] = {"approve", "deny",  "hold",  "abort", "resume", "propose",
	                                   "tick:",   "rule:", "rule:", "rule:", NULL};
	static const char *const ends[] = {":done", ":skip", ":not_done", "", ":x", NULL};
	char text[96];
	const wr_op *op = lab_op(l);
	const char *what = pick(seed, said);
	size_t index = (size_t)roll(seed, 10);
	bool fits = op && index < op->step_count;
	json_t *r = json_object();
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		json_object_set_new(r, texts[i].key, json_string(pick(seed, texts[i].values)));
	bool rules = !strcmp(what, "rule:"), of_step = rules || !strcmp(what, "tick:");
	snprintf(text, sizeof text, "%s%s%s", what, of_step ? lab_steps[index] : "",
	         rules ? pick(seed, ends) : "");
	json_object_set_new(r, "decision", json_string(text));
	snprintf(text, sizeof text, "any-%llu", (unsigned long long)roll(seed, 1000000));
	json_object_set_new(r, "nonce", json_string(text));
	wr_time_format(text, l->now + S((int64_t)roll(seed, 1200)) - S(100));
	json_object_set_new(r, "expires", json_string(text));
	json_object_set_new(r, "plan_hash", json_string(op && roll(seed, 9) ? op->plan_hash : "00"));
	json_object_set_new(r, "step", json_string(lab_steps[index]));
	json_object_set_new(
	    r, "index", json_integer(roll(seed, 20) ? (json_int_t)index : (int)roll(seed, 200) - 20));
	json_object_set_new(r, "attempt",
	                    json_integer(fits ? op->steps[index].attempts + (int)roll(seed, 3) : 1));
	json_object_set_new(r, "undo", json_boolean(roll(seed, 2)));
	return r;
}

/* docs/receipts.md, among receipts of which some are nonsense. */
static bool approved_on_record(const lab *l, size_t at)
{
	const json_t *intent = l->receipts[at];
	const char *op = lab_str(intent, "operation_id"), *plan = lab_str(intent, "plan_hash");
	bool undo = wr_json_bool(intent, "undo", false);
	const json_t *first = NULL;
	for (size_t i = 0; i < at; i++) {
		const json_t *a = l->receipts[i];
		if (!law_of(a, "approval_recorded", op) || strcmp(lab_str(a, "plan_hash"), plan) != 0 ||
		    strcmp(lab_str(a, "decision"), "approve") != 0 ||
		    (!undo && law_time(a, "expires") < law_time(intent, "timestamp")))
			continue;
		if (!first) first = a;
		if (strcmp(lab_str(a, "principal"), lab_str(first, "principal")) != 0) return true;
	}
	return false;
}

/* What decides afterwards keeps law 2 over whatever it was given, no assertion falls, and folding
 * it all again gives the same. */
static void any_receipts(void **state)
{
	(void)state;
	static const char *const people[] = {"alice", "bob", "erin", NULL};
	static const char *const says[] = {"resume",  "abort",           "hold",
	                                   "approve", "rule:fence:done", NULL};
	size_t intents = 0;
	for (uint64_t round = 0; round < 400; round++) {
		uint64_t seed = round * 7919 + 17;
		lab l;
		lab_init(&l);
		lab_failover(&l);
		lab_run(&l, (int)roll(&seed, FO_STEPS));
		for (int i = 0; i < 25; i++) {
			lab_append(&l, any_receipt(&l, &seed));
			if (roll(&seed, 3)) continue;
			size_t before = l.count;
			if (!roll(&seed, 6)) lab_crash(&l);
			if (!roll(&seed, 3)) lab_sleep(&l, S((int64_t)roll(&seed, 40)));
			lab_tick(&l);
			if (!roll(&seed, 5)) (void)lab_says(&l, pick(&seed, people), pick(&seed, says));
			l.job_count = 0;
			for (; before < l.count; before++) {
				const json_t *r = l.receipts[before];
				if (strcmp(lab_str(r, "operation"), "step_intent") != 0) continue;
				intents++;
				if (wr_json_bool(r, "guarded", false) && !approved_on_record(&l, before))
					fail_msg("round %llu: not approved: %s", (unsigned long long)round,
					         l.lines[before]);
			}
		}
		wr_state *again = wr_state_new(&l.cfg);
		for (size_t i = 0; i < l.count; i++) lab_fold(again, l.lines[i], l.blobs);
		assert_int_equal(wr_state_contradictions(again), wr_state_contradictions(l.s));
		assert_int_equal(wr_state_op(again, "op-1")->state, wr_state_op(l.s, "op-1")->state);
		wr_state_free(again);
		lab_free(&l);
	}
	assert_true(intents > 100);
}

/* Going back is part of what was approved; when an approver's word does not count any more, others
 * can give theirs instead. */
static void a_way_back_without_an_approver(void **state)
{
	(void)state;
	lab l;
	lab_sig g;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, SCALE);
	assert_true(lab_says(&l, "alice", "abort"));
	l.operators[1].principal = "bert"; /* bob left; the engine was restarted */
	lab_crash(&l);
	lab_settle(&l);
	lab_held_for(&l, "HOLD-APPROVALS");
	assert_int_equal(lab_op(&l)->held_from, WR_OP_ROLLING_BACK);
	assert_int_equal(l.job_count, 0);
	lab_sleep(&l, MIN(30)); /* long after every approval's end: only whose they are matters */
	lab_sign_init(&l, &g, "op-1", lab_op(&l)->plan_hash, "carol", "on_call", "approve");
	lab_seal(&g);
	assert_true(lab_send(&l, &g));
	lab_settle(&l);
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	for (unsigned i = 0; i < 8 && l.job_count; i++) lab_finish(&l, WR_OUT_DONE);
	assert_int_equal(step(&l, FENCE)->state, WR_SS_UNDONE);
	assert_true(wr_op_final(lab_op(&l)->state));
	lab_free(&l);
}

/* ---- a crash inside a unit ---- */

/* Someone says `what`, and the crash leaves only that it was said. */
static void cut_off(lab *l, const char *what)
{
	lab_sig g;
	const wr_op *op = lab_op(l);
	lab_sign_init(l, &g, op->id, op->plan_hash, "bob", "on_call", what);
	lab_seal(&g);
	size_t before = l->count;
	assert_true(lab_send(l, &g));
	assert_string_equal(lab_str(l->receipts[before], "operation"), "approval_recorded");
	assert_true(l->count > before + 1);
	cut(l, before + 1);
	lab_fresh(l);
	lab_settle(l);
}

static void a_hold_cut_off(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, FREEZE);
	cut_off(&l, "hold");
	lab_held_for(&l, "HOLD-OPERATOR");
	assert_non_null(strstr(lab_op(&l)->held_reason, "held by bob"));
	assert_int_equal(lab_number(&l, "step_intent"), 1);
	assert_true(lab_says(&l, "alice", "resume"));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_crash(&l); /* taken up once, not again and again */
	lab_sleep(&l, S(10));
	lab_state_is(&l, WR_OP_RUNNING);
	lab_free(&l);
}

static void a_hold_cut_off_going_back(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, FENCE);
	assert_true(lab_says(&l, "alice", "abort"));
	lab_finish(&l, WR_OUT_DONE);
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	cut_off(&l, "hold");
	lab_held_for(&l, "HOLD-OPERATOR");
	assert_true(lab_says(&l, "alice", "resume"));
	lab_state_is(&l, WR_OP_ROLLING_BACK);
	lab_free(&l);
}

static void an_abort_cut_off(void **state)
{
	(void)state;
	for (int when = 0; when < 4; when++) {
		lab l;
		lab_lawful(&l);
		if (when == 0) {
			lab_outage(&l);
			assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
		} else {
			lab_failover(&l);
		}
		if (when == 1) lab_run(&l, FREEZE);
		if (when == 2) lab_run(&l, FENCE);
		if (when == 3) {
			lab_run(&l, FENCE);
			assert_true(lab_says(&l, "alice", "hold"));
			lab_finish(&l, WR_OUT_DONE);
		}
		cut_off(&l, "abort");
		if (when == 0) {
			lab_state_is(&l, WR_OP_ABORTED);
			assert_int_equal(lab_number(&l, "step_intent"), 0);
		} else {
			assert_int_equal(lab_number(&l, "operation_abort_requested"), 1);
			assert_true(lab_op(&l)->abort_requested || wr_op_final(lab_op(&l)->state));
			for (size_t i = FENCE + 1; i < FO_STEPS; i++)
				assert_int_equal(step(&l, i)->attempts, 0);
		}
		lab_free(&l);
	}
}

/* ---- law 6, and its mirror ---- */

/* The new primary stays promoted: lifting the fence from the old one would make two. */
static void the_fence_stays(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		lab l;
		lab_lawful(&l);
		l.fo[PROMOTE].has_rollback = how == 2;
		lab_failover(&l);
		lab_run(&l, how ? SCALE : PROMOTE);
		if (how == 0) { /* nobody can tell whether it was promoted; two people say that it was */
			lab_finish(&l, WR_OUT_UNKNOWN);
			assert_true(lab_says(&l, "alice", "abort"));
			assert_true(lab_says(&l, "alice", "rule:promote-postgres:done"));
			assert_true(lab_says(&l, "bob", "rule:promote-postgres:done"));
		} else {
			assert_true(lab_says(&l, "alice", "abort"));
			lab_finish(&l, WR_OUT_DONE);
		}
		if (how == 2) { /* there is a way back, but it fails, and two people leave it at that */
			lab_finish(&l, WR_OUT_UNKNOWN);
			lab_held_for(&l, "HOLD-UNCERTAIN");
			assert_true(lab_says(&l, "alice", "rule:promote-postgres:skip"));
			assert_true(lab_says(&l, "bob", "rule:promote-postgres:skip"));
		}
		lab_held_for(&l, "HOLD-FENCE");
		assert_non_null(strstr(lab_op(&l)->held_reason, "promote-postgres"));
		assert_int_equal(l.job_count, 0);
		assert_int_equal(step(&l, FENCE)->state, WR_SS_DONE);
		assert_true(lab_says(&l, "carol", "resume")); /* one person cannot lift it either */
		lab_held_for(&l, "HOLD-FENCE");
		assert_true(lab_says(&l, "alice", "rule:fence:skip"));
		lab_held_for(&l, "HOLD-FENCE");
		assert_true(lab_says(&l, "bob", "rule:fence:skip"));
		lab_state_is(&l, WR_OP_ROLLING_BACK);
		assert_int_equal(l.jobs[0].index, FREEZE);
		lab_finish(&l, WR_OUT_DONE);
		lab_state_is(&l, WR_OP_FAILED);
		assert_non_null(strstr(lab_op(&l)->final_reason, "fence, promote-postgres"));
		lab_free(&l);
	}
}

/* Promoted and taken back, or never promoted: then it is lifted. */
static void the_fence_is_lifted(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		lab l;
		lab_lawful(&l);
		l.fo[PROMOTE].has_rollback = how;
		lab_failover(&l);
		lab_run(&l, how ? SCALE : FENCE);
		assert_true(lab_says(&l, "alice", "abort"));
		for (unsigned i = 0; i < 8 && l.job_count; i++) lab_finish(&l, WR_OUT_DONE);
		lab_state_is(&l, WR_OP_ROLLED_BACK);
		assert_int_equal(step(&l, FENCE)->state, WR_SS_UNDONE);
		lab_free(&l);
	}
}

/* Saying that something is fenced, or waiting a while, fences nothing. */
static void words_are_no_fence(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		lab l;
		wr_guards g;
		lab_lawful(&l);
		l.fo[FENCE] = lab_step("fence", WR_PHASE_FENCE, WR_IDEMPOTENT,
		                       how ? lab_soak() : lab_notify("please write nothing any more"));
		lab_outage(&l);
		wr_guards_eval(&g, l.s, l.w, WR_RB_FAILOVER, US, EU, "main", NULL, l.now);
		assert_int_equal(g.blocking, 1);
		assert_int_equal(g.failed, 1);
		for (size_t i = 0; i < g.count; i++)
			if (!strcmp(g.rows[i].rule, "G-FENCE")) assert_int_equal(g.rows[i].verdict, WR_FAIL);
		lab_free(&l);
	}
}

/* ---- law 7: each source of evidence, missing ---- */

/* A soak counts what says something: a probe that answers without an answer is no sample. */
static void mute_samples(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	l.fo[SOAK].retries = 0;
	l.fo[SOAK].on_failure = WR_FAIL_HOLD;
	lab_failover(&l);
	lab_run(&l, SOAK);
	for (int i = 0; i < 24; i++) {
		if (i) l.w->signals[EU_CTL].mute_samples++; /* the first one speaks, and no other */
		lab_sleep(&l, S(5) - (i == 23));
	}
	l.now += 1;
	lab_settle(&l);
	lab_held_for(&l, "HOLD-FAILED");
	assert_non_null(strstr(step(&l, SOAK)->error, "of 3 samples"));
	lab_free(&l);
}

static void add_fact(lab *l, wr_fact_kind kind, const char *region, const char *name)
{
	wr_fact *f = &l->facts[l->cfg.fact_count++];
	*f =
	    (wr_fact){.name = name,
	              .region = region,
	              .kind = kind,
	              .need = kind == WR_FACT_BUILD || kind == WR_FACT_FREEZE ? NULL : l->need_capacity,
	              .interval_ms = 5000,
	              .timeout_ms = 2000};
}

static wr_quota all_quotas[1];

/* Everything that a guard may want is configured, and good. */
static void complete(lab *l)
{
	lab_init(l);
	l->cfg.fact_count = FACTS;
	add_fact(l, WR_FACT_QUOTA, "eu", "quota-eu");
	add_fact(l, WR_FACT_KEYS, "eu", "keys-eu");
	add_fact(l, WR_FACT_BUILD, "us", "build-us");
	add_fact(l, WR_FACT_BUILD, "eu", "build-eu");
	add_fact(l, WR_FACT_BACKUP, "eu", "backup-eu");
	add_fact(l, WR_FACT_CHAIN, "eu", "chain-eu");
	add_fact(l, WR_FACT_FREEZE, "", "freeze");
	add_fact(l, WR_FACT_CUSTOM, "eu", "custom-eu");
	all_quotas[0] = (wr_quota){
	    .name = "cpu", .region = "eu", .layer = "", .has_after = true, .interval_ms = 5000};
	l->cfg.quotas = all_quotas;
	l->cfg.quota_count = 1;
	wr_world_free(l->w);
	lab_world(l);
	wr_state_free(l->s);
	l->s = wr_state_new(&l->cfg);
	lab_outage(l);
	for (size_t i = FACTS; i < l->cfg.fact_count; i++)
		lab_measure(&l->w->facts[i], l->now, l->facts[i].kind == WR_FACT_FREEZE ? 0 : 95);
	lab_measure(&l->w->quotas_after[0], l->now, 50);
}

static size_t not_passing(lab *l, wr_guards *g)
{
	wr_guards_eval(g, l->s, l->w, WR_RB_FAILOVER, US, EU, "main", NULL, l->now);
	size_t n = 0;
	for (size_t i = 0; i < g->count; i++) n += g->rows[i].blocking && g->rows[i].verdict != WR_PASS;
	assert_int_equal(n, g->blocking);
	return n;
}

/* Source number `which` says nothing any more, or says something that is no answer; its name, or
 * NULL when there are no more. */
static const char *remove_source(lab *l, size_t which, int how)
{
	static const char *const ways[] = {"never", "late", "none", "text"};
	static char name[64];
	wr_measure *m = NULL;
	if (which < 3) {
		l->w->signals[EU_SYN + which].status = WR_NO_DATA;
		snprintf(name, sizeof name, "signal %zu", which);
		return name;
	}
	which -= 3;
	switch (which) {
	case 0:
		l->w->regions[US].verdict = WR_V_UNKNOWN;
		l->w->regions[US].breached_classes = 0;
		l->w->regions[US].quorum_since_us = 0;
		return "the source's verdict";
	case 1:
		l->w->regions[EU].verdict = WR_V_UNKNOWN;
		return "the target's verdict";
	case 2:
		l->w->isolation_known = false;
		return "the references";
	case 3:
		l->w->ledger_ok = false;
		return "our own ledger";
	case 4:
		l->w->links[PG_US_EU] = (wr_link_view){.state_ok = WR_UNKNOWN};
		return "the link";
	case 5:
		m = &l->w->quotas_after[0];
		break;
	default:
		which -= 6 - CAP_EU;
		if (which >= l->cfg.fact_count) return NULL;
		m = &l->w->facts[which];
	}
	snprintf(name, sizeof name, "measure %zu (%s)", which, ways[how]);
	if (how == 0) {
		*m = (wr_measure){0};
	} else if (how == 1) {
		m->last_us -= S(3600);
		m->proven_us -= S(3600);
	} else {
		m->last = (wr_value){.type = how == 2 ? WR_V_NONE : WR_V_STR};
		snprintf(m->last.str, sizeof m->last.str, "%s", how == 2 ? "" : "perhaps");
		m->vars.value = m->last;
		m->vars.error = how == 2;
	}
	return name;
}

static void no_source_no_pass(void **state)
{
	(void)state;
	wr_guards g;
	size_t sources = 0;
	for (int how = 0; how < 4; how++) {
		for (size_t which = 0;; which++) {
			lab l;
			complete(&l);
			if (not_passing(&l, &g)) {
				for (size_t i = 0; i < g.count; i++)
					if (g.rows[i].blocking && g.rows[i].verdict != WR_PASS)
						fail_msg("%s: %s", g.rows[i].name, g.rows[i].observed);
			}
			const char *name = remove_source(&l, which, how);
			bool build_of_source = name && strstr(name, "measure 4 (") && how != 0;
			if (name && !build_of_source && !not_passing(&l, &g))
				fail_msg("without %s every guard passes", name);
			sources += name != NULL;
			lab_free(&l);
			if (!name) break;
		}
	}
	assert_true(sources >= 4 * 16);
}

/* The source may be gone: its build is what it was when it was last proven, and that is said. */
static void a_proven_build(void **state)
{
	(void)state;
	lab l;
	wr_guards g;
	complete(&l);
	l.w->facts[4].last = (wr_value){.type = WR_V_NONE};
	assert_int_equal(not_passing(&l, &g), 0);
	for (size_t i = 0; i < g.count; i++)
		if (!strcmp(g.rows[i].name, "build"))
			assert_non_null(strstr(g.rows[i].observed, "measured"));
	l.w->facts[4].proven.num = 94;
	assert_int_equal(not_passing(&l, &g), 1);
	lab_free(&l);
}

/* A freeze that says neither yes nor no is not "no". */
static void a_freeze_in_words(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		wr_gate_verdict verdict;
	} cases[] = {{"false", WR_PASS},          {"true", WR_PASS},     {"active", WR_INCONCLUSIVE},
	             {"frozen", WR_INCONCLUSIVE}, {"", WR_INCONCLUSIVE}, {"TRUE", WR_INCONCLUSIVE}};
	lab l;
	wr_guards g;
	complete(&l);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wr_measure *m = &l.w->facts[l.cfg.fact_count - 2];
		m->last = (wr_value){.type = WR_V_STR};
		snprintf(m->last.str, sizeof m->last.str, "%s", cases[i].text);
		m->last_us = l.now;
		(void)not_passing(&l, &g);
		for (size_t k = 0; k < g.count; k++)
			if (!strcmp(g.rows[k].name, "freeze") && g.rows[k].verdict != cases[i].verdict)
				fail_msg("\"%s\" is %s", cases[i].text, wr_gate_verdict_name(g.rows[k].verdict));
	}
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ruling_of_nobody),
	    cmocka_unit_test(a_ruling_of_the_past),
	    cmocka_unit_test(a_ruling_about_to_expire),
	    cmocka_unit_test(a_proposal_beside_its_plan),
	    cmocka_unit_test(any_receipts),
	    cmocka_unit_test(a_way_back_without_an_approver),
	    cmocka_unit_test(a_hold_cut_off),
	    cmocka_unit_test(a_hold_cut_off_going_back),
	    cmocka_unit_test(an_abort_cut_off),
	    cmocka_unit_test(the_fence_stays),
	    cmocka_unit_test(the_fence_is_lifted),
	    cmocka_unit_test(words_are_no_fence),
	    cmocka_unit_test(mute_samples),
	    cmocka_unit_test(no_source_no_pass),
	    cmocka_unit_test(a_proven_build),
	    cmocka_unit_test(a_freeze_in_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
