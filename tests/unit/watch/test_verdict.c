/* test_verdict.c: signals, isolation and verdicts: each rule, its edges, and what must never be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plant.h"
#include "watch/track.h"

#define GOOD "ggggggggg"

static void expect_(const plant *p, size_t region, wr_verdict verdict, const char *rule,
                    const char *reason, int line)
{
	const wr_region_view *v = &p->w->regions[region];
	if (v->verdict != verdict || strcmp(v->rule, rule) != 0 || !strstr(v->reason, reason))
		fail_msg("line %d: %s %s \"%s\", not %s %s \"%s\"", line, wr_verdict_name(v->verdict),
		         v->rule, v->reason, wr_verdict_name(verdict), rule, reason);
}
#define expect(p, region, verdict, rule, reason)                                                   \
	expect_(p, region, WR_V_##verdict, rule, reason, __LINE__)

static int set_up(void **state)
{
	static plant p;
	plant_init(&p, GOOD);
	*state = &p;
	return 0;
}

static int tear_down(void **state)
{
	plant_free(*state);
	return 0;
}

static void names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WR_V_COUNT; i++) {
		wr_verdict v;
		assert_int_equal(wr_verdict_parse(wr_verdict_name((wr_verdict)i), &v), 0);
		assert_int_equal(v, i);
	}
	wr_verdict v;
	assert_int_equal(wr_verdict_parse("FINE", &v), -1);
	assert_int_equal(wr_verdict_parse("", &v), -1);
}

/* ---- one signal ---- */

static const wr_signal_view *feed(plant *p, const char *moods)
{
	for (; *moods; moods++) {
		p->now += S(5);
		plant_feed(p, SYN_A, *moods);
	}
	plant_tick(p);
	return &p->w->signals[SYN_A];
}

static void breaches_after_three(void **state)
{
	plant *p = *state;
	assert_int_equal(feed(p, "g")->status, WR_CLEAR);
	int64_t first = p->now + S(5);
	assert_int_equal(feed(p, "bb")->status, WR_CLEAR);
	const wr_signal_view *v = feed(p, "b");
	assert_int_equal(v->status, WR_BREACHED);
	assert_int_equal(v->first_bad_us, first);
	assert_int_equal(v->breached_since_us, first + S(10));
	assert_int_equal(v->bad_streak, 3);
	assert_int_equal(v->bad_samples, 3);
	assert_int_equal(v->samples, 4);
}

/* What says neither good nor bad is a sample, but no evidence. */
static void mute_samples_are_counted(void **state)
{
	plant *p = *state;
	const wr_signal_view *v = feed(p, "ggubu");
	assert_int_equal(v->samples, 5);
	assert_int_equal(v->mute_samples, 2);
	assert_int_equal(v->bad_samples, 1);
}

static void good_between_starts_over(void **state)
{
	plant *p = *state;
	assert_int_equal(feed(p, "gbbgbb")->status, WR_CLEAR);
	assert_int_equal(feed(p, "b")->status, WR_BREACHED);
	assert_int_equal(p->w->signals[SYN_A].first_bad_us, p->now - S(10));
}

static void clears_after_two(void **state)
{
	plant *p = *state;
	assert_int_equal(feed(p, "gbbbg")->status, WR_BREACHED);
	assert_int_equal(feed(p, "bg")->status, WR_BREACHED);
	int64_t first = p->w->signals[SYN_A].first_bad_us;
	assert_int_equal(first, PLANT_START + S(10)); /* one good sample does not end the bad run */
	const wr_signal_view *v = feed(p, "g");
	assert_int_equal(v->status, WR_CLEAR);
	assert_int_equal(v->first_bad_us, 0);
	assert_int_equal(v->breached_since_us, 0);
}

static void silence_is_no_evidence(void **state)
{
	plant *p = *state;
	assert_int_equal(feed(p, "gbubu")->status, WR_CLEAR);
	assert_int_equal(feed(p, "b")->status, WR_BREACHED); /* three bad ones, none good between */
	assert_int_equal(feed(p, "gug")->status, WR_CLEAR);
	/* answers that say nothing keep nothing fresh */
	assert_int_equal(feed(p, "uuu")->status, WR_CLEAR);
	assert_int_equal(feed(p, "u")->status, WR_NO_DATA);
}

static void not_judged_before_enough(void **state)
{
	plant *p = *state;
	assert_int_equal(feed(p, "b")->status, WR_NO_DATA);
	assert_int_equal(feed(p, "b")->status, WR_NO_DATA);
	assert_int_equal(feed(p, "b")->status, WR_BREACHED);
}

static void a_hole_ends_a_streak(void **state)
{
	plant *p = *state;
	(void)feed(p, "gbb");
	p->now += S(60);
	assert_int_equal(feed(p, "b")->status, WR_NO_DATA);
	assert_int_equal(p->w->signals[SYN_A].bad_streak, 1);
	assert_int_equal(p->w->signals[SYN_A].first_bad_us, p->now);
	(void)feed(p, "bb");
	p->now += S(60);
	/* but a breach is not forgotten by not looking */
	assert_int_equal(feed(p, "g")->status, WR_BREACHED);
	assert_int_equal(feed(p, "g")->status, WR_CLEAR);
}

static void stale_at_the_edge(void **state)
{
	plant *p = *state;
	(void)feed(p, "g");
	p->now += S(15);
	plant_tick(p);
	assert_int_equal(p->w->signals[SYN_A].status, WR_CLEAR);
	p->now += 1;
	plant_tick(p);
	assert_int_equal(p->w->signals[SYN_A].status, WR_NO_DATA);
	assert_int_equal(wr_fresh_us(5000, 2000, 0), S(15));
	assert_int_equal(wr_fresh_us(5000, 2000, 60000), S(60));
	assert_int_equal(wr_fresh_us(5000, 2000, 1000), S(15));
	assert_int_equal(wr_fresh_us(1000, 10000, 0), S(12));
}

static void ages(void **state)
{
	(void)state;
	assert_int_equal(wr_age_us(100, 40, 50), 60);
	assert_int_equal(wr_age_us(100, 130, 50), 0);
	assert_true(wr_age_us(100, 151, 50) == INT64_MAX);
}

static void history_is_a_ring(void **state)
{
	plant *p = *state;
	for (int i = 0; i < WR_HISTORY; i++) (void)feed(p, "g");
	const wr_signal_view *v = feed(p, "gbu");
	assert_int_equal(v->history_head, 3);
	assert_int_equal(v->history[0], 1);
	assert_int_equal(v->history[1], 2);
	assert_int_equal(v->history[2], 3);
	assert_int_equal(v->history[3], 1);
}

/* ---- verdicts ---- */

static void verdict_table(void **state)
{
	plant *p = *state;
	static const struct {
		const char *before, *then; /* moods: syn a b c, mesh, slo, eu syn, eu mesh, references */
		int seconds;
		wr_verdict verdict;
		const char *rule, *reason;
	} rows[] = {
	    {"-------gg", GOOD, 0, WR_V_UNKNOWN, "V-UNKNOWN-BLIND", "no sample yet from any of 3"},
	    {GOOD, GOOD, 600, WR_V_HEALTHY, "V-HEALTHY", "synthetic, slo_burn, mesh clear"},
	    {GOOD, "gggg-gggg", 60, WR_V_HEALTHY, "V-HEALTHY",
	     "synthetic, mesh clear; blind: slo_burn"},
	    {GOOD, "ggguugggg", 60, WR_V_UNKNOWN, "V-UNKNOWN-PARTIAL",
	     "1 of 2 needed classes seen: synthetic clear; blind: slo_burn, mesh"},
	    {GOOD, "-----gggg", 60, WR_V_UNKNOWN, "V-UNKNOWN-BLIND",
	     "no conclusive data from any of 3"},
	    {GOOD, "gggbggggg", 60, WR_V_DEGRADED, "V-DEGRADED",
	     "mesh (mesh) breached; 2 classes are needed for more"},
	    /* many signals of one class are one class */
	    {GOOD, "bbbgggggg", 900, WR_V_DEGRADED, "V-DEGRADED", "synthetic (syn-a, syn-b, syn-c)"},
	    /* a minority is a breach, not a breached class */
	    {GOOD, "bgggggggg", 60, WR_V_DEGRADED, "V-DEGRADED",
	     "fewer than half of the signals breached in synthetic (syn-a)"},
	    {GOOD, "bggbggggg", 900, WR_V_DEGRADED, "V-DEGRADED", "mesh (mesh) breached"},
	    /* blind signals do not vote: one of two fresh ones is half */
	    {GOOD, "bg-bggggg", 60, WR_V_SUSPECT, "V-SUSPECT",
	     "synthetic (syn-a), mesh (mesh) breached"},
	    {GOOD, "bbgbggggg", 60, WR_V_SUSPECT, "V-SUSPECT",
	     "synthetic (syn-a, syn-b), mesh (mesh) breached for"},
	    {GOOD, "bbgbggggg", 320, WR_V_DOWN, "V-DOWN", " of 05:00"},
	    {GOOD, "gggbbgggg", 320, WR_V_DOWN, "V-DOWN", "slo_burn (slo), mesh (mesh)"},
	    {GOOD, "bbbb-gggg", 320, WR_V_DOWN, "V-DOWN", "synthetic"},
	    {GOOD, "bbbb-gg--", 320, WR_V_UNKNOWN, "V-UNKNOWN-ISOLATED",
	     "the observer is isolated: no"},
	    {GOOD, "bbbb-ggbb", 320, WR_V_UNKNOWN, "V-UNKNOWN-ISOLATED",
	     "none of 2 references answers: ref-1 (saw b)"},
	    {GOOD, "bbbbbggb-", 320, WR_V_UNKNOWN, "V-UNKNOWN-ISOLATED", "isolated"},
	    {GOOD, "bbbbbggbg", 320, WR_V_DOWN, "V-DOWN", "of 05:00"},
	    /* blind while breached is not healthy */
	    {"gggbggggg", "ggg-ggggg", 60, WR_V_DEGRADED, "V-DEGRADED-HELD",
	     "mesh (mesh) breached when last seen, blind now"},
	    {"gggbggggg", "ggggggggg", 60, WR_V_HEALTHY, "V-HEALTHY", "clear"},
	    {"bbbbggggg", "bbb-ggggg", 600, WR_V_SUSPECT, "V-SUSPECT-HELD",
	     "the clock stands: blind now: mesh"},
	    {"gggbggggg", "-----gggg", 600, WR_V_UNKNOWN, "V-UNKNOWN-BLIND",
	     "breached when last seen: mesh (mesh)"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		plant_rebuild(p);
		plant_mood(p, rows[i].before);
		plant_run(p, 40);
		plant_mood(p, rows[i].then);
		plant_run(p, rows[i].seconds);
		expect_(p, US, rows[i].verdict, rows[i].rule, rows[i].reason, (int)i);
	}
}

static void starts_unknown(void **state)
{
	plant *p = *state;
	assert_int_equal(p->w->regions[US].verdict, WR_V_UNKNOWN);
	plant_tick(p);
	expect(p, US, UNKNOWN, "V-UNKNOWN-BLIND", "no sample yet");
	assert_false(p->w->isolated);
	assert_false(p->w->isolation_known);
	plant_mood(p, "bbbbbbbgg");
	plant_run(p, 9); /* two samples: not enough to call it anything */
	expect(p, US, UNKNOWN, "V-UNKNOWN-BLIND", "no conclusive data");
	plant_run(p, 3);
	expect(p, US, SUSPECT, "V-SUSPECT", "breached for");
}

static void down_after_sustained_exactly(void **state)
{
	plant *p = *state;
	plant_run(p, 30);
	plant_mood(p, "bbbbggggg");
	int64_t impact = 0;
	while (p->w->regions[US].verdict != WR_V_SUSPECT) {
		plant_run(p, 1);
		if (!impact && p->w->signals[SYN_A].bad_streak == 1) impact = p->now;
	}
	const wr_region_view *v = &p->w->regions[US];
	int64_t since = p->now;
	assert_int_equal(v->quorum_since_us, since);
	assert_int_equal(v->since_us, since);
	assert_int_equal(v->first_bad_us, impact);
	plant_run(p, 130);
	expect(p, US, SUSPECT, "V-SUSPECT", "breached for 02:10 of 05:00");
	plant_run(p, 169);
	expect(p, US, SUSPECT, "V-SUSPECT", "04:59 of 05:00");
	plant_run(p, 1);
	expect(p, US, DOWN, "V-DOWN", "breached for 05:00 of 05:00");
	assert_int_equal(v->since_us, p->now);
	assert_int_equal(v->first_bad_us, impact);
	assert_int_equal(v->quorum_since_us, since);
	assert_int_equal(v->breached_classes, 1u << WR_CLASS_SYNTHETIC | 1u << WR_CLASS_MESH);
	expect(p, EU, HEALTHY, "V-HEALTHY", "clear");
	plant_mood(p, GOOD);
	plant_run(p, 30);
	expect(p, US, HEALTHY, "V-HEALTHY", "clear");
	assert_int_equal(v->quorum_since_us, 0);
	assert_int_equal(v->first_bad_us, 0);
}

static void at_once_when_nothing_to_sustain(void **state)
{
	plant *p = *state;
	p->cfg.sustained_ms = 0;
	plant_run(p, 30);
	plant_mood(p, "bbbbggggg");
	plant_run(p, 20);
	expect(p, US, DOWN, "V-DOWN", "of 0ms");
}

static void a_break_resets_the_clock(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 280);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_mood(p, "bbbgggggg");
	plant_run(p, 12);
	expect(p, US, DEGRADED, "V-DEGRADED", "synthetic");
	plant_mood(p, "bbbbggggg");
	plant_run(p, 290);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 30);
	expect(p, US, DOWN, "V-DOWN", "");
}

/* One class may hand over to another: two distinct ones all the time is what counts. */
static void classes_may_change(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 150);
	plant_mood(p, "bbbbbgggg");
	plant_run(p, 30);
	plant_mood(p, "bbbgbgggg");
	plant_run(p, 150);
	expect(p, US, DOWN, "V-DOWN", "synthetic (syn-a, syn-b, syn-c), slo_burn (slo) breached");
}

static void blindness_stops_the_clock(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 111);
	expect(p, US, SUSPECT, "V-SUSPECT", "01:40 of 05:00");
	plant_mood(p, "----ggggg");
	plant_run(p, 1000);
	expect(p, US, SUSPECT, "V-SUSPECT-HELD", "blind now: synthetic, mesh");
	const wr_region_view *v = &p->w->regions[US];
	assert_int_equal(v->breached_classes, 0);
	int64_t proven = p->now - v->quorum_since_us;
	assert_in_range(proven, S(100), S(125)); /* until the last samples went stale */
	plant_mood(p, "bbbbggggg");
	plant_run(p, 5);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 170);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 30);
	expect(p, US, DOWN, "V-DOWN", "");
}

static void down_stays_down_when_all_goes_dark(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 330);
	expect(p, US, DOWN, "V-DOWN", "");
	int64_t since = p->w->regions[US].since_us;
	plant_mood(p, "-----gggg");
	plant_run(p, 3600);
	expect(p, US, DOWN, "V-DOWN-HELD", "the clock stands: blind now");
	assert_int_equal(p->w->regions[US].since_us, since);
	plant_mood(p, GOOD);
	plant_run(p, 15);
	expect(p, US, HEALTHY, "V-HEALTHY", "");
}

/* A class that was blind all along cannot complete a quorum that never was. */
static void old_breaches_make_no_new_quorum(void **state)
{
	plant *p = *state;
	plant_mood(p, "gggbggggg");
	plant_run(p, 60);
	plant_mood(p, "ggg-ggggg");
	plant_run(p, 60);
	plant_mood(p, "bbb-ggggg");
	plant_run(p, 900);
	expect(p, US, DEGRADED, "V-DEGRADED", "mesh (mesh) breached when last seen");
	assert_int_equal(p->w->regions[US].quorum_since_us, 0);
}

/* Nor can it stand in for one that cleared. */
static void old_breaches_hold_no_quorum(void **state)
{
	plant *p = *state;
	plant_mood(p, "ggggbgggg");
	plant_run(p, 60);
	plant_mood(p, "gggg-gggg");
	plant_run(p, 20);
	plant_mood(p, "bbbb-gggg");
	plant_run(p, 60);
	expect(p, US, SUSPECT, "V-SUSPECT", "synthetic (syn-a, syn-b, syn-c), mesh (mesh) breached");
	plant_mood(p, "bbbg-gggg");
	plant_run(p, 20);
	expect(p, US, DEGRADED, "V-DEGRADED", "");
}

static void fewer_classes_than_needed(void **state)
{
	plant *p = *state;
	p->cfg.min_classes = 4;
	plant_rebuild(p);
	plant_run(p, 60);
	expect(p, US, HEALTHY, "V-HEALTHY", "");
	plant_mood(p, "bbbbbgggg");
	plant_run(p, 900);
	expect(p, US, DEGRADED, "V-DEGRADED", "4 classes are needed");
	p->cfg.signal_count = 0;
	plant_rebuild(p);
	plant_tick(p);
	expect(p, US, UNKNOWN, "V-UNKNOWN-BLIND", "no signals are configured");
}

/* ---- isolation ---- */

static void isolation_starts_everything_anew(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 250);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_mood(p, "bbbbbbbbb");
	plant_run(p, 100);
	for (size_t r = 0; r < PLANT_REGIONS; r++) {
		expect(p, r, UNKNOWN, "V-UNKNOWN-ISOLATED", "none of 2 references answers");
		assert_int_equal(p->w->regions[r].quorum_since_us, 0);
	}
	assert_true(p->w->isolated);
	assert_true(p->w->isolation_known);
	const wr_signal_view *v = &p->w->signals[SYN_A];
	assert_int_equal(v->history[(v->history_head + WR_HISTORY - 1) % WR_HISTORY], 3);
	plant_mood(p, "bbbbggggg");
	while (p->w->isolated) plant_run(p, 1);
	expect(p, EU, HEALTHY, "V-HEALTHY", ""); /* what answers is seen at once */
	expect(p, US, UNKNOWN, "V-UNKNOWN-PARTIAL", "slo_burn clear; blind: synthetic, mesh");
	plant_run(p, 15);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 280);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 25);
	expect(p, US, DOWN, "V-DOWN", "");
}

/* Both ends of the line fail at the same time: for the samples that the references need to be
 * called breached nothing may be concluded about the regions either. */
static void no_quorum_while_references_are_silent(void **state)
{
	plant *p = *state;
	p->cfg.sustained_ms = 0;
	p->signals[REF_1].breach_after = p->signals[REF_2].breach_after = 20;
	plant_rebuild(p);
	plant_run(p, 60);
	plant_mood(p, "bbbbbbbbb");
	for (int i = 0; i < 90; i++) {
		plant_run(p, 1);
		assert_int_not_equal(p->w->regions[US].verdict, WR_V_DOWN);
		assert_int_not_equal(p->w->regions[US].verdict, WR_V_SUSPECT);
	}
	expect(p, US, DEGRADED, "V-DEGRADED", "no reference answers, it may be us");
	plant_run(p, 15);
	expect(p, US, UNKNOWN, "V-UNKNOWN-ISOLATED", "");
}

static void references_pause_a_running_clock(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 100);
	int64_t proven = p->now - p->w->regions[US].quorum_since_us;
	plant_mood(p, "bbbbgggbb");
	plant_run(p, 7);
	expect(p, US, SUSPECT, "V-SUSPECT-HELD", "the clock stands: no reference answers");
	assert_in_range(p->now - p->w->regions[US].quorum_since_us, proven, proven + S(5));
	plant_mood(p, "bbbbgggbg");
	plant_run(p, 6);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
}

static void isolation_knowledge(void **state)
{
	plant *p = *state;
	plant_mood(p, "ggggggg--");
	plant_run(p, 100);
	assert_false(p->w->isolated);
	assert_false(p->w->isolation_known);
	assert_string_equal(p->w->isolated_reason, "no reference has answered yet");
	expect(p, US, HEALTHY, "V-HEALTHY", "");
	plant_mood(p, "gggggggg-");
	plant_run(p, 20);
	assert_true(p->w->isolation_known);
	assert_string_equal(p->w->isolated_reason, "1 of 2 references answer");
	plant_mood(p, "ggggggg--");
	plant_run(p, 60);
	assert_true(p->w->isolated);
	assert_false(p->w->isolation_known);
	assert_non_null(strstr(p->w->isolated_reason, "no sample of any reference for"));
	p->cfg.signal_count = REF_1;
	plant_rebuild(p);
	plant_run(p, 60);
	assert_false(p->w->isolated);
	assert_false(p->w->isolation_known);
	expect(p, US, HEALTHY, "V-HEALTHY", "");
}

/* ---- time ---- */

/* A machine that slept, or a clock set forward: samples from before and after, nothing between. */
static void a_gap_proves_nothing(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 60);
	p->now += S(3600);
	for (size_t i = 0; i < PLANT_SIGNALS; i++) plant_feed(p, i, p->mood[i]);
	plant_tick(p);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 200);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	plant_run(p, 60);
	expect(p, US, DOWN, "V-DOWN", "");
}

static void clock_set_back(void **state)
{
	plant *p = *state;
	plant_mood(p, "bbbbggggg");
	plant_run(p, 160);
	const wr_region_view *v = &p->w->regions[US];
	int64_t proven = p->now - v->quorum_since_us, impact = p->now - v->first_bad_us;
	p->now -= S(7200);
	plant_tick(p);
	expect(p, US, SUSPECT, "V-SUSPECT", "");
	assert_int_equal(p->now - v->quorum_since_us, proven);
	assert_int_equal(p->now - v->first_bad_us, impact);
	/* a late sample with a time from before the step is not fresh for two hours */
	wr_sample ahead = p->w->signals[EU_MESH].last;
	ahead.index = EU_MESH;
	ahead.at_us = p->now + S(7200);
	wr_world_feed(p->w, &ahead);
	plant_tick(p);
	assert_int_equal(p->w->signals[EU_MESH].status, WR_NO_DATA);
	plant_run(p, 10);
	assert_int_equal(p->w->signals[EU_MESH].status, WR_CLEAR);
	plant_run(p, 160);
	expect(p, US, DOWN, "V-DOWN", "");
}

/* ---- what must never be ---- */

static unsigned bits(unsigned mask)
{
	return (unsigned)__builtin_popcount(mask);
}

static void check_region(const plant *p, size_t r, int64_t *quorum_broken_us)
{
	const wr_region_view *v = &p->w->regions[r];
	unsigned breached = v->breached_classes, clear = v->clear_classes, blind = v->blind_classes;
	assert_int_equal(breached & clear, 0);
	assert_int_equal(breached & blind, 0);
	assert_int_equal(clear & blind, 0);
	if (bits(breached | blind) < 2 || p->w->isolated) *quorum_broken_us = p->now;
	if (p->w->isolated) assert_int_equal(v->verdict, WR_V_UNKNOWN);
	if (v->verdict == WR_V_DOWN || v->verdict == WR_V_SUSPECT) {
		assert_true(bits(breached | blind) >= 2);
		assert_true(v->quorum_since_us > 0 && v->quorum_since_us <= p->now);
		assert_true(v->first_bad_us > 0 && v->first_bad_us <= p->now);
	}
	if (strcmp(v->rule, "V-DOWN") == 0 || strcmp(v->rule, "V-SUSPECT") == 0)
		assert_true(bits(breached) >= 2);
	if (v->verdict == WR_V_DOWN) assert_true(p->now - *quorum_broken_us >= S(60));
	if (v->verdict == WR_V_HEALTHY) assert_true(breached == 0 && bits(clear) >= 2);
	if (v->verdict == WR_V_DEGRADED) assert_true(bits(clear | breached) >= 1);
	assert_true(v->since_us > 0 && v->since_us <= p->now);
	assert_true(v->reason[0] != '\0' && strlen(v->reason) < sizeof v->reason);
}

static void property_random_weather(void **state)
{
	plant *p = *state;
	unsigned seen = 0;
	for (unsigned seed = 1; seed <= 40; seed++) {
		unsigned random = seed * 2654435761u;
		p->cfg.sustained_ms = 60000;
		plant_rebuild(p);
		int64_t broken[PLANT_REGIONS] = {p->now, p->now};
		for (int step = 0; step < 3000; step++) {
			random = random * 1664525u + 1013904223u;
			size_t i = (random >> 8) % PLANT_SIGNALS;
			const char *moods = i >= REF_1 ? "ggggb-g" : (random >> 28) % 2 ? "bbbg-u" : "ggbb-u";
			if ((random >> 24) % 8 == 0) p->mood[i] = moods[(random >> 16) % strlen(moods)];
			plant_run(p, 1);
			for (size_t r = 0; r < PLANT_REGIONS; r++) {
				check_region(p, r, &broken[r]);
				seen |= 1u << p->w->regions[r].verdict;
			}
		}
	}
	assert_int_equal(seen, (1u << WR_V_COUNT) - 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(names),
	    T(breaches_after_three),
	    T(mute_samples_are_counted),
	    T(good_between_starts_over),
	    T(clears_after_two),
	    T(silence_is_no_evidence),
	    T(not_judged_before_enough),
	    T(a_hole_ends_a_streak),
	    T(stale_at_the_edge),
	    T(ages),
	    T(history_is_a_ring),
	    T(verdict_table),
	    T(starts_unknown),
	    T(down_after_sustained_exactly),
	    T(at_once_when_nothing_to_sustain),
	    T(a_break_resets_the_clock),
	    T(classes_may_change),
	    T(blindness_stops_the_clock),
	    T(down_stays_down_when_all_goes_dark),
	    T(old_breaches_make_no_new_quorum),
	    T(old_breaches_hold_no_quorum),
	    T(fewer_classes_than_needed),
	    T(isolation_starts_everything_anew),
	    T(no_quorum_while_references_are_silent),
	    T(references_pause_a_running_clock),
	    T(isolation_knowledge),
	    T(a_gap_proves_nothing),
	    T(clock_set_back),
	    T(property_random_weather),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
