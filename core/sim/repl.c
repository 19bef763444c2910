/* repl.c: replication: one writer for each link, replicas that follow its log, promotion and what
 * it costs, rebuilding. Pure.
 *
 * The primary's log is a ring of positions, one for each tick. A replica that is in contact applies
 * the entries that are older than the link's delay, as fast as its bandwidth lets it. A promotion
 * cuts the log at the new primary's position: what the old one holds beyond it is lost, and the old
 * one has diverged. At no time are two copies of a link writable. */
#include <string.h>

#include "sim/state.h"

#define CATCHUP_FACTOR   8   /* a replica applies so many times the usual rate of writes */
#define LOAD_LAG_AT      700 /* utilisation (thousandths) from which shipping slows down … */
#define LOAD_LAG_MAX     2000
#define LOAD_LAG_MS      10 /* … by so much for each thousandth more */
#define RESYNC_BYTES_SEC (INT64_C(4) << 20)

bool wr_sim_connected(const wr_sim *s, int a, int b)
{
	return s->regions[a].up && s->regions[b].up && !s->cut[a][b];
}

int wr_sim_writer(const wr_sim *s, int l)
{
	int p = s->links[l].primary;
	const wr_sim_region *r = &s->regions[p];
	bool writable = s->links[l].nodes[p].role == WR_SIM_PRIMARY && r->up && !r->fenced;
	return writable ? p : WR_SIM_NONE;
}

void wr_sim_repl_init(wr_sim *s)
{
	for (int l = 0; l < s->cfg.link_count; l++) {
		wr_sim_link *link = &s->links[l];
		link->spec = s->cfg.links[l];
		link->of_record = l == 0;
		link->timeline = 1;
		for (int i = 0; i < s->cfg.region_count; i++) {
			wr_sim_node *n = &link->nodes[i];
			n->role = i == 0 ? WR_SIM_PRIMARY : WR_SIM_REPLICA;
			n->upstream = i == 0 ? WR_SIM_NONE : 0;
			n->at.receipts = link->of_record ? s->regions[0].chain.count : 0;
			n->known = n->at;
		}
	}
}

/* write_log takes this tick's writes into the primary's log; an idle or fenced primary still logs
 * the time, which is how replicas know that they are current. */
static void write_log(wr_sim *s, int l, int64_t writes)
{
	wr_sim_link *link = &s->links[l];
	int p = link->primary;
	wr_sim_node *n = &link->nodes[p];
	if (n->role != WR_SIM_PRIMARY || !s->regions[p].up) return;
	if (wr_sim_writer(s, l) == p) {
		n->at.bytes += writes * link->spec.bytes_per_write;
		if (link->of_record) {
			int64_t made = wr_sim_take(&s->receipt_carry, writes, WR_SIM_WRITES_RECEIPT);
			for (int64_t i = 0; i < made; i++)
				wr_sim_chain_write(s, p, link->timeline,
				                   s->now_ms - WR_SIM_TICK_MS + i * WR_SIM_TICK_MS / made);
			n->at.receipts = s->regions[p].chain.count;
		}
	}
	n->at.time_ms = s->now_ms;
	n->at.entry++;
	link->log[n->at.entry % WR_SIM_LOG_TICKS] = n->at;
}

static int64_t delay_ms(wr_sim *s, int l, int from, int to)
{
	int64_t base = s->links[l].spec.delay_ms;
	int64_t util = s->regions[from].util_milli;
	int64_t delay = base + wr_sim_below(&s->prng, base / 2 + 1) + s->lag_ms[l][from][to];
	if (util > LOAD_LAG_MAX) util = LOAD_LAG_MAX;
	if (util > LOAD_LAG_AT) delay += (util - LOAD_LAG_AT) * LOAD_LAG_MS;
	return delay;
}

static void ship(wr_sim *s, int l, int to)
{
	wr_sim_link *link = &s->links[l];
	wr_sim_node *n = &link->nodes[to];
	if (n->role != WR_SIM_REPLICA && n->role != WR_SIM_PROMOTING) return;
	if (n->upstream == WR_SIM_NONE || !wr_sim_connected(s, to, n->upstream)) return;
	const wr_sim_node *src = &link->nodes[n->upstream];
	const wr_sim_chain *log = &s->regions[n->upstream].chain;
	bool gone = src->at.entry - n->at.entry >= WR_SIM_LOG_TICKS ||
	            (link->of_record && n->at.receipts < log->first);
	if (gone) { /* away for longer than the log is kept */
		n->role = WR_SIM_DIVERGED;
		n->upstream = WR_SIM_NONE;
		return;
	}
	n->known = src->at;
	n->known_ms = s->now_ms;
	int64_t usual =
	    s->cfg.base_rps * WR_SIM_WRITE_PPM / WR_SIM_MILLION * link->spec.bytes_per_write;
	int64_t rate = usual * CATCHUP_FACTOR * WR_SIM_TICK_MS / 1000;
	int64_t *budget = &link->budget[to];
	*budget = *budget + rate > rate ? rate : *budget + rate;
	int64_t until = s->now_ms - delay_ms(s, l, n->upstream, to);
	while (n->at.entry<src->at.entry && * budget> 0) {
		const wr_sim_pos *next = &link->log[(n->at.entry + 1) % WR_SIM_LOG_TICKS];
		if (next->time_ms > until) break;
		*budget -= next->bytes - n->at.bytes;
		n->at = *next;
	}
	if (link->of_record) wr_sim_chain_follow(s, to, n->upstream, n->at.receipts);
}

static void record_promotion(wr_sim *s, int l, int from, int to)
{
	const wr_sim_link *link = &s->links[l];
	const wr_sim_pos *old = &link->nodes[from].at, *now = &link->nodes[to].at;
	wr_sim_promotion *p = &s->promotions[s->promotion_count % WR_SIM_PROMOTIONS_MAX];
	s->promotion_count++;
	memset(p, 0, sizeof *p);
	p->at_ms = s->now_ms;
	p->link = l;
	p->from = from;
	p->to = to;
	p->timeline = link->timeline;
	p->lost_receipts = old->receipts - now->receipts;
	p->lost_bytes = old->bytes - now->bytes;
	p->lost_ms = old->time_ms - now->time_ms;
	p->first_lost_seq = now->receipts;
	for (int64_t i = 0; i < p->lost_receipts && i < WR_SIM_AT_RISK_MAX; i++) {
		int64_t seq = p->first_lost_seq + i;
		const wr_sim_receipt *r = wr_sim_chain_at(&s->regions[from].chain, seq);
		if (r != NULL) wr_sim_receipt_id(s, r, seq, p->ids[p->lost_ids++]);
	}
}

/* turn_over makes `to` the primary and settles who may follow it. */
static void turn_over(wr_sim *s, int l, int to)
{
	wr_sim_link *link = &s->links[l];
	wr_sim_node *fresh = &link->nodes[to];
	int old = link->primary;
	link->timeline++;
	if (old != to) record_promotion(s, l, old, to);
	for (int i = 0; i < s->cfg.region_count; i++) {
		wr_sim_node *n = &link->nodes[i];
		if (i == to || n->role == WR_SIM_DIVERGED) continue;
		bool clean = n->role == WR_SIM_DEMOTED || n->role == WR_SIM_REPLICA;
		if (clean && n->at.entry <= fresh->at.entry) {
			n->role = WR_SIM_REPLICA;
			n->upstream = to;
		} else {
			n->role = WR_SIM_DIVERGED;
			n->upstream = WR_SIM_NONE;
		}
	}
	fresh->role = WR_SIM_PRIMARY;
	fresh->upstream = WR_SIM_NONE;
	link->primary = to;
}

static void promoting_tick(wr_sim *s, int l, int i)
{
	wr_sim_link *link = &s->links[l];
	const wr_sim_node *n = &link->nodes[i], *old = &link->nodes[link->primary];
	if (s->now_ms < n->due_ms) return;
	bool more_to_come = link->primary != i && old->role == WR_SIM_DEMOTED &&
	                    old->at.entry > n->at.entry && wr_sim_connected(s, i, link->primary);
	if (more_to_come && s->now_ms < n->due_ms + WR_SIM_CATCHUP_MAX_MS) return;
	turn_over(s, l, i);
}

/* lift_fence: a region whose copies all follow somebody cannot split the brain any more. */
static void lift_fence(wr_sim *s, int region)
{
	if (wr_sim_region_role(s, region) != WR_SIM_REPLICA) return;
	for (int l = 0; l < s->cfg.link_count; l++) {
		wr_sim_role role = s->links[l].nodes[region].role;
		if (role == WR_SIM_DIVERGED || role == WR_SIM_RESYNCING) return;
	}
	s->regions[region].fenced = false;
}

static void resync_tick(wr_sim *s, int l, int i)
{
	wr_sim_link *link = &s->links[l];
	wr_sim_node *n = &link->nodes[i];
	if (!wr_sim_connected(s, i, n->upstream)) return;
	n->due_ms -= WR_SIM_TICK_MS;
	if (n->due_ms > 0) return;
	n->at = link->nodes[n->upstream].at;
	n->known = n->at;
	n->known_ms = s->now_ms;
	n->role = WR_SIM_REPLICA;
	if (link->of_record) {
		wr_sim_chain_copy(s, i, n->upstream);
		wr_sim_faults_repaired(s, i);
	}
	lift_fence(s, i);
}

void wr_sim_repl_tick(wr_sim *s)
{
	int64_t writes = 0;
	for (int i = 0; i < s->cfg.region_count; i++) writes += s->regions[i].writes_now;
	for (int l = 0; l < s->cfg.link_count; l++) {
		write_log(s, l, writes);
		for (int i = 0; i < s->cfg.region_count; i++) {
			ship(s, l, i);
			wr_sim_role role = s->links[l].nodes[i].role;
			if (role == WR_SIM_PROMOTING && s->regions[i].up) promoting_tick(s, l, i);
			if (role == WR_SIM_RESYNCING) resync_tick(s, l, i);
		}
	}
}

void wr_sim_region_lost(wr_sim *s, int region)
{
	for (int l = 0; l < s->cfg.link_count; l++) {
		wr_sim_node *n = &s->links[l].nodes[region];
		if (n->role != WR_SIM_PROMOTING) continue;
		n->role = s->links[l].primary == region ? WR_SIM_DEMOTED : WR_SIM_REPLICA;
	}
}

void wr_sim_promote(wr_sim *s, int l, int region)
{
	wr_sim_node *n = &s->links[l].nodes[region];
	n->role = WR_SIM_PROMOTING;
	n->due_ms = s->now_ms + WR_SIM_PROMOTE_MS;
}

void wr_sim_demote(wr_sim *s, int l)
{
	s->links[l].nodes[s->links[l].primary].role = WR_SIM_DEMOTED;
}

void wr_sim_resync(wr_sim *s, int l, int region, int from)
{
	wr_sim_lag lag;
	wr_sim_link_lag(s, l, region, WR_SIM_NONE, &lag);
	wr_sim_node *n = &s->links[l].nodes[region];
	n->resync_lag_ms = lag.lag_ms;
	n->resync_bytes = lag.bytes;
	n->resync_receipts = lag.receipts;
	n->role = WR_SIM_RESYNCING;
	n->upstream = from;
	n->due_ms = WR_SIM_RESYNC_MS + lag.bytes * 1000 / RESYNC_BYTES_SEC;
}

static int64_t at_least_0(int64_t v)
{
	return v > 0 ? v : 0;
}

void wr_sim_link_lag(const wr_sim *s, int l, int to, int viewer, wr_sim_lag *out)
{
	const wr_sim_link *link = &s->links[l];
	const wr_sim_node *n = &link->nodes[to];
	wr_sim_pos source = link->nodes[link->primary].at;
	*out = (wr_sim_lag){.from = link->primary, .to = to, .first_seq = -1};
	out->connected = wr_sim_connected(s, link->primary, to);
	out->contact_ms = out->connected ? 0 : s->now_ms - n->known_ms;
	switch (n->role) {
	case WR_SIM_RESYNCING: {
		int64_t total = WR_SIM_RESYNC_MS + n->resync_bytes * 1000 / RESYNC_BYTES_SEC;
		out->lag_ms = n->resync_lag_ms * n->due_ms / total;
		out->bytes = n->resync_bytes * n->due_ms / total;
		out->receipts = n->resync_receipts * n->due_ms / total;
		return;
	}
	case WR_SIM_DIVERGED:
		out->lag_ms = at_least_0(s->now_ms - n->at.time_ms);
		out->bytes = at_least_0(source.bytes - n->at.bytes);
		out->receipts = at_least_0(source.receipts - n->at.receipts);
		return;
	default:
		if (viewer == to) source = n->known;
		out->lag_ms = at_least_0(source.time_ms - n->at.time_ms);
		out->bytes = at_least_0(source.bytes - n->at.bytes);
		out->receipts = at_least_0(source.receipts - n->at.receipts);
		out->first_seq = n->at.receipts;
		return;
	}
}
