/* resample.h - the paired bootstrap: what chance alone could have made of a mean difference.
 *
 * Draws come from a counter (SplitMix64's finaliser over key + counter, Steele et al. 2014), so a
 * result depends on the values and the key alone, never on threads, order of calls or libm. */
#ifndef COORDINATOR_REPORT_RESAMPLE_H
#define COORDINATOR_REPORT_RESAMPLE_H

#include <stdint.h>

#include "coordinator/report/stats.h"

enum { RESAMPLE_REPLICATES = 10000 };

/* The key of a comparison: from its task's digest and its metric. */
uint64_t resample_key(const char *task_digest, const char *metric);

/* The i-th number of a key's stream, 64 bits. */
uint64_t resample_bits(uint64_t key, uint64_t i);

struct resampled {
    double p;                 /* two-sided: is the mean 0? */
    struct interval interval; /* 95 % */
};

/* Bootstrap-t (Efron and Tibshirani 1993, ch. 12) of the mean of d[0 .. n-1]: replicates are
 * centred at the mean and studentised, p counts those at least as extreme as the data, itself
 * included. A replicate without spread counts as extreme. When all d are equal and not 0, p is the
 * sign test's; n < 2 gives p = 1 and NaNs. Where the replicates leave an end of the interval
 * unbounded, it is Student's. */
struct resampled resample_mean(const double *d, uint64_t n, uint64_t key, uint32_t replicates);

#endif
