/* test_open.c: checkpoints as the writer makes them, opening from the mark on, what that notices
 * and what reading does, several chains under one lock, and a crowd of writers. */
#include "fixture.h"

#include <pthread.h>
#include <sys/wait.h>

#include "ledger/store.h"
#include "warroom/log.h"

static char key_path[128];

static wr_ledger_opts keyed_opts(void)
{
	wr_ledger_opts opts = test_opts();
	(void)snprintf(key_path, sizeof key_path, "%s", in_dir("engine.key"));
	opts.engine_key = key_path;
	opts.origin = "acme";
	return opts;
}

static void append_operation(wr_ledger *l, const char *operation)
{
	wr_err err = {0};
	json_t *draft = json_pack("{s:s, s:s}", "operation", operation, "operation_id", "op-1");
	if (wr_ledger_append(l, draft, 1, NULL, &err)) fail_msg("%s", err.msg);
}

/* ---- checkpoints ---- */

typedef struct tally {
	wr_range tree;
	int64_t count, checkpoints, last; /* last: seq of the last checkpoint */
	uint8_t public_key[WR_ED25519_PUBLIC];
} tally;

static int tally_one(void *ctx, const wr_receipt *r)
{
	tally *t = ctx;
	char note[WR_NOTE_MAX], root[WR_HEX_LEN], expected[WR_HEX_LEN];
	uint8_t hash[WR_HASH_LEN];
	wr_checkpoint c;
	wr_err err = {0};
	if (strcmp(r->operation, "checkpoint_signed") == 0) {
		wr_range_root(&t->tree, hash);
		wr_hex(expected, hash, WR_HASH_LEN);
		assert_true(wr_receipt_str(r, "checkpoint", note, sizeof note));
		assert_true(wr_receipt_str(r, "root", root, sizeof root));
		assert_string_equal(root, expected);
		assert_int_equal(wr_receipt_int(r, "size", -1), r->seq);
		if (wr_checkpoint_open(&c, note, strlen(note), "acme/" CHAIN_NAME, t->public_key, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(c.size, r->seq);
		assert_memory_equal(c.root, hash, WR_HASH_LEN);
		t->checkpoints++;
		t->last = r->seq;
	}
	wr_range_add(&t->tree, r->hash);
	t->count++;
	return 0;
}

static tally tally_of(void)
{
	tally t = {.last = -1};
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	opts.read_only = true;
	wr_range_init(&t.tree, 0);
	assert_int_equal(wr_engine_pub_read(test_dir, t.public_key, &err), 0);
	wr_ledger *l = must_open(&opts, NULL);
	assert_int_equal(wr_ledger_read(l, 0, tally_one, &t, &err), 0);
	wr_ledger_close(l);
	return t;
}

/* The file says what the last receipt of its kind says. */
static void check_file(const tally *t)
{
	wr_buf text;
	wr_checkpoint c;
	wr_err err = {0};
	slurp(&text, in_chain("checkpoint"));
	assert_int_equal(wr_checkpoint_open(&c, text.data, text.len, NULL, t->public_key, &err), 0);
	assert_int_equal(c.size, t->last);
	wr_buf_free(&text);
}

static void checkpoints_are_made(void **state)
{
	(void)state;
	wr_ledger_opts opts = keyed_opts();
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < 600; i++) must_append(l, i);
	wr_ledger_close(l);
	tally t = tally_of();
	assert_int_equal(t.checkpoints, 3); /* two for the many, one at the end */
	assert_int_equal(t.count, 603);
	assert_int_equal(t.last, 602);
	check_file(&t);
	/* Nothing new, nothing to sign. */
	wr_ledger_close(must_open(&opts, NULL));
	t = tally_of();
	assert_int_equal(t.count, 603);
}

static void the_end_of_an_operation_is_signed(void **state)
{
	(void)state;
	static const char *const ends[] = {"operation_completed", "operation_rolled_back",
	                                   "operation_aborted", "operation_failed"};
	wr_ledger_opts opts = keyed_opts();
	wr_head head;
	wr_ledger *l = must_open(&opts, NULL);
	for (size_t i = 0; i < 4; i++) {
		append_operation(l, "operation_started");
		wr_ledger_head(l, &head);
		assert_int_equal(head.count, 3 * i + 1);
		append_operation(l, ends[i]);
		wr_ledger_head(l, &head);
		assert_int_equal(head.count, 3 * i + 3);
	}
	wr_ledger_close(l);
	tally t = tally_of();
	assert_int_equal(t.checkpoints, 4);
	assert_int_equal(t.last, 11);
	check_file(&t);
}

static void a_minute_is_signed(void **state)
{
	(void)state;
	wr_ledger_opts opts = keyed_opts();
	wr_err err = {0};
	wr_head head;
	wr_ledger *l = wr_ledger_open_alone(&opts, &wr_fs_system, NULL, &err);
	assert_non_null(l);
	must_append(l, 0);
	test_now += 61 * INT64_C(1000000);
	must_append(l, 1);
	wr_ledger_head(l, &head);
	assert_int_equal(head.count, 3);
	test_now += 61 * INT64_C(1000000);
	must_append(l, 2);
	wr_ledger_head(l, &head);
	assert_int_equal(head.count, 5);
	must_append(l, 3);
	wr_ledger_head(l, &head);
	assert_int_equal(head.count, 6);
	wr_ledger_close(l);
	tally t = tally_of();
	assert_int_equal(t.checkpoints, 3);
	check_file(&t);
}

static void no_key_no_checkpoint(void **state)
{
	(void)state;
	make_ledger(600, 0);
	assert_int_equal(access(in_chain("checkpoint"), F_OK), -1);
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	wr_ledger_close(must_open(&opts, &opened));
	assert_int_equal(opened.count, 600);
}

/* ---- opening from the mark on ---- */

/* A ledger in many segments, closed; how many receipts. */
static int64_t make_long(bool keyed, int64_t *segments, size_t *count)
{
	wr_ledger_opts opts = keyed ? keyed_opts() : test_opts();
	wr_head head;
	opts.segment_max = 40000;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < 1500; i++) must_append(l, i);
	wr_ledger_head(l, &head);
	wr_ledger_close(l);
	*count = 0;
	for (int64_t i = 0; i < 1510; i++)
		if (file_size(segment_file(i)) >= 0) segments[(*count)++] = i;
	assert_true(*count > 8);
	return head.count;
}

static void flip(const char *path, int64_t at)
{
	char c;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &c, 1, at), 1);
	c = (char)(c ^ 1);
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	(void)close(fd);
}

static int nothing(void *ctx, const wr_receipt *r)
{
	(void)ctx;
	(void)r;
	return 0;
}

/* 0: opens; else the code. What reading everything says goes to *reading. */
static wr_code open_code(bool keyed, wr_code *reading)
{
	wr_ledger_opts opts = keyed ? keyed_opts() : test_opts();
	wr_err err = {0};
	*reading = WR_E_OK;
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, &err);
	if (!l) return err.code;
	if (wr_ledger_read(l, 0, nothing, NULL, &err)) *reading = err.code;
	wr_ledger_close(l);
	return WR_E_OK;
}

static void old_segments_are_not_read(void **state)
{
	for (int keyed = 0; keyed < 2; keyed++) {
		int64_t segments[64];
		size_t count;
		wr_code reading;
		make_long(keyed, segments, &count);
		assert_int_equal(open_code(keyed, &reading), WR_E_OK);
		assert_int_equal(reading, WR_E_OK);
		flip(segment_file(segments[2]), 20000);
		assert_int_equal(open_code(keyed, &reading), WR_E_OK);
		assert_int_equal(reading, WR_E_CORRUPT);
		/* Without the mark all is read. */
		assert_int_equal(unlink(in_chain("head")), 0);
		assert_int_equal(open_code(keyed, &reading), WR_E_CORRUPT);
		drop_test_dir(state);
		make_test_dir(state);
	}
}

static void seams_are_looked_at(void **state)
{
	char name[512], away[520];
	for (int keyed = 0; keyed < 2; keyed++) {
		int64_t segments[64];
		size_t count;
		wr_code reading;
		make_long(keyed, segments, &count);
		for (size_t i = 0; i < count; i++) {
			(void)snprintf(name, sizeof name, "%s", segment_file(segments[i]));
			(void)snprintf(away, sizeof away, "%s.away", name);
			assert_int_equal(rename(name, away), 0);
			assert_int_equal(open_code(keyed, &reading), WR_E_CORRUPT);
			assert_int_equal(rename(away, name), 0);
			if (i + 1 == count) continue;
			/* Its last line, its first, a few bytes more. */
			int64_t size = file_size(name);
			flip(name, size - 5);
			assert_int_equal(open_code(keyed, &reading), WR_E_CORRUPT);
			flip(name, size - 5);
			flip(name, 5);
			if (i > 0) assert_int_equal(open_code(keyed, &reading), WR_E_CORRUPT);
			flip(name, 5);
			append_bytes(name, "{\"a", 3);
			assert_int_equal(open_code(keyed, &reading), WR_E_CORRUPT);
			assert_int_equal(truncate(name, size), 0);
		}
		assert_int_equal(open_code(keyed, &reading), WR_E_OK);
		assert_int_equal(reading, WR_E_OK);
		drop_test_dir(state);
		make_test_dir(state);
	}
}

/* Who changes the past and the mark with it has not the engine's key. */
static void the_checkpoint_vouches(void **state)
{
	(void)state;
	int64_t segments[64];
	size_t count;
	wr_code reading;
	wr_err err = {0};
	wr_mark mark;
	wr_buf text = WR_BUF_INIT(WR_MARK_MAX);
	make_long(true, segments, &count);
	assert_int_equal(wr_mark_read(in_dir(CHAIN_NAME), &mark, &err), 0);
	assert_true(mark.resume.seq > 1000);
	mark.resume.tree.nodes[0][3] ^= 1;
	wr_mark_format(&text, &mark);
	spit(in_chain("head"), text.data, text.len);
	assert_int_equal(open_code(true, &reading), WR_E_CORRUPT);
	wr_buf_free(&text);
	/* Without it, the whole is read, and the checkpoint holds against that. */
	assert_int_equal(unlink(in_chain("head")), 0);
	assert_int_equal(open_code(true, &reading), WR_E_OK);
}

static void a_checkpoint_is_a_mark_too(void **state)
{
	(void)state;
	wr_ledger_opts opts = keyed_opts();
	wr_code reading;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < 20; i++) must_append(l, i);
	wr_ledger_close(l);
	wr_buf whole;
	slurp(&whole, segment_file(0));
	assert_int_equal(unlink(in_chain("head")), 0);
	size_t two_less = whole.len - 1;
	for (int lines = 0; lines < 2; lines++)
		while (whole.data[--two_less] != '\n') continue;
	assert_int_equal(truncate(segment_file(0), (off_t)two_less + 1), 0);
	assert_int_equal(open_code(true, &reading), WR_E_CORRUPT);
	/* In the middle of a line it attests: damage, not a torn end. */
	spit(segment_file(0), whole.data, two_less - 20);
	assert_int_equal(open_code(true, &reading), WR_E_CORRUPT);
	wr_buf_free(&whole);
}

static void a_damaged_checkpoint_is_no_help(void **state)
{
	(void)state;
	int64_t segments[64];
	size_t count;
	wr_code reading;
	make_long(true, segments, &count);
	flip(in_chain("checkpoint"), 40);
	assert_int_equal(open_code(true, &reading), WR_E_OK);
	flip(segment_file(segments[2]), 20000);
	assert_int_equal(open_code(true, &reading), WR_E_OK); /* a new one was made at close */
	assert_int_equal(reading, WR_E_CORRUPT);
}

typedef struct expected {
	int64_t next;
} expected;

static int in_turn(void *ctx, const wr_receipt *r)
{
	expected *e = ctx;
	assert_int_equal(r->seq, e->next++);
	return r->seq % 100 == 99;
}

static void reads_from_anywhere(void **state)
{
	(void)state;
	int64_t segments[64];
	size_t count;
	wr_err err = {0};
	int64_t total = make_long(true, segments, &count);
	wr_ledger_opts opts = keyed_opts();
	opts.segment_max = 40000;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < 300; i++) must_append(l, i);
	uint64_t chance = 5;
	for (int i = 0; i < 300; i++) {
		expected e = {.next = (int64_t)(test_next(&chance) % (uint64_t)(total + 200))};
		assert_true(wr_ledger_read(l, e.next, in_turn, &e, &err) >= 0);
	}
	wr_ledger_close(l);
}

/* ---- several chains ---- */

static wr_ledger *open_chain(const char *partition, wr_err *err)
{
	wr_ledger_opts opts = keyed_opts();
	opts.partition = partition;
	return wr_ledger_open_dir(&opts, NULL, err);
}

static void chains_share_the_lock(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_ledger *a = open_chain("us-central1", &err), *b = open_chain("europe-west1", &err);
	assert_non_null(a);
	assert_non_null(b);
	assert_null(open_chain("europe-west1", &err));
	assert_int_equal(err.code, WR_E_LOCKED);
	must_append(a, 1);
	append_operation(b, "drill_noted");
	wr_ledger_close(a);
	assert_true(wr_lock_held(test_dir));
	pid_t child = fork();
	if (child == 0) {
		wr_ledger *other = open_chain("asia-east1", &err);
		_exit(other || err.code != WR_E_LOCKED);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	append_operation(b, "drill_noted");
	a = open_chain("us-central1", &err);
	assert_non_null(a);
	wr_ledger_close(b);
	must_append(a, 2);
	wr_ledger_close(a);
	assert_false(wr_lock_held(test_dir));
	wr_verify_report r;
	assert_int_equal(wr_ledger_verify(test_dir, &r, NULL, NULL, &err), 0);
	assert_true(r.ok);
	assert_int_equal(r.chains, 2);
	wr_verify_free(&r);
}

/* ---- a crowd ---- */

#define WRITERS 16
#define EACH    100
typedef struct worker {
	wr_ledger *l;
	int64_t seqs[EACH];
} worker;

static void *append_all(void *ctx)
{
	worker *w = ctx;
	wr_err err = {0};
	for (int i = 0; i < EACH; i++)
		assert_int_equal(wr_ledger_append(w->l, note(i), 1, &w->seqs[i], &err), 0);
	return NULL;
}

static int keep_number(void *ctx, const wr_receipt *r)
{
	int64_t *numbers = ctx;
	numbers[r->seq] = wr_receipt_int(r, "number", -1);
	return 0;
}

static void a_crowd_writes(void **state)
{
	(void)state;
	static worker workers[WRITERS];
	static int64_t numbers[2 * WRITERS * EACH];
	pthread_t threads[WRITERS];
	wr_ledger_opts opts = keyed_opts();
	wr_err err = {0};
	opts.segment_max = 150000;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < WRITERS; i++) {
		workers[i].l = l;
		assert_int_equal(pthread_create(&threads[i], NULL, append_all, &workers[i]), 0);
	}
	for (int i = 0; i < WRITERS; i++) (void)pthread_join(threads[i], NULL);
	assert_int_equal(wr_ledger_read(l, 0, keep_number, numbers, &err), 0);
	for (int i = 0; i < WRITERS; i++)
		for (int k = 0; k < EACH; k++) {
			assert_true(k == 0 || workers[i].seqs[k] > workers[i].seqs[k - 1]);
			assert_int_equal(numbers[workers[i].seqs[k]], k);
		}
	wr_verify_report r;
	assert_int_equal(wr_ledger_verify(test_dir, &r, NULL, NULL, &err), 0);
	assert_true(r.ok);
	wr_verify_free(&r);
	wr_ledger_close(l);
	tally t = tally_of();
	assert_int_equal(t.count, WRITERS * EACH + t.checkpoints);
	assert_true(t.checkpoints >= WRITERS * EACH / 512);
	/* No space is left laid out. */
	wr_buf text;
	int64_t last = 0;
	for (int64_t i = 0; i < t.count; i++)
		if (file_size(segment_file(i)) >= 0) last = i;
	slurp(&text, segment_file(last));
	assert_int_equal(text.data[text.len - 1], '\n');
	wr_buf_free(&text);
}

/* The process ends while space is laid out: that is no torn end, and nobody is told of one. */
static void laid_out_space_is_cut(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	make_ledger(10, 0);
	int64_t size = file_size(segment_file(0));
	assert_int_equal(truncate(segment_file(0), (off_t)size + 100000), 0);
	wr_verify_report r;
	wr_err err = {0};
	assert_int_equal(wr_ledger_verify(test_dir, &r, NULL, NULL, &err), 0);
	assert_true(r.ok);
	assert_int_equal(r.valid, 10);
	wr_verify_free(&r);
	opts.read_only = true;
	wr_ledger_close(must_open(&opts, &opened));
	assert_int_equal(opened.count, 10);
	assert_false(opened.torn_tail);
	opts.read_only = false;
	wr_ledger *l = must_open(&opts, &opened);
	assert_false(opened.torn_tail);
	assert_int_equal(file_size(segment_file(0)), size);
	must_append(l, 10);
	wr_ledger_close(l);
	assert_int_equal(count_files("torn"), 0);
}

int main(void)
{
	wr_log_level((wr_level)(WR_LOG_ERROR + 1)); /* a damaged checkpoint is said */
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(checkpoints_are_made),
	    LEDGER_TEST(the_end_of_an_operation_is_signed),
	    LEDGER_TEST(a_minute_is_signed),
	    LEDGER_TEST(no_key_no_checkpoint),
	    LEDGER_TEST(old_segments_are_not_read),
	    LEDGER_TEST(seams_are_looked_at),
	    LEDGER_TEST(the_checkpoint_vouches),
	    LEDGER_TEST(a_checkpoint_is_a_mark_too),
	    LEDGER_TEST(a_damaged_checkpoint_is_no_help),
	    LEDGER_TEST(reads_from_anywhere),
	    LEDGER_TEST(chains_share_the_lock),
	    LEDGER_TEST(a_crowd_writes),
	    LEDGER_TEST(laid_out_space_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
