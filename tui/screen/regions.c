/* regions.c: every signal and every fact of every region, and the chosen one in full. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

#define DETAIL 6

/* A row of the list: a region's own line (item NULL), or one of its items. */
typedef struct line {
	const json_t *region, *item;
} line;
#define LINES_MAX (ITEMS_MAX + 64)

static bool holds(const json_t *list, const json_t *item)
{
	size_t i;
	json_t *one;
	json_array_foreach (list, i, one)
		if (one == item) return true;
	return false;
}

/* Items come in the regions' order. *at gets the line of the chosen item. */
static size_t lines_of(const scene *s, const json_t *const *items, size_t n, size_t picked,
                       line out[static LINES_MAX], size_t *at)
{
	size_t count = 0, k = 0, i;
	json_t *r;
	*at = 0;
	json_array_foreach (json_object_get(s->state, "regions"), i, r) {
		const json_t *signals = json_object_get(r, "signals"), *facts = json_object_get(r, "facts");
		if (count >= LINES_MAX ||
		    (s->filter[0] && (k >= n || !(holds(signals, items[k]) || holds(facts, items[k])))))
			continue;
		out[count++] = (line){r, NULL};
		for (; k < n && count < LINES_MAX && (holds(signals, items[k]) || holds(facts, items[k]));
		     k++) {
			if (k == picked) *at = count;
			out[count++] = (line){r, items[k]};
		}
	}
	return count;
}

static bool is_fact(const json_t *item)
{
	return json_object_get(item, "ok") != NULL;
}

static void draw_detail(grid *g, const scene *s, rect f, int y, const json_t *item)
{
	char title[160], t[24], text[700];
	int w = f.w - 4;
	snprintf(title, sizeof title, "%s", wr_json_str(item, "name", ""));
	draw_divider(g, f, y, ROLE_BORDER_FOCUS, title);
	if (is_fact(item)) {
		snprintf(text, sizeof text, "%s is %s%s%s; asked %s ago", wr_json_str(item, "kind", ""),
		         is(item, "ok", "true")    ? "as it must be"
		         : is(item, "ok", "false") ? "NOT as it must be"
		                                   : "NOT KNOWN",
		         *wr_json_str(item, "need", "") ? ": needs " : "", wr_json_str(item, "need", ""),
		         fmt_age(t, sizeof t, scene_age(s, item, "age_ms")));
	} else {
		snprintf(text, sizeof text, "%s is %s, seen by %s %s ago", wr_json_str(item, "class", ""),
		         wr_json_str(item, "status", ""), wr_json_str(item, "observer", ""),
		         fmt_age(t, sizeof t, scene_age(s, item, "age_ms")));
		draw_history(g, 2, y + 2, w < 60 ? w : 60, wr_json_str(item, "history", ""));
	}
	draw_wrapped(g, (rect){2, y + 1, w, 1}, ROLE_TEXT, text);
	const char *value = wr_json_str(item, "value", ""), *detail = wr_json_str(item, "detail", "");
	snprintf(text, sizeof text, "%s%.300s%s%.300s", *value ? "value " : "", value,
	         *value && *detail ? "   " : "", detail);
	draw_wrapped(g, (rect){2, y + 3, w, DETAIL - 4}, ROLE_TEXT, text);
}

void view_regions(grid *g, const scene *s)
{
	const json_t *items[ITEMS_MAX];
	static line lines[LINES_MAX]; /* drawing has one thread, and this is much for a stack */
	char title[160];
	size_t n = scene_items(s, items), picked = scene_picked(s, items, n), at,
	       count = lines_of(s, items, n, picked, lines, &at);
	rect f = view_frame(g, view_header(g, s));
	int rows = f.h - 2 - DETAIL;
	list_title(s, n, title, sizeof title, "1 Signals and facts");
	draw_box(g, f, ROLE_BORDER_FOCUS, title);
	size_t first = first_row(at, (size_t)rows, count);
	int name_w = longest(json_object_get(s->state, "regions"), "name", 10, g->w < 90 ? 12 : 20);
	for (int i = 0; i < rows && first + (size_t)i < count; i++) {
		const line *l = &lines[first + (size_t)i];
		rect a = {f.x + 4, f.y + 1 + i, f.w - 6, 1};
		if (!l->item)
			draw_region(g, s, (rect){f.x + 2, a.y, f.w - 4, 1}, name_w, l->region);
		else if (is_fact(l->item))
			draw_fact(g, s, a, l->region, l->item);
		else
			draw_signal(g, s, a, l->region, l->item);
		if (l->item && first + (size_t)i == at) grid_recolour(g, a, ROLE_SELECT);
	}
	draw_scrollbar(g, f.x + f.w - 1, f.y + 1, rows, (int)first, rows, (int)count);
	if (n)
		draw_detail(g, s, f, f.y + 1 + rows, items[picked]);
	else
		grid_text(g, 2, f.y + 1, f.w - 4, ROLE_DIM,
		          s->filter[0] ? "nothing matches" : "no signals");
	if (!s->connected) grid_fade(g, f);
}
