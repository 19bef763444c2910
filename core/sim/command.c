/* command.c: what operators tell the platform to do: epochs, idempotency, and the deeds. Pure.
 *
 * Order of checks: a region that is down answers nothing; a stale epoch is refused before anything
 * else, also a repeated key's; then a known key gives its stored answer; then all that would make
 * the deed impossible is checked; only then something changes. Answers that did something (2xx) are
 * stored, refusals are not. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/jw.h"
#include "sim/state.h"

/* ---- answers ---- */
static void finish(wr_sim_answer *out, int status, wr_buf *b)
{
	WR_ASSERT(wr_buf_ok(b) && b->len < sizeof out->body);
	out->status = status;
	out->len = b->len;
	memcpy(out->body, b->data, b->len + 1);
	wr_buf_free(b);
}

static void refuse(wr_sim_answer *out, int status, const char *fmt, ...) WR_PRINTF(3, 4);
static void refuse(wr_sim_answer *out, int status, const char *fmt, ...)
{
	char why[384];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	wr_buf b = WR_BUF_INIT(WR_SIM_ANSWER_MAX - 1);
	wr_jw w;
	wr_jw_begin(&w, &b);
	wr_jw_str(&w, "error", why);
	wr_jw_end(&w);
	finish(out, status, &b);
}

static void begin_ok(const wr_sim *s, const wr_sim_command *c, wr_jw *w, wr_buf *b)
{
	wr_buf_init(b, WR_SIM_ANSWER_MAX - 1);
	wr_jw_begin(w, b);
	wr_jw_bool(w, "ok", true);
	if (c->region >= 0) wr_jw_str(w, "region", s->regions[c->region].name);
}

static bool chosen(const wr_sim_command *c, int l)
{
	return c->link == WR_SIM_NONE || c->link == l;
}

/* ---- the deeds; each checks, then acts, then answers ---- */
static void do_freeze(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	wr_sim_region *r = &s->regions[c->region];
	r->frozen = c->op == WR_SIM_OP_FREEZE;
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_bool(&w, "frozen", r->frozen);
	wr_jw_int(&w, "config_version", r->config_version);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static void do_drain(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	wr_sim_region *r = &s->regions[c->region];
	bool drain = c->op == WR_SIM_OP_DRAIN;
	if (drain && !r->draining) r->drain_ms = s->now_ms;
	r->draining = drain;
	int64_t left = drain ? r->drain_ms + WR_SIM_DRAIN_MS - s->now_ms : 0;
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_bool(&w, "draining", drain);
	wr_jw_int(&w, "drained_in_ms", left > 0 ? left : 0);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

/* What is buffered already stays so until there is a primary, also when buffering ends. */
static void do_buffer(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	wr_sim_region *r = &s->regions[c->region];
	r->buffering = c->op == WR_SIM_OP_BUFFER;
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_bool(&w, "buffering", r->buffering);
	wr_jw_int(&w, "buffered", r->buffered);
	wr_jw_int(&w, "buffer_limit", WR_SIM_BUFFER_MAX);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

/* promote_refused says why this link cannot be promoted here; false when it can. */
static bool promote_refused(const wr_sim *s, int l, int region, wr_sim_answer *out)
{
	const wr_sim_link *link = &s->links[l];
	const char *name = link->spec.name, *old = s->regions[link->primary].name;
	wr_sim_role role = link->nodes[region].role;
	if (s->regions[region].fenced) {
		refuse(out, 409, "this region is fenced: unfence or resync it before promoting %s", name);
		return true;
	}
	if (role == WR_SIM_PRIMARY || role == WR_SIM_PROMOTING) return false;
	if (role == WR_SIM_DIVERGED || role == WR_SIM_RESYNCING) {
		refuse(out, 409, "the copy of %s here is %s: it must be a replica in sync first", name,
		       wr_sim_role_name(role));
		return true;
	}
	for (int i = 0; i < s->cfg.region_count; i++) {
		if (link->nodes[i].role != WR_SIM_PROMOTING) continue;
		refuse(out, 409, "%s is being promoted in %s already", name, s->regions[i].name);
		return true;
	}
	bool safe =
	    link->nodes[link->primary].role != WR_SIM_PRIMARY || s->regions[link->primary].fenced;
	if (safe) return false;
	refuse(out, 409,
	       "%s is primary in %s, which is neither fenced nor demoted: two writers would split the "
	       "data",
	       name, old);
	return true;
}

static void do_promote(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	for (int l = 0; l < s->cfg.link_count; l++)
		if (chosen(c, l) && promote_refused(s, l, c->region, out)) return;
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_array(&w, "links");
	for (int l = 0; l < s->cfg.link_count; l++) {
		if (!chosen(c, l)) continue;
		const wr_sim_node *n = &s->links[l].nodes[c->region];
		wr_sim_lag lag = {.receipts = 0};
		if (s->links[l].primary != c->region) wr_sim_link_lag(s, l, c->region, c->region, &lag);
		if (n->role != WR_SIM_PRIMARY && n->role != WR_SIM_PROMOTING)
			wr_sim_promote(s, l, c->region);
		wr_jw_object(&w, NULL);
		wr_jw_str(&w, "link", s->links[l].spec.name);
		wr_jw_str(&w, "state", wr_sim_role_name(n->role));
		wr_jw_int(&w, "ready_in_ms", n->role == WR_SIM_PRIMARY ? 0 : n->due_ms - s->now_ms);
		wr_jw_int(&w, "receipts_behind", lag.receipts);
		wr_jw_object_end(&w);
	}
	wr_jw_array_end(&w);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static void do_demote(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	for (int l = 0; l < s->cfg.link_count; l++) {
		if (!chosen(c, l) || s->links[l].nodes[c->region].role != WR_SIM_PROMOTING) continue;
		refuse(out, 409, "%s is being promoted here: wait until that has ended",
		       s->links[l].spec.name);
		return;
	}
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_array(&w, "links");
	for (int l = 0; l < s->cfg.link_count; l++) {
		if (!chosen(c, l)) continue;
		const wr_sim_node *n = &s->links[l].nodes[c->region];
		if (n->role == WR_SIM_PRIMARY) wr_sim_demote(s, l);
		wr_jw_object(&w, NULL);
		wr_jw_str(&w, "link", s->links[l].spec.name);
		wr_jw_str(&w, "state", wr_sim_role_name(n->role));
		wr_jw_object_end(&w);
	}
	wr_jw_array_end(&w);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static bool can_resync(const wr_sim *s, int l, int region, int from)
{
	const wr_sim_link *link = &s->links[l];
	wr_sim_role role = link->nodes[region].role;
	return link->primary == from && region != from && role != WR_SIM_PROMOTING;
}

static void do_resync(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	int possible = 0;
	for (int l = 0; l < s->cfg.link_count; l++)
		possible += chosen(c, l) && can_resync(s, l, c->region, c->from);
	if (possible == 0) {
		refuse(out, 409, "%s is primary of none of these links: there is nothing to rebuild from",
		       s->regions[c->from].name);
		return;
	}
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_str(&w, "from", s->regions[c->from].name);
	wr_jw_array(&w, "links");
	for (int l = 0; l < s->cfg.link_count; l++) {
		if (!chosen(c, l)) continue;
		const wr_sim_node *n = &s->links[l].nodes[c->region];
		bool can = can_resync(s, l, c->region, c->from);
		if (can && n->role != WR_SIM_RESYNCING) wr_sim_resync(s, l, c->region, c->from);
		wr_jw_object(&w, NULL);
		wr_jw_str(&w, "link", s->links[l].spec.name);
		wr_jw_str(&w, "state", wr_sim_role_name(n->role));
		wr_jw_int(&w, "ready_in_ms", n->role == WR_SIM_RESYNCING ? n->due_ms : 0);
		wr_jw_object_end(&w);
	}
	wr_jw_array_end(&w);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static void do_scale(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	wr_sim_scale(s, c->region, c->percent);
	const wr_sim_region *r = &s->regions[c->region];
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_int(&w, "target_percent", r->target_percent);
	wr_jw_int(&w, "replicas_target", wr_sim_replicas_target(r));
	wr_jw_int(&w, "replicas_ready", r->ready_milli / 1000);
	wr_jw_int(&w, "warm_up_ms", WR_SIM_WARMUP_MS);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static void check_row(wr_jw *w, const char *name, bool ok, const char *why, bool *all)
{
	wr_jw_object(w, NULL);
	wr_jw_str(w, "name", name);
	wr_jw_bool(w, "ok", ok);
	if (!ok) wr_jw_str(w, "why", why);
	wr_jw_object_end(w);
	*all &= ok;
}

/* A synthetic client logs in, writes, reads back, deletes. */
static void do_verify(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	const wr_sim_region *r = &s->regions[c->region];
	bool served = r->ready_milli >= 1000 && !r->draining;
	int w_region = wr_sim_writer(s, 0);
	bool writes = w_region != WR_SIM_NONE && wr_sim_connected(s, c->region, w_region);
	bool room = r->util_milli <= 1000, all = true;
	const char *unserved = r->draining ? "the region is draining" : "no replica is ready";
	wr_buf b = WR_BUF_INIT(WR_SIM_ANSWER_MAX - 1);
	wr_jw w;
	wr_jw_begin(&w, &b);
	wr_jw_str(&w, "region", r->name);
	wr_jw_array(&w, "checks");
	check_row(&w, "login", served && room, served ? "the region is overloaded" : unserved, &all);
	check_row(&w, "create", served && writes, served ? "no primary takes writes" : unserved, &all);
	check_row(&w, "read", served, unserved, &all);
	check_row(&w, "delete", served && writes, served ? "no primary takes writes" : unserved, &all);
	wr_jw_array_end(&w);
	wr_jw_bool(&w, "ok", all);
	if (!all) wr_jw_str(&w, "error", "the synthetic client failed");
	wr_jw_end(&w);
	finish(out, all ? 200 : 503, &b);
}

static void do_traffic(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	int sum = 0;
	for (int i = 0; i < s->cfg.region_count; i++) {
		if (c->weights[i] < 0 || c->weights[i] > 100) {
			refuse(out, 422, "the weight of %s is %d: it must be 0 to 100", s->regions[i].name,
			       c->weights[i]);
			return;
		}
		sum += c->weights[i];
	}
	if (sum != 100) {
		refuse(out, 422, "the weights sum to %d: they must sum to 100", sum);
		return;
	}
	for (int i = 0; i < s->cfg.region_count; i++) s->regions[i].weight = c->weights[i];
	s->traffic_changes++;
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_object(&w, "weights");
	for (int i = 0; i < s->cfg.region_count; i++)
		wr_jw_int(&w, s->regions[i].name, s->regions[i].weight);
	wr_jw_object_end(&w);
	wr_jw_int(&w, "epoch", s->provider.epoch);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static void do_fence(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	wr_sim_region *r = &s->regions[c->region];
	bool fence = c->op == WR_SIM_OP_FENCE;
	for (int l = 0; l < s->cfg.link_count && !fence; l++) {
		if (s->links[l].primary != c->region) continue;
		for (int i = 0; i < s->cfg.region_count; i++) {
			if (i == c->region || s->links[l].nodes[i].role != WR_SIM_PROMOTING) continue;
			refuse(out, 409, "%s is being promoted in %s: the fence must stay until it has ended",
			       s->links[l].spec.name, s->regions[i].name);
			return;
		}
	}
	if (fence && !r->fenced) r->fenced_ms = s->now_ms;
	r->fenced = fence;
	wr_buf b;
	wr_jw w;
	begin_ok(s, c, &w, &b);
	wr_jw_bool(&w, "fenced", r->fenced);
	wr_jw_bool(&w, "acknowledged", true);
	wr_jw_end(&w);
	finish(out, 200, &b);
}

static void execute(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	static void (*const deeds[WR_SIM_OP_COUNT])(wr_sim *, const wr_sim_command *,
	                                            wr_sim_answer *) = {
	    [WR_SIM_OP_FREEZE] = do_freeze,   [WR_SIM_OP_UNFREEZE] = do_freeze,
	    [WR_SIM_OP_DRAIN] = do_drain,     [WR_SIM_OP_UNDRAIN] = do_drain,
	    [WR_SIM_OP_BUFFER] = do_buffer,   [WR_SIM_OP_UNBUFFER] = do_buffer,
	    [WR_SIM_OP_PROMOTE] = do_promote, [WR_SIM_OP_DEMOTE] = do_demote,
	    [WR_SIM_OP_RESYNC] = do_resync,   [WR_SIM_OP_SCALE] = do_scale,
	    [WR_SIM_OP_VERIFY] = do_verify,   [WR_SIM_OP_TRAFFIC] = do_traffic,
	    [WR_SIM_OP_FENCE] = do_fence,     [WR_SIM_OP_UNFENCE] = do_fence,
	};
	deeds[c->op](s, c, out);
}

/* ---- epochs and keys ---- */
static bool stale(wr_sim_desk *d, const wr_sim_command *c, wr_sim_answer *out)
{
	if (!c->has_epoch) return false;
	if (c->epoch >= d->epoch) {
		d->epoch = c->epoch;
		return false;
	}
	wr_buf b = WR_BUF_INIT(WR_SIM_ANSWER_MAX - 1);
	wr_jw w;
	wr_jw_begin(&w, &b);
	wr_jw_str(&w, "error", "stale epoch");
	wr_jw_int(&w, "epoch", c->epoch);
	wr_jw_int(&w, "highest", d->epoch);
	wr_jw_end(&w);
	finish(out, 409, &b);
	return true;
}

static wr_sim_kept_answer *kept(wr_sim_desk *d, const char *key)
{
	int64_t held = d->kept_count < WR_SIM_KEYS_MAX ? d->kept_count : WR_SIM_KEYS_MAX;
	for (int64_t i = 0; i < held; i++)
		if (strcmp(d->kept[i].key, key) == 0) return &d->kept[i];
	return NULL;
}

static void keep(wr_sim_desk *d, const wr_sim_command *c, const wr_sim_answer *a)
{
	wr_sim_kept_answer *k = &d->kept[d->kept_count % WR_SIM_KEYS_MAX];
	d->kept_count++;
	memcpy(k->key, c->key, sizeof k->key);
	memcpy(k->fingerprint, c->fingerprint, sizeof k->fingerprint);
	k->answer = *a;
}

void wr_sim_run_command(wr_sim *s, const wr_sim_command *c, wr_sim_answer *out)
{
	wr_sim_desk *d = c->op < WR_SIM_OP_TRAFFIC ? &s->regions[c->region].desk : &s->provider;
	memset(out, 0, sizeof *out);
	if (c->op < WR_SIM_OP_TRAFFIC && !s->regions[c->region].up) {
		refuse(out, 503, "the region is down");
		return;
	}
	d->commands++;
	if (stale(d, c, out)) {
		d->refused++;
		return;
	}
	const wr_sim_kept_answer *known = c->key[0] != '\0' ? kept(d, c->key) : NULL;
	if (known != NULL) {
		if (memcmp(known->fingerprint, c->fingerprint, sizeof c->fingerprint) != 0) {
			refuse(out, 422, "this Idempotency-Key was used for another request");
			d->refused++;
			return;
		}
		*out = known->answer;
		out->replayed = true;
		return;
	}
	execute(s, c, out);
	if (out->status >= 300)
		d->refused++;
	else if (c->key[0] != '\0')
		keep(d, c, out);
}
