/* export.h: receipts carried from one place to another: exports, their manifest, imports, and ids
 * that occur twice.
 *
 * An export into a directory is laid out as a ledger:
 *   SHA256SUMS                            what `sha256sum -c SHA256SUMS` checks
 *   export.json                           what it holds, of which ledger, since when
 *   engine.pub, allowed_signers           copies, if the ledger has them
 *   <partition>/<stream>/<first>.jsonl    the receipts, byte by byte as they are in the ledger
 *   <partition>/<stream>/checkpoint       the signed checkpoint that covers them, if there is one
 *   blobs/sha256/<hex>                    the plans that they name
 * One that begins at receipt 0 is a ledger: it verifies as it is, and a ledger can be restored from
 * it. The directory appears whole or not at all. Nothing here writes to what it reads. */
#ifndef WARROOM_EXPORT_H
#define WARROOM_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "warroom/buf.h"
#include "warroom/clock.h"
#include "warroom/hash.h"

/* ---- from where on ---- */

typedef enum wr_since_kind { WR_SINCE_ALL, WR_SINCE_SEQ, WR_SINCE_TIME } wr_since_kind;
typedef struct wr_since {
	wr_since_kind kind;
	int64_t seq;     /* WR_SINCE_SEQ: this receipt is the first */
	int64_t time_us; /* WR_SINCE_TIME: the first receipt of this moment or later is */
} wr_since;
/* wr_since_parse reads a receipt's number ("10240"), how long ago ("5m", "1h30m"), or a time (RFC
 * 3339). NULL and "" are everything. */
WR_CHECKED int wr_since_parse(const char *text, int64_t now_us, wr_since *out, wr_err *err);

/* ---- the manifest ---- */

#define WR_MANIFEST_NAME "SHA256SUMS"

/* wr_manifest_write lists every regular file below dir (but itself) with its SHA-256, sorted by
 * name, as sha256sum prints them, in dir/SHA256SUMS; durable. Names with a newline, a backslash or
 * what is no UTF-8 are refused. */
WR_CHECKED int wr_manifest_write(const char *dir, wr_err *err);
/* wr_manifest_check compares each listed file with its hash. 0: all are as listed and nothing else
 * is there; WR_E_CORRUPT says the first that is not; WR_E_NOT_FOUND: there is no manifest. */
WR_CHECKED int wr_manifest_check(const char *dir, wr_err *err);
/* wr_manifest_line appends one line, "<hex>  <name>\n", for the file dir/name. */
WR_CHECKED int wr_manifest_line(wr_buf *out, const char *dir, const char *name, wr_err *err);
/* wr_sha256_file hashes a regular file of any size. */
WR_CHECKED int wr_sha256_file(const char *path, uint8_t out[static WR_HASH_LEN], wr_err *err);

/* ---- export ---- */

typedef struct wr_export_opts {
	const char *ledger; /* a ledger directory; an engine may be writing to it */
	const char *chain;  /* one chain; NULL: all of them */
	wr_since since;
	const char *to;        /* a directory that is missing or empty; NULL: `write` instead */
	const wr_clock *clock; /* NULL: the system's */
	/* The lines alone, in order of the chains' names. -1: cannot (err is what export returns). */
	int (*write)(void *ctx, const char *lines, size_t len, wr_err *err);
	void *ctx;
} wr_export_opts;

typedef struct wr_exported_chain {
	char chain[128];
	int64_t first_seq, count; /* of the receipts exported; first_seq is the next one's if none is */
	uint8_t head[WR_HASH_LEN];
	int64_t checkpoint_size; /* of the checkpoint that goes with it, -1 none */
} wr_exported_chain;

typedef struct wr_export_report {
	wr_exported_chain *chains;
	size_t chain_count;
	int64_t receipts, bytes;
	int64_t blobs, blobs_missing;
} wr_export_report;

/* wr_export checks every hash and link of what it exports; damage is WR_E_CORRUPT with the place,
 * and then there is no export. An unfinished last line is left out. */
WR_CHECKED int wr_export(const wr_export_opts *opts, wr_export_report *out, wr_err *err);
void wr_export_free(wr_export_report *r);
json_t *wr_export_json(const wr_export_report *r);

/* ---- import ---- */

typedef struct wr_import_opts {
	const char *from; /* an export's directory, or a file of JSON lines */
	const char *into; /* a ledger directory; made if it is missing */
	const wr_clock *clock;
} wr_import_opts;

typedef struct wr_imported_chain {
	char chain[128];
	int64_t skipped, added; /* there already; new */
	int64_t count;          /* of the ledger's receipts now */
	int64_t attested; /* up to here by a checkpoint of the ledger's engine key, 0 not at all */
} wr_imported_chain;

typedef struct wr_import_report {
	wr_imported_chain *chains;
	size_t chain_count;
	int64_t skipped, added, blobs;
	bool manifest; /* there was one, and it was right */
} wr_import_report;

/* wr_import appends receipts to the chains that they are of. Everything is checked before anything
 * is written. Refused: WR_E_CORRUPT (manifest, hash, link), WR_E_CONFLICT (a gap, a fork, another
 * engine's key, a receipt_id that is there already), WR_E_LOCKED (an engine writes there). Doing it
 * again does nothing. */
WR_CHECKED int wr_import(const wr_import_opts *opts, wr_import_report *out, wr_err *err);
void wr_import_free(wr_import_report *r);
json_t *wr_import_json(const wr_import_report *r);

/* ---- ids that occur twice ---- */

typedef struct wr_id_place {
	char file[256]; /* as found below the path */
	int64_t line, byte, seq;
	char chain[128];
} wr_id_place;

typedef struct wr_duplicate {
	char receipt_id[WR_UUID_LEN];
	bool same; /* the same receipt once more; else two receipts with one id (equivocation) */
	wr_id_place first, again;
} wr_duplicate;

typedef struct wr_duplicates_report {
	int64_t receipts, unreadable; /* lines */
	int64_t duplicates, equivocations;
} wr_duplicates_report;

/* wr_duplicates calls found for each receipt_id that occurs again under path (a ledger, a chain's
 * directory or a file). Memory stays under 64 MiB whatever the size: large ledgers are read more
 * than twice. */
WR_CHECKED int wr_duplicates(const char *path, wr_duplicates_report *out,
                             void (*found)(void *ctx, const wr_duplicate *d), void *ctx,
                             wr_err *err);

#endif
