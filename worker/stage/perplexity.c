/* perplexity.c - chunks of a text, the second half of each scored. */
#include "worker/stage/perplexity.h"

#include <math.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "worker/engine/kernels.h"
#include "worker/engine/sample.h"

struct tally {
    const struct kernels *kn;
    const uint32_t *tokens; /* of the present chunk */
    uint32_t n_ctx, n_vocab;
    double sum, squares; /* of negative log-probabilities */
    uint64_t n;
    bool is_finite;
};

static void score(void *ctx, uint32_t pos, const float *logits)
{
    struct tally *t = ctx;
    if (pos < t->n_ctx / 2 || pos + 1 >= t->n_ctx)
        return;
    t->is_finite = t->is_finite && sample_finite(logits, t->n_vocab);
    double nll = sample_log_sum_exp(t->kn, logits, t->n_vocab) - (double)logits[t->tokens[pos + 1]];
    t->sum += nll;
    t->squares += nll * nll;
    t->n++;
}

static void conclude(const struct tally *t, uint32_t n_chunks, struct perplexity *out)
{
    double mean = t->sum / (double)t->n, variance = t->squares / (double)t->n - mean * mean;
    *out = (struct perplexity){.ppl = det_exp(mean), .n_chunks = n_chunks, .n_scored = t->n};
    if (t->n > 1 && variance > 0)
        out->err = sqrt(variance / (double)(t->n - 1)) * out->ppl;
}

int perplexity_of(struct eval *e, uint32_t n_vocab, const uint32_t *tokens, size_t n,
                  uint32_t n_ctx, int32_t bos,
                  void (*each)(void *ctx, uint32_t chunk, double running), void *ctx,
                  struct perplexity *out, struct px_err *err)
{
    if (n_ctx < 4)
        return px_fail(err, PX_EUSAGE, "chunks of %u tokens: at least 4", n_ctx);
    if (n < n_ctx)
        return px_fail(err, PX_EINPUT, "the text has %zu tokens, one chunk needs %u", n, n_ctx);
    if (n / n_ctx > UINT32_MAX)
        return px_fail(err, PX_ELIMIT, "the text has %zu tokens: too many chunks", n);
    PX_FREE uint32_t *chunk = px_xcalloc(n_ctx, sizeof *chunk);
    struct tally t = {.kn = eval_kernels(e),
                      .tokens = chunk,
                      .n_ctx = n_ctx,
                      .n_vocab = n_vocab,
                      .is_finite = true};
    struct perplexity result = {0};
    for (uint32_t i = 0; i < n / n_ctx; i++) {
        for (uint32_t j = 0; j < n_ctx; j++)
            chunk[j] = tokens[(size_t)i * n_ctx + j];
        if (bos >= 0)
            chunk[0] = (uint32_t)bos;
        eval_reset(e);
        if (eval_tokens(e, chunk, n_ctx, score, &t, err) == NULL)
            return px_wrap(err, "chunk %u", i);
        if (!t.is_finite)
            return px_fail(err, PX_EINPUT,
                           "chunk %u: the model computed logits that are not "
                           "finite numbers",
                           i);
        conclude(&t, i + 1, &result);
        if (each)
            each(ctx, i, result.ppl);
    }
    *out = result;
    return 0;
}
