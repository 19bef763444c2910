/* test_err.c: the error type. */
#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_fail_fills(void **state)
{
	(void)state;
	wr_err err;
	assert_int_equal(wr_fail(&err, WR_E_NOT_FOUND, "no %s", "region"), -1);
	assert_int_equal(err.code, WR_E_NOT_FOUND);
	assert_string_equal(err.msg, "no region");
	assert_int_equal(wr_fail(NULL, WR_E_BUG, "nobody looks"), -1);
}

static void test_wrap_puts_place_in_front(void **state)
{
	(void)state;
	wr_err err;
	wr_fail(&err, WR_E_IO, "cannot read");
	assert_int_equal(wr_err_wrap(&err, "step %d", 3), -1);
	assert_string_equal(err.msg, "step 3: cannot read");
	assert_int_equal(err.code, WR_E_IO);
	assert_int_equal(wr_err_wrap(NULL, "x"), -1);
}

static void test_arguments_may_point_into_the_error(void **state)
{
	(void)state;
	wr_err err;
	wr_fail(&err, WR_E_IO, "inner");
	wr_fail(&err, WR_E_UNAVAILABLE, "outer (%s)", err.msg);
	assert_string_equal(err.msg, "outer (inner)");
	wr_err_wrap(&err, "%s", err.msg);
	assert_string_equal(err.msg, "outer (inner): outer (inner)");
}

static void test_long_messages_are_cut_between_characters(void **state)
{
	(void)state;
	wr_err err;
	for (size_t pad = 0; pad < 4; pad++) {
		char text[1024] = "";
		memset(text, 'x', pad);
		for (size_t i = pad; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xE2\x82\xAC", 4);
		wr_fail(&err, WR_E_INVALID, "%s", text);
		size_t len = strlen(err.msg);
		assert_true(len < sizeof err.msg && len > sizeof err.msg - 5);
		assert_int_equal((len - pad) % 3, 0);
		wr_err_wrap(&err, "abc");
		assert_true(strlen(err.msg) < sizeof err.msg);
		assert_true(strncmp(err.msg, "abc: ", 5) == 0);
	}
	char ascii[600];
	memset(ascii, 'a', sizeof ascii - 1);
	ascii[sizeof ascii - 1] = '\0';
	wr_fail(&err, WR_E_INVALID, "%s", ascii);
	assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
}

static void test_errno_becomes_a_code(void **state)
{
	(void)state;
	static const struct {
		int errnum;
		wr_code code;
	} rows[] = {
	    {ENOENT, WR_E_NOT_FOUND}, {EACCES, WR_E_DENIED},     {ENOSPC, WR_E_NO_SPACE},
	    {EDQUOT, WR_E_NO_SPACE},  {ENOMEM, WR_E_NOMEM},      {EMFILE, WR_E_LIMIT},
	    {EIO, WR_E_IO},           {ETIMEDOUT, WR_E_TIMEOUT}, {ECONNREFUSED, WR_E_UNAVAILABLE},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		wr_err err;
		assert_int_equal(wr_fail_errno(&err, rows[i].errnum, "file %s", "x"), -1);
		assert_int_equal(err.code, rows[i].code);
		assert_true(strncmp(err.msg, "file x: ", 8) == 0);
		assert_string_equal(err.msg + 8, strerror(rows[i].errnum));
	}
	assert_int_equal(wr_fail_errno(NULL, EIO, "x"), -1);
}

static void test_names_match_the_codes(void **state)
{
	(void)state;
	static const char *const upper[] = {
#define X(name, text) #name,
	    WR_ERR_CODES(X)
#undef X
	};
	for (size_t i = 0; i < sizeof upper / sizeof *upper; i++) {
		const char *lower = wr_err_name((wr_code)i);
		assert_int_equal(strlen(lower), strlen(upper[i]));
		for (size_t c = 0; lower[c]; c++) assert_int_equal(lower[c], tolower(upper[i][c]));
		assert_true(strlen(wr_err_text((wr_code)i)) > 1);
	}
	assert_string_equal(wr_err_name(WR_E_NOT_FOUND), "not_found");
	assert_string_equal(wr_err_text(WR_E_NOT_FOUND), "not found");
	assert_string_equal(wr_err_name((wr_code)999), "unknown");
	assert_string_equal(wr_err_text((wr_code)999), "unknown error");
}

static void restore(void)
{
	static const char text[] = "restored;";
	if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(9);
}

static void restore_and_die(void)
{
	restore();
	wr_die("from the hook");
}

static void die_in_child(void (*hook)(void), char *output, size_t size)
{
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct rlimit no_core = {0, 0};
		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(fds[1], STDERR_FILENO);
		wr_die_hook(hook);
		wr_die("assertion %d", 7);
	}
	(void)close(fds[1]);
	size_t len = 0;
	ssize_t n;
	while ((n = read(fds[0], output + len, size - 1 - len)) > 0) len += (size_t)n;
	output[len] = '\0';
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_die_runs_the_hook_first(void **state)
{
	(void)state;
	char output[256];
	die_in_child(restore, output, sizeof output);
	assert_string_equal(output, "restored;warroom: assertion 7\n");
	die_in_child(NULL, output, sizeof output);
	assert_string_equal(output, "warroom: assertion 7\n");
}

static void test_dying_in_the_hook_ends_all_the_same(void **state)
{
	(void)state;
	char output[256];
	die_in_child(restore_and_die, output, sizeof output);
	assert_string_equal(output, "restored;warroom: from the hook\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fail_fills),
	    cmocka_unit_test(test_wrap_puts_place_in_front),
	    cmocka_unit_test(test_arguments_may_point_into_the_error),
	    cmocka_unit_test(test_long_messages_are_cut_between_characters),
	    cmocka_unit_test(test_errno_becomes_a_code),
	    cmocka_unit_test(test_names_match_the_codes),
	    cmocka_unit_test(test_die_runs_the_hook_first),
	    cmocka_unit_test(test_dying_in_the_hook_ends_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
