/* bench_kernels.c - how fast each table of kernels multiplies each type of weights, beside the
 * machine's limits.
 *
 * One thread, its CPU time, medians. The limits are measured first: what a plain loop of loads
 * reads from a buffer larger than the caches, and the products of int8 and of single precision that
 * a loop over registers does, per instruction set. Then per type, table and layout: rows = 1 over
 * a matrix that is read from memory, in GB/s and as a share of the reading limit; rows = 8, 32 and
 * 512 in GMAC/s and as a share of the arithmetic limit (products of int8, or of floats for float
 * types); and the seconds per weight at 1 and 512 rows as a multiple of those of Q8_0 in the same
 * table and layout; act is what preparing 512 rows takes for one output, in multiplied rows.
 *
 * Usage: bench_kernels [-t] [-i ISA] [TYPE ...]; -t: instead, the bandwidth of two threads, wall
 * clock, plain reading and rows = 1. */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"
#include "worker/stage/bench_peaks.h"

#define N_IN 2048
#define READ_BYTES ((size_t)192 << 20) /* of weights: beyond what caches hold */
#define N_OUT 512
#define MOST_ROWS 512
#define RUNS 9
#define FAR 8192

static const struct {
    const char *name;
    enum ggml_type type;
} TYPES[] = {{"Q8_0", GGML_Q8_0}, {"Q4_0", GGML_Q4_0}, {"Q4_1", GGML_Q4_1},
             {"Q5_0", GGML_Q5_0}, {"Q5_1", GGML_Q5_1}, {"IQ4_NL", GGML_IQ4_NL},
             {"Q2_K", GGML_Q2_K}, {"Q3_K", GGML_Q3_K}, {"Q4_K", GGML_Q4_K},
             {"Q5_K", GGML_Q5_K}, {"Q6_K", GGML_Q6_K}, {"IQ4_XS", GGML_IQ4_XS},
             {"F32", GGML_F32},   {"F16", GGML_F16},   {"BF16", GGML_BF16}};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

static uint8_t *weights;  /* READ_BYTES, finite as halves and floats too */
static double read_limit; /* GB/s of one thread */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t, int n)
{
    qsort(t, (size_t)n, sizeof(t[0]), compare);
    return t[n / 2];
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The thread's own CPU time: neighbours on the machine do not count. */
static double cpu_seconds(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- limits ---- */

static volatile uint64_t sink;

/* Reads all of it, eight cache lines in flight, and asks for one of them `ahead` bytes before. */
static void read_plain(const uint8_t *p, size_t bytes, size_t ahead)
{
    typedef uint64_t part __attribute__((vector_size(16)));
    part sum[8] = {0};
    for (size_t i = 0; i < bytes; i += 512) {
        __builtin_prefetch(p + i + ahead, 0, 2);
        for (size_t k = 0; k < 8; k++)
            for (size_t j = 0; j < 64; j += sizeof(part))
                sum[k] ^= *(const part *)(const void *)(p + i + k * 64 + j);
    }
    for (size_t k = 1; k < 8; k++)
        sum[0] ^= sum[k];
    sink = sum[0][0] ^ sum[0][1];
}

/* GB/s of one thread over all the weights: the better of two ways of asking ahead. */
static double reading_limit(void)
{
    double t[2][RUNS];
    for (int i = 0; i < RUNS; i++)
        for (int way = 0; way < 2; way++) {
            double start = cpu_seconds();
            read_plain(weights, READ_BYTES, way ? FAR : 0);
            t[way][i] = cpu_seconds() - start;
        }
    double a = median(t[0], RUNS), b = median(t[1], RUNS);
    return (double)READ_BYTES / (a < b ? a : b) / 1e9;
}

/* ---- products ---- */

struct data {
    float *x, *y;
    void *act;
};

static struct data make_data(const struct kernels *k, const struct weight *w, uint32_t rows)
{
    struct data d = {malloc((size_t)rows * N_IN * 4), malloc((size_t)rows * w->n_out * 4),
                     aligned_alloc(64, k->act_bytes(w->type, N_IN, rows))};
    for (uint32_t i = 0; i < rows * N_IN; i++)
        d.x[i] = (float)(i * 2654435761u >> 20) / 2048.0f - 1.0f;
    k->act_prepare(w->type, d.x, N_IN, rows, d.act);
    return d;
}

static void drop_data(struct data d)
{
    free(d.x);
    free(d.y);
    free(d.act);
}

/* Median CPU seconds of one product of `rows` prepared rows, or of preparing them. */
static double measure(const struct kernels *k, const struct weight *w, uint32_t rows, bool prepare)
{
    struct data d = make_data(k, w, rows);
    double t[RUNS];
    int times = rows == 8 ? 8 : 1;
    for (int i = 0; i < RUNS; i++) {
        double start = cpu_seconds();
        for (int j = 0; j < times; j++)
            if (prepare)
                k->act_prepare(w->type, d.x, N_IN, rows, d.act);
            else
                k->matmul(w, d.act, rows, d.y, w->n_out, 0, w->n_out);
        t[i] = (cpu_seconds() - start) / times;
    }
    drop_data(d);
    return median(t, RUNS);
}

static struct weight matrix(enum ggml_type type, enum weight_layout layout, uint32_t n_out)
{
    return (struct weight){type, weights, N_IN, n_out, layout};
}

static uint64_t matrix_bytes(const struct weight *w)
{
    return w->layout == WEIGHT_PANELS ? panels_bytes(w->type, N_IN, w->n_out)
                                      : weight_row_bytes(w->type, N_IN) * w->n_out;
}

/* The matrix that is as large as the weights there are. */
static struct weight whole_matrix(enum ggml_type type, enum weight_layout layout)
{
    struct weight w = matrix(type, layout, PANEL_OUTPUTS);
    w.n_out = (uint32_t)(READ_BYTES / matrix_bytes(&w)) * PANEL_OUTPUTS;
    return w;
}

static void bench_type(const char *name, enum ggml_type type, const struct kernels *k,
                       enum weight_layout layout, const double *limit)
{
    static double base[2][2]; /* of Q8_0, by layout: seconds per weight at 1 and at 512 rows */
    static const uint32_t ROWS[] = {8, 32, MOST_ROWS};
    const bool is_float = quant_format(type).block == 0;
    struct weight w = whole_matrix(type, layout);
    double t = measure(k, &w, 1, false), gb = (double)matrix_bytes(&w) / t / 1e9;
    double one = t / ((double)w.n_out * N_IN), many = 0;
    printf("%-7s %-7s %-6s %6.2f GB/s %4.0f%% ", name, k->isa,
           layout == WEIGHT_PANELS ? "panels" : "rows", gb, gb / read_limit * 100);
    w = matrix(type, layout, N_OUT);
    for (int i = 0; i < 3; i++) {
        t = measure(k, &w, ROWS[i], false);
        double macs = (double)N_IN * N_OUT * ROWS[i] / t / 1e9;
        many = t / ((double)N_IN * N_OUT);
        printf(" %7.1f %4.0f%%", macs, macs / limit[is_float] * 100);
    }
    if (type == GGML_Q8_0) {
        base[layout][0] = one;
        base[layout][1] = many;
    }
    if (base[layout][0] > 0 && !is_float)
        printf("  %5.2f %5.2f", one / base[layout][0], many / base[layout][1]);
    else
        printf("  %5s %5s", "-", "-");
    printf("  %6.1f\n", measure(k, &w, MOST_ROWS, true) / many / N_IN);
    fflush(stdout);
}

/* ---- two threads ---- */

struct reader {
    const struct kernels *k; /* NULL: reads plainly */
    struct weight w;
    struct data d;
    uint32_t o0, o1;
    pthread_barrier_t *barrier;
    double done; /* wall seconds */
};

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    pthread_barrier_wait(r->barrier);
    double start = seconds(CLOCK_MONOTONIC);
    uint64_t row = matrix_bytes(&r->w) / r->w.n_out;
    if (r->k)
        r->k->matmul(&r->w, r->d.act, 1, r->d.y, r->w.n_out, r->o0, r->o1);
    else
        read_plain(weights + (row * r->o0 & ~(uint64_t)63), (row * (r->o1 - r->o0)) & ~511ull, FAR);
    r->done = seconds(CLOCK_MONOTONIC) - start;
    return NULL;
}

/* GB/s of both together. */
static double two_threads(const struct kernels *k, const struct weight *w)
{
    double gb[RUNS];
    struct data d = {0};
    if (k)
        d = make_data(k, w, 1);
    for (int i = 0; i < RUNS; i++) {
        pthread_barrier_t barrier;
        pthread_t other;
        uint32_t half = w->n_out / 2 / PANEL_OUTPUTS * PANEL_OUTPUTS;
        pthread_barrier_init(&barrier, NULL, 2);
        struct reader a = {k, *w, d, 0, half, &barrier, 0}, b = a;
        b.o0 = half;
        b.o1 = w->n_out;
        if (pthread_create(&other, NULL, reader_main, &b) != 0)
            exit(1);
        reader_main(&a);
        pthread_join(other, NULL);
        pthread_barrier_destroy(&barrier);
        gb[i] = (double)matrix_bytes(w) / (a.done > b.done ? a.done : b.done) / 1e9;
    }
    if (k)
        drop_data(d);
    return median(gb, RUNS);
}

static void bench_two(const char *name, enum ggml_type type, const struct kernels *k,
                      enum weight_layout layout)
{
    struct weight w = whole_matrix(type, layout);
    double limit = two_threads(NULL, &w), gb = two_threads(k, &w);
    printf("%-7s %-7s %-6s %6.2f GB/s of %6.2f plain: %4.0f%%\n", name, k->isa,
           layout == WEIGHT_PANELS ? "panels" : "rows", gb, limit, gb / limit * 100);
    fflush(stdout);
}

static void bench_table(const struct kernels *k, int n_wanted, char **wanted, bool two)
{
    double limit[2] = {bench_peak_cpu(k->isa, false) * 0.5e-9,
                       bench_peak_cpu(k->isa, true) * 0.5e-9}; /* GMAC/s */
    printf("\n%s: reading %.1f GB/s, int8 %.0f GMAC/s, single precision %.0f GMAC/s\n", k->isa,
           read_limit, limit[0], limit[1]);
    if (!two)
        printf("%-7s %-7s %-6s %11s %5s  %13s %13s %13s  %11s  %6s\n", "type", "table", "layout",
               "rows 1", "", "rows 8", "rows 32", "rows 512", "s/w of Q8_0", "act");
    for (int layout = WEIGHT_PANELS; layout >= WEIGHT_ROWS; layout--)
        for (size_t t = 0; t < N_TYPES; t++) {
            bool is_wanted = n_wanted == 0;
            for (int i = 0; i < n_wanted; i++)
                is_wanted |= strcmp(wanted[i], TYPES[t].name) == 0;
            if (!is_wanted || (layout == WEIGHT_PANELS && !panels_suit(TYPES[t].type)))
                continue;
            if (two)
                bench_two(TYPES[t].name, TYPES[t].type, k, (enum weight_layout)layout);
            else
                bench_type(TYPES[t].name, TYPES[t].type, k, (enum weight_layout)layout, limit);
        }
}

int main(int argc, char **argv)
{
    const char *isa = NULL;
    bool two = false;
    int c;
    while ((c = getopt(argc, argv, "ti:")) != -1)
        if (c == 't')
            two = true;
        else if (c == 'i')
            isa = optarg;
        else
            return 2;
    weights = aligned_alloc(4096, READ_BYTES);
    if (!weights)
        return 1;
    for (size_t i = 0; i < READ_BYTES; i++)
        weights[i] = (uint8_t)((i * 2654435761u >> 13) & 0x3b);
    read_limit = reading_limit();
    for (unsigned i = 1; kernels_at(i); i++)
        if (!isa || strcmp(isa, kernels_at(i)->isa) == 0)
            bench_table(kernels_at(i), argc - optind, argv + optind, two);
    free(weights);
    return 0;
}
