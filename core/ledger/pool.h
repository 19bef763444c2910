/* pool.h: every intact receipt of all sources of a restore, by its hash, and what each source holds
 * of each chain. Not thread-safe. */
#ifndef WR_LEDGER_POOL_H
#define WR_LEDGER_POOL_H

#include "ledger/chain.h"
#include "warroom/note.h"
#include "warroom/receipt.h"

#define WR_NONE UINT32_MAX

typedef enum wr_role { WR_SNAPSHOT = 1, WR_CHANGELOG = 2, WR_DAMAGED = 4 } wr_role;

enum {                        /* flags of a node, beside the roles that hold it */
	   WR_NODE_ROOTED = 8,    /* hangs together from receipt 0 on */
	   WR_NODE_ATTESTED = 16, /* a checkpoint's last receipt */
	   WR_NODE_CHOSEN = 32,
	   WR_NODE_REPEATED = 64 /* would have been, but its receipt_id is taken */
};

typedef struct wr_node {
	uint8_t hash[WR_HASH_LEN], prev[WR_HASH_LEN], id[16];
	int64_t seq, timestamp_us;
	int64_t at; /* where its line is */
	uint32_t file, len;
	uint32_t parent, child, sibling; /* WR_NONE: none */
	uint32_t height;                 /* receipts below it on the longest way, itself not counted */
	uint16_t chain;
	uint8_t flags;
	bool attested_below; /* or itself */
} wr_node;

typedef struct wr_bad_place {
	char file[256];
	int64_t line, byte;
	char text[160];
} wr_bad_place;

/* What a high-water mark says, without what it carries for opening. */
typedef struct wr_mark_seen {
	int64_t count; /* 0: none */
	int64_t segment, bytes;
	uint8_t hash[WR_HASH_LEN];
} wr_mark_seen;

/* What one source holds of one chain, judged alone and in the order of its lines. */
typedef struct wr_held {
	int64_t receipts;     /* intact lines */
	int64_t bad, torn;    /* lines that are no receipts; bytes of an unfinished end */
	int64_t begins;       /* first seq, -1: none yet */
	int64_t expect;       /* next seq */
	int64_t consistent;   /* last good receipt: everything up to it is in its place; -1 none */
	int64_t should;       /* so many receipts there must have been at least */
	int64_t bad_run;      /* bad lines since the last intact one */
	int64_t last_time_us; /* of the last intact receipt */
	uint8_t tip[WR_HASH_LEN], consistent_hash[WR_HASH_LEN];
	bool broken;
	wr_bad_place first_bad; /* "" none */
	wr_mark_seen mark;
	char mark_bad[160]; /* why it cannot be read, "" */
} wr_held;

typedef struct wr_source {
	wr_role role;
	const char *path;
	char name[40]; /* "snapshot", "changelog 2", … */
	bool is_dir;
	wr_held *held;      /* one for each chain */
	int64_t unreadable; /* lines that belong to no chain */
	bool has_key;
	uint8_t public_key[WR_ED25519_PUBLIC];
} wr_source;

typedef struct wr_pool_file {
	char *path;
	uint32_t source;
	int fd; /* -1: not opened again yet */
} wr_pool_file;

typedef struct wr_note_found {
	char *text;
	size_t len;
	uint32_t source;
	uint16_t chain;
	int64_t seq;  /* of the receipt it was in, -1: the file */
	bool valid;   /* the engine signed it */
	bool matched; /* … and a history in the sources is the one it is of */
	wr_checkpoint cp;
	char why[160]; /* not valid: why */
} wr_note_found;

typedef struct wr_blob_ref {
	uint32_t node;
	char hex[WR_HEX_LEN];
} wr_blob_ref;

/* A line of a ledger that is no receipt; the first WR_BAD_KEPT are tried to be mended. */
#define WR_BAD_KEPT 64
typedef struct wr_bad_line {
	int64_t at;
	uint32_t file, len;
	uint16_t chain;
	bool mended;
} wr_bad_line;

typedef struct wr_pool {
	wr_source *sources;
	size_t source_count;
	char (*chains)[128];
	size_t chain_count;
	wr_pool_file *files;
	size_t file_count;
	wr_node *nodes;
	size_t node_count, node_cap;
	uint32_t *index; /* node of a hash */
	size_t index_cap;
	wr_note_found *notes;
	size_t note_count, note_cap;
	wr_blob_ref *refs;
	size_t ref_count, ref_cap;
	wr_bad_line bad[WR_BAD_KEPT];
	size_t bad_count;
	int64_t mended; /* receipts made right again */
	void (*progress)(void *ctx, const char *what, int64_t bytes, int64_t total); /* may be NULL */
	void *progress_ctx;
	int64_t bytes, told; /* read so far; … when progress was told last */
} wr_pool;

/* wr_pool_load reads all sources; sources' roles and paths are given. */
WR_CHECKED int wr_pool_load(wr_pool *p, wr_err *err);
void wr_pool_free(wr_pool *p);
uint32_t wr_pool_find(const wr_pool *p, const uint8_t hash[static WR_HASH_LEN]);
/* wr_pool_mend makes right what one changed bit has made unreadable, where a hash proves it. */
WR_CHECKED int wr_pool_mend(wr_pool *p, wr_err *err);
/* wr_pool_add takes a receipt that is in no source as it is; its line is at `at` of `file`. */
WR_CHECKED int wr_pool_add(wr_pool *p, const wr_receipt *r, uint32_t file, int64_t at,
                           uint16_t chain, wr_err *err);
/* wr_pool_read reads a part of a file again. */
WR_CHECKED int wr_pool_read(wr_pool *p, uint32_t file, int64_t at, size_t len, char *out,
                            wr_err *err);
/* wr_pool_line reads a node's line again (no newline), into at least WR_LINE_MAX bytes. */
WR_CHECKED int wr_pool_line(wr_pool *p, uint32_t node, char *out, wr_err *err);

#endif
