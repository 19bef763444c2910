/* load_traffic.c: traffic providers and notify channels. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"
#include "warroom/io.h"

/* Strings outside of runbooks, with ${var.X} only. */
static const wr_string_rule VARS = {.form = WR_F_LINE, .templates = true};

static const char *address_problem(const char *s)
{
	const char *colon;
	if (strncmp(s, "unix:", 5) == 0 && s[5] != '\0')
		return strlen(s + 5) < 108 ? NULL : "a socket's path has at most 107 bytes";
	if (strncmp(s, "tcp:", 4) == 0 && (colon = strrchr(s + 4, ':')) != NULL && colon > s + 4) {
		size_t digits = strspn(colon + 1, "0123456789");
		if (digits > 0 && digits <= 5 && colon[1 + digits] == '\0') return NULL;
	}
	return "expected unix:/path/of/socket or tcp:HOST:PORT";
}

static const char *load_address(wr_map *m)
{
	char path[160], out[176];
	wr_string_rule rule = VARS;
	rule.problem = address_problem;
	const char *s = wr_get_string(m, "address", &rule, NULL);
	if (strncmp(s, "unix:", 5) != 0 || s[5] == '/') return s;
	if (wr_path_join(path, sizeof path, m->l->c->dir, s + 5, NULL) != 0 || strlen(path) > 107) {
		wr_ynode_error(m->l->f, m->node, "address", "a socket's path has at most 107 bytes");
		return s;
	}
	snprintf(out, sizeof out, "unix:%s", path);
	return wr_arena_dup(m->l->arena, out, strlen(out));
}

static void load_haproxy(wr_map *m, wr_traffic *t)
{
	static const wr_string_rule name = {.form = WR_F_NAME};
	wr_loader *l = m->l;
	t->address = load_address(m);
	t->backend = wr_get_name(m, "backend", NULL);
	t->servers = wr_get_pairs(m, "servers", &name, WR_MAX_REGIONS, &t->server_count);
	const wr_ynode *list = wr_map_get(m, "servers");
	if (list == NULL) wr_map_missing(m, "servers", "a mapping of region to server name");
	const char **regions = wr_arena_zero(l->arena, t->server_count + 1, sizeof *regions);
	const char *known[WR_MAX_REGIONS];
	for (size_t i = 0; i < l->c->region_count; i++) known[i] = l->c->regions[i].name;
	for (size_t i = 0; regions != NULL && i < t->server_count; i++) {
		regions[i] = t->servers[i].key;
		if (wr_config_region(l->c, regions[i]) == NULL)
			wr_unknown_name(l, wr_ynode_get(list, regions[i]), "region", regions[i], known,
			                l->c->region_count);
	}
	t->regions = regions;
	t->region_count = regions != NULL ? t->server_count : 0;
}

static void load_served_regions(wr_map *m, wr_traffic *t)
{
	const wr_config *c = m->l->c;
	t->regions = wr_get_regions(m, "regions", &t->region_count);
	if (t->regions != NULL) return;
	const char **every = wr_arena_zero(m->l->arena, c->region_count + 1, sizeof *every);
	for (size_t i = 0; every != NULL && i < c->region_count; i++)
		if (c->regions[i].role != WR_WITNESS) every[t->region_count++] = c->regions[i].name;
	t->regions = every;
}

static const char *const *load_argv(wr_map *m, const char *key)
{
	size_t n;
	wr_string_rule raw = VARS;
	raw.form = WR_F_RAW;
	const char *const *argv = wr_get_strings(m, key, &raw, WR_MAX_ARGV, false, &n);
	if (n == 0 || argv[0][0] == '\0')
		wr_map_missing(m, key, "a list: the program and its arguments");
	return argv;
}

static void load_provider(wr_loader *l, wr_ynode *n, wr_traffic *t, const wr_traffic *all,
                          size_t before)
{
	static const char *const kinds[] = {"haproxy", "http", "exec"};
	wr_map m;
	*t = (wr_traffic){.name = "", .address = "", .backend = ""};
	if (!wr_map_open(&m, l, n, "a traffic provider")) return;
	t->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", t->name, all, before, sizeof *all);
	t->kind = (wr_traffic_kind)wr_get_enum(&m, "provider", kinds, 3, -1);
	if (t->kind == WR_TRAFFIC_HAPROXY) {
		load_haproxy(&m, t);
	} else {
		load_served_regions(&m, t);
	}
	if (t->kind == WR_TRAFFIC_HTTP) {
		wr_string_rule url = VARS;
		url.problem = wr_url_problem;
		t->address = wr_get_string(&m, "url", &url, NULL);
		t->headers = wr_load_headers(&m, &VARS, &t->header_count);
	} else if (t->kind == WR_TRAFFIC_EXEC) {
		t->get_argv = load_argv(&m, "get");
		t->set_argv = load_argv(&m, "set");
	}
	t->ttl_s = (int)(wr_get_duration(&m, "ttl", 0, 7 * INT64_C(86400000), 60000) / 1000);
	wr_load_pace(&m, &t->interval_ms, &t->timeout_ms);
	wr_map_close(&m);
}

void wr_load_traffic(wr_loader *l, wr_map *top)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(top, "traffic", WR_MAX_TRAFFIC, &n);
	wr_traffic *out = wr_arena_zero(l->arena, n, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next, i++) load_provider(l, it, &out[i], out, i);
	l->c->traffic = out;
	l->c->traffic_count = i;
}

/* The URL of a channel may be a secret as a whole: then only its shape as a reference is known. */
static const char *channel_url_problem(const char *s)
{
	return strncmp(s, "${", 2) == 0 ? NULL : wr_url_problem(s);
}

static void load_channel(wr_loader *l, wr_ynode *n, wr_notify *x, const wr_notify *all,
                         size_t before)
{
	static const char *const kinds[] = {"webhook", "slack", "pagerduty"};
	size_t at = 0, len;
	wr_map m;
	*x = (wr_notify){.name = "", .kind = kinds[0], .url = ""};
	if (!wr_map_open(&m, l, n, "a notify channel")) return;
	x->name = wr_get_name(&m, "name", NULL);
	wr_check_unique(l, n, "name", x->name, all, before, sizeof *all);
	x->kind = kinds[wr_get_enum(&m, "kind", kinds, 3, 0)];
	wr_string_rule url = VARS;
	url.secrets = true;
	url.problem = channel_url_problem;
	x->url = wr_get_string(&m, "url", &url, NULL);
	if (strstr(x->url, "://hooks.slack.com/") != NULL && !wr_secret_find(x->url, &at, &len))
		wr_ynode_error(l->f, n, "url",
		               "a Slack webhook's URL is a secret: write ${env:NAME} or ${file:PATH}");
	x->headers = wr_load_headers(&m, &VARS, &x->header_count);
	wr_map_close(&m);
}

void wr_load_notify(wr_loader *l, wr_map *top)
{
	size_t n, i = 0;
	wr_ynode *it = wr_get_seq(top, "notify", WR_MAX_NOTIFY, &n);
	wr_notify *out = wr_arena_zero(l->arena, n, sizeof *out);
	if (out == NULL) return;
	for (; it != NULL; it = it->next, i++) load_channel(l, it, &out[i], out, i);
	l->c->notify = out;
	l->c->notify_count = i;
}
