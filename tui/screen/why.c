/* why.c: why not: the guard table of a candidate action. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

static void draw_summary(grid *g, const scene *s, int y, const json_t *a)
{
	int64_t blocking = num(a, "blocking", 0);
	const json_t *list = json_object_get(s->state, "actions");
	int x = 2, right = g->w - 2;
	x += grid_textf(g, x, y, right - x, ROLE_TEXT, "%lld of %lld guards hold",
	                (long long)num(a, "passed", 0), (long long)num(a, "total", 0));
	if (blocking)
		x += grid_textf(g, x, y, right - x, ROLE_SEV2, "; %lld block. NO DATA does not pass.",
		                (long long)blocking);
	else
		x += grid_text(g, x, y, right - x, ROLE_OK, "; none blocks.");
	if (json_array_size(list) > 1)
		grid_textf(g, x, y, right - x, ROLE_DIM, "   one of %zu candidates: Tab",
		           json_array_size(list));
	char text[400];
	const json_t *loss = json_object_get(a, "loss");
	x = 2 + grid_text(g, 2, y + 1, right - 2, ROLE_DIM, "a move now would lose: ");
	loss_text(loss, right - x, text, sizeof text);
	grid_text(g, x, y + 1, right - x, loss_role(loss), text);
}

static void draw_guard(grid *g, rect a, int name_w, const json_t *row)
{
	const char *v = wr_json_str(row, "verdict", "");
	bool pass = !strcmp(v, "PASS"), blocks = wr_json_bool(row, "blocking", true);
	int x = a.x, right = a.x + a.w;
	int verdict_w = a.w < 90 ? 10 : 14;
	grid_textf(g, x, a.y, verdict_w, guard_role(row), "%s %s", guard_glyph(row), v);
	x += verdict_w + 1;
	grid_text(g, x, a.y, name_w, pass || blocks ? ROLE_TEXT : ROLE_DIM,
	          wr_json_str(row, "name", ""));
	x += name_w + 1;
	/* Beside the observation, on a wide screen, what would change it. */
	const char *flip = wr_json_str(row, "flip", "");
	int need = !pass && *flip && right - x > 70 ? (right - x) / 3 : 0;
	grid_text(g, x, a.y, right - x - need - (need ? 2 : 0),
	          pass     ? ROLE_DIM
	          : blocks ? ROLE_TEXT
	                   : ROLE_DIM,
	          wr_json_str(row, "observed", ""));
	if (need) grid_text(g, right - need, a.y, need, ROLE_DIM, flip);
}

static void draw_detail(grid *g, rect f, int y, int end, const json_t *row)
{
	static const struct {
		const char *key, *label;
	} rows[] = {{"observed", "observed"},
	            {"threshold", "needs"},
	            {"flip", "would change it"},
	            {"eta", "when"}};
	char title[200];
	snprintf(title, sizeof title, "%s  %s%s", wr_json_str(row, "name", ""),
	         wr_json_str(row, "rule", ""),
	         wr_json_bool(row, "blocking", true) ? "" : "  advice: does not block");
	draw_divider(g, f, y++, ROLE_BORDER_FOCUS, title);
	for (size_t i = 0; i < sizeof rows / sizeof *rows && y < end; i++) {
		const char *text = wr_json_str(row, rows[i].key, "");
		if (!*text) continue;
		grid_text(g, 2, y, 16, ROLE_DIM, rows[i].label);
		y += draw_wrapped(g, (rect){18, y, f.w - 20, end - y < 2 ? end - y : 2}, ROLE_TEXT, text);
	}
}

void view_why(grid *g, const scene *s)
{
	const json_t *items[ITEMS_MAX], *a = scene_action(s);
	char title[200], shown[260];
	size_t n = scene_items(s, items), picked = scene_picked(s, items, n);
	rect f = view_frame(g, view_header(g, s));
	if (!a) {
		draw_box(g, f, ROLE_BORDER_FOCUS, "Why");
		draw_wrapped(g, (rect){2, f.y + 1, f.w - 4, 3}, ROLE_DIM,
		             "No action is a candidate: no runbook fits what the platform is now.");
		return;
	}
	snprintf(title, sizeof title, "%s %s %s %s: why%s", wr_json_str(a, "action", ""),
	         wr_json_str(a, "from", ""), grid_glyphs()->arrow, wr_json_str(a, "to", ""),
	         num(a, "blocking", 0) ? " not" : "");
	list_title(s, n, shown, sizeof shown, title);
	draw_box(g, f, ROLE_BORDER_FOCUS, shown);
	draw_summary(g, s, f.y + 1, a);
	int top = f.y + 3, detail = f.h > 24 ? 8 : 6, rows = f.h - 4 - detail;
	int name_w = longest(json_object_get(a, "guards"), "name", 10, g->w < 90 ? 16 : 24);
	size_t first = first_row(picked, (size_t)rows, n);
	for (int i = 0; i < rows && first + (size_t)i < n; i++) {
		rect row = {2, top + i, f.w - 4, 1};
		draw_guard(g, row, name_w, items[first + (size_t)i]);
		if (first + (size_t)i == picked) grid_recolour(g, row, ROLE_SELECT);
	}
	draw_scrollbar(g, f.x + f.w - 1, top, rows, (int)first, rows, (int)n);
	if (n)
		draw_detail(g, f, top + rows, f.y + f.h - 1, items[picked]);
	else
		grid_text(g, 2, top, f.w - 4, ROLE_DIM, s->filter[0] ? "nothing matches" : "no guards");
	if (!s->connected) grid_fade(g, f);
}
