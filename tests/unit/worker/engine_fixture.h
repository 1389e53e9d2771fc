/* engine_fixture.h - a small model, a dozen units and ways to run them; for cmocka tests. */
#ifndef TESTS_WORKER_ENGINE_FIXTURE_H
#define TESTS_WORKER_ENGINE_FIXTURE_H

#include "tiny_model.h"

#include "proto/model/tokenizer.h"
#include "worker/engine/engine.h"
#include "worker/engine/eval.h"
#include "worker/engine/sample.h"

enum { UNITS = 12, BUDGET = 64 << 20 };

struct fixture {
    struct tiny_model *t;
    struct tokenizer *tok;
    struct job job;
    struct unit units[UNITS];
    uint32_t stop_tokens[2];
};

static inline uint32_t *ids(uint32_t n, uint32_t salt)
{
    uint32_t *v = px_xcalloc(n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = 3 + (i * 29 + salt * 17 + i * i) % (TINY_VOCAB - 3);
    return v;
}

static inline void setup_with(struct fixture *f, struct tiny_model *t)
{
    struct px_err err = {0};
    memset(f, 0, sizeof *f);
    f->t = t;
    f->tok = tokenizer_new(f->t->m->gguf, &err);
    if (f->tok == NULL)
        fail_msg("%s", err.text);
    f->stop_tokens[0] = 2;
    f->job = (struct job){.kind = UNIT_GENERATE,
                          .max_tokens = 24,
                          .kv = KV_F16,
                          .sampler = {.temperature = 0.9, .top_p = 1, .seed = 5},
                          .stop_tokens = f->stop_tokens,
                          .n_stop_tokens = 1};
    for (uint32_t i = 0; i < UNITS; i++) {
        f->units[i].problem = px_xasprintf("problem-%u", i / 2);
        f->units[i].sample = i % 2;
        f->units[i].n_prompt = 3 + i * 7 % 60;
        f->units[i].prompt = ids(f->units[i].n_prompt, i / 2);
    }
}

static inline void setup(struct fixture *f, const char *arch, enum ggml_type type)
{
    setup_with(f, tiny_model_new(arch, type));
}

static inline void teardown(struct fixture *f)
{
    for (uint32_t i = 0; i < UNITS; i++)
        unit_clear(&f->units[i]);
    tokenizer_free(&f->tok);
    tiny_model_free(f->t);
}

static inline struct engine *new_engine(struct fixture *f, uint32_t rows, uint32_t batch,
                                        uint32_t threads, int64_t budget)
{
    struct px_err err = {0};
    struct engine_config cfg = {.threads = threads,
                                .kv = f->job.kv,
                                .memory_budget = budget,
                                .max_rows = rows,
                                .max_batch = batch};
    struct engine *e = engine_new(f->t->m, f->tok, &cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    return e;
}

/* Runs all units through an engine; out[i] belongs to units[i]. */
static inline void run_all(struct fixture *f, struct engine *e, struct completion out[UNITS])
{
    struct px_err err = {0};
    uint32_t sent = 0, done = 0;
    while (done < UNITS) {
        while (sent < UNITS && engine_free_rows(e)) {
            if (engine_submit(e, &f->job, &f->units[sent], sent, &err))
                fail_msg("%s", err.text);
            sent++;
        }
        engine_step(e);
        uint64_t ticket;
        struct completion c;
        while (engine_take(e, &ticket, &c)) {
            out[ticket] = c;
            done++;
        }
    }
    assert_int_equal(engine_active(e), 0);
}

static inline struct completion run_one(struct fixture *f, const struct unit *u)
{
    struct px_err err = {0};
    struct engine *e = new_engine(f, 1, 0, 1, BUDGET);
    struct completion c;
    uint64_t ticket;
    if (engine_submit(e, &f->job, u, 9, &err))
        fail_msg("%s", err.text);
    while (!engine_take(e, &ticket, &c))
        engine_step(e);
    assert_int_equal(ticket, 9);
    engine_free(&e);
    return c;
}

static inline struct px_digest digest_of(const struct completion *c)
{
    struct px_err err = {0};
    struct px_digest d;
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    completion_encode(c, &b);
    if (completion_result_digest(b.data, b.len, &d, &err))
        fail_msg("%s", err.text);
    px_buf_clear(&b);
    return d;
}

static inline void assert_same_results(struct completion *a, struct completion *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct px_digest da = digest_of(&a[i]), db = digest_of(&b[i]);
        if (!px_digest_eq(&da, &db))
            fail_msg("unit %u: the results differ", i);
    }
}

static inline void clear_all(struct completion *c)
{
    for (uint32_t i = 0; i < UNITS; i++)
        completion_clear(&c[i]);
}

static inline void add_choices(struct unit *u, uint32_t n, uint32_t salt)
{
    u->n_choices = n;
    u->choices = px_xcalloc(n, sizeof *u->choices);
    for (uint32_t i = 0; i < n; i++) {
        u->choices[i].n_tokens = 1 + (i * 5 + salt) % 40;
        u->choices[i].tokens = ids(u->choices[i].n_tokens, salt * 10 + i);
        u->choices[i].n_bytes = 2 * u->choices[i].n_tokens;
        u->choices[i].n_chars = 2 * u->choices[i].n_tokens;
    }
}

struct sum {
    const uint32_t *tokens;
    uint32_t from, n;
    double logprob;
    bool greedy;
};

static inline void add_logprob(void *ctx, uint32_t pos, const float *logits)
{
    struct sum *s = ctx;
    if (pos + 1 < s->from || pos + 1 >= s->n)
        return;
    uint32_t next = s->tokens[pos + 1];
    s->logprob += (double)logits[next] - sample_log_sum_exp(kernels_at(0), logits, TINY_VOCAB);
    s->greedy = s->greedy && sample_argmax(kernels_at(0), logits, TINY_VOCAB) == next;
}

#endif
