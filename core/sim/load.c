/* load.c: the clients: how much they send, where it lands, what becomes of it. Pure.
 *
 * Load is a slow wave with noise, split by the traffic weights. A region answers what it has
 * capacity for; writes go to the primary of the link of record, through another region if need be.
 * Probabilities are parts per million and turned into whole requests with carries. */
#include <string.h>

#include "sim/state.h"

#define SYNTHETIC_MRPS  2000   /* health checkers: every region always has a little traffic */
#define WAVE_MS         600000 /* the load swings by 5 percent in ten minutes */
#define FORWARD_US      15000  /* writes that cross to another region, spread over all requests */
#define TIMEOUT_US      INT64_C(30000000)
#define BROWNOUT_US     40000 /* for each percent */
#define SMOOTH_TICKS    20
#define OK_SMOOTH_TICKS 50
#define BUFFER_PER_TICK 50 /* buffered writes that are made good in a tick */

const int64_t wr_sim_bucket_us[WR_SIM_BUCKETS] = {5000,    10000,   25000,    50000,
                                                  100000,  250000,  500000,   1000000,
                                                  2500000, 5000000, 10000000, INT64_MAX};

int64_t wr_sim_replicas_target(const wr_sim_region *r)
{
	return ((int64_t)r->target_percent * WR_SIM_REPLICAS_FULL + 99) / 100;
}

/* At 100 percent a region has half as much again as the usual load needs. */
int64_t wr_sim_capacity_mrps(const wr_sim *s, int region)
{
	int64_t each = s->cfg.base_rps * 1500 / WR_SIM_REPLICAS_FULL;
	return s->regions[region].ready_milli / 1000 * each;
}

static void warm_up(wr_sim_region *r)
{
	int64_t missing = wr_sim_replicas_target(r) * 1000 - r->ready_milli;
	int64_t ticks = WR_SIM_WARMUP_MS / WR_SIM_TICK_MS;
	r->warm_milli = missing > 0 ? (missing + ticks - 1) / ticks : 0;
}

void wr_sim_scale(wr_sim *s, int region, int percent)
{
	wr_sim_region *r = &s->regions[region];
	if (percent == r->target_percent) return; /* a repeated command must not slow the warm-up */
	r->target_percent = percent;
	warm_up(r);
}

void wr_sim_boot(wr_sim *s, int region)
{
	wr_sim_region *r = &s->regions[region];
	r->ready_milli = 0;
	r->up_since_ms = s->now_ms;
	r->p50_us = WR_SIM_P50_US;
	r->p95_us = 3 * WR_SIM_P50_US;
	warm_up(r);
}

static void scale_tick(wr_sim_region *r)
{
	int64_t target = wr_sim_replicas_target(r) * 1000;
	if (!r->up) return;
	r->ready_milli += r->warm_milli;
	if (r->ready_milli > target) r->ready_milli = target;
}

int64_t wr_sim_drained_ppm(const wr_sim *s, const wr_sim_region *r)
{
	if (!r->draining) return 0;
	int64_t since = s->now_ms - r->drain_ms;
	return since >= WR_SIM_DRAIN_MS ? WR_SIM_MILLION : since * WR_SIM_MILLION / WR_SIM_DRAIN_MS;
}

static void total_load(wr_sim *s)
{
	int64_t phase = s->now_ms % WAVE_MS;
	int64_t half = WAVE_MS / 2;
	int64_t rise = phase < half ? phase : WAVE_MS - phase; /* 0 … half … 0 */
	int64_t wave = rise * 100 / half - 50;
	s->noise_milli = s->noise_milli * 9 / 10 + wr_sim_below(&s->prng, 21) - 10;
	int64_t level = (1000 + wave + s->noise_milli) * s->load_percent / 100;
	s->load_mrps = s->cfg.base_rps * level;
}

static void cut(int64_t *rest, int64_t *out, int64_t share_ppm)
{
	if (share_ppm > WR_SIM_MILLION) share_ppm = WR_SIM_MILLION;
	*out = *rest * share_ppm / WR_SIM_MILLION;
	*rest -= *out;
}

/* can_write: does a write that arrives at region i reach the primary of record? */
static bool can_write(const wr_sim *s, int i)
{
	int w = wr_sim_writer(s, 0);
	return w != WR_SIM_NONE && wr_sim_connected(s, i, w);
}

static void failure_ppm(wr_sim *s, int i, int64_t clients_ppm, int64_t ppm[WR_SIM_R_COUNT])
{
	const wr_sim_region *r = &s->regions[i];
	int64_t rest = WR_SIM_MILLION;
	memset(ppm, 0, sizeof ppm[0] * WR_SIM_R_COUNT);
	int64_t jitter = wr_sim_below(&s->prng, 200);
	if (!r->up) {
		ppm[WR_SIM_R_UNREACHABLE] = rest;
		return;
	}
	int64_t over =
	    r->util_milli > 1000 ? WR_SIM_MILLION - WR_SIM_MILLION * 1000 / r->util_milli : 0;
	int64_t writes = can_write(s, i) ? 0 : WR_SIM_WRITE_PPM;
	cut(&rest, &ppm[WR_SIM_R_DRAINING], wr_sim_drained_ppm(s, r) * clients_ppm / WR_SIM_MILLION);
	cut(&rest, &ppm[WR_SIM_R_BROWNOUT], r->brownout_percent * 10000);
	cut(&rest, &ppm[WR_SIM_R_OVERLOAD], over);
	cut(&rest, &ppm[WR_SIM_R_READ_ONLY], writes * clients_ppm / WR_SIM_MILLION);
	cut(&rest, &ppm[WR_SIM_R_BACKGROUND], 100 + jitter);
}

/* latency: queueing makes it grow with 1/(1-u), a region beyond its capacity adds waiting. */
static void latency(wr_sim *s, int i)
{
	wr_sim_region *r = &s->regions[i];
	int64_t u = r->util_milli < 950 ? r->util_milli : 950;
	int64_t p50 = WR_SIM_P50_US * 1000 / (1000 - u);
	if (r->util_milli > 1000) p50 += (r->util_milli - 1000) * 2000;
	if (wr_sim_writer(s, 0) != i) p50 += FORWARD_US;
	for (int l = 1; l < s->cfg.link_count; l++)
		if (s->links[l].nodes[i].role != WR_SIM_PRIMARY && r->weight > 0) p50 += p50 / 4;
	p50 += r->brownout_percent * BROWNOUT_US;
	if (p50 > TIMEOUT_US / 3) p50 = TIMEOUT_US / 3;
	r->p50_us += (p50 - r->p50_us) / SMOOTH_TICKS;
	r->p95_us = r->p50_us * 3;
}

/* spread puts n answered requests into the histogram: 50 % at 0.8, 40 % at 1.5, 8 % at 3 and 2 %
 * at 5 times the median. */
static void spread(wr_sim_region *r, int64_t n)
{
	static const struct {
		int64_t ppm, tenths;
	} shape[4] = {{500000, 8}, {400000, 15}, {80000, 30}, {20000, 50}};
	int64_t left = n;
	for (int k = 3; k >= 0; k--) {
		int64_t some =
		    k == 0 ? left : wr_sim_take(&r->shape_carry[k], n * shape[k].ppm, WR_SIM_MILLION);
		if (some > left) some = left;
		left -= some;
		int64_t us = r->p50_us * shape[k].tenths / 10;
		int b = 0;
		while (us > wr_sim_bucket_us[b]) b++;
		r->buckets[b] += some;
		r->latency_sum_us += some * us;
	}
}

static int code_of(int reason)
{
	switch (reason) {
	case WR_SIM_R_OVERLOAD:
		return WR_SIM_C_429;
	case WR_SIM_R_BROWNOUT:
	case WR_SIM_R_BACKGROUND:
		return WR_SIM_C_500;
	default:
		return WR_SIM_C_503;
	}
}

/* hold_back puts writes that found no primary into the buffer; returns how many fitted. */
static int64_t hold_back(wr_sim_region *r, int64_t writes)
{
	int64_t room = r->buffering ? WR_SIM_BUFFER_MAX - r->buffered : 0;
	int64_t some = writes < room ? writes : room;
	r->buffered += some;
	return some;
}

/* settle turns this tick's n requests into answers; returns how many went well. */
static int64_t settle(wr_sim *s, int i, int64_t n, int64_t clients_ppm)
{
	wr_sim_region *r = &s->regions[i];
	int64_t ppm[WR_SIM_R_COUNT];
	failure_ppm(s, i, clients_ppm, ppm);
	int64_t left = n;
	for (int k = 0; k < WR_SIM_R_COUNT; k++) {
		int64_t bad = wr_sim_take(&r->reason_carry[k], n * ppm[k], WR_SIM_MILLION);
		if (bad > left) bad = left;
		if (k == WR_SIM_R_READ_ONLY) bad -= hold_back(r, bad);
		left -= bad;
		r->edge_errors[k] += bad;
		if (k != WR_SIM_R_UNREACHABLE) r->codes[code_of(k)] += bad;
	}
	r->codes[WR_SIM_C_200] += left;
	r->edge_requests += n;
	wr_sim_count *second = &r->seconds[s->now_ms / 1000 % WR_SIM_WINDOW_S];
	second->requests += n;
	second->errors += n - left;
	if (r->up) spread(r, n);
	return left;
}

static void serve(wr_sim *s, int i)
{
	wr_sim_region *r = &s->regions[i];
	r->client_mrps = s->load_mrps * r->weight / 100;
	r->demand_mrps = r->client_mrps + SYNTHETIC_MRPS;
	int64_t clients_ppm = r->client_mrps * WR_SIM_MILLION / r->demand_mrps;
	int64_t capacity = wr_sim_capacity_mrps(s, i);
	int64_t kept = WR_SIM_MILLION - wr_sim_drained_ppm(s, r) * clients_ppm / WR_SIM_MILLION;
	int64_t arriving = r->demand_mrps * kept / WR_SIM_MILLION;
	r->util_milli = capacity > 0 ? arriving * 1000 / capacity : 100000;
	if (r->up) latency(s, i);
	int64_t n = wr_sim_take(&r->request_carry, r->demand_mrps * WR_SIM_TICK_MS, WR_SIM_MILLION);
	int64_t good = settle(s, i, n, clients_ppm);
	int64_t write_ppm = can_write(s, i) ? WR_SIM_WRITE_PPM * clients_ppm / WR_SIM_MILLION : 0;
	r->writes_now = wr_sim_take(&r->write_carry, good * write_ppm, WR_SIM_MILLION);
	if (can_write(s, i) && r->buffered > 0) {
		int64_t some = r->buffered < BUFFER_PER_TICK ? r->buffered : BUFFER_PER_TICK;
		r->buffered -= some;
		r->writes_now += some;
	}
	int64_t good_mrps = good * WR_SIM_MILLION / WR_SIM_TICK_MS;
	r->ok_mrps += (good_mrps - r->ok_mrps) / OK_SMOOTH_TICKS;
}

void wr_sim_load_tick(wr_sim *s)
{
	total_load(s);
	for (int i = 0; i < s->cfg.region_count; i++) {
		wr_sim_region *r = &s->regions[i];
		if (s->now_ms % 1000 == 0)
			r->seconds[s->now_ms / 1000 % WR_SIM_WINDOW_S] = (wr_sim_count){0, 0};
		scale_tick(r);
		serve(s, i);
	}
}

wr_sim_count wr_sim_window(const wr_sim *s, const wr_sim_region *r, int seconds)
{
	wr_sim_count sum = {0, 0};
	int64_t now = s->now_ms / 1000;
	for (int64_t k = 0; k < seconds && k < WR_SIM_WINDOW_S && k <= now; k++) {
		const wr_sim_count *c = &r->seconds[(now - k) % WR_SIM_WINDOW_S];
		sum.requests += c->requests;
		sum.errors += c->errors;
	}
	return sum;
}
