/* test_paired.c - the statistics of comparisons: published values, and how often they cry wolf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "coordinator/report/resample.h"

static void near(double have, double want, double tolerance)
{
    if (!(fabs(have - want) <= tolerance))
        print_error("have %.10g, want %.10g\n", have, want);
    assert_true(fabs(have - want) <= tolerance);
}

/* A uniform number in 0 .. 1 of a fixed stream. */
static double uniform(uint64_t *counter)
{
    return (double)(resample_bits(20, (*counter)++) >> 11) * 0x1p-53;
}

static void the_exponential_is_right_to_its_last_places(void **state)
{
    (void)state;
    near(stats_exp(0), 1, 0);
    near(stats_exp(1), 2.718281828459045, 5e-16);
    near(stats_exp(-1), 0.36787944117144233, 1e-16);
    near(stats_exp(10) / 22026.465794806718, 1, 4e-16);
    near(stats_exp(-700) / 9.859676543759771e-305, 1, 4e-16);
    near(stats_exp(709) / 8.218407461554972e+307, 1, 4e-16);
    near(stats_exp(-1000), 0, 0);
    assert_true(isinf(stats_exp(1000)) && isnan(stats_exp(NAN)));
}

static void paired_proportions_have_newcombes_interval(void **state)
{
    (void)state;
    /* the example of Newcombe 1998: 36 both, 12 and 2 discordant of 50 */
    struct interval v = stats_paired_proportions(36, 12, 2, 50);
    near(v.lo, 0.0569, 5e-5);
    near(v.hi, 0.3404, 5e-5);
    struct interval mirrored = stats_paired_proportions(36, 2, 12, 50);
    near(mirrored.lo, -v.hi, 1e-12);
    near(mirrored.hi, -v.lo, 1e-12);
    v = stats_paired_proportions(0, 0, 0, 0);
    assert_true(v.lo <= -1 && v.hi >= 1);
    v = stats_paired_proportions(10, 0, 0, 10); /* no change is not certainty */
    assert_true(v.lo < 0 && v.hi > 0);
}

static void holm_adjusts_as_published(void **state)
{
    (void)state;
    double p[] = {0.01, 0.04, 0.03, 0.005};
    static const double want[] = {0.03, 0.06, 0.06, 0.02};
    stats_holm(p, 4);
    for (int i = 0; i < 4; i++)
        near(p[i], want[i], 1e-12);
    double big[] = {0.9, 0.8};
    stats_holm(big, 2);
    near(big[0], 1, 0);
    near(big[1], 1, 0);
    stats_holm(p, 0);
}

/* The share of simulated runs that an exact test of the detectable difference finds: 0.8 or more
 * would be asked of it; McNemar's discreteness costs some. */
static void a_detectable_difference_is_found_four_times_in_five(void **state)
{
    (void)state;
    enum { N = 400, RUNS = 1500 };
    double psi = 0.2, delta = stats_detectable_share(psi, N);
    uint64_t counter = 0;
    int found = 0;
    near(delta, 0.0625, 0.002);
    for (int r = 0; r < RUNS; r++) {
        uint64_t gained = 0, lost = 0;
        for (int i = 0; i < N; i++) {
            double u = uniform(&counter);
            gained += u < (psi + delta) / 2;
            lost += u >= (psi + delta) / 2 && u < psi;
        }
        found += stats_mcnemar(gained, lost) <= 0.05;
    }
    near((double)found / RUNS, 0.79, 0.04);
    near(stats_detectable_share(0, 5), 1, 0);
    assert_true(stats_detectable_share(0, 1000) >= 6.0 / 1000);
    near(stats_detectable_mean(1, 100), 0.2801585, 1e-6);
    assert_true(isinf(stats_detectable_mean(1, 1)));
}

/* ---- type I error: the share of false alarms at 0.05 when there is nothing to find ---- */

/* At most this share of RUNS may reject: nominal and three standard errors of the simulation. */
#define AT_MOST(runs) (0.05 + 3 * sqrt(0.05 * 0.95 / (runs)))

static void mcnemar_cries_wolf_at_most_at_its_level(void **state)
{
    (void)state;
    enum { RUNS = 4000 };
    static const struct {
        int n;
        double discordant;
    } cases[] = {{20, 0.3}, {50, 0.2}, {164, 0.1}, {500, 0.3}};
    uint64_t counter = 1000000;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int rejected = 0;
        for (int r = 0; r < RUNS; r++) {
            uint64_t gained = 0, lost = 0;
            for (int i = 0; i < cases[k].n; i++) {
                double u = uniform(&counter);
                gained += u < cases[k].discordant / 2;
                lost += u >= cases[k].discordant / 2 && u < cases[k].discordant;
            }
            rejected += stats_mcnemar(gained, lost) <= 0.05;
        }
        assert_true((double)rejected / RUNS <= AT_MOST(RUNS));
        assert_true(cases[k].n < 500 || rejected > 0);
    }
}

/* The difference of two systems that are the same, on one item. */
static double difference(int kind, uint64_t *counter)
{
    double u = uniform(counter), v = uniform(counter), w = uniform(counter);
    switch (kind) {
    case 0:
        return u - v; /* graded answers */
    case 1:
        return w < 0.7 ? 0 : u < 0.5 ? -0.25 : 0.25; /* shares of four samples, mostly equal */
    default:
        return u * u * u * u - v * v * v * v; /* heavy tails */
    }
}

static void the_bootstrap_cries_wolf_at_most_at_its_level(void **state)
{
    (void)state;
    enum { RUNS = 600, REPLICATES = 600 };
    static const int sizes[] = {12, 40};
    double d[40];
    uint64_t counter = 9000000;
    for (int kind = 0; kind < 3; kind++) {
        for (int k = 0; k < 2; k++) {
            int rejected = 0;
            for (int r = 0; r < RUNS; r++) {
                for (int i = 0; i < sizes[k]; i++)
                    d[i] = difference(kind, &counter);
                struct resampled s = resample_mean(d, (uint64_t)sizes[k], 7, REPLICATES);
                rejected += s.p <= 0.05;
            }
            if ((double)rejected / RUNS > AT_MOST(RUNS))
                print_error("kind %d, n %d: %d of %d\n", kind, sizes[k], rejected, RUNS);
            assert_true((double)rejected / RUNS <= AT_MOST(RUNS));
        }
    }
}

static void a_real_difference_is_seen_and_bounded(void **state)
{
    (void)state;
    double d[60];
    uint64_t counter = 5;
    for (int i = 0; i < 60; i++)
        d[i] = uniform(&counter) - 0.2; /* mean 0.3, deviation 0.29 */
    struct resampled s = resample_mean(d, 60, 1, RESAMPLE_REPLICATES);
    assert_true(s.p < 0.001 && s.interval.lo > 0.15 && s.interval.hi < 0.45);
    struct resampled again = resample_mean(d, 60, 1, RESAMPLE_REPLICATES);
    assert_memory_equal(&s, &again, sizeof s);
    struct resampled other = resample_mean(d, 60, 2, RESAMPLE_REPLICATES);
    near(other.interval.lo, s.interval.lo, 0.01);
    assert_memory_not_equal(&s, &other, sizeof s);
}

static void degenerate_differences_have_an_answer(void **state)
{
    (void)state;
    double zero[8] = {0}, one[8], few[30] = {0};
    for (int i = 0; i < 8; i++)
        one[i] = 1;
    near(resample_mean(zero, 8, 1, 100).p, 1, 0);
    near(resample_mean(one, 8, 1, 100).p, 2.0 / 256, 1e-12);
    near(resample_mean(one, 8, 1, 100).interval.lo, 1, 0);
    near(resample_mean(one, 1, 1, 100).p, 1, 0);
    assert_true(isnan(resample_mean(one, 1, 1, 100).interval.lo));
    few[3] = 0.5; /* most replicates have no spread: nothing is proven, the ends are finite */
    struct resampled s = resample_mean(few, 30, 1, 1000);
    assert_true(s.p > 0.2 && isfinite(s.interval.lo) && isfinite(s.interval.hi));
}

static void keys_tell_tasks_and_metrics_apart(void **state)
{
    (void)state;
    assert_true(resample_key("ab", "acc") != resample_key("ab", "acc_norm"));
    assert_true(resample_key("ab", "acc") != resample_key("a", "bacc"));
    assert_true(resample_key("ab", "acc") == resample_key("ab", "acc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exponential_is_right_to_its_last_places),
        cmocka_unit_test(paired_proportions_have_newcombes_interval),
        cmocka_unit_test(holm_adjusts_as_published),
        cmocka_unit_test(a_detectable_difference_is_found_four_times_in_five),
        cmocka_unit_test(mcnemar_cries_wolf_at_most_at_its_level),
        cmocka_unit_test(the_bootstrap_cries_wolf_at_most_at_its_level),
        cmocka_unit_test(a_real_difference_is_seen_and_bounded),
        cmocka_unit_test(degenerate_differences_have_an_answer),
        cmocka_unit_test(keys_tell_tasks_and_metrics_apart),
    };
    return cmocka_run_group_tests_name("paired statistics", tests, NULL, NULL);
}
