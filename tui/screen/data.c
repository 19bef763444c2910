/* data.c: replication links and quotas in full. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

#define DETAIL 6

static bool is_quota(const json_t *item)
{
	return json_object_get(item, "percent") != NULL;
}

static void draw_full_link(grid *g, rect a, int name_w, const json_t *l)
{
	const glyphs *gl = grid_glyphs();
	bool over = is(l, "state", "over"), ok = is(l, "state", "ok"),
	     active = wr_json_bool(l, "active", false);
	role r = over ? ROLE_SEV2 : ok ? ROLE_TEXT : ROLE_UNKNOWN;
	char t[24], text[160];
	int64_t values[HISTORY_MAX], receipts = num(l, "receipts", -1);
	int x = a.x, right = a.x + a.w, route_w = a.w > 100 ? 36 : 27;
	grid_text(g, x, a.y, 2,
	          over ? ROLE_SEV2
	          : ok ? ROLE_OK
	               : ROLE_UNKNOWN,
	          over ? gl->bad
	          : ok ? gl->ok
	               : gl->none);
	grid_text(g, x + 2, a.y, name_w, ROLE_TEXT, wr_json_str(l, "name", "?"));
	x += name_w + 3;
	snprintf(text, sizeof text, "%.60s %s %.60s", wr_json_str(l, "from", ""), gl->arrow,
	         wr_json_str(l, "to", ""));
	grid_text(g, x, a.y, route_w, ROLE_DIM, text);
	x += route_w + 1;
	snprintf(text, sizeof text, "rpo %s", fmt_short(t, sizeof t, num(l, "rpo_ms", -1)));
	grid_right(g, right - 7, a.y, 7, ROLE_DIM, text);
	right -= 8;
	grid_right(g, right - 7, a.y, 7, ROLE_DIM, fmt_bytes(t, sizeof t, num(l, "bytes", -1)));
	right -= 8;
	if (a.w > 100) {
		snprintf(text, sizeof text, "%s receipts",
		         receipts < 0 ? "-" : fmt_count(t, sizeof t, receipts));
		grid_right(g, right - 16, a.y, 16, ROLE_DIM, text);
		right -= 17;
	}
	if (ok || over)
		grid_right(g, x, a.y, 6, r, fmt_ms(t, sizeof t, num(l, "seconds_ms", -1)));
	else
		grid_text(g, x, a.y, right - x, r, active ? "no data" : "not in use");
	x += 7;
	int past = right - x > 40 ? 40 : right - x;
	if ((ok || over) && past > 2)
		draw_spark(g, x, a.y, past, values, history_of(l, values), num(l, "rpo_ms", 1) / 4,
		           over ? ROLE_SEV2 : ROLE_ACCENT);
	if (!active) grid_recolour(g, a, ROLE_DIM);
}

static void draw_full_quota(grid *g, rect a, int name_w, const json_t *q)
{
	char text[160];
	int64_t values[HISTORY_MAX];
	int row_w = a.w > 100 ? 60 : 48;
	draw_quota(g, (rect){a.x, a.y, row_w, 1}, name_w + 2, q);
	int x = a.x + row_w + 2, right = a.x + a.w;
	snprintf(text, sizeof text, "%.40s %.60s", wr_json_str(q, "layer", ""),
	         wr_json_str(q, "region", ""));
	grid_text(g, x, a.y, right - x, ROLE_DIM, text);
	x += 26;
	if (right - x > 8)
		draw_spark(g, x, a.y, right - x > 40 ? 40 : right - x, values, history_of(q, values), 100,
		           ROLE_DIM);
}

static void link_sentence(const scene *s, const json_t *l, char *out, size_t size)
{
	char t[24], u[24], v[24], b[24], n[32];
	int64_t ms = num(l, "seconds_ms", -1), bytes = num(l, "bytes", -1);
	snprintf(
	    out, size,
	    "%s %s %s %s, %s, %s: %s behind, %s, %s receipts; rpo %s; asked %s ago\n"
	    "last proof: %s, %s ago\n%s%s",
	    wr_json_str(l, "kind", ""), wr_json_str(l, "from", ""), grid_glyphs()->arrow,
	    wr_json_str(l, "to", ""), wr_json_bool(l, "sync", false) ? "synchronous" : "asynchronous",
	    wr_json_bool(l, "active", false) ? "in use" : "not in use",
	    ms < 0 ? "unknown" : fmt_ms(t, sizeof t, ms),
	    bytes < 0 ? "unknown bytes" : fmt_bytes(b, sizeof b, bytes),
	    num(l, "receipts", -1) < 0 ? "unknown" : fmt_count(n, sizeof n, num(l, "receipts", -1)),
	    fmt_short(u, sizeof u, num(l, "rpo_ms", -1)),
	    fmt_age(v, sizeof v, scene_age(s, l, "age_ms")),
	    num(l, "proven_ms", -1) < 0 ? "none" : fmt_ms(t, sizeof t, num(l, "proven_ms", -1)),
	    fmt_age(u, sizeof u, scene_age(s, l, "proven_age_ms")),
	    *wr_json_str(l, "names", "") ? "at risk: " : "", wr_json_str(l, "names", ""));
}

static void quota_sentence(const scene *s, const json_t *q, char *out, size_t size)
{
	char t[24];
	int64_t after = num(q, "after_percent", -1);
	int n = snprintf(out, size, "%s %s: %lld%% used; warns at %lld%%; asked %s ago\n",
	                 wr_json_str(q, "layer", ""), wr_json_str(q, "region", ""),
	                 (long long)num(q, "percent", -1), (long long)num(q, "alert", -1),
	                 fmt_age(t, sizeof t, scene_age(s, q, "age_ms")));
	if (n < 0 || (size_t)n >= size) return;
	if (after >= 0)
		snprintf(out + n, size - (size_t)n, "after a move: %lld%%", (long long)after);
	else
		snprintf(out + n, size - (size_t)n, "after a move: not known");
}

static void draw_detail(grid *g, const scene *s, rect f, int y, const json_t *item)
{
	char title[160], text[4096];
	snprintf(title, sizeof title, "%s", wr_json_str(item, "name", ""));
	draw_divider(g, f, y, ROLE_BORDER_FOCUS, title);
	if (is_quota(item))
		quota_sentence(s, item, text, sizeof text);
	else
		link_sentence(s, item, text, sizeof text);
	draw_wrapped(g, (rect){2, y + 1, f.w - 4, DETAIL - 2}, ROLE_TEXT, text);
}

void view_data(grid *g, const scene *s)
{
	const json_t *items[ITEMS_MAX], *state = s->state;
	char title[160];
	size_t n = scene_items(s, items), picked = scene_picked(s, items, n), links = 0;
	rect f = view_frame(g, view_header(g, s));
	int rows = f.h - 3 - DETAIL;
	while (links < n && !is_quota(items[links])) links++;
	list_title(s, n, title, sizeof title, "2 Replication");
	draw_box(g, f, ROLE_BORDER_FOCUS, title);
	int name_w = longest(json_object_get(state, "links"), "name", 8, 20);
	name_w = longest(json_object_get(state, "quotas"), "name", name_w, 20);
	size_t first = first_row(picked, (size_t)rows, n);
	int y = f.y + 1;
	for (int i = 0; i < rows && first + (size_t)i < n; i++) {
		size_t at = first + (size_t)i;
		if (at == links) {
			draw_divider(g, f, y, ROLE_BORDER_FOCUS, "3 Quota");
			draw_remark(g, f, y, ROLE_DIM, "used, and after a move");
			y++;
		}
		rect a = {f.x + 2, y++, f.w - 4, 1};
		if (at < links)
			draw_full_link(g, a, name_w, items[at]);
		else
			draw_full_quota(g, a, name_w, items[at]);
		if (at == picked) grid_recolour(g, a, ROLE_SELECT);
	}
	draw_scrollbar(g, f.x + f.w - 1, f.y + 1, rows, (int)first, rows, (int)n);
	if (n)
		draw_detail(g, s, f, f.y + 2 + rows, items[picked]);
	else
		grid_text(g, 2, f.y + 1, f.w - 4, ROLE_DIM,
		          s->filter[0] ? "nothing matches" : "no links and no quotas");
	if (!s->connected) grid_fade(g, f);
}
