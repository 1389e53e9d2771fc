/* test_key_index.c - the index of the log against a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "coordinator/store/key_index.h"

static void the_newest_change_that_may_be_seen_is_found(void **state)
{
    (void)state;
    struct key_index *ix = key_index_new();
    assert_int_equal(key_index_find(ix, 7, UINT64_MAX, 0), 0);
    key_index_add(ix, 1, 7);
    key_index_add(ix, 2, 8);
    key_index_add(ix, 5, 7); /* 3 and 4 are nobody's */
    key_index_skip(ix, 6);
    assert_int_equal(key_index_last(ix), 6);
    assert_int_equal(key_index_find(ix, 7, UINT64_MAX, 0), 5);
    assert_int_equal(key_index_find(ix, 7, 4, 0), 1);
    assert_int_equal(key_index_find(ix, 7, UINT64_MAX, 5), 1);
    assert_int_equal(key_index_find(ix, 7, UINT64_MAX, 1), 0);
    assert_int_equal(key_index_find(ix, 8, 1, 0), 0);
    assert_int_equal(key_index_find(ix, 9, UINT64_MAX, 0), 0);
    key_index_rewind(ix, 4);
    assert_int_equal(key_index_find(ix, 7, UINT64_MAX, 0), 1);
    key_index_add(ix, 5, 8);
    assert_int_equal(key_index_find(ix, 8, UINT64_MAX, 0), 5);
    key_index_free(&ix);
    assert_null(ix);
}

static uint64_t expected(const uint64_t *list, uint64_t n, uint64_t print, uint64_t most)
{
    for (uint64_t i = n < most ? n : most; i; i--)
        if (list[i - 1] == print)
            return i;
    return 0;
}

static void random_histories_agree_with_a_list(void **state)
{
    (void)state;
    enum { STEPS = 20000, PRINTS = 3000, MOST = 30000 };
    uint64_t *list = calloc(MOST, sizeof *list), n = 0, kept = 0;
    struct key_index *ix = key_index_new();
    srand(5);
    for (int i = 0; i < STEPS; i++) {
        int what = rand() % 100;
        uint64_t print = 1 + (uint64_t)(rand() % PRINTS) * 1024; /* they share chains at first */
        if (what == 0) {
            key_index_rewind(ix, kept);
            n = kept;
        } else if (what == 1) {
            kept = n;
        } else if (what == 2) {
            list[n++] = 0;
            key_index_skip(ix, n);
        } else if (what < 60) {
            list[n++] = print;
            key_index_add(ix, n, print);
        } else {
            uint64_t most = (uint64_t)rand() % (n + 2);
            assert_int_equal(key_index_find(ix, print, most, 0), expected(list, n, print, most));
        }
        assert_int_equal(key_index_last(ix), n);
    }
    key_index_free(&ix);
    free(list);
}

static void fingerprints_know_the_database(void **state)
{
    (void)state;
    assert_true(key_fingerprint(1, "abc", 3) != key_fingerprint(2, "abc", 3));
    assert_true(key_fingerprint(1, "abc", 3) != key_fingerprint(1, "abd", 3));
    assert_true(key_fingerprint(1, "abc", 3) == key_fingerprint(1, "abcd", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_change_that_may_be_seen_is_found),
        cmocka_unit_test(random_histories_agree_with_a_list),
        cmocka_unit_test(fingerprints_know_the_database),
    };
    return cmocka_run_group_tests_name("key index", tests, NULL, NULL);
}
