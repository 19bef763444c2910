/* verbs_read.c: what only looks: status, why, plan, config check. */
#include <stdlib.h>
#include <string.h>

#include "cli/lines.h"
#include "warroom/json.h"
#include "warroom/model.h"

static void print_region(const cli *c, const json_t *r)
{
	char d[24];
	int64_t weight = wr_json_int(r, "weight", -1);
	say(c, stdout, "%-16s %-8s %-9s for %-10s", wr_json_str(r, "name", "?"),
	    wr_json_str(r, "role", "?"), wr_json_str(r, "verdict", "?"),
	    say_ms(d, wr_json_int(r, "since_ms", -1)));
	if (weight >= 0)
		say(c, stdout, " weight %3lld %%", (long long)weight);
	else
		say(c, stdout, " weight     -");
	/* On a line of its own: all of it is over 80 columns. */
	size_t i;
	json_t *cls;
	json_array_foreach (json_object_get(r, "classes"), i, cls) {
		const char *s = wr_json_str(cls, "status", "");
		if (i == 0) say(c, stdout, "\n%-15s", "");
		say(c, stdout, "  %s %s", wr_json_str(cls, "abbr", "?"),
		    !strcmp(s, "clear")      ? "ok"
		    : !strcmp(s, "breached") ? "BREACHED"
		                             : "no data");
	}
	say(c, stdout, "\n");
}

static void print_incident(const cli *c, const json_t *s)
{
	char d[24];
	const json_t *inc = json_object_get(s, "incident"), *rto = json_object_get(s, "rto");
	int64_t left_ms = wr_json_int(rto, "left_ms", 0);
	if (!json_is_object(inc)) {
		say(c, stdout, "no incident\n");
		return;
	}
	say(c, stdout, "%s %s, impact %s", wr_json_str(inc, "id", ""), wr_json_str(inc, "title", ""),
	    say_ms(d, wr_json_int(inc, "impact_ms", -1)));
	if (wr_json_int(rto, "target_ms", 0) > 0 && wr_json_bool(rto, "running", true))
		say(c, stdout, "%s%s%s", left_ms < 0 ? ", RTO missed by " : ", RTO ",
		    say_ms(d, left_ms < 0 ? -left_ms : left_ms), left_ms < 0 ? "" : " left");
	say(c, stdout, "\n");
}

/* What is under way, else the last one that ended; and what each waits for. */
static size_t print_operations(const cli *c, const json_t *s)
{
	size_t i, open = 0;
	json_t *op, *last = NULL;
	json_array_foreach (json_object_get(s, "operations"), i, op) {
		if (op_is_over(op)) {
			if (!last) last = op;
			continue;
		}
		say_operation(c, op);
		say_waits(c, op);
		open++;
	}
	if (!open && last) say_operation(c, last);
	return open;
}

static void print_ledger(const cli *c, const json_t *led)
{
	char d[24];
	bool ok = wr_json_bool(led, "ok", false);
	int64_t age_ms = wr_json_int(led, "verified_age_ms", -1), count = wr_json_int(led, "count", 0);
	say(c, stdout, "ledger %s: %lld receipt%s, %s", wr_json_str(led, "chain", ""), (long long)count,
	    count == 1 ? "" : "s", ok ? "chain ok" : wr_json_str(led, "reason", "NOT OK"));
	if (ok && age_ms >= 0) say(c, stdout, ", verified %s ago", say_ms(d, age_ms));
	say(c, stdout, "\n");
}

/* With the command that goes on from here. */
static void print_action(const cli *c, const json_t *a)
{
	bool possible = wr_json_bool(a, "possible", false);
	say_action(c, a);
	say(c, stdout, "  %s: warroom %s %s --from %s --to %s%s\n",
	    possible ? "to propose it" : "why not", possible ? "propose" : "why", action_name(a),
	    wr_json_str(a, "from", ""), wr_json_str(a, "to", ""),
	    possible ? " --reason TEXT --key FILE" : "");
}

static void print_status(const cli *c, const json_t *s)
{
	char t[32];
	const json_t *loss = json_object_get(s, "loss"), *iso = json_object_get(s, "isolation");
	size_t i;
	json_t *x;
	say(c, stdout, "%s  %s\n", wr_json_str(s, "platform", "?"),
	    say_time(t, wr_json_str(s, "now", "")));
	if (*wr_json_str(s, "banner", "")) say(c, stdout, "ENGINE: %s\n", wr_json_str(s, "banner", ""));
	if (wr_json_bool(iso, "isolated", false))
		say(c, stdout, "OBSERVER ISOLATED, it could be us: %s\n", wr_json_str(iso, "reason", ""));
	print_incident(c, s);
	json_array_foreach (json_object_get(s, "regions"), i, x) print_region(c, x);
	if (json_is_object(loss))
		say(c, stdout, "lost if %s moved to %s now: %s\n", wr_json_str(loss, "from", ""),
		    wr_json_str(loss, "to", ""), wr_json_str(loss, "text", ""));
	bool busy = print_operations(c, s) > 0;
	json_array_foreach (json_object_get(s, "actions"), i, x)
		if (!busy) print_action(c, x);
	print_ledger(c, json_object_get(s, "ledger"));
}

/* What a watcher is told: one line when something that matters changes. */
static void watch_line(const cli *c, const json_t *s, char *last, size_t size)
{
	wr_buf b = WR_BUF_INIT(4096);
	size_t i;
	json_t *x;
	json_array_foreach (json_object_get(s, "regions"), i, x) {
		int64_t weight = wr_json_int(x, "weight", -1);
		wr_buf_addf(&b, "%s%s %s %s", i ? "; " : "", wr_json_str(x, "name", ""),
		            wr_json_str(x, "role", ""), wr_json_str(x, "verdict", ""));
		if (weight >= 0) wr_buf_addf(&b, " weight %lld %%", (long long)weight);
	}
	json_t *op = json_array_get(json_object_get(s, "operations"), 0);
	if (op) {
		int64_t cur = wr_json_int(op, "current", -1);
		const json_t *step =
		    cur >= 0 ? json_array_get(json_object_get(op, "steps"), (size_t)cur) : NULL;
		wr_buf_addf(&b, "; %s %s %s%s%s", wr_json_str(op, "id", ""), action_name(op),
		            wr_json_str(op, "state", ""), step ? ", step " : "",
		            wr_json_str(step, "name", ""));
	}
	if (*wr_json_str(s, "banner", ""))
		wr_buf_addf(&b, "; ENGINE: %s", wr_json_str(s, "banner", ""));
	if (strcmp(wr_buf_cstr(&b), last) != 0) {
		char t[32];
		say(c, stdout, "%s  %s\n", say_time(t, wr_json_str(s, "now", "")), wr_buf_cstr(&b));
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
				watch_line(c, s, last, sizeof last);
		}
		json_decref(s);
		if (cli_output_lost()) return EXIT_OK;
	}
}

int verb_status(cli *c)
{
	if (c->argc) return cli_usage(c, "status takes no operand, but there is \"%.40s\"", c->argv[0]);
	if (c->watch) return watch(c);
	int rc = EXIT_OK;
	json_t *s = cli_call(c, "/v1/state", NULL, &rc);
	if (!s) return rc;
	if (c->json)
		cli_print_json(s);
	else
		print_status(c, s);
	json_decref(s);
	return EXIT_OK;
}

/* Says what is offered instead. */
static int not_offered(const cli *c, const json_t *s)
{
	wr_buf b = WR_BUF_INIT(4096);
	size_t i;
	json_t *a;
	json_array_foreach (json_object_get(s, "actions"), i, a)
		wr_buf_addf(&b, "%s%s --from %s --to %s", i ? ", or " : "", action_name(a),
		            wr_json_str(a, "from", ""), wr_json_str(a, "to", ""));
	int rc =
	    cli_usage(c,
	              "\"%.40s\" is not among what the engine offers now (%s); to ask about others "
	              "say --from REGION and --to REGION",
	              c->argv[0], b.len ? wr_buf_cstr(&b) : "nothing");
	wr_buf_free(&b);
	return rc;
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
		if (!found) rc = not_offered(c, s);
		json_decref(s);
		if (rc != EXIT_OK) return rc;
	}
	wr_buf_adds(path, route);
	client_query(path, "action", c->argv[0]);
	client_query(path, "from", from);
	client_query(path, "to", to);
	client_query(path, "runbook", c->runbook);
	return EXIT_OK;
}

static void print_guard(const cli *c, const json_t *g)
{
	const char *verdict = wr_json_str(g, "verdict", ""), *flip = wr_json_str(g, "flip", "");
	bool blocks = wr_json_bool(g, "blocking", true), pass = !strcmp(verdict, "PASS");
	say(c, stdout, "%-12s %-16s %s; needs: %s%s\n", verdict, wr_json_str(g, "name", ""),
	    wr_json_str(g, "observed", ""), wr_json_str(g, "threshold", ""),
	    pass || blocks ? "" : "  (does not block)");
	if (!pass && blocks && *flip && strcmp(flip, wr_json_str(g, "threshold", "")) != 0)
		say(c, stdout, "%-12s %-16s to change it: %s\n", "", "", flip);
}

static void print_why(const cli *c, const json_t *a)
{
	size_t i;
	json_t *g;
	say_action(c, a);
	say(c, stdout, "runbook %s; lost if it were done now: %s\n\n", wr_json_str(a, "runbook", ""),
	    wr_json_str(json_object_get(a, "loss"), "text", ""));
	json_array_foreach (json_object_get(a, "guards"), i, g) print_guard(c, g);
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
		print_why(c, a);
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
		say(c, stdout, "%s\nNothing was done.\n", wr_json_str(p, "text", ""));
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

int verb_config_check(cli *c)
{
	if (c->argc > 1) return cli_usage(c, "config check takes one FILE at a time");
	const char *env = getenv("WARROOM_CONFIG");
	const char *path = c->argc       ? c->argv[0]
	                   : c->config   ? c->config
	                   : env && *env ? env
	                                 : "warroom.yaml";
	wr_findings f = {0};
	wr_config *cfg = wr_config_load(path, &f);
	bool ok = cfg != NULL;
	if (c->json) {
		json_t *j = findings_json(&f);
		cli_print_json(j);
		json_decref(j);
	} else {
		wr_findings_print(&f, stdout);
		printf("%s: %zu error%s, %zu warning%s\n", path, f.errors, f.errors == 1 ? "" : "s",
		       f.warnings, f.warnings == 1 ? "" : "s");
	}
	wr_findings_free(&f);
	wr_config_free(cfg);
	return ok ? EXIT_OK : EXIT_USAGE;
}
