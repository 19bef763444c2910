/* quorum.c: what is signed, and whether the signatures on record are enough. Pure.
 *
 * Role groups are AND: a distinct person with a distinct key for each, two people at least. Only
 * approvals that are valid at the asked moment count, of people who are operators with that role
 * still, with the assurance that the policy asks for; any deny voids all. */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

const wr_approval_policy *wr_policy(const wr_config *cfg, wr_runbook_kind kind)
{
	if (kind == WR_RB_FAILOVER) return &cfg->approve_failover;
	if (kind == WR_RB_FAILBACK) return &cfg->approve_failback;
	return &cfg->approve_other;
}

bool wr_operator_holds(const wr_operator *o, const char *role)
{
	for (size_t i = 0; i < o->role_count; i++)
		if (!strcmp(o->roles[i], role)) return true;
	return false;
}

bool wr_role_wanted(const wr_approval_policy *p, const char *role)
{
	if (p->role_count < 2) return true; /* the second one is anybody else */
	for (size_t i = 0; i < p->role_count; i++)
		if (!strcmp(p->roles[i], role)) return true;
	return false;
}

int wr_challenge_text(wr_buf *out, const wr_signed *s, wr_err *err)
{
	char expires[WR_TIME_LEN];
	wr_time_format(expires, s->expires_us);
	json_t *o = json_object();
	if (!o) return wr_fail(err, WR_E_NOMEM, "out of memory");
	wr_set_str(o, "assurance", wr_assurance_name(s->assurance));
	wr_set_str(o, "decision", s->decision);
	wr_set_str(o, "expires", expires);
	wr_set_str(o, "head", s->head);
	wr_set_str(o, "nonce", s->nonce);
	wr_set_str(o, "operation_id", s->operation_id);
	wr_set_str(o, "plan_hash", s->plan_hash);
	wr_set_str(o, "principal", s->principal);
	wr_set_str(o, "role", s->role);
	int rc = wr_canon_write(out, o, err);
	json_decref(o);
	return rc;
}

/* The approvals that may count at all. */
static size_t eligible(const wr_config *cfg, const wr_op *op, int64_t now_us, bool back,
                       const wr_approval *list[static 32])
{
	const wr_approval_policy *p = wr_policy(cfg, op->kind);
	size_t n = 0;
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		const wr_operator *who = wr_config_operator(cfg, a->principal);
		if (strcmp(a->decision, "approve") != 0 || (!back && !wr_approval_lives(a, now_us)))
			continue;
		if (!who || !wr_operator_holds(who, a->role) || a->assurance < p->least) continue;
		list[n++] = a;
	}
	return n;
}

static bool clashes(const wr_approval *a, const wr_approval *const *taken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(a->principal, taken[i]->principal) ||
		    !strcmp(a->fingerprint, taken[i]->fingerprint))
			return true;
	return false;
}

/* The longest-lived approval of `role` ("" any) that clashes with none taken. */
static const wr_approval *pick(const wr_approval *const *list, size_t n, const char *role,
                               const wr_approval *const *taken, size_t taken_count)
{
	const wr_approval *best = NULL;
	for (size_t i = 0; i < n; i++) {
		if (role[0] && strcmp(list[i]->role, role) != 0) continue;
		if (clashes(list[i], taken, taken_count)) continue;
		if (!best || list[i]->expires_us > best->expires_us) best = list[i];
	}
	return best;
}

static void add_missing(char *text, size_t size, const char *role)
{
	size_t at = strlen(text);
	wr_put(text + at, size - at, "%sone %s", at ? ", " : "", role);
}

static void judge(wr_quorum *out, const wr_config *cfg, const wr_op *op, int64_t now_us, bool back)
{
	const wr_approval_policy *p = wr_policy(cfg, op->kind);
	const wr_approval *list[32], *taken[WR_MAX_OPERATORS];
	size_t n = eligible(cfg, op, now_us, back, list), taken_count = 0;
	memset(out, 0, sizeof *out);
	out->need = p->role_count > 2 ? p->role_count : 2;
	for (size_t i = 0; i < out->need && taken_count < WR_MAX_OPERATORS; i++) {
		const char *role = i < p->role_count ? p->roles[i] : "";
		const wr_approval *a = pick(list, n, role, taken, taken_count);
		if (a)
			taken[taken_count++] = a;
		else
			add_missing(out->missing, sizeof out->missing, role[0] ? role : "other operator");
	}
	out->have = taken_count;
	for (size_t i = 0; i < taken_count; i++)
		if (!out->first_expiry_us || taken[i]->expires_us < out->first_expiry_us)
			out->first_expiry_us = taken[i]->expires_us;
	out->met = out->have == out->need;
	for (size_t i = 0; i < op->approval_count; i++) {
		if (strcmp(op->approvals[i].decision, "deny") != 0) continue;
		out->met = false;
		wr_put(out->missing, sizeof out->missing, "%s denied it", op->approvals[i].principal);
	}
}

void wr_quorum_eval(wr_quorum *out, const wr_config *cfg, const wr_op *op, int64_t now_us)
{
	judge(out, cfg, op, now_us, false);
}

void wr_quorum_back(wr_quorum *out, const wr_config *cfg, const wr_op *op)
{
	judge(out, cfg, op, 0, true);
}
