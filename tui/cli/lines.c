/* lines.c: what the state says, in lines for people. Text comes sanitised from cli_call. */
#include "cli/lines.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/text.h"

static const char *in_ascii(uint32_t cp)
{
	switch (cp) {
	case 0x2192:
		return "->";
	case 0x2026:
		return "...";
	case 0x2714:
		return "ok";
	case 0x2716:
		return "X";
	default:
		return "?";
	}
}

void say(const cli *c, FILE *out, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) return;
	if (cli_unicode(c)) {
		fputs(text, out);
	} else {
		const char *s = text, *end = text + n;
		while (s < end) {
			uint32_t cp = wr_utf8_next(&s, end);
			if (cp < 0x80)
				fputc((int)cp, out);
			else
				fputs(in_ascii(cp), out);
		}
	}
	free(text);
}

const char *say_time(char out[static 32], const char *timestamp)
{
	int n = (int)strcspn(timestamp, ".");
	snprintf(out, 32, "%.*s%s", n < 30 ? n : 30, timestamp, timestamp[n] == '.' ? "Z" : "");
	return out;
}

const char *say_ms(char out[static 24], int64_t ms)
{
	/* Of ages and the like, tenths say nothing. */
	if (ms >= 1000) ms -= ms % 1000;
	if (ms < 0)
		snprintf(out, 24, "-");
	else
		wr_duration_words(out, 24, ms);
	return out;
}

const char *action_name(const json_t *o)
{
	const char *runbook = wr_json_str(o, "runbook", "");
	return is(o, "action", "other") && *runbook ? runbook : wr_json_str(o, "action", "");
}

bool op_is_over(const json_t *op)
{
	static const char *const open[] = {"proposed", "approved", "running", "held", "rolling_back"};
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		if (is(op, "state", open[i])) return false;
	return true;
}

static void say_step(const cli *c, const json_t *op)
{
	char d[24];
	const json_t *steps = json_object_get(op, "steps");
	int64_t current = wr_json_int(op, "current", -1);
	const json_t *st = current >= 0 ? json_array_get(steps, (size_t)current) : NULL;
	if (!st) return;
	say(c, stdout, ", step %lld of %zu (%s) for %s", (long long)current + 1, json_array_size(steps),
	    wr_json_str(st, "name", ""), say_ms(d, wr_json_int(st, "elapsed_ms", -1)));
}

/* "held: held by ben" is said once. */
static void say_reason(const cli *c, const char *word, const char *reason)
{
	size_t n = strlen(word);
	bool twice = !strncmp(reason, word, n) && reason[n] == ' ';
	if (twice)
		say(c, stdout, "%s", reason);
	else
		say(c, stdout, "%s%s%s", word, *reason ? ": " : "", reason);
}

void say_operation(const cli *c, const json_t *op)
{
	char d[24];
	const char *state = wr_json_str(op, "state", "");
	say(c, stdout, "%s %s %s → %s: ", wr_json_str(op, "id", ""), action_name(op),
	    wr_json_str(op, "from", ""), wr_json_str(op, "to", ""));
	if (op_is_over(op)) {
		say_reason(c, state, wr_json_str(op, "final_reason", ""));
		if (wr_json_int(op, "elapsed_ms", -1) >= 0)
			say(c, stdout, ", took %s", say_ms(d, wr_json_int(op, "elapsed_ms", -1)));
	} else if (!strcmp(state, "held")) {
		say_reason(c, state, wr_json_str(op, "held_reason", ""));
	} else if (!strcmp(state, "proposed")) {
		say(c, stdout, "proposed by %s, %lld of %lld approvals", wr_json_str(op, "proposer", ""),
		    (long long)wr_json_int(json_object_get(op, "quorum"), "have", 0),
		    (long long)wr_json_int(json_object_get(op, "quorum"), "need", 0));
	} else {
		say(c, stdout, "%s", !strcmp(state, "rolling_back") ? "going back" : state);
		say_step(c, op);
	}
	say(c, stdout, "\n");
}

static void say_held(const cli *c, const json_t *op, const char *id)
{
	const json_t *unsure = step_in(op, "uncertain", NULL);
	if (unsure)
		say(c, stdout,
		    "  waits for two people to look and rule: warroom rule %s %s done|not_done|skip\n", id,
		    wr_json_str(unsure, "name", ""));
	else if (!wr_json_bool(json_object_get(op, "quorum"), "met", true))
		say(c, stdout, "  waits for approvals: warroom approve %s; or undo: warroom abort %s\n", id,
		    id);
	else
		say(c, stdout, "  waits for people: warroom resume %s; or undo: warroom abort %s\n", id,
		    id);
}

bool op_waits(const json_t *op)
{
	return is(op, "state", "held") || is(op, "state", "proposed") || is(op, "state", "approved") ||
	       step_in(op, "running", "manual");
}

void say_waits(const cli *c, const json_t *op)
{
	const char *id = wr_json_str(op, "id", ""), *state = wr_json_str(op, "state", "");
	const json_t *quorum = json_object_get(op, "quorum"), *manual;
	if (!strcmp(state, "held")) {
		say_held(c, op, id);
	} else if (!strcmp(state, "proposed") && !wr_json_bool(quorum, "met", false)) {
		char d[24];
		say(c, stdout,
		    "  waits for %s, for %s more; words: %s\n"
		    "  to sign: warroom approve %s --key FILE; with an SSH key: warroom help pending\n",
		    wr_json_str(quorum, "missing", ""), say_ms(d, wr_json_int(op, "expires_left_ms", -1)),
		    wr_json_str(op, "words", ""), id);
	} else if (!strcmp(state, "proposed") || !strcmp(state, "approved")) {
		say(c, stdout,
		    "  is approved, and starts as soon as no guard blocks: warroom why %s --from %s --to "
		    "%s\n",
		    action_name(op), wr_json_str(op, "from", ""), wr_json_str(op, "to", ""));
	} else if ((manual = step_in(op, "running", "manual"))) {
		say(c, stdout, "  waits for a person: %s\n  when it is done: warroom tick %s %s\n",
		    wr_json_str(manual, "ask", ""), id, wr_json_str(manual, "name", ""));
	}
}

void say_action(const cli *c, const json_t *a)
{
	size_t i, blocking = 0;
	json_t *g;
	say(c, stdout, "%s %s → %s: ", action_name(a), wr_json_str(a, "from", ""),
	    wr_json_str(a, "to", ""));
	if (wr_json_bool(a, "possible", false)) {
		say(c, stdout, "possible (%lld of %lld guards pass, none blocks)\n",
		    (long long)wr_json_int(a, "passed", 0), (long long)wr_json_int(a, "total", 0));
		return;
	}
	json_array_foreach (json_object_get(a, "guards"), i, g) {
		if (!wr_json_bool(g, "blocking", true) || is(g, "verdict", "PASS")) continue;
		say(c, stdout, "%s%s", blocking++ ? ", " : "blocked by ", wr_json_str(g, "name", ""));
		if (blocking == 1) say(c, stdout, " (%s)", wr_json_str(g, "observed", ""));
	}
	say(c, stdout, "\n");
}
