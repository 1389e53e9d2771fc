/* kind_numeric.c - one number against a reference answer, by three extractors: ours, and the two
 * filters of lm-eval's gsm8k with its exact_match, so that published figures can be reproduced on
 * the same completions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/pystr.h"
#include "proto/scorer_check.h"
#include "sandbox/score/filter.h"
#include "sandbox/score/kinds.h"

#define FLEXIBLE "(-?[$0-9.,]{2,})|(-?[0-9]+)"

static const char match_keys[] = "{\"ignore_case\":true,\"regexes_to_ignore\":"
                                 "[\",\",\"\\\\$\",\"(?s).*#### \",\"\\\\.$\"]}";

static const char *const metrics[] = {"exact_match", "exact_match,strict-match",
                                      "exact_match,flexible-extract", NULL};

struct state {
    struct pipelines strict, flexible;
    struct exact_match *match;
    double tolerance;
};

static void state_free(void *p)
{
    struct state *s = p;
    pipelines_clear(&s->strict);
    pipelines_clear(&s->flexible);
    exact_match_free(s->match);
    free(s);
}

static int parse(struct json_object *spec, void **state, struct run_limits *limits,
                 struct px_err *err)
{
    (void)limits;
    struct state *s = px_xcalloc(1, sizeof *s);
    struct json_object *match = px_json_parse(match_keys, strlen(match_keys), err);
    const char *strict = px_json_str_or(spec, "strict", SCORER_DEFAULT_PATTERN);
    s->tolerance = px_json_double_or(spec, "tolerance", 0);
    int rc = match == NULL ? -1 : exact_match_parse(match, &s->match, err);
    json_object_put(match);
    if (rc != 0 || pipelines_regex("strict-match", pystr_of(strict), 0, &s->strict, err) != 0 ||
        pipelines_regex("flexible-extract", pystr_of(FLEXIBLE), -1, &s->flexible, err) != 0) {
        state_free(s);
        return -1;
    }
    *state = s;
    return 0;
}

/* Are two canonical numbers the same, or (as math.isclose) within the relative tolerance? */
static bool same_number(const char *a, const char *b, double tolerance)
{
    double x, y;
    if (strcmp(a, b) == 0)
        return true;
    if (tolerance <= 0 || px_parse_double(a, -1e300, 1e300, &x, NULL) != 0 ||
        px_parse_double(b, -1e300, 1e300, &y, NULL) != 0)
        return false;
    return fabs(x - y) <= tolerance * fmax(fabs(x), fabs(y));
}

/* lm-eval's exact_match of one of its filters. */
static bool filtered_match(const struct state *s, const struct pipelines *p, struct span text,
                           struct span answer, bool *limited)
{
    struct filtered f;
    pipeline_run(p, 0, text, NULL, &f);
    *limited = *limited || f.limited;
    bool same = exact_match_same(s->match, (struct span){f.text, f.n}, answer, limited);
    free(f.text);
    return same;
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    const struct state *s = state;
    struct span answer = scoring_text(in, "answer");
    PX_FREE char *gold = numeric_gold(answer);
    if (gold == NULL)
        return px_fail(err, PX_EINPUT, "problem: \"answer\" holds no number");
    struct extract e;
    numeric_extract(in->answer, &e);
    bool right = e.text != NULL && same_number(e.text, gold, s->tolerance), limited = false;
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    size_t n;
    PX_FREE char *clean = pystr_clean(in->answer, &n);
    struct span text = {clean, n};
    verdict_add_metric(v, metrics[0], right);
    verdict_add_metric(v, metrics[1], filtered_match(s, &s->strict, text, answer, &limited));
    verdict_add_metric(v, metrics[2], filtered_match(s, &s->flexible, text, answer, &limited));
    if (limited)
        verdict_put_detail(v, "a regular expression ran out of its bounded work");
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_zero(v, metrics);
}

const struct scorer_ops scorer_numeric = {
    .kind = "numeric", .parse = parse, .free = state_free, .score = score, .zero = zero};
