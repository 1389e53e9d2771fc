/* eval.h - the plain way through a model: tokens in, logits at every position out.
 *
 * For `logits`, `perplexity`, model checks and tests; evaluation runs use engine.h. The same
 * kernels, pages and forward pass, so the same bits. */
#ifndef WORKER_ENGINE_EVAL_H
#define WORKER_ENGINE_EVAL_H

#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"
#include "worker/engine/model.h"

struct eval_config {
    const char *isa;     /* NULL: auto */
    uint32_t threads;    /* 0: 1 */
    enum kv_type kv;     /* 0: KV_F32 */
    uint32_t max_tokens; /* tokens that a sequence may have; 0: the model's context */
    uint32_t chunk;      /* rows of one pass; 0: 64 */
};

struct eval;

struct eval *eval_new(const struct model *m, const struct eval_config *cfg, struct px_err *err);
void eval_free(struct eval **e);

const struct kernels *eval_kernels(const struct eval *e);

/* Forgets the sequence. */
void eval_reset(struct eval *e);

/* Appends n tokens to the sequence. each (may be NULL) gets the logits [n_vocab] after every
 * token, in order; pos counts from the start of the sequence. With NULL only the last ones are
 * computed. Returns the logits after the last token, borrowed until the next call, or NULL with
 * err: a token outside the vocabulary, or more than max_tokens. */
const float *eval_tokens(struct eval *e, const uint32_t *tokens, uint32_t n,
                         void (*each)(void *ctx, uint32_t pos, const float *logits), void *ctx,
                         struct px_err *err);

#endif
