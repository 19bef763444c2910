/* act.h: carrying out one step of a plan, and reading traffic weights.
 *
 * The runner is a small pool of threads, a step each. It is handed plan steps (JSON, decide.h) and
 * reports back once for each, from its own thread. It never decides: no retries, no order. */
#ifndef WARROOM_ACT_H
#define WARROOM_ACT_H

#include <stdatomic.h>

#include "warroom/clock.h"
#include "warroom/decide.h"

typedef struct wr_runner wr_runner;

typedef struct wr_job {
	wr_command_kind kind; /* START or PROBE */
	char operation_id[WR_ID_LEN];
	size_t index;
	int attempt;
	bool undo;
	char idempotency_key[80];
	int64_t epoch;
	json_t *step; /* a private deep copy: the runner owns it (jansson's refcounts are not for
	                 threads) */
} wr_job;

/* wr_runner_start: `report` is called from a runner thread; `output` (may be NULL) with sanitised
 * pieces of output as they come. Both must not block. */
WR_CHECKED wr_runner *
wr_runner_start(size_t threads, const wr_clock *clock,
                void (*report)(void *ctx, const wr_step_report *r, wr_command_kind kind),
                void (*output)(void *ctx, const char *operation_id, size_t index, const char *text),
                void *ctx, wr_err *err);
void wr_runner_stop(wr_runner *r); /* cancels, joins, and reports nothing more */
WR_CHECKED int wr_runner_submit(wr_runner *r, wr_job *job,
                                wr_err *err); /* takes job (malloc'ed) on success */
void wr_runner_cancel(wr_runner *r, const char *operation_id, size_t index);

/* wr_step_run carries out one step now, blocking; what the runner's threads call. Kinds http, exec,
 * traffic, wait, notify. http and traffic over http send Idempotency-Key and X-Warroom-Epoch; exec
 * gets WARROOM_IDEMPOTENCY_KEY, WARROOM_EPOCH, WARROOM_OPERATION, WARROOM_STEP. Outcome rules:
 * refused connection, DNS failure, failed exec: FAILED (nothing happened); timeout or lost
 * connection after the request was sent, a killed child: UNKNOWN; an answer that is not as
 * expected: FAILED. */
void wr_step_run(const wr_job *job, const wr_clock *clock, const atomic_bool *cancel,
                 void (*output)(void *ctx, const char *text), void *ctx, wr_step_report *out);

/* wr_traffic_get reads the provider's weights: percent by index into cfg->regions, -1 where not
 * served. */
WR_CHECKED int wr_traffic_get(const wr_config *cfg, size_t traffic_index,
                              int weights[WR_MAX_REGIONS], wr_err *err);

#endif
