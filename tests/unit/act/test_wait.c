/* Waiting until a condition holds, and the single look of a probe. */
#include "act_server.h"

static server *s;

static int start(void **state)
{
	(void)state;
	s = server_start();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(s);
	return 0;
}

static wr_step_report wait_for(const char *spec, int timeout_ms)
{
	char step[1024];
	snprintf(step, sizeof step, "{'kind':'wait','timeout_ms':%d,'wait':{%s}}", timeout_ms, spec);
	return run_step(step, s->port);
}

static void waits_until_it_holds(void **state)
{
	(void)state;
	atomic_store(&s->flips, 0);
	wr_step_report r =
	    wait_for("'http':{'url':'http://@/flip'},'until':'status == 200','every_ms':100", 60000);
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(r.status, 200);
	assert_int_equal(atomic_load(&s->flips), 4);
	assert_contains(r.output, "it is not so: status 503\n");
	assert_contains(r.output, "it is so: status 200\n");
}

static void without_until_any_2xx_holds(void **state)
{
	(void)state;
	atomic_store(&s->flips, 0);
	wr_step_report r = wait_for("'http':{'url':'http://@/flip'},'every_ms':1", 60000);
	assert_outcome(&r, WR_OUT_DONE);
	r = wait_for("'exec':{'argv':['/bin/true']}", 60000);
	assert_outcome(&r, WR_OUT_DONE);
}

static void holding_begins_again_after_a_look_that_fails(void **state)
{
	(void)state;
	atomic_store(&s->flips, 0);
	wr_step_report r = wait_for(
	    "'http':{'url':'http://@/flap'},'until':'status == 200','every_ms':100,'hold_ms':150",
	    1000);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_true(atomic_load(&s->flips) >= 2); /* one that held, one that did not */
	atomic_store(&s->flips, 3);               /* from here on /flip answers 200 */
	r = wait_for("'http':{'url':'http://@/flip'},'until':'status == 200','every_ms':100,"
	             "'hold_ms':250",
	             60000);
	assert_outcome(&r, WR_OUT_DONE);
	assert_true(atomic_load(&s->flips) >= 3 + 2); /* one look is not yet holding */
}

static void in_vain_is_failed(void **state)
{
	(void)state;
	static const char *const specs[] = {
	    "'http':{'url':'http://@/status/500'},'until':'status == 200'",
	    "'http':{'url':'http://@/close'},'until':'status == 200'",
	    "'http':{'url':'http://@/hang'},'until':'status == 200'",
	    "'http':{'url':'http://@/json','pointer':'/absent'},'until':'value < 3'",
	    "'http':{'url':'http://@/json','pointer':'/absent'},'until':'not (value < 3)'",
	    "'http':{'url':'http://@/ok','pointer':'/role'},'until':'value == 1'",
	    "'http':{'url':''},'until':'status == 200'",
	    "'exec':{'argv':['/bin/false']}",
	    "'exec':{'argv':['/no/such/program']}",
	    "'until':'status == 200'",
	};
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		wr_step_report r = wait_for(specs[i], 300);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_contains(r.error, "in time");
		assert_harmless(r.error);
	}
	wr_step_report r = wait_for("'http':{'url':'http://@/ok'},'until':'status =='", 60000);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "until");
}

static void values_from_json(void **state)
{
	(void)state;
	wr_step_report r =
	    wait_for("'http':{'url':'http://@/json','pointer':'/lag'},'until':'value <= 3'", 60000);
	assert_outcome(&r, WR_OUT_DONE);
	r = wait_for("'exec':{'argv':['echo','{\\'lag\\':3}'],'pointer':'/lag'},'until':'value <= 3'",
	             60000);
	assert_outcome(&r, WR_OUT_DONE);
}

static void a_refused_connection_can_be_what_is_waited_for(void **state)
{
	(void)state;
	int port, fd = listen_on_loopback(-1, &port);
	char spec[128];
	snprintf(spec, sizeof spec, "'http':{'url':'http://127.0.0.1:%d/'},'until':'error'", port);
	wr_step_report r = wait_for(spec, 60000);
	assert_outcome(&r, WR_OUT_DONE);
	close(fd);
}

typedef struct waiting {
	wr_job *job;
	atomic_bool cancel;
	atomic_int ended;
	wr_step_report report;
} waiting;

static void *run_waiting(void *ctx)
{
	waiting *w = ctx;
	wr_step_run(w->job, &wr_clock_system, &w->cancel, NULL, NULL, &w->report);
	atomic_store(&w->ended, 1);
	return NULL;
}

static void cancelled(void **state)
{
	(void)state;
	waiting w = {.job = make_job("{'kind':'wait','timeout_ms':6000000,'wait':{'every_ms':600000,"
	                             "'http':{'url':'http://@/status/500'}}}",
	                             s->port)};
	int before = atomic_load(&s->requests);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, run_waiting, &w), 0);
	wait_until(&s->requests, before + 1);
	atomic_store(&w.cancel, true);
	wait_until(&w.ended, 1);
	pthread_join(thread, NULL);
	assert_outcome(&w.report, WR_OUT_FAILED);
	free_job(w.job);
}

/* ---- probes ---- */

static wr_step_report probe(const char *spec)
{
	char step[1024];
	snprintf(step, sizeof step,
	         "{'kind':'http','timeout_ms':500,'http':{'method':'POST','url':'http://@/never'},"
	         "'probe':%s}",
	         spec);
	wr_job *job = make_job(step, s->port);
	job->kind = WR_CMD_PROBE;
	wr_step_report r;
	wr_step_run(job, &wr_clock_system, NULL, NULL, NULL, &r);
	free_job(job);
	return r;
}

static void what_a_probe_tells(void **state)
{
	(void)state;
	static const struct {
		const char *http, *until;
		wr_outcome wanted;
	} table[] = {
	    {"'url':'http://@/json','pointer':'/role'", "value == \\\"primary\\\"", WR_OUT_DONE},
	    {"'url':'http://@/json','pointer':'/role'", "value == \\\"standby\\\"", WR_OUT_FAILED},
	    {"'url':'http://@/json','pointer':'/absent'", "value == 1", WR_OUT_UNKNOWN},
	    {"'url':'http://@/status/404'", "status == 200", WR_OUT_FAILED},
	    {"'url':'http://@/status/200'", "status == 200", WR_OUT_DONE},
	    /* Law 8: failing to see is not seeing failure. */
	    {"'url':'http://@/status/500'", "status == 200", WR_OUT_UNKNOWN},
	    {"'url':'http://@/status/503'", "status == 200", WR_OUT_UNKNOWN},
	    {"'url':'http://@/status/401'", "status == 200", WR_OUT_UNKNOWN},
	    {"'url':'http://@/status/429'", "status == 200", WR_OUT_UNKNOWN},
	    {"'url':'http://@/close'", "status == 200", WR_OUT_UNKNOWN},
	    {"'url':'http://@/close'", "not error", WR_OUT_UNKNOWN},
	    {"'url':'http://@/hang'", "not error", WR_OUT_UNKNOWN},
	    {"'url':'http://@/ok','pointer':'/role'", "not error", WR_OUT_UNKNOWN},
	    {"'url':'http://127.0.0.1:1/'", "status == 200 and not error", WR_OUT_UNKNOWN},
	    /* Said in so many words it counts: the fence answers 503. */
	    {"'url':'http://@/status/503'", "status == 503", WR_OUT_DONE},
	    {"'url':'http://@/ok'", "status ==", WR_OUT_UNKNOWN},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char spec[512];
		snprintf(spec, sizeof spec, "{'kind':'wait','wait':{'http':{%s},'until':'%s'}}",
		         table[i].http, table[i].until);
		wr_step_report r = probe(spec);
		assert_outcome(&r, table[i].wanted);
		snprintf(spec, sizeof spec, "{'http':{%s},'until':'%s'}", table[i].http, table[i].until);
		r = probe(spec);
		assert_outcome(&r, table[i].wanted);
	}
}

static void what_a_program_as_probe_tells(void **state)
{
	(void)state;
	static const struct {
		const char *exec, *until;
		wr_outcome wanted;
	} table[] = {
	    {"'argv':['/bin/true']", "exit_code == 0", WR_OUT_DONE},
	    {"'argv':['/bin/false']", "exit_code == 0", WR_OUT_FAILED},
	    {"'argv':['/no/such']", "exit_code == 0", WR_OUT_UNKNOWN},
	    {"'argv':['/bin/sh','-c','exit 127']", "exit_code == 0", WR_OUT_UNKNOWN},
	    {"'argv':['/bin/sh','-c','kill -9 $$']", "exit_code == 0", WR_OUT_UNKNOWN},
	    {"'argv':['sleep','600']", "exit_code == 0", WR_OUT_UNKNOWN},
	    {"'argv':['echo','true'],'pointer':''", "exit_code == 0", WR_OUT_DONE},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char spec[512];
		snprintf(spec, sizeof spec, "{'exec':{%s},'until':'%s'}", table[i].exec, table[i].until);
		wr_step_report r = probe(spec);
		assert_outcome(&r, table[i].wanted);
	}
}

static void a_probe_does_not_run_the_step(void **state)
{
	(void)state;
	int before = atomic_load(&s->requests);
	wr_step_report r = probe("{}");
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = probe("7");
	assert_outcome(&r, WR_OUT_UNKNOWN);
	wr_job *job = make_job("{'kind':'http','http':{'url':'http://@/ok'}}", s->port);
	job->kind = WR_CMD_PROBE;
	wr_step_run(job, &wr_clock_system, NULL, NULL, NULL, &r);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	atomic_bool cancel = true;
	wr_step_run(job, &wr_clock_system, &cancel, NULL, NULL, &r);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	free_job(job);
	assert_int_equal(atomic_load(&s->requests), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waits_until_it_holds),
	    cmocka_unit_test(without_until_any_2xx_holds),
	    cmocka_unit_test(holding_begins_again_after_a_look_that_fails),
	    cmocka_unit_test(in_vain_is_failed),
	    cmocka_unit_test(values_from_json),
	    cmocka_unit_test(a_refused_connection_can_be_what_is_waited_for),
	    cmocka_unit_test(cancelled),
	    cmocka_unit_test(what_a_probe_tells),
	    cmocka_unit_test(what_a_program_as_probe_tells),
	    cmocka_unit_test(a_probe_does_not_run_the_step),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
