/* load_platform.c: regions, services, residency and guards. */
#include <string.h>

#include "model/load.h"

#define DAY_MS INT64_C(86400000)

/* ---- regions ---- */

static void load_region(wr_loader *l, wr_ynode *n, wr_region *r, const wr_region *all,
                        size_t before)
{
	static const char *const roles[] = {"primary", "standby", "witness"};
	static const wr_string_rule var = {.form = WR_F_LINE, .templates = true};
	wr_map m;
	*r = (wr_region){.name = "", .residency = ""};
	if (!wr_map_open(&m, l, n, "a region")) return;
	r->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", r->name, all, before, sizeof *all);
	r->role = (wr_role)wr_get_enum(&m, "role", roles, 3, WR_STANDBY);
	r->residency = wr_get_name(&m, "residency", "");
	r->vars = wr_get_pairs(&m, "vars", &var, WR_MAX_VARS, &r->var_count);
	wr_map_close(&m);
}

void wr_load_regions(wr_loader *l, wr_map *top)
{
	size_t n, i = 0, primaries = 0;
	wr_ynode *it = wr_get_seq(top, "regions", WR_MAX_REGIONS, &n);
	wr_region *out = wr_arena_zero(l->arena, n, sizeof *out);
	wr_ynode *list = wr_map_get(top, "regions");
	if (n == 0 && (list == NULL || list->kind == WR_Y_SEQ || list->len == 0))
		wr_map_missing(top, "regions", "a list of at least one region");
	if (out == NULL) return;
	for (; it != NULL; it = it->next, i++) {
		load_region(l, it, &out[i], out, i);
		primaries += out[i].role == WR_PRIMARY;
	}
	l->c->regions = out;
	l->c->region_count = i;
	if (primaries != 1)
		wr_ynode_error(l->f, list, NULL,
		               "expected exactly one region with role: primary, found %zu", primaries);
}

/* ---- services ---- */

static void load_service(wr_loader *l, wr_ynode *n, wr_service *s, const wr_service *all,
                         size_t before)
{
	wr_map m;
	*s = (wr_service){.name = "", .group = "main"};
	if (!wr_map_open(&m, l, n, "a service")) return;
	s->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", s->name, all, before, sizeof *all);
	s->group = wr_get_name(&m, "group", "main");
	s->tier = wr_get_int(&m, "tier", 0, 3, 1);
	s->rto_ms = wr_get_duration(&m, "rto", 1, 365 * DAY_MS, -1);
	s->rpo_ms = wr_get_duration(&m, "rpo", 0, 365 * DAY_MS, -1);
	s->regions = wr_get_regions(&m, "regions", &s->region_count);
	if (s->regions == NULL) {
		const char **every = wr_arena_zero(l->arena, l->c->region_count + 1, sizeof *every);
		for (size_t i = 0; every != NULL && i < l->c->region_count; i++)
			if (l->c->regions[i].role != WR_WITNESS)
				every[s->region_count++] = l->c->regions[i].name;
		s->regions = every;
	}
	wr_map_close(&m);
}

void wr_load_services(wr_loader *l, wr_map *top)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(top, "services", WR_MAX_SERVICES, &n);
	wr_service *out = wr_arena_zero(l->arena, n, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next, i++) load_service(l, it, &out[i], out, i);
	l->c->services = out;
	l->c->service_count = i;
}

/* ---- policy ---- */

static void check_residency(wr_map *m, const char *key, const char *name)
{
	const wr_config *c = m->l->c;
	const char *known[WR_MAX_REGIONS];
	const wr_ynode *n = wr_map_get(m, key);
	if (n == NULL || name[0] == '\0') return;
	for (size_t i = 0; i < c->region_count; i++) {
		if (strcmp(c->regions[i].residency, name) == 0) return;
		known[i] = c->regions[i].residency;
	}
	wr_unknown_name(m->l, n, "residency", name, known, c->region_count);
}

/* A service, or a group of services. */
static void check_service_or_group(wr_map *m, const char *name)
{
	const wr_config *c = m->l->c;
	const char *known[WR_MAX_SERVICES];
	for (size_t i = 0; i < c->service_count; i++) {
		if (strcmp(c->services[i].name, name) == 0 || strcmp(c->services[i].group, name) == 0)
			return;
		known[i] = c->services[i].name;
	}
	if (name[0] != '\0')
		wr_unknown_name(m->l, wr_map_get(m, "service"), "service or group", name, known,
		                c->service_count);
}

static const wr_pair *load_rules(wr_map *in, const char *key, const char *left, size_t *count)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(in, key, WR_MAX_LIST, &n);
	wr_pair *out = wr_arena_zero(in->l->arena, n, sizeof *out);
	*count = 0;
	if (out == NULL) return NULL;
	for (; it != NULL; it = it->next) {
		wr_map m;
		if (!wr_map_open(&m, in->l, it, "a rule")) continue;
		out[i].key = wr_get_name(&m, left, NULL);
		if (strcmp(left, "service") == 0) {
			check_service_or_group(&m, out[i].key);
			out[i].value = wr_get_region(&m, "to", true);
		} else {
			out[i].value = wr_get_name(&m, "to", NULL);
			check_residency(&m, left, out[i].key);
			check_residency(&m, "to", out[i].value);
		}
		wr_map_close(&m);
		i++;
	}
	*count = i;
	return out;
}

static const char *guard_problem(const char *s)
{
	size_t n = strlen(s);
	if (n > 0 && n < 40 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_:.-*") == n) return NULL;
	return "expected the name of a guard, as `warroom why failover` shows it";
}

void wr_load_policy(wr_loader *l, wr_map *top)
{
	static const wr_string_rule guard = {.form = WR_F_LINE, .problem = guard_problem};
	wr_config *c = l->c;
	wr_map m;
	wr_ynode *n = wr_map_get(top, "guards");
	if (n != NULL && wr_map_open(&m, l, n, "the guards' policy")) {
		c->advisory_guards =
		    wr_get_strings(&m, "advisory", &guard, WR_MAX_LIST, false, &c->advisory_count);
		wr_map_close(&m);
	}
	n = wr_map_get(top, "residency");
	if (n != NULL && wr_map_open(&m, l, n, "the residency rules")) {
		c->residency_allow = load_rules(&m, "allow", "from", &c->residency_allow_count);
		c->deny_failover = load_rules(&m, "deny_failover", "service", &c->deny_failover_count);
		wr_map_close(&m);
	}
}
