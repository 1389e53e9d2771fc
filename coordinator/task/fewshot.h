/* fewshot.h - which rows of a pool are a problem's solved examples. */
#ifndef COORDINATOR_TASK_FEWSHOT_H
#define COORDINATOR_TASK_FEWSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

#define FEWSHOT_MAX 64

enum fewshot_selection { FEWSHOT_RANDOM, FEWSHOT_FIRST, FEWSHOT_LM_EVAL };

struct fewshot_draw {
    enum fewshot_selection selection;
    uint64_t seed;       /* random: the recipe's; lm-eval: the task's */
    const char *task;    /* random: part of the key */
    uint32_t n_pool;     /* rows to draw from */
    uint32_t n_problems; /* of the task */
    bool one_more;       /* lm-eval: n + 1 are drawn and the last is dropped, as if from own rows */
    bool own_rows;       /* the pool is the task's own rows: problem i is row i of it */
};

/* Draws of one process over all problems, which lm-eval makes in one go; filled at first use. */
struct fewshot_table {
    uint32_t n; /* shots it was made for; 0: none yet */
    uint32_t *rows;
};

/* Are there n rows to draw for a problem? */
int fewshot_check(const struct fewshot_draw *d, uint32_t n, struct px_err *err) PX_MUST_CHECK;
/* n different rows for problem i (its id keys the random draw), never the problem itself. */
int fewshot_pick(const struct fewshot_draw *d, struct fewshot_table *table, uint32_t i,
                 const char *id, uint32_t n, uint32_t *out, struct px_err *err) PX_MUST_CHECK;
void fewshot_table_clear(struct fewshot_table *t);

#endif
