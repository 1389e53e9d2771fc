/* kind_numeric.c - one number against a reference answer, by three extractors. */
#include <stdlib.h>
#include <string.h>

#include "sandbox/score/kinds.h"

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    (void)state;
    struct span answer = scoring_text(in, "answer"), text = in->answer;
    char *gold = numeric_gold(answer);
    if (gold == NULL)
        return px_fail(err, PX_EINPUT, "problem: \"answer\" holds no number");
    struct extract e;
    numeric_extract(text, &e);
    bool right = e.text != NULL && strcmp(e.text, gold) == 0;
    struct span strict = numeric_strict_match(text), flexible = numeric_flexible_match(text);
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    verdict_add_metric(v, "exact_match", right);
    verdict_add_metric(v, "exact_match_strict", strict.n > 0 && numeric_same_text(strict, answer));
    verdict_add_metric(v, "exact_match_flexible",
                       flexible.n > 0 && numeric_same_text(flexible, answer));
    free(gold);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_zero(v, (const char *const[]){"exact_match", "exact_match_strict",
                                          "exact_match_flexible", NULL});
}

const struct scorer_ops scorer_numeric = {.kind = "numeric", .score = score, .zero = zero};
