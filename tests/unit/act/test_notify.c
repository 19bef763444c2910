/* What channels are sent, and that nothing about them is ever uncertain. */
#include "act_server.h"

static server *s;

static int start(void **state)
{
	(void)state;
	setenv("HOOK", "hook-path-secret", 1);
	setenv("PD_KEY", "routing-key\"secret", 1);
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

static wr_step_report notify(const char *spec)
{
	char step[8192];
	snprintf(step, sizeof step, "{'kind':'notify','timeout_ms':20000,'notify':{%s}}", spec);
	return run_step(step, s->port);
}

/* body_of parses what the server was sent last. */
static json_t *body_of(char *seen, size_t size)
{
	last_request(s, seen, size);
	const char *body = strstr(seen, "\r\n\r\n");
	assert_non_null(body);
	json_t *o = json_loads(body + 4, 0, NULL);
	if (!o) fail_msg("no JSON: %s", seen);
	return o;
}

static void webhook_and_slack(void **state)
{
	(void)state;
	static const char *const kinds[] = {"webhook", "slack"};
	for (size_t i = 0; i < 2; i++) {
		char spec[512], seen[4096];
		snprintf(spec, sizeof spec,
		         "'channel':'room','kind':'%s','url':'http://@/ok/${env:HOOK}','headers':"
		         "{'X-Routing-Key':'of-no-meaning-here'},"
		         "'text':'failover of us \\\"begins\\\"\\n${env:HOOK}'",
		         kinds[i]);
		wr_step_report r = notify(spec);
		assert_outcome(&r, WR_OUT_DONE);
		assert_int_equal(r.status, 200);
		json_t *o = body_of(seen, sizeof seen);
		assert_int_equal(json_object_size(o), 1);
		/* A secret in the text would be told to everyone in the room: it stays a reference. */
		assert_string_equal(wr_json_str(o, "text", ""), "failover of us \"begins\"\n${env:HOOK}");
		json_decref(o);
		assert_int_equal(strncmp(seen, "POST /ok/hook-path-secret HTTP", 30), 0);
		assert_contains(seen, "Content-Type: application/json\r\n");
		assert_contains(seen, "Idempotency-Key: op-0042/3/do\r\n");
		assert_contains(seen, "X-Routing-Key: of-no-meaning-here\r\n");
	}
}

static void pagerduty(void **state)
{
	(void)state;
	char seen[4096];
	wr_step_report r = notify("'channel':'pd','kind':'pagerduty','url':'http://@/echo','headers':"
	                          "{'x-routing-key':'${env:PD_KEY}'},'text':'us is down'");
	assert_outcome(&r, WR_OUT_DONE);
	json_t *o = body_of(seen, sizeof seen);
	const json_t *payload = json_object_get(o, "payload");
	assert_string_equal(wr_json_str(o, "routing_key", ""), "routing-key\"secret");
	assert_string_equal(wr_json_str(o, "event_action", ""), "trigger");
	assert_string_equal(wr_json_str(o, "dedup_key", ""), "op-0042/3/do");
	assert_string_equal(wr_json_str(payload, "summary", ""), "us is down");
	assert_string_equal(wr_json_str(payload, "source", ""), "warroom");
	assert_string_equal(wr_json_str(payload, "severity", ""), "critical");
	json_decref(o);
	assert_null(strcasestr(seen, "x-routing-key:"));
}

static void pagerduty_takes_no_long_summary(void **state)
{
	(void)state;
	char spec[4096], seen[8192];
	size_t n = (size_t)snprintf(spec, sizeof spec,
	                            "'kind':'pagerduty','url':'http://@/ok','headers':"
	                            "{'X-Routing-Key':'${env:PD_KEY}'},'text':'x");
	for (int i = 0; i < 900; i++) n += (size_t)snprintf(spec + n, sizeof spec - n, "\xc3\xa9");
	snprintf(spec + n, sizeof spec - n, "'");
	wr_step_report r = notify(spec);
	assert_outcome(&r, WR_OUT_DONE);
	json_t *o = body_of(seen, sizeof seen); /* still UTF-8, or it would not parse */
	size_t len = strlen(wr_json_str(json_object_get(o, "payload"), "summary", ""));
	assert_true(len > 990 && len <= 1000);
	json_decref(o);
}

static void whatever_goes_wrong_is_failed(void **state)
{
	(void)state;
	static const char *const specs[] = {
	    "'kind':'webhook','text':'x','url':'http://@/status/500'",
	    "'kind':'webhook','text':'x','url':'http://@/status/502'",
	    "'kind':'webhook','text':'x','url':'http://@/status/302'",
	    "'kind':'webhook','text':'x','url':'http://@/close'",
	    "'kind':'webhook','text':'x','url':'http://@/half'",
	    "'kind':'webhook','text':'x','url':'http://127.0.0.1:1/'",
	    "'kind':'webhook','text':'x','url':'http://@/ok/${env:MISSING}'",
	    "'kind':'webhook','text':'x'",
	    "'kind':'smoke','text':'x','url':'http://@/ok'",
	    "'kind':'pagerduty','text':'x','url':'http://@/ok'",
	    "'kind':'pagerduty','text':'x','url':'http://@/ok','headers':{'X-Routing-Key':7}",
	    ("'kind':'pagerduty','text':'x','url':'http://@/ok','headers':"
	     "{'X-Routing-Key':'${env:MISSING}'}"),
	};
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		wr_step_report r = notify(specs[i]);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_harmless(r.error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(webhook_and_slack),
	    cmocka_unit_test(pagerduty),
	    cmocka_unit_test(pagerduty_takes_no_long_summary),
	    cmocka_unit_test(whatever_goes_wrong_is_failed),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
