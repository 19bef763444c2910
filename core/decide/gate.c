/* gate.c: the canary gate of a soak: PASS only on evidence (law 7). Pure.
 *
 * It may be looked at at every tick: it fails at the first breach and passes only when the time is
 * over, so that looking often changes nothing. Samples are counted from the numbers recorded in the
 * intent; what was measured before the soak proves nothing about it, and a sample that says nothing
 * proves nothing at all. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

const char *wr_gate_verdict_name(wr_gate_verdict v)
{
	static const char *const names[] = {"PASS", "FAIL", "INCONCLUSIVE", "NO DATA"};
	return (unsigned)v < 4 ? names[v] : "?";
}

typedef struct gate_sum {
	int64_t fewest, bad;
	int64_t missing_ms; /* until the slowest signal has enough */
	size_t gates, empty, few, blind;
	char breached[128], blind_name[64];
} gate_sum;

static int find_signal(const wr_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->signal_count; i++)
		if (!strcmp(cfg->signals[i].name, name)) return (int)i;
	return -1;
}

int64_t wr_evidence(const wr_signal_view *v)
{
	return (int64_t)(v->samples - v->mute_samples);
}

static void add_signal(gate_sum *g, const wr_world *w, const char *name, int64_t before,
                       int64_t needed)
{
	int i = find_signal(w->cfg, name);
	g->gates++;
	if (i < 0) {
		g->empty++;
		g->fewest = 0;
		return;
	}
	const wr_signal_view *v = &w->signals[i];
	int64_t n = wr_evidence(v) - before;
	if (n < 0) n = 0;
	if (n < g->fewest) g->fewest = n;
	if (n == 0)
		g->empty++;
	else if (n < needed)
		g->few++;
	if (v->status == WR_NO_DATA) {
		g->blind++;
		wr_put(g->blind_name, sizeof g->blind_name, "%s", name);
	}
	if (v->status == WR_BREACHED || v->breached)
		wr_put(g->breached, sizeof g->breached, "%s: %.60s", name, v->last.detail);
	int64_t wait_ms = (needed - n) * w->cfg->signals[i].interval_ms;
	if (wait_ms > g->missing_ms) g->missing_ms = wait_ms;
}

static void sum_up(gate_sum *g, const wr_op_step *st, const json_t *soak, const wr_world *w)
{
	int64_t needed = wr_json_int(soak, "min_samples", 5);
	size_t i;
	json_t *gate;
	memset(g, 0, sizeof *g);
	g->fewest = INT64_MAX;
	json_array_foreach (json_object_get(soak, "gates"), i, gate) {
		int64_t before = i < st->baseline_count ? st->baseline[i] : WR_INT_MAX_SAFE;
		add_signal(g, w, json_string_value(gate), before, needed);
	}
	if (g->fewest == INT64_MAX) g->fewest = 0;
}

static void at_the_end(wr_gate *out, const gate_sum *g, const wr_world *w, const char *watched)
{
	if (!g->gates || g->empty) {
		out->verdict = WR_GATE_NO_DATA;
		wr_put(out->text, sizeof out->text, "%zu of %zu signals have no sample of this soak",
		       g->empty, g->gates);
	} else if (w->isolated || g->blind || g->few) {
		out->verdict = WR_INCONCLUSIVE;
		wr_put(out->text, sizeof out->text, "%lld of %lld samples%s%s%s", (long long)out->n,
		       (long long)out->n_needed, w->isolated ? "; the observer is isolated" : "",
		       g->blind ? "; blind now: " : "", g->blind ? g->blind_name : "");
	} else {
		out->verdict = WR_PASS;
		wr_put(out->text, sizeof out->text,
		       "%lld samples or more of %zu signals, none breached, watched for %s",
		       (long long)out->n, g->gates, watched);
	}
}

void wr_gate_eval(wr_gate *out, const wr_op *op, size_t step, const wr_world *w, int64_t now_us)
{
	memset(out, 0, sizeof *out);
	out->to_verdict_ms = -1;
	step_view v;
	if (!wr_step_view(&v, op, step, false) || v.kind != WR_STEP_SOAK) {
		out->verdict = WR_GATE_NO_DATA;
		wr_put(out->text, sizeof out->text, "no soak step");
		return;
	}
	const wr_op_step *st = &op->steps[step];
	out->n_needed = wr_json_int(v.action, "min_samples", 5);
	if (!st->soak_started_us) {
		out->verdict = WR_GATE_NO_DATA;
		wr_put(out->text, sizeof out->text, "not begun");
		return;
	}
	gate_sum g;
	sum_up(&g, st, v.action, w);
	out->n = g.fewest;
	int64_t left_ms =
	    wr_json_int(v.action, "duration_ms", 0) - (now_us - st->soak_started_us) / US_PER_MS;
	char watched[16], left[16];
	wr_duration_words(watched, sizeof watched, (now_us - st->soak_started_us) / US_PER_MS);
	if (g.breached[0]) {
		out->verdict = WR_FAIL;
		out->to_verdict_ms = 0;
		wr_put(out->text, sizeof out->text, "breached after %s: %s", watched, g.breached);
		return;
	}
	out->to_verdict_ms = left_ms > g.missing_ms ? left_ms : g.missing_ms;
	if (out->to_verdict_ms < 0) out->to_verdict_ms = 0;
	if (left_ms <= 0) {
		at_the_end(out, &g, w, watched);
		return;
	}
	wr_duration_words(left, sizeof left, left_ms);
	out->verdict = g.empty == g.gates ? WR_GATE_NO_DATA : WR_INCONCLUSIVE;
	wr_put(out->text, sizeof out->text, "%lld of %lld samples, none breached, %s left",
	       (long long)out->n, (long long)out->n_needed, left);
}
