/* receipts.c: the live chain: newest first, and the chosen one. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

#define DETAIL 5

static void draw_row(grid *g, rect a, int op_w, const json_t *r)
{
	char n[32];
	int x = a.x, right = a.x + a.w;
	snprintf(n, sizeof n, "#%lld", (long long)num(r, "seq", -1));
	grid_right(g, x, a.y, 7, ROLE_DIM, n);
	grid_textf(g, x + 8, a.y, 8, ROLE_DIM, "%.8s", time_of(r, "timestamp"));
	x += 17;
	grid_text(g, x, a.y, op_w, ROLE_ACCENT, wr_json_str(r, "operation", ""));
	x += op_w + 1;
	if (right - x > 70) {
		grid_text(g, x, a.y, 18, ROLE_DIM, wr_json_str(r, "actor", ""));
		x += 19;
	}
	grid_text(g, x, a.y, right - x, ROLE_TEXT, wr_json_str(r, "text", ""));
}

static void draw_detail(grid *g, rect f, int y, const json_t *r)
{
	char title[64];
	snprintf(title, sizeof title, "Receipt #%lld", (long long)num(r, "seq", -1));
	draw_divider(g, f, y, ROLE_BORDER_FOCUS, title);
	grid_textf(g, 2, y + 1, f.w - 4, ROLE_TEXT, "%s by %s at %s", wr_json_str(r, "operation", ""),
	           wr_json_str(r, "actor", ""), wr_json_str(r, "timestamp", ""));
	int used = draw_wrapped(g, (rect){2, y + 2, f.w - 4, DETAIL - 3}, ROLE_TEXT,
	                        wr_json_str(r, "text", ""));
	if (used + 3 < DETAIL)
		grid_textf(g, 2, y + 2 + used, f.w - 4, ROLE_DIM, "hash %s", wr_json_str(r, "hash", ""));
}

void view_receipts(grid *g, const scene *s)
{
	const json_t *items[ITEMS_MAX], *l = json_object_get(s->state, "ledger"),
	                                *tail = json_object_get(l, "tail");
	char title[160], n_all[32];
	size_t n = scene_items(s, items), picked = scene_picked(s, items, n);
	rect f = view_frame(g, view_header(g, s));
	int rows = f.h - 3 - DETAIL, op_w = longest(tail, "operation", 16, g->w < 90 ? 18 : 26);
	list_title(s, n, title, sizeof title, "4 Receipts");
	draw_box(g, f, ROLE_BORDER_FOCUS, title);
	draw_record(g, s, f.y + 1);
	if (num(l, "count", 0) > (int64_t)json_array_size(tail)) {
		snprintf(title, sizeof title, "the last %zu of %s", json_array_size(tail),
		         fmt_count(n_all, sizeof n_all, num(l, "count", 0)));
		draw_remark(g, f, f.y, ROLE_DIM, title);
	}
	size_t first = first_row(picked, (size_t)rows, n);
	for (int i = 0; i < rows && first + (size_t)i < n; i++) {
		rect a = {2, f.y + 2 + i, f.w - 4, 1};
		draw_row(g, a, op_w, items[first + (size_t)i]);
		if (first + (size_t)i == picked) grid_recolour(g, a, ROLE_SELECT);
	}
	draw_scrollbar(g, f.x + f.w - 1, f.y + 2, rows, (int)first, rows, (int)n);
	if (n)
		draw_detail(g, f, f.y + 2 + rows, items[picked]);
	else
		grid_text(g, 2, f.y + 2, f.w - 4, ROLE_DIM,
		          s->filter[0] ? "nothing matches" : "no receipts yet");
	if (!s->connected) grid_fade(g, f);
}
