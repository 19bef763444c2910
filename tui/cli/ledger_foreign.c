/* ledger_foreign.c: ledger audit: the platform's own receipts, through a profile. With PROFILE and
 * SOURCE it reads them itself and needs no engine; with a region it asks the engine to audit what
 * it follows there, and waits for the results. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/ledger.h"
#include "cli/lines.h"
#include "warroom/clock.h"
#include "warroom/foreign.h"
#include "warroom/io.h"
#include "warroom/json.h"
#include "warroom/model.h"
#include "warroom/text.h"

#define STATE_MAX     65536
#define SHOW_EVERY_MS 200
#define WAIT_MS       5000

const cli_option ledger_audit_options[] = {
    {"state", "FILE", "remember the last record there; the next audit must still find it"},
    {"no-wait", NULL, "ask the engine to audit, do not wait for the result"},
    {NULL, NULL, NULL}};

/* ---- by ourselves ---- */

typedef struct shown {
	int64_t began_ms, last_ms;
	bool any;
} shown;

static void progress(void *ctx, int64_t records, int64_t bytes, int64_t total)
{
	shown *s = ctx;
	int64_t now = wr_mono_ms(&wr_clock_system);
	if (now - s->last_ms < SHOW_EVERY_MS) return;
	s->last_ms = now;
	s->any = true;
	int64_t rate = now > s->began_ms ? records * 1000 / (now - s->began_ms) : 0;
	fprintf(stderr, "\rauditing %lld receipts, %lld/s", (long long)records, (long long)rate);
	if (total > 0) fprintf(stderr, ", %3lld%%", (long long)(bytes * 100 / total));
	fputs("\033[K", stderr);
}

/* What the file of --state says; false with *err when it cannot be used. */
static bool read_state(const char *path, wr_foreign_head *h, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(STATE_MAX);
	*h = (wr_foreign_head){0};
	if (access(path, F_OK) != 0) return true;
	json_t *j = wr_read_file(&text, path, STATE_MAX, WR_NOT_WRITABLE, err) == 0
	                ? wr_json_parse(wr_buf_cstr(&text), text.len, err)
	                : NULL;
	wr_buf_free(&text);
	if (!j) return false;
	h->known = true;
	h->seq = wr_json_int(j, "seq", -1);
	h->position = wr_json_int(j, "position", 0);
	(void)wr_sanitise_to(h->id, sizeof h->id, wr_json_str(j, "id", ""));
	(void)wr_sanitise_to(h->hash, sizeof h->hash, wr_json_str(j, "hash", ""));
	bool ok = h->hash[0] != '\0';
	json_decref(j);
	return ok ? true : wr_fail(err, WR_E_INVALID, "%s: no state of an audit", path) == 0;
}

static int write_state(const char *path, const wr_foreign_head *h, wr_err *err)
{
	json_t *j = json_pack("{s:I, s:I, s:s, s:s}", "seq", (json_int_t)h->seq, "position",
	                      (json_int_t)h->position, "id", h->id, "hash", h->hash);
	wr_buf text = WR_BUF_INIT(STATE_MAX);
	if (j) wr_json_dump(&text, j);
	wr_buf_addc(&text, '\n');
	int rc = j && wr_buf_ok(&text) ? wr_write_file(path, text.data, text.len, 0640, err)
	                               : wr_fail(err, WR_E_NOMEM, "out of memory");
	json_decref(j);
	wr_buf_free(&text);
	return rc;
}

static void print_report(cli *c, const wr_foreign_report *r, const char *source, int64_t took_ms,
                         const char *unread)
{
	if (c->json) {
		json_t *j = wr_foreign_json(r);
		(void)json_object_set_new(j, "source", json_string(source));
		(void)json_object_set_new(j, "duration_ms", json_integer(took_ms));
		if (unread) {
			(void)json_object_set_new(j, "ok", json_false());
			(void)json_object_set_new(j, "unreadable", json_string(unread));
		}
		cli_print_json(j);
		json_decref(j);
		return;
	}
	wr_buf out = WR_BUF_INIT(1u << 20);
	wr_foreign_print(r, source, cli_unicode(c), &out);
	say(c, stdout, "%s", wr_buf_cstr(&out));
	wr_buf_free(&out);
	if (took_ms > 0 && !unread)
		fprintf(stderr, "%lld receipts a second\n", (long long)(r->checked * 1000 / took_ms));
}

static int audit_with(cli *c, wr_foreign *f, const char *source, wr_err *err)
{
	wr_foreign_head known;
	const char *state = cli_opt(c, "state");
	wr_foreign_report *r = calloc(1, sizeof *r);
	shown s = {.began_ms = wr_mono_ms(&wr_clock_system)};
	wr_foreign_hooks hooks = {.progress = isatty(STDERR_FILENO) && !c->json ? progress : NULL,
	                          .ctx = &s};
	if (!r) return wr_fail(err, WR_E_NOMEM, "out of memory"), EXIT_USAGE;
	if (state && !read_state(state, &known, err)) {
		free(r);
		return EXIT_USAGE;
	}
	if (state && known.known) wr_foreign_expect(f, &known);
	int rc = wr_foreign_audit(f, r, &hooks, err), code = EXIT_USAGE;
	if (s.any) fputs("\r\033[K", stderr);
	/* What was found before the reading failed stands; without any, nothing is known. */
	if (rc == 0 || !r->ok) {
		print_report(c, r, source, wr_mono_ms(&wr_clock_system) - s.began_ms,
		             rc == 0 ? NULL : err->msg);
		code = rc != 0 ? EXIT_USAGE : r->ok ? EXIT_OK : EXIT_NO;
		if (c->json) err->code = WR_E_OK; /* it is in there */
	}
	if (rc == 0 && r->ok && state && r->head.known && write_state(state, &r->head, err) != 0)
		code = EXIT_USAGE;
	free(r);
	return code;
}

static int audit_source(cli *c, const char *profile, const char *source)
{
	wr_findings found;
	wr_err err = {0};
	wr_profile *p = wr_profile_load(profile, &found);
	wr_findings_print(&found, stderr);
	for (size_t i = 0; !p && c->json && i < found.count && err.code == WR_E_OK; i++) {
		const wr_finding *x = &found.items[i];
		if (x->is_error)
			(void)wr_fail(&err, WR_E_INVALID, "%s:%u: %s: %s", x->file, x->line, x->key, x->text);
	}
	wr_findings_free(&found);
	if (!p) {
		if (c->json) (void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	wr_foreign *f = wr_foreign_open(p, source, &err);
	int code = f ? audit_with(c, f, source, &err) : EXIT_USAGE;
	if (err.code != WR_E_OK) (void)cli_error(c, &err);
	wr_foreign_close(f);
	wr_profile_free(p);
	return code;
}

/* ---- by the engine ---- */

/* The chain of the state that an answer's entry names. */
static const json_t *chain_of(const json_t *state, const json_t *asked)
{
	size_t i;
	json_t *c;
	json_array_foreach (json_object_get(state, "foreign"), i, c)
		if (!strcmp(wr_json_str(c, "name", ""), wr_json_str(asked, "name", "?"))) return c;
	return NULL;
}

static bool done(const json_t *state, const json_t *asked, bool show)
{
	size_t i, left = 0;
	json_t *a;
	int64_t records = 0;
	json_array_foreach (asked, i, a) {
		const json_t *c = chain_of(state, a);
		if (!c || wr_json_int(c, "audits", 0) >= wr_json_int(a, "audit", 0)) continue;
		left++;
		if (wr_json_int(c, "auditing", 0) > 0) records += wr_json_int(c, "auditing", 0);
	}
	if (show && left)
		fprintf(stderr, "\rthe engine audits %zu chains, %lld receipts so far\033[K", left,
		        (long long)records);
	if (show && !left) fputs("\r\033[K", stderr);
	return left == 0;
}

/* The state in which all that was asked for is done; NULL: *rc says why not. */
static json_t *wait_for(cli *c, const json_t *asked, int *rc)
{
	char path[96] = "/v1/state";
	bool show = isatty(STDERR_FILENO) && !c->json;
	for (;;) {
		json_t *state = cli_call(c, path, NULL, rc);
		if (!state) return NULL;
		bool unchanged = wr_json_bool(state, "unchanged", false);
		if (!unchanged && done(state, asked, show)) return state;
		(void)snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=%d",
		               (long long)wr_json_int(state, "rev", -1), WAIT_MS);
		json_decref(state);
	}
}

static int print_chains(cli *c, const json_t *state, const json_t *asked)
{
	json_t *list = json_array(), *a;
	size_t i;
	int code = EXIT_OK;
	json_array_foreach (asked, i, a) {
		const json_t *chain = chain_of(state, a);
		const char *result = wr_json_str(chain, "audit_result", "unreadable");
		bool broken = !strcmp(result, "broken"), ok = !strcmp(result, "verified");
		if (!ok && code != EXIT_NO) code = broken ? EXIT_NO : EXIT_USAGE;
		if (chain) (void)json_array_append_new(list, json_deep_copy(chain));
		if (c->json) continue;
		say(c, stdout, "%s%s of %s\n", i ? "\n" : "", wr_json_str(a, "name", ""),
		    wr_json_str(a, "region", ""));
		say(c, stdout, "Receipts checked: %lld\nValid receipts: %lld\n",
		    (long long)wr_json_int(chain, "checked", 0), (long long)wr_json_int(chain, "valid", 0));
		if (*wr_json_str(chain, "reason", "") && !ok)
			say(c, stdout, "%s\n", wr_json_str(chain, "reason", ""));
		say(c, stdout, "Chain integrity: %s%s\n",
		    ok       ? "VERIFIED"
		    : broken ? "BROKEN"
		             : "UNKNOWN: it could not be read",
		    !cli_unicode(c) ? ""
		    : ok            ? " \xe2\x9c\x93"
		    : broken        ? " \xe2\x9c\x97"
		                    : "");
	}
	if (c->json) cli_print_json(list);
	json_decref(list);
	return code;
}

static int audit_region(cli *c, const char *region)
{
	int rc = EXIT_OK;
	json_t *body = json_pack("{s:s}", "region", region);
	json_t *answer = body ? cli_call(c, "/v1/audit", body, &rc) : NULL;
	json_decref(body);
	if (!answer) return rc == EXIT_NO ? EXIT_USAGE : rc;
	const json_t *asked = json_object_get(answer, "asked");
	if (cli_opt(c, "no-wait")) {
		if (c->json)
			cli_print_json(asked);
		else
			say(c, stdout, "asked for %zu audits\n", json_array_size(asked));
	} else {
		json_t *state = wait_for(c, asked, &rc);
		if (state) rc = print_chains(c, state, asked);
		json_decref(state);
	}
	json_decref(answer);
	return rc;
}

int ledger_audit(cli *c)
{
	if (c->argc == 2) return audit_source(c, c->argv[0], c->argv[1]);
	if (c->argc == 1) return audit_region(c, c->argv[0]);
	return cli_usage(c, "ledger audit needs PROFILE and SOURCE, or one REGION or all");
}
