/* kind_code.c - a program that is found in the completion, and what running its tests says. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/problem.h"
#include "sandbox/score/kinds.h"
#include "sandbox/score/names.h"

struct code {
    enum code_style style;
};

static int parse(struct json_object *spec, void **state, struct run_limits *limits,
                 struct px_err *err)
{
    const char *style = px_json_str_or(spec, "style", "completion");
    static const char *const styles[] = {"completion", "function", "raw", "whole"};
    size_t i = 0;
    while (i < 4 && strcmp(style, styles[i]) != 0)
        i++;
    if (i == 4)
        return px_fail(err, PX_EUNSUPPORTED,
                       "scorer: style \"%.40s\" is none of completion, function, raw, whole",
                       style);
    if (problem_limits(json_object_object_get(spec, "limits"), NULL, limits, err) != 0)
        return px_wrap(err, "scorer");
    struct code *c = px_xcalloc(1, sizeof *c);
    c->style = (enum code_style)(STYLE_COMPLETION + i);
    *state = c;
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    verdict_add_metric(v, "pass@1", 0);
    if (strcmp(px_json_str_or(in->problem, "kind", ""), "evalplus") == 0)
        verdict_add_metric(v, "pass@1_base", 0);
}

/* What the program should define: stated, or the first function that the tests call. Owned. */
static char *entry_point_of(struct json_object *problem)
{
    const char *stated = px_json_str_or(problem, "entry_point", "");
    struct json_object *tests = json_object_object_get(problem, "test_list");
    struct span found = {"", 0};
    bool builtin = true;
    if (stated[0] != '\0' || !json_object_is_type(tests, json_type_array))
        return px_xstrdup(stated);
    for (size_t i = 0; builtin && i < json_object_array_length(tests); i++) {
        struct json_object *t = json_object_array_get_idx(tests, i);
        if (!json_object_is_type(t, json_type_string))
            continue;
        struct span text = {json_object_get_string(t), (size_t)json_object_get_string_len(t)};
        struct span name = names_called(text, &builtin);
        builtin = builtin || name.n == 0;
        if (name.n > 0 && (!builtin || found.n == 0))
            found = name;
    }
    return px_xasprintf("%.*s", (int)found.n, found.p);
}

static int program(const void *state, const struct scoring *in, struct verdict *v,
                   struct program *p, bool *runs, struct px_err *err)
{
    const struct code *s = state;
    const char *json = in->problem_text;
    struct json_object *own = json_object_object_get(in->problem, "limits");
    if (problem_program(in->problem, json, strlen(json), p, err) != 0 ||
        problem_limits(own, &p->limits, &p->limits, err) != 0) {
        program_clear(p);
        return -1;
    }
    struct extract e;
    char *entry_point = entry_point_of(in->problem);
    code_extract(in->answer, s->style, entry_point, &e);
    free(entry_point);
    *runs = e.text != NULL;
    if (*runs)
        p->source = code_program(s->style, scoring_text(in, "prompt"), &e, &p->n_source);
    else
        program_clear(p);
    free(v->assurance);
    v->assurance = px_xstrdup(*runs ? (p->script ? "stdio" : "split") : "data");
    verdict_put_extract(v, &e);
    if (!*runs)
        zero(state, in, v);
    return 0;
}

/* The first set of tests counts by itself, whatever came of the second one. */
static void after(const void *state, const struct run_result *r, struct verdict *v)
{
    (void)state;
    bool honest = v->class != VERDICT_SECURITY_VIOLATION;
    verdict_add_metric(v, "pass@1", v->class == VERDICT_PASSED);
    if (r->two_sets)
        verdict_add_metric(v, "pass@1_base", r->first_passed && honest);
}

const struct scorer_ops scorer_code = {
    .kind = "code", .parse = parse, .free = free, .program = program, .after = after, .zero = zero};
