/* test_neon.c - the kernels on their own: every table of this processor against the definition, bit
 * by bit, and a hash of what the definition gives.
 *
 * Needs the C library alone, so that it can be linked statically for another processor and run
 * there: tests/neon/run.sh does, and compares the hash with that of this machine. Inputs come from
 * integer arithmetic in a fixed order. Where a result is not a number its sign and payload do not
 * count (docs/numerics.md). Prints "tables: ..." and "hash ...", exits 1 when something differs. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

enum { MAX_IN = 1024, MAX_OUT = 48, MAX_ROWS = 130, MAX_HEAD = 150, MAX_BYTES = 1 << 20 };

static const struct {
    enum ggml_type type;
    const char *name;
    int d, m; /* where a block has its halves, -1: nowhere */
} TYPES[] = {
    {GGML_F32, "F32", -1, -1},    {GGML_F16, "F16", -1, -1},      {GGML_BF16, "BF16", -1, -1},
    {GGML_Q4_0, "Q4_0", 0, -1},   {GGML_Q4_1, "Q4_1", 0, 2},      {GGML_Q5_0, "Q5_0", 0, -1},
    {GGML_Q5_1, "Q5_1", 0, 2},    {GGML_Q8_0, "Q8_0", 0, -1},     {GGML_Q2_K, "Q2_K", 80, 82},
    {GGML_Q3_K, "Q3_K", 108, -1}, {GGML_Q4_K, "Q4_K", 0, 2},      {GGML_Q5_K, "Q5_K", 0, 2},
    {GGML_Q6_K, "Q6_K", 208, -1}, {GGML_IQ4_NL, "IQ4_NL", 0, -1}, {GGML_IQ4_XS, "IQ4_XS", 0, -1},
};
#define N_TYPES (sizeof TYPES / sizeof *TYPES)

/* ---- inputs ---- */

static uint64_t state = 0x2545f4914f6cdd1dull;

static uint32_t next_random(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 32);
}

/* In [-1, 1). */
static float next_float(void)
{
    return (float)((double)next_random() * 0x1p-31 - 1.0);
}

static float any_bits(void)
{
    uint32_t u = next_random();
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

enum { PLAIN, TIES, TINY, HUGE_ONES, ENDS, ANY, KINDS };

static float next_of(int kind, uint32_t i)
{
    static const float ends[] = {0.0f,  -0.0f,    0x1p-149f,       0x1p-126f, 0x1p-100f, 0x1p-101f,
                                 65519, 65520.0f, 0x1.fffffep127f, INFINITY,  -INFINITY, NAN};
    float f = next_float();
    switch (kind) {
    case PLAIN:
        return next_random() % 16 ? f : f * 30.0f;
    case TIES: /* halves of the step that a block is rounded to, and whole blocks of extremes */
        return i / 64 % 2 ? 3.0f : (float)(int)(next_random() % 254) * 0.5f - 63.5f;
    case TINY:
        return next_random() % 3 ? f * 0x1p-140f : f * 0x1p-99f;
    case HUGE_ONES:
        return f * 0x1p127f;
    case ENDS: /* a block that has one, and blocks of zeros, among plain ones */
        return i / 32 % 3 == 1      ? 0.0f
               : next_random() % 40 ? f
                                    : ends[next_random() % (sizeof ends / sizeof *ends)];
    default:
        return any_bits();
    }
}

static void fill(float *x, uint32_t n, int kind)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = next_of(kind, i);
}

static void put_half(uint8_t *p, float f)
{
    uint16_t h = f32_to_f16(f);
    memcpy(p, &h, sizeof h);
}

/* Kind 0: any bits with ordinary scales; 1, 2, 3: all bytes alike; 4: any bits, scales as well. */
static void fill_weights(size_t t, uint32_t n_in, uint32_t n_out, int kind, uint8_t *p)
{
    static const int same[] = {0, 0x80, 0xff, 0x00};
    const struct quant_format f = quant_format(TYPES[t].type);
    const size_t bytes = weight_row_bytes(TYPES[t].type, n_in) * n_out;
    for (size_t i = 0; i < bytes; i++)
        p[i] = kind % 4 ? (uint8_t)same[kind] : (uint8_t)next_random();
    if (f.block == 0 && kind != 4)
        for (size_t i = 0; i < (size_t)n_in * n_out; i++) {
            float v = next_float();
            if (TYPES[t].type == GGML_F16)
                put_half(p + 2 * i, v);
            else if (TYPES[t].type == GGML_BF16)
                memcpy(p + 2 * i, (uint8_t *)&v + 2, 2);
            else
                memcpy(p + 4 * i, &v, 4);
        }
    for (size_t b = 0; f.block && kind != 4 && b < bytes / f.bytes; b++) {
        put_half(p + b * f.bytes + TYPES[t].d, next_float() * 0.01f);
        if (TYPES[t].m >= 0)
            put_half(p + b * f.bytes + TYPES[t].m, next_float() * 0.01f);
    }
}

/* ---- results ---- */

enum { PARTS = 4 }; /* results of one table that are compared one by one */

static struct result {
    uint8_t bytes[MAX_BYTES];
    size_t n;
} got, wanted[PARTS];

static uint64_t hash = 0xcbf29ce484222325ull; /* FNV-1a */
static unsigned compared, different;

static void put(const void *p, size_t n)
{
    if (n > sizeof got.bytes - got.n) {
        fprintf(stderr, "test_neon: a result of more than %d bytes\n", MAX_BYTES);
        exit(2);
    }
    memcpy(got.bytes + got.n, p, n);
    got.n += n;
}

static void put_floats(const float *x, size_t n)
{
    static const uint32_t no_number = 0x7fc00000;
    for (size_t i = 0; i < n; i++)
        put(isnan(x[i]) ? (const void *)&no_number : &x[i], 4);
}

static void put_doubles(const double *x, size_t n)
{
    static const uint64_t no_number = 0x7ff8000000000000ull;
    for (size_t i = 0; i < n; i++)
        put(isnan(x[i]) ? (const void *)&no_number : &x[i], 8);
}

/* What was put is a part of table t's results: the definition's is kept and hashed, the others' is
 * compared. `what`, a and b say what it was. */
static void settle(unsigned t, int part, const char *what, uint32_t a, uint32_t b)
{
    struct result *want = &wanted[part];
    if (t == 0) {
        for (size_t i = 0; i < got.n; i++)
            hash = (hash ^ got.bytes[i]) * 0x100000001b3ull;
        memcpy(want->bytes, got.bytes, got.n);
        want->n = got.n;
    } else {
        compared++;
        if (got.n != want->n || memcmp(got.bytes, want->bytes, got.n) != 0) {
            size_t i = 0;
            while (i < got.n && i < want->n && got.bytes[i] == want->bytes[i])
                i++;
            if (different++ < 20)
                printf("DIFFERENT %s: %s (%u, %u), part %d from byte %zu of %zu on\n",
                       kernels_at(t)->isa, what, a, b, part, i, got.n);
        }
    }
    got.n = 0;
}

/* ---- matrices ---- */

static uint8_t weights[MAX_IN * MAX_OUT * 4];
static uint8_t packed[MAX_IN * MAX_OUT * 4] __attribute__((aligned(64)));
static uint8_t act[MAX_ROWS * (MAX_IN * 4 + 1024)] __attribute__((aligned(64)));
static float in[MAX_ROWS * MAX_IN], out[MAX_ROWS * (MAX_OUT + 2)];

static void put_prepared(enum ggml_type type, uint32_t n_in, uint32_t rows)
{
    const struct quant_format f = quant_format(type);
    const struct act_layout l = act_layout(type, n_in);
    for (uint32_t r = 0; r < rows; r++) {
        const uint8_t *row = act + r * l.bytes;
        if (f.block == 0) {
            put(row, l.bytes);
            continue;
        }
        put(row, n_in);
        put_floats((const float *)(const void *)(row + l.scale), n_in / ACT_BLOCK);
        put(row + l.corr, n_in / f.sub * 4);
        put_floats((const float *)(const void *)(row + l.sum), n_in / f.sub);
    }
}

static void check_matrix(size_t t, bool is_panels, int kind, int values)
{
    static const uint32_t few[] = {1, 2, 3, 5, 7, 8, 13, 16, 17, 33, 67, 130};
    const enum ggml_type type = TYPES[t].type;
    const struct quant_format f = quant_format(type);
    const uint32_t blocks = f.block == 256 ? 3 : f.block == 32 ? 11 : 0;
    const uint32_t n_in =
        f.block ? f.block * (1 + next_random() % blocks) : 1 + next_random() % 300;
    const uint32_t n_out = 1 + next_random() % MAX_OUT;
    const uint32_t rows = few[next_random() % (sizeof few / sizeof *few)];
    const uint32_t step = is_panels ? PANEL_OUTPUTS : 1, steps = (n_out + step - 1) / step;
    const uint32_t first = next_random() % steps;
    const uint32_t last = first + 1 + next_random() % (steps - first);
    const uint32_t o1 = last * step < n_out ? last * step : n_out, stride = n_out + 1;
    struct weight w = {type, weights, n_in, n_out, WEIGHT_ROWS};
    fill_weights(t, n_in, n_out, kind, weights);
    fill(in, n_in * rows, values);
    if (is_panels) {
        panels_pack(type, weights, n_in, n_out, 0, steps, packed);
        w.data = packed;
        w.layout = WEIGHT_PANELS;
    }
    for (unsigned k = 0; kernels_at(k); k++) {
        memset(act, 0, sizeof act);
        kernels_at(k)->act_prepare(type, in, n_in, rows, act);
        put_prepared(type, n_in, rows);
        settle(k, 0, TYPES[t].name, rows, n_in);
        for (uint32_t i = 0; i < rows * stride; i++)
            out[i] = 12345.0f; /* nothing beyond the range is touched */
        kernels_at(k)->matmul(&w, act, rows, out, stride, first * step, o1);
        put_floats(out, rows * stride);
        settle(k, is_panels ? 2 : 1, TYPES[t].name, rows, n_in);
    }
}

static void check_matrices(void)
{
    enum { ROUNDS = 3 };
    for (size_t t = 0; t < N_TYPES; t++)
        for (int is_panels = 0; is_panels <= panels_suit(TYPES[t].type); is_panels++)
            for (int kind = 0; kind < 5; kind++)
                for (int values = 0; values < KINDS * ROUNDS; values++)
                    check_matrix(t, is_panels, kind, values % KINDS);
}

/* What has no table: the definition's own functions. */
static void check_definition(void)
{
    static float wide[MAX_IN];
    for (size_t t = 0; t < N_TYPES; t++)
        for (int kind = 0; kind < 5; kind++) {
            const uint32_t n = quant_format(TYPES[t].type).block == 32 ? 96 : 512;
            fill_weights(t, n, 1, kind, weights);
            dequantize(TYPES[t].type, weights, wide, n);
            put_floats(wide, n);
        }
    for (int i = 0; i < 2000; i++) {
        const double x = (double)next_float(), y = (double)next_float();
        const double r[] = {det_exp(x * 750), det_log(fabs(x) * 9), det_log(fabs(y) * 0x1p-1040),
                            det_pow(fabs(x) * 99, y * 9)};
        const float f[] = {det_expf((float)x * 110), f16_to_f32((uint16_t)next_random())};
        double s, c;
        uint16_t h = f32_to_f16(any_bits());
        det_sincos(x * 1e5, &s, &c);
        put_doubles(r, 4);
        put_doubles(&s, 1);
        put_doubles(&c, 1);
        put_floats(f, 2);
        put(&h, 2);
    }
    settle(0, 0, "definition", 0, 0);
}

/* ---- vectors ---- */

static float a[4096], b[4096], y[4096];
static uint16_t half[MAX_HEAD * 33], other[4096];
static double sums[4096];

static void check_sums(const struct kernels *k, uint32_t n, int kind)
{
    /* The sign of a zero is the only thing that the order of a maximum decides. */
    float r = k->max(a, n) + 0.0f;
    put_floats(&r, 1);
    r = k->exp_blocks(a, kind == PLAIN ? 2.5f : 0.0f, y, n);
    put_floats(&r, 1);
    put_floats(y, n);
    double s = k->exp_sum(a, 0.25, 1.0, sums, n);
    put_doubles(&s, 1);
    put_doubles(sums, n);
    s = k->exp_sum(a, -3.0, 0.3, NULL, n);
    put_doubles(&s, 1);
}

static void check_vectors(uint32_t n, int kind)
{
    fill(a, n, kind);
    fill(b, n, kind);
    for (unsigned t = 0; kernels_at(t); t++) {
        const struct kernels *k = kernels_at(t);
        check_sums(k, n, kind);
        settle(t, 0, "max, exp", n, (uint32_t)kind);
        k->rms_norm(a, b, 1e-6f, n, y);
        put_floats(y, n);
        settle(t, 1, "rms_norm", n, (uint32_t)kind);
        k->silu_mul(a, b, y, n);
        put_floats(y, n);
        k->add(y, b, n);
        put_floats(y, n);
        k->scale(y, 1.7f, n);
        put_floats(y, n);
        settle(t, 2, "silu_mul, add, scale", n, (uint32_t)kind);
        k->f32_to_f16(a, other, n);
        put(other, n * 2);
        k->f16_to_f32(other, y, n);
        put_floats(y, n);
        settle(t, 3, "halves", n, (uint32_t)kind);
    }
}

static void check_q8(uint32_t n, int kind)
{
    int8_t q[MAX_HEAD * 2];
    fill(a, n, kind);
    for (unsigned t = 0; kernels_at(t); t++) {
        kernels_at(t)->f32_to_q8(a, q, other, n);
        put(q, n);
        put(other, n / 32 * 2);
        kernels_at(t)->q8_to_f32(q, other, y, n);
        put_floats(y, n);
        settle(t, 0, "q8", n, (uint32_t)kind);
    }
}

/* ---- attention ---- */

static float key[MAX_HEAD * 33], query[MAX_HEAD * 11], columns[MAX_HEAD * KERNEL_BLOCK];
static float shares[11 * 40], tile[MAX_HEAD * 11];

static void check_blocks(unsigned t, uint32_t rows, uint32_t n)
{
    const struct kernels *k = kernels_at(t);
    k->dots_f32(query, key, rows, n, y);
    put_floats(y, rows);
    k->dots_f16(query, half, rows, n, y);
    put_floats(y, rows);
    settle(t, 0, "dots", rows, n);
    k->sums_f32(shares, key, rows, n, y);
    put_floats(y, n);
    k->sums_f16(shares, half, rows, n, y);
    put_floats(y, n);
    settle(t, 1, "sums", rows, n);
}

static void check_tiles(unsigned t, uint32_t queries, uint32_t n, const uint32_t *counts)
{
    enum { STRIDE = KERNEL_BLOCK + 5 };
    const struct kernels *k = kernels_at(t);
    memset(y, 0, sizeof y);
    k->columns_f16(half, n, columns);
    put_floats(columns, (size_t)n * KERNEL_BLOCK);
    k->columns_f32(key, n, columns);
    put_floats(columns, (size_t)n * KERNEL_BLOCK);
    k->dots_tile(query, queries, columns, n, 0.3f, y, STRIDE);
    put_floats(y, queries * STRIDE);
    settle(t, 2, "columns, dots_tile", queries, n);
    for (uint32_t i = 0; i < queries * n; i++)
        tile[i] = 0.5f;
    k->sums_tile(shares, STRIDE, counts, queries, key, n, tile);
    put_floats(tile, queries * n);
    settle(t, 3, "sums_tile", queries, n);
}

static void check_attention(uint32_t n, int kind)
{
    static const uint32_t few[] = {1, 2, 3, 4, 5, 8, 15, 31, 32, 33};
    uint32_t counts[11], queries = 1 + next_random() % 11;
    uint32_t rows = few[next_random() % (sizeof few / sizeof *few)];
    fill(key, n * 33, kind);
    fill(query, n * 11, kind == ANY ? PLAIN : kind);
    fill(shares, sizeof shares / sizeof *shares, PLAIN);
    kernels_at(0)->f32_to_f16(key, half, n * 33);
    for (uint32_t i = 0; i < 11; i++)
        counts[i] = next_random() % (KERNEL_BLOCK + 1);
    for (unsigned t = 0; kernels_at(t); t++)
        check_blocks(t, rows, n);
    for (unsigned t = 0; kernels_at(t); t++)
        check_tiles(t, queries, n, counts);
}

int main(void)
{
    check_definition();
    check_matrices();
    for (uint32_t n = 1; n <= 4096; n += n < 70 ? 1 : n / 2)
        for (int kind = 0; kind < KINDS; kind++)
            check_vectors(n, kind);
    for (uint32_t n = 32; n <= 256; n *= 2)
        for (int kind = 0; kind < KINDS; kind++)
            check_q8(n, kind);
    for (uint32_t n = 1; n <= MAX_HEAD; n += n < 20 ? 1 : n < 64 ? 4 : 16)
        for (int kind = 0; kind < KINDS; kind++)
            check_attention(n, kind);
    printf("tables:");
    for (unsigned t = 0; kernels_at(t); t++)
        printf(" %s", kernels_at(t)->isa);
    printf("\nhash %016llx\n%u results compared, %u different\n", (unsigned long long)hash,
           compared, different);
    return different != 0;
}
