/* attention.c - causal attention, block of positions by block.
 *
 * Theory of operation. A tile is some rows, neighbours in a plan that sorts rows by their lists of
 * pages, with some query heads of one kv head: at most TILE_QUERIES queries. It goes over the
 * blocks of positions in order. At each block the rows that hold the same page there form a run,
 * and a run's queries are multiplied with that page's keys (later its values) together: widened
 * once, keys turned into columns once, several queries in the kernels' registers. So a head that
 * all rows share is one run from first to last row, a question's own part a shorter one, a row's
 * own tokens a run of one row, and the rows of one prompt a run whose last blocks are seen to
 * different depths. Runs of few queries go over the page as it lies. Each query's own sums are the
 * same, in the same order, in all these ways. */
#include "worker/engine/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

enum {
    TILE_QUERIES = 64,
    RUN_MIN = 4,           /* queries for which widening and turning a page pays */
    PART_MIN = 3,          /* query heads below which a kv head is not cut between threads */
    TILES_PER_THREAD = 2,  /* at least, where there are so many rows */
    TILE_SCORES = 1 << 17, /* floats, half of a usual second-level cache */
    LINE_FLOATS = 16
};
_Static_assert((int)KERNEL_BLOCK == (int)KV_PAGE, "a page is a block");

static uint32_t group_size(const struct model_config *c)
{
    return c->n_heads / c->n_kv_heads;
}

/* From one query's scores of n blocks to the next: an odd number of cache lines, so that the same
 * block of all queries does not fall into the same few sets. */
static size_t score_stride(uint32_t n_blocks)
{
    return (size_t)n_blocks * KV_PAGE + LINE_FLOATS;
}

/* Scores of one tile: what the tile's size is cut to, unless one row alone needs more. */
static size_t score_floats(const struct model_config *c, uint32_t max_positions)
{
    size_t stride = score_stride(kv_pages_for(max_positions));
    size_t one = stride * (group_size(c) < TILE_QUERIES ? group_size(c) : TILE_QUERIES);
    size_t tile = stride * TILE_QUERIES < TILE_SCORES ? stride * TILE_QUERIES : TILE_SCORES;
    return one > tile ? one : tile;
}

static size_t whole_lines(size_t floats)
{
    return (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

/* Beside the scores: a block in two forms, the tile's queries and outputs. */
size_t attention_scratch(const struct model_config *c, uint32_t max_positions)
{
    size_t rows = 2 * KV_PAGE + 2 * TILE_QUERIES;
    return whole_lines(score_floats(c, max_positions)) + rows * whole_lines(c->head_dim);
}

/* ---- the plan ---- */

/* By pages, then by position. */
static int compare_rows(const void *pa, const void *pb)
{
    const struct attention_row *a = pa, *b = pb;
    uint32_t least = a->pos < b->pos ? a->pos : b->pos;
    for (uint32_t i = 0; a->seq != b->seq && i <= least / KV_PAGE; i++)
        if (a->seq->pages[i] != b->seq->pages[i])
            return a->seq->pages[i] < b->seq->pages[i] ? -1 : 1;
    if (a->pos != b->pos)
        return a->pos < b->pos ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_tiles(const void *pa, const void *pb)
{
    const struct attention_tile *a = pa, *b = pb;
    if (a->positions != b->positions)
        return a->positions > b->positions ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* Sorted rows from `first` on that share their first page. */
static uint32_t count_sharers(const struct attention_row *rows, uint32_t n)
{
    uint32_t i = 1;
    while (i < n && rows[i].seq->pages[0] == rows[0].seq->pages[0])
        i++;
    return i;
}

/* Cuts rows first .. first + n - 1 into tiles of nearly the same size, as many rows as `most` and
 * the scores' memory allow. */
static void cut_tiles(struct attention_plan *p, uint32_t group, size_t floats, uint32_t first,
                      uint32_t n, uint32_t most)
{
    uint32_t pieces = (n + most - 1) / most, cap = (n + pieces - 1) / pieces, last = 0;
    struct attention_tile *tile = NULL;
    for (uint32_t i = first; i < first + n; i++) {
        uint32_t pos = p->rows[i].pos;
        last = pos > last ? pos : last;
        size_t stride = score_stride(kv_pages_for(last + 1));
        if (tile == NULL || tile->n_rows == cap || stride * group * (tile->n_rows + 1) > floats) {
            tile = &p->tiles[p->n_tiles++];
            *tile = (struct attention_tile){.first = i};
            last = pos;
        }
        tile->n_rows++;
        tile->positions += pos + 1;
    }
}

void attention_plan(struct attention_plan *p, const struct model_config *c, uint32_t max_positions,
                    uint32_t n, uint32_t n_threads)
{
    uint32_t group = group_size(c), wanted = n_threads > 1 ? n_threads * TILES_PER_THREAD : 1;
    uint32_t most = TILE_QUERIES / group, share = (n * c->n_kv_heads + wanted - 1) / wanted;
    size_t floats = score_floats(c, max_positions);
    most = most < share ? most : share;
    most = most ? most : 1;
    qsort(p->rows, n, sizeof *p->rows, compare_rows);
    p->n_tiles = 0;
    for (uint32_t i = 0, sharers; i < n; i += sharers) {
        sharers = count_sharers(p->rows + i, n - i);
        cut_tiles(p, group, floats, i, sharers, most);
    }
    qsort(p->tiles, p->n_tiles, sizeof *p->tiles, compare_tiles); /* the longest first */
    uint32_t parts = (n_threads - 1) / (p->n_tiles * c->n_kv_heads) + 1;
    uint32_t least = (group + TILE_QUERIES - 1) / TILE_QUERIES, limit = group / PART_MIN;
    parts = parts < limit ? parts : limit;
    p->n_parts = parts > least ? parts : least;
}

uint32_t attention_tasks(const struct attention_plan *p, const struct model_config *c)
{
    return p->n_tiles * p->n_parts * c->n_kv_heads;
}

/* ---- one tile ---- */

struct tile {
    const struct attention *a;
    const struct attention_row *rows;
    uint32_t n_rows, kv_head;
    uint32_t n_heads, head_dim; /* query i belongs to row i / n_heads */
    uint32_t first_block, end_block;
    size_t stride;  /* of scores, which begin at first_block */
    float *q, *out; /* [queries][head_dim] */
    float *scores;
    float *floats, *columns; /* a block, widened; the same as columns, or one query's sum */
};

/* Rows row .. row + n_rows - 1 of the tile hold one page at this block. */
struct run {
    uint32_t block, row, n_rows;
};

static uint32_t first_position(const struct tile *t, uint32_t row)
{
    uint32_t pos = t->rows[row].pos;
    return pos < t->a->window ? 0 : pos - t->a->window + 1;
}

static bool sees(const struct tile *t, uint32_t row, uint32_t block)
{
    return block <= t->rows[row].pos / KV_PAGE && block >= first_position(t, row) / KV_PAGE;
}

/* The run after *r, which begins with n_rows = 0. False after the last one. */
static bool next_run(const struct tile *t, struct run *r)
{
    uint32_t row = r->row + r->n_rows;
    for (uint32_t block = r->block; block < t->end_block; block++, row = 0)
        for (; row < t->n_rows; row++) {
            if (!sees(t, row, block))
                continue;
            uint32_t page = t->rows[row].seq->pages[block], n = 1;
            while (row + n < t->n_rows && sees(t, row + n, block) &&
                   t->rows[row + n].seq->pages[block] == page)
                n++;
            *r = (struct run){block, row, n};
            return true;
        }
    return false;
}

static const void *run_block(const struct tile *t, const struct run *r, bool is_v)
{
    return kv_block(t->a->kv, t->rows[r->row].seq->pages[r->block], t->a->layer, is_v, t->kv_head);
}

static uint32_t row_count(const struct tile *t, uint32_t row, uint32_t block)
{
    uint32_t n = t->rows[row].pos + 1 - block * KV_PAGE;
    return n < KV_PAGE ? n : KV_PAGE;
}

/* What the run's rows see of the block. */
static const float *block_floats(const struct tile *t, const struct run *r, const void *block)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < r->n_rows; i++) {
        uint32_t n = row_count(t, r->row + i, r->block);
        most = n > most ? n : most;
    }
    return kv_block_floats(t->a->kv, t->a->kn, block, most, t->floats);
}

static float *run_scores(const struct tile *t, const struct run *r)
{
    return t->scores + (size_t)r->row * t->n_heads * t->stride +
           (size_t)(r->block - t->first_block) * KV_PAGE;
}

/* Positions before a row's window get no weight: their exponential is +0. */
static void hide_before_window(const struct tile *t, const struct run *r, float *scores)
{
    for (uint32_t i = 0; i < r->n_rows * t->n_heads; i++, scores += t->stride) {
        uint32_t from = r->block * KV_PAGE, first = first_position(t, r->row + i / t->n_heads);
        for (uint32_t j = 0; from + j < first; j++)
            scores[j] = -INFINITY;
    }
}

/* Pages lie scattered: no stream of lines tells the processor what comes next. */
static void prefetch(const struct tile *t, const char *block)
{
    size_t bytes = kv_block_bytes(t->a->kv);
    for (size_t i = 0; block && i < bytes; i += LINE_FLOATS * sizeof(float))
        __builtin_prefetch(block + i, 0, 2);
}

/* What a run does with its block; `next` is the one that will be read after it, or NULL: to be
 * fetched when this one has been read, so that it comes while the processor multiplies. */
typedef void run_fn(const struct tile *t, const struct run *r, const void *block, const void *next);

static void score_run(const struct tile *t, const struct run *r, const void *k, const void *next)
{
    const struct kernels *kn = t->a->kn;
    const float *q = t->q + (size_t)r->row * t->n_heads * t->head_dim;
    uint32_t n_queries = r->n_rows * t->n_heads;
    float *scores = run_scores(t, r), scale = 1.0f / sqrtf((float)t->head_dim);
    bool is_half = kv_pool_type(t->a->kv) == KV_F16;
    const float *floats = is_half ? NULL : block_floats(t, r, k);
    if (n_queries >= RUN_MIN) {
        if (is_half)
            kn->columns_f16(k, t->head_dim, t->columns);
        else
            kn->columns_f32(floats, t->head_dim, t->columns);
        prefetch(t, next);
        kn->dots_tile(q, n_queries, t->columns, t->head_dim, scale, scores, t->stride);
    } else {
        prefetch(t, next);
        for (uint32_t i = 0; i < n_queries; i++, q += t->head_dim) {
            uint32_t n = row_count(t, r->row + i / t->n_heads, r->block);
            if (is_half)
                kn->dots_f16(q, k, n, t->head_dim, scores + i * t->stride);
            else
                kn->dots_f32(q, floats, n, t->head_dim, scores + i * t->stride);
            kn->scale(scores + i * t->stride, scale, n);
        }
    }
    hide_before_window(t, r, scores);
}

/* Values of a run of few queries, halves as they lie; the columns' place takes a query's sum. */
static void add_few(const struct tile *t, const struct run *r, const void *v)
{
    const struct kernels *kn = t->a->kn;
    float *out = t->out + (size_t)r->row * t->n_heads * t->head_dim;
    const float *p = run_scores(t, r);
    bool is_half = kv_pool_type(t->a->kv) == KV_F16;
    const float *floats = is_half ? NULL : block_floats(t, r, v);
    for (uint32_t i = 0; i < r->n_rows * t->n_heads; i++, p += t->stride, out += t->head_dim) {
        uint32_t n = row_count(t, r->row + i / t->n_heads, r->block);
        if (is_half)
            kn->sums_f16(p, v, n, t->head_dim, t->columns);
        else
            kn->sums_f32(p, floats, n, t->head_dim, t->columns);
        kn->add(out, t->columns, t->head_dim);
    }
}

static void add_run(const struct tile *t, const struct run *r, const void *v, const void *next)
{
    uint32_t counts[TILE_QUERIES], n_queries = r->n_rows * t->n_heads;
    if (n_queries < RUN_MIN) {
        prefetch(t, next);
        add_few(t, r, v);
        return;
    }
    for (uint32_t i = 0; i < n_queries; i++)
        counts[i] = row_count(t, r->row + i / t->n_heads, r->block);
    const float *values = block_floats(t, r, v);
    prefetch(t, next);
    t->a->kn->sums_tile(run_scores(t, r), t->stride, counts, n_queries, values, t->head_dim,
                        t->out + (size_t)r->row * t->n_heads * t->head_dim);
}

/* fn for all runs, one after another; `after` is read when they are done. */
static void for_runs(const struct tile *t, bool is_v, const void *after, run_fn *fn)
{
    struct run next = {.block = t->first_block}, r;
    bool is_more = next_run(t, &next);
    while (is_more) {
        r = next;
        is_more = next_run(t, &next);
        fn(t, &r, run_block(t, &r, is_v), is_more ? run_block(t, &next, is_v) : after);
    }
}

/* Scores to probabilities times their sums. */
static void softmax(const struct tile *t, float *totals)
{
    for (uint32_t i = 0; i < t->n_rows * t->n_heads; i++) {
        uint32_t row = i / t->n_heads, block = first_position(t, row) / KV_PAGE;
        uint32_t n = t->rows[row].pos + 1 - block * KV_PAGE;
        float *s = t->scores + i * t->stride + (size_t)(block - t->first_block) * KV_PAGE;
        totals[i] = t->a->kn->exp_blocks(s, t->a->kn->max(s, n), s, n);
    }
}

static void attend_tile(struct tile *t)
{
    float totals[TILE_QUERIES];
    uint32_t n_queries = t->n_rows * t->n_heads;
    struct run first = {0};
    t->first_block = UINT32_MAX;
    for (uint32_t i = 0; i < t->n_rows; i++) {
        uint32_t begin = first_position(t, i) / KV_PAGE, end = t->rows[i].pos / KV_PAGE + 1;
        t->first_block = begin < t->first_block ? begin : t->first_block;
        t->end_block = end > t->end_block ? end : t->end_block;
    }
    t->stride = score_stride(t->end_block - t->first_block);
    first.block = t->first_block;
    next_run(t, &first);
    for_runs(t, false, run_block(t, &first, true), score_run);
    softmax(t, totals);
    memset(t->out, 0, (size_t)n_queries * t->head_dim * sizeof *t->out);
    for_runs(t, true, NULL, add_run);
    for (uint32_t i = 0; i < n_queries; i++)
        t->a->kn->scale(t->out + (size_t)i * t->head_dim, 1.0f / totals[i], t->head_dim);
}

void attention_task(const struct attention *a, uint32_t task, float *scratch)
{
    const struct attention_plan *p = a->plan;
    uint32_t group = group_size(a->c), part = task % p->n_parts;
    uint32_t begin = group * part / p->n_parts, end = group * (part + 1) / p->n_parts;
    const struct attention_tile *piece = &p->tiles[task / p->n_parts % p->n_tiles];
    struct tile t = {.a = a,
                     .rows = p->rows + piece->first,
                     .n_rows = piece->n_rows,
                     .kv_head = task / p->n_parts / p->n_tiles,
                     .n_heads = end - begin,
                     .head_dim = a->c->head_dim};
    size_t line = whole_lines(t.head_dim), heads = (size_t)t.n_heads * t.head_dim;
    px_assert(t.n_rows * t.n_heads <= TILE_QUERIES);
    t.q = scratch;
    t.out = t.q + TILE_QUERIES * line;
    t.floats = t.out + TILE_QUERIES * line;
    t.columns = t.floats + KV_PAGE * line;
    t.scores = t.columns + KV_PAGE * line;
    for (uint32_t r = 0; r < t.n_rows; r++) {
        size_t at = ((size_t)t.rows[r].index * a->c->n_heads + t.kv_head * group + begin);
        memcpy(t.q + r * heads, a->q + at * t.head_dim, heads * sizeof *t.q);
    }
    attend_tile(&t);
    for (uint32_t r = 0; r < t.n_rows; r++) {
        size_t at = ((size_t)t.rows[r].index * a->c->n_heads + t.kv_head * group + begin);
        memcpy(a->out + at * t.head_dim, t.out + r * heads, heads * sizeof *t.out);
    }
}
