/* admission.c - the order of admission.h. */
#include "worker/engine/admission.h"

#include <stdlib.h>

static int by_rank(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    bool x_first = !admission_may_pass(x), y_first = !admission_may_pass(y);
    if (x_first != y_first)
        return x_first ? -1 : 1;
    if (!x_first && x->shared != y->shared)
        return x->shared > y->shared ? -1 : 1;
    if (!x_first && x->work != y->work)
        return x->work > y->work ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

void admission_sort(struct candidate *c, uint32_t n)
{
    qsort(c, n, sizeof *c, by_rank);
}

bool admission_may_pass(const struct candidate *c)
{
    return c->overtaken < OVERTAKEN_MOST;
}
