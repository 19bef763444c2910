/* back.c: the way back: which steps are undone, in which order, and what is left. Pure.
 *
 * Undo is state-aware (law 5): it takes back what was done, in reverse, and nothing else; with
 * nothing done the operation simply ends. A step that may have happened is taken back like one that
 * did when its class says that doing so twice is harmless. What has no way back stays, and is said.
 */
#include <stdio.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/json.h"

static bool undo_given_up(const wr_op_step *st)
{
	return st->undo && st->state == WR_SS_UNDO_FAILED && !strcmp(st->ruling, "skip");
}

/* Did the step change something, or may it have? A traffic step that was begun may have set some
 * servers; and what was in doubt when it was tried again, or passed over, is in doubt still. */
static bool changed(const wr_op_step *st, const step_view *v)
{
	if (st->undo) return true; /* once taken for changed, until it is undone */
	if (st->state == WR_SS_DONE) return true;
	if (wr_kind_waits(v->kind)) return false;
	if (st->state == WR_SS_UNCERTAIN || st->doubtful) return true;
	bool ended = st->state == WR_SS_FAILED || st->state == WR_SS_SKIPPED;
	return ended && st->attempts > 0 && v->kind == WR_STEP_TRAFFIC;
}

/* Two people went on without knowing, and to undo what never was could do harm: it is left to
 * people, and what depends on it stays as it is. */
static bool left_in_doubt(const wr_op_step *st, const step_view *v)
{
	return !st->undo && st->doubtful && st->state == WR_SS_SKIPPED &&
	       v->step_class != WR_IDEMPOTENT;
}

/* Does the step act, by itself or by a person's hand? */
static bool acts(const step_view *v)
{
	return v->guarded ||
	       (v->kind == WR_STEP_MANUAL && v->phase >= WR_PHASE_FREEZE && v->phase <= WR_PHASE_SHIFT);
}

static bool has_way_back(const wr_op *op, size_t i)
{
	step_view back;
	return wr_step_view(&back, op, i, true);
}

int wr_undo_next(const wr_op *op)
{
	for (size_t i = op->step_count; i-- > 0;) {
		const wr_op_step *st = &op->steps[i];
		step_view v;
		if (!wr_step_view(&v, op, i, false) || !changed(st, &v) || !has_way_back(op, i) ||
		    left_in_doubt(st, &v))
			continue;
		if (st->state != WR_SS_UNDONE && !undo_given_up(st)) return (int)i;
	}
	return -1;
}

int wr_still_promoted(const wr_op *op)
{
	for (size_t i = 0; i < op->step_count; i++) {
		step_view v;
		if (wr_step_view(&v, op, i, false) && v.phase == WR_PHASE_PROMOTE && acts(&v) &&
		    changed(&op->steps[i], &v) && op->steps[i].state != WR_SS_UNDONE)
			return (int)i;
	}
	return -1;
}

bool wr_effective(const wr_op *op)
{
	if (wr_undo_next(op) >= 0) return true;
	for (size_t i = 0; i < op->step_count; i++) {
		step_view v;
		if (wr_step_view(&v, op, i, false) && acts(&v) && changed(&op->steps[i], &v)) return true;
	}
	return false;
}

/* What stays behind: of consequence (the platform is not as it was) or not. */
static bool leftover(const wr_op *op, size_t i, bool *serious)
{
	const wr_op_step *st = &op->steps[i];
	step_view v;
	if (!wr_step_view(&v, op, i, false) || !changed(st, &v)) return false;
	if (st->state == WR_SS_UNDONE) return false;
	*serious = undo_given_up(st) || v.kind == WR_STEP_TRAFFIC || v.phase == WR_PHASE_FENCE ||
	           v.phase == WR_PHASE_DRAIN || v.phase == WR_PHASE_PROMOTE ||
	           v.phase == WR_PHASE_SHIFT;
	return acts(&v) || undo_given_up(st);
}

static void finish_back(wr_decision *d, const wr_op *op)
{
	char left[160] = "";
	bool failed = false;
	for (size_t i = 0; i < op->step_count; i++) {
		bool serious = false;
		if (!leftover(op, i, &serious)) continue;
		failed = failed || serious;
		size_t at = strlen(left);
		wr_put(left + at, sizeof left - at, "%s%s", at ? ", " : "", wr_op_step_name(op, i));
	}
	json_t *r;
	if (failed)
		r = wr_transition(d, op, "B-LEFT", "went back, but not undone: %s", left);
	else if (left[0])
		r = wr_transition(d, op, "B-DONE", "went back; stays as it is: %s", left);
	else
		r = wr_transition(d, op, "B-DONE", "everything that was done is undone");
	wr_set_finish(d, r, op);
	wr_emit(d, r);
}

void wr_back_advance(wr_decision *d, const wr_op *op)
{
	int i = wr_undo_next(op);
	if (i < 0) {
		finish_back(d, op);
		return;
	}
	if (wr_step_advance(d, op, (size_t)i, true) != STEP_GAVE_UP) return;
	wr_hold(d, op, "B-CHECK", HOLD_UNDO,
	        "undoing %s failed: %.100s; resume to try again, or two people rule on it",
	        wr_op_step_name(op, (size_t)i), op->steps[i].error);
}

void wr_back_off(wr_decision *d, const wr_op *op, const char *reason)
{
	bool held = op->state == WR_OP_HELD;
	if (wr_effective(op)) {
		wr_emit(d, wr_transition(d, op, held ? "H-BACK" : "R-BACK", "%s", reason));
		return;
	}
	json_t *r =
	    wr_transition(d, op, held ? "H-ABORTED" : "R-ABORTED", "%s; nothing to undo", reason);
	wr_set_finish(d, r, op);
	wr_emit(d, r);
}
