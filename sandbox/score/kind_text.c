/* kind_text.c - the text itself, through lm-eval's filters, against one or several references. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/filter.h"
#include "sandbox/score/kinds.h"

struct state {
    struct pipelines pipelines;
    struct exact_match *match;
    size_t main;
};

static void state_free(void *p)
{
    struct state *s = p;
    pipelines_clear(&s->pipelines);
    exact_match_free(s->match);
    free(s);
}

static int parse(struct json_object *spec, void **state, struct run_limits *limits,
                 struct px_err *err)
{
    (void)limits;
    struct state *s = px_xcalloc(1, sizeof *s);
    if (pipelines_parse(json_object_object_get(spec, "filters"), &s->pipelines, err) != 0 ||
        exact_match_parse(json_object_object_get(spec, "exact_match"), &s->match, err) != 0) {
        state_free(s);
        return -1;
    }
    const char *name = px_json_str_or(spec, "main", pipeline_name(&s->pipelines, 0));
    s->main = pipelines_find(&s->pipelines, name);
    *state = s;
    return 0;
}

/* Does the prediction equal a reference: a text, a number's text, or one of a list of them? */
static bool equals_one(const struct exact_match *m, struct span prediction,
                       struct json_object *target, bool *limited)
{
    bool list = json_object_is_type(target, json_type_array);
    size_t n = list ? json_object_array_length(target) : 1;
    for (size_t i = 0; i < n; i++) {
        struct json_object *t = list ? json_object_array_get_idx(target, i) : target;
        struct span reference = {json_object_get_string(t), (size_t)json_object_get_string_len(t)};
        if (reference.p == NULL) /* a null */
            continue;
        if (!json_object_is_type(t, json_type_string))
            reference.n = strlen(reference.p);
        if (exact_match_same(m, prediction, reference, limited))
            return true;
    }
    return false;
}

static void put_metric(struct verdict *v, const char *pipeline, double value)
{
    char *name = px_xasprintf("exact_match,%s", pipeline);
    verdict_add_metric(v, name, value);
    free(name);
}

static void put_main(struct verdict *v, const char *pipeline, struct filtered *f, bool right)
{
    bool found = right || !(f->fallback || f->none);
    struct extract e = {.text = f->text, .n = f->n, .rule = found ? pipeline : ""};
    f->text = NULL;
    v->class = right ? VERDICT_PASSED : found ? VERDICT_WRONG_ANSWER : VERDICT_UNPARSED;
    verdict_put_extract(v, &e);
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    const struct state *s = state;
    struct json_object *target, *choices = json_object_object_get(in->problem, "choices");
    if (!json_object_object_get_ex(in->problem, "target", &target))
        return px_fail(err, PX_EINPUT, "problem: \"target\" is missing");
    if (!json_object_is_type(choices, json_type_array))
        choices = NULL;
    size_t n;
    PX_FREE char *text = pystr_clean(in->answer, &n);
    bool limited = false;
    for (size_t i = 0; i < s->pipelines.n; i++) {
        struct filtered f;
        pipeline_run(&s->pipelines, i, (struct span){text, n}, choices, &f);
        limited = limited || f.limited;
        bool right = !f.none && equals_one(s->match, (struct span){f.text, f.n}, target, &limited);
        put_metric(v, pipeline_name(&s->pipelines, i), right);
        if (i == s->main)
            put_main(v, pipeline_name(&s->pipelines, i), &f, right);
        free(f.text);
    }
    if (limited)
        verdict_put_detail(v, "a regular expression ran out of its bounded work");
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    const struct state *s = state;
    (void)in;
    for (size_t i = 0; i < s->pipelines.n; i++)
        put_metric(v, pipeline_name(&s->pipelines, i), 0);
}

const struct scorer_ops scorer_text = {
    .kind = "text", .parse = parse, .free = state_free, .score = score, .zero = zero};
