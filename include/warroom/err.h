/* err.h: the one error type.
 *
 * A function that can fail returns 0 or -1 (or NULL) and fills a wr_err that says what, where and
 * what to do about it. Callers add their place with wr_err_wrap(). Never contains a secret. Text
 * from outside must be sanitised (text.h) before it is formatted into one. */
#ifndef WARROOM_ERR_H
#define WARROOM_ERR_H

#include <stddef.h>

#define WR_ERR_CODES(X)                                                                            \
	X(OK, "ok")                                                                                    \
	X(NOMEM, "out of memory")                                                                      \
	X(LIMIT, "limit reached")                                                                      \
	X(INVALID, "invalid input")                                                                    \
	X(NOT_FOUND, "not found")                                                                      \
	X(IO, "input/output error")                                                                    \
	X(NO_SPACE, "no space left")                                                                   \
	X(LOCKED, "in use by another process")                                                         \
	X(CORRUPT, "corrupt")                                                                          \
	X(DENIED, "not permitted")                                                                     \
	X(CONFLICT, "conflicts with the current state")                                                \
	X(TIMEOUT, "timed out")                                                                        \
	X(UNAVAILABLE, "unavailable")                                                                  \
	X(CANCELLED, "cancelled")                                                                      \
	X(BUG, "internal error")

typedef enum wr_code {
#define X(name, text) WR_E_##name,
	WR_ERR_CODES(X)
#undef X
} wr_code;

typedef struct wr_err {
	wr_code code;
	char msg[512]; /* always terminated; empty when code is WR_E_OK */
} wr_err;

#define WR_CHECKED           __attribute__((warn_unused_result))
#define WR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* wr_fail fills *err (which may be NULL) and returns -1, so that callers can `return wr_fail(…)`.
 */
int wr_fail(wr_err *err, wr_code code, const char *fmt, ...) WR_PRINTF(3, 4);
/* wr_fail_errno is wr_fail for a failed system call: the code follows from errnum, and the message
 * is "…: No such file or directory". */
int wr_fail_errno(wr_err *err, int errnum, const char *fmt, ...) WR_PRINTF(3, 4);
/* wr_err_wrap puts "context: " in front of the message; returns -1. No-op on NULL. */
int wr_err_wrap(wr_err *err, const char *fmt, ...) WR_PRINTF(2, 3);
/* wr_err_name gives the lower-case machine name ("not_found"); wr_err_text the sentence. */
const char *wr_err_name(wr_code code);
const char *wr_err_text(wr_code code);
/* wr_die ends the process after running the hook set with wr_die_hook (the TUI restores the
 * terminal there). For bugs and, in the TUI, for out of memory. */
void wr_die(const char *fmt, ...) WR_PRINTF(1, 2) __attribute__((noreturn));
void wr_die_hook(void (*hook)(void));

/* WR_ASSERT stays on in production (DESIGN.md section 4). */
#define WR_ASSERT(cond)                                                                            \
	do {                                                                                           \
		if (!(cond)) wr_die("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__);            \
	} while (0)

#endif
