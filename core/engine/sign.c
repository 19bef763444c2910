/* sign.c: signatures in. Everything that changes the world passes through engine_sign.
 *
 * A signature names nobody by itself: it is held against the open challenges of its operation, and
 * the key inside must be the challenge's principal's in allowed_signers at this moment. What the
 * decision means is decided by wr_decide alone. */
#include <stdlib.h>
#include <string.h>

#include "engine/request.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define TRIES_MAX 64 /* signatures verified for one request: forgeries must stay cheap */

/* Whose texts are tried: those of the people who own the key, or the others', for a better answer
 * than "fits nothing". */
static bool owns_key(const wr_signers *signers, const char *principal, const wr_pubkey *key)
{
	for (size_t i = 0; i < signers->count; i++)
		if (!strcmp(signers->items[i].principal, principal) &&
		    !memcmp(signers->items[i].key.ed25519, key->ed25519, sizeof key->ed25519))
			return true;
	return false;
}

static int newest_first(const void *a, const void *b)
{
	const challenge *x = *(const challenge *const *)a, *y = *(const challenge *const *)b;
	return x->order < y->order ? 1 : -1;
}

/* The challenge that the signature is of, or NULL. decision "": any. */
static const challenge *match(const engine *e, const char *operation_id, const char *decision,
                              const wr_sshsig *sig, const wr_signers *signers)
{
	const challenge *list[CHALLENGES];
	size_t n = 0, tries = 0;
	for (size_t i = 0; i < CHALLENGES; i++) {
		const challenge *c = &e->challenges[i];
		if (c->text && !strcmp(c->sign.operation_id, operation_id) &&
		    (!*decision || !strcmp(c->sign.decision, decision)))
			list[n++] = c;
	}
	if (n > 1) qsort(list, n, sizeof *list, newest_first);
	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < n && tries < TRIES_MAX; i++) {
			const challenge *c = list[i];
			if (owns_key(signers, c->sign.principal, &sig->key) != (own == 1)) continue;
			tries++;
			if (wr_sshsig_verify(sig, WR_NS_APPROVAL, c->text, strlen(c->text), NULL) == 0)
				return c;
		}
	return NULL;
}

/* The signer must be in allowed_signers now, with this key, and nobody else may have the same key.
 * The rule that is broken, with *err, or NULL. */
static const char *check_person(engine *e, const wr_signers *signers, const wr_buf *text,
                                const char *principal, const wr_pubkey *key, wr_err *err)
{
	if (!wr_signers_find(signers, principal, key, WR_NS_APPROVAL, wr_wall_us(e->clock), err))
		return "A-KEY";
	const wr_signer *other = wr_signers_same_key(signers, key, principal);
	if (other) {
		wr_fail(err, WR_E_DENIED, "this key also stands under the name %s: one key, one person",
		        other->principal);
		return "A-SAME-KEY";
	}
	return engine_keep_signers(e, wr_buf_cstr(text), text->len, err) == 0 ? NULL : "A-SIGNERS";
}

/* The base64 on one line, as receipts keep it: what wr_sshsig_parse read, armoured or bare. */
static void bare_base64(wr_buf *out, const char *text)
{
	const char *head = strstr(text, "-----BEGIN SSH SIGNATURE-----");
	if (head) text = head + strlen("-----BEGIN SSH SIGNATURE-----");
	for (; *text && *text != '-'; text++)
		if (!strchr(" \t\r\n", *text)) wr_buf_addc(out, *text);
}

/* Hands the matter to wr_decide; takes m. */
static void decide(engine *e, msg *m, const challenge *c, const wr_sshsig *sig, const char *armour,
                   const char *note)
{
	wr_signed s = c->sign;
	char clean[256], drift[WR_HEX_LEN] = "";
	wr_buf b64 = WR_BUF_INIT(WR_SSHSIG_MAX);
	bare_base64(&b64, armour);
	snprintf(s.fingerprint, sizeof s.fingerprint, "%s", sig->key.fingerprint);
	s.observed = engine_observe(e, &s, &m->request->from, e->flight_why, sizeof e->flight_why);
	s.text = c->text;
	s.note = wr_sanitise_to(clean, sizeof clean, note);
	s.signature = wr_buf_cstr(&b64);
	draft *d = engine_draft(e, s.operation_id);
	const wr_op *op = wr_state_op(e->state, s.operation_id);
	if (op)
		engine_steps_hash(e, op, drift);
	else if (d)
		snprintf(drift, sizeof drift, "%s", wr_json_str(d->plan, "steps_hash", ""));
	wr_event ev = {.kind = op ? WR_EV_SIGNED : WR_EV_PROPOSE,
	               .sign = &s,
	               .steps_hash_now = drift,
	               .steps_hash_op = s.operation_id};
	if (!op && d) {
		ev.draft_plan = d->plan;
		ev.draft_id = d->id;
		ev.draft_reason = d->reason;
	}
	engine_decide(e, &ev, m);
	wr_buf_free(&b64);
}

void engine_sign(engine *e, msg *m, const json_t *body)
{
	request *r = m->request;
	const char *id = wr_json_str(body, "operation_id", ""),
	           *armour = wr_json_str(body, "signature", ""),
	           *decision = wr_json_str(body, "decision", "");
	wr_err err = {0};
	wr_sshsig sig;
	wr_signers signers = {0};
	wr_buf text = WR_BUF_INIT(WR_SIGNERS_MAX);
	const challenge *found = NULL;
	const char *path = e->cfg->allowed_signers, *rule = NULL;
	int status = 403;
	if (wr_sshsig_parse(&sig, armour, strlen(armour), &err) != 0) {
		rule = "A-FORM";
		status = 400;
		wr_err_wrap(&err, "the signature cannot be read");
	} else if (wr_read_file(&text, path, WR_SIGNERS_MAX, WR_NOT_WRITABLE, &err) != 0 ||
	           wr_signers_parse(&signers, wr_buf_cstr(&text), text.len, path, &err) != 0) {
		rule = "A-SIGNERS";
	} else if (!(found = match(e, id, decision, &sig, &signers))) {
		rule = "A-SIGNATURE";
		wr_fail(&err, WR_E_DENIED,
		        "this signature fits no request issued for %s: sign the text that `warroom "
		        "pending` prints now, in namespace " WR_NS_APPROVAL,
		        wr_name_ok(id) ? id : "that operation");
	} else {
		rule = check_person(e, &signers, &text, found->sign.principal, &sig.key, &err);
	}
	if (rule) {
		request_error(e, r, status, status == 400 ? "invalid" : "denied", rule, "%s", err.msg);
		msg_free(m);
	} else {
		decide(e, m, found, &sig, armour, wr_json_str(body, "note", ""));
	}
	wr_signers_free(&signers);
	wr_buf_free(&text);
}
