/* view.c: what a region's server says about itself. Pure; see view.h. */
#include "sim/view.h"

#include <stdio.h>

#include "sim/jw.h"
#include "sim/state.h"

#define OWN_WINDOW_S 10 /* the region's own error rate; shorter when it has just come up */

/* own_window: what happened before the region came up is not the running process's doing. */
static wr_sim_count own_window(const wr_sim *s, const wr_sim_region *r)
{
	int64_t up_s = (s->now_ms - r->up_since_ms) / 1000;
	return wr_sim_window(s, r, up_s < OWN_WINDOW_S ? (int)up_s : OWN_WINDOW_S);
}

static int64_t ppm_of(wr_sim_count c)
{
	return c.requests == 0 ? 0 : c.errors * WR_SIM_MILLION / c.requests;
}

static const char *status_of(const wr_sim_region *r, int64_t errors_ppm, int *http)
{
	*http = 200;
	if (r->ready_milli < 1000 || errors_ppm >= WR_SIM_MILLION / 2) {
		*http = 503;
		return r->ready_milli < 1000 ? "starting" : "failing";
	}
	if (r->draining) return "draining";
	if (r->util_milli > 1000) return "overloaded";
	return errors_ppm >= WR_SIM_MILLION / 20 || r->brownout_percent > 0 ? "degraded" : "ok";
}

static const char *role_of(const wr_sim *s, int region)
{
	switch (wr_sim_region_role(s, region)) {
	case WR_SIM_PRIMARY:
		return s->regions[region].fenced ? "read_only" : "primary";
	case WR_SIM_REPLICA:
		return "standby";
	case WR_SIM_PROMOTING:
		return "promoting";
	case WR_SIM_RESYNCING:
		return "resyncing";
	default:
		return "read_only";
	}
}

static void put_digest(const wr_sim *s, const wr_sim_region *r, wr_jw *w, const char *key)
{
	uint64_t seed = wr_sim_mix2(s->cfg.seed, r->other_build ? 2 : 1);
	uint8_t hash[WR_HASH_LEN];
	char hex[WR_HEX_LEN], text[sizeof "sha256:" + WR_HEX_LEN];
	wr_sha256(hash, &seed, sizeof seed);
	wr_hex(hex, hash, sizeof hash);
	snprintf(text, sizeof text, "sha256:%s", hex);
	wr_jw_str(w, key, text);
}

int wr_sim_view_health(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	int64_t errors = ppm_of(own_window(s, r));
	int http;
	const char *status = status_of(r, errors, &http);
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "status", status);
	wr_jw_str(&w, "region", r->name);
	wr_jw_str(&w, "role", role_of(s, q->region));
	wr_jw_bool(&w, "fenced", r->fenced);
	wr_jw_int(&w, "p95_ms", r->p95_us / 1000);
	wr_jw_fixed(&w, "error_rate", errors, 6);
	put_digest(s, r, &w, "build");
	wr_jw_int(&w, "up_ms", s->now_ms - r->up_since_ms);
	wr_jw_end(&w);
	return http;
}

int wr_sim_view_mesh(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	int64_t ready = r->ready_milli / 1000, target = wr_sim_replicas_target(r);
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_bool(&w, "healthy", ready > 0 && ready * 10 >= target * 8 && r->brownout_percent < 50);
	wr_jw_int(&w, "endpoints_ready", ready);
	wr_jw_int(&w, "endpoints_total", target);
	wr_jw_object(&w, "peers");
	for (int i = 0; i < s->cfg.region_count; i++) {
		if (i == q->region) continue;
		wr_jw_object(&w, s->regions[i].name);
		wr_jw_bool(&w, "reachable", wr_sim_connected(s, q->region, i));
		wr_jw_object_end(&w);
	}
	wr_jw_object_end(&w);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_control_plane(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	bool linked = false;
	for (int i = 0; i < s->cfg.region_count; i++)
		linked |= i != q->region && wr_sim_connected(s, q->region, i);
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_bool(&w, "ok", r->brownout_percent < 50);
	wr_jw_bool(&w, "frozen", r->frozen);
	wr_jw_bool(&w, "peers_reachable", linked);
	wr_jw_int(&w, "config_version", r->config_version);
	wr_jw_bool(&w, "config_current", r->config_version == s->config_version);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_ingress(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	int64_t errors = ppm_of(own_window(s, r));
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_bool(&w, "ok", errors < WR_SIM_MILLION / 20);
	wr_jw_fixed(&w, "error_rate", errors, 6);
	wr_jw_fixed(&w, "rps", r->demand_mrps, 3);
	wr_jw_bool(&w, "draining", r->draining);
	wr_jw_fixed(&w, "drained_percent", wr_sim_drained_ppm(s, r), 4);
	wr_jw_bool(&w, "buffering", r->buffering);
	wr_jw_int(&w, "buffered", r->buffered);
	wr_jw_int(&w, "buffer_limit", WR_SIM_BUFFER_MAX);
	wr_jw_fixed(&w, "buffer_percent", r->buffered * 100000 / WR_SIM_BUFFER_MAX, 3);
	wr_jw_end(&w);
	return 200;
}

static void put_burn(const wr_sim *s, const wr_sim_region *r, wr_jw *w, const char *key,
                     int seconds)
{
	wr_jw_fixed(w, key, ppm_of(wr_sim_window(s, r, seconds)) * 1000 / WR_SIM_SLO_PPM, 3);
}

int wr_sim_view_slo(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	wr_sim_count recent = wr_sim_window(s, r, 60);
	int64_t errors = 0;
	for (int k = 0; k < WR_SIM_R_COUNT; k++) errors += r->edge_errors[k];
	int64_t allowed = s->cfg.base_rps * 86400 * 30 * WR_SIM_SLO_PPM / WR_SIM_MILLION;
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", r->name);
	wr_jw_fixed(&w, "objective_percent", 999, 1);
	put_burn(s, r, &w, "burn_rate", 60);
	put_burn(s, r, &w, "burn_rate_5m", 300);
	put_burn(s, r, &w, "burn_rate_1h", 3600);
	wr_jw_int(&w, "requests_1m", recent.requests);
	wr_jw_int(&w, "errors_1m", recent.errors);
	wr_jw_fixed(&w, "budget_left_percent", (allowed - errors) * 100000 / allowed, 3);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_capacity(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	int64_t ready = r->ready_milli / 1000, target = wr_sim_replicas_target(r);
	int64_t room = wr_sim_capacity_mrps(s, q->region);
	int64_t after = room > 0 ? (room - s->load_mrps) * 1000 / room : -1000;
	int64_t now = room > 0 ? (room - r->demand_mrps) * 1000 / room : -1000;
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_fixed(&w, "ready_percent", ready * 1000 / target, 1);
	wr_jw_int(&w, "target_percent", r->target_percent);
	wr_jw_int(&w, "ready_of_full_percent", ready * 100 / WR_SIM_REPLICAS_FULL);
	wr_jw_int(&w, "replicas_ready", ready);
	wr_jw_int(&w, "replicas_target", target);
	wr_jw_int(&w, "replicas_full", WR_SIM_REPLICAS_FULL);
	wr_jw_fixed(&w, "headroom_percent", now, 1);
	wr_jw_fixed(&w, "headroom_after_shift_percent", after, 1);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_build(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", s->regions[q->region].name);
	put_digest(s, &s->regions[q->region], &w, "digest");
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_keys(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", r->name);
	wr_jw_bool(&w, "context_valid", !r->keys_bad);
	wr_jw_str(&w, "residency", wr_sim_residency(r->name));
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_state(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", r->name);
	wr_jw_str(&w, "role", role_of(s, q->region));
	wr_jw_bool(&w, "fenced", r->fenced);
	wr_jw_bool(&w, "frozen", r->frozen);
	wr_jw_bool(&w, "draining", r->draining);
	wr_jw_bool(&w, "drained", wr_sim_drained_ppm(s, r) == WR_SIM_MILLION);
	wr_jw_int(&w, "weight", r->weight);
	wr_jw_int(&w, "epoch", r->desk.epoch);
	wr_jw_int(&w, "commands", r->desk.commands);
	wr_jw_int(&w, "refused", r->desk.refused);
	wr_jw_object(&w, "links");
	for (int l = 0; l < s->cfg.link_count; l++) {
		const wr_sim_node *n = &s->links[l].nodes[q->region];
		wr_jw_object(&w, s->links[l].spec.name);
		wr_jw_str(&w, "state", wr_sim_role_name(n->role));
		wr_jw_bool(&w, "writable", wr_sim_writer(s, l) == q->region);
		wr_jw_str(&w, "follows", n->upstream == WR_SIM_NONE ? "" : s->regions[n->upstream].name);
		wr_jw_int(&w, "timeline", s->links[l].timeline);
		wr_jw_object_end(&w);
	}
	wr_jw_object_end(&w);
	wr_jw_int(&w, "receipts", r->chain.count);
	wr_jw_end(&w);
	return 200;
}
