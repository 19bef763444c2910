/* request.c: the API's routes on the main loop's side. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/request.h"
#include "warroom/json.h"
#include "warroom/text.h"

/* Of one answer: the main loop reads them, and must not stand still for one reader. */
#define RECEIPTS_BYTES (512u << 10)

void request_json(engine *e, request *r, int status, json_t *body)
{
	wr_buf out = WR_BUF_INIT(32u << 20);
	if (body) wr_json_dump(&out, body);
	wr_buf_addc(&out, '\n');
	r->status = body && wr_buf_ok(&out) ? status : 500;
	r->answer_len = out.len;
	r->answer = wr_buf_take(&out);
	if (!r->answer) {
		r->answer = strdup(
		    "{\"error\":{\"code\":\"nomem\",\"message\":\"out of memory\",\"rule\":\"\"}}\n");
		r->answer_len = r->answer ? strlen(r->answer) : 0;
	}
	if (body) json_decref(body);
	api_answer(e->api, r);
}

void request_error(engine *e, request *r, int status, const char *code, const char *rule,
                   const char *fmt, ...)
{
	char text[512], clean[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	wr_sanitise_to(clean, sizeof clean, text);
	request_json(
	    e, r, status,
	    json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "rule", rule, "message", clean));
}

void request_accepted(engine *e, request *r, const wr_signed *s)
{
	const wr_op *op = wr_state_op(e->state, s->operation_id);
	request_json(e, r, 200,
	             json_pack("{s:b, s:s, s:s, s:s}", "accepted", 1, "operation_id", s->operation_id,
	                       "decision", s->decision, "state",
	                       op ? wr_op_state_name(op->state) : "unknown"));
}

void request_refused(engine *e, request *r, const wr_err *refusal)
{
	char rule[24] = "";
	const char *text = refusal->msg;
	size_t n = strcspn(text, ":");
	if (!strncmp(text, "A-", 2) && n < sizeof rule && text[n] == ':') {
		memcpy(rule, text, n);
		rule[n] = '\0';
		text += n + 1;
		text += *text == ' ';
	}
	bool seen = !strcmp(rule, "A-ASSURANCE") && e->flight_why[0];
	request_error(e, r, 409, wr_err_name(refusal->code), rule, "%s%s%s", text, seen ? ": " : "",
	              seen ? e->flight_why : "");
}

/* ---- which action ---- */

static const wr_runbook *runbook_of(const engine *e, const char *action, const char *runbook)
{
	if (runbook && *runbook) return wr_config_runbook(e->cfg, runbook);
	if (!action) return NULL;
	if (!strcmp(action, "failover")) return wr_config_runbook_for(e->cfg, WR_RB_FAILOVER, NULL);
	if (!strcmp(action, "failback")) return wr_config_runbook_for(e->cfg, WR_RB_FAILBACK, NULL);
	return wr_config_runbook(e->cfg, action);
}

const char *name_list_add(name_list *l, const char *name)
{
	static const char more[] = ", …";
	size_t n = strlen(name) + (l->len ? 2 : 0);
	if (l->len + n + sizeof more > sizeof l->text) {
		if (l->len < sizeof l->text && strcmp(l->text + l->len, more) != 0)
			snprintf(l->text + l->len, sizeof l->text - l->len, "%s", more);
		return l->text;
	}
	snprintf(l->text + l->len, sizeof l->text - l->len, "%s%s", l->len ? ", " : "", name);
	l->len += n;
	return l->text;
}

static void no_region(engine *e, request *r, const char *which, const char *name)
{
	name_list l = {0};
	for (size_t i = 0; i < e->cfg->region_count; i++) name_list_add(&l, e->cfg->regions[i].name);
	if (name && *name)
		request_error(e, r, 400, "invalid", "",
		              "%s \"%.63s\" is not a region of this platform; it has %s", which, name,
		              l.text);
	else
		request_error(e, r, 400, "invalid", "", "say --%s REGION, one of %s", which, l.text);
}

static void no_runbook(engine *e, request *r, const char *action, const char *runbook)
{
	wr_runbook_kind kind = action && !strcmp(action, "failback") ? WR_RB_FAILBACK : WR_RB_FAILOVER;
	bool of_kind = action && !strcmp(action, wr_runbook_kind_name(kind));
	bool named = runbook && *runbook;
	name_list l = {0};
	for (size_t i = 0; i < e->cfg->runbook_count; i++)
		if (named || !of_kind || e->cfg->runbooks[i].kind == kind)
			name_list_add(&l, e->cfg->runbooks[i].name);
	const char *some = l.len ? l.text : "none";
	if (named)
		request_error(e, r, 400, "invalid", "", "there is no runbook \"%.63s\"; there are: %s",
		              runbook, some);
	else if (of_kind && l.len)
		request_error(e, r, 400, "invalid", "",
		              "several runbooks are for %s: say --runbook, one of %s", action, some);
	else if (of_kind)
		request_error(e, r, 400, "invalid", "", "the configuration has no runbook of kind %s",
		              action);
	else
		request_error(e, r, 400, "invalid", "",
		              "\"%.63s\" is no action: there are failover, failback, and the runbooks %s",
		              action ? action : "", some);
}

bool request_action(engine *e, request *r, const char *action, const char *from, const char *to,
                    const char *runbook, candidate *out)
{
	const wr_region *fr = from ? wr_config_region(e->cfg, from) : NULL;
	const wr_region *tr = to ? wr_config_region(e->cfg, to) : NULL;
	const wr_runbook *rb = runbook_of(e, action, runbook);
	if (!rb) {
		no_runbook(e, r, action, runbook);
		return false;
	}
	if (!fr || !tr) {
		no_region(e, r, fr ? "to" : "from", fr ? to : from);
		return false;
	}
	if (fr == tr) {
		request_error(e, r, 400, "invalid", "",
		              "from and to are the same region, %s: nothing would move", fr->name);
		return false;
	}
	if (action && ((!strcmp(action, "failover") && rb->kind != WR_RB_FAILOVER) ||
	               (!strcmp(action, "failback") && rb->kind != WR_RB_FAILBACK))) {
		request_error(e, r, 400, "invalid", "", "runbook %s is of kind %s, not %s", rb->name,
		              wr_runbook_kind_name(rb->kind), action);
		return false;
	}
	*out = (candidate){.kind = rb->kind,
	                   .from = (size_t)(fr - e->cfg->regions),
	                   .to = (size_t)(tr - e->cfg->regions),
	                   .runbook = rb};
	return true;
}

/* ---- the routes ---- */

static void answer_plan(engine *e, request *r)
{
	candidate c;
	if (!request_action(e, r, r->query_action, r->query_from, r->query_to, r->query_runbook, &c))
		return;
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	char hex[WR_HEX_LEN], hash[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_hex(hex, head.hash, sizeof head.hash);
	wr_err err = {0};
	json_t *plan = wr_plan_make(e->cfg, e->state, e->world, c.runbook, c.from, c.to, hex,
	                            wr_wall_us(e->clock), &err);
	if (!plan || wr_plan_hash(plan, hash, words, &err) != 0) {
		if (plan) json_decref(plan);
		request_error(e, r, 409, wr_err_name(err.code), "", "no plan: %s", err.msg);
		return;
	}
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	wr_plan_text(plan, &text);
	request_json(e, r, 200,
	             json_pack("{s:o, s:s, s:s, s:s}", "plan", plan, "plan_hash", hash, "words", words,
	                       "text", wr_buf_cstr(&text)));
	wr_buf_free(&text);
}

static void answer_operation(engine *e, request *r)
{
	const char *id = r->path + strlen("/v1/operations/");
	const wr_op *op = wr_state_op(e->state, id);
	const draft *d = op ? NULL : engine_draft(e, id);
	if (!op && !d) {
		request_error(e, r, 404, "not_found", "",
		              "there is no operation \"%.40s\"; `warroom status` shows them", id);
		return;
	}
	const json_t *plan = op ? op->plan : d ? d->plan : NULL;
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	if (plan) wr_plan_text(plan, &text);
	json_t *body = json_pack("{s:s}", "text", wr_buf_cstr(&text));
	if (body && op) json_object_set_new(body, "operation", view_operation(e, op, false));
	if (body && d)
		json_object_set_new(body, "operation",
		                    json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", d->id, "state", "draft",
		                              "words", d->words, "plan_hash", d->plan_hash, "reason",
		                              d->reason));
	if (body) json_object_set_new(body, "plan", plan ? json_deep_copy(plan) : json_null());
	wr_buf_free(&text);
	request_json(e, r, 200, body);
}

struct collect {
	json_t *list, *texts;
	int64_t left;
	size_t bytes;
};

static int collect_receipt(void *ctx, const wr_receipt *rc)
{
	struct collect *c = ctx;
	if (c->left-- <= 0 || c->bytes >= RECEIPTS_BYTES) return 1;
	c->bytes += rc->len;
	json_t *one = wr_receipt_json(rc);
	char text[224];
	receipt_sentence(rc, text, sizeof text);
	if (one && json_array_append_new(c->list, one) == 0)
		(void)json_array_append_new(c->texts, json_string(text));
	return 0;
}

static void answer_receipts(engine *e, request *r)
{
	wr_head head;
	wr_ledger_head(e->ledger, &head);
	int64_t limit = r->query_limit < 1 ? 1 : r->query_limit > 500 ? 500 : r->query_limit;
	int64_t from = -limit;
	if (r->query_from) { /* a region's name elsewhere; a number here */
		const char *digits = r->query_from + (*r->query_from == '-');
		size_t n = strspn(digits, "0123456789");
		if (!n || digits[n] || n > 18) {
			request_error(e, r, 400, "invalid", "", "from \"%.40s\": a receipt's number is needed",
			              r->query_from);
			return;
		}
		from = strtoll(r->query_from, NULL, 10);
	}
	if (from < 0) from = head.count + from;
	if (from < 0) from = 0;
	struct collect c = {.list = json_array(), .texts = json_array(), .left = limit};
	wr_err err = {0};
	if (wr_ledger_read(e->ledger, from, collect_receipt, &c, &err) < 0) {
		json_decref(c.list);
		json_decref(c.texts);
		request_error(e, r, 503, wr_err_name(err.code), "", "%s", err.msg);
		return;
	}
	char hex[WR_HEX_LEN];
	wr_hex(hex, head.hash, sizeof head.hash);
	request_json(e, r, 200,
	             json_pack("{s:o, s:o, s:{s:I, s:s}}", "receipts", c.list, "texts", c.texts, "head",
	                       "count", (json_int_t)head.count, "hash", hex));
}

void engine_request(engine *e, msg *m)
{
	request *r = m->request;
	if (!strcmp(r->path, "/v1/sign") || !strcmp(r->path, "/v1/challenge") ||
	    !strcmp(r->path, "/v1/audit") || !strcmp(r->path, "/v1/archive")) {
		wr_err err = {0};
		json_t *body = wr_json_parse(r->body.data ? r->body.data : "", r->body.len, &err);
		if (!json_is_object(body)) {
			request_error(e, r, 400, "invalid", "", "the body is not a JSON object%s%s",
			              err.msg[0] ? ": " : "", err.msg);
			msg_free(m);
		} else if (r->path[4] == 's') {
			engine_sign(e, m, body);
		} else if (!strcmp(r->path, "/v1/archive")) {
			engine_archive_request(e, r, body);
			msg_free(m);
		} else if (r->path[4] == 'a') {
			engine_foreign_ask(e, r, body);
			msg_free(m);
		} else {
			engine_challenge(e, r, body);
			msg_free(m);
		}
		json_decref(body);
		return;
	}
	if (!strcmp(r->path, "/v1/version"))
		request_json(e, r, 200,
		             json_pack("{s:s, s:i, s:s}", "version", WR_VERSION, "api", 1, "platform",
		                       e->cfg->platform));
	else if (!strcmp(r->path, "/v1/plan"))
		answer_plan(e, r);
	else if (!strcmp(r->path, "/v1/receipts"))
		answer_receipts(e, r);
	else if (!strcmp(r->path, "/v1/why")) {
		candidate c;
		if (request_action(e, r, r->query_action, r->query_from, r->query_to, r->query_runbook, &c))
			request_json(e, r, 200, view_action(e, c.runbook, c.from, c.to));
	} else
		answer_operation(e, r);
	msg_free(m);
}
