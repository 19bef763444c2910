/* view.c: the published state (docs/api.md): the platform's side. view_ops.c has the operations. */
#include "engine/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "warroom/text.h"

#define LATE_WINDOW_MS 10000
#define LATE_LEAST     10 /* fewer happen when a machine takes a breath */
#define LATE_SHARE     20

void put(json_t *obj, const char *key, json_t *value)
{
	(void)json_object_set_new(obj, key, value);
}
void put_str(json_t *obj, const char *key, const char *s)
{
	json_t *v = json_string(s ? s : "");
	put(obj, key, v ? v : json_string("?"));
}
void put_int(json_t *obj, const char *key, int64_t n)
{
	put(obj, key, json_integer((json_int_t)n));
}
void put_bool(json_t *obj, const char *key, bool b)
{
	put(obj, key, json_boolean(b));
}

json_t *view_time(int64_t us)
{
	char text[WR_TIME_LEN];
	if (!us) return json_string("");
	wr_time_format(text, us);
	return json_string(text);
}

int64_t view_age_ms(const engine *e, int64_t us)
{
	if (!us) return -1;
	int64_t age = (wr_wall_us(e->clock) - us) / 1000;
	return age < 0 ? 0 : age;
}

static void value_text(const wr_value *v, char *out, size_t size)
{
	switch (v->type) {
	case WR_V_NUM:
		snprintf(out, size, "%.6g", v->num);
		break;
	case WR_V_BOOL:
		snprintf(out, size, "%s", v->truth ? "true" : "false");
		break;
	case WR_V_STR:
		wr_sanitise_to(out, size, v->str);
		break;
	default:
		snprintf(out, size, "%s", "");
		break;
	}
}

static const char *status_name(wr_status s)
{
	return s == WR_CLEAR ? "clear" : s == WR_BREACHED ? "breached" : "no_data";
}
static const char *truth_name(wr_truth t)
{
	return t == WR_TRUE ? "true" : t == WR_FALSE ? "false" : "unknown";
}
static const char *role_name(wr_role r)
{
	return r == WR_PRIMARY ? "primary" : r == WR_STANDBY ? "standby" : "witness";
}

static json_t *view_signal(const engine *e, size_t i)
{
	const wr_signal *conf = &e->cfg->signals[i];
	const wr_signal_view *v = &e->world->signals[i];
	char value[160], strip[WR_HISTORY + 1];
	if (v->last.vars.value.type == WR_V_NONE && v->last.vars.status)
		snprintf(value, sizeof value, "%lld", (long long)v->last.vars.status);
	else
		value_text(&v->last.vars.value, value, sizeof value);
	for (unsigned k = 0; k < WR_HISTORY; k++)
		strip[k] = (char)('0' + v->history[(v->history_head + k) % WR_HISTORY] % 4);
	strip[WR_HISTORY] = '\0';
	json_t *o = json_object();
	put_str(o, "name", conf->name);
	put_str(o, "class", wr_class_name(conf->signal_class));
	put_str(o, "observer", conf->observer);
	put_str(o, "status", status_name(v->status));
	put_str(o, "value", value);
	put_str(o, "detail", v->last.detail);
	put_int(o, "age_ms", view_age_ms(e, v->last_us));
	put_str(o, "history", strip);
	return o;
}

static json_t *view_facts(const engine *e, const char *region)
{
	json_t *list = json_array();
	for (size_t i = 0; i < e->cfg->fact_count; i++) {
		const wr_fact *f = &e->cfg->facts[i];
		if (strcmp(f->region, region) != 0) continue;
		const wr_measure *m = &e->world->facts[i];
		char value[160];
		value_text(&m->last, value, sizeof value);
		json_t *o = json_object();
		put_str(o, "kind", wr_fact_kind_name(f->kind));
		put_str(o, "name", f->name);
		put_str(o, "ok", truth_name(wr_world_fact(e->world, i, wr_wall_us(e->clock))));
		put_str(o, "value", value);
		put_str(o, "need", f->need ? wr_expr_text(f->need) : "");
		put_int(o, "age_ms", view_age_ms(e, m->last_us));
		put_str(o, "detail", m->detail);
		(void)json_array_append_new(list, o);
	}
	return list;
}

/* The first provider that serves the region says its weight. */
static int region_weight(const engine *e, size_t region)
{
	for (size_t t = 0; t < e->cfg->traffic_count; t++)
		if (e->world->weights_us[t] && e->world->weights[t][region] >= 0)
			return e->world->weights[t][region];
	return -1;
}

static json_t *view_classes(const engine *e, size_t r)
{
	const wr_region_view *v = &e->world->regions[r];
	json_t *list = json_array();
	for (int c = 0; c < WR_CLASS_COUNT; c++) {
		unsigned bit = 1u << c;
		if (!((v->breached_classes | v->clear_classes | v->blind_classes) & bit)) continue;
		json_t *o = json_object();
		put_str(o, "class", wr_class_name((wr_class)c));
		put_str(o, "abbr", wr_class_abbr((wr_class)c));
		put_str(o, "status",
		        v->breached_classes & bit ? "breached"
		        : v->clear_classes & bit  ? "clear"
		                                  : "no_data");
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *view_regions(const engine *e)
{
	json_t *list = json_array();
	for (size_t r = 0; r < e->cfg->region_count; r++) {
		const wr_region *conf = &e->cfg->regions[r];
		const wr_region_view *v = &e->world->regions[r];
		const wr_region_state *st = wr_state_region(e->state, r);
		json_t *o = json_object(), *signals = json_array();
		for (size_t i = 0; i < e->cfg->signal_count; i++)
			if (!strcmp(e->cfg->signals[i].region, conf->name))
				(void)json_array_append_new(signals, view_signal(e, i));
		put_str(o, "name", conf->name);
		put_str(o, "role", role_name(st ? st->role : conf->role));
		put_str(o, "residency", conf->residency);
		put_str(o, "verdict", wr_verdict_name(v->verdict));
		put(o, "since", view_time(v->since_us));
		put_int(o, "since_ms", view_age_ms(e, v->since_us));
		put_str(o, "rule", v->rule);
		put_str(o, "reason", v->reason);
		put_int(o, "weight", region_weight(e, r));
		put(o, "impact_started", view_time(v->first_bad_us));
		put(o, "classes", view_classes(e, r));
		put(o, "signals", signals);
		put(o, "facts", view_facts(e, conf->name));
		(void)json_array_append_new(list, o);
	}
	return list;
}

static int64_t to_ms(const wr_value *v)
{
	return v->type == WR_V_NUM && v->num >= 0 && v->num < 1e12 ? (int64_t)llround(v->num * 1000)
	                                                           : -1;
}
static int64_t to_count(const wr_value *v)
{
	return v->type == WR_V_NUM && v->num >= 0 && v->num < 9e15 ? (int64_t)llround(v->num) : -1;
}

static json_t *history_ms(const wr_measure *m, double scale)
{
	json_t *list = json_array();
	for (unsigned k = 0; k < WR_HISTORY; k++) {
		double d = m->history[(m->history_head + k) % WR_HISTORY];
		(void)json_array_append_new(
		    list,
		    json_integer(isfinite(d) && fabs(d) < 1e12 ? (json_int_t)llround(d * scale) : -1));
	}
	return list;
}

static json_t *view_links(const engine *e)
{
	json_t *list = json_array();
	int primary = wr_state_primary(e->state);
	for (size_t i = 0; i < e->cfg->link_count; i++) {
		const wr_link *conf = &e->cfg->links[i];
		const wr_link_view *v = &e->world->links[i];
		const wr_measure *m = conf->has_seconds ? &v->seconds
		                      : conf->has_bytes ? &v->bytes
		                                        : &v->state;
		int64_t ms = to_ms(&v->seconds.last);
		json_t *o = json_object();
		put_str(o, "name", conf->name);
		put_str(o, "kind", conf->kind);
		put_str(o, "from", conf->from);
		put_str(o, "to", conf->to);
		put_bool(o, "sync", conf->sync);
		put_bool(o, "active", primary >= 0 && !strcmp(e->cfg->regions[primary].name, conf->from));
		put_int(o, "seconds_ms", ms);
		put_int(o, "bytes", to_count(&v->bytes.last));
		put_int(o, "receipts", to_count(&v->receipts.last));
		put_str(o, "names", v->receipts.names);
		put_int(o, "rpo_ms", conf->rpo_ms);
		put_str(o, "state",
		        m->last.type == WR_V_NONE                      ? "no_data"
		        : ms > conf->rpo_ms || v->state_ok == WR_FALSE ? "over"
		                                                       : "ok");
		put_int(o, "age_ms", view_age_ms(e, m->last_us));
		put_int(o, "proven_ms", to_ms(&v->seconds.proven));
		put_int(o, "proven_age_ms", view_age_ms(e, v->seconds.proven_us));
		put(o, "history", history_ms(&v->seconds, 1000));
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *view_quotas(const engine *e)
{
	json_t *list = json_array();
	for (size_t i = 0; i < e->cfg->quota_count; i++) {
		const wr_quota *conf = &e->cfg->quotas[i];
		const wr_measure *m = &e->world->quotas[i], *after = &e->world->quotas_after[i];
		int64_t used = to_count(&m->last), then = conf->has_after ? to_count(&after->last) : -1;
		json_t *o = json_object();
		put_str(o, "name", conf->name);
		put_str(o, "layer", conf->layer);
		put_str(o, "region", conf->region);
		put_int(o, "percent", used);
		put_int(o, "after_percent", then);
		put_int(o, "alert", (int64_t)llround(conf->alert_percent));
		put_str(o, "state",
		        used < 0                     ? "no_data"
		        : used >= 100 || then >= 100 ? "over"
		        : (double)used >= conf->alert_percent || (double)then >= conf->alert_percent
		            ? "warn"
		            : "ok");
		put_int(o, "age_ms", view_age_ms(e, m->last_us));
		put(o, "history", history_ms(m, 1));
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *view_traffic(const engine *e)
{
	json_t *list = json_array();
	for (size_t t = 0; t < e->cfg->traffic_count; t++) {
		json_t *o = json_object(), *weights = json_object();
		for (size_t r = 0; r < e->cfg->region_count; r++)
			if (e->world->weights_us[t] && e->world->weights[t][r] >= 0)
				put_int(weights, e->cfg->regions[r].name, e->world->weights[t][r]);
		put_str(o, "name", e->cfg->traffic[t].name);
		put(o, "weights", weights);
		put_int(o, "age_ms", view_age_ms(e, e->world->weights_us[t]));
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *view_ledger(const engine *e)
{
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	char hex[WR_HEX_LEN], chain[140];
	wr_hex(hex, head.hash, sizeof head.hash);
	snprintf(chain, sizeof chain, "%s/%s", e->cfg->partition, e->cfg->stream);
	json_t *o = json_object(), *tail = json_array();
	int64_t first = e->tail_count > TAIL ? e->tail_count - TAIL : 0;
	for (int64_t i = first; i < e->tail_count; i++) {
		const tail_line *t = &e->tail[i % TAIL];
		json_t *line = json_object();
		put_int(line, "seq", t->seq);
		put_str(line, "timestamp", t->timestamp);
		put_str(line, "operation", t->operation);
		put_str(line, "actor", t->actor);
		put_str(line, "hash", t->hash);
		put_str(line, "text", t->text);
		(void)json_array_append_new(tail, line);
	}
	put_str(o, "chain", chain);
	put_int(o, "count", head.count);
	put_str(o, "head", hex);
	put_bool(o, "ok", !e->banner[0] && (!e->audited || e->last_audit.ok));
	put_str(o, "reason",
	        e->banner[0]                      ? e->banner
	        : e->audited && !e->last_audit.ok ? e->last_audit.text
	                                          : "");
	put_bool(o, "verified_ok", e->audited && e->last_audit.ok);
	put_int(o, "verified_age_ms", e->audited ? view_age_ms(e, e->last_audit.at_us) : -1);
	put_int(o, "verified_count", e->audited ? e->last_audit.checked : -1);
	put_int(o, "attested_seq", e->audited ? e->last_audit.attested : -1);
	put_int(o, "verifying_percent", atomic_load(&e->audit_percent));
	put(o, "export", view_export(e));
	put(o, "anchor", view_anchor(e));
	put(o, "tail", tail);
	return o;
}

const wr_service *engine_tightest(const engine *e)
{
	const wr_service *best = NULL;
	for (size_t i = 0; i < e->cfg->service_count; i++)
		if (!best || e->cfg->services[i].rto_ms < best->rto_ms) best = &e->cfg->services[i];
	return best;
}

/* The RTO runs from impact while the primary is not well, and while an operation that began with
 * impact runs. */
static json_t *view_rto(const engine *e, int64_t impact_us)
{
	const wr_service *s = engine_tightest(e);
	json_t *o = json_object();
	int64_t target = s ? s->rto_ms : -1;
	put_int(o, "target_ms", target);
	put_bool(o, "running", impact_us != 0);
	put_int(o, "left_ms", impact_us && s ? target - view_age_ms(e, impact_us) : target);
	put_str(o, "service", s ? s->name : "");
	return o;
}

static json_t *view_incident(const engine *e, int64_t *started)
{
	const char *id = wr_state_incident(e->state, started);
	if (!id || !*id) return json_null();
	json_t *o = json_object();
	put_str(o, "id", id);
	put_str(o, "title", wr_state_incident_title(e->state));
	put_str(o, "region", e->incident_region);
	put(o, "started", view_time(*started));
	put_int(o, "impact_ms", view_age_ms(e, *started));
	return o;
}

static int64_t rss_kb(void)
{
	long long pages = -1, size;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f) return -1;
	if (fscanf(f, "%lld %lld", &size, &pages) != 2) pages = -1;
	fclose(f);
	return pages < 0 ? -1 : pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Says so while more than one probe in LATE_SHARE begins late, or samples are dropped. */
static void watch_lateness(engine *e, const wr_prober_stats *st, uint64_t dropped)
{
	int64_t now = wr_mono_ms(e->clock);
	if (e->late_ms && now - e->late_ms < LATE_WINDOW_MS) return;
	uint64_t done = st->done - e->late_done, late = st->late - e->late_late,
	         lost = dropped - e->late_dropped;
	e->late_text[0] = '\0';
	if (lost)
		snprintf(e->late_text, sizeof e->late_text,
		         "SAMPLES DROPPED: %llu in %d s; the engine does not keep up",
		         (unsigned long long)lost, LATE_WINDOW_MS / 1000);
	else if (late >= LATE_LEAST && late * LATE_SHARE > done)
		snprintf(e->late_text, sizeof e->late_text,
		         "PROBES LATE: %llu of %llu in %d s; this machine is too busy",
		         (unsigned long long)late, (unsigned long long)done, LATE_WINDOW_MS / 1000);
	e->late_done = st->done;
	e->late_late = st->late;
	e->late_dropped = dropped;
	e->late_ms = now;
}

static json_t *view_engine(const wr_prober_stats *st, uint64_t dropped)
{
	struct rusage ru = {0};
	getrusage(RUSAGE_SELF, &ru);
	json_t *o = json_object();
	put_int(o, "probes_done", (int64_t)st->done);
	put_int(o, "probes_late", (int64_t)st->late);
	put_int(o, "queue_dropped", (int64_t)dropped);
	put_int(o, "rss_kb", rss_kb());
	put_int(o, "cpu_ms",
	        (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000 +
	            (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1000);
	return o;
}

static json_t *view_policy(const wr_approval_policy *p)
{
	json_t *o = json_object(), *roles = json_array();
	for (size_t i = 0; i < p->role_count; i++)
		(void)json_array_append_new(roles, json_string(p->roles[i]));
	put(o, "roles", roles);
	put_str(o, "assurance", wr_assurance_name(p->least));
	put_int(o, "expires_ms", p->expires_ms);
	return o;
}

static json_t *view_people(const engine *e)
{
	json_t *list = json_array();
	for (size_t i = 0; i < e->cfg->operator_count; i++) {
		const wr_operator *p = &e->cfg->operators[i];
		json_t *o = json_object(), *roles = json_array();
		for (size_t k = 0; k < p->role_count; k++)
			(void)json_array_append_new(roles, json_string(p->roles[k]));
		put_str(o, "principal", p->principal);
		put_str(o, "name", p->name);
		put(o, "roles", roles);
		put_str(o, "key_file", p->key_file);
		(void)json_array_append_new(list, o);
	}
	return list;
}

static json_t *view_all_operations(engine *e)
{
	const wr_op *ops[10];
	size_t n = wr_state_ops(e->state, ops, 10);
	json_t *list = json_array();
	/* What old operations printed would make up most of the state: it is at /v1/operations/ID. */
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(list,
		                            view_operation(e, ops[i], i > 0 && wr_op_final(ops[i]->state)));
	return list;
}

json_t *view_state(engine *e)
{
	json_t *o = json_object(), *loss = NULL;
	char hash[WR_HEX_LEN];
	int64_t impact = 0;
	wr_prober_stats st = {0};
	uint64_t dropped = wr_queue_dropped(e->samples);
	if (e->prober) wr_prober_get_stats(e->prober, &st);
	watch_lateness(e, &st, dropped);
	wr_hex(hash, e->cfg->hash, sizeof e->cfg->hash);
	put_int(o, "rev", (int64_t)e->rev);
	put(o, "now", view_time(wr_wall_us(e->clock)));
	put_str(o, "version", WR_VERSION);
	put_str(o, "platform", e->cfg->platform);
	put_str(o, "observer", e->cfg->observer);
	put_int(o, "pid", getpid());
	put(o, "started", view_time(e->started_us));
	put_int(o, "epoch", e->epoch);
	put_str(o, "config_hash", hash);
	put_str(o, "banner", e->banner[0] ? e->banner : e->late_text);
	put(o, "incident", view_incident(e, &impact));
	put(o, "rto", view_rto(e, impact));
	json_t *iso = json_object();
	put_bool(iso, "isolated", e->world->isolated);
	put_bool(iso, "known", e->world->isolation_known);
	put_str(iso, "reason", e->world->isolated_reason);
	put(o, "isolation", iso);
	put(o, "regions", view_regions(e));
	put(o, "links", view_links(e));
	put(o, "quotas", view_quotas(e));
	put(o, "traffic", view_traffic(e));
	put(o, "ledger", view_ledger(e));
	put(o, "foreign", view_foreign(e));
	put(o, "actions", view_actions(e, &loss));
	put(o, "loss", loss ? loss : json_null());
	put(o, "operations", view_all_operations(e));
	put(o, "operators", view_people(e));
	json_t *policy = json_object();
	put(policy, "failover", view_policy(&e->cfg->approve_failover));
	put(policy, "failback", view_policy(&e->cfg->approve_failback));
	put(policy, "other", view_policy(&e->cfg->approve_other));
	put(o, "policy", policy);
	put(o, "engine", view_engine(&st, dropped));
	return o;
}
