/* fold_op.c: folding what belongs to operations: proposals, approvals, transitions, steps. Pure.
 *
 * Transitions go by the table (table.c): a receipt for which the operation's state has no rule is a
 * contradiction and changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

#define STR(r, key, to) wr_receipt_str(r, key, to, sizeof(to))

static int64_t time_field(const wr_receipt *r, const char *key)
{
	char text[40];
	int64_t us = 0;
	if (!STR(r, key, text) || !text[0]) return 0;
	return wr_time_parse(text, &us, NULL) == 0 ? us : 0;
}

static op_slot *slot_of(wr_state *s, const wr_receipt *r)
{
	char id[WR_ID_LEN];
	op_slot *slot = STR(r, "operation_id", id) ? wr_slot(s, id) : NULL;
	if (!slot) s->contradictions++;
	return slot;
}

static void fold_proposed(wr_state *s, const wr_receipt *r)
{
	char id[WR_ID_LEN], kind[16], group[64];
	STR(r, "operation_id", id);
	STR(r, "kind", kind);
	STR(r, "group", group);
	if (!id[0] || wr_slot(s, id)) {
		s->contradictions++;
		return;
	}
	if (wr_state_active(s, group)) s->contradictions++; /* law 4; known all the same */
	op_slot *slot = wr_slot_add(s, id);
	wr_op *op = &slot->op;
	int k = wr_rb_kind_parse_name(kind);
	op->kind = k < 0 ? WR_RB_OTHER : (wr_runbook_kind)k;
	op->state = WR_OP_PROPOSED;
	STR(r, "group", op->group);
	STR(r, "runbook", op->runbook);
	STR(r, "from_region", op->from);
	STR(r, "to_region", op->to);
	STR(r, "plan_hash", op->plan_hash);
	STR(r, "steps_hash", op->steps_hash);
	STR(r, "proposer", op->proposer);
	STR(r, "reason", op->reason);
	STR(r, "words", op->words);
	op->expires_us = time_field(r, "expires");
	op->proposed_us = r->timestamp_us;
	op->epoch = r->epoch;
	int64_t n = wr_id_number(id, "op-");
	if (n > s->last_op) s->last_op = n;
	wr_slot_bind_plan(s, slot);
}

static size_t rule_stem(const char *decision) /* "rule:step:" of "rule:step:done"; 0: no ruling */
{
	if (strncmp(decision, "rule:", 5) != 0) return 0;
	const char *last = strrchr(decision, ':');
	return (size_t)(last - decision) + 1;
}

/* A person's newest word on a matter replaces the older one. */
static bool same_matter(const wr_approval *a, const wr_approval *b)
{
	if (strcmp(a->principal, b->principal) != 0) return false;
	size_t stem = rule_stem(b->decision);
	if (stem > 5) return !strncmp(a->decision, b->decision, stem);
	return !strcmp(a->decision, b->decision);
}

/* What the way back stands on, and what forbids: ticks and rulings are used up, these are not. */
static bool worth_keeping(const wr_approval *a)
{
	return !strcmp(a->decision, "approve") || !strcmp(a->decision, "deny");
}

static wr_approval *approval_place(wr_op *op, const wr_approval *a)
{
	const size_t max = sizeof op->approvals / sizeof op->approvals[0];
	for (size_t i = 0; i < op->approval_count; i++)
		if (same_matter(&op->approvals[i], a)) return &op->approvals[i];
	if (op->approval_count < max) return &op->approvals[op->approval_count++];
	wr_approval *oldest = &op->approvals[0];
	for (size_t i = 1; i < max; i++) {
		const wr_approval *b = &op->approvals[i];
		bool worth = worth_keeping(b), less = worth_keeping(oldest) && !worth;
		if (less || (worth == worth_keeping(oldest) && b->expires_us < oldest->expires_us))
			oldest = &op->approvals[i];
	}
	return oldest;
}

bool wr_approval_lives(const wr_approval *a, int64_t at_us)
{
	return !a->ran_out && a->expires_us > at_us;
}

static void await_expiry(wr_state *s, const wr_approval *a)
{
	if (!a->ran_out && (!s->next_expiry_us || a->expires_us < s->next_expiry_us))
		s->next_expiry_us = a->expires_us;
}

void wr_fold_time(wr_state *s, int64_t at_us)
{
	if (!s->next_expiry_us || at_us < s->next_expiry_us) return;
	s->next_expiry_us = 0;
	for (size_t i = 0; i < s->op_count; i++) {
		wr_op *op = &s->ops[i]->op;
		for (size_t k = 0; k < op->approval_count; k++) {
			wr_approval *a = &op->approvals[k];
			if (a->expires_us <= at_us) a->ran_out = true;
			await_expiry(s, a);
		}
	}
}

static wr_assurance assurance_field(const wr_receipt *r, const char *key)
{
	char text[24];
	wr_assurance a = WR_SHARED_TERMINAL;
	if (!STR(r, key, text) || wr_assurance_parse(text, &a) != 0) return WR_SHARED_TERMINAL;
	return a;
}

bool wr_fold_nonce(wr_state *s, const wr_receipt *r)
{
	char nonce[sizeof((wr_approval *)0)->nonce];
	if (!STR(r, "nonce", nonce) || !nonce[0]) return false;
	bool fresh = !wr_state_nonce_used(s, nonce);
	if (fresh && json_object_set_new(s->nonces, nonce, json_true()) != 0)
		wr_die("out of memory while folding an approval");
	return fresh;
}

static void fold_approval(wr_state *s, const wr_receipt *r)
{
	wr_approval a = {0};
	char plan_hash[WR_HEX_LEN];
	STR(r, "principal", a.principal);
	STR(r, "role", a.role);
	STR(r, "decision", a.decision);
	STR(r, "key_fingerprint", a.fingerprint);
	STR(r, "nonce", a.nonce);
	STR(r, "plan_hash", plan_hash);
	wr_assurance as_signed = assurance_field(r, "assurance");
	a.assurance = assurance_field(r, "observed_assurance");
	if (as_signed < a.assurance) a.assurance = as_signed;
	a.expires_us = time_field(r, "expires");
	a.at_us = r->timestamp_us;
	a.seq = r->seq;
	int64_t most_us = a.at_us + WR_APPROVAL_EXPIRY_MAX_S * US_PER_S;
	if (a.expires_us > most_us) a.expires_us = most_us; /* nobody is bound for longer */
	bool fresh = wr_fold_nonce(s, r);
	op_slot *slot = slot_of(s, r);
	if (!slot) return;
	wr_op *op = &slot->op;
	bool whole = fresh && a.principal[0] && a.fingerprint[0];
	/* A deny that is not whole denies all the same: it makes nothing happen. */
	if ((!whole && strcmp(a.decision, "deny") != 0) || strcmp(op->plan_hash, plan_hash) != 0 ||
	    wr_op_final(op->state)) {
		s->contradictions++;
		return;
	}
	a.ran_out = a.expires_us <= a.at_us;
	await_expiry(s, &a);
	*approval_place(op, &a) = a;
	if (!strncmp(a.decision, "tick:", 5))
		for (size_t i = 0; i < op->step_count; i++)
			if (op->steps[i].intent_open && !strcmp(wr_op_step_name(op, i), a.decision + 5))
				op->steps[i].ticked = true;
}

/* ---- transitions ---- */

static void leave_hold(wr_op *op)
{
	/* A person (or two, by ruling) said go on: what had used up its retries has new ones. */
	bool again = !strcmp(op->held_rule, HOLD_FAILED) || !strcmp(op->held_rule, HOLD_UNDO) ||
	             !strcmp(op->held_rule, HOLD_UNCERTAIN);
	for (size_t i = 0; i < op->step_count; i++) {
		wr_op_step *st = &op->steps[i];
		st->probe_open = false;
		if (again && (st->state == WR_SS_FAILED || st->state == WR_SS_UNDO_FAILED ||
		              st->state == WR_SS_UNCERTAIN))
			st->attempts_free = st->attempts;
	}
	op->held_reason[0] = op->held_rule[0] = '\0';
}

static void enter(wr_op *op, const wr_rule *rule, const wr_receipt *r)
{
	wr_op_state before = op->state;
	op->state = rule->to;
	if (rule->to == WR_OP_APPROVED) op->approved_us = r->timestamp_us;
	if (rule->to == WR_OP_HELD) {
		if (before != WR_OP_HELD) op->held_from = before;
		STR(r, "reason", op->held_reason);
		STR(r, "rule", op->held_rule);
		op->held_us = r->timestamp_us;
		op->held_seq = r->seq;
	} else if (before == WR_OP_HELD) {
		leave_hold(op);
	}
	if (before == WR_OP_APPROVED && rule->to == WR_OP_RUNNING) {
		op->started_us = r->timestamp_us;
		op->epoch = r->epoch;
		op->rto_ms = wr_receipt_int(r, "rto_ms", 0);
		op->impact_us = time_field(r, "impact_started");
	}
	if (wr_op_final(rule->to)) {
		op->finished_us = r->timestamp_us;
		STR(r, "reason", op->final_reason);
	}
}

static bool fold_transition(wr_state *s, const wr_receipt *r)
{
	if (strncmp(r->operation, "operation_", 10) != 0) return false;
	op_slot *slot = slot_of(s, r);
	if (!slot) return true;
	wr_op *op = &slot->op;
	const wr_rule *rule = wr_rule_receipt(op, r->operation);
	if (!rule)
		s->contradictions++;
	else if (!strcmp(r->operation, "operation_abort_requested"))
		op->abort_requested = true;
	else
		enter(op, rule, r);
	return true;
}

/* ---- steps ---- */

typedef struct step_ref {
	op_slot *slot;
	wr_op *op;
	wr_op_step *st;
	size_t index;
	int attempt;
	bool undo;
} step_ref;

static bool step_of(wr_state *s, const wr_receipt *r, step_ref *out)
{
	int64_t index = wr_receipt_int(r, "index", -1), attempt = wr_receipt_int(r, "attempt", 0);
	out->slot = slot_of(s, r);
	if (!out->slot) return false;
	out->op = &out->slot->op;
	if (index < 0 || index >= WR_MAX_STEPS || attempt < 0 || attempt > INT16_MAX ||
	    (out->op->plan && (size_t)index >= out->op->step_count) || wr_op_final(out->op->state)) {
		s->contradictions++;
		return false;
	}
	out->index = (size_t)index;
	if (out->index >= out->op->step_count) out->op->step_count = out->index + 1;
	out->st = &out->op->steps[index];
	out->attempt = (int)attempt;
	out->undo = wr_receipt_bool(r, "undo", false);
	return true;
}

/* "12,40": how many samples each gate signal had. */
static void keep_baseline(op_slot *slot, size_t index, const wr_receipt *r)
{
	wr_op_step *st = &slot->op.steps[index];
	const wr_field *f = wr_receipt_field(r, "baseline");
	free(slot->baselines[index]);
	slot->baselines[index] = NULL;
	st->baseline = NULL;
	st->baseline_count = 0;
	if (!f || f->raw_len < 3) return;
	size_t count = 1;
	for (size_t i = 1; i + 1 < f->raw_len; i++) count += f->raw[i] == ',';
	int64_t *list = calloc(count, sizeof *list);
	if (!list) wr_die("out of memory while folding a soak");
	size_t n = 0;
	for (size_t i = 1; i + 1 < f->raw_len; i++) {
		char c = f->raw[i];
		if (c == ',')
			n++;
		else if (c >= '0' && c <= '9' && list[n] < WR_INT_MAX_SAFE / 10)
			list[n] = list[n] * 10 + (c - '0');
	}
	slot->baselines[index] = list;
	st->baseline = list;
	st->baseline_count = count;
}

static bool in_doubt(const wr_op_step *st)
{
	return st->state == WR_SS_UNCERTAIN && !wr_kind_waits(st->kind);
}

static void fold_intent(wr_state *s, const wr_receipt *r)
{
	step_ref f;
	char kind[16];
	if (!step_of(s, r, &f)) return;
	wr_op_step *st = f.st;
	bool fits = f.op->state == (f.undo ? WR_OP_ROLLING_BACK : WR_OP_RUNNING) && !st->intent_open;
	if (!fits) s->contradictions++; /* an intent is believed all the same: it may have acted */
	if (f.undo != st->undo || st->attempts == 0) {
		st->attempts = st->attempts_free = 0;
		st->was_uncertain = st->doubtful = false;
		st->ruling[0] = '\0';
	} else if (in_doubt(st)) {
		st->doubtful = true; /* how that attempt ended will never be known */
	}
	st->undo = f.undo;
	st->attempts = f.attempt;
	st->state = f.undo ? WR_SS_UNDOING : WR_SS_RUNNING;
	st->intent_open = true;
	st->ticked = st->probe_open = false;
	st->intent_us = r->timestamp_us;
	st->outcome[0] = st->error[0] = st->output[0] = '\0';
	STR(r, "kind", kind);
	int k = wr_kind_parse(kind);
	st->kind = k < 0 ? WR_STEP_HTTP : (wr_step_kind)k;
	if (st->kind == WR_STEP_SOAK) {
		st->soak_started_us = r->timestamp_us;
		keep_baseline(f.slot, f.index, r);
	}
}

static void fold_result(wr_state *s, const wr_receipt *r)
{
	step_ref f;
	char outcome[16];
	if (!step_of(s, r, &f)) return;
	wr_op_step *st = f.st;
	STR(r, "outcome", outcome);
	bool done = !strcmp(outcome, "done"), skipped = !strcmp(outcome, "skipped");
	bool awaited = st->intent_open || st->state == WR_SS_UNCERTAIN;
	if ((!awaited && !(skipped && st->state == WR_SS_FAILED)) || f.undo != st->undo ||
	    f.attempt != st->attempts) {
		s->contradictions++;
		return;
	}
	/* Done is done, whichever attempt it was; and a probe's "no" is of all of them. */
	if (done || st->probe_open) st->doubtful = false;
	if (skipped && in_doubt(st)) st->doubtful = true;
	memcpy(st->outcome, outcome, sizeof outcome);
	STR(r, "error", st->error);
	STR(r, "output", st->output);
	st->duration_ms = wr_receipt_int(r, "duration_ms", 0);
	st->result_us = r->timestamp_us;
	st->said_seq = r->seq;
	st->intent_open = st->probe_open = false;
	if (f.undo)
		st->state = done ? WR_SS_UNDONE : WR_SS_UNDO_FAILED;
	else
		st->state = done ? WR_SS_DONE : skipped ? WR_SS_SKIPPED : WR_SS_FAILED;
}

static void fold_uncertain(wr_state *s, const wr_receipt *r)
{
	step_ref f;
	if (!step_of(s, r, &f)) return;
	if (!f.st->intent_open || f.undo != f.st->undo) {
		s->contradictions++;
		return;
	}
	f.st->state = WR_SS_UNCERTAIN;
	f.st->intent_open = f.st->probe_open = f.st->ticked = false;
	f.st->uncertain_us = r->timestamp_us;
	f.st->was_uncertain = true;
	STR(r, "reason", f.st->error);
	if (wr_kind_waits(f.st->kind)) f.st->attempts_free++;
}

static void fold_probing(wr_state *s, const wr_receipt *r)
{
	step_ref f;
	if (!step_of(s, r, &f)) return;
	if (f.st->state != WR_SS_UNCERTAIN) {
		s->contradictions++;
		return;
	}
	f.st->probe_open = true;
	f.st->probe_us = r->timestamp_us;
}

/* Is it what two people are on record with? The receipt alone is only what an engine said. */
static bool ruled_by_two(const step_ref *f, const wr_receipt *r, const char *ruling)
{
	char step[64];
	const wr_approval *one, *two;
	STR(r, "step", step);
	if (f->op->plan && strcmp(step, wr_op_step_name(f->op, f->index)) != 0) return false;
	return wr_find_ruling(NULL, f->op, f->index, step, r->timestamp_us, &one, &two) &&
	       !strcmp(strrchr(one->decision, ':') + 1, ruling);
}

/* Without the plan nothing moves, whatever is said. */
static bool in_question(const step_ref *f, const char *ruling)
{
	if (!f->op->plan) return true;
	return f->undo == (f->op->held_from == WR_OP_ROLLING_BACK) &&
	       wr_ruling_fits(f->op, f->index, ruling);
}

static void fold_ruled(wr_state *s, const wr_receipt *r)
{
	step_ref f;
	char ruling[sizeof f.st->ruling];
	if (!step_of(s, r, &f)) return;
	wr_op_step *st = f.st;
	STR(r, "ruling", ruling);
	if (f.op->state != WR_OP_HELD || st->intent_open || !in_question(&f, ruling) ||
	    !ruled_by_two(&f, r, ruling)) {
		s->contradictions++;
		return;
	}
	/* "Skip" says what to do next, not what happened. */
	st->doubtful = !strcmp(ruling, "skip") && (st->doubtful || in_doubt(st));
	memcpy(st->ruling, ruling, sizeof ruling);
	st->ruled_seq = st->said_seq = r->seq;
	st->probe_open = false;
	if (!strcmp(ruling, "done")) {
		st->state = f.undo ? WR_SS_UNDONE : WR_SS_DONE;
	} else if (!strcmp(ruling, "skip")) {
		st->state = f.undo ? WR_SS_UNDO_FAILED : WR_SS_SKIPPED;
	} else {
		st->state = f.undo ? WR_SS_UNDO_FAILED : WR_SS_WAITING;
		st->attempts_free = st->attempts;
	}
	st->undo = f.undo;
}

/* ---- the contracts, which name no operation: theirs is the running one between the regions ----
 */

static void fold_contract(wr_state *s, const wr_receipt *r)
{
	static const char suffix[] = "_failover_executed";
	char from[64], to[64];
	STR(r, "primary_region", from);
	STR(r, "secondary_region", to);
	size_t len = strlen(r->operation);
	for (size_t i = s->op_count; i-- > 0;) {
		op_slot *slot = s->ops[i];
		if (wr_op_final(slot->op.state) || strcmp(slot->op.from, from) != 0 ||
		    strcmp(slot->op.to, to) != 0)
			continue;
		if (!strcmp(r->operation, "regional_failover_completed")) slot->regional_done = true;
		size_t have = strlen(slot->datastores_done);
		if (len > sizeof suffix - 1 && !strcmp(r->operation + len - sizeof suffix + 1, suffix))
			wr_put(slot->datastores_done + have, sizeof slot->datastores_done - have, "%s%.*s,",
			       have ? "" : ",", (int)(len - sizeof suffix + 1), r->operation);
		return;
	}
}

bool wr_fold_operation(wr_state *s, const wr_receipt *r)
{
	static const struct {
		const char *operation;
		void (*fold)(wr_state *s, const wr_receipt *r);
	} folds[] = {
	    {"operation_proposed", fold_proposed},
	    {"approval_recorded", fold_approval},
	    {"step_intent", fold_intent},
	    {"step_result", fold_result},
	    {"step_uncertain", fold_uncertain},
	    {"step_probing", fold_probing},
	    {"step_ruled", fold_ruled},
	};
	for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++) {
		if (strcmp(r->operation, folds[i].operation) != 0) continue;
		folds[i].fold(s, r);
		return true;
	}
	if (strstr(r->operation, "_failover_")) {
		fold_contract(s, r);
		return true;
	}
	return fold_transition(s, r);
}
