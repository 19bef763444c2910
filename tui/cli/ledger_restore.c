/* ledger_restore.c: ledger restore, export, import, duplicates. None needs an engine: they read and
 * write files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ledger.h"
#include "cli/lines.h"
#include "warroom/export.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/model.h"
#include "warroom/restore.h"
#include "warroom/text.h"

#define TEXT_MAX ((size_t)1 << 30) /* the whole list of what a large ledger lost */

/* What the data says no to is 1; what cannot be done at all is 2. */
static int failed(const cli *c, const wr_err *err)
{
	(void)cli_error(c, err);
	bool by_data = err->code == WR_E_CORRUPT || err->code == WR_E_CONFLICT;
	return by_data ? EXIT_NO : EXIT_USAGE;
}

static void print_json(json_t *j)
{
	wr_buf out = WR_BUF_INIT(TEXT_MAX);
	wr_json_dump(&out, j);
	puts(wr_buf_cstr(&out));
	wr_buf_free(&out);
	json_decref(j);
}

static void print_text(const cli *c, const wr_buf *text)
{
	const char *p = wr_buf_cstr(text);
	while (*p) {
		size_t n = strcspn(p, "\n");
		say(c, stdout, "%.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

/* ---- restore ---- */

const cli_option ledger_restore_options[] = {
    {"from", "SNAPSHOT", "a ledger's directory, or an export"},
    {"changelog", "FILE", "receipts since: JSON lines, or a directory of them; may be repeated"},
    {"damaged", "DIR", "the broken ledger; it is only read"},
    {"into", "DIR", "where the restored ledger goes; must be missing or empty"},
    {"engine-key", "FILE", "the engine's key: signs the end of the restored chain"},
    {"branch", "A|B|HASH", "which branch of a fork goes on, if no checkpoint says"},
    {"as", "NAME", "who restores, as it stays in the record (default engine:restore)"},
    {NULL, NULL, NULL}};

static void show_progress(void *ctx, const char *what, int64_t bytes, int64_t total)
{
	bool *shown = ctx;
	*shown = true;
	if (total > 0)
		fprintf(stderr, "\r%s %3lld%%          ", what, (long long)(bytes * 100 / total));
	else
		fprintf(stderr, "\r%s %lld MB", what, (long long)(bytes / 1000000));
}

int ledger_restore(cli *c)
{
	const char *changelogs[WR_RESTORE_CHANGELOGS_MAX];
	wr_restore_opts o = {.snapshot = cli_opt(c, "from"),
	                     .changelogs = changelogs,
	                     .damaged = cli_opt(c, "damaged"),
	                     .into = cli_opt(c, "into"),
	                     .engine_key = cli_opt(c, "engine-key"),
	                     .branch = cli_opt(c, "branch"),
	                     .actor = cli_opt(c, "as")};
	if (c->argc) return cli_usage(c, "ledger restore takes no operand");
	if (!o.snapshot || !o.into)
		return cli_usage(c, "ledger restore needs --from SNAPSHOT and --into DIR");
	for (size_t i = 0; i < c->given_count; i++) {
		if (strcmp(c->given[i].name, "changelog") != 0) continue;
		if (o.changelog_count == WR_RESTORE_CHANGELOGS_MAX)
			return cli_usage(c, "at most %d changelogs", WR_RESTORE_CHANGELOGS_MAX);
		changelogs[o.changelog_count++] = c->given[i].value;
	}
	wr_restore_report report;
	wr_err err = {0};
	bool shown = false;
	if (isatty(STDERR_FILENO) && !c->json) o.progress = show_progress;
	o.progress_ctx = &shown;
	int restored = wr_restore(&o, &report, &err);
	if (shown) fputs("\r                         \r", stderr);
	if (restored < 0) return failed(c, &err);
	if (c->json) {
		print_json(json_incref(report.doc));
	} else {
		wr_buf text = WR_BUF_INIT((size_t)64 << 20);
		wr_restore_print(&report, &text);
		print_text(c, &text);
		wr_buf_free(&text);
	}
	int rc = report.restored && report.lost == 0 ? EXIT_OK : EXIT_NO;
	wr_restore_free(&report);
	return rc;
}

/* ---- export ---- */

const cli_option ledger_export_options[] = {
    {"since", "5m|TIME|SEQ", "how long ago, a time, or a receipt's number (default: everything)"},
    {"to", "DIR|FILE|-", "a new directory, a FILE.jsonl, or standard output (default)"},
    {"chain", "NAME", "one chain alone, as us-central1/ops"},
    {NULL, NULL, NULL}};

/* The ledger that the configuration names. */
static int configured_ledger(const cli *c, char *out, size_t size, wr_err *err)
{
	const char *env = getenv("WARROOM_CONFIG");
	const char *path = c->config ? c->config : env && *env ? env : "warroom.yaml";
	wr_findings f = {0};
	wr_config *cfg = wr_config_load(path, &f);
	int rc = 0;
	if (cfg && cfg->ledger_dir)
		(void)snprintf(out, size, "%s", cfg->ledger_dir);
	else
		rc = wr_fail(err, WR_E_INVALID,
		             "which ledger? name its directory, or a configuration that is right with "
		             "--config (%s is not)",
		             path);
	wr_findings_free(&f);
	wr_config_free(cfg);
	return rc;
}

static int write_to(void *ctx, const char *lines, size_t len, wr_err *err)
{
	FILE *out = ctx;
	if (fwrite(lines, 1, len, out) == len) return 0;
	return wr_fail_errno(err, errno, "cannot write");
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n > k && strcmp(s + n - k, end) == 0;
}

/* FILE.jsonl and FILE.jsonl.sha256 beside it. */
static int export_file(wr_export_opts *o, const char *path, wr_export_report *report, wr_err *err)
{
	char temporary[4096], dir[4096], sums[4096 + 8];
	const char *slash = strrchr(path, '/');
	(void)snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 2,
	               slash ? path : "./");
	if (snprintf(temporary, sizeof temporary, "%s.partial", path) >= (int)sizeof temporary)
		return wr_fail(err, WR_E_LIMIT, "%.200s: path too long", path);
	FILE *out = fopen(temporary, "we");
	if (!out) return wr_fail_errno(err, errno, "%s: cannot create", temporary);
	o->ctx = out;
	o->write = write_to;
	int rc = wr_export(o, report, err);
	if (rc == 0 && (fflush(out) || fsync(fileno(out))))
		rc = wr_fail_errno(err, errno, "%s: cannot write", temporary);
	if (fclose(out) && rc == 0) rc = wr_fail_errno(err, errno, "%s: cannot write", temporary);
	if (rc == 0 && rename(temporary, path))
		rc = wr_fail_errno(err, errno, "%s: cannot rename", path);
	if (rc) {
		(void)unlink(temporary);
		return -1;
	}
	wr_buf line = WR_BUF_INIT(8192);
	(void)snprintf(sums, sizeof sums, "%s.sha256", path);
	rc = wr_manifest_line(&line, dir, slash ? slash + 1 : path, err);
	if (rc == 0) rc = wr_write_file(sums, line.data, line.len, 0640, err);
	wr_buf_free(&line);
	return rc;
}

static void say_export(const cli *c, const wr_export_report *r, const char *to, FILE *out)
{
	for (size_t i = 0; i < r->chain_count; i++) {
		const wr_exported_chain *x = &r->chains[i];
		say(c, out, "%s: %lld receipts", x->chain, (long long)x->count);
		if (x->count)
			say(c, out, ", #%lld to #%lld", (long long)x->first_seq,
			    (long long)(x->first_seq + x->count - 1));
		if (x->checkpoint_size > 0)
			say(c, out, ", signed by the engine up to #%lld", (long long)x->checkpoint_size - 1);
		say(c, out, "\n");
	}
	if (r->blobs_missing)
		say(c, out, "%lld blobs that they name are not in the ledger\n",
		    (long long)r->blobs_missing);
	say(c, out, "exported to %s\n", to);
}

int ledger_export(cli *c)
{
	char path[4096];
	const char *to = cli_opt(c, "to");
	wr_err err = {0};
	wr_export_report report = {0};
	wr_export_opts o = {.chain = cli_opt(c, "chain")};
	if (c->argc > 1) return cli_usage(c, "ledger export takes one ledger's directory");
	if (wr_since_parse(cli_opt(c, "since"), wr_wall_us(&wr_clock_system), &o.since, &err) ||
	    (c->argc == 0 && configured_ledger(c, path, sizeof path, &err)))
		return failed(c, &err);
	o.ledger = c->argc ? c->argv[0] : path;
	bool to_stdout = !to || strcmp(to, "-") == 0;
	int rc;
	if (to_stdout) {
		o.ctx = stdout;
		o.write = write_to;
		rc = wr_export(&o, &report, &err);
		if (rc == 0 && fflush(stdout)) rc = wr_fail_errno(&err, errno, "cannot write");
	} else if (ends_in(to, ".jsonl")) {
		rc = export_file(&o, to, &report, &err);
	} else {
		o.to = to;
		rc = wr_export(&o, &report, &err);
	}
	if (rc) return failed(c, &err);
	if (c->json && !to_stdout)
		print_json(wr_export_json(&report));
	else if (!to_stdout)
		say_export(c, &report, to, stdout);
	wr_export_free(&report);
	return EXIT_OK;
}

/* ---- import ---- */

const cli_option ledger_import_options[] = {
    {"into", "LEDGER", "the ledger's directory; made if it is missing"}, {NULL, NULL, NULL}};

int ledger_import(cli *c)
{
	wr_err err = {0};
	wr_import_report r;
	const wr_import_opts o = {.from = c->argc ? c->argv[0] : NULL, .into = cli_opt(c, "into")};
	if (c->argc != 1 || !o.into)
		return cli_usage(c, "ledger import needs one EXPORT and --into LEDGER");
	if (wr_import(&o, &r, &err)) return failed(c, &err);
	if (c->json) {
		print_json(wr_import_json(&r));
	} else {
		for (size_t i = 0; i < r.chain_count; i++) {
			const wr_imported_chain *x = &r.chains[i];
			say(c, stdout, "%s: %lld receipts added, %lld were there; now %lld", x->chain,
			    (long long)x->added, (long long)x->skipped, (long long)x->count);
			if (x->attested)
				say(c, stdout, ", signed by the engine up to #%lld", (long long)x->attested - 1);
			say(c, stdout, "\n");
		}
		if (!r.manifest) say(c, stdout, "there was no manifest to check\n");
	}
	wr_import_free(&r);
	return EXIT_OK;
}

/* ---- duplicates ---- */

typedef struct found {
	const cli *c;
	json_t *list; /* with --json */
} found;

static json_t *place_json(const wr_id_place *p)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:I}", "file", p->file, "chain", p->chain, "line",
	                 (json_int_t)p->line, "byte", (json_int_t)p->byte, "seq", (json_int_t)p->seq);
}

static void on_duplicate(void *ctx, const wr_duplicate *d)
{
	const found *f = ctx;
	const char *kind = d->same ? "duplicate" : "equivocation";
	if (f->list) {
		(void)json_array_append_new(
		    f->list, json_pack("{s:s, s:s, s:o, s:o}", "receipt_id", d->receipt_id, "kind", kind,
		                       "first", place_json(&d->first), "again", place_json(&d->again)));
		return;
	}
	say(f->c, stdout,
	    "%-12s %s\n  %s:%lld byte %lld, %s seq %lld\n  %s:%lld byte %lld, %s seq %lld\n", kind,
	    d->receipt_id, d->first.file, (long long)d->first.line, (long long)d->first.byte,
	    d->first.chain, (long long)d->first.seq, d->again.file, (long long)d->again.line,
	    (long long)d->again.byte, d->again.chain, (long long)d->again.seq);
}

int ledger_duplicates(cli *c)
{
	wr_err err = {0};
	wr_duplicates_report r;
	if (c->argc != 1) return cli_usage(c, "ledger duplicates needs one PATH");
	found f = {.c = c, .list = c->json ? json_array() : NULL};
	if (wr_duplicates(c->argv[0], &r, on_duplicate, &f, &err)) {
		json_decref(f.list);
		return failed(c, &err);
	}
	if (c->json)
		print_json(json_pack("{s:I, s:I, s:I, s:I, s:o}", "receipts", (json_int_t)r.receipts,
		                     "unreadable", (json_int_t)r.unreadable, "duplicates",
		                     (json_int_t)r.duplicates, "equivocations", (json_int_t)r.equivocations,
		                     "found", f.list));
	else
		say(c, stdout,
		    "%lld receipts, %lld duplicates, %lld equivocations, %lld unreadable lines\n",
		    (long long)r.receipts, (long long)r.duplicates, (long long)r.equivocations,
		    (long long)r.unreadable);
	return r.duplicates || r.equivocations ? EXIT_NO : EXIT_OK;
}
