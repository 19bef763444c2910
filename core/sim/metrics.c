/* metrics.c: the Prometheus text exposition (0.0.4) of a region and of the control server. Pure.
 * Names of regions, links and actions are letters, digits, '.', '_', '-', so labels need no
 * escaping; a tenant's quota row is named by the label alone. */
#include "sim/state.h"
#include "sim/view.h"

static void head(wr_buf *out, const char *name, const char *type, const char *help)
{
	wr_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void milli(wr_buf *out, int64_t value)
{
	if (value < 0) wr_buf_addc(out, '-');
	if (value < 0) value = -value;
	wr_buf_addf(out, "%lld.%03lld\n", (long long)(value / 1000), (long long)(value % 1000));
}

static void requests(const wr_sim_region *r, wr_buf *out)
{
	static const char *const codes[WR_SIM_C_COUNT] = {"200", "429", "500", "503"};
	int64_t count = 0;
	head(out, "http_requests_total", "counter", "Requests answered by this region.");
	for (int k = 0; k < WR_SIM_C_COUNT; k++)
		wr_buf_addf(out, "http_requests_total{region=\"%s\",code=\"%s\"} %lld\n", r->name, codes[k],
		            (long long)r->codes[k]);
	head(out, "http_request_duration_seconds", "histogram", "Time to answer a request.");
	for (int b = 0; b < WR_SIM_BUCKETS; b++) {
		count += r->buckets[b];
		wr_buf_addf(out, "http_request_duration_seconds_bucket{region=\"%s\",le=\"", r->name);
		if (b == WR_SIM_BUCKETS - 1)
			wr_buf_adds(out, "+Inf");
		else
			wr_buf_addf(out, "%lld.%03lld", (long long)(wr_sim_bucket_us[b] / 1000000),
			            (long long)(wr_sim_bucket_us[b] / 1000 % 1000));
		wr_buf_addf(out, "\"} %lld\n", (long long)count);
	}
	wr_buf_addf(out, "http_request_duration_seconds_sum{region=\"%s\"} ", r->name);
	milli(out, r->latency_sum_us / 1000);
	wr_buf_addf(out, "http_request_duration_seconds_count{region=\"%s\"} %lld\n", r->name,
	            (long long)count);
}

enum { LAG_SECONDS, LAG_BYTES, LAG_RECEIPTS };

static void lag_family(const wr_sim *s, int region, int what, wr_buf *out)
{
	static const char *const names[] = {"replication_lag_seconds", "replication_lag_bytes",
	                                    "replication_receipts_behind"};
	static const char *const helps[] = {"How old the newest applied write is.",
	                                    "Log not applied yet.", "Receipts not applied yet."};
	head(out, names[what], "gauge", helps[what]);
	for (int l = 0; l < s->cfg.link_count; l++) {
		int from = s->links[l].primary;
		for (int to = 0; to < s->cfg.region_count; to++) {
			if (to == from || (to != region && from != region)) continue;
			wr_sim_lag lag;
			wr_sim_link_lag(s, l, to, region, &lag);
			wr_buf_addf(out, "%s{link=\"%s\",from=\"%s\",to=\"%s\"} ", names[what],
			            s->links[l].spec.name, s->regions[from].name, s->regions[to].name);
			if (what == LAG_SECONDS)
				milli(out, lag.lag_ms);
			else
				wr_buf_addf(out, "%lld\n",
				            (long long)(what == LAG_BYTES ? lag.bytes : lag.receipts));
		}
	}
}

enum { QUOTA_USED, QUOTA_LIMIT, QUOTA_PERCENT, QUOTA_AFTER };

static void quota_family(const wr_sim *s, int region, int what, wr_buf *out)
{
	static const char *const names[] = {"quota_used", "quota_limit", "quota_percent",
	                                    "quota_after_shift_percent"};
	static const char *const helps[] = {"Used of the quota.", "The quota.", "Used, in percent.",
	                                    "Used in percent if all traffic came here."};
	wr_sim_quota rows[WR_SIM_QUOTA_ROWS];
	int n = wr_sim_quota_rows(s, region, rows);
	head(out, names[what], "gauge", helps[what]);
	for (int i = 0; i < n; i++) {
		wr_buf_addf(out, "%s{name=\"%s\",layer=\"%s\"} ", names[what], rows[i].name, rows[i].layer);
		if (what == QUOTA_PERCENT || what == QUOTA_AFTER)
			milli(out, what == QUOTA_PERCENT ? rows[i].percent_milli : rows[i].after_milli);
		else
			wr_buf_addf(out, "%lld\n",
			            (long long)(what == QUOTA_USED ? rows[i].used : rows[i].limit));
	}
}

static void gauge(wr_buf *out, const char *name, const char *help, const char *region, int64_t v)
{
	head(out, name, "gauge", help);
	wr_buf_addf(out, "%s{region=\"%s\"} %lld\n", name, region, (long long)v);
}

int wr_sim_view_metrics(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	const wr_sim_region *r = &s->regions[q->region];
	requests(r, out);
	for (int what = LAG_SECONDS; what <= LAG_RECEIPTS; what++) lag_family(s, q->region, what, out);
	for (int what = QUOTA_USED; what <= QUOTA_AFTER; what++) quota_family(s, q->region, what, out);
	gauge(out, "service_replicas_ready", "Replicas that serve.", r->name, r->ready_milli / 1000);
	gauge(out, "service_replicas_target", "Replicas wanted.", r->name, wr_sim_replicas_target(r));
	gauge(out, "write_buffer_requests", "Writes that wait for a primary.", r->name, r->buffered);
	gauge(out, "region_writable", "1 when this region takes writes.", r->name,
	      wr_sim_writer(s, 0) == q->region);
	head(out, "receipts_total", "counter", "Receipts in this region's copy of the chain.");
	wr_buf_addf(out, "receipts_total{region=\"%s\"} %lld\n", r->name, (long long)r->chain.count);
	return 200;
}

int wr_sim_view_platform_metrics(const wr_sim *s, const wr_sim_query *q, wr_buf *out)
{
	head(out, "client_requests_total", "counter", "Requests of clients, by region and outcome.");
	for (int i = 0; i < s->cfg.region_count; i++) {
		const wr_sim_region *r = &s->regions[i];
		int64_t bad = 0;
		for (int k = 0; k < WR_SIM_R_COUNT; k++) {
			bad += r->edge_errors[k];
			wr_buf_addf(out, "client_requests_total{region=\"%s\",outcome=\"%s\"} %lld\n", r->name,
			            wr_sim_reason_name(k), (long long)r->edge_errors[k]);
		}
		wr_buf_addf(out, "client_requests_total{region=\"%s\",outcome=\"ok\"} %lld\n", r->name,
		            (long long)(r->edge_requests - bad));
	}
	head(out, "traffic_weight_percent", "gauge", "Share of the clients sent to a region.");
	for (int i = 0; i < s->cfg.region_count; i++)
		wr_buf_addf(out, "traffic_weight_percent{region=\"%s\"} %d\n", s->regions[i].name,
		            s->regions[i].weight);
	head(out, "region_fenced", "gauge", "1 when the region's writes are cut out of band.");
	for (int i = 0; i < s->cfg.region_count; i++)
		wr_buf_addf(out, "region_fenced{region=\"%s\"} %d\n", s->regions[i].name,
		            s->regions[i].fenced);
	head(out, "sim_virtual_seconds", "counter", "Virtual time.");
	wr_buf_adds(out, "sim_virtual_seconds ");
	milli(out, s->now_ms);
	head(out, "sim_speed", "gauge", "Virtual seconds in a second.");
	wr_buf_adds(out, "sim_speed ");
	milli(out, q->speed_milli);
	return 200;
}
