/* eval.c - one sequence through the forward pass, chunk by chunk. */
#include "worker/engine/eval.h"

#include <stdlib.h>

#include "proto/mem.h"
#include "worker/engine/forward.h"

enum { DEFAULT_CHUNK = 64, MAX_CHUNK = 4096 };

struct eval {
    const struct model *m;
    const struct kernels *kn;
    struct threads *th;
    struct kv_pool *kv;
    struct forward *fwd;
    struct forward_row *rows;
    struct kv_seq seq;
    uint32_t n, max_tokens, chunk;
};

struct eval *eval_new(const struct model *m, const struct eval_config *cfg, struct px_err *err)
{
    const struct kernels *kn = kernels_choose(cfg->isa ? cfg->isa : "auto", err);
    if (kn == NULL)
        return NULL;
    uint32_t chunk = cfg->chunk ? cfg->chunk : DEFAULT_CHUNK;
    uint32_t max_tokens = cfg->max_tokens ? cfg->max_tokens : m->cfg.context_length;
    if (chunk > MAX_CHUNK) {
        px_fail(err, PX_EUSAGE, "chunk %u: at most %d", chunk, MAX_CHUNK);
        return NULL;
    }
    if (max_tokens == 0) {
        px_fail(err, PX_EINPUT, "the model's context is 0 tokens");
        return NULL;
    }
    struct eval *e = px_xcalloc(1, sizeof *e);
    e->m = m;
    e->kn = kn;
    e->max_tokens = max_tokens;
    e->chunk = chunk;
    e->th = threads_new(cfg->threads ? cfg->threads : 1);
    e->rows = px_xcalloc(chunk, sizeof *e->rows);
    e->kv = kv_pool_new(&m->cfg, cfg->kv ? cfg->kv : KV_F32, kv_pages_for(max_tokens), err);
    if (e->kv)
        e->fwd = forward_new(m, kn, e->th, e->kv, chunk, chunk, max_tokens, err);
    if (e->fwd == NULL)
        eval_free(&e);
    return e;
}

void eval_free(struct eval **ep)
{
    struct eval *e = *ep;
    if (e == NULL)
        return;
    forward_free(&e->fwd);
    if (e->kv)
        kv_seq_clear(e->kv, &e->seq);
    kv_pool_free(&e->kv);
    threads_free(&e->th);
    free(e->rows);
    free(e);
    *ep = NULL;
}

const struct kernels *eval_kernels(const struct eval *e)
{
    return e->kn;
}

void eval_reset(struct eval *e)
{
    kv_seq_clear(e->kv, &e->seq);
    e->n = 0;
}

static int check(const struct eval *e, const uint32_t *tokens, uint32_t n, struct px_err *err)
{
    if (n == 0)
        return px_fail(err, PX_EINPUT, "no tokens to compute");
    if (n > e->max_tokens - e->n)
        return px_fail(err, PX_ELIMIT, "%u tokens after %u do not fit into %u", n, e->n,
                       e->max_tokens);
    for (uint32_t i = 0; i < n; i++)
        if (tokens[i] >= e->m->cfg.n_vocab)
            return px_fail(err, PX_EINPUT, "token id %u is outside the vocabulary of %u", tokens[i],
                           e->m->cfg.n_vocab);
    return 0;
}

const float *eval_tokens(struct eval *e, const uint32_t *tokens, uint32_t n,
                         void (*each)(void *ctx, uint32_t pos, const float *logits), void *ctx,
                         struct px_err *err)
{
    const float *logits = NULL, *last = NULL;
    uint32_t n_vocab = e->m->cfg.n_vocab;
    if (check(e, tokens, n, err))
        return NULL;
    bool has_pages = kv_seq_extend(e->kv, &e->seq, e->n, e->n + n);
    px_assert(has_pages); /* the pool holds max_tokens */
    for (uint32_t done = 0; done < n;) {
        uint32_t m = n - done < e->chunk ? n - done : e->chunk;
        for (uint32_t i = 0; i < m; i++)
            e->rows[i] = (struct forward_row){.seq = &e->seq,
                                              .pos = e->n + i,
                                              .token = tokens[done + i],
                                              .wants_logits = each || done + i + 1 == n};
        logits = forward_run(e->fwd, e->rows, m);
        for (uint32_t i = 0; each && i < m; i++)
            each(ctx, e->n + i, logits + (size_t)i * n_vocab);
        last = logits + (each ? (size_t)(m - 1) * n_vocab : 0);
        done += m;
        e->n += m;
    }
    return last;
}
