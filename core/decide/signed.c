/* signed.c: what people signed: proposals and decisions. Pure.
 *
 * The signature itself is verified before (its text, its key, whose key it is); here the claim is
 * held against the plan, the policy and the operation machine. Every refusal has a rule id, A-…,
 * and a sentence. A recorded signature is a receipt; what follows from approvals, rulings and ticks
 * is decided from the record at the next tick, so that a crash between the two changes nothing.
 * What follows at once from a hold or an abort is taken up from the record when a crash cut it off.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

static bool refuse(wr_decision *d, wr_code code, const char *rule, const char *fmt, ...)
    WR_PRINTF(4, 5);

static bool refuse(wr_decision *d, wr_code code, const char *rule, const char *fmt, ...)
{
	char text[400];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0) text[0] = '\0';
	va_end(ap);
	d->out->accepted = false;
	d->out->refusal.code = code;
	wr_put(d->out->refusal.msg, sizeof d->out->refusal.msg, "%s: %s", rule, text);
	return false;
}

static bool is_hex64(const char *s)
{
	if (strlen(s) != WR_HEX_LEN - 1) return false;
	for (; *s; s++)
		if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'f'))) return false;
	return true;
}

/* Decisions that only make things safer ask for a signature, not for a better terminal. */
static bool asks_assurance(const char *decision)
{
	return strcmp(decision, "deny") != 0 && strcmp(decision, "hold") != 0 &&
	       strcmp(decision, "abort") != 0 && strcmp(decision, "propose") != 0;
}

static bool check_text(wr_decision *d, const wr_signed *s)
{
	wr_buf text = WR_BUF_INIT(8192);
	wr_err err = {0};
	bool same = s->text && s->signature && s->nonce[0] && wr_challenge_text(&text, s, &err) == 0 &&
	            wr_buf_ok(&text) && !strcmp(wr_buf_cstr(&text), s->text);
	wr_buf_free(&text);
	if (!same)
		return refuse(d, WR_E_INVALID, "A-TEXT",
		              "what was signed is not the canonical text of this decision");
	if (!is_hex64(s->head))
		return refuse(d, WR_E_INVALID, "A-HEAD", "head is not the 64 hex digits of a ledger head");
	return true;
}

static bool check_time(wr_decision *d, const wr_signed *s, const wr_approval_policy *p)
{
	int64_t most_ms = WR_APPROVAL_EXPIRY_MAX_S * 1000;
	if (p->expires_ms > 0 && p->expires_ms < most_ms) most_ms = p->expires_ms;
	if (s->expires_us <= d->now_us)
		return refuse(d, WR_E_TIMEOUT, "A-EXPIRED",
		              "the request ran out before it was signed; "
		              "ask for a new one and sign that");
	if (s->expires_us - d->now_us > most_ms * US_PER_MS)
		return refuse(d, WR_E_INVALID, "A-TOO-LONG",
		              "it would be valid for longer than the %lld s that the policy allows",
		              (long long)(most_ms / 1000));
	if (wr_state_nonce_used(d->s, s->nonce))
		return refuse(d, WR_E_CONFLICT, "A-NONCE",
		              "this request was answered before; ask for a new one and sign that");
	return true;
}

static bool check_person(wr_decision *d, const wr_signed *s, const wr_approval_policy *p)
{
	const wr_operator *who = wr_config_operator(d->cfg, s->principal);
	if (!who)
		return refuse(d, WR_E_DENIED, "A-OPERATOR", "%.63s is not an operator here", s->principal);
	if (!s->role[0] || !wr_operator_holds(who, s->role))
		return refuse(d, WR_E_DENIED, "A-ROLE", "%.63s does not hold the role \"%.63s\"",
		              s->principal, s->role);
	if (!s->fingerprint[0]) return refuse(d, WR_E_INVALID, "A-TEXT", "the signature names no key");
	wr_assurance least = s->assurance < s->observed ? s->assurance : s->observed;
	if (asks_assurance(s->decision) && least < p->least)
		return refuse(d, WR_E_DENIED, "A-ASSURANCE",
		              "this counts as %s, and %s is the least that is accepted (%s)",
		              wr_assurance_name(least), wr_assurance_name(p->least),
		              p->least == WR_OWN_DEVICE
		                  ? "sign on a device of your own: pending, ssh-keygen, approve -"
		                  : "sign from a terminal or an ssh session of your own");
	return true;
}

/* Does an approval in this role help at all? */
static bool check_wanted(wr_decision *d, const wr_signed *s, const wr_approval_policy *p)
{
	char roles[256] = "";
	if (wr_role_wanted(p, s->role)) return true;
	for (size_t i = 0; i < p->role_count; i++) {
		size_t at = strlen(roles);
		wr_put(roles + at, sizeof roles - at, "%s%s", at ? ", " : "", p->roles[i]);
	}
	return refuse(d, WR_E_DENIED, "A-ROLE", "%.63s is not among the roles that must approve: %s",
	              s->role, roles);
}

static bool check_key(wr_decision *d, const wr_op *op, const wr_signed *s)
{
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		if (strcmp(a->fingerprint, s->fingerprint) != 0 || !strcmp(a->principal, s->principal))
			continue;
		return refuse(d, WR_E_DENIED, "A-SAME-KEY",
		              "%.63s signed %s with this very key: one key, one person", a->principal,
		              op->id);
	}
	return true;
}

/* ---- recording ---- */

static void emit_approval(wr_decision *d, const wr_signed *s)
{
	json_t *r = wr_draft(d, "approval_recorded");
	wr_set_str(r, "actor", s->principal);
	wr_set_str(r, "operation_id", s->operation_id);
	wr_set_str(r, "plan_hash", s->plan_hash);
	wr_set_str(r, "principal", s->principal);
	wr_set_str(r, "role", s->role);
	wr_set_str(r, "decision", s->decision);
	wr_set_str(r, "assurance", wr_assurance_name(s->assurance));
	wr_set_str(r, "observed_assurance", wr_assurance_name(s->observed));
	wr_set_str(r, "nonce", s->nonce);
	wr_set_time(r, "expires", s->expires_us);
	wr_set_str(r, "head", s->head);
	wr_set_str(r, "key_fingerprint", s->fingerprint);
	wr_set_str(r, "signed", s->text);
	wr_set_str(r, "signature", s->signature);
	wr_set_str(r, "note", s->note ? s->note : "");
	wr_emit(d, r);
	d->out->accepted = true;
}

/* ---- proposing ---- */

/* The traffic provider that both plans set, "" none. */
static const char *shared_traffic(const json_t *one, const json_t *two)
{
	json_t *a, *b;
	size_t i, k;
	json_array_foreach (json_object_get(one, "steps"), i, a) {
		const char *provider = wr_json_str(json_object_get(a, "traffic"), "provider", "");
		json_array_foreach (json_object_get(two, "steps"), k, b)
			if (provider[0] &&
			    !strcmp(provider, wr_json_str(json_object_get(b, "traffic"), "provider", "")))
				return provider;
	}
	return "";
}

/* Law 4: one at a time in a group; and groups that share a traffic provider move the same weights.
 */
static bool check_alone(wr_decision *d, const json_t *plan)
{
	const char *group = wr_json_str(plan, "group", "");
	const wr_op *other = wr_state_active(d->s, group), *ops[WR_OPS_KEPT];
	if (other)
		return refuse(d, WR_E_CONFLICT, "A-BUSY",
		              "%s is %s in group %.63s, and there is one operation at a time: deny or "
		              "abort it, or wait for its end",
		              other->id, wr_op_state_name(other->state), group);
	size_t n = wr_state_ops(d->s, ops, WR_OPS_KEPT);
	for (size_t i = 0; i < n; i++) {
		const char *shared = wr_op_final(ops[i]->state) ? "" : shared_traffic(plan, ops[i]->plan);
		if (shared[0])
			return refuse(d, WR_E_CONFLICT, "A-BUSY",
			              "%s is %s in group %.63s and moves traffic %.63s too: deny or abort it, "
			              "or wait for its end",
			              ops[i]->id, wr_op_state_name(ops[i]->state), ops[i]->group, shared);
	}
	return true;
}

static bool check_draft(wr_decision *d, const wr_signed *s, char steps_hash[static WR_HEX_LEN],
                        char words[static WR_WORDS_LEN])
{
	const json_t *plan = d->ev->draft_plan;
	char hash[WR_HEX_LEN];
	wr_err err = {0};
	if (!plan || !d->ev->draft_id || strcmp(d->ev->draft_id, s->operation_id) != 0)
		return refuse(d, WR_E_NOT_FOUND, "A-UNKNOWN", "there is no such draft");
	if (wr_id_number(d->ev->draft_id, "op-") <= d->s->forgotten_op ||
	    wr_slot(d->s, d->ev->draft_id))
		return refuse(d, WR_E_CONFLICT, "A-ID", "%.23s is taken; draw the plan up again",
		              d->ev->draft_id);
	if (wr_plan_check(plan, &err) != 0)
		return refuse(d, WR_E_INVALID, "A-PLAN", "the plan cannot be used: %.300s", err.msg);
	if (wr_plan_hash(plan, hash, words, &err) != 0 || strcmp(hash, s->plan_hash) != 0)
		return refuse(d, WR_E_CONFLICT, "A-PLAN", "another plan than this one was signed");
	wr_put(steps_hash, WR_HEX_LEN, "%s", wr_json_str(plan, "steps_hash", ""));
	if (d->ev->steps_hash_now && strcmp(d->ev->steps_hash_now, steps_hash) != 0)
		return refuse(d, WR_E_CONFLICT, "A-DRIFT",
		              "the plan would be another one now; draw it up again");
	int64_t made_us = 0;
	if (wr_time_parse(wr_json_str(plan, "made_at", ""), &made_us, &err) != 0 ||
	    made_us > d->now_us + US_PER_S * 60 ||
	    d->now_us - made_us > WR_APPROVAL_EXPIRY_MAX_S * US_PER_S)
		return refuse(d, WR_E_TIMEOUT, "A-OLD",
		              "the plan is not of the last %d minutes; draw it up "
		              "again",
		              WR_APPROVAL_EXPIRY_MAX_S / 60);
	return check_alone(d, plan);
}

void wr_decide_propose(wr_decision *d)
{
	const wr_signed *s = d->ev->sign;
	const json_t *plan = d->ev->draft_plan;
	char steps_hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	int kind = wr_rb_kind_parse_name(wr_json_str(plan, "kind", ""));
	const wr_approval_policy *p = wr_policy(d->cfg, kind < 0 ? WR_RB_OTHER : (wr_runbook_kind)kind);
	bool approves = !strcmp(s->decision, "approve");
	if (!approves && strcmp(s->decision, "propose") != 0) {
		refuse(d, WR_E_CONFLICT, "A-STATE", "it is only a draft: propose or approve it");
		return;
	}
	if (!check_text(d, s) || !check_draft(d, s, steps_hash, words) || !check_time(d, s, p) ||
	    !check_person(d, s, p) || (approves && !check_wanted(d, s, p)))
		return;
	int64_t life_ms = p->expires_ms > 0 ? p->expires_ms : WR_APPROVAL_EXPIRY_MAX_S * 1000;
	json_t *r = wr_draft(d, "operation_proposed");
	wr_set_str(r, "actor", s->principal);
	wr_set_str(r, "operation_id", d->ev->draft_id);
	wr_set_str(r, "kind", wr_json_str(plan, "kind", ""));
	wr_set_str(r, "runbook", wr_json_str(plan, "runbook", ""));
	wr_set_str(r, "group", wr_json_str(plan, "group", ""));
	wr_set_str(r, "from_region", wr_json_str(plan, "from", ""));
	wr_set_str(r, "to_region", wr_json_str(plan, "to", ""));
	wr_set_str(r, "plan_hash", s->plan_hash);
	wr_set_str(r, "steps_hash", steps_hash);
	wr_set_str(r, "proposer", s->principal);
	wr_set_str(r, "reason", d->ev->draft_reason ? d->ev->draft_reason : "");
	wr_set_time(r, "expires", d->now_us + life_ms * US_PER_MS);
	wr_set_str(r, "words", words);
	wr_emit(d, r);
	emit_approval(d, s);
}

/* ---- decisions on an operation ---- */

static const char *event_of(const char *decision)
{
	static const char *const plain[] = {"approve", "deny", "hold", "resume", "abort"};
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (!strcmp(decision, plain[i])) return plain[i];
	if (!strncmp(decision, "rule:", 5)) return "rule";
	if (!strncmp(decision, "tick:", 5)) return "tick";
	return NULL;
}

static const char *past_of(const char *event)
{
	static const char *const past[][2] = {{"approve", "approved"}, {"deny", "denied"},
	                                      {"hold", "held"},        {"resume", "resumed"},
	                                      {"abort", "aborted"},    {"propose", "proposed"},
	                                      {"rule", "ruled on"},    {"tick", "ticked off"}};
	for (size_t i = 0; i < sizeof past / sizeof past[0]; i++)
		if (!strcmp(event, past[i][0])) return past[i][1];
	return event;
}

static bool refuse_state(wr_decision *d, const wr_op *op, const char *event)
{
	const char *hint = "";
	bool begun =
	    op->state == WR_OP_RUNNING || op->state == WR_OP_HELD || op->state == WR_OP_ROLLING_BACK;
	if (wr_op_final(op->state))
		hint = "; it is over";
	else if (!strcmp(event, "deny") && begun)
		hint = "; it has begun: use hold or abort";
	else if (!strcmp(event, "hold") && !begun)
		hint = "; nothing runs yet: use deny";
	else if (!strcmp(event, "hold"))
		hint = "; it is held already";
	else if (!strcmp(event, "resume"))
		hint = "; only what is held can be resumed";
	else if (!strcmp(event, "abort"))
		hint = "; it is going back already";
	else if (!strcmp(event, "approve"))
		hint = "; going back needs no new approval";
	else if (!strcmp(event, "rule"))
		hint = "; a ruling is for a step of a held operation";
	else if (!strcmp(event, "tick"))
		hint = "; no manual step waits";
	return refuse(d, WR_E_CONFLICT, "A-STATE", "%s is %s and cannot be %s now%s", op->id,
	              wr_op_state_name(op->state), past_of(event), hint);
}

/* An approval of what is void already is refused, and that it is void is said in a receipt. */
static bool check_alive(wr_decision *d, const wr_op *op)
{
	bool proposed = op->state == WR_OP_PROPOSED, begun = !proposed && op->state != WR_OP_APPROVED;
	if (begun && wr_drifted(d, op))
		return refuse(d, WR_E_CONFLICT, "A-DRIFT",
		              "the plan of %s would be another one now: it can only be aborted", op->id);
	if (!begun && wr_drifted(d, op)) {
		wr_emit(d, wr_transition(d, op, proposed ? "P-DRIFT" : "Q-DRIFT",
		                         "plan drift: the plan would be another one now"));
		return refuse(d, WR_E_CONFLICT, "A-DRIFT",
		              "the plan of %s would be another one now: it is void; draw it up again",
		              op->id);
	}
	wr_quorum q;
	wr_quorum_eval(&q, d->cfg, op, d->now_us);
	if (!proposed || q.met || d->now_us < op->expires_us) return true;
	wr_emit(d, wr_transition(d, op, "P-EXPIRE", "nobody approved it in time"));
	return refuse(d, WR_E_TIMEOUT, "A-STATE", "%s has expired; draw the plan up again", op->id);
}

static bool signed_approve(wr_decision *d, const wr_op *op, const wr_approval_policy *p)
{
	const wr_signed *s = d->ev->sign;
	bool started = op->state == WR_OP_RUNNING || op->state == WR_OP_HELD;
	bool back = op->state == WR_OP_HELD && op->held_from == WR_OP_ROLLING_BACK;
	/* Unless those who did may not any more: then others have to, or there is no way back. */
	if (back && strcmp(op->held_rule, HOLD_APPROVALS) != 0) return refuse_state(d, op, "approve");
	if (!check_wanted(d, s, p) || (!back && !check_alive(d, op))) return false;
	for (size_t i = 0; i < op->approval_count && !started; i++) {
		const wr_approval *a = &op->approvals[i];
		if (strcmp(a->decision, "approve") != 0 || strcmp(a->principal, s->principal) != 0)
			continue;
		if (wr_approval_lives(a, d->now_us))
			return refuse(d, WR_E_CONFLICT, "A-TWICE",
			              "%.63s has approved already, and another person is needed", s->principal);
	}
	emit_approval(d, s);
	return true;
}

static bool signed_deny(wr_decision *d, const wr_op *op)
{
	const wr_signed *s = d->ev->sign;
	emit_approval(d, s);
	json_t *r =
	    wr_transition(d, op, op->state == WR_OP_PROPOSED ? "P-DENY" : "Q-DENY", "denied by %s%s%s",
	                  s->principal, s->note && *s->note ? ": " : "", s->note ? s->note : "");
	wr_set_str(r, "actor", s->principal);
	return wr_emit(d, r);
}

static bool emit_hold(wr_decision *d, const wr_op *op, const char *principal, const char *note)
{
	json_t *r =
	    wr_transition(d, op, op->state == WR_OP_RUNNING ? "R-HOLD" : "B-HOLD", "held by %s%s%s",
	                  principal, note && *note ? ": " : "", note ? note : "");
	wr_set_str(r, "actor", principal);
	wr_set_str(r, "rule", HOLD_OPERATOR);
	return wr_emit(d, r);
}

static bool signed_hold(wr_decision *d, const wr_op *op)
{
	const wr_signed *s = d->ev->sign;
	emit_approval(d, s);
	return emit_hold(d, op, s->principal, s->note);
}

static bool signed_resume(wr_decision *d, const wr_op *op)
{
	const wr_signed *s = d->ev->sign;
	bool back = op->held_from == WR_OP_ROLLING_BACK;
	if (!back && op->abort_requested)
		return refuse(d, WR_E_CONFLICT, "A-STATE", "%s: abort was asked for; it cannot be resumed",
		              op->id);
	if (!op->plan)
		return refuse(d, WR_E_CONFLICT, "A-STATE", "%s: its plan is lost; it cannot be resumed",
		              op->id);
	emit_approval(d, s);
	json_t *r =
	    wr_transition(d, op, back ? "H-RESUME-BACK" : "H-RESUME-RUN", "resumed by %s%s%s",
	                  s->principal, s->note && *s->note ? ": " : "", s->note ? s->note : "");
	wr_set_str(r, "actor", s->principal);
	return wr_emit(d, r);
}

/* A wait under way ends at abort; its report closes the attempt. What has effects is let finish. */
static void cancel_waits(wr_decision *d, const wr_op *op)
{
	for (size_t i = 0; i < op->step_count; i++) {
		const wr_op_step *st = &op->steps[i];
		if (!st->intent_open || st->kind != WR_STEP_WAIT) continue;
		if (d->out->command_count == WR_MAX_EFFECTS) return;
		wr_command *c = &d->out->commands[d->out->command_count++];
		*c = (wr_command){.kind = WR_CMD_CANCEL,
		                  .index = i,
		                  .attempt = st->attempts,
		                  .undo = st->undo,
		                  .step = wr_op_plan_step(op, i)};
		wr_put(c->operation_id, sizeof c->operation_id, "%s", op->id);
	}
}

static const char *abort_rule(const wr_op *op)
{
	switch (op->state) {
	case WR_OP_PROPOSED:
		return "P-WITHDRAW";
	case WR_OP_APPROVED:
		return "Q-WITHDRAW";
	case WR_OP_RUNNING:
		return "R-ABORT";
	default:
		return op->plan ? "H-ABORT" : "H-LOST";
	}
}

static bool emit_abort(wr_decision *d, const wr_op *op, const char *principal, const char *note)
{
	const char *rule = abort_rule(op);
	json_t *r = wr_transition(d, op, rule, "aborted by %s%s%s", principal,
	                          note && *note ? ": " : "", note ? note : "");
	wr_set_str(r, "actor", principal);
	if (wr_op_final(wr_rule_id(rule)->to))
		wr_set_finish(d, r, op);
	else
		cancel_waits(d, op);
	return wr_emit(d, r);
}

bool wr_take_up(wr_decision *d, const wr_op *op)
{
	bool moving = op->state == WR_OP_RUNNING || op->state == WR_OP_ROLLING_BACK;
	bool ends = wr_rule_for(op->state, "abort") && !op->abort_requested &&
	            (op->state != WR_OP_HELD || op->held_from != WR_OP_ROLLING_BACK);
	static const char after[] = "as recorded before a restart";
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		if (ends && !strcmp(a->decision, "abort")) return emit_abort(d, op, a->principal, after);
		if (moving && !strcmp(a->decision, "hold") && a->seq > op->held_seq)
			return emit_hold(d, op, a->principal, after);
	}
	return false;
}

static bool signed_abort(wr_decision *d, const wr_op *op)
{
	const wr_signed *s = d->ev->sign;
	if (op->state == WR_OP_HELD && op->held_from == WR_OP_ROLLING_BACK && op->plan)
		return refuse(d, WR_E_CONFLICT, "A-STATE",
		              "%s is going back already: resume it, or rule on its step", op->id);
	if (op->abort_requested && op->plan)
		return refuse(d, WR_E_CONFLICT, "A-TWICE", "%s: abort was asked for already", op->id);
	emit_approval(d, s);
	return emit_abort(d, op, s->principal, s->note);
}

/* May two people rule on this step now, and so? */
static bool check_ruling(wr_decision *d, const wr_op *op, size_t index, const char *what)
{
	const wr_op_step *st = &op->steps[index];
	if (strcmp(what, "skip") != 0 && strcmp(what, "done") != 0 && strcmp(what, "not_done") != 0)
		return refuse(d, WR_E_INVALID, "A-DECISION", "a ruling is done, not_done or skip");
	if (wr_ruling_fits(op, index, what)) return true;
	if (st->intent_open)
		return refuse(d, WR_E_CONFLICT, "A-STATE", "step %s of %s is under way",
		              wr_op_step_name(op, index), op->id);
	return refuse(d, WR_E_CONFLICT, "A-STATE", "step %s of %s is %s: it does not wait for a ruling",
	              wr_op_step_name(op, index), op->id, wr_step_state_name(st->state));
}

static int find_step(const wr_op *op, const char *name, size_t len)
{
	for (size_t i = 0; i < op->step_count; i++) {
		const char *n = wr_op_step_name(op, i);
		if (strlen(n) == len && !strncmp(n, name, len)) return (int)i;
	}
	return -1;
}

static bool signed_rule(wr_decision *d, const wr_op *op)
{
	const wr_signed *s = d->ev->sign;
	const char *name = s->decision + 5, *last = strrchr(name, ':');
	int index = last ? find_step(op, name, (size_t)(last - name)) : -1;
	if (index < 0)
		return refuse(d, WR_E_NOT_FOUND, "A-STEP", "%s has no step for \"%.96s\"", op->id,
		              s->decision);
	if (!check_ruling(d, op, (size_t)index, last + 1) ||
	    !check_wanted(d, s, wr_policy(d->cfg, op->kind)))
		return false;
	int64_t ruled_seq = op->steps[index].ruled_seq;
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		if (!strcmp(a->decision, s->decision) && !strcmp(a->principal, s->principal) &&
		    wr_approval_lives(a, d->now_us) && a->seq > ruled_seq && a->seq > op->held_seq)
			return refuse(d, WR_E_CONFLICT, "A-TWICE",
			              "%.63s has ruled so already, and another person is needed", s->principal);
	}
	emit_approval(d, s);
	return true;
}

static bool signed_tick(wr_decision *d, const wr_op *op)
{
	const char *name = d->ev->sign->decision + 5;
	int index = find_step(op, name, strlen(name));
	if (index < 0)
		return refuse(d, WR_E_NOT_FOUND, "A-STEP", "%s has no step \"%.63s\"", op->id, name);
	const wr_op_step *st = &op->steps[index];
	if (!st->intent_open || st->kind != WR_STEP_MANUAL)
		return refuse(d, WR_E_CONFLICT, "A-STATE", "step %s of %s does not wait to be ticked off",
		              wr_op_step_name(op, (size_t)index), op->id);
	emit_approval(d, d->ev->sign);
	return true;
}

void wr_decide_signed(wr_decision *d)
{
	const wr_signed *s = d->ev->sign;
	const wr_op *op = wr_state_op(d->s, s->operation_id);
	if (!op) {
		refuse(d, WR_E_NOT_FOUND, "A-UNKNOWN", "there is no operation of that name");
		return;
	}
	const wr_approval_policy *p = wr_policy(d->cfg, op->kind);
	const char *event = event_of(s->decision);
	if (strcmp(op->plan_hash, s->plan_hash) != 0) {
		refuse(d, WR_E_CONFLICT, "A-PLAN", "another plan than that of %s was signed", op->id);
		return;
	}
	if (!check_text(d, s) || !check_time(d, s, p) || !check_person(d, s, p) || !check_key(d, op, s))
		return;
	if (!event) {
		if (!strcmp(s->decision, "propose"))
			refuse_state(d, op, "propose");
		else
			refuse(d, WR_E_INVALID, "A-DECISION", "no such decision");
		return;
	}
	if (!wr_rule_for(op->state, event)) {
		refuse_state(d, op, event);
		return;
	}
	if (!strcmp(event, "approve"))
		signed_approve(d, op, p);
	else if (!strcmp(event, "deny"))
		signed_deny(d, op);
	else if (!strcmp(event, "hold"))
		signed_hold(d, op);
	else if (!strcmp(event, "resume"))
		signed_resume(d, op);
	else if (!strcmp(event, "abort"))
		signed_abort(d, op);
	else if (!strcmp(event, "rule"))
		signed_rule(d, op);
	else
		signed_tick(d, op);
}
