/* The published state has every member that docs/api.md names, of the type it names, and no other;
 * with nothing configured, with everything configured and nothing seen, and with an operation. */
#include "engine_fixture.h"

#include "engine/view.h"
#include "warroom/json.h"

/* Type letters: s string, i integer, b truth, t time or "", o object or null. "[]" in a path: every
 * element. What is listed must be there; what is there must be listed. */
static const struct {
	const char *path, *members;
} schema[] = {
    {"",
     "rev:i now:t version:s platform:s observer:s pid:i started:t epoch:i config_hash:s banner:s "
     "incident:o rto:o loss:o isolation:o regions:a links:a quotas:a traffic:a ledger:o foreign:a "
     "actions:a operations:a operators:a policy:o engine:o"},
    {"incident", "id:s title:s region:s started:t impact_ms:i"},
    {"rto", "target_ms:i left_ms:i service:s running:b"},
    {"loss", "from:s to:s known:b stale:b sync:b text:s seconds_ms:i bytes:i receipts:i names:s"},
    {"isolation", "isolated:b known:b reason:s"},
    {"regions[]", "name:s role:s residency:s verdict:s since:t since_ms:i rule:s reason:s weight:i "
                  "impact_started:t classes:a signals:a facts:a"},
    {"regions[].classes[]", "class:s abbr:s status:s"},
    {"regions[].signals[]",
     "name:s class:s observer:s status:s value:s detail:s age_ms:i history:s"},
    {"regions[].facts[]", "kind:s name:s ok:s value:s need:s age_ms:i detail:s"},
    {"links[]", "name:s kind:s from:s to:s sync:b active:b seconds_ms:i bytes:i receipts:i names:s "
                "rpo_ms:i state:s age_ms:i proven_ms:i proven_age_ms:i history:a"},
    {"quotas[]", "name:s layer:s region:s percent:i after_percent:i alert:i state:s age_ms:i "
                 "history:a"},
    {"traffic[]", "name:s weights:o age_ms:i"},
    {"ledger", "chain:s count:i head:s ok:b reason:s verified_ok:b verified_age_ms:i "
               "verified_count:i attested_seq:i verifying_percent:i export:o anchor:o tail:a"},
    {"ledger.tail[]", "seq:i timestamp:t operation:s actor:s hash:s text:s"},
    {"foreign[]", "name:s region:s source:s status:s reason:s age_ms:i ok_age_ms:i head_seq:i "
                  "head_id:s head_hash:s head_time:t head_age_ms:i anomalies:i audits:i "
                  "audit_age_ms:i audit_result:s checked:i valid:i audit_ms:i auditing:i"},
    {"actions[]", "action:s from:s to:s runbook:s possible:b reason:s passed:i total:i blocking:i "
                  "guards:a loss:o"},
    {"actions[].guards[]",
     "name:s rule:s verdict:s blocking:b observed:s threshold:s flip:s eta:t"},
    {"actions[].loss", "from:s to:s known:b stale:b sync:b text:s seconds_ms:i bytes:i receipts:i "
                       "names:s"},
    {"operations[]",
     "id:s action:s state:s runbook:s title:s group:s from:s to:s proposer:s reason:s "
     "plan_hash:s words:s proposed:t started:t finished:t expires_left_ms:i "
     "held_reason:s held_rule:s final_reason:s impact_started:t elapsed_ms:i rto_ms:i "
     "rto_left_ms:i predicted_left_ms:i current:i loss:o quorum:o approvals:a "
     "steps:a"},
    {"operations[].quorum", "met:b have:i need:i missing:s expiry_left_ms:i"},
    {"operations[].approvals[]",
     "principal:s role:s decision:s assurance:s at:t valid:b expires_left_ms:i"},
    {"operations[].steps[]", "index:i name:s kind:s phase:s class:s guarded:b state:s attempts:i "
                             "undo:b elapsed_ms:i duration_ms:i usual_ms:i timeout_ms:i error:s "
                             "output:s ask:s why:s look_at:s danger:s go_back:s has_rollback:b "
                             "gate?:o"},
    {"operators[]", "principal:s name:s roles:a key_file:s"},
    {"policy", "failover:o failback:o other:o"},
    {"policy.failover", "roles:a assurance:s expires_ms:i"},
    {"policy.other", "roles:a assurance:s expires_ms:i"},
    {"engine", "probes_done:i probes_late:i queue_dropped:i rss_kb:i cpu_ms:i"},
};

static bool has_type(const json_t *v, char type)
{
	int64_t us;
	switch (type) {
	case 's':
		return json_is_string(v);
	case 'i':
		return json_is_integer(v);
	case 'b':
		return json_is_boolean(v);
	case 'a':
		return json_is_array(v);
	case 'o':
		return json_is_object(v) || json_is_null(v);
	default:
		return json_is_string(v) &&
		       (!*json_string_value(v) || wr_time_parse(json_string_value(v), &us, NULL) == 0);
	}
}

static void check_object(const char *path, const char *members, const json_t *o)
{
	size_t listed = 0, optional = 0;
	char name[64], type;
	for (const char *p = members; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, ":");
		bool may_miss = p[n - 1] == '?';
		snprintf(name, sizeof name, "%.*s", (int)(n - may_miss), p);
		type = p[n + 1];
		p += n + 2;
		const json_t *v = json_object_get(o, name);
		if (!v && may_miss) continue;
		if (!v) fail_msg("%s.%s is missing", path, name);
		if (!has_type(v, type)) fail_msg("%s.%s is not of type %c", path, name, type);
		if (may_miss)
			optional++;
		else
			listed++;
	}
	if (json_object_size(o) == listed + optional) return;
	const char *key;
	json_t *v;
	json_object_foreach ((json_t *)(uintptr_t)o, key, v) {
		char pattern[80];
		snprintf(pattern, sizeof pattern, "%s:", key);
		if (!strstr(members, pattern)) fail_msg("%s.%s is not documented", path, key);
	}
}

static size_t walk(const char *path, const char *rest, const char *members, const json_t *at)
{
	char name[64];
	if (json_is_null(at)) return 0;
	if (!strncmp(rest, "[]", 2)) {
		size_t i, n = 0;
		const json_t *v;
		assert_true(json_is_array(at));
		json_array_foreach ((json_t *)(uintptr_t)at, i, v) n += walk(path, rest + 2, members, v);
		return n;
	}
	if (*rest == '.') rest++;
	if (!*rest) {
		check_object(path, members, at);
		return 1;
	}
	size_t len = strcspn(rest, ".[");
	snprintf(name, sizeof name, "%.*s", (int)len, rest);
	const json_t *v = json_object_get(at, name);
	if (!v) fail_msg("%s: no member %s", path, name);
	return walk(path, rest + len, members, v);
}

/* How many objects each row of the schema met. */
static void check_state(const json_t *s, size_t met[sizeof schema / sizeof *schema])
{
	for (size_t i = 0; i < sizeof schema / sizeof *schema; i++)
		met[i] += walk(schema[i].path, schema[i].path, schema[i].members, s);
	wr_buf text = WR_BUF_INIT(8u << 20);
	wr_json_dump(&text, s);
	assert_true(wr_buf_ok(&text));
	json_t *again = wr_json_parse(text.data, text.len, NULL);
	assert_non_null(again);
	json_decref(again);
	wr_buf_free(&text);
}

static void an_empty_world(void **state)
{
	(void)state;
	size_t met[sizeof schema / sizeof *schema] = {0};
	rig *r = rig_new(rig_empty);
	rig_start(r);
	json_t *s = view_state(r->e); /* before anything was decided */
	check_state(s, met);
	assert_int_equal(json_array_size(json_object_get(s, "actions")), 0);
	assert_true(json_is_null(json_object_get(s, "loss")));
	json_decref(s);
	rig_settle(r);
	s = view_state(r->e);
	check_state(s, met);
	assert_int_equal(wr_json_int(json_object_get(s, "rto"), "target_ms", 0), -1);
	json_decref(s);
	rig_free(r);
}

static wr_sample sample(wr_target target, size_t index, double value)
{
	wr_sample s = {.target = target, .index = index, .at_us = wr_wall_us(&wr_clock_system)};
	s.vars.value.type = WR_V_NUM;
	s.vars.value.num = value;
	s.vars.status = 200;
	return s;
}

/* Everything seen once, with values at the edges of what JSON integers take. */
static void feed(rig *r)
{
	static const wr_target all[] = {WR_T_LINK_SECONDS, WR_T_LINK_RECEIPTS, WR_T_FACT,
	                                WR_T_QUOTA_PERCENT, WR_T_QUOTA_AFTER};
	static const double odd[] = {1e300, -1e300, -1, 0, 2.5};
	for (size_t v = 0; v < sizeof odd / sizeof *odd; v++)
		for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
			wr_sample s = sample(all[i], 0, odd[v]);
			snprintf(s.names, sizeof s.names, "r1,r2");
			wr_world_feed(r->e->world, &s);
		}
	wr_sample w = sample(WR_T_WEIGHTS, 0, 0);
	for (size_t i = 0; i < WR_MAX_REGIONS; i++) w.weights[i] = i == 0 ? 100 : i == 1 ? 0 : -1;
	wr_world_feed(r->e->world, &w);
	wr_world_tick(r->e->world, wr_wall_us(&wr_clock_system));
}

static void fold(rig *r, json_t *receipt)
{
	wr_err err = {0};
	int64_t seq;
	assert_non_null(receipt);
	if (wr_ledger_append(r->e->ledger, receipt, r->e->epoch, &seq, &err) != 0)
		fail_msg("%s", err.msg);
}

/* Alice's approval of op-1, signed. */
static void approve(rig *r, const char *plan_hash)
{
	wr_signed s = {.operation_id = "op-1",
	               .principal = "alice",
	               .role = "sre",
	               .decision = "approve",
	               .expires_us = wr_wall_us(&wr_clock_system) + 600000000};
	uint8_t secret[64];
	wr_pubkey key;
	char expires[WR_TIME_LEN];
	wr_buf text = WR_BUF_INIT(4096), armour = WR_BUF_INIT(WR_SSHSIG_MAX);
	memset(s.head, '0', 64);
	memset(s.nonce, '1', 64);
	memcpy(s.plan_hash, plan_hash, 64);
	wr_time_format(expires, s.expires_us);
	rig_key(0, &key, secret);
	assert_int_equal(wr_challenge_text(&text, &s, NULL), 0);
	assert_int_equal(wr_sshsig_sign(&armour, secret, WR_NS_APPROVAL, text.data, text.len, NULL), 0);
	fold(r, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
	                  "operation", "approval_recorded", "operation_id", "op-1", "plan_hash",
	                  plan_hash, "principal", "alice", "role", "sre", "decision", "approve",
	                  "assurance", wr_assurance_name(s.assurance), "observed_assurance",
	                  wr_assurance_name(s.assurance), "nonce", s.nonce, "expires", expires, "head",
	                  s.head, "key_fingerprint", key.fingerprint, "signed", wr_buf_cstr(&text),
	                  "signature", wr_buf_cstr(&armour)));
	wr_buf_free(&text);
	wr_buf_free(&armour);
}

/* An operation as the ledger has it after a crash in the middle. */
static void with_an_operation(rig *r)
{
	wr_err err = {0};
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	char hash[WR_HEX_LEN], words[WR_WORDS_LEN], blob[WR_HEX_LEN], zero[WR_HEX_LEN],
	    now[WR_TIME_LEN];
	memset(zero, '0', 64);
	zero[64] = '\0';
	json_t *plan = wr_plan_make(r->e->cfg, r->e->state, r->e->world, &r->e->cfg->runbooks[0], 0, 1,
	                            zero, wr_wall_us(&wr_clock_system), &err);
	if (!plan || wr_plan_hash(plan, hash, words, &err) != 0) fail_msg("%s", err.msg);
	assert_int_equal(wr_canon_write(&text, plan, &err), 0);
	assert_int_equal(wr_blob_put(r->e->ledger, text.data, text.len, blob, &err), 0);
	wr_buf_free(&text);
	wr_time_format(now, wr_wall_us(&wr_clock_system) + 600000000);
	fold(r, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
	                  "operation", "operation_proposed", "operation_id", "op-1", "kind", "failover",
	                  "runbook", "move", "group", "main", "from_region", "a", "to_region", "b",
	                  "plan_hash", hash, "steps_hash", wr_json_str(plan, "steps_hash", ""),
	                  "proposer", "alice", "reason", "test", "expires", now, "words", words));
	json_decref(plan);
	approve(r, hash);
}

static void everything_at_once(void **state)
{
	(void)state;
	size_t met[sizeof schema / sizeof *schema] = {0};
	rig *r = rig_new(rig_full);
	rig_start(r);
	rig_settle(r);
	json_t *s = view_state(r->e); /* nothing seen yet */
	check_state(s, met);
	json_decref(s);
	feed(r);
	with_an_operation(r);
	fold(r, json_pack("{s:s, s:s, s:s, s:s, s:s}", "operation", "incident_opened", "incident",
	                  "INC-1", "region", "a", "title", "lost", "impact_started",
	                  "2026-01-25T12:40:15.000000Z"));
	rig_stop(r);
	rig_start(r); /* which folds what was appended */
	feed(r);
	s = view_state(r->e);
	check_state(s, met);
	const json_t *op = json_array_get(json_object_get(s, "operations"), 0);
	assert_string_equal(wr_json_str(op, "state", ""), "proposed");
	assert_int_equal(wr_json_int(op, "current", 0), -1);
	assert_int_equal(json_array_size(json_object_get(op, "steps")), 3);
	const json_t *us = json_array_get(json_object_get(s, "regions"), 0);
	assert_int_equal(wr_json_int(us, "weight", 0), 100);
	assert_int_equal(wr_json_int(json_array_get(json_object_get(s, "regions"), 2), "weight", 0),
	                 -1);
	assert_string_equal(wr_json_str(json_object_get(s, "incident"), "region", ""), "a");
	assert_true(wr_json_bool(json_object_get(s, "rto"), "running", false));
	json_decref(s);
	for (size_t i = 0; i < sizeof schema / sizeof *schema; i++)
		if (!met[i]) fail_msg("nothing at %s was seen", schema[i].path);
	rig_free(r);
}

static void ages_and_times(void **state)
{
	(void)state;
	engine e = {.clock = &wr_clock_system};
	assert_int_equal(view_age_ms(&e, 0), -1);
	assert_int_equal(view_age_ms(&e, wr_wall_us(e.clock) + 5000000), 0); /* a clock set back */
	assert_true(view_age_ms(&e, wr_wall_us(e.clock) - 5000000) >= 5000);
	json_t *t = view_time(0);
	assert_string_equal(json_string_value(t), "");
	json_decref(t);
	json_t *o = json_object();
	put_str(o, "bad", "\xff\xfe");
	put_str(o, "none", NULL);
	assert_string_equal(wr_json_str(o, "bad", ""), "?");
	assert_string_equal(wr_json_str(o, "none", "x"), "");
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_world),
	    cmocka_unit_test(everything_at_once),
	    cmocka_unit_test(ages_and_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
