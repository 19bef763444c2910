/* Imports: what joins exactly goes in, once; everything else is refused and changes nothing. */
#include "history.h"

#include "warroom/export.h"

static wr_import_opts opts_of(const char *from)
{
	static char paths[2][512];
	(void)snprintf(paths[0], sizeof paths[0], "%s", in_dir(from));
	(void)snprintf(paths[1], sizeof paths[1], "%s", in_dir("l"));
	return (wr_import_opts){.from = paths[0], .into = paths[1], .clock = &test_clock};
}

static void expect_in(const char *from, int64_t skipped, int64_t added)
{
	wr_import_report r;
	wr_verify_report v;
	wr_err err = {0};
	const wr_import_opts o = opts_of(from);
	if (wr_import(&o, &r, &err)) fail_msg("%s", err.msg);
	assert_int_equal(r.skipped, skipped);
	assert_int_equal(r.added, added);
	wr_import_free(&r);
	assert_int_equal(wr_ledger_verify(in_dir("l"), &v, NULL, NULL, &err), 0);
	assert_true(v.ok);
	wr_verify_free(&v);
}

static char *segments_text(void)
{
	return tree_text(in_dir("l/" CHAIN_NAME));
}

/* Refused with that code, and no receipt moved. */
static void expect_out(const char *from, wr_code code)
{
	wr_import_report r;
	wr_err err = {0};
	const wr_import_opts o = opts_of(from);
	char *before = segments_text();
	assert_int_equal(wr_import(&o, &r, &err), -1);
	if (err.code != code) fail_msg("%s: %s", wr_err_name(err.code), err.msg);
	char *after = segments_text();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void export_from(const char *ledger, const char *to, int64_t seq)
{
	wr_err err = {0};
	wr_export_report r;
	char from[512], into[512];
	(void)snprintf(from, sizeof from, "%s", in_dir(ledger));
	(void)snprintf(into, sizeof into, "%s", in_dir(to));
	const wr_export_opts o = {.ledger = from,
	                          .to = into,
	                          .since = {.kind = WR_SINCE_SEQ, .seq = seq},
	                          .clock = &test_clock};
	if (wr_export(&o, &r, &err)) fail_msg("%s", err.msg);
	wr_export_free(&r);
}

static void test_joins(void **state)
{
	(void)state;
	history h;
	wr_buf text, want = WR_BUF_INIT(8u << 20);
	wr_engine_key *k = history_key();
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 120, k, 30);
	history_ledger(&h, "src", 0, h.count, 50, k);
	history_ledger(&h, "half", 0, 60, 0, k);
	export_from("half", "e1", 0);
	export_from("src", "e2", 40);
	export_from("src", "e3", 0);
	expect_in("e1", 0, 60); /* a new ledger */
	expect_in("e1", 60, 0);
	expect_in("e2", 20, (int64_t)h.count - 60);
	expect_in("e2", (int64_t)h.count - 40, 0);
	expect_in("e3", (int64_t)h.count, 0);
	wr_export_report r;
	wr_err err = {0};
	char out[512], ledger[512];
	(void)snprintf(out, sizeof out, "%s", in_dir("again"));
	(void)snprintf(ledger, sizeof ledger, "%s", in_dir("l"));
	const wr_export_opts o = {.ledger = ledger, .to = out, .clock = &test_clock};
	assert_int_equal(wr_export(&o, &r, &err), 0);
	assert_int_equal(r.receipts, h.count);
	assert_int_equal(r.chains[0].checkpoint_size, h.note_size);
	wr_export_free(&r);
	slurp(&text, in_dir("l/" CHAIN_NAME "/00000000000000000000.jsonl"));
	history_text(&h, 0, h.count, "\n", &want);
	assert_string_equal(text.data, want.data);
	wr_buf_free(&text);
	wr_buf_free(&want);
	/* The engine goes on from there. */
	wr_ledger_opts lo = test_opts();
	lo.dir = ledger;
	wr_ledger *l = must_open(&lo, NULL);
	must_append(l, 1);
	wr_ledger_close(l);
	/* While it writes, nothing else does. */
	l = must_open(&lo, NULL);
	const wr_import_opts io = opts_of("e3");
	wr_import_report ir;
	int rc = wr_import(&io, &ir, &err);
	wr_ledger_close(l);
	assert_int_equal(rc, -1);
	history_free(&h);
	wr_engine_key_free(k);
}

static void test_files_of_lines(void **state)
{
	(void)state;
	history a, b;
	wr_buf text = WR_BUF_INIT(8u << 20);
	history_init(&a, CHAIN_NAME);
	history_init(&b, "us-central1/audit");
	history_grow(&a, 20, NULL, 0);
	history_grow(&b, 10, NULL, 0);
	history_text(&a, 0, 10, "\n", &text);
	history_text(&b, 0, 10, "\n", &text);
	history_text(&a, 10, 20, "\n", &text);
	spit(in_dir("both"), text.data, text.len);
	expect_in("both", 0, 30);
	expect_in("both", 30, 0);
	wr_buf_free(&text);
	history_free(&a);
	history_free(&b);
}

static void test_refused(void **state)
{
	(void)state;
	history h, other;
	wr_err err = {0};
	wr_receipt first;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 60, NULL, 0);
	history_file(&h, 0, 30, "\n", in_dir("start"));
	expect_in("start", 0, 30);
	/* a gap between the ledger and the export, and one within it */
	history_file(&h, 31, 60, "\n", in_dir("x"));
	expect_out("x", WR_E_CONFLICT);
	wr_buf text = WR_BUF_INIT(8u << 20);
	history_text(&h, 25, 40, "\n", &text);
	history_text(&h, 41, 60, "\n", &text);
	spit(in_dir("x"), text.data, text.len);
	expect_out("x", WR_E_CORRUPT);
	/* backwards, and twice */
	wr_buf_reset(&text);
	for (size_t i = 40; i-- > 30;) history_text(&h, i, i + 1, "\n", &text);
	spit(in_dir("x"), text.data, text.len);
	expect_out("x", WR_E_CONFLICT);
	wr_buf_reset(&text);
	history_text(&h, 28, 35, "\n", &text);
	history_text(&h, 34, 60, "\n", &text);
	spit(in_dir("x"), text.data, text.len);
	expect_out("x", WR_E_CORRUPT);
	/* another history: before the end, and right behind it */
	history_branch(&other, &h, 20);
	history_grow(&other, 40, NULL, 0);
	history_file(&other, 0, 60, "\n", in_dir("x"));
	expect_out("x", WR_E_CONFLICT);
	history_file(&other, 30, 60, "\n", in_dir("x"));
	expect_out("x", WR_E_CONFLICT);
	history_free(&other);
	/* an id that is there already */
	assert_int_equal(wr_receipt_parse(&first, h.line[5], h.len[5], true, &err), WR_RF_OK);
	history_branch(&other, &h, 30);
	history_put(&other, note(1), first.receipt_id);
	history_file(&other, 30, 31, "\n", in_dir("x"));
	expect_out("x", WR_E_CONFLICT);
	history_free(&other);
	/* a changed bit, a cut line, no receipts at all */
	wr_buf_reset(&text);
	history_text(&h, 30, 60, "\n", &text);
	text.data[text.len / 2] ^= 1;
	spit(in_dir("x"), text.data, text.len);
	expect_out("x", WR_E_CORRUPT);
	text.data[text.len / 2] ^= 1;
	spit(in_dir("x"), text.data, text.len - 30);
	expect_out("x", WR_E_CORRUPT);
	spit(in_dir("x"), text.data, text.len - 1); /* the newline alone */
	expect_out("x", WR_E_CORRUPT);
	spit(in_dir("x"), "", 0);
	expect_out("x", WR_E_NOT_FOUND);
	expect_out("nothing", WR_E_NOT_FOUND);
	spit(in_dir("x"), text.data, text.len);
	expect_in("x", 0, 30);
	wr_buf_free(&text);
	history_free(&h);
}

static void test_exports_that_lie(void **state)
{
	(void)state;
	history h;
	wr_buf text;
	wr_err err = {0};
	char path[512];
	wr_engine_key *k = history_key();
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 60, k, 30);
	history_ledger(&h, "src", 0, h.count, 0, k);
	history_ledger(&h, "l", 0, 20, 0, k);
	export_from("src", "e", 0);
	/* a changed byte, a file more: the manifest says so */
	(void)snprintf(path, sizeof path, "%s", in_dir("e/" CHAIN_NAME "/00000000000000000000.jsonl"));
	slurp(&text, path);
	append_bytes(path, "\n", 1);
	expect_out("e", WR_E_CORRUPT);
	spit(path, text.data, text.len);
	spit(in_dir("e/more"), "", 0);
	expect_out("e", WR_E_CORRUPT);
	assert_int_equal(unlink(in_dir("e/more")), 0);
	/* a manifest made right again does not make the receipts right */
	char *at = strstr(text.data, h.line[40]);
	at[50] ^= 1;
	spit(path, text.data, text.len);
	assert_int_equal(wr_manifest_write(in_dir("e"), &err), 0);
	expect_out("e", WR_E_CORRUPT);
	at[50] ^= 1;
	/* the signed checkpoint covers more than there is */
	wr_buf cut = WR_BUF_INIT(8u << 20);
	history_text(&h, 0, 40, "\n", &cut);
	spit(path, cut.data, cut.len);
	assert_int_equal(wr_manifest_write(in_dir("e"), &err), 0);
	expect_out("e", WR_E_CORRUPT);
	wr_buf_free(&cut);
	/* another engine's */
	spit(path, text.data, text.len);
	wr_engine_key *other = wr_engine_key_load(in_dir("other.key"), true, &wr_random_system, &err);
	assert_non_null(other);
	assert_int_equal(unlink(in_dir("e/engine.pub")), 0);
	assert_int_equal(wr_engine_key_publish(other, in_dir("e"), &err), 0);
	assert_int_equal(wr_manifest_write(in_dir("e"), &err), 0);
	expect_out("e", WR_E_CONFLICT);
	/* as it was */
	assert_int_equal(unlink(in_dir("e/engine.pub")), 0);
	assert_int_equal(wr_engine_key_publish(k, in_dir("e"), &err), 0);
	assert_int_equal(wr_manifest_write(in_dir("e"), &err), 0);
	expect_in("e", 20, (int64_t)h.count - 20);
	wr_buf_free(&text);
	history_free(&h);
	wr_engine_key_free(k);
	wr_engine_key_free(other);
}

/* A crash may have left the beginning of the lines, the last one cut. */
static void test_goes_on(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 40, NULL, 0);
	history_file(&h, 0, 20, "\n", in_dir("a"));
	history_file(&h, 0, 40, "\n", in_dir("b"));
	for (size_t cut = 0; cut < h.len[25]; cut += 37) {
		wr_buf text = WR_BUF_INIT(8u << 20);
		expect_in("a", 0, 20);
		history_text(&h, 20, 26, "\n", &text);
		append_bytes(in_dir("l/" CHAIN_NAME "/00000000000000000000.jsonl"), text.data,
		             text.len - 1 - h.len[25] + cut);
		expect_in("b", 25, 15);
		wr_buf_free(&text);
		remove_tree(in_dir("l"));
	}
	history_free(&h);
}

typedef struct growing {
	const history *h;
	int fd;
} growing;

static void *grow_on(void *ctx)
{
	const growing *g = ctx;
	const struct timespec pace = {.tv_nsec = 20000};
	for (size_t i = 20; i < g->h->count; i++) {
		wr_buf line = WR_BUF_INIT(WR_LINE_MAX);
		wr_err err;
		history_text(g->h, i, i + 1, "\n", &line);
		assert_int_equal(wr_write_all(g->fd, line.data, line.len, &err), 0);
		wr_buf_free(&line);
		(void)nanosleep(&pace, NULL);
	}
	return NULL;
}

/* What grows while it is read goes in as far as it was checked, and the rest with the next one. */
static void test_growing(void **state)
{
	(void)state;
	history h;
	pthread_t thread;
	char path[512];
	int64_t count = 0;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, LINES_MAX - 1, NULL, 0);
	(void)snprintf(path, sizeof path, "%s", in_dir("lines"));
	history_file(&h, 0, 20, "\n", path);
	assert_int_equal(mkdir(in_dir("l"), 0750), 0);
	growing g = {.h = &h, .fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)};
	assert_true(g.fd >= 0);
	assert_int_equal(pthread_create(&thread, NULL, grow_on, &g), 0);
	while (count < (int64_t)h.count) {
		wr_import_report r;
		wr_verify_report v;
		wr_err err = {0};
		const wr_import_opts o = opts_of("lines");
		if (wr_import(&o, &r, &err)) {
			/* a line half written */
			if (!strstr(err.msg, "does not end")) fail_msg("%s", err.msg);
			continue;
		}
		count = r.chains[0].count;
		wr_import_free(&r);
		assert_int_equal(wr_ledger_verify(in_dir("l"), &v, NULL, NULL, &err), 0);
		if (!v.ok) fail_msg("%s", v.anomalies[0].text);
		assert_int_equal(v.checked, count);
		wr_verify_free(&v);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(g.fd);
	history_free(&h);
}

/* An export has no links, and none is followed: what it names need not be the export's. */
static void test_links(void **state)
{
	(void)state;
	history h;
	wr_import_report r;
	wr_err err = {0};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 30, NULL, 0);
	history_ledger(&h, "src", 0, 30, 0, NULL);
	export_from("src", "e", 0);
	spit(in_dir("secret"), "root:x\n", 7);
	assert_int_equal(symlink("../secret", in_dir("e/allowed_signers")), 0);
	const wr_import_opts o = opts_of("e");
	for (int listed = 1; listed >= 0; listed--) {
		assert_int_equal(wr_import(&o, &r, &err), -1);
		assert_int_equal(err.code, listed ? WR_E_CORRUPT : WR_E_INVALID);
		assert_int_not_equal(access(in_dir("l/allowed_signers"), F_OK), 0);
		(void)unlink(in_dir("e/" WR_MANIFEST_NAME));
	}
	history_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(test_joins),   LEDGER_TEST(test_files_of_lines),
	    LEDGER_TEST(test_refused), LEDGER_TEST(test_exports_that_lie),
	    LEDGER_TEST(test_goes_on), LEDGER_TEST(test_growing),
	    LEDGER_TEST(test_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
