/* perplexity.h - the perplexity of a text, by the rule that published figures follow.
 *
 * The tokens are cut into chunks of n_ctx, each computed on its own; where the vocabulary adds BOS
 * the first token of a chunk is replaced by it; only positions n_ctx/2 .. n_ctx-2 count, each
 * predicting the next token. */
#ifndef WORKER_STAGE_PERPLEXITY_H
#define WORKER_STAGE_PERPLEXITY_H

#include <stdint.h>

#include "proto/err.h"
#include "worker/engine/eval.h"

struct perplexity {
    double ppl;
    double err; /* one standard error */
    uint32_t n_chunks;
    uint64_t n_scored;
};

/* e must hold n_ctx tokens. bos < 0: chunks keep their first token. each (may be NULL) gets the
 * running value after every chunk. Fewer than n_ctx tokens: PX_EINPUT. */
int perplexity_of(struct eval *e, uint32_t n_vocab, const uint32_t *tokens, size_t n,
                  uint32_t n_ctx, int32_t bos,
                  void (*each)(void *ctx, uint32_t chunk, double running), void *ctx,
                  struct perplexity *out, struct px_err *err) PX_MUST_CHECK;

#endif
