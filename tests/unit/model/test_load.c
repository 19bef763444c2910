/* test_load.c: the sections of a configuration: values, defaults, and messages. */
#include "fixture.h"

static void test_minimal_and_defaults(void **state)
{
	fixture *x = *state;
	const wr_config *c = fx_load_text(x, FX_BASE);
	fx_expect_clean(x);
	assert_string_equal(c->platform, "test");
	assert_string_equal(c->path, x->path);
	assert_string_equal(c->dir, x->dir);
	assert_int_equal(c->tick_ms, 250);
	assert_int_equal(c->min_classes, 2);
	assert_int_equal(c->sustained_ms, 300000);
	assert_int_equal(c->stale_after_ms, 0);
	assert_int_equal(c->cooldown_ms, 600000);
	char want[256];
	snprintf(want, sizeof want, "%s/run/warroom.sock", x->dir);
	assert_string_equal(c->socket, want);
	snprintf(want, sizeof want, "%s/ledger", x->dir);
	assert_string_equal(c->ledger_dir, want);
	assert_string_equal(c->partition, "us");
	assert_string_equal(c->stream, "ops");
	assert_string_equal(c->approve_failover.roles[0], "sre");
	assert_string_equal(c->approve_failover.roles[1], "on_call");
	assert_int_equal(c->approve_other.expires_ms, 900000);
	assert_int_equal(c->region_count, 2);
	assert_int_equal(c->regions[1].role, WR_STANDBY);
	assert_ptr_equal(wr_config_region(c, "eu"), &c->regions[1]);
	assert_null(wr_config_region(c, "mars"));
	assert_null(wr_config_operator(c, "alice"));
	assert_null(wr_config_traffic(c, "edge"));
	assert_null(wr_config_notify(c, "slack"));
	assert_null(wr_config_runbook(c, "r"));
	assert_null(wr_config_runbook_for(c, WR_RB_FAILOVER, "main"));
}

static void test_signals_for_each_region(void **state)
{
	fixture *x = *state;
	const wr_config *c = fx_load_text(x, FX_BASE);
	fx_expect_clean(x);
	assert_int_equal(c->signal_count, 5);
	assert_string_equal(c->signals[0].name, "us-a");
	assert_string_equal(c->signals[0].region, "us");
	assert_string_equal(c->signals[0].probe.url, "http://us.test/a");
	assert_string_equal(c->signals[0].observer, "here");
	assert_string_equal(c->signals[1].name, "eu-a");
	assert_string_equal(c->signals[1].probe.url, "http://eu.test/a");
	assert_int_equal(c->signals[0].interval_ms, 5000);
	assert_int_equal(c->signals[0].timeout_ms, 3000);
	assert_int_equal(c->signals[0].breach_after, 3);
	assert_int_equal(c->signals[0].clear_after, 2);
	assert_string_equal(wr_expr_text(c->signals[0].breach_when), "error or status >= 400");
	assert_int_equal(c->signals[4].signal_class, WR_CLASS_REFERENCE);
	assert_string_equal(c->signals[4].region, "");
}

static void test_every_probe(void **state)
{
	fixture *x = *state;
	setenv("WR_TEST_TOKEN", "t", 1);
	const wr_config *c = fx_load_text(
	    x, FX_BASE
	    "services: [{name: web, rto: 10m, rpo: 0s, regions: [us, eu]}]\n"
	    "facts:\n"
	    "  - kind: custom\n"
	    "    name: one\n"
	    "    http: {url: \"https://x.test/\", method: POST, body: \"{}\", pointer: /a/0/b~1c,\n"
	    "      headers: {Authorization: \"Bearer ${env:WR_TEST_TOKEN}\", X-Way: "
	    "\"${var.control}\"},\n"
	    "      ca_file: ca.pem}\n"
	    "    need: value == 'ok'\n"
	    "    interval: 1m30s\n"
	    "    timeout: 250ms\n"
	    "  - kind: backup\n"
	    "    region: us\n"
	    "    scrape: {url: \"http://x.test/metrics\", metric: backup_age, labels: {db: "
	    "\"${region}\"}}\n"
	    "    need: value < 6h\n"
	    "  - kind: chain\n"
	    "    promql: {url: \"http://p.test\", query: 'min(chain_ok{platform=\"x\"})'}\n"
	    "  - kind: freeze\n"
	    "    exec: [/usr/bin/true, \"a b\", \"$HOME\"]\n"
	    "  - kind: capacity\n"
	    "    regions: [eu]\n"
	    "    exec: {argv: [/bin/cat, /x], pointer: /ready, env: {K: \"${file:sub/secret}\"}}\n");
	fx_expect_loaded(x);
	const wr_probe *p = &c->facts[0].probe;
	assert_int_equal(p->kind, WR_PROBE_HTTP);
	assert_string_equal(p->method, "POST");
	assert_string_equal(p->pointer, "/a/0/b~1c");
	assert_int_equal(p->header_count, 2);
	assert_string_equal(p->headers[0].value, "Bearer ${env:WR_TEST_TOKEN}");
	assert_string_equal(p->headers[1].value, "http://127.0.0.1:9");
	char want[256];
	snprintf(want, sizeof want, "%s/ca.pem", x->dir);
	assert_string_equal(p->ca_file, want);
	assert_int_equal(c->facts[0].interval_ms, 90000);
	assert_int_equal(c->facts[0].timeout_ms, 250);
	p = &c->facts[1].probe;
	assert_string_equal(c->facts[1].name, "us-backup");
	assert_int_equal(p->kind, WR_PROBE_SCRAPE);
	assert_string_equal(p->metric, "backup_age");
	assert_string_equal(p->labels[0].value, "us");
	assert_string_equal(c->facts[2].name, "chain");
	assert_string_equal(c->facts[2].probe.query, "min(chain_ok{platform=\"x\"})");
	assert_string_equal(wr_expr_text(c->facts[2].need), "value == true");
	p = &c->facts[3].probe;
	assert_int_equal(p->argc, 3);
	assert_string_equal(p->argv[2], "$HOME");
	assert_null(p->argv[3]);
	assert_null(c->facts[3].need);
	snprintf(want, sizeof want, "${file:%s/sub/secret}", x->dir);
	assert_string_equal(c->facts[4].probe.env[0].value, want);
	assert_string_equal(c->facts[4].name, "eu-capacity");
	unsetenv("WR_TEST_TOKEN");
}

static void test_links_and_quotas(void **state)
{
	fixture *x = *state;
	const wr_config *c = fx_load_text(
	    x, FX_BASE
	    "links:\n"
	    "  - name: pg\n"
	    "    kind: postgres\n"
	    "    from: us\n"
	    "    to: eu\n"
	    "    rpo: 30s\n"
	    "    seconds: {http: {url: \"${to.api}/lag/${from}\", pointer: /s}}\n"
	    "    state: {http: \"${to.api}/state\", ok: value == 'streaming'}\n"
	    "  - {name: pg, from: eu, to: us, rpo: 0, sync: true, bytes: {http: \"${to.api}/b\"}}\n"
	    "quotas:\n"
	    "  - {name: fleet, percent: {http: \"${var.control}/q\"}, alert: 87.5%}\n"
	    "  - {name: cpu, layer: region, region: eu, percent: {http: \"${region.api}/q\"},\n"
	    "     after_shift: {http: \"${region.api}/q2\"}}\n");
	fx_expect_loaded(x);
	assert_int_equal(c->link_count, 2);
	const wr_link *k = &c->links[0];
	assert_string_equal(k->seconds.url, "http://eu.test/lag/us");
	assert_true(k->has_seconds && k->has_state && !k->has_bytes && !k->has_receipts);
	assert_string_equal(wr_expr_text(k->state_ok), "value == 'streaming'");
	assert_int_equal(k->rpo_ms, 30000);
	assert_true(c->links[1].sync);
	assert_string_equal(c->links[1].kind, "custom");
	assert_true(c->quotas[0].alert_percent == 87.5);
	assert_true(!c->quotas[0].has_after && c->quotas[1].has_after);
	assert_true(c->quotas[1].alert_percent == 80);
	assert_string_equal(c->quotas[1].after_shift.url, "http://eu.test/q2");
}

static void test_traffic_and_notify(void **state)
{
	fixture *x = *state;
	const wr_config *c = fx_load_text(
	    x,
	    FX_BASE "traffic:\n"
	            "  - {name: lb, provider: haproxy, address: \"unix:run/ha.sock\", backend: be,\n"
	            "     servers: {us: a, eu: b}, ttl: 1m}\n"
	            "  - {name: lb2, provider: haproxy, address: \"tcp:127.0.0.1:9999\", backend: be,\n"
	            "     servers: {us: a, eu: b}}\n"
	            "  - {name: edge, provider: http, url: \"${var.control}/w\", regions: [eu]}\n"
	            "  - {name: dns, provider: exec, get: [/bin/dns, get], set: [/bin/dns, set]}\n"
	            "notify:\n"
	            "  - {name: slack, kind: slack, url: \"${env:SLACK_URL}\"}\n"
	            "  - {name: hook, url: \"https://x.test/h?k=${file:k}\", headers: {X-Token: "
	            "\"${env:T}\"}}\n");
	fx_expect_loaded(x);
	char want[256];
	snprintf(want, sizeof want, "unix:%s/run/ha.sock", x->dir);
	assert_string_equal(c->traffic[0].address, want);
	assert_int_equal(c->traffic[0].ttl_s, 60);
	assert_string_equal(c->traffic[0].servers[1].key, "eu");
	assert_string_equal(c->traffic[0].servers[1].value, "b");
	assert_int_equal(c->traffic[0].region_count, 2);
	assert_string_equal(c->traffic[2].address, "http://127.0.0.1:9/w");
	assert_int_equal(c->traffic[2].region_count, 1);
	assert_string_equal(c->traffic[3].set_argv[1], "set");
	assert_null(c->traffic[3].set_argv[2]);
	assert_int_equal(c->traffic[3].region_count, 2);
	assert_string_equal(c->notify[0].kind, "slack");
	assert_string_equal(c->notify[1].kind, "webhook");
	assert_ptr_equal(wr_config_notify(c, "hook"), &c->notify[1]);
}

static void test_all_errors_at_once(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x,
	                         "platfrom: a\n"
	                         "verdict: {min_classes: many, sustained: 5 minutes, cooldown: -1s}\n"
	                         "regions:\n"
	                         "  - {name: us, role: primary}\n"
	                         "  - {name: us, role: standbye}\n"
	                         "signals:\n"
	                         "  - {name: s, region: su, class: sythetic, http: \"ftp://x\"}\n"
	                         "  - {name: s, region: us, class: mesh, interval: 0}\n"));
	fx_expect_error(x, "platfrom", "did you mean \"platform\"?");
	fx_expect_error(x, "platform", "missing");
	fx_expect_error(x, "verdict.min_classes", "whole number");
	fx_expect_error(x, "verdict.sustained", "expected a duration");
	fx_expect_error(x, "verdict.cooldown", "expected a duration");
	fx_expect_error(x, "regions[1].name", "already taken");
	fx_expect_error(x, "regions[1].role", "did you mean \"standby\"?");
	fx_expect_error(x, "signals[0].region", "unknown region \"su\": did you mean \"us\"?");
	fx_expect_error(x, "signals[0].class", "did you mean \"synthetic\"?");
	fx_expect_error(x, "signals[0].http.url", "http:// or https://");
	fx_expect_error(x, "signals[1].name", "already taken");
	fx_expect_error(x, "signals[1]", "expected one of http, scrape, promql, exec");
	fx_expect_error(x, "signals[1].interval", "a duration from 100ms");
	assert_int_equal(fx_find(x, true, "signals[0].class", "")->line, 7);
	assert_int_equal(x->f.errors, 13);
}

static void test_findings_print_as_lines(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, FX_BASE "enigne: {}\n"));
	char *text = NULL, want[256];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	wr_findings_print(&x->f, f);
	fclose(f);
	snprintf(want, sizeof want, "%s:12: enigne: unknown key: did you mean \"engine\"?\n", x->path);
	assert_string_equal(text, want);
	free(text);
}

typedef struct bad {
	const char *yaml, *key, *text;
} bad;

static void check_bad(fixture *x, const bad *rows, size_t count)
{
	char *s = malloc(1 << 16);
	assert_non_null(s);
	for (size_t i = 0; i < count; i++) {
		snprintf(s, 1 << 16, "%s%s", FX_BASE FX_TRAFFIC, rows[i].yaml);
		if (fx_load_text(x, s) != NULL) fail_msg("accepted: %s", rows[i].yaml);
		fx_expect_error(x, rows[i].key, rows[i].text);
	}
	free(s);
}

#define CHECK_BAD(rows) check_bad(*state, rows, sizeof rows / sizeof rows[0])

static void test_wrong_types(void **state)
{
	static const bad rows[] = {
	    {"engine: fast\n", "engine", "expected socket"},
	    {"engine:\n", "engine", "found nothing"},
	    {"engine: []\n", "engine", "found a list"},
	    {"engine: {tick: [1s]}\n", "engine.tick", "found a list"},
	    {"engine: {tick: 250}\n", "engine.tick", "expected a duration"},
	    {"engine: {tick: 0s}\n", "engine.tick", "a duration from 10ms"},
	    {"engine: {tick: ~}\n", "engine.tick", "found nothing"},
	    {"engine: {socket: {a: b}}\n", "engine.socket", "expected text, found a mapping"},
	    {"engine: {socket: \"${var.control}\"}\n", "engine.socket", "not accepted here"},
	    {"services: {a: b}\n", "services", "expected a list, found a mapping"},
	    {"services: [web]\n", "services[0]", "expected a service"},
	    {"services: [[web]]\n", "services[0]", "found a list"},
	    {"services: [{name: a b, rto: 1m, rpo: 1m}]\n", "services[0].name", "expected a name"},
	    {"services: [{name: web, tier: 4, rto: 1m, rpo: 1m}]\n", "services[0].tier", "from 0 to 3"},
	    {"services: [{name: web, tier: \"1\", rto: 1m, rpo: 1m}]\n", "services[0].tier", "whole"},
	    {"services: [{name: web, rto: 1m}]\n", "services[0].rpo", "missing"},
	    {"services: [{name: web, rto: 0, rpo: 1m}]\n", "services[0].rto", "a duration from"},
	    {"services: [{name: web, rto: 1m, rpo: 1m, regions: [us, us]}]\n", "services[0].regions[1]",
	     "already taken"},
	    {"vars2: {}\n", "vars2", "did you mean \"vars\"?"},
	    {"links: [{name: a, from: us, to: us, rpo: 1s, seconds: {http: \"http://x/\"}}]\n",
	     "links[0].to", "from one region to another"},
	    {"links: [{name: a, from: us, to: eu, rpo: 1s}]\n", "links[0]", "at least one of seconds"},
	    {"links: [{name: a, from: us, to: eu, rpo: 1s, seconds: \"http://x/\"}]\n",
	     "links[0].seconds", "a probe"},
	    {"links: [{name: a, from: us, to: eu, rpo: 1s, sync: yes, bytes: {http: \"http://x/\"}}]\n",
	     "links[0].sync", "true or false"},
	    {"links: [{name: a, from: us, to: eu, rpo: 1s, state: {http: \"http://x/\"}}]\n",
	     "links[0].state.ok", "missing"},
	    {"facts: [{kind: custom, http: \"http://x/\"}]\n", "facts[0].need", "missing"},
	    {"facts: [{kind: capacity, http: \"http://x/\"}]\n", "facts[0].region", "missing"},
	    {"facts: [{kind: capacity, region: us, need: value >> 1, http: \"http://x/\"}]\n",
	     "facts[0].need", "column 8"},
	    {"quotas: [{name: q, percent: {http: \"http://x/\"}, alert: 101}]\n", "quotas[0].alert",
	     "percentage"},
	    {"quotas: [{name: q, percent: {http: \"http://x/\"}, alert: 8%0}]\n", "quotas[0].alert",
	     "percentage"},
	    {"quotas: [{name: q, layer: region, percent: {http: \"http://x/\"}}]\n", "quotas[0].region",
	     "missing"},
	    {"quotas: [{name: q}]\n", "quotas[0].percent", "missing"},
	    {"observer2: x\n", "observer2", "observer"},
	};
	CHECK_BAD(rows);
}

static void test_bad_probes(void **state)
{
#define S(probe) "references: [{name: r, " probe "}]\n"
#define F(probe) "facts: [{kind: chain, name: r, " probe "}]\n"
	static const bad rows[] = {
	    {F("http: \"http://x/\", exec: [a]"), "facts[0].exec", "there is http too"},
	    {F("http: \"http://x y/\""), "facts[0].http.url", "without blanks"},
	    {F("http: \"http://\""), "facts[0].http.url", "a host"},
	    {F("http: \"http://:80/\""), "facts[0].http.url", "a host"},
	    {F("http: \"HTTP//x\""), "facts[0].http.url", "http://"},
	    {F("http: \"file:///etc/passwd\""), "facts[0].http.url", "http://"},
	    {F("http: \"http://user:pass@x/\""), "facts[0].http.url", "credentials"},
	    {F("http: \"http://x/\\r\\nHost: y\""), "facts[0].http.url", "control character"},
	    {F("http: \"http://x/${env:TOKEN}\""), "facts[0].http.url", "secrets"},
	    {F("http: \"http://x/${nope}\""), "facts[0].http.url", "unknown reference ${nope}"},
	    {F("http: \"http://x/${var.contro}\""), "facts[0].http.url", "did you mean \"control\""},
	    {F("http: \"http://x/${from}\""), "facts[0].http.url", "no meaning here"},
	    {F("http: \"http://x/${region}\""), "facts[0].http.url", "no meaning here"},
	    {F("http: \"http://x/${\""), "facts[0].http.url", "not closed"},
	    {F("http: {}"), "facts[0].http.url", "missing"},
	    {F("http: {url: \"http://x/\", method: DELETE}"), "facts[0].http.method",
	     "GET, HEAD, POST"},
	    {F("http: {url: \"http://x/\", body: x}"), "facts[0].http.body", "method: POST"},
	    {F("http: {url: \"http://x/\", pointer: a}"), "facts[0].http.pointer", "JSON pointer"},
	    {F("http: {url: \"http://x/\", pointer: /a~2}"), "facts[0].http.pointer", "~0"},
	    {F("http: {url: \"http://x/\", headers: {Authorization: Bearer abc}}"),
	     "facts[0].http.headers.Authorization", "a secret must not stand"},
	    {F("http: {url: \"http://x/\", headers: {X-Api-Key: \"${var.control}\"}}"),
	     "facts[0].http.headers.X-Api-Key", "a secret must not stand"},
	    {F("http: {url: \"http://x/\", headers: {x-auth-token: abc}}"),
	     "facts[0].http.headers.x-auth-token", "a secret must not stand"},
	    {F("http: {url: \"http://x/\", headers: {A: \"b\\nc\"}}"), "facts[0].http.headers.A",
	     "control character"},
	    {F("http: {url: \"http://x/\", headers: {\"A b\": c}}"), "facts[0].http.headers.A b",
	     "name of a header"},
	    {F("http: {url: \"http://x/\", headers: {Host: c}}"), "facts[0].http.headers.Host",
	     "set by warroom"},
	    {F("http: {url: \"http://x/\", headers: {A: b, a: c}}"), "facts[0].http.headers.a",
	     "already given"},
	    {F("http: {url: \"http://x/\", hedders: {}}"), "facts[0].http.hedders", "\"headers\""},
	    {F("scrape: {url: \"http://x/\"}"), "facts[0].scrape.metric", "missing"},
	    {F("scrape: {url: \"http://x/\", metric: a-b}"), "facts[0].scrape.metric", "metric"},
	    {F("promql: {url: \"http://x/\", query: \"\"}"), "facts[0].promql.query", "found nothing"},
	    {F("exec: []"), "facts[0].exec.argv", "expected a list"},
	    {F("exec: {argv: \"rm -rf /\"}"), "facts[0].exec.argv", "expected a list"},
	    {F("exec: [\"\"]"), "facts[0].exec.argv", "the program"},
	    {F("exec: [a, \"${env:TOKEN}\"]"), "facts[0].exec[1]", "secrets"},
	    {F("exec: [a, \"x\\0y\"]"), "facts[0].exec[1]", "NUL"},
	    {F("exec: {argv: [a], env: {\"A=B\": c}}"), "facts[0].exec.env.A=B", "environment"},
	    {F("http: \"http://x/\", timeout: 0"), "facts[0].timeout", "a duration from"},
	    {F("http: \"http://x/\", interval: 99ms"), "facts[0].interval", "a duration from 100ms"},
	};
	CHECK_BAD(rows);
#undef F
#undef S
}

static void test_bad_regions(void **state)
{
	fixture *x = *state;
	static const bad rows[] = {
	    {"", "regions", "missing"},
	    {"regions: []\n", "regions", "at least one region"},
	    {"regions: x\n", "regions", "expected a list"},
	    {"regions: [{name: a}]\n", "regions", "exactly one region with role: primary, found 0"},
	    {"regions: [{name: a, role: primary}, {name: b, role: primary}]\n", "regions", "found 2"},
	    {"regions: [{name: -a, role: primary}]\n", "regions[0].name", "expected a name"},
	    {"regions: [{name: a, role: primary, vars: {x: \"${env:Y}\"}}]\n", "regions[0].vars.x",
	     "secrets"},
	    {"vars: {a: \"${var.b}\"}\n", "vars.a", "not accepted here"},
	    {"vars: {a: [1]}\n", "vars.a", "expected text"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char s[512];
		snprintf(s, sizeof s, "platform: p\n%s", rows[i].yaml);
		assert_null(fx_load_text(x, s));
		fx_expect_error(x, rows[i].key, rows[i].text);
	}
	char s[4096] = "platform: p\nregions:\n";
	for (int i = 0; i < 17; i++)
		snprintf(s + strlen(s), sizeof s - strlen(s), "  - {name: r%d%s}\n", i,
		         i == 0 ? ", role: primary" : "");
	assert_null(fx_load_text(x, s));
	fx_expect_error(x, "regions", "at most 16 entries, found 17");
}

static void test_bad_traffic_and_notify(void **state)
{
	static const bad rows[] = {
	    {"notify: [{name: n, url: \"https://hooks.slack.com/services/T/B/X\"}]\n", "notify[0].url",
	     "is a secret"},
	    {"notify: [{name: n, kind: email, url: \"http://x/\"}]\n", "notify[0].kind", "one of"},
	    {"notify: [{name: n, url: \"mailto:x\"}]\n", "notify[0].url", "http://"},
	    {"residency: {allow: [{from: mars, to: eu}]}\n", "residency.allow[0].from",
	     "unknown residency"},
	    {"residency: {deny_failover: [{service: x, to: eu}]}\n",
	     "residency.deny_failover[0].service", "unknown service or group"},
	    {"residency: {deny_failover: [{service: x, to: mars}]}\n", "residency.deny_failover[0].to",
	     "unknown region"},
	    {"guards: {advisory: [\"Keys !\"]}\n", "guards.advisory[0]", "name of a guard"},
	    {"guards: {advisory: keys}\n", "guards.advisory", "expected a list"},
	};
	CHECK_BAD(rows);
	fixture *x = *state;
#define T(rest) FX_BASE "traffic: [{name: t, " rest "}]\n"
	static const bad providers[] = {
	    {T("provider: nginx"), "traffic[0].provider", "one of haproxy, http, exec"},
	    {T("provider: haproxy, address: \"/x\", backend: b, servers: {us: a}"),
	     "traffic[0].address", "unix:/path"},
	    {T("provider: haproxy, address: \"tcp:x\", backend: b, servers: {us: a}"),
	     "traffic[0].address", "tcp:HOST:PORT"},
	    {T("provider: haproxy, address: \"tcp:x:1\", servers: {us: a}"), "traffic[0].backend",
	     "missing"},
	    {T("provider: haproxy, address: \"tcp:x:1\", backend: b"), "traffic[0].servers", "missing"},
	    {T("provider: haproxy, address: \"tcp:x:1\", backend: b, servers: {su: a}"),
	     "traffic[0].servers.su", "did you mean \"us\"?"},
	    {T("provider: http"), "traffic[0].url", "missing"},
	    {T("provider: http, url: \"http://x/\", backend: b"), "traffic[0].backend", "unknown key"},
	    {T("provider: exec, get: [a]"), "traffic[0].set", "missing"},
	    {T("provider: exec, get: a, set: [a]"), "traffic[0].get", "expected a list"},
	};
#undef T
	for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
		assert_null(fx_load_text(x, providers[i].yaml));
		fx_expect_error(x, providers[i].key, providers[i].text);
	}
}

static void test_signal_regions(void **state)
{
	static const bad rows[] = {
	    {"facts: [{kind: keys, regions: [us, su], http: \"http://x/\"}]\n", "facts[0].regions[1]",
	     "did you mean \"us\""},
	    {"facts: [{kind: keys, regions: [], http: \"http://x/\"}]\n", "facts[0].regions",
	     "at least one"},
	    {"facts: [{kind: keys, regions: every, http: \"http://x/\"}]\n", "facts[0].regions",
	     "expected a list"},
	    {"facts: [{kind: keys, region: us, regions: all, http: \"http://x/\"}]\n",
	     "facts[0].regions", "found both"},
	    {"facts: [{kind: keys, name: same, regions: all, http: \"http://x/\"}]\n", "facts[0].name",
	     "already taken"},
	    {"facts: [{kind: keys, name: \"a ${region}\", regions: all, http: \"http://x/\"}]\n",
	     "facts[0].name", "expected a name"},
	    {"facts: [{kind: keys, regions: all, http: \"${region.apu}/\"}]\n", "facts[0].http.url",
	     "region us has no variable \"apu\": did you mean \"api\"?"},
	};
	CHECK_BAD(rows);
}

static void test_hostile_text_is_sanitised(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, FX_BASE "\"\\e[31mred\": 1\nservices: [{name: \"\\e]0;x\\a\"}]\n"
	                                    "engine: {tick: \"\\u202e5s\"}\n"));
	for (size_t i = 0; i < x->f.count; i++) {
		const wr_finding *y = &x->f.items[i];
		for (const char *s = y->text; *s != '\0'; s++) assert_true((unsigned char)*s >= 0x20);
		for (const char *s = y->key; *s != '\0'; s++) assert_true((unsigned char)*s >= 0x20);
		assert_null(strstr(y->text, "\xe2\x80\xae"));
	}
}

static void test_long_names_do_not_overflow(void **state)
{
	fixture *x = *state;
	char *s = malloc(1 << 16), *word = malloc(4001);
	assert_non_null(s);
	assert_non_null(word);
	memset(word, 'k', 4000);
	word[4000] = '\0';
	snprintf(s, 1 << 16, "%sservices: [{name: %s, rto: 1s, rpo: 1s}]\n", FX_BASE, word);
	assert_null(fx_load_text(x, s));
	fx_expect_error(x, "services[0].name", "longer than 2047");
	word[2000] = '\0';
	snprintf(s, 1 << 16, "%s%s: {%s: 1}\n", FX_BASE, word, word);
	assert_null(fx_load_text(x, s));
	snprintf(s, 1 << 16, "%slinks: [{name: a, from: %s, to: eu, rpo: 1s}]\n", FX_BASE, word);
	assert_null(fx_load_text(x, s));
	free(s);
	free(word);
}

static void test_socket_path_must_fit(void **state)
{
	fixture *x = *state;
	char s[1024], word[120];
	memset(word, 's', sizeof word);
	word[sizeof word - 1] = '\0';
	snprintf(s, sizeof s, "%sengine: {socket: /%s}\n", FX_BASE, word);
	assert_null(fx_load_text(x, s));
	fx_expect_error(x, "engine.socket", "at most 107 bytes");
}

static void test_hash_covers_every_file(void **state)
{
	fixture *x = *state;
	uint8_t first[32];
	static const char book[] = "name: r\nsteps: [{name: s, manual: {ask: look}}]\n";
	fx_put(x, "r.yaml", book);
	fx_load_text(x, FX_BASE "runbooks: [r.yaml]\n");
	fx_expect_loaded(x);
	memcpy(first, x->c->hash, 32);
	fx_load(x);
	assert_memory_equal(first, x->c->hash, 32);
	fx_put(x, "r.yaml", "name: r\nsteps: [{name: s, manual: {ask: Look}}]\n");
	fx_load(x);
	fx_expect_loaded(x);
	assert_memory_not_equal(first, x->c->hash, 32);
	fx_put(x, "r.yaml", book);
	fx_load_text(x, FX_BASE "runbooks: [r.yaml] \n");
	assert_memory_not_equal(first, x->c->hash, 32);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_minimal_and_defaults),
	    T(test_signals_for_each_region),
	    T(test_every_probe),
	    T(test_links_and_quotas),
	    T(test_traffic_and_notify),
	    T(test_all_errors_at_once),
	    T(test_findings_print_as_lines),
	    T(test_wrong_types),
	    T(test_bad_probes),
	    T(test_bad_regions),
	    T(test_bad_traffic_and_notify),
	    T(test_signal_regions),
	    T(test_hostile_text_is_sanitised),
	    T(test_long_names_do_not_overflow),
	    T(test_socket_path_must_fit),
	    T(test_hash_covers_every_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
