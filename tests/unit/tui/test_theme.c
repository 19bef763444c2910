/* test_theme.c: every theme loads, its text can be read on its ground, and files are refused with
 * the place of the mistake. */
#include "scenes.h"
#include "theme.h"

#include <dirent.h>
#include <math.h>

/* What a terminal's own ground is likely to be, where a theme leaves it. */
static const int grounds[] = {0x000000, 0x1e1e1e};

static double linear(int v)
{
	double c = v / 255.0;
	return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double luminance(int rgb)
{
	return 0.2126 * linear(rgb >> 16 & 255) + 0.7152 * linear(rgb >> 8 & 255) +
	       0.0722 * linear(rgb & 255);
}

/* WCAG 2: from 1 (the same) to 21 (black on white). */
static double contrast(int a, int b)
{
	double x = luminance(a) + 0.05, y = luminance(b) + 0.05;
	return x > y ? x / y : y / x;
}

static int rgb256(int i)
{
	static const int steps[] = {0, 95, 135, 175, 215, 255};
	if (i >= 232) return (8 + 10 * (i - 232)) * 0x010101;
	i -= 16;
	return steps[i / 36] << 16 | steps[i / 6 % 6] << 8 | steps[i % 6];
}

/* As truecolor says it, and as 256 colours say it. */
static void check_contrast(const theme *t, int r, int ground, bool indexed)
{
	const colour *fg = &t->roles[r].fg;
	if (fg->rgb < 0) return;
	/* Frames carry no text: three to one is enough to see them (WCAG 1.4.11). */
	double least = r == ROLE_BORDER ? 3.0 : 4.5;
	int front = indexed ? rgb256(theme_index256(fg)) : fg->rgb;
	double c = contrast(front, ground);
	if (c < least)
		fail_msg("%s: %s %06x on %06x has contrast %.2f, under %.1f", t->name, role_name((role)r),
		         (unsigned)front, (unsigned)ground, c, least);
}

static void check_theme(const char *name)
{
	theme t;
	wr_err err = {0};
	if (theme_load(&t, name, &err) != 0) fail_msg("%s: %s", name, err.msg);
	for (int r = 0; r < ROLE_COUNT; r++) {
		const colour *bg = t.roles[r].own_bg ? &t.roles[r].bg : &t.bg;
		if (bg->rgb >= 0) {
			check_contrast(&t, r, bg->rgb, false);
			check_contrast(&t, r, rgb256(theme_index256(bg)), true);
			/* On 16 colours the two must at least differ. */
			if (t.roles[r].fg.rgb >= 0 && theme_index16(&t.roles[r].fg) == theme_index16(bg))
				fail_msg("%s: %s is invisible on 16 colours", name, role_name((role)r));
		}
		for (size_t g = 0; bg->rgb < 0 && g < 2; g++) {
			check_contrast(&t, r, grounds[g], false);
			check_contrast(&t, r, grounds[g], true);
		}
	}
}

static void test_builtins(void **unused)
{
	(void)unused;
	size_t n = 0;
	for (; theme_builtin(n); n++) check_theme(theme_builtin(n));
	assert_int_equal(n, 5);
}

static void test_files(void **unused)
{
	(void)unused;
	DIR *d = opendir("themes");
	assert_non_null(d);
	int n = 0;
	for (struct dirent *e; (e = readdir(d));) {
		char path[300];
		if (!strstr(e->d_name, ".theme")) continue;
		snprintf(path, sizeof path, "themes/%s", e->d_name);
		check_theme(path);
		n++;
	}
	closedir(d);
	assert_true(n >= 2);
}

/* Without colour, severity must still differ from plain text, and the banner must stand out. */
static void test_mono(void **unused)
{
	(void)unused;
	theme t;
	wr_err err = {0};
	assert_int_equal(theme_load(&t, "mono", &err), 0);
	for (int r = 0; r < ROLE_COUNT; r++) {
		assert_int_equal(t.roles[r].fg.rgb, -1);
		assert_false(t.roles[r].own_bg);
	}
	assert_true(t.roles[ROLE_SEV1].attrs != t.roles[ROLE_TEXT].attrs);
	assert_true(t.roles[ROLE_SELECT].attrs & ATTR_REVERSE);
	assert_true(t.roles[ROLE_BANNER].attrs & ATTR_REVERSE);
	assert_true(t.roles[ROLE_INPUT].attrs != t.roles[ROLE_TEXT].attrs);
}

/* Good, bad and unknown are told apart by hue alone in no theme; in this one they are by lightness
 * or by blue against orange, which the common colour blindnesses see. */
static void test_colour_blind(void **unused)
{
	(void)unused;
	theme t;
	wr_err err = {0};
	assert_int_equal(theme_load(&t, "colour-blind", &err), 0);
	int good = t.roles[ROLE_OK].fg.rgb, bad = t.roles[ROLE_SEV1].fg.rgb;
	assert_true((good & 255) > (good >> 16 & 255)); /* blue */
	assert_true((bad & 255) < (bad >> 16 & 255));   /* orange */
}

static void test_parse(void **unused)
{
	(void)unused;
	theme t;
	wr_err err = {0};
	assert_int_equal(theme_load(&t, "dark", &err), 0);
	const char text[] = "# a comment\r\n\n  fg =  #010203 17 bright-red , bold,underline\n"
	                    "sev1.bg = red\nbg = default\nok = bright-green\ninfo = #ffffff";
	assert_int_equal(theme_parse(&t, text, sizeof text - 1, "x", &err), 0);
	assert_int_equal(t.roles[ROLE_TEXT].fg.rgb, 0x010203);
	assert_int_equal(theme_index256(&t.roles[ROLE_TEXT].fg), 17);
	assert_int_equal(theme_index16(&t.roles[ROLE_TEXT].fg), 9);
	assert_int_equal(t.roles[ROLE_TEXT].attrs, ATTR_BOLD | ATTR_UNDERLINE);
	assert_true(t.roles[ROLE_SEV1].own_bg);
	assert_int_equal(theme_index16(&t.roles[ROLE_SEV1].bg), 1);
	assert_int_equal(t.bg.rgb, -1);
	assert_int_equal(theme_index256(&t.bg), -1);
	assert_int_equal(theme_index16(&t.roles[ROLE_OK].fg), 10);
	assert_int_equal(theme_index256(&t.roles[ROLE_INFO].fg), 231);
	assert_int_equal(theme_index16(&t.roles[ROLE_INFO].fg), 15);
}

static void test_mistakes(void **unused)
{
	(void)unused;
	static const char *const bad[] = {"fg",
	                                  "fg = ",
	                                  "fg = #12345",
	                                  "fg = #1234567",
	                                  "fg = mauve",
	                                  "fg = #+12345",
	                                  "nonsense = red",
	                                  "fg = red 256",
	                                  "fg = red -1",
	                                  "fg = red 1 mauve",
	                                  "fg = red 1 red x",
	                                  "fg = red, blink",
	                                  "fg = red,",
	                                  "= red",
	                                  "nonsense.bg = red",
	                                  "bg.bg = red",
	                                  "fg = default 1x"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		theme t;
		wr_err err = {0};
		char text[128];
		assert_int_equal(theme_load(&t, "dark", &err), 0);
		int n = snprintf(text, sizeof text, "ok = green\n%s\n", bad[i]);
		if (theme_parse(&t, text, (size_t)n, "my.theme", &err) == 0) fail_msg("%s", bad[i]);
		if (strncmp(err.msg, "my.theme:2: ", 12) != 0) fail_msg("%s: %s", bad[i], err.msg);
	}
	theme t;
	wr_err err = {0};
	char line[400];
	memset(line, 'x', sizeof line);
	assert_int_equal(theme_parse(&t, line, sizeof line, "my.theme", &err), -1);
	assert_int_equal(theme_load(&t, "no such", &err), -1);
	assert_int_equal(theme_load(&t, "../../etc/passwd.theme", &err), -1);
	assert_int_equal(theme_load(&t, "/dev/zero", &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_builtins), cmocka_unit_test(test_files),
	    cmocka_unit_test(test_mono),     cmocka_unit_test(test_colour_blind),
	    cmocka_unit_test(test_parse),    cmocka_unit_test(test_mistakes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
