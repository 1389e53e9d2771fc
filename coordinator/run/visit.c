/* visit.c - units of one subset side by side: a counting sort of each group by subset. */
#include "coordinator/run/visit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "proto/mem.h"

struct visit {
    uint64_t *units;  /* by place */
    uint64_t *places; /* by unit */
};

static uint32_t subset_of(const struct plan *p, const struct plan_group *g, uint64_t unit)
{
    return task_subset(p->tasks[g->task], plan_unit_at(p, unit).problem);
}

/* Some subset of the group is left and comes again. */
static bool is_scattered(const struct plan *p, const struct plan_group *g)
{
    uint32_t n = task_n_subsets(p->tasks[g->task]), before = 0;
    if (n < 2 || g->n_units == 0)
        return false;
    PX_FREE bool *seen = px_xcalloc(n, sizeof *seen);
    for (uint64_t i = 0; i < g->n_units; i++) {
        uint32_t s = subset_of(p, g, g->first + i);
        if ((i == 0 || s != before) && seen[s])
            return true;
        seen[s] = true;
        before = s;
    }
    return false;
}

static void sort_group(struct visit *v, const struct plan *p, const struct plan_group *g)
{
    uint32_t n = task_n_subsets(p->tasks[g->task]);
    PX_FREE uint64_t *next = px_xcalloc((size_t)n + 1, sizeof *next);
    for (uint64_t i = 0; i < g->n_units; i++)
        next[subset_of(p, g, g->first + i) + 1]++;
    for (uint32_t s = 0; s < n; s++)
        next[s + 1] += next[s];
    for (uint64_t i = 0; i < g->n_units; i++) {
        uint64_t unit = g->first + i, place = g->first + next[subset_of(p, g, unit)]++;
        v->units[place] = unit;
        v->places[unit] = place;
    }
}

struct visit *visit_new(const struct plan *p)
{
    bool any = false;
    PX_FREE bool *scattered = px_xcalloc(p->n_groups + 1, sizeof *scattered);
    for (uint32_t g = 0; g < p->n_groups; g++)
        any |= scattered[g] = is_scattered(p, &p->groups[g]);
    if (!any)
        return NULL;
    struct visit *v = px_xcalloc(1, sizeof *v);
    v->units = px_xcalloc(p->n_units, sizeof *v->units);
    v->places = px_xcalloc(p->n_units, sizeof *v->places);
    for (uint64_t i = 0; i < p->n_units; i++)
        v->units[i] = v->places[i] = i;
    for (uint32_t g = 0; g < p->n_groups; g++)
        if (scattered[g])
            sort_group(v, p, &p->groups[g]);
    return v;
}

void visit_free(struct visit **vp)
{
    struct visit *v = *vp;
    if (v == NULL)
        return;
    free(v->units);
    free(v->places);
    free(v);
    *vp = NULL;
}

uint64_t visit_unit(const struct visit *v, uint64_t place)
{
    return v ? v->units[place] : place;
}

uint64_t visit_place(const struct visit *v, uint64_t unit)
{
    return v ? v->places[unit] : unit;
}
