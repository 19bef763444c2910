/* idset.h: which receipt ids and which parents a chain has had: two open-addressing hash sets,
 * seeded, so that nobody can choose ids that collide. Not thread-safe. */
#ifndef WR_LEDGER_IDSET_H
#define WR_LEDGER_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/err.h"

/* 16-byte keys (never all zero), each with a value: 24 bytes an entry. */
typedef struct wr_id {
	uint64_t high, low, value;
} wr_id;

typedef struct wr_idset {
	wr_id *slots;
	size_t cap, count;
	uint64_t seed;
} wr_idset;

/* wr_idset_add: 1 if it was new; 0 if it was there, then *value is what it had; -1 no memory. */
WR_CHECKED int wr_idset_add(wr_idset *s, const uint8_t key[static 16], uint64_t *value);
/* wr_idset_find: the key's entry, until the next addition, or NULL. */
wr_id *wr_idset_find(const wr_idset *s, const uint8_t key[static 16]);
void wr_idset_free(wr_idset *s);

/* wr_hash_key: 64 bits that every byte of a hash has part in. */
uint64_t wr_hash_key(const uint8_t hash[static 32]);

/* Plain 64-bit keys, of hashes. */
typedef struct wr_keyset {
	uint64_t *slots;
	size_t cap, count;
} wr_keyset;

WR_CHECKED int wr_keyset_add(wr_keyset *s, uint64_t key); /* 0, -1 no memory */
bool wr_keyset_has(const wr_keyset *s, uint64_t key);
void wr_keyset_free(wr_keyset *s);

#endif
