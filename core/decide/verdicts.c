/* verdicts.c: what is seen becomes receipts: verdicts, incidents, isolation, guard tables. Pure.
 *
 * A receipt is written when what is folded differs from what is seen. Two things are waited out:
 * just after a start nothing has been looked at yet, which is no news; and a region that is DOWN
 * stays so while as many classes are breached as made it so, because a restart resets the
 * observer's clock, not the outage. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/json.h"

#define GUARDS_EVERY_US (5 * US_PER_S)
#define TABLE_MAX       (40u << 10) /* escaped once more inside a receipt of 60 KiB */

static int64_t settling_us(const wr_signal *s)
{
	int64_t runs = s->breach_after > s->clear_after ? s->breach_after : s->clear_after;
	return ((runs + 1) * s->interval_ms + s->timeout_ms) * US_PER_MS;
}

int64_t wr_since_start_us(const wr_decision *d)
{
	int64_t us = d->now_us - d->s->engine_started_us;
	return us >= 0 ? us : INT64_MAX; /* the clock was set back: a wait must not last an hour */
}

bool wr_region_warm(const wr_decision *d, size_t region)
{
	for (size_t i = 0; i < d->cfg->signal_count; i++) {
		const wr_signal *s = &d->cfg->signals[i];
		if (strcmp(s->region, d->cfg->regions[region].name) != 0) continue;
		if (d->w->signals[i].samples >= (uint64_t)s->breach_after) continue;
		if (wr_since_start_us(d) < settling_us(s)) return false;
	}
	return true;
}

bool wr_op_regions_warm(const wr_decision *d, const wr_op *op)
{
	int from = wr_region_index(d->cfg, op->from), to = wr_region_index(d->cfg, op->to);
	return (from < 0 || wr_region_warm(d, (size_t)from)) &&
	       (to < 0 || wr_region_warm(d, (size_t)to));
}

static void class_names(char *out, size_t size, unsigned mask)
{
	out[0] = '\0';
	for (unsigned c = 0; c < WR_CLASS_COUNT; c++) {
		size_t at = strlen(out);
		if (mask & 1u << c)
			wr_put(out + at, size - at, "%s%s", at ? "," : "", wr_class_name((wr_class)c));
	}
}

/* ---- verdicts ---- */

static void note_verdict(wr_decision *d, size_t i)
{
	const wr_region_view *v = &d->w->regions[i];
	wr_verdict was = d->s->regions[i].verdict;
	char classes[128];
	if (v->verdict == was || !wr_region_warm(d, i)) return;
	if (was == WR_V_DOWN && v->verdict == WR_V_SUSPECT) return;
	class_names(classes, sizeof classes, v->breached_classes);
	json_t *r = wr_draft(d, "verdict_changed");
	wr_set_str(r, "region", d->cfg->regions[i].name);
	wr_set_str(r, "from", wr_verdict_name(was));
	wr_set_str(r, "to", wr_verdict_name(v->verdict));
	wr_set_str(r, "rule", v->rule ? v->rule : "");
	wr_set_str(r, "reason", v->reason);
	wr_set_str(r, "classes", classes);
	wr_set_time(r, "first_breach", v->first_bad_us);
	wr_emit(d, r);
}

/* ---- incidents ---- */

static void open_incident(wr_decision *d, size_t region)
{
	char id[WR_ID_LEN], title[128];
	const wr_region_state *rs = &d->s->regions[region];
	wr_put(id, sizeof id, "INC-%04lld", (long long)(d->s->last_incident + 1));
	wr_put(title, sizeof title, "REGIONAL OUTAGE %s", d->cfg->regions[region].name);
	json_t *r = wr_draft(d, "incident_opened");
	wr_set_str(r, "incident", id);
	wr_set_str(r, "region", d->cfg->regions[region].name);
	wr_set_str(r, "title", title);
	wr_set_time(r, "impact_started", rs->impact_us ? rs->impact_us : rs->verdict_us);
	wr_emit(d, r);
}

static bool is_well(const wr_decision *d, size_t region)
{
	return d->s->regions[region].verdict == WR_V_HEALTHY &&
	       d->w->regions[region].verdict == WR_V_HEALTHY;
}

/* Over when the region is well again, for as long as it takes to call one down; nothing moves; and
 * whoever is primary now is well too. */
static bool incident_over(const wr_decision *d)
{
	const wr_state *s = d->s;
	int region = wr_region_index(d->cfg, s->incident_region), primary = wr_state_primary(s);
	if (wr_state_active(s, NULL)) return false;
	if (primary >= 0 && !is_well(d, (size_t)primary)) return false;
	if (region < 0) return true;
	return is_well(d, (size_t)region) &&
	       d->now_us - s->regions[region].verdict_us >= d->cfg->sustained_ms * US_PER_MS;
}

static void note_incident(wr_decision *d)
{
	if (!d->s->incident[0]) {
		for (size_t i = 0; i < d->cfg->region_count; i++) {
			if (d->s->regions[i].verdict != WR_V_DOWN) continue;
			open_incident(d, i);
			return;
		}
		return;
	}
	if (!incident_over(d)) return;
	char reason[160];
	wr_put(reason, sizeof reason, "%s is HEALTHY again, and no operation is under way",
	       d->s->incident_region);
	json_t *r = wr_draft(d, "incident_closed");
	wr_set_str(r, "incident", d->s->incident);
	wr_set_int(r, "duration_ms", (d->now_us - d->s->incident_us) / US_PER_MS);
	wr_set_str(r, "reason", reason);
	wr_emit(d, r);
}

static void note_isolation(wr_decision *d)
{
	if (d->w->isolated == d->s->isolated) return;
	if (!d->w->isolated && !d->w->isolation_known) return; /* not seen to be over */
	json_t *r = wr_draft(d, d->w->isolated ? "observer_isolated" : "observer_restored");
	wr_set_str(r, "observer", d->cfg->observer);
	wr_set_str(r, "reason", d->w->isolated_reason);
	wr_emit(d, r);
}

/* ---- guard tables ---- */

static void guards_digest(char hex[static WR_HEX_LEN], const wr_guards *g)
{
	wr_buf text = WR_BUF_INIT(WR_MAX_GUARDS * 80);
	uint8_t hash[WR_HASH_LEN];
	for (size_t i = 0; i < g->count; i++)
		wr_buf_addf(&text, "%s=%s%s\n", g->rows[i].name, wr_gate_verdict_name(g->rows[i].verdict),
		            g->rows[i].blocking ? "" : " (advisory)");
	wr_sha256(hash, wr_buf_cstr(&text), text.len);
	wr_hex(hex, hash, sizeof hash);
	wr_buf_free(&text);
}

static void set_table(json_t *r, const wr_guards *g)
{
	json_t *rows = wr_guards_json(g);
	wr_buf text = WR_BUF_INIT(TABLE_MAX);
	wr_err err = {0};
	while (wr_canon_write(&text, rows, &err) != 0 || !wr_buf_ok(&text)) {
		WR_ASSERT(json_array_size(rows) > 0);
		json_array_remove(rows, json_array_size(rows) - 1);
		wr_buf_reset(&text);
	}
	wr_set_str(r, "table", wr_buf_cstr(&text));
	wr_buf_free(&text);
	json_decref(rows);
}

static const guards_seen *seen(const wr_state *s, const char *action)
{
	for (size_t i = 0; i < s->guards_count; i++)
		if (!strcmp(s->guards[i].action, action)) return &s->guards[i];
	return NULL;
}

static void note_guards(wr_decision *d, wr_runbook_kind kind, size_t from, size_t to,
                        const char *group)
{
	char action[sizeof d->s->guards[0].action], digest[WR_HEX_LEN];
	bool main_group = !strcmp(group, "main");
	wr_put(action, sizeof action, "%s %s %s%s%s", wr_runbook_kind_name(kind),
	       d->cfg->regions[from].name, d->cfg->regions[to].name, main_group ? "" : " ",
	       main_group ? "" : group);
	const guards_seen *last = seen(d->s, action);
	int64_t age_us = last ? d->now_us - last->at_us : 0;
	if (last && age_us >= 0 && age_us < GUARDS_EVERY_US) return; /* below 0: the clock went back */
	if (!last && d->s->guards_count == WR_ACTIONS_KEPT) return;
	if (!wr_region_warm(d, from) || !wr_region_warm(d, to)) return;
	wr_guards g;
	wr_guards_eval(&g, d->s, d->w, kind, from, to, group, NULL, d->now_us);
	guards_digest(digest, &g);
	if (last && !strcmp(last->digest, digest)) return;
	json_t *r = wr_draft(d, "guards_changed");
	wr_set_str(r, "action", action);
	wr_set_int(r, "passed", (int64_t)g.passed);
	wr_set_int(r, "failed", (int64_t)g.failed);
	wr_set_int(r, "no_data", (int64_t)(g.no_data + g.inconclusive));
	wr_set_str(r, "digest", digest);
	set_table(r, &g);
	wr_emit(d, r);
}

/* Does anything serve this action? The main group's tables are kept even so: they say what to add.
 */
static bool planned(const wr_decision *d, wr_runbook_kind kind, const char *group)
{
	if (!strcmp(group, "main")) return true;
	for (size_t i = 0; i < d->cfg->runbook_count; i++)
		if (d->cfg->runbooks[i].kind == kind && !strcmp(d->cfg->runbooks[i].group, group))
			return true;
	return false;
}

/* From the primary to each standby; and back to the region that is meant to be primary. */
static void note_candidates(wr_decision *d, const char *group)
{
	int primary = wr_state_primary(d->s);
	if (primary < 0) return;
	for (size_t i = 0; i < d->cfg->region_count && wr_room(d) > 40; i++) {
		bool home = d->cfg->regions[i].role == WR_PRIMARY;
		if ((int)i == primary || d->s->regions[i].role == WR_WITNESS) continue;
		if (home && planned(d, WR_RB_FAILBACK, group))
			note_guards(d, WR_RB_FAILBACK, (size_t)primary, i, group);
		if (planned(d, WR_RB_FAILOVER, group))
			note_guards(d, WR_RB_FAILOVER, (size_t)primary, i, group);
	}
}

static void note_all_guards(wr_decision *d)
{
	const wr_config *c = d->cfg;
	note_candidates(d, "main");
	for (size_t i = 0; i < c->runbook_count; i++) {
		bool first = strcmp(c->runbooks[i].group, "main") != 0;
		for (size_t k = 0; k < i; k++)
			first = first && strcmp(c->runbooks[k].group, c->runbooks[i].group) != 0;
		if (first) note_candidates(d, c->runbooks[i].group);
	}
}

void wr_decide_world(wr_decision *d)
{
	for (size_t i = 0; i < d->cfg->region_count; i++) note_verdict(d, i);
	note_incident(d);
	note_isolation(d);
	note_all_guards(d);
}
