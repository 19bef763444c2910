/* hash.h: SHA-256 (libcrypto's EVP, fetched once: libsodium 1.0.18 has no SHA-NI), hex and base64.
 */
#ifndef WARROOM_HASH_H
#define WARROOM_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "warroom/buf.h"
#include "warroom/err.h"

#define WR_HASH_LEN 32
#define WR_HEX_LEN  65 /* 64 digits + NUL */

void wr_sha256(uint8_t out[static WR_HASH_LEN], const void *data, size_t len);
/* wr_leaf_hash = SHA-256(0x00 || data), the RFC 6962 leaf hash. Thread-safe. */
void wr_leaf_hash(uint8_t out[static WR_HASH_LEN], const void *data, size_t len);
void wr_node_hash(uint8_t out[static WR_HASH_LEN], const uint8_t left[static WR_HASH_LEN],
                  const uint8_t right[static WR_HASH_LEN]); /* SHA-256(0x01 || l || r) */
void wr_hex(char *out, const uint8_t *data, size_t len);    /* out: 2*len + 1 bytes */
WR_CHECKED int wr_unhex(uint8_t *out, size_t out_len, const char *hex,
                        size_t hex_len); /* lower case only */
void wr_base64(wr_buf *out, const void *data, size_t len);
/* Strict standard base64 with padding; white space is skipped when `lax`. */
WR_CHECKED int wr_unbase64(wr_buf *out, const char *s, size_t len, bool lax, wr_err *err);
/* wr_uuid7 per RFC 9562: 48 bits of Unix milliseconds, then 74 of the 10 random bytes given. */
#define WR_UUID_LEN 37
void wr_uuid7(char out[static WR_UUID_LEN], int64_t wall_us, const uint8_t random[static 10]);

/* Randomness as a capability. */
typedef struct wr_random {
	void (*fill)(void *ctx, void *out, size_t len);
	void *ctx;
} wr_random;
extern const wr_random wr_random_system; /* libsodium's randombytes */
void wr_random_fill(const wr_random *r, void *out, size_t len);

#endif
