/* overview.c: the ten questions at a glance (DESIGN.md section 11).
 *
 * Five panels share the height: what there is to show is counted first, then cut where it hurts
 * least; a larger screen shows more of the same. Column widths follow the data. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

typedef struct layout {
	int regions, signals, pair, receipts, next; /* rows; signals are among the regions' */
} layout;

/* 0: not well, 1: not known, 2: well. Of regions, links and quotas. */
static int rank(const json_t *item)
{
	static const char *const bad[] = {"over", "warn", "DOWN", "SUSPECT", "DEGRADED"};
	const char *state = wr_json_str(item, "verdict", wr_json_str(item, "state", ""));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (!strcmp(state, bad[i])) return 0;
	return strcmp(state, "ok") != 0 && strcmp(state, "HEALTHY") != 0 ? 1 : 2;
}

size_t worst_first(const json_t *list, size_t rows, const json_t *out[static ITEMS_MAX])
{
	size_t n = 0, i, count = json_array_size(list);
	json_t *item;
	for (int r = 0; r < 3; r++)
		json_array_foreach (list, i, item)
			if (n < ITEMS_MAX && (count <= rows ? r == 0 : rank(item) == r)) out[n++] = item;
	return n;
}

int longest(const json_t *list, const char *key, int least, int most)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		int w = grid_width(wr_json_str(item, key, ""), most);
		if (w > most) w = most;
		if (w > least) least = w;
	}
	return least;
}

void draw_record(grid *g, const scene *s, int y)
{
	const json_t *l = json_object_get(s->state, "ledger");
	char n[32], t[24];
	int64_t count = num(l, "count", 0), age = scene_age(s, l, "verified_age_ms"),
	        attested = num(l, "attested_seq", -1);
	int x = 2, right = g->w - 2;
	if (!l) {
		if (s->state) grid_text(g, x, y, right - x, ROLE_DIM, "no record yet");
		return;
	}
	x += grid_textf(g, x, y, 40, ROLE_TEXT, "%s #%s", wr_json_str(l, "chain", "?"),
	                fmt_count(n, sizeof n, count > 0 ? count - 1 : 0)) +
	     2;
	if (!wr_json_bool(l, "ok", false)) {
		grid_textf(g, x, y, right - x, ROLE_SEV1, "%s BROKEN: %s", grid_glyphs()->bad,
		           wr_json_str(l, "reason", ""));
		return;
	}
	if (!wr_json_bool(l, "verified_ok", false)) {
		grid_text(g, x, y, right - x, ROLE_UNKNOWN, "not verified yet");
		return;
	}
	x += grid_textf(g, x, y, right - x, ROLE_OK, "chain %s", grid_glyphs()->ok) + 1;
	x += grid_textf(g, x, y, right - x, ROLE_DIM, "verified %s ago",
	                fmt_age(t, sizeof t, age < 0 ? 0 : age)) +
	     3;
	if (attested >= 0)
		grid_textf(g, x, y, right - x, ROLE_DIM, "attested #%s", fmt_count(n, sizeof n, attested));
}

void panel_receipts(grid *g, const scene *s, int y, int rows)
{
	const json_t *tail = json_object_get(json_object_get(s->state, "ledger"), "tail");
	int line = 1, op_w = longest(tail, "operation", 16, 22), right = g->w - 2;
	draw_record(g, s, y);
	for (size_t i = json_array_size(tail); i-- > 0 && line < rows;) {
		const json_t *r = json_array_get(tail, i);
		/* Guard tables are many, and the panel below says what they say. */
		if (is(r, "operation", "guards_changed")) continue;
		grid_textf(g, 2, y + line, 8, ROLE_DIM, "%.8s", time_of(r, "timestamp"));
		grid_text(g, 11, y + line, op_w, ROLE_ACCENT, wr_json_str(r, "operation", ""));
		int x = 12 + op_w, hash = right - x > 50 ? 10 : 0;
		grid_text(g, x, y + line, right - x - hash, ROLE_TEXT, wr_json_str(r, "text", ""));
		const char *h = wr_json_str(r, "hash", "");
		if (hash && strlen(h) == 64)
			grid_textf(g, right - 9, y + line, 9, ROLE_DIM, "%.4s%s%.4s", h,
			           grid_glyphs()->ascii ? "~" : "…", h + 60);
		line++;
	}
}

static int count_signals(const scene *s)
{
	size_t i;
	json_t *r;
	int n = 0;
	json_array_foreach (json_object_get(s->state, "regions"), i, r)
		n += (int)json_array_size(json_object_get(r, "signals"));
	return n;
}

static int rows_of(const layout *l)
{
	return l->regions + l->pair + l->receipts + l->next;
}

static layout share(const scene *s, int room, int w)
{
	const json_t *regions = json_object_get(s->state, "regions");
	json_t *used = links_used(s);
	int n_links = (int)json_array_size(used), signals = w >= 80 ? count_signals(s) : 0,
	    n_quotas = (int)json_array_size(json_object_get(s->state, "quotas"));
	layout l = {.regions = (int)json_array_size(regions), .receipts = 2};
	l.pair = n_links > n_quotas ? n_links : n_quotas;
	json_decref(used);
	l.next = panel_next_rows(s, room > 24 ? 8 : 3);
	if (l.regions < 1) l.regions = 1;
	if (l.pair < 1) l.pair = 1;
	if (room < 12) l.receipts = 1;
	if (room < 12 && l.next > 3) l.next = 3;
	for (int least = 4; least >= 2; least--) {
		while (rows_of(&l) > room && l.pair > least) l.pair--;
		while (rows_of(&l) > room && l.regions > least) l.regions--;
	}
	while (rows_of(&l) > room && l.next > 3) l.next--;
	int spare = room - rows_of(&l);
	if (signals && spare >= signals + 2) {
		l.signals = signals;
		l.regions += signals;
		spare -= signals;
	}
	l.receipts += spare;
	return l;
}

void view_overview(grid *g, const scene *s)
{
	rect f = view_frame(g, view_header(g, s));
	layout l = share(s, f.h - 5, g->w);
	int y = f.y;
	draw_box(g, f, ROLE_BORDER, "1 Regions");
	panel_regions(g, s, f, y + 1, l.regions, l.signals);
	y += l.regions + 1;
	panel_data(g, s, f, y, l.pair);
	y += l.pair + 1;
	grid_text(g, 1, y, g->w / 2 - 1, ROLE_TITLE, " 4 Receipts ");
	panel_receipts(g, s, y + 1, l.receipts);
	y += l.receipts + 1;
	draw_divider(g, f, y, ROLE_BORDER, "5 Next");
	panel_next(g, s, y + 1, l.next);
	if (!s->connected) grid_fade(g, (rect){f.x, f.y, f.w, f.h - 2});
}
