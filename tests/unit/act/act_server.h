/* act_server.h: what the tests of core/act stand on: an HTTP server on raw sockets that misbehaves
 * on request (the path says how), and helpers to make jobs and run them. */
#ifndef TEST_ACT_SERVER_H
#define TEST_ACT_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "warroom/act.h"
#include "warroom/json.h"

#define CONNECTIONS_MAX 512
#define REQUEST_MAX     65536

typedef struct server {
	int listen_fd, port, stop_pipe[2];
	pthread_t thread, connections[CONNECTIONS_MAX];
	size_t connection_count;
	atomic_int requests;   /* complete requests seen */
	atomic_int hanging;    /* connections now waiting in /hang */
	atomic_int flips;      /* requests of /flip so far */
	pthread_mutex_t mutex; /* guards last, weights */
	char last[REQUEST_MAX + 1];
	char weights[1024]; /* of /weights */
} server;

typedef struct connection {
	server *s;
	int fd;
} connection;

static inline void put(int fd, const char *text)
{
	for (size_t n = strlen(text); n > 0;) {
		ssize_t rc = send(fd, text, n, MSG_NOSIGNAL);
		if (rc <= 0) return;
		text += rc;
		n -= (size_t)rc;
	}
}

static inline void answer(int fd, int status, const char *body)
{
	char head[256];
	snprintf(head, sizeof head,
	         "HTTP/1.1 %d Some Reason\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
	         status, strlen(body), status / 100 == 3 ? "Location: /ok\r\n" : "");
	put(fd, head);
	put(fd, body);
}

/* Until the client leaves or the server stops. */
static inline void hang(connection *c)
{
	atomic_fetch_add(&c->s->hanging, 1);
	struct pollfd p[] = {{.fd = c->fd, .events = POLLIN | POLLRDHUP},
	                     {.fd = c->s->stop_pipe[0], .events = POLLIN}};
	while (poll(p, 2, -1) < 0 && errno == EINTR) {
	}
	atomic_fetch_sub(&c->s->hanging, 1);
}

/* flood sends text again and again until the client has enough. */
static inline void flood(int fd, const char *text)
{
	while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0) {
	}
}

static inline bool read_request(int fd, char *out)
{
	size_t n = 0;
	for (;;) {
		ssize_t rc = recv(fd, out + n, REQUEST_MAX - n, 0);
		if (rc <= 0 || (n == 0 && out[0] == 0x16)) return false; /* TLS is not spoken here */
		n += (size_t)rc;
		out[n] = '\0';
		const char *end = strstr(out, "\r\n\r\n");
		if (!end) continue;
		const char *length = strcasestr(out, "\r\nContent-Length:");
		size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
		if (n >= (size_t)(end - out) + 4 + body) return true;
	}
}

static inline void echo(connection *c, const char *request)
{
	json_t *o = json_pack("{s:s}", "request", request);
	char *text = json_dumps(o, JSON_COMPACT);
	answer(c->fd, 200, text ? text : "not UTF-8");
	free(text);
	json_decref(o);
}

static inline void serve_weights(connection *c, const char *request)
{
	server *s = c->s;
	const char *body = strstr(request, "\r\n\r\n") + 4;
	pthread_mutex_lock(&s->mutex);
	bool is_set = strncmp(request, "POST", 4) == 0;
	if (is_set && !strstr(request, " /weights/stuck"))
		snprintf(s->weights, sizeof s->weights, "%s", body);
	char now[1024];
	snprintf(now, sizeof now, "%s", s->weights);
	pthread_mutex_unlock(&s->mutex);
	if (is_set && strstr(request, " /weights/lost")) return; /* done, and the answer is lost */
	if (is_set && strstr(request, " /weights/no")) {
		answer(c->fd, 409, "");
		return;
	}
	if (!is_set && strstr(request, " /weights/mute")) {
		answer(c->fd, 500, "");
		return;
	}
	answer(c->fd, 200, is_set ? "{}" : now);
}

/* More JSON than is read. */
static inline void answer_big(int fd)
{
	size_t n = 300 * 1024;
	char *big = malloc(n);
	if (!big) abort();
	memset(big, ' ', n - 1);
	big[n - 1] = '\0';
	memcpy(big, "{\"role\":\"primary\"}", 18);
	answer(fd, 200, big);
	free(big);
}

static inline void serve(connection *c, const char *request)
{
	const char *path = strchr(request, ' ');
	path = path ? path + 1 : "";
	int status = 0, fd = c->fd;
	if (sscanf(path, "/status/%d", &status) == 1) {
		answer(fd, status, "because");
	} else if (strncmp(path, "/ok", 3) == 0) {
		answer(fd, 200, "fine\n");
	} else if (strncmp(path, "/json", 5) == 0) {
		answer(fd, 200, "{\"role\":\"primary\",\"lag\":3,\"ok\":true}");
	} else if (strncmp(path, "/echo", 5) == 0) {
		echo(c, request);
	} else if (strncmp(path, "/weights", 8) == 0) {
		serve_weights(c, request);
	} else if (strncmp(path, "/flip", 5) == 0) {
		answer(fd, atomic_fetch_add(&c->s->flips, 1) < 3 ? 503 : 200, "");
	} else if (strncmp(path, "/flap", 5) == 0) {
		answer(fd, atomic_fetch_add(&c->s->flips, 1) % 2 ? 503 : 200, "");
	} else if (strncmp(path, "/hang", 5) == 0) {
		hang(c);
	} else if (strncmp(path, "/reset", 6) == 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
		                 sizeof(struct linger));
	} else if (strncmp(path, "/half", 5) == 0) {
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
	} else if (strncmp(path, "/head", 5) == 0) {
		put(fd, "HTTP/1.1 200 OK\r\nX-Cut: o");
	} else if (strncmp(path, "/chunks", 7) == 0) {
		put(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
		        "Trailer: X-Sum\r\n\r\n5\r\nfine\n\r\n0\r\nX-Sum: 1\r\n\r\n");
	} else if (strncmp(path, "/chunk-cut", 10) == 0) {
		put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfine\n\r\n");
	} else if (strncmp(path, "/garbage", 8) == 0) {
		put(fd, "\x16\x03\x01 220 ready to fail\r\n\r\n");
	} else if (strncmp(path, "/headers", 8) == 0) {
		put(fd, "HTTP/1.1 200 OK\r\n");
		flood(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
	} else if (strncmp(path, "/interim", 8) == 0) {
		flood(fd, "HTTP/1.1 100 Continue\r\n\r\n");
	} else if (strncmp(path, "/flood", 6) == 0) {
		put(fd, "HTTP/1.1 200 OK\r\n\r\n");
		flood(fd, "more and more and more and more and more and more and more\n");
	} else if (strncmp(path, "/big", 4) == 0) {
		answer_big(fd);
	} else if (strncmp(path, "/evil", 5) == 0) {
		answer(fd, 200,
		       "a\x1b[2Jb\x1b]0;title\x07\r\x9b"
		       "31mc\xe2\x80\xae\xff\n");
	}
	/* any other: close without a word */
}

static inline void *connection_main(void *ctx)
{
	connection *c = ctx;
	char *request = calloc(1, REQUEST_MAX + 1);
	if (request && read_request(c->fd, request)) {
		pthread_mutex_lock(&c->s->mutex);
		memcpy(c->s->last, request, REQUEST_MAX + 1);
		pthread_mutex_unlock(&c->s->mutex);
		atomic_fetch_add(&c->s->requests, 1);
		serve(c, request);
	}
	free(request);
	close(c->fd);
	free(c);
	return NULL;
}

static inline void *server_main(void *ctx)
{
	server *s = ctx;
	for (;;) {
		struct pollfd p[] = {{.fd = s->listen_fd, .events = POLLIN},
		                     {.fd = s->stop_pipe[0], .events = POLLIN}};
		if (poll(p, 2, -1) < 0 && errno != EINTR) return NULL;
		if (p[1].revents) return NULL;
		int fd = accept(s->listen_fd, NULL, NULL);
		if (fd < 0) continue;
		connection *c = calloc(1, sizeof *c);
		if (!c || s->connection_count == CONNECTIONS_MAX) abort();
		*c = (connection){.s = s, .fd = fd};
		if (pthread_create(&s->connections[s->connection_count++], NULL, connection_main, c) != 0)
			abort();
	}
}

static inline int listen_on_loopback(int backlog, int *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	if (backlog >= 0) assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static inline server *server_start(void)
{
	server *s = calloc(1, sizeof *s);
	assert_non_null(s);
	s->listen_fd = listen_on_loopback(128, &s->port);
	assert_int_equal(pipe(s->stop_pipe), 0);
	pthread_mutex_init(&s->mutex, NULL);
	snprintf(s->weights, sizeof s->weights, "{\"weights\":{\"us\":100,\"eu\":0}}");
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
	return s;
}

static inline void server_stop(server *s)
{
	assert_int_equal(write(s->stop_pipe[1], "x", 1), 1);
	pthread_join(s->thread, NULL);
	for (size_t i = 0; i < s->connection_count; i++) pthread_join(s->connections[i], NULL);
	pthread_mutex_destroy(&s->mutex);
	close(s->listen_fd);
	close(s->stop_pipe[0]);
	close(s->stop_pipe[1]);
	free(s);
}

static inline void last_request(server *s, char *out, size_t size)
{
	pthread_mutex_lock(&s->mutex);
	size_t n = strnlen(s->last, size - 1);
	memcpy(out, s->last, n);
	out[n] = '\0';
	pthread_mutex_unlock(&s->mutex);
}

static inline void set_weights(server *s, const char *weights)
{
	pthread_mutex_lock(&s->mutex);
	snprintf(s->weights, sizeof s->weights, "%s", weights);
	pthread_mutex_unlock(&s->mutex);
}

/* A port on which connecting neither succeeds nor fails: its queue of connections is full. */
typedef struct blackhole {
	int listen_fd, port, fillers[16];
} blackhole;

static inline void blackhole_open(blackhole *b)
{
	b->listen_fd = listen_on_loopback(0, &b->port);
	struct sockaddr_in a = {.sin_family = AF_INET,
	                        .sin_port = htons((uint16_t)b->port),
	                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (size_t i = 0; i < 16; i++) {
		b->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(b->fillers[i], (struct sockaddr *)&a, sizeof a);
	}
}

/* connecting_to counts the sockets that try to connect to the port. */
static inline int connecting_to(int port)
{
	char line[512], remote[16];
	int n = 0;
	FILE *f = fopen("/proc/net/tcp", "re");
	assert_non_null(f);
	snprintf(remote, sizeof remote, ":%04X 02 ", port); /* SYN_SENT */
	while (fgets(line, sizeof line, f)) n += strstr(line, remote) != NULL;
	fclose(f);
	return n;
}

static inline void blackhole_close(blackhole *b)
{
	for (size_t i = 0; i < 16; i++) close(b->fillers[i]);
	close(b->listen_fd);
}

/* ---- jobs ---- */

/* make_job parses a step written with ' for ", and @ for the server's address. */
static inline wr_job *make_job(const char *step, int port)
{
	char text[8192];
	size_t n = 0;
	for (; *step; step++) {
		int rc = *step == '@'
		             ? snprintf(text + n, sizeof text - n, "127.0.0.1:%d", port)
		             : snprintf(text + n, sizeof text - n, "%c", *step == '\'' ? '"' : *step);
		assert_true(rc > 0 && (size_t)rc < sizeof text - n);
		n += (size_t)rc;
	}
	json_error_t why;
	wr_job *job = calloc(1, sizeof *job);
	assert_non_null(job);
	job->step = json_loads(text, 0, &why);
	if (!job->step) fail_msg("%s: %s", why.text, text);
	job->kind = WR_CMD_START;
	job->attempt = 1;
	job->epoch = 7;
	snprintf(job->operation_id, sizeof job->operation_id, "op-0042");
	snprintf(job->idempotency_key, sizeof job->idempotency_key, "op-0042/3/do");
	return job;
}

static inline void free_job(wr_job *job)
{
	json_decref(job->step);
	free(job);
}

static inline wr_step_report run_step(const char *step, int port)
{
	wr_step_report r;
	wr_job *job = make_job(step, port);
	wr_step_run(job, &wr_clock_system, NULL, NULL, NULL, &r);
	free_job(job);
	return r;
}

static inline void assert_outcome(const wr_step_report *r, wr_outcome wanted)
{
	static const char *const names[] = {"DONE", "FAILED", "UNKNOWN"};
	if (r->outcome != wanted)
		fail_msg("%s, not %s: error \"%s\", output \"%s\"", names[r->outcome], names[wanted],
		         r->error, r->output);
	if (wanted == WR_OUT_DONE)
		assert_string_equal(r->error, "");
	else
		assert_true(r->error[0] != '\0');
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part)) fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static inline void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part)) fail_msg("\"%s\" holds \"%s\"", text, part);
}

/* No byte that moves a cursor. */
static inline void assert_harmless(const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		if ((*s < 0x20 && *s != '\n') || *s == 0x7F || (*s == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0))
			fail_msg("a control character in \"%s\"", text);
}

static inline void nap_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

/* wait_until polls a counter that another thread moves. */
static inline void wait_until(atomic_int *counter, int least)
{
	for (int i = 0; i < 3000 && atomic_load(counter) < least; i++) nap_ms(10);
	assert_true(atomic_load(counter) >= least);
}

#endif
