/* sample.h - from logits to a token, reproducibly.
 *
 * No state: the random number of a position is Philox-4x32-10 keyed by the seed, with the
 * counter (problem, sample, position), so a token never depends on what was drawn before or
 * elsewhere. Sums run in double in a fixed order with our own exp and log; every table of kernels
 * gives the same. Pure functions. */
#ifndef WORKER_ENGINE_SAMPLE_H
#define WORKER_ENGINE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"
#include "worker/engine/kernels.h"

/* Best logit; ties go to the lower id. n >= 1. */
uint32_t sample_argmax(const struct kernels *kn, const float *logits, uint32_t n);

/* False when any logit is NaN or infinite. */
bool sample_finite(const float *logits, uint32_t n);

/* log(sum exp(logit)) = max + log(sum), in id order. */
double sample_log_sum_exp(const struct kernels *kn, const float *logits, uint32_t n);

struct sample_key {
    uint64_t seed;
    uint64_t problem; /* sample_problem_hash */
    uint32_t sample;
    uint32_t position; /* index of the generated token: 0, 1 ... */
};

/* First eight bytes, little-endian, of the SHA-256 of the problem's id. */
uint64_t sample_problem_hash(const char *problem);

/* Uniform in [0, 1) with 53 bits. */
double sample_uniform(const struct sample_key *key);
/* The generator itself: ten rounds of Philox-4x32. */
void sample_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

int sample_check(const struct sampler_spec *s, struct px_err *err) PX_MUST_CHECK;

/* Draws a token: logits are divided by the temperature, then top-k, top-p and min-p each keep a
 * head of the tokens ordered by (logit descending, id ascending), then one is drawn from what is
 * left. Temperature 0 is argmax. s must have passed sample_check. */
uint32_t sample_token(const struct kernels *kn, const float *logits, uint32_t n,
                      const struct sampler_spec *s, const struct sample_key *key);

#endif
