/* loop.c: the main loop: messages in, decisions, a published state out.
 *
 * What needs a decision waits in order while a unit of receipts is on its way to the disk; reading
 * goes on meanwhile, from the last published state. Nobody may keep the others waiting: reports of
 * steps come first, time passes between any two signatures, and what people ask is answered for
 * some milliseconds at a time. */
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

#define PUBLISH_DIRTY_MS 100  /* between two published states when something happened */
#define PUBLISH_FRESH_MS 500  /* when only samples came */
#define PUBLISH_IDLE_MS  1000 /* ages are refreshed so often */
#define SLICE_MS         20   /* of reading, of deciding, before the loop looks at the rest */
#define SAMPLES_BATCH    2048
#define STATE_MAX        (32u << 20)

void msg_free(void *p)
{
	msg *m = p;
	if (m && m->kind == MSG_APPENDED) {
		for (size_t i = 0; i < m->appended.count; i++) free(m->appended.lines[i]);
		free(m->appended.lines);
		free(m->appended.lens);
	}
	if (m && m->kind == MSG_FOREIGN) free(m->foreign);
	free(m); /* a request belongs to the API */
}

void list_add(msg_list *l, msg *m)
{
	m->next = NULL;
	if (l->last)
		l->last->next = m;
	else
		l->first = m;
	l->last = m;
}

void list_add_first(msg_list *l, msg *m)
{
	m->next = l->first;
	l->first = m;
	if (!l->last) l->last = m;
}

msg *list_take(msg_list *l)
{
	msg *m = l->first;
	if (!m) return NULL;
	l->first = m->next;
	if (!l->first) l->last = NULL;
	return m;
}

/* ---- what the other threads sent ---- */

static void take_output(engine *e, const msg *m)
{
	live_output *l = NULL;
	for (size_t i = 0; i < LIVES && !l; i++)
		if (!strcmp(e->live[i].operation_id, m->output.operation_id) &&
		    e->live[i].index == m->output.index)
			l = &e->live[i];
	if (!l) return;
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

static void sort_out(engine *e, msg *m)
{
	switch (m->kind) {
	case MSG_APPENDED:
		engine_appended(e, &m->appended);
		msg_free(m);
		break;
	case MSG_AUDIT:
		take_audit(e, &m->audit);
		msg_free(m);
		break;
	case MSG_FOREIGN:
		engine_foreign_take(e, m);
		msg_free(m);
		break;
	case MSG_REPORT:
		list_add(&e->reports, m);
		break;
	case MSG_REQUEST:
		list_add(!strcmp(m->request->path, "/v1/sign") ? &e->signs : &e->reads, m);
		break;
	default:
		msg_free(m);
	}
}

void engine_drain(engine *e)
{
	msg *m;
	while ((m = wr_queue_pop(e->inbox, 0))) sort_out(e, m);
	for (size_t i = 0; i < SAMPLES_BATCH && (m = wr_queue_pop(e->samples, 0)); i++) {
		wr_world_feed(e->world, &m->sample);
		e->fresh = true;
		msg_free(m);
	}
	for (size_t i = 0; i < SAMPLES_BATCH && (m = wr_queue_pop(e->outputs, 0)); i++) {
		take_output(e, m);
		msg_free(m);
	}
}

/* ---- deciding ---- */

static void tick(engine *e)
{
	wr_world_tick(e->world, wr_wall_us(e->clock));
	const wr_op *op = wr_state_active(e->state, NULL);
	char drift[WR_HEX_LEN] = "";
	if (op) engine_steps_hash(e, op, drift);
	wr_event ev = {.kind = WR_EV_TICK, .steps_hash_now = drift, .steps_hash_op = op ? op->id : ""};
	e->tick_due = false;
	engine_decide(e, &ev, NULL);
}

void engine_decide_report(engine *e, msg *m)
{
	const wr_op *op = wr_state_op(e->state, m->report.operation_id);
	char drift[WR_HEX_LEN] = "";
	if (op) engine_steps_hash(e, op, drift);
	wr_event ev = {.kind = m->command == WR_CMD_PROBE ? WR_EV_PROBED : WR_EV_RESULT,
	               .report = &m->report,
	               .steps_hash_now = drift,
	               .steps_hash_op = m->report.operation_id};
	engine_decide(e, &ev, m);
}

static bool may_decide(const engine *e)
{
	return !e->in_flight && wr_mono_ms(e->clock) >= e->append_retry_ms;
}

/* One decision; false when nothing waits for one. */
static bool decide_one(engine *e)
{
	bool ticked = e->tick_last;
	e->tick_last = false;
	if (e->start_due) {
		wr_event started = {.kind = WR_EV_STARTED};
		engine_decide(e, &started, NULL);
	} else if (e->reports.first) {
		engine_decide_report(e, list_take(&e->reports));
	} else if (e->tick_due && !(ticked && e->signs.first)) {
		e->tick_last = true;
		tick(e);
	} else if (e->signs.first) {
		engine_request(e, list_take(&e->signs));
	} else {
		return false;
	}
	return true;
}

/* While the disk refuses, people are told at once instead of waiting in line; results wait. */
static void refuse_signs(engine *e)
{
	msg *m;
	while ((m = list_take(&e->signs))) {
		request_error(e, m->request, 503, "unavailable", "", "not accepted: %s", e->banner);
		msg_free(m);
	}
}

void engine_decide_waiting(engine *e)
{
	int64_t end = wr_mono_ms(e->clock) + SLICE_MS;
	while (may_decide(e) && decide_one(e) && wr_mono_ms(e->clock) < end) {
	}
	if (!e->in_flight && e->append_retry_ms > wr_mono_ms(e->clock)) refuse_signs(e);
}

static void serve_reads(engine *e)
{
	int64_t end = wr_mono_ms(e->clock) + SLICE_MS;
	msg *m;
	while (wr_mono_ms(e->clock) < end && (m = list_take(&e->reads))) engine_request(e, m);
}

/* ---- publishing ---- */

void engine_publish(engine *e, bool now_please)
{
	int64_t now = wr_mono_ms(e->clock);
	int64_t least = e->dirty ? PUBLISH_DIRTY_MS : e->fresh ? PUBLISH_FRESH_MS : PUBLISH_IDLE_MS;
	if (!now_please && e->rev && now - e->published_ms < least) {
		api_publish(e->api, e->rev, NULL, 0); /* only wakes polls whose time is up */
		return;
	}
	e->rev++;
	e->dirty = e->fresh = false;
	e->published_ms = now;
	json_t *state = view_state(e);
	wr_buf out = WR_BUF_INIT(STATE_MAX);
	if (state) wr_json_dump(&out, state);
	json_decref(state);
	wr_buf_addc(&out, '\n');
	if (wr_buf_ok(&out)) api_publish(e->api, e->rev, out.data, out.len);
	wr_buf_free(&out);
}

/* ---- the loop ---- */

static int signal_fd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* True when a signal says to stop. */
static bool told_to_stop(int sfd)
{
	struct signalfd_siginfo si;
	while (read(sfd, &si, sizeof si) == (ssize_t)sizeof si) {
		if (si.ssi_signo != SIGHUP) return true;
		wr_log(WR_LOG_INFO, "engine", "SIGHUP: a changed configuration is read at the next start");
	}
	return false;
}

static int sleep_ms(const engine *e)
{
	if (e->reads.first) return 0;
	int64_t now = wr_mono_ms(e->clock), until = e->next_tick_ms;
	bool waits = e->start_due || e->tick_due || e->reports.first || e->signs.first;
	if (waits && !e->in_flight && e->append_retry_ms < until) until = e->append_retry_ms;
	return until > now ? (int)(until - now) : 0;
}

int engine_run(engine *e)
{
	int sfd = signal_fd();
	if (sfd < 0) return 1;
	e->start_due = true;
	struct pollfd fds[4] = {{.fd = sfd, .events = POLLIN},
	                        {.fd = wr_queue_fd(e->inbox), .events = POLLIN},
	                        {.fd = wr_queue_fd(e->samples), .events = POLLIN},
	                        {.fd = wr_queue_fd(e->outputs), .events = POLLIN}};
	int rc = 0;
	while (!told_to_stop(sfd)) {
		int64_t now = wr_mono_ms(e->clock);
		if (now >= e->next_tick_ms) {
			e->tick_due = true;
			e->next_tick_ms = now + e->cfg->tick_ms;
		}
		engine_drain(e);
		engine_decide_waiting(e);
		serve_reads(e);
		engine_publish(e, false);
		if (poll(fds, 4, sleep_ms(e)) < 0 && errno != EINTR) {
			rc = 1;
			break;
		}
	}
	close(sfd);
	return rc;
}
