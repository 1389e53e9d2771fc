/* attention.h - causal attention over paged keys and values.
 *
 * Rows of one pass that hold the same pages (a shared head, a question's choices, a prompt's own
 * chunk) read them together: a plan sorts a pass's rows so that sharers are neighbours and cuts
 * them into tiles; tasks of (tile, kv head) then run in any order on any thread. A row's bits are
 * a function of its own sequence: not of the plan, the other rows or the threads.
 * docs/numerics.md ("Attention") defines them. */
#ifndef WORKER_ENGINE_ATTENTION_H
#define WORKER_ENGINE_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

#include "proto/model/config.h"
#include "worker/engine/kernels.h"
#include "worker/engine/kv.h"

struct attention_row {
    const struct kv_seq *seq; /* holds the keys and values of positions 0 .. pos */
    uint32_t pos;
    uint32_t index; /* of the row in q and out */
};

/* Rows first .. first + n_rows - 1 of the plan. */
struct attention_tile {
    uint32_t first, n_rows;
    uint64_t positions; /* that its rows see, together: its cost */
};

/* rows and tiles are the caller's, at least as many of each as there are rows. */
struct attention_plan {
    struct attention_row *rows;
    struct attention_tile *tiles;
    uint32_t n_tiles;
    uint32_t n_parts; /* into which the query heads of one kv head are cut */
};

/* Sorts the n >= 1 rows of p and cuts them, with at least a few tasks for each of n_threads where
 * there is work for them. Every pos is below max_positions. */
void attention_plan(struct attention_plan *p, const struct model_config *c, uint32_t max_positions,
                    uint32_t n, uint32_t n_threads);
uint32_t attention_tasks(const struct attention_plan *p, const struct model_config *c);

struct attention {
    const struct model_config *c;
    const struct kernels *kn;
    const struct kv_pool *kv;
    const struct attention_plan *plan;
    uint32_t layer;
    uint32_t window; /* model_window: a row sees its own position and the window - 1 before it */
    const float *q;  /* [rows][n_heads][head_dim] */
    float *out;      /* the same */
};

/* Floats of scratch, a whole number of cache lines, that a task needs where all positions are below
 * max_positions. Tasks are fastest with scratch at a cache line. */
size_t attention_scratch(const struct model_config *c, uint32_t max_positions);

/* One of the plan's tasks: some query heads of some rows, which no other task writes. */
void attention_task(const struct attention *a, uint32_t task, float *scratch);

#endif
