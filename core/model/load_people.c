/* load_people.c: operators and what their approvals must be. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"

static void load_operator(wr_loader *l, wr_ynode *n, wr_operator *o, const wr_operator *all,
                          size_t before)
{
	static const wr_string_rule role = {.form = WR_F_NAME};
	wr_map m;
	*o = (wr_operator){.principal = "", .name = "", .key_file = ""};
	if (!wr_map_open(&m, l, n, "a person")) return;
	o->principal = wr_get_name(&m, "principal", NULL);
	wr_check_unique(l, n, "principal", o->principal, all, before, sizeof *all);
	o->name = wr_get_text(&m, "name", o->principal);
	o->roles = wr_get_strings(&m, "roles", &role, WR_MAX_ROLES, false, &o->role_count);
	if (o->role_count == 0 && wr_map_get(&m, "roles") == NULL)
		wr_map_missing(&m, "roles", "a list of roles");
	o->key_file = wr_get_path(&m, "key", "");
	if (o->key_file[0] != '\0') wr_check_file(l, n, "key", o->key_file, true);
	wr_map_close(&m);
}

static void load_operators(wr_loader *l, wr_map *top)
{
	wr_map m;
	size_t n, i = 0;
	wr_config *c = l->c;
	wr_ynode *section = wr_map_get(top, "operators");
	c->allowed_signers = "";
	if (section == NULL || !wr_map_open(&m, l, section, "allowed_signers and people")) return;
	c->allowed_signers = wr_get_path(&m, "allowed_signers", "allowed_signers");
	wr_check_file(l, section, "allowed_signers", c->allowed_signers, false);
	wr_ynode *it = wr_get_seq(&m, "people", WR_MAX_OPERATORS, &n);
	wr_operator *out = wr_arena_zero(l->arena, n, sizeof *out);
	for (; out != NULL && it != NULL; it = it->next, i++) load_operator(l, it, &out[i], out, i);
	c->operators = out;
	c->operator_count = i;
	wr_map_close(&m);
}

/* ---- approvals ---- */

static bool holds(const wr_operator *o, const char *role)
{
	for (size_t i = 0; i < o->role_count; i++)
		if (strcmp(o->roles[i], role) == 0) return true;
	return false;
}

typedef struct matching {
	const wr_config *c;
	const wr_approval_policy *p;
	size_t person[WR_MAX_ROLES];    /* that stands for a role, + 1; 0 none */
	bool visited[WR_MAX_OPERATORS]; /* in this search */
} matching;

/* One augmenting path of a bipartite matching: can `role` have a person of its own? */
static bool assign(matching *m, size_t role)
{
	for (size_t i = 0; i < m->c->operator_count; i++) {
		if (m->visited[i] || !holds(&m->c->operators[i], m->p->roles[role])) continue;
		m->visited[i] = true;
		size_t taken = m->p->role_count;
		for (size_t r = 0; r < m->p->role_count; r++)
			if (m->person[r] == i + 1) taken = r;
		if (taken == m->p->role_count || assign(m, taken)) {
			m->person[role] = i + 1;
			return true;
		}
	}
	return false;
}

static void check_quorum(wr_loader *l, const wr_ynode *at, const char *kind,
                         const wr_approval_policy *p)
{
	const wr_config *c = l->c;
	matching m = {.c = c, .p = p};
	bool all_held = true;
	for (size_t r = 0; r < p->role_count; r++) {
		bool held = false;
		for (size_t i = 0; i < c->operator_count && !held; i++)
			held = holds(&c->operators[i], p->roles[r]);
		all_held = all_held && held;
		if (!held)
			wr_ynode_error(l->f, at, NULL, "nobody has the role \"%s\", which %s needs",
			               p->roles[r], kind);
	}
	if (!all_held) return;
	size_t met = 0;
	for (size_t r = 0; r < p->role_count; r++) {
		memset(m.visited, 0, sizeof m.visited);
		met += assign(&m, r);
	}
	if (met < p->role_count || c->operator_count < 2)
		wr_ynode_error(l->f, at, NULL,
		               "%s needs %zu different people for its roles, but only %zu can be found",
		               kind, p->role_count < 2 ? 2 : p->role_count,
		               c->operator_count < 2 ? c->operator_count : met);
}

static void load_policy(wr_map *approvals, const char *kind, wr_approval_policy *p)
{
	static const wr_string_rule role = {.form = WR_F_NAME};
	static const char *const usual[] = {"sre", "on_call", NULL};
	wr_map m;
	*p = (wr_approval_policy){.roles = usual,
	                          .role_count = 2,
	                          .least = WR_SHARED_TERMINAL,
	                          .expires_ms = WR_APPROVAL_EXPIRY_MAX_S * INT64_C(1000)};
	wr_ynode *n = approvals->node != NULL ? wr_map_get(approvals, kind) : NULL;
	if (n == NULL || !wr_map_open(&m, approvals->l, n, "roles, assurance, expires")) return;
	size_t count;
	const char *const *roles = wr_get_strings(&m, "roles", &role, WR_MAX_ROLES, false, &count);
	if (roles != NULL && count > 0) {
		p->roles = roles;
		p->role_count = count;
	} else if (wr_map_get(&m, "roles") != NULL) {
		wr_ynode_error(m.l->f, n, "roles", "expected a list of at least one role");
	}
	p->least = (wr_assurance)wr_get_enum(&m, "assurance", wr_assurance_names, WR_ASSURANCE_COUNT,
	                                     WR_SHARED_TERMINAL);
	p->expires_ms = wr_get_duration(&m, "expires", 10000, p->expires_ms, p->expires_ms);
	wr_map_close(&m);
}

static bool has_runbook(const wr_config *c, wr_runbook_kind kind)
{
	for (size_t i = 0; i < c->runbook_count; i++)
		if (c->runbooks[i].kind == kind) return true;
	return false;
}

void wr_load_people(wr_loader *l, wr_map *top)
{
	wr_config *c = l->c;
	wr_approval_policy *policies[] = {&c->approve_failover, &c->approve_failback,
	                                  &c->approve_other};
	wr_ynode *section = wr_map_get(top, "approvals");
	wr_map m = {.l = l};
	load_operators(l, top);
	bool open = section != NULL && wr_map_open(&m, l, section, "failover, failback, other");
	if (!open) m.node = NULL;
	for (int k = 0; k < WR_RUNBOOK_KIND_COUNT; k++) {
		const char *kind = wr_runbook_kind_names[k];
		load_policy(&m, kind, policies[k]);
		const wr_ynode *said = open ? wr_ynode_get(section, kind) : NULL;
		const wr_ynode *people = wr_map_get(top, "operators");
		/* Without any operator the platform is watched only: a warning says so (check.c). */
		if (said != NULL || (people != NULL && has_runbook(c, (wr_runbook_kind)k)))
			check_quorum(l, said != NULL ? said : people, kind, policies[k]);
	}
	if (open) wr_map_close(&m);
}
