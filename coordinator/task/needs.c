/* needs.c - see needs.h. */
#include "coordinator/task/needs.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/yaml.h"
#include "proto/buf.h"
#include "proto/file.h"
#include "proto/mem.h"

void task_needs_free(struct task_needs **np)
{
    struct task_needs *n = *np;
    if (!n)
        return;
    for (uint32_t i = 0; i < n->n; i++) {
        for (uint32_t k = 0; k < n->list[i].n_files; k++)
            free(n->list[i].files[k].file);
        free(n->list[i].files);
    }
    free(n->list);
    free(n->task);
    free(n);
    *np = NULL;
}

/* ---- one map that says where rows are ---- */

/* The text with `*` for every {{ ... }}; owned. */
static char *as_pattern(const char *text)
{
    struct px_buf b;
    size_t n;
    px_buf_init(&b, 4096);
    px_buf_put(&b, "", 0);
    while (*text) {
        const char *end = strncmp(text, "{{", 2) == 0 ? strstr(text, "}}") : NULL;
        px_buf_char(&b, end ? '*' : *text);
        text = end ? end + 2 : text + 1;
    }
    return px_buf_steal(&b, &n);
}

static void add_file(const struct yaml_node *map, uint32_t n_files, struct task_need *need)
{
    const struct yaml_node *file = yaml_get(map, "file"), *hash = yaml_get(map, "sha256");
    if (!file || file->kind != YAML_SCALAR)
        return;
    need->files = px_xrealloc(need->files, (need->n_files + 1) * sizeof *need->files);
    struct task_need_file *f = &need->files[need->n_files++];
    *f = (struct task_need_file){.file = as_pattern(file->text), .n_files = n_files};
    if (hash && hash->kind == YAML_SCALAR && px_digest_parse(hash->text, &f->hash, NULL) != 0)
        f->hash = (struct px_digest){0};
}

static bool same_need(const struct task_need *a, const struct task_need *b)
{
    if (a->n_files != b->n_files)
        return false;
    for (uint32_t i = 0; i < a->n_files; i++)
        if (strcmp(a->files[i].file, b->files[i].file) != 0)
            return false;
    return true;
}

/* Adds a need, or takes it together with an equal one. Takes its memory. */
static void add_need(struct task_needs *out, struct task_need *need)
{
    for (uint32_t i = 0; i < out->n; i++) {
        if (!same_need(&out->list[i], need))
            continue;
        out->list[i].shots = out->list[i].shots && need->shots;
        for (uint32_t k = 0; k < need->n_files; k++)
            free(need->files[k].file);
        free(need->files);
        return;
    }
    out->list = px_xrealloc(out->list, (out->n + 1) * sizeof *out->list);
    out->list[out->n++] = *need;
}

static void read_source(const struct yaml_node *map, bool shots, struct task_needs *out)
{
    const struct yaml_node *files = yaml_get(map, "files"), *each = yaml_get(map, "each");
    struct task_need need = {.shots = shots};
    if (each && each->kind == YAML_MAP) {
        const struct yaml_node *values = yaml_get(each, "values");
        bool many = values && values->kind == YAML_LIST && values->n <= UINT32_MAX;
        add_file(each, many ? (uint32_t)values->n : 1, &need);
    } else if (files && files->kind == YAML_LIST) {
        for (size_t i = 0; i < files->n; i++)
            add_file(files->items[i], 1, &need);
    } else {
        add_file(map, 1, &need);
    }
    if (need.n_files > 0)
        add_need(out, &need);
}

/* ---- the whole file ---- */

static void walk(const struct yaml_node *n, bool shots, struct task_needs *out)
{
    if (n->kind == YAML_LIST)
        for (size_t i = 0; i < n->n; i++)
            walk(n->items[i], shots, out);
    for (size_t i = 0; n->kind == YAML_MAP && i < n->n; i++) {
        const char *key = n->keys[i]->text;
        const struct yaml_node *value = n->items[i];
        bool below = shots;
        if (strcmp(key, "fewshot") == 0) {
            int64_t wanted = 0;
            const struct yaml_node *number = yaml_get(value, "n");
            below = !(number && yaml_int(number, &wanted) && wanted > 0);
        }
        if ((strcmp(key, "data") == 0 || strcmp(key, "join") == 0) && value->kind == YAML_MAP)
            read_source(value, below, out);
        walk(value, below, out);
    }
}

static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    return px_xstrndup(name, n > 5 && strcmp(name + n - 5, ".yaml") == 0 ? n - 5 : n);
}

struct task_needs *task_needs_parse(const char *text, size_t len, const char *name,
                                    struct px_err *err)
{
    struct yaml_doc *doc = yaml_parse(text, len, name, err);
    if (!doc)
        return NULL;
    struct task_needs *out = px_xcalloc(1, sizeof *out);
    out->task = name_of(name);
    walk(yaml_root(doc), false, out);
    yaml_doc_free(&doc);
    return out;
}

struct task_needs *task_needs_load(const char *path, struct px_err *err)
{
    PX_FREE char *text = NULL;
    size_t n;
    if (px_read_file(path, 4u << 20, &text, &n, err) != 0)
        return NULL;
    return task_needs_parse(text, n, path, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **task_names(uint32_t *n, struct px_err *err)
{
    PX_FREE char *home = px_home_dir(err);
    if (!home)
        return NULL;
    PX_FREE char *dir = px_path_join(home, "recipes/tasks");
    PX_FREE char *pattern = px_path_join(dir, "*.yaml");
    glob_t g = {0};
    if (glob(pattern, GLOB_NOSORT, NULL, &g) != 0) {
        px_fail(err, PX_EMISSING, "there are no task files in %s", dir);
        return NULL;
    }
    char **names = px_xcalloc(g.gl_pathc, sizeof *names);
    for (size_t i = 0; i < g.gl_pathc; i++)
        names[i] = name_of(g.gl_pathv[i]);
    *n = (uint32_t)g.gl_pathc;
    qsort(names, *n, sizeof *names, by_name);
    globfree(&g);
    return names;
}
