/* test_people.c: operators, roles and quorums that can be met. */
#include "fixture.h"

static wr_config *load_people(fixture *x, const char *people, const char *approvals)
{
	char s[8192];
	snprintf(s, sizeof s, "%soperators:\n  people:\n%s%s", FX_BASE, people, approvals);
	return fx_load_text(x, s);
}

static void test_people(void **state)
{
	fixture *x = *state;
	fx_put(x, "a.key", "secret");
	const wr_config *c =
	    load_people(x,
	                "    - {principal: alice, name: Alice A, roles: [sre, lead], key: a.key}\n"
	                "    - {principal: bob@example.com, roles: [on_call]}\n",
	                "approvals:\n  failover: {roles: [sre, on_call], assurance: own_device, "
	                "expires: 5m}\n  other: {roles: [lead]}\n");
	fx_expect_loaded(x);
	char want[256];
	snprintf(want, sizeof want, "%s/allowed_signers", x->dir);
	assert_string_equal(c->allowed_signers, want);
	fx_expect_warning(x, "operators.allowed_signers", "does not exist");
	assert_int_equal(c->operator_count, 2);
	const wr_operator *a = wr_config_operator(c, "alice");
	assert_string_equal(a->name, "Alice A");
	assert_string_equal(a->roles[1], "lead");
	snprintf(want, sizeof want, "%s/a.key", x->dir);
	assert_string_equal(a->key_file, want);
	assert_string_equal(wr_config_operator(c, "bob@example.com")->name, "bob@example.com");
	assert_int_equal(c->approve_failover.least, WR_OWN_DEVICE);
	assert_int_equal(c->approve_failover.expires_ms, 300000);
	assert_int_equal(c->approve_failback.least, WR_SHARED_TERMINAL);
	assert_int_equal(c->approve_other.role_count, 1);
}

static void test_quorums(void **state)
{
	fixture *x = *state;
#define P(name, roles) "    - {principal: " name ", roles: [" roles "]}\n"
#define A(roles)       "approvals: {failover: {roles: [" roles "]}}\n"
	static const struct {
		const char *people, *approvals, *error; /* NULL: fine */
	} rows[] = {
	    {P("a", "sre") P("b", "on_call"), A("sre, on_call"), NULL},
	    {P("a", "sre, on_call") P("b", "sre"), A("sre, on_call"), NULL},
	    {P("a", "sre") P("b", "sre, on_call"), A("sre, on_call"), NULL},
	    {P("a", "sre, on_call"), A("sre, on_call"), "2 different people for its roles, but only 1"},
	    {P("a", "sre, on_call") P("b", "lead"), A("sre, on_call"), "only 1 can be found"},
	    {P("a", "sre") P("b", "sre"), A("sre, on_call"), "nobody has the role \"on_call\""},
	    {P("a", "sre") P("b", "sre"), A("sre, sre"), NULL},
	    {P("a", "sre") P("b", "lead"), A("sre, sre"), "only 1 can be found"},
	    {P("a", "sre") P("b", "lead"), A("sre"), NULL},
	    {P("a", "sre"), A("sre"), "needs 2 different people"},
	    /* A chain of people that must all be moved along. */
	    {P("a", "r1, r2") P("b", "r2, r3") P("c", "r3, r4") P("d", "r1"), A("r1, r2, r3, r4"),
	     NULL},
	    {P("a", "r1, r2, r3") P("b", "r1, r2, r3"), A("r1, r2, r3"), "only 2 can be found"},
	    {P("a", "sre") P("b", "on_call"), "approvals: {failover: {roles: []}}\n", "at least one"},
	    {P("a", "sre") P("b", "on_call"), "approvals: {failover: {expires: 16m}}\n",
	     "from 10s to 15m"},
	    {P("a", "sre") P("b", "on_call"), "approvals: {failover: {expires: 0}}\n", "a duration"},
	    {P("a", "sre") P("b", "on_call"), "approvals: {failover: {assurance: none}}\n", "one of"},
	    {P("a", "sre") P("b", "on_call"), "approvals: {fail: {}}\n", "unknown key"},
	    {P("a", "sre") P("a", "on_call"), "", "already taken"},
	    {"    - {principal: a}\n", "", "missing: expected a list of roles"},
	    {P("a", "1, 2, 3, 4, 5, 6, 7, 8, 9"), "", "at most 8"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const wr_config *c = load_people(x, rows[i].people, rows[i].approvals);
		if (rows[i].error == NULL) {
			fx_expect_loaded(x);
			continue;
		}
		bool found = false;
		for (size_t k = 0; k < x->f.count; k++)
			found = found || strstr(x->f.items[k].text, rows[i].error) != NULL;
		if (c != NULL || !found) {
			wr_findings_print(&x->f, stderr);
			fail_msg("row %zu: expected \"%s\"", i, rows[i].error);
		}
	}
#undef A
#undef P
}

static void test_default_quorum_counts_where_a_runbook_needs_it(void **state)
{
	fixture *x = *state;
	static const char *const lead = "    - {principal: a, roles: [lead]}\n";
	assert_non_null(load_people(x, lead, ""));
	assert_null(load_people(x, lead,
	                        "runbooks: [{name: r, kind: failback, steps: [{name: s, manual: {ask: "
	                        "x}}]}]\n"));
	fx_expect_error(x, "operators", "nobody has the role \"sre\", which failback needs");
}

static void test_file_trust(void **state)
{
	fixture *x = *state;
	static const char *const people = "    - {principal: a, roles: [sre], key: a.key}\n";
	fx_put_bytes(x, "a.key", "k", 1, 0640);
	assert_null(load_people(x, people, ""));
	fx_expect_error(x, "operators.people[0].key", "others can read or write it");
	fx_put_bytes(x, "a.key", "k", 1, 0600);
	assert_non_null(load_people(x, people, ""));
	fx_put_bytes(x, "allowed_signers", "", 0, 0646);
	assert_null(load_people(x, people, ""));
	fx_expect_error(x, "operators.allowed_signers", "others can write it");
	fx_put_bytes(x, "allowed_signers", "", 0, 0644);
	fx_put_bytes(x, "engine.key", "k", 1, 0644);
	assert_null(load_people(x, people, ""));
	fx_expect_error(x, "ledger.engine_key", "others can read or write it");
}

static void test_assurance_names(void **state)
{
	(void)state;
	wr_assurance a;
	for (int i = WR_SHARED_TERMINAL; i <= WR_OWN_DEVICE; i++) {
		assert_int_equal(wr_assurance_parse(wr_assurance_name((wr_assurance)i), &a), 0);
		assert_int_equal(a, i);
	}
	assert_int_equal(wr_assurance_parse("own", &a), -1);
	assert_int_equal(wr_assurance_parse("", &a), -1);
}

static void test_names_of_everything(void **state)
{
	(void)state;
	assert_string_equal(wr_class_name(WR_CLASS_SLO_BURN), "slo_burn");
	assert_string_equal(wr_class_abbr(WR_CLASS_CONTROL_PLANE), "ctl");
	assert_string_equal(wr_fact_kind_name(WR_FACT_BUILD), "build");
	assert_string_equal(wr_step_kind_name(WR_STEP_SOAK), "soak");
	assert_string_equal(wr_phase_name(WR_PHASE_FENCE), "fence");
	assert_string_equal(wr_runbook_kind_name(WR_RB_FAILBACK), "failback");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_people),
	    T(test_quorums),
	    T(test_default_quorum_counts_where_a_runbook_needs_it),
	    T(test_file_trust),
	    T(test_assurance_names),
	    T(test_names_of_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
