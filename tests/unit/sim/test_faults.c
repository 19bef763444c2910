/* test_faults.c: each fault does what its name says, for as long as it says, and heals. */
#include "simtest.h"

#define US 0
#define EU 1

static wr_sim *fresh(void)
{
	wr_sim *s = make_sim("ggen", 21);
	wr_sim_step(s, 10000);
	return s;
}

static void a_region_that_is_down_refuses_or_swallows(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	int status;
	inject(s, WR_SIM_F_REGION_DOWN, EU, 0);
	assert_int_equal(wr_sim_region_reach(s, EU), WR_SIM_CLOSED);
	assert_null(ask(s, EU, "GET", "/health", NULL, &status));
	inject(s, WR_SIM_F_REGION_DOWN, EU, 1);
	assert_int_equal(wr_sim_region_reach(s, EU), WR_SIM_BLACKHOLE);
	assert_int_equal(wr_sim_region_reach(s, US), WR_SIM_OPEN);
	inject(s, WR_SIM_F_HEAL, EU, 0);
	assert_int_equal(wr_sim_region_reach(s, EU), WR_SIM_OPEN);
	json_decref(ask(s, EU, "GET", "/health", NULL, &status));
	assert_int_equal(status, 503); /* no replica is ready yet */
	wr_sim_step(s, 31000);
	json_decref(ask(s, EU, "GET", "/health", NULL, &status));
	assert_int_equal(status, 200);
	wr_sim_free(s);
}

static void scheduled_faults_come_and_go(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_fault_spec f = fault_of(WR_SIM_F_REGION_DOWN, US, 0);
	f.after_ms = 5000;
	f.duration_ms = 3000;
	int64_t id = 0;
	assert_int_equal(wr_sim_fault(s, &f, &id, NULL), 0);
	wr_sim_step(s, 4900);
	assert_int_equal(wr_sim_region_reach(s, US), WR_SIM_OPEN);
	wr_sim_step(s, 100);
	assert_int_equal(wr_sim_region_reach(s, US), WR_SIM_CLOSED);
	wr_sim_step(s, 2900);
	assert_int_equal(wr_sim_region_reach(s, US), WR_SIM_CLOSED);
	wr_sim_step(s, 100);
	assert_int_equal(wr_sim_region_reach(s, US), WR_SIM_OPEN);
	assert_int_equal(s->fault_count, 0);
	wr_sim_free(s);
}

static void heal_leaves_the_future_alone_unless_told(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	wr_sim_fault_spec later = fault_of(WR_SIM_F_BROWNOUT, EU, 10);
	later.after_ms = 60000;
	assert_int_equal(wr_sim_fault(s, &later, NULL, NULL), 0);
	inject(s, WR_SIM_F_LAG, US, 5);
	inject(s, WR_SIM_F_KEYS, EU, -1);
	assert_int_equal(s->fault_count, 3);
	inject(s, WR_SIM_F_HEAL, US, 0);
	assert_int_equal(s->fault_count, 2);
	inject(s, WR_SIM_F_HEAL, WR_SIM_NONE, 0);
	assert_int_equal(s->fault_count, 1);
	inject(s, WR_SIM_F_HEAL, WR_SIM_NONE, 1);
	assert_int_equal(s->fault_count, 0);
	wr_sim_fault_spec heal_later = fault_of(WR_SIM_F_HEAL, EU, -1);
	heal_later.after_ms = 2000;
	inject(s, WR_SIM_F_BROWNOUT, EU, 10);
	assert_int_equal(wr_sim_fault(s, &heal_later, NULL, NULL), 0);
	wr_sim_step(s, 1900);
	assert_int_equal(s->regions[EU].brownout_percent, 10);
	wr_sim_step(s, 100);
	assert_int_equal(s->regions[EU].brownout_percent, 0);
	assert_int_equal(s->fault_count, 0);
	wr_sim_free(s);
}

static void a_brownout_fails_some_and_slows_all(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	double calm = number_at(s, US, "/health", "/p95_ms");
	inject(s, WR_SIM_F_BROWNOUT, US, 40);
	int64_t failed = errors_during(s, 10000);
	assert_in_range(failed, 1400, 1850);
	assert_true((double)s->regions[US].p95_us / 1000 > calm * 10);
	assert_true(wr_sim_request_delay_ms(s, US) > 500);
	int bad = 0;
	for (uint64_t i = 0; i < 10000; i++) bad += wr_sim_request_fails(s, US, i);
	assert_in_range(bad, 3700, 4300);
	assert_int_equal(wr_sim_request_delay_ms(s, EU), 0);
	inject(s, WR_SIM_F_HEAL, US, 0);
	assert_false(wr_sim_request_fails(s, US, 1));
	wr_sim_step(s, 30000);
	assert_true(number_at(s, US, "/health", "/p95_ms") < calm * 2);
	wr_sim_free(s);
}

static void lag_grows_no_faster_than_time_and_is_made_up(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	const char *row = "/replication?link=postgres";
	assert_true(number_at(s, EU, row, "/links/0/lag_seconds") < 0.5);
	wr_sim_fault_spec f = fault_of(WR_SIM_F_LAG, US, 30);
	f.link = 0;
	assert_int_equal(wr_sim_fault(s, &f, NULL, NULL), 0);
	wr_sim_step(s, 10000);
	double lag = number_at(s, EU, row, "/links/0/lag_seconds");
	assert_true(lag > 9 && lag < 11);
	assert_true(number_at(s, EU, "/replication?link=redis", "/links/0/lag_seconds") < 0.5);
	wr_sim_step(s, 60000);
	lag = number_at(s, EU, row, "/links/0/lag_seconds");
	assert_true(lag > 29.5 && lag < 31);
	assert_true(number_at(s, US, row, "/links/0/lag_bytes") > 400000);
	assert_true(number_at(s, US, row, "/links/0/receipts_behind") > 400);
	inject(s, WR_SIM_F_HEAL, US, 0);
	wr_sim_step(s, 1000);
	lag = number_at(s, EU, row, "/links/0/lag_seconds");
	assert_true(lag > 10); /* bandwidth is finite */
	wr_sim_step(s, 15000);
	assert_true(number_at(s, EU, row, "/links/0/lag_seconds") < 0.5);
	wr_sim_free(s);
}

static void a_partition_stalls_replication_and_both_ends_differ(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	inject(s, WR_SIM_F_PARTITION, US, -1);
	assert_true(errors_during(s, 20000) < 20); /* the clients do not notice */
	const char *row = "/replication?link=postgres";
	assert_true(number_at(s, US, row, "/links/0/lag_seconds") > 19);
	assert_true(number_at(s, EU, row, "/links/0/lag_seconds") < 1);
	assert_true(number_at(s, EU, row, "/links/0/contact_age_seconds") > 19);
	assert_false(truth_at(s, US, "/mesh", "/peers/europe-west1/reachable"));
	inject(s, WR_SIM_F_HEAL, EU, 0); /* either end's name heals it … */
	assert_int_equal(s->fault_count, 1);
	inject(s, WR_SIM_F_HEAL, US, 0); /* … if it is named in the fault */
	assert_int_equal(s->fault_count, 0);
	wr_sim_step(s, 10000);
	assert_true(number_at(s, US, row, "/links/0/lag_seconds") < 1);
	wr_sim_free(s);
}

static void a_partition_can_be_of_one_pair(void **state)
{
	(void)state;
	wr_sim *s = make_sim("companyos", 1);
	wr_sim_fault_spec f = fault_of(WR_SIM_F_PARTITION, 0, -1);
	f.peer = 2;
	assert_int_equal(wr_sim_fault(s, &f, NULL, NULL), 0);
	wr_sim_step(s, 10000);
	assert_false(wr_sim_connected(s, 0, 2));
	assert_false(wr_sim_connected(s, 2, 0));
	assert_true(wr_sim_connected(s, 0, 1));
	assert_true(wr_sim_connected(s, 1, 2));
	inject(s, WR_SIM_F_HEAL, 2, 0);
	assert_true(wr_sim_connected(s, 0, 2));
	wr_sim_free(s);
}

static void a_cut_off_observer_sees_nothing_while_all_is_well(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	int status;
	inject(s, WR_SIM_F_PARTITION, WR_SIM_OBSERVER, -1);
	for (int i = 0; i < 2; i++) assert_int_equal(wr_sim_region_reach(s, i), WR_SIM_CLOSED);
	static const char *const provider[] = {
	    "/healthz", "/v1/traffic", "/v1/fence?region=us-central1", "/v1/slo?region=us-central1"};
	for (size_t i = 0; i < 4; i++) {
		assert_null(ask(s, WR_SIM_CONTROL, "GET", provider[i], NULL, &status));
		assert_int_equal(status, 0);
	}
	assert_true(errors_during(s, 10000) < 10);
	/* The strings that the drill is held by stay in reach. */
	json_decref(look(s, WR_SIM_CONTROL, "/v1/platform"));
	assert_int_equal(
	    order(s, WR_SIM_CONTROL, "/v1/fault", "{\"kind\":\"heal\",\"region\":\"observer\"}"), 200);
	assert_int_equal(wr_sim_region_reach(s, 0), WR_SIM_OPEN);
	/* An observer may lose sight of one region only; the provider is then in reach. */
	wr_sim_fault_spec f = fault_of(WR_SIM_F_PARTITION, WR_SIM_OBSERVER, -1);
	f.peer = US;
	assert_int_equal(wr_sim_fault(s, &f, NULL, NULL), 0);
	assert_int_equal(wr_sim_region_reach(s, US), WR_SIM_CLOSED);
	assert_int_equal(wr_sim_region_reach(s, EU), WR_SIM_OPEN);
	json_decref(look(s, WR_SIM_CONTROL, "/healthz"));
	wr_sim_free(s);
}

static void load_makes_latency_lag_and_errors(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	inject(s, WR_SIM_F_LOAD, WR_SIM_NONE, 130);
	wr_sim_step(s, 20000);
	double p95 = number_at(s, US, "/health", "/p95_ms");
	assert_true(number_at(s, US, "/replication", "/links/0/lag_seconds") > 1);
	int64_t few = errors_during(s, 10000);
	inject(s, WR_SIM_F_LOAD, WR_SIM_NONE, 250);
	wr_sim_step(s, 20000);
	assert_true(number_at(s, US, "/health", "/p95_ms") > p95 * 3);
	assert_true(errors_during(s, 10000) > few + 2000);
	wr_sim_free(s);
}

static void build_keys_and_quota_can_be_wrong(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	char us[128], eu[128];
	text_at(s, US, "/build", "/digest", us);
	text_at(s, EU, "/build", "/digest", eu);
	assert_string_equal(us, eu);
	inject(s, WR_SIM_F_BUILD, EU, -1);
	text_at(s, EU, "/build", "/digest", eu);
	assert_string_not_equal(us, eu);
	assert_int_equal(strlen(eu), strlen("sha256:") + 64);
	assert_true(truth_at(s, EU, "/keys", "/context_valid"));
	inject(s, WR_SIM_F_KEYS, EU, -1);
	assert_false(truth_at(s, EU, "/keys", "/context_valid"));
	assert_true(truth_at(s, US, "/keys", "/context_valid"));
	assert_true(number_at(s, EU, "/quota", "/rows/1/after_shift_percent") <= 90);
	inject(s, WR_SIM_F_QUOTA, EU, 97);
	assert_true(number_at(s, EU, "/quota", "/rows/1/after_shift_percent") >= 97);
	assert_true(number_at(s, US, "/quota", "/rows/1/after_shift_percent") <= 90);
	wr_sim_free(s);
}

static void an_errors_budget_burns_and_recovers(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	wr_sim_step(s, 60000);
	assert_true(number_at(s, US, "/slo", "/burn_rate") < 1);
	double budget = number_at(s, US, "/slo", "/budget_left_percent");
	inject(s, WR_SIM_F_BROWNOUT, US, 20);
	wr_sim_step(s, 60000);
	double burn = number_at(s, WR_SIM_CONTROL, "/v1/slo?region=us-central1", "/burn_rate");
	assert_true(burn > 150 && burn < 250);
	inject(s, WR_SIM_F_HEAL, US, 0);
	wr_sim_step(s, 70000);
	assert_true(number_at(s, US, "/slo", "/burn_rate") < 1);
	assert_true(number_at(s, US, "/slo", "/burn_rate_5m") > 10);
	assert_true(number_at(s, US, "/slo", "/budget_left_percent") < budget);
	wr_sim_free(s);
}

static void drift_shows_while_frozen_or_cut_off(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 3);
	inject(s, WR_SIM_F_PARTITION, EU, -1);
	wr_sim_step(s, 100000);
	assert_false(truth_at(s, EU, "/control-plane", "/config_current"));
	inject(s, WR_SIM_F_HEAL, EU, 0);
	wr_sim_step(s, 1000);
	assert_true(truth_at(s, EU, "/control-plane", "/config_current"));
	double version = number_at(s, US, "/control-plane", "/config_version");
	assert_int_equal(order(s, US, "/freeze", ""), 200);
	assert_true(truth_at(s, US, "/control-plane", "/frozen"));
	wr_sim_step(s, 300000);
	assert_true(number_at(s, US, "/control-plane", "/config_version") == version);
	assert_int_equal(order(s, US, "/unfreeze", ""), 200);
	wr_sim_step(s, 100000);
	assert_true(number_at(s, US, "/control-plane", "/config_version") > version);
	wr_sim_free(s);
}

static void draining_winds_down_in_time(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	assert_int_equal(order(s, US, "/drain", ""), 200);
	wr_sim_step(s, 5000);
	double half = number_at(s, US, "/ingress", "/drained_percent");
	assert_true(half > 45 && half < 55);
	assert_false(truth_at(s, US, "/state", "/drained"));
	assert_int_equal(order(s, US, "/drain", ""), 200); /* does not start again */
	wr_sim_step(s, 5000);
	assert_true(truth_at(s, US, "/state", "/drained"));
	assert_in_range(errors_during(s, 5000), 1700, 2300);
	assert_int_equal(order(s, US, "/undrain", ""), 200);
	assert_true(errors_during(s, 5000) < 10);
	wr_sim_free(s);
}

static void scaling_takes_its_time(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	assert_int_equal(order(s, EU, "/scale", "{\"percent\":100}"), 200);
	assert_true(number_at(s, EU, "/capacity", "/ready_percent") < 25);
	wr_sim_step(s, 15000);
	double half = number_at(s, EU, "/capacity", "/replicas_ready");
	assert_true(half >= 5 && half <= 7);
	assert_int_equal(order(s, EU, "/scale", "{\"percent\":100}"), 200); /* again: no slower */
	wr_sim_step(s, 15100);
	assert_true(number_at(s, EU, "/capacity", "/ready_percent") == 100);
	assert_int_equal(order(s, EU, "/scale", "{\"percent\":15}"), 200);
	wr_sim_step(s, 100);
	assert_true(number_at(s, EU, "/capacity", "/replicas_ready") == 2);
	wr_sim_free(s);
}

static void quotas_count_what_went_well(void **state)
{
	(void)state;
	wr_sim *s = fresh();
	double before = number_at(s, US, "/quota", "/rows/0/used");
	wr_sim_step(s, 10000);
	double ok = number_at(s, US, "/quota", "/rows/0/used") - before;
	assert_true(ok > 3500 && ok < 4700);
	inject(s, WR_SIM_F_REGION_DOWN, US, 0);
	before = number_at(s, EU, "/quota", "/rows/0/used");
	wr_sim_step(s, 10000);
	assert_true(number_at(s, EU, "/quota", "/rows/0/used") - before < 50);
	assert_true(number_at(s, EU, "/quota", "/rows/0/exhaustion_hours") > 200);
	json_t *j = look(s, EU, "/quota?tenants=250");
	assert_int_equal(json_array_size(json_object_get(j, "tenants")), 250 * WR_SIM_ACTIONS);
	const json_t *last = wr_json_get(j, "/tenants/749");
	assert_string_equal(wr_json_str(last, "tenant", ""), "tenant-00249");
	assert_int_equal(wr_json_int(last, "shard", -1), 2);
	json_decref(j);
	wr_sim_free(s);
}

static void wrong_faults_are_refused_with_the_reason(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_fault_spec wrong[] = {fault_of(WR_SIM_F_REGION_DOWN, WR_SIM_NONE, 0),
	                             fault_of(WR_SIM_F_REGION_DOWN, US, 2),
	                             fault_of(WR_SIM_F_BROWNOUT, US, -1),
	                             fault_of(WR_SIM_F_BROWNOUT, US, 101),
	                             fault_of(WR_SIM_F_LAG, US, 0),
	                             fault_of(WR_SIM_F_LAG, US, 3601),
	                             fault_of(WR_SIM_F_LAG, WR_SIM_OBSERVER, 5),
	                             fault_of(WR_SIM_F_LOAD, US, 100),
	                             fault_of(WR_SIM_F_LOAD, WR_SIM_NONE, 301),
	                             fault_of(WR_SIM_F_CORRUPTION, US, 5000),
	                             fault_of(WR_SIM_F_BROWNOUT, WR_SIM_OBSERVER, 5),
	                             fault_of(WR_SIM_F_PARTITION, US, 3),
	                             fault_of(WR_SIM_F_QUOTA, US, 0),
	                             fault_of(WR_SIM_F_HEAL, US, 2)};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		wr_err err = {0};
		assert_int_equal(wr_sim_fault(s, &wrong[i], NULL, &err), -1);
		assert_int_equal(err.code, WR_E_INVALID);
		assert_true(strlen(err.msg) > 10);
	}
	assert_int_equal(s->fault_count, 0);
	for (int i = 0; i < WR_SIM_FAULTS_MAX; i++) inject(s, WR_SIM_F_BUILD, US, -1);
	wr_err err = {0};
	wr_sim_fault_spec more = fault_of(WR_SIM_F_BUILD, US, -1);
	assert_int_equal(wr_sim_fault(s, &more, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	inject(s, WR_SIM_F_HEAL, WR_SIM_NONE, 0); /* works when the list is full */
	assert_int_equal(s->fault_count, 0);
	wr_sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_region_that_is_down_refuses_or_swallows),
	    cmocka_unit_test(scheduled_faults_come_and_go),
	    cmocka_unit_test(heal_leaves_the_future_alone_unless_told),
	    cmocka_unit_test(a_brownout_fails_some_and_slows_all),
	    cmocka_unit_test(lag_grows_no_faster_than_time_and_is_made_up),
	    cmocka_unit_test(a_partition_stalls_replication_and_both_ends_differ),
	    cmocka_unit_test(a_partition_can_be_of_one_pair),
	    cmocka_unit_test(a_cut_off_observer_sees_nothing_while_all_is_well),
	    cmocka_unit_test(load_makes_latency_lag_and_errors),
	    cmocka_unit_test(build_keys_and_quota_can_be_wrong),
	    cmocka_unit_test(an_errors_budget_burns_and_recovers),
	    cmocka_unit_test(drift_shows_while_frozen_or_cut_off),
	    cmocka_unit_test(draining_winds_down_in_time),
	    cmocka_unit_test(scaling_takes_its_time),
	    cmocka_unit_test(quotas_count_what_went_well),
	    cmocka_unit_test(wrong_faults_are_refused_with_the_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
