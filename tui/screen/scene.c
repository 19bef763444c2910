/* scene.c: what views share: finding things in the state, running clocks, the header, the
 * suggestion. */
#include "screen/scene.h"

#include <stdio.h>
#include <string.h>

#include "screen/actions.h"
#include "warroom/clock.h"
#include "warroom/text.h"

bool op_over(const json_t *op)
{
	static const char *const open[] = {"proposed", "approved", "running", "held", "rolling_back"};
	const char *state = wr_json_str(op, "state", "");
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		if (!strcmp(state, open[i])) return false;
	return true;
}

const json_t *scene_active(const scene *s)
{
	size_t i;
	json_t *op;
	json_array_foreach (json_object_get(s->state, "operations"), i, op)
		if (!op_over(op)) return op;
	return NULL;
}

const json_t *scene_operation(const scene *s)
{
	size_t i;
	json_t *op;
	const json_t *list = json_object_get(s->state, "operations");
	json_array_foreach (list, i, op)
		if (s->operation_id[0] && !strcmp(wr_json_str(op, "id", ""), s->operation_id)) return op;
	const json_t *active = scene_active(s);
	return active ? active : json_array_get(list, 0);
}

const json_t *scene_action(const scene *s)
{
	const json_t *list = json_object_get(s->state, "actions");
	size_t n = json_array_size(list);
	return n ? json_array_get(list, (size_t)s->action % n) : NULL;
}

int64_t scene_ms(const scene *s, const json_t *obj, const char *key, bool up)
{
	int64_t v = wr_json_int(obj, key, -1);
	if (up) return v < 0 ? v : v + s->skew_ms;
	return v == -1 ? v : v - s->skew_ms;
}

role verdict_role(const char *v)
{
	if (!strcmp(v, "DOWN")) return ROLE_SEV1;
	if (!strcmp(v, "SUSPECT")) return ROLE_SEV2;
	if (!strcmp(v, "DEGRADED")) return ROLE_SEV3;
	if (!strcmp(v, "HEALTHY")) return ROLE_OK;
	return ROLE_UNKNOWN;
}

const char *verdict_glyph(const char *v)
{
	const glyphs *gl = grid_glyphs();
	if (!strcmp(v, "DOWN")) return gl->bad;
	if (!strcmp(v, "SUSPECT") || !strcmp(v, "DEGRADED")) return gl->warn;
	if (!strcmp(v, "HEALTHY")) return gl->dot;
	return gl->none;
}

int draw_wrapped(grid *g, rect a, role r, const char *text)
{
	int lines = 0;
	const char *p = text;
	while (*p && lines < a.h) {
		const char *q = p, *cut = NULL, *end = p + strlen(p);
		int cols = 0;
		while (q < end && *q != '\n') {
			const char *before = q;
			int w = wr_cp_width(wr_utf8_next(&q, end));
			if (cols + w > a.w) {
				q = before;
				break;
			}
			cols += w;
			if (*before == ' ') cut = before;
		}
		if (q < end && *q != '\n' && cut && cut > p) q = cut;
		char line[1024];
		size_t n = (size_t)(q - p) < sizeof line - 1 ? (size_t)(q - p) : sizeof line - 1;
		memcpy(line, p, n);
		line[n] = '\0';
		grid_text(g, a.x, a.y + lines, a.w, r, line);
		lines++;
		p = q;
		if (*p == '\n' || *p == ' ') p++;
	}
	return lines;
}

/* The clock of the engine, running on. "2026-…T12:45:30.1Z" to "12:45:30Z". */
static void clock_text(const scene *s, char *out, size_t size)
{
	int64_t us;
	char text[WR_TIME_LEN];
	snprintf(out, size, "--:--:--");
	if (wr_time_parse(wr_json_str(s->state, "now", ""), &us, NULL) != 0) return;
	wr_time_format(text, us + s->skew_ms * 1000);
	snprintf(out, size, "%.8sZ", text + 11);
}

static void draw_gone(grid *g, const scene *s)
{
	char age[24];
	grid_fill(g, (rect){0, 1, g->w, 1}, ' ', ROLE_BANNER);
	if (s->ever)
		grid_textf(g, 1, 1, g->w - 2, ROLE_BANNER,
		           "ENGINE GONE for %s: this is old data; reconnecting by itself.  %s",
		           fmt_clock(age, sizeof age, s->stale_ms), s->error);
	else
		grid_textf(g, 1, 1, g->w - 2, ROLE_BANNER, "NO ENGINE: %s", s->error);
}

static void draw_impact(grid *g, const scene *s)
{
	const json_t *inc = json_object_get(s->state, "incident"),
	             *rto = json_object_get(s->state, "rto"), *loss = json_object_get(s->state, "loss");
	const json_t *iso = json_object_get(s->state, "isolation");
	const char *banner = wr_json_str(s->state, "banner", "");
	char t[24];
	int x = 1;
	if (*banner || wr_json_bool(iso, "isolated", false)) {
		grid_fill(g, (rect){0, 1, g->w, 1}, ' ', ROLE_BANNER);
		if (*banner)
			grid_text(g, 1, 1, g->w - 2, ROLE_BANNER, banner);
		else
			grid_textf(g, 1, 1, g->w - 2, ROLE_BANNER,
			           "IT COULD BE US: the observer is isolated (%s); nothing is declared DOWN",
			           wr_json_str(iso, "reason", ""));
		return;
	}
	if (!json_is_object(inc)) {
		x += grid_textf(g, x, 1, g->w - x, ROLE_OK, "%s all quiet", grid_glyphs()->ok) + 3;
		if (json_is_object(loss))
			grid_textf(g, x, 1, g->w - x - 1, ROLE_DIM, "a move now would lose: %s",
			           wr_json_str(loss, "text", "unknown"));
		return;
	}
	int64_t target = wr_json_int(rto, "target_ms", -1), left = scene_ms(s, rto, "left_ms", false);
	x += grid_text(g, x, 1, g->w - x, ROLE_DIM, "impact ");
	x += grid_text(g, x, 1, g->w - x, ROLE_SEV1,
	               fmt_clock(t, sizeof t, scene_ms(s, inc, "impact_ms", true))) +
	     3;
	x += grid_text(g, x, 1, g->w - x, ROLE_DIM, "RTO ");
	role r = left < 0            ? ROLE_SEV1
	         : left < target / 4 ? ROLE_SEV2
	         : left < target / 2 ? ROLE_SEV3
	                             : ROLE_OK;
	draw_meter(g, x, 1, 12, target > 0 ? 1.0 - (double)left / (double)target : 0, r, ROLE_DIM);
	x += 13;
	x += grid_textf(g, x, 1, g->w - x, r, left < 0 ? "MISSED by %s" : "%s left",
	                fmt_clock(t, sizeof t, left < 0 ? -left : left)) +
	     3;
	x += grid_text(g, x, 1, g->w - x - 1, ROLE_DIM, "lose now: ");
	grid_text(g, x, 1, g->w - x - 1, wr_json_bool(loss, "known", false) ? ROLE_TEXT : ROLE_UNKNOWN,
	          json_is_object(loss) ? wr_json_str(loss, "text", "unknown") : "unknown");
}

void view_header(grid *g, const scene *s)
{
	const json_t *inc = json_object_get(s->state, "incident");
	char clock[16];
	clock_text(s, clock, sizeof clock);
	int x = 1;
	x += grid_text(g, x, 0, g->w - x, ROLE_TITLE, "warroom") + 2;
	x += grid_text(g, x, 0, 24, ROLE_TEXT,
	               wr_json_str(s->state, "platform", s->socket ? s->socket : "")) +
	     3;
	int room = g->w - x - 12;
	if (json_is_object(inc))
		grid_textf(g, x, 0, room, ROLE_SEV1, "%s %s", wr_json_str(inc, "id", ""),
		           wr_json_str(inc, "title", ""));
	else if (s->state)
		grid_text(g, x, 0, room, ROLE_DIM, "no incident");
	grid_text(g, g->w - 10, 0, 9, s->connected ? ROLE_TEXT : ROLE_STALE, clock);
	if (s->frozen) grid_text(g, g->w - 18, 0, 7, ROLE_BANNER, " FROZEN");
	if (!s->connected)
		draw_gone(g, s);
	else if (s->state)
		draw_impact(g, s);
}

static role suggest_operation(const json_t *op, char *out, size_t size)
{
	const char *state = wr_json_str(op, "state", ""), *id = wr_json_str(op, "id", "");
	const json_t *q = json_object_get(op, "quorum");
	size_t i;
	json_t *st;
	json_array_foreach (json_object_get(op, "steps"), i, st) {
		if (!strcmp(wr_json_str(st, "state", ""), "uncertain") && !strcmp(state, "held")) {
			snprintf(out, size,
			         "step %s may or may not have happened: look, then press u; two people rule",
			         wr_json_str(st, "name", ""));
			return ROLE_SEV2;
		}
		if (!strcmp(wr_json_str(st, "state", ""), "running") &&
		    !strcmp(wr_json_str(st, "kind", ""), "manual")) {
			snprintf(out, size, "press t when it is done: %s", wr_json_str(st, "ask", ""));
			return ROLE_SEV3;
		}
	}
	if (!strcmp(state, "proposed") && !wr_json_bool(q, "met", false)) {
		snprintf(out, size, "press a to approve %s: %lld of %lld, waiting for %s", id,
		         (long long)wr_json_int(q, "have", 0), (long long)wr_json_int(q, "need", 2),
		         wr_json_str(q, "missing", "another person"));
		return ROLE_SEV3;
	}
	if (!strcmp(state, "proposed") || !strcmp(state, "approved")) {
		snprintf(out, size,
		         "%s is approved and starts when every guard passes; w says which does not", id);
		return ROLE_SEV3;
	}
	if (!strcmp(state, "held")) {
		bool met = wr_json_bool(q, "met", true);
		snprintf(out, size, "%s is held: %s; press %s", id, wr_json_str(op, "held_reason", ""),
		         met ? "r to go on, x to undo" : "a to approve again, x to undo");
		return ROLE_SEV2;
	}
	snprintf(out, size, "%s is %s; o shows each step, h holds, x undoes", id,
	         !strcmp(state, "rolling_back") ? "rolling back" : "running");
	return ROLE_INFO;
}

role scene_suggest(const scene *s, char *out, size_t size)
{
	const json_t *op = scene_active(s), *act = scene_action(s),
	             *regions = json_object_get(s->state, "regions");
	if (op) return suggest_operation(op, out, size);
	if (!act) {
		snprintf(out, size, "no action is a candidate: there is no runbook for one");
		return ROLE_DIM;
	}
	const char *kind = wr_json_str(act, "action", "");
	bool possible = wr_json_bool(act, "possible", false), failback = !strcmp(kind, "failback");
	size_t i;
	json_t *r;
	const char *primary = "HEALTHY";
	json_array_foreach (regions, i, r)
		if (!strcmp(wr_json_str(r, "role", ""), "primary")) primary = wr_json_str(r, "verdict", "");
	if (possible) {
		snprintf(out, size, "press %s to propose the %s %s %s %s", failback ? "b" : "f", kind,
		         wr_json_str(act, "from", ""), grid_glyphs()->arrow, wr_json_str(act, "to", ""));
		return ROLE_SEV3;
	}
	if (failback) {
		snprintf(out, size, "away from home; failback waits: %s", wr_json_str(act, "reason", ""));
		return ROLE_INFO;
	}
	if (!strcmp(primary, "HEALTHY")) {
		snprintf(out, size, "nothing to do: the primary is healthy");
		return ROLE_OK;
	}
	snprintf(out, size, "not yet: %s", wr_json_str(act, "reason", ""));
	return ROLE_SEV2;
}

void scene_draw(grid *g, const scene *s)
{
	grid_clear(g);
	if (g->w < MIN_W || g->h < MIN_H) {
		char need[96];
		snprintf(need, sizeof need, "warroom needs %dx%d; this is %dx%d. q quits.", MIN_W, MIN_H,
		         g->w, g->h);
		draw_wrapped(g, (rect){0, 0, g->w, g->h - 1}, ROLE_TEXT, need);
		char t[128];
		if (s->state && g->h > 4) {
			role r = scene_suggest(s, t, sizeof t);
			draw_wrapped(g, (rect){0, 3, g->w, g->h - 3}, r, t);
		}
		return;
	}
	switch (s->view) {
	case VIEW_OPERATION:
		view_operation_page(g, s);
		break;
	case VIEW_WHY:
		view_why(g, s);
		break;
	case VIEW_RECEIPTS:
		view_receipts(g, s);
		break;
	case VIEW_HELP:
		view_help(g, s);
		break;
	case VIEW_WELCOME:
		view_welcome(g, s);
		break;
	default:
		view_overview(g, s);
		break;
	}
	draw_hints(g, s);
	if (s->message && *s->message) {
		grid_fill(g, (rect){0, g->h - 1, g->w, 1}, ' ', ROLE_TEXT);
		grid_text(g, 1, g->h - 1, g->w - 2, s->message_bad ? ROLE_SEV2 : ROLE_OK, s->message);
	}
}
