/* model.h: the simulated platform, as a pure function of its seed and its inputs.
 *
 * wr_sim holds the whole platform. It knows no clock, file, socket or thread: time comes in through
 * wr_sim_step, faults through wr_sim_fault, what operators do through wr_sim_command. All of it is
 * integer arithmetic, with a generator of its own inside the state, so the same seed and the same
 * inputs at the same virtual times give the same run bit for bit, on any compiler. Not thread-safe;
 * the HTTP shell (http.h) guards it with one mutex. */
#ifndef WR_SIM_MODEL_H
#define WR_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/platform.h"
#include "warroom/buf.h"

#define WR_SIM_TICK_MS    100
#define WR_SIM_NONE       (-1) /* no region, peer or link named */
#define WR_SIM_OBSERVER   (-2) /* "observer" named as a region of a partition */
#define WR_SIM_FAULTS_MAX 128  /* active and scheduled together */
#define WR_SIM_KEYS_MAX   256  /* idempotency keys remembered by a server, oldest forgotten */
#define WR_SIM_KEY_LEN    128
#define WR_SIM_ANSWER_MAX 2048 /* six links with the longest names fit */

typedef struct wr_sim wr_sim;

WR_CHECKED wr_sim *wr_sim_new(const wr_sim_config *cfg, wr_err *err);
void wr_sim_free(wr_sim *s); /* NULL is fine */
/* wr_sim_step advances virtual time in ticks of WR_SIM_TICK_MS; a rest is kept for the next call.
 */
void wr_sim_step(wr_sim *s, int64_t dt_ms);
int64_t wr_sim_now_ms(const wr_sim *s);
int wr_sim_region_count(const wr_sim *s);
const char *wr_sim_region_name(const wr_sim *s, int region);
/* wr_sim_find_region and _link: the index, or WR_SIM_NONE. */
int wr_sim_find_region(const wr_sim *s, const char *name);
int wr_sim_find_link(const wr_sim *s, const char *name);

/* ---- faults ---- */
#define WR_SIM_FAULTS(X)                                                                           \
	X(REGION_DOWN, "region_down") /* value 1: accepts and never answers */                         \
	X(BROWNOUT, "brownout")       /* value: percent of errors; slow too */                         \
	X(PARTITION, "partition")     /* region and peer, all peers, or the observer */                \
	X(LAG, "lag")                 /* value: seconds that a replica falls behind */                 \
	X(CORRUPTION, "corruption")   /* value: receipts behind the head of the flipped one */         \
	X(LOAD, "load")               /* value: percent of the usual client load */                    \
	X(BUILD, "build")             /* the region runs another build */                              \
	X(KEYS, "keys")               /* the region's encryption context is not valid */               \
	X(QUOTA, "quota")             /* value: percent that the quotas show at least */               \
	X(HEAL, "heal")               /* value 1: forget what is scheduled too */
typedef enum wr_sim_fault_kind {
#define X(id, name) WR_SIM_F_##id,
	WR_SIM_FAULTS(X)
#undef X
	    WR_SIM_F_COUNT
} wr_sim_fault_kind;
const char *wr_sim_fault_name(wr_sim_fault_kind k);
/* wr_sim_fault_parse: -1 when there is no such kind. */
WR_CHECKED int wr_sim_fault_parse(const char *name, wr_sim_fault_kind *out);

typedef struct wr_sim_fault_spec {
	wr_sim_fault_kind kind;
	int region; /* index, WR_SIM_NONE or WR_SIM_OBSERVER */
	int peer;
	int link;                      /* lag: one link; WR_SIM_NONE: all */
	int64_t value;                 /* -1: the kind's default */
	int64_t after_ms, duration_ms; /* 0: at once; until healed */
} wr_sim_fault_spec;

/* wr_sim_fault injects or schedules one; *id (may be NULL) names it. WR_E_INVALID when the region,
 * peer or value does not fit the kind, WR_E_LIMIT when WR_SIM_FAULTS_MAX are waiting. */
WR_CHECKED int wr_sim_fault(wr_sim *s, const wr_sim_fault_spec *f, int64_t *id, wr_err *err);

/* ---- what a region's server does to its callers ---- */
typedef enum wr_sim_reach { WR_SIM_OPEN, WR_SIM_CLOSED, WR_SIM_BLACKHOLE } wr_sim_reach;
wr_sim_reach wr_sim_region_reach(const wr_sim *s, int region);
/* wr_sim_observer_cut: is the observer cut off from every region (and the provider's APIs)? */
bool wr_sim_observer_cut(const wr_sim *s);
/* wr_sim_request_fails draws, for the request numbered `nonce`, whether a brownout eats it. */
bool wr_sim_request_fails(const wr_sim *s, int region, uint64_t nonce);
/* wr_sim_request_delay_ms: virtual milliseconds that a brownout makes each caller wait. */
int64_t wr_sim_request_delay_ms(const wr_sim *s, int region);

/* wr_sim_deliver keeps a message that somebody sent to the platform's inbox (sanitised, cut). */
void wr_sim_deliver(wr_sim *s, const char *text);

/* ---- commands ---- */
typedef enum wr_sim_op {
	WR_SIM_OP_FREEZE,
	WR_SIM_OP_UNFREEZE,
	WR_SIM_OP_DRAIN,
	WR_SIM_OP_UNDRAIN,
	WR_SIM_OP_BUFFER,
	WR_SIM_OP_UNBUFFER,
	WR_SIM_OP_PROMOTE,
	WR_SIM_OP_DEMOTE,
	WR_SIM_OP_RESYNC,
	WR_SIM_OP_SCALE,
	WR_SIM_OP_VERIFY,
	WR_SIM_OP_TRAFFIC, /* from here on: the provider's, sent to the control server */
	WR_SIM_OP_FENCE,
	WR_SIM_OP_UNFENCE,
	WR_SIM_OP_COUNT
} wr_sim_op;

typedef struct wr_sim_command {
	wr_sim_op op;
	int region;                      /* whose server was asked; fence, unfence: the target */
	int link;                        /* promote, demote, resync; WR_SIM_NONE: all */
	int from;                        /* resync */
	int percent;                     /* scale */
	int weights[WR_SIM_REGIONS_MAX]; /* traffic */
	bool has_epoch;
	int64_t epoch;
	char key[WR_SIM_KEY_LEN + 1]; /* idempotency key; "" none */
	uint8_t fingerprint[32];      /* of the request, to tell a reused key from a retry */
} wr_sim_command;

typedef struct wr_sim_answer {
	int status; /* HTTP */
	bool replayed;
	size_t len;
	char body[WR_SIM_ANSWER_MAX]; /* one JSON object */
} wr_sim_answer;

/* wr_sim_run_command carries out one command: epoch first, then the key, then the deed. */
void wr_sim_run_command(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out);

#endif
