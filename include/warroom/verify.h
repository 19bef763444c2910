/* verify.h: checking receipts offline, or those of a running engine: every hash, link, signature
 * and checkpoint, each anomaly by its name (DESIGN.md section 6). */
#ifndef WARROOM_VERIFY_H
#define WARROOM_VERIFY_H

#include <stdatomic.h>

#include "warroom/receipt.h"
#include "warroom/sshsig.h"

#define WR_ANOMALIES(X)                                                                            \
	X(CORRUPT, "corrupt")                                                                          \
	X(GAP, "gap")                                                                                  \
	X(ORPHAN, "orphan")                                                                            \
	X(DUPLICATE, "duplicate")                                                                      \
	X(EQUIVOCATION, "equivocation")                                                                \
	X(FORK, "fork") X(TRUNCATED, "truncated") X(UNAUTHORISED, "unauthorised") X(TORN, "torn")
typedef enum wr_anomaly_kind {
#define X(id, name) WR_AN_##id,
	WR_ANOMALIES(X)
#undef X
	    WR_AN_COUNT
} wr_anomaly_kind;
const char *wr_anomaly_name(wr_anomaly_kind k);

typedef struct wr_anomaly {
	wr_anomaly_kind kind;
	char chain[128];
	char file[256];
	int64_t seq;        /* -1 unknown */
	int64_t line, byte; /* 1-based line, 0-based byte offset in the file */
	char text[256];     /* what was expected and what is there */
} wr_anomaly;

/* One chain's two answers. A receipt is consistent if every hash and link up to it holds, attested
 * if a checkpoint covers it whose root and signature hold. */
typedef struct wr_chain_report {
	char chain[128];
	int64_t receipts;
	int64_t last_consistent_seq, last_attested_seq; /* -1: none */
	int64_t checkpoints;                            /* whose root holds */
	bool ok;
} wr_chain_report;

typedef struct wr_verify_report {
	int64_t checked, valid, invalid, hash_mismatches, orphaned, duplicates, forks, unauthorised;
	int64_t torn; /* torn tails: said, but no break of integrity */
	int64_t chains, segments, bytes;
	int64_t last_consistent_seq;    /* of the (first broken or only) chain; -1 none */
	int64_t last_attested_seq;      /* likewise */
	int64_t checkpoints;            /* whose root holds */
	int64_t checkpoints_unchecked;  /* no key, or no tree to compare with */
	wr_chain_report *chain_reports; /* the first 1,000 */
	size_t chain_report_count;
	char not_checked[256]; /* what was left out, and why; "" nothing */
	wr_anomaly *anomalies; /* the first 1,000 */
	size_t anomaly_count;
	int64_t anomaly_total;
	bool ok;
} wr_verify_report;

/* wr_ledger_verify checks every chain under `path` (a ledger directory, a chain directory or one
 * .jsonl file). Unauthorised steps are re-verified from the signatures with <dir>/allowed_signers;
 * if that file is missing and there are guarded steps, they are unauthorised. progress may be NULL.
 */
WR_CHECKED int wr_ledger_verify(const char *path, wr_verify_report *out,
                                void (*progress)(void *ctx, int64_t bytes, int64_t total),
                                void *ctx, wr_err *err);
/* How to verify. Zero is the default of each, so `{0}` is what wr_ledger_verify does. */
typedef struct wr_verify_opts {
	unsigned threads;          /* 0: one for each processor, at most 16 */
	int64_t since_seq;         /* from that receipt on; 0: from the beginning */
	int64_t since_us;          /* or from the first one of that time on; 0: from the beginning */
	const uint8_t *engine_pub; /* 32 bytes: the key that must have signed; NULL: engine.pub */
	const atomic_bool *cancel; /* true: stop with WR_E_CANCELLED; may be NULL */
	/* Called by one thread at a time, each MiB or so. A chain that is damaged is read again, so
	 * that the total grows. */
	void (*progress)(void *ctx, int64_t bytes, int64_t total);
	void *ctx;
	size_t chunk_bytes;  /* read at once by a thread; 0: 1 MiB */
	size_t suspects_max; /* ids and parents kept of a chain that is out of order; 0: 2^18. If there
	                        are more, the chain is read in as many windows as it takes. SIZE_MAX:
	                        reads every line carefully and keeps all, to compare with */
} wr_verify_opts;

/* wr_ledger_verify_with is wr_ledger_verify with options (NULL: the defaults). Memory is bounded,
 * whatever the ledger's size: a few MiB for each thread, and then 44 MiB at most for a damaged
 * chain. */
WR_CHECKED int wr_ledger_verify_with(const char *path, const wr_verify_opts *opts,
                                     wr_verify_report *out, wr_err *err);
/* wr_approval_check: does this approval_recorded stand by itself, as verification judges it: a
 * signature of that person's key, allowed by `signers` at the receipt's time, over the very words
 * that the receipt says? For an engine that reads approvals back. */
WR_CHECKED int wr_approval_check(const wr_receipt *r, const wr_signers *signers, wr_err *err);
void wr_verify_free(wr_verify_report *r);
/* The text of DESIGN.md section 9, anomalies first; `unicode` false: "VERIFIED" without the mark.
 */
void wr_verify_print(const wr_verify_report *r, bool unicode, wr_buf *out);
json_t *wr_verify_json(const wr_verify_report *r);

#endif
