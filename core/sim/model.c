/* model.c: the life of a simulated platform: making one, and its tick. Pure; see model.h. */
#include "sim/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/state.h"
#include "warroom/text.h"

#define HISTORY_RECEIPTS                                                                           \
	1000 /* written before virtual time 0, so that there is a past to verify                       \
	      */
#define HISTORY_STEP_MS  50
#define CONFIG_EVERY_MS  90000 /* somebody changes the configuration */
#define RECEIPT_TEXT_MAX 2048

const char *wr_sim_reason_name(int reason)
{
	static const char *const names[] = {
#define X(id, name) [WR_SIM_R_##id] = name,
	    WR_SIM_REASONS(X)
#undef X
	};
	WR_ASSERT(reason >= 0 && reason < WR_SIM_R_COUNT);
	return names[reason];
}

const char *wr_sim_role_name(wr_sim_role r)
{
	static const char *const names[] = {
#define X(id, name) [WR_SIM_##id] = name,
	    WR_SIM_ROLES(X)
#undef X
	};
	return names[r];
}

int64_t wr_sim_take(int64_t *carry, int64_t amount, int64_t unit)
{
	WR_ASSERT(unit > 0 && amount >= 0 && *carry >= 0);
	*carry += amount;
	int64_t whole = *carry / unit;
	*carry %= unit;
	return whole;
}

static int init_desk(wr_sim_desk *d)
{
	d->kept = calloc(WR_SIM_KEYS_MAX, sizeof *d->kept);
	return d->kept == NULL ? -1 : 0;
}

static int init_region(wr_sim *s, int i)
{
	wr_sim_region *r = &s->regions[i];
	memcpy(r->name, s->cfg.regions[i], sizeof r->name);
	r->up = true;
	r->weight = i == 0 ? 100 : 0;
	r->target_percent = i == 0 ? 100 : WR_SIM_STANDBY_PERCENT;
	r->ready_milli = wr_sim_replicas_target(r) * 1000;
	r->config_version = 1;
	r->p50_us = WR_SIM_P50_US;
	r->p95_us = 3 * WR_SIM_P50_US;
	r->ok_mrps = s->cfg.base_rps * 10 * r->weight;
	if (init_desk(&r->desk) != 0 || wr_sim_chain_init(&r->chain) != 0) return -1;
	return 0;
}

static void write_history(wr_sim *s)
{
	for (int i = 0; i < HISTORY_RECEIPTS; i++)
		wr_sim_chain_write(s, 0, 1, (int64_t)(i - HISTORY_RECEIPTS) * HISTORY_STEP_MS);
	for (int i = 1; i < s->cfg.region_count; i++) wr_sim_chain_copy(s, i, 0);
}

wr_sim *wr_sim_new(const wr_sim_config *cfg, wr_err *err)
{
	WR_ASSERT(cfg->region_count >= WR_SIM_REGIONS_MIN && cfg->region_count <= WR_SIM_REGIONS_MAX);
	WR_ASSERT(cfg->link_count >= 1 && cfg->link_count <= WR_SIM_LINKS_MAX);
	wr_sim *s = calloc(1, sizeof *s);
	if (s == NULL) goto nomem;
	s->cfg = *cfg;
	s->prng.state = wr_sim_mix(cfg->seed);
	s->next_fault_id = 1;
	s->config_version = 1;
	wr_buf_init(&s->scratch, RECEIPT_TEXT_MAX);
	if (init_desk(&s->provider) != 0) goto nomem;
	for (int i = 0; i < cfg->region_count; i++)
		if (init_region(s, i) != 0) goto nomem;
	for (int i = 0; i < cfg->link_count; i++) {
		s->links[i].log = calloc(WR_SIM_LOG_TICKS, sizeof *s->links[i].log);
		if (s->links[i].log == NULL) goto nomem;
	}
	write_history(s);
	wr_sim_repl_init(s);
	wr_sim_faults_derive(s);
	return s;
nomem:
	wr_sim_free(s);
	(void)wr_fail(err, WR_E_NOMEM, "the simulated platform needs more memory than there is");
	return NULL;
}

void wr_sim_free(wr_sim *s)
{
	if (s == NULL) return;
	for (int i = 0; i < WR_SIM_REGIONS_MAX; i++) {
		free(s->regions[i].desk.kept);
		wr_sim_chain_free(&s->regions[i].chain);
	}
	for (int i = 0; i < WR_SIM_LINKS_MAX; i++) free(s->links[i].log);
	free(s->provider.kept);
	wr_buf_free(&s->scratch);
	free(s);
}

/* A region takes over the newest configuration unless it is frozen, down or cut off from all
 * others: what it then runs is drift, and shows. */
static void config_tick(wr_sim *s)
{
	if (s->now_ms % CONFIG_EVERY_MS == 0) {
		bool frozen = false;
		for (int i = 0; i < s->cfg.region_count; i++) frozen |= s->regions[i].frozen;
		if (!frozen) s->config_version++;
	}
	for (int i = 0; i < s->cfg.region_count; i++) {
		bool linked = false;
		for (int j = 0; j < s->cfg.region_count; j++) linked |= j != i && !s->cut[i][j];
		if (s->regions[i].up && linked) s->regions[i].config_version = s->config_version;
	}
}

static void check_invariants(const wr_sim *s)
{
	int sum = 0;
	for (int i = 0; i < s->cfg.region_count; i++) sum += s->regions[i].weight;
	WR_ASSERT(sum == 100);
	for (int l = 0; l < s->cfg.link_count; l++) {
		int primaries = 0;
		for (int i = 0; i < s->cfg.region_count; i++)
			primaries += s->links[l].nodes[i].role == WR_SIM_PRIMARY;
		WR_ASSERT(primaries <= 1);
	}
}

void wr_sim_step(wr_sim *s, int64_t dt_ms)
{
	WR_ASSERT(dt_ms >= 0);
	s->carry_ms += dt_ms;
	while (s->carry_ms >= WR_SIM_TICK_MS) {
		s->carry_ms -= WR_SIM_TICK_MS;
		s->now_ms += WR_SIM_TICK_MS;
		wr_sim_faults_tick(s);
		config_tick(s);
		wr_sim_load_tick(s);
		wr_sim_repl_tick(s);
		check_invariants(s);
	}
}

int64_t wr_sim_now_ms(const wr_sim *s)
{
	return s->now_ms;
}

int wr_sim_region_count(const wr_sim *s)
{
	return s->cfg.region_count;
}

const char *wr_sim_region_name(const wr_sim *s, int region)
{
	WR_ASSERT(region >= 0 && region < s->cfg.region_count);
	return s->regions[region].name;
}

int wr_sim_find_region(const wr_sim *s, const char *name)
{
	for (int i = 0; i < s->cfg.region_count; i++)
		if (strcmp(s->regions[i].name, name) == 0) return i;
	return WR_SIM_NONE;
}

int wr_sim_find_link(const wr_sim *s, const char *name)
{
	for (int i = 0; i < s->cfg.link_count; i++)
		if (strcmp(s->links[i].spec.name, name) == 0) return i;
	return WR_SIM_NONE;
}

wr_sim_role wr_sim_region_role(const wr_sim *s, int region)
{
	return s->links[0].nodes[region].role;
}

wr_sim_reach wr_sim_region_reach(const wr_sim *s, int region)
{
	const wr_sim_region *r = &s->regions[region];
	if (r->observer_cut) return WR_SIM_CLOSED;
	if (r->up) return WR_SIM_OPEN;
	return r->blackhole ? WR_SIM_BLACKHOLE : WR_SIM_CLOSED;
}

bool wr_sim_observer_cut(const wr_sim *s)
{
	for (int i = 0; i < s->cfg.region_count; i++)
		if (!s->regions[i].observer_cut) return false;
	return true;
}

bool wr_sim_request_fails(const wr_sim *s, int region, uint64_t nonce)
{
	uint64_t draw = wr_sim_mix2(s->cfg.seed ^ (uint64_t)region << 56, nonce) % 100;
	return (int64_t)draw < s->regions[region].brownout_percent;
}

int64_t wr_sim_request_delay_ms(const wr_sim *s, int region)
{
	const wr_sim_region *r = &s->regions[region];
	return r->brownout_percent > 0 ? r->p50_us / 1000 : 0;
}

void wr_sim_deliver(wr_sim *s, const char *text)
{
	wr_sim_message *m = &s->inbox[s->message_count % WR_SIM_MESSAGES_KEPT];
	s->message_count++;
	m->at_ms = s->now_ms;
	(void)wr_sanitise_to(m->text, sizeof m->text, text);
}
