/* cli.h: the verbs of the command line: one table drives dispatch, help and the man page's list. */
#ifndef TUI_CLI_H
#define TUI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "client.h"
#include "warroom/sshsig.h"

enum { EXIT_OK = 0, EXIT_NO = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

/* An option of a verb. A name of one letter is written -n, a longer one --name. */
typedef struct cli_option {
	const char *name;
	const char *value; /* "FILE", "REGION" …; NULL: a flag */
	const char *help;
} cli_option;

/* The table of a verb that has verbs of its own (ledger verify, key new …) ends with name NULL. */
typedef struct cli cli;
typedef struct cli_sub {
	const char *name;
	const char *operands;      /* "PATH", "SEQ [FILE]" …, "" */
	const char *summary;       /* a line */
	const char *help;          /* the rest of --help, or "" */
	const cli_option *options; /* its own, ended by name NULL; or NULL */
	int (*run)(cli *c);        /* c->argv holds the operands behind its name */
} cli_sub;

enum { CLI_GIVEN_MAX = 64 };

/* What the options before and after the verb said. Borrowed from argv. */
struct cli {
	const char *socket, *config; /* or NULL */
	bool json, read_only, ascii, no_colour, help, version;
	const char *from, *to, *reason, *runbook, *principal, *role, *key, *assurance, *note;
	bool propose_only, watch, auto_play;
	const char *decision;
	const char *theme, *welcome; /* welcome: the demo's first page */
	const char *verb;
	const cli_sub *sub; /* or NULL: the verb has none */
	int argc;           /* operands after the verb and its sub-verb */
	char **argv;
	struct {
		const char *name, *value;
	} given[CLI_GIVEN_MAX]; /* every option, in order; ask cli_opt */
	size_t given_count;
	client *client; /* made by cli_client */
};

typedef struct verb {
	const char *name;
	const char *operands; /* "ID", "FILE" … */
	const char *summary;
	const char *help;          /* the rest of --help */
	const cli_option *options; /* beyond the common ones; or NULL */
	const cli_sub *subs;       /* or NULL. With them run is NULL, and each brings its options */
	int (*run)(cli *c);
} verb;
extern const verb verbs[];
const verb *cli_find_verb(const char *name);
const cli_sub *cli_find_sub(const verb *v, const char *name);

/* options.c */
extern const cli_option cli_common[];
/* cli_parse reads the command line: options into c, verb, sub-verb, operands. An option of the
 * sub-verb goes before one of the verb, and that before a common one of the same name. Returns
 * EXIT_OK, or what to exit with, having said why. */
int cli_parse(cli *c, int argc, char **argv);
/* cli_opt returns an option's value, "" for a flag, NULL when it was not given; the last one
 * counts. */
const char *cli_opt(const cli *c, const char *name);
/* cli_number reads an option's value as a number within bounds; without the option *out stays.
 * Returns EXIT_OK, or EXIT_USAGE, having said why. */
int cli_number(const cli *c, const char *name, int64_t least, int64_t most, int64_t *out);

int cli_main(int argc, char **argv);
/* cli_socket finds the engine's socket: --socket, $WARROOM_SOCKET, the configuration's,
 * /run/warroom/warroom.sock. */
WR_CHECKED int cli_socket(const cli *c, char *out, size_t size, wr_err *err);
/* cli_client connects lazily; prints the error and returns NULL on failure. */
client *cli_client(cli *c);
/* cli_call is client_call that prints the error; *exit_code gets what main should return. */
json_t *cli_call(cli *c, const char *path, const json_t *body, int *exit_code);
int cli_error(const cli *c, const wr_err *err); /* prints (JSON if asked); returns the exit code */
/* cli_usage says what is wrong with the command line, and where help is; returns EXIT_USAGE. */
int cli_usage(const cli *c, const char *fmt, ...) WR_PRINTF(2, 3);
void cli_print_json(const json_t *j);
/* cli_output_lost writes out what is buffered: true when nobody takes it any more. */
bool cli_output_lost(void);
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
int verb_config_check(cli *c);
int verb_key_new(cli *c);
int verb_key_show(cli *c);
int verb_demo(cli *c);
int verb_version(cli *c);
int verb_help(cli *c);

/* sealed_public (verbs_key.c) reads whose key a sealed key file is, and its public part. The
 * message quotes nothing of the file. */
WR_CHECKED int sealed_public(const char *path, char principal[static 64], wr_pubkey *pub,
                             wr_err *err);

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
