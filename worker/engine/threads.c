/* threads.c - the pool of threads.h.
 *
 * Theory of operation. `ticket` holds (generation << 32 | next task). A thread takes a task by a
 * compare-and-swap that only succeeds while the generation is the present one and tasks are left;
 * the caller opens the next generation only after every task of this one is done, so whoever took
 * a task may read fn and arg without a lock. Idle threads spin for some microseconds (passes come
 * in quick succession), then sleep on a condition. */
#include "worker/engine/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "proto/mem.h"

enum { SPINS = 4000, SPINS_BEFORE_YIELD = 2000 };

struct threads {
    uint32_t n;
    bool started;
    pthread_t *ids;
    void (*fn)(void *arg, uint32_t task, uint32_t worker);
    void *arg;
    uint32_t n_tasks;
    _Atomic uint64_t ticket;
    _Atomic uint32_t done;
    _Atomic uint32_t sleepers;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

struct worker_start {
    struct threads *t;
    uint32_t index;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Takes and runs tasks of one generation until none is left. The number of tasks travels in the
 * field n_tasks, which like fn and arg is stable while the generation has an unfinished task; a
 * thread that reads it too late fails its compare-and-swap. */
static void work(struct threads *t, uint32_t generation, uint32_t worker)
{
    uint64_t v = atomic_load_explicit(&t->ticket, memory_order_acquire);
    while ((uint32_t)(v >> 32) == generation && (uint32_t)v != 0) {
        if (!atomic_compare_exchange_weak_explicit(&t->ticket, &v, v - 1, memory_order_acq_rel,
                                                   memory_order_acquire))
            continue;
        t->fn(t->arg, t->n_tasks - (uint32_t)v, worker);
        atomic_fetch_add_explicit(&t->done, 1, memory_order_release);
        v = atomic_load_explicit(&t->ticket, memory_order_acquire);
    }
}

static bool has_work(struct threads *t)
{
    return (uint32_t)atomic_load(&t->ticket) != 0;
}

static void sleep_until_work(struct threads *t)
{
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1);
    while (!has_work(t) && !atomic_load(&t->stop))
        pthread_cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->lock);
}

static void *thread_main(void *p)
{
    struct worker_start s = *(struct worker_start *)p;
    struct threads *t = s.t;
    free(p);
    while (!atomic_load(&t->stop)) {
        uint32_t spins = 0;
        while (spins < SPINS && !has_work(t)) {
            relax();
            spins++;
        }
        if (spins == SPINS)
            sleep_until_work(t);
        work(t, (uint32_t)(atomic_load(&t->ticket) >> 32), s.index);
    }
    return NULL;
}

struct threads *threads_new(uint32_t n)
{
    struct threads *t = px_xcalloc(1, sizeof *t);
    t->n = n ? n : 1;
    t->ids = px_xcalloc(t->n, sizeof *t->ids);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    return t;
}

/* A thread that cannot be started is one fewer: the results do not depend on it. */
static void start(struct threads *t)
{
    t->started = true;
    for (uint32_t i = 1; i < t->n; i++) {
        struct worker_start *s = px_xmalloc(sizeof *s);
        *s = (struct worker_start){.t = t, .index = i};
        if (pthread_create(&t->ids[i], NULL, thread_main, s) != 0) {
            free(s);
            t->n = i;
            break;
        }
    }
}

static void wake_all(struct threads *t)
{
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void threads_free(struct threads **tp)
{
    struct threads *t = *tp;
    if (t == NULL)
        return;
    if (t->started) {
        atomic_store(&t->stop, true);
        wake_all(t);
        for (uint32_t i = 1; i < t->n; i++)
            pthread_join(t->ids[i], NULL);
    }
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->wake);
    free(t->ids);
    free(t);
    *tp = NULL;
}

uint32_t threads_count(const struct threads *t)
{
    return t->n;
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
    atomic_store(&t->done, 0);
    uint32_t generation = (uint32_t)(atomic_load(&t->ticket) >> 32) + 1;
    atomic_store(&t->ticket, (uint64_t)generation << 32 | n_tasks);
    if (atomic_load(&t->sleepers))
        wake_all(t);
    work(t, generation, 0);
    for (uint32_t spins = 0; atomic_load_explicit(&t->done, memory_order_acquire) < n_tasks;) {
        if (++spins < SPINS_BEFORE_YIELD)
            relax();
        else
            sched_yield();
    }
}
