/* proof_in.h: what proof.c and cosign.c share. */
#ifndef WR_LEDGER_PROOF_IN_H
#define WR_LEDGER_PROOF_IN_H

#include "warroom/proof.h"

/* wr_log_signed: did the log itself, under its origin's name, sign with one of the keys? */
WR_CHECKED int wr_log_signed(wr_signers_of *out, const wr_note *n, const char *origin,
                             const wr_trusted *keys, size_t key_count, wr_err *err);

#endif
