/* test_attention.c - attention against its definition in docs/numerics.md, written out plainly:
 * rows alone and in tiles, every table of kernels, bit by bit. */
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

enum { MOST_POSITIONS = 176, LAYER = 1 };

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
    return kv_pool_type(kv) == KV_F16 ? unpack_half_bits(((const uint16_t *)block)[i])
                                      : ((const float *)block)[i];
}

static float one_dot(const struct kv_pool *kv, const float *q, const void *block, size_t at,
                     uint32_t n)
{
    float lanes[16] = {0};
    for (uint32_t i = 0; i < n; i++)
        lanes[i % 16] = fmaf(q[i], value_at(kv, block, at + i), lanes[i % 16]);
    return tree(lanes);
}

/* One query at position pos, as the page defines it. */
static void define(const struct kv_pool *kv, const struct kv_seq *seq, uint32_t kv_head,
                   uint32_t pos, const float *q, uint32_t n, float *out)
{
    float s[MOST_POSITIONS], m = -INFINITY, total = 0, scale = 1.0f / sqrtf((float)n);
    for (uint32_t j = 0; j <= pos; j++) {
        const void *k = kv_block(kv, seq->pages[j / 32], LAYER, false, kv_head);
        s[j] = one_dot(kv, q, k, (size_t)(j % 32) * n, n) * scale;
        m = s[j] > m ? s[j] : m;
    }
    memset(out, 0, n * sizeof *out);
    for (uint32_t j0 = 0; j0 <= pos; j0 += 32) {
        const void *v = kv_block(kv, seq->pages[j0 / 32], LAYER, true, kv_head);
        float lanes[16] = {0};
        uint32_t count = pos + 1 - j0 < 32 ? pos + 1 - j0 : 32;
        for (uint32_t j = 0; j < count; j++) {
            s[j0 + j] = expf_defined(s[j0 + j] - m);
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

struct hall {
    struct model_config c;
    struct kv_pool *kv;
    struct kv_seq seq;
    float *q, *want, *got, *scratch;
    size_t n_q;
};

/* Positions below `there` hold keys and values, what follows in their pages holds bits that are not
 * numbers. */
static void fill(struct hall *h, uint32_t there)
{
    uint32_t n_kv = h->c.n_kv_heads * h->c.head_dim;
    float *k = px_xcalloc(n_kv, sizeof *k), *v = px_xcalloc(n_kv, sizeof *v);
    for (uint32_t i = 0; i < h->seq.n_pages; i++)
        memset(kv_block(h->kv, h->seq.pages[i], 0, false, 0), 0xff,
               kv_page_bytes(&h->c, kv_pool_type(h->kv)));
    for (uint32_t pos = 0; pos < there; pos++) {
        for (uint32_t i = 0; i < n_kv; i++) {
            k[i] = next_float() * 3.0f;
            v[i] = next_float();
        }
        kv_store(h->kv, &kernels_scalar, &h->seq, LAYER, pos, k, v);
    }
    free(k);
    free(v);
}

static void open_hall(struct hall *h, enum kv_type type, uint32_t kv_heads, uint32_t group,
                      uint32_t head_dim)
{
    struct px_err err = {0};
    *h = (struct hall){.c = {.n_layers = 2,
                             .n_kv_heads = kv_heads,
                             .n_heads = kv_heads * group,
                             .head_dim = head_dim}};
    h->n_q = (size_t)h->c.n_heads * head_dim;
    h->kv = kv_pool_new(&h->c, type, kv_pages_for(MOST_POSITIONS), &err);
    assert_non_null(h->kv);
    kv_seq_init(&h->seq);
    assert_true(kv_seq_extend(h->kv, &h->seq, 0, MOST_POSITIONS));
    h->q = px_xcalloc(MOST_POSITIONS * h->n_q, sizeof *h->q);
    h->want = px_xcalloc(MOST_POSITIONS * h->n_q, sizeof *h->want);
    h->got = px_xcalloc(MOST_POSITIONS * h->n_q, sizeof *h->got);
    /* Exactly as much as is asked for: the sanitizers see a float too many. */
    h->scratch = px_xcalloc(attention_scratch(&h->c, MOST_POSITIONS), sizeof *h->scratch);
    for (size_t i = 0; i < MOST_POSITIONS * h->n_q; i++)
        h->q[i] = next_float() * 2.0f;
}

static void close_hall(struct hall *h)
{
    kv_seq_clear(h->kv, &h->seq);
    kv_pool_free(&h->kv);
    free(h->q);
    free(h->want);
    free(h->got);
    free(h->scratch);
}

/* Rows from .. to, in tiles of at most `most` rows. */
static void check_rows(struct hall *h, const struct kernels *kn, uint32_t from, uint32_t to,
                       uint32_t most)
{
    memset(h->got, 0, MOST_POSITIONS * h->n_q * sizeof *h->got);
    for (uint32_t pos = from; pos < to;) {
        uint32_t n = attention_tile_rows(&h->c, MOST_POSITIONS, pos);
        n = n < most ? n : most;
        n = n < to - pos ? n : to - pos;
        for (uint32_t head = 0; head < h->c.n_kv_heads; head++)
            attention_rows(&h->c, kn, h->kv, &h->seq, LAYER, head, pos, n, h->q + pos * h->n_q,
                           h->got + pos * h->n_q, h->scratch);
        pos += n;
    }
    for (size_t i = from * h->n_q; i < to * h->n_q; i++)
        if (memcmp(&h->want[i], &h->got[i], sizeof *h->got) != 0)
            fail_msg("%s, head_dim %u, row %zu of [%u, %u) by %u, value %zu: %a, not %a", kn->isa,
                     h->c.head_dim, i / h->n_q, from, to, most, i % h->n_q, (double)h->got[i],
                     (double)h->want[i]);
}

static void check_shape(enum kv_type type, uint32_t kv_heads, uint32_t group, uint32_t head_dim)
{
    static const uint32_t ranges[][2] = {{0, 40}, {60, 67}, {96, 129}, {140, 141}};
    struct hall h;
    open_hall(&h, type, kv_heads, group, head_dim);
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        uint32_t from = ranges[r][0], to = ranges[r][1];
        fill(&h, to);
        for (uint32_t pos = from; pos < to; pos++)
            for (uint32_t head = 0; head < h.c.n_heads; head++)
                define(h.kv, &h.seq, head / group, pos, h.q + pos * h.n_q + (size_t)head * head_dim,
                       head_dim, h.want + pos * h.n_q + (size_t)head * head_dim);
        for (unsigned i = 0; kernels_at(i); i++)
            for (uint32_t most = 1; most <= 32; most = most * 2 + 1)
                check_rows(&h, kernels_at(i), from, to, most);
    }
    close_hall(&h);
}

static void tiles_give_what_the_definition_says(void **arg)
{
    static const uint32_t dims[] = {8, 20, 32, 64, 96};
    (void)arg;
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (int type = KV_F32; type <= KV_F16; type++) {
            check_shape(type, 2, 2, dims[d]);
            check_shape(type, 1, 7, dims[d]);
        }
    check_shape(KV_F16, 3, 1, 32);
    check_shape(KV_F16, 1, 3, 128);
}

/* More heads on one key than a tile has queries: one row at a time, no tile. */
static void a_large_group_goes_row_by_row(void **arg)
{
    (void)arg;
    struct model_config c = {.n_kv_heads = 1, .n_heads = 40, .head_dim = 8};
    assert_int_equal(attention_tile_rows(&c, MOST_POSITIONS, 0), 1);
    check_shape(KV_F16, 1, 40, 8);
}

/* Memory for scores is bounded: far into a long context tiles become smaller, down to one row. */
static void tiles_shrink_with_the_context(void **arg)
{
    (void)arg;
    struct model_config c = {.n_kv_heads = 2, .n_heads = 8, .head_dim = 64};
    const uint32_t context = 1 << 20;
    uint32_t before = attention_tile_rows(&c, context, 0);
    assert_int_equal(before, 8);
    for (uint32_t pos = 1; pos < context; pos *= 2) {
        uint32_t rows = attention_tile_rows(&c, context, pos);
        assert_in_range(rows, 1, before);
        before = rows;
    }
    assert_int_equal(attention_tile_rows(&c, context, context - 1), 1);
    /* The scores of one row's group, and little more. */
    assert_true(attention_scratch(&c, context) < (size_t)context * 4 + 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_give_what_the_definition_says),
        cmocka_unit_test(a_large_group_goes_row_by_row),
        cmocka_unit_test(tiles_shrink_with_the_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
