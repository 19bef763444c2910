/* Restore: from every kind of damage, by what is left; forks; what is lost; disks that fail. */
#include "history.h"

#include <errno.h>
#include <sys/wait.h>

#include "ledger/restore.h"
#include "warroom/json.h"
#include "warroom/restore.h"

/* ---- a restore and what it made ---- */

typedef struct outcome {
	int rc;
	wr_err err;
	wr_restore_report report;
} outcome;

static wr_restore_opts opts_of(const char *snapshot, const char *damaged)
{
	static char paths[3][512];
	(void)snprintf(paths[0], sizeof paths[0], "%s", in_dir(snapshot));
	(void)snprintf(paths[1], sizeof paths[1], "%s", in_dir("new"));
	if (damaged) (void)snprintf(paths[2], sizeof paths[2], "%s", in_dir(damaged));
	return (wr_restore_opts){.snapshot = paths[0],
	                         .into = paths[1],
	                         .damaged = damaged ? paths[2] : NULL,
	                         .clock = &test_clock,
	                         .random = &test_random};
}

static outcome restore(const wr_restore_opts *o)
{
	outcome out = {0};
	out.rc = wr_restore(o, &out.report, &out.err);
	return out;
}

static void drop(outcome *o)
{
	wr_restore_free(&o->report);
	remove_tree(in_dir("new"));
}

static const json_t *chain_doc(const outcome *o, size_t i)
{
	return json_array_get(json_object_get(o->report.doc, "chains"), i);
}

/* The restored chain's lines. */
static void read_result(const char *chain, wr_buf *out)
{
	int64_t *segments;
	size_t count;
	wr_err err = {0};
	char dir[512];
	(void)snprintf(dir, sizeof dir, "%s", in_ledger("new", chain));
	wr_buf_init(out, 64u << 20);
	assert_int_equal(wr_segment_list(dir, &segments, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		char name[WR_SEGMENT_NAME_LEN], path[1024];
		wr_buf text;
		wr_segment_name(name, segments[i]);
		(void)snprintf(path, sizeof path, "%s/%s", dir, name);
		slurp(&text, path);
		wr_buf_add(out, wr_buf_cstr(&text), text.len);
		wr_buf_free(&text);
	}
	free(segments);
}

/* The result begins with exactly these receipts, and then says what was done. */
static void expect_history(const history *h, size_t count)
{
	wr_buf text, want = WR_BUF_INIT(64u << 20);
	wr_receipt r;
	wr_err err = {0};
	char status[32];
	wr_verify_report v;
	read_result(h->chain, &text);
	history_text(h, 0, count, "\n", &want);
	assert_true(text.len > want.len);
	assert_memory_equal(text.data, want.data, want.len);
	const char *line = text.data + want.len, *end = strchr(line, '\n');
	assert_non_null(end);
	assert_int_equal(wr_receipt_parse(&r, line, (size_t)(end - line), true, &err), WR_RF_OK);
	assert_string_equal(r.operation, "receipt_corruption_detected");
	assert_true(wr_receipt_str(&r, "status", status, sizeof status));
	assert_string_equal(status, "restored");
	assert_int_equal(wr_ledger_verify(in_dir("new"), &v, NULL, NULL, &err), 0);
	assert_true(v.ok);
	wr_verify_free(&v);
	wr_buf_free(&text);
	wr_buf_free(&want);
}

static void expect_restored(const outcome *o, int64_t lost)
{
	if (o->rc) {
		char *doc = o->report.doc ? json_dumps(o->report.doc, JSON_INDENT(1)) : NULL;
		fail_msg("%d %s %s", o->rc, o->err.msg, doc ? doc : "");
	}
	assert_true(o->report.restored);
	assert_int_equal(o->report.lost, lost);
}

/* ---- the plain ways ---- */

static void test_whole_snapshot(void **state)
{
	(void)state;
	history h;
	wr_engine_key *k = history_key();
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 300, k, 100);
	history_ledger(&h, "snap", 0, h.count, 90, k);
	char *before = tree_text(in_dir("snap"));
	wr_restore_opts o = opts_of("snap", NULL);
	outcome r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, h.count);
	const json_t *c = chain_doc(&r, 0);
	assert_int_equal(wr_json_int(c, "receipts", -1), h.count);
	assert_int_equal(wr_json_int(c, "attested", -1), h.note_size);
	char *after = tree_text(in_dir("snap"));
	assert_string_equal(before, after);
	free(before);
	free(after);
	drop(&r);
	history_free(&h);
	wr_engine_key_free(k);
}

/* The fields of the contract, as they stand in the ledger. */
static void test_receipt(void **state)
{
	(void)state;
	history h;
	wr_buf text;
	wr_receipt rec;
	wr_err err = {0};
	char s[256], want[300], t[WR_TIME_LEN];
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 200, NULL, 0);
	history_ledger(&h, "snap", 0, 100, 0, NULL);
	history_ledger(&h, "damaged", 0, 150, 0, NULL);
	/* One receipt of 150 unreadable: the rest cannot be joined. */
	char *seg = strdup(in_ledger("damaged", CHAIN_NAME "/00000000000000000000.jsonl"));
	slurp(&text, seg);
	char *at = strstr(text.data, h.line[120]);
	assert_non_null(at);
	at[20] ^= 3;
	spit(seg, text.data, text.len);
	free(seg);
	wr_buf_free(&text);
	wr_restore_opts o = opts_of("snap", "damaged");
	o.actor = "alice";
	outcome r = restore(&o);
	expect_restored(&r, 30);
	expect_history(&h, 120);
	read_result(CHAIN_NAME, &text);
	char *line = text.data;
	for (int i = 0; i < 120; i++) line = strchr(line, '\n') + 1;
	*strchr(line, '\n') = '\0';
	assert_int_equal(wr_receipt_parse(&rec, line, strlen(line), true, &err), WR_RF_OK);
	assert_int_equal(wr_receipt_int(&rec, "corrupted_count", -1), 30);
	assert_int_equal(wr_receipt_int(&rec, "lost_count", -1), 30);
	assert_int_equal(wr_receipt_int(&rec, "data_loss_minutes", -1), 1);
	assert_true(wr_receipt_str(&rec, "recovery_method", s, sizeof s));
	assert_string_equal(s, "snapshot+damaged");
	assert_true(wr_receipt_str(&rec, "backup_source", s, sizeof s));
	assert_string_equal(s, in_dir("snap"));
	assert_true(wr_receipt_str(&rec, "backup_timestamp", s, sizeof s));
	wr_time_format(t, T0 + 100 * INT64_C(1000000));
	assert_string_equal(s, t);
	assert_true(wr_receipt_str(&rec, "affected_timespan", s, sizeof s));
	wr_time_format(t, T0 + 122 * INT64_C(1000000));
	(void)snprintf(want, sizeof want, "%s/", t);
	wr_time_format(t, T0 + 150 * INT64_C(1000000));
	(void)snprintf(want + strlen(want), sizeof want - strlen(want), "%s", t);
	assert_string_equal(s, want);
	assert_true(wr_receipt_str(&rec, "actor", s, sizeof s));
	assert_string_equal(s, "alice");
	/* The account is evidence: the blob that the receipt names. */
	wr_buf blob = WR_BUF_INIT(WR_BLOB_MAX);
	assert_true(wr_receipt_str(&rec, "report", s, sizeof s));
	assert_int_equal(wr_blob_get(in_dir("new"), s, &blob, &err), 0);
	assert_non_null(strstr(wr_buf_cstr(&blob), "not joined"));
	wr_buf_free(&blob);
	wr_buf_free(&text);
	drop(&r);
	history_free(&h);
}

static void test_changelog_joins(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 200, NULL, 0);
	history_ledger(&h, "snap", 0, 100, 0, NULL);
	history_file(&h, 90, 160, "\n", in_dir("a.jsonl"));
	history_file(&h, 160, 200, "\r\n", in_dir("b.jsonl"));
	char a[512], b[512];
	(void)snprintf(a, sizeof a, "%s", in_dir("a.jsonl"));
	(void)snprintf(b, sizeof b, "%s", in_dir("b.jsonl"));
	const char *logs[] = {b, a};
	wr_restore_opts o = opts_of("snap", NULL);
	o.changelogs = logs;
	o.changelog_count = 2;
	outcome r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, 200);
	drop(&r);
	/* One of them is missing: what it had is a gap, and the rest cannot be joined. */
	o.changelog_count = 1;
	r = restore(&o);
	expect_restored(&r, 100);
	expect_history(&h, 100);
	const json_t *c = chain_doc(&r, 0);
	assert_int_equal(wr_json_int(c, "missing_count", -1), 60);
	assert_int_equal(json_array_size(json_object_get(c, "lost")), 40);
	wr_buf text = WR_BUF_INIT(1u << 20);
	wr_restore_print(&r.report, &text);
	assert_non_null(strstr(wr_buf_cstr(&text), "#100 to #159  in no source"));
	assert_non_null(strstr(wr_buf_cstr(&text), "and 20 more"));
	wr_buf_free(&text);
	drop(&r);
	history_free(&h);
}

static void test_hostile_changelogs(void **state)
{
	(void)state;
	history h, other;
	wr_engine_key *k = history_key();
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 60, k, 20);
	history_init(&other, "europe-west1/ops");
	history_grow(&other, 30, NULL, 0);
	history_ledger(&h, "snap", 0, 40, 0, k);
	wr_buf text = WR_BUF_INIT(8u << 20);
	for (int i = 0; i < 5000; i++) wr_buf_addc(&text, (char)test_next(&test_seed));
	wr_buf_addc(&text, '\n');
	for (int i = 0; i < 1000000; i++) wr_buf_addc(&text, '{');
	wr_buf_adds(&text, "\n\n\r\n{}\nnull\n");
	history_text(&other, 0, 30, "\n", &text);
	for (size_t i = h.count; i-- > 40;) history_text(&h, i, i + 1, "\r\n", &text); /* backwards */
	history_text(&h, 41, 44, "\n", &text);
	wr_buf_adds(&text, "{\"actor\":\"x"); /* torn */
	spit(in_dir("log"), text.data, text.len);
	char log[512];
	(void)snprintf(log, sizeof log, "%s", in_dir("log"));
	const char *logs[] = {log};
	wr_restore_opts o = opts_of("snap", NULL);
	o.changelogs = logs;
	o.changelog_count = 1;
	outcome r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, h.count);
	/* A chain that the ledger never had does not come in this way, and that is said. */
	assert_int_equal(json_array_size(json_object_get(r.report.doc, "chains")), 1);
	char *notes = json_dumps(json_object_get(r.report.doc, "notes"), 0);
	assert_non_null(strstr(notes, "30 receipts of chain europe-west1/ops"));
	free(notes);
	drop(&r);
	wr_buf_free(&text);
	history_free(&h);
	history_free(&other);
	wr_engine_key_free(k);
}

static void test_snapshot_states(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 120, NULL, 0);
	history_ledger(&h, "newer", 0, 120, 50, NULL);
	history_ledger(&h, "older", 0, 80, 50, NULL);
	wr_restore_opts o = opts_of("newer", "older");
	outcome r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, 120);
	drop(&r);
	/* A torn end is no damage. */
	append_bytes(in_ledger("older", CHAIN_NAME "/00000000000000000050.jsonl"), h.line[80], 30);
	o = opts_of("older", NULL);
	r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, 80);
	assert_int_equal(wr_json_int(json_array_get(json_object_get(chain_doc(&r, 0), "sources"), 0),
	                             "torn_bytes", 0),
	                 30);
	drop(&r);
	/* An empty snapshot: the damaged ledger alone may do. */
	assert_int_equal(wr_mkdirs(in_dir("empty"), 0750, &err), 0);
	o = opts_of("empty", "older");
	r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, 80);
	drop(&r);
	o = opts_of("empty", NULL);
	r = restore(&o);
	assert_int_equal(r.rc, 1);
	assert_false(r.report.restored);
	assert_non_null(
	    strstr(wr_json_str(r.report.doc, "refused", ""), "no source has the beginning"));
	assert_int_not_equal(access(in_dir("new"), F_OK), 0);
	drop(&r);
	/* Begins later: there is no history without its beginning. */
	history_ledger(&h, "late", 50, 120, 0, NULL);
	o = opts_of("late", NULL);
	r = restore(&o);
	assert_int_equal(r.rc, 1);
	drop(&r);
	o = opts_of("missing", NULL);
	r = restore(&o);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.code, WR_E_NOT_FOUND);
	drop(&r);
	history_free(&h);
}

/* The mark says how many there were, when nothing else does. */
static void test_all_segments_gone(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 120, NULL, 0);
	history_ledger(&h, "snap", 0, 100, 0, NULL);
	history_ledger(&h, "damaged", 0, 120, 0, NULL);
	assert_int_equal(unlink(in_ledger("damaged", CHAIN_NAME "/00000000000000000000.jsonl")), 0);
	wr_restore_opts o = opts_of("snap", "damaged");
	outcome r = restore(&o);
	expect_restored(&r, 20);
	expect_history(&h, 100);
	assert_int_equal(wr_json_int(chain_doc(&r, 0), "data_loss_minutes", 0), -1);
	drop(&r);
	history_free(&h);
}

static void test_places(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 10, NULL, 0);
	history_ledger(&h, "snap", 0, 10, 0, NULL);
	wr_restore_opts o = opts_of("snap", NULL);
	assert_int_equal(wr_mkdirs(in_dir("new"), 0750, &err), 0);
	outcome r = restore(&o); /* empty is fine */
	expect_restored(&r, 0);
	wr_restore_free(&r.report);
	r = restore(&o);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.code, WR_E_CONFLICT);
	expect_history(&h, 10); /* untouched */
	drop(&r);
	spit(in_dir("new"), "x", 1);
	r = restore(&o);
	assert_int_equal(r.rc, -1);
	assert_int_equal(unlink(in_dir("new")), 0);
	char inside[512];
	(void)snprintf(inside, sizeof inside, "%s", in_dir("snap/new"));
	o.into = inside;
	char *before = tree_text(in_dir("snap"));
	r = restore(&o);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.code, WR_E_INVALID);
	char *after = tree_text(in_dir("snap"));
	assert_string_equal(before, after);
	free(before);
	free(after);
	history_free(&h);
}

static void test_all_chains(void **state)
{
	(void)state;
	history a, b;
	history_init(&a, CHAIN_NAME);
	history_init(&b, "us-central1/audit");
	history_grow(&a, 40, NULL, 0);
	history_grow(&b, 30, NULL, 0);
	history_ledger(&a, "snap", 0, 40, 0, NULL);
	history_ledger(&b, "snap", 0, 30, 7, NULL);
	wr_restore_opts o = opts_of("snap", NULL);
	outcome r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&a, 40);
	expect_history(&b, 30);
	assert_int_equal(r.report.receipts, 72);
	drop(&r);
	history_free(&a);
	history_free(&b);
}

/* ---- keys, blobs, and what else goes with them ---- */

static void test_engine_key(void **state)
{
	(void)state;
	history h;
	wr_engine_key *k = history_key();
	char key[512], other[512];
	wr_err err = {0};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 50, k, 20);
	history_ledger(&h, "snap", 0, h.count, 0, k);
	(void)snprintf(key, sizeof key, "%s", in_dir("engine.key"));
	(void)snprintf(other, sizeof other, "%s", in_dir("other.key"));
	wr_engine_key *k2 = wr_engine_key_load(other, true, &wr_random_system, &err);
	assert_non_null(k2);
	wr_restore_opts o = opts_of("snap", NULL);
	o.engine_key = key;
	outcome r = restore(&o);
	expect_restored(&r, 0);
	expect_history(&h, h.count);
	/* All of it is signed then, under the name that it had. */
	wr_buf note;
	wr_checkpoint cp;
	slurp(&note, in_ledger("new", CHAIN_NAME "/checkpoint"));
	assert_int_equal(wr_checkpoint_open(&cp, note.data, note.len, "acme/" CHAIN_NAME,
	                                    wr_engine_key_public(k), &err),
	                 0);
	assert_true(cp.size > (int64_t)h.count);
	wr_buf_free(&note);
	drop(&r);
	o.engine_key = other;
	r = restore(&o);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.code, WR_E_CONFLICT);
	assert_int_not_equal(access(in_dir("new"), F_OK), 0);
	o.engine_key = in_dir("no.key");
	r = restore(&o);
	assert_int_equal(r.rc, -1);
	history_free(&h);
	wr_engine_key_free(k);
	wr_engine_key_free(k2);
}

static void test_beside(void **state)
{
	(void)state;
	history h;
	wr_err err = {0};
	char hex[2][WR_HEX_LEN], path[512];
	static const char *const plans[] = {"plan one", "plan two"};
	history_init(&h, CHAIN_NAME);
	for (int i = 0; i < 2; i++) {
		uint8_t hash[WR_HASH_LEN];
		wr_sha256(hash, plans[i], strlen(plans[i]));
		wr_hex(hex[i], hash, WR_HASH_LEN);
		history_put(&h,
		            json_pack("{s:s, s:s}", "operation", "operation_proposed", "plan_hash", hex[i]),
		            NULL);
	}
	history_ledger(&h, "snap", 0, 2, 0, NULL);
	history_ledger(&h, "damaged", 0, 2, 0, NULL);
	assert_int_equal(wr_mkdirs(in_dir("snap/blobs/sha256"), 0750, &err), 0);
	assert_int_equal(wr_mkdirs(in_dir("damaged/blobs/sha256"), 0750, &err), 0);
	assert_int_equal(wr_mkdirs(in_dir("snap/" CHAIN_NAME "/anchors"), 0750, &err), 0);
	spit(in_dir("snap/" CHAIN_NAME "/anchors/00000000000000000002.tsr"), "stamp", 5);
	(void)snprintf(path, sizeof path, "%s/%s", in_dir("damaged/blobs/sha256"), hex[0]);
	spit(path, plans[0], strlen(plans[0]));
	(void)snprintf(path, sizeof path, "%s/%s", in_dir("snap/blobs/sha256"), hex[1]);
	spit(path, "changed", 7); /* not what its name says */
	spit(in_dir("snap/allowed_signers"), "# ours\n", 7);
	spit(in_dir("damaged/allowed_signers"), "# theirs\n", 9);
	wr_restore_opts o = opts_of("snap", "damaged");
	outcome r = restore(&o);
	expect_restored(&r, 0);
	wr_buf text = WR_BUF_INIT(1024);
	assert_int_equal(wr_blob_get(in_dir("new"), hex[0], &text, &err), 0);
	assert_int_equal(wr_blob_get(in_dir("new"), hex[1], &text, &err), -1);
	wr_buf_free(&text);
	const json_t *missing = json_object_get(json_object_get(r.report.doc, "blobs"), "missing");
	assert_int_equal(json_array_size(missing), 1);
	assert_string_equal(wr_json_str(json_array_get(missing, 0), "sha256", ""), hex[1]);
	slurp(&text, in_dir("new/allowed_signers"));
	assert_string_equal(text.data, "# ours\n");
	wr_buf_free(&text);
	slurp(&text, in_dir("new/" CHAIN_NAME "/anchors/00000000000000000002.tsr"));
	assert_string_equal(text.data, "stamp");
	wr_buf_free(&text);
	char *notes = json_dumps(json_object_get(r.report.doc, "notes"), 0);
	assert_non_null(strstr(notes, "allowed_signers is not the same"));
	free(notes);
	drop(&r);
	history_free(&h);
}

/* What a source names and nobody read is not "nothing lost". */
static void test_passed_over(void **state)
{
	(void)state;
	history h;
	char segment[512];
	static const char *const ways[] = {"link", "pipe", "directory"};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 40, NULL, 0);
	for (size_t i = 0; i < 3; i++) {
		remove_tree(in_dir("snap"));
		history_ledger(&h, "snap", 0, 40, 30, NULL);
		assert_int_equal(unlink(in_ledger("snap", CHAIN_NAME "/head")), 0);
		(void)snprintf(segment, sizeof segment, "%s",
		               in_ledger("snap", CHAIN_NAME "/00000000000000000030.jsonl"));
		if (i == 0) {
			assert_int_equal(rename(segment, in_dir("elsewhere")), 0);
			assert_int_equal(symlink("../../../elsewhere", segment), 0);
		} else if (i == 1) {
			assert_int_equal(unlink(segment), 0);
			assert_int_equal(mkfifo(segment, 0600), 0);
		} else {
			assert_int_equal(symlink("us-central1", in_dir("snap/us-east1")), 0);
		}
		const wr_restore_opts o = opts_of("snap", NULL);
		outcome r = restore(&o);
		if (r.rc != -1 || r.err.code != WR_E_INVALID) fail_msg("%s: %d", ways[i], r.rc);
		assert_int_not_equal(access(in_dir("new"), F_OK), 0);
		drop(&r);
	}
	history_free(&h);
}

/* A changelog of a great many chains leaves no room for those of the damaged ledger. */
static void test_too_many_chains(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 3, NULL, 0);
	history_ledger(&h, "snap", 0, 3, 0, NULL);
	history_free(&h);
	for (int i = 0; i < 1100; i++) {
		char name[32];
		(void)snprintf(name, sizeof name, "us-east1/s%d", i);
		history_init(&h, name);
		history_grow(&h, 1, NULL, 0);
		wr_buf text = WR_BUF_INIT(WR_LINE_MAX);
		history_text(&h, 0, 1, "\n", &text);
		if (i == 0) spit(in_dir("log"), "", 0);
		append_bytes(in_dir("log"), text.data, text.len);
		wr_buf_free(&text);
		if (i == 1099) history_ledger(&h, "damaged", 0, 1, 0, NULL);
		history_free(&h);
	}
	char log[512];
	(void)snprintf(log, sizeof log, "%s", in_dir("log"));
	const char *const logs[] = {log};
	wr_restore_opts o = opts_of("snap", "damaged");
	o.changelogs = logs;
	o.changelog_count = 1;
	outcome r = restore(&o);
	assert_int_equal(r.rc, -1);
	assert_int_equal(r.err.code, WR_E_LIMIT);
	drop(&r);
}

/* ---- forks ---- */

/* a and b go different ways after receipt 99; `sign` 1: a is signed, 2: b, 3: both. */
static void make_fork(history *a, history *b, const wr_engine_key *k, unsigned sign)
{
	history base;
	history_init(&base, CHAIN_NAME);
	history_grow(&base, 100, k, 50);
	history_branch(a, &base, 100);
	history_branch(b, &base, 100);
	history_free(&base);
	history_grow(a, 20, NULL, 0);
	history_grow(b, 35, NULL, 0);
	if (sign & 1) history_sign(a, k);
	if (sign & 2) history_sign(b, k);
	history_ledger(a, "a", 0, a->count, 0, k);
	history_ledger(b, "b", 0, b->count, 0, k);
}

static void test_fork_signed(void **state)
{
	(void)state;
	history a, b;
	wr_engine_key *k = history_key();
	make_fork(&a, &b, k, 1);
	for (int turn = 0; turn < 2; turn++) {
		/* The shorter one is signed, whichever source it is in. */
		wr_restore_opts o = turn ? opts_of("b", "a") : opts_of("a", "b");
		outcome r = restore(&o);
		expect_restored(&r, 35);
		expect_history(&a, a.count);
		assert_int_equal(wr_json_int(chain_doc(&r, 0), "other_branch_count", -1), 35);
		const json_t *first = json_array_get(json_object_get(chain_doc(&r, 0), "lost"), 0);
		assert_int_equal(wr_json_int(first, "seq", -1), 100);
		assert_string_equal(wr_json_str(first, "reason", ""), "other branch");
		drop(&r);
	}
	history_free(&a);
	history_free(&b);
	wr_engine_key_free(k);
}

static void test_fork_undecided(void **state)
{
	(void)state;
	for (unsigned sign = 0; sign <= 3; sign += 3) {
		history a, b;
		wr_engine_key *k = history_key();
		make_fork(&a, &b, k, sign);
		wr_restore_opts o = opts_of("a", "b");
		outcome r = restore(&o);
		assert_int_equal(r.rc, 1);
		assert_int_not_equal(access(in_dir("new"), F_OK), 0);
		const json_t *branches = json_object_get(chain_doc(&r, 0), "branches");
		assert_int_equal(json_array_size(branches), 2);
		/* The longer one is A. */
		assert_int_equal(wr_json_int(json_array_get(branches, 0), "count", 0), b.count);
		assert_int_equal(wr_json_int(json_array_get(branches, 0), "from_seq", 0), 100);
		wr_buf text = WR_BUF_INIT(1u << 20);
		wr_restore_print(&r.report, &text);
		assert_non_null(strstr(wr_buf_cstr(&text), "branch B"));
		assert_non_null(strstr(wr_buf_cstr(&text), "drill_noted 35"));
		wr_buf_free(&text);
		drop(&r);
		o.branch = "A";
		r = restore(&o);
		expect_restored(&r, (int64_t)a.count - 100);
		expect_history(&b, b.count);
		drop(&r);
		char hex[WR_HEX_LEN];
		wr_hex(hex, a.hash[a.count - 1], WR_HASH_LEN);
		hex[12] = '\0';
		o.branch = hex;
		r = restore(&o);
		expect_restored(&r, (int64_t)b.count - 100);
		expect_history(&a, a.count);
		drop(&r);
		o.branch = "C";
		r = restore(&o);
		assert_int_equal(r.rc, -1);
		assert_int_equal(r.err.code, WR_E_NOT_FOUND);
		drop(&r);
		remove_tree(in_dir("a"));
		remove_tree(in_dir("b"));
		history_free(&a);
		history_free(&b);
		wr_engine_key_free(k);
	}
}

/* From the first receipt on. */
static void test_fork_at_the_root(void **state)
{
	(void)state;
	history a, b;
	history_init(&a, CHAIN_NAME);
	history_init(&b, CHAIN_NAME);
	history_grow(&a, 5, NULL, 0);
	history_grow(&b, 7, NULL, 0);
	history_ledger(&a, "a", 0, 5, 0, NULL);
	history_ledger(&b, "b", 0, 7, 0, NULL);
	wr_restore_opts o = opts_of("a", "b");
	outcome r = restore(&o);
	assert_int_equal(r.rc, 1);
	drop(&r);
	o.branch = "B";
	r = restore(&o);
	expect_restored(&r, 7);
	expect_history(&a, 5);
	drop(&r);
	history_free(&a);
	history_free(&b);
}

/* Somebody wrote the history anew from receipt 60 on, hashes and all; the signed checkpoint knows.
 */
static void test_rewritten(void **state)
{
	(void)state;
	history h, forged;
	wr_engine_key *k = history_key();
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 110, k, 100);
	history_branch(&forged, &h, 60);
	history_grow(&forged, 60, NULL, 0);
	forged.note = strdup(h.note);
	forged.note_size = h.note_size;
	history_ledger(&forged, "forged", 0, forged.count, 0, k);
	wr_restore_opts o = opts_of("forged", NULL);
	outcome r = restore(&o);
	assert_int_equal(r.rc, 1);
	assert_non_null(strstr(wr_json_str(r.report.doc, "refused", ""), "100 receipts is of another"));
	drop(&r);
	o.branch = "A";
	r = restore(&o);
	expect_restored(&r, 0);
	drop(&r);
	/* With the true one at hand it is not even a question. */
	history_file(&h, 50, h.count, "\n", in_dir("log"));
	char log[512];
	(void)snprintf(log, sizeof log, "%s", in_dir("log"));
	const char *logs[] = {log};
	o.branch = NULL;
	o.changelogs = logs;
	o.changelog_count = 1;
	r = restore(&o);
	expect_restored(&r, 60);
	expect_history(&h, h.count);
	drop(&r);
	history_free(&h);
	history_free(&forged);
	wr_engine_key_free(k);
}

/* A receipt_id may come once: a history that says otherwise ends before it. */
static void test_repeated_id(void **state)
{
	(void)state;
	history h;
	wr_receipt r0;
	wr_err err = {0};
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 20, NULL, 0);
	assert_int_equal(wr_receipt_parse(&r0, h.line[3], h.len[3], true, &err), WR_RF_OK);
	history_put(&h, note(1), r0.receipt_id);
	history_grow(&h, 5, NULL, 0);
	history_ledger(&h, "snap", 0, h.count, 0, NULL);
	wr_restore_opts o = opts_of("snap", NULL);
	outcome r = restore(&o);
	expect_restored(&r, 6);
	expect_history(&h, 20);
	const json_t *lost = json_object_get(chain_doc(&r, 0), "lost");
	assert_string_equal(wr_json_str(json_array_get(lost, 0), "reason", ""), "repeated id");
	assert_string_equal(wr_json_str(json_array_get(lost, 5), "reason", ""), "repeated id");
	drop(&r);
	history_free(&h);
}

/* One changed bit, wherever it is in a receipt, is found by the hash that the next one names. */
static void test_mended(void **state)
{
	(void)state;
	history h;
	wr_buf text;
	char path[512];
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 12, NULL, 0);
	history_ledger(&h, "snap", 0, 3, 0, NULL);
	history_ledger(&h, "damaged", 0, 12, 0, NULL);
	(void)snprintf(path, sizeof path, "%s",
	               in_ledger("damaged", CHAIN_NAME "/00000000000000000000.jsonl"));
	slurp(&text, path);
	wr_restore_opts o = opts_of("snap", "damaged");
	char *sixth = strstr(text.data, h.line[6]), *seventh = strstr(text.data, h.line[7]);
	for (size_t bit = 0; bit < h.len[6] * 8; bit += 11) {
		sixth[bit / 8] ^= (char)(1 << bit % 8);
		seventh[100 + bit % 50] ^= 2; /* and the next one too */
		spit(path, text.data, text.len);
		outcome r = restore(&o);
		/* A bit that makes a newline makes two lines, which are not looked at. */
		bool two = sixth[bit / 8] == '\n';
		if (!two) {
			expect_restored(&r, 0);
			expect_history(&h, 12);
			assert_int_equal(wr_json_int(r.report.doc, "mended", -1), 2);
			assert_int_equal(wr_json_int(chain_doc(&r, 0), "corrupted_count", -1), 2);
		}
		drop(&r);
		sixth[bit / 8] ^= (char)(1 << bit % 8);
		seventh[100 + bit % 50] ^= 2;
	}
	wr_buf_free(&text);
	history_free(&h);
}

/* ---- disks that fail, processes that die ---- */

typedef struct bad_disk {
	long fuse; /* the operation that fails, counted from 0; -1: none */
	long count;
	bool dies;  /* the process ends there instead, as by SIGKILL */
	bool stays; /* everything after it fails too: a full disk */
} bad_disk;

static bool breaks(bad_disk *d)
{
	long n = d->count++;
	bool now = d->fuse >= 0 && (n == d->fuse || (d->stays && n > d->fuse));
	if (now && d->dies) _exit(9);
	if (now) errno = ENOSPC;
	return now;
}

static int bad_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return breaks(ctx) ? -1 : wr_fs_system.open(NULL, path, flags, mode);
}
static ssize_t bad_write(void *ctx, int fd, const void *data, size_t len)
{
	if (!breaks(ctx)) return wr_fs_system.write(NULL, fd, data, len);
	/* As a full disk does: a part of it goes. */
	ssize_t n = wr_fs_system.write(NULL, fd, data, len / 2);
	errno = ENOSPC;
	return n > 0 && !((bad_disk *)ctx)->stays ? n : -1;
}
static int bad_sync(void *ctx, int fd, bool data_only)
{
	return breaks(ctx) ? -1 : wr_fs_system.sync(NULL, fd, data_only);
}
static int bad_truncate(void *ctx, int fd, off_t len)
{
	return breaks(ctx) ? -1 : wr_fs_system.truncate(NULL, fd, len);
}
static int bad_rename(void *ctx, const char *from, const char *to)
{
	return breaks(ctx) ? -1 : wr_fs_system.rename(NULL, from, to);
}
static int bad_unlink(void *ctx, const char *path)
{
	return breaks(ctx) ? -1 : wr_fs_system.unlink(NULL, path);
}
static int bad_sync_dir(void *ctx, const char *dir)
{
	return breaks(ctx) ? -1 : wr_fs_system.sync_dir(NULL, dir);
}

static wr_fs fs_of(bad_disk *d)
{
	wr_fs fs = wr_fs_system;
	fs.open = bad_open;
	fs.write = bad_write;
	fs.sync = bad_sync;
	fs.truncate = bad_truncate;
	fs.rename = bad_rename;
	fs.unlink = bad_unlink;
	fs.sync_dir = bad_sync_dir;
	fs.ctx = d;
	return fs;
}

/* At every operation in turn: there is either nothing or all of it. */
static void test_full_disk(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 40, NULL, 0);
	history_ledger(&h, "snap", 0, 40, 10, NULL);
	char *before = tree_text(in_dir("snap"));
	wr_restore_opts o = opts_of("snap", NULL);
	bool done = false;
	for (long fuse = 0; !done; fuse++) {
		for (int stays = 0; stays < 2; stays++) {
			bad_disk d = {.fuse = fuse, .stays = stays};
			const wr_fs fs = fs_of(&d);
			outcome r = {0};
			r.rc = wr_restore_with(&o, &fs, &r.report, &r.err);
			bool there = access(in_dir("new"), F_OK) == 0;
			if (there) expect_history(&h, 40);
			if (r.rc == 0) assert_true(there);
			assert_int_not_equal(access(in_dir(".new.partial"), F_OK), 0);
			done = d.count <= fuse;
			if (done) assert_int_equal(r.rc, 0);
			drop(&r);
		}
		assert_true(fuse < 1000);
	}
	char *after = tree_text(in_dir("snap"));
	assert_string_equal(before, after);
	free(before);
	free(after);
	history_free(&h);
}

static void test_killed(void **state)
{
	(void)state;
	history h;
	history_init(&h, CHAIN_NAME);
	history_grow(&h, 40, NULL, 0);
	history_ledger(&h, "snap", 0, 40, 10, NULL);
	wr_restore_opts o = opts_of("snap", NULL);
	int status = 9 << 8;
	for (long fuse = 0; WEXITSTATUS(status) == 9; fuse++) {
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			bad_disk d = {.fuse = fuse, .dies = true};
			const wr_fs fs = fs_of(&d);
			wr_restore_report report;
			wr_err err;
			_exit(wr_restore_with(&o, &fs, &report, &err) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 1);
		if (access(in_dir("new"), F_OK) == 0) {
			expect_history(&h, 40);
		} else { /* what it left is no obstacle */
			outcome r = restore(&o);
			expect_restored(&r, 0);
			expect_history(&h, 40);
			wr_restore_free(&r.report);
		}
		assert_int_not_equal(access(in_dir(".new.partial"), F_OK), 0);
		remove_tree(in_dir("new"));
		assert_true(fuse < 1000);
	}
	history_free(&h);
}

/* ---- any history, any damage ---- */

static size_t below(size_t n)
{
	return n ? (size_t)(test_next(&test_seed) % n) : 0;
}

/* Lines [0, n) with some acts of damage. */
static void put_damaged(const history *h, const history *forged, size_t n, const char *path)
{
	wr_buf out = WR_BUF_INIT(32u << 20);
	static unsigned char what[LINES_MAX];
	memset(what, 0, sizeof what);
	for (size_t acts = below(5); acts > 0; acts--) what[below(n)] = (unsigned char)(1 + below(7));
	for (size_t i = 0; i < n; i++) {
		size_t start = out.len;
		switch (what[i]) {
		case 1: /* removed */
			break;
		case 2: /* a bit flipped */
			history_text(h, i, i + 1, "\n", &out);
			out.data[start + below(out.len - start)] ^= (char)(1 << below(8));
			break;
		case 3: /* twice */
			history_text(h, i, i + 1, "\n", &out);
			history_text(h, below(i + 1), i + 1, "\n", &out);
			break;
		case 4: /* exchanged with the next */
			if (i + 1 < n) history_text(h, i + 1, i + 2, "\n", &out);
			history_text(h, i, i + 1, "\n", &out);
			i++;
			break;
		case 5: /* a line of something else */
			wr_buf_adds(&out, "something else\n");
			history_text(h, i, i + 1, "\n", &out);
			break;
		case 6: /* forged ones in between */
			history_text(h, i, i + 1, "\n", &out);
			if (forged) history_text(forged, below(forged->count), forged->count, "\n", &out);
			break;
		case 7: /* the rest cut off, somewhere */
			history_text(h, i, i + 1, "\n", &out);
			out.len = start + below(out.len - start);
			n = i;
			break;
		default:
			history_text(h, i, i + 1, "\n", &out);
		}
	}
	spit(path, wr_buf_cstr(&out), out.len);
	wr_buf_free(&out);
}

static bool in_loss_list(const outcome *r, const uint8_t hash[static WR_HASH_LEN])
{
	char hex[WR_HEX_LEN];
	const json_t *l;
	size_t i;
	wr_hex(hex, hash, WR_HASH_LEN);
	json_array_foreach (json_object_get(chain_doc(r, 0), "lost"), i, l)
		if (strcmp(wr_json_str(l, "hash", ""), hex) == 0) return true;
	return false;
}

/* Whatever happened: what a source held whole is in the result, or said to be lost; and the signed
 * part of it is never lost while it hangs together. */
static void expect_accounted(const outcome *r, const history *h, size_t snapshot, size_t log_from,
                             size_t log_to)
{
	wr_buf text;
	read_result(CHAIN_NAME, &text);
	size_t joined = log_from <= snapshot && log_to > snapshot ? log_to : snapshot;
	for (size_t i = 0; i < h->count; i++) {
		bool held = i < snapshot || (i >= log_from && i < log_to);
		bool kept = strstr(wr_buf_cstr(&text), h->line[i]) != NULL;
		if (!held || kept) continue;
		assert_true(in_loss_list(r, h->hash[i]));
		assert_true(i >= joined || (int64_t)i >= h->note_size);
	}
	wr_buf_free(&text);
}

static void test_any_damage(void **state)
{
	(void)state;
	wr_engine_key *k = history_key();
	int restored = 0, refused = 0, lossless = 0;
	for (int run = 0; run < 400; run++) {
		test_seed = (uint64_t)run;
		history h, forged;
		history_init(&h, CHAIN_NAME);
		history_grow(&h, 30 + below(90), k, 10 + below(40));
		history_branch(&forged, &h, below(h.count));
		history_grow(&forged, 1 + below(10), NULL, 0);
		size_t snapshot = 1 + below(h.count), log_from = below(h.count),
		       log_to = log_from + below(h.count - log_from + 1);
		history_ledger(&h, "snap", 0, snapshot, 1 + below(60), k);
		history_file(&h, log_from, log_to, below(4) ? "\n" : "\r\n", in_dir("log"));
		history_ledger(&h, "damaged", 0, h.count, 0, k);
		put_damaged(&h, &forged, h.count,
		            in_ledger("damaged", CHAIN_NAME "/00000000000000000000.jsonl"));
		char log[512];
		(void)snprintf(log, sizeof log, "%s", in_dir("log"));
		const char *logs[] = {log};
		wr_restore_opts o = opts_of("snap", below(4) ? "damaged" : NULL);
		o.changelogs = logs;
		o.changelog_count = below(2);
		outcome r = restore(&o);
		if (r.rc < 0) fail_msg("run %d: %s", run, r.err.msg);
		if (r.rc == 0) {
			wr_verify_report v;
			wr_err err = {0};
			assert_int_equal(wr_ledger_verify(in_dir("new"), &v, NULL, NULL, &err), 0);
			if (!v.ok) fail_msg("run %d does not verify", run);
			wr_verify_free(&v);
			size_t to = o.changelog_count ? log_to : 0;
			expect_accounted(&r, &h, snapshot, o.changelog_count ? log_from : 0, to);
			restored++;
			lossless += r.report.lost == 0;
		} else {
			assert_false(r.report.restored);
			refused++;
		}
		drop(&r);
		remove_tree(in_dir("snap"));
		remove_tree(in_dir("damaged"));
		history_free(&h);
		history_free(&forged);
	}
	assert_true(restored > 300);
	assert_true(lossless > 50);
	assert_true(refused > 0);
	wr_engine_key_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(test_whole_snapshot),   LEDGER_TEST(test_receipt),
	    LEDGER_TEST(test_changelog_joins),  LEDGER_TEST(test_hostile_changelogs),
	    LEDGER_TEST(test_snapshot_states),  LEDGER_TEST(test_all_segments_gone),
	    LEDGER_TEST(test_places),           LEDGER_TEST(test_all_chains),
	    LEDGER_TEST(test_engine_key),       LEDGER_TEST(test_beside),
	    LEDGER_TEST(test_passed_over),      LEDGER_TEST(test_too_many_chains),
	    LEDGER_TEST(test_fork_signed),      LEDGER_TEST(test_fork_undecided),
	    LEDGER_TEST(test_fork_at_the_root), LEDGER_TEST(test_rewritten),
	    LEDGER_TEST(test_repeated_id),      LEDGER_TEST(test_full_disk),
	    LEDGER_TEST(test_killed),           LEDGER_TEST(test_mended),
	    LEDGER_TEST(test_any_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
