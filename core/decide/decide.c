/* decide.c: one event in, receipts and commands out; and the small tools of every decision. Pure.
 *
 * Where things are: signed.c takes what people signed, run.c drives operations, step.c one step,
 * back.c the way back, checks.c what must hold before a step, finish.c the end, verdicts.c the
 * world. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define TEXT_MAX (56u << 10) /* of one string in a receipt: the envelope has to fit beside it */

void wr_put(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(out, size, fmt, ap) < 0) out[0] = '\0';
	va_end(ap);
}

const char *wr_role_text(wr_role r)
{
	static const char *const names[] = {"primary", "standby", "witness"};
	return (unsigned)r < 3 ? names[r] : "?";
}

int wr_region_index(const wr_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->region_count; i++)
		if (!strcmp(cfg->regions[i].name, name)) return (int)i;
	return -1;
}

int wr_verdict_rank(wr_verdict v)
{
	switch (v) {
	case WR_V_HEALTHY:
		return 0;
	case WR_V_UNKNOWN:
		return 1;
	case WR_V_DEGRADED:
		return 2;
	case WR_V_SUSPECT:
		return 3;
	default:
		return 4;
	}
}

/* ---- drafts ---- */

void wr_set_str(json_t *draft, const char *key, const char *value)
{
	wr_buf clean = WR_BUF_INIT(TEXT_MAX);
	wr_sanitise(&clean, value, strnlen(value, TEXT_MAX), true);
	json_t *text = json_stringn(wr_buf_cstr(&clean), clean.len);
	wr_buf_free(&clean);
	if (!text || json_object_set_new(draft, key, text) != 0) wr_die("out of memory for a receipt");
}

void wr_set_int(json_t *draft, const char *key, int64_t value)
{
	if (value > WR_INT_MAX_SAFE) value = WR_INT_MAX_SAFE;
	if (value < -WR_INT_MAX_SAFE) value = -WR_INT_MAX_SAFE;
	if (json_object_set_new(draft, key, json_integer(value)) != 0)
		wr_die("out of memory for a receipt");
}

void wr_set_bool(json_t *draft, const char *key, bool value)
{
	if (json_object_set_new(draft, key, json_boolean(value)) != 0)
		wr_die("out of memory for a receipt");
}

void wr_set_time(json_t *draft, const char *key, int64_t us)
{
	char text[WR_TIME_LEN] = "";
	if (us > 0) wr_time_format(text, us);
	wr_set_str(draft, key, text);
}

json_t *wr_draft(const wr_decision *d, const char *operation)
{
	json_t *draft = json_object();
	if (!draft) wr_die("out of memory for a receipt");
	wr_set_str(draft, "operation", operation);
	if (d->s->incident[0]) wr_set_str(draft, "incident", d->s->incident);
	return draft;
}

size_t wr_room(const wr_decision *d)
{
	return WR_MAX_EFFECTS - d->out->receipt_count;
}

void wr_wake(wr_decision *d, int64_t at_us)
{
	if (at_us <= 0) return;
	if (!d->out->wake_us || at_us < d->out->wake_us) d->out->wake_us = at_us;
}

bool wr_emit(wr_decision *d, json_t *draft)
{
	wr_wake(d, d->now_us); /* what follows from it is decided when it is folded */
	if (!wr_room(d)) {
		json_decref(draft);
		return false;
	}
	d->out->receipts[d->out->receipt_count++] = draft;
	return true;
}

json_t *wr_transition(const wr_decision *d, const wr_op *op, const char *id, const char *fmt, ...)
{
	char reason[256];
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(reason, sizeof reason, fmt, ap) < 0) reason[0] = '\0';
	va_end(ap);
	const wr_rule *rule = wr_rule_id(id);
	WR_ASSERT(rule->from == op->state);
	json_t *draft = wr_draft(d, wr_rule_receipt_name(rule));
	wr_set_str(draft, "operation_id", op->id);
	wr_set_str(draft, "reason", reason);
	wr_set_str(draft, "rule", id);
	return draft;
}

/* No hash came with the event, or one of another operation: plan it again to know. */
static void own_steps_hash(const wr_decision *d, const wr_op *op, char hex[static WR_HEX_LEN])
{
	const wr_runbook *rb = wr_config_runbook(d->cfg, op->runbook);
	int from = wr_region_index(d->cfg, op->from), to = wr_region_index(d->cfg, op->to);
	hex[0] = '\0';
	if (!rb || from < 0 || to < 0) return;
	wr_err err = {0};
	json_t *plan = wr_plan_make(d->cfg, d->s, d->w, rb, (size_t)from, (size_t)to, op->plan_hash,
	                            d->now_us, &err);
	if (plan) wr_put(hex, WR_HEX_LEN, "%s", wr_json_str(plan, "steps_hash", ""));
	json_decref(plan);
}

bool wr_drifted(const wr_decision *d, const wr_op *op)
{
	char own[WR_HEX_LEN];
	if (!d->ev->steps_hash_now) {
		own_steps_hash(d, op, own);
		return strcmp(own, op->steps_hash) != 0;
	}
	const char *id = d->ev->steps_hash_op;
	if (!id && d->ev->sign) id = d->ev->sign->operation_id;
	if (!id && d->ev->report) id = d->ev->report->operation_id;
	if (!id) {
		const wr_op *active = wr_state_active(d->s, NULL);
		id = active ? active->id : "";
	}
	if (!strcmp(id, op->id)) return strcmp(d->ev->steps_hash_now, op->steps_hash) != 0;
	own_steps_hash(d, op, own);
	return strcmp(own, op->steps_hash) != 0;
}

void wr_effects_clear(wr_effects *e)
{
	for (size_t i = 0; i < e->receipt_count; i++) json_decref(e->receipts[i]);
	memset(e, 0, sizeof *e);
}

/* Law 2, in the last place where it can be seen: no start without its intent in the same unit. */
static bool intent_beside(const wr_effects *out, const wr_command *c)
{
	for (size_t i = 0; i < out->receipt_count; i++) {
		const json_t *r = out->receipts[i];
		if (!strcmp(wr_json_str(r, "operation", ""), "step_intent") &&
		    !strcmp(wr_json_str(r, "operation_id", ""), c->operation_id) &&
		    wr_json_int(r, "index", -1) == (int64_t)c->index &&
		    wr_json_int(r, "attempt", -1) == c->attempt &&
		    wr_json_bool(r, "undo", !c->undo) == c->undo)
			return true;
	}
	return false;
}

void wr_decide(const wr_state *s, const wr_world *w, const wr_event *ev, int64_t now_us,
               wr_effects *out)
{
	wr_decision d = {.s = s, .w = w, .cfg = s->cfg, .ev = ev, .now_us = now_us, .out = out};
	memset(out, 0, sizeof *out);
	switch (ev->kind) {
	case WR_EV_STARTED:
		wr_decide_started(&d);
		break;
	case WR_EV_PROPOSE:
		wr_decide_propose(&d);
		break;
	case WR_EV_SIGNED:
		wr_decide_signed(&d);
		break;
	case WR_EV_RESULT:
		wr_decide_result(&d);
		break;
	case WR_EV_PROBED:
		wr_decide_probed(&d);
		break;
	case WR_EV_TICK:
		wr_decide_world(&d);
		wr_decide_operations(&d);
		break;
	}
	for (size_t i = 0; i < out->command_count; i++)
		WR_ASSERT(out->commands[i].kind != WR_CMD_START || intent_beside(out, &out->commands[i]));
}
