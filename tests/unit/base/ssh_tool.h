/* ssh_tool.h: what the signing tests share: a scratch directory, ssh-keygen, and SSH wire strings.
 *
 * ssh-keygen is the oracle of these tests, so they fail without it instead of passing unseen. */
#ifndef TESTS_UNIT_BASE_SSH_TOOL_H
#define TESTS_UNIT_BASE_SSH_TOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warroom/io.h"
#include "warroom/proc.h"
#include "warroom/sshsig.h"

#define TOOL_TIMEOUT_MS 60000
#define TOOL_FILE_MAX   (1u << 20)
#define PATH_LEN        256

static char tool_dir[PATH_LEN];

static inline int tool_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline int tool_teardown(void **state)
{
	(void)state;
	return tool_dir[0] == '\0' ? 0 : nftw(tool_dir, tool_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* tool_path names a file in the scratch directory; a few results stay valid at once. */
static inline const char *tool_path(const char *name)
{
	static char ring[8][PATH_LEN];
	static unsigned next;
	char *out = ring[next++ % 8];
	wr_err err;
	if (wr_path_join(out, PATH_LEN, tool_dir, name, &err) != 0) fail_msg("%s", err.msg);
	return out;
}

/* tool_run runs argv with `input` on stdin; stdout (and stderr, when both) goes to *out. */
static inline int tool_run_env(const char *const *argv, const char *const *env, const void *input,
                               size_t input_len, wr_buf *out)
{
	wr_err err;
	wr_proc_result result;
	wr_buf err_out = WR_BUF_INIT(4096);
	const wr_proc_spec spec = {.argv = argv,
	                           .env = env,
	                           .input = input,
	                           .input_len = input_len,
	                           .timeout_ms = TOOL_TIMEOUT_MS};
	if (out != NULL) wr_buf_reset(out);
	if (wr_proc_run(&spec, out, &err_out, &result, &err) != 0 || !result.started)
		fail_msg("%s did not run (apt-get install openssh-client): %s", argv[0],
		         wr_buf_cstr(&err_out));
	if (result.timed_out) fail_msg("%s timed out", argv[0]);
	if (result.exit_code != 0) print_message("%s: %s", argv[0], wr_buf_cstr(&err_out));
	wr_buf_free(&err_out);
	return result.exit_code;
}

static inline int tool_run(const char *const *argv, const void *input, size_t len, wr_buf *out)
{
	return tool_run_env(argv, NULL, input, len, out);
}

static inline int tool_setup(void **state)
{
	(void)state;
	const char *const argv[] = {"ssh-keygen", "-?", NULL};
	const wr_proc_spec spec = {.argv = argv, .timeout_ms = TOOL_TIMEOUT_MS};
	wr_proc_result result;
	if (wr_proc_run(&spec, NULL, NULL, &result, NULL) != 0 || !result.started) {
		print_error("ssh-keygen is missing: apt-get install openssh-client\n");
		return -1;
	}
	(void)snprintf(tool_dir, sizeof(tool_dir), "/tmp/warroom-test-XXXXXX");
	if (sodium_init() < 0 || mkdtemp(tool_dir) == NULL) {
		tool_dir[0] = '\0';
		return -1;
	}
	return 0;
}

static inline void tool_write(const char *name, const void *data, size_t len)
{
	wr_err err;
	if (wr_write_file(tool_path(name), data, len, 0600, &err) != 0) fail_msg("%s", err.msg);
}

static inline void tool_read(wr_buf *out, const char *name)
{
	wr_err err;
	if (wr_read_file(out, tool_path(name), TOOL_FILE_MAX, WR_ANY, &err) != 0)
		fail_msg("%s", err.msg);
}

/* tool_keygen makes name and name.pub; `bits` may be NULL. */
static inline void tool_keygen(const char *name, const char *type, const char *bits)
{
	const char *argv[] = {"ssh-keygen",   "-q", "-t", type, "-N", "",  "-C",
	                      "some comment", "-f", NULL, NULL, NULL, NULL};
	argv[9] = tool_path(name);
	if (bits != NULL) argv[10] = "-b", argv[11] = bits;
	assert_int_equal(tool_run(argv, NULL, 0, NULL), 0);
}

/* tool_sign signs with ssh-keygen and returns the armoured text in *sig. */
static inline int tool_sign(wr_buf *sig, const char *key, const char *ns, const char *option,
                            const void *msg, size_t len)
{
	const char *argv[] = {"ssh-keygen", "-q",           "-Y", "sign", "-n", ns,
	                      "-f",         tool_path(key), NULL, NULL,   NULL};
	if (option != NULL) argv[8] = "-O", argv[9] = option;
	return tool_run(argv, msg, len, sig);
}

/* tool_verify asks ssh-keygen whether `sig` is principal's, by the allowed_signers text. */
static inline int tool_verify(const char *signers, const char *principal, const char *ns,
                              const char *option, const char *sig, const void *msg, size_t len)
{
	tool_write("signers", signers, strlen(signers));
	tool_write("sig", sig, strlen(sig));
	const char *argv[] = {"ssh-keygen", "-q",
	                      "-Y",         "verify",
	                      "-n",         ns,
	                      "-I",         principal,
	                      "-f",         tool_path("signers"),
	                      "-s",         tool_path("sig"),
	                      NULL,         NULL,
	                      NULL};
	if (option != NULL) argv[12] = "-O", argv[13] = option;
	return tool_run(argv, msg, len, NULL);
}

/* SSH wire strings, written independently of what is tested. */
static inline void wire_u32(wr_buf *b, uint32_t v)
{
	wr_buf_addc(b, (char)(v >> 24));
	wr_buf_addc(b, (char)(v >> 16));
	wr_buf_addc(b, (char)(v >> 8));
	wr_buf_addc(b, (char)v);
}

static inline void wire_string(wr_buf *b, const void *data, size_t len)
{
	wire_u32(b, (uint32_t)len);
	wr_buf_add(b, data, len);
}

static inline void wire_text(wr_buf *b, const char *s)
{
	wire_string(b, s, strlen(s));
}

#endif
