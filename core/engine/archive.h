/* archive.h: what the daily exports and the time stamps share: two threads, each with its own job,
 * and what of it the state shows. */
#ifndef ENGINE_ARCHIVE_H
#define ENGINE_ARCHIVE_H

#include "engine/engine.h"

/* One of the two. All of it: nap_lock. */
typedef struct duty {
	int64_t wanted, runs; /* asked for by people; done, for whatever reason, whether it worked */
	bool running;
	int64_t next_us;   /* when it is due; 0 unknown yet */
	int64_t done_us;   /* when it worked last; 0 never */
	int64_t upto;      /* receipts before this one are exported, or stamped */
	int64_t retry_ms;  /* monotonic: not before this, after a failure */
	int failures;      /* in a row */
	int64_t failed_us; /* when that began; 0: it works */
	char failure[256];
	char what[128];     /* the last export's name; who stamped */
	int64_t stamped_us; /* the last stamp's time */
	pthread_t thread;   /* the main thread's own */
	bool up;
} duty;

struct archive {
	pthread_mutex_t *lock; /* nap_lock, for those who only read the engine */
	duty exports, stamps;
	int64_t began_us; /* of the first receipt; nap_lock, like the next */
	int64_t news;     /* seq of the last receipt that is about anything else than this; -1 */
};

/* duty_wait sleeps until the duty is due by time (`due` tells when, in wall time, and is asked with
 * nap_lock held), asked for, or the engine stops: false. */
bool duty_wait(engine *e, duty *d, int64_t (*due)(engine *e, int64_t now_us));
/* duty_end takes down how it went: err NULL, it worked. True when that is news (works again, fails
 * for another reason). */
bool duty_end(engine *e, duty *d, const wr_err *err);
/* duty_later: there was nothing to do; it is not looked at again before ms are over. */
void duty_later(engine *e, duty *d, int64_t ms);
/* duty_nap: false when the engine stops. ms 0 only asks. For struct callbacks: ctx is the engine.
 */
bool duty_nap(void *ctx, int64_t ms);
/* Of the calling thread. */
void archive_nice(void);
void archive_append(engine *e, json_t *receipt);

/* stamps.c */
void *stamps_main(void *ctx);

#endif
