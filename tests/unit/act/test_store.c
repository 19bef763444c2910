/* An export into a store that answers as scripted, one connection after the other: what is sent,
 * what counts as taken, what is tried again and when. Nothing sleeps: the naps are taken down. */
#include <arpa/inet.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/transfer.h"

#define REQUESTS 32

typedef struct store {
	int listen_fd, port;
	pthread_t thread;
	const char *const *script;      /* whole answers, then NULL: from there on 200 with no length */
	char requests[REQUESTS][16384]; /* the thread's, until it is joined */
	int count;
	char dir[64], url[128];
	int64_t naps[REQUESTS];
	int nap_count;
	bool stop_at_nap;
	wr_export_plan plan;
} store;

/* One request, its body too. */
static void read_request(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t got;
	out[0] = '\0';
	while (n + 1 < size && (got = recv(fd, out + n, size - 1 - n, 0)) > 0) {
		n += (size_t)got;
		out[n] = '\0';
		const char *end = strstr(out, "\r\n\r\n"), *length = strcasestr(out, "\r\nContent-Length:");
		size_t body = length && end && length < end ? strtoul(length + 17, NULL, 10) : 0;
		if (end && n >= (size_t)(end - out) + 4 + body) return;
	}
}

static void *serve(void *ctx)
{
	store *s = ctx;
	static const char usual[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
	const char *const *next = s->script;
	for (;;) {
		int fd = accept(s->listen_fd, NULL, NULL);
		if (fd < 0) return NULL;
		read_request(fd, s->requests[s->count % REQUESTS], sizeof s->requests[0]);
		s->count++;
		const char *answer = *next ? *next++ : usual;
		(void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		char rest[256];
		while (recv(fd, rest, sizeof rest, 0) > 0) {
		}
		close(fd);
	}
}

static bool nap(void *ctx, int64_t ms)
{
	store *s = ctx;
	if (ms == 0) return true;
	s->naps[s->nap_count++ % REQUESTS] = ms;
	return !s->stop_at_nap;
}

static void no_chance(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 0, len);
}

static void put_file(const store *s, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", s->dir, name);
	assert_int_equal(wr_write_file(path, text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	store *s = calloc(1, sizeof *s);
	assert_non_null(s);
	signal(SIGPIPE, SIG_IGN);
	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listen_fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(s->listen_fd, 8), 0);
	assert_int_equal(getsockname(s->listen_fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	snprintf(s->dir, sizeof s->dir, "/tmp/wr-store-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	put_file(s, "a.jsonl", "one\n");
	assert_int_equal(wr_manifest_write(s->dir, NULL), 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
	s->plan = (wr_export_plan){.dir = "",
	                           .url = s->url,
	                           .bucket = "b",
	                           .prefix = "p/q",
	                           .region = "r-1",
	                           .access_key = "${env:WR_TEST_ACCESS}",
	                           .secret_key = "${env:WR_TEST_SECRET}",
	                           .session_token = "",
	                           .tls_ca = "",
	                           .timeout_ms = 5000};
	setenv("WR_TEST_ACCESS", "AKIATEST", 1);
	setenv("WR_TEST_SECRET", "unspoken", 1);
	*state = s;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	store *s = *state;
	nftw(s->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(s);
	return 0;
}

static int put(store *s, const char *const *script, int attempts, wr_store_result *out, wr_err *err)
{
	static const wr_random random = {.fill = no_chance};
	const wr_store_job job = {.to = &s->plan,
	                          .dir = s->dir,
	                          .under = "us/ops/name one",
	                          .clock = &wr_clock_system,
	                          .random = &random,
	                          .attempts = attempts,
	                          .nap = nap,
	                          .ctx = s};
	s->script = script;
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	*err = (wr_err){0};
	int rc = wr_store_put(&job, out, err);
	shutdown(s->listen_fd, SHUT_RDWR); /* wakes accept */
	pthread_join(s->thread, NULL);
	close(s->listen_fd);
	assert_null(strstr(err->msg, "unspoken"));
	return rc;
}

#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define HAS(n) "HTTP/1.1 200 OK\r\nContent-Length: " #n "\r\nConnection: close\r\n\r\n"
#define NO(st) "HTTP/1.1 " #st " No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define WAIT(s)                                                                                    \
	"HTTP/1.1 503 No\r\nRetry-After: " #s "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

static void what_is_sent(void **state)
{
	store *s = *state;
	static const char *const script[] = {OK, HAS(4), OK, NO(405), NULL};
	wr_store_result out;
	wr_err err;
	if (put(s, script, 1, &out, &err)) fail_msg("%s", err.msg);
	assert_int_equal(out.files, 2);
	assert_int_equal(out.retries, 0);
	assert_int_equal(s->count, 4);
	assert_true(begins(s->requests[0], "PUT /b/p/q/us/ops/name%20one/a.jsonl HTTP/1.1\r\n"));
	assert_true(begins(s->requests[1], "HEAD /b/p/q/us/ops/name%20one/a.jsonl HTTP/1.1\r\n"));
	assert_true(begins(s->requests[2], "PUT /b/p/q/us/ops/name%20one/SHA256SUMS HTTP/1.1\r\n"));
	const char *body = strstr(s->requests[0], "\r\n\r\n");
	assert_string_equal(body, "\r\n\r\none\n");
	/* Of the bytes themselves, never UNSIGNED-PAYLOAD; no waiting for a 100; nothing chunked. */
	assert_non_null(strstr(
	    s->requests[0],
	    "x-amz-content-sha256: 2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"));
	assert_non_null(
	    strstr(s->requests[0], "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="));
	assert_non_null(strstr(s->requests[0], "Content-Length: 4\r\n"));
	assert_null(strcasestr(s->requests[0], "Expect:"));
	assert_null(strcasestr(s->requests[0], "chunked"));
}

static void later_and_later(void **state)
{
	store *s = *state;
	static const char *const script[] = {NO(500), NO(429), WAIT(7), WAIT(100000), NO(408),
	                                     "",      OK,      HAS(4),  NULL};
	static const int64_t naps[] = {1000, 2000, 7000, 300000, 16000, 32000};
	wr_store_result out;
	wr_err err;
	if (put(s, script, 9, &out, &err)) fail_msg("%s", err.msg);
	assert_int_equal(out.retries, 6);
	assert_int_equal(s->nap_count, 6);
	for (size_t i = 0; i < 6; i++) assert_int_equal(s->naps[i], naps[i]);
}

static void not_for_ever(void **state)
{
	store *s = *state;
	static const char *const script[] = {NO(503), NO(503), NO(503), NO(503), NULL};
	wr_store_result out;
	wr_err err;
	assert_int_equal(put(s, script, 3, &out, &err), -1);
	assert_int_equal(err.code, WR_E_UNAVAILABLE);
	assert_int_equal(s->count, 3);
	assert_non_null(strstr(err.msg, "503"));
	assert_int_equal(out.files, 0);
}

static void refused_is_refused(void **state)
{
	store *s = *state;
	static const char *const script[] = {
	    "HTTP/1.1 403 No\r\nContent-Length: 64\r\nConnection: close\r\n\r\n"
	    "<Error><Code>SignatureDoesNotMatch</Code><Key>\x1b[31m</Key></Error>",
	    NULL};
	wr_store_result out;
	wr_err err;
	assert_int_equal(put(s, script, 5, &out, &err), -1);
	assert_int_equal(err.code, WR_E_DENIED);
	assert_string_equal(err.msg, "a.jsonl: the store answers 403 (SignatureDoesNotMatch)");
	assert_int_equal(s->count, 1);
	assert_int_equal(s->nap_count, 0);
}

/* What is no name of an error is not repeated. */
static void odd_words(void **state)
{
	store *s = *state;
	static const char *const script[] = {
	    "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n<Code>\x1b]0;x\x07</Code>", NULL};
	wr_store_result out;
	wr_err err;
	assert_int_equal(put(s, script, 5, &out, &err), -1);
	assert_string_equal(err.msg, "a.jsonl: the store answers 400");
}

static void taken_but_not_there(void **state)
{
	store *s = *state;
	static const char *const script[] = {OK, NO(404), OK, HAS(3), OK, HAS(5), NULL};
	wr_store_result out;
	wr_err err;
	assert_int_equal(put(s, script, 3, &out, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_non_null(strstr(err.msg, "5 bytes of 4"));
	assert_int_equal(s->count, 6);
}

static void elsewhere(void **state)
{
	store *s = *state;
	static const char *const script[] = {
	    "HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n"
	    "Connection: close\r\n\r\n",
	    NULL};
	wr_store_result out;
	wr_err err;
	assert_int_equal(put(s, script, 5, &out, &err), -1);
	assert_int_equal(s->count, 1);
	assert_non_null(strstr(err.msg, "redirects are not followed"));
}

static void stopped(void **state)
{
	store *s = *state;
	static const char *const script[] = {NO(503), NULL};
	wr_store_result out;
	wr_err err;
	s->stop_at_nap = true;
	assert_int_equal(put(s, script, 5, &out, &err), -1);
	assert_int_equal(err.code, WR_E_CANCELLED);
	assert_int_equal(s->count, 1);
}

/* What was changed since it was made is not sent. */
static void changed_before(void **state)
{
	store *s = *state;
	static const char *const script[] = {NULL};
	wr_store_result out;
	wr_err err;
	put_file(s, "a.jsonl", "two\n");
	assert_int_equal(put(s, script, 5, &out, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(s->count, 0);
}

static void no_key(void **state)
{
	store *s = *state;
	static const char *const script[] = {NULL};
	wr_store_result out;
	wr_err err;
	unsetenv("WR_TEST_SECRET");
	assert_int_equal(put(s, script, 5, &out, &err), -1);
	assert_non_null(strstr(err.msg, "WR_TEST_SECRET"));
	assert_int_equal(s->count, 0);
	assert_int_equal(s->nap_count, 0);
}

static void unsigned_put(void **state)
{
	store *s = *state;
	static const char *const script[] = {OK, HAS(4), NULL};
	wr_store_result out;
	wr_err err;
	char url[160];
	snprintf(url, sizeof url, "%s/da%%76/x%%2Fy//", s->url);
	s->plan.url = url;
	s->plan.bucket = s->plan.prefix = s->plan.access_key = s->plan.secret_key = "";
	if (put(s, script, 5, &out, &err)) fail_msg("%s", err.msg);
	assert_true(begins(s->requests[0], "PUT /dav/x/y/us/ops/name%20one/a.jsonl HTTP/1.1\r\n"));
	assert_null(strcasestr(s->requests[0], "authorization"));
	assert_null(strcasestr(s->requests[0], "x-amz"));
}

static void names(void **state)
{
	store *s = *state;
	char name[256];
	wr_store_name(&s->plan, name, sizeof name);
	assert_int_equal(strncmp(name, s->url, strlen(s->url)), 0);
	assert_string_equal(name + strlen(s->url), "/b/p/q");
	s->plan.dir = "/archive";
	wr_store_name(&s->plan, name, sizeof name);
	assert_string_equal(name, "/archive");
	close(s->listen_fd);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORE_TEST(what_is_sent),        STORE_TEST(later_and_later),
	    STORE_TEST(not_for_ever),        STORE_TEST(refused_is_refused),
	    STORE_TEST(odd_words),           STORE_TEST(elsewhere),
	    STORE_TEST(taken_but_not_there), STORE_TEST(stopped),
	    STORE_TEST(changed_before),      STORE_TEST(no_key),
	    STORE_TEST(unsigned_put),        STORE_TEST(names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
