/* step.c: one step carried out now: which action, how long, and the report.
 *
 * Blocking; no shared state, so any number of threads may be in wr_step_run. */
#include <stdio.h>
#include <string.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/limits.h"

#define TIMEOUT_DEFAULT_MS 30000
#define TIMEOUT_MAX_MS     (INT64_C(7) * 24 * 3600 * 1000)

int64_t wr_act_left_ms(const wr_act_io *io)
{
	int64_t left = io->deadline_ms - wr_mono_ms(io->clock);
	return left > 0 ? left : 0;
}

bool wr_act_cancelled(const wr_act_io *io)
{
	return io->cancel && atomic_load(io->cancel);
}

wr_act_io wr_act_within(const wr_act_io *io, int64_t ms)
{
	wr_act_io inner = *io;
	int64_t end_ms = wr_mono_ms(io->clock) + ms;
	if (ms > 0 && end_ms < inner.deadline_ms) inner.deadline_ms = end_ms;
	return inner;
}

/* ---- judging an answer ---- */

bool wr_act_vars(wr_act_answer *a, const char *pointer, wr_expr_vars *vars)
{
	*vars = (wr_expr_vars){
	    .status = a->status,
	    .latency_ms = a->latency_ms,
	    .exit_code = a->exit_code,
	    .age_s = -1,
	    .error = a->fate != WR_ACT_ANSWERED,
	};
	if (vars->error || !*pointer) return true;
	wr_err err = {0};
	char names[64];
	if (a->body_cut)
		(void)wr_fail(&err, WR_E_LIMIT, "the answer is larger than %u bytes", WR_BODY_MAX);
	else if (wr_extract_json(wr_buf_cstr(&a->body), a->body.len, pointer, &vars->value, names,
	                         sizeof names, &err) == 0)
		return true;
	vars->value = (wr_value){.type = WR_V_NONE};
	vars->error = true;
	snprintf(a->error, sizeof a->error, "%.*s", WR_ACT_ERROR_LEN - 1, err.msg);
	return false;
}

wr_outcome wr_act_expect(wr_act_answer *a, const char *text, const char *pointer)
{
	if (!*text) return WR_OUT_DONE;
	wr_err err = {0};
	wr_expr *e = wr_expr_parse(text, &err);
	if (!e) {
		snprintf(a->error, sizeof a->error, "expect: %.150s", err.msg);
		return WR_OUT_FAILED;
	}
	wr_expr_vars vars;
	bool seen = wr_act_vars(a, pointer, &vars);
	wr_truth truth = wr_expr_eval(e, &vars);
	wr_expr_free(e);
	if (truth == WR_TRUE) return WR_OUT_DONE;
	if (seen)
		snprintf(a->error, sizeof a->error, "expected %.140s: %s", text,
		         truth == WR_FALSE ? "it is not so" : "the answer does not tell");
	return WR_OUT_FAILED;
}

/* ---- the step ---- */

static const struct {
	const char *kind;
	void (*run)(const wr_act_io *io, const json_t *spec, wr_step_report *out);
} kinds[] = {
    {"http", wr_act_run_http}, {"exec", wr_act_run_exec},     {"traffic", wr_act_run_traffic},
    {"wait", wr_act_run_wait}, {"notify", wr_act_run_notify},
};

static void run_action(const wr_act_io *io, const json_t *action, wr_step_report *out)
{
	const char *kind = wr_json_str(action, "kind", "");
	const json_t *spec = json_object_get(action, kind);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kind, kinds[i].kind) != 0) continue;
		if (!json_is_object(spec)) break;
		kinds[i].run(io, spec, out);
		return;
	}
	char text[96];
	snprintf(text, sizeof text, "the plan's %s has nothing to carry out (kind \"%.30s\")",
	         io->job->undo ? "rollback" : "step", kind);
	wr_act_clean(io->output, out->error, sizeof out->error, text);
}

static void run_probe(const wr_act_io *io, wr_step_report *out)
{
	const json_t *probe = json_object_get(io->job->step, "probe");
	const json_t *wait = json_object_get(probe, "wait");
	out->outcome = WR_OUT_UNKNOWN;
	if (json_is_object(wait) || json_is_object(probe))
		wr_act_probe_wait(io, json_is_object(wait) ? wait : probe, out);
	else
		snprintf(out->error, sizeof out->error, "the step has no probe");
}

static int64_t timeout_of(const json_t *step, const json_t *action)
{
	int64_t ms = wr_json_int(step, "timeout_ms", 0);
	ms = wr_json_int(action, "timeout_ms", ms);
	if (ms <= 0) return TIMEOUT_DEFAULT_MS;
	return ms < TIMEOUT_MAX_MS ? ms : TIMEOUT_MAX_MS;
}

void wr_step_run(const wr_job *job, const wr_clock *clock, const atomic_bool *cancel,
                 void (*output)(void *ctx, const char *text), void *ctx, wr_step_report *out)
{
	*out = (wr_step_report){
	    .index = job->index,
	    .attempt = job->attempt,
	    .undo = job->undo,
	    .outcome = WR_OUT_FAILED,
	    .exit_code = -1,
	};
	memcpy(out->operation_id, job->operation_id, sizeof out->operation_id);
	const json_t *action = job->undo ? json_object_get(job->step, "rollback") : job->step;
	int64_t began_ms = wr_mono_ms(clock);
	wr_act_output shown;
	wr_act_output_init(&shown, output, ctx);
	wr_act_io io = {
	    .clock = clock,
	    .cancel = cancel,
	    .deadline_ms = began_ms + timeout_of(job->step, action),
	    .output = &shown,
	    .job = job,
	};
	if (wr_act_cancelled(&io)) {
		if (job->kind == WR_CMD_PROBE) out->outcome = WR_OUT_UNKNOWN;
		snprintf(out->error, sizeof out->error, "cancelled before it began");
	} else if (job->kind == WR_CMD_PROBE) {
		run_probe(&io, out);
	} else {
		run_action(&io, action, out);
	}
	/* Whichever way it was made, it leaves harmless (law 12) and without secrets. */
	char error[sizeof out->error];
	memcpy(error, out->error, sizeof error);
	wr_act_clean(&shown, out->error, sizeof out->error, error);
	wr_act_output_end(&shown, out->output, sizeof out->output);
	out->duration_ms = wr_mono_ms(clock) - began_ms;
	wr_act_output_free(&shown);
}
