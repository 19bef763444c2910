/* test_grid.c: cells, cutting, wide and combining characters, wrapping, meters, numbers, editing.
 */
#include "scenes.h"
#include "warroom/text.h"
#include "widget/edit.h"
#include "widget/keys.h"

static char *row_text(const grid *g, int y, char *out, size_t size)
{
	size_t len = 0;
	for (int x = 0; x < g->w; x++) {
		const cell *c = &g->cells[y * g->w + x];
		char utf8[4];
		if (!c->cp) continue;
		size_t n = wr_utf8_put(utf8, c->cp);
		assert_true(len + n + 5 < size);
		memcpy(out + len, utf8, n);
		len += n;
		if (!c->mark) continue;
		n = wr_utf8_put(utf8, c->mark);
		memcpy(out + len, utf8, n);
		len += n;
	}
	while (len && out[len - 1] == ' ') len--;
	out[len] = '\0';
	return out;
}

static void check_text(const char *text, int width, const char *want, int used)
{
	grid g;
	char got[512];
	assert_int_equal(grid_init(&g, 40, 1), 0);
	assert_int_equal(grid_text(&g, 0, 0, width, ROLE_TEXT, text), used);
	assert_string_equal(row_text(&g, 0, got, sizeof got), want);
	grid_free(&g);
}

static void test_cutting(void **unused)
{
	(void)unused;
	check_text("hello", 10, "hello", 5);
	check_text("hello", 5, "hello", 5);
	check_text("hello", 4, "hel…", 4);
	check_text("hello", 1, "…", 1);
	check_text("hello", 0, "", 0);
	check_text("hello", -3, "", 0);
	check_text("", 5, "", 0);
	check_text("日本語", 6, "日本語", 6);
	check_text("日本語", 5, "日本…", 5);
	check_text("日本語", 4, "日…", 3);
	check_text("日本語", 2, "…", 1);
	check_text("a日b", 3, "a…", 2);
	check_text("e\xcc\x81"
	           "a",
	           2,
	           "e\xcc\x81"
	           "a",
	           2);
	check_text("\xcc\x81"
	           "a",
	           2, "a", 1); /* a mark upon nothing */
	check_text("hello\xcc\x81", 5, "hello\xcc\x81", 5);
}

static void test_harm(void **unused)
{
	(void)unused;
	check_text("a\x1b[2Jb", 20, "a\xef\xbf\xbd[2Jb", 6);
	check_text("a\nb\tc", 20, "a b c", 5);
	check_text("a\rb\x07\x7f", 20,
	           "a\xef\xbf\xbd"
	           "b\xef\xbf\xbd\xef\xbf\xbd",
	           5);
	check_text("\xe2\x80\xaegnp", 20, "\xef\xbf\xbdgnp", 4); /* right-to-left override */
	check_text("\xe2\x80\x8b\xef\xbb\xbf", 20, "\xef\xbf\xbd\xef\xbf\xbd", 2);
	check_text("\xc2\x9b"
	           "31m",
	           20,
	           "\xef\xbf\xbd"
	           "31m",
	           4); /* C1 CSI */
	check_text("\xff\xfe", 20, "\xef\xbf\xbd\xef\xbf\xbd", 2);
	check_text("\xe2\x9c\x94\xef\xb8\x8f ok", 20, "\xe2\x9c\x94 ok", 4); /* variation selector */
	for (uint32_t cp = 0; cp < 0x110000; cp++)
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) assert_false(grid_harmless(cp));
	assert_true(grid_harmless('a') && grid_harmless(0x301) && grid_harmless(0x65e5));
	assert_true(grid_harmless(0xfffd) && !grid_harmless(0x202e) && !grid_harmless(0xe0041));
}

static void test_ascii(void **unused)
{
	(void)unused;
	grid_use(&glyphs_ascii);
	check_text("us → eu … ok", 20, "us > eu ~ ok", 12);
	check_text("größer", 20, "gr??er", 6);
	check_text("日本", 20, "??", 2);
	check_text("e\xcc\x81", 20, "e", 1);
	check_text("hello", 4, "hel~", 4);
	grid_use(&glyphs_utf8);
}

/* A wide character that loses a half is gone whole. */
static void test_wide_halves(void **unused)
{
	(void)unused;
	grid g;
	char got[128];
	assert_int_equal(grid_init(&g, 6, 1), 0);
	grid_text(&g, 0, 0, 6, ROLE_TEXT, "日本語");
	grid_put(&g, 1, 0, 'x', ROLE_TEXT);
	assert_string_equal(row_text(&g, 0, got, sizeof got), " x本語");
	grid_put(&g, 2, 0, 'y', ROLE_TEXT);
	assert_string_equal(row_text(&g, 0, got, sizeof got), " xy 語");
	grid_fill(&g, (rect){5, 0, 1, 1}, '.', ROLE_TEXT);
	assert_string_equal(row_text(&g, 0, got, sizeof got), " xy  .");
	/* At the right edge there is no room for it, whatever the caller says. */
	grid_clear(&g);
	grid_text(&g, 5, 0, 10, ROLE_TEXT, "日");
	assert_string_equal(row_text(&g, 0, got, sizeof got), "");
	grid_put(&g, -1, 0, 'x', ROLE_TEXT);
	grid_put(&g, 6, 0, 'x', ROLE_TEXT);
	grid_put(&g, 0, 1, 'x', ROLE_TEXT);
	assert_string_equal(row_text(&g, 0, got, sizeof got), "");
	grid_free(&g);
}

static void test_long_format(void **unused)
{
	(void)unused;
	grid g;
	char text[5000], got[12000];
	assert_int_equal(grid_init(&g, 3000, 1), 0);
	for (size_t i = 0; i + 3 < sizeof text; i += 2) memcpy(text + i, "\xc3\xbc", 3);
	grid_textf(&g, 0, 0, 3000, ROLE_TEXT, "x%s", text);
	row_text(&g, 0, got, sizeof got);
	assert_null(strstr(got, "\xef\xbf\xbd")); /* not cut inside a character */
	grid_free(&g);
}

static void test_right(void **unused)
{
	(void)unused;
	grid g;
	char got[64];
	assert_int_equal(grid_init(&g, 10, 1), 0);
	grid_right(&g, 0, 0, 8, ROLE_TEXT, "42%");
	assert_string_equal(row_text(&g, 0, got, sizeof got), "     42%");
	grid_clear(&g);
	grid_right(&g, 0, 0, 4, ROLE_TEXT, "too long");
	assert_string_equal(row_text(&g, 0, got, sizeof got), "too…");
	grid_free(&g);
}

static void check_wrap(const char *text, int width, const char *want)
{
	wrap w = wrap_of(text);
	const char *start;
	size_t len;
	int indent;
	wr_buf out = WR_BUF_INIT(4096);
	while (wrap_next(&w, width, &start, &len, &indent)) {
		wr_buf_addf(&out, "%*s%.*s|", indent, "", (int)len, start);
		assert_true(out.len < 4000);
	}
	assert_string_equal(wr_buf_cstr(&out), want);
	wr_buf_free(&out);
}

static void test_wrap(void **unused)
{
	(void)unused;
	check_wrap("", 10, "");
	check_wrap("one two", 10, "one two|");
	check_wrap("one two three", 8, "one two|three|");
	check_wrap("abcdefghij", 4, "abcd|efgh|ij|");
	check_wrap("a\n\nb", 4, "a||b|");
	check_wrap("a\n", 4, "a|");
	check_wrap("日本語", 4, "日本|語|");
	check_wrap("日", 1, "日|"); /* it cannot fit, and must not hang */
	check_wrap("   indented text goes on", 14, "   indented|   text goes|   on|");
	check_wrap("  why   because of a reason", 18, "  why   because of|        a reason|");
	check_wrap("aaaa,bbbb,cccc,dddd", 10, "aaaa,bbbb,|cccc,dddd|");
	check_wrap("x", 0, "");
}

static void test_pages_of_text(void **unused)
{
	(void)unused;
	grid g;
	int total;
	char got[64];
	assert_int_equal(grid_init(&g, 10, 3), 0);
	rect a = {0, 0, 10, 3};
	assert_int_equal(draw_pages(&g, a, ROLE_TEXT, "a\nb\nc\nd\ne\n", 1, &total), 1);
	assert_int_equal(total, 5);
	assert_string_equal(row_text(&g, 0, got, sizeof got), "b");
	assert_int_equal(draw_pages(&g, a, ROLE_TEXT, "a\nb\nc\nd\ne\n", 99, &total), 2);
	assert_int_equal(draw_pages(&g, a, ROLE_TEXT, "a\nb", -5, &total), 0);
	grid_clear(&g);
	assert_int_equal(draw_wrapped(&g, (rect){0, 0, 10, 2}, ROLE_TEXT, "a\nb\nc"), 2);
	assert_string_equal(row_text(&g, 1, got, sizeof got), "b        …"); /* there is more */
	grid_free(&g);
}

static int count(const grid *g, uint32_t cp)
{
	int n = 0;
	for (int i = 0; i < g->w * g->h; i++) n += g->cells[i].cp == cp;
	return n;
}

static void test_meters(void **unused)
{
	(void)unused;
	static const struct {
		double part;
		int full;
	} rows[] = {{0, 0},  {-1, 0}, {0.001, 1},  {0.5, 5},      {0.95, 10},
	            {1, 10}, {7, 10}, {1e300, 10}, {0.0 / 1.0, 0}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		grid g;
		assert_int_equal(grid_init(&g, 10, 1), 0);
		draw_meter(&g, 0, 0, 10, rows[i].part, ROLE_OK, ROLE_DIM);
		assert_int_equal(count(&g, glyphs_utf8.full), rows[i].full);
		assert_int_equal(count(&g, glyphs_utf8.empty), 10 - rows[i].full);
		draw_meter2(&g, 0, 0, 10, rows[i].part, 0.001, ROLE_OK, ROLE_INFO, ROLE_DIM);
		assert_true(count(&g, glyphs_utf8.ahead) == (rows[i].full < 10));
		grid_free(&g);
	}
}

static void test_sparks(void **unused)
{
	(void)unused;
	static const int64_t values[] = {-1, 0, INT64_MAX, 5, INT64_MIN};
	grid g;
	assert_int_equal(grid_init(&g, 8, 1), 0);
	draw_spark(&g, 0, 0, 8, values, 5, 1, ROLE_OK);
	assert_int_equal(g.cells[4].cp, glyphs_utf8.spark[0]);
	assert_int_equal(g.cells[5].cp, glyphs_utf8.spark[7]);
	assert_int_equal(g.cells[6].cp, glyphs_utf8.spark[0]);
	assert_int_equal(g.cells[7].cp, ' ');
	draw_spark(&g, 0, 0, 2, values, 5, 0, ROLE_OK);
	draw_spark(&g, 0, 0, 0, values, 5, 0, ROLE_OK);
	draw_spark(&g, 0, 0, 8, values, 0, 0, ROLE_OK);
	grid_free(&g);
}

static void test_numbers(void **unused)
{
	(void)unused;
	char b[32];
	assert_string_equal(fmt_clock(b, sizeof b, 0), "00:00");
	assert_string_equal(fmt_clock(b, sizeof b, 252999), "04:12");
	assert_string_equal(fmt_clock(b, sizeof b, 3852000), "1:04:12");
	assert_string_equal(fmt_clock(b, sizeof b, -61000), "-01:01");
	assert_true(strlen(fmt_clock(b, sizeof b, INT64_MIN)) > 0);
	assert_string_equal(fmt_short(b, sizeof b, 30000), "30s");
	assert_string_equal(fmt_short(b, sizeof b, 300000), "5m");
	assert_string_equal(fmt_short(b, sizeof b, 90000), "90s");
	assert_string_equal(fmt_short(b, sizeof b, 7200000), "2h");
	assert_string_equal(fmt_short(b, sizeof b, 950400000), "11d");
	assert_string_equal(fmt_short(b, sizeof b, 250), "250ms");
	assert_string_equal(fmt_short(b, sizeof b, 0), "0s");
	assert_string_equal(fmt_short(b, sizeof b, -1), "-");
	assert_string_equal(fmt_age(b, sizeof b, 999), "0s");
	assert_string_equal(fmt_age(b, sizeof b, -1), "-");
	assert_string_equal(fmt_ms(b, sizeof b, -5), "-");
	assert_string_equal(fmt_count(b, sizeof b, 10247), "10,247");
	assert_string_equal(fmt_count(b, sizeof b, -1234567), "-1,234,567");
	assert_string_equal(fmt_count(b, sizeof b, 12), "12");
	assert_string_equal(fmt_bytes(b, sizeof b, 41000), "41 KB");
	assert_string_equal(fmt_bytes(b, sizeof b, 4300), "4.3 KB");
	assert_string_equal(fmt_bytes(b, sizeof b, 12), "12 B");
	assert_string_equal(fmt_bytes(b, sizeof b, -1), "-");
}

static void keys(edit *e, const uint32_t *list)
{
	for (; *list; list++) assert_true(edit_key(e, *list));
}

static void test_edit(void **unused)
{
	(void)unused;
	edit e = {.len = 0};
	keys(&e, (const uint32_t[]){'g', 'r', 0xf6, 0xdf, 'e', 'r', 0});
	assert_string_equal(e.text, "größer");
	keys(&e, (const uint32_t[]){K_LEFT, K_LEFT, K_LEFT, K_BACKSPACE, 'o', 0});
	assert_string_equal(e.text, "großer");
	keys(&e, (const uint32_t[]){K_HOME, K_DELETE, 'G', K_END, '!', 0});
	assert_string_equal(e.text, "Großer!");
	keys(&e, (const uint32_t[]){' ', 0x65e5, 0x301, K_LEFT, K_DELETE, 0});
	assert_string_equal(e.text, "Großer! "); /* a character goes with its marks */
	keys(&e, (const uint32_t[]){'x', 'y', K_CTRL_W, 0});
	assert_string_equal(e.text, "Großer! ");
	keys(&e, (const uint32_t[]){K_CTRL_A, K_RIGHT, K_CTRL_U, 0});
	assert_string_equal(e.text, "roßer! ");
	keys(&e, (const uint32_t[]){K_CTRL_E, K_CTRL_U, K_BACKSPACE, K_DELETE, K_LEFT, K_RIGHT, 0});
	assert_string_equal(e.text, "");
	assert_false(edit_key(&e, K_ENTER));
	assert_false(edit_key(&e, K_UP));
	assert_false(edit_key(&e, K_OTHER));
	assert_true(edit_key(&e, 0x202e)); /* taken, and thrown away */
	assert_true(edit_key(&e, 0x301));
	assert_string_equal(e.text, "");
}

static void test_edit_limits(void **unused)
{
	(void)unused;
	edit e = {.len = 0};
	for (int i = 0; i < 300; i++) (void)edit_insert(&e, 0x65e5);
	assert_int_equal(e.len, 255);
	assert_false(edit_insert(&e, 'x'));
	edit_set(&e, "a\x1b[2Jb\xff");
	assert_string_equal(e.text, "a[2Jb\xef\xbf\xbd");
	/* Whatever is typed, whole characters stay. */
	uint32_t state = 12345;
	static const uint32_t pool[] = {'a',     0xf6,   0x65e5,      0x301,    0x1f600,  K_LEFT,
	                                K_RIGHT, K_HOME, K_BACKSPACE, K_DELETE, K_CTRL_W, ' '};
	for (int i = 0; i < 20000; i++) {
		grid g;
		state = state * 1664525u + 1013904223u;
		(void)edit_key(&e, pool[(state >> 16) % (sizeof pool / sizeof *pool)]);
		assert_true(e.at <= e.len && e.len < sizeof e.text && e.text[e.len] == '\0');
		assert_true(((unsigned char)e.text[e.at] & 0xc0) != 0x80);
		if (i % 50) continue;
		assert_int_equal(grid_init(&g, 12, 1), 0);
		int cursor = edit_draw(&e, &g, 1, 0, 10, ROLE_INPUT);
		assert_true(cursor >= 1 && cursor <= 10);
		assert_int_equal(g.cells[0].cp, ' ');
		assert_int_equal(g.cells[11].cp, ' ');
		grid_free(&g);
	}
}

static void test_scrollbar(void **unused)
{
	(void)unused;
	for (int total = 0; total < 60; total++)
		for (int first = 0; first <= (total > 10 ? total - 10 : 0); first++) {
			grid g;
			assert_int_equal(grid_init(&g, 1, 12), 0);
			draw_scrollbar(&g, 0, 1, 10, first, 10, total);
			int n = count(&g, glyphs_utf8.thumb);
			assert_true(total <= 10 ? n == 0 : n >= 1 && n <= 10);
			if (total > 10 && first == 0) assert_int_equal(g.cells[1].cp, glyphs_utf8.thumb);
			if (total > 10 && first == total - 10)
				assert_int_equal(g.cells[10].cp, glyphs_utf8.thumb);
			assert_int_equal(g.cells[0].cp, ' ');
			assert_int_equal(g.cells[11].cp, ' ');
			grid_free(&g);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cutting),     cmocka_unit_test(test_harm),
	    cmocka_unit_test(test_ascii),       cmocka_unit_test(test_wide_halves),
	    cmocka_unit_test(test_long_format), cmocka_unit_test(test_right),
	    cmocka_unit_test(test_wrap),        cmocka_unit_test(test_pages_of_text),
	    cmocka_unit_test(test_meters),      cmocka_unit_test(test_sparks),
	    cmocka_unit_test(test_numbers),     cmocka_unit_test(test_edit),
	    cmocka_unit_test(test_edit_limits), cmocka_unit_test(test_scrollbar)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
