/* plan_action.c: one action of a runbook, resolved into plan JSON. Pure.
 *
 * Everything that will be used is written out: URLs, bodies, argv, the provider's address, all
 * weights. Only ${env:…} and ${file:…} stay, because a plan is shown, stored and signed. */
#include <stdio.h>
#include <string.h>

#include "decide/plan_build.h"
#include "warroom/json.h"

void wr_plan_set(plan_maker *m, json_t *o, const char *key, json_t *value)
{
	int rc = value && o && !m->failed ? json_object_set(o, key, value) : -1;
	json_decref(value);
	if (rc == 0 || m->failed) return;
	m->failed = true;
	wr_fail(m->err, WR_E_INVALID, "%s cannot be written into a plan (invalid UTF-8 or no memory)",
	        key);
}

json_t *wr_plan_object(plan_maker *m)
{
	json_t *o = json_object();
	if (!o && !m->failed) {
		m->failed = true;
		wr_fail(m->err, WR_E_NOMEM, "out of memory");
	}
	return o;
}

void wr_plan_str(plan_maker *m, json_t *o, const char *key, const char *text)
{
	wr_plan_set(m, o, key, json_string(text ? text : ""));
}

static json_t *expanded(plan_maker *m, const char *text)
{
	wr_buf out = WR_BUF_INIT(64u << 10);
	json_t *value = NULL;
	if (m->failed) return NULL;
	if (wr_template_expand(&out, text ? text : "", m->cfg, m->from, m->to, m->err) != 0)
		m->failed = true;
	else if (!wr_buf_ok(&out)) {
		m->failed = true;
		wr_fail(m->err, WR_E_LIMIT, "a text is too long when its variables are filled in");
	} else {
		value = json_stringn(wr_buf_cstr(&out), out.len);
		if (!value) {
			m->failed = true;
			wr_fail(m->err, WR_E_INVALID, "a text is not valid UTF-8");
		}
	}
	wr_buf_free(&out);
	return value;
}

void wr_plan_tpl(plan_maker *m, json_t *o, const char *key, const char *text)
{
	json_t *value = expanded(m, text);
	if (value) wr_plan_set(m, o, key, value);
}

static json_t *pairs(plan_maker *m, const wr_pair *list, size_t count)
{
	json_t *o = wr_plan_object(m);
	for (size_t i = 0; i < count && o; i++) wr_plan_tpl(m, o, list[i].key, list[i].value);
	return o;
}

static json_t *strings(plan_maker *m, const char *const *list, size_t count, bool template)
{
	json_t *a = json_array();
	for (size_t i = 0; i < count && a && !m->failed; i++) {
		json_t *item = template ? expanded(m, list[i]) : json_string(list[i]);
		if (item && json_array_append_new(a, item) == 0) continue;
		if (!m->failed) wr_fail(m->err, WR_E_INVALID, "\"%.60s\" is not valid UTF-8", list[i]);
		m->failed = true;
	}
	return a;
}

static const char *expr_text(const wr_expr *e)
{
	return e ? wr_expr_text(e) : "";
}

static json_t *http_of(plan_maker *m, const wr_action *a, bool waits)
{
	json_t *o = wr_plan_object(m), *status = json_array();
	const wr_probe *p = &a->http;
	wr_plan_str(m, o, "method", p->method && p->method[0] ? p->method : "GET");
	wr_plan_tpl(m, o, "url", p->url);
	wr_plan_set(m, o, "headers", pairs(m, p->headers, p->header_count));
	wr_plan_tpl(m, o, "body", p->body);
	for (size_t i = 0; i < a->expect_count && !waits && status; i++)
		json_array_append_new(status, json_integer(a->expect_status[i]));
	wr_plan_set(m, o, "expect_status", status);
	wr_plan_str(m, o, "expect", waits ? "" : expr_text(a->expect));
	wr_plan_str(m, o, "pointer", p->pointer);
	wr_plan_str(m, o, "ca_file", p->ca_file);
	wr_plan_set(m, o, "insecure", json_boolean(p->insecure));
	return o;
}

static json_t *exec_of(plan_maker *m, const wr_action *a, bool waits)
{
	json_t *o = wr_plan_object(m);
	const wr_probe *p = &a->http;
	wr_plan_set(m, o, "argv", strings(m, p->argv, p->argc, true));
	wr_plan_set(m, o, "env", pairs(m, p->env, p->env_count));
	wr_plan_tpl(m, o, "cwd", a->cwd);
	wr_plan_str(m, o, "expect", waits ? "" : expr_text(a->expect));
	wr_plan_str(m, o, "pointer", p->pointer);
	return o;
}

static size_t argv_count(const char *const *argv)
{
	size_t n = 0;
	while (argv && n < WR_MAX_ARGV && argv[n]) n++;
	return n;
}

/* Law 5: every region of the provider has a weight, and they sum to 100. */
static json_t *weights_of(plan_maker *m, const wr_action *a, const wr_traffic *t)
{
	json_t *o = wr_plan_object(m);
	int sum = 0;
	for (size_t i = 0; i < t->region_count; i++) wr_plan_set(m, o, t->regions[i], json_integer(0));
	for (size_t i = 0; i < a->weight_count && !m->failed; i++) {
		json_t *name = expanded(m, a->weights[i].region);
		const char *region = name ? json_string_value(name) : "";
		if (name && !json_object_get(o, region)) {
			m->failed = true;
			wr_fail(m->err, WR_E_INVALID, "traffic %s does not serve \"%.63s\"", t->name, region);
		}
		if (name && a->weights[i].percent >= 0) sum += a->weights[i].percent;
		if (name) wr_plan_set(m, o, region, json_integer(a->weights[i].percent));
		json_decref(name);
	}
	if (!m->failed && sum != 100) {
		m->failed = true;
		wr_fail(m->err, WR_E_INVALID, "the weights of traffic %s sum to %d, not 100", t->name, sum);
	}
	return o;
}

static json_t *traffic_of(plan_maker *m, const wr_action *a)
{
	static const char *const kinds[] = {"haproxy", "http", "exec"};
	json_t *o = wr_plan_object(m);
	const wr_traffic *t = wr_config_traffic(m->cfg, a->traffic ? a->traffic : "");
	if (!t) {
		if (!m->failed)
			wr_fail(m->err, WR_E_NOT_FOUND, "there is no traffic provider \"%.63s\"",
			        a->traffic ? a->traffic : "");
		m->failed = true;
		return o;
	}
	wr_plan_str(m, o, "provider", t->name);
	wr_plan_str(m, o, "kind", kinds[t->kind]);
	wr_plan_str(m, o, "address", t->address);
	wr_plan_str(m, o, "backend", t->backend);
	json_t *servers = wr_plan_object(m), *headers = wr_plan_object(m);
	for (size_t i = 0; i < t->server_count; i++)
		wr_plan_str(m, servers, t->servers[i].key, t->servers[i].value);
	for (size_t i = 0; i < t->header_count; i++)
		wr_plan_str(m, headers, t->headers[i].key, t->headers[i].value);
	wr_plan_set(m, o, "servers", servers);
	wr_plan_set(m, o, "headers", headers);
	wr_plan_set(m, o, "get_argv", strings(m, t->get_argv, argv_count(t->get_argv), false));
	wr_plan_set(m, o, "set_argv", strings(m, t->set_argv, argv_count(t->set_argv), false));
	wr_plan_set(m, o, "regions", strings(m, t->regions, t->region_count, false));
	wr_plan_set(m, o, "ttl_s", json_integer(t->ttl_s));
	wr_plan_set(m, o, "weights", weights_of(m, a, t));
	return o;
}

static json_t *wait_of(plan_maker *m, const wr_action *a)
{
	json_t *o = wr_plan_object(m);
	if (a->http.kind == WR_PROBE_EXEC)
		wr_plan_set(m, o, "exec", exec_of(m, a, true));
	else
		wr_plan_set(m, o, "http", http_of(m, a, true));
	wr_plan_str(m, o, "until", expr_text(a->until));
	wr_plan_set(m, o, "every_ms", json_integer(a->every_ms));
	wr_plan_set(m, o, "hold_ms", json_integer(a->hold_ms));
	return o;
}

static bool known_signal(const wr_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->signal_count; i++)
		if (!strcmp(cfg->signals[i].name, name)) return true;
	return false;
}

static json_t *gates_of(plan_maker *m, const wr_action *a)
{
	json_t *gates = strings(m, a->gates, a->gate_count, true);
	size_t i;
	json_t *gate;
	json_array_foreach (gates, i, gate) {
		if (known_signal(m->cfg, json_string_value(gate)) || m->failed) continue;
		m->failed = true;
		wr_fail(m->err, WR_E_NOT_FOUND, "the gate \"%.63s\" is no signal", json_string_value(gate));
	}
	for (size_t k = 0; k < m->cfg->signal_count && !a->gate_count && gates; k++)
		if (!strcmp(m->cfg->signals[k].region, m->to->name))
			json_array_append_new(gates, json_string(m->cfg->signals[k].name));
	if (!m->failed && gates && !json_array_size(gates)) {
		m->failed = true;
		wr_fail(m->err, WR_E_INVALID, "a soak with no signal of %s to watch", m->to->name);
	}
	return gates;
}

static json_t *soak_of(plan_maker *m, const wr_action *a)
{
	json_t *o = wr_plan_object(m);
	wr_plan_set(m, o, "duration_ms", json_integer(a->duration_ms));
	wr_plan_set(m, o, "gates", gates_of(m, a));
	wr_plan_set(m, o, "min_samples", json_integer(a->min_samples > 0 ? a->min_samples : 5));
	return o;
}

static json_t *notify_of(plan_maker *m, const wr_action *a)
{
	json_t *o = wr_plan_object(m);
	const wr_notify *n = wr_config_notify(m->cfg, a->channel ? a->channel : "");
	if (!n) {
		if (!m->failed)
			wr_fail(m->err, WR_E_NOT_FOUND, "there is no notify channel \"%.63s\"",
			        a->channel ? a->channel : "");
		m->failed = true;
		return o;
	}
	json_t *headers = wr_plan_object(m);
	for (size_t i = 0; i < n->header_count; i++)
		wr_plan_str(m, headers, n->headers[i].key, n->headers[i].value);
	wr_plan_str(m, o, "channel", n->name);
	wr_plan_str(m, o, "kind", n->kind);
	wr_plan_str(m, o, "url", n->url);
	wr_plan_set(m, o, "headers", headers);
	wr_plan_tpl(m, o, "text", a->text);
	return o;
}

json_t *wr_plan_action(plan_maker *m, const wr_action *a)
{
	json_t *o = wr_plan_object(m), *body = NULL;
	const char *kind = wr_step_kind_name(a->kind);
	switch (a->kind) {
	case WR_STEP_HTTP:
		body = http_of(m, a, false);
		break;
	case WR_STEP_EXEC:
		body = exec_of(m, a, false);
		break;
	case WR_STEP_TRAFFIC:
		body = traffic_of(m, a);
		break;
	case WR_STEP_WAIT:
		body = wait_of(m, a);
		break;
	case WR_STEP_SOAK:
		body = soak_of(m, a);
		break;
	case WR_STEP_NOTIFY:
		body = notify_of(m, a);
		break;
	default:
		body = wr_plan_object(m);
		wr_plan_tpl(m, body, "ask", a->ask);
		break;
	}
	wr_plan_str(m, o, "kind", kind);
	wr_plan_set(m, o, kind, body);
	if (!m->failed) return o;
	json_decref(o);
	return NULL;
}
