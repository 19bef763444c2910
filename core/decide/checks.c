/* checks.c: what must hold at the moment a step begins, however long ago it was approved (laws 2, 5
 * and 6). Pure. Each refusal is a HOLD- cause and a sentence. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

/* A region that is back from the dead may be back unfenced, whatever it, or anybody, said before.
 */
static bool back_since(const wr_decision *d, const wr_op *op, const wr_op_step *st)
{
	int from = wr_region_index(d->cfg, op->from);
	if (from < 0) return false;
	wr_verdict seen = d->w->regions[from].verdict;
	bool alive = seen == WR_V_HEALTHY || seen == WR_V_DEGRADED;
	const wr_region_state *known = &d->s->regions[from];
	return known->back_seq > st->said_seq || (known->out && alive);
}

bool wr_fence_proved(const wr_decision *d, const wr_op *op, size_t before_step, char *missing,
                     size_t size)
{
	bool any = false;
	wr_put(missing, size, "no step fences the old primary");
	for (size_t i = 0; i < before_step; i++) {
		step_view v;
		if (!wr_step_view(&v, op, i, false) || v.phase != WR_PHASE_FENCE || !wr_kind_fences(v.kind))
			continue;
		const wr_op_step *st = &op->steps[i];
		bool accepted = !strcmp(st->ruling, "done") || !strcmp(st->ruling, "skip");
		if (st->state != WR_SS_DONE && !(accepted && st->state == WR_SS_SKIPPED)) {
			wr_put(missing, size, "the fence %s is %s", v.name, wr_step_state_name(st->state));
			return false;
		}
		if (back_since(d, op, st)) {
			wr_put(missing, size,
			       "%s is back since the fence %s was settled, and may be unfenced: fence again "
			       "(rule not_done)",
			       op->from, v.name);
			return false;
		}
		any = true;
	}
	return any;
}

/* ---- law 5 ---- */

static const wr_traffic *provider_of(const wr_config *cfg, const json_t *action, size_t *index)
{
	const wr_traffic *t = wr_config_traffic(cfg, wr_json_str(action, "provider", ""));
	if (t) *index = (size_t)(t - cfg->traffic);
	return t;
}

/* Read lately, and since we last did something to them; a reading from the future is one from
 * before the clock was set back. */
static bool fresh_weights(const wr_decision *d, size_t traffic, int64_t touched_us)
{
	const wr_traffic *t = &d->cfg->traffic[traffic];
	int64_t bound_us = 3 * (t->interval_ms > 0 ? t->interval_ms : 5000) * US_PER_MS;
	int64_t at_us = d->w->weights_us[traffic];
	return at_us > touched_us && at_us <= d->now_us && d->now_us - at_us <= bound_us;
}

/* The weights of the newest traffic step that this operation has done with the provider; *doubt
 * when an attempt ended otherwise, because then some of it may have been done; *touched_us: when
 * the last attempt was known to be over. */
static const json_t *own_weights(const wr_op *op, const char *provider, bool *doubt,
                                 int64_t *touched_us)
{
	const json_t *weights = NULL;
	int64_t newest = -1; /* by the order of the record: the clock may have been set back */
	*doubt = false;
	*touched_us = 0;
	for (size_t i = 0; i < op->step_count; i++) {
		const wr_op_step *st = &op->steps[i];
		step_view v;
		if (!st->attempts || !wr_step_view(&v, op, i, st->undo) || v.kind != WR_STEP_TRAFFIC ||
		    strcmp(wr_json_str(v.action, "provider", ""), provider) != 0)
			continue;
		int64_t times[] = {st->intent_us, st->result_us, st->uncertain_us};
		for (size_t k = 0; k < 3; k++)
			if (times[k] > *touched_us) *touched_us = times[k];
		if (st->state != WR_SS_DONE && st->state != WR_SS_UNDONE) {
			*doubt = true;
		} else if (st->said_seq > newest) {
			weights = json_object_get(v.action, "weights");
			newest = st->said_seq;
		}
	}
	return weights;
}

/* What a region has now: read from the provider, else what we set last; -1 unknown. What the plan
 * saw is past: people may have moved traffic by hand since. */
static int64_t weight_now(const wr_decision *d, const wr_op *op, const json_t *action,
                          const char *region)
{
	size_t traffic = 0;
	bool doubt;
	int64_t touched_us;
	const char *provider = wr_json_str(action, "provider", "");
	const json_t *known = own_weights(op, provider, &doubt, &touched_us);
	int index = wr_region_index(d->cfg, region);
	if (provider_of(d->cfg, action, &traffic) && index >= 0 &&
	    fresh_weights(d, traffic, touched_us)) {
		int seen = d->w->weights[traffic][index];
		return seen >= 0 ? seen : -1;
	}
	return doubt ? -1 : wr_json_int(known, region, -1);
}

static wr_verdict verdict_of(const wr_decision *d, const char *region)
{
	int i = wr_region_index(d->cfg, region);
	if (i < 0) return WR_V_UNKNOWN;
	/* A restart resets the observer's clock, not the outage that is on record. */
	wr_verdict seen = d->w->regions[i].verdict, known = d->s->regions[i].verdict;
	return seen == WR_V_SUSPECT && known == WR_V_DOWN ? WR_V_DOWN : seen;
}

bool wr_weights_awaited(const wr_decision *d, const step_view *v)
{
	size_t i = 0;
	const wr_traffic *t = v->kind == WR_STEP_TRAFFIC ? provider_of(d->cfg, v->action, &i) : NULL;
	if (!t || d->w->weights_us[i]) return false;
	int64_t most_us =
	    (3 * (t->interval_ms > 0 ? t->interval_ms : 5000) + t->timeout_ms) * US_PER_MS;
	return wr_since_start_us(d) < most_us;
}

/* May traffic go from what is to `weights`? A region that gains must be known, and no worse than
 * any that loses. Where the present weight is unknown, it may be gaining or losing: both are asked.
 */
static bool traffic_allowed(const wr_decision *d, const wr_op *op, const json_t *action, char *why,
                            size_t size)
{
	json_t *weights = json_object_get(action, "weights");
	const char *gain, *lose;
	json_t *new_gain, *new_lose;
	json_object_foreach (weights, gain, new_gain) {
		int64_t to = json_integer_value(new_gain), now = weight_now(d, op, action, gain);
		if (to <= 0 || (now >= 0 && to <= now)) continue;
		wr_verdict better = verdict_of(d, gain);
		if (better == WR_V_UNKNOWN) {
			wr_put(why, size, "%s would get traffic, and how it is is not known", gain);
			return false;
		}
		json_object_foreach (weights, lose, new_lose) {
			int64_t left = json_integer_value(new_lose), had = weight_now(d, op, action, lose);
			if (!strcmp(gain, lose) || (had >= 0 && left >= had)) continue;
			wr_verdict worse = verdict_of(d, lose);
			if (wr_verdict_rank(better) <= wr_verdict_rank(worse)) continue;
			wr_put(why, size, "it would move traffic from %s (%s) to %s (%s), the worse side", lose,
			       wr_verdict_name(worse), gain, wr_verdict_name(better));
			return false;
		}
	}
	return true;
}

/* ---- law 6 ---- */

static bool fence_allows(const wr_decision *d, const wr_op *op, size_t index, const step_view *v,
                         bool undo, char *why, size_t size)
{
	char missing[200];
	bool acts = v->guarded || v->kind == WR_STEP_MANUAL;
	if (undo && v->phase == WR_PHASE_FENCE) {
		int promoted = wr_still_promoted(op);
		if (promoted < 0) return true;
		wr_put(why, size,
		       "%s is not undone: lifting %s could leave two primaries; two people can rule skip "
		       "on it",
		       wr_op_step_name(op, (size_t)promoted), v->name);
		return false;
	}
	if (undo || !acts || v->phase != WR_PHASE_PROMOTE ||
	    wr_fence_proved(d, op, index, missing, sizeof missing))
		return true;
	wr_put(why, size, "%s waits: %s; two people can rule on the fence by name", v->name, missing);
	return false;
}

/* ---- approvals and guards ---- */

static bool approvals_hold(const wr_decision *d, const wr_op *op, bool undo, char *why, size_t size)
{
	wr_quorum q;
	if (undo)
		wr_quorum_back(&q, d->cfg, op);
	else
		wr_quorum_eval(&q, d->cfg, op, d->now_us + WR_APPROVAL_MARGIN_US);
	if (q.met) return true;
	wr_put(why, size, "approvals %s: approve again (%zu of %zu stand; missing %s)",
	       undo ? "are no quorum" : "ran out", q.have, q.need, q.missing);
	return false;
}

static bool guards_hold(const wr_decision *d, const wr_op *op, char *why, size_t size)
{
	wr_guards g;
	int from = wr_region_index(d->cfg, op->from), to = wr_region_index(d->cfg, op->to);
	if (from < 0 || to < 0) {
		wr_put(why, size, "its regions are not in the configuration any more");
		return false;
	}
	wr_guards_eval(&g, d->s, d->w, op->kind, (size_t)from, (size_t)to, op->group, op, d->now_us);
	for (size_t i = 0; i < g.count; i++) {
		const wr_guard *row = &g.rows[i];
		if (!row->blocking || row->verdict == WR_PASS || !wr_guard_while_running(row->rule))
			continue;
		wr_put(why, size, "%s %s: %s; needs %s", row->rule, wr_gate_verdict_name(row->verdict),
		       row->observed, row->threshold);
		return false;
	}
	return true;
}

const char *wr_check_begin(const wr_decision *d, const wr_op *op, size_t index, const step_view *v,
                           bool undo, char *why, size_t size)
{
	if (!undo && v->guarded && wr_drifted(d, op)) {
		wr_put(why, size, "the configuration changed: the plan would be another one now");
		return HOLD_DRIFT;
	}
	if (v->guarded && !approvals_hold(d, op, undo, why, size)) return HOLD_APPROVALS;
	if (!undo && v->guarded && !guards_hold(d, op, why, size)) return HOLD_GUARD;
	if (!fence_allows(d, op, index, v, undo, why, size)) return HOLD_FENCE;
	if (v->kind == WR_STEP_TRAFFIC && !traffic_allowed(d, op, v->action, why, size))
		return HOLD_TRAFFIC;
	return NULL;
}
