/* decide.h: what may be done, and what is done next. Pure: no clock, file, socket, thread, random
 * number.
 *
 * wr_state is a fold over the ledger and nothing else: wr_fold(state, receipt). wr_decide(state,
 * world, event, now) answers with receipts to make durable and commands to run once they are. The
 * caller (engine or simulation) appends the receipts, folds them when durable, and only then runs
 * the commands: there is no other way to an effect (laws 1, 2, 3). Receipts and their fields:
 * docs/receipts.md. */
#ifndef WARROOM_DECIDE_H
#define WARROOM_DECIDE_H

#include <jansson.h>

#include "warroom/receipt.h"
#include "warroom/watch.h"
#include "warroom/words.h"

/* ---- operations ---- */
#define WR_OP_STATES(X)                                                                            \
	X(PROPOSED, "proposed")                                                                        \
	X(APPROVED, "approved")                                                                        \
	X(RUNNING, "running")                                                                          \
	X(HELD, "held")                                                                                \
	X(ROLLING_BACK, "rolling_back")                                                                \
	X(COMPLETED, "completed")                                                                      \
	X(ROLLED_BACK, "rolled_back")                                                                  \
	X(ABORTED, "aborted") X(FAILED, "failed") X(EXPIRED, "expired") X(DENIED, "denied")
typedef enum wr_op_state {
#define X(id, name) WR_OP_##id,
	WR_OP_STATES(X)
#undef X
	    WR_OP_STATE_COUNT
} wr_op_state;
const char *wr_op_state_name(wr_op_state s);
bool wr_op_final(wr_op_state s);

#define WR_SS(X)                                                                                   \
	X(WAITING, "waiting")                                                                          \
	X(RUNNING, "running")                                                                          \
	X(DONE, "done")                                                                                \
	X(FAILED, "failed")                                                                            \
	X(UNCERTAIN, "uncertain")                                                                      \
	X(SKIPPED, "skipped") X(UNDOING, "undoing") X(UNDONE, "undone") X(UNDO_FAILED, "undo_failed")
typedef enum wr_step_state {
#define X(id, name) WR_SS_##id,
	WR_SS(X)
#undef X
} wr_step_state;
const char *wr_step_state_name(wr_step_state s);

#define WR_ID_LEN 24 /* "op-0142" style ids */

typedef struct wr_op_step {
	wr_step_state state;
	int attempts;     /* intents so far, of the current direction */
	bool undo;        /* the open or last intent was of the rollback */
	bool intent_open; /* intent without result, ruling or uncertain */
	int64_t intent_us, result_us;
	int64_t duration_ms;
	int64_t soak_started_us; /* first intent of a soak */
	char outcome[16], error[192];
	char output[2048];       /* tail */
	bool ticked;             /* manual: ticked off */
	wr_step_kind kind;       /* of the open or last intent */
	int attempts_free;       /* of `attempts`, those that the retry budget does not count: before a
	                            resume, or cut short by a restart without an effect */
	bool was_uncertain;      /* in this direction; an idempotent step then has one retry at least */
	bool probe_open;         /* a probe was started and has not answered */
	int64_t probe_us;        /* when */
	int64_t uncertain_us;    /* when it became so; 0 never */
	char ruling[12];         /* "", "done", "not_done", "skip": the last one by two people */
	int64_t ruled_seq;       /* its receipt; rulings signed before it are used up; 0 none */
	const int64_t *baseline; /* soak: samples of each gate signal when it began; the state's */
	size_t baseline_count;
	bool doubtful;    /* an earlier attempt, or one that was passed over, may have happened, and
	                     nothing since has said whether it did */
	int64_t said_seq; /* the receipt that last said how it ended (result or ruling); 0 none */
} wr_op_step;

typedef struct wr_approval {
	char principal[64], role[64], decision[96], fingerprint[52], nonce[65];
	wr_assurance assurance;
	int64_t expires_us, at_us, seq;
	bool ran_out; /* a receipt after its end is on record: a clock set back does not revive it */
} wr_approval;

typedef struct wr_op {
	char id[WR_ID_LEN];
	wr_runbook_kind kind;
	wr_op_state state, held_from; /* held_from: RUNNING or ROLLING_BACK */
	char runbook[64], group[64], from[64], to[64], proposer[64], reason[256], words[WR_WORDS_LEN];
	char plan_hash[WR_HEX_LEN], steps_hash[WR_HEX_LEN];
	char held_reason[256], final_reason[256], held_rule[24];
	json_t *plan; /* borrowed from wr_state's plan table; NULL if its blob is missing */
	wr_op_step steps[WR_MAX_STEPS];
	size_t step_count;
	wr_approval approvals[32];
	size_t approval_count;
	int64_t proposed_us, approved_us, started_us, finished_us, expires_us, impact_us, rto_ms;
	int64_t epoch;
	int64_t held_us, held_seq; /* when it was held last, and the receipt of that */
	bool abort_requested;
} wr_op;

typedef struct wr_region_state {
	wr_role role;
	wr_verdict verdict;
	int64_t verdict_us;
	int64_t impact_us; /* first breach behind a SUSPECT or DOWN verdict; 0 */
	bool out;          /* SUSPECT or DOWN, and not seen well since */
	int64_t back_seq;  /* the receipt by which it was seen to be back from that; 0 never */
} wr_region_state;

typedef struct wr_state wr_state;

WR_CHECKED wr_state *wr_state_new(const wr_config *cfg);
void wr_state_free(wr_state *s);
/* wr_fold takes one receipt. Unknown operations are ignored; a receipt that contradicts the state
 * (a result without intent) is counted, never fatal. Idempotent per seq. */
void wr_fold(wr_state *s, const wr_receipt *r);
/* Plans are blobs: the caller loads the blob named by an operation_proposed receipt and gives it
 * before or right after folding that receipt. Steals the reference; a plan that has not that hash,
 * or is none (wr_plan_check), is dropped, and its operation is held for want of it. */
void wr_state_put_plan(wr_state *s, const char *plan_hash, json_t *plan);
size_t wr_state_ops(const wr_state *s, const wr_op **out, size_t max); /* newest first */
const wr_op *wr_state_op(const wr_state *s, const char *id);
const wr_op *wr_state_active(const wr_state *s,
                             const char *group); /* not final, or NULL; group NULL: any */
const wr_region_state *wr_state_region(const wr_state *s, size_t region_index);
int64_t wr_state_seq(const wr_state *s);   /* last folded; -1 none */
int64_t wr_state_epoch(const wr_state *s); /* highest seen */
uint64_t wr_state_contradictions(const wr_state *s);
const char *wr_state_incident(const wr_state *s, int64_t *started_us); /* "" if none */
const char *wr_state_incident_title(const wr_state *s);
bool wr_state_nonce_used(const wr_state *s, const char *nonce);
/* The plan's step, or NULL (no plan, no such step); its name, "" then. Borrowed. */
const json_t *wr_op_plan_step(const wr_op *op, size_t index);
const char *wr_op_step_name(const wr_op *op, size_t index);
/* The step that runs, waits for a person or comes next (rolling back: is undone), -1 if none. */
int wr_op_current(const wr_op *op);
/* Next operation id "op-N" from what has been folded. */
void wr_state_next_id(const wr_state *s, char out[static WR_ID_LEN]);
/* The region that holds the primary role now (index), or -1. */
int wr_state_primary(const wr_state *s);

/* ---- guards ---- */
typedef enum wr_gate_verdict { WR_PASS, WR_FAIL, WR_INCONCLUSIVE, WR_GATE_NO_DATA } wr_gate_verdict;
const char *wr_gate_verdict_name(wr_gate_verdict v); /* "PASS" "FAIL" "INCONCLUSIVE" "NO DATA" */

typedef struct wr_guard {
	char name[40]; /* "signal_classes", "target_healthy", "lag:postgres" … */
	char rule[24]; /* "G-CLASSES" */
	wr_gate_verdict verdict;
	bool blocking; /* false: advisory by policy */
	char observed[160], threshold[128];
	char flip[192]; /* what would change it */
	int64_t eta_us; /* estimated time of that; 0 unknown */
} wr_guard;

#define WR_MAX_GUARDS 64
typedef struct wr_guards {
	wr_guard rows[WR_MAX_GUARDS];
	size_t count;
	size_t passed, failed, no_data, inconclusive;
	size_t blocking; /* rows that are blocking and do not pass */
} wr_guards;

/* What is lost if the move were made now. */
typedef struct wr_loss {
	bool known;     /* some link between the two has a proven value */
	bool stale;     /* the newest proof is older than 3 intervals */
	double seconds; /* largest */
	double bytes, receipts;
	int64_t proven_us;
	char names[512];
	bool sync;      /* every link of the pair is synchronous and was proven so */
	char text[160]; /* "2.3 s, 41 KB, 47 receipts (measured 3 s ago)" */
} wr_loss;

/* Is the guard with this rule id judged again before every step (the target, the observer, our own
 * ledger), and not only before the start? */
bool wr_guard_while_running(const char *rule);
/* wr_guards_eval fills the table for kind, from → to, group. `during` is the operation in progress
 * (its own rows are judged while it runs: one_operation ignores it) or NULL. */
void wr_guards_eval(wr_guards *out, const wr_state *s, const wr_world *w, wr_runbook_kind kind,
                    size_t from, size_t to, const char *group, const wr_op *during, int64_t now_us);
void wr_loss_eval(wr_loss *out, const wr_world *w, size_t from, size_t to, int64_t now_us);
json_t *
wr_guards_json(const wr_guards *g); /* array of row objects: strings, truths, integers only */

/* ---- plans ---- */
/* wr_plan_make resolves a runbook for from → to into plan JSON: integers, strings, truths, arrays,
 * objects only, so that it has a canonical form. Secrets stay references. New reference. head: hex
 * of the ledger head. Members:
 *   v 1, kind, runbook, title, group, from, to, config_hash, head, made_at (RFC 3339), rto_ms,
 *   guards [row…], guards_blocking, loss {known, stale, sync, seconds_ms, bytes, receipts, names,
 *   text}, evidence {regions [{name, role, verdict, rule, reason, first_breach}], links [{name,
 *   kind, seconds_ms, bytes, receipts, age_ms}], weights {provider: {region: percent}}},
 *   steps [step…], steps_hash
 * step: name, kind, phase, class, guarded, why, look_at, danger, go_back, timeout_ms, retries,
 *   backoff_ms, on_failure, usual_ms, optional, one member named as its kind, and where there is
 *   one: rollback {kind, <kind> {…}}, probe {kind "wait", wait {…}}. A traffic step without a
 *   rollback of its own gets one with the weights before it; "observed": true marks weights that
 *   were read from the provider when the plan was made.
 *   http {method, url, headers {name: value}, body, expect_status [int…], expect, pointer, ca_file,
 *     insecure}      expect, until: expression text, "" none; expect_status empty: any 2xx
 *   exec {argv […], env {name: value}, cwd, expect, pointer}
 *   traffic {provider, kind, address, backend, servers {region: server}, headers {}, get_argv […],
 *     set_argv […], regions […], ttl_s, weights {region: percent}}   weights: all of regions, sum
 * 100 wait {http {…} | exec {…}, until, every_ms, hold_ms} soak {duration_ms, gates [signal…],
 * min_samples} manual {ask}     notify {channel, kind, url, headers {}, text} */
WR_CHECKED json_t *wr_plan_make(const wr_config *cfg, const wr_state *s, const wr_world *w,
                                const wr_runbook *rb, size_t from, size_t to, const char *head,
                                int64_t now_us, wr_err *err);
/* wr_plan_hash: SHA-256 of the canonical plan, hex, and its six words. */
WR_CHECKED int wr_plan_hash(const json_t *plan, char hex[static WR_HEX_LEN],
                            char words[static WR_WORDS_LEN], wr_err *err);
/* wr_plan_steps_hash: SHA-256, hex, of the canonical {config_hash, runbook, from, to, steps} of a
 * plan, without the rollbacks marked observed: the same while the configuration is the same. */
WR_CHECKED int wr_plan_steps_hash(const json_t *plan, char hex[static WR_HEX_LEN], wr_err *err);
/* wr_plan_check: is it well-formed (as above, weights sum to 100, steps_hash its own)? For plans
 * that come back from outside. */
WR_CHECKED int wr_plan_check(const json_t *plan, wr_err *err);
/* wr_plan_text renders it for people, every step fully resolved. */
void wr_plan_text(const json_t *plan, wr_buf *out);

/* ---- the canary gate ---- */
typedef struct wr_gate {
	wr_gate_verdict verdict;
	int64_t n, n_needed;
	int64_t to_verdict_ms; /* estimated; -1 unknown */
	char text[256];
} wr_gate;
/* wr_gate_eval judges a soak step of `op` at now: PASS only when the duration is over, every gate
 * signal has at least min_samples samples taken since the soak began, and none is breached; FAIL as
 * soon as one is breached; NO DATA when at the end one has none; INCONCLUSIVE when at the end one
 * has too few. */
void wr_gate_eval(wr_gate *out, const wr_op *op, size_t step, const wr_world *w, int64_t now_us);

/* ---- approvals ---- */
/* What a person signed, already verified as a signature of a known person's key. */
typedef struct wr_signed {
	char operation_id[WR_ID_LEN], plan_hash[WR_HEX_LEN], principal[64], role[64], decision[96],
	    nonce[65], head[WR_HEX_LEN], fingerprint[52];
	wr_assurance assurance; /* as signed */
	wr_assurance observed;  /* what the engine saw */
	int64_t expires_us;
	const char *text;      /* the canonical JSON */
	const char *signature; /* base64 of the SSHSIG blob */
	const char *note;      /* sanitised */
} wr_signed;

/* wr_challenge_text writes the canonical JSON that is signed. */
WR_CHECKED int wr_challenge_text(wr_buf *out, const wr_signed *s, wr_err *err);
/* How far an operation is: which role groups are met by whom. Counts only approvals valid at now.
 */
typedef struct wr_quorum {
	bool met;
	size_t have, need;
	char missing[192];       /* "one on_call" */
	int64_t first_expiry_us; /* of those that count; 0 none */
} wr_quorum;
void wr_quorum_eval(wr_quorum *out, const wr_config *cfg, const wr_op *op, int64_t now_us);

/* ---- deciding ---- */
typedef enum wr_event_kind {
	WR_EV_STARTED, /* the engine came up and has folded everything: open intents become uncertain */
	WR_EV_TICK,    /* time passed or the world changed */
	WR_EV_PROPOSE, /* a draft was signed: .draft_plan and .sign (decision propose or approve) */
	WR_EV_SIGNED,  /* a signed decision on an existing operation */
	WR_EV_RESULT,  /* a step's attempt ended */
	WR_EV_PROBED   /* an uncertain step was probed: DONE means that the step is in effect now (also
	                  when the rollback was what became uncertain) */
} wr_event_kind;

typedef enum wr_outcome { WR_OUT_DONE, WR_OUT_FAILED, WR_OUT_UNKNOWN } wr_outcome;

typedef struct wr_step_report {
	char operation_id[WR_ID_LEN];
	size_t index;
	int attempt;
	bool undo;
	wr_outcome outcome; /* UNKNOWN: it may or may not have happened (timeout after send, connection
	                       lost) */
	int64_t status, exit_code, duration_ms;
	char error[192];
	char output[2048];
} wr_step_report;

typedef struct wr_event {
	wr_event_kind kind;
	const json_t *draft_plan; /* PROPOSE */
	const char *draft_id, *draft_reason;
	const wr_signed *sign;        /* PROPOSE, SIGNED */
	const wr_step_report *report; /* RESULT, PROBED (outcome DONE: it was done; FAILED: it was not;
	                                 UNKNOWN: cannot tell) */
	/* PROPOSE, SIGNED and before effects: the steps_hash that the plan would have if made now from
	 * the present configuration, "" if it cannot be made. Plan drift voids. */
	const char *steps_hash_now; /* NULL: worked out here, of the operation at hand */
	const char *steps_hash_op;  /* the operation it belongs to; NULL: the one of .sign or .report,
	                               else wr_state_active(s, NULL) */
} wr_event;

typedef enum wr_command_kind { WR_CMD_START, WR_CMD_PROBE, WR_CMD_CANCEL } wr_command_kind;
typedef struct wr_command {
	wr_command_kind kind;
	char operation_id[WR_ID_LEN];
	size_t index;
	int attempt;
	bool undo;
	char idempotency_key[80]; /* the same for every attempt of a step in one direction */
	const json_t *step;       /* borrowed: the plan's step */
} wr_command;

#define WR_MAX_EFFECTS 64
typedef struct wr_effects {
	json_t *receipts[WR_MAX_EFFECTS]; /* drafts; owned until taken */
	size_t receipt_count;
	wr_command commands[WR_MAX_EFFECTS]; /* to be run after the receipts are durable and folded */
	size_t command_count;
	bool accepted;   /* of PROPOSE and SIGNED; of RESULT and PROBED: it fitted an open attempt */
	wr_err refusal;  /* why not: rule id and sentence */
	int64_t wake_us; /* when to tick again at the latest; 0: no need */
} wr_effects;
void wr_effects_clear(wr_effects *e);

/* wr_decide looks at one event; never changes *s. Bounded work. It sees only what is folded: the
 * caller makes one unit of receipts durable, folds it and runs its commands before it asks again
 * (at once, when wake_us is not after now). Receipts come in small units, one transition each; any
 * prefix of a unit that a crash leaves behind is a state that the next TICK goes on from. */
void wr_decide(const wr_state *s, const wr_world *w, const wr_event *ev, int64_t now_us,
               wr_effects *out);

/* The operation machine as data: what runs, not a description of it. Events: approve, deny, hold,
 * resume, abort, rule, tick (signed), result, probed, started (of the step), time (TICK). What is
 * not in the table is refused. */
typedef struct wr_rule {
	const char *id;
	wr_op_state from;
	const char *event, *condition;
	wr_op_state to;
} wr_rule;
extern const wr_rule wr_rules[];
extern const size_t wr_rule_count;

#endif
