/* Time stamps: what holds is believed, and nothing else: other requests, other notes, other
 * authorities, damage at every place; and offline, that the stamped root is the ledger's. */
#include "fixture.h"
#include "tsa.h"

#include "warroom/anchor.h"
#include "warroom/merkle.h"

static tsa authority;

static int setup(void **state)
{
	if (make_test_dir(state)) return -1;
	tsa_init(&authority, true);
	tsa_write_ca(&authority, in_dir("ca.pem"));
	return 0;
}

static int teardown(void **state)
{
	tsa_free(&authority);
	return drop_test_dir(state);
}

#define TSA_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static wr_bytes bytes(const wr_buf *b)
{
	return (wr_bytes){b->data, b->len};
}

static wr_bytes text(const char *s)
{
	return (wr_bytes){s, strlen(s)};
}

#define NOTE "acme/us-central1/ops\n7\nroot\n"

typedef struct trio {
	wr_buf tsq, tsr;
} trio;

static trio ask(const char *note_text)
{
	trio t = {WR_BUF_INIT(WR_ANCHOR_MAX), WR_BUF_INIT(WR_ANCHOR_MAX)};
	wr_err err = {0};
	if (wr_anchor_request(&t.tsq, text(note_text), &wr_random_system, &err))
		fail_msg("%s", err.msg);
	tsa_answer(&authority, &t.tsq, &t.tsr);
	return t;
}

static void trio_free(trio *t)
{
	wr_buf_free(&t->tsq);
	wr_buf_free(&t->tsr);
}

static void refused(wr_bytes n, wr_bytes q, wr_bytes r, const char *ca, wr_code code)
{
	wr_anchor_proof proof;
	wr_err err = {0};
	assert_int_equal(wr_anchor_check(&proof, n, q, r, ca, &err), -1);
	if (err.code != code) fail_msg("%s: %s", wr_err_name(err.code), err.msg);
	assert_int_equal(proof.time_us, 0);
	assert_string_equal(proof.digest, "");
}

static void what_holds(void **state)
{
	(void)state;
	trio t = ask(NOTE);
	wr_anchor_proof p;
	wr_err err = {0};
	if (wr_anchor_check(&p, text(NOTE), bytes(&t.tsq), bytes(&t.tsr), in_dir("ca.pem"), &err))
		fail_msg("%s", err.msg);
	/* The certificate is over since 2021; at the time of the stamp it was not. */
	assert_int_equal(p.time_us, authority.at * INT64_C(1000000));
	assert_int_equal(p.accuracy_us, 1500100);
	assert_string_equal(p.tsa, "CN=Test TSA");
	assert_string_equal(p.policy, "1.2.3.4.1");
	assert_string_equal(p.serial, "01");
	assert_int_equal(strlen(p.digest), 64);
	trio_free(&t);
}

static void requests_differ(void **state)
{
	(void)state;
	trio a = ask(NOTE), b = ask(NOTE);
	assert_int_equal(a.tsq.len, b.tsq.len);
	assert_true(memcmp(a.tsq.data, b.tsq.data, a.tsq.len) != 0);
	trio_free(&a);
	trio_free(&b);
}

static void other_answers(void **state)
{
	(void)state;
	trio a = ask(NOTE), again = ask(NOTE), other = ask("another note\n");
	const char *ca = in_dir("ca.pem");
	refused(text(NOTE), bytes(&a.tsq), bytes(&again.tsr), ca, WR_E_CONFLICT); /* nonce */
	refused(text(NOTE), bytes(&a.tsq), bytes(&other.tsr), ca, WR_E_CONFLICT); /* imprint */
	refused(text(NOTE), bytes(&other.tsq), bytes(&other.tsr), ca, WR_E_CONFLICT);
	refused(text(NOTE "x"), bytes(&a.tsq), bytes(&a.tsr), ca, WR_E_CONFLICT);
	trio_free(&a);
	trio_free(&again);
	trio_free(&other);
}

static void other_authority(void **state)
{
	(void)state;
	trio t = ask(NOTE);
	tsa other;
	tsa_init(&other, true);
	tsa_write_ca(&other, in_dir("other.pem"));
	refused(text(NOTE), bytes(&t.tsq), bytes(&t.tsr), in_dir("other.pem"), WR_E_DENIED);
	refused(text(NOTE), bytes(&t.tsq), bytes(&t.tsr), in_dir("missing.pem"), WR_E_INVALID);
	spit(in_dir("junk.pem"), "junk\n", 5);
	refused(text(NOTE), bytes(&t.tsq), bytes(&t.tsr), in_dir("junk.pem"), WR_E_INVALID);
	tsa_free(&other);
	trio_free(&t);
}

/* Out of the certificate's time, in both directions. */
static void at_another_time(void **state)
{
	(void)state;
	static const time_t at[] = {1546300800, 1700000000};
	for (size_t i = 0; i < 2; i++) {
		authority.at = at[i];
		trio t = ask(NOTE);
		refused(text(NOTE), bytes(&t.tsq), bytes(&t.tsr), in_dir("ca.pem"), WR_E_DENIED);
		trio_free(&t);
	}
}

static void no_request(void **state)
{
	(void)state;
	trio t = ask(NOTE);
	/* A TSA answers junk with a rejection that is a response like any other. */
	wr_buf junk = WR_BUF_INIT(64), answer = WR_BUF_INIT(WR_ANCHOR_MAX);
	wr_buf_adds(&junk, "no request");
	tsa_answer(&authority, &junk, &answer);
	refused(text(NOTE), bytes(&t.tsq), bytes(&answer), in_dir("ca.pem"), WR_E_DENIED);
	refused(text(NOTE), bytes(&junk), bytes(&t.tsr), in_dir("ca.pem"), WR_E_CORRUPT);
	refused(text(NOTE), bytes(&t.tsr), bytes(&t.tsr), in_dir("ca.pem"), WR_E_CORRUPT);
	wr_buf_free(&junk);
	wr_buf_free(&answer);
	trio_free(&t);
}

static void not_a_response(void **state)
{
	(void)state;
	trio t = ask(NOTE);
	const char *ca = in_dir("ca.pem");
	static const char html[] = "<!doctype html><title>Sign in</title>";
	refused(text(NOTE), bytes(&t.tsq), text(html), ca, WR_E_CORRUPT);
	refused(text(NOTE), bytes(&t.tsq), text(""), ca, WR_E_CORRUPT);
	refused(text(NOTE), bytes(&t.tsq), bytes(&t.tsq), ca, WR_E_CORRUPT);
	char *huge = test_calloc(1, WR_ANCHOR_MAX + 1);
	refused(text(NOTE), bytes(&t.tsq), (wr_bytes){huge, WR_ANCHOR_MAX + 1}, ca, WR_E_LIMIT);
	test_free(huge);
	wr_buf_addc(&t.tsr, '\0');
	refused(text(NOTE), bytes(&t.tsq), bytes(&t.tsr), ca, WR_E_CORRUPT); /* something follows */
	trio_free(&t);
}

static void cut_anywhere(void **state)
{
	(void)state;
	trio t = ask(NOTE);
	wr_anchor_proof p;
	for (size_t n = 0; n < t.tsr.len; n++) {
		char *cut = test_malloc(n + 1); /* of this size, for the sanitizer */
		memcpy(cut, t.tsr.data, n);
		wr_err err = {0};
		assert_int_equal(wr_anchor_check(&p, text(NOTE), bytes(&t.tsq), (wr_bytes){cut, n},
		                                 in_dir("ca.pem"), &err),
		                 -1);
		test_free(cut);
	}
	trio_free(&t);
}

/* The signature does not cover all bytes (the status may become "granted with modifications"), but
 * whatever still holds says the same. */
static void flipped_anywhere(void **state)
{
	(void)state;
	trio t = ask(NOTE);
	size_t held = 0;
	for (size_t i = 0; i < t.tsr.len; i++) {
		wr_anchor_proof p;
		wr_err err = {0};
		char was = t.tsr.data[i];
		t.tsr.data[i] = (char)(was ^ (1 << (i % 8)));
		if (wr_anchor_check(&p, text(NOTE), bytes(&t.tsq), bytes(&t.tsr), in_dir("ca.pem"), &err) ==
		    0) {
			held++;
			assert_int_equal(p.time_us, authority.at * INT64_C(1000000));
			assert_string_equal(p.tsa, "CN=Test TSA");
			assert_string_equal(p.serial, "01");
		}
		t.tsr.data[i] = was;
	}
	assert_true(held < t.tsr.len / 20);
	trio_free(&t);
}

/* ---- beside a ledger ---- */

typedef struct root_at {
	wr_range tree;
	int64_t size;
} root_at;

static int add_leaf(void *ctx, const wr_receipt *r)
{
	root_at *a = ctx;
	if (a->tree.end == a->size) return 1;
	wr_range_add(&a->tree, r->hash);
	return 0;
}

/* Signs and stamps the ledger's tree of `size`; `break_root`: of another ledger. */
static void anchor(wr_ledger *l, const wr_engine_key *key, int64_t size, bool break_root)
{
	root_at a = {.size = size};
	wr_err err = {0};
	wr_buf signed_note = WR_BUF_INIT(WR_NOTE_MAX);
	wr_checkpoint c = {.origin = "acme/" CHAIN_NAME, .size = size};
	wr_range_init(&a.tree, 0);
	assert_true(wr_ledger_read(l, 0, add_leaf, &a, &err) >= 0);
	assert_int_equal(a.tree.end, size);
	wr_range_root(&a.tree, c.root);
	if (break_root) c.root[0] ^= 1;
	assert_int_equal(wr_checkpoint_sign(&signed_note, &c, key, &err), 0);
	trio t = ask(wr_buf_cstr(&signed_note));
	if (wr_anchor_put(in_dir(CHAIN_NAME), size, bytes(&signed_note), bytes(&t.tsq), bytes(&t.tsr),
	                  &err))
		fail_msg("%s", err.msg);
	wr_buf_free(&signed_note);
	trio_free(&t);
}

static void make_anchored(int64_t bad)
{
	wr_err err = {0};
	wr_ledger_opts opts = test_opts();
	opts.engine_key = in_dir("engine.key");
	wr_ledger *l = must_open(&opts, NULL);
	for (int i = 0; i < 20; i++) must_append(l, i);
	wr_engine_key *key = wr_engine_key_load(opts.engine_key, false, NULL, &err);
	if (!key) fail_msg("%s", err.msg);
	assert_int_equal(wr_anchor_last(in_dir(CHAIN_NAME)), -1);
	for (int64_t size = 1; size <= 16; size *= 2) anchor(l, key, size, size == bad);
	assert_int_equal(wr_anchor_last(in_dir(CHAIN_NAME)), 16);
	wr_engine_key_free(key);
	wr_ledger_close(l);
}

static wr_anchor_report verify(const char *path)
{
	wr_anchor_report r;
	wr_err err = {0};
	if (wr_anchor_verify(path, in_dir("ca.pem"), &r, &err)) fail_msg("%s", err.msg);
	return r;
}

static void offline(void **state)
{
	(void)state;
	make_anchored(0);
	const char *const paths[] = {test_dir, in_dir(CHAIN_NAME), in_chain("anchors")};
	for (size_t i = 0; i < 3; i++) {
		wr_anchor_report r = verify(paths[i]);
		for (size_t k = 0; k < r.count; k++)
			if (!r.rows[k].ok || !r.rows[k].rooted)
				fail_msg("%s: %s", r.rows[k].file, r.rows[k].text);
		assert_int_equal(r.count, 5);
		assert_int_equal(r.failed, 0);
		assert_int_equal(r.proven, 16);
		assert_int_equal(r.proven_us, authority.at * INT64_C(1000000));
		assert_string_equal(r.chain, CHAIN_NAME);
		json_t *j = wr_anchor_json(&r);
		assert_true(json_is_true(json_object_get(j, "ok")));
		assert_int_equal(json_array_size(json_object_get(j, "anchors")), 5);
		json_decref(j);
		wr_anchor_report_free(&r);
	}
	wr_anchor_report r = verify(in_chain("anchors/00000000000000000008.tsr"));
	assert_int_equal(r.count, 1);
	assert_true(r.rows[0].ok && r.rows[0].rooted);
	assert_int_equal(r.receipts, 8);
	wr_anchor_report_free(&r);
}

static void another_history(void **state)
{
	(void)state;
	make_anchored(8);
	wr_anchor_report r = verify(test_dir);
	assert_int_equal(r.failed, 1);
	assert_false(r.rows[3].ok);
	assert_non_null(strstr(r.rows[3].text, "root"));
	assert_int_equal(r.proven, 16);
	wr_anchor_report_free(&r);
}

/* One byte of a receipt: every anchor that covers it speaks against the ledger. */
static void changed_receipt(void **state)
{
	(void)state;
	make_anchored(0);
	wr_buf seg;
	slurp(&seg, segment_file(0));
	char *at = seg.data;
	for (int i = 0; i < 5; i++) at = strchr(at, '\n') + 1;
	char *number = strstr(at, "drill_noted");
	number[0] = 'g';
	spit(segment_file(0), seg.data, seg.len);
	wr_buf_free(&seg);
	wr_anchor_report r = verify(test_dir);
	assert_int_equal(r.failed, 2); /* 8 and 16 */
	assert_int_equal(r.proven, 4);
	wr_anchor_report_free(&r);
}

static void changed_note(void **state)
{
	(void)state;
	make_anchored(0);
	wr_buf n;
	slurp(&n, in_chain("anchors/00000000000000000004.note"));
	n.data[0] = 'A';
	spit(in_chain("anchors/00000000000000000004.note"), n.data, n.len);
	wr_buf_free(&n);
	assert_int_equal(unlink(in_chain("anchors/00000000000000000002.tsq")), 0);
	wr_anchor_report r = verify(test_dir);
	assert_int_equal(r.failed, 2);
	assert_false(r.rows[1].ok);
	assert_false(r.rows[2].ok);
	wr_anchor_report_free(&r);
}

static void without_the_ledger(void **state)
{
	(void)state;
	make_anchored(0);
	assert_int_equal(unlink(segment_file(0)), 0);
	wr_anchor_report r = verify(in_chain("anchors"));
	assert_int_equal(r.failed, 0);
	assert_int_equal(r.proven, 0);
	assert_false(r.rows[0].rooted);
	assert_non_null(strstr(r.rows[0].text, "not compared"));
	wr_anchor_report_free(&r);
	wr_err err = {0};
	assert_int_equal(wr_anchor_verify(in_dir("none"), in_dir("ca.pem"), &r, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_int_equal(mkdir(in_dir("empty"), 0700), 0);
	assert_int_equal(wr_anchor_verify(in_dir("empty"), in_dir("ca.pem"), &r, &err), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TSA_TEST(what_holds),      TSA_TEST(requests_differ),    TSA_TEST(other_answers),
	    TSA_TEST(other_authority), TSA_TEST(at_another_time),    TSA_TEST(no_request),
	    TSA_TEST(not_a_response),  TSA_TEST(cut_anywhere),       TSA_TEST(flipped_anywhere),
	    TSA_TEST(offline),         TSA_TEST(another_history),    TSA_TEST(changed_receipt),
	    TSA_TEST(changed_note),    TSA_TEST(without_the_ledger),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
