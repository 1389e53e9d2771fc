/* test_answers.c - numbers, letters and choices in completions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/score/score.h"

static struct span of(const char *s)
{
    return (struct span){s, strlen(s)};
}

struct sample {
    const char *text, *want, *rule;
};

static const struct sample numbers[] = {
    {"6 * 3 = 18\n#### 18", "18", "marker"},
    {"#### 18\nQuestion: next?\n#### 7", "18", "marker"},
    {"#### $1,234.50 dollars", "1234.5", "marker"},
    {"####-5", "-5", "marker"},
    {"so \\boxed{12} and then \\boxed{\\frac{x}{1} = 42}", "42", "boxed"},
    {"The answer is 42. I used 6 and 7.", "42", "answer-is"},
    {"The final answer is **$18**", "18", "answer-is"},
    {"Answer: 3.140", "3.14", "answer-line"},
    {"6 * 3 = 18\nA: $18.00.\nThat is 2 less.", "18", "answer-line"},
    {"**Answer:** 7 apples, the answer is 8", "7", "answer-line"},
    {"The answer is: 4", "4", "answer-is"},
    {"We have 5 apples and 3 pears", "3", "last-number"},
    {"10-3", "3", "last-number"},
    {"it costs 007 coins", "7", "last-number"},
    {"0.50", "0.5", "last-number"},
    {"-0.0", "0", "last-number"},
    {"x1 then 50%", "50", "last-number"},
    {"<think>4</think> 5", "5", "last-number"},
    {" 12\nQuestion: What is 3 + 4?\nAnswer: 7", "12", "last-number"},
    {"Q: What? A: 12", "12", "last-number"},
    {"18.", "18", "last-number"},
    {"1,600", "1600", "last-number"},
    {"about .5", "0.5", "last-number"},
    {"-.5", "-0.5", "last-number"},
};

static void numbers_are_found_in_order_of_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct extract e;
        numeric_extract(of(numbers[i].text), &e);
        if (e.text == NULL || strcmp(e.text, numbers[i].want) != 0 ||
            strcmp(e.rule, numbers[i].rule) != 0)
            fail_msg("sample %zu: %s gave %s", i, e.rule, e.text ? e.text : "nothing");
        free(e.text);
    }
}

static void no_number_is_unparsed(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "no idea", "v2 of x1", "#### \\boxed{}", "-", "$,."};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct extract e;
        numeric_extract(of(texts[i]), &e);
        assert_null(e.text);
        assert_int_equal(e.unusable, VERDICT_UNPARSED);
    }
}

static void gold_is_after_the_last_marker(void **state)
{
    (void)state;
    static const struct sample golds[] = {{"3 + 4 = 7\n#### 7", "7", ""},
                                          {"#### 1\n#### 1,600", "1600", ""},
                                          {"14", "14", ""},
                                          {" -2.50 ", "-2.5", ""}};
    for (size_t i = 0; i < sizeof golds / sizeof golds[0]; i++) {
        char *g = numeric_gold(of(golds[i].text));
        assert_string_equal(g, golds[i].want);
        free(g);
    }
    assert_null(numeric_gold(of("none")));
}

static const struct sample letters[] = {
    {"B", "B", "leading"},
    {" (C) because", "C", "leading"},
    {"D. It is cold.", "D", "leading"},
    {"The answer is (A).", "A", "answer-is"},
    {"I thought the answer is A, but the answer is B.", "B", "answer-is"},
    {"Answer: **C**", "C", "answer-is"},
    {"The correct answer is option D", "D", "answer-is"},
    {"thus \\boxed{B}", "B", "boxed"},
};

static void letters_need_an_explicit_pattern(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        struct extract e;
        letter_extract(of(letters[i].text), "ABCD", &e);
        if (e.text == NULL || strcmp(e.text, letters[i].want) != 0 ||
            strcmp(e.rule, letters[i].rule) != 0)
            fail_msg("sample %zu: %s gave %s", i, e.rule, e.text ? e.text : "nothing");
        free(e.text);
    }
    static const char *const none[] = {
        "",          "A cat sat on it",         "Because it is cold", "E", "The answer is Apple",
        "I'd say B", "The answer is unclear: A"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct extract e;
        letter_extract(of(none[i]), "ABCD", &e);
        if (e.text != NULL)
            fail_msg("\"%s\" gave %s by %s", none[i], e.text, e.rule);
        assert_int_equal(e.unusable, VERDICT_UNPARSED);
    }
}

static void the_first_maximum_wins(void **state)
{
    (void)state;
    struct choice_score c[4] = {{.logprob = -4, .n_chars = 4, .n_bytes = 8},
                                {.logprob = -2, .n_chars = 1, .n_bytes = 1},
                                {.logprob = -2, .n_chars = 2, .n_bytes = 1},
                                {.logprob = -4, .n_chars = 4, .n_bytes = 4}};
    assert_int_equal(choice_best(c, 4, 0), 1);
    assert_int_equal(choice_best(c, 4, 1), 0); /* -1 per code point, three times */
    assert_int_equal(choice_best(c, 4, 2), 0);
    c[2].logprob = NAN;
    assert_int_equal(choice_best(c, 4, 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_found_in_order_of_rules),
                                       cmocka_unit_test(no_number_is_unparsed),
                                       cmocka_unit_test(gold_is_after_the_last_marker),
                                       cmocka_unit_test(letters_need_an_explicit_pattern),
                                       cmocka_unit_test(the_first_maximum_wins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
