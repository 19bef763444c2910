/* archive.h: the daily exports: when the next is due, making one, what is there, what is too old.
 *
 * An archive is a directory of exports of one chain, each a directory as export.h lays it out (and
 * the anchors of its checkpoints), named
 *   20261121T120000Z-<first seq, 20 digits>-<last seq, 20 digits>
 * Each holds what came since the one before. An export appears whole or not at all. */
#ifndef WARROOM_ARCHIVE_H
#define WARROOM_ARCHIVE_H

#include <jansson.h>

#include "warroom/export.h"

#define WR_ARCHIVE_NAME_LEN 59     /* with its NUL */
#define WR_ARCHIVE_MAX      100000 /* exports in one archive: one a day for centuries */

/* wr_archive_next: the first moment after last_us whose time of day (UTC) is at_ms: an export is
 * due when that is not after now_us. A `last` of the future, from a clock that was wrong, counts as
 * now. Pure. */
int64_t wr_archive_next(int64_t now_us, int64_t at_ms, int64_t last_us);

typedef struct wr_archive_entry {
	char name[WR_ARCHIVE_NAME_LEN];
	int64_t time_us, first_seq, last_seq;
} wr_archive_entry;
void wr_archive_name(wr_archive_entry *e); /* from the other members */
bool wr_archive_parse(const char *name, wr_archive_entry *out);
/* wr_archive_list finds them by their names, by first_seq, the shorter ones first; free() *out. A
 * missing directory has none. */
WR_CHECKED int wr_archive_list(const char *dir, wr_archive_entry **out, size_t *count, wr_err *err);

typedef struct wr_archive_job {
	const char *ledger, *chain;
	const char *dir;   /* made if missing */
	int64_t first_seq; /* the first receipt to export */
	const wr_clock *clock;
} wr_archive_job;

typedef struct wr_archive_made {
	wr_archive_entry entry;
	int64_t receipts, bytes;   /* bytes: of all its files; receipts 0: nothing is new */
	char manifest[WR_HEX_LEN]; /* SHA-256 of SHA256SUMS */
	bool found;                /* it was there already, whole: a crash came after it */
} wr_archive_made;
WR_CHECKED int wr_archive_make(const wr_archive_job *job, wr_archive_made *out, wr_err *err);
/* wr_archive_remove takes one away, first from sight: never half of it under its name. */
WR_CHECKED int wr_archive_remove(const char *dir, const char *name, wr_err *err);
/* wr_archive_prune removes what is older than keep_ms (0: nothing) and is exactly what its manifest
 * says, but never the newest. `left` counts old ones that are not, and stay. */
WR_CHECKED int wr_archive_prune(const char *dir, int64_t keep_ms, int64_t now_us, int64_t *removed,
                                int64_t *left, wr_err *err);

/* ---- checking ---- */

typedef struct wr_archive_row {
	wr_archive_entry entry;
	bool ok;
	char text[320]; /* what is wrong */
} wr_archive_row;

typedef struct wr_archive_report {
	wr_archive_row *rows;
	size_t count, failed;
	int64_t first_seq, last_seq; /* that follow on each other without a gap, up to the newest; -1 */
	int64_t receipts, gaps;
} wr_archive_report;

/* wr_archive_verify checks manifests, every receipt's hash and link, and that each export follows
 * on the one before. path: an archive, or one export. -1 if it cannot be read, or there is none
 * (WR_E_NOT_FOUND). */
WR_CHECKED int wr_archive_verify(const char *path, wr_archive_report *out, wr_err *err);
void wr_archive_report_free(wr_archive_report *r);
json_t *wr_archive_json(const wr_archive_report *r);

#endif
