/* simd_panels.h - quantised matrices times rows (internal template, see simd_unpack.h).
 *
 * A *strip* is a block of 32 values of WIDTH outputs, decoded to bytes in registers: straight from
 * a panel (proto/model/panel_layout.h), or from a tile of rows as they are in the file. STRIPS of
 * them stay there while a tile of rows goes by: four activations are broadcast and multiplied with
 * every strip. So the cost of decoding is shared by the rows, one row pays for nothing that it does
 * not use, and every number of rows takes the same way. Lane o does for output o exactly what the
 * definition in kernels_scalar.c does. */
#ifndef WORKER_ENGINE_SIMD_PANELS_H
#define WORKER_ENGINE_SIMD_PANELS_H

#define UNIT (STRIPS * WIDTH)               /* outputs that are multiplied together */
#define SUBS 2                              /* sub-blocks of a block, at most */
#define ROW_TILE 32                         /* rows whose sums lie in the inner cache */
#define GROUP_BYTES (512 << 10)             /* of prepared rows, that lie in the second cache */
#define PANEL_PARTS (PANEL_OUTPUTS / WIDTH) /* strips across a panel */

struct strip_scales {
    vf scale[SUBS];
    vf min[SUBS];
};

/* What the products of a prepared row need, at the current block. */
struct act_piece {
    const int8_t *q;
    const float *scale;
    const int32_t *corr;
    const float *sum;
};

SIMD_INLINE struct act_piece act_piece(const uint8_t *row, const struct act_layout *l, uint32_t i0,
                                       uint32_t sub)
{
    return (struct act_piece){
        (const int8_t *)row + i0,
        (const float *)(const void *)(row + l->scale) + i0 / ACT_BLOCK,
        (const int32_t *)(const void *)(row + l->corr) + i0 / sub,
        (const float *)(const void *)(row + l->sum) + i0 / sub,
    };
}

#define PREFETCH_FAR 8192
#define PREFETCH_NEAR 2176

/* One row reads as fast as memory gives: the CPU's own prefetching follows such a stream, but only
 * to the end of a page, so a line of each block is asked for two pages ahead. */
SIMD_INLINE void prefetch_far(const uint8_t *p)
{
    __builtin_prefetch(p + PREFETCH_FAR, 0, 2);
}

/* With more rows what follows is wanted at once and after a long time, in which the CPU's own
 * prefetching loses a stream: all of it is brought near. Vectors that take several panels at once
 * are done with them before memory answers: for those it comes into the second cache first.
 * What follows comes after the block of so many bytes at offset `at` of panels that begin at p;
 * behind the last of them lie the panels that are multiplied next. */
SIMD_INLINE void prefetch_next(const uint8_t *p, size_t apart, int panels, size_t at,
                               uint32_t bytes)
{
    const size_t behind = (size_t)(panels - 1) * apart;
    const size_t near = at + PREFETCH_NEAR + (at + PREFETCH_NEAR >= apart ? behind : 0);
    const size_t far = at + PREFETCH_FAR + (at + PREFETCH_FAR >= apart ? behind : 0);
    for (int i = 0; i < panels; i++, p += apart)
        for (uint32_t k = 0; k < bytes; k += 64) {
            __builtin_prefetch(p + near + k, 0, 3);
            if (panels > 1)
                __builtin_prefetch(p + far + k, 0, 2);
        }
}

/* All of it into the second cache; far more than the first one holds. */
SIMD_INLINE void prefetch(const uint8_t *p, const uint8_t *end)
{
    for (; p < end; p += 64)
        __builtin_prefetch(p, 0, 2);
}

#define AT_BYTES(p, n) ((const void *)((const uint8_t *)(p) + (n)))

/* sum[i] += strip i of n (a constant) times a row. */
SIMD_INLINE void strips_times_row(enum ggml_type type, const struct strip *t,
                                  const struct strip_scales *w, int n, struct act_piece a, vf *sum)
{
    const struct quant_format f = quant_format(type);
    for (uint32_t s = 0; s < PANEL_BLOCK / f.sub; s++) {
        vi dot[STRIPS];
        strip_dots(t, n, s * f.sub / 4, f.sub / 4, f.top, a.q + s * f.sub,
                   f.off ? a.corr + s : NULL, dot);
        for (int i = 0; i < n; i++) {
            const vf d = vf_mul(w[i].scale[s], vf_set1(*a.scale));
            sum[i] = vf_fma(vi_to_f(dot[i]), d, sum[i]);
            if (f.has_min)
                sum[i] = vf_fma(w[i].min[s], vf_set1(a.sum[s]), sum[i]);
        }
    }
}

/* acc[r] += n strips times row r, for rows that lie `stride` bytes apart. */
SIMD_INLINE void strips_times_rows(enum ggml_type type, const struct strip *t,
                                   const struct strip_scales *w, int n, struct act_piece a,
                                   size_t stride, uint32_t rows, float *acc, size_t acc_stride)
{
    for (uint32_t r = 0; r < rows; r++, acc += acc_stride) {
        vf sum[STRIPS];
        for (int i = 0; i < n; i++)
            sum[i] = vf_load(acc + i * WIDTH);
        strips_times_row(type, t, w, n, a, sum);
        for (int i = 0; i < n; i++)
            vf_store(acc + i * WIDTH, sum[i]);
        a.q = AT_BYTES(a.q, stride);
        a.scale = AT_BYTES(a.scale, stride);
        a.corr = AT_BYTES(a.corr, stride);
        a.sum = AT_BYTES(a.sum, stride);
    }
}

/* ---- out of panels ---- */

/* Bit g of each byte as 16, or two bits of each byte as 0, 16, 32, 48; over v. */
SIMD_INLINE vi with_fifth(vi v, vi high, int g)
{
    return vi_or_and(v, g < 4 ? vi_sll(high, 4 - g) : vi_srl(high, g - 4), vi_set1(0x10101010));
}

SIMD_INLINE vi with_two(vi v, vi high, int t)
{
    return vi_or_and(v, t < 2 ? vi_sll(high, 4 - 2 * t) : vi_srl(high, 2 * t - 4),
                     vi_set1(0x30303030));
}

/* Bit g of each byte as 4. */
SIMD_INLINE vi with_third(vi v, vi high, int g)
{
    return vi_or_and(v, g < 2 ? vi_sll(high, 2 - g) : vi_srl(high, g - 2), vi_set1(0x04040404));
}

/* The values of the block at p, which already points at this strip's lanes. */
SIMD_INLINE void panel_strip(enum ggml_type type, const uint8_t *p, struct strip *t)
{
    const uint32_t bytes = panel_parts(type).block;
    const uint32_t top = quant_format(type).top;
    if (top == 255) {
        for (int g = 0; g < 8; g++)
            t->u[g] = vi_load(p + g * PANEL_VECTOR);
    } else if (top < 8) { /* 2 bits, perhaps a third */
        for (int g = 0; g < 8; g++)
            t->u[g] = two_bits(vi_load(p + g / 4 * PANEL_VECTOR), g % 4);
        if (bytes == 192)
            for (int g = 0; g < 8; g++)
                t->u[g] = with_third(t->u[g], vi_load(p + 2 * PANEL_VECTOR), g);
    } else { /* 4 bits, perhaps a fifth or two more */
        for (int g = 0; g < 4; g++) {
            vi v = vi_load(p + g * PANEL_VECTOR);
            t->u[g] = low_nibbles(v);
            t->u[g + 4] = high_nibbles(v);
        }
        for (int g = 0; g < 8 && bytes == 320; g++)
            t->u[g] = with_fifth(t->u[g], vi_load(p + 4 * PANEL_VECTOR), g);
        for (int g = 0; g < 8 && bytes == 384; g++)
            t->u[g] = with_two(t->u[g], vi_load(p + (4 + g / 4) * PANEL_VECTOR), g % 4);
        for (int g = 0; g < 8 && top == 241; g++)
            t->u[g] = vi_lookup(unpack_iq4, t->u[g]);
    }
    strip_ready(t, top);
}

/* Scales and minima of block b of a chunk, outputs from `o` of the panel. */
SIMD_INLINE void panel_scales(enum ggml_type type, const uint8_t *chunk,
                              const struct panel_chunk *c, uint32_t b, uint32_t o,
                              struct strip_scales *w)
{
    const struct panel_parts parts = panel_parts(type);
    const struct quant_format f = quant_format(type);
    const uint32_t half = ((parts.is_super ? 0 : b) * PANEL_OUTPUTS + o) * 2;
    const vf d = vf_load_half(chunk + c->d + half);
    vf m = vf_set1(0.0f);
    if (parts.has_m)
        m = vf_load_half(chunk + c->m + half);
    for (uint32_t s = 0; s < PANEL_BLOCK / f.sub; s++) {
        const uint32_t at = (b * (PANEL_BLOCK / f.sub) + s) * PANEL_OUTPUTS + o;
        w->scale[s] = d;
        w->min[s] = m;
        if (!parts.is_super)
            continue;
        const vi k = parts.has_min_bytes || type == GGML_Q2_K ? vi_bytes(chunk + c->scales + at)
                                                              : vi_signed(chunk + c->scales + at);
        w->scale[s] = vf_mul(d, vi_to_f(type == GGML_Q2_K ? vi_and(k, vi_set1(15)) : k));
        if (f.has_min) {
            const vi n = type == GGML_Q2_K ? vi_srl(k, 4) : vi_bytes(chunk + c->mins + at);
            w->min[s] = vf_mul(vf_neg(m), vi_to_f(n));
        }
    }
}

/* The chunk of n values at offset `at` of `panels` panels, which begin at p and lie `apart` bytes
 * from one another, times rows; a constant number of panels. */
SIMD_INLINE void chunk_times_rows(enum ggml_type type, const uint8_t *p, size_t at, size_t apart,
                                  int panels, uint32_t n, struct act_piece a, size_t stride,
                                  uint32_t rows, float *acc)
{
    const uint8_t *chunk = p + at;
    const struct panel_chunk c = panel_chunk(type, n);
    const struct quant_format f = quant_format(type);
    const int strips = panels * PANEL_PARTS < STRIPS ? panels * PANEL_PARTS : STRIPS;
    for (uint32_t b = 0; b < n / PANEL_BLOCK; b++) {
        prefetch_next(p, apart, panels, at + b * c.block, c.block);
        for (int first = 0; first < panels * PANEL_PARTS; first += strips) {
            struct strip t[STRIPS];
            struct strip_scales w[STRIPS];
            for (int i = 0; i < strips; i++) {
                const int part = first + i;
                const uint8_t *of = chunk + (size_t)(part / PANEL_PARTS) * apart;
                const uint32_t o = (uint32_t)(part % PANEL_PARTS) * WIDTH;
                panel_strip(type, of + c.values + b * c.block + 4 * o, &t[i]);
                panel_scales(type, of, &c, b, o, &w[i]);
            }
            strips_times_rows(type, t, w, strips, a, stride, rows, acc + first * WIDTH,
                              (size_t)panels * PANEL_OUTPUTS);
        }
        a.q += PANEL_BLOCK;
        a.scale++;
        a.corr += PANEL_BLOCK / f.sub;
        a.sum += PANEL_BLOCK / f.sub;
    }
}

/* The same for one panel and one row, whose sums stay in registers. */
SIMD_INLINE void chunk_times_row(enum ggml_type type, const uint8_t *chunk, uint32_t n,
                                 struct act_piece a, vf *sum)
{
    const struct panel_chunk c = panel_chunk(type, n);
    const struct quant_format f = quant_format(type);
    for (uint32_t b = 0; b < n / PANEL_BLOCK; b++) {
        prefetch_far(chunk + b * c.block);
        for (uint32_t part = 0; part < PANEL_PARTS; part++) {
            struct strip t;
            struct strip_scales w;
            panel_strip(type, chunk + c.values + b * c.block + 4 * part * WIDTH, &t);
            panel_scales(type, chunk, &c, b, part * WIDTH, &w);
            strips_times_row(type, &t, &w, 1, a, sum + part);
        }
        a.q += PANEL_BLOCK;
        a.scale++;
        a.corr += PANEL_BLOCK / f.sub;
        a.sum += PANEL_BLOCK / f.sub;
    }
}

SIMD_INLINE void panel_times_row(enum ggml_type type, const uint8_t *p, uint32_t n_in,
                                 const uint8_t *act, float *acc)
{
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    vf sum[PANEL_PARTS];
    uint32_t i0 = 0;
    for (int i = 0; i < PANEL_PARTS; i++)
        sum[i] = vf_set1(0.0f);
    for (; i0 + PANEL_CHUNK <= n_in; i0 += PANEL_CHUNK) {
        chunk_times_row(type, p, PANEL_CHUNK, act_piece(act, &l, i0, f.sub), sum);
        p += panel_chunk(type, PANEL_CHUNK).bytes;
    }
    if (i0 < n_in && f.block < PANEL_CHUNK)
        chunk_times_row(type, p, n_in - i0, act_piece(act, &l, i0, f.sub), sum);
    for (int i = 0; i < PANEL_PARTS; i++)
        vf_store(acc + i * WIDTH, sum[i]);
}

/* A constant number of panels, the first of which begins at p, times at most ROW_TILE rows. */
SIMD_INLINE void panels_times_rows(enum ggml_type type, const uint8_t *p, int panels, uint32_t n_in,
                                   const uint8_t *act, uint32_t rows, float *acc)
{
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    const size_t apart = panel_bytes(type, n_in);
    size_t at = 0;
    uint32_t i0 = 0;
    memset(acc, 0, (size_t)rows * (size_t)panels * PANEL_OUTPUTS * sizeof(*acc));
    for (; i0 + PANEL_CHUNK <= n_in; i0 += PANEL_CHUNK) {
        chunk_times_rows(type, p, at, apart, panels, PANEL_CHUNK, act_piece(act, &l, i0, f.sub),
                         l.bytes, rows, acc);
        at += panel_chunk(type, PANEL_CHUNK).bytes;
    }
    if (i0 < n_in && f.block < PANEL_CHUNK)
        chunk_times_rows(type, p, at, apart, panels, n_in - i0, act_piece(act, &l, i0, f.sub),
                         l.bytes, rows, acc);
}

/* A line of sums; the width is a constant but at the matrix's end. */
SIMD_INLINE void store_sums(float *y, const float *acc, uint32_t n, uint32_t wide)
{
    if (n < wide)
        memcpy(y, acc, n * sizeof(*y));
    else
        for (uint32_t i = 0; i < wide; i += WIDTH)
            vf_store(y + i, vf_load(acc + i));
}

/* Sums go to lines of y that are far from one another: they are brought near in time. */
SIMD_INLINE void prefetch_sums(float *y, size_t y_stride, uint32_t rows, uint32_t n)
{
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < n; i += 64 / sizeof(*y))
            __builtin_prefetch(y + r * y_stride + i, 1, 3);
}

/* How many panels are multiplied together. */
#define PANELS (UNIT / PANEL_OUTPUTS > 1 ? UNIT / PANEL_OUTPUTS : 1)

SIMD_INLINE void matmul_panels(enum ggml_type type, const struct weight *w, const uint8_t *act,
                               uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    const size_t bytes = panel_bytes(type, w->n_in);
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    float acc[ROW_TILE * PANELS * PANEL_OUTPUTS] __attribute__((aligned(64)));
    for (uint32_t o = o0; o < o1;) {
        const uint8_t *p = (const uint8_t *)w->data + o / PANEL_OUTPUTS * bytes;
        const bool is_one = PANELS == 1 || rows == 1 || o1 - o <= PANEL_OUTPUTS;
        const uint32_t wide = is_one ? PANEL_OUTPUTS : PANELS * PANEL_OUTPUTS;
        const uint32_t n_o = o1 - o < wide ? o1 - o : wide;
        for (uint32_t r0 = 0; r0 < rows; r0 += ROW_TILE) {
            const uint32_t n_r = rows - r0 < ROW_TILE ? rows - r0 : ROW_TILE;
            prefetch_sums(y + r0 * y_stride + o, y_stride, n_r, wide);
            if (rows == 1)
                panel_times_row(type, p, w->n_in, act, acc);
            else if (is_one)
                panels_times_rows(type, p, 1, w->n_in, act + r0 * act_stride, n_r, acc);
            else
                panels_times_rows(type, p, PANELS, w->n_in, act + r0 * act_stride, n_r, acc);
            for (uint32_t r = 0; r < n_r; r++)
                store_sums(y + (r0 + r) * y_stride + o, acc + r * wide, n_o, wide);
        }
        o += n_o;
    }
}

/* Many rows go by in groups, so that they need not come from far for every few outputs. */
SIMD_INLINE uint32_t group_rows(enum ggml_type type, uint32_t n_in)
{
    uint32_t tiles = (uint32_t)(GROUP_BYTES / act_layout(type, n_in).bytes) / ROW_TILE;
    return tiles > 1 ? tiles * ROW_TILE : ROW_TILE;
}

#endif
