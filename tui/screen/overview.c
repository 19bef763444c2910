/* overview.c: the ten questions at a glance (DESIGN.md section 11). */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"
#include "warroom/text.h"

static int draw_classes(grid *g, int x, int y, int right, const json_t *region)
{
	const glyphs *gl = grid_glyphs();
	size_t i;
	json_t *c;
	json_array_foreach (json_object_get(region, "classes"), i, c) {
		const char *st = wr_json_str(c, "status", "");
		bool bad = !strcmp(st, "breached"), ok = !strcmp(st, "clear");
		int need = (int)wr_text_width(wr_json_str(c, "abbr", "")) + 3;
		if (x + need > right) break;
		x += grid_text(g, x, y, right - x, ROLE_DIM, wr_json_str(c, "abbr", "")) + 1;
		x += grid_text(g, x, y, right - x,
		               bad  ? ROLE_SEV1
		               : ok ? ROLE_OK
		                    : ROLE_UNKNOWN,
		               bad  ? gl->bad
		               : ok ? gl->ok
		                    : gl->none) +
		     1;
	}
	return x;
}

static void draw_region(grid *g, const scene *s, int y, const json_t *r)
{
	const char *verdict = wr_json_str(r, "verdict", "UNKNOWN");
	bool well = !strcmp(verdict, "HEALTHY");
	char t[24];
	int x = 2, right = g->w - 2;
	int64_t weight = wr_json_int(r, "weight", -1);
	grid_text(g, x, y, 15, ROLE_TEXT, wr_json_str(r, "name", "?"));
	x += 16;
	grid_text(g, x, y, 8, ROLE_DIM, wr_json_str(r, "role", ""));
	x += 9;
	grid_textf(g, x, y, 11, verdict_role(verdict), "%s %s", verdict_glyph(verdict), verdict);
	x += 12;
	if (!well)
		grid_text(g, x, y, 8, verdict_role(verdict),
		          fmt_clock(t, sizeof t, scene_ms(s, r, "since_ms", true)));
	x += 8;
	grid_text(g, x, y, 7, ROLE_DIM, "weight");
	if (weight < 0)
		grid_text(g, x + 7, y, 3, ROLE_UNKNOWN, "  ?");
	else
		grid_textf(g, x + 7, y, 3, weight ? ROLE_ACCENT : ROLE_DIM, "%3lld", (long long)weight);
	x += 12;
	x = draw_classes(g, x, y, right, r);
	if (right - x > 30)
		grid_text(g, x + 1, y, right - x - 2, ROLE_DIM, wr_json_str(r, "reason", ""));
}

static void draw_link(grid *g, int x, int y, int w, const json_t *l)
{
	const char *state = wr_json_str(l, "state", "no_data");
	bool over = !strcmp(state, "over"), none = !strcmp(state, "no_data"),
	     active = wr_json_bool(l, "active", false);
	role r = over ? ROLE_SEV2 : none ? ROLE_UNKNOWN : active ? ROLE_TEXT : ROLE_DIM;
	int64_t values[60];
	size_t n = 0, i;
	json_t *v;
	char t[24], rpo[24];
	json_array_foreach (json_object_get(l, "history"), i, v)
		if (n < 60) values[n++] = json_integer_value(v);
	grid_text(g, x, y, 13, active ? ROLE_TEXT : ROLE_DIM, wr_json_str(l, "name", "?"));
	if (none && wr_json_int(l, "proven_ms", -1) >= 0)
		grid_textf(g, x + 14, y, 8, r, "was %s",
		           fmt_ms(t, sizeof t, wr_json_int(l, "proven_ms", -1)));
	else
		grid_text(g, x + 14, y, 8, r,
		          none ? "no data" : fmt_ms(t, sizeof t, wr_json_int(l, "seconds_ms", -1)));
	int spark = w - 14 - 8 - 11;
	if (spark > 2)
		draw_spark(g, x + 23, y, spark > 30 ? 30 : spark, values, n,
		           wr_json_int(l, "rpo_ms", 1) / 4, r == ROLE_TEXT ? ROLE_ACCENT : r);
	grid_textf(g, x + w - 10, y, 7, ROLE_DIM, "rpo %s",
	           fmt_ms(rpo, sizeof rpo, wr_json_int(l, "rpo_ms", -1)));
	grid_text(g, x + w - 2, y, 1,
	          over   ? ROLE_SEV2
	          : none ? ROLE_UNKNOWN
	                 : ROLE_OK,
	          over   ? grid_glyphs()->bad
	          : none ? grid_glyphs()->none
	                 : grid_glyphs()->ok);
}

static void draw_quota(grid *g, int x, int y, int w, const json_t *q)
{
	const char *state = wr_json_str(q, "state", "no_data");
	int64_t percent = wr_json_int(q, "percent", -1), after = wr_json_int(q, "after_percent", -1);
	role r = !strcmp(state, "over")   ? ROLE_SEV2
	         : !strcmp(state, "warn") ? ROLE_SEV3
	         : !strcmp(state, "ok")   ? ROLE_OK
	                                  : ROLE_UNKNOWN;
	grid_text(g, x, y, 10, ROLE_TEXT, wr_json_str(q, "name", "?"));
	if (percent < 0) {
		grid_text(g, x + 11, y, w - 11, r, "no data");
		return;
	}
	grid_textf(g, x + 11, y, 5, r, "%3lld%%", (long long)percent);
	int bar = w - 16 - (after >= 0 ? 15 : 1);
	if (bar > 12) bar = 12;
	if (bar > 2) draw_meter(g, x + 16, y, bar, (double)percent / 100, r, ROLE_DIM);
	if (after >= 0)
		grid_textf(g, x + 17 + (bar > 2 ? bar : 0), y, w - 17 - (bar > 2 ? bar : 0), r,
		           "%s%3lld%% moved %s", grid_glyphs()->arrow, (long long)after,
		           r == ROLE_OK ? "" : grid_glyphs()->warn);
}

static void draw_receipts(grid *g, const scene *s, int y, int rows)
{
	const json_t *l = json_object_get(s->state, "ledger"), *tail = json_object_get(l, "tail");
	char n[32], t[24];
	int64_t count = wr_json_int(l, "count", 0), age = scene_ms(s, l, "verified_age_ms", true);
	bool ok = wr_json_bool(l, "ok", false), verified = wr_json_bool(l, "verified_ok", false);
	int x = 2;
	x += grid_textf(g, x, y, g->w - 4, ROLE_TEXT, "%s #%s", wr_json_str(l, "chain", "?"),
	                fmt_count(n, sizeof n, count ? count - 1 : 0)) +
	     2;
	if (!ok) {
		grid_textf(g, x, y, g->w - x - 2, ROLE_SEV1, "%s BROKEN: %s", grid_glyphs()->bad,
		           wr_json_str(l, "reason", ""));
	} else if (verified) {
		x += grid_textf(g, x, y, g->w - x - 2, ROLE_OK, "chain %s", grid_glyphs()->ok) + 1;
		grid_textf(g, x, y, g->w - x - 2, ROLE_DIM, "verified %s ago",
		           fmt_ms(t, sizeof t, age < 0 ? 0 : age / 1000 * 1000));
	} else {
		grid_text(g, x, y, g->w - x - 2, ROLE_UNKNOWN, "not verified yet");
	}
	size_t have = json_array_size(tail);
	for (int i = 1; i < rows && (size_t)i <= have; i++) {
		const json_t *r = json_array_get(tail, have - (size_t)i);
		const char *op = wr_json_str(r, "operation", "");
		grid_textf(g, 2, y + i, 9, ROLE_DIM, "%.8s",
		           strlen(wr_json_str(r, "timestamp", "")) > 19
		               ? wr_json_str(r, "timestamp", "") + 11
		               : "");
		grid_text(g, 11, y + i, 20, ROLE_ACCENT, op);
		grid_text(g, 32, y + i, g->w - 32 - 13, ROLE_TEXT, wr_json_str(r, "text", ""));
		const char *h = wr_json_str(r, "hash", "");
		if (strlen(h) == 64)
			grid_textf(g, g->w - 12, y + i, 10, ROLE_DIM, "%.4s%s%.4s", h,
			           grid_glyphs()->ascii ? ".." : "…", h + 60);
	}
}

static void draw_next_operation(grid *g, const scene *s, int y, int rows, const json_t *op)
{
	char t[24], u[24];
	const json_t *q = json_object_get(op, "quorum"), *steps = json_object_get(op, "steps");
	int64_t cur = wr_json_int(op, "current", -1), elapsed = scene_ms(s, op, "elapsed_ms", true);
	size_t done = 0, i;
	json_t *st;
	json_array_foreach (steps, i, st) done += !strcmp(wr_json_str(st, "state", ""), "done");
	grid_textf(g, 2, y, g->w - 4, ROLE_TEXT, "%s %s %s %s %s   %s   step %zu of %zu%s%s",
	           wr_json_str(op, "id", ""), wr_json_str(op, "action", ""),
	           wr_json_str(op, "from", ""), grid_glyphs()->arrow, wr_json_str(op, "to", ""),
	           wr_json_str(op, "state", ""), done, json_array_size(steps),
	           elapsed >= 0 ? "   " : "", elapsed >= 0 ? fmt_clock(t, sizeof t, elapsed) : "");
	if (cur >= 0 && rows > 1) {
		const json_t *c = json_array_get(steps, (size_t)cur);
		int64_t usual = wr_json_int(c, "usual_ms", 0);
		int x = 2 + grid_textf(g, 2, y + 1, g->w - 4, ROLE_ACCENT, "%s %s", grid_glyphs()->run,
		                       wr_json_str(c, "name", ""));
		x += grid_textf(g, x, y + 1, g->w - x - 2, ROLE_DIM, "  %s of usually %s  ",
		                fmt_clock(t, sizeof t, scene_ms(s, c, "elapsed_ms", true)),
		                usual > 0 ? fmt_ms(u, sizeof u, usual) : "?");
		const json_t *gate = json_object_get(c, "gate");
		if (gate)
			grid_textf(g, x, y + 1, g->w - x - 2, ROLE_INFO, "%s %s",
			           wr_json_str(gate, "verdict", ""), wr_json_str(gate, "text", ""));
		else
			grid_text(g, x, y + 1, g->w - x - 2, ROLE_DIM, wr_json_str(c, "why", ""));
	} else if (rows > 1) {
		grid_textf(g, 2, y + 1, g->w - 4, ROLE_TEXT, "%s approvals %lld of %lld   words: %s",
		           wr_json_bool(q, "met", false) ? grid_glyphs()->ok : grid_glyphs()->wait,
		           (long long)wr_json_int(q, "have", 0), (long long)wr_json_int(q, "need", 2),
		           wr_json_str(op, "words", ""));
	}
}

static void draw_next_action(grid *g, int y, int rows, const json_t *a)
{
	int64_t blocking = wr_json_int(a, "blocking", 0);
	grid_textf(g, 2, y, g->w - 4, blocking ? ROLE_TEXT : ROLE_OK,
	           "%s %s %s %s   %lld of %lld guards hold   w why%s", wr_json_str(a, "action", ""),
	           wr_json_str(a, "from", ""), grid_glyphs()->arrow, wr_json_str(a, "to", ""),
	           (long long)wr_json_int(a, "passed", 0), (long long)wr_json_int(a, "total", 0),
	           blocking ? " not" : "");
	size_t i;
	json_t *row;
	int line = 1;
	json_array_foreach (json_object_get(a, "guards"), i, row) {
		const char *v = wr_json_str(row, "verdict", "");
		if (line >= rows || !wr_json_bool(row, "blocking", true) || !strcmp(v, "PASS")) continue;
		grid_textf(g, 2, y + line, g->w - 4, !strcmp(v, "FAIL") ? ROLE_SEV2 : ROLE_UNKNOWN,
		           "%s %s: %s", !strcmp(v, "FAIL") ? grid_glyphs()->bad : grid_glyphs()->none,
		           wr_json_str(row, "name", ""), wr_json_str(row, "observed", ""));
		line++;
	}
}

static void draw_next(grid *g, const scene *s, int y, int rows)
{
	char text[256];
	const json_t *op = scene_active(s),
	             *newest = json_array_get(json_object_get(s->state, "operations"), 0),
	             *a = scene_action(s);
	role r = scene_suggest(s, text, sizeof text);
	int x = 2 + grid_text(g, 2, y + rows - 1, g->w - 4, ROLE_HINT_KEY, "NOW: ");
	grid_text(g, x, y + rows - 1, g->w - x - 2, r, text);
	if (op)
		draw_next_operation(g, s, y, rows - 1, op);
	else if (a)
		draw_next_action(g, y, rows - 1, a);
	if (!op && newest && rows > 3 && wr_json_int(a, "blocking", 0) == 0)
		grid_textf(g, 2, y + rows - 2, g->w - 4, ROLE_DIM, "last: %s %s %s, %s",
		           wr_json_str(newest, "id", ""), wr_json_str(newest, "action", ""),
		           wr_json_str(newest, "state", ""), wr_json_str(newest, "final_reason", ""));
}

void view_overview(grid *g, const scene *s)
{
	view_header(g, s);
	rect f = {0, 2, g->w, g->h - 3};
	const json_t *regions = json_object_get(s->state, "regions"),
	             *links = json_object_get(s->state, "links"),
	             *quotas = json_object_get(s->state, "quotas");
	int n_regions = (int)json_array_size(regions), n_pair = (int)json_array_size(links);
	if ((int)json_array_size(quotas) > n_pair) n_pair = (int)json_array_size(quotas);
	/* Five borders; the receipts take what is left. */
	int room = f.h - 5, next = 4, tail = 3;
	if (n_regions < 1) n_regions = 1;
	if (n_pair < 1) n_pair = 1;
	while (n_regions + n_pair + next + tail > room && n_pair > 2) n_pair--;
	while (n_regions + n_pair + next + tail > room && n_regions > 2) n_regions--;
	tail = room - n_regions - n_pair - next;
	if (tail > 12) {
		next += 2;
		tail -= 2;
	}
	int y = f.y;
	draw_box(g, f, ROLE_BORDER, "1 Regions");
	for (int i = 0; i < n_regions; i++) {
		const json_t *r = json_array_get(regions, (size_t)i);
		if (r) draw_region(g, s, y + 1 + i, r);
	}
	if (!regions) grid_text(g, 2, y + 1, g->w - 4, ROLE_DIM, "waiting for the engine");
	y += n_regions + 1;
	int split = g->w / 2 + 1, below = y + n_pair + 1;
	draw_divider(g, f, y, ROLE_BORDER, "2 Replication");
	draw_divider(g, f, below, ROLE_BORDER, "4 Receipts");
	draw_split(g, split, y, below, ROLE_BORDER, "3 Quota burn");
	for (int i = 0; i < n_pair; i++) {
		const json_t *l = json_array_get(links, (size_t)i), *q = json_array_get(quotas, (size_t)i);
		if (l) draw_link(g, 2, y + 1 + i, split - 2, l);
		if (q) draw_quota(g, split + 2, y + 1 + i, g->w - split - 4, q);
	}
	draw_receipts(g, s, below + 1, tail);
	y = below + tail + 1;
	draw_divider(g, f, y, ROLE_BORDER, "5 Next");
	draw_next(g, s, y + 1, next);
}
