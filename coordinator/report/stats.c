/* stats.c - see stats.h. Binomial sums go through log-gamma, so a million trials are fine. */
#include "coordinator/report/stats.h"

#include <math.h>
#include <stdlib.h>

#include "proto/mem.h"

#define Z95 1.959963984540054  /* 97.5 % quantile of the normal distribution */
#define Z80 0.8416212335729143 /* its 80 % quantile */

struct interval stats_wilson(uint64_t k, uint64_t n)
{
    if (n == 0)
        return (struct interval){0, 1};
    double N = (double)n, p = (double)k / N, zz = Z95 * Z95;
    double mid = (p + zz / (2 * N)) / (1 + zz / N);
    double half = Z95 / (1 + zz / N) * sqrt(p * (1 - p) / N + zz / (4 * N * N));
    /* the ends of a sure thing are exact; rounding must not say otherwise */
    return (struct interval){k == 0 ? 0 : fmax(0, mid - half), k == n ? 1 : fmin(1, mid + half)};
}

/* 97.5 % quantile of Student's t: a table for few degrees, then Cornish-Fisher (Abramowitz and
 * Stegun 26.7.5), whose error is below 1e-4 from 10 degrees on. */
double stats_t_quantile(uint64_t degrees)
{
    static const double table[] = {12.706205, 4.302653, 3.182446, 2.776445, 2.570582,
                                   2.446912,  2.364624, 2.306004, 2.262157, 2.228139};
    if (degrees <= sizeof table / sizeof *table)
        return table[degrees - 1];
    double z = Z95, z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z, v = (double)degrees;
    return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
           (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
}

struct interval stats_mean(double sum, double sum_of_squares, uint64_t n)
{
    if (n < 2)
        return (struct interval){NAN, NAN};
    double N = (double)n, mean = sum / N;
    double var = fmax(0, (sum_of_squares - N * mean * mean) / (N - 1));
    double half = stats_t_quantile(n - 1) * sqrt(var / N);
    return (struct interval){mean - half, mean + half};
}

static double log_choose(double n, double k)
{
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

static double point(uint64_t k, uint64_t n, double p)
{
    if (p <= 0)
        return k == 0;
    if (p >= 1)
        return k == n;
    return exp(log_choose((double)n, (double)k) + (double)k * log(p) + (double)(n - k) * log1p(-p));
}

/* Sums lo .. hi from the side of the larger terms, until they no longer count. */
static double sum_points(uint64_t lo, uint64_t hi, uint64_t n, double p)
{
    double mode = (double)n * p, total = 0;
    if ((double)hi <= mode) {
        for (uint64_t k = hi + 1; k-- > lo;) {
            double t = point(k, n, p);
            total += t;
            if (t < total * 1e-17)
                break;
        }
    } else {
        for (uint64_t k = lo; k <= hi; k++) {
            double t = point(k, n, p);
            total += t;
            if ((double)k > mode && t < total * 1e-17)
                break;
        }
    }
    return fmin(1, total);
}

double stats_binomial_at_most(uint64_t k, uint64_t n, double p)
{
    return k >= n ? 1 : sum_points(0, k, n, p);
}

double stats_binomial_at_least(uint64_t k, uint64_t n, double p)
{
    return k == 0 ? 1 : k > n ? 0 : sum_points(k, n, n, p);
}

/* P(X <= k) for n fair coins by a recurrence of products alone: the same bits on every machine,
 * which log-gamma does not promise. n at most 1,000, so that 2^-n is a normal number. */
static double coins_at_most(uint64_t k, uint64_t n)
{
    double term = ldexp(1, -(int)n), total = term;
    for (uint64_t i = 1; i <= k; i++) {
        term = term * (double)(n - i + 1) / (double)i;
        total += term;
    }
    return total;
}

double stats_mcnemar(uint64_t gained, uint64_t lost)
{
    uint64_t few = gained < lost ? gained : lost, n = gained + lost;
    if (n == 0)
        return 1;
    return fmin(1, 2 * (n <= 1000 ? coins_at_most(few, n) : stats_binomial_at_most(few, n, 0.5)));
}

double stats_pass_at(uint64_t n, uint64_t c, uint64_t k)
{
    double miss = 1;
    if (n - c < k)
        return 1;
    for (uint64_t i = n - c + 1; i <= n; i++)
        miss *= 1 - (double)k / (double)i;
    return 1 - miss;
}

void stats_moments(const double *x, uint64_t n, double *mean, double *variance)
{
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += x[i];
    *mean = n ? sum / (double)n : NAN;
    for (uint64_t i = 0; i < n; i++)
        squares += (x[i] - *mean) * (x[i] - *mean);
    *variance = n > 1 ? squares / (double)(n - 1) : NAN;
}

double stats_exp(double x)
{
    /* ln 2 in two parts: k times the first is exact */
    static const double ln2_hi = 0x1.62e42fefap-1, ln2_lo = 0x1.cf79abc9e3b39p-40;
    if (isnan(x))
        return x;
    if (x > 710)
        return INFINITY;
    if (x < -746)
        return 0;
    double k = nearbyint(x / (ln2_hi + ln2_lo));
    double r = (x - k * ln2_hi) - k * ln2_lo, sum = 1;
    for (int i = 18; i > 0; i--) /* |r| <= 0.35: the 19th term is below 1e-25 */
        sum = 1 + r / i * sum;
    return ldexp(sum, (int)k);
}

struct interval stats_paired_proportions(uint64_t both, uint64_t gained, uint64_t lost, uint64_t n)
{
    if (n == 0)
        return (struct interval){-1, 1};
    double N = (double)n, a = (double)both, b = (double)gained, c = (double)lost;
    double d = N - a - b - c, p1 = (a + b) / N, p2 = (a + c) / N;
    struct interval w1 = stats_wilson(both + gained, n), w2 = stats_wilson(both + lost, n);
    double margins = (a + b) * (c + d) * (a + c) * (b + d), phi = 0;
    if (margins > 0) {
        double t = a * d - b * c;
        /* Newcombe's continuity correction: only a positive correlation is made smaller */
        t = t > 0 ? fmax(0, t - N / 2) : t;
        phi = t / sqrt(margins);
    }
    double l1 = p1 - w1.lo, u1 = w1.hi - p1, l2 = p2 - w2.lo, u2 = w2.hi - p2;
    double below = sqrt(fmax(0, l1 * l1 - 2 * phi * l1 * u2 + u2 * u2));
    double above = sqrt(fmax(0, u1 * u1 - 2 * phi * u1 * l2 + l2 * l2));
    double diff = p1 - p2;
    return (struct interval){fmax(-1, diff - below), fmin(1, diff + above)};
}

struct ranked {
    double p;
    uint32_t at;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->p < y->p || y->p < x->p)
        return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void stats_holm(double *p, uint32_t n)
{
    struct ranked *r = px_xcalloc((size_t)n + 1, sizeof *r);
    double most = 0;
    for (uint32_t i = 0; i < n; i++)
        r[i] = (struct ranked){p[i], i};
    qsort(r, n, sizeof *r, by_p);
    for (uint32_t i = 0; i < n; i++) {
        most = fmax(most, fmin(1, r[i].p * (double)(n - i)));
        p[r[i].at] = most;
    }
    free(r);
}

/* Solves n delta^2 = (Z95 sqrt(psi) + Z80 sqrt(psi - delta^2))^2 for delta. */
static double connor(double psi, double n)
{
    double a = Z95 * sqrt(psi), w = n + Z80 * Z80;
    double under = a * a * n - w * (a * a - Z80 * Z80 * psi);
    return (a * sqrt(n) + sqrt(fmax(0, under))) / w;
}

double stats_detectable_share(double discordant, uint64_t n)
{
    enum { FEWEST = 6 }; /* 2 / 2^6 < 0.05 */
    if (n < FEWEST)
        return 1;
    double N = (double)n, psi = fmax(discordant, FEWEST / N), delta = connor(psi, N);
    /* a difference is at most the discordance: raise it until the two agree */
    for (int i = 0; i < 200 && delta > psi && psi < 1; i++) {
        psi = fmin(1, delta);
        delta = connor(psi, N);
    }
    return fmin(1, delta);
}

double stats_detectable_mean(double deviation, uint64_t n)
{
    return n < 2 ? INFINITY : (Z95 + Z80) * deviation / sqrt((double)n);
}
