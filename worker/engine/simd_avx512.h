/* simd_avx512.h - the small functions of the templates for AVX-512 with VNNI (internal).
 *
 * VPDPBUSD sums four products of unsigned and signed bytes exactly in 32 bits, so weights go in
 * unsigned and their offset comes off through the activations' sums. */
#ifndef WORKER_ENGINE_SIMD_AVX512_H
#define WORKER_ENGINE_SIMD_AVX512_H

#include <immintrin.h>

#include "worker/engine/kernels_impl.h"

#define WIDTH 16
#define AVX512_INLINE static inline __attribute__((always_inline))

typedef __m512i vi;
typedef __m512 vf;

AVX512_INLINE vi vi_set1(int32_t x)
{
    return _mm512_set1_epi32(x);
}

AVX512_INLINE vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
}

AVX512_INLINE vi vi_or(vi a, vi b)
{
    return _mm512_or_si512(a, b);
}

/* a | (b & mask) */
AVX512_INLINE vi vi_or_and(vi a, vi b, vi mask)
{
    return _mm512_ternarylogic_epi32(a, b, mask, 0xf8);
}

AVX512_INLINE vi vi_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

/* WIDTH bytes, unsigned or signed. */
AVX512_INLINE vi vi_bytes(const void *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p));
}

AVX512_INLINE vi vi_signed(const void *p)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p));
}

AVX512_INLINE vi vi_xor(vi a, vi b)
{
    return _mm512_xor_si512(a, b);
}

AVX512_INLINE vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}

AVX512_INLINE vi vi_sub(vi a, vi b)
{
    return _mm512_sub_epi32(a, b);
}

AVX512_INLINE vi vi_mul(vi a, vi b)
{
    return _mm512_mullo_epi32(a, b);
}

AVX512_INLINE vi vi_max(vi a, vi b)
{
    return _mm512_max_epi32(a, b);
}

AVX512_INLINE vi vi_srl(vi a, int n)
{
    return _mm512_srli_epi32(a, n);
}

AVX512_INLINE vi vi_sll(vi a, int n)
{
    return _mm512_slli_epi32(a, n);
}

AVX512_INLINE vi vi_sra(vi a, int n)
{
    return _mm512_srai_epi32(a, n);
}

AVX512_INLINE vi vi_lookup(const uint8_t *table, vi index)
{
    __m128i t = _mm_loadu_si128((const __m128i *)(const void *)table);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), index);
}

AVX512_INLINE int32_t vi_max_lane(vi a)
{
    return _mm512_reduce_max_epi32(a);
}

/* 32 numbers, two vectors, to bytes. */
AVX512_INLINE void vi_store_bytes(int8_t *q, const vi *k)
{
    _mm_storeu_si128((__m128i *)(void *)q, _mm512_cvtepi32_epi8(k[0]));
    _mm_storeu_si128((__m128i *)(void *)(q + 16), _mm512_cvtepi32_epi8(k[1]));
}

AVX512_INLINE vi vi_load_bytes(const int8_t *q)
{
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)q));
}

AVX512_INLINE vf vi_to_f(vi a)
{
    return _mm512_cvtepi32_ps(a);
}

AVX512_INLINE vi vf_to_int(vf a)
{
    return _mm512_cvtps_epi32(a);
}

AVX512_INLINE vi vf_bits(vf a)
{
    return _mm512_castps_si512(a);
}

AVX512_INLINE vf vf_from_bits(vi a)
{
    return _mm512_castsi512_ps(a);
}

AVX512_INLINE vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}

AVX512_INLINE vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

AVX512_INLINE void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

/* The first n < WIDTH values; what follows is +0. */
AVX512_INLINE vf vf_load_some(const float *p, uint32_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

AVX512_INLINE vf vf_first(vf a, uint32_t n)
{
    return _mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), a);
}

AVX512_INLINE void vf_store_some(float *p, vf a, uint32_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}

AVX512_INLINE vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

AVX512_INLINE vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

AVX512_INLINE vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

AVX512_INLINE vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

AVX512_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

AVX512_INLINE vf vf_neg(vf a)
{
    return vf_from_bits(vi_xor(vf_bits(a), vi_set1((int32_t)0x80000000)));
}

/* a < b ? a : b, and a > b ? a : b. */
AVX512_INLINE vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

AVX512_INLINE vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

/* p * 2^n, rounded once. */
AVX512_INLINE vf vf_scale2(vf p, vf n, vf t)
{
    (void)t;
    return _mm512_scalef_ps(p, n);
}

/* Low 16 bits of each lane, as a half. */
AVX512_INLINE vf vf_half(vi a)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(a));
}

AVX512_INLINE vf vf_load_half(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

AVX512_INLINE void vf_store_half(uint16_t *p, vf a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

AVX512_INLINE vf vf_load_bf16(const uint8_t *p)
{
    __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

AVX512_INLINE int32_t load_i32(const void *p)
{
    int32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

AVX512_INLINE vi load_rows4(const uint8_t *const *p, size_t at)
{
    return _mm512_setr_epi32(
        load_i32(p[0] + at), load_i32(p[1] + at), load_i32(p[2] + at), load_i32(p[3] + at),
        load_i32(p[4] + at), load_i32(p[5] + at), load_i32(p[6] + at), load_i32(p[7] + at),
        load_i32(p[8] + at), load_i32(p[9] + at), load_i32(p[10] + at), load_i32(p[11] + at),
        load_i32(p[12] + at), load_i32(p[13] + at), load_i32(p[14] + at), load_i32(p[15] + at));
}

AVX512_INLINE short half_at(const uint8_t *p)
{
    return (short)unpack_u16(p);
}

AVX512_INLINE vf load_halves(const uint8_t *const *p, size_t at)
{
    return _mm512_cvtph_ps(_mm256_setr_epi16(
        half_at(p[0] + at), half_at(p[1] + at), half_at(p[2] + at), half_at(p[3] + at),
        half_at(p[4] + at), half_at(p[5] + at), half_at(p[6] + at), half_at(p[7] + at),
        half_at(p[8] + at), half_at(p[9] + at), half_at(p[10] + at), half_at(p[11] + at),
        half_at(p[12] + at), half_at(p[13] + at), half_at(p[14] + at), half_at(p[15] + at)));
}

AVX512_INLINE __m128i load_16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Sixteen bytes of each row: out[k] lane o holds bytes 4k .. 4k + 3 of row o. */
AVX512_INLINE void load_rows16(const uint8_t *const *p, size_t at, vi *out)
{
    __m512i v[4];
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_castsi128_si512(load_16(p[i] + at));
        v[i] = _mm512_mask_broadcast_i32x4(v[i], 0x00f0, load_16(p[i + 4] + at));
        v[i] = _mm512_mask_broadcast_i32x4(v[i], 0x0f00, load_16(p[i + 8] + at));
        v[i] = _mm512_mask_broadcast_i32x4(v[i], 0xf000, load_16(p[i + 12] + at));
    }
    __m512i t0 = _mm512_unpacklo_epi32(v[0], v[1]), t1 = _mm512_unpackhi_epi32(v[0], v[1]);
    __m512i t2 = _mm512_unpacklo_epi32(v[2], v[3]), t3 = _mm512_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm512_unpacklo_epi64(t0, t2);
    out[1] = _mm512_unpackhi_epi64(t0, t2);
    out[2] = _mm512_unpacklo_epi64(t1, t3);
    out[3] = _mm512_unpackhi_epi64(t1, t3);
}

#define STRIPS 2

struct strip {
    vi u[8];
};

AVX512_INLINE void strip_ready(struct strip *t, uint32_t top)
{
    (void)t;
    (void)top;
}

/* dot[i] lane o = *corr + sum over groups g0 .. of strip i's lane o times q, exact. */
AVX512_INLINE void strip_dots(const struct strip *t, int n, uint32_t g0, uint32_t groups,
                              uint32_t top, const int8_t *q, const int32_t *corr, vi *dot)
{
    (void)top;
    for (int i = 0; i < n; i++)
        dot[i] = corr ? _mm512_set1_epi32(*corr) : _mm512_setzero_si512();
    for (uint32_t g = 0; g < groups; g++) {
        __m512i x = _mm512_set1_epi32(load_i32(q + 4 * g));
        for (int i = 0; i < n; i++)
            dot[i] = _mm512_dpbusd_epi32(dot[i], t[i].u[g0 + g], x);
    }
}

/* Doubles. */
#define VD_WIDTH 8
typedef __m512d vd;

AVX512_INLINE vd vd_set1(double x)
{
    return _mm512_set1_pd(x);
}

AVX512_INLINE vd vd_widen(const float *x)
{
    return _mm512_cvtps_pd(_mm256_loadu_ps(x));
}

AVX512_INLINE void vd_store(double *y, vd a)
{
    _mm512_storeu_pd(y, a);
}

AVX512_INLINE vd vd_add(vd a, vd b)
{
    return _mm512_add_pd(a, b);
}

AVX512_INLINE vd vd_sub(vd a, vd b)
{
    return _mm512_sub_pd(a, b);
}

AVX512_INLINE vd vd_mul(vd a, vd b)
{
    return _mm512_mul_pd(a, b);
}

AVX512_INLINE vd vd_div(vd a, vd b)
{
    return _mm512_div_pd(a, b);
}

AVX512_INLINE vd vd_min(vd a, vd b)
{
    return _mm512_min_pd(a, b);
}

AVX512_INLINE vd vd_max(vd a, vd b)
{
    return _mm512_max_pd(a, b);
}

AVX512_INLINE vd vd_fma(vd a, vd b, vd c)
{
    return _mm512_fmadd_pd(a, b, c);
}

/* p times 2^n, rounded once. */
AVX512_INLINE vd vd_scale2(vd p, vd n)
{
    return _mm512_scalef_pd(p, n);
}

/* Two rows that hold 8, 4, 2 or 1 partial sums of so many keys each become one, as the tree adds
 * them: lane l + lane (l + 8), then + 4, + 2, + 1. */
AVX512_INLINE vf fold8(vf a, vf b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

AVX512_INLINE vf fold4(vf a, vf b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

AVX512_INLINE vf fold2(vf a, vf b)
{
    __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}

AVX512_INLINE vf fold1(vf a, vf b)
{
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

/* The sums over the lanes of sixteen rows. */
AVX512_INLINE vf vf_fold(vf (*r)[1])
{
    vf x[4];
    for (int i = 0; i < 4; i++)
        x[i] = fold4(fold8(r[i][0], r[i + 4][0]), fold8(r[i + 8][0], r[i + 12][0]));
    return fold1(fold2(x[0], x[1]), fold2(x[2], x[3]));
}

#define FLOAT_BLOCK_OUTPUTS 4 /* what the registers hold of a float matrix */
#define FLOAT_BLOCK_ROWS 4

#endif
