/* verdict.c: what is concluded about a region from the classes of its signals. Pure.
 *
 * The unit is the class, not the signal: breached when at least half of its fresh signals are,
 * clear when it has fresh ones and is not breached, blind when it has none. Two signals of one
 * class share their way of being wrong, so only distinct classes make a quorum.
 *
 * The quorum's clock counts proven time only. It starts at the tick that finds min_classes
 * breached, and ends as soon as one of them clears. It stands still while its classes are blind,
 * while no reference answers, and for the part of a gap between two ticks that no sample covers (a
 * suspended process, a clock set forward). Isolation ends it: on return everything is proven anew.
 */
#include <string.h>

#include "warroom/text.h"
#include "watch/track.h"

#define TEXT_MAX 1024

const char *wr_verdict_name(wr_verdict v)
{
	static const char *const names[] = {
#define X(id) #id,
	    WR_VERDICTS(X)
#undef X
	};
	WR_ASSERT((unsigned)v < WR_V_COUNT);
	return names[v];
}

int wr_verdict_parse(const char *s, wr_verdict *out)
{
	for (unsigned v = 0; v < WR_V_COUNT; v++) {
		if (strcmp(s, wr_verdict_name((wr_verdict)v)) != 0) continue;
		*out = (wr_verdict)v;
		return 0;
	}
	return -1;
}

typedef struct findings {
	unsigned breached, clear, blind; /* masks of classes; every configured class is in one */
	unsigned held;                   /* blind, and breached when last judged */
	unsigned configured, need;       /* numbers of classes */
	bool any_breached;               /* a fresh signal is, of whatever class */
	int64_t first_bad_us, last_us;
} findings;

static unsigned count(unsigned mask)
{
	return (unsigned)__builtin_popcount(mask);
}

static int64_t earlier(int64_t a, int64_t b)
{
	if (a == 0 || b == 0) return a + b;
	return a < b ? a : b;
}

static findings find(const wr_world *w, const wr_class_tally *classes)
{
	findings f = {0};
	for (unsigned c = 0; c < WR_CLASS_COUNT; c++) {
		const wr_class_tally *t = &classes[c];
		unsigned bit = 1u << c;
		if (t->total == 0) continue;
		f.configured++;
		if (t->last_us > f.last_us) f.last_us = t->last_us;
		if (t->fresh == 0) {
			f.blind |= bit;
			if (t->latched * 2 >= t->total) f.held |= bit;
		} else if (t->breached * 2 >= t->fresh && t->breached > 0) {
			f.breached |= bit;
		} else {
			f.clear |= bit;
		}
		if (t->breached > 0) f.any_breached = true;
		if ((f.breached | f.held) & bit) f.first_bad_us = earlier(f.first_bad_us, t->first_bad_us);
	}
	unsigned min = w->cfg->min_classes > 1 ? (unsigned)w->cfg->min_classes : 1;
	f.need = min < f.configured ? min : f.configured;
	return f;
}

/* A class list with the signals that are breached (or were, when blind): "mesh (m1, m2), slo_burn".
 */
static void say_classes(char *out, const wr_tracked_world *tw, size_t region, unsigned mask,
                        bool with_signals)
{
	const wr_config *cfg = tw->w.cfg;
	const char *comma = "";
	for (unsigned c = 0; c < WR_CLASS_COUNT; c++) {
		if (!(mask & 1u << c)) continue;
		wr_say(out, TEXT_MAX, "%s%s", comma, wr_class_name((wr_class)c));
		comma = ", ";
		const char *open = " (";
		for (size_t i = 0; with_signals && i < cfg->signal_count; i++) {
			if (tw->signals[i].region != region || cfg->signals[i].signal_class != (wr_class)c ||
			    !tw->w.signals[i].breached)
				continue;
			wr_say(out, TEXT_MAX, "%s%s", open, cfg->signals[i].name);
			open = ", ";
		}
		if (open[0] == ',') wr_say(out, TEXT_MAX, ")");
	}
}

static void say_duration(char *out, const char *before, int64_t ms)
{
	char text[16];
	wr_duration_format(text, sizeof text, ms > 0 ? ms : 0);
	wr_say(out, TEXT_MAX, "%s%s", before, text);
}

static void say_quorum(char *out, const wr_tracked_world *tw, const wr_judgement *j,
                       const findings *f, bool running)
{
	const wr_region_view *v = &tw->w.regions[j->region];
	int64_t elapsed_ms = (tw->w.now_us - v->quorum_since_us) / 1000;
	say_classes(out, tw, j->region, f->breached | (f->held & tw->regions[j->region].quorum_classes),
	            true);
	say_duration(out, " breached for ", elapsed_ms);
	say_duration(out, " of ", tw->w.cfg->sustained_ms);
	if (running) return;
	if (f->held) {
		wr_say(out, TEXT_MAX, "; the clock stands: blind now: ");
		say_classes(out, tw, j->region, f->held, false);
	}
	if (!j->seeing) wr_say(out, TEXT_MAX, "; the clock stands: no reference answers");
}

static void say_degraded(char *out, const wr_tracked_world *tw, const wr_judgement *j,
                         const findings *f)
{
	if (f->breached) {
		say_classes(out, tw, j->region, f->breached, true);
		wr_say(out, TEXT_MAX, " breached");
		if (count(f->breached) < (unsigned)tw->w.cfg->min_classes)
			wr_say(out, TEXT_MAX, "; %d classes are needed for more", tw->w.cfg->min_classes);
		else if (!j->seeing)
			wr_say(out, TEXT_MAX, "; but no reference answers, it may be us");
	} else if (f->any_breached) {
		unsigned minority = 0;
		for (unsigned c = 0; c < WR_CLASS_COUNT; c++)
			if (j->classes[c].breached) minority |= 1u << c;
		wr_say(out, TEXT_MAX, "fewer than half of the signals breached in ");
		say_classes(out, tw, j->region, minority, true);
	}
	if (!f->held) return;
	wr_say(out, TEXT_MAX, "%s", out[0] ? "; " : "");
	say_classes(out, tw, j->region, f->held, true);
	wr_say(out, TEXT_MAX, " breached when last seen, blind now");
}

static void say_seen(char *out, const wr_tracked_world *tw, const wr_judgement *j,
                     const findings *f)
{
	if (f->configured == 0) {
		wr_say(out, TEXT_MAX, "no signals are configured for this region");
		return;
	}
	if (f->clear == 0 && f->last_us == 0) {
		wr_say(out, TEXT_MAX, "no sample yet from any of %u classes", f->configured);
		return;
	}
	if (f->clear == 0) {
		wr_say(out, TEXT_MAX, "no conclusive data from any of %u classes", f->configured);
		say_duration(out, ", last sample ", (tw->w.now_us - f->last_us) / 1000);
		wr_say(out, TEXT_MAX, " ago");
		if (!f->held) return;
		wr_say(out, TEXT_MAX, "; breached when last seen: ");
		say_classes(out, tw, j->region, f->held, true);
		return;
	}
	if (count(f->clear) < f->need)
		wr_say(out, TEXT_MAX, "%u of %u needed classes seen: ", count(f->clear), f->need);
	say_classes(out, tw, j->region, f->clear, false);
	wr_say(out, TEXT_MAX, " clear");
	if (!f->blind) return;
	wr_say(out, TEXT_MAX, "; blind: ");
	say_classes(out, tw, j->region, f->blind, false);
}

/* run_clock brings quorum_since_us up to date; returns whether the clock runs right now. */
static bool run_clock(wr_tracked_world *tw, const wr_judgement *j, const findings *f)
{
	wr_region_view *v = &tw->w.regions[j->region];
	wr_region_track *t = &tw->regions[j->region];
	unsigned min = tw->w.cfg->min_classes > 1 ? (unsigned)tw->w.cfg->min_classes : 1;
	bool running = !tw->w.isolated && j->seeing && count(f->breached) >= min;
	bool standing = !running && !tw->w.isolated && v->quorum_since_us &&
	                count(f->breached | (f->held & t->quorum_classes)) >= min;
	if (!running && !standing) {
		v->quorum_since_us = 0;
		t->quorum_classes = 0;
		return false;
	}
	if (v->quorum_since_us == 0) {
		v->quorum_since_us = tw->w.now_us;
	} else {
		int64_t proven_us = standing ? 0 : t->fresh_us;
		if (j->gap_us > proven_us) v->quorum_since_us += j->gap_us - proven_us;
	}
	t->quorum_classes |= f->breached;
	return running;
}

typedef struct conclusion {
	wr_verdict verdict;
	const char *rule;
	char text[TEXT_MAX];
} conclusion;

static void conclude(wr_tracked_world *tw, const wr_judgement *j, const findings *f, bool running,
                     conclusion *out)
{
	wr_region_view *v = &tw->w.regions[j->region];
	if (tw->w.isolated) {
		out->verdict = WR_V_UNKNOWN;
		out->rule = "V-UNKNOWN-ISOLATED";
		wr_say(out->text, TEXT_MAX, "the observer is isolated: %s", tw->w.isolated_reason);
	} else if (v->quorum_since_us) {
		bool sustained = tw->w.now_us - v->quorum_since_us >= tw->w.cfg->sustained_ms * 1000;
		if (sustained && (running || v->verdict == WR_V_DOWN)) {
			out->verdict = WR_V_DOWN;
			out->rule = running ? "V-DOWN" : "V-DOWN-HELD";
		} else {
			out->verdict = WR_V_SUSPECT;
			out->rule = running ? "V-SUSPECT" : "V-SUSPECT-HELD";
		}
		say_quorum(out->text, tw, j, f, running);
	} else if (!(f->breached | f->clear)) {
		out->verdict = WR_V_UNKNOWN;
		out->rule = "V-UNKNOWN-BLIND";
		say_seen(out->text, tw, j, f);
	} else if (f->any_breached || f->held) {
		out->verdict = WR_V_DEGRADED;
		out->rule = f->any_breached ? "V-DEGRADED" : "V-DEGRADED-HELD";
		say_degraded(out->text, tw, j, f);
	} else if (count(f->clear) < f->need) {
		out->verdict = WR_V_UNKNOWN;
		out->rule = "V-UNKNOWN-PARTIAL";
		say_seen(out->text, tw, j, f);
	} else {
		out->verdict = WR_V_HEALTHY;
		out->rule = "V-HEALTHY";
		say_seen(out->text, tw, j, f);
	}
}

void wr_region_judge(wr_tracked_world *tw, const wr_judgement *j)
{
	wr_region_view *v = &tw->w.regions[j->region];
	findings f = find(&tw->w, j->classes);
	bool running = run_clock(tw, j, &f);
	conclusion c = {.text = ""};
	conclude(tw, j, &f, running, &c);
	if (v->since_us == 0 || v->verdict != c.verdict) v->since_us = tw->w.now_us;
	v->verdict = c.verdict;
	v->rule = c.rule;
	(void)wr_sanitise_to(v->reason, sizeof v->reason, c.text);
	v->breached_classes = f.breached;
	v->clear_classes = f.clear;
	v->blind_classes = f.blind;
	v->first_bad_us = f.first_bad_us;
}
