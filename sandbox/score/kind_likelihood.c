/* kind_likelihood.c - loglikelihoods of given text: one continuation (lambada), or all windows of a
 * page (perplexity). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/kinds.h"

static void put_rule(struct verdict *v)
{
    struct extract e = {.rule = "loglikelihood"};
    verdict_put_extract(v, &e);
}

/* A loglikelihood that is no number is the backend's failure. False when it is. */
static bool put_sum(struct verdict *v, double sum)
{
    put_rule(v);
    if (isfinite(sum))
        verdict_add_metric(v, "loglikelihood", sum);
    else
        verdict_put_detail(v, "the loglikelihood is not finite");
    v->class = VERDICT_ERROR;
    return isfinite(sum);
}

/* ---- continuation ---- */

static int score_continuation(const void *state, const struct scoring *in, struct verdict *v,
                              struct px_err *err)
{
    const struct completion *c = in->completion;
    (void)state;
    if (c->n_choices != 1)
        return px_fail(err, PX_EINPUT,
                       "a continuation has one loglikelihood, the completion has %u", c->n_choices);
    bool right = put_sum(v, c->choices[0].logprob) && c->choices[0].greedy;
    if (v->n_metrics > 0)
        v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_add_metric(v, "acc", right);
    return 0;
}

/* A loglikelihood that does not exist is no number: sums over problems have to say so, so it is
 * left out rather than set to the best value there is. */
static void zero_continuation(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_add_metric(v, "acc", 0);
}

const struct scorer_ops scorer_continuation = {
    .kind = "continuation", .score = score_continuation, .zero = zero_continuation};

/* ---- rolling ---- */

/* Fields of re.split(r"\s+", text): runs of white space, one at either end counts. */
static size_t words_of(struct span text)
{
    size_t n = 1;
    bool in_space = false;
    for (size_t at = 0; at < text.n;) {
        bool space = pystr_is_space(pystr_next(text, &at));
        n += space && !in_space;
        in_space = space;
    }
    return n;
}

static int score_rolling(const void *state, const struct scoring *in, struct verdict *v,
                         struct px_err *err)
{
    const struct completion *c = in->completion;
    struct span text = scoring_text(in, "text");
    double sum = 0, tokens = 0;
    (void)state;
    if (c->n_choices == 0)
        return px_fail(err, PX_EINPUT, "the completion has no loglikelihoods");
    for (uint32_t i = 0; i < c->n_choices; i++) {
        sum += c->choices[i].logprob;
        tokens += c->choices[i].n_tokens;
    }
    if (!put_sum(v, sum))
        return 0;
    v->class = VERDICT_PASSED; /* measured */
    verdict_add_metric(v, "words", (double)words_of(text));
    verdict_add_metric(v, "bytes", (double)text.n);
    verdict_add_metric(v, "tokens", tokens);
    return 0;
}

const struct scorer_ops scorer_rolling = {.kind = "rolling", .score = score_rolling};
