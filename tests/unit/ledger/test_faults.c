/* test_faults.c: the disk fails in every way and the power goes: no acknowledged receipt is ever
 * lost, nothing that was refused turns up, and what is left is never called tampering. */
#include "faulty.h"

#include "ledger/store.h"
#include "warroom/log.h"

static faulty disk;

static wr_ledger *open_on(const wr_ledger_opts *opts, wr_ledger_opened *opened, wr_err *err)
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

/* Without threads of the ledger's own: a seed is a run, and the same run each time. */

#define SEQS 4096
typedef struct history {
	uint8_t hash[SEQS][WR_HASH_LEN]; /* of what was acknowledged */
	bool acked[SEQS];
	char refused[SEQS]; /* by number: 1 answered UNAVAILABLE */
	int next_number;
	int64_t acked_count, checkpoints;
	char wrong[256]; /* the first law that was broken; "": none */
} history;

typedef struct asked {
	history *h;
	int first_number;
	size_t count;
} asked;

static void broken(history *h, const char *what, int64_t seq)
{
	if (!h->wrong[0])
		(void)snprintf(h->wrong, sizeof h->wrong, "%.200s (%lld)", what, (long long)seq);
}

static void answered(void *ctx, const wr_appended *a)
{
	asked *q = ctx;
	history *h = q->h;
	for (size_t i = 0; i < a->count; i++) {
		wr_receipt r;
		wr_err err = {0};
		assert_int_equal(wr_receipt_parse(&r, a->lines[i], a->lens[i], true, &err), WR_RF_OK);
		assert_true(r.seq < SEQS && r.seq == a->first_seq + (int64_t)i);
		if (h->acked[r.seq]) broken(h, "two receipts were acknowledged with one seq", r.seq);
		h->acked[r.seq] = true;
		h->acked_count++;
		memcpy(h->hash[r.seq], r.hash, WR_HASH_LEN);
	}
	if (a->status == WR_APPEND_UNAVAILABLE)
		for (size_t i = 0; i < q->count; i++) h->refused[q->first_number + (int)i] = 1;
	free(q);
}

static int check_one(void *ctx, const wr_receipt *r)
{
	history *h = ctx;
	assert_true(r->seq < SEQS);
	if (h->acked[r->seq] && memcmp(h->hash[r->seq], r->hash, WR_HASH_LEN) != 0)
		broken(h, "an acknowledged receipt became another", r->seq);
	h->checkpoints += strcmp(r->operation, "checkpoint_signed") == 0;
	int64_t number = wr_receipt_int(r, "number", -1);
	if (number >= 0 && h->refused[number]) broken(h, "what was refused is there", number);
	return 0;
}

static void check_history(wr_ledger *l, history *h, int64_t count)
{
	wr_err err = {0};
	if (wr_ledger_read(l, 0, check_one, h, &err)) broken(h, err.msg, 0);
	for (int64_t seq = count; seq < SEQS; seq++)
		if (h->acked[seq]) broken(h, "an acknowledged receipt is gone", seq);
}

static json_t *fact(int number, uint64_t *chance)
{
	json_t *draft = note(number);
	uint64_t kind = test_next(chance) % 24;
	if (kind == 0) json_object_set_new(draft, "operation", json_string("operation_completed"));
	if (kind > 20) { /* over several pages */
		char text[6000];
		memset(text, 'a' + (int)kind, sizeof text);
		json_object_set_new(draft, "text", json_stringn(text, test_next(chance) % sizeof text));
	}
	return draft;
}

static void submit_some(wr_ledger *l, history *h, uint64_t *chance)
{
	size_t count = 1 + test_next(chance) % 4;
	json_t *drafts[4];
	wr_err err = {0};
	asked *q = malloc(sizeof *q);
	assert_non_null(q);
	*q = (asked){.h = h, .first_number = h->next_number, .count = count};
	for (size_t i = 0; i < count; i++) drafts[i] = fact(h->next_number++, chance);
	if (wr_ledger_submit(l, drafts, count, 1, answered, q, &err) == 0) return;
	for (size_t i = 0; i < count; i++) h->refused[q->first_number + (int)i] = 1;
	free(q);
}

static void set_weather(uint64_t *chance)
{
	unsigned severity = (unsigned)(test_next(chance) % 4);
	for (int k = 0; k < F_KINDS; k++)
		disk.percent[k] = severity && test_next(chance) % 3 == 0
		                      ? (unsigned)(test_next(chance) % (severity * severity * 4))
		                      : 0;
	disk.full = test_next(chance) % 8 == 0;
}

static void calm(void)
{
	memset(disk.percent, 0, sizeof disk.percent);
	disk.full = false;
	disk.fuse = 0;
}

/* From an opening to an end: a clean one, a killed process, or no power, at any operation. */
static void live(wr_ledger *l, history *h, uint64_t *chance)
{
	int rounds = (int)(test_next(chance) % 12);
	l->crowd = test_next(chance) % 2 ? 1 : SIZE_MAX; /* lay out space, or never */
	l->lay = 512 << test_next(chance) % 6;
	for (int i = 0; i < rounds; i++) {
		if (test_next(chance) % 3 == 0) set_weather(chance);
		submit_some(l, h, chance);
		if (test_next(chance) % 8 == 0) wr_keeper_write(l);
		if (test_next(chance) % 16 == 0) wr_writer_settle(l);
	}
	unsigned end = (unsigned)(test_next(chance) % 3);
	if (end > 0) {
		disk.fuse = 1 + (unsigned)(test_next(chance) % 24);
		for (int i = 0; i < 4; i++) submit_some(l, h, chance);
	}
	if (test_next(chance) % 2) disk.gone = end > 0; /* or it goes while closing */
	wr_ledger_close(l);
	crash(&disk, end == 2);
}

/* Opening under faults, and with the process or the power gone in the middle of it. */
static wr_ledger *reopen(wr_ledger_opts *opts, wr_ledger_opened *opened, history *h,
                         uint64_t *chance)
{
	for (int attempt = 0;; attempt++) {
		wr_err err = {0};
		if (attempt < 2)
			set_weather(chance);
		else
			calm();
		if (attempt < 2 && test_next(chance) % 2) disk.fuse = 1 + (unsigned)faulty_below(&disk, 16);
		wr_ledger *l = open_on(opts, opened, &err);
		if (l) return l;
		if (err.code == WR_E_CORRUPT || attempt > 2) {
			broken(h, err.msg, attempt);
			return NULL;
		}
		disk.gone = true;
		crash(&disk, test_next(chance) % 2);
	}
}

static unsigned torn_ends, failures, checkpoints;
static uint64_t running_seed; /* what to give as WR_SEED to see a failure again */

static void check_end(const wr_ledger_opts *opts, history *h)
{
	wr_ledger_opened opened;
	wr_verify_report r;
	wr_err err = {0};
	calm();
	wr_ledger *l = open_on(opts, &opened, &err);
	if (!l) {
		broken(h, err.msg, -1);
		return;
	}
	check_history(l, h, opened.count);
	wr_ledger_close(l);
	if (wr_ledger_verify(test_dir, &r, NULL, NULL, &err)) fail_msg("%s", err.msg);
	if (!r.ok) broken(h, r.anomalies[0].text, r.anomalies[0].seq);
	if (r.torn) broken(h, "something torn is left", r.torn);
	wr_verify_free(&r);
}

/* What the laws say about this run: "" if all is well. */
static const char *run(uint64_t seed, lie lies)
{
	static history h;
	uint64_t chance = seed * 7919 + 1;
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	char key[128];
	(void)snprintf(key, sizeof key, "%s", in_dir("engine.key"));
	if (test_next(&chance) % 2) opts.engine_key = key;
	opts.segment_max = test_next(&chance) % 2 ? 0 : 2000;
	memset(&h, 0, sizeof h);
	faulty_init(&disk, seed);
	disk.lies = lies;
	for (int lives = 0; lives < 4 && !h.wrong[0]; lives++) {
		wr_ledger *l = reopen(&opts, &opened, &h, &chance);
		if (!l) break;
		torn_ends += opened.torn_tail;
		check_history(l, &h, opened.count);
		live(l, &h, &chance);
	}
	if (!h.wrong[0]) check_end(&opts, &h);
	failures += disk.failures;
	checkpoints += h.checkpoints > 0;
	faulty_free(&disk);
	return h.wrong;
}

static const char *run_afresh(void **state, uint64_t seed, lie lies)
{
	running_seed = seed;
	test_now = T0;
	test_seed = seed;
	const char *wrong = run(seed, lies);
	drop_test_dir(state);
	make_test_dir(state);
	return wrong;
}

static void many_seeds(void **state)
{
	const char *only = getenv("WR_SEED"), *runs = getenv("WR_FAULT_RUNS");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t count = only ? 1 : runs ? strtoull(runs, NULL, 10) : 10000;
	for (uint64_t seed = first; seed < first + count; seed++) {
		const char *wrong = run_afresh(state, seed, LIE_NONE);
		if (wrong[0]) fail_msg("%s", wrong);
	}
	if (only) return;
	print_message("%u operations failed, %u ends were torn, %u runs had checkpoints\n", failures,
	              torn_ends, checkpoints);
	assert_true(failures > count);
	assert_true(torn_ends > count / 20);
	assert_true(checkpoints > count / 4);
}

/* A store that leaves out what it must do is found out, and soon: the runs above do look. */
static void bugs_are_found(void **state)
{
	static const char *const names[LIE_COUNT] = {"none",
	                                             "answers before syncing",
	                                             "believes a second sync",
	                                             "no directory sync",
	                                             "does not cut back",
	                                             "leaves a sync out"};
	for (lie k = LIE_NONE + 1; k < LIE_COUNT; k++) {
		uint64_t seed = 1;
		const char *wrong = "";
		while (seed < 1000 && !wrong[0]) wrong = run_afresh(state, seed++, k);
		print_message("%-24s found by seed %llu: %s\n", names[k], (unsigned long long)seed - 1,
		              wrong);
		if (!wrong[0]) fail_msg("a store that %s passes", names[k]);
	}
}

/* ---- every operation ---- */

static void a_story(wr_ledger *l, history *h)
{
	uint64_t chance = 11;
	l->crowd = 1;
	l->lay = 2048;
	for (int i = 0; i < 9; i++) submit_some(l, h, &chance);
	wr_keeper_write(l);
	for (int i = 0; i < 3; i++) submit_some(l, h, &chance);
	wr_ledger_close(l);
}

/* The same story, ended at its k-th operation; recovery ended at its m-th, and then let be. */
static bool story_ends_at(unsigned k, unsigned m, uint64_t seed)
{
	static history h;
	wr_ledger_opts opts = test_opts();
	char key[128];
	wr_err err = {0};
	(void)snprintf(key, sizeof key, "%s", in_dir("engine.key"));
	opts.engine_key = key;
	opts.segment_max = 2500;
	memset(&h, 0, sizeof h);
	faulty_init(&disk, seed);
	disk.fuse = k;
	wr_ledger *l = open_on(&opts, NULL, &err);
	if (l) a_story(l, &h);
	bool ended = disk.gone;
	crash(&disk, true);
	disk.fuse = m;
	l = open_on(&opts, NULL, &err);
	if (!l && err.code == WR_E_CORRUPT) broken(&h, err.msg, k);
	disk.gone = true;
	wr_ledger_close(l);
	crash(&disk, true);
	check_end(&opts, &h);
	if (h.wrong[0])
		fail_msg("operation %u, then %u, seed %llu: %s", k, m, (unsigned long long)seed, h.wrong);
	faulty_free(&disk);
	return ended;
}

static void ends_at_every_operation(void **state)
{
	bool ended = true;
	unsigned k = 0;
	while (ended) {
		k++;
		for (uint64_t seed = 1; seed <= 3; seed++) {
			for (unsigned m = 1; m <= 10; m += 3) {
				test_now = T0;
				test_seed = 42;
				ended = story_ends_at(k, m, seed * 1000 + k);
				drop_test_dir(state);
				make_test_dir(state);
			}
		}
	}
	assert_true(k > 60);
}

int main(void)
{
	wr_log_level((wr_level)(WR_LOG_ERROR + 1)); /* it would log every fault */
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(a_failed_sync_begins_a_segment),
	    LEDGER_TEST(cutting_back_fails),
	    LEDGER_TEST(no_space_and_space_again),
	    LEDGER_TEST(ends_at_every_operation),
	    LEDGER_TEST(bugs_are_found),
	    LEDGER_TEST(many_seeds),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed) print_message("WR_SEED=%llu\n", (unsigned long long)running_seed);
	return failed;
}
