/* view_data.c: a region's replication, quotas and receipts. Pure; see view.h. */
#include <stdio.h>

#include "sim/jw.h"
#include "sim/state.h"
#include "sim/view.h"

#define RECEIPTS_DEFAULT 100
#define BACKUP_RECORD_S  3600  /* the link of record is backed up hourly … */
#define BACKUP_OTHER_S   21600 /* … the others every six hours */
#define BACKUP_KEPT_DAYS 30

static void put_at_risk(const wr_sim *s, const wr_sim_lag *lag, wr_jw *w)
{
	const wr_sim_chain *c = &s->regions[lag->from].chain;
	wr_jw_array(w, "at_risk");
	for (int64_t i = 0; lag->first_seq >= 0 && i < lag->receipts && i < WR_SIM_AT_RISK_MAX; i++) {
		const wr_sim_receipt *r = wr_sim_chain_at(c, lag->first_seq + i);
		if (r == NULL) break;
		char id[WR_UUID_LEN];
		wr_sim_receipt_id(s, r, lag->first_seq + i, id);
		wr_jw_str(w, NULL, id);
	}
	wr_jw_array_end(w);
}

static void put_link(const wr_sim *s, int l, int to, int viewer, wr_jw *w)
{
	const wr_sim_link *link = &s->links[l];
	wr_sim_lag lag;
	wr_sim_link_lag(s, l, to, viewer, &lag);
	wr_jw_object(w, NULL);
	wr_jw_str(w, "name", link->spec.name);
	wr_jw_str(w, "from", s->regions[lag.from].name);
	wr_jw_str(w, "to", s->regions[to].name);
	wr_jw_str(w, "state", wr_sim_role_name(link->nodes[to].role));
	wr_jw_bool(w, "connected", lag.connected);
	wr_jw_fixed(w, "contact_age_seconds", lag.contact_ms, 3);
	wr_jw_fixed(w, "lag_seconds", lag.lag_ms, 3);
	wr_jw_int(w, "lag_bytes", lag.bytes);
	wr_jw_int(w, "receipts_behind", link->of_record ? lag.receipts : 0);
	if (link->of_record)
		put_at_risk(s, &lag, w);
	else {
		wr_jw_array(w, "at_risk");
		wr_jw_array_end(w);
	}
	wr_jw_object_end(w);
}

static bool asked(const wr_sim *s, const wr_sim_query *q, int l, int to)
{
	int from = s->links[l].primary;
	if (to == from) return false;
	if (q->region >= 0 && from != q->region && to != q->region) return false;
	return (q->link == WR_SIM_NONE || q->link == l) &&
	       (q->from == WR_SIM_NONE || q->from == from) && (q->to == WR_SIM_NONE || q->to == to);
}

int wr_sim_view_replication(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	wr_jw w;
	wr_jw_begin(&w, out);
	if (q->region >= 0) wr_jw_str(&w, "region", s->regions[q->region].name);
	wr_jw_array(&w, "links");
	for (int l = 0; l < s->cfg.link_count; l++)
		for (int to = 0; to < s->cfg.region_count; to++)
			if (asked(s, q, l, to)) put_link(s, l, to, q->region, &w);
	wr_jw_array_end(&w);
	wr_jw_end(&w);
	return 200;
}

static void put_quota(const wr_sim_quota *r, wr_jw *w)
{
	wr_jw_object(w, NULL);
	wr_jw_str(w, "name", r->name);
	wr_jw_str(w, "layer", r->layer);
	wr_jw_int(w, "used", r->used);
	wr_jw_int(w, "limit", r->limit);
	wr_jw_fixed(w, "percent", r->percent_milli, 3);
	wr_jw_int(w, "burn_per_hour", r->burn_per_hour);
	wr_jw_fixed(w, "exhaustion_hours", r->exhaustion_milli, 3);
	wr_jw_fixed(w, "after_shift_percent", r->after_milli, 3);
	wr_jw_object_end(w);
}

static const char *decision(int64_t used)
{
	if (used >= WR_SIM_TENANT_LIMIT) return "DENY";
	return used * 10 >= WR_SIM_TENANT_LIMIT * INT64_C(8) ? "THROTTLE" : "ALLOW";
}

static void put_tenants(const wr_sim *s, int64_t count, wr_jw *w)
{
	wr_jw_array(w, "tenants");
	for (int64_t t = 0; t < count && t < s->cfg.tenants; t++) {
		for (int a = 0; a < WR_SIM_ACTIONS; a++) {
			int64_t used = wr_sim_tenant_used(s, t, a);
			int64_t left = used < WR_SIM_TENANT_LIMIT ? WR_SIM_TENANT_LIMIT - used : 0;
			char name[32];
			snprintf(name, sizeof name, "tenant-%05lld", (long long)t);
			wr_jw_object(w, NULL);
			wr_jw_str(w, "tenant", name);
			wr_jw_int(w, "shard", t / WR_SIM_SHARD_TENANTS);
			wr_jw_str(w, "action", s->cfg.actions[a]);
			wr_jw_int(w, "used", used);
			wr_jw_int(w, "limit", WR_SIM_TENANT_LIMIT);
			wr_jw_fixed(w, "percent", used * 100000 / WR_SIM_TENANT_LIMIT, 3);
			wr_jw_int(w, "tokens", left < WR_SIM_TENANT_BURST ? left : WR_SIM_TENANT_BURST);
			wr_jw_int(w, "burst", WR_SIM_TENANT_BURST);
			wr_jw_int(w, "refill_per_hour", WR_SIM_TENANT_REFILL);
			wr_jw_str(w, "decision", decision(used));
			wr_jw_object_end(w);
		}
	}
	wr_jw_array_end(w);
}

int wr_sim_view_quota(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	wr_sim_quota rows[WR_SIM_QUOTA_ROWS];
	int n = wr_sim_quota_rows(s, q->region, rows);
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", s->regions[q->region].name);
	wr_jw_array(&w, "rows");
	for (int i = 0; i < n; i++) put_quota(&rows[i], &w);
	wr_jw_array_end(&w);
	wr_jw_int(&w, "tenant_count", s->cfg.tenants);
	if (q->tenants >= 0) put_tenants(s, q->tenants, &w);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_receipts(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_chain *c = &s->regions[q->region].chain;
	int64_t limit = q->limit >= 0 ? q->limit : RECEIPTS_DEFAULT;
	if (limit > WR_SIM_RECEIPTS_PAGE) limit = WR_SIM_RECEIPTS_PAGE;
	int64_t seq = q->since >= 0 ? q->since : c->count - limit;
	if (seq < c->first) seq = c->first;
	char hex[WR_HEX_LEN], chain[WR_NAME_MAX + sizeof "/ops"];
	wr_hex(hex, wr_sim_chain_at(c, c->count - 1)->hash, WR_HASH_LEN);
	snprintf(chain, sizeof chain, "%s/ops", s->cfg.platform);
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", s->regions[q->region].name);
	wr_jw_str(&w, "chain", chain);
	wr_jw_int(&w, "first_seq", c->first);
	wr_jw_int(&w, "count", c->count);
	wr_jw_int(&w, "head_seq", c->count - 1);
	wr_jw_str(&w, "head_hash", hex);
	wr_jw_array(&w, "receipts");
	for (; limit > 0 && seq < c->count; limit--, seq++) {
		wr_jw_raw(&w, NULL);
		wr_sim_receipt_json(s, q->region, seq, out);
	}
	wr_jw_array_end(&w);
	wr_jw_int(&w, "next", seq);
	wr_jw_end(&w);
	return 200;
}

int wr_sim_view_backups(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	wr_jw w;
	wr_jw_begin(&w, out);
	wr_jw_str(&w, "region", s->regions[q->region].name);
	wr_jw_array(&w, "rows");
	for (int l = 0; l < s->cfg.link_count; l++) {
		int64_t every_s = s->links[l].of_record ? BACKUP_RECORD_S : BACKUP_OTHER_S;
		uint64_t draw = wr_sim_mix2(s->cfg.seed ^ UINT64_C(0xbac), (uint64_t)l);
		int64_t phase_s = (int64_t)(draw % (uint64_t)every_s);
		wr_jw_object(&w, NULL);
		wr_jw_str(&w, "name", s->links[l].spec.name);
		wr_jw_str(&w, "kind", "snapshot");
		wr_jw_int(&w, "age_seconds", (s->now_ms / 1000 + phase_s) % every_s);
		wr_jw_int(&w, "every_seconds", every_s);
		wr_jw_int(&w, "kept_days", BACKUP_KEPT_DAYS);
		wr_jw_bool(&w, "checksum_ok", true);
		wr_jw_int(&w, "restore_test_age_hours", (int64_t)(draw >> 32) % 24);
		wr_jw_object_end(&w);
	}
	wr_jw_array_end(&w);
	wr_jw_end(&w);
	return 200;
}
