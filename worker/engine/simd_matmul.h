/* simd_matmul.h - matrix times rows with vectors (internal template, see simd_unpack.h).
 *
 * Quantised weights: WIDTH outputs side by side, decoded once for a tile of rows; lane o does for
 * output o exactly what the definition in kernels_scalar.c does. Float weights: the sixteen lanes
 * of the definition are the lanes of the vectors. */
#ifndef WORKER_ENGINE_SIMD_MATMUL_H
#define WORKER_ENGINE_SIMD_MATMUL_H

#define ROW_TILE 32

/* What the products of one prepared row need, at the current piece of at most 256 values. */
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

/* acc[r] += the decoded piece times n_rows prepared rows; n_rows is a constant. */
SIMD_INLINE void products(enum ggml_type type, const struct wtile *t, uint32_t n,
                          const struct act_piece *a, int n_rows, vf *acc)
{
    const struct quant_format f = quant_format(type);
    vf sum[4];
    for (int r = 0; r < n_rows; r++)
        sum[r] = acc[r];
    for (uint32_t s = 0; s < n / f.sub; s++) {
        const int8_t *q[4];
        int32_t corr[4];
        vi dot[4];
        for (int r = 0; r < n_rows; r++) {
            q[r] = a[r].q + s * f.sub;
            corr[r] = f.off ? a[r].corr[s] : 0;
        }
        vi_dots(t->u + s * f.sub / 4, f.sub / 4, f.top, q, corr, n_rows, dot);
        for (int r = 0; r < n_rows; r++) {
            vf d = vf_mul(t->scale[s], vf_set1(a[r].scale[s * f.sub / ACT_BLOCK]));
            sum[r] = vf_fma(vi_to_f(dot[r]), d, sum[r]);
            if (f.has_min)
                sum[r] = vf_fma(t->min[s], vf_set1(a[r].sum[s]), sum[r]);
        }
    }
    for (int r = 0; r < n_rows; r++)
        acc[r] = sum[r];
}

/* Sixteen short streams side by side are more than a CPU's own prefetching follows. */
SIMD_INLINE void prefetch(const uint8_t *p, const uint8_t *end)
{
    for (; p < end; p += 64)
        __builtin_prefetch(p, 0, 3);
}

/* WIDTH outputs, whose weight rows are p[], times at most ROW_TILE rows. `next` are the weights
 * of the following outputs, next_bytes of them, fetched on the way. */
SIMD_INLINE void outputs_q(enum ggml_type type, const uint8_t *const *p, uint32_t n_in,
                           const uint8_t *act, uint32_t rows, const uint8_t *next,
                           size_t next_bytes, vf *acc)
{
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    struct wtile t;
    for (uint32_t r = 0; r < rows; r++)
        acc[r] = vf_set1(0.0f);
    for (uint32_t i0 = 0; i0 < n_in; i0 += UNPACK_MAX) {
        uint32_t left = n_in - i0, r = 0;
        uint32_t n = f.block == UNPACK_MAX || left > UNPACK_MAX ? UNPACK_MAX : left;
        struct act_piece a[4];
        prefetch(next + next_bytes * i0 / n_in, next + next_bytes * (i0 + n) / n_in);
        tile_unpack(type, p, (size_t)(i0 / f.block) * f.bytes, n, &t);
        for (; r + 4 <= rows; r += 4) {
            for (uint32_t k = 0; k < 4; k++)
                a[k] = act_piece(act + (r + k) * l.bytes, &l, i0, f.sub);
            products(type, &t, n, a, 4, acc + r);
        }
        for (; r < rows; r++) {
            a[0] = act_piece(act + r * l.bytes, &l, i0, f.sub);
            products(type, &t, n, a, 1, acc + r);
        }
    }
}

SIMD_INLINE void matmul_q(enum ggml_type type, const struct weight *w, const uint8_t *act,
                          uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    const size_t row_bytes = weight_row_bytes(type, w->n_in);
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    vf acc[ROW_TILE];
    for (uint32_t o = o0; o < o1; o += WIDTH) {
        uint32_t n_o = o1 - o < WIDTH ? o1 - o : WIDTH;
        const uint8_t *p[WIDTH]; /* at the end the last row stands in for those that lack */
        for (uint32_t i = 0; i < WIDTH; i++)
            p[i] = (const uint8_t *)w->data + (o + (i < n_o ? i : n_o - 1)) * row_bytes;
        uint32_t n_next = o1 - o - n_o < WIDTH ? o1 - o - n_o : WIDTH;
        const uint8_t *next = (const uint8_t *)w->data + (size_t)(o + n_o) * row_bytes;
        for (uint32_t r0 = 0; r0 < rows; r0 += ROW_TILE) {
            uint32_t n_r = rows - r0 < ROW_TILE ? rows - r0 : ROW_TILE;
            outputs_q(type, p, w->n_in, act + r0 * act_stride, n_r, next,
                      r0 == 0 ? (size_t)n_next * row_bytes : 0, acc);
            for (uint32_t r = 0; r < n_r; r++)
                vf_store_some(y + (r0 + r) * y_stride + o, acc[r], n_o);
        }
    }
}

/* ---- float weights ---- */

#define LANE_VECTORS (LANES / WIDTH)

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

/* n_o outputs times n_r rows (both constants, at most 4). */
SIMD_INLINE void outputs_f(enum ggml_type type, const uint8_t *w, size_t row_bytes, uint32_t n_in,
                           const uint8_t *act, size_t act_stride, int n_o, int n_r, float *y,
                           size_t y_stride)
{
    const size_t size = type == GGML_F32 ? 4 : 2;
    vf acc[4][4][LANE_VECTORS];
    for (int o = 0; o < n_o; o++)
        for (int r = 0; r < n_r; r++)
            for (int v = 0; v < LANE_VECTORS; v++)
                acc[o][r][v] = vf_set1(0.0f);
    uint32_t i = 0;
    for (; i + LANES <= n_in; i += LANES)
        for (int v = 0; v < LANE_VECTORS; v++) {
            size_t at = i + (size_t)v * WIDTH;
            vf x[4];
            for (int r = 0; r < n_r; r++)
                x[r] = vf_load((const float *)(const void *)(act + (size_t)r * act_stride) + at);
            for (int o = 0; o < n_o; o++) {
                vf k = load_weight(type, w + (size_t)o * row_bytes + at * size);
                for (int r = 0; r < n_r; r++)
                    acc[o][r][v] = vf_fma(k, x[r], acc[o][r][v]);
            }
        }
    for (int o = 0; o < n_o; o++)
        for (int r = 0; r < n_r; r++) {
            const float *x = (const float *)(const void *)(act + (size_t)r * act_stride);
            float lanes[LANES];
            for (int v = 0; v < LANE_VECTORS; v++)
                vf_store(lanes + v * WIDTH, acc[o][r][v]);
            for (uint32_t l = 0; i + l < n_in; l++)
                lanes[l] = fmaf(one_weight(type, w + (size_t)o * row_bytes + (i + l) * size),
                                x[i + l], lanes[l]);
            y[(size_t)r * y_stride + (size_t)o] = lanes_tail(lanes);
        }
}

SIMD_INLINE void matmul_f(enum ggml_type type, const struct weight *w, const uint8_t *act,
                          uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    const size_t row_bytes = weight_row_bytes(type, w->n_in);
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    uint32_t o = o0;
    for (; o + 4 <= o1; o += 4) {
        const uint8_t *p = (const uint8_t *)w->data + o * row_bytes;
        uint32_t r = 0;
        for (; r + FLOAT_TILE <= rows; r += FLOAT_TILE)
            for (uint32_t k = 0; k < 4; k += FLOAT_TILE)
                outputs_f(type, p + k * row_bytes, row_bytes, w->n_in, act + r * act_stride,
                          act_stride, FLOAT_TILE, FLOAT_TILE, y + r * y_stride + o + k, y_stride);
        for (; r < rows; r++)
            outputs_f(type, p, row_bytes, w->n_in, act + r * act_stride, act_stride, 4, 1,
                      y + r * y_stride + o, y_stride);
    }
    for (; o < o1; o++)
        for (uint32_t r = 0; r < rows; r++)
            outputs_f(type, (const uint8_t *)w->data + o * row_bytes, row_bytes, w->n_in,
                      act + r * act_stride, act_stride, 1, 1, y + r * y_stride + o, y_stride);
}

#define SIMD_CASE(how, type)                                                                       \
    case type:                                                                                     \
        how(type, w, act, rows, y, y_stride, o0, o1);                                              \
        break;

static void simd_matmul(const struct weight *w, const void *act, uint32_t rows, float *y,
                        size_t y_stride, uint32_t o0, uint32_t o1)
{
    if (w->layout == WEIGHT_PANELS) {
        kernels_scalar.matmul(w, act, rows, y, y_stride, o0, o1);
        return;
    }
    switch (w->type) {
        SIMD_CASE(matmul_f, GGML_F32)
        SIMD_CASE(matmul_f, GGML_F16)
        SIMD_CASE(matmul_f, GGML_BF16)
        SIMD_CASE(matmul_q, GGML_Q4_0)
        SIMD_CASE(matmul_q, GGML_Q4_1)
        SIMD_CASE(matmul_q, GGML_Q5_0)
        SIMD_CASE(matmul_q, GGML_Q5_1)
        SIMD_CASE(matmul_q, GGML_Q8_0)
        SIMD_CASE(matmul_q, GGML_Q2_K)
        SIMD_CASE(matmul_q, GGML_Q3_K)
        SIMD_CASE(matmul_q, GGML_Q4_K)
        SIMD_CASE(matmul_q, GGML_Q5_K)
        SIMD_CASE(matmul_q, GGML_Q6_K)
        SIMD_CASE(matmul_q, GGML_IQ4_NL)
        SIMD_CASE(matmul_q, GGML_IQ4_XS)
    }
}

#endif
