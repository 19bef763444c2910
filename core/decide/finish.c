/* finish.c: the end of an operation: roles, the contract receipts, times against the RTO. Pure.
 *
 * Everything in the contracts is measured in this operation. The completion comes last, so that a
 * crash between two receipts is finished by the next tick; each of the others is written once. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "decide/internal.h"
#include "warroom/json.h"

void wr_set_finish(const wr_decision *d, json_t *draft, const wr_op *op)
{
	int64_t duration_ms = op->started_us ? (d->now_us - op->started_us) / US_PER_MS : 0;
	int64_t impact_ms = op->impact_us ? (d->now_us - op->impact_us) / US_PER_MS : -1;
	int64_t measured_ms = impact_ms >= 0 ? impact_ms : duration_ms;
	wr_set_int(draft, "duration_ms", duration_ms);
	wr_set_int(draft, "impact_to_finish_ms", impact_ms);
	wr_set_int(draft, "rto_ms", op->rto_ms);
	wr_set_bool(draft, "rto_met", op->started_us && op->rto_ms > 0 && measured_ms <= op->rto_ms);
}

static int64_t seconds_up(int64_t ms)
{
	return (ms + 999) / 1000;
}

static int64_t phase_ms(const wr_op *op, wr_phase phase)
{
	int64_t ms = 0;
	for (size_t i = 0; i < op->step_count; i++) {
		step_view v;
		if (wr_step_view(&v, op, i, false) && v.phase == phase && op->steps[i].state == WR_SS_DONE)
			ms += op->steps[i].duration_ms;
	}
	return ms;
}

static int64_t traffic_ttl_s(const wr_op *op)
{
	for (size_t i = 0; i < op->step_count; i++) {
		step_view v;
		if (wr_step_view(&v, op, i, false) && v.kind == WR_STEP_TRAFFIC)
			return wr_json_int(v.action, "ttl_s", 0);
	}
	return 0;
}

static const char *status_word(wr_verdict v)
{
	switch (v) {
	case WR_V_DOWN:
		return "unavailable";
	case WR_V_SUSPECT:
		return "suspect";
	case WR_V_DEGRADED:
		return "degraded";
	case WR_V_HEALTHY:
		return "healthy";
	default:
		return "unknown";
	}
}

/* The source region as the plan saw it. */
static const json_t *source_evidence(const wr_op *op)
{
	size_t i;
	json_t *row;
	json_array_foreach (json_object_get(json_object_get(op->plan, "evidence"), "regions"), i, row)
		if (!strcmp(wr_json_str(row, "name", ""), op->from)) return row;
	return NULL;
}

/* ---- <datastore>_failover_executed ---- */

static bool mentions(const char *name, const char *kind)
{
	size_t n = strlen(kind);
	if (!n) return false;
	for (; *name; name++)
		if (!strncasecmp(name, kind, n)) return true;
	return false;
}

static bool datastore_done(const wr_decision *d, const wr_op *op, const char *kind)
{
	char item[72];
	const op_slot *slot = wr_slot(d->s, op->id);
	wr_put(item, sizeof item, ",%s,", kind);
	return slot && strstr(slot->datastores_done, item) != NULL;
}

static void emit_datastore(wr_decision *d, const wr_op *op, size_t step, const char *kind)
{
	char operation[64];
	const json_t *source = source_evidence(op);
	const char *why = op->reason[0] ? op->reason : wr_json_str(source, "reason", "");
	wr_put(operation, sizeof operation, "%.40s_failover_executed", kind);
	for (char *p = operation; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p)) *p = '_';
	json_t *r = wr_draft(d, operation);
	wr_set_str(r, "primary_region", op->from);
	wr_set_str(r, "secondary_region", op->to);
	wr_set_str(r, "reason", why);
	wr_set_int(r, "failure_count", wr_json_int(source, "bad_streak", 0));
	wr_set_int(r, "failover_latency_ms", op->steps[step].duration_ms);
	wr_set_str(r, "status", "failed_over");
	wr_emit(d, r);
}

/* A promote step that names the kind of a link between the two promoted that datastore. */
static void emit_datastores(wr_decision *d, const wr_op *op)
{
	for (size_t l = 0; l < d->cfg->link_count; l++) {
		const wr_link *link = &d->cfg->links[l];
		bool ours = !strcmp(link->from, op->from) && !strcmp(link->to, op->to);
		for (size_t k = 0; k < l && ours; k++) /* each kind once */
			if (!strcmp(d->cfg->links[k].kind, link->kind) &&
			    !strcmp(d->cfg->links[k].from, op->from) && !strcmp(d->cfg->links[k].to, op->to))
				ours = false;
		if (!ours || datastore_done(d, op, link->kind)) continue;
		for (size_t i = 0; i < op->step_count && wr_room(d) > 4; i++) {
			step_view v;
			if (op->steps[i].state != WR_SS_DONE || !wr_step_view(&v, op, i, false) ||
			    v.phase != WR_PHASE_PROMOTE || !mentions(v.name, link->kind))
				continue;
			emit_datastore(d, op, i, link->kind);
			break;
		}
	}
}

/* ---- regional_failover_completed ---- */

static void emit_regional(wr_decision *d, const wr_op *op)
{
	int from = wr_region_index(d->cfg, op->from);
	int64_t since_us = op->impact_us ? op->impact_us : op->started_us;
	json_t *r = wr_draft(d, "regional_failover_completed");
	wr_set_str(r, "primary_region_status",
	           status_word(from < 0 ? WR_V_UNKNOWN : d->s->regions[from].verdict));
	wr_set_str(r, "primary_region", op->from);
	wr_set_str(r, "secondary_region", op->to);
	wr_set_str(r, "failover_trigger", "operator_command");
	wr_set_int(r, "dns_ttl_seconds", traffic_ttl_s(op));
	wr_set_int(r, "dns_propagation_seconds", seconds_up(phase_ms(op, WR_PHASE_SHIFT)));
	wr_set_int(r, "warm_start_duration_seconds", seconds_up(phase_ms(op, WR_PHASE_SCALE)));
	wr_set_int(r, "total_failover_time_seconds", seconds_up((d->now_us - since_us) / US_PER_MS));
	wr_set_str(r, "status", "secondary_active");
	wr_emit(d, r);
}

static void emit_role(wr_decision *d, const wr_op *op, const char *region, wr_role role)
{
	int i = wr_region_index(d->cfg, region);
	if (i < 0 || d->s->regions[i].role == role) return;
	json_t *r = wr_draft(d, "region_role_changed");
	wr_set_str(r, "region", region);
	wr_set_str(r, "role", wr_role_text(role));
	wr_set_str(r, "operation_id", op->id);
	wr_emit(d, r);
}

void wr_finish_complete(wr_decision *d, const wr_op *op)
{
	const op_slot *slot = wr_slot(d->s, op->id);
	size_t skipped = 0;
	for (size_t i = 0; i < op->step_count; i++) skipped += op->steps[i].state == WR_SS_SKIPPED;
	if (op->kind != WR_RB_OTHER) {
		emit_role(d, op, op->from, WR_STANDBY);
		emit_role(d, op, op->to, WR_PRIMARY);
	}
	if (op->kind == WR_RB_FAILOVER) {
		emit_datastores(d, op);
		if (slot && !slot->regional_done && wr_room(d)) emit_regional(d, op);
	}
	json_t *r = wr_transition(d, op, "R-COMPLETE", "%zu steps done, %zu skipped",
	                          op->step_count - skipped, skipped);
	wr_set_finish(d, r, op);
	wr_emit(d, r);
}
