/* kind_none.c - nothing is judged: the completion itself is the result. */
#include "sandbox/score/kinds.h"

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    (void)state;
    (void)in;
    (void)err;
    v->class = VERDICT_UNSCORED;
    return 0;
}

const struct scorer_ops scorer_none = {.kind = "none", .score = score};
