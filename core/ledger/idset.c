/* idset.c: the hash sets of idset.h. Linear probing, at most 3/4 full. */
#include "ledger/idset.h"

#include <stdlib.h>
#include <string.h>

#include "warroom/hash.h"

/* 100 million receipts: 50 GB of ledger, 4 GB of set. */
#define SLOTS_MAX ((size_t)1 << 27)

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static wr_id *id_slot(const wr_idset *s, uint64_t high, uint64_t low)
{
	size_t i = (size_t)mix(mix(high ^ s->seed) + low) & (s->cap - 1);
	while ((s->slots[i].high || s->slots[i].low) &&
	       (s->slots[i].high != high || s->slots[i].low != low))
		i = (i + 1) & (s->cap - 1);
	return &s->slots[i];
}

static int id_grow(wr_idset *s)
{
	wr_idset bigger = {.cap = s->cap ? s->cap * 2 : 256, .count = s->count, .seed = s->seed};
	if (bigger.cap > SLOTS_MAX) return -1;
	if (s->cap == 0) wr_random_fill(&wr_random_system, &bigger.seed, sizeof bigger.seed);
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots) return -1;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i].high || s->slots[i].low)
			*id_slot(&bigger, s->slots[i].high, s->slots[i].low) = s->slots[i];
	free(s->slots);
	*s = bigger;
	return 0;
}

int wr_idset_add(wr_idset *s, const uint8_t key[static 16], uint64_t *value)
{
	uint64_t high, low;
	memcpy(&high, key, sizeof high);
	memcpy(&low, key + sizeof high, sizeof low);
	WR_ASSERT(high || low);
	if (s->count * 4 >= s->cap * 3 && id_grow(s)) return -1;
	wr_id *slot = id_slot(s, high, low);
	if (slot->high || slot->low) {
		*value = slot->value;
		return 0;
	}
	*slot = (wr_id){.high = high, .low = low, .value = *value};
	s->count++;
	return 1;
}

wr_id *wr_idset_find(const wr_idset *s, const uint8_t key[static 16])
{
	uint64_t high, low;
	memcpy(&high, key, sizeof high);
	memcpy(&low, key + sizeof high, sizeof low);
	if (s->cap == 0) return NULL;
	wr_id *slot = id_slot(s, high, low);
	return slot->high || slot->low ? slot : NULL;
}

void wr_idset_free(wr_idset *s)
{
	free(s->slots);
	*s = (wr_idset){0};
}

uint64_t wr_hash_key(const uint8_t hash[static 32])
{
	uint64_t word[4];
	memcpy(word, hash, sizeof word);
	return word[0] ^ mix(word[1] ^ mix(word[2] ^ mix(word[3])));
}

static uint64_t *key_slot(const wr_keyset *s, uint64_t key)
{
	size_t i = (size_t)mix(key) & (s->cap - 1);
	while (s->slots[i] && s->slots[i] != key) i = (i + 1) & (s->cap - 1);
	return &s->slots[i];
}

static int key_grow(wr_keyset *s)
{
	wr_keyset bigger = {.cap = s->cap ? s->cap * 2 : 256, .count = s->count};
	if (bigger.cap > SLOTS_MAX) return -1;
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots) return -1;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slots[i]) *key_slot(&bigger, s->slots[i]) = s->slots[i];
	free(s->slots);
	*s = bigger;
	return 0;
}

int wr_keyset_add(wr_keyset *s, uint64_t key)
{
	if (key == 0) key = 1; /* 0 is an empty slot */
	if (s->count * 4 >= s->cap * 3 && key_grow(s)) return -1;
	uint64_t *slot = key_slot(s, key);
	if (*slot == 0) s->count++;
	*slot = key;
	return 0;
}

bool wr_keyset_has(const wr_keyset *s, uint64_t key)
{
	return s->cap > 0 && *key_slot(s, key ? key : 1) != 0;
}

void wr_keyset_free(wr_keyset *s)
{
	free(s->slots);
	*s = (wr_keyset){0};
}
