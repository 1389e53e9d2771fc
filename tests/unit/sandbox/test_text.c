/* test_text.c - pipelines of filters and exact_match: what lm-eval makes of the same responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/scorer_kinds.h"
#include "sandbox/score/score.h"

/* Scores a text; the verdict is the caller's. */
static struct verdict judge(const char *scorer, const char *problem, const char *text, size_t n)
{
    struct completion c = {
        .finish = FINISH_EOS, .text = (char *)(uintptr_t)text, .n_text = (uint32_t)n};
    struct scorer s;
    struct verdict v;
    struct program p;
    struct px_err err;
    bool runs;
    if (scorer_parse(scorer, &s, &err) != 0 ||
        score_begin(&s, problem, &c, &v, &p, &runs, &err) != 0)
        fail_msg("%s: %s", scorer, err.text);
    assert_false(runs);
    scorer_clear(&s);
    return v;
}

#define ONE(filters) "{\"kind\":\"text\",\"filters\":[{\"name\":\"x\",\"filter\":[" filters "]}]}"
#define RE(pattern, more) "{\"function\":\"regex\",\"regex_pattern\":\"" pattern "\"" more "}"

static const struct {
    const char *scorer, *text, *want;
} cases[] = {
    {"{\"kind\":\"text\"}", " as it is\n", " as it is\n"},
    {ONE(""), "x", "x"},
    {ONE("{\"function\":\"regex\"}"), "so #### 1,234. and #### 5", "1,234."},
    {ONE("{\"function\":\"regex\"}"), "none", "[invalid]"},
    {ONE(RE("b+", ",\"group_select\":-1")), "bb a b", "b"},
    {ONE(RE("b+", ",\"group_select\":-2")), "bb a b", "bb"},
    {ONE(RE("b+", ",\"group_select\":-3")), "bb a b", "[invalid]"},
    {ONE(RE("b+", ",\"group_select\":1")), "bb a bbb", "bbb"},
    {ONE(RE("(x)|(y)", ",\"fallback\":\"Z\"")), "ay", "y"},
    {ONE(RE("(x)?(y)?", "")), "a", "[invalid]"}, /* both groups are empty */
    {ONE(RE("a(x)?", "")), "a", ""},
    {ONE(RE("x", ",\"fallback\":\"Z\"")), "a", "Z"},
    {ONE(RE("(?s)<a>(.*)</a>", "")), "<a> \xc2\xa0 b\n </a>", "b"},
    {ONE("{\"function\":\"remove_whitespace\"}"), "\x1c\xe3\x80\x80 a \n", "a"},
    {ONE("{\"function\":\"lowercase\"}"), "\xc3\x84 B", "\xc3\xa4 b"},
    {ONE("{\"function\":\"uppercase\"}"),
     "stra\xc3\x9f"
     "e",
     "STRASSE"},
    {ONE("{\"function\":\"map\",\"mapping_dict\":{\"a\":\"b\"}}"), "a", "b"},
    {ONE("{\"function\":\"map\",\"mapping_dict\":{\"a\":\"b\"}}"), "c", ""},
    {ONE("{\"function\":\"map\",\"mapping_dict\":{},\"default_value\":\"d\"}"), "c", "d"},
    {ONE("{\"function\":\"take_first_k\",\"k\":3},{\"function\":\"majority_vote\"},"
         "{\"function\":\"take_first\"},{\"function\":\"lowercase\"}"),
     "A", "a"},
    {ONE("{\"function\":\"regex\"}"), "#### 1\xff", "1"},
};

static void filters_do_what_they_do_in_lm_eval(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v =
            judge(cases[i].scorer, "{\"target\":\"\"}", cases[i].text, strlen(cases[i].text));
        if (strcmp(v.extracted, cases[i].want) != 0)
            fail_msg("case %zu: \"%s\", wanted \"%s\"", i, v.extracted, cases[i].want);
        verdict_clear(&v);
    }
}

static void choices_are_looked_for_in_three_ways(void **state)
{
    (void)state;
    static const char scorer[] =
        ONE("{\"function\":\"multi_choice_regex\",\"regex_pattern\":\"(\\\\([A-Z]\\\\))\","
            "\"ignore_case\":true,\"ignore_punctuation\":true,\"regexes_to_ignore\":[\"\\\\$\"]}");
    static const struct {
        const char *text, *want;
    } says[] = {{"It is (B).", "(B)"},
                {"It is a big, dog!", "(C)"},
                {"Answer:  A", "(A)"},
                {"Dogs and CAT: B", "(A)"},
                {"no such thing: E", "[invalid]"},
                {"", "[invalid]"},
                {"$5.00 it is", "(D)"},
                {": D", "(D)"}};
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        struct verdict v = judge(
            scorer, "{\"target\":\"(A)\",\"choices\":[\"Cat\",\"bird\",\" big dog\",\"$500\"]}",
            says[i].text, strlen(says[i].text));
        if (strcmp(v.extracted, says[i].want) != 0)
            fail_msg("\"%s\" gave %s, wanted %s", says[i].text, v.extracted, says[i].want);
        verdict_clear(&v);
    }
}

static void equality_ignores_what_it_is_told_to(void **state)
{
    (void)state;
    static const struct {
        const char *match, *text, *target;
        int right;
    } same[] = {
        {"{}", "a", "\"a\"", 1},
        {"{}", "a", "\"A\"", 0},
        {"{}", "18", "18", 1},
        {"{\"ignore_case\":true}", "\xc3\x84", "\"\xc3\xa4\"", 1},
        {"{\"ignore_punctuation\":true}", "a.b!", "\"ab\"", 1},
        {"{\"ignore_punctuation\":true}", "a\xe2\x80\x93", "\"a\"", 0},
        {"{\"ignore_numbers\":true}", "a1", "\"2a\"", 1},
        {"{\"regexes_to_ignore\":[\",\",\"(?s).*#### \"]}", "1,234", "\"x\\n#### 1234\"", 1},
        {"{}", "b", "[\"a\",\"b\"]", 1},
        {"{}", "c", "[\"a\",\"b\"]", 0},
        {"{}", "", "[]", 0},
        {"{}", "null", "null", 0}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        char scorer[300], problem[100];
        snprintf(scorer, sizeof scorer, "{\"kind\":\"text\",\"exact_match\":%s}", same[i].match);
        snprintf(problem, sizeof problem, "{\"target\":%s}", same[i].target);
        struct verdict v = judge(scorer, problem, same[i].text, strlen(same[i].text));
        if (verdict_metric(&v, "exact_match,none", -1) != same[i].right)
            fail_msg("case %zu", i);
        verdict_clear(&v);
    }
}

static void each_pipeline_is_a_metric_and_one_is_the_answer(void **state)
{
    (void)state;
    static const char scorer[] =
        "{\"kind\":\"text\",\"main\":\"last\",\"filters\":["
        "{\"name\":\"first\",\"filter\":[{\"function\":\"regex\",\"regex_pattern\":\"\\\\d+\"}]},"
        "{\"name\":\"last\",\"filter\":[{\"function\":\"regex\",\"regex_pattern\":\"\\\\d+\","
        "\"group_select\":-1}]}]}";
    static const struct {
        const char *text, *extracted, *rule;
        int first, last;
        enum verdict_class class;
    } says[] = {{"1 or 2", "2", "last", 1, 0, VERDICT_WRONG_ANSWER},
                {"2 or 1", "1", "last", 0, 1, VERDICT_PASSED},
                {"none", "[invalid]", "", 0, 0, VERDICT_UNPARSED}};
    for (size_t i = 0; i < 3; i++) {
        struct verdict v = judge(scorer, "{\"target\":\"1\"}", says[i].text, strlen(says[i].text));
        assert_string_equal(v.extracted, says[i].extracted);
        assert_string_equal(v.rule, says[i].rule);
        assert_int_equal(v.class, says[i].class);
        assert_true(verdict_metric(&v, "exact_match,first", -1) == says[i].first);
        assert_true(verdict_metric(&v, "exact_match,last", -1) == says[i].last);
        verdict_clear(&v);
    }
    const struct scorer_kind *k = scorer_kind_find("text");
    assert_true(scorer_kind_emits(k, "exact_match,last"));
    assert_false(scorer_kind_emits(k, "exact_match"));
}

static void a_fallback_can_be_right(void **state)
{
    (void)state;
    struct verdict v = judge(ONE(RE("x", ",\"fallback\":\"Z\"")), "{\"target\":\"Z\"}", "a", 1);
    assert_int_equal(v.class, VERDICT_PASSED);
    verdict_clear(&v);
    /* a map without entry is Python's None: not even equal to nothing */
    v = judge(ONE("{\"function\":\"map\",\"mapping_dict\":{}}"), "{\"target\":\"\"}", "a", 1);
    assert_int_equal(v.class, VERDICT_UNPARSED);
    assert_true(verdict_metric(&v, "exact_match,x", -1) == 0);
    verdict_clear(&v);
}

static void bad_scorers_name_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"{\"kind\":\"text\",\"filters\":[]}", "filters: must be a list"},
        {"{\"kind\":\"text\",\"filters\":[7]}", "filters[0]"},
        {"{\"kind\":\"text\",\"filters\":[{\"name\":\"a\"}]}", "filters[0].filter"},
        {"{\"kind\":\"text\",\"filters\":[{\"name\":\"a,b\",\"filter\":[]}]}", "filters[0].name"},
        {"{\"kind\":\"text\",\"filters\":[{\"name\":\"a\",\"filter\":[],\"x\":1}]}", "\"x\""},
        {"{\"kind\":\"text\",\"filters\":[{\"name\":\"a\",\"filter\":[]},"
         "{\"name\":\"a\",\"filter\":[]}]}",
         "twice"},
        {ONE("{\"function\":\"guess\"}"), "filters[0].filter[0].function: \"guess\""},
        {ONE("{\"function\":\"map\"}"), "lacks mapping_dict"},
        {ONE("{\"function\":\"take_first_k\",\"k\":0}"), "filter[0].k"},
        {ONE("{\"function\":\"lowercase\",\"k\":1}"), "no such parameter"},
        {ONE(RE("(", "")), "filters[0].filter[0].regex_pattern: regular expression"},
        {ONE(RE("a", ",\"group_select\":\"last\"")), "group_select"},
        {ONE("{\"function\":\"map\",\"mapping_dict\":{\"a\":1}}"), "mapping_dict"},
        {"{\"kind\":\"text\",\"exact_match\":{\"ignore_case\":1}}", "exact_match.ignore_case"},
        {"{\"kind\":\"text\",\"exact_match\":{\"regexes_to_ignore\":[\"[\"]}}",
         "exact_match.regexes_to_ignore[0]"},
        {"{\"kind\":\"text\",\"exact_match\":{\"ignore_spaces\":true}}", "no such parameter"},
        {"{\"kind\":\"text\",\"main\":\"b\"}", "main"},
        {"{\"kind\":\"numeric\",\"strict\":\"a{2,1}\"}", "strict: regular expression"},
        {"{\"kind\":\"numeric\",\"tolerance\":1}", "tolerance"},
        {"{\"kind\":\"numeric\",\"tolerance\":\"0.1\"}", "tolerance"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct scorer s;
        struct px_err err = {.text = ""};
        assert_int_equal(scorer_parse(bad[i].json, &s, &err), -1);
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %s", bad[i].json, err.text);
    }
}

static void an_expression_without_end_is_a_verdict(void **state)
{
    (void)state;
    size_t n = 100000;
    char *text = malloc(n);
    memset(text, 'a', n);
    memcpy(text + n - 3, "!b!", 3);
    struct verdict v = judge(ONE(RE("(a+)+b", "")), "{\"target\":\"aab\"}", text, n);
    assert_int_equal(v.class, VERDICT_UNPARSED);
    assert_non_null(strstr(v.detail, "bounded"));
    verdict_clear(&v);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_do_what_they_do_in_lm_eval),
        cmocka_unit_test(choices_are_looked_for_in_three_ways),
        cmocka_unit_test(equality_ignores_what_it_is_told_to),
        cmocka_unit_test(each_pipeline_is_a_metric_and_one_is_the_answer),
        cmocka_unit_test(a_fallback_can_be_right),
        cmocka_unit_test(bad_scorers_name_the_key),
        cmocka_unit_test(an_expression_without_end_is_a_verdict)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
