/* note.h: signed notes, checkpoints and cosignatures, as C2SP specifies them (c2sp.org/signed-note,
 * /tlog-checkpoint, /tlog-cosignature). Pure but for the engine key's file.
 *
 * A checkpoint's text is three lines: origin, tree size in decimal, base64 of the root. Origin and
 * key name are "<prefix>/<chain>", as "acme/us-central1/ops". */
#ifndef WARROOM_NOTE_H
#define WARROOM_NOTE_H

#include "warroom/hash.h"

#define WR_NOTE_MAX       (16u << 10)
#define WR_NOTE_SIGS_MAX  16
#define WR_NOTE_NAME_MAX  255
#define WR_ED25519_PUBLIC 32

typedef enum wr_note_alg {
	WR_NOTE_ED25519 = 0x01,    /* over the text */
	WR_NOTE_COSIGNATURE = 0x04 /* cosignature/v1: Ed25519 over a header with a time, and the text */
} wr_note_alg;

/* Who may have signed: a verifier key, "name+hash+base64(alg || key)". */
typedef struct wr_note_key {
	char name[WR_NOTE_NAME_MAX + 1];
	wr_note_alg alg;
	uint8_t public_key[WR_ED25519_PUBLIC];
	uint8_t id[4]; /* SHA-256(name || "\n" || alg || public key), its first 4 bytes */
} wr_note_key;

WR_CHECKED int wr_note_key_make(wr_note_key *out, const char *name, wr_note_alg alg,
                                const uint8_t public_key[static WR_ED25519_PUBLIC], wr_err *err);
WR_CHECKED int wr_note_key_parse(wr_note_key *out, const char *text, wr_err *err);
void wr_note_key_format(wr_buf *out, const wr_note_key *k);

/* An engine's signing key, in locked memory. Owned by whoever loaded it. */
typedef struct wr_engine_key wr_engine_key;
/* wr_engine_key_load reads the key file (0600; hex seed), making it if `create` and missing.
 * wr_engine_key_public gives the raw public key. */
WR_CHECKED wr_engine_key *wr_engine_key_load(const char *path, bool create, const wr_random *random,
                                             wr_err *err);
const uint8_t *wr_engine_key_public(const wr_engine_key *k); /* 32 bytes */
void wr_engine_key_free(wr_engine_key *k);                   /* wiped; NULL is fine */
/* wr_engine_pub_read reads <ledger_dir>/engine.pub. */
WR_CHECKED int wr_engine_pub_read(const char *ledger_dir, uint8_t out[static WR_ED25519_PUBLIC],
                                  wr_err *err);

/* wr_note_sign appends `text` (ends in a newline), an empty line and one signature line.
 * wr_note_cosign appends one more line, a cosignature/v1 of `name` at wall second `time`, to a
 * whole note. */
WR_CHECKED int wr_note_sign(wr_buf *out, const char *text, const char *name, const wr_engine_key *k,
                            wr_err *err);
WR_CHECKED int wr_note_cosign(wr_buf *note, const char *name, const wr_engine_key *k, int64_t time,
                              wr_err *err);

typedef struct wr_note_sig {
	char name[WR_NOTE_NAME_MAX + 1];
	uint8_t id[4];
	uint8_t data[128]; /* the first of them: more than that is of a kind that is not known here */
	size_t len;
} wr_note_sig;
typedef struct wr_note {
	const char *text; /* into what was parsed, its last newline included */
	size_t text_len;
	size_t sig_count;
	wr_note_sig sigs[WR_NOTE_SIGS_MAX];
} wr_note;
/* wr_note_parse checks form alone. wr_note_verify: did `key` sign it? `time` (may be NULL) gets a
 * cosignature's, the latest of several. A line of another key is ignored, one of this name and id
 * that does not verify is an error (WR_E_DENIED); WR_E_NOT_FOUND: there is no line of this key. */
WR_CHECKED int wr_note_parse(wr_note *out, const char *data, size_t len, wr_err *err);
WR_CHECKED int wr_note_verify(const wr_note *n, const wr_note_key *key, int64_t *time, wr_err *err);

typedef struct wr_checkpoint {
	char origin[WR_NOTE_NAME_MAX + 1];
	int64_t size;
	uint8_t root[WR_HASH_LEN];
} wr_checkpoint;
void wr_checkpoint_format(wr_buf *out, const wr_checkpoint *c); /* the note's text */
/* wr_checkpoint_parse reads a note's text; extension lines, of another's log, are passed over. */
WR_CHECKED int wr_checkpoint_parse(wr_checkpoint *out, const char *text, size_t len, wr_err *err);
/* wr_checkpoint_open parses a signed checkpoint and verifies the signature that `public_key` made
 * under the name of its own origin, which must be `origin` if given. */
WR_CHECKED int wr_checkpoint_open(wr_checkpoint *out, const char *data, size_t len,
                                  const char *origin,
                                  const uint8_t public_key[static WR_ED25519_PUBLIC], wr_err *err);
/* wr_checkpoint_sign makes the whole note. */
WR_CHECKED int wr_checkpoint_sign(wr_buf *out, const wr_checkpoint *c, const wr_engine_key *k,
                                  wr_err *err);

#endif
