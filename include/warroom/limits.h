/* limits.h: every bound in the program, each with its reason. */
#ifndef WARROOM_LIMITS_H
#define WARROOM_LIMITS_H

#define WR_MAX_REGIONS   16   /* a plan and a screen stay readable; guards are per pair */
#define WR_MAX_SERVICES  128  /* 100 services is the largest platform of the requirements */
#define WR_MAX_SIGNALS   4096 /* 1,000 probes at 1 s is the target, with room for growth */
#define WR_MAX_LINKS     256  /* replication links */
#define WR_MAX_QUOTAS    256  /* configured quota rows; tenants are aggregated by the source */
#define WR_MAX_RUNBOOKS  64
#define WR_MAX_STEPS     64 /* per runbook: more cannot be read by two people in a hurry */
#define WR_MAX_OPERATORS 256
#define WR_MAX_ROLES     8  /* per operator */
#define WR_MAX_ARGV      64 /* per exec */
#define WR_MAX_HEADERS   16 /* per http step */
#define WR_MAX_TRAFFIC   16
#define WR_MAX_NOTIFY    16
#define WR_NAME_MAX      63   /* names of regions, services, steps …: fits a column */
#define WR_STR_MAX       2047 /* any configured string: a URL, a reason, a why */

#define WR_CONFIG_MAX                                                                              \
	(1u << 20) /* a config is written by people; 100 MB is an attack or a mistake */
#define WR_YAML_DEPTH_MAX 32
#define WR_YAML_NODES_MAX 100000 /* alias expansion is refused; this bounds plain size too */
#define WR_YAML_MAP_MAX   1024   /* keys in one mapping: duplicates are found by looking at each */
#define WR_MODEL_BYTES_MAX                                                                         \
	(64u << 20) /* memory of one loaded configuration: the largest sensible one needs 10 MB */
#define WR_FINDINGS_MAX 200  /* more errors than anybody reads; the rest are counted */
#define WR_MAX_FOREIGN  32   /* chains of other software: each is read by a thread of its own */
#define WR_MAX_FACTS    1024 /* eight kinds for every region and some services */
#define WR_MAX_VARS     256
#define WR_MAX_LIST     64 /* any other configured list: roles, gates, prerequisites, pairs */

#define WR_BODY_MAX                                                                                \
	(256u << 10) /* a probe's body: enough for a metrics page, bounded against floods */
#define WR_JSON_DEPTH_MAX  32          /* also what RFC 8785 input we accept nests to */
#define WR_STEP_OUTPUT_MAX (16u << 10) /* kept of a step's output: the tail that people read */
#define WR_EXEC_OUTPUT_MAX (256u << 10)

#define WR_RECEIPT_MAX        (60u << 10) /* E, DESIGN.md section 6 */
#define WR_RECEIPT_FIELDS_MAX 64
#define WR_SEGMENT_MAX        (64u << 20) /* bytes of one ledger segment */
#define WR_BLOB_MAX           (8u << 20)  /* plans and evidence */

#define WR_API_BODY_MAX        (64u << 10) /* an approval is under 4 KiB */
#define WR_API_CONNECTIONS_MAX 1500        /* 1,000 idle clients must not shut anyone out */
#define WR_API_IDLE_S          30

#define WR_SSHSIG_MAX     (16u << 10) /* armoured SSHSIG; ed25519 and sk are under 1 KiB */
#define WR_SIGNERS_MAX    (256u << 10)
#define WR_MAX_SIGNERS    1024 /* entries: a few keys for each operator */
#define WR_PASSPHRASE_MAX 512
#define WR_SECRET_MAX     4096 /* ${file:} and ${env:} values */

#define WR_APPROVAL_EXPIRY_MAX_S 900  /* DESIGN.md section 7: at most 15 minutes */
#define WR_EVENTS_MAX            4096 /* bounded queues between threads */

#endif
