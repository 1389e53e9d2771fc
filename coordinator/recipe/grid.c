/* grid.c - see grid.h. */
#include "coordinator/recipe/grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/grid_rules.h"
#include "coordinator/recipe/settings.h"
#include "proto/digest.h"
#include "proto/mem.h"

#define MAX_RULES 1000

/* ---- entries ---- */

static void flatten(const struct yaml_node *map, const char *prefix, struct grid_entries *out)
{
    for (size_t i = 0; i < map->n; i++) {
        PX_FREE char *axis = px_xasprintf("%s%s%s", prefix, *prefix ? "." : "", map->keys[i]->text);
        if (map->items[i]->kind == YAML_MAP) {
            flatten(map->items[i], axis, out);
            continue;
        }
        PX_GROW(out->list, out->n, out->cap);
        out->list[out->n++] = (struct grid_entry){.key = key_by_axis(axis),
                                                  .axis = px_xstrdup(axis),
                                                  .name = map->keys[i],
                                                  .value = map->items[i]};
    }
}

void grid_flatten(const struct yaml_node *map, struct grid_entries *out)
{
    *out = (struct grid_entries){0};
    flatten(map, "", out);
}

void grid_entries_clear(struct grid_entries *e)
{
    for (uint32_t i = 0; i < e->n; i++)
        free(e->list[i].axis);
    free(e->list);
    *e = (struct grid_entries){0};
}

const struct yaml_node *grid_base_node(const struct yaml_node *eval, const struct key *key)
{
    const char *axis = key_axis(key), *dot = strchr(axis, '.');
    if (!dot)
        return yaml_get(eval, axis);
    PX_FREE char *first = px_xstrndup(axis, (size_t)(dot - axis));
    return yaml_get(yaml_get(eval, first), dot + 1);
}

char *grid_node_text(const struct key *key, const struct yaml_node *node)
{
    struct px_buf b;
    px_buf_init(&b, 1u << 20);
    settings_node_value(key, node, &b);
    return px_buf_steal(&b, NULL);
}

void grid_entry_path(const struct grid *g, const char *section, const char *axis,
                     char out[CHECK_PATH])
{
    snprintf(out, CHECK_PATH, "%s.%s.%.100s", g->path, section, axis);
}

static void report_unknown_axis(struct grid *g, const struct grid_entry *e, const char *path)
{
    const char *names[KNOB_COUNT];
    uint32_t n = 0;
    struct px_buf rest;
    px_buf_init(&rest, 4096);
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        names[n] = key_axis(key_of_knob((enum knob)k));
        px_buf_printf(&rest, "%s%s", n ? ", " : "", names[n]);
        n++;
    }
    const char *last = strrchr(e->axis, '.') ? strrchr(e->axis, '.') + 1 : e->axis;
    const char *near = recipe_nearest(e->axis, names, n);
    for (uint32_t i = 0; !near && i < n; i++) {
        const char *dot = strrchr(names[i], '.');
        if (dot && strcmp(dot + 1, last) == 0)
            near = names[i];
    }
    if (near)
        px_buf_printf(&rest, "; did you mean '%s'", near);
    findings_add(g->f, e->name, path, "not a setting of an eval; allowed: %s", (char *)rest.data);
    px_buf_clear(&rest);
}

/* ---- base and axes ---- */

/* False when a value is wrong; what is wrong was reported by check_recipe. */
static bool read_base(struct grid *g)
{
    char why[200];
    bool ok = true;
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        const struct key *key = key_of_knob((enum knob)k);
        const struct yaml_node *node = grid_base_node(g->eval, key);
        if (!node)
            continue;
        g->base_nodes[k] = node;
        if (key_check(key, node, why, sizeof why))
            settings_apply(&g->base, key, node);
        else
            ok = false;
    }
    return ok;
}

static bool axis_values(struct grid *g, struct axis *a, const char *path)
{
    const struct yaml_node *list = a->entry.value;
    bool ok = true;
    a->texts = px_xcalloc(list->n, sizeof *a->texts);
    for (size_t i = 0; i < list->n; i++) {
        if (!check_value(a->entry.key, list->items[i], path, g->f)) {
            ok = false;
            continue;
        }
        char *text = grid_node_text(a->entry.key, list->items[i]);
        for (size_t j = 0; j < a->n; j++) {
            if (strcmp(text, a->texts[j]) == 0) {
                findings_add(g->f, list->items[i], path, "the value %.60s stands twice", text);
                ok = false;
                break;
            }
        }
        a->texts[a->n++] = text;
    }
    return ok;
}

static bool read_axis(struct grid *g, const struct grid_entry *e)
{
    char path[CHECK_PATH];
    grid_entry_path(g, "grid", e->axis, path);
    if (!e->key) {
        report_unknown_axis(g, e, path);
        return false;
    }
    if (e->value->kind != YAML_LIST || e->value->n == 0) {
        findings_add(g->f, e->value, path, "an axis needs a list of values; allowed: [a, b, ...]");
        return false;
    }
    if (g->base_nodes[e->key->knob]) {
        findings_add(g->f, e->name, path,
                     "contradiction: the same setting is fixed at line %u; allowed: one of the two",
                     g->base_nodes[e->key->knob]->line);
        return false;
    }
    for (uint32_t i = 0; i < g->n_axes; i++) {
        if (g->axes[i].entry.key == e->key) {
            findings_add(g->f, e->name, path, "duplicate key: this axis is given twice");
            return false;
        }
    }
    struct axis *a = &g->axes[g->n_axes++];
    *a = (struct axis){.entry = *e};
    a->entry.axis = px_xstrdup(e->axis);
    return axis_values(g, a, path);
}

static bool read_axes(struct grid *g, const struct yaml_node *grid)
{
    struct grid_entries e;
    bool ok = true;
    grid_flatten(grid, &e);
    if (e.n == 0)
        findings_add(g->f, grid, "", "%s.grid: an empty grid; allowed: settings with lists",
                     g->path);
    for (uint32_t i = 0; i < e.n; i++)
        ok = read_axis(g, &e.list[i]) && ok;
    size_t total = 1;
    for (uint32_t i = 0; i < g->n_axes; i++) {
        total *= g->axes[i].n ? g->axes[i].n : 1;
        if (total > MAX_CELLS)
            break;
    }
    if (total > MAX_CELLS) {
        findings_add(g->f, grid, "", "%s.grid: more than %d cells", g->path, MAX_CELLS);
        ok = false;
    }
    ok = ok && e.n > 0;
    grid_entries_clear(&e);
    return ok;
}

/* ---- cells ---- */

static bool same_value(const struct eval_settings *a, const struct eval_settings *b, enum knob knob)
{
    struct px_buf x, y;
    px_buf_init(&x, 1u << 20);
    px_buf_init(&y, 1u << 20);
    settings_write_value(a, knob, &x);
    settings_write_value(b, knob, &y);
    bool same = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
    px_buf_clear(&x);
    px_buf_clear(&y);
    return same;
}

static void note_use(struct grid *g, const struct eval_settings *raw,
                     const struct eval_settings *resolved)
{
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        enum knob knob = (enum knob)k;
        if (g->acted[k] || settings_is_default(raw, knob))
            continue;
        g->named[k] = true;
        g->acted[k] = same_value(raw, resolved, knob);
    }
    if (raw->reuse.k > 1 && raw->reuse.subset == SUBSET_NONE)
        g->lacks_subset = true;
}

/* Adds a cell or, when one with the same settings is there, its name. Both taken. Returns false
 * when it was there already. */
static bool add_cell(struct grid *g, struct eval_settings *s, char *name)
{
    struct eval_settings raw = settings_copy(s);
    settings_normalise(s);
    note_use(g, &raw, s);
    settings_clear(&raw);
    char *json = settings_json(s);
    struct px_digest d = px_sha256(json, strlen(json));
    uint64_t hash;
    memcpy(&hash, d.b, sizeof hash);
    for (uint32_t i = 0; i < g->n_cells; i++) {
        struct recipe_cell *c = &g->cells[i];
        if (g->hashes[i] != hash || strcmp(c->settings_json, json) != 0)
            continue;
        c->names = px_xrealloc(c->names, (c->n_names + 1) * sizeof *c->names);
        c->names[c->n_names++] = name;
        settings_clear(s);
        free(json);
        return false;
    }
    if (g->n_cells == g->cap_cells) {
        g->cap_cells = g->cap_cells ? 2 * g->cap_cells : 8;
        g->cells = px_xrealloc(g->cells, g->cap_cells * sizeof *g->cells);
        g->hashes = px_xrealloc(g->hashes, g->cap_cells * sizeof *g->hashes);
    }
    struct recipe_cell *c = &g->cells[g->n_cells];
    g->hashes[g->n_cells++] = hash;
    *c = (struct recipe_cell){.settings = *s, .settings_json = json, .n_names = 1};
    c->names = px_xcalloc(1, sizeof *c->names);
    c->names[0] = name;
    return true;
}

static void add_grid_cell(struct grid *g, const size_t *at)
{
    struct eval_settings s = settings_copy(&g->base);
    struct px_buf name;
    px_buf_init(&name, 1u << 20);
    for (uint32_t i = 0; i < g->n_axes; i++) {
        const struct axis *a = &g->axes[i];
        settings_apply(&s, a->entry.key, a->entry.value->items[at[i]]);
        px_buf_printf(&name, "%s%s=%s", i ? "," : "", key_axis(a->entry.key), a->texts[at[i]]);
    }
    add_cell(g, &s, px_buf_steal(&name, NULL));
}

static void multiply(struct grid *g, struct rule *rules, uint32_t n_rules)
{
    size_t at[MAX_AXES] = {0};
    for (;;) {
        bool out = false;
        for (uint32_t r = 0; r < n_rules; r++)
            out = grid_rule_matches(&rules[r], at, g->n_axes) || out;
        if (!out)
            add_grid_cell(g, at);
        uint32_t i = g->n_axes;
        while (i > 0 && ++at[i - 1] == g->axes[i - 1].n)
            at[--i] = 0;
        if (i == 0)
            return;
    }
}

static void grid_cells(struct grid *g, const struct yaml_node *exclude, bool has_include)
{
    uint32_t n = exclude && exclude->kind == YAML_LIST ? (uint32_t)exclude->n : 0;
    struct rule *rules = px_xcalloc(n, sizeof *rules);
    bool ok = n <= MAX_RULES;
    if (!ok)
        findings_add(g->f, exclude, "", "%s.exclude: more than %d entries", g->path, MAX_RULES);
    for (uint32_t i = 0; n <= MAX_RULES && i < n; i++)
        ok = grid_read_rule(g, exclude->items[i], &rules[i]) && ok;
    if (ok)
        multiply(g, rules, n);
    for (uint32_t i = 0; ok && i < n; i++) {
        if (rules[i].hits == 0)
            findings_add(g->f, rules[i].node, "", "%s.exclude: matches no cell", g->path);
    }
    if (ok && g->n_cells == 0 && !has_include)
        findings_add(g->f, exclude, "", "%s.exclude: contradiction: every cell is removed",
                     g->path);
    for (uint32_t i = 0; i < n; i++)
        grid_rule_clear(&rules[i]);
    free(rules);
}

static bool include_entry(struct grid *g, const struct grid_entry *e, struct eval_settings *s,
                          struct px_buf *name)
{
    char path[CHECK_PATH];
    grid_entry_path(g, "include", e->axis, path);
    if (!e->key) {
        report_unknown_axis(g, e, path);
        return false;
    }
    if (!check_value(e->key, e->value, path, g->f))
        return false;
    settings_apply(s, e->key, e->value);
    PX_FREE char *text = grid_node_text(e->key, e->value);
    px_buf_printf(name, "%s%s=%s", name->len ? "," : "", key_axis(e->key), text);
    return true;
}

static void include_cell(struct grid *g, const struct yaml_node *node)
{
    if (node->kind != YAML_MAP || node->n == 0) {
        findings_add(g->f, node, "", "%s.include: not a map of settings; allowed: {axis: value}",
                     g->path);
        return;
    }
    struct eval_settings s = settings_copy(&g->base);
    struct px_buf name;
    px_buf_init(&name, 1u << 20);
    struct grid_entries e;
    grid_flatten(node, &e);
    bool ok = e.n > 0;
    for (uint32_t i = 0; i < e.n; i++)
        ok = include_entry(g, &e.list[i], &s, &name) && ok;
    grid_entries_clear(&e);
    if (!ok) {
        settings_clear(&s);
        px_buf_clear(&name);
        return;
    }
    if (!add_cell(g, &s, px_buf_steal(&name, NULL)))
        findings_add(g->f, node, "",
                     "%s.include: contradiction: these settings are already those of another cell",
                     g->path);
}

/* ---- knobs that cannot act ---- */

static const char *why_inert(const struct grid *g, enum knob knob)
{
    switch (knob) {
    case KNOB_TOP_K:
    case KNOB_TOP_P:
    case KNOB_MIN_P:
        return "sampler.temperature is 0 (greedy) in every cell where it is set";
    case KNOB_SAMPLES:
        return "sampler.temperature is 0 (greedy): all samples would be equal";
    case KNOB_REUSE_K:
        return "reuse.subset is empty";
    case KNOB_REUSE_SIZE:
        if (g->acted[KNOB_REUSE_K])
            return "contradiction: reuse.subset is a list of layers, which has its own size";
        return "reuse.k is 1 in every cell";
    default:
        return "reuse.k is 1 in every cell";
    }
}

static const struct yaml_node *knob_node(const struct grid *g, const struct key *key)
{
    if (g->base_nodes[key->knob])
        return g->base_nodes[key->knob];
    for (uint32_t i = 0; i < g->n_axes; i++) {
        if (g->axes[i].entry.key == key)
            return g->axes[i].entry.name;
    }
    const struct yaml_node *include = yaml_get(g->eval, "include");
    return include ? include : g->eval;
}

static void report_inert(struct grid *g)
{
    char path[CHECK_PATH];
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        const struct key *key = key_of_knob((enum knob)k);
        if (!g->named[k] || g->acted[k] || (k == KNOB_REUSE_K && g->lacks_subset))
            continue;
        if (k == KNOB_REUSE_SUBSET && g->named[KNOB_REUSE_K])
            continue; /* an empty list, told at reuse.k */
        snprintf(path, sizeof path, "%s.%s", g->path, key_axis(key));
        findings_add(g->f, knob_node(g, key), path, "cannot act: %s; it acts on %s",
                     why_inert(g, (enum knob)k), key->acts);
    }
    if (g->lacks_subset) {
        snprintf(path, sizeof path, "%s.reuse.subset", g->path);
        findings_add(g->f, knob_node(g, key_of_knob(KNOB_REUSE_K)), path,
                     "missing where reuse.k is above 1; allowed: first, middle, last or a list of "
                     "layer indices");
    }
}

static void free_grid(struct grid *g)
{
    for (uint32_t i = 0; i < g->n_axes; i++) {
        for (size_t j = 0; j < g->axes[i].n; j++)
            free(g->axes[i].texts[j]);
        free(g->axes[i].texts);
        free(g->axes[i].entry.axis);
    }
    settings_clear(&g->base);
    free(g->hashes);
}

void grid_resolve(const struct yaml_node *eval, const char *path, uint64_t seed, struct findings *f,
                  struct recipe_cell **cells, uint32_t *n_cells)
{
    struct grid g = {.eval = eval, .path = path, .f = f};
    uint32_t findings_before = f->n;
    settings_init(&g.base, seed);
    bool base_ok = read_base(&g);
    const struct yaml_node *grid = yaml_get(eval, "grid"), *exclude = yaml_get(eval, "exclude"),
                           *include = yaml_get(eval, "include");
    bool has_include = include && include->kind == YAML_LIST && include->n > 0;
    bool ok = true;
    if (grid && grid->kind == YAML_MAP) {
        ok = read_axes(&g, grid);
        if (ok)
            grid_cells(&g, exclude, has_include);
    } else if (exclude && exclude->kind == YAML_LIST) {
        findings_add(f, exclude, "", "%s.exclude: cannot act: there is no grid", path);
    } else if (!has_include) {
        struct eval_settings s = settings_copy(&g.base);
        add_cell(&g, &s, px_xstrdup("default"));
    }
    for (size_t i = 0; has_include && i < include->n && i < MAX_CELLS; i++)
        include_cell(&g, include->items[i]);
    if (base_ok && ok && f->n == findings_before)
        report_inert(&g);
    free_grid(&g);
    *cells = g.cells;
    *n_cells = g.n_cells;
}

void grid_free_cells(struct recipe_cell *cells, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < cells[i].n_names; j++)
            free(cells[i].names[j]);
        free(cells[i].names);
        free(cells[i].settings_json);
        settings_clear(&cells[i].settings);
    }
    free(cells);
}
