/* task_data.c - `data` of a task file: where rows are, which of them, and what is added to them. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/mem.h"

static void read_hash(const struct task_map *m, struct px_digest *out)
{
    PX_FREE char *hex = task_map_text(m, "sha256", false);
    if (!hex)
        return;
    if (px_digest_parse(hex, out, NULL) != 0)
        task_map_finding(m, "sha256", "is not a SHA-256 of 64 hexadecimal digits");
    else if (px_digest_is_zero(out)) /* inside, that says "any file" */
        task_map_finding(m, "sha256", "is no file's: put the file's own, or leave the key out");
}

static void check_format(const struct task_map *m, const char *file)
{
    if (rows_format_known(file))
        return;
    PX_FREE char *what = px_xasprintf("unknown format; allowed: %s", rows_formats);
    task_map_finding(m, "file", what);
}

static void read_file(const struct task_map *m, struct rows_spec *out)
{
    char *file = task_map_text(m, "file", true);
    if (!file)
        return;
    check_format(m, file);
    out->files = px_xrealloc(out->files, (out->n_files + 1) * sizeof *out->files);
    struct rows_file *rf = &out->files[out->n_files++];
    *rf = (struct rows_file){.path = file};
    read_hash(m, &rf->hash);
}

static void read_files(const struct task_map *m, const struct yaml_node *list,
                       struct rows_spec *out)
{
    if (list->kind != YAML_LIST || list->n == 0) {
        task_map_finding(m, "files", "is not a list of maps {file, sha256}");
        return;
    }
    for (size_t i = 0; i < list->n; i++) {
        struct task_map one = {.node = list->items[i], .path = m->path, .f = m->f};
        if (one.node->kind != YAML_MAP) {
            task_map_finding(m, "files", "is not a list of maps {file, sha256}");
            continue;
        }
        task_map_check(&one, task_keys_file);
        read_file(&one, out);
    }
}

static bool all_end_with(const struct rows_spec *s, const char *const *endings)
{
    bool all = s->n_files > 0;
    for (uint32_t i = 0; i < s->n_files; i++) {
        bool one = false;
        for (const char *const *e = endings; *e; e++) {
            size_t n = strlen(s->files[i].path), k = strlen(*e);
            one = one || (n > k && strcmp(s->files[i].path + n - k, *e) == 0);
        }
        all = all && one;
    }
    return all;
}

/* Keys that act on some formats only. A family's format is known when its files are opened. */
static void check_formats(const struct task_map *m, const struct rows_spec *s, bool family)
{
    static const struct {
        const char *key, *what;
        const char *const endings[3];
    } only[] = {
        {"columns", "cannot act: it acts on .csv files", {".csv", NULL}},
        {"records", "cannot act: it acts on .json files", {".json", NULL}},
        {"page", "cannot act: it acts on .txt and .raw files", {".txt", ".raw", NULL}},
        {"page_lines", "cannot act: it acts on .txt and .raw files", {".txt", ".raw", NULL}}};
    for (size_t i = 0; i < sizeof only / sizeof only[0]; i++) {
        if (yaml_get(m->node, only[i].key) && !family && !all_end_with(s, only[i].endings))
            task_map_finding(m, only[i].key, only[i].what);
    }
}

static void read_page(const struct task_map *m, struct rows_spec *out)
{
    PX_FREE char *pattern = task_map_text(m, "page", false);
    struct px_err err;
    out->page_lines = (uint32_t)task_map_int(m, "page_lines", 1, 1000000, 0);
    if (pattern && out->page_lines)
        task_map_finding(m, "page_lines", "contradiction: `page` is given too");
    if (!pattern ||
        (out->page = pyregex_new((struct span){pattern, strlen(pattern)}, 0, &err)) != NULL)
        return;
    PX_FREE char *what = px_xasprintf("%s", err.text);
    task_map_finding(m, "page", what);
}

/* The keys that `data` and `data.join` share. */
static void read_rows_spec(const struct task_map *m, bool family, struct rows_spec *out)
{
    const struct yaml_node *files = yaml_get(m->node, "files");
    bool file = yaml_get(m->node, "file") || yaml_get(m->node, "sha256");
    out->n_rows = task_map_int(m, "rows", 0, 50000000, -1);
    out->get = task_map_text(m, "get", true);
    out->columns = task_map_texts(m, "columns", &out->n_columns);
    out->records = task_map_text(m, "records", false);
    if (family && (file || files))
        task_map_finding(m, "each", "contradiction: `file` and `sha256` go inside of it");
    else if (files && file)
        task_map_finding(m, "files", "contradiction: `file` and `sha256` go inside of it");
    else if (files)
        read_files(m, files, out);
    else if (!family)
        read_file(m, out);
    check_formats(m, out, family);
}

static bool is_field_name(const char *s)
{
    return *s &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
               strlen(s) &&
           (*s < '0' || *s > '9');
}

static void read_each(const struct task_map *m, struct each_spec *out)
{
    task_map_check(m, task_keys_each);
    out->name = task_map_text(m, "name", true);
    if (out->name && !is_field_name(out->name))
        task_map_finding(m, "name", "is not a name of letters, digits and '_'");
    out->values = task_map_texts(m, "values", &out->n_values);
    if (out->n_values == 0)
        task_map_finding(m, "values", "missing: a list of texts, one per file");
    for (uint32_t i = 0; i < out->n_values; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(out->values[i], out->values[k]) == 0) {
                PX_FREE char *what = px_xasprintf("names '%.100s' twice", out->values[i]);
                task_map_finding(m, "values", what);
            }
        }
    }
    out->file = task_map_template(m, "file", true);
    read_hash(m, &out->hash);
}

void task_read_data(const struct task_map *m, struct data_spec *out)
{
    data_spec_init(out);
    if (!m->node)
        return;
    PX_FREE char *each_path = px_xasprintf("%seach.", m->path);
    PX_FREE char *join_path = px_xasprintf("%sjoin.", m->path);
    task_map_check(m, task_keys_data);
    struct task_map each = task_map_map(m, "each", each_path, false);
    struct task_map joined = task_map_map(m, "join", join_path, false);
    read_rows_spec(m, yaml_get(m->node, "each") != NULL, &out->rows);
    read_page(m, &out->rows);
    out->where = task_map_template(m, "where", false);
    if (each.node)
        read_each(&each, &out->each);
    if (joined.node) {
        task_map_check(&joined, task_keys_join);
        read_rows_spec(&joined, false, &out->join.rows);
        out->join.on = task_map_text(&joined, "on", true);
        const struct yaml_node *optional = yaml_get(joined.node, "optional");
        if (optional && !yaml_bool(optional, &out->join.optional))
            task_map_finding(&joined, "optional", "is not true or false");
    }
}
