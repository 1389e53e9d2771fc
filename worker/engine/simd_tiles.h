/* simd_tiles.h - many rows against a block of keys and values (internal template, see
 * simd_unpack.h).
 *
 * The keys lie in columns, so a lane of the definition is a vector over WIDTH keys: the lanes of
 * one row are computed one after another and added as the tree says, without a shuffle. What is
 * loaded of keys and values serves DOT_QUERIES or SUM_QUERIES rows. */
#ifndef WORKER_ENGINE_SIMD_TILES_H
#define WORKER_ENGINE_SIMD_TILES_H

/* Values i and what follows of the block's keys. */
SIMD_INLINE void simd_columns(const void *k, uint32_t i, uint32_t n, float *columns, bool is_half)
{
    for (; i + WIDTH <= n; i += WIDTH)
        for (uint32_t r0 = 0; r0 < KERNEL_BLOCK; r0 += WIDTH) {
            vf x[WIDTH];
            for (uint32_t r = 0; r < WIDTH; r++)
                x[r] = vf_load_any(k, (size_t)(r0 + r) * n + i, is_half);
            vf_turn(x);
            for (uint32_t j = 0; j < WIDTH; j++)
                vf_store(columns + (size_t)(i + j) * KERNEL_BLOCK + r0, x[j]);
        }
    for (; i < n; i++)
        for (uint32_t r = 0; r < KERNEL_BLOCK; r++)
            columns[(size_t)i * KERNEL_BLOCK + r] = load_any(k, (size_t)r * n + i, is_half);
}

static void simd_columns_f32(const float *k, uint32_t n, float *columns)
{
    simd_columns(k, 0, n, columns, false);
}

static void simd_columns_f16(const uint16_t *k, uint32_t n, float *columns)
{
#ifdef HALVES_COLUMNS
    simd_columns(k, halves_columns(k, n, columns), n, columns, true);
#else
    simd_columns(k, 0, n, columns, true);
#endif
}

/* In a register from here on, where a compiler would rather load it again at each use. */
SIMD_INLINE vf vf_keep(vf x)
{
#if defined(__aarch64__)
    __asm__("" : "+w"(x));
#else
    __asm__("" : "+v"(x));
#endif
    return x;
}

/* ---- dot products ---- */

struct dots_tile {
    const float *q; /* [n_q][n] */
    const float *columns;
    uint32_t n;
    int n_q; /* a constant where this is inlined */
};

/* Lane l of DOT_VECTORS * WIDTH keys. */
SIMD_INLINE void lane_dots(const struct dots_tile *t, uint32_t l, vf (*acc)[DOT_VECTORS])
{
    for (int j = 0; j < t->n_q; j++)
        for (int v = 0; v < DOT_VECTORS; v++)
            acc[j][v] = vf_set1(0.0f);
    for (uint32_t i = l; i < t->n; i += LANES) {
        vf k[DOT_VECTORS];
        for (int v = 0; v < DOT_VECTORS; v++)
            k[v] = vf_keep(vf_load(t->columns + (size_t)i * KERNEL_BLOCK + (size_t)v * WIDTH));
        for (int j = 0; j < t->n_q; j++)
            for (int v = 0; v < DOT_VECTORS; v++)
                acc[j][v] = vf_fma(vf_set1(t->q[(size_t)j * t->n + i]), k[v], acc[j][v]);
    }
}

/* The branch of the tree over what `below` gives for l and for l + step. */
#define DOTS_BRANCH(name, below, step)                                                             \
    SIMD_INLINE void name(const struct dots_tile *t, uint32_t l, vf(*acc)[DOT_VECTORS])            \
    {                                                                                              \
        vf other[DOT_QUERIES][DOT_VECTORS];                                                        \
        below(t, l, acc);                                                                          \
        below(t, l + (step), other);                                                               \
        for (int j = 0; j < t->n_q; j++)                                                           \
            for (int v = 0; v < DOT_VECTORS; v++)                                                  \
                acc[j][v] = vf_add(acc[j][v], other[j][v]);                                        \
    }

DOTS_BRANCH(dots_from8, lane_dots, 8)
DOTS_BRANCH(dots_from4, dots_from8, 4)
DOTS_BRANCH(dots_from2, dots_from4, 2)
DOTS_BRANCH(dots_from1, dots_from2, 1)

SIMD_INLINE void dots_of(const float *q, int n_q, const float *columns, uint32_t n, float scale,
                         float *out, size_t stride)
{
    for (uint32_t r = 0; r < KERNEL_BLOCK; r += DOT_VECTORS * WIDTH) {
        const struct dots_tile t = {q, columns + r, n, n_q};
        vf acc[DOT_QUERIES][DOT_VECTORS];
        dots_from1(&t, 0, acc);
        for (int j = 0; j < n_q; j++)
            for (int v = 0; v < DOT_VECTORS; v++)
                vf_store(out + (size_t)j * stride + r + (size_t)v * WIDTH,
                         vf_mul(acc[j][v], vf_set1(scale)));
    }
}

/* How many of n_q queries go together next: as many as the registers hold, but rather one fewer
 * twice than a few alone at the end, for which the loads would cost more than the products. */
SIMD_INLINE uint32_t next_queries(uint32_t n_q, uint32_t most)
{
    if (n_q == most || n_q + 1 >= 2 * most)
        return most;
    return n_q < most - 1 ? n_q : most - 1;
}

SIMD_INLINE void dots_of_all(const float *q, uint32_t n_q, const float *columns, uint32_t n,
                             float scale, float *out, size_t stride)
{
    for (uint32_t some; n_q; n_q -= some, q += (size_t)some * n, out += some * stride) {
        some = next_queries(n_q, DOT_QUERIES);
        if (some == DOT_QUERIES)
            dots_of(q, DOT_QUERIES, columns, n, scale, out, stride);
        else if (DOT_QUERIES > 2 && some == DOT_QUERIES - 1)
            dots_of(q, DOT_QUERIES - 1, columns, n, scale, out, stride);
        else
            for (uint32_t i = 0; i < some; i++)
                dots_of(q + (size_t)i * n, 1, columns, n, scale, out + i * stride, stride);
    }
}

/* The usual head sizes as constants: short loops unroll. */
static void simd_dots_tile(const float *q, uint32_t n_q, const float *columns, uint32_t n,
                           float scale, float *out, size_t stride)
{
    switch (n) {
    case 32:
        dots_of_all(q, n_q, columns, 32, scale, out, stride);
        break;
    case 64:
        dots_of_all(q, n_q, columns, 64, scale, out, stride);
        break;
    default:
        dots_of_all(q, n_q, columns, n, scale, out, stride);
        break;
    }
}

/* ---- sums over values ---- */

/* n_v vectors of n_q rows' sums (both constants): the values all of them take, then the rest. */
SIMD_INLINE void sums_of(const float *p, size_t stride, const uint32_t *counts, int n_q,
                         const float *v, uint32_t n, int n_v, float *out)
{
    vf acc[SUM_QUERIES][SUM_TILE_VECTORS];
    uint32_t common = counts[0], r = 0;
    for (int j = 0; j < n_q; j++) {
        common = counts[j] < common ? counts[j] : common;
        for (int s = 0; s < n_v; s++)
            acc[j][s] = vf_set1(0.0f);
    }
    for (; r < common; r++) {
        vf x[SUM_TILE_VECTORS];
        for (int s = 0; s < n_v; s++)
            x[s] = vf_keep(vf_load(v + (size_t)r * n + (size_t)s * WIDTH));
        for (int j = 0; j < n_q; j++)
            for (int s = 0; s < n_v; s++)
                acc[j][s] = vf_fma(vf_set1(p[(size_t)j * stride + r]), x[s], acc[j][s]);
    }
    for (int j = 0; j < n_q; j++) {
        for (r = common; r < counts[j]; r++)
            for (int s = 0; s < n_v; s++)
                acc[j][s] = vf_fma(vf_set1(p[(size_t)j * stride + r]),
                                   vf_load(v + (size_t)r * n + (size_t)s * WIDTH), acc[j][s]);
        for (int s = 0; s < n_v; s++) {
            float *o = out + (size_t)j * n + (size_t)s * WIDTH;
            vf_store(o, vf_add(vf_load(o), acc[j][s]));
        }
    }
}

SIMD_INLINE void sums_of_rows(const float *p, size_t stride, const uint32_t *counts, int n_q,
                              const float *v, uint32_t n, float *out)
{
    uint32_t i = 0;
    for (; i + SUM_TILE_VECTORS * WIDTH <= n; i += SUM_TILE_VECTORS * WIDTH)
        sums_of(p, stride, counts, n_q, v + i, n, SUM_TILE_VECTORS, out + i);
    for (; i + 2 * WIDTH <= n; i += 2 * WIDTH)
        sums_of(p, stride, counts, n_q, v + i, n, 2, out + i);
    for (; i + WIDTH <= n; i += WIDTH)
        sums_of(p, stride, counts, n_q, v + i, n, 1, out + i);
    for (; i < n; i++)
        for (int j = 0; j < n_q; j++) {
            float acc = 0;
            for (uint32_t r = 0; r < counts[j]; r++)
                acc = fmaf(p[(size_t)j * stride + r], v[(size_t)r * n + i], acc);
            out[(size_t)j * n + i] += acc;
        }
}

static void simd_sums_tile(const float *p, size_t stride, const uint32_t *counts, uint32_t n_q,
                           const float *v, uint32_t n, float *out)
{
    for (uint32_t some; n_q; n_q -= some, p += some * stride, counts += some) {
        some = next_queries(n_q, SUM_QUERIES);
        if (some == SUM_QUERIES)
            sums_of_rows(p, stride, counts, SUM_QUERIES, v, n, out);
        else if (some == SUM_QUERIES - 1)
            sums_of_rows(p, stride, counts, SUM_QUERIES - 1, v, n, out);
        else
            for (uint32_t i = 0; i < some; i++)
                sums_of_rows(p + i * stride, stride, counts + i, 1, v, n, out + (size_t)i * n);
        out += (size_t)some * n;
    }
}

/* ---- exponentials ---- */

/* n <= 32 of one block, in lanes: a lane begins at +0, which an exponential leaves as it is, and so
 * does +0 in place of one that is missing. */
SIMD_INLINE void exp_block(const float *x, vf m, float *y, uint32_t n, vf *lanes)
{
    for (uint32_t v = 0; v < LANE_VECTORS; v++)
        lanes[v] = vf_set1(0.0f);
    for (uint32_t i = 0, v = 0; i < n; i += WIDTH, v = (v + 1) % LANE_VECTORS) {
        bool is_whole = n - i >= WIDTH;
        vf e = is_whole ? vf_load(x + i) : vf_load_some(x + i, n - i);
        e = vf_exp(vf_sub(e, m));
        if (is_whole) {
            vf_store(y + i, e);
        } else {
            vf_store_some(y + i, e, n - i);
            e = vf_first(e, n - i);
        }
        lanes[v] = vf_add(lanes[v], e);
    }
}

/* Blocks come WIDTH at a time, so that their trees are added side by side. */
static float simd_exp_blocks(const float *x, float m, float *y, uint32_t n)
{
    float total = 0, sums[LANES];
    vf top = vf_set1(m);
    uint32_t i = 0;
    while (i + WIDTH * KERNEL_BLOCK <= n) {
        vf acc[WIDTH][LANE_VECTORS];
        for (uint32_t b = 0; b < WIDTH; b++, i += KERNEL_BLOCK)
            exp_block(x + i, top, y + i, KERNEL_BLOCK, acc[b]);
        vf_store(sums, vf_fold(acc));
        for (uint32_t b = 0; b < WIDTH; b++)
            total += sums[b];
    }
    for (; i < n; i += KERNEL_BLOCK) {
        vf acc[LANE_VECTORS];
        if (n - i >= KERNEL_BLOCK)
            exp_block(x + i, top, y + i, KERNEL_BLOCK, acc);
        else
            exp_block(x + i, top, y + i, n - i, acc);
        for (int v = 0; v < LANE_VECTORS; v++)
            vf_store(sums + v * WIDTH, acc[v]);
        total += lanes_tail(sums);
    }
    return total;
}

#endif
