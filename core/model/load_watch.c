/* load_watch.c: what is watched: signals, references, links, facts, quotas.
 *
 * A signal or fact may name `regions: [a, b]` (or `all`) in place of one region: it is then one
 * signal for each, and its name and probe use ${region} and ${region.VAR}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/load.h"
#include "warroom/text.h"

#define DAY_MS INT64_C(86400000)

bool wr_get_name_of(wr_map *m, const char *key, const wr_region *region, const char **out)
{
	wr_string_rule rule = {.form = WR_F_LINE, .templates = true, .scope = {.region = region}};
	wr_ynode *n = wr_map_get(m, key);
	if (n == NULL) return false;
	*out = wr_node_string(m->l, n, &rule);
	if (*out == NULL) {
		*out = "";
	} else if (!wr_name_ok(*out)) {
		wr_ynode_error(m->l->f, n, NULL,
		               "expected a name (letters, digits and ._@-, at most 63), found \"%.60s\"",
		               *out);
		*out = "";
	}
	return true;
}

size_t wr_load_region_set(wr_map *m, const wr_region *out[static WR_MAX_REGIONS], bool required)
{
	wr_loader *l = m->l;
	const wr_config *c = l->c;
	wr_ynode *n = wr_map_get(m, "regions");
	size_t count = 0;
	if (n == NULL) {
		const char *name = wr_get_region(m, "region", required);
		if (name[0] != '\0') out[count++] = wr_config_region(c, name);
		return count;
	}
	if (wr_map_get(m, "region") != NULL)
		wr_ynode_error(l->f, n, NULL, "expected either region or regions, found both");
	if (n->kind == WR_Y_SCALAR && strcmp(n->text, "all") == 0) {
		for (size_t i = 0; i < c->region_count; i++)
			if (c->regions[i].role != WR_WITNESS) out[count++] = &c->regions[i];
		return count;
	}
	size_t named;
	const char *const *names = wr_get_regions(m, "regions", &named);
	for (size_t i = 0; i < named; i++) out[count++] = wr_config_region(c, names[i]);
	if (n->kind == WR_Y_SEQ && n->count == 0)
		wr_ynode_error(l->f, n, NULL, "expected at least one region, or all");
	return count;
}

/* ---- signals and references ---- */

static void load_signal(wr_loader *l, wr_map *m, wr_signal *s, const wr_region *region)
{
	wr_string_rule rule = {.form = WR_F_LINE, .templates = true, .scope = {.region = region}};
	s->name = "";
	if (!wr_get_name_of(m, "name", region, &s->name)) wr_map_missing(m, "name", "a name");
	s->region = region != NULL ? region->name : "";
	s->service = wr_get_service(m, "service");
	s->observer = wr_get_name(m, "observer", l->c->observer);
	wr_load_probe(m, &s->probe, &rule, WR_PROBES_ALL, true);
	wr_load_pace(m, &s->interval_ms, &s->timeout_ms);
	s->breach_after = wr_get_int(m, "breach_after", 1, 1000, 3);
	s->clear_after = wr_get_int(m, "clear_after", 1, 1000, 2);
	s->breach_when = wr_get_expr(
	    m, "breach_when", s->probe.kind == WR_PROBE_HTTP ? "error or status >= 400" : "error");
}

/* Returns how many were written. */
static size_t load_signal_entry(wr_loader *l, wr_ynode *n, bool reference, wr_signal *out,
                                size_t before, size_t room)
{
	wr_map m;
	const wr_region *regions[WR_MAX_REGIONS] = {NULL};
	size_t count = 1, kept = 0;
	int cls = WR_CLASS_REFERENCE;
	if (!wr_map_open(&m, l, n, reference ? "a reference" : "a signal")) return 0;
	if (!reference) {
		cls = wr_get_enum(&m, "class", wr_class_names, WR_CLASS_REFERENCE, -1);
		count = wr_load_region_set(&m, regions, true);
		/* Its other mistakes are worth knowing even when its region is not known. */
		if (count == 0) count = 1;
	}
	for (; kept < count && kept < room; kept++) {
		wr_signal *s = &out[before + kept];
		s->signal_class = (wr_class)cls;
		load_signal(l, &m, s, regions[kept]);
		wr_check_unique(l, n, "name", s->name, out, before + kept, sizeof *out);
	}
	if (kept < count) wr_ynode_error(l->f, n, NULL, "more than %d signals in all", WR_MAX_SIGNALS);
	wr_map_close(&m);
	return kept;
}

static int by_name(const void *a, const void *b)
{
	const char *x, *y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return strcmp(x, y);
}

bool wr_is_signal(const wr_loader *l, const char *name)
{
	return l->signal_names != NULL && bsearch(&name, l->signal_names, l->c->signal_count,
	                                          sizeof *l->signal_names, by_name) != NULL;
}

static void sort_names(wr_loader *l)
{
	const wr_config *c = l->c;
	l->signal_names = wr_arena_zero(l->tree, c->signal_count, sizeof *l->signal_names);
	if (l->signal_names == NULL) return;
	for (size_t i = 0; i < c->signal_count; i++) l->signal_names[i] = c->signals[i].name;
	qsort(l->signal_names, c->signal_count, sizeof *l->signal_names, by_name);
}

void wr_load_signals(wr_loader *l, wr_map *top)
{
	size_t signals, references, count = 0;
	wr_ynode *it = wr_get_seq(top, "signals", WR_MAX_SIGNALS, &signals);
	wr_ynode *ref = wr_get_seq(top, "references", WR_MAX_SIGNALS, &references);
	size_t room = signals * (l->c->region_count > 0 ? l->c->region_count : 1) + references +
	              l->c->foreign_count;
	if (room > WR_MAX_SIGNALS) room = WR_MAX_SIGNALS;
	wr_signal *out = wr_arena_zero(l->arena, room, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next)
		count += load_signal_entry(l, it, false, out, count, room - count);
	for (; ref != NULL; ref = ref->next)
		count += load_signal_entry(l, ref, true, out, count, room - count);
	count += wr_foreign_signals(l, top->node, out, count, room - count);
	l->c->signals = out;
	l->c->signal_count = count;
	sort_names(l);
}

/* ---- links ---- */

static bool load_measure(wr_map *link, const char *key, wr_probe *out, const wr_string_rule *rule)
{
	wr_map m;
	wr_ynode *n = wr_map_get(link, key);
	if (n == NULL) return false;
	if (!wr_map_open(&m, link->l, n, "a probe (http, scrape, promql or exec)")) return false;
	wr_load_probe(&m, out, rule, WR_PROBES_ALL, true);
	wr_map_close(&m);
	return true;
}

static bool load_state(wr_map *link, wr_link *k, const wr_string_rule *rule)
{
	wr_map m;
	wr_ynode *n = wr_map_get(link, "state");
	if (n == NULL) return false;
	if (!wr_map_open(&m, link->l, n, "a probe with ok")) return false;
	wr_load_probe(&m, &k->state, rule, WR_PROBES_ALL, true);
	k->state_ok = wr_get_expr(&m, "ok", NULL);
	if (k->state_ok == NULL && wr_map_get(&m, "ok") == NULL)
		wr_map_missing(&m, "ok", "a condition such as value == 'streaming'");
	wr_map_close(&m);
	return true;
}

static void load_link(wr_loader *l, wr_ynode *n, wr_link *k, const wr_link *all, size_t before)
{
	static const char *const kinds[] = {"postgres", "redis", "queue", "object", "custom"};
	wr_map m;
	*k = (wr_link){.name = "", .kind = "custom", .from = "", .to = "", .service = ""};
	if (!wr_map_open(&m, l, n, "a link")) return;
	k->name = wr_get_name(&m, "name", NULL);
	k->kind = kinds[wr_get_enum(&m, "kind", kinds, sizeof kinds / sizeof kinds[0], 4)];
	k->from = wr_get_region(&m, "from", true);
	k->to = wr_get_region(&m, "to", true);
	if (k->from[0] != '\0' && strcmp(k->from, k->to) == 0)
		wr_ynode_error(l->f, n, "to", "a link leads from one region to another");
	/* One name for both directions of a link is what people say: names are unique per direction. */
	for (size_t i = 0; i < before; i++)
		if (strcmp(all[i].name, k->name) == 0 && strcmp(all[i].from, k->from) == 0 &&
		    strcmp(all[i].to, k->to) == 0 && k->name[0] != '\0')
			wr_ynode_error(l->f, n, "name", "there is already a link \"%s\" from %s to %s", k->name,
			               k->from, k->to);
	k->service = wr_get_service(&m, "service");
	k->rpo_ms = wr_get_duration(&m, "rpo", 0, 365 * DAY_MS, -1);
	k->sync = wr_get_bool(&m, "sync", false);
	wr_string_rule rule = {
	    .form = WR_F_LINE,
	    .templates = true,
	    .scope = {.from = wr_config_region(l->c, k->from), .to = wr_config_region(l->c, k->to)}};
	k->has_seconds = load_measure(&m, "seconds", &k->seconds, &rule);
	k->has_bytes = load_measure(&m, "bytes", &k->bytes, &rule);
	k->has_receipts = load_measure(&m, "receipts", &k->receipts, &rule);
	k->has_state = load_state(&m, k, &rule);
	if (!k->has_seconds && !k->has_bytes && !k->has_receipts && !k->has_state)
		wr_ynode_error(l->f, n, NULL, "expected at least one of seconds, bytes, receipts, state");
	wr_load_pace(&m, &k->interval_ms, &k->timeout_ms);
	wr_map_close(&m);
}

void wr_load_links(wr_loader *l, wr_map *top)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(top, "links", WR_MAX_LINKS, &n);
	wr_link *out = wr_arena_zero(l->arena, n, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next, i++) load_link(l, it, &out[i], out, i);
	l->c->links = out;
	l->c->link_count = i;
}

/* ---- facts ---- */

static const char *default_need(wr_fact_kind k)
{
	switch (k) {
	case WR_FACT_CAPACITY:
		return "value >= 80";
	case WR_FACT_QUOTA:
		return "value <= 90";
	case WR_FACT_KEYS:
	case WR_FACT_CHAIN:
		return "value == true";
	case WR_FACT_BUILD:
	case WR_FACT_BACKUP:
	case WR_FACT_FREEZE:
	case WR_FACT_CUSTOM:
	case WR_FACT_COUNT:
		break;
	}
	return NULL;
}

static void load_fact(wr_loader *l, wr_map *m, wr_fact *x, const wr_region *region)
{
	wr_string_rule rule = {.form = WR_F_LINE, .templates = true, .scope = {.region = region}};
	const char *kind = wr_fact_kind_name(x->kind);
	x->region = region != NULL ? region->name : "";
	if (!wr_get_name_of(m, "name", region, &x->name)) {
		char name[2 * WR_NAME_MAX];
		snprintf(name, sizeof name, "%s%s%s", x->region, region != NULL ? "-" : "", kind);
		x->name = wr_arena_dup(l->arena, name, strlen(name));
	}
	wr_load_probe(m, &x->probe, &rule, WR_PROBES_ALL, true);
	wr_load_pace(m, &x->interval_ms, &x->timeout_ms);
	x->need = wr_get_expr(m, "need", default_need(x->kind));
	if (wr_map_get(m, "need") == NULL && (x->kind == WR_FACT_BACKUP || x->kind == WR_FACT_CUSTOM))
		wr_map_missing(m, "need", "a condition such as value < 6h");
}

static size_t load_fact_entry(wr_loader *l, wr_ynode *n, wr_fact *out, size_t before, size_t room)
{
	wr_map m;
	const wr_region *regions[WR_MAX_REGIONS] = {NULL};
	size_t kept = 0;
	if (!wr_map_open(&m, l, n, "a fact")) return 0;
	wr_fact_kind kind =
	    (wr_fact_kind)wr_get_enum(&m, "kind", wr_fact_kind_names, WR_FACT_COUNT, -1);
	bool anywhere = kind == WR_FACT_FREEZE || kind == WR_FACT_CHAIN || kind == WR_FACT_CUSTOM;
	size_t count = wr_load_region_set(&m, regions, !anywhere);
	if (count == 0) count = 1;
	for (; kept < count && kept < room; kept++) {
		wr_fact *x = &out[before + kept];
		x->kind = kind;
		load_fact(l, &m, x, regions[kept]);
		wr_check_unique(l, n, "name", x->name, out, before + kept, sizeof *out);
	}
	if (kept < count) wr_ynode_error(l->f, n, NULL, "more than %d facts in all", WR_MAX_FACTS);
	wr_map_close(&m);
	return kept;
}

void wr_load_facts(wr_loader *l, wr_map *top)
{
	size_t n, count = 0;
	wr_ynode *it = wr_get_seq(top, "facts", WR_MAX_FACTS, &n);
	size_t room = n * (l->c->region_count > 0 ? l->c->region_count : 1) + l->c->foreign_count;
	if (room > WR_MAX_FACTS) room = WR_MAX_FACTS;
	wr_fact *out = wr_arena_zero(l->arena, room, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next) count += load_fact_entry(l, it, out, count, room - count);
	count += wr_foreign_facts(l, top->node, out, count, room - count);
	l->c->facts = out;
	l->c->fact_count = count;
}

/* ---- quotas ---- */

static void load_quota(wr_loader *l, wr_ynode *n, wr_quota *q, const wr_quota *all, size_t before)
{
	static const char *const layers[] = {"fleet", "action", "tenant", "region"};
	wr_map m;
	*q = (wr_quota){.name = "", .layer = layers[0], .region = ""};
	if (!wr_map_open(&m, l, n, "a quota")) return;
	q->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", q->name, all, before, sizeof *all);
	q->layer = layers[wr_get_enum(&m, "layer", layers, 4, 0)];
	q->region = wr_get_region(&m, "region", strcmp(q->layer, "region") == 0);
	wr_string_rule rule = {.form = WR_F_LINE,
	                       .templates = true,
	                       .scope = {.region = wr_config_region(l->c, q->region)}};
	if (!load_measure(&m, "percent", &q->percent, &rule) && wr_map_get(&m, "percent") == NULL)
		wr_map_missing(&m, "percent", "a probe of the percentage used");
	q->has_after = load_measure(&m, "after_shift", &q->after_shift, &rule);
	q->alert_percent = wr_get_percent(&m, "alert", 80);
	wr_load_pace(&m, &q->interval_ms, &q->timeout_ms);
	wr_map_close(&m);
}

void wr_load_quotas(wr_loader *l, wr_map *top)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(top, "quotas", WR_MAX_QUOTAS, &n);
	wr_quota *out = wr_arena_zero(l->arena, n, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next, i++) load_quota(l, it, &out[i], out, i);
	l->c->quotas = out;
	l->c->quota_count = i;
}
