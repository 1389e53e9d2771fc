/* batch.h - the rows of one forward pass: who gets how many, and where their pages are.
 *
 * Every decoding unit gets its row, and rows for guesses where they pay (draft.h). What is left of
 * the pass goes to prompts and choices in the order in which their units began, so that units that
 * share a head stand side by side. A head that somebody else is computing is waited for or copied
 * (prefix_tree.h), never computed twice. Used by engine.c alone, on its thread. */
#ifndef WORKER_ENGINE_BATCH_H
#define WORKER_ENGINE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/engine/forward.h"
#include "worker/engine/pace.h"
#include "worker/engine/prefix_tree.h"
#include "worker/engine/slot.h"

/* What a row of the present pass is for. */
struct row_use {
    struct slot *slot;
    struct lane *lane;
    uint32_t index; /* lane: row of its feed; decoding: 0, then its guesses from 1 */
};

struct batch {
    struct prefix_tree *tree;
    const struct pace *pace;
    uint32_t max_rows;
    bool speculates;          /* guesses where they pay */
    uint32_t n_forced;        /* guesses so many always, for tests; 0: where they pay */
    struct forward_row *rows; /* [max_rows], the first n are this pass */
    struct row_use *uses;     /* [max_rows] */
    uint32_t n;
    uint64_t n_drafted; /* guessed tokens so far */
};

/* tree and pace are borrowed for its life. */
void batch_init(struct batch *b, struct prefix_tree *tree, const struct pace *pace,
                uint32_t max_rows);
void batch_clear(struct batch *b);

/* Fills the pass from units that run, in order. */
void batch_build(struct batch *b, struct slot *const *running, uint32_t n);

#endif
