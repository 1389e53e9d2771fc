/* versus.c - see versus.h. */
#include "coordinator/report/versus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "coordinator/report/labels.h"
#include "coordinator/report/results_group.h"
#include "proto/json.h"
#include "proto/mem.h"

/* ---- which pairs ---- */

static bool share_name(const struct manifest_cell *a, const struct manifest_cell *b)
{
    for (uint32_t i = 0; i < a->n_names; i++)
        if (cell_has_name(b, a->names[i]))
            return true;
    return false;
}

/* Puts the cell's whole name in place of what a person wrote. */
static int name_cell(struct versus_side *s, struct px_err *err)
{
    struct px_err why;
    const char *name = s->cell ? cell_name_find(s->run->manifest, s->cell, &why) : NULL;
    if (s->cell && !name)
        return px_fail(err, PX_EUSAGE, "run %.100s: %s", s->name, why.text);
    s->cell = name;
    return 0;
}

static bool takes(const struct versus_side *s, const struct group_stats *g, const char *task)
{
    return (!task || strcmp(g->task->name, task) == 0) &&
           (!s->cell || cell_has_name(g->cell, s->cell));
}

static uint32_t count_cells(const struct versus_side *s, const char *task)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->run->n_groups; i++)
        n += takes(s, &s->run->groups[i], task);
    return n;
}

/* Two runs without cells: by name, or the only ones that there are. */
static bool meet(const struct versus_side *base, const struct versus_side *other,
                 const struct group_stats *a, const struct group_stats *b)
{
    if (base->cell || other->cell)
        return true;
    return share_name(a->cell, b->cell) ||
           (count_cells(base, a->task->name) == 1 && count_cells(other, a->task->name) == 1);
}

static int add_pair(struct versus *v, const struct group_stats *a, const struct group_stats *b,
                    const char *metric, struct px_err *err)
{
    PX_GROW(v->list, v->n, v->cap);
    if (compare_groups(a, b, metric, &v->list[v->n], err) != 0)
        return -1;
    v->n++;
    return 0;
}

static int find_pairs(const struct versus_side *base, const struct versus_side *other,
                      const char *task, const char *metric, struct versus *out, struct px_err *err)
{
    bool inside = base->run == other->run && !base->cell && !other->cell;
    for (uint32_t i = 0; i < base->run->n_groups; i++) {
        const struct group_stats *a = &base->run->groups[i];
        for (uint32_t k = inside ? i + 1 : 0; k < other->run->n_groups; k++) {
            const struct group_stats *b = &other->run->groups[k];
            if (a == b || !takes(base, a, task) || !takes(other, b, task) ||
                strcmp(a->task->name, b->task->name) != 0)
                continue;
            if (!inside && !meet(base, other, a, b))
                continue;
            if (a->outcomes[OUTCOME_UNSCORED] == a->n && !metric)
                continue; /* nothing judges it */
            if (inside && !comparison_same_problems(a, b))
                continue;
            if (add_pair(out, a, b, metric, err) != 0)
                return -1;
        }
    }
    return 0;
}

static void adjust(struct versus *v)
{
    double *p = px_xcalloc((size_t)v->n + 1, sizeof *p);
    for (uint32_t i = 0; i < v->n; i++)
        p[i] = v->list[i].p;
    stats_holm(p, v->n);
    for (uint32_t i = 0; i < v->n; i++)
        v->list[i].p_holm = p[i];
    free(p);
}

int versus_make(const struct versus_side *base, const struct versus_side *other, const char *task,
                const char *metric, struct versus *out, struct px_err *err)
{
    struct versus v = {.base_name = base->name, .other_name = other->name};
    struct versus_side a = *base, b = *other;
    if (name_cell(&a, err) != 0 || name_cell(&b, err) != 0)
        return -1;
    if (find_pairs(&a, &b, task, metric, &v, err) != 0) {
        versus_clear(&v);
        return -1;
    }
    if (v.n == 0)
        return px_fail(err, PX_EUSAGE,
                       "nothing to compare: there are no two cells with the same judged task%s%s",
                       task ? " " : "", task ? task : "");
    adjust(&v);
    *out = v;
    return 0;
}

void versus_clear(struct versus *v)
{
    for (uint32_t i = 0; i < v->n; i++)
        comparison_clear(&v->list[i]);
    free(v->list);
    memset(v, 0, sizeof *v);
}

/* ---- text ---- */

static bool percent(const struct comparison *c)
{
    const struct metric_stats *a = group_metric(c->base, c->metric);
    const struct metric_stats *b = group_metric(c->other, c->metric);
    return a->share && b->share;
}

/* In percent with one digit, or as it is with four. */
static void put(struct px_buf *out, const struct comparison *c, bool sign, double v)
{
    bool share = percent(c);
    if (!isfinite(v))
        px_buf_char(out, '-');
    else if (share)
        px_buf_printf(out, sign ? "%+.1f" : "%.1f", 100 * v);
    else
        px_buf_printf(out, sign ? "%+.4g" : "%.4g", v);
}

static void text_side(struct px_buf *out, const struct versus *v, const struct comparison *c,
                      bool other)
{
    const struct group_stats *g = other ? c->other : c->base;
    bool two_runs = strcmp(v->base_name, v->other_name) != 0;
    px_buf_printf(out, "  %s ", other ? "other" : "base ");
    put(out, c, false, other ? c->other_value : c->base_value);
    px_buf_printf(out, "  %s%s%s, model %s %.12s\n",
                  two_runs ? (other ? v->other_name : v->base_name) : "", two_runs ? ": " : "",
                  g->cell->names[0], g->cell->model, g->model_digest);
}

static void text_sets(struct px_buf *out, const struct comparison *c)
{
    if (c->only_base || c->only_other)
        px_buf_printf(out, "  the sets differ: %u problems only in base, %u only in other\n",
                      c->only_base, c->only_other);
    if (c->undone)
        px_buf_printf(out, "  incomplete: %u problems are not done on both sides and left out\n",
                      c->undone);
}

static void text_items(struct px_buf *out, const struct comparison *c)
{
    for (int sign = 1; sign >= -1; sign -= 2) {
        px_buf_printf(out, "  %s:", sign > 0 ? "gained" : "lost");
        for (uint32_t i = 0; i < c->n; i++)
            if (comparison_sign(c, i) == sign)
                px_buf_printf(out, " %s", group_problem(c->base, c->at_base[i]));
        px_buf_char(out, '\n');
    }
}

static void text_one(struct px_buf *out, const struct versus *v, const struct comparison *c,
                     bool items)
{
    px_buf_printf(out, "%s, %s%s%s, %u problems\n", c->base->task->name, c->metric,
                  percent(c) ? " in %" : "", c->lower_is_better ? ", lower is better" : "", c->n);
    text_side(out, v, c, false);
    text_side(out, v, c, true);
    if (strcmp(c->base->task->digest, c->other->task->digest) != 0)
        px_buf_str(out, "  the same problems, asked in different ways (strategy, compat)\n");
    px_buf_str(out, "  difference ");
    put(out, c, true, c->difference);
    px_buf_str(out, " [");
    put(out, c, false, c->interval.lo);
    px_buf_str(out, ", ");
    put(out, c, false, c->interval.hi);
    px_buf_printf(out, "], %s p = %.3g", c->exact ? "exact McNemar" : "paired bootstrap", c->p);
    if (v->n > 1)
        px_buf_printf(out, " (Holm over %u: %.3g)", v->n, c->p_holm);
    px_buf_printf(out, "\n  gained %u, lost %u; the smallest difference this could have seen: ",
                  c->gained, c->lost);
    put(out, c, false, c->detectable);
    px_buf_char(out, '\n');
    text_sets(out, c);
    if (items)
        text_items(out, c);
}

void versus_text(const struct versus *v, bool items, struct px_buf *out)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (i)
            px_buf_char(out, '\n');
        text_one(out, v, &v->list[i], items);
    }
    px_buf_str(out,
               "\n95 % intervals; smallest difference: power 0.8 at a two-sided level of 0.05, "
               "from the discordance observed\n");
}

/* ---- JSON ---- */

static void json_side(struct emit *j, const char *key, const char *run, const struct group_stats *g,
                      double value)
{
    emit_begin(j, key, '{');
    emit_text(j, "run", run);
    emit_text(j, "cell", g->cell->names[0]);
    emit_text(j, "model", g->cell->model);
    emit_text(j, "model_digest", g->model_digest);
    emit_f64(j, "value", value);
    emit_bool(j, "complete", !group_incomplete(g));
    emit_end(j, '}');
}

static void json_items(struct emit *j, const struct comparison *c)
{
    for (int sign = 1; sign >= -1; sign -= 2) {
        emit_begin(j, sign > 0 ? "gained_items" : "lost_items", '[');
        for (uint32_t i = 0; i < c->n; i++)
            if (comparison_sign(c, i) == sign)
                emit_text(j, NULL, group_problem(c->base, c->at_base[i]));
        emit_end(j, ']');
    }
}

static void json_one(struct emit *j, const struct versus *v, const struct comparison *c, bool items)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "task", c->base->task->name);
    emit_text(j, "task_digest", c->base->task->digest);
    emit_text(j, "metric", c->metric);
    emit_bool(j, "lower_is_better", c->lower_is_better);
    json_side(j, "base", v->base_name, c->base, c->base_value);
    json_side(j, "other", v->other_name, c->other, c->other_value);
    emit_u64(j, "problems", c->n);
    emit_u64(j, "only_base", c->only_base);
    emit_u64(j, "only_other", c->only_other);
    emit_u64(j, "undone", c->undone);
    emit_f64(j, "difference", c->difference);
    emit_begin(j, "interval", '[');
    emit_f64(j, NULL, c->interval.lo);
    emit_f64(j, NULL, c->interval.hi);
    emit_end(j, ']');
    emit_text(j, "test", c->exact ? "mcnemar" : "bootstrap");
    emit_f64(j, "p", results_six_digits(c->p));
    emit_f64(j, "p_holm", results_six_digits(c->p_holm));
    emit_u64(j, "gained", c->gained);
    emit_u64(j, "lost", c->lost);
    emit_f64(j, "detectable", c->detectable);
    if (items)
        json_items(j, c);
    emit_end(j, '}');
}

void versus_json(const struct versus *v, bool items, struct px_buf *out)
{
    struct emit j = {.b = out, .lines_to = 2};
    emit_begin(&j, NULL, '{');
    emit_begin(&j, "comparisons", '[');
    for (uint32_t i = 0; i < v->n; i++)
        json_one(&j, v, &v->list[i], items);
    emit_end(&j, ']');
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
