/* signal.c: one signal: hysteresis, freshness and history. Pure.
 *
 * A sample is bad, good or says nothing (breach_when is UNKNOWN). "Consecutive" means with no
 * opposite sample between and no hole longer than the freshness window: a sample that says nothing
 * neither counts nor interrupts, or a target that answers every other probe would never breach. */
#include "watch/track.h"

#include <stdarg.h>
#include <string.h>

#include <stdio.h>

#define US_PER_MS 1000

enum { SEEN_NONE, SEEN_GOOD, SEEN_BAD, SEEN_UNKNOWN }; /* wr_signal_view.history */

int64_t wr_fresh_us(int64_t interval_ms, int64_t timeout_ms, int64_t stale_after_ms)
{
	int64_t ms = 3 * interval_ms, slowest = 2 * interval_ms + timeout_ms;
	if (slowest > ms) ms = slowest;
	if (stale_after_ms > ms) ms = stale_after_ms;
	return ms * US_PER_MS;
}

int64_t wr_age_us(int64_t now_us, int64_t at_us, int64_t fresh_us)
{
	int64_t age = now_us - at_us;
	if (age >= 0) return age;
	return -age <= fresh_us ? 0 : INT64_MAX;
}

static void remember(wr_signal_view *v, unsigned char seen)
{
	v->history[v->history_head] = seen;
	v->history_head = (v->history_head + 1) % WR_HISTORY;
}

static void after_hole(wr_signal_view *v, wr_signal_track *t)
{
	v->bad_streak = v->good_streak = 0;
	if (v->breached) return;
	v->first_bad_us = 0;
	t->settled = false;
}

static void take_bad(wr_signal_view *v, wr_signal_track *t, const wr_signal *cfg, int64_t at_us)
{
	v->good_streak = 0;
	if (v->bad_streak < INT32_MAX) v->bad_streak++;
	if (v->first_bad_us == 0) v->first_bad_us = at_us;
	if (v->breached || v->bad_streak < cfg->breach_after) return;
	v->breached = true;
	v->breached_since_us = at_us;
	t->settled = true;
}

static void take_good(wr_signal_view *v, wr_signal_track *t, const wr_signal *cfg)
{
	v->bad_streak = 0;
	if (v->good_streak < INT32_MAX) v->good_streak++;
	t->settled = true;
	if (v->breached && v->good_streak < cfg->clear_after) return;
	v->breached = false;
	v->breached_since_us = 0;
	v->first_bad_us = 0;
}

void wr_signal_take(wr_signal_view *v, wr_signal_track *t, const wr_signal *cfg, const wr_sample *s,
                    bool distrust)
{
	wr_truth bad = wr_expr_eval(cfg->breach_when, &s->vars);
	v->last = *s;
	v->last_us = s->at_us;
	v->samples++;
	if (bad == WR_TRUE) v->bad_samples++;
	if (bad == WR_UNKNOWN || (bad == WR_TRUE && distrust)) {
		v->mute_samples++;
		remember(v, SEEN_UNKNOWN);
		return;
	}
	if (t->judged_us && s->at_us - t->judged_us > t->fresh_us) after_hole(v, t);
	t->judged_us = s->at_us;
	t->last_good = bad == WR_FALSE;
	remember(v, t->last_good ? SEEN_GOOD : SEEN_BAD);
	if (t->last_good)
		take_good(v, t, cfg);
	else
		take_bad(v, t, cfg, s->at_us);
}

void wr_signal_refresh(wr_signal_view *v, const wr_signal_track *t, int64_t now_us)
{
	if (!t->judged_us || !t->settled || wr_age_us(now_us, t->judged_us, t->fresh_us) > t->fresh_us)
		v->status = WR_NO_DATA;
	else
		v->status = v->breached ? WR_BREACHED : WR_CLEAR;
}

void wr_signal_forget(wr_signal_view *v, wr_signal_track *t)
{
	if (!v->breached && v->bad_streak == 0) return;
	v->breached = false;
	v->bad_streak = v->good_streak = 0;
	v->first_bad_us = v->breached_since_us = 0;
	t->judged_us = 0;
	t->settled = false;
}

void wr_say(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	WR_ASSERT(len < size);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(out + len, size - len, fmt, ap);
	va_end(ap);
}
