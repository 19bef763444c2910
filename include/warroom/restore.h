/* restore.h: a ledger made whole again from a snapshot, what was written since, and what is left of
 * the damaged one.
 *
 * Every receipt that is intact in any of the sources counts, whichever it is; a receipt's hash says
 * what it is, and prev_hash where it belongs. What hangs together from receipt 0 on is history.
 * Where history branches, the branch goes on that a later checkpoint signed by the engine covers;
 * if that does not decide, a person does. The sources are only read; the result appears whole, in
 * a new directory, or not at all, and is verified completely before that.
 *
 * Memory: about 150 bytes for each receipt in the sources. Not thread-safe. */
#ifndef WARROOM_RESTORE_H
#define WARROOM_RESTORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "warroom/buf.h"
#include "warroom/clock.h"
#include "warroom/hash.h"

#define WR_RESTORE_CHANGELOGS_MAX 64

typedef struct wr_restore_opts {
	const char *snapshot;          /* a ledger directory, or an export (export.h) */
	const char *const *changelogs; /* JSON lines: files, or directories of them */
	size_t changelog_count;
	const char *damaged;    /* the broken ledger; NULL: none is left */
	const char *into;       /* missing or empty */
	const char *engine_key; /* signs the result's checkpoint, and says whose checkpoints count;
	                           NULL: engine.pub of the snapshot, else of the damaged ledger, does */
	const char *actor;      /* of receipt_corruption_detected; NULL: "engine:restore" */
	const char *branch; /* "A", "B", … or the first digits of a head's hash; NULL: none chosen */
	const wr_clock *clock; /* NULL: the system's, as with random */
	const wr_random *random;
	size_t segment_max; /* 0: WR_SEGMENT_MAX */
	/* progress, now and then: "reading" or "verifying"; total 0: unknown. NULL: nobody asks. */
	void (*progress)(void *ctx, const char *what, int64_t bytes, int64_t total);
	void *progress_ctx;
} wr_restore_opts;

typedef struct wr_restore_report {
	bool restored;
	int64_t receipts; /* in the result, receipt_corruption_detected and checkpoints included */
	int64_t lost;     /* receipts known to have been, and not in the result */
	int64_t unauthorised;
	json_t *doc; /* everything, as --json prints it; docs/restore.md lists its members */
} wr_restore_report;

/* wr_restore: 0 restored; 1 refused, because the sources do not say enough: doc has "refused", and
 * nothing was written; -1 *err. */
WR_CHECKED int wr_restore(const wr_restore_opts *opts, wr_restore_report *out, wr_err *err);
void wr_restore_free(wr_restore_report *r);
/* wr_restore_print: for people; of long lists the first 20. */
void wr_restore_print(const wr_restore_report *r, wr_buf *out);

#endif
