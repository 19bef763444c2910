/* serve.c: libmicrohttpd's side: gathers one request, hands it to wr_sim_handle under the lock,
 * sends the answer. Runs in the servers' threads. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "sim/server.h"
#include "warroom/clock.h"

#define DISCARD_MAX (1u << 20) /* of a body that is too large anyway, before we hang up */
#define SETTLE_S    2

typedef struct visit { /* one request */
	wr_buf body;
	size_t seen;
	bool waited;
	size_t in_flight; /* bytes of its answer */
} visit;

void wr_sim_settle(wr_simd *d)
{
	struct timespec until;
	uint64_t one = 1;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SETTLE_S;
	pthread_mutex_lock(&d->lock);
	uint64_t mine = ++d->asked;
	if (write(d->wake_fd, &one, sizeof one) < 0) { /* the main loop looks by itself soon */
	}
	while (d->applied < mine && !d->stopping)
		if (pthread_cond_timedwait(&d->settled, &d->lock, &until) != 0) break;
	pthread_mutex_unlock(&d->lock);
}

/* ---- holding callers up ---- */
static bool hold_up(wr_sim_server *v, struct MHD_Connection *c)
{
	wr_simd *d = v->d;
	if (v->index == WR_SIM_CONTROL) return false;
	pthread_mutex_lock(&d->lock);
	int64_t ms = wr_sim_request_delay_ms(d->sim, v->index);
	if (d->dial.speed_milli > 1000) ms = ms * 1000 / d->dial.speed_milli;
	if (ms > WR_SIM_SLOW_MS) ms = WR_SIM_SLOW_MS;
	bool hold = ms > 0 && !d->stopping && d->waiter_count < WR_SIM_CONNECTIONS_MAX &&
	            wr_sim_region_reach(d->sim, v->index) == WR_SIM_OPEN;
	if (hold) {
		/* Suspended before it is listed: whoever lists it may be the next to resume it. */
		MHD_suspend_connection(c);
		d->waiters[d->waiter_count++] = (wr_sim_waiter){
		    .connection = c, .server = v->index, .due_ms = wr_mono_ms(&wr_clock_system) + ms};
	}
	pthread_mutex_unlock(&d->lock);
	return hold;
}

void wr_sim_release(wr_simd *d, int server, int64_t now_ms, bool all)
{
	pthread_mutex_lock(&d->lock);
	for (int i = 0; i < d->waiter_count; i++) {
		wr_sim_waiter *w = &d->waiters[i];
		bool theirs = server == WR_SIM_ALL_SERVERS || w->server == server;
		if (!theirs || (!all && w->due_ms > now_ms)) continue;
		MHD_resume_connection(w->connection);
		d->waiters[i--] = d->waiters[--d->waiter_count];
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- answering ---- */
static enum MHD_Result send_answer(wr_sim_server *server, struct MHD_Connection *c, visit *v,
                                   wr_sim_response *r)
{
	size_t len = r->body.len;
	char *text = wr_buf_take(&r->body);
	if (text == NULL) return MHD_NO;
	struct MHD_Response *m = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (m == NULL) {
		free(text);
		return MHD_NO;
	}
	const char *type = r->text ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
	enum MHD_Result ok = MHD_add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (ok == MHD_YES) ok = MHD_add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (ok == MHD_YES && r->allow != NULL)
		ok = MHD_add_response_header(m, MHD_HTTP_HEADER_ALLOW, r->allow);
	if (ok == MHD_YES && r->replayed)
		ok = MHD_add_response_header(m, "Idempotent-Replayed", "true");
	if (ok == MHD_YES) ok = MHD_queue_response(c, (unsigned)r->status, m);
	MHD_destroy_response(m);
	if (ok == MHD_YES) {
		server->in_flight += len;
		v->in_flight = len;
	}
	return ok;
}

static enum MHD_Result send_error(wr_sim_server *server, struct MHD_Connection *c, visit *v,
                                  int status, const char *why)
{
	wr_sim_response r = {.status = status, .body = WR_BUF_INIT(1024)};
	wr_sim_respond_error(&r, status, "%s", why);
	enum MHD_Result ok = send_answer(server, c, v, &r);
	wr_buf_free(&r.body);
	return ok;
}

static enum MHD_Result add_arg(void *cls, enum MHD_ValueKind kind, const char *key,
                               const char *value)
{
	wr_sim_request *q = cls;
	(void)kind;
	if (q->arg_count == WR_SIM_ARGS_MAX) return MHD_NO;
	q->args[q->arg_count++] = (wr_sim_arg){.key = key, .value = value};
	return MHD_YES;
}

static enum MHD_Result answer(wr_sim_server *v, struct MHD_Connection *c, const char *url,
                              const char *method, visit *visit_now)
{
	wr_simd *d = v->d;
	wr_sim_request q = {.server = v->index,
	                    .method = method,
	                    .path = url,
	                    .body = visit_now->body.data,
	                    .body_len = visit_now->body.len,
	                    .nonce = v->nonce++};
	q.epoch = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Warroom-Epoch");
	q.key = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Idempotency-Key");
	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, add_arg, &q);
	wr_sim_response r;
	if (v->in_flight > WR_SIM_FLIGHT)
		return send_error(v, c, visit_now, 503, "too many answers wait to be read");
	pthread_mutex_lock(&d->lock);
	if (d->stopping) {
		pthread_mutex_unlock(&d->lock);
		return MHD_NO;
	}
	wr_sim_handle(d->sim, &d->dial, &q, &r);
	pthread_mutex_unlock(&d->lock);
	if (!r.drop && v->index == WR_SIM_CONTROL && r.status == 200 && strcmp(method, "POST") == 0)
		wr_sim_settle(d);
	enum MHD_Result ok = r.drop ? MHD_NO : send_answer(v, c, visit_now, &r);
	wr_buf_free(&r.body);
	return ok;
}

static bool announces_too_much(struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");
	if (text == NULL) return false;
	char *end = NULL;
	unsigned long long n = strtoull(text, &end, 10);
	return n > WR_SIM_BODY_MAX;
}

static enum MHD_Result begin(wr_sim_server *server, struct MHD_Connection *c, void **state)
{
	visit *v = calloc(1, sizeof *v);
	if (v == NULL) return MHD_NO;
	wr_buf_init(&v->body, WR_SIM_BODY_MAX);
	*state = v;
	if (announces_too_much(c))
		return send_error(server, c, v, 413, "the body is larger than 64 KiB");
	return MHD_YES;
}

enum MHD_Result wr_sim_serve(void *cls, struct MHD_Connection *c, const char *url,
                             const char *method, const char *version, const char *upload,
                             size_t *upload_size, void **state)
{
	wr_sim_server *server = cls;
	visit *v = *state;
	(void)version;
	if (v == NULL) return begin(server, c, state);
	if (*upload_size > 0) {
		v->seen += *upload_size;
		if (v->seen > DISCARD_MAX) return MHD_NO;
		if (v->seen <= WR_SIM_BODY_MAX) wr_buf_add(&v->body, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (v->seen > WR_SIM_BODY_MAX)
		return send_error(server, c, v, 413, "the body is larger than 64 KiB");
	if (!wr_buf_ok(&v->body)) return MHD_NO;
	if (!v->waited) {
		v->waited = true;
		if (hold_up(server, c)) return MHD_YES;
	}
	return answer(server, c, url, method, v);
}

void wr_sim_served(void *cls, struct MHD_Connection *c, void **state,
                   enum MHD_RequestTerminationCode why)
{
	wr_sim_server *server = cls;
	visit *v = *state;
	(void)c;
	(void)why;
	if (v == NULL) return;
	server->in_flight -= v->in_flight;
	wr_buf_free(&v->body);
	free(v);
	*state = NULL;
}
