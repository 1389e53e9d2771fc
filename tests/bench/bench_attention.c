/* bench_attention.c - attention alone, over all layers of a model's shape, per step of a pass.
 *
 *     bench_attention [ISA [THREADS [CASE [KV]]]]      CASE: part of a case's name; KV: f16 ...
 *
 * CPU time of the process (user), medians; keys and values out of the caches before each step.
 * Beside it what the step multiplies and reads (each page once per step), and the share of one
 * core's peak of fused multiply-adds, measured in the same run. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/attention.h"
#include "worker/engine/threads.h"
#include "worker/stage/bench_peaks.h"

enum { MOST_ROWS = 512, MOST_SEQS = 33, RUNS = 7, EVICT_BYTES = 64 << 20 };

static const struct {
    const char *name;
    struct model_config c;
} SHAPES[] = {
    {"0.5B", {.n_layers = 24, .n_heads = 14, .n_kv_heads = 2, .head_dim = 64}},
    {"1.5B", {.n_layers = 28, .n_heads = 12, .n_kv_heads = 2, .head_dim = 128}},
};

/* `rows` sequences behind a common head; each has one row, or the one its last `chunk`. */
static const struct {
    const char *name;
    uint32_t rows, head, own, chunk;
} CASES[] = {
    {"prefill of 512", 1, 0, 512, 512},
    {"32 rows, shared 512 + 64", 32, 512, 64, 1},
    {"32 rows, shared 512 + 128", 32, 512, 128, 1},
    {"32 rows, 128 own", 32, 0, 128, 1},
    {"32 rows, 256 own", 32, 0, 256, 1},
    {"1 row at 512", 1, 0, 512, 1},
    {"1 row at 2048", 1, 0, 2048, 1},
    {"1 row at 8192", 1, 0, 8192, 1},
};

struct bench {
    struct model_config c;
    const struct kernels *kn;
    struct threads *th;
    enum kv_type type;
    struct kv_pool *kv;
    struct kv_seq seqs[MOST_SEQS];
    struct attention_row rows[MOST_ROWS];
    struct attention_tile tiles[MOST_ROWS];
    uint32_t n_rows, max_positions;
    float *q, *out, *scratch;
};

struct region {
    struct attention a;
    float *scratch;
    size_t scratch_floats;
};

static void task(void *arg, uint32_t i, uint32_t worker)
{
    struct region *r = arg;
    attention_task(&r->a, i, r->scratch + worker * r->scratch_floats);
}

static void step(struct bench *b)
{
    struct attention_row rows[MOST_ROWS];
    struct attention_plan plan = {.rows = rows, .tiles = b->tiles};
    memcpy(rows, b->rows, b->n_rows * sizeof *rows);
    attention_plan(&plan, &b->c, b->max_positions, b->n_rows, threads_count(b->th));
    struct region r = {.a = {.c = &b->c,
                             .kn = b->kn,
                             .kv = b->kv,
                             .plan = &plan,
                             .window = UINT32_MAX,
                             .q = b->q,
                             .out = b->out},
                       .scratch = b->scratch,
                       .scratch_floats = attention_scratch(&b->c, b->max_positions)};
    for (r.a.layer = 0; r.a.layer < b->c.n_layers; r.a.layer++)
        threads_run(b->th, attention_tasks(&plan, &b->c), task, &r);
}

static float small(uint32_t i)
{
    return (float)((i * 2654435761u) >> 9) * 0x1p-22f - 1.0f;
}

static void *lines(size_t floats)
{
    void *p = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
    if (p == NULL)
        abort();
    return p;
}

static void fill_page(struct bench *b, uint32_t page)
{
    const struct kv_seq one = {.pages = &page, .n_pages = 1};
    uint32_t n = b->c.n_kv_heads * b->c.head_dim;
    float *k = px_xcalloc(2 * n, sizeof *k);
    for (uint32_t i = 0; i < b->c.n_layers * KV_PAGE; i++) {
        for (uint32_t j = 0; j < 2 * n; j++)
            k[j] = small(i * 2 * n + j + page);
        kv_store(b->kv, b->kn, &one, i / KV_PAGE, i % KV_PAGE, k, k + n);
    }
    free(k);
}

static void open_case(struct bench *b, size_t i)
{
    struct px_err err = {0};
    uint32_t length = CASES[i].head + CASES[i].own, n_seqs = CASES[i].rows;
    uint32_t pages = kv_pages_for(length) * n_seqs;
    b->max_positions = length;
    b->kv = kv_pool_new(&b->c, b->type, pages, &err);
    for (uint32_t s = 0; s < n_seqs; s++) {
        kv_seq_init(&b->seqs[s]);
        if (s && CASES[i].head)
            kv_seq_fork(b->kv, &b->seqs[0], CASES[i].head, &b->seqs[s]);
        if (!kv_seq_extend(b->kv, &b->seqs[s], s ? CASES[i].head : 0, length))
            abort();
    }
    for (uint32_t page = 0; page < kv_pool_used(b->kv); page++)
        fill_page(b, page);
    b->n_rows = 0;
    for (uint32_t s = 0; s < n_seqs; s++)
        for (uint32_t pos = length - CASES[i].chunk; pos < length; pos++, b->n_rows++)
            b->rows[b->n_rows] = (struct attention_row){&b->seqs[s], pos, b->n_rows};
    size_t values = (size_t)b->n_rows * b->c.n_heads * b->c.head_dim;
    b->q = lines(values);
    b->out = lines(values);
    b->scratch = lines(attention_scratch(&b->c, length) * threads_count(b->th));
    for (uint32_t j = 0; j < values; j++)
        b->q[j] = small(j * 7) * 3.0f;
}

static void close_case(struct bench *b, size_t i)
{
    for (uint32_t s = 0; s < CASES[i].rows; s++)
        kv_seq_clear(b->kv, &b->seqs[s]);
    kv_pool_free(&b->kv);
    free(b->q);
    free(b->out);
    free(b->scratch);
}

static double cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec * 1e3 + (double)u.ru_utime.tv_usec * 1e-3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median_ms(struct bench *b)
{
    double t[RUNS];
    char *evict = lines(EVICT_BYTES / sizeof(float));
    for (int i = -1; i < RUNS; i++) {
        memset(evict, i, EVICT_BYTES);
        double start = cpu_ms();
        step(b);
        if (i >= 0)
            t[i] = cpu_ms() - start;
    }
    free(evict);
    qsort(t, RUNS, sizeof *t, compare);
    return t[RUNS / 2];
}

static double millions_of_fmas(const struct bench *b)
{
    double positions = 0;
    for (uint32_t i = 0; i < b->n_rows; i++)
        positions += b->rows[i].pos + 1;
    return positions * 2 * b->c.n_heads * b->c.head_dim * b->c.n_layers * 1e-6;
}

static void run_shape(struct bench *b, size_t shape, const char *only)
{
    double peak = bench_peak_cpu(b->kn->isa, true) * 0.5e-9; /* FMA/ns */
    b->c = SHAPES[shape].c;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strstr(CASES[i].name, only) == NULL)
            continue;
        open_case(b, i);
        double ms = median_ms(b), fmas = millions_of_fmas(b) / ms;
        double bytes = (double)kv_pool_used(b->kv) * (double)kv_page_bytes(&b->c, b->type);
        printf("%-5s %-26s %9.2f ms %9.1f FMA/ns %6.1f GB/s %5.0f %% of %.1f FMA/ns\n",
               SHAPES[shape].name, CASES[i].name, ms, fmas, bytes / ms * 1e-6, 100 * fmas / peak,
               peak);
        close_case(b, i);
    }
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct px_err err = {0};
    b.kn = kernels_choose(argc > 1 ? argv[1] : "auto", &err);
    if (b.kn == NULL) {
        fprintf(stderr, "bench_attention: %s\n", err.text);
        return 2;
    }
    b.type = argc > 4 ? kv_type_of(argv[4]) : KV_F16;
    if (b.type == 0) {
        fprintf(stderr, "bench_attention: no KV type %s\n", argv[4]);
        return 2;
    }
    b.th = threads_new(argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1);
    printf("%s, %u threads, kv %s, CPU time per step\n", b.kn->isa, threads_count(b.th),
           kv_type_name(b.type));
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        run_shape(&b, i, argc > 3 ? argv[3] : "");
    threads_free(&b.th);
    return 0;
}
