/* kind_function_call.c - one function call against what is accepted, by the rules of the Berkeley
 * function-calling leaderboard (bfcl_eval/eval_checker/ast_eval: simple_function_checker, Python):
 * right function, all required parameters, none that is unknown, every value of the declared type
 * and among the accepted ones, where "" accepts that the parameter is left out. Texts are compared
 * without case and the characters " ,./-_*^", and with ' for ". Other than there an integer stands
 * for a float inside of lists too. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pystr.h"
#include "sandbox/score/call.h"
#include "sandbox/score/kinds.h"

#define ANY json_type_null /* of a type that is not declared */

static enum json_type type_named(struct json_object *schema)
{
    static const struct {
        const char *name;
        enum json_type type;
    } types[] = {{"string", json_type_string},   {"any", json_type_string},
                 {"integer", json_type_int},     {"float", json_type_double},
                 {"boolean", json_type_boolean}, {"array", json_type_array},
                 {"tuple", json_type_array},     {"dict", json_type_object}};
    const char *name = schema ? px_json_str_or(schema, "type", "") : "";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    return ANY;
}

/* ---- equality as Python's ==, texts standardised ---- */

static char *standard(struct json_object *o)
{
    size_t n, kept = 0;
    struct span s = {json_object_get_string(o), (size_t)json_object_get_string_len(o)};
    char *text = pystr_lower(s, &n);
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\0' || strchr(" ,./-_*^", text[i]) == NULL)
            text[kept++] = text[i] == '\'' ? '"' : text[i];
    text[kept] = '\0';
    return text;
}

static bool is_number(struct json_object *o)
{
    return json_object_is_type(o, json_type_int) || json_object_is_type(o, json_type_double) ||
           json_object_is_type(o, json_type_boolean);
}

static bool same_number(struct json_object *a, struct json_object *b)
{
    if (!json_object_is_type(a, json_type_double) && !json_object_is_type(b, json_type_double))
        return json_object_get_int64(a) == json_object_get_int64(b);
    return json_object_get_double(a) == json_object_get_double(b);
}

static bool same(struct json_object *a, struct json_object *b);

static bool same_members(struct json_object *a, struct json_object *b)
{
    if (json_object_object_length(a) != json_object_object_length(b))
        return false;
    json_object_object_foreach(a, key, value)
    {
        struct json_object *other;
        if (!json_object_object_get_ex(b, key, &other) || !same(value, other))
            return false;
    }
    return true;
}

static bool same(struct json_object *a, struct json_object *b)
{
    if (is_number(a) && is_number(b))
        return same_number(a, b);
    if (json_object_get_type(a) != json_object_get_type(b))
        return false;
    if (json_object_is_type(a, json_type_string)) {
        PX_FREE char *x = standard(a), *y = standard(b);
        return strcmp(x, y) == 0;
    }
    if (json_object_is_type(a, json_type_object))
        return same_members(a, b);
    if (!json_object_is_type(a, json_type_array))
        return true; /* null */
    size_t n = json_object_array_length(a);
    bool ok = n == json_object_array_length(b);
    for (size_t i = 0; ok && i < n; i++)
        ok = same(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i));
    return ok;
}

/* ---- accepted values ---- */

static size_t length(struct json_object *list)
{
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
}

/* "" among the accepted values: the parameter may be left out. */
static bool optional(struct json_object *accepted)
{
    for (size_t i = 0; i < length(accepted); i++) {
        struct json_object *o = json_object_array_get_idx(accepted, i);
        if (json_object_is_type(o, json_type_string) && json_object_get_string_len(o) == 0)
            return true;
    }
    return false;
}

static bool is_one_of(struct json_object *v, struct json_object *accepted)
{
    for (size_t i = 0; i < length(accepted); i++)
        if (same(v, json_object_array_get_idx(accepted, i)))
            return true;
    return false;
}

/* A map whose members each have a list of accepted values. */
static bool map_fits(struct json_object *v, struct json_object *accepted)
{
    struct json_object *values;
    if (!json_object_is_type(v, json_type_object) ||
        !json_object_is_type(accepted, json_type_object))
        return false;
    json_object_object_foreach(v, key, value)
    {
        if (!json_object_object_get_ex(accepted, key, &values) || !is_one_of(value, values))
            return false;
    }
    json_object_object_foreach(accepted, name, list)
    {
        if (!json_object_object_get_ex(v, name, &values) && !optional(list))
            return false;
    }
    return true;
}

static bool maps_fit(struct json_object *list, struct json_object *accepted)
{
    size_t n = length(list);
    bool ok = json_object_is_type(accepted, json_type_array) && n == length(accepted);
    for (size_t i = 0; ok && i < n; i++)
        ok = map_fits(json_object_array_get_idx(list, i), json_object_array_get_idx(accepted, i));
    return ok;
}

/* The type of the first accepted value that is not "". */
static enum json_type accepted_type(struct json_object *accepted)
{
    for (size_t i = 0; i < length(accepted); i++) {
        struct json_object *o = json_object_array_get_idx(accepted, i);
        if (!json_object_is_type(o, json_type_string) || json_object_get_string_len(o) > 0)
            return json_object_get_type(o);
    }
    return ANY;
}

static bool has_type(struct json_object *v, enum json_type t)
{
    return t == ANY || json_object_is_type(v, t) ||
           (t == json_type_double && json_object_is_type(v, json_type_int));
}

/* The declared type, or that of the accepted values (a variable stands there as a text). */
static bool type_fits(struct json_object *v, struct json_object *accepted, enum json_type t,
                      enum json_type of_items)
{
    enum json_type other = accepted_type(accepted);
    if (!has_type(v, t))
        return other != ANY && json_object_is_type(v, other);
    if (t != json_type_array || of_items == ANY || (other != ANY && other != json_type_array))
        return true;
    for (size_t i = 0; i < length(accepted); i++) {
        struct json_object *list = json_object_array_get_idx(accepted, i);
        bool ok = true;
        for (size_t k = 0; ok && k < length(v); k++) {
            struct json_object *item = json_object_array_get_idx(v, k);
            ok = has_type(item, of_items) || !json_object_is_type(list, json_type_array) ||
                 (length(list) > 0 && json_object_is_type(item, accepted_type(list)));
        }
        if (ok)
            return true;
    }
    return false;
}

static bool value_fits(struct json_object *v, struct json_object *accepted,
                       struct json_object *schema)
{
    enum json_type t = type_named(schema), items = ANY;
    struct json_object *inner;
    if (t == json_type_array && json_object_object_get_ex(schema, "items", &inner))
        items = type_named(inner);
    if (!type_fits(v, accepted, t, items))
        return false;
    bool empty = json_object_is_type(v, json_type_array) && length(v) == 0;
    if (empty && optional(accepted)) /* there "" is standardised to an empty list */
        return true;
    for (size_t i = 0; i < length(accepted); i++) {
        struct json_object *one = json_object_array_get_idx(accepted, i);
        bool ok = json_object_is_type(v, json_type_object) ? map_fits(v, one)
                  : json_object_is_type(v, json_type_array) && items == json_type_object
                      ? maps_fit(v, one)
                      : same(v, one);
        if (ok)
            return true;
    }
    return false;
}

/* ---- the call ---- */

/* NULL when everything fits, else what does not, in words. Owned. */
static char *misfit(const struct call *c, struct json_object *schema, struct json_object *accepted)
{
    struct json_object *parameters = json_object_object_get(schema, "parameters");
    struct json_object *properties = json_object_object_get(parameters, "properties");
    struct json_object *required = json_object_object_get(parameters, "required");
    struct json_object *values, *of;
    if (c->positional)
        return px_xstrdup("an argument has no name");
    for (size_t i = 0; i < length(required); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(required, i));
        if (!json_object_object_get_ex(c->arguments, name ? name : "", &values))
            return px_xasprintf("the required %.60s is missing", name ? name : "null");
    }
    json_object_object_foreach(c->arguments, key, value)
    {
        if (!json_object_object_get_ex(properties, key, &of) ||
            !json_object_object_get_ex(accepted, key, &values))
            return px_xasprintf("there is no parameter %.60s", key);
        if (!value_fits(value, values, of))
            return px_xasprintf("the value of %.60s is not accepted", key);
    }
    json_object_object_foreach(accepted, name, list)
    {
        if (!json_object_object_get_ex(c->arguments, name, &values) && !optional(list))
            return px_xasprintf("%.60s is missing", name);
    }
    return NULL;
}

/* ground_truth: [{function: {parameter: [accepted values]}}] -> the function and the rest. */
static int expected(const struct scoring *in, const char **name, struct json_object **accepted,
                    struct json_object **schema, struct px_err *err)
{
    struct json_object *functions = json_object_object_get(in->problem, "functions");
    struct json_object *truth = json_object_object_get(in->problem, "ground_truth");
    struct json_object *one = length(truth) == 1 ? json_object_array_get_idx(truth, 0) : NULL;
    *accepted = NULL;
    if (!json_object_is_type(one, json_type_object) || json_object_object_length(one) != 1)
        return px_fail(err, PX_EINPUT, "problem: \"ground_truth\" must hold one function");
    json_object_object_foreach(one, key, value)
    {
        *name = key;
        *accepted = value;
    }
    for (size_t i = 0; i < length(functions); i++) {
        *schema = json_object_array_get_idx(functions, i);
        if (json_object_is_type(*schema, json_type_object) &&
            strcmp(px_json_str_or(*schema, "name", ""), *name) == 0 &&
            json_object_is_type(*accepted, json_type_object))
            return 0;
    }
    return px_fail(err, PX_EINPUT, "problem: \"functions\" lacks %.80s", *name);
}

static void put(struct verdict *v, const struct call *c, bool name, bool arguments)
{
    struct extract e = {.rule = c->rule, .unusable = c->count > 0 ? 0 : VERDICT_UNPARSED};
    if (c->count > 0) {
        e.text = px_xasprintf("%s(%s)", c->name,
                              json_object_to_json_string_ext(c->arguments, JSON_C_TO_STRING_PLAIN));
        e.n = strlen(e.text);
    }
    v->class = arguments ? VERDICT_PASSED : VERDICT_WRONG_ANSWER;
    verdict_put_extract(v, &e);
    verdict_add_metric(v, "json_valid", c->json);
    verdict_add_metric(v, "name_match", name);
    verdict_add_metric(v, "arguments_match", arguments);
}

static int score(const void *state, const struct scoring *in, struct verdict *v, struct px_err *err)
{
    struct json_object *accepted, *schema = NULL;
    const char *name = "";
    bool unclosed;
    (void)state;
    if (expected(in, &name, &accepted, &schema, err) != 0)
        return -1;
    struct span answer = text_answer(in->answer, &unclosed);
    if (unclosed)
        answer.n = 0;
    size_t n;
    PX_FREE char *text = pystr_clean(answer, &n);
    struct call c;
    call_find((struct span){text, n}, json_object_object_get(in->problem, "functions"), &c);
    bool named = c.count == 1 && strcmp(c.name, name) == 0;
    PX_FREE char *why = named ? misfit(&c, schema, accepted) : NULL;
    put(v, &c, named, named && why == NULL);
    verdict_put_detail(v, why ? why : c.count > 1 ? "more than one call" : "");
    if (unclosed)
        v->class = VERDICT_OVERFLOW;
    call_clear(&c);
    return 0;
}

static void zero(const void *state, const struct scoring *in, struct verdict *v)
{
    (void)state;
    (void)in;
    verdict_zero(v, (const char *const[]){"json_valid", "name_match", "arguments_match", NULL});
}

const struct scorer_ops scorer_function_call = {
    .kind = "function_call", .score = score, .zero = zero};
