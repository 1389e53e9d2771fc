/* test_attention.c - attention against its definition in docs/numerics.md, written out plainly:
 * rows alone and in tiles, pages shared in all ways, windows, every table of kernels, bit by bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mem.h"
#include "worker/engine/attention.h"
#include "worker/engine/detmath_expf.h"
#include "worker/engine/kernels_impl.h"

enum { MOST_POSITIONS = 176, LAYER = 1, MOST_SEQS = 12, MOST_ROWS = 200, PAGES = 96 };

static uint32_t state = 7;

static float next_float(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)((double)(state >> 8) * 0x1p-23 - 1.0);
}

static float tree(float *lanes)
{
    for (int w = 8; w >= 1; w /= 2)
        for (int l = 0; l < w; l++)
            lanes[l] += lanes[l + w];
    return lanes[0];
}

static float value_at(const struct kv_pool *kv, const void *block, size_t i)
{
    if (kv_pool_type(kv) == KV_F16)
        return unpack_half_bits(((const uint16_t *)block)[i]);
    if (kv_pool_type(kv) == KV_F32)
        return ((const float *)block)[i];
    /* 32 rows of bytes, then a half for every 32 of them: 34 bytes for 32 values */
    uint16_t scale;
    memcpy(&scale, (const char *)block + kv_block_bytes(kv) / 34 * 32 + i / 32 * 2, 2);
    return unpack_half_bits(scale) * ((const int8_t *)block)[i];
}

static float one_dot(const struct kv_pool *kv, const float *q, const void *block, size_t at,
                     uint32_t n)
{
    float lanes[16] = {0};
    for (uint32_t i = 0; i < n; i++)
        lanes[i % 16] = fmaf(q[i], value_at(kv, block, at + i), lanes[i % 16]);
    return tree(lanes);
}

/* One query at position pos, as the page defines it, of `window` positions. */
static void define(const struct kv_pool *kv, const struct kv_seq *seq, uint32_t kv_head,
                   uint32_t pos, uint32_t window, const float *q, uint32_t n, float *out)
{
    float s[MOST_POSITIONS], m = -INFINITY, total = 0, scale = 1.0f / sqrtf((float)n);
    uint32_t first = pos < window ? 0 : pos - window + 1;
    for (uint32_t j = first; j <= pos; j++) {
        const void *k = kv_block(kv, seq->pages[j / 32], LAYER, false, kv_head);
        s[j] = one_dot(kv, q, k, (size_t)(j % 32) * n, n) * scale;
        m = s[j] > m ? s[j] : m;
    }
    memset(out, 0, n * sizeof *out);
    for (uint32_t j0 = first / 32 * 32; j0 <= pos; j0 += 32) {
        const void *v = kv_block(kv, seq->pages[j0 / 32], LAYER, true, kv_head);
        float lanes[16] = {0};
        uint32_t count = pos + 1 - j0 < 32 ? pos + 1 - j0 : 32;
        for (uint32_t j = 0; j < count; j++) {
            s[j0 + j] = j0 + j < first ? 0.0f : expf_defined(s[j0 + j] - m);
            lanes[j % 16] += s[j0 + j];
        }
        total += tree(lanes);
        for (uint32_t i = 0; i < n; i++) {
            float acc = 0;
            for (uint32_t j = 0; j < count; j++)
                acc = fmaf(s[j0 + j], value_at(kv, v, (size_t)j * n + i), acc);
            out[i] += acc;
        }
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] *= 1.0f / total;
}

/* Sequences, some with pages of others, and rows of a pass over them. */
struct hall {
    struct model_config c;
    struct kv_pool *kv;
    struct kv_seq seqs[MOST_SEQS];
    uint32_t lengths[MOST_SEQS], n_seqs;
    struct attention_row rows[MOST_ROWS];
    uint32_t n_rows, window;
    float *q, *want, *got, *scratch;
    size_t n_q;
};

static void open_hall(struct hall *h, enum kv_type type, uint32_t kv_heads, uint32_t group,
                      uint32_t head_dim)
{
    struct px_err err = {0};
    *h = (struct hall){.c = {.n_layers = 2,
                             .n_kv_heads = kv_heads,
                             .n_heads = kv_heads * group,
                             .head_dim = head_dim},
                       .window = MODEL_WINDOW_NONE};
    h->n_q = (size_t)h->c.n_heads * head_dim;
    h->kv = kv_pool_new(&h->c, type, PAGES, &err);
    assert_non_null(h->kv);
    h->q = px_xcalloc(MOST_ROWS * h->n_q, sizeof *h->q);
    h->want = px_xcalloc(MOST_ROWS * h->n_q, sizeof *h->want);
    h->got = px_xcalloc(MOST_ROWS * h->n_q, sizeof *h->got);
    /* Exactly as much as is asked for: the sanitizers see a float too many. */
    h->scratch = px_xcalloc(attention_scratch(&h->c, MOST_POSITIONS), sizeof *h->scratch);
    for (size_t i = 0; i < MOST_ROWS * h->n_q; i++)
        h->q[i] = next_float() * 2.0f;
}

static void clear_seqs(struct hall *h)
{
    for (uint32_t i = 0; i < h->n_seqs; i++)
        kv_seq_clear(h->kv, &h->seqs[i]);
    h->n_seqs = h->n_rows = 0;
}

static void close_hall(struct hall *h)
{
    clear_seqs(h);
    kv_pool_free(&h->kv);
    free(h->q);
    free(h->want);
    free(h->got);
    free(h->scratch);
}

/* A sequence that shares the first `shared` positions of another and goes on alone to `length`.
 * What follows in its new pages holds bits that are not numbers. */
static uint32_t add_seq(struct hall *h, uint32_t from, uint32_t shared, uint32_t length)
{
    uint32_t n_kv = h->c.n_kv_heads * h->c.head_dim, had;
    float *k = px_xcalloc(n_kv, sizeof *k), *v = px_xcalloc(n_kv, sizeof *v);
    struct kv_seq *s = &h->seqs[h->n_seqs];
    kv_seq_init(s);
    if (shared)
        kv_seq_fork(h->kv, &h->seqs[from], shared, s);
    had = s->n_pages;
    assert_true(kv_seq_extend(h->kv, s, shared, length));
    for (uint32_t i = had; i < s->n_pages; i++)
        memset(kv_block(h->kv, s->pages[i], 0, false, 0), 0xff,
               kv_page_bytes(&h->c, kv_pool_type(h->kv)));
    for (uint32_t pos = shared; pos < length; pos++) {
        for (uint32_t i = 0; i < n_kv; i++) {
            k[i] = next_float() * 3.0f;
            v[i] = next_float();
        }
        kv_store(h->kv, &kernels_scalar, s, LAYER, pos, k, v);
    }
    free(k);
    free(v);
    h->lengths[h->n_seqs] = length;
    return h->n_seqs++;
}

/* The rows of positions from .. to of one sequence, and what they must give. */
static void add_rows(struct hall *h, uint32_t seq, uint32_t from, uint32_t to)
{
    uint32_t n = h->c.head_dim, group = h->c.n_heads / h->c.n_kv_heads;
    for (uint32_t pos = from; pos < to && h->n_rows < MOST_ROWS; pos++) {
        size_t at = h->n_rows * h->n_q;
        h->rows[h->n_rows] = (struct attention_row){&h->seqs[seq], pos, h->n_rows};
        for (uint32_t head = 0; head < h->c.n_heads; head++)
            define(h->kv, &h->seqs[seq], head / group, pos, h->window, h->q + at + (size_t)head * n,
                   n, h->want + at + (size_t)head * n);
        h->n_rows++;
    }
}

/* Rows first .. first + n - 1 as one pass for so many threads, its last task first. */
static void pass(struct hall *h, const struct kernels *kn, uint32_t first, uint32_t n,
                 uint32_t threads)
{
    struct attention_row rows[MOST_ROWS];
    struct attention_tile tiles[MOST_ROWS];
    struct attention_plan plan = {.rows = rows, .tiles = tiles};
    struct attention a = {.c = &h->c,
                          .kn = kn,
                          .kv = h->kv,
                          .plan = &plan,
                          .layer = LAYER,
                          .window = h->window,
                          .q = h->q,
                          .out = h->got};
    memcpy(rows, h->rows + first, n * sizeof *rows);
    attention_plan(&plan, &h->c, MOST_POSITIONS, n, threads);
    for (uint32_t task = attention_tasks(&plan, &h->c); task--;)
        attention_task(&a, task, h->scratch);
}

/* All rows, at most `most` of them in one pass. */
static void check_rows(struct hall *h, const struct kernels *kn, uint32_t most, uint32_t threads)
{
    memset(h->got, 0, MOST_ROWS * h->n_q * sizeof *h->got);
    for (uint32_t i = 0; i < h->n_rows; i += most)
        pass(h, kn, i, h->n_rows - i < most ? h->n_rows - i : most, threads);
    for (size_t i = 0; i < h->n_rows * h->n_q; i++)
        if (memcmp(&h->want[i], &h->got[i], sizeof *h->got) != 0)
            fail_msg("%s, head_dim %u, row %zu, by %u, window %u, value %zu: %a, not %a", kn->isa,
                     h->c.head_dim, i / h->n_q, most, h->window, i % h->n_q, (double)h->got[i],
                     (double)h->want[i]);
}

static void check_shape(enum kv_type type, uint32_t kv_heads, uint32_t group, uint32_t head_dim)
{
    static const uint32_t ranges[][2] = {{0, 40}, {60, 67}, {96, 129}, {140, 141}};
    struct hall h;
    open_hall(&h, type, kv_heads, group, head_dim);
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        clear_seqs(&h);
        add_rows(&h, add_seq(&h, 0, 0, ranges[r][1]), ranges[r][0], ranges[r][1]);
        for (unsigned i = 0; kernels_at(i); i++)
            for (uint32_t most = 1; most <= 31; most = most * 5 + 1)
                check_rows(&h, kernels_at(i), most, 1 + most % 4);
    }
    close_hall(&h);
}

static void tiles_give_what_the_definition_says(void **arg)
{
    static const uint32_t dims[] = {8, 20, 32, 64, 96};
    (void)arg;
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (int type = KV_F32; type <= KV_Q8_0; type++) {
            if (type == KV_Q8_0 && dims[d] % 32 != 0)
                continue;
            check_shape(type, 2, 2, dims[d]);
            check_shape(type, 1, 7, dims[d]);
        }
    check_shape(KV_F16, 3, 1, 32);
    check_shape(KV_F16, 1, 3, 128);
}

/* More heads on one key than a tile has queries: they are cut. */
static void a_large_group_is_cut(void **arg)
{
    (void)arg;
    struct model_config c = {.n_kv_heads = 1, .n_heads = 150, .head_dim = 8};
    struct kv_seq seq = {0};
    struct attention_row row = {.seq = &seq};
    struct attention_tile tile;
    struct attention_plan plan = {.rows = &row, .tiles = &tile};
    attention_plan(&plan, &c, MOST_POSITIONS, 1, 1);
    assert_in_range(attention_tasks(&plan, &c), 3, 50);
    check_shape(KV_F16, 1, 150, 8);
}

static uint32_t random_below(uint32_t n)
{
    next_float();
    return (state >> 8) % n;
}

/* Prompts, their questions and samples: a random tree of sequences, then rows anywhere in it, the
 * last position (a decode step) or several (a chunk). */
static void grow(struct hall *h)
{
    clear_seqs(h);
    uint32_t n = 1 + random_below(MOST_SEQS - 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = i ? random_below(i) : 0, shared = 0;
        if (i && random_below(5))
            shared = 1 + random_below(h->lengths[from]);
        uint32_t room = MOST_POSITIONS - shared;
        add_seq(h, from, shared, shared + (room > 1 ? 1 + random_below(room - 1) : room));
    }
    for (uint32_t i = 0; i < h->n_seqs; i++) {
        uint32_t length = h->lengths[i], chunk = random_below(2) ? 1 : 1 + random_below(24);
        add_rows(h, i, chunk < length ? length - chunk : 0, length);
    }
    for (uint32_t i = h->n_rows; i > 1; i--) { /* in any order */
        uint32_t j = random_below(i);
        struct attention_row t = h->rows[i - 1];
        h->rows[i - 1] = h->rows[j];
        h->rows[j] = t;
    }
}

static void sharing_does_not_show(void **arg)
{
    static const uint32_t windows[] = {MODEL_WINDOW_NONE, MODEL_WINDOW_NONE, 1, 31, 32, 70};
    static const uint32_t groups[] = {7, 1, 2, 3, 5};
    (void)arg;
    for (uint32_t round = 0; round < 30; round++) {
        struct hall h;
        enum kv_type type = round % 4 == 1 ? KV_F32 + round / 4 % 2 : KV_F32 + round % 3;
        open_hall(&h, type, 1 + round % 2, groups[round % 5], round % 4 == 1 ? 20 : 32);
        h.window = windows[round % 6];
        grow(&h);
        for (unsigned i = 0; kernels_at(i); i++) {
            check_rows(&h, kernels_at(i), MOST_ROWS, 1 + random_below(4));
            check_rows(&h, kernels_at(i), 1 + random_below(40), 1 + random_below(20));
        }
        close_hall(&h);
    }
}

/* What the plan is for: rows of different units over one head are one tile, as many as go in. */
static void sharers_meet(void **arg)
{
    (void)arg;
    struct hall h;
    struct attention_tile tiles[MOST_ROWS];
    struct attention_plan plan = {.rows = h.rows, .tiles = tiles};
    open_hall(&h, KV_F16, 2, 7, 8);
    uint32_t heads[] = {add_seq(&h, 0, 0, 64), add_seq(&h, 0, 0, 64)};
    for (uint32_t i = 0; i < 10; i++) /* of either head in turn */
        add_rows(&h, add_seq(&h, heads[i % 2], 64, 70), 69, 70);
    attention_plan(&plan, &h.c, MOST_POSITIONS, 10, 1);
    assert_int_equal(plan.n_tiles, 2);
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(h.rows[i].seq->pages[0], h.seqs[heads[i / 5]].pages[0]);
    attention_plan(&plan, &h.c, MOST_POSITIONS, 10, 2);
    assert_in_range(attention_tasks(&plan, &h.c), 4, 20);
    attention_plan(&plan, &h.c, MOST_POSITIONS, 1, 4); /* nothing but query heads to cut */
    assert_int_equal(attention_tasks(&plan, &h.c), 4);
    close_hall(&h);
}

/* Memory for scores is bounded: far into a long context tiles become smaller, down to one row. */
static void tiles_shrink_with_the_context(void **arg)
{
    (void)arg;
    const struct model_config c = {.n_kv_heads = 2, .n_heads = 8, .head_dim = 64};
    const uint32_t context = 1 << 20;
    uint32_t before = MOST_ROWS;
    uint32_t *pages = px_xcalloc(kv_pages_for(context), sizeof *pages);
    struct kv_seq seq = {.pages = pages, .n_pages = kv_pages_for(context)};
    struct attention_row rows[16];
    struct attention_tile tiles[16];
    struct attention_plan plan = {.rows = rows, .tiles = tiles};
    for (uint32_t pos = 0; pos < context; pos = pos * 2 + 16) {
        for (uint32_t i = 0; i < 16; i++)
            rows[i] = (struct attention_row){&seq, pos + i, i};
        attention_plan(&plan, &c, context, 16, 1);
        assert_in_range(tiles[0].n_rows, 1, before);
        before = tiles[0].n_rows;
    }
    assert_int_equal(before, 1);
    /* The scores of one row's group, and little more. */
    assert_true(attention_scratch(&c, context) < (size_t)context * 4 + 16384);
    free(pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_give_what_the_definition_says),
        cmocka_unit_test(a_large_group_is_cut),
        cmocka_unit_test(sharing_does_not_show),
        cmocka_unit_test(sharers_meet),
        cmocka_unit_test(tiles_shrink_with_the_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
