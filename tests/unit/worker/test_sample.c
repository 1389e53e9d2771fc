/* test_sample.c - the generator's known answers, ties, filters and frequencies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/engine/sample.h"

enum { N = 1000, DRAWS = 4000 };

/* The three vectors of the generator's authors (Random123, kat_vectors). */
static void philox_gives_the_published_numbers(void **state)
{
    static const uint32_t vectors[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        sample_philox(vectors[i], vectors[i] + 4, out);
        assert_memory_equal(out, vectors[i] + 6, sizeof out);
    }
}

static void argmax_ties_go_to_the_lower_id(void **state)
{
    float l[] = {1, 3, 2, 3, -1};
    (void)state;
    assert_int_equal(sample_argmax(kernels_at(0), l, 5), 1);
    assert_int_equal(sample_argmax(kernels_at(0), l, 1), 0);
    struct sampler_spec greedy = {.top_p = 1};
    struct sample_key key = {.seed = 1};
    assert_int_equal(sample_token(kernels_at(0), l, 5, &greedy, &key), 1);
}

/* Against the plain loop: few different values, so that there are ties, and what is no number. */
static void argmax_is_that_of_the_plain_loop(void **state)
{
    enum { LONG = 5000 };
    float l[LONG];
    uint32_t r = 1;
    (void)state;
    for (int round = 0; round < 300; round++) {
        uint32_t n = 1, best = 0, values = round % 2 ? 50 : 100000;
        for (uint32_t i = 0; i < LONG; i++) {
            r = r * 1664525 + 1013904223;
            l[i] = (float)(r >> 8 & 0xffff) * (1.0f / 16) - (float)(r % values);
            if (round % 7 == 3 && i > 0 && r >> 28 == 0)
                l[i] = r & 1 << 20 ? NAN : -INFINITY;
        }
        n += r % LONG;
        for (uint32_t i = 1; i < n; i++)
            if (l[i] > l[best])
                best = i;
        for (unsigned k = 0; kernels_at(k); k++)
            assert_int_equal(sample_argmax(kernels_at(k), l, n), best);
    }
    l[0] = NAN;
    assert_int_equal(sample_argmax(kernels_at(0), l, LONG), 0);
}

/* With no filter the draw is the first token whose running sum of weights exceeds u times all. */
static void plain_draws_walk_through_the_ids(void **state)
{
    struct sampler_spec s = {.temperature = 0.7, .top_p = 1};
    float l[N];
    (void)state;
    for (int i = 0; i < N; i++)
        l[i] = (float)sin(i * 1.7) * 4;
    double best = (double)l[sample_argmax(kernels_at(0), l, N)];
    for (uint32_t d = 0; d < 200; d++) {
        struct sample_key key = {.seed = 3, .position = d};
        double total = 0, sum = 0, u = sample_uniform(&key);
        uint32_t want = 0;
        for (int i = 0; i < N; i++)
            total += det_exp(((double)l[i] - best) / s.temperature);
        while ((sum += det_exp(((double)l[want] - best) / s.temperature)) <= u * total)
            want++;
        for (unsigned k = 0; kernels_at(k); k++)
            assert_int_equal(sample_token(kernels_at(k), l, N, &s, &key), want);
    }
}

static void infinite_logits_are_noticed(void **state)
{
    float l[] = {1, 2, 3, 1e30f};
    (void)state;
    assert_true(sample_finite(l, 4));
    l[2] = NAN;
    assert_false(sample_finite(l, 4));
    l[2] = -INFINITY;
    assert_false(sample_finite(l, 4));
}

static void log_sum_exp_is_accurate(void **state)
{
    float l[N];
    double want = 0;
    (void)state;
    for (int i = 0; i < N; i++) {
        l[i] = (float)sin(i) * 20 + 300;
        want += exp((double)l[i] - 300);
    }
    assert_true(fabs(sample_log_sum_exp(kernels_at(0), l, N) - (300 + log(want))) < 1e-12 * 300);
}

static void make_logits(float *l)
{
    for (int i = 0; i < N; i++)
        l[i] = (float)(8 * sin(i * 12.9898) * cos(i * 78.233));
}

static struct sample_key nth(uint32_t i)
{
    return (struct sample_key){.seed = 42, .problem = 7, .sample = i / 64, .position = i % 64};
}

static void bad_samplers_are_refused(void **state)
{
    static const struct sampler_spec bad[] = {{.temperature = -1, .top_p = 1},
                                              {.temperature = NAN, .top_p = 1},
                                              {.temperature = INFINITY, .top_p = 1},
                                              {.temperature = 1e-9, .top_p = 1},
                                              {.temperature = 1, .top_p = 0},
                                              {.temperature = 1, .top_p = 1.5},
                                              {.temperature = 1, .top_p = 1, .top_k = -1},
                                              {.temperature = 1, .top_p = 1, .min_p = 2}};
    struct sampler_spec good = {.temperature = 1, .top_p = 1};
    struct px_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sample_check(&bad[i], &err), -1);
    assert_int_equal(sample_check(&good, &err), 0);
}

struct ranked {
    float logit;
    uint32_t id;
};

static int by_logit(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return a->id < b->id ? -1 : 1;
}

/* The definition, without shortcuts: everything sorted, then the three filters. */
static uint32_t reference_kept(const float *l, const struct sampler_spec *s, struct ranked *r)
{
    double total = 0, sum = 0;
    for (uint32_t i = 0; i < N; i++)
        r[i] = (struct ranked){l[i], i};
    qsort(r, N, sizeof *r, by_logit);
    uint32_t m = s->top_k && s->top_k < N ? (uint32_t)s->top_k : N, kept = 0;
    for (uint32_t i = 0; i < m; i++)
        total += exp((double)(r[i].logit - r[0].logit) / s->temperature);
    while (kept < m && sum < s->top_p * total - 1e-12)
        sum += exp((double)(r[kept++].logit - r[0].logit) / s->temperature);
    if (s->top_p >= 1)
        kept = m;
    while (kept > 1 && exp((double)(r[kept - 1].logit - r[0].logit) / s->temperature) < s->min_p)
        kept--;
    return kept;
}

/* Frequencies of what is kept, and nothing else is ever drawn. */
static void draws_follow_the_filtered_distribution(void **state)
{
    static const struct sampler_spec specs[] = {
        {.temperature = 1, .top_p = 1},
        {.temperature = 1, .top_p = 0.7},
        {.temperature = 1.5, .top_p = 1, .top_k = 10},
        {.temperature = 1, .top_p = 1, .min_p = 0.3},
        {.temperature = 2, .top_p = 0.95, .top_k = 40, .min_p = 0.05},
        {.temperature = 50, .top_p = 0.999},
        {.temperature = 0.05, .top_p = 0.9},
        {.temperature = 5, .top_p = 1, .min_p = 1e-9},
        {.temperature = 1, .top_p = 0.5, .top_k = N + 5}};
    float l[N];
    (void)state;
    make_logits(l);
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        struct ranked r[N];
        uint32_t kept = reference_kept(l, &specs[s], r), count[N] = {0};
        double total = 0;
        for (uint32_t i = 0; i < DRAWS; i++) {
            struct sample_key key = nth(i);
            count[sample_token(kernels_at(0), l, N, &specs[s], &key)]++;
        }
        for (uint32_t i = 0; i < kept; i++)
            total += exp((double)(r[i].logit - r[0].logit) / specs[s].temperature);
        for (uint32_t i = 0; i < N; i++) {
            double p = i < kept
                           ? exp((double)(r[i].logit - r[0].logit) / specs[s].temperature) / total
                           : 0;
            double off = fabs(count[r[i].id] - p * DRAWS);
            if (off > 6 * sqrt(p * DRAWS) + (i < kept ? 3 : 0))
                fail_msg("sampler %zu, token of rank %u: %u draws, %.1f expected", s, i,
                         count[r[i].id], p * DRAWS);
        }
    }
}

static void every_part_of_the_key_matters(void **state)
{
    struct sample_key a = {1, 2, 3, 4}, b = {2, 2, 3, 4}, c = {1, 3, 3, 4}, d = {1, 2, 4, 4},
                      e = {1, 2, 3, 5};
    double u = sample_uniform(&a);
    (void)state;
    assert_true(u >= 0 && u < 1);
    assert_true(u == sample_uniform(&a)); /* exactly */
    assert_true(u != sample_uniform(&b) && u != sample_uniform(&c) && u != sample_uniform(&d) &&
                u != sample_uniform(&e));
    assert_true(sample_problem_hash("HumanEval/1") != sample_problem_hash("HumanEval/2"));
    /* SHA-256 of nothing begins e3b0c44298fc1c14. */
    assert_true(sample_problem_hash("") == 0x141cfc9842c4b0e3u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(argmax_ties_go_to_the_lower_id),
        cmocka_unit_test(argmax_is_that_of_the_plain_loop),
        cmocka_unit_test(plain_draws_walk_through_the_ids),
        cmocka_unit_test(infinite_logits_are_noticed),
        cmocka_unit_test(log_sum_exp_is_accurate),
        cmocka_unit_test(bad_samplers_are_refused),
        cmocka_unit_test(draws_follow_the_filtered_distribution),
        cmocka_unit_test(every_part_of_the_key_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
