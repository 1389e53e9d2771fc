#include "coordinator/plan/keys.h"

#include <string.h>

#include "proto/scorer_kinds.h"

static void hash_reuse(struct px_hash *h, const struct reuse_spec *r)
{
    bool on = r->k > 1 && r->n_layers > 0;
    px_hash_u64(h, on ? r->k : 1);
    px_hash_u64(h, on ? r->n_layers : 0);
    for (uint32_t i = 0; on && i < r->n_layers; i++)
        px_hash_u64(h, r->layers[i]);
    px_hash_u64(h, on ? (uint64_t)r->mode : 0);
    px_hash_u64(h, on ? (uint64_t)r->kv : 0);
}

static void hash_think(struct px_hash *h, const struct think_spec *t)
{
    px_hash_field(h, t->open, t->n_open * sizeof *t->open);
    px_hash_field(h, t->close, t->n_close * sizeof *t->close);
    px_hash_u64(h, t->budget);
    px_hash_u64(h, t->open_in_prompt);
}

/* Everything of a job that changes what a worker computes. */
static void hash_generation(struct px_hash *h, const struct job *j)
{
    bool greedy = j->sampler.temperature == 0;
    px_hash_u64(h, (uint64_t)j->kind);
    px_hash_u64(h, (uint64_t)j->backend);
    px_hash_digest(h, &j->model);
    px_hash_u64(h, PX_NUMERICS_VERSION);
    px_hash_u64(h, (uint64_t)j->kv);
    px_hash_u64(h, j->context);
    if (j->kind != UNIT_GENERATE)
        return;
    px_hash_f64(h, j->sampler.temperature);
    if (!greedy) {
        px_hash_u64(h, (uint64_t)j->sampler.top_k);
        px_hash_f64(h, j->sampler.top_p);
        px_hash_f64(h, j->sampler.min_p);
        px_hash_u64(h, j->sampler.seed);
    }
    px_hash_u64(h, j->max_tokens);
    px_hash_u64(h, j->n_stops);
    for (uint32_t i = 0; i < j->n_stops; i++)
        px_hash_str(h, j->stops[i]);
    px_hash_field(h, j->stop_tokens, j->n_stop_tokens * sizeof *j->stop_tokens);
    hash_reuse(h, &j->reuse);
    hash_think(h, &j->think);
}

struct px_digest group_base_key(const struct task *t, const struct job *j, const char *scorer,
                                bool chat, enum chat_template tmpl, int32_t fewshot)
{
    struct px_digest task = task_digest(t);
    struct px_hash *h = px_hash_new("proctor plan 1");
    px_hash_digest(h, &task);
    hash_generation(h, j);
    px_hash_u64(h, chat ? (uint64_t)tmpl : 0);
    px_hash_u64(h, (uint64_t)(int64_t)fewshot);
    if (fewshot > 0 && task_fewshot(t) == 0) {
        struct px_digest pool = task_pool_digest(t);
        px_hash_digest(h, &pool);
    }
    px_hash_u64(h, SCORER_VERSION);
    px_hash_str(h, scorer);
    return px_hash_end(&h);
}

struct px_digest content_key(const struct job *j, const struct unit *u)
{
    /* A recorded or empty answer depends on the problem's name; a computed one only when sampled.
     */
    bool named = j->backend != BACKEND_NATIVE;
    bool sampled = named || (j->kind == UNIT_GENERATE && j->sampler.temperature > 0);
    struct px_hash *h = px_hash_new("proctor content 1");
    hash_generation(h, j);
    px_hash_field(h, u->prompt, u->n_prompt * sizeof *u->prompt);
    px_hash_u64(h, u->n_choices);
    for (uint32_t i = 0; i < u->n_choices; i++) {
        const struct unit_choice *c = &u->choices[i];
        px_hash_field(h, c->tokens, c->n_tokens * sizeof *c->tokens);
        px_hash_u64(h, c->n_skip);
        px_hash_u64(h, c->n_bytes);
        px_hash_u64(h, c->n_chars);
    }
    if (sampled) {
        px_hash_str(h, u->problem);
        px_hash_u64(h, u->sample);
        px_hash_u64(h, u->turn);
    }
    if (named)
        px_hash_str(h, j->task);
    return px_hash_end(&h);
}

struct px_digest verdict_key(const struct px_digest *completion, const char *scorer,
                             const char *problem_json, size_t n_problem_json)
{
    struct px_hash *h = px_hash_new("proctor verdict 1");
    px_hash_digest(h, completion);
    px_hash_u64(h, SCORER_VERSION);
    px_hash_str(h, scorer);
    px_hash_field(h, problem_json, n_problem_json);
    return px_hash_end(&h);
}
