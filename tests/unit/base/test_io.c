/* test_io.c: files, trusted or not, and written so that they are whole or not there. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "warroom/io.h"

static char dir[] = "/tmp/wr-test-io-XXXXXX";

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/wr-test-io-XXXXXX");
	(void)umask(022);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* in gives a path inside the test's directory; valid until the fourth next call. */
static const char *in(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned turn;
	char *p = paths[turn++ % 4];
	(void)snprintf(p, PATH_MAX, "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(in(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static unsigned entries(void)
{
	DIR *d = opendir(dir);
	assert_non_null(d);
	unsigned n = 0;
	while (readdir(d)) n++;
	(void)closedir(d);
	return n - 2;
}

static void test_read(void **state)
{
	(void)state;
	wr_err err;
	wr_buf b = WR_BUF_INIT(1000);
	wr_buf_adds(&b, "old content");
	put("f", "hello\n", 0644);
	assert_int_equal(wr_read_file(&b, in("f"), 1000, WR_ANY, &err), 0);
	assert_string_equal(wr_buf_cstr(&b), "hello\n");
	put("f", "", 0644);
	assert_int_equal(wr_read_file(&b, in("f"), 1000, WR_ANY, &err), 0);
	assert_int_equal(b.len, 0);
	wr_buf_free(&b);
}

static void test_read_maximum_is_exact(void **state)
{
	(void)state;
	wr_err err;
	char text[5000];
	memset(text, 'x', sizeof text - 1);
	static const size_t sizes[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 4999};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = sizes[i];
		text[n] = '\0';
		put("f", text, 0600);
		text[n] = 'x';
		wr_buf b = WR_BUF_INIT(n);
		assert_int_equal(wr_read_file(&b, in("f"), n, WR_PRIVATE, &err), 0);
		assert_int_equal(b.len, n);
		wr_buf_free(&b);
		if (n == 0) continue;
		wr_buf_init(&b, 100000);
		assert_fails(wr_read_file(&b, in("f"), n - 1, WR_ANY, &err), WR_E_LIMIT, &err);
		assert_int_equal(b.len, 0);
		wr_buf_free(&b);
		wr_buf_init(&b, n - 1);
		assert_fails(wr_read_file(&b, in("f"), 100000, WR_ANY, &err), WR_E_LIMIT, &err);
		wr_buf_free(&b);
	}
}

static void test_read_where_sizes_lie(void **state)
{
	(void)state;
	wr_err err;
	wr_buf b = WR_BUF_INIT(100000);
	/* A regular file of size 0, by fstat. */
	assert_int_equal(wr_read_file(&b, "/proc/self/status", 100000, WR_ANY, &err), 0);
	assert_non_null(strstr(wr_buf_cstr(&b), "Name:\ttest_io"));
	wr_buf_free(&b);
}

static void test_read_refuses_what_is_no_file(void **state)
{
	(void)state;
	wr_err err;
	wr_buf b = WR_BUF_INIT(100);
	assert_fails(wr_read_file(&b, in("none"), 100, WR_ANY, &err), WR_E_NOT_FOUND, &err);
	assert_non_null(strstr(err.msg, "/none: cannot open: "));
	assert_fails(wr_read_file(&b, dir, 100, WR_ANY, &err), WR_E_DENIED, &err);
	assert_fails(wr_read_file(&b, "/dev/zero", 100, WR_ANY, &err), WR_E_DENIED, &err);
	assert_fails(wr_read_file(&b, "", 100, WR_ANY, &err), WR_E_NOT_FOUND, &err);
	/* A FIFO without a writer: refused at once, not waited for. */
	assert_int_equal(mkfifo(in("fifo"), 0600), 0);
	assert_fails(wr_read_file(&b, in("fifo"), 100, WR_ANY, &err), WR_E_DENIED, &err);
	wr_buf_free(&b);
}

static void test_trust_by_mode(void **state)
{
	(void)state;
	static const struct {
		mode_t mode;
		bool not_writable, private;
	} rows[] = {
	    {0600, true, true},   {0400, true, true},   {0700, true, true},   {0640, true, false},
	    {0604, true, false},  {0644, true, false},  {0620, false, false}, {0602, false, false},
	    {0666, false, false}, {0777, false, false}, {0611, true, true},
	};
	wr_err err;
	wr_buf b = WR_BUF_INIT(100);
	put("f", "x", 0600);
	/* Another group than root's, if we may. */
	bool other_group = getuid() != 0 || chown(in("f"), (uid_t)-1, 12345) == 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(chmod(in("f"), rows[i].mode), 0);
		bool expected = rows[i].not_writable || (!other_group && !(rows[i].mode & 02));
		int rc = wr_read_file(&b, in("f"), 100, WR_NOT_WRITABLE, &err);
		if ((rc == 0) != expected) fail_msg("mode %o", (unsigned)rows[i].mode);
		if (rc) assert_int_equal(err.code, WR_E_DENIED);
		rc = wr_read_file(&b, in("f"), 100, WR_PRIVATE, &err);
		if ((rc == 0) != rows[i].private) fail_msg("mode %o", (unsigned)rows[i].mode);
		if (rc) assert_non_null(strstr(err.msg, "chmod 600"));
		assert_int_equal(wr_read_file(&b, in("f"), 100, WR_ANY, &err), 0);
	}
	wr_buf_free(&b);
}

static void test_trust_by_owner(void **state)
{
	(void)state;
	if (getuid() != 0) skip();
	wr_err err;
	wr_buf b = WR_BUF_INIT(100);
	put("f", "x", 0600);
	assert_int_equal(chown(in("f"), 12345, 0), 0);
	assert_fails(wr_read_file(&b, in("f"), 100, WR_NOT_WRITABLE, &err), WR_E_DENIED, &err);
	assert_non_null(strstr(err.msg, "12345"));
	assert_fails(wr_read_file(&b, in("f"), 100, WR_PRIVATE, &err), WR_E_DENIED, &err);
	assert_int_equal(wr_read_file(&b, in("f"), 100, WR_ANY, &err), 0);
	/* Root's own group may write: it is root. */
	assert_int_equal(chown(in("f"), 0, 0), 0);
	assert_int_equal(chmod(in("f"), 0664), 0);
	assert_int_equal(wr_read_file(&b, in("f"), 100, WR_NOT_WRITABLE, &err), 0);
	wr_buf_free(&b);
}

static void test_a_link_is_judged_by_its_target(void **state)
{
	(void)state;
	wr_err err;
	wr_buf b = WR_BUF_INIT(100);
	put("open", "x", 0666);
	assert_int_equal(symlink("open", in("link")), 0);
	assert_fails(wr_read_file(&b, in("link"), 100, WR_NOT_WRITABLE, &err), WR_E_DENIED, &err);
	put("closed", "y", 0600);
	assert_int_equal(symlink("closed", in("link2")), 0);
	assert_int_equal(wr_read_file(&b, in("link2"), 100, WR_PRIVATE, &err), 0);
	assert_string_equal(wr_buf_cstr(&b), "y");
	wr_buf_free(&b);
}

static void test_errors_show_paths_harmlessly(void **state)
{
	(void)state;
	wr_err err;
	wr_buf b = WR_BUF_INIT(100);
	assert_int_equal(wr_read_file(&b, "/nowhere/\x1b[2J\n", 100, WR_ANY, &err), -1);
	for (const char *p = err.msg; *p; p++) assert_true((unsigned char)*p >= 0x20);
	wr_buf_free(&b);
}

static void expect_file(const char *name, const char *text, mode_t mode)
{
	wr_err err;
	struct stat st;
	wr_buf b = WR_BUF_INIT(1 << 20);
	if (wr_read_file(&b, in(name), 1 << 20, WR_ANY, &err)) fail_msg("%s", err.msg);
	assert_string_equal(wr_buf_cstr(&b), text);
	assert_int_equal(stat(in(name), &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	wr_buf_free(&b);
}

static void test_write(void **state)
{
	(void)state;
	wr_err err;
	assert_int_equal(wr_write_file(in("f"), "one", 3, 0600, &err), 0);
	expect_file("f", "one", 0600);
	assert_int_equal(wr_write_file(in("f"), "", 0, 0664, &err), 0);
	expect_file("f", "", 0664);
	assert_int_equal(wr_write_file(in("f"), "three", 5, 0644, &err), 0);
	expect_file("f", "three", 0644);
	assert_int_equal(entries(), 1);
}

static void test_write_by_a_relative_path(void **state)
{
	(void)state;
	wr_err err;
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(here >= 0);
	assert_int_equal(chdir(dir), 0);
	int rc = wr_write_file("bare", "x", 1, 0600, &err);
	assert_int_equal(fchdir(here), 0);
	(void)close(here);
	assert_int_equal(rc, 0);
	expect_file("bare", "x", 0600);
}

static void test_failed_write_leaves_the_old(void **state)
{
	(void)state;
	wr_err err;
	put("f", "old", 0600);
	/* A file size limit stands for a full disk. The child has it alone. */
	pid_t pid = fork();
	if (pid == 0) {
		char data[100] = {0};
		struct rlimit none = {10, 10};
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &none);
		int rc = wr_write_file(in("f"), data, sizeof data, 0600, &err);
		_exit(rc == -1 && err.code == WR_E_LIMIT && strstr(err.msg, "/f: cannot write") ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	expect_file("f", "old", 0600);
	assert_int_equal(entries(), 1);

	assert_int_equal(mkdir(in("d"), 0700), 0);
	assert_int_equal(wr_write_file(in("d"), "x", 1, 0600, &err), -1);
	assert_int_equal(entries(), 2);
	assert_fails(wr_write_file(in("none/f"), "x", 1, 0600, &err), WR_E_NOT_FOUND, &err);
	char long_path[PATH_MAX + 10];
	memset(long_path, 'x', sizeof long_path);
	long_path[sizeof long_path - 1] = '\0';
	assert_fails(wr_write_file(long_path, "x", 1, 0600, &err), WR_E_LIMIT, &err);
	long_path[PATH_MAX + 4] = '/';
	assert_fails(wr_write_file(long_path, "x", 1, 0600, &err), WR_E_LIMIT, &err);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A pipe that is read slowly, with signals coming in: all arrives, in order. */
static void test_write_all_survives_short_writes(void **state)
{
	(void)state;
	enum { SIZE = 1 << 20 };
	int fds[2], status;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct sigaction sa = {.sa_handler = on_alarm}; /* without SA_RESTART */
		(void)sigaction(SIGALRM, &sa, NULL);
		(void)ualarm(1000, 1000);
		char *data = malloc(SIZE);
		wr_err err;
		if (!data) _exit(2);
		for (size_t i = 0; i < SIZE; i++) data[i] = (char)(i * 31 >> 3);
		_exit(wr_write_all(fds[1], data, SIZE, &err) ? 1 : 0);
	}
	(void)close(fds[1]);
	size_t total = 0;
	char chunk[777];
	for (ssize_t n; (n = read(fds[0], chunk, sizeof chunk)) > 0; total += (size_t)n)
		for (size_t i = 0; i < (size_t)n; i++)
			if (chunk[i] != (char)((total + i) * 31 >> 3)) fail_msg("at %zu", total + i);
	(void)close(fds[0]);
	assert_int_equal(total, SIZE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_write_all_fails(void **state)
{
	(void)state;
	wr_err err;
	assert_int_equal(wr_write_all(-1, "", 0, &err), 0);
	assert_fails(wr_write_all(-1, "x", 1, &err), WR_E_IO, &err);
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (fd < 0) skip();
	assert_fails(wr_write_all(fd, "x", 1, &err), WR_E_NO_SPACE, &err);
	(void)close(fd);
}

static void test_fsync_dir(void **state)
{
	(void)state;
	wr_err err;
	assert_int_equal(wr_fsync_dir(dir, &err), 0);
	assert_fails(wr_fsync_dir(in("none"), &err), WR_E_NOT_FOUND, &err);
	put("f", "x", 0600);
	assert_fails(wr_fsync_dir(in("f"), &err), WR_E_NOT_FOUND, &err);
}

static void test_mkdirs(void **state)
{
	(void)state;
	wr_err err;
	struct stat st;
	assert_int_equal(wr_mkdirs(in("a/b/c"), 0750, &err), 0);
	assert_int_equal(wr_mkdirs(in("a/b/c"), 0750, &err), 0);
	assert_int_equal(wr_mkdirs(in("a//b/d/"), 0700, &err), 0);
	assert_int_equal(stat(in("a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(stat(in("a/b/d"), &st), 0);
	assert_int_equal(wr_mkdirs("/", 0700, &err), 0);

	assert_int_equal(symlink("a", in("link")), 0);
	assert_int_equal(wr_mkdirs(in("link/e"), 0700, &err), 0);
	put("f", "x", 0600);
	assert_fails(wr_mkdirs(in("f"), 0700, &err), WR_E_CONFLICT, &err);
	assert_int_equal(wr_mkdirs(in("f/g"), 0700, &err), -1);
	assert_int_equal(symlink("nowhere", in("broken")), 0);
	assert_int_equal(wr_mkdirs(in("broken/x"), 0700, &err), -1);
	assert_fails(wr_mkdirs("", 0700, &err), WR_E_INVALID, &err);
	char long_path[PATH_MAX + 1];
	memset(long_path, 'x', PATH_MAX);
	long_path[PATH_MAX] = '\0';
	assert_fails(wr_mkdirs(long_path, 0700, &err), WR_E_INVALID, &err);
}

static void test_path_join(void **state)
{
	(void)state;
	static const struct {
		const char *dir, *name, *joined;
	} rows[] = {
	    {"/etc", "x", "/etc/x"}, {"/etc/", "x", "/etc/x"}, {"/etc", "/x", "/x"},
	    {"", "x", "x"},          {"/", "x", "/x"},         {"a", "b/c", "a/b/c"},
	};
	wr_err err;
	char out[7];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(wr_path_join(out, sizeof out, rows[i].dir, rows[i].name, &err), 0);
		assert_string_equal(out, rows[i].joined);
	}
	assert_fails(wr_path_join(out, sizeof out, "/etc", "xy", &err), WR_E_LIMIT, &err);
	assert_fails(wr_path_join(out, sizeof out, "/etc", "/123456", &err), WR_E_LIMIT, &err);
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	    IN_DIR(test_read),
	    IN_DIR(test_read_maximum_is_exact),
	    IN_DIR(test_read_where_sizes_lie),
	    IN_DIR(test_read_refuses_what_is_no_file),
	    IN_DIR(test_trust_by_mode),
	    IN_DIR(test_trust_by_owner),
	    IN_DIR(test_a_link_is_judged_by_its_target),
	    IN_DIR(test_errors_show_paths_harmlessly),
	    IN_DIR(test_write),
	    IN_DIR(test_write_by_a_relative_path),
	    IN_DIR(test_failed_write_leaves_the_old),
	    IN_DIR(test_write_all_survives_short_writes),
	    IN_DIR(test_write_all_fails),
	    IN_DIR(test_fsync_dir),
	    IN_DIR(test_mkdirs),
	    IN_DIR(test_path_join),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
