/* kind_judge.c - what a judge model wrote (MT-Bench: FastChat's llm_judge), and turns of a
 * conversation, which nothing judges but which later prompts quote. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/pyregex.h"
#include "proto/pystr.h"
#include "sandbox/score/kinds.h"

/* The answer behind a thought; false when there is none, and the class says so. */
static bool answer_of(const struct scoring *in, struct verdict *v, struct span *out)
{
    bool unclosed;
    *out = text_answer(in->answer, &unclosed);
    if (unclosed)
        v->class = VERDICT_OVERFLOW;
    return !unclosed;
}

/* ---- rating ---- */

struct ratings {
    struct pyregex *twice, *once;
};

static void ratings_free(void *p)
{
    struct ratings *r = p;
    pyregex_free(r->twice);
    pyregex_free(r->once);
    free(r);
}

static int ratings_parse(struct json_object *spec, void **state, struct run_limits *limits,
                         struct px_err *err)
{
    (void)spec;
    (void)limits;
    (void)err;
    struct ratings *r = px_xcalloc(1, sizeof *r);
    r->twice = pyregex_make("\\[\\[([0-9]+\\.?[0-9]*)\\]\\]", 0);
    r->once = pyregex_make("\\[([0-9]+\\.?[0-9]*)\\]", 0);
    *state = r;
    return 0;
}

static bool number_of(struct span s, double *out)
{
    if (s.n > 0 && s.p[s.n - 1] == '.')
        s.n--;
    PX_FREE char *text = px_xmemdup(s.p, s.n);
    return px_parse_double(text, 0, 1e300, out, NULL) == 0;
}

/* Sums that means are made of: over everything that was rated, and per turn of the conversation. */
static void put_rating(struct verdict *v, const struct scoring *in, double value, bool rated)
{
    int64_t turn = px_json_int_or(in->problem, "turn", 0);
    verdict_add_metric(v, "rating", value);
    verdict_add_metric(v, "rated", rated);
    verdict_add_metric(v, "rating_turn_1", turn == 0 ? value : 0);
    verdict_add_metric(v, "rated_turn_1", turn == 0 && rated);
    verdict_add_metric(v, "rating_turn_2", turn == 1 ? value : 0);
    verdict_add_metric(v, "rated_turn_2", turn == 1 && rated);
}

static int score_rating(const void *state, const struct scoring *in, struct verdict *v,
                        struct px_err *err)
{
    const struct ratings *r = state;
    struct pyregex_match m;
    struct span answer;
    bool limited = false;
    double value = 0;
    (void)err;
    if (!answer_of(in, v, &answer)) {
        put_rating(v, in, 0, false);
        return 0;
    }
    size_t n;
    PX_FREE char *clean = pystr_clean(answer, &n);
    struct span text = {clean, n};
    const char *rule = pyregex_search(r->twice, text, &m, &limited)  ? "double-brackets"
                       : pyregex_search(r->once, text, &m, &limited) ? "brackets"
                                                                     : "";
    bool rated = *rule && number_of(m.group[1], &value);
    struct extract e = {.rule = rated ? rule : "", .unusable = rated ? 0 : VERDICT_UNPARSED};
    if (rated) {
        e.n = m.group[1].n;
        e.text = px_xmemdup(m.group[1].p, e.n);
    }
    v->class = VERDICT_PASSED;
    verdict_put_extract(v, &e);
    put_rating(v, in, value, rated);
    return 0;
}

static void zero_rating(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    put_rating(v, in, 0, false);
}

const struct scorer_ops scorer_rating = {.kind = "rating",
                                         .parse = ratings_parse,
                                         .free = ratings_free,
                                         .score = score_rating,
                                         .zero = zero_rating};

/* ---- pairwise ---- */

/* preference: 1 for the answer that stood first; win: 1 for the judged one, wherever it stood. */
static void put_preference(struct verdict *v, const struct scoring *in, double value, bool judged)
{
    bool swapped = px_json_bool_or(in->problem, "swapped", false);
    verdict_add_metric(v, "preference", value);
    verdict_add_metric(v, "win", swapped ? 1 - value : value);
    verdict_add_metric(v, "judged", judged);
}

static int score_pairwise(const void *state, const struct scoring *in, struct verdict *v,
                          struct px_err *err)
{
    static const struct {
        const char *mark;
        double preference;
    } marks[] = {{"[[A]]", 1}, {"[[B]]", 0}, {"[[C]]", 0.5}}; /* asked for in this order */
    struct span answer;
    (void)state;
    (void)err;
    if (!answer_of(in, v, &answer)) {
        put_preference(v, in, 0.5, false);
        return 0;
    }
    size_t i = 0;
    while (i < 3 && text_find(answer, marks[i].mark) == (size_t)-1)
        i++;
    struct extract e = {.rule = i < 3 ? "double-brackets" : "",
                        .unusable = i < 3 ? 0 : VERDICT_UNPARSED};
    if (i < 3) {
        e.n = 1;
        e.text = px_xmemdup(marks[i].mark + 2, 1);
    }
    v->class = VERDICT_PASSED;
    verdict_put_extract(v, &e);
    put_preference(v, in, i < 3 ? marks[i].preference : 0.5, i < 3);
    return 0;
}

static void zero_pairwise(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    put_preference(v, in, 0.5, false);
}

const struct scorer_ops scorer_pairwise = {
    .kind = "pairwise", .score = score_pairwise, .zero = zero_pairwise};

/* ---- turn ---- */

static int score_turn(const void *state, const struct scoring *in, struct verdict *v,
                      struct px_err *err)
{
    struct span answer;
    (void)state;
    (void)err;
    if (!answer_of(in, v, &answer))
        return 0;
    size_t n;
    PX_FREE char *clean = pystr_clean(answer, &n);
    for (size_t i = 0; i < n; i++)
        if (clean[i] == '\0') /* visible is a text */
            clean[i] = ' ';
    struct span text = pystr_strip((struct span){clean, n});
    free(v->visible);
    v->visible = px_xmemdup(text.p, text.n);
    v->class = VERDICT_UNSCORED;
    return 0;
}

const struct scorer_ops scorer_turn = {.kind = "turn", .score = score_turn};
