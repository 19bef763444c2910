/* test_walk.c: random walks. People, steps, regions, the clock and the engine itself do anything at
 * any moment; the laws (laws.h) are checked after each event from the receipts alone. Then the
 * faults stop, and people who want it to end must be able to end it.
 *
 * WR_WALKS sets how many (20,000 by default), WR_WALK_SEED the first seed; a failure prints its
 * own. */
#include "laws.h"

#define EVENTS_MOST 32

/* Sanitizers are slow, and what they look for shows in fewer walks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WALKS 2000
#else
#define WALKS 20000
#endif

static uint64_t rng;
static uint32_t luck; /* per cent of reports that say done */

static uint32_t below(uint32_t n)
{
	rng += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = rng;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

static void random_runbook(lab *l)
{
	for (size_t i = 0; i < FO_STEPS; i++) {
		wr_step *st = &l->fo[i];
		st->step_class = (wr_step_class)below(3);
		st->has_probe = below(2);
		st->probe = lab_wait(l);
		st->retries = (int)below(3);
		st->on_failure = (wr_on_failure)below(4);
		st->optional = st->on_failure == WR_FAIL_CONTINUE;
		if (i == CHECK || i == SOAK || i == TELL) continue;
		st->has_rollback = i <= PROMOTE ? below(4) != 0 : i == SCALE ? below(2) : false;
		st->rollback = below(8) ? lab_exec() : lab_manual("Take it back by hand.");
	}
}

/* ---- the platform as it is, whatever is reported of it ---- */

static bool in_effect[FO_STEPS]; /* by step */
static bool ruled_on[FO_STEPS];  /* two people said something about it: from then on it is theirs */
static char as_planned[WR_HEX_LEN]; /* steps_hash: nothing changes the configuration here */
static int over[FO_STEPS][2]; /* by step and direction: attempts that can do nothing any more */
static size_t looked_at;      /* receipts that the truth was held against */

static void take_effect(lab *l, const wr_command *c)
{
	if (c->kind != WR_CMD_START || c->attempt <= over[c->index][c->undo]) return;
	in_effect[c->index] = !c->undo;
	const json_t *step = c->undo ? json_object_get(c->step, "rollback") : c->step;
	const json_t *weights = json_object_get(json_object_get(step, "traffic"), "weights");
	if (!weights) return;
	l->weights[US] = (int)wr_json_int(weights, "us", 0);
	l->weights[EU] = (int)wr_json_int(weights, "eu", 0);
}

static bool undoes(const json_t *intent)
{
	return wr_json_bool(intent, "undo", false);
}

/* Laws 5 and 6 against the truth: never two that may take writes, unless people said so; and
 * "nothing to undo" only when there is nothing. */
static void against_the_truth(lab *l)
{
	laws_hold(l);
	for (; looked_at < l->count; looked_at++) {
		const json_t *r = l->receipts[looked_at];
		const char *operation = lab_str(r, "operation");
		int64_t index = wr_json_int(r, "index", -1);
		if (!strcmp(operation, "step_ruled")) ruled_on[index] = true;
		if (!strcmp(operation, "step_result") && !strncmp(lab_str(r, "output"), "ticked", 6))
			in_effect[index] = !undoes(r); /* a person did it */
		bool intent = !strcmp(operation, "step_intent");
		bool asked = ruled_on[FENCE] || ruled_on[PROMOTE];
		if (intent && index == FENCE && undoes(r) && in_effect[PROMOTE] && !asked)
			fail_msg("law 6: the fence is lifted while the other side is promoted");
		if (intent && index == PROMOTE && !undoes(r) && !in_effect[FENCE] && !asked)
			fail_msg("law 6: promoted without a fence");
		if (strcmp(operation, "operation_aborted") != 0) continue;
		for (size_t i = 0; i < SOAK; i++)
			if (in_effect[i] && !ruled_on[i]) fail_msg("step %zu is in effect: not nothing", i);
	}
}

/* Who is cancelled may have done it before, and does nothing afterwards. */
static void cancelled(lab *l, const wr_command *c)
{
	laws_command(l, c);
	if (c->kind != WR_CMD_CANCEL) return;
	for (size_t i = 0; i < l->job_count; i++) {
		const wr_command *job = &l->jobs[i];
		if (job->index == c->index && job->undo == c->undo && job->attempt == c->attempt &&
		    below(2))
			take_effect(l, job);
	}
	over[c->index][c->undo] = c->attempt;
}

/* A probe tells the truth, or that it cannot tell. */
static wr_outcome probed(const wr_command *c)
{
	return in_effect[c->index] ? WR_OUT_DONE : WR_OUT_FAILED;
}

/* The engine dies; what it had begun may have happened. */
static void crash(lab *l)
{
	for (size_t i = 0; i < l->job_count; i++)
		if (below(2)) take_effect(l, &l->jobs[i]);
	memset(over, 0, sizeof over);
	lab_crash(l);
}

static void random_report(lab *l)
{
	if (!l->job_count) return;
	size_t at = below((uint32_t)l->job_count);
	wr_outcome outcome = below(100) < luck ? WR_OUT_DONE
	                     : below(2)        ? WR_OUT_FAILED
	                                       : WR_OUT_UNKNOWN;
	bool happened = outcome == WR_OUT_DONE || (outcome == WR_OUT_UNKNOWN && below(2));
	if (l->jobs[at].kind == WR_CMD_PROBE && outcome != WR_OUT_UNKNOWN)
		outcome = probed(&l->jobs[at]);
	else if (l->jobs[at].attempt <= over[l->jobs[at].index][l->jobs[at].undo])
		outcome = WR_OUT_UNKNOWN;
	else if (happened)
		take_effect(l, &l->jobs[at]);
	lab_report_to(l, at, outcome, "by chance");
}

static void random_decision(lab *l)
{
	static const char *const people[] = {"alice", "bob", "carol", "dave", "erin", "mallory"};
	static const char *const roles[] = {"sre", "on_call", "viewer"};
	static const char *const plain[] = {"approve", "approve", "approve", "resume", "resume",
	                                    "hold",    "abort",   "deny",    "propose"};
	static const char *const rulings[] = {"done", "not_done", "skip"};
	const wr_op *op = lab_op(l);
	const char *who = people[below(6)];
	char what[96];
	uint32_t kind = below(10);
	int current = wr_op_current(op);
	size_t step = current >= 0 && below(4) ? (size_t)current : below(FO_STEPS);
	if (kind < 6)
		snprintf(what, sizeof what, "%s", plain[below(9)]);
	else if (kind < 9)
		snprintf(what, sizeof what, "rule:%s:%s", wr_op_step_name(op, step), rulings[below(3)]);
	else
		snprintf(what, sizeof what, "tick:%s", wr_op_step_name(op, step));
	lab_sig g;
	const char *role = below(8) ? lab_role(who) : roles[below(3)];
	lab_sign_init(l, &g, op->id, op->plan_hash, who, role, what);
	if (!below(12)) g.s.expires_us = l->now + (int64_t)below(2000) * 1000000 - S(10);
	if (!below(12)) g.s.assurance = (wr_assurance)below(3);
	if (!below(12)) g.s.observed = (wr_assurance)below(3);
	if (!below(12))
		snprintf(g.s.fingerprint, sizeof g.s.fingerprint, "SHA256:key-of-%s", people[below(5)]);
	if (!below(16)) snprintf(g.s.nonce, sizeof g.s.nonce, "nonce-%u", below(20));
	if (!below(24)) g.s.plan_hash[0] = 'f';
	lab_seal(&g);
	lab_send(l, &g);
}

static void random_world(lab *l)
{
	switch (below(6)) {
	case 0:
		lab_verdict(l, US, (wr_verdict)below(WR_V_COUNT));
		break;
	case 1:
		lab_verdict(l, EU, (wr_verdict)below(WR_V_COUNT));
		break;
	case 2:
		lab_verdict(l, EU, WR_V_HEALTHY);
		break;
	case 3:
		l->w->isolated = !l->w->isolated;
		break;
	case 4:
		l->w->ledger_ok = !l->w->ledger_ok;
		break;
	default: {
		wr_signal_view *v = &l->w->signals[below(SIGNALS)];
		v->status = (wr_status)below(3);
		v->breached = v->status == WR_BREACHED;
	}
	}
}

/* The engine dies between two receipts of one unit: only some were written. */
static void torn_decision(lab *l)
{
	wr_effects fx;
	wr_event ev = {.kind = WR_EV_TICK, .steps_hash_now = l->drift};
	wr_decide(l->s, l->w, &ev, l->now, &fx);
	size_t keep = below((uint32_t)fx.receipt_count + 1);
	for (size_t i = 0; i < keep; i++) lab_append(l, json_incref(fx.receipts[i]));
	wr_effects_clear(&fx);
	crash(l);
}

static void one_event(lab *l)
{
	uint32_t kind = below(100);
	l->now += below(3) ? below(500) * 1000 : 0;
	if (kind < 30)
		random_report(l);
	else if (kind < 50)
		random_decision(l);
	else if (kind < 65) {
		l->now += (int64_t)below(30) * 1000000;
		lab_fresh(l);
	} else if (kind < 68)
		l->now += (int64_t)below(600) * 1000000;
	else if (kind < 78)
		random_world(l);
	else if (kind < 82)
		crash(l);
	else if (kind < 85)
		torn_decision(l);
	else if (kind < 87)
		l->drift = l->drift == as_planned ? "0000" : as_planned;
	else if (kind < 90)
		l->now -= (int64_t)below(1200) * 1000000; /* the clock is set back */
	else if (kind < 92)
		l->w->weights_us[0] = 0; /* nobody reads the weights */
	lab_tick(l);
	if (below(2)) lab_settle(l);
}

static void everything_is_well(lab *l)
{
	l->drift = as_planned;
	l->w->isolated = false;
	l->w->ledger_ok = true;
	lab_verdict(l, US, WR_V_HEALTHY);
	lab_verdict(l, EU, WR_V_HEALTHY);
	for (size_t i = 0; i < SIGNALS; i++) {
		l->w->signals[i].status = WR_CLEAR;
		l->w->signals[i].breached = false;
	}
	lab_fresh(l);
}

/* Asks people in turn until `need` of them have signed it: somebody's key may be spoilt. */
static bool signed_by(lab *l, unsigned need, const char *what)
{
	static const char *const people[] = {"alice", "bob", "carol", "erin", "dave"};
	for (size_t i = 0; i < 5 && need; i++) need -= lab_says(l, people[i], what);
	return !need;
}

static void current_step(lab *l, char what[static 96], const char *format)
{
	const wr_op *op = lab_op(l);
	int at = wr_op_current(op);
	const char *name = at >= 0 ? wr_op_step_name(op, (size_t)at) : "";
	snprintf(what, 96, "%s%s%s", format, name, strcmp(format, "rule:") ? "" : ":skip");
}

/* People who want it done: tick, approve again, resume; once. */
static void push_forward(lab *l)
{
	char what[96];
	current_step(l, what, "tick:");
	signed_by(l, 1, what);
	lab_says(l, "alice", "approve");
	lab_says(l, "bob", "approve");
	signed_by(l, 1, "resume");
}

/* People who want it to end: tick, rule, abort, deny. */
static void push_to_the_end(lab *l)
{
	const wr_op *op = lab_op(l);
	char what[96];
	int at = wr_op_current(op);
	current_step(l, what, "tick:");
	if (at >= 0 && op->steps[at].intent_open && op->steps[at].kind == WR_STEP_MANUAL)
		signed_by(l, 1, what);
	else if (op->state == WR_OP_PROPOSED || op->state == WR_OP_APPROVED)
		signed_by(l, 1, "deny");
	else if (op->state == WR_OP_RUNNING)
		signed_by(l, 1, "abort");
	else if (op->state == WR_OP_HELD && !signed_by(l, 1, "abort")) {
		current_step(l, what, "rule:");
		if (!signed_by(l, 2, what)) signed_by(l, 1, "resume");
	}
}

static void must_end(lab *l)
{
	unsigned patience = below(2) ? 40 : 0;
	everything_is_well(l);
	for (unsigned round = 0; round < 300; round++) {
		lab_settle(l);
		if (wr_op_final(lab_op(l)->state)) return;
		if (l->job_count) {
			bool asks = l->jobs[0].kind == WR_CMD_PROBE;
			bool late = l->jobs[0].attempt <= over[l->jobs[0].index][l->jobs[0].undo];
			wr_outcome outcome = asks ? probed(&l->jobs[0]) : late ? WR_OUT_UNKNOWN : WR_OUT_DONE;
			take_effect(l, &l->jobs[0]);
			lab_finish(l, outcome);
			continue;
		}
		if (round < patience)
			push_forward(l);
		else
			push_to_the_end(l);
		lab_sleep(l, S(20));
	}
	const wr_op *op = lab_op(l);
	fail_msg("it cannot be ended: %s %s %s, step %d", wr_op_state_name(op->state), op->held_rule,
	         op->held_reason, wr_op_current(op));
}

/* Law 9, and no memory beside the receipts. */
static void folds_the_same(lab *l)
{
	wr_state *again = wr_state_new(&l->cfg);
	for (size_t i = 0; i < l->count; i++) lab_fold(again, l->lines[i], l->blobs);
	const wr_op *a = lab_op(l), *b = NULL;
	assert_int_equal(wr_state_ops(again, &b, 1), 1);
	assert_int_equal(a->state, b->state);
	assert_string_equal(a->held_rule, b->held_rule);
	assert_int_equal(a->approval_count, b->approval_count);
	for (size_t i = 0; i < a->step_count; i++) {
		assert_int_equal(a->steps[i].state, b->steps[i].state);
		assert_int_equal(a->steps[i].attempts, b->steps[i].attempts);
		assert_int_equal(a->steps[i].attempts_free, b->steps[i].attempts_free);
		assert_int_equal(a->steps[i].probe_open, b->steps[i].probe_open);
		assert_string_equal(a->steps[i].ruling, b->steps[i].ruling);
	}
	assert_int_equal(wr_state_contradictions(again), 0);
	wr_state_free(again);
}

static unsigned long ended[WR_OP_STATE_COUNT];
static unsigned long taken[128]; /* by wr_rules: how often its receipt was written */

static void count_rules(const lab *l)
{
	for (size_t i = 0; i < l->count; i++)
		for (size_t k = 0; k < wr_rule_count; k++)
			taken[k] += !strcmp(wr_rules[k].id, lab_str(l->receipts[i], "rule"));
}

static void walk(uint64_t seed)
{
	lab l;
	rng = seed;
	luck = 40 + below(60);
	lab_lawful(&l);
	l.law = against_the_truth;
	memset(in_effect, 0, sizeof in_effect);
	memset(ruled_on, 0, sizeof ruled_on);
	memset(over, 0, sizeof over);
	l.command_law = cancelled;
	looked_at = 0;
	l.cfg.runbook_count = 1;
	random_runbook(&l);
	lab_settle(&l);
	lab_verdict(&l, US, WR_V_DOWN);
	lab_settle(&l);
	if (!lab_propose_plan(&l, lab_plan(&l, RB_FO, US, EU), "alice",
	                      below(8) ? "approve" : "propose"))
		fail_msg("%s", l.refusal.msg);
	memcpy(as_planned, lab_op(&l)->steps_hash, sizeof as_planned);
	l.drift = as_planned;
	if (below(8)) lab_says(&l, "bob", "approve");
	for (unsigned i = below(EVENTS_MOST); i > 0; i--) one_event(&l);
	if (!below(4)) folds_the_same(&l);
	if (!below(3)) must_end(&l);
	ended[lab_op(&l)->state]++;
	count_rules(&l);
	lab_free(&l);
}

static uint64_t from_env(const char *name, uint64_t dflt)
{
	const char *text = getenv(name);
	return text && *text ? strtoull(text, NULL, 10) : dflt;
}

static uint64_t now_walking;

static int say_seed(void **state)
{
	(void)state;
	if (now_walking) fprintf(stderr, "last seed: %llu\n", (unsigned long long)now_walking);
	return 0;
}

static void walks(void **state)
{
	(void)state;
	uint64_t first = from_env("WR_WALK_SEED", 1), count = from_env("WR_WALKS", WALKS);
	for (uint64_t seed = first; seed < first + count; seed++) {
		now_walking = seed;
		walk(seed);
	}
	now_walking = 0;
	if (getenv("WR_WALK_SHOW"))
		for (int s = 0; s < WR_OP_STATE_COUNT; s++)
			printf("%-14s %lu\n", wr_op_state_name((wr_op_state)s), ended[s]);
	for (size_t k = 0; k < wr_rule_count && getenv("WR_WALK_SHOW"); k++)
		printf("%-14s %lu\n", wr_rules[k].id, taken[k]);
	/* Every row of the table that leads elsewhere is taken (what leads to HELD names its cause). */
	for (size_t k = 0; k < wr_rule_count && count >= 2000; k++) {
		const wr_rule *r = &wr_rules[k];
		bool elsewhere = r->to != r->from && r->to != WR_OP_HELD;
		/* These four take a crash or a lost file at the right moment: test_table.c. */
		bool rare = !strcmp(r->id, "P-DENIED") || !strcmp(r->id, "Q-DENIED") ||
		            !strcmp(r->id, "Q-EXPIRE") || !strcmp(r->id, "H-LOST");
		if (elsewhere && !rare && !taken[k]) fail_msg("no walk took %s", r->id);
	}
	/* The walks get about: each end is reached by some. */
	for (int s = WR_OP_COMPLETED; s < WR_OP_STATE_COUNT && count >= 2000; s++)
		if (!ended[s]) fail_msg("no walk ended %s", wr_op_state_name((wr_op_state)s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(walks, say_seed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
