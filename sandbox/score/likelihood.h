/* likelihood.h - probabilities from loglikelihoods, the same bits on every machine.
 *
 * exp is our own (libm picks variants by processor): argument reduced by ln 2 in two parts, a
 * polynomial, scaled exactly; within 2 units in the last place. */
#ifndef SANDBOX_SCORE_LIKELIHOOD_H
#define SANDBOX_SCORE_LIKELIHOOD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/unit.h"

/* e to the x; 0 below -708, NaN gives 0. For x <= 0 only: more than 0 counts as 0. */
double likelihood_exp(double x);

/* out[i] = exp(logprob[i]) / sum. A NaN counts as probability 0; when there is no finite maximum
 * nothing is known and all are equal. */
void likelihood_softmax(const struct choice_score *c, uint32_t n, double *out);

#endif
