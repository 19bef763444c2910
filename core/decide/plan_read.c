/* plan_read.c: reading a plan's steps, and the names in plans and receipts. Pure. */
#include <string.h>

#include "decide/internal.h"
#include "warroom/json.h"

int wr_kind_parse(const char *name)
{
	for (int k = 0; k < WR_STEP_KIND_COUNT; k++)
		if (!strcmp(name, wr_step_kind_name((wr_step_kind)k))) return k;
	return -1;
}

int wr_phase_parse_name(const char *name)
{
	for (int p = 0; p < WR_PHASE_COUNT; p++)
		if (!strcmp(name, wr_phase_name((wr_phase)p))) return p;
	return -1;
}

static const char *const class_names[] = {"idempotent", "probeable", "opaque"};
static const char *const failure_names[] = {"hold", "rollback", "abort", "continue"};

const char *wr_step_class_text(wr_step_class c)
{
	return class_names[c];
}

const char *wr_on_failure_text(wr_on_failure f)
{
	return failure_names[f];
}

static int find_name(const char *const *names, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(names[i], name)) return i;
	return -1;
}

int wr_class_parse_name(const char *name)
{
	return find_name(class_names, 3, name);
}

int wr_on_failure_parse_name(const char *name)
{
	return find_name(failure_names, 4, name);
}

int wr_rb_kind_parse_name(const char *name)
{
	for (int k = WR_RB_FAILOVER; k <= WR_RB_OTHER; k++)
		if (!strcmp(name, wr_runbook_kind_name((wr_runbook_kind)k))) return k;
	return -1;
}

bool wr_kind_fences(wr_step_kind k)
{
	return k != WR_STEP_NOTIFY && k != WR_STEP_SOAK;
}

bool wr_kind_waits(wr_step_kind k)
{
	return k == WR_STEP_WAIT || k == WR_STEP_SOAK || k == WR_STEP_MANUAL;
}

bool wr_guarded_kind(wr_step_kind kind, wr_phase phase, wr_step_class step_class)
{
	if (kind == WR_STEP_TRAFFIC) return true;
	if (kind != WR_STEP_HTTP && kind != WR_STEP_EXEC) return false;
	bool looks = phase == WR_PHASE_PROVE || phase == WR_PHASE_VERIFY || phase == WR_PHASE_ANNOUNCE;
	return !(looks && step_class == WR_IDEMPOTENT);
}

static int or_zero(int parsed)
{
	return parsed < 0 ? 0 : parsed;
}

bool wr_step_view(step_view *v, const wr_op *op, size_t index, bool undo)
{
	memset(v, 0, sizeof *v);
	v->step = wr_op_plan_step(op, index);
	if (!v->step || index >= op->step_count) return false;
	const json_t *holder = undo ? json_object_get(v->step, "rollback") : v->step;
	const char *kind = wr_json_str(holder, "kind", "");
	v->action = json_object_get(holder, kind);
	int k = wr_kind_parse(kind);
	if (!v->action || k < 0) return false;
	v->name = wr_json_str(v->step, "name", "");
	v->kind = (wr_step_kind)k;
	v->phase = (wr_phase)or_zero(wr_phase_parse_name(wr_json_str(v->step, "phase", "")));
	/* An unknown class is the careful one. */
	int c = wr_class_parse_name(wr_json_str(v->step, "class", ""));
	v->step_class = c < 0 ? WR_OPAQUE : (wr_step_class)c;
	v->on_failure =
	    (wr_on_failure)or_zero(wr_on_failure_parse_name(wr_json_str(v->step, "on_failure", "")));
	/* Who only looks has nothing to undo: a rollback acts, in whatever phase its step is. */
	v->guarded = wr_guarded_kind(v->kind, v->phase, undo ? WR_OPAQUE : v->step_class);
	v->retries = (int)wr_json_int(v->step, "retries", 0);
	v->timeout_ms = wr_json_int(v->step, "timeout_ms", 0);
	v->backoff_ms = wr_json_int(v->step, "backoff_ms", 0);
	v->has_probe = json_is_object(json_object_get(v->step, "probe"));
	return true;
}
