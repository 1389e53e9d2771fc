/* simd_neon.h - the small functions of the templates for ARM's 128-bit vectors (internal).
 *
 * Four lanes of 32 bits: the templates' accumulators (sixteen lanes of four keys or of two times
 * two outputs) then fill half of the 32 registers, which leaves room for what is loaded; pairs of
 * registers would spill. Whatever ARMv8.0 has suffices; where the compiler may use the dot products
 * of ARMv8.2 (__ARM_FEATURE_DOTPROD) strip_dots does. Every operation is exact or rounded once to
 * nearest even, subnormals kept, as the processor starts with. */
#ifndef WORKER_ENGINE_SIMD_NEON_H
#define WORKER_ENGINE_SIMD_NEON_H

#include <arm_neon.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "worker/engine/detmath_exp.h"
#include "worker/engine/detmath_expf.h"
#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

#define WIDTH 4
#define FLOAT_BLOCK_OUTPUTS 4 /* what the registers hold of a float matrix */
#define FLOAT_BLOCK_ROWS 4
#define NEON_INLINE static inline __attribute__((always_inline))

typedef int32x4_t vi;
typedef float32x4_t vf;

NEON_INLINE vi vi_set1(int32_t x)
{
    return vdupq_n_s32(x);
}

NEON_INLINE vi vi_and(vi a, vi b)
{
    return vandq_s32(a, b);
}

NEON_INLINE vi vi_or(vi a, vi b)
{
    return vorrq_s32(a, b);
}

/* a | (b & mask) */
NEON_INLINE vi vi_or_and(vi a, vi b, vi mask)
{
    return vorrq_s32(a, vandq_s32(b, mask));
}

NEON_INLINE vi vi_load(const void *p)
{
    return vreinterpretq_s32_u8(vld1q_u8(p));
}

/* WIDTH bytes, unsigned or signed. */
NEON_INLINE uint8x8_t four_bytes(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return vcreate_u8(v);
}

NEON_INLINE vi vi_bytes(const void *p)
{
    uint16x4_t h = vget_low_u16(vmovl_u8(four_bytes(p)));
    return vreinterpretq_s32_u32(vmovl_u16(h));
}

NEON_INLINE vi vi_signed(const void *p)
{
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four_bytes(p)))));
}

NEON_INLINE vi vi_xor(vi a, vi b)
{
    return veorq_s32(a, b);
}

NEON_INLINE vi vi_add(vi a, vi b)
{
    return vaddq_s32(a, b);
}

NEON_INLINE vi vi_sub(vi a, vi b)
{
    return vsubq_s32(a, b);
}

NEON_INLINE vi vi_mul(vi a, vi b)
{
    return vmulq_s32(a, b);
}

NEON_INLINE vi vi_max(vi a, vi b)
{
    return vmaxq_s32(a, b);
}

/* Operators: the shifts' own functions want a literal, and these become one where they can. */
NEON_INLINE vi vi_srl(vi a, int n)
{
    return vreinterpretq_s32_u32(vreinterpretq_u32_s32(a) >> (uint32_t)n);
}

NEON_INLINE vi vi_sll(vi a, int n)
{
    return vreinterpretq_s32_u32(vreinterpretq_u32_s32(a) << (uint32_t)n);
}

NEON_INLINE vi vi_sra(vi a, int n)
{
    return a >> n;
}

NEON_INLINE vi vi_lookup(const uint8_t *table, vi index)
{
    return vreinterpretq_s32_u8(vqtbl1q_u8(vld1q_u8(table), vreinterpretq_u8_s32(index)));
}

NEON_INLINE int32_t vi_max_lane(vi a)
{
    return vmaxvq_s32(a);
}

/* 32 numbers, eight vectors, to bytes. */
NEON_INLINE void vi_store_bytes(int8_t *q, const vi *k)
{
    for (int i = 0; i < 4; i++) {
        int16x8_t h = vcombine_s16(vmovn_s32(k[2 * i]), vmovn_s32(k[2 * i + 1]));
        vst1_s8(q + 8 * i, vmovn_s16(h));
    }
}

NEON_INLINE vi vi_load_bytes(const int8_t *q)
{
    return vi_signed(q);
}

NEON_INLINE vf vi_to_f(vi a)
{
    return vcvtq_f32_s32(a);
}

NEON_INLINE vi vf_to_int(vf a)
{
    return vcvtnq_s32_f32(a);
}

NEON_INLINE vi vf_bits(vf a)
{
    return vreinterpretq_s32_f32(a);
}

NEON_INLINE vf vf_from_bits(vi a)
{
    return vreinterpretq_f32_s32(a);
}

NEON_INLINE vf vf_set1(float x)
{
    return vdupq_n_f32(x);
}

NEON_INLINE vf vf_load(const float *p)
{
    return vld1q_f32(p);
}

NEON_INLINE void vf_store(float *p, vf a)
{
    vst1q_f32(p, a);
}

/* The first n < WIDTH values; what follows is +0. */
NEON_INLINE vf vf_load_some(const float *p, uint32_t n)
{
    float t[WIDTH] = {0};
    memcpy(t, p, n * sizeof(float));
    return vf_load(t);
}

NEON_INLINE vf vf_first(vf a, uint32_t n)
{
    static const uint32_t lane[WIDTH] = {0, 1, 2, 3};
    uint32x4_t mask = vcltq_u32(vld1q_u32(lane), vdupq_n_u32(n));
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(a), mask));
}

NEON_INLINE void vf_store_some(float *p, vf a, uint32_t n)
{
    float t[WIDTH];
    vf_store(t, a);
    memcpy(p, t, n * sizeof(float));
}

NEON_INLINE vf vf_add(vf a, vf b)
{
    return vaddq_f32(a, b);
}

NEON_INLINE vf vf_sub(vf a, vf b)
{
    return vsubq_f32(a, b);
}

NEON_INLINE vf vf_mul(vf a, vf b)
{
    return vmulq_f32(a, b);
}

NEON_INLINE vf vf_div(vf a, vf b)
{
    return vdivq_f32(a, b);
}

NEON_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return vfmaq_f32(c, a, b);
}

NEON_INLINE vf vf_neg(vf a)
{
    return vnegq_f32(a);
}

/* a < b ? a : b, and a > b ? a : b: the instructions treat what is not a number otherwise. */
NEON_INLINE vf vf_min(vf a, vf b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

NEON_INLINE vf vf_max(vf a, vf b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

/* p * 2^n, rounded once, where t is n + EXPF_MAGIC: the first product is exact. */
NEON_INLINE vf vf_scale2(vf p, vf n, vf t)
{
    (void)n;
    vi k = vi_sub(vf_bits(t), vi_set1(EXPF_MAGIC_BITS));
    vi k1 = vi_sra(k, 1), k2 = vi_sub(k, k1);
    p = vf_mul(p, vf_from_bits(vi_sll(vi_add(k1, vi_set1(127)), 23)));
    return vf_mul(p, vf_from_bits(vi_sll(vi_add(k2, vi_set1(127)), 23)));
}

NEON_INLINE vf widen_halves(uint16x4_t h)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(h));
}

/* Low 16 bits of each lane, as a half. */
NEON_INLINE vf vf_half(vi a)
{
    return widen_halves(vmovn_u32(vreinterpretq_u32_s32(a)));
}

NEON_INLINE vf vf_load_half(const uint8_t *p)
{
    return widen_halves(vreinterpret_u16_u8(vld1_u8(p)));
}

NEON_INLINE void vf_store_half(uint16_t *p, vf a)
{
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a)));
}

NEON_INLINE vf vf_load_bf16(const uint8_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}

NEON_INLINE vi load_rows4(const uint8_t *const *p, size_t at)
{
    int32_t v[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        memcpy(&v[i], p[i] + at, sizeof(v[i]));
    return vld1q_s32(v);
}

NEON_INLINE vf load_halves(const uint8_t *const *p, size_t at)
{
    uint16_t v[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        v[i] = unpack_u16(p[i] + at);
    return widen_halves(vld1_u16(v));
}

/* Four rows become four columns. */
NEON_INLINE void vf_turn(vf *r)
{
    vf a = vtrn1q_f32(r[0], r[1]), b = vtrn2q_f32(r[0], r[1]);
    vf c = vtrn1q_f32(r[2], r[3]), d = vtrn2q_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    r[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    r[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    r[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}

/* Sixteen bytes of each row: out[k] lane o holds bytes 4k .. 4k + 3 of row o. */
NEON_INLINE void load_rows16(const uint8_t *const *p, size_t at, vi *out)
{
    vf r[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        r[i] = vf_from_bits(vi_load(p[i] + at));
    vf_turn(r);
    for (int i = 0; i < WIDTH; i++)
        out[i] = vf_bits(r[i]);
}

/* The sums over the sixteen lanes, four vectors, of four rows, as the tree adds them: lane l + lane
 * (l + 8), then + 4, + 2, + 1. */
NEON_INLINE vf vf_fold(vf (*r)[4])
{
    vf x[WIDTH];
    for (int i = 0; i < WIDTH; i++)
        x[i] = vaddq_f32(vaddq_f32(r[i][0], r[i][2]), vaddq_f32(r[i][1], r[i][3]));
    for (int i = 0; i < WIDTH; i += 2)
        x[i] = vaddq_f32(vcombine_f32(vget_low_f32(x[i]), vget_low_f32(x[i + 1])),
                         vcombine_f32(vget_high_f32(x[i]), vget_high_f32(x[i + 1])));
    return vpaddq_f32(x[0], x[2]);
}

#define STRIPS 2

/* Bytes go in signed: values of up to seven bits are, wider ones are moved by their offset. */
struct strip {
    vi u[8];
};

NEON_INLINE void strip_ready(struct strip *t, uint32_t top)
{
    for (int g = 0; g < 8 && top > 127; g++)
        t->u[g] = vi_xor(t->u[g], vi_set1((int32_t)0x80808080));
}

#if defined(__ARM_FEATURE_DOTPROD)
NEON_INLINE vi dot4(vi total, vi w, int8x16_t x, uint32_t lane)
{
    int8x16_t a = vreinterpretq_s8_s32(w);
    return lane == 0   ? vdotq_laneq_s32(total, a, x, 0)
           : lane == 1 ? vdotq_laneq_s32(total, a, x, 1)
           : lane == 2 ? vdotq_laneq_s32(total, a, x, 2)
                       : vdotq_laneq_s32(total, a, x, 3);
}

/* dot[i] lane o = *corr + sum over groups g0 .. (4 or 8) of strip i's lane o times q, exact. */
NEON_INLINE void strip_dots(const struct strip *t, int n, uint32_t g0, uint32_t groups,
                            uint32_t top, const int8_t *q, const int32_t *corr, vi *dot)
{
    for (int i = 0; i < n; i++)
        dot[i] = vi_set1(corr && top <= 127 ? *corr : 0);
    for (uint32_t k = 0; k < groups; k += 4) {
        const int8x16_t x = vld1q_s8(q + 4 * k);
        for (uint32_t g = 0; g < 4; g++)
            for (int i = 0; i < n; i++)
                dot[i] = dot4(dot[i], t[i].u[g0 + k + g], x, g);
    }
}
#else
/* dot[i] lane o = *corr + sum over groups g0 .. of strip i's lane o times q, exact: as many
 * products are added in 16 bits as fit (an activation is never -128), then pairs of neighbours. */
NEON_INLINE void strip_dots(const struct strip *t, int n, uint32_t g0, uint32_t groups,
                            uint32_t top, const int8_t *q, const int32_t *corr, vi *dot)
{
    const uint32_t together = 32767 / (127 * (top > 127 ? 128 : top));
    for (int i = 0; i < n; i++) {
        vi low = vi_set1(0), high = vi_set1(0);
        for (uint32_t k = 0; k < groups; k += together) {
            int16x8_t a = vdupq_n_s16(0), b = vdupq_n_s16(0);
            for (uint32_t g = k; g < groups && g < k + together; g++) {
                const int8x16_t w = vreinterpretq_s8_s32(t[i].u[g0 + g]);
                const int8x16_t x =
                    vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)(q + 4 * g)));
                a = vmlal_s8(a, vget_low_s8(w), vget_low_s8(x));
                b = vmlal_high_s8(b, w, x);
            }
            low = vpadalq_s16(low, a);
            high = vpadalq_s16(high, b);
        }
        dot[i] = vpaddq_s32(low, high);
        if (corr && top <= 127)
            dot[i] = vi_add(dot[i], vi_set1(*corr));
    }
}
#endif

/* Doubles. */
#define VD_WIDTH 2
typedef float64x2_t vd;

NEON_INLINE vd vd_set1(double x)
{
    return vdupq_n_f64(x);
}

NEON_INLINE vd vd_widen(const float *x)
{
    return vcvt_f64_f32(vld1_f32(x));
}

NEON_INLINE void vd_store(double *y, vd a)
{
    vst1q_f64(y, a);
}

NEON_INLINE vd vd_add(vd a, vd b)
{
    return vaddq_f64(a, b);
}

NEON_INLINE vd vd_sub(vd a, vd b)
{
    return vsubq_f64(a, b);
}

NEON_INLINE vd vd_mul(vd a, vd b)
{
    return vmulq_f64(a, b);
}

NEON_INLINE vd vd_div(vd a, vd b)
{
    return vdivq_f64(a, b);
}

NEON_INLINE vd vd_min(vd a, vd b)
{
    return vbslq_f64(vcltq_f64(a, b), a, b);
}

NEON_INLINE vd vd_max(vd a, vd b)
{
    return vbslq_f64(vcgtq_f64(a, b), a, b);
}

NEON_INLINE vd vd_fma(vd a, vd b, vd c)
{
    return vfmaq_f64(c, a, b);
}

/* 2^k for an integer k of at most 11 bits: the magic number brings its bits to the low end. */
NEON_INLINE vd vd_pow2(vd k)
{
    int64x2_t bits = vreinterpretq_s64_f64(vaddq_f64(k, vdupq_n_f64(EXP_MAGIC)));
    return vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(bits, vdupq_n_s64(1023)), 52));
}

/* p times 2^n, rounded once: in two steps, the first of which is exact. */
NEON_INLINE vd vd_scale2(vd p, vd n)
{
    vd half = vrndnq_f64(vmulq_f64(n, vdupq_n_f64(0.5)));
    return vmulq_f64(vmulq_f64(p, vd_pow2(half)), vd_pow2(vsubq_f64(n, half)));
}

#define DOT_QUERIES 4 /* what the registers hold of a tile */
#define DOT_VECTORS 2
#define SUM_QUERIES 4
#define SUM_TILE_VECTORS 4

#endif
