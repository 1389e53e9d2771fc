/* test_function_call.c - function calls in answers, and which of them are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/score/call.h"
#include "sandbox/score/literal.h"
#include "tests/unit/proto/reference.h"
#include "tests/unit/sandbox/judging.h"

/* ---- finding ---- */

static const struct {
    const char *text, *name, *arguments, *rule;
    int json;
} found[] = {
    {"{\"name\": \"f\", \"arguments\": {\"a\": 1}}", "f", "{\"a\":1}", "whole", 1},
    {" [{\"name\":\"f\",\"parameters\":{\"a\":1.5}}]\n", "f", "{\"a\":1.5}", "whole", 1},
    {"{\"f\": {\"a\": [1, null, true]}}", "f", "{\"a\":[1,null,true]}", "whole", 1},
    {"{\"tool_calls\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
     "\"{\\\"a\\\":1}\"}}]}",
     "f", "{\"a\":1}", "whole", 1},
    {"{\"name\":\"f\"}", "f", "{}", "whole", 1},
    {"```json\n{\"name\":\"f\",\"arguments\":{}}\n```", "f", "{}", "fence", 1},
    {"```{\"name\":\"f\",\"arguments\":{}}```", "f", "{}", "fence", 1},
    {"<tool_call>\n{\"name\":\"f\",\"arguments\":{\"b\":\"\\u00e9\\ud83d\\ude00\"}}\n</tool_call>",
     "f", "{\"b\":\"\xc3\xa9\xf0\x9f\x98\x80\"}", "tag", 1},
    {"Sure: {\"name\":\"f\",\"arguments\":{\"a\":2}} as asked.", "f", "{\"a\":2}", "prose", 0},
    {"{'name': 'f', 'arguments': {'a': True,}}", "f", "{\"a\":true}", "whole", 0},
    {"f(a=1, b='x y', c=[1, (2, 3)], d=None)", "f",
     "{\"a\":1,\"b\":\"x y\",\"c\":[1,[2,3]],\"d\":null}", "whole", 0},
    {"[m.f(a=-.5, b=red)]", "m.f", "{\"a\":-0.5,\"b\":\"red\"}", "whole", 0},
    {"I would call f(a=1_000).", "f", "{\"a\":1000}", "prose", 0},
    {"```python\nf(a={'x': 1e3})\n```", "f", "{\"a\":{\"x\":1000.0}}", "fence", 0},
    {"[1] then {\"f\": {}}", "f", "{}", "prose", 0},
};

static void calls_are_found_in_many_dresses(void **state)
{
    (void)state;
    struct json_object *functions = json_tokener_parse("[{\"name\":\"f\"},{\"name\":\"m.f\"}]");
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
        struct call c;
        call_find((struct span){found[i].text, strlen(found[i].text)}, functions, &c);
        const char *got =
            c.arguments ? json_object_to_json_string_ext(
                              c.arguments, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                        : "none";
        if (c.count != 1 || strcmp(c.name, found[i].name) != 0 ||
            strcmp(got, found[i].arguments) != 0 || strcmp(c.rule, found[i].rule) != 0 ||
            c.json != found[i].json)
            fail_msg("%s: %u %s(%s) by %s, json %d", found[i].text, c.count, c.name ? c.name : "",
                     got, c.rule, c.json);
        call_clear(&c);
    }
    json_object_put(functions);
}

static void what_is_no_call_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned count;
        int json;
    } none[] = {{"", 0, 0},
                {"I cannot", 0, 0},
                {"{\"name\": 1}", 0, 1},
                {"[]", 0, 1},
                {"5", 0, 1},
                {"{\"name\":\"f\",\"arguments\":[1]}", 0, 1},
                {"{\"name\":\"f\",\"arguments\":{\"a\":1}", 0, 0},
                {"f(a=1", 0, 0},
                {"g(a=1) in prose", 0, 0},
                {"[{\"f\":{}},{\"g\":{}}]", 2, 1},
                {"[f(a=1), g()]", 2, 0}};
    struct json_object *functions = json_tokener_parse("[{\"name\":\"f\"}]");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct call c;
        call_find((struct span){none[i].text, strlen(none[i].text)}, functions, &c);
        if (c.count != none[i].count || c.json != none[i].json)
            fail_msg("%s: %u calls, json %d", none[i].text, c.count, c.json);
        call_clear(&c);
    }
    json_object_put(functions);
}

static void strict_json_is_told_from_the_rest(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int read, json;
    } values[] = {{"[1, -2.5e-3, \"a\\n\", {}, [], null, false]", 1, 1},
                  {"01", 1, 0},
                  {"+1", 1, 0},
                  {".5", 1, 0},
                  {"1.", 1, 0},
                  {"1e", 0, 0},
                  {"'a'", 1, 0},
                  {"\"\\q\"", 1, 0},
                  {"(1, 2)", 1, 0},
                  {"[1,]", 1, 0},
                  {"{\"a\":1,}", 1, 0},
                  {"None", 1, 0},
                  {"{1: 2}", 0, 0},
                  {"[1 2]", 0, 0},
                  {"\"a", 0, 0},
                  {"{\"a\" 1}", 0, 0},
                  {"-", 0, 0},
                  {"\"\n\"", 1, 0},
                  {"\"\\ud800\"", 1, 1}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct literal_reader r = {values[i].text, values[i].text + strlen(values[i].text), 0,
                                   true};
        struct json_object *o = NULL;
        bool ok = literal_read(&r, &o);
        if (ok != values[i].read || (ok && r.json != values[i].json))
            fail_msg("%s: read %d, json %d", values[i].text, ok, r.json);
        json_object_put(o);
    }
}

/* ---- judging ---- */

#define SCORER "{\"kind\":\"function_call\"}"
#define SCHEMA                                                                                     \
    "\"functions\":[{\"name\":\"f\",\"parameters\":{\"type\":\"dict\",\"required\":[\"i\"],"       \
    "\"properties\":{\"i\":{\"type\":\"integer\"},\"x\":{\"type\":\"float\"},"                     \
    "\"s\":{\"type\":\"string\"},\"b\":{\"type\":\"boolean\"},"                                    \
    "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"float\"}},\"d\":{\"type\":\"dict\"},"         \
    "\"m\":{\"type\":\"array\",\"items\":{\"type\":\"dict\"}}}}}]"
#define TRUTH                                                                                      \
    "\"ground_truth\":[{\"f\":{\"i\":[5,7],\"x\":[2.5,3.0,\"\"],\"s\":[\"New York, NY\",\"\"],"    \
    "\"b\":[true,\"\"],\"l\":[[1.0,2.5],\"\"],\"d\":[{\"k\":[\"v\",\"w\"],\"o\":[1,\"\"]},\"\"],"  \
    "\"m\":[[{\"k\":[\"v\"]}],\"\"]}}]"

static const struct {
    const char *arguments;
    int right;
    const char *why;
} calls[] = {
    {"{\"i\":5}", 1, ""},
    {"{\"i\":7}", 1, ""},
    {"{\"i\":6}", 0, "value of i"},
    {"{\"i\":5.0}", 0, "value of i"},
    {"{\"i\":\"5\"}", 0, "value of i"},
    {"{\"i\":true}", 0, "value of i"},
    {"{}", 0, "required i"},
    {"{\"i\":5,\"z\":1}", 0, "no parameter z"},
    {"{\"i\":5,\"x\":3}", 1, ""},
    {"{\"i\":5,\"x\":2}", 0, "value of x"},
    {"{\"i\":5,\"s\":\"new york NY\"}", 1, ""},
    {"{\"i\":5,\"s\":\"York\"}", 0, "value of s"},
    {"{\"i\":5,\"b\":true}", 1, ""},
    {"{\"i\":5,\"b\":1}", 0, "value of b"},
    {"{\"i\":5,\"l\":[1,2.5]}", 1, ""},
    {"{\"i\":5,\"l\":[2.5,1]}", 0, "value of l"},
    {"{\"i\":5,\"l\":[]}", 1, ""},
    {"{\"i\":5,\"l\":[\"1\",2.5]}", 0, "value of l"},
    {"{\"i\":5,\"d\":{\"k\":\"W\"}}", 1, ""},
    {"{\"i\":5,\"d\":{\"o\":1}}", 0, "value of d"},
    {"{\"i\":5,\"d\":{\"k\":\"v\",\"z\":1}}", 0, "value of d"},
    {"{\"i\":5,\"m\":[{\"k\":\"v\"}]}", 1, ""},
    {"{\"i\":5,\"m\":[{\"k\":\"v\"},{\"k\":\"v\"}]}", 0, "value of m"},
};

static void arguments_are_matched_as_the_leaderboard_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        PX_FREE char *text = px_xasprintf("{\"name\":\"f\",\"arguments\":%s}", calls[i].arguments);
        struct verdict v = judge_text(SCORER, "{" SCHEMA "," TRUTH "}", text, strlen(text));
        if (verdict_metric(&v, "arguments_match", -1) != calls[i].right ||
            strstr(v.detail, calls[i].why) == NULL)
            fail_msg("%s: %s", calls[i].arguments, v.detail);
        assert_true(verdict_metric(&v, "name_match", -1) == 1);
        assert_int_equal(v.class, calls[i].right ? VERDICT_PASSED : VERDICT_WRONG_ANSWER);
        verdict_clear(&v);
    }
    static const struct {
        const char *text;
        int json, name;
        enum verdict_class class;
    } others[] = {{"{\"name\":\"g\",\"arguments\":{\"i\":5}}", 1, 0, VERDICT_WRONG_ANSWER},
                  {"[{\"f\":{\"i\":5}},{\"f\":{\"i\":5}}]", 1, 0, VERDICT_WRONG_ANSWER},
                  {"f(5)", 0, 1, VERDICT_WRONG_ANSWER},
                  {"f(i=5)", 0, 1, VERDICT_PASSED},
                  {"no", 0, 0, VERDICT_UNPARSED},
                  {"<think>f(i=5)", 0, 0, VERDICT_OVERFLOW}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct verdict v =
            judge_text(SCORER, "{" SCHEMA "," TRUTH "}", others[i].text, strlen(others[i].text));
        if (v.class != others[i].class || verdict_metric(&v, "json_valid", -1) != others[i].json ||
            verdict_metric(&v, "name_match", -1) != others[i].name)
            fail_msg("%s: class %d", others[i].text, v.class);
        verdict_clear(&v);
    }
}

static void problems_without_truth_are_errors(void **state)
{
    (void)state;
    struct completion c = judging_text("f()", 3);
    assert_non_null(
        strstr(judge_refused(SCORER, "{" SCHEMA "}", &c).text, "\"ground_truth\" must hold one"));
    assert_non_null(strstr(
        judge_refused(SCORER, "{" SCHEMA ",\"ground_truth\":[{\"g\":{}}]}", &c).text, "lacks g"));
}

/* ---- the data set: the first accepted values make a call that is right ---- */

/* Of {k: [accepted]} the first ones: {k: accepted[0]}. */
static struct json_object *members_of(struct json_object *map)
{
    struct json_object *out = json_object_new_object();
    json_object_object_foreach(map, key, list)
    {
        json_object_object_add(out, key, json_object_get(json_object_array_get_idx(list, 0)));
    }
    return out;
}

static struct json_object *first_value(struct json_object *accepted)
{
    struct json_object *v = json_object_array_get_idx(accepted, 0);
    bool none = json_object_is_type(v, json_type_string) && json_object_get_string_len(v) == 0;
    if (none)
        v = json_object_array_get_idx(accepted, 1);
    if (json_object_is_type(v, json_type_object))
        return members_of(v);
    if (!json_object_is_type(v, json_type_array) ||
        !json_object_is_type(json_object_array_get_idx(v, 0), json_type_object))
        return json_object_get(v);
    struct json_object *out = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(v); i++)
        json_object_array_add(out, members_of(json_object_array_get_idx(v, i)));
    return out;
}

static struct json_object *lines_of(const char *path, char **text, size_t *at)
{
    struct px_err err;
    size_t n;
    if (*text == NULL && px_read_file(path, 8u << 20, text, &n, &err) != 0)
        fail_msg("%s", err.text);
    char *line = *text + *at, *end = strchr(line, '\n');
    if (*line == '\0')
        return NULL;
    size_t length = end ? (size_t)(end - line) : strlen(line);
    *at += length + (end != NULL);
    return px_json_parse(line, length, &err);
}

static void accepted_values_are_accepted(void **state)
{
    (void)state;
    REFERENCE_OR_SKIP(questions, "data/bfcl/BFCL_v4_simple_python.json");
    REFERENCE_OR_SKIP(answers, "data/bfcl/possible_answer/BFCL_v4_simple_python.json");
    PX_FREE char *q = NULL;
    PX_FREE char *a = NULL;
    size_t at_q = 0, at_a = 0;
    struct json_object *row, *truth;
    int n = 0;
    for (; (row = lines_of(questions, &q, &at_q)) != NULL; n++) {
        truth = lines_of(answers, &a, &at_a);
        assert_string_equal(px_json_str_or(row, "id", ""), px_json_str_or(truth, "id", "-"));
        struct json_object *list = json_object_object_get(truth, "ground_truth");
        struct json_object *call = json_object_new_object(), *args = json_object_new_object();
        json_object_object_foreach(json_object_array_get_idx(list, 0), name, parameters)
        {
            json_object_object_add(call, "name", json_object_new_string(name));
            json_object_object_foreach(parameters, key, accepted)
            {
                struct json_object *v = first_value(accepted);
                if (v != NULL)
                    json_object_object_add(args, key, v);
            }
        }
        json_object_object_add(call, "arguments", args);
        PX_FREE char *problem =
            px_xasprintf("{\"functions\":%s,\"ground_truth\":%s}",
                         json_object_to_json_string(json_object_object_get(row, "function")),
                         json_object_to_json_string(list));
        const char *text = json_object_to_json_string(call);
        struct verdict v = judge_text(SCORER, problem, text, strlen(text));
        if (v.class != VERDICT_PASSED || verdict_metric(&v, "json_valid", -1) != 1)
            fail_msg("%s: %s: %s", px_json_str_or(row, "id", ""), v.detail, text);
        verdict_clear(&v);
        json_object_put(call);
        json_object_put(truth);
        json_object_put(row);
    }
    assert_int_equal(n, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_found_in_many_dresses),
        cmocka_unit_test(what_is_no_call_is_none),
        cmocka_unit_test(strict_json_is_told_from_the_rest),
        cmocka_unit_test(arguments_are_matched_as_the_leaderboard_does),
        cmocka_unit_test(problems_without_truth_are_errors),
        cmocka_unit_test(accepted_values_are_accepted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
