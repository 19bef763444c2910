/* ledger.h: the verbs of `warroom ledger`, one row each in verbs_ledger.c; their code is in
 * ledger_*.c. A row brings its own options, which may have the name of a common one or of one of
 * another verb: its own counts. */
#ifndef TUI_CLI_LEDGER_H
#define TUI_CLI_LEDGER_H

#include "cli/cli.h"

typedef cli_sub ledger_verb;
extern const ledger_verb ledger_verbs[]; /* ended by name NULL */

/* ledger_verify.c */
extern const cli_option ledger_verify_options[];
int ledger_verify(cli *c);

/* ledger_prove.c */
extern const cli_option ledger_prove_options[], ledger_check_proof_options[],
    ledger_cosign_options[];
int ledger_prove(cli *c);
int ledger_check_proof(cli *c);
int ledger_cosign(cli *c);

/* ledger_foreign.c */
extern const cli_option ledger_audit_options[];
int ledger_audit(cli *c);

/* ledger_archive.c */
extern const cli_option ledger_archive_options[], ledger_anchor_options[];
int ledger_archive(cli *c);
int ledger_anchor(cli *c);

/* ledger_restore.c */
extern const cli_option ledger_restore_options[], ledger_export_options[], ledger_import_options[];
int ledger_restore(cli *c);
int ledger_export(cli *c);
int ledger_import(cli *c);
int ledger_duplicates(cli *c);

#endif
