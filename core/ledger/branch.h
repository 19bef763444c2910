/* branch.h: the histories that the receipts of a pool make, and which of them goes on. */
#ifndef WR_LEDGER_BRANCH_H
#define WR_LEDGER_BRANCH_H

#include "ledger/pool.h"

#define WR_BRANCHES_SHOWN 26 /* one for each letter */

typedef struct wr_history {
	uint32_t *path; /* the chosen receipts, from 0 on */
	size_t count;
	uint32_t tips[WR_BRANCHES_SHOWN]; /* the ends of what could have been chosen, longest first */
	size_t tip_count;                 /* of them shown */
	int64_t branches;                 /* … and in all */
	uint32_t fork;                    /* the last receipt that all shown have in common; WR_NONE */
	int64_t attested;                 /* so many of the path are covered by a signed checkpoint */
	uint32_t note;                    /* that one, WR_NONE */
	int64_t contradicted; /* size of a signed checkpoint that is of no history here, and is beyond
	                         `attested`; 0 none */
	int64_t known;        /* so many receipts there were */
	bool decided;
	bool cut; /* where a receipt_id came again, which no history may have */
} wr_history;

/* wr_branch_link finds parents and children, and what hangs together from receipt 0 on. */
WR_CHECKED int wr_branch_link(wr_pool *p, wr_err *err);
/* wr_branch_attest checks the checkpoints' signatures and which histories they are of. */
WR_CHECKED int wr_branch_attest(wr_pool *p, const uint8_t public_key[static WR_ED25519_PUBLIC],
                                wr_err *err);
/* wr_branch_choose chooses the history of a chain; `wanted` NULL, or "A" … or a hash's first
 * digits. -1: WR_E_NOT_FOUND (no such branch) or no memory. Not `decided`: a person must. */
WR_CHECKED int wr_branch_choose(wr_pool *p, uint16_t chain, const char *wanted, wr_history *out,
                                wr_err *err);
void wr_history_free(wr_history *h);

#endif
