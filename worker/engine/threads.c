/* threads.c - the pool of threads.h.
 *
 * Theory of operation. `ticket` holds (generation << 32 | tasks left). A thread takes a task by a
 * compare-and-swap that only succeeds while the generation is the present one and tasks are left;
 * the caller opens the next generation only after every task of this one is done, so whoever took
 * a task may read fn and arg without a lock.
 *
 * Waiting. Regions come in quick succession, so a helper without work spins for some microseconds
 * before it sleeps on `bell`, and so does the caller, on `done`, at the end of a region. The caller
 * sleeps rather than yields: an idle CPU makes the kernel fetch the thread that is waited for.
 *
 * Neighbours. On a shared CPU the one thing that costs is a helper that is put aside in the middle
 * of a task. So a helper offers its CPU by itself between two tasks, before its time slice ends;
 * one that was late for having been put aside rests for a while; and one that finds itself on the
 * caller's CPU, where it only takes the caller's time, moves to another one. */
#include "worker/engine/threads.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/mem.h"

enum {
    LINE = 64,
    SPINS = 128,        /* between two looks at the clock, which may take as long as a task */
    LOOK_US = 100,      /* about so often a helper with work looks */
    MOST_SKIPS = 1024,  /* tasks between two looks */
    IDLE_SPIN_US = 200, /* longer than what the caller does alone in a pass */
    END_SPIN_US = 50,   /* longer than the tasks at a region's end */
    OFFER_US = 1000,    /* below any time slice */
    MOVE_US = 4000,     /* between two moves of a helper */
    REST_FACTOR = 4,    /* times what it was late */
    MAX_REST_US = 20000
};

struct threads {
    uint32_t n;
    bool started;
    struct helper *helpers; /* [n], the first is unused */
    void (*fn)(void *arg, uint32_t task, uint32_t worker);
    void *arg;
    uint32_t n_tasks;
    _Atomic int home; /* the caller's CPU, lately */
    _Alignas(LINE) _Atomic uint64_t ticket;
    _Alignas(LINE) _Atomic uint32_t done; /* tasks; the caller sleeps on it */
    _Atomic bool is_awaited;              /* it does */
    _Alignas(LINE) _Atomic uint32_t bell; /* helpers without work sleep on it */
    _Atomic uint32_t sleepers;
    _Atomic uint32_t stop; /* resting helpers sleep on it */
};

struct helper {
    struct threads *t;
    uint32_t index;
    pthread_t id;
    uint32_t skips, n_skipped; /* tasks between two looks at the clock */
    int64_t looked_us;
    int64_t offered_us; /* when it last gave its CPU to whoever wants it */
    int64_t moved_us;
    long n_put_aside;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Sleeps while *word is `seen`, at most us microseconds (0: for ever). May return early. */
static void futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t us)
{
    struct timespec limit = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, us ? &limit : NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Takes one task of a generation; false when none is left. n_tasks, like fn and arg, is stable
 * while the generation has an unfinished task; whoever reads it too late fails the exchange. */
static bool take(struct threads *t, uint32_t generation, uint32_t *task)
{
    uint64_t v = atomic_load_explicit(&t->ticket, memory_order_acquire);
    while ((uint32_t)(v >> 32) == generation && (uint32_t)v != 0)
        if (atomic_compare_exchange_weak_explicit(&t->ticket, &v, v - 1, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            *task = t->n_tasks - (uint32_t)v;
            return true;
        }
    return false;
}

static bool has_work(struct threads *t)
{
    return (uint32_t)atomic_load_explicit(&t->ticket, memory_order_acquire) != 0;
}

/* ---- helpers ---- */

/* Looks at the clock, and decides how many tasks to do until the next look. */
static int64_t look(struct helper *h)
{
    int64_t now = clk_now_us(), passed = now - h->looked_us;
    if (passed < LOOK_US / 2 && h->skips < MOST_SKIPS)
        h->skips = 2 * h->skips + 1;
    else if (passed > LOOK_US)
        h->skips /= 2;
    h->n_skipped = 0;
    h->looked_us = now;
    return now;
}

/* After the CPU was somebody else's. */
static void begin_again(struct helper *h)
{
    h->looked_us = h->offered_us = clk_now_us();
}

static void rest(struct helper *h, int64_t us)
{
    futex_wait(&h->t->stop, 0, us < MAX_REST_US ? us : MAX_REST_US);
    begin_again(h);
}

/* Whether the kernel gave this thread's CPU to another since the last call. */
static bool was_put_aside(struct helper *h)
{
    struct rusage u;
    if (getrusage(RUSAGE_THREAD, &u) != 0 || u.ru_nivcsw == h->n_put_aside)
        return false;
    h->n_put_aside = u.ru_nivcsw;
    return true;
}

/* Away from the caller's CPU; the set of allowed ones is as before afterwards. False when there is
 * no other. */
static bool move_from(int cpu)
{
    cpu_set_t all, others;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return false;
    others = all;
    CPU_CLR(cpu, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0)
        return false;
    return sched_setaffinity(0, sizeof all, &all) == 0;
}

/* Where the caller runs there is nothing to gain. */
static void leave_home(struct helper *h)
{
    int home = atomic_load_explicit(&h->t->home, memory_order_relaxed);
    if (home < 0 || sched_getcpu() != home)
        return;
    int64_t now = clk_now_us();
    if (now - h->moved_us < MOVE_US || !move_from(home))
        rest(h, MOVE_US);
    else
        h->moved_us = now;
}

static void finish_task(struct helper *h)
{
    struct threads *t = h->t;
    uint32_t n = t->n_tasks; /* stable until the addition below */
    bool is_last = atomic_fetch_add(&t->done, 1) + 1 == n;
    if (is_last && atomic_load(&t->is_awaited)) {
        futex_wake_all(&t->done);
        if (was_put_aside(h))
            rest(h, REST_FACTOR * (clk_now_us() - h->looked_us));
    } else if (h->n_skipped++ >= h->skips && look(h) - h->offered_us > OFFER_US) {
        sched_yield();
        begin_again(h);
    }
}

static void help(struct helper *h)
{
    struct threads *t = h->t;
    uint32_t generation = (uint32_t)(atomic_load(&t->ticket) >> 32), task;
    while (take(t, generation, &task)) {
        t->fn(t->arg, task, h->index);
        finish_task(h);
    }
}

static bool spin_for_work(struct threads *t)
{
    int64_t end = 0;
    do {
        for (int i = 0; i < SPINS; i++, relax())
            if (has_work(t))
                return true;
        end = end ? end : clk_now_us() + IDLE_SPIN_US;
    } while (!atomic_load(&t->stop) && clk_now_us() < end);
    return false;
}

static void sleep_until_work(struct helper *h)
{
    struct threads *t = h->t;
    uint32_t seen = atomic_load(&t->bell);
    atomic_fetch_add(&t->sleepers, 1);
    if (!has_work(t) && !atomic_load(&t->stop))
        futex_wait(&t->bell, seen, 0);
    atomic_fetch_sub(&t->sleepers, 1);
    begin_again(h);
}

static void *helper_main(void *p)
{
    struct helper *h = p;
    while (!atomic_load(&h->t->stop)) {
        leave_home(h);
        if (spin_for_work(h->t))
            help(h);
        else
            sleep_until_work(h);
    }
    return NULL;
}

/* ---- the caller ---- */

struct threads *threads_new(uint32_t n)
{
    struct threads *t = aligned_alloc(LINE, sizeof *t);
    px_assert(t != NULL);
    *t = (struct threads){.n = n ? n : 1};
    t->helpers = px_xcalloc(t->n, sizeof *t->helpers);
    return t;
}

/* A thread that cannot be started is one fewer: the results do not depend on it. */
static void start(struct threads *t)
{
    t->started = true;
    for (uint32_t i = 1; i < t->n; i++) {
        t->helpers[i] = (struct helper){.t = t, .index = i};
        if (pthread_create(&t->helpers[i].id, NULL, helper_main, &t->helpers[i]) != 0) {
            t->n = i;
            break;
        }
    }
}

static void ring(struct threads *t)
{
    atomic_fetch_add(&t->bell, 1);
    futex_wake_all(&t->bell);
}

void threads_free(struct threads **tp)
{
    struct threads *t = *tp;
    if (t == NULL)
        return;
    if (t->started) {
        atomic_store(&t->stop, 1);
        futex_wake_all(&t->stop);
        ring(t);
        for (uint32_t i = 1; i < t->n; i++)
            pthread_join(t->helpers[i].id, NULL);
    }
    free(t->helpers);
    free(t);
    *tp = NULL;
}

uint32_t threads_count(const struct threads *t)
{
    return t->n;
}

static bool all_done(struct threads *t)
{
    return atomic_load_explicit(&t->done, memory_order_acquire) == t->n_tasks;
}

static void await_helpers(struct threads *t)
{
    int64_t end = 0;
    do {
        for (int i = 0; i < SPINS; i++, relax())
            if (all_done(t))
                return;
        end = end ? end : clk_now_us() + END_SPIN_US;
    } while (clk_now_us() < end);
    atomic_store(&t->is_awaited, true);
    for (uint32_t done; (done = atomic_load(&t->done)) < t->n_tasks;)
        futex_wait(&t->done, done, 0);
    atomic_store(&t->is_awaited, false);
}

void threads_run(struct threads *t, uint32_t n_tasks,
                 void (*fn)(void *arg, uint32_t task, uint32_t worker), void *arg)
{
    if (n_tasks <= 1 || t->n == 1) {
        for (uint32_t i = 0; i < n_tasks; i++)
            fn(arg, i, 0);
        return;
    }
    if (!t->started)
        start(t);
    t->fn = fn;
    t->arg = arg;
    t->n_tasks = n_tasks;
    atomic_store_explicit(&t->home, sched_getcpu(), memory_order_relaxed);
    atomic_store_explicit(&t->done, 0, memory_order_relaxed);
    uint32_t generation = (uint32_t)(atomic_load(&t->ticket) >> 32) + 1, task;
    atomic_store(&t->ticket, (uint64_t)generation << 32 | n_tasks);
    if (atomic_load(&t->sleepers))
        ring(t);
    while (take(t, generation, &task)) {
        fn(arg, task, 0);
        atomic_fetch_add_explicit(&t->done, 1, memory_order_release);
    }
    await_helpers(t);
}
