/* notify.c: telling people: a webhook, Slack, PagerDuty.
 *
 * Saying something twice harms less than not saying it: whatever goes wrong is FAILED, never
 * UNKNOWN, and the step may be repeated. The text is sent as the plan has it: references to secrets
 * in it are not filled in. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "act/internal.h"
#include "warroom/json.h"
#include "warroom/limits.h"

#define BODY_MAX (16u << 10)
/* PagerDuty's events v2 wants its routing key in the body. In the configuration it is a header, so
 * that it can be a secret like the tokens of other channels. */
#define ROUTING_KEY "X-Routing-Key"

static void put_str(wr_buf *b, const char *s)
{
	wr_canon_str(b, s, strlen(s));
}

static const char *find_header(json_t *headers, const char *name)
{
	const char *key;
	json_t *value;
	json_object_foreach (headers, key, value) {
		if (strcasecmp(key, name) == 0) return json_string_value(value);
	}
	return NULL;
}

static int pagerduty_body(const wr_act_io *io, const json_t *spec, wr_buf *body, wr_err *err)
{
	const char *reference = find_header(json_object_get(spec, "headers"), ROUTING_KEY);
	if (!reference)
		return wr_fail(err, WR_E_INVALID,
		               "the channel has no routing key: headers: {" ROUTING_KEY ": ${env:…}}");
	wr_buf key = WR_BUF_INIT(2 * WR_SECRET_MAX);
	int rc = wr_act_expand(io->output, &key, reference, err);
	wr_buf_adds(body, "{\"routing_key\":");
	if (rc == 0) put_str(body, wr_buf_cstr(&key));
	wr_buf_wipe(&key);
	wr_buf_adds(body, ",\"event_action\":\"trigger\",\"dedup_key\":");
	put_str(body, io->job->idempotency_key);
	wr_buf_adds(body, ",\"payload\":{\"summary\":");
	/* Their limit is 1,024 characters, and more is refused as a whole. */
	const char *text = wr_json_str(spec, "text", "");
	size_t n = strlen(text);
	while (n > 1000 || (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)) n--;
	wr_canon_str(body, text, n);
	wr_buf_adds(body, ",\"source\":\"warroom\",\"severity\":\"critical\"}}");
	return rc;
}

static int make_body(const wr_act_io *io, const json_t *spec, wr_buf *body, wr_err *err)
{
	const char *kind = wr_json_str(spec, "kind", "webhook");
	if (!wr_buf_reserve(body, BODY_MAX)) return wr_fail(err, WR_E_NOMEM, "out of memory");
	if (strcmp(kind, "pagerduty") == 0) {
		if (pagerduty_body(io, spec, body, err) != 0) return -1;
	} else if (strcmp(kind, "webhook") == 0 || strcmp(kind, "slack") == 0) {
		wr_buf_adds(body, "{\"text\":");
		put_str(body, wr_json_str(spec, "text", ""));
		wr_buf_addc(body, '}');
	} else {
		return wr_fail(err, WR_E_INVALID, "no such kind of channel: %.40s", kind);
	}
	return wr_buf_ok(body) ? 0 : wr_fail(err, WR_E_LIMIT, "the text is too long");
}

void wr_act_run_notify(const wr_act_io *io, const json_t *spec, wr_step_report *out)
{
	wr_buf body = WR_BUF_INIT(BODY_MAX);
	wr_err err = {0};
	if (make_body(io, spec, &body, &err) == 0) {
		bool keyed = strcmp(wr_json_str(spec, "kind", ""), "pagerduty") == 0;
		wr_act_answer a;
		wr_act_http(io,
		            &(wr_act_request){.spec = spec,
		                              .body = wr_buf_cstr(&body),
		                              .not_header = keyed ? ROUTING_KEY : NULL,
		                              .effect = true},
		            &a);
		bool taken = a.fate == WR_ACT_ANSWERED && a.status >= 200 && a.status < 300;
		out->outcome = taken ? WR_OUT_DONE : WR_OUT_FAILED;
		out->status = a.status;
		if (a.fate == WR_ACT_ANSWERED && !taken)
			snprintf(out->error, sizeof out->error, "status %d", (int)a.status);
		else
			snprintf(out->error, sizeof out->error, "%s", a.error);
		wr_act_answer_free(&a);
	} else {
		wr_act_clean(io->output, out->error, sizeof out->error, err.msg);
	}
	wr_buf_wipe(&body);
}
