/* test_recover.c: opening after a crash and after tampering: torn is never called tampering, and
 * tampering never torn. */
#include "fixture.h"

static wr_buf whole; /* the one segment of a good ledger */
static size_t last_at;

/* A ledger of n receipts in one segment, its bytes in `whole`; without its mark if `crashed`. */
static void prepare(int n, bool crashed)
{
	make_ledger(n, 0);
	wr_buf_free(&whole);
	slurp(&whole, segment_file(0));
	last_at = whole.len - 1;
	while (last_at > 0 && whole.data[last_at - 1] != '\n') last_at--;
	if (crashed) assert_int_equal(unlink(in_chain("head")), 0);
}

static void must_be_corrupt(const char *what)
{
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	wr_buf before, after;
	int files = count_files("");
	bool there = file_size(segment_file(0)) >= 0;
	if (there) slurp(&before, segment_file(0));
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, &err);
	if (l) fail_msg("%s: opened", what);
	if (err.code != WR_E_CORRUPT) fail_msg("%s: %s", what, err.msg);
	assert_int_equal(count_files(""), files);
	if (!there) return;
	slurp(&after, segment_file(0));
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	wr_buf_free(&before);
	wr_buf_free(&after);
}

static void must_be_torn(int64_t count, const void *tail, size_t tail_len)
{
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	wr_ledger *l = must_open(&opts, &opened);
	assert_true(opened.torn_tail);
	assert_int_equal(opened.count, count);
	assert_int_equal(opened.torn_bytes, tail_len);
	wr_buf torn;
	slurp(&torn, in_chain(opened.torn_file));
	assert_int_equal(torn.len, tail_len);
	assert_memory_equal(torn.data, tail, tail_len);
	wr_buf_free(&torn);
	must_append(l, 100);
	wr_ledger_close(l);
	l = must_open(&opts, &opened); /* and that was all */
	assert_false(opened.torn_tail);
	assert_int_equal(opened.count, count + 1);
	wr_ledger_close(l);
	wr_verify_report r;
	wr_err err = {0};
	assert_int_equal(wr_ledger_verify(test_dir, &r, NULL, NULL, &err), 0);
	assert_true(r.ok);
	assert_int_equal(r.torn, 0);
	assert_int_equal(r.valid, count + 1);
	wr_verify_free(&r);
}

static void forget_torn(void)
{
	DIR *d = opendir(in_dir(CHAIN_NAME));
	const struct dirent *e;
	while ((e = readdir(d)))
		if (strncmp(e->d_name, "torn", 4) == 0) (void)unlink(in_chain(e->d_name));
	(void)closedir(d);
	(void)unlink(in_chain("head"));
}

static void torn_at_every_byte(void **state)
{
	(void)state;
	prepare(4, true);
	for (size_t cut = last_at + 1; cut < whole.len; cut++) {
		spit(segment_file(0), whole.data, cut);
		must_be_torn(3, whole.data + last_at, cut - last_at);
		forget_torn();
	}
}

static void cut_at_every_byte_before_the_mark(void **state)
{
	(void)state;
	prepare(4, false);
	for (size_t cut = 0; cut < whole.len; cut++) {
		char what[64];
		(void)snprintf(what, sizeof what, "cut at %zu", cut);
		spit(segment_file(0), whole.data, cut);
		must_be_corrupt(what);
	}
}

static void torn_after_the_mark(void **state)
{
	(void)state;
	prepare(4, false);
	spit(segment_file(0), whole.data, whole.len);
	append_bytes(segment_file(0), whole.data, 40);
	must_be_torn(4, whole.data, 40);
}

static void torn_first_receipt(void **state)
{
	(void)state;
	prepare(1, true);
	spit(segment_file(0), whole.data, 77);
	must_be_torn(0, whole.data, 77);
	assert_int_equal(count_files("0000"), 1);
}

/* With no mark at all, a changed bit is still never called torn. */
static void every_bit_without_a_mark(void **state)
{
	(void)state;
	prepare(2, true);
	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		char what[64];
		(void)snprintf(what, sizeof what, "bit %zu", bit);
		whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ (1 << bit % 8));
		spit(segment_file(0), whole.data, whole.len);
		must_be_corrupt(what);
		whole.data[bit / 8] = (char)(whole.data[bit / 8] ^ (1 << bit % 8));
	}
}

static void every_bit_of_the_mark(void **state)
{
	(void)state;
	wr_buf mark;
	prepare(3, false);
	slurp(&mark, in_chain("head"));
	for (size_t bit = 0; bit < mark.len * 8; bit++) {
		char what[64];
		(void)snprintf(what, sizeof what, "bit %zu of the mark", bit);
		mark.data[bit / 8] = (char)(mark.data[bit / 8] ^ (1 << bit % 8));
		spit(in_chain("head"), mark.data, mark.len);
		must_be_corrupt(what);
		mark.data[bit / 8] = (char)(mark.data[bit / 8] ^ (1 << bit % 8));
	}
	wr_buf_free(&mark);
}

/* Sectors that never reached the disk, with others after them that did. */
static void pages_not_written(void **state)
{
	(void)state;
	prepare(8, true);
	for (size_t from = last_at - 1200; from < whole.len - 1; from += 97) {
		size_t begin = from / 512 * 512, end = begin + 512;
		wr_buf holed = WR_BUF_INIT(1u << 20);
		wr_buf_add(&holed, whole.data, whole.len);
		if (end > whole.len) end = whole.len;
		memset(holed.data + begin, 0, end - begin);
		size_t good = begin;
		while (good > 0 && whole.data[good - 1] != '\n') good--;
		int64_t count = 0;
		for (size_t i = 0; i < good; i++) count += whole.data[i] == '\n';
		spit(segment_file(0), holed.data, holed.len);
		must_be_torn(count, holed.data + good, holed.len - good);
		forget_torn();
		wr_buf_free(&holed);
	}
	/* The same where the mark says that it was there is damage. */
	prepare(8, false);
	memset(whole.data + 1024, 0, 512);
	spit(segment_file(0), whole.data, whole.len);
	must_be_corrupt("zeros before the mark");
}

static void a_zero_byte_is_no_page(void **state)
{
	(void)state;
	prepare(3, true);
	for (size_t at = last_at + 1; at < whole.len; at++) {
		char was = whole.data[at];
		if (at % 512 == 511 || at % 512 == 0) continue;
		whole.data[at] = '\0';
		spit(segment_file(0), whole.data, whole.len);
		if (at < whole.len - 1) must_be_corrupt("a zero byte");
		whole.data[at] = was;
	}
}

static void files_moved_about(void **state)
{
	(void)state;
	char first[512], second[520];
	make_ledger(30, 3000);
	int64_t seqs[64];
	size_t n = 0;
	for (int64_t i = 0; i < 30 && n < 64; i++)
		if (file_size(segment_file(i)) >= 0) seqs[n++] = i;
	assert_true(n > 3);
	(void)snprintf(first, sizeof first, "%s", segment_file(seqs[1]));
	(void)snprintf(second, sizeof second, "%s.gone", first);
	assert_int_equal(rename(first, second), 0);
	must_be_corrupt("a segment is missing");
	assert_int_equal(rename(second, first), 0);
	(void)snprintf(first, sizeof first, "%s", segment_file(seqs[n - 1]));
	assert_int_equal(rename(first, second), 0);
	must_be_corrupt("the last segment is missing");
	assert_int_equal(rename(second, segment_file(seqs[n - 1] + 1)), 0);
	must_be_corrupt("the last segment is misnamed");
	assert_int_equal(rename(segment_file(seqs[n - 1] + 1), first), 0);
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	wr_ledger_close(must_open(&opts, &opened));
	assert_int_equal(opened.count, 30);
	/* A torn end in any segment but the last is none. */
	append_bytes(segment_file(seqs[0]), "{\"a", 3);
	must_be_corrupt("bytes after a segment that has a successor");
}

static void another_chain(void **state)
{
	(void)state;
	prepare(3, false);
	assert_int_equal(rename(in_dir("us-central1"), in_dir("europe-west1")), 0);
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	opts.partition = "europe-west1";
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_non_null(strstr(err.msg, "another chain"));
}

static void an_empty_last_segment(void **state)
{
	(void)state;
	prepare(3, false);
	spit(segment_file(3), "", 0);
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	wr_ledger *l = must_open(&opts, &opened);
	assert_int_equal(opened.count, 3);
	assert_false(opened.torn_tail);
	must_append(l, 3);
	wr_ledger_close(l);
	wr_ledger_close(must_open(&opts, &opened));
	assert_int_equal(opened.count, 4);
}

static void says_where(void **state)
{
	(void)state;
	prepare(5, false);
	size_t third = 0;
	for (int lines = 0; lines < 2; third++) lines += whole.data[third] == '\n';
	whole.data[third + 20] ^= 1;
	spit(segment_file(0), whole.data, whole.len);
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	char byte[32];
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	(void)snprintf(byte, sizeof byte, "byte %zu", third);
	assert_non_null(strstr(err.msg, "us-central1/ops seq 2"));
	assert_non_null(strstr(err.msg, "00000000000000000000.jsonl"));
	assert_non_null(strstr(err.msg, byte));
}

static int free_whole(void **state)
{
	(void)state;
	wr_buf_free(&whole);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(torn_at_every_byte),       LEDGER_TEST(cut_at_every_byte_before_the_mark),
	    LEDGER_TEST(torn_after_the_mark),      LEDGER_TEST(torn_first_receipt),
	    LEDGER_TEST(every_bit_without_a_mark), LEDGER_TEST(every_bit_of_the_mark),
	    LEDGER_TEST(pages_not_written),        LEDGER_TEST(a_zero_byte_is_no_page),
	    LEDGER_TEST(files_moved_about),        LEDGER_TEST(another_chain),
	    LEDGER_TEST(an_empty_last_segment),    LEDGER_TEST(says_where),
	};
	return cmocka_run_group_tests(tests, NULL, free_whole);
}
