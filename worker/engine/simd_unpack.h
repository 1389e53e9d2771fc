/* simd_unpack.h - block formats decoded for WIDTH outputs side by side (internal template).
 *
 * Included by one file per instruction set after it has defined WIDTH (32-bit lanes of a vector),
 * the types vi and vf and the small vi_ and vf_ functions. Bytes of WIDTH weight rows are brought
 * together first (lane o holds four bytes of output o) and decoded there, so a decoded group
 * multiplies four activations at a time without any sum across lanes. The values are those of
 * unpack.h. */
#ifndef WORKER_ENGINE_SIMD_UNPACK_H
#define WORKER_ENGINE_SIMD_UNPACK_H

#define GROUPS (UNPACK_MAX / 4)

/* At most 256 values of WIDTH outputs. */
struct wtile {
    vi u[GROUPS];              /* u[g] lane o: values 4g .. 4g + 3 of output o, one byte each */
    vf scale[UNPACK_MAX / 16]; /* per sub-block, lane o: output o */
    vf min[UNPACK_MAX / 16];
};

#define SIMD_INLINE static inline __attribute__((always_inline))

SIMD_INLINE vi low_nibbles(vi v)
{
    return vi_and(v, vi_set1(0x0f0f0f0f));
}

SIMD_INLINE vi high_nibbles(vi v)
{
    return vi_and(vi_srl(v, 4), vi_set1(0x0f0f0f0f));
}

/* Two bits of each byte, starting at bit 2j, as values 0..3. */
SIMD_INLINE vi two_bits(vi v, int j)
{
    return vi_and(vi_srl(v, 2 * j), vi_set1(0x03030303));
}

/* Bit j of each byte as a value 0 or 1. */
SIMD_INLINE vi one_bit(vi v, int j)
{
    return vi_and(vi_srl(v, j), vi_set1(0x01010101));
}

/* Sixteen bytes with two values each: a block of 32. */
SIMD_INLINE void tile_nibbles(const uint8_t *const *p, size_t at, vi *u)
{
    vi q[4];
    load_rows16(p, at, q);
    for (int g = 0; g < 4; g++) {
        u[g] = low_nibbles(q[g]);
        u[g + 4] = high_nibbles(q[g]);
    }
}

/* Bit i of each lane's word is the fifth bit of value i of its block. */
SIMD_INLINE void tile_fifth(vi word, vi *u)
{
    for (int g = 0; g < 8; g++) { /* four bits spread to four bytes by a multiplication */
        vi four = vi_and(vi_srl(word, 4 * g), vi_set1(15));
        vi bits = vi_and(vi_mul(four, vi_set1(0x00204081)), vi_set1(0x01010101));
        u[g] = vi_or(u[g], vi_sll(bits, 4));
    }
}

SIMD_INLINE void tile_iq4(const uint8_t *const *p, size_t at, vi *u)
{
    tile_nibbles(p, at, u);
    for (int g = 0; g < 8; g++)
        u[g] = vi_lookup(unpack_iq4, u[g]);
}

SIMD_INLINE void tile_q8_0(const uint8_t *const *p, size_t at, vi *u)
{
    load_rows16(p, at, u);
    load_rows16(p, at + 16, u + 4);
    for (int g = 0; g < 8; g++)
        u[g] = vi_xor(u[g], vi_set1((int32_t)0x80808080));
}

/* Blocks of 32 values. */
SIMD_INLINE void tile_small(enum ggml_type type, const uint8_t *const *p, size_t at, vi *u,
                            vf *scale, vf *min)
{
    switch (type) {
    case GGML_Q4_0:
        *scale = load_halves(p, at);
        tile_nibbles(p, at + 2, u);
        break;
    case GGML_Q4_1: {
        vi d = load_rows4(p, at);
        *scale = vf_half(d);
        *min = vf_half(vi_srl(d, 16));
        tile_nibbles(p, at + 4, u);
        break;
    }
    case GGML_Q5_0:
        *scale = load_halves(p, at);
        tile_nibbles(p, at + 6, u);
        tile_fifth(load_rows4(p, at + 2), u);
        break;
    case GGML_Q5_1: {
        vi d = load_rows4(p, at);
        *scale = vf_half(d);
        *min = vf_half(vi_srl(d, 16));
        tile_nibbles(p, at + 8, u);
        tile_fifth(load_rows4(p, at + 4), u);
        break;
    }
    case GGML_IQ4_NL:
        *scale = load_halves(p, at);
        tile_iq4(p, at + 2, u);
        break;
    default: /* Q8_0 */
        *scale = load_halves(p, at);
        tile_q8_0(p, at + 2, u);
        break;
    }
}

/* The byte at bits 8b of each lane. */
SIMD_INLINE vi lane_byte(vi v, int b)
{
    return vi_and(vi_srl(v, 8 * b), vi_set1(255));
}

SIMD_INLINE vf neg_half(vi v)
{
    return vf_half(vi_xor(v, vi_set1(0x8000)));
}

SIMD_INLINE void tile_q2_k(const uint8_t *const *p, size_t at, struct wtile *t)
{
    vi sc[4], q[4], dm = load_rows4(p, at + 80);
    vf d = vf_half(dm), m = neg_half(vi_srl(dm, 16));
    load_rows16(p, at, sc);
    for (int s = 0; s < 16; s++) {
        vi b = lane_byte(sc[s / 4], s % 4);
        t->scale[s] = vf_mul(d, vi_to_f(vi_and(b, vi_set1(15))));
        t->min[s] = vf_mul(m, vi_to_f(vi_srl(b, 4)));
    }
    for (int h = 0; h < 4; h++) { /* 16 bytes: values 128 (h/2) + 16 (h%2) + 32 j + 0..15 */
        load_rows16(p, at + 16 + 16 * (size_t)h, q);
        for (int g = 0; g < 4; g++)
            for (int j = 0; j < 4; j++)
                t->u[32 * (h / 2) + 4 * (h % 2) + 8 * j + g] = two_bits(q[g], j);
    }
}

SIMD_INLINE void tile_q3_k(const uint8_t *const *p, size_t at, struct wtile *t)
{
    vi high[8], q[4], sc[3];
    vf d = load_halves(p, at + 108);
    for (int i = 0; i < 3; i++)
        sc[i] = load_rows4(p, at + 96 + 4 * (size_t)i);
    for (int s = 0; s < 16; s++) {
        vi low = vi_and(vi_srl(sc[s % 8 / 4], 8 * (s % 4) + 4 * (s / 8)), vi_set1(15));
        vi two = vi_and(vi_srl(sc[2], 8 * (s % 4) + 2 * (s / 4)), vi_set1(3));
        vi v = vi_add(vi_or(low, vi_sll(two, 4)), vi_set1(-32));
        t->scale[s] = vf_mul(d, vi_to_f(v));
    }
    load_rows16(p, at, high);
    load_rows16(p, at + 16, high + 4);
    for (int h = 0; h < 4; h++) {
        load_rows16(p, at + 32 + 16 * (size_t)h, q);
        for (int g = 0; g < 4; g++)
            for (int j = 0; j < 4; j++) {
                vi bit = one_bit(high[4 * (h % 2) + g], 4 * (h / 2) + j);
                t->u[32 * (h / 2) + 4 * (h % 2) + 8 * j + g] =
                    vi_or(two_bits(q[g], j), vi_sll(bit, 2));
            }
    }
}

/* First 16 bytes of Q4_K and Q5_K: d, dmin, twelve bytes of 6-bit scales and minima. */
SIMD_INLINE void tile_k_scales(const uint8_t *const *p, size_t at, struct wtile *t)
{
    vi h[4];
    load_rows16(p, at, h);
    vf d = vf_half(h[0]), m = neg_half(vi_srl(h[0], 16));
    for (int j = 0; j < 4; j++) {
        vi a = lane_byte(h[1], j), b = lane_byte(h[2], j), c = lane_byte(h[3], j);
        vi s4 = vi_or(vi_and(c, vi_set1(15)), vi_sll(vi_srl(a, 6), 4));
        vi m4 = vi_or(vi_srl(c, 4), vi_sll(vi_srl(b, 6), 4));
        t->scale[j] = vf_mul(d, vi_to_f(vi_and(a, vi_set1(63))));
        t->min[j] = vf_mul(m, vi_to_f(vi_and(b, vi_set1(63))));
        t->scale[j + 4] = vf_mul(d, vi_to_f(s4));
        t->min[j + 4] = vf_mul(m, vi_to_f(m4));
    }
}

SIMD_INLINE void tile_q4_k(const uint8_t *const *p, size_t at, struct wtile *t)
{
    tile_k_scales(p, at, t);
    for (int h = 0; h < 8; h++) {
        vi q[4], *u = t->u + 16 * (h / 2) + 4 * (h % 2);
        load_rows16(p, at + 16 + 16 * (size_t)h, q);
        for (int g = 0; g < 4; g++) {
            u[g] = low_nibbles(q[g]);
            u[g + 8] = high_nibbles(q[g]);
        }
    }
}

SIMD_INLINE void tile_q5_k(const uint8_t *const *p, size_t at, struct wtile *t)
{
    vi fifth[8];
    tile_k_scales(p, at, t);
    load_rows16(p, at + 16, fifth);
    load_rows16(p, at + 32, fifth + 4);
    for (int h = 0; h < 8; h++) {
        vi q[4], *u = t->u + 16 * (h / 2) + 4 * (h % 2);
        load_rows16(p, at + 48 + 16 * (size_t)h, q);
        for (int g = 0; g < 4; g++) {
            vi f = fifth[4 * (h % 2) + g];
            u[g] = vi_or(low_nibbles(q[g]), vi_sll(one_bit(f, h / 2 * 2), 4));
            u[g + 8] = vi_or(high_nibbles(q[g]), vi_sll(one_bit(f, h / 2 * 2 + 1), 4));
        }
    }
}

SIMD_INLINE void tile_q6_k(const uint8_t *const *p, size_t at, struct wtile *t)
{
    vi sc[4];
    vf d = load_halves(p, at + 208);
    load_rows16(p, at + 192, sc);
    for (int s = 0; s < 16; s++)
        t->scale[s] = vf_mul(d, vi_to_f(vi_sra(vi_sll(sc[s / 4], 24 - 8 * (s % 4)), 24)));
    for (int h = 0; h < 4; h++) {
        vi a[4], b[4], c[4], *u = t->u + 32 * (h / 2) + 4 * (h % 2);
        size_t half = (size_t)(h / 2), part = 16 * (size_t)(h % 2);
        load_rows16(p, at + 64 * half + part, a);
        load_rows16(p, at + 64 * half + 32 + part, b);
        load_rows16(p, at + 128 + 32 * half + part, c);
        for (int g = 0; g < 4; g++) {
            u[g] = vi_or(low_nibbles(a[g]), vi_sll(two_bits(c[g], 0), 4));
            u[g + 8] = vi_or(low_nibbles(b[g]), vi_sll(two_bits(c[g], 1), 4));
            u[g + 16] = vi_or(high_nibbles(a[g]), vi_sll(two_bits(c[g], 2), 4));
            u[g + 24] = vi_or(high_nibbles(b[g]), vi_sll(two_bits(c[g], 3), 4));
        }
    }
}

SIMD_INLINE void tile_iq4_xs(const uint8_t *const *p, size_t at, struct wtile *t)
{
    vi dh = load_rows4(p, at), low = load_rows4(p, at + 4);
    vf d = vf_half(dh);
    for (int s = 0; s < 8; s++) {
        vi l = vi_and(vi_srl(low, 4 * s), vi_set1(15));
        vi two = vi_and(vi_srl(dh, 16 + 2 * s), vi_set1(3));
        vi v = vi_add(vi_or(l, vi_sll(two, 4)), vi_set1(-32));
        t->scale[s] = vf_mul(d, vi_to_f(v));
        tile_iq4(p, at + 8 + 16 * (size_t)s, t->u + 8 * s);
    }
}

/* Decodes n values (n <= UNPACK_MAX, whole blocks) that start at byte `at` of WIDTH rows. */
SIMD_INLINE void tile_unpack(enum ggml_type type, const uint8_t *const *p, size_t at, uint32_t n,
                             struct wtile *t)
{
    switch (type) {
    case GGML_Q2_K:
        tile_q2_k(p, at, t);
        break;
    case GGML_Q3_K:
        tile_q3_k(p, at, t);
        break;
    case GGML_Q4_K:
        tile_q4_k(p, at, t);
        break;
    case GGML_Q5_K:
        tile_q5_k(p, at, t);
        break;
    case GGML_Q6_K:
        tile_q6_k(p, at, t);
        break;
    case GGML_IQ4_XS:
        tile_iq4_xs(p, at, t);
        break;
    default:
        for (uint32_t b = 0; b < n / 32; b++)
            tile_small(type, p, at + b * quant_format(type).bytes, t->u + 8 * b, t->scale + b,
                       t->min + b);
        break;
    }
}

#endif
