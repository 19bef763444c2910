/* traffic.c: moving traffic and reading where it goes, whichever the provider: say it, read it
 * back, compare. Blocking; no shared state. */
#include <stdio.h>
#include <string.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/limits.h"
#include "warroom/model.h"
#include "warroom/text.h"

#define GET_TIMEOUT_MS 5000

/* ---- weights as JSON ---- */

static int put_weight(wr_act_weights *w, const char *region, const json_t *value, wr_err *err)
{
	json_int_t percent = json_integer_value(value);
	if (!wr_name_ok(region) || !json_is_integer(value) || percent < 0 || percent > 100)
		return wr_fail(err, WR_E_INVALID, "a weight is not a region's whole percent, 0 to 100");
	if (w->count == WR_MAX_REGIONS)
		return wr_fail(err, WR_E_LIMIT, "weights for more than %d regions", WR_MAX_REGIONS);
	snprintf(w->rows[w->count].region, sizeof w->rows->region, "%s", region);
	w->rows[w->count].percent = (int)percent;
	w->rows[w->count].out = false;
	w->count++;
	return 0;
}

static int parse_weights(json_t *object, wr_act_weights *w, wr_err *err)
{
	const char *region;
	json_t *value;
	w->count = 0;
	if (!json_is_object(object)) return wr_fail(err, WR_E_INVALID, "there are no weights");
	json_object_foreach (object, region, value) {
		if (put_weight(w, region, value, err) != 0) return -1;
	}
	return 0;
}

static int parse_wanted(const json_t *spec, wr_act_weights *w, wr_err *err)
{
	if (parse_weights(json_object_get(spec, "weights"), w, err) != 0) return -1;
	int sum = 0;
	for (size_t i = 0; i < w->count; i++) sum += w->rows[i].percent;
	if (sum != 100) return wr_fail(err, WR_E_INVALID, "the weights sum to %d, not to 100", sum);
	return 0;
}

/* parse_answer takes {"weights":{…}}. */
static int parse_answer(const wr_act_answer *a, wr_act_weights *w, wr_err *err)
{
	if (a->body_cut) return wr_fail(err, WR_E_LIMIT, "the provider's answer is too large");
	json_t *root = wr_json_parse(wr_buf_cstr(&a->body), a->body.len, err);
	if (!root) return wr_err_wrap(err, "the provider's answer");
	int rc = parse_weights(json_object_get(root, "weights"), w, err);
	json_decref(root);
	return rc == 0 ? 0 : wr_err_wrap(err, "the provider's answer");
}

static void weights_text(const wr_act_weights *w, wr_buf *out)
{
	wr_buf_adds(out, "{\"weights\":{");
	for (size_t i = 0; i < w->count; i++) {
		wr_buf_adds(out, i ? "," : "");
		wr_canon_str(out, w->rows[i].region, strlen(w->rows[i].region));
		wr_buf_addf(out, ":%d", w->rows[i].percent);
	}
	wr_buf_adds(out, "}}");
}

static int percent_of(const wr_act_weights *w, const char *region)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->rows[i].region, region) == 0) return w->rows[i].percent;
	return 0;
}

/* A region that one of the two does not name has no traffic there. */
static bool same(const wr_act_weights *a, const wr_act_weights *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->rows[i].percent != percent_of(b, a->rows[i].region)) return false;
	for (size_t i = 0; i < b->count; i++)
		if (b->rows[i].percent != percent_of(a, b->rows[i].region)) return false;
	return true;
}

static void describe(const wr_act_weights *w, char *out, size_t size)
{
	size_t n = 0;
	out[0] = '\0';
	for (size_t i = 0; i < w->count && n < size; i++) {
		int rc = snprintf(out + n, size - n, "%s%s %d%s", n ? ", " : "", w->rows[i].region,
		                  w->rows[i].percent, w->rows[i].out ? " (out of service)" : "");
		n += rc > 0 ? (size_t)rc : 0;
	}
}

/* ---- a provider over HTTP ---- */

static wr_outcome of_answer(const wr_act_answer *a, wr_err *err)
{
	if (a->fate != WR_ACT_ANSWERED) {
		(void)wr_fail(err, WR_E_IO, "%s", a->error);
		return a->fate == WR_ACT_LOST ? WR_OUT_UNKNOWN : WR_OUT_FAILED;
	}
	if (a->exit_code > 0 || (a->exit_code < 0 && (a->status < 200 || a->status >= 300))) {
		(void)wr_fail(err, WR_E_UNAVAILABLE, "%s %d", a->exit_code > 0 ? "exit code" : "status",
		              (int)(a->exit_code > 0 ? a->exit_code : a->status));
		bool lost = a->status == 408 || a->status == 502 || a->status == 504;
		return lost ? WR_OUT_UNKNOWN : WR_OUT_FAILED;
	}
	return WR_OUT_DONE;
}

static void http_call(const wr_act_io *io, const json_t *spec, const char *body, wr_act_answer *a)
{
	json_t *headers = json_object_get(spec, "headers");
	json_t *rq = json_pack("{s:s, s:s, s:O*}", "method", body ? "POST" : "GET", "url",
	                       wr_json_str(spec, "address", ""), "headers", headers);
	if (rq) {
		bool is_set = body != NULL;
		wr_act_http(
		    io, &(wr_act_request){.spec = rq, .body = body, .effect = is_set, .quiet = !is_set}, a);
	} else {
		*a = (wr_act_answer){.fate = WR_ACT_NOT_SENT, .exit_code = -1};
		snprintf(a->error, sizeof a->error, "the provider's address or headers are not valid");
	}
	json_decref(rq);
}

/* ---- a provider that is a program ---- */

static void exec_call(const wr_act_io *io, const json_t *spec, const char *body, wr_act_answer *a)
{
	wr_act_exec(io,
	            &(wr_act_command){.argv = json_object_get(spec, body ? "set_argv" : "get_argv"),
	                              .input = body,
	                              .quiet = body == NULL},
	            a);
}

/* ---- any provider ---- */

typedef void call_fn(const wr_act_io *io, const json_t *spec, const char *body, wr_act_answer *a);

/* call_of gives NULL for haproxy, which is spoken to otherwise. */
static int call_of(const json_t *spec, call_fn **out, wr_err *err)
{
	const char *kind = wr_json_str(spec, "kind", "");
	*out = strcmp(kind, "http") == 0 ? http_call : strcmp(kind, "exec") == 0 ? exec_call : NULL;
	if (*out || strcmp(kind, "haproxy") == 0) return 0;
	return wr_fail(err, WR_E_INVALID, "no such kind of traffic provider");
}

static int get_weights(const wr_act_io *io, const json_t *spec, wr_act_weights *w, wr_err *err)
{
	call_fn *call;
	if (call_of(spec, &call, err) != 0) return -1;
	if (!call) return wr_act_haproxy_get(io, spec, w, err);
	wr_act_io brief = wr_act_within(io, wr_json_int(spec, "timeout_ms", 0));
	wr_act_answer a;
	call(&brief, spec, NULL, &a);
	int rc = of_answer(&a, err) == WR_OUT_DONE ? parse_answer(&a, w, err) : -1;
	wr_act_answer_free(&a);
	return rc;
}

static wr_outcome set_weights(const wr_act_io *io, const json_t *spec, const wr_act_weights *w,
                              wr_step_report *out, wr_err *err)
{
	call_fn *call;
	if (call_of(spec, &call, err) != 0) return WR_OUT_FAILED;
	if (!call) return wr_act_haproxy_set(io, spec, w, err);
	wr_buf body = WR_BUF_INIT(WR_MAX_REGIONS * (WR_NAME_MAX + 16) + 64);
	weights_text(w, &body);
	wr_act_answer a;
	wr_outcome outcome = WR_OUT_FAILED;
	if (wr_buf_ok(&body)) {
		call(io, spec, wr_buf_cstr(&body), &a);
		outcome = of_answer(&a, err);
		out->status = a.status;
		out->exit_code = a.exit_code;
		wr_act_answer_free(&a);
	} else {
		(void)wr_fail(err, WR_E_NOMEM, "out of memory");
	}
	wr_buf_free(&body);
	return outcome;
}

/* confirm reads back. What was taken and is not in force has FAILED; what may still be under way
 * stays UNKNOWN until the wanted weights are seen; and what cannot be read is UNKNOWN. */
static wr_outcome confirm(const wr_act_io *io, const json_t *spec, const wr_act_weights *wanted,
                          wr_outcome said, wr_err *err)
{
	wr_act_weights seen = {.count = 0};
	wr_err why = {0};
	char text[128];
	if (get_weights(io, spec, &seen, &why) != 0) {
		if (said == WR_OUT_DONE)
			(void)wr_fail(err, why.code, "set, but cannot be read back: %.140s", why.msg);
		return WR_OUT_UNKNOWN;
	}
	describe(&seen, text, sizeof text);
	wr_act_output_line(io->output, "read back: %s", text);
	if (same(wanted, &seen)) return WR_OUT_DONE;
	if (said == WR_OUT_DONE) (void)wr_fail(err, WR_E_CONFLICT, "not in force; read back: %s", text);
	return said == WR_OUT_DONE ? WR_OUT_FAILED : WR_OUT_UNKNOWN;
}

void wr_act_run_traffic(const wr_act_io *io, const json_t *spec, wr_step_report *out)
{
	wr_act_weights wanted;
	wr_err err = {0};
	if (parse_wanted(spec, &wanted, &err) == 0) {
		out->outcome = set_weights(io, spec, &wanted, out, &err);
		if (out->outcome != WR_OUT_FAILED)
			out->outcome = confirm(io, spec, &wanted, out->outcome, &err);
	}
	if (out->outcome != WR_OUT_DONE)
		wr_act_clean(io->output, out->error, sizeof out->error, err.msg);
}

/* ---- reading for the screen and the guards ---- */

static json_t *pairs_json(const wr_pair *pairs, size_t count)
{
	json_t *o = json_object();
	for (size_t i = 0; o && i < count; i++)
		(void)json_object_set_new(o, pairs[i].key, json_string(pairs[i].value));
	return o;
}

static json_t *strings_json(const char *const *list)
{
	json_t *a = json_array();
	for (; a && list && *list; list++) (void)json_array_append_new(a, json_string(*list));
	return a;
}

static json_t *spec_of(const wr_traffic *t)
{
	static const char *const kinds[] = {"haproxy", "http", "exec"};
	return json_pack(
	    "{s:s, s:s*, s:s*, s:o, s:o, s:o}", "kind", kinds[t->kind], "address", t->address,
	    "backend", t->backend, "servers", pairs_json(t->servers, t->server_count), "headers",
	    pairs_json(t->headers, t->header_count), "get_argv", strings_json(t->get_argv));
}

/* to_shares turns haproxy's weights into percent that sum to 100: before warroom sets them for the
 * first time they are whatever the configuration says. The largest remainders get the rest. */
static void to_shares(wr_act_weights *w)
{
	int sum = 0, given = 0, rest[WR_MAX_REGIONS] = {0};
	for (size_t i = 0; i < w->count; i++) {
		if (w->rows[i].out) w->rows[i].percent = 0;
		sum += w->rows[i].percent;
	}
	if (sum == 0) return;
	for (size_t i = 0; i < w->count; i++) {
		rest[i] = w->rows[i].percent * 100 % sum;
		w->rows[i].percent = w->rows[i].percent * 100 / sum;
		given += w->rows[i].percent;
	}
	for (; given < 100; given++) {
		size_t most = 0;
		for (size_t i = 1; i < w->count; i++)
			if (rest[i] > rest[most]) most = i;
		rest[most] = -1;
		w->rows[most].percent++;
	}
}

static int to_config(const wr_config *cfg, const wr_traffic *t, const wr_act_weights *w,
                     int weights[WR_MAX_REGIONS], wr_err *err)
{
	for (size_t i = 0; i < WR_MAX_REGIONS; i++) weights[i] = -1;
	for (size_t i = 0; i < cfg->region_count; i++) {
		bool served = false, told = false;
		for (size_t k = 0; k < t->region_count; k++)
			served |= strcmp(t->regions[k], cfg->regions[i].name) == 0;
		for (size_t k = 0; k < w->count; k++)
			told |= strcmp(w->rows[k].region, cfg->regions[i].name) == 0;
		if (!served) continue;
		if (!told)
			return wr_fail(err, WR_E_INVALID, "the answer has no weight of region %s",
			               cfg->regions[i].name);
		weights[i] = percent_of(w, cfg->regions[i].name);
	}
	return 0;
}

int wr_traffic_get(const wr_config *cfg, size_t traffic_index, int weights[WR_MAX_REGIONS],
                   wr_err *err)
{
	WR_ASSERT(traffic_index < cfg->traffic_count);
	const wr_traffic *t = &cfg->traffic[traffic_index];
	json_t *spec = spec_of(t);
	if (!spec) return wr_fail(err, WR_E_NOMEM, "out of memory");
	wr_act_output output;
	wr_act_output_init(&output, NULL, NULL);
	wr_act_io io = {
	    .clock = &wr_clock_system,
	    .deadline_ms =
	        wr_mono_ms(&wr_clock_system) + (t->timeout_ms > 0 ? t->timeout_ms : GET_TIMEOUT_MS),
	    .output = &output,
	};
	wr_act_weights seen = {.count = 0};
	int rc = get_weights(&io, spec, &seen, err);
	if (rc == 0 && t->kind == WR_TRAFFIC_HAPROXY) to_shares(&seen);
	if (rc == 0) rc = to_config(cfg, t, &seen, weights, err);
	if (rc != 0) (void)wr_err_wrap(err, "traffic %s", t->name);
	wr_act_output_free(&output);
	json_decref(spec);
	return rc;
}
