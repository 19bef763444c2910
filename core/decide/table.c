/* table.c: the operation machine as data. Pure.
 *
 * The one list below is what runs: decisions look their event up here and refuse what is not here,
 * every transition's receipt is made from a row, and the fold accepts only transitions that have a
 * row. A test walks it: every state reachable, every state that is not final can be left. Columns:
 * rule id, state, event, condition, next state, the receipt that says so. */
#include <string.h>

#include "decide/internal.h"

#define STAYS "" /* the state stays; other receipts tell what happened */

/* clang-format off */
#define RULES(X) \
	X("P-APPROVE",     PROPOSED,     "approve", "the signature stands",                                     PROPOSED,     STAYS) \
	X("P-DENY",        PROPOSED,     "deny",    "any operator",                                             DENIED,       "operation_denied") \
	X("P-WITHDRAW",    PROPOSED,     "abort",   "nothing has begun",                                        ABORTED,      "operation_aborted") \
	X("P-DENIED",      PROPOSED,     "time",    "a deny is on record",                                      DENIED,       "operation_denied") \
	X("P-DRIFT",       PROPOSED,     "time",    "the plan would be another one now",                        EXPIRED,      "operation_expired") \
	X("P-EXPIRE",      PROPOSED,     "time",    "its time is over without a quorum",                        EXPIRED,      "operation_expired") \
	X("P-QUORUM",      PROPOSED,     "time",    "quorum of valid approvals, no guard blocks",               APPROVED,     "operation_approved") \
	X("Q-APPROVE",     APPROVED,     "approve", "the signature stands",                                     APPROVED,     STAYS) \
	X("Q-DENY",        APPROVED,     "deny",    "any operator; deny beats approve",                         DENIED,       "operation_denied") \
	X("Q-WITHDRAW",    APPROVED,     "abort",   "nothing has begun",                                        ABORTED,      "operation_aborted") \
	X("Q-DENIED",      APPROVED,     "time",    "a deny is on record",                                      DENIED,       "operation_denied") \
	X("Q-DRIFT",       APPROVED,     "time",    "the plan would be another one now",                        EXPIRED,      "operation_expired") \
	X("Q-EXPIRE",      APPROVED,     "time",    "the approvals are no quorum any more",                     EXPIRED,      "operation_expired") \
	X("Q-START",       APPROVED,     "time",    "quorum still valid, no guard blocks",                      RUNNING,      "operation_started") \
	X("R-APPROVE",     RUNNING,      "approve", "renews an approval",                                       RUNNING,      STAYS) \
	X("R-HOLD",        RUNNING,      "hold",    "any operator",                                             HELD,         "operation_held") \
	X("R-ABORT",       RUNNING,      "abort",   "any operator",                                             RUNNING,      "operation_abort_requested") \
	X("R-TICK",        RUNNING,      "tick",    "the manual step is open",                                  RUNNING,      STAYS) \
	X("R-RESULT",      RUNNING,      "result",  "of an open or uncertain attempt",                          RUNNING,      STAYS) \
	X("R-PROBED",      RUNNING,      "probed",  "it was done, or it was not",                               RUNNING,      STAYS) \
	X("R-PROBE-BLIND", RUNNING,      "probed",  "cannot tell",                                              HELD,         "operation_held") \
	X("R-RESTART",     RUNNING,      "started", "open intents become uncertain",                            RUNNING,      STAYS) \
	X("R-STEP",        RUNNING,      "time",    "the next step may begin, or a retry is due",               RUNNING,      STAYS) \
	X("R-CHECK",       RUNNING,      "time",    "a check before a step fails, or a step needs people",      HELD,         "operation_held") \
	X("R-BACK",        RUNNING,      "time",    "abort asked or a step failed, and something was done",     ROLLING_BACK, "operation_rollback_started") \
	X("R-ABORTED",     RUNNING,      "time",    "abort asked or a step failed, and nothing was done",       ABORTED,      "operation_aborted") \
	X("R-COMPLETE",    RUNNING,      "time",    "every step is done or skipped",                            COMPLETED,    "operation_completed") \
	X("H-APPROVE",     HELD,         "approve", "renews an approval",                                       HELD,         STAYS) \
	X("H-RESUME-RUN",  HELD,         "resume",  "was running, no abort asked",                              RUNNING,      "operation_resumed") \
	X("H-RESUME-BACK", HELD,         "resume",  "was rolling back",                                         ROLLING_BACK, "operation_resumed") \
	X("H-ABORT",       HELD,         "abort",   "was running",                                              HELD,         "operation_abort_requested") \
	X("H-LOST",        HELD,         "abort",   "the plan is lost, so there is no way back",                FAILED,       "operation_failed") \
	X("H-RULE",        HELD,         "rule",    "the step needs a ruling",                                  HELD,         STAYS) \
	X("H-TICK",        HELD,         "tick",    "the manual step is open",                                  HELD,         STAYS) \
	X("H-RESULT",      HELD,         "result",  "of an open or uncertain attempt",                          HELD,         STAYS) \
	X("H-PROBED",      HELD,         "probed",  "it was done, or it was not",                               HELD,         STAYS) \
	X("H-PROBE-BLIND", HELD,         "probed",  "cannot tell",                                              HELD,         "operation_held") \
	X("H-RESTART",     HELD,         "started", "open intents become uncertain",                            HELD,         STAYS) \
	X("H-RULING",      HELD,         "time",    "abort asked, but a step is uncertain",                     HELD,         "operation_held") \
	X("H-LIFT-RUN",    HELD,         "time",    "was running, and what held it is settled by signatures",   RUNNING,      "operation_resumed") \
	X("H-LIFT-BACK",   HELD,         "time",    "was rolling back, and what held it is settled by signatures", ROLLING_BACK, "operation_resumed") \
	X("H-BACK",        HELD,         "time",    "abort asked, and something was done",                      ROLLING_BACK, "operation_rollback_started") \
	X("H-ABORTED",     HELD,         "time",    "abort asked, and nothing was done",                        ABORTED,      "operation_aborted") \
	X("B-HOLD",        ROLLING_BACK, "hold",    "any operator",                                             HELD,         "operation_held") \
	X("B-TICK",        ROLLING_BACK, "tick",    "the manual step is open",                                  ROLLING_BACK, STAYS) \
	X("B-RESULT",      ROLLING_BACK, "result",  "of an open or uncertain attempt",                          ROLLING_BACK, STAYS) \
	X("B-PROBED",      ROLLING_BACK, "probed",  "it is in effect, or it is not",                            ROLLING_BACK, STAYS) \
	X("B-PROBE-BLIND", ROLLING_BACK, "probed",  "cannot tell",                                              HELD,         "operation_held") \
	X("B-RESTART",     ROLLING_BACK, "started", "open intents become uncertain",                            ROLLING_BACK, STAYS) \
	X("B-STEP",        ROLLING_BACK, "time",    "the next step may be undone, or a retry is due",           ROLLING_BACK, STAYS) \
	X("B-CHECK",       ROLLING_BACK, "time",    "undoing would make it worse, failed, or needs people",     HELD,         "operation_held") \
	X("B-DONE",        ROLLING_BACK, "time",    "nothing is left to undo",                                  ROLLED_BACK,  "operation_rolled_back") \
	X("B-LEFT",        ROLLING_BACK, "time",    "nothing more can be undone, and something was not",        FAILED,       "operation_failed")
/* clang-format on */

const wr_rule wr_rules[] = {
#define X(id, from, event, condition, to, receipt) {id, WR_OP_##from, event, condition, WR_OP_##to},
    RULES(X)
#undef X
};
const size_t wr_rule_count = sizeof wr_rules / sizeof wr_rules[0];

static const char *const receipts[] = {
#define X(id, from, event, condition, to, receipt) receipt,
    RULES(X)
#undef X
};

const wr_rule *wr_rule_id(const char *id)
{
	for (size_t i = 0; i < wr_rule_count; i++)
		if (!strcmp(wr_rules[i].id, id)) return &wr_rules[i];
	wr_die("no rule %s in the operation machine", id);
}

const wr_rule *wr_rule_for(wr_op_state state, const char *event)
{
	for (size_t i = 0; i < wr_rule_count; i++)
		if (wr_rules[i].from == state && !strcmp(wr_rules[i].event, event)) return &wr_rules[i];
	return NULL;
}

const char *wr_rule_receipt_name(const wr_rule *r)
{
	return receipts[r - wr_rules];
}

const wr_rule *wr_rule_receipt(const wr_op *op, const char *receipt)
{
	for (size_t i = 0; i < wr_rule_count; i++) {
		const wr_rule *r = &wr_rules[i];
		if (r->from != op->state || strcmp(receipts[i], receipt) != 0) continue;
		/* Going on leads back to where it was held. */
		if (!strcmp(receipt, "operation_resumed") && r->to != op->held_from) continue;
		return r;
	}
	return NULL;
}
