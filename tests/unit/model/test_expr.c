/* test_expr.c: the condition language: its grammar, its three truths, its messages. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "warroom/expr.h"

static wr_expr_vars none(void)
{
	return (wr_expr_vars){.latency_ms = -1, .exit_code = -1, .age_s = -1};
}

static wr_expr_vars number(double v)
{
	wr_expr_vars x = none();
	x.value.type = WR_V_NUM;
	x.value.num = v;
	return x;
}

static wr_expr_vars truth(bool v)
{
	wr_expr_vars x = none();
	x.value.type = WR_V_BOOL;
	x.value.truth = v;
	return x;
}

static wr_expr_vars text(const char *v)
{
	wr_expr_vars x = none();
	x.value.type = WR_V_STR;
	snprintf(x.value.str, sizeof x.value.str, "%s", v);
	return x;
}

static wr_truth eval(const char *expr, wr_expr_vars vars)
{
	wr_err err;
	wr_expr *e = wr_expr_parse(expr, &err);
	if (e == NULL) fail_msg("%s: %s", expr, err.msg);
	wr_truth t = wr_expr_eval(e, &vars);
	assert_string_equal(wr_expr_text(e), expr);
	wr_expr_free(e);
	return t;
}

#define assert_truth(expr, vars, want) assert_int_equal(eval(expr, vars), want)

static void refuses(const char *expr, const char *message)
{
	wr_err err = {0};
	wr_expr *e = wr_expr_parse(expr, &err);
	if (e != NULL) fail_msg("accepted: %s", expr);
	if (strstr(err.msg, message) == NULL)
		fail_msg("%s: expected \"%s\", got \"%s\"", expr, message, err.msg);
}

static void test_compares_numbers(void **state)
{
	(void)state;
	static const struct {
		const char *expr;
		wr_truth below, at, above; /* for 9, 10, 11 */
	} rows[] = {
	    {"value < 10", WR_TRUE, WR_FALSE, WR_FALSE},  {"value <= 10", WR_TRUE, WR_TRUE, WR_FALSE},
	    {"value > 10", WR_FALSE, WR_FALSE, WR_TRUE},  {"value >= 10", WR_FALSE, WR_TRUE, WR_TRUE},
	    {"value == 10", WR_FALSE, WR_TRUE, WR_FALSE}, {"value != 10", WR_TRUE, WR_FALSE, WR_TRUE},
	    {"10 > value", WR_TRUE, WR_FALSE, WR_FALSE},  {"value>10%", WR_FALSE, WR_FALSE, WR_TRUE},
	    {"value > 10.5", WR_FALSE, WR_FALSE, WR_TRUE}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_truth(rows[i].expr, number(9), rows[i].below);
		assert_truth(rows[i].expr, number(10), rows[i].at);
		assert_truth(rows[i].expr, number(11), rows[i].above);
	}
	assert_truth("value == -1.25", number(-1.25), WR_TRUE);
	assert_truth("value == 0.1", number(0.1), WR_TRUE);
	assert_truth("value < 0", number(-0.0), WR_FALSE);
}

static void test_compares_texts_and_truths(void **state)
{
	(void)state;
	assert_truth("value == 'streaming'", text("streaming"), WR_TRUE);
	assert_truth("value == \"streaming\"", text("streaming"), WR_TRUE);
	assert_truth("value == 'stream'", text("streaming"), WR_FALSE);
	assert_truth("value != 'down'", text("up"), WR_TRUE);
	assert_truth("value == ''", text(""), WR_TRUE);
	assert_truth("value == true", truth(true), WR_TRUE);
	assert_truth("value == true", truth(false), WR_FALSE);
	assert_truth("value != false", truth(true), WR_TRUE);
	assert_truth("true", none(), WR_TRUE);
	assert_truth("false or not true", none(), WR_FALSE);
	/* Prometheus only has numbers. */
	assert_truth("value == true", number(1), WR_TRUE);
	assert_truth("value == true", number(0), WR_FALSE);
}

static void test_bare_names(void **state)
{
	(void)state;
	assert_truth("value", truth(true), WR_TRUE);
	assert_truth("value", truth(false), WR_FALSE);
	assert_truth("value", number(3), WR_TRUE);
	assert_truth("value", number(0), WR_FALSE);
	assert_truth("value", text("true"), WR_UNKNOWN);
	assert_truth("value", none(), WR_UNKNOWN);
	assert_truth("not value", none(), WR_UNKNOWN);
	assert_truth("error", none(), WR_FALSE);
}

/* Law 7: no data is not good news, and no bad news either. */
static void test_missing_data_is_unknown(void **state)
{
	(void)state;
	static const char *const exprs[] = {"value > 1",          "value == 1",     "value != 1",
	                                    "value == 'x'",       "value != true",  "status != 200",
	                                    "latency_ms > 10",    "exit_code != 0", "age_s > 10",
	                                    "not (value == 1)",   "status",         "value == value",
	                                    "(value > 1) == true"};
	for (size_t i = 0; i < sizeof exprs / sizeof exprs[0]; i++)
		assert_truth(exprs[i], none(), WR_UNKNOWN);
	assert_truth("value > 1", number(NAN), WR_UNKNOWN);
	assert_truth("value != 1", number(INFINITY), WR_UNKNOWN);
	assert_truth("value < 1", number(-INFINITY), WR_UNKNOWN);
}

static void test_wrong_kind_is_unknown(void **state)
{
	(void)state;
	assert_truth("value == 'x'", number(1), WR_UNKNOWN);
	assert_truth("value != 'x'", number(1), WR_UNKNOWN);
	assert_truth("value > 1", text("2"), WR_UNKNOWN);
	assert_truth("value == true", text("true"), WR_UNKNOWN);
	assert_truth("value > 0", truth(true), WR_UNKNOWN);
}

static void test_kleene_tables(void **state)
{
	(void)state;
	static const char *const term[] = {"false", "true", "value"}; /* value: unknown */
	static const wr_truth and_table[3][3] = {{WR_FALSE, WR_FALSE, WR_FALSE},
	                                         {WR_FALSE, WR_TRUE, WR_UNKNOWN},
	                                         {WR_FALSE, WR_UNKNOWN, WR_UNKNOWN}};
	static const wr_truth or_table[3][3] = {{WR_FALSE, WR_TRUE, WR_UNKNOWN},
	                                        {WR_TRUE, WR_TRUE, WR_TRUE},
	                                        {WR_UNKNOWN, WR_TRUE, WR_UNKNOWN}};
	char expr[64];
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++) {
			snprintf(expr, sizeof expr, "%s and %s", term[a], term[b]);
			assert_truth(expr, none(), and_table[a][b]);
			snprintf(expr, sizeof expr, "%s or %s", term[a], term[b]);
			assert_truth(expr, none(), or_table[a][b]);
		}
	}
}

static void test_a_failed_probe_breaches_whatever_else_is_missing(void **state)
{
	(void)state;
	wr_expr_vars x = none();
	x.error = true;
	assert_truth("error or status != 200 or value > 10000", x, WR_TRUE);
	x.error = false;
	assert_truth("error or status != 200 or value > 10000", x, WR_UNKNOWN);
	x.status = 503;
	assert_truth("error or status != 200 or value > 10000", x, WR_TRUE);
	x = number(50);
	x.status = 200;
	assert_truth("error or status != 200 or value > 10000", x, WR_FALSE);
}

static void test_all_names(void **state)
{
	(void)state;
	wr_expr_vars x = number(1);
	x.status = 200;
	x.latency_ms = 20;
	x.exit_code = 0;
	x.age_s = 3;
	assert_truth("status == 200 and latency_ms == 20 and exit_code == 0 and age_s == 3 and value",
	             x, WR_TRUE);
	assert_truth("exit_code", x, WR_FALSE);
}

static void test_units(void **state)
{
	(void)state;
	wr_expr_vars x = none();
	x.latency_ms = 10001;
	assert_truth("latency_ms > 10s", x, WR_TRUE);
	assert_truth("10s < latency_ms", x, WR_TRUE);
	assert_truth("latency_ms > 11s", x, WR_FALSE);
	assert_truth("latency_ms > 10001ms", x, WR_FALSE);
	x.age_s = 90;
	assert_truth("age_s > 1m", x, WR_TRUE);
	assert_truth("age_s > 1.5m", x, WR_FALSE);
	assert_truth("value == 2h", number(7200), WR_TRUE);
	assert_truth("value == 7d", number(604800), WR_TRUE);
	assert_truth("value == 500ms", number(0.5), WR_TRUE);
	assert_truth("(value > 1h) and value < 2d", number(4000), WR_TRUE);
}

static void test_precedence(void **state)
{
	(void)state;
	assert_truth("true or false and false", none(), WR_TRUE);
	assert_truth("(true or false) and false", none(), WR_FALSE);
	assert_truth("not false and false", none(), WR_FALSE);
	assert_truth("not value == 1", number(2), WR_TRUE);
	assert_truth("not (value == 1 or value == 2)", number(3), WR_TRUE);
	assert_truth("  value\t== 1\n", number(1), WR_TRUE);
	assert_truth("(((value))) == true", truth(true), WR_TRUE);
}

static void test_refusals_say_where(void **state)
{
	(void)state;
	refuses("", "ends here");
	refuses("   ", "column 4");
	refuses("value >", "column 8: expected a name");
	refuses("value = 1", "column 7: a comparison is written ==");
	refuses("valeu > 1", "did you mean value?");
	refuses("latency > 1", "unknown name \"latency\"");
	refuses("value > 1 2", "column 11: expected \"and\"");
	refuses("value > 1s2", "unit");
	refuses("value > 5 s", "column 11");
	refuses("value > 10x", "expected a unit");
	refuses("value > 'x'", "only be compared with == and !=");
	refuses("'x'", "alone is no condition");
	refuses("5", "alone is no condition");
	refuses("value == 'x", "no closing quote");
	refuses("(value", "expected \")\"");
	refuses("value)", "column 6");
	refuses("not", "ends here");
	refuses("and value", "expected a name");
	refuses("value == not", "expected a name");
	refuses("not not value", "expected a name");
	refuses("value == 1 or", "ends here");
	refuses("value < 1 < 2", "column 11");
	refuses("value > 1.", "digit after the point");
	refuses("value > -", "expected a number");
	refuses("value > 1234567890123456", "15 digits");
	refuses("value && value", "column 7");
	refuses("value == 1e9", "unit");
	refuses("andy", "unknown name");
	refuses("\xff\xfe > 1", "column 1");
}

static void test_hostile_sizes(void **state)
{
	(void)state;
	size_t n = 3000;
	char *s = calloc(1, n + 1);
	assert_non_null(s);
	memset(s, '(', 2000);
	refuses(s, "too many nested");
	memset(s, 'a', n);
	refuses(s, "longer than");
	memset(s, 0, n);
	for (size_t i = 0; i < 100; i++) memcpy(s + i * 16, "value==1 or     ", 16);
	memcpy(s + 1600, "value", 6);
	refuses(s, "too long an expression");
	memset(s, 0, n);
	memset(s, 'x', 200);
	s[0] = '\'';
	refuses(s, "no closing quote");
	memcpy(s + 199, "' == value", 11);
	refuses(s, "longer than 127 bytes");
	free(s);
	wr_expr_free(NULL);
	assert_null(wr_expr_parse("(", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compares_numbers),
	    cmocka_unit_test(test_compares_texts_and_truths),
	    cmocka_unit_test(test_bare_names),
	    cmocka_unit_test(test_missing_data_is_unknown),
	    cmocka_unit_test(test_wrong_kind_is_unknown),
	    cmocka_unit_test(test_kleene_tables),
	    cmocka_unit_test(test_a_failed_probe_breaches_whatever_else_is_missing),
	    cmocka_unit_test(test_all_names),
	    cmocka_unit_test(test_units),
	    cmocka_unit_test(test_precedence),
	    cmocka_unit_test(test_refusals_say_where),
	    cmocka_unit_test(test_hostile_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
