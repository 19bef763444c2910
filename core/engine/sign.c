/* sign.c: challenges out, signatures in. Everything that changes the world passes through
 * engine_sign.
 *
 * A challenge is the exact text a person signs, with a fresh nonce. A signature names nobody by
 * itself: it is held against the open challenges of its operation, and the key inside must be the
 * challenge's principal's in allowed_signers at this moment. What the decision means is decided by
 * wr_decide alone. */
#include <string.h>

#include <sodium.h>
#include <stdlib.h>

#include "engine/request.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/log.h"
#include "warroom/text.h"

draft *engine_draft(engine *e, const char *id)
{
	for (size_t i = 0; i < DRAFTS; i++)
		if (e->drafts[i].id[0] && !strcmp(e->drafts[i].id, id)) return &e->drafts[i];
	return NULL;
}

static void draft_clear(draft *d)
{
	if (d->plan) json_decref(d->plan);
	memset(d, 0, sizeof *d);
}

/* "op-N", beyond both what is in the ledger and what is only drafted. */
static void next_draft_id(const engine *e, char out[static WR_ID_LEN])
{
	wr_state_next_id(e->state, out);
	long long n = strtoll(strrchr(out, '-') + 1, NULL, 10);
	for (size_t i = 0; i < DRAFTS; i++) {
		const char *dash = strrchr(e->drafts[i].id, '-');
		long long k = dash ? strtoll(dash + 1, NULL, 10) : -1;
		if (k >= n) n = k + 1;
	}
	snprintf(out, WR_ID_LEN, "op-%lld", n);
}

static draft *draft_slot(engine *e, int64_t now_us)
{
	draft *oldest = &e->drafts[0];
	for (size_t i = 0; i < DRAFTS; i++) {
		draft *d = &e->drafts[i];
		if (d->id[0] && now_us - d->made_us > INT64_C(1000000) * WR_APPROVAL_EXPIRY_MAX_S)
			draft_clear(d);
		if (!d->id[0]) return d;
		if (d->made_us < oldest->made_us) oldest = d;
	}
	draft_clear(oldest);
	return oldest;
}

/* Which action a request means; answers the error itself and returns false. */
bool request_action(engine *e, request *r, const char *action, const char *from, const char *to,
                    const char *runbook, candidate *out)
{
	const wr_region *fr = from ? wr_config_region(e->cfg, from) : NULL;
	const wr_region *tr = to ? wr_config_region(e->cfg, to) : NULL;
	if (!fr || !tr || fr == tr) {
		request_error(e, r, 400, "invalid", "", "%s: name two different regions with from and to",
		              !fr   ? "from is not a region of this platform"
		              : !tr ? "to is not a region of this platform"
		                    : "from and to are the same");
		return false;
	}
	memset(out, 0, sizeof *out);
	out->from = (size_t)(fr - e->cfg->regions);
	out->to = (size_t)(tr - e->cfg->regions);
	const wr_runbook *rb = runbook && *runbook ? wr_config_runbook(e->cfg, runbook) : NULL;
	if (!rb && action && !strcmp(action, "failover"))
		rb = wr_config_runbook_for(e->cfg, WR_RB_FAILOVER, NULL);
	if (!rb && action && !strcmp(action, "failback"))
		rb = wr_config_runbook_for(e->cfg, WR_RB_FAILBACK, NULL);
	if (!rb) rb = action ? wr_config_runbook(e->cfg, action) : NULL;
	if (!rb) {
		request_error(e, r, 400, "invalid", "",
		              "no runbook for this action: use failover, failback or a runbook's name");
		return false;
	}
	if (action && ((!strcmp(action, "failover") && rb->kind != WR_RB_FAILOVER) ||
	               (!strcmp(action, "failback") && rb->kind != WR_RB_FAILBACK))) {
		request_error(e, r, 400, "invalid", "", "runbook %s is not a %s runbook", rb->name, action);
		return false;
	}
	out->kind = rb->kind;
	out->runbook = rb;
	return true;
}

static draft *make_draft(engine *e, request *r, const json_t *spec)
{
	candidate c;
	if (!request_action(e, r, wr_json_str(spec, "action", NULL), wr_json_str(spec, "from", NULL),
	                    wr_json_str(spec, "to", NULL), wr_json_str(spec, "runbook", NULL), &c))
		return NULL;
	int64_t now = wr_wall_us(e->clock);
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	char hex[WR_HEX_LEN];
	wr_hex(hex, head.hash, sizeof head.hash);
	wr_err err = {0};
	json_t *plan =
	    wr_plan_make(e->cfg, e->state, e->world, c.runbook, c.from, c.to, hex, now, &err);
	if (!plan) {
		request_error(e, r, 409, wr_err_name(err.code), "", "no plan: %s", err.msg);
		return NULL;
	}
	char hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	if (wr_plan_hash(plan, hash, words, &err) != 0) {
		json_decref(plan);
		request_error(e, r, 409, wr_err_name(err.code), "", "no plan: %s", err.msg);
		return NULL;
	}
	char id[WR_ID_LEN];
	next_draft_id(e, id);
	draft *d = draft_slot(e, now);
	memcpy(d->id, id, sizeof d->id);
	d->plan = plan;
	d->made_us = now;
	memcpy(d->plan_hash, hash, sizeof d->plan_hash);
	memcpy(d->words, words, sizeof d->words);
	wr_sanitise_to(d->reason, sizeof d->reason, wr_json_str(spec, "reason", ""));
	return d;
}

static const wr_approval_policy *policy_of(const engine *e, wr_runbook_kind kind)
{
	if (kind == WR_RB_FAILOVER) return &e->cfg->approve_failover;
	if (kind == WR_RB_FAILBACK) return &e->cfg->approve_failback;
	return &e->cfg->approve_other;
}

static bool has_role(const wr_operator *o, const char *role)
{
	for (size_t i = 0; i < o->role_count; i++)
		if (!strcmp(o->roles[i], role)) return true;
	return false;
}

/* The role to sign in when none is named: one that the quorum still lacks, else one that it asks
 * for, else any. */
static const char *role_for(const wr_operator *o, const wr_approval_policy *p, const wr_op *op)
{
	const char *asked = NULL;
	for (size_t i = 0; i < p->role_count; i++) {
		if (!has_role(o, p->roles[i])) continue;
		bool taken = false;
		for (size_t k = 0; op && k < op->approval_count; k++)
			if (!strcmp(op->approvals[k].decision, "approve") &&
			    !strcmp(op->approvals[k].role, p->roles[i]))
				taken = true;
		if (!taken) return p->roles[i];
		asked = p->roles[i];
	}
	return asked ? asked : o->role_count ? o->roles[0] : "";
}

static bool decision_known(const char *d)
{
	static const char *const plain[] = {"propose", "approve", "deny", "hold",
	                                    "resume",  "abort",   NULL};
	for (size_t i = 0; plain[i]; i++)
		if (!strcmp(d, plain[i])) return true;
	return (!strncmp(d, "rule:", 5) || !strncmp(d, "tick:", 5)) && strlen(d) < 96 && d[5];
}

static challenge *new_challenge(engine *e)
{
	challenge *c = &e->challenges[e->challenge_next++ % CHALLENGES];
	free(c->text);
	memset(c, 0, sizeof *c);
	return c;
}

static void answer_challenge(engine *e, request *r, const challenge *c, const json_t *plan,
                             bool is_draft)
{
	char expires[WR_TIME_LEN];
	wr_time_format(expires, c->sign.expires_us);
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	if (plan) wr_plan_text(plan, &text);
	uint8_t hash[32];
	char words[WR_WORDS_LEN] = "";
	if (wr_unhex(hash, sizeof hash, c->sign.plan_hash, 64) == 0) wr_words(words, hash);
	json_t *body = json_pack(
	    "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "operation_id",
	    c->sign.operation_id, "message", c->text, "nonce", c->sign.nonce, "expires", expires,
	    "plan_hash", c->sign.plan_hash, "words", words, "decision", c->sign.decision, "principal",
	    c->sign.principal, "role", c->sign.role, "assurance", wr_assurance_name(c->sign.assurance),
	    "draft", is_draft, "text", wr_buf_cstr(&text));
	if (body && plan) {
		const json_t *loss = wr_json_get(plan, "/loss"), *guards = wr_json_get(plan, "/guards");
		if (loss) json_object_set_new(body, "loss", json_deep_copy(loss));
		if (guards) json_object_set_new(body, "guards", json_deep_copy(guards));
	}
	wr_buf_free(&text);
	request_json(e, r, 200, body);
}

void engine_challenge(engine *e, request *r, const json_t *body)
{
	const char *id = wr_json_str(body, "operation_id", NULL),
	           *decision = wr_json_str(body, "decision", "approve");
	const char *principal = wr_json_str(body, "principal", ""),
	           *role = wr_json_str(body, "role", NULL);
	const json_t *spec = json_object_get(body, "draft");
	if (!decision_known(decision)) {
		request_error(e, r, 400, "invalid", "",
		              "decision: use propose, approve, deny, hold, resume, abort, rule:STEP:WHAT "
		              "or tick:STEP");
		return;
	}
	const wr_operator *who = wr_config_operator(e->cfg, principal);
	if (!who) {
		request_error(e, r, 403, "denied", "A-OPERATOR",
		              "this person is not among the operators of the configuration; say who signs "
		              "with --as NAME");
		return;
	}
	if (role && !has_role(who, role)) {
		request_error(e, r, 403, "denied", "A-ROLE", "%s does not hold that role", who->principal);
		return;
	}
	wr_assurance assurance = WR_OWN_DEVICE;
	if (wr_assurance_parse(wr_json_str(body, "assurance", "own_device"), &assurance) != 0) {
		request_error(e, r, 400, "invalid", "",
		              "assurance: use own_device, separate_session or shared_terminal");
		return;
	}
	const wr_op *op = id ? wr_state_op(e->state, id) : NULL;
	draft *d = id && !op ? engine_draft(e, id) : NULL;
	if (!op && !d) {
		if (id || !json_is_object(spec)) {
			request_error(e, r, 404, "not_found", "",
			              "no such operation; `warroom pending` lists those that wait");
			return;
		}
		if (!(d = make_draft(e, r, spec))) return;
	}
	const char *kind = d ? wr_json_str(d->plan, "kind", "") : wr_runbook_kind_name(op->kind);
	const wr_approval_policy *policy = policy_of(e, !strcmp(kind, "failover")   ? WR_RB_FAILOVER
	                                                : !strcmp(kind, "failback") ? WR_RB_FAILBACK
	                                                                            : WR_RB_OTHER);
	challenge *c = new_challenge(e);
	wr_signed *s = &c->sign;
	snprintf(s->operation_id, sizeof s->operation_id, "%s", d ? d->id : op->id);
	snprintf(s->plan_hash, sizeof s->plan_hash, "%s", d ? d->plan_hash : op->plan_hash);
	snprintf(s->principal, sizeof s->principal, "%s", who->principal);
	snprintf(s->role, sizeof s->role, "%s", role ? role : role_for(who, policy, op));
	snprintf(s->decision, sizeof s->decision, "%s", decision);
	uint8_t nonce[32];
	randombytes_buf(nonce, sizeof nonce);
	wr_hex(s->nonce, nonce, sizeof nonce);
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	wr_hex(s->head, head.hash, sizeof head.hash);
	s->assurance = s->observed = assurance;
	s->expires_us = wr_wall_us(e->clock) + policy->expires_ms * 1000;
	wr_buf text = WR_BUF_INIT(4096);
	wr_err err = {0};
	if (wr_challenge_text(&text, s, &err) != 0) {
		wr_buf_free(&text);
		request_error(e, r, 500, wr_err_name(err.code), "", "%s", err.msg);
		return;
	}
	c->text = wr_buf_take(&text);
	answer_challenge(e, r, c, d ? d->plan : op->plan, d != NULL);
}

const challenge *engine_match(engine *e, const char *operation_id, const wr_sshsig *sig)
{
	/* Newest first: a person who asked twice signs the later text. */
	for (size_t i = 0; i < CHALLENGES; i++) {
		size_t at = (e->challenge_next + CHALLENGES - 1 - i) % CHALLENGES;
		challenge *c = &e->challenges[at];
		if (!c->text || strcmp(c->sign.operation_id, operation_id) != 0) continue;
		if (wr_sshsig_verify(sig, WR_NS_APPROVAL, c->text, strlen(c->text), NULL) == 0) return c;
	}
	return NULL;
}

/* The signer must be in allowed_signers now, with this key, and nobody else may have the same key.
 */
static const char *check_person(engine *e, const challenge *c, const wr_sshsig *sig, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_SIGNERS_MAX);
	wr_signers signers = {0};
	const char *rule = NULL;
	if (wr_read_file(&text, e->cfg->allowed_signers, WR_SIGNERS_MAX, WR_NOT_WRITABLE, err) != 0 ||
	    wr_signers_parse(&signers, text.data ? text.data : "", text.len, e->cfg->allowed_signers,
	                     err) != 0) {
		rule = "A-SIGNERS";
	} else if (!wr_signers_find(&signers, c->sign.principal, &sig->key, WR_NS_APPROVAL,
	                            wr_wall_us(e->clock), err)) {
		rule = "A-KEY";
	} else {
		const wr_signer *other = wr_signers_same_key(&signers, &sig->key, c->sign.principal);
		if (other) {
			wr_fail(err, WR_E_DENIED, "this key also stands under the name %s: one key, one person",
			        other->principal);
			rule = "A-SAME-KEY";
		}
	}
	/* The ledger keeps the signers as they were accepted, so that it can be verified by itself. */
	char copy[4096];
	if (!rule &&
	    wr_path_join(copy, sizeof copy, e->cfg->ledger_dir, "allowed_signers", NULL) == 0) {
		wr_buf old = WR_BUF_INIT(WR_SIGNERS_MAX);
		bool same = wr_read_file(&old, copy, WR_SIGNERS_MAX, WR_ANY, NULL) == 0 &&
		            old.len == text.len && memcmp(old.data, text.data, text.len) == 0;
		wr_buf_free(&old);
		if (!same && wr_write_file(copy, text.data, text.len, 0640, err) != 0) rule = "A-SIGNERS";
	}
	wr_signers_free(&signers);
	wr_buf_free(&text);
	return rule;
}

static wr_assurance observe(engine *e, const wr_signed *s, const peer *from)
{
	wr_assurance seen = s->assurance;
	for (size_t i = 0; i < SEATS; i++) {
		const seat *other = &e->seats[i];
		if (strcmp(other->operation_id, s->operation_id) != 0 ||
		    !strcmp(other->principal, s->principal))
			continue;
		if (peer_same_terminal(&other->from, from)) seen = WR_SHARED_TERMINAL;
	}
	seat *mine = &e->seats[e->seat_next++ % SEATS];
	snprintf(mine->operation_id, sizeof mine->operation_id, "%s", s->operation_id);
	snprintf(mine->principal, sizeof mine->principal, "%s", s->principal);
	mine->from = *from;
	return seen;
}

/* The armour's base64 on one line, as receipts keep it; bare base64 passes through. */
static void bare_base64(wr_buf *out, const char *armour)
{
	const char *p = armour, *end = armour + strlen(armour);
	if (!strncmp(p, "-----BEGIN", 10)) {
		p = strchr(p, '\n');
		if (!p) return;
		const char *foot = strstr(p, "-----END");
		if (foot) end = foot;
	}
	for (; p < end; p++)
		if (!strchr(" \t\r\n", *p)) wr_buf_addc(out, *p);
}

void engine_sign(engine *e, msg *m, const json_t *body)
{
	request *r = m->request;
	const char *id = wr_json_str(body, "operation_id", ""),
	           *armour = wr_json_str(body, "signature", "");
	wr_err err = {0};
	wr_sshsig sig;
	if (wr_sshsig_parse(&sig, armour, strlen(armour), &err) != 0) {
		request_error(e, r, 400, "invalid", "A-FORM", "the signature cannot be read: %s", err.msg);
		goto done;
	}
	const challenge *found = engine_match(e, id, &sig);
	if (!found) {
		request_error(e, r, 403, "denied", "A-SIGNATURE",
		              "this signature fits no request issued for %s: sign the text that `warroom "
		              "pending` prints now, in namespace " WR_NS_APPROVAL,
		              wr_name_ok(id) ? id : "that operation");
		goto done;
	}
	const char *rule = check_person(e, found, &sig, &err);
	if (rule) {
		request_error(e, r, 403, "denied", rule, "%s", err.msg);
		goto done;
	}
	char note[256];
	wr_sanitise_to(note, sizeof note, wr_json_str(body, "note", ""));
	wr_signed s = found->sign;
	snprintf(s.fingerprint, sizeof s.fingerprint, "%s", sig.key.fingerprint);
	s.observed = observe(e, &s, &r->from);
	s.text = found->text;
	s.note = note;
	wr_buf b64 = WR_BUF_INIT(WR_SSHSIG_MAX);
	bare_base64(&b64, armour);
	s.signature = wr_buf_cstr(&b64);
	draft *d = engine_draft(e, s.operation_id);
	const wr_op *op = wr_state_op(e->state, s.operation_id);
	char drift[WR_HEX_LEN] = "";
	if (op)
		snprintf(drift, sizeof drift, "%s", engine_steps_hash(e, op));
	else if (d)
		snprintf(drift, sizeof drift, "%s", wr_json_str(d->plan, "steps_hash", ""));
	wr_event ev = {.kind = op ? WR_EV_SIGNED : WR_EV_PROPOSE, .sign = &s, .steps_hash_now = drift};
	if (!op && d) {
		ev.draft_plan = d->plan;
		ev.draft_id = d->id;
		ev.draft_reason = d->reason;
	}
	engine_decide(e, &ev, m);
	wr_buf_free(&b64);
	return;
done:
	msg_free(m);
}
