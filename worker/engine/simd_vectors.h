/* simd_vectors.h - the functions over plain vectors (internal template, see simd_unpack.h).
 *
 * Lane for lane the operations of kernels_scalar.c; what is left after the last whole group of
 * sixteen is done exactly as there. */
#ifndef WORKER_ENGINE_SIMD_VECTORS_H
#define WORKER_ENGINE_SIMD_VECTORS_H

#include "worker/engine/detmath_exp.h"

/* What is not a number stays so through min, max and all that follows. */
SIMD_INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set1(EXPF_MAX), x);
    x = vf_max(vf_set1(EXPF_MIN), x);
    vf t = vf_fma(x, vf_set1(EXPF_LOG2E), vf_set1(EXPF_MAGIC));
    vf n = vf_sub(t, vf_set1(EXPF_MAGIC));
    vf r = vf_fma(n, vf_set1(-EXPF_LN2_HI), x);
    r = vf_fma(n, vf_set1(-EXPF_LN2_LO), r);
    vf p = vf_fma(vf_set1(EXPF_C7), r, vf_set1(EXPF_C6));
    p = vf_fma(p, r, vf_set1(EXPF_C5));
    p = vf_fma(p, r, vf_set1(EXPF_C4));
    p = vf_fma(p, r, vf_set1(EXPF_C3));
    p = vf_fma(p, r, vf_set1(EXPF_C2));
    p = vf_fma(p, r, vf_set1(1.0f));
    p = vf_fma(p, r, vf_set1(1.0f));
    return vf_scale2(p, n, t);
}

/* Rounds one block of 32 as act_block of the definition does. */
SIMD_INLINE float simd_act_block(const float *x, int8_t *q)
{
    vi top = vi_set1(0), k[ACT_BLOCK / WIDTH];
    for (int v = 0; v < ACT_BLOCK / WIDTH; v++)
        top = vi_max(top, vi_and(vf_bits(vf_load(x + v * WIDTH)), vi_set1(0x7fffffff)));
    uint32_t most = (uint32_t)vi_max_lane(top);
    if (most < ACT_MIN_AMAX || most >= 0x7f800000) {
        memset(q, 0, ACT_BLOCK);
        return most < ACT_MIN_AMAX ? 0.0f : NAN;
    }
    float amax = unpack_float(most);
    vf inverse = vf_set1(127.0f / amax);
    for (int v = 0; v < ACT_BLOCK / WIDTH; v++)
        k[v] = vf_to_int(vf_mul(vf_load(x + v * WIDTH), inverse));
    vi_store_bytes(q, k);
    return amax / 127.0f;
}

static void simd_act_prepare(enum ggml_type type, const float *x, uint32_t n_in, uint32_t rows,
                             void *act)
{
    act_prepare_rows(type, x, n_in, rows, act, simd_act_block);
}

SIMD_INLINE float lanes_fold(const vf *acc, const float *a, const float *b, uint32_t i, uint32_t n)
{
    float lanes[LANES];
    for (int v = 0; v < LANE_VECTORS; v++)
        vf_store(lanes + v * WIDTH, acc[v]);
    for (uint32_t l = 0; i + l < n; l++)
        lanes[l] = fmaf(a[i + l], b[i + l], lanes[l]);
    return lanes_tail(lanes);
}

static float simd_dot_f32(const float *a, const float *b, uint32_t n)
{
    vf acc[LANE_VECTORS];
    uint32_t i = 0;
    for (int v = 0; v < LANE_VECTORS; v++)
        acc[v] = vf_set1(0.0f);
    for (; i + LANES <= n; i += LANES)
        for (uint32_t v = 0; v < LANE_VECTORS; v++)
            acc[v] = vf_fma(vf_load(a + i + v * WIDTH), vf_load(b + i + v * WIDTH), acc[v]);
    return lanes_fold(acc, a, b, i, n);
}

static float simd_dot_f16(const float *a, const uint16_t *b, uint32_t n)
{
    vf acc[LANE_VECTORS];
    float lanes[LANES];
    uint32_t i = 0;
    for (int v = 0; v < LANE_VECTORS; v++)
        acc[v] = vf_set1(0.0f);
    for (; i + LANES <= n; i += LANES)
        for (uint32_t v = 0; v < LANE_VECTORS; v++)
            acc[v] = vf_fma(vf_load(a + i + v * WIDTH),
                            vf_load_half((const uint8_t *)(b + i + v * WIDTH)), acc[v]);
    for (int v = 0; v < LANE_VECTORS; v++)
        vf_store(lanes + v * WIDTH, acc[v]);
    for (uint32_t l = 0; i + l < n; l++)
        lanes[l] = fmaf(a[i + l], unpack_half_bits(b[i + l]), lanes[l]);
    return lanes_tail(lanes);
}

static void simd_f32_to_f16(const float *x, uint16_t *y, uint32_t n)
{
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        vf_store_half(y + i, vf_load(x + i));
    for (; i < n; i++)
        y[i] = f32_to_f16(x[i]);
}

static void simd_f16_to_f32(const uint16_t *x, float *y, uint32_t n)
{
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        vf_store(y + i, vf_load_half((const uint8_t *)(x + i)));
    for (; i < n; i++)
        y[i] = unpack_half_bits(x[i]);
}

static void simd_f32_to_q8(const float *x, int8_t *q, uint16_t *scales, uint32_t n)
{
    for (uint32_t b = 0; b < n / ACT_BLOCK; b++)
        scales[b] = f32_to_f16(simd_act_block(x + b * ACT_BLOCK, q + b * ACT_BLOCK));
}

static void simd_q8_to_f32(const int8_t *q, const uint16_t *scales, float *y, uint32_t n)
{
    for (uint32_t b = 0; b < n / ACT_BLOCK; b++) {
        vf scale = vf_set1(unpack_half_bits(scales[b]));
        for (uint32_t i = b * ACT_BLOCK; i < (b + 1) * ACT_BLOCK; i += WIDTH)
            vf_store(y + i, vf_mul(scale, vi_to_f(vi_load_bytes(q + i))));
    }
}

static void simd_rms_norm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float mean = simd_dot_f32(x, x, n) / (float)n;
    float scale = 1.0f / sqrtf(mean + eps);
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        vf_store(y + i, vf_mul(vf_mul(vf_load(x + i), vf_set1(scale)), vf_load(w + i)));
    for (; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

static void simd_add(float *y, const float *x, uint32_t n)
{
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        vf_store(y + i, vf_add(vf_load(y + i), vf_load(x + i)));
    for (; i < n; i++)
        y[i] += x[i];
}

static void simd_silu_mul(const float *gate, const float *up, float *y, uint32_t n)
{
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        vf g = vf_load(gate + i);
        vf e = vf_exp(vf_from_bits(vi_xor(vf_bits(g), vi_set1((int32_t)0x80000000))));
        vf_store(y + i, vf_mul(vf_div(g, vf_add(vf_set1(1.0f), e)), vf_load(up + i)));
    }
    for (; i < n; i++)
        y[i] = gate[i] / (1.0f + expf_defined(-gate[i])) * up[i];
}

static float simd_max(const float *x, uint32_t n)
{
    enum { VECTORS = 4 }; /* in any order: it is exact, and what is not a number never wins */
    vf acc[VECTORS];
    float lanes[LANES];
    uint32_t i = 0;
    for (int v = 0; v < VECTORS; v++)
        acc[v] = vf_set1(-INFINITY);
    for (; i + VECTORS * WIDTH <= n; i += VECTORS * WIDTH)
        for (uint32_t v = 0; v < VECTORS; v++)
            acc[v] = vf_max(vf_load(x + i + v * WIDTH), acc[v]);
    for (; i + WIDTH <= n; i += WIDTH)
        acc[0] = vf_max(vf_load(x + i), acc[0]);
    acc[0] = vf_max(vf_max(acc[0], acc[1]), vf_max(acc[2], acc[3]));
    for (int v = 0; v < LANE_VECTORS; v++)
        vf_store(lanes + v * WIDTH, acc[0]);
    for (uint32_t l = 0; i + l < n; l++)
        lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
    for (uint32_t w = LANES / 2; w >= 1; w /= 2)
        for (uint32_t l = 0; l < w; l++)
            lanes[l] = lanes[l + w] > lanes[l] ? lanes[l + w] : lanes[l];
    return lanes[0];
}

static void simd_scale(float *x, float a, uint32_t n)
{
    uint32_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        vf_store(x + i, vf_mul(vf_load(x + i), vf_set1(a)));
    for (; i < n; i++)
        x[i] *= a;
}

/* det_exp in every lane; beyond its ends the result is 0 or infinite by itself. */
SIMD_INLINE vd vd_exp(vd x)
{
    static const double c[EXP_N_TERMS] = EXP_TERMS;
    x = vd_min(vd_set1(EXP_MAX), x);
    x = vd_max(vd_set1(EXP_MIN), x);
    vd n = vd_add(vd_mul(x, vd_set1(EXP_LOG2E)), vd_set1(EXP_MAGIC));
    n = vd_sub(n, vd_set1(EXP_MAGIC));
    vd a = vd_fma(n, vd_set1(-EXP_LN2_HI), x);
    vd r = vd_fma(n, vd_set1(-EXP_LN2_LO), a);
    vd r_lo = vd_fma(n, vd_set1(-EXP_LN2_LO), vd_sub(a, r));
    vd p = vd_set1(c[0]);
    for (int i = 1; i < EXP_N_TERMS; i++)
        p = vd_fma(p, r, vd_set1(c[i]));
    vd h = vd_add(vd_set1(1.0), r);
    vd h_lo = vd_add(vd_sub(vd_set1(1.0), h), r);
    p = vd_mul(p, vd_mul(r, r));
    p = vd_add(h, vd_add(h_lo, vd_fma(r_lo, vd_add(h, p), p)));
    return vd_scale2(p, n);
}

/* The additions wait for one another; the next vectors' exponentials are computed meanwhile. */
static double simd_exp_sum(const float *x, double m, double t, double *running, uint32_t n)
{
    const bool divides = t != 1.0; /* dividing by one changes nothing but takes its time */
    double sum = 0;
    for (uint32_t i = 0; i < n; i += VD_WIDTH) {
        float last[VD_WIDTH] = {0};
        double e[VD_WIDTH];
        uint32_t here = n - i < VD_WIDTH ? n - i : VD_WIDTH;
        const float *from = x + i;
        if (here < VD_WIDTH)
            from = memcpy(last, from, here * sizeof *x);
        vd v = vd_sub(vd_widen(from), vd_set1(m));
        vd_store(e, vd_exp(divides ? vd_div(v, vd_set1(t)) : v));
        for (uint32_t k = 0; k < here; k++) {
            sum += e[k];
            if (running)
                running[i + k] = sum;
        }
    }
    return sum;
}

#define SIMD_TABLE(name)                                                                           \
    {                                                                                              \
        .isa = name, .act_bytes = act_bytes_any, .act_prepare = simd_act_prepare,                  \
        .matmul = simd_matmul, .dots_f32 = simd_dots_f32, .dots_f16 = simd_dots_f16,               \
        .sums_f32 = simd_sums_f32, .sums_f16 = simd_sums_f16, .f32_to_f16 = simd_f32_to_f16,       \
        .rms_norm = simd_rms_norm, .add = simd_add, .silu_mul = simd_silu_mul, .max = simd_max,    \
        .exp_blocks = simd_exp_blocks, .exp_sum = simd_exp_sum, .scale = simd_scale,               \
        .f16_to_f32 = simd_f16_to_f32, .f32_to_q8 = simd_f32_to_q8, .q8_to_f32 = simd_q8_to_f32,   \
        .columns_f32 = simd_columns_f32, .columns_f16 = simd_columns_f16,                          \
        .dots_tile = simd_dots_tile, .sums_tile = simd_sums_tile,                                  \
    }

#endif
