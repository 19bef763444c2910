/* test_template.c: ${…}: places, variables and secrets. */
#include "fixture.h"

static const wr_pair US_VARS[] = {{"api", "http://us"}, {"a.b", "dotted"}};
static const wr_pair VARS[] = {{"control", "http://ctl"}, {"loop", "${var.loop}"}};
static const wr_region US = {.name = "us", .residency = "", .vars = US_VARS, .var_count = 2};
static const wr_region EU = {.name = "eu", .residency = ""};
static const wr_config CFG = {.vars = VARS, .var_count = 2};

static void expands(const char *text, const char *want)
{
	wr_buf b = WR_BUF_INIT(4096);
	wr_err err;
	if (wr_template_expand(&b, text, &CFG, &US, &EU, &err) != 0) fail_msg("%s: %s", text, err.msg);
	assert_string_equal(wr_buf_cstr(&b), want);
	wr_buf_free(&b);
}

static void refuses(const char *text, const wr_region *from, const char *message)
{
	wr_buf b = WR_BUF_INIT(4096);
	wr_err err = {0};
	assert_int_equal(wr_template_expand(&b, text, &CFG, from, &EU, &err), -1);
	if (strstr(err.msg, message) == NULL)
		fail_msg("%s: expected \"%s\", got \"%s\"", text, message, err.msg);
	wr_buf_free(&b);
}

static void test_expands(void **state)
{
	(void)state;
	expands("", "");
	expands("plain $x {y} $", "plain $x {y} $");
	expands("${from}", "us");
	expands("${from} → ${to}", "us → eu");
	expands("${from.api}/x?to=${to}", "http://us/x?to=eu");
	expands("${from.a.b}", "dotted");
	expands("${var.control}${var.control}", "http://ctlhttp://ctl");
	expands("{\"r\":\"${to}\"}", "{\"r\":\"eu\"}");
	expands("Bearer ${env:TOKEN} ${file:/x/y}", "Bearer ${env:TOKEN} ${file:/x/y}");
	expands("$${from}", "$us");
	/* A value is not looked at again. */
	expands("${var.loop}", "${var.loop}");
}

static void test_refuses(void **state)
{
	(void)state;
	refuses("${nothing}", &US, "unknown reference ${nothing}");
	refuses("${}", &US, "unknown reference");
	refuses("${fromage}", &US, "unknown reference");
	refuses("${from.apj}", &US, "region us has no variable \"apj\": did you mean \"api\"?");
	refuses("${from.}", &US, "no variable \"\"");
	refuses("${to.api}", &US, "region eu has no variable \"api\"");
	refuses("${var.}", &US, "no variable");
	refuses("${var}", &US, "unknown reference");
	refuses("${from", &US, "not closed");
	refuses("abc ${", &US, "byte 5");
	refuses("${from}", NULL, "no meaning here");
	refuses("${from.api}", NULL, "no meaning here");
	refuses("${region}", &US, "no meaning here");
	refuses("${env}", &US, "unknown reference");
	refuses("${${from}}", &US, "unknown reference");
	refuses("${\x1b[2J}", &US, "unknown reference");
}

static void test_is_bounded(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(8);
	wr_err err = {0};
	assert_int_equal(wr_template_expand(&b, "${var.control}", &CFG, &US, &EU, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&b);
}

static void secret_is(const char *text, const char *want)
{
	wr_buf b = WR_BUF_INIT(16384);
	wr_err err;
	if (wr_secret_expand(&b, text, &err) != 0) fail_msg("%s: %s", text, err.msg);
	assert_string_equal(wr_buf_cstr(&b), want);
	wr_buf_wipe(&b);
}

static void secret_refused(const char *text, const char *message, const char *never)
{
	wr_buf b = WR_BUF_INIT(16384);
	wr_err err = {0};
	assert_int_equal(wr_secret_expand(&b, text, &err), -1);
	if (strstr(err.msg, message) == NULL)
		fail_msg("%s: expected \"%s\", got \"%s\"", text, message, err.msg);
	if (never != NULL) assert_null(strstr(err.msg, never));
	wr_buf_wipe(&b);
}

static void test_secrets(void **state)
{
	fixture *x = *state;
	char text[256];
	setenv("WR_TEST_A", "alpha", 1);
	setenv("WR_TEST_EMPTY", "", 1);
	setenv("WR_TEST_LINES", "hunter2\r\nX-Evil: 1", 1);
	unsetenv("WR_TEST_NONE");
	secret_is("none at all", "none at all");
	secret_is("Bearer ${env:WR_TEST_A}", "Bearer alpha");
	secret_is("${env:WR_TEST_A}${env:WR_TEST_A}.", "alphaalpha.");
	secret_is("${from} ${env:WR_TEST_A}", "${from} alpha");
	secret_refused("${env:WR_TEST_NONE}", "WR_TEST_NONE is not set", NULL);
	secret_refused("${env:}", "is not set", NULL);
	secret_refused("${env:WR_TEST_EMPTY}", "is empty", NULL);
	secret_refused("${env:WR_TEST_LINES}", "control character", "hunter2");
	fx_put(x, "s", "beta\n");
	snprintf(text, sizeof text, "a ${file:%s/s} b", x->dir);
	secret_is(text, "a beta b");
	fx_put(x, "s", "beta\n\n");
	secret_refused(text, "control character", "beta");
	fx_put(x, "s", "\n");
	secret_refused(text, "is empty", NULL);
	fx_put_bytes(x, "s", "beta", 4, 0640);
	secret_refused(text, "others can read", "beta");
	snprintf(text, sizeof text, "${file:%s/missing}", x->dir);
	secret_refused(text, "missing", NULL);
	secret_refused("${file:}", "secret", NULL);
	secret_refused("${file:/dev/zero}", "not a regular file", NULL);
	char *big = calloc(1, WR_SECRET_MAX + 3);
	assert_non_null(big);
	memset(big, 'k', WR_SECRET_MAX);
	fx_put(x, "s", big);
	snprintf(text, sizeof text, "${file:%s/s}", x->dir);
	secret_is(text, big);
	memset(big, 'k', WR_SECRET_MAX + 2);
	fx_put(x, "s", big);
	secret_refused(text, "larger than", "kkkk");
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expands),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_is_bounded),
	    cmocka_unit_test_setup_teardown(test_secrets, fx_setup, fx_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
