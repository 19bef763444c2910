/* check_runbook.c: warnings about the order and the conduct of a runbook's steps. */
#include <string.h>

#include "model/check.h"
#include "warroom/clock.h"

typedef struct book {
	wr_loader *l;
	const wr_runbook *rb;
	const wr_ynode *steps;
} book;

static const wr_ynode *step_node(const book *b, size_t i)
{
	const wr_ynode *n = b->steps->first;
	for (; n->next != NULL && i > 0; i--) n = n->next;
	return n;
}

static bool has_phase(const book *b, wr_phase phase, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (b->rb->steps[i].phase == phase) return true;
	return false;
}

static bool is_effect(const wr_action *a)
{
	return a->kind == WR_STEP_HTTP || a->kind == WR_STEP_EXEC || a->kind == WR_STEP_TRAFFIC;
}

/* Law 6, and its mirror: what may never be lifted behind a promotion's back. */
static void check_fence(const book *b, size_t i)
{
	const wr_step *s = &b->rb->steps[i];
	wr_findings *f = b->l->f;
	if (s->phase == WR_PHASE_PROMOTE && is_effect(&s->action) &&
	    !has_phase(b, WR_PHASE_FENCE, 0, i))
		wr_ynode_warn(f, step_node(b, i), "phase",
		              "promotes without an earlier fence: two regions may take writes");
	if (s->phase == WR_PHASE_FENCE && s->has_rollback &&
	    has_phase(b, WR_PHASE_PROMOTE, i + 1, b->rb->step_count))
		wr_ynode_warn(f, step_node(b, i), "rollback",
		              "would lift the fence when a later step fails, perhaps after the promotion");
	if (s->phase == WR_PHASE_FENCE &&
	    (s->action.kind == WR_STEP_NOTIFY || s->action.kind == WR_STEP_SOAK))
		wr_ynode_warn(f, step_node(b, i), "phase", "a step of kind %s fences nothing",
		              wr_step_kind_name(s->action.kind));
	if (s->phase == WR_PHASE_FENCE && s->optional)
		wr_ynode_warn(f, step_node(b, i), "optional", "a fence that may fail fences nothing");
}

/* docs/receipts.md: idempotent steps of these phases need no approvals. */
static void check_guarded(const book *b, size_t i)
{
	const wr_step *s = &b->rb->steps[i];
	bool quiet =
	    s->phase == WR_PHASE_PROVE || s->phase == WR_PHASE_VERIFY || s->phase == WR_PHASE_ANNOUNCE;
	if (s->step_class == WR_OPAQUE && s->retries > 0 && is_effect(&s->action))
		wr_ynode_warn(b->l->f, step_node(b, i), "retries",
		              "an opaque step is not retried once it may have happened: give it a probe");
	if (!quiet || s->step_class != WR_IDEMPOTENT) return;
	if (s->action.kind == WR_STEP_TRAFFIC || (is_effect(&s->action) && s->has_rollback))
		wr_ynode_warn(b->l->f, step_node(b, i), "phase",
		              "idempotent steps of phase %s need no approvals, but this one changes the "
		              "platform",
		              wr_phase_name(s->phase));
}

static void check_soak(const book *b, size_t i)
{
	const wr_config *c = b->l->c;
	const wr_action *a = &b->rb->steps[i].action;
	if (a->kind != WR_STEP_SOAK) return;
	for (size_t k = 0; k < c->signal_count; k++) {
		const wr_signal *s = &c->signals[k];
		bool gate = a->gate_count == 0 && s->signal_class != WR_CLASS_REFERENCE;
		for (size_t g = 0; g < a->gate_count && !gate; g++) gate = !strcmp(a->gates[g], s->name);
		if (!gate || a->duration_ms / s->interval_ms >= a->min_samples) continue;
		char every[16];
		wr_duration_words(every, sizeof every, s->interval_ms);
		wr_ynode_warn(b->l->f, step_node(b, i), "soak",
		              "too short for %d samples of signal %s, which has one every %s: it can only "
		              "end INCONCLUSIVE",
		              a->min_samples, s->name, every);
		return;
	}
}

static bool serves(const wr_traffic *t, const char *region)
{
	for (size_t i = 0; i < t->region_count; i++)
		if (strcmp(t->regions[i], region) == 0) return true;
	return false;
}

static void check_served(const book *b, size_t i)
{
	const wr_config *c = b->l->c;
	const wr_action *a = &b->rb->steps[i].action;
	const wr_traffic *t = a->kind == WR_STEP_TRAFFIC ? wr_config_traffic(c, a->traffic) : NULL;
	if (t == NULL) return;
	for (size_t r = 0; r < c->region_count; r++) {
		if (c->regions[r].role == WR_WITNESS || serves(t, c->regions[r].name)) continue;
		wr_ynode_warn(b->l->f, step_node(b, i), "traffic",
		              "%s has no traffic in %s: this runbook cannot be used from or to there",
		              t->name, c->regions[r].name);
		return;
	}
}

static void check_use(const book *b)
{
	const wr_config *c = b->l->c;
	bool used = c->service_count == 0;
	for (size_t i = 0; i < c->service_count && !used; i++)
		used = strcmp(c->services[i].group, b->rb->group) == 0;
	if (!used)
		wr_ynode_warn(b->l->f, b->l->runbooks[b->rb - c->runbooks], "group",
		              "no service is in group %s", b->rb->group);
}

void wr_check_runbook(wr_loader *l, size_t index)
{
	book b = {.l = l, .rb = &l->c->runbooks[index]};
	b.steps = wr_ynode_get(l->runbooks[index], "steps");
	check_use(&b);
	if (b.steps == NULL || b.steps->first == NULL) return;
	for (size_t i = 0; i < b.rb->step_count; i++) {
		check_fence(&b, i);
		check_guarded(&b, i);
		check_soak(&b, i);
		check_served(&b, i);
	}
}
