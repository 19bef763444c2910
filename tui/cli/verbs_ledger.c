/* verbs_ledger.c: ledger verify, tail, show. verify needs no engine: it reads the files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/lines.h"
#include "warroom/json.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

static void progress(void *ctx, int64_t bytes, int64_t total)
{
	int64_t *last = ctx;
	int64_t percent = total > 0 ? bytes * 100 / total : 100;
	if (percent == *last) return;
	*last = percent;
	fprintf(stderr, "\rverifying %3lld%%", (long long)percent);
	if (percent >= 100) fputs("\r              \r", stderr);
}

static int verify(cli *c)
{
	if (c->argc != 2) return cli_usage(c, "use: ledger verify PATH");
	wr_verify_report rep = {0};
	wr_err err = {0};
	int64_t last = -1;
	bool show = isatty(STDERR_FILENO) && !c->json;
	if (wr_ledger_verify(c->argv[1], &rep, show ? progress : NULL, &last, &err) != 0) {
		wr_verify_free(&rep);
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	if (c->json) {
		json_t *j = wr_verify_json(&rep);
		cli_print_json(j);
		json_decref(j);
	} else {
		wr_buf out = WR_BUF_INIT(4u << 20);
		wr_verify_print(&rep, cli_unicode(c), &out);
		fputs(wr_buf_cstr(&out), stdout);
		wr_buf_free(&out);
	}
	bool ok = rep.ok;
	wr_verify_free(&rep);
	return ok ? EXIT_OK : EXIT_NO;
}

static void print_line(const cli *c, const json_t *r, const char *text)
{
	say(c, stdout, "%6lld  %.23sZ  %-26s %s\n", (long long)wr_json_int(r, "seq", -1),
	    wr_json_str(r, "timestamp", ""), wr_json_str(r, "operation", ""), text);
}

static const char *sentence(const json_t *answer, size_t i)
{
	const char *text = json_string_value(json_array_get(json_object_get(answer, "texts"), i));
	return text ? text : "";
}

static json_t *fetch(cli *c, int64_t from, int64_t limit, int *rc)
{
	char path[96];
	snprintf(path, sizeof path, "/v1/receipts?from=%lld&limit=%lld", (long long)from,
	         (long long)limit);
	return cli_call(c, path, NULL, rc);
}

static int tail(cli *c)
{
	int64_t from = -c->lines;
	for (;;) {
		int rc = EXIT_OK;
		json_t *a = fetch(c, from, 500, &rc), *r;
		if (!a) return rc;
		size_t i;
		if (c->json && !c->watch)
			cli_print_json(json_object_get(a, "receipts"));
		else
			json_array_foreach (json_object_get(a, "receipts"), i, r) {
				if (c->json)
					cli_print_json(r);
				else
					print_line(c, r, sentence(a, i));
			}
		from = wr_json_int(json_object_get(a, "head"), "count", 0);
		json_decref(a);
		if (!c->watch) return EXIT_OK;
		fflush(stdout);
		/* The state's revision moves at every receipt; wait on it instead of asking again and
		 * again. */
		json_t *s = cli_call(c, "/v1/state", NULL, &rc);
		if (!s) return rc;
		char path[96];
		snprintf(path, sizeof path, "/v1/state?since=%lld&wait_ms=5000",
		         (long long)wr_json_int(s, "rev", -1));
		json_decref(s);
		if (!(s = cli_call(c, path, NULL, &rc))) return rc;
		json_decref(s);
	}
}

/* What has several lines is moved in, so that none of them looks like a member. */
static void print_member(const char *key, const char *value)
{
	size_t n = strcspn(value, "\n");
	printf("%-24s %.*s\n", key, (int)n, value);
	while (value[n]) {
		value += n + 1;
		n = strcspn(value, "\n");
		if (n || value[n]) printf("%-24s %.*s\n", "", (int)n, value);
	}
}

static int show(cli *c)
{
	char *end = NULL;
	long long seq = c->argc == 2 ? strtoll(c->argv[1], &end, 10) : -1;
	if (seq < 0 || !end || *end) return cli_usage(c, "use: ledger show SEQ");
	int rc = EXIT_OK;
	json_t *a = fetch(c, seq, 1, &rc);
	if (!a) return rc;
	json_t *r = json_array_get(json_object_get(a, "receipts"), 0);
	if (!r) {
		json_decref(a);
		wr_err err;
		(void)wr_fail(&err, WR_E_CANCELLED, "no receipt %lld: the ledger ends before it", seq);
		(void)cli_error(c, &err);
		return EXIT_NO;
	}
	if (c->json) {
		cli_print_json(r);
	} else {
		say(c, stdout, "%s\n\n", sentence(a, 0));
		const char *key;
		json_t *v;
		json_object_foreach (r, key, v) {
			wr_buf b = WR_BUF_INIT(1u << 20);
			wr_json_dump(&b, v);
			print_member(key, json_is_string(v) ? json_string_value(v) : wr_buf_cstr(&b));
			wr_buf_free(&b);
		}
	}
	json_decref(a);
	return EXIT_OK;
}

int verb_ledger(cli *c)
{
	const char *what = c->argc ? c->argv[0] : "";
	if (!strcmp(what, "verify")) return verify(c);
	if (!strcmp(what, "tail")) return tail(c);
	if (!strcmp(what, "show")) return show(c);
	return cli_usage(c, "use: ledger verify PATH, ledger tail, ledger show SEQ");
}
