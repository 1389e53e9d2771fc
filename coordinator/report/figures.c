/* figures.c - see figures.h. */
#include "coordinator/report/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/resample.h"
#include "proto/json.h"
#include "proto/mem.h"

enum { REPLICATES = 2000, MOST_RESAMPLED = 50000 };
#define LN2 0.6931471805599453

/* ---- which metrics ---- */

struct metric_stats *group_add_metric(struct group_stats *g, const char *name,
                                      enum metric_kind kind)
{
    if (g->n_metrics == MAX_METRICS)
        return NULL;
    struct metric_stats *m = &g->metrics[g->n_metrics++];
    m->name = px_xstrdup(name);
    m->kind = kind;
    m->binary = m->share = true;
    m->problem = px_xcalloc((size_t)g->n_problems + 1, sizeof *m->problem);
    return m;
}

static enum metric_kind kind_by_name(const char *name)
{
    static const struct {
        const char *name;
        enum metric_kind kind;
    } kinds[] = {{"ratio", METRIC_RATIO},
                 {"exp_neg_ratio", METRIC_EXP_NEG_RATIO},
                 {"bits_ratio", METRIC_BITS_RATIO},
                 {"exp_neg_mean", METRIC_EXP_NEG_MEAN}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return 0;
}

static uint32_t index_of(struct group_stats *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_metrics; i++)
        if (strcmp(g->metrics[i].name, name) == 0)
            return i;
    return group_add_metric(g, name, METRIC_MEAN) ? g->n_metrics - 1 : 0;
}

static void add_aggregate(struct group_stats *g, struct json_object *o)
{
    enum metric_kind kind = kind_by_name(px_json_str_or(o, "kind", ""));
    const char *name = px_json_str_or(o, "metric", "");
    if (!kind || !*name || g->n_metrics + 3 > MAX_METRICS)
        return;
    uint32_t at = index_of(g, name);
    uint32_t of = index_of(g, px_json_str_or(o, "of", ""));
    uint32_t over = kind == METRIC_EXP_NEG_MEAN ? of : index_of(g, px_json_str_or(o, "over", ""));
    struct metric_stats *m = &g->metrics[at];
    if (at == of || at == over)
        return;
    m->kind = kind;
    m->of = of;
    m->over = over;
    m->binary = false;
}

void group_first_metrics(struct group_stats *g)
{
    const char *text = g->task->aggregates;
    struct json_object *list = px_json_parse(text, strlen(text), NULL);
    size_t n =
        list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    group_add_metric(g, g->task->headline, METRIC_MEAN);
    for (size_t i = 0; i < n; i++)
        add_aggregate(g, json_object_array_get_idx(list, i));
    json_object_put(list);
}

/* ---- values ---- */

static double sum_of(const double *x, const uint32_t *at, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[at ? at[i] : i];
    return sum;
}

/* From the sum (or mean) inside to the metric. */
static double outside(enum metric_kind kind, double inside)
{
    if (kind == METRIC_EXP_NEG_RATIO || kind == METRIC_EXP_NEG_MEAN)
        return stats_exp(-inside);
    return kind == METRIC_BITS_RATIO ? -inside / LN2 : inside;
}

static double ratio(double of, double over)
{
    return over > 0 || over < 0 ? of / over : NAN;
}

double metric_of_sums(enum metric_kind kind, double of, double over)
{
    return outside(kind, ratio(of, over));
}

void metric_sums_find(const struct manifest_task *t, const char *metric, struct metric_sums *out)
{
    struct json_object *list = px_json_parse(t->aggregates, strlen(t->aggregates), NULL);
    size_t n =
        list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    *out = (struct metric_sums){.kind = METRIC_MEAN};
    for (size_t i = 0; i < n && !out->of; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        enum metric_kind kind = kind_by_name(px_json_str_or(o, "kind", ""));
        if (!kind || strcmp(px_json_str_or(o, "metric", ""), metric) != 0)
            continue;
        out->kind = kind;
        out->of = px_xstrdup(px_json_str_or(o, "of", ""));
        out->over = px_xstrdup(px_json_str_or(o, "over", ""));
    }
    if (!out->of)
        out->of = px_xstrdup(metric);
    json_object_put(list);
}

void metric_sums_clear(struct metric_sums *m)
{
    free(m->of);
    free(m->over);
    memset(m, 0, sizeof *m);
}

/* The two sums that a metric is made of; a mean is a sum over a count. */
static void sums(const struct group_stats *g, const struct metric_stats *m, const uint32_t *at,
                 uint32_t n, double *of, double *over)
{
    bool single = m->kind == METRIC_MEAN || m->kind == METRIC_EXP_NEG_MEAN;
    const double *x = m->kind == METRIC_MEAN ? m->problem : g->metrics[m->of].problem;
    *of = sum_of(x, at, n);
    *over = single ? n : sum_of(g->metrics[m->over].problem, at, n);
}

double figure_value(const struct group_stats *g, const struct metric_stats *m, const uint32_t *at,
                    uint32_t n)
{
    double of, over;
    sums(g, m, at, n, &of, &over);
    return outside(m->kind, ratio(of, over));
}

/* n f(all) - (n - 1) f(all but one), f with or without its outside. */
static void pseudo_values(const struct group_stats *g, const struct metric_stats *m,
                          const uint32_t *at, uint32_t n, bool inside, double *out)
{
    double of, over, N = n;
    enum metric_kind kind = inside ? METRIC_RATIO : m->kind;
    const double *a = g->metrics[m->of].problem, *b = g->metrics[m->over].problem;
    bool single = m->kind == METRIC_EXP_NEG_MEAN;
    sums(g, m, at, n, &of, &over);
    double all = outside(kind, ratio(of, over));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = at ? at[i] : i;
        double rest = outside(kind, ratio(of - a[k], over - (single ? 1 : b[k])));
        out[i] = isfinite(rest) ? N * all - (N - 1) * rest : all;
    }
}

void figure_parts(const struct group_stats *g, const struct metric_stats *m, const uint32_t *at,
                  uint32_t n, double *out)
{
    if (m->kind != METRIC_MEAN) {
        pseudo_values(g, m, at, n, false, out);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] = m->problem[at ? at[i] : i];
}

/* ---- means ---- */

static void finish_mean(struct group_stats *g, struct metric_stats *m)
{
    double mean, variance, sum = sum_of(m->problem, NULL, g->n_problems), N = g->n_problems;
    stats_moments(m->problem, g->n_problems, &mean, &variance);
    m->value = mean;
    m->std_error = sqrt(variance / N);
    /* where every sample agrees, Student's interval would have no width */
    bool sure = sum <= 0 || sum >= N;
    if (m->binary && ((g->samples == 1 && g->turns == 1) || sure)) {
        m->interval = stats_wilson((uint64_t)llround(sum), g->n_problems);
        m->method = "wilson";
        return;
    }
    double half = g->n_problems > 1 ? stats_t_quantile(g->n_problems - 1) * m->std_error : NAN;
    m->interval = (struct interval){mean - half, mean + half};
    m->method = isfinite(half) ? "student" : "";
    if (!m->share)
        return;
    /* Student's interval knows nothing of the ends of a share */
    if (m->interval.lo < 0)
        m->interval.lo = 0;
    if (m->interval.hi > 1)
        m->interval.hi = 1;
}

/* ---- metrics made of sums ---- */

/* A ratio of parts to wholes lies in 0 .. 1; a perplexity does not. */
static bool is_share(const struct group_stats *g, const struct metric_stats *m)
{
    const double *of = g->metrics[m->of].problem, *over = g->metrics[m->over].problem;
    if (m->kind != METRIC_RATIO || !isfinite(m->value))
        return false;
    for (uint32_t i = 0; i < g->n_problems; i++)
        if (of[i] < 0 || of[i] > over[i])
            return false;
    return true;
}

static void finish_sums(struct group_stats *g, struct metric_stats *m)
{
    uint32_t n = g->n_problems;
    m->value = figure_value(g, m, NULL, n);
    m->share = is_share(g, m);
    m->binary = false;
    m->std_error = NAN;
    m->interval = (struct interval){NAN, NAN};
    m->method = "";
    if (n < 2 || n > MOST_RESAMPLED || !isfinite(m->value))
        return;
    double *parts = px_xcalloc(n, sizeof *parts);
    pseudo_values(g, m, NULL, n, true, parts);
    uint64_t key = resample_key(g->task->digest, m->name);
    struct interval v = resample_mean(parts, n, key, REPLICATES).interval;
    bool falls = m->kind != METRIC_RATIO;
    m->interval = (struct interval){outside(m->kind, falls ? v.hi : v.lo),
                                    outside(m->kind, falls ? v.lo : v.hi)};
    m->method = "bootstrap";
    if (m->share)
        m->interval = (struct interval){fmax(0, m->interval.lo), fmin(1, m->interval.hi)};
    free(parts);
}

/* ---- extractors ---- */

/* Does the name stand for the same metric by another way to find the answer? "m" and "m,filter". */
static bool same_base(const char *a, const char *b)
{
    size_t n = strcspn(a, ",");
    return n == strcspn(b, ",") && strncmp(a, b, n) == 0;
}

/* All metrics of kind math find and compare the one answer by rules of their own. */
static void find_spread(struct group_stats *g)
{
    struct spread *s = &g->spread;
    bool all = strcmp(g->task->scorer, "math") == 0;
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        if (!all && !same_base(g->metrics[i].name, g->metrics[0].name))
            continue;
        if (s->n++ == 0 || g->metrics[i].value < g->metrics[s->lowest].value)
            s->lowest = i;
        if (s->n == 1 || g->metrics[i].value > g->metrics[s->highest].value)
            s->highest = i;
    }
}

double group_pass_at(const struct group_stats *g, uint32_t k)
{
    double sum = 0;
    if (k == 0 || k > g->samples || g->turns > 1 || g->n_problems == 0)
        return NAN;
    for (uint32_t i = 0; i < g->n_problems; i++)
        sum += stats_pass_at(g->samples, g->problem_right[i], k);
    return sum / g->n_problems;
}

void group_figures(struct group_stats *g)
{
    for (uint32_t i = 0; i < g->n_metrics && g->n_problems; i++)
        if (g->metrics[i].kind == METRIC_MEAN)
            finish_mean(g, &g->metrics[i]);
    for (uint32_t i = 0; i < g->n_metrics && g->n_problems; i++)
        if (g->metrics[i].kind != METRIC_MEAN)
            finish_sums(g, &g->metrics[i]);
    for (uint32_t i = 0; i < g->n_pass_at; i++)
        g->pass_at[i].value = group_pass_at(g, g->pass_at[i].k);
    find_spread(g);
}
