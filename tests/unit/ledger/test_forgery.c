/* test_forgery.c: forged steps, and forged lines: whatever the number of threads and the size of
 * what they read at once, and whether the careful reading or the fast one sees it, the answer is
 * one. */
#include "fixture.h"

#include "ledger/chain.h"

#define RECEIPTS 40
#define RUNS     1500

static wr_ledger *open_ledger(void)
{
	wr_err err = {0};
	const wr_ledger_opts opts = {.dir = test_dir,
	                             .partition = "us-central1",
	                             .stream = "ops",
	                             .actor = "engine:bastion",
	                             .clock = &test_clock,
	                             .random = &test_random,
	                             .segment_max = 6000};
	wr_ledger *l = wr_ledger_open_dir(&opts, NULL, &err);
	if (!l) fail_msg("%s", err.msg);
	return l;
}

static void append(wr_ledger *l, json_t *draft)
{
	wr_err err = {0};
	assert_non_null(draft);
	if (wr_ledger_append(l, draft, 1, NULL, &err)) fail_msg("%s", err.msg);
}

/* ---- steps that say that they need nobody's approval ---- */

static int64_t unauthorised(const char *kind, const char *phase, bool undo)
{
	wr_verify_report r;
	wr_err err = {0};
	wr_ledger *l = open_ledger();
	json_t *d = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:i}", "operation", "step_intent",
	                      "operation_id", "op-1", "plan_hash", "00", "phase", phase, "class",
	                      "idempotent", "guarded", 0, "undo", (int)undo, "index", 3);
	if (kind) json_object_set_new(d, "kind", json_string(kind));
	append(l, d);
	wr_ledger_close(l);
	if (wr_ledger_verify(test_dir, &r, NULL, NULL, &err)) fail_msg("%s", err.msg);
	int64_t found = r.unauthorised;
	wr_verify_free(&r);
	remove_tree(in_dir("us-central1"));
	return found;
}

static void steps_that_play_down_what_they_are(void **state)
{
	(void)state;
	assert_int_equal(unauthorised("traffic", "verify", false), 1);
	assert_int_equal(unauthorised("exec", "verify", true), 1);
	assert_int_equal(unauthorised("http", "prove", true), 1);
	assert_int_equal(unauthorised("TRAFFIC", "verify", false), 1);
	assert_int_equal(unauthorised(NULL, "verify", false), 1);
	assert_int_equal(unauthorised("http", "switch", false), 1);
	assert_int_equal(unauthorised("http", "verify", false), 0);
	assert_int_equal(unauthorised("wait", "verify", false), 0);
	assert_int_equal(unauthorised("manual", "verify", true), 0);
}

/* ---- one answer ---- */

static void mutate(wr_buf *text, uint64_t *chance)
{
	for (uint64_t n = 1 + test_next(chance) % 2; n > 0 && text->len > 2; n--) {
		size_t at = (size_t)(test_next(chance) % text->len);
		size_t len = (size_t)(test_next(chance) % 700);
		if (len > text->len - at) len = text->len - at;
		switch (test_next(chance) % 4) {
		case 0:
			text->data[at] = (char)(text->data[at] ^ (1 << test_next(chance) % 8));
			break;
		case 1: /* cut out */
			memmove(text->data + at, text->data + at + len, text->len - at - len);
			text->len -= len;
			break;
		case 2: /* zeros, as in a file with holes */
			memset(text->data + at, 0, len);
			break;
		default: /* a newline more */
			text->data[at] = '\n';
		}
	}
}

static char *report_of(const wr_verify_opts *opts)
{
	wr_verify_report r;
	wr_err err = {0};
	if (wr_ledger_verify_with(test_dir, opts, &r, &err)) fail_msg("%s", err.msg);
	json_t *j = wr_verify_json(&r);
	char *text = json_dumps(j, JSON_SORT_KEYS);
	json_decref(j);
	wr_verify_free(&r);
	assert_non_null(text);
	return text;
}

static void same_whatever_reads_it(void **state)
{
	static const wr_verify_opts ways[] = {{.threads = 2, .chunk_bytes = 1024},
	                                      {.threads = 8, .chunk_bytes = 1024},
	                                      {.threads = 3, .chunk_bytes = 1500},
	                                      {.threads = 1, .suspects_max = 1}};
	const wr_verify_opts plain = {.threads = 1};
	uint64_t chance = 7;
	(void)state;
	wr_ledger *l = open_ledger();
	for (int i = 0; i < RECEIPTS; i++)
		append(l, json_pack("{s:s, s:i, s:s}", "operation", "drill_noted", "number", i, "text",
		                    "\xc3\x84 \"quoted\" \x01"));
	wr_ledger_close(l);
	int64_t *seqs;
	size_t count;
	wr_err err = {0};
	if (wr_segment_list(in_chain(""), &seqs, &count, &err)) fail_msg("%s", err.msg);
	assert_true(count > 2);
	for (int run = 0; run < RUNS; run++) {
		int64_t segment = seqs[test_next(&chance) % count];
		wr_buf good, bad;
		slurp(&good, segment_file(segment));
		slurp(&bad, segment_file(segment));
		mutate(&bad, &chance);
		spit(segment_file(segment), bad.data, bad.len);
		char *said = report_of(&plain);
		for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
			char *also = report_of(&ways[i]);
			if (strcmp(said, also) != 0) fail_msg("run %d, way %zu:\n%s\n%s", run, i, said, also);
			free(also);
		}
		free(said);
		spit(segment_file(segment), good.data, good.len);
		wr_buf_free(&good);
		wr_buf_free(&bad);
	}
	free(seqs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEDGER_TEST(steps_that_play_down_what_they_are),
	    LEDGER_TEST(same_whatever_reads_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
