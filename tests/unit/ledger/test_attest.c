/* test_attest.c: what checkpoints vouch for, keys, verifying from the middle on, and a ledger that
 * is being written and signed meanwhile. */
#include "smith.h"

#include <pthread.h>

#define COUNT 50
#define EVERY 8

static smith s;
static wr_verify_report report;

static void begin(void)
{
	smith_begin(&s, 3);
	smith_make(&s, COUNT, EVERY, 3);
	smith_mark(&s);
	smith_save(&s, s.cut);
}

static int end(void **state)
{
	smith_end(&s);
	wr_verify_free(&report);
	return drop_test_dir(state);
}

static void check_with(const char *path, const wr_verify_opts *opts)
{
	wr_err err = {0};
	wr_verify_free(&report);
	if (wr_ledger_verify_with(path, opts, &report, &err)) fail_msg("%s", err.msg);
}

static void check(void)
{
	check_with(test_dir, NULL);
}

static void must_say(wr_anomaly_kind kind, int64_t seq)
{
	if (report.anomaly_count == 1 && report.anomalies[0].kind == kind &&
	    report.anomalies[0].seq == seq)
		return;
	wr_buf out = WR_BUF_INIT(1u << 20);
	wr_verify_print(&report, false, &out);
	print_message("%s\n", wr_buf_cstr(&out));
	wr_buf_free(&out);
	fail_msg("expected %s at seq %lld", wr_anomaly_name(kind), (long long)seq);
}

static void attested(void **state)
{
	(void)state;
	begin();
	check();
	assert_true(report.ok);
	assert_int_equal(report.last_consistent_seq, COUNT - 1);
	assert_int_equal(report.last_attested_seq, 47);
	assert_int_equal(report.checkpoints, 7); /* six receipts and the file */
	assert_int_equal(report.chain_report_count, 1);
	assert_string_equal(report.chain_reports[0].chain, CHAIN_NAME);
	assert_int_equal(report.chain_reports[0].last_attested_seq, 47);
	/* Without its file the chain says so itself; a file may be ahead of the last such receipt. */
	assert_int_equal(unlink(in_chain("checkpoint")), 0);
	check();
	assert_true(report.ok);
	assert_int_equal(report.last_attested_seq, 47);
	/* Damage: what was signed before it stays attested. */
	s.line[20][40] ^= 1;
	smith_save(&s, s.cut);
	check();
	must_say(WR_AN_CORRUPT, 20);
	assert_int_equal(report.last_consistent_seq, 19);
	assert_int_equal(report.last_attested_seq, 15);
}

static void keys(void **state)
{
	(void)state;
	uint8_t key[WR_ED25519_PUBLIC];
	begin();
	memcpy(key, wr_engine_key_public(s.key), sizeof key);
	const wr_verify_opts pinned = {.engine_pub = key};
	assert_int_equal(unlink(in_dir("engine.pub")), 0);
	check();
	must_say(WR_AN_CORRUPT, -1); /* said once, at the file */
	assert_int_equal(report.last_attested_seq, -1);
	assert_int_equal(report.last_consistent_seq, COUNT - 1);
	check_with(test_dir, &pinned);
	assert_true(report.ok);
	assert_int_equal(report.last_attested_seq, 47);
	/* One segment somewhere else is no ledger that its key is missing from. */
	wr_buf one;
	s.cuts = 1;
	smith_mark(&s);
	smith_save(&s, s.cut);
	slurp(&one, segment_file(0));
	spit(in_dir("copy.jsonl"), one.data, one.len);
	wr_buf_free(&one);
	check_with(in_dir("copy.jsonl"), NULL);
	assert_true(report.ok);
	assert_true(report.checkpoints_unchecked > 0);
	assert_true(*report.not_checked != '\0');
	check_with(in_dir("copy.jsonl"), &pinned);
	assert_true(report.ok && report.checkpoints > 0 && report.checkpoints_unchecked == 0);
	key[0] ^= 1; /* signed by somebody else */
	check_with(test_dir, &pinned);
	assert_false(report.ok);
	assert_int_equal(report.anomaly_total, 7);
	assert_int_equal(report.last_attested_seq, -1);
}

/* Another history of the same length, signed by another key that is put there as well. */
static void all_replaced(void **state)
{
	(void)state;
	uint8_t key[WR_ED25519_PUBLIC];
	begin();
	memcpy(key, wr_engine_key_public(s.key), sizeof key);
	smith_end(&s);
	assert_int_equal(unlink(in_dir("engine.key")), 0);
	smith_begin(&s, 4);
	smith_make(&s, COUNT, EVERY, 3);
	smith_mark(&s);
	smith_save(&s, s.cut);
	check();
	assert_true(report.ok); /* it is whole in itself … */
	const wr_verify_opts pinned = {.engine_pub = key};
	check_with(test_dir, &pinned);
	assert_false(report.ok); /* … but not that engine's */
}

static void malformed(void **state)
{
	(void)state;
	begin();
	static const char *const bad[] = {"", "x", "acme/us-central1/ops\n8\n",
	                                  "a\nb\nc\n\n\xe2\x80\x94 x y\n"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		spit(in_chain("checkpoint"), bad[i], strlen(bad[i]));
		check();
		must_say(WR_AN_CORRUPT, -1);
		assert_string_equal(report.anomalies[0].file, "checkpoint");
	}
	char *large = calloc(1, 100000);
	spit(in_chain("checkpoint"), large, 100000);
	free(large);
	check();
	must_say(WR_AN_CORRUPT, -1);
}

static void since(void **state)
{
	(void)state;
	wr_err err = {0};
	begin();
	for (int64_t from = 1; from < COUNT; from++) {
		const wr_verify_opts opts = {.since_seq = from, .threads = 2, .chunk_bytes = 2000};
		check_with(test_dir, &opts);
		assert_true(report.ok);
		assert_int_equal(report.checked, COUNT - from);
		assert_int_equal(report.last_consistent_seq, COUNT - 1);
		assert_int_equal(report.last_attested_seq, -1);
		assert_true(*report.not_checked != '\0');
		const wr_verify_opts by_time = {.since_us = s.items[from].time_us};
		check_with(test_dir, &by_time);
		assert_true(report.ok && report.checked >= COUNT - from);
	}
	const wr_verify_opts beyond = {.since_seq = COUNT}, late = {.since_us = T0 * 2};
	wr_verify_free(&report);
	assert_int_equal(wr_ledger_verify_with(test_dir, &beyond, &report, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	check_with(test_dir, &late);
	assert_true(report.ok && report.checked == 0);
	/* Damage behind it is found, before it is not looked at. */
	s.line[20][40] ^= 1;
	smith_save(&s, s.cut);
	const wr_verify_opts before = {.since_seq = 12}, after = {.since_seq = 30};
	check_with(test_dir, &before);
	must_say(WR_AN_CORRUPT, 20);
	check_with(test_dir, &after);
	assert_true(report.ok);
	smith_remove(&s, 25);
	s.cut[s.cuts - 1] -= s.cut[s.cuts - 1] > 25 ? 1 : 0;
	s.mark.count = 0;
	const wr_verify_opts last = {.since_seq = 22};
	s.cuts = 1;
	smith_save(&s, s.cut);
	check_with(test_dir, &last);
	must_say(WR_AN_GAP, 25);
}

/* More checkpoints than are verified one by one, in one chunk and in many; the odd one out is named
 * whichever it is. */
static void many_checkpoints(void **state)
{
	(void)state;
	for (size_t foul = 0; foul < 500; foul += 41) {
		smith_begin(&s, 5 + foul);
		smith_make(&s, 500, 2, 2);
		if (foul) s.items[foul / 2 * 2].foul = true;
		smith_forge(&s, 0);
		smith_mark(&s);
		free(s.note);
		s.note = NULL;
		smith_save(&s, s.cut);
		const wr_verify_opts opts = {.threads = 2, .chunk_bytes = foul % 2 ? 2000 : 0};
		check_with(test_dir, &opts);
		/* The last signature vouches for what is before it; its own must hold. */
		bool looked_at = foul && foul / 2 <= 64;
		if (looked_at) must_say(WR_AN_CORRUPT, (int64_t)(foul / 2 * 2));
		if (!foul) assert_true(report.ok);
		assert_int_equal(report.last_attested_seq, 497);
		smith_end(&s);
	}
	smith_begin(&s, 77);
	smith_make(&s, 500, 2, 2);
	s.items[498].foul = s.items[300].foul = true;
	smith_forge(&s, 0);
	smith_mark(&s);
	free(s.note);
	s.note = NULL;
	smith_save(&s, s.cut);
	check(); /* the last does not hold, so each is looked at */
	assert_int_equal(report.anomaly_count, 2);
	assert_int_equal(report.anomalies[0].seq, 300);
	assert_int_equal(report.anomalies[1].seq, 498);
	assert_int_equal(report.last_attested_seq, 495);
}

static void cancelled(void **state)
{
	(void)state;
	begin();
	atomic_bool stop = true;
	const wr_verify_opts opts = {.cancel = &stop};
	wr_err err = {0};
	assert_int_equal(wr_ledger_verify_with(test_dir, &opts, &report, &err), -1);
	assert_int_equal(err.code, WR_E_CANCELLED);
}

/* ---- while somebody writes and signs ---- */

static void *write_on(void *ctx)
{
	for (int i = 0; i < 1500; i++) {
		json_t *d = i % 10 ? note(i) : json_pack("{s:s}", "operation", "operation_completed");
		wr_err err = {0};
		if (wr_ledger_append(ctx, d, 1, NULL, &err)) fail_msg("%s", err.msg);
	}
	return NULL;
}

static void alive(void **state)
{
	(void)state;
	pthread_t thread;
	char key[512];
	wr_ledger_opts opts = test_opts();
	(void)snprintf(key, sizeof key, "%s", in_dir("engine.key"));
	opts.engine_key = key;
	opts.segment_max = 30000;
	wr_ledger *l = must_open(&opts, NULL);
	assert_int_equal(pthread_create(&thread, NULL, write_on, l), 0);
	for (int i = 0; i < 80; i++) {
		const wr_verify_opts how = {.threads = 1 + (unsigned)i % 3, .chunk_bytes = 3000};
		check_with(test_dir, &how);
		if (!report.ok || report.torn) must_say(WR_AN_COUNT, 0);
	}
	(void)pthread_join(thread, NULL);
	wr_ledger_close(l);
	check();
	assert_true(report.ok);
	assert_true(report.last_attested_seq >= 1500);
}

#define ATTEST_TEST(f) cmocka_unit_test_setup_teardown(f, make_test_dir, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ATTEST_TEST(attested),  ATTEST_TEST(keys),  ATTEST_TEST(all_replaced),
	    ATTEST_TEST(malformed), ATTEST_TEST(since), ATTEST_TEST(many_checkpoints),
	    ATTEST_TEST(cancelled), ATTEST_TEST(alive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
