/* attention.c - causal attention, block of positions by block.
 *
 * Theory of operation. One row is a few queries (the heads of its group), and every key and value
 * they see is loaded for them alone. Rows that follow one another in a sequence see the same
 * blocks but for the last ones, so a tile of them goes over the blocks together: a block's keys
 * are widened and turned into columns once, its values widened once, and the kernels keep several
 * queries in registers. Each query's own sums are the same, in the same order, either way. */
#include "worker/engine/attention.h"

#include <math.h>
#include <string.h>

#include "proto/mem.h"

enum {
    TILE_QUERIES = 32,
    TILE_MIN = 4,          /* queries for which turning a block pays */
    TILE_SCORES = 1 << 17, /* floats, half of a usual second-level cache */
    LINE_FLOATS = 16
};
_Static_assert((int)KERNEL_BLOCK == (int)KV_PAGE, "a page is a block");

static uint32_t group_size(const struct model_config *c)
{
    return c->n_heads / c->n_kv_heads;
}

static size_t padded(uint32_t max_positions)
{
    return (size_t)kv_pages_for(max_positions) * KV_PAGE;
}

/* From one query's scores to the next: an odd number of cache lines, so that the same block of all
 * queries does not fall into the same few sets. */
static size_t score_stride(uint32_t n)
{
    return padded(n) + LINE_FLOATS;
}

/* Scores of one tile: what the tile's size is cut to, unless one row alone needs more. */
static size_t score_floats(const struct model_config *c, uint32_t max_positions)
{
    size_t one = score_stride(max_positions) * group_size(c);
    size_t tile = score_stride(max_positions) * TILE_QUERIES;
    tile = tile < TILE_SCORES ? tile : TILE_SCORES;
    return one > tile ? one : tile;
}

/* Beside the scores: a block's keys and values, the tile's queries and outputs. */
size_t attention_scratch(const struct model_config *c, uint32_t max_positions)
{
    size_t rows = 2 * KV_PAGE + 2 * TILE_QUERIES;
    return score_floats(c, max_positions) + rows * c->head_dim + group_size(c);
}

uint32_t attention_tile_rows(const struct model_config *c, uint32_t max_positions, uint32_t pos)
{
    uint32_t group = group_size(c), rows = TILE_QUERIES / group;
    size_t fit = score_floats(c, max_positions) / group;
    while (rows > 1 && score_stride(pos + rows) * rows > fit)
        rows--;
    return rows ? rows : 1;
}

/* scores[j] = q . k_j for the n positions of one block. */
static void block_scores(const struct model_config *c, const struct kernels *kn, enum kv_type type,
                         const void *k, uint32_t n, const float *q, float *scores)
{
    if (type == KV_F16)
        kn->dots_f16(q, k, n, c->head_dim, scores);
    else
        kn->dots_f32(q, k, n, c->head_dim, scores);
}

/* out += (sum of p[j] v_j over the block, from zero, in order). */
static void block_values(const struct model_config *c, const struct kernels *kn, enum kv_type type,
                         const void *v, uint32_t n, const float *p, float *out, float *acc)
{
    if (type == KV_F16)
        kn->sums_f16(p, v, n, c->head_dim, acc);
    else
        kn->sums_f32(p, v, n, c->head_dim, acc);
    kn->add(out, acc, c->head_dim);
}

/* Scores to probabilities times their sum, which is returned. */
static float softmax(const struct kernels *kn, float *scores, uint32_t n)
{
    return kn->exp_blocks(scores, kn->max(scores, n), scores, n);
}

static void attend_row(const struct model_config *c, const struct kernels *kn,
                       const struct kv_pool *kv, const struct kv_seq *seq, uint32_t layer,
                       uint32_t kv_head, uint32_t pos, const float *q, float *out, float *scratch)
{
    uint32_t group = group_size(c), n = pos + 1, n_blocks = kv_pages_for(n);
    size_t stride = (size_t)n_blocks * KV_PAGE;
    enum kv_type type = kv_pool_type(kv);
    float *acc = scratch + stride * group, *totals = acc + c->head_dim;
    float scale = 1.0f / sqrtf((float)c->head_dim);
    q += (size_t)kv_head * group * c->head_dim;
    out += (size_t)kv_head * group * c->head_dim;
    for (uint32_t b = 0; b < n_blocks; b++) {
        const void *k = kv_block(kv, seq->pages[b], layer, false, kv_head);
        uint32_t in_block = n - b * KV_PAGE < KV_PAGE ? n - b * KV_PAGE : KV_PAGE;
        for (uint32_t g = 0; g < group; g++)
            block_scores(c, kn, type, k, in_block, q + (size_t)g * c->head_dim,
                         scratch + g * stride + (size_t)b * KV_PAGE);
    }
    for (uint32_t g = 0; g < group; g++) {
        kn->scale(scratch + g * stride, scale, n);
        totals[g] = softmax(kn, scratch + g * stride, n);
    }
    memset(out, 0, (size_t)group * c->head_dim * sizeof *out);
    for (uint32_t b = 0; b < n_blocks; b++) {
        const void *v = kv_block(kv, seq->pages[b], layer, true, kv_head);
        uint32_t in_block = n - b * KV_PAGE < KV_PAGE ? n - b * KV_PAGE : KV_PAGE;
        for (uint32_t g = 0; g < group; g++)
            block_values(c, kn, type, v, in_block, scratch + g * stride + (size_t)b * KV_PAGE,
                         out + (size_t)g * c->head_dim, acc);
    }
    for (uint32_t g = 0; g < group; g++)
        kn->scale(out + (size_t)g * c->head_dim, 1.0f / totals[g], c->head_dim);
}

/* ---- tiles of rows ---- */

struct tile {
    const struct model_config *c;
    const struct kernels *kn;
    enum kv_type type;
    uint32_t group, n_rows, n_queries; /* query i belongs to row i / group */
    uint32_t pos;                      /* of the first row */
    size_t stride;                     /* of scores */
    float *scores, *q, *out, *keys, *values;
};

static void tile_scores(const struct tile *t, const void *k, float *scores, float scale)
{
    if (t->type == KV_F16)
        t->kn->columns_f16(k, t->c->head_dim, t->keys);
    else
        t->kn->columns_f32(k, t->c->head_dim, t->keys);
    t->kn->dots_tile(t->q, t->n_queries, t->keys, t->c->head_dim, scale, scores, t->stride);
}

/* The block that begins at position `from`: a row takes its values up to its own position. */
static void tile_values(const struct tile *t, const void *v, uint32_t from)
{
    uint32_t counts[TILE_QUERIES], last = t->pos + t->n_rows;
    uint32_t there = last - from < KV_PAGE ? last - from : KV_PAGE;
    const float *values = v;
    for (uint32_t i = 0; i < t->n_queries; i++) {
        uint32_t n = t->pos + i / t->group + 1;
        n = n > from ? n - from : 0;
        counts[i] = n < KV_PAGE ? n : KV_PAGE;
    }
    if (t->type == KV_F16) {
        t->kn->f16_to_f32(v, t->values, there * t->c->head_dim);
        values = t->values;
    }
    t->kn->sums_tile(t->scores + from, t->stride, counts, t->n_queries, values, t->c->head_dim,
                     t->out);
}

static void attend_tile(const struct tile *t, const struct kv_pool *kv, const struct kv_seq *seq,
                        uint32_t layer, uint32_t kv_head)
{
    uint32_t n_blocks = kv_pages_for(t->pos + t->n_rows), head_dim = t->c->head_dim;
    float scale = 1.0f / sqrtf((float)head_dim), totals[TILE_QUERIES] = {0};
    for (uint32_t b = 0; b < n_blocks; b++)
        tile_scores(t, kv_block(kv, seq->pages[b], layer, false, kv_head),
                    t->scores + (size_t)b * KV_PAGE, scale);
    for (uint32_t i = 0; i < t->n_queries; i++)
        totals[i] = softmax(t->kn, t->scores + i * t->stride, t->pos + i / t->group + 1);
    memset(t->out, 0, (size_t)t->n_queries * head_dim * sizeof *t->out);
    for (uint32_t b = 0; b < n_blocks; b++)
        tile_values(t, kv_block(kv, seq->pages[b], layer, true, kv_head), b * KV_PAGE);
    for (uint32_t i = 0; i < t->n_queries; i++)
        t->kn->scale(t->out + (size_t)i * head_dim, 1.0f / totals[i], head_dim);
}

void attention_rows(const struct model_config *c, const struct kernels *kn,
                    const struct kv_pool *kv, const struct kv_seq *seq, uint32_t layer,
                    uint32_t kv_head, uint32_t pos, uint32_t n_rows, const float *q, float *out,
                    float *scratch)
{
    uint32_t group = group_size(c), n_q = c->n_heads * c->head_dim;
    size_t heads = (size_t)group * c->head_dim, at = kv_head * heads;
    if (n_rows == 1 || n_rows * group < TILE_MIN) {
        for (uint32_t r = 0; r < n_rows; r++)
            attend_row(c, kn, kv, seq, layer, kv_head, pos + r, q + (size_t)r * n_q,
                       out + (size_t)r * n_q, scratch);
        return;
    }
    struct tile t = {.c = c,
                     .kn = kn,
                     .type = kv_pool_type(kv),
                     .group = group,
                     .n_rows = n_rows,
                     .n_queries = n_rows * group,
                     .pos = pos,
                     .stride = score_stride(pos + n_rows)};
    px_assert(t.n_queries <= TILE_QUERIES);
    t.q = scratch;
    t.out = t.q + (size_t)TILE_QUERIES * c->head_dim;
    t.keys = t.out + (size_t)TILE_QUERIES * c->head_dim;
    t.values = t.keys + (size_t)KV_PAGE * c->head_dim;
    t.scores = t.values + (size_t)KV_PAGE * c->head_dim;
    for (uint32_t r = 0; r < n_rows; r++)
        memcpy(t.q + r * heads, q + (size_t)r * n_q + at, heads * sizeof *q);
    attend_tile(&t, kv, seq, layer, kv_head);
    for (uint32_t r = 0; r < n_rows; r++)
        memcpy(out + (size_t)r * n_q + at, t.out + r * heads, heads * sizeof *out);
}
