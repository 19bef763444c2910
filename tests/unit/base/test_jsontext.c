/* test_jsontext.c: JSON that others wrote: what is refused, what the canonicalisers write. RFC
 * 8785's numbers and published test data; Python's json.dumps over thousands of random values,
 * where there is a /usr/bin/python3. */
#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/jsontext.h"
#include "warroom/limits.h"
#include "warroom/text.h"

static const wr_canon_style JCS = {.kind = WR_CANON_JCS}, RAW = {.kind = WR_CANON_RAW},
                            JANSSON = {.kind = WR_CANON_JANSSON},
                            PYTHON = {.kind = WR_CANON_PYTHON};

/* Parses, leaves out the members at `exclude` (ended by NULL, may be NULL), writes. */
static int canon(const char *text, size_t n, const wr_canon_style *style,
                 const char *const *exclude, wr_buf *out, wr_err *err)
{
	wr_jt *j = wr_jt_new();
	assert_non_null(j);
	int rc = wr_jt_parse(j, text, n, err);
	for (; rc == 0 && exclude && *exclude; exclude++) {
		uint32_t node = wr_jt_at(j, *exclude);
		if (node != WR_JT_NONE) wr_jt_exclude(j, node);
	}
	if (rc == 0) rc = wr_jt_write(j, style, out, err);
	wr_jt_free(j);
	return rc;
}

static void gives(const char *text, const wr_canon_style *style, const char *const *exclude,
                  const char *expected)
{
	wr_err err = {0};
	wr_buf out = WR_BUF_INIT(1u << 20);
	if (canon(text, strlen(text), style, exclude, &out, &err)) fail_msg("%s: %s", text, err.msg);
	assert_string_equal(wr_buf_cstr(&out), expected);
	wr_buf_free(&out);
}

static void refused(const char *text, size_t n, const wr_canon_style *style, const char *why)
{
	wr_err err = {0};
	wr_buf out = WR_BUF_INIT(1u << 20);
	if (canon(text, n, style, NULL, &out, &err) == 0) fail_msg("accepted: %.*s", (int)n, text);
	if (!strstr(err.msg, why)) fail_msg("%.*s: \"%s\", not \"%s\"", (int)n, text, err.msg, why);
	wr_buf_free(&out);
}

/* ---- the tokenizer ---- */

static void test_refuses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} bad[] = {
	    {"", "expected a JSON value at byte 0"},
	    {"{", "expected a key"},
	    {"{\"a\"}", "expected a colon"},
	    {"{\"a\":1,}", "expected a key"},
	    {"{\"a\":1 \"b\":2}", "expected , or }"},
	    {"[1,]", "expected a JSON value"},
	    {"[1", "expected , or ]"},
	    {"[1]]", "something after"},
	    {"{} {}", "something after the value at byte 3"},
	    {"{\"a\":1,\"a\":2}", "twice"},
	    {"{\"a\":1,\"\\u0061\":2}", "twice"},
	    {"{\"x\":{\"k\":1,\"j\":2,\"k\":3}}", "twice"},
	    {"nul", "no JSON value"},
	    {"nan", "no JSON value"},
	    {"NaN", "expected a JSON value"},
	    {"Infinity", "expected a JSON value"},
	    {"+1", "expected a JSON value"},
	    {".5", "expected a JSON value"},
	    {"01", "something after"},
	    {"-", "without digits"},
	    {"1.", "point"},
	    {"1e", "exponent"},
	    {"1e+", "exponent"},
	    {"0x10", "something after"},
	    {"\"", "does not end"},
	    {"\"\\", "does not end"},
	    {"\"\\x\"", "unknown escape"},
	    {"\"\\u12\"", "four digits"},
	    {"\"\\u12g4\"", "four digits"},
	    {"\"\n\"", "control character"},
	    {"\"\x01\"", "control character"},
	    {"\"\xff\"", "UTF-8"},
	    {"\"\xc0\x80\"", "UTF-8"},
	    {"\"\xed\xa0\x80\"", "UTF-8"},
	    {"\"\xf5\x80\x80\x80\"", "UTF-8"},
	    {"\"\xe2\x82\"", "UTF-8"},
	    {"'a'", "expected a JSON value"},
	    {"/*c*/1", "expected a JSON value"},
	    {"\xef\xbb\xbf{}", "expected a JSON value"},
	    {"{a:1}", "expected a key"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused(bad[i].text, strlen(bad[i].text), &RAW, bad[i].why);
	refused("\"\0\"", 3, &RAW, "control character");
	refused("1\0", 2, &RAW, "something after");
}

static void test_bounds(void **state)
{
	(void)state;
	wr_buf t = WR_BUF_INIT(4u << 20), out = WR_BUF_INIT(4u << 20);
	wr_err err = {0};
	for (int depth = WR_JSON_DEPTH_MAX; depth <= WR_JSON_DEPTH_MAX + 1; depth++) {
		wr_buf_reset(&t);
		for (int i = 0; i < depth; i++) wr_buf_addc(&t, '[');
		for (int i = 0; i < depth; i++) wr_buf_addc(&t, ']');
		assert_int_equal(canon(t.data, t.len, &JCS, NULL, &out, &err),
		                 depth <= WR_JSON_DEPTH_MAX ? 0 : -1);
	}
	wr_buf_reset(&t);
	for (unsigned i = 0; i < WR_JT_NUMBER_MAX; i++) wr_buf_addc(&t, '9');
	assert_int_equal(canon(t.data, t.len, &PYTHON, NULL, &out, &err), 0);
	wr_buf_addc(&t, '9');
	refused(t.data, t.len, &PYTHON, "4300 characters");
	wr_buf_reset(&t);
	wr_buf_addc(&t, '[');
	for (unsigned i = 0; i < WR_JT_NODES_MAX; i++) wr_buf_adds(&t, i ? ",1" : "1");
	wr_buf_addc(&t, ']');
	refused(t.data, t.len, &RAW, "more than");
	/* Many keys: found equal without looking at each pair. */
	wr_buf_reset(&t);
	wr_buf_addc(&t, '{');
	for (int i = 0; i < 50000; i++) wr_buf_addf(&t, "%s\"k%d\":1", i ? "," : "", i);
	size_t good = t.len;
	wr_buf_addc(&t, '}');
	wr_buf_reset(&out);
	assert_int_equal(canon(t.data, t.len, &JCS, NULL, &out, &err), 0);
	t.len = good;
	wr_buf_adds(&t, ",\"k777\":2}");
	refused(t.data, t.len, &RAW, "twice");
	wr_buf_free(&t);
	wr_buf_free(&out);
}

static void test_looks_around(void **state)
{
	(void)state;
	static const char text[] =
	    " {\"a/b\":[10,{\"~\":\"\\u20ac\\ud83d\\ude02\"}],\"n\":-42,\"big\":12345678901234567890,"
	    "\"lone\":\"\\ud800\",\"\":0} ";
	wr_err err = {0};
	wr_buf s = WR_BUF_INIT(100);
	wr_jt *j = wr_jt_new();
	size_t n;
	int64_t v;
	assert_int_equal(wr_jt_parse(j, text, strlen(text), &err), 0);
	assert_int_equal(wr_jt_count(j, 0), 5);
	(void)wr_jt_raw(j, 0, &n);
	assert_int_equal(n, strlen(text) - 2);
	uint32_t node = wr_jt_at(j, "/a~1b/1/~0");
	assert_int_not_equal(node, WR_JT_NONE);
	assert_int_equal(wr_jt_string(j, node, &s), 0);
	assert_string_equal(wr_buf_cstr(&s), "\xe2\x82\xac\xf0\x9f\x98\x82");
	assert_true(wr_jt_integer(j, wr_jt_at(j, "/n"), &v));
	assert_int_equal(v, -42);
	assert_false(wr_jt_integer(j, wr_jt_at(j, "/big"), &v));
	assert_int_equal(wr_jt_string(j, wr_jt_at(j, "/lone"), &s), -1);
	assert_int_equal(wr_jt_string(j, wr_jt_at(j, "/n"), &s), -1);
	assert_int_not_equal(wr_jt_at(j, "/"), WR_JT_NONE);
	static const char *const none[] = {"/a",      "/a~1b/2", "/a~1b/01", "/a~1b/x",
	                                   "/a~1b/-", "/n/0",    "x",        "/a~1b/1/~0/0"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		if (wr_jt_at(j, none[i]) != WR_JT_NONE) fail_msg("%s is there", none[i]);
	wr_jt_free(j);
	wr_buf_free(&s);
}

/* ---- numbers ---- */

/* RFC 8785, appendix B. */
static void test_numbers_of_the_rfc(void **state)
{
	(void)state;
	static const struct {
		uint64_t bits;
		const char *text;
	} rows[] = {
	    {0x0000000000000000, "0"},
	    {0x8000000000000000, "0"},
	    {0x0000000000000001, "5e-324"},
	    {0x8000000000000001, "-5e-324"},
	    {0x7fefffffffffffff, "1.7976931348623157e+308"},
	    {0xffefffffffffffff, "-1.7976931348623157e+308"},
	    {0x4340000000000000, "9007199254740992"},
	    {0xc340000000000000, "-9007199254740992"},
	    {0x4430000000000000, "295147905179352830000"},
	    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
	    {0x44b52d02c7e14af6, "1e+23"},
	    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
	    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
	    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
	    {0x444b1ae4d6e2ef50, "1e+21"},
	    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
	    {0x3eb0c6f7a0b5ed8d, "0.000001"},
	    {0x41b3de4355555553, "333333333.3333332"},
	    {0x41b3de4355555554, "333333333.33333325"},
	    {0x41b3de4355555555, "333333333.3333333"},
	    {0x41b3de4355555556, "333333333.3333334"},
	    {0x41b3de4355555557, "333333333.33333343"},
	    {0xbecbf647612f3696, "-0.0000033333333333333333"},
	    {0x43143ff3c1cb0959, "1424953923781206.2"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		double v;
		char text[64], out[WR_NUMBER_LEN];
		memcpy(&v, &rows[i].bits, sizeof v);
		(void)snprintf(text, sizeof text, "%.17g", v);
		assert_true(wr_number_es6(text, strlen(text), out));
		assert_string_equal(out, rows[i].text);
	}
	char out[WR_NUMBER_LEN];
	assert_false(wr_number_es6("1e400", 5, out));
	/* The closest of 16 digits does not read back, the one above it does. */
	assert_true(wr_number_es6("5.684341886080802e-14", 21, out));
	assert_string_equal(out, "5.684341886080802e-14");
	refused("{\"a\":-1e400}", 12, &JCS, "no finite double");
}

/* What is written reads back as the same double, and no shorter text does. */
static void test_numbers_read_back(void **state)
{
	(void)state;
	uint64_t seed = 8785;
	for (int i = 0; i < 50000; i++) {
		double v, back;
		char text[64], out[WR_NUMBER_LEN];
		uint64_t bits = next_random(&seed);
		if (i % 4 == 0) bits &= UINT64_C(0xFFF0000000000000); /* powers of two */
		if (i % 4 == 1) bits &= UINT64_C(0x800FFFFFFFFFFFFF); /* subnormals */
		memcpy(&v, &bits, sizeof v);
		if (!(v - v == 0)) continue;
		(void)snprintf(text, sizeof text, "%.17g", v);
		assert_true(wr_number_es6(text, strlen(text), out));
		back = strtod(out, NULL);
		if (back != v) fail_msg("%s gave %s", text, out);
		assert_true(wr_number_python(text, strlen(text), out));
		back = strtod(out, NULL);
		if (back != v) fail_msg("%s gave %s", text, out);
	}
}

/* ---- RFC 8785 ---- */

/* The RFC's own example, and the test data published with it. */
static void test_jcs(void **state)
{
	(void)state;
	gives("{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"
	      "\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
	      "\"literals\":[null,true,false]}",
	      &JCS, NULL,
	      "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
	      "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
	gives(
	    "{\n  \"\\u20ac\": \"Euro Sign\",\n  \"1\": \"One\",\n  \"\\u0080\": \"Control\\u007f\",\n"
	    "  \"\\ud83d\\ude02\": \"Smiley\",\n  \"\\u00f6\": \"Latin Small Letter O With "
	    "Diaeresis\",\n  \"\\ufb33\": \"Hebrew Letter Dalet With Dagesh\",\n"
	    "  \"</script>\": \"Browser Challenge\"\n}\n",
	    &JCS, NULL,
	    "{\"1\":\"One\",\"</script>\":\"Browser Challenge\",\"\xc2\x80\":\"Control\x7f\","
	    "\"\xc3\xb6\":\"Latin Small Letter O With Diaeresis\",\"\xe2\x82\xac\":\"Euro Sign\","
	    "\"\xf0\x9f\x98\x82\":\"Smiley\",\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
	gives("{\n  \"1\": {\"f\": {\"f\": \"hi\",\"F\": 5} ,\"\\n\": 56.0},\n  \"10\": { },\n"
	      "  \"\": \"empty\",\n  \"a\": { },\n  \"111\": [ { } ],\n  \"A\": { }\n}",
	      &JCS, NULL,
	      "{\"\":\"empty\",\"1\":{\"\\n\":56,\"f\":{\"F\":5,\"f\":\"hi\"}},\"10\":{},\"111\":[{}],"
	      "\"A\":{},\"a\":{}}");
	gives("{\n  \"peach\": \"This sorting order\",\n  \"p\xc3\xa9"
	      "ch\xc3\xa9\": \"is wrong according to French\",\n  \"p\xc3\xaa"
	      "che\": \"but canonicalization MUST\",\n  \"sin\":   \"ingnore locale\"\n}\n",
	      &JCS, NULL,
	      "{\"peach\":\"This sorting order\",\"p\xc3\xa9"
	      "ch\xc3\xa9\":\"is wrong according to French\",\"p\xc3\xaa"
	      "che\":\"but canonicalization MUST\",\"sin\":\"ingnore locale\"}");
	gives("{\n  \"Unnormalized Unicode\":\"\\u1e0d\\u0307\"\n}\n", &JCS, NULL,
	      "{\"Unnormalized Unicode\":\"\xe1\xb8\x8d\xcc\x87\"}");
	gives("[\n  56,\n  {\n    \"d\": true,\n    \"10\": null,\n    \"1\": [ ]\n  }\n]\n", &JCS,
	      NULL, "[56,{\"1\":[],\"10\":null,\"d\":true}]");
	gives("{\"c\":\"\\u0000\\b\\t\\n\\f\\r\\u001f\\u0020\"}", &JCS, NULL,
	      "{\"c\":\"\\u0000\\b\\t\\n\\f\\r\\u001f \"}");
	refused("{\"a\":\"\\ud800\"}", 14, &JCS, "surrogate");
	refused("{\"\\udc00x\":1}", 13, &JCS, "surrogate");
	refused("[\"\\ud800\\ud800\"]", 16, &JCS, "surrogate");
}

/* ---- the bytes as they are ---- */

static void test_raw(void **state)
{
	(void)state;
	static const char *const hash[] = {"/hash", NULL}, *const two[] = {"/hash", "/sig", NULL},
	                         *const deep[] = {"/m/sig", "/hash", NULL},
	                         *const all[] = {"/a", "/hash", NULL}, *const none[] = {"/x", NULL};
	gives(" {\"b\":1, \"hash\":\"x\", \"a\":2 } ", &RAW, hash, "{\"b\":1, \"a\":2 }");
	gives("{ \"hash\" : \"x\" , \"b\":1.50}", &RAW, hash, "{ \"b\":1.50}");
	gives("{\"b\":1 , \"hash\":\"x\" }", &RAW, hash, "{\"b\":1 }");
	gives("{\"b\":1,\"hash\":\"x\"}", &RAW, hash, "{\"b\":1}");
	gives("{\"a\":1,\"hash\":\"x\",\"sig\":\"y\"}", &RAW, two, "{\"a\":1}");
	gives("{\"sig\":1,\"a\":1,\"hash\":\"x\"}", &RAW, two, "{\"a\":1}");
	gives("{\"hash\":\"x\",\"sig\":[1,2]}", &RAW, two, "{}");
	gives("{ \"a\":1 , \"hash\":2\n}", &RAW, all, "{ \n}");
	gives("{\"m\":{\"z\":1,\"sig\":\"s\"},\"hash\":0,\"a\":[1, 2]}", &RAW, deep,
	      "{\"m\":{\"z\":1},\"a\":[1, 2]}");
	gives("{\"a\":\"\\u0041\\/\"}", &RAW, none, "{\"a\":\"\\u0041\\/\"}");
	gives("{\"\\u0068ash\":1,\"a\":2}", &RAW, hash, "{\"a\":2}");
	gives("{\"m\":{\"z\":1,\"sig\":\"s\"},\"hash\":0,\"a\":[1, 2]}", &JCS, deep,
	      "{\"a\":[1,2],\"m\":{\"z\":1}}");
	gives("{\"hash\":\"x\"}", &JCS, hash, "{}");
	gives("{\"hash\":\"x\"}", &PYTHON, hash, "{}");
}

static void test_jansson(void **state)
{
	(void)state;
	static const char *const hash[] = {"/hash", NULL};
	gives("{\"b\":1, \"hash\":\"x\", \"a\":[1.5, true, null, \"\\u20ac\\u001b\\/\"]}", &JANSSON,
	      hash, "{\"a\":[1.5,true,null,\"\xe2\x82\xac\\u001B/\"],\"b\":1}");
	gives("{\"n\":9007199254740993,\"z\":\"\\u0000\"}", &JANSSON, NULL,
	      "{\"n\":9007199254740993,\"z\":\"\\u0000\"}");
	refused("{\"n\":99999999999999999999}", 26, &JANSSON, "jansson");
	refused("{\"n\":1e999}", 11, &JANSSON, "jansson");
	refused("{\"s\":\"\\ud800\"}", 14, &JANSSON, "jansson");
}

/* ---- Python ---- */

static void test_python_by_hand(void **state)
{
	(void)state;
	static const wr_canon_style compact = {.kind = WR_CANON_PYTHON, .compact = true, .utf8 = true};
	gives("{\"b\":[1,2.0,{}],\"a\":\"\\u20ac\\ud83d\\ude02\\u007f\\/\"}", &PYTHON, NULL,
	      "{\"a\": \"\\u20ac\\ud83d\\ude02\\u007f/\", \"b\": [1, 2.0, {}]}");
	gives("{\"b\":[1,2.0,{}],\"a\":\"\\u20ac\\u007f\"}", &compact, NULL,
	      "{\"a\":\"\xe2\x82\xac\x7f\",\"b\":[1,2.0,{}]}");
	gives("[1e16,1e15,0.0001,0.00001,1e22,-0,-0.0,0e5,1e400,-1e400,123456789012345678901234567890]",
	      &PYTHON, NULL,
	      "[1e+16, 1000000000000000.0, 0.0001, 1e-05, 1e+22, 0, -0.0, 0.0, Infinity, -Infinity, "
	      "123456789012345678901234567890]");
	gives("[\"\\ud800\"]", &PYTHON, NULL, "[\"\\ud800\"]");
	refused("[\"\\ud800\"]", 10, &compact, "surrogate");
}

static void random_string(wr_buf *out, uint64_t *seed)
{
	wr_buf_addc(out, '"');
	for (size_t i = random_below(seed, 8); i > 0; i--) {
		uint32_t cp = (uint32_t)random_below(seed, 5) == 0 ? (uint32_t)random_below(seed, 0x110000)
		                                                   : (uint32_t)random_below(seed, 0x180);
		char utf8[4];
		if (cp == '"' || cp == '\\' || cp < 0x20)
			wr_buf_addf(out, "\\u%04X", cp);
		else if (cp >= 0xD800 && cp <= 0xDFFF)
			wr_buf_addc(out, '?');
		else if (cp < 0x10000 && random_below(seed, 3) == 0)
			wr_buf_addf(out, "\\u%04x", cp);
		else
			wr_buf_add(out, utf8, wr_utf8_put(utf8, cp));
	}
	wr_buf_addc(out, '"');
}

static void random_number(wr_buf *out, uint64_t *seed)
{
	double v;
	uint64_t bits = next_random(seed);
	switch (random_below(seed, 6)) {
	case 0:
		wr_buf_addf(out, "%" PRId64, (int64_t)bits);
		break;
	case 1:
		wr_buf_addf(out, "%d", (int)random_below(seed, 2000) - 1000);
		break;
	case 2:
		wr_buf_addf(out, "%" PRIu64 "%" PRIu64, bits % 1000000000 + 1, bits);
		break;
	case 3:
		wr_buf_addf(out, "%d.%de%d", (int)random_below(seed, 100), (int)random_below(seed, 10000),
		            (int)random_below(seed, 60) - 30);
		break;
	case 4:
		wr_buf_addf(out, "%.2f", (double)random_below(seed, 1000000) / 100);
		break;
	default:
		memcpy(&v, &bits, sizeof v);
		if (v - v == 0)
			wr_buf_addf(out, "%.17g", v);
		else
			wr_buf_addc(out, '0');
		break;
	}
}

static void random_value(wr_buf *out, uint64_t *seed, int depth)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t n = random_below(seed, 5), kind = random_below(seed, depth > 0 ? 6 : 4);
	if (kind == 0) {
		wr_buf_adds(out, words[random_below(seed, 3)]);
	} else if (kind == 1) {
		random_string(out, seed);
	} else if (kind < 4) {
		random_number(out, seed);
	} else if (kind == 4) {
		wr_buf_addc(out, '[');
		for (size_t i = 0; i < n; i++) {
			if (i) wr_buf_adds(out, random_below(seed, 2) ? "," : " , ");
			random_value(out, seed, depth - 1);
		}
		wr_buf_addc(out, ']');
	} else {
		wr_buf_addc(out, '{');
		for (size_t i = 0; i < n; i++) {
			if (i) wr_buf_addc(out, ',');
			random_string(out, seed);
			out->len--; /* no two keys are the same */
			wr_buf_addf(out, "%zu\": ", i);
			random_value(out, seed, depth - 1);
		}
		wr_buf_addc(out, '}');
	}
}

static const char script[] =
    "import json, sys\n"
    "out = open(sys.argv[2], 'wb')\n"
    "for line in open(sys.argv[1], 'rb'):\n"
    "    v = json.loads(line)\n"
    "    for sep in (None, (',', ':')):\n"
    "        for ascii in (True, False):\n"
    "            out.write(json.dumps(v, sort_keys=True, separators=sep, ensure_ascii=ascii)"
    ".encode() + b'\\n')\n"
    "out.close()\n";

static void run_python(const char *in, const char *out)
{
	char *argv[] = {(char[]){"python3"}, (char[]){"-c"}, strdup(script),
	                strdup(in),          strdup(out),    NULL};
	pid_t pid = fork();
	if (pid == 0) {
		execv("/usr/bin/python3", argv);
		_exit(127);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 2; i < 5; i++) free(argv[i]);
}

static void test_python(void **state)
{
	(void)state;
	enum { VALUES = 6000 };
	char dir[] = "/tmp/wr-jsontext-XXXXXX", in[64], out[64];
	wr_buf text = WR_BUF_INIT(64u << 20), theirs = WR_BUF_INIT(64u << 20),
	       ours = WR_BUF_INIT(64u << 20);
	uint64_t seed = 20260125;
	wr_err err = {0};
	if (access("/usr/bin/python3", X_OK) != 0) skip();
	assert_non_null(mkdtemp(dir));
	(void)snprintf(in, sizeof in, "%s/in", dir);
	(void)snprintf(out, sizeof out, "%s/out", dir);
	for (int i = 0; i < VALUES; i++) {
		size_t from = text.len;
		random_value(&text, &seed, 5);
		size_t len = text.len - from;
		for (int style = 0; style < 4; style++) {
			wr_canon_style s = {
			    .kind = WR_CANON_PYTHON, .compact = style >= 2, .utf8 = style % 2 == 1};
			if (canon(text.data + from, len, &s, NULL, &ours, &err))
				fail_msg("%.*s: %s", (int)len, text.data + from, err.msg);
			wr_buf_addc(&ours, '\n');
		}
		wr_buf_addc(&text, '\n');
	}
	assert_int_equal(wr_write_file(in, text.data, text.len, 0600, &err), 0);
	run_python(in, out);
	assert_int_equal(wr_read_file(&theirs, out, 64u << 20, WR_ANY, &err), 0);
	const char *a = wr_buf_cstr(&ours), *b = wr_buf_cstr(&theirs);
	for (int line = 0; *a || *b; line++) {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
		if (n != m || memcmp(a, b, n) != 0)
			fail_msg("line %d: ours\n%.*s\nPython's\n%.*s", line, (int)n, a, (int)m, b);
		a += n + 1;
		b += m + 1;
	}
	assert_int_equal(ours.len, theirs.len);
	unlink(in);
	unlink(out);
	rmdir(dir);
	wr_buf_free(&text);
	wr_buf_free(&theirs);
	wr_buf_free(&ours);
}

/* What was cut anywhere, or has any byte changed, is refused or written: nothing else happens. */
static void test_hostile(void **state)
{
	(void)state;
	static const char text[] =
	    "{\"a\":[1,-2.5e+3,{\"\\u00e9\\ud83d\\ude02\":\"\xc3\xa9\\n\"}],\"b\":"
	    "{\"hash\":null},\"c\":true}";
	static const char *const exclude[] = {"/b/hash", "/a/1", NULL};
	for (size_t i = 0; i < sizeof text - 1; i++) {
		for (int c = 0; c < 256; c += (int)(i % 3) + 1) {
			char copy[sizeof text];
			memcpy(copy, text, sizeof text);
			copy[i] = (char)c;
			for (int kind = 0; kind < WR_CANON_COUNT; kind++) {
				wr_canon_style s = {.kind = (wr_canon_kind)kind};
				wr_buf out = WR_BUF_INIT(1000);
				wr_err err = {0};
				wr_jt *j = wr_jt_new();
				if (wr_jt_parse(j, copy, c ? sizeof text - 1 : i, &err) == 0) {
					uint32_t node = wr_jt_at(j, exclude[0]);
					if (node != WR_JT_NONE) wr_jt_exclude(j, node);
					if (wr_jt_write(j, &s, &out, &err) == 0) assert_true(out.len > 0);
				}
				wr_jt_free(j);
				wr_buf_free(&out);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_looks_around),
	    cmocka_unit_test(test_numbers_of_the_rfc),
	    cmocka_unit_test(test_numbers_read_back),
	    cmocka_unit_test(test_jcs),
	    cmocka_unit_test(test_raw),
	    cmocka_unit_test(test_jansson),
	    cmocka_unit_test(test_python_by_hand),
	    cmocka_unit_test(test_python),
	    cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
