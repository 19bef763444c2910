/* track.h: what the pure part of watching remembers beside the public views of watch.h.
 *
 * A wr_world is the first member of a wr_tracked_world, so that the bookkeeping needs no room in
 * the public structs. No threads: the owner of the world calls everything. */
#ifndef WARROOM_WATCH_TRACK_H
#define WARROOM_WATCH_TRACK_H

#include "warroom/watch.h"

#define WR_NO_REGION SIZE_MAX

typedef struct wr_signal_track {
	size_t region;     /* index into cfg->regions, or WR_NO_REGION for references */
	int64_t fresh_us;  /* how long a sample counts as fresh */
	int64_t judged_us; /* of the last sample that was good or bad; 0 none */
	bool last_good;    /* that sample */
	bool settled;      /* enough evidence to call it clear or breached */
} wr_signal_track;

typedef struct wr_region_track {
	unsigned quorum_classes; /* that were breached at some time of the present quorum */
	int64_t fresh_us;        /* the longest of its signals' */
} wr_region_track;

typedef struct wr_tracked_world {
	wr_world w; /* first: wr_world * is cast to this */
	wr_signal_track *signals;
	wr_region_track *regions;
} wr_tracked_world;

/* The signals of one class in one region, counted. */
typedef struct wr_class_tally {
	unsigned total, fresh, breached; /* breached: fresh ones only */
	unsigned latched;                /* breached when last judged, fresh or not */
	int64_t first_bad_us;            /* earliest among the latched; 0 none */
	int64_t last_us;                 /* newest sample of any; 0 never */
} wr_class_tally;

/* wr_fresh_us: three intervals, but never less than the longest possible distance between two
 * answers of a probe that keeps timing out, nor than `stale_after_ms` (0: not set). */
int64_t wr_fresh_us(int64_t interval_ms, int64_t timeout_ms, int64_t stale_after_ms);
/* wr_age_us: how old something of `at_us` is, never negative. A time further ahead than `fresh_us`
 * (the clock was set back) counts as infinitely old: it proves nothing about now. */
int64_t wr_age_us(int64_t now_us, int64_t at_us, int64_t fresh_us);

/* wr_signal_take judges one sample. While the observer is isolated, `distrust` keeps bad samples of
 * regions from counting (law 8); good ones are proof whoever is blind. */
void wr_signal_take(wr_signal_view *v, wr_signal_track *t, const wr_signal *cfg, const wr_sample *s,
                    bool distrust);
void wr_signal_refresh(wr_signal_view *v, const wr_signal_track *t, int64_t now_us);
/* wr_signal_forget drops a breach that may have been our own blindness. */
void wr_signal_forget(wr_signal_view *v, wr_signal_track *t);

/* wr_isolation_judge sets isolated, isolation_known and isolated_reason; returns whether a
 * reference answers right now (or there is none to ask): without that no quorum begins. */
bool wr_isolation_judge(wr_tracked_world *tw);

typedef struct wr_judgement {
	size_t region;
	const wr_class_tally *classes; /* [WR_CLASS_COUNT] */
	int64_t gap_us;                /* since the tick before; 0 for the first */
	bool seeing;                   /* from wr_isolation_judge */
} wr_judgement;
void wr_region_judge(wr_tracked_world *tw, const wr_judgement *j);

/* wr_say appends to out (NUL-terminated, `size` bytes), cutting at the end. */
void wr_say(char *out, size_t size, const char *fmt, ...) WR_PRINTF(3, 4);

#endif
