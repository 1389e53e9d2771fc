/* parts.c - see parts.h. */
#include "coordinator/report/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/figures.h"
#include "proto/json.h"
#include "proto/mem.h"

/* ---- names ---- */

static void init_part(struct part_stats *p, const char *name, uint32_t n_metrics)
{
    p->name = px_xstrdup(name);
    p->family = PART_NONE;
    p->value = px_xcalloc((size_t)n_metrics + 1, sizeof *p->value);
    p->std_error = px_xcalloc((size_t)n_metrics + 1, sizeof *p->std_error);
    p->macro = px_xcalloc((size_t)n_metrics + 1, sizeof *p->macro);
    p->macro_std_error = px_xcalloc((size_t)n_metrics + 1, sizeof *p->macro_std_error);
    p->interval = (struct interval){NAN, NAN};
}

static uint32_t family_named(struct group_stats *g, const char *name)
{
    if (!*name)
        return PART_NONE;
    for (uint32_t i = 0; i < g->n_families; i++)
        if (strcmp(g->families[i].name, name) == 0)
            return i;
    init_part(&g->families[g->n_families], name, g->n_metrics);
    return g->n_families++;
}

static void name_parts(struct group_stats *g, struct json_object *list, uint32_t n)
{
    g->subsets = px_xcalloc(n, sizeof *g->subsets);
    g->families = px_xcalloc((size_t)n + 1, sizeof *g->families);
    g->n_subsets = n;
    for (uint32_t i = 0; i < n; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        struct part_stats *p = &g->subsets[i];
        init_part(p, px_json_str_or(o, "name", ""), g->n_metrics);
        p->of_subsets = 1;
        p->family = family_named(g, px_json_str_or(o, "group", ""));
        if (p->family != PART_NONE)
            g->families[p->family].of_subsets++;
    }
    init_part(&g->families[g->n_families], "total", g->n_metrics);
    g->families[g->n_families++].of_subsets = n;
}

/* ---- values ---- */

static void count_units(const struct group_stats *g, struct part_stats *p, const uint32_t *at)
{
    uint32_t per = g->samples * g->turns;
    for (uint32_t i = 0; i < p->n_problems; i++) {
        for (uint32_t k = 0; k < per; k++) {
            uint8_t o = g->unit_outcome[(uint64_t)at[i] * per + k];
            p->outcomes[o]++;
            p->n++;
            p->done += o != OUTCOME_MISSING;
        }
    }
}

/* The headline's interval over some problems, as for the whole group. */
static struct interval part_interval(const struct group_stats *g, const uint32_t *at, uint32_t n)
{
    const struct metric_stats *m = &g->metrics[0];
    double sum = 0, squares = 0;
    if (m->kind != METRIC_MEAN || n == 0)
        return (struct interval){NAN, NAN};
    for (uint32_t i = 0; i < n; i++) {
        sum += m->problem[at[i]];
        squares += m->problem[at[i]] * m->problem[at[i]];
    }
    if (m->binary && g->samples == 1 && g->turns == 1)
        return stats_wilson((uint64_t)llround(sum), n);
    struct interval v = stats_mean(sum, squares, n);
    if (m->share && isfinite(v.lo))
        v = (struct interval){fmax(0, v.lo), fmin(1, v.hi)};
    return v;
}

static void fill_part(const struct group_stats *g, struct part_stats *p, const uint32_t *at,
                      uint32_t n)
{
    double *x = px_xcalloc((size_t)n + 1, sizeof *x);
    p->n_problems = n;
    count_units(g, p, at);
    for (uint32_t k = 0; k < g->n_metrics; k++) {
        const struct metric_stats *m = &g->metrics[k];
        double mean, variance = NAN;
        p->value[k] = n ? figure_value(g, m, at, n) : NAN;
        if (m->kind == METRIC_MEAN) {
            figure_parts(g, m, at, n, x);
            stats_moments(x, n, &mean, &variance);
        }
        p->std_error[k] = n ? sqrt(variance / n) : NAN;
    }
    p->interval = part_interval(g, at, n);
    free(x);
}

/* Problems of one subset, in order; returns how many. */
static uint32_t pick_subset(const struct group_stats *g, uint32_t subset, uint32_t *at)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_problems; i++)
        if (g->problem_subset[i] == subset)
            at[n++] = i;
    return n;
}

static bool within(const struct group_stats *g, uint32_t subset, uint32_t family)
{
    return family + 1 == g->n_families || g->subsets[subset].family == family;
}

static uint32_t pick_family(const struct group_stats *g, uint32_t family, uint32_t *at)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_problems; i++)
        if (within(g, g->problem_subset[i], family))
            at[n++] = i;
    return n;
}

/* From the subsets: macro means and standard errors. */
static void combine(const struct group_stats *g, uint32_t family)
{
    struct part_stats *f = &g->families[family];
    for (uint32_t m = 0; m < g->n_metrics; m++) {
        double macro = 0, pooled = 0, squares = 0, total = 0;
        uint32_t k = 0;
        for (uint32_t i = 0; i < g->n_subsets; i++) {
            const struct part_stats *s = &g->subsets[i];
            if (!within(g, i, family) || s->n_problems == 0)
                continue;
            double n = s->n_problems, e = s->std_error[m];
            macro += s->value[m];
            pooled += (n - 1) * e * e * n;
            squares += e * e;
            total += n;
            k++;
        }
        f->n_subsets = k;
        f->macro[m] = k ? macro / k : NAN;
        f->macro_std_error[m] = k ? sqrt(squares) / k : NAN;
        f->std_error[m] = total > k ? sqrt(pooled / (total - k) / total) : NAN;
    }
}

void parts_make(struct group_stats *g)
{
    const char *text = g->task->subsets;
    struct json_object *list = px_json_parse(text, strlen(text), NULL);
    size_t n =
        list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (n && n < UINT32_MAX && g->n_problems) {
        uint32_t *at = px_xcalloc(g->n_problems, sizeof *at);
        g->problem_subset = px_xcalloc(g->n_problems, sizeof *g->problem_subset);
        name_parts(g, list, (uint32_t)n);
        for (uint32_t i = 0; i < g->n_problems; i++) {
            uint32_t s = g->group->units[(uint64_t)i * g->samples * g->turns].subset;
            g->problem_subset[i] = s < n ? s : 0;
        }
        for (uint32_t i = 0; i < g->n_subsets; i++) {
            fill_part(g, &g->subsets[i], at, pick_subset(g, i, at));
            g->subsets[i].n_subsets = g->subsets[i].n_problems > 0;
        }
        for (uint32_t i = 0; i < g->n_families; i++) {
            fill_part(g, &g->families[i], at, pick_family(g, i, at));
            combine(g, i);
        }
        free(at);
    }
    json_object_put(list);
}

static void free_parts(struct part_stats *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(list[i].name);
        free(list[i].value);
        free(list[i].std_error);
        free(list[i].macro);
        free(list[i].macro_std_error);
    }
    free(list);
}

void parts_free(struct group_stats *g)
{
    free_parts(g->subsets, g->n_subsets);
    free_parts(g->families, g->n_families);
}
