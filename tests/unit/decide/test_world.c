/* test_world.c: what is seen becomes receipts: verdicts, incidents, isolation, guard tables. */
#include "laws.h"

static void verdicts(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_settle(&l);
	assert_int_equal(lab_number(&l, "verdict_changed"), REGIONS); /* from UNKNOWN */
	assert_int_equal(wr_state_region(l.s, US)->verdict, WR_V_HEALTHY);
	lab_sleep(&l, S(10));
	assert_int_equal(lab_number(&l, "verdict_changed"), REGIONS);
	lab_verdict(&l, US, WR_V_SUSPECT);
	int64_t breach = l.now;
	lab_settle(&l);
	const json_t *r = lab_last(&l, "verdict_changed");
	assert_string_equal(lab_str(r, "region"), "us");
	assert_string_equal(lab_str(r, "from"), "HEALTHY");
	assert_string_equal(lab_str(r, "to"), "SUSPECT");
	assert_string_equal(lab_str(r, "classes"), "synthetic,mesh");
	assert_string_equal(lab_str(r, "rule"), "V-LAB");
	assert_int_equal(law_time(r, "first_breach"), breach);
	assert_int_equal(wr_state_region(l.s, US)->impact_us, breach);
	lab_sleep(&l, MIN(5));
	l.w->regions[US].first_bad_us = l.now; /* a later breach does not move the impact */
	lab_verdict(&l, US, WR_V_DOWN);
	lab_settle(&l);
	assert_int_equal(wr_state_region(l.s, US)->impact_us, breach);
	lab_verdict(&l, US, WR_V_UNKNOWN);
	lab_settle(&l);
	assert_int_equal(wr_state_region(l.s, US)->impact_us, breach);
	lab_verdict(&l, US, WR_V_HEALTHY);
	lab_settle(&l);
	assert_int_equal(wr_state_region(l.s, US)->impact_us, 0);
	lab_free(&l);
}

static void down_stays_down(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_outage(&l);
	size_t n = lab_number(&l, "verdict_changed");
	lab_verdict(&l, US, WR_V_SUSPECT); /* as after a restart */
	lab_sleep(&l, S(5));
	assert_int_equal(lab_number(&l, "verdict_changed"), n);
	assert_int_equal(wr_state_region(l.s, US)->verdict, WR_V_DOWN);
	lab_verdict(&l, US, WR_V_DEGRADED);
	lab_sleep(&l, S(5));
	assert_int_equal(wr_state_region(l.s, US)->verdict, WR_V_DEGRADED);
	lab_free(&l);
}

static void incident(void **state)
{
	(void)state;
	lab l;
	int64_t started;
	lab_lawful(&l);
	lab_settle(&l);
	assert_string_equal(wr_state_incident(l.s, &started), "");
	assert_int_equal(started, 0);
	lab_verdict(&l, US, WR_V_DOWN);
	int64_t impact = l.now;
	lab_settle(&l);
	assert_string_equal(wr_state_incident(l.s, &started), "INC-0001");
	assert_string_equal(wr_state_incident_title(l.s), "REGIONAL OUTAGE us");
	assert_int_equal(started, impact);
	lab_verdict(&l, EU, WR_V_DOWN); /* one incident at a time */
	lab_settle(&l);
	assert_int_equal(lab_number(&l, "incident_opened"), 1);
	lab_verdict(&l, EU, WR_V_HEALTHY);
	lab_verdict(&l, US, WR_V_HEALTHY);
	lab_settle(&l);
	lab_sleep(&l, MIN(5) - 1);
	assert_int_equal(lab_number(&l, "incident_closed"), 0); /* not before it lasts */
	lab_sleep(&l, 1);
	assert_int_equal(lab_number(&l, "incident_closed"), 1);
	assert_int_equal(wr_json_int(lab_last(&l, "incident_closed"), "duration_ms", 0), 300000);
	assert_string_equal(lab_str(lab_last(&l, "incident_closed"), "incident"), "INC-0001");
	assert_string_equal(wr_state_incident(l.s, NULL), "");
	lab_verdict(&l, US, WR_V_DOWN);
	lab_settle(&l);
	assert_string_equal(wr_state_incident(l.s, NULL), "INC-0002");
	lab_free(&l);
}

/* After a failover it lasts until the old region is well, and nothing moves any more. */
static void incident_after_failover(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_failover(&l);
	lab_run(&l, -1);
	lab_sleep(&l, MIN(30));
	assert_int_equal(lab_number(&l, "incident_closed"), 0);
	lab_verdict(&l, US, WR_V_HEALTHY);
	lab_sleep(&l, S(1));
	lab_verdict(&l, EU, WR_V_DEGRADED); /* the primary of now is not well */
	lab_sleep(&l, MIN(6));
	assert_int_equal(lab_number(&l, "incident_closed"), 0);
	lab_verdict(&l, EU, WR_V_HEALTHY);
	lab_sleep(&l, S(1));
	lab_settle(&l);
	assert_int_equal(lab_number(&l, "incident_closed"), 1);
	lab_free(&l);
}

static void isolation(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_settle(&l);
	l.w->isolated = true;
	snprintf(l.w->isolated_reason, sizeof l.w->isolated_reason, "none of 2 references answers");
	lab_settle(&l);
	lab_sleep(&l, S(30));
	assert_int_equal(lab_number(&l, "observer_isolated"), 1);
	assert_string_equal(lab_str(lab_last(&l, "observer_isolated"), "reason"),
	                    "none of 2 references answers");
	lab_crash(&l); /* known from the record */
	l.w->isolated = false;
	l.w->isolation_known = false;
	lab_settle(&l);
	assert_int_equal(lab_number(&l, "observer_restored"), 0); /* not seen to be over */
	l.w->isolation_known = true;
	lab_settle(&l);
	assert_int_equal(lab_number(&l, "observer_restored"), 1);
	lab_free(&l);
}

static size_t tables(const lab *l, const char *action)
{
	size_t n = 0;
	for (size_t i = 0; i < l->count; i++)
		n += !strcmp(lab_str(l->receipts[i], "operation"), "guards_changed") &&
		     !strcmp(lab_str(l->receipts[i], "action"), action);
	return n;
}

static void guard_tables(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_settle(&l);
	assert_int_equal(tables(&l, "failover us eu"), 1);
	assert_int_equal(tables(&l, "failover us eu side"), 0); /* nothing to do it with */
	assert_int_equal(tables(&l, "failback us eu"), 0);
	assert_int_equal(tables(&l, "failover us wit"), 0);
	const json_t *r = lab_last(&l, "guards_changed");
	json_t *rows = json_loads(lab_str(r, "table"), 0, NULL);
	assert_true(json_is_array(rows) && json_array_size(rows) > 10);
	assert_int_equal(json_array_size(rows), wr_json_int(r, "passed", 0) +
	                                            wr_json_int(r, "failed", 0) +
	                                            wr_json_int(r, "no_data", 0));
	json_decref(rows);
	lab_sleep(&l, MIN(1)); /* the same verdicts: nothing new to say */
	assert_int_equal(tables(&l, "failover us eu"), 1);
	for (unsigned i = 0; i < 20; i++) { /* flickering: at most every five seconds */
		lab_verdict(&l, EU, i % 2 ? WR_V_HEALTHY : WR_V_DEGRADED);
		l.now += S(1) / 2;
		lab_settle(&l);
	}
	size_t n = tables(&l, "failover us eu");
	assert_true(n >= 2 && n <= 4);
	lab_free(&l);
}

static void guard_tables_after_failover(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_failover(&l);
	lab_run(&l, -1);
	lab_sleep(&l, S(10));
	assert_true(tables(&l, "failback eu us") >= 1);
	assert_true(tables(&l, "failover eu us") >= 1);
	lab_free(&l);
}

/* A group of its own has tables of its own, as soon as something can be done with it. */
static void guard_tables_of_a_group(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	l.runbooks[RB_FB].kind = WR_RB_FAILOVER;
	l.runbooks[RB_FB].group = "side";
	lab_settle(&l);
	assert_int_equal(tables(&l, "failover us eu side"), 1);
	l.cfg.runbook_count = 0;
	lab_crash(&l);
	lab_sleep(&l, S(6));
	assert_int_equal(tables(&l, "failover us eu"), 2); /* now it says that there is no runbook */
	assert_int_equal(tables(&l, "failover us eu side"), 1);
	lab_free(&l);
}

/* The tick is asked again when something follows, and not before something can happen. */
static void waking(void **state)
{
	(void)state;
	lab l;
	lab_lawful(&l);
	lab_tick(&l);
	assert_int_equal(l.wake, l.now);
	lab_settle(&l);
	assert_int_equal(l.wake, 0);
	lab_outage(&l);
	assert_true(lab_propose(&l, RB_FO, US, EU, "alice"));
	assert_int_equal(l.wake, l.now + MIN(15));
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(verdicts),
	    cmocka_unit_test(down_stays_down),
	    cmocka_unit_test(incident),
	    cmocka_unit_test(incident_after_failover),
	    cmocka_unit_test(isolation),
	    cmocka_unit_test(guard_tables),
	    cmocka_unit_test(waking),
	    cmocka_unit_test(guard_tables_of_a_group),
	    cmocka_unit_test(guard_tables_after_failover),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
