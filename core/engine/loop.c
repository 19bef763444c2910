/* loop.c: the main loop: messages in, decisions, a published state out.
 *
 * What needs a decision waits in order while a unit of receipts is on its way to the disk; reading
 * goes on meanwhile, from the last published state. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/engine.h"
#include "warroom/json.h"
#include "warroom/log.h"
#include "warroom/text.h"

#define PUBLISH_LEAST_MS 100  /* between two published states */
#define PUBLISH_MOST_MS  1000 /* ages are refreshed so often */
#define BATCH            512  /* messages handled before the loop looks at the time again */

void msg_free(void *p)
{
	msg *m = p;
	if (m && m->kind == MSG_APPENDED) {
		for (size_t i = 0; i < m->appended.count; i++) free(m->appended.lines[i]);
		free(m->appended.lines);
		free(m->appended.lens);
	}
	free(m); /* a request belongs to the API */
}

static void wait_in_line(engine *e, msg *m)
{
	m->next = NULL;
	if (e->waiting_last)
		e->waiting_last->next = m;
	else
		e->waiting_first = m;
	e->waiting_last = m;
}

static void take_output(engine *e, const msg *m)
{
	live_output *l = &e->live;
	if (strcmp(l->operation_id, m->output.operation_id) != 0 || l->index != m->output.index) return;
	size_t have = strlen(l->text), more = strlen(m->output.text);
	if (have + more >= sizeof l->text) {
		size_t keep = sizeof l->text / 2;
		if (have > keep) {
			const char *cut = strchr(l->text + (have - keep), '\n');
			cut = cut ? cut + 1 : l->text + have;
			memmove(l->text, cut, strlen(cut) + 1);
			have = strlen(l->text);
		}
	}
	snprintf(l->text + have, sizeof l->text - have, "%s", m->output.text);
	e->dirty = true;
}

static void take_audit(engine *e, const audit *a)
{
	e->last_audit = *a;
	e->audited = true;
	e->world->ledger_ok = a->ok;
	snprintf(e->world->ledger_reason, sizeof e->world->ledger_reason, "%.150s", a->text);
	if (!a->ok) wr_log(WR_LOG_ERROR, "audit", "our own ledger does not verify: %s", a->text);
	e->dirty = e->tick_due = true;
}

static void drain(engine *e)
{
	msg *m;
	for (size_t i = 0; i < BATCH && (m = wr_queue_pop(e->inbox, 0)); i++) {
		if (m->kind == MSG_APPENDED) {
			engine_appended(e, &m->appended);
			msg_free(m);
		} else if (m->kind == MSG_AUDIT) {
			take_audit(e, &m->audit);
			msg_free(m);
		} else if (m->kind == MSG_REQUEST && strcmp(m->request->path, "/v1/sign") != 0) {
			engine_request(e, m); /* reads, drafts: no decision, no waiting */
		} else {
			wait_in_line(e, m);
		}
	}
	for (size_t i = 0; i < BATCH && (m = wr_queue_pop(e->samples, 0)); i++) {
		if (m->kind == MSG_SAMPLE) {
			wr_world_feed(e->world, &m->sample);
			e->dirty = true;
		} else if (m->kind == MSG_OUTPUT) {
			take_output(e, m);
		}
		msg_free(m);
	}
}

static void tick(engine *e)
{
	int64_t now = wr_wall_us(e->clock);
	wr_world_tick(e->world, now);
	const wr_op *op = wr_state_active(e->state, NULL);
	char drift[WR_HEX_LEN] = "";
	if (op) snprintf(drift, sizeof drift, "%s", engine_steps_hash(e, op));
	wr_event ev = {.kind = WR_EV_TICK, .steps_hash_now = drift};
	e->tick_due = false;
	engine_decide(e, &ev, NULL);
}

/* Decides what waits, one unit at a time. */
static void decide_waiting(engine *e)
{
	while (!e->in_flight && wr_mono_ms(e->clock) >= e->append_retry_ms) {
		msg *m = e->waiting_first;
		if (!m) {
			if (!e->tick_due) return;
			tick(e);
			continue;
		}
		e->waiting_first = m->next;
		if (!e->waiting_first) e->waiting_last = NULL;
		if (m->kind == MSG_REQUEST) {
			engine_request(e, m);
		} else {
			const wr_op *op = wr_state_op(e->state, m->report.operation_id);
			char drift[WR_HEX_LEN] = "";
			if (op) snprintf(drift, sizeof drift, "%s", engine_steps_hash(e, op));
			wr_event ev = {.kind = m->command == WR_CMD_PROBE ? WR_EV_PROBED : WR_EV_RESULT,
			               .report = &m->report,
			               .steps_hash_now = drift};
			engine_decide(e, &ev, m);
		}
	}
	/* While the disk refuses, people are told at once instead of waiting in line; results wait. */
	if (!e->in_flight && e->append_retry_ms > wr_mono_ms(e->clock)) {
		msg **link = &e->waiting_first;
		e->waiting_last = NULL;
		while (*link) {
			msg *m = *link;
			if (m->kind == MSG_REQUEST) {
				*link = m->next;
				request_error(e, m->request, 503, "unavailable", "", "not accepted: %s", e->banner);
				msg_free(m);
			} else {
				e->waiting_last = m;
				link = &m->next;
			}
		}
	}
}

void engine_publish(engine *e, bool now_please)
{
	int64_t now = wr_mono_ms(e->clock);
	int64_t since = now - e->published_ms;
	if (!now_please && e->rev && since < (e->dirty ? PUBLISH_LEAST_MS : PUBLISH_MOST_MS)) {
		api_publish(e->api, e->rev, NULL, 0); /* only wakes polls whose time is up */
		return;
	}
	e->rev++;
	e->dirty = false;
	e->published_ms = now;
	json_t *state = view_state(e);
	wr_buf out = WR_BUF_INIT(32u << 20);
	if (state) wr_json_dump(&out, state);
	json_decref(state);
	wr_buf_addc(&out, '\n');
	if (wr_buf_ok(&out)) api_publish(e->api, e->rev, out.data, out.len);
	wr_buf_free(&out);
}

static int signal_fd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int engine_run(engine *e)
{
	int sfd = signal_fd();
	if (sfd < 0) return 1;
	wr_event started = {.kind = WR_EV_STARTED};
	engine_decide(e, &started, NULL);
	int64_t next_tick = 0;
	struct pollfd fds[3] = {{.fd = sfd, .events = POLLIN},
	                        {.fd = wr_queue_fd(e->inbox), .events = POLLIN},
	                        {.fd = wr_queue_fd(e->samples), .events = POLLIN}};
	for (;;) {
		int64_t now = wr_mono_ms(e->clock);
		if (now >= next_tick) {
			e->tick_due = true;
			next_tick = now + e->cfg->tick_ms;
		}
		decide_waiting(e);
		engine_publish(e, false);
		now = wr_mono_ms(e->clock);
		int timeout = next_tick > now ? (int)(next_tick - now) : 0;
		if (poll(fds, 3, timeout) < 0 && errno != EINTR) break;
		struct signalfd_siginfo si;
		if (read(sfd, &si, sizeof si) == (ssize_t)sizeof si) {
			if (si.ssi_signo == SIGHUP) {
				wr_log(WR_LOG_INFO, "engine",
				       "SIGHUP: a changed configuration is read at the next start");
				continue;
			}
			close(sfd);
			return 0;
		}
		drain(e);
	}
	close(sfd);
	return 1;
}
