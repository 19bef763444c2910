/* err.c: the error type and the way out for bugs.
 *
 * Messages are formatted aside first, so that an argument may point into the error being replaced.
 * Thread-safe as long as each thread fills its own wr_err; the die hook is one for the process. */
#include "warroom/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic(void (*)(void)) die_hook;
static atomic_flag dying = ATOMIC_FLAG_INIT;

/* trim_partial drops a UTF-8 sequence that truncation cut short at the end of s. */
static void trim_partial(char *s, size_t len)
{
	size_t back = 0;
	while (back < 3 && back < len && ((unsigned char)s[len - 1 - back] & 0xC0) == 0x80) back++;
	if (back == len) return;
	unsigned char lead = (unsigned char)s[len - 1 - back];
	size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (need > back + 1) s[len - 1 - back] = '\0';
}

static void set_message(wr_err *err, const char *prefix, const char *text)
{
	char msg[sizeof err->msg];
	int n = snprintf(msg, sizeof msg, "%s%s", prefix, text);
	if (n < 0) msg[0] = '\0';
	if (n >= (int)sizeof msg) trim_partial(msg, sizeof msg - 1);
	memcpy(err->msg, msg, sizeof msg);
}

static void format_into(char *out, size_t size, const char *fmt, va_list ap) WR_PRINTF(3, 0);

static void format_into(char *out, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, size, fmt, ap);
	if (n < 0) out[0] = '\0';
	if (n >= (int)size) trim_partial(out, size - 1);
}

int wr_fail(wr_err *err, wr_code code, const char *fmt, ...)
{
	if (!err) return -1;
	char text[sizeof err->msg];
	va_list ap;
	va_start(ap, fmt);
	format_into(text, sizeof text, fmt, ap);
	va_end(ap);
	err->code = code;
	set_message(err, "", text);
	return -1;
}

static wr_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return WR_E_NOMEM;
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return WR_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return WR_E_DENIED;
	case ENOSPC:
	case EDQUOT:
		return WR_E_NO_SPACE;
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case EFBIG:
	case E2BIG:
	case ENAMETOOLONG:
	case ELOOP:
		return WR_E_LIMIT;
	case ETIMEDOUT:
		return WR_E_TIMEOUT;
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return WR_E_UNAVAILABLE;
	default:
		return WR_E_IO;
	}
}

int wr_fail_errno(wr_err *err, int errnum, const char *fmt, ...)
{
	if (!err) return -1;
	char reason[128], text[sizeof err->msg - sizeof reason], place[sizeof err->msg + 2];
	va_list ap;
	va_start(ap, fmt);
	format_into(text, sizeof text, fmt, ap);
	va_end(ap);
	const char *why = strerror_r(errnum, reason, sizeof reason);
	(void)snprintf(place, sizeof place, "%s: ", text);
	err->code = code_of_errno(errnum);
	set_message(err, place, why);
	return -1;
}

int wr_err_wrap(wr_err *err, const char *fmt, ...)
{
	if (!err) return -1;
	char text[sizeof err->msg], place[sizeof err->msg + 2];
	va_list ap;
	va_start(ap, fmt);
	format_into(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)snprintf(place, sizeof place, "%s: ", text);
	set_message(err, place, err->msg);
	return -1;
}

/* The machine names are spelled here once more because the preprocessor cannot lower case; the
 * assertion and the unit test keep the two lists together. */
const char *wr_err_name(wr_code code)
{
	static const char *const names[] = {
	    [WR_E_OK] = "ok",
	    [WR_E_NOMEM] = "nomem",
	    [WR_E_LIMIT] = "limit",
	    [WR_E_INVALID] = "invalid",
	    [WR_E_NOT_FOUND] = "not_found",
	    [WR_E_IO] = "io",
	    [WR_E_NO_SPACE] = "no_space",
	    [WR_E_LOCKED] = "locked",
	    [WR_E_CORRUPT] = "corrupt",
	    [WR_E_DENIED] = "denied",
	    [WR_E_CONFLICT] = "conflict",
	    [WR_E_TIMEOUT] = "timeout",
	    [WR_E_UNAVAILABLE] = "unavailable",
	    [WR_E_CANCELLED] = "cancelled",
	    [WR_E_BUG] = "bug",
	};
	static_assert(sizeof names / sizeof *names == WR_E_BUG + 1, "one name for each code");
	if ((size_t)code >= sizeof names / sizeof *names) return "unknown";
	return names[code];
}

const char *wr_err_text(wr_code code)
{
	static const char *const texts[] = {
#define X(name, text) text,
	    WR_ERR_CODES(X)
#undef X
	};
	if ((size_t)code >= sizeof texts / sizeof *texts) return "unknown error";
	return texts[code];
}

void wr_die_hook(void (*hook)(void))
{
	atomic_store(&die_hook, hook);
}

void wr_die(const char *fmt, ...)
{
	if (!atomic_flag_test_and_set(&dying)) {
		void (*hook)(void) = atomic_load(&die_hook);
		if (hook) hook();
	}
	char text[1024], line[1100];
	va_list ap;
	va_start(ap, fmt);
	format_into(text, sizeof text, fmt, ap);
	va_end(ap);
	int n = snprintf(line, sizeof line, "warroom: %s\n", text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) abort();
	abort();
}
