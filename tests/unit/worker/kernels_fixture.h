/* kernels_fixture.h - random weights and activations, and products of them, for tests of kernels.
 *
 * For one test program each: the random numbers go on from one call to the next. */
#ifndef TESTS_WORKER_KERNELS_FIXTURE_H
#define TESTS_WORKER_KERNELS_FIXTURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine/kernels_impl.h"

__attribute__((unused)) static const enum ggml_type TYPES[] = {
    GGML_F32,  GGML_F16,  GGML_BF16, GGML_Q4_0, GGML_Q4_1, GGML_Q5_0,   GGML_Q5_1,  GGML_Q8_0,
    GGML_Q2_K, GGML_Q3_K, GGML_Q4_K, GGML_Q5_K, GGML_Q6_K, GGML_IQ4_NL, GGML_IQ4_XS};
__attribute__((unused)) static const char *const TYPE_NAMES[] = {
    "F32",  "F16",  "BF16", "Q4_0", "Q4_1", "Q5_0",   "Q5_1",  "Q8_0",
    "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

static uint64_t state = 0x2545f4914f6cdd1dull;

static inline uint32_t next_random(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 32);
}

static inline float next_float(void)
{
    return (float)((double)next_random() * 0x1p-31 - 1.0);
}

static inline void put_half(uint8_t *p, float f)
{
    uint16_t h = f32_to_f16(f);
    memcpy(p, &h, 2);
}

/* Random weights: any bits in the blocks, scales of ordinary size. Owned. */
static inline uint8_t *make_weights(enum ggml_type type, uint32_t n_in, uint32_t n_out)
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
    uint32_t a, b;
    unpack_halves(type, &a, &b);
    for (size_t k = 0; k < total / f.bytes; k++) {
        put_half(p + k * f.bytes + a, next_float() * 0.01f);
        if (b > a)
            put_half(p + k * f.bytes + b, next_float() * 0.01f);
    }
    return p;
}

static inline void drop_weights(uint8_t *p)
{
    free(p - 1);
}

static inline float *make_floats(size_t n)
{
    float *x = malloc(n * 4 + 4);
    for (size_t i = 0; i < n; i++)
        x[i] = next_float() * (next_random() % 16 ? 1.0f : 30.0f);
    return x;
}

static inline uint32_t pick_n_in(enum ggml_type type)
{
    struct quant_format f = quant_format(type);
    if (f.block == 0)
        return 1 + next_random() % 700;
    return f.block * (1 + next_random() % (f.block == 32 ? 27 : 4));
}

/* The matrix product of one table, rows placed y_stride apart, all of y returned. Owned. */
static inline float *product(const struct kernels *k, const struct weight *w, const float *x,
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

#endif
