/* resample.c - see resample.h. */
#include "coordinator/report/resample.h"

#include <math.h>
#include <stdlib.h>

#include "proto/digest.h"
#include "proto/mem.h"

uint64_t resample_key(const char *task_digest, const char *metric)
{
    struct px_hash *h = px_hash_new("proctor paired bootstrap 1");
    px_hash_str(h, task_digest);
    px_hash_str(h, metric);
    struct px_digest d = px_hash_end(&h);
    uint64_t key = 0;
    for (int i = 0; i < 8; i++)
        key = key << 8 | d.b[i];
    return key;
}

uint64_t resample_bits(uint64_t key, uint64_t i)
{
    uint64_t z = key + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Student's statistic of one replicate of the centred values. */
static double replicate(const double *centred, uint64_t n, double variance, uint64_t key,
                        uint64_t *counter)
{
    double sum = 0, squares = 0, N = (double)n;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = (resample_bits(key, (*counter)++) >> 32) * n >> 32;
        double v = centred[at];
        sum += v;
        squares += v * v;
    }
    double mean = sum / N, var = (squares - sum * mean) / (N - 1);
    if (var <= 1e-9 * variance)
        return mean > 0 ? INFINITY : mean < 0 ? -INFINITY : 0;
    return mean / sqrt(var / N);
}

static struct resampled all_equal(double mean, uint64_t n)
{
    bool none = !(mean > 0) && !(mean < 0);
    return (struct resampled){none ? 1 : stats_mcnemar(n, 0), {mean, mean}};
}

struct resampled resample_mean(const double *d, uint64_t n, uint64_t key, uint32_t replicates)
{
    double mean, variance;
    stats_moments(d, n, &mean, &variance);
    if (n < 2 || n >> 32)
        return (struct resampled){1, {NAN, NAN}};
    if (!(variance > 0))
        return all_equal(mean, n);
    double *t = px_xcalloc(replicates, sizeof *t);
    double *centred = px_xcalloc(n, sizeof *centred);
    double se = sqrt(variance / (double)n), have = fabs(mean / se);
    uint64_t counter = 0, extreme = 1;
    for (uint64_t i = 0; i < n; i++)
        centred[i] = d[i] - mean;
    for (uint32_t b = 0; b < replicates; b++) {
        t[b] = replicate(centred, n, variance, key, &counter);
        extreme += fabs(t[b]) >= have;
    }
    qsort(t, replicates, sizeof *t, by_value);
    uint32_t cut = (uint32_t)(0.025 * replicates);
    double student = stats_t_quantile(n - 1);
    double low = t[cut], high = t[replicates - 1 - cut];
    struct interval v = {mean - (isfinite(high) ? high : student) * se,
                         mean - (isfinite(low) ? low : -student) * se};
    free(t);
    free(centred);
    return (struct resampled){(double)extreme / (replicates + 1.0), v};
}
