/* merkle.c: the Merkle tree of RFC 6962 as compact ranges, and its proofs. See merkle.h.
 *
 * A node is known by its level and its place on it: node i of level l covers the leaves
 * [i << l, (i + 1) << l). A range holds its nodes from left to right; the sizes grow, then shrink,
 * and follow from begin and end alone. Pure. */
#include "warroom/merkle.h"

#include <string.h>

void wr_range_init(wr_range *r, int64_t begin)
{
	WR_ASSERT(begin >= 0);
	r->begin = r->end = begin;
	r->count = 0;
}

/* The next node, of that level, at the range's end; it is merged with those before it for as long
 * as it is a right child whose whole sibling is in the range. */
static void push(wr_range *r, unsigned level, const uint8_t *node)
{
	uint8_t hash[WR_HASH_LEN];
	int64_t index = r->end >> level;
	WR_ASSERT(r->end <= INT64_MAX - ((int64_t)1 << level));
	memcpy(hash, node, WR_HASH_LEN);
	r->end += (int64_t)1 << level;
	while (index & 1 && (index - 1) << level >= r->begin) {
		wr_node_hash(hash, r->nodes[--r->count], hash);
		index >>= 1;
		level++;
	}
	WR_ASSERT(r->count < WR_RANGE_NODES);
	memcpy(r->nodes[r->count++], hash, WR_HASH_LEN);
}

void wr_range_add(wr_range *r, const uint8_t leaf[static WR_HASH_LEN])
{
	push(r, 0, leaf);
}

/* The level of the largest perfect subtree that begins at `at` and ends by `end`. */
static unsigned level_at(int64_t at, int64_t end)
{
	unsigned fits = 63 - (unsigned)__builtin_clzll((unsigned long long)(end - at));
	unsigned aligned = at ? (unsigned)__builtin_ctzll((unsigned long long)at) : fits;
	return aligned < fits ? aligned : fits;
}

void wr_range_join(wr_range *r, const wr_range *next)
{
	WR_ASSERT(next->begin == r->end);
	for (size_t i = 0; i < next->count; i++) push(r, level_at(r->end, next->end), next->nodes[i]);
	WR_ASSERT(r->end == next->end);
}

/* The root over a range's nodes: the hash of its leaves as a tree of their own, if the range
 * begins where a subtree of at least its size does. */
static void fold(const wr_range *r, uint8_t out[static WR_HASH_LEN])
{
	if (r->count == 0) {
		wr_sha256(out, "", 0);
		return;
	}
	memcpy(out, r->nodes[r->count - 1], WR_HASH_LEN);
	for (size_t i = r->count - 1; i-- > 0;) wr_node_hash(out, r->nodes[i], out);
}

void wr_range_root(const wr_range *r, uint8_t out[static WR_HASH_LEN])
{
	WR_ASSERT(r->begin == 0);
	fold(r, out);
}

/* ---- proofs ---- */

/* The subtrees whose hashes make a proof, from the root down. */
typedef struct cut {
	int64_t begin, end;
	bool right; /* of what the proof is about */
} cut;

typedef struct cuts {
	size_t count;
	cut items[WR_PROOF_NODES];
} cuts;

static void add_cut(cuts *c, int64_t begin, int64_t end, bool right)
{
	WR_ASSERT(c->count < WR_PROOF_NODES);
	c->items[c->count++] = (cut){.begin = begin, .end = end, .right = right};
}

/* The largest power of two below n, n > 1. */
static int64_t split(int64_t n)
{
	return (int64_t)1 << (63 - (unsigned)__builtin_clzll((unsigned long long)(n - 1)));
}

static int hash_cut(const cut *c, uint8_t *out, wr_leaf_fn leaf_at, void *ctx)
{
	wr_range r;
	uint8_t leaf[WR_HASH_LEN];
	wr_range_init(&r, c->begin);
	for (int64_t i = c->begin; i < c->end; i++) {
		if (leaf_at(ctx, i, leaf)) return -1;
		wr_range_add(&r, leaf);
	}
	fold(&r, out);
	return 0;
}

/* From the root down, what is on the left comes in ascending order; what is on the right in
 * descending order, and after all of it. The proof lists them from the lowest level up. */
static int hash_cuts(const cuts *c, wr_proof *out, wr_leaf_fn leaf_at, void *ctx)
{
	out->count = c->count;
	for (size_t i = 0; i < c->count; i++)
		if (!c->items[i].right &&
		    hash_cut(&c->items[i], out->nodes[c->count - 1 - i], leaf_at, ctx))
			return -1;
	for (size_t i = c->count; i-- > 0;)
		if (c->items[i].right && hash_cut(&c->items[i], out->nodes[c->count - 1 - i], leaf_at, ctx))
			return -1;
	return 0;
}

int wr_prove_inclusion(wr_proof *out, int64_t index, int64_t size, wr_leaf_fn leaf_at, void *ctx)
{
	cuts c = {0};
	int64_t begin = 0, end = size;
	WR_ASSERT(index >= 0 && index < size);
	while (end - begin > 1) {
		int64_t middle = begin + split(end - begin);
		if (index < middle) {
			add_cut(&c, middle, end, true);
			end = middle;
		} else {
			add_cut(&c, begin, middle, false);
			begin = middle;
		}
	}
	return hash_cuts(&c, out, leaf_at, ctx);
}

int wr_prove_consistency(wr_proof *out, int64_t old_size, int64_t size, wr_leaf_fn leaf_at,
                         void *ctx)
{
	cuts c = {0};
	int64_t begin = 0, end = size;
	WR_ASSERT(old_size >= 1 && old_size <= size);
	while (old_size < end) {
		int64_t middle = begin + split(end - begin);
		if (old_size <= middle) {
			add_cut(&c, middle, end, true);
			end = middle;
		} else {
			add_cut(&c, begin, middle, false);
			begin = middle;
		}
	}
	/* The old tree's own root is known to whoever checks. */
	if (begin > 0) add_cut(&c, begin, end, false);
	return hash_cuts(&c, out, leaf_at, ctx);
}

/* ---- their verification: RFC 9162, whose names fn and sn are kept ---- */

bool wr_check_inclusion(const wr_proof *p, int64_t index, int64_t size,
                        const uint8_t leaf[static WR_HASH_LEN],
                        const uint8_t root[static WR_HASH_LEN])
{
	uint8_t r[WR_HASH_LEN];
	if (index < 0 || index >= size || p->count > WR_PROOF_NODES) return false;
	int64_t fn = index, sn = size - 1;
	memcpy(r, leaf, WR_HASH_LEN);
	for (size_t i = 0; i < p->count; i++) {
		if (sn == 0) return false;
		if (fn & 1 || fn == sn) {
			wr_node_hash(r, p->nodes[i], r);
			for (; fn != 0 && !(fn & 1); fn >>= 1) sn >>= 1;
		} else {
			wr_node_hash(r, r, p->nodes[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(r, root, WR_HASH_LEN) == 0;
}

bool wr_check_consistency(const wr_proof *p, int64_t old_size, int64_t size,
                          const uint8_t old_root[static WR_HASH_LEN],
                          const uint8_t root[static WR_HASH_LEN])
{
	uint8_t fr[WR_HASH_LEN], sr[WR_HASH_LEN];
	if (old_size < 0 || old_size > size || p->count > WR_PROOF_NODES) return false;
	if (old_size == size) return p->count == 0 && memcmp(old_root, root, WR_HASH_LEN) == 0;
	if (old_size == 0) return p->count == 0;
	bool perfect = (old_size & (old_size - 1)) == 0;
	if (p->count == 0) return false;
	const uint8_t *first = perfect ? old_root : p->nodes[0];
	int64_t fn = old_size - 1, sn = size - 1;
	for (; fn & 1; fn >>= 1) sn >>= 1;
	memcpy(fr, first, WR_HASH_LEN);
	memcpy(sr, first, WR_HASH_LEN);
	for (size_t i = perfect ? 0 : 1; i < p->count; i++) {
		if (sn == 0) return false;
		if (fn & 1 || fn == sn) {
			wr_node_hash(fr, p->nodes[i], fr);
			wr_node_hash(sr, p->nodes[i], sr);
			for (; fn != 0 && !(fn & 1); fn >>= 1) sn >>= 1;
		} else {
			wr_node_hash(sr, sr, p->nodes[i]);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, old_root, WR_HASH_LEN) == 0 && memcmp(sr, root, WR_HASH_LEN) == 0;
}
