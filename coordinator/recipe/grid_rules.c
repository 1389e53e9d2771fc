/* grid_rules.c - `exclude`: which cells of a grid a map matches. */
#include "coordinator/recipe/grid_rules.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

static struct axis *axis_of(struct grid *g, const struct key *key, uint32_t *index)
{
    for (uint32_t i = 0; i < g->n_axes; i++) {
        if (g->axes[i].entry.key == key) {
            *index = i;
            return &g->axes[i];
        }
    }
    return NULL;
}

static bool rule_value(struct grid *g, struct axis *a, const struct yaml_node *node, bool *match,
                       const char *path)
{
    if (!check_value(a->entry.key, node, path, g->f))
        return false;
    PX_FREE char *text = grid_node_text(a->entry.key, node);
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->texts[i], text) == 0) {
            match[i] = true;
            return true;
        }
    }
    struct px_buf all;
    px_buf_init(&all, 1024);
    for (size_t i = 0; i < a->n; i++)
        px_buf_printf(&all, "%s%s", i ? ", " : "", a->texts[i]);
    findings_add(g->f, node, path, "%.60s is not a value of this axis; allowed: %s", text,
                 (char *)all.data);
    px_buf_clear(&all);
    return false;
}

static bool rule_entry(struct grid *g, struct rule *r, const struct grid_entry *e)
{
    char path[CHECK_PATH], why[200];
    uint32_t index = 0;
    grid_entry_path(g, "exclude", e->axis, path);
    struct axis *a = e->key ? axis_of(g, e->key, &index) : NULL;
    if (!a) {
        findings_add(g->f, e->name, path, "not an axis of this grid");
        return false;
    }
    if (!r->match[index])
        r->match[index] = px_xcalloc(a->n, sizeof **r->match);
    /* A list is one value where the setting takes lists, else any of its entries. */
    if (e->value->kind != YAML_LIST || key_check(e->key, e->value, why, sizeof why))
        return rule_value(g, a, e->value, r->match[index], path);
    bool ok = true;
    for (size_t i = 0; i < e->value->n; i++)
        ok = rule_value(g, a, e->value->items[i], r->match[index], path) && ok;
    return ok;
}

bool grid_read_rule(struct grid *g, const struct yaml_node *node, struct rule *r)
{
    *r = (struct rule){.node = node};
    if (node->kind != YAML_MAP || node->n == 0) {
        findings_add(g->f, node, "",
                     "%s.exclude: not a map of axes; allowed: {axis: value or list of values}",
                     g->path);
        return false;
    }
    struct grid_entries e;
    grid_flatten(node, &e);
    bool ok = e.n > 0;
    for (uint32_t i = 0; i < e.n; i++)
        ok = rule_entry(g, r, &e.list[i]) && ok;
    grid_entries_clear(&e);
    return ok;
}

bool grid_rule_matches(struct rule *r, const size_t *at, uint32_t n_axes)
{
    for (uint32_t i = 0; i < n_axes; i++) {
        if (r->match[i] && !r->match[i][at[i]])
            return false;
    }
    r->hits++;
    return true;
}

void grid_rule_clear(struct rule *r)
{
    for (uint32_t a = 0; a < MAX_AXES; a++)
        free(r->match[a]);
}
