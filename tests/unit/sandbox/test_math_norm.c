/* test_math_norm.c - boxes, closing sentences and the string normalisations of MATH scores. The
 * golden values were computed with lm-evaluation-harness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_norm.h"

static struct span of(const char *s)
{
    return (struct span){s, strlen(s)};
}

static void expect(struct span got, const char *want, const char *text)
{
    if (want == NULL ? got.p != NULL : got.p == NULL || !text_equals(got, want))
        fail_msg("%s gave %.*s", text, got.p != NULL ? (int)got.n : 7, got.p ? got.p : "nothing");
}

static void normalisation_is_minervas(void **state)
{
    (void)state;
    static const char *const golden[][2] = {
        {"$\\frac12$", "\\frac{1}{2}"},
        {"5\\text{ meters}", "5"},
        {"\\boxed{1,000}", "1000"},
        {"3 \\text{ and } 5", "35"},
        {"(-\\infty, 2)", "(-\\iny,2)"},
        {"\\left(1,2\\right)", "\\le(1,2\\right)"},
        {"\\dfrac{3}{4}", "\\dfrac{3}{4}"},
        {"10\\%", "10\\%"},
        {"the value is $42$ exactly", "42"},
        {"\\$18.90", "18.90"},
        {"36.", "36."},
        /* by the rules */
        {"x = 5", "5"},
        {"a = b = \\sqrt2", "\\sqrt{2}"},
        {"\\text{a}\\text{b", "a\\text{b"},
        {"\\boxed{a}b}", "a}b"},
        {"\\frac9{5}", "\\frac{9}{{}5}"},
        {"1,2,3", "123"},
        {"1,a", "1,a"},
        {"", ""},
        {",", ","},
        {"\\frac\n2", "\\frac{\n}{2}"},
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        size_t n;
        char *got = math_normalise(of(golden[i][0]), &n);
        if (n != strlen(golden[i][1]) || memcmp(got, golden[i][1], n) != 0)
            fail_msg("%s gave %s, not %s", golden[i][0], got, golden[i][1]);
        free(got);
    }
}

static void strip_string_is_hendrycks(void **state)
{
    (void)state;
    static const char *const golden[][2] = {
        {"\\frac1{72}", "\\frac{1}{72}"},
        {"0.5", "\\frac{1}{2}"},
        {".5", "\\frac{1}{2}"},
        {"x = 5", "5"},
        {"x=y=3", "x=y=3"},
        {"5\\text{ cm}", "5"},
        {"12 inches", "12inches"},
        {"3/4/5", "3/4/5"},
        {"a/b", NULL},
        /* by the rules */
        {"3/4", "\\frac{3}{4}"},
        {"03/4", "03/4"},
        {"\\sqrt2+\\dfrac34", "\\sqrt{2}+\\frac{3}{4}"},
        {"\\frac3", "\\frac3"},
        {"\\frac", NULL},
        {"\\sqrt", NULL},
        {"1\\text{ a}\\text{ b}", NULL},
        {"90^\\circ", "90"},
        {"xyz=3", "xyz=3"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        size_t n = 0;
        char *got = math_strip_string(of(golden[i][0]), &n);
        expect((struct span){got, n}, golden[i][1], golden[i][0]);
        free(got);
    }
    assert_true(math_same_stripped(of("a/b"), of("a/b")));
    assert_false(math_same_stripped(of("a/b"), of("a / b")));
    assert_true(math_same_stripped(of("1/2"), of("0.5")));
}

static void the_last_box_counts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *ours, *lm_eval;
    } samples[] = {
        {"so \\boxed{1} and \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}", "\\frac{1}{2}"},
        {"$\\boxed 5$ and \\boxed{6}", "6", "5"},
        {"\\boxed 5$", "5", "5"},
        {"\\fbox{7}", "7", NULL},
        {"\\boxed{5} then \\boxed{6", NULL, NULL},
        {"\\boxed5", "5", NULL},
        {"none", NULL, NULL},
        {"", NULL, NULL},
        {"\\boxed", NULL, NULL},
        {"\\boxed{}", "", ""},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        expect(math_boxed(of(samples[i].text), false), samples[i].ours, samples[i].text);
        expect(math_boxed(of(samples[i].text), true), samples[i].lm_eval, samples[i].text);
    }
}

static void the_closing_sentence_has_its_oddities(void **state)
{
    (void)state;
#define LEAD "Final Answer: The final answer is"
    static const struct {
        const char *text, *ours, *lm_eval;
    } samples[] = {
        {LEAD " $24$. I hope it is correct.", "$24$", "$24$"},
        {"x\n" LEAD " $24$. I hope it is correct.\n\nProblem:", "$24$", "$24$"},
        {LEAD " $24$.", "$24$", NULL}, /* the harness appends its ending without a space */
        {LEAD " $24$. ", "$24$", "$24$"},
        {"The final answer is 24. I hope it is correct.", "24", NULL},
        {LEAD " 1. I hope it is correct.\n" LEAD " 2. I hope it is correct.", "2", "1"},
        {LEAD "\n$24$. I hope it is correct.", NULL, NULL},
        {LEAD " 1\n" LEAD " 2. I hope it is correct.", "2", "2"},
        {LEAD " $24$! I hope it is correct?", "$24$!", "$24$"},
        {LEAD ". I hope it is correct.", NULL, ""},
        {LEAD " 5. I hope it is correct", "5", "5"},
        {"nothing", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        expect(math_sentence(of(samples[i].text), false), samples[i].ours, samples[i].text);
        expect(math_sentence(of(samples[i].text), true), samples[i].lm_eval, samples[i].text);
    }
}

/* Long runs of what invites quadratic work. */
static void long_texts_are_linear(void **state)
{
    (void)state;
    static const char *const parts[] = {"\\text{",
                                        "\\boxed{",
                                        "\\boxed ",
                                        "$",
                                        "frac",
                                        "\\sqrt",
                                        "Final Answer: The final answer is",
                                        "I hope it is correct",
                                        "\\frac",
                                        "{",
                                        "}",
                                        "\\overline{\n"};
    enum { SIZE = 1 << 18 };
    char *s = px_xmalloc(SIZE);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t n = strlen(parts[i]), at = 0, m = 0;
        for (; at + n < SIZE; at += n)
            memcpy(s + at, parts[i], n);
        struct span all = {s, at};
        (void)math_boxed(all, true);
        (void)math_boxed(all, false);
        (void)math_sentence(all, true);
        (void)math_sentence(all, false);
        assert_true(math_same_normalised(all, all));
        free(math_strip_string(all, &m));
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalisation_is_minervas),
        cmocka_unit_test(strip_string_is_hendrycks),
        cmocka_unit_test(the_last_box_counts),
        cmocka_unit_test(the_closing_sentence_has_its_oddities),
        cmocka_unit_test(long_texts_are_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
