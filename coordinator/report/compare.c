/* compare.c - see compare.h. */
#include "coordinator/report/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/figures.h"
#include "coordinator/report/problem_index.h"
#include "coordinator/report/resample.h"
#include "proto/mem.h"

/* ---- pairs ---- */

/* In the order of base's problems. */
static void pair_problems(struct comparison *c)
{
    const struct group_stats *a = c->base, *b = c->other;
    struct problem_index ids;
    uint32_t shared = 0, at;
    problem_index_make(&ids, b);
    c->at_base = px_xcalloc((size_t)a->n_problems + 1, sizeof *c->at_base);
    c->at_other = px_xcalloc((size_t)a->n_problems + 1, sizeof *c->at_other);
    for (uint32_t i = 0; i < a->n_problems; i++) {
        if (!problem_index_find(&ids, group_problem(a, i), &at)) {
            c->only_base++;
            continue;
        }
        shared++;
        if (!a->problem_done[i] || !b->problem_done[at]) {
            c->undone++;
            continue;
        }
        c->at_base[c->n] = i;
        c->at_other[c->n++] = at;
    }
    c->only_other = b->n_problems - shared;
    problem_index_clear(&ids);
}

/* ---- numbers ---- */

static const struct metric_stats *metric_in(const struct comparison *c, const struct group_stats *g)
{
    return group_metric(g, c->metric);
}

int comparison_sign(const struct comparison *c, uint32_t i)
{
    const struct metric_stats *a = metric_in(c, c->base), *b = metric_in(c, c->other);
    double x = figure_value(c->base, a, &c->at_base[i], 1);
    double y = figure_value(c->other, b, &c->at_other[i], 1);
    int sign = y > x ? 1 : y < x ? -1 : 0;
    return c->lower_is_better ? -sign : sign;
}

static void count_signs(struct comparison *c)
{
    const struct metric_stats *a = metric_in(c, c->base);
    for (uint32_t i = 0; i < c->n; i++) {
        int sign = comparison_sign(c, i);
        c->gained += sign > 0;
        c->lost += sign < 0;
        c->both += c->exact && sign == 0 && a->problem[c->at_base[i]] >= 1;
    }
}

static void test_exact(struct comparison *c)
{
    uint32_t up = c->lower_is_better ? c->lost : c->gained;
    uint32_t down = c->lower_is_better ? c->gained : c->lost;
    double n = c->n;
    c->p = stats_mcnemar(c->gained, c->lost);
    c->interval = stats_paired_proportions(c->both, up, down, c->n);
    c->detectable = stats_detectable_share(n > 0 ? (c->gained + c->lost) / n : 0, c->n);
}

static void test_bootstrap(struct comparison *c)
{
    double *a = px_xcalloc((size_t)c->n + 1, sizeof *a);
    double *b = px_xcalloc((size_t)c->n + 1, sizeof *b);
    double mean, variance;
    figure_parts(c->base, metric_in(c, c->base), c->at_base, c->n, a);
    figure_parts(c->other, metric_in(c, c->other), c->at_other, c->n, b);
    for (uint32_t i = 0; i < c->n; i++)
        b[i] -= a[i];
    uint64_t key = resample_key(c->base->task->digest, c->metric);
    struct resampled r = resample_mean(b, c->n, key, RESAMPLE_REPLICATES);
    stats_moments(b, c->n, &mean, &variance);
    c->p = r.p;
    c->interval = r.interval;
    c->detectable = stats_detectable_mean(sqrt(variance), c->n);
    free(a);
    free(b);
}

bool comparison_same_problems(const struct group_stats *a, const struct group_stats *b)
{
    return strcmp(a->task->digest, b->task->digest) == 0 ||
           (*a->task->problems && strcmp(a->task->problems, b->task->problems) == 0);
}

static int check_tasks(const struct group_stats *a, const struct group_stats *b, struct px_err *err)
{
    if (strcmp(a->task->name, b->task->name) != 0)
        return px_fail(err, PX_EUSAGE, "%s and %s are different tasks: nothing to pair",
                       a->task->name, b->task->name);
    if (comparison_same_problems(a, b))
        return 0;
    return px_fail(err, PX_EUSAGE,
                   "the two sides ran different versions of task %s (digests %.12s and %.12s): "
                   "their problems are not the same; run both with one task file",
                   a->task->name, a->task->digest, b->task->digest);
}

int compare_groups(const struct group_stats *base, const struct group_stats *other,
                   const char *metric, struct comparison *out, struct px_err *err)
{
    if (check_tasks(base, other, err) != 0)
        return -1;
    const char *name = metric ? metric : base->task->headline;
    const struct metric_stats *a = group_metric(base, name), *b = group_metric(other, name);
    if (!a || !b)
        return px_fail(err, PX_EUSAGE, "task %s has no metric '%s' in %s", base->task->name, name,
                       a ? other->cell->names[0] : base->cell->names[0]);
    struct comparison c = {.base = base, .other = other, .metric = a->name};
    bool headline = strcmp(name, base->task->headline) == 0;
    c.lower_is_better = headline && base->task->lower_is_better;
    pair_problems(&c);
    c.exact = a->kind == METRIC_MEAN && a->binary && b->binary && base->samples == 1 &&
              other->samples == 1 && base->turns == 1;
    c.base_value = figure_value(base, a, c.at_base, c.n);
    c.other_value = figure_value(other, b, c.at_other, c.n);
    c.difference = c.n ? c.other_value - c.base_value : 0;
    count_signs(&c);
    if (c.exact)
        test_exact(&c);
    else
        test_bootstrap(&c);
    c.p_holm = c.p;
    *out = c;
    return 0;
}

void comparison_clear(struct comparison *c)
{
    free(c->at_base);
    free(c->at_other);
    memset(c, 0, sizeof *c);
}
