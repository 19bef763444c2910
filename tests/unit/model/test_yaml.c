/* test_yaml.c: files that are not what they should be: each is refused with a reason and a line. */
#include "fixture.h"

static void test_missing_and_unreadable(void **state)
{
	fixture *x = *state;
	assert_null(fx_load(x));
	assert_int_equal(x->f.errors, 1);
	assert_string_equal(x->f.items[0].file, x->path);
	fx_unload(x);
	x->c = wr_config_load("/nonexistent/dir/warroom.yaml", &x->f);
	assert_null(x->c);
	fx_expect_error(x, "", "is the directory right");
	fx_unload(x);
	x->c = wr_config_load(x->dir, &x->f);
	assert_null(x->c);
	fx_expect_error(x, "", "regular file");
}

static void test_empty(void **state)
{
	fixture *x = *state;
	static const char *const empties[] = {"", "\n\n", "# only a comment\n", "---\n",
	                                      "\xEF\xBB\xBF"};
	for (size_t i = 0; i < sizeof empties / sizeof empties[0]; i++) {
		assert_null(fx_load_text(x, empties[i]));
		assert_true(x->f.errors >= 1);
	}
	assert_null(fx_load_text(x, ""));
	fx_expect_error(x, "", "the file is empty");
	assert_null(fx_load_text(x, "just words\n"));
	fx_expect_error(x, "", "expected a configuration");
	assert_null(fx_load_text(x, "[1, 2]\n"));
	fx_expect_error(x, "", "a list");
}

static void test_not_text(void **state)
{
	fixture *x = *state;
	static const char nul[] = "platform: a\0b\n";
	fx_put_bytes(x, "warroom.yaml", nul, sizeof nul - 1, 0600);
	assert_null(fx_load(x));
	fx_expect_error(x, "", "not a UTF-8 text file (byte 0x00");
	assert_null(fx_load_text(x, "platform: a\nobserver: \xC3\x28\n"));
	fx_expect_error(x, "", "not a UTF-8 text file (byte 0xc3");
	assert_int_equal(x->f.items[0].line, 2);
	assert_int_equal(x->f.items[0].column, 11);
	static const char elf[] = "\x7f"
	                          "ELF\x02\x01\x01";
	fx_put_bytes(x, "warroom.yaml", elf, sizeof elf, 0600);
	assert_null(fx_load(x));
	assert_null(fx_load_text(x, "\xFF\xFEp\n"));
	assert_null(fx_load_text(x, "platform: \x1b[2J\n"));
	fx_expect_error(x, "", "not valid YAML");
	assert_null(strchr(x->f.items[0].text, '\x1b'));
}

static void test_bom_is_fine(void **state)
{
	fixture *x = *state;
	fx_load_text(x, "\xEF\xBB\xBF" FX_BASE);
	fx_expect_clean(x);
}

static void test_syntax_error_has_a_line(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, "platform: a\nregions: [\n  - oops\n"));
	assert_int_equal(x->f.errors, 1);
	fx_expect_error(x, "", "not valid YAML");
	assert_true(x->f.items[0].line >= 2);
	assert_null(fx_load_text(x, "a: b: c\n"));
	fx_expect_error(x, "", "mapping values are not allowed");
	assert_int_equal(x->f.items[0].line, 1);
	assert_null(fx_load_text(x, "a:\n\t- b\n"));
	fx_expect_error(x, "", "cannot start any token");
}

static void test_anchors_aliases_tags(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, FX_BASE "services: &s [*s]\n"));
	fx_expect_error(x, "", "anchors (&name) and aliases (*name) are not accepted");
	/* The classic: each list nine times the one before. */
	assert_null(fx_load_text(x, "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
	                            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"));
	assert_true(x->f.errors >= 3);
	assert_null(fx_load_text(x, FX_BASE "services:\n  - &x {name: a, rto: 1m, rpo: 1m}\n"
	                                    "  - <<: *x\n"));
	fx_expect_error(x, "", "aliases");
	assert_null(fx_load_text(x, FX_BASE "engine: !!python/object:os.system {tick: 1s}\n"));
	fx_expect_error(x, "", "tags (!name)");
	assert_null(fx_load_text(x, "*a : b\n"));
	assert_null(fx_load_text(x, "platform: !!str x\n"));
	fx_expect_error(x, "", "tags (!name)");
}

static void test_several_documents(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, FX_BASE "---\nplatform: b\n"));
	fx_expect_error(x, "", "only one YAML document");
	fx_load_text(x, "---\n" FX_BASE "...\n");
	fx_expect_clean(x);
}

static void test_duplicate_keys(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, FX_BASE "engine: {tick: 1s, tick: 2s}\nplatform: again\n"));
	fx_expect_error(x, "platform", "already given in line 1");
	fx_expect_error(x, "engine.tick", "already given");
	assert_int_equal(x->f.errors, 2);
}

static void test_keys_that_are_no_text(void **state)
{
	fixture *x = *state;
	assert_null(fx_load_text(x, "? [a, b]\n: c\n"));
	fx_expect_error(x, "", "a key must be plain text");
	assert_null(fx_load_text(x, "{a: b}: c\n"));
	fx_expect_error(x, "", "a key must be plain text");
	assert_null(fx_load_text(x, "\"a\\0b\": c\n"));
	fx_expect_error(x, "", "this key is not usable");
	assert_null(fx_load_text(x, "\"\\e[2Jx\": c\n"));
	for (size_t i = 0; i < x->f.count; i++) assert_null(strchr(x->f.items[i].key, '\x1b'));
}

static char *repeat(const char *unit, size_t times, const char *before)
{
	size_t n = strlen(unit), m = strlen(before);
	char *s = malloc(m + n * times + 1);
	assert_non_null(s);
	memcpy(s, before, m);
	for (size_t i = 0; i < times; i++) memcpy(s + m + i * n, unit, n);
	s[m + n * times] = '\0';
	return s;
}

static void test_depth(void **state)
{
	fixture *x = *state;
	static const char *const units[] = {"[", "{a: ", "- ", "? "};
	for (size_t i = 0; i < 4; i++) {
		char *s = repeat(units[i], 200000 / strlen(units[i]), "");
		assert_null(fx_load_text(x, s));
		assert_true(x->f.errors >= 1);
		free(s);
	}
	char *s = repeat("[", 40, "a: ");
	assert_null(fx_load_text(x, s));
	fx_expect_error(x, "", "nested too deeply");
	free(s);
}

static void test_floods(void **state)
{
	fixture *x = *state;
	char *s = repeat("x,", 150000, "a: [");
	assert_null(fx_load_text(x, s));
	assert_true(x->f.errors >= 1);
	free(s);
	s = malloc(1u << 20);
	assert_non_null(s);
	size_t at = 0;
	for (int i = 0; i < 5000; i++) at += (size_t)snprintf(s + at, (1u << 20) - at, "k%d: v\n", i);
	assert_null(fx_load_text(x, s));
	fx_expect_error(x, "", "too many keys in one mapping");
	/* 900 wrong keys: no more than 200 are kept, and all are counted. */
	at = 0;
	for (int i = 0; i < 900; i++) at += (size_t)snprintf(s + at, (1u << 20) - at, "k%d: v\n", i);
	assert_null(fx_load_text(x, s));
	assert_int_equal(x->f.count, WR_FINDINGS_MAX);
	assert_int_equal(x->f.count + x->f.more, x->f.errors + x->f.warnings);
	assert_true(x->f.errors >= 900);
	free(s);
}

static void test_size(void **state)
{
	fixture *x = *state;
	fx_put(x, "warroom.yaml", FX_BASE);
	assert_int_equal(truncate(x->path, 100 << 20), 0); /* sparse: refused before it is read */
	assert_null(fx_load(x));
	fx_expect_error(x, "", "larger than");
	char *s = repeat("#", WR_CONFIG_MAX - sizeof FX_BASE - 1, FX_BASE);
	fx_load_text(x, s);
	fx_expect_clean(x);
	free(s);
	s = repeat("#", WR_CONFIG_MAX, FX_BASE);
	assert_null(fx_load_text(x, s));
	fx_expect_error(x, "", "larger than");
	free(s);
}

static void test_trust(void **state)
{
	fixture *x = *state;
	fx_put_bytes(x, "warroom.yaml", FX_BASE, sizeof FX_BASE - 1, 0602);
	assert_null(fx_load(x));
	fx_expect_error(x, "", "others can write it");
	fx_put_bytes(x, "warroom.yaml", FX_BASE "runbooks: [r.yaml]\n",
	             sizeof(FX_BASE "runbooks: [r.yaml]\n") - 1, 0644);
	fx_put_bytes(x, "r.yaml", "name: r\nsteps: []\n", 18, 0666);
	assert_null(fx_load(x));
	fx_expect_error(x, "runbooks[0]", "others can write it");
	char fifo[128];
	snprintf(fifo, sizeof fifo, "%s/fifo", x->dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	fx_unload(x);
	x->c = wr_config_load(fifo, &x->f);
	assert_null(x->c);
	fx_expect_error(x, "", "not a regular file");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_missing_and_unreadable),
	    T(test_empty),
	    T(test_not_text),
	    T(test_bom_is_fine),
	    T(test_syntax_error_has_a_line),
	    T(test_anchors_aliases_tags),
	    T(test_several_documents),
	    T(test_duplicate_keys),
	    T(test_keys_that_are_no_text),
	    T(test_depth),
	    T(test_floods),
	    T(test_size),
	    T(test_trust),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
