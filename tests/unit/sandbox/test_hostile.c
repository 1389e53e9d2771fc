/* test_hostile.c - what no model should write, to every scorer that reads text: 10 MB, NUL, bytes
 * that are no UTF-8, texts made to trap expressions and parsers. Each gives a verdict; a scorer
 * that took long would not end in the time that tests have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "proto/scorer_kinds.h"
#include "tests/unit/sandbox/judging.h"

static const struct {
    const char *kind, *keys, *problem;
} setups[] = {
    {"numeric", "", "{\"answer\":\"#### 18\"}"},
    {"text",
     ",\"filters\":[{\"name\":\"a\",\"filter\":[{\"function\":\"regex\",\"regex_pattern\":"
     "\"(a|aa)+$\"},{\"function\":\"lowercase\"}]},{\"name\":\"b\",\"filter\":[{\"function\":"
     "\"multi_choice_regex\",\"ignore_case\":true,\"ignore_punctuation\":true}]}],"
     "\"exact_match\":{\"regexes_to_ignore\":[\"(?s).*#### "
     "\",\"(x+x+)+y\"],\"ignore_numbers\":true}",
     "{\"target\":\"a\",\"choices\":[\"aab\",\"aac\"]}"},
    {"letter", "", "{\"gold\":\"A\",\"letters\":\"ABCD\"}"},
    {"function_call", "",
     "{\"functions\":[{\"name\":\"a\",\"parameters\":{}}],\"ground_truth\":[{\"a\":{}}]}"},
    {"digest", "",
     "{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}"},
    {"rating", "", "{}"},
    {"pairwise", "", "{}"},
    {"turn", "", "{}"},
    {"none", "", "{}"},
};
enum { N_SETUPS = sizeof setups / sizeof setups[0] };

/* Kinds that read text and have hostile tests of their own. */
static const char *const elsewhere[] = {"code", "ifeval", "math"};

static bool covered(const char *kind)
{
    for (size_t i = 0; i < N_SETUPS; i++)
        if (strcmp(setups[i].kind, kind) == 0)
            return true;
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        if (strcmp(elsewhere[i], kind) == 0)
            return true;
    return false;
}

static void no_kind_is_forgotten(void **state)
{
    (void)state;
    const struct scorer_kind *k;
    for (uint32_t i = 0; (k = scorer_kind_at(i)) != NULL; i++)
        if (k->input == SCORER_TEXT && !covered(k->name))
            fail_msg("kind %s has no hostile texts", k->name);
}

/* A verdict, whose numbers are numbers. */
static void judge_all(const char *text, size_t n)
{
    for (size_t i = 0; i < N_SETUPS; i++) {
        PX_FREE char *scorer = px_xasprintf("{\"kind\":\"%s\"%s}", setups[i].kind, setups[i].keys);
        struct verdict v = judge_text(scorer, setups[i].problem, text, n);
        if (v.class < VERDICT_PASSED || v.class > VERDICT_UNSCORED)
            fail_msg("%s: class %d", setups[i].kind, v.class);
        for (uint32_t k = 0; k < v.n_metrics; k++)
            assert_true(v.metrics[k].value >= 0 && v.metrics[k].value < 1e300);
        assert_non_null(v.visible);
        verdict_clear(&v);
    }
}

/* unit, again and again, up to n bytes; tail at the end. */
static void flood(const char *unit, const char *tail, size_t n)
{
    size_t u = strlen(unit), t = strlen(tail);
    char *text = px_xmalloc(n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = unit[i % u];
    memcpy(text + n - t, tail, t);
    text[n] = '\0';
    judge_all(text, n);
    free(text);
}

static void texts_that_trap_expressions_and_parsers(void **state)
{
    (void)state;
    static const char *const units[][2] = {
        {"a", "!"},        {"x", "!"},    {"1,", "."},     {"[", ""},           {"{\"a\":", ""},
        {"\\boxed{", ""},  {"```\n", ""}, {"<think>", ""}, {"<tool_call>", ""}, {"a(", ""},
        {"[[1", "]"},      {"\"\\", ""},  {"#### ", "y"},  {"Answer:", ""},     {"\xf0\x9f", ""},
        {"\xce\xa3", "a"}, {" ", "\n"},   {"$-.", "1"},    {"[[A", "]"},        {"\\ud800", ""}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        flood(units[i][0], units[i][1], 20000);
}

static void ten_megabytes(void **state)
{
    (void)state;
    flood("a 1,2 \xff[{(\n", "a", 10u << 20);
}

static void bytes_of_every_kind(void **state)
{
    (void)state;
    char all[1024];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i * 167 + i / 256);
    for (size_t n = 0; n <= sizeof all; n += 64)
        judge_all(all, n);
    judge_all("\0\0\0", 3);
    static const char after[] = "#### 18\0 [[7]] {\"name\":\"a\"}";
    judge_all(after, sizeof after - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_kind_is_forgotten),
                                       cmocka_unit_test(texts_that_trap_expressions_and_parsers),
                                       cmocka_unit_test(ten_megabytes),
                                       cmocka_unit_test(bytes_of_every_kind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
