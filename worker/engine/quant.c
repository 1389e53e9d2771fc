/* quant.c - weights to single precision: dequantize and the half-precision conversions.
 *
 * Bit for bit what ggml's reference functions give: scale times integer, then plus the minimum,
 * each rounded once. Pure, any thread. */
#include <string.h>

#include "worker/engine/kernels.h"
#include "worker/engine/unpack.h"

float f16_to_f32(uint16_t h)
{
    return unpack_half_bits(h);
}

uint16_t f32_to_f16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    uint32_t sign = (u >> 16) & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) /* not a number: quiet, payload kept */
        return (uint16_t)(sign | 0x7e00 | ((a >> 13) & 0x3ff));
    if (a >= 0x477ff000) /* rounds to 65536 or more: infinity */
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x38800000) { /* below 2^-14: units of 2^-24, rounded by an addition */
        float t;
        memcpy(&t, &a, sizeof(t));
        t += 0.5f; /* the last bit of 0.5 is 2^-24 */
        memcpy(&a, &t, sizeof(a));
        return (uint16_t)(sign | (a - 0x3f000000));
    }
    a += 0xfff + ((a >> 13) & 1); /* nearest, ties to even */
    return (uint16_t)(sign | ((a >> 13) - (112 << 10)));
}

static inline __attribute__((always_inline)) void
dequantize_blocks(enum ggml_type type, const uint8_t *p, float *out, uint64_t n)
{
    const struct quant_format f = quant_format(type);
    uint8_t u[UNPACK_MAX];
    float scale[UNPACK_MAX / 16], min[UNPACK_MAX / 16];
    for (; n >= f.block; n -= f.block, p += f.bytes, out += f.block) {
        unpack_values(type, p, f.block, u, scale, min);
        for (uint32_t i = 0; i < f.block; i++) {
            float v = scale[i / f.sub] * (float)((int)u[i] - f.off);
            out[i] = f.has_min ? v + min[i / f.sub] : v;
        }
    }
}

void dequantize(enum ggml_type type, const void *blocks, float *out, uint64_t n)
{
    const uint8_t *p = blocks;
    switch (type) {
    case GGML_F32:
        memcpy(out, p, n * 4);
        break;
    case GGML_F16:
        for (uint64_t i = 0; i < n; i++)
            out[i] = unpack_half(p + 2 * i);
        break;
    case GGML_BF16:
        for (uint64_t i = 0; i < n; i++)
            out[i] = unpack_float((uint32_t)unpack_u16(p + 2 * i) << 16);
        break;
#define DEQUANTIZE(type)                                                                           \
    case type:                                                                                     \
        dequantize_blocks(type, p, out, n);                                                        \
        break;
        QUANT_TYPES(DEQUANTIZE)
    }
}
