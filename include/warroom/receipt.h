/* receipt.h: one receipt: its bytes, its hash, its fields (DESIGN.md section 6). Pure.
 *
 *   line = E without its closing brace + ,"hash":"<64 hex>"} + \n ;  hash = SHA-256(0x00 || E)
 * A wr_receipt is a view into a line that somebody else owns; it copies nothing. */
#ifndef WARROOM_RECEIPT_H
#define WARROOM_RECEIPT_H

#include <jansson.h>
#include <stdint.h>

#include "warroom/buf.h"
#include "warroom/hash.h"
#include "warroom/limits.h"

typedef struct wr_field {
	const char *key; /* not terminated */
	size_t key_len;
	const char *raw; /* the value's canonical JSON, quotes included */
	size_t raw_len;
} wr_field;

typedef struct wr_receipt {
	const char *line;
	size_t len; /* without the newline */
	wr_field fields[WR_RECEIPT_FIELDS_MAX];
	size_t field_count;
	int64_t seq, epoch, timestamp_us;
	uint8_t prev_hash[WR_HASH_LEN];
	uint8_t hash[WR_HASH_LEN]; /* as stored */
	char operation[64];
	char receipt_id[WR_UUID_LEN];
	char chain[128];
} wr_receipt;

typedef enum wr_receipt_fault {
	WR_RF_OK,
	WR_RF_NOT_CANONICAL, /* not JSON of our subset, or not flat */
	WR_RF_ENVELOPE,      /* a required field missing or of the wrong form */
	WR_RF_HASH           /* the stored hash is not the hash of E */
} wr_receipt_fault;

/* wr_receipt_parse checks form and, if `check_hash`, the hash; on a fault *err says what and at
 * which byte. */
wr_receipt_fault wr_receipt_parse(wr_receipt *out, const char *line, size_t len, bool check_hash,
                                  wr_err *err);
const wr_field *wr_receipt_field(const wr_receipt *r, const char *key);
/* wr_receipt_str copies a string field, unescaped, cut to size; false (and "") if absent or no
 * string. */
bool wr_receipt_str(const wr_receipt *r, const char *key, char *out, size_t size);
int64_t wr_receipt_int(const wr_receipt *r, const char *key, int64_t dflt);
bool wr_receipt_bool(const wr_receipt *r, const char *key, bool dflt);
json_t *wr_receipt_json(const wr_receipt *r); /* the whole as an object, new reference */

typedef struct wr_envelope {
	const char *actor; /* principal, or "engine:<observer>" */
	const char *chain; /* "us-central1/ops" */
	int64_t epoch, seq, timestamp_us;
	const uint8_t *prev_hash; /* 32 bytes */
	const char *receipt_id;
} wr_envelope;

/* wr_receipt_write makes the line (with newline) from an envelope and a draft: a flat object
 * holding "operation", optional "incident", and the operation's own fields (strings, integers,
 * booleans). The envelope's names are refused in a draft, except that "actor" in a draft wins over
 * the envelope's. hash_out gets the leaf hash. */
WR_CHECKED int wr_receipt_write(wr_buf *line, uint8_t hash_out[static WR_HASH_LEN],
                                const wr_envelope *env, const json_t *draft, wr_err *err);

#endif
