/* The API's thread alone, with a main loop that the test plays: hostile bytes, long polls, sockets
 * that are taken, and stopping at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/engine.h"

#define POLLERS 200

typedef struct fixture {
	char dir[64], path[96];
	wr_queue *inbox;
	api *api;
	pthread_t loop;
	atomic_bool stop;
	atomic_int answered;
} fixture;

static int set_up(void **state)
{
	fixture *f = calloc(1, sizeof *f);
	wr_err err = {0};
	assert_non_null(f);
	snprintf(f->dir, sizeof f->dir, "/tmp/warroom-api.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/s", f->dir);
	f->inbox = wr_queue_new(WR_EVENTS_MAX);
	assert_non_null(f->inbox);
	f->api = api_start(f->path, "", f->inbox, &err);
	if (!f->api) fail_msg("%s", err.msg);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	fixture *f = *state;
	api_stop(f->api);
	assert_int_equal(access(f->path, F_OK), -1);
	wr_queue_free(f->inbox, msg_free);
	rmdir(f->dir);
	free(f);
	return 0;
}

static int dial(const fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof a.sun_path, "%s", f->path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		if (n <= 0) return; /* it has been cut off, as it may be */
		text += n;
		len -= (size_t)n;
	}
}

/* All that comes until the other side closes. */
static size_t hear(int fd, char *out, size_t size)
{
	size_t have = 0;
	ssize_t n;
	while (have + 1 < size && (n = recv(fd, out + have, size - 1 - have, 0)) > 0) have += (size_t)n;
	out[have] = '\0';
	return have;
}

/* The status of one request on a connection of its own; the answer in out. */
static int ask(const fixture *f, const char *wanted, char *out, size_t size)
{
	int fd = dial(f), status = 0;
	say(fd, wanted, strlen(wanted));
	hear(fd, out, size);
	close(fd);
	if (strncmp(out, "HTTP/1.1 ", 9) == 0) status = (int)strtol(out + 9, NULL, 10);
	return status;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void *answer_all(void *ctx)
{
	fixture *f = ctx;
	while (!atomic_load(&f->stop)) {
		msg *m = wr_queue_pop(f->inbox, 20);
		if (!m) continue;
		assert_int_equal(m->kind, MSG_REQUEST);
		m->request->status = 200;
		m->request->answer = strdup("{\"ok\":true}\n");
		m->request->answer_len = strlen(m->request->answer);
		api_answer(f->api, m->request);
		msg_free(m);
		atomic_fetch_add(&f->answered, 1);
	}
	return NULL;
}

static void begin_loop(fixture *f)
{
	assert_int_equal(pthread_create(&f->loop, NULL, answer_all, f), 0);
}

static void end_loop(fixture *f)
{
	atomic_store(&f->stop, true);
	pthread_join(f->loop, NULL);
}

static void publish(fixture *f, uint64_t rev, const char *json)
{
	api_publish(f->api, rev, json, strlen(json));
}

static void routes_and_methods(void **state)
{
	static const struct {
		const char *wanted;
		int status;
	} cases[] = {
	    {GET("/"), 404},
	    {GET("/v1"), 404},
	    {GET("/v1/states"), 404},
	    {GET("/v1/operations/"), 404},
	    {GET("/v1/operations/a/b"), 404},
	    {GET("/v1/sign"), 405},
	    {GET("/v1/state?since=x"), 400},
	    {GET("/v1/state?since=1.5"), 400},
	    {GET("/v1/state?since=--1"), 400},
	    {GET("/v1/state?wait_ms=9999999999999999999999"), 400},
	    {GET("/v1/receipts?limit=%31%30x"), 400},
	    {GET("/v1/state?since=&wait_ms="), 200},
	    {GET("/v1/state?since=%30"), 200},
	    {GET("/v1/version"), 200},
	    {GET("/v1/operations/op-1"), 200},
	    {GET("/v1/operations/%00%ff%2e%0d%0a"), 404}, /* cut at the NUL: no id */
	    {GET("/v1/operations/\xc3\x84%20%22"), 200},
	    {"DELETE /v1/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405},
	    {"ABCDEFGHIJKLMNOP /v1/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405},
	    {"POST /v1/sign HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
	     200},
	};
	fixture *f = *state;
	char out[4096];
	begin_loop(f);
	publish(f, 5, "{\"rev\":5}\n");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status = ask(f, cases[i].wanted, out, sizeof out);
		if (status != cases[i].status)
			fail_msg("%.60s: %d instead of %d", cases[i].wanted, status, cases[i].status);
		if (status >= 400) assert_non_null(strstr(out, "{\"error\":{\"code\":\""));
	}
	end_loop(f);
}

static void a_path_that_is_too_long(void **state)
{
	fixture *f = *state;
	char wanted[3000], path[2000], out[4096];
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	snprintf(wanted, sizeof wanted,
	         "GET /v1/operations/%s HTTP/1.1\r\nHost: x\r\n"
	         "Connection: close\r\n\r\n",
	         path);
	assert_int_equal(ask(f, wanted, out, sizeof out), 404);
}

static void a_body_that_is_too_large(void **state)
{
	fixture *f = *state;
	size_t len = 200000;
	char head[160], *body = calloc(1, len + 1), out[4096];
	assert_non_null(body);
	memset(body, '[', len);
	int fd = dial(f);
	snprintf(
	    head, sizeof head,
	    "POST /v1/sign HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
	    len);
	say(fd, head, strlen(head));
	say(fd, body, len);
	hear(fd, out, sizeof out);
	assert_non_null(strstr(out, "413"));
	close(fd);
	/* One without an end is cut off. */
	fd = dial(f);
	const char *chunked = "POST /v1/sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	say(fd, chunked, strlen(chunked));
	bool cut = false;
	for (int i = 0; i < 1000 && !cut; i++) {
		char size[16];
		snprintf(size, sizeof size, "%zx\r\n", len);
		say(fd, size, strlen(size));
		say(fd, body, len);
		say(fd, "\r\n", 2);
		cut = send(fd, "", 0, MSG_NOSIGNAL) < 0 || recv(fd, out, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
	}
	assert_true(cut);
	close(fd);
	free(body);
}

static void hostile_bytes(void **state)
{
	static const char *const junk[] = {
	    "\r\n\r\n\r\n",
	    "GET\r\n\r\n",
	    "GET / HTTP/9.9\r\n\r\n",
	    "\xff\xfe\xfd\r\n\r\n",
	    "POST /v1/sign HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
	    "POST /v1/sign HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
	    "POST /v1/sign HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	    "GET /v1/state HTTP/1.1\r\nHost: x\r\nHost: y\r\nA: \x01\r\n B\r\n\r\n",
	};
	fixture *f = *state;
	char out[8192];
	uint32_t seed = 1;
	begin_loop(f);
	publish(f, 1, "{\"rev\":1}\n");
	for (size_t i = 0; i < 300; i++) {
		char noise[256];
		size_t len = sizeof noise;
		for (size_t k = 0; k < len; k++)
			noise[k] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
		int fd = dial(f);
		if (i < sizeof junk / sizeof *junk)
			say(fd, junk[i], strlen(junk[i]));
		else if (i % 2)
			say(fd, GET("/v1/version"), seed % strlen(GET("/v1/version"))); /* a piece */
		else
			say(fd, noise, len);
		(void)recv(fd, out, sizeof out, MSG_DONTWAIT);
		close(fd);
	}
	assert_int_equal(ask(f, GET("/v1/version"), out, sizeof out), 200);
	end_loop(f);
}

static void starting(void **state)
{
	fixture *f = *state;
	char out[4096];
	assert_int_equal(ask(f, GET("/v1/state"), out, sizeof out), 503);
	assert_non_null(strstr(out, "\"starting\""));
	publish(f, 1, "{\"rev\":1}\n");
	assert_int_equal(ask(f, GET("/v1/state"), out, sizeof out), 200);
	assert_non_null(strstr(out, "{\"rev\":1}"));
}

static void long_poll(void **state)
{
	fixture *f = *state;
	char out[4096];
	publish(f, 7, "{\"rev\":7}\n");
	/* Another revision, older or newer, is answered at once: a restarted engine counts anew. */
	assert_int_equal(ask(f, GET("/v1/state?since=6&wait_ms=30000"), out, sizeof out), 200);
	assert_int_equal(ask(f, GET("/v1/state?since=900&wait_ms=30000"), out, sizeof out), 200);
	assert_non_null(strstr(out, "{\"rev\":7}"));
	assert_int_equal(ask(f, GET("/v1/state?since=7&wait_ms=0"), out, sizeof out), 200);
	assert_non_null(strstr(out, "\"unchanged\":true"));
	/* Waits for the news. */
	int fd = dial(f);
	const char *wanted = GET("/v1/state?since=7&wait_ms=30000");
	say(fd, wanted, strlen(wanted));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	for (int i = 0; i < 5; i++) {
		api_publish(f->api, 7, NULL, 0);
		assert_int_equal(poll(&p, 1, 10), 0);
	}
	publish(f, 8, "{\"rev\":8}\n");
	hear(fd, out, sizeof out);
	assert_non_null(strstr(out, "{\"rev\":8}"));
	close(fd);
	/* Its time is up. */
	fd = dial(f);
	wanted = GET("/v1/state?since=8&wait_ms=1");
	say(fd, wanted, strlen(wanted));
	p.fd = fd;
	while (poll(&p, 1, 2) == 0) api_publish(f->api, 8, NULL, 0);
	hear(fd, out, sizeof out);
	assert_non_null(strstr(out, "\"unchanged\":true"));
	close(fd);
}

static void many_pollers_and_some_who_left(void **state)
{
	fixture *f = *state;
	int fds[POLLERS];
	char out[512];
	const char *wanted = GET("/v1/state?since=1&wait_ms=30000");
	publish(f, 1, "{\"rev\":1}\n");
	for (int i = 0; i < POLLERS; i++) {
		fds[i] = dial(f);
		say(fds[i], wanted, strlen(wanted));
	}
	for (int i = 0; i < POLLERS; i += 3) {
		close(fds[i]);
		fds[i] = -1;
	}
	publish(f, 2, "{\"rev\":2}\n");
	publish(f, 3, "{\"rev\":3}\n");
	for (int i = 0; i < POLLERS; i++) {
		if (fds[i] < 0) continue;
		hear(fds[i], out, sizeof out);
		assert_non_null(strstr(out, "{\"rev\":"));
		close(fds[i]);
	}
}

/* What is in the inbox or in the main loop's hands when the stop comes is answered first. */
static void stopping_with_requests_in_flight(void **state)
{
	fixture *f = *state;
	int fds[20], poller;
	char out[4096];
	msg *held[20];
	publish(f, 1, "{\"rev\":1}\n");
	for (int i = 0; i < 20; i++) {
		fds[i] = dial(f);
		say(fds[i], GET("/v1/version"), strlen(GET("/v1/version")));
	}
	for (int i = 0; i < 20; i++) {
		held[i] = wr_queue_pop(f->inbox, 10000);
		assert_non_null(held[i]);
	}
	poller = dial(f);
	say(poller, GET("/v1/state?since=1&wait_ms=30000"),
	    strlen(GET("/v1/state?since=1&wait_ms=30000")));
	api_quiesce(f->api);
	/* New ones are refused and do not reach the loop. */
	assert_int_equal(ask(f, GET("/v1/version"), out, sizeof out), 503);
	assert_non_null(strstr(out, "\"stopping\""));
	assert_null(wr_queue_pop(f->inbox, 0));
	for (int i = 0; i < 20; i++) {
		held[i]->request->status = 503;
		held[i]->request->answer = strdup("{}\n");
		held[i]->request->answer_len = 3;
		api_answer(f->api, held[i]->request);
		msg_free(held[i]);
	}
	api_stop(f->api);
	f->api = NULL;
	for (int i = 0; i < 20; i++) {
		hear(fds[i], out, sizeof out);
		assert_non_null(strstr(out, "503"));
		close(fds[i]);
	}
	hear(poller, out, sizeof out);
	assert_non_null(strstr(out, "\"unchanged\":true"));
	close(poller);
}

static void stopping_with_half_requests(void **state)
{
	fixture *f = *state;
	static const char *const pieces[] = {"", "GET /v1/st",
	                                     "POST /v1/sign HTTP/1.1\r\nHost: x\r\n"
	                                     "Content-Length: 900\r\n\r\n{"};
	int fds[3];
	char out[64];
	for (int i = 0; i < 3; i++) {
		fds[i] = dial(f);
		say(fds[i], pieces[i], strlen(pieces[i]));
	}
	api_stop(f->api);
	f->api = NULL;
	for (int i = 0; i < 3; i++) {
		hear(fds[i], out, sizeof out);
		close(fds[i]);
	}
}

static void a_main_loop_without_memory(void **state)
{
	fixture *f = *state;
	char out[64];
	int fd = dial(f);
	say(fd, GET("/v1/version"), strlen(GET("/v1/version")));
	msg *m = wr_queue_pop(f->inbox, 10000);
	assert_non_null(m);
	m->request->status = 500; /* and no answer */
	api_answer(f->api, m->request);
	msg_free(m);
	assert_int_equal(hear(fd, out, sizeof out), 0);
	close(fd);
}

static void who_asks(void **state)
{
	fixture *f = *state;
	char out[4096];
	int fd = dial(f);
	say(fd, GET("/v1/why?action=fail%6fver&from=a%20b&to=%C3%84&runbook="),
	    strlen(GET("/v1/why?action=fail%6fver&from=a%20b&to=%C3%84&runbook=")));
	msg *m = wr_queue_pop(f->inbox, 10000);
	assert_non_null(m);
	request *r = m->request;
	assert_string_equal(r->path, "/v1/why");
	assert_string_equal(r->query_action, "failover");
	assert_string_equal(r->query_from, "a b");
	assert_string_equal(r->query_to, "\xc3\x84");
	assert_int_equal(r->from.pid, getpid());
	assert_int_equal(r->from.uid, getuid());
	assert_int_equal(r->from.session, getsid(0));
	r->status = 200;
	r->answer = strdup("{}\n");
	r->answer_len = 3;
	api_answer(f->api, r);
	msg_free(m);
	hear(fd, out, sizeof out);
	close(fd);
}

static void sockets_that_are_taken(void **state)
{
	fixture *f = *state;
	wr_err err = {0};
	struct stat st;
	char path[200];
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* Somebody answers there. */
	assert_null(api_start(f->path, "", f->inbox, &err));
	assert_int_equal(err.code, WR_E_LOCKED);
	assert_int_equal(access(f->path, F_OK), 0);
	/* A socket that nobody answers on is replaced. */
	snprintf(path, sizeof path, "%s/t", f->dir);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof a.sun_path, "%.100s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	close(fd);
	api *second = api_start(path, "", f->inbox, &err);
	assert_non_null(second);
	api_stop(second);
	/* A file is not. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_null(api_start(path, "", f->inbox, &err));
	assert_int_equal(err.code, WR_E_CONFLICT);
	assert_int_equal(unlink(path), 0);
	/* A group that does not exist: no socket stays behind. */
	assert_null(api_start(path, "no-such-group-here", f->inbox, &err));
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(access(path, F_OK), -1);
	memset(path, 'x', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_null(api_start(path, "", f->inbox, &err));
	assert_int_equal(err.code, WR_E_LIMIT);
	assert_null(api_start("/nonexistent/dir/s", "", f->inbox, &err));
	assert_int_equal(err.code, WR_E_IO);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(routes_and_methods),
	    T(a_path_that_is_too_long),
	    T(a_body_that_is_too_large),
	    T(hostile_bytes),
	    T(starting),
	    T(long_poll),
	    T(many_pollers_and_some_who_left),
	    T(stopping_with_requests_in_flight),
	    T(stopping_with_half_requests),
	    T(a_main_loop_without_memory),
	    T(who_asks),
	    T(sockets_that_are_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
