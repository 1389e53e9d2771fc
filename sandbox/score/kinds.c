/* kinds.c - the list of scorer kinds, and what they share. */
#include "sandbox/score/kinds.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

static const struct scorer_ops *const all[] = {
    &scorer_code,          &scorer_numeric,      &scorer_text,    &scorer_choice,
    &scorer_choice_mass,   &scorer_continuation, &scorer_rolling, &scorer_letter,
    &scorer_function_call, &scorer_digest,       &scorer_rating,  &scorer_pairwise,
    &scorer_turn,          &scorer_ifeval,       &scorer_math,    &scorer_none};

const struct scorer_ops *scorer_ops_find(const char *kind)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->kind, kind) == 0)
            return all[i];
    return NULL;
}

struct span scoring_text(const struct scoring *in, const char *key)
{
    struct json_object *v = json_object_object_get(in->problem, key);
    if (!json_object_is_type(v, json_type_string))
        return (struct span){"", 0};
    return (struct span){json_object_get_string(v), (size_t)json_object_get_string_len(v)};
}

void verdict_put_extract(struct verdict *v, struct extract *e)
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

void verdict_put_detail(struct verdict *v, const char *text)
{
    free(v->detail);
    v->detail = px_xstrdup(text);
}

void verdict_zero(struct verdict *v, const char *const *names)
{
    for (; *names; names++)
        verdict_add_metric(v, *names, 0);
}
