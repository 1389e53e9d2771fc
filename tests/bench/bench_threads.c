/* bench_threads.c - what the pool costs, alone and beside busy neighbours.
 *
 *     bench_threads [threads] [neighbours]
 *
 * Empty regions: the time of handing out work. Small regions: tasks of a few microseconds, and what
 * they take beyond the work shared evenly. Passes: regions of the sizes
 * of one decoded row of a small model (0.5 billion weights of 8 bits), which read memory as its
 * matrices do, with a little work of the caller between them: GB/s, best and median of several
 * runs. Then the same with busy foreign processes, and what share of the speed is kept. Last, the
 * CPU time of a pool that has nothing to do. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/threads.h"

enum {
    TASKS = 8,
    EMPTY = 20000,
    LAYERS = 24,
    PASSES = 12,
    RUNS = 9,
    CALLER_WORK = 4096, /* floats, between regions */
    SMALL = 4000,
    SMALL_TURNS = 2000,
    MAX_NEIGHBOURS = 64
};

/* Bytes that the four matrix regions of a layer read. */
static const size_t REGIONS[] = {1097600, 853000, 9256960, 4628480};

struct stream {
    const uint64_t *p;
    size_t n, per_task;
    uint64_t sums[TASKS];
};

static void nothing(void *arg, uint32_t task, uint32_t worker)
{
    (void)arg;
    (void)task;
    (void)worker;
}

static void read_task(void *arg, uint32_t task, uint32_t worker)
{
    struct stream *s = arg;
    size_t i = task * s->per_task, end = i + s->per_task;
    uint64_t sum[4] = {0};
    (void)worker;
    end = end < s->n ? end : s->n;
    for (; i + 4 <= end; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += s->p[i + (size_t)k];
    s->sums[task] = sum[0] + sum[1] + sum[2] + sum[3];
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static size_t layer_bytes(void)
{
    size_t n = 0;
    for (size_t i = 0; i < sizeof REGIONS / sizeof *REGIONS; i++)
        n += REGIONS[i];
    return n;
}

/* One pass over all weights; returns a sum that depends on them. */
static uint64_t pass(struct threads *t, const uint64_t *weights, float *own)
{
    uint64_t total = 0;
    for (int l = 0; l < LAYERS; l++)
        for (size_t r = 0; r < sizeof REGIONS / sizeof *REGIONS; r++) {
            struct stream s = {.p = weights, .n = REGIONS[r] / sizeof *weights};
            s.per_task = (s.n + TASKS - 1) / TASKS;
            for (int i = 0; i < CALLER_WORK; i++)
                own[i] = own[i] * 0.5f + 1;
            threads_run(t, TASKS, read_task, &s);
            for (int i = 0; i < TASKS; i++)
                total += s.sums[i];
            weights += s.n;
        }
    return total;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* GB/s, median of the runs; *best is the largest. */
static double measure(struct threads *t, const uint64_t *weights, float *own, double *best)
{
    double v[RUNS];
    uint64_t want = pass(t, weights, own);
    for (int r = 0; r < RUNS; r++) {
        int64_t start = clk_now_us();
        for (int i = 0; i < PASSES; i++)
            px_assert(pass(t, weights, own) == want);
        v[r] =
            (double)PASSES * LAYERS * (double)layer_bytes() * 1e-3 / (double)(clk_now_us() - start);
    }
    qsort(v, RUNS, sizeof *v, by_value);
    *best = v[RUNS - 1];
    return v[RUNS / 2];
}

static void empty_regions(struct threads *t)
{
    double cpu = cpu_s();
    int64_t start = clk_now_us();
    for (int i = 0; i < EMPTY; i++)
        threads_run(t, TASKS, nothing, NULL);
    int64_t us = clk_now_us() - start;
    printf("empty region of %d tasks      %8.2f us, %.2f us of CPU time\n", TASKS,
           (double)us / EMPTY, (cpu_s() - cpu) * 1e6 / EMPTY);
}

static void small_task(void *arg, uint32_t task, uint32_t worker)
{
    float *sums = arg, x = (float)task;
    (void)worker;
    for (int i = 0; i < SMALL_TURNS; i++) /* each turn waits for the one before */
        x = x * 0.5f + 1;
    sums[task * 16] = x;
}

/* Microseconds of a region of TASKS small tasks, each after a little work of the caller. */
static double small_region(struct threads *t, float *own)
{
    double v[RUNS];
    for (int r = 0; r < RUNS; r++) {
        int64_t start = clk_now_us();
        for (int i = 0; i < SMALL; i++)
            threads_run(t, TASKS, small_task, own);
        v[r] = (double)(clk_now_us() - start) / SMALL;
    }
    qsort(v, RUNS, sizeof *v, by_value);
    return v[RUNS / 2];
}

static void small_regions(struct threads *t, struct threads *one, float *own)
{
    double alone = small_region(one, own), shared = small_region(t, own);
    printf("small region                 %8.2f us, %.2f us by one thread\n", shared, alone);
}

static void idle_pool(struct threads *t)
{
    threads_run(t, TASKS, nothing, NULL);
    double cpu = cpu_s();
    struct timespec second = {.tv_sec = 1};
    nanosleep(&second, NULL);
    printf("idle for a second            %8.2f ms of CPU time\n", (cpu_s() - cpu) * 1e3);
}

static pid_t start_neighbour(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (volatile unsigned i = 0;; i++)
            continue;
    }
    return pid;
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2;
    uint32_t neighbours = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    pid_t pids[MAX_NEIGHBOURS];
    struct threads *t = threads_new(n), *one = threads_new(1);
    size_t bytes = LAYERS * layer_bytes();
    uint64_t *weights = px_xmalloc(bytes);
    float *own = px_xcalloc(CALLER_WORK, sizeof *own);
    double best, best_one, best_beside, alone, single, beside;
    memset(weights, 0x5a, bytes);
    neighbours = neighbours < MAX_NEIGHBOURS ? neighbours : MAX_NEIGHBOURS;
    printf("%u threads\n", n);
    empty_regions(t);
    small_regions(t, one, own);
    single = measure(one, weights, own, &best_one);
    alone = measure(t, weights, own, &best);
    printf("passes, one thread           %8.2f GB/s (best %.2f)\n", single, best_one);
    printf("passes                       %8.2f GB/s (best %.2f)\n", alone, best);
    fflush(stdout);
    for (uint32_t i = 0; i < neighbours; i++)
        pids[i] = start_neighbour();
    beside = measure(t, weights, own, &best_beside);
    printf("beside %2u busy processes     %8.2f GB/s (best %.2f), %.0f %% kept\n", neighbours,
           beside, best_beside, 100 * beside / alone);
    for (uint32_t i = 0; i < neighbours; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    idle_pool(t);
    threads_free(&t);
    threads_free(&one);
    free(weights);
    free(own);
    return 0;
}
