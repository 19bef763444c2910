/* scene.c: finding things in the state: the operation, the candidate, the chosen row; clocks that
 * run on; and the dispatch to the views. */
#include "screen/scene.h"

#include <stdio.h>
#include <string.h>

#include "screen/actions.h"

#define NUM_MAX INT64_C(1000000000000000) /* in ms 30,000 years */

int64_t num(const json_t *obj, const char *key, int64_t dflt)
{
	int64_t v = wr_json_int(obj, key, dflt);
	return v > NUM_MAX ? NUM_MAX : v < -NUM_MAX ? -NUM_MAX : v;
}

bool op_over(const json_t *op)
{
	static const char *const open[] = {"proposed", "approved", "running", "held", "rolling_back"};
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		if (is(op, "state", open[i])) return false;
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
		if (s->operation_id[0] && is(op, "id", s->operation_id)) return op;
	const json_t *active = scene_active(s);
	return active ? active : json_array_get(list, 0);
}

const json_t *scene_primary(const scene *s)
{
	size_t i;
	json_t *r;
	json_array_foreach (json_object_get(s->state, "regions"), i, r)
		if (is(r, "role", "primary")) return r;
	return NULL;
}

void candidate_id(const json_t *a, char *out, size_t size)
{
	snprintf(out, size, "%.30s %.70s %.70s", wr_json_str(a, "action", ""),
	         wr_json_str(a, "from", ""), wr_json_str(a, "to", ""));
}

/* The engine names going home first; while the primary is not well, getting away from it is
 * likelier. What can be done now is likelier than what cannot. */
static const json_t *likeliest(const scene *s, const json_t *list)
{
	const json_t *primary = scene_primary(s), *best = json_array_get(list, 0);
	bool away = primary && !is(primary, "verdict", "HEALTHY");
	int most = -1;
	size_t i;
	json_t *a;
	json_array_foreach (list, i, a) {
		int points = away && is(a, "action", "failover") ? 2 : 0;
		points += wr_json_bool(a, "possible", false) && (away || i == 0);
		if (points > most) {
			most = points;
			best = a;
		}
	}
	return best;
}

const json_t *scene_action(const scene *s)
{
	const json_t *list = json_object_get(s->state, "actions");
	size_t i;
	json_t *a;
	char id[200];
	json_array_foreach (list, i, a) {
		candidate_id(a, id, sizeof id);
		if (s->candidate[0] && !strcmp(id, s->candidate)) return a;
	}
	return likeliest(s, list);
}

int64_t scene_clock(const scene *s, const json_t *obj, const char *key, bool up)
{
	int64_t v = num(obj, key, -1);
	if (v == -1 || (up && v < 0)) return v;
	return up ? v + s->clock_ms : v - s->clock_ms;
}

int64_t scene_age(const scene *s, const json_t *obj, const char *key)
{
	int64_t v = num(obj, key, -1);
	return v < 0 ? -1 : v + s->age_ms;
}

const char *time_of(const json_t *obj, const char *key)
{
	const char *t = wr_json_str(obj, key, "");
	return strlen(t) > 19 ? t + 11 : "";
}

/* ---- lists ---- */

static bool matches(const scene *s, const json_t *item)
{
	static const char *const keys[] = {"name",   "verdict", "observed", "operation", "text",
	                                   "actor",  "class",   "status",   "state",     "kind",
	                                   "region", "rule",    "from",     "to",        "observer"};
	if (!s->filter[0]) return true;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strcasestr(wr_json_str(item, keys[i], ""), s->filter)) return true;
	return false;
}

static void add_all(const scene *s, const json_t *list, const json_t *out[static ITEMS_MAX],
                    size_t *n)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item)
		if (*n < ITEMS_MAX && matches(s, item)) out[(*n)++] = item;
}

/* What stands in the way comes first: FAIL, then what is not known, then what holds; advice last.
 */
static int guard_rank(const json_t *row)
{
	if (is(row, "verdict", "PASS")) return 2;
	if (!wr_json_bool(row, "blocking", true)) return 3;
	return is(row, "verdict", "FAIL") ? 0 : 1;
}

static void add_guards(const scene *s, const json_t *out[static ITEMS_MAX], size_t *n)
{
	size_t i;
	json_t *row;
	for (int rank = 0; rank < 4; rank++)
		json_array_foreach (json_object_get(scene_action(s), "guards"), i, row)
			if (*n < ITEMS_MAX && guard_rank(row) == rank && matches(s, row)) out[(*n)++] = row;
}

size_t scene_items(const scene *s, const json_t *out[static ITEMS_MAX])
{
	size_t n = 0, i;
	json_t *r;
	const json_t *tail = json_object_get(json_object_get(s->state, "ledger"), "tail");
	switch (s->view) {
	case VIEW_REGIONS:
		json_array_foreach (json_object_get(s->state, "regions"), i, r) {
			add_all(s, json_object_get(r, "signals"), out, &n);
			add_all(s, json_object_get(r, "facts"), out, &n);
		}
		break;
	case VIEW_DATA:
		add_all(s, json_object_get(s->state, "links"), out, &n);
		add_all(s, json_object_get(s->state, "quotas"), out, &n);
		break;
	case VIEW_OPERATION:
		add_all(s, json_object_get(scene_operation(s), "steps"), out, &n);
		break;
	case VIEW_WHY:
		add_guards(s, out, &n);
		break;
	case VIEW_RECEIPTS:
		for (i = json_array_size(tail); i-- > 0;)
			if (n < ITEMS_MAX && matches(s, json_array_get(tail, i)))
				out[n++] = json_array_get(tail, i);
		break;
	default:
		break;
	}
	return n;
}

void scene_item_id(const json_t *item, char *out, size_t size)
{
	if (json_object_get(item, "seq"))
		snprintf(out, size, "#%lld", (long long)num(item, "seq", -1));
	else
		snprintf(out, size, "%.60s %.20s %.30s %.30s", wr_json_str(item, "name", ""),
		         wr_json_str(item, "kind", wr_json_str(item, "rule", "")),
		         wr_json_str(item, "from", wr_json_str(item, "layer", "")),
		         wr_json_str(item, "to", wr_json_str(item, "region", "")));
}

/* Nobody has chosen: the step that runs, else the last that did anything; elsewhere the first. */
static size_t own_choice(const scene *s, const json_t *const *items, size_t n)
{
	size_t last = 0;
	if (s->view != VIEW_OPERATION) return 0;
	int64_t current = num(scene_operation(s), "current", -1);
	for (size_t i = 0; i < n; i++) {
		if (current >= 0 && num(items[i], "index", -1) == current) return i;
		if (!is(items[i], "state", "waiting")) last = i;
	}
	return last;
}

size_t scene_picked(const scene *s, const json_t *const *items, size_t n)
{
	char id[160];
	if (!n) return 0;
	if (!s->picked[0]) return own_choice(s, items, n);
	for (size_t i = 0; i < n; i++) {
		scene_item_id(items[i], id, sizeof id);
		if (!strcmp(id, s->picked)) return i;
	}
	return s->picked_row < n ? s->picked_row : n - 1;
}

size_t first_row(size_t at, size_t rows, size_t n)
{
	if (n <= rows || at < rows / 2) return 0;
	size_t first = at - rows / 2;
	return first > n - rows ? n - rows : first;
}

/* ---- the whole ---- */

static void too_small(grid *g, const scene *s)
{
	char text[256];
	snprintf(text, sizeof text, "warroom needs %dx%d; this is %dx%d. q quits.", MIN_W, MIN_H, g->w,
	         g->h);
	int y = draw_wrapped(g, (rect){0, 0, g->w, g->h}, ROLE_TEXT, text) + 1;
	if (!s->state || y >= g->h) return;
	role r = scene_suggest(s, text, sizeof text);
	if (!s->connected)
		draw_wrapped(g, (rect){0, y, g->w, g->h - y}, ROLE_SEV1, "ENGINE GONE");
	else
		draw_wrapped(g, (rect){0, y, g->w, g->h - y}, r, text);
}

/* Over the hint bar, and over as many rows above it as it needs. */
static void draw_message(grid *g, const scene *s)
{
	int rows = wrap_rows(s->message, g->w - 2);
	if (rows > 4) rows = 4;
	rect a = {0, g->h - rows, g->w, rows};
	grid_fill(g, a, ' ', ROLE_TEXT);
	(void)draw_wrapped(g, (rect){1, a.y, g->w - 2, rows}, s->message_bad ? ROLE_SEV2 : ROLE_OK,
	                   s->message);
}

void scene_draw(grid *g, const scene *s)
{
	static void (*const views[VIEW_COUNT])(grid *,
	                                       const scene *) = {[VIEW_OVERVIEW] = view_overview,
	                                                         [VIEW_REGIONS] = view_regions,
	                                                         [VIEW_DATA] = view_data,
	                                                         [VIEW_RECEIPTS] = view_receipts,
	                                                         [VIEW_OPERATION] = view_operation_page,
	                                                         [VIEW_WHY] = view_why,
	                                                         [VIEW_PAGE] = view_page,
	                                                         [VIEW_HELP] = view_help,
	                                                         [VIEW_WELCOME] = view_welcome};
	grid_clear(g);
	if (g->w < MIN_W || g->h < MIN_H) {
		too_small(g, s);
		return;
	}
	views[s->view](g, s);
	if (s->message && *s->message)
		draw_message(g, s);
	else
		draw_hints(g, s);
}
