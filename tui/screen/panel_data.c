/* panel_data.c: replication links and quotas. */
#include <stdio.h>

#include "screen/panels.h"

size_t history_of(const json_t *obj, int64_t out[static HISTORY_MAX])
{
	size_t n = 0, i;
	json_t *v;
	json_array_foreach (json_object_get(obj, "history"), i, v)
		if (n < HISTORY_MAX) out[n++] = json_integer_value(v);
	return n;
}

void draw_link(grid *g, const scene *s, rect a, int name_w, const json_t *l)
{
	const glyphs *gl = grid_glyphs();
	bool over = is(l, "state", "over"), ok = is(l, "state", "ok");
	role r = over ? ROLE_SEV2 : ok ? ROLE_TEXT : ROLE_UNKNOWN;
	int64_t values[HISTORY_MAX], proven = num(l, "proven_ms", -1);
	char t[24], u[24], rpo[32];
	int x = a.x, right = a.x + a.w;
	grid_text(g, x, a.y, name_w, ROLE_TEXT, wr_json_str(l, "name", "?"));
	x += name_w + 1;
	snprintf(rpo, sizeof rpo, "rpo %s", fmt_short(t, sizeof t, num(l, "rpo_ms", -1)));
	int rpo_w = 7;
	grid_text(g, right - 1, a.y, 1,
	          over ? ROLE_SEV2
	          : ok ? ROLE_OK
	               : ROLE_UNKNOWN,
	          over ? gl->bad
	          : ok ? gl->ok
	               : gl->none);
	grid_right(g, right - 2 - rpo_w, a.y, rpo_w, ROLE_DIM, rpo);
	right -= rpo_w + 3;
	if (!ok && !over) {
		if (proven >= 0)
			grid_textf(g, x, a.y, right - x, r, "was %s, %s ago", fmt_ms(t, sizeof t, proven),
			           fmt_age(u, sizeof u, scene_age(s, l, "proven_age_ms")));
		else
			grid_text(g, x, a.y, right - x, r, "no data");
		return;
	}
	grid_right(g, x, a.y, 6, r, fmt_ms(t, sizeof t, num(l, "seconds_ms", -1)));
	x += 7;
	int64_t bytes = num(l, "bytes", -1);
	if (right - x > 30 && bytes >= 0) {
		grid_right(g, right - 9, a.y, 8, ROLE_DIM, fmt_bytes(t, sizeof t, bytes));
		right -= 10;
	}
	int spark = right - x > 30 ? 30 : right - x;
	if (spark > 2)
		draw_spark(g, x, a.y, spark, values, history_of(l, values), num(l, "rpo_ms", 1) / 4,
		           over ? ROLE_SEV2 : ROLE_ACCENT);
}

void draw_quota(grid *g, rect a, int name_w, const json_t *q)
{
	int64_t percent = num(q, "percent", -1), after = num(q, "after_percent", -1);
	/* Colour is for what needs a look: a quota that is well keeps to the background. */
	bool ok = is(q, "state", "ok"), over = is(q, "state", "over");
	role bad = over ? ROLE_SEV2 : is(q, "state", "warn") ? ROLE_SEV3 : ROLE_UNKNOWN;
	char t[32];
	int x = a.x, right = a.x + a.w;
	grid_text(g, x, a.y, name_w, ROLE_TEXT, wr_json_str(q, "name", "?"));
	x += name_w + 1;
	if (percent < 0) {
		grid_textf(g, x, a.y, right - x, bad, "no data %s", grid_glyphs()->none);
		return;
	}
	snprintf(t, sizeof t, "%lld%%", (long long)percent);
	grid_right(g, x, a.y, 4, ok ? ROLE_TEXT : bad, t);
	x += 5;
	grid_text(g, right - 1, a.y, 1, ok ? ROLE_OK : bad,
	          ok ? grid_glyphs()->ok : grid_glyphs()->warn);
	snprintf(t, sizeof t, "%s %lld%%", grid_glyphs()->arrow, (long long)after);
	int after_w = 7, bar = right - 2 - after_w - x;
	if (bar > 20) bar = 20;
	if (bar > 2) draw_meter(g, x, a.y, bar, (double)percent / 100, ok ? ROLE_INFO : bad, ROLE_DIM);
	if (after >= 0) grid_right(g, x + (bar > 2 ? bar : 0), a.y, after_w, ok ? ROLE_DIM : bad, t);
}

json_t *links_used(const scene *s)
{
	const json_t *links = json_object_get(s->state, "links");
	json_t *used = json_array(), *l;
	size_t i;
	WR_ASSERT(used);
	json_array_foreach (links, i, l)
		if (wr_json_bool(l, "active", false)) (void)json_array_append(used, l);
	if (!json_array_size(used)) (void)json_array_extend(used, (json_t *)(uintptr_t)links);
	return used;
}

void panel_data(grid *g, const scene *s, rect f, int y, int rows)
{
	const json_t *links[ITEMS_MAX], *quotas[ITEMS_MAX], *list = json_object_get(s->state, "quotas");
	json_t *used = links_used(s);
	size_t n = worst_first(used, (size_t)rows, links), m = worst_first(list, (size_t)rows, quotas);
	int split = g->w / 2, lw = longest(json_object_get(s->state, "links"), "name", 5, 14),
	    qw = longest(list, "name", 5, 14);
	draw_divider(g, f, y, ROLE_BORDER, "2 Replication");
	draw_divider(g, f, y + rows + 1, ROLE_BORDER, NULL);
	draw_split(g, split, y, y + rows + 1, ROLE_BORDER, "3 Quota");
	draw_remark(g, f, y, ROLE_DIM, "after a move");
	for (int i = 0; i < rows; i++) {
		rect left = {2, y + 1 + i, split - 3, 1},
		     right = {split + 2, y + 1 + i, g->w - split - 4, 1};
		if (i + 1 == rows && n > (size_t)rows)
			grid_textf(g, left.x, left.y, left.w, ROLE_SEV3, "%zu more: press 2", n - (size_t)i);
		else if ((size_t)i < n)
			draw_link(g, s, left, lw, links[i]);
		if (i + 1 == rows && m > (size_t)rows)
			grid_textf(g, right.x, right.y, right.w, ROLE_SEV3, "%zu more: press 3", m - (size_t)i);
		else if ((size_t)i < m)
			draw_quota(g, right, qw, quotas[i]);
	}
	if (s->state && !n) grid_text(g, 2, y + 1, split - 3, ROLE_DIM, "no links");
	if (s->state && !m) grid_text(g, split + 2, y + 1, split - 4, ROLE_DIM, "no quotas");
	json_decref(used);
}
