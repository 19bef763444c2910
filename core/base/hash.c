/* hash.c: SHA-256 through libcrypto, hex, base64, UUIDv7, the system's randomness.
 *
 * EVP_DigestInit of OpenSSL 3.0 allocates a context each time, which costs a third of hashing a
 * node of the Merkle tree. The older calls of the same library, on a context on the stack, do the
 * same with the same instructions and no more. Thread-safe. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "warroom/hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
	/* Without this, libcrypto tears itself down in exit() under threads that may still use it. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static void begin(SHA256_CTX *ctx)
{
	(void)pthread_once(&once, start);
	if (!SHA256_Init(ctx)) wr_die("SHA-256 failed to start");
}

static void update(SHA256_CTX *ctx, const void *data, size_t len)
{
	if (!SHA256_Update(ctx, data, len)) wr_die("SHA-256 failed");
}

static void finish(SHA256_CTX *ctx, uint8_t out[static WR_HASH_LEN])
{
	if (!SHA256_Final(out, ctx)) wr_die("SHA-256 failed");
}

void wr_sha256(uint8_t out[static WR_HASH_LEN], const void *data, size_t len)
{
	SHA256_CTX ctx;
	begin(&ctx);
	update(&ctx, data, len);
	finish(&ctx, out);
}

void wr_leaf_hash(uint8_t out[static WR_HASH_LEN], const void *data, size_t len)
{
	SHA256_CTX ctx;
	begin(&ctx);
	update(&ctx, "\x00", 1);
	update(&ctx, data, len);
	finish(&ctx, out);
}

void wr_node_hash(uint8_t out[static WR_HASH_LEN], const uint8_t left[static WR_HASH_LEN],
                  const uint8_t right[static WR_HASH_LEN])
{
	uint8_t node[1 + 2 * WR_HASH_LEN];
	node[0] = 0x01;
	memcpy(node + 1, left, WR_HASH_LEN);
	memcpy(node + 1 + WR_HASH_LEN, right, WR_HASH_LEN);
	wr_sha256(out, node, sizeof node);
}

void wr_hex(char *out, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * len] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	return -1;
}

int wr_unhex(uint8_t *out, size_t out_len, const char *hex, size_t hex_len)
{
	if (hex_len % 2 || hex_len / 2 != out_len) return -1;
	for (size_t i = 0; i < out_len; i++) {
		int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);
		if (hi < 0 || lo < 0) return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

void wr_base64(wr_buf *out, const void *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = data;
	for (; len > 0; p += 3) {
		size_t take = len < 3 ? len : 3;
		uint32_t v = (uint32_t)p[0] << 16;
		if (take > 1) v |= (uint32_t)p[1] << 8;
		if (take > 2) v |= p[2];
		char four[4] = {digits[v >> 18], digits[v >> 12 & 63], digits[v >> 6 & 63], digits[v & 63]};
		if (take < 3) four[3] = '=';
		if (take < 2) four[2] = '=';
		wr_buf_add(out, four, sizeof four);
		len -= take;
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z') return c - 'A';
	if (c >= 'a' && c <= 'z') return c - 'a' + 26;
	if (c >= '0' && c <= '9') return c - '0' + 52;
	if (c == '+') return 62;
	if (c == '/') return 63;
	return -1;
}

int wr_unbase64(wr_buf *out, const char *s, size_t len, bool lax, wr_err *err)
{
	uint32_t acc = 0;
	unsigned digits = 0, pads = 0;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		if (lax && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) continue;
		if (c == '=') {
			if (++pads > 2) return wr_fail(err, WR_E_INVALID, "base64: padding at byte %zu", i);
			continue;
		}
		int v = base64_digit(c);
		if (v < 0 || pads > 0)
			return wr_fail(err, WR_E_INVALID, "base64: unexpected byte at %zu", i);
		acc = acc << 6 | (uint32_t)v;
		if (++digits == 4) {
			char three[3] = {(char)(acc >> 16), (char)(acc >> 8), (char)acc};
			wr_buf_add(out, three, sizeof three);
			acc = 0;
			digits = 0;
		}
	}
	if (digits == 0 ? pads != 0 : digits + pads != 4 || digits == 1)
		return wr_fail(err, WR_E_INVALID, "base64: wrong length or padding");
	/* Bits beyond the last byte must be zero, or one value would have several spellings. */
	if ((digits == 2 && acc & 15) || (digits == 3 && acc & 3))
		return wr_fail(err, WR_E_INVALID, "base64: stray bits before the padding");
	if (digits == 2) wr_buf_addc(out, (char)(acc >> 4));
	if (digits == 3) {
		wr_buf_addc(out, (char)(acc >> 10));
		wr_buf_addc(out, (char)(acc >> 2));
	}
	if (!wr_buf_ok(out)) return wr_fail(err, WR_E_LIMIT, "base64: more than %zu bytes", out->max);
	return 0;
}

void wr_uuid7(char out[static WR_UUID_LEN], int64_t wall_us, const uint8_t random[static 10])
{
	uint64_t ms = wall_us > 0 ? (uint64_t)wall_us / 1000 : 0;
	uint8_t id[16];
	for (unsigned i = 0; i < 6; i++) id[i] = (uint8_t)(ms >> (40 - 8 * i));
	memcpy(id + 6, random, 10);
	id[6] = (uint8_t)(0x70 | (id[6] & 0x0F));
	id[8] = (uint8_t)(0x80 | (id[8] & 0x3F));
	char hex[33];
	wr_hex(hex, id, sizeof id);
	static const uint8_t groups[] = {8, 4, 4, 4, 12};
	const char *from = hex;
	for (unsigned g = 0; g < sizeof groups; g++) {
		if (g) *out++ = '-';
		memcpy(out, from, groups[g]);
		out += groups[g];
		from += groups[g];
	}
	*out = '\0';
}

static void system_fill(void *ctx, void *out, size_t len)
{
	(void)ctx;
	if (sodium_init() < 0) wr_die("no randomness: libsodium could not start");
	randombytes_buf(out, len);
}

const wr_random wr_random_system = {.fill = system_fill};

void wr_random_fill(const wr_random *r, void *out, size_t len)
{
	r->fill(r->ctx, out, len);
}
