/* test_draft.c - what the scheduler decides with: guesses, what rows cost, who begins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/engine/admission.h"
#include "worker/engine/draft.h"
#include "worker/engine/pace.h"

/* ---- guesses ---- */

static uint32_t prompt[] = {1, 2, 3, 4, 9, 2, 3, 5}, output[] = {7, 1, 2, 3};

static struct draft_text text(uint32_t n_output)
{
    return (struct draft_text){prompt, output, sizeof prompt / sizeof *prompt, n_output};
}

static void the_longest_match_wins_then_the_latest(void **state)
{
    struct draft_text all = text(4), without = text(0), two = {prompt, output, 3, 0};
    uint32_t at = 99;
    (void)state;
    assert_int_equal(draft_find(&all, 2, &at), 3); /* 1 2 3, not the later 2 3 */
    assert_int_equal(at, 3);
    assert_int_equal(draft_find(&all, 4, &at), 0);
    assert_int_equal(draft_find(&without, 1, &at), 0); /* no 5 before */
    assert_int_equal(draft_find(&two, 1, &at), 0);
    uint32_t same[] = {4, 4, 4, 8, 4, 4};
    struct draft_text loop = {same, NULL, 6, 0};
    assert_int_equal(draft_find(&loop, 2, &at), 2);
    assert_int_equal(at, 3); /* after 4 4 at 1 and 2, later than that at 0 and 1 */
    struct draft_text none = {prompt, output, 0, 0};
    assert_int_equal(draft_find(&none, 1, &at), 0);
}

static void a_match_may_cross_into_the_output(void **state)
{
    uint32_t head[] = {5, 6}, rest[] = {7, 8, 6, 7};
    struct draft_text t = {head, rest, 2, 4};
    uint32_t at;
    (void)state;
    assert_int_equal(draft_find(&t, 2, &at), 2);
    assert_int_equal(at, 3);
}

static void guesses_continue_with_themselves(void **state)
{
    struct draft_text all = text(4);
    uint32_t out[6], want[] = {1, 2, 3, 1, 2, 3};
    (void)state;
    draft_copy(&all, 3, 2, out);
    assert_int_equal(out[0], 4);
    assert_int_equal(out[1], 9);
    draft_copy(&all, 9, 6, out); /* 1 2 3 up to the end, then again */
    assert_memory_equal(out, want, sizeof want);
}

static void chances_follow_what_was_seen(void **state)
{
    struct draft_record r = {0};
    double fresh = draft_chance(&r, 3);
    (void)state;
    assert_true(draft_chance(&r, 8) > fresh && fresh > draft_chance(&r, 2));
    for (int i = 0; i < 20; i++)
        draft_judge(&r, 4, 4);
    assert_true(draft_chance(&r, 2) > 0.9);
    for (int i = 0; i < 40; i++)
        draft_judge(&r, 4, 0);
    double low = draft_chance(&r, 3);
    assert_true(low < 0.2);
    for (int i = 0; i < 1000; i++)
        draft_pass_by(&r);
    assert_true(fabs(draft_chance(&r, 3) - fresh) < 0.01);
}

/* ---- what rows cost ---- */

static void prices_follow_the_machine(void **state)
{
    struct pace p = {0};
    (void)state;
    double before = pace_price(&p, 1);
    assert_true(before > 0 && before < 0.2); /* worth a try */
    assert_true(pace_price(&p, 64) > 0.5);
    for (uint32_t i = 0; i < 60; i++)
        pace_decode(&p, 1 + i % 8, 25000 + 1000 * (double)(1 + i % 8));
    assert_true(fabs(pace_price(&p, 1) - 1.0 / 26) < 0.01);
    assert_true(fabs(pace_price(&p, 25) - 0.5) < 0.05);
    for (uint32_t i = 0; i < 300; i++) /* rows have their full price now */
        pace_decode(&p, 1 + i % 8, 1000 * (double)(1 + i % 8));
    assert_true(pace_price(&p, 1) > 0.5);
}

static void a_pass_is_as_long_as_asked_for(void **state)
{
    struct pace p = {0};
    (void)state;
    assert_int_equal(pace_rows(&p, 250000), 64);
    for (uint32_t i = 0; i < 60; i++)
        pace_pass(&p, 1, 25000);
    assert_true(fabs(pace_fixed_us(&p) - 25000) < 2000);
    uint32_t n = pace_rows(&p, 250000);
    assert_true(n > 100 && n <= 160);
    pace_pass(&p, n, 1000 * (double)n);
    assert_int_equal(pace_rows(&p, 250000), 250);
    for (int i = 0; i < 40; i++)
        pace_pass(&p, 1, 10000000); /* a scalar machine: one row at least */
    struct pace slow = {0};
    pace_pass(&slow, 1, 10000000);
    assert_int_equal(pace_rows(&slow, 250000), 1);
    /* One hiccup does not end big passes for good. */
    for (int i = 0; i < 60; i++)
        pace_pass(&p, 8, 33000);
    pace_pass(&p, 200, 60e6);
    assert_true(pace_rows(&p, 250000) > 64);
}

/* ---- who begins ---- */

static void check_order(struct candidate *c, uint32_t n, const uint64_t *orders)
{
    admission_sort(c, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(c[i].order, orders[i]);
}

static void heads_meet_then_the_longest_begins(void **state)
{
    struct candidate c[] = {{.order = 1, .work = 10},
                            {.order = 2, .work = 30},
                            {.order = 3, .work = 5, .shared = 2},
                            {.order = 4, .work = 30},
                            {.order = 5, .work = 90, .shared = 1}};
    (void)state;
    check_order(c, 5, (uint64_t[]){3, 5, 2, 4, 1});
}

static void nobody_is_overtaken_for_ever(void **state)
{
    struct candidate c[] = {{.order = 1, .work = 10, .overtaken = OVERTAKEN_MOST - 1},
                            {.order = 2, .work = 1, .overtaken = OVERTAKEN_MOST},
                            {.order = 3, .work = 5, .shared = 9, .overtaken = OVERTAKEN_MOST + 1}};
    (void)state;
    assert_true(admission_may_pass(&c[0]));
    assert_false(admission_may_pass(&c[1]));
    check_order(c, 3, (uint64_t[]){2, 3, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_match_wins_then_the_latest),
        cmocka_unit_test(a_match_may_cross_into_the_output),
        cmocka_unit_test(guesses_continue_with_themselves),
        cmocka_unit_test(chances_follow_what_was_seen),
        cmocka_unit_test(prices_follow_the_machine),
        cmocka_unit_test(a_pass_is_as_long_as_asked_for),
        cmocka_unit_test(heads_meet_then_the_longest_begins),
        cmocka_unit_test(nobody_is_overtaken_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
