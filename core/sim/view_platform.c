/* view_platform.c: what the control server shows: the truth about the whole platform, and the
 * provider's APIs. Pure; see view.h. */
#include "sim/jw.h"
#include "sim/state.h"
#include "sim/view.h"
#include "warroom/clock.h"

static void put_region(const wr_sim *s, int i, wr_jw *w)
{
	static const char *const reach[] = {
	    [WR_SIM_OPEN] = "open", [WR_SIM_CLOSED] = "closed", [WR_SIM_BLACKHOLE] = "blackhole"};
	const wr_sim_region *r = &s->regions[i];
	wr_jw_object(w, NULL);
	wr_jw_str(w, "name", r->name);
	wr_jw_bool(w, "up", r->up);
	wr_jw_str(w, "server", reach[wr_sim_region_reach(s, i)]);
	wr_jw_str(w, "role", wr_sim_role_name(wr_sim_region_role(s, i)));
	wr_jw_bool(w, "writable", wr_sim_writer(s, 0) == i);
	wr_jw_bool(w, "fenced", r->fenced);
	wr_jw_bool(w, "frozen", r->frozen);
	wr_jw_bool(w, "draining", r->draining);
	wr_jw_int(w, "weight", r->weight);
	wr_jw_fixed(w, "rps", r->client_mrps, 3);
	wr_jw_fixed(w, "utilisation", r->util_milli, 3);
	wr_jw_int(w, "p95_ms", r->p95_us / 1000);
	wr_jw_int(w, "replicas_ready", r->ready_milli / 1000);
	wr_jw_int(w, "replicas_target", wr_sim_replicas_target(r));
	wr_jw_int(w, "receipts", r->chain.count);
	wr_jw_int(w, "epoch", r->desk.epoch);
	wr_jw_int(w, "brownout_percent", r->brownout_percent);
	wr_jw_object_end(w);
}

static void put_links(const wr_sim *s, wr_jw *w)
{
	wr_jw_array(w, "links");
	for (int l = 0; l < s->cfg.link_count; l++) {
		const wr_sim_link *link = &s->links[l];
		for (int to = 0; to < s->cfg.region_count; to++) {
			if (to == link->primary) continue;
			wr_sim_lag lag;
			wr_sim_link_lag(s, l, to, WR_SIM_NONE, &lag);
			wr_jw_object(w, NULL);
			wr_jw_str(w, "name", link->spec.name);
			wr_jw_str(w, "from", s->regions[lag.from].name);
			wr_jw_str(w, "to", s->regions[to].name);
			wr_jw_str(w, "state", wr_sim_role_name(link->nodes[to].role));
			wr_jw_int(w, "timeline", link->timeline);
			wr_jw_bool(w, "connected", lag.connected);
			wr_jw_fixed(w, "lag_seconds", lag.lag_ms, 3);
			wr_jw_int(w, "lag_bytes", lag.bytes);
			wr_jw_int(w, "receipts_behind", link->of_record ? lag.receipts : 0);
			wr_jw_object_end(w);
		}
	}
	wr_jw_array_end(w);
}

static void put_clients(const wr_sim *s, wr_jw *w)
{
	int64_t requests = 0, bad = 0, errors[WR_SIM_R_COUNT] = {0};
	for (int i = 0; i < s->cfg.region_count; i++) {
		requests += s->regions[i].edge_requests;
		for (int k = 0; k < WR_SIM_R_COUNT; k++) {
			errors[k] += s->regions[i].edge_errors[k];
			bad += s->regions[i].edge_errors[k];
		}
	}
	wr_jw_object(w, "clients");
	wr_jw_fixed(w, "rps", s->load_mrps, 3);
	wr_jw_int(w, "requests", requests);
	wr_jw_int(w, "ok", requests - bad);
	wr_jw_int(w, "errors", bad);
	wr_jw_object(w, "errors_by_reason");
	for (int k = 0; k < WR_SIM_R_COUNT; k++) wr_jw_int(w, wr_sim_reason_name(k), errors[k]);
	wr_jw_object_end(w);
	wr_jw_object_end(w);
}

static void put_promotions(const wr_sim *s, wr_jw *w)
{
	int64_t n = s->promotion_count, k = n > WR_SIM_PROMOTIONS_MAX ? n - WR_SIM_PROMOTIONS_MAX : 0;
	wr_jw_array(w, "promotions");
	for (; k < n; k++) {
		const wr_sim_promotion *p = &s->promotions[k % WR_SIM_PROMOTIONS_MAX];
		wr_jw_object(w, NULL);
		wr_jw_str(w, "link", s->links[p->link].spec.name);
		wr_jw_str(w, "from", s->regions[p->from].name);
		wr_jw_str(w, "to", s->regions[p->to].name);
		wr_jw_fixed(w, "at_seconds", p->at_ms, 3);
		wr_jw_int(w, "timeline", p->timeline);
		wr_jw_fixed(w, "lost_seconds", p->lost_ms, 3);
		wr_jw_int(w, "lost_bytes", p->lost_bytes);
		wr_jw_int(w, "lost_receipts", p->lost_receipts);
		wr_jw_int(w, "first_lost_seq", p->lost_receipts > 0 ? p->first_lost_seq : -1);
		wr_jw_array(w, "lost_ids");
		for (int i = 0; i < p->lost_ids; i++) wr_jw_str(w, NULL, p->ids[i]);
		wr_jw_array_end(w);
		wr_jw_object_end(w);
	}
	wr_jw_array_end(w);
}

static void put_weights(const wr_sim *s, wr_jw *w)
{
	wr_jw_object(w, "weights");
	for (int i = 0; i < s->cfg.region_count; i++)
		wr_jw_int(w, s->regions[i].name, s->regions[i].weight);
	wr_jw_object_end(w);
}

int wr_sim_view_platform(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	char when[WR_TIME_LEN];
	wr_time_format(when, s->cfg.start_us + s->now_ms * 1000);
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "platform", s->cfg.platform);
	wr_jw_int(&w, "virtual_ms", s->now_ms);
	wr_jw_str(&w, "virtual_time", when);
	wr_jw_fixed(&w, "speed", q->speed_milli, 3);
	wr_jw_int(&w, "behind_ms", q->behind_ms);
	wr_jw_int(&w, "seed", (int64_t)s->cfg.seed);
	wr_jw_bool(&w, "observer_cut", wr_sim_observer_cut(s));
	wr_jw_array(&w, "regions");
	for (int i = 0; i < s->cfg.region_count; i++) put_region(s, i, &w);
	wr_jw_array_end(&w);
	put_links(s, &w);
	put_weights(s, &w);
	wr_jw_int(&w, "traffic_epoch", s->provider.epoch);
	wr_jw_int(&w, "traffic_changes", s->traffic_changes);
	put_clients(s, &w);
	put_promotions(s, &w);
	wr_jw_int(&w, "faults", s->fault_count);
	wr_jw_end(&w);
	return 200;
}

static const char *place_name(const wr_sim *s, int region)
{
	if (region == WR_SIM_OBSERVER) return "observer";
	return region == WR_SIM_NONE ? "" : s->regions[region].name;
}

int wr_sim_view_faults(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	(void)q;
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_array(&w, "faults");
	for (int k = 0; k < s->fault_count; k++) {
		const wr_sim_fault_entry *e = &s->faults[k];
		wr_jw_object(&w, NULL);
		wr_jw_int(&w, "id", e->id);
		wr_jw_str(&w, "kind", wr_sim_fault_name(e->spec.kind));
		wr_jw_str(&w, "region", place_name(s, e->spec.region));
		wr_jw_str(&w, "peer", place_name(s, e->spec.peer));
		if (e->spec.link != WR_SIM_NONE) wr_jw_str(&w, "link", s->links[e->spec.link].spec.name);
		wr_jw_int(&w, "value", e->spec.value);
		wr_jw_bool(&w, "active", e->active);
		wr_jw_int(&w, "start_ms", e->start_ms);
		if (e->end_ms >= 0) wr_jw_int(&w, "end_ms", e->end_ms);
		if (e->active && e->spec.kind == WR_SIM_F_CORRUPTION) wr_jw_int(&w, "seq", e->seq);
		wr_jw_object_end(&w);
	}
	wr_jw_array_end(&w);
	wr_jw_int(&w, "healed", s->healed);
	wr_jw_int(&w, "virtual_ms", s->now_ms);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_traffic(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	(void)q;
	wr_jw w;
	wr_jw_begin(&w, out);
	put_weights(s, &w);
	wr_jw_int(&w, "epoch", s->provider.epoch);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_fence(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", r->name);
	wr_jw_bool(&w, "fenced", r->fenced);
	wr_jw_bool(&w, "acknowledged", r->fenced);
	if (r->fenced) wr_jw_fixed(&w, "fenced_for_seconds", s->now_ms - r->fenced_ms, 3);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_inbox(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	int64_t n = s->message_count, k = n > WR_SIM_MESSAGES_KEPT ? n - WR_SIM_MESSAGES_KEPT : 0;
	(void)q;
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_int(&w, "count", n);
	wr_jw_array(&w, "messages");
	for (; k < n; k++) {
		const wr_sim_message *m = &s->inbox[k % WR_SIM_MESSAGES_KEPT];
		wr_jw_object(&w, NULL);
		wr_jw_int(&w, "virtual_ms", m->at_ms);
		wr_jw_str(&w, "text", m->text);
		wr_jw_object_end(&w);
	}
	wr_jw_array_end(&w);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_healthz(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	(void)q;
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "status", "ok");
	wr_jw_str(&w, "platform", s->cfg.platform);
	wr_jw_end(&w);
	return 200;
}
