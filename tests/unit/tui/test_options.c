/* The command line's reading: what goes where, and any words at all. Messages go to /dev/null. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ledger.h"

enum { WORDS_MAX = 90 };

typedef struct line {
	char *argv[WORDS_MAX + 1];
	char text[WORDS_MAX][48];
	int argc;
	cli c;
} line;

static void add(line *l, const char *word)
{
	assert_true(l->argc < WORDS_MAX);
	snprintf(l->text[l->argc], sizeof l->text[0], "%s", word);
	l->argv[l->argc] = l->text[l->argc];
	l->argc++;
}

/* Words apart by one blank, "_" for an empty one. */
static int parse(line *l, const char *words)
{
	*l = (line){.argc = 0};
	add(l, "warroom");
	while (*words) {
		size_t n = strcspn(words, " ");
		char one[48];
		snprintf(one, sizeof one, "%.*s", (int)n, words);
		add(l, !strcmp(one, "_") ? "" : one);
		words += n + (words[n] ? 1 : 0);
	}
	return cli_parse(&l->c, l->argc, l->argv);
}

static void operands_are(const line *l, const char *wanted)
{
	char got[512] = "";
	size_t n = 0;
	for (int i = 0; i < l->c.argc; i++)
		n += (size_t)snprintf(got + n, sizeof got - n, "%s%s", i ? " " : "", l->c.argv[i]);
	assert_string_equal(got, wanted);
}

static void options_stand_anywhere(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "why failover --from a --to b --json", "--json why --from a failover --to b",
	    "--from a --to b why failover --json", "--from=a why --to=b --json failover",
	    "why --json --from a --to b -- failover"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		line l;
		assert_int_equal(parse(&l, lines[i]), EXIT_OK);
		assert_string_equal(l.c.verb, "why");
		assert_null(l.c.sub);
		assert_true(l.c.json);
		assert_string_equal(l.c.from, "a");
		assert_string_equal(cli_opt(&l.c, "to"), "b");
		assert_null(cli_opt(&l.c, "runbook"));
		operands_are(&l, "failover");
	}
}

static void a_verb_of_a_verb(void **state)
{
	(void)state;
	static const char *const lines[] = {"ledger tail -n 7 --watch", "ledger -n 7 tail --watch",
	                                    "-n7 --watch ledger tail", "ledger tail --watch -n7"};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		line l;
		int64_t n = 20;
		assert_int_equal(parse(&l, lines[i]), EXIT_OK);
		assert_string_equal(l.c.verb, "ledger");
		assert_non_null(l.c.sub);
		assert_string_equal(l.c.sub->name, "tail");
		assert_int_equal(cli_number(&l.c, "n", 1, 500, &n), EXIT_OK);
		assert_int_equal(n, 7);
		assert_string_equal(cli_opt(&l.c, "watch"), "");
		assert_true(l.c.watch);
		operands_are(&l, "");
	}
	line l;
	assert_int_equal(parse(&l, "ledger verify a -- --json -"), EXIT_OK);
	assert_false(l.c.json);
	operands_are(&l, "a --json -");
	assert_int_equal(parse(&l, "ledger nonsense --json"), EXIT_OK);
	assert_null(l.c.sub);
	operands_are(&l, "nonsense");
	assert_int_equal(parse(&l, "_ ledger"), EXIT_OK);
	assert_string_equal(l.c.verb, "");
}

/* restore has a --from of its own, which is no region. */
static void its_own_option_counts(void **state)
{
	(void)state;
	line l;
	assert_int_equal(parse(&l, "ledger restore --from snap --into d"), EXIT_OK);
	assert_string_equal(cli_opt(&l.c, "from"), "snap");
	assert_int_equal(parse(&l, "--from snap ledger restore --from other"), EXIT_OK);
	assert_string_equal(cli_opt(&l.c, "from"), "other");
	assert_int_equal(l.c.given_count, 2);
}

static void refused(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "status --nonsense",    "status -Z",         "status --json=1",
	    "status --socket",      "why --from --to b", "status --from a",
	    "ledger tail --from a", "ledger show -1",    "--",
	    "status --=x",          "ledger tail -n",    "--from a",
	    "key new --watch a",    "status --jso",      "-n 5 status",
	    "version --auto",
	};
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		line l;
		int rc = parse(&l, lines[i]);
		if (!strcmp(lines[i], "--")) {
			assert_int_equal(rc, EXIT_OK);
			assert_null(l.c.verb);
		} else if (rc != EXIT_USAGE) {
			fail_msg("%s: accepted", lines[i]);
		}
	}
	line l;
	l = (line){.argc = 0};
	add(&l, "warroom");
	add(&l, "status");
	for (int i = 0; i <= CLI_GIVEN_MAX; i++) add(&l, "--json");
	assert_int_equal(cli_parse(&l.c, l.argc, l.argv), EXIT_USAGE);
}

static void numbers(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int rc;
	} tries[] = {{"1", EXIT_OK},      {"500", EXIT_OK},
	             {"0", EXIT_USAGE},   {"501", EXIT_USAGE},
	             {"_", EXIT_USAGE},   {"-1", EXIT_USAGE},
	             {"5x", EXIT_USAGE},  {"0x5", EXIT_USAGE},
	             {"1e2", EXIT_USAGE}, {"99999999999999999999", EXIT_USAGE}};
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		line l;
		char text[64];
		int64_t n = 20;
		snprintf(text, sizeof text, "ledger tail -n %s", tries[i].text);
		assert_int_equal(parse(&l, text), EXIT_OK);
		if (cli_number(&l.c, "n", 1, 500, &n) != tries[i].rc) fail_msg("%s", text);
		assert_int_equal(n, tries[i].rc == EXIT_OK ? strtoll(tries[i].text, NULL, 10) : 20);
	}
}

/* Any words: what is accepted has its verb in front, and every word is somewhere at most once. */
static void any_words(void **state)
{
	(void)state;
	static const char *const words[] = {
	    "ledger", "tail",       "verify",   "restore", "status",      "why",        "key",
	    "new",    "--ascii",    "--from",   "--from=", "-n",          "-n5",        "-h",
	    "-c",     "--",         "-",        "",        "--=",         "---",        "-=",
	    "--into", "--key",      "--watch",  "a",       "--as",        "--help",     "--n",
	    "--tail", "-json",      "--socket", "=",       "--changelog", "--config=x", "\xff",
	    "--\xff", "--no-color", "--version"};
	uint32_t seed = 1;
	for (int round = 0; round < 200000; round++) {
		line l = {.argc = 0};
		add(&l, "warroom");
		int n = (int)((seed = seed * 1664525u + 1013904223u) >> 16) % 8;
		for (int i = 0; i < n; i++) {
			seed = seed * 1664525u + 1013904223u;
			add(&l, words[(seed >> 16) % (sizeof words / sizeof *words)]);
		}
		int rc = cli_parse(&l.c, l.argc, l.argv);
		assert_true(rc == EXIT_OK || rc == EXIT_USAGE);
		if (rc != EXIT_OK) continue;
		assert_true(l.c.argc >= 0 && l.c.argc <= n);
		assert_true(l.c.verb || l.c.argc == 0);
		assert_true(!l.c.sub || l.c.verb);
		for (int i = 0; i < l.c.argc; i++) assert_non_null(l.c.argv[i]);
	}
}

/* The tables themselves: a name once, a summary for all, and one way to run it. */
static void tables(void **state)
{
	(void)state;
	for (const verb *v = verbs; v->name; v++) {
		assert_ptr_equal(cli_find_verb(v->name), v);
		assert_true(*v->summary && v->help && v->operands);
		assert_true(!v->run != !v->subs);
		for (const cli_sub *s = v->subs; s && s->name; s++) {
			assert_ptr_equal(cli_find_sub(v, s->name), s);
			assert_true(*s->summary && s->help && s->operands && s->run);
			for (const cli_option *o = s->options; o && o->name; o++)
				for (const cli_option *p = s->options; p != o; p++)
					assert_string_not_equal(p->name, o->name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_stand_anywhere),
	    cmocka_unit_test(a_verb_of_a_verb),
	    cmocka_unit_test(its_own_option_counts),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(any_words),
	    cmocka_unit_test(tables),
	};
	if (!freopen("/dev/null", "w", stderr)) return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
