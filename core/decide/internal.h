/* internal.h: what the files of core/decide share: the folded state's own fields, and one decision
 * in the making. */
#ifndef WARROOM_DECIDE_INTERNAL_H
#define WARROOM_DECIDE_INTERNAL_H

#include <stdarg.h>

#include "warroom/decide.h"

#define US_PER_MS INT64_C(1000)
#define US_PER_S  INT64_C(1000000)

/* A guarded intent is written a little after it was decided, and its own timestamp is what a
 * verifier compares: approvals must outlive the decision by this much. */
#define WR_APPROVAL_MARGIN_US (5 * US_PER_S)

#define WR_OPS_KEPT     128 /* operations kept in memory; older finished ones are in the ledger */
#define WR_PLANS_WAIT   16  /* plans given before the receipt that names them */
#define WR_FLIPS_KEPT   16
#define WR_ACTIONS_KEPT 128 /* candidate actions whose guard table is watched */

/* Why an operation is held (the `rule` of operation_held). */
#define HOLD_APPROVALS "HOLD-APPROVALS"
#define HOLD_DRIFT     "HOLD-DRIFT"
#define HOLD_FENCE     "HOLD-FENCE"
#define HOLD_GUARD     "HOLD-GUARD"
#define HOLD_TRAFFIC   "HOLD-TRAFFIC"
#define HOLD_FAILED    "HOLD-FAILED"
#define HOLD_UNCERTAIN "HOLD-UNCERTAIN"
#define HOLD_UNDO      "HOLD-UNDO"
#define HOLD_PLAN      "HOLD-PLAN"
#define HOLD_OPERATOR  "HOLD-OPERATOR"

typedef struct op_slot {
	wr_op op; /* first: a wr_op of ours is its slot */
	int64_t *baselines[WR_MAX_STEPS];
	bool regional_done;        /* regional_failover_completed is written */
	char datastores_done[512]; /* kinds whose <kind>_failover_executed is: ",postgres,redis," */
} op_slot;

typedef struct region_flips {
	int direction;                /* of the last change: +1 worse, -1 better, 0 none yet */
	int64_t at_us[WR_FLIPS_KEPT]; /* when the direction changed; ring */
	unsigned head;
} region_flips;

typedef struct guards_seen {
	char action[192], digest[WR_HEX_LEN];
	int64_t at_us;
} guards_seen;

struct wr_state {
	const wr_config *cfg; /* borrowed */
	int64_t seq, epoch;
	uint64_t contradictions;
	op_slot *ops[WR_OPS_KEPT]; /* oldest first */
	size_t op_count;
	int64_t last_op;      /* the highest number in an operation's id */
	int64_t forgotten_op; /* … of those that are not kept any more */
	wr_region_state regions[WR_MAX_REGIONS];
	region_flips flips[WR_MAX_REGIONS];
	char incident[WR_ID_LEN], incident_title[192], incident_region[64];
	int64_t incident_us, last_incident;
	bool isolated;
	int64_t engine_started_us;
	int64_t newest_us;      /* of the last receipt */
	int64_t unseen_us;      /* until then nobody was looking: the last start after a gap; 0 never */
	int64_t lost_us;        /* … after one in which an outage can have ended and another begun */
	int64_t next_expiry_us; /* the first end of an approval that has not run out; 0 none */
	json_t *nonces;         /* a set */
	struct {
		char hash[WR_HEX_LEN];
		json_t *plan;
	} plans[WR_PLANS_WAIT];
	size_t plan_next;
	guards_seen guards[WR_ACTIONS_KEPT];
	size_t guards_count;
};

/* ---- small things (decide.c) ---- */
/* wr_put is snprintf that may cut; what it makes is sanitised again where it enters a receipt. */
void wr_put(char *out, size_t size, const char *fmt, ...) WR_PRINTF(3, 4);
const char *wr_role_text(wr_role r);
int wr_region_index(const wr_config *cfg, const char *name); /* -1 unknown */
int wr_verdict_rank(wr_verdict v); /* 0 HEALTHY, UNKNOWN, DEGRADED, SUSPECT, 4 DOWN */
const wr_approval_policy *wr_policy(const wr_config *cfg, wr_runbook_kind kind);
bool wr_operator_holds(const wr_operator *o, const char *role);

/* ---- state.c ---- */
op_slot *wr_slot(const wr_state *s, const char *id); /* NULL: unknown */
op_slot *wr_slot_add(wr_state *s, const char *id);   /* makes room by forgetting a finished one */
void wr_slot_bind_plan(wr_state *s, op_slot *slot);
int64_t wr_id_number(const char *id, const char *prefix); /* -1: not "<prefix><digits>" */

/* ---- fold_op.c ---- */
/* Something was written at `at_us`: approvals that ended before have run out for good. */
void wr_fold_time(wr_state *s, int64_t at_us);
/* Takes note of the nonce of an approval_recorded, also of one that does not count otherwise: a
 * chain uses each once. False: it has none, or it was used before. */
bool wr_fold_nonce(wr_state *s, const wr_receipt *r);
bool wr_approval_lives(const wr_approval *a, int64_t at_us);
/* True if the receipt was of an operation (whether or not it fitted). */
bool wr_fold_operation(wr_state *s, const wr_receipt *r);

/* ---- plan: how a step is read ---- */
typedef struct step_view {
	const json_t *step;   /* the plan's step */
	const json_t *action; /* the member named as the kind: of the step, or of its rollback */
	const char *name;
	wr_step_kind kind; /* of the action */
	wr_phase phase;
	wr_step_class step_class;
	wr_on_failure on_failure;
	bool guarded;
	int retries;
	int64_t timeout_ms, backoff_ms;
	bool has_probe;
} step_view;
/* wr_step_view reads step `index` in one direction; false: no plan, no such step, or no rollback.
 */
bool wr_step_view(step_view *v, const wr_op *op, size_t index, bool undo);
bool wr_kind_fences(wr_step_kind k); /* not a message, and not the mere passing of time */
bool wr_kind_waits(wr_step_kind k);  /* wait, soak, manual: nothing is changed by it */
int wr_kind_parse(const char *name); /* -1 unknown; and so on */
int wr_phase_parse_name(const char *name);
int wr_class_parse_name(const char *name);
int wr_on_failure_parse_name(const char *name);
int wr_rb_kind_parse_name(const char *name);
const char *wr_step_class_text(wr_step_class c);
const char *wr_on_failure_text(wr_on_failure f);
bool wr_guarded_kind(wr_step_kind kind, wr_phase phase, wr_step_class step_class);

/* ---- table.c ---- */
const wr_rule *wr_rule_id(const char *id);
const wr_rule *wr_rule_for(wr_op_state state, const char *event); /* the first, or NULL */
/* The rule that a receipt of an operation's transition stands for, from this state. */
const wr_rule *wr_rule_receipt(const wr_op *op, const char *receipt);
const char *wr_rule_receipt_name(const wr_rule *r);

/* ---- one decision ---- */
typedef struct wr_decision {
	const wr_state *s;
	const wr_world *w;
	const wr_config *cfg;
	const wr_event *ev;
	int64_t now_us;
	wr_effects *out;
} wr_decision;

/* wr_draft makes a receipt draft; the open incident is in it. wr_emit takes it; false when the unit
 * is full (then the next tick goes on). */
json_t *wr_draft(const wr_decision *d, const char *operation);
void wr_set_str(json_t *draft, const char *key, const char *value); /* sanitised */
void wr_set_int(json_t *draft, const char *key, int64_t value);
void wr_set_bool(json_t *draft, const char *key, bool value);
void wr_set_time(json_t *draft, const char *key, int64_t us); /* "" for 0 */
bool wr_emit(wr_decision *d, json_t *draft);
size_t wr_room(const wr_decision *d);
void wr_wake(wr_decision *d, int64_t at_us);
/* wr_transition begins the receipt of rule `id` for op; asserts that the rule leaves op's state. */
json_t *wr_transition(const wr_decision *d, const wr_op *op, const char *id, const char *fmt, ...)
    WR_PRINTF(4, 5);
/* Is the operation's plan another one now? "" if it could not be made at all. */
bool wr_drifted(const wr_decision *d, const wr_op *op);

/* signed.c */
void wr_decide_propose(wr_decision *d);
void wr_decide_signed(wr_decision *d);
/* Does what was signed (hold, abort) and recorded, but cut off by a crash from what follows. */
bool wr_take_up(wr_decision *d, const wr_op *op);
/* quorum.c */
/* Going back is part of what was approved: exempt from the expiry alone. */
void wr_quorum_back(wr_quorum *out, const wr_config *cfg, const wr_op *op);
/* run.c */
/* Does the policy count what is said in this role? */
bool wr_role_wanted(const wr_approval_policy *p, const char *role);
/* Two different people with different keys said the same of the step called `name`, since it was
 * held, and both are valid at `at_us`; cfg: and are operators still, NULL: whoever they are now. */
bool wr_find_ruling(const wr_config *cfg, const wr_op *op, size_t index, const char *name,
                    int64_t at_us, const wr_approval **one, const wr_approval **two);
/* May the step be ruled on now, and so ("done", "not_done", "skip")? Only what is in question: a
 * step that a late report has settled meanwhile is not. */
bool wr_ruling_fits(const wr_op *op, size_t index, const char *what);
/* How many samples of the signal said something (law 7: the others are no evidence). */
int64_t wr_evidence(const wr_signal_view *v);
void wr_decide_started(wr_decision *d);
void wr_decide_result(wr_decision *d);
void wr_decide_probed(wr_decision *d);
void wr_decide_operations(wr_decision *d); /* TICK */
/* verdicts.c */
int64_t wr_since_start_us(const wr_decision *d);
/* Have the signals of the region been looked at since the engine came up? Until then a verdict says
 * nothing. */
bool wr_region_warm(const wr_decision *d, size_t region);
bool wr_op_regions_warm(const wr_decision *d, const wr_op *op);
void wr_decide_world(wr_decision *d); /* TICK */

/* step.c: one step, one direction */
typedef enum step_next {
	STEP_BUSY,   /* open, waiting for time or a person, or something was emitted */
	STEP_GAVE_UP /* failed, no retry left */
} step_next;
step_next wr_step_advance(wr_decision *d, const wr_op *op, size_t index, bool undo);
/* How long a report or a probe's answer is waited for. */
int64_t wr_step_patience_us(const step_view *v);
/* What may go on while nothing new starts: a soak's verdict, a ticked manual, a lost report. */
void wr_step_settle(wr_decision *d, const wr_op *op, size_t index);
void wr_hold(wr_decision *d, const wr_op *op, const char *rule, const char *cause, const char *fmt,
             ...) WR_PRINTF(5, 6);
void wr_emit_result(wr_decision *d, const wr_op *op, size_t index, const char *outcome,
                    const wr_step_report *rep, const char *error);
void wr_emit_uncertain(wr_decision *d, const wr_op *op, size_t index, const char *reason);
bool wr_emit_probe(wr_decision *d, const wr_op *op, size_t index);

/* checks.c: may the step begin? NULL, or the HOLD- cause with the sentence. */
const char *wr_check_begin(const wr_decision *d, const wr_op *op, size_t index, const step_view *v,
                           bool undo, char *why, size_t size);
/* Just after a start the weights that a traffic step looks at were not read yet: wait a little. */
bool wr_weights_awaited(const wr_decision *d, const step_view *v);
bool wr_fence_proved(const wr_decision *d, const wr_op *op, size_t before_step, char *missing,
                     size_t size);

/* loss.c: how far one link is behind, from what was proven. */
typedef struct link_lag {
	bool known; /* something was proven, ever */
	bool stale; /* … but not lately: not within 3 intervals before the source broke off, or now */
	bool sync;  /* commits wait for the other side, and that was proven */
	double seconds, bytes, receipts; /* -1: not measured; seconds: grown by the unproven time */
	int64_t proven_us;
} link_lag;
void wr_link_lag(link_lag *out, const wr_world *w, size_t link, int64_t now_us);
/* "2.3 s, 41 KB, 47 receipts (proven 3 s ago)" */
void wr_lag_text(char *out, size_t size, const link_lag *lag, int64_t now_us);

/* guard_rows.c and guard_facts.c: the rows of the table in guards.c */
typedef struct guard_case {
	wr_guards *out;
	const wr_state *s;
	const wr_world *w;
	const wr_config *cfg;
	wr_runbook_kind kind;
	size_t from, to;
	const char *group;
	const wr_op *during;
	int64_t now_us;
	const char *rule; /* of the guard that is being judged */
} guard_case;
/* wr_guard_row adds a row; NULL when the table is full. NO DATA until said otherwise. */
wr_guard *wr_guard_row(guard_case *c, const char *fmt, ...) WR_PRINTF(2, 3);
void wr_guard_say(wr_guard *row, wr_gate_verdict verdict, const char *observed,
                  const char *threshold, const char *flip);
const char *wr_age_text(char out[static 24], int64_t since_us, int64_t now_us);
bool wr_in_group(const wr_config *cfg, const char *service, const char *group);
void wr_guard_runbook(guard_case *c);
void wr_guard_primary(guard_case *c);
void wr_guard_classes(guard_case *c);
void wr_guard_sustained(guard_case *c);
void wr_guard_target(guard_case *c);
void wr_guard_fresh(guard_case *c);
void wr_guard_observer(guard_case *c);
void wr_guard_lag(guard_case *c);
void wr_guard_capacity(guard_case *c);
void wr_guard_quota(guard_case *c);
void wr_guard_residency(guard_case *c);
void wr_guard_keys(guard_case *c);
void wr_guard_build(guard_case *c);
void wr_guard_backup(guard_case *c);
void wr_guard_chain(guard_case *c);
void wr_guard_custom(guard_case *c);
void wr_guard_ledger(guard_case *c);
void wr_guard_freeze(guard_case *c);
void wr_guard_one(guard_case *c);
void wr_guard_cooldown(guard_case *c);
void wr_guard_flapping(guard_case *c);
void wr_guard_fence(guard_case *c);

/* back.c */
int wr_undo_next(const wr_op *op); /* the step to be undone next, -1 none */
/* The promote step that was done, or may have been, and is not undone; -1 none. */
int wr_still_promoted(const wr_op *op);
bool wr_effective(const wr_op *op); /* was anything done that is not simply nothing? */
void wr_back_advance(wr_decision *d, const wr_op *op);
void wr_back_off(wr_decision *d, const wr_op *op, const char *reason); /* roll back or abort */
/* finish.c */
void wr_finish_complete(wr_decision *d, const wr_op *op);
void wr_set_finish(const wr_decision *d, json_t *draft, const wr_op *op);

#endif
