/* restore.h: a restore's inside, shared by restore.c (the course of it), restore_write.c (the new
 * ledger), restore_account.c (what is said of it) and restore_print.c. */
#ifndef WR_LEDGER_RESTORE_H
#define WR_LEDGER_RESTORE_H

#include "ledger/branch.h"
#include "ledger/build.h"
#include "warroom/restore.h"

/* What is lost of one chain. */
typedef struct wr_loss {
	json_t *receipts;    /* known by content: array of objects */
	json_t *missing;     /* known only to have been: array of {from, to} */
	int64_t lost, other; /* receipts in `receipts`; of them only in another branch */
	int64_t missing_count;
	int64_t corrupted;      /* records that the damaged ledger had not, or not as they should be */
	int64_t from_us, to_us; /* of what was affected, -1: nothing known */
	int64_t minutes;        /* of loss; -1: not known */
} wr_loss;

typedef struct wr_restoring {
	const wr_restore_opts *opts;
	wr_restore_report *report;
	const wr_fs *fs;
	wr_pool pool;
	wr_history *histories; /* one for each chain */
	wr_loss *losses;
	bool *taken; /* the chain is one of this ledger */
	wr_build build;
	bool building;
	bool has_key; /* whose checkpoints count is known */
	uint8_t public_key[WR_ED25519_PUBLIC];
	json_t *notes; /* array of sentences */
} wr_restoring;

/* wr_restore_with is wr_restore on other file operations. */
WR_CHECKED int wr_restore_with(const wr_restore_opts *opts, const wr_fs *fs, wr_restore_report *out,
                               wr_err *err);

void wr_restore_note(wr_restoring *r, const char *fmt, ...) WR_PRINTF(2, 3);
/* wr_restore_source finds a role's source (the first), NULL: none. */
const wr_source *wr_restore_source(const wr_restoring *r, wr_role role);

/* restore_write.c: the chosen receipts and what goes with them, into r->build. */
WR_CHECKED int wr_restore_write(wr_restoring *r, wr_err *err);
/* wr_restore_say appends receipt_corruption_detected to a chain of the new ledger. */
WR_CHECKED int wr_restore_say(wr_restoring *r, uint16_t chain, wr_err *err);

/* restore_account.c */
WR_CHECKED int wr_restore_losses(wr_restoring *r, uint16_t chain, wr_err *err);
WR_CHECKED int wr_restore_account(wr_restoring *r, wr_err *err); /* fills the report's doc */
const char *wr_restore_method(const wr_restoring *r);

#endif
