/* kernels.h - the arithmetic of the engine, one definition, several instruction sets.
 *
 * Numerics contract. Every reduction has one defined order and every table below computes the
 * same bits; `scalar` is the definition. Floats sum in 16 lanes: lane l takes elements l, l + 16,
 * ... in order with fused multiply-add, then the lanes are added in a fixed tree (8, 4, 2, 1).
 * With quantised weights the activations are rounded to 8 bits in blocks first (act_prepare),
 * the integer dot products are exact, and the float part is one fused multiply-add per block, in
 * block order, per output row. exp, log, sin and cos are ours (no libm). Every result for one row
 * is independent of the other rows, of threads and of the range [o0, o1) asked for.
 *
 * All functions are pure and may be called from any thread. */
#ifndef WORKER_ENGINE_KERNELS_H
#define WORKER_ENGINE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/model/gguf.h"

enum { KERNEL_BLOCK = 32 }; /* positions of a block of keys and values; docs/numerics.md */

enum weight_layout {
    WEIGHT_ROWS,  /* as in the file: [n_out][n_in] in blocks of the type, any alignment */
    WEIGHT_PANELS /* proto/model/panel_layout.h, 64-byte aligned; quantised types only */
};

struct weight {
    enum ggml_type type;
    const void *data;
    uint32_t n_in;
    uint32_t n_out;
    enum weight_layout layout;
};

struct kernels {
    const char *isa; /* "scalar", "avx2", "avx512", "amx" ... */

    /* Bytes that act_prepare needs for `rows` rows of n_in values for weights of this type. */
    size_t (*act_bytes)(enum ggml_type type, uint32_t n_in, uint32_t rows);
    /* x [rows][n_in] -> the form this weight type multiplies (F32 kept, F16/BF16 weights: F32
     * activations kept, quantised: 8-bit blocks). `act` is 64-byte aligned, owned by the caller.
     * Prepared rows lie act_bytes(type, n_in, 1) apart, so rows may be prepared one by one. */
    void (*act_prepare)(enum ggml_type type, const float *x, uint32_t n_in, uint32_t rows,
                        void *act);
    /* y[r * y_stride + o] = sum_i w[o][i] * x[r][i] for r < rows, o in [o0, o1). With panels o0 is
     * a multiple of PANEL_OUTPUTS, and so is o1 unless it is n_out. */
    void (*matmul)(const struct weight *w, const void *act, uint32_t rows, float *y,
                   size_t y_stride, uint32_t o0, uint32_t o1);

    /* A row against a block of keys and of values, rows contiguous, half: IEEE half.
     * out[r] = dot(q, k[r]) for r < n_rows; out[i] = sum over r of p[r] v[r][i], in order, fma,
     * from +0. */
    void (*dots_f32)(const float *q, const float *k, uint32_t n_rows, uint32_t n, float *out);
    void (*dots_f16)(const float *q, const uint16_t *k, uint32_t n_rows, uint32_t n, float *out);
    void (*sums_f32)(const float *p, const float *v, uint32_t n_rows, uint32_t n, float *out);
    void (*sums_f16)(const float *p, const uint16_t *v, uint32_t n_rows, uint32_t n, float *out);
    void (*f32_to_f16)(const float *x, uint16_t *y, uint32_t n); /* nearest even */
    void (*f16_to_f32)(const uint16_t *x, float *y, uint32_t n); /* exact */
    /* Blocks of 32 values with one half-precision scale each; n is a multiple of 32. Rounded as
     * activations are, then the scale to half; back again exactly, as scale * q. */
    void (*f32_to_q8)(const float *x, int8_t *q, uint16_t *scales, uint32_t n);
    void (*q8_to_f32)(const int8_t *q, const uint16_t *scales, float *y, uint32_t n);
    /* The same for many rows: a block of KERNEL_BLOCK keys widened and turned once, columns [n]
     * [KERNEL_BLOCK] with columns[i][r] = k[r][i]; then n_q rows q [n_q][n] against it,
     * out[i * stride + r] = dot(q[i], k[r]) * scale (rounded twice) for every r < KERNEL_BLOCK.
     * Keys that are not there yet may hold anything: their results mean nothing. */
    void (*columns_f32)(const float *k, uint32_t n, float *columns);
    void (*columns_f16)(const uint16_t *k, uint32_t n, float *columns);
    void (*dots_tile)(const float *q, uint32_t n_q, const float *columns, uint32_t n, float scale,
                      float *out, size_t stride);
    /* out[i] += the sum that sums_f32 gives of p + i * stride and the first counts[i] of v, for
     * i < n_q; out [n_q][n]. */
    void (*sums_tile)(const float *p, size_t stride, const uint32_t *counts, uint32_t n_q,
                      const float *v, uint32_t n, float *out);
    /* In what follows y may be x (or gate). */
    void (*rms_norm)(const float *x, const float *w, float eps, uint32_t n, float *y);
    void (*add)(float *y, const float *x, uint32_t n); /* y += x */
    void (*silu_mul)(const float *gate, const float *up, float *y, uint32_t n);
    float (*max)(const float *x, uint32_t n);
    /* y[i] = exp(x[i] - m); returns the sum: each block of KERNEL_BLOCK in lanes and tree, then
     * the blocks in order from +0. */
    float (*exp_blocks)(const float *x, float m, float *y, uint32_t n);
    void (*scale)(float *x, float a, uint32_t n);
    /* The sum, in order from +0, of det_exp(((double)x[i] - m) / t); with `running` (else NULL)
     * also every running sum, running[i] up to and with x[i]. */
    double (*exp_sum)(const float *x, double m, double t, double *running, uint32_t n);
};

/* "auto" picks the best that this CPU has; a name that it lacks is an error. Static, never freed.
 */
const struct kernels *kernels_choose(const char *isa, struct px_err *err);
/* The i-th table that this CPU can run (0: scalar), NULL after the last: tests compare them. */
const struct kernels *kernels_at(unsigned i);

/* Dequantises n values (a whole number of blocks) exactly as ggml's reference does. */
void dequantize(enum ggml_type type, const void *blocks, float *out, uint64_t n);
float f16_to_f32(uint16_t h);
uint16_t f32_to_f16(float f);

/* Scalar math with defined bits (not libm); full float/double accuracy to about 1 ulp. */
float det_expf(float x);
double det_exp(double x);
double det_log(double x);
void det_sincos(double x, double *s, double *c); /* |x| up to 1e6 */
double det_pow(double x, double y);              /* x > 0; for RoPE frequencies */

#endif
