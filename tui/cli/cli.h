/* cli.h: the verbs of the command line: one table drives dispatch, help and the man page's list. */
#ifndef TUI_CLI_H
#define TUI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "client.h"

enum { EXIT_OK = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* What the options before and after the verb said. Borrowed from argv. */
typedef struct cli cli;
struct cli {
	const char *socket, *config; /* or NULL */
	bool json, read_only, ascii, no_colour;
	const char *from, *to, *reason, *runbook, *principal, *role, *key, *assurance, *note;
	bool propose_only, watch, auto_play;
	const char *decision;
	const char *theme, *welcome; /* welcome: the demo's first page */
	int64_t lines;
	const char *verb;
	int argc; /* operands after the verb */
	char **argv;
	client *client; /* made by cli_client */
};

typedef struct verb {
	const char *name;
	const char *operands; /* "ID", "FILE" … */
	const char *summary;
	const char *help; /* the rest of --help */
	int (*run)(cli *c);
} verb;
extern const verb verbs[];

int cli_main(int argc, char **argv);
/* cli_socket finds the engine's socket: --socket, $WARROOM_SOCKET, the configuration's,
 * /run/warroom/warroom.sock. */
WR_CHECKED int cli_socket(const cli *c, char *out, size_t size, wr_err *err);
/* cli_client connects lazily; prints the error and returns NULL on failure. */
client *cli_client(cli *c);
/* cli_call is client_call that prints the error; *exit_code gets what main should return. */
json_t *cli_call(cli *c, const char *path, const json_t *body, int *exit_code);
int cli_error(const cli *c, const wr_err *err); /* prints (JSON if asked); returns the exit code */
int cli_usage(const cli *c, const char *fmt, ...) WR_PRINTF(2, 3);
void cli_print_json(const json_t *j);
bool cli_unicode(const cli *c); /* marks beyond ASCII are fine on this output */

/* verbs_*.c */
int verb_status(cli *c);
int verb_why(cli *c);
int verb_plan(cli *c);
int verb_propose(cli *c);
int verb_pending(cli *c);
int verb_approve(cli *c);
int verb_deny(cli *c);
int verb_hold(cli *c);
int verb_resume(cli *c);
int verb_abort(cli *c);
int verb_rule(cli *c);
int verb_tick(cli *c);
int verb_ledger(cli *c);
int verb_config(cli *c);
int verb_key(cli *c);
int verb_demo(cli *c);
int verb_version(cli *c);
int verb_help(cli *c);

/* passphrase.c: reads without echo from the terminal (not stdin), or from
 * $WARROOM_PASSPHRASE_FILE's file for scripts; locked memory of WR_PASSPHRASE_MAX bytes, wiped by
 * passphrase_free. NULL with *err on failure. */
typedef struct passphrase {
	char *text;
	size_t len;
} passphrase;
/* passphrase_possible: is there somewhere to read it from? Nothing is read. */
WR_CHECKED int passphrase_possible(wr_err *err);
WR_CHECKED int passphrase_read(passphrase *p, const char *prompt, wr_err *err);
void passphrase_free(passphrase *p);

#endif
