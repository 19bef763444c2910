/* test_log.c: the engine's log, as it arrives on stderr. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "warroom/log.h"
#include "warroom/text.h"

static int saved_stderr = -1, capture_fd = -1;

static void capture(void)
{
	saved_stderr = dup(STDERR_FILENO);
	capture_fd = memfd_create("log", MFD_CLOEXEC);
	assert_true(saved_stderr >= 0 && capture_fd >= 0);
	assert_int_equal(dup2(capture_fd, STDERR_FILENO), STDERR_FILENO);
}

static char *captured(void)
{
	assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved_stderr);
	off_t size = lseek(capture_fd, 0, SEEK_END);
	assert_true(size >= 0);
	char *text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(pread(capture_fd, text, (size_t)size, 0), size);
	(void)close(capture_fd);
	wr_log_level(WR_LOG_INFO);
	return text;
}

/* after_time checks "2026-01-25T12:40:15.123Z " at the head of a line and steps over it. */
static const char *after_time(const char *line)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ ";
	for (size_t i = 0; shape[i]; i++) {
		if (shape[i] == 'd')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], shape[i]);
	}
	return line + sizeof shape - 1;
}

static void test_line(void **state)
{
	(void)state;
	capture();
	wr_log(WR_LOG_WARN, "probe", "lag of %s is %d s", "redis", 3);
	char *text = captured();
	assert_string_equal(after_time(text), "warn probe: lag of redis is 3 s\n");
	free(text);
}

static void test_levels(void **state)
{
	(void)state;
	capture();
	wr_log(WR_LOG_DEBUG, "m", "hidden");
	wr_log(WR_LOG_INFO, "m", "one");
	wr_log_level(WR_LOG_ERROR);
	wr_log(WR_LOG_WARN, "m", "hidden");
	wr_log(WR_LOG_ERROR, "m", "two");
	wr_log_level(WR_LOG_DEBUG);
	wr_log(WR_LOG_DEBUG, "m", "three");
	char *text = captured();
	const char *line = after_time(text);
	assert_true(strncmp(line, "info m: one\n", 12) == 0);
	line = after_time(line + 12);
	assert_true(strncmp(line, "error m: two\n", 13) == 0);
	line = after_time(line + 13);
	assert_string_equal(line, "debug m: three\n");
	free(text);
}

static void test_nobody_forges_a_line(void **state)
{
	(void)state;
	capture();
	wr_log(WR_LOG_INFO, "m\n", "%s",
	       "x\n2026-01-25T12:40:15.123Z error ledger: forged\r\x1b[2K\xC2\x9B");
	char *text = captured();
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	for (const char *p = text; *p; p++) assert_true((unsigned char)*p >= 0x20 || *p == '\n');
	assert_null(strstr(text, "\xC2\x9B"));
	free(text);
}

static void test_long_lines_are_cut(void **state)
{
	(void)state;
	char *huge = malloc(100001);
	assert_non_null(huge);
	for (size_t i = 0; i < 100000; i += 2) memcpy(huge + i, "\xC3\xA9", 2);
	huge[100000] = '\0';
	capture();
	wr_log(WR_LOG_INFO, "m", "%s", huge);
	wr_log(WR_LOG_INFO, huge, "next");
	char *text = captured();
	free(huge);
	char *end = strchr(text, '\n');
	assert_non_null(end);
	assert_in_range(end - text, 1000, 4096);
	for (const char *p = text; p < end;) assert_int_not_equal(wr_utf8_next(&p, end), 0xFFFD);
	assert_non_null(strstr(end, ": next\n"));
	free(text);
}

static void test_errno_survives(void **state)
{
	(void)state;
	capture();
	(void)close(STDERR_FILENO);
	errno = ENOSPC;
	wr_log(WR_LOG_ERROR, "m", "to nobody");
	int after = errno;
	char *text = captured();
	assert_int_equal(after, ENOSPC);
	assert_string_equal(text, "");
	free(text);
}

static void test_full_pipe_loses_the_line_only(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
	static const char filler[4096];
	while (write(fds[1], filler, sizeof filler) > 0) {
	}
	capture();
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	wr_log(WR_LOG_ERROR, "m", "lost");
	free(captured());
	(void)close(fds[0]);
	(void)close(fds[1]);
}

#define THREADS 4
#define LINES   200

static void *log_lines(void *arg)
{
	for (unsigned i = 0; i < LINES; i++)
		wr_log(WR_LOG_INFO, "thread", "%c%c%c%c%c%c%c%c", *(char *)arg, *(char *)arg, *(char *)arg,
		       *(char *)arg, *(char *)arg, *(char *)arg, *(char *)arg, *(char *)arg);
	return NULL;
}

static void test_threads_do_not_mix_lines(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	char names[] = "abcd";
	capture();
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_lines, &names[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
	char *text = captured();
	unsigned lines = 0;
	for (const char *line = text; *line; lines++) {
		line = after_time(line);
		assert_true(strncmp(line, "info thread: ", 13) == 0);
		line += 13;
		for (unsigned i = 1; i < 8; i++) assert_int_equal(line[i], line[0]);
		assert_int_equal(line[8], '\n');
		line += 9;
	}
	assert_int_equal(lines, THREADS * LINES);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_nobody_forges_a_line),
	    cmocka_unit_test(test_long_lines_are_cut),
	    cmocka_unit_test(test_errno_survives),
	    cmocka_unit_test(test_full_pipe_loses_the_line_only),
	    cmocka_unit_test(test_threads_do_not_mix_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
