/* boot.c: coming up.
 *
 * Order matters: configuration, ledger (its lock says that we are the only engine here), fold
 * everything, say engine_started, settle what a crash left open, and only then look at the platform
 * and open the door. */
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "warroom/io.h"
#include "warroom/log.h"
#include "warroom/verify.h"

#define RUNNER_THREADS 4
#define OUTPUTS_MAX    256 /* pieces of output between two looks of the main loop */

static int load_config(engine *e, const char *path, wr_err *err)
{
	wr_findings f = {0};
	e->cfg = wr_config_load(path, &f);
	wr_findings_print(&f, stderr);
	size_t errors = f.errors;
	wr_findings_free(&f);
	if (!e->cfg)
		return wr_fail(err, WR_E_INVALID, "%zu error%s in %s; nothing was started", errors,
		               errors == 1 ? "" : "s", path);
	return 0;
}

static int fold_one(void *ctx, const wr_receipt *r)
{
	engine *e = ctx;
	engine_load_plan(e, r);
	engine_fold(e, r, true);
	return 0;
}

/* ---- reading the ledger back ---- */

/* The chain's hashes need no key, so a file can be made to say that people approved. What they sign
 * they sign for the plan at hand, so it is checked again here (law 2); of operations that are over
 * it does not matter any more, and their signers may be long gone. */
typedef struct doubt {
	int64_t seq;
	char operation_id[WR_ID_LEN], principal[64], why[160];
} doubt;

typedef struct replay {
	engine *e;
	wr_signers signers;
	doubt *doubts; /* approvals that do not hold; in the second pass: of operations that go on */
	size_t count;
	bool second;
	int64_t last_us, shown_from;
} replay;

static bool doubted(const replay *p, int64_t seq)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->doubts[i].seq == seq) return true;
	return false;
}

static void note_doubt(replay *p, const wr_receipt *r)
{
	char decision[96];
	wr_err why = {0};
	(void)wr_receipt_str(r, "decision", decision, sizeof decision);
	/* A deny that nobody signed is a deny: it makes nothing happen. */
	if (!strcmp(decision, "deny") || wr_approval_check(r, &p->signers, &why) == 0) return;
	doubt *more = realloc(p->doubts, (p->count + 1) * sizeof *more);
	if (!more) wr_die("out of memory while reading the ledger");
	p->doubts = more;
	doubt *d = &p->doubts[p->count++];
	*d = (doubt){.seq = r->seq};
	(void)wr_receipt_str(r, "operation_id", d->operation_id, sizeof d->operation_id);
	(void)wr_receipt_str(r, "principal", d->principal, sizeof d->principal);
	snprintf(d->why, sizeof d->why, "%.150s", why.msg);
}

static int replay_one(void *ctx, const wr_receipt *r)
{
	replay *p = ctx;
	p->last_us = r->timestamp_us;
	p->e->seen_seq = r->seq;
	if (p->second && doubted(p, r->seq)) return 0;
	if (!p->second && !strcmp(r->operation, "approval_recorded")) note_doubt(p, r);
	engine_load_plan(p->e, r);
	/* A sentence for each of a million receipts would take longer than folding them. */
	engine_fold(p->e, r, r->seq >= p->shown_from);
	return 0;
}

/* Keeps the doubts that matter; how many. */
static size_t keep_doubts(replay *p)
{
	size_t kept = 0;
	for (size_t i = 0; i < p->count; i++) {
		const doubt *d = &p->doubts[i];
		const wr_op *op = wr_state_op(p->e->state, d->operation_id);
		if (!op || wr_op_final(op->state)) continue;
		wr_log(WR_LOG_ERROR, "engine", "receipt %lld, of %s by %s, counts for nothing: %s",
		       (long long)d->seq, d->operation_id, d->principal, d->why);
		p->doubts[kept++] = *d;
	}
	return p->count = kept;
}

static int forget(engine *e, wr_err *err)
{
	wr_state_free(e->state);
	e->state = wr_state_new(e->cfg);
	e->tail_count = 0;
	memset(e->seats, 0, sizeof e->seats);
	return e->state ? 0 : wr_fail(err, WR_E_NOMEM, "out of memory");
}

static int read_signers(const engine *e, wr_buf *text, wr_signers *signers, wr_err *err)
{
	const char *path = e->cfg->allowed_signers;
	/* No operators: an engine that only watches. Nobody can sign. */
	if (!path || !*path) return 0;
	int rc = wr_read_file(text, path, WR_SIGNERS_MAX, WR_NOT_WRITABLE, err);
	if (rc == 0) rc = wr_signers_parse(signers, wr_buf_cstr(text), text->len, path, err);
	return rc == 0 ? 0 : wr_err_wrap(err, "operators.allowed_signers");
}

static int read_back(engine *e, wr_err *err)
{
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	replay p = {.e = e, .shown_from = head.count - TAIL};
	wr_buf text = WR_BUF_INIT(WR_SIGNERS_MAX);
	int rc = read_signers(e, &text, &p.signers, err);
	if (rc == 0) rc = wr_ledger_read(e->ledger, 0, replay_one, &p, err);
	if (rc == 0 && keep_doubts(&p)) {
		p.second = true;
		rc = forget(e, err);
		if (rc == 0) rc = wr_ledger_read(e->ledger, 0, replay_one, &p, err);
	}
	int64_t ahead_us = p.last_us - wr_wall_us(&wr_clock_system);
	if (ahead_us > 60 * INT64_C(1000000))
		wr_log(WR_LOG_WARN, "engine",
		       "the last receipt is %lld s later than the clock: time goes on from there, slower "
		       "until the clock has caught up",
		       (long long)(ahead_us / 1000000));
	wr_steady_floor(&e->steady, p.last_us);
	free(p.doubts);
	wr_signers_free(&p.signers);
	wr_buf_free(&text);
	return rc;
}

/* ---- the ledger ---- */

static int append_now(engine *e, json_t *receipt, wr_err *err)
{
	if (wr_ledger_append(e->ledger, receipt, e->epoch, NULL, err) != 0) return -1;
	return wr_ledger_read(e->ledger, e->seen_seq + 1, fold_one, e, err) < 0 ? -1 : 0;
}

static size_t unfinished(const engine *e)
{
	const wr_op *ops[64];
	size_t n = wr_state_ops(e->state, ops, 64), open = 0;
	for (size_t i = 0; i < n; i++) open += !wr_op_final(ops[i]->state);
	return open;
}

static int open_ledger(engine *e, wr_err *err)
{
	char actor[128];
	snprintf(actor, sizeof actor, "engine:%s", e->cfg->observer);
	wr_ledger_opts opts = {.dir = e->cfg->ledger_dir,
	                       .partition = e->cfg->partition,
	                       .stream = e->cfg->stream,
	                       .actor = actor,
	                       .engine_key = e->cfg->engine_key,
	                       .origin = e->cfg->platform,
	                       .clock = e->clock,
	                       .random = &wr_random_system};
	wr_ledger_opened opened = {0};
	e->seen_seq = -1;
	e->ledger = wr_ledger_open_dir(&opts, &opened, err);
	if (!e->ledger) return -1;
	if (read_back(e, err) != 0) return -1;
	e->epoch = wr_state_epoch(e->state) + 1;
	if (opened.torn_tail) {
		wr_log(WR_LOG_WARN, "ledger", "an unfinished record of %lld bytes was moved to %s",
		       (long long)opened.torn_bytes, opened.torn_file);
		if (append_now(e,
		               json_pack("{s:s, s:I, s:s}", "operation", "ledger_recovered", "torn_bytes",
		                         (json_int_t)opened.torn_bytes, "torn_file", opened.torn_file),
		               err) != 0)
			return -1;
	}
	char config_hash[WR_HEX_LEN];
	wr_hex(config_hash, e->cfg->hash, sizeof e->cfg->hash);
	int rc = append_now(e,
	                    json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "operation", "engine_started",
	                              "version", WR_VERSION, "config_hash", config_hash, "platform",
	                              e->cfg->platform, "observer", e->cfg->observer,
	                              "recovered_operations", (json_int_t)unfinished(e)),
	                    err);
	e->said_started = rc == 0;
	return rc;
}

static int copy_signers(engine *e, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_SIGNERS_MAX);
	wr_signers signers = {0};
	int rc = read_signers(e, &text, &signers, err);
	if (rc == 0) rc = engine_keep_signers(e, wr_buf_cstr(&text), text.len, err);
	wr_signers_free(&signers);
	wr_buf_free(&text);
	return rc;
}

static int socket_dir(engine *e, wr_err *err)
{
	char path[4096];
	snprintf(path, sizeof path, "%s", e->cfg->socket);
	return wr_mkdirs(dirname(path), 0750, err);
}

/* Callbacks from other threads: each makes a message. */
static void on_report(void *ctx, const wr_step_report *r, wr_command_kind kind)
{
	engine *e = ctx;
	msg *m = calloc(1, sizeof *m);
	WR_ASSERT(m);
	m->kind = MSG_REPORT;
	m->command = kind;
	m->report = *r;
	WR_ASSERT(wr_queue_push(e->inbox, m)); /* there is room by construction: api.c */
}

static void on_output(void *ctx, const char *operation_id, size_t index, const char *text)
{
	engine *e = ctx;
	msg *m = calloc(1, sizeof *m);
	if (!m) return;
	m->kind = MSG_OUTPUT;
	snprintf(m->output.operation_id, sizeof m->output.operation_id, "%s", operation_id);
	m->output.index = index;
	snprintf(m->output.text, sizeof m->output.text, "%s", text);
	if (!wr_queue_push(e->outputs, m))
		free(m); /* only for the eyes; the result keeps its own tail */
}

static void on_sample(void *ctx, const wr_sample *s)
{
	engine *e = ctx;
	msg *m = calloc(1, sizeof *m);
	if (!m) return;
	m->kind = MSG_SAMPLE;
	m->sample = *s;
	if (!wr_queue_push(e->samples, m)) free(m);
}

static int make_parts(engine *e, wr_err *err)
{
	pthread_condattr_t attr;
	pthread_mutex_init(&e->nap_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->nap, &attr);
	pthread_condattr_destroy(&attr);
	e->inbox = wr_queue_new(WR_EVENTS_MAX);
	e->samples = wr_queue_new(WR_EVENTS_MAX);
	e->outputs = wr_queue_new(OUTPUTS_MAX);
	e->state = wr_state_new(e->cfg);
	e->world = wr_world_new(e->cfg);
	if (!e->inbox || !e->samples || !e->outputs || !e->state || !e->world)
		return wr_fail(err, WR_E_NOMEM, "out of memory");
	e->world->ledger_ok = true;
	if (engine_archive_new(e, err) != 0) return -1;
	return engine_foreign_new(e, err);
}

int engine_boot(engine *e, const char *config_path, wr_err *err)
{
	if (sodium_init() < 0) return wr_fail(err, WR_E_BUG, "libsodium does not start");
	wr_steady_init(&e->steady, &wr_clock_system);
	e->clock = &e->steady.clock;
	e->started_us = wr_wall_us(e->clock);
	atomic_init(&e->stopping, false);
	if (load_config(e, config_path, err) != 0 || make_parts(e, err) != 0) return -1;
	if (open_ledger(e, err) != 0) return wr_err_wrap(err, "ledger %s", e->cfg->ledger_dir);
	if (copy_signers(e, err) != 0) return -1;
	e->runner = wr_runner_start(RUNNER_THREADS, e->clock, on_report, on_output, e, err);
	if (!e->runner) return -1;
	if (socket_dir(e, err) != 0) return -1;
	e->api = api_start(e->cfg->socket, e->cfg->socket_group, e->inbox, err);
	if (!e->api) return -1;
	e->prober = wr_prober_start(e->cfg, e->clock, on_sample, e, err);
	if (!e->prober) return -1;
	if (engine_threads_start(e, err) != 0) return -1;
	return engine_archive_start(e, err);
}
