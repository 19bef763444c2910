/* form_draw.c: how the dialog looks. The title bar above it stays: time runs on. */
#include <stdio.h>
#include <string.h>

#include "screen/form_parts.h"

static const char *explain(const form *f)
{
	switch (f->action) {
	case A_FAILOVER:
	case A_FAILBACK:
		return "First the engine makes the plan and shows it. Nothing happens before you have "
		       "signed "
		       "it, and a second person too.";
	case A_APPROVE:
		return "The plan is shown again: compare the six words with those on the proposer's "
		       "screen.";
	case A_DENY:
		return "One denial ends it. A new plan can be proposed afterwards.";
	case A_HOLD:
		return "The running step ends, then nothing new starts until someone resumes.";
	case A_RESUME:
		return "The next step starts at once, if no guard blocks.";
	case A_ABORT:
		return "Every step that was done and can be undone is undone, in reverse order.";
	case A_TICK:
		return "Say that it is done only when you have seen it.";
	default:
		return "Look at the platform, not at this screen: did it happen? Two people must say the "
		       "same.";
	}
}

static void draw_label(grid *g, int x, int y, const char *label, role r, const char *text, int w)
{
	grid_text(g, x, y, 12, ROLE_DIM, label);
	grid_text(g, x + 12, y, w - 12, r, text);
}

static void draw_guards(const form *f, grid *g, int x, int y, int w)
{
	const json_t *guards = json_object_get(f->challenge, "guards");
	int pass = 0, total = (int)json_array_size(guards), blocking = 0;
	const json_t *first = NULL;
	size_t i;
	json_t *row;
	json_array_foreach (guards, i, row) {
		bool ok = is(row, "verdict", "PASS");
		pass += ok;
		if (ok || !wr_json_bool(row, "blocking", true)) continue;
		if (!blocking++) first = row;
	}
	grid_text(g, x, y, 12, ROLE_DIM, "guards");
	if (!total) {
		grid_text(g, x + 12, y, w - 12, ROLE_DIM, "none for this decision");
		return;
	}
	int at = x + 12, right = x + w;
	at += grid_textf(g, at, y, right - at, blocking ? ROLE_SEV3 : ROLE_OK, "%d of %d hold%s", pass,
	                 total, blocking ? "" : ", none blocks");
	if (first)
		grid_textf(g, at, y, right - at, ROLE_SEV2, "; %d block: %s: %s", blocking,
		           wr_json_str(first, "name", ""), wr_json_str(first, "observed", ""));
}

/* The four lines above the plan: what is read aloud, lost, guarded, and who signs what. */
static void draw_summary(const form *f, grid *g, int x, int y, int w)
{
	const json_t *c = f->challenge, *loss = json_object_get(c, "loss");
	char text[500], expires[16];
	bool same = is(c, "assurance", "shared_terminal");
	draw_label(g, x, y, "read aloud", ROLE_MATCH, f->words, w);
	loss_text(loss, w - 12, text, sizeof text);
	draw_label(g, x, y + 1, "will lose", loss_role(loss), text, w);
	draw_guards(f, g, x, y + 2, w);
	snprintf(expires, sizeof expires, "%.8s", time_of(c, "expires"));
	snprintf(text, sizeof text, "%.90s of %.60s, as %.60s (%.40s)%s%s%s", f->decision,
	         f->operation_id, f->principal, wr_json_str(c, "role", ""),
	         same ? ", at a terminal that others use too" : "", *expires ? ", before " : "",
	         expires);
	draw_label(g, x, y + 3, "you sign", ROLE_TEXT, text, w);
}

static void draw_choice(const field *x, grid *g, rect a)
{
	/* As many as fit, the chosen one among them. */
	int first = 0, used;
	for (;;) {
		used = 0;
		for (int k = first; k <= x->chosen; k++)
			used += grid_width(x->choices[k].shown, a.w) + (k < 9 ? 5 : 3);
		if (used <= a.w - 2 || first >= x->chosen) break;
		first++;
	}
	int px = a.x + (first ? grid_text(g, a.x, a.y, 2, ROLE_DIM, "<") : 0);
	for (int k = first; k < x->n_choices && a.x + a.w - px > 4; k++) {
		char n[16] = "";
		if (k < 9) snprintf(n, sizeof n, "%d ", k + 1);
		px += grid_textf(g, px, a.y, a.x + a.w - px, k == x->chosen ? ROLE_SELECT : ROLE_TEXT,
		                 " %s%s ", n, x->choices[k].shown) +
		      1;
	}
}

static int label_width(const form *f)
{
	int w = 0;
	for (int i = 0; i < f->n_fields; i++) {
		int one = grid_width(f->fields[i].label, 30);
		if (one > w) w = one;
	}
	return w + 2;
}

static void draw_field(const form *f, grid *g, rect a, int i, int *cx, int *cy)
{
	const field *x = &f->fields[i];
	bool on = f->at == i && (f->page == P_WHO || f->page == P_CONFIRM);
	int label_w = label_width(f);
	rect input = {a.x + label_w, a.y, a.w - label_w, 1};
	grid_text(g, a.x, a.y, label_w - 1, on ? ROLE_HINT_KEY : ROLE_DIM, x->label);
	if (x->kind == F_CHOICE) {
		draw_choice(x, g, input);
		return;
	}
	int at = input.x;
	if (x->kind == F_SECRET) {
		grid_fill(g, input, ' ', ROLE_INPUT);
		grid_text(g, input.x, a.y, input.w, ROLE_INPUT, f->secret_len ? "(typed blind)" : "");
	} else {
		at = edit_draw(&x->edit, g, input.x, a.y, input.w, ROLE_INPUT);
	}
	if (on) {
		*cx = at;
		*cy = a.y;
	}
}

static void draw_status(const form *f, grid *g, int x, int y, int w)
{
	if (f->page == P_ASKING)
		grid_text(g, x, y, w, ROLE_INFO, "asking the engine for what is to be signed");
	else if (f->page == P_SIGNING && f->leaving)
		grid_text(g, x, y, w, ROLE_SEV2,
		          "being signed; Ctrl-C again leaves without knowing how it ended");
	else if (f->page == P_SIGNING)
		grid_text(g, x, y, w, ROLE_INFO, "unsealing the key, signing, sending");
	else
		(void)draw_wrapped(g, (rect){x, y, w, f->challenge ? 1 : 2}, ROLE_SEV2, f->error);
}

static void draw_hint(const form *f, grid *g)
{
	static const struct {
		const char *key, *text;
	} hints[2][5] = {{{"Enter", "next"}, {"arrows", "choose"}, {"Esc", "cancel"}},
	                 {{"Enter", "next, on the last: sign"},
	                  {"PgDn PgUp", "plan"},
	                  {"Tab", "move"},
	                  {"Esc", "cancel"}}};
	int x = 1, y = g->h - 1, second = f->challenge != NULL;
	grid_fill(g, (rect){0, y, g->w, 1}, ' ', ROLE_HINT_TEXT);
	for (int i = 0; hints[second][i].key; i++) {
		x += grid_text(g, x, y, g->w - x - 1, ROLE_HINT_KEY, hints[second][i].key) + 1;
		x += grid_text(g, x, y, g->w - x - 1, ROLE_HINT_TEXT, hints[second][i].text) + 3;
	}
}

static void draw_first(const form *f, grid *g, int top, rect *fields)
{
	int w = g->w - 4 < 90 ? g->w - 4 : 90;
	int h = f->n_fields + 8;
	if (h > g->h - 1 - top) h = g->h - 1 - top;
	rect a = {(g->w - w) / 2, top + (g->h - 1 - top - h) / 2, w, h};
	grid_fill(g, a, ' ', ROLE_TEXT);
	draw_box(g, a, ROLE_BORDER_FOCUS, f->title);
	(void)draw_wrapped(g, (rect){a.x + 2, a.y + 1, w - 4, 2}, ROLE_DIM, explain(f));
	*fields = (rect){a.x + 2, a.y + 4, w - 4, f->n_fields};
}

static void draw_second(form *f, grid *g, int top, rect *fields)
{
	int w = g->w < 112 ? g->w : 112, total;
	rect a = {(g->w - w) / 2, top, w, g->h - 1 - top};
	int x = a.x + 2, iw = a.w - 4, fields_h = f->n_fields + 1;
	grid_fill(g, a, ' ', ROLE_TEXT);
	draw_box(g, a, ROLE_BORDER_FOCUS, f->title);
	draw_summary(f, g, x, a.y + 1, iw);
	rect plan = {x, a.y + 6, iw, a.h - 8 - fields_h};
	draw_divider(g, a, a.y + 5, ROLE_BORDER_FOCUS, "The plan, as it will be signed");
	const char *text = wr_json_str(f->challenge, "text", "");
	f->scroll = draw_pages(g, plan, ROLE_TEXT, text, f->scroll, &total);
	draw_scrollbar(g, a.x + a.w - 1, plan.y, plan.h, f->scroll, plan.h, total);
	if (f->scroll + plan.h < total) draw_remark(g, a, a.y + 5, ROLE_HINT_KEY, "PgDn for more");
	draw_divider(g, a, plan.y + plan.h, ROLE_BORDER_FOCUS, "Signature");
	*fields = (rect){x, plan.y + plan.h + 1, iw, f->n_fields};
}

void form_draw(form *f, grid *g, int top, int *cx, int *cy)
{
	rect fields;
	*cx = *cy = -1;
	if (f->challenge)
		draw_second(f, g, top, &fields);
	else
		draw_first(f, g, top, &fields);
	for (int i = 0; i < f->n_fields; i++)
		draw_field(f, g, (rect){fields.x, fields.y + i, fields.w, 1}, i, cx, cy);
	draw_status(f, g, fields.x, fields.y + f->n_fields + (f->challenge ? 0 : 1), fields.w);
	draw_hint(f, g);
}
