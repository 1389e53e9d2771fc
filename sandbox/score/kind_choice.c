/* kind_choice.c - the likeliest of given choices, and what is made of the probability of the right
 * one: lm-eval's multiple_choice. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/score/kinds.h"
#include "sandbox/score/likelihood.h"

static const char *const metrics[] = {"acc",         "acc_norm",         "acc_bytes", "exact_match",
                                      "brier_score", "gold_probability", NULL};

struct state {
    bool mutual_info, wrong_when_outside, ties_are_wrong;
};

static int parse(struct json_object *spec, void **state, struct run_limits *limits,
                 struct px_err *err)
{
    (void)limits;
    (void)err;
    struct state *s = px_xcalloc(1, sizeof *s);
    s->mutual_info = px_json_bool_or(spec, "mutual_info", false);
    s->wrong_when_outside = strcmp(px_json_str_or(spec, "out_of_range", "error"), "wrong") == 0;
    s->ties_are_wrong = strcmp(px_json_str_or(spec, "ties", "first"), "wrong") == 0;
    *state = s;
    return 0;
}

/* ---- gold: an index, the text of one of the problem's `choices`, or a list of them ---- */

static int64_t gold_index(struct json_object *g, struct json_object *choices)
{
    size_t n =
        json_object_is_type(choices, json_type_array) ? json_object_array_length(choices) : 0;
    if (json_object_is_type(g, json_type_int))
        return json_object_get_int64(g);
    if (!json_object_is_type(g, json_type_string))
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct json_object *c = json_object_array_get_idx(choices, i);
        if (json_object_is_type(c, json_type_string) &&
            strcmp(json_object_get_string(c), json_object_get_string(g)) == 0)
            return (int64_t)i;
    }
    const char *digits = json_object_get_string(g);
    bool number = *digits && strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 10;
    return number ? json_object_get_int64(g) : -1;
}

/* Marks the right ones of n choices; the number of golds that are none of them. */
static uint32_t mark_gold(const struct scoring *in, bool *right, uint32_t n)
{
    struct json_object *g = json_object_object_get(in->problem, "gold");
    struct json_object *choices = json_object_object_get(in->problem, "choices");
    bool list = json_object_is_type(g, json_type_array);
    size_t golds = list ? json_object_array_length(g) : 1;
    uint32_t outside = golds == 0;
    for (size_t i = 0; i < golds; i++) {
        int64_t at = gold_index(list ? json_object_array_get_idx(g, i) : g, choices);
        if (at >= 0 && at < (int64_t)n)
            right[at] = true;
        else
            outside++;
    }
    return outside;
}

/* ---- metrics ---- */

/* Is the first maximum right (and, when ties are wrong, no wrong choice as high)? */
static bool is_best_right(const struct state *s, const struct choice_score *c, const bool *right,
                          uint32_t n, int by)
{
    uint32_t best = choice_best(c, n, by);
    bool ok = right[best];
    for (uint32_t i = 0; ok && s->ties_are_wrong && i < n; i++)
        ok = right[i] || choice_value(&c[i], by) < choice_value(&c[best], by);
    return ok;
}

/* Index of the first maximum of the gain over the empty context: the second half of 2n choices. */
static uint32_t best_gain(const struct choice_score *c, uint32_t n)
{
    struct choice_score *gain = px_xcalloc(n, sizeof *gain);
    for (uint32_t i = 0; i < n; i++)
        gain[i].logprob = c[i].logprob - c[n + i].logprob;
    uint32_t best = choice_best(gain, n, 0);
    free(gain);
    return best;
}

/* Sum of squared distances to the right answer, and its probability. Of several right answers the
 * likeliest counts. */
static void add_probabilities(struct verdict *v, const struct choice_score *c, const bool *right,
                              uint32_t n)
{
    double *p = px_xcalloc(n, sizeof *p), brier = 0;
    uint32_t gold = n;
    likelihood_softmax(c, n, p);
    for (uint32_t i = 0; i < n; i++)
        if (right[i] && (gold == n || p[i] > p[gold]))
            gold = i;
    for (uint32_t i = 0; i < n; i++)
        brier += (p[i] - (i == gold)) * (p[i] - (i == gold));
    verdict_add_metric(v, "brier_score", brier);
    verdict_add_metric(v, "gold_probability", gold < n ? p[gold] : 0);
    free(p);
}

static void put_choice(struct verdict *v, uint32_t best, bool right)
{
    struct extract e = {.text = px_xasprintf("%u", best), .rule = "loglikelihood"};
    e.n = strlen(e.text);
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
}

static void judge(const struct state *s, const struct choice_score *c, const bool *right,
                  uint32_t n, struct verdict *v)
{
    bool greedy = false, best = is_best_right(s, c, right, n, 0);
    for (uint32_t i = 0; i < n; i++)
        greedy = greedy || (right[i] && c[i].greedy);
    verdict_add_metric(v, metrics[0], best);
    verdict_add_metric(v, metrics[1], is_best_right(s, c, right, n, 1));
    verdict_add_metric(v, metrics[2], is_best_right(s, c, right, n, 2));
    if (s->mutual_info)
        verdict_add_metric(v, "acc_mutual_info", right[best_gain(c, n)]);
    verdict_add_metric(v, "exact_match", greedy);
    add_probabilities(v, c, right, n);
    put_choice(v, choice_best(c, n, 0), best);
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    const struct state *s = state;
    const struct completion *c = in->completion;
    uint32_t n = s->mutual_info ? c->n_choices / 2 : c->n_choices;
    if (n == 0)
        return px_fail(err, PX_EINPUT, "the completion has no loglikelihoods to choose from");
    if (s->mutual_info && c->n_choices % 2 != 0)
        return px_fail(err, PX_EINPUT,
                       "mutual_info needs two loglikelihoods per choice, the completion has %u",
                       c->n_choices);
    bool *right = px_xcalloc(n, sizeof *right);
    uint32_t outside = mark_gold(in, right, n);
    if (outside > 0 && !s->wrong_when_outside) {
        free(right);
        return px_fail(err, PX_EINPUT, "problem: \"gold\" must be an index below %u", n);
    }
    judge(s, c->choices, right, n, v);
    if (outside > 0)
        verdict_put_detail(v, "gold is none of the choices: counts as wrong");
    free(right);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    const struct state *s = state;
    (void)in;
    verdict_zero(v, metrics);
    if (s->mutual_info)
        verdict_add_metric(v, "acc_mutual_info", 0);
}

const struct scorer_ops scorer_choice = {
    .kind = "choice", .parse = parse, .free = free, .score = score, .zero = zero};

/* ---- choice_mass: the share of probability on true choices (truthfulqa_mc2) ---- */

static int score_mass(const void *state, const struct scoring *in, struct verdict *v,
                      struct px_err *err)
{
    const struct completion *c = in->completion;
    uint32_t n = c->n_choices;
    (void)state;
    if (n == 0)
        return px_fail(err, PX_EINPUT, "the completion has no loglikelihoods to choose from");
    bool *right = px_xcalloc(n, sizeof *right);
    double *p = px_xcalloc(n, sizeof *p), mass = 0;
    bool ok = mark_gold(in, right, n) == 0;
    likelihood_softmax(c->choices, n, p);
    for (uint32_t i = 0; i < n; i++)
        mass += right[i] ? p[i] : 0;
    free(right);
    free(p);
    if (!ok)
        return px_fail(err, PX_EINPUT, "problem: \"gold\" must be a list of indices below %u", n);
    verdict_add_metric(v, "acc", mass < 1 ? mass : 1);
    put_choice(v, choice_best(c->choices, n, 0), mass > 0.5);
    return 0;
}

static void zero_mass(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_add_metric(v, "acc", 0);
}

const struct scorer_ops scorer_choice_mass = {
    .kind = "choice_mass", .score = score_mass, .zero = zero_mass};
