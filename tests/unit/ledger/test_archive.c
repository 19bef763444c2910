/* The archive: when, what, whole or not at all, removed only what is ours and whole, and checked
 * from one export to the next. */
#include "fixture.h"

#include "ledger/scan.h"
#include "warroom/archive.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US  (24 * HOUR_US)
#define NOON_MS INT64_C(43200000)

static int64_t at(const char *text)
{
	int64_t us;
	if (wr_time_parse(text, &us, NULL)) fail_msg("%s", text);
	return us;
}

static void due(void **state)
{
	(void)state;
	static const struct {
		const char *last, *next;
	} noon[] = {
	    {"2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z"}, /* the very moment is over */
	    {"2026-11-20T11:59:59.999999Z", "2026-11-20T12:00:00Z"},
	    {"2026-11-20T12:00:00.000001Z", "2026-11-21T12:00:00Z"},
	    {"2026-11-20T00:00:00Z", "2026-11-20T12:00:00Z"},
	    {"2026-12-31T23:59:59Z", "2027-01-01T12:00:00Z"},
	    {"2028-02-28T13:00:00Z", "2028-02-29T12:00:00Z"},
	    {"1969-12-31T13:00:00Z", "1970-01-01T12:00:00Z"},
	};
	for (size_t i = 0; i < sizeof noon / sizeof *noon; i++)
		assert_int_equal(wr_archive_next(at("2030-01-01T00:00:00Z"), NOON_MS, at(noon[i].last)),
		                 at(noon[i].next));
	/* Midnight, and the last moment of a day. */
	assert_int_equal(wr_archive_next(at("2026-11-21T05:00:00Z"), 0, at("2026-11-20T12:00:00Z")),
	                 at("2026-11-21T00:00:00Z"));
	assert_int_equal(
	    wr_archive_next(at("2026-11-21T05:00:00Z"), 86399000, at("2026-11-20T12:00:00Z")),
	    at("2026-11-20T23:59:59Z"));
	/* Down for a week: due once, at the first noon that was missed, and then tomorrow. */
	int64_t now = at("2026-11-21T09:00:00Z");
	assert_true(wr_archive_next(now, NOON_MS, at("2026-11-14T12:00:03Z")) <= now);
	assert_true(wr_archive_next(now, NOON_MS, now) > now);
	/* A last one from the future does not put it off until then. */
	assert_int_equal(wr_archive_next(now, NOON_MS, at("2036-01-01T00:00:00Z")),
	                 at("2026-11-21T12:00:00Z"));
	/* Always later than the last, at most a day, and at that time of day. */
	uint64_t seed = 7;
	for (int i = 0; i < 10000; i++) {
		int64_t last = (int64_t)(test_next(&seed) % UINT64_C(4000000000000000));
		int64_t ms = (int64_t)(test_next(&seed) % 86400) * 1000;
		int64_t next = wr_archive_next(INT64_MAX, ms, last);
		assert_true(next > last && next - last <= DAY_US && next % DAY_US == ms * 1000);
	}
}

static void names(void **state)
{
	(void)state;
	wr_archive_entry e = {.time_us = at("2026-11-21T12:00:01.9Z"),
	                      .first_seq = 5,
	                      .last_seq = 10246},
	                 got;
	wr_archive_name(&e);
	assert_string_equal(e.name, "20261121T120001Z-00000000000000000005-00000000000000010246");
	assert_true(wr_archive_parse(e.name, &got));
	assert_int_equal(got.first_seq, 5);
	assert_int_equal(got.last_seq, 10246);
	assert_int_equal(got.time_us, at("2026-11-21T12:00:01Z"));
	static const char *const others[] = {
	    "",
	    ".making",
	    "20261121T120001Z-00000000000000000005-0000000000000001024",
	    "20261121T120001Z-00000000000000000005-000000000000000102460",
	    "20261121T120001Z-00000000000000000006-00000000000000000005",
	    "20261321T120001Z-00000000000000000005-00000000000000010246",
	    "20261121T250001Z-00000000000000000005-00000000000000010246",
	    "20261121t120001Z-00000000000000000005-00000000000000010246",
	    "20261121T120001Z_00000000000000000005-00000000000000010246",
	    "20261121T120001Z-99999999999999999999-99999999999999999999",
	    "20261121T120001Z-0000000000000000000x-00000000000000010246",
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (wr_archive_parse(others[i], &got)) fail_msg("%s", others[i]);
}

/* ---- exports of a ledger ---- */

static const char *archive_dir(void)
{
	return in_dir("archive");
}

static const char *ledger_dir(void)
{
	return in_dir("ledger");
}

static wr_ledger *open_ledger(void)
{
	wr_ledger_opts opts = test_opts();
	opts.dir = ledger_dir();
	opts.segment_max = 4096;
	opts.engine_key = in_dir("engine.key");
	return must_open(&opts, NULL);
}

static void add(int n)
{
	wr_ledger *l = open_ledger();
	for (int i = 0; i < n; i++) must_append(l, i);
	wr_ledger_close(l);
}

static int64_t count(void)
{
	wr_head h;
	wr_ledger *l = open_ledger();
	wr_ledger_head(l, &h);
	wr_ledger_close(l);
	return h.count;
}

static wr_archive_made make(int64_t first)
{
	wr_archive_job job = {.ledger = ledger_dir(),
	                      .chain = CHAIN_NAME,
	                      .dir = archive_dir(),
	                      .first_seq = first,
	                      .clock = &test_clock};
	wr_archive_made m;
	wr_err err = {0};
	if (wr_archive_make(&job, &m, &err)) fail_msg("%s", err.msg);
	return m;
}

static const char *in_export(const wr_archive_entry *e, const char *name)
{
	char path[384];
	snprintf(path, sizeof path, "archive/%s/%s", e->name, name);
	return in_dir(path);
}

static void one_after_another(void **state)
{
	(void)state;
	add(30);
	int64_t n = count();
	wr_archive_made a = make(0);
	assert_false(a.found);
	assert_int_equal(a.entry.first_seq, 0);
	assert_int_equal(a.entry.last_seq, n - 1);
	assert_int_equal(a.receipts, n);
	assert_int_equal(strlen(a.manifest), 64);
	/* Byte for byte what the ledger has, and a ledger that verifies. */
	wr_buf x, y;
	char name[128];
	snprintf(name, sizeof name, "ledger/" CHAIN_NAME "/%020d.jsonl", 0);
	slurp(&x, in_dir(name));
	snprintf(name, sizeof name, CHAIN_NAME "/%020d.jsonl", 0);
	slurp(&y, in_export(&a.entry, name));
	assert_int_equal(x.len, y.len);
	assert_memory_equal(x.data, y.data, x.len);
	wr_buf_free(&x);
	wr_buf_free(&y);
	wr_verify_report rep;
	wr_err err = {0};
	assert_int_equal(wr_ledger_verify(in_export(&a.entry, ""), &rep, NULL, NULL, &err), 0);
	assert_true(rep.ok);
	assert_int_equal(rep.checked, n);
	wr_verify_free(&rep);
	/* Nothing is new; then something is. */
	wr_archive_made none = make(n);
	assert_int_equal(none.receipts, 0);
	add(5);
	wr_archive_made b = make(n);
	assert_int_equal(b.entry.first_seq, n);
	assert_true(b.receipts >= 5);
	assert_int_equal(access(in_dir("archive/.making"), F_OK), -1);
	wr_archive_report r;
	assert_int_equal(wr_archive_verify(archive_dir(), &r, &err), 0);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.failed + (size_t)r.gaps, 0);
	assert_int_equal(r.first_seq, 0);
	assert_int_equal(r.last_seq, b.entry.last_seq);
	json_t *j = wr_archive_json(&r);
	assert_true(json_is_true(json_object_get(j, "ok")));
	json_decref(j);
	wr_archive_report_free(&r);
}

static void a_crash_after_it(void **state)
{
	(void)state;
	add(10);
	wr_archive_made a = make(0);
	add(10); /* the receipt of the export never came, but others */
	wr_archive_made again = make(0);
	assert_true(again.found);
	assert_string_equal(again.entry.name, a.entry.name);
	assert_string_equal(again.manifest, a.manifest);
	assert_int_equal(again.bytes, a.bytes);
	assert_int_equal(again.receipts, a.receipts);
}

static void a_crash_within(void **state)
{
	(void)state;
	add(10);
	assert_int_equal(mkdir(archive_dir(), 0750), 0);
	/* What crashes leave: half an export, half a removal. */
	assert_int_equal(mkdir(in_dir("archive/.making"), 0750), 0);
	spit(in_dir("archive/.making/half"), "x", 1);
	assert_int_equal(mkdir(in_dir("archive/..making.partial"), 0750), 0);
	spit(in_dir("archive/..making.partial/half"), "x", 1);
	assert_int_equal(mkdir(in_dir("archive/.removing"), 0750), 0);
	spit(in_dir("archive/.removing/half"), "x", 1);
	wr_archive_made a = make(0);
	assert_true(a.receipts > 0 && !a.found);
	int64_t removed, left;
	assert_int_equal(wr_archive_prune(archive_dir(), 1, 0, &removed, &left, NULL), 0);
	DIR *d = opendir(archive_dir());
	const struct dirent *e;
	int entries = 0;
	while ((e = readdir(d))) entries += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	assert_int_equal(entries, 1);
}

/* A damaged one under the right name is not taken for done. */
static void found_but_damaged(void **state)
{
	(void)state;
	add(10);
	wr_archive_made a = make(0);
	append_bytes(in_export(&a.entry, "export.json"), " ", 1);
	wr_archive_made b = make(0);
	assert_false(b.found);
	assert_string_not_equal(a.entry.name, b.entry.name);
}

static void damaged_ledger(void **state)
{
	(void)state;
	add(10);
	char name[128];
	wr_buf x;
	snprintf(name, sizeof name, "ledger/" CHAIN_NAME "/%020d.jsonl", 0);
	slurp(&x, in_dir(name));
	x.data[x.len / 2] ^= 1;
	spit(in_dir(name), x.data, x.len);
	wr_buf_free(&x);
	wr_archive_job job = {
	    .ledger = ledger_dir(), .chain = CHAIN_NAME, .dir = archive_dir(), .clock = &test_clock};
	wr_archive_made m;
	wr_err err = {0};
	assert_int_equal(wr_archive_make(&job, &m, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	wr_archive_entry *all;
	size_t n;
	assert_int_equal(wr_archive_list(archive_dir(), &all, &n, &err), 0);
	assert_int_equal(n, 0);
	free(all);
}

/* ---- retention ---- */

static wr_archive_made day(int64_t first, int number)
{
	test_now = T0 + number * DAY_US;
	add(3);
	return make(first);
}

static bool there(const wr_archive_entry *e)
{
	return access(in_export(e, ""), F_OK) == 0;
}

static void prune(int64_t keep_days, int number, int64_t removed, int64_t left)
{
	int64_t r, l;
	wr_err err = {0};
	if (wr_archive_prune(archive_dir(), keep_days * DAY_US / 1000, T0 + number * DAY_US, &r, &l,
	                     &err))
		fail_msg("%s", err.msg);
	assert_int_equal(r, removed);
	assert_int_equal(l, left);
}

static void retention(void **state)
{
	(void)state;
	wr_archive_made a = day(0, 0), b = day(a.entry.last_seq + 1, 1),
	                c = day(b.entry.last_seq + 1, 2), d = day(c.entry.last_seq + 1, 3);
	spit(in_dir("archive/notes.txt"), "mine\n", 5);
	assert_int_equal(mkdir(in_dir("archive/20200101T000000Z-mine"), 0700), 0);
	prune(90, 80, 0, 0);
	prune(0, 10000, 0, 0); /* for ever */
	/* Somebody's file in one, a changed byte in another: they stay. */
	spit(in_export(&a.entry, "why.txt"), "keep\n", 5);
	append_bytes(in_export(&b.entry, "export.json"), " ", 1);
	prune(90, 10000, 1, 2);
	assert_true(there(&a.entry) && there(&b.entry) && there(&d.entry));
	assert_false(there(&c.entry)); /* d is the newest */
	assert_int_equal(access(in_dir("archive/notes.txt"), F_OK), 0);
	assert_int_equal(access(in_dir("archive/20200101T000000Z-mine"), F_OK), 0);
	assert_int_equal(unlink(in_export(&a.entry, "why.txt")), 0);
	prune(90, 10000, 1, 1);
	assert_false(there(&a.entry));
}

/* ---- checking ---- */

static wr_archive_report check(size_t failed, int64_t gaps)
{
	wr_archive_report r;
	wr_err err = {0};
	if (wr_archive_verify(archive_dir(), &r, &err)) fail_msg("%s", err.msg);
	if (r.failed != failed || r.gaps != gaps) {
		for (size_t i = 0; i < r.count; i++)
			print_message("%s %s\n", r.rows[i].entry.name, r.rows[i].text);
		fail_msg("%zu failed, %lld gaps", r.failed, (long long)r.gaps);
	}
	return r;
}

static void what_is_wrong(void **state)
{
	(void)state;
	wr_archive_made a = day(0, 0), b = day(a.entry.last_seq + 1, 1),
	                c = day(b.entry.last_seq + 1, 2);
	wr_archive_report r = check(0, 0);
	assert_int_equal(r.receipts, c.entry.last_seq + 1);
	wr_archive_report_free(&r);
	/* A gap in the middle. */
	assert_int_equal(rename(in_export(&b.entry, ""), in_dir("b")), 0);
	r = check(0, 1);
	assert_int_equal(r.first_seq, c.entry.first_seq);
	assert_non_null(strstr(r.rows[1].text, "missing"));
	wr_archive_report_free(&r);
	assert_int_equal(rename(in_dir("b"), in_export(&b.entry, "")), 0);
	/* One that begins before the last one's end is fine, if it says the same. */
	test_now += DAY_US;
	wr_archive_job job = {.ledger = ledger_dir(),
	                      .chain = CHAIN_NAME,
	                      .dir = archive_dir(),
	                      .first_seq = b.entry.first_seq + 1,
	                      .clock = &test_clock};
	wr_archive_made m;
	assert_int_equal(wr_archive_make(&job, &m, NULL), 0);
	r = check(0, 0);
	assert_int_equal(r.count, 4);
	wr_archive_report_free(&r);
	/* A changed receipt; the manifest says so. With the manifest made anew, the hash does. */
	char name[128];
	wr_buf x;
	snprintf(name, sizeof name, CHAIN_NAME "/%020lld.jsonl", (long long)c.entry.first_seq);
	slurp(&x, in_export(&c.entry, name));
	memcpy(strstr(x.data, "drill"), "grill", 5);
	spit(in_export(&c.entry, name), x.data, x.len);
	wr_buf_free(&x);
	r = check(1, 0);
	wr_archive_report_free(&r);
	char dir[512];
	snprintf(dir, sizeof dir, "%s", in_export(&c.entry, ""));
	assert_int_equal(wr_manifest_write(dir, NULL), 0);
	r = check(1, 0);
	wr_archive_report_free(&r);
}

/* Exports of another ledger put in between have right manifests and hashes. */
static void another_ledger(void **state)
{
	(void)state;
	wr_archive_made a = day(0, 0), b = day(a.entry.last_seq + 1, 1);
	assert_int_equal(rename(archive_dir(), in_dir("first")), 0);
	assert_int_equal(rename(ledger_dir(), in_dir("first-ledger")), 0);
	wr_archive_made c = day(0, 5), d = day(c.entry.last_seq + 1, 6);
	assert_int_equal(b.entry.first_seq, d.entry.first_seq);
	char from[512];
	snprintf(from, sizeof from, "%s/first/%s", test_dir, a.entry.name);
	remove_tree(in_export(&c.entry, ""));
	assert_int_equal(rename(from, in_export(&a.entry, "")), 0);
	wr_archive_report r = check(1, 0);
	assert_non_null(strstr(r.rows[1].text, "prev_hash"));
	wr_archive_report_free(&r);
}

/* Line `n` of a text says something else, with a hash that is right. */
static void forge_line(char *text, int n)
{
	uint8_t hash[WR_HASH_LEN];
	char hex[WR_HEX_LEN];
	while (n-- > 0) text = strchr(text, '\n') + 1;
	size_t len = strcspn(text, "\n"), e_len = len - WR_HASH_TAIL;
	char *digit = strstr(text, "\"timestamp\":\"") + strlen("\"timestamp\":\"2026-01-25T12:40:15.");
	*digit = *digit == '1' ? '2' : '1';
	char kept = text[e_len - 1];
	text[e_len - 1] = '}';
	wr_leaf_hash(hash, text, e_len);
	text[e_len - 1] = kept;
	wr_hex(hex, hash, WR_HASH_LEN);
	memcpy(text + len - 2 - (WR_HEX_LEN - 1), hex, WR_HEX_LEN - 1);
}

/* The manifest is made anew: only the receipts themselves can tell. */
static void forged_within(void **state)
{
	(void)state;
	add(10);
	wr_archive_made a = day(0, 0), b = day(1, 1);
	wr_archive_report r;
	wr_err err = {0};
	wr_buf text, honest;
	char path[700], dir[512];
	assert_true(a.entry.last_seq > 3 && b.entry.last_seq > a.entry.last_seq);
	/* One that the export before has as well, in the later one. */
	(void)snprintf(dir, sizeof dir, "%s", in_export(&b.entry, ""));
	(void)snprintf(path, sizeof path, "%s",
	               in_export(&b.entry, CHAIN_NAME "/00000000000000000001.jsonl"));
	slurp(&text, path);
	slurp(&honest, path);
	forge_line(text.data, 1);
	spit(path, text.data, text.len);
	assert_int_equal(wr_manifest_write(dir, &err), 0);
	r = check(1, 0);
	assert_non_null(strstr(r.rows[1].text, "prev_hash"));
	wr_archive_report_free(&r);
	/* In all of it, and it ends before the export before does. */
	wr_archive_entry within = b.entry;
	const char *third = strchr(strchr(text.data, '\n') + 1, '\n') + 1;
	remove_tree(dir);
	within.last_seq = 2;
	(void)snprintf(within.name, sizeof within.name, "%.16s-%020d-%020d", b.entry.name, 1, 2);
	(void)snprintf(dir, sizeof dir, "%s", in_export(&within, ""));
	assert_int_equal(wr_mkdirs(in_export(&within, CHAIN_NAME), 0750, &err), 0);
	for (int changed = 0; changed < 2; changed++) {
		spit(in_export(&within, CHAIN_NAME "/00000000000000000001.jsonl"),
		     changed ? text.data : honest.data, (size_t)(third - text.data));
		assert_int_equal(wr_manifest_write(dir, &err), 0);
		r = check(changed ? 1 : 0, 0);
		if (changed) assert_non_null(strstr(r.rows[1].text, "receipt 2 is another than in"));
		wr_archive_report_free(&r);
	}
	wr_buf_free(&text);
	wr_buf_free(&honest);
	remove_tree(dir);
	/* Without its beginning, under the same name. */
	(void)snprintf(dir, sizeof dir, "%s", in_export(&a.entry, ""));
	(void)snprintf(path, sizeof path, "%s",
	               in_export(&a.entry, CHAIN_NAME "/00000000000000000000.jsonl"));
	slurp(&text, path);
	const char *second = strchr(text.data, '\n') + 1;
	spit(path, second, text.len - (size_t)(second - text.data));
	assert_int_equal(wr_manifest_write(dir, &err), 0);
	r = check(1, 0);
	assert_non_null(strstr(r.rows[0].text, "begins"));
	wr_archive_report_free(&r);
	wr_buf_free(&text);
}

static void single(void **state)
{
	(void)state;
	wr_archive_made a = day(0, 0), b = day(a.entry.last_seq + 1, 1);
	wr_archive_report r;
	wr_err err = {0};
	assert_int_equal(wr_archive_verify(in_export(&b.entry, ""), &r, &err), 0);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.failed, 0);
	assert_int_equal(r.first_seq, b.entry.first_seq);
	wr_archive_report_free(&r);
	assert_int_equal(wr_archive_verify(ledger_dir(), &r, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_archive_verify(in_dir("none"), &r, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(due),         cmocka_unit_test(names),     LEDGER_TEST(one_after_another),
	    LEDGER_TEST(a_crash_after_it), LEDGER_TEST(a_crash_within), LEDGER_TEST(found_but_damaged),
	    LEDGER_TEST(damaged_ledger),   LEDGER_TEST(retention),      LEDGER_TEST(what_is_wrong),
	    LEDGER_TEST(another_ledger),   LEDGER_TEST(single),         LEDGER_TEST(forged_within),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
