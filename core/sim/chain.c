/* chain.c: the platform's own receipts, a copy of the chain in each region. Pure.
 *
 * Only the hash, the time and the origin of a receipt are kept; its text is the same whenever it is
 * written out, because everything else in it is drawn from the seed and its number. A receipt is
 * one flat JSON object; `hash` is SHA-256 over the RFC 8785 canonical JSON of the object without
 * `hash`, `prev_hash` the hash before it, 64 zeros first. */
#include <stdlib.h>
#include <string.h>

#include "sim/state.h"
#include "warroom/clock.h"

int wr_sim_chain_init(wr_sim_chain *c)
{
	c->ring = calloc(WR_SIM_RECEIPTS_KEPT, sizeof *c->ring);
	return c->ring == NULL ? -1 : 0;
}

void wr_sim_chain_free(wr_sim_chain *c)
{
	free(c->ring);
	c->ring = NULL;
}

static wr_sim_receipt *slot(const wr_sim_chain *c, int64_t seq)
{
	return &c->ring[seq % WR_SIM_RECEIPTS_KEPT];
}

const wr_sim_receipt *wr_sim_chain_at(const wr_sim_chain *c, int64_t seq)
{
	return seq < c->first || seq >= c->count ? NULL : slot(c, seq);
}

static void append(wr_sim_chain *c, const wr_sim_receipt *r)
{
	if (c->count - c->first == WR_SIM_RECEIPTS_KEPT) {
		memcpy(c->first_prev, slot(c, c->first)->hash, WR_HASH_LEN);
		c->first++;
	}
	*slot(c, c->count) = *r;
	c->count++;
}

static uint64_t draw(const wr_sim *s, const wr_sim_receipt *r, int64_t seq, uint64_t salt)
{
	uint64_t who = (uint64_t)r->timeline << 48 ^ (uint64_t)seq;
	return wr_sim_mix2(s->cfg.seed ^ salt << 32, who);
}

void wr_sim_receipt_id(const wr_sim *s, const wr_sim_receipt *r, int64_t seq,
                       char out[static WR_UUID_LEN])
{
	uint8_t random[10];
	uint64_t a = draw(s, r, seq, 1), b = draw(s, r, seq, 2);
	memcpy(random, &a, sizeof a);
	memcpy(random + sizeof a, &b, sizeof random - sizeof a);
	wr_uuid7(out, s->cfg.start_us + r->time_ms * 1000, random);
}

static void prev_hash(const wr_sim_chain *c, int64_t seq, char hex[static WR_HEX_LEN])
{
	wr_hex(hex, seq == c->first ? c->first_prev : slot(c, seq - 1)->hash, WR_HASH_LEN);
}

/* text writes the canonical JSON; with the hash if `hash_hex` is given. The keys are in order. */
static void text(const wr_sim *s, const wr_sim_receipt *r, int64_t seq, const char *prev_hex,
                 const char *hash_hex, wr_buf *out)
{
	char id[WR_UUID_LEN], when[WR_TIME_LEN];
	wr_sim_receipt_id(s, r, seq, id);
	wr_time_format(when, s->cfg.start_us + r->time_ms * 1000);
	int64_t cost = (int64_t)(draw(s, r, seq, 3) % 90000) + 100;
	if (r->flipped) cost ^= 64;
	uint64_t tenant = draw(s, r, seq, 4) % (uint64_t)s->cfg.tenants;
	const char *region = s->cfg.regions[r->region];
	const char *action = s->cfg.actions[draw(s, r, seq, 5) % WR_SIM_ACTIONS];
	wr_buf_addf(out,
	            "{\"action\":\"%s\",\"actor\":\"governor@%s\",\"chain\":\"%s/ops\","
	            "\"cost_micros\":%lld,\"epoch\":%d,",
	            action, region, s->cfg.platform, (long long)cost, (int)r->timeline);
	if (hash_hex != NULL) wr_buf_addf(out, "\"hash\":\"%s\",", hash_hex);
	wr_buf_addf(out,
	            "\"operation\":\"action_executed\",\"prev_hash\":\"%s\",\"receipt_id\":\"%s\","
	            "\"region\":\"%s\",\"seq\":%lld,\"tenant\":\"tenant-%05llu\",\"timestamp\":\"%s\","
	            "\"v\":1}",
	            prev_hex, id, region, (long long)seq, (unsigned long long)tenant, when);
}

void wr_sim_chain_write(wr_sim *s, int region, int64_t timeline, int64_t time_ms)
{
	wr_sim_chain *c = &s->regions[region].chain;
	wr_sim_receipt r = {
	    .time_ms = time_ms, .timeline = (int32_t)timeline, .region = (int16_t)region};
	char prev[WR_HEX_LEN];
	prev_hash(c, c->count, prev);
	wr_buf_reset(&s->scratch);
	text(s, &r, c->count, prev, NULL, &s->scratch);
	WR_ASSERT(wr_buf_ok(&s->scratch));
	wr_sha256(r.hash, s->scratch.data, s->scratch.len);
	append(c, &r);
}

void wr_sim_chain_follow(wr_sim *s, int to, int from, int64_t count)
{
	wr_sim_chain *dst = &s->regions[to].chain;
	const wr_sim_chain *src = &s->regions[from].chain;
	while (dst->count < count) {
		const wr_sim_receipt *r = wr_sim_chain_at(src, dst->count);
		WR_ASSERT(r != NULL);
		wr_sim_receipt copy = *r;
		copy.flipped = 0; /* what rots on one disk does not travel with the log */
		append(dst, &copy);
	}
}

void wr_sim_chain_copy(wr_sim *s, int to, int from)
{
	wr_sim_chain *dst = &s->regions[to].chain;
	const wr_sim_chain *src = &s->regions[from].chain;
	dst->first = src->first;
	dst->count = src->count;
	memcpy(dst->first_prev, src->first_prev, WR_HASH_LEN);
	for (int64_t seq = src->first; seq < src->count; seq++) {
		*slot(dst, seq) = *slot(src, seq);
		slot(dst, seq)->flipped = 0;
	}
}

void wr_sim_receipt_json(const wr_sim *s, int region, int64_t seq, wr_buf *out)
{
	const wr_sim_chain *c = &s->regions[region].chain;
	const wr_sim_receipt *r = wr_sim_chain_at(c, seq);
	WR_ASSERT(r != NULL);
	char prev[WR_HEX_LEN], hash[WR_HEX_LEN];
	prev_hash(c, seq, prev);
	wr_hex(hash, r->hash, WR_HASH_LEN);
	text(s, r, seq, prev, hash, out);
}

bool wr_sim_chain_flip(wr_sim *s, int region, int64_t seq, bool flipped)
{
	wr_sim_chain *c = &s->regions[region].chain;
	if (wr_sim_chain_at(c, seq) == NULL) return false;
	slot(c, seq)->flipped = flipped;
	return true;
}
