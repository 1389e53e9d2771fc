/* bench_hall.c - units per second through the real hall: the scheduler, the wire, two worker
 * processes with the noop backend, the store in sync mode. A unit counts when it is committed; the
 * source does what a run's does: a result record and a plan record for each. The clock runs from
 * the first lease to the last commit.
 *
 * Usage: bench_hall UNITS DIRECTORY PROGRAM_DIRECTORY   prints units/s, then microseconds of
 * this process's CPU time per unit */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/hall.h"
#include "coordinator/store/store.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/mem.h"

struct bench {
    uint64_t total, given, done;
    uint32_t job;
    int64_t first_us; /* when the first unit was leased */
    int64_t last_us;  /* when the last one was committed */
    int64_t cpu_us;
};

static struct px_digest key_of(uint64_t i)
{
    return px_sha256(&i, sizeof i);
}

static int pull(void *ctx, struct hall_unit *out, int max, struct px_err *err)
{
    struct bench *b = ctx;
    int n = 0;
    (void)err;
    for (; n < max && b->given < b->total; n++, b->given++)
        out[n] = (struct hall_unit){b->given, key_of(b->given), b->job, 1};
    return n;
}

static bool exhausted(void *ctx)
{
    const struct bench *b = ctx;
    return b->done == b->total;
}

static int encode(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err)
{
    uint32_t prompt[32] = {(uint32_t)id};
    char problem[32];
    struct bench *b = ctx;
    (void)err;
    if (!b->first_us) {
        b->first_us = clk_now_us();
        b->cpu_us = clk_cpu_us();
    }
    snprintf(problem, sizeof problem, "row/%07llu", (unsigned long long)id);
    struct unit u = {.key = key_of(id), .problem = problem, .prompt = prompt, .n_prompt = 32};
    unit_encode(&u, out);
    return 0;
}

static int record(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
                  struct px_err *err)
{
    struct px_digest key = key_of(id), plan = key_of(~id);
    struct completion c;
    uint8_t keys[64] = {0};
    (void)ctx;
    if (completion_decode(rec, n, &c, err) != 0)
        return -1;
    completion_clear(&c);
    memcpy(keys, key.b, sizeof key.b);
    store_batch_put_new(b, STORE_RESULT, key.b, sizeof key.b, rec, n);
    store_batch_put(b, STORE_PLAN, plan.b, sizeof plan.b, keys, sizeof keys);
    return 0;
}

static void committed(void *ctx, uint64_t id)
{
    struct bench *b = ctx;
    (void)id;
    b->done++;
    if (b->done == b->total) {
        b->last_us = clk_now_us();
        b->cpu_us = clk_cpu_us() - b->cpu_us;
    }
}

static void gave_up(void *ctx, uint64_t id, const char *class_name, const char *evidence,
                    struct store_batch *b)
{
    (void)ctx;
    (void)b;
    fprintf(stderr, "unit %llu was given up: %s %s\n", (unsigned long long)id, class_name,
            evidence);
    abort();
}

int main(int argc, char **argv)
{
    px_assert(argc == 4);
    px_log_init("bench");
    px_log_level(PX_WARN);
    struct bench b = {.total = strtoull(argv[1], NULL, 10)};
    struct px_err err;
    PX_FREE char *dir = px_xasprintf("%s/store", argv[2]);
    struct store_options so = {.mode = STORE_WRITE};
    struct store *store = store_open(dir, &so, &err);
    struct hall_source src = {&b, pull, exhausted, encode, record, committed, gave_up};
    struct hall_config cfg = {.run_dir = argv[2],
                              .workers = 2,
                              .threads = 1,
                              .memory = 64 << 20,
                              .isa = "auto",
                              .program_dir = argv[3]};
    struct hall *h = store ? hall_new(&cfg, store, &src, &err) : NULL;
    struct job job = {.kind = UNIT_GENERATE, .backend = BACKEND_NOOP, .max_tokens = 1};
    if (!h) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    b.job = hall_add_job(h, &job);
    int rc = hall_run(h, NULL, NULL, &err);
    if (rc != 0)
        fprintf(stderr, "%s\n", err.text);
    else
        printf("%.0f %.2f\n", (double)b.total / ((double)(b.last_us - b.first_us) / 1e6),
               (double)b.cpu_us / (double)b.total);
    hall_free(&h);
    store_close(&store);
    return rc != 0;
}
