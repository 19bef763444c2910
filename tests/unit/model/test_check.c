/* test_check.c: each warning fires on its mistake, and on nothing else. */
#include "fixture.h"

#define SERVICE "services: [{name: web, rto: 10m, rpo: 1m}]\n"
#define STEPS                                                                                      \
	"      - {name: fence, phase: fence, http: {url: \"http://x/\"}, usual: 1s}\n"                 \
	"      - {name: promote, phase: promote, http: {url: \"http://x/\"}, usual: 1s}\n"             \
	"      - {name: shift, phase: shift, traffic: {weights: {\"${from}\": 0, \"${to}\": 100}}}\n"
#define BACK         "  - {name: back, kind: failback, steps: [{name: s, manual: {ask: x}}]}\n"
#define BOOKS(steps) "runbooks:\n" BACK "  - name: r\n    kind: failover\n    steps:\n" steps
#define SIGNERS                                                                                    \
	"alice ssh-ed25519 "                                                                           \
	"AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"                       \
	"bob ssh-ed25519 "                                                                             \
	"AAAAC3NzaC1lZDI1NTE5AAAAIDJzoxHWYt+xqagNF6X0borLTGzuv0tCbf8uIT1tFvuT\n"
#define FACTS     "facts: [{kind: capacity, regions: all, http: \"http://x/\"}]\n"
#define BACK_LINK "  - {name: db, from: eu, to: us, rpo: 1m, seconds: {http: \"http://x/\"}}\n"
#define LINKS                                                                                      \
	"links:\n  - {name: db, from: us, to: eu, rpo: 1m, seconds: {http: "                           \
	"\"http://x/\"}}\n" BACK_LINK
#define UNLINKED FX_BASE FX_TRAFFIC SERVICE FX_PEOPLE FACTS BOOKS(STEPS)
#define GOOD     UNLINKED LINKS

static int setup(void **state)
{
	fx_setup(state);
	fx_put(*state, "allowed_signers", SIGNERS);
	return 0;
}

static void test_good_is_silent(void **state)
{
	fixture *x = *state;
	fx_load_text(x, GOOD);
	fx_expect_clean(x);
}

/* The good configuration with one text exchanged for another. */
static void swap(fixture *x, const char *was, const char *is)
{
	static const char good[] = GOOD;
	char s[16384];
	const char *at = strstr(good, was);
	assert_non_null(at);
	snprintf(s, sizeof s, "%.*s%s%s", (int)(at - good), good, is, at + strlen(was));
	fx_load_text(x, s);
	fx_expect_loaded(x);
}

static void test_one_mistake_each(void **state)
{
	fixture *x = *state;
	static const struct {
		const char *was, *is, *key, *text;
	} rows[] = {
	    {"class: mesh", "class: synthetic", "regions[0]", "1 class, but DOWN needs 2"},
	    {"  - {name: \"${region}-a\", regions: all", "  - {name: \"${region}-a\", region: us",
	     "regions[1]", "1 class, but DOWN needs 2"},
	    {"references:\n  - {name: world, http: \"http://127.0.0.1:8/\"}\n", "", "references",
	     "cannot tell a dead region from being cut off"},
	    {"observer: here\n", "observer: here\nverdict: {sustained: 29s}\n", "verdict.sustained",
	     "under 30 s"},
	    {"observer: here\n", "observer: here\nverdict: {min_classes: 1}\n", "verdict.min_classes",
	     "one class"},
	    {"observer: here\n", "observer: here\nverdict: {cooldown: 0}\n", "verdict.cooldown",
	     "at once"},
	    {"observer: here\n", "observer: here\nverdict: {stale_after: 4s}\n", "verdict.stale_after",
	     "shorter than the interval of signal us-a"},
	    {"observer: here\n", "observer: here\nguards: {advisory: [keys]}\n", "guards.advisory",
	     "guard keys does not block"},
	    {"rto: 10m", "rto: 10s", "services[0].rto", "no failover runbook can meet"},
	    {"name: web,", "name: web, group: g2,", "services[0]", "no failover runbook serves g"},
	    {"name: web,", "name: web, regions: [us],", "services[0].regions", "one region only"},
	    {"phase: fence,", "phase: other,", "runbooks[1].steps[1].phase",
	     "without an earlier fence"},
	    {"phase: fence, http: {url: \"http://x/\"}",
	     "phase: fence, http: {url: \"http://x/\"}, rollback: {http: {url: \"http://x/\"}}",
	     "runbooks[1].steps[0].rollback", "lift the fence"},
	    {"phase: fence, http: {url: \"http://x/\"}",
	     "phase: fence, optional: true, http: {url: \"http://x/\"}",
	     "runbooks[1].steps[0].optional", "fences nothing"},
	    {"phase: fence, http: {url: \"http://x/\"}", "phase: fence, soak: {duration: 60s}",
	     "runbooks[1].steps[0].phase", "a step of kind soak fences nothing"},
	    {"phase: promote, http: {url: \"http://x/\"}",
	     "phase: promote, retries: 2, http: {url: \"http://x/\", method: POST}",
	     "runbooks[1].steps[1].retries", "give it a probe"},
	    {"phase: shift, traffic", "phase: verify, traffic", "runbooks[1].steps[2].phase",
	     "need no approvals"},
	    {"traffic: {weights: {\"${from}\": 0, \"${to}\": 100}}", "manual: {ask: x}, usual: 1s",
	     "traffic[0]", "no runbook moves the traffic of edge"},
	    {"traffic: {weights: {\"${from}\": 0, \"${to}\": 100}}",
	     "traffic: {weights: {us: 0, eu: 100}}}\n      - {name: k, soak: {duration: 10s}",
	     "runbooks[1].steps[3].soak", "too short for 5 samples"},
	    {"kind: failback", "kind: other", "runbooks[1]", "no failback runbook"},
	    {"name: back,", "name: back, group: g3,", "runbooks[0].group", "no service is in group g3"},
	    {BACK_LINK, "", "regions[1]",
	     "every failback from eu to us will be blocked: no link from eu to us"},
	    {"regions: all, http: \"http://x/\"", "region: us, http: \"http://x/\"", "regions[1]",
	     "every failover from us to eu will be blocked: no fact of kind capacity for eu"},
	    {"principal: bob", "principal: bert", "operators.people[1].principal",
	     "bert is not in allowed_signers"},
	    {"url: \"http://127.0.0.1:7/\"", "url: \"https://x/\", regions: [us]",
	     "runbooks[1].steps[2].traffic", "no traffic in eu"},
	    {"http: \"http://127.0.0.1:8/\"", "http: {url: \"https://w/\", insecure: true}",
	     "references[0].http.insecure", "not checked"},
	    {"http: \"http://127.0.0.1:8/\"",
	     "http: {url: \"http://w/\", headers: {Authorization: \"${env:T}\"}}",
	     "references[0].http.url", "clear text"},
	    {"http: \"http://127.0.0.1:8/\"",
	     "http: \"http://127.0.0.1:8/\", interval: 1s, timeout: 2s", "references[0].timeout",
	     "longer than the interval"},
	    {"http: \"http://127.0.0.1:8/\"", "exec: {argv: [x], env: {DB_PASSWORD: hunter2}}",
	     "references[0].exec.env.DB_PASSWORD", "looks like a secret"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		swap(x, rows[i].was, rows[i].is);
		fx_expect_warning(x, rows[i].key, rows[i].text);
		const wr_finding *f = fx_find(x, false, rows[i].key, rows[i].text);
		assert_true(f->line > 0);
		/* Mistakes of regions come in twos at most: nothing else is complained about. */
		if (x->f.count > 3) {
			wr_findings_print(&x->f, stderr);
			fail_msg("too many warnings for row %zu", i);
		}
	}
}

static void test_links(void **state)
{
	fixture *x = *state;
	fx_load_text(x, UNLINKED
	             "links:\n"
	             "  - {name: a, from: us, to: eu, rpo: 0, seconds: {http: \"http://x/\"}}\n"
	             "  - {name: b, from: us, to: eu, rpo: 1s, bytes: {http: \"http://x/\"}}\n"
	             "  - {name: c, from: us, to: eu, rpo: 1m, state: {http: \"http://x/\", ok: "
	             "value}}\n"
	             "  - {name: d, from: us, to: eu, rpo: 0, sync: true, bytes: {http: "
	             "\"http://x/\"}}\n" BACK_LINK);
	fx_expect_loaded(x);
	fx_expect_warning(x, "links[0].rpo", "not sync");
	fx_expect_warning(x, "links[1].rpo", "shorter than the interval");
	fx_expect_warning(x, "links[2]", "loss of a move stays unknown");
	assert_int_equal(x->f.count, 3);
}

static void test_nobody_and_nothing(void **state)
{
	fixture *x = *state;
	fx_load_text(x, FX_BASE BOOKS("      - {name: s, manual: {ask: x}}\n"));
	fx_expect_warning(x, "operators", "nobody can approve");
	fx_load_text(x, "platform: p\nregions: [{name: a, role: primary}, {name: w, role: witness}]\n");
	fx_expect_warning(x, "regions[0]", "no signal watches a");
	assert_null(fx_find(x, false, "regions[1]", ""));
}

static void test_signers(void **state)
{
	fixture *x = *state;
	static const char signers[] = SIGNERS;
	char twice[512];
	snprintf(twice, sizeof twice, "%.*sbob %s", (int)strcspn(signers, "\n") + 1, signers,
	         &signers[strlen("alice ")]);
	*strchr(strchr(twice, '\n') + 1, '\n') = '\0';
	fx_put(x, "allowed_signers", twice);
	fx_load_text(x, GOOD);
	fx_expect_warning(x, "operators.people[0].principal", "same key as bob");
	fx_expect_warning(x, "operators.people[1].principal", "same key as alice");
	fx_put(x, "allowed_signers", "alice ssh-rsa AAAA\n");
	fx_load_text(x, GOOD);
	fx_expect_warning(x, "operators.allowed_signers", "allowed_signers:1");
}

static void test_no_warnings_beside_errors(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, "platform: p\nregions: [{name: a, role: primary}]\nx: 1\n"));
	assert_int_equal(x->f.errors, 1);
	assert_int_equal(x->f.warnings, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, fx_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_good_is_silent),     T(test_one_mistake_each), T(test_links),
	    T(test_nobody_and_nothing), T(test_signers),          T(test_no_warnings_beside_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
