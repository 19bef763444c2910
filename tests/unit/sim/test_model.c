/* test_model.c: the model is a pure function, and keeps its invariants whatever is done to it. */
#include "simtest.h"

#include "sim/view.h"

static const wr_sim_view region_views[] = {
    wr_sim_view_health,  wr_sim_view_mesh,     wr_sim_view_control_plane, wr_sim_view_ingress,
    wr_sim_view_slo,     wr_sim_view_metrics,  wr_sim_view_replication,   wr_sim_view_capacity,
    wr_sim_view_quota,   wr_sim_view_receipts, wr_sim_view_build,         wr_sim_view_keys,
    wr_sim_view_backups, wr_sim_view_state};
static const wr_sim_view control_views[] = {wr_sim_view_platform, wr_sim_view_faults,
                                            wr_sim_view_traffic,  wr_sim_view_healthz,
                                            wr_sim_view_inbox,    wr_sim_view_platform_metrics};

/* everything_seen folds all that anybody can observe now into `hash`. */
static void everything_seen(const wr_sim *s, uint8_t hash[static WR_HASH_LEN])
{
	wr_buf b = WR_BUF_INIT(WR_SIM_VIEW_MAX);
	wr_sim_query q = {.since = -1, .limit = 20, .tenants = 5, .link = -1, .from = -1, .to = -1};
	wr_buf_add(&b, hash, WR_HASH_LEN);
	for (q.region = 0; q.region < wr_sim_region_count(s); q.region++)
		for (size_t i = 0; i < sizeof region_views / sizeof region_views[0]; i++)
			region_views[i](s, &q, &b);
	for (size_t i = 0; i < sizeof control_views / sizeof control_views[0]; i++)
		control_views[i](s, &q, &b);
	assert_true(wr_buf_ok(&b));
	wr_sha256(hash, b.data, b.len);
	wr_buf_free(&b);
}

/* do_something draws a fault, a command or a malformed one. */
static void do_something(wr_sim *s, wr_sim_prng *p)
{
	int regions = wr_sim_region_count(s);
	int region = (int)wr_sim_below(p, regions), other = (int)wr_sim_below(p, regions);
	if (wr_sim_below(p, 3) == 0) {
		wr_sim_fault_spec f = {.kind = (wr_sim_fault_kind)wr_sim_below(p, WR_SIM_F_COUNT),
		                       .region = (int)wr_sim_below(p, regions + 2) - 2,
		                       .peer = (int)wr_sim_below(p, regions + 1) - 1,
		                       .link = (int)wr_sim_below(p, s->cfg.link_count + 1) - 1,
		                       .value = wr_sim_below(p, 40) - 1,
		                       .after_ms = wr_sim_below(p, 3) * 1500,
		                       .duration_ms = wr_sim_below(p, 3) * 20000};
		wr_err err = {0};
		if (wr_sim_fault(s, &f, NULL, &err) != 0) assert_true(err.msg[0] != '\0');
		return;
	}
	wr_sim_command c = {.op = (wr_sim_op)wr_sim_below(p, WR_SIM_OP_COUNT),
	                    .region = region,
	                    .from = other,
	                    .link = (int)wr_sim_below(p, s->cfg.link_count + 1) - 1,
	                    .percent = (int)wr_sim_below(p, 200) + 1,
	                    .has_epoch = wr_sim_below(p, 2) == 0,
	                    .epoch = wr_sim_below(p, 10)};
	int left = 100;
	for (int i = 0; i < regions; i++) {
		c.weights[i] = i == regions - 1 ? left : (int)wr_sim_below(p, left + 1);
		left -= c.weights[i];
	}
	if (wr_sim_below(p, 8) == 0) c.weights[0]--;
	if (wr_sim_below(p, 4) == 0) snprintf(c.key, sizeof c.key, "key-%d", (int)wr_sim_below(p, 600));
	wr_sim_answer a;
	wr_sim_run_command(s, &c, &a);
	assert_true(a.status >= 200 && a.status < 600);
	assert_int_equal(a.len, strlen(a.body));
	wr_err err = {0};
	json_t *j = wr_json_parse(a.body, a.len, &err);
	assert_non_null(j);
	json_decref(j);
}

static void run(const char *platform, uint64_t seed, int64_t step_ms,
                uint8_t hash[static WR_HASH_LEN])
{
	wr_sim *s = make_sim(platform, seed);
	wr_sim_prng inputs = {.state = 42}; /* the same inputs for every seed of the model */
	memset(hash, 0, WR_HASH_LEN);
	for (int round = 0; round < 150; round++) {
		for (int64_t ms = 0; ms < 2000; ms += step_ms) wr_sim_step(s, step_ms);
		do_something(s, &inputs);
		everything_seen(s, hash);
	}
	wr_sim_free(s);
}

static void same_seed_same_run(void **state)
{
	(void)state;
	uint8_t a[WR_HASH_LEN], b[WR_HASH_LEN], c[WR_HASH_LEN];
	run("ggen", 7, 2000, a);
	run("ggen", 7, 2000, b);
	assert_memory_equal(a, b, sizeof a);
	run("ggen", 8, 2000, c);
	assert_memory_not_equal(a, c, sizeof a);
}

/* One known run: gcc and clang, optimised and instrumented builds must all give this. When the
 * physics or an answer is changed on purpose, the new value is printed; put it in. */
static void every_build_gives_the_known_run(void **state)
{
	(void)state;
	uint8_t hash[WR_HASH_LEN];
	char hex[WR_HEX_LEN];
	run("genai", 99, 2000, hash);
	wr_hex(hex, hash, sizeof hash);
	assert_string_equal(hex, "dbbbfdd628c7125afa4de7b18dda0f524a24df9bde36b023403e11e32014b0d5");
}

static void how_time_is_cut_does_not_matter(void **state)
{
	(void)state;
	uint8_t whole[WR_HASH_LEN], odd[WR_HASH_LEN];
	run("companyos", 3, 2000, whole);
	run("companyos", 3, 40, odd);
	assert_memory_equal(whole, odd, sizeof whole);
}

static void looking_disturbs_nothing(void **state)
{
	(void)state;
	wr_sim *quiet = make_sim("mesh", 5), *watched = make_sim("mesh", 5);
	uint8_t a[WR_HASH_LEN] = {0}, b[WR_HASH_LEN] = {0}, ignored[WR_HASH_LEN] = {0};
	inject(quiet, WR_SIM_F_BROWNOUT, 0, 30);
	inject(watched, WR_SIM_F_BROWNOUT, 0, 30);
	for (int i = 0; i < 50; i++) {
		wr_sim_step(quiet, 500);
		wr_sim_step(watched, 500);
		everything_seen(watched, ignored);
	}
	everything_seen(quiet, a);
	everything_seen(watched, b);
	assert_memory_equal(a, b, sizeof a);
	wr_sim_free(quiet);
	wr_sim_free(watched);
}

/* check_all: what must hold at every moment. */
static void check_all(const wr_sim *s)
{
	int sum = 0;
	for (int i = 0; i < s->cfg.region_count; i++) {
		const wr_sim_region *r = &s->regions[i];
		assert_in_range(r->weight, 0, 100);
		sum += r->weight;
		assert_true(r->ready_milli >= 0 && (r->up || r->ready_milli == 0));
		assert_true(r->ready_milli <= wr_sim_replicas_target(r) * 1000);
		int64_t answered = 0, shaped = 0;
		for (int k = 0; k < WR_SIM_C_COUNT; k++) answered += r->codes[k];
		for (int k = 0; k < WR_SIM_BUCKETS; k++) shaped += r->buckets[k];
		assert_int_equal(answered, shaped);
		assert_int_equal(answered + r->edge_errors[WR_SIM_R_UNREACHABLE], r->edge_requests);
	}
	assert_int_equal(sum, 100);
	for (int l = 0; l < s->cfg.link_count; l++) {
		const wr_sim_link *link = &s->links[l];
		int writable = 0;
		for (int i = 0; i < s->cfg.region_count; i++) {
			const wr_sim_node *n = &link->nodes[i];
			writable += n->role == WR_SIM_PRIMARY && !s->regions[i].fenced && s->regions[i].up;
			if (n->role == WR_SIM_REPLICA) {
				assert_int_equal(n->upstream, link->primary);
				assert_true(n->at.entry <= link->nodes[link->primary].at.entry);
				assert_true(n->at.receipts <= link->nodes[link->primary].at.receipts);
			}
			if (l == 0 && n->role == WR_SIM_REPLICA)
				assert_int_equal(n->at.receipts, s->regions[i].chain.count);
		}
		assert_true(writable <= 1);
	}
}

/* check_prefix: a replica's copy is exactly the beginning of the primary's. */
static void check_prefix(const wr_sim *s)
{
	int p = s->links[0].primary;
	const wr_sim_chain *whole = &s->regions[p].chain;
	for (int i = 0; i < s->cfg.region_count; i++) {
		const wr_sim_chain *c = &s->regions[i].chain;
		if (s->links[0].nodes[i].role != WR_SIM_REPLICA) continue;
		for (int64_t seq = c->count > 200 ? c->count - 200 : 0; seq < c->count; seq++)
			assert_memory_equal(wr_sim_chain_at(c, seq)->hash, wr_sim_chain_at(whole, seq)->hash,
			                    WR_HASH_LEN);
	}
}

static void invariants_hold_under_anything(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		wr_sim *s = make_sim(seed % 2 == 0 ? "ggen" : "companyos", seed);
		wr_sim_prng inputs = {.state = seed * 1000};
		for (int round = 0; round < 400; round++) {
			do_something(s, &inputs);
			wr_sim_step(s, 100 + wr_sim_below(&inputs, 20) * 100);
			check_all(s);
		}
		check_prefix(s);
		wr_sim_free(s);
	}
}

static void the_sky_clears_when_all_is_healed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		wr_sim *s = make_sim("companyos", seed);
		wr_sim_prng inputs = {.state = seed * 77};
		for (int round = 0; round < 200; round++) {
			do_something(s, &inputs);
			wr_sim_step(s, 500);
		}
		inject(s, WR_SIM_F_HEAL, WR_SIM_NONE, 1);
		assert_int_equal(s->fault_count, 0);
		wr_sim_step(s, 40000);
		/* Whatever state the links are in, an operator can bring the platform back. */
		int p = s->links[0].primary;
		char body[160];
		for (int i = 0; i < 3; i++) {
			snprintf(body, sizeof body, "{\"region\":\"%s\"}", s->regions[i].name);
			assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/unfence", body), 200);
			assert_int_equal(order(s, i, "/undrain", ""), 200);
			assert_int_equal(order(s, i, "/scale", "{\"percent\":100}"), 200);
		}
		assert_int_equal(order(s, p, "/promote", "{\"link\":\"postgres\"}"), 200);
		wr_sim_step(s, 40000);
		snprintf(body, sizeof body, "{\"link\":\"postgres\",\"from\":\"%s\"}", s->regions[p].name);
		for (int i = 0; i < 3; i++)
			if (i != p) assert_int_equal(order(s, i, "/resync", body), 200);
		wr_sim_step(s, 60000);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(order(s, i, "/verify", ""), 200);
			assert_int_equal(wr_sim_region_role(s, i), i == p ? WR_SIM_PRIMARY : WR_SIM_REPLICA);
		}
		check_prefix(s);
		int64_t bad = errors_during(s, 10000);
		assert_true(bad < 20);
		wr_sim_free(s);
	}
}

/* verify_chain checks a region's receipts with nothing but what it serves; the number of bad ones.
 */
static int verify_chain(wr_sim *s, int region)
{
	int bad = 0;
	int64_t next = 0;
	char prev[WR_HEX_LEN];
	memset(prev, '0', WR_HEX_LEN - 1);
	prev[WR_HEX_LEN - 1] = '\0';
	while (next < s->regions[region].chain.count) {
		char path[64];
		snprintf(path, sizeof path, "/receipts?since=%lld&limit=400", (long long)next);
		json_t *page = look(s, region, path), *r;
		size_t i;
		json_array_foreach (json_object_get(page, "receipts"), i, r) {
			wr_buf e = WR_BUF_INIT(4096);
			uint8_t hash[WR_HASH_LEN];
			char hex[WR_HEX_LEN], stored[WR_HEX_LEN];
			snprintf(stored, sizeof stored, "%s", wr_json_str(r, "hash", ""));
			assert_string_equal(wr_json_str(r, "prev_hash", ""), prev);
			assert_int_equal(wr_json_int(r, "seq", -1), next + (int64_t)i);
			json_object_del(r, "hash");
			wr_err err;
			assert_int_equal(wr_canon_write(&e, r, &err), 0);
			wr_sha256(hash, e.data, e.len);
			wr_hex(hex, hash, sizeof hash);
			bad += strcmp(hex, stored) != 0;
			memcpy(prev, stored, sizeof prev);
			wr_buf_free(&e);
		}
		next = wr_json_int(page, "next", -1);
		json_decref(page);
	}
	return bad;
}

static void receipts_are_a_chain(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 11);
	wr_sim_step(s, 30000);
	assert_true(s->regions[0].chain.count > 1400);
	assert_int_equal(verify_chain(s, 0), 0);
	assert_int_equal(verify_chain(s, 1), 0);
	inject(s, WR_SIM_F_CORRUPTION, 1, 25);
	assert_int_equal(verify_chain(s, 0), 0);
	assert_int_equal(verify_chain(s, 1), 1);
	inject(s, WR_SIM_F_HEAL, 1, 0);
	assert_int_equal(verify_chain(s, 1), 0);
	inject(s, WR_SIM_F_CORRUPTION, 1, 3);
	assert_int_equal(order(s, 1, "/resync", "{\"from\":\"us-central1\"}"), 200);
	wr_sim_step(s, 15000);
	assert_int_equal(verify_chain(s, 1), 0);
	assert_int_equal(s->fault_count, 0);
	wr_sim_free(s);
}

static void served_receipts_are_canonical(void **state)
{
	(void)state;
	wr_sim *s = make_sim("genai", 2);
	wr_sim_step(s, 5000);
	for (int64_t seq = 0; seq < s->regions[0].chain.count; seq += 7) {
		wr_buf b = WR_BUF_INIT(4096);
		wr_err err = {0};
		wr_sim_receipt_json(s, 0, seq, &b);
		if (wr_canon_check(b.data, b.len, &err) != 0) fail_msg("%s: %s", err.msg, b.data);
		wr_buf_free(&b);
	}
	wr_sim_free(s);
}

static void old_receipts_leave_at_the_bound(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	const wr_sim_chain *c = &s->regions[0].chain;
	while (c->count < WR_SIM_RECEIPTS_KEPT + 500) wr_sim_chain_write(s, 0, 1, c->count);
	assert_int_equal(c->first, 500);
	assert_null(wr_sim_chain_at(c, 499));
	json_t *page = look(s, 0, "/receipts?since=0&limit=1");
	assert_int_equal(wr_json_int(page, "first_seq", -1), 500);
	const json_t *r = wr_json_get(page, "/receipts/0");
	assert_int_equal(wr_json_int(r, "seq", -1), 500);
	assert_string_not_equal(wr_json_str(r, "prev_hash", ""), "");
	json_decref(page);
	wr_sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(same_seed_same_run),
	    cmocka_unit_test(every_build_gives_the_known_run),
	    cmocka_unit_test(how_time_is_cut_does_not_matter),
	    cmocka_unit_test(looking_disturbs_nothing),
	    cmocka_unit_test(invariants_hold_under_anything),
	    cmocka_unit_test(the_sky_clears_when_all_is_healed),
	    cmocka_unit_test(receipts_are_a_chain),
	    cmocka_unit_test(served_receipts_are_canonical),
	    cmocka_unit_test(old_receipts_leave_at_the_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
