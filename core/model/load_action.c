/* load_action.c: one effect of a runbook: http, exec, traffic, wait, soak, manual, notify. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static const wr_string_rule LINE = {.form = WR_F_LINE, .templates = true, .every_pair = true};
static const wr_string_rule TEXT = {.form = WR_F_TEXT, .templates = true, .every_pair = true};

static const wr_probe NO_PROBE = {.url = "",
                                  .method = "GET",
                                  .body = "",
                                  .ca_file = "",
                                  .pointer = "",
                                  .metric = "",
                                  .query = ""};

static void load_expect_status(wr_map *m, wr_action *a)
{
	wr_ynode *n = wr_map_get(m, "expect_status");
	if (n == NULL) return;
	if (n->kind == WR_Y_SCALAR) {
		a->expect_status[0] = (int)wr_node_int(m->l, n, 100, 599, 200);
		a->expect_count = 1;
		return;
	}
	size_t count;
	size_t most = sizeof a->expect_status / sizeof a->expect_status[0];
	for (wr_ynode *it = wr_get_seq(m, "expect_status", most, &count); it != NULL; it = it->next)
		a->expect_status[a->expect_count++] = (int)wr_node_int(m->l, it, 100, 599, 200);
}

static void load_http(wr_map *m, wr_action *a)
{
	wr_load_http_parts(m, &a->http, &LINE);
	load_expect_status(m, a);
	a->expect = wr_get_expr(m, "expect", NULL);
}

static void load_exec(wr_map *m, wr_action *a)
{
	wr_load_exec_parts(m, &a->http, &LINE);
	a->cwd = wr_get_path(m, "cwd", "");
	a->expect = wr_get_expr(m, "expect", NULL);
}

/* ---- traffic ---- */

static bool serves(const wr_traffic *t, const char *region)
{
	for (size_t i = 0; i < t->region_count; i++)
		if (strcmp(t->regions[i], region) == 0) return true;
	return false;
}

static const char *resolve(const char *region, const wr_scope *scope)
{
	if (strcmp(region, "${from}") == 0) return scope->from->name;
	return strcmp(region, "${to}") == 0 ? scope->to->name : region;
}

/* The region that two keys of the weights name for this pair, or NULL. */
static const char *named_twice(const wr_action *a, const wr_scope *scope)
{
	for (size_t i = 0; i < a->weight_count; i++) {
		const char *x = resolve(a->weights[i].region, scope);
		for (size_t j = 0; j < i; j++)
			if (strcmp(x, resolve(a->weights[j].region, scope)) == 0) return x;
	}
	return NULL;
}

static void check_weight_names(wr_loader *l, const wr_ynode *n, const wr_action *a)
{
	wr_scope scope;
	for (size_t i = 0; wr_next_pair(l->c, &i, &scope);) {
		const char *twice = l->c->region_count > 1 ? named_twice(a, &scope) : NULL;
		if (twice == NULL) continue;
		wr_ynode_error(l->f, n, NULL, "names %s twice (from %s to %s)", twice, scope.from->name,
		               scope.to->name);
		return;
	}
}

static void load_weight(wr_loader *l, wr_ynode *it, wr_action *a, const wr_traffic *provider)
{
	const wr_config *c = l->c;
	const char *known[WR_MAX_REGIONS + 2];
	bool side = strcmp(it->key, "${from}") == 0 || strcmp(it->key, "${to}") == 0;
	for (size_t i = 0; i < c->region_count; i++) known[i] = c->regions[i].name;
	known[c->region_count] = "${from}";
	known[c->region_count + 1] = "${to}";
	if (!side && wr_config_region(c, it->key) == NULL)
		wr_unknown_name(l, it, "region", it->key, known, c->region_count + 2);
	else if (!side && provider != NULL && !serves(provider, it->key))
		wr_ynode_error(l->f, it, NULL, "the provider %s has no traffic in %s", provider->name,
		               it->key);
	wr_weight *w = &a->weights[a->weight_count++];
	w->region = wr_arena_dup(l->arena, it->key, strlen(it->key));
	w->percent = (int)wr_node_int(l, it, 0, 100, 0);
}

static void load_weights(wr_map *m, wr_action *a, const wr_traffic *provider)
{
	wr_map w;
	int sum = 0;
	wr_ynode *n = wr_map_get(m, "weights");
	if (n == NULL) {
		wr_map_missing(m, "weights", "a mapping of region to per cent");
		return;
	}
	if (!wr_map_open(&w, m->l, n, "region: per cent")) return;
	if (n->count > WR_MAX_REGIONS) {
		wr_ynode_error(m->l->f, n, NULL, "expected at most %d regions", WR_MAX_REGIONS);
		return;
	}
	for (wr_ynode *it = n->first; it != NULL; it = it->next) {
		load_weight(m->l, it, a, provider);
		sum += a->weights[a->weight_count - 1].percent;
	}
	if (sum != 100)
		wr_ynode_error(m->l->f, n, NULL, "expected weights that sum to 100, found %d", sum);
	check_weight_names(m->l, n, a);
}

static void load_traffic(wr_map *m, wr_action *a)
{
	const wr_config *c = m->l->c;
	const char *known[WR_MAX_TRAFFIC];
	const wr_ynode *n = wr_map_get(m, "provider");
	const char *only = c->traffic_count == 1 ? c->traffic[0].name : NULL;
	a->traffic = wr_get_name(m, "provider", only);
	const wr_traffic *t = wr_config_traffic(c, a->traffic);
	for (size_t i = 0; i < c->traffic_count; i++) known[i] = c->traffic[i].name;
	if (t == NULL && n != NULL && a->traffic[0] != '\0')
		wr_unknown_name(m->l, n, "traffic provider", a->traffic, known, c->traffic_count);
	load_weights(m, a, t);
}

/* ---- wait, soak, manual, notify ---- */

static void load_wait(wr_map *m, wr_action *a)
{
	wr_load_probe(m, &a->http, &LINE, WR_PROBES_ACT, true);
	a->until = wr_get_expr(m, "until", NULL);
	if (a->until == NULL && wr_map_get(m, "until") == NULL)
		wr_map_missing(m, "until", "a condition such as value == true");
	a->every_ms = wr_get_duration(m, "every", 100, HOUR_MS, 1000);
	a->hold_ms = wr_get_duration(m, "hold", 0, DAY_MS, 0);
}

static void unknown_gate(wr_loader *l, const wr_ynode *n, const char *name)
{
	const char *near = NULL;
	for (size_t i = 0; i < l->c->signal_count && near == NULL; i++)
		near = wr_nearest(name, &l->c->signals[i].name, 1);
	wr_ynode_error(l->f, n, NULL, "unknown signal \"%.63s\"%s%s%s", name,
	               near != NULL ? ": did you mean \"" : "", near != NULL ? near : "",
	               near != NULL ? "\"?" : "");
}

/* A gate names a signal, whatever the two regions are. */
static void check_gate(wr_loader *l, const wr_ynode *n, const char *gate)
{
	const wr_config *c = l->c;
	wr_scope scope;
	for (size_t i = 0; wr_next_pair(c, &i, &scope);) {
		wr_buf_reset(&l->scratch);
		if (wr_template_run(&l->scratch, gate, c, &scope, NULL) != 0) return;
		const char *name = wr_buf_cstr(&l->scratch);
		if (!wr_is_signal(l, name)) {
			unknown_gate(l, n, name);
			return;
		}
		if (strstr(gate, "${") == NULL) return;
	}
}

static void load_soak(wr_map *m, wr_action *a)
{
	a->duration_ms = wr_get_duration(m, "duration", 1000, DAY_MS, -1);
	a->gates = wr_get_strings(m, "gates", &LINE, WR_MAX_LIST, true, &a->gate_count);
	wr_ynode *n = wr_map_get(m, "gates");
	for (size_t i = 0; i < a->gate_count; i++) check_gate(m->l, n, a->gates[i]);
	a->min_samples = wr_get_int(m, "min_samples", 1, 1000000, 5);
}

static void load_notify(wr_map *m, wr_action *a)
{
	const wr_config *c = m->l->c;
	const char *known[WR_MAX_NOTIFY];
	const wr_ynode *n = wr_map_get(m, "channel");
	a->channel = wr_get_name(m, "channel", NULL);
	a->text = wr_get_string(m, "text", &TEXT, NULL);
	for (size_t i = 0; i < c->notify_count; i++) known[i] = c->notify[i].name;
	if (n != NULL && a->channel[0] != '\0' && wr_config_notify(c, a->channel) == NULL)
		wr_unknown_name(m->l, n, "notify channel", a->channel, known, c->notify_count);
}

/* ---- the kinds ---- */

static void load_kind(wr_loader *l, wr_ynode *n, wr_action *a)
{
	static const char *const form[WR_STEP_KIND_COUNT] = {
	    [WR_STEP_HTTP] = "{method: …, url: …}",
	    [WR_STEP_EXEC] = "{argv: [PROGRAM, ARGUMENT, …]}",
	    [WR_STEP_TRAFFIC] = "{weights: {REGION: PERCENT, …}}",
	    [WR_STEP_WAIT] = "{http: …, until: …}",
	    [WR_STEP_SOAK] = "{duration: …}",
	    [WR_STEP_MANUAL] = "{ask: TEXT}",
	    [WR_STEP_NOTIFY] = "{channel: NAME, text: TEXT}",
	};
	wr_map m;
	/* `manual: TEXT` and `http: URL` would read well, but a step is rare and its text is long:
	 * one form only, so that every runbook looks the same. */
	if (!wr_map_open(&m, l, n, form[a->kind])) return;
	switch (a->kind) {
	case WR_STEP_HTTP:
		load_http(&m, a);
		break;
	case WR_STEP_EXEC:
		load_exec(&m, a);
		break;
	case WR_STEP_TRAFFIC:
		load_traffic(&m, a);
		break;
	case WR_STEP_WAIT:
		load_wait(&m, a);
		break;
	case WR_STEP_SOAK:
		load_soak(&m, a);
		break;
	case WR_STEP_MANUAL:
		a->ask = wr_get_string(&m, "ask", &TEXT, NULL);
		break;
	case WR_STEP_NOTIFY:
		load_notify(&m, a);
		break;
	case WR_STEP_KIND_COUNT:
		break;
	}
	wr_map_close(&m);
}

void wr_load_probe_action(wr_map *m, wr_action *a)
{
	*a = (wr_action){.kind = WR_STEP_WAIT,
	                 .http = NO_PROBE,
	                 .cwd = "",
	                 .traffic = "",
	                 .ask = "",
	                 .channel = "",
	                 .text = ""};
	load_wait(m, a);
}

void wr_load_action(wr_map *m, wr_action *a)
{
	wr_ynode *found = NULL;
	*a = (wr_action){.kind = WR_STEP_MANUAL,
	                 .http = NO_PROBE,
	                 .cwd = "",
	                 .traffic = "",
	                 .ask = "",
	                 .channel = "",
	                 .text = ""};
	for (int k = 0; k < WR_STEP_KIND_COUNT; k++) {
		wr_ynode *n = wr_map_get(m, wr_step_kind_names[k]);
		if (n == NULL) continue;
		if (found != NULL) {
			wr_ynode_error(m->l->f, n, NULL, "a step does one thing, but there is %s too",
			               found->key);
			continue;
		}
		found = n;
		a->kind = (wr_step_kind)k;
		load_kind(m->l, n, a);
	}
	if (found == NULL)
		wr_ynode_error(
		    m->l->f, m->node, NULL,
		    "expected what to do: one of http, exec, traffic, wait, soak, manual, notify");
}
