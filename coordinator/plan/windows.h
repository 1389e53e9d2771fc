/* windows.h - a long text cut into pieces that a model's context holds, each token scored once.
 *
 * Two rules. *Rolling* is lm-evaluation-harness's (its rolling loglikelihood with a context of one
 * token, made disjoint): the first window is predicted from the prefix token alone, every further
 * window of k = min(length, what is left) tokens from the tokens before it, so that the model's
 * input is as long as it may be. *llamacpp* is that of llama.cpp's perplexity: chunks of equal
 * length, the first token overwritten, the second half scored, what is left at the end dropped. */
#ifndef COORDINATOR_WINDOWS_H
#define COORDINATOR_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum window_head {
    WINDOW_AS_IS,      /* context and scored tokens as they stand in the text */
    WINDOW_PREFIXED,   /* the prefix token, then the scored tokens; n_context is 1 */
    WINDOW_OVERWRITTEN /* the first token of the context is the prefix token instead */
};

struct window {
    enum window_head head;
    size_t from;        /* the text's token where the context begins (PREFIXED: the scored ones) */
    uint32_t n_context; /* tokens before the scored ones, the prefix token among them */
    uint32_t n_scored;
};

/* Windows of n tokens when the model takes `length` (>= 1) at once. Owned list of *count. */
struct window *windows_rolling(size_t n, uint32_t length, uint32_t *count);
/* length >= 4. None (NULL, *count 0) when the text is shorter than one chunk. */
struct window *windows_llamacpp(size_t n, uint32_t length, uint32_t *count);

#endif
