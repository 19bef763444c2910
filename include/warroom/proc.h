/* proc.h: run a program by argv (never a shell), bounded in time and output.
 *
 * The child gets its own process group, a clean environment (PATH, HOME, LANG, TZ, plus what is
 * given), /dev/null or `input` on stdin, closed descriptors; on timeout or cancel the group gets
 * SIGTERM, then after 2 s SIGKILL. Blocking; thread-safe. The child dies with its parent
 * (PR_SET_PDEATHSIG SIGKILL) so that a killed engine leaves no half-run step behind; the kernel
 * ties that to the calling thread, which must therefore not be cancelled. The child leads a session
 * of its own and has no terminal. What it leaves running in the background after a normal end is
 * left alone. The process must not ignore SIGCHLD or reap other than its own children. */
#ifndef WARROOM_PROC_H
#define WARROOM_PROC_H

#include <stdatomic.h>
#include <stdint.h>

#include "warroom/buf.h"

typedef struct wr_proc_spec {
	const char *const *argv; /* NULL-terminated; argv[0] absolute or found in PATH */
	const char *const *env;  /* NULL-terminated "K=V" additions, or NULL */
	const char *cwd;         /* or NULL */
	const void *input;       /* for stdin, or NULL */
	size_t input_len;
	int64_t timeout_ms;        /* > 0 */
	const atomic_bool *cancel; /* polled at least every 100 ms, or NULL */
	/* on_output, if not NULL, is called from the calling thread with each raw chunk as it comes */
	void (*on_output)(void *ctx, const char *data, size_t len);
	void *on_output_ctx;
} wr_proc_spec;

typedef struct wr_proc_result {
	int exit_code; /* 0..255, or -1 when killed by a signal */
	int signal;    /* the signal, or 0 */
	bool timed_out;
	bool cancelled;
	bool started; /* false: exec failed, nothing ran (exit_code 127) */
	int64_t duration_ms;
	bool output_cut;
} wr_proc_result;

/* wr_proc_run: stdout into *out, stderr into *err_out (either may be NULL: discarded), each kept up
 * to its buffer's max (appended) and then drained. -1 only if it could not be started. If the
 * process died between fork and exec, `started` is true: in doubt, something may have run. */
WR_CHECKED int wr_proc_run(const wr_proc_spec *spec, wr_buf *out, wr_buf *err_out,
                           wr_proc_result *result, wr_err *err);

#endif
