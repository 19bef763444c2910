/* test_store.c: append, read, segments, locks, order, time, and the engine's key. */
#include "fixture.h"

#include <pthread.h>

#include "warroom/sshsig.h"

typedef struct seen {
	int64_t next, last_us;
	uint8_t hash[WR_HASH_LEN];
	int64_t stop_after; /* -1: never */
} seen;

static int see(void *ctx, const wr_receipt *r)
{
	seen *s = ctx;
	assert_int_equal(r->seq, s->next);
	if (s->next > 0 && s->last_us) {
		assert_memory_equal(r->prev_hash, s->hash, WR_HASH_LEN);
		assert_true(r->timestamp_us >= s->last_us);
	}
	assert_string_equal(r->chain, CHAIN_NAME);
	s->next++;
	s->last_us = r->timestamp_us;
	memcpy(s->hash, r->hash, WR_HASH_LEN);
	return s->stop_after >= 0 && s->next > s->stop_after ? 7 : 0;
}

static void read_all_of(wr_ledger *l, int64_t from, int64_t count)
{
	wr_err err = {0};
	seen s = {.next = from, .stop_after = -1};
	assert_int_equal(wr_ledger_read(l, from, see, &s, &err), 0);
	assert_int_equal(s.next, count);
}

static void appends_and_reads(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_ledger_opened opened;
	wr_head head;
	wr_ledger *l = must_open(&opts, &opened);
	assert_int_equal(opened.count, 0);
	assert_false(opened.torn_tail);
	wr_ledger_head(l, &head);
	assert_int_equal(head.count, 0);
	for (int i = 0; i < 600; i++) must_append(l, i);
	for (int64_t from = 0; from < 600; from += 37) read_all_of(l, from, 600);
	read_all_of(l, 599, 600);
	wr_ledger_head(l, &head);
	assert_int_equal(head.count, 600);
	seen s = {.next = 0, .stop_after = 99};
	wr_err err = {0};
	assert_int_equal(wr_ledger_read(l, 0, see, &s, &err), 7);
	assert_int_equal(s.next, 100);
	s = (seen){.next = 0, .stop_after = -1};
	assert_int_equal(wr_ledger_read(l, 600, see, &s, &err), 0);
	assert_int_equal(wr_ledger_read(l, 100000, see, &s, &err), 0);
	wr_ledger_close(l);
	l = must_open(&opts, &opened);
	assert_int_equal(opened.count, 600);
	wr_head again;
	wr_ledger_head(l, &again);
	assert_memory_equal(head.hash, again.hash, WR_HASH_LEN);
	must_append(l, 600);
	read_all_of(l, 0, 601);
	wr_ledger_close(l);
}

static void rolls_segments(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	opts.segment_max = 4096;
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < 100; i++) must_append(l, i);
	read_all_of(l, 0, 100);
	read_all_of(l, 57, 100);
	wr_ledger_close(l);
	assert_true(count_files("0000") > 8);
	DIR *d = opendir(in_dir(CHAIN_NAME));
	const struct dirent *e;
	while ((e = readdir(d)))
		if (strncmp(e->d_name, "0000", 4) == 0) assert_true(file_size(in_chain(e->d_name)) <= 4096);
	(void)closedir(d);
	wr_ledger_opened opened;
	l = must_open(&opts, &opened);
	assert_int_equal(opened.count, 100);
	for (int i = 0; i < 50; i++) must_append(l, i);
	read_all_of(l, 3, 150);
	wr_ledger_close(l);
}

static void one_writer(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	char pid[32];
	wr_ledger *l = must_open(&opts, NULL);
	must_append(l, 1);
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_LOCKED);
	(void)snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
	assert_non_null(strstr(err.msg, pid));
	opts.read_only = true;
	wr_ledger_opened opened;
	wr_ledger *reader = must_open(&opts, &opened);
	assert_int_equal(opened.count, 1);
	read_all_of(reader, 0, 1);
	json_t *draft = note(1);
	assert_int_equal(wr_ledger_submit(reader, &draft, 1, 1, NULL, NULL, &err), -1);
	assert_int_equal(err.code, WR_E_DENIED);
	wr_ledger_close(reader);
	wr_ledger_close(l);
	opts.read_only = false;
	wr_ledger_close(must_open(&opts, NULL));
}

/* People remove what looks like a stale lock. */
static void the_lock_file_is_removed(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	wr_ledger *l = must_open(&opts, NULL);
	must_append(l, 1);
	assert_int_equal(unlink(in_dir("lock")), 0);
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_LOCKED);
	must_append(l, 2);
	wr_ledger_close(l);
	wr_ledger_close(must_open(&opts, NULL));
}

/* Law 4: whoever wrote here after us has the newer epoch. We neither go on behind it nor cut it
 * off. */
static void another_hand(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	wr_buf before, after;
	wr_ledger *l = must_open(&opts, NULL);
	must_append(l, 1);
	append_bytes(segment_file(0), "{\"actor\":\"engine:other\"}\n", 25);
	slurp(&before, segment_file(0));
	for (int i = 0; i < 3; i++) {
		int64_t seq;
		assert_int_equal(wr_ledger_append(l, note(2), 1, &seq, &err), -1);
		assert_int_equal(err.code, WR_E_CONFLICT);
	}
	assert_true(wr_ledger_failed(l, &err));
	assert_non_null(strstr(err.msg, "somebody else"));
	wr_ledger_close(l);
	slurp(&after, segment_file(0));
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, before.len);
	assert_int_equal(count_files("0000"), 1);
	wr_buf_free(&before);
	wr_buf_free(&after);
}

static void read_only_changes_nothing(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	opts.read_only = true;
	wr_err err = {0};
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(access(in_dir("lock"), F_OK), -1);
	make_ledger(3, 0);
	append_bytes(segment_file(0), "{\"actor\":\"eng", 13);
	int64_t size = file_size(segment_file(0));
	wr_ledger_opened opened;
	wr_ledger *l = must_open(&opts, &opened);
	assert_int_equal(opened.count, 3);
	assert_true(opened.torn_tail);
	assert_int_equal(opened.torn_bytes, 13);
	read_all_of(l, 0, 3);
	wr_ledger_close(l);
	assert_int_equal(file_size(segment_file(0)), size);
	assert_int_equal(count_files("torn"), 0);
}

/* ---- many threads ---- */

typedef struct crowd {
	wr_ledger *l;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int answered;
	int64_t last_first;
} crowd;

static void in_order(void *ctx, const wr_appended *a)
{
	crowd *c = ctx;
	assert_int_equal(a->status, WR_APPEND_DONE);
	assert_int_equal(a->count, 3);
	(void)pthread_mutex_lock(&c->mutex);
	assert_true(a->first_seq > c->last_first);
	c->last_first = a->first_seq;
	for (size_t i = 0; i < a->count; i++) {
		wr_receipt r;
		wr_err err = {0};
		assert_int_equal(strlen(a->lines[i]), a->lens[i]);
		assert_int_equal(wr_receipt_parse(&r, a->lines[i], a->lens[i], true, &err), WR_RF_OK);
		assert_int_equal(r.seq, a->first_seq + (int64_t)i);
		assert_int_equal(wr_receipt_int(&r, "number", -1), (int64_t)i);
	}
	c->answered++;
	(void)pthread_cond_signal(&c->cond);
	(void)pthread_mutex_unlock(&c->mutex);
}

static void *submit_many(void *ctx)
{
	crowd *c = ctx;
	for (int i = 0; i < 200; i++) {
		json_t *drafts[] = {note(0), note(1), note(2)};
		wr_err err = {0};
		assert_int_equal(wr_ledger_submit(c->l, drafts, 3, 1, in_order, c, &err), 0);
	}
	return NULL;
}

static void *read_many(void *ctx)
{
	crowd *c = ctx;
	for (int i = 0; i < 50; i++) {
		wr_head head;
		wr_err err = {0};
		seen s = {.next = 0, .stop_after = -1};
		wr_ledger_head(c->l, &head);
		assert_int_equal(wr_ledger_read(c->l, 0, see, &s, &err), 0);
		assert_true(s.next >= head.count);
	}
	return NULL;
}

static void serves_many_threads(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	opts.segment_max = 100000;
	crowd c = {.l = must_open(&opts, NULL),
	           .mutex = PTHREAD_MUTEX_INITIALIZER,
	           .cond = PTHREAD_COND_INITIALIZER,
	           .last_first = -1};
	pthread_t threads[5];
	for (int i = 0; i < 5; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 4 ? submit_many : read_many, &c), 0);
	for (int i = 0; i < 5; i++) (void)pthread_join(threads[i], NULL);
	(void)pthread_mutex_lock(&c.mutex);
	while (c.answered < 800) (void)pthread_cond_wait(&c.cond, &c.mutex);
	(void)pthread_mutex_unlock(&c.mutex);
	read_all_of(c.l, 0, 2400);
	wr_ledger_close(c.l);
}

static void close_waits_for_the_queue(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	crowd c = {.l = must_open(&opts, NULL),
	           .mutex = PTHREAD_MUTEX_INITIALIZER,
	           .cond = PTHREAD_COND_INITIALIZER,
	           .last_first = -1};
	(void)submit_many(&c);
	wr_ledger_close(c.l);
	assert_int_equal(c.answered, 200);
	wr_ledger_opened opened;
	wr_ledger *l = must_open(&opts, &opened);
	assert_int_equal(opened.count, 600);
	wr_ledger_close(l);
}

/* ---- what is refused ---- */

static void must_refuse(wr_ledger *l, json_t *draft, int64_t epoch, wr_code code)
{
	wr_err err = {0};
	wr_head before, after;
	wr_ledger_head(l, &before);
	assert_int_equal(wr_ledger_append(l, draft, epoch, NULL, &err), -1);
	assert_int_equal(err.code, code);
	assert_true(err.msg[0] != '\0');
	wr_ledger_head(l, &after);
	assert_int_equal(before.count, after.count);
}

static void refuses_bad_drafts(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_ledger *l = must_open(&opts, NULL);
	must_append(l, 1);
	static const char *const reserved[] = {"chain", "epoch",     "prev_hash", "receipt_id",
	                                       "seq",   "timestamp", "v",         "hash"};
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		must_refuse(l, json_pack("{s:s, s:s}", "operation", "x", reserved[i], "y"), 1,
		            WR_E_INVALID);
	must_refuse(l, json_pack("{s:s}", "text", "no operation"), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s}", "operation", ""), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s}", "operation", "has space"), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:s}", "operation", "x", "actor", ""), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:i}", "operation", "x", "actor", 5), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:f}", "operation", "x", "f", 1.5), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:n}", "operation", "x", "f"), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:{}}", "operation", "x", "f"), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:[]}", "operation", "x", "f"), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:i}", "operation", "x", "k\xc3\xa4se", 1), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:i}", "operation", "x", "a\"b", 1), 1, WR_E_INVALID);
	must_refuse(l, json_pack("{s:s, s:I}", "operation", "x", "n", (json_int_t)1 << 53), 1,
	            WR_E_INVALID);
	must_refuse(l, json_array(), 1, WR_E_INVALID);
	must_refuse(l, note(1), -1, WR_E_INVALID);
	char *big = malloc(WR_RECEIPT_MAX);
	memset(big, 'a', WR_RECEIPT_MAX - 1);
	big[WR_RECEIPT_MAX - 1] = '\0';
	must_refuse(l, json_pack("{s:s, s:s}", "operation", "x", "big", big), 1, WR_E_LIMIT);
	free(big);
	json_t *wide = json_pack("{s:s}", "operation", "x");
	for (int i = 0; i < 64; i++) {
		char key[16];
		(void)snprintf(key, sizeof key, "k%d", i);
		json_object_set_new(wide, key, json_true());
	}
	must_refuse(l, wide, 1, WR_E_LIMIT);
	must_append(l, 2);
	read_all_of(l, 0, 2);
	wr_ledger_close(l);
}

static void epochs_never_go_back(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	wr_ledger *l = must_open(&opts, NULL);
	assert_int_equal(wr_ledger_append(l, note(1), 5, NULL, &err), 0);
	must_refuse(l, note(1), 4, WR_E_CONFLICT);
	wr_ledger_close(l);
	l = must_open(&opts, NULL);
	must_refuse(l, note(1), 4, WR_E_CONFLICT);
	assert_int_equal(wr_ledger_append(l, note(1), 5, NULL, &err), 0);
	assert_int_equal(wr_ledger_append(l, note(1), 6, NULL, &err), 0);
	wr_ledger_close(l);
}

static int64_t wall_now;
static int64_t settable_wall(void *ctx)
{
	(void)ctx;
	return wall_now;
}

static int keep_last_time(void *ctx, const wr_receipt *r)
{
	*(int64_t *)ctx = r->timestamp_us;
	return 0;
}

static int64_t last_time(wr_ledger *l)
{
	wr_err err = {0};
	int64_t t = 0;
	assert_int_equal(wr_ledger_read(l, 0, keep_last_time, &t, &err), 0);
	return t;
}

static void time_never_goes_back(void **state)
{
	(void)state;
	const wr_clock clock = {.mono_ms = test_mono, .wall_us = settable_wall};
	wr_ledger_opts opts = test_opts();
	opts.clock = &clock;
	wr_ledger *l = must_open(&opts, NULL);
	wall_now = T0;
	must_append(l, 1);
	must_append(l, 2);
	assert_int_equal(last_time(l), T0);
	wall_now = T0 - 3600000000;
	must_append(l, 3);
	assert_int_equal(last_time(l), T0 + 1);
	wr_ledger_close(l);
	l = must_open(&opts, NULL);
	must_append(l, 4);
	assert_int_equal(last_time(l), T0 + 2);
	wall_now = T0 + 5;
	must_append(l, 5);
	assert_int_equal(last_time(l), T0 + 5);
	wr_ledger_close(l);
}

static void actor_of_a_person(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	wr_ledger *l = must_open(&opts, NULL);
	assert_int_equal(wr_ledger_append(l,
	                                  json_pack("{s:s, s:s}", "operation", "x", "actor", "alice"),
	                                  1, NULL, &err),
	                 0);
	must_append(l, 1);
	wr_ledger_close(l);
	wr_buf text;
	slurp(&text, segment_file(0));
	assert_non_null(strstr(text.data, "{\"actor\":\"alice\",\"chain\":\"us-central1/ops\""));
	assert_non_null(strstr(text.data, "{\"actor\":\"engine:bastion\","));
	wr_buf_free(&text);
}

static void modes_and_names(void **state)
{
	(void)state;
	struct stat st;
	wr_err err = {0};
	make_ledger(1, 0);
	assert_int_equal(stat(in_dir(CHAIN_NAME), &st), 0);
	assert_int_equal(st.st_mode & 0027, 0);
	assert_int_equal(stat(segment_file(0), &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
	wr_ledger_opts opts = test_opts();
	opts.partition = "../up";
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_INVALID);
}

static void engine_key(void **state)
{
	(void)state;
	wr_ledger_opts opts = test_opts();
	wr_err err = {0};
	struct stat st;
	char key_path[256];
	(void)snprintf(key_path, sizeof key_path, "%s", in_dir("engine.key"));
	opts.engine_key = key_path;
	wr_ledger_close(must_open(&opts, NULL));
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	wr_buf text;
	wr_pubkey key;
	slurp(&text, in_dir("engine.pub"));
	assert_int_equal(wr_pubkey_parse(&key, text.data, &err), 0);
	wr_buf_free(&text);
	wr_ledger_close(must_open(&opts, NULL));
	assert_int_equal(chmod(key_path, 0644), 0);
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_DENIED);
	assert_int_equal(unlink(key_path), 0);
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_CONFLICT);
	spit(key_path, "not hex\n", 8);
	assert_int_equal(chmod(key_path, 0600), 0);
	assert_null(wr_ledger_open_dir(&opts, NULL, &err));
	assert_int_equal(err.code, WR_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(appends_and_reads),    LEDGER_TEST(rolls_segments),
	    LEDGER_TEST(one_writer),           LEDGER_TEST(the_lock_file_is_removed),
	    LEDGER_TEST(another_hand),         LEDGER_TEST(read_only_changes_nothing),
	    LEDGER_TEST(serves_many_threads),  LEDGER_TEST(close_waits_for_the_queue),
	    LEDGER_TEST(refuses_bad_drafts),   LEDGER_TEST(epochs_never_go_back),
	    LEDGER_TEST(time_never_goes_back), LEDGER_TEST(actor_of_a_person),
	    LEDGER_TEST(modes_and_names),      LEDGER_TEST(engine_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
