/* forward.h - one pass of a batch of rows through the transformer.
 *
 * A row is (sequence, position, token); prefill chunks and decode steps of many sequences mix
 * freely. Every result depends on the row's own sequence alone: not on batch-mates, on how a
 * prompt was cut into chunks, on threads, or on pages being shared. docs/numerics.md defines the
 * arithmetic. One caller; the pool's threads work inside. */
#ifndef WORKER_ENGINE_FORWARD_H
#define WORKER_ENGINE_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "worker/engine/kernels.h"
#include "worker/engine/kv.h"
#include "worker/engine/model.h"
#include "worker/engine/reuse.h"
#include "worker/engine/threads.h"

struct forward_row {
    const struct kv_seq *seq; /* position `pos` is writable, earlier ones are there or are rows
                                 of this batch, of any sequence that shares the page */
    uint32_t pos;
    uint32_t token; /* < n_vocab */
    bool wants_logits;
    struct reuse *reuse; /* NULL, or the state of a decode step already begun */
};

struct forward;

/* Private memory that a pass of max_rows rows, with logits of max_logits at a time, will touch. */
uint64_t forward_bytes(const struct model *m, const struct kernels *kn, uint32_t max_rows,
                       uint32_t max_logits, uint32_t max_positions, uint32_t n_threads);

/* m, kn, th and kv are borrowed for its life. max_positions bounds `pos`.
 * NULL with err when the buffers' address space cannot be had. */
struct forward *forward_new(const struct model *m, const struct kernels *kn, struct threads *th,
                            struct kv_pool *kv, uint32_t max_rows, uint32_t max_logits,
                            uint32_t max_positions, struct px_err *err);
void forward_free(struct forward **f);

/* Computes n <= max_rows rows up to the output matrix: keys and values, and of the rows that want
 * logits what these are made of. Returns how many want them; rows stay borrowed until the last
 * forward_logits of this pass. */
uint32_t forward_pass(struct forward *f, const struct forward_row *rows, uint32_t n);
/* Logits [n][n_vocab] of the present pass: of rows first .. first + n - 1 among those that want
 * them, in row order; n <= max_logits. Borrowed until the next call of anything here. */
const float *forward_logits(struct forward *f, uint32_t first, uint32_t n);

/* Both at once, for at most max_logits rows that want logits. */
const float *forward_run(struct forward *f, const struct forward_row *rows, uint32_t n);

#endif
