/* passphrase.c: a secret typed blind, in locked memory. */
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "warroom/io.h"
#include "warroom/limits.h"

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

static int from_terminal(passphrase *p, const char *prompt, wr_err *err)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0) return no_terminal(err);
	struct termios old, quiet;
	bool have = tcgetattr(tty, &old) == 0;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (have) (void)tcsetattr(tty, TCSAFLUSH, &quiet);
	(void)!write(tty, prompt, strlen(prompt));
	ssize_t n;
	char ch;
	while ((n = read(tty, &ch, 1)) == 1 && ch != '\n' && ch != '\r')
		if (p->len < WR_PASSPHRASE_MAX) p->text[p->len++] = ch;
	if (have) (void)tcsetattr(tty, TCSAFLUSH, &old);
	(void)!write(tty, "\n", 1);
	close(tty);
	return n < 0 ? wr_fail(err, WR_E_IO, "the terminal cannot be read") : 0;
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
