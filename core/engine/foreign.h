/* foreign.h: the chains of the platform's own receipts, followed and audited (foreign.c).
 *
 * Each chain has a thread that reads it; results come to the main loop as messages, one at a time
 * for each chain. What is marked `lock` is shared, the rest is of the side that it is listed under.
 */
#ifndef ENGINE_FOREIGN_H
#define ENGINE_FOREIGN_H

#include "engine/engine.h"
#include "warroom/foreign.h"

typedef enum foreign_what { FOREIGN_OK, FOREIGN_BROKEN, FOREIGN_UNREADABLE } foreign_what;
typedef enum foreign_why { WHY_POLL, WHY_START, WHY_DUE, WHY_ASKED } foreign_why;

typedef struct foreign_result {
	size_t chain;
	foreign_what what;
	foreign_why why;
	bool moved;    /* broken only in that what was seen before is not there any more */
	int64_t audit; /* its number; 0: only what was new was read */
	int64_t checked, valid, anomalies, at_us, duration_ms;
	wr_foreign_head head, consistent;
	char kind[16], id[128];
	int64_t seq;
	char text[400];
} foreign_result;

typedef struct follower {
	struct foreign *all;
	const wr_foreign_chain *cfg;
	size_t index, region, signal, fact;
	pthread_t thread;
	/* lock */
	bool asked, forget, pending; /* pending: a result is on its way to the main loop */
	int64_t audits_begun;
	int64_t records; /* of the audit that runs, -1: none runs */
	/* the thread's */
	wr_foreign *live, *deep;
	bool broken, audited;
	int64_t poll_due_ms, audit_due_ms;
	/* the main loop's */
	bool up, heard, said_broken;
	int64_t broken_us, ok_us, rewound_us;
	wr_foreign_head known; /* as the ledger says */
	foreign_result last, last_audit;
	int64_t audits_done;
	json_t *owed; /* an audit's receipt that is not durable yet */
	atomic_bool sending, sending_owed;
} follower;

struct foreign {
	engine *e;
	size_t count;
	pthread_mutex_t lock;
	pthread_cond_t news; /* lock */
	bool stopping;       /* lock */
	follower chains[WR_MAX_FOREIGN];
};

/* foreign_follow.c */
void *follower_main(void *ctx);

#endif
