/* plan.c - flattens a recipe into models, imports, cells and groups, checking what only the plan
 * can know: whether models open, tasks load, and every knob acts on something. */
#include "coordinator/plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/keys.h"
#include "coordinator/plan/plan_builder.h"
#include "coordinator/plan/plan_gates.h"
#include "coordinator/plan/reuse_layers.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/imported.h"

/* Said once, however many cells it is true of. */
void plan_finding(struct builder *b, uint32_t line, uint32_t column, const char *fmt, ...)
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
            plan_finding(b, r->models[i].line, r->models[i].column, "models.%s: %s",
                         r->models[i].name, err.text);
    }
}

static struct px_digest import_key(const struct model_file *m, const struct recipe_stage *s)
{
    struct px_hash *h = px_hash_new("proctor import 2");
    px_hash_digest(h, &m->digest);
    px_hash_u64(h, PX_NUMERICS_VERSION);
    px_hash_u64(h, s->panels ? IMPORTED_VERSION : 0);
    return px_hash_end(&h);
}

/* A name is a model of the recipe or what an import stage makes of one. */
bool plan_find_model(const struct plan *p, const char *name, uint32_t *model, bool *imported,
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

static void add_import(struct builder *b, uint32_t stage)
{
    struct plan *p = b->plan;
    const struct recipe_stage *s = &b->recipe->stages[stage];
    struct plan_import im = {.stage = stage};
    bool imported = false;
    uint32_t from;
    if (!plan_find_model(p, s->model, &im.model, &imported, &from)) {
        plan_finding(b, s->line, s->column, "import: no model is named '%s'", s->model);
        return;
    }
    const struct model_file *m = &p->models[im.model];
    if (m->backend != BACKEND_NATIVE) {
        plan_finding(b, s->line, s->column,
                     "import: model '%s' has backend %s; only GGUF files (native) can be imported",
                     s->model, backend_kind_name(m->backend));
        return;
    }
    im.panels = s->panels;
    im.key = import_key(m, s);
    im.job.kind = UNIT_IMPORT;
    im.job.task = px_xstrdup("import");
    plan_fill_model(&im.job, m);
    im.job.kv = KV_F16;
    im.job.sampler.top_p = 1;
    im.job.scorer = px_xstrdup("");
    im.job.options = px_xstrdup(s->panels ? "{\"layout\":\"panels\"}" : "{\"layout\":\"file\"}");
    p->imports = px_xrealloc(p->imports, (p->n_imports + 1) * sizeof im);
    p->imports[p->n_imports++] = im;
}

/* ---- tasks ---- */

void plan_add_loaded(struct builder *b, struct task *t, struct variant v)
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
        plan_finding(b, s->task_lines[i], s->task_columns[i], "tasks: %s", err.text);
        return false;
    }
    *index = p->n_tasks;
    plan_add_loaded(b, t, (struct variant){s->tasks[i], set->compat, set->strategy, 0});
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
    if (!plan_find_model(p, model_name, &c.model, &c.after_import, &c.import)) {
        plan_finding(b, s->line, s->column, "eval: no model is named '%s'", model_name);
        return false;
    }
    const struct model_file *m = &p->models[c.model];
    uint32_t n_layers = m->backend == BACKEND_NATIVE ? m->config.n_layers : 0;
    if (m->path == NULL)
        return false; /* did not open; said already */
    if (rc->settings.reuse.k > 1 && n_layers == 0) {
        plan_finding(b, s->line, s->column, "eval.reuse: cannot act on model '%s' (backend %s)",
                     model_name, backend_kind_name(m->backend));
        return false;
    }
    if (reuse_layers_resolve(&rc->settings.reuse, n_layers, &c.reuse, &err) != 0) {
        plan_finding(b, s->line, s->column, "eval, cell %s: %s", rc->names[0], err.text);
        return false;
    }
    if (n_layers && rc->settings.context > m->config.context_length) {
        plan_finding(b, s->line, s->column,
                     "eval.context: %u is more than the %u positions of '%s'", rc->settings.context,
                     m->config.context_length, model_name);
    }
    if (n_layers && model_kv_check(&m->config, rc->settings.kv, &err) != 0) {
        plan_finding(b, s->line, s->column, "eval.kv: %s ('%s')", err.text, model_name);
        return false;
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

/* Decides between raw text and a chat template; a wish that cannot be met is a finding. */
static bool choose_chat(struct builder *b, const struct recipe_stage *s, const struct model_file *m,
                        const struct task *t, const struct eval_settings *set, struct plan_group *g)
{
    struct px_err err;
    g->chat = set->chat == CHAT_MODE_TASK ? task_chat(t) : set->chat != CHAT_MODE_RAW;
    if (g->chat && !task_takes_chat(t)) {
        plan_finding(b, s->line, s->column,
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
        plan_finding(b, s->line, s->column, "eval.chat: %s", err.text);
        return false;
    }
    if (m->has_chat) {
        g->chat_template = m->chat;
        return true;
    }
    plan_finding(
        b, s->line, s->column,
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
        plan_finding(b, s->line, s->column, "eval.fewshot: task %s: %s", name, err.text);
    if (choice && m->backend == BACKEND_NOOP)
        plan_finding(b, s->line, s->column,
                     "eval: task %s asks for loglikelihoods; backend %s only has texts", name,
                     backend_kind_name(m->backend));
    if (choice && c->reuse.k > 1)
        plan_finding(
            b, s->line, s->column,
            "eval.reuse: acts on decode steps and task %s has none (loglikelihood); evaluate it "
            "in a stage without reuse",
            name);
    if (choice && (c->settings->samples > 1 || c->settings->sampler.temperature > 0))
        plan_finding(b, s->line, s->column,
                     "eval: samples and sampler cannot act on task %s (loglikelihood)", name);
    if (choice && c->settings->max_tokens)
        plan_finding(b, s->line, s->column, "eval.sampler.max_tokens: cannot act on task %s", name);
    if (!choice && m->backend == BACKEND_NATIVE && g->generate.n_stop_tokens == 0)
        plan_finding(
            b, s->line, s->column,
            "eval: model '%s' names no token that ends a text; generation would never stop",
            m->name);
    uint32_t window = task_request(t) == TASK_ROLLING ? task_windows(t).context : 0;
    uint32_t limit = c->settings->context ? c->settings->context : m->config.context_length;
    if (m->backend == BACKEND_NATIVE && window > limit)
        plan_finding(b, s->line, s->column,
                     "eval: task %s has windows of %u tokens, model '%s' takes %u at once", name,
                     window, m->name, limit);
    if (g->turns > 1 && !g->chat)
        plan_finding(
            b, s->line, s->column,
            "eval.chat: task %s is a conversation and needs a chat template; say chat: model, or "
            "name one (chat: chatml)",
            name);
    if (!choice && g->generate.max_tokens == 0)
        plan_finding(b, s->line, s->column, "eval.sampler.max_tokens: task %s sets none; give one",
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
    plan_generate_job(&g.generate, c, m, t);
    plan_copy_thinking(p, &g, m);
    plan_score_job(&g.score, t, m);
    check_group(b, s, c, m, t, &g);
    g.base = group_base_key(t, &g.generate, g.score.scorer, g.chat, g.chat_template,
                            c->settings->fewshot);
    p->n_units += g.n_units;
    PX_GROW(p->groups, p->n_groups, b->cap_groups);
    p->groups[p->n_groups++] = g;
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
    plan_add_judges(b, s, first);
}

static void say_gate(void *ctx, uint32_t line, uint32_t column, const char *text)
{
    plan_finding(ctx, line, column, "%s", text);
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
        plan_finding(&b, 1, 1, "stages: nothing to do: no import and no problem to evaluate");
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
