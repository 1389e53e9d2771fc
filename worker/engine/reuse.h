/* reuse.h - layer reuse: in most decode steps some layers repeat what they last did.
 *
 * Decode step t = 0, 1, 2 ... of a sequence counts from the end of its prefill; step t is a
 * refresh when t mod k = 0. In the other steps every layer of the subset is reused:
 *   skip    x passes through unchanged
 *   delta   x += (output - input) of this layer at the last refresh
 *   output  x = output of this layer at the last refresh
 * The position still needs keys and values in that layer:
 *   project they are computed from the layer's present input
 *   copy    those of the last refresh, the key before its rotation, rotated for this position
 * Prefill and loglikelihood are never reused. k <= 1 or an empty subset is no reuse at all: the
 * same code runs, the same bits come out. State belongs to one sequence. */
#ifndef WORKER_ENGINE_REUSE_H
#define WORKER_ENGINE_REUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/model/config.h"
#include "proto/unit.h"

struct reuse;

/* Layers ascending and below n_layers, mode and kv known. */
int reuse_check(const struct reuse_spec *spec, uint32_t n_layers, struct px_err *err) PX_MUST_CHECK;
/* Bytes of state of one sequence. */
uint64_t reuse_bytes(const struct reuse_spec *spec, const struct model_config *c);

/* NULL when the spec means no reuse. Owned; spec must have passed reuse_check. */
struct reuse *reuse_new(const struct reuse_spec *spec, const struct model_config *c);
void reuse_free(struct reuse **r);

/* Steps on to the next decode step; returns true when it is a refresh. */
bool reuse_next_step(struct reuse *r);
/* In the present step: is this layer reused, or must its results be kept (a refresh)? */
bool reuse_is_reused(const struct reuse *r, uint32_t layer);
bool reuse_is_kept(const struct reuse *r, uint32_t layer);
bool reuse_copies_kv(const struct reuse *r); /* kv: copy */

/* Refresh: remember what the layer made of x [n_embd]: its input and its output. */
void reuse_keep(struct reuse *r, uint32_t layer, const float *x_in, const float *x_out);
/* Refresh with kv: copy: the key before rotation and the value [n_kv_heads * head_dim]. */
void reuse_keep_kv(struct reuse *r, uint32_t layer, const float *k, const float *v);
const float *reuse_k(const struct reuse *r, uint32_t layer);
const float *reuse_v(const struct reuse *r, uint32_t layer);
/* Reused step: changes x [n_embd] as the mode says and counts the layer-step. */
void reuse_apply(struct reuse *r, uint32_t layer, float *x);

struct reuse_counters {
    uint32_t refresh_steps;
    uint64_t reused_layer_steps;
};
struct reuse_counters reuse_counters(const struct reuse *r);

/* The layers that a name stands for: first = 1 .. size (layer 0 never), middle = n/2 - size/2
 * onwards, last = the final ones; size is clamped to n_layers - 1. *layers is owned. */
int reuse_subset(const char *name, uint32_t size, uint32_t n_layers, uint32_t **layers, uint32_t *n,
                 struct px_err *err) PX_MUST_CHECK;

#endif
