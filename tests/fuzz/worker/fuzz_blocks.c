/* fuzz_blocks.c - any bytes as blocks of any weight type: dequantize never leaves its buffers, and
 * every table of kernels gives what the definition gives, infinities and non-numbers included. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "worker/engine/kernels_impl.h"

static const enum ggml_type TYPES[] = {GGML_F32,  GGML_F16,  GGML_BF16, GGML_Q4_0,   GGML_Q4_1,
                                       GGML_Q5_0, GGML_Q5_1, GGML_Q8_0, GGML_Q2_K,   GGML_Q3_K,
                                       GGML_Q4_K, GGML_Q5_K, GGML_Q6_K, GGML_IQ4_NL, GGML_IQ4_XS};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

enum { MAX_IN = 1024, MAX_OUT = 20, ROWS = 5 };

static void multiply(const struct kernels *k, const struct weight *w, const float *x, float *y)
{
    void *act = aligned_alloc(64, k->act_bytes(w->type, w->n_in, ROWS));
    k->act_prepare(w->type, x, w->n_in, ROWS, act);
    k->matmul(w, act, ROWS, y, w->n_out, 0, w->n_out);
    free(act);
}

static void check_same(const float *a, const float *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof(a[i])) != 0 && !(isnan(a[i]) && isnan(b[i])))
            abort();
}

/* [type][blocks per row][activation seed] then the blocks. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float x[ROWS * MAX_IN], y[ROWS * MAX_OUT], z[ROWS * MAX_OUT];
    if (size < 3)
        return 0;
    enum ggml_type type = TYPES[data[0] % N_TYPES];
    struct quant_format f = quant_format(type);
    uint32_t n_in = f.block ? f.block * (1 + data[1] % (MAX_IN / f.block)) : 1 + data[1] % 100u;
    size_t row = weight_row_bytes(type, n_in), n_out = (size - 3) / row;
    n_out = n_out < MAX_OUT ? n_out : MAX_OUT;
    uint8_t *blocks = malloc(row * n_out + 1); /* its end is watched by the address sanitizer */
    memcpy(blocks, data + 3, row * n_out);
    float *wide = malloc(n_in * sizeof(float));
    for (size_t o = 0; o < n_out; o++)
        dequantize(type, blocks + o * row, wide, n_in);
    uint32_t s = data[2];
    for (uint32_t i = 0; i < ROWS * n_in; i++) {
        s = s * 1664525 + 1013904223;
        uint32_t u = s % 97 == 0 ? s : 0x3f000000 + (s >> 8) % 0x2000000;
        memcpy(&x[i], &u, sizeof(u));
    }
    struct weight w = {type, blocks, n_in, (uint32_t)n_out, WEIGHT_ROWS};
    if (n_out > 0)
        multiply(kernels_at(0), &w, x, y);
    for (unsigned i = 1; kernels_at(i) && n_out > 0; i++) {
        multiply(kernels_at(i), &w, x, z);
        check_same(y, z, ROWS * w.n_out);
    }
    free(wide);
    free(blocks);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    if (i >= N_TYPES || cap < 4096)
        return 0;
    for (size_t k = 0; k < 4096; k++)
        out[k] = (uint8_t)((k * 2654435761u >> 11) ^ i);
    out[0] = (uint8_t)i;
    out[1] = 2;
    return 4096;
}
