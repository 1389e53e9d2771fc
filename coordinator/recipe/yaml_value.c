/* yaml_value.c - reading nodes as numbers and booleans, and putting values at dotted paths. */
#include <string.h>

#include "coordinator/recipe/yaml.h"
#include "coordinator/recipe/yaml_doc.h"
#include "proto/mem.h"
#include "proto/number.h"

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (!map || map->kind != YAML_MAP)
        return NULL;
    size_t n = strlen(key);
    for (size_t i = 0; i < map->n; i++) {
        if (map->keys[i]->n_text == n && memcmp(map->keys[i]->text, key, n) == 0)
            return map->items[i];
    }
    return NULL;
}

/* A plain scalar without an embedded NUL: what numbers and booleans are written as. */
static bool is_plain(const struct yaml_node *n)
{
    return n && n->kind == YAML_SCALAR && !n->quoted && strlen(n->text) == n->n_text;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return is_plain(n) &&
           (n->n_text == 0 || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

bool yaml_int(const struct yaml_node *n, int64_t *out)
{
    return is_plain(n) && px_parse_int(n->text, INT64_MIN, INT64_MAX, out, NULL) == 0;
}

bool yaml_double(const struct yaml_node *n, double *out)
{
    return is_plain(n) && px_parse_double(n->text, -1e300, 1e300, out, NULL) == 0;
}

bool yaml_bool(const struct yaml_node *n, bool *out)
{
    static const char *const words[] = {"true", "yes", "false", "no"};
    for (size_t i = 0; is_plain(n) && i < 4; i++) {
        if (strcmp(n->text, words[i]) == 0) {
            *out = i < 2;
            return true;
        }
    }
    return false;
}

struct yaml_node *yaml_new_scalar(struct yaml_doc *d, const char *text)
{
    struct yaml_node *n = yaml_doc_node(d, YAML_SCALAR);
    n->text = px_xstrdup(text);
    n->n_text = strlen(text);
    return n;
}

static struct yaml_node *adopt(struct yaml_doc *d, const struct yaml_node *from)
{
    struct yaml_node *n = yaml_doc_node(d, from->kind);
    n->quoted = from->quoted;
    n->n_text = from->n_text;
    n->text = from->text ? px_xmemdup(from->text, from->n_text) : NULL;
    for (size_t i = 0; i < from->n; i++)
        yaml_node_add(n, from->kind == YAML_MAP ? adopt(d, from->keys[i]) : NULL,
                      adopt(d, from->items[i]));
    return n;
}

static size_t part_length(const struct yaml_node *at, const char *path)
{
    /* A key may itself hold dots (a grid's axis): an existing key wins, the longest first. */
    size_t best = 0;
    for (size_t i = 0; at->kind == YAML_MAP && i < at->n; i++) {
        size_t n = strlen(at->keys[i]->text);
        if (n > best && strncmp(path, at->keys[i]->text, n) == 0 &&
            (path[n] == '.' || path[n] == '\0'))
            best = n;
    }
    return best ? best : strcspn(path, ".");
}

/* The place that one part of a path names inside `at`, made when a map lacks it. */
static struct yaml_node **step(struct yaml_doc *d, struct yaml_node *at, const char *part,
                               const char *path, struct px_err *err)
{
    if (at->kind == YAML_LIST) {
        int64_t i;
        if (at->n == 0 || px_parse_int(part, 0, (int64_t)at->n - 1, &i, NULL) != 0) {
            px_fail(err, PX_EINPUT, "%s: '%s' is not an index into a list of %zu", path, part,
                    at->n);
            return NULL;
        }
        return &at->items[i];
    }
    if (at->kind != YAML_MAP) {
        px_fail(err, PX_EINPUT, "%s: there is nothing below a single value at '%s'", path, part);
        return NULL;
    }
    for (size_t i = 0; i < at->n; i++) {
        if (strcmp(at->keys[i]->text, part) == 0)
            return &at->items[i];
    }
    yaml_node_add(at, yaml_new_scalar(d, part), yaml_new_scalar(d, ""));
    return &at->items[at->n - 1];
}

static int put_at(struct yaml_doc *d, const char *path, struct yaml_node *value, struct px_err *err)
{
    struct yaml_node **slot = &d->root;
    const char *rest = path;
    while (*rest) {
        if (yaml_is_null(*slot))
            *slot = yaml_doc_node(d, YAML_MAP);
        size_t n = part_length(*slot, rest);
        if (n == 0 || (rest[n] == '.' && rest[n + 1] == '\0'))
            return px_fail(err, PX_EINPUT, "'%s' is not a dotted path", path);
        PX_FREE char *part = px_xstrndup(rest, n);
        slot = step(d, *slot, part, path, err);
        if (!slot)
            return -1;
        rest += n + (rest[n] == '.');
    }
    *slot = value;
    return 0;
}

int yaml_set_path(struct yaml_doc *d, const char *path, const char *value, struct px_err *err)
{
    if (!*path)
        return px_fail(err, PX_EINPUT, "an empty path");
    struct yaml_doc *v = NULL;
    struct yaml_node *node;
    if (*value) {
        v = yaml_parse(value, strlen(value), path, err);
        if (!v)
            return -1;
        node = adopt(d, yaml_root(v));
    } else {
        node = yaml_new_scalar(d, "");
    }
    int rc = put_at(d, path, node, err);
    yaml_doc_free(&v);
    return rc;
}

static void remove_at(struct yaml_node *map, size_t i)
{
    memmove(&map->items[i], &map->items[i + 1], (map->n - i - 1) * sizeof *map->items);
    memmove(&map->keys[i], &map->keys[i + 1], (map->n - i - 1) * sizeof *map->keys);
    map->n--;
}

void yaml_merge(struct yaml_node *into, const struct yaml_node *over)
{
    for (size_t i = 0; i < over->n; i++) {
        struct yaml_node *value = over->items[i];
        size_t k = 0;
        while (k < into->n && strcmp(into->keys[k]->text, over->keys[i]->text) != 0)
            k++;
        if (yaml_is_null(value)) {
            if (k < into->n)
                remove_at(into, k);
        } else if (k == into->n) {
            yaml_node_add(into, over->keys[i], value);
        } else if (value->kind == YAML_MAP && into->items[k]->kind == YAML_MAP) {
            yaml_merge(into->items[k], value);
        } else {
            into->items[k] = value;
        }
    }
}
