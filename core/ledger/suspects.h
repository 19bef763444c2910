/* suspects.h: which receipt ids and parents may occur twice in a chain, found out in bounded memory
 * while reading it once.
 *
 * An id is a UUIDv7, so ids rise with time: one that occurs again comes when a later millisecond
 * was seen already, or in the same one. Only such ids are kept. A parent that has two children has
 * one that does not follow it immediately, unless the parent's own id is a suspect: so the parents
 * of receipts that are out of line, and of suspects, are kept. Looking ids and parents up among
 * these alone gives the same answers as keeping them all. Not thread-safe. */
#ifndef WR_LEDGER_SUSPECTS_H
#define WR_LEDGER_SUSPECTS_H

#include "ledger/idset.h"
#include "warroom/hash.h"

typedef struct wr_suspects wr_suspects;

WR_CHECKED wr_suspects *wr_suspects_new(size_t max); /* of each kind; NULL: out of memory */
void wr_suspects_free(wr_suspects *s);
/* wr_suspects_id takes the ids in the chain's order: true if this one may have been there before.
 */
bool wr_suspects_id(wr_suspects *s, uint64_t high, uint64_t low);
/* wr_suspects_keep keeps a receipt's id, and both hashes as parents. */
void wr_suspects_keep(wr_suspects *s, uint64_t high, uint64_t low,
                      const uint8_t prev[static WR_HASH_LEN],
                      const uint8_t hash[static WR_HASH_LEN]);
/* For who knows by other means which they are: -1 is out of memory, full is `max` of one kind. */
WR_CHECKED int wr_suspects_add_id(wr_suspects *s, const uint8_t id[static 16]);
WR_CHECKED int wr_suspects_add_parent(wr_suspects *s, uint64_t key);
bool wr_suspects_full(const wr_suspects *s);
void wr_suspects_clear(wr_suspects *s);
bool wr_suspects_any(const wr_suspects *s);
/* wr_suspects_too_many: it was more than may be kept; then these answers are worth nothing. */
bool wr_suspects_too_many(const wr_suspects *s);
/* wr_suspects_find: the id's entry, its value the caller's, 0 at first; NULL: it occurs once. */
wr_id *wr_suspects_find(wr_suspects *s, const uint8_t id[static 16]);
bool wr_suspects_parent(const wr_suspects *s, uint64_t key);

#endif
