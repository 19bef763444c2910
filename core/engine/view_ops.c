/* view_ops.c: the published state: what can be done, and what is being done. */
#include <math.h>
#include <string.h>

#include "engine/view.h"
#include "warroom/json.h"

#define CANDIDATES_MAX 32 /* each costs a table of guards, several times a second */

/* A candidate for each runbook of the kind from the primary to each region that may take over. */
static size_t add_candidates(const engine *e, wr_runbook_kind kind, candidate *out, size_t n,
                             size_t max)
{
	int primary = wr_state_primary(e->state);
	for (size_t r = 0; primary >= 0 && r < e->cfg->region_count; r++) {
		bool fits = kind == WR_RB_FAILBACK ? e->cfg->regions[r].role == WR_PRIMARY
		                                   : e->cfg->regions[r].role != WR_WITNESS;
		if (!fits || (int)r == primary) continue;
		for (size_t i = 0; i < e->cfg->runbook_count && n < max; i++)
			if (e->cfg->runbooks[i].kind == kind)
				out[n++] = (candidate){kind, (size_t)primary, r, &e->cfg->runbooks[i]};
	}
	return n;
}

size_t engine_candidates(const engine *e, candidate *out, size_t max)
{
	/* Away from home, going home comes first. */
	size_t n = add_candidates(e, WR_RB_FAILBACK, out, 0, max);
	return add_candidates(e, WR_RB_FAILOVER, out, n, max);
}

json_t *view_loss(const wr_loss *loss, const char *from, const char *to)
{
	json_t *o = json_object();
	put_str(o, "from", from);
	put_str(o, "to", to);
	put_bool(o, "known", loss->known);
	put_bool(o, "stale", loss->stale);
	put_bool(o, "sync", loss->sync);
	put_str(o, "text", loss->text);
	put_int(o, "seconds_ms",
	        loss->known && loss->seconds >= 0 ? (int64_t)llround(loss->seconds * 1000) : -1);
	put_int(o, "bytes", loss->known && loss->bytes >= 0 ? (int64_t)llround(loss->bytes) : -1);
	put_int(o, "receipts",
	        loss->known && loss->receipts >= 0 ? (int64_t)llround(loss->receipts) : -1);
	put_str(o, "names", loss->names);
	return o;
}

/* Why an action cannot be proposed with a hope to start, in one sentence. */
static void action_reason(const wr_guards *g, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < g->count; i++) {
		const wr_guard *row = &g->rows[i];
		if (!row->blocking || row->verdict == WR_PASS) continue;
		snprintf(out, size, "%s: %s; %s", row->name, row->observed, row->flip);
		return;
	}
}

json_t *view_action(engine *e, const wr_runbook *rb, size_t from, size_t to)
{
	int64_t now = wr_wall_us(e->clock);
	wr_guards g;
	wr_loss loss;
	char reason[480];
	wr_guards_eval(&g, e->state, e->world, rb->kind, from, to, rb->group, NULL, now);
	wr_loss_eval(&loss, e->world, from, to, now);
	action_reason(&g, reason, sizeof reason);
	const char *from_name = e->cfg->regions[from].name, *to_name = e->cfg->regions[to].name;
	json_t *o = json_object();
	put_str(o, "action", wr_runbook_kind_name(rb->kind));
	put_str(o, "from", from_name);
	put_str(o, "to", to_name);
	put_str(o, "runbook", rb->name);
	put_bool(o, "possible", g.blocking == 0);
	put_str(o, "reason", reason);
	put_int(o, "passed", (int64_t)g.passed);
	put_int(o, "total", (int64_t)g.count);
	put_int(o, "blocking", (int64_t)g.blocking);
	put(o, "guards", wr_guards_json(&g));
	put(o, "loss", view_loss(&loss, from_name, to_name));
	return o;
}

json_t *view_actions(engine *e, json_t **loss_of_first)
{
	candidate c[CANDIDATES_MAX];
	size_t n = engine_candidates(e, c, sizeof c / sizeof *c);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *one = view_action(e, c[i].runbook, c[i].from, c[i].to);
		if (i == 0) *loss_of_first = json_incref(json_object_get(one, "loss"));
		(void)json_array_append_new(list, one);
	}
	return list;
}

static json_t *view_approvals(const engine *e, const wr_op *op)
{
	int64_t now = wr_wall_us(e->clock);
	json_t *list = json_array();
	for (size_t i = 0; i < op->approval_count; i++) {
		const wr_approval *a = &op->approvals[i];
		json_t *o = json_object();
		put_str(o, "principal", a->principal);
		put_str(o, "role", a->role);
		put_str(o, "decision", a->decision);
		put_str(o, "assurance", wr_assurance_name(a->assurance));
		put(o, "at", view_time(a->at_us));
		put_bool(o, "valid", a->expires_us > now);
		put_int(o, "expires_left_ms", a->expires_us > now ? (a->expires_us - now) / 1000 : 0);
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *view_gate(const engine *e, const wr_op *op, size_t i)
{
	wr_gate g;
	wr_gate_eval(&g, op, i, e->world, wr_wall_us(e->clock));
	json_t *o = json_object();
	put_str(o, "verdict", wr_gate_verdict_name(g.verdict));
	put_int(o, "n", g.n);
	put_int(o, "n_needed", g.n_needed);
	put_int(o, "to_verdict_ms", g.to_verdict_ms);
	put_str(o, "text", g.text);
	return o;
}

static const char *live_text(const engine *e, const wr_op *op, size_t i)
{
	for (size_t k = 0; k < LIVES; k++)
		if (!strcmp(e->live[k].operation_id, op->id) && e->live[k].index == i)
			return e->live[k].text;
	return "";
}

static json_t *view_step(const engine *e, const wr_op *op, size_t i, const json_t *plan_step,
                         bool brief)
{
	static const char *const copied[] = {"name", "kind",    "phase",  "class",
	                                     "why",  "look_at", "danger", "go_back"};
	const wr_op_step *s = &op->steps[i];
	json_t *o = json_object();
	put_int(o, "index", (int64_t)i);
	for (size_t k = 0; k < sizeof copied / sizeof *copied; k++)
		put_str(o, copied[k], wr_json_str(plan_step, copied[k], ""));
	put_bool(o, "guarded", wr_json_bool(plan_step, "guarded", true));
	put_str(o, "state", wr_step_state_name(s->state));
	put_int(o, "attempts", s->attempts);
	put_bool(o, "undo", s->undo);
	put_int(o, "elapsed_ms", s->intent_open ? view_age_ms(e, s->intent_us) : s->duration_ms);
	put_int(o, "duration_ms", s->duration_ms);
	put_int(o, "usual_ms", wr_json_int(plan_step, "usual_ms", 0));
	put_int(o, "timeout_ms", wr_json_int(plan_step, "timeout_ms", 0));
	put_str(o, "error", s->error);
	const char *live = s->intent_open ? live_text(e, op, i) : "";
	put_str(o, "output", brief ? "" : *live ? live : s->output);
	const json_t *ask = plan_step ? wr_json_get(plan_step, "/manual/ask") : NULL;
	put_str(o, "ask", json_is_string(ask) ? json_string_value(ask) : "");
	put_bool(o, "has_rollback", plan_step && json_object_get(plan_step, "rollback") != NULL);
	if (s->state == WR_SS_RUNNING && !strcmp(wr_json_str(plan_step, "kind", ""), "soak"))
		put(o, "gate", view_gate(e, op, i));
	return o;
}

static json_t *view_quorum(const engine *e, const wr_op *op)
{
	wr_quorum q;
	int64_t now = wr_wall_us(e->clock);
	wr_quorum_eval(&q, e->cfg, op, now);
	json_t *o = json_object();
	put_bool(o, "met", q.met);
	put_int(o, "have", (int64_t)q.have);
	put_int(o, "need", (int64_t)q.need);
	put_str(o, "missing", q.missing);
	put_int(o, "expiry_left_ms", q.first_expiry_us > now ? (q.first_expiry_us - now) / 1000 : -1);
	return o;
}

/* The usual times of the steps still to come: what a clock on the wall would be told. */
static int64_t predicted_left_ms(const engine *e, const wr_op *op, const json_t *steps)
{
	int64_t left = 0;
	for (size_t i = 0; i < op->step_count; i++) {
		const wr_op_step *s = &op->steps[i];
		int64_t usual = wr_json_int(json_array_get(steps, i), "usual_ms", 0);
		if (s->state == WR_SS_WAITING)
			left += usual;
		else if (s->intent_open && usual > view_age_ms(e, s->intent_us))
			left += usual - view_age_ms(e, s->intent_us);
	}
	return left;
}

json_t *view_operation(engine *e, const wr_op *op, bool brief)
{
	const json_t *plan_steps = op->plan ? json_object_get(op->plan, "steps") : NULL;
	const json_t *loss = op->plan ? json_object_get(op->plan, "loss") : NULL;
	int64_t now = wr_wall_us(e->clock);
	bool begun =
	    op->state == WR_OP_RUNNING || op->state == WR_OP_HELD || op->state == WR_OP_ROLLING_BACK;
	json_t *o = json_object(), *steps = json_array();
	for (size_t i = 0; i < op->step_count; i++)
		(void)json_array_append_new(steps,
		                            view_step(e, op, i, json_array_get(plan_steps, i), brief));
	const wr_runbook *rb = wr_config_runbook(e->cfg, op->runbook);
	int64_t end = op->finished_us ? op->finished_us : now;
	put_str(o, "id", op->id);
	put_str(o, "action", wr_runbook_kind_name(op->kind));
	put_str(o, "state", wr_op_state_name(op->state));
	put_str(o, "runbook", op->runbook);
	put_str(o, "title", rb && rb->title ? rb->title : op->runbook);
	put_str(o, "group", op->group);
	put_str(o, "from", op->from);
	put_str(o, "to", op->to);
	put_str(o, "proposer", op->proposer);
	put_str(o, "reason", op->reason);
	put_str(o, "plan_hash", op->plan_hash);
	put_str(o, "words", op->words);
	put(o, "proposed", view_time(op->proposed_us));
	put(o, "started", view_time(op->started_us));
	put(o, "finished", view_time(op->finished_us));
	put_int(o, "expires_left_ms", op->expires_us > now ? (op->expires_us - now) / 1000 : 0);
	put_str(o, "held_reason", op->held_reason);
	put_str(o, "held_rule", op->held_rule);
	put_str(o, "final_reason", op->final_reason);
	put(o, "impact_started", view_time(op->impact_us));
	put_int(o, "elapsed_ms", op->started_us ? (end - op->started_us) / 1000 : -1);
	put_int(o, "rto_ms", op->rto_ms);
	put_int(o, "rto_left_ms",
	        op->impact_us && op->rto_ms > 0 ? op->rto_ms - (end - op->impact_us) / 1000 : -1);
	put_int(o, "predicted_left_ms",
	        wr_op_final(op->state) ? 0 : predicted_left_ms(e, op, plan_steps));
	put_int(o, "current", begun ? wr_op_current(op) : -1);
	put(o, "loss", loss ? json_deep_copy(loss) : json_null());
	put(o, "quorum", view_quorum(e, op));
	put(o, "approvals", view_approvals(e, op));
	put(o, "steps", steps);
	return o;
}
