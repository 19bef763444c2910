/* test_flips.c: single bits of a ledger of 200 receipts flipped, one at a time: each is seen, named
 * corrupt, at the right receipt.
 *
 * Every bit takes minutes, so here it is every 17th (so that each bit of a byte has its turn) and
 * all of three receipts: an ordinary one, a checkpoint, the last. WR_FLIPS=all takes every bit, as
 * `make bench` does. */
#include "smith.h"

#define COUNT 200
#define EVERY 17

static smith s;

static void flip_at(int fd, const wr_buf *whole, size_t bit, int64_t seq)
{
	const wr_verify_opts opts = {.threads = 1};
	wr_verify_report r;
	wr_err err = {0};
	char changed = (char)(whole->data[bit / 8] ^ (1 << bit % 8));
	assert_int_equal(pwrite(fd, &changed, 1, (off_t)(bit / 8)), 1);
	if (wr_ledger_verify_with(test_dir, &opts, &r, &err)) fail_msg("%s", err.msg);
	assert_int_equal(pwrite(fd, &whole->data[bit / 8], 1, (off_t)(bit / 8)), 1);
	if (r.ok || r.anomaly_count == 0 || r.anomalies[0].kind != WR_AN_CORRUPT ||
	    r.anomalies[0].seq != seq || r.last_consistent_seq != seq - 1)
		fail_msg("bit %zu of seq %lld: %s", bit, (long long)seq,
		         r.anomaly_count ? wr_anomaly_name(r.anomalies[0].kind) : "not seen");
	wr_verify_free(&r);
}

static void flips(void **state)
{
	(void)state;
	const char *wanted = getenv("WR_FLIPS");
	bool all = wanted && strcmp(wanted, "all") == 0;
	wr_buf whole;
	smith_begin(&s, 7);
	smith_make(&s, COUNT, 128, 1);
	free(s.note); /* verifying signatures would be most of the work */
	s.note = NULL;
	smith_mark(&s);
	smith_save(&s, s.cut);
	slurp(&whole, segment_file(0));
	int fd = open(segment_file(0), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	size_t bit = 0, tried = 0;
	for (size_t i = 0; i < COUNT; i++) {
		bool each = all || i == 100 || i == 128 || i == COUNT - 1;
		for (size_t end = bit + s.len[i] * 8; bit < end; bit++) {
			if (!each && bit % EVERY) continue;
			flip_at(fd, &whole, bit, (int64_t)i);
			tried++;
		}
	}
	assert_int_equal(bit, whole.len * 8);
	print_message("%zu of %zu bits\n", tried, bit);
	(void)close(fd);
	wr_buf_free(&whole);
	smith_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {LEDGER_TEST(flips)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
