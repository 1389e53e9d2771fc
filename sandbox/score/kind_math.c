/* kind_math.c - a mathematical answer against the reference, by four rules: our own extraction and
 * equivalence (the headline), lm-eval's exact_match of minerva_math, and our extraction compared as
 * text after minerva_math's and after hendrycks_math's normalisation. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/kinds.h"
#include "sandbox/score/math_equal.h"
#include "sandbox/score/math_extract.h"
#include "sandbox/score/math_norm.h"
#include "sandbox/score/math_sympy.h"

static const char *const metrics[] = {"math_equal", "exact_match", "string_match",
                                      "hendrycks_match", NULL};

struct state {
    bool lm_eval;
};

static int parse(struct json_object *spec, void **state, struct run_limits *limits,
                 struct px_err *err)
{
    (void)limits;
    (void)err;
    struct state *s = px_xcalloc(1, sizeof *s);
    s->lm_eval = strcmp(px_json_str_or(spec, "compat", ""), "lm-eval") == 0;
    *state = s;
    return 0;
}

/* The reference answer: `answer`, or what the last box of `solution` holds. */
static struct span gold_of(const struct scoring *in, bool lm_eval)
{
    struct span answer = scoring_text(in, "answer"), solution = scoring_text(in, "solution");
    struct span boxed = solution.n > 0 ? math_boxed(solution, lm_eval) : (struct span){NULL, 0};
    if (lm_eval && boxed.p != NULL)
        return boxed;
    return !text_is_blank(answer) ? answer : boxed;
}

/* lm-eval: the sentence alone, and only what sympy can read is ever equal. Otherwise a box goes
 * before the sentence, and the same text is equal. */
static bool exact_match(struct span text, struct span gold, bool lm_eval)
{
    struct span found = lm_eval ? (struct span){NULL, 0} : math_boxed(text, false);
    if (found.p == NULL)
        found = math_sentence(text, lm_eval);
    if (found.p == NULL)
        found = (struct span){"[invalidanswer]", 15};
    size_t n, m;
    char *a = math_normalise(found, &n), *b = math_normalise(gold, &m);
    bool same = n > 0 && n == m && memcmp(a, b, n) == 0;
    bool yes = (same && !lm_eval) || math_sympy_equal((struct span){a, n}, (struct span){b, m});
    free(a);
    free(b);
    return yes;
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    const struct state *s = state;
    struct span gold = gold_of(in, false);
    if (gold.p == NULL || text_is_blank(gold))
        return px_fail(err, PX_EINPUT,
                       "problem: neither \"answer\" nor a \\boxed{} in \"solution\" gives the "
                       "reference answer");
    struct extract e;
    math_extract(in->answer, &e);
    struct span answer = {e.text != NULL ? e.text : "", e.n};
    bool right = e.text != NULL && math_equal(answer, gold);
    size_t n;
    PX_FREE char *clean = pystr_clean(in->answer, &n);
    verdict_add_metric(v, metrics[0], right);
    verdict_add_metric(v, metrics[1],
                       exact_match((struct span){clean, n}, gold_of(in, s->lm_eval), s->lm_eval));
    verdict_add_metric(v, metrics[2], e.text != NULL && math_same_normalised(answer, gold));
    verdict_add_metric(v, metrics[3], e.text != NULL && math_same_stripped(answer, gold));
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_zero(v, metrics);
}

const struct scorer_ops scorer_math = {
    .kind = "math", .parse = parse, .free = free, .score = score, .zero = zero};
