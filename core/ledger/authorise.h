/* authorise.h: was each guarded step allowed, and each ruling made by two? As docs/receipts.md
 * defines it, worked out again from the signatures, trusting nothing that the engine merely said.
 * Not thread-safe. */
#ifndef WR_LEDGER_AUTHORISE_H
#define WR_LEDGER_AUTHORISE_H

#include "warroom/receipt.h"

typedef struct wr_authorise wr_authorise;

/* wr_authorise_new reads <ledger_dir>/allowed_signers. A missing or unreadable file is no error
 * here: then nobody can have approved anything. NULL: out of memory. */
wr_authorise *wr_authorise_new(const char *ledger_dir);
void wr_authorise_free(wr_authorise *a);
/* wr_authorise_see takes the chain's receipts in order: 1 fine, 0 an unauthorised step or ruling
 * (why says what is lacking), -1 with *err. */
WR_CHECKED int wr_authorise_see(wr_authorise *a, const wr_receipt *r, char *why, size_t why_size,
                                wr_err *err);

#endif
