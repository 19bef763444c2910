/* parts.c: what several views say in the same words: severities as role and glyph, the loss,
 * approvals, the RTO of an operation, the list's title. */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"

rect view_frame(const grid *g, int top)
{
	return (rect){0, top, g->w, g->h - 1 - top};
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

role guard_role(const json_t *row)
{
	if (is(row, "verdict", "PASS")) return ROLE_OK;
	if (!wr_json_bool(row, "blocking", true)) return ROLE_DIM;
	return is(row, "verdict", "FAIL") ? ROLE_SEV1 : ROLE_UNKNOWN;
}

const char *guard_glyph(const json_t *row)
{
	const glyphs *gl = grid_glyphs();
	if (is(row, "verdict", "PASS")) return gl->ok;
	return is(row, "verdict", "FAIL") ? gl->bad : gl->none;
}

const char *step_glyph(const char *state, role *r)
{
	const glyphs *gl = grid_glyphs();
	const struct {
		const char *state, *glyph;
		role r;
	} rows[] = {{"done", gl->ok, ROLE_OK},        {"running", gl->run, ROLE_ACCENT},
	            {"failed", gl->bad, ROLE_SEV1},   {"uncertain", gl->none, ROLE_SEV2},
	            {"skipped", gl->skip, ROLE_DIM},  {"undoing", gl->undo, ROLE_SEV3},
	            {"undone", gl->undo, ROLE_STALE}, {"undo_failed", gl->bad, ROLE_SEV1},
	            {"probing", gl->none, ROLE_SEV3}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (!strcmp(state, rows[i].state)) {
			*r = rows[i].r;
			return rows[i].glyph;
		}
	*r = ROLE_DIM;
	return gl->wait;
}

void loss_text(const json_t *loss, int width, char *out, size_t size)
{
	snprintf(out, size, "%s", wr_json_str(loss, "text", "unknown"));
	char *aside = strstr(out, " (");
	if (aside && grid_width(out, width) > width) *aside = '\0';
}

role loss_role(const json_t *loss)
{
	if (!wr_json_bool(loss, "known", false)) return ROLE_UNKNOWN;
	return wr_json_bool(loss, "stale", false) ? ROLE_SEV3 : ROLE_TEXT;
}

int draw_approvals(grid *g, const scene *s, int x, int y, int right, const json_t *op)
{
	const json_t *q = json_object_get(op, "quorum");
	bool met = wr_json_bool(q, "met", false), over = op_over(op);
	char t[24];
	size_t i;
	json_t *a;
	x += grid_textf(g, x, y, right - x, met ? ROLE_OK : ROLE_SEV3, "%s %lld of %lld approved",
	                met ? grid_glyphs()->ok : grid_glyphs()->wait, (long long)num(q, "have", 0),
	                (long long)num(q, "need", 2));
	if (!met && !over)
		x += grid_textf(g, x, y, right - x, ROLE_SEV3, ", waiting for %s",
		                wr_json_str(q, "missing", "another person"));
	json_array_foreach (json_object_get(op, "approvals"), i, a) {
		bool deny = is(a, "decision", "deny"), valid = wr_json_bool(a, "valid", false);
		if ((!deny && !is(a, "decision", "approve")) || right - x < 8) continue;
		x += grid_textf(g, x, y, right - x,
		                deny    ? ROLE_SEV1
		                : valid ? ROLE_TEXT
		                        : ROLE_STALE,
		                "   %s%s (%s%s)", deny ? "DENIED by " : "", wr_json_str(a, "principal", ""),
		                wr_json_str(a, "role", ""),
		                is(a, "assurance", "shared_terminal") ? ", same terminal" : "");
		if (deny || over) continue;
		const char *left = fmt_clock(t, sizeof t, scene_clock(s, a, "expires_left_ms", false));
		x += grid_textf(g, x, y, right - x, valid ? ROLE_DIM : ROLE_SEV2, " %s%s",
		                valid ? left : "expired", valid && g->w >= 100 ? " left" : "");
	}
	return x;
}

/* Of an operation that impact preceded: how long the impact lasted, and what that means. */
static int draw_rto_met(grid *g, int x, int y, int right, int64_t limit, int64_t left)
{
	char t[24], u[24], v[24];
	if (left >= 0)
		return x +
		       grid_textf(g, x, y, right - x, ROLE_OK,
		                  g->w < 100 ? "%s RTO met: %s of %s" : "%s RTO met: %s of %s, %s to spare",
		                  grid_glyphs()->ok, fmt_clock(t, sizeof t, limit - left),
		                  fmt_clock(u, sizeof u, limit), fmt_clock(v, sizeof v, left));
	return x + grid_textf(g, x, y, right - x, ROLE_SEV1, "%s RTO MISSED by %s: %s of %s",
	                      grid_glyphs()->bad, fmt_clock(t, sizeof t, -left),
	                      fmt_clock(u, sizeof u, limit - left), fmt_clock(v, sizeof v, limit));
}

int draw_rto(grid *g, const scene *s, int x, int y, int right, const json_t *op)
{
	bool over = op_over(op), impact = *wr_json_str(op, "impact_started", "") != '\0';
	int64_t limit = num(op, "rto_ms", 0), ahead = num(op, "predicted_left_ms", 0);
	char t[24], u[24];
	if (!impact || limit <= 0)
		return over || ahead <= 0 ? x
		                          : x + grid_textf(g, x, y, right - x, ROLE_TEXT, "about %s to go",
		                                           fmt_clock(t, sizeof t, ahead));
	int64_t left = num(op, "rto_left_ms", 0);
	if (over) return draw_rto_met(g, x, y, right, limit, left);
	left -= s->clock_ms;
	int64_t spent = limit - left;
	role r = left < 0 ? ROLE_SEV1 : left < ahead ? ROLE_SEV2 : ROLE_OK;
	int bar = right - x > 70 ? 16 : 10;
	x += grid_text(g, x, y, right - x, ROLE_DIM, "RTO ");
	draw_meter2(g, x, y, bar, (double)spent / (double)limit, (double)ahead / (double)limit, r,
	            ROLE_INFO, ROLE_DIM);
	x += bar + 1;
	x += grid_textf(g, x, y, right - x, r, left < 0 ? "MISSED by %s" : "%s left",
	                fmt_clock(t, sizeof t, left < 0 ? -left : left));
	if (ahead > 0)
		x += grid_textf(g, x, y, right - x, left >= 0 && left < ahead ? ROLE_SEV2 : ROLE_TEXT,
		                left >= 0 && left < ahead ? ", about %s to go: TOO LATE"
		                                          : ", about %s to go",
		                fmt_clock(u, sizeof u, ahead));
	return x;
}

void list_title(const scene *s, size_t shown, char *out, size_t size, const char *title)
{
	if (s->filter[0])
		snprintf(out, size, "%s  /%s: %zu", title, s->filter, shown);
	else
		snprintf(out, size, "%s", title);
}
