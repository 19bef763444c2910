/* exec.c: one program run for a step. A list of arguments, never a shell string; secrets in the
 * environment only, because the arguments of a process are readable for everyone on the machine.
 * Blocking; no shared state. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/proc.h"

#define ENV_MAX   64
#define OURS      4 /* WARROOM_… variables */
#define VALUE_MAX (64u << 10)

typedef struct prepared {
	const char *argv[WR_MAX_ARGV + 1];
	const char *env[ENV_MAX + OURS + 1];
	wr_buf texts[ENV_MAX + OURS]; /* of env */
	size_t env_count;
} prepared;

static bool name_ok(const char *s)
{
	if (*s >= '0' && *s <= '9') return false;
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	return n > 0 && n <= WR_NAME_MAX && s[n] == '\0';
}

static int prepare_argv(prepared *p, const json_t *argv, wr_err *err)
{
	size_t n = json_array_size(argv);
	if (n == 0) return wr_fail(err, WR_E_INVALID, "no program to run");
	if (n > WR_MAX_ARGV) return wr_fail(err, WR_E_LIMIT, "more than %d arguments", WR_MAX_ARGV);
	for (size_t i = 0; i < n; i++) {
		p->argv[i] = json_string_value(json_array_get(argv, i));
		if (!p->argv[i]) return wr_fail(err, WR_E_INVALID, "argument %zu is not text", i);
		if (wr_act_has_secret(p->argv[i]))
			return wr_fail(err, WR_E_INVALID,
			               "argument %zu holds a secret: everyone can read arguments, use env", i);
	}
	return 0;
}

/* Grows nowhere: a secret's copy would be left behind in freed memory. */
static int add_env(prepared *p, wr_act_output *o, const char *name, const char *value, bool plan,
                   wr_err *err)
{
	WR_ASSERT(p->env_count < ENV_MAX + OURS);
	wr_buf *text = &p->texts[p->env_count];
	wr_buf_init(text, VALUE_MAX);
	p->env_count++;
	if (!wr_buf_reserve(text, VALUE_MAX)) return wr_fail(err, WR_E_NOMEM, "out of memory");
	wr_buf_adds(text, name);
	wr_buf_addc(text, '=');
	if (!plan)
		wr_buf_adds(text, value);
	else if (wr_act_expand(o, text, value, err) != 0)
		return wr_err_wrap(err, "env %s", name);
	p->env[p->env_count - 1] = text->data;
	return 0;
}

static int prepare_env(prepared *p, const wr_act_io *io, json_t *env, wr_err *err)
{
	const char *name;
	json_t *value;
	if (json_object_size(env) > ENV_MAX)
		return wr_fail(err, WR_E_LIMIT, "more than %d variables", ENV_MAX);
	json_object_foreach (env, name, value) {
		if (!name_ok(name) || !json_is_string(value))
			return wr_fail(err, WR_E_INVALID, "an environment variable is not valid");
		if (strncmp(name, "WARROOM_", 8) == 0)
			return wr_fail(err, WR_E_INVALID, "env %s: names in WARROOM_ are warroom's", name);
		if (add_env(p, io->output, name, json_string_value(value), true, err) != 0) return -1;
	}
	if (!io->job) return 0;
	char epoch[24];
	snprintf(epoch, sizeof epoch, "%lld", (long long)io->job->epoch);
	const char *const ours[OURS][2] = {
	    {"WARROOM_IDEMPOTENCY_KEY", io->job->idempotency_key},
	    {"WARROOM_EPOCH", epoch},
	    {"WARROOM_OPERATION", io->job->operation_id},
	    {"WARROOM_STEP", wr_json_str(io->job->step, "name", "")},
	};
	for (size_t i = 0; i < OURS; i++)
		if (add_env(p, io->output, ours[i][0], ours[i][1], false, err) != 0) return -1;
	return 0;
}

static void on_output(void *ctx, const char *data, size_t len)
{
	wr_act_output_add(ctx, data, len);
}

static void run(const wr_act_io *io, const wr_act_command *c, const prepared *p, wr_act_answer *a)
{
	int64_t left_ms = wr_act_left_ms(io);
	if (left_ms == 0) {
		snprintf(a->error, sizeof a->error, "no time left");
		return;
	}
	wr_proc_spec spec = {
	    .argv = p->argv,
	    .env = p->env,
	    .cwd = c->cwd && *c->cwd ? c->cwd : NULL,
	    .input = c->input,
	    .input_len = c->input ? strlen(c->input) : 0,
	    .timeout_ms = left_ms,
	    .cancel = io->cancel,
	    .on_output = c->quiet ? NULL : on_output,
	    .on_output_ctx = io->output,
	};
	wr_proc_result result = {0};
	wr_err err = {0};
	int rc = wr_proc_run(&spec, &a->body, NULL, &result, &err);
	a->latency_ms = result.duration_ms;
	a->body_cut = result.output_cut;
	if (rc != 0 || !result.started) {
		/* A program that ran and was then lost from sight is not one that never ran. */
		a->fate = result.started ? WR_ACT_LOST : WR_ACT_NOT_SENT;
		wr_act_clean(io->output, a->error, sizeof a->error, *err.msg ? err.msg : "did not start");
	} else if (result.timed_out || result.cancelled || result.exit_code < 0) {
		a->fate = WR_ACT_LOST;
		if (result.timed_out || result.cancelled)
			snprintf(a->error, sizeof a->error, "%s, and was killed: it may have happened",
			         result.timed_out ? "did not end in time" : "cancelled while it ran");
		else
			snprintf(a->error, sizeof a->error, "killed by signal %d: it may have happened",
			         result.signal);
	} else {
		a->fate = WR_ACT_ANSWERED;
		a->exit_code = result.exit_code;
	}
}

void wr_act_exec(const wr_act_io *io, const wr_act_command *c, wr_act_answer *a)
{
	*a = (wr_act_answer){.fate = WR_ACT_NOT_SENT, .exit_code = -1, .body.max = WR_EXEC_OUTPUT_MAX};
	prepared *p = calloc(1, sizeof *p);
	if (!p) {
		snprintf(a->error, sizeof a->error, "out of memory");
		return;
	}
	wr_err err = {0};
	if (prepare_argv(p, c->argv, &err) == 0 && prepare_env(p, io, c->env, &err) == 0)
		run(io, c, p, a);
	if (err.code != WR_E_OK) wr_act_clean(io->output, a->error, sizeof a->error, err.msg);
	for (size_t i = 0; i < p->env_count; i++) wr_buf_wipe(&p->texts[i]);
	free(p);
}

void wr_act_run_exec(const wr_act_io *io, const json_t *spec, wr_step_report *out)
{
	wr_act_answer a;
	wr_act_exec(io,
	            &(wr_act_command){.argv = json_object_get(spec, "argv"),
	                              .env = json_object_get(spec, "env"),
	                              .cwd = wr_json_str(spec, "cwd", "")},
	            &a);
	out->exit_code = a.exit_code;
	if (a.fate == WR_ACT_NOT_SENT) {
		out->outcome = WR_OUT_FAILED;
	} else if (a.fate == WR_ACT_LOST) {
		out->outcome = WR_OUT_UNKNOWN;
	} else if (a.exit_code != 0) {
		snprintf(a.error, sizeof a.error, "exit code %d", (int)a.exit_code);
		out->outcome = WR_OUT_FAILED;
	} else {
		out->outcome =
		    wr_act_expect(&a, wr_json_str(spec, "expect", ""), wr_json_str(spec, "pointer", ""));
	}
	snprintf(out->error, sizeof out->error, "%s", a.error);
	wr_act_answer_free(&a);
}
