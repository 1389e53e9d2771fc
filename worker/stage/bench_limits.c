/* bench_limits.c - what this machine can read and compute at most, by loops that do nothing else.
 *
 * Reading: every thread takes a megabyte in turn and adds it up in vectors, with and without
 * prefetching; the better of the two medians counts. Computing: independent accumulators in
 * registers, the instruction that the kernels' dot products rest on. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/kernels.h"
#include "worker/engine/threads.h"
#include "worker/stage/bench.h"
#include "worker/stage/bench_peaks.h"

enum {
    PIECE = 1 << 20,      /* bytes that a thread reads in one go */
    BUFFER = 256 << 20,   /* larger than the caches */
    READ_PASSES = 5,      /* per way of reading */
    AHEAD = 2048,         /* bytes between a prefetch and its use */
    PEAK_ROUNDS = 5,      /* the best one counts */
    PEAK_STEPS = 1 << 18, /* of 8 or 12 instructions for each thread */
    SPREAD = 8            /* tasks per thread, so that a late thread takes fewer */
};

/* ---- reading ---- */

typedef uint64_t words __attribute__((vector_size(64), aligned(1), may_alias));

struct piece {
    const uint8_t *p;
    size_t n;
};

struct reading {
    struct piece *pieces;
    uint32_t n, cap;
    uint64_t bytes;
    bool does_prefetch;
    uint64_t *sums; /* [n]: what was read is used */
};

static void add_pieces(struct reading *r, const void *p, uint64_t n)
{
    const uint8_t *at = p;
    for (uint64_t left = n; left > 0;) {
        size_t take = left < PIECE ? (size_t)left : PIECE;
        PX_GROW(r->pieces, r->n, r->cap);
        r->pieces[r->n++] = (struct piece){at, take};
        at += take;
        left -= take;
    }
    r->bytes += n;
}

static inline __attribute__((always_inline)) uint64_t sum_of(const uint8_t *p, size_t n,
                                                             bool does_prefetch)
{
    words a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i + 4 * sizeof a <= n; i += 4 * sizeof a) {
        for (unsigned k = 0; does_prefetch && k < 4; k++)
            __builtin_prefetch(p + i + AHEAD + k * sizeof a, 0, 0);
        const words *v = (const words *)(const void *)(p + i);
        a += v[0];
        b += v[1];
        c += v[2];
        d += v[3];
    }
    a += b + c + d;
    return a[0] ^ a[1] ^ a[2] ^ a[3] ^ a[4] ^ a[5] ^ a[6] ^ a[7];
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static uint64_t sum_avx512(const struct piece *p, bool ahead)
{
    return sum_of(p->p, p->n, ahead);
}

__attribute__((target("avx2"))) static uint64_t sum_avx2(const struct piece *p, bool ahead)
{
    return sum_of(p->p, p->n, ahead);
}
#endif

static uint64_t sum_plain(const struct piece *p, bool ahead)
{
    return sum_of(p->p, p->n, ahead);
}

static void read_task(void *arg, uint32_t task, uint32_t worker)
{
    struct reading *r = arg;
    const struct piece *p = &r->pieces[task];
    (void)worker;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        r->sums[task] = sum_avx512(p, r->does_prefetch);
    else if (__builtin_cpu_supports("avx2"))
        r->sums[task] = sum_avx2(p, r->does_prefetch);
    else
#endif
        r->sums[task] = sum_plain(p, r->does_prefetch);
}

/* GB/s over the pieces, which are forgotten. */
static double read_speed(struct reading *r, struct threads *th)
{
    double v[READ_PASSES], best = 0;
    r->sums = px_xcalloc(r->n, sizeof *r->sums);
    threads_run(th, r->n, read_task, r); /* pages come in */
    for (int way = 0; way < 2; way++) {
        r->does_prefetch = way == 1;
        for (int i = 0; i < READ_PASSES; i++) {
            int64_t start = clk_now_us();
            threads_run(th, r->n, read_task, r);
            int64_t us = clk_now_us() - start;
            v[i] = (double)r->bytes * 1e-3 / (double)(us > 0 ? us : 1);
        }
        double m = bench_median(v, READ_PASSES);
        best = m > best ? m : best;
    }
    free(r->sums);
    free(r->pieces);
    return best;
}

/* 0 when the memory cannot be had. */
static double read_memory(struct threads *th, bool is_huge)
{
    struct reading r = {0};
    void *p = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return 0;
    madvise(p, BUFFER, is_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE); /* a wish: it only costs speed */
    memset(p, 1, BUFFER);
    add_pieces(&r, p, BUFFER);
    double speed = read_speed(&r, th);
    munmap(p, BUFFER);
    return speed;
}

/* The matrices as they lie, when they are larger than the caches. */
static double read_weights(const struct model *m, struct threads *th)
{
    struct reading r = {0};
    for (uint32_t i = 0; i < bench_n_weights(m) && r.bytes < 4 * (uint64_t)BUFFER; i++)
        add_pieces(&r, bench_weight_at(m, i)->data, bench_weight_bytes(bench_weight_at(m, i)));
    if (r.bytes >= BUFFER)
        return read_speed(&r, th);
    free(r.pieces);
    return 0;
}

/* ---- computing ---- */

struct peak {
    double (*loop)(uint32_t steps, uint64_t *sink); /* returns the operations it did */
    uint64_t *sinks;
    double *ops;
};

static void peak_task(void *arg, uint32_t task, uint32_t worker)
{
    struct peak *p = arg;
    (void)worker;
    p->ops[task] = p->loop(PEAK_STEPS / SPREAD, &p->sinks[task]);
}

static double peak_of(struct threads *th, double (*loop)(uint32_t, uint64_t *))
{
    uint32_t n = threads_count(th) * SPREAD;
    struct peak p = {
        .loop = loop, .sinks = px_xcalloc(n, sizeof *p.sinks), .ops = px_xcalloc(n, sizeof *p.ops)};
    double best = 0;
    for (int i = 0; i < PEAK_ROUNDS; i++) {
        double ops = 0;
        int64_t start = clk_now_us();
        threads_run(th, n, peak_task, &p);
        int64_t us = clk_now_us() - start;
        for (uint32_t t = 0; t < n; t++)
            ops += p.ops[t];
        ops = ops * 1e-6 / (double)(us > 0 ? us : 1);
        best = ops > best ? ops : best;
    }
    free(p.sinks);
    free(p.ops);
    return best;
}

static bool has_table(const char *isa)
{
    for (unsigned i = 0; kernels_at(i); i++)
        if (strcmp(kernels_at(i)->isa, isa) == 0)
            return true;
    return false;
}

/* The best that the CPU has, whatever the kernels make of it. */
static void measure_peaks(struct threads *th, struct bench_limits *out)
{
    const char *int8_isa = "scalar", *f32_isa = "scalar";
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        int8_isa = f32_isa = "avx2";
    if (__builtin_cpu_supports("avx512f"))
        f32_isa = "avx512";
    if (__builtin_cpu_supports("avx512vnni"))
        int8_isa = "avx512";
    if (has_table("amx"))
        int8_isa = "amx";
#endif
    struct bench_peak int8 = bench_peak(int8_isa, false), f32 = bench_peak(f32_isa, true);
    out->int8_how = int8.how;
    out->f32_how = f32.how;
    out->int8_tops = peak_of(th, int8.loop);
    out->f32_tops = peak_of(th, f32.loop);
}

void bench_limits_measure(const struct model *m, uint32_t threads, struct bench_limits *out)
{
    struct threads *th = threads_new(threads);
    *out = (struct bench_limits){0};
    measure_peaks(th, out); /* first: it brings the clock up */
    out->read_gb_s = read_weights(m, th);
    out->is_mapping = out->read_gb_s > 0;
    if (!out->is_mapping)
        out->read_gb_s = read_memory(th, false);
    out->huge_gb_s = read_memory(th, true);
    threads_free(&th);
}

double bench_read_s(const struct bench_limits *l, const struct bench_work *w)
{
    return l->read_gb_s > 0 ? w->bytes * 1e-9 / l->read_gb_s : 0;
}

double bench_compute_s(const struct bench_limits *l, const struct bench_work *w)
{
    double s = 0;
    if (l->int8_tops > 0)
        s += w->int8_ops * 1e-12 / l->int8_tops;
    if (l->f32_tops > 0)
        s += w->f32_ops * 1e-12 / l->f32_tops;
    return s;
}
