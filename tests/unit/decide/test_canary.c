/* test_canary.c: the canary's statistics: the stakes are exact (by going through all cases), and
 * what they promise holds in simulation: false alarms under the stated level though every look
 * counts, and power against a doubled error rate. Seeded; WR_CANARY_RUNS sets how many null runs.
 */
#include <math.h>

#include "decide/canary_stats.h"
#include "lab.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RUNS 5000
#else
#define RUNS 100000
#endif

static const wr_canary_policy usual = {
    .alpha = 0.05, .beta = 0.05, .tolerance = 1, .margin = 2, .min_samples = 100};

static uint64_t rng;

static double uniform(void)
{
	rng += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = rng;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static size_t runs(size_t of)
{
	const char *text = getenv("WR_CANARY_RUNS");
	size_t all = text && *text ? strtoul(text, NULL, 10) : RUNS;
	return of < all ? of : all;
}

/* ---- binomial numbers, by their distribution function ---- */

typedef struct binomial {
	int64_t n;
	double cdf[2001];
} binomial;

static void binomial_set(binomial *b, int64_t n, double p)
{
	double pmf = pow(1 - p, (double)n), sum = 0;
	assert_true(n <= 2000);
	b->n = n;
	for (int64_t k = 0; k <= n; k++) {
		sum += pmf;
		b->cdf[k] = sum;
		pmf *= (double)(n - k) / (double)(k + 1) * p / (1 - p);
	}
	b->cdf[n] = 1;
}

static wr_canary_counts draw(const binomial *b)
{
	double u = uniform();
	int64_t k = 0;
	while (b->cdf[k] < u) k++;
	return (wr_canary_counts){b->n, k};
}

/* ---- exact ---- */

static double choose(int64_t n, int64_t k)
{
	double c = 1;
	for (int64_t i = 1; i <= k; i++) c = c * (double)(n - k + i) / (double)i;
	return c;
}

/* The mean stake over a table's ways when the odds ratio is `truth`. */
static double mean_error_stake(const wr_canary_policy *p, int64_t t, int64_t r, int64_t errors,
                               double truth, size_t grid, bool fail)
{
	double sum = 0, weights = 0;
	for (int64_t x = errors > r ? errors - r : 0; x <= errors && x <= t; x++) {
		wr_canary_errors c = {0};
		double weight = choose(t, x) * choose(r, errors - x) * pow(truth, (double)x);
		assert_true(wr_canary_errors_add(&c, p, (wr_canary_counts){t, x},
		                                 (wr_canary_counts){r, errors - x}));
		sum += weight * exp(fail ? c.log_fail[grid] : c.log_pass[grid]);
		weights += weight;
	}
	return sum / weights;
}

static void stakes_on_errors_are_fair(void **state)
{
	(void)state;
	static const int64_t tables[][3] = {{4, 6, 3},    {1, 1, 1},   {5, 5, 10},  {7, 2, 5},
	                                    {40, 60, 30}, {2, 90, 20}, {100, 3, 50}};
	wr_canary_policy p = usual;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
		for (int k = 0; k < 2; k++) {
			const int64_t *t = tables[i];
			p.tolerance = k ? 1.2 : 1;
			for (size_t g = 0; g < WR_CANARY_FAILS; g++) {
				double fair = mean_error_stake(&p, t[0], t[1], t[2], p.tolerance, g, true);
				assert_true(fabs(fair - 1) < 1e-9);
				/* Of a better target the stake can only shrink: the null is "no worse". */
				assert_true(mean_error_stake(&p, t[0], t[1], t[2], 0.5, g, true) < 1 + 1e-9);
			}
			for (size_t g = 0; g < WR_CANARY_PASSES; g++) {
				double fair = mean_error_stake(&p, t[0], t[1], t[2], p.margin, g, false);
				assert_true(fabs(fair - 1) < 1e-9);
				assert_true(mean_error_stake(&p, t[0], t[1], t[2], 4, g, false) < 1 + 1e-9);
			}
		}
}

/* All ways to put `m` targets among m + n places. */
static void mean_rank_stake(const wr_canary_policy *p, size_t m, size_t n, const double *values,
                            double fail[WR_CANARY_FAILS], double pass[WR_CANARY_PASSES])
{
	double ways = 0;
	memset(fail, 0, sizeof(double) * WR_CANARY_FAILS);
	memset(pass, 0, sizeof(double) * WR_CANARY_PASSES);
	for (unsigned mask = 0; mask < 1u << (m + n); mask++) {
		double t[16], r[16];
		size_t a = 0, b = 0;
		if ((size_t)__builtin_popcount(mask) != m) continue;
		for (size_t i = 0; i < m + n; i++)
			if (mask & 1u << i)
				t[a++] = values[i];
			else
				r[b++] = values[i];
		wr_canary_latency c = {0};
		assert_true(wr_canary_latency_add(&c, p, t, m, r, n));
		for (size_t g = 0; g < WR_CANARY_FAILS; g++) fail[g] += exp(c.log_fail[g]);
		for (size_t g = 0; g < WR_CANARY_PASSES; g++) pass[g] += exp(c.log_pass[g]);
		ways++;
	}
	for (size_t g = 0; g < WR_CANARY_FAILS; g++) fail[g] /= ways;
	for (size_t g = 0; g < WR_CANARY_PASSES; g++) pass[g] /= ways;
}

static void stakes_on_ranks_are_fair(void **state)
{
	(void)state;
	static const double distinct[] = {1, 2, 3, 4, 5, 6, 7, 8, 9},
	                    ties[] = {1, 1, 1, 2, 2, 2, 3, 3, 9};
	double fail[WR_CANARY_FAILS], pass[WR_CANARY_PASSES];
	wr_canary_policy p = usual;
	p.margin = 1 + 1e-12; /* so that the margin moves nobody's rank */
	for (size_t m = 1; m <= 8; m++) {
		mean_rank_stake(&p, m, 9 - m, distinct, fail, pass);
		for (size_t g = 0; g < WR_CANARY_FAILS; g++) assert_true(fabs(fail[g] - 1) < 1e-9);
		for (size_t g = 0; g < WR_CANARY_PASSES; g++) assert_true(fabs(pass[g] - 1) < 1e-9);
		mean_rank_stake(&p, m, 9 - m, ties, fail, pass);
		for (size_t g = 0; g < WR_CANARY_FAILS; g++) assert_true(fail[g] < 1 + 1e-9);
	}
}

/* ---- errors, simulated ---- */

typedef struct ends {
	size_t fail, pass, runs;
	int64_t n_fail, n_pass; /* means of the target's samples */
} ends;

/* Looks again and again, and stops at the first verdict. */
static ends simulate(const wr_canary_policy *p, const binomial *t, const binomial *r, size_t rates,
                     unsigned looks, size_t count)
{
	ends e = {.runs = count};
	for (size_t i = 0; i < count; i++) {
		wr_canary_errors c = {0};
		for (unsigned k = 0; k < looks; k++) {
			size_t rate = k * rates / looks;
			(void)wr_canary_errors_add(&c, p, draw(&t[rate]), draw(&r[rate]));
			bool enough = c.target.n >= p->min_samples && c.reference.n >= p->min_samples;
			if (!enough || c.fail_sup < -log(p->alpha)) continue;
			e.fail++;
			e.n_fail += c.target.n;
			break;
		}
		wr_canary out;
		wr_canary_errors_judge(&out, &c, p, 1000);
		assert_true((out.verdict == WR_FAIL) == (c.fail_sup >= -log(p->alpha)));
		e.pass += out.verdict == WR_PASS;
	}
	if (e.fail) e.n_fail /= (int64_t)e.fail;
	return e;
}

static void say(const char *what, const ends *e)
{
	if (getenv("WR_CANARY_SHOW"))
		printf("%-44s %zu runs: FAIL %.4f (mean n %lld), PASS %.4f\n", what, e->runs,
		       (double)e->fail / (double)e->runs, (long long)e->n_fail,
		       (double)e->pass / (double)e->runs);
}

/* 100,000 runs of two sides that are the same, looked at after every 100 requests. */
static void false_alarms_of_errors(void **state)
{
	(void)state;
	static binomial t[1], r[1];
	binomial_set(t, 100, 0.01);
	binomial_set(r, 100, 0.01);
	rng = 1;
	ends e = simulate(&usual, t, r, 1, 60, runs(100000));
	say("errors, null, 1 % and 1 %, half and half", &e);
	assert_true((double)e.fail < usual.alpha * (double)e.runs);
	assert_true(e.fail > 0); /* it can fail */
}

/* … with a tenth of the traffic, and while the errors of both come and go. */
static void false_alarms_at_a_tenth(void **state)
{
	(void)state;
	static const double rates[] = {0.01, 0.05, 0.001, 0.2, 0.01};
	static binomial t[5], r[5];
	for (size_t i = 0; i < 5; i++) {
		binomial_set(&t[i], 20, rates[i]);
		binomial_set(&r[i], 180, rates[i]);
	}
	rng = 2;
	ends e = simulate(&usual, t, r, 5, 50, runs(10000));
	say("errors, null, rates that change, 1 to 9", &e);
	assert_true((double)e.fail < usual.alpha * (double)e.runs);
}

/* A doubled rate of 1 % is found; and it is hardly ever let through. */
static void power_of_errors(void **state)
{
	(void)state;
	static binomial t[1], r[1];
	binomial_set(t, 100, 0.02);
	binomial_set(r, 100, 0.01);
	rng = 3;
	ends e = simulate(&usual, t, r, 1, 100, runs(4000));
	say("errors, 2 % against 1 %, up to 10,000", &e);
	assert_true((double)e.fail > 0.95 * (double)e.runs);
	assert_true((double)e.pass < usual.beta * (double)e.runs);
	assert_true(e.n_fail < 5000);
	e = simulate(&usual, t, r, 1, 50, runs(4000));
	say("errors, 2 % against 1 %, up to 5,000", &e);
	assert_true((double)e.fail > 0.75 * (double)e.runs);
}

static void good_ones_pass(void **state)
{
	(void)state;
	static binomial t[1], r[1];
	binomial_set(t, 100, 0.01);
	binomial_set(r, 100, 0.01);
	rng = 4;
	ends e = simulate(&usual, t, r, 1, 100, runs(4000));
	say("errors, 1 % and 1 %, up to 10,000", &e);
	assert_true((double)e.pass > 0.8 * (double)e.runs);
	/* Both without errors: nothing to compare, and below what is worth a word. */
	wr_canary_policy p = usual;
	wr_canary_errors c = {0};
	wr_canary out;
	assert_true(
	    wr_canary_errors_add(&c, &p, (wr_canary_counts){5000, 0}, (wr_canary_counts){5000, 0}));
	wr_canary_errors_judge(&out, &c, &p, 1000);
	assert_int_equal(out.verdict, WR_INCONCLUSIVE);
	assert_true(out.detectable < 0);
	p.ignore_below = 0.005;
	wr_canary_errors_judge(&out, &c, &p, 1000);
	assert_int_equal(out.verdict, WR_PASS);
	assert_int_equal(out.to_verdict_ms, 0);
}

static void what_is_needed(void **state)
{
	(void)state;
	wr_canary_errors c = {0};
	wr_canary out;
	assert_true(
	    wr_canary_errors_add(&c, &usual, (wr_canary_counts){500, 5}, (wr_canary_counts){500, 5}));
	wr_canary_errors_judge(&out, &c, &usual, 60000);
	assert_int_equal(out.verdict, WR_INCONCLUSIVE);
	assert_true(out.n == 500 && out.n_reference == 500);
	assert_true(out.n_needed > 2000 && out.n_needed < 12000);
	/* At 500 a minute: in proportion. */
	double expected = (double)(out.n_needed - 500) / 500 * 60000;
	assert_true(fabs((double)out.to_verdict_ms - expected) < 2);
	assert_true(out.detectable > 5 && out.detectable < 1000);
	assert_true(fabs(out.effect - 1) < 1e-9);
	assert_non_null(strstr(out.text, "errors 1 % against 1 %"));
	assert_non_null(strstr(out.text, "needed"));
	for (int i = 0; i < 40; i++)
		assert_true(wr_canary_errors_add(&c, &usual, (wr_canary_counts){500, 5},
		                                 (wr_canary_counts){500, 5}));
	int64_t foretold = out.n_needed;
	wr_canary_errors_judge(&out, &c, &usual, 60000);
	assert_int_equal(out.verdict, WR_PASS);
	assert_true(out.n_needed == out.n && foretold < 2 * out.n);
	assert_true(out.detectable > 1 && out.detectable < 2);
}

/* ---- no data is not good news ---- */

static void no_data(void **state)
{
	(void)state;
	static const wr_canary_counts none = {0, 0}, some = {1000, 10};
	static const wr_canary_counts sides[][2] = {
	    {{0, 0}, {0, 0}}, {{0, 0}, {9999, 9}}, {{9999, 0}, {0, 0}}};
	wr_canary out;
	for (size_t i = 0; i < 3; i++) {
		wr_canary_errors c = {0};
		wr_canary_policy p = usual;
		p.ignore_below = 0.5;
		assert_true(wr_canary_errors_add(&c, &p, sides[i][0], sides[i][1]));
		wr_canary_errors_judge(&out, &c, &p, 1000);
		assert_int_equal(out.verdict, WR_GATE_NO_DATA);
		assert_non_null(strstr(out.text, "no samples"));
		assert_int_equal(out.to_verdict_ms, -1);
	}
	wr_canary_errors few = {0}; /* as bad as can be, and still too few to say so */
	assert_true(
	    wr_canary_errors_add(&few, &usual, (wr_canary_counts){99, 99}, (wr_canary_counts){99, 0}));
	assert_true(few.fail_sup > 10);
	wr_canary_errors_judge(&out, &few, &usual, 1000);
	assert_int_equal(out.verdict, WR_INCONCLUSIVE);
	assert_true(
	    wr_canary_errors_add(&few, &usual, (wr_canary_counts){1, 0}, (wr_canary_counts){1, 0}));
	wr_canary_errors_judge(&out, &few, &usual, 1000);
	assert_int_equal(out.verdict, WR_FAIL);
	/* FAIL stays, whatever comes later. */
	for (int i = 0; i < 500; i++) assert_true(wr_canary_errors_add(&few, &usual, some, some));
	wr_canary_errors_judge(&out, &few, &usual, 1000);
	assert_int_equal(out.verdict, WR_FAIL);
	wr_canary_rate_judge(&out, none, 0.01, &usual, 1000);
	assert_int_equal(out.verdict, WR_GATE_NO_DATA);
}

static void what_is_no_count(void **state)
{
	(void)state;
	static const wr_canary_counts odd[] = {{-1, 0},
	                                       {1, -1},
	                                       {1, 2},
	                                       {INT64_MAX, 0},
	                                       {INT64_MIN, INT64_MIN},
	                                       {WR_CANARY_LOOK_MAX + 1, 0}};
	static const wr_canary_counts fine = {20000, 200};
	wr_canary out;
	for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
		for (int side = 0; side < 2; side++) {
			wr_canary_errors c = {0};
			assert_true(wr_canary_errors_add(&c, &usual, fine, fine));
			wr_canary_errors_judge(&out, &c, &usual, 1000);
			assert_int_equal(out.verdict, WR_PASS);
			assert_false(
			    wr_canary_errors_add(&c, &usual, side ? odd[i] : fine, side ? fine : odd[i]));
			wr_canary_errors_judge(&out, &c, &usual, 1000);
			assert_int_equal(out.verdict,
			                 WR_INCONCLUSIVE); /* something is wrong with what we see */
			assert_non_null(strstr(out.text, "no counts"));
			assert_int_equal(c.target.n, 20000);
			wr_canary_rate_judge(&out, odd[i], 0.5, &usual, 1000);
			if (i < 5 && i != 3) assert_int_equal(out.verdict, WR_GATE_NO_DATA);
		}
	wr_canary_errors c = {.target = {WR_INT_MAX_SAFE, 0}};
	assert_false(wr_canary_errors_add(&c, &usual, fine, fine));
}

static void policies_that_cannot_be(void **state)
{
	(void)state;
	wr_canary_policy odd[12];
	for (size_t i = 0; i < 12; i++) odd[i] = usual;
	odd[0].alpha = 0;
	odd[1].alpha = 1;
	odd[2].beta = (double)NAN;
	odd[3].beta = -1;
	odd[4].tolerance = 0;
	odd[5].margin = 1;
	odd[6].margin = (double)INFINITY;
	odd[7].ignore_below = 1;
	odd[8].ignore_below = -0.1;
	odd[9].min_samples = 0;
	odd[10].tolerance = (double)NAN;
	odd[11].alpha = (double)NAN;
	assert_true(wr_canary_policy_ok(&usual));
	for (size_t i = 0; i < 12; i++) {
		wr_canary_errors c = {.target = {9000, 0}, .reference = {9000, 0}};
		wr_canary_latency late = {0};
		wr_canary out;
		double one = 1;
		assert_false(wr_canary_policy_ok(&odd[i]));
		assert_false(
		    wr_canary_errors_add(&c, &odd[i], (wr_canary_counts){1, 0}, (wr_canary_counts){1, 0}));
		assert_false(wr_canary_latency_add(&late, &odd[i], &one, 1, &one, 1));
		wr_canary_errors_judge(&out, &c, &odd[i], 1000);
		assert_int_equal(out.verdict, WR_GATE_NO_DATA);
		wr_canary_rate_judge(&out, c.target, 0.5, &odd[i], 1000);
		assert_int_equal(out.verdict, WR_GATE_NO_DATA);
	}
}

/* A look as large as can be, all errors or half: it ends, and every number is one. */
static void large_looks(void **state)
{
	(void)state;
	static const wr_canary_counts looks[][2] = {
	    {{WR_CANARY_LOOK_MAX, WR_CANARY_LOOK_MAX}, {WR_CANARY_LOOK_MAX, WR_CANARY_LOOK_MAX}},
	    {{WR_CANARY_LOOK_MAX, WR_CANARY_LOOK_MAX / 2},
	     {WR_CANARY_LOOK_MAX, WR_CANARY_LOOK_MAX / 2}},
	    {{WR_CANARY_LOOK_MAX, 0}, {WR_CANARY_LOOK_MAX, WR_CANARY_LOOK_MAX}},
	    {{WR_CANARY_LOOK_MAX, WR_CANARY_LOOK_MAX}, {1, 0}},
	    {{1, 1}, {WR_CANARY_LOOK_MAX, 0}}};
	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
		wr_canary_errors c = {0};
		wr_canary out;
		assert_true(wr_canary_errors_add(&c, &usual, looks[i][0], looks[i][1]));
		for (size_t g = 0; g < WR_CANARY_FAILS; g++) assert_true(isfinite(c.log_fail[g]));
		for (size_t g = 0; g < WR_CANARY_PASSES; g++) assert_true(isfinite(c.log_pass[g]));
		wr_canary_errors_judge(&out, &c, &usual, 1000);
		static const wr_gate_verdict verdicts[] = {WR_INCONCLUSIVE, WR_PASS, WR_PASS,
		                                           WR_INCONCLUSIVE, WR_INCONCLUSIVE};
		assert_int_equal(out.verdict, verdicts[i]);
	}
}

/* ---- one side against a limit ---- */

static void against_a_limit(void **state)
{
	(void)state;
	wr_canary out;
	int64_t n = 100;
	do {
		wr_canary_rate_judge(&out, (wr_canary_counts){++n, 0}, 0.02, &usual, 1000);
	} while (out.verdict != WR_PASS && n < 1000);
	assert_true(n > 148 && n < 400); /* ln 20 / 0.0202, and what the grid costs */
	wr_canary_rate_judge(&out, (wr_canary_counts){120, 1}, 0.02, &usual, 60000);
	assert_int_equal(out.verdict, WR_INCONCLUSIVE);
	assert_true(out.n_needed > 120 && out.to_verdict_ms > 0);
	wr_canary_rate_judge(&out, (wr_canary_counts){500, 50}, 0.02, &usual, 60000);
	assert_int_equal(out.verdict, WR_FAIL);
	static binomial at_limit[1];
	binomial_set(at_limit, 50, 0.02);
	rng = 5;
	size_t count = runs(20000), alarms = 0, passes = 0;
	for (size_t i = 0; i < count; i++) {
		wr_canary_counts sum = {0, 0};
		bool alarm = false, pass = false;
		for (int k = 0; k < 40; k++) {
			wr_canary_counts look = draw(at_limit);
			sum.n += look.n;
			sum.bad += look.bad;
			wr_canary_rate_judge(&out, sum, 0.02, &usual, 1000);
			alarm = alarm || out.verdict == WR_FAIL;
			pass = pass || out.verdict == WR_PASS;
		}
		alarms += alarm;
		passes += pass;
	}
	assert_true((double)alarms < usual.alpha * (double)count);
	assert_true((double)passes < usual.beta * (double)count);
}

/* ---- latency, simulated ---- */

#define BATCH 8

/* What a server's latencies look like: most alike, a long tail. `wide`: in steps of 10 ms. */
static double latency(double times, bool steps)
{
	double u = uniform(), ms = times * 40 * pow(1 - u, -0.35);
	return steps ? floor(ms / 10) * 10 : ms;
}

static ends simulate_latency(const wr_canary_policy *p, double times, unsigned looks, size_t count,
                             bool drift)
{
	ends e = {.runs = count};
	for (size_t i = 0; i < count; i++) {
		wr_canary_latency c = {0};
		for (unsigned k = 0; k < looks; k++) {
			double t[BATCH], r[BATCH], day = drift ? 1 + 0.1 * (k % 30) : 1;
			for (size_t j = 0; j < BATCH; j++) {
				t[j] = latency(times * day, drift);
				r[j] = latency(day, drift);
			}
			(void)wr_canary_latency_add(&c, p, t, BATCH, r, BATCH);
			if (c.target < p->min_samples || c.fail_sup < -log(p->alpha)) continue;
			e.fail++;
			e.n_fail += c.target;
			break;
		}
		wr_canary out;
		wr_canary_latency_judge(&out, &c, p, 1000);
		assert_true((out.verdict == WR_FAIL) == (c.fail_sup >= -log(p->alpha)));
		e.pass += out.verdict == WR_PASS;
	}
	if (e.fail) e.n_fail /= (int64_t)e.fail;
	return e;
}

static const wr_canary_policy for_latency = {
    .alpha = 0.05, .beta = 0.05, .tolerance = 1, .margin = 1.5, .min_samples = 40};

static void false_alarms_of_latency(void **state)
{
	(void)state;
	rng = 6;
	ends e = simulate_latency(&for_latency, 1, 40, runs(100000), false);
	say("latency, null", &e);
	assert_true((double)e.fail < for_latency.alpha * (double)e.runs);
	assert_true(e.fail > 0);
	e = simulate_latency(&for_latency, 1, 60, runs(10000), true);
	say("latency, null, in steps of 10 ms, drifting", &e);
	assert_true((double)e.fail < for_latency.alpha * (double)e.runs);
}

static void power_of_latency(void **state)
{
	(void)state;
	rng = 7;
	ends e = simulate_latency(&for_latency, 1.1, 80, runs(4000), false);
	say("latency, 1.1 times", &e);
	assert_true((double)e.fail > 0.95 * (double)e.runs);
	e = simulate_latency(&for_latency, 1, 80, runs(4000), false);
	say("latency, the same", &e);
	assert_true((double)e.pass > 0.9 * (double)e.runs);
	/* At the margin: what passes is what was not seen to fail, and that is rare enough. */
	wr_canary_policy lenient = for_latency;
	lenient.tolerance = 1.49;
	e = simulate_latency(&lenient, 1.5, 80, runs(20000), false);
	say("latency, at the margin", &e);
	assert_true((double)e.pass < for_latency.beta * (double)e.runs);
}

static void latencies_that_are_none(void **state)
{
	(void)state;
	static double many[WR_CANARY_BATCH_MAX + 1];
	static const double odd[] = {-1, (double)NAN, (double)INFINITY};
	wr_canary out;
	wr_canary_latency c = {0};
	wr_canary_latency_judge(&out, &c, &for_latency, 1000);
	assert_int_equal(out.verdict, WR_GATE_NO_DATA);
	rng = 8;
	for (int k = 0; k < 200; k++) {
		double t[BATCH], r[BATCH];
		for (size_t j = 0; j < BATCH; j++) {
			t[j] = latency(1, false);
			r[j] = latency(1, false);
		}
		assert_true(wr_canary_latency_add(&c, &for_latency, t, BATCH, r, BATCH));
	}
	assert_true(wr_canary_latency_add(&c, &for_latency, many, 0, many, 5)); /* says nothing */
	wr_canary_latency_judge(&out, &c, &for_latency, 1000);
	assert_int_equal(out.verdict, WR_PASS);
	assert_true(out.effect > 0.4 && out.effect < 0.6);
	assert_true(out.detectable > 0.5 && out.detectable < 0.6);
	for (size_t i = 0; i < 3; i++)
		assert_false(wr_canary_latency_add(&c, &for_latency, &odd[i], 1, many, 1));
	assert_false(wr_canary_latency_add(&c, &for_latency, many, WR_CANARY_BATCH_MAX + 1, many, 1));
	wr_canary_latency_judge(&out, &c, &for_latency, 1000);
	assert_int_equal(out.verdict, WR_INCONCLUSIVE);
	wr_canary_latency all = {0}; /* as large as can be, all alike, and all at the far end */
	assert_true(wr_canary_latency_add(&all, &for_latency, many, WR_CANARY_BATCH_MAX, many,
	                                  WR_CANARY_BATCH_MAX));
	for (size_t i = 0; i < WR_CANARY_BATCH_MAX; i++) many[i] = 1e308;
	assert_true(
	    wr_canary_latency_add(&all, &for_latency, many, WR_CANARY_BATCH_MAX, (double[]){0}, 1));
	wr_canary_latency_judge(&out, &all, &for_latency, 1000);
	assert_true(isfinite(out.log_fail) && isfinite(out.log_pass));
}

static void overall(void **state)
{
	(void)state;
	wr_canary m[3] = {{.verdict = WR_PASS}, {.verdict = WR_PASS}, {.verdict = WR_PASS}};
	assert_int_equal(wr_canary_overall(m, 0), WR_GATE_NO_DATA);
	assert_int_equal(wr_canary_overall(m, 3), WR_PASS);
	m[2].verdict = WR_INCONCLUSIVE;
	assert_int_equal(wr_canary_overall(m, 3), WR_INCONCLUSIVE);
	m[0].verdict = WR_GATE_NO_DATA;
	assert_int_equal(wr_canary_overall(m, 3), WR_GATE_NO_DATA);
	m[1].verdict = WR_FAIL;
	assert_int_equal(wr_canary_overall(m, 3), WR_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stakes_on_errors_are_fair),
	    cmocka_unit_test(stakes_on_ranks_are_fair),
	    cmocka_unit_test(false_alarms_of_errors),
	    cmocka_unit_test(false_alarms_at_a_tenth),
	    cmocka_unit_test(power_of_errors),
	    cmocka_unit_test(good_ones_pass),
	    cmocka_unit_test(what_is_needed),
	    cmocka_unit_test(no_data),
	    cmocka_unit_test(what_is_no_count),
	    cmocka_unit_test(policies_that_cannot_be),
	    cmocka_unit_test(large_looks),
	    cmocka_unit_test(against_a_limit),
	    cmocka_unit_test(false_alarms_of_latency),
	    cmocka_unit_test(power_of_latency),
	    cmocka_unit_test(latencies_that_are_none),
	    cmocka_unit_test(overall),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
