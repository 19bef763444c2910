/* fault.c: what goes wrong: a bounded list of scheduled and active faults, from which each tick
 * derives what every region suffers. Pure. Healing is dropping entries from the list. */
#include <string.h>

#include "sim/state.h"

#define LAG_MAX_S       3600
#define LOAD_MAX        300 /* percent */
#define CORRUPT_DEFAULT 10
#define DELAY_MAX_MS    (INT64_C(30) * 86400 * 1000)

const char *wr_sim_fault_name(wr_sim_fault_kind k)
{
	static const char *const names[] = {
#define X(id, name) [WR_SIM_F_##id] = name,
	    WR_SIM_FAULTS(X)
#undef X
	};
	WR_ASSERT(k < WR_SIM_F_COUNT);
	return names[k];
}

int wr_sim_fault_parse(const char *name, wr_sim_fault_kind *out)
{
	for (int k = 0; k < WR_SIM_F_COUNT; k++) {
		if (strcmp(name, wr_sim_fault_name((wr_sim_fault_kind)k)) != 0) continue;
		*out = (wr_sim_fault_kind)k;
		return 0;
	}
	return -1;
}

/* What each kind needs. A default of -1: the value must be given. */
static const struct rule {
	bool region, peer; /* region: must be named; peer: may be */
	int64_t least, most, dflt;
} rules[WR_SIM_F_COUNT] = {
    [WR_SIM_F_REGION_DOWN] = {true, false, 0, 1, 0},
    [WR_SIM_F_BROWNOUT] = {true, false, 1, 100, -1},
    [WR_SIM_F_PARTITION] = {true, true, 0, 0, 0},
    [WR_SIM_F_LAG] = {true, true, 1, LAG_MAX_S, -1},
    [WR_SIM_F_CORRUPTION] = {true, false, 0, WR_SIM_RECEIPTS_KEPT - 1, CORRUPT_DEFAULT},
    [WR_SIM_F_LOAD] = {false, false, 0, LOAD_MAX, -1},
    [WR_SIM_F_BUILD] = {true, false, 0, 0, 0},
    [WR_SIM_F_KEYS] = {true, false, 0, 0, 0},
    [WR_SIM_F_QUOTA] = {true, false, 1, 200, -1},
    [WR_SIM_F_HEAL] = {false, false, 0, 1, 0},
};

static int check(const wr_sim_fault_spec *f, wr_err *err)
{
	const struct rule *rule = &rules[f->kind];
	const char *name = wr_sim_fault_name(f->kind);
	if (rule->region && f->region == WR_SIM_NONE)
		return wr_fail(err, WR_E_INVALID, "%s needs a region", name);
	if (f->kind == WR_SIM_F_LOAD && f->region != WR_SIM_NONE)
		return wr_fail(err, WR_E_INVALID, "%s is of all clients: leave the region out", name);
	bool observed = f->kind == WR_SIM_F_PARTITION || f->kind == WR_SIM_F_HEAL;
	if (f->region == WR_SIM_OBSERVER && !observed)
		return wr_fail(err, WR_E_INVALID, "%s cannot hit the observer; a partition can", name);
	if (f->peer != WR_SIM_NONE && !rule->peer)
		return wr_fail(err, WR_E_INVALID, "%s takes no peer", name);
	if (f->peer == WR_SIM_OBSERVER || (f->peer != WR_SIM_NONE && f->peer == f->region))
		return wr_fail(err, WR_E_INVALID, "peer must be another region");
	if (f->link != WR_SIM_NONE && f->kind != WR_SIM_F_LAG)
		return wr_fail(err, WR_E_INVALID, "%s takes no link", name);
	if (f->value == -1 && rule->dflt == -1)
		return wr_fail(err, WR_E_INVALID, "%s needs a value, %lld to %lld", name,
		               (long long)rule->least, (long long)rule->most);
	if (f->value != -1 && (f->value < rule->least || f->value > rule->most))
		return wr_fail(err, WR_E_INVALID, "the value of %s must be %lld to %lld", name,
		               (long long)rule->least, (long long)rule->most);
	if (f->after_ms < 0 || f->after_ms > DELAY_MAX_MS || f->duration_ms < 0 ||
	    f->duration_ms > DELAY_MAX_MS)
		return wr_fail(err, WR_E_INVALID, "after_ms and duration_ms must be 0 to %lld",
		               (long long)DELAY_MAX_MS);
	if (f->kind == WR_SIM_F_HEAL && f->duration_ms != 0)
		return wr_fail(err, WR_E_INVALID, "heal takes no duration_ms");
	return 0;
}

/* set_up keeps what must happen at the moment a region goes or comes back. */
static void set_up(wr_sim *s, int i, bool up)
{
	if (s->regions[i].up == up) return;
	s->regions[i].up = up;
	if (up)
		wr_sim_boot(s, i);
	else {
		s->regions[i].ready_milli = 0;
		wr_sim_region_lost(s, i);
	}
}

static void derive_cut(wr_sim *s, const wr_sim_fault_spec *f)
{
	for (int i = 0; i < s->cfg.region_count; i++) {
		if (f->region == WR_SIM_OBSERVER) {
			if (f->peer == WR_SIM_NONE || f->peer == i) s->regions[i].observer_cut = true;
		} else if (i != f->region && (f->peer == WR_SIM_NONE || f->peer == i)) {
			s->cut[i][f->region] = true;
			s->cut[f->region][i] = true;
		}
	}
}

static void derive_lag(wr_sim *s, const wr_sim_fault_spec *f)
{
	for (int l = 0; l < s->cfg.link_count; l++) {
		if (f->link != WR_SIM_NONE && f->link != l) continue;
		for (int i = 0; i < s->cfg.region_count; i++) {
			if (i == f->region || (f->peer != WR_SIM_NONE && f->peer != i)) continue;
			int64_t *lag = &s->lag_ms[l][i][f->region];
			if (*lag < f->value * 1000) *lag = f->value * 1000;
			s->lag_ms[l][f->region][i] = *lag;
		}
	}
}

static void derive_region(wr_sim *s, const wr_sim_fault_spec *f, bool down[WR_SIM_REGIONS_MAX])
{
	wr_sim_region *r = &s->regions[f->region];
	switch (f->kind) {
	case WR_SIM_F_REGION_DOWN:
		down[f->region] = true;
		r->blackhole |= f->value == 1;
		break;
	case WR_SIM_F_BROWNOUT:
		if (r->brownout_percent < f->value) r->brownout_percent = f->value;
		break;
	case WR_SIM_F_BUILD:
		r->other_build = true;
		break;
	case WR_SIM_F_KEYS:
		r->keys_bad = true;
		break;
	case WR_SIM_F_QUOTA:
		if (r->quota_percent < f->value) r->quota_percent = f->value;
		break;
	default:
		break;
	}
}

void wr_sim_faults_derive(wr_sim *s)
{
	bool down[WR_SIM_REGIONS_MAX] = {false};
	memset(s->cut, 0, sizeof s->cut);
	memset(s->lag_ms, 0, sizeof s->lag_ms);
	s->load_percent = 100;
	for (int i = 0; i < s->cfg.region_count; i++) {
		wr_sim_region *r = &s->regions[i];
		r->blackhole = r->observer_cut = r->other_build = r->keys_bad = false;
		r->brownout_percent = r->quota_percent = 0;
	}
	for (int k = 0; k < s->fault_count; k++) {
		const wr_sim_fault_spec *f = &s->faults[k].spec;
		if (!s->faults[k].active) continue;
		if (f->kind == WR_SIM_F_PARTITION)
			derive_cut(s, f);
		else if (f->kind == WR_SIM_F_LAG)
			derive_lag(s, f);
		else if (f->kind == WR_SIM_F_LOAD)
			s->load_percent = f->value;
		else if (f->region >= 0)
			derive_region(s, f, down);
	}
	for (int i = 0; i < s->cfg.region_count; i++) set_up(s, i, !down[i]);
}

static void drop(wr_sim *s, int k)
{
	const wr_sim_fault_entry *e = &s->faults[k];
	if (e->active && e->spec.kind == WR_SIM_F_CORRUPTION)
		(void)wr_sim_chain_flip(s, e->spec.region, e->seq, false);
	s->fault_count--;
	memmove(&s->faults[k], &s->faults[k + 1], sizeof s->faults[0] * (size_t)(s->fault_count - k));
}

static void heal(wr_sim *s, const wr_sim_fault_spec *f)
{
	for (int k = s->fault_count - 1; k >= 0; k--) {
		const wr_sim_fault_entry *e = &s->faults[k];
		if (!e->active && f->value != 1) continue;
		bool hit =
		    f->region == WR_SIM_NONE || e->spec.region == f->region || e->spec.peer == f->region;
		if (!hit) continue;
		s->healed += e->active;
		drop(s, k);
	}
}

/* begin makes a due entry active; false when there is nothing left to keep of it. */
static bool begin(wr_sim *s, wr_sim_fault_entry *e)
{
	if (e->spec.kind == WR_SIM_F_CORRUPTION) {
		e->seq = s->regions[e->spec.region].chain.count - 1 - e->spec.value;
		if (!wr_sim_chain_flip(s, e->spec.region, e->seq, true)) return false;
	}
	e->active = true;
	return true;
}

static void run_due(wr_sim *s)
{
	for (int k = 0; k < s->fault_count; k++) {
		wr_sim_fault_entry *e = &s->faults[k];
		if (e->active && e->end_ms >= 0 && e->end_ms <= s->now_ms) {
			s->healed++;
			drop(s, k--);
			continue;
		}
		if (e->active || e->start_ms > s->now_ms) continue;
		if (e->spec.kind == WR_SIM_F_HEAL) {
			wr_sim_fault_spec spec = e->spec;
			drop(s, k);
			heal(s, &spec);
			k = -1; /* the list is another one now */
		} else if (!begin(s, e)) {
			drop(s, k--);
		}
	}
}

void wr_sim_faults_tick(wr_sim *s)
{
	run_due(s);
	wr_sim_faults_derive(s);
}

void wr_sim_faults_repaired(wr_sim *s, int region)
{
	for (int k = s->fault_count - 1; k >= 0; k--) {
		const wr_sim_fault_entry *e = &s->faults[k];
		if (e->active && e->spec.kind == WR_SIM_F_CORRUPTION && e->spec.region == region) {
			s->healed++;
			drop(s, k);
		}
	}
}

int wr_sim_fault(wr_sim *s, const wr_sim_fault_spec *f, int64_t *id, wr_err *err)
{
	if (check(f, err) != 0) return -1;
	if (f->kind == WR_SIM_F_HEAL && f->after_ms == 0) { /* works also when the list is full */
		heal(s, f);
		if (id != NULL) *id = s->next_fault_id;
		s->next_fault_id++;
		wr_sim_faults_derive(s);
		return 0;
	}
	if (f->kind == WR_SIM_F_CORRUPTION && f->after_ms == 0) {
		const wr_sim_chain *c = &s->regions[f->region].chain;
		int64_t back = f->value == -1 ? CORRUPT_DEFAULT : f->value;
		if (wr_sim_chain_at(c, c->count - 1 - back) == NULL)
			return wr_fail(err, WR_E_INVALID, "the region holds %lld receipts, not that many",
			               (long long)(c->count - c->first));
	}
	if (s->fault_count == WR_SIM_FAULTS_MAX)
		return wr_fail(err, WR_E_LIMIT, "%d faults are active or scheduled; heal some first",
		               WR_SIM_FAULTS_MAX);
	wr_sim_fault_entry *e = &s->faults[s->fault_count++];
	*e = (wr_sim_fault_entry){.id = s->next_fault_id++, .spec = *f};
	if (f->value == -1) e->spec.value = rules[f->kind].dflt;
	e->start_ms = s->now_ms + f->after_ms;
	e->end_ms = f->duration_ms > 0 ? e->start_ms + f->duration_ms : -1;
	if (id != NULL) *id = e->id;
	wr_sim_faults_tick(s);
	return 0;
}
