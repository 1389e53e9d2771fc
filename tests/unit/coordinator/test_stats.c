/* test_stats.c - against values that are published or can be done by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/report/python_bootstrap.h"
#include "coordinator/report/stats.h"

static void near(double have, double want, double tolerance)
{
    if (!(fabs(have - want) <= tolerance))
        print_error("have %.10g, want %.10g\n", have, want);
    assert_true(fabs(have - want) <= tolerance);
}

static void wilson_intervals_are_the_published_ones(void **state)
{
    (void)state;
    static const struct {
        uint64_t k, n;
        double lo, hi;
    } known[] = {{8, 10, 0.490162, 0.943318}, {50, 100, 0.403832, 0.596168},
                 {0, 10, 0, 0.277533},        {10, 10, 0.722467, 1},
                 {1, 20, 0.008881, 0.236131}, {81, 263, 0.255289, 0.366210}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct interval v = stats_wilson(known[i].k, known[i].n);
        near(v.lo, known[i].lo, 2e-5);
        near(v.hi, known[i].hi, 2e-5);
    }
    struct interval none = stats_wilson(0, 0);
    assert_true(none.lo <= 0 && none.hi >= 1);
}

static void means_have_students_interval(void **state)
{
    (void)state;
    struct interval v = stats_mean(1 + 3, 1 + 9, 2);
    near(v.lo, 2 - 12.706205, 1e-5);
    near(v.hi, 2 + 12.706205, 1e-5);
    /* 31 values, half -1 and half 1 but for a 0: variance 30 / 30, t(30) = 2.042272 */
    v = stats_mean(0, 30, 31);
    near(v.hi, 2.042272 / sqrt(31), 1e-4);
    v = stats_mean(0, 10000, 10001); /* t(10000) = 1.960201 */
    near(v.hi, 1.960201 / sqrt(10001), 1e-7);
    v = stats_mean(0.7 * 5, 0.49 * 5, 5); /* all equal */
    near(v.lo, 0.7, 1e-6);
    assert_true(isnan(stats_mean(1, 1, 1).lo));
}

static void binomial_tails_are_exact(void **state)
{
    (void)state;
    near(stats_binomial_at_most(2, 10, 0.25), 0.5255928, 1e-7);
    near(stats_binomial_at_most(0, 10, 0.25), pow(0.75, 10), 1e-12);
    near(stats_binomial_at_least(7, 10, 0.5), 0.171875, 1e-12);
    near(stats_binomial_at_least(0, 10, 0.5), 1, 0);
    near(stats_binomial_at_least(11, 10, 0.5), 0, 0);
    near(stats_binomial_at_most(10, 10, 0.5), 1, 0);
    for (uint64_t k = 0; k < 40; k++) /* the two tails make one */
        near(stats_binomial_at_most(k, 40, 0.3) + stats_binomial_at_least(k + 1, 40, 0.3), 1,
             1e-12);
    near(stats_binomial_at_most(500000, 1000000, 0.5), 0.5003989, 1e-6);
    assert_true(stats_binomial_at_most(400000, 1000000, 0.5) < 1e-300);
}

static void mcnemar_is_a_fair_coin(void **state)
{
    (void)state;
    near(stats_mcnemar(10, 2), 2.0 * (1 + 12 + 66) / 4096, 1e-12);
    near(stats_mcnemar(2, 10), 2.0 * (1 + 12 + 66) / 4096, 1e-12);
    near(stats_mcnemar(6, 0), 0.03125, 1e-12);
    near(stats_mcnemar(5, 5), 1, 0);
    near(stats_mcnemar(0, 0), 1, 0);
    near(stats_mcnemar(1, 0), 1, 1e-12);
    for (uint64_t lost = 400; lost < 500; lost += 7) /* the two ways of computing it agree */
        near(stats_mcnemar(1000 - lost, lost) / 2, stats_binomial_at_most(lost, 1000, 0.5), 1e-12);
    near(stats_mcnemar(1100, 1000), 0.0307207079, 1e-9);
}

static void pass_at_k_is_unbiased(void **state)
{
    (void)state;
    near(stats_pass_at(10, 3, 1), 0.3, 1e-12);
    near(stats_pass_at(10, 3, 5), 0.9166666667, 1e-9);
    near(stats_pass_at(5, 5, 1), 1, 0);
    near(stats_pass_at(5, 0, 5), 0, 0);
    near(stats_pass_at(5, 1, 5), 1, 0);
    near(stats_pass_at(200, 100, 1), 0.5, 1e-12);
}

/* The wanted values are those of the same loops in Python, with its random and math modules. */
static void a_perplexitys_error_is_pythons(void **state)
{
    (void)state;
    double x[50];
    for (int i = 0; i < 50; i++)
        x[i] = -(i * 37 % 101) / 16.0;
    near(python_bootstrap_perplexity(x, 50, 500), 6.6991141920235275, 1e-9);
    near(python_bootstrap_perplexity(x, 50, 2000), 6.3814531185289765, 1e-9);
    near(python_bootstrap_perplexity(x, 50, 2500), 6.3814531185289765, 1e-9);
    assert_true(isnan(python_bootstrap_perplexity(x, 50, 0)));
    assert_true(isnan(python_bootstrap_perplexity(x, 50, 1)));
    assert_true(isnan(python_bootstrap_perplexity(x, 1, 1000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_intervals_are_the_published_ones),
        cmocka_unit_test(means_have_students_interval),
        cmocka_unit_test(binomial_tails_are_exact),
        cmocka_unit_test(mcnemar_is_a_fair_coin),
        cmocka_unit_test(pass_at_k_is_unbiased),
        cmocka_unit_test(a_perplexitys_error_is_pythons),
    };
    return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
