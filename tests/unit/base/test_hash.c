/* test_hash.c: SHA-256, hex, base64, UUIDv7 against published vectors. */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/hash.h"

static void expect_hash(const uint8_t hash[WR_HASH_LEN], const char *hex)
{
	char text[WR_HEX_LEN];
	wr_hex(text, hash, WR_HASH_LEN);
	assert_string_equal(text, hex);
}

static void test_sha256_vectors(void **state)
{
	(void)state;
	uint8_t hash[WR_HASH_LEN];
	/* FIPS 180-4 examples. */
	wr_sha256(hash, "", 0);
	expect_hash(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	wr_sha256(hash, NULL, 0);
	expect_hash(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	wr_sha256(hash, "abc", 3);
	expect_hash(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	wr_sha256(hash, two, strlen(two));
	expect_hash(hash, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	char *million = malloc(1000000);
	assert_non_null(million);
	memset(million, 'a', 1000000);
	wr_sha256(hash, million, 1000000);
	free(million);
	expect_hash(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_merkle_hashes(void **state)
{
	(void)state;
	/* RFC 6962: the hash of an empty leaf, of a leaf and of a node, as in its test vectors. */
	uint8_t leaf[WR_HASH_LEN], other[WR_HASH_LEN], node[WR_HASH_LEN], plain[WR_HASH_LEN];
	wr_leaf_hash(leaf, "", 0);
	expect_hash(leaf, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
	wr_leaf_hash(other, "\x00", 1);
	expect_hash(other, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
	wr_node_hash(node, leaf, other);
	expect_hash(node, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");

	wr_sha256(plain,
	          "\x00"
	          "abc",
	          4);
	wr_leaf_hash(leaf, "abc", 3);
	assert_memory_equal(plain, leaf, WR_HASH_LEN);
}

typedef struct hasher {
	uint64_t seed;
	unsigned wrong;
} hasher;

static void *hash_many(void *arg)
{
	hasher *h = arg;
	uint8_t joined[129] = {0}, a[WR_HASH_LEN], b[WR_HASH_LEN];
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = random_below(&h->seed, sizeof joined - 1);
		for (size_t k = 1; k <= n; k++) joined[k] = (uint8_t)next_random(&h->seed);
		wr_leaf_hash(a, joined + 1, n);
		wr_sha256(b, joined, n + 1);
		h->wrong += memcmp(a, b, WR_HASH_LEN) != 0;
	}
	return NULL;
}

static void test_threads_hash_alike(void **state)
{
	(void)state;
	pthread_t threads[4];
	hasher hashers[4];
	for (unsigned i = 0; i < 4; i++) {
		hashers[i] = (hasher){.seed = i};
		assert_int_equal(pthread_create(&threads[i], NULL, hash_many, &hashers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(hashers[i].wrong, 0);
	}
}

static void test_hex(void **state)
{
	(void)state;
	uint8_t bytes[4] = {0x00, 0x9f, 0xa0, 0xff}, back[4];
	char text[9];
	wr_hex(text, bytes, 4);
	assert_string_equal(text, "009fa0ff");
	assert_int_equal(wr_unhex(back, 4, text, 8), 0);
	assert_memory_equal(back, bytes, 4);
	assert_int_equal(wr_unhex(back, 0, "", 0), 0);

	assert_int_equal(wr_unhex(back, 4, "009FA0FF", 8), -1);
	assert_int_equal(wr_unhex(back, 4, "009fa0f", 7), -1);
	assert_int_equal(wr_unhex(back, 4, "009fa0ff0", 9), -1);
	assert_int_equal(wr_unhex(back, 3, "009fa0ff", 8), -1);
	assert_int_equal(wr_unhex(back, 4, "009fa0fg", 8), -1);
	assert_int_equal(wr_unhex(back, 4, "009fa0 f", 8), -1);
	assert_int_equal(wr_unhex(back, 4, "0x9fa0ff", 8), -1);
}

static void expect_base64(const char *plain, const char *encoded)
{
	wr_buf b = WR_BUF_INIT(64);
	wr_err err;
	wr_base64(&b, plain, strlen(plain));
	assert_string_equal(wr_buf_cstr(&b), encoded);
	wr_buf_reset(&b);
	assert_int_equal(wr_unbase64(&b, encoded, strlen(encoded), false, &err), 0);
	assert_string_equal(wr_buf_cstr(&b), plain);
	wr_buf_free(&b);
}

static void test_base64_vectors(void **state)
{
	(void)state;
	/* RFC 4648 section 10. */
	expect_base64("", "");
	expect_base64("f", "Zg==");
	expect_base64("fo", "Zm8=");
	expect_base64("foo", "Zm9v");
	expect_base64("foob", "Zm9vYg==");
	expect_base64("fooba", "Zm9vYmE=");
	expect_base64("foobar", "Zm9vYmFy");
	expect_base64("\xfb\xff\xbf", "+/+/");
}

static void test_base64_refuses(void **state)
{
	(void)state;
	static const char *const bad[] = {
	    "Z",    "Zg",    "Zg=",    "Zg===", "Zm9",    "Zm9v=",    "=",
	    "==",   "====",  "Zh==",   "Zm9=",  "Zg==Zg", "Zm9vYg=Y", "Zm9-",
	    "Zm9_", "Zm 9v", "Zm9v\n", "Z===",  "Zg==\n", "Zm9v\x80", "Zg=\n=",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		wr_buf b = WR_BUF_INIT(64);
		wr_err err;
		assert_fails(wr_unbase64(&b, bad[i], strlen(bad[i]), false, &err), WR_E_INVALID, &err);
		wr_buf_free(&b);
	}
	wr_buf b = WR_BUF_INIT(64);
	wr_err err;
	assert_fails(wr_unbase64(&b, "Zm9v\0Zm9v", 9, true, &err), WR_E_INVALID, &err);
	wr_buf_free(&b);
	wr_buf_init(&b, 2);
	assert_fails(wr_unbase64(&b, "Zm9v", 4, false, &err), WR_E_LIMIT, &err);
	wr_buf_free(&b);
}

static void test_base64_lax_skips_space(void **state)
{
	(void)state;
	wr_buf b = WR_BUF_INIT(64);
	wr_err err;
	const char *spaced = " Zm9v\r\nYg\t=\n=\n";
	assert_int_equal(wr_unbase64(&b, spaced, strlen(spaced), true, &err), 0);
	assert_string_equal(wr_buf_cstr(&b), "foob");
	assert_fails(wr_unbase64(&b, "Zm9v\vYg==", 9, true, &err), WR_E_INVALID, &err);
	wr_buf_free(&b);
}

static void test_base64_round_trip(void **state)
{
	(void)state;
	uint64_t seed = 7;
	for (unsigned round = 0; round < 300; round++) {
		uint8_t data[100];
		size_t n = random_below(&seed, sizeof data);
		for (size_t i = 0; i < n; i++) data[i] = (uint8_t)next_random(&seed);
		wr_buf text = WR_BUF_INIT(200), back = WR_BUF_INIT(200);
		wr_err err;
		wr_base64(&text, data, n);
		assert_int_equal(text.len, (n + 2) / 3 * 4);
		assert_int_equal(wr_unbase64(&back, wr_buf_cstr(&text), text.len, false, &err), 0);
		assert_int_equal(back.len, n);
		assert_memory_equal(wr_buf_cstr(&back), data, n);
		wr_buf_free(&text);
		wr_buf_free(&back);
	}
}

static void test_uuid7(void **state)
{
	(void)state;
	/* RFC 9562 appendix A.6: 2022-02-22T19:22:22Z, rand_a CC3, rand_b 18C4DC0C0C07398F. */
	const uint8_t random[10] = {0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F};
	char id[WR_UUID_LEN];
	wr_uuid7(id, INT64_C(1645557742000) * 1000, random);
	assert_string_equal(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
	const uint8_t ones[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	wr_uuid7(id, -5, ones);
	assert_string_equal(id, "00000000-0000-7fff-bfff-ffffffffffff");
}

static void test_uuid7_sorts_by_time(void **state)
{
	(void)state;
	uint8_t random[10];
	char before[WR_UUID_LEN] = "", id[WR_UUID_LEN];
	for (int64_t ms = 1; ms < (INT64_C(1) << 47); ms = ms * 3 + 1) {
		wr_random_fill(&wr_random_system, random, sizeof random);
		wr_uuid7(id, ms * 1000 + 999, random);
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, sizeof id);
	}
}

static void test_system_random_differs(void **state)
{
	(void)state;
	uint8_t a[32] = {0}, b[32] = {0};
	wr_random_fill(&wr_random_system, a, sizeof a);
	wr_random_fill(&wr_random_system, b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sha256_vectors),
	    cmocka_unit_test(test_merkle_hashes),
	    cmocka_unit_test(test_threads_hash_alike),
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_base64_vectors),
	    cmocka_unit_test(test_base64_refuses),
	    cmocka_unit_test(test_base64_lax_skips_space),
	    cmocka_unit_test(test_base64_round_trip),
	    cmocka_unit_test(test_uuid7),
	    cmocka_unit_test(test_uuid7_sorts_by_time),
	    cmocka_unit_test(test_system_random_differs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
