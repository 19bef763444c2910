/* world.c: everything that is known about the platform, fed with samples. Pure.
 *
 * The owner feeds samples as they come and ticks; freshness, isolation and verdicts change in ticks
 * only, so that one tick sees one consistent world. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "watch/track.h"

static void *cells(size_t n, size_t size)
{
	return calloc(n > 0 ? n : 1, size);
}

static void clear_history(wr_measure *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < WR_HISTORY; k++) m[i].history[k] = NAN;
		m[i].vars = (wr_expr_vars){.latency_ms = -1, .exit_code = -1, .age_s = -1};
	}
}

static size_t region_index(const wr_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->region_count; i++)
		if (strcmp(cfg->regions[i].name, name) == 0) return i;
	return WR_NO_REGION;
}

static void set_up_signals(wr_tracked_world *tw)
{
	const wr_config *cfg = tw->w.cfg;
	for (size_t i = 0; i < cfg->signal_count; i++) {
		const wr_signal *s = &cfg->signals[i];
		wr_signal_track *t = &tw->signals[i];
		t->region =
		    s->signal_class == WR_CLASS_REFERENCE ? WR_NO_REGION : region_index(cfg, s->region);
		t->fresh_us = wr_fresh_us(s->interval_ms, s->timeout_ms, cfg->stale_after_ms);
		tw->w.signals[i].status = WR_NO_DATA;
		if (t->region != WR_NO_REGION && tw->regions[t->region].fresh_us < t->fresh_us)
			tw->regions[t->region].fresh_us = t->fresh_us;
	}
	for (size_t i = 0; i < cfg->region_count; i++) {
		wr_region_view *v = &tw->w.regions[i];
		v->verdict = WR_V_UNKNOWN;
		v->rule = "V-UNKNOWN-BLIND";
		wr_say(v->reason, sizeof v->reason, "nothing was looked at yet");
	}
}

wr_world *wr_world_new(const wr_config *cfg)
{
	WR_ASSERT(cfg->region_count <= WR_MAX_REGIONS);
	wr_tracked_world *tw = calloc(1, sizeof *tw);
	if (!tw) return NULL;
	wr_world *w = &tw->w;
	w->cfg = cfg;
	w->signals = cells(cfg->signal_count, sizeof *w->signals);
	w->regions = cells(cfg->region_count, sizeof *w->regions);
	w->links = cells(cfg->link_count, sizeof *w->links);
	w->facts = cells(cfg->fact_count, sizeof *w->facts);
	w->quotas = cells(cfg->quota_count, sizeof *w->quotas);
	w->quotas_after = cells(cfg->quota_count, sizeof *w->quotas_after);
	w->weights = cells(cfg->traffic_count, sizeof *w->weights);
	w->weights_us = cells(cfg->traffic_count, sizeof *w->weights_us);
	tw->signals = cells(cfg->signal_count, sizeof *tw->signals);
	tw->regions = cells(cfg->region_count, sizeof *tw->regions);
	if (!w->signals || !w->regions || !w->links || !w->facts || !w->quotas || !w->quotas_after ||
	    !w->weights || !w->weights_us || !tw->signals || !tw->regions) {
		wr_world_free(w);
		return NULL;
	}
	set_up_signals(tw);
	for (size_t i = 0; i < cfg->link_count; i++) {
		clear_history(&w->links[i].seconds, 1);
		clear_history(&w->links[i].bytes, 1);
		clear_history(&w->links[i].receipts, 1);
		clear_history(&w->links[i].state, 1);
		w->links[i].state_ok = WR_UNKNOWN;
	}
	clear_history(w->facts, cfg->fact_count);
	clear_history(w->quotas, cfg->quota_count);
	clear_history(w->quotas_after, cfg->quota_count);
	for (size_t i = 0; i < cfg->traffic_count; i++)
		for (size_t r = 0; r < WR_MAX_REGIONS; r++) w->weights[i][r] = -1;
	wr_say(w->ledger_reason, sizeof w->ledger_reason, "not verified yet");
	wr_say(w->isolated_reason, sizeof w->isolated_reason, "nothing was looked at yet");
	return w;
}

void wr_world_free(wr_world *w)
{
	if (!w) return;
	wr_tracked_world *tw = (wr_tracked_world *)w;
	free(w->signals);
	free(w->regions);
	free(w->links);
	free(w->facts);
	free(w->quotas);
	free(w->quotas_after);
	free(w->weights);
	free(w->weights_us);
	free(tw->signals);
	free(tw->regions);
	free(tw);
}

static double chart_value(const wr_value *v)
{
	if (v->type == WR_V_NUM) return v->num;
	if (v->type == WR_V_BOOL) return v->truth ? 1 : 0;
	return NAN;
}

static void take_measure(wr_measure *m, const wr_sample *s)
{
	m->last = s->vars.value;
	m->last_us = s->at_us;
	m->vars = s->vars;
	memcpy(m->detail, s->detail, sizeof m->detail);
	m->history[m->history_head] = chart_value(&s->vars.value);
	m->history_head = (m->history_head + 1) % WR_HISTORY;
	if (s->vars.value.type == WR_V_NONE) return;
	m->proven = s->vars.value;
	m->proven_us = s->at_us;
	memcpy(m->names, s->names, sizeof m->names);
}

static void take_state(wr_link_view *v, const wr_link *cfg, const wr_sample *s)
{
	take_measure(&v->state, s);
	v->state_ok = cfg->state_ok ? wr_expr_eval(cfg->state_ok, &s->vars) : WR_UNKNOWN;
	if (v->state_ok == WR_TRUE) v->state_ok_us = s->at_us;
}

void wr_world_feed(wr_world *w, const wr_sample *s)
{
	wr_tracked_world *tw = (wr_tracked_world *)w;
	const wr_config *cfg = w->cfg;
	size_t i = s->index, count = 0;
	switch (s->target) {
	case WR_T_SIGNAL:
		count = cfg->signal_count;
		break;
	case WR_T_LINK_SECONDS:
	case WR_T_LINK_BYTES:
	case WR_T_LINK_RECEIPTS:
	case WR_T_LINK_STATE:
		count = cfg->link_count;
		break;
	case WR_T_FACT:
		count = cfg->fact_count;
		break;
	case WR_T_QUOTA_PERCENT:
	case WR_T_QUOTA_AFTER:
		count = cfg->quota_count;
		break;
	case WR_T_WEIGHTS:
		count = cfg->traffic_count;
		break;
	}
	WR_ASSERT(i < count);
	switch (s->target) {
	case WR_T_SIGNAL:
		wr_signal_take(&w->signals[i], &tw->signals[i], &cfg->signals[i], s,
		               w->isolated && tw->signals[i].region != WR_NO_REGION);
		break;
	case WR_T_LINK_SECONDS:
		take_measure(&w->links[i].seconds, s);
		break;
	case WR_T_LINK_BYTES:
		take_measure(&w->links[i].bytes, s);
		break;
	case WR_T_LINK_RECEIPTS:
		take_measure(&w->links[i].receipts, s);
		break;
	case WR_T_LINK_STATE:
		take_state(&w->links[i], &cfg->links[i], s);
		break;
	case WR_T_FACT:
		take_measure(&w->facts[i], s);
		break;
	case WR_T_QUOTA_PERCENT:
		take_measure(&w->quotas[i], s);
		break;
	case WR_T_QUOTA_AFTER:
		take_measure(&w->quotas_after[i], s);
		break;
	case WR_T_WEIGHTS:
		memcpy(w->weights[i], s->weights, sizeof w->weights[i]);
		w->weights_us[i] = s->at_us;
		break;
	}
}

static void shift(int64_t *at_us, int64_t by_us)
{
	if (*at_us) *at_us = *at_us + by_us > 0 ? *at_us + by_us : 1;
}

static void shift_measures(wr_measure *m, size_t n, int64_t by_us)
{
	for (size_t i = 0; i < n; i++) {
		shift(&m[i].proven_us, by_us);
		shift(&m[i].last_us, by_us);
	}
}

/* follow_clock_back moves every remembered time by as much as the wall clock was set back, so that
 * ages and durations stay what they were. A clock set forward cannot be told from a process that
 * was suspended, and is handled as that: what lies between is not proven. */
static void follow_clock_back(wr_tracked_world *tw, int64_t by_us)
{
	wr_world *w = &tw->w;
	for (size_t i = 0; i < w->cfg->signal_count; i++) {
		shift(&w->signals[i].first_bad_us, by_us);
		shift(&w->signals[i].breached_since_us, by_us);
		shift(&w->signals[i].last_us, by_us);
		shift(&w->signals[i].last.at_us, by_us);
		shift(&tw->signals[i].judged_us, by_us);
	}
	for (size_t i = 0; i < w->cfg->region_count; i++) {
		shift(&w->regions[i].first_bad_us, by_us);
		shift(&w->regions[i].quorum_since_us, by_us);
		shift(&w->regions[i].since_us, by_us);
	}
	for (size_t i = 0; i < w->cfg->link_count; i++) {
		wr_link_view *v = &w->links[i];
		shift_measures(&v->seconds, 1, by_us);
		shift_measures(&v->bytes, 1, by_us);
		shift_measures(&v->receipts, 1, by_us);
		shift_measures(&v->state, 1, by_us);
		shift(&v->state_ok_us, by_us);
	}
	shift_measures(w->facts, w->cfg->fact_count, by_us);
	shift_measures(w->quotas, w->cfg->quota_count, by_us);
	shift_measures(w->quotas_after, w->cfg->quota_count, by_us);
	for (size_t i = 0; i < w->cfg->traffic_count; i++) shift(&w->weights_us[i], by_us);
}

static void tally_signal(wr_class_tally *t, const wr_signal_view *v)
{
	t->total++;
	if (v->last_us > t->last_us) t->last_us = v->last_us;
	if (v->status != WR_NO_DATA) t->fresh++;
	if (v->status == WR_BREACHED) t->breached++;
	if (!v->breached) return;
	t->latched++;
	if (t->first_bad_us == 0 || v->first_bad_us < t->first_bad_us)
		t->first_bad_us = v->first_bad_us;
}

void wr_world_tick(wr_world *w, int64_t now_us)
{
	wr_tracked_world *tw = (wr_tracked_world *)w;
	const wr_config *cfg = w->cfg;
	wr_class_tally tally[WR_MAX_REGIONS][WR_CLASS_COUNT] = {0};
	if (w->now_us && now_us < w->now_us) follow_clock_back(tw, now_us - w->now_us);
	int64_t gap_us = w->now_us && now_us > w->now_us ? now_us - w->now_us : 0;
	w->now_us = now_us;
	for (size_t i = 0; i < cfg->signal_count; i++)
		wr_signal_refresh(&w->signals[i], &tw->signals[i], now_us);
	bool seeing = wr_isolation_judge(tw);
	for (size_t i = 0; i < cfg->signal_count; i++)
		if (tw->signals[i].region != WR_NO_REGION)
			tally_signal(&tally[tw->signals[i].region][cfg->signals[i].signal_class],
			             &w->signals[i]);
	for (size_t r = 0; r < cfg->region_count; r++) {
		wr_judgement j = {.region = r, .classes = tally[r], .gap_us = gap_us, .seeing = seeing};
		wr_region_judge(tw, &j);
	}
}

wr_truth wr_world_fact(const wr_world *w, size_t i, int64_t now_us)
{
	WR_ASSERT(i < w->cfg->fact_count);
	const wr_fact *f = &w->cfg->facts[i];
	const wr_measure *m = &w->facts[i];
	int64_t fresh_us = wr_fresh_us(f->interval_ms, f->timeout_ms, 0);
	int64_t age_us = m->last_us ? wr_age_us(now_us, m->last_us, fresh_us) : INT64_MAX;
	if (age_us > fresh_us) return WR_UNKNOWN;
	if (!f->need) return m->last.type == WR_V_NONE ? WR_UNKNOWN : WR_TRUE;
	wr_expr_vars vars = m->vars;
	vars.age_s = age_us / 1000000;
	return wr_expr_eval(f->need, &vars);
}
