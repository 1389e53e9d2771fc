/* test_matmul.c - the definition of matrix times rows against plain double arithmetic, and every
 * other table of kernels and both layouts against the definition, bit by bit, over random shapes,
 * ranges and values. */
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
#include "worker/engine/panels.h"

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

/* k's products with w are the definition's with the same matrix as rows, bit for bit. */
static void same_products(const struct kernels *k, const struct weight *w,
                          const struct weight *in_rows, const char *type, const float *x,
                          uint32_t rows, size_t stride, uint32_t o0, uint32_t o1)
{
    float *a = product(&kernels_scalar, in_rows, x, rows, stride, o0, o1);
    float *b = product(k, w, x, rows, stride, o0, o1);
    if (memcmp(a, b, rows * stride * 4) != 0)
        fail_msg("%s differs: %s, rows %u, n_in %u, outputs [%u, %u) of %u", k->isa, type, rows,
                 w->n_in, o0, o1, w->n_out);
    free(a);
    free(b);
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
                same_products(kernels_at(i), &p, &w, TYPE_NAMES[t], x, rows, stride, o0, o1);
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
                same_products(kernels_at(i), &w, &w, TYPE_NAMES[t], x, rows, stride, o0, o1);
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

/* The products of every table with these rows, and with panels made of them, equal the
 * definition's with the rows, bit by bit but for what is not a number. */
static void compare_layouts(const struct weight *w, const float *x, uint32_t rows, const char *what)
{
    uint8_t *panels = panels_suit(w->type) ? pack(w->type, w->data, w->n_in, w->n_out) : NULL;
    struct weight p = {w->type, panels, w->n_in, w->n_out, WEIGHT_PANELS};
    float *a = product(&kernels_scalar, w, x, rows, w->n_out, 0, w->n_out);
    for (unsigned k = 1; kernels_at(k / 2); k++) {
        if (k % 2 && !panels)
            continue;
        float *b = product(kernels_at(k / 2), k % 2 ? &p : w, x, rows, w->n_out, 0, w->n_out);
        for (uint32_t i = 0; i < rows * w->n_out; i++)
            if (memcmp(a + i, b + i, 4) != 0 && !(isnan(a[i]) && isnan(b[i])))
                fail_msg("%s, type %d in %s, %s: row %u of %u, output %u: %a, not %a",
                         kernels_at(k / 2)->isa, (int)w->type, k % 2 ? "panels" : "rows", what,
                         i / w->n_out, rows, i % w->n_out, (double)b[i], (double)a[i]);
        free(b);
    }
    free(a);
    free(panels);
}

static void fill_scales(enum ggml_type type, uint8_t *data, size_t total, float d, float m)
{
    const struct quant_format f = quant_format(type);
    uint32_t a, b;
    unpack_halves(type, &a, &b);
    for (size_t k = 0; k < total / f.bytes; k++) {
        put_half(data + k * f.bytes + a, d);
        if (b > a)
            put_half(data + k * f.bytes + b, m);
    }
}

/* All at their extremes: 16-bit sums in a vector kernel would saturate here. */
static void extreme_values_do_not_saturate(void **arg)
{
    (void)arg;
    for (size_t t = 3; t < N_TYPES; t++)
        for (int fill = 0; fill < 4; fill++) {
            uint32_t n_in = 512, n_out = 19, rows = 1 + 2 * (uint32_t)(fill / 2);
            uint8_t *data = make_weights(TYPES[t], n_in, n_out);
            size_t total = weight_row_bytes(TYPES[t], n_in) * n_out;
            memset(data, fill % 2 ? 0xff : 0x80, total);
            fill_scales(TYPES[t], data, total, 0.5f, 0.25f);
            float x[3 * 512];
            for (int j = 0; j < 3 * 512; j++)
                x[j] = fill < 2 ? 3.0f : -3.0f;
            struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
            compare_layouts(&w, x, rows, "extremes");
            drop_weights(data);
        }
}

/* Scales that are zero, subnormal, infinite or not a number, activations that are tiny or zero. */
static void odd_scales_give_the_same_bits(void **arg)
{
    static const float SCALES[][2] = {
        {0.0f, 0.0f},     {-0.0f, 0x1p-24f}, {0x1p-24f, -0x1p-20f}, {65504.0f, -1.0f},
        {INFINITY, 1.0f}, {1.0f, -INFINITY}, {NAN, 1.0f},           {-INFINITY, 65504.0f}};
    (void)arg;
    for (size_t t = 3; t < N_TYPES; t++)
        for (size_t s = 0; s < sizeof SCALES / sizeof *SCALES; s++) {
            uint32_t n_in = 512, n_out = 21, rows = 1 + next_random() % 5;
            uint8_t *data = make_weights(TYPES[t], n_in, n_out);
            size_t row_bytes = weight_row_bytes(TYPES[t], n_in);
            for (uint32_t o = s % 3; o < n_out; o += 3)
                fill_scales(TYPES[t], data + o * row_bytes, row_bytes, SCALES[s][0], SCALES[s][1]);
            float *x = make_floats((size_t)rows * n_in);
            for (uint32_t j = 0; j < 96; j++)
                x[j] = j < 32 ? 0.0f : j < 64 ? 0x1p-130f : x[j] * 0x1p-98f;
            struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
            compare_layouts(&w, x, rows, "odd scales");
            free(x);
            drop_weights(data);
        }
}

/* More rows than go by together, of weights in either layout. */
static void many_rows_give_the_same_bits(void **arg)
{
    (void)arg;
    for (size_t t = 0; t < N_TYPES; t++) {
        uint32_t n_in = quant_format(TYPES[t]).block == 256 ? 2048 : 1952;
        uint32_t n_out = 17 + next_random() % 4, rows = 225 + next_random() % 9;
        uint8_t *data = make_weights(TYPES[t], n_in, n_out);
        float *x = make_floats((size_t)rows * n_in);
        struct weight w = {TYPES[t], data, n_in, n_out, WEIGHT_ROWS};
        compare_layouts(&w, x, rows, "many rows");
        free(x);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definition_is_close_to_exact_arithmetic),
        cmocka_unit_test(panels_hold_the_same_values),
        cmocka_unit_test(panels_give_the_same_products),
        cmocka_unit_test(all_tables_give_the_same_bits),
        cmocka_unit_test(a_row_does_not_depend_on_the_others),
        cmocka_unit_test(extreme_values_do_not_saturate),
        cmocka_unit_test(odd_scales_give_the_same_bits),
        cmocka_unit_test(many_rows_give_the_same_bits),
        cmocka_unit_test(a_value_that_is_not_finite_poisons_its_row_only),
        cmocka_unit_test(prepared_activations_are_equal_in_all_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
