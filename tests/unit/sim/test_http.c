/* test_http.c: the real servers on ports that the kernel chose: sockets that close and open again,
 * black holes, hostile bytes, and many callers at once. */
#include "simtest.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/http.h"

#define PATIENCE_MS 20000 /* until a test gives up waiting for a condition */

static wr_simd *d;
static pthread_t runner;

static void *run(void *arg)
{
	wr_simd_run(arg, -1);
	return NULL;
}

static int start_with(const char *platform, unsigned idle_s, unsigned connections)
{
	wr_err err = {0};
	wr_simd_options o = {.speed_milli = 1000, .idle_s = idle_s, .connections = connections};
	d = wr_simd_open(make_sim(platform, 1), &o, &err);
	if (d == NULL) fail_msg("%s", err.msg);
	return pthread_create(&runner, NULL, run, d);
}

static int start(void **state)
{
	(void)state;
	return start_with("ggen", 0, 0);
}

static int stop(void **state)
{
	(void)state;
	wr_simd_stop(d);
	pthread_join(runner, NULL);
	wr_simd_free(d);
	d = NULL;
	return 0;
}

static size_t collect(char *data, size_t size, size_t n, void *ctx)
{
	wr_buf_add(ctx, data, size * n);
	return size * n;
}

/* call: the HTTP status, or minus curl's error. `header` may be NULL. */
static int call(int region, const char *path, const char *post, const char *header, long timeout_ms,
                wr_buf *out)
{
	char url[256];
	long status = 0;
	wr_buf unused = WR_BUF_INIT(16u << 20);
	CURL *c = curl_easy_init();
	struct curl_slist *headers = header != NULL ? curl_slist_append(NULL, header) : NULL;
	snprintf(url, sizeof url, "http://127.0.0.1:%d%s", wr_simd_port(d, region), path);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, out != NULL ? out : &unused);
	if (headers != NULL) curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (post != NULL) curl_easy_setopt(c, CURLOPT_POSTFIELDS, post);
	CURLcode rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	wr_buf_free(&unused);
	return rc == CURLE_OK ? (int)status : -(int)rc;
}

static int get(int region, const char *path)
{
	return call(region, path, NULL, NULL, PATIENCE_MS, NULL);
}

static int post(int region, const char *path, const char *body)
{
	return call(region, path, body, NULL, PATIENCE_MS, NULL);
}

static json_t *get_json(int region, const char *path)
{
	wr_buf b = WR_BUF_INIT(16u << 20);
	wr_err err = {0};
	if (call(region, path, NULL, NULL, PATIENCE_MS, &b) != 200) fail_msg("GET %s failed", path);
	json_t *j = wr_json_parse(b.data, b.len, &err);
	if (j == NULL) fail_msg("%s: %s", path, err.msg);
	wr_buf_free(&b);
	return j;
}

static void fault(const char *body)
{
	assert_int_equal(post(-1, "/v1/fault", body), 200);
}

static int raw_connect(int region)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)wr_simd_port(d, region))};
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
	close(fd);
	return -1;
}

/* raw_answer sends bytes and reads until the server hangs up or nothing comes any more. */
static size_t raw_answer(int fd, const void *bytes, size_t len, char *out, size_t size)
{
	size_t got = 0;
	const char *p = bytes;
	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n <= 0) break;
		p += n;
		len -= (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	while (got < size - 1) {
		struct pollfd f = {.fd = fd, .events = POLLIN};
		if (poll(&f, 1, PATIENCE_MS) <= 0) fail_msg("the server neither answers nor hangs up");
		ssize_t n = recv(fd, out + got, size - 1 - got, 0);
		if (n <= 0) break;
		got += (size_t)n;
	}
	out[got] = '\0';
	return got;
}

static void every_server_answers(void **state)
{
	(void)state;
	assert_int_equal(get(-1, "/healthz"), 200);
	assert_int_equal(get(0, "/health"), 200);
	assert_int_equal(get(1, "/metrics"), 200);
	assert_int_equal(get(1, "/nothing"), 404);
	assert_int_equal(post(1, "/health", ""), 405);
	assert_int_equal(post(1, "/drain", "{"), 400);
	json_t *j = get_json(-1, "/v1/platform");
	assert_int_equal(json_array_size(json_object_get(j, "regions")), 2);
	json_decref(j);
}

static void time_goes_on_at_the_speed_asked_for(void **state)
{
	(void)state;
	assert_int_equal(post(-1, "/v1/clock", "{\"speed\":1000}"), 200);
	int64_t now = 0;
	for (int tries = 0; tries < 2000 && now < 60000; tries++) {
		json_t *j = get_json(-1, "/v1/platform");
		assert_true(wr_json_int(j, "virtual_ms", -1) >= now);
		now = wr_json_int(j, "virtual_ms", -1);
		json_decref(j);
		poll(NULL, 0, 5);
	}
	assert_true(now >= 60000);
	assert_int_equal(post(-1, "/v1/clock", "{\"speed\":0}"), 200);
	json_t *a = get_json(-1, "/v1/faults");
	poll(NULL, 0, 150); /* longer than a tick: time that stands still must not move */
	json_t *b = get_json(-1, "/v1/faults");
	assert_int_equal(wr_json_int(a, "virtual_ms", -1), wr_json_int(b, "virtual_ms", -2));
	json_decref(a);
	json_decref(b);
}

static void a_region_goes_and_comes_back_on_its_port(void **state)
{
	(void)state;
	int port = wr_simd_port(d, 0);
	for (int i = 0; i < 5; i++) {
		fault("{\"kind\":\"region_down\",\"region\":\"us-central1\"}");
		assert_int_equal(get(0, "/health"), -CURLE_COULDNT_CONNECT); /* at once, not soon */
		assert_int_equal(get(1, "/health"), 200);
		assert_int_equal(get(-1, "/v1/fence?region=us-central1"), 200);
		fault("{\"kind\":\"heal\",\"region\":\"us-central1\"}");
		assert_int_equal(get(0, "/state"), 200);
		assert_int_equal(wr_simd_port(d, 0), port);
	}
	/* The fence works while the region is down. */
	fault("{\"kind\":\"region_down\",\"region\":\"us-central1\"}");
	assert_int_equal(post(-1, "/v1/fence", "{\"region\":\"us-central1\"}"), 200);
	fault("{\"kind\":\"heal\"}");
	json_t *j = get_json(0, "/state");
	assert_string_equal(wr_json_str(j, "role", ""), "read_only");
	json_decref(j);
}

static void open_connections_die_with_their_region(void **state)
{
	(void)state;
	char out[256];
	int fd = raw_connect(0);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, "GET /health HTTP/1.1\r\n", 22, MSG_NOSIGNAL), 22);
	fault("{\"kind\":\"region_down\",\"region\":\"us-central1\"}");
	raw_answer(fd, "Host: x\r\n\r\n", 11, out, sizeof out);
	assert_null(strstr(out, "200 OK"));
	close(fd);
	fault("{\"kind\":\"heal\"}");
	assert_int_equal(get(0, "/state"), 200);
}

static void a_black_hole_accepts_and_never_answers(void **state)
{
	(void)state;
	fault("{\"kind\":\"region_down\",\"region\":\"us-central1\",\"value\":1}");
	assert_int_equal(call(0, "/health", NULL, NULL, 300, NULL), -CURLE_OPERATION_TIMEDOUT);
	/* More callers than a backlog holds: all are let in, none is answered. */
	int fds[300], in = 0;
	for (int i = 0; i < 300; i++) {
		fds[i] = raw_connect(0);
		in += fds[i] >= 0;
	}
	assert_int_equal(in, 300);
	struct pollfd f = {.fd = fds[7], .events = POLLIN};
	assert_int_equal(poll(&f, 1, 100), 0);
	fault("{\"kind\":\"heal\"}");
	assert_int_equal(get(0, "/state"), 200);
	for (int i = 0; i < 300; i++) close(fds[i]);
}

static void a_cut_off_observer_reaches_nothing_but_the_strings(void **state)
{
	(void)state;
	fault("{\"kind\":\"partition\",\"region\":\"observer\"}");
	assert_int_equal(get(0, "/health"), -CURLE_COULDNT_CONNECT);
	assert_int_equal(get(1, "/health"), -CURLE_COULDNT_CONNECT);
	assert_int_equal(get(-1, "/healthz"), -CURLE_GOT_NOTHING);
	assert_int_equal(get(-1, "/v1/traffic"), -CURLE_GOT_NOTHING);
	assert_int_equal(get(-1, "/v1/platform"), 200);
	fault("{\"kind\":\"heal\",\"region\":\"observer\"}");
	assert_int_equal(get(0, "/health"), 200);
	assert_int_equal(get(-1, "/healthz"), 200);
}

static void a_brownout_is_really_slow(void **state)
{
	(void)state;
	fault("{\"kind\":\"brownout\",\"region\":\"us-central1\",\"value\":100}");
	json_t *j = NULL;
	double p95 = 0;
	for (int tries = 0; tries < 500 && p95 < 3000; tries++) { /* latency builds up */
		json_decref(j);
		j = get_json(-1, "/v1/platform");
		p95 = (double)wr_json_int(wr_json_get(j, "/regions/0"), "p95_ms", 0);
		poll(NULL, 0, 20);
	}
	json_decref(j);
	assert_true(p95 >= 3000);
	assert_int_equal(call(0, "/health", NULL, NULL, 100, NULL), -CURLE_OPERATION_TIMEDOUT);
	assert_int_equal(get(0, "/health"), 503); /* it does answer in the end */
	/* Callers who wait while the region dies are let go, and the server survives them. */
	int fds[20];
	for (int i = 0; i < 20; i++) {
		fds[i] = raw_connect(0);
		assert_true(send(fds[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL) > 0);
	}
	fault("{\"kind\":\"region_down\",\"region\":\"us-central1\"}");
	for (int i = 0; i < 20; i++) {
		char out[512];
		raw_answer(fds[i], "", 0, out, sizeof out);
		close(fds[i]);
	}
	fault("{\"kind\":\"heal\"}");
	assert_int_equal(get(0, "/state"), 200);
}

static void keys_epochs_and_replays_cross_the_wire(void **state)
{
	(void)state;
	wr_buf a = WR_BUF_INIT(4096), b = WR_BUF_INIT(4096);
	const char *key = "Idempotency-Key: op-1/step-2";
	assert_int_equal(call(0, "/scale", "{\"percent\":70}", key, PATIENCE_MS, &a), 200);
	assert_int_equal(call(0, "/scale", "{\"percent\":70}", key, PATIENCE_MS, &b), 200);
	assert_string_equal(wr_buf_cstr(&a), wr_buf_cstr(&b));
	assert_int_equal(call(0, "/scale", "{\"percent\":80}", key, PATIENCE_MS, NULL), 422);
	assert_int_equal(call(0, "/drain", "", "X-Warroom-Epoch: 5", PATIENCE_MS, NULL), 200);
	assert_int_equal(call(0, "/drain", "", "X-Warroom-Epoch: 4", PATIENCE_MS, NULL), 409);
	assert_int_equal(call(0, "/drain", "", "X-Warroom-Epoch: x", PATIENCE_MS, NULL), 400);
	wr_buf_free(&a);
	wr_buf_free(&b);
}

static void bodies_are_bounded(void **state)
{
	(void)state;
	size_t max = WR_SIM_BODY_MAX;
	char *body = malloc(2 * max + 1);
	memset(body, ' ', 2 * max);
	body[2 * max] = '\0';
	memcpy(body, "{}", 2);
	body[max] = '\0';
	assert_int_equal(post(0, "/freeze", body), 200); /* exactly 64 KiB */
	body[max] = ' ';
	body[max + 1] = '\0';
	assert_int_equal(post(0, "/freeze", body), 413);
	/* The same without a length said before. */
	assert_int_equal(call(0, "/freeze", body, "Transfer-Encoding: chunked", PATIENCE_MS, NULL),
	                 413);
	body[max + 1] = ' ';
	assert_int_equal(post(0, "/freeze", body), 413);
	free(body);
	/* An endless body is hung up on. */
	char chunk[4096];
	int fd = raw_connect(0);
	const char *head = "POST /freeze HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	assert_true(send(fd, head, strlen(head), MSG_NOSIGNAL) > 0);
	int len = snprintf(chunk, sizeof chunk, "800\r\n%02048d\r\n", 0);
	int sent = 0;
	while (sent < 4000 && send(fd, chunk, (size_t)len, MSG_NOSIGNAL) == len) sent++;
	assert_true(sent < 4000);
	close(fd);
	assert_int_equal(get(0, "/state"), 200);
}

static void hostile_bytes_do_no_harm(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "\r\n\r\n",
	    "GET\r\n\r\n",
	    "GET /health\r\n\r\n",
	    "GET /health HTTP/9.9\r\n\r\n",
	    "GET /health HTTP/1.1\r\n\r\n",
	    "POST /scale HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
	    "POST /scale HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
	    "POST /scale HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{}",
	    "POST /scale HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
	    "POST /freeze HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
	    "GET /%00%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	    "GET /receipts?since=%00&limit=%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	    "GET /health HTTP/1.1\r\nHost: x\r\n: empty\r\nConnection: close\r\n\r\n",
	    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	    "\xff\xfe\xfd\xfc\r\n\r\n"};
	char out[8192];
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		int fd = raw_connect(0);
		raw_answer(fd, lines[i], strlen(lines[i]), out, sizeof out);
		assert_null(strstr(out, "root:"));
		close(fd);
	}
	/* A header that never ends, and a great many of them. */
	char *big = malloc(1u << 20);
	memset(big, 'a', 1u << 20);
	memcpy(big, "GET /health HTTP/1.1\r\nX: ", 25);
	int fd = raw_connect(0);
	raw_answer(fd, big, 1u << 20, out, sizeof out);
	close(fd);
	for (size_t at = 22; at + 6 < 1u << 20; at += 6) memcpy(big + at, "A: b\r\n", 6);
	fd = raw_connect(0);
	raw_answer(fd, big, 1u << 20, out, sizeof out);
	assert_null(strstr(out, "200 OK"));
	close(fd);
	free(big);
	wr_sim_prng p = {.state = 1};
	for (int round = 0; round < 300; round++) {
		char bytes[512];
		size_t len = (size_t)wr_sim_below(&p, sizeof bytes);
		for (size_t i = 0; i < len; i++) bytes[i] = (char)wr_sim_below(&p, 256);
		if (round % 2 == 0 && len > 24) memcpy(bytes, "POST /scale HTTP/1.1\r\n\r\n", 24);
		fd = raw_connect((int)wr_sim_below(&p, 3) - 1);
		raw_answer(fd, bytes, len, out, sizeof out);
		close(fd);
	}
	assert_int_equal(get(-1, "/healthz"), 200);
	assert_int_equal(get(0, "/state"), 200);
	assert_int_equal(get(1, "/state"), 200);
}

static int start_small(void **state)
{
	(void)state;
	return start_with("ggen", 1, 8);
}

static void idle_callers_are_dropped_and_make_room(void **state)
{
	(void)state;
	int fds[8];
	for (int i = 0; i < 8; i++) {
		fds[i] = raw_connect(0);
		assert_true(fds[i] >= 0);
		assert_true(send(fds[i], "GET /hea", 8, MSG_NOSIGNAL) == 8); /* and then nothing */
	}
	for (int i = 0; i < 8; i++) {
		char out[256];
		struct pollfd f = {.fd = fds[i], .events = POLLIN};
		assert_int_equal(poll(&f, 1, PATIENCE_MS), 1);
		while (recv(fds[i], out, sizeof out, 0) > 0) {
		}
		close(fds[i]);
	}
	assert_int_equal(get(0, "/health"), 200);
}

typedef struct caller {
	pthread_t thread;
	int region, ok, other;
} caller;

static void *call_a_lot(void *arg)
{
	caller *c = arg;
	for (int i = 0; i < 60; i++) {
		int status = i % 3 == 0 ? post(c->region, c->region < 0 ? "/v1/unfence" : "/verify",
		                               c->region < 0 ? "{\"region\":\"us-central1\"}" : "")
		                        : get(c->region, c->region < 0 ? "/v1/platform" : "/replication");
		if (status == 200)
			c->ok++;
		else
			c->other++;
	}
	return NULL;
}

static void many_callers_and_faults_at_once(void **state)
{
	(void)state;
	caller callers[9];
	post(-1, "/v1/clock", "{\"speed\":20}");
	for (int i = 0; i < 9; i++) {
		callers[i] = (caller){.region = i % 3 - 1};
		pthread_create(&callers[i].thread, NULL, call_a_lot, &callers[i]);
	}
	for (int i = 0; i < 10; i++) {
		fault("{\"kind\":\"region_down\",\"region\":\"europe-west1\"}");
		fault("{\"kind\":\"heal\"}");
		fault("{\"kind\":\"brownout\",\"region\":\"europe-west1\",\"value\":20}");
		fault("{\"kind\":\"region_down\",\"region\":\"europe-west1\",\"value\":1,\"duration_ms\":"
		      "100}");
		fault("{\"kind\":\"heal\"}");
	}
	for (int i = 0; i < 9; i++) {
		pthread_join(callers[i].thread, NULL);
		if (callers[i].region <= 0) assert_int_equal(callers[i].other, 0);
	}
	assert_int_equal(get(1, "/state"), 200);
}

static void large_answers_are_whole(void **state)
{
	(void)state;
	json_t *j = get_json(1, "/quota?tenants=10000");
	assert_int_equal(json_array_size(json_object_get(j, "tenants")), 30000);
	json_decref(j);
}

static int until_status(int region, const char *path, int wanted)
{
	int status = 0;
	for (int tries = 0; tries < PATIENCE_MS / 5 && status != wanted; tries++) {
		status = get(region, path);
		if (status != wanted) poll(NULL, 0, 5);
	}
	return status;
}

static void callers_who_do_not_read_cannot_fill_the_memory(void **state)
{
	(void)state;
	const char *ask_much = "GET /quota?tenants=10000 HTTP/1.1\r\nHost: x\r\n\r\n";
	int fds[24];
	for (int i = 0; i < 24; i++) {
		fds[i] = raw_connect(0);
		assert_true(send(fds[i], ask_much, strlen(ask_much), MSG_NOSIGNAL) > 0);
	}
	assert_int_equal(until_status(0, "/keys", 503), 503);
	assert_int_equal(get(1, "/keys"), 200); /* the others do not suffer */
	assert_int_equal(get(-1, "/healthz"), 200);
	for (int i = 0; i < 24; i++) close(fds[i]);
	assert_int_equal(until_status(0, "/keys", 200), 200);
}

static void a_stop_ends_everything_also_what_waits(void **state)
{
	(void)state;
	fault("{\"kind\":\"brownout\",\"region\":\"us-central1\",\"value\":100}");
	int fds[10];
	for (int i = 0; i < 10; i++) {
		fds[i] = raw_connect(i % 3 - 1);
		assert_true(send(fds[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", 34, MSG_NOSIGNAL) > 0);
	}
	assert_int_equal(stop(NULL), 0);
	for (int i = 0; i < 10; i++) {
		char out[1024];
		raw_answer(fds[i], "", 0, out, sizeof out);
		close(fds[i]);
	}
	assert_int_equal(start(NULL), 0); /* for the teardown */
}

static void a_taken_port_is_told(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_simd_options o = {.speed_milli = 1000, .listen_base = wr_simd_port(d, -1)};
	assert_null(wr_simd_open(make_sim("ggen", 1), &o, &err));
	assert_int_equal(err.code, WR_E_LOCKED);
	assert_non_null(strstr(err.msg, "--listen-base"));
	/* Also while the region that holds it does not listen. */
	fault("{\"kind\":\"region_down\",\"region\":\"us-central1\"}");
	o.listen_base = wr_simd_port(d, 0);
	assert_null(wr_simd_open(make_sim("ggen", 1), &o, &err));
	assert_int_equal(err.code, WR_E_LOCKED);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_SERVER(every_server_answers),
	    WITH_SERVER(time_goes_on_at_the_speed_asked_for),
	    WITH_SERVER(a_region_goes_and_comes_back_on_its_port),
	    WITH_SERVER(open_connections_die_with_their_region),
	    WITH_SERVER(a_black_hole_accepts_and_never_answers),
	    WITH_SERVER(a_cut_off_observer_reaches_nothing_but_the_strings),
	    WITH_SERVER(a_brownout_is_really_slow),
	    WITH_SERVER(keys_epochs_and_replays_cross_the_wire),
	    WITH_SERVER(bodies_are_bounded),
	    WITH_SERVER(hostile_bytes_do_no_harm),
	    cmocka_unit_test_setup_teardown(idle_callers_are_dropped_and_make_room, start_small, stop),
	    WITH_SERVER(many_callers_and_faults_at_once),
	    WITH_SERVER(large_answers_are_whole),
	    WITH_SERVER(callers_who_do_not_read_cannot_fill_the_memory),
	    WITH_SERVER(a_stop_ends_everything_also_what_waits),
	    WITH_SERVER(a_taken_port_is_told),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	curl_global_cleanup();
	return rc;
}
