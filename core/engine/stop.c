/* stop.c: going down, from any point that coming up had reached.
 *
 * New requests are refused first. Then the threads end, and what they had still to say is taken:
 * the unit on its way to the disk is waited for and its person told, and what steps reported is
 * recorded, so that it is not uncertain at the next start. Nothing new is begun. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "warroom/log.h"

static void turn_away(engine *e, msg_list *l)
{
	msg *m;
	while ((m = list_take(l))) {
		request_error(e, m->request, 503, "stopping", "", "the engine is stopping");
		msg_free(m);
	}
}

static void finish(engine *e)
{
	struct pollfd fd = {.fd = wr_queue_fd(e->inbox), .events = POLLIN};
	e->append_retry_ms = 0; /* one more try; a failure sets it again */
	for (;;) {
		engine_drain(e);
		turn_away(e, &e->signs);
		turn_away(e, &e->reads);
		if (e->in_flight) {
			if (poll(&fd, 1, -1) < 0 && errno != EINTR) wr_die("poll failed");
		} else if (e->reports.first && !e->append_retry_ms) {
			engine_decide_report(e, list_take(&e->reports));
		} else {
			break;
		}
	}
	msg *m;
	while ((m = list_take(&e->reports))) {
		wr_log(WR_LOG_ERROR, "engine", "what step %zu of %s did is not recorded: it is uncertain",
		       m->report.index, m->report.operation_id);
		msg_free(m);
	}
}

static void close_ledger(engine *e, const char *reason)
{
	wr_err err = {0};
	int64_t seq;
	if (!e->ledger) return;
	if (e->said_started &&
	    wr_ledger_append(e->ledger,
	                     json_pack("{s:s, s:s}", "operation", "engine_stopped", "reason", reason),
	                     e->epoch, &seq, &err) != 0)
		wr_log(WR_LOG_ERROR, "ledger", "the stop is not recorded: %s", err.msg);
	wr_ledger_close(e->ledger);
}

static void free_parts(engine *e)
{
	wr_effects_clear(&e->flight);
	engine_foreign_free(e);
	wr_queue_free(e->inbox, msg_free);
	wr_queue_free(e->samples, msg_free);
	wr_queue_free(e->outputs, msg_free);
	for (size_t i = 0; i < DRAFTS; i++) draft_clear(&e->drafts[i]);
	for (size_t i = 0; i < CHALLENGES; i++) free(e->challenges[i].text);
	wr_world_free(e->world);
	wr_state_free(e->state);
	engine_archive_free(e);
	pthread_cond_destroy(&e->nap);
	pthread_mutex_destroy(&e->nap_lock);
	wr_steady_free(&e->steady);
}

void engine_shutdown(engine *e, const char *reason)
{
	if (!e->cfg) return; /* nothing else was made */
	api_quiesce(e->api);
	engine_threads_stop(e);
	wr_prober_stop(e->prober);
	wr_runner_stop(e->runner);
	e->prober = NULL; /* what follows finds nothing to look at, and nothing to start with */
	e->runner = NULL;
	if (e->inbox && e->samples && e->outputs) finish(e);
	api_stop(e->api);
	close_ledger(e, reason);
	free_parts(e);
	wr_config_free(e->cfg);
}
