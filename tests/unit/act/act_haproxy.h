/* act_haproxy.h: a fake haproxy, which answers what it is told to, and a real one. */
#ifndef TEST_ACT_HAPROXY_H
#define TEST_ACT_HAPROXY_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "act_server.h"

typedef struct scratch {
	char dir[64];
} scratch;

static inline void scratch_make(scratch *t)
{
	snprintf(t->dir, sizeof t->dir, "/tmp/wr-act-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
}

static inline void scratch_remove(scratch *t, const char *const *names)
{
	char path[128];
	for (; *names; names++) {
		snprintf(path, sizeof path, "%s/%s", t->dir, *names);
		unlink(path);
	}
	assert_int_equal(rmdir(t->dir), 0);
}

/* ---- the fake ---- */

typedef struct fake {
	int listen_fd, stop_pipe[2];
	pthread_t thread;
	atomic_int lines; /* complete lines received */
	pthread_mutex_t mutex;
	char last_set[4096]; /* the last line that sets something; mutex */
	/* For the n-th connection: */
	const char *const *replies; /* NULL: hang; "close": say nothing; ends with a NULL at the end */
	size_t reply_count;
	bool endless; /* the last reply never ends */
} fake;

static inline void *fake_main(void *ctx)
{
	fake *f = ctx;
	for (size_t i = 0;; i++) {
		struct pollfd p[] = {{.fd = f->listen_fd, .events = POLLIN},
		                     {.fd = f->stop_pipe[0], .events = POLLIN}};
		if (poll(p, 2, -1) < 0 && errno != EINTR) return NULL;
		if (p[1].revents) return NULL;
		int fd = accept(f->listen_fd, NULL, NULL);
		if (fd < 0) continue;
		char line[4096];
		size_t n = 0;
		while (n < sizeof line - 1) {
			ssize_t rc = recv(fd, line + n, sizeof line - 1 - n, 0);
			if (rc <= 0) break;
			n += (size_t)rc;
			if (line[n - 1] == '\n') break;
		}
		line[n] = '\0';
		pthread_mutex_lock(&f->mutex);
		if (strstr(line, "set ")) memcpy(f->last_set, line, n + 1);
		pthread_mutex_unlock(&f->mutex);
		atomic_fetch_add(&f->lines, 1);
		const char *reply = i < f->reply_count ? f->replies[i] : "close";
		if (!reply) {
			struct pollfd q[] = {{.fd = fd, .events = POLLRDHUP},
			                     {.fd = f->stop_pipe[0], .events = POLLIN}};
			(void)poll(q, 2, -1);
		} else if (strcmp(reply, "reset") == 0) {
			(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
			                 sizeof(struct linger));
		} else if (strcmp(reply, "close") != 0) {
			put(fd, reply);
			if (f->endless && i + 1 == f->reply_count) flood(fd, reply);
		}
		close(fd);
	}
}

/* fake_start listens on a socket at `path`, or on a port when that is NULL (the port is returned).
 */
static inline int fake_start(fake *f, const char *path, const char *const *replies, size_t count)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int port = 0;
	*f = (fake){.replies = replies, .reply_count = count};
	pthread_mutex_init(&f->mutex, NULL);
	if (path) {
		memcpy(a.sun_path, path, strnlen(path, sizeof a.sun_path - 1));
		f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&a, sizeof a), 0);
		assert_int_equal(listen(f->listen_fd, 16), 0);
	} else {
		f->listen_fd = listen_on_loopback(16, &port);
	}
	assert_int_equal(pipe(f->stop_pipe), 0);
	return port;
}

static inline void fake_run(fake *f)
{
	assert_int_equal(pthread_create(&f->thread, NULL, fake_main, f), 0);
}

static inline void fake_stop(fake *f)
{
	assert_int_equal(write(f->stop_pipe[1], "x", 1), 1);
	pthread_join(f->thread, NULL);
	close(f->listen_fd);
	close(f->stop_pipe[0]);
	close(f->stop_pipe[1]);
	pthread_mutex_destroy(&f->mutex);
}

/* ---- the real one ---- */

typedef struct haproxy {
	pid_t pid;
	char socket[100], config[100], front[100];
} haproxy;

static inline int unix_connect(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	memcpy(a.sun_path, path, strnlen(path, sizeof a.sun_path - 1));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
	close(fd);
	return -1;
}

static inline void haproxy_start(haproxy *h, const scratch *t, const char *backends)
{
	static const char program[] = "/usr/sbin/haproxy";
	if (access(program, X_OK) != 0)
		fail_msg("this test needs %s: apt-get install haproxy", program);
	snprintf(h->socket, sizeof h->socket, "%s/admin.sock", t->dir);
	snprintf(h->front, sizeof h->front, "%s/front.sock", t->dir);
	snprintf(h->config, sizeof h->config, "%s/haproxy.cfg", t->dir);
	FILE *f = fopen(h->config, "we");
	assert_non_null(f);
	fprintf(f,
	        "global\n stats socket %s mode 600 level admin\n stats timeout 10s\n nbthread 1\n"
	        "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
	        "frontend front\n bind unix@%s\n default_backend be\n%s",
	        h->socket, h->front, backends);
	fclose(f);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (h->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, program, "-db", "-f", h->config, (char *)NULL);
		_exit(127);
	}
	int fd = -1;
	for (int i = 0; i < 3000 && fd < 0; i++) {
		if (waitpid(h->pid, NULL, WNOHANG) != 0) fail_msg("haproxy does not start");
		fd = unix_connect(h->socket);
		if (fd < 0) nap_ms(10);
	}
	assert_true(fd >= 0);
	close(fd);
}

static inline void haproxy_stop(haproxy *h)
{
	kill(h->pid, SIGKILL);
	assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
}

/* haproxy_says sends a line and gives the answer. */
static inline void haproxy_says(const haproxy *h, const char *line, char *out, size_t size)
{
	int fd = unix_connect(h->socket);
	assert_true(fd >= 0);
	put(fd, line);
	put(fd, "\n");
	size_t n = 0;
	for (ssize_t rc; n < size - 1 && (rc = recv(fd, out + n, size - 1 - n, 0)) > 0;)
		n += (size_t)rc;
	out[n] = '\0';
	close(fd);
}

static inline int haproxy_weight(const haproxy *h, const char *name)
{
	char line[128], reply[256];
	int weight = -1;
	snprintf(line, sizeof line, "get weight %s", name);
	haproxy_says(h, line, reply, sizeof reply);
	assert_int_equal(sscanf(reply, "%d", &weight), 1);
	return weight;
}

#endif
