/* exec.c: a probe that is a program, and single probes of any kind. Blocking, thread-safe.
 *
 * The program's standard output is its body, JSON if a pointer looks into it. An exit code other
 * than 0 is a failed probe, with the first line of standard error as the reason. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/proc.h"
#include "warroom/text.h"
#include "watch/extract.h"
#include "watch/fetch.h"

#define STDERR_KEPT 512

/* ---- the environment: expanded for the run, then wiped ---- */

static void wipe_env(char **env)
{
	for (char **e = env; e && *e; e++) {
		sodium_memzero(*e, strlen(*e));
		free(*e);
	}
	free(env);
}

static char **expand_env(const wr_probe *p, wr_err *err)
{
	char **env = calloc(p->env_count + 1, sizeof *env);
	if (!env) {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < p->env_count; i++) {
		wr_buf line = WR_BUF_INIT(WR_STR_MAX + WR_SECRET_MAX);
		(void)wr_buf_reserve(&line, line.max);
		wr_buf_addf(&line, "%s=", p->env[i].key);
		int rc = wr_secret_expand(&line, p->env[i].value, err);
		if (rc == 0 && !wr_buf_ok(&line)) rc = wr_fail(err, WR_E_LIMIT, "too long");
		if (rc) {
			(void)wr_err_wrap(err, "env %s", p->env[i].key);
			wr_buf_wipe(&line);
			wipe_env(env);
			return NULL;
		}
		env[i] = wr_buf_take(&line);
	}
	return env;
}

/* ---- judging the run ---- */

static void first_line(char *out, size_t size, const wr_buf *text)
{
	char line[STDERR_KEPT + 1];
	const char *s = wr_buf_cstr(text);
	s += strspn(s, "\r\n");
	(void)snprintf(line, sizeof line, "%.*s", (int)strcspn(s, "\r\n"), s);
	(void)wr_sanitise_to(out, size, line);
}

static void judge_exit(const wr_proc_result *r, const wr_buf *errors, int64_t timeout_ms,
                       wr_sample *out)
{
	char line[160], text[256], after[16];
	first_line(line, sizeof line, errors);
	const char *colon = line[0] ? ": " : "";
	wr_duration_format(after, sizeof after, timeout_ms);
	if (r->timed_out)
		(void)snprintf(text, sizeof text, "timed out after %s", after);
	else if (r->signal)
		(void)snprintf(text, sizeof text, "killed by signal %d%s%s", r->signal, colon, line);
	else
		(void)snprintf(text, sizeof text, "exit %d%s%s", r->exit_code, colon, line);
	wr_sample_failed(out, text);
	out->vars.exit_code = r->signal || r->timed_out ? -1 : r->exit_code;
	if (r->timed_out) out->vars.latency_ms = timeout_ms;
}

static void judge_output(const wr_probe *p, const wr_proc_result *r, const wr_buf *output,
                         wr_sample *out)
{
	char why[WR_WHY_LEN] = "";
	wr_err err = {0};
	out->vars = (wr_expr_vars){.latency_ms = r->duration_ms};
	out->detail[0] = out->names[0] = '\0';
	if (!p->pointer || !p->pointer[0]) return;
	if (r->output_cut) {
		out->vars.error = true;
		(void)snprintf(out->detail, sizeof out->detail, "output over %u KiB",
		               WR_EXEC_OUTPUT_MAX >> 10);
	} else if (wr_pick_json(wr_buf_cstr(output), output->len, p->pointer, &out->vars.value,
	                        out->names, sizeof out->names, why, &err)) {
		out->vars.error = true;
		(void)wr_sanitise_to(out->detail, sizeof out->detail, err.msg);
	} else {
		(void)wr_sanitise_to(out->detail, sizeof out->detail, why);
	}
}

bool wr_exec_probe(const wr_probe *probe, int64_t timeout_ms, const atomic_bool *cancel,
                   wr_sample *out)
{
	wr_err err = {0};
	char **env = expand_env(probe, &err);
	if (!env) {
		wr_sample_failed(out, err.msg);
		return true;
	}
	wr_buf output = WR_BUF_INIT(WR_EXEC_OUTPUT_MAX), errors = WR_BUF_INIT(STDERR_KEPT);
	wr_proc_result r = {0};
	const wr_proc_spec spec = {.argv = probe->argv,
	                           .env = (const char *const *)env,
	                           .timeout_ms = timeout_ms > 0 ? timeout_ms : 1,
	                           .cancel = cancel};
	int rc = wr_proc_run(&spec, &output, &errors, &r, &err);
	wipe_env(env);
	if (rc)
		wr_sample_failed(out, err.msg);
	else if (r.timed_out || r.signal || r.exit_code != 0)
		judge_exit(&r, &errors, spec.timeout_ms, out);
	else
		judge_output(probe, &r, &output, out);
	wr_buf_free(&output);
	wr_buf_free(&errors);
	return rc || !r.cancelled;
}

/* ---- one probe ---- */

static void http_once(const wr_probe *probe, int64_t timeout_ms, wr_sample *out)
{
	wr_err err = {0};
	if (wr_fetch_setup(&err)) {
		wr_sample_failed(out, err.msg);
		return;
	}
	wr_fetch *f = wr_fetch_new(probe, timeout_ms, NULL, &err);
	if (!f || wr_fetch_begin(f, &err))
		wr_sample_failed(out, err.msg);
	else
		(void)wr_fetch_end(f, curl_easy_perform(wr_fetch_easy(f)), out);
	wr_fetch_free(f);
}

void wr_probe_once(const wr_probe *probe, int64_t timeout_ms, wr_sample *out)
{
	*out = (wr_sample){0};
	if (probe->kind != WR_PROBE_EXEC)
		http_once(probe, timeout_ms, out);
	else if (!wr_exec_probe(probe, timeout_ms, NULL, out))
		wr_sample_failed(out, "cancelled");
	out->at_us = wr_wall_us(&wr_clock_system);
}
