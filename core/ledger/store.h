/* store.h: the file store's inside, shared by store.c (the interface), open.c (recovery), writer.c
 * (group commit) and key.c. */
#ifndef WR_LEDGER_STORE_H
#define WR_LEDGER_STORE_H

#include <limits.h>
#include <pthread.h>

#include "ledger/chain.h"
#include "ledger/fs.h"
#include "warroom/ledger.h"
#include "warroom/note.h"

#define WR_UNIT_MAX    64                /* receipts in one submission */
#define WR_PLACE_EVERY 256               /* receipts between two entries of the index */
#define WR_MARK_EVERY  256               /* receipts between two marks while busy */
#define WR_MARK_IDLE_S 1                 /* after this long without work the mark is written */
#define WR_BATCH_BYTES ((size_t)4 << 20) /* one fdatasync covers about this much at most */

/* Up to where everything is known to be on the disk. */
typedef struct wr_durable {
	int64_t count;
	int64_t segment; /* of the last receipt; -1: there is none */
	int64_t bytes;   /* of that segment */
	uint8_t hash[WR_HASH_LEN];
	int64_t timestamp_us, epoch; /* of the last receipt */
} wr_durable;

/* Where a receipt begins; each segment's first has an entry. */
typedef struct wr_place {
	int64_t seq, segment, at;
} wr_place;

typedef struct wr_unit {
	struct wr_unit *next;
	size_t count;
	int64_t epoch;
	void (*done)(void *ctx, const wr_appended *);
	void *ctx;
	json_t *drafts[];
} wr_unit;

struct wr_ledger {
	/* fixed after opening */
	wr_fs fs;
	wr_clock clock;
	wr_random random;
	char dir[PATH_MAX], chain_dir[PATH_MAX];
	char chain[128], actor[128];
	int64_t segment_max;
	bool read_only;
	int lock_fd, dir_fd; /* of the lock file and of the ledger directory, both locked */
	bool started;        /* the writer thread */
	pthread_t writer;

	pthread_mutex_t mutex; /* guards from here … */
	pthread_cond_t work;   /* something queued, or closing */
	wr_unit *first, **last;
	size_t queued;
	bool closing, failed;
	wr_err why; /* of `failed`, or of the last attempt if it found no space */
	wr_durable durable;
	wr_place *places;
	size_t place_count, place_cap; /* … to here */

	/* the writer thread's own */
	int fd;             /* of the segment being written, -1: none open */
	int64_t segment;    /* its first seq */
	int64_t bytes;      /* written to it */
	int64_t marked;     /* count in the last mark written */
	int64_t mark_tried; /* … or tried: tried again only when there is more, and at close */
};

/* wr_ledger_open_with is wr_ledger_open_dir on other file operations. */
WR_CHECKED wr_ledger *wr_ledger_open_with(const wr_ledger_opts *opts, const wr_fs *fs,
                                          wr_ledger_opened *opened, wr_err *err);
void *wr_ledger_writer(void *ledger); /* the thread */
/* wr_ledger_mark writes the high-water mark if it is behind; failing is logged, nothing more. */
void wr_ledger_mark(wr_ledger *l);
/* wr_places_reserve makes room for `more` entries; wr_places_add cannot fail then. */
WR_CHECKED int wr_places_reserve(wr_ledger *l, size_t more, wr_err *err);
void wr_places_add(wr_ledger *l, int64_t seq, int64_t segment, int64_t at);
void wr_unit_free(wr_unit *u);
WR_CHECKED int wr_segment_path(const wr_ledger *l, char out[static PATH_MAX], int64_t segment,
                               wr_err *err);

/* wr_lock_take takes the ledger directory's lock; the lock file's descriptor (and the directory's)
 * or -1. wr_lock_held: does another process write to this ledger now? */
WR_CHECKED int wr_lock_take(const char *dir, int *dir_fd, wr_err *err);
bool wr_lock_held(const char *dir);

/* wr_engine_key_publish makes sure of <dir>/engine.pub: WR_E_CONFLICT if it is another key's. */
WR_CHECKED int wr_engine_key_publish(const wr_engine_key *k, const char *dir, wr_err *err);

#endif
