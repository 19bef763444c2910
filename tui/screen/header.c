/* header.c: the rows above every view: what and when, banners, impact and RTO. */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"
#include "warroom/clock.h"

/* The clock of the engine, running on. */
static void clock_text(const scene *s, char *out, size_t size)
{
	int64_t us;
	char text[WR_TIME_LEN];
	snprintf(out, size, "--:--:--");
	if (wr_time_parse(wr_json_str(s->state, "now", ""), &us, NULL) != 0) return;
	wr_time_format(text, us + s->clock_ms * 1000);
	if (strlen(text) > 19) snprintf(out, size, "%.8sZ", text + 11);
}

static void draw_title(grid *g, const scene *s)
{
	const json_t *inc = json_object_get(s->state, "incident");
	char clock[16];
	clock_text(s, clock, sizeof clock);
	int right = g->w - 1;
	grid_right(g, right - 9, 0, 9, s->connected ? ROLE_TEXT : ROLE_STALE, clock);
	right -= 11;
	if (s->read_only) {
		grid_text(g, right - 11, 0, 11, ROLE_MATCH, "[read-only]");
		right -= 13;
	}
	if (s->frozen) {
		grid_text(g, right - 8, 0, 8, ROLE_BANNER, " FROZEN ");
		right -= 10;
	}
	int x = 1 + grid_text(g, 1, 0, right, ROLE_TITLE, "warroom") + 2;
	x += grid_text(g, x, 0, right - x > 28 ? 28 : right - x, ROLE_TEXT,
	               wr_json_str(s->state, "platform", s->socket ? s->socket : "")) +
	     3;
	if (json_is_object(inc))
		grid_textf(g, x, 0, right - x, ROLE_SEV1, "%s %s", wr_json_str(inc, "id", ""),
		           wr_json_str(inc, "title", ""));
	else if (s->state)
		grid_text(g, x, 0, right - x, ROLE_DIM, "no incident");
}

static void banner(grid *g, int y, const char *text)
{
	grid_fill(g, (rect){0, y, g->w, 1}, ' ', ROLE_BANNER);
	grid_text(g, 1, y, g->w - 2, ROLE_BANNER, text);
}

static int draw_banners(grid *g, const scene *s, int y)
{
	const json_t *iso = json_object_get(s->state, "isolation");
	const char *own = wr_json_str(s->state, "banner", "");
	char text[800], t[24];
	if (!s->connected) {
		if (s->ever)
			snprintf(text, sizeof text, "ENGINE GONE for %s, this is old data: %s",
			         fmt_clock(t, sizeof t, s->stale_ms), s->error);
		else
			snprintf(text, sizeof text, "NO ENGINE YET: %s", s->error);
		banner(g, y++, text);
	}
	if (*own) {
		snprintf(text, sizeof text, "ENGINE: %s", own);
		banner(g, y++, text);
	}
	if (wr_json_bool(iso, "isolated", false)) {
		snprintf(text, sizeof text, "IT COULD BE US: %s is isolated (%s); nothing is declared DOWN",
		         wr_json_str(s->state, "observer", "this observer"),
		         wr_json_str(iso, "reason", ""));
		banner(g, y++, text);
	}
	return y;
}

static void draw_loss(grid *g, const scene *s, int x, int y, const char *label)
{
	const json_t *loss = json_object_get(s->state, "loss");
	char text[400];
	int right = g->w - 1;
	if (right - x < 24) return;
	if (right - x < 50) label = "lose now: ";
	x += grid_text(g, x, y, right - x, ROLE_DIM, label);
	loss_text(loss, right - x, text, sizeof text);
	grid_text(g, x, y, right - x, loss_role(loss), text);
}

/* No incident: is all well, or is something brewing? */
static void draw_quiet(grid *g, const scene *s, int y)
{
	static const char *const order[] = {"DOWN", "SUSPECT", "DEGRADED", "UNKNOWN"};
	size_t i;
	json_t *r;
	char t[24];
	int x = 1;
	for (size_t k = 0; k < sizeof order / sizeof *order && x == 1; k++)
		json_array_foreach (json_object_get(s->state, "regions"), i, r)
			if (x == 1 && is(r, "verdict", order[k]))
				x += grid_textf(g, x, y, g->w - x, verdict_role(order[k]), "%s %s %s for %s",
				                verdict_glyph(order[k]), wr_json_str(r, "name", "?"), order[k],
				                fmt_clock(t, sizeof t, scene_clock(s, r, "since_ms", true)));
	if (x == 1) x += grid_textf(g, x, y, g->w - x, ROLE_OK, "%s all quiet", grid_glyphs()->ok);
	draw_loss(g, s, x + 3, y, "a move now would lose: ");
}

/* The move that ended the impact of this incident, or NULL while it goes on. */
static const json_t *ending(const scene *s, const json_t *inc)
{
	size_t i;
	json_t *op;
	const json_t *primary = scene_primary(s);
	if (!primary || !is(primary, "verdict", "HEALTHY")) return NULL;
	json_array_foreach (json_object_get(s->state, "operations"), i, op)
		if (is(op, "state", "completed") && *wr_json_str(op, "impact_started", "") &&
		    strcmp(wr_json_str(op, "finished", ""), wr_json_str(inc, "started", "")) > 0)
			return op;
	return NULL;
}

static void draw_impact(grid *g, const scene *s, int y, const json_t *inc)
{
	const json_t *rto = json_object_get(s->state, "rto"), *end = ending(s, inc);
	char t[24];
	int x = 1, bar = g->w < 90 ? 8 : g->w < 120 ? 12 : 20;
	if (end) {
		x = draw_rto(g, s, x, y, g->w - 1, end) + 3;
		draw_loss(g, s, x, y, "lose now: ");
		return;
	}
	int64_t target = num(rto, "target_ms", -1), left = scene_clock(s, rto, "left_ms", false);
	x += grid_text(g, x, y, g->w - x, ROLE_DIM, "impact ");
	x += grid_text(g, x, y, g->w - x, ROLE_SEV1,
	               fmt_clock(t, sizeof t, scene_clock(s, inc, "impact_ms", true))) +
	     2;
	if (target > 0) {
		role r = left < 0            ? ROLE_SEV1
		         : left < target / 4 ? ROLE_SEV2
		         : left < target / 2 ? ROLE_SEV3
		                             : ROLE_OK;
		x += grid_text(g, x, y, g->w - x, ROLE_DIM, "RTO ");
		draw_meter(g, x, y, bar, 1.0 - (double)left / (double)target, r, ROLE_DIM);
		x += bar + 1;
		x += grid_textf(g, x, y, g->w - x, r, left < 0 ? "MISSED by %s" : "%s left",
		                fmt_clock(t, sizeof t, left < 0 ? -left : left)) +
		     2;
	}
	draw_loss(g, s, x, y, "lose now: ");
}

int view_header(grid *g, const scene *s)
{
	const json_t *inc = json_object_get(s->state, "incident");
	draw_title(g, s);
	int y = draw_banners(g, s, 1);
	if (!s->state) return y;
	if (json_is_object(inc))
		draw_impact(g, s, y, inc);
	else
		draw_quiet(g, s, y);
	if (!s->connected) grid_fade(g, (rect){0, y, g->w, 1});
	return y + 1;
}

int header_rows(const scene *s)
{
	bool isolated = wr_json_bool(json_object_get(s->state, "isolation"), "isolated", false);
	return 1 + !s->connected + (*wr_json_str(s->state, "banner", "") != '\0') + isolated +
	       (s->state != NULL);
}
