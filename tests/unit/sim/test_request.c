/* test_request.c: what comes from outside: routes, bodies, numbers, epochs, idempotency keys, and a
 * good deal of rubbish. */
#include "simtest.h"

#include "sim/jw.h"

#define US 0
#define EU 1

/* send is `order` with headers; the answer's body goes to `text` when given. */
static int send(wr_sim *s, int server, const char *path, const char *body, const char *epoch,
                const char *key, bool *replayed, char text[static 2048])
{
	wr_sim_dial dial = {.speed_milli = 1000};
	wr_sim_request q = {.server = server,
	                    .method = "POST",
	                    .path = path,
	                    .body = body,
	                    .body_len = strlen(body),
	                    .epoch = epoch,
	                    .key = key};
	wr_sim_response r;
	wr_sim_handle(s, &dial, &q, &r);
	*replayed = r.replayed;
	snprintf(text, 2048, "%s", wr_buf_cstr(&r.body));
	wr_buf_free(&r.body);
	return r.status;
}

static void every_path_answers_json(void **state)
{
	(void)state;
	static const char *const region[] = {
	    "/health", "/mesh",  "/control-plane", "/ingress", "/slo",      "/replication", "/capacity",
	    "/quota",  "/build", "/keys",          "/state",   "/receipts", "/backups"};
	static const char *const control[] = {"/v1/platform",
	                                      "/v1/faults",
	                                      "/v1/traffic",
	                                      "/healthz",
	                                      "/v1/fence?region=region-a",
	                                      "/v1/slo?region=region-b"};
	wr_sim *s = make_sim("mesh", 1);
	int status;
	wr_sim_step(s, 7300);
	for (size_t i = 0; i < sizeof region / sizeof region[0]; i++) {
		for (int r = 0; r < 2; r++) {
			json_decref(ask(s, r, "GET", region[i], NULL, &status));
			assert_int_equal(status, 200);
			json_decref(ask(s, r, "HEAD", region[i], NULL, &status));
			assert_int_equal(status, 200);
			json_decref(ask(s, r, "POST", region[i], "", &status));
			assert_int_equal(status, 405);
		}
		json_decref(ask(s, WR_SIM_CONTROL, "GET", region[i], NULL, &status));
		assert_int_equal(status, 404);
	}
	for (size_t i = 0; i < sizeof control / sizeof control[0]; i++) {
		json_decref(ask(s, WR_SIM_CONTROL, "GET", control[i], NULL, &status));
		assert_int_equal(status, 200);
		json_decref(ask(s, US, "GET", control[i], NULL, &status));
		assert_int_equal(status, 404);
	}
	wr_sim_free(s);
}

static void metrics_are_well_formed(void **state)
{
	(void)state;
	wr_sim *s = make_sim("companyos", 1);
	wr_sim_step(s, 20000);
	inject(s, WR_SIM_F_REGION_DOWN, 0, 0);
	wr_sim_step(s, 2000);
	for (int server = WR_SIM_CONTROL; server < 3; server++) {
		wr_sim_dial dial = {.speed_milli = 2500};
		wr_sim_request q = {.server = server, .method = "GET", .path = "/metrics"};
		wr_sim_response r;
		wr_sim_handle(s, &dial, &q, &r);
		if (server == 0) {
			assert_true(r.drop);
			wr_buf_free(&r.body);
			continue;
		}
		assert_true(r.text);
		char *save = NULL, family[64] = "";
		int families = 0, samples = 0;
		for (char *line = strtok_r(r.body.data, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save)) {
			if (strncmp(line, "# HELP ", 7) == 0) continue;
			if (strncmp(line, "# TYPE ", 7) == 0) {
				families++;
				assert_int_equal(sscanf(line + 7, "%63s", family), 1);
				continue;
			}
			/* Every sample belongs to the family announced before it, and ends in a number. */
			assert_memory_equal(line, family, strlen(family));
			char *value = strrchr(line, ' '), *end = NULL;
			assert_non_null(value);
			(void)strtod(value + 1, &end);
			assert_int_equal(*end, '\0');
			samples++;
		}
		assert_true(families >= 5 && samples >= families);
		wr_buf_free(&r.body);
	}
	wr_sim_free(s);
}

static void wrong_methods_and_paths_are_named(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_dial dial = {.speed_milli = 1000};
	static const struct {
		int server;
		const char *method, *path, *allow;
		int status;
	} cases[] = {{US, "GET", "/promote", "POST", 405},
	             {US, "DELETE", "/health", "GET, HEAD", 405},
	             {US, "PUT", "/scale", "POST", 405},
	             {WR_SIM_CONTROL, "PATCH", "/v1/traffic", "GET, HEAD, POST", 405},
	             {WR_SIM_CONTROL, "GET", "/v1/fault", "POST", 405},
	             {US, "GET", "", NULL, 404},
	             {US, "GET", "/", NULL, 404},
	             {US, "GET", "/health/", NULL, 404},
	             {US, "GET", "/HEALTH", NULL, 404},
	             {US, "GET", "/v1/platform", NULL, 404},
	             {US, "BREW", "/coffee", NULL, 404}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wr_sim_request q = {
		    .server = cases[i].server, .method = cases[i].method, .path = cases[i].path};
		wr_sim_response r;
		wr_sim_handle(s, &dial, &q, &r);
		assert_int_equal(r.status, cases[i].status);
		if (cases[i].allow != NULL) assert_string_equal(r.allow, cases[i].allow);
		assert_non_null(strstr(wr_buf_cstr(&r.body), "{\"error\":\""));
		wr_buf_free(&r.body);
	}
	wr_sim_free(s);
}

static void bodies_are_checked(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	static const struct {
		int server;
		const char *path, *body;
		int status;
	} cases[] = {
	    {US, "/scale", "", 422},
	    {US, "/scale", "{}", 422},
	    {US, "/scale", "{", 400},
	    {US, "/scale", "[]", 400},
	    {US, "/scale", "100", 400},
	    {US, "/scale", "{\"percent\":1.5}", 400},
	    {US, "/scale", "{\"percent\":\"100\"}", 400},
	    {US, "/scale", "{\"percent\":-1}", 400},
	    {US, "/scale", "{\"percent\":0}", 422},
	    {US, "/scale", "{\"percent\":201}", 422},
	    {US, "/scale", "{\"percent\":99999999999999999999}", 400},
	    {US, "/scale", "{\"percent\":50,\"percent\":60}", 400},
	    {US, "/scale", "{\"percent\":50} x", 400},
	    {US, "/scale", "\xff\xfe", 400},
	    {EU, "/promote", "{\"link\":5}", 400},
	    {EU, "/promote", "{\"link\":\"oracle\"}", 422},
	    {EU, "/promote", "{\"link\":\"postgres\\u0000x\"}", 400},
	    {EU, "/resync", "{}", 400},
	    {EU, "/resync", "{\"from\":\"mars\"}", 422},
	    {EU, "/resync", "{\"from\":\"europe-west1\"}", 409},
	    {WR_SIM_CONTROL, "/v1/fence", "{}", 400},
	    {WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"observer\"}", 422},
	    {WR_SIM_CONTROL, "/v1/clock", "{}", 422},
	    {WR_SIM_CONTROL, "/v1/clock", "{\"speed\":-1}", 422},
	    {WR_SIM_CONTROL, "/v1/clock", "{\"speed\":1e300}", 422},
	    {WR_SIM_CONTROL, "/v1/clock", "{\"speed\":\"fast\"}", 422},
	    {WR_SIM_CONTROL, "/v1/fault", "{}", 422},
	    {WR_SIM_CONTROL, "/v1/fault", "{\"kind\":\"meteor\"}", 422},
	    {WR_SIM_CONTROL, "/v1/fault", "{\"kind\":\"lag\",\"region\":\"us-central1\"}", 422},
	    {WR_SIM_CONTROL, "/v1/fault", "{\"kind\":\"heal\",\"regoin\":\"us-central1\"}", 400},
	    {WR_SIM_CONTROL, "/v1/fault", "{\"kind\":\"heal\",\"after_ms\":-5}", 400},
	    {WR_SIM_CONTROL, "/v1/fault", "{\"kind\":\"heal\",\"after_ms\":9007199254740991}", 422}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int status = order(s, cases[i].server, cases[i].path, cases[i].body);
		if (status != cases[i].status)
			fail_msg("%s %s: %d, not %d", cases[i].path, cases[i].body, status, cases[i].status);
	}
	wr_sim_free(s);
}

static void traffic_sums_to_100_or_stays(void **state)
{
	(void)state;
	wr_sim *s = make_sim("companyos", 1);
	static const char *const wrong[] = {
	    "{}",
	    "{\"weights\":[]}",
	    "{\"weights\":{\"us-east\":100}}",
	    "{\"weights\":{\"us-east\":50,\"us-west\":50}}",
	    "{\"weights\":{\"us-east\":50,\"us-west\":50,\"eu-central\":1}}",
	    "{\"weights\":{\"us-east\":50,\"us-west\":49,\"eu-central\":0}}",
	    "{\"weights\":{\"us-east\":150,\"us-west\":-50,\"eu-central\":0}}",
	    "{\"weights\":{\"us-east\":33.4,\"us-west\":33.3,\"eu-central\":33.3}}",
	    "{\"weights\":{\"us-east\":\"100\",\"us-west\":0,\"eu-central\":0}}",
	    "{\"weights\":{\"us-east\":true,\"us-west\":0,\"eu-central\":0}}",
	    "{\"weights\":{\"us-east\":4294967396,\"us-west\":0,\"eu-central\":0}}",
	    "{\"weights\":{\"us-east\":100,\"us-west\":0,\"eu-central\":0,\"mars\":0}}"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/traffic", wrong[i]), 422);
		assert_int_equal(s->regions[0].weight, 100);
	}
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/traffic",
	                       "{\"weights\":{\"us-east\":33,\"us-west\":33,\"eu-central\":34}}"),
	                 200);
	assert_true(number_at(s, WR_SIM_CONTROL, "/v1/traffic", "/weights/eu-central") == 34);
	assert_true(number_at(s, WR_SIM_CONTROL, "/v1/traffic", "/epoch") == 0);
	wr_sim_free(s);
}

static void a_stale_epoch_acts_no_more(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	bool replayed;
	char text[2048];
	assert_int_equal(send(s, US, "/drain", "", "7", NULL, &replayed, text), 200);
	assert_int_equal(send(s, US, "/undrain", "", "6", NULL, &replayed, text), 409);
	assert_string_equal(text, "{\"error\":\"stale epoch\",\"epoch\":6,\"highest\":7}");
	assert_true(s->regions[US].draining);
	assert_int_equal(send(s, US, "/undrain", "", NULL, NULL, &replayed, text), 200);
	assert_int_equal(send(s, US, "/drain", "", "7", NULL, &replayed, text), 200);
	assert_int_equal(send(s, EU, "/drain", "", "1", NULL, &replayed, text), 200); /* each its own */
	/* A refused command has shown its epoch all the same. */
	assert_int_equal(send(s, EU, "/promote", "", "9", NULL, &replayed, text), 409);
	assert_int_equal(send(s, EU, "/undrain", "", "8", NULL, &replayed, text), 409);
	static const char *const bad[] = {
	    "", "-1", "1.0", "0x10", " 7", "9007199254740992", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(send(s, US, "/drain", "", bad[i], NULL, &replayed, text), 400);
	const char *weights = "{\"weights\":{\"us-central1\":90,\"europe-west1\":10}}";
	assert_int_equal(send(s, -1, "/v1/traffic", weights, "3", NULL, &replayed, text), 200);
	assert_int_equal(send(s, -1, "/v1/traffic", weights, "2", NULL, &replayed, text), 409);
	assert_true(number_at(s, WR_SIM_CONTROL, "/v1/traffic", "/epoch") == 3);
	wr_sim_free(s);
}

static void a_repeated_key_gives_the_stored_answer(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	bool replayed;
	char first[2048], second[2048];
	const char *body = "{\"percent\":60}";
	assert_int_equal(send(s, US, "/scale", body, "2", "step-1", &replayed, first), 200);
	assert_false(replayed);
	order(s, US, "/scale", "{\"percent\":100}");
	assert_int_equal(send(s, US, "/scale", body, "2", "step-1", &replayed, second), 200);
	assert_true(replayed);
	assert_string_equal(first, second);
	assert_int_equal(s->regions[US].target_percent, 100); /* and nothing happened */
	/* The same key for something else is a mistake; for a deposed leader it is no way in. */
	assert_int_equal(send(s, US, "/scale", "{\"percent\":61}", "2", "step-1", &replayed, second),
	                 422);
	assert_int_equal(send(s, US, "/drain", body, "2", "step-1", &replayed, second), 422);
	assert_int_equal(send(s, US, "/scale", body, "1", "step-1", &replayed, second), 409);
	/* What was refused was not done, and may be tried again under its key. */
	assert_int_equal(send(s, EU, "/promote", "", NULL, "p", &replayed, second), 409);
	order(s, US, "/demote", "");
	assert_int_equal(send(s, EU, "/promote", "", NULL, "p", &replayed, second), 200);
	assert_false(replayed);
	char key[WR_SIM_KEY_LEN + 2];
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	assert_int_equal(send(s, US, "/drain", "", NULL, key, &replayed, second), 400);
	assert_int_equal(send(s, US, "/drain", "", NULL, "", &replayed, second), 400);
	assert_int_equal(send(s, US, "/drain", "", NULL, "a\x1b[2J", &replayed, second), 400);
	assert_int_equal(send(s, US, "/drain", "", NULL, key + 1, &replayed, second), 200);
	wr_sim_free(s);
}

static void keys_are_forgotten_oldest_first(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	bool replayed;
	char text[2048], key[32];
	for (int i = 0; i <= WR_SIM_KEYS_MAX; i++) {
		snprintf(key, sizeof key, "key-%d", i);
		assert_int_equal(send(s, US, "/drain", "", NULL, key, &replayed, text), 200);
	}
	send(s, US, "/drain", "", NULL, "key-1", &replayed, text);
	assert_true(replayed);
	send(s, US, "/drain", "", NULL, "key-0", &replayed, text);
	assert_false(replayed);
	wr_sim_free(s);
}

static void queries_are_checked(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	int status;
	static const struct {
		int server;
		const char *path;
		int status;
	} cases[] = {{US, "/receipts?since=-1", 400},
	             {US, "/receipts?since=abc", 400},
	             {US, "/receipts?limit=", 400},
	             {US, "/receipts?limit", 400},
	             {US, "/receipts?since=99999999999999999999", 400},
	             {US, "/receipts?since=9007199254740991&limit=5", 200},
	             {US, "/receipts?limit=0", 200},
	             {US, "/quota?tenants=10001", 400},
	             {US, "/quota?tenants=0", 200},
	             {US, "/quota?unknown=1", 200},
	             {US, "/replication?link=nope", 422},
	             {US, "/replication?from=nope", 422},
	             {US, "/replication?from=europe-west1", 200},
	             {WR_SIM_CONTROL, "/v1/fence", 400},
	             {WR_SIM_CONTROL, "/v1/fence?region=mars", 422},
	             {WR_SIM_CONTROL, "/v1/slo?region=", 422}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_decref(ask(s, cases[i].server, "GET", cases[i].path, NULL, &status));
		if (status != cases[i].status)
			fail_msg("%s: %d, not %d", cases[i].path, status, cases[i].status);
	}
	wr_sim_step(s, 60000);
	json_t *j = look(s, US, "/receipts?since=0&limit=999999");
	assert_int_equal(json_array_size(json_object_get(j, "receipts")), WR_SIM_RECEIPTS_PAGE);
	assert_int_equal(wr_json_int(j, "next", -1), WR_SIM_RECEIPTS_PAGE);
	char *text = json_dumps(j, JSON_COMPACT);
	assert_true(strlen(text) < WR_BODY_MAX);
	free(text);
	json_decref(j);
	wr_sim_free(s);
}

static void the_inbox_keeps_the_last_messages_harmless(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	char text[128], body[64];
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/inbox", "{\"text\":\"a\\u001b[2Jb\"}"), 200);
	text_at(s, WR_SIM_CONTROL, "/v1/inbox", "/messages/0/text", text);
	assert_null(strchr(text, '\x1b'));
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/inbox", "{\"summary\":{\"n\":1}}"), 200);
	text_at(s, WR_SIM_CONTROL, "/v1/inbox", "/messages/1/text", text);
	assert_string_equal(text, "{\"summary\":{\"n\":1}}");
	for (int i = 0; i < 2 * WR_SIM_MESSAGES_KEPT; i++) {
		snprintf(body, sizeof body, "{\"text\":\"%d\"}", i);
		assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/inbox", body), 200);
	}
	json_t *j = look(s, WR_SIM_CONTROL, "/v1/inbox");
	assert_int_equal(json_array_size(json_object_get(j, "messages")), WR_SIM_MESSAGES_KEPT);
	assert_string_equal(wr_json_str(wr_json_get(j, "/messages/31"), "text", ""), "63");
	assert_int_equal(wr_json_int(j, "count", -1), 2 + 2 * WR_SIM_MESSAGES_KEPT);
	json_decref(j);
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/inbox", "[]"), 400);
	wr_sim_free(s);
}

static void brownouts_eat_requests_by_number(void **state)
{
	(void)state;
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_dial dial = {.speed_milli = 1000};
	int eaten = 0;
	inject(s, WR_SIM_F_BROWNOUT, US, 30);
	for (uint64_t i = 0; i < 1000; i++) {
		wr_sim_request q = {.server = US, .method = "GET", .path = "/keys", .nonce = i};
		wr_sim_response r;
		wr_sim_handle(s, &dial, &q, &r);
		eaten += r.status == 503;
		wr_buf_free(&r.body);
	}
	assert_in_range(eaten, 250, 350);
	wr_sim_free(s);
}

/* Rubbish: random bytes, and valid bodies with bytes changed. Nothing may crash, every answer is
 * JSON, and the weights keep their sum. */
static void rubbish_does_no_harm(void **state)
{
	(void)state;
	static const char *const paths[] = {"/promote",    "/demote",   "/resync",   "/scale",
	                                    "/verify",     "/v1/fault", "/v1/clock", "/v1/traffic",
	                                    "/v1/unfence", "/v1/fence", "/freeze",   "/drain"};
	static const char *const seeds[] = {
	    "{\"link\":\"postgres\",\"from\":\"us-central1\",\"percent\":50}",
	    "{\"kind\":\"lag\",\"region\":\"us-central1\",\"value\":3,\"duration_ms\":1000}",
	    "{\"weights\":{\"us-central1\":50,\"europe-west1\":50}}",
	    "{\"region\":\"europe-west1\",\"speed\":1.5}"};
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_dial dial = {.speed_milli = 1000};
	wr_sim_prng p = {.state = 99};
	for (int round = 0; round < 20000; round++) {
		char body[256], key[16], epoch[16];
		const char *from = seeds[wr_sim_below(&p, 4)];
		size_t len = strlen(from);
		memcpy(body, from, len);
		for (int64_t n = wr_sim_below(&p, 4); n > 0; n--)
			body[wr_sim_below(&p, (int64_t)len)] = (char)wr_sim_below(&p, 256);
		if (wr_sim_below(&p, 8) == 0) len = (size_t)wr_sim_below(&p, (int64_t)len + 1);
		for (size_t i = 0; i < sizeof key; i++) {
			key[i] = (char)wr_sim_below(&p, 256);
			epoch[i] = (char)('0' + wr_sim_below(&p, 11));
		}
		key[15] = '\0';
		epoch[wr_sim_below(&p, 15)] = '\0';
		epoch[15] = '\0';
		wr_sim_request q = {.server = (int)wr_sim_below(&p, 3) - 1,
		                    .method = "POST",
		                    .path = paths[wr_sim_below(&p, 12)],
		                    .body = body,
		                    .body_len = len,
		                    .key = wr_sim_below(&p, 2) == 0 ? key : NULL,
		                    .epoch = wr_sim_below(&p, 2) == 0 ? epoch : NULL};
		wr_sim_response r;
		wr_sim_handle(s, &dial, &q, &r);
		if (!r.drop) {
			wr_err err = {0};
			json_t *j = wr_json_parse(r.body.data, r.body.len, &err);
			if (j == NULL) fail_msg("%s: %s", err.msg, r.body.data);
			json_decref(j);
		}
		wr_buf_free(&r.body);
		if (round % 16 == 0) wr_sim_step(s, 1000);
		if (round % 512 == 0) inject(s, WR_SIM_F_HEAL, WR_SIM_NONE, 1);
	}
	wr_sim_free(s);
}

static void numbers_are_written_exactly(void **state)
{
	(void)state;
	static const struct {
		int64_t value;
		int decimals;
		const char *text;
	} cases[] = {{0, 3, "{\"n\":0}"},
	             {12500, 3, "{\"n\":12.5}"},
	             {-500, 3, "{\"n\":-0.5}"},
	             {-12345, 3, "{\"n\":-12.345}"},
	             {5, 6, "{\"n\":0.000005}"},
	             {1000000, 6, "{\"n\":1}"},
	             {1000, 3, "{\"n\":1}"},
	             {999, 1, "{\"n\":99.9}"},
	             {INT64_MAX, 3, "{\"n\":9223372036854775.807}"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wr_buf b = WR_BUF_INIT(128);
		wr_jw w;
		wr_jw_begin(&w, &b);
		wr_jw_fixed(&w, "n", cases[i].value, cases[i].decimals);
		wr_jw_end(&w);
		assert_string_equal(wr_buf_cstr(&b), cases[i].text);
		wr_buf_free(&b);
	}
	wr_buf b = WR_BUF_INIT(128);
	wr_jw w;
	wr_jw_begin(&w, &b);
	wr_jw_str(&w, "s", "a\"\\\x1b\n");
	wr_jw_array(&w, "a");
	wr_jw_int(&w, NULL, 1);
	wr_jw_object(&w, NULL);
	wr_jw_object_end(&w);
	wr_jw_array_end(&w);
	wr_jw_bool(&w, "b", false);
	wr_jw_end(&w);
	assert_string_equal(wr_buf_cstr(&b),
	                    "{\"s\":\"a\\\"\\\\\\u001b\\n\",\"a\":[1,{}],\"b\":false}");
	wr_buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_path_answers_json),
	    cmocka_unit_test(metrics_are_well_formed),
	    cmocka_unit_test(wrong_methods_and_paths_are_named),
	    cmocka_unit_test(bodies_are_checked),
	    cmocka_unit_test(traffic_sums_to_100_or_stays),
	    cmocka_unit_test(a_stale_epoch_acts_no_more),
	    cmocka_unit_test(a_repeated_key_gives_the_stored_answer),
	    cmocka_unit_test(keys_are_forgotten_oldest_first),
	    cmocka_unit_test(queries_are_checked),
	    cmocka_unit_test(the_inbox_keeps_the_last_messages_harmless),
	    cmocka_unit_test(brownouts_eat_requests_by_number),
	    cmocka_unit_test(rubbish_does_no_harm),
	    cmocka_unit_test(numbers_are_written_exactly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
