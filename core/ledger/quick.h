/* quick.h: one receipt line checked at hashing speed: yes or no, and what the chain needs to know.
 *
 * Yes means exactly what wr_receipt_parse with its hash means by WR_RF_OK. No says nothing about
 * why: scan.c is the reference, and gives the place. */
#ifndef WR_LEDGER_QUICK_H
#define WR_LEDGER_QUICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/hash.h"

/* What one thread keeps between lines. */
typedef struct wr_quick {
	const char *chain; /* expected; "": every receipt is of another one */
	size_t chain_len;
	/* found valid last: most receipts are of the same second, and their kinds are few */
	char time[20], operation[64], epoch_text[24];
	size_t operation_len, epoch_len;
	int64_t epoch;
	bool notable, checkpoint;
} wr_quick;

typedef struct wr_quick_line {
	int64_t seq, epoch;
	uint64_t id_high, id_low;
	uint8_t hash[WR_HASH_LEN];
	const char *prev_hex, *hash_hex; /* 64 digits each, in the line */
	bool other_chain;
	bool linked;     /* prev_hash is the hash asked for */
	bool notable;    /* says something about approvals or steps, or is … */
	bool checkpoint; /* … a checkpoint */
} wr_quick_line;

/* wr_quick_check: `hash_hex` is of the receipt before, or NULL. The byte before `line` is written
 * to and put back, so is one in the line; up to WR_QUICK_SLACK bytes behind it may be read. */
#define WR_QUICK_SLACK 128
bool wr_quick_check(wr_quick *q, wr_quick_line *out, char *line, size_t len, const char *hash_hex);

#endif
