/* check.h: the checker of one chain: it takes the lines in order and names what is wrong with
 * them. Memory is constant but for the ids and parents seen, which are those of the suspects alone
 * if there are any given. Not thread-safe. */
#ifndef WR_LEDGER_CHECK_H
#define WR_LEDGER_CHECK_H

#include "ledger/attest.h"
#include "ledger/authorise.h"
#include "ledger/chain.h"
#include "ledger/idset.h"
#include "ledger/suspects.h"
#include "warroom/ledger.h"
#include "warroom/verify.h"

#define WR_ANOMALIES_KEPT 1000

typedef struct wr_check {
	wr_verify_report *report;
	char chain[128];              /* "" until the first receipt tells */
	char file[64];                /* being read */
	int64_t segment;              /* its first seq by its name, -1: it has no such name */
	bool file_began;              /* an intact receipt was found in it */
	int64_t expect;               /* next seq; -1: whatever comes first */
	uint8_t tips[2][WR_HASH_LEN]; /* what its prev_hash may be */
	unsigned tip_count;           /* 0: it cannot be known */
	int64_t bad_lines, bad_bytes; /* unreadable ones since the last receipt that counted */
	int64_t consistent;           /* last seq before anything was broken, -1 none */
	bool ok;                      /* nothing at all was said of this chain, but a torn end */
	bool broken;                  /* the chain of hashes is */
	bool damaged;                 /* … in a way that a false root would only say again */
	bool cut_short;               /* said already: shorter than the mark */
	wr_mark mark;                 /* count 0: none */
	wr_suspects *suspects;        /* of this chain; NULL: all ids and parents are kept, in: */
	wr_idset ids;
	wr_keyset parents;       /* of all receipts before */
	wr_authorise *authorise; /* NULL: not checked */
	wr_attest attest;
} wr_check;

/* wr_check_init: `chain` NULL takes the first receipt's and begins wherever that is; else it begins
 * at seq 0. */
WR_CHECKED int wr_check_init(wr_check *c, wr_verify_report *report, const char *chain,
                             const char *ledger_dir, wr_err *err);
void wr_check_free(wr_check *c);
/* wr_chain_check_file begins a file; its name's seq is to be the first one in it. */
void wr_chain_check_file(wr_check *c, const char *name, int64_t segment);
/* wr_check_line takes a line that is not a torn end. -1: out of memory. */
WR_CHECKED int wr_check_line(wr_check *c, const wr_line *line, int64_t number, wr_err *err);
/* wr_check_seen takes a receipt for one that was before, and says nothing of it: only its id and
 * its parent are remembered. -1: out of memory. */
WR_CHECKED int wr_check_seen(wr_check *c, const wr_receipt *r, wr_err *err);
void wr_check_id(const wr_receipt *r, uint8_t out[static 16]);
/* wr_check_torn says a torn end: no break of integrity. */
void wr_check_torn(wr_check *c, const wr_line *line, int64_t number, int64_t bytes);
/* wr_check_short takes an unfinished line of a file that once was longer. */
void wr_check_short(wr_check *c, const wr_line *line, int64_t number, int64_t file_bytes);
/* wr_check_file_end comes after a file's last line: `left` bytes behind it are zero, or gone. */
void wr_check_file_end(wr_check *c, const wr_lines *lines, int64_t left, bool last);
/* wr_check_end compares with the mark what was there. */
void wr_check_end(wr_check *c);
/* wr_check_authorise: was this step allowed? Says so if not. -1: out of memory. */
WR_CHECKED int wr_check_authorise(wr_check *c, const wr_receipt *r, int64_t line, int64_t byte,
                                  wr_err *err);
void wr_check_anomaly(wr_check *c, wr_anomaly_kind kind, int64_t seq, int64_t line, int64_t byte,
                      const char *fmt, ...) WR_PRINTF(6, 7);
/* wr_check_aside says an anomaly that leaves the chain of hashes as it is. */
void wr_check_aside(wr_check *c, wr_anomaly_kind kind, const wr_attest_place *at, const char *fmt,
                    ...) WR_PRINTF(4, 5);

/* attest.c: the chain's checkpoints. wr_attest_begin: `pinned` NULL takes the ledger's engine.pub.
 */
void wr_attest_begin(wr_check *c, const char *ledger_dir, const uint8_t *pinned, bool need_key);
void wr_attest_free(wr_attest *a);
/* wr_attest_read reads a chain's file `checkpoint`: 1, 0 there is none, -1. wr_attest_file takes
 * it, or why it could not be read, before the receipts. */
WR_CHECKED int wr_attest_read(wr_buf *note, const char *chain_dir, wr_err *err);
void wr_attest_file(wr_check *c, const wr_buf *note, const wr_err *err);
/* wr_attest_receipt takes a checkpoint_signed before it is in the tree itself; wr_attest_here,
 * after that: the tree is complete up to here; wr_attest_end comes after the last receipt. */
void wr_attest_here(wr_check *c);
void wr_attest_receipt(wr_check *c, const wr_receipt *r, int64_t line, int64_t byte);
void wr_attest_end(wr_check *c);

#endif
