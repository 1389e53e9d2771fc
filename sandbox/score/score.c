/* score.c - scorers by kind: what is compared with what, and the metrics that come of it. */
#include "sandbox/score/score.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/problem.h"

static int kind_of(const char *word, enum scorer_kind *out, struct px_err *err)
{
    static const char *const kinds[] = {"", "code", "numeric", "choice", "letter", "none"};
    for (int i = SCORER_CODE; i <= SCORER_NONE; i++)
        if (strcmp(word, kinds[i]) == 0) {
            *out = (enum scorer_kind)i;
            return 0;
        }
    return px_fail(err, PX_EUNSUPPORTED,
                   "scorer: kind \"%.40s\" is none of code, numeric, choice, letter, none", word);
}

static int check_keys(struct json_object *o, struct px_err *err)
{
    static const char *const known[] = {"kind", "version", "style", "limits"};
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found)
            return px_fail(err, PX_EUNSUPPORTED, "scorer: key \"%.40s\" is unknown to this build",
                           key);
    }
    return 0;
}

static int parse_object(struct json_object *o, struct scorer *out, struct px_err *err)
{
    const char *kind;
    struct scorer s = {.style = STYLE_COMPLETION};
    if (check_keys(o, err) != 0 || px_json_str(o, "kind", &kind, err) != 0 ||
        kind_of(kind, &s.kind, err) != 0)
        return -1;
    s.version = px_json_int_or(o, "version", SCORER_VERSION);
    if (s.version != SCORER_VERSION)
        return px_fail(err, PX_EVERSION, "scorer: version %lld is asked for, this build has %d",
                       (long long)s.version, SCORER_VERSION);
    const char *style = px_json_str_or(o, "style", "completion");
    if (strcmp(style, "function") == 0)
        s.style = STYLE_FUNCTION;
    else if (strcmp(style, "completion") != 0)
        return px_fail(err, PX_EUNSUPPORTED,
                       "scorer: style \"%.40s\" is neither completion nor function", style);
    if (problem_limits(json_object_object_get(o, "limits"), &s.limits, err) != 0)
        return px_wrap(err, "scorer");
    *out = s;
    return 0;
}

int scorer_parse(const char *json, struct scorer *out, struct px_err *err)
{
    struct json_object *o = px_json_parse(json, strlen(json), err);
    if (o == NULL)
        return px_wrap(err, "scorer");
    int rc = -1;
    if (!json_object_is_type(o, json_type_object))
        rc = px_fail(err, PX_EINPUT, "scorer: must be a JSON object");
    else
        rc = parse_object(o, out, err);
    json_object_put(o);
    return rc;
}

/* ---- one completion ---- */

static struct span string_of(struct json_object *o, const char *key)
{
    struct json_object *v = json_object_object_get(o, key);
    if (!json_object_is_type(v, json_type_string))
        return (struct span){"", 0};
    return (struct span){json_object_get_string(v), (size_t)json_object_get_string_len(v)};
}

static void add_metrics(enum scorer_kind kind, struct verdict *v, const double value[3])
{
    static const char *const names[][3] = {
        [SCORER_CODE] = {"pass@1", NULL, NULL},
        [SCORER_NUMERIC] = {"exact_match", "exact_match_strict", "exact_match_flexible"},
        [SCORER_CHOICE] = {"acc", "acc_norm", "acc_bytes"},
        [SCORER_LETTER] = {"exact_match", NULL, NULL},
        [SCORER_NONE] = {NULL, NULL, NULL}};
    for (int i = 0; i < 3 && names[kind][i] != NULL; i++)
        verdict_add_metric(v, names[kind][i], value[i]);
}

static void put_extract(struct verdict *v, struct extract *e)
{
    free(v->extracted);
    free(v->rule);
    v->extracted = e->text != NULL ? e->text : px_xstrdup("");
    v->n_extracted = (uint32_t)e->n;
    v->rule = px_xstrdup(e->rule);
    e->text = NULL;
    if (e->unusable != 0)
        v->class = e->unusable;
}

static int score_numeric(struct json_object *problem, struct span text, struct verdict *v,
                         struct px_err *err)
{
    struct span answer = string_of(problem, "answer");
    char *gold = numeric_gold(answer);
    if (gold == NULL)
        return px_fail(err, PX_EINPUT, "problem: \"answer\" holds no number");
    struct extract e;
    numeric_extract(text, &e);
    bool right = e.text != NULL && strcmp(e.text, gold) == 0;
    struct span strict = numeric_strict_match(text), flexible = numeric_flexible_match(text);
    double value[3] = {right, strict.n > 0 && numeric_same_text(strict, answer),
                       flexible.n > 0 && numeric_same_text(flexible, answer)};
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    put_extract(v, &e);
    add_metrics(SCORER_NUMERIC, v, value);
    free(gold);
    return 0;
}

static int score_letter(struct json_object *problem, struct span text, struct verdict *v,
                        struct px_err *err)
{
    struct span gold = string_of(problem, "gold");
    const char *letters = px_json_str_or(problem, "letters", "ABCD");
    if (gold.n != 1 || strchr(letters, gold.p[0]) == NULL)
        return px_fail(err, PX_EINPUT, "problem: \"gold\" must be one of the letters %.40s",
                       letters);
    struct extract e;
    letter_extract(text, letters, &e);
    bool right = e.text != NULL && e.text[0] == gold.p[0];
    v->class = right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    put_extract(v, &e);
    add_metrics(SCORER_LETTER, v, (double[3]){right, 0, 0});
    return 0;
}

static int score_choice(struct json_object *problem, const struct completion *c, struct verdict *v,
                        struct px_err *err)
{
    struct json_object *g = json_object_object_get(problem, "gold");
    bool number = json_object_is_type(g, json_type_int) || json_object_is_type(g, json_type_string);
    int64_t gold = number ? json_object_get_int64(g) : -1;
    if (c->n_choices == 0)
        return px_fail(err, PX_EINPUT, "the completion has no loglikelihoods to choose from");
    if (gold < 0 || gold >= (int64_t)c->n_choices)
        return px_fail(err, PX_EINPUT, "problem: \"gold\" must be an index below %u", c->n_choices);
    double value[3];
    for (int i = 0; i < 3; i++)
        value[i] = choice_best(c->choices, c->n_choices, i) == (uint64_t)gold;
    uint32_t best = choice_best(c->choices, c->n_choices, 0);
    struct extract e = {.text = px_xasprintf("%u", best), .rule = "loglikelihood"};
    e.n = strlen(e.text);
    v->class = value[0] > 0 ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    put_extract(v, &e);
    add_metrics(SCORER_CHOICE, v, value);
    return 0;
}

static int score_code(const struct scorer *s, struct json_object *problem, const char *json,
                      struct span text, struct verdict *v, struct program *p, bool *runs,
                      struct px_err *err)
{
    if (problem_program(problem, json, strlen(json), p, err) != 0) {
        program_clear(p);
        return -1;
    }
    p->limits = s->limits;
    struct extract e;
    code_extract(text, s->style, px_json_str_or(problem, "entry_point", ""), &e);
    *runs = e.text != NULL;
    if (*runs)
        p->source = code_program(s->style, string_of(problem, "prompt"), &e, &p->n_source);
    else
        program_clear(p);
    free(v->assurance);
    v->assurance = px_xstrdup(*runs ? (p->script ? "stdio" : "split") : "data");
    put_extract(v, &e);
    if (!*runs)
        add_metrics(SCORER_CODE, v, (double[3]){0});
    return 0;
}

/* Finish reasons that leave nothing to score. */
static enum verdict_class unusable(enum finish f)
{
    return f == FINISH_OVERFLOW   ? VERDICT_OVERFLOW
           : f == FINISH_TOO_LONG ? VERDICT_TOO_LONG
           : f == FINISH_ERROR    ? VERDICT_ERROR
                                  : 0;
}

static void verdict_blank(struct verdict *v)
{
    memset(v, 0, sizeof *v);
    v->extracted = px_xstrdup("");
    v->rule = px_xstrdup("");
    v->exception = px_xstrdup("");
    v->assurance = px_xstrdup("data");
    v->visible = px_xstrdup("");
    v->detail = px_xstrdup("");
    v->stderr_tail = px_xstrdup("");
    v->jail = px_xstrdup("");
    v->host = px_xstrdup("");
    v->attempts = 1;
}

static int begin(const struct scorer *s, struct json_object *problem, const char *json,
                 const struct completion *c, struct verdict *v, struct program *p, bool *runs,
                 struct px_err *err)
{
    struct span text = {c->text != NULL ? c->text : "", c->n_text};
    if (unusable(c->finish) != 0) {
        v->class = unusable(c->finish);
        free(v->detail);
        v->detail = px_xstrdup(c->error != NULL ? c->error : "");
        add_metrics(s->kind, v, (double[3]){0});
        return 0;
    }
    switch (s->kind) {
    case SCORER_CODE:
        return score_code(s, problem, json, text, v, p, runs, err);
    case SCORER_NUMERIC:
        return score_numeric(problem, text, v, err);
    case SCORER_CHOICE:
        return score_choice(problem, c, v, err);
    case SCORER_LETTER:
        return score_letter(problem, text, v, err);
    case SCORER_NONE:
        break;
    }
    v->class = VERDICT_UNSCORED;
    return 0;
}

int score_begin(const struct scorer *s, const char *problem, const struct completion *c,
                struct verdict *v, struct program *p, bool *runs, struct px_err *err)
{
    *runs = false;
    memset(p, 0, sizeof *p);
    memset(v, 0, sizeof *v);
    struct json_object *o = px_json_parse(problem, strlen(problem), err);
    if (o == NULL)
        return px_wrap(err, "problem");
    verdict_blank(v);
    int rc = json_object_is_type(o, json_type_object)
                 ? begin(s, o, problem, c, v, p, runs, err)
                 : px_fail(err, PX_EINPUT, "problem: must be a JSON object");
    json_object_put(o);
    if (rc != 0)
        verdict_clear(v);
    return rc;
}

void score_end(const struct run_result *r, struct verdict *v)
{
    v->class = r->outcome.class;
    free(v->exception);
    v->exception = px_xstrdup(r->outcome.exception);
    v->signal = r->outcome.signal;
    add_metrics(SCORER_CODE, v, (double[3]){v->class == VERDICT_PASSED});
    free(v->detail);
    v->detail = px_xstrdup(r->outcome.detail);
    free(v->stderr_tail);
    v->stderr_tail = px_xstrdup(r->stderr_tail);
    v->cpu_s = r->cpu_s;
    v->wall_s = r->wall_s;
    v->runqueue_s = r->runqueue_s;
    v->rss_bytes = r->rss_bytes;
    v->output_bytes = r->output_bytes;
    v->attempts = r->attempts;
}
