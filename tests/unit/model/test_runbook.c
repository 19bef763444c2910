/* test_runbook.c: runbooks and their steps. */
#include "fixture.h"

#define HEAD FX_BASE FX_TRAFFIC "notify: [{name: ops, url: \"${env:U}\"}]\n"

/* Wraps steps into the only runbook. */
static wr_config *load_steps(fixture *x, const char *steps)
{
	char s[8192];
	snprintf(s, sizeof s, "%srunbooks:\n  - name: r\n    kind: failover\n    steps:\n%s\n", HEAD,
	         steps);
	return fx_load_text(x, s);
}

static void test_every_kind(void **state)
{
	fixture *x = *state;
	const wr_config *c = load_steps(
	    x,
	    "      - {name: a, phase: freeze, http: {method: POST, url: \"${to.api}/f\", body: "
	    "'{\"r\":\"${from}\"}',\n"
	    "         expect_status: [200, 409], pointer: /ok, expect: value == true}}\n"
	    "      - {name: b, exec: {argv: [/bin/x, \"${from}\"], env: {T: \"${env:T}\"}, cwd: sub, "
	    "expect: exit_code == 0}}\n"
	    "      - {name: c, phase: shift, traffic: {provider: edge, weights: {\"${from}\": 0, "
	    "\"${to}\": 100}}}\n"
	    "      - {name: d, wait: {http: \"${to.api}/h\", until: status == 200, every: 250ms, hold: "
	    "2s}, timeout: 1m}\n"
	    "      - {name: e, soak: {duration: 1m, gates: [\"${to}-a\", us-b], min_samples: 7}}\n"
	    "      - {name: f, manual: {ask: \"Call ${to}\"}}\n"
	    "      - {name: g, notify: {channel: ops, text: \"${from} → ${to}\"}, optional: true}\n");
	fx_expect_loaded(x);
	const wr_runbook *r = wr_config_runbook(c, "r");
	assert_non_null(r);
	assert_ptr_equal(r, wr_config_runbook_for(c, WR_RB_FAILOVER, "main"));
	assert_ptr_equal(r, wr_config_runbook_for(c, WR_RB_FAILOVER, NULL));
	assert_null(wr_config_runbook_for(c, WR_RB_FAILOVER, "other"));
	assert_int_equal(r->step_count, 7);
	assert_string_equal(r->title, "r");
	const wr_step *s = r->steps;
	assert_int_equal(s[0].action.kind, WR_STEP_HTTP);
	assert_string_equal(s[0].action.http.url, "${to.api}/f");
	assert_string_equal(s[0].action.http.body, "{\"r\":\"${from}\"}");
	assert_int_equal(s[0].action.expect_count, 2);
	assert_int_equal(s[0].action.expect_status[1], 409);
	assert_string_equal(wr_expr_text(s[0].action.expect), "value == true");
	assert_int_equal(s[0].phase, WR_PHASE_FREEZE);
	assert_int_equal(s[0].step_class, WR_OPAQUE);
	assert_int_equal(s[0].timeout_ms, 30000);
	assert_int_equal(s[0].on_failure, WR_FAIL_HOLD);
	char want[256];
	snprintf(want, sizeof want, "%s/sub", x->dir);
	assert_string_equal(s[1].action.cwd, want);
	assert_string_equal(s[1].action.http.argv[1], "${from}");
	assert_int_equal(s[2].action.weight_count, 2);
	assert_string_equal(s[2].action.weights[1].region, "${to}");
	assert_int_equal(s[2].action.weights[1].percent, 100);
	assert_int_equal(s[2].step_class, WR_IDEMPOTENT);
	assert_int_equal(s[3].action.every_ms, 250);
	assert_int_equal(s[3].action.hold_ms, 2000);
	assert_int_equal(s[4].action.gate_count, 2);
	assert_int_equal(s[4].action.min_samples, 7);
	assert_int_equal(s[4].timeout_ms, 360000);
	assert_string_equal(s[5].action.ask, "Call ${to}");
	assert_int_equal(s[6].on_failure, WR_FAIL_CONTINUE);
	assert_string_equal(s[6].action.channel, "ops");
}

static void test_conduct(void **state)
{
	fixture *x = *state;
	const wr_config *c =
	    load_steps(x, "      - name: a\n"
	                  "        why: |\n          Two\n          lines.\n"
	                  "        http: {url: \"http://x/\", method: PUT}\n"
	                  "        probe: {http: {url: \"http://x/\", pointer: /done}, until: value}\n"
	                  "        rollback: {traffic: {weights: {us: 100, eu: 0}}}\n"
	                  "        retries: 3\n        backoff: 250ms\n        on_failure: rollback\n"
	                  "        usual: 5s\n        timeout: 20s\n"
	                  "      - {name: b, http: \"http://x/\"}\n"
	                  "      - {name: c, http: {url: \"http://x/\"}}\n");
	assert_null(c);
	fx_expect_error(x, "runbooks[0].steps[1].http", "expected {method: …, url: …} (a mapping");
	c = load_steps(x, "      - name: a\n"
	                  "        why: |\n          Two\n          lines.\n"
	                  "        http: {url: \"http://x/\", method: PUT}\n"
	                  "        probe: {http: {url: \"http://x/\", pointer: /done}, until: value}\n"
	                  "        rollback: {traffic: {weights: {us: 100, eu: 0}}}\n"
	                  "        retries: 3\n        backoff: 250ms\n        on_failure: rollback\n"
	                  "        usual: 5s\n        timeout: 20s\n"
	                  "      - {name: c, http: {url: \"http://x/\"}}\n");
	fx_expect_loaded(x);
	const wr_step *s = c->runbooks[0].steps;
	assert_string_equal(s[0].why, "Two\nlines.\n");
	assert_int_equal(s[0].step_class, WR_PROBEABLE);
	assert_true(s[0].has_probe && s[0].has_rollback);
	assert_int_equal(s[0].probe.kind, WR_STEP_WAIT);
	assert_string_equal(s[0].rollback.traffic, "edge");
	assert_int_equal(s[0].retries, 3);
	assert_int_equal(s[0].backoff_ms, 250);
	assert_int_equal(s[0].on_failure, WR_FAIL_ROLLBACK);
	assert_int_equal(s[0].usual_ms, 5000);
	assert_int_equal(s[1].step_class, WR_IDEMPOTENT);
}

static void test_bad_steps(void **state)
{
	fixture *x = *state;
#define STEP(rest) "      - {name: s, " rest "}\n"
	static const struct {
		const char *steps, *key, *text;
	} rows[] = {
	    {"      []", "steps", "at least one step"},
	    {STEP("htpp: {}"), "steps[0].htpp", "did you mean \"http\"?"},
	    {STEP("why: x"), "steps[0]", "expected what to do"},
	    {STEP("teleport: {}"), "steps[0].teleport", "unknown key"},
	    {STEP("http: {url: \"http://x/\"}, manual: {ask: x}"), "steps[0].manual", "there is http"},
	    {STEP("manual: {}"), "steps[0].manual.ask", "missing"},
	    {STEP("manual: {ask: x}, phase: explode"), "steps[0].phase", "one of other, prove"},
	    {STEP("manual: {ask: x}, timeout: 0"), "steps[0].timeout", "a duration from"},
	    {STEP("manual: {ask: x}, timeout: 0s"), "steps[0].timeout", "a duration from"},
	    {STEP("manual: {ask: x}, retries: -1"), "steps[0].retries", "whole number from 0"},
	    {STEP("manual: {ask: x}, class: maybe"), "steps[0].class", "one of idempotent"},
	    {STEP("manual: {ask: x}, on_failure: panic"), "steps[0].on_failure", "one of hold"},
	    {STEP("manual: {ask: x}, optional: true, on_failure: hold"), "steps[0].on_failure",
	     "optional step continues"},
	    {STEP("http: {url: \"http://x/\"}, class: probeable"), "steps[0].probe", "missing"},
	    {STEP("http: {url: \"http://x/\"}, probe: {until: value}"), "steps[0].probe",
	     "one of http, exec"},
	    {STEP("http: {url: \"http://x/\"}, probe: {http: \"http://x/\"}"), "steps[0].probe.until",
	     "missing"},
	    {STEP("http: {url: \"http://x/\"}, rollback: {soak: {duration: 5s}}"),
	     "steps[0].rollback.soak", "cannot undo"},
	    {STEP("http: {url: \"http://x/\"}, rollback: {}"), "steps[0].rollback", "what to do"},
	    {STEP("http: {url: \"http://x/\", expect_status: 99}"), "steps[0].http.expect_status",
	     "100 to 599"},
	    {STEP("http: {url: \"http://x/\", expect_status: [1,2,3,4,5,6,7,8,9]}"),
	     "steps[0].http.expect_status", "at most 8"},
	    {STEP("http: {url: \"${from.nope}/\"}"), "steps[0].http.url",
	     "region us has no variable \"nope\""},
	    {STEP("http: {url: \"${from}/\"}"), "steps[0].http.url",
	     "http:// or https:// (\"us/\", from us to eu)"},
	    {STEP("http: {url: \"${region.api}/\"}"), "steps[0].http.url", "no meaning here"},
	    {STEP("exec: {argv: [x, \"${env:TOKEN}\"]}"), "steps[0].exec.argv[1]", "secrets"},
	    {STEP("exec: {argv: [x], cwd: \"${env:TOKEN}\"}"), "steps[0].exec.cwd", "secrets"},
	    {STEP("exec: {argv: [x], shell: true}"), "steps[0].exec.shell", "unknown key"},
	    {STEP("manual: {ask: \"${env:TOKEN}\"}"), "steps[0].manual.ask", "secrets"},
	    {STEP("manual: {ask: \"${frm}\"}"), "steps[0].manual.ask", "unknown reference ${frm}"},
	    {STEP("wait: {http: \"http://x/\"}"), "steps[0].wait.until", "missing"},
	    {STEP("wait: {scrape: {}, until: value}"), "steps[0].wait.scrape", "unknown key"},
	    {STEP("wait: {http: \"http://x/\", until: value, every: 0}"), "steps[0].wait.every",
	     "a duration from"},
	    {STEP("wait: {http: \"http://x/\", until: value, hold: 1m}, timeout: 30s"),
	     "steps[0].timeout", "before hold is over"},
	    {STEP("soak: {}"), "steps[0].soak.duration", "missing"},
	    {STEP("soak: {duration: 10m}, timeout: 1m"), "steps[0].timeout", "before its soak"},
	    {STEP("soak: {duration: 10m, gates: [us-c]}"), "steps[0].soak.gates", "unknown signal"},
	    {STEP("soak: {duration: 10m, gates: [\"${to}-x\"]}"), "steps[0].soak.gates",
	     "unknown signal \"eu-x\": did you mean \"eu-a\"?"},
	    {STEP("notify: {channel: opps, text: x}"), "steps[0].notify.channel",
	     "unknown notify channel \"opps\": did you mean \"ops\"?"},
	    {STEP("traffic: {provider: egde, weights: {us: 0, eu: 100}}"), "steps[0].traffic.provider",
	     "did you mean \"edge\"?"},
	    {STEP("traffic: {}"), "steps[0].traffic.weights", "missing"},
	    {STEP("traffic: {weights: {us: 0, eu: 99}}"), "steps[0].traffic.weights",
	     "sum to 100, found 99"},
	    {STEP("traffic: {weights: {us: 100, us: 0}}"), "steps[0].traffic.weights.us",
	     "already given"},
	    {STEP("traffic: {weights: {us: 50, \"${from}\": 50}}"), "steps[0].traffic.weights",
	     "names us twice"},
	    {STEP("traffic: {weights: {us: 50, su: 50}}"), "steps[0].traffic.weights.su",
	     "unknown region"},
	    {STEP("traffic: {weights: {us: -1, eu: 101}}"), "steps[0].traffic.weights.us",
	     "whole number from 0 to 100"},
	    {STEP("manual: {ask: x}}\n      - {name: s, manual: {ask: y}"), "steps[1].name",
	     "already taken"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char key[128];
		snprintf(key, sizeof key, "runbooks[0].%s", rows[i].key);
		if (load_steps(x, rows[i].steps) != NULL) fail_msg("accepted: %s", rows[i].steps);
		fx_expect_error(x, key, rows[i].text);
	}
}

static void test_runbook_files(void **state)
{
	fixture *x = *state;
	fx_put(x, "good.yaml",
	       "name: good\nkind: other\nreviewed: 2026-01-25\nowner: ops\n"
	       "prerequisites: [one, two]\nsteps: [{name: s, manual: {ask: look}}]\n");
	const wr_config *c = fx_load_text(x, HEAD "runbooks: [good.yaml]\n");
	fx_expect_loaded(x);
	assert_int_equal(c->runbooks[0].prerequisite_count, 2);
	char want[256];
	snprintf(want, sizeof want, "%s/good.yaml", x->dir);
	assert_string_equal(c->runbooks[0].file, want);
	fx_put(x, "bad.yaml", "name: bad\nkind: failovr\nreviewed: yesterday\nsteps:\n  - {nmae: s}\n");
	fx_put(x, "broken.yaml", "name: [\n");
	fx_put(x, "empty.yaml", "");
	assert_null(fx_load_text(x, HEAD "runbooks:\n  - bad.yaml\n  - missing.yaml\n  - broken.yaml\n"
	                                 "  - empty.yaml\n  - good.yaml\n  - good.yaml\n  - 7: 8\n"));
	const wr_finding *f = fx_find(x, true, "kind", "did you mean \"failover\"?");
	assert_non_null(f);
	snprintf(want, sizeof want, "%s/bad.yaml", x->dir);
	assert_string_equal(f->file, want);
	assert_int_equal(f->line, 2);
	fx_expect_error(x, "reviewed", "expected a date");
	fx_expect_error(x, "steps[0].nmae", "did you mean \"name\"?");
	fx_expect_error(x, "runbooks[1]", "missing.yaml");
	fx_expect_error(x, "", "not valid YAML");
	fx_expect_error(x, "", "the file is empty");
	fx_expect_error(x, "name", "already taken");
	fx_expect_error(x, "runbooks[6].7", "unknown key");
	/* A runbook does not name further files, and cannot be the configuration itself. */
	assert_null(fx_load_text(x, HEAD "runbooks: [warroom.yaml]\n"));
	fx_expect_error(x, "platform", "unknown key");
}

static void test_text_is_sanitised(void **state)
{
	fixture *x = *state;
	const wr_config *c = load_steps(
	    x, "      - {name: s, why: \"\\e[2Jgone\\u202e\", manual: {ask: \"a\\rb\\nc\"}}\n");
	fx_expect_loaded(x);
	const wr_step *s = c->runbooks[0].steps;
	assert_null(strchr(s->why, '\x1b'));
	assert_null(strstr(s->why, "\xe2\x80\xae"));
	assert_null(strchr(s->action.ask, '\r'));
	assert_non_null(strchr(s->action.ask, '\n'));
}

static void test_runbook_for_is_unambiguous(void **state)
{
	fixture *x = *state;
#define BOOK(name, group)                                                                          \
	"  - {name: " name ", kind: failover, group: " group ", steps: [{name: s, manual: {ask: "      \
	"x}}]}\n"
	const wr_config *c = fx_load_text(x, HEAD "runbooks:\n" BOOK("a", "g") BOOK("b", "h"));
	fx_expect_loaded(x);
	assert_string_equal(wr_config_runbook_for(c, WR_RB_FAILOVER, "h")->name, "b");
	assert_null(wr_config_runbook_for(c, WR_RB_FAILOVER, NULL));
	assert_null(wr_config_runbook_for(c, WR_RB_FAILBACK, "g"));
	c = fx_load_text(x, HEAD "runbooks:\n" BOOK("a", "g") BOOK("b", "g"));
	fx_expect_loaded(x);
	assert_null(wr_config_runbook_for(c, WR_RB_FAILOVER, "g"));
#undef BOOK
}

static void test_too_many_steps(void **state)
{
	fixture *x = *state;
	char *s = malloc(1 << 16);
	size_t at = 0;
	assert_non_null(s);
	at += (size_t)snprintf(s, 1 << 16, "name: r\nsteps:\n");
	for (int i = 0; i < WR_MAX_STEPS + 1; i++)
		at += (size_t)snprintf(s + at, (1 << 16) - at, "  - {name: s%d, manual: {ask: x}}\n", i);
	fx_put(x, "r.yaml", s);
	free(s);
	assert_null(fx_load_text(x, HEAD "runbooks: [r.yaml]\n"));
	fx_expect_error(x, "steps", "at most 64 entries, found 65");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_every_kind),     T(test_conduct),           T(test_bad_steps),
	    T(test_runbook_files),  T(test_text_is_sanitised), T(test_runbook_for_is_unambiguous),
	    T(test_too_many_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
