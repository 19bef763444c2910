/* plan.c: a runbook resolved into a plan: data that people approve and that never changes. Pure.
 *
 * steps_hash covers what would be done and the configuration it comes from: making the plan again
 * gives the same one as long as nothing of that changed. Weights read from a provider (the way back
 * of the first traffic step) are evidence, not configuration, and stay out of it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "decide/plan_build.h"
#include "warroom/clock.h"
#include "warroom/json.h"
#include "warroom/words.h"

/* No step takes a month; and times are added up in microseconds. */
#define TIME_MOST_MS (INT64_C(31) * 24 * 3600 * 1000)

static void set_int(plan_maker *m, json_t *o, const char *key, int64_t value)
{
	if (value > WR_INT_MAX_SAFE) value = WR_INT_MAX_SAFE;
	if (value < -WR_INT_MAX_SAFE) value = -WR_INT_MAX_SAFE;
	wr_plan_set(m, o, key, json_integer(value));
}

static int64_t whole(double value)
{
	if (!(value > 0)) return 0;
	return value < (double)WR_INT_MAX_SAFE ? (int64_t)ceil(value) : WR_INT_MAX_SAFE;
}

/* ---- evidence ---- */

static int worst_streak(const plan_maker *m, const char *region)
{
	int worst = 0;
	for (size_t i = 0; i < m->cfg->signal_count; i++)
		if (!strcmp(m->cfg->signals[i].region, region) && m->w->signals[i].bad_streak > worst)
			worst = m->w->signals[i].bad_streak;
	return worst;
}

static json_t *evidence_regions(plan_maker *m)
{
	json_t *list = json_array();
	for (size_t i = 0; i < m->cfg->region_count && list; i++) {
		const wr_region_view *v = &m->w->regions[i];
		json_t *o = wr_plan_object(m);
		if (!o) break;
		wr_set_str(o, "name", m->cfg->regions[i].name);
		wr_set_str(o, "role", wr_role_text(m->s->regions[i].role));
		wr_set_str(o, "verdict", wr_verdict_name(v->verdict));
		wr_set_str(o, "rule", v->rule ? v->rule : "");
		wr_set_str(o, "reason", v->reason);
		wr_set_time(o, "first_breach", v->first_bad_us);
		set_int(m, o, "bad_streak", worst_streak(m, m->cfg->regions[i].name));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *evidence_links(plan_maker *m, int64_t now_us)
{
	json_t *list = json_array();
	for (size_t i = 0; i < m->cfg->link_count && list; i++) {
		const wr_link *l = &m->cfg->links[i];
		link_lag lag;
		if (strcmp(l->from, m->from->name) != 0 || strcmp(l->to, m->to->name) != 0) continue;
		wr_link_lag(&lag, m->w, i, now_us);
		json_t *o = wr_plan_object(m);
		if (!o) break;
		wr_set_str(o, "name", l->name);
		wr_set_str(o, "kind", l->kind);
		set_int(m, o, "seconds_ms", lag.seconds < 0 ? -1 : whole(lag.seconds * 1000));
		set_int(m, o, "bytes", lag.bytes < 0 ? -1 : whole(lag.bytes));
		set_int(m, o, "receipts", lag.receipts < 0 ? -1 : whole(lag.receipts));
		set_int(m, o, "age_ms", lag.proven_us ? (now_us - lag.proven_us) / US_PER_MS : -1);
		json_array_append_new(list, o);
	}
	return list;
}

/* All weights of a provider, if every one is known and they sum to 100; else NULL. */
static json_t *observed_weights(plan_maker *m, size_t traffic)
{
	const wr_traffic *t = &m->cfg->traffic[traffic];
	json_t *o = wr_plan_object(m);
	int sum = 0;
	for (size_t i = 0; i < t->region_count && o; i++) {
		int r = wr_region_index(m->cfg, t->regions[i]);
		int weight = r < 0 || !m->w->weights_us[traffic] ? -1 : m->w->weights[traffic][r];
		if (weight < 0) {
			sum = -1;
			break;
		}
		sum += weight;
		set_int(m, o, t->regions[i], weight);
	}
	if (sum == 100) return o;
	json_decref(o);
	return NULL;
}

static json_t *evidence(plan_maker *m, int64_t now_us)
{
	json_t *o = wr_plan_object(m), *weights = wr_plan_object(m);
	for (size_t i = 0; i < m->cfg->traffic_count && weights; i++) {
		json_t *seen = observed_weights(m, i);
		if (seen) wr_plan_set(m, weights, m->cfg->traffic[i].name, seen);
	}
	wr_plan_set(m, o, "regions", evidence_regions(m));
	wr_plan_set(m, o, "links", evidence_links(m, now_us));
	wr_plan_set(m, o, "weights", weights);
	return o;
}

static json_t *loss(plan_maker *m, int64_t now_us)
{
	wr_loss l;
	json_t *o = wr_plan_object(m);
	if (!o) return NULL;
	wr_loss_eval(&l, m->w, (size_t)(m->from - m->cfg->regions), (size_t)(m->to - m->cfg->regions),
	             now_us);
	wr_set_bool(o, "known", l.known);
	wr_set_bool(o, "stale", l.stale);
	wr_set_bool(o, "sync", l.sync);
	set_int(m, o, "seconds_ms", whole(l.seconds * 1000));
	set_int(m, o, "bytes", whole(l.bytes));
	set_int(m, o, "receipts", whole(l.receipts));
	wr_set_str(o, "names", l.names);
	wr_set_str(o, "text", l.text);
	return o;
}

/* ---- steps ---- */

/* The way back of a traffic step that states none: to the weights before it. */
static json_t *traffic_back(plan_maker *m, const json_t *step, const json_t *earlier)
{
	const json_t *mine = json_object_get(step, "traffic");
	const char *provider = wr_json_str(mine, "provider", "");
	json_t *weights = NULL, *observed = NULL;
	for (size_t i = json_array_size(earlier); i-- > 0 && !weights;) {
		const json_t *t = json_object_get(json_array_get(earlier, i), "traffic");
		if (!strcmp(wr_json_str(t, "provider", ""), provider))
			weights = json_object_get(t, "weights");
	}
	if (!weights) {
		const wr_traffic *t = wr_config_traffic(m->cfg, provider);
		weights = observed = t ? observed_weights(m, (size_t)(t - m->cfg->traffic)) : NULL;
	}
	if (!weights) return NULL;
	json_t *back = wr_plan_object(m), *action = json_deep_copy(mine);
	wr_plan_set(m, action, "weights", json_deep_copy(weights));
	wr_plan_str(m, back, "kind", "traffic");
	wr_plan_set(m, back, "traffic", action);
	if (observed) wr_plan_set(m, back, "observed", json_true());
	json_decref(observed);
	return back;
}

static json_t *make_step(plan_maker *m, const wr_step *st, const json_t *earlier)
{
	const char *kind = wr_step_kind_name(st->action.kind);
	json_t *o = wr_plan_action(m, &st->action);
	if (!o) return NULL;
	wr_plan_str(m, o, "name", st->name);
	wr_plan_str(m, o, "phase", wr_phase_name(st->phase));
	wr_plan_str(m, o, "class", wr_step_class_text(st->step_class));
	wr_plan_set(m, o, "guarded",
	            json_boolean(wr_guarded_kind(st->action.kind, st->phase, st->step_class)));
	wr_plan_tpl(m, o, "why", st->why);
	wr_plan_tpl(m, o, "look_at", st->look_at);
	wr_plan_tpl(m, o, "danger", st->danger);
	wr_plan_tpl(m, o, "go_back", st->go_back);
	set_int(m, o, "timeout_ms", st->timeout_ms);
	set_int(m, o, "retries", st->retries);
	set_int(m, o, "backoff_ms", st->backoff_ms);
	wr_plan_str(m, o, "on_failure",
	            wr_on_failure_text(st->optional ? WR_FAIL_CONTINUE : st->on_failure));
	set_int(m, o, "usual_ms", st->usual_ms);
	wr_plan_set(m, o, "optional", json_boolean(st->optional));
	if (st->has_rollback)
		wr_plan_set(m, o, "rollback", wr_plan_action(m, &st->rollback));
	else if (!m->failed && !strcmp(kind, "traffic")) {
		json_t *back = traffic_back(m, o, earlier);
		if (back) wr_plan_set(m, o, "rollback", back);
	}
	if (st->has_probe) wr_plan_set(m, o, "probe", wr_plan_action(m, &st->probe));
	return o;
}

static json_t *make_steps(plan_maker *m)
{
	json_t *steps = json_array();
	for (size_t i = 0; i < m->rb->step_count && steps && !m->failed; i++) {
		const wr_step *st = &m->rb->steps[i];
		json_t *step = make_step(m, st, steps);
		if (step && !m->failed) {
			json_array_append_new(steps, step);
			continue;
		}
		json_decref(step);
		m->failed = true;
		wr_err_wrap(m->err, "%s:%u: step %s", m->rb->file ? m->rb->file : m->rb->name, st->line,
		            st->name);
	}
	return steps;
}

/* ---- the whole ---- */

/* The tightest recovery time objective among the group's services; 0: none. */
static int64_t group_rto_ms(const plan_maker *m)
{
	int64_t rto_ms = 0;
	for (size_t i = 0; i < m->cfg->service_count; i++) {
		const wr_service *sv = &m->cfg->services[i];
		if (strcmp(sv->group, m->rb->group) != 0 || sv->rto_ms <= 0) continue;
		if (!rto_ms || sv->rto_ms < rto_ms) rto_ms = sv->rto_ms;
	}
	return rto_ms;
}

static bool sane(plan_maker *m, const char *head)
{
	const char *why = NULL;
	if (m->from == m->to)
		why = "from and to are the same region";
	else if (m->s->regions[m->to - m->cfg->regions].role == WR_WITNESS)
		why = "a witness takes nothing over";
	else if (!m->rb->step_count || m->rb->step_count > WR_MAX_STEPS)
		why = "the runbook has no steps, or too many";
	else if (strlen(head) != WR_HEX_LEN - 1)
		why = "head is not 64 hex digits";
	if (why) wr_fail(m->err, WR_E_INVALID, "%s: %s", m->rb->name, why);
	return !why;
}

static void set_table(plan_maker *m, json_t *plan, int64_t now_us)
{
	wr_guards g;
	wr_guards_eval(&g, m->s, m->w, m->rb->kind, (size_t)(m->from - m->cfg->regions),
	               (size_t)(m->to - m->cfg->regions), m->rb->group, NULL, now_us);
	wr_plan_set(m, plan, "guards", wr_guards_json(&g));
	set_int(m, plan, "guards_blocking", (int64_t)g.blocking);
}

json_t *wr_plan_make(const wr_config *cfg, const wr_state *s, const wr_world *w,
                     const wr_runbook *rb, size_t from, size_t to, const char *head, int64_t now_us,
                     wr_err *err)
{
	char hex[WR_HEX_LEN], made_at[WR_TIME_LEN];
	wr_err own = {0};
	plan_maker m = {.cfg = cfg, .s = s, .w = w, .rb = rb, .err = err ? err : &own};
	WR_ASSERT(from < cfg->region_count && to < cfg->region_count);
	m.from = &cfg->regions[from];
	m.to = &cfg->regions[to];
	if (!sane(&m, head)) return NULL;
	json_t *plan = wr_plan_object(&m);
	if (!plan) return NULL;
	wr_hex(hex, cfg->hash, sizeof cfg->hash);
	wr_time_format(made_at, now_us);
	set_int(&m, plan, "v", 1);
	wr_plan_str(&m, plan, "kind", wr_runbook_kind_name(rb->kind));
	wr_plan_str(&m, plan, "runbook", rb->name);
	wr_plan_str(&m, plan, "title", rb->title);
	wr_plan_str(&m, plan, "group", rb->group);
	wr_plan_str(&m, plan, "from", m.from->name);
	wr_plan_str(&m, plan, "to", m.to->name);
	wr_plan_str(&m, plan, "config_hash", hex);
	wr_plan_str(&m, plan, "head", head);
	wr_plan_str(&m, plan, "made_at", made_at);
	set_int(&m, plan, "rto_ms", group_rto_ms(&m));
	wr_plan_set(&m, plan, "loss", loss(&m, now_us));
	wr_plan_set(&m, plan, "evidence", evidence(&m, now_us));
	wr_plan_set(&m, plan, "steps", make_steps(&m));
	set_table(&m, plan, now_us);
	if (!m.failed && wr_plan_steps_hash(plan, hex, m.err) != 0) m.failed = true;
	wr_plan_str(&m, plan, "steps_hash", hex);
	if (!m.failed) return plan;
	json_decref(plan);
	return NULL;
}

/* ---- hashes ---- */

static int hash_json(const json_t *value, uint8_t hash[static WR_HASH_LEN], wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	int rc = wr_canon_write(&text, value, err);
	if (rc == 0 && !wr_buf_ok(&text)) rc = wr_fail(err, WR_E_LIMIT, "the plan is too large");
	if (rc == 0) wr_sha256(hash, wr_buf_cstr(&text), text.len);
	wr_buf_free(&text);
	return rc;
}

int wr_plan_hash(const json_t *plan, char hex[static WR_HEX_LEN], char words[static WR_WORDS_LEN],
                 wr_err *err)
{
	uint8_t hash[WR_HASH_LEN];
	if (hash_json(plan, hash, err) != 0) return -1;
	wr_hex(hex, hash, sizeof hash);
	wr_words(words, hash);
	return 0;
}

int wr_plan_steps_hash(const json_t *plan, char hex[static WR_HEX_LEN], wr_err *err)
{
	static const char *const members[] = {"config_hash", "runbook", "from", "to"};
	uint8_t hash[WR_HASH_LEN];
	json_t *o = json_object(), *steps = json_deep_copy(json_object_get(plan, "steps")), *step;
	size_t i;
	bool ok = o && steps;
	for (i = 0; i < 4 && ok; i++)
		ok =
		    json_object_set_new(o, members[i], json_string(wr_json_str(plan, members[i], ""))) == 0;
	if (ok) {
		json_array_foreach (steps, i, step)
			if (wr_json_bool(json_object_get(step, "rollback"), "observed", false))
				json_object_del(step, "rollback");
		ok = json_object_set(o, "steps", steps) == 0;
	}
	int rc = ok ? hash_json(o, hash, err) : wr_fail(err, WR_E_INVALID, "the plan has no steps");
	json_decref(steps);
	json_decref(o);
	if (rc == 0) wr_hex(hex, hash, sizeof hash);
	return rc;
}

/* ---- checking one that comes back ---- */

/* A region that is left out would keep what it has beside the 100 % of the others. */
static const char *traffic_fault(const json_t *action)
{
	json_t *weights = json_object_get(action, "weights"), *name;
	json_t *regions = json_object_get(action, "regions");
	int64_t sum = 0;
	size_t i;
	if (json_object_size(weights) != json_array_size(regions))
		return "its weights are not those of the provider's regions";
	json_array_foreach (regions, i, name) {
		const json_t *weight = json_object_get(weights, json_string_value(name));
		int64_t percent = json_integer_value(weight);
		if (!weight) return "its weights are not those of the provider's regions";
		if (!json_is_integer(weight) || percent < 0 || percent > 100)
			return "a weight is not 0 to 100";
		sum += percent;
	}
	return sum == 100 ? NULL : "the weights do not sum to 100";
}

static bool bounded(const json_t *o, const char *key, int64_t least, int64_t most)
{
	int64_t value = wr_json_int(o, key, -1);
	return value >= least && value <= most;
}

static const char *soak_fault(const json_t *action)
{
	json_t *gates = json_object_get(action, "gates"), *gate;
	size_t i;
	if (!bounded(action, "duration_ms", 0, TIME_MOST_MS) ||
	    !bounded(action, "min_samples", 1, WR_INT_MAX_SAFE) || !json_array_size(gates))
		return "its soak has no duration, samples or gates that can be";
	json_array_foreach (gates, i, gate)
		if (!json_string_value(gate)) return "a gate of its soak is no name";
	return NULL;
}

static const char *action_fault(const json_t *holder)
{
	const char *kind = wr_json_str(holder, "kind", "");
	const json_t *action = json_object_get(holder, kind);
	int k = wr_kind_parse(kind);
	if (k < 0 || !json_is_object(action)) return "what it does is not understood";
	if (k == WR_STEP_SOAK) return soak_fault(action);
	return k == WR_STEP_TRAFFIC ? traffic_fault(action) : NULL;
}

/* What is shown to people, and what "rule:<step>:<ruling>" is taken apart by. */
static const char *manner_fault(const json_t *step)
{
	int kind = wr_kind_parse(wr_json_str(step, "kind", ""));
	int step_class = wr_class_parse_name(wr_json_str(step, "class", ""));
	int phase = wr_phase_parse_name(wr_json_str(step, "phase", ""));
	if (step_class < 0 || phase < 0 ||
	    wr_on_failure_parse_name(wr_json_str(step, "on_failure", "")) < 0)
		return "its class, phase or on_failure is not understood";
	bool guarded = wr_guarded_kind((wr_step_kind)kind, (wr_phase)phase, (wr_step_class)step_class);
	if (wr_json_bool(step, "guarded", !guarded) != guarded)
		return "it says wrongly whether approvals are checked";
	if (!bounded(step, "retries", 0, 1000) || !bounded(step, "timeout_ms", 0, TIME_MOST_MS) ||
	    !bounded(step, "backoff_ms", 0, TIME_MOST_MS))
		return "its times or retries are out of bounds";
	return NULL;
}

static const char *step_fault(const json_t *steps, size_t index)
{
	const json_t *step = json_array_get(steps, index), *back = json_object_get(step, "rollback"),
	             *probe = json_object_get(step, "probe");
	const char *name = wr_json_str(step, "name", ""), *fault = action_fault(step);
	if (fault) return fault;
	if (!name[0] || strchr(name, ':')) return "it has no name, or one with a colon";
	for (size_t i = 0; i < index; i++)
		if (!strcmp(wr_json_str(json_array_get(steps, i), "name", ""), name))
			return "two steps have its name";
	if ((fault = manner_fault(step))) return fault;
	if (probe && strcmp(wr_json_str(probe, "kind", ""), "wait") != 0) return "its probe is no wait";
	if (probe && (fault = action_fault(probe))) return fault;
	return back ? action_fault(back) : NULL;
}

int wr_plan_check(const json_t *plan, wr_err *err)
{
	const json_t *steps = json_object_get(plan, "steps");
	char hex[WR_HEX_LEN];
	size_t n = json_array_size(steps);
	if (wr_json_int(plan, "v", 0) != 1 || wr_rb_kind_parse_name(wr_json_str(plan, "kind", "")) < 0)
		return wr_fail(err, WR_E_INVALID, "it is of a kind or version that is not understood");
	if (!wr_json_str(plan, "from", "")[0] || !wr_json_str(plan, "to", "")[0] ||
	    !wr_json_str(plan, "group", "")[0])
		return wr_fail(err, WR_E_INVALID, "from, to or group is missing");
	if (!n || n > WR_MAX_STEPS) return wr_fail(err, WR_E_INVALID, "it has no steps, or too many");
	for (size_t i = 0; i < n; i++) {
		const char *fault = step_fault(steps, i);
		if (fault) return wr_fail(err, WR_E_INVALID, "step %zu: %s", i + 1, fault);
	}
	if (wr_plan_steps_hash(plan, hex, err) != 0) return -1;
	if (strcmp(hex, wr_json_str(plan, "steps_hash", "")) != 0)
		return wr_fail(err, WR_E_INVALID, "its steps_hash is not that of its steps");
	return 0;
}
