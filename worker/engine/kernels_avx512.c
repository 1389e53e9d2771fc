/* kernels_avx512.c - the kernels for AVX-512 with VNNI: 16 lanes, the same bits as the definition.
 */
#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "worker/engine/detmath_expf.h"
#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

#include "worker/engine/simd_avx512.h"
#include "worker/engine/simd_unpack.h"

#include "worker/engine/simd_matmul.h"
#include "worker/engine/simd_vectors.h"

AVX512_INLINE vf lanes4(vf a, vf b, int pick)
{
    return pick == 0x44   ? _mm512_shuffle_f32x4(a, b, 0x44)
           : pick == 0xee ? _mm512_shuffle_f32x4(a, b, 0xee)
           : pick == 0x88 ? _mm512_shuffle_f32x4(a, b, 0x88)
                          : _mm512_shuffle_f32x4(a, b, 0xdd);
}

AVX512_INLINE vf pairs(vf a, vf b, bool high)
{
    __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(x, y) : _mm512_unpacklo_pd(x, y));
}

/* Sixteen rows become sixteen columns: within quarters of four rows, then the quarters. */
AVX512_INLINE void vf_turn(vf *r)
{
    vf t[WIDTH];
    for (int i = 0; i < WIDTH; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < WIDTH; i += 4)
        for (int c = 0; c < 4; c++)
            r[i + c] = pairs(t[i + c / 2], t[i + c / 2 + 2], c % 2);
    for (int c = 0; c < 4; c++) {
        t[c] = lanes4(r[c], r[4 + c], 0x44);
        t[4 + c] = lanes4(r[8 + c], r[12 + c], 0x44);
        t[8 + c] = lanes4(r[c], r[4 + c], 0xee);
        t[12 + c] = lanes4(r[8 + c], r[12 + c], 0xee);
    }
    for (int c = 0; c < 4; c++) {
        r[c] = lanes4(t[c], t[4 + c], 0x88);
        r[4 + c] = lanes4(t[c], t[4 + c], 0xdd);
        r[8 + c] = lanes4(t[8 + c], t[12 + c], 0x88);
        r[12 + c] = lanes4(t[8 + c], t[12 + c], 0xdd);
    }
}

/* Eight values each of sixteen rows of halves: out[i] holds value i of all of them. Half a vector
 * takes eight rows, so nothing crosses between halves. */
AVX512_INLINE void turn_halves8(const uint8_t *k, size_t row_bytes, __m256i *out)
{
    __m256i v[8], t[8];
    for (size_t j = 0; j < 8; j++)
        v[j] = _mm256_inserti128_si256(_mm256_castsi128_si256(load_16(k + j * row_bytes)),
                                       load_16(k + (8 + j) * row_bytes), 1);
    for (int j = 0; j < 8; j += 2) {
        t[j] = _mm256_unpacklo_epi16(v[j], v[j + 1]);
        t[j + 1] = _mm256_unpackhi_epi16(v[j], v[j + 1]);
    }
    for (int j = 0; j < 8; j += 4)
        for (int c = 0; c < 2; c++) {
            v[j + 2 * c] = _mm256_unpacklo_epi32(t[j + c], t[j + 2 + c]);
            v[j + 2 * c + 1] = _mm256_unpackhi_epi32(t[j + c], t[j + 2 + c]);
        }
    for (int c = 0; c < 4; c++) {
        out[2 * c] = _mm256_unpacklo_epi64(v[c], v[4 + c]);
        out[2 * c + 1] = _mm256_unpackhi_epi64(v[c], v[4 + c]);
    }
}

/* The first values of a block's keys as columns: turned while they are halves, then widened.
 * Returns how many values, a multiple of 8. */
AVX512_INLINE uint32_t halves_columns(const uint16_t *k, uint32_t n, float *columns)
{
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (uint32_t r = 0; r < KERNEL_BLOCK; r += WIDTH) {
            __m256i h[8];
            turn_halves8((const uint8_t *)(k + (size_t)r * n + i), (size_t)n * 2, h);
            for (uint32_t j = 0; j < 8; j++)
                vf_store(columns + (size_t)(i + j) * KERNEL_BLOCK + r, _mm512_cvtph_ps(h[j]));
        }
    return i;
}

#define HALVES_COLUMNS
#define DOT_QUERIES 4 /* what the registers hold of a tile */
#define DOT_VECTORS 1
#define SUM_QUERIES 4
#define SUM_TILE_VECTORS 4

#include "worker/engine/simd_attention.h"
#include "worker/engine/simd_tiles.h"

const struct kernels kernels_avx512 = SIMD_TABLE("avx512");
