/* ledger_archive.c: ledger archive (now, list, verify) and ledger anchor (now, verify). `now` asks
 * the engine; the rest reads files. */
#include <stdlib.h>
#include <string.h>

#include "cli/ledger.h"
#include "cli/lines.h"
#include "warroom/anchor.h"
#include "warroom/archive.h"
#include "warroom/json.h"
#include "warroom/model.h"

#define WAIT_S 3600 /* for an export to end */

const cli_option ledger_archive_options[] = {
    {"no-wait", NULL, "do not wait for the export that `now` begins"}, {NULL, NULL, NULL}};
const cli_option ledger_anchor_options[] = {
    {"ca", "FILE", "certificates (PEM) that the stamps must lead to"},
    {"no-wait", NULL, "do not wait for the time stamp that `now` asks for"},
    {NULL, NULL, NULL}};

/* `what` is what was not named. */
static wr_config *configuration(const cli *c, const char *what, wr_err *err)
{
	const char *env = getenv("WARROOM_CONFIG");
	const char *path = c->config ? c->config : env && *env ? env : "warroom.yaml";
	wr_findings f = {0};
	wr_config *cfg = wr_config_load(path, &f);
	if (!cfg)
		(void)wr_fail(err, WR_E_INVALID,
		              "say %s, or a configuration that is right with --config (%s is not; warroom "
		              "config check says why)",
		              what, path);
	wr_findings_free(&f);
	return cfg;
}

/* ---- now ---- */

static json_t *state_of(cli *c, const char *what, int64_t *rev, int *rc)
{
	char path[96] = "/v1/state";
	if (*rev >= 0)
		snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=5000", (long long)*rev);
	json_t *s = cli_call(c, path, NULL, rc);
	if (!s) return NULL;
	*rev = wr_json_int(s, "rev", *rev);
	json_t *d = json_incref(json_object_get(json_object_get(s, "ledger"), what));
	json_decref(s);
	return d ? d : json_object();
}

static int tell_end(const cli *c, const char *what, const json_t *d)
{
	const char *failure = wr_json_str(d, "failure", "");
	if (c->json)
		cli_print_json(d);
	else if (*failure)
		say(c, stdout, "%s failed: %s\n", what, failure);
	else
		say(c, stdout, "receipts before %lld: %s %s\n", (long long)wr_json_int(d, "upto", 0),
		    !strcmp(what, "export") ? "exported, as" : "stamped by", wr_json_str(d, "what", ""));
	return *failure ? EXIT_NO : EXIT_OK;
}

static int wait_for(cli *c, const char *what, int64_t run)
{
	int64_t rev = -1, end_ms = wr_mono_ms(&wr_clock_system) + WAIT_S * INT64_C(1000);
	for (;;) {
		int rc = EXIT_OK;
		json_t *d = state_of(c, what, &rev, &rc);
		if (!d) return rc;
		bool over = wr_json_int(d, "runs", -1) >= run;
		if (over) rc = tell_end(c, what, d);
		json_decref(d);
		if (over) return rc;
		if (wr_mono_ms(&wr_clock_system) > end_ms) {
			wr_err err;
			(void)wr_fail(&err, WR_E_TIMEOUT, "it goes on; warroom status --json shows its end");
			return cli_error(c, &err);
		}
	}
}

static int now(cli *c, const char *what)
{
	int rc = EXIT_OK;
	if (c->argc != 1) return cli_usage(c, "ledger %s now takes nothing else", c->sub->name);
	json_t *body = json_pack("{s:s}", "what", what);
	json_t *a = cli_call(c, "/v1/archive", body, &rc);
	json_decref(body);
	if (!a) return rc;
	bool started = wr_json_bool(a, "started", false);
	int64_t run = wr_json_int(a, "run", 0);
	if (started && !cli_opt(c, "no-wait")) {
		rc = wait_for(c, what, run);
	} else if (c->json) {
		cli_print_json(a);
	} else {
		say(c, stdout, "%s\n", started ? "it begins" : "nothing is new since the last one");
	}
	json_decref(a);
	return rc;
}

/* ---- the archive ---- */

/* The directory that was named, or the configuration's. */
static int archive_dir(const cli *c, char *out, size_t size, wr_err *err)
{
	if (c->argc > 1) {
		snprintf(out, size, "%s", c->argv[1]);
		return 0;
	}
	wr_config *cfg = configuration(c, "which archive", err);
	if (!cfg) return -1;
	const wr_export_plan *p = cfg->ledger_export;
	int rc = 0;
	if (p && p->dir[0])
		snprintf(out, size, "%s/%s/%s", p->dir, cfg->partition, cfg->stream);
	else
		rc = wr_fail(err, WR_E_INVALID,
		             "the configuration exports to no directory: name one, such as a copy of what "
		             "is in the store");
	wr_config_free(cfg);
	return rc;
}

static void print_entry(const cli *c, const wr_archive_entry *e, const char *mark, const char *text)
{
	char at[WR_TIME_LEN], shown[32];
	wr_time_format(at, e->time_us);
	say(c, stdout, "%s%s  %10lld to %10lld  %s%s%s\n", mark, say_time(shown, at),
	    (long long)e->first_seq, (long long)e->last_seq, e->name, *text ? ": " : "", text);
}

static int archive_list(cli *c, const char *dir)
{
	wr_archive_entry *all = NULL;
	size_t count = 0;
	wr_err err = {0};
	if (wr_archive_list(dir, &all, &count, &err)) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++) {
		char at[WR_TIME_LEN];
		wr_time_format(at, all[i].time_us);
		if (c->json)
			json_array_append_new(rows,
			                      json_pack("{s:s, s:s, s:I, s:I}", "name", all[i].name, "time", at,
			                                "first_seq", (json_int_t)all[i].first_seq, "last_seq",
			                                (json_int_t)all[i].last_seq));
		else
			print_entry(c, &all[i], "", "");
	}
	if (c->json)
		cli_print_json(rows);
	else if (!count)
		say(c, stdout, "no exports in %s\n", dir);
	json_decref(rows);
	free(all);
	return EXIT_OK;
}

static int archive_verify(cli *c, const char *dir)
{
	wr_archive_report r;
	wr_err err = {0};
	if (wr_archive_verify(dir, &r, &err)) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	bool ok = r.failed == 0 && r.gaps == 0;
	if (c->json) {
		json_t *j = wr_archive_json(&r);
		cli_print_json(j);
		json_decref(j);
	} else {
		for (size_t i = 0; i < r.count; i++)
			print_entry(c, &r.rows[i].entry, r.rows[i].ok ? "ok   " : "BAD  ", r.rows[i].text);
		say(c, stdout, "Exports: %zu\nDamaged: %zu\nGaps: %lld\nReceipts: %lld\n", r.count,
		    r.failed, (long long)r.gaps, (long long)r.receipts);
		if (ok)
			say(c, stdout, "Archive: VERIFIED, receipts %lld to %lld\n", (long long)r.first_seq,
			    (long long)r.last_seq);
		else
			say(c, stdout, "Archive: BROKEN\n");
	}
	wr_archive_report_free(&r);
	return ok ? EXIT_OK : EXIT_NO;
}

int ledger_archive(cli *c)
{
	const char *what = c->argc ? c->argv[0] : "";
	char dir[4096];
	wr_err err = {0};
	if (!strcmp(what, "now")) return now(c, "export");
	bool list = !strcmp(what, "list");
	if ((!list && strcmp(what, "verify") != 0) || c->argc > 2)
		return cli_usage(c, "ledger archive needs now, list [DIR] or verify [DIR]");
	if (archive_dir(c, dir, sizeof dir, &err)) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	return list ? archive_list(c, dir) : archive_verify(c, dir);
}

/* ---- time stamps ---- */

static void print_anchors(const cli *c, const wr_anchor_report *r)
{
	char at[WR_TIME_LEN], shown[32];
	for (size_t i = 0; i < r->count; i++) {
		const wr_anchor_row *a = &r->rows[i];
		wr_time_format(at, a->proof.time_us);
		bool stamped = a->proof.digest[0];
		say(c, stdout, "%s%10lld receipts  %s  %s%s%s\n", a->ok ? "ok   " : "BAD  ",
		    (long long)a->checkpoint.size, stamped ? say_time(shown, at) : "no valid stamp",
		    a->proof.tsa, *a->text && stamped ? ": " : "", a->text);
	}
	say(c, stdout, "Anchors: %zu\nFailed: %zu\n", r->count, r->failed);
	if (r->proven) {
		wr_time_format(at, r->proven_us);
		say(c, stdout, "Proven: the first %lld receipts of %s existed at %s\n",
		    (long long)r->proven, r->chain, say_time(shown, at));
	}
}

static int anchor_verify(cli *c)
{
	char path[4096] = "", ca[4096] = "";
	const char *given = cli_opt(c, "ca");
	wr_err err = {0};
	if (c->argc > 1) snprintf(path, sizeof path, "%s", c->argv[1]);
	if (given) snprintf(ca, sizeof ca, "%s", given);
	if (!*path || !*ca) {
		wr_config *cfg = configuration(c, *path ? "--ca FILE" : "which ledger", &err);
		const wr_anchor_plan *p = cfg ? cfg->ledger_anchor : NULL;
		if (cfg && !*path)
			snprintf(path, sizeof path, "%s/%s/%s", cfg->ledger_dir, cfg->partition, cfg->stream);
		if (p && !*ca) snprintf(ca, sizeof ca, "%s", p->ca_file);
		if (cfg && !*ca)
			(void)wr_fail(&err, WR_E_INVALID,
			              "the configuration has no ledger.anchor: say --ca FILE");
		wr_config_free(cfg);
	}
	wr_anchor_report r;
	if (!*path || !*ca || wr_anchor_verify(path, ca, &r, &err)) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	if (c->json) {
		json_t *j = wr_anchor_json(&r);
		cli_print_json(j);
		json_decref(j);
	} else {
		print_anchors(c, &r);
	}
	bool ok = r.failed == 0;
	wr_anchor_report_free(&r);
	return ok ? EXIT_OK : EXIT_NO;
}

int ledger_anchor(cli *c)
{
	const char *what = c->argc ? c->argv[0] : "";
	if (!strcmp(what, "now")) return now(c, "anchor");
	if (!strcmp(what, "verify") && c->argc <= 2) return anchor_verify(c);
	return cli_usage(c, "ledger anchor needs now, or verify [PATH]");
}
