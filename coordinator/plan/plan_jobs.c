/* plan_jobs.c - job heads: what the units of a group share. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/plan_builder.h"
#include "proto/json.h"
#include "proto/mem.h"

void plan_fill_model(struct job *j, const struct model_file *m)
{
    j->backend = m->backend;
    j->model = m->digest;
    j->model_name = px_xstrdup(m->name);
    j->model_path = px_xstrdup(m->path);
    j->model_bytes = m->bytes;
}

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

void plan_generate_job(struct job *j, const struct plan_cell *c, const struct model_file *m,
                       const struct task *t)
{
    const struct eval_settings *s = c->settings;
    bool choice = task_request(t) != TASK_GENERATE;
    j->kind = choice ? UNIT_CHOICE : UNIT_GENERATE;
    j->task = px_xstrdup(task_name(t));
    plan_fill_model(j, m);
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

void plan_score_job(struct job *j, const struct task *t, const struct model_file *m)
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

void plan_copy_thinking(const struct plan *p, struct plan_group *g, const struct model_file *m)
{
    struct think_spec *t = &g->generate.think;
    if (g->generate.kind != UNIT_GENERATE || !m->think_open)
        return;
    *t = m->think;
    t->open = copy_ids(m->think.open, m->think.n_open);
    t->close = copy_ids(m->think.close, m->think.n_close);
    t->open_in_prompt = plan_opens_thought(p, g);
}
