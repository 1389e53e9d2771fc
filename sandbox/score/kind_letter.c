/* kind_letter.c - one of a few letters, found by an explicit pattern. */
#include <string.h>

#include "proto/json.h"
#include "sandbox/score/kinds.h"

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    (void)state;
    struct span gold = scoring_text(in, "gold");
    const char *letters = px_json_str_or(in->problem, "letters", "ABCD");
    if (gold.n != 1 || strchr(letters, gold.p[0]) == NULL)
        return px_fail(err, PX_EINPUT, "problem: \"gold\" must be one of the letters %.40s",
                       letters);
    struct extract e;
    letter_extract(in->answer, letters, &e);
    bool right = e.text != NULL && e.text[0] == gold.p[0];
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    verdict_add_metric(v, "exact_match", right);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_zero(v, (const char *const[]){"exact_match", NULL});
}

const struct scorer_ops scorer_letter = {.kind = "letter", .score = score, .zero = zero};
