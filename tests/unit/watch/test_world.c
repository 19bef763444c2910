/* test_world.c: links, facts, quotas and weights: the last value, the last proven one, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "plant.h"

typedef struct fixture {
	plant p;
	wr_link link;
	wr_fact facts[2];
	wr_quota quota;
	wr_traffic traffic;
	wr_expr *streaming, *ready, *young;
} fixture;

static wr_expr *parse(const char *text)
{
	wr_err err;
	wr_expr *e = wr_expr_parse(text, &err);
	assert_non_null(e);
	return e;
}

static int set_up(void **state)
{
	static fixture f;
	memset(&f, 0, sizeof f);
	plant_init(&f.p, "ggggggggg");
	f.streaming = parse("value == 'streaming'");
	f.ready = parse("value >= 80");
	f.young = parse("not error and age_s <= 5");
	f.link = (wr_link){.name = "pg",
	                   .from = "us",
	                   .to = "eu",
	                   .state_ok = f.streaming,
	                   .interval_ms = 5000,
	                   .timeout_ms = 2000};
	f.facts[0] = (wr_fact){.name = "capacity",
	                       .region = "eu",
	                       .need = f.ready,
	                       .interval_ms = 5000,
	                       .timeout_ms = 2000};
	f.facts[1] =
	    (wr_fact){.name = "build", .region = "eu", .interval_ms = 5000, .timeout_ms = 2000};
	f.quota = (wr_quota){.name = "fleet", .interval_ms = 5000, .timeout_ms = 2000};
	f.traffic = (wr_traffic){.name = "edge"};
	f.p.cfg.links = &f.link;
	f.p.cfg.facts = f.facts;
	f.p.cfg.quotas = &f.quota;
	f.p.cfg.traffic = &f.traffic;
	f.p.cfg.link_count = f.p.cfg.quota_count = f.p.cfg.traffic_count = 1;
	f.p.cfg.fact_count = 2;
	plant_rebuild(&f.p);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	fixture *f = *state;
	plant_free(&f->p);
	wr_expr_free(f->streaming);
	wr_expr_free(f->ready);
	wr_expr_free(f->young);
	return 0;
}

static wr_sample sample(const plant *p, wr_target target, size_t index, wr_value value)
{
	wr_sample s = {.target = target, .index = index, .at_us = p->now};
	s.vars = (wr_expr_vars){.value = value, .latency_ms = 3, .exit_code = -1};
	return s;
}

static void feed(plant *p, wr_target target, size_t index, wr_value value)
{
	wr_sample s = sample(p, target, index, value);
	wr_world_feed(p->w, &s);
}

static wr_value number(double x)
{
	return (wr_value){.type = WR_V_NUM, .num = x};
}

static wr_value text(const char *s)
{
	wr_value v = {.type = WR_V_STR};
	(void)snprintf(v.str, sizeof v.str, "%s", s);
	return v;
}

static const wr_value nothing = {.type = WR_V_NONE};

static void proven_value_stays(void **state)
{
	plant *p = &((fixture *)*state)->p;
	const wr_measure *m = &p->w->links[0].seconds;
	assert_true(isnan(m->history[0]));
	assert_int_equal(m->last_us, 0);
	feed(p, WR_T_LINK_SECONDS, 0, number(2.3));
	int64_t proven = p->now;
	p->now += S(5);
	wr_sample s = sample(p, WR_T_LINK_SECONDS, 0, nothing);
	(void)snprintf(s.detail, sizeof s.detail, "connection refused");
	wr_world_feed(p->w, &s);
	assert_int_equal(m->last.type, WR_V_NONE);
	assert_int_equal(m->last_us, p->now);
	assert_true(m->proven.num == 2.3);
	assert_int_equal(m->proven_us, proven);
	assert_string_equal(m->detail, "connection refused");
	assert_true(m->history[0] == 2.3 && isnan(m->history[1]));
	assert_int_equal(m->history_head, 2);
	for (int i = 0; i < WR_HISTORY; i++) feed(p, WR_T_LINK_SECONDS, 0, number(i));
	assert_int_equal(m->history_head, 2);
	assert_true(m->history[1] == WR_HISTORY - 1);
}

static void receipts_at_risk_keep_their_names(void **state)
{
	plant *p = &((fixture *)*state)->p;
	wr_sample s = sample(p, WR_T_LINK_RECEIPTS, 0, number(2));
	(void)snprintf(s.names, sizeof s.names, "r-1,r-2");
	wr_world_feed(p->w, &s);
	feed(p, WR_T_LINK_RECEIPTS, 0, nothing);
	assert_string_equal(p->w->links[0].receipts.names, "r-1,r-2");
	feed(p, WR_T_LINK_RECEIPTS, 0, number(0));
	assert_string_equal(p->w->links[0].receipts.names, "");
	feed(p, WR_T_LINK_BYTES, 0, number(41000));
	assert_true(p->w->links[0].bytes.proven.num == 41000);
}

static void link_state(void **state)
{
	plant *p = &((fixture *)*state)->p;
	const wr_link_view *v = &p->w->links[0];
	assert_int_equal(v->state_ok, WR_UNKNOWN);
	feed(p, WR_T_LINK_STATE, 0, text("streaming"));
	int64_t held = p->now;
	assert_int_equal(v->state_ok, WR_TRUE);
	p->now += S(5);
	feed(p, WR_T_LINK_STATE, 0, text("catchup"));
	assert_int_equal(v->state_ok, WR_FALSE);
	assert_int_equal(v->state_ok_us, held);
	feed(p, WR_T_LINK_STATE, 0, nothing);
	assert_int_equal(v->state_ok, WR_UNKNOWN);
	assert_int_equal(v->state_ok_us, held);
}

static void facts(void **state)
{
	fixture *f = *state;
	plant *p = &f->p;
	assert_int_equal(wr_world_fact(p->w, 0, p->now), WR_UNKNOWN);
	feed(p, WR_T_FACT, 0, number(80));
	assert_int_equal(wr_world_fact(p->w, 0, p->now), WR_TRUE);
	assert_int_equal(wr_world_fact(p->w, 0, p->now + S(15)), WR_TRUE);
	assert_int_equal(wr_world_fact(p->w, 0, p->now + S(15) + 1), WR_UNKNOWN);
	assert_int_equal(wr_world_fact(p->w, 0, p->now - S(3600)), WR_UNKNOWN);
	feed(p, WR_T_FACT, 0, number(79));
	assert_int_equal(wr_world_fact(p->w, 0, p->now), WR_FALSE);
	feed(p, WR_T_FACT, 0, nothing);
	assert_int_equal(wr_world_fact(p->w, 0, p->now), WR_UNKNOWN);
	/* without a need, having a value is what counts; the guards compare it */
	feed(p, WR_T_FACT, 1, text("sha256:abc"));
	assert_int_equal(wr_world_fact(p->w, 1, p->now), WR_TRUE);
	feed(p, WR_T_FACT, 1, nothing);
	assert_int_equal(wr_world_fact(p->w, 1, p->now), WR_UNKNOWN);
	f->facts[1].need = f->young;
	assert_int_equal(wr_world_fact(p->w, 1, p->now + S(5)), WR_TRUE);
	assert_int_equal(wr_world_fact(p->w, 1, p->now + S(6)), WR_FALSE);
}

static void quotas_and_weights(void **state)
{
	plant *p = &((fixture *)*state)->p;
	feed(p, WR_T_QUOTA_PERCENT, 0, number(62));
	feed(p, WR_T_QUOTA_AFTER, 0, number(94));
	assert_true(p->w->quotas[0].proven.num == 62);
	assert_true(p->w->quotas_after[0].proven.num == 94);
	assert_int_equal(p->w->weights[0][US], -1);
	wr_sample s = sample(p, WR_T_WEIGHTS, 0, nothing);
	for (size_t i = 0; i < WR_MAX_REGIONS; i++) s.weights[i] = -1;
	s.weights[US] = 90;
	s.weights[EU] = 10;
	wr_world_feed(p->w, &s);
	assert_int_equal(p->w->weights[0][US], 90);
	assert_int_equal(p->w->weights[0][EU], 10);
	assert_int_equal(p->w->weights[0][2], -1);
	assert_int_equal(p->w->weights_us[0], p->now);
}

static void times_follow_a_clock_set_back(void **state)
{
	plant *p = &((fixture *)*state)->p;
	feed(p, WR_T_FACT, 0, number(90));
	feed(p, WR_T_LINK_STATE, 0, text("streaming"));
	plant_tick(p);
	int64_t later = p->now;
	p->now -= S(86400);
	plant_tick(p);
	assert_int_equal(p->w->facts[0].last_us, later - S(86400));
	assert_int_equal(p->w->links[0].state_ok_us, later - S(86400));
	assert_int_equal(p->w->quotas[0].proven_us, 0); /* never stays never */
	assert_int_equal(wr_world_fact(p->w, 0, p->now), WR_TRUE);
}

static void an_empty_world(void **state)
{
	(void)state;
	const wr_config cfg = {.min_classes = 2};
	wr_world *w = wr_world_new(&cfg);
	assert_non_null(w);
	assert_false(w->ledger_ok); /* nobody has looked */
	assert_true(w->ledger_reason[0] != '\0');
	wr_world_tick(w, PLANT_START);
	assert_false(w->isolated);
	wr_world_free(w);
	wr_world_free(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(proven_value_stays),
	    T(receipts_at_risk_keep_their_names),
	    T(link_state),
	    T(facts),
	    T(quotas_and_weights),
	    T(times_follow_a_clock_set_back),
	    cmocka_unit_test(an_empty_world),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
