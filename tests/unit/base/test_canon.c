/* test_canon.c: RFC 8785 in the subset, written and checked; the two against each other. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/text.h"

static void accepts(const char *s)
{
	wr_err err;
	if (wr_canon_check(s, strlen(s), &err)) fail_msg("%s: %s", s, err.msg);
}

/* refuses checks the message and, if `at` is not negative, the offset that it names. */
static void refuses(const char *s, size_t n, long at, const char *why)
{
	wr_err err = {0};
	if (wr_canon_check(s, n, &err) == 0) fail_msg("accepted: %.*s", (int)n, s);
	assert_int_equal(err.code, WR_E_INVALID);
	if (!strstr(err.msg, why)) fail_msg("%s: \"%s\", not \"%s\"", s, err.msg, why);
	if (at >= 0) {
		char place[32];
		(void)snprintf(place, sizeof place, "at byte %ld:", at);
		if (!strstr(err.msg, place)) fail_msg("%s: \"%s\", not %s", s, err.msg, place);
	}
}

static void test_accepts(void **state)
{
	(void)state;
	static const char *const good[] = {
	    "{}",
	    "{\"\":\"\"}",
	    "{\"a\":1,\"b\":[],\"c\":{},\"d\":[1,[2,{\"x\":true}],false,\"\"]}",
	    "{\"a\":0,\"b\":-1,\"c\":9007199254740991,\"d\":-9007199254740991}",
	    "{\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u0007\\u000b\\u000e\\u0010\\u001f\x7F\"}",
	    "{\"a\":\"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF\"}",
	    "{\"a\":\"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\xE2\x80\xA8\"}",
	    /* Sorted by what the keys mean, not by how they are escaped. */
	    "{\"\\u001f\":1,\" \":2,\"!\":3,\"\\\"\":4,\"#\":5,\"[\":6,\"\\\\\":7,\"]\":8,\"\x7F\":9}",
	    ("{\"\\u0001\":1,\"\\u0007\":2,\"\\b\":3,\"\\t\":4,\"\\n\":5,\"\\u000b\":6,\"\\f\":7,"
	     "\"\\r\":8}"),
	    "{\"A\":1,\"AA\":2,\"B\":3,\"a\":4,\"a\\\"\":5,\"aa\":6}",
	    "{\"a\":{\"z\":1},\"b\":{\"a\":1}}",
	    "{\"a\":[{\"z\":1},{\"a\":1}]}",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) accepts(good[i]);
}

static void test_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		long at;
		const char *why;
	} rows[] = {
	    {"", 0, "object"},
	    {"[]", 0, "object"},
	    {"1", 0, "object"},
	    {"\"a\"", 0, "object"},
	    {"{", 1, "key"},
	    {"{}{}", 2, "after the end"},
	    {"{}\n", 2, "after the end"},
	    {" {}", 0, "object"},
	    {"{ }", 1, "key"},
	    {"{\"a\" :1}", 4, "':'"},
	    {"{\"a\": 1}", 5, "value"},
	    {"{\"a\":1 }", 6, "','"},
	    {"{\"a\":[1, 2]}", 8, "value"},
	    {"{\"a\":1,}", 7, "key"},
	    {"{,}", 1, "key"},
	    {"{\"a\":[1,]}", 8, "value"},
	    {"{\"a\":[,1]}", 6, "value"},
	    {"{\"a\":[1}", 7, "']'"},
	    {"{\"a\":1]", 6, "'}'"},
	    {"{\"a\"}", 4, "':'"},
	    {"{\"a\":}", 5, "value"},
	    {"{\"a\":", 5, "unfinished"},
	    {"{\"a\":1", 6, "'}'"},
	    {"{\"a\":\"x", 7, "unfinished"},
	    {"{\"a", 3, "unfinished"},
	    {"{\"b\":1,\"a\":2}", 7, "sorted"},
	    {"{\"a\":1,\"a\":2}", 7, "duplicate"},
	    {"{\"aa\":1,\"a\":2}", 8, "sorted"},
	    {"{\"a\":{\"b\":1,\"b\":1}}", 12, "duplicate"},
	    {"{\"\\\"\":1,\"!\":2}", 8, "sorted"},
	    {"{\"\":1,\"\":2}", 6, "duplicate"},
	    {"{\"a\":null}", 5, "null"},
	    {"{\"a\":tru}", 5, "value"},
	    {"{\"a\":True}", 5, "value"},
	    {"{\"a\":falsey}", 10, "','"},
	    {"{\"a\":01}", 5, "leading zero"},
	    {"{\"a\":-0}", 5, "negative zero"},
	    {"{\"a\":-01}", 5, "leading zero"},
	    {"{\"a\":+1}", 5, "value"},
	    {"{\"a\":-}", 6, "value"},
	    {"{\"a\":1.0}", 6, "fraction"},
	    {"{\"a\":1e3}", 6, "fraction"},
	    {"{\"a\":1E3}", 6, "fraction"},
	    {"{\"a\":.5}", 5, "value"},
	    {"{\"a\":9007199254740992}", 5, "2^53-1"},
	    {"{\"a\":-9007199254740992}", 5, "2^53-1"},
	    {"{\"a\":99999999999999999999999999999999}", 5, "2^53-1"},
	    {"{\"a\":00000000000000000000}", 5, "leading zero"},
	    {"{\"a\":NaN}", 5, "value"},
	    {"{a:1}", 1, "key"},
	    {"{'a':1}", 1, "key"},
	    {"{1:1}", 1, "key"},
	    {"{\"\xC3\xA9\":1}", 2, "ASCII"},
	    {"{\"a\":\"\\u0041\"}", 6, "escape"},
	    {"{\"a\":\"\\u00e9\"}", 6, "escape"},
	    {"{\"a\":\"\\/\"}", 6, "escape"},
	    {"{\"a\":\"\\u001B\"}", 6, "escape"},
	    {"{\"a\":\"\\U001b\"}", 6, "escape"},
	    {"{\"a\":\"\\u000a\"}", 6, "shorter"},
	    {"{\"a\":\"\\u0008\"}", 6, "shorter"},
	    {"{\"a\":\"\\u0009\"}", 6, "shorter"},
	    {"{\"a\":\"\\u000c\"}", 6, "shorter"},
	    {"{\"a\":\"\\u000d\"}", 6, "shorter"},
	    {"{\"a\":\"\\u0000\"}", 6, "U+0000"},
	    {"{\"a\":\"\\u0020\"}", 6, "escape"},
	    {"{\"a\":\"\\u007f\"}", 6, "escape"},
	    {"{\"a\":\"\\ud83d\\ude00\"}", 6, "escape"},
	    {"{\"a\":\"\\x\"}", 6, "escape"},
	    {"{\"a\":\"\\", 6, "escape"},
	    {"{\"a\":\"\\u00", 6, "escape"},
	    {"{\"a\":\"\\u001", 6, "escape"},
	    {"{\"a\":\"\t\"}", 6, "control"},
	    {"{\"a\":\"12345678\x1F\"}", 14, "control"},
	    {"{\"a\":\"\xC0\xAF\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xC1\xBF\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xE0\x9F\xBF\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xF0\x8F\xBF\xBF\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xED\xA0\x80\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xED\xBF\xBF\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xF4\x90\x80\x80\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xF5\x80\x80\x80\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xFF\"}", 6, "UTF-8"},
	    {"{\"a\":\"\x80\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xE2\x82\"}", 6, "UTF-8"},
	    {"{\"a\":\"\xE2\x82", 6, "UTF-8"},
	    {"{\"a\":\"12345678\x9B\"}", 14, "UTF-8"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		refuses(rows[i].text, strlen(rows[i].text), rows[i].at, rows[i].why);
	refuses("{}\0", 3, 2, "after the end");
	refuses("{\"a\":\"\0\"}", 9, 6, "control");
	refuses("{\"a\":\"\\\0\"}", 10, 6, "escape");
	refuses("{\"a\":\"\\u000\0\"}", 14, 6, "escape");
	refuses("\0", 1, 0, "object");
}

static void test_depth(void **state)
{
	(void)state;
	char text[8 * WR_JSON_DEPTH_MAX], *p = text;
	memcpy(p, "{\"a\":", 5);
	p += 5;
	memset(p, '[', WR_JSON_DEPTH_MAX - 1);
	p += WR_JSON_DEPTH_MAX - 1;
	memset(p, ']', WR_JSON_DEPTH_MAX - 1);
	p += WR_JSON_DEPTH_MAX - 1;
	memcpy(p, "}", 2);
	accepts(text);

	p = text + 5;
	memset(p, '[', WR_JSON_DEPTH_MAX);
	p += WR_JSON_DEPTH_MAX;
	memset(p, ']', WR_JSON_DEPTH_MAX);
	p += WR_JSON_DEPTH_MAX;
	memcpy(p, "}", 2);
	refuses(text, strlen(text), 5 + WR_JSON_DEPTH_MAX - 1, "too deep");
}

/* One string at every alignment: the fast path must not read over anything. */
static void test_every_byte_at_every_offset(void **state)
{
	(void)state;
	static const char head[] = "{\"a\":\"";
	for (unsigned byte = 1; byte < 256; byte++) {
		for (size_t pad = 0; pad < 24; pad++) {
			char text[64];
			memset(text, 'x', sizeof text);
			memcpy(text, head, sizeof head - 1);
			text[6 + pad] = (char)byte;
			text[32] = '"';
			text[33] = '}';
			wr_err err;
			bool fine = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
			assert_int_equal(wr_canon_check(text, 34, &err), fine ? 0 : -1);
		}
	}
}

static void expect_written(json_t *v, const char *text)
{
	wr_buf b = WR_BUF_INIT(4096);
	wr_err err;
	if (wr_canon_write(&b, v, &err)) fail_msg("%s", err.msg);
	assert_string_equal(wr_buf_cstr(&b), text);
	wr_buf_free(&b);
	json_decref(v);
}

static void expect_unwritable(json_t *v, wr_code code)
{
	wr_buf b = WR_BUF_INIT(4096);
	wr_err err;
	assert_fails(wr_canon_write(&b, v, &err), code, &err);
	wr_buf_free(&b);
	json_decref(v);
}

static void test_write(void **state)
{
	(void)state;
	expect_written(
	    json_pack("{s:i,s:[b,b,s],s:{}}", "z", -5, "a", 1, 0, "\x01\x1f\n\"\\/\x7f", "M"),
	    "{\"M\":{},\"a\":[true,false,\"\\u0001\\u001f\\n\\\"\\\\/\x7F\"],\"z\":-5}");
	expect_written(json_pack("{s:i,s:i,s:i,s:i}", "\"", 1, "!", 2, "\\", 3, "[", 4),
	               "{\"!\":2,\"\\\"\":1,\"[\":4,\"\\\\\":3}");
	expect_written(json_string("\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xE2\x82\xAC\xF0\x9F\x98\x80\"");
	expect_written(json_integer(WR_INT_MAX_SAFE), "9007199254740991");
	expect_written(json_integer(-WR_INT_MAX_SAFE), "-9007199254740991");
	expect_written(json_object(), "{}");
}

static void test_write_refuses(void **state)
{
	(void)state;
	expect_unwritable(json_null(), WR_E_INVALID);
	expect_unwritable(json_real(1.0), WR_E_INVALID);
	expect_unwritable(json_integer(WR_INT_MAX_SAFE + 1), WR_E_INVALID);
	expect_unwritable(json_integer(INT64_MIN), WR_E_INVALID);
	expect_unwritable(json_pack("{s:n}", "a"), WR_E_INVALID);
	expect_unwritable(json_pack("[{s:f}]", "a", 1.5), WR_E_INVALID);
	expect_unwritable(json_pack("{s:i}", "\xC3\xA9", 1), WR_E_INVALID);
	expect_unwritable(json_string_nocheck("\xFF"), WR_E_INVALID);
	expect_unwritable(json_stringn("a\0b", 3), WR_E_INVALID);
	expect_unwritable(NULL, WR_E_INVALID);
	json_t *deep = json_object();
	for (unsigned i = 0; i < WR_JSON_DEPTH_MAX; i++) deep = json_pack("[o]", deep);
	expect_unwritable(deep, WR_E_LIMIT);

	json_t *big = json_pack("{s:s}", "a", "0123456789");
	wr_buf b = WR_BUF_INIT(17);
	wr_err err;
	assert_fails(wr_canon_write(&b, big, &err), WR_E_LIMIT, &err);
	wr_buf_free(&b);
	wr_buf_init(&b, 18);
	assert_int_equal(wr_canon_write(&b, big, &err), 0);
	wr_buf_free(&b);
	json_decref(big);
}

static void test_string_replaces_what_is_not_utf8(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(256);
	wr_canon_str(&b, "a\xFF\xE2\x82z\0\x9B", 7);
	assert_string_equal(wr_buf_cstr(&b), "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD\"");
	wr_buf_free(&b);
	wr_canon_str(&b, NULL, 0);
	assert_string_equal(wr_buf_cstr(&b), "\"\"");
	wr_buf_free(&b);
}

/* ---- properties ---- */

static size_t random_text(uint64_t *seed, char *out, size_t max_chars, bool ascii)
{
	size_t len = 0;
	for (size_t n = random_below(seed, max_chars + 1); n > 0; n--) {
		uint32_t cp;
		switch (ascii ? random_below(seed, 2) : random_below(seed, 5)) {
		case 0:
			cp = 1 + (uint32_t)random_below(seed, 0x7F);
			break;
		case 1:
			cp = 0x20 + (uint32_t)random_below(seed, 0x5F);
			break;
		case 2:
			cp = 0x80 + (uint32_t)random_below(seed, 0x780);
			break;
		case 3:
			cp = (uint32_t)random_below(seed, 0xD800 - 1) + 1;
			break;
		default:
			cp = 0xE000 + (uint32_t)random_below(seed, 0x110000 - 0xE000);
		}
		len += wr_utf8_put(out + len, cp);
	}
	out[len] = '\0';
	return len;
}

static json_t *random_value(uint64_t *seed, unsigned depth)
{
	char text[4 * 16 + 1];
	json_t *v;
	switch (random_below(seed, depth < 5 ? 7 : 5)) {
	case 0:
		return json_true();
	case 1:
		return json_false();
	case 2: {
		int64_t n = (int64_t)(next_random(seed) >> (11 + random_below(seed, 50)));
		return json_integer(random_below(seed, 2) ? n : -n);
	}
	case 3:
	case 4:
		random_text(seed, text, 15, false);
		return json_string(text);
	case 5:
		v = json_array();
		for (size_t n = random_below(seed, 5); n > 0; n--)
			json_array_append_new(v, random_value(seed, depth + 1));
		return v;
	default:
		v = json_object();
		for (size_t n = random_below(seed, 6); n > 0; n--) {
			random_text(seed, text, 6, true);
			json_object_set_new(v, text, random_value(seed, depth + 1));
		}
		return v;
	}
}

static json_t *random_object(uint64_t *seed)
{
	json_t *v = random_value(seed, 0);
	while (!json_is_object(v)) {
		json_decref(v);
		v = random_value(seed, 0);
	}
	return v;
}

/* What is written passes the check, reads back equal, and writes to the same bytes again. */
static void test_random_values_round_trip(void **state)
{
	(void)state;
	uint64_t seed = 42;
	for (unsigned round = 0; round < 3000; round++) {
		json_t *v = random_object(&seed);
		wr_buf once = WR_BUF_INIT(1 << 20), twice = WR_BUF_INIT(1 << 20);
		wr_err err;
		if (wr_canon_write(&once, v, &err)) fail_msg("%s", err.msg);
		accepts(once.data);
		json_t *back = wr_json_parse(once.data, once.len, &err);
		assert_true(json_equal(v, back));
		assert_int_equal(wr_canon_write(&twice, back, &err), 0);
		assert_string_equal(once.data, twice.data);
		/* The API's form says the same, and escapes more. */
		wr_buf_reset(&twice);
		wr_json_dump(&twice, back);
		json_t *dumped = wr_json_parse(twice.data, twice.len, &err);
		assert_true(json_equal(v, dumped));
		json_decref(dumped);
		wr_buf_free(&once);
		wr_buf_free(&twice);
		json_decref(back);
		json_decref(v);
	}
}

static void mutate(uint64_t *seed, char *s, size_t *n)
{
	static const char likely[] = "{}[]\",:\\u0019-e.tn /\n";
	char c = random_below(seed, 2) ? likely[random_below(seed, sizeof likely - 1)]
	                               : (char)next_random(seed);
	size_t i = random_below(seed, *n);
	switch (random_below(seed, 4)) {
	case 0:
		s[i] = c;
		break;
	case 1:
		memmove(s + i, s + i + 1, --*n - i);
		break;
	case 2:
		memmove(s + i + 1, s + i, (*n)++ - i);
		s[i] = c;
		break;
	default: {
		size_t k = random_below(seed, *n);
		char t = s[i];
		s[i] = s[k];
		s[k] = t;
	}
	}
}

/* A changed text is canonical exactly if parsing and writing it gives it back. */
static void test_mutations_against_the_writer(void **state)
{
	(void)state;
	uint64_t seed = 4242;
	unsigned accepted_count = 0;
	for (unsigned round = 0; round < 400; round++) {
		json_t *v = random_object(&seed);
		wr_buf b = WR_BUF_INIT(1 << 20);
		wr_err err;
		assert_int_equal(wr_canon_write(&b, v, &err), 0);
		for (unsigned k = 0; k < 50; k++) {
			size_t n = b.len;
			char *text = malloc(n + 1);
			assert_non_null(text);
			memcpy(text, b.data, n);
			mutate(&seed, text, &n);
			bool accepted = wr_canon_check(text, n, &err) == 0, same = false;
			json_t *back = wr_json_parse(text, n, &err);
			if (json_is_object(back)) {
				wr_buf again = WR_BUF_INIT(1 << 20);
				same = wr_canon_write(&again, back, &err) == 0 && again.len == n &&
				       memcmp(again.data, text, n) == 0;
				wr_buf_free(&again);
			}
			if (accepted != same) fail_msg("%d %d: %.*s", accepted, same, (int)n, text);
			accepted_count += accepted;
			json_decref(back);
			free(text);
		}
		wr_buf_free(&b);
		json_decref(v);
	}
	assert_true(accepted_count > 0);
}

static void test_every_prefix_is_refused(void **state)
{
	(void)state;
	const char *text =
	    "{\"a\":[1,-20,\"x\\n\\u001f\xE2\x82\xAC\xF0\x9F\x98\x80\",{\"b\":true}],\"c\":false}";
	accepts(text);
	for (size_t n = 0; n < strlen(text); n++) {
		/* A copy of exactly that size, so that the sanitizers see any byte read too far. */
		char *cut = malloc(n ? n : 1);
		assert_non_null(cut);
		memcpy(cut, text, n);
		wr_err err;
		assert_int_equal(wr_canon_check(cut, n, &err), -1);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepts),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_every_byte_at_every_offset),
	    cmocka_unit_test(test_write),
	    cmocka_unit_test(test_write_refuses),
	    cmocka_unit_test(test_string_replaces_what_is_not_utf8),
	    cmocka_unit_test(test_random_values_round_trip),
	    cmocka_unit_test(test_mutations_against_the_writer),
	    cmocka_unit_test(test_every_prefix_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
