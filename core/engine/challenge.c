/* challenge.c: drafts of plans, and the texts that people sign.
 *
 * A challenge is the exact text that a person signs, with a fresh nonce. Anyone who may use the
 * socket may ask for one, so what is kept is bounded for each user: who asks again gets the same
 * text again, and who asks for ever pushes out nobody else's. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "engine/request.h"
#include "warroom/json.h"
#include "warroom/text.h"

/* ---- drafts ---- */

draft *engine_draft(engine *e, const char *id)
{
	for (size_t i = 0; i < DRAFTS; i++)
		if (e->drafts[i].id[0] && !strcmp(e->drafts[i].id, id)) return &e->drafts[i];
	return NULL;
}

void draft_clear(draft *d)
{
	if (d->plan) json_decref(d->plan);
	memset(d, 0, sizeof *d);
}

/* "op-N", beyond both what is in the ledger and what was ever drafted: an id is read aloud, so it
 * must not come to mean another plan. */
static void next_draft_id(engine *e, char out[static WR_ID_LEN])
{
	char next[WR_ID_LEN];
	wr_state_next_id(e->state, next);
	long long n = strtoll(next + strlen("op-"), NULL, 10);
	if (n <= e->last_draft) n = e->last_draft + 1;
	e->last_draft = n;
	snprintf(out, WR_ID_LEN, "op-%lld", n);
}

static size_t drafts_of(const engine *e, int64_t uid)
{
	size_t n = 0;
	for (size_t i = 0; i < DRAFTS; i++) n += e->drafts[i].id[0] && e->drafts[i].uid == uid;
	return n;
}

/* A free place, else the oldest draft of the same user when that has its share, else the oldest of
 * the user who has most. */
static draft *draft_slot(engine *e, int64_t uid, int64_t now_us)
{
	draft *slot = NULL;
	for (size_t i = 0; i < DRAFTS; i++) {
		draft *d = &e->drafts[i];
		int64_t age_us = now_us - d->made_us;
		if (d->id[0] && age_us > INT64_C(1000000) * WR_APPROVAL_EXPIRY_MAX_S) draft_clear(d);
		if (!d->id[0]) slot = d;
	}
	bool full_share = drafts_of(e, uid) >= DRAFTS_UID;
	if (slot && !full_share) return slot;
	size_t most = 0;
	slot = NULL;
	for (size_t i = 0; i < DRAFTS; i++) {
		draft *d = &e->drafts[i];
		if (!d->id[0] || (full_share && d->uid != uid)) continue;
		size_t has = drafts_of(e, d->uid);
		if (!slot || has > most || (has == most && d->made_us < slot->made_us)) {
			most = has;
			slot = d;
		}
	}
	draft_clear(slot);
	return slot;
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
	char hex[WR_HEX_LEN], hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_hex(hex, head.hash, sizeof head.hash);
	wr_err err = {0};
	json_t *plan =
	    wr_plan_make(e->cfg, e->state, e->world, c.runbook, c.from, c.to, hex, now, &err);
	if (!plan || wr_plan_hash(plan, hash, words, &err) != 0) {
		json_decref(plan);
		request_error(e, r, 409, wr_err_name(err.code), "", "no plan: %s", err.msg);
		return NULL;
	}
	draft *d = draft_slot(e, r->from.uid, now);
	next_draft_id(e, d->id);
	d->plan = plan;
	d->made_us = now;
	d->uid = r->from.uid;
	memcpy(d->plan_hash, hash, sizeof d->plan_hash);
	memcpy(d->words, words, sizeof d->words);
	wr_sanitise_to(d->reason, sizeof d->reason, wr_json_str(spec, "reason", ""));
	return d;
}

/* ---- who, in what role, what for ---- */

static const wr_approval_policy *policy_of(const engine *e, const wr_op *op, const draft *d)
{
	const char *kind = d    ? wr_json_str(d->plan, "kind", "")
	                   : op ? wr_runbook_kind_name(op->kind)
	                        : "";
	if (!strcmp(kind, wr_runbook_kind_name(WR_RB_FAILOVER))) return &e->cfg->approve_failover;
	if (!strcmp(kind, wr_runbook_kind_name(WR_RB_FAILBACK))) return &e->cfg->approve_failback;
	return &e->cfg->approve_other;
}

static bool has_role(const wr_operator *o, const char *role)
{
	for (size_t i = 0; i < o->role_count; i++)
		if (!strcmp(o->roles[i], role)) return true;
	return false;
}

static bool role_taken(const wr_op *op, const char *role, int64_t now_us)
{
	for (size_t k = 0; op && k < op->approval_count; k++)
		if (!strcmp(op->approvals[k].decision, "approve") && !strcmp(op->approvals[k].role, role) &&
		    op->approvals[k].expires_us > now_us)
			return true;
	return false;
}

/* The role to sign in when none is named: one that the quorum still lacks, else one that it asks
 * for, else any. */
static const char *role_for(const wr_operator *o, const wr_approval_policy *p, const wr_op *op,
                            int64_t now_us)
{
	const char *asked = NULL;
	for (size_t i = 0; i < p->role_count; i++) {
		if (!has_role(o, p->roles[i])) continue;
		if (!role_taken(op, p->roles[i], now_us)) return p->roles[i];
		asked = p->roles[i];
	}
	return asked ? asked : o->role_count ? o->roles[0] : "";
}

/* rule:STEP:WHAT, tick:STEP: names of things only, so that texts stay plain and few. */
static bool decision_known(const char *d)
{
	static const char *const plain[] = {"propose", "approve", "deny", "hold",
	                                    "resume",  "abort",   NULL};
	char step[WR_NAME_MAX + 2];
	for (size_t i = 0; plain[i]; i++)
		if (!strcmp(d, plain[i])) return true;
	bool rule = !strncmp(d, "rule:", 5);
	if (!rule && strncmp(d, "tick:", 5) != 0) return false;
	const char *what = rule ? strchr(d + 5, ':') : d + strlen(d);
	if (!what || (size_t)(what - d - 5) > WR_NAME_MAX) return false;
	memcpy(step, d + 5, (size_t)(what - d - 5));
	step[what - d - 5] = '\0';
	if (!wr_name_ok(step)) return false;
	return !rule || !strcmp(what, ":done") || !strcmp(what, ":not_done") || !strcmp(what, ":skip");
}

/* ---- challenges ---- */

static bool spent(const engine *e, const challenge *c, int64_t now_us)
{
	return c->sign.expires_us <= now_us || wr_state_nonce_used(e->state, c->sign.nonce);
}

/* The same question by the same user, asked again while its text has most of its time left. */
static challenge *open_challenge(engine *e, const wr_signed *s, int64_t uid, int64_t now_us)
{
	for (size_t i = 0; i < CHALLENGES; i++) {
		challenge *c = &e->challenges[i];
		const wr_signed *o = &c->sign;
		if (!c->text || c->uid != uid || strcmp(o->operation_id, s->operation_id) != 0 ||
		    strcmp(o->principal, s->principal) != 0 || strcmp(o->decision, s->decision) != 0 ||
		    strcmp(o->role, s->role) != 0 || strcmp(o->plan_hash, s->plan_hash) != 0 ||
		    o->assurance != s->assurance)
			continue;
		bool mostly = o->expires_us - now_us > (s->expires_us - now_us) / 4 * 3;
		if (mostly && !spent(e, c, now_us)) return c;
	}
	return NULL;
}

static size_t challenges_of(const engine *e, int64_t uid)
{
	size_t n = 0;
	for (size_t i = 0; i < CHALLENGES; i++)
		n += e->challenges[i].text && e->challenges[i].uid == uid;
	return n;
}

static challenge *oldest(engine *e, const wr_signed *s, int64_t uid, size_t *count)
{
	challenge *found = NULL;
	*count = 0;
	for (size_t i = 0; i < CHALLENGES; i++) {
		challenge *c = &e->challenges[i];
		if (!c->text || c->uid != uid ||
		    (s && (strcmp(c->sign.operation_id, s->operation_id) != 0 ||
		           strcmp(c->sign.principal, s->principal) != 0)))
			continue;
		++*count;
		if (!found || c->order < found->order) found = c;
	}
	return found;
}

/* Its share used up: the user's own oldest for this person and operation. Else a free place, one
 * that is answered or over, or the oldest of the user who has most. */
static challenge *challenge_slot(engine *e, const wr_signed *s, int64_t uid, int64_t now_us)
{
	size_t count;
	challenge *own = oldest(e, s, uid, &count), *gone = NULL;
	if (count >= CHALLENGES_ONE) return own;
	for (size_t i = 0; i < CHALLENGES; i++) {
		challenge *c = &e->challenges[i];
		if (!c->text) return c;
		if (spent(e, c, now_us) && (!gone || c->order < gone->order)) gone = c;
	}
	if (gone) return gone;
	size_t most = 0;
	int64_t who = uid;
	for (size_t i = 0; i < CHALLENGES; i++) {
		size_t has = challenges_of(e, e->challenges[i].uid);
		if (has > most) {
			most = has;
			who = e->challenges[i].uid;
		}
	}
	return oldest(e, NULL, who, &count);
}

/* The challenge for what `s` asks, a new one if need be; NULL with *err. */
static const challenge *issue(engine *e, wr_signed *s, int64_t uid, wr_err *err)
{
	int64_t now = wr_wall_us(e->clock);
	challenge *c = open_challenge(e, s, uid, now);
	if (c) return c;
	uint8_t nonce[32];
	wr_head head;
	randombytes_buf(nonce, sizeof nonce);
	wr_hex(s->nonce, nonce, sizeof nonce);
	wr_ledger_head(e->ledger, &head);
	wr_hex(s->head, head.hash, sizeof head.hash);
	wr_buf text = WR_BUF_INIT(4096);
	if (wr_challenge_text(&text, s, err) != 0) {
		wr_buf_free(&text);
		return NULL;
	}
	char *fresh = wr_buf_take(&text);
	c = challenge_slot(e, s, uid, now);
	free(c->text);
	*c = (challenge){.sign = *s, .uid = uid, .order = ++e->challenge_order};
	c->text = fresh;
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
	const json_t *loss = json_object_get(plan, "loss"), *guards = json_object_get(plan, "guards");
	if (body) json_object_set_new(body, "loss", loss ? json_deep_copy(loss) : json_object());
	if (body) json_object_set_new(body, "guards", guards ? json_deep_copy(guards) : json_array());
	wr_buf_free(&text);
	request_json(e, r, 200, body);
}

/* Who asks, as what and how; answers the error itself and returns false. */
static bool read_person(engine *e, request *r, const json_t *body, wr_signed *s,
                        const wr_operator **who)
{
	const char *decision = wr_json_str(body, "decision", "approve");
	const char *principal = wr_json_str(body, "principal", ""),
	           *role = wr_json_str(body, "role", NULL);
	if (!decision_known(decision)) {
		request_error(e, r, 400, "invalid", "",
		              "decision \"%.63s\": use propose, approve, deny, hold, resume, abort, "
		              "rule:STEP:done|not_done|skip or tick:STEP",
		              decision);
		return false;
	}
	*who = wr_config_operator(e->cfg, principal);
	if (!*who) {
		name_list people = {0};
		for (size_t i = 0; i < e->cfg->operator_count; i++)
			name_list_add(&people, e->cfg->operators[i].principal);
		if (*principal)
			request_error(e, r, 403, "denied", "A-OPERATOR",
			              "\"%.63s\" is not among the operators (%s); say who signs with --as NAME",
			              principal, people.text);
		else
			request_error(e, r, 403, "denied", "A-OPERATOR",
			              "nobody is named: say who signs with --as NAME, one of %s", people.text);
		return false;
	}
	if (role && !has_role(*who, role)) {
		name_list roles = {0};
		for (size_t i = 0; i < (*who)->role_count; i++) name_list_add(&roles, (*who)->roles[i]);
		request_error(e, r, 403, "denied", "A-ROLE", "%s does not hold the role \"%.63s\", but %s",
		              (*who)->principal, role, roles.len ? roles.text : "none");
		return false;
	}
	s->assurance = WR_OWN_DEVICE;
	const char *assurance = wr_json_str(body, "assurance", "own_device");
	if (wr_assurance_parse(assurance, &s->assurance) != 0) {
		request_error(e, r, 400, "invalid", "",
		              "assurance \"%.63s\": use own_device, separate_session or shared_terminal",
		              assurance);
		return false;
	}
	s->observed = s->assurance;
	snprintf(s->principal, sizeof s->principal, "%s", (*who)->principal);
	snprintf(s->role, sizeof s->role, "%s", role ? role : "");
	snprintf(s->decision, sizeof s->decision, "%s", decision);
	return true;
}

/* rule and tick name a step of the plan; answers the error itself and returns false. */
static bool check_step(engine *e, request *r, const char *id, const char *decision,
                       const json_t *plan)
{
	bool tick = !strncmp(decision, "tick:", 5);
	if (!tick && strncmp(decision, "rule:", 5) != 0) return true;
	const char *name = decision + 5;
	size_t len = strcspn(name, ":"), i;
	name_list names = {0};
	json_t *step;
	json_array_foreach (json_object_get(plan, "steps"), i, step) {
		const char *has = wr_json_str(step, "name", ""), *kind = wr_json_str(step, "kind", "");
		bool fits = !tick || !strcmp(kind, "manual");
		if (fits) name_list_add(&names, has);
		if (strlen(has) != len || memcmp(has, name, len) != 0) continue;
		if (fits) return true;
		request_error(e, r, 400, "invalid", "",
		              "step %s of %s is done by the engine (%s): only manual steps are ticked off",
		              has, id, kind);
		return false;
	}
	request_error(e, r, 400, "invalid", "", "%s has no %sstep \"%.*s\", but: %s", id,
	              tick ? "manual " : "", (int)len, name, names.len ? names.text : "none");
	return false;
}

void engine_challenge(engine *e, request *r, const json_t *body)
{
	const char *id = wr_json_str(body, "operation_id", NULL);
	const json_t *spec = json_object_get(body, "draft");
	const wr_operator *who;
	wr_signed s = {0};
	wr_err err = {0};
	if (!read_person(e, r, body, &s, &who)) return;
	const wr_op *op = id ? wr_state_op(e->state, id) : NULL;
	draft *d = id && !op ? engine_draft(e, id) : NULL;
	if (!op && !d) {
		if (id || !json_is_object(spec)) {
			request_error(e, r, 404, "not_found", "",
			              "there is no operation or draft \"%.40s\"; `warroom pending` lists the "
			              "operations that wait, and drafts that nobody signed are soon forgotten",
			              id ? id : "");
			return;
		}
		if (!(d = make_draft(e, r, spec))) return;
	}
	const json_t *plan = d ? d->plan : op->plan;
	if (plan && !check_step(e, r, d ? d->id : op->id, s.decision, plan)) return;
	int64_t now = wr_wall_us(e->clock);
	const wr_approval_policy *policy = policy_of(e, op, d);
	snprintf(s.operation_id, sizeof s.operation_id, "%s", d ? d->id : op->id);
	snprintf(s.plan_hash, sizeof s.plan_hash, "%s", d ? d->plan_hash : op->plan_hash);
	if (!s.role[0]) snprintf(s.role, sizeof s.role, "%s", role_for(who, policy, op, now));
	s.expires_us = now + policy->expires_ms * 1000;
	const challenge *c = issue(e, &s, r->from.uid, &err);
	if (c)
		answer_challenge(e, r, c, plan, d != NULL);
	else
		request_error(e, r, 500, wr_err_name(err.code), "", "%s", err.msg);
}
