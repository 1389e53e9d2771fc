/* panels.c - packing and reading back of panel_layout.h.
 *
 * Packing decodes a row's values to bytes with unpack.h's functions and moves them four at a time;
 * the scales are taken from the file's fields, since their integers are kept. */
#include "worker/engine/panels.h"

#include <string.h>

#include "worker/engine/unpack.h"

bool panels_suit(enum ggml_type type)
{
    return panel_parts(type).block != 0;
}

/* ---- packing ---- */

static inline uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof v);
}

/* Bits in the low plane of a type, and behind it in the high one. */
static inline __attribute__((always_inline)) void plane_bits(enum ggml_type type, uint32_t *low,
                                                             uint32_t *high)
{
    uint32_t block = panel_parts(type).block;
    *low = block == 512 ? 8 : block == 128 || block == 192 ? 2 : 4;
    *high = block == 320 || block == 192 ? 1 : block == 384 ? 2 : 0;
}

/* Four values at a time: byte i of a 32-bit word is value 4g + i. Adds to `at` (of `n` words, a
 * vector apart) what `bits` bits of the words of a block make: word j holds those of g = j,
 * j + n, ... if bits are 4, else of g = j * 8 / n, ... one beside the other. */
static inline __attribute__((always_inline)) void put_plane(uint32_t bits, const uint32_t w[8],
                                                            uint32_t shift, uint8_t *at)
{
    const uint32_t n = bits, each = 8 / bits, mask = 0x01010101u * ((1u << bits) - 1);
    for (uint32_t j = 0; j < n; j++) {
        uint32_t v = 0;
        for (uint32_t t = 0; t < each; t++)
            v |= ((w[bits == 4 ? j + 4 * t : j * each + t] >> shift) & mask) << (t * bits);
        store32(at + j * PANEL_VECTOR, v);
    }
}

/* A block of 32 values u of output o. */
static inline __attribute__((always_inline)) void put_block(enum ggml_type type, const uint8_t *u,
                                                            uint8_t *block, uint32_t o)
{
    uint32_t low, high, w[8];
    plane_bits(type, &low, &high);
    for (uint32_t g = 0; g < 8; g++)
        w[g] = load32(u + 4 * g);
    put_plane(low, w, 0, block + 4 * o);
    if (high)
        put_plane(high, w, low, block + low * PANEL_VECTOR + 4 * o);
}

/* The stored values of n: as unpack_values gives them, of IQ4 types the index. */
static inline __attribute__((always_inline)) void
stored_values(enum ggml_type type, const uint8_t *p, uint32_t n, uint8_t *u)
{
    float unused[2][UNPACK_MAX / 16];
    if (type == GGML_IQ4_NL)
        for (uint32_t b = 0; b < n / 32; b++)
            unpack_nibbles(p + 18 * b + 2, u + 32 * b);
    else if (type == GGML_IQ4_XS)
        for (uint32_t b = 0; b < n / 32; b++)
            unpack_nibbles(p + 8 + 16 * b, u + 32 * b);
    else
        unpack_values(type, p, n, u, unused[0], unused[1]);
}

/* n values of output o, which begin at p in the file, into a chunk. */
static inline __attribute__((always_inline)) void
pack_output(enum ggml_type type, const uint8_t *p, uint32_t n, uint32_t o, uint8_t *chunk)
{
    const struct quant_format f = quant_format(type);
    const struct panel_parts parts = panel_parts(type);
    const struct panel_chunk c = panel_chunk(type, n);
    uint8_t u[UNPACK_MAX], scale[16] = {0}, min[16] = {0};
    uint32_t d, m;
    stored_values(type, p, n, u);
    for (uint32_t b = 0; b < n / PANEL_BLOCK; b++)
        put_block(type, u + b * PANEL_BLOCK, chunk + c.values + b * c.block, o);
    unpack_scale_bytes(type, p, scale, min);
    for (uint32_t s = 0; s < parts.n_scale; s++) {
        chunk[c.scales + s * PANEL_OUTPUTS + o] = scale[s];
        if (parts.has_min_bytes)
            chunk[c.mins + s * PANEL_OUTPUTS + o] = min[s];
    }
    unpack_halves(type, &d, &m);
    for (uint32_t b = 0; b < n / f.block; b++) {
        uint32_t at = (b * PANEL_OUTPUTS + o) * 2;
        memcpy(chunk + c.d + at, p + b * f.bytes + d, 2);
        if (parts.has_m)
            memcpy(chunk + c.m + at, p + b * f.bytes + m, 2);
    }
}

/* One chunk of 16 outputs, of which `rows` exist; p is in the first of them. */
static inline __attribute__((always_inline)) void pack_chunk(enum ggml_type type, const uint8_t *p,
                                                             size_t row_bytes, uint32_t rows,
                                                             uint32_t n, uint8_t *chunk)
{
    const struct panel_chunk c = panel_chunk(type, n);
    memset(chunk, 0, c.bytes); /* outputs that are not there, and gaps */
    for (uint32_t o = 0; o < rows; o++)
        pack_output(type, p + o * row_bytes, n, o, chunk);
}

static inline __attribute__((always_inline)) void
pack_panel(enum ggml_type type, const uint8_t *p, uint32_t n_in, uint32_t rows, uint8_t *out)
{
    const struct quant_format f = quant_format(type);
    const size_t row_bytes = (size_t)(n_in / f.block) * f.bytes;
    uint32_t i0 = 0;
    for (; n_in - i0 >= PANEL_CHUNK; i0 += PANEL_CHUNK) {
        pack_chunk(type, p + i0 / f.block * f.bytes, row_bytes, rows, PANEL_CHUNK, out);
        out += panel_chunk(type, PANEL_CHUNK).bytes;
    }
    if (i0 < n_in)
        pack_chunk(type, p + i0 / f.block * f.bytes, row_bytes, rows, n_in - i0, out);
}

void panels_pack(enum ggml_type type, const void *rows, uint32_t n_in, uint32_t n_out,
                 uint32_t first, uint32_t last, void *out)
{
    const struct quant_format f = quant_format(type);
    const size_t panel_rows = (size_t)(n_in / f.block) * f.bytes * PANEL_OUTPUTS;
    uint8_t *to = out;
    for (uint32_t p = first; p < last; p++, to += panel_bytes(type, n_in)) {
        const uint8_t *from = (const uint8_t *)rows + p * panel_rows;
        uint32_t left = n_out - p * PANEL_OUTPUTS;
        uint32_t n = left < PANEL_OUTPUTS ? left : PANEL_OUTPUTS;
        switch (type) { /* a constant in each call, so that what depends on it folds away */
#define PACK(constant)                                                                             \
    case constant:                                                                                 \
        pack_panel(constant, from, n_in, n, to);                                                   \
        break;
            QUANT_TYPES(PACK)
        default:
            break;
        }
    }
}

/* ---- reading back ---- */

static inline __attribute__((always_inline)) void get_plane(uint32_t bits, const uint8_t *at,
                                                            uint32_t shift, uint32_t w[8])
{
    const uint32_t n = bits, each = 8 / bits, mask = 0x01010101u * ((1u << bits) - 1);
    for (uint32_t j = 0; j < n; j++) {
        uint32_t v = load32(at + j * PANEL_VECTOR);
        for (uint32_t t = 0; t < each; t++)
            w[bits == 4 ? j + 4 * t : j * each + t] |= ((v >> (t * bits)) & mask) << shift;
    }
}

static inline __attribute__((always_inline)) void
get_block(enum ggml_type type, const uint8_t *block, uint32_t o, uint8_t *u)
{
    uint32_t low, high, w[8] = {0};
    plane_bits(type, &low, &high);
    get_plane(low, block + 4 * o, 0, w);
    if (high)
        get_plane(high, block + low * PANEL_VECTOR + 4 * o, low, w);
    for (uint32_t g = 0; g < 8; g++)
        store32(u + 4 * g, w[g]);
}

static inline __attribute__((always_inline)) void unpack_of(enum ggml_type type,
                                                            const uint8_t *chunk, uint32_t n,
                                                            uint32_t o, uint8_t *u, float *scale,
                                                            float *min)
{
    const struct quant_format f = quant_format(type);
    const struct panel_parts parts = panel_parts(type);
    const struct panel_chunk c = panel_chunk(type, n);
    bool is_signed = type == GGML_Q3_K || type == GGML_Q6_K || type == GGML_IQ4_XS;
    for (uint32_t b = 0; b < n / PANEL_BLOCK; b++)
        get_block(type, chunk + c.values + b * c.block, o, u + b * PANEL_BLOCK);
    if (type == GGML_IQ4_NL || type == GGML_IQ4_XS)
        for (uint32_t i = 0; i < n; i++)
            u[i] = unpack_iq4[u[i]];
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

void panel_unpack(enum ggml_type type, const uint8_t *chunk, uint32_t n, uint32_t o, uint8_t *u,
                  float *scale, float *min)
{
    switch (type) {
#define UNPACK(constant)                                                                           \
    case constant:                                                                                 \
        unpack_of(constant, chunk, n, o, u, scale, min);                                           \
        break;
        QUANT_TYPES(UNPACK)
    default:
        break;
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
