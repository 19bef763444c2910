/* form.c: two pages: who and why; then the engine's challenge (the plan's words, loss, guards), a
 * value to type from the screen, and the passphrase. What is signed is exactly what the second page
 * shows. */
#include "screen/form.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term.h"
#include "warroom/limits.h"
#include "warroom/text.h"

typedef enum field_kind { F_CHOICE, F_TEXT, F_CONFIRM, F_SECRET } field_kind;

typedef struct field {
	field_kind kind;
	char label[48];
	char text[256]; /* F_TEXT, F_CONFIRM */
	size_t len;
	char expect[64];     /* F_CONFIRM */
	char choices[8][80]; /* F_CHOICE */
	char values[8][64];
	char extra[8][512]; /* key files */
	int n_choices, chosen;
} field;

typedef enum page { P_WHO, P_ASKING, P_CONFIRM, P_SIGNING } page;

struct form {
	action_id action;
	feed *feed;
	page page;
	field fields[4];
	int n_fields, at;
	char operation_id[32], act[32], from[64], to[64], step[64], title[400], error[512],
	    message[600];
	char key_file[512], note[256]; /* of the second page */
	json_t *challenge;
	char *secret; /* sodium_malloc */
	size_t secret_len;
	int scroll;
};

static field *add_field(form *f, field_kind kind, const char *label)
{
	WR_ASSERT(f->n_fields < 4);
	field *x = &f->fields[f->n_fields++];
	memset(x, 0, sizeof *x);
	x->kind = kind;
	snprintf(x->label, sizeof x->label, "%s", label);
	return x;
}

static void add_choice(field *x, const char *shown, const char *value, const char *extra)
{
	if (x->n_choices >= 8) return;
	snprintf(x->choices[x->n_choices], sizeof x->choices[0], "%s", shown);
	snprintf(x->values[x->n_choices], sizeof x->values[0], "%s", value);
	snprintf(x->extra[x->n_choices++], sizeof x->extra[0], "%s", extra);
}

/* Has this person already approved? Then the other ones come first. */
static bool has_approved(const json_t *op, const char *principal)
{
	size_t i;
	json_t *a;
	json_array_foreach (json_object_get(op, "approvals"), i, a)
		if (!strcmp(wr_json_str(a, "principal", ""), principal) &&
		    !strcmp(wr_json_str(a, "decision", ""), "approve") && wr_json_bool(a, "valid", false))
			return true;
	return false;
}

static int add_people(form *f, const scene *s, const json_t *op)
{
	field *x = add_field(f, F_CHOICE, "who signs");
	size_t i;
	json_t *p;
	json_array_foreach (json_object_get(s->state, "operators"), i, p) {
		const char *key = wr_json_str(p, "key_file", ""), *name = wr_json_str(p, "principal", "");
		if (!*key) continue;
		bool approved = f->action == A_APPROVE && has_approved(op, name);
		char shown[80];
		const json_t *roles = json_object_get(p, "roles");
		snprintf(shown, sizeof shown, "%s (%s)%s", name,
		         json_string_value(json_array_get(roles, 0))
		             ? json_string_value(json_array_get(roles, 0))
		             : "no role",
		         approved ? " - has approved" : "");
		add_choice(x, shown, name, key);
		if (!approved && x->n_choices - 1 > 0 && has_approved(op, x->values[x->chosen]))
			x->chosen = x->n_choices - 1;
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

static void decision_of(const form *f, char *out, size_t size)
{
	if (f->action == A_TICK)
		snprintf(out, size, "tick:%s", f->step);
	else if (f->action == A_RULE)
		snprintf(out, size, "rule:%s:%s", f->step, f->fields[1].values[f->fields[1].chosen]);
	else
		snprintf(out, size, "%s", verb_of(f->action));
}

static bool find_step(form *f, const json_t *op)
{
	size_t i;
	json_t *st;
	json_array_foreach (json_object_get(op, "steps"), i, st) {
		const char *state = wr_json_str(st, "state", "");
		bool hit = f->action == A_TICK
		               ? !strcmp(state, "running") && !strcmp(wr_json_str(st, "kind", ""), "manual")
		               : !strcmp(state, "uncertain");
		if (!hit) continue;
		snprintf(f->step, sizeof f->step, "%s", wr_json_str(st, "name", ""));
		return true;
	}
	return false;
}

static bool set_target(form *f, const scene *s)
{
	if (f->action == A_FAILOVER || f->action == A_FAILBACK) {
		const char *kind = f->action == A_FAILOVER ? "failover" : "failback";
		const json_t *a = scene_action(s);
		size_t i;
		json_t *one;
		if (strcmp(wr_json_str(a, "action", ""), kind) != 0)
			json_array_foreach (json_object_get(s->state, "actions"), i, one)
				if (!strcmp(wr_json_str(one, "action", ""), kind)) {
					a = one;
					break;
				}
		if (!a) return false;
		snprintf(f->act, sizeof f->act, "%s", kind);
		snprintf(f->from, sizeof f->from, "%s", wr_json_str(a, "from", ""));
		snprintf(f->to, sizeof f->to, "%s", wr_json_str(a, "to", ""));
		snprintf(f->title, sizeof f->title, "Propose %s %s %s %s", kind, f->from,
		         grid_glyphs()->arrow, f->to);
		return true;
	}
	const json_t *op = scene_active(s);
	if (!op) return false;
	snprintf(f->operation_id, sizeof f->operation_id, "%s", wr_json_str(op, "id", ""));
	snprintf(f->from, sizeof f->from, "%s", wr_json_str(op, "from", ""));
	snprintf(f->to, sizeof f->to, "%s", wr_json_str(op, "to", ""));
	if ((f->action == A_TICK || f->action == A_RULE) && !find_step(f, op)) return false;
	snprintf(f->title, sizeof f->title, "%s %s: %s %s %s %s %s",
	         f->action == A_TICK   ? "tick off"
	         : f->action == A_RULE ? "rule on"
	                               : verb_of(f->action),
	         f->operation_id, wr_json_str(op, "action", ""), f->from, grid_glyphs()->arrow, f->to,
	         f->step);
	return true;
}

form *form_open(const scene *s, action_id a, feed *fd, const char **why)
{
	form *f = calloc(1, sizeof *f);
	WR_ASSERT(f);
	f->action = a;
	f->feed = fd;
	*why = "nothing to decide on";
	f->secret = sodium_malloc(WR_PASSPHRASE_MAX);
	if (!f->secret || !set_target(f, s)) goto fail;
	*why =
	    "no operator has a sealed key on this machine: sign with `warroom pending` and ssh-keygen";
	if (add_people(f, s, scene_active(s)) == 0) goto fail;
	if (a == A_RULE) {
		field *x = add_field(f, F_CHOICE, "it was");
		add_choice(x, "done", "done", "");
		add_choice(x, "not done: do it", "not_done", "");
		add_choice(x, "skip it", "skip", "");
	}
	if (a == A_FAILOVER || a == A_FAILBACK || a == A_DENY || a == A_ABORT || a == A_TICK)
		add_field(f, F_TEXT, a == A_TICK ? "note" : "reason");
	return f;
fail:
	form_free(f);
	return NULL;
}

void form_free(form *f)
{
	if (!f) return;
	if (f->secret) sodium_free(f->secret);
	json_decref(f->challenge);
	free(f);
}

static const field *text_field(const form *f)
{
	for (int i = 0; i < f->n_fields; i++)
		if (f->fields[i].kind == F_TEXT) return &f->fields[i];
	return NULL;
}

static void ask(form *f)
{
	char decision[96];
	const field *reason = text_field(f);
	decision_of(f, decision, sizeof decision);
	bool draft = f->action == A_FAILOVER || f->action == A_FAILBACK;
	intent in = {.operation_id = draft ? NULL : f->operation_id,
	             .action = f->act,
	             .from = f->from,
	             .to = f->to,
	             .reason = draft && reason ? reason->text : NULL,
	             .decision = decision,
	             .principal = f->fields[0].values[f->fields[0].chosen],
	             .assurance = "separate_session"};
	f->error[0] = '\0';
	f->page = P_ASKING;
	if (!feed_challenge(f->feed, &in)) {
		snprintf(f->error, sizeof f->error, "an earlier action is still under way; try again");
		f->page = P_WHO;
	}
}

/* The value to type: read from the screen, so that a hand on Enter cannot approve. */
static void build_confirm(form *f)
{
	const field *who = &f->fields[0], *note = text_field(f);
	snprintf(f->key_file, sizeof f->key_file, "%s", who->extra[who->chosen]);
	snprintf(f->note, sizeof f->note, "%s", note ? note->text : "");
	char label[48];
	snprintf(label, sizeof label, "passphrase of %.30s", who->values[who->chosen]);
	f->at = f->n_fields = 0;
	if (f->action == A_FAILOVER || f->action == A_FAILBACK || f->action == A_APPROVE)
		snprintf(add_field(f, F_CONFIRM, "type the target region")->expect,
		         sizeof f->fields[0].expect, "%s", f->to);
	add_field(f, F_SECRET, label);
}

static void submit(form *f)
{
	f->page = P_SIGNING;
	f->error[0] = '\0';
	if (!feed_sign(f->feed, f->challenge, f->key_file, f->secret, f->secret_len, f->note)) {
		snprintf(f->error, sizeof f->error, "an earlier action is still under way; try again");
		f->page = P_CONFIRM;
	}
	sodium_memzero(f->secret, WR_PASSPHRASE_MAX);
	f->secret_len = 0;
}

static void next_field(form *f)
{
	field *x = &f->fields[f->at];
	f->error[0] = '\0';
	if (x->kind == F_TEXT && x->len < 3 && f->action != A_TICK) {
		snprintf(f->error, sizeof f->error, "say why in a few words: it stays in the record");
		return;
	}
	if (x->kind == F_CONFIRM && strcmp(x->text, x->expect) != 0) {
		snprintf(f->error, sizeof f->error, "that is not the target region; read it above");
		return;
	}
	if (x->kind == F_SECRET && !f->secret_len) {
		snprintf(f->error, sizeof f->error, "the passphrase is empty");
		return;
	}
	if (f->at + 1 < f->n_fields)
		f->at++;
	else if (f->page == P_WHO)
		ask(f);
	else
		submit(f);
}

static void type_char(form *f, field *x, uint32_t ch)
{
	char utf8[4];
	size_t n = wr_utf8_put(utf8, ch);
	if (x->kind == F_SECRET) {
		if (f->secret_len + n < WR_PASSPHRASE_MAX) {
			memcpy(f->secret + f->secret_len, utf8, n);
			f->secret_len += n;
		}
	} else if (x->kind != F_CHOICE && x->len + n < sizeof x->text) {
		memcpy(x->text + x->len, utf8, n);
		x->len += n;
		x->text[x->len] = '\0';
	}
}

static void erase(form *f, field *x, bool all)
{
	if (x->kind == F_SECRET) {
		f->secret_len = all || !f->secret_len ? 0 : f->secret_len - 1;
		return;
	}
	do {
		if (!x->len) return;
		x->len--;
		while (x->len && ((unsigned char)x->text[x->len] & 0xc0) == 0x80) x->len--;
		x->text[x->len] = '\0';
	} while (all);
}

bool form_key(form *f, const scene *s, uint32_t ch, const char **message, bool *bad)
{
	(void)s;
	if (ch == K_ESC || ch == K_CTRL_C) {
		if (f->page == P_SIGNING) return true; /* on its way: its end will be said */
		*message = "cancelled; nothing was signed";
		*bad = false;
		return false;
	}
	if (f->page == P_ASKING || f->page == P_SIGNING) return true;
	field *x = &f->fields[f->at];
	if (ch == K_ENTER)
		next_field(f);
	else if (ch == K_PGDN || ch == K_PGUP)
		f->scroll += ch == K_PGDN ? 5 : f->scroll >= 5 ? -5 : -f->scroll;
	else if (ch == K_TAB || (ch == K_DOWN && x->kind != F_CHOICE))
		f->at = (f->at + 1) % f->n_fields;
	else if (ch == K_BTAB || (ch == K_UP && x->kind != F_CHOICE))
		f->at = (f->at + f->n_fields - 1) % f->n_fields;
	else if (x->kind == F_CHOICE && (ch == K_RIGHT || ch == K_DOWN || ch == ' '))
		x->chosen = (x->chosen + 1) % x->n_choices;
	else if (x->kind == F_CHOICE && (ch == K_LEFT || ch == K_UP))
		x->chosen = (x->chosen + x->n_choices - 1) % x->n_choices;
	else if (x->kind == F_CHOICE && ch >= '1' && ch < '1' + (uint32_t)x->n_choices)
		x->chosen = (int)(ch - '1');
	else if (ch == K_BACKSPACE || ch == K_DELETE)
		erase(f, x, false);
	else if (ch == K_CTRL_U)
		erase(f, x, true);
	else if (ch >= 0x20 && ch < 0x110000)
		type_char(f, x, ch);
	return true;
}

bool form_answer(form *f, json_t *answer, const wr_err *err, const char **message, bool *bad)
{
	if (f->page == P_ASKING) {
		if (!answer) {
			snprintf(f->error, sizeof f->error, "%s", err->msg);
			f->page = P_WHO;
			return true;
		}
		f->challenge = answer;
		f->page = P_CONFIRM;
		build_confirm(f);
		return true;
	}
	if (f->page != P_SIGNING) {
		json_decref(answer);
		return true;
	}
	if (!answer && err->code == WR_E_DENIED && strstr(err->msg, "passphrase")) {
		snprintf(f->error, sizeof f->error, "wrong passphrase; nothing was signed");
		f->page = P_CONFIRM;
		return true;
	}
	if (answer)
		snprintf(f->message, sizeof f->message, "%s %s: recorded",
		         wr_json_str(answer, "operation_id", ""), wr_json_str(answer, "decision", ""));
	else
		snprintf(f->message, sizeof f->message, "not accepted: %.220s", err->msg);
	*bad = !answer;
	*message = f->message;
	json_decref(answer);
	return false;
}

/* ---- drawing ---- */

static int draw_challenge(form *f, grid *g, rect a)
{
	const json_t *c = f->challenge, *guards = json_object_get(c, "guards");
	int y = a.y, end = a.y + a.h, pass = 0, total = (int)json_array_size(guards);
	size_t i;
	json_t *row;
	json_array_foreach (guards, i, row) pass += !strcmp(wr_json_str(row, "verdict", ""), "PASS");
	grid_text(g, a.x, y, 12, ROLE_DIM, "read aloud");
	grid_text(g, a.x + 12, y++, a.w - 12, ROLE_MATCH, wr_json_str(c, "words", ""));
	grid_text(g, a.x, y, 12, ROLE_DIM, "will lose");
	grid_text(g, a.x + 12, y++, a.w - 12, ROLE_SEV3,
	          wr_json_str(json_object_get(c, "loss"), "text", "unknown"));
	if (total) {
		grid_text(g, a.x, y, 12, ROLE_DIM, "guards");
		int x = a.x + 12 +
		        grid_textf(g, a.x + 12, y, a.w - 12, pass == total ? ROLE_OK : ROLE_SEV3,
		                   "%d of %d hold", pass, total);
		json_array_foreach (guards, i, row)
			if (wr_json_bool(row, "blocking", true) &&
			    strcmp(wr_json_str(row, "verdict", ""), "PASS") != 0) {
				grid_textf(g, x, y, a.x + a.w - x, ROLE_SEV2,
				           "   %s %s blocks: it starts only when this passes", grid_glyphs()->bad,
				           wr_json_str(row, "name", ""));
				break;
			}
		y++;
	}
	const char *text = wr_json_str(c, "text", "");
	for (int skip = f->scroll; skip > 0 && text && strchr(text, '\n'); skip--)
		text = strchr(text, '\n') + 1;
	if (y < end) y += draw_wrapped(g, (rect){a.x, y, a.w, end - y}, ROLE_TEXT, text);
	return y;
}

static void draw_field(const form *f, grid *g, int x, int y, int w, int i, int *cx, int *cy)
{
	const field *fd = &f->fields[i];
	bool on = f->at == i && (f->page == P_WHO || f->page == P_CONFIRM);
	grid_textf(g, x, y, 24, on ? ROLE_HINT_KEY : ROLE_DIM, "%s", fd->label);
	int ix = x + 25, iw = w - 25;
	if (fd->kind == F_CHOICE) {
		int px = ix;
		for (int k = 0; k < fd->n_choices && px < ix + iw - 4; k++)
			px += grid_textf(g, px, y, ix + iw - px, k == fd->chosen ? ROLE_SELECT : ROLE_TEXT,
			                 " %d %s ", k + 1, fd->choices[k]) +
			      1;
		return;
	}
	grid_fill(g, (rect){ix, y, iw, 1}, ' ', ROLE_INPUT);
	int used = 0;
	if (fd->kind == F_SECRET)
		used = grid_text(g, ix, y, iw, ROLE_INPUT, f->secret_len ? "(typed blind)" : "");
	else {
		const char *t = fd->text;
		while ((int)wr_text_width(t) > iw - 1) {
			const char *end = t + strlen(t);
			wr_utf8_next(&t, end);
		}
		used = grid_text(g, ix, y, iw, ROLE_INPUT, t);
		if (!fd->len && fd->kind == F_CONFIRM)
			grid_textf(g, ix + 1, y, iw - 1, ROLE_DIM, " (it is %s)", fd->expect);
	}
	if (on) {
		*cx = ix + (fd->kind == F_SECRET ? 0 : used);
		*cy = y;
	}
}

void form_draw(form *f, grid *g, const scene *s, int *cx, int *cy)
{
	(void)s;
	*cx = *cy = -1;
	int h = f->page == P_WHO || f->page == P_ASKING ? f->n_fields + 7 : g->h - 2,
	    w = g->w - 4 < 100 ? g->w - 4 : 100;
	if (h > g->h - 2) h = g->h - 2;
	rect a = {(g->w - w) / 2, (g->h - 1 - h) / 2, w, h};
	if (a.y < 0) a.y = 0;
	grid_fill(g, a, ' ', ROLE_TEXT);
	draw_box(g, a, ROLE_BORDER_FOCUS, f->title);
	int x = a.x + 2, y = a.y + 2, iw = w - 4;
	if (f->challenge) {
		y = a.y + 1;
		draw_challenge(f, g, (rect){x, y, iw, h - 2 - f->n_fields - 2});
		y = a.y + h - 2 - f->n_fields - 1;
	}
	for (int i = 0; i < f->n_fields; i++) draw_field(f, g, x, y++, iw, i, cx, cy);
	const char *busy = f->page == P_ASKING    ? "asking the engine for the plan…"
	                   : f->page == P_SIGNING ? "unsealing the key and signing…"
	                                          : "";
	if (*busy)
		grid_text(g, x, y, iw, ROLE_INFO, busy);
	else if (f->error[0])
		grid_text(g, x, y, iw, ROLE_SEV2, f->error);
	grid_fill(g, (rect){0, g->h - 1, g->w, 1}, ' ', ROLE_HINT_TEXT);
	grid_text(g, 1, g->h - 1, g->w - 2, ROLE_HINT_TEXT,
	          f->challenge ? "Enter next, signs on the last   PgDn/PgUp the plan   Tab move   Esc "
	                         "cancel: nothing is signed"
	                       : "Enter next   arrows choose   Esc cancel: nothing is signed");
}
