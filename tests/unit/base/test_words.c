/* test_words.c: the word list is what words.h promises, and the code is its hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/wordlist.h"
#include "warroom/hash.h"
#include "warroom/words.h"

static void the_list_has_short_lower_case_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < WR_WORDLIST_COUNT; i++) {
		const size_t len = strnlen(wr_wordlist[i], sizeof(wr_wordlist[i]));
		assert_in_range(len, WR_WORD_MIN, WR_WORD_MAX);
		assert_int_equal(strspn(wr_wordlist[i], "abcdefghijklmnopqrstuvwxyz"), len);
	}
}

static void the_list_is_sorted_and_without_duplicates(void **state)
{
	(void)state;
	for (size_t i = 1; i < WR_WORDLIST_COUNT; i++)
		assert_true(strcmp(wr_wordlist[i - 1], wr_wordlist[i]) < 0);
}

/* One letter inserted, removed or changed: such words are mistaken for each other. */
static bool one_letter_apart(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b), same = 0;
	while (a[same] != '\0' && a[same] == b[same]) same++;
	if (n == m) return strcmp(a + same + 1, b + same + 1) == 0;
	if (n + 1 == m) return strcmp(a + same, b + same + 1) == 0;
	if (m + 1 == n) return strcmp(a + same + 1, b + same) == 0;
	return false;
}

static void no_two_words_are_one_letter_apart(void **state)
{
	(void)state;
	assert_true(one_letter_apart("boat", "coat") && one_letter_apart("boat", "boats"));
	for (size_t i = 0; i < WR_WORDLIST_COUNT; i++)
		for (size_t j = i + 1; j < WR_WORDLIST_COUNT; j++)
			if (one_letter_apart(wr_wordlist[i], wr_wordlist[j]))
				fail_msg("%s and %s", wr_wordlist[i], wr_wordlist[j]);
}

/* Words that could be taken for an answer, an order or the state of things, and this program's own.
 */
static void no_word_can_be_taken_for_an_order_or_an_alarm(void **state)
{
	(void)state;
	static const char *const unwanted[] = {
	    "fail",    "dead",    "kill",    "abort",    "deny",     "approve",  "yes",      "no",
	    "stop",    "go",      "start",   "begin",    "end",      "cancel",   "confirm",  "accept",
	    "reject",  "hold",    "resume",  "pause",    "undo",     "retry",    "repeat",   "over",
	    "out",     "copy",    "roger",   "wait",     "wrong",    "right",    "correct",  "true",
	    "false",   "not",     "never",   "primary",  "region",   "service",  "standby",  "target",
	    "source",  "drain",   "fence",   "promote",  "cutover",  "failover", "failback", "quorum",
	    "receipt", "guard",   "gate",    "canary",   "soak",     "drill",    "signal",   "verdict",
	    "healthy", "suspect", "down",    "lag",      "quota",    "burn",     "epoch",    "runbook",
	    "plan",    "step",    "witness", "evidence", "incident", "outage",   "alarm",    "alert",
	    "danger",  "panic",   "crash",   "disaster", "crisis",   "attack",   "bomb",     "gun",
	    "war",     "death",   "murder",  "suicide",  "rape",     "north",    "south",    "east",
	    "west",    "one",     "two",     "three",    "zero",     "hundred",  "thousand", "alpha",
	    "bravo",   "charlie", "delta",   "echo",     "green",    "red",      "amber",    "fire",
	    "flame",   "slave",   "master",  "nazi",     "sex",      "hell",     "damn",     "corpse",
	};
	for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++)
		for (size_t j = 0; j < WR_WORDLIST_COUNT; j++)
			if (strcmp(unwanted[i], wr_wordlist[j]) == 0) fail_msg("%s", unwanted[i]);
}

/* Screens of different releases must agree, so the list can never change. */
static void the_list_is_frozen(void **state)
{
	(void)state;
	wr_buf all = WR_BUF_INIT(1u << 16);
	for (size_t i = 0; i < WR_WORDLIST_COUNT; i++) {
		wr_buf_adds(&all, wr_wordlist[i]);
		wr_buf_addc(&all, '\n');
	}
	uint8_t digest[WR_HASH_LEN];
	char hex[WR_HEX_LEN];
	wr_sha256(digest, wr_buf_cstr(&all), all.len);
	wr_hex(hex, digest, sizeof(digest));
	wr_buf_free(&all);
	assert_string_equal(hex, "2e57a4f64b9c5dc6d34bc3f17ff2b14ff87e35ffcae798e5bad0b6b35c4691ff");
}

static void the_code_is_the_first_66_bits(void **state)
{
	(void)state;
	/* 0x001 0x002 0x003 0x7ff 0x400 0x555, eleven bits each, then ones. */
	const uint8_t hash[32] = {0x00, 0x20, 0x08, 0x01, 0xff, 0xf8, 0x01, 0x55, 0x7f};
	char code[WR_WORDS_LEN], expected[WR_WORDS_LEN];
	wr_words(code, hash);
	(void)snprintf(expected, sizeof(expected), "%s-%s-%s-%s-%s-%s", wr_wordlist[0x001],
	               wr_wordlist[0x002], wr_wordlist[0x003], wr_wordlist[0x7ff], wr_wordlist[0x400],
	               wr_wordlist[0x555]);
	assert_string_equal(code, expected);
}

static void every_one_of_66_bits_changes_the_code_and_no_other_does(void **state)
{
	(void)state;
	uint8_t hash[32];
	for (uint8_t i = 0; i < sizeof(hash); i++) hash[i] = (uint8_t)(i * 37);
	char code[WR_WORDS_LEN], other[WR_WORDS_LEN];
	wr_words(code, hash);
	for (size_t bit = 0; bit < 256; bit++) {
		hash[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		wr_words(other, hash);
		assert_int_equal(strcmp(code, other) != 0, bit < 66);
		hash[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
}

static void the_longest_code_fits(void **state)
{
	(void)state;
	uint8_t hash[32];
	char code[WR_WORDS_LEN];
	memset(hash, 0xff, sizeof(hash));
	wr_words(code, hash);
	assert_true(strlen(code) < WR_WORDS_LEN);
	assert_true(6 * (WR_WORD_MAX + 1) <= WR_WORDS_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_list_has_short_lower_case_words),
	    cmocka_unit_test(the_list_is_sorted_and_without_duplicates),
	    cmocka_unit_test(no_two_words_are_one_letter_apart),
	    cmocka_unit_test(no_word_can_be_taken_for_an_order_or_an_alarm),
	    cmocka_unit_test(the_list_is_frozen),
	    cmocka_unit_test(the_code_is_the_first_66_bits),
	    cmocka_unit_test(every_one_of_66_bits_changes_the_code_and_no_other_does),
	    cmocka_unit_test(the_longest_code_fits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
