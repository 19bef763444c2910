/* suggest.c: the line that begins with NOW: what the screen would do next. */
#include <stdio.h>
#include <string.h>

#include "screen/scene.h"

static role suggest_waiting(const scene *s, const json_t *op, char *out, size_t size)
{
	const json_t *q = json_object_get(op, "quorum");
	const char *id = wr_json_str(op, "id", ""),
	           *missing = wr_json_str(q, "missing", "another person");
	if (wr_json_bool(q, "met", false)) {
		snprintf(out, size, "%s is approved; it starts when no guard blocks. w says which does",
		         id);
		return ROLE_SEV3;
	}
	snprintf(out, size, s->read_only ? "%s waits for %s" : "press a to approve %s: waiting for %s",
	         id, missing);
	return ROLE_SEV3;
}

static role suggest_held(const scene *s, const json_t *op, char *out, size_t size)
{
	const json_t *unsure = step_in(op, "uncertain", NULL);
	const char *id = wr_json_str(op, "id", ""), *keys = "";
	bool met = wr_json_bool(json_object_get(op, "quorum"), "met", true);
	if (!s->read_only) keys = met ? "; r goes on, x undoes" : "; a approves again, x undoes";
	if (unsure)
		snprintf(out, size, "did %s happen? Look at the platform%s",
		         wr_json_str(unsure, "name", ""),
		         s->read_only ? "" : ", then press u: two people rule");
	else
		snprintf(out, size, "%s is held%s: %s", id, keys, wr_json_str(op, "held_reason", ""));
	return ROLE_SEV2;
}

static role suggest_operation(const scene *s, const json_t *op, char *out, size_t size)
{
	const json_t *manual = step_in(op, "running", "manual");
	const char *id = wr_json_str(op, "id", "");
	if (is(op, "state", "held")) return suggest_held(s, op, out, size);
	if (manual) {
		snprintf(out, size, "%s%s", wr_json_str(manual, "name", ""),
		         s->read_only ? " waits for a person" : " waits for you: press t when it is done");
		return ROLE_SEV3;
	}
	if (is(op, "state", "proposed") || is(op, "state", "approved"))
		return suggest_waiting(s, op, out, size);
	bool back = is(op, "state", "rolling_back");
	snprintf(out, size, "%s is %s%s", id, back ? "rolling back" : "running",
	         s->read_only ? ""
	         : back       ? ": h holds it"
	                      : ": watch it; h holds, x undoes");
	return ROLE_INFO;
}

/* The panel lists the guards that block: here, which comes first and how many more. */
static void name_blockers(const json_t *a, char *out, size_t size)
{
	const char *first = "";
	int more = -1;
	size_t i;
	json_t *row;
	json_array_foreach (json_object_get(a, "guards"), i, row)
		if (wr_json_bool(row, "blocking", true) && !is(row, "verdict", "PASS") && ++more == 0)
			first = wr_json_str(row, "name", "");
	if (more > 0)
		snprintf(out, size, "%.60s and %d more block", first, more);
	else
		snprintf(out, size, "%.60s blocks", first);
}

static role suggest_action(const scene *s, const json_t *a, char *out, size_t size)
{
	const json_t *primary = scene_primary(s);
	const char *kind = wr_json_str(a, "action", "");
	bool back = !strcmp(kind, "failback"), well = primary && is(primary, "verdict", "HEALTHY");
	char blockers[128];
	name_blockers(a, blockers, sizeof blockers);
	if (wr_json_bool(a, "possible", false)) {
		const char *press = s->read_only ? "" : back ? "press b: " : "press f: ";
		snprintf(out, size, "%spropose the %s %s %s %s", press, kind, wr_json_str(a, "from", ""),
		         grid_glyphs()->arrow, wr_json_str(a, "to", ""));
		return ROLE_SEV3;
	}
	if (back) {
		snprintf(out, size, "away from home; the failback waits: %s", blockers);
		return ROLE_INFO;
	}
	if (well) {
		snprintf(out, size, "nothing to do: the primary is healthy");
		return ROLE_OK;
	}
	snprintf(out, size, "not yet: %s; w says what would change it", blockers);
	return ROLE_SEV2;
}

role scene_suggest(const scene *s, char *out, size_t size)
{
	const json_t *op = scene_active(s), *a = scene_action(s);
	const json_t *ledger = json_object_get(s->state, "ledger");
	out[0] = '\0';
	if (!s->state) {
		snprintf(out, size, "waiting for the engine");
		return ROLE_DIM;
	}
	if (!s->connected) {
		snprintf(out, size, "no engine: nothing can be signed from here until it is back");
		return ROLE_SEV2;
	}
	if (ledger && !wr_json_bool(ledger, "ok", true)) {
		snprintf(out, size, "the record is broken: run `warroom ledger verify`; nothing starts");
		return ROLE_SEV1;
	}
	if (op) return suggest_operation(s, op, out, size);
	if (wr_json_bool(json_object_get(s->state, "isolation"), "isolated", false)) {
		snprintf(out, size, "look at this machine's network first: it sees nothing at all");
		return ROLE_SEV2;
	}
	if (a) return suggest_action(s, a, out, size);
	snprintf(out, size, "no action is a candidate: no runbook fits");
	return ROLE_DIM;
}

void draw_now(grid *g, const scene *s, int x, int y, int w)
{
	char text[600];
	role r = scene_suggest(s, text, sizeof text);
	int used = grid_text(g, x, y, w, ROLE_HINT_KEY, "NOW ");
	grid_text(g, x + used, y, w - used, r, text);
}
