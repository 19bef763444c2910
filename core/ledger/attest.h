/* attest.h: the checkpoints of one chain against its receipts: the tree is built along, each root
 * is compared, and signatures are verified. Not thread-safe.
 *
 * A signature and a root that hold vouch for every receipt before them, the earlier checkpoints
 * among them. So while nothing is wrong not each signature of a long chain is verified: the first
 * few hundred, then one every few thousand receipts, and the last. If one of these does not hold,
 * the chain is read again and each is verified. */
#ifndef WR_LEDGER_ATTEST_H
#define WR_LEDGER_ATTEST_H

#include "warroom/merkle.h"
#include "warroom/note.h"
#include "warroom/receipt.h"

#define WR_CHECKPOINT_NAME      "checkpoint"
#define WR_CHECKPOINT_OPERATION "checkpoint_signed"

/* Where a checkpoint was found, for what is said of it. */
typedef struct wr_attest_place {
	int64_t seq, line, byte;
} wr_attest_place;

typedef struct wr_attest {
	/* set before the first receipt */
	bool have_key, need_key; /* need_key: no key is a fault, not only a lack */
	char no_key[200];        /* why there is none */
	uint8_t key[WR_ED25519_PUBLIC];
	bool each;          /* verify each signature */
	bool have_file;     /* the chain's file `checkpoint`, its signature verified */
	wr_checkpoint file; /* its size is where its root must be */

	bool known;    /* the tree is that of all receipts so far */
	bool diverged; /* a false root was said already */
	wr_range tree;
	int64_t last;        /* last attested seq, -1 none */
	int64_t checkpoints; /* roots that hold */
	int64_t unchecked;
	int64_t signatures;  /* verified */
	int64_t signed_size; /* of the latest of these */
	bool again;          /* a signature that was left out does not hold: read again with `each` */
	bool pending;        /* the latest checkpoint's signature is not verified yet: */
	int64_t pending_size;
	wr_buf pending_note;
} wr_attest;

#endif
