/* load_foreign.c: ledger.foreign: the chains of the platform's own receipts that the engine
 * follows.
 *
 * An entry may name `regions: [a, b]` (or `all`): it is then one chain for each. Every chain
 * is also a fact of kind chain of its region and, unless told not to, a signal of class ledger, so
 * that guards and verdicts see it like anything else that is watched. */
#include <string.h>

#include "model/load.h"
#include "warroom/io.h"
#include "warroom/profile.h"

#define DAY_MS INT64_C(86400000)

static const wr_profile *load_profile(wr_map *m)
{
	wr_loader *l = m->l;
	wr_ynode *n = wr_map_get(m, "profile");
	wr_profile *p = wr_arena_zero(l->arena, 1, sizeof *p);
	const char *path = "", *dir = l->c->dir;
	if (n == NULL) wr_map_missing(m, "profile", "a profile: a file's name, or its keys");
	if (n == NULL || p == NULL) return p;
	if (n->kind == WR_Y_SCALAR) {
		n = wr_load_file(l, n, &path);
		const char *slash = strrchr(path, '/');
		/* Paths in a file start at its own directory. */
		if (slash != NULL) l->c->dir = wr_arena_dup(l->arena, path, (size_t)(slash - path));
	}
	if (n != NULL) wr_read_profile(l, n, p);
	l->c->dir = dir;
	return p;
}

static const char *load_source(wr_map *m, const wr_region *region, const wr_profile *p)
{
	wr_string_rule rule = {.form = WR_F_LINE, .templates = true, .scope = {.region = region}};
	const char *s = wr_get_string(m, "source", &rule, NULL);
	wr_ynode *n = wr_map_get(m, "source");
	if (s[0] == '\0') return s;
	if (wr_source_is_url(s)) {
		const char *problem = wr_url_problem(s);
		if (problem != NULL) wr_ynode_error(m->l->f, n, NULL, "%s", problem);
		return s;
	}
	if (strstr(s, "://") != NULL)
		wr_ynode_error(m->l->f, n, NULL, "expected the path of a file, or an http or https URL");
	if (p != NULL && p->style != WR_PAGE_NONE)
		wr_ynode_warn(m->l->f, n, NULL,
		              "a file has no pages: the profile's pages mean nothing here");
	char path[WR_STR_MAX + 1];
	if (wr_path_join(path, sizeof path, m->l->c->dir, s, NULL) != 0) {
		wr_ynode_error(m->l->f, n, NULL, "this path is too long");
		return "";
	}
	return wr_arena_dup(m->l->arena, path, strlen(path));
}

static size_t load_entry(wr_loader *l, wr_ynode *n, wr_foreign_chain *out, size_t before,
                         size_t room)
{
	wr_map m;
	const wr_region *regions[WR_MAX_REGIONS] = {NULL};
	size_t kept = 0;
	if (!wr_map_open(&m, l, n, "a chain: name, region, profile, source")) return 0;
	size_t count = wr_load_region_set(&m, regions, true);
	const wr_profile *p = load_profile(&m);
	if (count == 0) count = 1;
	for (; kept < count && kept < room; kept++) {
		wr_foreign_chain *c = &out[before + kept];
		*c = (wr_foreign_chain){.name = "", .profile = p};
		if (!wr_get_name_of(&m, "name", regions[kept], &c->name))
			wr_map_missing(&m, "name", "a name");
		c->region = regions[kept] != NULL ? regions[kept]->name : "";
		c->source = load_source(&m, regions[kept], p);
		c->every_ms = wr_get_duration(&m, "every", 100, DAY_MS, 10000);
		c->audit_every_ms = wr_get_duration(&m, "audit_every", 1000, 365 * DAY_MS, DAY_MS / 24);
		c->signal = wr_get_bool(&m, "signal", true);
		c->fresh_ms = wr_get_duration(&m, "fresh", 0, 365 * DAY_MS, 0);
		wr_check_unique(l, n, "name", c->name, out, before + kept, sizeof *out);
		if (c->fresh_ms > 0 && p != NULL && p->time[0] == '\0')
			wr_ynode_error(l->f, n, "fresh",
			               "how old a record is needs fields.time in the profile");
	}
	if (kept < count) wr_ynode_error(l->f, n, NULL, "more than %d chains in all", WR_MAX_FOREIGN);
	wr_map_close(&m);
	return kept;
}

void wr_load_foreign(wr_loader *l, wr_map *ledger)
{
	size_t n, count = 0;
	wr_ynode *it = wr_get_seq(ledger, "foreign", WR_MAX_FOREIGN, &n);
	wr_foreign_chain *out = wr_arena_zero(l->arena, n > 0 ? WR_MAX_FOREIGN : 0, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next)
		count += load_entry(l, it, out, count, WR_MAX_FOREIGN - count);
	l->c->foreign = out;
	l->c->foreign_count = count;
}

/* ---- what is derived ---- */

static const wr_probe NO_PROBE = {.kind = WR_PROBE_FED, .url = "", .method = "GET", .body = ""};

size_t wr_foreign_signals(wr_loader *l, const wr_ynode *at, wr_signal *out, size_t before,
                          size_t room)
{
	size_t kept = 0, i = 0;
	for (; i < l->c->foreign_count && kept < room; i++) {
		const wr_foreign_chain *c = &l->c->foreign[i];
		if (!c->signal) continue;
		wr_signal *s = &out[before + kept];
		*s = (wr_signal){.name = c->name,
		                 .region = c->region,
		                 .service = "",
		                 .observer = l->c->observer,
		                 .signal_class = WR_CLASS_LEDGER,
		                 .probe = NO_PROBE,
		                 .interval_ms = c->every_ms,
		                 .timeout_ms = c->profile->timeout_ms,
		                 .breach_after = 1,
		                 .clear_after = 1,
		                 .breach_when = wr_parse_expr(l, at, "value == false")};
		wr_check_unique(l, at, "ledger.foreign", s->name, out, before + kept, sizeof *out);
		kept++;
	}
	if (i < l->c->foreign_count)
		wr_ynode_error(l->f, at, NULL, "more than %d signals in all", WR_MAX_SIGNALS);
	return kept;
}

size_t wr_foreign_facts(wr_loader *l, const wr_ynode *at, wr_fact *out, size_t before, size_t room)
{
	size_t i = 0;
	for (; i < l->c->foreign_count && i < room; i++) {
		const wr_foreign_chain *c = &l->c->foreign[i];
		wr_fact *f = &out[before + i];
		*f = (wr_fact){.name = c->name,
		               .region = c->region,
		               .kind = WR_FACT_CHAIN,
		               .probe = NO_PROBE,
		               .need = wr_parse_expr(l, at, "value == true"),
		               .interval_ms = c->every_ms,
		               .timeout_ms = c->profile->timeout_ms};
		wr_check_unique(l, at, "ledger.foreign", f->name, out, before + i, sizeof *out);
	}
	if (i < l->c->foreign_count)
		wr_ynode_error(l->f, at, NULL, "more than %d facts in all", WR_MAX_FACTS);
	return i;
}
