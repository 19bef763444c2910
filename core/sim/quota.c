/* quota.c: three layers of quota: the fleet's, each action's in a region, each tenant's. Pure.
 *
 * Only what went well is debited. A tenant's use is drawn from the seed and grows with the fleet's;
 * nothing is stored for it, so ten thousand of them cost nothing. */
#include <stdio.h>

#include "sim/state.h"

#define FLEET_START_PERCENT 62
#define FLEET_LEFT_HOURS    264 /* at the usual load: eleven days */
#define CPU_LIMIT           50  /* cores a region may have … */
#define CPU_OTHERS          23  /* … of which others use so many … */
#define CPU_REPLICA         2   /* … and each of our replicas these */
#define ACTION_ROOM         130 /* percent of the whole load that one region may take */
#define HOURS_MAX           8760
#define FULLEST             2

static const int64_t action_percent[WR_SIM_ACTIONS] = {50, 30, 20};

static int64_t all_ok(const wr_sim *s)
{
	int64_t sum = 0;
	for (int i = 0; i < s->cfg.region_count; i++) sum += s->regions[i].codes[WR_SIM_C_200];
	return sum;
}

static void fill(wr_sim_quota *q, const char *layer, int64_t used, int64_t limit, int64_t burn)
{
	q->layer = layer;
	q->used = used;
	q->limit = limit;
	q->percent_milli = used * 1000 / limit * 100 + used * 1000 % limit * 100 / limit;
	q->after_milli = q->percent_milli;
	q->burn_per_hour = burn;
	q->exhaustion_milli = HOURS_MAX * 1000;
	if (used >= limit)
		q->exhaustion_milli = 0;
	else if (burn > 0 && (limit - used) / burn < HOURS_MAX)
		q->exhaustion_milli = (limit - used) * 1000 / burn;
}

static void fleet_row(const wr_sim *s, wr_sim_quota *q)
{
	int64_t left = s->cfg.base_rps * 3600 * FLEET_LEFT_HOURS;
	int64_t limit = left * 100 / (100 - FLEET_START_PERCENT);
	int64_t rate = 0;
	for (int i = 0; i < s->cfg.region_count; i++) rate += s->regions[i].ok_mrps;
	snprintf(q->name, sizeof q->name, "fleet");
	fill(q, "fleet", limit - left + all_ok(s), limit, rate * 3600 / 1000);
}

static void cpu_row(const wr_sim *s, int region, wr_sim_quota *q)
{
	const wr_sim_region *r = &s->regions[region];
	int64_t others = CPU_OTHERS, mine = wr_sim_replicas_target(r) * CPU_REPLICA;
	int64_t all = (int64_t)WR_SIM_REPLICAS_FULL * CPU_REPLICA;
	snprintf(q->name, sizeof q->name, "cpu");
	fill(q, "fleet", others + mine, CPU_LIMIT, 0);
	int64_t most = mine > all ? mine : all;
	q->after_milli = (others + most) * 100000 / CPU_LIMIT;
}

/* Calls a minute, which refill: such a quota is never used up, only reached. */
static void action_row(const wr_sim *s, int region, int action, wr_sim_quota *q)
{
	int64_t share = action_percent[action];
	int64_t limit = s->cfg.base_rps * 60 * share * ACTION_ROOM / 10000;
	int64_t used = s->regions[region].ok_mrps * 60 * share / 100000;
	snprintf(q->name, sizeof q->name, "%s", s->cfg.actions[action]);
	fill(q, "action", used, limit, used * 60);
	if (used < limit) q->exhaustion_milli = HOURS_MAX * 1000;
	q->after_milli = s->load_mrps * 60 * share / limit;
	if (q->after_milli < q->percent_milli) q->after_milli = q->percent_milli;
}

int64_t wr_sim_tenant_used(const wr_sim *s, int64_t tenant, int action)
{
	uint64_t who = (uint64_t)tenant * WR_SIM_ACTIONS + (uint64_t)action;
	uint64_t draw = wr_sim_mix2(s->cfg.seed ^ UINT64_C(0x7e4a47), who);
	int64_t base = 500 + (int64_t)(draw % 6500);
	if (draw / 6500 % 97 == 0) base = 8000 + (int64_t)(draw % 1900); /* one in a hundred is close */
	return base + all_ok(s) * action_percent[action] / 100 / s->cfg.tenants;
}

static void tenant_rows(const wr_sim *s, wr_sim_quota rows[FULLEST])
{
	int64_t best[FULLEST] = {-1, -1}, who[FULLEST] = {0, 0};
	int what[FULLEST] = {0, 0};
	for (int64_t t = 0; t < s->cfg.tenants; t++) {
		for (int a = 0; a < WR_SIM_ACTIONS; a++) {
			int64_t used = wr_sim_tenant_used(s, t, a);
			int k = used > best[0] ? 0 : used > best[1] ? 1 : FULLEST;
			if (k == FULLEST) continue;
			if (k == 0) {
				best[1] = best[0];
				who[1] = who[0];
				what[1] = what[0];
			}
			best[k] = used;
			who[k] = t;
			what[k] = a;
		}
	}
	for (int k = 0; k < FULLEST; k++) {
		snprintf(rows[k].name, sizeof rows[k].name, "tenant-%05lld %s", (long long)who[k],
		         s->cfg.actions[what[k]]);
		fill(&rows[k], "tenant", best[k], WR_SIM_TENANT_LIMIT, 0);
	}
}

int wr_sim_quota_rows(const wr_sim *s, int region, wr_sim_quota rows[WR_SIM_QUOTA_ROWS])
{
	int n = 0;
	fleet_row(s, &rows[n++]);
	cpu_row(s, region, &rows[n++]);
	for (int a = 0; a < WR_SIM_ACTIONS; a++) action_row(s, region, a, &rows[n++]);
	int64_t least = s->regions[region].quota_percent * 1000;
	for (int i = 0; i < n; i++) {
		if (rows[i].percent_milli < least) {
			rows[i].percent_milli = least;
			rows[i].used = rows[i].limit * least / 100000;
		}
		if (rows[i].after_milli < least) rows[i].after_milli = least;
		if (rows[i].used >= rows[i].limit) rows[i].exhaustion_milli = 0;
	}
	tenant_rows(s, &rows[n]);
	n += FULLEST;
	WR_ASSERT(n <= WR_SIM_QUOTA_ROWS);
	return n;
}
