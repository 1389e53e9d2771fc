/* kernels_amx.c - products of many rows with AMX tiles; everything else is AVX-512's.
 *
 * A block of 32 weights of a panel is a tile as it lies there: 8 vectors, in each of them four
 * bytes of every output. Sixteen prepared rows are the other tile. TDPBSUD gives their exact
 * integer products, which go through memory to the vectors that do the float part, block after
 * block as the definition has it. While the tiles of one sub-block are multiplied, the sums of the
 * one before are turned to floats. Few rows, rows that are no multiple of 16, and matrices that are
 * not in panels take AVX-512's way. AMX's bf16 is not used: it would round activations that the
 * definition keeps. */
#include <pthread.h>
#include <string.h>

#include "proto/mem.h"
#include "worker/engine/amx_tiles.h"
#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

#include "worker/engine/simd_avx512.h"

#include "worker/engine/simd_unpack.h"

#include "worker/engine/simd_panels.h"

enum {
    ROWS_MIN = 8,                      /* below it the vectors are as fast */
    ROWS_MOST = TILE_SUMS * TILE_ROWS, /* rows whose sums are tiles at the same time */
    PREFETCH_BYTES = 4096,             /* how far ahead weights are asked for */
};

/* The sums of one sub-block, and what turns them to floats. */
struct step {
    int32_t sums[ROWS_MOST][PANEL_OUTPUTS] __attribute__((aligned(64)));
    struct act_piece a;
    vf scale, min;
    uint32_t sub; /* of its block */
};

#define MULTIPLY(t)                                                                                \
    if (rows > (t)*TILE_ROWS) {                                                                    \
        tile_zero(t);                                                                              \
        tile_load(4, q + (size_t)(t)*TILE_ROWS * stride, stride);                                  \
        tile_multiply(t);                                                                          \
        tile_store(t, st->sums[(t)*TILE_ROWS], TILE_BYTES);                                        \
    }

/* Weights of one sub-block times rows: a multiple of 16, or as many as the tiles are shaped for. */
SIMD_INLINE void multiply_step(const uint8_t *weights, const int8_t *q, size_t stride,
                               uint32_t rows, struct step *st)
{
    tile_load(5, weights, PANEL_VECTOR);
    MULTIPLY(0)
    MULTIPLY(1)
    MULTIPLY(2)
    MULTIPLY(3)
}

SIMD_INLINE void add_step(enum ggml_type type, const struct step *st, size_t stride, uint32_t rows,
                          float *acc)
{
    const struct quant_format f = quant_format(type);
    struct act_piece a = st->a;
    for (uint32_t r = 0; r < rows; r++, acc += PANEL_OUTPUTS) {
        vi dot = vi_load(st->sums[r]);
        if (f.off)
            dot = vi_add(dot, vi_set1(a.corr[st->sub]));
        vf sum = vf_fma(vi_to_f(dot), vf_mul(st->scale, vf_set1(*a.scale)), vf_load(acc));
        if (f.has_min)
            sum = vf_fma(st->min, vf_set1(a.sum[st->sub]), sum);
        vf_store(acc, sum);
        a.scale = AT_BYTES(a.scale, stride);
        a.corr = AT_BYTES(a.corr, stride);
        a.sum = AT_BYTES(a.sum, stride);
    }
}

/* acc [rows][16] += a chunk of n values times rows, but for its last step: *before, which is NULL
 * at first, goes from one chunk to the next. steps[] take turns. */
SIMD_INLINE void chunk_times_tiles(enum ggml_type type, const uint8_t *chunk, uint32_t n,
                                   struct act_piece a, size_t stride, uint32_t rows,
                                   struct step *steps, const struct step **before, float *acc)
{
    const struct panel_chunk c = panel_chunk(type, n);
    const struct quant_format f = quant_format(type);
    struct strip t;
    struct strip_scales w;
    for (uint32_t b = 0; b < n / PANEL_BLOCK; b++) {
        const uint8_t *block = chunk + c.values + b * c.block;
        prefetch(block + PREFETCH_BYTES, block + PREFETCH_BYTES + c.block);
        if (f.top != 255) {
            panel_strip(type, block, &t);
            block = (const uint8_t *)t.u;
        }
        panel_scales(type, chunk, &c, b, 0, &w);
        for (uint32_t s = 0; s < PANEL_BLOCK / f.sub; s++) {
            struct step *now = *before == steps ? steps + 1 : steps;
            now->a = a;
            now->scale = w.scale[s];
            now->min = w.min[s];
            now->sub = s;
            multiply_step(block + s * f.sub / 4 * PANEL_VECTOR, a.q + s * f.sub, stride, rows, now);
            if (*before)
                add_step(type, *before, stride, rows, acc);
            *before = now;
        }
        a.q += PANEL_BLOCK;
        a.scale++;
        a.corr += PANEL_BLOCK / f.sub;
        a.sum += PANEL_BLOCK / f.sub;
    }
}

/* The panel at p times at most ROWS_MOST rows, for whose number the tiles are shaped. */
SIMD_INLINE void panel_times_tiles(enum ggml_type type, const uint8_t *p, uint32_t n_in,
                                   const uint8_t *act, uint32_t rows, float *acc)
{
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    struct step steps[2];
    const struct step *before = NULL;
    memset(acc, 0, (size_t)rows * PANEL_OUTPUTS * sizeof(*acc));
    for (uint32_t i0 = 0; i0 < n_in; i0 += PANEL_CHUNK) {
        const uint32_t n = n_in - i0 < PANEL_CHUNK ? n_in - i0 : PANEL_CHUNK;
        chunk_times_tiles(type, p, n, act_piece(act, &l, i0, f.sub), l.bytes, rows, steps, &before,
                          acc);
        p += panel_chunk(type, n).bytes;
    }
    if (before)
        add_step(type, before, l.bytes, rows, acc);
}

/* One panel, whose first output is o, times all rows. */
SIMD_INLINE void panel_rows(enum ggml_type type, const struct weight *w, const uint8_t *act,
                            uint32_t rows, float *y, size_t y_stride, uint32_t o, uint32_t n_o)
{
    const size_t act_stride = act_layout(type, w->n_in).bytes;
    const uint8_t *p = (const uint8_t *)w->data + o / PANEL_OUTPUTS * panel_bytes(type, w->n_in);
    float acc[ROWS_MOST * PANEL_OUTPUTS] __attribute__((aligned(64)));
    for (uint32_t r0 = 0, n; r0 < rows; r0 += n) {
        const uint32_t left = rows - r0;
        n = left >= ROWS_MOST ? ROWS_MOST : left >= TILE_ROWS ? left / TILE_ROWS * TILE_ROWS : left;
        if (n < ROWS_MIN) {
            kernels_avx512.matmul(w, act + r0 * act_stride, n, y + r0 * y_stride, y_stride, o,
                                  o + n_o);
            continue;
        }
        const struct tile_config shape =
            tile_shape(n < TILE_ROWS ? n : TILE_ROWS, quant_format(type).sub);
        tile_configure(&shape);
        panel_times_tiles(type, p, w->n_in, act + r0 * act_stride, n, acc);
        for (uint32_t r = 0; r < n; r++)
            memcpy(y + (r0 + r) * y_stride + o, acc + r * PANEL_OUTPUTS, n_o * sizeof(*y));
    }
}

SIMD_INLINE void panels_rows(enum ggml_type type, const struct weight *w, const uint8_t *act,
                             uint32_t rows, float *y, size_t y_stride, uint32_t o0, uint32_t o1)
{
    for (uint32_t o = o0; o < o1; o += PANEL_OUTPUTS)
        panel_rows(type, w, act, rows, y, y_stride, o,
                   o1 - o < PANEL_OUTPUTS ? o1 - o : PANEL_OUTPUTS);
    tile_release();
}

#define AMX_CASE(type)                                                                             \
    case type:                                                                                     \
        panels_rows(type, w, act, rows, y, y_stride, o0, o1);                                      \
        break;

static void amx_matmul(const struct weight *w, const void *act, uint32_t rows, float *y,
                       size_t y_stride, uint32_t o0, uint32_t o1)
{
    if (w->layout != WEIGHT_PANELS || rows < ROWS_MIN) {
        kernels_avx512.matmul(w, act, rows, y, y_stride, o0, o1);
        return;
    }
    switch (w->type) {
        QUANT_TYPES(AMX_CASE)
    default:
        px_assert(!"a type that is not laid out in panels");
    }
}

static struct kernels table;

static void make_table(void)
{
    table = kernels_avx512;
    table.isa = "amx";
    table.matmul = amx_matmul;
}

const struct kernels *kernels_amx(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_table);
    return &table;
}
