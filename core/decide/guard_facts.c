/* guard_facts.c: the guards over facts that somebody measures: capacity, quota, keys, build,
 * backup, chain, freeze and whatever a platform adds. Pure. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"

static const char *region_name(const guard_case *c, size_t region)
{
	return c->cfg->regions[region].name;
}

static bool fresh(int64_t last_us, int64_t interval_ms, int64_t now_us)
{
	int64_t age_us = now_us - last_us, bound_us = 3 * interval_ms * US_PER_MS;
	return last_us > 0 && age_us <= bound_us && age_us >= -bound_us;
}

/* Yes or no; of any other text it is not known which (law 7). */
static wr_truth truthy(const wr_value *v)
{
	if (v->type == WR_V_BOOL) return v->truth ? WR_TRUE : WR_FALSE;
	if (v->type == WR_V_NUM) return v->num != 0 ? WR_TRUE : WR_FALSE;
	if (v->type == WR_V_STR && !strcmp(v->str, "true")) return WR_TRUE;
	if (v->type == WR_V_STR && !strcmp(v->str, "false")) return WR_FALSE;
	return WR_UNKNOWN;
}

static void value_text(char *out, size_t size, const wr_value *v)
{
	switch (v->type) {
	case WR_V_NUM:
		wr_put(out, size, "%.6g", v->num);
		break;
	case WR_V_BOOL:
		wr_put(out, size, "%s", v->truth ? "true" : "false");
		break;
	case WR_V_STR:
		wr_put(out, size, "%.80s", v->str);
		break;
	default:
		wr_put(out, size, "no value");
		break;
	}
}

/* What the kind of a fact counts in. */
static const char *unit_of(wr_fact_kind kind, const wr_value *v)
{
	if (v->type != WR_V_NUM) return "";
	return kind == WR_FACT_CAPACITY || kind == WR_FACT_QUOTA ? " %"
	       : kind == WR_FACT_BACKUP                          ? " s"
	                                                         : "";
}

/* A share, a stock and an age are never below nothing: such a number is no measurement, and a need
 * like "value <= 90" would take it for a good one. */
static bool possible(wr_fact_kind kind, const wr_value *v)
{
	bool counts = kind == WR_FACT_CAPACITY || kind == WR_FACT_QUOTA || kind == WR_FACT_BACKUP;
	return v->type != WR_V_NUM || (isfinite(v->num) && (!counts || v->num >= 0));
}

static void measure_text(const guard_case *c, char *out, size_t size, wr_fact_kind kind,
                         const wr_measure *m)
{
	char value[96], age[24];
	value_text(value, sizeof value, &m->last);
	wr_put(out, size, "%s%s (%s)%s%.60s", value, unit_of(kind, &m->last),
	       wr_age_text(age, m->last_us, c->now_us), m->detail[0] ? ": " : "", m->detail);
}

static bool of_kind(const guard_case *c, size_t i, wr_fact_kind kind)
{
	return c->cfg->facts[i].kind == kind;
}

static size_t count_kind(const guard_case *c, wr_fact_kind kind, const char *region)
{
	size_t n = 0;
	for (size_t i = 0; i < c->cfg->fact_count; i++)
		n += of_kind(c, i, kind) && (!region || !strcmp(c->cfg->facts[i].region, region));
	return n;
}

/* Rows are named by their kind, with the fact's name where a region has several. */
static wr_guard *fact_row(guard_case *c, size_t i, bool several)
{
	const wr_fact *f = &c->cfg->facts[i];
	const char *kind = wr_fact_kind_name(f->kind);
	if (several || f->kind == WR_FACT_CUSTOM) return wr_guard_row(c, "%s:%s", kind, f->name);
	return wr_guard_row(c, "%s", kind);
}

static void judge_need(guard_case *c, size_t i, bool several)
{
	const wr_fact *f = &c->cfg->facts[i];
	const wr_measure *m = &c->w->facts[i];
	char seen[160], need[128] = "(no need is stated)", flip[192];
	wr_guard *row = fact_row(c, i, several);
	if (!row) return;
	wr_truth ok = possible(f->kind, &m->last) ? wr_world_fact(c->w, i, c->now_us) : WR_UNKNOWN;
	measure_text(c, seen, sizeof seen, f->kind, m);
	if (f->need) wr_put(need, sizeof need, "%s", wr_expr_text(f->need));
	wr_put(flip, sizeof flip, "a measurement of %s with %.100s", f->name, need);
	wr_gate_verdict verdict = ok == WR_UNKNOWN ? WR_GATE_NO_DATA
	                          : !f->need       ? WR_INCONCLUSIVE
	                          : ok == WR_TRUE  ? WR_PASS
	                                           : WR_FAIL;
	if (!m->last_us) wr_put(seen, sizeof seen, "not measured yet");
	wr_guard_say(row, verdict, seen, need, flip);
}

static void not_configured(guard_case *c, wr_fact_kind kind, bool optional)
{
	char seen[160];
	const char *name = wr_fact_kind_name(kind);
	wr_guard *row = wr_guard_row(c, "%s", name);
	if (!row) return;
	wr_put(seen, sizeof seen, "not configured: add a fact of kind %s for %s", name,
	       region_name(c, c->to));
	row->blocking = !(optional && !count_kind(c, kind, NULL));
	wr_guard_say(row, WR_GATE_NO_DATA, seen, "a fact that says so", "add the fact");
}

/* Every fact of the kind for `region`, and those of the whole platform. */
static size_t judge_kind(guard_case *c, wr_fact_kind kind, const char *region)
{
	size_t n = count_kind(c, kind, region) + count_kind(c, kind, "");
	for (size_t i = 0; i < c->cfg->fact_count; i++)
		if (of_kind(c, i, kind) &&
		    (!strcmp(c->cfg->facts[i].region, region) || !c->cfg->facts[i].region[0]))
			judge_need(c, i, n > 1);
	return n;
}

void wr_guard_capacity(guard_case *c)
{
	if (!judge_kind(c, WR_FACT_CAPACITY, region_name(c, c->to)))
		not_configured(c, WR_FACT_CAPACITY, false);
}

void wr_guard_keys(guard_case *c)
{
	if (!judge_kind(c, WR_FACT_KEYS, region_name(c, c->to))) not_configured(c, WR_FACT_KEYS, true);
}

void wr_guard_chain(guard_case *c)
{
	if (!judge_kind(c, WR_FACT_CHAIN, region_name(c, c->to)))
		not_configured(c, WR_FACT_CHAIN, true);
}

/* A backup counts where it will be needed; where only the source has one, that. */
void wr_guard_backup(guard_case *c)
{
	const char *to = region_name(c, c->to), *from = region_name(c, c->from);
	if (!judge_kind(c, WR_FACT_BACKUP, count_kind(c, WR_FACT_BACKUP, to) ? to : from))
		not_configured(c, WR_FACT_BACKUP, true);
}

void wr_guard_custom(guard_case *c)
{
	judge_kind(c, WR_FACT_CUSTOM, region_name(c, c->to));
}

/* ---- quota: facts, and the quota rows that project the shift ---- */

static void judge_quota_row(guard_case *c, size_t i)
{
	const wr_quota *q = &c->cfg->quotas[i];
	const wr_measure *m = &c->w->quotas_after[i];
	char seen[160];
	wr_guard *row = wr_guard_row(c, "quota:%s", q->name);
	if (!row) return;
	measure_text(c, seen, sizeof seen, WR_FACT_QUOTA, m);
	bool known = possible(WR_FACT_QUOTA, &m->last) && m->last.type == WR_V_NUM &&
	             fresh(m->last_us, q->interval_ms, c->now_us);
	wr_gate_verdict verdict = !known ? WR_GATE_NO_DATA : m->last.num <= 90 ? WR_PASS : WR_FAIL;
	if (!m->last_us) wr_put(seen, sizeof seen, "not measured yet");
	wr_guard_say(row, verdict, seen, "at most 90 % used after the shift",
	             "raise the quota, or shed load first");
}

void wr_guard_quota(guard_case *c)
{
	size_t rows = judge_kind(c, WR_FACT_QUOTA, region_name(c, c->to));
	for (size_t i = 0; i < c->cfg->quota_count; i++) {
		const wr_quota *q = &c->cfg->quotas[i];
		if (!q->has_after) continue;
		if (q->region[0] && strcmp(q->region, region_name(c, c->to)) != 0) continue;
		judge_quota_row(c, i);
		rows++;
	}
	if (!rows) not_configured(c, WR_FACT_QUOTA, true);
}

/* ---- build: the same digest on both sides ---- */

static int nth_build(const guard_case *c, size_t region, size_t n)
{
	for (size_t i = 0; i < c->cfg->fact_count; i++)
		if (of_kind(c, i, WR_FACT_BUILD) &&
		    !strcmp(c->cfg->facts[i].region, region_name(c, region)) && n-- == 0)
			return (int)i;
	return -1;
}

static void short_digest(char *out, size_t size, const wr_value *v)
{
	char text[96];
	value_text(text, sizeof text, v);
	wr_put(out, size, "%.24s%s", text, strlen(text) > 24 ? "…" : "");
}

static bool same_value(const wr_value *a, const wr_value *b)
{
	if (a->type != b->type) return false;
	if (a->type == WR_V_NUM) return a->num == b->num;
	if (a->type == WR_V_BOOL) return a->truth == b->truth;
	return a->type == WR_V_STR && !strcmp(a->str, b->str);
}

static void judge_build(guard_case *c, size_t from_fact, size_t to_fact, bool several)
{
	static const char need[] = "the same digest in both regions";
	const wr_fact *ft = &c->cfg->facts[to_fact], *ff = &c->cfg->facts[from_fact];
	const wr_measure *mf = &c->w->facts[from_fact], *mt = &c->w->facts[to_fact];
	char here[40], there[40], age[24], seen[160], flip[192];
	wr_guard *row = fact_row(c, to_fact, several);
	if (!row) return;
	bool to_known = mt->last.type != WR_V_NONE && fresh(mt->last_us, ft->interval_ms, c->now_us);
	bool from_fresh = mf->last.type != WR_V_NONE && fresh(mf->last_us, ff->interval_ms, c->now_us);
	if (!to_known || !mf->proven_us) {
		wr_put(seen, sizeof seen, "not measured in %s", region_name(c, to_known ? c->from : c->to));
		wr_put(flip, sizeof flip, "a measurement in %s, or build among the advisory guards",
		       region_name(c, to_known ? c->from : c->to));
		wr_guard_say(row, WR_GATE_NO_DATA, seen, need, flip);
		return;
	}
	const wr_value *source = from_fresh ? &mf->last : &mf->proven;
	short_digest(here, sizeof here, source);
	short_digest(there, sizeof there, &mt->last);
	wr_put(seen, sizeof seen, "%s %s%s%s, %s %s", region_name(c, c->from), here,
	       from_fresh ? "" : " measured ",
	       from_fresh ? "" : wr_age_text(age, mf->proven_us, c->now_us), region_name(c, c->to),
	       there);
	wr_guard_say(row, same_value(source, &mt->last) ? WR_PASS : WR_FAIL, seen, need,
	             "deploy the same build to the target");
}

void wr_guard_build(guard_case *c)
{
	size_t there = count_kind(c, WR_FACT_BUILD, region_name(c, c->to));
	size_t here = count_kind(c, WR_FACT_BUILD, region_name(c, c->from));
	if (!there || here != there) {
		wr_guard *row = wr_guard_row(c, "build");
		char seen[160];
		if (!row) return;
		wr_put(seen, sizeof seen, "not configured: add a fact of kind build for %s",
		       region_name(c, there && there > here ? c->from : c->to));
		row->blocking = count_kind(c, WR_FACT_BUILD, NULL) > 0;
		wr_guard_say(row, WR_GATE_NO_DATA, seen, "the same digest in both regions", "add the fact");
		return;
	}
	for (size_t n = 0; n < there; n++)
		judge_build(c, (size_t)nth_build(c, c->from, n), (size_t)nth_build(c, c->to, n), there > 1);
}

/* ---- freeze ---- */

static void judge_freeze(guard_case *c, size_t i, bool several)
{
	const wr_fact *f = &c->cfg->facts[i];
	const wr_measure *m = &c->w->facts[i];
	if (f->need) {
		judge_need(c, i, several);
		return;
	}
	wr_guard *row = fact_row(c, i, several);
	if (!row) return;
	bool known = m->last.type != WR_V_NONE && fresh(m->last_us, f->interval_ms, c->now_us);
	wr_truth frozen = known ? truthy(&m->last) : WR_UNKNOWN;
	bool outage = c->kind == WR_RB_FAILOVER;
	const char *seen = !known                 ? m->last_us ? "no fresh value" : "not measured yet"
	                   : frozen == WR_UNKNOWN ? "neither yes nor no: state a need for this fact"
	                   : frozen == WR_FALSE   ? "no change freeze"
	                   : outage               ? "a change freeze is on; an outage goes before it"
	                                          : "a change freeze is on";
	wr_gate_verdict verdict = !known                         ? WR_GATE_NO_DATA
	                          : frozen == WR_UNKNOWN         ? WR_INCONCLUSIVE
	                          : frozen == WR_TRUE && !outage ? WR_FAIL
	                                                         : WR_PASS;
	wr_guard_say(row, verdict, seen, outage ? "known" : "no change freeze", "lift the freeze");
}

void wr_guard_freeze(guard_case *c)
{
	size_t n = 0;
	const char *from = region_name(c, c->from), *to = region_name(c, c->to);
	size_t total = count_kind(c, WR_FACT_FREEZE, "") + count_kind(c, WR_FACT_FREEZE, from) +
	               (c->from == c->to ? 0 : count_kind(c, WR_FACT_FREEZE, to));
	for (size_t i = 0; i < c->cfg->fact_count; i++) {
		const char *region = c->cfg->facts[i].region;
		if (!of_kind(c, i, WR_FACT_FREEZE)) continue;
		if (region[0] && strcmp(region, from) != 0 && strcmp(region, to) != 0) continue;
		judge_freeze(c, i, total > 1);
		n++;
	}
	if (!n) not_configured(c, WR_FACT_FREEZE, true);
}
