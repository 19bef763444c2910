/* chain.h: a chain's files, read: its segments, their lines, its high-water mark, and what an
 * unfinished end means. Shared by the store and by verification. Not thread-safe.
 *
 * The mark is the file `head` in the chain's directory, replaced atomically: the number of
 * receipts, where the last of them ends, and its hash, at a moment when all of that was durable.
 * It is written beside the work, some times a second and at close, so it is behind after a crash,
 * never ahead. What is at or before it was durable: if that is missing or damaged, it is damage,
 * never a torn write. It also says from where on opening reads: the Merkle tree of the receipts
 * before, which the signed checkpoint can vouch for.
 *
 * While much is written, the last segment ends in zero bytes: space laid out ahead, which makes
 * syncing cheaper. It is cut when there is less to do; a reader takes zero bytes from the beginning
 * of a line to the end of the file for the end of the file.
 *
 * What is past the mark and not whole is torn only if a write that was cut short can leave it
 * behind: the beginning of a receipt with no newline, or such a beginning followed by zero bytes
 * (pages that never reached the disk). Anything else is corruption.
 * The ambiguity that remains: past the mark, cutting the file inside its last receipts cannot be
 * told from a torn write, nor cutting whole receipts off from their never having been written;
 * and who can write the ledger can write the mark. Signed checkpoints answer both. */
#ifndef WR_LEDGER_CHAIN_H
#define WR_LEDGER_CHAIN_H

#include <limits.h>

#include "ledger/scan.h"
#include "warroom/merkle.h"

#define WR_SEGMENT_NAME_LEN 27 /* 20 digits, ".jsonl", NUL */
#define WR_MARK_NAME        "head"
#define WR_MARK_MAX         ((size_t)8 << 10)
#define WR_CHECKPOINT_NAME  "checkpoint"

void wr_segment_name(char out[static WR_SEGMENT_NAME_LEN], int64_t first_seq);
/* wr_segment_seq reads a segment's name; -1 if it is no segment's name. */
int64_t wr_segment_seq(const char *name);
/* wr_segment_list gives the first seqs of a directory's segments, ascending; free() it. A missing
 * directory has none. */
WR_CHECKED int wr_segment_list(const char *dir, int64_t **seqs, size_t *count, wr_err *err);

/* A receipt to go on from. */
typedef struct wr_resume {
	int64_t seq;     /* 0: there is none */
	int64_t segment; /* where it begins: first seq of the segment, … */
	int64_t at;      /* … byte */
	uint8_t prev_hash[WR_HASH_LEN];
	wr_range tree; /* of all receipts before it */
} wr_resume;

typedef struct wr_mark {
	int64_t count;   /* receipts; 0: there is no mark */
	int64_t segment; /* first seq of the segment that the last of them is in */
	int64_t bytes;   /* where in it that one ends */
	uint8_t hash[WR_HASH_LEN];
	wr_resume resume; /* of a receipt before that end */
} wr_mark;

/* wr_mark_format makes the file's text; wr_mark_read reads the file of a chain's directory: none
 * gives count 0, a damaged one is WR_E_CORRUPT. */
void wr_mark_format(wr_buf *out, const wr_mark *m);
WR_CHECKED int wr_mark_read(const char *dir, wr_mark *out, wr_err *err);

/* The lines of one file, one buffer, whatever the file's size. */
typedef struct wr_lines {
	int fd;
	char *buf;
	size_t start, end; /* what is unread in buf */
	int64_t offset;    /* of buf[start] in the file */
	int64_t number;    /* of the line returned last, from 1 */
	bool eof;
	int64_t limit; /* read no further than this; -1: to the end */
} wr_lines;

typedef struct wr_line {
	const char *text; /* valid until the next call; of an overlong line its first bytes */
	size_t len;       /* of text */
	int64_t at;       /* offset in the file */
	int64_t bytes;    /* in the file, newline included */
	bool ended;       /* by a newline */
	bool overlong;
} wr_line;

WR_CHECKED int wr_lines_open(wr_lines *r, const char *path, int64_t at, int64_t limit, wr_err *err);
/* wr_lines_next: 1 and a line, 0 at the end (or where nothing but zero bytes follows), -1 with
 * *err. */
WR_CHECKED int wr_lines_next(wr_lines *r, wr_line *out, wr_err *err);
void wr_lines_close(wr_lines *r);

/* wr_tail_torn: can the line, past the mark, be what a write that was cut short left behind? */
bool wr_tail_torn(const wr_line *line);

#endif
