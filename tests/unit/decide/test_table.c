/* test_table.c: the operation machine as data: whole, reachable, leavable, and nothing beside it.
 */
#include "laws.h"

static const char *const events[] = {"approve", "deny",   "hold",   "resume",  "abort", "rule",
                                     "tick",    "result", "probed", "started", "time"};

static bool known_event(const char *event)
{
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
		if (!strcmp(events[i], event)) return true;
	return false;
}

static void rules_are_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < wr_rule_count; i++) {
		const wr_rule *r = &wr_rules[i];
		assert_true(r->id[0] && r->condition[0] && known_event(r->event));
		assert_true(strlen(r->id) < 24);
		assert_false(wr_op_final(r->from));
		for (size_t k = 0; k < i; k++) assert_string_not_equal(wr_rules[k].id, r->id);
	}
}

static void every_state_is_reachable(void **state)
{
	(void)state;
	bool reached[WR_OP_STATE_COUNT] = {[WR_OP_PROPOSED] = true};
	for (size_t round = 0; round < WR_OP_STATE_COUNT; round++)
		for (size_t i = 0; i < wr_rule_count; i++)
			if (reached[wr_rules[i].from]) reached[wr_rules[i].to] = true;
	for (int s = 0; s < WR_OP_STATE_COUNT; s++)
		if (!reached[s]) fail_msg("%s is not reachable", wr_op_state_name((wr_op_state)s));
}

/* From every state that is not final there is a way to a final one, also without any engine's luck:
 * by what people can sign. */
static void every_state_is_leavable(void **state)
{
	(void)state;
	bool ends[WR_OP_STATE_COUNT] = {false};
	for (int s = 0; s < WR_OP_STATE_COUNT; s++) ends[s] = wr_op_final((wr_op_state)s);
	for (size_t round = 0; round < WR_OP_STATE_COUNT; round++)
		for (size_t i = 0; i < wr_rule_count; i++)
			if (ends[wr_rules[i].to]) ends[wr_rules[i].from] = true;
	for (int s = 0; s < WR_OP_STATE_COUNT; s++)
		if (!ends[s]) fail_msg("%s cannot be left", wr_op_state_name((wr_op_state)s));
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(wr_op_state_name(WR_OP_ROLLING_BACK), "rolling_back");
	assert_string_equal(wr_op_state_name((wr_op_state)99), "?");
	assert_string_equal(wr_step_state_name(WR_SS_UNDO_FAILED), "undo_failed");
	assert_string_equal(wr_step_state_name((wr_step_state)99), "?");
	assert_string_equal(wr_gate_verdict_name(WR_GATE_NO_DATA), "NO DATA");
	assert_false(wr_op_final(WR_OP_ROLLING_BACK));
	assert_true(wr_op_final(WR_OP_COMPLETED) && wr_op_final(WR_OP_DENIED));
}

/* ---- each state, each event: a rule, or a refusal by name ---- */

/* Brings a lab into `want`; false if this state has no lasting form (approved: within one tick). */
static void into(lab *l, wr_op_state want)
{
	lab_lawful(l);
	lab_outage(l);
	assert_true(lab_propose(l, RB_FO, US, EU, "alice"));
	switch (want) {
	case WR_OP_PROPOSED:
		return;
	case WR_OP_DENIED:
		assert_true(lab_says(l, "bob", "deny"));
		return;
	case WR_OP_EXPIRED:
		lab_sleep(l, MIN(16));
		return;
	case WR_OP_APPROVED: {
		lab_sig g;
		const wr_op *op = lab_op(l);
		lab_sign_init(l, &g, op->id, op->plan_hash, "bob", "on_call", "approve");
		lab_seal(&g);
		assert_true(lab_send(l, &g));
		lab_tick(l);
		return;
	}
	default:
		assert_true(lab_says(l, "bob", "approve"));
	}
	if (want == WR_OP_RUNNING) return;
	if (want == WR_OP_COMPLETED) {
		lab_run(l, -1);
		return;
	}
	if (want == WR_OP_HELD) {
		assert_true(lab_says(l, "bob", "hold"));
		return;
	}
	assert_true(lab_says(l, "bob", "abort"));
	lab_finish(l, want == WR_OP_ABORTED ? WR_OUT_FAILED : WR_OUT_DONE);
	if (want == WR_OP_ROLLED_BACK) lab_finish(l, WR_OUT_DONE);
	if (want != WR_OP_FAILED) return;
	lab_finish(l, WR_OUT_FAILED);
	lab_sleep(l, S(2));
	lab_finish(l, WR_OUT_FAILED);
	assert_true(lab_says(l, "alice", "rule:freeze:skip"));
	assert_true(lab_says(l, "bob", "rule:freeze:skip"));
}

static bool in_table(wr_op_state from, const char *event)
{
	for (size_t i = 0; i < wr_rule_count; i++)
		if (wr_rules[i].from == from && !strcmp(wr_rules[i].event, event)) return true;
	return false;
}

static void send_event(lab *l, const char *event)
{
	static const char *const reports[] = {"result", "probed"};
	for (size_t i = 0; i < 2; i++) {
		if (strcmp(event, reports[i]) != 0) continue;
		wr_step_report rep = {.attempt = 1, .exit_code = -1};
		snprintf(rep.operation_id, sizeof rep.operation_id, "%s", lab_op(l)->id);
		wr_event ev = {.kind = i ? WR_EV_PROBED : WR_EV_RESULT, .report = &rep};
		lab_decide(l, &ev);
		return;
	}
	if (!strcmp(event, "time") || !strcmp(event, "started")) {
		wr_event ev = {.kind = !strcmp(event, "time") ? WR_EV_TICK : WR_EV_STARTED};
		lab_decide(l, &ev);
		return;
	}
	lab_sig g;
	const wr_op *op = lab_op(l);
	const char *what = !strcmp(event, "rule")   ? "rule:freeze:skip"
	                   : !strcmp(event, "tick") ? "tick:check"
	                                            : event;
	lab_sign_init(l, &g, op->id, op->plan_hash, "carol", "on_call", what);
	lab_seal(&g);
	lab_send(l, &g);
}

static void each_state_each_event(void **state)
{
	(void)state;
	for (int s = 0; s < WR_OP_STATE_COUNT; s++) {
		for (size_t e = 0; e < sizeof events / sizeof events[0]; e++) {
			lab l;
			into(&l, (wr_op_state)s);
			lab_state_is(&l, (wr_op_state)s);
			size_t before = l.count;
			bool quiet = !strcmp(events[e], "time") || !strcmp(events[e], "started");
			l.accepted = false;
			send_event(&l, events[e]);
			wr_op_state after = lab_op(&l)->state;
			if (!in_table((wr_op_state)s, events[e])) {
				if (after != (wr_op_state)s) fail_msg("%d moved on %s", s, events[e]);
				if (!quiet) {
					assert_false(l.accepted);
					assert_true(l.refusal.msg[0] == 'A' && l.refusal.msg[1] == '-');
					assert_int_equal(l.count, before);
				}
			} else if (after != (wr_op_state)s) {
				/* It moved: then a row says so. */
				bool row = false;
				for (size_t i = 0; i < wr_rule_count; i++)
					row = row || (wr_rules[i].from == (wr_op_state)s && wr_rules[i].to == after &&
					              !strcmp(wr_rules[i].event, events[e]));
				if (!row) fail_msg("no row %s -%s->", wr_op_state_name((wr_op_state)s), events[e]);
			}
			lab_free(&l);
		}
	}
}

/* Every row that changes the state is taken by some story above or in the walk; here at least each
 * receipt that names a rule names one of the table. */
static void receipts_name_rules(void **state)
{
	(void)state;
	for (int s = 0; s < WR_OP_STATE_COUNT; s++) {
		lab l;
		into(&l, (wr_op_state)s);
		for (size_t i = 0; i < l.count; i++) {
			const char *operation = lab_str(l.receipts[i], "operation");
			const char *rule = lab_str(l.receipts[i], "rule");
			if (strncmp(operation, "operation_", 10) != 0 ||
			    !strcmp(operation, "operation_proposed"))
				continue;
			bool known = !strncmp(rule, "HOLD-", 5);
			for (size_t k = 0; k < wr_rule_count; k++)
				known = known || !strcmp(wr_rules[k].id, rule);
			if (!known) fail_msg("%s by rule \"%s\"", operation, rule);
			assert_true(lab_str(l.receipts[i], "reason")[0]);
		}
		lab_free(&l);
	}
}

/* The rows that the walks (test_walk.c) hardly ever take. */
static void rare_rows(void **state)
{
	(void)state;
	static const struct {
		const char *rule;
		wr_op_state from, to;
	} rows[] = {{"P-DENIED", WR_OP_PROPOSED, WR_OP_DENIED},
	            {"Q-DENIED", WR_OP_APPROVED, WR_OP_DENIED},
	            {"Q-EXPIRE", WR_OP_APPROVED, WR_OP_EXPIRED},
	            {"H-LOST", WR_OP_HELD, WR_OP_FAILED}};
	for (size_t i = 0; i < 4; i++) {
		lab l;
		into(&l, rows[i].from);
		l.law = NULL;
		if (rows[i].to == WR_OP_DENIED) { /* of the deny only the signature reached the disk */
			lab_sig g;
			wr_effects fx;
			wr_event ev = {.kind = WR_EV_SIGNED, .sign = &g.s};
			lab_sign_init(&l, &g, "op-1", lab_op(&l)->plan_hash, "carol", "sre", "deny");
			lab_seal(&g);
			wr_decide(l.s, l.w, &ev, l.now, &fx);
			assert_int_equal(fx.receipt_count, 2);
			lab_append(&l, json_incref(fx.receipts[0]));
			wr_effects_clear(&fx);
			wr_buf_free(&g.text);
		} else if (rows[i].to == WR_OP_EXPIRED) {
			l.now += MIN(16);
		} else {
			json_object_clear(l.blobs);
			lab_crash(&l);
			assert_true(lab_says(&l, "alice", "abort"));
		}
		lab_tick(&l);
		lab_state_is(&l, rows[i].to);
		bool found = false;
		for (size_t k = 0; k < l.count; k++)
			found = found || !strcmp(lab_str(l.receipts[k], "rule"), rows[i].rule);
		if (!found) fail_msg("%s was not taken", rows[i].rule);
		lab_free(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules_are_well_formed),
	    cmocka_unit_test(every_state_is_reachable),
	    cmocka_unit_test(every_state_is_leavable),
	    cmocka_unit_test(names),
	    cmocka_unit_test(each_state_each_event),
	    cmocka_unit_test(receipts_name_rules),
	    cmocka_unit_test(rare_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
