/* store.h: the file store's inside, shared by store.c (the interface), open.c (recovery), writer.c
 * (group commit), keeper.c (the mark and the checkpoint) and blob.c.
 *
 * Whoever has set `writing` writes: a caller of wr_ledger_append who finds nobody at it does so
 * itself, which saves two changes of threads; everything that queues up meanwhile is the writer
 * thread's. The keeper thread writes the small files beside the segments, which nobody waits for.
 */
#ifndef WR_LEDGER_STORE_H
#define WR_LEDGER_STORE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ledger/chain.h"
#include "ledger/draft.h"
#include "ledger/fs.h"
#include "ledger/index.h"
#include "warroom/ledger.h"
#include "warroom/note.h"

#define WR_UNIT_MAX         64                /* receipts in one submission */
#define WR_CHECKPOINT_EVERY 256               /* receipts between two checkpoints … */
#define WR_CHECKPOINT_MS    60000             /* … and time, if there is anything new */
#define WR_KEEP_MS          500               /* between two marks while busy */
#define WR_BATCH_BYTES      ((size_t)4 << 20) /* one fdatasync covers about this much at most */
#define WR_BELLS            8
#define WR_SETTLE_S         1   /* with fewer batches than that in so long … */
#define WR_BUSY             100 /* … nothing stays laid out */
#define WR_CROWD            8   /* units in a batch that make it worth laying out … */
#define WR_LAID             ((int64_t)1 << 20) /* … so much space ahead */

/* Up to where everything is known to be on the disk. */
typedef struct wr_durable {
	int64_t count;
	int64_t segment; /* of the last receipt; -1: there is none */
	int64_t bytes;   /* of that segment */
	uint8_t hash[WR_HASH_LEN];
	int64_t timestamp_us, epoch; /* of the last receipt */
} wr_durable;

typedef struct wr_unit {
	struct wr_unit *next;
	size_t count;
	int64_t epoch;
	void (*done)(void *ctx, const wr_appended *); /* NULL: nobody asks */
	void *ctx;
	bool owned;       /* by the store, which frees it; else its owner waits */
	bool wants_lines; /* `done` looks at the lines */
	wr_draft *drafts;
} wr_unit;

/* Rung when units are answered: whoever waits looks then. */
typedef struct wr_bell {
	_Atomic uint32_t rung;
	atomic_bool wakes; /* who hears it first has to wake the others */
} wr_bell;

typedef struct wr_batch wr_batch;
typedef struct wr_lock wr_lock;

struct wr_ledger {
	/* fixed after opening */
	wr_fs fs;
	wr_clock clock;
	wr_random random;
	char dir[PATH_MAX], chain_dir[PATH_MAX];
	char chain[128], actor[128], origin[WR_NOTE_NAME_MAX + 1];
	int64_t segment_max;
	size_t crowd; /* WR_CROWD and WR_LAID; smaller in tests */
	int64_t lay;
	bool read_only, opened;
	bool threads; /* false: whoever submits does the work, and no time passes by itself */
	wr_lock *lock;
	wr_engine_key *key; /* NULL: no checkpoints */
	bool writer_up, keeper_up;
	pthread_t writer, keeper;

	wr_bell bells[WR_BELLS]; /* by cohort, so that few look in vain */

	pthread_mutex_t mutex; /* guards from here … */
	pthread_cond_t work;   /* for the writer: something (while it gathers, `wanted`) is
	                          queued, or closing */
	pthread_cond_t care;   /* for the keeper: something to write, or closing */
	wr_unit *first, **last;
	size_t queued, wanted;
	uint32_t cohort; /* of what is queued now */
	bool writing;    /* somebody is: all of the writer's own is theirs */
	int64_t recent;  /* batches since the writer looked */
	bool spare;      /* space is laid out */
	bool checkpoint_due, closing;
	bool keeper_idle; /* it waits for the first thing to do */
	bool failed;
	wr_err why; /* of `failed`, or of the last attempt if it found no space */
	wr_durable durable;
	wr_index index;
	wr_resume resume;       /* the last good one */
	char note[WR_NOTE_MAX]; /* the last durable checkpoint */
	size_t note_len;        /* 0: none since opening */
	int64_t note_size;      /* its tree's */
	bool note_urgent;       /* an operation ended with it, or a minute */
	int64_t news;           /* receipts since, but for checkpoints */
	int64_t noted_ms;       /* when the last was made, or tried */
	/* … to here */

	/* the writer's own */
	int fd;                     /* of the segment being written, -1: none open */
	int64_t segment;            /* its first seq */
	int64_t bytes;              /* written to it */
	int64_t batches, window_ms; /* how many since when */
	int64_t laid;               /* its size: what is beyond `bytes` is zeros laid out ahead */
	wr_range tree;              /* of what is durable */
	wr_batch *batch;

	/* the keeper's own */
	int64_t marked;     /* count in the last mark written */
	int64_t mark_tried; /* … or tried: tried again only when there is more, and at close */
	int64_t noted;      /* size in the checkpoint's file */
};

/* wr_ledger_open_with is wr_ledger_open_dir on other file operations; wr_ledger_open_alone also
 * starts no threads: for one caller, who does all the work. */
WR_CHECKED wr_ledger *wr_ledger_open_with(const wr_ledger_opts *opts, const wr_fs *fs,
                                          wr_ledger_opened *opened, wr_err *err);
WR_CHECKED wr_ledger *wr_ledger_open_alone(const wr_ledger_opts *opts, const wr_fs *fs,
                                           wr_ledger_opened *opened, wr_err *err);

/* writer.c */
WR_CHECKED int wr_writer_init(wr_ledger *l, wr_err *err);
void wr_writer_free(wr_ledger *l);
void *wr_ledger_writer(void *ledger); /* the thread */
/* wr_writer_run writes `units` (a list) and a checkpoint if it is due; the caller has set
 * `writing`. */
void wr_writer_run(wr_ledger *l, wr_unit *units);
void wr_writer_settle(wr_ledger *l);
void wr_unit_free(wr_unit *u);
WR_CHECKED int wr_segment_path(const wr_ledger *l, char out[static PATH_MAX], int64_t segment,
                               wr_err *err);

/* keeper.c */
void *wr_ledger_keeper(void *ledger); /* the thread */
/* wr_keeper_write writes the mark and the checkpoint's file if they are behind; failing is logged,
 * nothing more. */
void wr_keeper_write(wr_ledger *l);
/* wr_keeper_due: is a checkpoint due by the clock, if there is anything new? Call with the mutex
 * held. */
bool wr_keeper_due(wr_ledger *l);

/* lock.c: wr_lock_take takes the ledger directory's lock for one of its chains; the chains that one
 * process writes share it. wr_lock_held: does anybody write to this ledger now? */
WR_CHECKED wr_lock *wr_lock_take(const char *dir, const char *chain, wr_err *err);
void wr_lock_drop(wr_lock *lock, const char *chain);
bool wr_lock_held(const char *dir);

/* wr_engine_key_publish makes sure of <dir>/engine.pub: WR_E_CONFLICT if it is another key's. */
WR_CHECKED int wr_engine_key_publish(const wr_engine_key *k, const char *dir, wr_err *err);

#endif
