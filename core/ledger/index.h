/* index.h: where receipts begin in a chain's segments.
 *
 * The names of the segments say what each begins with; within a segment every WR_INDEX_EVERYth
 * receipt has an entry. The segment being written has its entries from the beginning; of the others
 * a few are kept, made when somebody reads there. So memory does not grow with the ledger, but for
 * eight bytes a segment. Not thread-safe: whoever has it locks. */
#ifndef WR_LEDGER_INDEX_H
#define WR_LEDGER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/err.h"

#define WR_INDEX_EVERY 256
#define WR_INDEX_KEPT  8 /* segments: 4 KiB each at 500 bytes a receipt */

typedef struct wr_index_part {
	int64_t segment; /* first seq; -1: nothing here */
	int64_t *at;     /* at[k]: where receipt segment + k * WR_INDEX_EVERY begins */
	size_t count, cap;
	uint64_t used; /* when, in lookups */
} wr_index_part;

typedef struct wr_index {
	int64_t *segments; /* first seqs, ascending */
	size_t count, cap;
	wr_index_part last;
	wr_index_part kept[WR_INDEX_KEPT];
	uint64_t lookups;
} wr_index;

void wr_index_init(wr_index *x);
void wr_index_free(wr_index *x);
/* wr_index_reserve makes room for `more` receipts, and as many segments. The others cannot fail
 * then. */
WR_CHECKED int wr_index_reserve(wr_index *x, size_t more, wr_err *err);
void wr_index_segment(wr_index *x, int64_t first); /* a new last segment */
void wr_index_drop(wr_index *x);                   /* the last segment, which has no receipts */
void wr_index_add(wr_index *x, int64_t seq, int64_t at);
/* wr_index_segments takes over a list of segments (wr_segment_list's); the last has no entries. */
void wr_index_take(wr_index *x, int64_t *segments, size_t count);
/* wr_index_find: the segment that holds seq, its successor (-1: it is the last), and the best entry
 * at or before seq. False: the segment's entries are not here (then the entry is its beginning). */
bool wr_index_find(wr_index *x, int64_t seq, int64_t *segment, int64_t *next, int64_t *from_seq,
                   int64_t *from_at);
/* wr_index_keep takes over a part that wr_index_scan made. */
void wr_index_keep(wr_index *x, wr_index_part *part);
/* wr_index_scan makes the entries of a segment's file up to byte `end` (-1: all of it), and counts
 * its lines. Reads only; free(out->at). */
WR_CHECKED int wr_index_scan(wr_index_part *out, const char *path, int64_t segment, int64_t end,
                             int64_t *lines, wr_err *err);

#endif
