/* test_text.c: UTF-8, text made harmless, widths. */
#include "check.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "warroom/text.h"

#define RC "\xEF\xBF\xBD" /* U+FFFD */

static void expect_clean(const char *in, size_t n, bool lines, const char *expected)
{
	wr_buf b = WR_BUF_INIT(1024);
	wr_sanitise(&b, in, n, lines);
	assert_true(wr_buf_ok(&b));
	assert_string_equal(wr_buf_cstr(&b), expected);
	assert_int_equal(b.len, strlen(expected));
	wr_buf_free(&b);
}

static void clean(const char *in, const char *expected)
{
	expect_clean(in, strlen(in), false, expected);
}

static void test_decode_valid(void **state)
{
	(void)state;
	char utf8[4];
	for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
		if (cp >= 0xD800 && cp <= 0xDFFF) continue;
		size_t n = wr_utf8_put(utf8, cp);
		const char *p = utf8;
		uint32_t back = wr_utf8_next(&p, utf8 + n);
		if (back != cp || p != utf8 + n) fail_msg("U+%04X", (unsigned)cp);
	}
	assert_int_equal(wr_utf8_put(utf8, 0xD800), 3);
	assert_memory_equal(utf8, RC, 3);
	assert_int_equal(wr_utf8_put(utf8, 0x110000), 3);
	assert_memory_equal(utf8, RC, 3);
}

static void test_decode_invalid(void **state)
{
	(void)state;
	/* The replacements of the Unicode standard, section 3.9, tables 3-8 to 3-11. */
	clean("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", RC RC RC RC RC RC RC RC "A");
	clean("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", RC RC RC RC RC RC RC RC "A");
	clean("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", RC RC RC RC RC "A" RC RC "B");
	clean("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", RC RC RC RC "A");
	clean("a\xE2\x82", "a" RC);
	clean("\xF8\x88\x80\x80\x80", RC RC RC RC RC);
}

static void test_decode_never_leaves_its_bounds(void **state)
{
	(void)state;
	uint64_t seed = 3;
	for (unsigned i = 0; i < 200000; i++) {
		char s[4];
		size_t n = 1 + random_below(&seed, 4);
		for (size_t k = 0; k < n; k++) s[k] = (char)(0x80 | next_random(&seed));
		const char *p = s;
		uint32_t cp = wr_utf8_next(&p, s + n);
		assert_true(p > s && p <= s + n);
		assert_true(cp <= 0x10FFFF && !(cp >= 0xD800 && cp <= 0xDFFF));
	}
}

static void test_plain_text_passes(void **state)
{
	(void)state;
	clean("", "");
	clean("us-central1: DOWN (3 of 4), 100% ~ok~", "us-central1: DOWN (3 of 4), 100% ~ok~");
	clean("Z\xC3\xBCrich \xE6\x9D\xB1\xE4\xBA\xAC \xF0\x9F\x94\xA5",
	      "Z\xC3\xBCrich \xE6\x9D\xB1\xE4\xBA\xAC \xF0\x9F\x94\xA5");
	clean("e\xCC\x81", "e\xCC\x81");
}

static void test_terminal_controls(void **state)
{
	(void)state;
	clean("\x1b[2J\x1b[1;1H", RC "[2J" RC "[1;1H");
	clean("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x07",
	      RC "]8;;http://evil" RC "\\click" RC "]8;;" RC);
	clean("\x1b]52;c;cm0gLXJm\x07", RC "]52;c;cm0gLXJm" RC);
	clean("\x9b"
	      "31m",
	      RC "31m"); /* raw C1 byte */
	clean("\xC2\x9b"
	      "31m",
	      RC "31m");                       /* U+009B */
	clean("\xC2\x90q\xC2\x9c", RC "q" RC); /* DCS … ST */
	clean("\xC2\x85x", RC "x");            /* NEL */
	clean("a\rb\bc\vd\fe\ag", "a" RC "b" RC "c" RC "d" RC "e" RC "g");
	clean("\x7f\x0e\x0f", RC RC RC);
	clean("\xE0\x82\x9b", RC RC RC); /* an overlong U+009B is not one */
	expect_clean("a\0b", 3, false, "a" RC "b");
}

static void test_all_controls_are_replaced(void **state)
{
	(void)state;
	for (uint32_t cp = 0; cp < 0xA0; cp++) {
		char utf8[4];
		size_t n = wr_utf8_put(utf8, cp);
		bool control = cp < 0x20 || (cp >= 0x7F && cp < 0xA0);
		if (!control) continue;
		expect_clean(utf8, n, false, cp == '\t' ? " " : RC);
		expect_clean(utf8, n, true, cp == '\t' ? " " : cp == '\n' ? "\n" : RC);
	}
}

static void test_hidden_and_reordering(void **state)
{
	(void)state;
	static const uint32_t hidden[] = {
	    0xAD,    0x34F,   0x61C,   0x115F,  0x1160,  0x17B4,  0x180E,   0x200B, 0x200C,
	    0x200D,  0x200E,  0x200F,  0x2028,  0x2029,  0x202A,  0x202B,   0x202C, 0x202D,
	    0x202E,  0x2060,  0x2061,  0x2065,  0x2066,  0x2067,  0x2068,   0x2069, 0x206F,
	    0x3164,  0xFDD0,  0xFE00,  0xFEFF,  0xFFA0,  0xFFF9,  0xFFFB,   0xFFFE, 0xFFFF,
	    0x1FFFE, 0x1D173, 0xE0001, 0xE0041, 0xE007F, 0xE0100, 0x10FFFF,
	};
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		char text[8] = "a";
		size_t n = 1 + wr_utf8_put(text + 1, hidden[i]);
		text[n++] = 'b';
		expect_clean(text, n, true, "a" RC "b");
	}
}

static void test_variation_selectors_vanish(void **state)
{
	(void)state;
	clean("\xE2\x9A\xA0\xEF\xB8\x8F check", "\xE2\x9A\xA0 check");
	clean("\xEF\xB8\x8E\xEF\xB8\x8F", "");
}

static void test_marks_do_not_pile_up(void **state)
{
	(void)state;
	const char *m = "\xCC\x81";
	char text[64] = "e", expected[64] = "e";
	for (unsigned i = 0; i < 6; i++) strncat(text, m, sizeof text - strlen(text) - 1);
	for (unsigned i = 0; i < 4; i++) strncat(expected, m, sizeof expected - strlen(expected) - 1);
	strncat(expected, RC, sizeof expected - strlen(expected) - 1);
	strncat(expected, m, sizeof expected - strlen(expected) - 1);
	clean(text, expected);
	/* A mark that leads would sit on whatever is drawn to the left. */
	clean("\xCC\x81"
	      "a",
	      RC "a");
	expect_clean("a\n\xCC\x81", 4, true, "a\n" RC);
}

static void test_lines(void **state)
{
	(void)state;
	expect_clean("a\tb\nc\r\n", 7, true, "a b\nc" RC "\n");
	expect_clean("a\tb\nc\r\n", 7, false, "a b" RC "c" RC RC);
}

static void test_output_is_cut_at_a_character(void **state)
{
	(void)state;
	static const char text[] = "ab\xE2\x82\xAC\xE2\x82\xAC";
	static const size_t kept[] = {0, 1, 2, 2, 2, 5, 5, 5, 8};
	for (size_t max = 0; max <= 8; max++) {
		wr_buf b = WR_BUF_INIT(max);
		wr_sanitise(&b, text, 8, false);
		assert_int_equal(b.len, kept[max]);
		assert_int_equal(wr_buf_ok(&b), max == 8);
		wr_buf_free(&b);

		char out[9 + 1];
		memset(out, '#', sizeof out);
		assert_ptr_equal(wr_sanitise_to(out, max + 1, text), out);
		assert_int_equal(strlen(out), kept[max]);
		assert_int_equal(out[max + 1 < sizeof out ? max + 1 : 0], max + 1 < sizeof out ? '#' : 'a');
	}
}

static void test_long_ascii_fills_the_buffer(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(10);
	wr_sanitise(&b, "0123456789abc", 13, false);
	assert_false(wr_buf_ok(&b));
	assert_string_equal(wr_buf_cstr(&b), "0123456789");
	wr_buf_free(&b);
}

/* Random bytes: the output is valid, harmless, and sanitising it again changes nothing. */
static void test_random_bytes(void **state)
{
	(void)state;
	uint64_t seed = 99;
	for (unsigned round = 0; round < 3000; round++) {
		char s[64];
		size_t n = random_below(&seed, sizeof s);
		for (size_t i = 0; i < n; i++) s[i] = (char)next_random(&seed);
		wr_buf once = WR_BUF_INIT(1024), twice = WR_BUF_INIT(1024);
		wr_sanitise(&once, s, n, true);
		const char *p = wr_buf_cstr(&once), *end = p + once.len;
		while (p < end) {
			uint32_t cp = wr_utf8_next(&p, end);
			assert_true(cp == '\n' || (cp >= 0x20 && cp < 0x7F) || cp >= 0xA0);
		}
		wr_sanitise(&twice, wr_buf_cstr(&once), once.len, true);
		assert_string_equal(wr_buf_cstr(&once), wr_buf_cstr(&twice));
		wr_buf_free(&once);
		wr_buf_free(&twice);
	}
}

static void test_widths(void **state)
{
	(void)state;
	static const struct {
		uint32_t cp;
		int width;
	} rows[] = {
	    {0, 0},       {'a', 1},      {0x1B, 1},     {0xE9, 1},    {0xAD, 1},    {0x300, 0},
	    {0x36F, 0},   {0x370, 1},    {0x483, 0},    {0x5D0, 1},   {0x5B0, 0},   {0x10FF, 1},
	    {0x1100, 2},  {0x1160, 0},   {0x2013, 1},   {0x200B, 0},  {0x20AC, 1},  {0x20DD, 0},
	    {0x231A, 2},  {0x2500, 1},   {0x2581, 1},   {0x2588, 1},  {0x25B2, 1},  {0x25CF, 1},
	    {0x2705, 2},  {0x2714, 1},   {0x2716, 1},   {0x2E80, 2},  {0x3000, 2},  {0x302A, 0},
	    {0x303F, 1},  {0x3042, 2},   {0x4E00, 2},   {0x9FFF, 2},  {0xAC00, 2},  {0xD7A3, 2},
	    {0xD7B0, 0},  {0xFB01, 1},   {0xFE0F, 0},   {0xFE20, 0},  {0xFF01, 2},  {0xFF61, 1},
	    {0xFFE0, 2},  {0xFFFD, 1},   {0x1D167, 0},  {0x1F525, 2}, {0x1F600, 2}, {0x1FAFF, 2},
	    {0x1F1E6, 1}, {0x1F321, 1},  {0x20000, 2},  {0x3FFFD, 2}, {0x3FFFE, 1}, {0xE0001, 0},
	    {0xF0000, 1}, {0x10FFFF, 1}, {0x110000, 1},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (wr_cp_width(rows[i].cp) != rows[i].width) fail_msg("U+%04X", (unsigned)rows[i].cp);
	for (uint32_t cp = 0; cp < 0x120000; cp++) assert_in_range(wr_cp_width(cp), 0, 2);
}

/* Where the C library knows a character, it is nearly always of our opinion: what is left over are
 * the characters of a newer Unicode on one of the two sides. */
static void test_widths_against_libc(void **state)
{
	(void)state;
	if (!setlocale(LC_CTYPE, "C.UTF-8")) skip();
	unsigned known = 0, differ = 0;
	for (uint32_t cp = 0x20; cp < 0x110000; cp++) {
		int theirs = wcwidth((wchar_t)cp);
		if (theirs < 0) continue;
		known++;
		differ += theirs != wr_cp_width(cp);
	}
	(void)setlocale(LC_CTYPE, "C");
	assert_true(known > 100000);
	if (differ > 600) fail_msg("%u of %u differ", differ, known);
}

static void test_text_width(void **state)
{
	(void)state;
	assert_int_equal(wr_text_width(""), 0);
	assert_int_equal(wr_text_width("abc"), 3);
	assert_int_equal(wr_text_width("Z\xC3\xBC"), 2);
	assert_int_equal(wr_text_width("e\xCC\x81"), 1);
	assert_int_equal(wr_text_width("\xE6\x9D\xB1\xE4\xBA\xAC!"), 5);
	assert_int_equal(wr_text_width("\xFF"), 1);
}

static void test_names(void **state)
{
	(void)state;
	static const char *const good[] = {
	    "a",           "7",
	    "us-central1", "alice@example.org",
	    "A.b_c-d",     "x23456789012345678901234567890123456789012345678901234567890123"};
	static const char *const bad[] = {
	    "",          "-a",
	    ".",         ".a",
	    "_a",        "@a",
	    "a b",       "a/b",
	    "a\n",       "\xC3\xA9",
	    "a\xC3\xA9", "a:b",
	    "a\x1b",     "x234567890123456789012345678901234567890123456789012345678901234"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(wr_name_ok(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(wr_name_ok(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decode_valid),
	    cmocka_unit_test(test_decode_invalid),
	    cmocka_unit_test(test_decode_never_leaves_its_bounds),
	    cmocka_unit_test(test_plain_text_passes),
	    cmocka_unit_test(test_terminal_controls),
	    cmocka_unit_test(test_all_controls_are_replaced),
	    cmocka_unit_test(test_hidden_and_reordering),
	    cmocka_unit_test(test_variation_selectors_vanish),
	    cmocka_unit_test(test_marks_do_not_pile_up),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_output_is_cut_at_a_character),
	    cmocka_unit_test(test_long_ascii_fills_the_buffer),
	    cmocka_unit_test(test_random_bytes),
	    cmocka_unit_test(test_widths),
	    cmocka_unit_test(test_widths_against_libc),
	    cmocka_unit_test(test_text_width),
	    cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
