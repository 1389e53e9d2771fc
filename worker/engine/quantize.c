/* quantize.c - single precision to the simple block formats; see quantize.h.
 *
 * Each step is one IEEE operation, so every machine writes the same bytes. */
#include "worker/engine/quantize.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "worker/engine/kernels.h"

#define BLOCK 32

static void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static uint16_t to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 64); /* not a number stays one, quiet */
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

/* The value of largest magnitude, with its sign; the first of equals. */
static float extreme(const float *x)
{
    float amax = 0.0f, v = 0.0f;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(x[i]) > amax) {
            amax = fabsf(x[i]);
            v = x[i];
        }
    return v;
}

static void range(const float *x, float *lo, float *hi)
{
    *lo = *hi = x[0];
    for (int i = 1; i < BLOCK; i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
}

/* 1/d, or 0 for a scale so small that a half cannot hold it and 1/d might be infinite. */
static float reciprocal(float d)
{
    return fabsf(d) < 0x1p-126f ? 0.0f : 1.0f / d;
}

/* Truncates v, which is never negative, and limits it to top. */
static uint32_t level(float v, uint32_t top)
{
    uint32_t q = (uint32_t)v;
    return q < top ? q : top;
}

/* The low four bits as nibbles (value i with value i + 16); returns the fifth bits. */
static uint32_t put_levels(uint8_t *nibbles, const uint32_t *q)
{
    uint32_t fifth = 0;
    for (int i = 0; i < BLOCK / 2; i++)
        nibbles[i] = (uint8_t)((q[i] & 15) | (q[i + BLOCK / 2] & 15) << 4);
    for (int i = 0; i < BLOCK; i++)
        fifth |= (q[i] >> 4) << i;
    return fifth;
}

static void put_fifth(uint8_t *p, uint32_t fifth)
{
    put_u16(p, (uint16_t)fifth);
    put_u16(p + 2, (uint16_t)(fifth >> 16));
}

/* Q4_0 (half = 8) and Q5_0 (half = 16): the extreme value becomes level 0. */
static void block_symmetric(const float *x, uint8_t *p, uint32_t half)
{
    uint32_t q[BLOCK];
    float d = extreme(x) / -(float)half, inverse = reciprocal(d);
    for (int i = 0; i < BLOCK; i++)
        q[i] = level(x[i] * inverse + ((float)half + 0.5f), 2 * half - 1);
    put_u16(p, f32_to_f16(d));
    if (half == 16)
        put_fifth(p + 2, put_levels(p + 6, q));
    else
        put_levels(p + 2, q);
}

/* Q4_1 (top = 15) and Q5_1 (top = 31): the smallest value becomes level 0. */
static void block_with_min(const float *x, uint8_t *p, uint32_t top)
{
    uint32_t q[BLOCK];
    float lo, hi;
    range(x, &lo, &hi);
    float d = (hi - lo) / (float)top, inverse = reciprocal(d);
    for (int i = 0; i < BLOCK; i++)
        q[i] = level((x[i] - lo) * inverse + 0.5f, top);
    put_u16(p, f32_to_f16(d));
    put_u16(p + 2, f32_to_f16(lo));
    if (top == 31)
        put_fifth(p + 4, put_levels(p + 8, q));
    else
        put_levels(p + 4, q);
}

static void block_q8_0(const float *x, uint8_t *p)
{
    float d = fabsf(extreme(x)) / 127.0f, inverse = reciprocal(d);
    put_u16(p, f32_to_f16(d));
    for (int i = 0; i < BLOCK; i++)
        p[2 + i] = (uint8_t)(int8_t)roundf(x[i] * inverse);
}

static int check(enum ggml_type type, const float *x, uint64_t n, struct px_err *err)
{
    const struct ggml_type_info *info = ggml_type_info(type);
    switch (type) {
    case GGML_F32:
    case GGML_F16:
    case GGML_BF16:
        return 0;
    case GGML_Q4_0:
    case GGML_Q4_1:
    case GGML_Q5_0:
    case GGML_Q5_1:
    case GGML_Q8_0:
        break;
    default:
        return px_fail(err, PX_EUNSUPPORTED,
                       "cannot quantize to %s: use F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0",
                       info && info->name ? info->name : "an unknown type");
    }
    if (n % BLOCK != 0)
        return px_fail(err, PX_EINPUT, "cannot quantize %llu values: not a multiple of %d",
                       (unsigned long long)n, BLOCK);
    for (uint64_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) < 32768.0f)) /* (hi - lo) and every scale fit a half */
            return px_fail(err, PX_EINPUT,
                           "cannot quantize value %llu: %g is not a number below 32768",
                           (unsigned long long)i, (double)x[i]);
    return 0;
}

int quantize_row(enum ggml_type type, const float *x, void *blocks, uint64_t n, struct px_err *err)
{
    uint8_t *p = blocks;
    if (check(type, x, n, err) != 0)
        return -1;
    if (type == GGML_F32)
        memcpy(p, x, n * sizeof(*x));
    for (uint64_t i = 0; i < n && (type == GGML_F16 || type == GGML_BF16); i++)
        put_u16(p + 2 * i, type == GGML_F16 ? f32_to_f16(x[i]) : to_bf16(x[i]));
    for (uint64_t i = 0; i < n; i += BLOCK)
        switch (type) {
        case GGML_Q4_0:
            block_symmetric(x + i, p + i / BLOCK * 18, 8);
            break;
        case GGML_Q4_1:
            block_with_min(x + i, p + i / BLOCK * 20, 15);
            break;
        case GGML_Q5_0:
            block_symmetric(x + i, p + i / BLOCK * 22, 16);
            break;
        case GGML_Q5_1:
            block_with_min(x + i, p + i / BLOCK * 24, 31);
            break;
        case GGML_Q8_0:
            block_q8_0(x + i, p + i / BLOCK * 34);
            break;
        default:
            return 0;
        }
    return 0;
}
