/* kind_choice.c - the likeliest of given choices. */
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/kinds.h"

static const char *const metrics[] = {"acc", "acc_norm", "acc_bytes", NULL};

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    (void)state;
    const struct completion *c = in->completion;
    struct json_object *g = json_object_object_get(in->problem, "gold");
    bool number = json_object_is_type(g, json_type_int) || json_object_is_type(g, json_type_string);
    int64_t gold = number ? json_object_get_int64(g) : -1;
    if (c->n_choices == 0)
        return px_fail(err, PX_EINPUT, "the completion has no loglikelihoods to choose from");
    if (gold < 0 || gold >= (int64_t)c->n_choices)
        return px_fail(err, PX_EINPUT, "problem: \"gold\" must be an index below %u", c->n_choices);
    for (int i = 0; i < 3; i++)
        verdict_add_metric(v, metrics[i],
                           choice_best(c->choices, c->n_choices, i) == (uint64_t)gold);
    uint32_t best = choice_best(c->choices, c->n_choices, 0);
    struct extract e = {.text = px_xasprintf("%u", best), .rule = "loglikelihood"};
    e.n = strlen(e.text);
    v->class = best == (uint64_t)gold ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_zero(v, metrics);
}

const struct scorer_ops scorer_choice = {.kind = "choice", .score = score, .zero = zero};
