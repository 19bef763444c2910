/* test_fetch.c: single probes against a hostile server, and programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostile.h"
#include "warroom/text.h"
#include "warroom/watch.h"

static hostile *server;
static char url[256];

static int set_up(void **state)
{
	(void)state;
	server = hostile_start();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hostile_stop(server);
	return 0;
}

static const char *at(const char *scheme, const char *path)
{
	(void)snprintf(url, sizeof url, "%s://127.0.0.1:%d%s", scheme, server->port, path);
	return url;
}

static void run(const wr_probe *p, int64_t timeout_ms, wr_sample *s)
{
	char again[sizeof s->detail];
	wr_probe_once(p, timeout_ms, s);
	assert_string_equal(s->detail, wr_sanitise_to(again, sizeof again, s->detail));
	assert_true(s->at_us > 0);
}

static wr_sample get(const char *path, const char *pointer)
{
	wr_sample s;
	const wr_probe p = {.kind = WR_PROBE_HTTP, .url = at("http", path), .pointer = pointer};
	run(&p, 20000, &s);
	return s;
}

static void failed(const wr_sample *s, int64_t status, const char *part)
{
	if (!strstr(s->detail, part)) fail_msg("\"%s\" lacks \"%s\"", s->detail, part);
	assert_true(s->vars.error);
	assert_int_equal(s->vars.value.type, WR_V_NONE);
	assert_int_equal(s->vars.status, status);
}

static void values(void **state)
{
	(void)state;
	wr_sample s = get("/ok", "/v");
	assert_false(s.vars.error);
	assert_int_equal(s.vars.status, 200);
	assert_true(s.vars.latency_ms >= 0);
	assert_int_equal(s.vars.exit_code, -1);
	assert_true(s.vars.value.type == WR_V_NUM && s.vars.value.num == 42);
	assert_string_equal(s.detail, "");
	s = get("/ok", "/t");
	assert_string_equal(s.vars.value.str, "fine");
	s = get("/ok", "/p95_ms");
	assert_int_equal(s.vars.value.type, WR_V_NONE);
	assert_string_equal(s.detail, "no /p95_ms in the body");
	assert_false(s.vars.error);
	s = get("/null", "/v");
	assert_string_equal(s.detail, "/v is null");
	s = get("/names", "/v");
	assert_true(s.vars.value.num == 2);
	assert_string_equal(s.names, "r-1,r-2");
}

static void statuses(void **state)
{
	(void)state;
	wr_sample s = get("/404", "");
	assert_int_equal(s.vars.status, 404);
	assert_false(s.vars.error); /* it answered; breach_when says what that means */
	assert_string_equal(s.detail, "HTTP 404");
	s = get("/503", "/v");
	failed(&s, 503, "HTTP 503");
	/* without a pointer nobody reads the body */
	s = get("/badjson", "");
	assert_false(s.vars.error);
	s = get("/loop", "");
	assert_int_equal(s.vars.status, 302);
	assert_non_null(strstr(s.detail, "redirects are not followed"));
	assert_null(strstr(s.detail, "hunter2"));
}

static void bodies(void **state)
{
	(void)state;
	wr_sample s = get("/badjson", "/v");
	failed(&s, 200, "line 1, column 6");
	s = get("/deep", "/v");
	failed(&s, 200, "deeper");
	s = get("/nan", "/v");
	failed(&s, 200, "line 1");
	s = get("/rawescape", "/v");
	failed(&s, 200, "JSON at line 1");
	s = get("/escape", "/v");
	assert_string_equal(s.vars.value.str, "\xEF\xBF\xBD[2J\xEF\xBF\xBD]52;c;eA==\xEF\xBF\xBD"
	                                      "done");
	s = get("/big", "");
	failed(&s, 0, "body over 256 KiB");
	s = get("/endless", "/v");
	failed(&s, 0, "body over 256 KiB");
	s = get("/headers", "");
	failed(&s, 0, "headers over 64 KiB");
	s = get("/continue", "");
	failed(&s, 0, "headers over 64 KiB");
}

static void connections(void **state)
{
	(void)state;
	wr_sample s = get("/reset", "/v");
	failed(&s, 0, "reset");
	s = get("/empty", "/v");
	failed(&s, 0, "Empty reply");
	s = get("/garbage", "/v");
	failed(&s, 0, "HTTP/0.9");
	s = get("/short", "/v");
	failed(&s, 0, "closed");
	assert_int_equal(s.vars.latency_ms, -1);
}

static void refused(void **state)
{
	(void)state;
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof me;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, not listening */
	assert_int_equal(bind(fd, (struct sockaddr *)&me, sizeof me), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&me, &len), 0);
	(void)snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(me.sin_port));
	const wr_probe p = {.kind = WR_PROBE_HTTP, .url = url, .pointer = ""};
	wr_sample s;
	run(&p, 20000, &s);
	failed(&s, 0, "cannot connect: Connection refused");
	assert_int_equal(s.vars.latency_ms, -1); /* so that `latency_ms > 500` is unknown, not false */
	(void)close(fd);
}

static void timeouts(void **state)
{
	(void)state;
	wr_sample s;
	wr_probe p = {.kind = WR_PROBE_HTTP, .url = at("http", "/hang"), .pointer = "/v"};
	run(&p, 150, &s);
	failed(&s, 0, "timed out after 150ms waiting for the answer");
	assert_int_equal(s.vars.latency_ms, 150);
	p.url = at("http", "/drip");
	run(&p, 400, &s);
	failed(&s, 0, "timed out after 400ms reading the answer (");
}

static void tls(void **state)
{
	(void)state;
	wr_sample s;
	wr_probe p = {.kind = WR_PROBE_HTTP, .url = at("https", "/ok"), .pointer = "/v"};
	run(&p, 20000, &s);
	failed(&s, 0, "TLS: ");
	p.insecure = true; /* not even then does plain text pass */
	run(&p, 20000, &s);
	failed(&s, 0, "TLS: ");
	p.ca_file = "/nonexistent/ca.pem";
	p.insecure = false;
	run(&p, 20000, &s);
	failed(&s, 0, "TLS: ");
}

static void odd_urls(void **state)
{
	(void)state;
	static const char *const urls[] = {
	    "file:///etc/passwd", "gopher://127.0.0.1/", "http://", "ftp://127.0.0.1/x", "",
	    "http://[::1"};
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		wr_sample s;
		const wr_probe p = {.kind = WR_PROBE_HTTP, .url = urls[i], .pointer = ""};
		run(&p, 2000, &s);
		assert_true(s.vars.error);
		assert_true(s.detail[0] != '\0');
	}
}

/* The environment of the engine must not send probes elsewhere. */
static void no_proxy_from_the_environment(void **state)
{
	(void)state;
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1/", 1), 0);
	assert_int_equal(setenv("all_proxy", "http://127.0.0.1:1/", 1), 0);
	wr_sample s = get("/ok", "/v");
	assert_false(s.vars.error);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_int_equal(unsetenv("all_proxy"), 0);
}

static void secrets_in_headers(void **state)
{
	(void)state;
	wr_sample s;
	wr_pair header = {"X-Token", "Bearer ${env:WR_TEST_TOKEN}"};
	const wr_probe p = {.kind = WR_PROBE_HTTP,
	                    .url = at("http", "/auth"),
	                    .pointer = "/v",
	                    .headers = &header,
	                    .header_count = 1};
	assert_int_equal(setenv("WR_TEST_TOKEN", "hunter2", 1), 0);
	run(&p, 20000, &s);
	assert_string_equal(s.vars.value.str, "Bearer hunter2");
	assert_int_equal(setenv("WR_TEST_TOKEN", "x\r\nX-Admin: yes", 1), 0);
	run(&p, 20000, &s);
	failed(&s, 0, "header X-Token");
	assert_null(strstr(s.detail, "Admin"));
	assert_int_equal(unsetenv("WR_TEST_TOKEN"), 0);
	run(&p, 20000, &s);
	failed(&s, 0, "header X-Token: secret");
	header.value = "";
	run(&p, 20000, &s);
	assert_int_equal(s.vars.value.type, WR_V_STR); /* sent, and empty */
}

static void methods(void **state)
{
	(void)state;
	wr_sample s;
	wr_probe p = {.kind = WR_PROBE_HTTP,
	              .url = at("http", "/type"),
	              .pointer = "/v",
	              .method = "POST",
	              .body = "{}"};
	run(&p, 20000, &s);
	assert_string_equal(s.vars.value.str, "application/json");
	p.body = "";
	run(&p, 20000, &s);
	assert_false(s.vars.error);
	p = (wr_probe){
	    .kind = WR_PROBE_HTTP, .url = at("http", "/agent"), .pointer = "/v", .method = "GET"};
	run(&p, 20000, &s);
	assert_string_equal(s.vars.value.str, "warroom/" WR_VERSION);
}

static void scrapes(void **state)
{
	(void)state;
	wr_sample s;
	const wr_pair label = {"x", "2"};
	wr_probe p = {.kind = WR_PROBE_SCRAPE, .url = at("http", "/metrics"), .metric = "a"};
	run(&p, 20000, &s);
	assert_true(s.vars.value.num == 3.5);
	p.labels = &label;
	p.label_count = 1;
	run(&p, 20000, &s);
	assert_true(s.vars.value.num == 2);
	p.label_count = 0;
	p.metric = "n";
	run(&p, 20000, &s);
	assert_int_equal(s.vars.value.type, WR_V_NONE);
	assert_string_equal(s.detail, "NaN");
	assert_false(s.vars.error);
	p.url = at("http", "/metrics/bad");
	run(&p, 20000, &s);
	failed(&s, 200, "line 2: the value is not a number");
	p.url = at("http", "/metrics/cut");
	run(&p, 20000, &s);
	failed(&s, 200, "cut off");
	p.url = at("http", "/503");
	run(&p, 20000, &s);
	failed(&s, 503, "HTTP 503");
}

static void queries(void **state)
{
	(void)state;
	wr_sample s;
	wr_probe p = {.kind = WR_PROBE_PROMQL, .url = at("http", "/prom//"), .query = "sum(up) > 0"};
	run(&p, 20000, &s);
	assert_false(s.vars.error);
	assert_true(s.vars.value.num == 7);
	p.query = "bad{";
	run(&p, 20000, &s);
	failed(&s, 400, "the query failed: bad_data: unclosed brace");
	p.query = "other";
	run(&p, 20000, &s);
	failed(&s, 502, "HTTP 502");
}

/* ---- programs ---- */

static wr_sample exec_script(const char *script, const char *pointer, const wr_pair *env, size_t n)
{
	wr_sample s;
	const char *argv[] = {"/bin/sh", "-c", script, NULL};
	const wr_probe p = {.kind = WR_PROBE_EXEC,
	                    .argv = argv,
	                    .argc = 3,
	                    .pointer = pointer,
	                    .env = env,
	                    .env_count = n};
	run(&p, 20000, &s);
	return s;
}

static void programs(void **state)
{
	(void)state;
	wr_sample s = exec_script("echo '{\"lag\": 2.5}'", "/lag", NULL, 0);
	assert_false(s.vars.error);
	assert_true(s.vars.value.num == 2.5);
	assert_int_equal(s.vars.exit_code, 0);
	s = exec_script("echo nonsense", "", NULL, 0);
	assert_false(s.vars.error);
	s = exec_script("echo nonsense", "/lag", NULL, 0);
	failed(&s, 0, "JSON at line 1");
	s = exec_script("echo; printf '\\033[31mred\\nmore' >&2; exit 3", "/lag", NULL, 0);
	failed(&s, 0, "exit 3: \xEF\xBF\xBD[31mred");
	assert_int_equal(s.vars.exit_code, 3);
	s = exec_script("kill -9 $$", "", NULL, 0);
	failed(&s, 0, "killed by signal 9");
	assert_int_equal(s.vars.exit_code, -1);
	s = exec_script("head -c 400000 /dev/zero", "/lag", NULL, 0);
	failed(&s, 0, "output over 256 KiB");
}

static void program_environment(void **state)
{
	(void)state;
	const wr_pair env[] = {{"TOKEN", "a-${env:WR_TEST_TOKEN}"}, {"MORE", "b"}};
	assert_int_equal(setenv("WR_TEST_TOKEN", "s3cret", 1), 0);
	wr_sample s =
	    exec_script("echo \"\\\"$TOKEN$MORE\\\"\" | sed 's/^/{\"v\":/; s/$/}/'", "/v", env, 2);
	assert_string_equal(s.vars.value.str, "a-s3cretb");
	assert_int_equal(unsetenv("WR_TEST_TOKEN"), 0);
	s = exec_script("true", "", env, 2);
	failed(&s, 0, "env TOKEN: secret");
}

static void programs_that_fail_to_run(void **state)
{
	(void)state;
	wr_sample s;
	const char *argv[] = {"/nonexistent/program", NULL}, *sleeper[] = {"sleep", "600", NULL};
	wr_probe p = {.kind = WR_PROBE_EXEC, .argv = argv, .argc = 1, .pointer = ""};
	run(&p, 20000, &s);
	failed(&s, 0, "/nonexistent/program");
	p.argv = sleeper;
	run(&p, 100, &s);
	failed(&s, 0, "timed out after 100ms");
	assert_int_equal(s.vars.latency_ms, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),
	    cmocka_unit_test(statuses),
	    cmocka_unit_test(bodies),
	    cmocka_unit_test(connections),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(timeouts),
	    cmocka_unit_test(tls),
	    cmocka_unit_test(odd_urls),
	    cmocka_unit_test(no_proxy_from_the_environment),
	    cmocka_unit_test(secrets_in_headers),
	    cmocka_unit_test(methods),
	    cmocka_unit_test(scrapes),
	    cmocka_unit_test(queries),
	    cmocka_unit_test(programs),
	    cmocka_unit_test(program_environment),
	    cmocka_unit_test(programs_that_fail_to_run),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
