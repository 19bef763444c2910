/* The pool: each job reported exactly once, from a runner's thread; cancelling; stopping while
 * busy. */
#include "act_server.h"

#define JOBS 300

static server *s;

static int start(void **state)
{
	(void)state;
	s = server_start();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_stop(s);
	return 0;
}

typedef struct seen {
	pthread_mutex_t mutex; /* guards all but the atomics */
	pthread_t main;
	size_t times[JOBS];
	wr_step_report last[JOBS];
	wr_command_kind kinds[JOBS];
	char output[4096];
	atomic_int reports;
	atomic_bool stopped;
} seen;

static void on_report(void *ctx, const wr_step_report *r, wr_command_kind kind)
{
	seen *k = ctx;
	assert_false(atomic_load(&k->stopped));
	assert_false(pthread_equal(k->main, pthread_self()));
	assert_true(r->index < JOBS);
	pthread_mutex_lock(&k->mutex);
	k->times[r->index]++;
	k->last[r->index] = *r;
	k->kinds[r->index] = kind;
	pthread_mutex_unlock(&k->mutex);
	atomic_fetch_add(&k->reports, 1);
}

static void on_output(void *ctx, const char *operation_id, size_t index, const char *text)
{
	seen *k = ctx;
	char line[1200];
	snprintf(line, sizeof line, "%s/%zu: %s", operation_id, index, text);
	pthread_mutex_lock(&k->mutex);
	size_t n = strlen(k->output);
	snprintf(k->output + n, sizeof k->output - n, "%s", line);
	pthread_mutex_unlock(&k->mutex);
}

static wr_runner *runner_of(seen *k, size_t threads)
{
	memset(k, 0, sizeof *k);
	pthread_mutex_init(&k->mutex, NULL);
	k->main = pthread_self();
	wr_err err = {0};
	wr_runner *r = wr_runner_start(threads, &wr_clock_system, on_report, on_output, k, &err);
	assert_non_null(r);
	return r;
}

static void stop_runner(wr_runner *r, seen *k)
{
	wr_runner_stop(r);
	atomic_store(&k->stopped, true);
	pthread_mutex_destroy(&k->mutex);
}

static void submit(wr_runner *r, const char *step, size_t index, wr_command_kind kind)
{
	wr_err err = {0};
	wr_job *job = make_job(step, s->port);
	job->index = index;
	job->kind = kind;
	if (wr_runner_submit(r, job, &err) != 0) fail_msg("%s", err.msg);
}

#define OK   "{'kind':'http','timeout_ms':60000,'http':{'url':'http://@/ok'}}"
#define HANG "{'kind':'http','timeout_ms':600000,'http':{'url':'http://@/hang'}}"

static void each_job_is_reported_once(void **state)
{
	(void)state;
	static seen k;
	wr_runner *r = runner_of(&k, 4);
	static const char *const steps[] = {
	    OK,
	    "{'kind':'http','timeout_ms':60000,'http':{'url':'http://@/status/500'}}",
	    "{'kind':'exec','timeout_ms':60000,'exec':{'argv':['/bin/true']}}",
	    "{'kind':'http','timeout_ms':60000,'http':{'url':'http://@/close'}}",
	};
	static const wr_outcome wanted[] = {WR_OUT_DONE, WR_OUT_FAILED, WR_OUT_DONE, WR_OUT_UNKNOWN};
	for (size_t i = 0; i < 100; i++) submit(r, steps[i % 4], i, WR_CMD_START);
	wait_until(&k.reports, 100);
	stop_runner(r, &k);
	assert_int_equal(atomic_load(&k.reports), 100);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(k.times[i], 1);
		assert_outcome(&k.last[i], wanted[i % 4]);
		assert_int_equal(k.kinds[i], WR_CMD_START);
		assert_string_equal(k.last[i].operation_id, "op-0042");
	}
}

static void probes_and_output(void **state)
{
	(void)state;
	static seen k;
	wr_runner *r = runner_of(&k, 1);
	submit(r, "{'kind':'http','probe':{'http':{'url':'http://@/ok'}}}", 5, WR_CMD_PROBE);
	submit(r, OK, 6, WR_CMD_START);
	wait_until(&k.reports, 2);
	stop_runner(r, &k);
	assert_int_equal(k.kinds[5], WR_CMD_PROBE);
	assert_outcome(&k.last[5], WR_OUT_DONE);
	assert_contains(k.output, "op-0042/6: fine\n");
}

static void cancelled_while_it_waits_and_while_it_runs(void **state)
{
	(void)state;
	static seen k;
	int hanging = atomic_load(&s->hanging);
	wr_runner *r = runner_of(&k, 1);
	submit(r, HANG, 0, WR_CMD_START);
	wait_until(&s->hanging, hanging + 1);
	int before = atomic_load(&s->requests);
	submit(r, OK, 1, WR_CMD_START);
	submit(r, OK, 2, WR_CMD_START);
	wr_runner_cancel(r, "op-0042", 1);
	wr_runner_cancel(r, "op-0041", 2); /* another operation's */
	wr_runner_cancel(r, "op-0042", 9); /* no such job */
	assert_int_equal(atomic_load(&k.reports), 0);
	wr_runner_cancel(r, "op-0042", 0);
	wait_until(&k.reports, 3);
	stop_runner(r, &k);
	assert_outcome(&k.last[0], WR_OUT_UNKNOWN);
	assert_outcome(&k.last[1], WR_OUT_FAILED);
	assert_outcome(&k.last[2], WR_OUT_DONE);
	assert_int_equal(atomic_load(&s->requests), before + 1);
	for (size_t i = 0; i < 3; i++) assert_int_equal(k.times[i], 1);
}

static void stopping_while_busy_reports_nothing_more(void **state)
{
	(void)state;
	static seen k;
	int hanging = atomic_load(&s->hanging);
	wr_runner *r = runner_of(&k, 3);
	for (size_t i = 0; i < 10; i++) submit(r, HANG, i, WR_CMD_START);
	wait_until(&s->hanging, hanging + 3);
	stop_runner(r, &k);
	assert_int_equal(atomic_load(&k.reports), 0);
}

static void stopping_at_any_moment(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		static seen k;
		wr_runner *r = runner_of(&k, 4);
		for (size_t i = 0; i < 20; i++) submit(r, OK, i, WR_CMD_START);
		wait_until(&k.reports, round);
		wr_runner_cancel(r, "op-0042", (size_t)round);
		stop_runner(r, &k);
		for (size_t i = 0; i < 20; i++) assert_true(k.times[i] <= 1);
	}
	wr_runner_stop(NULL);
}

static void the_list_is_bounded(void **state)
{
	(void)state;
	static seen k;
	int hanging = atomic_load(&s->hanging);
	wr_runner *r = runner_of(&k, 1);
	submit(r, HANG, 0, WR_CMD_START);
	wait_until(&s->hanging, hanging + 1);
	for (size_t i = 1; i <= 256; i++) submit(r, OK, i, WR_CMD_START);
	wr_err err = {0};
	wr_job *job = make_job(OK, s->port);
	assert_int_equal(wr_runner_submit(r, job, &err), -1); /* stays ours */
	assert_int_equal(err.code, WR_E_LIMIT);
	job->kind = WR_CMD_CANCEL;
	assert_int_equal(wr_runner_submit(r, job, &err), -1);
	assert_int_equal(err.code, WR_E_INVALID);
	free_job(job);
	stop_runner(r, &k);
	assert_int_equal(atomic_load(&k.reports), 0);
}

/* Many threads hand in and cancel at once. */
typedef struct crowd {
	wr_runner *r;
	size_t first;
} crowd;

static void *hand_in(void *ctx)
{
	crowd *c = ctx;
	for (size_t i = c->first; i < c->first + 50; i++) {
		submit(c->r, "{'kind':'wait','timeout_ms':60000,'wait':{'exec':{'argv':['/bin/true']}}}", i,
		       WR_CMD_START);
		if (i % 3 == 0) wr_runner_cancel(c->r, "op-0042", i);
	}
	return NULL;
}

static void a_crowd(void **state)
{
	(void)state;
	static seen k;
	wr_runner *r = runner_of(&k, 4);
	pthread_t threads[4];
	crowd crowds[4];
	for (size_t i = 0; i < 4; i++) {
		crowds[i] = (crowd){r, i * 50};
		assert_int_equal(pthread_create(&threads[i], NULL, hand_in, &crowds[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
	wait_until(&k.reports, 200);
	stop_runner(r, &k);
	assert_int_equal(atomic_load(&k.reports), 200);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(k.times[i], 1);
		if (i % 3) assert_outcome(&k.last[i], WR_OUT_DONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_job_is_reported_once),
	    cmocka_unit_test(probes_and_output),
	    cmocka_unit_test(cancelled_while_it_waits_and_while_it_runs),
	    cmocka_unit_test(stopping_while_busy_reports_nothing_more),
	    cmocka_unit_test(stopping_at_any_moment),
	    cmocka_unit_test(the_list_is_bounded),
	    cmocka_unit_test(a_crowd),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
