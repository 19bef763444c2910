/* view.h: what the servers answer to GET, as pure functions of the state.
 *
 * Each view appends one JSON object (or the metrics text) to a buffer and returns the HTTP status.
 * It changes nothing, so asking never disturbs a run. */
#ifndef WR_SIM_VIEW_H
#define WR_SIM_VIEW_H

#include "sim/model.h"

#define WR_SIM_RECEIPTS_PAGE 400   /* most receipts of one answer: stays below 256 KiB */
#define WR_SIM_TENANTS_PAGE  10000 /* most tenants of one answer */
#define WR_SIM_VIEW_MAX      (8u << 20)

typedef struct wr_sim_query {
	int region;                     /* whose server; on the control server the `region` asked for */
	int64_t since, limit, tenants;  /* -1: not given */
	int link, from, to;             /* WR_SIM_NONE: not given */
	int64_t speed_milli, behind_ms; /* of the shell, for /v1/platform */
} wr_sim_query;

typedef int (*wr_sim_view)(const wr_sim *s, const wr_sim_query *q, wr_buf *out);

/* A region's server. */
int wr_sim_view_health(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_mesh(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_control_plane(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_ingress(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_slo(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_metrics(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_replication(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_capacity(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_quota(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_receipts(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_build(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_keys(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_backups(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_state(const wr_sim *s, const wr_sim_query *q, wr_buf *out);

/* The control server. */
int wr_sim_view_platform(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_faults(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_traffic(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_fence(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_inbox(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_healthz(const wr_sim *s, const wr_sim_query *q, wr_buf *out);
int wr_sim_view_platform_metrics(const wr_sim *s, const wr_sim_query *q, wr_buf *out);

#endif
