/* canary_stats.c: two sides compared while their samples come in. Pure; see canary_stats.h for what
 * is tested, and why it may be looked at whenever one likes.
 *
 * A stake is kept as its logarithm, one for each point of a grid of alternatives; the mixture is
 * their mean. Nothing here allocates, and a look's work is bounded by its size. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "decide/canary_stats.h"
#include "decide/internal.h"
#include "warroom/clock.h"
#include "warroom/json.h"

/* Times as bad as what is tolerated. */
static const double fail_grid[WR_CANARY_FAILS] = {1.25, 1.5, 2, 3, 5, 10};
/* Where between the tolerance (0) and the margin (1), on a logarithmic scale, and better (below 0),
 * a target is expected that deserves PASS. */
static const double pass_grid[WR_CANARY_PASSES] = {0.4, 0, -0.6, -2};
/* Stakes on ranks, in standard deviations of U in a look. */
static const double rank_grid[WR_CANARY_FAILS] = {0.1, 0.2, 0.4, 0.7, 1.1, 1.7};
static const double rank_pass_grid[WR_CANARY_PASSES] = {0.15, 0.35, 0.7, 1.3};

static double log_mean(const double *logs, size_t n)
{
	double most = -INFINITY, sum = 0;
	for (size_t i = 0; i < n; i++)
		if (logs[i] > most) most = logs[i];
	if (!isfinite(most)) return -INFINITY;
	for (size_t i = 0; i < n; i++) sum += exp(logs[i] - most);
	return most + log(sum / (double)n);
}

bool wr_canary_policy_ok(const wr_canary_policy *p)
{
	return p->alpha > 0 && p->alpha < 1 && p->beta > 0 && p->beta < 1 && p->tolerance >= 0.01 &&
	       p->margin > p->tolerance && p->margin <= 100 && p->ignore_below >= 0 &&
	       p->ignore_below < 1 && p->min_samples > 0;
}

/* ---- errors: two streams ---- */

/* The sum of a hypergeometric distribution's weights times psi^u, relative to that at its lower
 * end; terms far beyond a double are scaled, and log_scale remembers by how much. */
typedef struct weighted_sum {
	double psi, term, sum, log_scale;
} weighted_sum;

#define SCALE 1e200

static void next_term(weighted_sum *w, double ratio)
{
	w->term *= ratio * w->psi;
	w->sum += w->term;
	if (w->sum < SCALE) return;
	w->term /= SCALE;
	w->sum /= SCALE;
	w->log_scale += log(SCALE);
}

#define PSIS (2 + WR_CANARY_FAILS + WR_CANARY_PASSES) /* tolerance, fails, margin, passes */

static void set_psis(weighted_sum w[static PSIS], const wr_canary_policy *p)
{
	double span = log(p->margin / p->tolerance);
	for (size_t i = 0; i < PSIS; i++) w[i] = (weighted_sum){.term = 1, .sum = 1};
	w[0].psi = p->tolerance;
	for (size_t i = 0; i < WR_CANARY_FAILS; i++) w[1 + i].psi = p->tolerance * fail_grid[i];
	w[1 + WR_CANARY_FAILS].psi = p->margin;
	for (size_t i = 0; i < WR_CANARY_PASSES; i++)
		w[2 + WR_CANARY_FAILS + i].psi = p->tolerance * exp(span * pass_grid[i]);
}

/* log of f(x; psi) / f(x; psi0), given the margins of the look's 2 x 2 table. */
static double log_ratio(const weighted_sum *one, const weighted_sum *null, double above_low)
{
	return above_low * log(one->psi / null->psi) -
	       (log(one->sum) + one->log_scale - log(null->sum) - null->log_scale);
}

static bool are_counts(wr_canary_counts c)
{
	return c.n >= 0 && c.bad >= 0 && c.bad <= c.n && c.n <= WR_CANARY_LOOK_MAX;
}

static void bet_on_errors(wr_canary_errors *c, const wr_canary_policy *p, wr_canary_counts t,
                          wr_canary_counts r)
{
	weighted_sum w[PSIS];
	int64_t errors = t.bad + r.bad;
	int64_t low = errors > r.n ? errors - r.n : 0, high = errors < t.n ? errors : t.n;
	if (low >= high) return; /* the table leaves no choice, so it says nothing */
	set_psis(w, p);
	for (int64_t u = low; u < high; u++) {
		double ratio = (double)(t.n - u) * (double)(errors - u) /
		               ((double)(u + 1) * (double)(r.n - errors + u + 1));
		for (size_t i = 0; i < PSIS; i++) next_term(&w[i], ratio);
	}
	double above = (double)(t.bad - low);
	const weighted_sum *margin = &w[1 + WR_CANARY_FAILS];
	for (size_t i = 0; i < WR_CANARY_FAILS; i++)
		c->log_fail[i] += log_ratio(&w[1 + i], &w[0], above);
	for (size_t i = 0; i < WR_CANARY_PASSES; i++)
		c->log_pass[i] += log_ratio(&margin[1 + i], margin, above);
}

bool wr_canary_errors_add(wr_canary_errors *c, const wr_canary_policy *p, wr_canary_counts target,
                          wr_canary_counts reference)
{
	bool room = c->target.n <= WR_INT_MAX_SAFE - WR_CANARY_LOOK_MAX &&
	            c->reference.n <= WR_INT_MAX_SAFE - WR_CANARY_LOOK_MAX;
	if (!are_counts(target) || !are_counts(reference) || !room || !wr_canary_policy_ok(p)) {
		c->rejected++;
		return false;
	}
	c->target.n += target.n;
	c->target.bad += target.bad;
	c->reference.n += reference.n;
	c->reference.bad += reference.bad;
	bet_on_errors(c, p, target, reference);
	double now = log_mean(c->log_fail, WR_CANARY_FAILS);
	if (now > c->fail_sup) c->fail_sup = now;
	return true;
}

/* ---- errors: one stream ---- */

static double log_binomial(wr_canary_counts c, double p, double null)
{
	double bad = (double)c.bad, good = (double)(c.n - c.bad);
	double of_bad = c.bad ? bad * log(p / null) : 0;
	return of_bad + good * (log1p(-p) - log1p(-null));
}

static double odds_times(double p, double by)
{
	double odds = p / (1 - p) * by;
	return odds / (1 + odds);
}

/* The stake against "the rate is at least limit". */
static double log_rate_pass(wr_canary_counts c, double limit)
{
	static const double grid[WR_CANARY_PASSES] = {0, 0.1, 0.3, 0.6};
	double logs[WR_CANARY_PASSES];
	for (size_t i = 0; i < WR_CANARY_PASSES; i++)
		logs[i] =
		    grid[i] == 0 && c.bad ? -INFINITY : log_binomial(c, odds_times(limit, grid[i]), limit);
	return log_mean(logs, WR_CANARY_PASSES);
}

static double log_rate_fail(wr_canary_counts c, double limit)
{
	double logs[WR_CANARY_FAILS];
	for (size_t i = 0; i < WR_CANARY_FAILS; i++)
		logs[i] = log_binomial(c, odds_times(limit, fail_grid[i]), limit);
	return log_mean(logs, WR_CANARY_FAILS);
}

/* ---- what is still needed ---- */

/* How fast the stake on p grows where p is true and q is the null: the divergence, per sample. */
static double divergence(double p, double q)
{
	double of_bad = p > 0 ? p * log(p / q) : 0;
	return of_bad + (p < 1 ? (1 - p) * (log1p(-p) - log1p(-q)) : 0);
}

static double smoothed(wr_canary_counts c)
{
	return ((double)c.bad + 0.5) / ((double)c.n + 1);
}

/* Which share of the errors is the target's, when its odds are `ratio` times the reference's. */
static double share(wr_canary_counts t, wr_canary_counts r, double ratio)
{
	return ratio * (double)t.n / (ratio * (double)t.n + (double)r.n);
}

static int64_t whole_samples(double more, int64_t n, int64_t least)
{
	if (!(more < 1e15)) return -1;
	int64_t needed = n + (more > 0 ? (int64_t)ceil(more) : 0);
	return needed > least ? needed : least;
}

static void set_time(wr_canary *out, int64_t elapsed_ms)
{
	bool decided = out->verdict == WR_PASS || out->verdict == WR_FAIL;
	out->to_verdict_ms = decided ? 0 : -1;
	if (decided || out->n <= 0 || elapsed_ms <= 0 || out->n_needed < 0) return;
	double ms = (double)(out->n_needed - out->n) / (double)out->n * (double)elapsed_ms;
	if (ms >= 0 && ms < 1e15) out->to_verdict_ms = (int64_t)ceil(ms);
}

static int64_t errors_needed(const wr_canary_errors *c, const wr_canary_policy *p, double enough,
                             double log_rel, double log_low)
{
	wr_canary_counts both = {c->target.n + c->reference.n, c->target.bad + c->reference.bad};
	double rate = smoothed(both), best = INFINITY;
	double per_target = rate * (double)both.n / (double)c->target.n; /* errors a target's sample */
	double grows = per_target * divergence(share(c->target, c->reference, p->tolerance),
	                                       share(c->target, c->reference, p->margin));
	if (grows > DBL_MIN) best = (enough - log_rel) / grows;
	if (p->ignore_below > 0 && smoothed(c->target) < p->ignore_below) {
		double low = (enough - log_low) / divergence(smoothed(c->target), p->ignore_below);
		if (low < best) best = low;
	}
	return whole_samples(best, c->target.n, p->min_samples);
}

/* The least odds ratio whose stake could be expected to be at 1/alpha after so many errors. */
static double errors_detectable(const wr_canary_errors *c, const wr_canary_policy *p)
{
	double errors = (double)(c->target.bad + c->reference.bad);
	double need = log((double)WR_CANARY_FAILS / p->alpha), low = p->tolerance, high = 1e6;
	double null = share(c->target, c->reference, p->tolerance);
	if (errors * divergence(share(c->target, c->reference, high), null) < need) return -1;
	for (int i = 0; i < 60; i++) {
		double mid = sqrt(low * high);
		if (errors * divergence(share(c->target, c->reference, mid), null) < need)
			low = mid;
		else
			high = mid;
	}
	return high;
}

/* ---- verdicts ---- */

static void decide(wr_canary *out, const wr_canary_policy *p, bool passes, double fail_sup,
                   uint64_t rejected)
{
	bool enough = out->n >= p->min_samples && out->n_reference >= p->min_samples;
	if (!out->n || !out->n_reference)
		out->verdict = WR_GATE_NO_DATA;
	else if (enough && fail_sup >= -log(p->alpha))
		out->verdict = WR_FAIL;
	else
		out->verdict = enough && passes && !rejected ? WR_PASS : WR_INCONCLUSIVE;
}

static void append(wr_canary *out, const char *fmt, ...) WR_PRINTF(2, 3);

static void append(wr_canary *out, const char *fmt, ...)
{
	size_t at = strlen(out->text);
	va_list ap;
	va_start(ap, fmt);
	if (vsnprintf(out->text + at, sizeof out->text - at, fmt, ap) < 0) out->text[at] = '\0';
	va_end(ap);
}

/* What stands behind every verdict: how many samples, how many more, how long. */
static void say_progress(wr_canary *out, uint64_t rejected)
{
	char left[16];
	append(out, "; n %lld and %lld", (long long)out->n, (long long)out->n_reference);
	if (out->verdict == WR_INCONCLUSIVE && out->n_needed > out->n)
		append(out, ", about %lld needed", (long long)out->n_needed);
	if (out->to_verdict_ms > 0) {
		wr_duration_words(left, sizeof left, out->to_verdict_ms);
		append(out, " (%s)", left);
	}
	if (rejected) append(out, "; %llu looks were no counts", (unsigned long long)rejected);
}

static bool begin(wr_canary *out, const wr_canary_policy *p, int64_t n, int64_t n_reference)
{
	memset(out, 0, sizeof *out);
	out->n = n;
	out->n_reference = n_reference;
	out->n_needed = out->to_verdict_ms = -1;
	out->effect = out->detectable = -1;
	out->verdict = WR_GATE_NO_DATA;
	if (!wr_canary_policy_ok(p)) {
		append(out, "the policy cannot be used");
		return false;
	}
	out->n_needed = p->min_samples;
	if (n && n_reference) return true;
	append(out, "no samples of the %s", n ? "other side" : "target");
	return false;
}

void wr_canary_errors_judge(wr_canary *out, const wr_canary_errors *c, const wr_canary_policy *p,
                            int64_t elapsed_ms)
{
	if (!begin(out, p, c->target.n, c->reference.n)) return;
	/* Two ways to PASS share beta. */
	bool low = p->ignore_below > 0;
	double enough = log((low ? 2 : 1) / p->beta);
	double log_rel = log_mean(c->log_pass, WR_CANARY_PASSES);
	double log_low = low ? log_rate_pass(c->target, p->ignore_below) : -INFINITY;
	double t = smoothed(c->target), r = smoothed(c->reference);
	out->log_fail = log_mean(c->log_fail, WR_CANARY_FAILS);
	out->log_pass = log_rel > log_low ? log_rel : log_low;
	out->effect = t / (1 - t) / (r / (1 - r));
	out->detectable = errors_detectable(c, p);
	decide(out, p, out->log_pass >= enough, c->fail_sup, c->rejected);
	out->n_needed =
	    out->verdict == WR_INCONCLUSIVE ? errors_needed(c, p, enough, log_rel, log_low) : out->n;
	set_time(out, elapsed_ms);
	append(out, "errors %.3g %% against %.3g %%",
	       100.0 * (double)c->target.bad / (double)c->target.n,
	       100.0 * (double)c->reference.bad / (double)c->reference.n);
	if (out->detectable > 0) append(out, ", x%.3g would have shown", out->detectable);
	say_progress(out, c->rejected);
}

void wr_canary_rate_judge(wr_canary *out, wr_canary_counts counts, double limit,
                          const wr_canary_policy *p, int64_t elapsed_ms)
{
	bool possible = counts.n >= 0 && counts.bad >= 0 && counts.bad <= counts.n &&
	                counts.n <= WR_INT_MAX_SAFE && limit > 0 && limit < 1;
	if (!begin(out, p, possible ? counts.n : 0, possible ? counts.n : 0)) return;
	double enough = -log(p->beta), rate = smoothed(counts);
	out->log_fail = log_rate_fail(counts, limit);
	out->log_pass = log_rate_pass(counts, limit);
	out->effect = rate;
	decide(out, p, out->log_pass >= enough, out->log_fail, 0);
	out->n_needed = out->n;
	if (out->verdict == WR_INCONCLUSIVE)
		out->n_needed = rate < limit
		                    ? whole_samples((enough - out->log_pass) / divergence(rate, limit),
		                                    out->n, p->min_samples)
		                    : -1;
	set_time(out, elapsed_ms);
	append(out, "errors %.3g %%, limit %.3g %%", 100.0 * (double)counts.bad / (double)counts.n,
	       100 * limit);
	say_progress(out, 0);
}

/* ---- latency ---- */

/* log of the mean of q^U, q = e^lambda, over all ways to rank m among n: the Gaussian binomial
 * coefficient over the binomial one. */
static double log_mean_stake(size_t m, size_t n, double lambda)
{
	double sum = 0;
	for (size_t i = 1; i <= m; i++) {
		double all = (double)(n + i), one = (double)i;
		sum += log(expm1(lambda * all) / expm1(lambda * one)) - log(all / one);
	}
	return sum;
}

static double rank_lambda(size_t m, size_t n, double grid)
{
	double a = (double)m, b = (double)n;
	double lambda = grid / sqrt(a * b * (a + b + 1) / 12);
	return lambda * (a + b) > 600 ? 600 / (a + b) : lambda; /* within a double */
}

/* In how many pairs the target's is the slower one; equal ones count half. */
static double count_ahead(const double *t, size_t m, const double *r, size_t n, double times)
{
	double ahead = 0;
	for (size_t i = 0; i < m; i++)
		for (size_t k = 0; k < n; k++) {
			double other = r[k] * times;
			ahead += t[i] > other ? 1.0 : t[i] < other ? 0.0 : 0.5;
		}
	return ahead;
}

static bool are_latencies(const double *values, size_t n)
{
	if (n > WR_CANARY_BATCH_MAX) return false;
	for (size_t i = 0; i < n; i++)
		if (!isfinite(values[i]) || values[i] < 0) return false;
	return true;
}

static void cache_means(wr_canary_latency *c, size_t m, size_t n)
{
	if (c->cached_target == m && c->cached_reference == n) return;
	c->cached_target = m;
	c->cached_reference = n;
	for (size_t i = 0; i < WR_CANARY_FAILS; i++)
		c->cached_fail[i] = log_mean_stake(m, n, rank_lambda(m, n, rank_grid[i]));
	for (size_t i = 0; i < WR_CANARY_PASSES; i++)
		c->cached_pass[i] = log_mean_stake(m, n, -rank_lambda(m, n, rank_pass_grid[i]));
}

bool wr_canary_latency_add(wr_canary_latency *c, const wr_canary_policy *p, const double *target,
                           size_t m, const double *reference, size_t n)
{
	if (!wr_canary_policy_ok(p) || !are_latencies(target, m) || !are_latencies(reference, n)) {
		c->rejected++;
		return false;
	}
	c->target += (int64_t)m;
	c->reference += (int64_t)n;
	if (!m || !n) return true;
	double fail = count_ahead(target, m, reference, n, p->tolerance);
	double pass = count_ahead(target, m, reference, n, p->margin);
	cache_means(c, m, n);
	for (size_t i = 0; i < WR_CANARY_FAILS; i++)
		c->log_fail[i] += rank_lambda(m, n, rank_grid[i]) * fail - c->cached_fail[i];
	for (size_t i = 0; i < WR_CANARY_PASSES; i++)
		c->log_pass[i] += -rank_lambda(m, n, rank_pass_grid[i]) * pass - c->cached_pass[i];
	c->ahead += fail;
	c->pairs += (double)m * (double)n;
	double now = log_mean(c->log_fail, WR_CANARY_FAILS);
	if (now > c->fail_sup) c->fail_sup = now;
	return true;
}

/* Nobody knows the shape, so what is needed is read off the stake's own growth so far. */
static int64_t latency_needed(const wr_canary_latency *c, const wr_canary_policy *p, double grown)
{
	double enough = -log(p->beta);
	if (grown < 0.5) return -1;
	return whole_samples((double)c->target * (enough - grown) / grown, c->target, p->min_samples);
}

void wr_canary_latency_judge(wr_canary *out, const wr_canary_latency *c, const wr_canary_policy *p,
                             int64_t elapsed_ms)
{
	if (!begin(out, p, c->target, c->reference)) return;
	double m = (double)c->target, n = (double)c->reference;
	double need = log((double)WR_CANARY_FAILS / p->alpha);
	double least = 0.5 + sqrt(2 * need * (m + n + 1) / (12 * m * n));
	out->log_fail = log_mean(c->log_fail, WR_CANARY_FAILS);
	out->log_pass = log_mean(c->log_pass, WR_CANARY_PASSES);
	if (c->pairs > 0) out->effect = c->ahead / c->pairs;
	if (c->pairs > 0 && least < 1) out->detectable = least;
	decide(out, p, out->log_pass >= -log(p->beta), c->fail_sup, c->rejected);
	out->n_needed = out->verdict == WR_INCONCLUSIVE ? latency_needed(c, p, out->log_pass) : out->n;
	set_time(out, elapsed_ms);
	append(out, "the target is the slower one in %.3g %% of the pairs",
	       c->pairs > 0 ? 100 * out->effect : 0.0);
	if (out->detectable > 0) append(out, ", %.3g %% would have shown", 100 * out->detectable);
	say_progress(out, c->rejected);
}

wr_gate_verdict wr_canary_overall(const wr_canary *metrics, size_t count)
{
	bool blind = !count, unclear = false;
	for (size_t i = 0; i < count; i++) {
		if (metrics[i].verdict == WR_FAIL) return WR_FAIL;
		blind = blind || metrics[i].verdict == WR_GATE_NO_DATA;
		unclear = unclear || metrics[i].verdict != WR_PASS;
	}
	return blind ? WR_GATE_NO_DATA : unclear ? WR_INCONCLUSIVE : WR_PASS;
}
