/* kernels_impl.h - what the kernel tables share behind kernels.h (internal).
 *
 * The prepared activations have one layout in all tables, so that a test can compare them. */
#ifndef WORKER_ENGINE_KERNELS_IMPL_H
#define WORKER_ENGINE_KERNELS_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "worker/engine/kernels.h"
#include "worker/engine/unpack.h"

#define LANES 16
#define ACT_BLOCK 32            /* activations that share one scale */
#define ACT_MIN_AMAX 0x0d800000 /* bits of 2^-100: a block all below it counts as zeros */

/* One prepared row. For float weights: n_in floats, the rest of the row zero. For quantised ones
 * these parts, each at a multiple of 64 bytes from the row's start. */
struct act_layout {
    size_t scale; /* float [n_in / 32]: absmax / 127; the int8 values themselves are at 0 */
    size_t corr;  /* int32 [n_in / sub]: -off * sum of the sub-block's values */
    size_t sum;   /* float [n_in / sub]: scale * sum of the sub-block's values */
    size_t bytes; /* from one row to the next */
};

static inline size_t act_round64(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

/* An odd number of cache lines: the same place of many rows then lies in all sets of a cache. */
static inline size_t act_apart(size_t n)
{
    return act_round64(n) | 64;
}

static inline struct act_layout act_layout(enum ggml_type type, uint32_t n_in)
{
    struct quant_format f = quant_format(type);
    if (f.block == 0)
        return (struct act_layout){0, 0, 0, act_apart((size_t)n_in * 4)};
    struct act_layout l;
    size_t n_sub = n_in / f.sub;
    l.scale = act_round64(n_in);
    l.corr = l.scale + act_round64((size_t)n_in / ACT_BLOCK * 4);
    l.sum = l.corr + act_round64(n_sub * 4);
    l.bytes = act_apart(l.sum + n_sub * 4);
    return l;
}

/* So many as every sub-block has a multiple of; as unsigned bytes, side by side in two words. */
static inline int32_t sum_of_16(const int8_t *q)
{
    const uint64_t sign = 0x8080808080808080u, even = 0x00ff00ff00ff00ffu;
    uint64_t w[2];
    memcpy(w, q, sizeof w);
    w[0] ^= sign;
    w[1] ^= sign;
    uint64_t pairs = (w[0] & even) + (w[0] >> 8 & even) + (w[1] & even) + (w[1] >> 8 & even);
    return (int32_t)(pairs * 0x0001000100010001u >> 48) - 16 * 128;
}

/* The whole of act_prepare but for the rounding of one block of 32, which returns its scale. */
static inline __attribute__((always_inline)) void
act_prepare_rows(enum ggml_type type, const float *x, uint32_t n_in, uint32_t rows, void *act,
                 float (*block)(const float *x, int8_t *q))
{
    struct quant_format f = quant_format(type);
    struct act_layout l = act_layout(type, n_in);
    for (uint32_t r = 0; r < rows; r++, x += n_in) {
        uint8_t *row = (uint8_t *)act + r * l.bytes;
        if (f.block == 0) {
            memcpy(row, x, (size_t)n_in * 4);
            memset(row + (size_t)n_in * 4, 0, l.bytes - (size_t)n_in * 4);
            continue;
        }
        int8_t *q = (int8_t *)row;
        float *scale = (float *)(void *)(row + l.scale);
        int32_t *corr = (int32_t *)(void *)(row + l.corr);
        float *sum = (float *)(void *)(row + l.sum);
        for (uint32_t b = 0; b < n_in / ACT_BLOCK; b++)
            scale[b] = block(x + b * ACT_BLOCK, q + b * ACT_BLOCK);
        for (uint32_t s = 0; s < n_in / f.sub; s++) {
            int32_t t = 0;
            for (uint32_t i = 0; i < f.sub; i += 16)
                t += sum_of_16(q + s * f.sub + i);
            corr[s] = -f.off * t;
            sum[s] = scale[s * f.sub / ACT_BLOCK] * (float)t;
        }
    }
}

/* Bytes of one weight row. */
static inline size_t weight_row_bytes(enum ggml_type type, uint32_t n_in)
{
    struct quant_format f = quant_format(type);
    if (f.block != 0)
        return (size_t)(n_in / f.block) * f.bytes;
    return (size_t)n_in * (type == GGML_F32 ? 4 : 2);
}

size_t act_bytes_any(enum ggml_type type, uint32_t n_in, uint32_t rows);

extern const struct kernels kernels_scalar;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
const struct kernels *kernels_amx(void);          /* the process may use tiles */
const struct kernels *kernels_amx_emulated(void); /* the same with tiles in plain C, for tests */
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
extern const struct kernels kernels_neon_dot;
#endif

#endif
