/* proc.c: run a program by argv, bounded in time and output.
 *
 * The parent prepares everything, so that the child, a copy of one thread of a threaded program,
 * needs only async-signal-safe calls between fork and exec (proc_child.c). The child is a session
 * leader: its group can be signalled as one, and it cannot reach our terminal. It stays a zombie,
 * which keeps its group id ours, until the last signal to the group is sent.
 *
 * Blocking, no shared state, thread-safe. Nobody else in the process may reap children with
 * waitpid(-1) or ignore SIGCHLD. */
#include "warroom/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc_child.h"
#include "warroom/clock.h"
#include "warroom/io.h"
#include "warroom/limits.h"
#include "warroom/text.h"

#define CANCEL_POLL_MS 100
#define EXIT_POLL_MS   20 /* only where the kernel has no pidfd (before Linux 5.3) */
#define TERM_GRACE_MS  2000
/* What survives SIGKILL this long is in the kernel or not ours to kill (a set-uid program); waiting
 * on would let it hang us. */
#define KILL_GRACE_MS 5000
/* After the exit, what is already in a pipe is read: no more than the kernel's largest pipe, for a
 * grandchild may go on writing. */
#define DRAIN_MAX (1u << 20)

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { STREAM_OUT, STREAM_ERR, STREAMS };

typedef struct stream {
	int fd; /* our end of the pipe, or -1 */
	wr_buf *keep;
} stream;

typedef struct run {
	const wr_proc_spec *spec;
	wr_proc_result *result;
	pid_t pid;
	int pidfd; /* or -1 */
	int failure_fd;
	stream streams[STREAMS];
	int64_t start_ms, deadline_ms;
	int64_t term_ms, kill_ms; /* when the group got the signal, 0: not yet */
	bool exited;
	siginfo_t status; /* valid once exited */
} run;

static int64_t now_ms(void)
{
	return wr_mono_ms(&wr_clock_system);
}

static void close_fd(int *fd)
{
	if (*fd >= 0) (void)close(*fd);
	*fd = -1;
}

/* ---- before the fork ---- */

/* keep_high moves fd to 3 or above: the child's dup2 to 0, 1 and 2 must not overwrite it, and a
 * program started with these closed gets such numbers. */
static int keep_high(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO) return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), saved = errno;
	(void)close(fd);
	errno = saved;
	return high;
}

static int open_pipe(int *ours, int *childs)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC)) return -1;
	*ours = keep_high(fds[0]);
	*childs = keep_high(fds[1]);
	return *ours < 0 || *childs < 0 ? -1 : fcntl(*ours, F_SETFL, O_NONBLOCK);
}

/* open_input gives the child's stdin. Input goes through an anonymous file rather than a pipe: it
 * needs no one to feed it, and a child that does not read it cannot send us SIGPIPE. */
static int open_input(const wr_proc_spec *spec, wr_err *err)
{
	int fd = keep_high(spec->input ? memfd_create("warroom-input", MFD_CLOEXEC)
	                               : open("/dev/null", O_RDONLY | O_CLOEXEC));
	if (fd < 0) return wr_fail_errno(err, errno, "cannot prepare standard input");
	if (spec->input &&
	    (wr_write_all(fd, spec->input, spec->input_len, err) ||
	     (lseek(fd, 0, SEEK_SET) < 0 && wr_fail_errno(err, errno, "cannot rewind")))) {
		(void)close(fd);
		return wr_err_wrap(err, "standard input");
	}
	return fd;
}

static int open_stream(stream *s, wr_buf *keep, bool wanted, int *childs)
{
	s->keep = keep;
	if (keep || wanted) return open_pipe(&s->fd, childs);
	*childs = keep_high(open("/dev/null", O_WRONLY | O_CLOEXEC));
	return *childs < 0 ? -1 : 0;
}

static int open_all(run *r, wr_child_plan *plan, wr_buf *out, wr_buf *err_out, wr_err *err)
{
	bool wanted = r->spec->on_output != NULL;
	plan->stdio[0] = open_input(r->spec, err);
	if (plan->stdio[0] < 0) return -1;
	if (open_stream(&r->streams[STREAM_OUT], out, wanted, &plan->stdio[1]) ||
	    open_stream(&r->streams[STREAM_ERR], err_out, wanted, &plan->stdio[2]) ||
	    open_pipe(&r->failure_fd, &plan->failure_fd))
		return wr_fail_errno(err, errno, "cannot make a pipe");
	return 0;
}

static const char *env_get(const char *const *env, const char *name)
{
	size_t len = strlen(name);
	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=') return *env + len + 1;
	return NULL;
}

/* The clean environment: what we pass on, then what the caller adds or replaces. */
static const char *const passed[] = {"PATH", "HOME", "LANG", "TZ"};
#define PASSED (sizeof passed / sizeof *passed)

typedef struct clean_env {
	const char **list; /* NULL-terminated */
	char *own[PASSED]; /* the texts in list that are ours */
} clean_env;

static void env_free(clean_env *env)
{
	for (size_t i = 0; i < PASSED; i++) free(env->own[i]);
	free(env->list);
}

static bool env_build(clean_env *env, const char *const *extra)
{
	size_t n = 0, count = PASSED + 1;
	for (const char *const *e = extra; e && *e; e++) count++;
	*env = (clean_env){.list = calloc(count, sizeof *env->list)};
	if (!env->list) return false;
	for (size_t i = 0; i < PASSED; i++) {
		const char *value = getenv(passed[i]);
		if (!value && i == 0) value = DEFAULT_PATH;
		if (!value || env_get(extra, passed[i])) continue;
		if (asprintf(&env->own[i], "%s=%s", passed[i], value) < 0) {
			env->own[i] = NULL;
			return false;
		}
		env->list[n++] = env->own[i];
	}
	for (const char *const *e = extra; e && *e; e++) env->list[n++] = *e;
	return true;
}

static bool runnable(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* find_program searches the child's PATH. Relative entries of it are skipped: the program must not
 * depend on where we stand. */
static int find_program(char out[static PATH_MAX], const char *name, const char *path, wr_err *err)
{
	char shown[128];
	bool has_slash = strchr(name, '/') != NULL;
	if (name[0] == '\0' || (has_slash && name[0] != '/'))
		return wr_fail(err, WR_E_INVALID, "\"%s\": a program is an absolute path or a bare name",
		               wr_sanitise_to(shown, sizeof shown, name));
	if (has_slash) return wr_path_join(out, PATH_MAX, "", name, err);
	for (const char *entry = path; *entry;) {
		size_t len = strcspn(entry, ":");
		char dir[PATH_MAX];
		if (len < sizeof dir && *entry == '/') {
			memcpy(dir, entry, len);
			dir[len] = '\0';
			if (wr_path_join(out, PATH_MAX, dir, name, NULL) == 0 && runnable(out)) return 0;
		}
		entry += len + (entry[len] == ':');
	}
	return wr_fail(err, WR_E_NOT_FOUND, "%s: no such program in PATH",
	               wr_sanitise_to(shown, sizeof shown, name));
}

/* ---- while it runs ---- */

static void signal_group(const run *r, int sig)
{
	/* Before its setsid the child has no group of its own yet. */
	if (kill(-r->pid, sig) && errno == ESRCH) (void)kill(r->pid, sig);
}

static void keep_output(run *r, stream *s, const char *data, size_t len)
{
	if (r->spec->on_output) r->spec->on_output(r->spec->on_output_ctx, data, len);
	if (!s->keep) return;
	size_t room = s->keep->max > s->keep->len ? s->keep->max - s->keep->len : 0;
	wr_buf_add(s->keep, data, len < room ? len : room);
	if (len > room || !wr_buf_ok(s->keep)) r->result->output_cut = true;
}

/* pump reads once; 0 when there is nothing more for now, or ever. */
static size_t pump(run *r, stream *s)
{
	char chunk[16384];
	if (s->fd < 0) return 0;
	ssize_t n = read(s->fd, chunk, sizeof chunk);
	if (n > 0) {
		keep_output(r, s, chunk, (size_t)n);
		return (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) close_fd(&s->fd);
	return 0;
}

static void drain(run *r)
{
	for (size_t i = 0; i < STREAMS; i++) {
		size_t n, total = 0;
		while (total < DRAIN_MAX && (n = pump(r, &r->streams[i])) > 0) total += n;
	}
}

/* read_failure looks whether exec happened (the pipe closed by itself) or what stopped it. Once the
 * child has exited, no report means that there was none: the pipe may stay open a moment longer in
 * the child that another thread is just forking. */
static bool read_failure(run *r, wr_child_failure *why)
{
	if (r->failure_fd < 0) return false;
	ssize_t n = read(r->failure_fd, why, sizeof *why);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !r->exited) return false;
	close_fd(&r->failure_fd);
	if (n == (ssize_t)sizeof *why) return true;
	r->result->started = true;
	return false;
}

/* look_for_exit leaves the child a zombie; true if there is no such child any more. */
static bool look_for_exit(run *r)
{
	if (r->exited) return false;
	r->status.si_pid = 0;
	if (waitid(P_PID, (id_t)r->pid, &r->status, WEXITED | WNOHANG | WNOWAIT))
		return errno == ECHILD;
	r->exited = r->status.si_pid == r->pid;
	if (r->exited) close_fd(&r->pidfd);
	return false;
}

static int64_t next_event_ms(const run *r)
{
	if (r->kill_ms) return r->kill_ms + KILL_GRACE_MS;
	if (r->term_ms) return r->term_ms + TERM_GRACE_MS;
	return r->deadline_ms;
}

static void wait_for_event(run *r)
{
	int64_t wait_ms = next_event_ms(r) - now_ms();
	if (r->spec->cancel && !r->term_ms && wait_ms > CANCEL_POLL_MS) wait_ms = CANCEL_POLL_MS;
	if (r->pidfd < 0 && !r->exited && wait_ms > EXIT_POLL_MS) wait_ms = EXIT_POLL_MS;
	struct pollfd fds[] = {
	    {.fd = r->streams[STREAM_OUT].fd, .events = POLLIN},
	    {.fd = r->streams[STREAM_ERR].fd, .events = POLLIN},
	    {.fd = r->failure_fd, .events = POLLIN},
	    {.fd = r->pidfd, .events = POLLIN},
	};
	if (wait_ms < 0) wait_ms = 0;
	(void)poll(fds, sizeof fds / sizeof *fds, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
}

/* enforce sends the signals that are due. */
static void enforce(run *r)
{
	int64_t now = now_ms();
	if (!r->term_ms) {
		r->result->cancelled = r->spec->cancel && atomic_load(r->spec->cancel);
		r->result->timed_out = !r->result->cancelled && now >= r->deadline_ms;
		if (!r->result->cancelled && !r->result->timed_out) return;
		r->term_ms = now;
		signal_group(r, SIGTERM);
		signal_group(r, SIGCONT); /* a stopped process takes no SIGTERM */
	} else if (!r->kill_ms && now >= r->term_ms + TERM_GRACE_MS) {
		r->kill_ms = now;
		signal_group(r, SIGKILL);
	}
}

/* over: after a SIGTERM the rest of the group has the same grace as the child, for as long as it
 * shows by holding a pipe that it is still there. */
static bool over(const run *r)
{
	if (r->kill_ms) return r->exited || now_ms() >= r->kill_ms + KILL_GRACE_MS;
	if (!r->exited) return false;
	bool silent = r->streams[STREAM_OUT].fd < 0 && r->streams[STREAM_ERR].fd < 0;
	return !r->term_ms || silent;
}

static int supervise(run *r, const wr_child_plan *plan, wr_err *err)
{
	wr_child_failure why;
	for (;;) {
		wait_for_event(r);
		for (size_t i = 0; i < STREAMS; i++) (void)pump(r, &r->streams[i]);
		if (look_for_exit(r))
			return wr_fail(err, WR_E_BUG, "the child was reaped by somebody else");
		if (read_failure(r, &why)) return wr_child_explain(&why, plan, err);
		if (over(r)) return 0;
		if (!r->exited || r->term_ms) enforce(r);
	}
}

/* settle takes the child's leave and fills in how it ended. */
static void settle(run *r)
{
	if (r->term_ms) signal_group(r, SIGKILL); /* whoever of the group outlived the child */
	drain(r);
	if (r->exited) {
		bool normal = r->status.si_code == CLD_EXITED;
		r->result->exit_code = normal ? r->status.si_status : -1;
		r->result->signal = normal ? 0 : r->status.si_status;
		(void)waitpid(r->pid, NULL, 0);
	}
}

/* ---- the whole ---- */

static int spawn(run *r, const wr_child_plan *plan, wr_err *err)
{
	/* No handler of ours may run in the child before it has put them back to the defaults. */
	sigset_t all, before;
	(void)sigfillset(&all);
	if (pthread_sigmask(SIG_SETMASK, &all, &before))
		return wr_fail(err, WR_E_BUG, "cannot block signals");
	pid_t pid = fork();
	int failed = errno;
	if (pid == 0) wr_child_exec(plan);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) return wr_fail_errno(err, failed, "cannot fork");
	r->pid = pid;
	r->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return 0;
}

static int run_planned(run *r, wr_child_plan *plan, wr_buf *out, wr_buf *err_out, wr_err *err)
{
	int rc = open_all(r, plan, out, err_out, err);
	if (rc == 0) rc = spawn(r, plan, err);
	bool spawned = rc == 0;
	for (size_t i = 0; i < 3; i++) close_fd(&plan->stdio[i]);
	close_fd(&plan->failure_fd);
	if (spawned) rc = supervise(r, plan, err);
	if (spawned && rc == 0) settle(r);
	if (spawned && rc != 0) (void)waitpid(r->pid, NULL, 0);
	for (size_t i = 0; i < STREAMS; i++) close_fd(&r->streams[i].fd);
	close_fd(&r->failure_fd);
	close_fd(&r->pidfd);
	return rc;
}

/* execve's type lacks a const that execve honours. */
static char *const *without_const(const char *const *list)
{
	union {
		const char *const *given;
		char *const *taken;
	} as = {.given = list};
	return as.taken;
}

int wr_proc_run(const wr_proc_spec *spec, wr_buf *out, wr_buf *err_out, wr_proc_result *result,
                wr_err *err)
{
	WR_ASSERT(spec->argv && spec->argv[0] && spec->timeout_ms > 0);
	*result = (wr_proc_result){.exit_code = 127};
	if (spec->cancel && atomic_load(spec->cancel)) {
		result->cancelled = true;
		return wr_fail(err, WR_E_CANCELLED, "cancelled before it started");
	}
	run r = {.spec = spec, .result = result, .pid = -1, .pidfd = -1, .failure_fd = -1};
	for (size_t i = 0; i < STREAMS; i++) r.streams[i].fd = -1;
	r.start_ms = now_ms();
	r.deadline_ms = r.start_ms + spec->timeout_ms;

	clean_env env;
	char program[PATH_MAX];
	if (!env_build(&env, spec->env)) {
		env_free(&env);
		return wr_fail(err, WR_E_NOMEM, "out of memory");
	}
	int rc = find_program(program, spec->argv[0], env_get(env.list, "PATH"), err);
	if (rc == 0) {
		wr_child_plan plan = {
		    .program = program,
		    .argv = without_const(spec->argv),
		    .env = without_const(env.list),
		    .cwd = spec->cwd,
		    .stdio = {-1, -1, -1},
		    .failure_fd = -1,
		    .parent = getpid(),
		};
		rc = run_planned(&r, &plan, out, err_out, err);
	}
	env_free(&env);
	result->duration_ms = now_ms() - r.start_ms;
	return rc;
}
