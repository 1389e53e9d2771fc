/* test_kernels.c - every table of kernels against the definition, bit by bit, over vectors of all
 * lengths, and the definition against plain double arithmetic. Matrices are test_matmul.c's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/worker/kernels_fixture.h"
#include "worker/engine/kernels_impl.h"

/* A row against blocks of keys and values of every size; nothing is written beyond them. */
static void check_attention(const struct kernels *s, const struct kernels *k, uint32_t n)
{
    enum { ROWS = 33 };
    uint32_t total = n * ROWS;
    float *x = make_floats(total), *q = make_floats(n), *p = make_floats(ROWS);
    uint16_t *h = malloc((size_t)total * 2 + 2);
    s->f32_to_f16(x, h, total);
    for (uint32_t rows = 1; rows <= ROWS; rows += rows < 4 ? 1 : 7) {
        uint32_t most = n > rows ? n : rows;
        float *y = calloc(most + 1, 4), *z = calloc(most + 1, 4);
        s->dots_f32(q, x, rows, n, y);
        k->dots_f32(q, x, rows, n, z);
        assert_memory_equal(y, z, (most + 1) * 4);
        s->dots_f16(q, h, rows, n, y);
        k->dots_f16(q, h, rows, n, z);
        assert_memory_equal(y, z, (most + 1) * 4);
        memset(y, 0, (most + 1) * 4);
        memset(z, 0, (most + 1) * 4);
        s->sums_f32(p, x, rows, n, y);
        k->sums_f32(p, x, rows, n, z);
        assert_memory_equal(y, z, (most + 1) * 4);
        s->sums_f16(p, h, rows, n, y);
        k->sums_f16(p, h, rows, n, z);
        assert_memory_equal(y, z, (most + 1) * 4);
        free(y);
        free(z);
    }
    free(x);
    free(q);
    free(p);
    free(h);
}

/* Tiles of rows: what dots, scale, sums and add give row by row; nothing is written beyond. */
static void check_tiles(const struct kernels *s, const struct kernels *k, uint32_t n)
{
    enum { ROWS = 11, STRIDE = KERNEL_BLOCK + 5 };
    static const uint32_t pieces[] = {1, 2, 3, 5};
    uint32_t block = n * KERNEL_BLOCK, total = n * ROWS;
    float *x = make_floats(block), *q = make_floats(total), *p = make_floats(ROWS * STRIDE);
    float *columns = calloc(block + 1, 4), *from_half = calloc(block + 1, 4);
    float *y = calloc(total + 1, 4), *z = calloc(total + 1, 4), *wide = calloc(block + 1, 4);
    float a[ROWS * STRIDE] = {0}, b[ROWS * STRIDE] = {0}, *acc = calloc(n, 4);
    uint16_t *h = malloc((size_t)block * 2);
    uint32_t counts[ROWS];
    s->f32_to_f16(x, h, block);
    k->f16_to_f32(h, wide, block);
    k->columns_f16(h, n, from_half);
    k->columns_f32(wide, n, columns);
    assert_memory_equal(columns, from_half, (block + 1) * 4);
    for (uint32_t i = 0; i < ROWS; i++) {
        s->dots_f16(q + i * n, h, KERNEL_BLOCK, n, a + i * STRIDE);
        s->scale(a + i * STRIDE, 0.3f, KERNEL_BLOCK);
        counts[i] = next_random() % (KERNEL_BLOCK + 1);
    }
    for (uint32_t rows = 1; rows <= ROWS; rows++) { /* each cut into queries that go together */
        memset(b, 0, sizeof b);
        k->dots_tile(q, rows, columns, n, 0.3f, b, STRIDE);
        assert_memory_equal(a, b, rows * STRIDE * 4);
    }
    for (uint32_t i = 0; i < ROWS; i++)
        s->sums_f16(p + i * STRIDE, h, counts[i], n, acc), s->add(y + i * n, acc, n);
    for (uint32_t i = 0, c = 0; i < ROWS; i += pieces[c++])
        k->sums_tile(p + i * STRIDE, STRIDE, counts + i, pieces[c], wide, n, z + i * n);
    assert_memory_equal(y, z, (total + 1) * 4);
    for (uint32_t i = 0; i < ROWS; i++)
        s->sums_f32(p + i * STRIDE, x, counts[i], n, acc), s->add(y + i * n, acc, n);
    k->sums_tile(p, STRIDE, counts, ROWS, x, n, z); /* on top of what is there */
    assert_memory_equal(y, z, (total + 1) * 4);
    void *all[] = {x, q, p, columns, from_half, y, z, wide, acc, h};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* Blocks of bytes with a half for a scale: what the definition gives, not-a-numbers aside. */
static void check_q8(const struct kernels *s, const struct kernels *k, uint32_t n, float *x)
{
    int8_t *q = calloc(n, 1), *r = calloc(n, 1);
    uint16_t *a = calloc(n / 32, 2), *b = calloc(n / 32, 2);
    float *y = calloc(n + 1, 4), *z = calloc(n + 1, 4);
    s->f32_to_q8(x, q, a, n);
    k->f32_to_q8(x, r, b, n);
    assert_memory_equal(q, r, n);
    assert_memory_equal(a, b, n / 32 * 2);
    s->q8_to_f32(q, a, y, n);
    k->q8_to_f32(q, a, z, n);
    for (uint32_t i = 0; i < n; i++)
        if (!(isnan(y[i]) && isnan(z[i])))
            assert_memory_equal(&y[i], &z[i], 4);
    assert_true(z[n] == 0);
    void *all[] = {q, r, a, b, y, z};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void bytes_with_half_scales(void **arg)
{
    (void)arg;
    static const float extremes[] = {1e-40f, 0x1p-101f, 0x1p-100f, 2e-6f, 8e6f,
                                     1e7f,   3e38f,     INFINITY,  NAN,   -0.0f};
    for (unsigned t = 0; kernels_at(t); t++)
        for (uint32_t n = 32; n <= 4096; n *= 2) {
            float *x = make_floats(n);
            check_q8(&kernels_scalar, kernels_at(t), n, x);
            for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
                for (uint32_t j = 0; j < n; j++)
                    x[j] = extremes[i] * (float)(j % 7) / 6;
                check_q8(&kernels_scalar, kernels_at(t), n, x);
            }
            free(x);
        }
}

/* What the definition promises of one block, against doubles. */
static void bytes_are_the_nearest(void **arg)
{
    (void)arg;
    const struct kernels *s = &kernels_scalar;
    float x[32], y[32];
    int8_t q[32];
    uint16_t scale;
    for (uint32_t round = 0; round < 200; round++) {
        double amax = 0;
        float *made = make_floats(32);
        memcpy(x, made, sizeof x);
        free(made);
        for (uint32_t i = 0; i < 32; i++) {
            x[i] = isfinite(x[i]) && fabsf(x[i]) < 1e6f && fabsf(x[i]) > 1e-3f ? x[i] : 1.0f;
            amax = fabs((double)x[i]) > amax ? fabs((double)x[i]) : amax;
        }
        s->f32_to_q8(x, q, &scale, 32);
        s->q8_to_f32(q, &scale, y, 32);
        assert_true(fabs((double)unpack_half_bits(scale) - amax / 127) <= amax / 127 * 0x1p-11);
        for (uint32_t i = 0; i < 32; i++) {
            assert_true(fabs(q[i] - x[i] * 127 / amax) <= 0.5001);
            assert_true(y[i] == unpack_half_bits(scale) * q[i]);
        }
    }
    memset(x, 0, sizeof x);
    x[7] = NAN;
    s->f32_to_q8(x, q, &scale, 32);
    s->q8_to_f32(q, &scale, y, 32);
    assert_true(isnan(y[0]) && isnan(y[7]));
    x[7] = 1e7f; /* a scale beyond the largest half */
    s->f32_to_q8(x, q, &scale, 32);
    s->q8_to_f32(q, &scale, y, 32);
    assert_true(isnan(y[0]) && isinf(y[7]));
    x[7] = 0x1p-101f;
    s->f32_to_q8(x, q, &scale, 32);
    assert_true(scale == 0 && q[7] == 0);
}

/* The sum of long rows: every block on its own, then in order. */
static void exponentials_sum_block_by_block(void **arg)
{
    enum { N = 700 };
    float y[N], z[N];
    (void)arg;
    for (unsigned i = 0; kernels_at(i); i++)
        for (uint32_t n = 1; n <= N; n += n < 40 ? 1 : 61) {
            float *x = make_floats(n), want = 0;
            for (uint32_t j = 0; j < n; j++)
                x[j] *= j % 5 ? 4.0f : 90.0f;
            for (uint32_t j = 0; j < n; j += KERNEL_BLOCK)
                want += kernels_scalar.exp_blocks(x + j, 2.0f, y + j,
                                                  n - j < KERNEL_BLOCK ? n - j : KERNEL_BLOCK);
            float got = kernels_at(i)->exp_blocks(x, 2.0f, z, n);
            assert_memory_equal(&want, &got, 4);
            assert_memory_equal(y, z, n * 4);
            free(x);
        }
}

static void check_vectors(const struct kernels *s, const struct kernels *k, uint32_t n)
{
    float *x = make_floats(n), *w = make_floats(n);
    float *y = malloc(n * 4 + 4), *z = malloc(n * 4 + 4);
    uint16_t *h = malloc(n * 2 + 2), *g = malloc(n * 2 + 2);
    s->f32_to_f16(w, h, n);
    k->f32_to_f16(w, g, n);
    assert_memory_equal(h, g, n * 2);
    float a = s->max(x, n), b = k->max(x, n);
    assert_memory_equal(&a, &b, 4);
    a = s->exp_blocks(x, a, y, n), b = k->exp_blocks(x, a, z, n);
    a = s->exp_blocks(x, 3.0f, y, n), b = k->exp_blocks(x, 3.0f, z, n);
    assert_memory_equal(&a, &b, 4);
    assert_memory_equal(y, z, n * 4);
    s->rms_norm(x, w, 1e-6f, n, y);
    k->rms_norm(x, w, 1e-6f, n, z);
    assert_memory_equal(y, z, n * 4);
    s->silu_mul(x, w, y, n);
    k->silu_mul(x, w, z, n);
    assert_memory_equal(y, z, n * 4);
    s->add(y, w, n);
    k->add(z, w, n);
    assert_memory_equal(y, z, n * 4);
    s->scale(y, 1.7f, n);
    k->scale(z, 1.7f, n);
    assert_memory_equal(y, z, n * 4);
    free(x);
    free(w);
    free(y);
    free(z);
    free(h);
    free(g);
}

static void vector_functions_give_the_same_bits(void **arg)
{
    (void)arg;
    for (unsigned i = 1; kernels_at(i); i++)
        for (uint32_t n = 1; n < 150; n++) {
            check_vectors(&kernels_scalar, kernels_at(i), n);
            check_attention(&kernels_scalar, kernels_at(i), n);
        }
    for (unsigned i = 0; kernels_at(i); i++)
        for (uint32_t n = 1; n < 150; n += n < 70 ? 1 : 29)
            check_tiles(&kernels_scalar, kernels_at(i), n);
}

static void expf_gives_the_same_bits_over_its_whole_range(void **arg)
{
    (void)arg;
    enum { N = 4096 };
    static float x[N], y[N], z[N];
    for (unsigned i = 1; kernels_at(i); i++)
        for (int round = 0; round < 12; round++) {
            for (int j = 0; j < N; j++) {
                uint32_t u = next_random(); /* any bits: subnormal, huge, infinite */
                memcpy(&x[j], &u, 4);
                if (round % 2)
                    x[j] = next_float() * 106.0f;
                if (isnan(x[j]))
                    x[j] = 1.0f;
            }
            x[0] = INFINITY, x[1] = -INFINITY, x[2] = -0.0f, x[3] = 88.73f, x[4] = -103.98f;
            float a = kernels_scalar.exp_blocks(x, 0.0f, y, N);
            float b = kernels_at(i)->exp_blocks(x, 0.0f, z, N);
            assert_memory_equal(y, z, sizeof(y));
            assert_true(a == b);
            x[5] = NAN;
            kernels_at(i)->exp_blocks(x, 0.0f, z, 16);
            assert_true(isnan(z[5]) && isinf(z[0]) && z[1] == 0.0f);
        }
}

/* Sums of one and of many, from far below zero's end to above infinity's. */
static void exp_sums_are_those_of_the_definition(void **arg)
{
    (void)arg;
    enum { N = 45 };
    for (unsigned i = 0; kernels_at(i); i++)
        for (int round = 0; round < 3000; round++) {
            float x[N], spread = round % 3 ? 40.0f : 760.0f;
            double a[N], b[N], want = 0;
            uint32_t n = 1 + next_random() % N;
            double m = round % 2 ? 0 : (double)(next_float() * spread);
            double t = round % 5 ? 1 : 0.01 + fabs((double)next_float());
            for (uint32_t j = 0; j < n; j++) {
                x[j] = next_float() * spread;
                double e = det_exp(((double)x[j] - m) / t);
                double one = kernels_at(i)->exp_sum(&x[j], m, t, NULL, 1);
                assert_memory_equal(&e, &one, sizeof e);
                want += e;
                a[j] = want;
            }
            double got = kernels_at(i)->exp_sum(x, m, t, b, n);
            assert_memory_equal(a, b, n * sizeof *a);
            assert_memory_equal(&want, &got, sizeof got);
        }
}

static void exp_sums_of_what_is_no_number(void **arg)
{
    (void)arg;
    for (unsigned i = 0; kernels_at(i); i++) {
        float x[9] = {0, -INFINITY, -0.0f, -800, 0, 0, 0, 0, 0};
        assert_true(kernels_at(i)->exp_sum(x, 0, 1, NULL, 9) == 7);
        x[4] = INFINITY;
        assert_true(kernels_at(i)->exp_sum(x, 0, 1, NULL, 9) == (double)INFINITY);
        x[8] = NAN;
        assert_true(isnan(kernels_at(i)->exp_sum(x, 0, 1, NULL, 9)));
    }
}

static void halves_round_alike_everywhere(void **arg)
{
    (void)arg;
    enum { N = 8192 };
    static float x[N];
    static uint16_t a[N], b[N];
    for (unsigned i = 1; kernels_at(i); i++)
        for (int round = 0; round < 10; round++) {
            for (int j = 0; j < N; j++) {
                uint32_t u = next_random();
                if (round % 2)
                    u = (u & 0x80000000) | (0x33000000 + (u & 0x7fffffff) % 0x14800000);
                if (round % 4 == 1)
                    u &= ~0xfffu;
                memcpy(&x[j], &u, 4);
            }
            kernels_scalar.f32_to_f16(x, a, N);
            kernels_at(i)->f32_to_f16(x, b, N);
            assert_memory_equal(a, b, sizeof(a));
        }
}

static void silu_and_norm_are_close_to_exact(void **arg)
{
    (void)arg;
    float x[64], w[64], y[64];
    double squares = 0;
    for (int i = 0; i < 64; i++) {
        x[i] = next_float() * 20.0f;
        w[i] = next_float();
        squares += (double)x[i] * (double)x[i];
    }
    kernels_scalar.silu_mul(x, w, y, 64);
    for (int i = 0; i < 64; i++) {
        double want = (double)x[i] / (1.0 + exp(-(double)x[i])) * (double)w[i];
        assert_true(fabs((double)y[i] - want) <= fabs(want) * 1e-6);
    }
    kernels_scalar.rms_norm(x, w, 1e-5f, 64, y);
    for (int i = 0; i < 64; i++) {
        double want = (double)x[i] / sqrt(squares / 64 + 1e-5) * (double)w[i];
        assert_true(fabs((double)y[i] - want) <= fabs(want) * 1e-6);
    }
    float big[2] = {-200.0f, 200.0f}, one[2] = {1.0f, 1.0f}, out[2];
    kernels_scalar.silu_mul(big, one, out, 2);
    assert_true(out[0] == 0.0f && out[1] == 200.0f);
}

static void choosing_names_what_is_there(void **arg)
{
    (void)arg;
    struct px_err err;
    assert_ptr_equal(kernels_choose("scalar", &err), &kernels_scalar);
    unsigned n = 0;
    while (kernels_at(n)) {
        assert_ptr_equal(kernels_choose(kernels_at(n)->isa, &err), kernels_at(n));
        n++;
    }
    assert_ptr_equal(kernels_choose("auto", &err), kernels_at(n - 1));
    assert_null(kernels_choose("sse9", &err));
    assert_non_null(strstr(err.text, "sse9"));
    assert_non_null(strstr(err.text, "scalar"));
    printf("tables:");
    for (unsigned i = 0; kernels_at(i); i++)
        printf(" %s", kernels_at(i)->isa);
    printf("\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_functions_give_the_same_bits),
        cmocka_unit_test(bytes_with_half_scales),
        cmocka_unit_test(bytes_are_the_nearest),
        cmocka_unit_test(exponentials_sum_block_by_block),
        cmocka_unit_test(expf_gives_the_same_bits_over_its_whole_range),
        cmocka_unit_test(exp_sums_are_those_of_the_definition),
        cmocka_unit_test(exp_sums_of_what_is_no_number),
        cmocka_unit_test(halves_round_alike_everywhere),
        cmocka_unit_test(silu_and_norm_are_close_to_exact),
        cmocka_unit_test(choosing_names_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
