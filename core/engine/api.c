/* api.c: HTTP on a Unix socket (libmicrohttpd), one thread of its own.
 *
 * GET /v1/state is answered here from the last published snapshot (long polls wait suspended);
 * everything else becomes a request, goes to the main loop's inbox, and its connection sleeps until
 * api_answer. Nothing here looks at engine state.
 *
 * libmicrohttpd aborts when it is stopped while a connection sleeps. So going down has two parts:
 * api_quiesce refuses what is new and wakes the long polls; then the main loop answers what it
 * still has; api_stop lets the answers out and stops. */
#include <errno.h>
#include <grp.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "engine/engine.h"
#include "warroom/log.h"

#define WAIT_MAX_MS 30000
#define LINGER_MS   500 /* for the last answers to go out */
/* A body is read to its end so that the sender reads our refusal; beyond this it is cut off. */
#define BODY_DRAIN_MAX ((size_t)WR_API_BODY_MAX * 64)

/* Everything that can be in the inbox at once has room there: a request for each connection, a
 * report for each job of the runner, an append, an audit. */
_Static_assert(WR_EVENTS_MAX > WR_API_CONNECTIONS_MAX + 1024, "the inbox can be full");

typedef struct snapshot {
	char *json;
	size_t len;
	atomic_int refs;
} snapshot;

struct api {
	struct MHD_Daemon *daemon;
	wr_queue *inbox;
	char path[108];
	pthread_mutex_t lock;
	pthread_cond_t idle; /* lock: rung when `open` becomes 0 */
	uint64_t rev;        /* lock */
	snapshot *current;   /* lock */
	request *waiting;    /* lock: suspended long polls */
	bool stopping;       /* lock */
	int in_loop;         /* lock: requests that the main loop has */
	int open;            /* lock: requests begun and not completed */
};

static void snapshot_drop(void *p)
{
	snapshot *s = p;
	if (s && atomic_fetch_sub(&s->refs, 1) == 1) {
		free(s->json);
		free(s);
	}
}

static void request_free(request *r)
{
	if (!r) return;
	free(r->query_action);
	free(r->query_from);
	free(r->query_to);
	free(r->query_runbook);
	free(r->answer);
	wr_buf_free(&r->body);
	free(r);
}

/* Takes the response. */
static enum MHD_Result queue_json(struct MHD_Connection *c, int status, struct MHD_Response *resp)
{
	if (!resp) return MHD_NO;
	(void)MHD_add_response_header(resp, "Content-Type", "application/json");
	enum MHD_Result ok = MHD_queue_response(c, (unsigned)status, resp);
	MHD_destroy_response(resp);
	return ok;
}

static enum MHD_Result send_text(struct MHD_Connection *c, int status, const char *json, size_t len)
{
	return queue_json(
	    c, status,
	    MHD_create_response_from_buffer(len, (void *)(uintptr_t)json, MHD_RESPMEM_MUST_COPY));
}

/* The main loop's answer; libmicrohttpd frees it when it is out. */
static enum MHD_Result send_answer(struct MHD_Connection *c, request *r)
{
	struct MHD_Response *resp =
	    MHD_create_response_from_buffer(r->answer_len, r->answer, MHD_RESPMEM_MUST_FREE);
	if (resp) r->answer = NULL;
	return queue_json(c, r->status, resp);
}

static enum MHD_Result send_error(struct MHD_Connection *c, int status, const char *code,
                                  const char *message)
{
	char text[256];
	int n =
	    snprintf(text, sizeof text,
	             "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"rule\":\"\"}}\n", code, message);
	return send_text(c, status, text, (size_t)n);
}

static enum MHD_Result send_snapshot(struct MHD_Connection *c, snapshot *s)
{
	/* The response keeps its reference until the last byte is out. */
	struct MHD_Response *resp =
	    MHD_create_response_from_buffer_with_free_callback_cls(s->len, s->json, snapshot_drop, s);
	if (!resp) {
		snapshot_drop(s);
		return MHD_NO;
	}
	return queue_json(c, MHD_HTTP_OK, resp);
}

/* `key` is a literal; it is named in the refusal. */
static int64_t query_int(struct MHD_Connection *c, request *r, const char *key, int64_t dflt)
{
	const char *v = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, key);
	if (!v || !*v) return dflt;
	size_t digits = strspn(v + (*v == '-'), "0123456789");
	if (!digits || v[(*v == '-') + digits] || digits > 18) {
		r->bad_query = key;
		return dflt;
	}
	return (int64_t)strtoll(v, NULL, 10);
}

static char *query_text(struct MHD_Connection *c, const char *key)
{
	const char *v = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, key);
	return v ? strndup(v, WR_NAME_MAX + 1) : NULL;
}

/* Answers a state request, or suspends it as a long poll. */
static enum MHD_Result serve_state(api *a, struct MHD_Connection *c, request *r)
{
	int64_t now = wr_mono_ms(&wr_clock_system);
	pthread_mutex_lock(&a->lock);
	bool newer = a->current && (r->query_since < 0 || (uint64_t)r->query_since != a->rev);
	bool late = r->deadline_ms && now >= r->deadline_ms;
	if (newer) {
		snapshot *s = a->current;
		atomic_fetch_add(&s->refs, 1);
		pthread_mutex_unlock(&a->lock);
		return send_snapshot(c, s);
	}
	uint64_t rev = a->rev;
	if (a->stopping || late || r->query_wait_ms <= 0) {
		bool none = !a->current;
		pthread_mutex_unlock(&a->lock);
		if (none)
			return send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "starting",
			                  "the engine is starting");
		char text[96], at[WR_TIME_LEN];
		wr_time_format(at, wr_wall_us(&wr_clock_system));
		int n = snprintf(text, sizeof text, "{\"now\":\"%s\",\"rev\":%llu,\"unchanged\":true}\n",
		                 at, (unsigned long long)rev);
		return send_text(c, MHD_HTTP_OK, text, (size_t)n);
	}
	if (!r->deadline_ms) r->deadline_ms = now + r->query_wait_ms;
	r->connection = c;
	r->next_waiting = a->waiting;
	a->waiting = r;
	MHD_suspend_connection(c);
	pthread_mutex_unlock(&a->lock);
	return MHD_YES;
}

static enum MHD_Result hand_over(api *a, struct MHD_Connection *c, request *r)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info) peer_of_fd(info->connect_fd, &r->from);
	msg *m = calloc(1, sizeof *m);
	if (!m) return send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "nomem", "out of memory");
	m->kind = MSG_REQUEST;
	m->request = r;
	r->connection = c;
	/* api_answer needs the lock too, so the connection sleeps before it can be woken. */
	pthread_mutex_lock(&a->lock);
	bool stopping = a->stopping, taken = !stopping && wr_queue_push(a->inbox, m);
	if (taken) {
		MHD_suspend_connection(c);
		a->in_loop++;
	}
	pthread_mutex_unlock(&a->lock);
	if (taken) return MHD_YES;
	free(m);
	return stopping
	           ? send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping", "the engine is stopping")
	           : send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
	                        "the engine is busy; try again");
}

static const char *const known_paths[] = {
    "/v1/state",     "/v1/version", "/v1/why",   "/v1/plan",    "/v1/receipts",
    "/v1/challenge", "/v1/sign",    "/v1/audit", "/v1/archive", NULL};

static bool path_known(const char *path)
{
	for (size_t i = 0; known_paths[i]; i++)
		if (!strcmp(path, known_paths[i])) return true;
	return !strncmp(path, "/v1/operations/", 15) && path[15] && !strchr(path + 15, '/');
}

static bool path_posts(const char *path)
{
	return !strcmp(path, "/v1/challenge") || !strcmp(path, "/v1/sign") ||
	       !strcmp(path, "/v1/audit") || !strcmp(path, "/v1/archive");
}

static enum MHD_Result first_call(api *a, struct MHD_Connection *c, const char *url,
                                  const char *method, void **cls)
{
	request *r = calloc(1, sizeof *r);
	if (!r) return MHD_NO;
	*cls = r;
	pthread_mutex_lock(&a->lock);
	a->open++;
	pthread_mutex_unlock(&a->lock);
	wr_buf_init(&r->body, WR_API_BODY_MAX);
	if (strlen(url) < sizeof r->path) memcpy(r->path, url, strlen(url) + 1);
	if (strlen(method) < sizeof r->method) memcpy(r->method, method, strlen(method) + 1);
	r->query_since = query_int(c, r, "since", -1);
	r->query_wait_ms = query_int(c, r, "wait_ms", 0);
	if (r->query_wait_ms > WAIT_MAX_MS) r->query_wait_ms = WAIT_MAX_MS;
	r->query_limit = query_int(c, r, "limit", 100);
	r->query_action = query_text(c, "action");
	r->query_from = query_text(c, "from");
	r->query_to = query_text(c, "to");
	r->query_runbook = query_text(c, "runbook");
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **con_cls)
{
	(void)version;
	api *a = cls;
	if (!*con_cls) return first_call(a, c, url, method, con_cls);
	request *r = *con_cls;
	if (*upload_size) {
		r->received += *upload_size;
		wr_buf_add(&r->body, upload,
		           *upload_size); /* beyond its maximum it only marks itself failed */
		*upload_size = 0;
		return r->received > BODY_DRAIN_MAX ? MHD_NO : MHD_YES;
	}
	if (r->status) return r->answer ? send_answer(c, r) : MHD_NO;
	if (!path_known(r->path))
		return send_error(c, MHD_HTTP_NOT_FOUND, "not_found", "no such route; see docs/api.md");
	bool get = !strcmp(r->method, "GET"), post = !strcmp(r->method, "POST");
	if (path_posts(r->path) ? !post : !get)
		return send_error(c, MHD_HTTP_METHOD_NOT_ALLOWED, "method",
		                  path_posts(r->path) ? "use POST" : "use GET");
	if (!wr_buf_ok(&r->body))
		return send_error(c, MHD_HTTP_CONTENT_TOO_LARGE, "too_large", "the body is over 64 KiB");
	if (r->bad_query) {
		char text[64];
		snprintf(text, sizeof text, "%s: a whole number is needed", r->bad_query);
		return send_error(c, MHD_HTTP_BAD_REQUEST, "invalid", text);
	}
	if (!strcmp(r->path, "/v1/state")) return serve_state(a, c, r);
	return hand_over(a, c, r);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
	(void)c;
	(void)why;
	api *a = cls;
	if (!*con_cls) return;
	/* A suspended connection is never completed, so neither the waiting list nor the main loop has
	 * it. */
	request_free(*con_cls);
	*con_cls = NULL;
	pthread_mutex_lock(&a->lock);
	if (--a->open == 0) pthread_cond_signal(&a->idle);
	pthread_mutex_unlock(&a->lock);
}

/* Wakes the long polls: all of them when there is news, else only those whose time is up. */
static void wake_waiting(api *a, bool all, int64_t now_ms)
{
	request **link = &a->waiting;
	while (*link) {
		request *r = *link;
		if (all || now_ms >= r->deadline_ms) {
			*link = r->next_waiting;
			r->next_waiting = NULL;
			MHD_resume_connection(r->connection);
		} else {
			link = &r->next_waiting;
		}
	}
}

void api_publish(api *a, uint64_t rev, const char *json, size_t len)
{
	snapshot *s = NULL;
	if (json && (s = calloc(1, sizeof *s))) {
		s->json = malloc(len + 1);
		if (!s->json) {
			free(s);
			return;
		}
		memcpy(s->json, json, len);
		s->json[len] = '\0';
		s->len = len;
		atomic_init(&s->refs, 1);
	}
	pthread_mutex_lock(&a->lock);
	if (s) {
		snapshot *old = a->current;
		a->current = s;
		a->rev = rev;
		snapshot_drop(old);
	}
	wake_waiting(a, s != NULL, wr_mono_ms(&wr_clock_system));
	pthread_mutex_unlock(&a->lock);
}

void api_answer(api *a, request *r)
{
	pthread_mutex_lock(&a->lock);
	a->in_loop--;
	MHD_resume_connection(r->connection);
	pthread_mutex_unlock(&a->lock);
}

/* A socket file left by a killed engine is removed; one that somebody answers on is not. */
static int claim_path(int fd, const char *path, struct sockaddr_un *addr, wr_err *err)
{
	struct stat st;
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return wr_fail(err, WR_E_CONFLICT, "%s exists and is not a socket: move it away", path);
		int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		bool answered = probe >= 0 && connect(probe, (struct sockaddr *)addr, sizeof *addr) == 0;
		if (probe >= 0) close(probe);
		if (answered)
			return wr_fail(err, WR_E_LOCKED, "another engine answers on %s: stop it first", path);
		if (unlink(path) != 0)
			return wr_fail(err, WR_E_IO, "cannot remove the stale socket %s: %s", path,
			               strerror(errno));
	}
	mode_t old = umask(0117);
	int rc = bind(fd, (struct sockaddr *)addr, sizeof *addr);
	umask(old);
	if (rc != 0) return wr_fail(err, WR_E_IO, "cannot bind %s: %s", path, strerror(errno));
	return 0;
}

static int give_to_group(const char *path, const char *group, wr_err *err)
{
	if (!group || !*group) return 0;
	char members[16384]; /* a group's line in the database */
	struct group entry, *g = NULL;
	int bad = getgrnam_r(group, &entry, members, sizeof members, &g);
	if (bad)
		return wr_fail(err, WR_E_IO, "engine.socket_group: cannot look up %s: %s", group,
		               strerror(bad));
	if (!g) return wr_fail(err, WR_E_NOT_FOUND, "engine.socket_group: no group named %s", group);
	if (chown(path, (uid_t)-1, g->gr_gid) != 0)
		return wr_fail(err, WR_E_DENIED, "cannot give %s to group %s: %s", path, group,
		               strerror(errno));
	return 0;
}

static int open_socket(const char *path, const char *group, wr_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof addr.sun_path)
		return wr_fail(
		    err, WR_E_LIMIT,
		    "engine.socket: %s is longer than the %zu bytes a Unix socket's path may have", path,
		    sizeof addr.sun_path - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) return wr_fail(err, WR_E_IO, "socket: %s", strerror(errno));
	bool bound = claim_path(fd, path, &addr, err) == 0;
	if (!bound || give_to_group(path, group, err) != 0) goto fail;
	if (listen(fd, 512) != 0) {
		wr_fail(err, WR_E_IO, "listen on %s: %s", path, strerror(errno));
		goto fail;
	}
	return fd;
fail:
	close(fd);
	if (bound) unlink(path);
	return -1;
}

static void raise_descriptors(void)
{
	struct rlimit rl;
	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur >= 8192) return;
	rl.rlim_cur = rl.rlim_max < 8192 ? rl.rlim_max : 8192;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

static api *api_new(const char *socket_path, wr_queue *inbox)
{
	pthread_condattr_t attr;
	api *a = calloc(1, sizeof *a);
	if (!a) return NULL;
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&a->idle, &attr);
	pthread_condattr_destroy(&attr);
	a->inbox = inbox;
	memcpy(a->path, socket_path, strlen(socket_path) + 1);
	return a;
}

static void api_free(api *a)
{
	snapshot_drop(a->current);
	pthread_cond_destroy(&a->idle);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

api *api_start(const char *socket_path, const char *group, wr_queue *inbox, wr_err *err)
{
	raise_descriptors();
	int fd = open_socket(socket_path, group, err);
	if (fd < 0) return NULL;
	api *a = api_new(socket_path, inbox);
	if (!a) {
		wr_fail(err, WR_E_NOMEM, "out of memory");
		close(fd);
		unlink(socket_path);
		return NULL;
	}
	a->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, a,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)WR_API_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WR_API_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)(16u << 10), MHD_OPTION_NOTIFY_COMPLETED, on_completed, a, MHD_OPTION_END);
	if (!a->daemon) {
		wr_fail(err, WR_E_IO, "cannot start the API on %s", socket_path);
		close(fd);
		unlink(socket_path);
		api_free(a);
		return NULL;
	}
	return a;
}

void api_quiesce(api *a)
{
	if (!a) return;
	pthread_mutex_lock(&a->lock);
	a->stopping = true;
	wake_waiting(a, true, 0);
	pthread_mutex_unlock(&a->lock);
}

static void linger(api *a)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LINGER_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&a->lock);
	WR_ASSERT(a->in_loop == 0 && !a->waiting);
	while (a->open > 0 && pthread_cond_timedwait(&a->idle, &a->lock, &until) == 0) {
	}
	pthread_mutex_unlock(&a->lock);
}

void api_stop(api *a)
{
	if (!a) return;
	api_quiesce(a);
	unlink(a->path);
	int fd = MHD_quiesce_daemon(a->daemon);
	linger(a);
	MHD_stop_daemon(a->daemon);
	if (fd >= 0) close(fd);
	api_free(a);
}
