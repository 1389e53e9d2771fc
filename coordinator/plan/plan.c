/* plan.c - flattens a recipe into models, imports, cells and groups, checking what only the plan
 * can know: whether models open, tasks load, and every knob acts on something. */
#include "coordinator/plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/keys.h"
#include "coordinator/plan/plan_gates.h"
#include "coordinator/plan/reuse_layers.h"
#include "proto/json.h"
#include "proto/mem.h"

/* A task is loaded once per variant that cells want. */
struct variant {
    const char *name; /* as the recipe has it */
    enum compat compat;
    enum strategy strategy;
    uint32_t judge_of; /* index + 1 of the task that it judges; 0 */
};

struct builder {
    struct plan *plan;
    const struct recipe *recipe;
    const struct task_env *env;
    struct px_buf *findings;
    uint32_t n_findings;
    struct variant *variants; /* of the plan's tasks */
    uint32_t cap_tasks, cap_cells, cap_groups;
};

static void finding(struct builder *b, uint32_t line, uint32_t column, const char *fmt, ...)
    PX_PRINTF(4, 5);

/* Said once, however many cells it is true of. */
static void finding(struct builder *b, uint32_t line, uint32_t column, const char *fmt, ...)
{
    struct px_buf *out = b->findings;
    va_list ap;
    size_t old = out->len;
    px_buf_printf(out, "%s:%u:%u: ", b->recipe->path, line, column);
    va_start(ap, fmt);
    px_buf_vprintf(out, fmt, ap);
    va_end(ap);
    px_buf_char(out, '\n');
    if (old && memmem(out->data, old, out->data + old, out->len - old))
        out->len = old;
    else
        b->n_findings++;
}

/* ---- models and imports ---- */

static void open_models(struct builder *b)
{
    struct plan *p = b->plan;
    const struct recipe *r = b->recipe;
    p->models = px_xcalloc(r->n_models, sizeof *p->models);
    p->n_models = r->n_models;
    for (uint32_t i = 0; i < r->n_models; i++) {
        struct px_err err;
        if (model_file_open(&r->models[i], &p->models[i], &err) != 0)
            finding(b, r->models[i].line, r->models[i].column, "models.%s: %s", r->models[i].name,
                    err.text);
    }
}

static struct px_digest import_key(const struct model_file *m)
{
    struct px_hash *h = px_hash_new("proctor import 1");
    px_hash_digest(h, &m->digest);
    px_hash_u64(h, PX_NUMERICS_VERSION);
    return px_hash_end(&h);
}

/* A name is a model of the recipe or what an import stage makes of one. */
static bool find_model(const struct plan *p, const char *name, uint32_t *model, bool *imported,
                       uint32_t *import)
{
    const struct recipe *r = p->recipe;
    for (uint32_t i = 0; i < p->n_imports; i++)
        if (strcmp(r->stages[p->imports[i].stage].as, name) == 0) {
            *model = p->imports[i].model;
            *import = i;
            return *imported = true;
        }
    for (uint32_t i = 0; i < r->n_models; i++)
        if (strcmp(r->models[i].name, name) == 0) {
            *model = i;
            *imported = false;
            return true;
        }
    return false;
}

static void fill_model(struct job *j, const struct model_file *m)
{
    j->backend = m->backend;
    j->model = m->digest;
    j->model_name = px_xstrdup(m->name);
    j->model_path = px_xstrdup(m->path);
    j->model_bytes = m->bytes;
}

static void add_import(struct builder *b, uint32_t stage)
{
    struct plan *p = b->plan;
    const struct recipe_stage *s = &b->recipe->stages[stage];
    struct plan_import im = {.stage = stage};
    bool imported = false;
    uint32_t from;
    if (!find_model(p, s->model, &im.model, &imported, &from)) {
        finding(b, s->line, s->column, "import: no model is named '%s'", s->model);
        return;
    }
    const struct model_file *m = &p->models[im.model];
    if (m->backend != BACKEND_NATIVE) {
        finding(b, s->line, s->column,
                "import: model '%s' has backend %s; only GGUF files (native) can be imported",
                s->model, backend_kind_name(m->backend));
        return;
    }
    im.key = import_key(m);
    im.job.kind = UNIT_IMPORT;
    im.job.task = px_xstrdup("import");
    fill_model(&im.job, m);
    im.job.kv = KV_F16;
    im.job.sampler.top_p = 1;
    im.job.scorer = px_xstrdup("");
    im.job.options = px_xstrdup("{}");
    p->imports = px_xrealloc(p->imports, (p->n_imports + 1) * sizeof im);
    p->imports[p->n_imports++] = im;
}

/* ---- tasks ---- */

static void add_loaded(struct builder *b, struct task *t, struct variant v)
{
    struct plan *p = b->plan;
    uint32_t cap = b->cap_tasks;
    PX_GROW(b->variants, p->n_tasks, cap);
    b->variants[p->n_tasks] = v;
    PX_GROW(p->tasks, p->n_tasks, b->cap_tasks);
    p->tasks[p->n_tasks++] = t;
}

/* The i-th task of a stage in the variant that a cell wants. */
static bool add_task(struct builder *b, const struct recipe_stage *s, uint32_t i,
                     const struct eval_settings *set, uint32_t *index)
{
    struct plan *p = b->plan;
    struct px_err err;
    struct task_env env = *b->env;
    env.compat = set->compat == COMPAT_NONE ? "" : compat_name(set->compat);
    env.strategy = set->strategy == STRATEGY_STANDARD ? "" : strategy_name(set->strategy);
    for (uint32_t k = 0; k < p->n_tasks; k++)
        if (strcmp(b->variants[k].name, s->tasks[i]) == 0 && b->variants[k].compat == set->compat &&
            b->variants[k].strategy == set->strategy) {
            *index = k;
            return true;
        }
    struct task *t = task_load(s->tasks[i], &env, &err);
    if (!t) {
        finding(b, s->task_lines[i], s->task_columns[i], "tasks: %s", err.text);
        return false;
    }
    *index = p->n_tasks;
    add_loaded(b, t, (struct variant){s->tasks[i], set->compat, set->strategy, 0});
    return true;
}

/* ---- cells ---- */

static bool several_models(const struct recipe *r)
{
    for (uint32_t i = 0; i < r->n_stages; i++)
        if (r->stages[i].kind == STAGE_EVAL && r->stages[i].n_models > 1)
            return true;
    return false;
}

static char *cell_name(const struct recipe *r, const struct recipe_stage *s, const char *model,
                       const char *name)
{
    const char *stage = s->name ? s->name : "";
    bool with_model = several_models(r);
    return px_xasprintf("%s%s%s%s%s", stage, *stage ? "/" : "", with_model ? model : "",
                        with_model ? "/" : "", name);
}

static char *settings_with_layers(const char *settings, const struct reuse_spec *r)
{
    struct json_object *o = px_json_parse(settings, strlen(settings), NULL);
    if (!o || r->n_layers == 0 || r->k <= 1) {
        json_object_put(o);
        return px_xstrdup(settings);
    }
    struct json_object *list = json_object_new_array();
    for (uint32_t i = 0; i < r->n_layers; i++)
        json_object_array_add(list, json_object_new_int((int)r->layers[i]));
    json_object_object_add(o, "reuse.layers", list);
    char *text = px_xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return text;
}

static bool add_cell(struct builder *b, uint32_t stage, const char *model_name, uint32_t index,
                     uint32_t *out)
{
    struct plan *p = b->plan;
    const struct recipe_stage *s = &b->recipe->stages[stage];
    const struct recipe_cell *rc = &s->cells[index];
    struct plan_cell c = {.stage = stage, .settings = &rc->settings, .n_names = rc->n_names};
    struct px_err err;
    if (!find_model(p, model_name, &c.model, &c.after_import, &c.import)) {
        finding(b, s->line, s->column, "eval: no model is named '%s'", model_name);
        return false;
    }
    const struct model_file *m = &p->models[c.model];
    uint32_t n_layers = m->backend == BACKEND_NATIVE ? m->config.n_layers : 0;
    if (m->path == NULL)
        return false; /* did not open; said already */
    if (rc->settings.reuse.k > 1 && n_layers == 0) {
        finding(b, s->line, s->column, "eval.reuse: cannot act on model '%s' (backend %s)",
                model_name, backend_kind_name(m->backend));
        return false;
    }
    if (reuse_layers_resolve(&rc->settings.reuse, n_layers, &c.reuse, &err) != 0) {
        finding(b, s->line, s->column, "eval, cell %s: %s", rc->names[0], err.text);
        return false;
    }
    if (n_layers && rc->settings.context > m->config.context_length) {
        finding(b, s->line, s->column, "eval.context: %u is more than the %u positions of '%s'",
                rc->settings.context, m->config.context_length, model_name);
    }
    c.speedup_bound = reuse_speedup_bound(&c.reuse, n_layers);
    c.names = px_xcalloc(c.n_names, sizeof *c.names);
    for (uint32_t i = 0; i < c.n_names; i++)
        c.names[i] = cell_name(b->recipe, s, model_name, rc->names[i]);
    c.settings_json = settings_with_layers(rc->settings_json, &c.reuse);
    PX_GROW(p->cells, p->n_cells, b->cap_cells);
    *out = p->n_cells;
    p->cells[p->n_cells++] = c;
    return true;
}

/* ---- groups ---- */

static void copy_stops(struct job *j, const struct task *t, const struct eval_settings *s)
{
    uint32_t n;
    const char *const *own = task_stops(t, &n);
    j->stops = px_xcalloc(n + s->n_stops, sizeof *j->stops);
    for (uint32_t i = 0; i < n; i++)
        j->stops[j->n_stops++] = px_xstrdup(own[i]);
    for (uint32_t i = 0; i < s->n_stops; i++)
        j->stops[j->n_stops++] = px_xstrdup(s->stops[i]);
}

static void copy_reuse(struct reuse_spec *out, const struct reuse_spec *in)
{
    *out = *in;
    out->layers = NULL;
    if (in->n_layers) {
        out->layers = px_xmalloc(in->n_layers * sizeof *out->layers);
        memcpy(out->layers, in->layers, in->n_layers * sizeof *out->layers);
    }
}

static void fill_generate_job(struct job *j, const struct plan_cell *c, const struct model_file *m,
                              const struct task *t)
{
    const struct eval_settings *s = c->settings;
    bool choice = task_request(t) != TASK_GENERATE;
    j->kind = choice ? UNIT_CHOICE : UNIT_GENERATE;
    j->task = px_xstrdup(task_name(t));
    fill_model(j, m);
    j->sampler = s->sampler;
    j->max_tokens = choice ? 0 : s->max_tokens ? s->max_tokens : task_max_tokens(t);
    j->context = s->context;
    j->kv = s->kv;
    j->scorer = px_xstrdup("");
    j->options = px_xstrdup("");
    if (choice) {
        j->reuse = (struct reuse_spec){.k = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
        return;
    }
    copy_reuse(&j->reuse, &c->reuse);
    copy_stops(j, t, s);
    if (m->tokenizer) {
        size_t n;
        const uint32_t *ids = tokenizer_stop_ids(m->tokenizer, &n);
        j->stop_tokens = px_xmalloc(n * sizeof *ids);
        memcpy(j->stop_tokens, ids, n * sizeof *ids);
        j->n_stop_tokens = (uint32_t)n;
    }
}

/* The task's scorer, but for the style of a recorded model's programs. */
char *plan_scorer(const struct task *t, const char *style)
{
    const char *text = task_scorer(t);
    if (!style || strcmp(task_scorer_kind(t), "code") != 0)
        return px_xstrdup(text);
    struct json_object *o = px_json_parse(text, strlen(text), NULL);
    px_assert(o != NULL);
    json_object_object_add(o, "style", json_object_new_string(style));
    char *styled = px_xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    return styled;
}

static void fill_score_job(struct job *j, const struct task *t, const struct model_file *m)
{
    j->kind = UNIT_SCORE;
    j->task = px_xstrdup(task_name(t));
    j->backend = BACKEND_NATIVE;
    j->model_name = px_xstrdup("");
    j->model_path = px_xstrdup("");
    j->kv = KV_F16;
    j->sampler.top_p = 1;
    j->reuse = (struct reuse_spec){.k = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    j->scorer = plan_scorer(t, m->style);
    j->options = px_xstrdup("");
}

static uint32_t *copy_ids(const uint32_t *ids, uint32_t n)
{
    uint32_t *copy = px_xcalloc(n, sizeof *copy);
    if (n)
        memcpy(copy, ids, n * sizeof *copy);
    return copy;
}

static void copy_thinking(const struct plan *p, struct plan_group *g, const struct model_file *m)
{
    struct think_spec *t = &g->generate.think;
    if (g->generate.kind != UNIT_GENERATE || !m->think_open)
        return;
    *t = m->think;
    t->open = copy_ids(m->think.open, m->think.n_open);
    t->close = copy_ids(m->think.close, m->think.n_close);
    t->open_in_prompt = plan_opens_thought(p, g);
}

/* Decides between raw text and a chat template; a wish that cannot be met is a finding. */
static bool choose_chat(struct builder *b, const struct recipe_stage *s, const struct model_file *m,
                        const struct task *t, const struct eval_settings *set, struct plan_group *g)
{
    struct px_err err;
    g->chat = set->chat == CHAT_MODE_TASK ? task_chat(t) : set->chat != CHAT_MODE_RAW;
    if (g->chat && !task_takes_chat(t)) {
        finding(b, s->line, s->column,
                "eval.chat: task %s scores raw texts, which cannot be a chat's messages; use "
                "chat: raw",
                task_name(t));
        return false;
    }
    if (!g->chat || m->backend != BACKEND_NATIVE)
        return true;
    if (set->chat == CHAT_MODE_NAMED) {
        if (chat_template_by_name(set->chat_template, &g->chat_template, &err) == 0)
            return true;
        finding(b, s->line, s->column, "eval.chat: %s", err.text);
        return false;
    }
    if (m->has_chat) {
        g->chat_template = m->chat;
        return true;
    }
    finding(b, s->line, s->column,
            "eval.chat: task %s wants a chat prompt and %s; name a template (chat: chatml) or use "
            "chat: raw",
            task_name(t), m->chat_problem);
    return false;
}

/* Knobs that cannot act on this task with this model. */
static void check_group(struct builder *b, const struct recipe_stage *s, const struct plan_cell *c,
                        const struct model_file *m, const struct task *t,
                        const struct plan_group *g)
{
    bool choice = task_request(t) != TASK_GENERATE;
    const char *name = task_name(t);
    struct px_err err;
    if (m->backend == BACKEND_NATIVE && task_check_fewshot(t, c->settings->fewshot, &err) != 0)
        finding(b, s->line, s->column, "eval.fewshot: task %s: %s", name, err.text);
    if (choice && m->backend == BACKEND_NOOP)
        finding(b, s->line, s->column,
                "eval: task %s asks for loglikelihoods; backend %s only has texts", name,
                backend_kind_name(m->backend));
    if (choice && c->reuse.k > 1)
        finding(
            b, s->line, s->column,
            "eval.reuse: acts on decode steps and task %s has none (loglikelihood); evaluate it "
            "in a stage without reuse",
            name);
    if (choice && (c->settings->samples > 1 || c->settings->sampler.temperature > 0))
        finding(b, s->line, s->column,
                "eval: samples and sampler cannot act on task %s (loglikelihood)", name);
    if (choice && c->settings->max_tokens)
        finding(b, s->line, s->column, "eval.sampler.max_tokens: cannot act on task %s", name);
    if (!choice && m->backend == BACKEND_NATIVE && g->generate.n_stop_tokens == 0)
        finding(b, s->line, s->column,
                "eval: model '%s' names no token that ends a text; generation would never stop",
                m->name);
    uint32_t window = task_request(t) == TASK_ROLLING ? task_windows(t).context : 0;
    uint32_t limit = c->settings->context ? c->settings->context : m->config.context_length;
    if (m->backend == BACKEND_NATIVE && window > limit)
        finding(b, s->line, s->column,
                "eval: task %s has windows of %u tokens, model '%s' takes %u at once", name, window,
                m->name, limit);
    if (g->turns > 1 && !g->chat)
        finding(
            b, s->line, s->column,
            "eval.chat: task %s is a conversation and needs a chat template; say chat: model, or "
            "name one (chat: chatml)",
            name);
    if (!choice && g->generate.max_tokens == 0)
        finding(b, s->line, s->column, "eval.sampler.max_tokens: task %s sets none; give one",
                name);
}

/* The first `limit` problems (0: all); of each subset, where a task has subsets: a part of a family
 * says nothing of the others. */
static void choose_problems(const struct task *t, uint32_t limit, struct plan_group *g)
{
    uint32_t n = task_n_problems(t), n_subsets = task_n_subsets(t);
    g->n_problems = limit && limit < n && !n_subsets ? limit : n;
    if (!limit || !n_subsets)
        return;
    PX_FREE uint32_t *taken = px_xcalloc(n_subsets, sizeof *taken);
    g->problems = px_xcalloc((size_t)n + 1, sizeof *g->problems);
    g->n_problems = 0;
    for (uint32_t i = 0; i < n; i++)
        if (taken[task_subset(t, i)]++ < limit)
            g->problems[g->n_problems++] = i;
}

static void add_group(struct builder *b, uint32_t cell, uint32_t task)
{
    struct plan *p = b->plan;
    const struct plan_cell *c = &p->cells[cell];
    const struct recipe_stage *s = &b->recipe->stages[c->stage];
    const struct model_file *m = &p->models[c->model];
    const struct task *t = p->tasks[task];
    struct plan_group g = {.cell = cell,
                           .task = task,
                           .model = c->model,
                           .after_import = c->after_import,
                           .import = c->import,
                           .turns = task_n_turns(t),
                           .orders = 1,
                           .judged = NO_GROUP,
                           .opponent = NO_GROUP,
                           .first = p->n_units};
    uint32_t limit = c->settings->limit;
    choose_problems(t, limit, &g);
    g.samples = c->settings->samples ? c->settings->samples : 1;
    g.n_units = (uint64_t)g.n_problems * g.samples * g.turns;
    if (!choose_chat(b, s, m, t, c->settings, &g))
        return;
    fill_generate_job(&g.generate, c, m, t);
    copy_thinking(p, &g, m);
    fill_score_job(&g.score, t, m);
    check_group(b, s, c, m, t, &g);
    g.base = group_base_key(t, &g.generate, g.score.scorer, g.chat, g.chat_template,
                            c->settings->fewshot);
    p->n_units += g.n_units;
    PX_GROW(p->groups, p->n_groups, b->cap_groups);
    p->groups[p->n_groups++] = g;
}

/* ---- judges ---- */

/* The judge of a task, made once per task and mode. */
static uint32_t judge_task(struct builder *b, uint32_t task, enum judge_mode mode)
{
    struct plan *p = b->plan;
    for (uint32_t k = 0; k < p->n_tasks; k++)
        if (b->variants[k].judge_of == task + 1 && task_judge_mode(p->tasks[k]) == mode)
            return k;
    struct task *t = task_judge_new(p->tasks[task], mode);
    add_loaded(b, t, (struct variant){.name = task_name(t), .judge_of = task + 1});
    return p->n_tasks - 1;
}

/* The judging model, greedy and at its own context. */
static void fill_judge_job(struct job *j, const struct model_file *m, const struct task *t)
{
    struct eval_settings plain = {.sampler = {.top_p = 1}, .kv = KV_F16};
    struct plan_cell c = {.settings = &plain};
    c.reuse = (struct reuse_spec){.k = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    fill_generate_job(j, &c, m, t);
}

static void add_judge_group(struct builder *b, uint32_t judged, uint32_t opponent, uint32_t model,
                            const struct plan_group *like, enum judge_mode mode)
{
    struct plan *p = b->plan;
    struct plan_group g = {.cell = p->groups[judged].cell,
                           .model = model,
                           .after_import = like->after_import,
                           .import = like->import,
                           .n_problems = p->groups[judged].n_problems,
                           .problems = p->groups[judged].problems,
                           .samples = p->groups[judged].samples,
                           .turns = p->groups[judged].turns,
                           .orders = mode == JUDGE_PAIRWISE ? 2 : 1,
                           .judge = mode,
                           .judged = judged,
                           .opponent = opponent,
                           .chat = true,
                           .first = p->n_units};
    g.task = judge_task(b, p->groups[judged].task, mode);
    const struct task *t = p->tasks[g.task];
    const struct model_file *m = &p->models[model];
    g.chat_template = like->chat_template;
    g.n_units = (uint64_t)g.n_problems * g.samples * g.turns * g.orders;
    fill_judge_job(&g.generate, m, t);
    copy_thinking(p, &g, m);
    fill_score_job(&g.score, t, m);
    g.base = group_base_key(t, &g.generate, g.score.scorer, g.chat, g.chat_template, 0);
    p->n_units += g.n_units;
    PX_GROW(p->groups, p->n_groups, b->cap_groups);
    p->groups[p->n_groups++] = g;
}

static bool has_name(const struct plan_cell *c, const struct recipe_stage *s, const char *name)
{
    for (uint32_t i = 0; i < c->n_names; i++) {
        const char *full = c->names[i];
        size_t prefix = *s->name ? strlen(s->name) + 1 : 0; /* "stage/" may be left out */
        if (strcmp(full, name) == 0 || (prefix && strcmp(full + prefix, name) == 0))
            return true;
    }
    return false;
}

/* The baseline's group of the same task; NO_GROUP when the named cell is not there. */
static uint32_t baseline_group(const struct plan *p, const struct recipe_stage *s, uint32_t first,
                               uint32_t end, uint32_t task)
{
    for (uint32_t i = first; i < end; i++)
        if (p->groups[i].task == task &&
            (!s->judge_baseline || has_name(&p->cells[p->groups[i].cell], s, s->judge_baseline)))
            return i;
    return NO_GROUP;
}

static void judge_group(struct builder *b, const struct recipe_stage *s, uint32_t i, uint32_t first,
                        uint32_t end, const struct plan_group *like)
{
    const struct plan *p = b->plan;
    const struct task *t = p->tasks[p->groups[i].task];
    if (s->judge_single && task_has_judge(t, JUDGE_SINGLE))
        add_judge_group(b, i, NO_GROUP, like->model, like, JUDGE_SINGLE);
    if (!s->judge_pairwise || !task_has_judge(t, JUDGE_PAIRWISE))
        return;
    uint32_t against = baseline_group(p, s, first, end, p->groups[i].task);
    if (against == NO_GROUP)
        finding(b, s->line, s->column, "eval.judge.baseline: the eval has no cell '%s'",
                s->judge_baseline);
    else if (p->groups[against].samples != p->groups[i].samples)
        finding(b, s->line, s->column,
                "eval.judge: cells that are compared need the same number of samples");
    else if (against != i)
        add_judge_group(b, i, against, like->model, like, JUDGE_PAIRWISE);
}

/* Judges of the groups [first, end) that the stage has made. */
static void add_judges(struct builder *b, const struct recipe_stage *s, uint32_t first)
{
    struct plan *p = b->plan;
    struct plan_group like = {0};
    uint32_t end = p->n_groups, n_before = p->n_groups;
    if (!s->judge || first == end)
        return;
    if (!find_model(p, s->judge, &like.model, &like.after_import, &like.import)) {
        finding(b, s->line, s->column, "eval.judge.model: no model is named '%s'", s->judge);
        return;
    }
    const struct model_file *m = &p->models[like.model];
    struct px_err err;
    like.chat_template = m->chat;
    if (s->judge_chat && chat_template_by_name(s->judge_chat, &like.chat_template, &err) != 0) {
        finding(b, s->line, s->column, "eval.judge.chat: %s", err.text);
        return;
    }
    if (m->backend == BACKEND_NATIVE && !s->judge_chat && !m->has_chat) {
        finding(b, s->line, s->column,
                "eval.judge: a judge needs a chat template and %s; name one (chat: chatml)",
                m->chat_problem);
        return;
    }
    uint32_t n_findings = b->n_findings;
    for (uint32_t i = first; i < end; i++)
        judge_group(b, s, i, first, end, &like);
    if (p->n_groups == n_before && b->n_findings == n_findings)
        finding(b, s->line, s->column,
                "eval.judge: cannot act: none of the tasks has such a judge, or there is only one "
                "cell to compare");
}

static void add_eval(struct builder *b, uint32_t stage)
{
    const struct recipe_stage *s = &b->recipe->stages[stage];
    uint32_t first = b->plan->n_groups;
    for (uint32_t m = 0; m < s->n_models; m++)
        for (uint32_t c = 0; c < s->n_cells; c++) {
            uint32_t cell, task;
            bool usable = add_cell(b, stage, s->models[m], c, &cell);
            for (uint32_t i = 0; i < s->n_tasks; i++)
                if (add_task(b, s, i, &s->cells[c].settings, &task) && usable)
                    add_group(b, cell, task);
        }
    add_judges(b, s, first);
}

static void say_gate(void *ctx, uint32_t line, uint32_t column, const char *text)
{
    finding(ctx, line, column, "%s", text);
}

struct plan *plan_build(const struct recipe *r, const struct task_env *env, struct px_buf *findings,
                        struct px_err *err)
{
    struct plan *p = px_xcalloc(1, sizeof *p);
    struct builder b = {.plan = p, .recipe = r, .env = env, .findings = findings};
    p->recipe = r;
    open_models(&b);
    if (b.n_findings == 0)
        for (uint32_t i = 0; i < r->n_stages; i++) {
            if (r->stages[i].kind == STAGE_IMPORT)
                add_import(&b, i);
            else
                add_eval(&b, i);
        }
    free(b.variants);
    if (b.n_findings == 0)
        plan_check_gates(p, say_gate, &b);
    if (b.n_findings == 0 && p->n_units == 0 && p->n_imports == 0)
        finding(&b, 1, 1, "stages: nothing to do: no import and no problem to evaluate");
    if (b.n_findings) {
        px_fail(err, PX_EINPUT, "%u %s in %s", b.n_findings, b.n_findings == 1 ? "error" : "errors",
                r->path);
        plan_free(&p);
    }
    return p;
}

void plan_free(struct plan **pp)
{
    struct plan *p = *pp;
    if (!p)
        return;
    for (uint32_t i = 0; i < p->n_models; i++)
        model_file_clear(&p->models[i]);
    for (uint32_t i = 0; i < p->n_tasks; i++)
        task_free(&p->tasks[i]);
    for (uint32_t i = 0; i < p->n_imports; i++)
        job_clear(&p->imports[i].job);
    for (uint32_t i = 0; i < p->n_cells; i++) {
        struct plan_cell *c = &p->cells[i];
        for (uint32_t k = 0; k < c->n_names; k++)
            free(c->names[k]);
        free(c->names);
        free(c->reuse.layers);
        free(c->settings_json);
    }
    for (uint32_t i = 0; i < p->n_groups; i++) {
        if (p->groups[i].judge == JUDGE_NONE)
            free(p->groups[i].problems);
        job_clear(&p->groups[i].generate);
        job_clear(&p->groups[i].score);
    }
    free(p->models);
    free(p->tasks);
    free(p->imports);
    free(p->cells);
    free(p->groups);
    free(p);
    *pp = NULL;
}
