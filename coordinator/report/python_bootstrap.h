/* python_bootstrap.h - the standard error that lm-evaluation-harness gives a perplexity.
 *
 * Its bootstrap_stderr: replicates in chunks of 1,000 (of all, when they are fewer), each chunk
 * with CPython's random.Random(number of the chunk); a replicate draws n values by choices(), and
 * the result is the sample standard deviation over the replicates. */
#ifndef COORDINATOR_REPORT_PYTHON_BOOTSTRAP_H
#define COORDINATOR_REPORT_PYTHON_BOOTSTRAP_H

#include <stdint.h>

/* Of exp(-mean(loglikelihoods[0 .. n-1])). iterations: its --bootstrap_iters, 100,000 by default;
 * what does not fill a chunk is not drawn. NaN when n or the replicates are fewer than 2. Takes
 * n x iterations draws. */
double python_bootstrap_perplexity(const double *loglikelihoods, uint32_t n, uint32_t iterations);

#endif
