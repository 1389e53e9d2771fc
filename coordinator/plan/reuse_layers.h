/* reuse_layers.h - a reuse subset by name becomes layers of a model with n layers.
 *
 * Sizes are clamped to n - 1 and are equal for all three names. first = 1 .. s (layer 0 is never
 * reused by it), middle = n/2 - s/2 .. + s - 1, last = n - s .. n - 1. */
#ifndef COORDINATOR_REUSE_LAYERS_H
#define COORDINATOR_REUSE_LAYERS_H

#include "coordinator/recipe/recipe.h"
#include "proto/err.h"

/* out->layers is owned. k = 1 or an empty subset gives reuse off (k = 1, no layers). */
int reuse_layers_resolve(const struct reuse_settings *s, uint32_t n_layers, struct reuse_spec *out,
                         struct px_err *err) PX_MUST_CHECK;

/* Upper bound of the decode speed-up: 1 / (1 - (s/n)(1 - 1/k)). */
double reuse_speedup_bound(const struct reuse_spec *r, uint32_t n_layers);

#endif
