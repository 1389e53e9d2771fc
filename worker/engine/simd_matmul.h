/* simd_matmul.h - matrix times rows with vectors (internal template, see simd_unpack.h).
 *
 * Quantised weights: WIDTH outputs side by side, decoded once for a tile of rows; lane o does for
 * output o exactly what the definition in kernels_scalar.c does. Float weights: the sixteen lanes
 * of the definition are the lanes of the vectors. */
#ifndef WORKER_ENGINE_SIMD_MATMUL_H
#define WORKER_ENGINE_SIMD_MATMUL_H

#include "worker/engine/simd_floats.h"
#include "worker/engine/simd_panels.h"

/* The same for a tile that was decoded from rows: n strips of it (a constant), n_in values from
 * i0 on. */
SIMD_INLINE void tiles_times_rows(enum ggml_type type, const struct wtile *tile, int n,
                                  uint32_t blocks, struct act_piece a, size_t stride, uint32_t rows,
                                  float *acc)
{
    const uint32_t subs = PANEL_BLOCK / quant_format(type).sub;
    for (uint32_t b = 0; b < blocks; b++) {
        struct strip t[STRIPS];
        struct strip_scales w[STRIPS];
        for (int i = 0; i < n; i++) {
            for (uint32_t g = 0; g < 8; g++)
                t[i].u[g] = tile[i].u[8 * b + g];
            for (uint32_t s = 0; s < subs; s++) {
                w[i].scale[s] = tile[i].scale[b * subs + s];
                w[i].min[s] = tile[i].min[b * subs + s];
            }
            strip_ready(&t[i], quant_format(type).top);
        }
        strips_times_rows(type, t, w, n, a, stride, rows, acc, (size_t)n * WIDTH);
        a.q += PANEL_BLOCK;
        a.scale++;
        a.corr += subs;
        a.sum += subs;
    }
}

/* The outputs of n strips, whose weight rows are p[], times at most ROW_TILE rows. `next` are the
 * weights of the following outputs, next_bytes of them, fetched on the way: so many short streams
 * side by side are more than a CPU's own prefetching follows. */
SIMD_INLINE void outputs_q(enum ggml_type type, const uint8_t *const *p, int n, uint32_t n_in,
                           const uint8_t *act, uint32_t rows, const uint8_t *next,
                           size_t next_bytes, float *acc)
{
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    struct wtile t[STRIPS];
    memset(acc, 0, (size_t)rows * (size_t)n * WIDTH * sizeof(*acc));
    for (uint32_t i0 = 0; i0 < n_in; i0 += UNPACK_MAX) {
        const uint32_t left = n_in - i0;
        const uint32_t values = f.block == UNPACK_MAX || left > UNPACK_MAX ? UNPACK_MAX : left;
        prefetch(next + next_bytes * i0 / n_in, next + next_bytes * (i0 + values) / n_in);
        for (int i = 0; i < n; i++)
            tile_unpack(type, p + i * WIDTH, (size_t)(i0 / f.block) * f.bytes, values, &t[i]);
        tiles_times_rows(type, t, n, values / PANEL_BLOCK, act_piece(act, &l, i0, f.sub), l.bytes,
                         rows, acc);
    }
}

SIMD_INLINE void matmul_q(enum ggml_type type, const struct weight *w, const uint8_t *act,
                          uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    const size_t row_bytes = weight_row_bytes(type, w->n_in);
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    float acc[ROW_TILE * UNIT] __attribute__((aligned(64)));
    for (uint32_t o = o0; o < o1;) {
        const bool is_one = STRIPS == 1 || rows == 1 || o1 - o <= WIDTH;
        const uint32_t wide = is_one ? WIDTH : UNIT, n_o = o1 - o < wide ? o1 - o : wide;
        const uint8_t *p[UNIT]; /* at the end the last row stands in for those that lack */
        for (uint32_t i = 0; i < wide; i++)
            p[i] = (const uint8_t *)w->data + (o + (i < n_o ? i : n_o - 1)) * row_bytes;
        const uint32_t n_next = o1 - o - n_o < wide ? o1 - o - n_o : wide;
        const uint8_t *next = (const uint8_t *)w->data + (size_t)(o + n_o) * row_bytes;
        for (uint32_t r0 = 0; r0 < rows; r0 += ROW_TILE) {
            const uint32_t n_r = rows - r0 < ROW_TILE ? rows - r0 : ROW_TILE;
            prefetch_sums(y + r0 * y_stride + o, y_stride, n_r, wide);
            const size_t next_bytes = r0 == 0 ? (size_t)n_next * row_bytes : 0;
            if (is_one)
                outputs_q(type, p, 1, w->n_in, act + r0 * act_stride, n_r, next, next_bytes, acc);
            else
                outputs_q(type, p, STRIPS, w->n_in, act + r0 * act_stride, n_r, next, next_bytes,
                          acc);
            for (uint32_t r = 0; r < n_r; r++)
                memcpy(y + (r0 + r) * y_stride + o, acc + r * wide, n_o * sizeof(*y));
        }
        o += n_o;
    }
}

SIMD_INLINE void simd_rows(enum ggml_type type, const struct weight *w, const uint8_t *act,
                           uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    const uint32_t group = group_rows(type, w->n_in);
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    for (uint32_t r = 0; r < rows; r += group) {
        const uint32_t n = rows - r < group ? rows - r : group;
        if (quant_format(type).block == 0)
            matmul_f(type, w, act + r * act_stride, n, y + r * y_stride, y_stride, o0, o1);
        else if (w->layout == WEIGHT_PANELS)
            matmul_panels(type, w, act + r * act_stride, n, y + r * y_stride, y_stride, o0, o1);
        else
            matmul_q(type, w, act + r * act_stride, n, y + r * y_stride, y_stride, o0, o1);
    }
}

#define SIMD_CASE(type)                                                                            \
    case type:                                                                                     \
        simd_rows(type, w, act, rows, y, y_stride, o0, o1);                                        \
        break;

static void simd_matmul(const struct weight *w, const void *act, uint32_t rows, float *y,
                        size_t y_stride, uint32_t o0, uint32_t o1)
{
    switch (w->type) {
        SIMD_CASE(GGML_F32)
        SIMD_CASE(GGML_F16)
        SIMD_CASE(GGML_BF16)
        QUANT_TYPES(SIMD_CASE)
    }
}

#endif
