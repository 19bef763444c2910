/* verbs_read.c: what only looks: status, why, plan, config check. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/model.h"

static const char *duration(char *buf, size_t size, int64_t ms)
{
	if (ms < 0)
		snprintf(buf, size, "-");
	else
		wr_duration_format(buf, size, ms);
	return buf;
}

static void print_region(const json_t *r)
{
	char d[24];
	printf("%-16s %-8s %-9s %8s  weight %3lld  ", wr_json_str(r, "name", "?"),
	       wr_json_str(r, "role", "?"), wr_json_str(r, "verdict", "?"),
	       duration(d, sizeof d, wr_json_int(r, "since_ms", -1)),
	       (long long)wr_json_int(r, "weight", -1));
	size_t i;
	json_t *cls;
	json_array_foreach (json_object_get(r, "classes"), i, cls) {
		const char *s = wr_json_str(cls, "status", "");
		printf("%s %s  ", wr_json_str(cls, "abbr", "?"),
		       !strcmp(s, "clear")      ? "ok"
		       : !strcmp(s, "breached") ? "BREACHED"
		                                : "no-data");
	}
	printf("\n");
}

static void print_status(const json_t *s)
{
	char d[24];
	const json_t *inc = json_object_get(s, "incident"), *loss = json_object_get(s, "loss"),
	             *iso = json_object_get(s, "isolation");
	const json_t *led = json_object_get(s, "ledger");
	size_t i;
	json_t *x;
	printf("%s  %s\n", wr_json_str(s, "platform", "?"), wr_json_str(s, "now", ""));
	if (*wr_json_str(s, "banner", "")) printf("ENGINE: %s\n", wr_json_str(s, "banner", ""));
	if (wr_json_bool(iso, "isolated", false))
		printf("OBSERVER ISOLATED: %s\n", wr_json_str(iso, "reason", ""));
	if (json_is_object(inc))
		printf("%s %s, impact %s, RTO left %s\n", wr_json_str(inc, "id", ""),
		       wr_json_str(inc, "title", ""),
		       duration(d, sizeof d, wr_json_int(inc, "impact_ms", -1)),
		       wr_json_int(json_object_get(s, "rto"), "left_ms", 0) < 0
		           ? "MISSED"
		           : duration((char[24]){0}, 24,
		                      wr_json_int(json_object_get(s, "rto"), "left_ms", 0)));
	else
		printf("no incident\n");
	json_array_foreach (json_object_get(s, "regions"), i, x) print_region(x);
	if (json_is_object(loss)) printf("loss if moved now: %s\n", wr_json_str(loss, "text", ""));
	json_array_foreach (json_object_get(s, "actions"), i, x)
		printf("%s %s -> %s: %lld of %lld guards pass%s%s\n", wr_json_str(x, "action", ""),
		       wr_json_str(x, "from", ""), wr_json_str(x, "to", ""),
		       (long long)wr_json_int(x, "passed", 0), (long long)wr_json_int(x, "total", 0),
		       wr_json_bool(x, "possible", false) ? "" : "; blocked by ",
		       wr_json_str(x, "reason", ""));
	json_array_foreach (json_object_get(s, "operations"), i, x) {
		if (i >= 3) break;
		printf("%s %s %s -> %s: %s %s\n", wr_json_str(x, "id", ""), wr_json_str(x, "action", ""),
		       wr_json_str(x, "from", ""), wr_json_str(x, "to", ""), wr_json_str(x, "state", ""),
		       wr_json_str(x, "held_reason", ""));
	}
	printf("ledger %s: %lld receipts, %s\n", wr_json_str(led, "chain", ""),
	       (long long)wr_json_int(led, "count", 0),
	       wr_json_bool(led, "ok", false) ? "chain ok" : wr_json_str(led, "reason", "NOT OK"));
}

/* What a watcher is told: one line when something that matters changes. */
static void watch_line(const json_t *s, char *last, size_t size)
{
	wr_buf b = WR_BUF_INIT(4096);
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(s, "regions"), i, x)
		wr_buf_addf(&b, "%s %s %s weight %lld; ", wr_json_str(x, "name", ""),
		            wr_json_str(x, "role", ""), wr_json_str(x, "verdict", ""),
		            (long long)wr_json_int(x, "weight", -1));
	json_t *op = json_array_get(json_object_get(s, "operations"), 0);
	if (op) {
		int64_t cur = wr_json_int(op, "current", -1);
		const json_t *step =
		    cur >= 0 ? json_array_get(json_object_get(op, "steps"), (size_t)cur) : NULL;
		wr_buf_addf(&b, "%s %s %s%s%s", wr_json_str(op, "id", ""), wr_json_str(op, "action", ""),
		            wr_json_str(op, "state", ""), step ? " step " : "",
		            wr_json_str(step, "name", ""));
	}
	if (*wr_json_str(s, "banner", "")) wr_buf_addf(&b, " ENGINE: %s", wr_json_str(s, "banner", ""));
	if (strcmp(wr_buf_cstr(&b), last) != 0) {
		printf("%s  %s\n", wr_json_str(s, "now", ""), wr_buf_cstr(&b));
		fflush(stdout);
		snprintf(last, size, "%s", wr_buf_cstr(&b));
	}
	wr_buf_free(&b);
}

static int watch(cli *c)
{
	char last[4096] = "";
	int64_t rev = -1;
	for (;;) {
		char path[96];
		snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=10000", (long long)rev);
		int rc = EXIT_OK;
		json_t *s = cli_call(c, path, NULL, &rc);
		if (!s) return rc;
		rev = wr_json_int(s, "rev", rev);
		if (!wr_json_bool(s, "unchanged", false)) {
			if (c->json)
				cli_print_json(s);
			else
				watch_line(s, last, sizeof last);
		}
		json_decref(s);
	}
}

int verb_status(cli *c)
{
	if (c->watch) return watch(c);
	int rc = EXIT_OK;
	json_t *s = cli_call(c, "/v1/state", NULL, &rc);
	if (!s) return rc;
	if (c->json)
		cli_print_json(s);
	else
		print_status(s);
	json_decref(s);
	return EXIT_OK;
}

/* The action's regions as named, else those of the engine's own candidate for it. */
static int action_path(cli *c, const char *route, wr_buf *path)
{
	if (c->argc != 1) return cli_usage(c, "name one action: failover, failback or a runbook");
	char from[WR_NAME_MAX + 1], to[WR_NAME_MAX + 1];
	snprintf(from, sizeof from, "%s", c->from ? c->from : "");
	snprintf(to, sizeof to, "%s", c->to ? c->to : "");
	if (!c->from || !c->to) {
		int rc = EXIT_OK;
		json_t *s = cli_call(c, "/v1/state", NULL, &rc);
		if (!s) return rc;
		size_t i;
		json_t *a;
		bool found = false;
		json_array_foreach (json_object_get(s, "actions"), i, a) {
			const char *af = wr_json_str(a, "from", ""), *at = wr_json_str(a, "to", "");
			if (strcmp(wr_json_str(a, "action", ""), c->argv[0]) != 0 &&
			    strcmp(wr_json_str(a, "runbook", ""), c->argv[0]) != 0)
				continue;
			if ((*from && strcmp(from, af) != 0) || (*to && strcmp(to, at) != 0) || found) continue;
			snprintf(from, sizeof from, "%s", af);
			snprintf(to, sizeof to, "%s", at);
			found = true;
		}
		json_decref(s);
		if (!found)
			return cli_usage(
			    c, "no such action is a candidate now: name the regions with --from and --to");
	}
	wr_buf_adds(path, route);
	client_query(path, "action", c->argv[0]);
	client_query(path, "from", from);
	client_query(path, "to", to);
	client_query(path, "runbook", c->runbook);
	return EXIT_OK;
}

int verb_why(cli *c)
{
	wr_buf path = WR_BUF_INIT(2048);
	int rc = action_path(c, "/v1/why", &path);
	json_t *a = rc == EXIT_OK ? cli_call(c, wr_buf_cstr(&path), NULL, &rc) : NULL;
	wr_buf_free(&path);
	if (!a) return rc;
	bool possible = wr_json_bool(a, "possible", false);
	if (c->json) {
		cli_print_json(a);
	} else {
		printf("%s %s -> %s (%s): %lld of %lld guards pass, %lld block\n",
		       wr_json_str(a, "action", ""), wr_json_str(a, "from", ""), wr_json_str(a, "to", ""),
		       wr_json_str(a, "runbook", ""), (long long)wr_json_int(a, "passed", 0),
		       (long long)wr_json_int(a, "total", 0), (long long)wr_json_int(a, "blocking", 0));
		printf("loss if moved now: %s\n\n", wr_json_str(json_object_get(a, "loss"), "text", ""));
		size_t i;
		json_t *g;
		json_array_foreach (json_object_get(a, "guards"), i, g) {
			const char *v = wr_json_str(g, "verdict", "");
			printf("%-12s %-20s %s (needs %s)%s\n", v, wr_json_str(g, "name", ""),
			       wr_json_str(g, "observed", ""), wr_json_str(g, "threshold", ""),
			       wr_json_bool(g, "blocking", true) ? "" : "  [advisory]");
			if (strcmp(v, "PASS") != 0 && *wr_json_str(g, "flip", ""))
				printf("%-12s %-20s would change it: %s\n", "", "", wr_json_str(g, "flip", ""));
		}
	}
	json_decref(a);
	return possible ? EXIT_OK : EXIT_NO;
}

int verb_plan(cli *c)
{
	wr_buf path = WR_BUF_INIT(2048);
	int rc = action_path(c, "/v1/plan", &path);
	json_t *p = rc == EXIT_OK ? cli_call(c, wr_buf_cstr(&path), NULL, &rc) : NULL;
	wr_buf_free(&path);
	if (!p) return rc;
	if (c->json)
		cli_print_json(p);
	else
		printf("%s\nplan %s\nwords %s\nNothing was done.\n", wr_json_str(p, "text", ""),
		       wr_json_str(p, "plan_hash", ""), wr_json_str(p, "words", ""));
	json_decref(p);
	return EXIT_OK;
}

static json_t *findings_json(const wr_findings *f)
{
	json_t *list = json_array();
	for (size_t i = 0; i < f->count; i++) {
		const wr_finding *x = &f->items[i];
		(void)json_array_append_new(list,
		                            json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "severity",
		                                      x->is_error ? "error" : "warning", "file", x->file,
		                                      "line", (int)x->line, "column", (int)x->column, "key",
		                                      x->key, "text", x->text));
	}
	return json_pack("{s:i, s:i, s:o}", "errors", (int)f->errors, "warnings", (int)f->warnings,
	                 "findings", list);
}

int verb_config(cli *c)
{
	if (c->argc < 1 || strcmp(c->argv[0], "check") != 0 || c->argc > 2)
		return cli_usage(c, "use: config check FILE");
	const char *path = c->argc == 2 ? c->argv[1] : c->config ? c->config : "warroom.yaml";
	wr_findings f = {0};
	wr_config *cfg = wr_config_load(path, &f);
	bool ok = cfg != NULL;
	if (c->json) {
		json_t *j = findings_json(&f);
		cli_print_json(j);
		json_decref(j);
	} else {
		wr_findings_print(&f, stdout);
		printf("%s: %zu errors, %zu warnings\n", path, f.errors, f.warnings);
	}
	wr_findings_free(&f);
	wr_config_free(cfg);
	return ok ? EXIT_OK : EXIT_USAGE;
}
