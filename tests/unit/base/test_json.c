/* test_json.c: JSON from outside, pointers, and the API's output. */
#include "check.h"

#include <float.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/json.h"
#include "warroom/limits.h"

static json_t *parse(const char *s)
{
	wr_err err;
	json_t *v = wr_json_parse(s, strlen(s), &err);
	if (!v) print_error("%s: %s\n", s, err.msg);
	assert_non_null(v);
	return v;
}

static void expect_refused(const char *s, size_t n, wr_code code)
{
	wr_err err = {0};
	json_t *v = wr_json_parse(s, n, &err);
	if (v) print_error("accepted: %.*s\n", (int)n, s);
	assert_null(v);
	assert_int_equal(err.code, code);
	assert_true(strncmp(err.msg, "JSON at ", 8) == 0);
}

static void test_parse_any_value(void **state)
{
	(void)state;
	static const char *const good[] = {
	    "{}",
	    "[]",
	    "\"s\"",
	    "1",
	    "-1.5e3",
	    "true",
	    "null",
	    " { \"a\" : [ 1 , 2 ] } \n",
	    "\"\\ud83d\\ude00\"",
	    "9223372036854775807",
	    "{\"\":1}",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) json_decref(parse(good[i]));
}

static void test_parse_refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "",
	    " ",
	    "{",
	    "}",
	    "[1,]",
	    "{\"a\":1,}",
	    "{a:1}",
	    "'a'",
	    "nul",
	    "NaN",
	    "Infinity",
	    "+1",
	    "01",
	    "1.",
	    ".5",
	    "1e",
	    "\"\n\"",
	    "\"\\x41\"",
	    "\"\\ud800\"",
	    "\"\\udc00\\ud800\"",
	    "1 2",
	    "{} {}",
	    "{\"a\":1}x",
	    "// c\n1",
	    "{\"a\":1,\"a\":2}",
	    "{\"a\":{\"b\":1,\"b\":1}}",
	    "{\"a\":1,\"\\u0061\":2}",
	    "99999999999999999999",
	    "-99999999999999999999",
	    "1e400",
	    "-1e400",
	    "\"\\u0000\"",
	    "{\"a\\u0000b\":1}",
	    "\xEF\xBB\xBF{}",
	    "\"\xC0\x80\"",
	    "\"\xED\xA0\x80\"",
	    "\"\xF4\x90\x80\x80\"",
	    "\"\xFF\"",
	    "\"\xE2\x82\"",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_refused(bad[i], strlen(bad[i]), WR_E_INVALID);
	expect_refused("{}\0", 3, WR_E_INVALID);
	expect_refused("\"a\0b\"", 5, WR_E_INVALID);
	expect_refused("\0", 1, WR_E_INVALID);
}

static void test_errors_say_where(void **state)
{
	(void)state;
	wr_err err;
	const char *text = "{\"a\": 1,\n \"b\": oops}";
	assert_null(wr_json_parse(text, strlen(text), &err));
	assert_non_null(strstr(err.msg, "line 2, column"));
	assert_non_null(strstr(err.msg, "byte "));
}

static void test_errors_are_harmless_to_show(void **state)
{
	(void)state;
	wr_err err;
	const char *text = "{\"a\": \x1b[2J\xC2\x9B";
	assert_null(wr_json_parse(text, strlen(text), &err));
	for (const char *p = err.msg; *p; p++) assert_true((unsigned char)*p >= 0x20);
	assert_null(strstr(err.msg, "\xC2\x9B"));
}

static void nest(char *out, size_t depth, char open, char close)
{
	memset(out, open, depth);
	memset(out + depth, close, depth);
	out[2 * depth] = '\0';
}

static void test_depth_is_bounded_before_the_parser(void **state)
{
	(void)state;
	enum { DEEP = 200000 };
	static char text[2 * DEEP + 1];
	nest(text, WR_JSON_DEPTH_MAX, '[', ']');
	json_decref(parse(text));
	nest(text, WR_JSON_DEPTH_MAX + 1, '[', ']');
	expect_refused(text, strlen(text), WR_E_LIMIT);
	nest(text, DEEP, '[', ']');
	expect_refused(text, strlen(text), WR_E_LIMIT);
	nest(text, DEEP, '{', '}');
	expect_refused(text, strlen(text), WR_E_LIMIT);
}

static void test_brackets_in_strings_are_no_depth(void **state)
{
	(void)state;
	json_decref(parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[\""));
	json_decref(parse("[\"\\\\\",[\"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\"]]"));
}

static void test_pointer_rfc6901(void **state)
{
	(void)state;
	/* The document and the table of RFC 6901 section 5. */
	json_t *root =
	    parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
	          "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}");
	static const struct {
		const char *pointer;
		int64_t value;
	} rows[] = {
	    {"/", 0},     {"/a~1b", 1}, {"/c%d", 2}, {"/e^f", 3},  {"/g|h", 4},
	    {"/i\\j", 5}, {"/k\"l", 6}, {"/ ", 7},   {"/m~0n", 8},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const json_t *v = wr_json_get(root, rows[i].pointer);
		assert_true(json_is_integer(v));
		assert_int_equal(json_integer_value(v), rows[i].value);
	}
	assert_ptr_equal(wr_json_get(root, ""), root);
	assert_true(json_is_array(wr_json_get(root, "/foo")));
	assert_string_equal(json_string_value(wr_json_get(root, "/foo/0")), "bar");
	assert_string_equal(json_string_value(wr_json_get(root, "/foo/1")), "baz");

	static const char *const nothing[] = {
	    "foo",
	    "/foo/2",
	    "/foo/-",
	    "/foo/01",
	    "/foo/",
	    "/foo/+1",
	    "/foo/ 1",
	    "/foo/1x",
	    "/foo/0/0",
	    "/foo/18446744073709551616",
	    "/foo/99999999999999999999999",
	    "/m~n",
	    "/m~2n",
	    "/m~",
	    "/none",
	    "//",
	    "/foo/0/",
	    "/a/b",
	};
	for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
		assert_null(wr_json_get(root, nothing[i]));
	assert_null(wr_json_get(NULL, ""));
	assert_null(wr_json_get(NULL, "/a"));
	json_decref(root);
}

static void test_pointer_escapes_undo_in_order(void **state)
{
	(void)state;
	json_t *root = parse("{\"~1\":\"right\",\"/\":\"wrong\"}");
	assert_string_equal(json_string_value(wr_json_get(root, "/~01")), "right");
	json_decref(root);
}

static void test_pointer_with_long_tokens(void **state)
{
	(void)state;
	char *pointer = malloc(100001);
	assert_non_null(pointer);
	memset(pointer, 'x', 100000);
	pointer[0] = '/';
	pointer[100000] = '\0';
	json_t *root = parse("{\"x\":1}");
	assert_null(wr_json_get(root, pointer));
	json_decref(root);
	free(pointer);
}

static void test_members_with_defaults(void **state)
{
	(void)state;
	json_t *o = parse("{\"s\":\"text\",\"i\":-7,\"t\":true,\"f\":false,\"n\":null,\"r\":1.5}");
	assert_string_equal(wr_json_str(o, "s", "d"), "text");
	assert_string_equal(wr_json_str(o, "i", "d"), "d");
	assert_null(wr_json_str(o, "none", NULL));
	assert_int_equal(wr_json_int(o, "i", 5), -7);
	assert_int_equal(wr_json_int(o, "r", 5), 5);
	assert_int_equal(wr_json_int(o, "t", 5), 5);
	assert_true(wr_json_bool(o, "t", false));
	assert_false(wr_json_bool(o, "f", true));
	assert_true(wr_json_bool(o, "n", true));
	assert_string_equal(wr_json_str(NULL, "s", "d"), "d");
	assert_int_equal(wr_json_int(NULL, "s", 3), 3);
	assert_true(wr_json_bool(NULL, "s", true));
	assert_int_equal(wr_json_int(json_object_get(o, "s"), "s", 4), 4);
	json_decref(o);
}

static void expect_dump(json_t *v, const char *text)
{
	wr_buf b = WR_BUF_INIT(4096);
	wr_json_dump(&b, v);
	assert_true(wr_buf_ok(&b));
	assert_string_equal(wr_buf_cstr(&b), text);
	wr_buf_free(&b);
	json_decref(v);
}

static void test_dump(void **state)
{
	(void)state;
	expect_dump(parse("{\"b\":[1,2.5,null,true],\"a\":{\"z\":\"\\n\\u001f\\u00e9/\",\"y\":[]}}"),
	            "{\"a\":{\"y\":[],\"z\":\"\\n\\u001f\xC3\xA9/\"},\"b\":[1,2.5,null,true]}");
	expect_dump(parse("{\"\\u00e9\":1,\"z\":2}"), "{\"z\":2,\"\xC3\xA9\":1}");
	expect_dump(json_real(0.1), "0.1");
	expect_dump(json_real(3), "3.0");
	expect_dump(json_real(-0.0), "-0.0");
	expect_dump(json_real(1e22), "1e+22");
	expect_dump(json_real(1.0 / 3.0), "0.3333333333333333");
	expect_dump(json_real(DBL_MAX), "1.7976931348623157e+308");
	expect_dump(json_integer(INT64_MIN), "-9223372036854775808");
}

/* Law 12: raw JSON on a terminal is harmless, and still the same JSON. */
static void test_dump_is_harmless(void **state)
{
	(void)state;
	expect_dump(json_string("a\x1b[2J\x7f\xC2\x9b\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\xA8\xEF\xBB\xBF"
	                        "\xF3\xA0\x80\x81z"),
	            "\"a\\u001b[2J\\u007f\\u009b\\u202e\\u2066\\u2028\\ufeff\\udb40\\udc01z\"");
	expect_dump(json_string("\xC3\xA9\xE2\x86\x92 \xF0\x9F\x98\x80\n"),
	            "\"\xC3\xA9\xE2\x86\x92 \xF0\x9F\x98\x80\\n\"");
	expect_dump(parse("{\"\\u202e\":1}"), "{\"\\u202e\":1}");
	static const char hostile[] = "\"\\udb40\\udc01\\u009b\\u2028\\\\u202e\\u202e\"";
	json_t *v = parse(hostile);
	wr_buf b = WR_BUF_INIT(4096);
	wr_json_dump(&b, v);
	assert_string_equal(wr_buf_cstr(&b), hostile);
	json_t *back = parse(wr_buf_cstr(&b));
	assert_true(json_equal(v, back));
	json_decref(back);
	json_decref(v);
	wr_buf_free(&b);
	wr_buf_init(&b, 20); /* room for the canonical form, none for the escapes */
	v = json_string("\xC2\x9b\xC2\x9b\xC2\x9b\xC2\x9b\xC2\x9b\xC2\x9b");
	wr_json_dump(&b, v);
	assert_false(wr_buf_ok(&b));
	json_decref(v);
	wr_buf_free(&b);
}

static void test_sanitise(void **state)
{
	(void)state;
	static const char *const multi[] = {"output", NULL};
	static const char *const cases[][2] = {
	    {"{\"a\":\"x\\ny\",\"output\":\"x\\ny\"}",
	     "{\"a\":\"x\xEF\xBF\xBDy\",\"output\":\"x\\ny\"}"},
	    {"{\"output\":[\"x\\ny\",{\"b\":\"x\\ny\"}]}",
	     "{\"output\":[\"x\\ny\",{\"b\":\"x\xEF\xBF\xBDy\"}]}"},
	    {"[\"\\u001b[2J\\u202e\\u009b\",1,null,true,2.5]",
	     "[\"\xEF\xBF\xBD[2J\xEF\xBF\xBD\xEF\xBF\xBD\",1,null,true,2.5]"},
	    {"\"plain \\u00e9 \\u2192\"", "\"plain \xC3\xA9 \xE2\x86\x92\""},
	    {"{\"output\":\"a\\r\\nb\\u0008\"}", "{\"output\":\"a\xEF\xBF\xBD\\nb\xEF\xBF\xBD\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_t *v = parse(cases[i][0]);
		assert_int_equal(wr_json_sanitise(v, multi), 0);
		expect_dump(v, cases[i][1]);
	}
}

static void test_dump_ignores_the_locale(void **state)
{
	(void)state;
	static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "fa_IR.UTF-8", "ps_AF.UTF-8"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!setlocale(LC_NUMERIC, names[i])) continue;
		expect_dump(json_real(-1234.5), "-1234.5");
		expect_dump(json_real(2.5e-9), "2.5e-09");
	}
	(void)setlocale(LC_NUMERIC, "C");
}

static void test_dump_reads_back(void **state)
{
	(void)state;
	uint64_t seed = 11;
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t bits = next_random(&seed);
		double d;
		memcpy(&d, &bits, sizeof d);
		json_t *v = json_real(d);
		if (!v) continue; /* NaN and infinities are no JSON */
		wr_buf b = WR_BUF_INIT(64);
		wr_json_dump(&b, v);
		json_t *back = parse(wr_buf_cstr(&b));
		assert_true(json_equal(v, back));
		json_decref(back);
		json_decref(v);
		wr_buf_free(&b);
	}
}

static void test_dump_is_bounded(void **state)
{
	(void)state;
	json_t *deep = json_array();
	for (unsigned i = 0; i < 2000; i++) {
		json_t *outer = json_array();
		json_array_append_new(outer, deep);
		deep = outer;
	}
	wr_buf b = WR_BUF_INIT(1 << 20);
	wr_json_dump(&b, deep);
	assert_false(wr_buf_ok(&b));
	wr_buf_free(&b);
	json_decref(deep);

	json_t *wide = parse("[1,2,3,4,5,6,7,8,9]");
	wr_buf_init(&b, 8);
	wr_json_dump(&b, wide);
	assert_false(wr_buf_ok(&b));
	wr_buf_reset(&b);
	wr_json_dump(&b, NULL);
	assert_false(wr_buf_ok(&b));
	wr_buf_free(&b);
	json_decref(wide);
}

static unsigned allocations_left;

static void *failing_malloc(size_t size)
{
	if (allocations_left == 0) return NULL;
	allocations_left--;
	return malloc(size);
}

/* Out of memory at each allocation in turn: an error or a whole value, never a crash or a leak. */
static void test_parse_out_of_memory(void **state)
{
	(void)state;
	const char *text = "{\"a\":[1,2.5,{\"b\":\"text\",\"c\":[[],{}]}],\"d\":\"\\u00e9\",\"e\":-3}";
	json_set_alloc_funcs(failing_malloc, free);
	bool parsed = false;
	for (unsigned n = 0; !parsed && n < 1000; n++) {
		wr_err err = {0};
		allocations_left = n;
		json_t *v = wr_json_parse(text, strlen(text), &err);
		allocations_left = UINT32_MAX;
		parsed = v != NULL;
		if (!v) assert_int_not_equal(err.code, WR_E_OK);
		json_decref(v);
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(parsed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_any_value),
	    cmocka_unit_test(test_parse_refuses),
	    cmocka_unit_test(test_errors_say_where),
	    cmocka_unit_test(test_errors_are_harmless_to_show),
	    cmocka_unit_test(test_depth_is_bounded_before_the_parser),
	    cmocka_unit_test(test_brackets_in_strings_are_no_depth),
	    cmocka_unit_test(test_pointer_rfc6901),
	    cmocka_unit_test(test_pointer_escapes_undo_in_order),
	    cmocka_unit_test(test_pointer_with_long_tokens),
	    cmocka_unit_test(test_members_with_defaults),
	    cmocka_unit_test(test_dump),
	    cmocka_unit_test(test_dump_is_harmless),
	    cmocka_unit_test(test_sanitise),
	    cmocka_unit_test(test_dump_ignores_the_locale),
	    cmocka_unit_test(test_dump_reads_back),
	    cmocka_unit_test(test_dump_is_bounded),
	    cmocka_unit_test(test_parse_out_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
