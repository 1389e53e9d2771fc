/* attention.h - causal attention over paged keys and values.
 *
 * Pure but for their outputs; any thread. docs/numerics.md ("Attention") defines the bits. */
#ifndef WORKER_ENGINE_ATTENTION_H
#define WORKER_ENGINE_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "proto/model/config.h"
#include "worker/engine/kernels.h"
#include "worker/engine/kv.h"

/* Floats of scratch that attention_rows needs for positions below max_positions. */
size_t attention_scratch(const struct model_config *c, uint32_t max_positions);

/* The most rows that one call of attention_rows may take, the first of them at pos; at least 1. */
uint32_t attention_tile_rows(const struct model_config *c, uint32_t max_positions, uint32_t pos);

/* n_rows rows of seq at pos, pos + 1 ..: the query heads that share kv_head attend to positions 0
 * up to their row's own. q and out are [n_rows][n_heads][head_dim]; only this group's heads are
 * read and written. A row's bits do not depend on n_rows. */
void attention_rows(const struct model_config *c, const struct kernels *kn,
                    const struct kv_pool *kv, const struct kv_seq *seq, uint32_t layer,
                    uint32_t kv_head, uint32_t pos, uint32_t n_rows, const float *q, float *out,
                    float *scratch);

#endif
