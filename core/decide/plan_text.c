/* plan_text.c: a plan for people, every step fully resolved. Pure.
 *
 * What two people read before they sign, so nothing that will be used is left out: URLs, bodies,
 * argv, weights, times, the way back. Everything is sanitised on the way out. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/text.h"

static void clean(wr_buf *out, const char *text)
{
	wr_sanitise(out, text, strlen(text), false);
}

/* "   label     text\n", nothing when there is no text; long lines are the reader's to wrap. */
static void line(wr_buf *out, const char *label, const char *text)
{
	if (!text[0]) return;
	wr_buf_addf(out, "     %-11s ", label);
	clean(out, text);
	wr_buf_addc(out, '\n');
}

static void member(wr_buf *out, const json_t *o, const char *key, const char *label)
{
	line(out, label, wr_json_str(o, key, ""));
}

static void pair_lines(wr_buf *out, const json_t *o, const char *label, const char *glue)
{
	const char *key;
	json_t *value, *copy = json_deep_copy(o);
	if (!copy) return;
	json_object_foreach (copy, key, value) {
		wr_buf_addf(out, "     %-11s ", label);
		clean(out, key);
		wr_buf_adds(out, glue);
		clean(out, json_string_value(value) ? json_string_value(value) : "");
		wr_buf_addc(out, '\n');
	}
	json_decref(copy);
}

static void http_text(wr_buf *out, const json_t *a)
{
	char request[2200];
	wr_put(request, sizeof request, "%s %s", wr_json_str(a, "method", ""),
	       wr_json_str(a, "url", ""));
	line(out, "request", request);
	pair_lines(out, json_object_get(a, "headers"), "header", ": ");
	member(out, a, "body", "body");
	size_t i;
	json_t *status;
	const json_t *list = json_object_get(a, "expect_status");
	if (json_array_size(list)) {
		wr_buf_addf(out, "     %-11s", "expects");
		json_array_foreach (list, i, status)
			wr_buf_addf(out, " %lld", (long long)json_integer_value(status));
		wr_buf_addc(out, '\n');
	}
	member(out, a, "pointer", "value at");
	member(out, a, "expect", "expects");
	member(out, a, "ca_file", "CA file");
	if (wr_json_bool(a, "insecure", false))
		line(out, "DANGER", "the TLS certificate is not checked");
}

/* Arguments as a shell would need them, so that their borders are seen. */
static void argv_text(wr_buf *out, const json_t *argv, const char *label)
{
	size_t i;
	json_t *arg;
	if (!json_array_size(argv)) return;
	wr_buf_addf(out, "     %-11s", label);
	json_array_foreach (argv, i, arg) {
		const char *text = json_string_value(arg) ? json_string_value(arg) : "";
		bool plain =
		    text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
		                                  "WXYZ0123456789-_./:=@%+,")];
		wr_buf_adds(out, plain ? " " : " '");
		clean(out, text);
		if (!plain) wr_buf_addc(out, '\'');
	}
	wr_buf_addc(out, '\n');
}

static void exec_text(wr_buf *out, const json_t *a)
{
	argv_text(out, json_object_get(a, "argv"), "runs");
	pair_lines(out, json_object_get(a, "env"), "env", "=");
	member(out, a, "cwd", "in");
	member(out, a, "pointer", "value at");
	member(out, a, "expect", "expects");
}

static void traffic_text(wr_buf *out, const json_t *a)
{
	const char *region;
	json_t *percent, *weights = json_object_get(a, "weights");
	wr_buf_addf(out, "     %-11s", "weights");
	json_object_foreach (weights, region, percent) {
		wr_buf_addc(out, ' ');
		clean(out, region);
		wr_buf_addf(out, " %lld %%", (long long)json_integer_value(percent));
	}
	wr_buf_addf(out, "  (ttl %lld s)\n", (long long)wr_json_int(a, "ttl_s", 0));
	char via[2200];
	const char *backend = wr_json_str(a, "backend", "");
	wr_put(via, sizeof via, "%s (%s) %s%s%s", wr_json_str(a, "provider", ""),
	       wr_json_str(a, "kind", ""), wr_json_str(a, "address", ""), backend[0] ? " " : "",
	       backend);
	line(out, "via", via);
	argv_text(out, json_object_get(a, "set_argv"), "runs");
}

static void duration_line(wr_buf *out, const char *label, int64_t ms)
{
	char text[16];
	if (ms <= 0) return;
	wr_duration_words(text, sizeof text, ms);
	line(out, label, text);
}

static void wait_text(wr_buf *out, const json_t *a)
{
	const json_t *http = json_object_get(a, "http"), *exec = json_object_get(a, "exec");
	if (http) http_text(out, http);
	if (exec) exec_text(out, exec);
	member(out, a, "until", "until");
	duration_line(out, "every", wr_json_int(a, "every_ms", 0));
	duration_line(out, "holding for", wr_json_int(a, "hold_ms", 0));
}

static void soak_text(wr_buf *out, const json_t *a)
{
	size_t i;
	json_t *gate;
	duration_line(out, "for", wr_json_int(a, "duration_ms", 0));
	wr_buf_addf(out, "     %-11s", "signals");
	json_array_foreach (json_object_get(a, "gates"), i, gate) {
		wr_buf_addc(out, ' ');
		clean(out, json_string_value(gate) ? json_string_value(gate) : "");
	}
	wr_buf_addf(out, " (%lld samples each)\n", (long long)wr_json_int(a, "min_samples", 0));
}

static void notify_text(wr_buf *out, const json_t *a)
{
	member(out, a, "channel", "channel");
	member(out, a, "text", "text");
}

static void action_text(wr_buf *out, const json_t *holder)
{
	const char *kind = wr_json_str(holder, "kind", "");
	const json_t *a = json_object_get(holder, kind);
	switch (wr_kind_parse(kind)) {
	case WR_STEP_HTTP:
		http_text(out, a);
		break;
	case WR_STEP_EXEC:
		exec_text(out, a);
		break;
	case WR_STEP_TRAFFIC:
		traffic_text(out, a);
		break;
	case WR_STEP_WAIT:
		wait_text(out, a);
		break;
	case WR_STEP_SOAK:
		soak_text(out, a);
		break;
	case WR_STEP_NOTIFY:
		notify_text(out, a);
		break;
	default:
		member(out, a, "ask", "a person");
		break;
	}
}

/* What follows when it is not known whether the step was done. */
static const char *in_doubt(const char *step_class)
{
	if (!strcmp(step_class, "idempotent")) return "it is repeated";
	if (!strcmp(step_class, "probeable")) return "it is probed";
	return "two people rule";
}

static void conduct_text(wr_buf *out, const json_t *step)
{
	char timeout[16], usual[16], tries[32] = "no retry", text[240];
	const char *step_class = wr_json_str(step, "class", "");
	int64_t retries = wr_json_int(step, "retries", 0), usual_ms = wr_json_int(step, "usual_ms", 0);
	wr_duration_words(timeout, sizeof timeout, wr_json_int(step, "timeout_ms", 0));
	wr_duration_words(usual, sizeof usual, usual_ms);
	if (retries)
		wr_put(tries, sizeof tries, "%lld retr%s", (long long)retries, retries == 1 ? "y" : "ies");
	wr_put(text, sizeof text, "at most %s%s%s; %s; if it fails: %s; if in doubt: %s (%s)", timeout,
	       usual_ms ? ", usually " : "", usual_ms ? usual : "", tries,
	       wr_json_str(step, "on_failure", ""), in_doubt(step_class), step_class);
	line(out, "conduct", text);
	if (wr_json_bool(step, "guarded", false))
		line(out, "approvals", "checked again before it begins");
}

static void step_text(wr_buf *out, const json_t *step, size_t number)
{
	const json_t *back = json_object_get(step, "rollback"), *probe = json_object_get(step, "probe");
	wr_buf_addf(out, "\n%3zu. ", number);
	clean(out, wr_json_str(step, "name", ""));
	wr_buf_addf(out, "   [%s, %s]\n", wr_json_str(step, "phase", ""),
	            wr_json_str(step, "kind", ""));
	member(out, step, "why", "why");
	action_text(out, step);
	member(out, step, "look_at", "look at");
	member(out, step, "danger", "danger");
	conduct_text(out, step);
	if (probe) {
		wr_buf_adds(out, "   to find out whether it was done\n");
		action_text(out, probe);
	}
	if (back) {
		wr_buf_addf(out, "   to go back [%s]\n", wr_json_str(back, "kind", ""));
		action_text(out, back);
	} else if (wr_json_bool(step, "guarded", false)) {
		wr_buf_adds(out, "   there is no way back from this step\n");
	}
	member(out, step, "go_back", "going back");
}

/* The first few by name; how many there are in all, the loss says. */
static void at_risk_text(wr_buf *out, const char *names)
{
	size_t total = names[0] != '\0', shown = 0, len = 0;
	for (const char *s = names; *s; s++) total += *s == ',';
	if (!total) return;
	for (; shown < total && shown < 3; shown++)
		len += (shown > 0) + strcspn(names + len + (shown > 0), ",");
	wr_buf_adds(out, "receipts at risk: ");
	wr_sanitise(out, names, len, false);
	if (total > shown) wr_buf_addf(out, " and %zu more", total - shown);
	wr_buf_addc(out, '\n');
}

static void blocking_text(wr_buf *out, const json_t *plan)
{
	size_t i, n = 0;
	json_t *row;
	json_array_foreach (json_object_get(plan, "guards"), i, row) {
		if (!wr_json_bool(row, "blocking", false) ||
		    !strcmp(wr_json_str(row, "verdict", ""), "PASS"))
			continue;
		wr_buf_adds(out, n++ ? ", " : "guards that blocked when it was made: ");
		clean(out, wr_json_str(row, "name", ""));
	}
	wr_buf_adds(out, n ? "\n" : "no guard blocked when it was made\n");
}

static void head_text(wr_buf *out, const json_t *plan)
{
	char hex[WR_HEX_LEN], words[WR_WORDS_LEN], rto[16];
	const json_t *loss = json_object_get(plan, "loss");
	wr_duration_words(rto, sizeof rto, wr_json_int(plan, "rto_ms", 0));
	clean(out, wr_json_str(plan, "title", ""));
	wr_buf_addf(out, "\n%s ", wr_json_str(plan, "kind", ""));
	clean(out, wr_json_str(plan, "from", ""));
	wr_buf_adds(out, " → ");
	clean(out, wr_json_str(plan, "to", ""));
	wr_buf_adds(out, ", group ");
	clean(out, wr_json_str(plan, "group", ""));
	wr_buf_addf(
	    out, ", %zu steps, RTO %s, made %s\n", json_array_size(json_object_get(plan, "steps")),
	    wr_json_int(plan, "rto_ms", 0) ? rto : "not stated", wr_json_str(plan, "made_at", ""));
	if (wr_plan_hash(plan, hex, words, NULL) == 0)
		wr_buf_addf(out, "plan %s\nwords %s\n", hex, words);
	wr_buf_adds(out, "lost if done now: ");
	clean(out, wr_json_str(loss, "text", "unknown"));
	wr_buf_addc(out, '\n');
	at_risk_text(out, wr_json_str(loss, "names", ""));
	blocking_text(out, plan);
}

void wr_plan_text(const json_t *plan, wr_buf *out)
{
	size_t i;
	json_t *step;
	head_text(out, plan);
	json_array_foreach (json_object_get(plan, "steps"), i, step) step_text(out, step, i + 1);
}
