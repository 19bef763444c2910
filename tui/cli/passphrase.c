/* passphrase.c: a secret typed blind, in locked memory. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "warroom/io.h"
#include "warroom/limits.h"

#define STOPS 5

void passphrase_free(passphrase *p)
{
	if (p->text) sodium_free(p->text); /* wipes */
	p->text = NULL;
	p->len = 0;
}

/* For scripts and tests: a private file's first line. */
static int from_file(passphrase *p, const char *path, wr_err *err)
{
	wr_buf b = WR_BUF_INIT(WR_PASSPHRASE_MAX);
	if (wr_read_file(&b, path, WR_PASSPHRASE_MAX, WR_PRIVATE, err) != 0) {
		wr_buf_wipe(&b);
		err->code = WR_E_INVALID;
		return wr_err_wrap(err, "WARROOM_PASSPHRASE_FILE");
	}
	p->len = strcspn(wr_buf_cstr(&b), "\r\n");
	memcpy(p->text, wr_buf_cstr(&b), p->len);
	wr_buf_wipe(&b);
	return 0;
}

static int no_terminal(wr_err *err)
{
	return wr_fail(err, WR_E_INVALID,
	               "no terminal to ask the passphrase on: set WARROOM_PASSPHRASE_FILE, or sign "
	               "with ssh-keygen");
}

static volatile sig_atomic_t stopped;

static void on_stop(int sig)
{
	(void)sig;
	stopped = 1;
}

/* One line, into p. What stops a program comes only while it waits, so that the terminal has its
 * echo again afterwards, whatever happens. */
static int read_line(passphrase *p, int tty, const sigset_t *waiting, wr_err *err)
{
	char ch = 0;
	ssize_t n = 0;
	bool over = false;
	while (!stopped) {
		struct pollfd in = {.fd = tty, .events = POLLIN};
		if (ppoll(&in, 1, NULL, waiting) < 0 && errno == EINTR) continue;
		if ((n = read(tty, &ch, 1)) != 1 || ch == '\n' || ch == '\r') break;
		over = over || p->len == WR_PASSPHRASE_MAX;
		if (!over) p->text[p->len++] = ch;
	}
	sodium_memzero(&ch, 1);
	if (stopped) return wr_fail(err, WR_E_CANCELLED, "interrupted: nothing was signed or written");
	if (n < 0) return wr_fail(err, WR_E_IO, "the terminal cannot be read: %s", strerror(errno));
	return over ? wr_fail(err, WR_E_INVALID, "a passphrase has at most %d bytes", WR_PASSPHRASE_MAX)
	            : 0;
}

static int from_terminal(passphrase *p, const char *prompt, wr_err *err)
{
	static const int stops[STOPS] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0) return no_terminal(err);
	struct sigaction before[STOPS], mine = {.sa_handler = on_stop};
	sigset_t block, old_mask;
	sigemptyset(&mine.sa_mask);
	sigemptyset(&block);
	stopped = 0;
	for (int i = 0; i < STOPS; i++) sigaddset(&block, stops[i]);
	(void)sigprocmask(SIG_BLOCK, &block, &old_mask);
	for (int i = 0; i < STOPS; i++) (void)sigaction(stops[i], &mine, &before[i]);
	struct termios old, quiet;
	bool have = tcgetattr(tty, &old) == 0;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (have) (void)tcsetattr(tty, TCSAFLUSH, &quiet);
	(void)!write(tty, prompt, strlen(prompt));
	int rc = read_line(p, tty, &old_mask, err);
	if (have) (void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)!write(tty, "\n", 1);
	close(tty);
	for (int i = 0; i < STOPS; i++) (void)sigaction(stops[i], &before[i], NULL);
	(void)sigprocmask(SIG_SETMASK, &old_mask, NULL);
	return rc;
}

int passphrase_possible(wr_err *err)
{
	const char *file = getenv("WARROOM_PASSPHRASE_FILE");
	if (file && *file) return 0;
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0) return no_terminal(err);
	close(tty);
	return 0;
}

int passphrase_read(passphrase *p, const char *prompt, wr_err *err)
{
	p->len = 0;
	p->text = sodium_malloc(WR_PASSPHRASE_MAX + 1);
	if (!p->text)
		return wr_fail(err, WR_E_NOMEM, "no locked memory for the passphrase (see ulimit -l)");
	const char *file = getenv("WARROOM_PASSPHRASE_FILE");
	int rc = file && *file ? from_file(p, file, err) : from_terminal(p, prompt, err);
	if (rc != 0) {
		passphrase_free(p);
		return rc;
	}
	p->text[p->len] = '\0';
	return 0;
}
