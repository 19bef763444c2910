/* plant.h: a small platform for tests of the pure part: two regions, some signals, two references.
 *
 * Every signal has a mood: 'g' good, 'b' bad, 'u' an answer that says nothing, '-' silent.
 * plant_run lets time pass, a second at a time, with a sample of each signal every five. */
#ifndef WARROOM_TEST_PLANT_H
#define WARROOM_TEST_PLANT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/watch.h"

#define PLANT_START INT64_C(1769342400000000)
#define S(n)        ((int64_t)(n)*1000000)

enum { SYN_A, SYN_B, SYN_C, MESH, SLO, EU_SYN, EU_MESH, REF_1, REF_2, PLANT_SIGNALS };
enum { US, EU, PLANT_REGIONS };

typedef struct plant {
	wr_config cfg;
	wr_region regions[PLANT_REGIONS];
	wr_signal signals[PLANT_SIGNALS];
	wr_expr *bad;
	wr_world *w;
	int64_t now;
	char mood[PLANT_SIGNALS + 1];
	int wait_s; /* until the next samples */
} plant;

static inline void plant_mood(plant *p, const char *moods)
{
	memcpy(p->mood, moods, sizeof p->mood);
}

/* plant_rebuild starts a new world, after a change of the configuration. */
static inline void plant_rebuild(plant *p)
{
	wr_world_free(p->w);
	p->w = wr_world_new(&p->cfg);
	if (!p->w) abort();
	p->now = PLANT_START;
	p->wait_s = 0;
}

static inline void plant_init(plant *p, const char *moods)
{
	static const struct {
		const char *name, *region;
		wr_class signal_class;
	} signals[PLANT_SIGNALS] = {
	    {"syn-a", "us", WR_CLASS_SYNTHETIC}, {"syn-b", "us", WR_CLASS_SYNTHETIC},
	    {"syn-c", "us", WR_CLASS_SYNTHETIC}, {"mesh", "us", WR_CLASS_MESH},
	    {"slo", "us", WR_CLASS_SLO_BURN},    {"eu-syn", "eu", WR_CLASS_SYNTHETIC},
	    {"eu-mesh", "eu", WR_CLASS_MESH},    {"ref-1", "", WR_CLASS_REFERENCE},
	    {"ref-2", "", WR_CLASS_REFERENCE},
	};
	wr_err err;
	*p = (plant){.bad = wr_expr_parse("value > 100", &err)};
	if (!p->bad) abort();
	for (size_t i = 0; i < PLANT_SIGNALS; i++)
		p->signals[i] = (wr_signal){.name = signals[i].name,
		                            .region = signals[i].region,
		                            .service = "",
		                            .observer = "bastion",
		                            .signal_class = signals[i].signal_class,
		                            .interval_ms = 5000,
		                            .timeout_ms = 2000,
		                            .breach_after = 3,
		                            .clear_after = 2,
		                            .breach_when = p->bad};
	p->regions[US] = (wr_region){.name = "us", .role = WR_PRIMARY};
	p->regions[EU] = (wr_region){.name = "eu", .role = WR_STANDBY};
	p->cfg = (wr_config){.min_classes = 2,
	                     .sustained_ms = 300000,
	                     .regions = p->regions,
	                     .region_count = PLANT_REGIONS,
	                     .signals = p->signals,
	                     .signal_count = PLANT_SIGNALS};
	plant_mood(p, moods);
	plant_rebuild(p);
}

static inline void plant_free(plant *p)
{
	wr_world_free(p->w);
	wr_expr_free(p->bad);
}

/* plant_feed gives one sample of that mood, taken now. */
static inline void plant_feed(plant *p, size_t signal, char mood)
{
	if (mood == '-' || signal >= p->cfg.signal_count) return;
	wr_sample s = {.target = WR_T_SIGNAL, .index = signal, .at_us = p->now};
	s.vars = (wr_expr_vars){.status = 200, .latency_ms = 10, .exit_code = -1};
	if (mood != 'u') s.vars.value = (wr_value){.type = WR_V_NUM, .num = mood == 'b' ? 200 : 1};
	(void)snprintf(s.detail, sizeof s.detail, "saw %c", mood);
	wr_world_feed(p->w, &s);
}

static inline void plant_tick(plant *p)
{
	wr_world_tick(p->w, p->now);
}

static inline void plant_run(plant *p, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		p->now += S(1);
		if (p->wait_s == 0) {
			p->wait_s = 5;
			for (size_t k = 0; k < PLANT_SIGNALS; k++) plant_feed(p, k, p->mood[k]);
		}
		p->wait_s--;
		plant_tick(p);
	}
}

#endif
