/* seal.h: our own sealed key file, for operators without an SSH key.
 *
 * A text file, JSON: {"v":1,"principal":…,"public_key":"ssh-ed25519 AAAA…","kdf":"argon2id13",
 * "opslimit":N,"memlimit":BYTES,"salt":b64,"nonce":b64,"sealed":b64}; the Ed25519 seed (32 bytes)
 * is sealed with XChaCha20-Poly1305 under Argon2id(passphrase, salt); the public key line is the
 * additional data. Costs in the file are capped (opslimit <= 10, memlimit <= 1 GiB). Mode 0600. */
#ifndef WARROOM_SEAL_H
#define WARROOM_SEAL_H

#include "warroom/buf.h"
#include "warroom/sshsig.h"

/* A secret key in locked memory (sodium_malloc). */
typedef struct wr_secret wr_secret;
void wr_secret_free(wr_secret *s);                  /* wipes; NULL is fine */
const uint8_t *wr_secret_bytes(const wr_secret *s); /* 64 bytes for wr_sshsig_sign */

typedef enum wr_seal_cost { WR_SEAL_INTERACTIVE, WR_SEAL_MODERATE } wr_seal_cost;

/* wr_seal_new makes a random key pair and appends the file's text to *out. `principal` must be a
 * wr_name_ok name; an empty passphrase is refused. Uses 64 MiB (interactive) or 256 MiB (moderate)
 * of memory for some tenths of a second. */
WR_CHECKED int wr_seal_new(wr_buf *out, wr_pubkey *pub, const char *principal,
                           const char *passphrase, size_t passphrase_len, wr_seal_cost cost,
                           wr_err *err);
/* wr_seal_open: WR_E_DENIED on a wrong passphrase (or a changed file: they cannot be told apart),
 * WR_E_LIMIT on costs over the caps, before any work. principal: 64 bytes. Free the result. */
WR_CHECKED wr_secret *wr_seal_open(const char *text, size_t len, const char *passphrase,
                                   size_t passphrase_len, char principal[static 64], wr_pubkey *pub,
                                   wr_err *err);
/* wr_seal_public reads only the public part (principal, key). */
WR_CHECKED int wr_seal_public(const char *text, size_t len, char principal[static 64],
                              wr_pubkey *pub, wr_err *err);

#endif
