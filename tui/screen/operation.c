/* operation.c: one operation: its steps, what the current one says, timings against the RTO,
 * approvals. */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"

static const char *step_glyph(const char *state, role *r)
{
	const glyphs *gl = grid_glyphs();
	static const struct {
		const char *state;
		role r;
	} roles[] = {{"done", ROLE_OK},        {"running", ROLE_ACCENT},  {"failed", ROLE_SEV1},
	             {"uncertain", ROLE_SEV2}, {"skipped", ROLE_DIM},     {"undoing", ROLE_SEV3},
	             {"undone", ROLE_STALE},   {"undo_failed", ROLE_SEV1}};
	*r = ROLE_DIM;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (!strcmp(state, roles[i].state)) *r = roles[i].r;
	if (!strcmp(state, "done")) return gl->ok;
	if (!strcmp(state, "running")) return gl->run;
	if (!strcmp(state, "failed") || !strcmp(state, "undo_failed")) return gl->bad;
	if (!strcmp(state, "uncertain")) return gl->none;
	if (!strcmp(state, "undoing") || !strcmp(state, "undone")) return gl->undo;
	return gl->wait;
}

static void draw_step(grid *g, const scene *s, rect a, const json_t *st, bool chosen)
{
	const char *state = wr_json_str(st, "state", "");
	role r;
	char t[24], u[24];
	const char *glyph = step_glyph(state, &r);
	bool live = !strcmp(state, "running") || !strcmp(state, "undoing");
	int64_t spent = live ? scene_ms(s, st, "elapsed_ms", true) : wr_json_int(st, "duration_ms", -1),
	        usual = wr_json_int(st, "usual_ms", 0);
	grid_text(g, a.x, a.y, 2, r, glyph);
	grid_textf(g, a.x + 2, a.y, 3, ROLE_DIM, "%2lld", (long long)wr_json_int(st, "index", 0) + 1);
	grid_text(g, a.x + 5, a.y, 16, live ? ROLE_ACCENT : ROLE_TEXT, wr_json_str(st, "name", ""));
	grid_text(g, a.x + 22, a.y, 8, ROLE_DIM, wr_json_str(st, "kind", ""));
	grid_text(g, a.x + 31, a.y, 11, r, state);
	bool timed =
	    live || !strcmp(state, "done") || !strcmp(state, "failed") || !strcmp(state, "undone");
	if (timed)
		grid_textf(g, a.x + 43, a.y, 8,
		           live && usual > 0 && spent > 2 * usual ? ROLE_SEV3 : ROLE_TEXT, "%7s",
		           fmt_ms(t, sizeof t, spent));
	if (usual > 0)
		grid_textf(g, a.x + 52, a.y, 12, ROLE_DIM, "usual %s", fmt_ms(u, sizeof u, usual));
	int64_t tries = wr_json_int(st, "attempts", 0);
	int x = a.x + 65;
	if (tries > 1)
		x += grid_textf(g, x, a.y, a.x + a.w - x, ROLE_SEV3, "try %lld ", (long long)tries);
	const char *error = wr_json_str(st, "error", "");
	if (*error)
		grid_text(g, x, a.y, a.x + a.w - x, ROLE_SEV2, error);
	else if (!wr_json_bool(st, "guarded", true))
		grid_text(g, x, a.y, a.x + a.w - x, ROLE_DIM, "harmless");
	if (chosen) grid_recolour(g, (rect){a.x, a.y, a.w, 1}, ROLE_SELECT);
}

/* The walkthrough's five texts for the chosen step, then its output. */
static void draw_detail(grid *g, rect a, const json_t *st)
{
	static const struct {
		const char *key, *label;
	} texts[] = {{"ask", "asks"},
	             {"why", "why"},
	             {"look_at", "look at"},
	             {"danger", "danger"},
	             {"go_back", "back"}};
	int y = a.y, end = a.y + a.h;
	const json_t *gate = json_object_get(st, "gate");
	if (gate && y < end) {
		const char *v = wr_json_str(gate, "verdict", "");
		role r = !strcmp(v, "PASS") ? ROLE_OK : !strcmp(v, "FAIL") ? ROLE_SEV1 : ROLE_SEV3;
		grid_text(g, a.x, y, 8, ROLE_DIM, "gate");
		y += draw_wrapped(g, (rect){a.x + 9, y, a.w - 9, 1}, r, v);
		y--;
		grid_textf(g, a.x + 9 + (int)strlen(v) + 2, y, a.w - 11 - (int)strlen(v), ROLE_TEXT,
		           "%lld of %lld samples; %s", (long long)wr_json_int(gate, "n", 0),
		           (long long)wr_json_int(gate, "n_needed", 0), wr_json_str(gate, "text", ""));
		y++;
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts && y < end; i++) {
		const char *t = wr_json_str(st, texts[i].key, "");
		if (!*t) continue;
		grid_text(g, a.x, y, 8, ROLE_DIM, texts[i].label);
		y += draw_wrapped(g, (rect){a.x + 9, y, a.w - 9, end - y < 2 ? end - y : 2},
		                  i == 3 ? ROLE_SEV3 : ROLE_TEXT, t);
	}
	const char *out = wr_json_str(st, "output", "");
	if (!*out || y >= end) return;
	grid_text(g, a.x, y, 8, ROLE_DIM, "output");
	/* The newest lines that fit. */
	int lines = 0;
	for (const char *p = out; *p; p++) lines += *p == '\n' && p[1];
	const char *p = out;
	for (int skip = lines + 1 - (end - y); skip > 0 && (p = strchr(p, '\n')); skip--) p++;
	if (p) draw_wrapped(g, (rect){a.x + 9, y, a.w - 9, end - y}, ROLE_INFO, p);
}

static int draw_people(grid *g, const scene *s, int y, const json_t *op)
{
	size_t i;
	json_t *a;
	char t[24];
	const json_t *q = json_object_get(op, "quorum");
	int x =
	    2 + grid_textf(g, 2, y, g->w - 4, wr_json_bool(q, "met", false) ? ROLE_OK : ROLE_SEV3,
	                   "%s approvals %lld of %lld",
	                   wr_json_bool(q, "met", false) ? grid_glyphs()->ok : grid_glyphs()->wait,
	                   (long long)wr_json_int(q, "have", 0), (long long)wr_json_int(q, "need", 2));
	json_array_foreach (json_object_get(op, "approvals"), i, a) {
		if (x > g->w - 20) break;
		bool valid = wr_json_bool(a, "valid", false);
		x += grid_textf(g, x, y, g->w - x - 2, valid ? ROLE_TEXT : ROLE_STALE, "   %s %s as %s",
		                wr_json_str(a, "principal", ""), wr_json_str(a, "decision", ""),
		                wr_json_str(a, "role", ""));
		if (!strcmp(wr_json_str(a, "assurance", ""), "shared_terminal"))
			x += grid_text(g, x, y, g->w - x - 2, ROLE_SEV3, " (shared terminal)");
		if (!op_over(op) && !strcmp(wr_json_str(a, "decision", ""), "approve"))
			x += grid_textf(g, x, y, g->w - x - 2, valid ? ROLE_DIM : ROLE_SEV2,
			                valid ? " %s left" : " expired",
			                fmt_clock(t, sizeof t, scene_ms(s, a, "expires_left_ms", false)));
	}
	if (!wr_json_bool(q, "met", false) && !op_over(op))
		grid_textf(g, x, y, g->w - x - 2, ROLE_SEV3, "   waiting for %s",
		           wr_json_str(q, "missing", ""));
	return 1;
}

static void draw_top(grid *g, const scene *s, const json_t *op)
{
	const char *state = wr_json_str(op, "state", "");
	char t[24], u[24], w[24];
	bool over = op_over(op), good = !strcmp(state, "completed");
	int64_t elapsed =
	    over ? wr_json_int(op, "elapsed_ms", -1) : scene_ms(s, op, "elapsed_ms", true);
	int64_t left =
	            over ? wr_json_int(op, "rto_left_ms", -1) : scene_ms(s, op, "rto_left_ms", false),
	        predicted = wr_json_int(op, "predicted_left_ms", 0);
	int x = 2 + grid_textf(g, 2, 3, g->w - 4, over ? (good ? ROLE_OK : ROLE_SEV2) : ROLE_ACCENT,
	                       "%s", state);
	if (elapsed >= 0)
		x += grid_textf(g, x, 3, g->w - x - 2, ROLE_TEXT, "   %s %s", over ? "took" : "since",
		                fmt_clock(t, sizeof t, elapsed));
	if (!over && predicted > 0)
		x += grid_textf(g, x, 3, g->w - x - 2, ROLE_TEXT, "   about %s to go",
		                fmt_clock(u, sizeof u, predicted));
	if (*wr_json_str(op, "impact_started", "") && wr_json_int(op, "rto_ms", 0) > 0)
		x += grid_textf(g, x, 3, g->w - x - 2, left < 0 ? ROLE_SEV1 : ROLE_OK,
		                left < 0 ? "   RTO MISSED by %s"
		                : over   ? "   RTO met with %s left"
		                         : "   RTO %s left",
		                fmt_clock(w, sizeof w, left < 0 ? -left : left));
	grid_textf(g, x, 3, g->w - x - 2, ROLE_DIM, "   words: %s", wr_json_str(op, "words", ""));
	const char *held = wr_json_str(op, "held_reason", ""),
	           *final = wr_json_str(op, "final_reason", "");
	if (!strcmp(state, "held"))
		grid_textf(g, 2, 4, g->w - 4, ROLE_SEV2, "%s HELD %s: %s", grid_glyphs()->pause,
		           wr_json_str(op, "held_rule", ""), held);
	else if (over && *final)
		grid_text(g, 2, 4, g->w - 4, good ? ROLE_TEXT : ROLE_SEV2, final);
	else
		grid_textf(g, 2, 4, g->w - 4, ROLE_DIM, "by %s: %s", wr_json_str(op, "proposer", ""),
		           wr_json_str(op, "reason", ""));
}

void view_operation_page(grid *g, const scene *s)
{
	view_header(g, s);
	const json_t *op = scene_operation(s), *steps = json_object_get(op, "steps");
	rect f = {0, 2, g->w, g->h - 3};
	char title[160];
	if (!op) {
		draw_box(g, f, ROLE_BORDER_FOCUS, "Operation");
		draw_wrapped(g, (rect){2, 4, g->w - 4, 3}, ROLE_DIM,
		             "No operation yet. f on the overview proposes a failover.");
		return;
	}
	snprintf(title, sizeof title, "Operation %s: %s %s %s %s", wr_json_str(op, "id", ""),
	         wr_json_str(op, "action", ""), wr_json_str(op, "from", ""), grid_glyphs()->arrow,
	         wr_json_str(op, "to", ""));
	draw_box(g, f, ROLE_BORDER_FOCUS, title);
	draw_top(g, s, op);
	draw_people(g, s, 5, op);
	draw_divider(g, f, 6, ROLE_BORDER_FOCUS, "Steps");
	int n = (int)json_array_size(steps), room = f.h - 6, detail = room > 20 ? 9 : 5;
	int list = room - detail - 1;
	if (list > n) {
		list = n;
		detail = room - list - 1;
	}
	int64_t cur = wr_json_int(op, "current", -1);
	int chosen = s->selected >= 0 && s->selected < n ? s->selected : cur >= 0 ? (int)cur : 0;
	if (s->selected < 0 && cur < 0 && n)
		for (int i = 0; i < n; i++)
			if (strcmp(wr_json_str(json_array_get(steps, (size_t)i), "state", ""), "waiting") != 0)
				chosen = i;
	int first = chosen >= list ? chosen - list + 1 : 0;
	for (int i = 0; i < list && first + i < n; i++)
		draw_step(g, s, (rect){2, 7 + i, g->w - 4, 1}, json_array_get(steps, (size_t)(first + i)),
		          first + i == chosen && s->selected >= 0);
	int y = 7 + list;
	snprintf(title, sizeof title, "Step %d: %s", chosen + 1,
	         wr_json_str(json_array_get(steps, (size_t)chosen), "name", ""));
	draw_divider(g, f, y, ROLE_BORDER_FOCUS, title);
	draw_detail(g, (rect){2, y + 1, g->w - 4, f.y + f.h - 1 - y - 1 - 1},
	            json_array_get(steps, (size_t)chosen));
	char text[256];
	role r = op_over(op) ? ROLE_DIM : scene_suggest(s, text, sizeof text);
	if (!op_over(op)) {
		int x = 2 + grid_text(g, 2, f.y + f.h - 2, g->w - 4, ROLE_HINT_KEY, "NOW: ");
		grid_text(g, x, f.y + f.h - 2, g->w - x - 2, r, text);
	}
}
