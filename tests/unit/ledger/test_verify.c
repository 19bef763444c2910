/* test_verify.c: every kind of damage found, under its right name and in its right place. */
#include "fixture.h"

#include <pthread.h>

#include "ledger/idset.h"

#define COUNT 60

static wr_buf whole;            /* the one segment of a good ledger */
static size_t begin[COUNT + 1]; /* where each line begins */
static wr_verify_report report;

static void prepare_some(size_t count)
{
	make_ledger((int)count, 0);
	slurp(&whole, segment_file(0));
	size_t found = 0;
	for (size_t i = 0; i < whole.len; i++)
		if (whole.data[i] == '\n') begin[++found] = i + 1;
	assert_int_equal(found, count);
}

static void prepare(void)
{
	prepare_some(COUNT);
}

static int teardown(void **state)
{
	wr_verify_free(&report);
	wr_buf_free(&whole);
	return drop_test_dir(state);
}

static void check(const char *path)
{
	wr_err err = {0};
	wr_verify_free(&report);
	if (wr_ledger_verify(path, &report, NULL, NULL, &err)) fail_msg("%s", err.msg);
	assert_int_equal(report.checked, report.valid + report.invalid);
	assert_true(report.ok == (report.anomaly_total == report.torn));
}

static void print_report(void)
{
	wr_buf out = WR_BUF_INIT(1u << 20);
	wr_verify_print(&report, false, &out);
	print_message("%s", wr_buf_cstr(&out));
	wr_buf_free(&out);
}

typedef struct expected {
	wr_anomaly_kind kind;
	int64_t seq, line;
} expected;

/* Exactly these anomalies, in this order. */
static void must_find(const expected *list, size_t count)
{
	bool same = report.anomaly_count == count;
	for (size_t i = 0; same && i < count; i++)
		same = report.anomalies[i].kind == list[i].kind && report.anomalies[i].seq == list[i].seq &&
		       report.anomalies[i].line == list[i].line &&
		       strcmp(report.anomalies[i].chain, CHAIN_NAME) == 0;
	if (same) return;
	print_report();
	fail_msg("expected %zu anomalies, first %s seq %lld line %lld", count,
	         wr_anomaly_name(list[0].kind), (long long)list[0].seq, (long long)list[0].line);
}

#define MUST_FIND(...)                                                                             \
	do {                                                                                           \
		const expected list[] = {__VA_ARGS__};                                                     \
		must_find(list, sizeof list / sizeof *list);                                               \
	} while (0)

/* ---- putting lines together anew ---- */

static wr_buf made;

static void lines(size_t from, size_t to) /* to: exclusive */
{
	wr_buf_add(&made, whole.data + begin[from], begin[to] - begin[from]);
}

/* Line i once more with other content and a right hash. */
static void forged(size_t i, const char *new_id, bool other_parent)
{
	wr_receipt r;
	wr_err err = {0};
	uint8_t hash[WR_HASH_LEN];
	assert_int_equal(
	    wr_receipt_parse(&r, whole.data + begin[i], begin[i + 1] - begin[i] - 1, true, &err),
	    WR_RF_OK);
	if (other_parent) r.prev_hash[0] ^= 1;
	const wr_envelope env = {.actor = "mallory",
	                         .chain = r.chain,
	                         .epoch = r.epoch,
	                         .seq = r.seq,
	                         .timestamp_us = r.timestamp_us,
	                         .prev_hash = r.prev_hash,
	                         .receipt_id = new_id ? new_id : r.receipt_id};
	json_t *d = note(4711);
	assert_int_equal(wr_receipt_write(&made, hash, &env, d, &err), 0);
	json_decref(d);
}

static void start(void)
{
	wr_buf_free(&made);
	wr_buf_init(&made, 1u << 22);
}

static void verify_made(void)
{
	spit(segment_file(0), made.data, made.len);
	wr_buf_free(&made);
	check(test_dir);
}

#define NEW_ID "019bf556-0000-7abc-8def-0123456789ab"

/* ---- tests ---- */

static void good(void **state)
{
	(void)state;
	static const char expected_text[] = "Last consistent receipt: 59\n"
	                                    "Last attested receipt: none\n\n"
	                                    "Receipts checked: 60\nValid receipts: 60\n"
	                                    "Invalid receipts: 0\nHash mismatches: 0\n"
	                                    "Orphaned receipts: 0\nDuplicate receipts: 0\nForks: 0\n"
	                                    "Unauthorised steps: 0\nChain integrity: VERIFIED";
	prepare();
	wr_buf out = WR_BUF_INIT(1u << 16);
	check(test_dir);
	assert_true(report.ok);
	assert_int_equal(report.last_consistent_seq, COUNT - 1);
	assert_int_equal(report.chains, 1);
	assert_int_equal(report.bytes, whole.len);
	wr_verify_print(&report, false, &out);
	assert_memory_equal(out.data, expected_text, sizeof expected_text - 1);
	assert_string_equal(out.data + sizeof expected_text - 1, "\n");
	wr_buf_reset(&out);
	wr_verify_print(&report, true, &out);
	assert_string_equal(out.data + sizeof expected_text - 1, " \xe2\x9c\x93\n");
	check(in_dir(CHAIN_NAME));
	assert_true(report.ok && report.valid == COUNT);
	check(segment_file(0));
	assert_true(report.ok && report.valid == COUNT);
	wr_buf_free(&out);
}

static void several_bits(void **state)
{
	(void)state;
	static const size_t hit[] = {3, 4, 17, 30, 58};
	prepare();
	for (size_t i = 0; i < 5; i++) whole.data[begin[hit[i]] + 40] ^= 1;
	start();
	lines(0, COUNT);
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 3, 4}, {WR_AN_CORRUPT, 4, 5}, {WR_AN_CORRUPT, 17, 18},
	          {WR_AN_CORRUPT, 30, 31}, {WR_AN_CORRUPT, 58, 59});
	assert_int_equal(report.invalid, 5);
	assert_int_equal(report.valid, COUNT - 5);
	assert_int_equal(report.last_consistent_seq, 2);
}

static void removed(void **state)
{
	(void)state;
	prepare();
	start();
	lines(0, 12);
	lines(13, 30);
	lines(33, COUNT);
	verify_made();
	/* The last receipt is where the mark had it no more, which is said as well. */
	MUST_FIND({WR_AN_GAP, 12, 13}, {WR_AN_GAP, 30, 30}, {WR_AN_CORRUPT, 59, 56});
	assert_int_equal(report.valid, COUNT - 4);
	assert_int_equal(report.last_consistent_seq, 11);
	assert_int_equal(unlink(in_chain("head")), 0);
	start();
	lines(1, COUNT);
	verify_made();
	MUST_FIND({WR_AN_GAP, 0, 1});
}

static void the_end_removed(void **state)
{
	(void)state;
	prepare();
	start();
	lines(0, COUNT - 2);
	verify_made();
	MUST_FIND({WR_AN_TRUNCATED, COUNT - 2, 0});
	assert_int_equal(report.last_consistent_seq, COUNT - 3);
	start();
	lines(0, COUNT - 2);
	wr_buf_add(&made, whole.data + begin[COUNT - 2], 100);
	verify_made();
	MUST_FIND({WR_AN_TRUNCATED, COUNT - 2, COUNT - 1});
	assert_int_equal(unlink(segment_file(0)), 0);
	check(test_dir);
	MUST_FIND({WR_AN_TRUNCATED, 0, 0});
}

static void swapped(void **state)
{
	(void)state;
	prepare();
	start();
	lines(0, 20);
	lines(21, 22);
	lines(20, 21);
	lines(22, COUNT);
	verify_made();
	MUST_FIND({WR_AN_GAP, 20, 21}, {WR_AN_ORPHAN, 20, 22});
}

static void duplicated(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(unlink(in_chain("head")), 0);
	start();
	lines(0, 20);
	lines(19, 20);
	lines(20, 40);
	lines(3, 5);
	lines(40, COUNT);
	verify_made();
	MUST_FIND({WR_AN_DUPLICATE, 19, 21}, {WR_AN_DUPLICATE, 3, 42}, {WR_AN_DUPLICATE, 4, 43});
	assert_int_equal(report.duplicates, 3);
	assert_int_equal(report.valid, COUNT);
}

static void the_same_id_again(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(unlink(in_chain("head")), 0);
	start();
	lines(0, 21);
	forged(20, NULL, false);
	lines(21, COUNT);
	verify_made();
	MUST_FIND({WR_AN_EQUIVOCATION, 20, 22});
}

static void inserted(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(unlink(in_chain("head")), 0);
	/* Before the true one: both are children of one parent, and the true branch goes on. */
	start();
	lines(0, 20);
	forged(20, NEW_ID, false);
	lines(20, COUNT);
	verify_made();
	MUST_FIND({WR_AN_FORK, 20, 22});
	start(); /* after it */
	lines(0, 21);
	forged(20, NEW_ID, false);
	lines(21, COUNT);
	verify_made();
	MUST_FIND({WR_AN_FORK, 20, 22});
	start(); /* far from it */
	lines(0, 50);
	forged(20, NEW_ID, false);
	lines(50, COUNT);
	verify_made();
	MUST_FIND({WR_AN_FORK, 20, 51});
	assert_int_equal(report.forks, 1);
	start(); /* of no known parent */
	lines(0, 50);
	forged(20, NEW_ID, true);
	lines(50, COUNT);
	verify_made();
	MUST_FIND({WR_AN_ORPHAN, 20, 51});
	assert_int_equal(report.orphaned, 1);
}

static void rewritten(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(unlink(in_chain("head")), 0);
	start(); /* one receipt with a right hash: the next one betrays it */
	lines(0, 20);
	forged(20, NULL, false);
	lines(21, COUNT);
	verify_made();
	MUST_FIND({WR_AN_ORPHAN, 21, 22});
}

static void rewritten_to_the_end(void **state)
{
	(void)state;
	char old_head[256];
	wr_buf head;
	make_ledger(COUNT, 0);
	slurp(&head, in_chain("head"));
	(void)snprintf(old_head, sizeof old_head, "%s", head.data);
	wr_buf_free(&head);
	remove_tree(test_dir);
	assert_int_equal(mkdir(test_dir, 0750), 0);
	make_ledger(COUNT + 5, 0); /* another history, consistent in itself */
	spit(in_chain("head"), old_head, strlen(old_head));
	check(test_dir);
	MUST_FIND({WR_AN_FORK, COUNT - 1, COUNT});
}

static void newlines(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(unlink(in_chain("head")), 0);
	whole.data[begin[21] - 1] = 'J'; /* two receipts in one line */
	start();
	lines(0, COUNT);
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 20, 21});
	assert_int_equal(report.valid, COUNT - 2);
	whole.data[begin[21] - 1] = '\n';
	whole.data[begin[30] + 100] = '\n'; /* one in two */
	start();
	lines(0, COUNT);
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 30, 31}, {WR_AN_CORRUPT, 31, 32});
	assert_int_equal(report.valid, COUNT - 1);
	start();
	lines(0, 10);
	wr_buf_addc(&made, '\n'); /* an empty line */
	lines(10, 20);
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 10, 11});
}

static void a_very_long_line(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(unlink(in_chain("head")), 0);
	start();
	lines(0, 10);
	for (int i = 0; i < 3000000; i++) wr_buf_addc(&made, 'x');
	wr_buf_addc(&made, '\n');
	lines(10, COUNT);
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 10, 11});
	assert_int_equal(report.valid, COUNT);
	start();
	lines(0, 10);
	for (int i = 0; i < 300000; i++) wr_buf_addc(&made, 'x');
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 10, 11});
}

static void torn_ends(void **state)
{
	(void)state;
	wr_buf out = WR_BUF_INIT(1u << 16);
	prepare();
	append_bytes(segment_file(0), whole.data, 50);
	check(test_dir);
	MUST_FIND({WR_AN_TORN, COUNT, COUNT + 1});
	assert_true(report.ok);
	assert_int_equal(report.torn, 1);
	assert_int_equal(report.checked, COUNT);
	wr_verify_print(&report, false, &out);
	assert_memory_equal(out.data, "torn         us-central1/ops seq 60 ", 36);
	assert_non_null(strstr(out.data, "VERIFIED"));
	assert_non_null(strstr(out.data, "\n\nLast consistent receipt: 59\n"));
	wr_buf_free(&out);
	/* Only opening it mends it; a torn end in between was no torn end. */
	append_bytes(segment_file(0), "\n", 1);
	check(test_dir);
	MUST_FIND({WR_AN_CORRUPT, COUNT, COUNT + 1});
}

static void segments(void **state)
{
	(void)state;
	make_ledger(COUNT, 3000);
	check(test_dir);
	assert_true(report.ok);
	assert_int_equal(report.valid, COUNT);
	assert_int_equal(report.segments, count_files("0000"));
	int64_t seqs[COUNT];
	size_t n = 0;
	for (int64_t i = 0; i < COUNT; i++)
		if (file_size(segment_file(i)) >= 0) seqs[n++] = i;
	char away[520];
	(void)snprintf(away, sizeof away, "%s", in_dir("away"));
	assert_int_equal(rename(segment_file(seqs[2]), away), 0);
	check(test_dir);
	MUST_FIND({WR_AN_GAP, seqs[2], 1});
	assert_int_equal(rename(away, segment_file(seqs[2] + 1)), 0);
	check(test_dir);
	assert_false(report.ok);
	assert_int_equal(rename(segment_file(seqs[2] + 1), segment_file(seqs[2])), 0);
	assert_int_equal(rename(segment_file(seqs[n - 1]), away), 0);
	check(test_dir);
	MUST_FIND({WR_AN_TRUNCATED, seqs[n - 1], 0});
	assert_int_equal(rename(away, segment_file(seqs[n - 1])), 0);
	check(segment_file(seqs[1])); /* one of the middle alone is fine */
	assert_true(report.ok);
	assert_int_equal(report.valid, seqs[2] - seqs[1]);
	/* An old copy of a segment at the end. */
	wr_buf copy;
	slurp(&copy, segment_file(seqs[1]));
	spit(segment_file(COUNT), copy.data, copy.len);
	wr_buf_free(&copy);
	check(test_dir);
	assert_false(report.ok);
	assert_int_equal(report.duplicates, seqs[2] - seqs[1]);
}

static void misdirected(void **state)
{
	(void)state;
	prepare();
	assert_int_equal(rename(in_dir("us-central1"), in_dir("europe-west1")), 0);
	check(test_dir);
	assert_false(report.ok);
	assert_int_equal(report.orphaned, COUNT);
	assert_string_equal(report.anomalies[0].chain, "europe-west1/ops");
	assert_int_equal(report.anomalies[0].kind, WR_AN_ORPHAN);
	/* The chain's directory by itself has no place to be wrong about. */
	check(in_dir("europe-west1/ops"));
	assert_true(report.ok);
}

static void two_chains(void **state)
{
	(void)state;
	prepare();
	wr_ledger_opts opts = test_opts();
	opts.partition = "europe-west1";
	wr_ledger *l = must_open(&opts, NULL);
	must_append(l, 1);
	must_append(l, 2);
	wr_ledger_close(l);
	assert_int_equal(mkdir(in_dir("blobs"), 0750), 0);
	assert_int_equal(mkdir(in_dir("blobs/sha256"), 0750), 0);
	check(test_dir);
	assert_true(report.ok);
	assert_int_equal(report.chains, 2);
	assert_int_equal(report.valid, COUNT + 2);
	whole.data[begin[5] + 50] ^= 2;
	start();
	lines(0, COUNT);
	verify_made();
	MUST_FIND({WR_AN_CORRUPT, 5, 6});
	assert_int_equal(report.last_consistent_seq, 4);
}

static void the_mark(void **state)
{
	(void)state;
	wr_buf mark;
	prepare();
	slurp(&mark, in_chain("head"));
	for (size_t bit = 0; bit < mark.len * 8; bit++) {
		mark.data[bit / 8] = (char)(mark.data[bit / 8] ^ (1 << bit % 8));
		spit(in_chain("head"), mark.data, mark.len);
		check(test_dir);
		if (report.ok) fail_msg("bit %zu of the mark was not seen", bit);
		mark.data[bit / 8] = (char)(mark.data[bit / 8] ^ (1 << bit % 8));
	}
	wr_buf_free(&mark);
}

static void many_anomalies(void **state)
{
	(void)state;
	prepare();
	wr_buf out = WR_BUF_INIT(1u << 20);
	assert_int_equal(unlink(in_chain("head")), 0);
	start();
	lines(0, 10);
	for (int i = 0; i < 12345; i++) wr_buf_adds(&made, "rubbish\n");
	lines(10, COUNT);
	verify_made();
	assert_int_equal(report.anomaly_count, 1000);
	assert_int_equal(report.anomaly_total, 12345);
	assert_int_equal(report.invalid, 12345);
	assert_int_equal(report.valid, COUNT);
	wr_verify_print(&report, false, &out);
	assert_non_null(strstr(out.data, "and 11345 more\n"));
	assert_non_null(strstr(out.data, "Receipts checked: 12,405\nValid receipts: 60\n"
	                                 "Invalid receipts: 12,345\n"));
	assert_non_null(strstr(out.data, "Last consistent receipt: 9\n"));
	assert_non_null(strstr(out.data, "Chain integrity: BROKEN\n"));
	wr_buf_free(&out);
	json_t *j = wr_verify_json(&report);
	assert_int_equal(json_integer_value(json_object_get(j, "invalid")), 12345);
	assert_int_equal(json_array_size(json_object_get(j, "anomalies")), 1000);
	assert_true(json_is_false(json_object_get(j, "ok")));
	json_decref(j);
}

static void refuses(void **state)
{
	(void)state;
	wr_err err = {0};
	assert_int_equal(wr_ledger_verify(in_dir("absent"), &report, NULL, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_ledger_verify(test_dir, &report, NULL, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_ledger_verify("/dev/null", &report, NULL, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	wr_ledger_opts opts = test_opts();
	wr_ledger_close(must_open(&opts, NULL));
	check(test_dir); /* an engine that has written nothing yet */
	assert_true(report.ok);
	assert_int_equal(report.checked, 0);
}

/* ---- while somebody writes ---- */

static void *write_on(void *ctx)
{
	for (int i = 0; i < 2000; i++) must_append(ctx, i);
	return NULL;
}

/* Until space that was laid out ahead is cut off again. */
static void wait_for_newline(const char *path)
{
	for (int i = 0; i < 10000; i++) {
		wr_buf text;
		slurp(&text, path);
		bool ended = text.len > 0 && text.data[text.len - 1] == '\n';
		wr_buf_free(&text);
		if (ended) return;
		(void)usleep(1000);
	}
	fail_msg("laid out space stays");
}

static void alive(void **state)
{
	(void)state;
	pthread_t thread;
	wr_ledger_opts opts = test_opts();
	opts.segment_max = 50000;
	wr_ledger *l = must_open(&opts, NULL);
	assert_int_equal(pthread_create(&thread, NULL, write_on, l), 0);
	for (int i = 0; i < 100; i++) {
		wr_head head;
		wr_ledger_head(l, &head);
		check(test_dir);
		if (!report.ok || report.torn) {
			print_report();
			fail_msg("an anomaly in a ledger that is being written");
		}
		assert_true(report.valid >= head.count);
	}
	(void)pthread_join(thread, NULL);
	/* Half a line is no torn end while its writer lives. */
	wr_head head;
	wr_ledger_head(l, &head);
	int64_t last = head.count;
	while (last > 0 && file_size(segment_file(last)) < 0) last--;
	wait_for_newline(segment_file(last));
	append_bytes(segment_file(last), "{\"actor\":", 9);
	check(test_dir);
	assert_true(report.ok);
	assert_int_equal(report.torn, 0);
	assert_int_equal(report.valid, 2000);
	wr_ledger_close(l);
	check(test_dir);
	assert_true(report.ok);
	assert_int_equal(report.torn, 1);
}

static void sets(void **state)
{
	(void)state;
	wr_idset ids = {0};
	wr_keyset keys = {0};
	uint64_t chance = 5;
	for (uint64_t round = 0; round < 2; round++) {
		uint64_t same = 5;
		for (uint64_t i = 0; i < 20000; i++) {
			uint8_t id[16];
			uint64_t value = i + round * 1000000;
			test_fill(&same, id, sizeof id);
			assert_int_equal(wr_idset_add(&ids, id, &value), round == 0);
			assert_int_equal(value, i);
		}
	}
	for (uint64_t i = 0; i < 20000; i++) assert_int_equal(wr_keyset_add(&keys, i * i), 0);
	for (uint64_t i = 0; i < 20000; i++) assert_true(wr_keyset_has(&keys, i * i));
	for (uint64_t i = 0; i < 20000; i++) assert_false(wr_keyset_has(&keys, test_next(&chance)));
	wr_idset_free(&ids);
	wr_keyset_free(&keys);
}

#define VERIFY_TEST(f) cmocka_unit_test_setup_teardown(f, make_test_dir, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    VERIFY_TEST(good),
	    VERIFY_TEST(several_bits),
	    VERIFY_TEST(removed),
	    VERIFY_TEST(the_end_removed),
	    VERIFY_TEST(swapped),
	    VERIFY_TEST(duplicated),
	    VERIFY_TEST(the_same_id_again),
	    VERIFY_TEST(inserted),
	    VERIFY_TEST(rewritten),
	    VERIFY_TEST(rewritten_to_the_end),
	    VERIFY_TEST(newlines),
	    VERIFY_TEST(a_very_long_line),
	    VERIFY_TEST(torn_ends),
	    VERIFY_TEST(segments),
	    VERIFY_TEST(misdirected),
	    VERIFY_TEST(two_chains),
	    VERIFY_TEST(the_mark),
	    VERIFY_TEST(many_anomalies),
	    VERIFY_TEST(refuses),
	    VERIFY_TEST(alive),
	    VERIFY_TEST(sets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
