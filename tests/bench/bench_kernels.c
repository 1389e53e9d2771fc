/* bench_kernels.c - how fast each table of kernels multiplies each type of weights.
 *
 * One thread, its CPU time. rows = 1 (decoding) in GB/s of weights read, over a matrix larger than
 * the inner caches; rows = 16 (batches, prompts) in GFLOP/s. Medians; ratios to the scalar
 * definition are of the same run. Usage: bench_kernels [TYPE ...] */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker/engine/kernels_impl.h"

#define N_IN 2048
#define N_OUT_1 8192 /* 9 MB of Q4_0, 67 MB of F32 */
#define N_OUT_16 512

static const struct {
    const char *name;
    enum ggml_type type;
} TYPES[] = {{"F32", GGML_F32},   {"F16", GGML_F16},       {"BF16", GGML_BF16},
             {"Q4_0", GGML_Q4_0}, {"Q4_1", GGML_Q4_1},     {"Q5_0", GGML_Q5_0},
             {"Q5_1", GGML_Q5_1}, {"Q8_0", GGML_Q8_0},     {"Q2_K", GGML_Q2_K},
             {"Q3_K", GGML_Q3_K}, {"Q4_K", GGML_Q4_K},     {"Q5_K", GGML_Q5_K},
             {"Q6_K", GGML_Q6_K}, {"IQ4_NL", GGML_IQ4_NL}, {"IQ4_XS", GGML_IQ4_XS}};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The thread's own CPU time: neighbours on the machine do not count. */
static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Median time of one product in microseconds. */
static double measure(const struct kernels *k, const struct weight *w, uint32_t rows)
{
    enum { RUNS = 15 };
    float *x = calloc((size_t)rows * N_IN, 4), *y = calloc((size_t)rows * w->n_out, 4);
    for (uint32_t i = 0; i < rows * N_IN; i++)
        x[i] = (float)(i * 2654435761u >> 20) / 2048.0f - 1.0f;
    void *act = aligned_alloc(64, k->act_bytes(w->type, N_IN, rows));
    int64_t t[RUNS];
    int n = k == kernels_at(0) ? 3 : RUNS;
    for (int i = 0; i < n; i++) {
        int64_t start = cpu_ns();
        k->act_prepare(w->type, x, N_IN, rows, act);
        k->matmul(w, act, rows, y, w->n_out, 0, w->n_out);
        t[i] = cpu_ns() - start;
    }
    qsort(t, (size_t)n, sizeof(t[0]), compare);
    free(act);
    free(x);
    free(y);
    return (double)t[n / 2] / 1e3;
}

static void bench_type(const char *name, enum ggml_type type)
{
    size_t bytes = weight_row_bytes(type, N_IN) * N_OUT_1;
    uint8_t *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) /* finite as halves and floats too */
        data[i] = (uint8_t)((i * 2654435761u >> 13) & 0x3b);
    double base1 = 0, base16 = 0;
    for (unsigned i = 0; kernels_at(i); i++) {
        struct weight w = {type, data, N_IN, N_OUT_1, WEIGHT_ROWS};
        double gb = (double)bytes / measure(kernels_at(i), &w, 1) / 1e3;
        w.n_out = N_OUT_16;
        double gf = 2.0 * N_IN * N_OUT_16 * 16 / measure(kernels_at(i), &w, 16) / 1e3;
        if (i == 0) {
            base1 = gb;
            base16 = gf;
        }
        printf("%-7s %-7s %8.2f GB/s %6.2f x   %8.1f GFLOP/s %6.2f x\n", name, kernels_at(i)->isa,
               gb, gb / base1, gf, gf / base16);
    }
    free(data);
}

int main(int argc, char **argv)
{
    printf("%-7s %-7s %13s %8s   %16s %8s\n", "type", "table", "rows = 1", "ratio", "rows = 16",
           "ratio");
    for (size_t t = 0; t < N_TYPES; t++) {
        int wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= strcmp(argv[i], TYPES[t].name) == 0;
        if (wanted)
            bench_type(TYPES[t].name, TYPES[t].type);
    }
    return 0;
}
