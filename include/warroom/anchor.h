/* anchor.h: external timestamps (RFC 3161) of signed checkpoints: what proves to somebody who
 * trusts neither the engine nor its clock that receipts existed before a certain time.
 *
 * What is stamped is the SHA-256 of the checkpoint's note, byte by byte, signatures included. Note,
 * request and response are kept in <chain>/anchors/<size, 20 digits>.{note,tsq,tsr}; the response
 * is written last, so where there is one the others are there too. All but the files is pure. */
#ifndef WARROOM_ANCHOR_H
#define WARROOM_ANCHOR_H

#include <jansson.h>

#include "warroom/note.h"

#define WR_ANCHOR_MAX (64u << 10) /* of a response; those with three certificates have 6 KiB */

typedef struct wr_bytes {
	const void *data;
	size_t len;
} wr_bytes;

/* wr_anchor_request appends a request in DER: version 1, SHA-256, a random nonce, certificates
 * wanted. */
WR_CHECKED int wr_anchor_request(wr_buf *out, wr_bytes note, const wr_random *random, wr_err *err);

/* What a response that holds says. */
typedef struct wr_anchor_proof {
	int64_t time_us;         /* the TSA's time */
	int64_t accuracy_us;     /* ± so much; -1 not said */
	char tsa[256];           /* subject of the certificate that signed; sanitised */
	char policy[128];        /* OID */
	char serial[96];         /* hex */
	char digest[WR_HEX_LEN]; /* SHA-256 of the response's bytes */
} wr_anchor_proof;

/* wr_anchor_check: does the response answer this very request (nonce) over this very note
 * (imprint), signed by a certificate for time stamping that leads to one in `ca_file` (PEM)?
 * Certificates are judged at the time of the stamp, so that an old proof stays one. Responses come
 * from anywhere: WR_E_CORRUPT (no such answer), WR_E_DENIED (the TSA refuses, or is not the one
 * that is trusted), WR_E_CONFLICT (it answers something else). */
WR_CHECKED int wr_anchor_check(wr_anchor_proof *out, wr_bytes note, wr_bytes request,
                               wr_bytes response, const char *ca_file, wr_err *err);

/* wr_anchor_put keeps the three, durably. wr_anchor_last gives the greatest size that is kept in a
 * chain's directory, -1 none. */
WR_CHECKED int wr_anchor_put(const char *chain_dir, int64_t size, wr_bytes note, wr_bytes request,
                             wr_bytes response, wr_err *err);
int64_t wr_anchor_last(const char *chain_dir);

/* ---- offline ---- */

typedef struct wr_anchor_row {
	char file[256]; /* of the response, its name */
	bool ok;        /* stamp and signature hold, and nothing speaks against it */
	bool rooted;    /* the ledger beside it has the anchored root */
	wr_checkpoint checkpoint;
	wr_anchor_proof proof;
	char text[320]; /* what is wrong, or what could not be checked */
} wr_anchor_row;

typedef struct wr_anchor_report {
	wr_anchor_row *rows; /* by size */
	size_t count, failed;
	char chain[128];   /* of the receipts; "" there are none */
	int64_t receipts;  /* that were read for the roots */
	int64_t proven;    /* receipts before this one are proven by some anchor, 0 none */
	int64_t proven_us; /* … to have existed at this time */
} wr_anchor_report;

#define WR_ANCHORS_MAX 100000 /* one an hour for eleven years */

/* wr_anchor_verify checks all anchors under path: a chain's directory, a ledger with one chain, an
 * anchors directory or one .tsr file. The roots are worked out from the receipts beside them,
 * hashed again; the notes' signatures are checked with engine.pub if the ledger has it. 0 with
 * `failed` for what does not hold; -1 if it cannot be read, or there is none (WR_E_NOT_FOUND). */
WR_CHECKED int wr_anchor_verify(const char *path, const char *ca_file, wr_anchor_report *out,
                                wr_err *err);
void wr_anchor_report_free(wr_anchor_report *r);
json_t *wr_anchor_json(const wr_anchor_report *r);

#endif
