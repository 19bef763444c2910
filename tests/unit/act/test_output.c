/* Striking out secrets, whichever way the text is cut into pieces; the tail. */
#include "act/internal.h"
#include "act_server.h"

typedef struct sink {
	char text[600000];
	size_t len, pieces;
} sink;

static void into(void *ctx, const char *text)
{
	sink *k = ctx;
	size_t n = strlen(text);
	assert_true(n > 0 && n < 1024);
	assert_true(k->len + n < sizeof k->text);
	memcpy(k->text + k->len, text, n + 1);
	k->len += n;
	k->pieces++;
}

static void know(wr_act_output *o, const char *value)
{
	wr_buf out = WR_BUF_INIT(WR_BODY_MAX);
	wr_err err;
	setenv("SECRET", value, 1);
	assert_int_equal(wr_act_expand(o, &out, "${env:SECRET}", &err), 0);
	assert_string_equal(wr_buf_cstr(&out), value);
	wr_buf_wipe(&out);
}

static void secrets_cut_in_pieces(void **state)
{
	(void)state;
	static const char text[] = "user=alice pass=hunter2hunter2 again hunter2hunter2\n"
	                           "hunter2hunter2\nhunter2hunter hunter2hunter2hunter2";
	static const char wanted[] = "user=alice pass=*** again ***\n***\nhunter2hunter ***hunter2";
	for (size_t step = 1; step < sizeof text; step++) {
		static sink k;
		k = (sink){0};
		wr_act_output o;
		char tail[256];
		wr_act_output_init(&o, into, &k);
		know(&o, "hunter2hunter2");
		for (size_t i = 0; i < sizeof text - 1; i += step) {
			size_t left = sizeof text - 1 - i;
			wr_act_output_add(&o, text + i, left < step ? left : step);
		}
		wr_act_output_end(&o, tail, sizeof tail);
		assert_string_equal(k.text, wanted);
		assert_string_equal(tail, wanted);
		wr_act_output_free(&o);
	}
}

/* A line that never ends is let out in part; no cut of it shows half a secret. */
static void secrets_in_an_endless_line(void **state)
{
	(void)state;
	for (size_t before = 0; before < 700; before += 7) {
		static sink k;
		k = (sink){0};
		wr_act_output o;
		char tail[256];
		wr_act_output_init(&o, into, &k);
		know(&o, "the-secret-of-the-endless-line");
		for (size_t i = 0; i < before; i++) wr_act_output_add(&o, "\xc3\xa9", 2);
		for (int i = 0; i < 300; i++) {
			wr_act_output_add(&o, "..the-secret-of", 15);
			wr_act_output_add(&o, "-the-endless-line", 17);
		}
		assert_true(k.pieces > 0); /* shown while it comes */
		wr_act_output_end(&o, tail, sizeof tail);
		assert_lacks(k.text, "the-secret");
		assert_lacks(k.text, "endless-line");
		assert_lacks(k.text, "\xef\xbf\xbd"); /* no character was cut in two */
		size_t stars = 0;
		for (const char *at = k.text; (at = strstr(at, "***")) != NULL; at += 3) stars++;
		assert_int_equal(stars, 300);
		wr_act_output_free(&o);
	}
}

static void longer_secrets_go_first(void **state)
{
	(void)state;
	wr_act_output o;
	char tail[256];
	wr_act_output_init(&o, NULL, NULL);
	know(&o, "abcd");
	know(&o, "abcdabcd-long");
	know(&o, "abcd");
	know(&o, "xyz"); /* too short to be one */
	assert_int_equal(o.secret_count, 2);
	wr_act_output_line(&o, "%s", "abcdabcd-long abcd abc xyz");
	wr_act_output_end(&o, tail, sizeof tail);
	assert_string_equal(tail, "*** *** abc xyz\n");
	char clean[32];
	wr_act_clean(&o, clean, sizeof clean, "no abcd\x1b[31m here, not even if cut");
	assert_lacks(clean, "abcd");
	assert_lacks(clean, "\x1b");
	wr_act_output_free(&o);
}

static void the_tail_is_the_end(void **state)
{
	(void)state;
	wr_act_output o;
	char tail[64], line[32];
	wr_act_output_init(&o, NULL, NULL);
	for (int i = 0; i < 100000; i++) wr_act_output_line(&o, "line %d", i);
	wr_act_output_add(&o, "\xe2\x82\xac no end of line", 18);
	wr_act_output_end(&o, tail, sizeof tail);
	snprintf(line, sizeof line, "line %d\n", 99999);
	assert_contains(tail, line);
	assert_contains(tail, "\xe2\x82\xac no end of line");
	assert_true(strlen(tail) <= 63);
	wr_act_output_free(&o);
}

static void streaming_is_bounded(void **state)
{
	(void)state;
	static sink k;
	k = (sink){0};
	wr_act_output o;
	char tail[64];
	wr_act_output_init(&o, into, &k);
	for (int i = 0; i < 100000; i++) wr_act_output_line(&o, "line %d", i);
	wr_act_output_end(&o, tail, sizeof tail);
	assert_true(k.len > WR_EXEC_OUTPUT_MAX && k.len < WR_EXEC_OUTPUT_MAX + 2048);
	assert_contains(k.text, "(more output is not shown)");
	assert_contains(tail, "line 99999\n");
	wr_act_output_free(&o);
}

static void too_many_secrets(void **state)
{
	(void)state;
	wr_act_output o;
	wr_err err = {0};
	wr_act_output_init(&o, NULL, NULL);
	for (int i = 0; i < WR_ACT_SECRETS_MAX; i++) {
		char value[32];
		snprintf(value, sizeof value, "secret-%d", i);
		know(&o, value);
	}
	setenv("SECRET", "one-too-many", 1);
	wr_buf out = WR_BUF_INIT(WR_BODY_MAX);
	assert_int_equal(wr_act_expand(&o, &out, "${env:SECRET}", &err), -1);
	assert_lacks(err.msg, "one-too-many");
	wr_buf_wipe(&out);
	wr_buf_init(&out, 64); /* a text that has no room is refused, not cut */
	assert_int_equal(wr_act_expand(&o, &out, "${env:SECRET}${env:SECRET}", &err), -1);
	wr_buf_wipe(&out);
	wr_act_output_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secrets_cut_in_pieces),   cmocka_unit_test(secrets_in_an_endless_line),
	    cmocka_unit_test(longer_secrets_go_first), cmocka_unit_test(the_tail_is_the_end),
	    cmocka_unit_test(streaming_is_bounded),    cmocka_unit_test(too_many_secrets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
