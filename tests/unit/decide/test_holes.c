/* test_holes.c: holes that an audit of the laws found: doubts that were forgotten, times that lie,
 * numbers that cannot be, and words that say more than was meant. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_result_before_the_ruling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
