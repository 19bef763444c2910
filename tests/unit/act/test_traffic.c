/* Moving traffic through every kind of provider, obedient and not. */
#include "act_haproxy.h"

static server *s;

static int start(void **state)
{
	(void)state;
	setenv("TOKEN", "s3cret-token-value", 1);
	s = server_start();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(s);
	return 0;
}

static wr_step_report traffic(const char *spec, int timeout_ms)
{
	char step[4096];
	snprintf(step, sizeof step, "{'kind':'traffic','timeout_ms':%d,'traffic':{%s}}", timeout_ms,
	         spec);
	return run_step(step, s->port);
}

/* ---- what is asked for ---- */

static void weights_that_are_none(void **state)
{
	(void)state;
	static const char *const weights[] = {
	    "{'us':50,'eu':49}",
	    "{'us':50,'eu':51}",
	    "{'us':101,'eu':-1}",
	    "{'us':200,'eu':-100}",
	    "{'us':'100'}",
	    "{'us':99.5,'eu':1}",
	    "{}",
	    "[100]",
	    "7",
	    "{'':100}",
	    "{'a b':100}",
	    "{'us':null,'eu':100}",
	    "{'\\u001b[2J':100}",
	    "{'us':true}",
	};
	int before = atomic_load(&s->requests);
	for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
		char spec[256];
		snprintf(spec, sizeof spec, "'kind':'http','address':'http://@/weights','weights':%s",
		         weights[i]);
		wr_step_report r = traffic(spec, 20000);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_harmless(r.error);
	}
	wr_step_report r = traffic("'kind':'dns','address':'x','weights':{'us':100}", 20000);
	assert_outcome(&r, WR_OUT_FAILED);
	r = traffic("'kind':'http','address':'http://@/weights'", 20000);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_int_equal(atomic_load(&s->requests), before);
}

/* ---- over HTTP ---- */

static wr_step_report over_http(const char *path, const char *weights, int timeout_ms)
{
	char spec[512];
	snprintf(spec, sizeof spec,
	         "'provider':'cdn','kind':'http','address':'http://@%s','headers':"
	         "{'Authorization':'Bearer ${env:TOKEN}'},'weights':%s",
	         path, weights);
	return traffic(spec, timeout_ms);
}

static void http_obedient(void **state)
{
	(void)state;
	wr_step_report r = over_http("/weights", "{'us':10,'eu':90}", 20000);
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(r.status, 200);
	assert_string_equal(s->weights, "{\"weights\":{\"us\":10,\"eu\":90}}");
	assert_contains(r.output, "read back: us 10, eu 90\n");
	char seen[2048];
	last_request(s, seen, sizeof seen); /* the reading back has no effect, and says so */
	assert_int_equal(strncmp(seen, "GET /weights ", 13), 0);
	assert_contains(seen, "Authorization: Bearer s3cret-token-value\r\n");
	assert_null(strstr(seen, "Idempotency-Key"));
}

static void http_effects_carry_the_epoch(void **state)
{
	(void)state;
	wr_step_report r = over_http("/weights/no", "{'us':100}", 20000);
	char seen[2048];
	last_request(s, seen, sizeof seen);
	assert_outcome(&r, WR_OUT_FAILED); /* 409: said no */
	assert_int_equal(r.status, 409);
	assert_contains(seen, "Idempotency-Key: op-0042/3/do\r\n");
	assert_contains(seen, "X-Warroom-Epoch: 7\r\n");
	assert_contains(seen, "\r\n\r\n{\"weights\":{\"us\":100}}");
}

static void http_outcomes(void **state)
{
	(void)state;
	static const struct {
		const char *path, *error;
		wr_outcome wanted;
	} table[] = {
	    {"/weights/stuck", "read back: us 100, eu 0", WR_OUT_FAILED}, /* said yes, did nothing */
	    {"/weights/lost", NULL, WR_OUT_DONE}, /* the answer was lost, and it is so */
	    {"/weights/mute", "cannot be read back", WR_OUT_UNKNOWN},
	    {"/status/500", "status 500", WR_OUT_FAILED},
	    {"/status/502", "status 502", WR_OUT_UNKNOWN},
	    {"/close", "sent", WR_OUT_UNKNOWN},
	    {"/ok", "cannot be read back", WR_OUT_UNKNOWN},   /* not JSON */
	    {"/json", "cannot be read back", WR_OUT_UNKNOWN}, /* no weights in it */
	    {"/big", "cannot be read back", WR_OUT_UNKNOWN},
	    {"/evil", "cannot be read back", WR_OUT_UNKNOWN},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		set_weights(s, "{\"weights\":{\"us\":100,\"eu\":0}}");
		wr_step_report r = over_http(table[i].path, "{'us':0,'eu':100}", 20000);
		assert_outcome(&r, table[i].wanted);
		if (table[i].error) assert_contains(r.error, table[i].error);
		assert_harmless(r.error);
	}
	wr_step_report r = over_http("/hang", "{'us':100}", 300);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = traffic("'kind':'http','address':'http://127.0.0.1:1/','weights':{'us':100}", 20000);
	assert_outcome(&r, WR_OUT_FAILED);
}

static void a_third_region_with_traffic_is_a_mismatch(void **state)
{
	(void)state;
	set_weights(s, "{\"weights\":{\"us\":100,\"asia\":5}}");
	wr_step_report r = over_http("/weights/stuck", "{'us':100}", 20000);
	assert_outcome(&r, WR_OUT_FAILED);
	set_weights(s, "{\"weights\":{\"us\":100,\"asia\":0}}");
	r = over_http("/weights/stuck", "{'us':100,'eu':0}", 20000);
	assert_outcome(&r, WR_OUT_DONE);
}

/* ---- a program ---- */

static wr_step_report by_program(const char *set, const char *get, int timeout_ms)
{
	char spec[1024];
	snprintf(spec, sizeof spec,
	         "'kind':'exec','set_argv':['/bin/sh','-c','%s'],'get_argv':['/bin/sh','-c','%s'],"
	         "'weights':{'us':0,'eu':100}",
	         set, get);
	return traffic(spec, timeout_ms);
}

static void exec_provider(void **state)
{
	(void)state;
	static const char yes[] =
	    "echo {\\\\\\\"weights\\\\\\\":{\\\\\\\"us\\\\\\\":0,\\\\\\\"eu\\\\\\\":100}}",
	                  no[] = "echo {\\\\\\\"weights\\\\\\\":{\\\\\\\"us\\\\\\\":100}}";
	char path[] = "/tmp/wr-act-XXXXXX", set[128], get[128];
	close(mkstemp(path));
	snprintf(set, sizeof set, "cat > %s; echo $WARROOM_EPOCH", path);
	snprintf(get, sizeof get, "cat %s", path);
	wr_step_report r = by_program(set, get, 20000);
	assert_outcome(&r, WR_OUT_DONE);
	assert_int_equal(r.exit_code, 0);
	assert_contains(r.output, "7\n");
	assert_contains(r.output, "read back: us 0, eu 100\n");
	unlink(path);
	r = by_program("true", no, 20000);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "read back: us 100");
	r = by_program("exit 2", yes, 20000);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_int_equal(r.exit_code, 2);
	r = by_program("kill -9 $$", yes, 20000); /* killed, and yet it is so */
	assert_outcome(&r, WR_OUT_DONE);
	r = by_program("kill -9 $$", no, 20000);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = by_program("true", "exit 1", 20000);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = by_program("true", "echo oops", 20000);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = by_program("sleep 600", yes, 300);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = traffic("'kind':'exec','set_argv':['/no/such'],'get_argv':[],'weights':{'us':100}", 20000);
	assert_outcome(&r, WR_OUT_FAILED);
}

/* ---- a haproxy that is none ---- */

#define HEAD                                                                                       \
	"# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "           \
	"srv_iweight\n"
#define STAT "# pxname,svname,qcur,bck,\nbe,a,0,0,\nbe,b,0,0,\n\n"
#define SHOW(a, b)                                                                                 \
	"1\n" HEAD "3 be 1 a 127.0.0.1 2 0 " #a " 100\n3 be 2 b 127.0.0.1 2 0 " #b " 100\n\n" STAT

static wr_step_report with_fake(const char *const *replies, size_t count, bool endless,
                                int timeout_ms, int *lines)
{
	scratch dir;
	fake f;
	char path[80], spec[512];
	scratch_make(&dir);
	snprintf(path, sizeof path, "%s/s", dir.dir);
	fake_start(&f, path, replies, count);
	f.endless = endless;
	fake_run(&f);
	snprintf(spec, sizeof spec,
	         "'kind':'haproxy','address':'unix:%s','backend':'be','servers':{'us':'a','eu':'b'},"
	         "'weights':{'us':0,'eu':100}",
	         path);
	wr_step_report r = traffic(spec, timeout_ms);
	if (lines) *lines = atomic_load(&f.lines);
	fake_stop(&f);
	scratch_remove(&dir, (const char *const[]){"s", NULL});
	assert_harmless(r.error);
	assert_harmless(r.output);
	return r;
}

static void haproxy_outcomes(void **state)
{
	(void)state;
	static const struct {
		const char *replies[5];
		size_t count;
		int lines;
		wr_outcome wanted;
		const char *error;
	} table[] = {
	    {{SHOW(100, 0), "\n\n", SHOW(0, 100)}, 3, 3, WR_OUT_DONE, NULL},
	    {{SHOW(0, 100), SHOW(0, 100)}, 2, 2, WR_OUT_DONE, NULL},
	    {{SHOW(100, 0), "\n\n", SHOW(100, 0)}, 3, 3, WR_OUT_FAILED, "read back: us 100, eu 0"},
	    {{SHOW(100, 0), "\n\n", "close"}, 3, 3, WR_OUT_UNKNOWN, "cannot be read back"},
	    {{SHOW(100, 0), "close", SHOW(0, 100)}, 3, 3, WR_OUT_DONE, NULL},
	    {{SHOW(100, 0), "reset", SHOW(0, 100)}, 3, 3, WR_OUT_DONE, NULL},
	    {{SHOW(100, 0), "close", SHOW(100, 0)}, 3, 3, WR_OUT_UNKNOWN, "without an answer"},
	    {{SHOW(100, 0), "close", "close"}, 3, 3, WR_OUT_UNKNOWN, "without an answer"},
	    {{SHOW(100, 0), "Permission denied\n\n\n", SHOW(100, 0)},
	     3,
	     3,
	     WR_OUT_FAILED,
	     "nothing changed: haproxy says: Permission denied"},
	    {{SHOW(100, 0), "\nno\x1b[2J\n\n", SHOW(0, 0), "\n", SHOW(100, 0)},
	     5,
	     5,
	     WR_OUT_FAILED,
	     "former weights are back"},
	    {{SHOW(100, 0), "\nno\n\n", SHOW(0, 0), "\n", SHOW(0, 0)},
	     5,
	     5,
	     WR_OUT_FAILED,
	     "IN BETWEEN"},
	    {{SHOW(100, 0), "\nno\n\n", "close"}, 3, 3, WR_OUT_FAILED, "may be in between"},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int lines;
		wr_step_report r = with_fake(table[i].replies, table[i].count, false, 20000, &lines);
		assert_outcome(&r, table[i].wanted);
		if (table[i].error) assert_contains(r.error, table[i].error);
		assert_int_equal(lines, table[i].lines);
	}
}

/* Whatever it says instead of its state, nothing is sent to it after that. */
static void haproxy_that_talks_nonsense(void **state)
{
	(void)state;
	static const char *const replies[] = {
	    "close",
	    "reset",
	    "\n",
	    "\n\n\n",
	    "1\n",
	    "Unknown command\n\n",
	    "\x1b]0;title\x07\n",
	    "2\n" HEAD "\n" STAT,
	    "1\n" HEAD "\n" STAT,
	    SHOW(100, 0) "surprise\n",
	    SHOW(100, 257),
	    SHOW(100, -1),
	    SHOW(100, x),
	    SHOW(100, 99999999999999999999),
	    SHOW(100, ),
	    "1\n" HEAD "3 be 1 a 127.0.0.1 2 0 100 100\n\n" STAT,
	    "1\n" HEAD "3 be 1 a 127.0.0.1 2 0 100 100\n3 be 1 a 127.0.0.1 2 0 0 100\n\n" STAT,
	    "1\n" HEAD "3 be 1 a 127.0.0.1 2 0 100 100\n3 be 2 b\n\n" STAT,
	    "1\n# be_id nothing more\n3 be 1 a 127.0.0.1 2 0 100 100\n\n" STAT,
	    "1\n" HEAD "3 be 1 a 127.0.0.1 2 0 100 100\n3 be 2 b 127.0.0.1 2 0 0 100\n\n",
	    "1\n" HEAD "3 be 1 a 127.0.0.1 2 0 100 100\n3 be 2 b 127.0.0.1 2 0 0 10",
	};
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		int lines;
		wr_step_report r = with_fake(&replies[i], 1, false, 20000, &lines);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_int_equal(lines, 1);
	}
}

static void haproxy_that_says_too_much_or_nothing(void **state)
{
	(void)state;
	static const char *const long_state[] = {"3 be 1 a 127.0.0.1 2 0 100 100\n"},
	                         *const long_set[] = {SHOW(100, 0), "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"},
	                         *const silent_state[] = {NULL},
	                         *const silent_set[] = {SHOW(100, 0), NULL};
	wr_step_report r = with_fake(long_state, 1, true, 20000, NULL);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "too long");
	r = with_fake(long_set, 2, true, 20000, NULL);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	r = with_fake(silent_state, 1, false, 300, NULL);
	assert_outcome(&r, WR_OUT_FAILED);
	r = with_fake(silent_set, 2, false, 300, NULL);
	assert_outcome(&r, WR_OUT_UNKNOWN);
	assert_contains(r.error, "in time");
}

/* Bytes changed, left out, repeated: whatever comes of it, it ends, and it is harmless. */
static void haproxy_with_broken_answers(void **state)
{
	(void)state;
	static const char good[] = SHOW(100, 0);
	uint32_t random = 12345;
	for (int round = 0; round < 400; round++) {
		char broken[2 * sizeof good];
		size_t n = 0;
		for (size_t i = 0; i < sizeof good - 1 && n + 2 < sizeof broken; i++) {
			random = random * 1664525u + 1013904223u;
			uint32_t what = random >> 16;
			if (what % 150 == 0) continue;
			broken[n++] = what % 150 == 1 ? (char)(what >> 8 ? what >> 8 : 1) : good[i];
			if (what % 150 == 2) broken[n++] = good[i];
		}
		broken[n] = '\0';
		const char *replies[] = {broken};
		wr_step_report r = with_fake(replies, 1, false, 20000, NULL);
		assert_true(r.outcome != WR_OUT_DONE);
	}
}

static void haproxy_over_tcp_with_many_servers(void **state)
{
	(void)state;
	char many[8192], spec[256];
	size_t n = (size_t)snprintf(many, sizeof many, "1\n" HEAD);
	for (int i = 0; i < 65; i++)
		n += (size_t)snprintf(many + n, sizeof many - n, "3 be %d s%d 127.0.0.1 2 0 0 100\n", i, i);
	snprintf(many + n, sizeof many - n, "\n" STAT);
	const char *replies[] = {many};
	fake f;
	int port = fake_start(&f, NULL, replies, 1);
	fake_run(&f);
	snprintf(spec, sizeof spec,
	         "'kind':'haproxy','address':'tcp:127.0.0.1:%d','backend':'be','servers':{'us':'s0'},"
	         "'weights':{'us':100}",
	         port);
	wr_step_report r = traffic(spec, 20000);
	fake_stop(&f);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "more than 64 servers");
}

static void haproxy_names_cannot_be_commands(void **state)
{
	(void)state;
	static const char *const specs[] = {
	    "'backend':'be;shutdown','servers':{'us':'a'}",
	    "'backend':'be a','servers':{'us':'a'}",
	    "'backend':'','servers':{'us':'a'}",
	    "'backend':'be\\n','servers':{'us':'a'}",
	    "'backend':'be','servers':{'us':'a 0;disable server be/b'}",
	    "'backend':'be','servers':{'us':''}",
	    "'backend':'be','servers':{'us':'a','eu':'a'}",
	    "'backend':'be','servers':{'us':7}",
	    "'backend':'be','servers':{'us':'c'}",
	    "'backend':'be','servers':{}",
	    "'backend':'be'",
	};
	static const char *const replies[] = {SHOW(100, 0)};
	for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
		char spec[512];
		fake f;
		int port = fake_start(&f, NULL, replies, 1);
		fake_run(&f);
		snprintf(spec, sizeof spec,
		         "'kind':'haproxy','address':'tcp:127.0.0.1:%d','weights':{'us':100},%s", port,
		         specs[i]);
		wr_step_report r = traffic(spec, 20000);
		fake_stop(&f);
		assert_outcome(&r, WR_OUT_FAILED);
		assert_string_equal(f.last_set, "");
	}
}

static void a_look_has_its_own_limit(void **state)
{
	(void)state;
	static const char *const silent[] = {NULL};
	fake f;
	char step[512];
	int port = fake_start(&f, NULL, silent, 1);
	fake_run(&f);
	snprintf(step, sizeof step,
	         "{'kind':'traffic','timeout_ms':600000,'traffic':{'kind':'haproxy','backend':'be',"
	         "'address':'tcp:127.0.0.1:%d','servers':{'us':'a'},'weights':{'us':100},"
	         "'timeout_ms':200}}",
	         port);
	wr_step_report r = run_step(step, 0); /* the provider's own limit for a look */
	fake_stop(&f);
	assert_outcome(&r, WR_OUT_FAILED);
	assert_contains(r.error, "in time");
}

/* ---- wr_traffic_get of the other kinds ---- */

static void get_over_http_and_exec(void **state)
{
	(void)state;
	static const char *const regions[] = {"us", "eu"};
	static const char *const argv[] = {"echo", "{\"weights\":{\"us\":1,\"eu\":99,\"x\":0}}", NULL};
	static const wr_region all[] = {{.name = "us"}, {.name = "asia"}, {.name = "eu"}};
	static const wr_pair headers[] = {{"Authorization", "Bearer ${env:TOKEN}"}};
	char url[64], seen[2048];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/weights", s->port);
	set_weights(s, "{\"weights\":{\"us\":70,\"eu\":30}}");
	wr_traffic t[] = {{.name = "cdn",
	                   .kind = WR_TRAFFIC_HTTP,
	                   .address = url,
	                   .headers = headers,
	                   .header_count = 1,
	                   .regions = regions,
	                   .region_count = 2,
	                   .timeout_ms = 10000},
	                  {.name = "script",
	                   .kind = WR_TRAFFIC_EXEC,
	                   .get_argv = argv,
	                   .regions = regions,
	                   .region_count = 2}};
	wr_config cfg = {.regions = all, .region_count = 3, .traffic = t, .traffic_count = 2};
	int weights[WR_MAX_REGIONS];
	wr_err err = {0};
	assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), 0);
	assert_int_equal(weights[0], 70);
	assert_int_equal(weights[1], -1);
	assert_int_equal(weights[2], 30);
	last_request(s, seen, sizeof seen);
	assert_contains(seen, "Authorization: Bearer s3cret-token-value\r\n");
	assert_int_equal(wr_traffic_get(&cfg, 1, weights, &err), 0);
	assert_int_equal(weights[0], 1);
	assert_int_equal(weights[2], 99);

	static const char *const bad[] = {"{\"weights\":{\"us\":70}}",
	                                  "{\"weights\":{\"us\":70,\"eu\":300}}",
	                                  "{\"weights\":[70,30]}",
	                                  "{}",
	                                  "",
	                                  "[]",
	                                  "{\"weights\":{\"us\":70,\"eu\":30.5}}"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		set_weights(s, bad[i]);
		assert_int_equal(wr_traffic_get(&cfg, 0, weights, &err), -1);
		assert_contains(err.msg, "traffic cdn");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(weights_that_are_none),
	    cmocka_unit_test(http_obedient),
	    cmocka_unit_test(http_effects_carry_the_epoch),
	    cmocka_unit_test(http_outcomes),
	    cmocka_unit_test(a_third_region_with_traffic_is_a_mismatch),
	    cmocka_unit_test(exec_provider),
	    cmocka_unit_test(haproxy_outcomes),
	    cmocka_unit_test(haproxy_that_talks_nonsense),
	    cmocka_unit_test(haproxy_that_says_too_much_or_nothing),
	    cmocka_unit_test(haproxy_with_broken_answers),
	    cmocka_unit_test(haproxy_over_tcp_with_many_servers),
	    cmocka_unit_test(haproxy_names_cannot_be_commands),
	    cmocka_unit_test(a_look_has_its_own_limit),
	    cmocka_unit_test(get_over_http_and_exec),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
