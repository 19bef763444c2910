/* actions.c: which keys mean something now, and the hint bar that says so. */
#include "screen/actions.h"

#include <string.h>

#include "term.h"
#include "warroom/text.h"

const action_row action_table[A_COUNT] = {
#define X(id, key, shown, hint, help, flags) {key, shown, hint, help, flags},
    ACTIONS(X)
#undef X
};

static bool state_is(const json_t *op, const char *state)
{
	return op && !strcmp(wr_json_str(op, "state", ""), state);
}

static const json_t *candidate(const scene *s, const char *kind)
{
	size_t i;
	json_t *a;
	json_array_foreach (json_object_get(s->state, "actions"), i, a)
		if (!strcmp(wr_json_str(a, "action", ""), kind)) return a;
	return NULL;
}

static const json_t *step_with(const json_t *op, const char *state, const char *kind)
{
	size_t i;
	json_t *st;
	json_array_foreach (json_object_get(op, "steps"), i, st)
		if (!strcmp(wr_json_str(st, "state", ""), state) &&
		    (!kind || !strcmp(wr_json_str(st, "kind", ""), kind)))
			return st;
	return NULL;
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

bool action_available(const scene *s, action_id a, const char **why)
{
	static const char *dummy;
	if (!why) why = &dummy;
	*why = "";
	if (!(action_table[a].flags & CHANGES)) return true;
	*why = "read-only: this screen changes nothing";
	if (s->read_only) return false;
	*why = "the engine is not reached: nothing can be changed";
	if (!s->connected || !s->state) return false;
	return allowed(s, a, why);
}

action_id action_for_key(const scene *s, uint32_t key)
{
	if (key == K_DOWN)
		key = 'j';
	else if (key == K_UP)
		key = 'k';
	else if (key == K_HOME)
		key = 'g';
	else if (key == K_F1)
		key = '?';
	else if (key == K_ESC)
		key = 'q';
	else if (key == K_F5)
		key = K_CTRL_L;
	else if (key == K_ENTER)
		key = s->view == VIEW_OVERVIEW ? 'o' : 0;
	for (int i = 0; i < A_COUNT; i++)
		if (key && action_table[i].key == key) return (action_id)i;
	return A_NONE;
}

static bool hinted(const scene *s, action_id a)
{
	if (!*action_table[a].hint || !action_available(s, a, NULL)) return false;
	if (s->view == VIEW_HELP || s->view == VIEW_WELCOME)
		return a == A_BACK || (a == A_HELP && s->view == VIEW_WELCOME);
	if ((a == A_WHY && s->view == VIEW_WHY) || (a == A_OPERATION && s->view == VIEW_OPERATION) ||
	    (a == A_RECEIPTS && s->view == VIEW_RECEIPTS))
		return false;
	if (a == A_NEXT) return s->view == VIEW_WHY || s->view == VIEW_OPERATION;
	if (a == A_OPERATION) return scene_operation(s) != NULL;
	return true;
}

void draw_hints(grid *g, const scene *s)
{
	int y = g->h - 1, x = 1;
	grid_fill(g, (rect){0, y, g->w, 1}, ' ', ROLE_HINT_TEXT);
	for (int i = 0; i < A_COUNT; i++) {
		if (!hinted(s, (action_id)i)) continue;
		const char *hint = i == A_BACK && s->view == VIEW_OVERVIEW  ? "quit"
		                   : i == A_BACK && s->view == VIEW_WELCOME ? "start"
		                                                            : action_table[i].hint;
		int need = (int)(wr_text_width(action_table[i].shown) + 1 + wr_text_width(hint) + 2);
		if (x + need > g->w) {
			/* help is always there for what does not fit */
			grid_put(g, x < g->w ? x : g->w - 1, y, grid_glyphs()->ellipsis, ROLE_HINT_TEXT);
			break;
		}
		x += grid_text(g, x, y, g->w - x, ROLE_HINT_KEY, action_table[i].shown) + 1;
		x += grid_text(g, x, y, g->w - x, ROLE_HINT_TEXT, hint) + 2;
	}
	if (s->read_only) grid_text(g, g->w - 11, y, 10, ROLE_SEV3, " READ-ONLY");
}
