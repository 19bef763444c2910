/* model.h: the configuration, as validated structs, read from YAML.
 *
 * All strings are owned by the wr_config (one arena) and valid until wr_config_free; immutable
 * after loading, so every thread may read it. Durations in milliseconds. Secrets appear only as
 * references
 * ${env:NAME} and ${file:PATH} inside header values, URLs of notify channels and exec env; they
 * stay references here and in plans, and are expanded with wr_secret_expand only when used. */
#ifndef WARROOM_MODEL_H
#define WARROOM_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "warroom/buf.h"
#include "warroom/expr.h"
#include "warroom/limits.h"

typedef struct wr_pair {
	const char *key, *value;
} wr_pair;

typedef enum wr_role { WR_PRIMARY, WR_STANDBY, WR_WITNESS } wr_role;

typedef struct wr_region {
	const char *name;
	wr_role role;          /* at set-up; the current role is folded from the ledger */
	const char *residency; /* "us"; "" if not said */
	const wr_pair *vars;   /* ${from.NAME} / ${to.NAME} in runbooks */
	size_t var_count;
} wr_region;

typedef struct wr_service {
	const char *name;
	const char *group; /* service group: one operation at a time; default "main" */
	int tier;          /* 0..3 */
	int64_t rto_ms, rpo_ms;
	const char *const *regions;
	size_t region_count;
} wr_service;

/* Where a value comes from. */
typedef enum wr_probe_kind {
	WR_PROBE_HTTP,
	WR_PROBE_SCRAPE,
	WR_PROBE_PROMQL,
	WR_PROBE_EXEC,
	WR_PROBE_FED /* nothing is probed: a part of the engine brings the samples */
} wr_probe_kind;

typedef struct wr_probe {
	wr_probe_kind kind;
	const char *url;    /* http, scrape: the page; promql: the server's base URL */
	const char *method; /* http: GET (default), HEAD, POST */
	const char *body;   /* http POST; "" none */
	const wr_pair *headers;
	size_t header_count;
	const char *ca_file;   /* PEM, or "" for the system's */
	bool insecure;         /* tls verification off; config check warns */
	const char *pointer;   /* http, exec: RFC 6901 into the JSON body; "" : no body value */
	const char *metric;    /* scrape: metric name */
	const wr_pair *labels; /* scrape: labels that must match */
	size_t label_count;
	const char *query;       /* promql */
	const char *const *argv; /* exec; NULL-terminated */
	size_t argc;
	const wr_pair *env; /* exec */
	size_t env_count;
} wr_probe;

/* DESIGN.md section 2, plus reference: the observer's own proof that it can see the world. */
#define WR_CLASSES(X)                                                                              \
	X(SYNTHETIC, "synthetic", "syn")                                                               \
	X(SLO_BURN, "slo_burn", "slo")                                                                 \
	X(CONTROL_PLANE, "control_plane", "ctl")                                                       \
	X(MESH, "mesh", "mesh")                                                                        \
	X(INGRESS, "ingress", "ing")                                                                   \
	X(REPLICATION, "replication", "rep")                                                           \
	X(LEDGER, "ledger", "led")                                                                     \
	X(REFERENCE, "reference", "ref")
typedef enum wr_class {
#define X(id, name, abbr) WR_CLASS_##id,
	WR_CLASSES(X)
#undef X
	    WR_CLASS_COUNT
} wr_class;
const char *wr_class_name(wr_class c);
const char *wr_class_abbr(wr_class c);

typedef struct wr_signal {
	const char *name;
	const char *region;   /* "" for references */
	const char *service;  /* or "" */
	const char *observer; /* default: the config's observer */
	wr_class signal_class;
	wr_probe probe;
	int64_t interval_ms, timeout_ms;
	int breach_after, clear_after; /* consecutive samples */
	const wr_expr *breach_when; /* default "error or status >= 400" for http, "error" otherwise */
} wr_signal;

/* A replication link, one direction. Each measure is a probe of its own or absent. */
typedef struct wr_link {
	const char *name, *kind; /* kind: postgres, redis, queue, object, custom */
	const char *from, *to;
	const char *service; /* or "" */
	int64_t rpo_ms;
	bool sync; /* commits wait for the other side */
	bool has_seconds, has_bytes, has_receipts, has_state;
	wr_probe seconds;  /* value: seconds behind */
	wr_probe bytes;    /* value: bytes behind */
	wr_probe receipts; /* value: number of receipts or rows at risk (a JSON array: its length, names
	                      kept) */
	wr_probe state;    /* value: text or truth; healthy when `state_ok` holds */
	const wr_expr *state_ok;
	int64_t interval_ms, timeout_ms;
} wr_link;

/* A fact about a region that a guard needs. kinds: capacity (value: percent ready), quota (value:
 * percent used after the shift), build (value: digest text, compared between the regions), keys
 * (truth), backup (value: age in seconds), chain (truth: the platform's receipt chain verified),
 * freeze (truth: a change freeze is on), custom. */
#define WR_FACTS(X)                                                                                \
	X(CAPACITY, "capacity")                                                                        \
	X(QUOTA, "quota")                                                                              \
	X(BUILD, "build")                                                                              \
	X(KEYS, "keys") X(BACKUP, "backup") X(CHAIN, "chain") X(FREEZE, "freeze") X(CUSTOM, "custom")
typedef enum wr_fact_kind {
#define X(id, name) WR_FACT_##id,
	WR_FACTS(X)
#undef X
	    WR_FACT_COUNT
} wr_fact_kind;
const char *wr_fact_kind_name(wr_fact_kind k);

typedef struct wr_fact {
	const char *name;
	const char *region;
	wr_fact_kind kind;
	wr_probe probe;
	const wr_expr *need; /* must hold; defaults: capacity "value >= 80", quota "value <= 90",
	                        keys/chain "value == true" */
	int64_t interval_ms, timeout_ms;
} wr_fact;

typedef struct wr_quota {
	const char *name, *layer; /* layer: fleet, action, tenant, region */
	const char *region;       /* or "" */
	bool has_after;
	wr_probe percent;     /* value: percent used */
	wr_probe after_shift; /* value: percent used after the shift */
	double alert_percent; /* default 80 */
	int64_t interval_ms, timeout_ms;
} wr_quota;

typedef enum wr_traffic_kind {
	WR_TRAFFIC_HAPROXY,
	WR_TRAFFIC_HTTP,
	WR_TRAFFIC_EXEC
} wr_traffic_kind;

typedef struct wr_traffic {
	const char *name;
	wr_traffic_kind kind;
	const char
	    *address; /* haproxy: "unix:/path" or "tcp:127.0.0.1:9999"; http: URL for GET and POST */
	const char *backend;    /* haproxy */
	const wr_pair *servers; /* haproxy: region → server name in the backend */
	size_t server_count;
	const wr_pair *headers;
	size_t header_count;
	const char *const *get_argv,
	    *const *set_argv;       /* exec: get prints {"weights":{…}}; set gets it on stdin */
	const char *const *regions; /* that take traffic here */
	size_t region_count;
	int ttl_s;
	int64_t interval_ms, timeout_ms; /* of watching the weights */
} wr_traffic;

/* ---- runbooks ---- */
#define WR_STEP_KINDS(X)                                                                           \
	X(HTTP, "http")                                                                                \
	X(EXEC, "exec")                                                                                \
	X(TRAFFIC, "traffic") X(WAIT, "wait") X(SOAK, "soak") X(MANUAL, "manual") X(NOTIFY, "notify")
typedef enum wr_step_kind {
#define X(id, name) WR_STEP_##id,
	WR_STEP_KINDS(X)
#undef X
	    WR_STEP_KIND_COUNT
} wr_step_kind;
const char *wr_step_kind_name(wr_step_kind k);

typedef enum wr_step_class { WR_IDEMPOTENT, WR_PROBEABLE, WR_OPAQUE } wr_step_class;
typedef enum wr_on_failure {
	WR_FAIL_HOLD,
	WR_FAIL_ROLLBACK,
	WR_FAIL_ABORT,
	WR_FAIL_CONTINUE
} wr_on_failure;
#define WR_PHASES(X)                                                                               \
	X(OTHER, "other")                                                                              \
	X(PROVE, "prove")                                                                              \
	X(FREEZE, "freeze")                                                                            \
	X(FENCE, "fence")                                                                              \
	X(DRAIN, "drain")                                                                              \
	X(PROMOTE, "promote")                                                                          \
	X(SCALE, "scale")                                                                              \
	X(SHIFT, "shift")                                                                              \
	X(SOAK, "soak")                                                                                \
	X(VERIFY, "verify")                                                                            \
	X(ANNOUNCE, "announc"                                                                          \
	            "e")
typedef enum wr_phase {
#define X(id, name) WR_PHASE_##id,
	WR_PHASES(X)
#undef X
	    WR_PHASE_COUNT
} wr_phase;
const char *wr_phase_name(wr_phase p);

typedef struct wr_weight {
	const char *region; /* may be "${from}" or "${to}" */
	int percent;
} wr_weight;

/* One effect. Only the members of its kind are set. Strings may hold ${from}, ${to} (region names),
 * ${from.VAR}, ${to.VAR}, ${var.NAME} (top-level vars), resolved when the plan is made. */
typedef struct wr_action {
	wr_step_kind kind;
	wr_probe http; /* http: method, url, headers, body, pointer; also exec: argv, env */
	int expect_status[8];
	size_t expect_count;   /* 0: any 2xx */
	const wr_expr *expect; /* over value, status, exit_code; or NULL */
	const char *cwd;
	const char *traffic; /* provider name */
	wr_weight weights[WR_MAX_REGIONS];
	size_t weight_count;
	const wr_expr *until;      /* wait: over its probe (http or exec, in .http) */
	int64_t every_ms, hold_ms; /* wait: polling; how long it must hold */
	int64_t duration_ms;       /* soak */
	const char *const
	    *gates; /* soak: names of signals that must stay clear; empty: all of the target's */
	size_t gate_count;
	int min_samples;            /* soak: per gate signal; default 5 */
	const char *ask;            /* manual */
	const char *channel, *text; /* notify */
} wr_action;

typedef struct wr_step {
	const char *name; /* unique in the runbook */
	wr_phase phase;
	const char *why, *look_at, *danger, *go_back; /* the walkthrough's texts; "" if absent */
	wr_action action;
	wr_step_class step_class;
	int64_t timeout_ms;
	int retries;
	int64_t backoff_ms;
	wr_on_failure on_failure;
	bool has_rollback, has_probe;
	wr_action rollback; /* undo, for done steps in reverse order */
	wr_action probe;    /* wait-shaped: `until` true = done, false = not done */
	int64_t usual_ms;   /* stated; past runs override it later */
	bool optional;      /* skipped steps do not fail the operation: on_failure continue */
	unsigned line;
} wr_step;

#define WR_RUNBOOK_KINDS(X) X(FAILOVER, "failover") X(FAILBACK, "failback") X(OTHER, "other")
typedef enum wr_runbook_kind {
#define X(id, name) WR_RB_##id,
	WR_RUNBOOK_KINDS(X)
#undef X
} wr_runbook_kind;
const char *wr_runbook_kind_name(wr_runbook_kind k);

typedef struct wr_runbook {
	const char *name, *title, *owner, *reviewed;
	wr_runbook_kind kind;
	const char *group; /* service group; default "main" */
	const char *const *prerequisites;
	size_t prerequisite_count;
	const wr_step *steps;
	size_t step_count;
	const char *file; /* it was read from */
	unsigned line;
} wr_runbook;

/* ---- people ---- */
typedef struct wr_operator {
	const char *principal; /* in allowed_signers */
	const char *name;
	const char *const *roles;
	size_t role_count;
	const char *key_file; /* sealed key on this machine, or "" */
} wr_operator;

typedef enum wr_assurance { WR_SHARED_TERMINAL, WR_SEPARATE_SESSION, WR_OWN_DEVICE } wr_assurance;
const char *wr_assurance_name(wr_assurance a);
WR_CHECKED int wr_assurance_parse(const char *s, wr_assurance *out);

typedef struct wr_approval_policy {
	const char *const
	    *roles; /* role groups, AND: one distinct person for each; at least two people in all */
	size_t role_count;
	wr_assurance least;
	int64_t expires_ms; /* <= 15 min */
} wr_approval_policy;

typedef struct wr_notify {
	const char *name, *kind; /* kind: webhook (JSON {"text":…}), slack, pagerduty */
	const char *url;
	const wr_pair *headers;
	size_t header_count;
} wr_notify;

/* A chain of the platform's own receipts, of one region (ledger.foreign). The fact of the same name
 * is of it, and the signal unless it has none. */
typedef struct wr_foreign_chain {
	const char *name;
	const char *region;
	const struct wr_profile *profile;
	const char *source; /* an absolute path, or a URL */
	int64_t every_ms, audit_every_ms;
	int64_t fresh_ms; /* its newest record is at most so old; 0: whatever its age */
	bool signal;
} wr_foreign_chain;

/* ledger.export: where the day's new receipts go. */
typedef struct wr_export_plan {
	int64_t at_ms;   /* of the day, UTC */
	int64_t keep_ms; /* 0: for ever */
	const char *dir; /* absolute; "": to the store below */
	/* an HTTP store; S3-compatible if it has keys. Objects are <url>/<bucket>/<prefix>/… */
	const char *url, *bucket, *prefix, *region;
	const char *access_key, *secret_key, *session_token; /* ${env:…} or ${file:…}; or "" */
	const char *tls_ca;                                  /* PEM, or "" for the system's */
	int64_t timeout_ms;                                  /* of one file */
} wr_export_plan;

/* ledger.anchor: who stamps the checkpoints (RFC 3161). */
typedef struct wr_anchor_plan {
	const char *url;
	const char *ca_file; /* PEM: whom the stamps must lead to */
	const char *tls_ca;
	int64_t every_ms, timeout_ms;
} wr_anchor_plan;

typedef struct wr_config {
	const char *path, *dir; /* of the file; relative paths in it are resolved against dir at load */
	uint8_t hash[32];       /* SHA-256 over the file and every runbook file it names, in order */
	const char *platform;
	const char *observer;
	/* engine */
	const char *socket;       /* Unix socket path; mode 0660 */
	const char *socket_group; /* or "" */
	int64_t tick_ms;          /* 250 by default */
	/* ledger */
	const char *ledger_dir, *partition, *stream;
	const char *engine_key; /* path of the engine's Ed25519 key, created 0600 if missing */
	const wr_foreign_chain *foreign;
	size_t foreign_count;
	const wr_export_plan *ledger_export; /* or NULL */
	const wr_anchor_plan *ledger_anchor; /* or NULL */
	/* verdict rules (H2) */
	int min_classes;      /* 2 */
	int64_t sustained_ms; /* 5 min for a regional outage */
	int64_t
	    stale_after_ms;  /* a signal with no sample for so long is UNKNOWN; default 3 intervals */
	int64_t cooldown_ms; /* between operations of a group */
	const wr_region *regions;
	size_t region_count;
	const wr_service *services;
	size_t service_count;
	const wr_signal *signals; /* references too (class reference, region "") */
	size_t signal_count;
	const wr_link *links;
	size_t link_count;
	const wr_fact *facts;
	size_t fact_count;
	const wr_quota *quotas;
	size_t quota_count;
	const wr_traffic *traffic;
	size_t traffic_count;
	const wr_runbook *runbooks;
	size_t runbook_count;
	const wr_pair *vars;
	size_t var_count;
	/* people */
	const char *allowed_signers; /* path */
	const wr_operator *operators;
	size_t operator_count;
	wr_approval_policy approve_failover, approve_failback, approve_other;
	const char *const *advisory_guards; /* guard names that may be NO DATA without blocking */
	size_t advisory_count;
	const wr_pair *residency_allow; /* key → value: data may move from residency to residency */
	size_t residency_allow_count;
	const wr_pair *deny_failover; /* service (or group) → target region, never */
	size_t deny_failover_count;
	const wr_notify *notify;
	size_t notify_count;
	struct wr_arena *arena;
} wr_config;

/* One finding of a load or check: where, which key, what was expected. */
typedef struct wr_finding {
	bool is_error; /* else a warning */
	char file[256];
	unsigned line, column;
	char key[128]; /* "signals[3].interval" */
	char text[384];
} wr_finding;

typedef struct wr_findings {
	wr_finding *items; /* at most 200; then `more` counts the rest */
	size_t count, errors, warnings, more;
} wr_findings;

/* wr_config_load reads and validates; all errors and warnings are collected in *f (never NULL; free
 * with wr_findings_free). NULL when there is any error. */
WR_CHECKED wr_config *wr_config_load(const char *path, wr_findings *f);
void wr_config_free(wr_config *c);
void wr_findings_free(wr_findings *f);
void wr_findings_print(const wr_findings *f, FILE *out); /* "file:line: key: text" lines */

/* Look-ups; NULL when absent. */
const wr_region *wr_config_region(const wr_config *c, const char *name);
const wr_operator *wr_config_operator(const wr_config *c, const char *principal);
const wr_runbook *wr_config_runbook(const wr_config *c, const char *name);
/* The only runbook of that kind for the group (NULL if none or several and name is NULL). */
const wr_runbook *wr_config_runbook_for(const wr_config *c, wr_runbook_kind kind,
                                        const char *group);
const wr_traffic *wr_config_traffic(const wr_config *c, const char *name);
const wr_notify *wr_config_notify(const wr_config *c, const char *name);

/* wr_secret_expand copies `text` into `out` with ${env:} and ${file:} replaced (file: WR_PRIVATE
 * trust, one trailing newline cut). Wipe `out` afterwards. */
WR_CHECKED int wr_secret_expand(wr_buf *out, const char *text, wr_err *err);
/* wr_secret_find looks from `*at` for the next ${env:…} or ${file:…}: its offset, and its length up
 * to and with "}"; false when there is none. */
bool wr_secret_find(const char *text, size_t *at, size_t *len);
/* wr_template_expand replaces ${from}, ${to}, ${from.X}, ${to.X}, ${var.X}; leaves ${env:…},
 * ${file:…} alone; any other ${…} is an error. from/to may be NULL (then their use is an error). */
WR_CHECKED int wr_template_expand(wr_buf *out, const char *text, const wr_config *c,
                                  const wr_region *from, const wr_region *to, wr_err *err);

#endif
