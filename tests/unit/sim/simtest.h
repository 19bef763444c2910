/* simtest.h: what the tests of the simulator share: cmocka, a platform to play with, short ways to
 * inject, command and look. */
#ifndef WARROOM_TESTS_SIM_SIMTEST_H
#define WARROOM_TESTS_SIM_SIMTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/request.h"
#include "sim/state.h"
#include "warroom/json.h"

static inline wr_sim *make_sim(const char *platform, uint64_t seed)
{
	wr_sim_config cfg;
	wr_err err = {0};
	if (wr_sim_config_init(&cfg, platform, &err) != 0) fail_msg("%s", err.msg);
	cfg.seed = seed;
	wr_sim *s = wr_sim_new(&cfg, &err);
	if (s == NULL) fail_msg("%s", err.msg);
	return s;
}

static inline wr_sim_fault_spec fault_of(wr_sim_fault_kind kind, int region, int64_t value)
{
	return (wr_sim_fault_spec){
	    .kind = kind, .region = region, .peer = WR_SIM_NONE, .link = WR_SIM_NONE, .value = value};
}

static inline void inject(wr_sim *s, wr_sim_fault_kind kind, int region, int64_t value)
{
	wr_sim_fault_spec f = fault_of(kind, region, value);
	wr_err err = {0};
	if (wr_sim_fault(s, &f, NULL, &err) != 0) fail_msg("%s", err.msg);
}

/* ask sends one request to the model as HTTP would; the answer is parsed. */
static inline json_t *ask(wr_sim *s, int server, const char *method, const char *path,
                          const char *body, int *status)
{
	wr_sim_dial dial = {.speed_milli = 1000};
	char bare[256];
	snprintf(bare, sizeof bare, "%s", path);
	wr_sim_request q = {.server = server,
	                    .method = method,
	                    .path = bare,
	                    .body = body,
	                    .body_len = body != NULL ? strlen(body) : 0};
	char *mark = strchr(bare, '?');
	while (mark != NULL) { /* "?a=1&b=2" */
		*mark++ = '\0';
		char *value = strchr(mark, '='), *next = strchr(mark, '&');
		if (value != NULL) *value++ = '\0';
		q.args[q.arg_count++] = (wr_sim_arg){.key = mark, .value = value};
		mark = next;
	}
	wr_sim_response r;
	wr_sim_handle(s, &dial, &q, &r);
	*status = r.drop ? 0 : r.status;
	wr_err err = {0};
	json_t *json = NULL;
	if (!r.drop && !r.text) {
		json = wr_json_parse(r.body.data, r.body.len, &err);
		if (json == NULL) fail_msg("%s %s: %s: %s", method, path, err.msg, r.body.data);
	}
	wr_buf_free(&r.body);
	return json;
}

static inline json_t *look(wr_sim *s, int server, const char *path)
{
	int status;
	json_t *j = ask(s, server, "GET", path, NULL, &status);
	if (j == NULL) fail_msg("GET %s: status %d", path, status);
	return j;
}

/* order sends a POST and returns its status. */
static inline int order(wr_sim *s, int server, const char *path, const char *body)
{
	int status;
	json_decref(ask(s, server, "POST", path, body, &status));
	return status;
}

/* number at a JSON pointer of a GET; fails when it is not there. */
static inline double number_at(wr_sim *s, int server, const char *path, const char *pointer)
{
	json_t *j = look(s, server, path);
	const json_t *v = wr_json_get(j, pointer);
	if (!json_is_number(v)) fail_msg("GET %s has no number at %s", path, pointer);
	double out = json_number_value(v);
	json_decref(j);
	return out;
}

static inline void text_at(wr_sim *s, int server, const char *path, const char *pointer,
                           char out[static 128])
{
	json_t *j = look(s, server, path);
	const char *text = json_string_value(wr_json_get(j, pointer));
	if (text == NULL) fail_msg("GET %s has no text at %s", path, pointer);
	snprintf(out, 128, "%s", text != NULL ? text : "");
	json_decref(j);
}

static inline bool truth_at(wr_sim *s, int server, const char *path, const char *pointer)
{
	json_t *j = look(s, server, path);
	const json_t *v = wr_json_get(j, pointer);
	if (!json_is_boolean(v)) fail_msg("GET %s has no truth at %s", path, pointer);
	bool out = json_is_true(v);
	json_decref(j);
	return out;
}

/* errors_during runs `ms` and counts the clients' failed requests in it. */
static inline int64_t errors_during(wr_sim *s, int64_t ms)
{
	int64_t before = 0, after = 0;
	for (int i = 0; i < s->cfg.region_count; i++)
		for (int k = 0; k < WR_SIM_R_COUNT; k++) before += s->regions[i].edge_errors[k];
	wr_sim_step(s, ms);
	for (int i = 0; i < s->cfg.region_count; i++)
		for (int k = 0; k < WR_SIM_R_COUNT; k++) after += s->regions[i].edge_errors[k];
	return after - before;
}

#endif
