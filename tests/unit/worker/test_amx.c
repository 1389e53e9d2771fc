/* test_amx.c - the AMX kernels give the definition's bits, with tiles in plain C where the CPU has
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/engine/kernels_impl.h"
#include "worker/engine/panels.h"

static const enum ggml_type TYPES[] = {GGML_Q4_0, GGML_Q4_1, GGML_Q5_0,   GGML_Q5_1,
                                       GGML_Q8_0, GGML_Q2_K, GGML_Q3_K,   GGML_Q4_K,
                                       GGML_Q5_K, GGML_Q6_K, GGML_IQ4_NL, GGML_IQ4_XS};
enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

static uint64_t state = 88172645463325252ull;

static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

/* Panels of random bytes whose halves are finite: all of their bits are used. Owned. */
static uint8_t *random_panels(enum ggml_type type, uint32_t n_in, uint32_t n_out)
{
    uint64_t bytes = panels_bytes(type, n_in, n_out);
    uint8_t *p = aligned_alloc(64, bytes);
    for (uint64_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)next_random() & (i % 2 ? 0xbb : 0xff);
    return p;
}

static float *product(const struct kernels *k, const struct weight *w, const float *x,
                      uint32_t rows, uint32_t o0, uint32_t o1)
{
    void *act = aligned_alloc(64, act_round64(k->act_bytes(w->type, w->n_in, rows)));
    float *y = calloc((size_t)rows * w->n_out, sizeof *y);
    k->act_prepare(w->type, x, w->n_in, rows, act);
    k->matmul(w, act, rows, y, w->n_out, o0, o1);
    free(act);
    return y;
}

static void compare(const struct kernels *k, enum ggml_type type, uint32_t rows)
{
    uint32_t block = quant_format(type).block;
    uint32_t n_in = block * (1 + next_random() % (block == 32 ? 21 : 3));
    uint32_t n_out = 1 + next_random() % 60, first = next_random() % n_out / PANEL_OUTPUTS;
    uint8_t *panels = random_panels(type, n_in, n_out);
    float *x = malloc((size_t)rows * n_in * sizeof *x);
    for (size_t i = 0; i < (size_t)rows * n_in; i++) /* saturated blocks now and then */
        x[i] = next_random() % 5 ? (float)(int32_t)next_random() : (i & 32 ? 3e9f : -3e9f);
    struct weight w = {type, panels, n_in, n_out, WEIGHT_PANELS};
    float *a = product(&kernels_scalar, &w, x, rows, first * PANEL_OUTPUTS, n_out);
    float *b = product(k, &w, x, rows, first * PANEL_OUTPUTS, n_out);
    for (size_t i = 0; i < (size_t)rows * n_out; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(a[i] != a[i] && b[i] != b[i]))
            fail_msg("type %d, %u rows, %u values: row %zu output %zu is %g, not %g", (int)type,
                     rows, n_in, i / n_out, i % n_out, (double)b[i], (double)a[i]);
    free(a);
    free(b);
    free(x);
    free(panels);
}

static void tiles_give_the_same_bits(void **arg)
{
    static const uint32_t ROWS[] = {1, 7, 8, 15, 16, 17, 24, 33, 64, 65, 79, 130};
    const struct kernels *k = NULL;
    (void)arg;
    for (unsigned i = 0; kernels_at(i); i++) {
#if defined(__x86_64__)
        if (strcmp(kernels_at(i)->isa, "avx512") == 0)
            k = kernels_amx_emulated();
#endif
        if (strcmp(kernels_at(i)->isa, "amx") == 0)
            k = kernels_at(i);
    }
    if (k == NULL) {
        printf("SKIP amx: this CPU has no AVX-512 with VNNI\n");
        skip();
    }
    for (int t = 0; t < N_TYPES; t++)
        for (size_t j = 0; j < sizeof ROWS / sizeof *ROWS; j++)
            compare(k, TYPES[t], ROWS[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tiles_give_the_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
