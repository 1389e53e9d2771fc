/* python_bootstrap.c - see python_bootstrap.h. */
#include "coordinator/report/python_bootstrap.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/report/stats.h"
#include "proto/mem.h"
#include "proto/python_random.h"

enum { CHUNK = 1000 };

static double replicate(struct python_random *r, const double *x, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[python_random_choice(r, n)];
    return stats_exp(-sum / n);
}

double python_bootstrap_perplexity(const double *loglikelihoods, uint32_t n, uint32_t iterations)
{
    uint32_t chunk = iterations < CHUNK ? iterations : CHUNK;
    uint32_t chunks = chunk ? iterations / chunk : 0, total = chunks * chunk;
    if (n < 2 || total < 2)
        return NAN;
    double *values = px_xcalloc(total, sizeof *values);
    for (uint32_t c = 0; c < chunks; c++) {
        struct python_random r = {0};
        python_random_seed(&r, c);
        for (uint32_t i = 0; i < chunk; i++)
            values[c * chunk + i] = replicate(&r, loglikelihoods, n);
    }
    double mean, variance;
    stats_moments(values, total, &mean, &variance);
    free(values);
    return sqrt(variance);
}
