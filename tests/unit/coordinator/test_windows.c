/* test_windows.c - long texts in windows: lm-evaluation-harness's to the token, llama.cpp's chunks;
 * every token once, whatever the lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "coordinator/plan/windows.h"
#include "proto/mem.h"

/* Windows as (context) (scored) of tokens 0, 1 ... behind the prefix 100: context, -1, scored, -2
 */
static void writes(size_t n, uint32_t length, const int *want)
{
    uint32_t count;
    PX_FREE struct window *w = windows_rolling(n, length, &count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t own = w[i].head == WINDOW_PREFIXED;
        if (own)
            assert_int_equal(*want++, 100);
        for (uint32_t k = own; k < w[i].n_context; k++)
            assert_int_equal(*want++, w[i].from + k - own);
        assert_int_equal(*want++, -1);
        for (uint32_t k = 0; k < w[i].n_scored; k++)
            assert_int_equal(*want++, w[i].from + w[i].n_context - own + k);
        assert_int_equal(*want++, -2);
    }
    assert_int_equal(*want, -3);
}

static void rolling_windows_are_lm_evals(void **state)
{
    (void)state;
    writes(10, 4,
           (int[]){100, -1, 0, 1, 2, 3, -2, 3, -1, 4, 5, 6, 7, -2, 5, 6, 7, -1, 8, 9, -2, -3});
    writes(5, 4, (int[]){100, -1, 0, 1, 2, 3, -2, 0, 1, 2, 3, -1, 4, -2, -3});
    writes(9, 4,
           (int[]){100, -1, 0, 1, 2, 3, -2, 3, -1, 4, 5, 6, 7, -2, 4, 5, 6, 7, -1, 8, -2, -3});
    writes(3, 4, (int[]){100, -1, 0, 1, 2, -2, -3});
    writes(4, 4, (int[]){100, -1, 0, 1, 2, 3, -2, -3});
    writes(2, 1, (int[]){100, -1, 0, -2, 0, -1, 1, -2, -3});
    writes(0, 4, (int[]){-3});
}

static void every_token_is_scored_once_and_inputs_fit(void **state)
{
    (void)state;
    for (size_t n = 1; n < 70; n++)
        for (uint32_t length = 1; length < 20; length++) {
            uint32_t count;
            size_t next = 0;
            PX_FREE struct window *w = windows_rolling(n, length, &count);
            for (uint32_t i = 0; i < count; i++) {
                uint32_t own = w[i].head == WINDOW_PREFIXED;
                assert_int_equal(w[i].from + w[i].n_context - own, next);
                assert_true(w[i].n_context >= 1);
                assert_true(w[i].n_context + w[i].n_scored - 1 <= length);
                next += w[i].n_scored;
            }
            assert_int_equal(next, n);
        }
}

static void chunks_score_their_second_half(void **state)
{
    (void)state;
    uint32_t count;
    PX_FREE struct window *w = windows_llamacpp(1100, 512, &count);
    assert_int_equal(count, 2);
    assert_int_equal(w[1].from, 512);
    assert_int_equal(w[1].n_context, 257);
    assert_int_equal(w[1].n_scored, 255);
    assert_int_equal(w[1].head, WINDOW_OVERWRITTEN);
    assert_null(windows_llamacpp(511, 512, &count));
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rolling_windows_are_lm_evals),
        cmocka_unit_test(every_token_is_scored_once_and_inputs_fit),
        cmocka_unit_test(chunks_score_their_second_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
