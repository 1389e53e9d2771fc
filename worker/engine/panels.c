/* panels.c - packing and reading back of panel_layout.h.
 *
 * Packing decodes a piece of 16 rows to bytes and scales with unpack.h's functions for the values;
 * the scales are taken from the file's fields, since their integers are kept. */
#include "worker/engine/panels.h"

#include <string.h>

#include "worker/engine/unpack.h"

bool panels_suit(enum ggml_type type)
{
    return panel_parts(type).block != 0;
}

/* ---- packing ---- */

/* The integers of a block's scales and minima, as bytes (signed ones as two's complement). */
static void scale_bytes(enum ggml_type type, const uint8_t *p, uint8_t *scale, uint8_t *min)
{
    const uint8_t *sc;
    switch (type) {
    case GGML_Q2_K:
        memcpy(scale, p, 16);
        break;
    case GGML_Q3_K:
        sc = p + 96;
        for (int s = 0; s < 16; s++) {
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

/* Where d and m are in a block of the file. */
static void half_offsets(enum ggml_type type, uint32_t *d, uint32_t *m)
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

static uint8_t iq4_index(uint8_t u)
{
    uint8_t i = 0;
    while (unpack_iq4[i] != u)
        i++;
    return i;
}

/* Value v (0 .. 31 of its block) of output o into the block's planes. */
static void put_value(uint32_t bits, uint8_t *block, uint32_t o, uint32_t v, uint8_t u)
{
    uint32_t at = 4 * o + v % 4, g = v / 4, low = bits == 3 || bits == 2 ? 2 : 4;
    uint8_t *high = block + (low == 4 ? 4 : 2) * PANEL_VECTOR;
    if (bits == 8) {
        block[g * PANEL_VECTOR + at] = u;
        return;
    }
    if (low == 4)
        block[g % 4 * PANEL_VECTOR + at] |= (uint8_t)((u & 15) << (g / 4 * 4));
    else
        block[g / 4 * PANEL_VECTOR + at] |= (uint8_t)((u & 3) << (g % 4 * 2));
    if (bits == 5 || bits == 3)
        high[at] |= (uint8_t)((u >> low & 1) << g);
    else if (bits == 6)
        high[g / 4 * PANEL_VECTOR + at] |= (uint8_t)((u >> 4 & 3) << (g % 4 * 2));
}

static uint32_t value_bits(enum ggml_type type)
{
    switch (panel_parts(type).block) {
    case 512:
        return 8;
    case 384:
        return 6;
    case 320:
        return 5;
    case 256:
        return 4;
    case 192:
        return 3;
    default:
        return 2;
    }
}

/* n values of output o, which begin at p in the file, into a chunk of zeros. */
static void pack_output(enum ggml_type type, const uint8_t *p, uint32_t n, uint32_t o,
                        uint8_t *chunk)
{
    const struct quant_format f = quant_format(type);
    const struct panel_parts parts = panel_parts(type);
    const struct panel_chunk c = panel_chunk(type, n);
    bool is_iq4 = type == GGML_IQ4_NL || type == GGML_IQ4_XS;
    uint8_t u[UNPACK_MAX], scale[16] = {0}, min[16] = {0};
    float unused[2][UNPACK_MAX / 16];
    uint32_t d, m, bits = value_bits(type);
    unpack_values(type, p, n, u, unused[0], unused[1]);
    for (uint32_t i = 0; i < n; i++)
        put_value(bits, chunk + i / PANEL_BLOCK * c.block, o, i % PANEL_BLOCK,
                  is_iq4 ? iq4_index(u[i]) : u[i]);
    scale_bytes(type, p, scale, min);
    for (uint32_t s = 0; s < parts.n_scale; s++) {
        chunk[c.scales + s * PANEL_OUTPUTS + o] = scale[s];
        if (parts.has_min_bytes)
            chunk[c.mins + s * PANEL_OUTPUTS + o] = min[s];
    }
    half_offsets(type, &d, &m);
    for (uint32_t b = 0; b < n / f.block; b++) {
        uint32_t at = (b * PANEL_OUTPUTS + o) * 2;
        memcpy(chunk + c.d + at, p + b * f.bytes + d, 2);
        if (parts.has_m)
            memcpy(chunk + c.m + at, p + b * f.bytes + m, 2);
    }
}

void panels_pack(enum ggml_type type, const void *rows, uint32_t n_in, uint32_t n_out,
                 uint32_t first, uint32_t last, void *out)
{
    const struct quant_format f = quant_format(type);
    const size_t row_bytes = (size_t)(n_in / f.block) * f.bytes;
    uint8_t *chunk = out;
    memset(out, 0, (size_t)(last - first) * panel_bytes(type, n_in));
    for (uint32_t p = first; p < last; p++)
        for (uint32_t i0 = 0; i0 < n_in; i0 += PANEL_CHUNK) {
            uint32_t n = n_in - i0 < PANEL_CHUNK ? n_in - i0 : PANEL_CHUNK;
            for (uint32_t o = 0; o < PANEL_OUTPUTS && p * PANEL_OUTPUTS + o < n_out; o++)
                pack_output(type,
                            (const uint8_t *)rows + (size_t)(p * PANEL_OUTPUTS + o) * row_bytes +
                                (size_t)(i0 / f.block) * f.bytes,
                            n, o, chunk);
            chunk += panel_chunk(type, n).bytes;
        }
}

/* ---- reading back ---- */

static uint8_t get_value(uint32_t bits, const uint8_t *block, uint32_t o, uint32_t v)
{
    uint32_t at = 4 * o + v % 4, g = v / 4, low = bits == 3 || bits == 2 ? 2 : 4;
    const uint8_t *high = block + (low == 4 ? 4 : 2) * PANEL_VECTOR;
    if (bits == 8)
        return block[g * PANEL_VECTOR + at];
    uint32_t u = low == 4 ? block[g % 4 * PANEL_VECTOR + at] >> (g / 4 * 4) & 15
                          : block[g / 4 * PANEL_VECTOR + at] >> (g % 4 * 2) & 3;
    if (bits == 5 || bits == 3)
        u |= (high[at] >> g & 1u) << low;
    else if (bits == 6)
        u |= (high[g / 4 * PANEL_VECTOR + at] >> (g % 4 * 2) & 3u) << 4;
    return (uint8_t)u;
}

void panel_unpack(enum ggml_type type, const uint8_t *chunk, uint32_t n, uint32_t o, uint8_t *u,
                  float *scale, float *min)
{
    const struct quant_format f = quant_format(type);
    const struct panel_parts parts = panel_parts(type);
    const struct panel_chunk c = panel_chunk(type, n);
    bool is_iq4 = type == GGML_IQ4_NL || type == GGML_IQ4_XS;
    bool is_signed = type == GGML_Q3_K || type == GGML_Q6_K || type == GGML_IQ4_XS;
    uint32_t bits = value_bits(type);
    for (uint32_t i = 0; i < n; i++) {
        u[i] = get_value(bits, chunk + i / PANEL_BLOCK * c.block, o, i % PANEL_BLOCK);
        if (is_iq4)
            u[i] = unpack_iq4[u[i]];
    }
    for (uint32_t s = 0; s < n / f.sub; s++) {
        uint32_t b = s * f.sub / f.block, at = s * PANEL_OUTPUTS + o;
        float d = unpack_half(chunk + c.d + (b * PANEL_OUTPUTS + o) * 2);
        float m = parts.has_m ? unpack_half(chunk + c.m + (b * PANEL_OUTPUTS + o) * 2) : 0;
        scale[s] = d;
        min[s] = m;
        if (parts.n_scale == 0)
            continue;
        uint8_t k = chunk[c.scales + at];
        if (type == GGML_Q2_K) {
            scale[s] = d * (float)(k & 15);
            min[s] = -m * (float)(k >> 4);
        } else {
            scale[s] = d * (float)(is_signed ? (int8_t)k : k);
            min[s] = parts.has_min_bytes ? -m * (float)chunk[c.mins + at] : 0;
        }
    }
}

void panels_row(enum ggml_type type, const void *panels, uint32_t n_in, uint32_t output, float *out)
{
    const struct quant_format f = quant_format(type);
    const uint8_t *chunk =
        (const uint8_t *)panels + output / PANEL_OUTPUTS * panel_bytes(type, n_in);
    uint8_t u[UNPACK_MAX];
    float scale[UNPACK_MAX / 16], min[UNPACK_MAX / 16];
    for (uint32_t i0 = 0; i0 < n_in; i0 += PANEL_CHUNK) {
        uint32_t n = n_in - i0 < PANEL_CHUNK ? n_in - i0 : PANEL_CHUNK;
        panel_unpack(type, chunk, n, output % PANEL_OUTPUTS, u, scale, min);
        for (uint32_t i = 0; i < n; i++) {
            float v = scale[i / f.sub] * (float)((int)u[i] - f.off);
            out[i0 + i] = f.has_min ? v + min[i / f.sub] : v;
        }
        chunk += panel_chunk(type, n).bytes;
    }
}
