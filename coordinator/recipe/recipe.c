/* recipe.c - a recipe's text to the resolved struct: parse, --set, check, read, resolve.
 *
 * Reading goes on after findings, so that names, grids and files are judged in the same pass; a
 * struct that was read from a recipe with findings is thrown away. */
#include "coordinator/recipe/recipe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/gates.h"
#include "coordinator/recipe/grid.h"
#include "coordinator/recipe/names.h"
#include "coordinator/recipe/settings.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "proto/number.h"

#define MAX_RECIPE (4u << 20)

struct loading {
    struct recipe *r;
    struct findings f;
    const struct recipe_options *opt;
    char *dir; /* the recipe's directory, absolute when it exists */
};

/* ---- --set ---- */

static bool is_child(const char *pattern, const char *name)
{
    const char *names[64];
    uint32_t n = key_children(pattern, names, 64);
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static void set_in_evals(struct loading *l, const char *path, const char *value)
{
    const struct yaml_node at = {0};
    const struct yaml_node *stages = yaml_get(yaml_root(l->r->tree), "stages");
    uint32_t n = 0;
    struct px_err err;
    for (size_t i = 0; stages && stages->kind == YAML_LIST && i < stages->n; i++) {
        if (!yaml_get(stages->items[i], "eval"))
            continue;
        PX_FREE char *full = px_xasprintf("stages.%zu.eval.%s", i, path);
        if (yaml_set_path(l->r->tree, full, value, &err) != 0)
            findings_add(&l->f, &at, "", "%s", err.text);
        n++;
    }
    if (n == 0)
        findings_add(&l->f, &at, path, "cannot act: there is no eval stage");
}

static void apply_set(struct loading *l, const char *set)
{
    const struct yaml_node at = {0};
    const char *eq = strchr(set, '=');
    if (!eq || eq == set) {
        findings_add(&l->f, &at, "", "'%s' is not path=value", set);
        return;
    }
    PX_FREE char *path = px_xstrndup(set, (size_t)(eq - set));
    PX_FREE char *first = px_xstrndup(path, strcspn(path, "."));
    struct px_err err;
    if (is_child("", first)) {
        if (yaml_set_path(l->r->tree, path, eq + 1, &err) != 0)
            findings_add(&l->f, &at, "", "%s", err.text);
    } else if (is_child(KEY_EVAL, first)) {
        set_in_evals(l, path, eq + 1);
    } else {
        const char *names[128];
        uint32_t n = key_children("", names, 64);
        n += key_children(KEY_EVAL, names + n, 64);
        const char *near = recipe_nearest(first, names, n);
        findings_add(&l->f, &at, path, "neither a key of a recipe nor of an eval%s%s%s",
                     near ? "; did you mean '" : "", near ? near : "", near ? "'" : "");
    }
}

/* ---- scalars ---- */

/* The node at a fixed path when it passes its key, else NULL. */
static const struct yaml_node *valid(const struct yaml_node *map, const char *pattern,
                                     const char *name)
{
    char path[CHECK_PATH], why[200];
    snprintf(path, sizeof path, "%s%s%s", pattern, *pattern ? "." : "", name);
    const struct key *key = key_find(path);
    const struct yaml_node *n = yaml_get(map, name);
    px_assert(key != NULL);
    return n && key_check(key, n, why, sizeof why) ? n : NULL;
}

static char *text_of(const struct yaml_node *map, const char *pattern, const char *name)
{
    const struct yaml_node *n = valid(map, pattern, name);
    return n ? px_xstrdup(n->text) : NULL;
}

/* An integer or a size; `otherwise` when absent, wrong, or the key's word. */
static int64_t number_of(const struct yaml_node *map, const char *pattern, const char *name,
                         int64_t otherwise)
{
    const struct yaml_node *n = valid(map, pattern, name);
    int64_t v = otherwise;
    if (!n || yaml_int(n, &v))
        return v;
    return px_parse_size(n->text, &v, NULL) == 0 ? v : otherwise;
}

static int64_t duration_of(const struct yaml_node *map, const char *pattern, const char *name,
                           int64_t otherwise)
{
    const struct yaml_node *n = valid(map, pattern, name);
    int64_t v;
    return n && px_parse_duration(n->text, &v, NULL) == 0 ? v : otherwise;
}

static void read_resources(struct loading *l, const struct yaml_node *root)
{
    const struct yaml_node *res = yaml_get(root, "resources");
    struct recipe *r = l->r;
    r->workers = (int32_t)number_of(res, "resources", "workers", -1);
    r->testers = (int32_t)number_of(res, "resources", "testers", -1);
    r->threads = (int32_t)number_of(res, "resources", "threads", -1);
    r->memory = number_of(res, "resources", "memory", -1);
    r->host_memory = number_of(res, "resources", "host_memory", -1);
    r->max_rows = (uint32_t)number_of(res, "resources", "batch", 0);
    r->hung_after_us = duration_of(res, "resources", "hung_after", 0);
    if (r->memory > 0 && r->host_memory > 0 && r->memory > r->host_memory)
        findings_add(&l->f, yaml_get(res, "memory"), "resources.memory",
                     "contradiction: one worker's memory is more than host_memory");
}

/* ---- models ---- */

static void read_source(struct loading *l, struct recipe_model *m, const struct yaml_node *map)
{
    char path[CHECK_PATH];
    snprintf(path, sizeof path, "models.%.64s.source", m->name);
    const struct yaml_node *n = valid(map, "models.*", "source");
    m->source = px_xstrdup("");
    if (m->backend == BACKEND_NOOP) {
        if (n)
            findings_add(&l->f, n, path, "cannot act: a noop model has no source");
        return;
    }
    if (!n) {
        if (!yaml_get(map, "source"))
            findings_add(&l->f, map, path, "missing; allowed: the path of a file");
        return;
    }
    free(m->source);
    m->source = px_path_join(l->dir, n->text);
    if (!l->opt->without_models && !px_exists(m->source))
        findings_add(&l->f, n, path, "there is no file %s", m->source);
}

static void read_thinking(struct loading *l, struct recipe_model *m, const struct yaml_node *map)
{
    static const char pattern[] = "models.*.thinking";
    char path[CHECK_PATH];
    const struct yaml_node *t = valid(map, "models.*", "thinking");
    if (!t)
        return;
    snprintf(path, sizeof path, "models.%.64s.thinking", m->name);
    if (m->backend != BACKEND_NATIVE) {
        findings_add(&l->f, t, path, "cannot act: it acts on native models");
        return;
    }
    m->think_open = text_of(t, pattern, "open");
    m->think_close = text_of(t, pattern, "close");
    if (!m->think_open)
        m->think_open = px_xstrdup("<think>");
    if (!m->think_close)
        m->think_close = px_xstrdup("</think>");
    m->think_budget = (uint32_t)number_of(t, pattern, "budget", 0);
    if (strcmp(m->think_open, m->think_close) == 0)
        findings_add(&l->f, t, path, "contradiction: open and close are the same text");
}

static void read_style(struct loading *l, struct recipe_model *m, const struct yaml_node *map)
{
    char path[CHECK_PATH];
    const struct yaml_node *n = valid(map, "models.*", "style");
    if (!n || strcmp(n->text, "task") == 0)
        return;
    snprintf(path, sizeof path, "models.%.64s.style", m->name);
    if (m->backend != BACKEND_REPLAY)
        findings_add(&l->f, n, path, "cannot act: it acts on replay models");
    else
        m->style = px_xstrdup(n->text);
}

static void read_models(struct loading *l, const struct yaml_node *root)
{
    const struct yaml_node *models = yaml_get(root, "models");
    struct recipe *r = l->r;
    if (!models || models->kind != YAML_MAP)
        return;
    r->models = px_xcalloc(models->n, sizeof *r->models);
    for (size_t i = 0; i < models->n; i++) {
        const struct yaml_node *map = models->items[i];
        if (map->kind != YAML_MAP)
            continue;
        struct recipe_model *m = &r->models[r->n_models++];
        m->name = px_xstrdup(models->keys[i]->text);
        m->line = models->keys[i]->line;
        m->column = models->keys[i]->column;
        m->backend = BACKEND_NATIVE;
        const struct yaml_node *b = valid(map, "models.*", "backend");
        if (b && strcmp(b->text, "replay") == 0)
            m->backend = BACKEND_REPLAY;
        if (b && strcmp(b->text, "noop") == 0)
            m->backend = BACKEND_NOOP;
        if (m->backend == BACKEND_NOOP && !l->opt->allow_noop)
            findings_add(&l->f, b, "models.backend",
                         "noop answers nothing and is refused without --allow-noop; allowed: "
                         "native, replay");
        read_source(l, m, map);
        read_thinking(l, m, map);
        read_style(l, m, map);
    }
}

/* ---- stages ---- */

static char **read_list(const struct yaml_node *list, uint32_t *n)
{
    *n = list ? (uint32_t)list->n : 0;
    char **texts = px_xcalloc(*n, sizeof *texts);
    for (uint32_t i = 0; i < *n; i++)
        texts[i] = px_xstrdup(list->items[i]->text);
    return texts;
}

/* A path of a task file is taken from the recipe's directory; a bare name stays a name. */
static void read_tasks(struct loading *l, struct recipe_stage *s, const struct yaml_node *body)
{
    const struct yaml_node *list = valid(body, KEY_EVAL, "tasks");
    s->tasks = read_list(list, &s->n_tasks);
    s->task_lines = px_xcalloc(s->n_tasks, sizeof *s->task_lines);
    s->task_columns = px_xcalloc(s->n_tasks, sizeof *s->task_columns);
    for (uint32_t i = 0; i < s->n_tasks; i++) {
        s->task_lines[i] = list->items[i]->line;
        s->task_columns[i] = list->items[i]->column;
        size_t n = strlen(s->tasks[i]);
        bool is_path = strchr(s->tasks[i], '/') || (n > 5 && !strcmp(s->tasks[i] + n - 5, ".yaml"));
        if (is_path) {
            char *full = px_path_join(l->dir, s->tasks[i]);
            free(s->tasks[i]);
            s->tasks[i] = full;
        }
    }
}

static void read_judge(struct loading *l, struct recipe_stage *s, const struct yaml_node *body)
{
    static const char pattern[] = KEY_EVAL ".judge";
    const struct yaml_node *map = valid(body, KEY_EVAL, "judge");
    if (!map)
        return;
    const struct yaml_node *modes = valid(map, pattern, "modes");
    s->judge = text_of(map, pattern, "model");
    s->judge_baseline = text_of(map, pattern, "baseline");
    s->judge_chat = text_of(map, pattern, "chat");
    if (s->judge_chat && strcmp(s->judge_chat, "model") == 0) {
        free(s->judge_chat);
        s->judge_chat = NULL;
    }
    s->judge_single = !modes;
    for (size_t i = 0; modes && i < modes->n; i++) {
        bool single = strcmp(modes->items[i]->text, "single") == 0;
        bool pairwise = strcmp(modes->items[i]->text, "pairwise") == 0;
        s->judge_single |= single;
        s->judge_pairwise |= pairwise;
        if (!single && !pairwise)
            findings_add(&l->f, modes->items[i], "eval.judge.modes",
                         "'%.60s' is unknown; allowed: single, pairwise", modes->items[i]->text);
    }
    if (s->judge_baseline && !s->judge_pairwise)
        findings_add(&l->f, yaml_get(map, "baseline"), "eval.judge.baseline",
                     "cannot act: it acts on modes: [pairwise]");
}

static void read_stage(struct loading *l, const struct yaml_node *stage)
{
    const struct yaml_node *body = stage->items[0];
    bool is_import = strcmp(stage->keys[0]->text, "import") == 0;
    bool is_eval = strcmp(stage->keys[0]->text, "eval") == 0;
    if (body->kind != YAML_MAP || (!is_import && !is_eval))
        return; /* reported by check_recipe */
    struct recipe_stage *s = &l->r->stages[l->r->n_stages++];
    s->body = body;
    s->line = stage->keys[0]->line;
    s->column = stage->keys[0]->column;
    s->kind = is_import ? STAGE_IMPORT : STAGE_EVAL;
    if (is_import) {
        s->model = text_of(body, "stages[].import", "model");
        s->as = text_of(body, "stages[].import", "as");
        const struct yaml_node *layout = valid(body, "stages[].import", "layout");
        s->panels = !layout || strcmp(layout->text, "panels") == 0;
        return;
    }
    s->name = text_of(body, KEY_EVAL, "name");
    if (!s->name)
        s->name = px_xstrdup("");
    s->models = read_list(valid(body, KEY_EVAL, "models"), &s->n_models);
    read_tasks(l, s, body);
    read_judge(l, s, body);
}

static void read_stages(struct loading *l, const struct yaml_node *root)
{
    const struct yaml_node *stages = yaml_get(root, "stages");
    size_t n = stages && stages->kind == YAML_LIST ? stages->n : 0;
    l->r->stages = px_xcalloc(n, sizeof *l->r->stages);
    for (size_t i = 0; i < n; i++) {
        if (stages->items[i]->kind == YAML_MAP && stages->items[i]->n == 1)
            read_stage(l, stages->items[i]);
    }
}

/* "stages.1.eval", 1 being the place in the file. */
static void stage_path(const struct loading *l, const struct yaml_node *body, char out[CHECK_PATH])
{
    const struct yaml_node *stages = yaml_get(yaml_root(l->r->tree), "stages");
    size_t i = 0;
    while (i < stages->n && (stages->items[i]->n != 1 || stages->items[i]->items[0] != body))
        i++;
    snprintf(out, CHECK_PATH, "stages.%zu.eval", i);
}

/* Knobs of the engine and of what it reads are refused where no model runs in it. Temperature is
 * not one: it says that the recorded samples of a problem may differ. */
static void check_native_knobs(struct loading *l, const struct recipe_stage *s,
                               const struct yaml_node *body, const char *path)
{
    static const enum knob knobs[] = {KNOB_TOP_K,   KNOB_TOP_P,    KNOB_MIN_P,   KNOB_MAX_TOKENS,
                                      KNOB_STOP,    KNOB_KV,       KNOB_CONTEXT, KNOB_CHAT,
                                      KNOB_FEWSHOT, KNOB_STRATEGY, KNOB_REUSE_K};
    for (uint32_t i = 0; i < s->n_models; i++) {
        const struct recipe_model *m = names_origin(l->r, s->models[i]);
        if (!m || m->backend == BACKEND_NATIVE)
            return;
    }
    for (size_t k = 0; k < sizeof knobs / sizeof knobs[0] && s->n_models > 0; k++) {
        for (uint32_t c = 0; c < s->n_cells; c++) {
            if (settings_is_default(&s->cells[c].settings, knobs[k]))
                continue;
            const struct key *key = key_of_knob(knobs[k]);
            const struct yaml_node *at = grid_base_node(body, key);
            if (!at)
                at = yaml_get(body, "grid") ? yaml_get(body, "grid") : body;
            findings_add(&l->f, at, "",
                         "%s.%s: cannot act: it acts on native models, and none of "
                         "this eval's is one",
                         path, key_axis(key));
            break;
        }
    }
}

static void resolve_evals(struct loading *l)
{
    char path[CHECK_PATH];
    for (uint32_t i = 0; i < l->r->n_stages; i++) {
        struct recipe_stage *s = &l->r->stages[i];
        if (s->kind != STAGE_EVAL)
            continue;
        stage_path(l, s->body, path);
        grid_resolve(s->body, path, l->r->seed, &l->f, &s->cells, &s->n_cells);
        check_native_knobs(l, s, s->body, path);
    }
}

static bool share(char **a, uint32_t n_a, char **b, uint32_t n_b)
{
    for (uint32_t i = 0; i < n_a; i++) {
        for (uint32_t j = 0; j < n_b; j++) {
            if (strcmp(a[i], b[j]) == 0)
                return true;
        }
    }
    return false;
}

static bool share_cell(const struct recipe_stage *a, const struct recipe_stage *b)
{
    for (uint32_t i = 0; i < a->n_cells; i++) {
        for (uint32_t j = 0; j < b->n_cells; j++) {
            if (share(a->cells[i].names, a->cells[i].n_names, b->cells[j].names,
                      b->cells[j].n_names))
                return true;
        }
    }
    return false;
}

/* Two evals whose results would stand under one name. */
static void check_eval_names(struct loading *l)
{
    const struct recipe *r = l->r;
    for (uint32_t i = 0; i < r->n_stages; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const struct recipe_stage *a = &r->stages[j], *b = &r->stages[i];
            if (a->kind != STAGE_EVAL || b->kind != STAGE_EVAL || strcmp(a->name, b->name) != 0)
                continue;
            if (share(a->models, a->n_models, b->models, b->n_models) &&
                share(a->tasks, a->n_tasks, b->tasks, b->n_tasks) && share_cell(a, b)) {
                const struct yaml_node at = {.line = b->line, .column = b->column};
                findings_add(&l->f, &at, "eval.name",
                             "contradiction: the eval at line %u has the same cells of the same "
                             "tasks and models; allowed: a name of its own",
                             a->line);
            }
        }
    }
}

/* ---- the whole ---- */

/* The file's name without its ending, made a name. */
static char *stem(const char *path)
{
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t n = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    char *name = px_xstrndup(base, n < 64 ? n : 64);
    for (char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
            *c = '-';
    }
    return name;
}

static char *directory(const char *path)
{
    PX_FREE char *dir = px_dirname(path);
    char *full = realpath(dir, NULL);
    return full ? full : px_xstrdup(dir);
}

static void read_recipe(struct loading *l)
{
    struct recipe *r = l->r;
    for (uint32_t i = 0; i < l->opt->n_sets; i++)
        apply_set(l, l->opt->sets[i]);
    const struct yaml_node *root = yaml_root(r->tree);
    check_recipe(root, &l->f);
    r->name = text_of(root, "", "recipe");
    if (!r->name)
        r->name = stem(r->path);
    r->seed = (uint64_t)number_of(root, "", "seed", 0);
    read_resources(l, root);
    read_models(l, root);
    read_stages(l, root);
    names_resolve(r, &l->f);
    resolve_evals(l);
    check_eval_names(l);
    recipe_read_gates(r, root, &l->f);
}

struct recipe *recipe_parse(const char *text, size_t len, const char *path,
                            const struct recipe_options *opt, struct px_buf *findings,
                            struct px_err *err)
{
    static const struct recipe_options no_options = {0};
    struct px_err yaml_err;
    struct loading l = {.opt = opt ? opt : &no_options, .f.file = path};
    struct yaml_doc *tree = yaml_parse_findings(text, len, path, &l.f, &yaml_err);
    if (!tree) {
        findings_write(&l.f, findings);
        px_buf_printf(findings, "%s\n", yaml_err.text);
        px_fail(err, PX_EINPUT, "%s is not a readable recipe", path);
        findings_clear(&l.f);
        return NULL;
    }
    l.r = px_xcalloc(1, sizeof *l.r);
    l.dir = directory(path);
    l.r->path = px_xstrdup(path);
    l.r->tree = tree;
    read_recipe(&l);
    uint32_t n = l.f.n + l.f.untold;
    if (n > 0) {
        findings_write(&l.f, findings);
        px_fail(err, PX_EINPUT, "%u error%s in %s", n, n == 1 ? "" : "s", path);
        recipe_free(&l.r);
    }
    findings_clear(&l.f);
    free(l.dir);
    return l.r;
}

struct recipe *recipe_load(const char *path, const struct recipe_options *opt,
                           struct px_buf *findings, struct px_err *err)
{
    PX_FREE char *text = NULL;
    size_t len;
    if (px_read_file(path, MAX_RECIPE, &text, &len, err) != 0)
        return NULL;
    return recipe_parse(text, len, path, opt, findings, err);
}

static void free_stage(struct recipe_stage *s)
{
    free(s->model);
    free(s->as);
    free(s->name);
    free(s->judge);
    free(s->judge_baseline);
    free(s->judge_chat);
    for (uint32_t i = 0; i < s->n_models; i++)
        free(s->models[i]);
    for (uint32_t i = 0; i < s->n_tasks; i++)
        free(s->tasks[i]);
    free(s->models);
    free(s->tasks);
    free(s->task_lines);
    free(s->task_columns);
    grid_free_cells(s->cells, s->n_cells);
}

void recipe_free(struct recipe **r)
{
    if (!*r)
        return;
    for (uint32_t i = 0; i < (*r)->n_models; i++) {
        free((*r)->models[i].name);
        free((*r)->models[i].source);
        free((*r)->models[i].style);
        free((*r)->models[i].think_open);
        free((*r)->models[i].think_close);
    }
    for (uint32_t i = 0; i < (*r)->n_stages; i++)
        free_stage(&(*r)->stages[i]);
    recipe_free_gates(*r);
    free((*r)->models);
    free((*r)->stages);
    free((*r)->name);
    free((*r)->path);
    yaml_doc_free(&(*r)->tree);
    free(*r);
    *r = NULL;
}
