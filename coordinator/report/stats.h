/* stats.h - the statistics that go with a published number. Pure; exact where a formula exists. */
#ifndef COORDINATOR_REPORT_STATS_H
#define COORDINATOR_REPORT_STATS_H

#include <stdint.h>

struct interval {
    double lo, hi;
};

/* Wilson's 95 % score interval of a proportion k / n (Wilson 1927). n = 0: [0, 1]. */
struct interval stats_wilson(uint64_t k, uint64_t n);

/* 95 % interval of a mean of n values by Student's t (n = 1: the value itself, both ends NaN). */
struct interval stats_mean(double sum, double sum_of_squares, uint64_t n);

/* P(X <= k) and P(X >= k), X binomial(n, p). */
double stats_binomial_at_most(uint64_t k, uint64_t n, double p);
double stats_binomial_at_least(uint64_t k, uint64_t n, double p);

/* Exact two-sided McNemar test: of gained + lost discordant pairs, is the split a fair coin's?
 * 1 when there is no such pair. */
double stats_mcnemar(uint64_t gained, uint64_t lost);

/* Unbiased pass@k of one problem with c right of n samples (Chen et al. 2021): 1 - C(n-c, k) /
 * C(n, k). k <= n. */
double stats_pass_at(uint64_t n, uint64_t c, uint64_t k);

/* Mean and sample variance (n - 1; NaN for n < 2) of x[0 .. n-1], in two passes. */
void stats_moments(const double *x, uint64_t n, double *mean, double *variance);

/* 97.5 % quantile of Student's t; degrees >= 1. */
double stats_t_quantile(uint64_t degrees);

/* e to the x by products and sums alone: the same bits on every machine, within 2 units in the last
 * place. 0 and infinity beyond the range of doubles. */
double stats_exp(double x);

/* 95 % interval of the difference of two proportions on the same n items, by Newcombe's method 10
 * (1998) from both Wilson intervals: `both` items are right in both, `gained` in the first alone,
 * `lost` in the second alone. The difference is (gained - lost) / n. n = 0: [-1, 1]. */
struct interval stats_paired_proportions(uint64_t both, uint64_t gained, uint64_t lost, uint64_t n);

/* Adjusts n p values in place by Holm's step-down method (1979): family-wise error at most alpha
 * when the adjusted value is at most alpha. */
void stats_holm(double *p, uint32_t n);

/* The smallest difference that a paired comparison of n items sees with power 0.8 at a two-sided
 * level of 0.05: of proportions whose share of discordant items is `discordant` (Connor 1987; a
 * difference needs at least that much discordance, and the exact test at least six items that
 * changed), and of means whose differences have the standard deviation `deviation`. 1 (infinity for
 * means) when n is too small for any. */
double stats_detectable_share(double discordant, uint64_t n);
double stats_detectable_mean(double deviation, uint64_t n);

#endif
