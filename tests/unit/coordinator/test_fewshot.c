/* test_fewshot.c - draws of examples: Python's to the number, ours by seed and problem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "coordinator/task/fewshot.h"
#include "proto/python_random.h"

static void the_generator_is_pythons(void **state)
{
    (void)state;
    static const uint32_t want[] = {4150886329u, 3342196574u, 1892932127u,
                                    501869158u,  32175636u,   389311301u};
    struct python_random r;
    python_random_seed(&r, 1234);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(python_random_bits32(&r), want[i]);
}

/* The other draws: random(), shuffle (by randbelow) and choices. */
static void its_draws_are_pythons(void **state)
{
    (void)state;
    static const double reals[] = {0.9664535356921388, 0.4407325991753527, 0.007491470058587191};
    static const uint32_t shuffled[] = {2, 8, 3, 5, 6, 4, 9, 0, 1, 7};
    static const uint32_t chosen[] = {8, 7, 4, 2, 5, 4, 7, 3, 4, 5};
    struct python_random r;
    python_random_seed(&r, 1234);
    for (size_t i = 0; i < 3; i++)
        assert_true(python_random_real(&r) == reals[i]);
    uint32_t list[10];
    for (uint32_t i = 0; i < 10; i++)
        list[i] = i;
    python_random_seed(&r, 1234);
    for (uint32_t i = 9; i >= 1; i--) {
        uint32_t j = python_random_below(&r, i + 1), kept = list[i];
        list[i] = list[j];
        list[j] = kept;
    }
    assert_memory_equal(list, shuffled, sizeof list);
    python_random_seed(&r, 0);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(python_random_choice(&r, 10), chosen[i]);
}

static void assert_samples(uint32_t n, uint32_t k, const uint32_t *want, uint32_t n_calls)
{
    struct python_random r;
    uint32_t out[64];
    python_random_seed(&r, 1234);
    for (uint32_t c = 0; c < n_calls; c++) {
        python_random_sample(&r, n, k, out);
        for (uint32_t i = 0; i < k; i++)
            assert_int_equal(out[i], want[c * k + i]);
    }
}

static void samples_are_pythons(void **state)
{
    (void)state;
    static const uint32_t gsm8k[] = {6374, 3610, 957, 61,   742,  7462, 6610, 4769, 286,  5501,
                                     5677, 687,  806, 6279, 2905, 1939, 142,  252,  6461, 129};
    static const uint32_t swag[] = {28883, 7657,  490,   5940, 38156, 2288,  5500,  6450,
                                    23241, 15519, 1142,  2019, 1038,  22681, 31735, 30379,
                                    9735,  5982,  11999, 7498, 958,   32970};
    static const uint32_t arc[] = {902, 239, 15,  185, 71,  171, 201, 726,  484, 35,  63,  32,  708,
                                   991, 949, 304, 186, 374, 234, 29,  1030, 996, 511, 132, 1108};
    static const uint32_t easy[] = {1805, 478, 30,   371,  143,  343,  403, 1452, 969,
                                    71,   126, 64,   1417, 1983, 1898, 608, 373,  749,
                                    468,  59,  2060, 1993, 1023, 264,  2216};
    static const uint32_t small[] = {7, 1, 0, 1, 0, 9, 1, 5, 3};
    assert_samples(7473, 5, gsm8k, 4);
    assert_samples(39905, 11, swag, 2);
    assert_samples(2251, 25, easy, 1);
    assert_samples(1119, 25, arc, 1);
    assert_samples(10, 3, small, 3);
}

static void seeds_beyond_32_bits_are_two_digits(void **state)
{
    (void)state;
    struct python_random a, b;
    python_random_seed(&a, 1234);
    python_random_seed(&b, 1234 + (UINT64_C(1) << 32));
    assert_int_not_equal(python_random_bits32(&a), python_random_bits32(&b));
}

static const struct fewshot_draw own = {.selection = FEWSHOT_RANDOM,
                                        .seed = 1,
                                        .task = "t",
                                        .n_pool = 12,
                                        .n_problems = 12,
                                        .own_rows = true};

static void our_draws_depend_on_seed_and_problem_alone(void **state)
{
    (void)state;
    struct fewshot_draw d = own;
    struct px_err err;
    uint32_t a[5], b[5], c[5], longer[8];
    assert_int_equal(fewshot_pick(&d, NULL, 3, "p3", 5, a, &err), 0);
    assert_int_equal(fewshot_pick(&d, NULL, 4, "p4", 5, b, &err), 0);
    assert_int_equal(fewshot_pick(&d, NULL, 3, "p3", 5, c, &err), 0);
    assert_memory_equal(a, c, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(fewshot_pick(&d, NULL, 3, "p3", 8, longer, &err), 0);
    assert_memory_equal(a, longer, sizeof a); /* more shots begin with the same ones */
    d.seed = 2;
    assert_int_equal(fewshot_pick(&d, NULL, 3, "p3", 5, c, &err), 0);
    assert_memory_not_equal(a, c, sizeof a);
}

static void a_problem_is_never_its_own_example(void **state)
{
    (void)state;
    static const enum fewshot_selection all[] = {FEWSHOT_RANDOM, FEWSHOT_FIRST, FEWSHOT_LM_EVAL};
    struct px_err err;
    for (size_t s = 0; s < 3; s++) {
        struct fewshot_draw d = own;
        struct fewshot_table table = {0};
        d.selection = all[s];
        for (uint32_t i = 0; i < 12; i++) {
            uint32_t out[11];
            assert_int_equal(fewshot_pick(&d, &table, i, "x", 11, out, &err), 0);
            uint32_t seen = 0;
            for (size_t k = 0; k < 11; k++) {
                assert_int_not_equal(out[k], i);
                assert_true(out[k] < 12 && !(seen >> out[k] & 1));
                seen |= 1u << out[k];
            }
        }
        fewshot_table_clear(&table);
    }
}

/* lm-eval draws eleven of HellaSwag's training rows for ten examples. */
static void one_more_is_drawn_and_dropped(void **state)
{
    (void)state;
    static const uint32_t want[] = {28883, 7657,  490,   5940, 38156, 2288, 5500,
                                    6450,  23241, 15519, 2019, 1038,  22681};
    struct fewshot_draw d = {.selection = FEWSHOT_LM_EVAL,
                             .seed = 1234,
                             .task = "t",
                             .n_pool = 39905,
                             .n_problems = 2,
                             .one_more = true};
    struct fewshot_table table = {0};
    struct px_err err;
    uint32_t out[20];
    assert_int_equal(fewshot_pick(&d, &table, 0, "x", 10, out, &err), 0);
    assert_int_equal(fewshot_pick(&d, &table, 1, "y", 10, out + 10, &err), 0);
    assert_memory_equal(out, want, sizeof want);
    fewshot_table_clear(&table);
    d.n_pool = 10;
    assert_int_equal(fewshot_check(&d, 10, &err), -1);
}

static void the_first_rows_are_taken_in_order(void **state)
{
    (void)state;
    struct fewshot_draw d = own;
    struct px_err err;
    uint32_t out[3];
    d.selection = FEWSHOT_FIRST;
    assert_int_equal(fewshot_pick(&d, NULL, 1, "x", 3, out, &err), 0);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 2);
    assert_int_equal(out[2], 3);
}

static void more_shots_than_rows_are_refused(void **state)
{
    (void)state;
    struct fewshot_draw d = own;
    struct px_err err;
    uint32_t out[64];
    assert_int_equal(fewshot_pick(&d, NULL, 1, "x", 12, out, &err), -1);
    assert_string_equal(err.text, "12 shots, but there are only 12 rows to draw them from, the "
                                  "problem among them");
    d.own_rows = false;
    assert_int_equal(fewshot_pick(&d, NULL, 1, "x", 12, out, &err), 0);
    d.n_pool = 0;
    assert_int_equal(fewshot_pick(&d, NULL, 1, "x", 1, out, &err), -1);
    assert_int_equal(fewshot_pick(&d, NULL, 1, "x", 0, out, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_pythons),
        cmocka_unit_test(its_draws_are_pythons),
        cmocka_unit_test(samples_are_pythons),
        cmocka_unit_test(seeds_beyond_32_bits_are_two_digits),
        cmocka_unit_test(our_draws_depend_on_seed_and_problem_alone),
        cmocka_unit_test(a_problem_is_never_its_own_example),
        cmocka_unit_test(one_more_is_drawn_and_dropped),
        cmocka_unit_test(the_first_rows_are_taken_in_order),
        cmocka_unit_test(more_shots_than_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
