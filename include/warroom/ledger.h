/* ledger.h: the ledger on disk: append, replay, watch. Verification is in verify.h.
 *
 * The store is an interface (DESIGN.md section 13); nothing outside core/ledger knows which one is
 * behind. wr_ledger_open_dir is the file store. One writer thread does group commit: everything
 * queued while one fdatasync runs goes out with the next. Functions are thread-safe unless said
 * otherwise. */
#ifndef WARROOM_LEDGER_H
#define WARROOM_LEDGER_H

#include "warroom/clock.h"
#include "warroom/receipt.h"
#include "warroom/sshsig.h"

typedef struct wr_ledger wr_ledger;

typedef struct wr_ledger_opts {
	const char *dir, *partition, *stream;
	const char *actor;      /* default actor */
	const char *engine_key; /* path; created 0600 with its public key beside the ledger if missing;
	                           NULL: no key */
	const wr_clock *clock;
	const wr_random *random;
	bool read_only;
	size_t segment_max; /* 0: WR_SEGMENT_MAX; smaller in tests */
	const char *origin; /* of checkpoints: "<origin>/<chain>"; NULL: "warroom" */
} wr_ledger_opts;

/* What opening found. */
typedef struct wr_ledger_opened {
	int64_t count;       /* receipts */
	bool torn_tail;      /* a partial last record was moved aside (and is said in a receipt) */
	char torn_file[256]; /* where: a name in the chain's directory; "" if read-only */
	int64_t torn_bytes;
} wr_ledger_opened;

/* wr_ledger_open_dir opens or creates. Fails with WR_E_LOCKED (second engine; says the pid if
 * known), WR_E_CORRUPT (a bad record that is not a torn tail: seq, file, byte; nothing is changed
 * on disk), WR_E_DENIED / WR_E_IO / WR_E_NO_SPACE. Directories 0750, files 0640. */
WR_CHECKED wr_ledger *wr_ledger_open_dir(const wr_ledger_opts *opts, wr_ledger_opened *opened,
                                         wr_err *err);
void wr_ledger_close(wr_ledger *l); /* waits for the queue */

typedef enum wr_append_status {
	WR_APPEND_DONE,
	WR_APPEND_CONFLICT,
	WR_APPEND_UNAVAILABLE,
	WR_APPEND_UNKNOWN
} wr_append_status;

/* The answer to one submission. Lines belong to the callee until it returns. */
typedef struct wr_appended {
	wr_append_status status;
	wr_err err;
	size_t count;
	int64_t first_seq;
	const char *const *lines; /* count lines, without newline, NUL-terminated; only if DONE */
	const size_t *lens;
} wr_appended;

/* wr_ledger_submit queues drafts (stolen references) to be written as one unit, in order, with
 * `epoch`; `done` is called once from the writer thread after the data is durable (or failed). -1
 * if the queue is full, the ledger is failed/read-only, or a draft cannot be a receipt (then done
 * is not called and the drafts are released). At most 64 drafts; a crash may leave the first few.
 * CONFLICT: the chain has seen a higher epoch, or somebody else writes to it. UNAVAILABLE: nothing
 * of it is on the disk. UNKNOWN: it may be there after the next opening. */
WR_CHECKED int wr_ledger_submit(wr_ledger *l, json_t **drafts, size_t count, int64_t epoch,
                                void (*done)(void *ctx, const wr_appended *), void *ctx,
                                wr_err *err);
/* wr_ledger_append is submit and wait; for tests and tools. */
WR_CHECKED int wr_ledger_append(wr_ledger *l, json_t *draft, int64_t epoch, int64_t *seq,
                                wr_err *err);

typedef struct wr_head {
	int64_t count;             /* = next seq */
	uint8_t hash[WR_HASH_LEN]; /* of the last receipt; zeros when empty */
} wr_head;
void wr_ledger_head(wr_ledger *l, wr_head *out); /* the durable head */
/* wr_ledger_failed: it takes no more. WR_E_NO_SPACE ends by itself when a later submission finds
 * space; anything else (a failed fsync, twice) lasts until a restart. */
bool wr_ledger_failed(wr_ledger *l, wr_err *why);

/* wr_ledger_read calls fn for each durable receipt from seq on, until fn returns non-zero
 * (returned). A ledger opened read-only is as it was then. */
WR_CHECKED int wr_ledger_read(wr_ledger *l, int64_t from_seq,
                              int (*fn)(void *ctx, const wr_receipt *r), void *ctx, wr_err *err);

/* Blobs: <dir>/blobs/sha256/<hex>, written durably before the receipt that names them. */
WR_CHECKED int wr_blob_put(wr_ledger *l, const void *data, size_t len, char hex[static WR_HEX_LEN],
                           wr_err *err);
WR_CHECKED int wr_blob_get(const char *ledger_dir, const char *hex, wr_buf *out,
                           wr_err *err); /* checks the hash */

#endif
