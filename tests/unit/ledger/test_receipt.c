/* test_receipt.c: the bytes of one receipt: written, read, and everything that must be refused. */
#include "fixture.h"

#include "ledger/scan.h"
#include "warroom/json.h"

static const uint8_t zeros[WR_HASH_LEN];

static wr_envelope envelope(void)
{
	return (wr_envelope){.actor = "engine:bastion",
	                     .chain = CHAIN_NAME,
	                     .epoch = 3,
	                     .seq = 12,
	                     .timestamp_us = T0,
	                     .prev_hash = zeros,
	                     .receipt_id = "019bf556-1a33-7abc-8def-0123456789ab"};
}

static void write_line(wr_buf *out, json_t *draft)
{
	const wr_envelope env = envelope();
	uint8_t hash[WR_HASH_LEN];
	wr_err err = {0};
	wr_buf_init(out, 1u << 20);
	if (wr_receipt_write(out, hash, &env, draft, &err)) fail_msg("%s", err.msg);
	json_decref(draft);
}

/* The whole line as anybody's JCS library and SHA-256 would make it. */
static void known_answer(void **state)
{
	(void)state;
	static const char expected[] =
	    "{\"actor\":\"engine:bastion\",\"b\":true,\"chain\":\"us-central1/ops\",\"epoch\":3,"
	    "\"n\":-5,\"operation\":\"x\",\"prev_hash\":"
	    "\"0000000000000000000000000000000000000000000000000000000000000000\",\"receipt_id\":"
	    "\"019bf556-1a33-7abc-8def-0123456789ab\",\"seq\":12,\"text\":\"\xc3\xa4\\n\\u0001\\\"\","
	    "\"timestamp\":\"2026-01-25T12:40:15.123456Z\",\"v\":1,\"hash\":\"";
	wr_buf line;
	char e[1024], hex[WR_HEX_LEN];
	uint8_t hash[WR_HASH_LEN];
	write_line(&line, json_pack("{s:s, s:s, s:i, s:b}", "text", "\xc3\xa4\n\x01\"", "operation",
	                            "x", "n", -5, "b", 1));
	assert_memory_equal(line.data, expected, sizeof expected - 1);
	e[0] = '\0'; /* the leaf prefix */
	size_t len = sizeof expected - 1 - (sizeof ",\"hash\":\"" - 1);
	memcpy(e + 1, expected, len);
	e[1 + len] = '}';
	wr_sha256(hash, e, len + 2);
	wr_hex(hex, hash, WR_HASH_LEN);
	assert_memory_equal(line.data + sizeof expected - 1, hex, 64);
	assert_string_equal(line.data + sizeof expected - 1 + 64, "\"}\n");
	wr_buf_free(&line);
}

static void reads_back(void **state)
{
	(void)state;
	wr_buf line;
	wr_receipt r;
	wr_err err = {0};
	char text[64];
	write_line(&line, json_pack("{s:s, s:s, s:I, s:b, s:s}", "operation", "drill_noted", "text",
	                            "a\tb\x1f\xe2\x86\x92\\", "n", (json_int_t)WR_INT_MAX_SAFE, "late",
	                            0, "incident", "INC-0142"));
	assert_int_equal(wr_receipt_parse(&r, line.data, line.len - 1, true, &err), WR_RF_OK);
	assert_int_equal(r.seq, 12);
	assert_int_equal(r.epoch, 3);
	assert_int_equal(r.timestamp_us, T0);
	assert_string_equal(r.operation, "drill_noted");
	assert_string_equal(r.chain, CHAIN_NAME);
	assert_string_equal(r.receipt_id, "019bf556-1a33-7abc-8def-0123456789ab");
	assert_memory_equal(r.prev_hash, zeros, WR_HASH_LEN);
	assert_true(wr_receipt_str(&r, "text", text, sizeof text));
	assert_string_equal(text, "a\tb\x1f\xe2\x86\x92\\");
	assert_true(wr_receipt_str(&r, "text", text, 6)); /* cut at a code point */
	assert_string_equal(text, "a\tb\x1f");
	assert_true(wr_receipt_str(&r, "text", text, 1));
	assert_string_equal(text, "");
	assert_false(wr_receipt_str(&r, "n", text, sizeof text));
	assert_false(wr_receipt_str(&r, "absent", text, sizeof text));
	assert_int_equal(wr_receipt_int(&r, "n", 0), WR_INT_MAX_SAFE);
	assert_int_equal(wr_receipt_int(&r, "text", 7), 7);
	assert_false(wr_receipt_bool(&r, "late", true));
	assert_true(wr_receipt_bool(&r, "absent", true));
	json_t *j = wr_receipt_json(&r);
	assert_string_equal(wr_json_str(j, "incident", ""), "INC-0142");
	assert_int_equal(json_object_size(j), r.field_count);
	json_decref(j);
	wr_buf_free(&line);
}

static void every_control_character(void **state)
{
	(void)state;
	for (int c = 1; c < 0x20; c++) {
		const char text[] = {'a', (char)c, 'b', '\0'};
		char back[16];
		wr_buf line;
		wr_receipt r;
		wr_err err = {0};
		json_t *d = json_pack("{s:s}", "operation", "x");
		json_object_set_new(d, "text", json_stringn(text, 3));
		write_line(&line, d);
		assert_int_equal(wr_receipt_parse(&r, line.data, line.len - 1, true, &err), WR_RF_OK);
		assert_true(wr_receipt_str(&r, "text", back, sizeof back));
		assert_string_equal(back, c ? text
		                            : "a\xef\xbf\xbd"
		                              "b");
		wr_buf_free(&line);
	}
}

/* E with the text `from` replaced by `to`, its hash made right again. */
static wr_receipt_fault altered(const char *from, const char *to)
{
	wr_buf line, e = WR_BUF_INIT(1u << 20);
	wr_receipt r;
	wr_err err = {0};
	char hex[WR_HEX_LEN];
	uint8_t hash[WR_HASH_LEN];
	write_line(&line, json_pack("{s:s, s:s, s:i}", "operation", "drill", "text", "abc", "n", 1));
	const char *at = strstr(line.data, from), *tail = strstr(line.data, ",\"hash\":");
	assert_non_null(at);
	assert_true(at < tail);
	wr_buf_add(&e, line.data, (size_t)(at - line.data));
	wr_buf_adds(&e, to);
	wr_buf_add(&e, at + strlen(from), (size_t)(tail - at) - strlen(from));
	wr_buf_addc(&e, '}');
	wr_leaf_hash(hash, e.data, e.len);
	wr_hex(hex, hash, WR_HASH_LEN);
	e.len--;
	wr_buf_addf(&e, ",\"hash\":\"%s\"}", hex);
	wr_receipt_fault fault = wr_receipt_parse(&r, e.data, e.len, true, &err);
	assert_true((fault == WR_RF_OK) == (err.code == WR_E_OK));
	if (fault == WR_RF_OK) { /* whatever we accept, the general checker calls canonical too */
		e.data[strstr(e.data, ",\"hash\":") - e.data] = '}';
		size_t len = (size_t)(strstr(e.data, "}\"hash\":") - e.data) + 1;
		if (wr_canon_check(e.data, len, &err)) fail_msg("%s -> %s: %s", from, to, err.msg);
	}
	wr_buf_free(&line);
	wr_buf_free(&e);
	return fault;
}

static void only_canonical(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
		wr_receipt_fault fault;
	} cases[] = {
	    {"\"abc\"", "\"\"", WR_RF_OK},
	    {"\"abc\"", "true", WR_RF_OK},
	    {"\"abc\"", "0", WR_RF_OK},
	    {"\"abc\"", "-9007199254740991", WR_RF_OK},
	    {"\"abc\"", "\"\xf4\x8f\xbf\xbf\x7f\"", WR_RF_OK},
	    {"\"abc\"", "\"\\b\\t\\n\\f\\r\\\"\\\\\\u0001\\u001f\"", WR_RF_OK},
	    {"\"abc\"", "9007199254740992", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "99999999999999999999999", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "-0", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "01", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "+1", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "-", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "1.0", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "1e3", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "null", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "NaN", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "truE", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "{}", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "[]", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", " \"abc\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"abc\" ", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\/\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\u0000\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\u0041\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\u001F\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\u0008\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\u000a\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\ud83d\\udd25\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\\x\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\t\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\x80\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xc0\x80\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xc3\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xe0\x80\x80\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xed\xa0\x80\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xf0\x80\x80\x80\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xf4\x90\x80\x80\"", WR_RF_NOT_CANONICAL},
	    {"\"abc\"", "\"\xff\"", WR_RF_NOT_CANONICAL},
	    {"\"n\":", "\"N\":", WR_RF_NOT_CANONICAL},
	    {"\"n\":", "\"v\":", WR_RF_NOT_CANONICAL},
	    {"\"n\":1", "\"n\":1,\"n\":1", WR_RF_NOT_CANONICAL},
	    {"\"n\":1", "\"n\":1,\"hash\":1", WR_RF_NOT_CANONICAL},
	    {"\"n\":1", "\"n\\u0000\":1", WR_RF_NOT_CANONICAL},
	    {"\"n\":1", "\"n\xc3\xa4\":1", WR_RF_NOT_CANONICAL},
	    {"\"n\":1", "\"n\" :1", WR_RF_NOT_CANONICAL},
	    {"\"n\":1", "\"n\"1", WR_RF_NOT_CANONICAL},
	    {"\"n\":1,", "\"n\":1,,", WR_RF_NOT_CANONICAL},
	    {"\"n\":1,", "", WR_RF_OK},
	    {"\"actor\":\"engine:bastion\",", "", WR_RF_ENVELOPE},
	    {"engine:bastion", "", WR_RF_ENVELOPE},
	    {"\"engine:bastion\"", "5", WR_RF_ENVELOPE},
	    {"us-central1/ops", "us central1", WR_RF_ENVELOPE},
	    {"\"chain\":\"us-central1/ops\",", "", WR_RF_ENVELOPE},
	    {"\"epoch\":3", "\"epoch\":-1", WR_RF_ENVELOPE},
	    {"\"epoch\":3", "\"epoch\":true", WR_RF_ENVELOPE},
	    {"\"epoch\":3", "\"epoch\":3,\"incident\":5", WR_RF_ENVELOPE},
	    {"\"drill\"", "\"dr ill\"", WR_RF_ENVELOPE},
	    {"\"drill\"", "\"\"", WR_RF_ENVELOPE},
	    {"prev_hash\":\"0", "prev_hash\":\"", WR_RF_ENVELOPE},
	    {"prev_hash\":\"0", "prev_hash\":\"A", WR_RF_ENVELOPE},
	    {"019bf556-", "019bf5560", WR_RF_ENVELOPE},
	    {"-7abc-", "-4abc-", WR_RF_ENVELOPE},
	    {"-8def-", "-cdef-", WR_RF_ENVELOPE},
	    {"-8def-", "-8DEF-", WR_RF_ENVELOPE},
	    {"\"seq\":12", "\"seq\":\"12\"", WR_RF_ENVELOPE},
	    {"\"seq\":12", "\"seq\":-12", WR_RF_ENVELOPE},
	    {"2026-01-25T", "2026-02-30T", WR_RF_ENVELOPE},
	    {"2026-01-25T", "2024-02-29T", WR_RF_OK},
	    {"2026-01-25T", "1900-02-29T", WR_RF_ENVELOPE},
	    {"2026-01-25T", "0000-01-25T", WR_RF_ENVELOPE},
	    {"T12:40:15", "T24:00:00", WR_RF_ENVELOPE},
	    {"T12:40:15", "T12:40:60", WR_RF_ENVELOPE},
	    {"15.123456Z", "15.12345Z", WR_RF_ENVELOPE},
	    {"15.123456Z", "15.123456+00:00", WR_RF_ENVELOPE},
	    {"15.123456Z", "15,123456Z", WR_RF_ENVELOPE},
	    {"\"v\":1", "\"v\":2", WR_RF_ENVELOPE},
	    {"\"v\":1", "\"v\":11", WR_RF_ENVELOPE},
	    {"\"v\":1", "\"v\":\"1\"", WR_RF_ENVELOPE},
	    {",\"v\":1", "", WR_RF_ENVELOPE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		wr_receipt_fault fault = altered(cases[i].from, cases[i].to);
		if (fault != cases[i].fault)
			fail_msg("%s -> %s: fault %d, expected %d", cases[i].from, cases[i].to, (int)fault,
			         (int)cases[i].fault);
	}
}

static void the_end_of_the_line(void **state)
{
	(void)state;
	wr_buf line;
	wr_receipt r;
	wr_err err = {0};
	char copy[2048];
	write_line(&line, json_pack("{s:s}", "operation", "x"));
	size_t len = line.len - 1;
	for (size_t n = 0; n < len; n++) { /* every beginning is a prefix, none is a receipt */
		assert_int_not_equal(wr_receipt_parse(&r, line.data, n, true, &err), WR_RF_OK);
		if (!wr_scan_prefix(line.data, n)) fail_msg("%zu bytes are no prefix", n);
	}
	assert_true(wr_scan_prefix(line.data, len));
	assert_false(wr_scan_prefix(line.data, len + 1));
	memcpy(copy, line.data, len);
	copy[len] = 'J'; /* a newline with one bit changed */
	assert_false(wr_scan_prefix(copy, len + 1));
	assert_int_equal(wr_receipt_parse(&r, copy, len + 1, true, &err), WR_RF_NOT_CANONICAL);
	copy[len - 3] ^= 1;
	assert_int_equal(wr_receipt_parse(&r, copy, len, true, &err), WR_RF_HASH);
	copy[len - 3] = 'A';
	assert_int_equal(wr_receipt_parse(&r, copy, len, true, &err), WR_RF_NOT_CANONICAL);
	assert_false(wr_scan_prefix(copy, len));
	wr_buf_free(&line);
}

static void every_bit_of_a_receipt(void **state)
{
	(void)state;
	wr_buf line;
	wr_receipt r;
	wr_err err = {0};
	write_line(&line, json_pack("{s:s, s:s}", "operation", "x", "text", "\xc3\xa4\\u"));
	for (size_t bit = 0; bit < (line.len - 1) * 8; bit++) {
		char *byte = &line.data[bit / 8];
		*byte = (char)(*byte ^ (1 << bit % 8));
		assert_int_not_equal(wr_receipt_parse(&r, line.data, line.len - 1, true, &err), WR_RF_OK);
		*byte = (char)(*byte ^ (1 << bit % 8));
	}
	assert_int_equal(wr_receipt_parse(&r, line.data, line.len - 1, true, &err), WR_RF_OK);
	wr_buf_free(&line);
}

static void largest(void **state)
{
	(void)state;
	const wr_envelope env = envelope();
	uint8_t hash[WR_HASH_LEN];
	wr_err err = {0};
	wr_receipt r;
	wr_buf line = WR_BUF_INIT(1u << 20);
	json_t *d = json_pack("{s:s, s:s}", "operation", "x", "text", "");
	assert_int_equal(wr_receipt_write(&line, hash, &env, d, &err), 0);
	size_t room = WR_RECEIPT_MAX - (line.len - 1 - WR_HASH_TAIL);
	char *text = malloc(room + 2);
	memset(text, 'a', room + 1);
	for (size_t extra = 0; extra < 2; extra++) {
		text[room + extra] = '\0';
		json_object_set_new(d, "text", json_string(text));
		text[room + extra] = 'a';
		wr_buf_reset(&line);
		wr_buf_adds(&line, "before");
		int rc = wr_receipt_write(&line, hash, &env, d, &err);
		assert_int_equal(rc, extra ? -1 : 0);
		if (extra) {
			assert_int_equal(err.code, WR_E_LIMIT);
			assert_string_equal(line.data, "before"); /* nothing half-written */
		} else {
			assert_int_equal(wr_receipt_parse(&r, line.data + 6, line.len - 7, true, &err),
			                 WR_RF_OK);
		}
	}
	free(text);
	json_decref(d);
	wr_buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_answer),
	    cmocka_unit_test(reads_back),
	    cmocka_unit_test(only_canonical),
	    cmocka_unit_test(every_control_character),
	    cmocka_unit_test(the_end_of_the_line),
	    cmocka_unit_test(every_bit_of_a_receipt),
	    cmocka_unit_test(largest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
