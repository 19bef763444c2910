/* plan_build.h: what plan.c and plan_action.c share while a plan is made. */
#ifndef WARROOM_DECIDE_PLAN_BUILD_H
#define WARROOM_DECIDE_PLAN_BUILD_H

#include "decide/internal.h"

typedef struct plan_maker {
	const wr_config *cfg;
	const wr_state *s;
	const wr_world *w;
	const wr_runbook *rb;
	const wr_region *from, *to;
	wr_err *err;
	bool failed; /* sticky; err says why */
} plan_maker;

/* Sets key in *o (stolen) or marks the failure. */
void wr_plan_set(plan_maker *m, json_t *o, const char *key, json_t *value);
void wr_plan_str(plan_maker *m, json_t *o, const char *key, const char *text); /* as it is */
void wr_plan_tpl(plan_maker *m, json_t *o, const char *key, const char *text); /* expanded */
json_t *wr_plan_object(plan_maker *m);
/* {kind, <kind>: {…}} of an action. New reference, or NULL. */
json_t *wr_plan_action(plan_maker *m, const wr_action *a);

#endif
