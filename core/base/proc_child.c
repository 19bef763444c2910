/* proc_child.c: from fork to exec.
 *
 * The child is a copy of a threaded process of which only this thread goes on: any lock may be held
 * for ever, so only async-signal-safe functions are called here. */
#include "base/proc_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "warroom/text.h"

/* Where close_range is missing (before Linux 5.9) descriptors are closed one by one up to here:
 * everything of ours is close-on-exec anyway, this is for what a library forgot. */
#define LAST_FD 4096

static void report(int fd, wr_child_stage stage, int errnum) __attribute__((noreturn));

static void report(int fd, wr_child_stage stage, int errnum)
{
	wr_child_failure why = {.stage = stage, .errnum = errnum};
	if (write(fd, &why, sizeof why) < 0) _exit(126);
	_exit(127);
}

/* close_rest leaves 0, 1, 2 and the failure pipe, which it moves to 3 and returns. */
static int close_rest(int failure_fd)
{
	const int kept = STDERR_FILENO + 1;
	if (failure_fd != kept && dup3(failure_fd, kept, O_CLOEXEC) < 0)
		report(failure_fd, WR_CHILD_SETUP, errno);
	if (close_range((unsigned)kept + 1, ~0U, 0))
		for (int fd = kept + 1; fd <= LAST_FD; fd++) (void)close(fd);
	return kept;
}

void wr_child_exec(const wr_child_plan *plan)
{
	int fd = plan->failure_fd;
	if (setsid() < 0) report(fd, WR_CHILD_SETUP, errno);
	/* The kernel sends this when the thread that forked ends. That thread waits for us, so it is
	 * the process's end; if that came before the request, our parent is another already. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL)) report(fd, WR_CHILD_SETUP, errno);
	if (getppid() != plan->parent) _exit(127);

	for (int i = 0; i < 3; i++)
		if (dup2(plan->stdio[i], i) < 0) report(fd, WR_CHILD_SETUP, errno);
	fd = close_rest(fd);
	if (plan->cwd && chdir(plan->cwd)) report(fd, WR_CHILD_CWD, errno);

	struct sigaction dfl = {.sa_handler = SIG_DFL};
	for (int sig = 1; sig < NSIG; sig++) (void)sigaction(sig, &dfl, NULL);
	sigset_t none;
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);

	execve(plan->program, plan->argv, plan->env);
	report(fd, WR_CHILD_EXEC, errno);
}

int wr_child_explain(const wr_child_failure *why, const wr_child_plan *plan, wr_err *err)
{
	char shown[128];
	switch (why->stage) {
	case WR_CHILD_CWD:
		return wr_fail_errno(err, why->errnum, "cannot enter directory %s",
		                     wr_sanitise_to(shown, sizeof shown, plan->cwd));
	case WR_CHILD_EXEC:
		return wr_fail_errno(err, why->errnum, "cannot execute %s",
		                     wr_sanitise_to(shown, sizeof shown, plan->program));
	case WR_CHILD_SETUP:
		break;
	}
	return wr_fail_errno(err, why->errnum, "cannot prepare the process");
}
