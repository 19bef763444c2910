/* merkle.h: the Merkle tree of RFC 6962 (section 2.1) over leaf hashes, as compact ranges, and its
 * proofs. Pure: no clock, file, thread or allocation but the proof's buffer.
 *
 * A receipt's own hash is its leaf hash, SHA-256(0x00 || E); an inner node is
 * SHA-256(0x01 || left || right). A range [begin, end) of leaves is kept as the roots of the
 * largest perfect subtrees that tile it, aligned as in the whole tree, so that ranges computed
 * apart (by threads, from wherever they began) join to one. A range from 0 is a tree: it has a
 * root. */
#ifndef WARROOM_MERKLE_H
#define WARROOM_MERKLE_H

#include "warroom/hash.h"

#define WR_RANGE_NODES 128 /* at most two for each bit of a 63-bit size */
#define WR_PROOF_NODES 64  /* hashes in a proof: one for each level */

typedef struct wr_range {
	int64_t begin, end;
	size_t count;                               /* nodes, left to right */
	uint8_t nodes[WR_RANGE_NODES][WR_HASH_LEN]; /* their sizes follow from begin and end */
} wr_range;

void wr_range_init(wr_range *r, int64_t begin); /* empty: [begin, begin) */
void wr_range_add(wr_range *r, const uint8_t leaf[static WR_HASH_LEN]);
/* wr_range_join appends `next`, which begins where r ends (asserted). */
void wr_range_join(wr_range *r, const wr_range *next);
/* wr_range_root: of a range that begins at 0; of no leaves it is SHA-256 of nothing. */
void wr_range_root(const wr_range *r, uint8_t out[static WR_HASH_LEN]);

/* A proof, as in RFC 6962: the hashes from the lowest level up. */
typedef struct wr_proof {
	size_t count;
	uint8_t nodes[WR_PROOF_NODES][WR_HASH_LEN];
} wr_proof;

/* leaf_at(ctx, i, out) gives leaf hash i: 0, or -1 with its own error said elsewhere. */
typedef int (*wr_leaf_fn)(void *ctx, int64_t index, uint8_t out[static WR_HASH_LEN]);

/* wr_prove_inclusion: PATH(index, D[size]), section 2.1.1; wr_prove_consistency: PROOF(old,
 * D[size]), section 2.1.2 (old >= 1). Leaves are asked for in ascending order, each at most once:
 * those that the proof needs. -1: leaf_at failed. */
WR_CHECKED int wr_prove_inclusion(wr_proof *out, int64_t index, int64_t size, wr_leaf_fn leaf_at,
                                  void *ctx);
WR_CHECKED int wr_prove_consistency(wr_proof *out, int64_t old_size, int64_t size,
                                    wr_leaf_fn leaf_at, void *ctx);
/* The verifications of RFC 9162 sections 2.1.3.2 and 2.1.4.2. old_size 0 is consistent with
 * everything and needs an empty proof. */
bool wr_check_inclusion(const wr_proof *p, int64_t index, int64_t size,
                        const uint8_t leaf[static WR_HASH_LEN],
                        const uint8_t root[static WR_HASH_LEN]);
bool wr_check_consistency(const wr_proof *p, int64_t old_size, int64_t size,
                          const uint8_t old_root[static WR_HASH_LEN],
                          const uint8_t root[static WR_HASH_LEN]);

#endif
