/* panel_regions.c: what is down, since when, and who says so. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

role class_role(const json_t *c)
{
	return is(c, "status", "breached") ? ROLE_SEV1
	       : is(c, "status", "clear")  ? ROLE_OK
	                                   : ROLE_UNKNOWN;
}

const char *class_glyph(const json_t *c)
{
	const glyphs *gl = grid_glyphs();
	return is(c, "status", "breached") ? gl->bad : is(c, "status", "clear") ? gl->ok : gl->none;
}

static int classes_width(const json_t *region)
{
	size_t i;
	json_t *c;
	int w = 0;
	json_array_foreach (json_object_get(region, "classes"), i, c)
		w += grid_width(wr_json_str(c, "abbr", ""), 8) + 3;
	return w;
}

/* Which classes of signals say so. Too many for the line: how many of them. */
static int draw_classes(grid *g, int x, int y, int right, const json_t *region)
{
	size_t i;
	json_t *c;
	const json_t *list = json_object_get(region, "classes");
	int bad = 0, blind = 0;
	json_array_foreach (list, i, c) {
		bad += is(c, "status", "breached");
		blind += is(c, "status", "no_data");
	}
	if (x + classes_width(region) - 1 > right)
		return x + grid_textf(g, x, y, right - x,
		                      bad     ? ROLE_SEV1
		                      : blind ? ROLE_UNKNOWN
		                              : ROLE_OK,
		                      "%d of %zu bad, %d blind", bad, json_array_size(list), blind);
	json_array_foreach (list, i, c) {
		x += grid_text(g, x, y, 8, ROLE_DIM, wr_json_str(c, "abbr", "")) + 1;
		x += grid_text(g, x, y, 2, class_role(c), class_glyph(c)) + 1;
	}
	return x;
}

void draw_region(grid *g, const scene *s, rect a, int name_w, const json_t *r)
{
	const char *verdict = wr_json_str(r, "verdict", "UNKNOWN");
	bool well = !strcmp(verdict, "HEALTHY");
	char t[24];
	int x = a.x, y = a.y, right = a.x + a.w;
	int64_t weight = num(r, "weight", -1);
	grid_text(g, x, y, name_w, ROLE_TEXT, wr_json_str(r, "name", "?"));
	x += name_w + 1;
	grid_text(g, x, y, 7, is(r, "role", "primary") ? ROLE_TEXT : ROLE_DIM,
	          wr_json_str(r, "role", ""));
	x += 8;
	grid_textf(g, x, y, 10, verdict_role(verdict), "%s %s", verdict_glyph(verdict), verdict);
	x += 11;
	if (!well)
		grid_right(g, x, y, 7, verdict_role(verdict),
		           fmt_clock(t, sizeof t, scene_clock(s, r, "since_ms", true)));
	x += 8;
	snprintf(t, sizeof t, weight < 0 ? "?" : "%lld%%", (long long)weight);
	grid_right(g, x, y, 4, weight < 0 ? ROLE_UNKNOWN : weight > 0 ? ROLE_ACCENT : ROLE_DIM, t);
	x = draw_classes(g, x + 6, y, right, r) + 1;
	if (right - x > 20) grid_text(g, x, y, right - x, ROLE_DIM, wr_json_str(r, "reason", ""));
}

void draw_history(grid *g, int x, int y, int w, const char *history)
{
	const glyphs *gl = grid_glyphs();
	int n = (int)strlen(history), from = n > w ? n - w : 0;
	for (int i = from; i < n; i++) {
		char c = history[i];
		grid_put(g, x + w - n + i, y,
		         c == '2'   ? gl->spark[7]
		         : c == '1' ? gl->spark[0]
		         : c == '3' ? '?'
		                    : ' ',
		         c == '2'   ? ROLE_SEV1
		         : c == '3' ? ROLE_UNKNOWN
		                    : ROLE_OK);
	}
}

/* The class and the region are said already: "us-central1-mesh" of us-central1 is "mesh". */
static const char *short_name(const json_t *region, const json_t *item)
{
	const char *name = wr_json_str(item, "name", ""), *prefix = wr_json_str(region, "name", "");
	size_t n = strlen(prefix);
	return n && !strncmp(name, prefix, n) && name[n] == '-' && name[n + 1] ? name + n + 1 : name;
}

void draw_signal(grid *g, const scene *s, rect a, const json_t *region, const json_t *sig)
{
	char t[24];
	bool bad = is(sig, "status", "breached"), blind = is(sig, "status", "no_data");
	bool wide = a.w > 100;
	int x = a.x, y = a.y, right = a.x + a.w - 5, name_w = wide ? 26 : 16, past = wide ? 30 : 12;
	grid_text(g, x, y, 2, class_role(sig), class_glyph(sig));
	grid_text(g, x + 2, y, 13, ROLE_DIM, wr_json_str(sig, "class", ""));
	x += 16;
	grid_text(g, x, y, name_w, ROLE_TEXT,
	          wide ? wr_json_str(sig, "name", "") : short_name(region, sig));
	x += name_w + 1;
	draw_history(g, x, y, past, wr_json_str(sig, "history", ""));
	x += past + 2;
	const char *detail = wr_json_str(sig, "detail", ""), *value = wr_json_str(sig, "value", "");
	grid_textf(g, x, y, right - x,
	           bad     ? ROLE_SEV2
	           : blind ? ROLE_UNKNOWN
	                   : ROLE_DIM,
	           "%s%s%s", value, *value && *detail ? "  " : "", detail);
	grid_right(g, right, y, 5, ROLE_DIM, fmt_age(t, sizeof t, scene_age(s, sig, "age_ms")));
}

void draw_fact(grid *g, const scene *s, rect a, const json_t *region, const json_t *f)
{
	const glyphs *gl = grid_glyphs();
	bool ok = is(f, "ok", "true"), bad = is(f, "ok", "false");
	char t[24];
	role r = ok ? ROLE_OK : bad ? ROLE_SEV2 : ROLE_UNKNOWN;
	bool wide = a.w > 100;
	int x = a.x, right = a.x + a.w - 5, name_w = wide ? 26 : 16;
	const char *value = wr_json_str(f, "value", ""), *need = wr_json_str(f, "need", "");
	grid_text(g, x, a.y, 2, r, ok ? gl->ok : bad ? gl->bad : gl->none);
	grid_text(g, x + 2, a.y, 13, ROLE_DIM, wr_json_str(f, "kind", ""));
	x += 16;
	grid_text(g, x, a.y, name_w, ROLE_TEXT,
	          wide ? wr_json_str(f, "name", "") : short_name(region, f));
	x += name_w + 1;
	int room = right - x - 1;
	x += grid_text(g, x, a.y, *need ? room / 2 : room, ok ? ROLE_TEXT : r,
	               *value ? value : wr_json_str(f, "detail", "?"));
	if (*need && right - x > 8) grid_textf(g, x, a.y, right - x - 1, ROLE_DIM, "  needs %s", need);
	grid_right(g, right, a.y, 5, ROLE_DIM, fmt_age(t, sizeof t, scene_age(s, f, "age_ms")));
}

void panel_regions(grid *g, const scene *s, rect f, int y, int rows, int signals)
{
	const json_t *regions = json_object_get(s->state, "regions");
	const json_t *shown[ITEMS_MAX];
	int n = (int)worst_first(regions, (size_t)rows, shown), end = y + rows,
	    name_w = longest(regions, "name", 10, g->w < 90 ? 12 : 20),
	    x = f.x + 2 + name_w + 1 + 8 + 11;
	char remark[120];
	if (!n) {
		grid_text(g, f.x + 2, y, f.w - 4, ROLE_DIM,
		          s->state ? "no regions" : "nothing is known yet");
		return;
	}
	grid_text(g, x + 1, f.y, 7, ROLE_DIM, " since ");
	grid_text(g, x + 8, f.y, 6, ROLE_DIM, "share ");
	snprintf(remark, sizeof remark, "seen by %s", wr_json_str(s->state, "observer", ""));
	draw_remark(g, f, f.y, ROLE_DIM, remark);
	for (int i = 0; i < n && y < end; i++) {
		const json_t *r = shown[i], *list = json_object_get(r, "signals");
		if (y + 1 == end && i + 1 < n) {
			grid_textf(g, f.x + 2, y, f.w - 4, ROLE_SEV3, "%d more regions: press 1", n - i);
			return;
		}
		draw_region(g, s, (rect){f.x + 2, y++, f.w - 4, 1}, name_w, r);
		for (size_t k = 0; k < json_array_size(list) && signals > 0 && y < end; k++, signals--)
			draw_signal(g, s, (rect){f.x + 4, y++, f.w - 6, 1}, r, json_array_get(list, k));
	}
}
