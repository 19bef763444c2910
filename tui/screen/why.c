/* why.c: why not: the guard table of a candidate action. */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"

static role guard_role(const char *v, bool blocking)
{
	if (!strcmp(v, "PASS")) return ROLE_OK;
	if (!blocking) return ROLE_DIM;
	return !strcmp(v, "FAIL") ? ROLE_SEV1 : ROLE_UNKNOWN;
}

static const char *guard_glyph(const char *v)
{
	const glyphs *gl = grid_glyphs();
	return !strcmp(v, "PASS") ? gl->ok : !strcmp(v, "FAIL") ? gl->bad : gl->none;
}

void view_why(grid *g, const scene *s)
{
	view_header(g, s);
	const json_t *a = scene_action(s), *guards = json_object_get(a, "guards");
	rect f = {0, 2, g->w, g->h - 3};
	char title[160];
	snprintf(title, sizeof title, "Why: %s %s %s %s",
	         wr_json_str(a, "action", "no action is a candidate"), wr_json_str(a, "from", ""),
	         a ? grid_glyphs()->arrow : "", wr_json_str(a, "to", ""));
	draw_box(g, f, ROLE_BORDER_FOCUS, title);
	if (!a) return;
	int64_t blocking = wr_json_int(a, "blocking", 0);
	grid_textf(
	    g, 2, 3, g->w - 4, blocking ? ROLE_SEV2 : ROLE_OK,
	    blocking
	        ? "%lld of %lld guards hold; %lld block. NO DATA is not good news: it does not pass."
	        : "%lld of %lld guards hold; none blocks.",
	    (long long)wr_json_int(a, "passed", 0), (long long)wr_json_int(a, "total", 0),
	    (long long)blocking);
	grid_textf(g, 2, 4, g->w - 4, ROLE_TEXT, "a move now would lose: %s",
	           wr_json_str(json_object_get(a, "loss"), "text", "unknown"));
	int n = (int)json_array_size(guards), detail = 5, list = f.h - 4 - detail - 1,
	    sel = s->selected < 0    ? 0
	          : s->selected >= n ? n - 1
	                             : s->selected;
	if (s->selected < 0) /* the first that blocks is what people come for */
		for (int i = n - 1; i >= 0; i--) {
			const json_t *row = json_array_get(guards, (size_t)i);
			if (wr_json_bool(row, "blocking", true) &&
			    strcmp(wr_json_str(row, "verdict", ""), "PASS") != 0)
				sel = i;
		}
	if (list > n) list = n;
	int first = sel >= list ? sel - list + 1 : 0;
	for (int i = 0; i < list && first + i < n; i++) {
		const json_t *row = json_array_get(guards, (size_t)(first + i));
		const char *v = wr_json_str(row, "verdict", "");
		bool blocks = wr_json_bool(row, "blocking", true);
		int y = 5 + i;
		grid_textf(g, 2, y, 14, guard_role(v, blocks), "%s %s", guard_glyph(v), v);
		grid_text(g, 17, y, 22, ROLE_TEXT, wr_json_str(row, "name", ""));
		grid_text(g, 40, y, g->w - 42, blocks || !strcmp(v, "PASS") ? ROLE_TEXT : ROLE_DIM,
		          wr_json_str(row, "observed", ""));
		if (first + i == sel) grid_recolour(g, (rect){2, y, g->w - 4, 1}, ROLE_SELECT);
	}
	int y = 5 + list;
	const json_t *row = json_array_get(guards, (size_t)sel);
	snprintf(title, sizeof title, "%s %s%s", wr_json_str(row, "name", ""),
	         wr_json_str(row, "rule", ""),
	         wr_json_bool(row, "blocking", true) ? "" : " (advisory: does not block)");
	draw_divider(g, f, y, ROLE_BORDER_FOCUS, title);
	static const struct {
		const char *key, *label;
	} rows[] = {{"observed", "observed"}, {"threshold", "needs"}, {"flip", "would change it"}};
	int bottom = f.y + f.h - 1;
	y++;
	for (size_t i = 0; i < 3 && y < bottom; i++) {
		grid_text(g, 2, y, 16, ROLE_DIM, rows[i].label);
		y += draw_wrapped(g, (rect){18, y, g->w - 20, bottom - y < 2 ? bottom - y : 2}, ROLE_TEXT,
		                  wr_json_str(row, rows[i].key, ""));
		if (!*wr_json_str(row, rows[i].key, "")) y++;
	}
}
