/* chunk.h: some MiB of a chain's file, read and checked by one thread, for pass.c to join. */
#ifndef WR_LEDGER_CHUNK_H
#define WR_LEDGER_CHUNK_H

#include "ledger/pass.h"
#include "ledger/quick.h"

#define WR_CHUNK_SPLITS 48 /* a checkpoint each 256 receipts makes about eight in a MiB */

enum { WR_ROW_UNLINKED = 1, WR_ROW_NOTABLE = 2, WR_ROW_CHECKPOINT = 4 };

/* A good receipt. */
typedef struct wr_row {
	uint64_t id_high, id_low;
	uint32_t at, len; /* in the buffer */
	uint32_t flags;
} wr_row;

typedef struct wr_chunk {
	/* what to read */
	const wr_check *check; /* its chain and mark are read, nothing else */
	const wr_parts *parts;
	size_t part;
	int64_t at, to; /* the lines that begin in [at, to) */
	bool first;     /* of its part */
	bool last;      /* of its part */
	int64_t want;   /* a range ends before this seq; -1 */

	/* the thread's own, kept from chunk to chunk */
	int fd;
	size_t fd_part;
	wr_quick quick;
	char *buf; /* buf[0] is spare: wr_quick_check writes to the byte before a line */
	size_t size;
	wr_row *rows;
	size_t row_cap;
	wr_range *ranges;

	/* what was found */
	int64_t base; /* of buf[1] in the file */
	size_t len;   /* read */
	size_t row_count;
	bool bad;         /* something in it is not as it should be */
	bool begins_good; /* the first line is a good receipt … */
	bool ends_good;   /* … and the last one */
	int64_t first_seq, last_epoch;
	uint8_t last_hash[WR_HASH_LEN];
	size_t range_count; /* each but the first begins at a checkpoint or at `want` */
	bool dense;         /* too many of these: the ranges are worth nothing */
	int64_t tail_at;    /* the file's end is an unfinished line there; -1: it is not */
	int64_t blank_at;   /* from there on, where a line begins, it is all zero bytes; -1 */
} wr_chunk;

WR_CHECKED int wr_chunk_init(wr_chunk *k, size_t chunk_bytes, wr_err *err);
void wr_chunk_free(wr_chunk *k);
/* wr_chunk_read reads and checks; what it finds is no error, but for an I/O error. */
WR_CHECKED int wr_chunk_read(wr_chunk *k, wr_err *err);
/* wr_chunk_hashes gives a row's prev_hash and hash. */
void wr_chunk_hashes(const wr_chunk *k, const wr_row *row, uint8_t prev[static WR_HASH_LEN],
                     uint8_t hash[static WR_HASH_LEN]);

#endif
