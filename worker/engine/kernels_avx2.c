/* kernels_avx2.c - the kernels for AVX2, FMA and F16C: 8 lanes, the same bits as the definition.
 *
 * VPMADDUBSW multiplies unsigned by signed bytes and saturates its sums of two at 16 bits. With
 * weights of at most six bits nothing reaches that; wider ones go in as absolute values with
 * their sign moved to the activation (at most 2 * 128 * 127 = 32512; the activation is never
 * -128, so moving the sign is exact). */
#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "worker/engine/detmath_exp.h"
#include "worker/engine/detmath_expf.h"
#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

#define WIDTH 8
#define AVX2_INLINE static inline __attribute__((always_inline))

typedef __m256i vi;
typedef __m256 vf;

AVX2_INLINE vi vi_set1(int32_t x)
{
    return _mm256_set1_epi32(x);
}

AVX2_INLINE vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}

AVX2_INLINE vi vi_or(vi a, vi b)
{
    return _mm256_or_si256(a, b);
}

/* a | (b & mask) */
AVX2_INLINE vi vi_or_and(vi a, vi b, vi mask)
{
    return _mm256_or_si256(a, _mm256_and_si256(b, mask));
}

AVX2_INLINE vi vi_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

/* WIDTH bytes, unsigned or signed. */
AVX2_INLINE vi vi_bytes(const void *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

AVX2_INLINE vi vi_signed(const void *p)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p));
}

AVX2_INLINE vi vi_xor(vi a, vi b)
{
    return _mm256_xor_si256(a, b);
}

AVX2_INLINE vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}

AVX2_INLINE vi vi_sub(vi a, vi b)
{
    return _mm256_sub_epi32(a, b);
}

AVX2_INLINE vi vi_mul(vi a, vi b)
{
    return _mm256_mullo_epi32(a, b);
}

AVX2_INLINE vi vi_max(vi a, vi b)
{
    return _mm256_max_epi32(a, b);
}

AVX2_INLINE vi vi_srl(vi a, int n)
{
    return _mm256_srli_epi32(a, n);
}

AVX2_INLINE vi vi_sll(vi a, int n)
{
    return _mm256_slli_epi32(a, n);
}

AVX2_INLINE vi vi_sra(vi a, int n)
{
    return _mm256_srai_epi32(a, n);
}

AVX2_INLINE vi vi_lookup(const uint8_t *table, vi index)
{
    __m128i t = _mm_loadu_si128((const __m128i *)(const void *)table);
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), index);
}

AVX2_INLINE int32_t vi_max_lane(vi a)
{
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1));
    return _mm_cvtsi128_si32(m);
}

/* 32 numbers, four vectors, to bytes. */
AVX2_INLINE void vi_store_bytes(int8_t *q, const vi *k)
{
    __m256i a = _mm256_packs_epi32(k[0], k[1]), b = _mm256_packs_epi32(k[2], k[3]);
    __m256i c = _mm256_packs_epi16(a, b);
    c = _mm256_permutevar8x32_epi32(c, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)q, c);
}

AVX2_INLINE vi vi_load_bytes(const int8_t *q)
{
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)q));
}

AVX2_INLINE vf vi_to_f(vi a)
{
    return _mm256_cvtepi32_ps(a);
}

AVX2_INLINE vi vf_to_int(vf a)
{
    return _mm256_cvtps_epi32(a);
}

AVX2_INLINE vi vf_bits(vf a)
{
    return _mm256_castps_si256(a);
}

AVX2_INLINE vf vf_from_bits(vi a)
{
    return _mm256_castsi256_ps(a);
}

AVX2_INLINE vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}

AVX2_INLINE vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

AVX2_INLINE void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}

AVX2_INLINE vi first_lanes(uint32_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n < WIDTH values; what follows is +0. */
AVX2_INLINE vf vf_load_some(const float *p, uint32_t n)
{
    return _mm256_maskload_ps(p, first_lanes(n));
}

AVX2_INLINE vf vf_first(vf a, uint32_t n)
{
    return _mm256_and_ps(a, _mm256_castsi256_ps(first_lanes(n)));
}

AVX2_INLINE void vf_store_some(float *p, vf a, uint32_t n)
{
    float t[WIDTH];
    if (n == WIDTH) {
        vf_store(p, a);
        return;
    }
    vf_store(t, a);
    memcpy(p, t, n * sizeof(float));
}

AVX2_INLINE vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

AVX2_INLINE vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

AVX2_INLINE vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

AVX2_INLINE vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

AVX2_INLINE vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

AVX2_INLINE vf vf_neg(vf a)
{
    return vf_from_bits(vi_xor(vf_bits(a), vi_set1((int32_t)0x80000000)));
}

/* a < b ? a : b, and a > b ? a : b. */
AVX2_INLINE vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

AVX2_INLINE vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

/* p * 2^n, rounded once, where t is n + EXPF_MAGIC: the first product is exact. */
AVX2_INLINE vf vf_scale2(vf p, vf n, vf t)
{
    (void)n;
    vi k = vi_add(vf_bits(t), vi_set1(-EXPF_MAGIC_BITS));
    vi k1 = vi_sra(k, 1), k2 = vi_sub(k, k1);
    p = vf_mul(p, vf_from_bits(vi_sll(vi_add(k1, vi_set1(127)), 23)));
    return vf_mul(p, vf_from_bits(vi_sll(vi_add(k2, vi_set1(127)), 23)));
}

/* Low 16 bits of each lane, as a half. */
AVX2_INLINE vf vf_half(vi a)
{
    __m256i w = _mm256_and_si256(a, _mm256_set1_epi32(0xffff));
    __m128i h = _mm_packus_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
    return _mm256_cvtph_ps(h);
}

AVX2_INLINE vf vf_load_half(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

AVX2_INLINE void vf_store_half(uint16_t *p, vf a)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

AVX2_INLINE vf vf_load_bf16(const uint8_t *p)
{
    __m128i h = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

AVX2_INLINE int32_t load_i32(const void *p)
{
    int32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

AVX2_INLINE vi load_rows4(const uint8_t *const *p, size_t at)
{
    return _mm256_setr_epi32(load_i32(p[0] + at), load_i32(p[1] + at), load_i32(p[2] + at),
                             load_i32(p[3] + at), load_i32(p[4] + at), load_i32(p[5] + at),
                             load_i32(p[6] + at), load_i32(p[7] + at));
}

AVX2_INLINE short half_at(const uint8_t *p)
{
    return (short)unpack_u16(p);
}

AVX2_INLINE vf load_halves(const uint8_t *const *p, size_t at)
{
    return _mm256_cvtph_ps(_mm_setr_epi16(
        half_at(p[0] + at), half_at(p[1] + at), half_at(p[2] + at), half_at(p[3] + at),
        half_at(p[4] + at), half_at(p[5] + at), half_at(p[6] + at), half_at(p[7] + at)));
}

/* Sixteen bytes of each row: out[k] lane o holds bytes 4k .. 4k + 3 of row o. */
AVX2_INLINE void load_rows16(const uint8_t *const *p, size_t at, vi *out)
{
    __m256i v[4];
    for (int i = 0; i < 4; i++) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p[i] + at));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p[i + 4] + at));
        v[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
    }
    __m256i t0 = _mm256_unpacklo_epi32(v[0], v[1]), t1 = _mm256_unpackhi_epi32(v[0], v[1]);
    __m256i t2 = _mm256_unpacklo_epi32(v[2], v[3]), t3 = _mm256_unpackhi_epi32(v[2], v[3]);
    out[0] = _mm256_unpacklo_epi64(t0, t2);
    out[1] = _mm256_unpackhi_epi64(t0, t2);
    out[2] = _mm256_unpacklo_epi64(t1, t3);
    out[3] = _mm256_unpackhi_epi64(t1, t3);
}

#define STRIPS 1

/* Wide weights: u is the absolute value, w the signed one. */
struct strip {
    vi u[8];
    vi w[8];
};

AVX2_INLINE void strip_ready(struct strip *t, uint32_t top)
{
    for (int g = 0; g < 8 && top > 127; g++) {
        t->w[g] = _mm256_xor_si256(t->u[g], _mm256_set1_epi8(-128));
        t->u[g] = _mm256_abs_epi8(t->w[g]);
    }
}

/* dot[0] lane o = *corr + sum over groups g0 .. of the strip's lane o times q, exact. */
AVX2_INLINE void strip_dots(const struct strip *t, int n, uint32_t g0, uint32_t groups,
                            uint32_t top, const int8_t *q, const int32_t *corr, vi *dot)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const uint32_t together = top > 127 ? 1 : 32767 / (254 * top); /* sums that fit in 16 bits */
    __m256i total = corr && top <= 127 ? _mm256_set1_epi32(*corr) : _mm256_setzero_si256();
    (void)n;
    for (uint32_t k = 0; k < groups; k += together) {
        __m256i s = _mm256_setzero_si256();
        for (uint32_t g = k; g < groups && g < k + together; g++) {
            __m256i x = _mm256_set1_epi32(load_i32(q + 4 * g));
            if (top > 127)
                x = _mm256_sign_epi8(x, t->w[g0 + g]);
            x = _mm256_maddubs_epi16(t->u[g0 + g], x);
            s = g == k ? x : _mm256_add_epi16(s, x);
        }
        total = _mm256_add_epi32(total, _mm256_madd_epi16(s, ones));
    }
    *dot = total;
}

/* Doubles. */
#define VD_WIDTH 4
typedef __m256d vd;

AVX2_INLINE vd vd_set1(double x)
{
    return _mm256_set1_pd(x);
}

AVX2_INLINE vd vd_widen(const float *x)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(x));
}

AVX2_INLINE void vd_store(double *y, vd a)
{
    _mm256_storeu_pd(y, a);
}

AVX2_INLINE vd vd_add(vd a, vd b)
{
    return _mm256_add_pd(a, b);
}

AVX2_INLINE vd vd_sub(vd a, vd b)
{
    return _mm256_sub_pd(a, b);
}

AVX2_INLINE vd vd_mul(vd a, vd b)
{
    return _mm256_mul_pd(a, b);
}

AVX2_INLINE vd vd_div(vd a, vd b)
{
    return _mm256_div_pd(a, b);
}

AVX2_INLINE vd vd_min(vd a, vd b)
{
    return _mm256_min_pd(a, b);
}

AVX2_INLINE vd vd_max(vd a, vd b)
{
    return _mm256_max_pd(a, b);
}

AVX2_INLINE vd vd_fma(vd a, vd b, vd c)
{
    return _mm256_fmadd_pd(a, b, c);
}

/* 2^k for an integer k of at most 11 bits: the magic number brings its bits to the low end. */
AVX2_INLINE vd vd_pow2(vd k)
{
    __m256i bits = _mm256_castpd_si256(_mm256_add_pd(k, _mm256_set1_pd(EXP_MAGIC)));
    bits = _mm256_slli_epi64(_mm256_add_epi64(bits, _mm256_set1_epi64x(1023)), 52);
    return _mm256_castsi256_pd(bits);
}

/* p times 2^n, rounded once: in two steps, the first of which is exact. */
AVX2_INLINE vd vd_scale2(vd p, vd n)
{
    vd half = _mm256_round_pd(_mm256_mul_pd(n, _mm256_set1_pd(0.5)),
                              _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm256_mul_pd(_mm256_mul_pd(p, vd_pow2(half)), vd_pow2(_mm256_sub_pd(n, half)));
}

/* Two rows that hold 4, 2 or 1 partial sums of so many keys each become one, as the tree adds
 * them: lane l + lane (l + 4), then + 2, + 1. */
AVX2_INLINE vf fold4(vf a, vf b)
{
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

AVX2_INLINE vf fold2(vf a, vf b)
{
    __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
}

AVX2_INLINE vf fold1(vf a, vf b)
{
    return _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd));
}

/* The sums over the sixteen lanes, two vectors, of eight rows. */
AVX2_INLINE vf vf_fold(vf (*r)[2])
{
    vf x[4];
    for (int i = 0; i < 4; i++)
        x[i] = fold4(_mm256_add_ps(r[i][0], r[i][1]), _mm256_add_ps(r[i + 4][0], r[i + 4][1]));
    return fold1(fold2(x[0], x[1]), fold2(x[2], x[3]));
}

#define FLOAT_BLOCK_OUTPUTS 4 /* what the registers hold of a float matrix */
#define FLOAT_BLOCK_ROWS 3

#include "worker/engine/simd_unpack.h"

#include "worker/engine/simd_matmul.h"
#include "worker/engine/simd_vectors.h"

AVX2_INLINE vf pairs(vf a, vf b, bool high)
{
    __m256d x = _mm256_castps_pd(a), y = _mm256_castps_pd(b);
    return _mm256_castpd_ps(high ? _mm256_unpackhi_pd(x, y) : _mm256_unpacklo_pd(x, y));
}

/* Eight rows become eight columns: within halves of four rows, then the halves. */
AVX2_INLINE void vf_turn(vf *r)
{
    vf t[WIDTH];
    for (int i = 0; i < WIDTH; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < WIDTH; i += 4)
        for (int c = 0; c < 4; c++)
            r[i + c] = pairs(t[i + c / 2], t[i + c / 2 + 2], c % 2);
    for (int c = 0; c < 4; c++) {
        t[c] = _mm256_permute2f128_ps(r[c], r[4 + c], 0x20);
        t[4 + c] = _mm256_permute2f128_ps(r[c], r[4 + c], 0x31);
    }
    for (int i = 0; i < WIDTH; i++)
        r[i] = t[i];
}

#define DOT_QUERIES 4 /* what the registers hold of a tile */
#define DOT_VECTORS 2
#define SUM_QUERIES 4
#define SUM_TILE_VECTORS 2

#include "worker/engine/simd_attention.h"
#include "worker/engine/simd_tiles.h"

const struct kernels kernels_avx2 = SIMD_TABLE("avx2");
