/* state.h: the inside of wr_sim, shared by the files of the model and its views only.
 *
 * Units: _mrps thousandths of a request a second, _ppm millionths, _milli thousandths; times are
 * virtual milliseconds since the start. Carries hold the fractions that integer division leaves, so
 * that nothing is lost over many ticks. */
#ifndef WR_SIM_STATE_H
#define WR_SIM_STATE_H

#include "sim/model.h"
#include "sim/prng.h"
#include "warroom/hash.h"

#define WR_SIM_MILLION         INT64_C(1000000)
#define WR_SIM_REPLICAS_FULL   10     /* of the service, at 100 percent */
#define WR_SIM_STANDBY_PERCENT 20     /* a warm standby keeps two */
#define WR_SIM_WARMUP_MS       30000  /* from the command to the last new replica */
#define WR_SIM_DRAIN_MS        10000  /* connections wind down in a straight line */
#define WR_SIM_PROMOTE_MS      3000   /* a promotion takes so long … */
#define WR_SIM_CATCHUP_MAX_MS  30000  /* … and waits so long for a demoted side's last bytes */
#define WR_SIM_RESYNC_MS       10000  /* rebuilding a replica */
#define WR_SIM_WRITE_PPM       300000 /* of the clients' requests write */
#define WR_SIM_WRITES_RECEIPT  6      /* of those, one in six is a governed action: a receipt */
#define WR_SIM_P50_US          18000  /* of an idle region */
#define WR_SIM_BUFFER_MAX      100000 /* writes that a region holds for a primary to come */
#define WR_SIM_SLO_PPM         1000   /* errors that the objective of 99.9 percent allows */
#define WR_SIM_LOG_TICKS       36000  /* log kept for replicas that are away: an hour */
#define WR_SIM_RECEIPTS_KEPT   262144 /* of each copy of the chain: hours of usual load */
#define WR_SIM_WINDOW_S        3600
#define WR_SIM_AT_RISK_MAX     50
#define WR_SIM_PROMOTIONS_MAX  16
#define WR_SIM_MESSAGES_KEPT   32
#define WR_SIM_MESSAGE_MAX     512

/* Why a client's request failed. */
#define WR_SIM_REASONS(X)                                                                          \
	X(UNREACHABLE, "unreachable")                                                                  \
	X(DRAINING, "draining")                                                                        \
	X(BROWNOUT, "brownout")                                                                        \
	X(OVERLOAD, "overload")                                                                        \
	X(READ_ONLY, "read_only")                                                                      \
	X(BACKGROUND, "background")
enum {
#define X(id, name) WR_SIM_R_##id,
	WR_SIM_REASONS(X)
#undef X
	    WR_SIM_R_COUNT
};
const char *wr_sim_reason_name(int reason);

/* Codes that a region itself answers, and the bounds of its latency histogram. */
enum { WR_SIM_C_200, WR_SIM_C_429, WR_SIM_C_500, WR_SIM_C_503, WR_SIM_C_COUNT };
#define WR_SIM_BUCKETS 12 /* the last is +Inf */
extern const int64_t wr_sim_bucket_us[WR_SIM_BUCKETS];

#define WR_SIM_ROLES(X)                                                                            \
	X(REPLICA, "replica")                                                                          \
	X(PRIMARY, "primary")                                                                          \
	X(PROMOTING, "promoting")                                                                      \
	X(DEMOTED, "demoted")   /* was primary, wrote nothing since, follows nobody yet */             \
	X(DIVERGED, "diverged") /* holds what the new primary does not: read-only until resync */      \
	X(RESYNCING, "resyncing")
typedef enum wr_sim_role {
#define X(id, name) WR_SIM_##id,
	WR_SIM_ROLES(X)
#undef X
} wr_sim_role;
const char *wr_sim_role_name(wr_sim_role r);

typedef struct wr_sim_pos { /* a position in a link's log */
	int64_t entry;          /* ticks of log applied */
	int64_t time_ms;        /* of the newest one */
	int64_t bytes, receipts;
} wr_sim_pos;

/* One link's copy in one region. */
typedef struct wr_sim_node {
	wr_sim_role role;
	wr_sim_pos at;
	int upstream;     /* whom it follows; WR_SIM_NONE */
	wr_sim_pos known; /* the upstream's position as of the last contact … */
	int64_t known_ms; /* … and when that was */
	int64_t due_ms;   /* promoting: when it ends; resyncing: how much is left */
	int64_t resync_lag_ms, resync_bytes, resync_receipts; /* what it had to make up */
} wr_sim_node;

typedef struct wr_sim_link {
	wr_sim_link_spec spec;
	bool of_record;
	int primary;      /* the region that is, or was last, primary */
	int64_t timeline; /* 1, and one more for each promotion */
	wr_sim_node nodes[WR_SIM_REGIONS_MAX];
	wr_sim_pos *log;                    /* ring of WR_SIM_LOG_TICKS positions of the primary */
	int64_t budget[WR_SIM_REGIONS_MAX]; /* bytes that may still be shipped */
} wr_sim_link;

typedef struct wr_sim_receipt {
	uint8_t hash[WR_HASH_LEN];
	int64_t time_ms;
	int32_t timeline;
	int16_t region; /* where it was written */
	int16_t flipped;
} wr_sim_receipt;

typedef struct wr_sim_chain {
	wr_sim_receipt *ring; /* WR_SIM_RECEIPTS_KEPT */
	int64_t first, count; /* seqs first … count-1 are held */
	uint8_t first_prev[WR_HASH_LEN];
} wr_sim_chain;

typedef struct wr_sim_kept_answer {
	char key[WR_SIM_KEY_LEN + 1];
	uint8_t fingerprint[32];
	wr_sim_answer answer;
} wr_sim_kept_answer;

/* What a server (a region's, or the provider's) remembers about commands. */
typedef struct wr_sim_desk {
	int64_t epoch;            /* highest seen; 0 none */
	wr_sim_kept_answer *kept; /* ring of WR_SIM_KEYS_MAX */
	int64_t kept_count;
	int64_t commands, refused;
} wr_sim_desk;

typedef struct wr_sim_count {
	int64_t requests, errors;
} wr_sim_count;

typedef struct wr_sim_region {
	char name[WR_NAME_MAX + 1];
	/* what operators set */
	bool fenced, frozen, draining, buffering;
	int64_t fenced_ms, drain_ms;
	int weight, target_percent;
	int64_t ready_milli, warm_milli; /* replicas ready; how many a tick brings */
	/* what faults do to it now */
	bool up, blackhole, observer_cut, other_build, keys_bad;
	int64_t brownout_percent, quota_percent;
	int64_t up_since_ms;
	/* load */
	int64_t client_mrps, demand_mrps, ok_mrps, util_milli, p50_us, p95_us;
	int64_t request_carry, write_carry, reason_carry[WR_SIM_R_COUNT], shape_carry[4];
	int64_t buffered;   /* writes that wait for a primary */
	int64_t writes_now; /* this tick's, for the writer */
	/* counters since the start */
	int64_t edge_requests, edge_errors[WR_SIM_R_COUNT];
	int64_t codes[WR_SIM_C_COUNT], buckets[WR_SIM_BUCKETS], latency_sum_us;
	wr_sim_count seconds[WR_SIM_WINDOW_S];
	int64_t config_version;
	wr_sim_desk desk;
	wr_sim_chain chain;
} wr_sim_region;

typedef struct wr_sim_fault_entry {
	int64_t id;
	wr_sim_fault_spec spec;
	bool active;
	int64_t start_ms, end_ms; /* end_ms -1: until healed */
	int64_t seq;              /* corruption: the flipped receipt */
} wr_sim_fault_entry;

typedef struct wr_sim_promotion {
	int64_t at_ms, lost_receipts, lost_bytes, lost_ms, first_lost_seq, timeline;
	int link, from, to;
	int lost_ids;
	char ids[WR_SIM_AT_RISK_MAX][WR_UUID_LEN];
} wr_sim_promotion;

typedef struct wr_sim_message { /* what somebody posted to the inbox */
	int64_t at_ms;
	char text[WR_SIM_MESSAGE_MAX];
} wr_sim_message;

struct wr_sim {
	wr_sim_config cfg;
	int64_t now_ms, carry_ms;
	wr_sim_prng prng;
	int64_t load_mrps, noise_milli, load_percent;
	int64_t receipt_carry;
	wr_sim_region regions[WR_SIM_REGIONS_MAX];
	wr_sim_link links[WR_SIM_LINKS_MAX];
	int64_t lag_ms[WR_SIM_LINKS_MAX][WR_SIM_REGIONS_MAX][WR_SIM_REGIONS_MAX]; /* fault, both ways */
	bool cut[WR_SIM_REGIONS_MAX][WR_SIM_REGIONS_MAX];
	wr_sim_fault_entry faults[WR_SIM_FAULTS_MAX];
	int fault_count;
	int64_t next_fault_id, healed;
	wr_sim_desk provider;
	int64_t traffic_changes, config_version;
	wr_sim_promotion promotions[WR_SIM_PROMOTIONS_MAX]; /* ring, newest at (count-1) % MAX */
	int64_t promotion_count;
	wr_sim_message inbox[WR_SIM_MESSAGES_KEPT]; /* ring, newest at (count-1) % KEPT */
	int64_t message_count;
	wr_buf scratch; /* one receipt's text */
};

/* ---- chain.c ---- */
WR_CHECKED int wr_sim_chain_init(wr_sim_chain *c);
void wr_sim_chain_free(wr_sim_chain *c);
/* wr_sim_chain_write appends one receipt, written in `region` at time_ms, to that region's copy. */
void wr_sim_chain_write(wr_sim *s, int region, int64_t timeline, int64_t time_ms);
/* wr_sim_chain_follow makes `to` hold what `from` holds up to (excluding) seq `count`. */
void wr_sim_chain_follow(wr_sim *s, int to, int from, int64_t count);
/* wr_sim_chain_copy replaces all of `to` by `from`. */
void wr_sim_chain_copy(wr_sim *s, int to, int from);
const wr_sim_receipt *wr_sim_chain_at(const wr_sim_chain *c, int64_t seq); /* NULL if not held */
/* wr_sim_receipt_json appends the receipt as served; wr_sim_receipt_id its id alone. */
void wr_sim_receipt_json(const wr_sim *s, int region, int64_t seq, wr_buf *out);
void wr_sim_receipt_id(const wr_sim *s, const wr_sim_receipt *r, int64_t seq,
                       char out[static WR_UUID_LEN]);
/* wr_sim_chain_flip changes one held receipt (or changes it back); false when it is not held. */
bool wr_sim_chain_flip(wr_sim *s, int region, int64_t seq, bool flipped);

/* ---- repl.c ---- */
void wr_sim_repl_init(wr_sim *s);
void wr_sim_repl_tick(wr_sim *s);
/* wr_sim_writer: the region that takes this link's writes now, or WR_SIM_NONE. */
int wr_sim_writer(const wr_sim *s, int link);
/* wr_sim_connected: can the two regions talk? */
bool wr_sim_connected(const wr_sim *s, int a, int b);
void wr_sim_region_lost(wr_sim *s, int region); /* it just went down */
void wr_sim_promote(wr_sim *s, int link, int region);
void wr_sim_demote(wr_sim *s, int link);
void wr_sim_resync(wr_sim *s, int link, int region, int from);

/* One row of /replication: what `viewer` (an end, or WR_SIM_NONE for the truth) knows. */
typedef struct wr_sim_lag {
	int from, to;
	int64_t lag_ms, bytes, receipts;
	int64_t first_seq;  /* of what is at risk, in from's copy */
	int64_t contact_ms; /* since the ends last talked */
	bool connected;
} wr_sim_lag;
void wr_sim_link_lag(const wr_sim *s, int link, int to, int viewer, wr_sim_lag *out);

/* ---- fault.c ---- */
void wr_sim_faults_tick(wr_sim *s);
void wr_sim_faults_derive(wr_sim *s); /* recompute what faults do */
/* wr_sim_faults_repaired drops corruption faults of a region whose copy was replaced. */
void wr_sim_faults_repaired(wr_sim *s, int region);

/* ---- load.c ---- */
void wr_sim_load_tick(wr_sim *s);
/* wr_sim_boot: the region came up just now: no replica is ready yet. */
void wr_sim_boot(wr_sim *s, int region);
void wr_sim_scale(wr_sim *s, int region, int percent);
int64_t wr_sim_capacity_mrps(const wr_sim *s, int region);
int64_t wr_sim_replicas_target(const wr_sim_region *r);
int64_t wr_sim_drained_ppm(const wr_sim *s, const wr_sim_region *r);
/* wr_sim_window sums the last `seconds` (the running one included). */
wr_sim_count wr_sim_window(const wr_sim *s, const wr_sim_region *r, int seconds);

/* ---- quota.c ---- */
typedef struct wr_sim_quota {
	char name[WR_NAME_MAX + 33]; /* a tenant and its action */
	const char *layer;
	int64_t used, limit, percent_milli, burn_per_hour, exhaustion_milli, after_milli;
} wr_sim_quota;
#define WR_SIM_QUOTA_ROWS 8
/* wr_sim_quota_rows fills the rows of a region: fleet, cpu, each action, the fullest tenants. */
int wr_sim_quota_rows(const wr_sim *s, int region, wr_sim_quota rows[WR_SIM_QUOTA_ROWS]);
/* wr_sim_tenant_used: calls that a tenant made of one action this month, of WR_SIM_TENANT_LIMIT. */
#define WR_SIM_TENANT_LIMIT  10000
#define WR_SIM_TENANT_BURST  500
#define WR_SIM_TENANT_REFILL 100 /* tokens an hour */
#define WR_SIM_SHARD_TENANTS 100
int64_t wr_sim_tenant_used(const wr_sim *s, int64_t tenant, int action);

/* ---- model.c ---- */
wr_sim_role wr_sim_region_role(const wr_sim *s, int region); /* of its copy of record */
/* wr_sim_take adds to a carry and gives out the whole units. */
int64_t wr_sim_take(int64_t *carry, int64_t amount, int64_t unit);

#endif
