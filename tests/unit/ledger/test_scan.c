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

#define ENVELOPE_START "\"actor\":\"engine:bastion\",\"chain\":\"us-central1/ops\",\"epoch\":3,"
#define ENVELOPE_END                                                                               \
	"\"operation\":\"step_intent\",\"prev_hash\":"                                                 \
	"\"00000000000000000000000000000000000000000000000000000000000000ff\",\"receipt_id\":"         \
	"\"019bf556-1a33-7abc-8def-0123456789ab\",\"seq\":12,\"timestamp\":"                           \
	"\"2024-02-29T12:40:15.123456Z\",\"v\":1"
#define PLAIN ENVELOPE_START ENVELOPE_END
#define RICH                                                                                       \
	ENVELOPE_START                                                                                 \
	    "\"incident\":\"INC\",\"late\":true,\"n\":-9007199254740991,\"no\":false," ENVELOPE_END    \
	    ",\"x\":\"\\\\\\\"\\b\\f\\n\\r\\t\\u0001\\u001f \xc3\x84 \xe2\x86\x92 "                    \
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known),
	    cmocka_unit_test(a_little_different),
	    cmocka_unit_test(every_byte),
	    cmocka_unit_test(every_length),
	    cmocka_unit_test(zeros),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
