/* unpack.h - the block formats of quantised weights, decoded to one common form (internal).
 *
 * Every format becomes unsigned bytes with a scale, and for some a minimum, per sub-block of 16 or
 * 32 values:  w[i] = scale[s] * (u[i] - off) + min[s].  The products that make a scale or a
 * minimum (half-precision number times a small integer) are exact in single precision, so this
 * form loses nothing, and dequantize() and all kernels are built on it.
 * Little-endian, as the files are. The functions are plain C, compiled once per instruction set by
 * the files that include them. */
#ifndef WORKER_ENGINE_UNPACK_H
#define WORKER_ENGINE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

#include "proto/model/gguf.h"

#define UNPACK_MAX 256 /* values that one call decodes at most: one super-block, or 8 blocks */

struct quant_format {
    uint32_t block; /* values per block of the file */
    uint32_t bytes; /* bytes per block of the file */
    uint32_t sub;   /* values per scale: 16 or 32 */
    int32_t off;    /* what u = 0 stands for, negated */
    uint32_t top;   /* largest u */
    bool has_min;
};

/* X(type) for every quantised type. */
#define QUANT_TYPES(X)                                                                             \
    X(GGML_Q4_0)                                                                                   \
    X(GGML_Q4_1)                                                                                   \
    X(GGML_Q5_0)                                                                                   \
    X(GGML_Q5_1)                                                                                   \
    X(GGML_Q8_0)                                                                                   \
    X(GGML_Q2_K)                                                                                   \
    X(GGML_Q3_K)                                                                                   \
    X(GGML_Q4_K)                                                                                   \
    X(GGML_Q5_K)                                                                                   \
    X(GGML_Q6_K)                                                                                   \
    X(GGML_IQ4_NL)                                                                                 \
    X(GGML_IQ4_XS)

/* block 0: not a quantised type. Folds to constants when the type is one. */
static inline __attribute__((always_inline)) struct quant_format quant_format(enum ggml_type type)
{
    switch (type) {
    case GGML_Q4_0:
        return (struct quant_format){32, 18, 32, 8, 15, false};
    case GGML_Q4_1:
        return (struct quant_format){32, 20, 32, 0, 15, true};
    case GGML_Q5_0:
        return (struct quant_format){32, 22, 32, 16, 31, false};
    case GGML_Q5_1:
        return (struct quant_format){32, 24, 32, 0, 31, true};
    case GGML_Q8_0:
        return (struct quant_format){32, 34, 32, 128, 255, false};
    case GGML_IQ4_NL:
        return (struct quant_format){32, 18, 32, 128, 241, false};
    case GGML_Q2_K:
        return (struct quant_format){256, 84, 16, 0, 3, true};
    case GGML_Q3_K:
        return (struct quant_format){256, 110, 16, 4, 7, false};
    case GGML_Q4_K:
        return (struct quant_format){256, 144, 32, 0, 15, true};
    case GGML_Q5_K:
        return (struct quant_format){256, 176, 32, 0, 31, true};
    case GGML_Q6_K:
        return (struct quant_format){256, 210, 16, 32, 63, false};
    case GGML_IQ4_XS:
        return (struct quant_format){256, 136, 32, 128, 241, false};
    default:
        return (struct quant_format){0, 0, 0, 0, 0, false};
    }
}

static inline uint16_t unpack_u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline float unpack_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof(f));
    return f;
}

/* Half to single, exact; not-a-numbers keep sign and payload and become quiet. */
static inline float unpack_half_bits(uint16_t h)
{
#ifdef __F16C__
    return _cvtsh_ss(h);
#else
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, frac = h & 0x3ff;
    if (exp == 0) { /* zero or subnormal: frac * 2^-24 */
        float f = (float)frac * 0x1p-24f;
        uint32_t u;
        memcpy(&u, &f, sizeof(u));
        return unpack_float(u | sign);
    }
    if (exp == 31)
        return unpack_float(sign | 0x7f800000u | frac << 13 | (frac ? 0x400000u : 0));
    return unpack_float(sign | (exp + 112) << 23 | frac << 13);
#endif
}

static inline float unpack_half(const uint8_t *p)
{
    return unpack_half_bits(unpack_u16(p));
}

/* The sixteen values of IQ4, plus 128. */
static const uint8_t unpack_iq4[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                       129, 141, 153, 166, 181, 197, 217, 241};

/* Low nibbles are values 0..15 of a block of 32, high nibbles 16..31. */
static inline void unpack_nibbles(const uint8_t *restrict q, uint8_t *restrict u)
{
    for (int j = 0; j < 16; j++) {
        u[j] = q[j] & 15;
        u[j + 16] = q[j] >> 4;
    }
}

/* Fifth bits: bit i of the 32-bit word at p belongs to value i. */
static inline void unpack_fifth(const uint8_t *restrict p, uint8_t *restrict u)
{
#ifdef __AVX2__
    const __m256i pick = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2,
                                          2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((int64_t)0x8040201008040201ull);
    int32_t w;
    memcpy(&w, p, sizeof(w));
    __m256i b = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(w), pick), bit);
    __m256i hi = _mm256_and_si256(_mm256_cmpeq_epi8(b, bit), _mm256_set1_epi8(16));
    __m256i *v = (__m256i *)(void *)u;
    _mm256_storeu_si256(v, _mm256_or_si256(_mm256_loadu_si256(v), hi));
#else
    for (int k = 0; k < 4; k++) { /* bit j of a byte to byte j of a word: 0x10 where it is set */
        uint64_t bit = p[k] * 0x0101010101010101ull & 0x8040201008040201ull;
        uint64_t fifth = ((bit + 0x7f7f7f7f7f7f7f7full) & 0x8080808080808080ull) >> 3;
        uint64_t v;
        memcpy(&v, u + 8 * k, sizeof(v));
        v |= fifth;
        memcpy(u + 8 * k, &v, sizeof(v));
    }
#endif
}

static inline void unpack_iq4_block(const uint8_t *restrict q, uint8_t *restrict u)
{
#ifdef __AVX2__
    __m128i table = _mm_loadu_si128((const __m128i *)(const void *)unpack_iq4);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)q), low = _mm_set1_epi8(15);
    __m128i a = _mm_shuffle_epi8(table, _mm_and_si128(v, low));
    __m128i b = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(v, 4), low));
    _mm_storeu_si128((__m128i *)(void *)u, a);
    _mm_storeu_si128((__m128i *)(void *)(u + 16), b);
#else
    for (int j = 0; j < 16; j++) {
        u[j] = unpack_iq4[q[j] & 15];
        u[j + 16] = unpack_iq4[q[j] >> 4];
    }
#endif
}

/* The integers of a block's scales and minima, as bytes (signed ones as two's complement). */
static inline void unpack_scale_bytes(enum ggml_type type, const uint8_t *restrict p,
                                      uint8_t *restrict scale, uint8_t *restrict min)
{
    const uint8_t *sc;
    switch (type) {
    case GGML_Q2_K:
        memcpy(scale, p, 16);
        break;
    case GGML_Q3_K:
        sc = p + 96;
        for (int s = 0; s < 16; s++) { /* 4 low bits: a nibble of bytes 0..7; 2 high: 8..11 */
            int low = (sc[s % 8] >> (s / 8 * 4)) & 15, two = (sc[8 + s % 4] >> (s / 4 * 2)) & 3;
            scale[s] = (uint8_t)((low | two << 4) - 32);
        }
        break;
    case GGML_Q4_K:
    case GGML_Q5_K:
        sc = p + 4;
        for (int j = 0; j < 4; j++) {
            scale[j] = sc[j] & 63;
            min[j] = sc[j + 4] & 63;
            scale[j + 4] = (uint8_t)((sc[j + 8] & 15) | (sc[j] >> 6) << 4);
            min[j + 4] = (uint8_t)((sc[j + 8] >> 4) | (sc[j + 4] >> 6) << 4);
        }
        break;
    case GGML_Q6_K:
        memcpy(scale, p + 192, 16);
        break;
    case GGML_IQ4_XS:
        for (int s = 0; s < 8; s++) {
            int low = (p[4 + s / 2] >> (s % 2 * 4)) & 15, two = (unpack_u16(p + 2) >> (2 * s)) & 3;
            scale[s] = (uint8_t)((low | two << 4) - 32);
        }
        break;
    default:
        break;
    }
}

/* Where d and m are in a block of the file; 0 for an m that the type does not have. */
static inline void unpack_halves(enum ggml_type type, uint32_t *d, uint32_t *m)
{
    *d = *m = 0;
    switch (type) {
    case GGML_Q4_1:
    case GGML_Q5_1:
    case GGML_Q4_K:
    case GGML_Q5_K:
        *m = 2;
        break;
    case GGML_Q2_K:
        *d = 80;
        *m = 82;
        break;
    case GGML_Q3_K:
        *d = 108;
        break;
    case GGML_Q6_K:
        *d = 208;
        break;
    default:
        break;
    }
}

static inline void unpack_q2_k(const uint8_t *restrict p, uint8_t *restrict u, float *scale,
                               float *min)
{
    const uint8_t *q = p + 16;
    float d = unpack_half(p + 80), m = -unpack_half(p + 82);
    for (int s = 0; s < 16; s++) {
        scale[s] = d * (float)(p[s] & 15);
        min[s] = m * (float)(p[s] >> 4);
    }
    for (int h = 0; h < 2; h++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 32; l++)
                u[128 * h + 32 * j + l] = (q[32 * h + l] >> (2 * j)) & 3;
}

static inline void unpack_q3_k(const uint8_t *restrict p, uint8_t *restrict u, float *scale)
{
    const uint8_t *high = p, *q = p + 32;
    uint8_t k[16];
    float d = unpack_half(p + 108);
    unpack_scale_bytes(GGML_Q3_K, p, k, NULL);
    for (int s = 0; s < 16; s++)
        scale[s] = d * (float)(int8_t)k[s];
    for (int h = 0; h < 2; h++)
        for (int j = 0; j < 4; j++)
            for (int l = 0; l < 32; l++)
                u[128 * h + 32 * j + l] = (uint8_t)(((q[32 * h + l] >> (2 * j)) & 3) |
                                                    ((high[l] >> (4 * h + j)) & 1) << 2);
}

/* Scales and minima of Q4_K and Q5_K, whose blocks begin alike. */
static inline void unpack_k_scales(const uint8_t *restrict p, float *restrict scale,
                                   float *restrict min)
{
    uint8_t a[8], b[8];
    float d = unpack_half(p), m = -unpack_half(p + 2);
    unpack_scale_bytes(GGML_Q4_K, p, a, b);
    for (int j = 0; j < 8; j++) {
        scale[j] = d * (float)a[j];
        min[j] = m * (float)b[j];
    }
}

static inline void unpack_q4_k(const uint8_t *restrict p, uint8_t *restrict u, float *scale,
                               float *min)
{
    unpack_k_scales(p, scale, min);
    for (int j = 0; j < 4; j++)
        for (int l = 0; l < 32; l++) {
            u[64 * j + l] = p[16 + 32 * j + l] & 15;
            u[64 * j + 32 + l] = p[16 + 32 * j + l] >> 4;
        }
}

static inline void unpack_q5_k(const uint8_t *restrict p, uint8_t *restrict u, float *scale,
                               float *min)
{
    const uint8_t *high = p + 16, *q = p + 48;
    unpack_k_scales(p, scale, min);
    for (int j = 0; j < 4; j++)
        for (int l = 0; l < 32; l++) {
            uint8_t v = q[32 * j + l];
            u[64 * j + l] = (uint8_t)((v & 15) | ((high[l] >> (2 * j)) & 1) << 4);
            u[64 * j + 32 + l] = (uint8_t)((v >> 4) | ((high[l] >> (2 * j + 1)) & 1) << 4);
        }
}

static inline void unpack_q6_k(const uint8_t *restrict p, uint8_t *restrict u, float *scale)
{
    const uint8_t *low = p, *high = p + 128;
    float d = unpack_half(p + 208);
    for (int s = 0; s < 16; s++)
        scale[s] = d * (float)(int8_t)p[192 + s];
    for (int h = 0; h < 2; h++)
        for (int l = 0; l < 32; l++) {
            uint8_t a = low[64 * h + l], b = low[64 * h + 32 + l], c = high[32 * h + l];
            uint8_t *v = u + 128 * h + l;
            v[0] = (uint8_t)((a & 15) | (c & 3) << 4);
            v[32] = (uint8_t)((b & 15) | ((c >> 2) & 3) << 4);
            v[64] = (uint8_t)((a >> 4) | ((c >> 4) & 3) << 4);
            v[96] = (uint8_t)((b >> 4) | ((c >> 6) & 3) << 4);
        }
}

static inline void unpack_iq4_xs(const uint8_t *restrict p, uint8_t *restrict u, float *scale)
{
    float d = unpack_half(p);
    uint8_t k[8];
    unpack_scale_bytes(GGML_IQ4_XS, p, k, NULL);
    for (int s = 0; s < 8; s++) {
        scale[s] = d * (float)(int8_t)k[s];
        unpack_iq4_block(p + 8 + 16 * s, u + 32 * s);
    }
}

/* One block of 32 values. */
static inline __attribute__((always_inline)) void
unpack_small(enum ggml_type type, const uint8_t *p, uint8_t *u, float *scale, float *min)
{
    *scale = unpack_half(p);
    switch (type) {
    case GGML_Q4_0:
        unpack_nibbles(p + 2, u);
        break;
    case GGML_Q4_1:
        *min = unpack_half(p + 2);
        unpack_nibbles(p + 4, u);
        break;
    case GGML_Q5_0:
        unpack_nibbles(p + 6, u);
        unpack_fifth(p + 2, u);
        break;
    case GGML_Q5_1:
        *min = unpack_half(p + 2);
        unpack_nibbles(p + 8, u);
        unpack_fifth(p + 4, u);
        break;
    case GGML_IQ4_NL:
        unpack_iq4_block(p + 2, u);
        break;
    default: /* Q8_0 */
        for (int j = 0; j < 32; j++)
            u[j] = p[2 + j] ^ 0x80;
        break;
    }
}

/* Decodes n values (n <= UNPACK_MAX, whole blocks) to u [n], scale and min [n / sub]. */
static inline __attribute__((always_inline)) void unpack_values(enum ggml_type type,
                                                                const uint8_t *p, uint32_t n,
                                                                uint8_t *u, float *scale,
                                                                float *min)
{
    switch (type) {
    case GGML_Q2_K:
        unpack_q2_k(p, u, scale, min);
        break;
    case GGML_Q3_K:
        unpack_q3_k(p, u, scale);
        break;
    case GGML_Q4_K:
        unpack_q4_k(p, u, scale, min);
        break;
    case GGML_Q5_K:
        unpack_q5_k(p, u, scale, min);
        break;
    case GGML_Q6_K:
        unpack_q6_k(p, u, scale);
        break;
    case GGML_IQ4_XS:
        unpack_iq4_xs(p, u, scale);
        break;
    default:
        for (uint32_t b = 0; b < n / 32; b++)
            unpack_small(type, p + b * quant_format(type).bytes, u + 32 * b, scale + b, min + b);
        break;
    }
}

#endif
