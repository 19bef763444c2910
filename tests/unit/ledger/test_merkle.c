/* test_merkle.c: the Merkle tree of RFC 6962: the vectors of the certificate-transparency project,
 * a plain recursive definition beside ours, and every flipped bit of many proofs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "warroom/merkle.h"

#define TREE_MAX  70 /* every size up to this */
#define FLIPS_MAX 20 /* every bit up to this size, some of them beyond */

static uint8_t leaves[TREE_MAX][WR_HASH_LEN];

static uint64_t chance = 7;

static uint64_t next(void)
{
	uint64_t z = (chance += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int leaf_at(void *ctx, int64_t index, uint8_t out[static WR_HASH_LEN])
{
	int64_t *last = ctx;
	assert_true(index >= 0 && index < TREE_MAX);
	if (last) {
		assert_true(index > *last); /* ascending, each once */
		*last = index;
	}
	memcpy(out, leaves[index], WR_HASH_LEN);
	return 0;
}

static void hex_is(const uint8_t hash[static WR_HASH_LEN], const char *expected)
{
	char hex[WR_HEX_LEN];
	wr_hex(hex, hash, WR_HASH_LEN);
	assert_string_equal(hex, expected);
}

/* MTH of RFC 6962, word for word. */
static void mth(size_t begin, size_t end, uint8_t out[static WR_HASH_LEN])
{
	uint8_t left[WR_HASH_LEN], right[WR_HASH_LEN];
	size_t k = 1;
	if (begin == end) {
		wr_sha256(out, "", 0);
		return;
	}
	if (end - begin == 1) {
		memcpy(out, leaves[begin], WR_HASH_LEN);
		return;
	}
	while (k * 2 < end - begin) k *= 2;
	mth(begin, begin + k, left);
	mth(begin + k, end, right);
	wr_node_hash(out, left, right);
}

static void add(wr_range *r, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) wr_range_add(r, leaves[i]);
}

static int random_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < TREE_MAX; i++)
		for (size_t b = 0; b < WR_HASH_LEN; b++) leaves[i][b] = (uint8_t)next();
	return 0;
}

/* ---- the vectors of certificate-transparency ---- */

static const char *const ct_leaves[] = {"",
                                        "00",
                                        "10",
                                        "2021",
                                        "3031",
                                        "40414243",
                                        "5051525354555657",
                                        "606162636465666768696a6b6c6d6e6f"};
static const char *const ct_roots[] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
static const struct {
	int64_t index, size;
	const char *hashes[4];
} ct_inclusion[] = {{0, 1, {NULL}},
                    {0,
                     8,
                     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
                    {5,
                     8,
                     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
                    {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
                    {1,
                     5,
                     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};
static const struct {
	int64_t old_size, size;
	const char *hashes[4];
} ct_consistency[] = {{1, 1, {NULL}},
                      {1,
                       8,
                       {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
                      {6,
                       8,
                       {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
                      {2,
                       5,
                       {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}}};

static int ct_setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < 8; i++) {
		uint8_t data[16];
		size_t n = strlen(ct_leaves[i]) / 2;
		if (wr_unhex(data, n, ct_leaves[i], 2 * n)) return -1;
		wr_leaf_hash(leaves[i], data, n);
	}
	return 0;
}

static void proof_is(const wr_proof *p, const char *const *hashes)
{
	size_t n = 0;
	while (hashes[n]) n++;
	assert_int_equal(p->count, n);
	for (size_t i = 0; i < n; i++) hex_is(p->nodes[i], hashes[i]);
}

static void ct_vectors(void **state)
{
	(void)state;
	wr_range r;
	wr_proof p;
	uint8_t roots[9][WR_HASH_LEN];
	wr_range_init(&r, 0);
	for (size_t i = 0; i <= 8; i++) {
		wr_range_root(&r, roots[i]);
		hex_is(roots[i], ct_roots[i]);
		if (i < 8) wr_range_add(&r, leaves[i]);
	}
	for (size_t i = 0; i < sizeof ct_inclusion / sizeof *ct_inclusion; i++) {
		int64_t index = ct_inclusion[i].index, size = ct_inclusion[i].size;
		assert_int_equal(wr_prove_inclusion(&p, index, size, leaf_at, NULL), 0);
		proof_is(&p, ct_inclusion[i].hashes);
		assert_true(wr_check_inclusion(&p, index, size, leaves[index], roots[size]));
	}
	for (size_t i = 0; i < sizeof ct_consistency / sizeof *ct_consistency; i++) {
		int64_t old = ct_consistency[i].old_size, size = ct_consistency[i].size;
		assert_int_equal(wr_prove_consistency(&p, old, size, leaf_at, NULL), 0);
		proof_is(&p, ct_consistency[i].hashes);
		assert_true(wr_check_consistency(&p, old, size, roots[old], roots[size]));
	}
}

/* ---- ranges ---- */

static void roots_of_every_size(void **state)
{
	(void)state;
	wr_range r;
	uint8_t root[WR_HASH_LEN], expected[WR_HASH_LEN];
	wr_range_init(&r, 0);
	for (size_t n = 0; n <= TREE_MAX; n++) {
		wr_range_root(&r, root);
		mth(0, n, expected);
		assert_memory_equal(root, expected, WR_HASH_LEN);
		if (n < TREE_MAX) wr_range_add(&r, leaves[n]);
	}
}

static void same_range(const wr_range *a, const wr_range *b)
{
	assert_int_equal(a->begin, b->begin);
	assert_int_equal(a->end, b->end);
	assert_int_equal(a->count, b->count);
	assert_memory_equal(a->nodes, b->nodes, a->count * WR_HASH_LEN);
}

/* Cut anywhere, in any number of pieces, joined in any order: the same. */
static void joins(void **state)
{
	(void)state;
	for (size_t begin = 0; begin < TREE_MAX; begin++)
		for (size_t end = begin; end <= TREE_MAX; end++) {
			wr_range whole, left, right;
			size_t cut = begin + next() % (end - begin + 1);
			wr_range_init(&whole, (int64_t)begin);
			wr_range_init(&left, (int64_t)begin);
			wr_range_init(&right, (int64_t)cut);
			add(&whole, begin, end);
			add(&left, begin, cut);
			add(&right, cut, end);
			wr_range_join(&left, &right);
			same_range(&whole, &left);
		}
	for (int round = 0; round < 500; round++) {
		wr_range pieces[8], whole;
		size_t at = 0, count = 1 + next() % 8;
		for (size_t i = 0; i < count; i++) {
			size_t to = i + 1 == count ? TREE_MAX : at + next() % (TREE_MAX - at + 1);
			wr_range_init(&pieces[i], (int64_t)at);
			add(&pieces[i], at, to);
			at = to;
		}
		while (count > 1) {
			size_t i = next() % (count - 1);
			wr_range_join(&pieces[i], &pieces[i + 1]);
			memmove(&pieces[i + 1], &pieces[i + 2], (count - i - 2) * sizeof *pieces);
			count--;
		}
		wr_range_init(&whole, 0);
		add(&whole, 0, TREE_MAX);
		same_range(&whole, &pieces[0]);
	}
}

/* Far from the beginning, where the numbers are large. */
static void far_out(void **state)
{
	(void)state;
	static const int64_t begins[] = {(INT64_C(1) << 62) - 3, INT64_MAX - 71,
	                                 (INT64_C(1) << 40) + 1};
	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
		wr_range whole, left, right;
		wr_range_init(&whole, begins[i]);
		wr_range_init(&left, begins[i]);
		add(&whole, 0, 70);
		add(&left, 0, 33);
		wr_range_init(&right, left.end);
		add(&right, 33, 70);
		wr_range_join(&left, &right);
		same_range(&whole, &left);
	}
}

/* ---- proofs ---- */

static void flipped_inclusion(wr_proof *p, int64_t i, int64_t n, const uint8_t *root)
{
	size_t bits = p->count * WR_HASH_LEN * 8;
	uint8_t *bytes = &p->nodes[0][0];
	size_t step = n <= FLIPS_MAX ? 1 : 61;
	for (size_t b = 0; b < bits; b += step) {
		bytes[b / 8] = (uint8_t)(bytes[b / 8] ^ 1u << b % 8);
		assert_false(wr_check_inclusion(p, i, n, leaves[i], root));
		bytes[b / 8] = (uint8_t)(bytes[b / 8] ^ 1u << b % 8);
	}
}

static void inclusion(void **state)
{
	(void)state;
	uint8_t root[WR_HASH_LEN], other[WR_HASH_LEN];
	for (int64_t n = 1; n <= TREE_MAX; n++)
		for (int64_t i = 0; i < n; i++) {
			wr_proof p;
			int64_t last = -1;
			mth(0, (size_t)n, root);
			assert_int_equal(wr_prove_inclusion(&p, i, n, leaf_at, &last), 0);
			assert_true(wr_check_inclusion(&p, i, n, leaves[i], root));
			flipped_inclusion(&p, i, n, root);
			memcpy(other, root, WR_HASH_LEN);
			other[31] ^= 1;
			assert_false(wr_check_inclusion(&p, i, n, leaves[i], other));
			memcpy(other, leaves[i], WR_HASH_LEN);
			other[0] ^= 0x80;
			assert_false(wr_check_inclusion(&p, i, n, other, root));
			/* For no other index, shorter, longer, or beyond. */
			for (int64_t j = 0; j < n; j++)
				assert_true(j == i || !wr_check_inclusion(&p, j, n, leaves[i], root));
			assert_false(wr_check_inclusion(&p, n, n, leaves[i], root));
			assert_false(wr_check_inclusion(&p, -1, n, leaves[i], root));
			assert_false(wr_check_inclusion(&p, i, 0, leaves[i], root));
			memcpy(p.nodes[p.count++], other, WR_HASH_LEN);
			assert_false(wr_check_inclusion(&p, i, n, leaves[i], root));
			if (p.count < 2) continue;
			p.count -= 2;
			assert_false(wr_check_inclusion(&p, i, n, leaves[i], root));
		}
}

static void flipped_consistency(wr_proof *p, int64_t old, int64_t n, uint8_t roots[2][WR_HASH_LEN])
{
	size_t bits = p->count * WR_HASH_LEN * 8;
	uint8_t *bytes = &p->nodes[0][0];
	size_t step = n <= FLIPS_MAX ? 1 : 61;
	for (size_t b = 0; b < bits; b += step) {
		bytes[b / 8] = (uint8_t)(bytes[b / 8] ^ 1u << b % 8);
		assert_false(wr_check_consistency(p, old, n, roots[0], roots[1]));
		bytes[b / 8] = (uint8_t)(bytes[b / 8] ^ 1u << b % 8);
	}
	for (size_t b = 0; b < WR_HASH_LEN * 8; b += step)
		for (size_t which = 0; which < 2; which++) {
			uint8_t *byte = &roots[which][b / 8];
			*byte = (uint8_t)(*byte ^ 1u << b % 8);
			assert_false(wr_check_consistency(p, old, n, roots[0], roots[1]));
			*byte = (uint8_t)(*byte ^ 1u << b % 8);
		}
}

static void consistency(void **state)
{
	(void)state;
	uint8_t roots[2][WR_HASH_LEN];
	for (int64_t n = 1; n <= TREE_MAX; n++)
		for (int64_t old = 1; old <= n; old++) {
			wr_proof p;
			int64_t last = -1;
			mth(0, (size_t)old, roots[0]);
			mth(0, (size_t)n, roots[1]);
			assert_int_equal(wr_prove_consistency(&p, old, n, leaf_at, &last), 0);
			assert_true(wr_check_consistency(&p, old, n, roots[0], roots[1]));
			flipped_consistency(&p, old, n, roots);
			assert_false(wr_check_consistency(&p, n + 1, n, roots[0], roots[1]));
			assert_false(wr_check_consistency(&p, -1, n, roots[0], roots[1]));
			memcpy(p.nodes[p.count++], leaves[0], WR_HASH_LEN);
			assert_false(wr_check_consistency(&p, old, n, roots[0], roots[1]));
			if (p.count < 2) continue;
			p.count -= 2;
			assert_false(wr_check_consistency(&p, old, n, roots[0], roots[1]));
		}
}

static void from_nothing(void **state)
{
	(void)state;
	wr_proof p = {0};
	assert_true(wr_check_consistency(&p, 0, 5, leaves[0], leaves[1]));
	assert_true(wr_check_consistency(&p, 0, 0, leaves[0], leaves[0]));
	assert_false(wr_check_consistency(&p, 0, 0, leaves[0], leaves[1]));
	p.count = 1;
	assert_false(wr_check_consistency(&p, 0, 5, leaves[0], leaves[1]));
	p.count = WR_PROOF_NODES + 1;
	assert_false(wr_check_consistency(&p, 3, 5, leaves[0], leaves[1]));
	assert_false(wr_check_inclusion(&p, 3, 5, leaves[0], leaves[1]));
}

static int failing_leaf(void *ctx, int64_t index, uint8_t out[static WR_HASH_LEN])
{
	int64_t *fails_at = ctx;
	memset(out, 0, WR_HASH_LEN);
	return index >= *fails_at ? -1 : 0;
}

static void a_leaf_that_cannot_be_read(void **state)
{
	(void)state;
	wr_proof p;
	for (int64_t at = 0; at < 40; at++) {
		assert_int_equal(wr_prove_inclusion(&p, 0, 41, failing_leaf, &at), -1);
		assert_int_equal(wr_prove_consistency(&p, 3, 41, failing_leaf, &at), -1);
	}
}

int main(void)
{
	const struct CMUnitTest vectors[] = {cmocka_unit_test(ct_vectors)};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roots_of_every_size),
	    cmocka_unit_test(joins),
	    cmocka_unit_test(far_out),
	    cmocka_unit_test(inclusion),
	    cmocka_unit_test(consistency),
	    cmocka_unit_test(from_nothing),
	    cmocka_unit_test(a_leaf_that_cannot_be_read),
	};
	int failed = cmocka_run_group_tests(vectors, ct_setup, NULL);
	return failed + cmocka_run_group_tests(tests, random_leaves, NULL);
}
