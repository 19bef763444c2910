/* test_failover.c: the sequences that people run: outage, failover, failback, and what must be
 * refused on the way. All through the requests that an operator's tools would send. */
#include "simtest.h"

#define US 0
#define EU 1

static wr_sim *down_with_lag(void)
{
	wr_sim *s = make_sim("ggen", 4);
	wr_sim_step(s, 20000);
	inject(s, WR_SIM_F_LAG, US, 2);
	wr_sim_step(s, 10000);
	inject(s, WR_SIM_F_REGION_DOWN, US, 0);
	wr_sim_step(s, 5000);
	return s;
}

static void an_outage_fails_the_clients_and_freezes_what_is_known(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 4);
	wr_sim_step(s, 30000);
	assert_true(errors_during(s, 10000) < 10);
	inject(s, WR_SIM_F_LAG, US, 2);
	wr_sim_step(s, 10000);
	int64_t truth = s->regions[US].chain.count - s->regions[EU].chain.count;
	assert_in_range(truth, 35, 60);
	inject(s, WR_SIM_F_REGION_DOWN, US, 0);
	int64_t failed = errors_during(s, 10000);
	assert_in_range(failed, 3500, 4700);
	assert_int_equal(s->regions[US].edge_errors[WR_SIM_R_UNREACHABLE], failed);
	/* The other end answers from its last contact, and names the receipts. */
	const char *row = "/replication?link=postgres&from=us-central1&to=europe-west1";
	assert_true(number_at(s, EU, row, "/links/0/lag_seconds") >= 2.0);
	assert_true(number_at(s, EU, row, "/links/0/lag_seconds") < 3.0);
	assert_true(number_at(s, EU, row, "/links/0/contact_age_seconds") >= 9.0);
	assert_int_equal((int64_t)number_at(s, EU, row, "/links/0/receipts_behind"), truth);
	json_t *j = look(s, EU, row);
	const json_t *ids = wr_json_get(j, "/links/0/at_risk");
	assert_int_equal(json_array_size(ids), truth < 50 ? truth : 50);
	char first[WR_UUID_LEN];
	int64_t seq = s->regions[EU].chain.count;
	wr_sim_receipt_id(s, wr_sim_chain_at(&s->regions[US].chain, seq), seq, first);
	assert_string_equal(json_string_value(json_array_get(ids, 0)), first);
	json_decref(j);
	wr_sim_free(s);
}

static void promotion_needs_the_fence(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	assert_int_equal(order(s, EU, "/promote", "{\"link\":\"postgres\"}"), 409);
	wr_sim_step(s, 10000);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_REPLICA);
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"us-central1\"}"), 200);
	assert_true(truth_at(s, WR_SIM_CONTROL, "/v1/fence?region=us-central1", "/acknowledged"));
	assert_int_equal(order(s, EU, "/promote", "{\"link\":\"postgres\"}"), 200);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_PROMOTING);
	wr_sim_step(s, 2000);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_PROMOTING);
	/* While it runs, the fence must hold and nobody else may be promoted. */
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/unfence", "{\"region\":\"us-central1\"}"), 409);
	assert_int_equal(order(s, EU, "/demote", "{\"link\":\"postgres\"}"), 409);
	assert_int_equal(order(s, EU, "/promote", "{\"link\":\"postgres\"}"), 200);
	wr_sim_step(s, 1100);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_PRIMARY);
	wr_sim_free(s);
}

static void what_was_behind_is_lost_and_named(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	int64_t behind = s->regions[US].chain.count - s->regions[EU].chain.count;
	int64_t first = s->regions[EU].chain.count;
	order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"us-central1\"}");
	order(s, EU, "/promote", "{\"link\":\"postgres\"}");
	wr_sim_step(s, 4000);
	assert_int_equal((int64_t)number_at(s, -1, "/v1/platform", "/promotions/0/lost_receipts"),
	                 behind);
	assert_int_equal((int64_t)number_at(s, -1, "/v1/platform", "/promotions/0/first_lost_seq"),
	                 first);
	json_t *j = look(s, WR_SIM_CONTROL, "/v1/platform");
	const json_t *ids = wr_json_get(j, "/promotions/0/lost_ids");
	assert_int_equal(json_array_size(ids), behind < 50 ? behind : 50);
	json_decref(j);
	wr_sim_free(s);
}

static void fail_over(wr_sim *s)
{
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"us-central1\"}"), 200);
	assert_int_equal(order(s, EU, "/promote", ""), 200);
	assert_int_equal(order(s, EU, "/scale", "{\"percent\":100}"), 200);
	wr_sim_step(s, 31000);
	assert_true(number_at(s, EU, "/capacity", "/ready_percent") == 100);
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/traffic",
	                       "{\"weights\":{\"us-central1\":0,\"europe-west1\":100}}"),
	                 200);
	wr_sim_step(s, 2000);
	assert_int_equal(order(s, EU, "/verify", ""), 200);
}

static void a_whole_failover_ends_the_errors(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	assert_int_equal(order(s, EU, "/verify", ""), 503);
	fail_over(s);
	int64_t receipts = s->regions[EU].chain.count;
	assert_true(errors_during(s, 20000) < 60); /* the health checkers still knock at the dead one */
	assert_in_range(s->regions[EU].chain.count - receipts, 300, 500);
	wr_sim_free(s);
}

static void shifting_too_early_hurts(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	const char *shift = "{\"weights\":{\"us-central1\":0,\"europe-west1\":100}}";
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/traffic", shift), 200);
	wr_sim_step(s, 1000);
	int64_t overload = s->regions[EU].edge_errors[WR_SIM_R_OVERLOAD];
	int64_t read_only = s->regions[EU].edge_errors[WR_SIM_R_READ_ONLY];
	wr_sim_step(s, 10000);
	/* 400 a second on room for 120, and no primary to write to. */
	assert_in_range(s->regions[EU].edge_errors[WR_SIM_R_OVERLOAD] - overload, 2400, 3300);
	assert_in_range(s->regions[EU].edge_errors[WR_SIM_R_READ_ONLY] - read_only, 250, 450);
	assert_true(number_at(s, EU, "/health", "/p95_ms") > 1000);
	assert_true(number_at(s, EU, "/capacity", "/headroom_percent") < 0);
	wr_sim_free(s);
}

static void the_old_primary_comes_back_read_only(void **state)
{
	(void)state;
	char text[128];
	wr_sim *s = down_with_lag();
	fail_over(s);
	inject(s, WR_SIM_F_HEAL, US, 0);
	wr_sim_step(s, 40000);
	text_at(s, US, "/health", "/role", text);
	assert_string_equal(text, "read_only");
	text_at(s, US, "/state", "/links/postgres/state", text);
	assert_string_equal(text, "diverged");
	int64_t held = s->regions[US].chain.count;
	/* Not even an unfence makes it writable: the other side was promoted. */
	assert_int_equal(order(s, US, "/promote", "{\"link\":\"postgres\"}"), 409);
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/unfence", "{\"region\":\"us-central1\"}"), 200);
	assert_int_equal(order(s, US, "/promote", "{\"link\":\"postgres\"}"), 409);
	wr_sim_step(s, 10000);
	assert_int_equal(s->regions[US].chain.count, held);
	assert_int_equal(wr_sim_writer(s, 0), EU);
	wr_sim_free(s);
}

static void a_fence_alone_stops_writes_until_it_is_lifted(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 9);
	wr_sim_step(s, 5000);
	order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"us-central1\"}");
	int64_t held = s->regions[US].chain.count;
	int64_t failed = errors_during(s, 10000);
	assert_in_range(failed, 1000, 1500); /* the writing third */
	assert_int_equal(s->regions[US].chain.count, held);
	order(s, WR_SIM_CONTROL, "/v1/unfence", "{\"region\":\"us-central1\"}");
	assert_true(errors_during(s, 10000) < 10);
	assert_true(s->regions[US].chain.count > held + 150);
	wr_sim_free(s);
}

static void resync_brings_the_lag_to_nothing(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	fail_over(s);
	wr_sim_step(s, 60000);
	assert_int_equal(order(s, US, "/resync", "{\"from\":\"europe-west1\"}"), 0); /* still down */
	inject(s, WR_SIM_F_HEAL, US, 0);
	wr_sim_step(s, 1000);
	assert_int_equal(order(s, EU, "/resync", "{\"from\":\"us-central1\"}"), 409);
	assert_int_equal(order(s, US, "/resync", "{\"from\":\"europe-west1\"}"), 200);
	const char *row = "/replication?link=postgres";
	double before = number_at(s, US, row, "/links/0/lag_seconds");
	assert_true(before > 60);
	for (int i = 0; i < 9; i++) {
		wr_sim_step(s, 1000);
		double now = number_at(s, US, row, "/links/0/lag_seconds");
		assert_true(now < before);
		before = now;
	}
	wr_sim_step(s, 5000);
	assert_true(number_at(s, US, row, "/links/0/lag_seconds") < 1);
	assert_false(truth_at(s, US, "/health", "/fenced")); /* a replica cannot split the brain */
	wr_sim_free(s);
}

static void a_failback_loses_nothing(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	fail_over(s);
	inject(s, WR_SIM_F_HEAL, US, 0);
	order(s, US, "/resync", "{\"from\":\"europe-west1\"}");
	wr_sim_step(s, 45000);
	/* Canary on a standby whose primary is alive: writes are forwarded, nothing fails. */
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/traffic",
	                       "{\"weights\":{\"us-central1\":10,\"europe-west1\":90}}"),
	                 200);
	assert_true(errors_during(s, 10000) < 20);
	assert_int_equal(order(s, US, "/promote", "{\"link\":\"postgres\"}"), 409);
	assert_int_equal(order(s, EU, "/demote", ""), 200);
	assert_int_equal(order(s, US, "/promote", ""), 200);
	wr_sim_step(s, 4000);
	assert_int_equal(wr_sim_writer(s, 0), US);
	int64_t n = s->promotion_count;
	assert_true(n >= 4);
	for (int64_t k = n - s->cfg.link_count; k < n; k++) {
		assert_int_equal(s->promotions[k].lost_receipts, 0);
		assert_int_equal(s->promotions[k].lost_bytes, 0);
	}
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_REPLICA);
	order(s, WR_SIM_CONTROL, "/v1/traffic",
	      "{\"weights\":{\"us-central1\":100,\"europe-west1\":0}}");
	wr_sim_step(s, 1000);
	assert_true(errors_during(s, 20000) < 20);
	wr_sim_free(s);
}

static void buffered_writes_survive_a_switch(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 8);
	wr_sim_step(s, 10000);
	assert_int_equal(order(s, US, "/buffer", ""), 200);
	assert_int_equal(order(s, US, "/demote", ""), 200);
	int64_t held = s->regions[US].chain.count;
	assert_true(errors_during(s, 10000) < 10);
	double waiting = number_at(s, US, "/ingress", "/buffered");
	assert_true(waiting > 1000 && waiting < 1500);
	assert_true(number_at(s, US, "/ingress", "/buffer_percent") > 1);
	assert_int_equal(s->regions[US].chain.count, held);
	assert_int_equal(order(s, EU, "/promote", ""), 200);
	assert_true(errors_during(s, 3500) < 10);
	wr_sim_step(s, 30000);
	assert_true(number_at(s, US, "/ingress", "/buffered") == 0);
	/* Every write of the 43 seconds became part of the chain, the waiting ones too. */
	int64_t made = s->regions[EU].chain.count - held;
	assert_in_range(made, 43 * 120 / 6 * 9 / 10, 43 * 120 / 6 * 11 / 10);
	assert_int_equal(order(s, US, "/unbuffer", ""), 200);
	wr_sim_free(s);
}

static void a_full_buffer_fails_what_comes_after(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 8);
	order(s, US, "/buffer", "");
	order(s, US, "/demote", "");
	wr_sim_step(s, 1000 * 1000); /* 120 a second */
	assert_int_equal(s->regions[US].buffered, WR_SIM_BUFFER_MAX);
	assert_in_range(errors_during(s, 10000), 1000, 1500);
	wr_sim_free(s);
}

static void a_demotion_without_successor_can_be_taken_back(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_step(s, 3000);
	assert_int_equal(order(s, US, "/demote", "{\"link\":\"postgres\"}"), 200);
	assert_int_equal(wr_sim_writer(s, 0), WR_SIM_NONE);
	wr_sim_step(s, 2000);
	assert_int_equal(s->regions[US].chain.count, s->regions[EU].chain.count);
	assert_int_equal(order(s, US, "/promote", "{\"link\":\"postgres\"}"), 200);
	wr_sim_step(s, 4000);
	assert_int_equal(wr_sim_writer(s, 0), US);
	assert_int_equal(s->promotion_count, 0); /* nobody took over from anybody */
	wr_sim_free(s);
}

static void a_promotion_dies_with_its_region(void **state)
{
	(void)state;
	wr_sim *s = down_with_lag();
	order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"us-central1\"}");
	order(s, EU, "/promote", "{\"link\":\"postgres\"}");
	wr_sim_step(s, 1000);
	inject(s, WR_SIM_F_REGION_DOWN, EU, 0);
	wr_sim_step(s, 10000);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_REPLICA);
	assert_int_equal(wr_sim_writer(s, 0), WR_SIM_NONE);
	wr_sim_free(s);
}

static void with_three_regions_the_third_follows_or_diverges(void **state)
{
	(void)state;
	wr_sim *s = make_sim("companyos", 6);
	wr_sim_step(s, 10000);
	/* The third is ahead of the one that will be promoted: its extra log makes it diverge. */
	wr_sim_fault_spec lag = fault_of(WR_SIM_F_LAG, 0, 5);
	lag.peer = 1;
	assert_int_equal(wr_sim_fault(s, &lag, NULL, NULL), 0);
	wr_sim_step(s, 10000);
	inject(s, WR_SIM_F_REGION_DOWN, 0, 0);
	order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"us-east\"}");
	order(s, 1, "/promote", "{\"link\":\"postgres\"}");
	wr_sim_step(s, 4000);
	assert_int_equal(wr_sim_region_role(s, 2), WR_SIM_DIVERGED);
	order(s, 2, "/resync", "{\"from\":\"us-west\",\"link\":\"postgres\"}");
	wr_sim_step(s, 15000);
	assert_int_equal(wr_sim_region_role(s, 2), WR_SIM_REPLICA);
	/* The other links had no lag between them: there the third just follows. */
	order(s, 1, "/promote", "");
	wr_sim_step(s, 5000);
	for (int l = 0; l < s->cfg.link_count; l++) {
		assert_int_equal(s->links[l].primary, 1);
		if (s->links[l].nodes[2].role == WR_SIM_REPLICA)
			assert_int_equal(s->links[l].nodes[2].upstream, 1);
	}
	wr_sim_free(s);
}

static void away_for_longer_than_the_log_means_resync(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 2);
	wr_sim_step(s, 1000);
	wr_sim_fault_spec cut = fault_of(WR_SIM_F_PARTITION, US, -1);
	cut.duration_ms = (WR_SIM_LOG_TICKS + 100) * (int64_t)WR_SIM_TICK_MS;
	assert_int_equal(wr_sim_fault(s, &cut, NULL, NULL), 0);
	wr_sim_step(s, WR_SIM_LOG_TICKS * (int64_t)WR_SIM_TICK_MS);
	assert_true(number_at(s, US, "/replication?link=postgres", "/links/0/lag_seconds") > 3500);
	wr_sim_step(s, 60000);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_DIVERGED);
	order(s, EU, "/resync", "{\"from\":\"us-central1\"}");
	wr_sim_step(s, 180000);
	assert_int_equal(wr_sim_region_role(s, EU), WR_SIM_REPLICA);
	wr_sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_outage_fails_the_clients_and_freezes_what_is_known),
	    cmocka_unit_test(promotion_needs_the_fence),
	    cmocka_unit_test(what_was_behind_is_lost_and_named),
	    cmocka_unit_test(a_whole_failover_ends_the_errors),
	    cmocka_unit_test(shifting_too_early_hurts),
	    cmocka_unit_test(the_old_primary_comes_back_read_only),
	    cmocka_unit_test(a_fence_alone_stops_writes_until_it_is_lifted),
	    cmocka_unit_test(resync_brings_the_lag_to_nothing),
	    cmocka_unit_test(a_failback_loses_nothing),
	    cmocka_unit_test(buffered_writes_survive_a_switch),
	    cmocka_unit_test(a_full_buffer_fails_what_comes_after),
	    cmocka_unit_test(a_demotion_without_successor_can_be_taken_back),
	    cmocka_unit_test(a_promotion_dies_with_its_region),
	    cmocka_unit_test(with_three_regions_the_third_follows_or_diverges),
	    cmocka_unit_test(away_for_longer_than_the_log_means_resync),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
