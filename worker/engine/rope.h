/* rope.h - rotary positions: frequencies with the scaling that a model asks for, and turning.
 *
 * Pure but for their outputs; any thread. docs/numerics.md ("Rotation") defines the bits. YaRN:
 * Peng et al., arXiv 2309.00071, with the limits and the magnitude as in llama.cpp. */
#ifndef WORKER_ENGINE_ROPE_H
#define WORKER_ENGINE_ROPE_H

#include <stdint.h>

#include "proto/model/config.h"

/* Radians per position of each of rope_dims / 2 pairs; factors, which divide them, or NULL. */
void rope_frequencies(const struct model_config *c, const float *factors, double *freqs);

/* What cosines and sines are multiplied by; 1 unless the model asks for more. */
double rope_magnitude(const struct model_config *c);

/* cos and sin [n] of pos * freqs[i], times the magnitude, in double, rounded once. */
void rope_angles(const double *freqs, uint32_t n, double magnitude, uint32_t pos, float *cos_out,
                 float *sin_out);

/* Rotates the first rope_dims values of each of n_heads heads in place. */
void rope_rotate(const struct model_config *c, const float *cos_in, const float *sin_in,
                 uint32_t n_heads, float *x);

#endif
