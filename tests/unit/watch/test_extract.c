/* test_extract.c: values out of bodies: what is there, what is not, and what is broken where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "watch/extract.h"

typedef struct picked {
	int rc;
	wr_value v;
	char names[64], why[WR_WHY_LEN];
	wr_err err;
} picked;

static picked json(const char *body, const char *pointer)
{
	picked p = {0};
	p.rc = wr_pick_json(body, strlen(body), pointer, &p.v, p.names, sizeof p.names, p.why, &p.err);
	return p;
}

static picked prom(const char *body, const char *metric, const wr_pair *labels, size_t n)
{
	picked p = {0};
	p.rc = wr_pick_prom(body, strlen(body), metric, labels, n, &p.v, p.why, &p.err);
	return p;
}

static picked promql(const char *body)
{
	picked p = {0};
	p.rc = wr_pick_promql(body, strlen(body), &p.v, p.why, &p.err);
	return p;
}

static void is_number(picked p, double x)
{
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.v.type, WR_V_NUM);
	assert_true(p.v.num == x);
}

static void is_none(picked p, const char *why)
{
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.v.type, WR_V_NONE);
	assert_string_equal(p.why, why);
}

static void is_broken(picked p, const char *part)
{
	assert_int_equal(p.rc, -1);
	if (!strstr(p.err.msg, part)) fail_msg("\"%s\" lacks \"%s\"", p.err.msg, part);
}

static void json_values(void **state)
{
	(void)state;
	is_number(json("{\"p95_ms\":1234.5}", "/p95_ms"), 1234.5);
	is_number(json("{\"a\":{\"b/c\":[1,2,{\"d~e\":-7}]}}", "/a/b~1c/2/d~0e"), -7);
	is_number(json("42", ""), 42);
	is_number(json("{\"n\":123456789012345678901234567890}", "/n"),
	          123456789012345678901234567890.0);
	is_number(json("{\"n\":1,\"counter\":18446744073709551615}", "/n"), 1);
	is_number(json("{\"n\":0.1000000000000000055511151231257827}", "/n"), 0.1);
	picked p = json("{\"ok\":false}", "/ok");
	assert_int_equal(p.v.type, WR_V_BOOL);
	assert_false(p.v.truth);
	p = json("{\"role\":\"standby\"}", "/role");
	assert_int_equal(p.v.type, WR_V_STR);
	assert_string_equal(p.v.str, "standby");
}

static void json_without_value(void **state)
{
	(void)state;
	is_none(json("{\"a\":1}", "/p95_ms"), "no /p95_ms in the body");
	is_none(json("{\"a\":null}", "/a"), "/a is null");
	is_none(json("{\"a\":{}}", "/a"), "/a is an object");
	is_none(json("{}", ""), "the body is an object");
	is_none(json("[1]", "/01"), "no /01 in the body");
	is_none(json("{\"a\":1}", "/a/b"), "no /a/b in the body");
}

static void json_broken(void **state)
{
	(void)state;
	is_broken(json("{\"a\":NaN}", "/a"), "line 1, column");
	is_broken(json("{\"a\":1e999}", "/a"), "line 1");
	is_broken(json("", ""), "JSON");
	is_broken(json("<html>502</html>", "/a"), "line 1, column 1");
	is_broken(json("{\"a\":1}{", "/a"), "JSON");
	is_broken(json("{\"a\":1,\"a\":2}", "/a"), "duplicate");
	char deep[4096];
	memset(deep, '[', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	is_broken(json(deep, ""), "deeper");
}

static void json_text_is_harmless(void **state)
{
	(void)state;
	picked p = json("{\"s\":\"\\u001b[2J\\u001b]0;x\\u0007 ok\\u202e\\n\"}", "/s");
	assert_int_equal(p.v.type, WR_V_STR);
	for (const char *c = p.v.str; *c; c++) assert_true((unsigned char)*c >= 0x20 && *c != 0x7F);
	assert_non_null(strstr(p.v.str, " ok"));
	assert_null(strstr(p.v.str, "\xE2\x80\xAE"));
	char body[700] = "{\"s\":\"";
	for (size_t i = 0; i < 100; i++) (void)strncat(body, "日本", sizeof body - strlen(body) - 1);
	(void)strncat(body, "\"}", sizeof body - strlen(body) - 1);
	p = json(body, "/s");
	assert_int_equal(strlen(p.v.str), 126); /* 42 whole characters of three bytes */
}

static void json_names(void **state)
{
	(void)state;
	picked p = json(
	    "{\"r\":[\"a\",{\"id\":\"b\"},{\"id\":7},{\"receipt_id\":\"d\"},9,{\"x\":1},null]}", "/r");
	is_number(p, 7);
	assert_string_equal(p.names, "a,b,7,d");
	p = json("[\"one,two\",\"\\u001b[31mred\"]", "");
	assert_string_equal(p.names, "one;two,\xEF\xBF\xBD[31mred");
	p = json("[]", "");
	is_number(p, 0);
	assert_string_equal(p.names, "");
	char body[2048] = "[";
	for (int i = 0; i < 100; i++) {
		char item[24];
		(void)snprintf(item, sizeof item, "%s\"receipt-%03d\"", i ? "," : "", i);
		(void)strncat(body, item, sizeof body - strlen(body) - 1);
	}
	(void)strncat(body, "]", sizeof body - strlen(body) - 1);
	p = json(body, "");
	is_number(p, 100);
	assert_true(strlen(p.names) < sizeof p.names);
	assert_string_equal(p.names, "receipt-000,receipt-001,receipt-002,receipt-003,receipt-004,…");
	picked q = {0};
	assert_int_equal(wr_extract_json(body, strlen(body), "", &q.v, NULL, 0, &q.err), 0);
	is_number(q, 100);
}

/* Names exactly fill the room: no ellipsis, no overflow, at every size. */
static void json_names_at_every_size(void **state)
{
	(void)state;
	const char *body = "[\"aa\",\"bb\",\"cc\"]";
	char names[16], why[WR_WHY_LEN];
	wr_value v;
	wr_err err;
	for (size_t size = 1; size <= sizeof names; size++) {
		memset(names, '#', sizeof names);
		assert_int_equal(wr_pick_json(body, strlen(body), "", &v, names, size, why, &err), 0);
		assert_true(strlen(names) < size);
		for (size_t i = size; i < sizeof names; i++) assert_int_equal(names[i], '#');
		if (size >= 10)
			assert_string_equal(names, "aa,bb,cc");
		else if (size >= 4)
			assert_non_null(strstr(names, "…"));
	}
}

static const char PAGE[] =
    "# HELP http_requests_total The total.\n"
    "# TYPE http_requests_total counter\n"
    "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
    "http_requests_total{method=\"post\",code=\"400\"}    3 1395066363000\n"
    "\n"
    "# Escaping in label values:\n"
    "msdos{path=\"C:\\\\DIR\\\\FILE.TXT\",error=\"say \\\"x\\\"\\nend\"} 1.5e9\n"
    "bare 12.47\n"
    "weird{problem=\"div by zero\"} +Inf -3982045\n"
    "nothing NaN\n"
    "h_bucket{le=\"0.05\"} 24054\n"
    "h_bucket{le=\"+Inf\",} 144320\n"
    "h_sum 53423\n"
    "spaced { a = \"b\" , c=\"d\" }\t7\n";

static void prom_values(void **state)
{
	(void)state;
	const wr_pair post = {"method", "post"}, ok[] = {{"code", "200"}, {"method", "post"}};
	const wr_pair path[] = {{"path", "C:\\DIR\\FILE.TXT"}, {"error", "say \"x\"\nend"}};
	const wr_pair le = {"le", "+Inf"}, spaced[] = {{"a", "b"}, {"c", "d"}};
	is_number(prom(PAGE, "http_requests_total", NULL, 0), 1030);
	is_number(prom(PAGE, "http_requests_total", &post, 1), 1030);
	is_number(prom(PAGE, "http_requests_total", ok, 2), 1027);
	is_number(prom(PAGE, "msdos", path, 2), 1.5e9);
	is_number(prom(PAGE, "bare", NULL, 0), 12.47);
	is_number(prom(PAGE, "h_bucket", &le, 1), 144320);
	is_number(prom(PAGE, "h_sum", NULL, 0), 53423);
	is_number(prom(PAGE, "spaced", spaced, 2), 7);
}

static void prom_without_value(void **state)
{
	(void)state;
	const wr_pair get = {"method", "get"};
	is_none(prom(PAGE, "weird", NULL, 0), "+Inf");
	is_none(prom(PAGE, "nothing", NULL, 0), "NaN");
	is_none(prom(PAGE, "absent", NULL, 0), "no series of absent");
	is_none(prom(PAGE, "bar", NULL, 0), "no series of bar");
	is_none(prom(PAGE, "http_requests_total", &get, 1),
	        "no series of http_requests_total with these labels (2 others)");
	is_none(prom("", "x", NULL, 0), "no series of x");
	is_none(prom("a +Inf\na -Inf\n", "a", NULL, 0), "NaN");
}

static void prom_broken(void **state)
{
	(void)state;
	static const struct {
		const char *page, *part;
	} cases[] = {
	    {"a 1\nb 2", "line 2: the last line is cut off"},
	    {"a 1\nb two\n", "line 2: the value is not a number"},
	    {"a\n", "line 1: the value is not a number"},
	    {"a \n", "line 1: the value is not a number"},
	    {"a 0x10\n", "line 1: the value"},
	    {"a 1_000\n", "line 1: the value"},
	    {"a 1e\n", "line 1: the value"},
	    {"a-b 1\n", "line 1: a bad character"},
	    {"1a 1\n", "line 1: a metric name"},
	    {"a{b=\"c\" 1\n", "line 1: ',' or '}'"},
	    {"a{b=\"c\n", "line 1: a label value does not end"},
	    {"a{b=\"c\\\n", "line 1: a label value does not end"},
	    {"a{b=\"\\t\"} 1\n", "line 1: an unknown escape"},
	    {"a{b=c} 1\n", "line 1: a quoted"},
	    {"a{b\"c\"} 1\n", "line 1: '=' was"},
	    {"a{b:=\"c\"} 1\n", "line 1: '=' was"},
	    {"a{=\"c\"} 1\n", "line 1: a label name"},
	    {"a{,} 1\n", "line 1: a label name"},
	    {"a{b=\"1\",b=\"2\"} 1\n", "line 1: a label twice"},
	    {"a{\n", "line 1: a label name"},
	    {"a 1 2 3\n", "line 1: something after"},
	    {"a 1 noon\n", "line 1: the timestamp"},
	    {"a 1 # {trace=\"x\"} 1\n", "line 1: the timestamp"},
	    {"a 1\r\n", "line 1: the value"},
	    {"\n\n# TYPE a wonder\n", "line 3: an unknown metric type"},
	    {"# TYPE a\n", "line 1: an unknown metric type"},
	    {"# TYPE a gauge x\n", "line 1: an unknown metric type"},
	    {"# HELP a-b x\n", "line 1: a bad character"},
	    {"# HELP\n", "line 1: a metric name"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		is_broken(prom(cases[i].page, "a", NULL, 0), cases[i].part);
	picked p = {0};
	const char nul[] = "a 1\0002\n";
	p.rc = wr_pick_prom(nul, sizeof nul - 1, "a", NULL, 0, &p.v, p.why, &p.err);
	is_broken(p, "line 1: the value");
}

/* A label longer than what can be matched neither matches nor breaks the page. */
static void prom_is_bounded(void **state)
{
	(void)state;
	static char page[1 << 14];
	char value[600];
	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	(void)snprintf(page, sizeof page, "a{l=\"%s\"} 1\na{l=\"y\"} 2\n", value);
	const wr_pair y = {"l", "y"}, x = {"l", value};
	is_number(prom(page, "a", &y, 1), 2);
	is_none(prom(page, "a", &x, 1), "no series of a with these labels (2 others)");
	(void)snprintf(page, sizeof page, "a{");
	for (int i = 0; i < 100; i++) {
		char label[24];
		(void)snprintf(label, sizeof label, "l%d=\"\",", i);
		(void)strncat(page, label, sizeof page - strlen(page) - 1);
	}
	(void)strncat(page, "} 1\n", sizeof page - strlen(page) - 1);
	is_broken(prom(page, "a", NULL, 0), "line 1: too many labels");
	(void)snprintf(page, sizeof page, "a %.*s\n", 200,
	               "00000000000000000000000000000000000000000000000"
	               "0000000000000000000000000000000000000000000000000000000000000000000000000000000"
	               "00000000000001");
	is_broken(prom(page, "a", NULL, 0), "line 1: the value");
	wr_pair many[64];
	for (size_t i = 0; i < 64; i++) many[i] = y;
	is_broken(prom("a 1\n", "a", many, 64), "63 labels");
	is_none(prom("a 1\n", "a", many, 63), "no series of a with these labels (1 others)");
}

#define OK_HEAD "{\"status\":\"success\",\"data\":{\"resultType\":"

static void promql_values(void **state)
{
	(void)state;
	is_number(promql(OK_HEAD "\"scalar\",\"result\":[1435781451.781,\"1.5\"]}}"), 1.5);
	is_number(promql(OK_HEAD "\"vector\",\"result\":[{\"metric\":{\"a\":\"b\"},"
	                         "\"value\":[1435781451.781,\"-3e2\"]}]},\"warnings\":[\"w\"]}"),
	          -300);
	is_none(promql(OK_HEAD "\"vector\",\"result\":[]}}"), "no series");
	is_none(promql(OK_HEAD "\"vector\",\"result\":[{\"value\":[1,\"1\"]},{\"value\":[1,\"2\"]}]}}"),
	        "2 series instead of one: aggregate in the query");
	is_none(promql(OK_HEAD "\"scalar\",\"result\":[1,\"NaN\"]}}"), "NaN");
	is_none(promql(OK_HEAD "\"vector\",\"result\":[{\"value\":[1,\"-Inf\"]}]}}"), "-Inf");
	is_none(promql(OK_HEAD "\"vector\",\"result\":[{\"histogram\":[1,{}]}]}}"),
	        "a native histogram, not a number");
	is_none(promql(OK_HEAD "\"matrix\",\"result\":[]}}"),
	        "the query gives a matrix, not a scalar or an instant vector");
	is_none(promql("{\"status\":\"success\"}"),
	        "the query gives a nothing, not a scalar or an instant vector");
}

static void promql_broken(void **state)
{
	(void)state;
	is_broken(
	    promql("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse \\u001b[0m\"}"),
	    "bad_data: parse \xEF\xBF\xBD[0m");
	is_broken(promql("{}"), "no status");
	is_broken(promql("[]"), "no status");
	is_broken(promql("nope"), "line 1");
	is_broken(promql(OK_HEAD "\"scalar\",\"result\":[1,2]}}"), "not [time");
	is_broken(promql(OK_HEAD "\"scalar\",\"result\":{}}}"), "not [time");
	is_broken(promql(OK_HEAD "\"scalar\",\"result\":[1,\"one\"]}}"), "no number: \"one\"");
	is_broken(promql(OK_HEAD "\"vector\",\"result\":{}}}"), "not an array");
	is_broken(promql(OK_HEAD "\"vector\",\"result\":[7]}}"), "not [time");
}

static void numbers(void **state)
{
	(void)state;
	static const char *const good[] = {"0", "-1", "+1.5", ".5", "5.", "1e3", "1E-3", "nan", "INF"};
	static const char *const wrong[] = {"",    " 1",  "1 ",  "--1", "e",
	                                    "1e+", "0x1", "1,5", "+",   "infin"};
	double x;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(wr_number_parse(good[i], strlen(good[i]), &x));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(wr_number_parse(wrong[i], strlen(wrong[i]), &x));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(json_values),   cmocka_unit_test(json_without_value),
	    cmocka_unit_test(json_broken),   cmocka_unit_test(json_text_is_harmless),
	    cmocka_unit_test(json_names),    cmocka_unit_test(json_names_at_every_size),
	    cmocka_unit_test(prom_values),   cmocka_unit_test(prom_without_value),
	    cmocka_unit_test(prom_broken),   cmocka_unit_test(prom_is_bounded),
	    cmocka_unit_test(promql_values), cmocka_unit_test(promql_broken),
	    cmocka_unit_test(numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
