/* canary_stats.h: is the side that takes the traffic worse than the other one, and is it good? Two
 * sides are compared while their samples come in, and may be looked at after every sample, for as
 * long as anybody likes. Pure: no clock, no memory beyond the caller's structs, bounded work.
 *
 * Each question has a pair of e-processes, that is, of stakes against a null hypothesis, which on
 * average do not grow while it is true. By Ville's inequality the chance that one of them is ever
 * at 1/alpha is at most alpha, however often one looks and whenever one stops:
 *   FAIL  against "the target is no worse than `tolerance` times the reference"
 *   PASS  against "the target is at least `margin` times as bad"
 * Neither: INCONCLUSIVE. Fewer than min_samples on a side: no PASS, no FAIL. No samples: NO DATA.
 *
 * Errors: two Bernoulli streams. In each look, given how many errors both sides had together, the
 * target's share is hypergeometric with the odds ratio as its only parameter, so that a base rate
 * that changes over the day plays no part. The stake is the likelihood ratio, mixed over a grid of
 * odds ratios. It is exact at any sample size.
 *   Johari, Koomen, Pekelis, Walsh, "Always Valid Inference: Continuous Monitoring of A/B Tests",
 *     Operations Research 70(3), 2022 (the mixture SPRT, and that it may be looked at).
 *   Lindon, Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022,
 *     arXiv:2011.03567 (conditioning on the errors, rates that change in time).
 *   Turner, Gruenwald, "Safe Sequential Testing and Effect Estimation in Stratified Count Data",
 *     AISTATS 2023, arXiv:2302.11401 (products of e-values over 2 x 2 tables).
 *
 * Latency: a rank test, because nobody knows the shape. In each look the target's samples are
 * ranked among the reference's; if both are from one distribution, Mann and Whitney's U has the
 * generating function of the Gaussian binomial coefficient ("On a Test of Whether one of Two Random
 * Variables is Stochastically Larger than the Other", Ann. Math. Statist. 18, 1947), so that q^U
 * over its mean is an exact stake, and the product over looks is an e-process; ties count half,
 * which can only make it smaller (Jensen). Mixed over a grid of q.
 *   Duan, Ramdas, Wasserman, "Interactive Rank Testing by Betting", CLeaR 2022, arXiv:2009.05892.
 *   Shekhar, Ramdas, "Nonparametric Two-Sample Testing by Betting", arXiv:2112.09162.
 * The margin multiplies the reference's samples: a target at 1.5 times the reference's latencies.
 */
#ifndef WARROOM_DECIDE_CANARY_STATS_H
#define WARROOM_DECIDE_CANARY_STATS_H

#include "warroom/decide.h"

#define WR_CANARY_FAILS     6 /* sizes of the grids that the stakes are mixed over */
#define WR_CANARY_PASSES    4
#define WR_CANARY_LOOK_MAX  1000000 /* samples of a side in one look: bounds the work */
#define WR_CANARY_BATCH_MAX 512     /* latencies of a side in one look: all pairs are compared */

typedef struct wr_canary_policy {
	double alpha;        /* chance of ever saying FAIL of a target that is no worse: 0.05 */
	double beta;         /* chance of ever being able to say PASS of one at the margin: 0.05 */
	double tolerance;    /* errors: odds ratio, latency: factor, that is not worse yet: 1 */
	double margin;       /* … and that must be ruled out before PASS; above tolerance: 2 */
	double ignore_below; /* errors: a target's rate proved below this passes beside any reference,
	                        so that two sides without errors pass; 0: never */
	int64_t min_samples; /* of each side */
} wr_canary_policy;

typedef struct wr_canary_counts {
	int64_t n, bad;
} wr_canary_counts;

/* Zero it to begin. */
typedef struct wr_canary_errors {
	wr_canary_counts target, reference; /* so far */
	double log_fail[WR_CANARY_FAILS], log_pass[WR_CANARY_PASSES];
	double fail_sup;   /* the greatest log stake of FAIL so far */
	uint64_t rejected; /* looks that were no counts: while there is one, no PASS */
} wr_canary_errors;

typedef struct wr_canary_latency {
	int64_t target, reference; /* samples so far */
	double ahead;              /* pairs in which the target was the slower one, ties half … */
	double pairs;              /* … of so many */
	double log_fail[WR_CANARY_FAILS], log_pass[WR_CANARY_PASSES];
	double fail_sup;
	uint64_t rejected;
	/* The mean stakes of looks of this size, which hardly ever changes. */
	size_t cached_target, cached_reference;
	double cached_fail[WR_CANARY_FAILS], cached_pass[WR_CANARY_PASSES];
} wr_canary_latency;

typedef struct wr_canary {
	wr_gate_verdict verdict;
	int64_t n, n_reference; /* samples of the target, of the reference */
	int64_t n_needed;       /* of the target, until PASS can be expected of one that is no worse and
	                           goes on like this; -1 unknown */
	int64_t to_verdict_ms;  /* the time that takes; 0: there is a verdict, -1 unknown */
	double effect;          /* as seen: odds ratio, or the chance that the target is the slower of
	                           a pair; -1 unknown */
	double detectable;      /* the least effect that FAIL can be expected of by now; -1 none */
	double log_fail, log_pass; /* natural logarithms of the stakes */
	char text[256];
} wr_canary;

/* Is the policy one that can be (0 < alpha, beta < 1; 0 < tolerance < margin …)? */
WR_CHECKED bool wr_canary_policy_ok(const wr_canary_policy *p);

/* One look: the counts since the last one. False: they are no counts; they are left aside. */
bool wr_canary_errors_add(wr_canary_errors *c, const wr_canary_policy *p, wr_canary_counts target,
                          wr_canary_counts reference);
void wr_canary_errors_judge(wr_canary *out, const wr_canary_errors *c, const wr_canary_policy *p,
                            int64_t elapsed_ms);

/* One look: the latencies since the last one, in any unit, none below 0. A look in which one side
 * has none says nothing of the other. False: they are no latencies, or too many. */
bool wr_canary_latency_add(wr_canary_latency *c, const wr_canary_policy *p, const double *target,
                           size_t target_count, const double *reference, size_t reference_count);
void wr_canary_latency_judge(wr_canary *out, const wr_canary_latency *c, const wr_canary_policy *p,
                             int64_t elapsed_ms);

/* One side against an absolute limit of its error rate, of all its samples so far: FAIL against
 * "at most limit", PASS against "at least limit". The policy's alpha, beta, min_samples count. */
void wr_canary_rate_judge(wr_canary *out, wr_canary_counts counts, double limit,
                          const wr_canary_policy *p, int64_t elapsed_ms);

/* The verdict over several metrics: FAIL if any fails, else NO DATA, else INCONCLUSIVE, and PASS
 * only if all pass; NO DATA of none. False alarms add up: divide alpha by the number of metrics. */
wr_gate_verdict wr_canary_overall(const wr_canary *metrics, size_t count);

#endif
