/* preference.h - pairs of a right and a wrong answer to one prompt, out of stored verdicts: data
 * for preference training. Nothing is run or judged again. */
#ifndef COORDINATOR_REPORT_PREFERENCE_H
#define COORDINATOR_REPORT_PREFERENCE_H

#include "coordinator/report/report.h"
#include "proto/digest.h"

struct preference_answer {
    const char *cell; /* its main name */
    uint32_t sample;
    const char *text; /* raw bytes */
    uint32_t n_text;
};

/* Borrowed, valid during the call. */
struct preference_pair {
    const char *task, *problem;
    const char *model, *model_digest; /* both answers are of these weights */
    const char *chat_template;        /* "" for a raw prompt */
    const uint32_t *prompt;           /* token ids; NULL when no receipt was kept */
    uint32_t n_prompt;
    const struct px_digest *prompt_text; /* SHA-256 of the prompt's text; zero without a receipt */
    struct preference_answer chosen, rejected;
};

/* False stops. */
typedef bool (*preference_fn)(void *ctx, const struct preference_pair *p);

/* Every right answer with every one that was judged and is not right (wrong, unparsed, truncated,
 * timed out), problem by problem, within one task, model digest and prompt; over cells, too. An
 * answer that several cells share counts once. Conversations and choices have no pairs. task and
 * cell (any of its names): NULL for all; PX_EUSAGE when the run has none of that name. */
int report_preference_pairs(struct store *s, const char *task, const char *cell, preference_fn fn,
                            void *ctx, struct px_err *err) PX_MUST_CHECK;

#endif
