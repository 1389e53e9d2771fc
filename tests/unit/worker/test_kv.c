/* test_kv.c - pages: shared, copied before writing, counted to the last; subsets of layer reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/engine/kv.h"
#include "worker/engine/reuse.h"

static const struct model_config shape = {
    .n_layers = 2, .n_kv_heads = 2, .head_dim = 4, .n_embd = 8, .n_heads = 4};

static const struct kernels *kn(void)
{
    return kernels_choose("scalar", NULL);
}

static void write_pos(struct kv_pool *p, const struct kv_seq *s, uint32_t pos, float base)
{
    float k[8], v[8];
    for (int i = 0; i < 8; i++) {
        k[i] = base + (float)i;
        v[i] = -base - (float)i;
    }
    for (uint32_t layer = 0; layer < 2; layer++)
        kv_store(p, kn(), s, layer, pos, k, v);
}

static float read_pos(struct kv_pool *p, const struct kv_seq *s, uint32_t pos)
{
    const float *k = kv_block(p, s->pages[pos / KV_PAGE], 1, false, 1);
    const float *v = kv_block(p, s->pages[pos / KV_PAGE], 1, true, 1);
    assert_true(k[pos % KV_PAGE * 4] == -v[pos % KV_PAGE * 4]);
    return k[pos % KV_PAGE * 4] - 4;
}

static void a_shared_partial_page_is_copied_before_writing(void **state)
{
    struct px_err err = {0};
    struct kv_pool *p = kv_pool_new(&shape, KV_F32, 8, &err);
    struct kv_seq a, b;
    (void)state;
    kv_seq_init(&a);
    kv_seq_init(&b);
    assert_true(kv_seq_extend(p, &a, 0, 40));
    for (uint32_t i = 0; i < 40; i++)
        write_pos(p, &a, i, (float)i);
    kv_seq_fork(p, &a, 40, &b);
    assert_int_equal(kv_pool_used(p), 2);
    assert_true(kv_seq_extend(p, &b, 40, 41));
    assert_int_equal(kv_pool_used(p), 3);
    write_pos(p, &b, 40, 1000);
    assert_true(kv_seq_extend(p, &a, 40, 41));
    write_pos(p, &a, 40, 2000);
    assert_int_equal(kv_pool_used(p), 3); /* a's page is its own again */
    assert_true(read_pos(p, &b, 40) == 1000 && read_pos(p, &a, 40) == 2000);
    assert_true(read_pos(p, &b, 39) == 39 && read_pos(p, &b, 5) == 5);
    assert_int_equal(a.pages[0], b.pages[0]);
    kv_seq_clear(p, &a);
    assert_true(read_pos(p, &b, 39) == 39); /* still there for b */
    kv_seq_clear(p, &b);
    assert_int_equal(kv_pool_used(p), 0);
    kv_pool_free(&p);
}

static void an_exhausted_pool_leaves_the_sequence_as_it_was(void **state)
{
    struct px_err err = {0};
    struct kv_pool *p = kv_pool_new(&shape, KV_F16, 3, &err);
    struct kv_seq s, other;
    (void)state;
    kv_seq_init(&s);
    kv_seq_init(&other);
    assert_true(kv_seq_extend(p, &s, 0, 2 * KV_PAGE));
    assert_false(kv_seq_extend(p, &s, 2 * KV_PAGE, 4 * KV_PAGE));
    assert_int_equal(s.n_pages, 2);
    assert_int_equal(kv_pool_used(p), 2);
    assert_true(kv_seq_extend(p, &s, 2 * KV_PAGE, 3 * KV_PAGE));
    kv_seq_fork(p, &s, KV_PAGE + 1, &other);
    assert_false(kv_seq_extend(p, &other, KV_PAGE + 1, KV_PAGE + 2)); /* no page for the copy */
    kv_seq_clear(p, &other);
    kv_seq_clear(p, &s);
    assert_int_equal(kv_pool_used(p), 0);
    kv_pool_free(&p);
}

static void half_precision_is_read_back(void **state)
{
    struct px_err err = {0};
    struct kv_pool *p = kv_pool_new(&shape, KV_F16, 1, &err);
    struct kv_seq s;
    float k[8] = {1, 0.1f, 65504, -2.5f}, v[8] = {0};
    (void)state;
    kv_seq_init(&s);
    assert_true(kv_seq_extend(p, &s, 0, 1));
    kv_store(p, kn(), &s, 0, 0, k, v);
    const uint16_t *h = kv_block(p, s.pages[0], 0, false, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(h[i], f32_to_f16(k[i]));
    kv_seq_clear(p, &s);
    kv_pool_free(&p);
}

/* 32 rows of 64 bytes, then two halves a row; a page has one block of keys and one of values. */
static void bytes_and_scales_are_read_back(void **state)
{
    const struct model_config two = {.n_layers = 1, .n_kv_heads = 1, .head_dim = 64};
    struct px_err err = {0};
    struct kv_pool *p = kv_pool_new(&two, KV_Q8_0, 1, &err);
    struct kv_seq s;
    float k[64], v[64] = {0}, got[2 * 64];
    (void)state;
    assert_int_equal(kv_page_bytes(&two, KV_Q8_0), 2 * 32 * (64 + 4));
    assert_int_equal(kv_block_bytes(p), 32 * (64 + 4));
    kv_seq_init(&s);
    assert_true(kv_seq_extend(p, &s, 0, 2));
    for (int i = 0; i < 64; i++)
        k[i] = (float)(i < 32 ? i - 31 : (i - 63) * 4);
    k[0] = 127;
    k[32] = -254;
    kv_store(p, kn(), &s, 0, 0, v, v);
    kv_store(p, kn(), &s, 0, 1, k, v);
    const char *block = kv_block(p, s.pages[0], 0, false, 0);
    const float *rows = kv_block_floats(p, kn(), block, 2, got);
    assert_ptr_equal(rows, got);
    for (int i = 0; i < 64; i++)
        assert_true(rows[i] == 0 && rows[64 + i] == k[i]);
    uint16_t scales[4];
    memcpy(scales, block + 32 * 64, sizeof scales);
    assert_true(scales[0] == 0 && scales[1] == 0);
    assert_true(f16_to_f32(scales[2]) == 1 && f16_to_f32(scales[3]) == 2);
    kv_seq_clear(p, &s);
    kv_pool_free(&p);
}

static void heads_that_are_no_whole_blocks_are_refused(void **state)
{
    const struct model_config odd = {.n_layers = 1, .n_kv_heads = 1, .head_dim = 80};
    struct px_err err = {0};
    (void)state;
    assert_null(kv_pool_new(&odd, KV_Q8_0, 1, &err));
    assert_non_null(strstr(err.text, "heads have 80 dimensions, not a multiple; use f16"));
    assert_null(kv_pool_new(&odd, 77, 1, &err));
    assert_non_null(strstr(err.text, "kv type 77"));
}

static void a_pool_beyond_memory_is_an_error(void **state)
{
    struct px_err err = {0};
    struct model_config huge = {.n_layers = 4096, .n_kv_heads = 1024, .head_dim = 4096};
    (void)state;
    assert_null(kv_pool_new(&huge, KV_F32, UINT32_MAX, &err));
    assert_true(err.text[0] != '\0');
}

static void assert_subset(const char *name, uint32_t size, uint32_t n, uint32_t from,
                          uint32_t count)
{
    struct px_err err = {0};
    uint32_t *layers, got;
    assert_int_equal(reuse_subset(name, size, n, &layers, &got, &err), 0);
    assert_int_equal(got, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(layers[i], from + i);
    free(layers);
}

static void subsets_are_where_their_names_say(void **state)
{
    struct px_err err = {0};
    uint32_t *layers, n;
    (void)state;
    assert_subset("first", 12, 28, 1, 12);
    assert_subset("middle", 12, 28, 8, 12);
    assert_subset("last", 12, 28, 16, 12);
    assert_subset("first", 2, 8, 1, 2);
    assert_subset("middle", 2, 8, 3, 2);
    assert_subset("last", 2, 8, 6, 2);
    assert_subset("first", 12, 8, 1, 7); /* clamped to n - 1, layer 0 never in first */
    assert_subset("last", 12, 8, 1, 7);
    assert_subset("middle", 12, 8, 1, 7);
    assert_int_equal(reuse_subset("centre", 2, 8, &layers, &n, &err), -1);
    assert_non_null(strstr(err.text, "middle"));
    assert_int_equal(reuse_subset("first", 2, 1, &layers, &n, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shared_partial_page_is_copied_before_writing),
        cmocka_unit_test(an_exhausted_pool_leaves_the_sequence_as_it_was),
        cmocka_unit_test(half_precision_is_read_back),
        cmocka_unit_test(bytes_and_scales_are_read_back),
        cmocka_unit_test(heads_that_are_no_whole_blocks_are_refused),
        cmocka_unit_test(a_pool_beyond_memory_is_an_error),
        cmocka_unit_test(subsets_are_where_their_names_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
