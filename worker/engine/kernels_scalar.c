/* kernels_scalar.c - the definition of the engine's arithmetic, in plain C.
 *
 * Every other table computes these bits. Written for clarity first, then so that a compiler can
 * use what any x86-64 or ARM has; fmaf() is the exactly rounded one. Pure, any thread. */
#include <math.h>
#include <string.h>

#include "worker/engine/detmath_expf.h"
#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

#define ROW_TILE 16 /* rows that share one decoding of the weights */

/* ---- lanes ---- */

static float lanes_sum(const float *lanes)
{
    float t[LANES];
    memcpy(t, lanes, sizeof(t));
    for (uint32_t w = LANES / 2; w >= 1; w /= 2)
        for (uint32_t l = 0; l < w; l++)
            t[l] += t[l + w];
    return t[0];
}

/* lanes += a * b, element i in lane i % 16; n_in continues at a multiple of 16. */
static void lanes_fma(float *restrict lanes, const float *a, const float *b, uint32_t n)
{
    uint32_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (uint32_t l = 0; l < LANES; l++)
            lanes[l] = fmaf(a[i + l], b[i + l], lanes[l]);
    for (uint32_t l = 0; i + l < n; l++)
        lanes[l] = fmaf(a[i + l], b[i + l], lanes[l]);
}

static float scalar_dot_f32(const float *a, const float *b, uint32_t n)
{
    float lanes[LANES] = {0};
    lanes_fma(lanes, a, b, n);
    return lanes_sum(lanes);
}

static float scalar_dot_f16(const float *a, const uint16_t *b, uint32_t n)
{
    float lanes[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        lanes[i % LANES] = fmaf(a[i], unpack_half_bits(b[i]), lanes[i % LANES]);
    return lanes_sum(lanes);
}

/* ---- activations ---- */

size_t act_bytes_any(enum ggml_type type, uint32_t n_in, uint32_t rows)
{
    return act_layout(type, n_in).bytes * rows;
}

/* Rounds one block of 32: q = nearest even of x * (127 / absmax). Returns the scale, absmax / 127;
 * 0 for a block of (nearly) zeros; not a number when a value is not finite. */
static float act_block(const float *x, int8_t *q)
{
    uint32_t top = 0;
    for (int i = 0; i < ACT_BLOCK; i++) {
        uint32_t u;
        memcpy(&u, &x[i], sizeof(u));
        u &= 0x7fffffff;
        top = u > top ? u : top;
    }
    if (top < ACT_MIN_AMAX || top >= 0x7f800000) {
        memset(q, 0, ACT_BLOCK);
        return top < ACT_MIN_AMAX ? 0.0f : NAN;
    }
    float amax = unpack_float(top), inverse = 127.0f / amax;
    for (int i = 0; i < ACT_BLOCK; i++) {
        float t = x[i] * inverse + EXPF_MAGIC;
        int32_t k;
        memcpy(&k, &t, sizeof(k));
        q[i] = (int8_t)(k - EXPF_MAGIC_BITS);
    }
    return amax / 127.0f;
}

static void scalar_act_prepare(enum ggml_type type, const float *x, uint32_t n_in, uint32_t rows,
                               void *act)
{
    act_prepare_rows(type, x, n_in, rows, act, act_block);
}

/* ---- matrix times rows ---- */

/* Quantised weights: output o, decoded in pieces of at most 256 values, times all rows. */
static inline __attribute__((always_inline)) void output_q(enum ggml_type type,
                                                           const struct weight *w, uint32_t o,
                                                           const uint8_t *act, uint32_t rows,
                                                           float *y, size_t y_stride)
{
    const uint32_t n_in = w->n_in;
    const bool is_panel = w->layout == WEIGHT_PANELS;
    const uint8_t *p = is_panel
                           ? (const uint8_t *)w->data + o / PANEL_OUTPUTS * panel_bytes(type, n_in)
                           : (const uint8_t *)w->data + o * weight_row_bytes(type, n_in);
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    uint8_t u[UNPACK_MAX];
    float scale[UNPACK_MAX / 16], min[UNPACK_MAX / 16];
    for (uint32_t r = 0; r < rows; r++)
        y[r * y_stride] = 0.0f;
    for (uint32_t i0 = 0; i0 < n_in; i0 += UNPACK_MAX) {
        uint32_t n = n_in - i0 < UNPACK_MAX ? n_in - i0 : UNPACK_MAX;
        if (is_panel) {
            panel_unpack(type, p, n, o % PANEL_OUTPUTS, u, scale, min);
            p += panel_chunk(type, n).bytes;
        } else {
            unpack_values(type, p + (size_t)(i0 / f.block) * f.bytes, n, u, scale, min);
        }
        for (uint32_t r = 0; r < rows; r++) {
            const uint8_t *row = act + r * l.bytes;
            const int8_t *q = (const int8_t *)row + i0;
            const float *d = (const float *)(const void *)(row + l.scale) + i0 / ACT_BLOCK;
            const int32_t *corr = (const int32_t *)(const void *)(row + l.corr) + i0 / f.sub;
            const float *sum = (const float *)(const void *)(row + l.sum) + i0 / f.sub;
            float acc = y[r * y_stride];
            for (uint32_t s = 0; s < n / f.sub; s++) {
                int32_t t = corr[s];
                for (uint32_t i = s * f.sub; i < (s + 1) * f.sub; i++)
                    t += (int16_t)u[i] * (int16_t)q[i];
                acc = fmaf((float)t, scale[s] * d[s * f.sub / ACT_BLOCK], acc);
                if (f.has_min)
                    acc = fmaf(min[s], sum[s], acc);
            }
            y[r * y_stride] = acc;
        }
    }
}

/* Float weights: one output, widened in pieces of 256 values, times a tile of rows. */
static void output_f(const struct weight *w, const uint8_t *p, const uint8_t *act, uint32_t rows,
                     float *y, size_t y_stride)
{
    const size_t stride = act_layout(w->type, w->n_in).bytes;
    const uint32_t size = w->type == GGML_F32 ? 4 : 2;
    float wide[256], lanes[ROW_TILE][LANES];
    for (uint32_t r0 = 0; r0 < rows; r0 += ROW_TILE) {
        uint32_t n_rows = rows - r0 < ROW_TILE ? rows - r0 : ROW_TILE;
        memset(lanes, 0, sizeof(lanes));
        for (uint32_t i0 = 0; i0 < w->n_in; i0 += 256) {
            uint32_t n = w->n_in - i0 < 256 ? w->n_in - i0 : 256;
            dequantize(w->type, p + (size_t)i0 * size, wide, n);
            for (uint32_t r = 0; r < n_rows; r++)
                lanes_fma(lanes[r], wide,
                          (const float *)(const void *)(act + (r0 + r) * stride) + i0, n);
        }
        for (uint32_t r = 0; r < n_rows; r++)
            y[(r0 + r) * y_stride] = lanes_sum(lanes[r]);
    }
}

static void scalar_matmul(const struct weight *w, const void *act, uint32_t rows, float *y,
                          size_t y_stride, uint32_t o0, uint32_t o1)
{
    const size_t row_bytes = weight_row_bytes(w->type, w->n_in);
    for (uint32_t o = o0; o < o1; o++) {
        const uint8_t *p = (const uint8_t *)w->data + o * row_bytes;
        switch (w->type) {
#define OUTPUT_Q(type)                                                                             \
    case type:                                                                                     \
        output_q(type, w, o, act, rows, y + o, y_stride);                                          \
        break;
            QUANT_TYPES(OUTPUT_Q)
        default:
            output_f(w, p, act, rows, y + o, y_stride);
            break;
        }
    }
}

/* ---- vectors ---- */

static void scalar_dots_f32(const float *q, const float *k, uint32_t n_rows, uint32_t n, float *out)
{
    for (uint32_t r = 0; r < n_rows; r++)
        out[r] = scalar_dot_f32(q, k + (size_t)r * n, n);
}

static void scalar_dots_f16(const float *q, const uint16_t *k, uint32_t n_rows, uint32_t n,
                            float *out)
{
    for (uint32_t r = 0; r < n_rows; r++)
        out[r] = scalar_dot_f16(q, k + (size_t)r * n, n);
}

static void scalar_sums_f32(const float *p, const float *v, uint32_t n_rows, uint32_t n, float *out)
{
    memset(out, 0, n * sizeof *out);
    for (uint32_t r = 0; r < n_rows; r++)
        for (uint32_t i = 0; i < n; i++)
            out[i] = fmaf(p[r], v[(size_t)r * n + i], out[i]);
}

static void scalar_sums_f16(const float *p, const uint16_t *v, uint32_t n_rows, uint32_t n,
                            float *out)
{
    memset(out, 0, n * sizeof *out);
    for (uint32_t r = 0; r < n_rows; r++)
        for (uint32_t i = 0; i < n; i++)
            out[i] = fmaf(p[r], unpack_half_bits(v[(size_t)r * n + i]), out[i]);
}

static void scalar_f32_to_f16(const float *x, uint16_t *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = f32_to_f16(x[i]);
}

static void scalar_f16_to_f32(const uint16_t *x, float *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = unpack_half_bits(x[i]);
}

static void scalar_f32_to_q8(const float *x, int8_t *q, uint16_t *scales, uint32_t n)
{
    for (uint32_t b = 0; b < n / ACT_BLOCK; b++)
        scales[b] = f32_to_f16(act_block(x + b * ACT_BLOCK, q + b * ACT_BLOCK));
}

static void scalar_q8_to_f32(const int8_t *q, const uint16_t *scales, float *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = unpack_half_bits(scales[i / ACT_BLOCK]) * (float)q[i];
}

static void scalar_columns_f32(const float *k, uint32_t n, float *columns)
{
    for (uint32_t r = 0; r < KERNEL_BLOCK; r++)
        for (uint32_t i = 0; i < n; i++)
            columns[(size_t)i * KERNEL_BLOCK + r] = k[(size_t)r * n + i];
}

static void scalar_columns_f16(const uint16_t *k, uint32_t n, float *columns)
{
    for (uint32_t r = 0; r < KERNEL_BLOCK; r++)
        for (uint32_t i = 0; i < n; i++)
            columns[(size_t)i * KERNEL_BLOCK + r] = unpack_half_bits(k[(size_t)r * n + i]);
}

/* A lane of all keys at a time, then the tree over whole lanes. */
static void scalar_dots_tile(const float *q, uint32_t n_q, const float *columns, uint32_t n,
                             float scale, float *out, size_t stride)
{
    for (; n_q; n_q--, q += n, out += stride) {
        float lanes[LANES][KERNEL_BLOCK] = {{0}};
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t r = 0; r < KERNEL_BLOCK; r++)
                lanes[i % LANES][r] =
                    fmaf(q[i], columns[(size_t)i * KERNEL_BLOCK + r], lanes[i % LANES][r]);
        for (uint32_t w = LANES / 2; w >= 1; w /= 2)
            for (uint32_t l = 0; l < w; l++)
                for (uint32_t r = 0; r < KERNEL_BLOCK; r++)
                    lanes[l][r] += lanes[l + w][r];
        for (uint32_t r = 0; r < KERNEL_BLOCK; r++)
            out[r] = lanes[0][r] * scale;
    }
}

static void scalar_sums_tile(const float *p, size_t stride, const uint32_t *counts, uint32_t n_q,
                             const float *v, uint32_t n, float *out)
{
    for (uint32_t j = 0; j < n_q; j++, p += stride, out += n)
        for (uint32_t i = 0; i < n; i++) {
            float acc = 0;
            for (uint32_t r = 0; r < counts[j]; r++)
                acc = fmaf(p[r], v[(size_t)r * n + i], acc);
            out[i] += acc;
        }
}

static void scalar_rms_norm(const float *x, const float *w, float eps, uint32_t n, float *y)
{
    float mean = scalar_dot_f32(x, x, n) / (float)n;
    float scale = 1.0f / sqrtf(mean + eps);
    for (uint32_t i = 0; i < n; i++)
        y[i] = x[i] * scale * w[i];
}

static void scalar_add(float *y, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void scalar_silu_mul(const float *gate, const float *up, float *y, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + expf_defined(-gate[i])) * up[i];
}

/* The order decides only between +0 and -0; a value that is not a number never wins. */
static float scalar_max(const float *x, uint32_t n)
{
    float lanes[LANES];
    for (uint32_t l = 0; l < LANES; l++)
        lanes[l] = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        lanes[i % LANES] = x[i] > lanes[i % LANES] ? x[i] : lanes[i % LANES];
    for (uint32_t w = LANES / 2; w >= 1; w /= 2)
        for (uint32_t l = 0; l < w; l++)
            lanes[l] = lanes[l + w] > lanes[l] ? lanes[l + w] : lanes[l];
    return lanes[0];
}

static float scalar_exp_blocks(const float *x, float m, float *y, uint32_t n)
{
    float total = 0;
    for (uint32_t i0 = 0; i0 < n; i0 += KERNEL_BLOCK) {
        float lanes[LANES] = {0};
        for (uint32_t i = i0; i < n && i < i0 + KERNEL_BLOCK; i++) {
            y[i] = expf_defined(x[i] - m);
            lanes[i % LANES] += y[i];
        }
        total += lanes_sum(lanes);
    }
    return total;
}

static void scalar_scale(float *x, float a, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] *= a;
}

static double scalar_exp_sum(const float *x, double m, double t, double *running, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += det_exp(((double)x[i] - m) / t);
        if (running)
            running[i] = sum;
    }
    return sum;
}

const struct kernels kernels_scalar = {
    .isa = "scalar",
    .act_bytes = act_bytes_any,
    .act_prepare = scalar_act_prepare,
    .matmul = scalar_matmul,
    .dots_f32 = scalar_dots_f32,
    .dots_f16 = scalar_dots_f16,
    .sums_f32 = scalar_sums_f32,
    .sums_f16 = scalar_sums_f16,
    .f32_to_f16 = scalar_f32_to_f16,
    .f16_to_f32 = scalar_f16_to_f32,
    .f32_to_q8 = scalar_f32_to_q8,
    .q8_to_f32 = scalar_q8_to_f32,
    .columns_f32 = scalar_columns_f32,
    .columns_f16 = scalar_columns_f16,
    .dots_tile = scalar_dots_tile,
    .sums_tile = scalar_sums_tile,
    .rms_norm = scalar_rms_norm,
    .add = scalar_add,
    .silu_mul = scalar_silu_mul,
    .max = scalar_max,
    .exp_blocks = scalar_exp_blocks,
    .exp_sum = scalar_exp_sum,
    .scale = scalar_scale,
};
