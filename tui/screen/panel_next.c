/* panel_next.c: what can be done and why not, or what is being done. */
#include <stdio.h>
#include <string.h>

#include "screen/panels.h"

/* Is the target ready? The guard table in a few words: the worst of each kind. */
static void draw_readiness(grid *g, int y, const json_t *a)
{
	static const struct {
		const char *guard, *label;
	} kinds[] = {{"target_healthy", "health"}, {"lag", "lag"},
	             {"capacity", "capacity"},     {"quota", "quota"},
	             {"residency", "residency"},   {"keys", "keys"},
	             {"build", "build"},           {"backup", "backup"}};
	int x = 2, right = g->w - 2;
	x += grid_textf(g, x, y, 22, ROLE_DIM, "%s ready? ", wr_json_str(a, "to", "target"));
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		size_t i, n = strlen(kinds[k].guard);
		json_t *row;
		const json_t *worst = NULL;
		json_array_foreach (json_object_get(a, "guards"), i, row) {
			const char *name = wr_json_str(row, "name", "");
			if (strncmp(name, kinds[k].guard, n) != 0 || (name[n] && name[n] != ':')) continue;
			if (!worst || is(worst, "verdict", "PASS")) worst = row;
		}
		if (!worst || (!wr_json_bool(worst, "blocking", true) && !is(worst, "verdict", "FAIL")))
			continue;
		int need = grid_width(kinds[k].label, 20) + 2;
		if (x + need > right) return;
		x += grid_text(g, x, y, right - x, ROLE_DIM, kinds[k].label) + 1;
		x += grid_text(g, x, y, right - x, guard_role(worst), guard_glyph(worst)) + 1;
	}
}

static int draw_blockers(grid *g, const scene *s, int y, int rows, const json_t *a)
{
	const json_t *primary = scene_primary(s);
	bool calm = primary && is(primary, "verdict", "HEALTHY") && is(a, "action", "failover");
	size_t i;
	json_t *row;
	int line = 0, more = 0;
	json_array_foreach (json_object_get(a, "guards"), i, row) {
		if (!wr_json_bool(row, "blocking", true) || is(row, "verdict", "PASS")) continue;
		/* That one is under way is said above. */
		if (scene_active(s) && is(row, "name", "one_operation")) continue;
		if (line >= rows) {
			more++;
			continue;
		}
		const char *flip = wr_json_str(row, "flip", "");
		int x = 2 + grid_textf(g, 2, y + line, g->w - 4, calm ? ROLE_DIM : guard_role(row),
		                       "%s %s: %s", guard_glyph(row), wr_json_str(row, "name", ""),
		                       wr_json_str(row, "observed", ""));
		if (*flip && g->w - 4 - x > 16)
			grid_textf(g, x, y + line, g->w - 4 - x, ROLE_DIM, "; needs: %s", flip);
		line++;
	}
	if (more && line) grid_textf(g, g->w - 12, y + line - 1, 10, ROLE_DIM, " +%d more", more);
	return line;
}

static void draw_action(grid *g, const scene *s, int y, int rows, const json_t *a)
{
	int64_t blocking = num(a, "blocking", 0);
	int x =
	    2 + grid_textf(g, 2, y, g->w - 4, ROLE_TEXT, "%s %s %s %s", wr_json_str(a, "action", ""),
	                   wr_json_str(a, "from", ""), grid_glyphs()->arrow, wr_json_str(a, "to", ""));
	x += grid_textf(g, x, y, g->w - 2 - x, ROLE_DIM, "   %lld of %lld guards hold, ",
	                (long long)num(a, "passed", 0), (long long)num(a, "total", 0));
	if (blocking)
		grid_textf(g, x, y, g->w - 2 - x, ROLE_SEV3, "%lld block", (long long)blocking);
	else
		grid_textf(g, x, y, g->w - 2 - x, ROLE_OK, "none blocks %s", grid_glyphs()->ok);
	if (rows < 2) return;
	draw_readiness(g, y + 1, a);
	int used = 2 + draw_blockers(g, s, y + 2, rows - 2, a);
	const json_t *last = json_array_get(json_object_get(s->state, "operations"), 0);
	if (last && used < rows)
		grid_textf(g, 2, y + rows - 1, g->w - 4, ROLE_DIM, "last: %s %s %s at %.8s, %s",
		           wr_json_str(last, "id", ""), wr_json_str(last, "action", ""),
		           wr_json_str(last, "state", ""), time_of(last, "finished"),
		           wr_json_str(last, "final_reason", ""));
}

static const char *last_line(const char *text, char *out, size_t size)
{
	size_t n = strlen(text);
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' ')) n--;
	size_t from = n;
	while (from && text[from - 1] != '\n') from--;
	snprintf(out, size, "%.*s", (int)(n - from > 500 ? 500 : n - from), text + from);
	return out;
}

/* The step that runs, and below it what it asks or the last that it said. Returns the rows used. */
static int draw_step_now(grid *g, const scene *s, int y, int rows, const json_t *st)
{
	char t[24], u[24], line[512];
	role r;
	const char *glyph = step_glyph(wr_json_str(st, "state", ""), &r);
	int64_t usual = num(st, "usual_ms", 0), spent = scene_clock(s, st, "elapsed_ms", true);
	int x = 2 + grid_textf(g, 2, y, 40, r, "%s %s %s", glyph, wr_json_str(st, "name", ""),
	                       is(st, "state", "running") ? "" : wr_json_str(st, "state", ""));
	if (spent >= 0)
		x += grid_textf(g, x, y, g->w - 2 - x,
		                usual > 0 && spent > 2 * usual ? ROLE_SEV3 : ROLE_TEXT, " %s",
		                fmt_clock(t, sizeof t, spent));
	if (usual > 0)
		x += grid_textf(g, x, y, g->w - 2 - x, ROLE_DIM, " of usually %s",
		                fmt_short(u, sizeof u, usual));
	const json_t *gate = json_object_get(st, "gate");
	if (gate)
		grid_textf(g, x, y, g->w - 2 - x, ROLE_INFO, "   %s: %s", wr_json_str(gate, "verdict", ""),
		           wr_json_str(gate, "text", ""));
	else
		grid_textf(g, x, y, g->w - 2 - x, ROLE_DIM, "   %s", wr_json_str(st, "why", ""));
	const char *error = wr_json_str(st, "error", ""), *ask = wr_json_str(st, "ask", "");
	if (*ask) return 1 + draw_wrapped(g, (rect){4, y + 1, g->w - 6, rows - 1}, ROLE_SEV3, ask);
	last_line(*error ? error : wr_json_str(st, "output", ""), line, sizeof line);
	if (rows < 2 || !*line) return 1;
	grid_text(g, 4, y + 1, g->w - 6, *error ? ROLE_SEV2 : ROLE_INFO, line);
	return 2;
}

static void draw_operation(grid *g, const scene *s, int y, int rows, const json_t *op)
{
	const json_t *steps = json_object_get(op, "steps");
	char t[24];
	size_t done = 0, i, n = json_array_size(steps);
	json_t *st;
	json_array_foreach (steps, i, st) done += is(st, "state", "done") || is(st, "state", "skipped");
	int64_t current = num(op, "current", -1), spent = scene_clock(s, op, "elapsed_ms", true);
	int x =
	    2 + grid_textf(g, 2, y, g->w - 4, ROLE_TEXT, "%s %s %s %s %s", wr_json_str(op, "id", ""),
	                   wr_json_str(op, "action", ""), wr_json_str(op, "from", ""),
	                   grid_glyphs()->arrow, wr_json_str(op, "to", ""));
	x += grid_textf(g, x, y, g->w - 2 - x, is(op, "state", "held") ? ROLE_SEV2 : ROLE_ACCENT,
	                "   %s", wr_json_str(op, "state", ""));
	x += grid_textf(g, x, y, g->w - 2 - x, ROLE_DIM, "   %zu of %zu steps%s%s", done, n,
	                spent >= 0 ? ", " : "", spent >= 0 ? fmt_clock(t, sizeof t, spent) : "");
	if (g->w - x > 16 && n)
		draw_meter(g, x + 2, y, g->w - x - 5 > 24 ? 24 : g->w - x - 5, (double)done / (double)n,
		           ROLE_ACCENT, ROLE_DIM);
	int line = 1;
	const json_t *now = current >= 0 ? json_array_get(steps, (size_t)current) : NULL;
	if (now) {
		line += draw_step_now(g, s, y + line, rows - line > 3 ? rows - line - 2 : 1, now);
	} else if (line < rows) {
		grid_textf(g, 2, y + line++, g->w - 4, ROLE_TEXT, "read aloud: %s",
		           wr_json_str(op, "words", ""));
	}
	if (line < rows && draw_rto(g, s, 2, y + line, g->w - 2, op) > 2) line++;
	if (line < rows) draw_approvals(g, s, 2, y + line++, g->w - 2, op);
	if (line < rows && !now) draw_blockers(g, s, y + line, rows - line, scene_action(s));
}

void panel_next(grid *g, const scene *s, int y, int rows)
{
	const json_t *op = scene_active(s), *a = scene_action(s);
	if (op)
		draw_operation(g, s, y, rows - 1, op);
	else if (a)
		draw_action(g, s, y, rows - 1, a);
	draw_now(g, s, 2, y + rows - 1, g->w - 4);
}

int panel_next_rows(const scene *s, int most)
{
	const json_t *op = scene_active(s), *a = scene_action(s), *steps = json_object_get(op, "steps");
	int blocking = (int)num(a, "blocking", 0);
	int64_t current = num(op, "current", -1);
	const json_t *now = current >= 0 ? json_array_get(steps, (size_t)current) : NULL;
	if (op) return 6 + (*wr_json_str(now, "ask", "") != '\0');
	if (!a) return 1;
	return 3 + (blocking > most ? most : blocking) +
	       (json_array_size(json_object_get(s->state, "operations")) > 0);
}
