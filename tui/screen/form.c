/* form.c: the dialog as a state machine: keys and the engine's answers in, requests out. */
#include "screen/form.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "screen/form_parts.h"
#include "warroom/hash.h"
#include "warroom/limits.h"
#include "warroom/text.h"
#include "warroom/words.h"

/* ---- opening ---- */

static field *add_field(form *f, field_kind kind, const char *label)
{
	WR_ASSERT(f->n_fields < FORM_FIELDS);
	field *x = &f->fields[f->n_fields++];
	*x = (field){.kind = kind};
	snprintf(x->label, sizeof x->label, "%s", label);
	return x;
}

static void add_choice(field *x, const char *shown, const char *value, const char *extra)
{
	choice *more = realloc(x->choices, (size_t)(x->n_choices + 1) * sizeof *more);
	WR_ASSERT(more);
	x->choices = more;
	choice *c = &more[x->n_choices++];
	snprintf(c->shown, sizeof c->shown, "%s", shown);
	snprintf(c->value, sizeof c->value, "%s", value);
	snprintf(c->extra, sizeof c->extra, "%s", extra);
}

static void clear_fields(form *f)
{
	for (int i = 0; i < f->n_fields; i++) free(f->fields[i].choices);
	f->n_fields = f->at = 0;
}

static bool has_approved(const json_t *op, const char *principal)
{
	size_t i;
	json_t *a;
	json_array_foreach (json_object_get(op, "approvals"), i, a)
		if (is(a, "principal", principal) && is(a, "decision", "approve") &&
		    wr_json_bool(a, "valid", false))
			return true;
	return false;
}

/* People whose key is on this machine; chosen is the first who has not approved yet. */
static int add_people(form *f, const scene *s, const json_t *op)
{
	field *x = add_field(f, F_CHOICE, "who signs");
	size_t i;
	json_t *p;
	bool found = false;
	json_array_foreach (json_object_get(s->state, "operators"), i, p) {
		const char *key = wr_json_str(p, "key_file", ""), *name = wr_json_str(p, "principal", "");
		const char *first = json_string_value(json_array_get(json_object_get(p, "roles"), 0));
		if (!*key || x->n_choices >= WR_MAX_OPERATORS) continue;
		bool approved = f->action == A_APPROVE && has_approved(op, name);
		char shown[96];
		snprintf(shown, sizeof shown, "%.40s (%.20s)%s", name, first ? first : "no role",
		         approved ? ", has approved" : "");
		add_choice(x, shown, name, key);
		if (!approved && !found) {
			x->chosen = x->n_choices - 1;
			found = true;
		}
	}
	return x->n_choices;
}

static const char *verb_of(action_id a)
{
	switch (a) {
	case A_DENY:
		return "deny";
	case A_HOLD:
		return "hold";
	case A_RESUME:
		return "resume";
	case A_ABORT:
		return "abort";
	default:
		return "approve";
	}
}

static void decision_of(form *f)
{
	const field *ruling = &f->fields[1];
	if (f->action == A_TICK)
		snprintf(f->decision, sizeof f->decision, "tick:%s", f->step);
	else if (f->action == A_RULE)
		snprintf(f->decision, sizeof f->decision, "rule:%s:%.20s", f->step,
		         ruling->choices[ruling->chosen].value);
	else
		snprintf(f->decision, sizeof f->decision, "%s", verb_of(f->action));
}

static bool find_step(form *f, const json_t *op)
{
	size_t i;
	json_t *st;
	json_array_foreach (json_object_get(op, "steps"), i, st) {
		bool hit = f->action == A_TICK ? is(st, "state", "running") && is(st, "kind", "manual")
		                               : is(st, "state", "uncertain");
		if (!hit) continue;
		snprintf(f->step, sizeof f->step, "%s", wr_json_str(st, "name", ""));
		return true;
	}
	return false;
}

static bool is_draft(const form *f)
{
	return f->action == A_FAILOVER || f->action == A_FAILBACK;
}

static bool set_draft(form *f, const scene *s)
{
	const char *kind = f->action == A_FAILOVER ? "failover" : "failback";
	const json_t *a = scene_action(s);
	size_t i;
	json_t *one;
	if (!a || !is(a, "action", kind)) {
		a = NULL;
		json_array_foreach (json_object_get(s->state, "actions"), i, one)
			if (!a && is(one, "action", kind)) a = one;
	}
	if (!a) return false;
	snprintf(f->act, sizeof f->act, "%s", kind);
	snprintf(f->from, sizeof f->from, "%s", wr_json_str(a, "from", ""));
	snprintf(f->to, sizeof f->to, "%s", wr_json_str(a, "to", ""));
	snprintf(f->title, sizeof f->title, "propose %s %s %s %s", kind, f->from, grid_glyphs()->arrow,
	         f->to);
	return true;
}

static bool set_target(form *f, const scene *s)
{
	if (is_draft(f)) return set_draft(f, s);
	const json_t *op = scene_active(s);
	if (!op) return false;
	snprintf(f->operation_id, sizeof f->operation_id, "%s", wr_json_str(op, "id", ""));
	snprintf(f->from, sizeof f->from, "%s", wr_json_str(op, "from", ""));
	snprintf(f->to, sizeof f->to, "%s", wr_json_str(op, "to", ""));
	if ((f->action == A_TICK || f->action == A_RULE) && !find_step(f, op)) return false;
	snprintf(f->title, sizeof f->title, "%s%s %s: %s %s %s %s",
	         f->action == A_TICK   ? "tick off "
	         : f->action == A_RULE ? "rule on "
	                               : verb_of(f->action),
	         f->step, f->operation_id, wr_json_str(op, "action", ""), f->from, grid_glyphs()->arrow,
	         f->to);
	return true;
}

form *form_open(const scene *s, action_id a, const form_ops *ops, const char **why)
{
	form *f = calloc(1, sizeof *f);
	WR_ASSERT(f);
	f->action = a;
	f->ops = *ops;
	f->secret = sodium_malloc(WR_PASSPHRASE_MAX);
	WR_ASSERT(f->secret);
	*why = "there is nothing to decide on";
	if (!set_target(f, s)) goto fail;
	*why = "no operator has a sealed key on this machine: use warroom pending and ssh-keygen";
	if (add_people(f, s, scene_active(s)) == 0) goto fail;
	if (a == A_RULE) {
		field *x = add_field(f, F_CHOICE, "the step was");
		add_choice(x, "done", "done", "");
		add_choice(x, "not done: do it", "not_done", "");
		add_choice(x, "skip it", "skip", "");
	}
	if (is_draft(f) || a == A_DENY || a == A_ABORT || a == A_TICK || a == A_HOLD)
		add_field(f, F_TEXT, a == A_TICK || a == A_HOLD ? "note (optional)" : "reason");
	return f;
fail:
	form_free(f);
	return NULL;
}

static void wipe_secret(form *f)
{
	sodium_memzero(f->secret, WR_PASSPHRASE_MAX);
	f->secret_len = 0;
}

void form_free(form *f)
{
	if (!f) return;
	if (f->secret) sodium_free(f->secret); /* wipes */
	clear_fields(f);
	json_decref(f->challenge);
	free(f);
}

/* ---- the first page: who and why ---- */

static const char *typed(const form *f)
{
	for (int i = 0; i < f->n_fields; i++)
		if (f->fields[i].kind == F_TEXT) return f->fields[i].edit.text;
	return "";
}

static void busy(form *f, form_page back_to)
{
	snprintf(f->error, sizeof f->error, "an earlier request is still under way; press Enter again");
	f->page = back_to;
}

static void ask(form *f)
{
	const choice *who = &f->fields[0].choices[f->fields[0].chosen];
	decision_of(f);
	snprintf(f->principal, sizeof f->principal, "%s", who->value);
	snprintf(f->key_file, sizeof f->key_file, "%s", who->extra);
	snprintf(f->note, sizeof f->note, "%s", typed(f));
	intent in = {.operation_id = is_draft(f) ? NULL : f->operation_id,
	             .action = f->act,
	             .from = f->from,
	             .to = f->to,
	             .reason = is_draft(f) ? f->note : NULL,
	             .decision = f->decision,
	             .principal = f->principal,
	             .assurance = "separate_session"};
	f->page = P_ASKING;
	if (!f->ops.challenge(f->ops.ctx, &in)) busy(f, P_WHO);
}

/* ---- the second page: what will be signed ---- */

/* The text to be signed must say what was asked, and what the screen will show. */
static bool check_message(form *f)
{
	const char *text = wr_json_str(f->challenge, "message", "");
	wr_err err = {0};
	json_t *m = wr_json_parse(text, strlen(text), &err);
	const char *hash = wr_json_str(m, "plan_hash", ""), *id = wr_json_str(m, "operation_id", "");
	uint8_t bytes[WR_HASH_LEN];
	bool ok = m && is(m, "decision", f->decision) && is(m, "principal", f->principal) &&
	          !strcmp(id, wr_json_str(f->challenge, "operation_id", "")) &&
	          (is_draft(f) || !strcmp(id, f->operation_id)) &&
	          wr_unhex(bytes, sizeof bytes, hash, strlen(hash)) == 0;
	if (ok) {
		wr_words(f->words, bytes);
		snprintf(f->operation_id, sizeof f->operation_id, "%s", id);
	}
	json_decref(m);
	return ok;
}

/* A value to type, so that a hand on Enter decides nothing: where it goes, or which operation. */
static void add_confirm(form *f)
{
	bool moves = is_draft(f) || f->action == A_APPROVE;
	if (!moves && f->action != A_ABORT && f->action != A_RULE) return;
	bool region = moves && wr_name_ok(f->to);
	field *x =
	    add_field(f, F_CONFIRM, region ? "type the target region" : "type the operation's id");
	snprintf(x->expect, sizeof x->expect, "%s", region ? f->to : f->operation_id);
}

static void turn_page(form *f)
{
	clear_fields(f);
	add_confirm(f);
	char label[64];
	snprintf(label, sizeof label, "passphrase of %.40s", f->principal);
	add_field(f, F_SECRET, label);
	f->page = P_CONFIRM;
}

static void sign(form *f)
{
	f->page = P_SIGNING;
	if (!f->ops.sign(f->ops.ctx, f->challenge, f->key_file, f->secret, f->secret_len, f->note))
		busy(f, P_CONFIRM);
	wipe_secret(f);
}

/* ---- keys ---- */

static void next_field(form *f)
{
	const field *x = &f->fields[f->at];
	bool optional = f->action == A_TICK || f->action == A_HOLD; /* holding is urgent */
	if (x->kind == F_TEXT && x->edit.len < 3 && !optional) {
		snprintf(f->error, sizeof f->error, "say why in a few words: it stays in the record");
	} else if (x->kind == F_CONFIRM && strcmp(x->edit.text, x->expect) != 0) {
		snprintf(f->error, sizeof f->error, "that is not it: read it in the title of this dialog");
	} else if (x->kind == F_SECRET && !f->secret_len) {
		snprintf(f->error, sizeof f->error, "the passphrase is empty");
	} else if (f->at + 1 < f->n_fields) {
		f->at++;
	} else if (f->page == P_WHO) {
		ask(f);
	} else {
		/* Tab may have gone round a value that was not typed. */
		const field *c = &f->fields[0];
		if (c->kind == F_CONFIRM && strcmp(c->edit.text, c->expect) != 0) {
			f->at = 0;
			snprintf(f->error, sizeof f->error, "%s first", c->label);
		} else {
			sign(f);
		}
	}
}

static void type_secret(form *f, uint32_t key)
{
	char utf8[4];
	if (key == K_CTRL_U) {
		wipe_secret(f);
	} else if (key == K_BACKSPACE) {
		while (f->secret_len) {
			unsigned char last = (unsigned char)f->secret[--f->secret_len];
			f->secret[f->secret_len] = 0;
			if ((last & 0xc0) != 0x80) break;
		}
	} else if (key >= 0x20 && key < 0x110000) {
		size_t n = wr_utf8_put(utf8, key);
		if (f->secret_len + n <= WR_PASSPHRASE_MAX) {
			memcpy(f->secret + f->secret_len, utf8, n);
			f->secret_len += n;
		} else {
			snprintf(f->error, sizeof f->error, "a passphrase has at most %d bytes",
			         WR_PASSPHRASE_MAX);
		}
		sodium_memzero(utf8, sizeof utf8);
	}
}

static void choose(field *x, uint32_t key)
{
	if (key == K_RIGHT || key == K_DOWN || key == ' ')
		x->chosen = (x->chosen + 1) % x->n_choices;
	else if (key == K_LEFT || key == K_UP)
		x->chosen = (x->chosen + x->n_choices - 1) % x->n_choices;
	else if (key >= '1' && key <= '9' && key < '1' + (uint32_t)x->n_choices)
		x->chosen = (int)(key - '1');
}

static void field_key(form *f, uint32_t key)
{
	field *x = &f->fields[f->at];
	switch (x->kind) {
	case F_CHOICE:
		if (!f->pasting) choose(x, key);
		break;
	case F_SECRET:
		type_secret(f, key);
		break;
	case F_CONFIRM:
		if (f->pasting)
			snprintf(f->error, sizeof f->error, "type it: what is pasted was not read");
		else
			(void)edit_key(&x->edit, key);
		break;
	case F_TEXT:
		if (!f->pasting || key >= 0x20) (void)edit_key(&x->edit, key);
		break;
	}
}

static form_end cancel(form *f, uint32_t key, const char **message, bool *bad)
{
	if (f->page == P_SIGNING) { /* on its way: its end will be said */
		if (f->leaving && key == K_CTRL_C) return FORM_QUIT;
		f->leaving = key == K_CTRL_C;
		return FORM_ON;
	}
	*message = "cancelled; nothing was signed";
	*bad = false;
	return FORM_OVER;
}

form_end form_key(form *f, uint32_t key, bool quick, const char **message, bool *bad)
{
	if (key == K_PASTE || key == K_PASTE_END) {
		f->pasting = key == K_PASTE;
		return FORM_ON;
	}
	if (!f->pasting && (key == K_ESC || key == K_CTRL_C)) return cancel(f, key, message, bad);
	if (f->page == P_ASKING || f->page == P_SIGNING) return FORM_ON;
	bool choice_field = f->fields[f->at].kind == F_CHOICE;
	if (key == K_ENTER || key == K_TAB) {
		if (f->pasting) return FORM_ON; /* a line's end in pasted text decides nothing */
		f->error[0] = '\0';
		if (key == K_TAB)
			f->at = (f->at + 1) % f->n_fields;
		else if (quick && !choice_field)
			snprintf(f->error, sizeof f->error, "that Enter came with the text: press it yourself");
		else
			next_field(f);
		return FORM_ON;
	}
	if (key == K_BTAB || (key == K_UP && !choice_field))
		f->at = (f->at + f->n_fields - 1) % f->n_fields;
	else if (key == K_DOWN && !choice_field)
		f->at = (f->at + 1) % f->n_fields;
	else if (key == K_PGDN || key == K_PGUP)
		f->scroll += key == K_PGDN ? 5 : f->scroll >= 5 ? -5 : -f->scroll;
	else {
		f->error[0] = '\0';
		field_key(f, key);
	}
	return FORM_ON;
}

/* ---- answers ---- */

static form_end got_challenge(form *f, json_t *answer, const wr_err *err)
{
	f->page = P_WHO;
	if (!answer) {
		snprintf(f->error, sizeof f->error, "%s", err->msg);
		return FORM_ON;
	}
	json_decref(f->challenge);
	f->challenge = answer;
	if (check_message(f)) {
		turn_page(f);
		return FORM_ON;
	}
	json_decref(f->challenge);
	f->challenge = NULL;
	snprintf(f->error, sizeof f->error,
	         "the engine's text to sign does not say what was asked; nothing was signed");
	return FORM_ON;
}

form_end form_answer(form *f, json_t *answer, const wr_err *err, const char **message, bool *bad)
{
	if (f->page == P_ASKING) return got_challenge(f, answer, err);
	if (f->page != P_SIGNING) { /* of a dialog that was cancelled */
		json_decref(answer);
		return FORM_ON;
	}
	if (!answer && err->code == WR_E_DENIED && strstr(err->msg, "passphrase")) {
		snprintf(f->error, sizeof f->error, "wrong passphrase; nothing was signed");
		f->page = P_CONFIRM;
		return FORM_ON;
	}
	if (answer)
		snprintf(f->message, sizeof f->message, "%.60s: %.80s by %.60s is recorded",
		         wr_json_str(answer, "operation_id", f->operation_id),
		         wr_json_str(answer, "decision", f->decision), f->principal);
	else
		snprintf(f->message, sizeof f->message, "not accepted: %s", err->msg);
	*bad = !answer;
	*message = f->message;
	json_decref(answer);
	return FORM_OVER;
}
