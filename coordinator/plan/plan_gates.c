/* plan_gates.c - see plan_gates.h. */
#include "coordinator/plan/plan_gates.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/scorer_kinds.h"

struct checker {
    const struct plan *p;
    const struct recipe_gate *g;
    plan_say_fn say;
    void *ctx;
    uint32_t n_said;
};

static void say(struct checker *c, uint32_t line, uint32_t column, const char *fmt, ...)
    PX_PRINTF(4, 5);

static void say(struct checker *c, uint32_t line, uint32_t column, const char *fmt, ...)
{
    struct px_buf b;
    va_list ap;
    px_buf_init(&b, 4096);
    va_start(ap, fmt);
    px_buf_vprintf(&b, fmt, ap);
    va_end(ap);
    c->say(c->ctx, line, column, (const char *)b.data);
    c->n_said++;
    px_buf_clear(&b);
}

/* ---- names ---- */

static void check_name(struct checker *c, const char *name, uint32_t line, uint32_t column,
                       const char *what, const char *const *names, uint32_t n)
{
    struct px_buf all;
    if (*name == '\0')
        return;
    px_buf_init(&all, 1500);
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            px_buf_clear(&all);
            return;
        }
        px_buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = recipe_nearest(name, names, n);
    say(c, line, column, "gates: the run has no %s '%.80s'; allowed: %s%s%s%s", what, name,
        all.len ? (const char *)all.data : "none", near ? "; did you mean '" : "", near ? near : "",
        near ? "'" : "");
    px_buf_clear(&all);
}

static void check_names(struct checker *c)
{
    const struct plan *p = c->p;
    uint32_t n_names = 0, n = 0;
    for (uint32_t i = 0; i < p->n_cells; i++)
        n_names += p->cells[i].n_names;
    const char **names = px_xcalloc((size_t)n_names + p->n_tasks + p->n_models + 1, sizeof *names);
    for (uint32_t i = 0; i < p->n_tasks; i++)
        names[n++] = task_name(p->tasks[i]);
    check_name(c, c->g->task, c->g->line, c->g->column, "task", names, n);
    n = 0;
    for (uint32_t i = 0; i < p->n_models; i++)
        names[n++] = p->models[i].name;
    check_name(c, c->g->model, c->g->model_line, c->g->model_column, "model", names, n);
    n = 0;
    for (uint32_t i = 0; i < p->n_cells; i++)
        for (uint32_t k = 0; k < p->cells[i].n_names; k++)
            names[n++] = p->cells[i].names[k];
    check_name(c, c->g->cell, c->g->cell_line, c->g->cell_column, "cell", names, n);
    free(names);
}

/* ---- metrics ---- */

static bool covers(const struct checker *c, const struct plan_group *pg)
{
    const struct plan_cell *cell = &c->p->cells[pg->cell];
    const struct recipe_gate *g = c->g;
    if (*g->task && strcmp(g->task, task_name(c->p->tasks[pg->task])) != 0)
        return false;
    if (*g->model && strcmp(g->model, c->p->models[cell->model].name) != 0)
        return false;
    bool named = *g->cell == '\0';
    for (uint32_t i = 0; i < cell->n_names && !named; i++)
        named = strcmp(g->cell, cell->names[i]) == 0;
    return named;
}

static bool is_aggregate(const struct task *t, const char *metric)
{
    const char *text = task_aggregates_json(t);
    struct json_object *list = px_json_parse(text, strlen(text), NULL);
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        found = strcmp(px_json_str_or(o, "metric", ""), metric) == 0;
    }
    json_object_put(list);
    return found;
}

static void report_metric(struct checker *c, const struct task *t)
{
    const struct scorer_kind *k = scorer_kind_find(task_scorer_kind(t));
    struct px_buf all;
    px_buf_init(&all, 1500);
    px_buf_str(&all, task_headline(t));
    for (const char *const *m = k ? k->metrics : NULL; m && *m; m++)
        if (strcmp(*m, task_headline(t)) != 0)
            px_buf_printf(&all, ", %s", *m);
    say(c, c->g->line, c->g->column,
        "gates: task %s has no metric '%.80s'; allowed: %s, pass@k, maj@n, accidents/NAME, "
        "outcomes/NAME, errors",
        task_name(t), c->g->metric, (const char *)all.data);
    px_buf_clear(&all);
}

static void check_metric(struct checker *c, const struct plan_group *pg,
                         const struct gate_measure *m)
{
    const struct task *t = c->p->tasks[pg->task];
    const struct scorer_kind *k = scorer_kind_find(task_scorer_kind(t));
    const char *metric = c->g->metric;
    if (m->source == GATE_OF_METRIC && strcmp(metric, task_headline(t)) != 0 &&
        !is_aggregate(t, metric) && !(k && scorer_kind_emits(k, metric)))
        report_metric(c, t);
    if (m->source == GATE_OF_PASS_AT && m->k > pg->samples)
        say(c, c->g->line, c->g->column, "gates: %s cannot act on %s with %u samples per problem",
            metric, task_name(t), pg->samples);
    if (m->source == GATE_OF_MAJORITY && m->k != pg->samples)
        say(c, c->g->line, c->g->column,
            "gates: %s cannot act on %s: the vote is among its %u samples per problem", metric,
            task_name(t), pg->samples);
}

static void check_gate(struct checker *c)
{
    struct gate_measure m;
    uint32_t covered = 0;
    check_names(c);
    if (!gate_measure_parse(c->g->metric, &m)) {
        say(c, c->g->line, c->g->column,
            "gates: nothing is called '%.80s'; accidents/ and outcomes/ take the names of "
            "docs/results.md, maj@n a number from 2",
            c->g->metric);
        return;
    }
    for (uint32_t i = 0; i < c->p->n_groups && c->n_said == 0; i++) {
        if (!covers(c, &c->p->groups[i]))
            continue;
        covered++;
        check_metric(c, &c->p->groups[i], &m);
    }
    if (covered == 0 && c->n_said == 0)
        say(c, c->g->line, c->g->column,
            "gates: cannot act: no cell with this name and model runs this task");
}

void plan_check_gates(const struct plan *p, plan_say_fn say_fn, void *ctx)
{
    for (uint32_t i = 0; i < p->recipe->n_gates; i++) {
        struct checker c = {.p = p, .g = &p->recipe->gates[i], .say = say_fn, .ctx = ctx};
        check_gate(&c);
    }
}

struct gate *plan_gates(const struct plan *p, uint32_t *n)
{
    const struct recipe *r = p->recipe;
    struct gate *list = px_xcalloc((size_t)r->n_gates + 1, sizeof *list);
    *n = r->n_gates;
    for (uint32_t i = 0; i < r->n_gates; i++) {
        const struct recipe_gate *g = &r->gates[i];
        list[i] = (struct gate){.task = px_xstrdup(g->task),
                                .metric = px_xstrdup(g->metric),
                                .model = px_xstrdup(g->model),
                                .cell = px_xstrdup(g->cell),
                                .bound = gate_bound_by_name(g->bound),
                                .threshold = g->threshold,
                                .severity = gate_severity_by_name(g->severity),
                                .after = g->after};
    }
    return list;
}
