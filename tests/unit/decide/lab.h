/* lab.h: a small platform and a small engine for tests of the decide layer.
 *
 * The platform is a configuration made by hand and a world whose conclusions the test sets. The
 * engine appends what wr_decide answers (real receipt lines, chained), folds them, and only then
 * takes up the commands, as jobs that the test finishes as it likes. Time is a number. After
 * everything, laws.h looks at what was written. */
#ifndef WARROOM_TEST_LAB_H
#define WARROOM_TEST_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "warroom/clock.h"
#include "warroom/decide.h"
#include "warroom/json.h"

#define LAB_START INT64_C(1769342400000000) /* 2026-01-25T12:00:00Z */
#define S(n)      ((int64_t)(n)*1000000)
#define MIN(n)    S((n)*60)
#define UNUSED    __attribute__((unused))

enum { US, EU, WIT, REGIONS };
enum { US_SYN, US_MESH, US_CTL, EU_SYN, EU_MESH, EU_CTL, REF, SIGNALS };
enum { PG_US_EU, PG_EU_US, LINKS };
enum { CAP_US, CAP_EU, FACTS };
enum { FREEZE, FENCE, PROMOTE, SCALE, SHIFT10, SOAK, SHIFT100, CHECK, TELL, FO_STEPS };
enum { RB_FO, RB_FB, RB_OT, RUNBOOKS };

#define LAB_JOBS 32

typedef struct lab {
	wr_config cfg;
	wr_region regions[REGIONS];
	wr_signal signals[SIGNALS];
	wr_link links[LINKS];
	wr_fact facts[FACTS + 8]; /* room for tests to add */
	wr_traffic traffic[1];
	wr_notify notify[1];
	wr_service services[2];
	wr_operator operators[5];
	wr_runbook runbooks[RUNBOOKS];
	wr_step fo[FO_STEPS], fb[4], ot[1];
	wr_expr *need_capacity, *until;
	wr_world *w;
	wr_state *s;
	int64_t now, epoch;
	/* the ledger */
	char **lines;
	json_t **receipts; /* the same, parsed, for the checks */
	size_t count, cap;
	uint8_t head[WR_HASH_LEN];
	json_t *blobs; /* plan_hash: plan */
	/* what is under way */
	wr_command jobs[LAB_JOBS];
	size_t job_count;
	uint64_t nonces;
	int weights[2]; /* as they are; the world sees them at lab_fresh */
	/* the last decision */
	bool accepted;
	wr_err refusal;
	int64_t wake;
	const char *drift; /* steps_hash_now of every event; NULL: not given */
	size_t checked;    /* receipts that laws.h has looked at */
	void (*law)(struct lab *l);
	void (*command_law)(struct lab *l, const wr_command *c);
} lab;

/* ---- the platform ---- */

static const char *const lab_argv[] = {"/usr/local/bin/act", "${to}", NULL};
static const char *const lab_regions[] = {"us", "eu"};
static const char *const lab_roles_sre[] = {"sre"}, *const lab_roles_call[] = {"on_call"},
                         *const lab_roles_both[] = {"sre", "on_call"},
                         *const lab_roles_view[] = {"viewer"},
                         *const lab_policy[] = {"sre", "on_call"};

static const wr_probe lab_no_probe = {.url = "",
                                      .method = "GET",
                                      .body = "",
                                      .ca_file = "",
                                      .pointer = "",
                                      .metric = "",
                                      .query = ""};

static UNUSED wr_action lab_http(const char *url)
{
	wr_action a = {.kind = WR_STEP_HTTP,
	               .http = lab_no_probe,
	               .cwd = "",
	               .traffic = "",
	               .ask = "",
	               .channel = "",
	               .text = ""};
	a.http.url = url;
	a.http.method = "POST";
	return a;
}

static UNUSED wr_action lab_exec(void)
{
	wr_action a = lab_http("");
	a.kind = WR_STEP_EXEC;
	a.http.kind = WR_PROBE_EXEC;
	a.http.argv = lab_argv;
	a.http.argc = 2;
	return a;
}

static UNUSED wr_action lab_traffic(int from_percent)
{
	wr_action a = lab_http("");
	a.kind = WR_STEP_TRAFFIC;
	a.traffic = "edge";
	a.weight_count = 2;
	a.weights[0] = (wr_weight){"${from}", from_percent};
	a.weights[1] = (wr_weight){"${to}", 100 - from_percent};
	return a;
}

static UNUSED wr_action lab_wait(const lab *l)
{
	wr_action a = lab_http("http://127.0.0.1/ready");
	a.kind = WR_STEP_WAIT;
	a.until = l->until;
	a.every_ms = 1000;
	return a;
}

static UNUSED wr_action lab_soak(void)
{
	wr_action a = lab_http("");
	a.kind = WR_STEP_SOAK;
	a.duration_ms = 60000;
	a.min_samples = 3;
	return a;
}

static UNUSED wr_action lab_manual(const char *ask)
{
	wr_action a = lab_http("");
	a.kind = WR_STEP_MANUAL;
	a.ask = ask;
	return a;
}

static UNUSED wr_action lab_notify(const char *text)
{
	wr_action a = lab_http("");
	a.kind = WR_STEP_NOTIFY;
	a.channel = "ops";
	a.text = text;
	return a;
}

static UNUSED wr_step lab_step(const char *name, wr_phase phase, wr_step_class step_class,
                               wr_action action)
{
	return (wr_step){.name = name,
	                 .phase = phase,
	                 .why = "because",
	                 .look_at = "",
	                 .danger = "",
	                 .go_back = "",
	                 .action = action,
	                 .step_class = step_class,
	                 .timeout_ms = 30000,
	                 .backoff_ms = 1000,
	                 .on_failure = WR_FAIL_HOLD};
}

static void lab_runbooks(lab *l)
{
	wr_step *f = l->fo;
	f[FREEZE] = lab_step("freeze", WR_PHASE_FREEZE, WR_IDEMPOTENT, lab_http("http://d/freeze"));
	f[FREEZE].rollback = lab_http("http://d/unfreeze");
	f[FENCE] = lab_step("fence", WR_PHASE_FENCE, WR_PROBEABLE, lab_http("http://${from}/fence"));
	f[FENCE].rollback = lab_http("http://${from}/unfence");
	f[FENCE].has_probe = true;
	f[FENCE].probe = lab_wait(l);
	f[PROMOTE] = lab_step("promote-postgres", WR_PHASE_PROMOTE, WR_OPAQUE, lab_exec());
	f[PROMOTE].rollback = lab_exec();
	f[PROMOTE].on_failure = WR_FAIL_ROLLBACK;
	f[SCALE] = lab_step("scale", WR_PHASE_SCALE, WR_IDEMPOTENT, lab_exec());
	f[SHIFT10] = lab_step("shift-10", WR_PHASE_SHIFT, WR_IDEMPOTENT, lab_traffic(90));
	f[SOAK] = lab_step("soak", WR_PHASE_SOAK, WR_IDEMPOTENT, lab_soak());
	f[SOAK].timeout_ms = 120000;
	f[SOAK].on_failure = WR_FAIL_ROLLBACK;
	f[SHIFT100] = lab_step("shift-100", WR_PHASE_SHIFT, WR_IDEMPOTENT, lab_traffic(0));
	f[CHECK] = lab_step("check", WR_PHASE_VERIFY, WR_IDEMPOTENT, lab_manual("Can you log in?"));
	f[TELL] = lab_step("tell", WR_PHASE_ANNOUNCE, WR_IDEMPOTENT, lab_notify("${to} serves"));
	f[TELL].optional = true;
	for (size_t i = FREEZE; i <= PROMOTE; i++) f[i].has_rollback = true;
	for (size_t i = 0; i < FO_STEPS; i++) f[i].retries = i == SCALE ? 2 : 1;
	l->fb[0] = lab_step("prove", WR_PHASE_PROVE, WR_IDEMPOTENT, lab_wait(l));
	l->fb[1] = lab_step("fence", WR_PHASE_FENCE, WR_IDEMPOTENT, lab_http("http://${from}/fence"));
	l->fb[2] = lab_step("promote", WR_PHASE_PROMOTE, WR_IDEMPOTENT, lab_exec());
	l->fb[3] = lab_step("shift", WR_PHASE_SHIFT, WR_IDEMPOTENT, lab_traffic(0));
	l->ot[0] = lab_step("rotate", WR_PHASE_OTHER, WR_IDEMPOTENT, lab_exec());
	l->runbooks[RB_FO] = (wr_runbook){.name = "fo",
	                                  .title = "Move",
	                                  .owner = "",
	                                  .reviewed = "",
	                                  .kind = WR_RB_FAILOVER,
	                                  .group = "main",
	                                  .steps = l->fo,
	                                  .step_count = FO_STEPS,
	                                  .file = "lab.yaml"};
	l->runbooks[RB_FB] = (wr_runbook){.name = "fb",
	                                  .title = "Back",
	                                  .owner = "",
	                                  .reviewed = "",
	                                  .kind = WR_RB_FAILBACK,
	                                  .group = "main",
	                                  .steps = l->fb,
	                                  .step_count = 4,
	                                  .file = "lab.yaml"};
	l->runbooks[RB_OT] = (wr_runbook){.name = "ot",
	                                  .title = "Keys",
	                                  .owner = "",
	                                  .reviewed = "",
	                                  .kind = WR_RB_OTHER,
	                                  .group = "side",
	                                  .steps = l->ot,
	                                  .step_count = 1,
	                                  .file = "lab.yaml"};
}

static void lab_people(lab *l)
{
	l->operators[0] = (wr_operator){"alice", "Alice", lab_roles_sre, 1, ""};
	l->operators[1] = (wr_operator){"bob", "Bob", lab_roles_call, 1, ""};
	l->operators[2] = (wr_operator){"carol", "Carol", lab_roles_both, 2, ""};
	l->operators[3] = (wr_operator){"dave", "Dave", lab_roles_view, 1, ""};
	l->operators[4] = (wr_operator){"erin", "Erin", lab_roles_sre, 1, ""};
	wr_approval_policy p = {lab_policy, 2, WR_SEPARATE_SESSION, 900000};
	l->cfg.approve_failover = l->cfg.approve_failback = l->cfg.approve_other = p;
	l->cfg.operators = l->operators;
	l->cfg.operator_count = 5;
}

static void lab_watching(lab *l)
{
	static const char *const names[] = {"us-syn",  "us-mesh", "us-ctl", "eu-syn",
	                                    "eu-mesh", "eu-ctl",  "ref"};
	static const wr_class classes[] = {WR_CLASS_SYNTHETIC, WR_CLASS_MESH, WR_CLASS_CONTROL_PLANE};
	for (size_t i = 0; i < SIGNALS; i++)
		l->signals[i] = (wr_signal){.name = names[i],
		                            .region = i == REF ? ""
		                                      : i < 3  ? "us"
		                                               : "eu",
		                            .service = "",
		                            .observer = "lab",
		                            .signal_class = i == REF ? WR_CLASS_REFERENCE : classes[i % 3],
		                            .probe = lab_no_probe,
		                            .interval_ms = 5000,
		                            .timeout_ms = 2000,
		                            .breach_after = 3,
		                            .clear_after = 3};
	for (size_t i = 0; i < LINKS; i++)
		l->links[i] = (wr_link){.name = i ? "pg-back" : "pg",
		                        .kind = "postgres",
		                        .from = i ? "eu" : "us",
		                        .to = i ? "us" : "eu",
		                        .service = "",
		                        .rpo_ms = 300000,
		                        .has_seconds = true,
		                        .has_bytes = true,
		                        .has_receipts = true,
		                        .interval_ms = 5000,
		                        .timeout_ms = 2000};
	for (size_t i = 0; i < FACTS; i++)
		l->facts[i] = (wr_fact){.name = i ? "cap-eu" : "cap-us",
		                        .region = i ? "eu" : "us",
		                        .kind = WR_FACT_CAPACITY,
		                        .need = l->need_capacity,
		                        .interval_ms = 5000,
		                        .timeout_ms = 2000};
	l->traffic[0] = (wr_traffic){.name = "edge",
	                             .kind = WR_TRAFFIC_HTTP,
	                             .address = "http://lb/w",
	                             .backend = "",
	                             .regions = lab_regions,
	                             .region_count = 2,
	                             .ttl_s = 60,
	                             .interval_ms = 5000,
	                             .timeout_ms = 2000};
	l->notify[0] = (wr_notify){.name = "ops", .kind = "webhook", .url = "${env:HOOK}"};
}

static UNUSED void lab_weights(lab *l, int us, int eu)
{
	l->w->weights[0][US] = l->weights[US] = us;
	l->w->weights[0][EU] = l->weights[EU] = eu;
	l->w->weights_us[0] = l->now;
}

static UNUSED void lab_verdict(lab *l, size_t region, wr_verdict v)
{
	wr_region_view *r = &l->w->regions[region];
	if (r->verdict == v) return;
	r->verdict = v;
	r->rule = "V-LAB";
	r->since_us = l->now;
	bool bad = v == WR_V_DOWN || v == WR_V_SUSPECT;
	r->first_bad_us = bad ? r->first_bad_us ? r->first_bad_us : l->now : 0;
	r->breached_classes = bad ? 1u << WR_CLASS_SYNTHETIC | 1u << WR_CLASS_MESH : 0;
	r->quorum_since_us = bad ? l->now : 0;
	snprintf(r->reason, sizeof r->reason, "set by the test");
}

static UNUSED void lab_measure(wr_measure *m, int64_t now, double num)
{
	m->last = m->proven = (wr_value){.type = WR_V_NUM, .num = num};
	m->last_us = m->proven_us = now;
	m->vars = (wr_expr_vars){.value = m->last, .latency_ms = -1, .exit_code = -1};
}

/* Everything was sampled just now. */
static UNUSED void lab_fresh(lab *l)
{
	for (size_t i = 0; i < l->cfg.signal_count; i++) {
		l->w->signals[i].last_us = l->now;
		l->w->signals[i].samples++;
		if (l->w->signals[i].status == WR_NO_DATA) l->w->signals[i].status = WR_CLEAR;
	}
	for (size_t i = 0; i < LINKS; i++) {
		bool alive = l->w->regions[i ? EU : US].verdict != WR_V_DOWN;
		if (!alive) continue;
		lab_measure(&l->w->links[i].seconds, l->now, 2.3);
		lab_measure(&l->w->links[i].bytes, l->now, 41000);
		lab_measure(&l->w->links[i].receipts, l->now, 47);
	}
	for (size_t i = 0; i < FACTS; i++) lab_measure(&l->w->facts[i], l->now, 95);
	lab_weights(l, l->weights[US], l->weights[EU]);
	l->w->now_us = l->now;
}

static UNUSED wr_world *lab_world(lab *l)
{
	wr_world *w = wr_world_new(&l->cfg);
	assert_non_null(w);
	l->w = w;
	w->ledger_ok = true;
	w->isolation_known = true;
	for (size_t i = 0; i < SIGNALS; i++) w->signals[i].samples = 100;
	for (size_t i = 0; i < REGIONS; i++) {
		w->regions[i].verdict = WR_V_HEALTHY;
		w->regions[i].rule = "V-HEALTHY";
		w->regions[i].since_us = l->now;
	}
	lab_weights(l, 100, 0);
	lab_fresh(l);
	return w;
}

static UNUSED void lab_init(lab *l)
{
	wr_err err = {0};
	memset(l, 0, sizeof *l);
	l->now = LAB_START;
	l->epoch = 1;
	l->need_capacity = wr_expr_parse("value >= 80", &err);
	l->until = wr_expr_parse("value == true", &err);
	assert_true(l->need_capacity && l->until);
	l->regions[US] = (wr_region){.name = "us", .role = WR_PRIMARY, .residency = "r"};
	l->regions[EU] = (wr_region){.name = "eu", .role = WR_STANDBY, .residency = "r"};
	l->regions[WIT] = (wr_region){.name = "wit", .role = WR_WITNESS, .residency = ""};
	l->services[0] = (wr_service){.name = "app", .group = "main", .rto_ms = 1800000};
	l->services[1] = (wr_service){.name = "keys", .group = "side", .tier = 1, .rto_ms = 3600000};
	lab_watching(l);
	lab_runbooks(l);
	lab_people(l);
	wr_config *c = &l->cfg;
	memset(c->hash, 7, sizeof c->hash);
	c->path = c->dir = "";
	c->platform = "lab";
	c->observer = "lab";
	c->min_classes = 2;
	c->sustained_ms = 300000;
	c->cooldown_ms = 60000;
	c->regions = l->regions, c->region_count = REGIONS;
	c->services = l->services, c->service_count = 2;
	c->signals = l->signals, c->signal_count = SIGNALS;
	c->links = l->links, c->link_count = LINKS;
	c->facts = l->facts, c->fact_count = FACTS;
	c->traffic = l->traffic, c->traffic_count = 1;
	c->notify = l->notify, c->notify_count = 1;
	c->runbooks = l->runbooks, c->runbook_count = RUNBOOKS;
	lab_world(l);
	l->s = wr_state_new(c);
	l->blobs = json_object();
	assert_true(l->s && l->blobs);
}

static UNUSED void lab_free(lab *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->lines[i]);
		json_decref(l->receipts[i]);
	}
	free(l->lines);
	free(l->receipts);
	json_decref(l->blobs);
	wr_state_free(l->s);
	wr_world_free(l->w);
	wr_expr_free(l->need_capacity);
	wr_expr_free(l->until);
}

/* ---- the ledger ---- */

static UNUSED void lab_fold(wr_state *s, const char *line, json_t *blobs)
{
	wr_receipt r;
	wr_err err = {0};
	char hash[WR_HEX_LEN];
	if (wr_receipt_parse(&r, line, strlen(line), true, &err) != WR_RF_OK)
		fail_msg("our own receipt does not parse: %s\n%s", err.msg, line);
	if (!strcmp(r.operation, "operation_proposed") &&
	    wr_receipt_str(&r, "plan_hash", hash, sizeof hash)) {
		json_t *plan = json_object_get(blobs, hash);
		if (plan) wr_state_put_plan(s, hash, json_incref(plan));
	}
	wr_fold(s, &r);
}

static UNUSED void lab_append(lab *l, json_t *draft)
{
	wr_buf line = WR_BUF_INIT(128u << 10);
	wr_err err = {0};
	char id[WR_UUID_LEN];
	uint8_t random[10] = {0};
	memcpy(random, &l->count, sizeof l->count < 10 ? sizeof l->count : 10);
	wr_uuid7(id, l->now, random);
	wr_envelope env = {"engine:lab", "us/ops", l->epoch, (int64_t)l->count, l->now, l->head, id};
	if (wr_receipt_write(&line, l->head, &env, draft, &err) != 0) {
		char *text = json_dumps(draft, 0);
		fail_msg("a draft is no receipt: %s\n%s", err.msg, text);
	}
	line.data[line.len - 1] = '\0'; /* the newline */
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->lines = realloc(l->lines, l->cap * sizeof *l->lines);
		l->receipts = realloc(l->receipts, l->cap * sizeof *l->receipts);
		assert_true(l->lines && l->receipts);
	}
	l->lines[l->count] = wr_buf_take(&line);
	/* Guard tables are large, and no law looks into them. */
	bool table = !strcmp(wr_json_str(draft, "operation", ""), "guards_changed") && l->law;
	l->receipts[l->count] = table ? json_pack("{s:s}", "operation", "guards_changed")
	                              : json_loads(l->lines[l->count], 0, NULL);
	assert_non_null(l->receipts[l->count]);
	l->count++;
	lab_fold(l->s, l->lines[l->count - 1], l->blobs);
	json_decref(draft);
}

/* ---- the engine ---- */

static UNUSED void lab_take_command(lab *l, const wr_command *c)
{
	if (l->command_law) l->command_law(l, c);
	if (c->kind == WR_CMD_CANCEL) return; /* the job reports by itself */
	assert_true(l->job_count < LAB_JOBS);
	assert_non_null(c->step);
	l->jobs[l->job_count++] = *c;
}

static UNUSED void lab_decide(lab *l, wr_event *ev)
{
	wr_effects fx;
	if (!ev->steps_hash_now) ev->steps_hash_now = l->drift;
	wr_decide(l->s, l->w, ev, l->now, &fx);
	if (ev->kind != WR_EV_TICK) {
		l->accepted = fx.accepted;
		l->refusal = fx.refusal;
	}
	l->wake = fx.wake_us;
	for (size_t i = 0; i < fx.receipt_count; i++) lab_append(l, fx.receipts[i]);
	if (l->law) l->law(l);
	fx.receipt_count = 0;
	for (size_t i = 0; i < fx.command_count; i++) lab_take_command(l, &fx.commands[i]);
	wr_effects_clear(&fx);
}

static UNUSED void lab_tick(lab *l)
{
	wr_event ev = {.kind = WR_EV_TICK};
	lab_decide(l, &ev);
}

/* Ticks until nothing more follows at this moment. */
static UNUSED void lab_settle(lab *l)
{
	size_t before;
	unsigned rounds = 0;
	do {
		before = l->count;
		lab_tick(l);
		assert_true(++rounds < 200);
	} while (l->count != before);
}

static UNUSED void lab_sleep(lab *l, int64_t us)
{
	l->now += us;
	lab_fresh(l);
	lab_settle(l);
}

/* Finishes job `at` with an outcome, and lets what follows follow. */
static UNUSED void lab_report_to(lab *l, size_t at, wr_outcome outcome, const char *error)
{
	wr_step_report rep = {.outcome = outcome, .status = 200, .exit_code = -1, .duration_ms = 1500};
	assert_true(at < l->job_count);
	wr_command c = l->jobs[at];
	memmove(&l->jobs[at], &l->jobs[at + 1], (l->job_count - at - 1) * sizeof c);
	l->job_count--;
	memcpy(rep.operation_id, c.operation_id, sizeof rep.operation_id);
	rep.index = c.index;
	rep.attempt = c.attempt;
	rep.undo = c.undo;
	snprintf(rep.error, sizeof rep.error, "%s", error);
	snprintf(rep.output, sizeof rep.output, "line one\nline two");
	wr_event ev = {.kind = c.kind == WR_CMD_PROBE ? WR_EV_PROBED : WR_EV_RESULT, .report = &rep};
	lab_decide(l, &ev);
}

static UNUSED void lab_finish(lab *l, wr_outcome outcome)
{
	lab_report_to(l, 0, outcome, outcome == WR_OUT_DONE ? "" : "it did not work");
	lab_settle(l);
}

/* A crash: everything in memory is gone; the lines are read again. */
static UNUSED void lab_crash(lab *l)
{
	wr_state_free(l->s);
	l->s = wr_state_new(&l->cfg);
	assert_non_null(l->s);
	l->job_count = 0;
	for (size_t i = 0; i < l->count; i++) lab_fold(l->s, l->lines[i], l->blobs);
	l->epoch = wr_state_epoch(l->s) + 1;
	wr_event ev = {.kind = WR_EV_STARTED};
	lab_decide(l, &ev);
}

/* ---- people ---- */

typedef struct lab_sig {
	wr_signed s;
	wr_buf text;
} lab_sig;

static UNUSED void lab_sign_init(lab *l, lab_sig *g, const char *op, const char *plan_hash,
                                 const char *who, const char *role, const char *what)
{
	memset(g, 0, sizeof *g);
	wr_buf_init(&g->text, 8192);
	wr_signed *s = &g->s;
	snprintf(s->operation_id, sizeof s->operation_id, "%s", op);
	snprintf(s->plan_hash, sizeof s->plan_hash, "%s", plan_hash);
	snprintf(s->principal, sizeof s->principal, "%s", who);
	snprintf(s->role, sizeof s->role, "%s", role);
	snprintf(s->decision, sizeof s->decision, "%s", what);
	snprintf(s->nonce, sizeof s->nonce, "nonce-%llu", (unsigned long long)++l->nonces);
	snprintf(s->fingerprint, sizeof s->fingerprint, "SHA256:key-of-%s", who);
	wr_hex(s->head, l->head, sizeof l->head);
	s->assurance = s->observed = WR_OWN_DEVICE;
	s->expires_us = l->now + MIN(15);
	s->signature = "c2lnbmF0dXJl";
	s->note = "";
}

/* Seals the text over the fields as they are now; call after changing any. */
static UNUSED void lab_seal(lab_sig *g)
{
	wr_err err = {0};
	wr_buf_reset(&g->text);
	assert_int_equal(wr_challenge_text(&g->text, &g->s, &err), 0);
	g->s.text = wr_buf_cstr(&g->text);
}

static UNUSED bool lab_send(lab *l, lab_sig *g)
{
	wr_event ev = {.kind = WR_EV_SIGNED, .sign = &g->s};
	lab_decide(l, &ev);
	wr_buf_free(&g->text);
	return l->accepted;
}

static UNUSED const wr_op *lab_op(lab *l)
{
	const wr_op *op = NULL;
	return wr_state_ops(l->s, &op, 1) ? op : NULL;
}

static UNUSED const char *lab_role(const char *who)
{
	if (!strcmp(who, "bob")) return "on_call";
	return !strcmp(who, "dave") ? "viewer" : "sre";
}

/* `who` decides `what` on the newest operation. */
static UNUSED bool lab_says(lab *l, const char *who, const char *what)
{
	lab_sig g;
	const wr_op *op = lab_op(l);
	assert_non_null(op);
	lab_sign_init(l, &g, op->id, op->plan_hash, who, lab_role(who), what);
	lab_seal(&g);
	bool ok = lab_send(l, &g);
	lab_settle(l);
	return ok;
}

static UNUSED json_t *lab_plan(lab *l, size_t runbook, size_t from, size_t to)
{
	char head[WR_HEX_LEN];
	wr_err err = {0};
	wr_hex(head, l->head, sizeof l->head);
	json_t *plan =
	    wr_plan_make(&l->cfg, l->s, l->w, &l->runbooks[runbook], from, to, head, l->now, &err);
	if (!plan) fail_msg("no plan: %s", err.msg);
	return plan;
}

/* Takes the plan. */
static UNUSED bool lab_propose_plan(lab *l, json_t *plan, const char *who, const char *what)
{
	lab_sig g;
	char id[WR_ID_LEN], hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_err err = {0};
	wr_state_next_id(l->s, id);
	assert_int_equal(wr_plan_hash(plan, hash, words, &err), 0);
	json_object_set_new(l->blobs, hash, json_deep_copy(plan));
	lab_sign_init(l, &g, id, hash, who, lab_role(who), what);
	lab_seal(&g);
	wr_event ev = {.kind = WR_EV_PROPOSE,
	               .draft_plan = plan,
	               .draft_id = id,
	               .draft_reason = "the region burns",
	               .sign = &g.s};
	lab_decide(l, &ev);
	wr_buf_free(&g.text);
	json_decref(plan);
	return l->accepted;
}

static UNUSED bool lab_propose(lab *l, size_t runbook, size_t from, size_t to, const char *who)
{
	bool ok = lab_propose_plan(l, lab_plan(l, runbook, from, to), who, "approve");
	lab_settle(l);
	return ok;
}

/* us is DOWN, on record, for longer than it takes. */
static UNUSED void lab_outage(lab *l)
{
	lab_settle(l);
	lab_verdict(l, US, WR_V_DOWN);
	lab_settle(l);
	lab_sleep(l, MIN(6));
}

/* A failover under way: outage, proposed by alice, approved by bob; its first step runs. */
static UNUSED void lab_failover(lab *l)
{
	lab_outage(l);
	assert_true(lab_propose(l, RB_FO, US, EU, "alice"));
	if (!lab_says(l, "bob", "approve")) fail_msg("%s", l->refusal.msg);
	assert_int_equal(lab_op(l)->state, WR_OP_RUNNING);
}

/* Goes on as if everything works, until step `until` is about to be reported on (or its soak or
 * tick is waited for), or the end for -1. */
static UNUSED void lab_run(lab *l, int until)
{
	for (unsigned rounds = 0; rounds < 400; rounds++) {
		const wr_op *op = lab_op(l);
		int at = wr_op_current(op);
		if (op->state != WR_OP_RUNNING || at < 0) return;
		if (at == until && op->steps[at].intent_open) return;
		if (l->job_count)
			lab_finish(l, WR_OUT_DONE);
		else if (op->steps[at].intent_open && op->steps[at].kind == WR_STEP_MANUAL) {
			char what[96];
			snprintf(what, sizeof what, "tick:%s", wr_op_step_name(op, (size_t)at));
			assert_true(lab_says(l, "alice", what));
		} else {
			lab_sleep(l, S(5));
		}
	}
	fail_msg("it does not end");
}

/* ---- looking ---- */

static UNUSED const char *lab_str(const json_t *r, const char *key)
{
	return wr_json_str(r, key, "");
}

static UNUSED const json_t *lab_last(const lab *l, const char *operation)
{
	for (size_t i = l->count; i-- > 0;)
		if (!strcmp(lab_str(l->receipts[i], "operation"), operation)) return l->receipts[i];
	return NULL;
}

static UNUSED size_t lab_number(const lab *l, const char *operation)
{
	size_t n = 0;
	for (size_t i = 0; i < l->count; i++)
		n += !strcmp(lab_str(l->receipts[i], "operation"), operation);
	return n;
}

static UNUSED void lab_is_refused(lab *l, const char *rule)
{
	char with_colon[40];
	snprintf(with_colon, sizeof with_colon, "%s: ", rule);
	if (l->accepted || strncmp(l->refusal.msg, with_colon, strlen(with_colon)) != 0)
		fail_msg("expected %s, got %s %s", rule, l->accepted ? "accepted" : "refused",
		         l->refusal.msg);
	assert_int_not_equal(l->refusal.code, WR_E_OK);
}

static UNUSED void lab_state_is(lab *l, wr_op_state state)
{
	const wr_op *op = lab_op(l);
	if (op->state != state)
		fail_msg("%s is %s, not %s (%s %s %s)", op->id, wr_op_state_name(op->state),
		         wr_op_state_name(state), op->held_rule, op->held_reason, op->final_reason);
}

static UNUSED void lab_held_for(lab *l, const char *cause)
{
	lab_state_is(l, WR_OP_HELD);
	if (strcmp(lab_op(l)->held_rule, cause) != 0)
		fail_msg("held for %s (%s), not %s", lab_op(l)->held_rule, lab_op(l)->held_reason, cause);
}

#endif
