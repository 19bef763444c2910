/* foreign.h: the parts of the foreign audit: the checker of one chain, and where records come from.
 * Not thread-safe. */
#ifndef WR_LEDGER_FOREIGN_H
#define WR_LEDGER_FOREIGN_H

#include <openssl/evp.h>

#include "warroom/foreign.h"

#define FOREIGN_HASH_MAX 64

typedef struct foreign_place {
	int64_t page, line, byte;
} foreign_place;

/* ---- a map of 64-bit keys that forgets the oldest (foreign_map.c) ---- */
typedef struct foreign_slot {
	uint64_t key, value; /* key 0: free */
} foreign_slot;
typedef struct foreign_map {
	foreign_slot *young, *old; /* of `cap` and `old_cap` slots */
	size_t cap, old_cap, count;
} foreign_map;
/* 1: new; 0: it was there, and *value is what it had; -1: out of memory. */
WR_CHECKED int foreign_map_add(foreign_map *m, uint64_t key, uint64_t *value);
bool foreign_map_has(const foreign_map *m, uint64_t key);
void foreign_map_free(foreign_map *m);

/* ---- the checker (foreign_check.c) ---- */
typedef struct foreign_check {
	const wr_profile *p;
	wr_foreign_report *r;
	EVP_MD *md;
	size_t hash_len;
	wr_jt *jt;
	wr_buf content, text;
	uint8_t key[16]; /* of the maps' hash: nobody can choose ids that collide */
	foreign_map ids, parents;
	uint8_t tips[2][FOREIGN_HASH_MAX];
	unsigned tip_count;
	int64_t expect;    /* next seq; -1: any */
	int64_t first_seq; /* of the first record; -1: none yet */
	int64_t position;  /* of the next record */
	int64_t bad;       /* unreadable records since the last good one */
	bool began, broken;
	/* what was seen before */
	wr_foreign_head known;
	bool known_seen, other_seen; /* other: another record in its place */
	foreign_place other_at;
	char other_hash[129];
	/* going on from `known`: false until it was found */
	bool resuming, found;
} foreign_check;
WR_CHECKED int foreign_check_init(foreign_check *c, const wr_profile *p, wr_foreign_report *r,
                                  const wr_foreign_head *known, bool resume, wr_err *err);
void foreign_check_free(foreign_check *c);
/* One record; -1 only for want of memory. */
WR_CHECKED int foreign_check_record(foreign_check *c, const char *text, size_t len,
                                    const foreign_place *at, wr_err *err);
/* Something that is no record: too long, or not JSON in a place where records are. */
void foreign_check_damage(foreign_check *c, const foreign_place *at, const char *what);
void foreign_check_torn(foreign_check *c, const foreign_place *at, int64_t bytes);
/* The whole was read. */
void foreign_check_end(foreign_check *c);

/* ---- sources ---- */
typedef struct foreign_source {
	const wr_profile *p;
	const char *where;
	const wr_foreign_hooks *hooks;
	foreign_check *c;
	/* Where the last record of a good reading was, to go on from: `last` is of this reading, and
	 * becomes `head` when all is well. */
	struct foreign_spot {
		int64_t byte, line; /* of a file of lines */
		char page[2048];    /* cursor or URL of its page; "" the first */
		bool array;         /* a file that is one JSON array: then it must be the same file */
		int64_t dev, ino, size, mtime_ns;
	} head, last;
} foreign_source;
/* Both read from the beginning, or from `head`. */
WR_CHECKED int foreign_read_file(foreign_source *s, bool resume, wr_err *err);
WR_CHECKED int foreign_read_http(foreign_source *s, bool resume, wr_err *err);
bool foreign_stopped(const foreign_source *s, wr_err *err);
void foreign_progress(const foreign_source *s, int64_t total);

#endif
