/* pass.h: a chain read once at hashing speed by several threads. It says that the chain is clean,
 * or that it is not, which is for check.c to name; either way it finds the suspects.
 *
 * The files are cut in chunks; a line belongs to the chunk that it begins in. Each thread takes the
 * next chunk, reads it, checks every line's form, hash, seq and link, builds the tree over its
 * hashes, then waits until it is this chunk's turn to be joined to what came before. So there is
 * one buffer for each thread, nothing is queued, and what needs the chain's order (links between
 * chunks, ids, checkpoints, approvals) runs in one thread at a time. */
#ifndef WR_LEDGER_PASS_H
#define WR_LEDGER_PASS_H

#include "ledger/check.h"

/* What is to be read of a chain: its files, with the sizes that they had at one moment. */
typedef struct wr_part {
	int64_t segment; /* first seq by its name, -1: it has no such name */
	int64_t size;
} wr_part;

typedef struct wr_parts {
	char dir[PATH_MAX];
	const char *single; /* the name of the one file, if it is no segment of a directory */
	wr_part *items;
	size_t count;
	int64_t at, line; /* where to begin in the first: byte, and lines before it */
	bool known;       /* … and the receipt before that: the next seq, and its hash */
	int64_t seq;
	uint8_t tip[WR_HASH_LEN];
	const char *ledger_dir;
} wr_parts;

WR_CHECKED int wr_part_path(const wr_parts *p, size_t i, char out[static PATH_MAX], wr_err *err);
const char *wr_part_name(const wr_parts *p, size_t i, char out[static WR_SEGMENT_NAME_LEN]);
/* wr_part_live: is somebody writing to it? What came since the sizes were taken is somebody at
 * work. */
bool wr_part_live(const wr_parts *p, size_t i);
/* wr_past_mark: everything up to the mark was once durable: no torn end there. */
bool wr_past_mark(const wr_check *c, int64_t at);

typedef struct wr_pass_opts {
	unsigned threads;
	size_t chunk_bytes;
	const atomic_bool *cancel;
	void (*progress)(void *ctx, int64_t more);
	void *ctx;
} wr_pass_opts;

/* wr_pass takes a checker that is at its beginning. If *clean, the checker and its report are as
 * if it had read every line; if not, both are worth nothing, and the suspects are what the careful
 * reading needs. */
WR_CHECKED int wr_pass(wr_check *c, const wr_parts *parts, const wr_pass_opts *opts,
                       wr_suspects *suspects, bool *clean, wr_err *err);

#endif
