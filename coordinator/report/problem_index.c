/* problem_index.c - see problem_index.h. */
#include "coordinator/report/problem_index.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct problem_name *)a)->id, ((const struct problem_name *)b)->id);
}

void problem_index_make(struct problem_index *x, const struct group_stats *g)
{
    x->n = g->n_problems;
    x->names = px_xcalloc((size_t)x->n + 1, sizeof *x->names);
    for (uint32_t i = 0; i < x->n; i++)
        x->names[i] = (struct problem_name){group_problem(g, i), i};
    qsort(x->names, x->n, sizeof *x->names, by_id);
}

void problem_index_clear(struct problem_index *x)
{
    free(x->names);
    memset(x, 0, sizeof *x);
}

bool problem_index_find(const struct problem_index *x, const char *id, uint32_t *at)
{
    struct problem_name key = {id, 0};
    const struct problem_name *hit = bsearch(&key, x->names, x->n, sizeof *x->names, by_id);
    if (hit)
        *at = hit->at;
    return hit != NULL;
}
