/* plan_judges.c - groups in which a judge model rates the answers of other groups. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/keys.h"
#include "coordinator/plan/plan_builder.h"
#include "proto/mem.h"

/* The judge of a task, made once per task and mode. */
static uint32_t judge_task(struct builder *b, uint32_t task, enum judge_mode mode)
{
    struct plan *p = b->plan;
    for (uint32_t k = 0; k < p->n_tasks; k++)
        if (b->variants[k].judge_of == task + 1 && task_judge_mode(p->tasks[k]) == mode)
            return k;
    struct task *t = task_judge_new(p->tasks[task], mode);
    plan_add_loaded(b, t, (struct variant){.name = task_name(t), .judge_of = task + 1});
    return p->n_tasks - 1;
}

/* The judging model, greedy and at its own context. */
static void fill_judge_job(struct job *j, const struct model_file *m, const struct task *t)
{
    struct eval_settings plain = {.sampler = {.top_p = 1}, .kv = KV_F16};
    struct plan_cell c = {.settings = &plain};
    c.reuse = (struct reuse_spec){.k = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    plan_generate_job(j, &c, m, t);
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
    plan_copy_thinking(p, &g, m);
    plan_score_job(&g.score, t, m);
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
        plan_finding(b, s->line, s->column, "eval.judge.baseline: the eval has no cell '%s'",
                     s->judge_baseline);
    else if (p->groups[against].samples != p->groups[i].samples)
        plan_finding(b, s->line, s->column,
                     "eval.judge: cells that are compared need the same number of samples");
    else if (against != i)
        add_judge_group(b, i, against, like->model, like, JUDGE_PAIRWISE);
}

/* Judges of the groups [first, end) that the stage has made. */
void plan_add_judges(struct builder *b, const struct recipe_stage *s, uint32_t first)
{
    struct plan *p = b->plan;
    struct plan_group like = {0};
    uint32_t end = p->n_groups, n_before = p->n_groups;
    if (!s->judge || first == end)
        return;
    if (!plan_find_model(p, s->judge, &like.model, &like.after_import, &like.import)) {
        plan_finding(b, s->line, s->column, "eval.judge.model: no model is named '%s'", s->judge);
        return;
    }
    const struct model_file *m = &p->models[like.model];
    struct px_err err;
    like.chat_template = m->chat;
    if (s->judge_chat && chat_template_by_name(s->judge_chat, &like.chat_template, &err) != 0) {
        plan_finding(b, s->line, s->column, "eval.judge.chat: %s", err.text);
        return;
    }
    if (m->backend == BACKEND_NATIVE && !s->judge_chat && !m->has_chat) {
        plan_finding(b, s->line, s->column,
                     "eval.judge: a judge needs a chat template and %s; name one (chat: chatml)",
                     m->chat_problem);
        return;
    }
    uint32_t n_findings = b->n_findings;
    for (uint32_t i = first; i < end; i++)
        judge_group(b, s, i, first, end, &like);
    if (p->n_groups == n_before && b->n_findings == n_findings)
        plan_finding(
            b, s->line, s->column,
            "eval.judge: cannot act: none of the tasks has such a judge, or there is only one "
            "cell to compare");
}
