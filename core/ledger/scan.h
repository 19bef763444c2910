/* scan.h: the one-pass scanner of receipt lines. */
#ifndef WR_LEDGER_SCAN_H
#define WR_LEDGER_SCAN_H

#include "warroom/receipt.h"

/* ,"hash":"<64 hex>"} less the brace that E has as well */
#define WR_HASH_TAIL (sizeof ",\"hash\":\"\"" - 1 + 64)
#define WR_LINE_MAX  (WR_RECEIPT_MAX + WR_HASH_TAIL) /* without the newline */

typedef struct wr_scan {
	size_t count;    /* fields found, "hash" among them as the last */
	size_t hash_at;  /* where E's closing brace would be: the comma before "hash" */
	size_t at;       /* where it stopped; n if the line is only too short */
	const char *why; /* what is wrong there; NULL if nothing */
} wr_scan;

/* wr_scan_line: is [s, s+n) a flat canonical object that ends in "hash"? Fills fields. */
bool wr_scan_line(const char *s, size_t n, wr_field fields[static WR_RECEIPT_FIELDS_MAX],
                  wr_scan *out);
/* wr_scan_prefix: could [s, s+n) be the beginning of a receipt line, or a whole one without its
 * newline? This is what a write that was cut short leaves behind; a changed byte is not. */
bool wr_scan_prefix(const char *s, size_t n);
/* wr_scan_leaf hashes E of a line that scans. */
void wr_scan_leaf(uint8_t out[static WR_HASH_LEN], const char *line, size_t len);
/* wr_scan_unescape appends the text of a canonical JSON string (quotes included in raw) to out,
 * cut at a code point to size-1 bytes. */
void wr_scan_unescape(const char *raw, size_t raw_len, char *out, size_t size);

#endif
