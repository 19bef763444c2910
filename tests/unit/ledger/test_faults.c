/* test_faults.c: the disk fails in every way and the power goes: no acknowledged receipt is ever
 * lost, nothing that was refused turns up, and what is left is never called tampering. */
#include "faulty.h"

#include "ledger/store.h"
#include "warroom/log.h"

static faulty disk;

static wr_ledger *open_on(wr_ledger_opts *opts, wr_ledger_opened *opened, wr_err *err)
{
	const wr_fs fs = faulty_fs(&disk);
	return wr_ledger_open_alone(opts, &fs, opened, err);
}

static wr_code append_code(wr_ledger *l, int i)
{
	wr_err err = {0};
	return wr_ledger_append(l, note(i), 1, NULL, &err) ? err.code : WR_E_OK;
}

static void must_verify(int64_t valid)
{
	wr_verify_report r;
	wr_err err = {0};
	if (wr_ledger_verify(test_dir, &r, NULL, NULL, &err)) fail_msg("%s", err.msg);
	if (!r.ok) fail_msg("%s: %s", wr_anomaly_name(r.anomalies[0].kind), r.anomalies[0].text);
	assert_int_equal(r.valid, valid);
	wr_verify_free(&r);
}

/* ---- one fault at a time ---- */

static void a_failed_sync_begins_a_segment(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	faulty_init(&disk, 1);
	wr_ledger *l = open_on(&opts, NULL, &err);
	assert_int_equal(append_code(l, 0), WR_E_OK);
	assert_int_equal(append_code(l, 1), WR_E_OK);
	int64_t size = file_size(segment_file(0));
	disk.once[F_SYNC] = 1;
	assert_int_equal(append_code(l, 2), WR_E_OK);
	assert_false(wr_ledger_failed(l, NULL));
	assert_int_equal(file_size(segment_file(0)), size);
	assert_true(file_size(segment_file(2)) > 0);
	assert_int_equal(append_code(l, 3), WR_E_OK);
	must_verify(4);
	/* Again, where the segment holds nothing yet: it is made anew. */
	disk.once[F_SYNC] = 1;
	assert_int_equal(append_code(l, 4), WR_E_OK);
	disk.once[F_WRITE] = 1;
	assert_int_equal(append_code(l, 5), WR_E_OK);
	disk.once[F_SYNC_DIR] = 1;
	disk.once[F_WRITE] = 1;
	assert_int_equal(append_code(l, 6), WR_E_IO); /* twice in a row */
	assert_true(wr_ledger_failed(l, &err));
	assert_int_equal(append_code(l, 7), WR_E_IO);
	disk.gone = true;
	wr_ledger_close(l);
	crash(&disk, true);
	wr_ledger_opened opened;
	l = open_on(&opts, &opened, &err);
	assert_int_equal(opened.count, 6);
	assert_int_equal(append_code(l, 6), WR_E_OK);
	wr_ledger_close(l);
	must_verify(7);
	faulty_free(&disk);
}

static void keep_answer(void *ctx, const wr_appended *a)
{
	*(wr_append_status *)ctx = a->status;
}

static void cutting_back_fails(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	wr_append_status status = WR_APPEND_DONE;
	faulty_init(&disk, 2);
	wr_ledger *l = open_on(&opts, NULL, &err);
	assert_int_equal(append_code(l, 0), WR_E_OK);
	disk.once[F_SYNC] = 1;
	disk.once[F_TRUNCATE] = 1;
	json_t *draft = note(1);
	assert_int_equal(wr_ledger_submit(l, &draft, 1, 1, keep_answer, &status, &err), 0);
	wr_ledger_close(l);
	assert_int_equal(status, WR_APPEND_UNKNOWN);
	faulty_free(&disk);
}

static void no_space_and_space_again(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	faulty_init(&disk, 3);
	wr_ledger *l = open_on(&opts, NULL, &err);
	for (int i = 0; i < 5; i++) assert_int_equal(append_code(l, i), WR_E_OK);
	for (int round = 0; round < 3; round++) {
		disk.full = true;
		for (int i = 0; i < 20; i++) assert_int_equal(append_code(l, i), WR_E_NO_SPACE);
		assert_true(wr_ledger_failed(l, &err));
		assert_int_equal(err.code, WR_E_NO_SPACE);
		disk.full = false;
		assert_int_equal(append_code(l, 9), WR_E_OK);
		assert_false(wr_ledger_failed(l, &err));
	}
	wr_ledger_close(l);
	must_verify(8);
	faulty_free(&disk);
}

/* ---- thousands of runs ---- */

#define SEQS 4096
typedef struct history {
	pthread_mutex_t mutex; /* guards the rest */
	pthread_cond_t cond;
	unsigned pending;
	uint8_t hash[SEQS][WR_HASH_LEN]; /* of what was acknowledged */
	bool acked[SEQS];
	char refused[SEQS]; /* by number: 1 answered UNAVAILABLE */
	int next_number;
} history;

typedef struct asked {
	history *h;
	int first_number;
	size_t count;
} asked;

static void answered(void *ctx, const wr_appended *a)
{
	asked *q = ctx;
	history *h = q->h;
	(void)pthread_mutex_lock(&h->mutex);
	for (size_t i = 0; i < a->count; i++) {
		wr_receipt r;
		wr_err err = {0};
		assert_int_equal(wr_receipt_parse(&r, a->lines[i], a->lens[i], true, &err), WR_RF_OK);
		assert_true(r.seq < SEQS && !h->acked[r.seq]);
		h->acked[r.seq] = true;
		memcpy(h->hash[r.seq], r.hash, WR_HASH_LEN);
	}
	if (a->status == WR_APPEND_UNAVAILABLE)
		for (size_t i = 0; i < q->count; i++) h->refused[q->first_number + (int)i] = 1;
	h->pending--;
	(void)pthread_cond_signal(&h->cond);
	(void)pthread_mutex_unlock(&h->mutex);
	free(q);
}

static int check_one(void *ctx, const wr_receipt *r)
{
	history *h = ctx;
	assert_true(r->seq < SEQS);
	if (h->acked[r->seq]) assert_memory_equal(h->hash[r->seq], r->hash, WR_HASH_LEN);
	int64_t number = wr_receipt_int(r, "number", -1);
	assert_true(number >= 0 && number < SEQS);
	assert_int_equal(h->refused[number], 0);
	return 0;
}

static void check_history(wr_ledger *l, history *h, int64_t count)
{
	wr_err err = {0};
	if (wr_ledger_read(l, 0, check_one, h, &err)) fail_msg("%s", err.msg);
	for (int64_t seq = count; seq < SEQS; seq++)
		if (h->acked[seq]) fail_msg("receipt %lld was acknowledged and is gone", (long long)seq);
}

static void wait_for_answers(history *h)
{
	(void)pthread_mutex_lock(&h->mutex);
	while (h->pending) (void)pthread_cond_wait(&h->cond, &h->mutex);
	(void)pthread_mutex_unlock(&h->mutex);
}

static void submit_some(wr_ledger *l, history *h, uint64_t *chance)
{
	size_t count = 1 + test_next(chance) % 4;
	json_t *drafts[4];
	wr_err err = {0};
	asked *q = malloc(sizeof *q);
	assert_non_null(q);
	*q = (asked){.h = h, .first_number = h->next_number, .count = count};
	for (size_t i = 0; i < count; i++) drafts[i] = note(h->next_number++);
	(void)pthread_mutex_lock(&h->mutex);
	h->pending++;
	(void)pthread_mutex_unlock(&h->mutex);
	if (wr_ledger_submit(l, drafts, count, 1, answered, q, &err) == 0) return;
	(void)pthread_mutex_lock(&h->mutex);
	h->pending--;
	for (size_t i = 0; i < count; i++) h->refused[q->first_number + (int)i] = 1;
	(void)pthread_mutex_unlock(&h->mutex);
	free(q);
}

static void set_weather(uint64_t *chance)
{
	(void)pthread_mutex_lock(&disk.mutex);
	unsigned severity = (unsigned)(test_next(chance) % 4);
	for (int k = 0; k < F_KINDS; k++)
		disk.percent[k] = severity && test_next(chance) % 3 == 0
		                      ? (unsigned)(test_next(chance) % (severity * severity * 4))
		                      : 0;
	disk.full = test_next(chance) % 8 == 0;
	(void)pthread_mutex_unlock(&disk.mutex);
}

/* From an opening to an end: a clean one, a killed process, or no power. */
static void live(wr_ledger *l, history *h, uint64_t *chance)
{
	int rounds = (int)(test_next(chance) % 12);
	for (int i = 0; i < rounds; i++) {
		if (test_next(chance) % 3 == 0) set_weather(chance);
		submit_some(l, h, chance);
		if (test_next(chance) % 2) wait_for_answers(h);
	}
	unsigned end = (unsigned)(test_next(chance) % 3);
	if (end > 0) {
		(void)pthread_mutex_lock(&disk.mutex);
		disk.fuse = 1 + (unsigned)(test_next(chance) % 20);
		(void)pthread_mutex_unlock(&disk.mutex);
		for (int i = 0; i < 4; i++) submit_some(l, h, chance);
		wait_for_answers(h);
	}
	(void)pthread_mutex_lock(&disk.mutex);
	disk.gone = end > 0;
	(void)pthread_mutex_unlock(&disk.mutex);
	wr_ledger_close(l);
	assert_int_equal(h->pending, 0);
	crash(&disk, end == 2);
}

static wr_ledger *reopen(wr_ledger_opts *opts, wr_ledger_opened *opened, uint64_t *chance)
{
	for (int attempt = 0;; attempt++) {
		wr_err err = {0};
		if (attempt < 2)
			set_weather(chance);
		else
			memset(disk.percent, 0, sizeof disk.percent);
		if (attempt >= 2) disk.full = false;
		wr_ledger *l = open_on(opts, opened, &err);
		if (l) return l;
		if (err.code == WR_E_CORRUPT || attempt > 2) fail_msg("opening: %s", err.msg);
		disk.gone = true;
		crash(&disk, test_next(chance) % 2);
	}
}

static unsigned torn_ends, failures;
static uint64_t running_seed; /* what to give as WR_SEED to see a failure again */

static void run(uint64_t seed)
{
	static history h;
	uint64_t chance = seed * 7919 + 1;
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	opts.segment_max = test_next(&chance) % 2 ? 0 : 2000;
	memset(&h, 0, sizeof h);
	(void)pthread_mutex_init(&h.mutex, NULL);
	(void)pthread_cond_init(&h.cond, NULL);
	faulty_init(&disk, seed);
	for (int lives = 0; lives < 4; lives++) {
		wr_ledger *l = reopen(&opts, &opened, &chance);
		torn_ends += opened.torn_tail;
		check_history(l, &h, opened.count);
		live(l, &h, &chance);
	}
	memset(disk.percent, 0, sizeof disk.percent);
	wr_err err = {0};
	wr_ledger *l = open_on(&opts, &opened, &err);
	if (!l) fail_msg("%s", err.msg);
	check_history(l, &h, opened.count);
	wr_ledger_close(l);
	must_verify(opened.count);
	failures += disk.failures;
	faulty_free(&disk);
	(void)pthread_cond_destroy(&h.cond);
	(void)pthread_mutex_destroy(&h.mutex);
}

static void many_seeds(void **state)
{
	const char *only = getenv("WR_SEED"), *runs = getenv("WR_FAULT_RUNS");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t count = only ? 1 : runs ? strtoull(runs, NULL, 10) : 2000;
	for (uint64_t seed = first; seed < first + count; seed++) {
		running_seed = seed;
		test_now = T0;
		test_seed = seed;
		run(seed);
		drop_test_dir(state);
		make_test_dir(state);
	}
	if (only) return;
	print_message("%u operations failed, %u ends were torn\n", failures, torn_ends);
	assert_true(failures > count);
	assert_true(torn_ends > count / 20);
}

int main(void)
{
	wr_log_level((wr_level)(WR_LOG_ERROR + 1)); /* it would log every fault */
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(a_failed_sync_begins_a_segment),
	    LEDGER_TEST(cutting_back_fails),
	    LEDGER_TEST(no_space_and_space_again),
	    LEDGER_TEST(many_seeds),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed) print_message("WR_SEED=%llu\n", (unsigned long long)running_seed);
	return failed;
}
