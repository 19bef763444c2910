/* guard_rows.c: the guards over verdicts, the observer, links, policy and past operations. Pure. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

#define FLAP_WINDOW_US (600 * US_PER_S)
#define FLAPS_MOST     3

static const char *region_name(const guard_case *c, size_t region)
{
	return c->cfg->regions[region].name;
}

/* ---- the runbook, its fence, the roles ---- */

static bool fits(const guard_case *c, const wr_runbook *rb)
{
	if (c->during) return !strcmp(rb->name, c->during->runbook);
	return rb->kind == c->kind && !strcmp(rb->group, c->group);
}

void wr_guard_runbook(guard_case *c)
{
	char seen[160] = "", need[128];
	wr_guard *row = wr_guard_row(c, "runbook");
	if (!row) return;
	for (size_t i = 0; i < c->cfg->runbook_count; i++) {
		if (!fits(c, &c->cfg->runbooks[i])) continue;
		size_t at = strlen(seen);
		wr_put(seen + at, sizeof seen - at, "%s%s", at ? ", " : "", c->cfg->runbooks[i].name);
	}
	wr_put(need, sizeof need, "a %s runbook for group %s", wr_runbook_kind_name(c->kind), c->group);
	if (seen[0])
		wr_guard_say(row, WR_PASS, seen, need, "");
	else
		wr_guard_say(row, WR_FAIL, "none", need, "add a runbook of that kind to the configuration");
}

/* The promote step that no fence precedes, or NULL. */
static const wr_step *unfenced_promote(const wr_runbook *rb, bool *promotes)
{
	bool fenced = false;
	for (size_t i = 0; i < rb->step_count; i++) {
		if (rb->steps[i].phase == WR_PHASE_FENCE && wr_kind_fences(rb->steps[i].action.kind))
			fenced = true;
		if (rb->steps[i].phase != WR_PHASE_PROMOTE) continue;
		*promotes = true;
		if (!fenced) return &rb->steps[i];
	}
	return NULL;
}

void wr_guard_fence(guard_case *c)
{
	static const char need[] = "a fence step before every promote step";
	wr_guard *row = wr_guard_row(c, "fence");
	bool any = false, promotes = false;
	char text[160];
	if (!row) return;
	for (size_t i = 0; i < c->cfg->runbook_count; i++) {
		const wr_runbook *rb = &c->cfg->runbooks[i];
		if (!fits(c, rb)) continue;
		any = true;
		const wr_step *bare = unfenced_promote(rb, &promotes);
		if (!bare) continue;
		wr_put(text, sizeof text, "%s promotes (%s) without a fence before it", rb->name,
		       bare->name);
		wr_guard_say(row, WR_FAIL, text, need, "put a step of phase fence before it");
		return;
	}
	if (!any)
		wr_guard_say(row, WR_GATE_NO_DATA, "no runbook", need, "add a runbook");
	else
		wr_guard_say(row, WR_PASS, promotes ? "a fence comes first" : "nothing is promoted", need,
		             "");
}

void wr_guard_primary(guard_case *c)
{
	char seen[160], need[128];
	wr_guard *row = wr_guard_row(c, "primary");
	if (!row) return;
	bool holds = c->s->regions[c->from].role == WR_PRIMARY;
	bool home = c->kind != WR_RB_FAILBACK || c->cfg->regions[c->to].role == WR_PRIMARY;
	wr_put(seen, sizeof seen, "%s is %s, %s is %s", region_name(c, c->from),
	       wr_role_text(c->s->regions[c->from].role), region_name(c, c->to),
	       wr_role_text(c->s->regions[c->to].role));
	if (c->kind == WR_RB_FAILBACK)
		wr_put(need, sizeof need, "%s is primary, and %s is the one that is meant to be",
		       region_name(c, c->from), region_name(c, c->to));
	else
		wr_put(need, sizeof need, "%s is primary", region_name(c, c->from));
	bool witness = c->s->regions[c->to].role == WR_WITNESS;
	wr_guard_say(row, holds && home && !witness ? WR_PASS : WR_FAIL, seen, need,
	             "choose the regions that fit");
}

/* ---- what is seen ---- */

static unsigned configured_classes(const guard_case *c, size_t region)
{
	unsigned mask = 0;
	for (size_t i = 0; i < c->cfg->signal_count; i++)
		if (!strcmp(c->cfg->signals[i].region, region_name(c, region)))
			mask |= 1u << c->cfg->signals[i].signal_class;
	return mask & ~(1u << WR_CLASS_REFERENCE);
}

static void class_list(char *out, size_t size, unsigned mask)
{
	out[0] = '\0';
	for (unsigned k = 0; k < WR_CLASS_COUNT; k++) {
		size_t at = strlen(out);
		if (mask & 1u << k)
			wr_put(out + at, size - at, "%s%s", at ? ", " : "", wr_class_name((wr_class)k));
	}
}

void wr_guard_classes(guard_case *c)
{
	const wr_region_view *v = &c->w->regions[c->from];
	unsigned all = configured_classes(c, c->from);
	int breached = __builtin_popcount(v->breached_classes), total = __builtin_popcount(all);
	int blind = __builtin_popcount(v->blind_classes & ~v->breached_classes);
	char list[120], others[120], seen[160], need[128], flip[192];
	wr_guard *row = wr_guard_row(c, "signal_classes");
	if (!row) return;
	class_list(list, sizeof list, v->breached_classes);
	class_list(others, sizeof others, all & ~v->breached_classes);
	wr_put(seen, sizeof seen, "%d of %d breached%s%s", breached, total, list[0] ? ": " : "", list);
	wr_put(need, sizeof need, "%d distinct classes at %s", c->cfg->min_classes,
	       region_name(c, c->from));
	if (total < c->cfg->min_classes)
		wr_put(flip, sizeof flip, "signals of another class: %d of %d are configured", total,
		       c->cfg->min_classes);
	else
		wr_put(flip, sizeof flip, "%d more breached, of %s", c->cfg->min_classes - breached,
		       others);
	if (v->verdict == WR_V_DOWN && breached < c->cfg->min_classes) {
		wr_put(seen, sizeof seen, "DOWN was proven; %d of %d breached now, %d blind", breached,
		       total, blind);
		wr_guard_say(row, WR_PASS, seen, need, "");
	} else if (breached >= c->cfg->min_classes) {
		wr_guard_say(row, WR_PASS, seen, need, "");
	} else if (!total) {
		wr_guard_say(row, WR_GATE_NO_DATA, "no signals are configured", need,
		             "add signals for the region");
	} else {
		bool open = breached + blind >= c->cfg->min_classes;
		wr_guard_say(row, open ? WR_GATE_NO_DATA : WR_FAIL, seen, need, flip);
	}
}

static void say_sustained(guard_case *c, wr_guard *row, int64_t since_us, const char *what)
{
	char for_text[16], need_text[16], seen[160], need[128], flip[64];
	int64_t elapsed_ms = (c->now_us - since_us) / US_PER_MS;
	wr_duration_words(for_text, sizeof for_text, elapsed_ms);
	wr_duration_words(need_text, sizeof need_text, c->cfg->sustained_ms);
	wr_put(seen, sizeof seen, "%s for %s", what, for_text);
	wr_put(need, sizeof need, "%s without a break", need_text);
	bool pass = elapsed_ms >= c->cfg->sustained_ms;
	wr_duration_words(need_text, sizeof need_text, pass ? 0 : c->cfg->sustained_ms - elapsed_ms);
	wr_put(flip, sizeof flip, "time: %s more, if it stays so", need_text);
	wr_guard_say(row, pass ? WR_PASS : WR_FAIL, seen, need, flip);
	if (!pass) row->eta_us = since_us + c->cfg->sustained_ms * US_PER_MS;
}

static void sustained_outage(guard_case *c, wr_guard *row)
{
	const wr_region_view *v = &c->w->regions[c->from];
	const wr_region_state *known = &c->s->regions[c->from];
	char need[128], sustained[16];
	wr_duration_words(sustained, sizeof sustained, c->cfg->sustained_ms);
	wr_put(need, sizeof need, "enough classes breached for %s without a break", sustained);
	/* A restart resets the observer's clock, not the outage that is on record; unless nobody was
	 * looking for so long that this may be another one. */
	bool recorded = known->verdict == WR_V_DOWN && v->verdict == WR_V_SUSPECT &&
	                known->verdict_us >= c->s->lost_us;
	if (v->verdict == WR_V_DOWN || recorded) {
		char age[24], seen[160];
		int64_t since_us = known->impact_us ? known->impact_us : v->first_bad_us;
		wr_put(seen, sizeof seen, "DOWN, breached since %s", wr_age_text(age, since_us, c->now_us));
		wr_guard_say(row, WR_PASS, seen, need, "");
	} else if (v->quorum_since_us > 0) {
		say_sustained(c, row, v->quorum_since_us, "enough classes breached");
	} else {
		wr_guard_say(row, v->verdict == WR_V_UNKNOWN ? WR_GATE_NO_DATA : WR_FAIL,
		             "not enough classes are breached", need, need);
	}
}

void wr_guard_sustained(guard_case *c)
{
	wr_guard *row = wr_guard_row(c, "sustained_time");
	if (!row) return;
	if (c->kind == WR_RB_FAILOVER) {
		sustained_outage(c, row);
		return;
	}
	const wr_region_view *v = &c->w->regions[c->to];
	const wr_region_state *known = &c->s->regions[c->to];
	char need[128], seen[160], sustained[16];
	wr_duration_words(sustained, sizeof sustained, c->cfg->sustained_ms);
	wr_put(need, sizeof need, "%s HEALTHY for %s without a break", region_name(c, c->to),
	       sustained);
	if (v->verdict != WR_V_HEALTHY) {
		wr_put(seen, sizeof seen, "%s is %s", region_name(c, c->to), wr_verdict_name(v->verdict));
		wr_guard_say(row, v->verdict == WR_V_UNKNOWN ? WR_GATE_NO_DATA : WR_FAIL, seen, need, need);
		return;
	}
	/* A quick restart resets our clock, not its health; but while nobody was looking it may have
	 * been anything. */
	int64_t since_us = v->since_us, on_record_us = known->verdict_us;
	if (on_record_us && on_record_us < c->s->unseen_us) on_record_us = c->s->unseen_us;
	if (known->verdict == WR_V_HEALTHY && on_record_us && on_record_us < since_us)
		since_us = on_record_us;
	say_sustained(c, row, since_us, "HEALTHY");
}

void wr_guard_target(guard_case *c)
{
	const wr_region_view *v = &c->w->regions[c->to];
	char seen[160], need[128];
	wr_guard *row = wr_guard_row(c, "target_healthy");
	if (!row) return;
	wr_put(seen, sizeof seen, "%s%s%s", wr_verdict_name(v->verdict), v->reason[0] ? ": " : "",
	       v->reason);
	/* A target that is being promoted and scaled is degraded for a while, and still better than
	 * what is DOWN: stopping half-way would leave people with neither. */
	bool halfway = c->during && c->during->state == WR_OP_RUNNING && c->kind == WR_RB_FAILOVER &&
	               c->w->regions[c->from].verdict == WR_V_DOWN;
	wr_put(need, sizeof need,
	       halfway ? "%s is HEALTHY, or DEGRADED while the source is DOWN" : "%s is HEALTHY",
	       region_name(c, c->to));
	wr_gate_verdict verdict = v->verdict == WR_V_HEALTHY || (halfway && v->verdict == WR_V_DEGRADED)
	                              ? WR_PASS
	                          : v->verdict == WR_V_UNKNOWN ? WR_GATE_NO_DATA
	                                                       : WR_FAIL;
	wr_guard_say(row, verdict, seen, need, "its breached signals clear");
}

void wr_guard_fresh(guard_case *c)
{
	size_t total = 0, blind = 0;
	char first[64] = "", seen[160], flip[192];
	wr_guard *row = wr_guard_row(c, "target_signals");
	if (!row) return;
	for (size_t i = 0; i < c->cfg->signal_count; i++) {
		if (strcmp(c->cfg->signals[i].region, region_name(c, c->to)) != 0) continue;
		total++;
		if (c->w->signals[i].status != WR_NO_DATA) continue;
		if (!blind++) wr_put(first, sizeof first, "%s", c->cfg->signals[i].name);
	}
	wr_put(seen, sizeof seen, "%zu of %zu fresh%s%s", total - blind, total, blind ? "; not " : "",
	       first);
	wr_put(flip, sizeof flip, total ? "a sample of %s" : "add signals for %s",
	       total ? first : region_name(c, c->to));
	wr_guard_say(row, total && !blind ? WR_PASS : WR_GATE_NO_DATA, seen,
	             "every signal of the target", flip);
}

void wr_guard_observer(guard_case *c)
{
	static const char need[] = "its references answer";
	bool references = false;
	wr_guard *row = wr_guard_row(c, "observer");
	if (!row) return;
	for (size_t i = 0; i < c->cfg->signal_count; i++)
		references = references || c->cfg->signals[i].signal_class == WR_CLASS_REFERENCE;
	if (c->w->isolated) {
		wr_guard_say(row, WR_FAIL, c->w->isolated_reason, need, "a reference answers again");
	} else if (!references) {
		row->blocking = false;
		wr_guard_say(row, WR_GATE_NO_DATA, "not configured: add references", need,
		             "add references");
	} else if (!c->w->isolation_known) {
		wr_guard_say(row, WR_GATE_NO_DATA, "no reference has answered yet", need,
		             "a sample of a reference");
	} else {
		wr_guard_say(row, WR_PASS, "not isolated", need, "");
	}
}

/* ---- replication ---- */

static bool nothing_behind(const link_lag *lag)
{
	return lag->bytes <= 0 && lag->receipts <= 0 && (lag->bytes >= 0 || lag->receipts >= 0);
}

static void judge_link(guard_case *c, size_t link)
{
	const wr_link *l = &c->cfg->links[link];
	char seen[160], need[128], rpo[16];
	link_lag lag;
	wr_guard *row = wr_guard_row(c, "lag:%s", l->name);
	if (!row) return;
	wr_link_lag(&lag, c->w, link, c->now_us);
	wr_lag_text(seen, sizeof seen, &lag, c->now_us);
	wr_duration_words(rpo, sizeof rpo, l->rpo_ms);
	wr_put(need, sizeof need, "rpo %s", rpo);
	if (!lag.known) {
		wr_guard_say(row, WR_GATE_NO_DATA, seen, need, "a measurement of the link");
	} else if (lag.sync) {
		wr_guard_say(row, WR_PASS, seen, need, "");
	} else if (lag.seconds >= 0) {
		bool within = lag.seconds * 1000 <= (double)l->rpo_ms;
		if (l->rpo_ms == 0 && (lag.bytes > 0 || lag.receipts > 0)) within = false;
		wr_guard_say(row, within ? WR_PASS : WR_FAIL, seen, need,
		             "the link catches up, or the loss is accepted by a changed rpo");
	} else if (nothing_behind(&lag) && !lag.stale) {
		wr_guard_say(row, WR_PASS, seen, need, "");
	} else {
		wr_guard_say(row, l->rpo_ms == 0 ? WR_FAIL : WR_GATE_NO_DATA, seen, need,
		             "measure the link in seconds, or let it catch up");
	}
}

void wr_guard_lag(guard_case *c)
{
	bool any = false;
	for (size_t i = 0; i < c->cfg->link_count; i++) {
		const wr_link *l = &c->cfg->links[i];
		if (strcmp(l->from, region_name(c, c->from)) != 0 ||
		    strcmp(l->to, region_name(c, c->to)) != 0 || !wr_in_group(c->cfg, l->service, c->group))
			continue;
		any = true;
		judge_link(c, i);
	}
	if (any) return;
	char seen[160];
	wr_guard *row = wr_guard_row(c, "lag");
	if (!row) return;
	wr_put(seen, sizeof seen, "not configured: add a link from %s to %s", region_name(c, c->from),
	       region_name(c, c->to));
	wr_guard_say(row, WR_GATE_NO_DATA, seen, "lag within the rpo", "add the link");
}

/* ---- policy ---- */

static const char *denied_for(const guard_case *c)
{
	for (size_t i = 0; i < c->cfg->deny_failover_count; i++) {
		const wr_pair *p = &c->cfg->deny_failover[i];
		if (strcmp(p->value, region_name(c, c->to)) != 0) continue;
		if (!strcmp(p->key, c->group)) return p->key;
		for (size_t k = 0; k < c->cfg->service_count; k++)
			if (!strcmp(c->cfg->services[k].name, p->key) &&
			    !strcmp(c->cfg->services[k].group, c->group))
				return p->key;
	}
	return NULL;
}

static bool any_residency(const wr_config *cfg)
{
	for (size_t i = 0; i < cfg->region_count; i++)
		if (cfg->regions[i].residency[0]) return true;
	return false;
}

void wr_guard_residency(guard_case *c)
{
	const char *from = c->cfg->regions[c->from].residency, *to = c->cfg->regions[c->to].residency;
	const char *denied = denied_for(c);
	char seen[160], need[128] = "the same residency, or a pair that is allowed";
	wr_guard *row = wr_guard_row(c, "residency");
	if (!row) return;
	if (denied) {
		wr_put(seen, sizeof seen, "%s must never move to %s", denied, region_name(c, c->to));
		wr_guard_say(row, WR_FAIL, seen, "not on the deny list",
		             "another target, or a maintenance page instead");
		return;
	}
	if (!from[0] || !to[0]) {
		wr_put(seen, sizeof seen, "not configured: add residency to %s",
		       region_name(c, from[0] ? c->to : c->from));
		row->blocking = any_residency(c->cfg);
		wr_guard_say(row, WR_GATE_NO_DATA, seen, need, "add the residency of both regions");
		return;
	}
	bool allowed = !strcmp(from, to);
	for (size_t i = 0; i < c->cfg->residency_allow_count && !allowed; i++)
		allowed = !strcmp(c->cfg->residency_allow[i].key, from) &&
		          !strcmp(c->cfg->residency_allow[i].value, to);
	wr_put(seen, sizeof seen, "%s → %s", from, to);
	wr_guard_say(row, allowed ? WR_PASS : WR_FAIL, seen, need,
	             "another target, or an allowed pair in the policy");
}

/* ---- ourselves ---- */

void wr_guard_ledger(guard_case *c)
{
	wr_guard *row = wr_guard_row(c, "ledger");
	if (!row) return;
	const char *why = c->w->ledger_reason;
	bool ok = c->w->ledger_ok;
	wr_guard_say(row, ok ? WR_PASS : WR_FAIL,
	             why[0] ? why
	             : ok   ? "intact"
	                    : "not intact",
	             "our own record is intact",
	             "restore or repair the ledger; `warroom ledger verify` says where");
}

void wr_guard_one(guard_case *c)
{
	char seen[160] = "none", flip[96] = "";
	wr_gate_verdict verdict = WR_PASS;
	wr_guard *row = wr_guard_row(c, "one_operation");
	if (!row) return;
	for (size_t i = 0; i < c->s->op_count; i++) {
		const wr_op *op = &c->s->ops[i]->op;
		if (op == c->during || wr_op_final(op->state) || strcmp(op->group, c->group) != 0) continue;
		wr_put(seen, sizeof seen, "%s is %s", op->id, wr_op_state_name(op->state));
		wr_put(flip, sizeof flip, "%s ends: it completes, is denied or is aborted", op->id);
		verdict = WR_FAIL;
	}
	wr_guard_say(row, verdict, seen, "no other operation in the group", flip);
}

void wr_guard_cooldown(guard_case *c)
{
	const wr_op *last = NULL;
	char seen[160], need[128], flip[64], age[24];
	wr_guard *row = wr_guard_row(c, "cool_down");
	if (!row) return;
	for (size_t i = 0; i < c->s->op_count; i++) {
		const wr_op *op = &c->s->ops[i]->op;
		if (!wr_op_final(op->state) || !op->started_us || strcmp(op->group, c->group) != 0)
			continue;
		if (!last || op->finished_us > last->finished_us) last = op;
	}
	wr_duration_words(age, sizeof age, c->cfg->cooldown_ms);
	wr_put(need, sizeof need, "%s between two operations", age);
	if (!last) {
		wr_guard_say(row, WR_PASS, "no operation yet", need, "");
		return;
	}
	int64_t free_us = last->finished_us + c->cfg->cooldown_ms * US_PER_MS;
	wr_put(seen, sizeof seen, "%s ended %s", last->id,
	       wr_age_text(age, last->finished_us, c->now_us));
	bool pass = c->now_us >= free_us;
	wr_duration_words(age, sizeof age, pass ? 0 : (free_us - c->now_us) / US_PER_MS);
	wr_put(flip, sizeof flip, "time: %s more", age);
	wr_guard_say(row, pass ? WR_PASS : WR_FAIL, seen, need, flip);
	if (!pass) row->eta_us = free_us;
}

void wr_guard_flapping(guard_case *c)
{
	size_t region = c->kind == WR_RB_FAILBACK ? c->to : c->from;
	const region_flips *f = &c->s->flips[region];
	unsigned flips = 0;
	int64_t times[WR_FLIPS_KEPT], since_us = c->now_us - FLAP_WINDOW_US;
	char seen[160], need[128];
	wr_guard *row = wr_guard_row(c, "flapping");
	if (!row) return;
	for (unsigned i = 0; i < WR_FLIPS_KEPT && i < f->head; i++) {
		int64_t at_us = f->at_us[(f->head - 1 - i) % WR_FLIPS_KEPT];
		if (at_us > since_us) times[flips++] = at_us;
	}
	wr_put(seen, sizeof seen, "%s changed %u time%s in 10 m", region_name(c, region), flips,
	       flips == 1 ? "" : "s");
	wr_put(need, sizeof need, "at most %d changes between better and worse", FLAPS_MOST);
	wr_guard_say(row, flips <= FLAPS_MOST ? WR_PASS : WR_FAIL, seen, need,
	             "time without another change");
	if (flips > FLAPS_MOST) row->eta_us = times[FLAPS_MOST] + FLAP_WINDOW_US;
}
