/* loop.c: the prober's thread: starts what is due, and drives all transfers by epoll.
 *
 * curl's socket interface instead of curl_multi_poll: the latter looks at every transfer for each
 * event, which is what kills it when hundreds of targets hang and hundreds answer. */
#include "watch/prober.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "warroom/log.h"

#define EVENTS      64
#define COMPLAIN_MS 10000
#define AT_ONCE_MAX 64 /* starts between two looks at the sockets */
#define IDLE_MAX_MS 1000

static int64_t real_ms(void)
{
	return wr_mono_ms(&wr_clock_system);
}

/* ---- curl's callbacks ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
	(void)easy;
	wr_prober *p = ctx;
	struct epoll_event ev = {.data.fd = fd};
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, &ev);
		(void)curl_multi_assign(p->multi, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN) ev.events |= EPOLLIN;
	if (what & CURL_POLL_OUT) ev.events |= EPOLLOUT;
	int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	/* A descriptor that curl closed behind our back is gone from epoll, or its number is another's.
	 */
	if (epoll_ctl(p->epoll_fd, op, fd, &ev) && (errno == ENOENT || errno == EEXIST))
		(void)epoll_ctl(p->epoll_fd, known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
	(void)curl_multi_assign(p->multi, fd, p);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	(void)multi;
	wr_prober *p = ctx;
	p->curl_due_ms = timeout_ms < 0 ? -1 : real_ms() + timeout_ms;
	return 0;
}

/* ---- starting and ending ---- */

static void reschedule(wr_prober *p, wr_probe_target *t)
{
	wr_slot_next(&t->slot, wr_mono_ms(p->clock));
	wr_heap_push(&p->heap, &t->slot);
}

static void complain(wr_prober *p, const char *what)
{
	int64_t now = real_ms();
	if (p->logged_ms && now - p->logged_ms < COMPLAIN_MS) return;
	p->logged_ms = now;
	wr_log(WR_LOG_ERROR, "prober", "cannot probe, short of our own resources: %s", what);
}

static void start_http(wr_prober *p, wr_probe_target *t, int64_t now_ms)
{
	wr_sample s = {0};
	wr_err err = {0};
	if (t->failed && !wr_host_may_look(t->host, now_ms)) {
		char text[256];
		(void)snprintf(text, sizeof text, "the lookup of %.150s hangs; asked again in %lld s",
		               t->host->name, (long long)(t->host->hold_until_ms - now_ms + 999) / 1000);
		wr_sample_failed(&s, text);
	} else if (wr_fetch_begin(t->fetch, &err)) {
		wr_sample_failed(&s, err.msg);
	} else if (curl_multi_add_handle(p->multi, wr_fetch_easy(t->fetch)) != CURLM_OK) {
		(void)wr_fetch_end(t->fetch, CURLE_FAILED_INIT, &s);
		complain(p, s.detail);
		reschedule(p, t);
		return;
	} else {
		p->running++;
		return;
	}
	wr_prober_deliver(p, t, &s);
	reschedule(p, t);
}

static void finish_http(wr_prober *p, CURL *easy, CURLcode code)
{
	wr_probe_target *t = wr_fetch_owner(easy);
	wr_sample s = {0};
	wr_fetch_outcome outcome = wr_fetch_end(t->fetch, code, &s);
	(void)curl_multi_remove_handle(p->multi, easy);
	p->running--;
	t->failed = code != CURLE_OK;
	if (outcome == WR_FETCH_OURS) {
		complain(p, s.detail);
	} else {
		wr_host_looked(t->host, outcome == WR_FETCH_LOOKUP, wr_mono_ms(p->clock));
		wr_prober_deliver(p, t, &s);
	}
	reschedule(p, t);
}

/* start_due starts some of what is due; returns how long nothing is, at most IDLE_MAX_MS. */
static int start_due(wr_prober *p)
{
	for (int started = 0; p->heap.count > 0; started++) {
		int64_t now_ms = wr_mono_ms(p->clock), wait_ms = p->heap.items[0]->due_ms - now_ms;
		if (wait_ms > 0) return wait_ms < IDLE_MAX_MS ? (int)wait_ms : IDLE_MAX_MS;
		if (started == AT_ONCE_MAX) return 0;
		if (p->running >= p->running_max) break; /* an end wakes us */
		wr_probe_target *t = (wr_probe_target *)wr_heap_pop(&p->heap);
		if (t->fetch) {
			wr_prober_began(p, t);
			start_http(p, t, now_ms);
		} else {
			wr_prober_queue(p, t);
		}
	}
	return IDLE_MAX_MS;
}

/* ---- the loop ---- */

static void read_ends(wr_prober *p)
{
	int left;
	for (CURLMsg *m; (m = curl_multi_info_read(p->multi, &left)) != NULL;)
		if (m->msg == CURLMSG_DONE) finish_http(p, m->easy_handle, m->data.result);
}

static void handle_event(wr_prober *p, const struct epoll_event *ev)
{
	int running, mask = 0;
	if (ev->data.fd == p->wake_fd) {
		uint64_t n;
		ssize_t got = read(p->wake_fd, &n, sizeof n);
		WR_ASSERT(got == (ssize_t)sizeof n || errno == EAGAIN);
		return;
	}
	if (ev->events & EPOLLIN) mask |= CURL_CSELECT_IN;
	if (ev->events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
	if (ev->events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(p->multi, ev->data.fd, mask, &running);
}

static void take_back(wr_prober *p)
{
	for (wr_probe_target *t = wr_prober_take_back(p), *next; t; t = next) {
		next = t->next;
		reschedule(p, t);
	}
}

static void run_curl_timer(wr_prober *p)
{
	int running;
	if (p->curl_due_ms < 0 || real_ms() < p->curl_due_ms) return;
	p->curl_due_ms = -1;
	(void)curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static int wait_for(const wr_prober *p, int due_ms)
{
	if (p->curl_due_ms < 0) return due_ms;
	int64_t curl_ms = p->curl_due_ms - real_ms();
	if (curl_ms < 0) curl_ms = 0;
	return curl_ms < due_ms ? (int)curl_ms : due_ms;
}

/* let_go takes unfinished transfers off the multi handle. */
static void let_go(wr_prober *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->targets[i].fetch)
			(void)curl_multi_remove_handle(p->multi, wr_fetch_easy(p->targets[i].fetch));
}

void *wr_prober_loop(void *prober)
{
	wr_prober *p = prober;
	struct epoll_event events[EVENTS];
	(void)curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, (void *)p);
	(void)curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, (void *)p);
	while (!atomic_load(&p->stopping)) {
		take_back(p);
		int due_ms = start_due(p);
		int n = epoll_wait(p->epoll_fd, events, EVENTS, wait_for(p, due_ms));
		for (int i = 0; i < n; i++) handle_event(p, &events[i]);
		run_curl_timer(p);
		read_ends(p);
	}
	let_go(p);
	return NULL;
}
