/* A receipt as one sentence: every operation that is written, odd values, and those nobody knows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/engine.h"
#include "warroom/text.h"

static void sentence_of(json_t *d, char *out, size_t size)
{
	static const uint8_t zeros[WR_HASH_LEN];
	const wr_envelope env = {.actor = "engine:t",
	                         .chain = "p/ops",
	                         .epoch = 1,
	                         .timestamp_us = 1769344815123456,
	                         .prev_hash = zeros,
	                         .receipt_id = "01234567-89ab-7def-8123-456789abcdef"};
	wr_buf line = WR_BUF_INIT(WR_RECEIPT_MAX + 256);
	uint8_t hash[WR_HASH_LEN];
	wr_receipt r;
	wr_err err = {0};
	assert_non_null(d);
	if (wr_receipt_write(&line, hash, &env, d, &err) != 0) fail_msg("%s", err.msg);
	assert_int_equal(wr_receipt_parse(&r, line.data, line.len - 1, true, &err), WR_RF_OK);
	receipt_sentence(&r, out, size);
	wr_buf_free(&line);
	json_decref(d);
}

static void known_operations(void **state)
{
	(void)state;
	char out[224];
	sentence_of(json_pack("{s:s, s:s, s:s, s:s, s:s}", "operation", "verdict_changed", "region",
	                      "us", "from", "SUSPECT", "to", "DOWN", "reason", "2 of 2 classes"),
	            out, sizeof out);
	assert_string_equal(out, "us SUSPECT → DOWN  2 of 2 classes");
	sentence_of(json_pack("{s:s, s:s, s:s, s:i}", "operation", "step_intent", "operation_id",
	                      "op-3", "step", "fence", "attempt", 2),
	            out, sizeof out);
	assert_string_equal(out, "op-3 fence begins again, attempt 2");
	sentence_of(json_pack("{s:s, s:s, s:s, s:i, s:b}", "operation", "step_intent", "operation_id",
	                      "op-3", "step", "scale", "attempt", 1, "undo", 1),
	            out, sizeof out);
	assert_string_equal(out, "op-3 scale is being undone");
	sentence_of(json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "operation", "step_result",
	                      "operation_id", "op-3", "step", "wait", "outcome", "done", "duration_ms",
	                      88793, "error", ""),
	            out, sizeof out);
	assert_string_equal(out, "op-3 wait done in 1 m 28 s");
	sentence_of(json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "operation", "step_result",
	                      "operation_id", "op-3", "step", "wait", "outcome", "failed",
	                      "duration_ms", 0, "error", "refused"),
	            out, sizeof out);
	assert_string_equal(out, "op-3 wait failed in 0 ms: refused");
	sentence_of(json_pack("{s:s, s:s, s:s}", "operation", "operation_held", "operation_id", "op-3",
	                      "reason", "held by bob: look"),
	            out, sizeof out);
	assert_string_equal(out, "op-3 held by bob: look");
	sentence_of(json_pack("{s:s, s:s, s:i, s:i, s:i}", "operation", "guards_changed", "action",
	                      "failover us eu", "passed", 17, "failed", 0, "no_data", 4),
	            out, sizeof out);
	assert_string_equal(out, "failover us → eu: 17 pass, 0 fail, 4 no data");
	sentence_of(json_pack("{s:s, s:s, s:i}", "operation", "engine_started", "version", "1",
	                      "recovered_operations", 0),
	            out, sizeof out);
	assert_string_equal(out, "engine started, version 1");
	sentence_of(json_pack("{s:s, s:s, s:s, s:s}", "operation", "postgres_failover_executed",
	                      "primary_region", "us", "secondary_region", "eu", "status",
	                      "failed_over"),
	            out, sizeof out);
	assert_string_equal(out, "us → eu: failed_over");
}

static void unknown_operations_and_absent_fields(void **state)
{
	(void)state;
	char out[224];
	sentence_of(json_pack("{s:s, s:s}", "operation", "something_new", "reason", "because"), out,
	            sizeof out);
	assert_string_equal(out, "because");
	sentence_of(json_pack("{s:s}", "operation", "something_new"), out, sizeof out);
	assert_string_equal(out, "");
	sentence_of(json_pack("{s:s}", "operation", "_failover_executed"), out, sizeof out);
	sentence_of(json_pack("{s:s}", "operation", "engine_stopped"), out, sizeof out);
	assert_string_equal(out, "engine stopped");
}

static void values_that_lie(void **state)
{
	(void)state;
	char out[224], longest[4000];
	sentence_of(json_pack("{s:s, s:s}", "operation", "operation_held", "reason",
	                      "a\nop-9 approved\x1b[2J\xe2\x80\xae"),
	            out, sizeof out);
	assert_null(strchr(out, '\n'));
	assert_null(strchr(out, '\x1b'));
	assert_null(strstr(out, "\xe2\x80\xae"));
	/* A value with braces is a value, not a field. */
	sentence_of(
	    json_pack("{s:s, s:s}", "operation", "engine_stopped", "reason", "{reason}{version}"), out,
	    sizeof out);
	assert_string_equal(out, "engine stopped: {reason}{version}");
	for (size_t i = 0; i + 3 < sizeof longest; i += 3) memcpy(longest + i, "\xe2\x86\x92", 4);
	sentence_of(json_pack("{s:s, s:s}", "operation", "incident_opened", "title", longest), out,
	            sizeof out);
	assert_true(strlen(out) < sizeof out && strlen(out) > 100);
	const char *p = out, *end = out + strlen(out);
	while (p < end) assert_int_not_equal(wr_utf8_next(&p, end), 0xfffd); /* cut at a character */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_operations),
	    cmocka_unit_test(unknown_operations_and_absent_fields),
	    cmocka_unit_test(values_that_lie),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
