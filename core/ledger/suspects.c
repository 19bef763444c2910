/* suspects.c: see suspects.h. The ids of the latest millisecond are in a small table that is
 * emptied by counting its round on; what does not fit there is a suspect. */
#include "ledger/suspects.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS   4096 /* of one millisecond: a writer makes some dozens */
#define PROBES  32
#define MS_BITS 16 /* an id's first half is 48 bits of milliseconds, and these */

typedef struct slot {
	uint64_t high, low, round;
} slot;

struct wr_suspects {
	size_t max;
	bool too_many;
	uint64_t ms, round;
	wr_idset ids;
	wr_keyset parents;
	slot slots[SLOTS];
};

wr_suspects *wr_suspects_new(size_t max)
{
	wr_suspects *s = calloc(1, sizeof *s);
	if (s) s->max = max;
	return s;
}

void wr_suspects_free(wr_suspects *s)
{
	if (!s) return;
	wr_idset_free(&s->ids);
	wr_keyset_free(&s->parents);
	free(s);
}

bool wr_suspects_id(wr_suspects *s, uint64_t high, uint64_t low)
{
	uint64_t ms = high >> MS_BITS;
	if (ms < s->ms) return true;
	if (ms > s->ms || s->round == 0) {
		s->ms = ms;
		s->round++;
	}
	size_t at = (size_t)((low ^ high) * UINT64_C(0x9e3779b97f4a7c15) >> 52);
	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % SLOTS) {
		slot *t = &s->slots[at];
		if (t->round != s->round) {
			*t = (slot){.high = high, .low = low, .round = s->round};
			return false;
		}
		if (t->high == high && t->low == low) return true;
	}
	return true;
}

static void id_bytes(uint8_t out[static 16], uint64_t high, uint64_t low)
{
	for (unsigned i = 0; i < 8; i++) {
		out[i] = (uint8_t)(high >> (56 - 8 * i));
		out[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
}

void wr_suspects_keep(wr_suspects *s, uint64_t high, uint64_t low,
                      const uint8_t prev[static WR_HASH_LEN],
                      const uint8_t hash[static WR_HASH_LEN])
{
	uint8_t id[16];
	uint64_t none = 0;
	if (s->too_many) return;
	id_bytes(id, high, low);
	s->too_many = s->ids.count >= s->max || s->parents.count + 2 > 2 * s->max ||
	              wr_idset_add(&s->ids, id, &none) < 0 ||
	              wr_keyset_add(&s->parents, wr_hash_key(prev)) ||
	              wr_keyset_add(&s->parents, wr_hash_key(hash));
}

int wr_suspects_add_id(wr_suspects *s, const uint8_t id[static 16])
{
	uint64_t none = 0;
	return wr_idset_add(&s->ids, id, &none) < 0 ? -1 : 0;
}

int wr_suspects_add_parent(wr_suspects *s, uint64_t key)
{
	return wr_keyset_add(&s->parents, key);
}

bool wr_suspects_full(const wr_suspects *s)
{
	return s->ids.count >= s->max || s->parents.count >= s->max;
}

void wr_suspects_clear(wr_suspects *s)
{
	wr_idset_free(&s->ids);
	wr_keyset_free(&s->parents);
	s->too_many = false;
}

bool wr_suspects_any(const wr_suspects *s)
{
	return s->ids.count > 0 || s->parents.count > 0 || s->too_many;
}

bool wr_suspects_too_many(const wr_suspects *s)
{
	return s->too_many;
}

wr_id *wr_suspects_find(wr_suspects *s, const uint8_t id[static 16])
{
	return wr_idset_find(&s->ids, id);
}

bool wr_suspects_parent(const wr_suspects *s, uint64_t key)
{
	return wr_keyset_has(&s->parents, key);
}
