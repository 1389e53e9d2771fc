/* gates.c - see gates.h. */
#include "coordinator/recipe/gates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "proto/json.h"
#include "proto/mem.h"

static const char *const bounds[] = {"at_least", "at_most", "above", "below"};
enum { N_BOUNDS = sizeof bounds / sizeof *bounds };

/* The value of a key that passes its check, else NULL. */
static const struct yaml_node *valid(const struct yaml_node *map, const char *name)
{
    char path[64], why[200];
    snprintf(path, sizeof path, "gates[].%s", name);
    const struct yaml_node *n = yaml_get(map, name);
    return n && key_check(key_find(path), n, why, sizeof why) ? n : NULL;
}

static char *text_or(const struct yaml_node *n, const char *def)
{
    return px_xstrdup(n ? n->text : def);
}

/* Where the metric begins: behind the last slash, which a task's own name may have too
 * ("mt_bench/single/score"), or at a measure that has a slash itself. NULL: there is no task. */
static const char *find_metric(const char *text)
{
    static const char *const measures[] = {"/accidents/", "/outcomes/"};
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
        const char *at = strstr(text, measures[i]);
        if (at && at > text)
            return at + 1;
        if (strncmp(text, measures[i] + 1, strlen(measures[i]) - 1) == 0)
            return text;
    }
    const char *slash = strrchr(text, '/');
    if (strcmp(text, "errors") == 0)
        return text;
    return slash && slash > text && slash[1] ? slash + 1 : NULL;
}

/* "task/metric", or one of the measures that need no task. */
static void split_metric(struct recipe_gate *g, const struct yaml_node *n, const char *path,
                         struct findings *f)
{
    const char *text = n ? n->text : "errors", *metric = find_metric(text);
    if (!metric) {
        findings_add(f, n, path,
                     "'%.60s' names no task and metric; allowed: TASK/METRIC, "
                     "[TASK/]accidents/NAME, [TASK/]outcomes/NAME, [TASK/]errors",
                     text);
        metric = text;
    }
    g->task = px_xstrndup(text, metric > text ? (size_t)(metric - text) - 1 : 0);
    g->metric = px_xstrdup(metric);
}

static void read_bound(struct recipe_gate *g, const struct yaml_node *map, const char *path,
                       struct findings *f)
{
    uint32_t n = 0;
    for (int i = 0; i < N_BOUNDS; i++) {
        const struct yaml_node *v = yaml_get(map, bounds[i]);
        n += v != NULL;
        if (v && yaml_double(v, &g->threshold))
            g->bound = bounds[i];
    }
    if (n != 1)
        findings_add(f, map, path, "%s; allowed: exactly one of at_least, at_most, above, below",
                     n ? "contradiction: several bounds" : "a gate needs a bound");
}

static void read_gate(struct recipe_gate *g, const struct yaml_node *map, const char *path,
                      struct findings *f)
{
    char metric[80];
    const struct yaml_node *m = valid(map, "metric"), *model = valid(map, "model");
    const struct yaml_node *cell = valid(map, "cell"), *after = valid(map, "after");
    const struct yaml_node *severity = valid(map, "severity");
    int64_t units = 0;
    snprintf(metric, sizeof metric, "%.60s.metric", path);
    g->bound = bounds[0];
    split_metric(g, m, metric, f);
    read_bound(g, map, path, f);
    g->model = text_or(model, "");
    g->cell = text_or(cell, "");
    g->severity = text_or(severity, "stop");
    if (after && yaml_int(after, &units))
        g->after = (uint64_t)units;
    g->line = m ? m->line : map->line;
    g->column = m ? m->column : map->column;
    g->model_line = model ? model->line : 0;
    g->model_column = model ? model->column : 0;
    g->cell_line = cell ? cell->line : 0;
    g->cell_column = cell ? cell->column : 0;
    if (strcmp(g->severity, "stop_early") == 0 && g->after == 0)
        findings_add(f, severity, path,
                     "stop_early cannot act without `after`: say after how many units");
}

void recipe_read_gates(struct recipe *r, const struct yaml_node *root, struct findings *f)
{
    const struct yaml_node *list = yaml_get(root, "gates");
    char path[64];
    if (!list || list->kind != YAML_LIST)
        return;
    r->gates = px_xcalloc(list->n + 1, sizeof *r->gates);
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i]->kind != YAML_MAP)
            continue; /* said by check_recipe */
        snprintf(path, sizeof path, "gates.%zu", i);
        read_gate(&r->gates[r->n_gates++], list->items[i], path, f);
    }
}

static void write_text(struct px_buf *out, const char *key, const char *text)
{
    if (!*text)
        return;
    px_buf_printf(out, ", %s: ", key);
    px_json_quote(out, text, strlen(text));
}

void recipe_write_gates(const struct recipe *r, struct px_buf *out)
{
    if (r->n_gates)
        px_buf_str(out, "gates:\n");
    for (uint32_t i = 0; i < r->n_gates; i++) {
        const struct recipe_gate *g = &r->gates[i];
        PX_FREE char *metric = px_xasprintf("%s%s%s", g->task, *g->task ? "/" : "", g->metric);
        px_buf_str(out, "  - {metric: ");
        px_json_quote(out, metric, strlen(metric));
        write_text(out, "model", g->model);
        write_text(out, "cell", g->cell);
        px_buf_printf(out, ", %s: ", g->bound);
        px_json_number(out, g->threshold);
        px_buf_printf(out, ", severity: %s, after: ", g->severity);
        if (g->after)
            px_buf_printf(out, "%llu}\n", (unsigned long long)g->after);
        else
            px_buf_str(out, "all}\n");
    }
}

void recipe_free_gates(struct recipe *r)
{
    for (uint32_t i = 0; i < r->n_gates; i++) {
        free(r->gates[i].task);
        free(r->gates[i].metric);
        free(r->gates[i].model);
        free(r->gates[i].cell);
        free(r->gates[i].severity);
    }
    free(r->gates);
}
