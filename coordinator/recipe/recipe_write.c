/* recipe_write.c - the resolved recipe as YAML: every default written out, paths absolute, --set
 * applied. What it writes parses to the same recipe. */
#include <stdio.h>
#include <string.h>

#include "coordinator/recipe/gates.h"
#include "coordinator/recipe/grid.h"
#include "coordinator/recipe/recipe.h"
#include "coordinator/recipe/settings.h"
#include "coordinator/recipe/yaml.h"
#include "proto/json.h"
#include "proto/mem.h"

static void quote(struct px_buf *out, const char *s)
{
    px_json_quote(out, s, strlen(s)); /* a JSON string is a double-quoted YAML scalar */
}

static void write_models(const struct recipe *r, struct px_buf *out)
{
    px_buf_str(out, "models:\n");
    for (uint32_t i = 0; i < r->n_models; i++) {
        const struct recipe_model *m = &r->models[i];
        px_buf_str(out, "  ");
        quote(out, m->name);
        px_buf_printf(out, ": {backend: %s", backend_kind_name(m->backend));
        if (m->backend != BACKEND_NOOP) {
            px_buf_str(out, ", source: ");
            quote(out, m->source);
        }
        if (m->think_close) {
            px_buf_str(out, ", thinking: {open: ");
            quote(out, m->think_open);
            px_buf_str(out, ", close: ");
            quote(out, m->think_close);
            if (m->think_budget)
                px_buf_printf(out, ", budget: %u", m->think_budget);
            px_buf_char(out, '}');
        }
        if (m->style)
            px_buf_printf(out, ", style: %s", m->style);
        px_buf_str(out, "}\n");
    }
}

static void write_names(struct px_buf *out, const char *key, char *const *names, uint32_t n)
{
    px_buf_printf(out, "      %s: [", key);
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            px_buf_str(out, ", ");
        quote(out, names[i]);
    }
    px_buf_str(out, "]\n");
}

static bool is_axis(const struct yaml_node *eval, const struct key *key)
{
    struct grid_entries e;
    bool found = false;
    const struct yaml_node *grid = yaml_get(eval, "grid");
    if (!grid)
        return false;
    grid_flatten(grid, &e);
    for (uint32_t i = 0; i < e.n; i++)
        found = found || e.list[i].key == key;
    grid_entries_clear(&e);
    return found;
}

/* The eval's own settings, those of one map together; a knob of the grid is left to the grid. */
static void write_base(const struct yaml_node *eval, struct px_buf *out)
{
    char open[32] = ""; /* the map that the last line opened */
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        const struct key *key = key_of_knob((enum knob)k);
        const struct yaml_node *node = grid_base_node(eval, key);
        if (is_axis(eval, key) || (!node && !key->def))
            continue;
        const char *axis = key_axis(key), *dot = strchr(axis, '.');
        int n = dot ? (int)(dot - axis) : 0;
        if (dot && ((int)strlen(open) != n || strncmp(open, axis, (size_t)n) != 0)) {
            snprintf(open, sizeof open, "%.*s", n, axis);
            px_buf_printf(out, "      %s:\n", open);
        }
        px_buf_printf(out, "%s%s: ", dot ? "        " : "      ", dot ? dot + 1 : axis);
        if (node)
            settings_node_value(key, node, out);
        else
            px_buf_str(out, key->def);
        px_buf_char(out, '\n');
    }
}

/* A list is either one value of the setting or several of them (grid, exclude). */
static void write_entry(const struct grid_entry *e, bool is_value, struct px_buf *out)
{
    px_buf_printf(out, "%s: ", key_axis(e->key));
    if (is_value) {
        settings_node_value(e->key, e->value, out);
        return;
    }
    px_buf_char(out, '[');
    for (size_t i = 0; i < e->value->n; i++) {
        if (i)
            px_buf_str(out, ", ");
        settings_node_value(e->key, e->value->items[i], out);
    }
    px_buf_char(out, ']');
}

static void write_grid(const struct yaml_node *grid, struct px_buf *out)
{
    struct grid_entries e;
    grid_flatten(grid, &e);
    px_buf_str(out, "      grid:\n");
    for (uint32_t i = 0; i < e.n; i++) {
        px_buf_str(out, "        ");
        write_entry(&e.list[i], false, out);
        px_buf_char(out, '\n');
    }
    grid_entries_clear(&e);
}

static void write_cells(const char *name, const struct yaml_node *list, struct px_buf *out)
{
    char why[200];
    if (!list || list->n == 0)
        return;
    px_buf_printf(out, "      %s:\n", name);
    for (size_t i = 0; i < list->n; i++) {
        struct grid_entries e;
        grid_flatten(list->items[i], &e);
        px_buf_str(out, "        - {");
        for (uint32_t j = 0; j < e.n; j++) {
            if (j)
                px_buf_str(out, ", ");
            write_entry(&e.list[j], key_check(e.list[j].key, e.list[j].value, why, sizeof why),
                        out);
        }
        px_buf_str(out, "}\n");
        grid_entries_clear(&e);
    }
}

static void write_eval(const struct recipe_stage *s, struct px_buf *out)
{
    const struct yaml_node *body = s->body;
    px_buf_str(out, "  - eval:\n");
    if (*s->name) {
        px_buf_str(out, "      name: ");
        quote(out, s->name);
        px_buf_char(out, '\n');
    }
    write_names(out, "models", s->models, s->n_models);
    write_names(out, "tasks", s->tasks, s->n_tasks);
    if (s->judge) {
        px_buf_str(out, "      judge: {model: ");
        quote(out, s->judge);
        px_buf_printf(out, ", modes: [%s%s%s]", s->judge_single ? "single" : "",
                      s->judge_single && s->judge_pairwise ? ", " : "",
                      s->judge_pairwise ? "pairwise" : "");
        if (s->judge_chat)
            px_buf_printf(out, ", chat: %s", s->judge_chat);
        if (s->judge_baseline) {
            px_buf_str(out, ", baseline: ");
            quote(out, s->judge_baseline);
        }
        px_buf_str(out, "}\n");
    }
    write_base(body, out);
    if (yaml_get(body, "grid"))
        write_grid(yaml_get(body, "grid"), out);
    write_cells("exclude", yaml_get(body, "exclude"), out);
    write_cells("include", yaml_get(body, "include"), out);
}

static void write_amount(struct px_buf *out, const char *key, int64_t v, int64_t automatic)
{
    if (v == automatic)
        px_buf_printf(out, "  %s: auto\n", key);
    else
        px_buf_printf(out, "  %s: %lld\n", key, (long long)v);
}

void recipe_write(const struct recipe *r, struct px_buf *out)
{
    px_buf_str(out, "recipe: ");
    quote(out, r->name);
    px_buf_printf(out, "\nseed: %llu\n", (unsigned long long)r->seed);
    write_models(r, out);
    px_buf_str(out, "stages:\n");
    for (uint32_t i = 0; i < r->n_stages; i++) {
        if (r->stages[i].kind == STAGE_EVAL) {
            write_eval(&r->stages[i], out);
            continue;
        }
        px_buf_str(out, "  - import: {model: ");
        quote(out, r->stages[i].model);
        px_buf_str(out, ", as: ");
        quote(out, r->stages[i].as);
        px_buf_str(out, r->stages[i].panels ? ", layout: panels}\n" : ", layout: file}\n");
    }
    recipe_write_gates(r, out);
    px_buf_str(out, "resources:\n");
    write_amount(out, "workers", r->workers, -1);
    write_amount(out, "testers", r->testers, -1);
    write_amount(out, "threads", r->threads, -1);
    write_amount(out, "memory", r->memory, -1);
    write_amount(out, "host_memory", r->host_memory, -1);
    write_amount(out, "batch", r->max_rows, 0);
    if (r->hung_after_us)
        px_buf_printf(out, "  hung_after: %lldus\n", (long long)r->hung_after_us);
    else
        px_buf_str(out, "  hung_after: auto\n");
}
