/* load_archive.c: ledger.export, where copies of the receipts go each day, and ledger.anchor, who
 * stamps the checkpoints. */
#include <stdio.h>
#include <string.h>

#include "model/load.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* "12:00" or "12:00:30", UTC. */
static int64_t load_time_of_day(wr_map *m, const char *key, const char *dflt)
{
	static const wr_string_rule line = {.form = WR_F_LINE};
	const char *s = wr_get_string(m, key, &line, dflt);
	size_t n = strlen(s);
	bool ok = n == 5 || n == 8;
	int part[3] = {0};
	for (size_t i = 0; ok && i < n; i++) {
		bool digit = s[i] >= '0' && s[i] <= '9';
		ok = i % 3 == 2 ? s[i] == ':' : digit;
		if (ok && digit) part[i / 3] = part[i / 3] * 10 + (s[i] - '0');
	}
	if (ok && part[0] < 24 && part[1] < 60 && part[2] < 60)
		return part[0] * HOUR_MS + part[1] * MINUTE_MS + part[2] * INT64_C(1000);
	wr_ynode_error(m->l->f, m->node, key,
	               "expected a time of day in UTC such as \"12:00\" (in quotes)");
	return 0;
}

/* Only a reference: a secret does not stand in a configuration. */
static const char *load_secret(wr_map *m, const char *key, const char *dflt)
{
	static const wr_string_rule rule = {.form = WR_F_LINE, .templates = true, .secrets = true};
	const char *s = wr_get_string(m, key, &rule, dflt);
	size_t at = 0, len;
	if (s[0] != '\0' && (!wr_secret_find(s, &at, &len) || at != 0 || s[len] != '\0'))
		wr_ynode_error(m->l->f, m->node, key,
		               "a secret must not stand in the configuration: write ${env:NAME} or "
		               "${file:PATH}, and nothing beside it");
	return s;
}

static const char *load_url(wr_map *m, const char *key, bool bare)
{
	static const wr_string_rule rule = {
	    .form = WR_F_LINE, .templates = true, .problem = wr_url_problem};
	const char *s = wr_get_string(m, key, &rule, NULL);
	if (strpbrk(s, bare ? "?#" : "#") != NULL)
		wr_ynode_error(m->l->f, m->node, key, "expected a URL without %s", bare ? "? and #" : "#");
	return s;
}

/* Parts of a path: they go into URLs, and what is signed is what they are. */
static const char *segments_problem(const char *s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                              "-._~/=";
	if (s[strspn(s, allowed)] != '\0' || s[0] == '/' || strstr(s, "//") != NULL)
		return "expected letters, digits and - . _ ~ =, parts separated by single slashes";
	char around[WR_STR_MAX + 3];
	snprintf(around, sizeof around, "/%s/", s);
	if (strstr(around, "/../") != NULL || strstr(around, "/./") != NULL)
		return "expected no part that is . or ..";
	return NULL;
}

static const char *load_segments(wr_map *m, const char *key, bool several)
{
	static const wr_string_rule rule = {.form = WR_F_LINE, .problem = segments_problem};
	const char *s = wr_get_string(m, key, &rule, "");
	if (!several && strchr(s, '/') != NULL)
		wr_ynode_error(m->l->f, m->node, key, "expected a name without slashes");
	return s;
}

static void load_store(wr_loader *l, wr_ynode *n, wr_export_plan *p)
{
	wr_map m;
	if (!wr_map_open(&m, l, n,
	                 "a directory, or url, region, bucket, prefix, access_key, secret_key"))
		return;
	p->url = load_url(&m, "url", true);
	p->bucket = load_segments(&m, "bucket", false);
	p->prefix = load_segments(&m, "prefix", true);
	p->access_key = load_secret(&m, "access_key", "");
	bool keyed = p->access_key[0] != '\0';
	p->secret_key = load_secret(&m, "secret_key", keyed ? NULL : "");
	p->session_token = load_secret(&m, "session_token", "");
	p->region = wr_get_name(&m, "region", keyed ? NULL : "");
	if (!keyed && (p->secret_key[0] != '\0' || p->session_token[0] != '\0'))
		wr_map_missing(&m, "access_key", "the key's id, as ${env:NAME} or ${file:PATH}");
	p->tls_ca = wr_get_path(&m, "tls_ca", "");
	p->timeout_ms = wr_get_duration(&m, "timeout", 1000, DAY_MS, 5 * MINUTE_MS);
	wr_map_close(&m);
}

static int64_t load_keep(wr_map *m)
{
	const wr_ynode *n = wr_map_get(m, "keep");
	if (n != NULL && n->kind == WR_Y_SCALAR && strcmp(n->text, "forever") == 0) return 0;
	return wr_get_duration(m, "keep", DAY_MS, 36500 * DAY_MS, 90 * DAY_MS);
}

static const wr_export_plan *load_export(wr_loader *l, wr_ynode *n)
{
	wr_map m;
	wr_export_plan *p = wr_arena_zero(l->arena, 1, sizeof *p);
	if (p == NULL || !wr_map_open(&m, l, n, "to, at, keep")) return NULL;
	p->dir = p->url = p->bucket = p->prefix = p->region = p->tls_ca = "";
	p->access_key = p->secret_key = p->session_token = "";
	p->at_ms = load_time_of_day(&m, "at", "12:00");
	p->keep_ms = load_keep(&m);
	wr_ynode *to = wr_map_get(&m, "to");
	if (to == NULL)
		wr_map_missing(&m, "to", "a directory, or where to PUT: {url: …}");
	else if (to->kind == WR_Y_SCALAR)
		p->dir = wr_get_path(&m, "to", NULL);
	else
		load_store(l, to, p);
	/* Who can write the one can write the other. */
	size_t len = strlen(l->c->ledger_dir);
	if (p->dir[0] != '\0' && len > 0 && strncmp(p->dir, l->c->ledger_dir, len) == 0 &&
	    (p->dir[len] == '/' || p->dir[len] == '\0'))
		wr_ynode_error(l->f, n, "to",
		               "this is inside the ledger's own directory: give another, best on another "
		               "disk");
	wr_map_close(&m);
	return p;
}

static const wr_anchor_plan *load_anchor(wr_loader *l, wr_ynode *n)
{
	wr_map m;
	wr_anchor_plan *p = wr_arena_zero(l->arena, 1, sizeof *p);
	if (p == NULL || !wr_map_open(&m, l, n, "url, ca, every")) return NULL;
	p->url = load_url(&m, "url", false);
	p->ca_file = wr_get_path(&m, "ca", NULL);
	if (p->ca_file[0] != '\0') wr_check_file(l, n, "ca", p->ca_file, false);
	p->tls_ca = wr_get_path(&m, "tls_ca", "");
	p->every_ms = wr_get_duration(&m, "every", MINUTE_MS, 365 * DAY_MS, HOUR_MS);
	p->timeout_ms = wr_get_duration(&m, "timeout", 1000, HOUR_MS, MINUTE_MS / 2);
	wr_map_close(&m);
	return p;
}

void wr_load_archive(wr_loader *l, wr_map *ledger)
{
	wr_ynode *to = wr_map_get(ledger, "export"), *tsa = wr_map_get(ledger, "anchor");
	if (to != NULL) l->c->ledger_export = load_export(l, to);
	if (tsa != NULL) l->c->ledger_anchor = load_anchor(l, tsa);
}
