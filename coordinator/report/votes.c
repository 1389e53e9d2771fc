/* votes.c - see votes.h. */
#include "coordinator/report/votes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

void votes_begin(struct votes *v, uint32_t n_problems)
{
    memset(v, 0, sizeof *v);
    v->n_problems = n_problems;
    v->binary = true;
}

void votes_cast(struct votes *v, const char *answer, uint32_t n_answer, double value)
{
    if (v->n_problems == 0)
        return;
    struct px_digest d = px_sha256(answer, n_answer);
    PX_GROW(v->cast, v->n, v->cap);
    v->cast[v->n] = (struct vote){px_load_u64(d.b), v->n, n_answer > 0, value};
    v->n++;
}

static int order(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;
    if (x->parsed != y->parsed)
        return x->parsed ? -1 : 1;
    if (x->answer != y->answer)
        return x->answer < y->answer ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* The winner's first sample; equal answers lie side by side. */
static const struct vote *winner(struct votes *v)
{
    const struct vote *best = NULL;
    uint32_t most = 0;
    qsort(v->cast, v->n, sizeof *v->cast, order);
    for (uint32_t i = 0, n; i < v->n; i += n) {
        const struct vote *first = &v->cast[i];
        n = 1;
        while (i + n < v->n && v->cast[i + n].parsed == first->parsed &&
               v->cast[i + n].answer == first->answer)
            n++;
        if (best && best->parsed && !first->parsed)
            break;
        if (n > most || (n == most && first->at < best->at)) {
            best = first;
            most = n;
        }
    }
    return best;
}

void votes_close(struct votes *v)
{
    if (v->n == 0)
        return;
    double x = winner(v)->value;
    v->sum += x;
    v->sum_of_squares += x * x;
    v->binary = v->binary && (!(x > 0) || !(x < 1)) && x >= 0 && x <= 1;
    v->n = 0;
}

void votes_end(struct votes *v, struct majority *out)
{
    out->valid = v->n_problems > 0;
    if (out->valid) {
        out->value = v->sum / v->n_problems;
        out->interval = v->binary ? stats_wilson((uint64_t)llround(v->sum), v->n_problems)
                                  : stats_mean(v->sum, v->sum_of_squares, v->n_problems);
    }
    free(v->cast);
    memset(v, 0, sizeof *v);
}
