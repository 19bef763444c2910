/* proof.h: proofs as files, which say of a receipt that a log has it, or of a log that it only
 * grew, to somebody who has nothing else but the log's public key (docs/checkpoints.md); and
 * cosigning.
 *
 * A proof that a receipt is in a tree is a C2SP tlog-proof (c2sp.org/tlog-proof@v1) with the
 * receipt's line as its extra data. One that a tree is the beginning of a larger one has the same
 * form with another first line, "old SIZE" for "index SEQ", and the older signed checkpoint as its
 * extra data; from "old" on it is the body of a request to a C2SP tlog-witness. */
#ifndef WARROOM_PROOF_H
#define WARROOM_PROOF_H

#include "warroom/merkle.h"
#include "warroom/note.h"
#include "warroom/receipt.h"

#define WR_PROOF_MAX (128u << 10) /* the longest receipt in base64, a note, 64 hashes */

typedef enum wr_proof_kind { WR_PROOF_INCLUSION, WR_PROOF_CONSISTENCY } wr_proof_kind;

typedef struct wr_proof_doc {
	wr_proof_kind kind;
	int64_t at; /* the receipt's index; the older tree's size */
	wr_proof path;
	wr_buf extra; /* the receipt's line, without its newline; the older signed checkpoint */
	wr_buf note;  /* the signed checkpoint */
} wr_proof_doc;

void wr_proof_doc_init(wr_proof_doc *d, wr_proof_kind kind);
void wr_proof_doc_free(wr_proof_doc *d);
void wr_proof_format(wr_buf *out, const wr_proof_doc *d);
/* wr_proof_parse checks form alone, and accepts one spelling only. *out is initialised by it, and
 * freed when it fails. */
WR_CHECKED int wr_proof_parse(wr_proof_doc *out, const char *data, size_t len, wr_err *err);

/* A key that is trusted. Of an engine.pub the name is "", any: it signs for every chain of its
 * ledger under that chain's own name; and alg 0, both. */
typedef struct wr_trusted {
	char name[WR_NOTE_NAME_MAX + 1];
	int alg;
	uint8_t public_key[WR_ED25519_PUBLIC];
} wr_trusted;
#define WR_TRUSTED_MAX 16
/* wr_trusted_parse reads lines, each a verifier key or an ssh-ed25519 public key; empty ones and
 * those that begin with # are passed over. */
WR_CHECKED int wr_trusted_parse(wr_trusted *out, size_t *count, const char *text, wr_err *err);

/* Who of the trusted keys signed a note. */
typedef struct wr_signed_by {
	char name[WR_NOTE_NAME_MAX + 1];
	wr_note_alg alg;
	uint8_t public_key[WR_ED25519_PUBLIC];
	int64_t time; /* of a cosignature: wall seconds */
} wr_signed_by;
typedef struct wr_signers_of {
	size_t count, others; /* others: lines of keys that are not trusted, unchecked */
	wr_signed_by items[WR_NOTE_SIGS_MAX];
} wr_signers_of;
/* wr_note_signers: which of the keys signed it? One line of a trusted key that does not verify is
 * an error. */
WR_CHECKED int wr_note_signers(wr_signers_of *out, const wr_note *n, const wr_trusted *keys,
                               size_t key_count, wr_err *err);

/* What a proof shows, as far as it was followed when wr_proof_check fails. */
typedef struct wr_proven {
	bool holds; /* the hashes lead to the checkpoint's root; signatures are another matter */
	wr_receipt receipt; /* into the doc's extra; of an inclusion proof */
	wr_checkpoint old;  /* of a consistency proof */
	wr_checkpoint checkpoint;
	wr_signers_of old_signers, signers;
} wr_proven;
/* wr_proof_check: is everything so that the proof says, and the checkpoint (both) signed by the log
 * with one of the keys? WR_E_CORRUPT: the receipt or the hashes are not right; WR_E_DENIED: a
 * signature is not; WR_E_NOT_FOUND: the log's signature is of none of the keys. */
WR_CHECKED int wr_proof_check(const wr_proof_doc *d, const wr_trusted *keys, size_t key_count,
                              wr_proven *out, wr_err *err);

/* ---- making them, from a chain's directory ---- */

typedef struct wr_prove_progress {
	void (*tell)(void *ctx, int64_t done, int64_t total); /* receipts */
	void *ctx;
} wr_prove_progress;

/* wr_prove_chain finds the chain's directory: `path` itself, or the only chain of the ledger there.
 */
WR_CHECKED int wr_prove_chain(const char *path, char *out, size_t size, wr_err *err);
/* wr_checkpoint_latest reads the signed checkpoint beside a chain's segments, wr_checkpoint_at the
 * one of that tree size, from the receipt that holds it: WR_E_NOT_FOUND if there is none. */
WR_CHECKED int wr_checkpoint_latest(const char *chain_dir, wr_buf *note, wr_err *err);
WR_CHECKED int wr_checkpoint_at(const char *chain_dir, int64_t size, wr_buf *note, wr_err *err);
/* wr_prove_exists: is there a receipt of that number? */
bool wr_prove_exists(const char *chain_dir, int64_t seq);
/* wr_prove_receipt and wr_prove_growth fill a doc from signed checkpoints whose signatures they do
 * not look at. WR_E_NOT_FOUND: the tree ends before, or there is no chain; WR_E_CORRUPT: the
 * receipts are not those that the newer checkpoint was made from; WR_E_CONFLICT: they are, and the
 * older one was made from others (a fork). progress may be NULL. */
WR_CHECKED int wr_prove_receipt(wr_proof_doc *out, const char *chain_dir, int64_t seq,
                                const wr_buf *note, const wr_prove_progress *progress, wr_err *err);
WR_CHECKED int wr_prove_growth(wr_proof_doc *out, const char *chain_dir, const wr_buf *old_note,
                               const wr_buf *note, const wr_prove_progress *progress, wr_err *err);

/* ---- cosigning another engine's checkpoints ---- */

typedef enum wr_cosign_answer {
	WR_COSIGN_DONE,
	WR_COSIGN_UNSIGNED, /* not signed by the log with a trusted key */
	WR_COSIGN_SMALLER,  /* than one that was cosigned already */
	WR_COSIGN_UNPROVEN, /* no proof, or a wrong one, that it goes on from the last one cosigned */
	WR_COSIGN_FORK,     /* the log signed two histories */
	WR_COSIGN_FAILED    /* for a reason that says nothing of the log: state, disk, memory */
} wr_cosign_answer;

typedef struct wr_cosigner {
	const char *state_dir; /* made if missing; what was cosigned last, by origin */
	const char *name;
	const wr_engine_key *key;
	const wr_trusted *log_keys;
	size_t log_key_count;
	int64_t time; /* wall seconds */
	/* prove fills *out with a consistency proof from the last checkpoint cosigned to the new,
	 * larger one; -1: WR_E_CONFLICT if there is none, shown from the log's own receipts, anything
	 * else if it has none to give. */
	int (*prove)(void *ctx, const wr_buf *old_note, const wr_buf *note, wr_proof *out, wr_err *err);
	void *ctx;
} wr_cosigner;

/* wr_cosign appends the cosignature to a signed checkpoint. What it cosigns is durable in the state
 * before the signature is there. Under a lock: cosigners that share a state take turns. When it was
 * shown no consistency, or a fork, both notes are kept in the state: `kept` gets their path without
 * its ending (.old, .new), else "". */
WR_CHECKED wr_cosign_answer wr_cosign(const wr_cosigner *c, wr_buf *note, char *kept,
                                      size_t kept_size, wr_err *err);

#endif
