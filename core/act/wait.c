/* wait.c: looking until a condition holds, and the single look of a probe.
 *
 * Waiting has no effect of its own, so it never ends UNKNOWN: in time it held, or it did not. Law
 * 7: a look that saw nothing is not a look at which the condition held. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define EVERY_MIN_MS     100
#define EVERY_DEFAULT_MS 1000
#define LOOK_MAX_MS      10000 /* a look that hangs must not use up the whole wait */
#define SLICE_MS         50

typedef struct look {
	wr_truth truth;
	bool blind; /* nothing that could be called an answer was seen */
	int64_t status, exit_code;
	char text[WR_ACT_ERROR_LEN];
} look;

/* refuses_to_tell: an answer about the one who answers, not about what was asked. */
static bool refuses_to_tell(const wr_act_answer *a)
{
	return a->status >= 500 || a->status == 401 || a->status == 403 || a->status == 408 ||
	       a->status == 429 || a->exit_code == 126 || a->exit_code == 127;
}

static wr_expr *parse_until(const json_t *spec, wr_err *err)
{
	const char *text = wr_json_str(spec, "until", "");
	if (!*text)
		text = json_object_get(spec, "exec") ? "exit_code == 0" : "status >= 200 and status < 300";
	wr_expr *e = wr_expr_parse(text, err);
	if (!e) (void)wr_err_wrap(err, "until");
	return e;
}

/* "value 53, ", or nothing. */
static void value_text(char *out, size_t size, const wr_value *v)
{
	char clean[64];
	if (v->type == WR_V_NUM)
		snprintf(out, size, "value %.6g, ", v->num);
	else if (v->type == WR_V_BOOL)
		snprintf(out, size, "value %s, ", v->truth ? "true" : "false");
	else if (v->type == WR_V_STR)
		snprintf(out, size, "value %s, ", wr_sanitise_to(clean, sizeof clean, v->str));
}

static void look_once(const wr_act_io *io, const json_t *spec, const wr_expr *until, look *out)
{
	const json_t *http = json_object_get(spec, "http"), *exec = json_object_get(spec, "exec");
	wr_act_answer a;
	if (json_is_object(exec))
		wr_act_exec(io,
		            &(wr_act_command){.argv = json_object_get(exec, "argv"),
		                              .env = json_object_get(exec, "env"),
		                              .cwd = wr_json_str(exec, "cwd", ""),
		                              .quiet = true},
		            &a);
	else
		wr_act_http(io, &(wr_act_request){.spec = http, .quiet = true}, &a);
	wr_expr_vars vars;
	(void)wr_act_vars(&a, wr_json_str(json_is_object(exec) ? exec : http, "pointer", ""), &vars);
	*out = (look){
	    .truth = wr_expr_eval(until, &vars),
	    .blind = vars.error || refuses_to_tell(&a),
	    .status = a.status,
	    .exit_code = a.exit_code,
	};
	const char *answer = out->truth == WR_TRUE    ? "it is so"
	                     : out->truth == WR_FALSE ? "it is not so"
	                                              : "it cannot be told";
	char value[96] = "";
	value_text(value, sizeof value, &vars.value);
	if (*a.error)
		snprintf(out->text, sizeof out->text, "%s: %.150s", answer, a.error);
	else if (a.exit_code >= 0)
		snprintf(out->text, sizeof out->text, "%s: %sexit code %d", answer, value,
		         (int)a.exit_code);
	else
		snprintf(out->text, sizeof out->text, "%s: %sstatus %d", answer, value, (int)a.status);
	wr_act_answer_free(&a);
}

static void nap(const wr_act_io *io, int64_t ms)
{
	int64_t end_ms = wr_mono_ms(io->clock) + ms;
	for (;;) {
		int64_t left = end_ms - wr_mono_ms(io->clock);
		if (left > wr_act_left_ms(io)) left = wr_act_left_ms(io);
		if (left <= 0 || wr_act_cancelled(io)) return;
		(void)poll(NULL, 0, (int)(left < SLICE_MS ? left : SLICE_MS));
	}
}

static int64_t at_least(int64_t ms, int64_t least, int64_t otherwise)
{
	if (ms <= 0) return otherwise;
	return ms < least ? least : ms;
}

/* wait_loop returns true once the condition has held, at every look, for hold_ms. */
static bool wait_loop(const wr_act_io *io, const json_t *spec, const wr_expr *until, look *seen)
{
	int64_t every_ms = at_least(wr_json_int(spec, "every_ms", 0), EVERY_MIN_MS, EVERY_DEFAULT_MS);
	int64_t hold_ms = wr_json_int(spec, "hold_ms", 0), since_ms = -1;
	char shown[WR_ACT_ERROR_LEN] = "";
	for (;;) {
		int64_t began_ms = wr_mono_ms(io->clock);
		wr_act_io brief = wr_act_within(io, LOOK_MAX_MS);
		look_once(&brief, spec, until, seen);
		if (wr_act_cancelled(io)) return false;
		if (strcmp(shown, seen->text) != 0) wr_act_output_line(io->output, "%s", seen->text);
		memcpy(shown, seen->text, sizeof shown);
		if (seen->truth != WR_TRUE)
			since_ms = -1;
		else if (since_ms < 0)
			since_ms = began_ms;
		int64_t now_ms = wr_mono_ms(io->clock);
		if (since_ms >= 0 && began_ms - since_ms >= hold_ms) return true;
		nap(io, began_ms + every_ms - now_ms);
		if (wr_act_left_ms(io) == 0 || wr_act_cancelled(io)) return false;
	}
}

void wr_act_run_wait(const wr_act_io *io, const json_t *spec, wr_step_report *out)
{
	wr_err err = {0};
	wr_expr *until = parse_until(spec, &err);
	if (!until) {
		snprintf(out->error, sizeof out->error, "%.*s", WR_ACT_ERROR_LEN - 1, err.msg);
		return;
	}
	look seen = {.exit_code = -1};
	bool held = wait_loop(io, spec, until, &seen);
	wr_expr_free(until);
	out->status = seen.status;
	out->exit_code = seen.exit_code;
	out->outcome = held ? WR_OUT_DONE : WR_OUT_FAILED;
	if (held) return;
	if (wr_act_cancelled(io))
		snprintf(out->error, sizeof out->error, "cancelled while waiting");
	else
		snprintf(out->error, sizeof out->error, "did not hold in time, at last %.150s", seen.text);
}

/* Law 8: an answer of "it is not so" counts only when there was an answer. "It is so" always does:
 * whoever writes `until: error` means just that. */
void wr_act_probe_wait(const wr_act_io *io, const json_t *spec, wr_step_report *out)
{
	wr_err err = {0};
	out->outcome = WR_OUT_UNKNOWN;
	wr_expr *until = parse_until(spec, &err);
	if (!until) {
		snprintf(out->error, sizeof out->error, "%.*s", WR_ACT_ERROR_LEN - 1, err.msg);
		return;
	}
	look seen;
	look_once(io, spec, until, &seen);
	wr_expr_free(until);
	out->status = seen.status;
	out->exit_code = seen.exit_code;
	bool told = !wr_act_cancelled(io);
	if (told && seen.truth == WR_TRUE)
		out->outcome = WR_OUT_DONE;
	else if (told && seen.truth == WR_FALSE && !seen.blind)
		out->outcome = WR_OUT_FAILED;
	if (out->outcome != WR_OUT_DONE) snprintf(out->error, sizeof out->error, "%s", seen.text);
}
