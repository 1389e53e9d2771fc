/* Parts of the plan that stand alone: the digest map and the layers of a reuse subset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/digest_map.h"
#include "coordinator/plan/reuse_layers.h"
#include "proto/mem.h"

static struct px_digest key_of(uint64_t i)
{
    return px_sha256(&i, sizeof i);
}

static void what_was_put_is_found_and_what_was_removed_is_not(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct digest_map *m = digest_map_new();
    PX_FREE uint8_t *present = px_xcalloc(N, 1);
    uint64_t rng = 12345;
    size_t count = 0;
    for (int step = 0; step < 40000; step++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        uint64_t i = (rng >> 33) % N;
        struct px_digest k = key_of(i);
        if (rng >> 63) {
            count += !present[i];
            digest_map_put(m, &k, i * 3);
            present[i] = 1;
        } else {
            count -= present[i];
            digest_map_remove(m, &k);
            present[i] = 0;
        }
    }
    assert_int_equal(digest_map_size(m), count);
    for (uint64_t i = 0; i < N; i++) {
        struct px_digest k = key_of(i);
        uint64_t v = 0;
        assert_int_equal(digest_map_get(m, &k, &v), present[i]);
        if (present[i])
            assert_int_equal(v, i * 3);
    }
    digest_map_free(&m);
}

/* Keys that share their first bytes collide in one run of slots. */
static void colliding_keys_survive_removal_of_their_neighbours(void **state)
{
    (void)state;
    struct digest_map *m = digest_map_new();
    struct px_digest k[40];
    memset(k, 0, sizeof k);
    for (int i = 0; i < 40; i++) {
        k[i].b[31] = (uint8_t)i;
        digest_map_put(m, &k[i], (uint64_t)i);
    }
    for (int i = 0; i < 40; i += 2)
        digest_map_remove(m, &k[i]);
    for (int i = 0; i < 40; i++) {
        uint64_t v;
        assert_int_equal(digest_map_get(m, &k[i], &v), i % 2);
    }
    digest_map_free(&m);
}

static void check_layers(enum reuse_subset subset, uint32_t n, uint32_t size, uint32_t first,
                         uint32_t count)
{
    struct reuse_settings s = {
        .k = 2, .subset = subset, .size = size, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    struct reuse_spec r;
    assert_int_equal(reuse_layers_resolve(&s, n, &r, NULL), 0);
    assert_int_equal(r.n_layers, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(r.layers[i], first + i);
    free(r.layers);
}

static void named_subsets_have_the_published_layers(void **state)
{
    (void)state;
    check_layers(SUBSET_FIRST, 28, 12, 1, 12);
    check_layers(SUBSET_MIDDLE, 28, 12, 8, 12);
    check_layers(SUBSET_LAST, 28, 12, 16, 12);
    check_layers(SUBSET_FIRST, 9, 3, 1, 3);
    check_layers(SUBSET_MIDDLE, 9, 3, 3, 3);
    check_layers(SUBSET_LAST, 9, 3, 6, 3);
    check_layers(SUBSET_FIRST, 8, 12, 1, 7); /* clamped to n - 1, layer 0 never */
    check_layers(SUBSET_LAST, 8, 12, 1, 7);
}

static void k_of_one_and_the_empty_subset_are_off(void **state)
{
    (void)state;
    struct reuse_settings one = {.k = 1, .subset = SUBSET_FIRST, .size = 3};
    struct reuse_settings none = {.k = 3, .subset = SUBSET_LIST, .n_list = 0};
    struct reuse_spec r;
    assert_int_equal(reuse_layers_resolve(&one, 8, &r, NULL), 0);
    assert_int_equal(r.n_layers, 0);
    assert_int_equal(r.k, 1);
    assert_int_equal(reuse_layers_resolve(&none, 8, &r, NULL), 0);
    assert_int_equal(r.n_layers, 0);
    assert_true(fabs(reuse_speedup_bound(&r, 8) - 1) < 1e-12);
}

static void a_listed_layer_beyond_the_model_is_refused(void **state)
{
    (void)state;
    uint32_t list[] = {2, 8};
    struct reuse_settings s = {.k = 2,
                               .subset = SUBSET_LIST,
                               .list = list,
                               .n_list = 2,
                               .mode = REUSE_DELTA,
                               .kv = REUSE_KV_PROJECT};
    struct reuse_spec r;
    struct px_err err;
    assert_int_equal(reuse_layers_resolve(&s, 8, &r, &err), -1);
    assert_non_null(strstr(err.text, "layer 8"));
    assert_non_null(strstr(err.text, "0 to 7"));
}

static void the_speedup_bound_is_the_published_one(void **state)
{
    (void)state;
    struct reuse_spec r = {.k = 2, .n_layers = 12};
    assert_true(fabs(reuse_speedup_bound(&r, 28) - 1.2727) < 1e-3);
    r.k = 3;
    assert_true(fabs(reuse_speedup_bound(&r, 28) - 1.4) < 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_what_was_removed_is_not),
        cmocka_unit_test(colliding_keys_survive_removal_of_their_neighbours),
        cmocka_unit_test(named_subsets_have_the_published_layers),
        cmocka_unit_test(k_of_one_and_the_empty_subset_are_off),
        cmocka_unit_test(a_listed_layer_beyond_the_model_is_refused),
        cmocka_unit_test(the_speedup_bound_is_the_published_one),
    };
    return cmocka_run_group_tests_name("plan parts", tests, NULL, NULL);
}
