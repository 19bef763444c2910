/* operation.c: one operation: its steps, what the chosen one says, timings against the RTO,
 * approvals. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

static int64_t spent_ms(const scene *s, const json_t *st)
{
	bool live = is(st, "state", "running") || is(st, "state", "undoing");
	return live ? scene_clock(s, st, "elapsed_ms", true) : num(st, "duration_ms", -1);
}

static void draw_step(grid *g, const scene *s, rect a, int name_w, const json_t *st)
{
	const char *state = wr_json_str(st, "state", ""), *error = wr_json_str(st, "error", "");
	role r;
	char t[24];
	const char *glyph = step_glyph(state, &r);
	bool waits = !strcmp(state, "waiting"), live = !strcmp(state, "running");
	int64_t spent = spent_ms(s, st), usual = num(st, "usual_ms", 0), tries = num(st, "attempts", 0);
	int x = a.x, right = a.x + a.w;
	grid_text(g, x, a.y, 2, r, glyph);
	snprintf(t, sizeof t, "%lld", (long long)num(st, "index", 0) + 1);
	grid_right(g, x + 2, a.y, 2, ROLE_DIM, t);
	x += 5;
	grid_text(g, x, a.y, name_w,
	          live    ? ROLE_ACCENT
	          : waits ? ROLE_DIM
	                  : ROLE_TEXT,
	          wr_json_str(st, "name", ""));
	x += name_w + 1;
	grid_text(g, x, a.y, 7, ROLE_DIM, wr_json_str(st, "kind", ""));
	x += 8;
	grid_text(g, x, a.y, 11, r, state);
	x += 11;
	if (spent >= 0 && !waits && strcmp(state, "skipped") != 0)
		grid_right(g, x, a.y, 7, live && usual > 0 && spent > 2 * usual ? ROLE_SEV3 : ROLE_TEXT,
		           fmt_ms(t, sizeof t, spent));
	x += 8;
	if (*error && !live) {
		grid_text(g, x, a.y, right - x, strcmp(state, "skipped") ? ROLE_SEV2 : ROLE_DIM, error);
		return;
	}
	if (usual > 0)
		x +=
		    grid_textf(g, x, a.y, right - x, ROLE_DIM, "usually %s", fmt_short(t, sizeof t, usual));
	if (tries > 1) x += grid_textf(g, x, a.y, right - x, ROLE_SEV3, "  try %lld", (long long)tries);
	if (!wr_json_bool(st, "guarded", true) && right - x > 12)
		grid_text(g, x, a.y, right - x, ROLE_DIM, "  harmless");
}

static int draw_gate(grid *g, rect a, int y, const json_t *gate)
{
	const char *v = wr_json_str(gate, "verdict", "");
	int64_t n = num(gate, "n", 0), need = num(gate, "n_needed", 0),
	        left = num(gate, "to_verdict_ms", -1);
	role r = !strcmp(v, "PASS") ? ROLE_OK : !strcmp(v, "FAIL") ? ROLE_SEV1 : ROLE_SEV3;
	char t[24];
	int x = a.x + 9, right = a.x + a.w;
	grid_text(g, a.x, y, 8, ROLE_DIM, "gate");
	x += grid_textf(g, x, y, right - x, r, "%s  ", v);
	if (need > 0 && right - x > 30) {
		draw_meter(g, x, y, 10, (double)n / (double)need, r, ROLE_DIM);
		x += 11;
	}
	x += grid_textf(g, x, y, right - x, ROLE_TEXT, "%s", wr_json_str(gate, "text", ""));
	if (left > 0)
		grid_textf(g, x, y, right - x, ROLE_DIM, "; verdict in about %s",
		           fmt_short(t, sizeof t, left));
	return 1;
}

/* The newest lines of the output that fit. */
static void draw_output(grid *g, rect a, const char *out)
{
	int total;
	grid_text(g, a.x, a.y, 8, ROLE_DIM, "output");
	(void)draw_pages(g, (rect){a.x + 9, a.y, a.w - 9, a.h}, ROLE_INFO, out, 1 << 20, &total);
}

/* What it asks and says, what happened, then the walkthrough's texts: as much as there is room. */
static void draw_detail(grid *g, rect a, const json_t *st)
{
	static const struct {
		const char *key, *label;
		role r;
	} texts[] = {{"error", "error", ROLE_SEV2},   {"ask", "asks", ROLE_SEV3},
	             {"why", "why", ROLE_TEXT},       {"look_at", "look at", ROLE_TEXT},
	             {"danger", "danger", ROLE_SEV3}, {"go_back", "go back", ROLE_TEXT}};
	int y = a.y, end = a.y + a.h;
	const json_t *gate = json_object_get(st, "gate");
	const char *out = wr_json_str(st, "output", "");
	bool live = is(st, "state", "running") || is(st, "state", "failed");
	int keep = *out && live && a.h > 2 ? (a.h > 6 ? 3 : 1) : 0;
	if (gate && y < end) y += draw_gate(g, a, y, gate);
	for (size_t i = 0; i < sizeof texts / sizeof *texts && y < end - keep; i++) {
		const char *t = wr_json_str(st, texts[i].key, "");
		int room = end - keep - y;
		if (!*t) continue;
		grid_text(g, a.x, y, 8, ROLE_DIM, texts[i].label);
		y += draw_wrapped(g, (rect){a.x + 9, y, a.w - 9, room < 2 ? room : 2}, texts[i].r, t);
	}
	if (*out && y < end) draw_output(g, (rect){a.x, y, a.w, end - y}, out);
}

/* Four rows: state and time, the reason, the RTO, the approvals. */
static void draw_top(grid *g, const scene *s, int y, const json_t *op)
{
	const char *state = wr_json_str(op, "state", ""), *final = wr_json_str(op, "final_reason", "");
	char t[24];
	bool over = op_over(op), good = !strcmp(state, "completed"), held = !strcmp(state, "held");
	int64_t elapsed = over ? num(op, "elapsed_ms", -1) : scene_clock(s, op, "elapsed_ms", true);
	int x = 2, right = g->w - 2;
	x += grid_textf(g, x, y, right - x,
	                over   ? (good ? ROLE_OK : ROLE_SEV2)
	                : held ? ROLE_SEV2
	                       : ROLE_ACCENT,
	                "%s%s%s", held ? grid_glyphs()->pause : "", held ? " " : "", state);
	if (elapsed >= 0)
		x += grid_textf(g, x, y, right - x, ROLE_TEXT, over ? ", took %s" : " for %s",
		                fmt_clock(t, sizeof t, elapsed));
	grid_textf(g, x, y, right - x, ROLE_DIM, "   words: %s", wr_json_str(op, "words", ""));
	if (held)
		grid_textf(g, 2, y + 1, right - 2, ROLE_SEV2, "%s (%s)", wr_json_str(op, "held_reason", ""),
		           wr_json_str(op, "held_rule", ""));
	else if (over && *final)
		grid_text(g, 2, y + 1, right - 2, good ? ROLE_TEXT : ROLE_SEV2, final);
	else
		grid_textf(g, 2, y + 1, right - 2, ROLE_DIM, "by %s: %s", wr_json_str(op, "proposer", ""),
		           wr_json_str(op, "reason", ""));
	if (draw_rto(g, s, 2, y + 2, right, op) == 2)
		grid_text(g, 2, y + 2, right - 2, ROLE_DIM, "no impact went before: no RTO runs");
	(void)draw_approvals(g, s, 2, y + 3, right, op);
}

static void draw_none(grid *g, const scene *s, rect f)
{
	draw_box(g, f, ROLE_BORDER_FOCUS, "5 Operation");
	draw_wrapped(g, (rect){2, f.y + 1, f.w - 4, 3}, ROLE_DIM,
	             s->read_only
	                 ? "No operation yet."
	                 : "No operation yet. f proposes a failover, when there is a candidate.");
}

void view_operation_page(grid *g, const scene *s)
{
	const json_t *items[ITEMS_MAX], *op = scene_operation(s);
	char title[200], shown[260];
	size_t n = scene_items(s, items), picked = scene_picked(s, items, n);
	rect f = view_frame(g, view_header(g, s));
	if (!op) {
		draw_none(g, s, f);
		return;
	}
	snprintf(title, sizeof title, "%s: %s %s %s %s", wr_json_str(op, "id", ""),
	         wr_json_str(op, "action", ""), wr_json_str(op, "from", ""), grid_glyphs()->arrow,
	         wr_json_str(op, "to", ""));
	list_title(s, n, shown, sizeof shown, title);
	draw_box(g, f, ROLE_BORDER_FOCUS, shown);
	draw_top(g, s, f.y + 1, op);
	draw_divider(g, f, f.y + 5, ROLE_BORDER_FOCUS, "Steps");
	bool over = op_over(op);
	int top = f.y + 6, bottom = f.y + f.h - 1 - !over, room = bottom - top,
	    detail = room > 24   ? 9
	             : room > 14 ? 5
	                         : 4,
	    rows = room - detail;
	if (rows > (int)n) rows = (int)n;
	int name_w = longest(json_object_get(op, "steps"), "name", 10, g->w < 90 ? 16 : 24);
	size_t first = first_row(picked, (size_t)rows, n);
	for (int i = 0; i < rows && first + (size_t)i < n; i++) {
		rect a = {2, top + i, f.w - 4, 1};
		draw_step(g, s, a, name_w, items[first + (size_t)i]);
		if (first + (size_t)i == picked) grid_recolour(g, a, ROLE_SELECT);
	}
	draw_scrollbar(g, f.x + f.w - 1, top, rows, (int)first, rows, (int)n);
	if (n) {
		const json_t *st = items[picked];
		snprintf(title, sizeof title, "%lld %s", (long long)num(st, "index", 0) + 1,
		         wr_json_str(st, "name", ""));
		draw_divider(g, f, top + rows, ROLE_BORDER_FOCUS, title);
		draw_detail(g, (rect){2, top + rows + 1, f.w - 4, bottom - top - rows - 1}, st);
	} else {
		grid_text(g, 2, top, f.w - 4, ROLE_DIM, s->filter[0] ? "nothing matches" : "no steps");
	}
	if (!s->connected) grid_fade(g, f);
	if (!over) draw_now(g, s, 2, f.y + f.h - 2, f.w - 4);
}
