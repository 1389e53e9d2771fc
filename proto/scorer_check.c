/* scorer_check.c - the values of scorers' keys. */
#include "proto/scorer_check.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "proto/json.h"
#include "proto/pypattern.h"

enum { MOST = 64 }; /* pipelines, filters in one, patterns in a list */

/* Where a value is, for people: "filters[0].filter[1].regex_pattern". */
struct where {
    char text[200];
};

static struct where below(const struct where *w, const char *name)
{
    struct where out;
    snprintf(out.text, sizeof out.text, "%.120s.%.60s", w->text, name);
    return out;
}

static struct where at(const struct where *w, size_t i)
{
    struct where out;
    snprintf(out.text, sizeof out.text, "%.150s[%zu]", w->text, i);
    return out;
}

static int wants(const struct where *w, const char *what, struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "%s: must be %s", w->text, what);
}

static bool is_text(struct json_object *o)
{
    return json_object_is_type(o, json_type_string);
}

static int check_pattern(const struct where *w, struct json_object *o, struct px_err *err)
{
    if (!is_text(o))
        return wants(w, "a regular expression", err);
    if (pypattern_check(json_object_get_string(o), (size_t)json_object_get_string_len(o), 0, err))
        return px_wrap(err, "%s", w->text);
    return 0;
}

static int check_patterns(const struct where *w, struct json_object *o, struct px_err *err)
{
    if (!json_object_is_type(o, json_type_array) || json_object_array_length(o) > MOST)
        return wants(w, "a list of regular expressions", err);
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        struct where inner = at(w, i);
        if (check_pattern(&inner, json_object_array_get_idx(o, i), err) != 0)
            return -1;
    }
    return 0;
}

static int check_flag(const struct where *w, struct json_object *o, struct px_err *err)
{
    return json_object_is_type(o, json_type_boolean) ? 0 : wants(w, "true or false", err);
}

static int check_text(const struct where *w, struct json_object *o, struct px_err *err)
{
    return is_text(o) ? 0 : wants(w, "a text", err);
}

static int check_count(const struct where *w, struct json_object *o, struct px_err *err)
{
    return json_object_is_type(o, json_type_int) && json_object_get_int64(o) >= 1
               ? 0
               : wants(w, "a number from 1", err);
}

static int check_select(const struct where *w, struct json_object *o, struct px_err *err)
{
    int64_t v = json_object_get_int64(o);
    return json_object_is_type(o, json_type_int) && v >= -1000000 && v <= 1000000
               ? 0
               : wants(w, "the number of a match (0 the first, -1 the last)", err);
}

static int check_mapping(const struct where *w, struct json_object *o, struct px_err *err)
{
    if (!json_object_is_type(o, json_type_object))
        return wants(w, "a map from texts to texts", err);
    json_object_object_foreach(o, name, value)
    {
        (void)name;
        if (!is_text(value))
            return wants(w, "a map from texts to texts", err);
    }
    return 0;
}

/* ---- filters ---- */

struct param {
    const char *name;
    int (*check)(const struct where *, struct json_object *, struct px_err *);
};

static const struct param of_regex[] = {{"regex_pattern", check_pattern},
                                        {"group_select", check_select},
                                        {"fallback", check_text},
                                        {NULL, NULL}};
static const struct param of_choices[] = {{"regex_pattern", check_pattern},
                                          {"group_select", check_select},
                                          {"fallback", check_text},
                                          {"ignore_case", check_flag},
                                          {"ignore_punctuation", check_flag},
                                          {"regexes_to_ignore", check_patterns},
                                          {NULL, NULL}};
static const struct param of_map[] = {
    {"mapping_dict", check_mapping}, {"default_value", check_text}, {NULL, NULL}};
static const struct param of_count[] = {{"k", check_count}, {NULL, NULL}};
static const struct param of_nothing[] = {{NULL, NULL}};

static const struct {
    const char *function;
    const struct param *params;
    const char *needs; /* a parameter that must be given */
} functions[] = {{"regex", of_regex, NULL},
                 {"multi_choice_regex", of_choices, NULL},
                 {"remove_whitespace", of_nothing, NULL},
                 {"lowercase", of_nothing, NULL},
                 {"uppercase", of_nothing, NULL},
                 {"map", of_map, "mapping_dict"},
                 {"take_first", of_nothing, NULL},
                 {"take_first_k", of_count, "k"},
                 {"majority_vote", of_nothing, NULL}};
enum { N_FUNCTIONS = sizeof functions / sizeof functions[0] };

static int check_param(const struct where *w, const struct param *p, const char *name,
                       struct json_object *value, struct px_err *err)
{
    struct where inner = below(w, name);
    for (; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p->check(&inner, value, err);
    return px_fail(err, PX_EINPUT, "%s: this filter has no such parameter", inner.text);
}

static int check_filter(const struct where *w, struct json_object *o, struct px_err *err)
{
    const char *function = px_json_str_or(o, "function", "");
    size_t k = 0;
    while (k < N_FUNCTIONS && strcmp(functions[k].function, function) != 0)
        k++;
    if (k == N_FUNCTIONS) {
        struct where inner = below(w, "function");
        return px_fail(err, PX_EINPUT,
                       "%s: \"%.60s\" is none of regex, multi_choice_regex, remove_whitespace, "
                       "lowercase, uppercase, map, take_first, take_first_k, majority_vote",
                       inner.text, function);
    }
    json_object_object_foreach(o, name, value)
    {
        if (strcmp(name, "function") != 0 &&
            check_param(w, functions[k].params, name, value, err) != 0)
            return -1;
    }
    if (functions[k].needs && !json_object_object_get(o, functions[k].needs))
        return px_fail(err, PX_EINPUT, "%s: lacks %s", w->text, functions[k].needs);
    return 0;
}

/* A filter's name stands behind the comma of a metric's name. */
static bool name_ok(struct json_object *o)
{
    const char *s = is_text(o) ? json_object_get_string(o) : "";
    size_t n = strlen(s);
    return n > 0 && n <= 60 &&
           n == strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789_-@.");
}

static int check_pipeline(const struct where *w, struct json_object *o, struct px_err *err)
{
    struct where name = below(w, "name"), list = below(w, "filter");
    if (!json_object_is_type(o, json_type_object))
        return wants(w, "a map with name and filter", err);
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        if (strcmp(key, "name") != 0 && strcmp(key, "filter") != 0)
            return px_fail(err, PX_EINPUT, "%s: unknown key \"%.60s\"; allowed: name, filter",
                           w->text, key);
    }
    if (!name_ok(json_object_object_get(o, "name")))
        return wants(&name, "a name of letters, digits, _ - @ and .", err);
    struct json_object *filters = json_object_object_get(o, "filter");
    if (!json_object_is_type(filters, json_type_array) || json_object_array_length(filters) > MOST)
        return wants(&list, "a list of filters", err);
    for (size_t i = 0; i < json_object_array_length(filters); i++) {
        struct where inner = at(&list, i);
        if (!json_object_is_type(json_object_array_get_idx(filters, i), json_type_object))
            return wants(&inner, "a map with function", err);
        if (check_filter(&inner, json_object_array_get_idx(filters, i), err) != 0)
            return -1;
    }
    return 0;
}

/* The pipeline of that name among the first n, or n. */
static size_t find_pipeline(struct json_object *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(px_json_str_or(json_object_array_get_idx(list, i), "name", ""), name) == 0)
            return i;
    return n;
}

static int check_pipelines(struct json_object *list, struct px_err *err)
{
    struct where w = {"filters"};
    size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    if (n == 0 || n > MOST)
        return wants(&w, "a list of pipelines, each with name and filter", err);
    for (size_t i = 0; i < n; i++) {
        struct where inner = at(&w, i);
        struct json_object *one = json_object_array_get_idx(list, i);
        if (check_pipeline(&inner, one, err) != 0)
            return -1;
        const char *name = px_json_str_or(one, "name", "");
        if (find_pipeline(list, i, name) < i)
            return px_fail(err, PX_EINPUT, "%s.name: \"%s\" is there twice", inner.text, name);
    }
    return 0;
}

static int check_exact_match(struct json_object *o, struct px_err *err)
{
    static const struct param params[] = {{"ignore_case", check_flag},
                                          {"ignore_punctuation", check_flag},
                                          {"ignore_numbers", check_flag},
                                          {"regexes_to_ignore", check_patterns},
                                          {NULL, NULL}};
    struct where w = {"exact_match"};
    if (!json_object_is_type(o, json_type_object))
        return wants(&w, "a map", err);
    json_object_object_foreach(o, name, value)
    {
        if (check_param(&w, params, name, value, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- kinds ---- */

int scorer_check_text(struct json_object *scorer, const char **key, struct px_err *err)
{
    struct json_object *filters, *v;
    *key = "filters";
    bool some = json_object_object_get_ex(scorer, "filters", &filters);
    if (some && check_pipelines(filters, err) != 0)
        return -1;
    *key = "exact_match";
    if (json_object_object_get_ex(scorer, "exact_match", &v) && check_exact_match(v, err) != 0)
        return -1;
    *key = "main";
    if (!json_object_object_get_ex(scorer, "main", &v))
        return 0;
    size_t n = some ? json_object_array_length(filters) : 0;
    if (!is_text(v) || find_pipeline(filters, n, json_object_get_string(v)) == n)
        return px_fail(err, PX_EINPUT, "main: is not the name of one of `filters`");
    return 0;
}

int scorer_check_numeric(struct json_object *scorer, const char **key, struct px_err *err)
{
    struct json_object *v;
    struct where w = {"strict"};
    *key = "strict";
    if (json_object_object_get_ex(scorer, "strict", &v) && check_pattern(&w, v, err) != 0)
        return -1;
    *key = "tolerance";
    if (json_object_object_get_ex(scorer, "tolerance", &v)) {
        double t = json_object_get_double(v);
        bool number =
            json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int);
        if (!number || !(t >= 0 && t < 1))
            return px_fail(err, PX_EINPUT, "tolerance: must be a number from 0 and below 1");
    }
    return 0;
}

int scorer_check_choice(struct json_object *scorer, const char **key, struct px_err *err)
{
    struct json_object *v;
    struct where w = {"mutual_info"};
    *key = "mutual_info";
    if (json_object_object_get_ex(scorer, "mutual_info", &v) && check_flag(&w, v, err) != 0)
        return -1;
    static const struct {
        const char *key, *values[2], *says;
    } words[] = {{"out_of_range", {"error", "wrong"}, "out_of_range: must be error or wrong"},
                 {"ties", {"first", "wrong"}, "ties: must be first or wrong"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        *key = words[i].key;
        if (!json_object_object_get_ex(scorer, words[i].key, &v))
            continue;
        const char *s = is_text(v) ? json_object_get_string(v) : "";
        if (strcmp(s, words[i].values[0]) != 0 && strcmp(s, words[i].values[1]) != 0)
            return px_fail(err, PX_EINPUT, "%s", words[i].says);
    }
    return 0;
}

int scorer_check_math(struct json_object *scorer, const char **key, struct px_err *err)
{
    struct json_object *compat;
    if (!json_object_object_get_ex(scorer, "compat", &compat))
        return 0;
    *key = "compat";
    if (is_text(compat) && strcmp(json_object_get_string(compat), "lm-eval") == 0)
        return 0;
    return px_fail(err, PX_EINPUT, "compat: must be lm-eval");
}
