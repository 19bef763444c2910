/* test_example.c: the example platform loads, and says what its comments say. Run from the top of
 * the tree, as the makefile does. */
#include "fixture.h"

static void copy(fixture *x, const char *name)
{
	char path[256];
	static char text[1 << 16];
	snprintf(path, sizeof path, "docs/examples/ggen/%s", name);
	FILE *f = fopen(path, "r");
	if (f == NULL) fail_msg("%s: run this from the top of the tree", path);
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	assert_true(n > 0 && n < sizeof text);
	fx_put_bytes(x, name, text, n, 0644);
}

static const wr_config *load_example(fixture *x)
{
	char path[128];
	snprintf(path, sizeof path, "%s/runbooks", x->dir);
	mkdir(path, 0755);
	copy(x, "warroom.yaml");
	copy(x, "runbooks/regional-failover.yaml");
	copy(x, "runbooks/failback.yaml");
	fx_load(x);
	fx_expect_loaded(x);
	return x->c;
}

static void test_only_the_keys_are_missing(void **state)
{
	fixture *x = *state;
	load_example(x);
	for (size_t i = 0; i < x->f.count; i++) {
		if (strstr(x->f.items[i].text, "does not exist (yet)") != NULL) continue;
		wr_findings_print(&x->f, stderr);
		fail_msg("unexpected warning");
	}
	assert_int_equal(x->f.count, 3);
}

static const wr_step *step(const wr_runbook *rb, const char *name)
{
	for (size_t i = 0; i < rb->step_count; i++)
		if (strcmp(rb->steps[i].name, name) == 0) return &rb->steps[i];
	fail_msg("no step %s", name);
	return NULL;
}

static void test_failover_order(void **state)
{
	fixture *x = *state;
	const wr_config *c = load_example(x);
	const wr_runbook *rb = wr_config_runbook_for(c, WR_RB_FAILOVER, "main");
	assert_non_null(rb);
	static const wr_phase order[] = {WR_PHASE_FREEZE,  WR_PHASE_FENCE,  WR_PHASE_DRAIN,
	                                 WR_PHASE_PROMOTE, WR_PHASE_SCALE,  WR_PHASE_SHIFT,
	                                 WR_PHASE_SOAK,    WR_PHASE_VERIFY, WR_PHASE_ANNOUNCE};
	size_t at = 0;
	for (size_t i = 0; i < rb->step_count && at < sizeof order / sizeof order[0]; i++)
		if (rb->steps[i].phase == order[at]) at++;
	assert_int_equal(at, sizeof order / sizeof order[0]);
	/* The fence is proved by its answer, and never lifted by an automatic undo. */
	const wr_step *fence = step(rb, "fence-writes");
	assert_non_null(fence);
	assert_non_null(fence->action.expect);
	assert_true(fence->has_probe && !fence->has_rollback);
	for (size_t i = 0; i < rb->step_count; i++) assert_true(rb->steps[i].why[0] != '\0');
}

static void test_failback_shifts_in_three(void **state)
{
	fixture *x = *state;
	const wr_config *c = load_example(x);
	const wr_runbook *rb = wr_config_runbook_for(c, WR_RB_FAILBACK, "main");
	assert_non_null(rb);
	static const int percents[] = {10, 50, 100};
	size_t shifts = 0;
	for (size_t i = 0; i < rb->step_count; i++) {
		const wr_action *a = &rb->steps[i].action;
		if (a->kind != WR_STEP_TRAFFIC) continue;
		assert_true(shifts < 3);
		assert_string_equal(a->weights[1].region, "${to}");
		assert_int_equal(a->weights[1].percent, percents[shifts++]);
		assert_int_equal(rb->steps[i + 1].action.kind, WR_STEP_SOAK);
	}
	assert_int_equal(shifts, 3);
}

static void test_every_class_in_every_region(void **state)
{
	fixture *x = *state;
	const wr_config *c = load_example(x);
	static const wr_class classes[] = {WR_CLASS_SYNTHETIC, WR_CLASS_SLO_BURN,
	                                   WR_CLASS_CONTROL_PLANE, WR_CLASS_MESH, WR_CLASS_INGRESS};
	for (size_t r = 0; r < c->region_count; r++) {
		for (size_t k = 0; k < sizeof classes / sizeof classes[0]; k++) {
			bool found = false;
			for (size_t i = 0; i < c->signal_count; i++)
				found = found || (c->signals[i].signal_class == classes[k] &&
				                  strcmp(c->signals[i].region, c->regions[r].name) == 0);
			assert_true(found);
		}
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_only_the_keys_are_missing),
	    T(test_failover_order),
	    T(test_failback_shifts_in_three),
	    T(test_every_class_in_every_region),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
