/* test_kernels.c - the definition against plain double arithmetic, and every other table of
 * kernels against the definition, bit by bit, over random shapes, ranges and values. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

static const enum ggml_type TYPES[] = {GGML_F32,  GGML_F16,  GGML_BF16, GGML_Q4_0,   GGML_Q4_1,
                                       GGML_Q5_0, GGML_Q5_1, GGML_Q8_0, GGML_Q2_K,   GGML_Q3_K,
                                       GGML_Q4_K, GGML_Q5_K, GGML_Q6_K, GGML_IQ4_NL, GGML_IQ4_XS};
static const char *const TYPE_NAMES[] = {"F32",  "F16",  "BF16", "Q4_0",   "Q4_1",
                                         "Q5_0", "Q5_1", "Q8_0", "Q2_K",   "Q3_K",
                                         "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

static uint64_t state = 0x2545f4914f6cdd1dull;

static uint32_t next_random(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 32);
}

static float next_float(void)
{
    return (float)((double)next_random() * 0x1p-31 - 1.0);
}

/* Offset of the (first) half-precision scale in a block, and of the second or -1. */
static void scale_places(enum ggml_type type, int *a, int *b)
{
    *b = -1;
    switch (type) {
    case GGML_Q4_1:
    case GGML_Q5_1:
    case GGML_Q4_K:
    case GGML_Q5_K:
        *a = 0;
        *b = 2;
        break;
    case GGML_Q2_K:
        *a = 80;
        *b = 82;
        break;
    case GGML_Q3_K:
        *a = 108;
        break;
    case GGML_Q6_K:
        *a = 208;
        break;
    default:
        *a = 0;
        break;
    }
}

static void put_half(uint8_t *p, float f)
{
    uint16_t h = f32_to_f16(f);
    memcpy(p, &h, 2);
}

/* Random weights: any bits in the blocks, scales of ordinary size. Owned. */
static uint8_t *make_weights(enum ggml_type type, uint32_t n_in, uint32_t n_out)
{
    size_t row = weight_row_bytes(type, n_in), total = row * n_out;
    uint8_t *p = malloc(total + 1);
    p++; /* rows need no alignment */
    struct quant_format f = quant_format(type);
    if (f.block == 0) {
        for (size_t i = 0; i < (size_t)n_in * n_out; i++) {
            float v = next_float();
            if (type == GGML_F16)
                put_half(p + 2 * i, v);
            else if (type == GGML_BF16)
                memcpy(p + 2 * i, (uint8_t *)&v + 2, 2);
            else
                memcpy(p + 4 * i, &v, 4);
        }
        return p;
    }
    for (size_t i = 0; i < total; i++)
        p[i] = next_random() % 8 == 0 ? (next_random() % 2 ? 0x80 : 0xff) : (uint8_t)next_random();
    int a, b;
    scale_places(type, &a, &b);
    for (size_t k = 0; k < total / f.bytes; k++) {
        put_half(p + k * f.bytes + a, next_float() * 0.01f);
        if (b >= 0)
            put_half(p + k * f.bytes + b, next_float() * 0.01f);
    }
    return p;
}

static void drop_weights(uint8_t *p)
{
    free(p - 1);
}

static float *make_floats(size_t n)
{
    float *x = malloc(n * 4 + 4);
    for (size_t i = 0; i < n; i++)
        x[i] = next_float() * (next_random() % 16 ? 1.0f : 30.0f);
    return x;
}

static uint32_t pick_n_in(enum ggml_type type)
{
    struct quant_format f = quant_format(type);
    if (f.block == 0)
        return 1 + next_random() % 700;
    return f.block * (1 + next_random() % (f.block == 32 ? 27 : 4));
}

/* The matrix product of one table, rows placed y_stride apart, all of y returned. Owned. */
static float *product(const struct kernels *k, const struct weight *w, const float *x,
                      uint32_t rows, size_t y_stride, uint32_t o0, uint32_t o1)
{
    size_t n = k->act_bytes(w->type, w->n_in, rows);
    void *act = aligned_alloc(64, act_round64(n));
    k->act_prepare(w->type, x, w->n_in, rows, act);
    float *y = malloc(rows * y_stride * 4);
    for (size_t i = 0; i < rows * y_stride; i++)
        y[i] = 12345.0f;
    k->matmul(w, act, rows, y, y_stride, o0, o1);
    free(act);
    return y;
}

static void definition_is_close_to_exact_arithmetic(void **arg)
{
    (void)arg;
    for (size_t t = 0; t < N_TYPES; t++)
        for (int round = 0; round < 3; round++) {
            uint32_t n_in = pick_n_in(TYPES[t]), n_out = 1 + next_random() % 20, rows = 3;
            uint8_t *data = make_weights(TYPES[t], n_in, n_out);
            float *x = make_floats((size_t)rows * n_in), *wide = malloc((size_t)n_in * 4);
            struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
            float *y = product(&kernels_scalar, &w, x, rows, n_out, 0, n_out);
            for (uint32_t o = 0; o < n_out; o++) {
                dequantize(TYPES[t], data + o * weight_row_bytes(TYPES[t], n_in), wide, n_in);
                for (uint32_t r = 0; r < rows; r++) {
                    double want = 0, size = 0, bound = 0;
                    for (uint32_t i = 0; i < n_in; i++) {
                        double v = (double)x[r * n_in + i], top = 0;
                        want += (double)wide[i] * v;
                        size += fabs((double)wide[i] * v);
                        for (uint32_t j = i / 32 * 32; j < i / 32 * 32 + 32 && j < n_in; j++)
                            top = fmax(top, fabs((double)x[r * n_in + j]));
                        bound += fabs((double)wide[i]) * top / 127 * 0.5;
                    }
                    if (quant_format(TYPES[t]).block == 0)
                        bound = 0;
                    double e = fabs((double)y[r * n_out + o] - want);
                    assert_true(e <= bound * 1.001 + size * 1e-5);
                }
            }
            free(y);
            free(wide);
            free(x);
            drop_weights(data);
        }
}

/* Owned, 64-byte aligned. */
static uint8_t *pack(enum ggml_type type, const uint8_t *rows, uint32_t n_in, uint32_t n_out)
{
    uint64_t bytes = panels_bytes(type, n_in, n_out);
    uint8_t *p = aligned_alloc(64, bytes);
    memset(p, 0xa5, bytes);
    panels_pack(type, rows, n_in, n_out, 0, (n_out + PANEL_OUTPUTS - 1) / PANEL_OUTPUTS, p);
    return p;
}

static void panels_hold_the_same_values(void **arg)
{
    (void)arg;
    for (size_t t = 0; t < N_TYPES; t++)
        for (int round = 0; round < 4 && panels_suit(TYPES[t]); round++) {
            uint32_t n_in = pick_n_in(TYPES[t]), n_out = 1 + next_random() % 40;
            uint8_t *data = make_weights(TYPES[t], n_in, n_out);
            uint8_t *panels = pack(TYPES[t], data, n_in, n_out);
            float *a = malloc((size_t)n_in * 4), *b = malloc((size_t)n_in * 4);
            for (uint32_t o = 0; o < n_out; o++) {
                dequantize(TYPES[t], data + o * weight_row_bytes(TYPES[t], n_in), a, n_in);
                panels_row(TYPES[t], panels, n_in, o, b);
                if (memcmp(a, b, (size_t)n_in * 4) != 0)
                    fail_msg("%s: row %u of %u, %u values", TYPE_NAMES[t], o, n_out, n_in);
            }
            free(a);
            free(b);
            free(panels);
            drop_weights(data);
        }
}

/* Rows and panels, the definition and every other table. */
static void panels_give_the_same_products(void **arg)
{
    static const uint32_t ROWS[] = {1, 2, 3, 5, 7, 8, 13, 16, 33};
    (void)arg;
    for (unsigned i = 0; kernels_at(i); i++)
        for (size_t t = 0; t < N_TYPES; t++)
            for (size_t j = 0; j < sizeof ROWS / sizeof *ROWS && panels_suit(TYPES[t]); j++) {
                uint32_t n_in = pick_n_in(TYPES[t]), n_out = 1 + next_random() % 100;
                uint32_t n_panels = (n_out + PANEL_OUTPUTS - 1) / PANEL_OUTPUTS, rows = ROWS[j];
                uint32_t first = next_random() % n_panels;
                uint32_t last = first + 1 + next_random() % (n_panels - first);
                uint32_t o0 = first * PANEL_OUTPUTS, o1 = last * PANEL_OUTPUTS;
                o1 = o1 < n_out ? o1 : n_out;
                uint8_t *data = make_weights(TYPES[t], n_in, n_out);
                uint8_t *panels = pack(TYPES[t], data, n_in, n_out);
                float *x = make_floats((size_t)rows * n_in);
                struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
                struct weight p = {TYPES[t], panels, n_in, n_out, WEIGHT_PANELS};
                size_t stride = n_out + next_random() % 3;
                float *a = product(&kernels_scalar, &w, x, rows, stride, o0, o1);
                float *b = product(kernels_at(i), &p, x, rows, stride, o0, o1);
                if (memcmp(a, b, rows * stride * 4) != 0)
                    fail_msg("%s differs: %s, rows %u, n_in %u, outputs [%u, %u) of %u",
                             kernels_at(i)->isa, TYPE_NAMES[t], rows, n_in, o0, o1, n_out);
                free(a);
                free(b);
                free(x);
                free(panels);
                drop_weights(data);
            }
}

static void all_tables_give_the_same_bits(void **arg)
{
    (void)arg;
    for (unsigned i = 1; kernels_at(i); i++)
        for (size_t t = 0; t < N_TYPES; t++)
            for (uint32_t rows = 1; rows <= 17; rows++) {
                uint32_t n_in = pick_n_in(TYPES[t]), n_out = 1 + next_random() % 50;
                uint32_t o0 = next_random() % n_out;
                uint32_t o1 = o0 + 1 + next_random() % (n_out - o0);
                uint8_t *data = make_weights(TYPES[t], n_in, n_out);
                float *x = make_floats((size_t)rows * n_in);
                if (rows == 5) /* a block of zeros, and one of tiny values */
                    for (uint32_t j = 0; j < n_in && j < 64; j++)
                        x[j] = j < 32 ? 0.0f : 1e-38f;
                struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
                size_t stride = n_out + next_random() % 3;
                float *a = product(&kernels_scalar, &w, x, rows, stride, o0, o1);
                float *b = product(kernels_at(i), &w, x, rows, stride, o0, o1);
                if (memcmp(a, b, rows * stride * 4) != 0)
                    fail_msg("%s differs: %s, rows %u, n_in %u, outputs [%u, %u) of %u",
                             kernels_at(i)->isa, TYPE_NAMES[t], rows, n_in, o0, o1, n_out);
                free(a);
                free(b);
                free(x);
                drop_weights(data);
            }
}

static void a_row_does_not_depend_on_the_others(void **arg)
{
    (void)arg;
    for (unsigned i = 0; kernels_at(i); i++)
        for (size_t t = 0; t < N_TYPES; t++) {
            uint32_t n_in = pick_n_in(TYPES[t]), n_out = 35, rows = 9 + next_random() % 70;
            uint8_t *data = make_weights(TYPES[t], n_in, n_out);
            float *x = make_floats((size_t)rows * n_in);
            struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
            float *all = product(kernels_at(i), &w, x, rows, n_out, 0, n_out);
            for (int k = 0; k < 6; k++) {
                uint32_t r = next_random() % rows, o = next_random() % n_out;
                float *one = product(kernels_at(i), &w, x + (size_t)r * n_in, 1, n_out, o, n_out);
                assert_memory_equal(all + r * n_out + o, one + o, (n_out - o) * 4);
                free(one);
            }
            free(all);
            free(x);
            drop_weights(data);
        }
}

/* All at their extremes: 16-bit sums in a vector kernel would saturate here. */
static void extreme_values_do_not_saturate(void **arg)
{
    (void)arg;
    for (unsigned i = 1; kernels_at(i); i++)
        for (size_t t = 3; t < N_TYPES; t++)
            for (int fill = 0; fill < 4; fill++) {
                uint32_t n_in = 512, n_out = 19;
                uint8_t *data = make_weights(TYPES[t], n_in, n_out);
                struct quant_format f = quant_format(TYPES[t]);
                size_t total = weight_row_bytes(TYPES[t], n_in) * n_out;
                memset(data, fill % 2 ? 0xff : 0x80, total);
                int a, b;
                scale_places(TYPES[t], &a, &b);
                for (size_t k = 0; k < total / f.bytes; k++) {
                    put_half(data + k * f.bytes + a, 0.5f);
                    if (b >= 0)
                        put_half(data + k * f.bytes + b, 0.25f);
                }
                float x[512];
                for (int j = 0; j < 512; j++)
                    x[j] = fill < 2 ? 3.0f : -3.0f;
                struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
                float *p = product(&kernels_scalar, &w, x, 1, n_out, 0, n_out);
                float *q = product(kernels_at(i), &w, x, 1, n_out, 0, n_out);
                assert_memory_equal(p, q, n_out * 4);
                free(p);
                free(q);
                drop_weights(data);
            }
}

static void a_value_that_is_not_finite_poisons_its_row_only(void **arg)
{
    (void)arg;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (unsigned i = 0; kernels_at(i); i++)
        for (size_t t = 0; t < N_TYPES; t++)
            for (int k = 0; k < 3; k++) {
                uint32_t n_in = 512, n_out = 17;
                uint8_t *data = make_weights(TYPES[t], n_in, n_out);
                float *x = make_floats(3 * n_in);
                x[n_in + 77] = bad[k];
                struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
                float *y = product(kernels_at(i), &w, x, 3, n_out, 0, n_out);
                for (uint32_t o = 0; o < n_out; o++) {
                    assert_true(isfinite(y[o]) && isfinite(y[2 * n_out + o]));
                    assert_false(isfinite(y[n_out + o]));
                }
                free(y);
                free(x);
                drop_weights(data);
            }
}

static void prepared_activations_are_equal_in_all_tables(void **arg)
{
    (void)arg;
    for (unsigned i = 1; kernels_at(i); i++)
        for (size_t t = 0; t < N_TYPES; t++) {
            uint32_t n_in = pick_n_in(TYPES[t]), rows = 1 + next_random() % 4;
            float *x = make_floats((size_t)rows * n_in);
            for (uint32_t j = 0; j < rows * n_in; j++) /* ties: halves of the scale */
                if (next_random() % 4 == 0)
                    x[j] = (float)(int)(next_random() % 254) * 0.5f - 63.5f;
            size_t n = kernels_scalar.act_bytes(TYPES[t], n_in, rows);
            assert_int_equal(n, kernels_at(i)->act_bytes(TYPES[t], n_in, rows));
            uint8_t *a = aligned_alloc(64, n), *b = aligned_alloc(64, n);
            memset(a, 0, n);
            memset(b, 0, n);
            kernels_scalar.act_prepare(TYPES[t], x, n_in, rows, a);
            kernels_at(i)->act_prepare(TYPES[t], x, n_in, rows, b);
            assert_memory_equal(a, b, n);
            free(a);
            free(b);
            free(x);
        }
}

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
        cmocka_unit_test(definition_is_close_to_exact_arithmetic),
        cmocka_unit_test(panels_hold_the_same_values),
        cmocka_unit_test(panels_give_the_same_products),
        cmocka_unit_test(all_tables_give_the_same_bits),
        cmocka_unit_test(a_row_does_not_depend_on_the_others),
        cmocka_unit_test(extreme_values_do_not_saturate),
        cmocka_unit_test(a_value_that_is_not_finite_poisons_its_row_only),
        cmocka_unit_test(prepared_activations_are_equal_in_all_tables),
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
