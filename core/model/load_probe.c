/* load_probe.c: where values come from: http, scrape, promql, exec; and the headers, argv and env
 * that runbook steps share with them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "model/load.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

const char *wr_url_problem(const char *url)
{
	size_t skip = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
	if (skip == 0) return "expected a URL that begins with http:// or https://";
	for (const char *s = url; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return "expected a URL without blanks or other characters than ASCII (encode as %20)";
	const char *host = url + skip;
	size_t len = strcspn(host, "/?#");
	if (len == 0 || host[0] == ':') return "expected a host in this URL";
	if (memchr(host, '@', len) != NULL)
		return "credentials do not belong in a URL: use a header with ${env:…} or ${file:…}";
	return NULL;
}

static const char *pointer_problem(const char *s)
{
	if (s[0] != '\0' && s[0] != '/') return "expected a JSON pointer (RFC 6901) such as /p95_ms";
	for (; (s = strchr(s, '~')) != NULL; s++)
		if (s[1] != '0' && s[1] != '1') return "in a JSON pointer, ~ is written ~0 and / is ~1";
	return NULL;
}

static const char *metric_problem(const char *s)
{
	for (size_t i = 0; s[i] != '\0'; i++) {
		bool ok = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_' ||
		          s[i] == ':' || (i > 0 && s[i] >= '0' && s[i] <= '9');
		if (!ok) return "expected the name of a metric such as http_requests_total";
	}
	return NULL;
}

/* ---- headers ---- */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcasecmp(s + n - m, end) == 0;
}

static bool holds_secret(const char *header)
{
	if (strcasecmp(header, "Idempotency-Key") == 0) return false;
	return strcasecmp(header, "Authorization") == 0 ||
	       strcasecmp(header, "Proxy-Authorization") == 0 || strcasecmp(header, "Cookie") == 0 ||
	       ends_with(header, "Token") || ends_with(header, "Key") || ends_with(header, "Secret") ||
	       ends_with(header, "Password");
}

static const char *header_name_problem(const char *s)
{
	static const char *const ours[] = {"Content-Length", "Transfer-Encoding", "Connection", "Host"};
	size_t n = strlen(s);
	if (n == 0 || n > WR_NAME_MAX ||
	    strspn(s, "!#$%&'*+-.^_`|~0123456789"
	              "abcdefghijklmnopqrstuvwxyz"
	              "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return "expected the name of a header";
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strcasecmp(s, ours[i]) == 0) return "this header is set by warroom itself";
	return NULL;
}

static void check_header(wr_loader *l, const wr_ynode *n, const wr_pair *all, size_t i)
{
	const char *problem = header_name_problem(all[i].key);
	size_t at = 0, len;
	if (problem != NULL) wr_ynode_error(l->f, n, NULL, "%s", problem);
	if (holds_secret(all[i].key) && !wr_secret_find(all[i].value, &at, &len))
		wr_ynode_error(l->f, n, NULL,
		               "a secret must not stand in the configuration: write ${env:NAME} or "
		               "${file:PATH}");
	for (size_t j = 0; j < i; j++)
		if (strcasecmp(all[i].key, all[j].key) == 0)
			wr_ynode_error(l->f, n, NULL, "this header is already given");
}

const wr_pair *wr_load_headers(wr_map *in, const wr_string_rule *rule, size_t *count)
{
	wr_string_rule line = *rule;
	line.form = WR_F_LINE;
	line.secrets = true;
	line.problem = NULL;
	const wr_pair *out = wr_get_pairs(in, "headers", &line, WR_MAX_HEADERS, count);
	const wr_ynode *all = wr_map_get(in, "headers");
	for (size_t i = 0; i < *count; i++) {
		const wr_ynode *n = wr_ynode_get(all, out[i].key);
		check_header(in->l, n != NULL ? n : all, out, i);
	}
	return out;
}

/* ---- the four kinds ---- */

/* Of a URL that is known already (http://, not templates); the loopback is not the network. */
static bool in_clear(const char *url)
{
	static const char *const local[] = {"127.", "localhost", "[::1]"};
	if (strncmp(url, "http://", 7) != 0 || url[7] == '$') return false;
	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
		if (strncmp(url + 7, local[i], strlen(local[i])) == 0) return false;
	return true;
}

/* What all that speak HTTP have. */
static void load_tls(wr_map *in, wr_probe *out, const wr_string_rule *rule)
{
	out->headers = wr_load_headers(in, rule, &out->header_count);
	out->ca_file = wr_get_path(in, "ca_file", "");
	out->insecure = wr_get_bool(in, "insecure", false);
	if (out->insecure)
		wr_ynode_warn(in->l->f, in->node, "insecure",
		              "TLS certificates are not checked: anybody on the way can answer");
	size_t at, len;
	for (size_t i = 0; i < out->header_count; i++) {
		at = 0;
		if (in_clear(out->url) && wr_secret_find(out->headers[i].value, &at, &len))
			wr_ynode_warn(in->l->f, in->node, "url",
			              "the secret in header %s crosses the network in clear text: use https",
			              out->headers[i].key);
	}
}

static const char *get_url(wr_map *in, const wr_string_rule *rule)
{
	wr_string_rule url = *rule;
	url.form = WR_F_LINE;
	url.secrets = false;
	url.problem = wr_url_problem;
	return wr_get_string(in, "url", &url, NULL);
}

static const char *get_pointer(wr_map *in)
{
	static const wr_string_rule rule = {.form = WR_F_LINE, .problem = pointer_problem};
	return wr_get_string(in, "pointer", &rule, "");
}

void wr_load_http_parts(wr_map *in, wr_probe *out, const wr_string_rule *rule)
{
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
	/* Watching must not change anything but by POST, which some health pages ask for. */
	size_t known = rule->every_pair ? sizeof methods / sizeof methods[0] : 3;
	wr_string_rule body = *rule;
	body.form = WR_F_RAW;
	body.secrets = true;
	body.problem = NULL;
	out->kind = WR_PROBE_HTTP;
	out->url = get_url(in, rule);
	out->method = methods[wr_get_enum(in, "method", methods, known, 0)];
	out->body = wr_get_string(in, "body", &body, "");
	out->pointer = get_pointer(in);
	load_tls(in, out, rule);
	if (out->body[0] != '\0' &&
	    (strcmp(out->method, "GET") == 0 || strcmp(out->method, "HEAD") == 0))
		wr_ynode_error(in->l->f, in->node, "body", "a %s request has no body: say method: POST",
		               out->method);
}

static void check_env(wr_loader *l, const wr_ynode *at, const wr_pair *env, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *key = env[i].key;
		const wr_ynode *n = wr_ynode_get(at, key);
		size_t from = 0, len;
		if (key[0] == '\0' || strchr(key, '=') != NULL || (key[0] >= '0' && key[0] <= '9'))
			wr_ynode_error(l->f, n, NULL, "expected the name of an environment variable");
		bool secret = ends_with(key, "TOKEN") || ends_with(key, "SECRET") ||
		              ends_with(key, "PASSWORD") || ends_with(key, "_KEY");
		if (secret && !wr_secret_find(env[i].value, &from, &len))
			wr_ynode_warn(l->f, n, NULL,
			              "looks like a secret written out: use ${env:NAME} or ${file:PATH}");
	}
}

void wr_load_exec_parts(wr_map *in, wr_probe *out, const wr_string_rule *rule)
{
	wr_string_rule raw = *rule;
	raw.form = WR_F_RAW;
	raw.secrets = false;
	raw.problem = NULL;
	out->kind = WR_PROBE_EXEC;
	out->argv = wr_get_strings(in, "argv", &raw, WR_MAX_ARGV, false, &out->argc);
	if (wr_ynode_get(in->node, "argv") == NULL)
		wr_map_missing(in, "argv", "a list: the program and its arguments");
	else if (out->argc == 0 || out->argv[0][0] == '\0')
		wr_ynode_error(in->l->f, in->node, "argv", "expected a list: the program, its arguments");
	raw.secrets = true;
	out->env = wr_get_pairs(in, "env", &raw, WR_MAX_LIST, &out->env_count);
	check_env(in->l, wr_map_get(in, "env"), out->env, out->env_count);
	out->pointer = get_pointer(in);
}

static void load_scrape(wr_map *in, wr_probe *out, const wr_string_rule *rule)
{
	static const wr_string_rule metric = {.form = WR_F_LINE, .problem = metric_problem};
	wr_string_rule label = *rule;
	label.form = WR_F_LINE;
	label.problem = NULL;
	out->url = get_url(in, rule);
	out->metric = wr_get_string(in, "metric", &metric, NULL);
	out->labels = wr_get_pairs(in, "labels", &label, WR_MAX_HEADERS, &out->label_count);
	load_tls(in, out, rule);
}

static void load_promql(wr_map *in, wr_probe *out, const wr_string_rule *rule)
{
	wr_string_rule query = *rule;
	query.form = WR_F_RAW;
	query.problem = NULL;
	out->url = get_url(in, rule);
	out->query = wr_get_string(in, "query", &query, NULL);
	load_tls(in, out, rule);
}

/* `http: URL` and `exec: [argv]` are short for the mapping with that one key. */
static bool load_short(wr_map *owner, wr_ynode *n, wr_probe *out, const wr_string_rule *rule)
{
	bool url = out->kind == WR_PROBE_HTTP && n->kind == WR_Y_SCALAR && n->len > 0;
	bool argv = out->kind == WR_PROBE_EXEC && n->kind == WR_Y_SEQ;
	if (!url && !argv) return false;
	/* A mapping around the value, that reports as the value itself does. */
	wr_ynode *value = wr_arena_zero(owner->l->tree, 2, sizeof *value);
	if (value == NULL) return true;
	wr_ynode *around = value + 1;
	*value = *n;
	*around = (wr_ynode){.kind = WR_Y_MAP,
	                     .line = n->line,
	                     .column = n->column,
	                     .key = n->key,
	                     .text = "",
	                     .parent = n->parent,
	                     .first = value,
	                     .last = value,
	                     .count = 1,
	                     .file = n->file};
	value->key = url ? "url" : "argv";
	value->parent = around;
	value->next = NULL;
	wr_map in = {.l = owner->l, .node = around};
	if (url)
		wr_load_http_parts(&in, out, rule);
	else
		wr_load_exec_parts(&in, out, rule);
	return true;
}

static void load_kind(wr_map *owner, wr_ynode *n, wr_probe *out, const wr_string_rule *rule)
{
	wr_map in;
	if (load_short(owner, n, out, rule)) return;
	if (!wr_map_open(&in, owner->l, n, "a probe")) return;
	switch (out->kind) {
	case WR_PROBE_HTTP:
		wr_load_http_parts(&in, out, rule);
		break;
	case WR_PROBE_SCRAPE:
		load_scrape(&in, out, rule);
		break;
	case WR_PROBE_PROMQL:
		load_promql(&in, out, rule);
		break;
	case WR_PROBE_EXEC:
		wr_load_exec_parts(&in, out, rule);
		break;
	case WR_PROBE_FED:
		break;
	}
	wr_map_close(&in);
}

bool wr_load_probe(wr_map *owner, wr_probe *out, const wr_string_rule *rule, unsigned kinds,
                   bool required)
{
	static const char *const names[] = {"http", "scrape", "promql", "exec"};
	wr_ynode *found = NULL;
	*out = (wr_probe){.url = "",
	                  .method = "GET",
	                  .body = "",
	                  .ca_file = "",
	                  .pointer = "",
	                  .metric = "",
	                  .query = ""};
	for (unsigned k = 0; k < 4; k++) {
		if ((kinds & (1u << k)) == 0) continue;
		wr_ynode *n = wr_map_get(owner, names[k]);
		if (n == NULL) continue;
		if (found != NULL) {
			wr_ynode_error(owner->l->f, n, NULL, "expected one source only, but there is %s too",
			               found->key);
			continue;
		}
		found = n;
		out->kind = (wr_probe_kind)k;
		load_kind(owner, n, out, rule);
	}
	if (found == NULL && required)
		wr_ynode_error(owner->l->f, owner->node, NULL, "expected one of %s",
		               kinds == WR_PROBES_ALL ? "http, scrape, promql, exec" : "http, exec");
	return found != NULL;
}

void wr_load_pace(wr_map *m, int64_t *interval_ms, int64_t *timeout_ms)
{
	*interval_ms = wr_get_duration(m, "interval", 100, 24 * HOUR_MS, 5000);
	*timeout_ms =
	    wr_get_duration(m, "timeout", 1, HOUR_MS, *interval_ms < 3000 ? *interval_ms : 3000);
	if (*timeout_ms > *interval_ms)
		wr_ynode_warn(m->l->f, m->node, "timeout",
		              "the timeout is longer than the interval: samples will come late");
}
