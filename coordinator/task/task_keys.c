/* task_keys.c - the keys of task files, and typed reading of a map with findings for what is wrong.
 * docs/tasks.md lists the same names; a test compares the two. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/json.h"
#include "proto/mem.h"

const char *const task_keys_top[] = {
    "task",      "about",        "data",       "id",      "request",  "head",
    "prompt",    "chat_prompt",  "prefix",     "chat",    "choices",  "gold",
    "contexts",  "continuation", "text",       "windows", "truncate", "target_delimiter",
    "fewshot",   "stop",         "max_tokens", "scorer",  "headline", "lower_is_better",
    "aggregate", "subset",       "groups",     "chance",  "oracle",   "reference",
    "compat",    "strategies",   "turns",      "judge",   NULL};
const char *const task_keys_data[] = {"file",  "sha256",  "files",   "each", "rows",
                                      "get",   "columns", "records", "page", "page_lines",
                                      "where", "join",    NULL};
const char *const task_keys_each[] = {"name", "values", "file", "sha256", NULL};
const char *const task_keys_join[] = {"file",    "sha256",  "files", "rows",     "get",
                                      "columns", "records", "on",    "optional", NULL};
const char *const task_keys_aggregate[] = {"metric", "kind", "of", "over", NULL};
const char *const task_keys_oracle[] = {"reference", "empty", "first", NULL};
const char *const task_keys_compat[] = {"lm-eval", NULL};
const char *const task_keys_strategies[] = {"few-shot", "scot", "cgo", NULL};
const char *const task_keys_file[] = {"file", "sha256", NULL};
const char *const task_keys_fewshot[] = {"n",       "target",    "prompt", "delimiter", "data",
                                         "samples", "selection", "seed",   "one_more",  NULL};
const char *const task_keys_scorer[] = {
    "kind",         "version", "style",  "limits",    "filters",
    "exact_match",  "main",    "strict", "tolerance", "mutual_info",
    "out_of_range", "ties",    "compat", "problem",   NULL};
const char *const task_keys_windows[] = {"rule", "context", "score_bos", NULL};
const char *const task_keys_limits[] = {"cpu_s", "wall_s", "memory_mb", "output_kb", NULL};

static void place(const struct task_map *m, const char *key, char out[CHECK_PATH])
{
    snprintf(out, CHECK_PATH, "%s%.100s", m->path, key);
}

void task_map_finding(const struct task_map *m, const char *key, const char *what)
{
    char path[CHECK_PATH];
    const struct yaml_node *at = yaml_get(m->node, key);
    place(m, key, path);
    findings_add(m->f, at ? at : m->node, path, "%s", what);
}

enum { LISTED = 16 }; /* a longer list would bury the message */

void task_map_check(const struct task_map *m, const char *const *names)
{
    char path[CHECK_PATH];
    uint32_t n = 0;
    while (names[n])
        n++;
    for (size_t i = 0; m->node && i < m->node->n; i++) {
        const char *key = m->node->keys[i]->text;
        uint32_t k = 0;
        while (k < n && strcmp(names[k], key) != 0)
            k++;
        if (k < n)
            continue;
        struct px_buf rest;
        px_buf_init(&rest, 4096);
        px_buf_put(&rest, "", 0);
        for (k = 0; n <= LISTED && k < n; k++)
            px_buf_printf(&rest, "%s%s", k ? ", " : "; allowed: ", names[k]);
        check_suggest(key, names, n, &rest);
        if (n > LISTED)
            px_buf_str(&rest, "; docs/tasks.md lists the keys");
        place(m, key, path);
        findings_add(m->f, m->node->keys[i], path, "unknown key%s", (char *)rest.data);
        px_buf_clear(&rest);
    }
}

/* The node, NULL when absent (a finding when required). */
static const struct yaml_node *find(const struct task_map *m, const char *key, bool required)
{
    const struct yaml_node *n = m->node ? yaml_get(m->node, key) : NULL;
    if (!n && required && m->node)
        task_map_finding(m, key, "missing");
    return n;
}

/* A scalar with something in it and no NUL character. */
static bool is_text(const struct yaml_node *n)
{
    return n->kind == YAML_SCALAR && strlen(n->text) == n->n_text && !yaml_is_null(n);
}

char *task_map_text(const struct task_map *m, const char *key, bool required)
{
    const struct yaml_node *n = find(m, key, required);
    if (!n)
        return NULL;
    if (!is_text(n)) {
        task_map_finding(m, key, "is not a text");
        return NULL;
    }
    return px_xstrdup(n->text);
}

struct text_template *task_template(const struct yaml_node *node, const char *path,
                                    struct findings *f)
{
    struct px_err err;
    if (!is_text(node)) {
        findings_add(f, node, path, "is not a template");
        return NULL;
    }
    struct text_template *parsed = template_parse(node->text, node->n_text, &err);
    if (parsed == NULL)
        findings_add(f, node, path, "%s", err.text);
    return parsed;
}

struct text_template *task_map_template(const struct task_map *m, const char *key, bool required)
{
    char path[CHECK_PATH];
    const struct yaml_node *n = find(m, key, required);
    place(m, key, path);
    return n ? task_template(n, path, m->f) : NULL;
}

char **task_map_texts(const struct task_map *m, const char *key, uint32_t *n)
{
    const struct yaml_node *list = find(m, key, false);
    *n = 0;
    if (!list)
        return NULL;
    bool ok = list->kind == YAML_LIST && list->n <= 1000;
    for (size_t i = 0; ok && i < list->n; i++)
        ok = is_text(list->items[i]) && list->items[i]->n_text > 0;
    if (!ok) {
        task_map_finding(m, key, "is not a list of texts");
        return NULL;
    }
    char **texts = px_xcalloc(list->n, sizeof *texts);
    *n = (uint32_t)list->n;
    for (size_t i = 0; i < list->n; i++)
        texts[i] = px_xstrdup(list->items[i]->text);
    return texts;
}

int64_t task_map_int(const struct task_map *m, const char *key, int64_t lo, int64_t hi,
                     int64_t otherwise)
{
    const struct yaml_node *n = find(m, key, false);
    int64_t v;
    char what[120];
    if (!n)
        return otherwise;
    if (yaml_int(n, &v) && v >= lo && v <= hi)
        return v;
    snprintf(what, sizeof what, "is not an integer from %lld to %lld", (long long)lo,
             (long long)hi);
    task_map_finding(m, key, what);
    return otherwise;
}

uint32_t task_map_enum(const struct task_map *m, const char *key, const char *const *values,
                       uint32_t otherwise)
{
    const struct yaml_node *n = find(m, key, false);
    uint32_t count = 0;
    if (!n)
        return otherwise;
    while (values[count]) {
        if (is_text(n) && strcmp(values[count], n->text) == 0)
            return count;
        count++;
    }
    struct px_buf b;
    px_buf_init(&b, 1024);
    px_buf_str(&b, "not a value of this key; allowed: ");
    for (uint32_t i = 0; i < count; i++)
        px_buf_printf(&b, "%s%s", i ? ", " : "", values[i]);
    if (n->kind == YAML_SCALAR)
        check_suggest(n->text, values, count, &b);
    task_map_finding(m, key, (char *)b.data);
    px_buf_clear(&b);
    return otherwise;
}

struct task_map task_map_map(const struct task_map *m, const char *key, const char *path,
                             bool required)
{
    const struct yaml_node *n = find(m, key, required);
    if (n && n->kind != YAML_MAP) {
        task_map_finding(m, key, "is not a map");
        n = NULL;
    }
    return (struct task_map){.node = n, .path = path, .f = m->f};
}

void task_yaml_json(const struct yaml_node *node, struct px_buf *out)
{
    int64_t i;
    double d;
    bool b;
    if (node->kind != YAML_SCALAR) {
        px_buf_char(out, node->kind == YAML_MAP ? '{' : '[');
        for (size_t k = 0; k < node->n; k++) {
            if (k)
                px_buf_char(out, ',');
            if (node->kind == YAML_MAP) {
                px_json_quote(out, node->keys[k]->text, node->keys[k]->n_text);
                px_buf_char(out, ':');
            }
            task_yaml_json(node->items[k], out);
        }
        px_buf_char(out, node->kind == YAML_MAP ? '}' : ']');
    } else if (yaml_is_null(node)) {
        px_buf_str(out, "null");
    } else if (yaml_int(node, &i)) {
        px_buf_printf(out, "%lld", (long long)i);
    } else if (yaml_double(node, &d)) {
        px_json_number(out, d);
    } else if (yaml_bool(node, &b)) {
        px_buf_str(out, b ? "true" : "false");
    } else {
        px_json_quote(out, node->text, node->n_text);
    }
}
