/* test_judge.c - judges' answers, turns, digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sandbox/judging.h"
#include <stdio.h>

static struct verdict says(const char *kind, const char *text)
{
    char scorer[60];
    snprintf(scorer, sizeof scorer, "{\"kind\":\"%s\"}", kind);
    return judge_text(scorer, "{}", text, strlen(text));
}

static void ratings_are_numbers_in_brackets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *extracted, *rule;
        double rating;
        enum verdict_class class;
    } cases[] = {{"Good. Rating: [[7]]", "7", "double-brackets", 7, VERDICT_PASSED},
                 {"[1] no [[8.5]] [[9]]", "8.5", "double-brackets", 8.5, VERDICT_PASSED},
                 {"Rating: [6.]", "6.", "brackets", 6, VERDICT_PASSED},
                 {"[[10]] of [[10]]", "10", "double-brackets", 10, VERDICT_PASSED},
                 {"<think>[[1]]</think> [[2]]", "2", "double-brackets", 2, VERDICT_PASSED},
                 {"Rating: 7", "", "", 0, VERDICT_UNPARSED},
                 {"[[rating]] [seven]", "", "", 0, VERDICT_UNPARSED},
                 {"", "", "", 0, VERDICT_UNPARSED},
                 {"<think>[[1]]", "", "", 0, VERDICT_OVERFLOW}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v = says("rating", cases[i].text);
        if (strcmp(v.extracted, cases[i].extracted) != 0 || v.class != cases[i].class ||
            strcmp(v.rule, cases[i].rule) != 0 ||
            verdict_metric(&v, "rating", -1) != cases[i].rating ||
            verdict_metric(&v, "rated", -1) != (cases[i].class == VERDICT_PASSED))
            fail_msg("\"%s\": %s by %s", cases[i].text, v.extracted, v.rule);
        verdict_clear(&v);
    }
}

static void preferences_are_letters_in_brackets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *extracted;
        double preference;
        int judged;
    } cases[] = {{"I prefer [[A]]", "A", 1, 1},
                 {"[[B]]", "B", 0, 1},
                 {"It is a tie: [[C]]", "C", 0.5, 1},
                 {"not [[B]] but [[A]]", "A", 1, 1}, /* FastChat asks for A first */
                 {"[A]", "", 0.5, 0},
                 {"", "", 0.5, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v = says("pairwise", cases[i].text);
        if (strcmp(v.extracted, cases[i].extracted) != 0 ||
            v.class != (cases[i].judged ? VERDICT_PASSED : VERDICT_UNPARSED) ||
            verdict_metric(&v, "preference", -1) != cases[i].preference ||
            verdict_metric(&v, "judged", -1) != cases[i].judged)
            fail_msg("\"%s\"", cases[i].text);
        verdict_clear(&v);
    }
}

static void turns_are_visible_without_thoughts(void **state)
{
    (void)state;
    struct verdict v = says("turn", "<think>hm</think>\n\n Hello.\n");
    assert_int_equal(v.class, VERDICT_UNSCORED);
    assert_string_equal(v.visible, "Hello.");
    assert_int_equal(v.n_metrics, 0);
    verdict_clear(&v);
    v = judge_text("{\"kind\":\"turn\"}", "{}", "a\0b\xff", 4);
    assert_string_equal(v.visible, "a b\xef\xbf\xbd");
    verdict_clear(&v);
    struct completion c = judging_text("thought answer ", 15);
    c.think = THINK_CLOSED;
    c.answer_at = 7;
    v = judge_completion("{\"kind\":\"turn\"}", "{}", &c);
    assert_string_equal(v.visible, "answer");
    verdict_clear(&v);
    c.think = THINK_UNCLOSED;
    v = judge_completion("{\"kind\":\"turn\"}", "{}", &c);
    assert_int_equal(v.class, VERDICT_OVERFLOW);
    assert_string_equal(v.visible, "");
    verdict_clear(&v);
}

static void digests_are_of_text_and_tokens(void **state)
{
    (void)state;
    /* sha256sum of "abc" (FIPS 180-4), and of the four bytes 01 00 00 00 */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ONE "67abdd721024f0ff4e0b3f4c2fc13bc5bad42d0b7851d456d88d203d15aaa450"
    static const struct {
        const char *problem;
        int same;
    } cases[] = {{"{\"sha256\":\"" ABC "\"}", 1},
                 {"{\"sha256\":\"" ONE "\"}", 0},
                 {"{\"sha256\":\"" ABC "\",\"tokens_sha256\":\"" ONE "\"}", 1},
                 {"{\"sha256\":\"" ABC "\",\"tokens_sha256\":\"" ABC "\"}", 0}};
    uint32_t one = 1;
    struct completion c = judging_text("abc", 3);
    c.tokens = &one;
    c.n_tokens = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v = judge_completion("{\"kind\":\"digest\"}", cases[i].problem, &c);
        assert_string_equal(v.extracted, ABC);
        if (verdict_metric(&v, "exact_match", -1) != cases[i].same)
            fail_msg("%s", cases[i].problem);
        verdict_clear(&v);
    }
    assert_non_null(strstr(judge_refused("{\"kind\":\"digest\"}", "{}", &c).text, "sha256"));
    assert_non_null(
        strstr(judge_refused("{\"kind\":\"digest\"}", "{\"sha256\":\"12\"}", &c).text, "sha256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ratings_are_numbers_in_brackets),
                                       cmocka_unit_test(preferences_are_letters_in_brackets),
                                       cmocka_unit_test(turns_are_visible_without_thoughts),
                                       cmocka_unit_test(digests_are_of_text_and_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
