/* test_plan.c: plans: resolved, canonical, the same while nothing changed; and what is refused. */
#include "lab.h"

static const json_t *at(const json_t *plan, size_t step, const char *pointer)
{
	char path[128];
	snprintf(path, sizeof path, "/steps/%zu%s", step, pointer);
	return wr_json_get(plan, path);
}

static const char *text_at(const json_t *plan, size_t step, const char *pointer)
{
	const char *text = json_string_value(at(plan, step, pointer));
	if (!text) fail_msg("step %zu has no %s", step, pointer);
	return text;
}

static void canonical(void **state)
{
	(void)state;
	lab l;
	wr_err err = {0};
	char hex[WR_HEX_LEN], words[WR_WORDS_LEN], again[WR_HEX_LEN];
	lab_init(&l);
	json_t *plan = lab_plan(&l, RB_FO, US, EU);
	wr_buf text = WR_BUF_INIT(WR_BLOB_MAX);
	assert_int_equal(wr_canon_write(&text, plan, &err), 0);
	assert_int_equal(wr_canon_check(wr_buf_cstr(&text), text.len, &err), 0);
	assert_int_equal(wr_plan_hash(plan, hex, words, &err), 0);
	assert_true(strlen(hex) == 64 && strchr(words, '-'));
	assert_int_equal(wr_plan_check(plan, &err), 0);
	/* What comes back from the blob is the same plan. */
	json_t *back = wr_json_parse(wr_buf_cstr(&text), text.len, &err);
	assert_int_equal(wr_plan_hash(back, again, words, &err), 0);
	assert_string_equal(hex, again);
	json_decref(back);
	wr_buf_free(&text);
	json_decref(plan);
	lab_free(&l);
}

static void resolved(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	l.fo[FREEZE].action.http.body = "{\"region\":\"${from}\"}";
	static const wr_pair headers[] = {{"Authorization", "Bearer ${env:TOKEN}"}};
	l.fo[FREEZE].action.http.headers = headers;
	l.fo[FREEZE].action.http.header_count = 1;
	l.fo[FREEZE].action.expect_status[0] = 204;
	l.fo[FREEZE].action.expect_count = 1;
	l.fo[FREEZE].why = "${from} is left";
	json_t *p = lab_plan(&l, RB_FO, US, EU);
	assert_string_equal(wr_json_str(p, "kind", ""), "failover");
	assert_string_equal(wr_json_str(p, "from", ""), "us");
	assert_string_equal(wr_json_str(p, "to", ""), "eu");
	assert_string_equal(wr_json_str(p, "group", ""), "main");
	assert_string_equal(wr_json_str(p, "made_at", ""), "2026-01-25T12:00:00.000000Z");
	assert_int_equal(wr_json_int(p, "rto_ms", 0), 1800000);
	assert_string_equal(text_at(p, FREEZE, "/http/url"), "http://d/freeze");
	assert_string_equal(text_at(p, FREEZE, "/http/body"), "{\"region\":\"us\"}");
	assert_string_equal(text_at(p, FREEZE, "/why"), "us is left");
	assert_string_equal(text_at(p, FREEZE, "/http/headers/Authorization"), "Bearer ${env:TOKEN}");
	assert_int_equal(json_integer_value(at(p, FREEZE, "/http/expect_status/0")), 204);
	assert_string_equal(text_at(p, FENCE, "/http/url"), "http://us/fence");
	assert_string_equal(text_at(p, FENCE, "/rollback/kind"), "http");
	assert_string_equal(text_at(p, FENCE, "/rollback/http/url"), "http://us/unfence");
	assert_string_equal(text_at(p, FENCE, "/probe/kind"), "wait");
	assert_string_equal(text_at(p, FENCE, "/probe/wait/until"), "value == true");
	assert_string_equal(text_at(p, PROMOTE, "/exec/argv/1"), "eu");
	assert_string_equal(text_at(p, PROMOTE, "/class"), "opaque");
	assert_true(json_is_true(at(p, PROMOTE, "/guarded")));
	assert_true(json_is_false(at(p, SOAK, "/guarded")));
	assert_int_equal(json_array_size(at(p, SOAK, "/soak/gates")), 3); /* the target's signals */
	assert_string_equal(text_at(p, SOAK, "/soak/gates/0"), "eu-syn");
	assert_string_equal(text_at(p, TELL, "/notify/text"), "eu serves");
	assert_string_equal(text_at(p, TELL, "/notify/url"), "${env:HOOK}");
	assert_string_equal(text_at(p, TELL, "/on_failure"), "continue");
	assert_string_equal(text_at(p, CHECK, "/manual/ask"), "Can you log in?");
	assert_int_equal(wr_json_int(json_object_get(p, "loss"), "seconds_ms", 0), 2300);
	assert_int_equal(wr_json_int(json_object_get(p, "loss"), "receipts", 0), 47);
	assert_int_equal(json_integer_value(wr_json_get(p, "/evidence/weights/edge/us")), 100);
	json_decref(p);
	lab_free(&l);
}

static void traffic(void **state)
{
	(void)state;
	static const char *const three[] = {"us", "eu", "wit"};
	lab l;
	lab_init(&l);
	l.traffic[0].regions = three;
	l.traffic[0].region_count = 3;
	l.w->weights[0][WIT] = 0;
	json_t *p = lab_plan(&l, RB_FO, US, EU);
	/* What is not mentioned gets nothing, and that is said. */
	assert_int_equal(json_integer_value(at(p, SHIFT10, "/traffic/weights/wit")), 0);
	assert_true(json_is_integer(at(p, SHIFT10, "/traffic/weights/wit")));
	assert_int_equal(json_integer_value(at(p, SHIFT10, "/traffic/weights/us")), 90);
	/* The way back: what was read, then what the step before set. */
	assert_true(json_is_true(at(p, SHIFT10, "/rollback/observed")));
	assert_int_equal(json_integer_value(at(p, SHIFT10, "/rollback/traffic/weights/us")), 100);
	assert_null(at(p, SHIFT100, "/rollback/observed"));
	assert_int_equal(json_integer_value(at(p, SHIFT100, "/rollback/traffic/weights/us")), 90);
	assert_string_equal(text_at(p, SHIFT10, "/traffic/address"), "http://lb/w");
	json_decref(p);
	lab_weights(&l, -1, 100); /* not read: no way back is invented */
	p = lab_plan(&l, RB_FO, US, EU);
	assert_null(at(p, SHIFT10, "/rollback"));
	json_decref(p);
	lab_free(&l);
}

static void same_while_nothing_changed(void **state)
{
	(void)state;
	lab l;
	char first[WR_HEX_LEN], hash[WR_HEX_LEN], other[WR_HEX_LEN], words[WR_WORDS_LEN];
	wr_err err = {0};
	lab_init(&l);
	json_t *p = lab_plan(&l, RB_FO, US, EU);
	snprintf(first, sizeof first, "%s", wr_json_str(p, "steps_hash", ""));
	assert_int_equal(wr_plan_hash(p, hash, words, &err), 0);
	json_decref(p);
	l.now += MIN(3); /* time, verdicts, weights and lag are not configuration */
	lab_verdict(&l, US, WR_V_DOWN);
	lab_weights(&l, 40, 60);
	p = lab_plan(&l, RB_FO, US, EU);
	assert_string_equal(wr_json_str(p, "steps_hash", ""), first);
	assert_int_equal(wr_plan_hash(p, other, words, &err), 0);
	assert_string_not_equal(hash, other); /* but it is another plan to approve */
	json_decref(p);
	l.w->weights_us[0] = 0;
	p = lab_plan(&l, RB_FO, US, EU);
	assert_string_equal(wr_json_str(p, "steps_hash", ""), first);
	json_decref(p);
	l.fo[SCALE].timeout_ms++;
	p = lab_plan(&l, RB_FO, US, EU);
	assert_string_not_equal(wr_json_str(p, "steps_hash", ""), first);
	json_decref(p);
	l.fo[SCALE].timeout_ms--;
	l.cfg.hash[3] ^= 1;
	p = lab_plan(&l, RB_FO, US, EU);
	assert_string_not_equal(wr_json_str(p, "steps_hash", ""), first);
	json_decref(p);
	lab_free(&l);
}

static void no_plan(lab *l, size_t runbook, size_t from, size_t to, const char *why)
{
	wr_err err = {0};
	char head[WR_HEX_LEN];
	memset(head, '0', 64);
	head[64] = '\0';
	json_t *p =
	    wr_plan_make(&l->cfg, l->s, l->w, &l->runbooks[runbook], from, to, head, l->now, &err);
	if (p) fail_msg("a plan, though %s", why);
	if (!strstr(err.msg, why)) fail_msg("said \"%s\", not \"%s\"", err.msg, why);
}

static void refused(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	no_plan(&l, RB_FO, US, US, "same region");
	no_plan(&l, RB_FO, US, WIT, "witness");
	l.fo[SHIFT10].action.weights[0].percent = 91;
	no_plan(&l, RB_FO, US, EU, "sum to 101");
	l.fo[SHIFT10].action.weights[0].percent = 90;
	l.fo[SHIFT10].action.weights[0].region = "mars";
	no_plan(&l, RB_FO, US, EU, "does not serve \"mars\"");
	l.fo[SHIFT10].action.weights[0].region = "${from}";
	l.fo[SHIFT10].action.traffic = "edgy";
	no_plan(&l, RB_FO, US, EU, "no traffic provider \"edgy\"");
	l.fo[SHIFT10].action.traffic = "edge";
	l.fo[TELL].action.channel = "nobody";
	no_plan(&l, RB_FO, US, EU, "no notify channel");
	l.fo[TELL].action.channel = "ops";
	l.fo[FREEZE].action.http.url = "http://${nonsense}/";
	no_plan(&l, RB_FO, US, EU, "lab.yaml:0: step freeze");
	l.fo[FREEZE].action.http.url = "http://d/\xff";
	no_plan(&l, RB_FO, US, EU, "step freeze");
	l.fo[FREEZE].action.http.url = "http://d/";
	static const char *const gates[] = {"no-such-signal"};
	l.fo[SOAK].action.gates = gates;
	l.fo[SOAK].action.gate_count = 1;
	no_plan(&l, RB_FO, US, EU, "is no signal");
	l.fo[SOAK].action.gate_count = 0;
	l.cfg.signal_count = 3;
	no_plan(&l, RB_FO, US, EU, "no signal of eu");
	l.cfg.signal_count = SIGNALS;
	l.runbooks[RB_FO].step_count = 0;
	no_plan(&l, RB_FO, US, EU, "no steps");
	lab_free(&l);
}

static void checked_when_it_comes_back(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		const char *value; /* JSON, or NULL: removed */
	} whole[] = {{"v", "2"},      {"v", NULL},        {"kind", "\"riot\""}, {"kind", "7"},
	             {"from", NULL},  {"group", "\"\""},  {"steps", NULL},      {"steps", "[]"},
	             {"steps", "{}"}, {"steps", "[[1]]"}, {"steps_hash", NULL}, {"steps", "[null]"}},
	  step[] = {{"name", "\"\""},
	            {"name", "\"fence\""},
	            {"kind", "\"exec\""},
	            {"kind", "\"nuke\""},
	            {"http", NULL},
	            {"http", "3"},
	            {"class", "\"maybe\""},
	            {"phase", NULL},
	            {"on_failure", "1"},
	            {"retries", "-1"},
	            {"retries", "1e9"},
	            {"timeout_ms", "\"1\""},
	            {"rollback", "{\"kind\":\"http\"}"}};
	lab l;
	wr_err err = {0};
	lab_init(&l);
	json_t *good = lab_plan(&l, RB_FO, US, EU);
	for (size_t i = 0; i < sizeof whole / sizeof whole[0] + sizeof step / sizeof step[0]; i++) {
		bool top = i < sizeof whole / sizeof whole[0];
		const char *key = top ? whole[i].key : step[i - sizeof whole / sizeof whole[0]].key;
		const char *value = top ? whole[i].value : step[i - sizeof whole / sizeof whole[0]].value;
		json_t *bad = json_deep_copy(good);
		json_t *where = top ? bad : json_array_get(json_object_get(bad, "steps"), 0);
		if (value)
			json_object_set_new(where, key, json_loads(value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(where, key);
		if (wr_plan_check(bad, &err) == 0)
			fail_msg("%s %s goes through", key, value ? value : "gone");
		assert_true(err.msg[0]);
		json_decref(bad);
	}
	assert_int_equal(wr_plan_check(NULL, &err), -1);
	assert_int_equal(wr_plan_check(good, &err), 0);
	json_decref(good);
	lab_free(&l);
}

static void text(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	l.fo[FREEZE].danger = "users see errors";
	l.fo[FREEZE].action.http.body = "{\"a\":\"\x1b[31m\"}";
	l.fo[PROMOTE].has_rollback = false;
	json_t *p = lab_plan(&l, RB_FO, US, EU);
	wr_buf out = WR_BUF_INIT(1u << 20);
	wr_plan_text(p, &out);
	assert_true(wr_buf_ok(&out));
	static const char *const must[] = {
	    "us → eu",       "POST http://d/freeze", "/usr/local/bin/act eu", "us 90 %",
	    "2.3 s, 41 KB",  "users see errors",     "no way back",           "to go back [http]",
	    "value == true", "Can you log in?",      "http://us/unfence",     "eu-syn eu-mesh eu-ctl",
	    "3 samples"};
	for (size_t i = 0; i < sizeof must / sizeof must[0]; i++)
		if (!strstr(wr_buf_cstr(&out), must[i]))
			fail_msg("\"%s\" is not in\n%s", must[i], wr_buf_cstr(&out));
	assert_null(strchr(wr_buf_cstr(&out), 0x1b));
	wr_buf_reset(&out);
	json_t *nonsense =
	    json_loads("{\"steps\":[{},{\"kind\":\"http\",\"http\":[]},7],\"loss\":3}", 0, NULL);
	/* At risk: the first three by name, the rest as a number. */
	json_t *loss = json_object_get(p, "loss");
	static const char *const risk[][2] = {
	    {"r1", "receipts at risk: r1\n"},
	    {"r1,r2,r3", "receipts at risk: r1,r2,r3\n"},
	    {"r1,r2,r3,r4,r5", "receipts at risk: r1,r2,r3 and 2 more\n"},
	};
	for (size_t i = 0; i < sizeof risk / sizeof risk[0]; i++) {
		json_object_set_new(loss, "names", json_string(risk[i][0]));
		wr_buf_reset(&out);
		wr_plan_text(p, &out);
		assert_non_null(strstr(wr_buf_cstr(&out), risk[i][1]));
	}
	wr_buf_reset(&out);
	wr_plan_text(nonsense, &out); /* whatever it is, it is shown without harm */
	assert_true(wr_buf_ok(&out));
	wr_buf_free(&out);
	json_decref(nonsense);
	json_decref(p);
	lab_free(&l);
}

static void only_its_own_hash(void **state)
{
	(void)state;
	lab l;
	lab_init(&l);
	char hash[WR_HEX_LEN];
	memset(hash, 'a', 64);
	hash[64] = '\0';
	wr_state_put_plan(l.s, hash, lab_plan(&l, RB_FO, US, EU));
	assert_int_equal(wr_state_contradictions(l.s), 1);
	wr_state_put_plan(l.s, hash, NULL);
	for (unsigned i = 0; i < 40; i++) { /* many drafts that nobody proposes: bounded, no leak */
		char words[WR_WORDS_LEN];
		wr_err err = {0};
		l.now++;
		json_t *p = lab_plan(&l, RB_FO, US, EU);
		assert_int_equal(wr_plan_hash(p, hash, words, &err), 0);
		wr_state_put_plan(l.s, hash, p);
	}
	lab_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(canonical), cmocka_unit_test(resolved),
	    cmocka_unit_test(traffic),   cmocka_unit_test(same_while_nothing_changed),
	    cmocka_unit_test(refused),   cmocka_unit_test(checked_when_it_comes_back),
	    cmocka_unit_test(text),      cmocka_unit_test(only_its_own_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
