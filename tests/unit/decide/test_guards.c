/* test_guards.c: the guard table and the loss: PASS on evidence only, and why not otherwise. */
#include <math.h>

#include "lab.h"

static wr_guards table;

static const wr_guard *row(const char *name)
{
	for (size_t i = 0; i < table.count; i++)
		if (!strcmp(table.rows[i].name, name)) return &table.rows[i];
	fail_msg("there is no row %s", name);
	return NULL;
}

static bool has(const char *name)
{
	for (size_t i = 0; i < table.count; i++)
		if (!strcmp(table.rows[i].name, name)) return true;
	return false;
}

static void judge(lab *l, wr_runbook_kind kind)
{
	bool back = kind == WR_RB_FAILBACK;
	wr_guards_eval(&table, l->s, l->w, kind, back ? EU : US, back ? US : EU, "main", NULL, l->now);
}

static void is(lab *l, const char *name, wr_gate_verdict verdict)
{
	judge(l, WR_RB_FAILOVER);
	const wr_guard *g = row(name);
	if (g->verdict != verdict)
		fail_msg("%s is %s, not %s: %s (needs %s)", name, wr_gate_verdict_name(g->verdict),
		         wr_gate_verdict_name(verdict), g->observed, g->threshold);
	assert_true(g->rule[0] == 'G' && g->observed[0] && g->threshold[0]);
	assert_int_equal(g->flip[0] != '\0', verdict != WR_PASS);
}

static void all_hold_in_an_outage(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_outage(&l);
	judge(&l, WR_RB_FAILOVER);
	for (size_t i = 0; i < table.count; i++)
		if (table.rows[i].blocking && table.rows[i].verdict != WR_PASS)
			fail_msg("%s: %s", table.rows[i].name, table.rows[i].observed);
	assert_int_equal(table.blocking, 0);
	assert_int_equal(table.passed + table.failed + table.no_data + table.inconclusive, table.count);
	/* What is not configured anywhere is NO DATA, says what to add, and does not block. */
	static const char *const optional[] = {"quota", "keys", "build", "backup", "chain", "freeze"};
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(row(optional[i])->verdict, WR_GATE_NO_DATA);
		assert_false(row(optional[i])->blocking);
		assert_non_null(strstr(row(optional[i])->observed, "not configured: add a fact of kind"));
	}
	lab_free(&l);
}

static void one_at_a_time(lab *l, wr_fact_kind kind, const char *region, const char *name)
{
	wr_fact *f = &l->facts[l->cfg.fact_count++];
	*f = (wr_fact){
	    .name = name, .region = region, .kind = kind, .interval_ms = 5000, .timeout_ms = 2000};
	wr_world_free(l->w);
	lab_world(l);
}

static void configured_elsewhere_blocks(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	one_at_a_time(&l, WR_FACT_KEYS, "us", "keys-us");
	is(&l, "keys", WR_GATE_NO_DATA);
	assert_true(row("keys")->blocking);
	assert_string_equal(row("keys")->observed, "not configured: add a fact of kind keys for eu");
	static const char *const advisory[] = {"keys", "lag"};
	l.cfg.advisory_guards = advisory;
	l.cfg.advisory_count = 2;
	is(&l, "keys", WR_GATE_NO_DATA);
	assert_false(row("keys")->blocking);
	/* Advisory excuses missing data, never a failure. */
	lab_measure(&l.w->links[PG_US_EU].seconds, l.now, 999);
	is(&l, "lag:pg", WR_FAIL);
	assert_true(row("lag:pg")->blocking);
	l.w->links[PG_US_EU] = (wr_link_view){0};
	is(&l, "lag:pg", WR_GATE_NO_DATA);
	assert_false(row("lag:pg")->blocking);
	lab_free(&l);
}

static void classes_and_time(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	wr_region_view *us = &l.w->regions[US];
	is(&l, "signal_classes", WR_FAIL);
	is(&l, "sustained_time", WR_FAIL);
	us->verdict = WR_V_DEGRADED;
	us->breached_classes = 1u << WR_CLASS_SYNTHETIC;
	is(&l, "signal_classes", WR_FAIL);
	assert_non_null(strstr(row("signal_classes")->flip, "1 more breached, of control_plane, mesh"));
	us->blind_classes = 1u << WR_CLASS_MESH; /* what is blind might be breached */
	is(&l, "signal_classes", WR_GATE_NO_DATA);
	us->blind_classes = 0;
	us->breached_classes |= 1u << WR_CLASS_MESH;
	us->verdict = WR_V_SUSPECT;
	us->quorum_since_us = l.now;
	is(&l, "signal_classes", WR_PASS);
	is(&l, "sustained_time", WR_FAIL);
	assert_int_equal(row("sustained_time")->eta_us, l.now + MIN(5));
	l.now += MIN(5);
	is(&l, "sustained_time", WR_PASS);
	us->verdict = WR_V_UNKNOWN;
	us->quorum_since_us = 0;
	is(&l, "sustained_time", WR_GATE_NO_DATA);
	us->verdict = WR_V_DOWN; /* proven DOWN, and then everything went blind */
	us->breached_classes = 0;
	us->blind_classes = 7;
	is(&l, "signal_classes", WR_PASS);
	is(&l, "sustained_time", WR_PASS);
	lab_free(&l);
}

static void target(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	static const wr_gate_verdict want[] = {[WR_V_HEALTHY] = WR_PASS,
	                                       [WR_V_DEGRADED] = WR_FAIL,
	                                       [WR_V_SUSPECT] = WR_FAIL,
	                                       [WR_V_DOWN] = WR_FAIL,
	                                       [WR_V_UNKNOWN] = WR_GATE_NO_DATA};
	for (int v = 0; v < WR_V_COUNT; v++) {
		lab_verdict(&l, EU, (wr_verdict)v);
		is(&l, "target_healthy", want[v]);
	}
	is(&l, "target_signals", WR_PASS);
	l.w->signals[EU_CTL].status = WR_NO_DATA;
	is(&l, "target_signals", WR_GATE_NO_DATA);
	assert_non_null(strstr(row("target_signals")->observed, "eu-ctl"));
	l.cfg.signal_count = 3; /* only those of us */
	is(&l, "target_signals", WR_GATE_NO_DATA);
	lab_free(&l);
}

/* Half-way, a degraded target still beats a source that is down; anything worse does not. */
static void target_half_way(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_failover(&l);
	const wr_op *op = lab_op(&l);
	static const bool passes[] = {[WR_V_HEALTHY] = true,
	                              [WR_V_DEGRADED] = true,
	                              [WR_V_SUSPECT] = false,
	                              [WR_V_DOWN] = false,
	                              [WR_V_UNKNOWN] = false};
	for (int v = 0; v < WR_V_COUNT; v++) {
		lab_verdict(&l, EU, (wr_verdict)v);
		wr_guards_eval(&table, l.s, l.w, WR_RB_FAILOVER, US, EU, "main", op, l.now);
		assert_int_equal(row("target_healthy")->verdict == WR_PASS, passes[v]);
	}
	lab_verdict(&l, EU, WR_V_DEGRADED);
	lab_verdict(&l, US, WR_V_DEGRADED);
	wr_guards_eval(&table, l.s, l.w, WR_RB_FAILOVER, US, EU, "main", op, l.now);
	assert_int_equal(row("target_healthy")->verdict, WR_FAIL);
	lab_free(&l);
}

static void observer(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	is(&l, "observer", WR_PASS);
	l.w->isolated = true;
	snprintf(l.w->isolated_reason, sizeof l.w->isolated_reason, "none of 1 references answers");
	is(&l, "observer", WR_FAIL);
	l.w->isolated = l.w->isolation_known = false;
	is(&l, "observer", WR_GATE_NO_DATA);
	assert_true(row("observer")->blocking);
	l.cfg.signal_count = REF;
	is(&l, "observer", WR_GATE_NO_DATA);
	assert_false(row("observer")->blocking);
	lab_free(&l);
}

static void lag(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	wr_link_view *v = &l.w->links[PG_US_EU];
	is(&l, "lag:pg", WR_PASS);
	assert_string_equal(row("lag:pg")->observed, "2.3 s, 41 KB, 47 receipts (measured 0 s ago)");
	assert_string_equal(row("lag:pg")->threshold, "rpo 5 m");
	lab_measure(&v->seconds, l.now, 300.5);
	is(&l, "lag:pg", WR_FAIL);
	/* The source is silent: what was proven grows until it is known to have broken off. */
	lab_measure(&v->seconds, l.now, 10);
	v->seconds.last.type = WR_V_NONE;
	l.now += MIN(4);
	is(&l, "lag:pg", WR_PASS);
	assert_non_null(strstr(row("lag:pg")->observed, "250 s"));
	l.now += MIN(1);
	is(&l, "lag:pg", WR_FAIL);
	l.w->regions[US].verdict = WR_V_DOWN;
	l.w->regions[US].first_bad_us = l.now - MIN(5) + S(20);
	is(&l, "lag:pg", WR_PASS);
	assert_non_null(strstr(row("lag:pg")->observed, "30.0 s"));
	*v = (wr_link_view){0};
	is(&l, "lag:pg", WR_GATE_NO_DATA);
	assert_string_equal(row("lag:pg")->observed, "never measured");
	l.cfg.link_count = 0;
	is(&l, "lag", WR_GATE_NO_DATA);
	assert_true(row("lag")->blocking);
	assert_string_equal(row("lag")->observed, "not configured: add a link from us to eu");
	lab_free(&l);
}

static void lag_without_seconds(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	l.links[PG_US_EU].has_seconds = false;
	is(&l, "lag:pg", WR_GATE_NO_DATA); /* bytes say nothing about a time */
	l.links[PG_US_EU].rpo_ms = 0;
	is(&l, "lag:pg", WR_FAIL);
	lab_measure(&l.w->links[PG_US_EU].bytes, l.now, 0);
	lab_measure(&l.w->links[PG_US_EU].receipts, l.now, 0);
	is(&l, "lag:pg", WR_PASS);
	l.now += MIN(1); /* nothing was behind a minute ago */
	is(&l, "lag:pg", WR_FAIL);
	l.links[PG_US_EU].service = "keys"; /* of another group */
	is(&l, "lag", WR_GATE_NO_DATA);
	lab_free(&l);
}

static void lag_synchronous(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	wr_link_view *v = &l.w->links[PG_US_EU];
	l.links[PG_US_EU].sync = true;
	l.links[PG_US_EU].rpo_ms = 0;
	is(&l, "lag:pg", WR_FAIL); /* said to be synchronous, not proven */
	v->state_ok = WR_TRUE;
	v->state_ok_us = l.now;
	is(&l, "lag:pg", WR_PASS);
	assert_non_null(strstr(row("lag:pg")->observed, "synchronous"));
	l.now += S(16);
	is(&l, "lag:pg", WR_FAIL); /* the proof is too old */
	l.w->regions[US].verdict = WR_V_DOWN;
	l.w->regions[US].first_bad_us = l.now - S(10);
	is(&l, "lag:pg", WR_PASS); /* … but not when the source was gone soon after it */
	v->state_ok = WR_FALSE;
	is(&l, "lag:pg", WR_FAIL);
	lab_free(&l);
}

static void loss(void **state)
{
	(void)state;
	lab l;
	wr_loss loss;
	lab_init(&l);
	wr_loss_eval(&loss, l.w, US, EU, l.now);
	assert_true(loss.known && !loss.stale && !loss.sync);
	assert_true(fabs(loss.seconds - 2.3) < 1e-9);
	assert_true(fabs(loss.bytes - 41000) < 1e-9 && fabs(loss.receipts - 47) < 1e-9);
	assert_string_equal(loss.text, "2.3 s, 41 KB, 47 receipts (measured 0 s ago)");
	snprintf(l.w->links[PG_US_EU].receipts.names, 512, "r-1,r-2");
	l.links[PG_EU_US].from = "us"; /* two links one way: the worst time, the sum of the rest */
	l.links[PG_EU_US].to = "eu";
	lab_measure(&l.w->links[PG_EU_US].seconds, l.now, 7);
	snprintf(l.w->links[PG_EU_US].receipts.names, 512, "r-9");
	l.now += S(3);
	wr_loss_eval(&loss, l.w, US, EU, l.now);
	assert_string_equal(loss.text, "7.0 s, 82 KB, 94 receipts (measured 3 s ago)");
	assert_string_equal(loss.names, "r-1,r-2,r-9");
	l.now += S(60);
	wr_loss_eval(&loss, l.w, US, EU, l.now);
	assert_true(loss.stale && loss.seconds > 60);
	l.w->links[PG_EU_US] = (wr_link_view){0};
	wr_loss_eval(&loss, l.w, US, EU, l.now);
	assert_non_null(strstr(loss.text, "1 of 2 links never measured"));
	l.w->links[PG_US_EU] = (wr_link_view){0};
	wr_loss_eval(&loss, l.w, US, EU, l.now);
	assert_false(loss.known);
	assert_string_equal(loss.text, "unknown: replication was never measured");
	wr_loss_eval(&loss, l.w, EU, US, l.now);
	assert_string_equal(loss.text, "unknown: no replication link is configured");
	lab_free(&l);
}

static void capacity(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	is(&l, "capacity", WR_PASS);
	assert_string_equal(row("capacity")->threshold, "value >= 80");
	lab_measure(&l.w->facts[CAP_EU], l.now, 79);
	is(&l, "capacity", WR_FAIL);
	assert_non_null(strstr(row("capacity")->observed, "79"));
	lab_measure(&l.w->facts[CAP_EU], l.now - MIN(2), 99);
	is(&l, "capacity", WR_GATE_NO_DATA); /* old good news */
	l.facts[CAP_EU].region = "us";
	is(&l, "capacity", WR_GATE_NO_DATA);
	assert_true(row("capacity")->blocking);
	l.cfg.fact_count = 0;
	is(&l, "capacity", WR_GATE_NO_DATA);
	assert_true(row("capacity")->blocking); /* never optional (F4) */
	lab_free(&l);
}

static void several_facts(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	one_at_a_time(&l, WR_FACT_CAPACITY, "eu", "cap-eu-2");
	one_at_a_time(&l, WR_FACT_CUSTOM, "eu", "licence");
	one_at_a_time(&l, WR_FACT_CHAIN, "", "chain-all");
	l.facts[FACTS].need = l.facts[FACTS + 1].need = l.facts[FACTS + 2].need = l.need_capacity;
	for (size_t i = FACTS; i < FACTS + 3; i++) lab_measure(&l.w->facts[i], l.now, 90);
	is(&l, "capacity:cap-eu", WR_PASS);
	is(&l, "capacity:cap-eu-2", WR_PASS);
	is(&l, "custom:licence", WR_PASS);
	is(&l, "chain", WR_PASS);
	assert_false(has("capacity"));
	l.facts[FACTS + 1].need = NULL; /* a value without a measure of it */
	is(&l, "custom:licence", WR_INCONCLUSIVE);
	assert_true(row("custom:licence")->blocking);
	lab_free(&l);
}

static void builds(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	one_at_a_time(&l, WR_FACT_BUILD, "eu", "build-eu");
	is(&l, "build", WR_GATE_NO_DATA);
	assert_true(row("build")->blocking);
	one_at_a_time(&l, WR_FACT_BUILD, "us", "build-us");
	is(&l, "build", WR_GATE_NO_DATA);
	wr_measure *eu = &l.w->facts[FACTS], *us = &l.w->facts[FACTS + 1];
	for (int i = 0; i < 2; i++) {
		wr_measure *m = i ? us : eu;
		m->last = m->proven = (wr_value){.type = WR_V_STR, .str = "sha256:aaaa"};
		m->last_us = m->proven_us = l.now;
	}
	is(&l, "build", WR_PASS);
	snprintf(us->last.str, sizeof us->last.str, "sha256:bbbb");
	us->proven = us->last;
	is(&l, "build", WR_FAIL);
	/* The source is dead: what it last proved counts, and its age is said. */
	us->last.type = WR_V_NONE;
	us->proven = eu->last;
	l.now += S(70);
	eu->last_us = l.now;
	is(&l, "build", WR_PASS);
	assert_non_null(strstr(row("build")->observed, "measured 1 m 10 s ago"));
	eu->last.type = WR_V_NONE;
	is(&l, "build", WR_GATE_NO_DATA);
	lab_free(&l);
}

static void freeze(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	one_at_a_time(&l, WR_FACT_FREEZE, "", "freeze");
	wr_measure *m = &l.w->facts[FACTS];
	is(&l, "freeze", WR_GATE_NO_DATA);
	assert_true(row("freeze")->blocking);
	m->last = (wr_value){.type = WR_V_BOOL, .truth = false};
	m->last_us = l.now;
	is(&l, "freeze", WR_PASS);
	m->last.truth = true;
	is(&l, "freeze", WR_PASS); /* an outage goes before a freeze */
	judge(&l, WR_RB_FAILBACK);
	assert_int_equal(row("freeze")->verdict, WR_FAIL);
	judge(&l, WR_RB_OTHER);
	assert_int_equal(row("freeze")->verdict, WR_FAIL);
	lab_free(&l);
}

static void quotas(void **state)
{
	(void)state;
	wr_quota quotas[2] = {
	    {.name = "cpu", .layer = "region", .region = "eu", .has_after = true, .interval_ms = 5000},
	    {.name = "mem", .layer = "region", .region = "us", .has_after = true, .interval_ms = 5000}};
	lab l;
	lab_init(&l);
	l.cfg.quotas = quotas;
	l.cfg.quota_count = 2;
	wr_world_free(l.w);
	lab_world(&l);
	is(&l, "quota:cpu", WR_GATE_NO_DATA);
	assert_true(row("quota:cpu")->blocking);
	assert_false(has("quota:mem"));
	lab_measure(&l.w->quotas_after[0], l.now, 90);
	is(&l, "quota:cpu", WR_PASS);
	lab_measure(&l.w->quotas_after[0], l.now, 94);
	is(&l, "quota:cpu", WR_FAIL);
	lab_free(&l);
}

static void residency(void **state)
{
	(void)state;
	static const wr_pair allow[] = {{"r", "s"}};
	static const wr_pair deny_service[] = {{"app", "eu"}}, deny_other[] = {{"keys", "eu"}},
	                     deny_group[] = {{"main", "eu"}};
	lab l;
	lab_init(&l);
	is(&l, "residency", WR_PASS);
	l.regions[EU].residency = "s";
	is(&l, "residency", WR_FAIL);
	l.cfg.residency_allow = allow;
	l.cfg.residency_allow_count = 1;
	is(&l, "residency", WR_PASS);
	judge(&l, WR_RB_FAILBACK); /* allowed one way is not allowed the other */
	assert_int_equal(row("residency")->verdict, WR_FAIL);
	l.cfg.deny_failover_count = 1;
	l.cfg.deny_failover = deny_other;
	is(&l, "residency", WR_PASS);
	l.cfg.deny_failover = deny_service;
	is(&l, "residency", WR_FAIL);
	l.cfg.deny_failover = deny_group;
	is(&l, "residency", WR_FAIL);
	l.cfg.deny_failover_count = 0;
	l.regions[EU].residency = "";
	is(&l, "residency", WR_GATE_NO_DATA);
	assert_true(row("residency")->blocking);
	l.regions[US].residency = "";
	is(&l, "residency", WR_GATE_NO_DATA);
	assert_false(row("residency")->blocking);
	lab_free(&l);
}

static void runbooks_and_roles(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	is(&l, "runbook", WR_PASS);
	is(&l, "fence", WR_PASS);
	is(&l, "primary", WR_PASS);
	l.fo[FENCE].phase = WR_PHASE_DRAIN;
	is(&l, "fence", WR_FAIL);
	l.fo[PROMOTE].phase = WR_PHASE_OTHER;
	is(&l, "fence", WR_PASS);
	assert_string_equal(row("fence")->observed, "nothing is promoted");
	l.cfg.runbook_count = 0;
	is(&l, "runbook", WR_FAIL);
	is(&l, "fence", WR_GATE_NO_DATA);
	judge(&l, WR_RB_FAILBACK);
	assert_int_equal(row("primary")->verdict, WR_FAIL); /* eu is not primary */
	wr_guards_eval(&table, l.s, l.w, WR_RB_FAILOVER, US, WIT, "main", NULL, l.now);
	assert_int_equal(row("primary")->verdict, WR_FAIL);
	judge(&l, WR_RB_OTHER);
	assert_false(has("primary") || has("lag:pg") || has("signal_classes"));
	assert_true(has("one_operation") && has("ledger") && has("observer") && has("cool_down"));
	lab_free(&l);
}

static void operations(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	is(&l, "one_operation", WR_PASS);
	is(&l, "cool_down", WR_PASS);
	lab_failover(&l);
	is(&l, "one_operation", WR_FAIL);
	assert_string_equal(row("one_operation")->observed, "op-1 is running");
	wr_guards_eval(&table, l.s, l.w, WR_RB_FAILOVER, US, EU, "main", lab_op(&l), l.now);
	assert_int_equal(row("one_operation")->verdict, WR_PASS); /* itself does not count */
	wr_guards_eval(&table, l.s, l.w, WR_RB_OTHER, US, EU, "side", NULL, l.now);
	assert_int_equal(row("one_operation")->verdict, WR_PASS);
	lab_says(&l, "alice", "abort");
	lab_finish(&l, WR_OUT_FAILED);
	lab_state_is(&l, WR_OP_ABORTED);
	is(&l, "cool_down", WR_FAIL);
	assert_int_equal(row("cool_down")->eta_us, lab_op(&l)->finished_us + MIN(1));
	l.now += MIN(1);
	is(&l, "cool_down", WR_PASS);
	l.w->ledger_ok = false;
	is(&l, "ledger", WR_FAIL);
	lab_free(&l);
}

static void flapping(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_settle(&l);
	is(&l, "flapping", WR_PASS);
	static const wr_verdict worse[] = {WR_V_DEGRADED, WR_V_SUSPECT, WR_V_DOWN, WR_V_UNKNOWN,
	                                   WR_V_DOWN};
	for (size_t i = 0; i < 5; i++) { /* getting worse and worse is one turn */
		lab_verdict(&l, US, worse[i]);
		lab_sleep(&l, S(5));
	}
	is(&l, "flapping", WR_PASS);
	assert_non_null(strstr(row("flapping")->observed, "changed 1 time in"));
	lab_verdict(&l, US, WR_V_HEALTHY);
	lab_sleep(&l, S(5));
	lab_verdict(&l, US, WR_V_DEGRADED);
	lab_sleep(&l, S(5));
	is(&l, "flapping", WR_PASS);
	lab_verdict(&l, US, WR_V_HEALTHY);
	lab_sleep(&l, S(5));
	is(&l, "flapping", WR_FAIL);
	int64_t eta = row("flapping")->eta_us;
	assert_true(eta > l.now);
	l.now = eta;
	is(&l, "flapping", WR_PASS);
	for (unsigned i = 0; i < 40; i++) { /* more than the ring holds */
		lab_verdict(&l, US, i % 2 ? WR_V_HEALTHY : WR_V_DOWN);
		lab_sleep(&l, S(1));
	}
	is(&l, "flapping", WR_FAIL);
	lab_free(&l);
}

static void failback_waits_for_health(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	lab_settle(&l);
	lab_verdict(&l, US, WR_V_DOWN);
	lab_settle(&l);
	judge(&l, WR_RB_FAILBACK);
	assert_int_equal(row("sustained_time")->verdict, WR_FAIL);
	l.now += MIN(1);
	lab_verdict(&l, US, WR_V_HEALTHY);
	lab_settle(&l);
	l.now += MIN(4);
	judge(&l, WR_RB_FAILBACK);
	assert_int_equal(row("sustained_time")->verdict, WR_FAIL);
	assert_int_equal(row("sustained_time")->eta_us, l.now + MIN(1));
	l.now += MIN(1);
	judge(&l, WR_RB_FAILBACK);
	assert_int_equal(row("sustained_time")->verdict, WR_PASS);
	l.w->regions[US].since_us = l.now; /* our restart resets our clock, not its health */
	judge(&l, WR_RB_FAILBACK);
	assert_int_equal(row("sustained_time")->verdict, WR_PASS);
	assert_false(has("signal_classes"));
	lab_free(&l);
}

static void too_many_rows(void **state)
{
	(void)state;
	lab l;
	wr_link links[80];
	char names[80][24];
	lab_init(&l);
	for (size_t i = 0; i < 80; i++) {
		snprintf(names[i], sizeof names[i], "link-%zu", i);
		links[i] = l.links[PG_US_EU];
		links[i].name = names[i];
	}
	l.cfg.links = links;
	l.cfg.link_count = 80;
	wr_world_free(l.w);
	lab_world(&l);
	judge(&l, WR_RB_FAILOVER);
	assert_int_equal(table.count, WR_MAX_GUARDS);
	assert_int_equal(row("too_many")->verdict, WR_INCONCLUSIVE);
	assert_true(row("too_many")->blocking && table.blocking > 0);
	json_t *rows = wr_guards_json(&table);
	assert_int_equal(json_array_size(rows), WR_MAX_GUARDS);
	wr_buf text = WR_BUF_INIT(1u << 20);
	wr_err err = {0};
	assert_int_equal(wr_canon_write(&text, rows, &err), 0); /* strings, truths, integers only */
	wr_buf_free(&text);
	json_decref(rows);
	lab_settle(&l); /* its receipt is cut to fit, and is a receipt */
	const json_t *r = lab_last(&l, "guards_changed");
	json_t *cut = json_loads(lab_str(r, "table"), 0, NULL);
	assert_non_null(cut);
	assert_true(json_array_size(cut) > 20);
	json_decref(cut);
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_hold_in_an_outage),
	    cmocka_unit_test(configured_elsewhere_blocks),
	    cmocka_unit_test(classes_and_time),
	    cmocka_unit_test(target),
	    cmocka_unit_test(target_half_way),
	    cmocka_unit_test(observer),
	    cmocka_unit_test(lag),
	    cmocka_unit_test(lag_without_seconds),
	    cmocka_unit_test(lag_synchronous),
	    cmocka_unit_test(loss),
	    cmocka_unit_test(capacity),
	    cmocka_unit_test(several_facts),
	    cmocka_unit_test(builds),
	    cmocka_unit_test(freeze),
	    cmocka_unit_test(quotas),
	    cmocka_unit_test(residency),
	    cmocka_unit_test(runbooks_and_roles),
	    cmocka_unit_test(operations),
	    cmocka_unit_test(flapping),
	    cmocka_unit_test(failback_waits_for_health),
	    cmocka_unit_test(too_many_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
