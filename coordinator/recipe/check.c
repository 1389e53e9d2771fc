/* check.c - see check.h. `pattern` is a path of the table ("models.*"), `path` the same place as a
 * person writes it ("models.base", "stages.1.eval"). */
#include "coordinator/recipe/check.h"

#include <stdio.h>
#include <string.h>

#include "coordinator/recipe/recipe.h"

#define MAX_CHILDREN 64

static void check_map(const struct yaml_node *map, const char *pattern, const char *path,
                      struct findings *f);

/* "a.b" of "a" and "b"; cut when it does not fit. */
static void join(char out[CHECK_PATH], const char *path, const char *name)
{
    int n = snprintf(out, CHECK_PATH, "%s%s%.100s", path, *path ? "." : "", name);
    if (n >= CHECK_PATH)
        memcpy(out + CHECK_PATH - 4, "...", 4);
}

void check_suggest(const char *word, const char *const *names, uint32_t n, struct px_buf *out)
{
    const char *near = recipe_nearest(word, names, n);
    if (near)
        px_buf_printf(out, "; did you mean '%s'", near);
}

static void suggest_value(const struct key *key, const struct yaml_node *node, struct px_buf *out)
{
    const char *names[MAX_CHILDREN];
    uint32_t n = 0;
    if (node->kind != YAML_SCALAR)
        return;
    for (size_t i = 0; key->allowed && key->allowed[i] && n < MAX_CHILDREN; i++)
        names[n++] = key->allowed[i];
    if (key->word)
        names[n++] = key->word;
    check_suggest(node->text, names, n, out);
}

bool check_value(const struct key *key, const struct yaml_node *node, const char *path,
                 struct findings *f)
{
    char why[200];
    if (key_check(key, node, why, sizeof why))
        return true;
    struct px_buf rest;
    px_buf_init(&rest, 4096);
    key_write_allowed(key, &rest);
    suggest_value(key, node, &rest);
    findings_add(f, node, path, "%s; allowed: %s", why, (char *)rest.data);
    px_buf_clear(&rest);
    return false;
}

/* A setting whose last part is this word: `temperature` written where `sampler.temperature` goes.
 */
static const char *misplaced(const char *pattern, const char *word)
{
    if (strncmp(pattern, KEY_EVAL, sizeof KEY_EVAL - 1) != 0)
        return NULL;
    for (int k = KNOB_NONE + 1; k < KNOB_COUNT; k++) {
        const char *axis = key_axis(key_of_knob((enum knob)k));
        const char *dot = strrchr(axis, '.');
        if (strcmp(axis, word) == 0 || (dot && strcmp(dot + 1, word) == 0))
            return axis;
    }
    return NULL;
}

static void report_unknown(const struct yaml_node *key, const char *pattern, const char *path,
                           struct findings *f)
{
    const char *names[MAX_CHILDREN];
    uint32_t n = key_children(pattern, names, MAX_CHILDREN);
    if (key_is_later(pattern, key->text)) {
        findings_add(f, key, path, "not supported by this version");
        return;
    }
    struct px_buf rest;
    px_buf_init(&rest, 4096);
    for (uint32_t i = 0; i < n; i++)
        px_buf_printf(&rest, "%s%s", i ? ", " : "", names[i]);
    const char *elsewhere = misplaced(pattern, key->text);
    if (elsewhere)
        px_buf_printf(&rest, "; did you mean 'eval.%s'", elsewhere);
    else
        check_suggest(key->text, names, n, &rest);
    findings_add(f, key, path, "unknown key; allowed: %s", (char *)rest.data);
    px_buf_clear(&rest);
}

static void check_named(const struct yaml_node *map, const char *pattern, const char *path,
                        struct findings *f)
{
    char below[CHECK_PATH], place[CHECK_PATH];
    join(below, pattern, "*");
    const struct key name_key = {.path = below, .type = KEY_NAME};
    const struct key *entry = key_find(below);
    if (map->n == 0)
        findings_add(f, map, path, "an empty map");
    for (size_t i = 0; i < map->n; i++) {
        join(place, path, map->keys[i]->text);
        check_value(&name_key, map->keys[i], place, f);
        if (check_value(entry, map->items[i], place, f))
            check_map(map->items[i], below, place, f);
    }
}

static void check_stages(const struct yaml_node *list, const char *path, struct findings *f)
{
    char place[CHECK_PATH], index[24];
    if (list->n == 0)
        findings_add(f, list, path, "an empty list; allowed: import, eval");
    for (size_t i = 0; i < list->n; i++) {
        const struct yaml_node *stage = list->items[i];
        snprintf(index, sizeof index, "%zu", i);
        join(place, path, index);
        if (stage->kind != YAML_MAP || stage->n != 1)
            findings_add(f, stage, place,
                         "a stage is a map with one key, its kind; allowed: import, eval");
        else
            check_map(stage, "stages[]", place, f);
    }
}

static void check_maps(const struct yaml_node *list, const char *pattern, const char *path,
                       struct findings *f)
{
    char below[CHECK_PATH], place[CHECK_PATH], index[24];
    snprintf(below, sizeof below, "%.500s[]", pattern);
    for (size_t i = 0; i < list->n; i++) {
        snprintf(index, sizeof index, "%zu", i);
        join(place, path, index);
        if (list->items[i]->kind != YAML_MAP)
            findings_add(f, list->items[i], place, "is not a map; allowed: a map");
        else
            check_map(list->items[i], below, place, f);
    }
}

static void check_required(const struct yaml_node *map, const char *pattern, const char *path,
                           struct findings *f)
{
    const char *names[MAX_CHILDREN];
    uint32_t n = key_children(pattern, names, MAX_CHILDREN);
    char below[CHECK_PATH], place[CHECK_PATH];
    for (uint32_t i = 0; i < n; i++) {
        join(below, pattern, names[i]);
        const struct key *key = key_find(below);
        if (!key->required || yaml_get(map, names[i]))
            continue;
        struct px_buf allowed;
        px_buf_init(&allowed, 4096);
        key_write_allowed(key, &allowed);
        join(place, path, names[i]);
        findings_add(f, map, place, "missing; allowed: %s", (char *)allowed.data);
        px_buf_clear(&allowed);
    }
}

static void check_map(const struct yaml_node *map, const char *pattern, const char *path,
                      struct findings *f)
{
    char below[CHECK_PATH], place[CHECK_PATH];
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml_node *name = map->keys[i], *value = map->items[i];
        join(below, pattern, name->text);
        join(place, path, name->text);
        /* A text with pattern characters must not be taken for a pattern. */
        const struct key *key = strpbrk(name->text, ".[*") ? NULL : key_find(below);
        if (!key) {
            report_unknown(name, pattern, place, f);
            continue;
        }
        if (!check_value(key, value, place, f))
            continue;
        if (key->type == KEY_MAP)
            check_map(value, below, place, f);
        else if (key->type == KEY_NAMED)
            check_named(value, below, place, f);
        else if (key->type == KEY_STAGES)
            check_stages(value, place, f);
        else if (key->type == KEY_MAPS)
            check_maps(value, below, place, f);
    }
    check_required(map, pattern, path, f);
}

void check_recipe(const struct yaml_node *root, struct findings *f)
{
    if (root->kind != YAML_MAP) {
        findings_add(f, root, "",
                     "a recipe is a map; allowed: recipe, seed, models, stages, gates, "
                     "resources");
        return;
    }
    check_map(root, "", "", f);
}
