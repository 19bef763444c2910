/* What the end of an HTTP step means, whatever the other side does. */
#include "act_server.h"

static server *s;

static int start(void **state)
{
	(void)state;
	/* Neither may be used. */
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	setenv("TOKEN", "s3cret-token-value", 1);
	unsetenv("MISSING");
	s = server_start();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(s);
	return 0;
}

static wr_step_report get(const char *url, int timeout_ms)
{
	char step[512];
	snprintf(step, sizeof step, "{'kind':'http','timeout_ms':%d,'http':{'url':'%s'}}", timeout_ms,
	         url);
	return run_step(step, s->port);
}

static void assert_get(const char *url, int timeout_ms, wr_outcome wanted)
{
	wr_step_report r = get(url, timeout_ms);
	assert_outcome(&r, wanted);
	assert_int_equal(r.exit_code, -1);
	assert_harmless(r.output);
	assert_harmless(r.error);
}

static void a_good_answer_is_done(void **state)
{
	(void)state;
	wr_step_report r =
	    run_step("{'name':'n','kind':'http','timeout_ms':20000,'http':{"
	             "'method':'PUT','url':'http://@/ok?a=b','headers':{'X-Own':'v','X-Empty':''},"
	             "'body':'{}'}}",
	             s->port);
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(r.status, 200);
	assert_string_equal(r.output, "fine\n");
	assert_string_equal(r.operation_id, "op-0042");
	assert_int_equal(r.attempt, 1);
	char seen[4096];
	last_request(s, seen, sizeof seen);
	assert_int_equal(strncmp(seen, "PUT /ok?a=b HTTP/1.1\r\n", 22), 0);
	assert_contains(seen, "\r\nX-Own: v\r\n");
	assert_contains(seen, "\r\nX-Empty:\r\n");
	assert_contains(seen, "\r\nIdempotency-Key: op-0042/3/do\r\n");
	assert_contains(seen, "\r\nX-Warroom-Epoch: 7\r\n");
	assert_contains(seen, "\r\nContent-Type: application/json\r\n");
	assert_contains(seen, "\r\n\r\n{}");
	assert_null(strcasestr(seen, "expect:"));
}

static void methods(void **state)
{
	(void)state;
	static const char *const all[] = {"GET", "HEAD", "POST", "PATCH", "DELETE", "PROMOTE"};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char step[256], seen[64], wanted[64];
		snprintf(step, sizeof step, "{'kind':'http','http':{'method':'%s','url':'http://@/ok'}}",
		         all[i]);
		wr_step_report r = run_step(step, s->port);
		assert_outcome(&r, WR_OUT_DONE);
		last_request(s, seen, sizeof seen);
		snprintf(wanted, sizeof wanted, "%s /ok HTTP/1.1\r\n", all[i]);
		assert_int_equal(strncmp(seen, wanted, strlen(wanted)), 0);
	}
}

static void an_answer_in_chunks_is_complete(void **state)
{
	(void)state;
	wr_step_report r = get("http://@/chunks", 20000);
	assert_outcome(&r, WR_OUT_DONE);
	assert_string_equal(r.output, "fine\n");
}

static void complete_answers(void **state)
{
	(void)state;
	static const struct {
		int status;
		wr_outcome wanted;
	} table[] = {
	    {200, WR_OUT_DONE},    {201, WR_OUT_DONE},    {204, WR_OUT_DONE},   {299, WR_OUT_DONE},
	    {301, WR_OUT_FAILED},  {302, WR_OUT_FAILED},  {400, WR_OUT_FAILED}, {401, WR_OUT_FAILED},
	    {404, WR_OUT_FAILED},  {408, WR_OUT_UNKNOWN}, {409, WR_OUT_FAILED}, {429, WR_OUT_FAILED},
	    {500, WR_OUT_FAILED},  {501, WR_OUT_FAILED},  {503, WR_OUT_FAILED}, {502, WR_OUT_UNKNOWN},
	    {504, WR_OUT_UNKNOWN}, {599, WR_OUT_FAILED},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char url[64];
		snprintf(url, sizeof url, "http://@/status/%d", table[i].status);
		int before = atomic_load(&s->requests);
		wr_step_report r = get(url, 20000);
		assert_outcome(&r, table[i].wanted);
		assert_int_equal(r.status, table[i].status);
		assert_int_equal(atomic_load(&s->requests), before + 1); /* no redirect, no second try */
	}
}

static void expected_statuses(void **state)
{
	(void)state;
	static const struct {
		const char *list;
		int status;
		wr_outcome wanted;
	} table[] = {
	    {"[404,410]", 404, WR_OUT_DONE}, {"[404,410]", 200, WR_OUT_FAILED},
	    {"[502]", 502, WR_OUT_DONE},     {"[200]", 502, WR_OUT_UNKNOWN},
	    {"[]", 200, WR_OUT_DONE},        {"[301]", 301, WR_OUT_DONE},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char step[256];
		snprintf(step, sizeof step,
		         "{'kind':'http','http':{'url':'http://@/status/%d','expect_status':%s}}",
		         table[i].status, table[i].list);
		wr_step_report r = run_step(step, s->port);
		assert_outcome(&r, table[i].wanted);
	}
}

static void expectations(void **state)
{
	(void)state;
	static const struct {
		const char *path, *pointer, *expect;
		wr_outcome wanted;
	} table[] = {
	    {"/json", "/role", "value == \\\"primary\\\"", WR_OUT_DONE},
	    {"/json", "/role", "value == \\\"standby\\\"", WR_OUT_FAILED},
	    {"/json", "/lag", "value < 5", WR_OUT_DONE},
	    {"/json", "/lag", "value < 3", WR_OUT_FAILED},
	    {"/json", "/ok", "value", WR_OUT_DONE},
	    {"/json", "/absent", "value < 3", WR_OUT_FAILED},       /* law 7 */
	    {"/json", "/absent", "not (value < 3)", WR_OUT_FAILED}, /* law 7 */
	    {"/json", "", "status == 200", WR_OUT_DONE},
	    {"/ok", "/role", "value == 1", WR_OUT_FAILED},                /* not JSON */
	    {"/big", "/role", "value == \\\"primary\\\"", WR_OUT_FAILED}, /* too large to be read */
	    {"/json", "/lag", "value <", WR_OUT_FAILED},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char step[512];
		snprintf(step, sizeof step,
		         "{'kind':'http','http':{'url':'http://@%s','pointer':'%s','expect':'%s'}}",
		         table[i].path, table[i].pointer, table[i].expect);
		wr_step_report r = run_step(step, s->port);
		assert_outcome(&r, table[i].wanted);
	}
}

static void nothing_sent_is_failed(void **state)
{
	(void)state;
	int port, fd = listen_on_loopback(-1, &port); /* bound, not listening */
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
	assert_get(url, 20000, WR_OUT_FAILED);
	close(fd);
	assert_get("http://no-such-host.invalid/", 20000, WR_OUT_FAILED);
	assert_get("https://@/ok", 20000, WR_OUT_FAILED); /* no TLS there: the handshake fails */
	blackhole hole;
	blackhole_open(&hole);
	snprintf(url, sizeof url, "http://127.0.0.1:%d/", hole.port);
	assert_get(url, 300, WR_OUT_FAILED);
	blackhole_close(&hole);
}

static void refused_before_anything_is_sent(void **state)
{
	(void)state;
	static const char *const specs[] = {
	    "'url':'file:///etc/passwd'",
	    "'url':'ftp://@/ok'",
	    "'url':'@/ok'",
	    "'url':''",
	    "'url':'http://@/o k'",
	    "'url':'http://@/ok\\r\\nX: y'",
	    "'url':'http://@/ok','method':'GET /other HTTP/1.1'",
	    "'url':'http://@/ok','method':'GET\\r\\n'",
	    "'url':'http://@/ok','headers':{'X':'a\\r\\nY: b'}",
	    "'url':'http://@/ok','headers':{'X\\r\\nY':'b'}",
	    "'url':'http://@/ok','headers':{'X: Y':'b'}",
	    "'url':'http://@/ok','headers':{'':'b'}",
	    "'url':'http://@/ok','headers':{'X':7}",
	    "'url':'http://@/ok','headers':{'content-length':'0'}",
	    "'url':'http://@/ok','headers':{'Transfer-Encoding':'chunked'}",
	    "'url':'http://@/ok','headers':{'idempotency-key':'mine'}",
	    "'url':'http://@/ok','headers':{'x-warroom-epoch':'99'}",
	    ("'url':'http://@/ok','headers':{'A':'','B':'','C':'','D':'','E':'','F':'','G':'','H':'',"
	     "'I':'','J':'','K':'','L':'','M':'','N':'','O':'','P':'','Q':''}"),
	    "'url':'http://@/ok','body':{}",
	    "'url':'http://@/${env:MISSING}'",
	    "'url':'http://@/ok','body':'${env:MISSING}'",
	    "'url':'http://@/ok','headers':{'Authorization':'Bearer ${env:MISSING}'}",
	    "'url':'http://@/ok','headers':{'Authorization':'Bearer ${file:/no/such/file}'}",
	};
	int before = atomic_load(&s->requests);
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		char step[512];
		snprintf(step, sizeof step, "{'kind':'http','http':{%s}}", specs[i]);
		wr_step_report r = run_step(step, s->port);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_harmless(r.error);
	}
	assert_int_equal(atomic_load(&s->requests), before);
}

static void lost_after_sending_is_unknown(void **state)
{
	(void)state;
	static const char *const paths[] = {"/close",     "/reset",   "/half",    "/head",
	                                    "/chunk-cut", "/garbage", "/headers", "/interim"};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		char url[64];
		snprintf(url, sizeof url, "http://@%s", paths[i]);
		int before = atomic_load(&s->requests);
		assert_get(url, 20000, WR_OUT_UNKNOWN);
		assert_int_equal(atomic_load(&s->requests), before + 1);
	}
	assert_get("http://@/hang", 300, WR_OUT_UNKNOWN);
	assert_get("http://@/flood", 500, WR_OUT_UNKNOWN);
}

/* ---- cancelling ---- */

typedef struct cancelled {
	wr_job *job;
	atomic_bool cancel;
	atomic_int ended;
	wr_step_report report;
} cancelled;

static void *run_cancelled(void *ctx)
{
	cancelled *c = ctx;
	wr_step_run(c->job, &wr_clock_system, &c->cancel, NULL, NULL, &c->report);
	atomic_store(&c->ended, 1);
	return NULL;
}

static void cancel_after_sending_is_unknown(void **state)
{
	(void)state;
	cancelled c = {
	    .job = make_job("{'kind':'http','timeout_ms':600000,'http':{'url':'http://@/hang'}}",
	                    s->port)};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, run_cancelled, &c), 0);
	wait_until(&s->hanging, 1);
	atomic_store(&c.cancel, true);
	wait_until(&c.ended, 1);
	pthread_join(thread, NULL);
	assert_outcome(&c.report, WR_OUT_UNKNOWN);
	assert_contains(c.report.error, "cancelled");
	free_job(c.job);
}

static void cancel_before_sending_is_failed(void **state)
{
	(void)state;
	blackhole hole;
	blackhole_open(&hole);
	cancelled c = {.job = make_job("{'kind':'http','timeout_ms':600000,'http':{'url':'http://@/'}}",
	                               hole.port)};
	pthread_t thread;
	int before = connecting_to(hole.port);
	assert_int_equal(pthread_create(&thread, NULL, run_cancelled, &c), 0);
	for (int i = 0; i < 3000 && connecting_to(hole.port) == before; i++) nap_ms(10);
	assert_true(connecting_to(hole.port) > before);
	atomic_store(&c.cancel, true);
	wait_until(&c.ended, 1);
	pthread_join(thread, NULL);
	blackhole_close(&hole);
	assert_outcome(&c.report, WR_OUT_FAILED);
	assert_contains(c.report.error, "cancelled");
	free_job(c.job);
}

/* ---- secrets and output ---- */

static void secrets_are_sent_and_not_shown(void **state)
{
	(void)state;
	wr_step_report r =
	    run_step("{'kind':'http','http':{'url':'http://@/echo/${env:TOKEN}','headers':"
	             "{'Authorization':'Bearer ${env:TOKEN}'},'body':'key=${env:TOKEN};'}}",
	             s->port);
	assert_outcome(&r, WR_OUT_DONE);
	char seen[4096];
	last_request(s, seen, sizeof seen);
	assert_contains(seen, "POST /echo/s3cret-token-value HTTP");
	assert_contains(seen, "\r\nAuthorization: Bearer s3cret-token-value\r\n");
	assert_contains(seen, "\r\n\r\nkey=s3cret-token-value;");
	assert_lacks(r.output, "s3cret");
	assert_contains(r.output, "Bearer ***");
	assert_contains(r.output, "key=***;");
}

static void errors_do_not_show_secrets(void **state)
{
	(void)state;
	setenv("SECRET_HOST", "hidden-host-name.invalid", 1);
	wr_step_report r =
	    run_step("{'kind':'http','http':{'url':'http://${env:SECRET_HOST}/'}}", s->port);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_lacks(r.error, "hidden-host-name");
}

static void output_is_harmless(void **state)
{
	(void)state;
	wr_step_report r = get("http://@/evil", 20000);
	assert_outcome(&r, WR_OUT_DONE);
	assert_harmless(r.output);
	assert_contains(r.output, "31mc");
}

static void count_output(void *ctx, const char *text)
{
	size_t *n = ctx;
	assert_harmless(text);
	assert_true(strlen(text) < 1024);
	*n += strlen(text);
}

static void output_is_streamed_and_bounded(void **state)
{
	(void)state;
	size_t n = 0;
	wr_step_report r;
	wr_job *job =
	    make_job("{'kind':'http','timeout_ms':20000,'http':{'url':'http://@/big'}}", s->port);
	wr_step_run(job, &wr_clock_system, NULL, count_output, &n, &r);
	free_job(job);
	assert_outcome(&r, WR_OUT_DONE); /* nothing is expected of the body */
	assert_true(n > WR_STEP_OUTPUT_MAX && n < 300 * 1024);
	assert_true(strlen(r.output) < sizeof r.output);
	assert_true(strlen(r.output) > sizeof r.output - 8);
}

static void undo_runs_the_rollback(void **state)
{
	(void)state;
	wr_job *job = make_job("{'kind':'http','http':{'url':'http://@/close'},'rollback':"
	                       "{'kind':'http','http':{'method':'POST','url':'http://@/ok'}}}",
	                       s->port);
	job->undo = true;
	wr_step_report r;
	wr_step_run(job, &wr_clock_system, NULL, NULL, NULL, &r);
	assert_outcome(&r, WR_OUT_DONE);
	assert_true(r.undo);
	json_object_del(job->step, "rollback");
	wr_step_run(job, &wr_clock_system, NULL, NULL, NULL, &r);
	assert_outcome(&r, WR_OUT_FAILED);
	free_job(job);
}

static void steps_that_are_none(void **state)
{
	(void)state;
	static const char *const steps[] = {
	    "{}",
	    "{'kind':'soak','soak':{}}",
	    "{'kind':'manual','manual':{'ask':'?'}}",
	    "{'kind':'http'}",
	    "{'kind':'http','http':7}",
	    "{'kind':'\\u001b[2J','\\u001b[2J':{}}",
	    "{'kind':'notify','exec':{'argv':['/bin/true']}}",
	};
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		wr_step_report r = run_step(steps[i], s->port);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_harmless(r.error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_answer_is_done),
	    cmocka_unit_test(methods),
	    cmocka_unit_test(an_answer_in_chunks_is_complete),
	    cmocka_unit_test(complete_answers),
	    cmocka_unit_test(expected_statuses),
	    cmocka_unit_test(expectations),
	    cmocka_unit_test(nothing_sent_is_failed),
	    cmocka_unit_test(refused_before_anything_is_sent),
	    cmocka_unit_test(lost_after_sending_is_unknown),
	    cmocka_unit_test(cancel_after_sending_is_unknown),
	    cmocka_unit_test(cancel_before_sending_is_failed),
	    cmocka_unit_test(secrets_are_sent_and_not_shown),
	    cmocka_unit_test(errors_do_not_show_secrets),
	    cmocka_unit_test(output_is_harmless),
	    cmocka_unit_test(output_is_streamed_and_bounded),
	    cmocka_unit_test(undo_runs_the_rollback),
	    cmocka_unit_test(steps_that_are_none),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
