/* preference.c - see preference.h. */
#include "coordinator/report/preference.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/collect.h"
#include "coordinator/report/labels.h"
#include "coordinator/report/problem_index.h"
#include "proto/mem.h"

/* An answer of the problem at hand. */
struct answer {
    const struct group_stats *group;
    struct px_digest content;
    uint32_t sample;
    bool right;
    char *text;
    uint32_t n_text;
    struct receipt receipt;
};

/* Groups of one task and one model. */
struct family {
    const struct run_stats *run;
    struct store_view *view;
    const struct group_stats **groups;
    struct problem_index *index;
    uint32_t n_groups;
    struct answer *answers;
    uint32_t n, cap;
    preference_fn fn;
    void *ctx;
    bool stopped;
};

static bool fits(const struct group_stats *g, const char *task, const char *cell)
{
    return strcmp(g->task->request, "generate") == 0 && g->turns == 1 && g->n > 0 &&
           g->group->judged == MANIFEST_NONE && (!task || strcmp(g->task->name, task) == 0) &&
           (!cell || cell_has_name(g->cell, cell));
}

static bool same_family(const struct group_stats *a, const struct group_stats *b)
{
    return a->task == b->task && strcmp(a->model_digest, b->model_digest) == 0;
}

/* ---- answers ---- */

static bool is_rejected(uint8_t outcome)
{
    return outcome == OUTCOME_WRONG || outcome == OUTCOME_UNPARSED ||
           outcome == OUTCOME_TRUNCATED || outcome == OUTCOME_TIMEOUT;
}

struct taking {
    struct family *f;
    const struct group_stats *group;
    bool right;
};

static bool take(void *ctx, const struct sample *s)
{
    struct taking *t = ctx;
    struct family *f = t->f;
    for (uint32_t i = 0; i < f->n; i++)
        if (px_digest_eq(&f->answers[i].content, &s->content))
            return true; /* another cell's, computed once */
    if (!s->has_completion)
        return true;
    PX_GROW(f->answers, f->n, f->cap);
    struct answer *a = &f->answers[f->n++];
    *a = (struct answer){.group = t->group,
                         .content = s->content,
                         .sample = s->unit->sample,
                         .right = t->right,
                         .n_text = s->completion.n_text,
                         .text = px_xmemdup(s->completion.text, (size_t)s->completion.n_text + 1)};
    if (s->has_receipt) {
        a->receipt = s->receipt;
        a->receipt.template = px_xstrdup(s->receipt.template);
        size_t bytes = s->receipt.n_tokens * sizeof *s->receipt.tokens;
        a->receipt.tokens = px_xmalloc(bytes + 1);
        if (bytes)
            memcpy(a->receipt.tokens, s->receipt.tokens, bytes);
    }
    return true;
}

static void drop_answers(struct family *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        free(f->answers[i].text);
        receipt_clear(&f->answers[i].receipt);
    }
    f->n = 0;
}

static int load_answers(struct family *f, const char *id, struct px_err *err)
{
    uint32_t at;
    for (uint32_t k = 0; k < f->n_groups; k++) {
        const struct group_stats *g = f->groups[k];
        if (!problem_index_find(&f->index[k], id, &at))
            continue;
        for (uint32_t u = at * g->samples; u < (at + 1) * g->samples; u++) {
            struct taking t = {f, g, g->unit_outcome[u] == OUTCOME_RIGHT};
            if (!t.right && !is_rejected(g->unit_outcome[u]))
                continue;
            if (walk_unit_tokens(f->view, f->run->manifest, g->group->index, u, take, &t, err) != 0)
                return -1;
        }
    }
    return 0;
}

/* ---- pairs ---- */

static bool same_prompt(const struct answer *a, const struct answer *b)
{
    return px_digest_eq(&a->receipt.text, &b->receipt.text) &&
           a->receipt.n_prompt == b->receipt.n_prompt &&
           (a->receipt.n_prompt == 0 || memcmp(a->receipt.tokens, b->receipt.tokens,
                                               a->receipt.n_prompt * sizeof(uint32_t)) == 0);
}

static struct preference_answer shown(const struct answer *a)
{
    return (struct preference_answer){a->group->cell->names[0], a->sample, a->text, a->n_text};
}

static void emit_pairs(struct family *f, const char *problem)
{
    for (uint32_t i = 0; i < f->n && !f->stopped; i++) {
        const struct answer *a = &f->answers[i];
        for (uint32_t k = 0; k < f->n && a->right && !f->stopped; k++) {
            const struct answer *b = &f->answers[k];
            if (b->right || !same_prompt(a, b))
                continue;
            struct preference_pair p = {.task = a->group->task->name,
                                        .problem = problem,
                                        .model = a->group->cell->model,
                                        .model_digest = a->group->model_digest,
                                        .chat_template =
                                            a->receipt.template ? a->receipt.template : "",
                                        .prompt = a->receipt.tokens,
                                        .n_prompt = a->receipt.n_prompt,
                                        .prompt_text = &a->receipt.text,
                                        .chosen = shown(a),
                                        .rejected = shown(b)};
            f->stopped = !f->fn(f->ctx, &p);
        }
    }
}

/* Problems of the k-th group that no earlier group has: so each comes once. */
static int pairs_of_group(struct family *f, uint32_t k, struct px_err *err)
{
    const struct group_stats *g = f->groups[k];
    int rc = 0;
    for (uint32_t i = 0; i < g->n_problems && rc == 0 && !f->stopped; i++) {
        const char *id = group_problem(g, i);
        bool seen = false;
        for (uint32_t e = 0; e < k && !seen; e++) {
            uint32_t at;
            seen = problem_index_find(&f->index[e], id, &at);
        }
        if (seen)
            continue;
        rc = load_answers(f, id, err);
        if (rc == 0)
            emit_pairs(f, id);
        drop_answers(f);
    }
    return rc;
}

/* The family of the run's i-th group, when it is the first of its family. */
static int pairs_of_family(struct family *f, uint32_t i, const char *task, const char *cell,
                           struct px_err *err)
{
    const struct run_stats *r = f->run;
    const struct group_stats *first = &r->groups[i];
    int rc = 0;
    for (uint32_t e = 0; e < i; e++)
        if (fits(&r->groups[e], task, cell) && same_family(&r->groups[e], first))
            return 0;
    f->n_groups = 0;
    for (uint32_t k = i; k < r->n_groups; k++) {
        if (!fits(&r->groups[k], task, cell) || !same_family(&r->groups[k], first))
            continue;
        problem_index_make(&f->index[f->n_groups], &r->groups[k]);
        f->groups[f->n_groups++] = &r->groups[k];
    }
    for (uint32_t k = 0; k < f->n_groups && rc == 0 && !f->stopped; k++)
        rc = pairs_of_group(f, k, err);
    for (uint32_t k = 0; k < f->n_groups; k++)
        problem_index_clear(&f->index[k]);
    return rc;
}

/* *cell, if it is not NULL, becomes the cell's whole name. */
static int check_names(const struct manifest *m, const char *task, const char **cell,
                       struct px_err *err)
{
    bool has_task = !task;
    for (uint32_t i = 0; i < m->n_tasks; i++)
        has_task = has_task || strcmp(m->tasks[i].name, task) == 0;
    if (!has_task)
        return px_fail(err, PX_EUSAGE, "the run has no task '%.100s'", task);
    const char *name = *cell ? cell_name_find(m, *cell, err) : NULL;
    if (*cell && !name)
        return -1;
    *cell = name;
    return 0;
}

int report_preference_pairs(struct store *s, const char *task, const char *cell, preference_fn fn,
                            void *ctx, struct px_err *err)
{
    struct run_stats *r = collect_run(s, err);
    if (!r)
        return -1;
    struct family f = {.run = r, .fn = fn, .ctx = ctx};
    int rc = check_names(r->manifest, task, &cell, err);
    if (rc == 0)
        f.view = store_view_begin(s, err);
    f.groups = px_xcalloc((size_t)r->n_groups + 1, sizeof *f.groups);
    f.index = px_xcalloc((size_t)r->n_groups + 1, sizeof *f.index);
    for (uint32_t i = 0; f.view && i < r->n_groups && rc == 0 && !f.stopped; i++)
        if (fits(&r->groups[i], task, cell))
            rc = pairs_of_family(&f, i, task, cell, err);
    if (rc == 0 && !f.view)
        rc = -1;
    store_view_end(&f.view);
    free(f.answers);
    free(f.groups);
    free(f.index);
    run_stats_free(&r);
    return rc;
}
