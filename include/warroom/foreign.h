/* foreign.h: chains of receipts that other software wrote, read from a file or over HTTP, and
 * checked through a profile (profile.h). The anomalies are those of our own ledger (verify.h).
 *
 * A wr_foreign remembers the last record that it has seen: whatever the source shows later must
 * still have it, so that a history that was cut or rewritten is noticed although it is consistent
 * in itself. Memory is bounded: duplicates are found within a window of the last WR_FOREIGN_WINDOW
 * records at least (where records are numbered, anywhere). One thread at a time. */
#ifndef WARROOM_FOREIGN_H
#define WARROOM_FOREIGN_H

#include <jansson.h>

#include "warroom/profile.h"
#include "warroom/verify.h"

#define WR_FOREIGN_WINDOW     65536
#define WR_FOREIGN_RECORD_MAX (1u << 20) /* bytes of one record */
#define WR_FOREIGN_PAGE_MAX   (8u << 20) /* bytes of one HTTP answer */
#define WR_FOREIGN_KEPT       32         /* anomalies kept with their texts */

/* A record that was seen. */
typedef struct wr_foreign_head {
	bool known;
	int64_t seq;      /* -1: records have no number */
	int64_t position; /* how many records were before it */
	int64_t time_us;  /* 0: unknown */
	char id[128];     /* sanitised */
	char hash[129];   /* lower-case hex, whatever the profile's encoding */
} wr_foreign_head;

typedef struct wr_foreign_anomaly {
	wr_anomaly_kind kind;
	int64_t seq;        /* -1: unknown */
	int64_t record;     /* which record of what was read, from 0 */
	int64_t page;       /* HTTP: from 1; 0: a file */
	int64_t line, byte; /* line from 1 (0: the text has no lines), byte in the file or page */
	char id[128], text[256];
} wr_foreign_anomaly;

typedef struct wr_foreign_report {
	int64_t checked, valid, invalid, hash_mismatches;
	int64_t kinds[WR_AN_COUNT]; /* anomalies of each kind */
	int64_t pages, bytes;
	int64_t from;                     /* position of the first record that was read */
	wr_foreign_head head, consistent; /* the last record; the last one before any anomaly */
	wr_foreign_anomaly anomalies[WR_FOREIGN_KEPT]; /* the first ones */
	size_t anomaly_count;
	int64_t anomaly_total;
	bool full;  /* from the beginning; else only what was new */
	bool moved; /* in itself it holds, but what was seen before is not there any more */
	bool ok;    /* no anomaly, but a torn last line */
} wr_foreign_report;

typedef struct wr_foreign_hooks {
	bool (*stop)(void *ctx); /* asked often; true ends the reading with WR_E_CANCELLED */
	/* total: bytes of the file, -1 unknown */
	void (*progress)(void *ctx, int64_t records, int64_t bytes, int64_t total);
	void *ctx;
} wr_foreign_hooks;

typedef struct wr_foreign wr_foreign;
/* wr_foreign_open: nothing is read yet. `profile` and `source` (a path or a URL) are borrowed. */
WR_CHECKED wr_foreign *wr_foreign_open(const wr_profile *profile, const char *source, wr_err *err);
void wr_foreign_close(wr_foreign *f); /* NULL is fine */
/* wr_foreign_expect sets what was seen last, from elsewhere; NULL: nothing. */
void wr_foreign_expect(wr_foreign *f, const wr_foreign_head *known);
const wr_foreign_head *wr_foreign_known(const wr_foreign *f);
/* wr_foreign_audit reads everything. 0: it was read, and *out->ok says whether it holds. -1: it
 * could not be read to its end; *out has what was seen until then, and anomalies in it stand. What
 * was seen last moves on only when all holds. `hooks` may be NULL. */
WR_CHECKED int wr_foreign_audit(wr_foreign *f, wr_foreign_report *out,
                                const wr_foreign_hooks *hooks, wr_err *err);
/* wr_foreign_poll reads the last record that was seen, again, and what came after it. When that is
 * not there any more or anything is wrong, it audits, so that the damage gets its name. */
WR_CHECKED int wr_foreign_poll(wr_foreign *f, wr_foreign_report *out, const wr_foreign_hooks *hooks,
                               wr_err *err);

/* The form of `ledger verify`. */
void wr_foreign_print(const wr_foreign_report *r, const char *source, bool unicode, wr_buf *out);
json_t *wr_foreign_json(const wr_foreign_report *r);
/* "fork at seq 12 (id …): …", of the first anomaly; "" if there is none. */
void wr_foreign_say(const wr_foreign_report *r, char *out, size_t size);

#endif
