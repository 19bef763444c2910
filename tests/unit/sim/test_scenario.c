/* test_scenario.c: scenario files and the command line: what is read, and how mistakes are told. */
#include "simtest.h"

#include <unistd.h>

#include "sim/options.h"
#include "sim/scenario.h"

static wr_sim_scenario sc; /* large */

static int parse(const char *text, wr_err *err)
{
	memset(err, 0, sizeof *err);
	return wr_sim_scenario_parse("s.yaml", text, strlen(text), &sc, err);
}

static void a_scenario_is_read_and_runs(void **state)
{
	(void)state;
	wr_err err;
	const char *text =
	    "name: regional outage\n"
	    "seed: 42\n"
	    "speed: 2.5\n"
	    "events:\n"
	    "  - {at: 10s, fault: lag, region: us-central1, link: postgres, value: 2}\n"
	    "  - at: 20s\n"
	    "    fault: region_down\n"
	    "    region: us-central1\n"
	    "    duration: 1m\n"
	    "  - {at: 2m, fault: heal}\n"
	    "  - {at: 0, fault: partition, region: observer, peer: europe-west1, duration: 5s}\n";
	if (parse(text, &err) != 0) fail_msg("%s", err.msg);
	assert_true(sc.has_seed && sc.seed == 42);
	assert_true(sc.has_speed && sc.speed_milli == 2500);
	assert_int_equal(sc.event_count, 4);
	assert_int_equal(sc.events[1].line, 6);
	wr_sim *s = make_sim("ggen", sc.seed);
	assert_int_equal(wr_sim_scenario_apply(&sc, s, &err), 0);
	assert_int_equal(wr_sim_region_reach(s, 1), WR_SIM_CLOSED);
	wr_sim_step(s, 5000);
	assert_int_equal(wr_sim_region_reach(s, 1), WR_SIM_OPEN);
	wr_sim_step(s, 14900);
	assert_int_equal(wr_sim_region_reach(s, 0), WR_SIM_OPEN);
	wr_sim_step(s, 100);
	assert_int_equal(wr_sim_region_reach(s, 0), WR_SIM_CLOSED);
	wr_sim_step(s, 60000);
	assert_int_equal(wr_sim_region_reach(s, 0), WR_SIM_OPEN);
	assert_int_equal(s->fault_count, 2);
	wr_sim_step(s, 40000);
	assert_int_equal(s->fault_count, 0);
	wr_sim_free(s);
}

static void mistakes_are_told_with_their_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"", "s.yaml:1: the file is empty"},
	    {"# nothing\n", "s.yaml:1: the file is empty"},
	    {"- 1\n", "s.yaml:1: a mapping"},
	    {"seed: -1\n", "s.yaml:1: a whole number"},
	    {"seed: 1\nseed: 2\n", "s.yaml:2: \"seed\" is given twice"},
	    {"speed: fast\n", "s.yaml:1: a speed is"},
	    {"speed: 1001\n", "s.yaml:1: a speed is"},
	    {"sed: 1\n", "s.yaml:1: unknown key \"sed\""},
	    {"events: {}\n", "s.yaml:1: events must be a list"},
	    {"events:\n - {fault: lag}\n", "s.yaml:2: this event has no \"at\""},
	    {"events:\n - {at: 5s}\n", "s.yaml:2: this event has no \"fault\""},
	    {"events:\n - {at: 5, fault: lag}\n", "s.yaml:2: a duration is needed"},
	    {"events:\n - {at: soon, fault: lag}\n", "s.yaml:2: a duration is needed"},
	    {"events:\n - {at: 5s, fault: meteor}\n", "s.yaml:2: there is no fault \"meteor\""},
	    {"events:\n - {at: 5s, fault: lag, regoin: x}\n", "s.yaml:2: unknown key \"regoin\""},
	    {"events:\n - {at: 5s, fault: [lag]}\n", "s.yaml:2: a plain value"},
	    {"events:\n - {at: 5s, fault: lag, region: \"a b\"}\n", "s.yaml:2: this is not a name"},
	    {"events:\n - {at: 5s, fault: lag, value: 1.5}\n", "s.yaml:2: a whole number"},
	    {"events:\n - 5s\n", "s.yaml:2: a mapping"},
	    {"events: [\n", "s.yaml:2: not YAML"},
	    {"a: b: c\n", "s.yaml:1: not YAML"},
	    {"? [a]\n: b\n", "s.yaml:1: a plain value"},
	    {"\"\\e[2J\": 1\n", "s.yaml:1: this value has characters"},
	    {"\x01", "not YAML"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wr_err err;
		if (parse(cases[i].text, &err) == 0) fail_msg("accepted: %s", cases[i].text);
		if (strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s\nsays: %s\nnot: %s", cases[i].text, err.msg, cases[i].says);
	}
}

static void names_are_checked_against_the_platform(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
	    {"events:\n - {at: 5s, fault: region_down, region: mars}\n",
	     "s.yaml:2: the platform has no region"},
	    {"events:\n - {at: 5s, fault: partition, region: us-central1, peer: mars}\n", "\"mars\""},
	    {"events:\n - {at: 5s, fault: lag, region: us-central1, link: x, value: 1}\n",
	     "no link \"x\""},
	    {"events:\n - {at: 5s, fault: lag, region: us-central1}\n", "s.yaml:2: lag needs a value"},
	    {"events:\n - {at: 5s, fault: brownout, region: us-central1, value: 500}\n", "1 to 100"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wr_err err;
		wr_sim *s = make_sim("ggen", 1);
		assert_int_equal(parse(cases[i].text, &err), 0);
		assert_int_equal(wr_sim_scenario_apply(&sc, s, &err), -1);
		if (strstr(err.msg, cases[i].says) == NULL) fail_msg("%s", err.msg);
		wr_sim_free(s);
	}
}

static void size_and_depth_are_bounded(void **state)
{
	(void)state;
	wr_err err;
	wr_buf b = WR_BUF_INIT(1u << 20);
	wr_buf_adds(&b, "events:\n");
	for (int i = 0; i <= WR_SIM_FAULTS_MAX; i++) wr_buf_adds(&b, " - {at: 1s, fault: heal}\n");
	assert_int_equal(parse(wr_buf_cstr(&b), &err), -1);
	assert_non_null(strstr(err.msg, "more than 128 events"));
	wr_buf_reset(&b);
	for (int i = 0; i < 5000; i++) wr_buf_addc(&b, '[');
	assert_int_equal(parse(wr_buf_cstr(&b), &err), -1);
	wr_buf_free(&b);
	/* Aliases cannot blow up: only one level is read. */
	assert_int_equal(parse("a: &a [1]\nevents: *a\n", &err), -1);
	assert_int_equal(wr_sim_scenario_load("/nonexistent/s.yaml", &sc, &err), -1);
	assert_non_null(strstr(err.msg, "/nonexistent/s.yaml"));
	assert_int_equal(wr_sim_scenario_load("/dev/zero", &sc, &err), -1);
}

static void random_bytes_are_refused_or_read(void **state)
{
	(void)state;
	static const char seed[] = "seed: 1\nevents:\n - {at: 5s, fault: lag, region: a, value: 3}\n";
	wr_sim_prng p = {.state = 5};
	for (int round = 0; round < 5000; round++) {
		char text[sizeof seed];
		wr_err err = {0};
		memcpy(text, seed, sizeof seed);
		for (int64_t n = 1 + wr_sim_below(&p, 5); n > 0; n--)
			text[wr_sim_below(&p, sizeof seed - 1)] = (char)wr_sim_below(&p, 256);
		if (wr_sim_scenario_parse("r", text, sizeof seed - 1, &sc, &err) != 0)
			assert_true(strncmp(err.msg, "r:", 2) == 0);
	}
}

static void the_ready_outage_loses_two_seconds(void **state)
{
	(void)state;
	wr_err err = {0};
	wr_sim *s = make_sim("ggen", 1);
	wr_sim_scenario_outage(&sc, "us-central1", 20000);
	assert_int_equal(wr_sim_scenario_apply(&sc, s, &err), 0);
	wr_sim_step(s, 25000);
	assert_int_equal(wr_sim_region_reach(s, 0), WR_SIM_CLOSED);
	double lag = number_at(s, 1, "/replication?link=postgres", "/links/0/lag_seconds");
	assert_true(lag >= 2 && lag < 2.6);
	wr_sim_free(s);
	s = make_sim("ggen", 1);
	wr_sim_scenario_outage(&sc, "us-central1", 0);
	assert_int_equal(wr_sim_scenario_apply(&sc, s, &err), 0);
	assert_int_equal(wr_sim_region_reach(s, 0), WR_SIM_CLOSED);
	wr_sim_free(s);
}

static int options(wr_sim_options *o, wr_err *err, int argc, const char *const *args)
{
	char copy[16][128], *argv[17];
	for (int i = 0; i < argc; i++) {
		snprintf(copy[i], sizeof copy[i], "%s", args[i]);
		argv[i] = copy[i];
	}
	argv[argc] = NULL;
	memset(err, 0, sizeof *err);
	return wr_sim_options_parse(argc, argv, o, err);
}

static void options_are_read(void **state)
{
	(void)state;
	wr_sim_options o;
	wr_err err;
	static const char *const args[] = {"warroom-sim",  "--listen-base=9000",
	                                   "--seed",       "7",
	                                   "--speed",      "0.25",
	                                   "--outage-at",  "1m30s",
	                                   "--parent-pid", "123",
	                                   "--start-time", "2026-01-25T12:40:00Z"};
	if (options(&o, &err, 12, args) != 0) fail_msg("%s", err.msg);
	assert_int_equal(o.listen_base, 9000);
	assert_true(o.has_seed && o.seed == 7);
	assert_int_equal(o.speed_milli, 250);
	assert_int_equal(o.outage_at_ms, 90000);
	assert_int_equal(o.parent_pid, 123);
	assert_true(o.has_start);
	if (options(&o, &err, 1, args) != 0) fail_msg("%s", err.msg);
	assert_int_equal(o.speed_milli, 1000);
	assert_int_equal(o.outage_at_ms, -1);
}

static void wrong_options_say_what_and_what_to_do(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b, *says;
	} cases[] = {{"--listen-base", "0", "from 1 to"},
	             {"--listen-base", "65535", "from 1 to"},
	             {"--listen-base", "80x", "whole number"},
	             {"--seed", "-1", "whole number"},
	             {"--seed", "9007199254740992", "whole number"},
	             {"--speed", "1001", "0 to 1000"},
	             {"--speed", "1.2345", "0 to 1000"},
	             {"--speed", ".5", "0 to 1000"},
	             {"--speed", "1.", "0 to 1000"},
	             {"--speed", "nan", "0 to 1000"},
	             {"--outage-at", "20", "--outage-at"},
	             {"--start-time", "yesterday", "--start-time"},
	             {"--parent-pid", "0", "whole number"},
	             {"--wat", "1", "see --help"},
	             {"-x", "1", "see --help"},
	             {"--seed", NULL, "needs a value"},
	             {"extra", NULL, "\"extra\" is no option"},
	             {"\x1b[2J", NULL, "is no option"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wr_sim_options o;
		wr_err err;
		const char *args[] = {"warroom-sim", cases[i].a, cases[i].b};
		if (options(&o, &err, cases[i].b != NULL ? 3 : 2, args) == 0)
			fail_msg("accepted: %s %s", cases[i].a, cases[i].b != NULL ? cases[i].b : "");
		if (strstr(err.msg, cases[i].says) == NULL) fail_msg("%s: %s", cases[i].a, err.msg);
		assert_null(strchr(err.msg, '\x1b'));
	}
	wr_sim_options o;
	wr_err err;
	const char *both[] = {"warroom-sim", "--scenario", "x", "--outage-at", "5s"};
	assert_int_equal(options(&o, &err, 5, both), -1);
	assert_non_null(strstr(err.msg, "exclude"));
}

static void platforms_regions_and_links_are_checked(void **state)
{
	(void)state;
	static const char *const platforms[] = {"ggen", "mesh", "genai", "companyos"};
	static const char *const bad[] = {"a",     "",           "a,",        "a,a",  "a,b,c,d,e,f",
	                                  "a,b c", "a,observer", "control,a", "a,-b", "a,\x1b"};
	wr_sim_config cfg;
	wr_err err;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(wr_sim_config_init(&cfg, platforms[i], &err), 0);
		assert_true(cfg.region_count >= 2 && cfg.link_count >= 2);
		wr_sim *s = wr_sim_new(&cfg, &err);
		assert_non_null(s);
		wr_sim_step(s, 30000);
		assert_true(errors_during(s, 10000) < 20);
		wr_sim_free(s);
	}
	assert_int_equal(wr_sim_config_init(&cfg, "gge", &err), -1);
	assert_non_null(strstr(err.msg, "ggen, mesh"));
	assert_int_equal(wr_sim_config_init(&cfg, "ggen", &err), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(wr_sim_config_regions(&cfg, bad[i], &err), -1);
	assert_int_equal(wr_sim_config_regions(&cfg, "a,b,c,d,e", &err), 0);
	assert_int_equal(cfg.region_count, 5);
	assert_int_equal(wr_sim_config_links(&cfg, "all", &err), -1);
	assert_int_equal(wr_sim_config_links(&cfg, "l1,l2,l3,l4,l5,l6", &err), 0);
	/* The longest names there are: every answer still fits. */
	char regions[400], links[500];
	snprintf(regions, sizeof regions, "%063d,%062d1,%062d2,%062d3,%062d4", 0, 0, 0, 0, 0);
	snprintf(links, sizeof links, "%063d,%062d1,%062d2,%062d3,%062d4,%062d5", 0, 0, 0, 0, 0, 0);
	assert_int_equal(wr_sim_config_regions(&cfg, regions, &err), 0);
	assert_int_equal(wr_sim_config_links(&cfg, links, &err), 0);
	wr_sim *s = wr_sim_new(&cfg, &err);
	assert_non_null(s);
	assert_int_equal(order(s, 0, "/demote", ""), 200);
	assert_int_equal(order(s, 1, "/promote", ""), 200);
	wr_sim_step(s, 5000);
	char body[128];
	snprintf(body, sizeof body, "{\"from\":\"%062d1\"}", 0);
	assert_int_equal(order(s, 0, "/resync", body), 200);
	assert_int_equal(order(s, 2, "/promote", ""), 409);
	assert_int_equal(order(s, WR_SIM_CONTROL, "/v1/fence", "{\"region\":\"nowhere\"}"), 422);
	wr_sim_free(s);
	assert_string_equal(wr_sim_residency("europe-west1"), "eu");
	assert_string_equal(wr_sim_residency("us-central1"), "us");
	assert_string_equal(wr_sim_residency("ap-sg"), "apac");
	assert_string_equal(wr_sim_residency("moonbase"), "global");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_scenario_is_read_and_runs),
	    cmocka_unit_test(mistakes_are_told_with_their_line),
	    cmocka_unit_test(names_are_checked_against_the_platform),
	    cmocka_unit_test(size_and_depth_are_bounded),
	    cmocka_unit_test(random_bytes_are_refused_or_read),
	    cmocka_unit_test(the_ready_outage_loses_two_seconds),
	    cmocka_unit_test(options_are_read),
	    cmocka_unit_test(wrong_options_say_what_and_what_to_do),
	    cmocka_unit_test(platforms_regions_and_links_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
