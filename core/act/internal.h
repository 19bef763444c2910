/* internal.h: what the files of core/act share: one step's surroundings, one exchange's answer. */
#ifndef WARROOM_ACT_INTERNAL_H
#define WARROOM_ACT_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "warroom/act.h"
#include "warroom/buf.h"
#include "warroom/expr.h"

#define WR_ACT_ERROR_LEN 192 /* as in wr_step_report */

/* ---- output.c ---- */

/* What a step printed, on its way to people: secrets that we filled in are struck out, then the
 * text is sanitised, then it is streamed (up to WR_EXEC_OUTPUT_MAX) and its tail kept. A secret
 * that the other side encoded (base64, JSON escapes) is not recognised. Used by one thread. */
#define WR_ACT_SECRETS_MAX 64
typedef struct wr_act_output {
	void (*sink)(void *ctx, const char *text); /* or NULL */
	void *sink_ctx;
	size_t streamed;
	wr_buf pending; /* raw, not yet shown */
	char tail[4096];
	size_t tail_len;
	wr_buf secrets[WR_ACT_SECRETS_MAX]; /* longest first */
	size_t secret_count;
} wr_act_output;

void wr_act_output_init(wr_act_output *o, void (*sink)(void *ctx, const char *text), void *ctx);
void wr_act_output_free(wr_act_output *o); /* wipes */
void wr_act_output_add(wr_act_output *o, const char *data, size_t len);
void wr_act_output_line(wr_act_output *o, const char *fmt, ...) WR_PRINTF(2, 3);
/* wr_act_output_end lets out what is pending and copies the tail. */
void wr_act_output_end(wr_act_output *o, char *out, size_t size);
/* wr_act_clean copies a message from outside (or with such parts) with secrets struck out,
 * sanitised, cut to size. */
void wr_act_clean(const wr_act_output *o, char *out, size_t size, const char *raw);
/* wr_act_expand appends `text` with its secret references filled in, and remembers their values in
 * `o`. The caller wipes `out`. */
WR_CHECKED int wr_act_expand(wr_act_output *o, wr_buf *out, const char *text, wr_err *err);
bool wr_act_has_secret(const char *text);

/* ---- step.c ---- */

typedef struct wr_act_io {
	const wr_clock *clock;
	const atomic_bool *cancel; /* or NULL */
	int64_t deadline_ms;       /* monotonic */
	wr_act_output *output;
	const wr_job *job; /* or NULL: not for a step */
} wr_act_io;

int64_t wr_act_left_ms(const wr_act_io *io); /* >= 0 */
bool wr_act_cancelled(const wr_act_io *io);
/* wr_act_within is io with at most `ms` left; ms <= 0 changes nothing. */
wr_act_io wr_act_within(const wr_act_io *io, int64_t ms);

/* ---- http.c, exec.c: one exchange ---- */

typedef enum wr_act_fate {
	WR_ACT_NOT_SENT, /* nothing left us; nothing can have happened */
	WR_ACT_LOST,     /* it left us, and no complete answer came: it may have happened */
	WR_ACT_ANSWERED  /* a complete answer, or an exit code */
} wr_act_fate;

typedef struct wr_act_answer {
	wr_act_fate fate;
	int64_t status;    /* HTTP; 0 none */
	int64_t exit_code; /* exec; -1 none */
	int64_t latency_ms;
	wr_buf body;   /* http body or stdout, its first WR_BODY_MAX bytes */
	bool body_cut; /* there was more */
	char error[WR_ACT_ERROR_LEN];
} wr_act_answer;
void wr_act_answer_free(wr_act_answer *a);

typedef struct wr_act_request {
	const json_t
	    *spec;        /* {method,url,headers{},body,ca_file,insecure}: all but url may be absent */
	const char *body; /* sent as it is, in place of spec's; or NULL */
	const char *not_header; /* this member of headers is not a header; or NULL */
	bool effect;            /* send Idempotency-Key and X-Warroom-Epoch */
	bool quiet;             /* the answer's body is not output */
} wr_act_request;

void wr_act_http(const wr_act_io *io, const wr_act_request *rq, wr_act_answer *a);

typedef struct wr_act_command {
	json_t *argv, *env; /* borrowed; env may be NULL */
	const char *cwd;    /* or NULL */
	const char *input;  /* for stdin, or NULL */
	bool quiet;
} wr_act_command;

void wr_act_exec(const wr_act_io *io, const wr_act_command *c, wr_act_answer *a);

/* wr_act_vars is what an expression may look at; false, and why in a->error, when `pointer` finds
 * nothing in the body (vars->error is set then, too). */
bool wr_act_vars(wr_act_answer *a, const char *pointer, wr_expr_vars *vars);
/* wr_act_expect judges a complete answer: does `text` (an expression; "" always holds) hold? Else
 * FAILED with the reason. */
wr_outcome wr_act_expect(wr_act_answer *a, const char *text, const char *pointer);

/* ---- the kinds: each fills out->outcome, error, status, exit_code ---- */

void wr_act_run_http(const wr_act_io *io, const json_t *spec, wr_step_report *out);
void wr_act_run_exec(const wr_act_io *io, const json_t *spec, wr_step_report *out);
void wr_act_run_traffic(const wr_act_io *io, const json_t *spec, wr_step_report *out);
void wr_act_run_wait(const wr_act_io *io, const json_t *spec, wr_step_report *out);
void wr_act_run_notify(const wr_act_io *io, const json_t *spec, wr_step_report *out);
/* One look: DONE when it is so, FAILED when it was seen not to be so, UNKNOWN otherwise. */
void wr_act_probe_wait(const wr_act_io *io, const json_t *spec, wr_step_report *out);

/* ---- traffic.c, haproxy.c ---- */

typedef struct wr_act_weights {
	struct {
		char region[WR_NAME_MAX + 1];
		int percent; /* haproxy's reading: the raw weight, 0..256 */
		bool out;    /* in maintenance or draining: takes no traffic whatever its weight */
	} rows[WR_MAX_REGIONS];
	size_t count;
} wr_act_weights;

WR_CHECKED int wr_act_haproxy_get(const wr_act_io *io, const json_t *spec, wr_act_weights *out,
                                  wr_err *err);
/* DONE: haproxy took it (to be read back by the caller); FAILED: it did not, and *err says what is
 * in force; UNKNOWN: no complete answer. */
wr_outcome wr_act_haproxy_set(const wr_act_io *io, const json_t *spec, const wr_act_weights *wanted,
                              wr_err *err);

#endif
