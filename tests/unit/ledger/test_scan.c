/* test_scan.c: the quick look at a line against the reference scanner, with and without SSE2, over
 * receipts that were changed a little. The fuzzer of the same name goes on from here. */
#define WR_QUICK_PORTABLE
#define wr_quick_check wr_quick_check_portable
#include "../../../core/ledger/quick.c"
#undef wr_quick_check
bool wr_quick_check(wr_quick *q, wr_quick_line *out, char *line, size_t len, const char *hash_hex);

static bool both(wr_quick *q, wr_quick_line *out, char *line, size_t len, const char *hash_hex)
{
	wr_quick other = *q;
	wr_quick_line from_other = *out;
	bool good = wr_quick_check(q, out, line, len, hash_hex);
	WR_ASSERT(wr_quick_check_portable(&other, &from_other, line, len, hash_hex) == good);
	WR_ASSERT(!good || (out->seq == from_other.seq && out->id_high == from_other.id_high &&
	                    out->id_low == from_other.id_low && out->linked == from_other.linked));
	return good;
}

#define wr_quick_check both
#include "../../fuzz/fuzz_scan.c"
#undef wr_quick_check

#include "fixture.h"
#include "warroom/json.h"
#include "warroom/text.h"

#define ENVELOPE_START "\"actor\":\"engine:bastion\",\"chain\":\"us-central1/ops\",\"epoch\":3,"
#define ENVELOPE_END                                                                               \
	"\"operation\":\"step_intent\",\"prev_hash\":"                                                 \
	"\"00000000000000000000000000000000000000000000000000000000000000ff\",\"receipt_id\":"         \
	"\"019bf556-1a33-7abc-8def-0123456789ab\",\"seq\":12,\"timestamp\":"                           \
	"\"2024-02-29T12:40:15.123456Z\",\"v\":1"
#define PLAIN ENVELOPE_START ENVELOPE_END
#define RICH                                                                                       \
	ENVELOPE_START                                                                                 \
	"\"incident\":\"INC\",\"late\":true,\"n\":-9007199254740991,\"no\":false," ENVELOPE_END        \
	",\"x\":\"\\\\\\\"\\b\\f\\n\\r\\t\\u0001\\u001f \xc3\x84 \xe2\x86\x92 "                        \
	"\xf0\x9f\x94\xa5\",\"y\":0"

static void try_text(const char *text, size_t len)
{
	(void)LLVMFuzzerTestOneInput((const uint8_t *)text, len);
}

static bool accepted(const char *fields)
{
	wr_quick q = {.chain = CHAIN, .chain_len = sizeof CHAIN - 1};
	wr_quick_line l = {0};
	char line[2048], hex_text[WR_HEX_LEN];
	uint8_t hash[WR_HASH_LEN];
	int n = snprintf(line + 1, 1500, "{%s}", fields);
	wr_leaf_hash(hash, line + 1, (size_t)n);
	wr_hex(hex_text, hash, WR_HASH_LEN);
	n += snprintf(line + n, 200, ",\"hash\":\"%s\"}", hex_text) - 1;
	return both(&q, &l, line + 1, (size_t)n, NULL);
}

static void known(void **state)
{
	(void)state;
	assert_true(accepted(PLAIN));
	assert_true(accepted(RICH));
	assert_false(accepted(""));
	assert_false(accepted(PLAIN ","));
	assert_false(accepted(PLAIN ",\"v\":1"));
	assert_false(accepted(PLAIN ",\"w\":\"\xc0\xaf\""));
	assert_false(accepted(PLAIN ",\"w\":\"\xed\xa0\x80\""));
	assert_false(accepted(PLAIN ",\"w\":\"\\u000a\""));
	assert_false(accepted(PLAIN ",\"w\":\"\\/\""));
	assert_false(accepted(PLAIN ",\"w\":9007199254740992"));
	assert_false(accepted(PLAIN ",\"w\":-0"));
	assert_false(accepted(PLAIN ",\"w\":01"));
	assert_false(accepted(PLAIN ",\"w\":null"));
	assert_false(accepted(PLAIN ",\"w\x7f\":1"));
}

/* What a byte is replaced with, or what is put before it. */
static const char *const tokens[] = {
    "\"",           ",",        ":",    "{",    "}",    "[",      "\\",
    "\\u00",        "0",        "1",    "9",    "-",    "true",   "e",
    "\x01",         " ",        "\x7f", "\x80", "\xc3", "\xed",   "\xf4",
    "\xe2",         "f",        "g",    "A",    "/",    ".",      "\"a\":1",
    ",\"hash\":\"", "incident", "hash", "\n",   "Z",    "T",      "2023-02-29",
    "00",           "99",       "24:",  ":60",  "7",    "\"v\":2"};

static void changed(wr_buf *out, const char *text, size_t len, uint64_t *chance)
{
	size_t changes = 1 + test_next(chance) % 3;
	wr_buf_reset(out);
	wr_buf_add(out, text, len);
	for (size_t i = 0; i < changes && out->len > 8; i++) {
		char rest[4096];
		const char *token = tokens[test_next(chance) % (sizeof tokens / sizeof *tokens)];
		size_t at = test_next(chance) % out->len, gone = test_next(chance) % 4;
		if (at + gone > out->len) gone = 0;
		size_t kept = out->len - at - gone;
		memcpy(rest, out->data + at + gone, kept);
		out->len = at;
		if (test_next(chance) % 4) wr_buf_adds(out, token);
		wr_buf_add(out, rest, kept);
	}
}

static void a_little_different(void **state)
{
	(void)state;
	static const char *const seeds[] = {PLAIN, RICH};
	uint64_t chance = 11;
	wr_buf text = WR_BUF_INIT(4096);
	for (int i = 0; i < 60000; i++) {
		const char *seed = seeds[i % 2];
		changed(&text, seed, strlen(seed), &chance);
		try_text(text.data, text.len);
	}
	wr_buf_free(&text);
}

/* Each byte of a receipt replaced by each other byte, with a right hash behind it. */
static void every_byte(void **state)
{
	(void)state;
	static char text[sizeof RICH];
	for (size_t i = 0; i < sizeof RICH - 1; i++) {
		memcpy(text, RICH, sizeof RICH);
		for (unsigned c = 0; c < 256; c += i % 2 ? 1 : 3) {
			text[i] = (char)c;
			try_text(text, sizeof RICH - 1);
		}
	}
}

static void every_length(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof RICH; len++) try_text(RICH, len);
	wr_buf text = WR_BUF_INIT(100000);
	for (size_t fill = 61000; fill < 61600; fill += 7) { /* around the longest */
		wr_buf_reset(&text);
		wr_buf_adds(&text, PLAIN ",\"w\":\"");
		for (size_t i = 0; i < fill; i++) wr_buf_addc(&text, 'x');
		wr_buf_addc(&text, '"');
		try_text(text.data, text.len);
	}
	for (int fields = 40; fields < 70; fields++) { /* around the most */
		wr_buf_reset(&text);
		wr_buf_adds(&text, PLAIN);
		for (int i = 10; i < fields; i++) wr_buf_addf(&text, ",\"w%02d\":%d", i, i);
		try_text(text.data, text.len);
	}
	wr_buf_free(&text);
}

/* What the fuzzer found: before the first time was known, zeros were taken for it. */
static void zeros(void **state)
{
	(void)state;
	char text[] = PLAIN;
	char *at = strstr(text, "2024-");
	memset(at, 0, 20);
	try_text(text, sizeof text - 1);
}

/* ---- canonical form: written, read, written again ---- */

static json_t *random_value(uint64_t *chance)
{
	char text[256];
	size_t len = 0, wanted = test_next(chance) % 40;
	switch (test_next(chance) % 4) {
	case 0:
		return json_boolean(test_next(chance) % 2);
	case 1:
		return json_integer((json_int_t)(test_next(chance) >> (11 + test_next(chance) % 50)) *
		                    (test_next(chance) % 2 ? 1 : -1));
	default:
		for (size_t i = 0; i < wanted; i++) {
			static const uint32_t below[] = {0x20, 0x80, 0x800, 0xd800, 0x10000, 0x110000};
			uint32_t cp = (uint32_t)(1 + test_next(chance) % (below[test_next(chance) % 6] - 1));
			len += wr_utf8_put(text + len, cp >= 0xd800 && cp < 0xe000 ? '\\' : cp);
		}
		return json_stringn(text, len);
	}
}

static void write_again(const char *line, size_t len, wr_buf *out)
{
	static const char *const own[] = {"chain", "epoch",     "prev_hash", "receipt_id",
	                                  "seq",   "timestamp", "v",         "hash"};
	wr_receipt r;
	wr_err err = {0};
	uint8_t hash[WR_HASH_LEN];
	if (wr_receipt_parse(&r, line, len, true, &err) != WR_RF_OK) fail_msg("%s", err.msg);
	json_t *d = wr_receipt_json(&r);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) json_object_del(d, own[i]);
	const wr_envelope env = {.actor = "not used: the draft has one",
	                         .chain = r.chain,
	                         .epoch = r.epoch,
	                         .seq = r.seq,
	                         .timestamp_us = r.timestamp_us,
	                         .prev_hash = r.prev_hash,
	                         .receipt_id = r.receipt_id};
	if (wr_receipt_write(out, hash, &env, d, &err)) fail_msg("%s", err.msg);
	json_decref(d);
}

static void write_first(json_t *draft, wr_buf *out)
{
	static const uint8_t prev[WR_HASH_LEN] = {7};
	wr_err err = {0};
	uint8_t hash[WR_HASH_LEN];
	const wr_envelope env = {.actor = "alice",
	                         .chain = CHAIN,
	                         .epoch = 1,
	                         .seq = 5,
	                         .timestamp_us = T0,
	                         .prev_hash = prev,
	                         .receipt_id = "019bf556-1a33-7abc-8def-0123456789ab"};
	wr_buf_reset(out);
	if (wr_receipt_write(out, hash, &env, draft, &err)) fail_msg("%s", err.msg);
	json_decref(draft);
}

static void must_come_back(const wr_buf *line)
{
	wr_buf again = WR_BUF_INIT(1u << 17);
	write_again(line->data, line->len - 1, &again);
	assert_int_equal(again.len, line->len);
	assert_memory_equal(again.data, line->data, line->len);
	wr_buf_free(&again);
	try_text(line->data + 1, line->len - 2);
}

static void round_trips(void **state)
{
	(void)state;
	uint64_t chance = 8785;
	wr_buf line = WR_BUF_INIT(1u << 17);
	for (int i = 0; i < 3000; i++) {
		json_t *d = json_pack("{s:s}", "operation", "drill_noted");
		for (size_t n = test_next(&chance) % 20; n > 0; n--) {
			char name[16];
			size_t len = 1 + test_next(&chance) % 8;
			for (size_t k = 0; k < len; k++) {
				char c = (char)(' ' + test_next(&chance) % 95);
				name[k] = c == '"' || c == '\\' ? '_' : c;
			}
			name[len] = '\0';
			if (strcmp(name, "v") && strcmp(name, "seq") && strcmp(name, "hash"))
				json_object_set_new(d, name, random_value(&chance));
		}
		write_first(d, &line);
		must_come_back(&line);
	}
	wr_buf_free(&line);
}

/* What of the examples of RFC 8785 can be in a receipt: no floats, no null, nothing nested, and
 * keys are ASCII. The string of section 3.2.2, the one of the published test file unicode.json, the
 * integers of appendix B that are safe ones. */
static void rfc8785(void **state)
{
	(void)state;
	static const char given[] = "{\"operation\":\"x\",\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042"
	                            "\\u0022\\u005c\\\\\\\"\\/\",\"literals\":true,\"not\":false,"
	                            "\"Unnormalized Unicode\":\"A\\u030a\",\"zero\":0,"
	                            "\"most\":9007199254740991,\"least\":-9007199254740991}";
	static const char *const expected[] = {
	    "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"",
	    "{\"Unnormalized Unicode\":\"A\xcc\x8a\",",
	    "\"least\":-9007199254740991,\"literals\":true,\"most\":9007199254740991,\"not\":false,",
	    "\"zero\":0,\"hash\":"};
	wr_err err = {0};
	wr_buf line = WR_BUF_INIT(1u << 17);
	json_t *d = wr_json_parse(given, sizeof given - 1, &err);
	if (!d) fail_msg("%s", err.msg);
	write_first(d, &line);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		if (!strstr(wr_buf_cstr(&line), expected[i])) fail_msg("%s in %s", expected[i], line.data);
	must_come_back(&line);
	wr_buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known),      cmocka_unit_test(a_little_different),
	    cmocka_unit_test(every_byte), cmocka_unit_test(every_length),
	    cmocka_unit_test(zeros),      cmocka_unit_test(round_trips),
	    cmocka_unit_test(rfc8785),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
