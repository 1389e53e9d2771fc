/* test_threads.c - every task once, whatever the helpers do meanwhile; rest when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/threads.h"

enum { MOST = 500, ROUNDS = 200, STEP = 5 };

struct tally {
    _Atomic uint32_t count[MOST];
    _Atomic uint32_t bad_worker, running[8], overlaps;
    uint32_t n_threads, task_us;
};

static void tally_task(void *arg, uint32_t task, uint32_t worker)
{
    struct tally *t = arg;
    if (worker >= t->n_threads) {
        t->bad_worker++;
        return;
    }
    if (atomic_fetch_add(&t->running[worker], 1) != 0)
        t->overlaps++;
    t->count[task]++;
    for (int64_t end = t->task_us ? clk_now_us() + t->task_us : 0; end && clk_now_us() < end;)
        continue;
    atomic_fetch_sub(&t->running[worker], 1);
}

static struct tally *new_tally(const struct threads *th, uint32_t task_us)
{
    struct tally *t = px_xcalloc(1, sizeof *t);
    t->n_threads = threads_count(th);
    t->task_us = task_us;
    return t;
}

static void assert_each(struct tally *t, uint32_t i, uint32_t want)
{
    assert_int_equal(t->count[i], want);
    assert_int_equal(t->bad_worker, 0);
    assert_int_equal(t->overlaps, 0);
}

static void every_task_runs_once_whatever_the_threads(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 4; n++) {
        struct threads *th = threads_new(n);
        struct tally *t = new_tally(th, 0);
        for (uint32_t round = 0; round < ROUNDS; round++)
            threads_run(th, round * STEP % (MOST + 1), tally_task, t);
        for (uint32_t i = 0; i < MOST; i++) {
            uint32_t want = 0;
            for (uint32_t round = 0; round < ROUNDS; round++)
                want += i < round * STEP % (MOST + 1);
            assert_each(t, i, want);
        }
        free(t);
        threads_free(&th);
    }
}

/* Longer gaps than helpers spin for, and tasks longer than the caller does: everybody sleeps and
 * is woken, and helpers reach the time after which they give way. */
static void sleepers_are_woken(void **state)
{
    struct threads *th = threads_new(3);
    struct tally *t = new_tally(th, 150);
    (void)state;
    for (uint32_t round = 0; round < 60; round++) {
        threads_run(th, 5, tally_task, t);
        if (round % 3 == 0)
            clk_sleep_us(1000);
    }
    for (uint32_t i = 0; i < 5; i++)
        assert_each(t, i, 60);
    free(t);
    threads_free(&th);
}

static void one_task_runs_in_the_caller(void **state)
{
    struct threads *th = threads_new(4);
    struct tally *t = new_tally(th, 0);
    (void)state;
    t->n_threads = 1; /* other workers would count as bad */
    for (int round = 0; round < 100; round++)
        threads_run(th, 1, tally_task, t);
    threads_run(th, 0, tally_task, t);
    assert_each(t, 0, 100);
    free(t);
    threads_free(&th);
    assert_null(th);
    threads_free(&th);
}

static void a_pool_without_work_sleeps(void **state)
{
    struct threads *th = threads_new(4);
    struct tally *t = new_tally(th, 100);
    (void)state;
    threads_run(th, 16, tally_task, t);
    clk_sleep_us(100000);
    int64_t before = clk_cpu_us();
    clk_sleep_us(200000);
    assert_true(clk_cpu_us() - before < 20000);
    free(t);
    threads_free(&th);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once_whatever_the_threads),
        cmocka_unit_test(sleepers_are_woken),
        cmocka_unit_test(one_task_runs_in_the_caller),
        cmocka_unit_test(a_pool_without_work_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
