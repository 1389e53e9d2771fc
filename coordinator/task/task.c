/* task.c - loading a task: its file, its data, its problems' ids; and what can be asked of it. */
#include "coordinator/task/task.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/recipe.h"
#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/file.h"
#include "proto/mem.h"

#define MAX_TASK_FILE (4u << 20)
#define CHECKED_ROWS 2000 /* that many problems are rendered once when a task is loaded */

void task_free(struct task **tp)
{
    struct task *t = *tp;
    if (!t)
        return;
    if (t->of) {
        task_judge_clear(t);
        *tp = NULL;
        return;
    }
    task_turns_clear(t);
    struct text_template **const templates[] = {
        &t->id,        &t->head,        &t->prompt,      &t->chat_prompt,  &t->prefix, &t->gold,
        &t->reference, &t->shot_prompt, &t->shot_target, &t->continuation, &t->text};
    for (size_t i = 0; i < sizeof templates / sizeof templates[0]; i++)
        template_free(templates[i]);
    for (uint32_t i = 0; i < t->choices.n; i++)
        template_free(&t->choices.items[i]);
    for (uint32_t i = 0; i < t->contexts.n; i++)
        template_free(&t->contexts.items[i]);
    for (uint32_t i = 0; i < t->n_stops; i++)
        free(t->stops[i]);
    free(t->choices.items);
    free(t->contexts.items);
    free(t->stops);
    free(t->target_delimiter);
    free(t->shot_delimiter);
    free(t->name);
    free(t->path);
    free(t->headline);
    free(t->strategy);
    free(t->scorer_kind);
    free(t->scorer);
    field_clear(&t->problem);
    table_free(&t->rows);
    table_free(&t->pool);
    for (uint32_t i = 0; i < t->n_shots; i++)
        fewshot_table_clear(&t->shots[i]);
    free(t->shots);
    free(t->pool_part);
    free(t->pool_missing);
    task_report_clear(t);
    free(t->ids);
    arena_free(&t->id_texts);
    free(t);
    *tp = NULL;
}

/* ---- the file ---- */

static bool is_path(const char *s)
{
    size_t n = strlen(s);
    return strchr(s, '/') || (n > 5 && strcmp(s + n - 5, ".yaml") == 0);
}

/* The shipped tasks, for the message when a name is none of them. */
static void list_tasks(const char *dir, const char *name, struct px_buf *out)
{
    char *names[256];
    uint32_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && n < 256 && (e = readdir(d));) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".yaml") == 0)
            names[n++] = px_xstrndup(e->d_name, len - 5);
    }
    if (d)
        closedir(d);
    for (uint32_t i = 1; i < n; i++) { /* in a fixed order: a directory has none */
        for (uint32_t j = i; j > 0 && strcmp(names[j - 1], names[j]) > 0; j--) {
            char *swap = names[j];
            names[j] = names[j - 1];
            names[j - 1] = swap;
        }
    }
    for (uint32_t i = 0; i < n; i++)
        px_buf_printf(out, "%s%s", i ? ", " : "", names[i]);
    const char *near = recipe_nearest(name, (const char *const *)names, n);
    if (near)
        px_buf_printf(out, "; did you mean '%s'", near);
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
}

char *task_file_path(const char *name, struct px_err *err)
{
    if (is_path(name)) {
        if (px_exists(name))
            return px_xstrdup(name);
        px_fail(err, PX_EMISSING, "there is no task file %s", name);
        return NULL;
    }
    PX_FREE char *home = px_home_dir(err);
    if (!home)
        return NULL;
    char *path = px_xasprintf("%s/recipes/tasks/%s.yaml", home, name);
    if (px_exists(path))
        return path;
    struct px_buf b;
    PX_FREE char *dir = px_dirname(path);
    px_buf_init(&b, 600);
    list_tasks(dir, name, &b);
    px_fail(err, PX_EMISSING,
            "there is no task '%.64s' in %s; allowed: a path of a task file, or one of %s", name,
            dir, b.len ? (char *)b.data : "(none)");
    px_buf_clear(&b);
    free(path);
    return NULL;
}

/* ---- identity ---- */

/* Keys that decide nothing: words for people, where the rows are (the rows are hashed), scores that
 * are known, and rules that are not in force (those in force are merged into the other keys). */
static bool is_outside(const char *path, const char *key)
{
    static const char *const files[] = {"file", "files", "sha256", "get"};
    static const char *const words[] = {"about", "oracle", "compat", "strategies"};
    if (strncmp(path, "fewshot.", 8) == 0)
        path += 8;
    bool is_data = strcmp(path, "data") == 0 || strcmp(path, "data.each") == 0 ||
                   strcmp(path, "data.join") == 0;
    for (size_t i = 0; is_data && i < 4; i++) {
        if (strcmp(key, files[i]) == 0)
            return true;
    }
    for (size_t i = 0; *path == '\0' && i < 4; i++) {
        if (strcmp(key, words[i]) == 0)
            return true;
    }
    return false;
}

/* `path` is where the node stands, "" for the root; below three levels nothing is left out. */
static void hash_node(struct px_hash *h, const struct yaml_node *n, const char *path)
{
    char below[64];
    px_hash_u64(h, n->kind);
    if (n->kind == YAML_SCALAR)
        px_hash_field(h, n->text, n->n_text);
    for (size_t i = 0; i < n->n; i++) {
        const char *key = n->kind == YAML_MAP ? n->keys[i]->text : "[]";
        if (n->kind == YAML_MAP && is_outside(path, key))
            continue;
        px_hash_str(h, key);
        snprintf(below, sizeof below, "%.40s%s%.20s", path, *path ? "." : "", key);
        hash_node(h, n->items[i], below);
    }
    px_hash_u64(h, 0); /* the end */
}

struct px_digest task_pool_digest(const struct task *t)
{
    return t->pool ? table_digest(t->pool) : (struct px_digest){0};
}

static struct px_digest hash_task(const struct task *t, const struct yaml_node *root)
{
    struct px_hash *h = px_hash_new("proctor.task");
    struct px_digest d = table_digest(t->rows);
    hash_node(h, root, "");
    px_hash_digest(h, &d);
    if (*t->compat)
        px_hash_str(h, t->compat);
    if (t->strategy)
        px_hash_str(h, t->strategy);
    if (t->pool && t->fewshot > 0) {
        d = task_pool_digest(t);
        px_hash_digest(h, &d);
    }
    if (t->selection == FEWSHOT_RANDOM)
        px_hash_u64(h, t->fewshot_seed);
    return px_hash_end(&h);
}

/* ---- problems ---- */

static int problem_id(struct task *t, uint32_t i, struct arena *a, struct px_err *err)
{
    struct value row = table_get(t->rows, i, a), id = {.kind = VALUE_INT, .integer = i};
    struct template_row view = {.row = &row, .number = i};
    struct px_buf b;
    px_buf_init(&b, 4096);
    int rc = t->id ? template_value(t->id, &view, a, &id, err) : 0;
    if (rc == 0)
        rc = value_write_text(&id, &b, err);
    if (rc == 0 && (b.len == 0 || b.len > 1000 || b.overflow || memchr(b.data, '\0', b.len)))
        rc = px_fail(err, PX_EINPUT, "an id must have 1 to 1000 bytes and no NUL character");
    if (rc == 0)
        t->ids[i] = arena_copy(t->id_texts, (char *)b.data, b.len);
    else if (err)
        rc = px_wrap(err, "%s:%u: id", table_path(t->rows, i), table_line(t->rows, i));
    px_buf_clear(&b);
    return rc;
}

static uint64_t text_hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h;
}

static int check_unique(const struct task *t, struct px_err *err)
{
    uint32_t n = table_count(t->rows);
    size_t cap = 16;
    int rc = 0;
    while (cap < 2 * (size_t)n)
        cap *= 2;
    uint32_t *slots = px_xcalloc(cap, sizeof *slots); /* index + 1 */
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        size_t at = text_hash(t->ids[i]) & (cap - 1);
        while (slots[at] && strcmp(t->ids[slots[at] - 1], t->ids[i]) != 0)
            at = (at + 1) & (cap - 1);
        if (slots[at])
            rc = px_fail(err, PX_EINPUT, "%s:%u: the id '%.100s' stands at line %u already",
                         table_path(t->rows, i), table_line(t->rows, i), t->ids[i],
                         table_line(t->rows, slots[at] - 1));
        slots[at] = i + 1;
    }
    free(slots);
    return rc;
}

static int read_ids(struct task *t, struct px_err *err)
{
    uint32_t n = table_count(t->rows);
    struct arena *a = arena_new();
    int rc = 0;
    t->ids = px_xcalloc(n, sizeof *t->ids);
    t->id_texts = arena_new();
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        arena_reset(a);
        rc = problem_id(t, i, a, err);
    }
    arena_free(&a);
    return rc == 0 ? check_unique(t, err) : rc;
}

/* Renders the first problems once, so that a mistake in the file is told before a run begins. */
static int try_problems(const struct task *t, struct px_err *err)
{
    uint32_t n = table_count(t->rows);
    struct px_buf b;
    px_buf_init(&b, 64u << 20);
    int rc = n > 0 ? 0 : px_fail(err, PX_EINPUT, "%s: no rows", table_path(t->rows, 0));
    for (uint32_t i = 0; i < n && i < CHECKED_ROWS && rc == 0; i++) {
        struct task_prompt p = {0};
        /* Shots of the first problem stand for all; their rows are other problems' rows. */
        rc = task_render(t, i, i == 0 ? -1 : 0, t->chat, &p, err);
        task_prompt_clear(&p);
        px_buf_reset(&b);
        if (rc == 0)
            rc = task_problem_json(t, i, &b, err);
    }
    px_buf_clear(&b);
    return rc;
}

/* ---- loading ---- */

/* Which part of the pool a problem's shots come from, when the pool is a family of files. */
static int match_parts(struct task *t, struct px_err *err)
{
    const char *own = table_each_name(t->rows), *pool = table_each_name(t->pool);
    if (!pool)
        return 0;
    if (!own || strcmp(own, pool) != 0)
        return px_fail(err, PX_EINPUT, "fewshot.data.each is named '%s', data.each %s%s%s", pool,
                       own ? "'" : "", own ? own : "does not exist", own ? "'" : "");
    t->pool_part = px_xcalloc(table_n_parts(t->rows), sizeof *t->pool_part);
    for (uint32_t i = 0; i < table_n_parts(t->rows); i++) {
        const char *value = table_part_value(t->rows, i);
        uint32_t k = 0;
        while (k < table_n_parts(t->pool) && strcmp(table_part_value(t->pool, k), value) != 0)
            k++;
        if (k == table_n_parts(t->pool))
            return px_fail(err, PX_EINPUT, "fewshot.data.each has no value '%s', data.each has",
                           value);
        t->pool_part[i] = k;
    }
    return 0;
}

static int load_pool(struct task *t, const char *dir, const char *data_dir,
                     const struct data_spec *pool, char **samples, struct px_err *err)
{
    if (data_spec_given(pool)) {
        struct px_err inner;
        t->pool = table_load(pool, dir, data_dir, &inner);
        if (!t->pool && inner.code == PX_EMISSING && t->fewshot == 0)
            t->pool_missing = px_xasprintf("fewshot: %s", inner.text);
        else if (!t->pool)
            return px_fail(err, inner.code, "fewshot: %s", inner.text);
    } else if (*samples) {
        size_t n = strlen(*samples);
        t->pool = table_parse("fewshot.samples", *samples, n, err);
        *samples = NULL; /* taken */
        if (!t->pool)
            return -1;
    }
    return t->pool ? match_parts(t, err) : 0;
}

static int load_data(struct task *t, const struct task_env *env, const struct data_spec *data,
                     const struct data_spec *pool, char **samples, struct px_err *err)
{
    PX_FREE char *dir = px_dirname(t->path);
    t->rows = table_load(data, dir, env->data_dir, err);
    if (!t->rows)
        return -1;
    t->n_shots = table_n_parts(t->rows);
    t->shots = px_xcalloc(t->n_shots, sizeof *t->shots);
    return load_pool(t, dir, env->data_dir, pool, samples, err);
}

/* Puts as many findings as fit into err, one per line. */
static int fail_findings(struct findings *f, struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, 1u << 20);
    findings_write(f, &b);
    while (b.len > 0 && b.data[b.len - 1] == '\n')
        b.len--;
    int rc = px_fail(err, PX_EINPUT, "%.*s", (int)b.len, (char *)b.data);
    px_buf_clear(&b);
    return rc;
}

static int load(struct task *t, const struct yaml_node *root, const struct task_env *env,
                struct findings *f, struct px_err *err)
{
    struct data_spec data, pool;
    char *samples = NULL;
    task_read(t, root, f, &data, &pool, &samples);
    int rc = f->n > 0 ? fail_findings(f, err) : 0;
    if (rc == 0 && t->selection != FEWSHOT_LM_EVAL)
        t->fewshot_seed = env->seed;
    if (rc == 0 && (rc = load_data(t, env, &data, &pool, &samples, err)) != 0)
        px_wrap(err, "task %s", t->name);
    data_spec_clear(&data);
    data_spec_clear(&pool);
    free(samples);
    if (rc == 0 && read_ids(t, err) == 0 && task_label_problems(t, err) == 0 &&
        try_problems(t, err) == 0) {
        t->digest = hash_task(t, root);
        return 0;
    }
    return rc == 0 ? px_wrap(err, "task %s", t->name) : -1;
}

static int no_variant(const struct task *t, const char *key, const char *const *names,
                      const char *name, struct px_err *err)
{
    bool is_compat = strcmp(key, "compat") == 0;
    const char *kind = is_compat ? "compat" : "strategy";
    char all[120] = "";
    for (uint32_t k = 0; names[k]; k++) {
        if (strcmp(names[k], name) == 0)
            return px_fail(err, PX_EINPUT, "%s: no %s %s%s: the file has no `%s.%s`", t->path, kind,
                           name, is_compat ? " rule" : "", key, name);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", k ? ", " : "", names[k]);
    }
    return px_fail(err, PX_EINPUT, "%s '%.40s' is unknown; allowed: %s", kind, name, all);
}

/* Puts what `key` has under `name` over the file's keys, so a variant is data, too. Every variant's
 * keys are checked, whichever is asked for. */
static int apply_variant(const struct task *t, struct yaml_node *root, const char *key,
                         const char *const *names, const char *name, struct findings *f,
                         struct px_err *err)
{
    static const char *const never[] = {"task", "compat", "strategies"};
    struct task_map top = {.node = root, .path = "", .f = f};
    char path[2][CHECK_PATH];
    snprintf(path[0], sizeof path[0], "%s.", key);
    struct task_map all = task_map_map(&top, key, path[0], false);
    const struct yaml_node *chosen = NULL;
    task_map_check(&all, names);
    for (uint32_t k = 0; names[k]; k++) {
        snprintf(path[1], sizeof path[1], "%s.%s.", key, names[k]);
        struct task_map one = task_map_map(&all, names[k], path[1], false);
        task_map_check(&one, task_keys_top);
        for (size_t i = 0; one.node && i < sizeof never / sizeof never[0]; i++)
            if (yaml_get(one.node, never[i]))
                task_map_finding(&one, never[i], "cannot be changed by a variant");
        if (name && strcmp(name, names[k]) == 0)
            chosen = one.node;
    }
    if (!name || !*name)
        return 0;
    if (!chosen)
        return no_variant(t, key, names, name, err);
    yaml_merge(root, chosen);
    return 0;
}

/* Strategies first: a compat rule has the last word. */
static int apply_variants(struct task *t, struct yaml_doc *d, const struct task_env *env,
                          struct findings *f, struct px_err *err)
{
    struct yaml_node *root = yaml_root(d);
    t->compat = "";
    if (root->kind != YAML_MAP)
        return 0; /* said when it is read */
    if (apply_variant(t, root, "strategies", task_keys_strategies, env->strategy, f, err) != 0 ||
        apply_variant(t, root, "compat", task_keys_compat, env->compat, f, err) != 0)
        return -1;
    if (env->compat && *env->compat)
        t->compat = task_keys_compat[0];
    t->strategy = env->strategy && *env->strategy ? px_xstrdup(env->strategy) : NULL;
    return 0;
}

struct task *task_load(const char *name_or_path, const struct task_env *env, struct px_err *err)
{
    PX_FREE char *text = NULL;
    size_t len;
    char *path = task_file_path(name_or_path, err);
    if (!path)
        return NULL;
    struct task *t = px_xcalloc(1, sizeof *t);
    t->path = path;
    struct findings f = {.file = path};
    struct yaml_doc *d = NULL;
    if (px_read_file(path, MAX_TASK_FILE, &text, &len, err) == 0)
        d = yaml_parse_findings(text, len, path, &f, err);
    if (!d || apply_variants(t, d, env, &f, err) != 0 || load(t, yaml_root(d), env, &f, err) != 0)
        task_free(&t);
    yaml_doc_free(&d);
    findings_clear(&f);
    return t;
}

/* ---- questions ---- */

const char *task_name(const struct task *t)
{
    return t->name;
}

enum task_request task_request(const struct task *t)
{
    return t->request;
}

const char *task_headline(const struct task *t)
{
    return t->headline;
}

const char *task_request_name(enum task_request r)
{
    return r == TASK_GENERATE ? "generate" : r == TASK_CHOICE ? "choice" : "rolling";
}

bool task_takes_chat(const struct task *t)
{
    return t->request != TASK_ROLLING && t->contexts.n == 0;
}

bool task_truncates(const struct task *t)
{
    return t->truncate;
}

bool task_mutual_info(const struct task *t)
{
    return t->mutual_info;
}

struct task_windows task_windows(const struct task *t)
{
    return t->windows;
}

const char *task_compat(const struct task *t)
{
    return t->compat;
}

const char *task_strategy(const struct task *t)
{
    return t->strategy ? t->strategy : "";
}

bool task_lower_is_better(const struct task *t)
{
    return t->lower_is_better;
}

const char *task_aggregates_json(const struct task *t)
{
    return t->aggregates_json;
}

const char *task_oracle_json(const struct task *t)
{
    return t->oracle_json;
}

const char *task_subsets_json(const struct task *t)
{
    return t->subsets_json;
}

uint32_t task_n_subsets(const struct task *t)
{
    return t->n_subsets;
}

const char *task_subset_name(const struct task *t, uint32_t subset)
{
    px_assert(subset < t->n_subsets);
    return t->subsets[subset].name;
}

const char *task_subset_group(const struct task *t, uint32_t subset)
{
    px_assert(subset < t->n_subsets);
    return t->subsets[subset].group ? t->groups[t->subsets[subset].group - 1] : "";
}

uint32_t task_subset(const struct task *t, uint32_t i)
{
    px_assert(i < table_count(t->rows));
    return t->subset_of[i];
}

const char *task_scorer_kind(const struct task *t)
{
    return t->scorer_kind;
}

const char *task_scorer(const struct task *t)
{
    return t->scorer;
}

double task_chance(const struct task *t)
{
    return t->chance;
}

uint32_t task_max_tokens(const struct task *t)
{
    return t->max_tokens;
}

const char *const *task_stops(const struct task *t, uint32_t *n)
{
    *n = t->n_stops;
    return (const char *const *)t->stops;
}

int32_t task_fewshot(const struct task *t)
{
    return t->fewshot;
}

bool task_chat(const struct task *t)
{
    return t->chat;
}

struct px_digest task_digest(const struct task *t)
{
    return t->digest;
}

uint32_t task_n_problems(const struct task *t)
{
    return table_count(t->rows);
}

const char *task_problem_id(const struct task *t, uint32_t i)
{
    px_assert(i < table_count(t->rows));
    return t->ids[i];
}

struct px_digest task_problem_digest(const struct task *t, uint32_t i)
{
    return table_row_digest(t->rows, i);
}
