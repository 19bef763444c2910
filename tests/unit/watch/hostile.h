/* hostile.h: a web server on loopback that misbehaves by path, over raw sockets.
 *
 * One thread accepts, one serves each connection. It counts connections and requests, and notices
 * two requests for the same path at the same time. */
#ifndef WARROOM_TEST_HOSTILE_H
#define WARROOM_TEST_HOSTILE_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOSTILE_CONNECTIONS 2048
#define HOSTILE_SLOW_PATHS  64

typedef struct hostile hostile;
typedef struct hostile_peer {
	hostile *server;
	int fd;
	bool reset;
	pthread_t thread;
} hostile_peer;

struct hostile {
	int fd;
	int port;
	pthread_t thread;
	atomic_bool stopping;
	atomic_int requests, accepted, overlaps;
	atomic_int busy[HOSTILE_SLOW_PATHS];
	char blanks[65537];
	hostile_peer peers[HOSTILE_CONNECTIONS];
};

static inline bool hostile_put(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool hostile_say(int fd, const char *text)
{
	return hostile_put(fd, text, strlen(text));
}

static inline bool hostile_answer(int fd, int status, const char *body)
{
	char head[160];
	(void)snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n", status,
	               strlen(body));
	return hostile_say(fd, head) && hostile_say(fd, body);
}

/* hostile_wait: until the other side goes, data comes, or ms pass; false when stopping or gone. */
static inline bool hostile_wait(hostile_peer *c, int ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
	for (; ms > 0 && !atomic_load(&c->server->stopping); ms -= 20) {
		int n = poll(&p, 1, 20);
		if (n < 0 || (p.revents & (POLLRDHUP | POLLHUP | POLLERR))) return false;
	}
	return !atomic_load(&c->server->stopping);
}

static inline bool hostile_flood(int fd, const char *head, const char *piece, size_t pieces)
{
	bool ok = hostile_say(fd, head);
	for (size_t i = 0; ok && i < pieces; i++) ok = hostile_say(fd, piece);
	return ok;
}

static inline bool hostile_slow(hostile_peer *c, const char *path)
{
	size_t i = (size_t)strtoul(path + 6, NULL, 10) % HOSTILE_SLOW_PATHS;
	if (atomic_fetch_add(&c->server->busy[i], 1) > 0) atomic_fetch_add(&c->server->overlaps, 1);
	bool ok = hostile_wait(c, 200);
	atomic_fetch_sub(&c->server->busy[i], 1);
	return ok && hostile_answer(c->fd, 200, "{\"v\":1}");
}

static inline bool hostile_drip(hostile_peer *c)
{
	bool ok = hostile_say(c->fd, "HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n");
	while (ok) ok = hostile_say(c->fd, "{") && hostile_wait(c, 20);
	return false;
}

static inline bool hostile_deep(int fd)
{
	char body[4001];
	memset(body, '[', sizeof body - 1);
	body[sizeof body - 1] = '\0';
	return hostile_answer(fd, 200, body);
}

/* The value of a request header as a JSON body: {"v":"…"}; null if it is not there. */
static inline bool hostile_echo(int fd, const char *request, const char *name)
{
	char body[512] = "{\"v\":null}";
	const char *h = strstr(request, name);
	if (h) {
		h += strlen(name) + 2;
		(void)snprintf(body, sizeof body, "{\"v\":\"%.*s\"}", (int)strcspn(h, "\r\n"), h);
	}
	return hostile_answer(fd, 200, body);
}

static inline bool hostile_reset(hostile_peer *c)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	c->reset = true;
	return false;
}

static inline bool is(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static inline bool hostile_metrics(int fd, const char *path)
{
	if (is(path, "/metrics/bad")) return hostile_answer(fd, 200, "a 1\nb two\n");
	if (is(path, "/metrics/cut")) return hostile_answer(fd, 200, "a 1\na 12");
	return hostile_answer(fd, 200, "# TYPE a gauge\na{x=\"1\"} 1.5\na{x=\"2\"} 2\nn NaN\n");
}

static inline bool hostile_query(int fd, const char *path)
{
	if (strstr(path, "query=bad%7B"))
		return hostile_answer(fd, 400,
		                      "{\"status\":\"error\",\"errorType\":\"bad_data\","
		                      "\"error\":\"unclosed brace\"}");
	if (strstr(path, "query=sum%28up%29%20%3E%200&"))
		return hostile_answer(fd, 200,
		                      "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\","
		                      "\"result\":[{\"metric\":{},\"value\":[1,\"7\"]}]}}");
	return hostile_answer(fd, 502, "<html>bad gateway</html>");
}

/* hostile_serve answers one request; false ends the connection. */
static inline bool hostile_serve(hostile_peer *c, const char *request, const char *path)
{
	int fd = c->fd;
	const char *piece = c->server->blanks;
	if (is(path, "/ok")) return hostile_answer(fd, 200, "{\"v\":42,\"t\":\"fine\",\"b\":true}");
	if (is(path, "/404")) return hostile_answer(fd, 404, "no");
	if (is(path, "/503")) return hostile_answer(fd, 503, "<html>busy</html>");
	if (is(path, "/big"))
		return hostile_flood(fd, "HTTP/1.1 200 X\r\nContent-Length: 10485760\r\n\r\n", piece, 160);
	if (is(path, "/endless"))
		return hostile_flood(fd, "HTTP/1.1 200 X\r\n\r\n", piece, 100000) && false;
	if (is(path, "/headers"))
		return hostile_flood(fd, "HTTP/1.1 200 X\r\n", "X-Again: yes\r\n", 10000000) && false;
	if (is(path, "/continue"))
		return hostile_flood(fd, "", "HTTP/1.1 100 Continue\r\n\r\n", 10000000) && false;
	if (is(path, "/drip")) return hostile_drip(c);
	if (is(path, "/hang")) return hostile_wait(c, 600000) && false;
	if (is(path, "/slow/")) return hostile_slow(c, path);
	if (is(path, "/badjson")) return hostile_answer(fd, 200, "{\"v\":}");
	if (is(path, "/deep")) return hostile_deep(fd);
	if (is(path, "/nan")) return hostile_answer(fd, 200, "{\"v\":NaN}");
	if (is(path, "/null")) return hostile_answer(fd, 200, "{\"v\":null}");
	if (is(path, "/names")) return hostile_answer(fd, 200, "{\"v\":[\"r-1\",{\"id\":\"r-2\"}]}");
	if (is(path, "/escape"))
		return hostile_answer(fd, 200, "{\"v\":\"\\u001b[2J\\u001b]52;c;eA==\\u0007done\"}");
	if (is(path, "/rawescape")) return hostile_answer(fd, 200, "{\"v\":\"\x1b[2J\"}");
	if (is(path, "/reset")) return hostile_reset(c);
	if (is(path, "/empty")) return false;
	if (is(path, "/garbage")) return hostile_say(fd, "\x1b[31mSSH-2.0-x\r\n\r\n") && false;
	if (is(path, "/short"))
		return hostile_say(fd, "HTTP/1.1 200 X\r\nContent-Length: 50\r\n\r\n{\"v\":1}") && false;
	if (is(path, "/loop"))
		return hostile_say(fd, "HTTP/1.1 302 X\r\nLocation: /loop/\x1b[1m?token=hunter2\r\n"
		                       "Content-Length: 0\r\n\r\n");
	if (is(path, "/auth")) return hostile_echo(fd, request, "X-Token");
	if (is(path, "/type")) return hostile_echo(fd, request, "Content-Type");
	if (is(path, "/agent")) return hostile_echo(fd, request, "User-Agent");
	if (is(path, "/metrics")) return hostile_metrics(fd, path);
	if (is(path, "/prom/api/v1/query?")) return hostile_query(fd, path);
	return hostile_answer(fd, 404, "what?");
}

static inline void *hostile_talk(void *arg)
{
	hostile_peer *c = arg;
	char request[4096], path[1024];
	size_t len = 0;
	while (!atomic_load(&c->server->stopping)) {
		struct pollfd p = {.fd = c->fd, .events = POLLIN};
		if (poll(&p, 1, 20) == 0) continue;
		ssize_t n = recv(c->fd, request + len, sizeof request - 1 - len, 0);
		if (n <= 0) break;
		len += (size_t)n;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n")) {
			if (len == sizeof request - 1 || (unsigned char)request[0] == 0x16) {
				(void)hostile_answer(c->fd, 400, "this is not TLS"); /* a ClientHello */
				break;
			}
			continue;
		}
		if (sscanf(request, "%*s %1023s", path) != 1) break;
		atomic_fetch_add(&c->server->requests, 1);
		if (!hostile_serve(c, request, path)) break;
		len = 0;
	}
	if (!c->reset) (void)shutdown(c->fd, SHUT_RDWR);
	(void)close(c->fd);
	return NULL;
}

static inline void *hostile_accept(void *arg)
{
	hostile *h = arg;
	int n = 0;
	while (!atomic_load(&h->stopping)) {
		struct pollfd p = {.fd = h->fd, .events = POLLIN};
		if (poll(&p, 1, 20) <= 0) continue;
		int fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0) continue;
		if (n == HOSTILE_CONNECTIONS) abort();
		h->peers[n] = (hostile_peer){.server = h, .fd = fd};
		if (pthread_create(&h->peers[n].thread, NULL, hostile_talk, &h->peers[n])) abort();
		atomic_store(&h->accepted, ++n);
	}
	return NULL;
}

static inline hostile *hostile_start(void)
{
	hostile *h = calloc(1, sizeof *h);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	if (!h) abort();
	memset(h->blanks, ' ', sizeof h->blanks - 1);
	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&at, sizeof at) || listen(h->fd, 1024) ||
	    getsockname(h->fd, (struct sockaddr *)&at, &len))
		abort();
	h->port = ntohs(at.sin_port);
	if (pthread_create(&h->thread, NULL, hostile_accept, h)) abort();
	return h;
}

static inline void hostile_stop(hostile *h)
{
	atomic_store(&h->stopping, true);
	(void)pthread_join(h->thread, NULL);
	for (int i = 0; i < atomic_load(&h->accepted); i++)
		(void)pthread_join(h->peers[i].thread, NULL);
	(void)close(h->fd);
	free(h);
}

#endif
