/* receipts.c: the live chain: newest first, and the chosen one. */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"

void view_receipts(grid *g, const scene *s)
{
	view_header(g, s);
	const json_t *l = json_object_get(s->state, "ledger"), *tail = json_object_get(l, "tail");
	rect f = {0, 2, g->w, g->h - 3};
	char title[160], n[32], t[24];
	snprintf(title, sizeof title, "Receipts %s", wr_json_str(l, "chain", ""));
	draw_box(g, f, ROLE_BORDER_FOCUS, title);
	bool ok = wr_json_bool(l, "ok", false), verified = wr_json_bool(l, "verified_ok", false);
	int x = 2 + grid_textf(g, 2, 3, g->w - 4, ROLE_TEXT, "%s receipts   ",
	                       fmt_count(n, sizeof n, wr_json_int(l, "count", 0)));
	if (!ok)
		grid_textf(g, x, 3, g->w - x - 2, ROLE_SEV1, "%s BROKEN: %s", grid_glyphs()->bad,
		           wr_json_str(l, "reason", ""));
	else if (verified) {
		x += grid_textf(g, x, 3, g->w - x - 2, ROLE_OK, "%s chain verified", grid_glyphs()->ok);
		grid_textf(g, x, 3, g->w - x - 2, ROLE_DIM,
		           " up to #%lld, %s ago; no checkpoint attests it yet",
		           (long long)wr_json_int(l, "verified_count", 0) - 1,
		           fmt_ms(t, sizeof t, scene_ms(s, l, "verified_age_ms", true) / 1000 * 1000));
	} else
		grid_text(g, x, 3, g->w - x - 2, ROLE_UNKNOWN, "not verified yet");
	int have = (int)json_array_size(tail), detail = 6, list = f.h - 4 - detail;
	int sel = s->selected < 0 ? 0 : s->selected >= have ? have - 1 : s->selected;
	int first = sel >= list ? sel - list + 1 : 0;
	for (int i = 0; i < list && first + i < have; i++) {
		const json_t *r = json_array_get(tail, (size_t)(have - 1 - first - i));
		int y = 4 + i;
		const char *at = wr_json_str(r, "timestamp", "");
		grid_textf(g, 2, y, 8, ROLE_DIM, "#%lld", (long long)wr_json_int(r, "seq", -1));
		grid_textf(g, 10, y, 9, ROLE_DIM, "%.8s", strlen(at) > 19 ? at + 11 : "");
		grid_text(g, 20, y, 24, ROLE_ACCENT, wr_json_str(r, "operation", ""));
		grid_text(g, 45, y, g->w - 47, ROLE_TEXT, wr_json_str(r, "text", ""));
		if (first + i == sel) grid_recolour(g, (rect){2, y, g->w - 4, 1}, ROLE_SELECT);
	}
	if (!have) return;
	const json_t *r = json_array_get(tail, (size_t)(have - 1 - sel));
	int y = f.y + f.h - detail;
	snprintf(title, sizeof title, "Receipt #%lld", (long long)wr_json_int(r, "seq", -1));
	draw_divider(g, f, y, ROLE_BORDER_FOCUS, title);
	grid_textf(g, 2, y + 1, g->w - 4, ROLE_TEXT, "%s  by %s  at %s",
	           wr_json_str(r, "operation", ""), wr_json_str(r, "actor", ""),
	           wr_json_str(r, "timestamp", ""));
	int used =
	    draw_wrapped(g, (rect){2, y + 2, g->w - 4, 2}, ROLE_TEXT, wr_json_str(r, "text", ""));
	grid_textf(g, 2, y + 2 + (used ? used : 1), g->w - 4, ROLE_DIM, "hash %s",
	           wr_json_str(r, "hash", ""));
}
