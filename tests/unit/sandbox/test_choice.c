/* test_choice.c - verdicts from loglikelihoods: choices, masses, continuations, pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "sandbox/score/likelihood.h"
#include "tests/unit/sandbox/judging.h"

static struct completion scored(struct choice_score *s, uint32_t n)
{
    return (struct completion){.finish = FINISH_SCORED, .choices = s, .n_choices = n};
}

static double metric(const char *scorer, const char *problem, struct choice_score *s, uint32_t n,
                     const char *name)
{
    struct completion c = scored(s, n);
    struct verdict v = judge_completion(scorer, problem, &c);
    double x = verdict_metric(&v, name, -77);
    verdict_clear(&v);
    return x;
}

#define CHOICE "{\"kind\":\"choice\"}"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-14;
}

static void exp_is_that_of_libm_to_the_last_place(void **state)
{
    (void)state;
    for (double x = 0; x > -720; x -= 0.377) {
        double want = x < -708 ? 0 : exp(x);
        if (fabs(likelihood_exp(x) - want) > 4.5e-16 * want)
            fail_msg("exp(%g) is %.17g", x, likelihood_exp(x));
    }
    assert_true(likelihood_exp(0) == 1);
    assert_true(likelihood_exp(NAN) == 0);
    assert_true(likelihood_exp(-INFINITY) == 0);
}

static void probabilities_of_the_right_choice(void **state)
{
    (void)state;
    struct choice_score s[3] = {{.logprob = log(0.5), .n_chars = 1, .n_bytes = 1, .greedy = true},
                                {.logprob = log(0.3), .n_chars = 1, .n_bytes = 1},
                                {.logprob = log(0.2), .n_chars = 1, .n_bytes = 1}};
    assert_true(near(metric(CHOICE, "{\"gold\":0}", s, 3, "brier_score"), 0.25 + 0.09 + 0.04));
    assert_true(near(metric(CHOICE, "{\"gold\":1}", s, 3, "gold_probability"), 0.3));
    assert_true(metric(CHOICE, "{\"gold\":0}", s, 3, "exact_match") == 1);
    assert_true(metric(CHOICE, "{\"gold\":1}", s, 3, "exact_match") == 0);
    /* far below what exp can hold, the shares stay */
    for (int i = 0; i < 3; i++)
        s[i].logprob -= 5000;
    assert_true(fabs(metric(CHOICE, "{\"gold\":1}", s, 3, "gold_probability") - 0.3) < 1e-9);
}

static void gold_is_an_index_a_text_or_a_list(void **state)
{
    (void)state;
    struct choice_score s[3] = {{.logprob = -3, .n_chars = 1, .n_bytes = 1},
                                {.logprob = -1, .n_chars = 1, .n_bytes = 1},
                                {.logprob = -2, .n_chars = 1, .n_bytes = 1, .greedy = true}};
    static const struct {
        const char *problem;
        int acc, greedy;
    } cases[] = {{"{\"gold\":1}", 1, 0},
                 {"{\"gold\":\"1\"}", 1, 0},
                 {"{\"gold\":\"two\",\"choices\":[\"one\",\"two\",\"1\"]}", 1, 0},
                 {"{\"gold\":\"1\",\"choices\":[\"one\",\"two\",\"1\"]}", 0, 1},
                 {"{\"gold\":[0,1]}", 1, 0},
                 {"{\"gold\":[0,2]}", 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (metric(CHOICE, cases[i].problem, s, 3, "acc") != cases[i].acc ||
            metric(CHOICE, cases[i].problem, s, 3, "exact_match") != cases[i].greedy)
            fail_msg("%s", cases[i].problem);
    }
    static const char *const bad[] = {"{\"gold\":3}",  "{\"gold\":-1}",    "{\"gold\":\"x\"}",
                                      "{\"gold\":[]}", "{\"gold\":[0,9]}", "{}"};
    struct completion c = scored(s, 3);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct px_err err = judge_refused(CHOICE, bad[i], &c);
        assert_non_null(strstr(err.text, "\"gold\" must be an index below 3"));
        /* as lm-eval has it: wrong by every metric */
        assert_true(metric("{\"kind\":\"choice\",\"out_of_range\":\"wrong\"}", "{\"gold\":3}", s, 3,
                           "acc") == 0);
    }
}

static void mutual_information_ranks_by_the_gain(void **state)
{
    (void)state;
    static const char scorer[] = "{\"kind\":\"choice\",\"mutual_info\":true}";
    struct choice_score s[4] = {{.logprob = -1}, {.logprob = -2}, {.logprob = -1}, {.logprob = -9}};
    assert_true(metric(scorer, "{\"gold\":1}", s, 4, "acc") == 0);
    assert_true(metric(scorer, "{\"gold\":1}", s, 4, "acc_mutual_info") == 1);
    assert_true(metric(CHOICE, "{\"gold\":1}", s, 4, "acc_mutual_info") == -77);
    struct completion c = scored(s, 3);
    struct px_err err = judge_refused(scorer, "{\"gold\":0}", &c);
    assert_non_null(strstr(err.text, "two loglikelihoods per choice"));
    c.finish = FINISH_TOO_LONG;
    struct verdict v = judge_completion(scorer, "{\"gold\":0}", &c);
    assert_true(verdict_metric(&v, "acc_mutual_info", -1) == 0);
    assert_true(verdict_metric(&v, "brier_score", -1) == 0);
    verdict_clear(&v);
}

static void ties_can_be_held_against_the_first(void **state)
{
    (void)state;
    struct choice_score s[3] = {{.logprob = -1, .n_chars = 1, .n_bytes = 2},
                                {.logprob = -1, .n_chars = 2, .n_bytes = 2},
                                {.logprob = -3, .n_chars = 1, .n_bytes = 2}};
    static const char strict[] = "{\"kind\":\"choice\",\"ties\":\"wrong\"}";
    assert_true(metric(CHOICE, "{\"gold\":0}", s, 3, "acc") == 1);
    assert_true(metric(strict, "{\"gold\":0}", s, 3, "acc") == 0);
    assert_true(metric(strict, "{\"gold\":1}", s, 3, "acc_norm") == 1);
    assert_true(metric(strict, "{\"gold\":[0,1]}", s, 3, "acc") == 1);
}

static void no_number_is_survived(void **state)
{
    (void)state;
    static const double odd[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            struct choice_score s[2] = {{.logprob = odd[i]}, {.logprob = odd[k]}};
            double b = metric(CHOICE, "{\"gold\":1}", s, 2, "brier_score");
            double p = metric(CHOICE, "{\"gold\":1}", s, 2, "gold_probability");
            assert_true(b >= 0 && b <= 2 && p >= 0 && p <= 1);
            double m = metric("{\"kind\":\"choice_mass\"}", "{\"gold\":[0]}", s, 2, "acc");
            assert_true(m >= 0 && m <= 1);
        }
        struct choice_score one = {.logprob = odd[i], .greedy = true};
        struct completion c = scored(&one, 1);
        struct verdict v = judge_completion("{\"kind\":\"continuation\"}", "{}", &c);
        assert_int_equal(v.class, VERDICT_ERROR);
        assert_true(verdict_metric(&v, "acc", -1) == 0);
        assert_true(verdict_metric(&v, "loglikelihood", -77) == -77);
        verdict_clear(&v);
    }
}

static void mass_is_the_share_of_true_choices(void **state)
{
    (void)state;
    static const char scorer[] = "{\"kind\":\"choice_mass\"}";
    struct choice_score s[3] = {
        {.logprob = log(0.1)}, {.logprob = log(0.2)}, {.logprob = log(0.1)}};
    assert_true(near(metric(scorer, "{\"gold\":[0,1]}", s, 3, "acc"), 0.75));
    assert_true(near(metric(scorer, "{\"gold\":[2]}", s, 3, "acc"), 0.25));
    struct completion c = scored(s, 3);
    struct px_err err = judge_refused(scorer, "{\"gold\":[3]}", &c);
    assert_non_null(strstr(err.text, "list of indices"));
}

static void pages_are_sums(void **state)
{
    (void)state;
    struct choice_score s[2] = {{.logprob = -1.5, .n_tokens = 4, .greedy = true},
                                {.logprob = -2.25, .n_tokens = 3}};
    static const char page[] = "{\"text\":\" a  b\\u00a0c\\n\\u00e9\\n\"}";
    static const char scorer[] = "{\"kind\":\"rolling\"}";
    assert_true(metric(scorer, page, s, 2, "loglikelihood") == -3.75);
    assert_true(metric(scorer, page, s, 2, "words") == 6); /* '', a, b, c, e, '' */
    assert_true(metric(scorer, page, s, 2, "bytes") == 12);
    assert_true(metric(scorer, page, s, 2, "tokens") == 7);
    static const char one[] = "{\"kind\":\"continuation\"}";
    assert_true(metric(one, "{}", s, 1, "acc") == 1);
    assert_true(metric(one, "{}", s + 1, 1, "acc") == 0);
    assert_true(metric(one, "{}", s + 1, 1, "loglikelihood") == -2.25);
    struct completion c = scored(s, 2);
    assert_non_null(strstr(judge_refused(one, "{}", &c).text, "one loglikelihood"));
    c.n_choices = 0;
    assert_non_null(strstr(judge_refused(scorer, page, &c).text, "no loglikelihoods"));
}

static void bad_values_name_their_key(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{\"kind\":\"choice\",\"mutual_info\":1}", "mutual_info"},
        {"{\"kind\":\"choice\",\"out_of_range\":\"skip\"}", "out_of_range: must be error or wrong"},
        {"{\"kind\":\"choice\",\"ties\":1}", "ties: must be first or wrong"}};
    for (size_t i = 0; i < 3; i++) {
        struct completion c = {0};
        struct px_err err = judge_refused(bad[i][0], "{}", &c);
        if (strstr(err.text, bad[i][1]) == NULL)
            fail_msg("%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exp_is_that_of_libm_to_the_last_place),
                                       cmocka_unit_test(probabilities_of_the_right_choice),
                                       cmocka_unit_test(gold_is_an_index_a_text_or_a_list),
                                       cmocka_unit_test(mutual_information_ranks_by_the_gain),
                                       cmocka_unit_test(ties_can_be_held_against_the_first),
                                       cmocka_unit_test(no_number_is_survived),
                                       cmocka_unit_test(mass_is_the_share_of_true_choices),
                                       cmocka_unit_test(pages_are_sums),
                                       cmocka_unit_test(bad_values_name_their_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
