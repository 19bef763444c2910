/* The ledger's own allowed_signers: nobody who ever signed is forgotten, nobody gets longer life.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "engine/engine.h"

#define NOW INT64_C(1769344815500000) /* 2026-01-25T12:40:15.5Z */
#define SEC INT64_C(1000000)
#define NS  "namespaces=\"warroom-approval\""

static char keys[4][128];

static int make_keys(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 4; i++) {
		uint8_t seed[32], raw[32], secret[64];
		wr_pubkey key;
		wr_buf line = WR_BUF_INIT(256);
		memset(seed, i + 1, sizeof seed);
		assert_int_equal(crypto_sign_seed_keypair(raw, secret, seed), 0);
		wr_pubkey_from_ed25519(&key, raw);
		wr_pubkey_format(&line, &key);
		snprintf(keys[i], sizeof keys[i], "%s", wr_buf_cstr(&line));
		wr_buf_free(&line);
	}
	return 0;
}

static wr_signers merged(const char *text, const char *old, int64_t now, wr_buf *out)
{
	wr_signers s = {0};
	wr_err err = {0};
	wr_buf_reset(out);
	if (signers_merge(out, text, strlen(text), old, strlen(old), now, &err) != 0)
		fail_msg("%s", err.msg);
	if (wr_signers_parse(&s, wr_buf_cstr(out), out->len, "merged", &err) != 0)
		fail_msg("%s\n%s", err.msg, wr_buf_cstr(out));
	return s;
}

static bool may_sign(const wr_signers *s, const char *who, const char *key, int64_t at)
{
	wr_pubkey k;
	assert_int_equal(wr_pubkey_parse(&k, key, NULL), 0);
	return wr_signers_find(s, who, &k, WR_NS_APPROVAL, at, NULL) != NULL;
}

static void nothing_changed(void **state)
{
	(void)state;
	char text[512];
	wr_buf out = WR_BUF_INIT(WR_SIGNERS_MAX);
	snprintf(text, sizeof text, "# people\nalice " NS " %s\nbob %s comment here\n", keys[0],
	         keys[1]);
	wr_signers s = merged(text, text, NOW, &out);
	assert_string_equal(wr_buf_cstr(&out), text);
	wr_signers_free(&s);
	s = merged(text, "", NOW, &out);
	assert_string_equal(wr_buf_cstr(&out), text);
	wr_signers_free(&s);
	wr_buf_free(&out);
}

static void a_key_that_went(void **state)
{
	(void)state;
	char old[512], text[512];
	wr_buf out = WR_BUF_INIT(WR_SIGNERS_MAX), again = WR_BUF_INIT(WR_SIGNERS_MAX);
	snprintf(old, sizeof old, "alice " NS " %s\nbob " NS " %s\n", keys[0], keys[1]);
	snprintf(text, sizeof text, "alice " NS " %s\nbob " NS " %s", keys[0],
	         keys[2]); /* no newline */
	wr_signers s = merged(text, old, NOW, &out);
	assert_int_equal(s.count, 3);
	assert_true(may_sign(&s, "bob", keys[1], NOW)); /* what was just signed still holds */
	assert_false(may_sign(&s, "bob", keys[1], NOW + 2 * SEC)); /* and nothing after */
	assert_true(may_sign(&s, "bob", keys[2], NOW + 2 * SEC));
	assert_true(may_sign(&s, "alice", keys[0], NOW + 2 * SEC));
	wr_signers_free(&s);
	/* Merging again, now or much later, changes nothing. */
	s = merged(text, wr_buf_cstr(&out), NOW, &again);
	assert_string_equal(wr_buf_cstr(&again), wr_buf_cstr(&out));
	wr_signers_free(&s);
	s = merged(text, wr_buf_cstr(&out), NOW + 86400 * SEC, &again);
	assert_string_equal(wr_buf_cstr(&again), wr_buf_cstr(&out));
	wr_signers_free(&s);
	wr_buf_free(&out);
	wr_buf_free(&again);
}

static void it_comes_back(void **state)
{
	(void)state;
	char both[512], one[512];
	wr_buf a = WR_BUF_INIT(WR_SIGNERS_MAX), b = WR_BUF_INIT(WR_SIGNERS_MAX);
	snprintf(both, sizeof both, "alice " NS " %s\nbob " NS " %s\n", keys[0], keys[1]);
	snprintf(one, sizeof one, "alice " NS " %s\n", keys[0]);
	/* Gone and back a hundred times: one entry for it, open again. */
	wr_buf_adds(&a, both);
	for (int i = 0; i < 100; i++) {
		wr_signers s = merged(i % 2 ? both : one, wr_buf_cstr(&a), NOW + i * 60 * SEC, &b);
		assert_true(s.count <= 3);
		wr_signers_free(&s);
		wr_buf swap = a;
		a = b;
		b = swap;
	}
	wr_buf_free(&a);
	wr_buf_free(&b);
}

static void limits_of_time(void **state)
{
	(void)state;
	char old[1024], text[512];
	wr_buf out = WR_BUF_INIT(WR_SIGNERS_MAX);
	snprintf(old, sizeof old,
	         "alice valid-before=\"20260101Z\" %s\n"
	         "bob " NS ",valid-after=\"20270101Z\" %s\n"
	         "carol valid-after=\"20250101Z\",valid-before=\"20300101Z\" %s\n",
	         keys[0], keys[1], keys[2]);
	snprintf(text, sizeof text, "dave %s\n", keys[3]);
	wr_signers s = merged(text, old, NOW, &out);
	/* Whose time was over keeps it, whose had not come never had any, whose ran ends now. */
	assert_true(may_sign(&s, "alice", keys[0], NOW - 60 * 86400 * SEC));
	assert_false(may_sign(&s, "alice", keys[0], NOW));
	assert_false(may_sign(&s, "bob", keys[1], NOW + 400 * 86400 * SEC));
	assert_true(may_sign(&s, "carol", keys[2], NOW));
	assert_false(may_sign(&s, "carol", keys[2], NOW + 2 * SEC));
	wr_signers_free(&s);
	wr_buf_free(&out);
}

static void what_cannot_be_merged(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_buf out = WR_BUF_INIT(WR_SIGNERS_MAX), small = WR_BUF_INIT(64);
	char text[256], old[256];
	assert_int_equal(signers_merge(&out, "nonsense\n", 9, "", 0, NOW, &err), -1);
	assert_int_equal(signers_merge(&out, "", 0, "nonsense\n", 9, NOW, &err), -1);
	snprintf(text, sizeof text, "alice %s\n", keys[0]);
	snprintf(old, sizeof old, "bob %s\n", keys[1]);
	assert_int_equal(signers_merge(&small, text, strlen(text), old, strlen(old), NOW, &err), -1);
	assert_int_equal(err.code, WR_E_LIMIT);
	wr_buf_free(&out);
	wr_buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_changed),       cmocka_unit_test(a_key_that_went),
	    cmocka_unit_test(it_comes_back),         cmocka_unit_test(limits_of_time),
	    cmocka_unit_test(what_cannot_be_merged),
	};
	return cmocka_run_group_tests(tests, make_keys, NULL);
}
