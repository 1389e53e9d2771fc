/* simd_attention.h - a row against a block of keys and of values (internal template, see
 * simd_unpack.h).
 *
 * The same lanes and the same tree as one dot product after another, but WIDTH keys at a time:
 * their lanes are added side by side (vf_fold), and sums stay in registers over the block. */
#ifndef WORKER_ENGINE_SIMD_ATTENTION_H
#define WORKER_ENGINE_SIMD_ATTENTION_H

#define SUM_VECTORS 4 /* vectors of a sum that are kept in registers together */

SIMD_INLINE vf vf_load_any(const void *p, size_t i, bool is_half)
{
    return is_half ? vf_load_half((const uint8_t *)((const uint16_t *)p + i))
                   : vf_load((const float *)p + i);
}

SIMD_INLINE float load_any(const void *p, size_t i, bool is_half)
{
    return is_half ? unpack_half_bits(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

SIMD_INLINE void simd_dots(const float *q, const void *k, uint32_t n_rows, uint32_t n, float *out,
                           bool is_half)
{
    uint32_t r = 0;
    for (; n % LANES == 0 && r + WIDTH <= n_rows; r += WIDTH) {
        vf acc[WIDTH][LANE_VECTORS];
        for (int j = 0; j < WIDTH; j++)
            for (int v = 0; v < LANE_VECTORS; v++)
                acc[j][v] = vf_set1(0.0f);
        for (uint32_t i = 0; i < n; i += LANES)
            for (uint32_t v = 0; v < LANE_VECTORS; v++) {
                vf x = vf_load(q + i + v * WIDTH);
                for (uint32_t j = 0; j < WIDTH; j++)
                    acc[j][v] = vf_fma(
                        x, vf_load_any(k, (size_t)(r + j) * n + i + v * WIDTH, is_half), acc[j][v]);
            }
        vf_store(out + r, vf_fold(acc));
    }
    for (; r < n_rows; r++)
        out[r] = is_half ? simd_dot_f16(q, (const uint16_t *)k + (size_t)r * n, n)
                         : simd_dot_f32(q, (const float *)k + (size_t)r * n, n);
}

SIMD_INLINE void simd_sums(const float *p, const void *v, uint32_t n_rows, uint32_t n, float *out,
                           bool is_half)
{
    uint32_t i = 0;
    for (; i + SUM_VECTORS * WIDTH <= n; i += SUM_VECTORS * WIDTH) {
        vf acc[SUM_VECTORS];
        for (int s = 0; s < SUM_VECTORS; s++)
            acc[s] = vf_set1(0.0f);
        for (uint32_t r = 0; r < n_rows; r++)
            for (uint32_t s = 0; s < SUM_VECTORS; s++)
                acc[s] = vf_fma(vf_set1(p[r]),
                                vf_load_any(v, (size_t)r * n + i + s * WIDTH, is_half), acc[s]);
        for (uint32_t s = 0; s < SUM_VECTORS; s++)
            vf_store(out + i + s * WIDTH, acc[s]);
    }
    for (; i + WIDTH <= n; i += WIDTH) {
        vf acc = vf_set1(0.0f);
        for (uint32_t r = 0; r < n_rows; r++)
            acc = vf_fma(vf_set1(p[r]), vf_load_any(v, (size_t)r * n + i, is_half), acc);
        vf_store(out + i, acc);
    }
    for (; i < n; i++) {
        float acc = 0;
        for (uint32_t r = 0; r < n_rows; r++)
            acc = fmaf(p[r], load_any(v, (size_t)r * n + i, is_half), acc);
        out[i] = acc;
    }
}

static void simd_dots_f32(const float *q, const float *k, uint32_t n_rows, uint32_t n, float *out)
{
    simd_dots(q, k, n_rows, n, out, false);
}

static void simd_dots_f16(const float *q, const uint16_t *k, uint32_t n_rows, uint32_t n,
                          float *out)
{
    simd_dots(q, k, n_rows, n, out, true);
}

static void simd_sums_f32(const float *p, const float *v, uint32_t n_rows, uint32_t n, float *out)
{
    simd_sums(p, v, n_rows, n, out, false);
}

static void simd_sums_f16(const float *p, const uint16_t *v, uint32_t n_rows, uint32_t n,
                          float *out)
{
    simd_sums(p, v, n_rows, n, out, true);
}

#endif
