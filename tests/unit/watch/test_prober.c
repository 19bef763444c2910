/* test_prober.c: the prober as a whole. Every test waits for what must come, never for a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostile.h"
#include "warroom/watch.h"

#define TARGETS    200
#define PATIENCE_S 120 /* only ever used up by a failure */

/* What the sink saw, by kind of target and index. */
typedef struct seen {
	pthread_mutex_t lock;
	pthread_cond_t more;
	int count[WR_T_WEIGHTS][TARGETS];
	wr_sample last[WR_T_WEIGHTS][TARGETS];
} seen;

static hostile *server;
static seen *log_;
static char urls[TARGETS][128];
static wr_signal signals[TARGETS];

static void sink(void *ctx, const wr_sample *s)
{
	seen *l = ctx;
	(void)pthread_mutex_lock(&l->lock);
	l->count[s->target][s->index]++;
	l->last[s->target][s->index] = *s;
	(void)pthread_cond_signal(&l->more);
	(void)pthread_mutex_unlock(&l->lock);
}

static bool all_seen(const seen *l, wr_target target, size_t from, size_t to, int times)
{
	for (size_t i = from; i < to; i++)
		if (l->count[target][i] < times) return false;
	return true;
}

static void await(wr_target target, size_t from, size_t to, int times)
{
	struct timespec end;
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE_S;
	(void)pthread_mutex_lock(&log_->lock);
	int rc = 0;
	while (rc == 0 && !all_seen(log_, target, from, to, times))
		rc = pthread_cond_timedwait(&log_->more, &log_->lock, &end);
	(void)pthread_mutex_unlock(&log_->lock);
	assert_int_equal(rc, 0);
}

static int set_up(void **state)
{
	(void)state;
	server = hostile_start();
	log_ = calloc(1, sizeof *log_);
	memset(signals, 0, sizeof signals);
	return log_ && !pthread_mutex_init(&log_->lock, NULL) && !pthread_cond_init(&log_->more, NULL)
	           ? 0
	           : -1;
}

static int tear_down(void **state)
{
	(void)state;
	hostile_stop(server);
	free(log_);
	return 0;
}

static wr_probe http(size_t i, const char *path, const char *pointer)
{
	(void)snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%d%s", server->port, path);
	return (wr_probe){.kind = WR_PROBE_HTTP, .url = urls[i], .pointer = pointer};
}

static void add_signal(size_t i, wr_probe probe, int64_t interval_ms, int64_t timeout_ms)
{
	static char names[TARGETS][16];
	(void)snprintf(names[i], sizeof names[i], "s-%zu", i);
	signals[i] = (wr_signal){.name = names[i],
	                         .region = "us",
	                         .probe = probe,
	                         .interval_ms = interval_ms,
	                         .timeout_ms = timeout_ms};
}

static wr_prober *start(const wr_config *cfg)
{
	wr_err err = {0};
	wr_prober *p = wr_prober_start(cfg, &wr_clock_system, sink, log_, &err);
	if (!p) fail_msg("%s", err.msg);
	return p;
}

static void many_targets(void **state)
{
	(void)state;
	for (size_t i = 0; i < TARGETS; i++) add_signal(i, http(i, "/ok", "/v"), 200, 60000);
	const wr_config cfg = {.signals = signals, .signal_count = TARGETS};
	wr_prober *p = start(&cfg);
	await(WR_T_SIGNAL, 0, TARGETS, 5);
	wr_prober_stats stats;
	wr_prober_get_stats(p, &stats);
	wr_prober_stop(p);
	for (size_t i = 0; i < TARGETS; i++) {
		const wr_sample *s = &log_->last[WR_T_SIGNAL][i];
		assert_false(s->vars.error);
		assert_true(s->vars.value.num == 42);
		assert_true(s->at_us > INT64_C(1600000000000000));
	}
	assert_true(stats.done >= 5 * TARGETS);
	assert_int_equal(stats.failed, 0);
	/* connections are reused: never more than one for each target, for five times the requests */
	assert_in_range(atomic_load(&server->accepted), 1, TARGETS);
}

static void probes_of_a_target_never_overlap(void **state)
{
	(void)state;
	for (size_t i = 0; i < 32; i++) {
		char path[32];
		(void)snprintf(path, sizeof path, "/slow/%zu", i);
		add_signal(i, http(i, path, "/v"), 20, 60000); /* each answer takes 200 ms */
	}
	const wr_config cfg = {.signals = signals, .signal_count = 32};
	wr_prober *p = start(&cfg);
	await(WR_T_SIGNAL, 0, 32, 4);
	wr_prober_stop(p);
	assert_int_equal(atomic_load(&server->overlaps), 0);
}

static void one_bad_target_harms_no_other(void **state)
{
	(void)state;
	static const char *const paths[] = {"/hang",    "/drip",  "/endless", "/big",   "/reset",
	                                    "/headers", "/empty", "/garbage", "/short", "/badjson"};
	enum { BAD = sizeof paths / sizeof *paths, ALL = 40 };
	for (size_t i = 0; i < ALL; i++)
		add_signal(i, http(i, i < BAD ? paths[i] : "/ok", "/v"), 50, i < 2 ? 100 : 60000);
	const wr_config cfg = {.signals = signals, .signal_count = ALL};
	wr_prober *p = start(&cfg);
	await(WR_T_SIGNAL, 0, BAD, 3);
	await(WR_T_SIGNAL, BAD, ALL, 10);
	wr_prober_stats stats;
	wr_prober_get_stats(p, &stats);
	wr_prober_stop(p);
	assert_true(stats.failed >= 3 * BAD);
	for (size_t i = 0; i < ALL; i++)
		assert_int_equal(log_->last[WR_T_SIGNAL][i].vars.error, i < BAD);
}

static void every_kind_of_target(void **state)
{
	(void)state;
	const char *argv[] = {"/bin/sh", "-c", "echo '{\"v\":\"streaming\"}'", NULL};
	wr_link links[] = {
	    {.name = "x",
	     .has_bytes = true,
	     .bytes = http(0, "/ok", "/v"),
	     .interval_ms = 50,
	     .timeout_ms = 60000},
	    {.name = "pg",
	     .has_seconds = true,
	     .seconds = http(1, "/metrics", ""),
	     .has_receipts = true,
	     .receipts = http(2, "/names", "/v"),
	     .has_state = true,
	     .state = {.kind = WR_PROBE_EXEC, .argv = argv, .pointer = "/v"},
	     .interval_ms = 50,
	     .timeout_ms = 60000},
	};
	links[1].seconds.kind = WR_PROBE_SCRAPE;
	links[1].seconds.metric = "a";
	const wr_fact fact = {.name = "f",
	                      .region = "eu",
	                      .probe = http(3, "/ok", "/b"),
	                      .interval_ms = 50,
	                      .timeout_ms = 60000};
	const wr_quota quota = {.name = "q",
	                        .percent = http(4, "/ok", "/v"),
	                        .has_after = true,
	                        .after_shift = http(5, "/ok", "/t"),
	                        .interval_ms = 50,
	                        .timeout_ms = 60000};
	const wr_config cfg = {.links = links,
	                       .link_count = 2,
	                       .facts = &fact,
	                       .fact_count = 1,
	                       .quotas = &quota,
	                       .quota_count = 1};
	wr_prober *p = start(&cfg);
	await(WR_T_LINK_BYTES, 0, 1, 2);
	await(WR_T_LINK_SECONDS, 1, 2, 2);
	await(WR_T_LINK_RECEIPTS, 1, 2, 2);
	await(WR_T_LINK_STATE, 1, 2, 2);
	await(WR_T_FACT, 0, 1, 2);
	await(WR_T_QUOTA_PERCENT, 0, 1, 2);
	await(WR_T_QUOTA_AFTER, 0, 1, 2);
	wr_prober_stop(p);
	assert_true(log_->last[WR_T_LINK_SECONDS][1].vars.value.num == 3.5);
	assert_string_equal(log_->last[WR_T_LINK_RECEIPTS][1].names, "r-1,r-2");
	assert_string_equal(log_->last[WR_T_LINK_STATE][1].vars.value.str, "streaming");
	assert_true(log_->last[WR_T_FACT][0].vars.value.truth);
	assert_string_equal(log_->last[WR_T_QUOTA_AFTER][0].vars.value.str, "fine");
	assert_int_equal(log_->count[WR_T_LINK_SECONDS][0], 0);
}

static void hanging_programs_stall_nothing(void **state)
{
	(void)state;
	const char *argv[] = {"sleep", "100000", NULL};
	const wr_probe sleeper = {.kind = WR_PROBE_EXEC, .argv = argv, .argc = 2, .pointer = ""};
	for (size_t i = 0; i < 8; i++) add_signal(i, sleeper, 50, 100000000);
	for (size_t i = 8; i < 16; i++) add_signal(i, http(i, "/ok", "/v"), 50, 60000);
	const wr_config cfg = {.signals = signals, .signal_count = 16};
	wr_prober *p = start(&cfg);
	await(WR_T_SIGNAL, 8, 16, 10);
	wr_prober_stop(p); /* ends them; were it to wait for them, the test would never end */
	for (size_t i = 0; i < 8; i++) assert_int_equal(log_->count[WR_T_SIGNAL][i], 0);
}

static void stops_while_all_hang(void **state)
{
	(void)state;
	for (size_t i = 0; i < 64; i++) add_signal(i, http(i, "/hang", "/v"), 50, 100000000);
	const wr_config cfg = {.signals = signals, .signal_count = 64};
	wr_prober *p = start(&cfg);
	for (int i = 0; atomic_load(&server->requests) < 64; i++) {
		assert_true(i < PATIENCE_S * 100);
		(void)poll(NULL, 0, 10);
	}
	wr_prober_stop(p);
	wr_prober_stop(NULL);
	for (size_t i = 0; i < 64; i++) assert_int_equal(log_->count[WR_T_SIGNAL][i], 0);
}

static void nothing_to_probe(void **state)
{
	(void)state;
	const wr_config cfg = {0};
	wr_prober *p = start(&cfg);
	wr_prober_stats stats;
	wr_prober_get_stats(p, &stats);
	assert_int_equal(stats.done, 0);
	wr_prober_stop(p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    T(many_targets),
	    T(probes_of_a_target_never_overlap),
	    T(one_bad_target_harms_no_other),
	    T(every_kind_of_target),
	    T(hanging_programs_stall_nothing),
	    T(stops_while_all_hang),
	    T(nothing_to_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
