/* request.c: see request.h. One table says which path is served where, by which view or command. */
#include "sim/request.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/jw.h"
#include "sim/options.h"
#include "warroom/hash.h"
#include "warroom/json.h"

enum { POST_NONE, POST_COMMAND, POST_FAULT, POST_CLOCK, POST_INBOX };

typedef struct route {
	const char *path;
	bool control;
	bool provider;     /* control: a provider's API, which a cut-off observer cannot reach */
	bool wants_region; /* control: GET needs ?region= */
	wr_sim_view get;
	int post;
	wr_sim_op op;
} route;

#define GET_ONLY(p, view)                                                                          \
	{                                                                                              \
		.path = (p), .get = (view)                                                                 \
	}
#define COMMAND(p, o)                                                                              \
	{                                                                                              \
		.path = (p), .post = POST_COMMAND, .op = (o)                                               \
	}

static const route routes[] = {
    GET_ONLY("/health", wr_sim_view_health),
    GET_ONLY("/mesh", wr_sim_view_mesh),
    GET_ONLY("/control-plane", wr_sim_view_control_plane),
    GET_ONLY("/ingress", wr_sim_view_ingress),
    GET_ONLY("/slo", wr_sim_view_slo),
    GET_ONLY("/metrics", wr_sim_view_metrics),
    GET_ONLY("/replication", wr_sim_view_replication),
    GET_ONLY("/capacity", wr_sim_view_capacity),
    GET_ONLY("/quota", wr_sim_view_quota),
    GET_ONLY("/receipts", wr_sim_view_receipts),
    GET_ONLY("/build", wr_sim_view_build),
    GET_ONLY("/keys", wr_sim_view_keys),
    GET_ONLY("/backups", wr_sim_view_backups),
    GET_ONLY("/state", wr_sim_view_state),
    COMMAND("/freeze", WR_SIM_OP_FREEZE),
    COMMAND("/unfreeze", WR_SIM_OP_UNFREEZE),
    COMMAND("/drain", WR_SIM_OP_DRAIN),
    COMMAND("/undrain", WR_SIM_OP_UNDRAIN),
    COMMAND("/buffer", WR_SIM_OP_BUFFER),
    COMMAND("/unbuffer", WR_SIM_OP_UNBUFFER),
    COMMAND("/promote", WR_SIM_OP_PROMOTE),
    COMMAND("/demote", WR_SIM_OP_DEMOTE),
    COMMAND("/resync", WR_SIM_OP_RESYNC),
    COMMAND("/scale", WR_SIM_OP_SCALE),
    COMMAND("/verify", WR_SIM_OP_VERIFY),
    {.path = "/v1/platform", .control = true, .get = wr_sim_view_platform},
    {.path = "/v1/fault", .control = true, .post = POST_FAULT},
    {.path = "/v1/faults", .control = true, .get = wr_sim_view_faults},
    {.path = "/v1/clock", .control = true, .post = POST_CLOCK},
    {.path = "/v1/inbox",
     .control = true,
     .provider = true,
     .get = wr_sim_view_inbox,
     .post = POST_INBOX},
    {.path = "/metrics", .control = true, .get = wr_sim_view_platform_metrics},
    {.path = "/healthz", .control = true, .provider = true, .get = wr_sim_view_healthz},
    {.path = "/v1/slo",
     .control = true,
     .provider = true,
     .wants_region = true,
     .get = wr_sim_view_slo},
    {.path = "/v1/traffic",
     .control = true,
     .provider = true,
     .get = wr_sim_view_traffic,
     .post = POST_COMMAND,
     .op = WR_SIM_OP_TRAFFIC},
    {.path = "/v1/fence",
     .control = true,
     .provider = true,
     .wants_region = true,
     .get = wr_sim_view_fence,
     .post = POST_COMMAND,
     .op = WR_SIM_OP_FENCE},
    {.path = "/v1/unfence",
     .control = true,
     .provider = true,
     .post = POST_COMMAND,
     .op = WR_SIM_OP_UNFENCE},
};

void wr_sim_respond_error(wr_sim_response *out, int status, const char *fmt, ...)
{
	char why[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	wr_buf_reset(&out->body);
	wr_jw w;
	wr_jw_begin(&w, &out->body);
	wr_jw_str(&w, "error", why);
	wr_jw_end(&w);
	out->status = status;
	out->text = false;
}

/* ---- names and numbers from outside ---- */

/* region_named: 0 and the index, or an answered error. `observer` is a region where allowed. */
static int region_named(const wr_sim *s, const char *name, bool observer, int *index,
                        wr_sim_response *out)
{
	if (observer && strcmp(name, "observer") == 0) {
		*index = WR_SIM_OBSERVER;
		return 0;
	}
	*index = wr_sim_find_region(s, name);
	if (*index != WR_SIM_NONE) return 0;
	char known[WR_SIM_REGIONS_MAX * (WR_NAME_MAX + 2) + 1] = "";
	for (int i = 0; i < wr_sim_region_count(s); i++) {
		size_t at = strlen(known);
		snprintf(known + at, sizeof known - at, "%s%s", i > 0 ? ", " : "",
		         wr_sim_region_name(s, i));
	}
	wr_sim_respond_error(out, 422, "there is no region \"%.63s\"; there are %s", name, known);
	return -1;
}

static int link_named(const wr_sim *s, const char *name, int *index, wr_sim_response *out)
{
	*index = WR_SIM_NONE;
	if (strcmp(name, "all") == 0) return 0;
	*index = wr_sim_find_link(s, name);
	if (*index != WR_SIM_NONE) return 0;
	wr_sim_respond_error(out, 422, "there is no link \"%.63s\"; see GET /replication", name);
	return -1;
}

static int one_arg(const wr_sim *s, const wr_sim_arg *a, wr_sim_query *v, wr_sim_response *out)
{
	static const struct {
		const char *key;
		size_t offset;
		int64_t most;
	} numbers[] = {{"since", offsetof(wr_sim_query, since), WR_INT_MAX_SAFE},
	               {"limit", offsetof(wr_sim_query, limit), WR_INT_MAX_SAFE},
	               {"tenants", offsetof(wr_sim_query, tenants), WR_SIM_TENANTS_PAGE}};
	const char *value = a->value != NULL ? a->value : "";
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		int64_t n = 0;
		if (strcmp(a->key, numbers[i].key) != 0) continue;
		if (wr_sim_number_parse(value, 0, numbers[i].most, &n) != 0) {
			wr_sim_respond_error(out, 400, "%s must be a whole number from 0 to %lld", a->key,
			                     (long long)numbers[i].most);
			return -1;
		}
		memcpy((char *)v + numbers[i].offset, &n, sizeof n);
		return 0;
	}
	if (strcmp(a->key, "link") == 0) return link_named(s, value, &v->link, out);
	if (strcmp(a->key, "from") == 0) return region_named(s, value, false, &v->from, out);
	if (strcmp(a->key, "to") == 0) return region_named(s, value, false, &v->to, out);
	return 0;
}

static void answer_get(wr_sim *s, const wr_sim_dial *dial, const wr_sim_request *q, const route *r,
                       wr_sim_response *out)
{
	wr_sim_query v = {.region = q->server,
	                  .since = -1,
	                  .limit = -1,
	                  .tenants = -1,
	                  .link = WR_SIM_NONE,
	                  .from = WR_SIM_NONE,
	                  .to = WR_SIM_NONE,
	                  .speed_milli = dial->speed_milli,
	                  .behind_ms = dial->behind_ms};
	const char *region = NULL;
	for (int i = 0; i < q->arg_count; i++) {
		if (strcmp(q->args[i].key, "region") == 0) region = q->args[i].value;
		if (one_arg(s, &q->args[i], &v, out) != 0) return;
	}
	if (r->wants_region) {
		if (region == NULL) {
			wr_sim_respond_error(out, 400, "say which: %s?region=NAME", r->path);
			return;
		}
		if (region_named(s, region, false, &v.region, out) != 0) return;
	}
	out->text = r->get == wr_sim_view_metrics || r->get == wr_sim_view_platform_metrics;
	out->status = r->get(s, &v, &out->body);
	if (!wr_buf_ok(&out->body)) wr_sim_respond_error(out, 503, "the answer does not fit in memory");
}

/* ---- bodies ---- */
static json_t *body_of(const wr_sim_request *q, wr_sim_response *out)
{
	wr_err err = {0};
	json_t *body = q->body_len == 0 ? json_object() : wr_json_parse(q->body, q->body_len, &err);
	if (body != NULL && json_is_object(body)) return body;
	wr_sim_respond_error(out, 400, "the body must be one JSON object%s%s",
	                     err.msg[0] != '\0' ? ": " : "", err.msg);
	json_decref(body);
	return NULL;
}

/* member_str: 0 with *value NULL when the member is absent; -1 when it is no string. */
static int member_str(const json_t *body, const char *key, const char **value, wr_sim_response *out)
{
	const json_t *v = json_object_get(body, key);
	*value = json_string_value(v);
	if (v == NULL || (*value != NULL && strlen(*value) == json_string_length(v))) return 0;
	wr_sim_respond_error(out, 400, "\"%s\" must be a string", key);
	return -1;
}

static int member_int(const json_t *body, const char *key, int64_t dflt, int64_t *value,
                      wr_sim_response *out)
{
	const json_t *v = json_object_get(body, key);
	*value = v == NULL ? dflt : json_integer_value(v);
	if (v == NULL || (json_is_integer(v) && *value >= 0 && *value <= WR_INT_MAX_SAFE)) return 0;
	wr_sim_respond_error(out, 400, "\"%s\" must be a whole number of 0 or more", key);
	return -1;
}

static int parse_weights(const wr_sim *s, const json_t *body, wr_sim_command *c,
                         wr_sim_response *out)
{
	json_t *weights = json_object_get(body, "weights"), *value;
	const char *key;
	int unused;
	if (!json_is_object(weights)) {
		wr_sim_respond_error(out, 422, "\"weights\" must be an object: region to percent");
		return -1;
	}
	json_object_foreach (weights, key, value) {
		if (region_named(s, key, false, &unused, out) != 0) return -1;
	}
	for (int i = 0; i < wr_sim_region_count(s); i++) {
		const char *name = wr_sim_region_name(s, i);
		value = json_object_get(weights, name);
		json_int_t percent = json_integer_value(value);
		if (value == NULL) {
			wr_sim_respond_error(out, 422, "the weight of %s is missing: name all regions", name);
			return -1;
		}
		if (!json_is_integer(value) || percent < 0 || percent > 100) {
			wr_sim_respond_error(out, 422, "the weight of %s must be a whole number from 0 to 100",
			                     name);
			return -1;
		}
		c->weights[i] = (int)percent;
	}
	return 0;
}

static int need_region(const wr_sim *s, const json_t *body, const char *key, int *index,
                       wr_sim_response *out)
{
	const char *name;
	if (member_str(body, key, &name, out) != 0) return -1;
	if (name == NULL) {
		wr_sim_respond_error(out, 400, "\"%s\" is missing: the name of a region", key);
		return -1;
	}
	return region_named(s, name, false, index, out);
}

static int parse_op(const wr_sim *s, const json_t *body, wr_sim_command *c, wr_sim_response *out)
{
	const char *link;
	int64_t percent = 0;
	switch (c->op) {
	case WR_SIM_OP_PROMOTE:
	case WR_SIM_OP_DEMOTE:
	case WR_SIM_OP_RESYNC:
		if (member_str(body, "link", &link, out) != 0) return -1;
		if (link != NULL && link_named(s, link, &c->link, out) != 0) return -1;
		if (c->op == WR_SIM_OP_RESYNC) return need_region(s, body, "from", &c->from, out);
		return 0;
	case WR_SIM_OP_SCALE:
		if (member_int(body, "percent", 0, &percent, out) != 0) return -1;
		if (percent < 1 || percent > 200) {
			wr_sim_respond_error(out, 422, "\"percent\" must be 1 to 200");
			return -1;
		}
		c->percent = (int)percent;
		return 0;
	case WR_SIM_OP_TRAFFIC:
		return parse_weights(s, body, c, out);
	case WR_SIM_OP_FENCE:
	case WR_SIM_OP_UNFENCE:
		return need_region(s, body, "region", &c->region, out);
	default:
		return 0;
	}
}

static int parse_headers(const wr_sim_request *q, wr_sim_command *c, wr_sim_response *out)
{
	if (q->epoch != NULL) {
		if (wr_sim_number_parse(q->epoch, 0, WR_INT_MAX_SAFE, &c->epoch) != 0) {
			wr_sim_respond_error(out, 400, "X-Warroom-Epoch must be a whole number of 0 or more");
			return -1;
		}
		c->has_epoch = true;
	}
	if (q->key == NULL) return 0;
	size_t len = strlen(q->key);
	bool printable = len >= 1 && len <= WR_SIM_KEY_LEN;
	for (size_t i = 0; printable && i < len; i++)
		printable = q->key[i] >= 0x20 && q->key[i] <= 0x7e;
	if (!printable) {
		wr_sim_respond_error(out, 400, "Idempotency-Key must be 1 to %d printable ASCII characters",
		                     WR_SIM_KEY_LEN);
		return -1;
	}
	memcpy(c->key, q->key, len + 1);
	return 0;
}

static int fingerprint(const wr_sim_request *q, uint8_t out[static 32])
{
	wr_buf b = WR_BUF_INIT(WR_SIM_BODY_MAX + 256);
	wr_buf_adds(&b, q->path);
	wr_buf_addc(&b, '\n');
	wr_buf_add(&b, q->body, q->body_len);
	bool ok = wr_buf_ok(&b);
	if (ok) wr_sha256(out, b.data, b.len);
	wr_buf_free(&b);
	return ok ? 0 : -1;
}

static void answer_command(wr_sim *s, const wr_sim_request *q, const route *r, const json_t *body,
                           wr_sim_response *out)
{
	wr_sim_command c = {.op = r->op, .region = q->server, .link = WR_SIM_NONE, .from = WR_SIM_NONE};
	wr_sim_answer answer;
	if (parse_headers(q, &c, out) != 0 || parse_op(s, body, &c, out) != 0) return;
	if (fingerprint(q, c.fingerprint) != 0) {
		wr_sim_respond_error(out, 503, "out of memory");
		return;
	}
	wr_sim_run_command(s, &c, &answer);
	out->status = answer.status;
	out->replayed = answer.replayed;
	wr_buf_add(&out->body, answer.body, answer.len);
}

static int parse_fault(const wr_sim *s, json_t *body, wr_sim_fault_spec *f, wr_sim_response *out)
{
	static const char *const known[] = {"kind",  "region",   "peer",       "link",
	                                    "value", "after_ms", "duration_ms"};
	const char *kind, *region, *peer, *link, *key;
	json_t *member;
	json_object_foreach (body, key, member) {
		bool found = false;
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			found |= strcmp(key, known[i]) == 0;
		if (found) continue;
		wr_sim_respond_error(
		    out, 400,
		    "unknown member \"%.63s\"; a fault has kind, region, peer, link, value, "
		    "after_ms, duration_ms",
		    key);
		return -1;
	}
	if (member_str(body, "kind", &kind, out) != 0 ||
	    member_str(body, "region", &region, out) != 0 ||
	    member_str(body, "peer", &peer, out) != 0 || member_str(body, "link", &link, out) != 0 ||
	    member_int(body, "value", -1, &f->value, out) != 0 ||
	    member_int(body, "after_ms", 0, &f->after_ms, out) != 0 ||
	    member_int(body, "duration_ms", 0, &f->duration_ms, out) != 0)
		return -1;
	if (kind == NULL || wr_sim_fault_parse(kind, &f->kind) != 0) {
		wr_sim_respond_error(out, 422,
		                     "\"kind\" must be one of region_down, brownout, partition, lag, "
		                     "corruption, load, build, keys, quota, heal");
		return -1;
	}
	if (region != NULL && region_named(s, region, true, &f->region, out) != 0) return -1;
	if (peer != NULL && region_named(s, peer, true, &f->peer, out) != 0) return -1;
	return link != NULL ? link_named(s, link, &f->link, out) : 0;
}

static void answer_fault(wr_sim *s, json_t *body, wr_sim_response *out)
{
	wr_sim_fault_spec f = {.region = WR_SIM_NONE, .peer = WR_SIM_NONE, .link = WR_SIM_NONE};
	wr_err err = {0};
	int64_t id = 0;
	if (parse_fault(s, body, &f, out) != 0) return;
	if (wr_sim_fault(s, &f, &id, &err) != 0) {
		wr_sim_respond_error(out, err.code == WR_E_LIMIT ? 429 : 422, "%s", err.msg);
		return;
	}
	wr_jw w;
	wr_jw_begin(&w, &out->body);
	wr_jw_bool(&w, "ok", true);
	wr_jw_int(&w, "id", id);
	wr_jw_str(&w, "kind", wr_sim_fault_name(f.kind));
	wr_jw_int(&w, "virtual_ms", wr_sim_now_ms(s));
	wr_jw_end(&w);
	out->status = 200;
}

static void answer_clock(wr_sim_dial *dial, const json_t *body, wr_sim_response *out)
{
	const json_t *speed = json_object_get(body, "speed");
	double milli = json_number_value(speed) * 1000;
	if (!json_is_number(speed) || !(milli >= 0 && milli <= WR_SIM_SPEED_MAX)) {
		wr_sim_respond_error(out, 422, "\"speed\" must be a number from 0 to 1000");
		return;
	}
	dial->speed_milli = (int64_t)lround(milli);
	wr_jw w;
	wr_jw_begin(&w, &out->body);
	wr_jw_bool(&w, "ok", true);
	wr_jw_fixed(&w, "speed", dial->speed_milli, 3);
	wr_jw_end(&w);
	out->status = 200;
}

/* answer_inbox keeps the message's text, or all of it when it is of another form. */
static void answer_inbox(wr_sim *s, const json_t *body, wr_sim_response *out)
{
	const char *text = wr_json_str(body, "text", NULL);
	wr_buf whole = WR_BUF_INIT(2 * WR_SIM_BODY_MAX);
	if (text == NULL) wr_json_dump(&whole, body);
	wr_sim_deliver(s, text != NULL ? text : wr_buf_cstr(&whole));
	wr_buf_free(&whole);
	wr_buf_adds(&out->body, "{\"ok\":true}");
	out->status = 200;
}

static void answer_post(wr_sim *s, wr_sim_dial *dial, const wr_sim_request *q, const route *r,
                        wr_sim_response *out)
{
	json_t *body = body_of(q, out);
	if (body == NULL) return;
	if (r->post == POST_COMMAND)
		answer_command(s, q, r, body, out);
	else if (r->post == POST_FAULT)
		answer_fault(s, body, out);
	else if (r->post == POST_INBOX)
		answer_inbox(s, body, out);
	else
		answer_clock(dial, body, out);
	json_decref(body);
}

static const route *find(const wr_sim_request *q)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
		if (routes[i].control == (q->server == WR_SIM_CONTROL) &&
		    strcmp(routes[i].path, q->path) == 0)
			return &routes[i];
	return NULL;
}

void wr_sim_handle(wr_sim *s, wr_sim_dial *dial, const wr_sim_request *q, wr_sim_response *out)
{
	memset(out, 0, sizeof *out);
	wr_buf_init(&out->body, WR_SIM_VIEW_MAX);
	const route *r = find(q);
	if (q->server != WR_SIM_CONTROL) {
		out->drop = wr_sim_region_reach(s, q->server) != WR_SIM_OPEN;
		if (!out->drop && wr_sim_request_fails(s, q->server, q->nonce)) {
			wr_sim_respond_error(out, 503, "this region is in trouble (brownout)");
			return;
		}
	} else {
		out->drop = r != NULL && r->provider && wr_sim_observer_cut(s);
	}
	if (out->drop) return;
	bool get = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;
	bool post = strcmp(q->method, "POST") == 0;
	if (r == NULL) {
		wr_sim_respond_error(out, 404, "there is no such path here; see warroom-sim(8)");
	} else if (get && r->get != NULL) {
		answer_get(s, dial, q, r, out);
	} else if (post && r->post != POST_NONE) {
		answer_post(s, dial, q, r, out);
	} else {
		out->allow = r->get == NULL         ? "POST"
		             : r->post == POST_NONE ? "GET, HEAD"
		                                    : "GET, HEAD, POST";
		wr_sim_respond_error(out, 405, "this path takes %s", out->allow);
	}
}
