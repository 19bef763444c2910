/* state.c: the folded state: its life, its look-ups, its plans. The folding itself is in fold.c and
 * fold_op.c. Pure; not thread-safe (the main loop owns it). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/json.h"

const char *wr_op_state_name(wr_op_state s)
{
	static const char *const names[] = {
#define X(id, name) name,
	    WR_OP_STATES(X)
#undef X
	};
	return (unsigned)s < WR_OP_STATE_COUNT ? names[s] : "?";
}

bool wr_op_final(wr_op_state s)
{
	return s >= WR_OP_COMPLETED;
}

const char *wr_step_state_name(wr_step_state s)
{
	static const char *const names[] = {
#define X(id, name) name,
	    WR_SS(X)
#undef X
	};
	return (unsigned)s < sizeof names / sizeof names[0] ? names[s] : "?";
}

wr_state *wr_state_new(const wr_config *cfg)
{
	wr_state *s = calloc(1, sizeof *s);
	if (!s) return NULL;
	s->nonces = json_object();
	if (!s->nonces) {
		free(s);
		return NULL;
	}
	s->cfg = cfg;
	s->seq = -1;
	for (size_t i = 0; i < cfg->region_count; i++) {
		s->regions[i].role = cfg->regions[i].role;
		s->regions[i].verdict = WR_V_UNKNOWN;
	}
	return s;
}

static void slot_free(op_slot *slot)
{
	if (slot->op.plan) json_decref(slot->op.plan);
	for (size_t i = 0; i < WR_MAX_STEPS; i++) free(slot->baselines[i]);
	free(slot);
}

void wr_state_free(wr_state *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->op_count; i++) slot_free(s->ops[i]);
	for (size_t i = 0; i < WR_PLANS_WAIT; i++)
		if (s->plans[i].plan) json_decref(s->plans[i].plan);
	json_decref(s->nonces);
	free(s);
}

op_slot *wr_slot(const wr_state *s, const char *id)
{
	for (size_t i = s->op_count; i-- > 0;)
		if (!strcmp(s->ops[i]->op.id, id)) return s->ops[i];
	return NULL;
}

op_slot *wr_slot_add(wr_state *s, const char *id)
{
	if (s->op_count == WR_OPS_KEPT) {
		size_t victim = 0;
		while (victim + 1 < s->op_count && !wr_op_final(s->ops[victim]->op.state)) victim++;
		int64_t number = wr_id_number(s->ops[victim]->op.id, "op-");
		if (number > s->forgotten_op) s->forgotten_op = number;
		slot_free(s->ops[victim]);
		for (size_t i = victim; i + 1 < s->op_count; i++) s->ops[i] = s->ops[i + 1];
		s->op_count--;
	}
	/* Large, and mostly never touched: calloc gives untouched pages for nothing. */
	op_slot *slot = calloc(1, sizeof *slot);
	if (!slot) wr_die("out of memory while folding %s", id);
	wr_put(slot->op.id, sizeof slot->op.id, "%s", id);
	s->ops[s->op_count++] = slot;
	return slot;
}

/* People approve the plan by its hash, and the receipt that proposes it repeats parts of it: what
 * policy, which regions, which group. Where the two differ, nobody knows what was approved. */
static bool plan_is_of(const wr_op *op, const json_t *plan)
{
	const struct {
		const char *key, *said;
	} parts[] = {{"kind", wr_runbook_kind_name(op->kind)},
	             {"runbook", op->runbook},
	             {"group", op->group},
	             {"from", op->from},
	             {"to", op->to},
	             {"steps_hash", op->steps_hash}};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (strcmp(wr_json_str(plan, parts[i].key, ""), parts[i].said) != 0) return false;
	return true;
}

static void slot_set_plan(wr_state *s, op_slot *slot, json_t *plan)
{
	if (!plan_is_of(&slot->op, plan)) {
		s->contradictions++;
		return;
	}
	slot->op.plan = json_incref(plan);
	size_t n = json_array_size(json_object_get(plan, "steps"));
	slot->op.step_count = n < WR_MAX_STEPS ? n : WR_MAX_STEPS;
}

void wr_slot_bind_plan(wr_state *s, op_slot *slot)
{
	for (size_t i = 0; i < WR_PLANS_WAIT && !slot->op.plan; i++) {
		if (!s->plans[i].plan || strcmp(s->plans[i].hash, slot->op.plan_hash) != 0) continue;
		slot_set_plan(s, slot, s->plans[i].plan);
		json_decref(s->plans[i].plan);
		s->plans[i].plan = NULL;
	}
}

void wr_state_put_plan(wr_state *s, const char *plan_hash, json_t *plan)
{
	char hex[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_err err = {0};
	if (!plan) return;
	if (wr_plan_hash(plan, hex, words, &err) != 0 || strcmp(hex, plan_hash) != 0 ||
	    wr_plan_check(plan, &err) != 0) {
		s->contradictions++;
		json_decref(plan);
		return;
	}
	bool bound = false;
	for (size_t i = 0; i < s->op_count; i++) {
		op_slot *slot = s->ops[i];
		if (strcmp(slot->op.plan_hash, hex) != 0) continue;
		if (!slot->op.plan) slot_set_plan(s, slot, plan);
		bound = true;
	}
	if (bound) {
		json_decref(plan);
		return;
	}
	size_t at = s->plan_next++ % WR_PLANS_WAIT;
	if (s->plans[at].plan) json_decref(s->plans[at].plan);
	s->plans[at].plan = plan;
	memcpy(s->plans[at].hash, hex, sizeof hex);
}

size_t wr_state_ops(const wr_state *s, const wr_op **out, size_t max)
{
	size_t n = 0;
	for (size_t i = s->op_count; i-- > 0 && n < max;) out[n++] = &s->ops[i]->op;
	return n;
}

const wr_op *wr_state_op(const wr_state *s, const char *id)
{
	op_slot *slot = wr_slot(s, id);
	return slot ? &slot->op : NULL;
}

const wr_op *wr_state_active(const wr_state *s, const char *group)
{
	for (size_t i = s->op_count; i-- > 0;) {
		const wr_op *op = &s->ops[i]->op;
		if (!wr_op_final(op->state) && (!group || !strcmp(op->group, group))) return op;
	}
	return NULL;
}

const wr_region_state *wr_state_region(const wr_state *s, size_t region_index)
{
	WR_ASSERT(region_index < s->cfg->region_count);
	return &s->regions[region_index];
}

int64_t wr_state_seq(const wr_state *s)
{
	return s->seq;
}

int64_t wr_state_epoch(const wr_state *s)
{
	return s->epoch;
}

uint64_t wr_state_contradictions(const wr_state *s)
{
	return s->contradictions;
}

const char *wr_state_incident(const wr_state *s, int64_t *started_us)
{
	if (started_us) *started_us = s->incident[0] ? s->incident_us : 0;
	return s->incident;
}

const char *wr_state_incident_title(const wr_state *s)
{
	return s->incident_title;
}

bool wr_state_nonce_used(const wr_state *s, const char *nonce)
{
	return json_object_get(s->nonces, nonce) != NULL;
}

int64_t wr_id_number(const char *id, const char *prefix)
{
	size_t n = strlen(prefix);
	if (strncmp(id, prefix, n) != 0 || !id[n] || strlen(id + n) > 15) return -1;
	int64_t value = 0;
	for (const char *p = id + n; *p; p++) {
		if (*p < '0' || *p > '9') return -1;
		value = value * 10 + (*p - '0');
	}
	return value;
}

void wr_state_next_id(const wr_state *s, char out[static WR_ID_LEN])
{
	wr_put(out, WR_ID_LEN, "op-%lld", (long long)(s->last_op + 1));
}

int wr_state_primary(const wr_state *s)
{
	for (size_t i = 0; i < s->cfg->region_count; i++)
		if (s->regions[i].role == WR_PRIMARY) return (int)i;
	return -1;
}

const json_t *wr_op_plan_step(const wr_op *op, size_t index)
{
	return op->plan ? json_array_get(json_object_get(op->plan, "steps"), index) : NULL;
}

const char *wr_op_step_name(const wr_op *op, size_t index)
{
	return wr_json_str(wr_op_plan_step(op, index), "name", "");
}

static int forward_current(const wr_op *op)
{
	for (size_t i = 0; i < op->step_count; i++)
		if (op->steps[i].state != WR_SS_DONE && op->steps[i].state != WR_SS_SKIPPED) return (int)i;
	return -1;
}

int wr_op_current(const wr_op *op)
{
	if (wr_op_final(op->state)) return -1;
	bool back = op->state == WR_OP_ROLLING_BACK ||
	            (op->state == WR_OP_HELD && op->held_from == WR_OP_ROLLING_BACK);
	return back ? wr_undo_next(op) : forward_current(op);
}
