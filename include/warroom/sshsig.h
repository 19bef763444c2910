/* sshsig.h: OpenSSH signatures (PROTOCOL.sshsig) and who may make them (allowed_signers).
 *
 * Accepts ssh-ed25519 and sk-ssh-ed25519@openssh.com (user presence required); everything else is
 * refused by name. Verification is libsodium's crypto_sign_verify_detached. Pure but for the
 * signers' file reader. */
#ifndef WARROOM_SSHSIG_H
#define WARROOM_SSHSIG_H

#include <stdbool.h>
#include <stdint.h>

#include "warroom/buf.h"

#define WR_NS_APPROVAL     "warroom-approval"
#define WR_FINGERPRINT_LEN 52 /* "SHA256:" + 43 base64 characters + NUL, rounded up */

typedef struct wr_pubkey {
	uint8_t ed25519[32];
	bool sk;                              /* FIDO */
	char application[64];                 /* of an sk key, "ssh:" … */
	char fingerprint[WR_FINGERPRINT_LEN]; /* as ssh-keygen -l prints it */
} wr_pubkey;

typedef struct wr_sshsig {
	wr_pubkey key;
	char ns[64];
	char hash[8]; /* "sha512" or "sha256" */
	uint8_t sig[64];
	uint8_t sk_flags; /* 0x01 user present, 0x04 verified */
	uint32_t sk_counter;
} wr_sshsig;

/* wr_sshsig_parse takes the armoured text ("-----BEGIN SSH SIGNATURE-----" …) or the bare base64.
 */
WR_CHECKED int wr_sshsig_parse(wr_sshsig *out, const char *text, size_t len, wr_err *err);
/* wr_sshsig_verify: is `sig` a signature of [msg, msg+len) in namespace `ns` by the key inside it?
 */
WR_CHECKED int wr_sshsig_verify(const wr_sshsig *sig, const char *ns, const void *msg, size_t len,
                                wr_err *err);
/* wr_sshsig_sign writes an armoured SSHSIG made with a libsodium secret key (64 bytes), sha512. */
WR_CHECKED int wr_sshsig_sign(wr_buf *armoured, const uint8_t secret[static 64], const char *ns,
                              const void *msg, size_t len, wr_err *err);
/* wr_pubkey_parse parses "ssh-ed25519 AAAA… comment" (one line, a newline may follow);
 * wr_pubkey_format appends it without comment or newline. wr_pubkey_from_ed25519 checks nothing: it
 * is for keys that we made. */
WR_CHECKED int wr_pubkey_parse(wr_pubkey *out, const char *line, wr_err *err);
void wr_pubkey_format(wr_buf *out, const wr_pubkey *key);
void wr_pubkey_from_ed25519(wr_pubkey *out, const uint8_t public_key[static 32]);

/* allowed_signers (ssh-keygen(1)): principals (comma-separated patterns; only literal names are
 * accepted by us, one entry each), options cert-authority (refused), namespaces= (a pattern list,
 * as OpenSSH matches it), valid-after= and valid-before= (inclusive; UTC only: "20260125Z",
 * "202601251240Z", "20260125124015Z"), key. */
typedef struct wr_signer {
	char principal[64];
	wr_pubkey key;
	bool any_namespace;
	char namespaces[256];                    /* comma-separated when not any */
	int64_t valid_after_us, valid_before_us; /* 0: open */
	unsigned line;
} wr_signer;

typedef struct wr_signers {
	wr_signer *items;
	size_t count;
} wr_signers;

WR_CHECKED int wr_signers_parse(wr_signers *out, const char *text, size_t len, const char *name,
                                wr_err *err); /* errors give name:line */
void wr_signers_free(wr_signers *s);
/* wr_signers_find: the entry for principal and key, valid at `at_us` for `ns`; else NULL and *err
 * says which of these failed (unknown principal, key not theirs, expired, namespace). */
const wr_signer *wr_signers_find(const wr_signers *s, const char *principal, const wr_pubkey *key,
                                 const char *ns, int64_t at_us, wr_err *err);
/* wr_signers_same_key: the first entry that holds `key` under another principal, or NULL. One key
 * under two names is legal in the file, but one person must not be able to approve twice: callers
 * refuse it. The point alone is compared, so that a FIDO and a plain entry of one key are the same.
 */
const wr_signer *wr_signers_same_key(const wr_signers *s, const wr_pubkey *key,
                                     const char *other_than_principal);

#endif
