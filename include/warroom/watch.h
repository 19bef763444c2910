/* watch.h: seeing the platform: probes (a thread), and what is concluded from their samples (pure).
 *
 * The prober owns one thread with a curl multi loop (plus a few helpers for exec) and hands samples
 * over; everything else here is pure: wr_world is fed samples and the time, and answers with
 * statuses and verdicts. The main loop owns the wr_world. */
#ifndef WARROOM_WATCH_H
#define WARROOM_WATCH_H

#include "warroom/clock.h"
#include "warroom/model.h"

/* ---- samples ---- */
typedef enum wr_target {
	WR_T_SIGNAL, /* index into cfg->signals, and so on */
	WR_T_LINK_SECONDS,
	WR_T_LINK_BYTES,
	WR_T_LINK_RECEIPTS,
	WR_T_LINK_STATE,
	WR_T_FACT,
	WR_T_QUOTA_PERCENT,
	WR_T_QUOTA_AFTER,
	WR_T_WEIGHTS /* of cfg->traffic[index]; not from the prober but from the engine's traffic watch
	              */
} wr_target;

typedef struct wr_sample {
	wr_target target;
	size_t index;
	wr_expr_vars vars;
	int64_t at_us;    /* when the answer was complete */
	char detail[192]; /* why it failed or what was seen; sanitised; "" if nothing to say */
	char names[512];  /* WR_T_LINK_RECEIPTS: the ids at risk, comma-separated, cut with "…" */
	int weights[WR_MAX_REGIONS]; /* WR_T_WEIGHTS: percent by index into cfg->regions; -1 not served
	                              */
} wr_sample;

/* ---- the prober ---- */
typedef struct wr_prober wr_prober;
/* wr_prober_start starts probing everything in cfg. `sink` is called from the prober's thread(s)
 * with a sample it may copy; it must not block. Probes of one target never overlap; starts are
 * spread over the interval; a late probe is not caught up twice. A transport error has status 0
 * and, unless it was a timeout, no latency: nothing but `error` may judge it. A probe that fails
 * for want of our own descriptors or memory says nothing about its target and gives no sample.
 * Transfers at once are bounded by the soft RLIMIT_NOFILE less 384: raise it where more than 600
 * targets may hang. */
WR_CHECKED wr_prober *wr_prober_start(const wr_config *cfg, const wr_clock *clock,
                                      void (*sink)(void *ctx, const wr_sample *s), void *ctx,
                                      wr_err *err);
void wr_prober_stop(wr_prober *p); /* joins; NULL is fine */
typedef struct wr_prober_stats {
	uint64_t done, failed, late; /* late: began more than one interval after it was due */
	int64_t worst_late_ms;
} wr_prober_stats;
void wr_prober_get_stats(wr_prober *p, wr_prober_stats *out);
/* wr_probe_once runs one probe, blocking (the runner's wait steps and config checks use it). */
void wr_probe_once(const wr_probe *probe, int64_t timeout_ms, wr_sample *out);

/* ---- pure extractors (exposed for tests and fuzzers) ---- */
/* wr_extract_json: RFC 6901 pointer into a JSON body; arrays give their length, and their string or
 * "id"-bearing items into names. */
WR_CHECKED int wr_extract_json(const char *body, size_t len, const char *pointer, wr_value *out,
                               char *names, size_t names_size, wr_err *err);
/* wr_extract_prom: text exposition format 0.0.4; the sum over the series of `metric` whose labels
 * match. */
WR_CHECKED int wr_extract_prom(const char *body, size_t len, const char *metric,
                               const wr_pair *labels, size_t label_count, wr_value *out,
                               wr_err *err);
/* wr_extract_promql: the body of /api/v1/query; scalar, or a vector of exactly one sample. */
WR_CHECKED int wr_extract_promql(const char *body, size_t len, wr_value *out, wr_err *err);

/* ---- conclusions (pure) ---- */
typedef enum wr_status { WR_CLEAR, WR_BREACHED, WR_NO_DATA } wr_status;

#define WR_VERDICTS(X) X(HEALTHY) X(DEGRADED) X(SUSPECT) X(DOWN) X(UNKNOWN)
typedef enum wr_verdict {
#define X(id) WR_V_##id,
	WR_VERDICTS(X)
#undef X
	    WR_V_COUNT
} wr_verdict;
const char *wr_verdict_name(wr_verdict v); /* "HEALTHY" … */
WR_CHECKED int wr_verdict_parse(const char *s, wr_verdict *out);

#define WR_HISTORY 60 /* samples kept per measure for strips and sparklines */

typedef struct wr_signal_view {
	wr_status status;
	int bad_streak, good_streak;
	bool breached;             /* latched by breach_after, released by clear_after */
	int64_t first_bad_us;      /* first bad sample of the current bad run; 0 none */
	int64_t breached_since_us; /* 0 none */
	int64_t last_us;           /* of the last sample; 0 never */
	wr_sample last;
	uint64_t samples, bad_samples;
	uint64_t mute_samples; /* that said neither good nor bad, or were not believed */
	unsigned char
	    history[WR_HISTORY]; /* ring: 0 none, 1 good, 2 bad, 3 unknown; newest at (head-1) */
	unsigned history_head;   /* always < WR_HISTORY */
} wr_signal_view;

typedef struct wr_region_view {
	wr_verdict verdict;
	const char *rule; /* "V-DOWN" …, see wr_world_tick: static */
	char reason[256];
	unsigned breached_classes, clear_classes, blind_classes; /* bit 1 << wr_class */
	int64_t first_bad_us;    /* impact: first bad sample among the signals now breached; 0 none */
	int64_t quorum_since_us; /* since when min_classes have been breached without a break; 0 not */
	int64_t since_us;        /* of this verdict */
} wr_region_view;

typedef struct wr_measure { /* a number with its last good value */
	wr_value last;          /* NONE if the newest sample had none */
	wr_value proven;        /* the newest good value … */
	int64_t proven_us;      /* … and when; 0 never */
	int64_t last_us;
	char names[512];
	double history[WR_HISTORY]; /* NAN: none */
	unsigned history_head;
	char detail[192];
	wr_expr_vars vars; /* of the newest sample */
} wr_measure;

typedef struct wr_link_view {
	wr_measure seconds, bytes, receipts, state;
	wr_truth state_ok;   /* of the newest sample */
	int64_t state_ok_us; /* when it last held; 0 never */
} wr_link_view;

typedef struct wr_world {
	const wr_config *cfg; /* borrowed */
	int64_t now_us;
	wr_signal_view *signals; /* by config index */
	wr_region_view *regions;
	wr_link_view *links;
	wr_measure *facts;
	wr_measure *quotas, *quotas_after;
	int (*weights)[WR_MAX_REGIONS]; /* by traffic index, region index; -1 unknown */
	int64_t *weights_us;
	bool isolated;        /* all references blind or bad, and there are references */
	bool isolation_known; /* there are references with fresh samples */
	char isolated_reason[160];
	/* the engine's own ledger and the chains it audits */
	bool ledger_ok;
	char ledger_reason[160];
} wr_world;

WR_CHECKED wr_world *wr_world_new(const wr_config *cfg);
void wr_world_free(wr_world *w);
/* wr_world_feed takes one sample; out-of-range indexes are refused by assert. While the observer is
 * isolated, bad samples of regions do not count (law 8); when it ends, breaches are proven anew. */
void wr_world_feed(wr_world *w, const wr_sample *s);
/* wr_world_tick recomputes freshness, isolation and every region's verdict for `now_us` (H1, H2).
 * A class is breached when at least half of its fresh signals are, clear when it has fresh ones and
 * is not breached, blind when it has none. Rules:
 *  V-UNKNOWN-ISOLATED  the observer is isolated
 *  V-DOWN              >= min_classes distinct classes breached without a break for sustained_ms
 *  V-SUSPECT           >= min_classes distinct classes breached, not yet sustained
 *  V-DOWN-HELD, V-SUSPECT-HELD  the quorum was reached, then classes of it went blind or no
 *                      reference answers: the verdict stays, the clock stands
 *  V-UNKNOWN-BLIND     no class has fresh data
 *  V-DEGRADED          a breach, in fewer classes
 *  V-DEGRADED-HELD     no fresh breach, but a class went blind while breached
 *  V-UNKNOWN-PARTIAL   no breach, but fewer than min_classes classes have fresh data (when so
 *                      many are configured)
 *  V-HEALTHY           else
 * The sustained clock counts proven time: of a gap between two ticks only as much as a sample stays
 * fresh (so tick often), nothing while it stands; after isolation it starts anew. A sample is fresh
 * for three intervals, or stale_after_ms, or two intervals and a timeout, whichever is longest.
 * When the clock is set back, remembered times move with it; no duration is ever negative. */
void wr_world_tick(wr_world *w, int64_t now_us);
/* Is the fresh status of fact i's `need` (with age bound 3 intervals): TRUE, FALSE, UNKNOWN. */
wr_truth wr_world_fact(const wr_world *w, size_t i, int64_t now_us);

#endif
