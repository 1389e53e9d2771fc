/* simd_floats.h - float matrices times rows (internal template, see simd_unpack.h).
 *
 * The sixteen lanes of the definition are lanes of vectors; they lie in memory between pieces of
 * FLOAT_PIECE values, so that what the inner loop reads stays in the innermost cache: a piece of
 * FLOAT_OUTPUTS outputs, widened once for FLOAT_ROWS rows, and the same piece of those rows. The
 * lanes are added for WIDTH sums at a time. */
#ifndef WORKER_ENGINE_SIMD_FLOATS_H
#define WORKER_ENGINE_SIMD_FLOATS_H

#define FLOAT_OUTPUTS 8
#define FLOAT_ROWS 48
#define FLOAT_PIECE 448
#define LANE_VECTORS (LANES / WIDTH)

struct float_tile {
    float w[FLOAT_OUTPUTS][FLOAT_PIECE] __attribute__((aligned(64)));
    float lanes[FLOAT_ROWS][FLOAT_OUTPUTS][LANES];
};

SIMD_INLINE vf load_weight(enum ggml_type type, const uint8_t *p)
{
    if (type == GGML_F32)
        return vf_load((const float *)(const void *)p);
    return type == GGML_F16 ? vf_load_half(p) : vf_load_bf16(p);
}

SIMD_INLINE float one_weight(enum ggml_type type, const uint8_t *p)
{
    float v;
    if (type == GGML_F32) {
        memcpy(&v, p, sizeof(v));
        return v;
    }
    return type == GGML_F16 ? unpack_half(p) : unpack_float((uint32_t)unpack_u16(p) << 16);
}

SIMD_INLINE float lanes_tail(float *lanes)
{
    for (uint32_t w = LANES / 2; w >= 1; w /= 2)
        for (uint32_t l = 0; l < w; l++)
            lanes[l] += lanes[l + w];
    return lanes[0];
}

/* Widens n values of FLOAT_OUTPUTS outputs, size bytes each, that begin at byte `at` of p[], and
 * asks for those `ahead` bytes behind. */
SIMD_INLINE void float_widen(enum ggml_type type, const uint8_t *const *p, size_t at, uint32_t n,
                             size_t ahead, struct float_tile *t)
{
    const size_t size = type == GGML_F32 ? 4 : 2;
    for (uint32_t o = 0; o < FLOAT_OUTPUTS; o++) {
        const uint8_t *w = p[o] + at;
        uint32_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            if (i * size % 64 == 0)
                __builtin_prefetch(w + ahead + i * size, 0, 2);
            for (uint32_t v = 0; v < LANES; v += WIDTH)
                vf_store(t->w[o] + i + v, load_weight(type, w + (i + v) * size));
        }
        for (; i < n; i++)
            t->w[o][i] = one_weight(type, w + i * size);
    }
}

/* The lanes (+0 before the first piece) of n_o outputs (from o on) and n_r rows (from r on), both
 * numbers constants, after n more values, a multiple of LANES; the rows are n_x floats apart. */
SIMD_INLINE void float_products(struct float_tile *t, uint32_t o, uint32_t n_o, uint32_t r,
                                uint32_t n_r, const float *x, size_t n_x, uint32_t n, bool is_first)
{
    for (uint32_t v = 0; v < LANES; v += WIDTH) {
        vf sum[FLOAT_OUTPUTS * FLOAT_BLOCK_ROWS];
        for (uint32_t i = 0; i < n_o * n_r; i++)
            sum[i] = is_first ? vf_set1(0.0f) : vf_load(t->lanes[r + i / n_o][o + i % n_o] + v);
#pragma GCC unroll 4
        for (uint32_t i = v; i < n; i += LANES) {
            vf a[FLOAT_BLOCK_ROWS];
            for (uint32_t j = 0; j < n_r; j++)
                a[j] = vf_load(x + (r + j) * n_x + i);
            for (uint32_t k = 0; k < n_o; k++) {
                const vf w = vf_load(t->w[o + k] + i);
                for (uint32_t j = 0; j < n_r; j++)
                    sum[j * n_o + k] = vf_fma(w, a[j], sum[j * n_o + k]);
            }
        }
        for (uint32_t i = 0; i < n_o * n_r; i++)
            vf_store(t->lanes[r + i / n_o][o + i % n_o] + v, sum[i]);
    }
}

/* The lanes after n more values of every output and row. */
SIMD_INLINE void float_piece(struct float_tile *t, const float *x, size_t n_x, uint32_t rows,
                             uint32_t n, bool is_first)
{
    const uint32_t whole = n / LANES * LANES;
    uint32_t r = 0;
    for (; r + FLOAT_BLOCK_ROWS <= rows; r += FLOAT_BLOCK_ROWS)
        for (uint32_t o = 0; o < FLOAT_OUTPUTS; o += FLOAT_BLOCK_OUTPUTS)
            float_products(t, o, FLOAT_BLOCK_OUTPUTS, r, FLOAT_BLOCK_ROWS, x, n_x, whole, is_first);
    for (; r < rows; r++)
        float_products(t, 0, FLOAT_OUTPUTS, r, 1, x, n_x, whole, is_first);
    for (r = 0; r < rows && whole < n; r++)
        for (uint32_t o = 0; o < FLOAT_OUTPUTS; o++)
            for (uint32_t l = 0; whole + l < n; l++)
                t->lanes[r][o][l] =
                    fmaf(t->w[o][whole + l], x[r * n_x + whole + l], t->lanes[r][o][l]);
}

/* FLOAT_OUTPUTS outputs, whose weights are p[], times at most FLOAT_ROWS rows; the first n_o sums
 * of each row are wanted. */
SIMD_INLINE void outputs_f(enum ggml_type type, const uint8_t *const *p, uint32_t n_in,
                           const uint8_t *act, uint32_t rows, float *y, size_t y_stride,
                           uint32_t n_o)
{
    const size_t size = type == GGML_F32 ? 4 : 2, n_x = act_layout(type, n_in).bytes / 4;
    const float *x = (const float *)(const void *)act;
    float sums[FLOAT_ROWS * FLOAT_OUTPUTS];
    struct float_tile t;
    uint32_t at = 0;
    do {
        const uint32_t n = n_in - at < FLOAT_PIECE ? n_in - at : FLOAT_PIECE;
        float_widen(type, p, at * size, n, FLOAT_OUTPUTS * n_in * size, &t);
        float_piece(&t, x + at, n_x, rows, n, at == 0);
        at += n;
    } while (at < n_in);
    if (rows % 2) /* is folded with the last one */
        memset(t.lanes[rows], 0, FLOAT_OUTPUTS * LANES * sizeof(float));
    for (uint32_t k = 0; k < rows * FLOAT_OUTPUTS; k += WIDTH) {
        vf lanes[WIDTH][LANE_VECTORS];
        for (uint32_t i = 0; i < WIDTH; i++)
            for (uint32_t v = 0; v < LANE_VECTORS; v++)
                lanes[i][v] =
                    vf_load(t.lanes[(k + i) / FLOAT_OUTPUTS][(k + i) % FLOAT_OUTPUTS] + v * WIDTH);
        vf_store(sums + k, vf_fold(lanes));
    }
    for (uint32_t r = 0; r < rows; r++)
        memcpy(y + r * y_stride, sums + r * FLOAT_OUTPUTS, n_o * sizeof(*y));
}

SIMD_INLINE void matmul_f(enum ggml_type type, const struct weight *w, const uint8_t *act,
                          uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    const size_t row_bytes = weight_row_bytes(type, w->n_in);
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    for (uint32_t o = o0; o < o1; o += FLOAT_OUTPUTS) {
        const uint32_t n_o = o1 - o < FLOAT_OUTPUTS ? o1 - o : FLOAT_OUTPUTS;
        const uint8_t *p[FLOAT_OUTPUTS]; /* the last one stands in for those that lack */
        for (uint32_t i = 0; i < FLOAT_OUTPUTS; i++)
            p[i] = (const uint8_t *)w->data + (o + (i < n_o ? i : n_o - 1)) * row_bytes;
        for (uint32_t r = 0; r < rows; r += FLOAT_ROWS)
            outputs_f(type, p, w->n_in, act + r * act_stride,
                      rows - r < FLOAT_ROWS ? rows - r : FLOAT_ROWS, y + r * y_stride + o, y_stride,
                      n_o);
    }
}

#endif
