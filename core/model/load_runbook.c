/* load_runbook.c: runbooks and their steps: files named in the configuration, or inline. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static const wr_string_rule TEXT = {.form = WR_F_TEXT, .templates = true, .every_pair = true};

static const char *date_problem(const char *s)
{
	static const char shape[] = "dddd-dd-dd";
	bool ok = strlen(s) == sizeof shape - 1;
	for (size_t i = 0; ok && shape[i] != '\0'; i++)
		ok = shape[i] == 'd' ? s[i] >= '0' && s[i] <= '9' : s[i] == shape[i];
	if (ok) {
		int month = (s[5] - '0') * 10 + s[6] - '0', day = (s[8] - '0') * 10 + s[9] - '0';
		ok = month >= 1 && month <= 12 && day >= 1 && day <= 31;
	}
	return ok ? NULL : "expected a date such as 2026-01-25";
}

/* What a step is if it does not say: what can be done twice without harm is idempotent; what
 * cannot is probeable where there is a probe, and opaque where there is none. */
static wr_step_class default_class(const wr_step *s)
{
	const wr_action *a = &s->action;
	bool safe = a->kind != WR_STEP_HTTP && a->kind != WR_STEP_EXEC;
	if (a->kind == WR_STEP_HTTP)
		safe = strcmp(a->http.method, "GET") == 0 || strcmp(a->http.method, "HEAD") == 0;
	if (safe) return WR_IDEMPOTENT;
	return s->has_probe ? WR_PROBEABLE : WR_OPAQUE;
}

static int64_t default_timeout(const wr_action *a)
{
	switch (a->kind) {
	case WR_STEP_WAIT:
		return 10 * MINUTE_MS;
	case WR_STEP_SOAK:
		return a->duration_ms + 5 * MINUTE_MS;
	case WR_STEP_MANUAL:
		return HOUR_MS;
	case WR_STEP_HTTP:
	case WR_STEP_EXEC:
	case WR_STEP_TRAFFIC:
	case WR_STEP_NOTIFY:
	case WR_STEP_KIND_COUNT:
		break;
	}
	return 30000;
}

static void load_sub_actions(wr_map *m, wr_step *s)
{
	wr_map sub;
	wr_loader *l = m->l;
	wr_ynode *n = wr_map_get(m, "rollback");
	if (n != NULL && wr_map_open(&sub, l, n, "one action such as http: {…}")) {
		s->has_rollback = true;
		wr_load_action(&sub, &s->rollback);
		wr_map_close(&sub);
		if (s->rollback.kind == WR_STEP_SOAK)
			wr_ynode_error(l->f, n, "soak", "a rollback must act: a soak cannot undo anything");
	}
	n = wr_map_get(m, "probe");
	if (n != NULL && wr_map_open(&sub, l, n, "http or exec, and until")) {
		s->has_probe = true;
		wr_load_probe_action(&sub, &s->probe);
		wr_map_close(&sub);
	}
}

static void check_times(wr_loader *l, const wr_ynode *n, const wr_step *s)
{
	const wr_action *a = &s->action;
	if (a->kind == WR_STEP_SOAK && s->timeout_ms < a->duration_ms)
		wr_ynode_error(l->f, n, "timeout", "the step would time out before its soak is over");
	if (a->kind == WR_STEP_WAIT && s->timeout_ms <= a->hold_ms)
		wr_ynode_error(l->f, n, "timeout", "the step would time out before hold is over");
	if (a->kind == WR_STEP_WAIT && s->timeout_ms <= a->every_ms)
		wr_ynode_error(l->f, n, "timeout",
		               "the step would time out before its second look (every)");
}

static void load_conduct(wr_map *m, wr_step *s)
{
	static const char *const classes[] = {"idempotent", "probeable", "opaque"};
	static const char *const failures[] = {"hold", "rollback", "abort", "continue"};
	wr_loader *l = m->l;
	s->step_class = (wr_step_class)wr_get_enum(m, "class", classes, 3, (int)default_class(s));
	if (s->step_class == WR_PROBEABLE && !s->has_probe)
		wr_ynode_error(l->f, m->node, "probe",
		               "missing: a step of class probeable says with a probe whether it was done");
	s->timeout_ms = wr_get_duration(m, "timeout", 1, 7 * DAY_MS, default_timeout(&s->action));
	check_times(l, m->node, s);
	s->retries = wr_get_int(m, "retries", 0, 100, 0);
	s->backoff_ms = wr_get_duration(m, "backoff", 10, HOUR_MS, 1000);
	s->optional = wr_get_bool(m, "optional", false);
	s->on_failure = (wr_on_failure)wr_get_enum(m, "on_failure", failures, 4,
	                                           s->optional ? WR_FAIL_CONTINUE : WR_FAIL_HOLD);
	if (s->optional && s->on_failure != WR_FAIL_CONTINUE)
		wr_ynode_error(l->f, m->node, "on_failure", "an optional step continues on failure");
	s->usual_ms = wr_get_duration(m, "usual", 0, 7 * DAY_MS, 0);
}

static void load_step(wr_loader *l, wr_ynode *n, wr_step *s, const wr_step *all, size_t before)
{
	wr_map m;
	*s = (wr_step){.name = "", .why = "", .look_at = "", .danger = "", .go_back = ""};
	if (!wr_map_open(&m, l, n, "a step")) return;
	s->line = n->line;
	s->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", s->name, all, before, sizeof *all);
	s->phase = (wr_phase)wr_get_enum(&m, "phase", wr_phase_names, WR_PHASE_COUNT, WR_PHASE_OTHER);
	s->why = wr_get_string(&m, "why", &TEXT, "");
	s->look_at = wr_get_string(&m, "look_at", &TEXT, "");
	s->danger = wr_get_string(&m, "danger", &TEXT, "");
	s->go_back = wr_get_string(&m, "go_back", &TEXT, "");
	wr_load_action(&m, &s->action);
	load_sub_actions(&m, s);
	load_conduct(&m, s);
	wr_map_close(&m);
}

static void load_steps(wr_loader *l, wr_map *runbook, wr_runbook *out)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(runbook, "steps", WR_MAX_STEPS, &n);
	const wr_ynode *list = wr_map_get(runbook, "steps");
	wr_step *steps = wr_arena_zero(l->arena, n, sizeof *steps);
	if (n == 0 && (list == NULL || list->kind == WR_Y_SEQ))
		wr_map_missing(runbook, "steps", "a list of at least one step");
	if (steps == NULL) return;
	for (; it != NULL; it = it->next, i++) load_step(l, it, &steps[i], steps, i);
	out->steps = steps;
	out->step_count = i;
}

static void load_runbook(wr_loader *l, wr_ynode *n, wr_runbook *rb, const wr_runbook *all,
                         size_t before)
{
	static const wr_string_rule line = {.form = WR_F_TEXT};
	static const wr_string_rule date = {.form = WR_F_LINE, .problem = date_problem};
	wr_map m;
	if (!wr_map_open(&m, l, n, "a runbook")) return;
	rb->line = n->line;
	rb->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", rb->name, all, before, sizeof *all);
	rb->title = wr_get_text(&m, "title", rb->name);
	rb->kind = (wr_runbook_kind)wr_get_enum(&m, "kind", wr_runbook_kind_names,
	                                        WR_RUNBOOK_KIND_COUNT, WR_RB_OTHER);
	rb->group = wr_get_name(&m, "group", "main");
	rb->owner = wr_get_text(&m, "owner", "");
	rb->reviewed = wr_get_string(&m, "reviewed", &date, "");
	rb->prerequisites =
	    wr_get_strings(&m, "prerequisites", &line, WR_MAX_LIST, false, &rb->prerequisite_count);
	load_steps(l, &m, rb);
	wr_map_close(&m);
}

void wr_load_runbooks(wr_loader *l, wr_map *top)
{
	size_t n, count = 0;
	wr_ynode *it = wr_get_seq(top, "runbooks", WR_MAX_RUNBOOKS, &n);
	wr_runbook *out = wr_arena_zero(l->arena, n, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next) {
		wr_runbook *rb = &out[count];
		wr_ynode *body = it;
		*rb = (wr_runbook){.name = "",
		                   .title = "",
		                   .owner = "",
		                   .reviewed = "",
		                   .group = "main",
		                   .kind = WR_RB_OTHER,
		                   .file = l->c->path};
		if (it->kind == WR_Y_SCALAR) body = wr_load_file(l, it, &rb->file);
		if (body == NULL) continue;
		load_runbook(l, body, rb, out, count);
		l->runbooks[count++] = body;
	}
	l->c->runbooks = out;
	l->c->runbook_count = count;
}
