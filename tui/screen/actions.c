/* actions.c: which keys mean something now, and the hint bar that says so. */
#include "screen/actions.h"

#include <string.h>

#include "warroom/text.h"

const action_row action_table[A_COUNT] = {
#define X(id, key, shown, hint, help, flags) {key, shown, hint, help, flags},
    ACTIONS(X)
#undef X
};

static bool state_is(const json_t *op, const char *state)
{
	return op && is(op, "state", state);
}

static bool candidate(const scene *s, const char *kind)
{
	size_t i;
	json_t *a;
	json_array_foreach (json_object_get(s->state, "actions"), i, a)
		if (is(a, "action", kind)) return true;
	return false;
}

static bool step_with(const json_t *op, const char *state, const char *kind)
{
	size_t i;
	json_t *st;
	json_array_foreach (json_object_get(op, "steps"), i, st)
		if (is(st, "state", state) && (!kind || is(st, "kind", kind))) return true;
	return false;
}

static bool running(const json_t *op)
{
	return state_is(op, "running") || state_is(op, "rolling_back");
}

/* Approvals that ran out while an operation was held are given anew. */
static bool wants_approval(const json_t *op)
{
	if (state_is(op, "proposed") || state_is(op, "approved")) return true;
	return state_is(op, "held") && !wr_json_bool(json_object_get(op, "quorum"), "met", true);
}

static bool allowed(const scene *s, action_id a, const char **why)
{
	const json_t *op = scene_active(s);
	switch (a) {
	case A_FAILOVER:
	case A_FAILBACK:
		*why = op                ? "an operation is under way: one at a time"
		       : a == A_FAILOVER ? "no failover is a candidate now"
		                         : "no failback: the home region already serves";
		return !op && candidate(s, a == A_FAILOVER ? "failover" : "failback");
	case A_APPROVE:
		*why = "nothing waits for an approval";
		return wants_approval(op);
	case A_DENY:
		*why = "nothing waits that could be denied; a running operation is held (h) or aborted (x)";
		return state_is(op, "proposed") || state_is(op, "approved");
	case A_HOLD:
		*why = "nothing runs";
		return running(op);
	case A_RESUME:
		*why = "nothing is held";
		return state_is(op, "held");
	case A_ABORT:
		*why = "nothing runs";
		return running(op) || state_is(op, "held");
	case A_TICK:
		*why = "no manual step waits";
		return op && step_with(op, "running", "manual");
	case A_RULE:
		*why = "no step is uncertain";
		return op && step_with(op, "uncertain", NULL);
	default:
		return true;
	}
}

static bool lists(view_id v)
{
	return v == VIEW_REGIONS || v == VIEW_DATA || v == VIEW_RECEIPTS || v == VIEW_OPERATION ||
	       v == VIEW_WHY;
}

/* Of the actions that change nothing: is there something for it here? */
static bool useful(const scene *s, action_id a, const char **why)
{
	switch (a) {
	case A_OLDER:
	case A_NEWER:
		*why = "open a receipt first (l, then Enter)";
		return s->view == VIEW_PAGE && s->picked[0] == '#';
	case A_PLAN:
		*why = "no plan: there is no operation and no candidate";
		return scene_operation(s) || scene_action(s);
	case A_NEXT:
		*why = "there is no other one";
		return json_array_size(json_object_get(
		           s->state, s->view == VIEW_OPERATION ? "operations" : "actions")) > 1;
	case A_FILTER:
		*why = "there is no list here to filter";
		return lists(s->view);
	case A_OPEN:
		*why = "there is nothing to open here";
		return s->view == VIEW_OVERVIEW || s->view == VIEW_RECEIPTS || s->view == VIEW_OPERATION ||
		       s->view == VIEW_WHY || s->view == VIEW_WELCOME;
	default:
		return true;
	}
}

bool action_available(const scene *s, action_id a, const char **why)
{
	static const char *unused;
	if (!why) why = &unused;
	*why = "";
	if (!(action_table[a].flags & CHANGES)) return useful(s, a, why);
	*why = "read-only: this screen changes nothing";
	if (s->read_only) return false;
	*why = "the engine is not reached: nothing can be changed";
	if (!s->connected || !s->state) return false;
	*why = "the picture is frozen: press Z first, to decide on what is";
	if (s->frozen) return false;
	return allowed(s, a, why);
}

action_id action_for_key(const scene *s, uint32_t key)
{
	static const struct {
		uint32_t key;
		action_id action;
	} also[] = {
	    {K_DOWN, A_DOWN},      {K_UP, A_UP},      {K_HOME, A_TOP},    {K_END, A_BOTTOM},
	    {K_F1, A_HELP},        {K_F5, A_REDRAW},  {K_ESC, A_BACK},    {K_CTRL_D, A_PAGE_DOWN},
	    {K_CTRL_U, A_PAGE_UP}, {K_LEFT, A_OLDER}, {K_RIGHT, A_NEWER}, {'3', A_DATA},
	    {'4', A_RECEIPTS},     {' ', A_PAGE_DOWN}};
	if (key == '5') return scene_operation(s) ? A_OPERATION : A_WHY;
	for (size_t i = 0; i < sizeof also / sizeof *also; i++)
		if (also[i].key == key) return also[i].action;
	for (int i = 0; i < A_COUNT; i++)
		if (action_table[i].key == key) return (action_id)i;
	return A_NONE;
}

static bool hinted(const scene *s, action_id a)
{
	if (!*action_table[a].hint || !action_available(s, a, NULL)) return false;
	switch (s->view) {
	case VIEW_WELCOME:
	case VIEW_HELP:
		return a == A_OPEN && s->view == VIEW_WELCOME;
	case VIEW_PAGE:
		return a == A_OLDER || a == A_NEWER || (action_table[a].flags & CHANGES);
	case VIEW_OVERVIEW:
		return a != A_PLAN && a != A_OPEN && (a != A_OPERATION || scene_operation(s));
	case VIEW_WHY:
		return a != A_WHY && a != A_OPEN && (a != A_OPERATION || scene_operation(s));
	case VIEW_OPERATION:
		return a != A_OPERATION && a != A_OPEN;
	case VIEW_RECEIPTS:
		return a != A_RECEIPTS && a != A_NEXT && a != A_PLAN;
	default:
		return a != A_NEXT && a != A_PLAN && a != (s->view == VIEW_DATA ? A_DATA : A_REGIONS);
	}
}

static const char *hint_of(const scene *s, action_id a)
{
	if (a == A_BACK && s->view == VIEW_OVERVIEW) return "quit";
	if (a == A_OPEN && s->view == VIEW_WELCOME) return "start";
	if (a == A_FREEZE && s->frozen) return "unfreeze";
	return action_table[a].hint;
}

static int hint_width(const scene *s, action_id a)
{
	return (int)(wr_text_width(action_table[a].shown) + wr_text_width(hint_of(s, a))) + 3;
}

static int put_hint(grid *g, const scene *s, int x, action_id a)
{
	int y = g->h - 1;
	x += grid_text(g, x, y, g->w - x, ROLE_HINT_KEY, action_table[a].shown) + 1;
	x += grid_text(g, x, y, g->w - x, ROLE_HINT_TEXT, hint_of(s, a)) + 2;
	return x;
}

void draw_hints(grid *g, const scene *s)
{
	int x = 1, end = g->w - hint_width(s, A_HELP) - hint_width(s, A_BACK) - 3;
	grid_fill(g, (rect){0, g->h - 1, g->w, 1}, ' ', ROLE_HINT_TEXT);
	for (int i = 0; i < A_COUNT; i++) {
		if (i == A_HELP || i == A_BACK || !hinted(s, (action_id)i)) continue;
		if (x + hint_width(s, (action_id)i) > end) {
			/* Help lists what does not fit. */
			grid_put(g, x, g->h - 1, grid_glyphs()->ellipsis, ROLE_HINT_TEXT);
			x += 3;
			break;
		}
		x = put_hint(g, s, x, (action_id)i);
	}
	if (s->view != VIEW_HELP) x = put_hint(g, s, x, A_HELP);
	(void)put_hint(g, s, x, A_BACK);
}
