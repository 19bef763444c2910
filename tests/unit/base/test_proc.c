/* test_proc.c: programs run, bounded, stopped, and never outliving what they should not. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc_child.h"
#include "warroom/proc.h"

/* Far more than any of these programs needs; a test that waits for it fails by what it asserts. */
#define PLENTY_MS  60000
#define SH(script) ((const char *const[]){"sh", "-c", (script), NULL})

typedef struct outcome {
	wr_buf out, err_out;
	wr_proc_result result;
	wr_err err;
	int rc;
} outcome;

static outcome run_spec(const wr_proc_spec *spec, size_t max)
{
	outcome o = {.out = WR_BUF_INIT(max), .err_out = WR_BUF_INIT(max)};
	o.rc = wr_proc_run(spec, &o.out, &o.err_out, &o.result, &o.err);
	return o;
}

static outcome run(const char *script)
{
	wr_proc_spec spec = {.argv = SH(script), .timeout_ms = PLENTY_MS};
	return run_spec(&spec, 1 << 20);
}

static void done(outcome *o)
{
	wr_buf_free(&o->out);
	wr_buf_free(&o->err_out);
}

static void expect_output(const char *script, const char *expected)
{
	outcome o = run(script);
	assert_int_equal(o.rc, 0);
	assert_string_equal(wr_buf_cstr(&o.out), expected);
	done(&o);
}

static void test_output_and_exit_code(void **state)
{
	(void)state;
	outcome o = run("echo out; echo err >&2; exit 7");
	assert_int_equal(o.rc, 0);
	assert_true(o.result.started);
	assert_int_equal(o.result.exit_code, 7);
	assert_int_equal(o.result.signal, 0);
	assert_false(o.result.timed_out || o.result.cancelled || o.result.output_cut);
	assert_true(o.result.duration_ms >= 0);
	assert_string_equal(wr_buf_cstr(&o.out), "out\n");
	assert_string_equal(wr_buf_cstr(&o.err_out), "err\n");
	done(&o);
}

static void test_death_by_signal(void **state)
{
	(void)state;
	outcome o = run("kill -USR1 $$");
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.result.exit_code, -1);
	assert_int_equal(o.result.signal, SIGUSR1);
	assert_false(o.result.timed_out);
	done(&o);
}

static void test_no_shell_between(void **state)
{
	(void)state;
	const char *argv[] = {"printf", "[%s]", "a b", "$HOME;`id`", "", "\xFF", NULL};
	wr_proc_spec spec = {.argv = argv, .timeout_ms = PLENTY_MS};
	outcome o = run_spec(&spec, 1000);
	assert_string_equal(wr_buf_cstr(&o.out), "[a b][$HOME;`id`][][\xFF]");
	done(&o);
}

static void expect_not_started(const wr_proc_spec *spec, wr_code code, const char *why)
{
	outcome o = run_spec(spec, 1000);
	assert_int_equal(o.rc, -1);
	assert_int_equal(o.err.code, code);
	if (!strstr(o.err.msg, why)) fail_msg("\"%s\", not \"%s\"", o.err.msg, why);
	assert_false(o.result.started);
	assert_int_equal(o.result.exit_code, 127);
	done(&o);
}

static void test_what_cannot_start(void **state)
{
	(void)state;
	char script[] = "/tmp/wr-test-proc-XXXXXX";
	int fd = mkstemp(script);
	assert_true(fd >= 0);
	const char *argv[] = {"/nonexistent/program", NULL};
	wr_proc_spec spec = {.argv = argv, .timeout_ms = PLENTY_MS};
	expect_not_started(&spec, WR_E_NOT_FOUND, "cannot execute /nonexistent/program: No such file");
	argv[0] = "no-such-program-in-path";
	expect_not_started(&spec, WR_E_NOT_FOUND, "no such program in PATH");
	argv[0] = "./relative";
	expect_not_started(&spec, WR_E_INVALID, "absolute path or a bare name");
	argv[0] = "";
	expect_not_started(&spec, WR_E_INVALID, "absolute path or a bare name");
	argv[0] = "/tmp";
	expect_not_started(&spec, WR_E_DENIED, "cannot execute /tmp: Permission denied");
	argv[0] = script;
	expect_not_started(&spec, WR_E_DENIED, "Permission denied");
	/* Text without a #! line is not handed to a shell. */
	assert_int_equal(write(fd, "echo no\n", 8), 8);
	assert_int_equal(fchmod(fd, 0700), 0);
	(void)close(fd);
	expect_not_started(&spec, WR_E_IO, "format error");
	argv[0] = "true";
	spec.cwd = "/nonexistent/\x1b[2J";
	expect_not_started(&spec, WR_E_NOT_FOUND,
	                   "cannot enter directory /nonexistent/\xEF\xBF\xBD[2J");
	(void)unlink(script);
}

static void test_path_is_searched_carefully(void **state)
{
	(void)state;
	char dir[] = "/tmp/wr-test-proc-XXXXXX", path[64], env[128];
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/sh", dir);
	assert_int_equal(mkdir(path, 0700), 0); /* a directory of that name is no program */
	(void)snprintf(env, sizeof env, "PATH=:.:%s::/nonexistent:/bin:/usr/bin", dir);
	const char *extra[] = {env, NULL};
	wr_proc_spec spec = {.argv = SH("echo $PATH"), .env = extra, .timeout_ms = PLENTY_MS};
	outcome o = run_spec(&spec, 1000);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.out.len, strlen(env + 5) + 1);
	assert_memory_equal(o.out.data, env + 5, strlen(env + 5));
	done(&o);
	extra[0] = "PATH=";
	expect_not_started(&spec, WR_E_NOT_FOUND, "PATH");
	(void)rmdir(path);
	(void)rmdir(dir);
}

static void test_clean_environment(void **state)
{
	(void)state;
	assert_int_equal(setenv("WR_TEST_SECRET", "x", 1), 0);
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	assert_int_equal(setenv("LANG", "C.UTF-8", 1), 0);
	assert_int_equal(setenv("HOME", "/nowhere", 1), 0);
	const char *argv[] = {"env", NULL};
	const char *extra[] = {"A=1", "LANG=xx", "B=", NULL};
	wr_proc_spec spec = {.argv = argv, .env = extra, .timeout_ms = PLENTY_MS};
	outcome o = run_spec(&spec, 10000);
	assert_int_equal(o.rc, 0);
	const char *text = wr_buf_cstr(&o.out);
	assert_true(strncmp(text, "PATH=", 5) == 0);
	const char *rest = strchr(text, '\n');
	assert_non_null(rest);
	assert_string_equal(rest, "\nHOME=/nowhere\nTZ=UTC\nA=1\nLANG=xx\nB=\n");
	done(&o);

	char *path = strdup(getenv("PATH"));
	assert_non_null(path);
	assert_int_equal(unsetenv("PATH"), 0);
	spec.env = NULL;
	o = run_spec(&spec, 10000);
	assert_int_equal(setenv("PATH", path, 1), 0);
	free(path);
	assert_int_equal(o.rc, 0);
	assert_non_null(strstr(wr_buf_cstr(&o.out), "PATH=/usr/local/sbin:"));
	done(&o);
}

static void test_directory(void **state)
{
	(void)state;
	const char *argv[] = {"pwd", NULL};
	wr_proc_spec spec = {.argv = argv, .cwd = "/usr", .timeout_ms = PLENTY_MS};
	outcome o = run_spec(&spec, 1000);
	assert_string_equal(wr_buf_cstr(&o.out), "/usr\n");
	done(&o);
}

static void test_input(void **state)
{
	(void)state;
	enum { SIZE = 3 << 20 };
	char *data = malloc(SIZE);
	assert_non_null(data);
	for (size_t i = 0; i < SIZE; i++) data[i] = (char)(i * 7 >> 2);
	const char *argv[] = {"cat", NULL};
	wr_proc_spec spec = {.argv = argv, .input = data, .input_len = SIZE, .timeout_ms = PLENTY_MS};
	outcome o = run_spec(&spec, SIZE);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.out.len, SIZE);
	assert_memory_equal(o.out.data, data, SIZE);
	assert_false(o.result.output_cut);
	done(&o);

	/* A program that does not care for it. */
	spec.argv = SH("exit 3");
	o = run_spec(&spec, 10);
	assert_int_equal(o.result.exit_code, 3);
	done(&o);
	free(data);
	expect_output("wc -c | tr -d ' '", "0\n");
}

static void test_output_is_kept_to_the_maximum(void **state)
{
	(void)state;
	wr_proc_spec spec = {.argv = SH("head -c 300000 /dev/zero | tr '\\0' x; echo e >&2; exit 4"),
	                     .timeout_ms = PLENTY_MS};
	outcome o = run_spec(&spec, 1000);
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.result.exit_code, 4);
	assert_true(o.result.output_cut);
	assert_true(wr_buf_ok(&o.out));
	assert_int_equal(o.out.len, 1000);
	assert_string_equal(wr_buf_cstr(&o.err_out), "e\n");
	done(&o);
	o = run_spec(&spec, 300000);
	assert_false(o.result.output_cut);
	assert_int_equal(o.out.len, 300000);
	done(&o);

	wr_proc_result result;
	wr_err err;
	assert_int_equal(wr_proc_run(&spec, NULL, NULL, &result, &err), 0);
	assert_int_equal(result.exit_code, 4);
	assert_false(result.output_cut);
}

typedef struct listener {
	wr_buf all;
	atomic_bool cancel;
	pid_t pid; /* the number printed first */
} listener;

static void listen_to(void *ctx, const char *data, size_t len)
{
	listener *l = ctx;
	wr_buf_add(&l->all, data, len);
	if (l->pid == 0 && strchr(wr_buf_cstr(&l->all), '\n'))
		l->pid = (pid_t)strtol(wr_buf_cstr(&l->all), NULL, 10);
}

static void cancel_on_output(void *ctx, const char *data, size_t len)
{
	listener *l = ctx;
	listen_to(ctx, data, len);
	if (l->pid) atomic_store(&l->cancel, true);
}

/* run_until_it_speaks cancels the script as soon as it has printed a number. */
static outcome run_until_it_speaks(const char *script, size_t max)
{
	listener l = {.all = WR_BUF_INIT(1 << 20)};
	wr_proc_spec spec = {
	    .argv = SH(script),
	    .timeout_ms = PLENTY_MS,
	    .cancel = &l.cancel,
	    .on_output = cancel_on_output,
	    .on_output_ctx = &l,
	};
	outcome o = run_spec(&spec, max);
	assert_int_equal(o.rc, 0);
	assert_false(o.result.timed_out);
	wr_buf_free(&l.all);
	return o;
}

static void test_output_as_it_comes(void **state)
{
	(void)state;
	listener l = {.all = WR_BUF_INIT(1000)};
	wr_proc_spec spec = {.argv = SH("echo a; echo b >&2; echo c"),
	                     .timeout_ms = PLENTY_MS,
	                     .on_output = listen_to,
	                     .on_output_ctx = &l};
	wr_proc_result result;
	wr_err err;
	assert_int_equal(wr_proc_run(&spec, NULL, NULL, &result, &err), 0);
	assert_int_equal(l.all.len, 6);
	assert_non_null(strstr(l.all.data, "a\n"));
	assert_non_null(strstr(l.all.data, "b\n"));
	assert_non_null(strstr(l.all.data, "c\n"));
	wr_buf_free(&l.all);
}

static void test_cancel(void **state)
{
	(void)state;
	listener l = {.all = WR_BUF_INIT(1000)};
	wr_proc_spec spec = {.argv = SH("echo $$; exec sleep 1000"),
	                     .timeout_ms = PLENTY_MS,
	                     .cancel = &l.cancel,
	                     .on_output = cancel_on_output,
	                     .on_output_ctx = &l};
	outcome o = run_spec(&spec, 1000);
	assert_int_equal(o.rc, 0);
	assert_true(o.result.cancelled && o.result.started);
	assert_false(o.result.timed_out);
	assert_int_equal(o.result.signal, SIGTERM);
	assert_int_equal(kill(l.pid, 0), -1);
	done(&o);

	/* Cancelled before: nothing runs. */
	wr_buf_reset(&l.all);
	o = run_spec(&spec, 1000);
	assert_int_equal(o.rc, -1);
	assert_int_equal(o.err.code, WR_E_CANCELLED);
	assert_true(o.result.cancelled);
	assert_false(o.result.started);
	assert_int_equal(l.all.len, 0);
	done(&o);
	wr_buf_free(&l.all);
}

static void test_a_flood_cannot_hold_us(void **state)
{
	(void)state;
	outcome o = run_until_it_speaks("exec yes 1", 1000);
	assert_true(o.result.cancelled && o.result.output_cut);
	assert_int_equal(o.result.signal, SIGTERM);
	assert_int_equal(o.out.len, 1000);
	done(&o);
}

static void test_sigterm_lets_it_clean_up(void **state)
{
	(void)state;
	outcome o = run_until_it_speaks(
	    "trap 'echo cleaned; exit 9' TERM; echo 1; while :; do sleep 0.01; done", 1000);
	assert_true(o.result.cancelled);
	assert_int_equal(o.result.exit_code, 9);
	assert_string_equal(wr_buf_cstr(&o.out), "1\ncleaned\n");
	done(&o);
}

static void test_timeout(void **state)
{
	(void)state;
	const char *argv[] = {"sleep", "1000", NULL};
	wr_proc_spec spec = {.argv = argv, .timeout_ms = 50};
	outcome o = run_spec(&spec, 1000);
	assert_int_equal(o.rc, 0);
	assert_true(o.result.timed_out);
	assert_false(o.result.cancelled);
	assert_int_equal(o.result.exit_code, -1);
	assert_int_equal(o.result.signal, SIGTERM);
	assert_true(o.result.duration_ms >= 50);
	done(&o);
}

static void test_who_ignores_sigterm_is_killed(void **state)
{
	(void)state;
	outcome o = run_until_it_speaks("trap '' TERM; echo 1; while :; do sleep 0.1; done", 1000);
	assert_true(o.result.cancelled);
	assert_int_equal(o.result.signal, SIGKILL);
	done(&o);
}

static void test_a_stopped_child_gets_its_sigterm(void **state)
{
	(void)state;
	wr_proc_spec spec = {.argv = SH("kill -STOP $$"), .timeout_ms = 100};
	outcome o = run_spec(&spec, 1000);
	assert_int_equal(o.rc, 0);
	assert_true(o.result.timed_out);
	assert_int_equal(o.result.signal, SIGTERM);
	done(&o);
}

/* reap waits for an orphan that became ours; returns its wait status. */
static int reap(pid_t pid)
{
	int status;
	pid_t got;
	do got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	assert_int_equal(got, pid);
	return status;
}

static void test_a_grandchild_with_the_pipe_does_not_hold_us(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	outcome o = run("sleep 1000 & echo $!; exit 5");
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.result.exit_code, 5);
	assert_false(o.result.timed_out);
	/* What a program left running by its own will after a good end is its own business. */
	pid_t orphan = (pid_t)strtol(wr_buf_cstr(&o.out), NULL, 10);
	assert_true(orphan > 1);
	assert_int_equal(kill(orphan, SIGTERM), 0);
	assert_int_equal(WTERMSIG(reap(orphan)), SIGTERM);
	done(&o);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void test_the_whole_group_is_stopped(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	/* The grandchild ignores SIGTERM and holds our pipe; its parent dies at once. */
	outcome o = run_until_it_speaks(
	    "sh -c 'trap \"\" TERM; echo $$; exec sleep 1000' & exec sleep 1000", 1000);
	assert_true(o.result.cancelled);
	assert_int_equal(o.result.signal, SIGTERM);
	int status = reap((pid_t)strtol(wr_buf_cstr(&o.out), NULL, 10));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	done(&o);

	/* One without our pipe is not waited for, but taken all the same. */
	o = run_until_it_speaks(
	    "sh -c 'trap \"\" TERM; echo $$; exec sleep 1000 >/dev/null 2>&1' & exec sleep 1000", 1000);
	status = reap((pid_t)strtol(wr_buf_cstr(&o.out), NULL, 10));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	done(&o);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void test_closing_its_output_is_no_end(void **state)
{
	(void)state;
	outcome o = run("exec >&- 2>&-; sleep 0.2; exit 6");
	assert_int_equal(o.rc, 0);
	assert_int_equal(o.result.exit_code, 6);
	done(&o);
}

static void test_own_session_and_default_signals(void **state)
{
	(void)state;
	sigset_t set, before;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, &before), 0);
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	outcome o = run("sed -n 's/^Sig[BI][a-z]*:\t//p' /proc/self/status");
	char *rest;
	unsigned long long blocked = strtoull(wr_buf_cstr(&o.out), &rest, 16);
	unsigned long long ignored = strtoull(rest, &rest, 16);
	assert_string_equal(rest, "\n");
	done(&o);
	/* 32 and 33 are the C library's own, which it lets nobody set. */
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & ~(3ULL << 31), 0);
	sigset_t after;
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
	assert_int_equal(sigismember(&after, SIGTERM), 1);
	assert_int_equal(sigismember(&after, SIGINT), 0);
	(void)signal(SIGPIPE, old);
	/* After the name: state, parent, group, session, terminal. */
	expect_output("read -r pid name st ppid pgrp session tty rest </proc/self/stat; "
	              "[ $pgrp = $$ ] && [ $session = $$ ] && [ $tty = 0 ] && echo own",
	              "own\n");
}

static void test_descriptors_do_not_leak(void **state)
{
	(void)state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, 77), 77); /* without close-on-exec */
	assert_int_equal(dup2(fd, 3) >= 0 || errno == EBADF, 1);
	expect_output(
	    "for n in 3 4 5 6 7 8 9 10 77; do [ -e /proc/$$/fd/$n ] && echo $n; done; echo end",
	    "end\n");
	(void)close(77);
	(void)close(3);
	if (fd != 3) (void)close(fd);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_we_leak_none_either(void **state)
{
	(void)state;
	const char *bad[] = {"/nonexistent", NULL};
	wr_proc_spec spec = {.argv = bad, .timeout_ms = PLENTY_MS, .input = "x", .input_len = 1};
	unsigned before = open_descriptors();
	for (unsigned i = 0; i < 3; i++) {
		outcome o = run("echo x");
		done(&o);
		o = run_spec(&spec, 100);
		done(&o);
	}
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A daemon may start with 0, 1 and 2 closed: the pipes then get these very numbers. */
static void test_without_standard_descriptors(void **state)
{
	(void)state;
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		for (int fd = 0; fd < 3; fd++) (void)close(fd);
		wr_proc_spec spec = {.argv = SH("cat; echo err >&2"),
		                     .timeout_ms = PLENTY_MS,
		                     .input = "in",
		                     .input_len = 2};
		outcome o = run_spec(&spec, 1000);
		bool right = o.rc == 0 && strcmp(wr_buf_cstr(&o.out), "in") == 0 &&
		             strcmp(wr_buf_cstr(&o.err_out), "err\n") == 0;
		done(&o);
		_exit(right ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_the_child_dies_with_its_parent(void **state)
{
	(void)state;
	int fds[2];
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(fds), 0);
	pid_t engine = fork();
	if (engine == 0) {
		listener l = {.all = WR_BUF_INIT(100)};
		char path[64];
		(void)snprintf(path, sizeof path, "FD=/proc/%d/fd/%d", (int)getpid(), fds[1]);
		const char *extra[] = {path, NULL};
		wr_proc_spec spec = {.argv = SH("trap '' TERM HUP; echo $$ >$FD; exec sleep 1000"),
		                     .env = extra,
		                     .timeout_ms = PLENTY_MS,
		                     .on_output = listen_to,
		                     .on_output_ctx = &l};
		wr_proc_result result;
		wr_err err;
		_exit(wr_proc_run(&spec, NULL, NULL, &result, &err) ? 1 : 0);
	}
	char text[32] = "";
	assert_true(read(fds[0], text, sizeof text - 1) > 0);
	assert_int_equal(kill(engine, SIGKILL), 0);
	assert_int_equal(WTERMSIG(reap(engine)), SIGKILL);
	int status = reap((pid_t)strtol(text, NULL, 10));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(fds[0]);
	(void)close(fds[1]);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* If the parent died before the child could ask for its signal, nothing is run. */
static void test_an_orphan_does_not_start(void **state)
{
	(void)state;
	int status, out[2], failure[2];
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(failure, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char echo[] = "echo", ran[] = "ran", *argv[] = {echo, ran, NULL}, *env[] = {NULL};
		wr_child_plan plan = {.program = "/bin/echo",
		                      .argv = argv,
		                      .env = env,
		                      .stdio = {out[0], out[1], out[1]},
		                      .failure_fd = failure[1],
		                      .parent = getppid() + 1};
		wr_child_exec(&plan);
	}
	(void)close(out[1]);
	(void)close(failure[1]);
	char c;
	assert_int_equal(read(out[0], &c, 1), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 127);
	(void)close(out[0]);
	(void)close(failure[0]);
}

static void *run_many(void *arg)
{
	unsigned *wrong = arg;
	for (unsigned i = 0; i < 15; i++) {
		outcome o = run("read -r x; echo $$; exit 42");
		*wrong += o.rc != 0 || o.result.exit_code != 42 || o.out.len == 0 || !o.result.started;
		done(&o);
		const char *bad[] = {"/nonexistent", NULL};
		wr_proc_spec spec = {.argv = bad, .timeout_ms = PLENTY_MS};
		o = run_spec(&spec, 10);
		*wrong += o.rc != -1 || o.result.started || o.err.code != WR_E_NOT_FOUND;
		done(&o);
	}
	return NULL;
}

static void test_threads_run_side_by_side(void **state)
{
	(void)state;
	pthread_t threads[4];
	unsigned wrong[4] = {0};
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, &wrong[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(wrong[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_output_and_exit_code),
	    cmocka_unit_test(test_death_by_signal),
	    cmocka_unit_test(test_no_shell_between),
	    cmocka_unit_test(test_what_cannot_start),
	    cmocka_unit_test(test_path_is_searched_carefully),
	    cmocka_unit_test(test_clean_environment),
	    cmocka_unit_test(test_directory),
	    cmocka_unit_test(test_input),
	    cmocka_unit_test(test_output_is_kept_to_the_maximum),
	    cmocka_unit_test(test_a_flood_cannot_hold_us),
	    cmocka_unit_test(test_output_as_it_comes),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_sigterm_lets_it_clean_up),
	    cmocka_unit_test(test_timeout),
	    cmocka_unit_test(test_who_ignores_sigterm_is_killed),
	    cmocka_unit_test(test_a_stopped_child_gets_its_sigterm),
	    cmocka_unit_test(test_a_grandchild_with_the_pipe_does_not_hold_us),
	    cmocka_unit_test(test_the_whole_group_is_stopped),
	    cmocka_unit_test(test_closing_its_output_is_no_end),
	    cmocka_unit_test(test_own_session_and_default_signals),
	    cmocka_unit_test(test_descriptors_do_not_leak),
	    cmocka_unit_test(test_we_leak_none_either),
	    cmocka_unit_test(test_without_standard_descriptors),
	    cmocka_unit_test(test_the_child_dies_with_its_parent),
	    cmocka_unit_test(test_an_orphan_does_not_start),
	    cmocka_unit_test(test_threads_run_side_by_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
