/* Exports: what is in them, from where on, of a ledger that is being written; manifests. */
#include "history.h"

#include "warroom/export.h"
#include "warroom/json.h"

static wr_export_opts opts_of(const char *ledger, const char *to)
{
	static char paths[2][512];
	(void)snprintf(paths[0], sizeof paths[0], "%s", in_dir(ledger));
	(void)snprintf(paths[1], sizeof paths[1], "%s", to ? in_dir(to) : "");
	return (wr_export_opts){.ledger = paths[0], .to = to ? paths[1] : NULL, .clock = &test_clock};
}

static int collect(void *ctx, const char *lines, size_t len, wr_err *err)
{
	(void)err;
	wr_buf_add(ctx, lines, len);
	return 0;
}

static int refuse(void *ctx, const char *lines, size_t len, wr_err *err)
{
	(void)ctx;
	(void)lines;
	(void)len;
	return wr_fail(err, WR_E_NO_SPACE, "no room");
}

/* ---- since ---- */

static void test_since(void **state)
{
	(void)state;
	wr_since s;
	wr_err err = {0};
	assert_int_equal(wr_since_parse(NULL, T0, &s, &err), 0);
	assert_int_equal(s.kind, WR_SINCE_ALL);
	assert_int_equal(wr_since_parse("0", T0, &s, &err), 0);
	assert_int_equal(s.kind, WR_SINCE_SEQ);
	assert_int_equal(s.seq, 0);
	assert_int_equal(wr_since_parse("10240", T0, &s, &err), 0);
	assert_int_equal(s.seq, 10240);
	assert_int_equal(wr_since_parse("9007199254740991", T0, &s, &err), 0);
	assert_int_equal(wr_since_parse("5m", T0, &s, &err), 0);
	assert_int_equal(s.kind, WR_SINCE_TIME);
	assert_int_equal(s.time_us, T0 - 300 * INT64_C(1000000));
	assert_int_equal(wr_since_parse("1h30m", T0, &s, &err), 0);
	assert_int_equal(wr_since_parse("2026-01-25T12:40:15Z", T0, &s, &err), 0);
	assert_int_equal(s.time_us, T0 - 123456);
	assert_int_equal(wr_since_parse("1m", 1000, &s, &err), 0);
	assert_int_equal(s.time_us, 0);
	static const char *const wrong[] = {"yesterday",         "-5",  "5",
	                                    "9007199254740992",  "5x",  "99999999999999999999",
	                                    "2026-13-01T00:00Z", " 5m", "\x1b[31m"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		int rc = wr_since_parse(wrong[i], T0, &s, &err);
		assert_int_equal(rc, i == 2 ? 0 : -1);
		if (rc) assert_int_equal(err.code, WR_E_INVALID);
		if (rc) assert_null(strchr(err.msg, '\x1b'));
	}
}

/* ---- lines ---- */

static void test_lines(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	wr_export_report r;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 100, NULL, 0);
	history_ledger(&h, "l", 0, 100, 30, NULL);
	for (size_t from = 0; from <= 100; from++) {
		for (int by_time = 0; by_time < 2; by_time++) {
			wr_buf got = WR_BUF_INIT(8u << 20), want = WR_BUF_INIT(8u << 20);
			wr_export_opts o = opts_of("l", NULL);
			o.write = collect;
			o.ctx = &got;
			o.since.kind = by_time ? WR_SINCE_TIME : WR_SINCE_SEQ;
			o.since.seq = (int64_t)from;
			/* receipts are a second apart */
			o.since.time_us = T0 + ((int64_t)from + 1) * 1000000 - (from % 2 ? 400000 : 0);
			if (wr_export(&o, &r, &err)) fail_msg("%s", err.msg);
			history_text(&h, from, 100, "\n", &want);
			assert_string_equal(wr_buf_cstr(&got), wr_buf_cstr(&want));
			assert_int_equal(r.receipts, 100 - from);
			assert_int_equal(r.chains[0].first_seq, from);
			wr_export_free(&r);
			wr_buf_free(&got);
			wr_buf_free(&want);
		}
	}
	wr_export_opts o = opts_of("l", NULL);
	o.write = refuse;
	assert_int_equal(wr_export(&o, &r, &err), -1);
	assert_int_equal(err.code, WR_E_NO_SPACE);
	o.chain = "us-central1/none";
	assert_int_equal(wr_export(&o, &r, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	history_free(&h);
}

static void test_damage_is_not_exported(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	wr_export_report r;
	wr_buf text, sink = WR_BUF_INIT(8u << 20);
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 40, NULL, 0);
	history_ledger(&h, "l", 0, 40, 0, NULL);
	char path[512];
	(void)snprintf(path, sizeof path, "%s",
	               in_ledger("l", CHAIN_NAME "/00000000000000000000.jsonl"));
	slurp(&text, path);
	char *at = strstr(text.data, h.line[20]);
	at[30] ^= 4;
	spit(path, text.data, text.len);
	wr_export_opts o = opts_of("l", "ex");
	assert_int_equal(wr_export(&o, &r, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_not_equal(access(in_dir("ex"), F_OK), 0);
	/* Behind the damage it goes. */
	o = opts_of("l", NULL);
	o.write = collect;
	o.ctx = &sink;
	o.since = (wr_since){.kind = WR_SINCE_SEQ, .seq = 21};
	assert_int_equal(wr_export(&o, &r, &err), -1);
	at[30] ^= 4;
	text.len -= 20; /* a torn end is left out, unless it was whole before */
	spit(path, text.data, text.len);
	assert_int_equal(wr_export(&o, &r, &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(unlink(in_ledger("l", CHAIN_NAME "/head")), 0);
	assert_int_equal(wr_export(&o, &r, &err), 0);
	assert_int_equal(r.receipts, 18);
	wr_export_free(&r);
	wr_buf_free(&text);
	wr_buf_free(&sink);
	history_free(&h);
}

/* What the ledger was known to hold and does not hold any more is not passed over. */
static void test_loss_is_not_exported(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	wr_export_report r;
	wr_buf sink = WR_BUF_INIT(8u << 20);
	wr_engine_key *k = history_key();
	static const char *const gone[] = {"00000000000000000000.jsonl", "00000000000000000030.jsonl"};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 40, k, 20);
	for (int i = 0; i < 4; i++) {
		char path[640];
		remove_tree(in_dir("l"));
		history_ledger(&h, "l", 0, h.count, 30, k);
		(void)snprintf(path, sizeof path, "%s/%s", in_ledger("l", CHAIN_NAME), gone[i > 0]);
		assert_int_equal(unlink(path), 0);
		/* Either of the two is enough. */
		if (i == 2) assert_int_equal(unlink(in_ledger("l", CHAIN_NAME "/head")), 0);
		if (i == 3) assert_int_equal(unlink(in_ledger("l", CHAIN_NAME "/checkpoint")), 0);
		wr_export_opts o = opts_of("l", "ex");
		assert_int_equal(wr_export(&o, &r, &err), -1);
		assert_int_equal(err.code, WR_E_CORRUPT);
		assert_int_not_equal(access(in_dir("ex"), F_OK), 0);
		/* Who says from where on has what is behind it. */
		o = opts_of("l", NULL);
		o.write = collect;
		o.ctx = &sink;
		o.since = (wr_since){.kind = WR_SINCE_SEQ, .seq = 30};
		int rc = wr_export(&o, &r, &err);
		assert_int_equal(rc, i == 0 ? 0 : -1);
		if (rc == 0) wr_export_free(&r);
	}
	wr_buf_free(&sink);
	history_free(&h);
	wr_engine_key_free(k);
}

/* ---- directories ---- */

static void test_directory(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	wr_export_report r;
	wr_verify_report v;
	char hex[WR_HEX_LEN], path[512];
	uint8_t hash[WR_HASH_LEN];
	wr_engine_key *k = history_key();
	wr_sha256(hash, "a plan", 6);
	wr_hex(hex, hash, WR_HASH_LEN);
	history_init(&h, CHAIN_NAME);
	history_put(&h, json_pack("{s:s, s:s}", "operation", "operation_proposed", "plan_hash", hex),
	            NULL);
	history_grow(&h, 60, k, 20);
	history_ledger(&h, "l", 0, h.count, 25, k);
	assert_int_equal(wr_mkdirs(in_dir("l/blobs/sha256"), 0750, &err), 0);
	(void)snprintf(path, sizeof path, "%s/%s", in_dir("l/blobs/sha256"), hex);
	spit(path, "a plan", 6);
	spit(in_dir("l/allowed_signers"), "# nobody\n", 9);
	char *before = tree_text(in_dir("l"));
	wr_export_opts o = opts_of("l", "ex");
	if (wr_export(&o, &r, &err)) fail_msg("%s", err.msg);
	assert_int_equal(r.blobs, 1);
	assert_int_equal(r.chains[0].checkpoint_size, h.note_size);
	wr_export_free(&r);
	char *after = tree_text(in_dir("l"));
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(wr_manifest_check(in_dir("ex"), &err), 0);
	/* It is a ledger: it verifies, checkpoint and all. */
	assert_int_equal(wr_ledger_verify(in_dir("ex"), &v, NULL, NULL, &err), 0);
	assert_true(v.ok);
	assert_int_equal(v.checked, h.count);
	wr_verify_free(&v);
	wr_buf blob = WR_BUF_INIT(64);
	assert_int_equal(wr_blob_get(in_dir("ex"), hex, &blob, &err), 0);
	wr_buf_free(&blob);
	/* Never into what is there. */
	assert_int_equal(wr_export(&o, &r, &err), -1);
	assert_int_equal(err.code, WR_E_CONFLICT);
	assert_int_equal(unlink(path), 0);
	o = opts_of("l", "ex2");
	assert_int_equal(wr_export(&o, &r, &err), 0);
	assert_int_equal(r.blobs_missing, 1);
	wr_export_free(&r);
	history_free(&h);
	wr_engine_key_free(k);
}

typedef struct writer {
	wr_ledger *l;
	_Atomic bool stop;
} writer;

static void *write_on(void *ctx)
{
	writer *w = ctx;
	for (int i = 0; i < 20000 && !w->stop; i++) must_append(w->l, i);
	return NULL;
}

/* Each export of a ledger that is being written is whole, and longer than the one before. */
static void test_live(void **state)
{
	(void)state;
	wr_err err = {0};
	pthread_t thread;
	int64_t seen = 0;
	char dir[512];
	(void)snprintf(dir, sizeof dir, "%s", in_dir("l"));
	wr_ledger_opts lo = test_opts();
	lo.dir = dir;
	lo.segment_max = 20000;
	writer w = {.l = must_open(&lo, NULL)};
	must_append(w.l, 0);
	assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
	for (int i = 0; i < 20 || seen < 50; i++) {
		wr_export_report r;
		wr_verify_report v;
		wr_export_opts o = opts_of("l", "ex");
		if (wr_export(&o, &r, &err)) fail_msg("%s", err.msg);
		assert_true(r.receipts >= seen);
		seen = r.receipts;
		wr_export_free(&r);
		assert_int_equal(wr_ledger_verify(in_dir("ex"), &v, NULL, NULL, &err), 0);
		assert_true(v.ok);
		assert_int_equal(v.checked, seen);
		wr_verify_free(&v);
		remove_tree(in_dir("ex"));
	}
	w.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	wr_ledger_close(w.l);
}

/* ---- manifests ---- */

static void test_manifest(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_buf text;
	assert_int_equal(wr_mkdirs(in_dir("m/a/b"), 0750, &err), 0);
	assert_int_equal(wr_manifest_check(in_dir("m"), &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	spit(in_dir("m/one"), "abc", 3);
	spit(in_dir("m/a/b/two words"), "", 0);
	assert_int_equal(wr_manifest_write(in_dir("m"), &err), 0);
	slurp(&text, in_dir("m/" WR_MANIFEST_NAME));
	assert_string_equal(
	    text.data,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a/b/two words\n"
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  one\n");
	assert_int_equal(wr_manifest_check(in_dir("m"), &err), 0);
	/* Every byte of it counts. */
	for (size_t i = 0; i < text.len; i++) {
		text.data[i] ^= 2;
		spit(in_dir("m/" WR_MANIFEST_NAME), text.data, text.len);
		bool star = i == 65 || i == 146; /* no other flip of a space is one */
		int rc = wr_manifest_check(in_dir("m"), &err);
		if (!star) assert_int_equal(rc, -1);
		text.data[i] ^= 2;
	}
	spit(in_dir("m/" WR_MANIFEST_NAME), text.data, text.len);
	spit(in_dir("m/one"), "abd", 3);
	assert_int_equal(wr_manifest_check(in_dir("m"), &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	spit(in_dir("m/one"), "abc", 3);
	spit(in_dir("m/more"), "", 0);
	assert_int_equal(wr_manifest_check(in_dir("m"), &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	assert_int_equal(unlink(in_dir("m/more")), 0);
	assert_int_equal(unlink(in_dir("m/one")), 0);
	assert_int_equal(wr_manifest_check(in_dir("m"), &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	/* It never leads outside. */
	static const char outside[] =
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../../etc/passwd\n";
	spit(in_dir("m/" WR_MANIFEST_NAME), outside, sizeof outside - 1);
	assert_int_equal(wr_manifest_check(in_dir("m"), &err), -1);
	assert_int_equal(err.code, WR_E_CORRUPT);
	spit(in_dir("m/new\nline"), "", 0);
	assert_int_equal(wr_manifest_write(in_dir("m"), &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	wr_buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(test_since),
	    LEDGER_TEST(test_lines),
	    LEDGER_TEST(test_damage_is_not_exported),
	    LEDGER_TEST(test_loss_is_not_exported),
	    LEDGER_TEST(test_directory),
	    LEDGER_TEST(test_live),
	    LEDGER_TEST(test_manifest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
