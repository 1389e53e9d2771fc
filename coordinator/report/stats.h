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

#endif
