/* Duplicates: each id that comes again, with both places, once. */
#include "history.h"

#include "warroom/export.h"

#define FOUND_MAX 5000

static wr_duplicate found[FOUND_MAX];
static size_t found_count;

static void on_found(void *ctx, const wr_duplicate *d)
{
	(void)ctx;
	assert_true(found_count < FOUND_MAX);
	found[found_count++] = *d;
}

static wr_duplicates_report look(const char *path)
{
	wr_duplicates_report r;
	wr_err err = {0};
	found_count = 0;
	if (wr_duplicates(in_dir(path), &r, on_found, NULL, &err)) fail_msg("%s", err.msg);
	assert_int_equal(r.duplicates + r.equivocations, found_count);
	return r;
}

static void test_none(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 500, NULL, 0);
	history_ledger(&h, "l", 0, 500, 90, NULL);
	const wr_duplicates_report r = look("l");
	assert_int_equal(r.receipts, 500);
	assert_int_equal(found_count, 0);
	assert_int_equal(r.unreadable, 0);
	history_free(&h);
}

static void test_places(void **state)
{
	(void)state;
	history h;
	wr_receipt r7;
	wr_err err = {0};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 50, NULL, 0);
	assert_int_equal(wr_receipt_parse(&r7, h.line[7], h.len[7], true, &err), WR_RF_OK);
	history_put(&h, note(1), r7.receipt_id); /* 50: equivocation of 7 */
	history_grow(&h, 9, NULL, 0);
	history_ledger(&h, "l", 0, 60, 20, NULL);
	wr_buf text = WR_BUF_INIT(1u << 20);
	history_text(&h, 45, 46, "\n", &text); /* 45 once more, at the end of the last file */
	wr_buf_adds(&text, "what is this\n");
	append_bytes(in_ledger("l", CHAIN_NAME "/00000000000000000040.jsonl"), text.data, text.len);
	const wr_duplicates_report r = look("l");
	assert_int_equal(r.receipts, 61);
	assert_int_equal(r.unreadable, 1);
	assert_int_equal(r.duplicates, 1);
	assert_int_equal(r.equivocations, 1);
	assert_string_equal(found[0].receipt_id, r7.receipt_id);
	assert_false(found[0].same);
	assert_string_equal(found[0].first.file, CHAIN_NAME "/00000000000000000000.jsonl");
	assert_int_equal(found[0].first.seq, 7);
	assert_int_equal(found[0].first.line, 8);
	assert_string_equal(found[0].first.chain, CHAIN_NAME);
	assert_string_equal(found[0].again.file, CHAIN_NAME "/00000000000000000040.jsonl");
	assert_int_equal(found[0].again.seq, 50);
	assert_int_equal(found[0].again.line, 11);
	assert_true(found[1].same);
	assert_int_equal(found[1].first.seq, 45);
	assert_int_equal(found[1].again.line, 21);
	/* The byte is where its line begins. */
	wr_buf file;
	slurp(&file, in_ledger("l", found[1].again.file));
	assert_memory_equal(file.data + found[1].again.byte, h.line[45], h.len[45]);
	wr_buf_free(&file);
	wr_buf_free(&text);
	history_free(&h);
}

/* Between partitions too: an id is for all of the ledger. */
static void test_across_chains(void **state)
{
	(void)state;
	history a, b;
	wr_receipt r;
	wr_err err = {0};
	history_init(&a, CHAIN_NAME);
	history_init(&b, "europe-west1/ops");
	history_grow(&a, 10, NULL, 0);
	assert_int_equal(wr_receipt_parse(&r, a.line[3], a.len[3], true, &err), WR_RF_OK);
	history_put(&b, note(1), r.receipt_id);
	history_ledger(&a, "l", 0, 10, 0, NULL);
	history_ledger(&b, "l", 0, 1, 0, NULL);
	assert_int_equal(look("l").equivocations, 1);
	assert_string_equal(found[0].first.chain, "europe-west1/ops");
	assert_string_equal(found[0].again.chain, CHAIN_NAME);
	history_free(&a);
	history_free(&b);
}

/* Each receipt twice: every one is told once. */
static void test_everything_twice(void **state)
{
	(void)state;
	history h;
	wr_buf text = WR_BUF_INIT(8u << 20);
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 2000, NULL, 0);
	history_text(&h, 0, 2000, "\n", &text);
	history_text(&h, 0, 2000, "\n", &text);
	spit(in_dir("twice.jsonl"), text.data, text.len);
	const wr_duplicates_report r = look("twice.jsonl");
	assert_int_equal(r.duplicates, 2000);
	for (size_t i = 0; i < found_count; i++) {
		assert_int_equal(found[i].first.seq, i);
		assert_int_equal(found[i].again.line, 2001 + i);
	}
	wr_buf_free(&text);
	history_free(&h);
}

static void test_unreadable(void **state)
{
	(void)state;
	wr_duplicates_report r;
	wr_err err = {0};
	assert_int_equal(wr_duplicates(in_dir("nothing"), &r, on_found, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_duplicates(test_dir, &r, on_found, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(wr_duplicates("/dev/null", &r, on_found, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	wr_buf junk = WR_BUF_INIT(1u << 20);
	for (int i = 0; i < 300000; i++) wr_buf_addc(&junk, (char)test_next(&test_seed));
	spit(in_dir("junk.jsonl"), junk.data, junk.len);
	assert_int_equal(look("junk.jsonl").receipts, 0);
	wr_buf_free(&junk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(test_none),          LEDGER_TEST(test_places),
	    LEDGER_TEST(test_across_chains), LEDGER_TEST(test_everything_twice),
	    LEDGER_TEST(test_unreadable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
