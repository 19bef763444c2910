/* draft.h: a receipt to be, serialised once.
 *
 * What a caller knows is checked and written in the caller's thread; what only the chain knows
 * (prev_hash, receipt_id, seq, timestamp) is put into its places by whoever puts the receipt into
 * the chain, which costs one copy and one hash. Pure. */
#ifndef WR_LEDGER_DRAFT_H
#define WR_LEDGER_DRAFT_H

#include "warroom/receipt.h"

/* What a draft cannot know. */
typedef struct wr_link {
	int64_t seq;
	const char *time;         /* WR_TIME_LEN - 1 characters */
	const char *receipt_id;   /* WR_UUID_LEN - 1 characters */
	const uint8_t *prev_hash; /* WR_HASH_LEN bytes */
} wr_link;

typedef struct wr_draft {
	char *text; /* E, with room at the four places, but no digits of seq; free() it */
	size_t len;
	size_t prev_at, id_at, seq_at, time_at; /* in text; all but time_at before seq */
	bool ends;                              /* it ends an operation */
} wr_draft;

/* wr_draft_make refuses what cannot be a receipt, whatever its place in the chain. actor: unless
 * the fields have one. */
WR_CHECKED int wr_draft_make(wr_draft *out, const char *actor, const char *chain, int64_t epoch,
                             const json_t *fields, wr_err *err);
void wr_draft_free(wr_draft *d);
/* wr_draft_room: the line is not longer, newline included. wr_draft_write gives its length; out
 * has room for it. */
size_t wr_draft_room(const wr_draft *d);
size_t wr_draft_write(const wr_draft *d, const wr_link *link, char *out,
                      uint8_t hash[static WR_HASH_LEN]);

#endif
