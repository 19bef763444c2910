/* What the end of a program means, and what it is given. */
#include <sys/stat.h>

#include "act_server.h"

static int start(void **state)
{
	(void)state;
	setenv("TOKEN", "s3cret-token-value", 1);
	unsetenv("MISSING");
	return 0;
}

static wr_step_report sh(const char *script, const char *more)
{
	char step[2048];
	snprintf(
	    step, sizeof step,
	    "{'name':'promote','kind':'exec','timeout_ms':20000,'exec':{'argv':['/bin/sh','-c','%s']"
	    "%s%s}}",
	    script, *more ? "," : "", more);
	return run_step(step, 0);
}

static void exit_codes(void **state)
{
	(void)state;
	wr_step_report r = sh("echo out; echo err >&2; exit 0", "");
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(r.exit_code, 0);
	assert_int_equal(r.status, 0);
	assert_contains(r.output, "out\n");
	assert_contains(r.output, "err\n");
	r = sh("echo no; exit 3", "");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_int_equal(r.exit_code, 3);
	assert_string_equal(r.output, "no\n");
	/* No expectation makes a failure good. */
	r = sh("exit 3", "'expect':'exit_code == 3'");
	assert_outcome(&r, WR_OUT_FAILED);
}

static void killed_is_unknown(void **state)
{
	(void)state;
	wr_step_report r = sh("kill -9 $$", "");
	assert_outcome(&r, WR_OUT_UNKNOWN);
	assert_int_equal(r.exit_code, -1);
	r = run_step("{'kind':'exec','timeout_ms':300,'exec':{'argv':['sleep','600']}}", 0);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	assert_contains(r.error, "in time");
}

static void not_started_is_failed(void **state)
{
	(void)state;
	static const char *const specs[] = {
	    "'argv':['/no/such/program']",
	    "'argv':['no-such-program-in-path']",
	    "'argv':['./relative']",
	    "'argv':['/etc/passwd']",
	    "'argv':[]",
	    "'argv':'/bin/true'",
	    "'argv':['/bin/true',7]",
	    "'env':{}",
	    "'argv':['/bin/true'],'cwd':'/no/such/directory'",
	    "'argv':['/bin/echo','${env:TOKEN}']",
	    "'argv':['/bin/echo','${file:/etc/passwd}']",
	    "'argv':['/bin/true'],'env':{'A':'${env:MISSING}'}",
	    "'argv':['/bin/true'],'env':{'A=B':'c'}",
	    "'argv':['/bin/true'],'env':{'1A':'c'}",
	    "'argv':['/bin/true'],'env':{'':'c'}",
	    "'argv':['/bin/true'],'env':{'A':7}",
	    "'argv':['/bin/true'],'env':{'WARROOM_EPOCH':'99'}",
	};
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		char step[512];
		snprintf(step, sizeof step, "{'kind':'exec','timeout_ms':20000,'exec':{%s}}", specs[i]);
		wr_step_report r = run_step(step, 0);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_int_equal(r.exit_code, -1);
	}
}

static void too_many_arguments(void **state)
{
	(void)state;
	char step[2048] = "{'kind':'exec','exec':{'argv':['/bin/true'";
	size_t n = strlen(step);
	for (int i = 0; i < WR_MAX_ARGV; i++) n += (size_t)snprintf(step + n, sizeof step - n, ",'x'");
	snprintf(step + n, sizeof step - n, "]}}");
	wr_step_report r = run_step(step, 0);
	assert_outcome(&r, WR_OUT_FAILED);
}

static void arguments_are_not_a_shell_line(void **state)
{
	(void)state;
	wr_step_report r =
	    run_step("{'kind':'exec','exec':{'argv':['printf','%s|','a b','$(id)',';exit 1']}}", 0);
	assert_outcome(&r, WR_OUT_DONE);
	assert_string_equal(r.output, "a b|$(id)|;exit 1|");
}

static void the_environment(void **state)
{
	(void)state;
	wr_step_report r = sh("echo $WARROOM_IDEMPOTENCY_KEY $WARROOM_EPOCH $WARROOM_OPERATION "
	                      "$WARROOM_STEP $OWN [$TOKEN]; pwd",
	                      "'env':{'OWN':'mine'},'cwd':'/usr'");
	assert_outcome(&r, WR_OUT_DONE);
	assert_string_equal(r.output, "op-0042/3/do 7 op-0042 promote mine []\n/usr\n");
}

static void secrets_reach_it_and_are_not_shown(void **state)
{
	(void)state;
	wr_step_report r = sh("test $PASS = pre-s3cret-token-value && echo pass is $PASS, again $PASS",
	                      "'env':{'PASS':'pre-${env:TOKEN}'}");
	assert_outcome(&r, WR_OUT_DONE);
	assert_string_equal(r.output, "pass is pre-***, again pre-***\n");
}

static void secret_files(void **state)
{
	(void)state;
	char path[] = "/tmp/wr-act-XXXXXX", more[128];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "from-a-file\n", 12), 12);
	close(fd);
	snprintf(more, sizeof more, "'env':{'PASS':'${file:%s}'}", path);
	wr_step_report r = sh("test $PASS = from-a-file", more);
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(chmod(path, 0644), 0); /* a secret that everyone can read is none */
	r = sh("true", more);
	assert_outcome(&r, WR_OUT_FAILED);
	unlink(path);
}

static void expectations(void **state)
{
	(void)state;
	static const struct {
		const char *prints, *more;
		wr_outcome wanted;
	} table[] = {
	    {"{\\\\\\\"lag\\\\\\\":3}", "'pointer':'/lag','expect':'value < 5'", WR_OUT_DONE},
	    {"{\\\\\\\"lag\\\\\\\":9}", "'pointer':'/lag','expect':'value < 5'", WR_OUT_FAILED},
	    {"{}", "'pointer':'/lag','expect':'value < 5'", WR_OUT_FAILED},
	    {"oops", "'pointer':'/lag','expect':'value < 5'", WR_OUT_FAILED},
	    {"", "'pointer':'/lag','expect':'value < 5'", WR_OUT_FAILED},
	    {"", "'expect':'exit_code == 0'", WR_OUT_DONE},
	    {"", "'expect':'exit_code =='", WR_OUT_FAILED},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char script[256];
		snprintf(script, sizeof script, "echo log line >&2; echo \\\"%s\\\"", table[i].prints);
		wr_step_report r = sh(script, table[i].more);
		assert_outcome(&r, table[i].wanted);
	}
}

static void hostile_output(void **state)
{
	(void)state;
	wr_step_report r = sh("printf \\\"\\\\033[2Ja\\\\001\\\\377\\\\r\\\\n\\\"", "");
	assert_outcome(&r, WR_OUT_DONE);
	assert_harmless(r.output);
	r = sh("yes 0123456789 | head -c 3000000; echo the-end", "");
	assert_outcome(&r, WR_OUT_DONE);
	assert_true(strlen(r.output) < sizeof r.output);
	assert_contains(r.output, "the-end\n");
	r = sh("head -c 3000000 /dev/zero", "'pointer':'/a','expect':'value == 1'");
	assert_outcome(&r, WR_OUT_FAILED);
	assert_harmless(r.output);
}

typedef struct watched {
	wr_job *job;
	atomic_bool cancel;
	atomic_int lines, ended;
	wr_step_report report;
} watched;

static void on_output(void *ctx, const char *text)
{
	watched *w = ctx;
	for (; *text; text++)
		if (*text == '\n') atomic_fetch_add(&w->lines, 1);
}

static void *run_watched(void *ctx)
{
	watched *w = ctx;
	wr_step_run(w->job, &wr_clock_system, &w->cancel, on_output, w, &w->report);
	atomic_store(&w->ended, 1);
	return NULL;
}

static void output_comes_as_it_runs_and_cancel_ends_it(void **state)
{
	(void)state;
	watched w = {.job = make_job("{'kind':'exec','timeout_ms':600000,'exec':{'argv':"
	                             "['/bin/sh','-c','echo one; echo two; sleep 600']}}",
	                             0)};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, run_watched, &w), 0);
	wait_until(&w.lines, 2);
	assert_int_equal(atomic_load(&w.ended), 0);
	atomic_store(&w.cancel, true);
	wait_until(&w.ended, 1);
	pthread_join(thread, NULL);
	assert_outcome(&w.report, WR_OUT_UNKNOWN);
	assert_string_equal(w.report.output, "one\ntwo\n");
	free_job(w.job);
}

static void cancelled_before_it_began(void **state)
{
	(void)state;
	wr_job *job = make_job("{'kind':'exec','exec':{'argv':['/bin/true']}}", 0);
	atomic_bool cancel = true;
	wr_step_report r;
	wr_step_run(job, &wr_clock_system, &cancel, NULL, NULL, &r);
	assert_outcome(&r, WR_OUT_FAILED);
	free_job(job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exit_codes),
	    cmocka_unit_test(killed_is_unknown),
	    cmocka_unit_test(not_started_is_failed),
	    cmocka_unit_test(too_many_arguments),
	    cmocka_unit_test(arguments_are_not_a_shell_line),
	    cmocka_unit_test(the_environment),
	    cmocka_unit_test(secrets_reach_it_and_are_not_shown),
	    cmocka_unit_test(secret_files),
	    cmocka_unit_test(expectations),
	    cmocka_unit_test(hostile_output),
	    cmocka_unit_test(output_comes_as_it_runs_and_cancel_ends_it),
	    cmocka_unit_test(cancelled_before_it_began),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
