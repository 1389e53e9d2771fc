/* test_quantize.c - the bytes that quantize_row writes equal the recorded ones; refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/engine/kernels.h"
#include "worker/engine/quantize.h"

static const struct {
    const char *file;
    enum ggml_type type;
    uint32_t block, bytes;
} TYPES[] = {{"f16", GGML_F16, 1, 2},     {"bf16", GGML_BF16, 1, 2},   {"q4_0", GGML_Q4_0, 32, 18},
             {"q4_1", GGML_Q4_1, 32, 20}, {"q5_0", GGML_Q5_0, 32, 22}, {"q5_1", GGML_Q5_1, 32, 24},
             {"q8_0", GGML_Q8_0, 32, 34}};
#define N_TYPES (sizeof(TYPES) / sizeof(TYPES[0]))

static void *read_golden(const char *type, const char *what, size_t *n)
{
    const char *root = getenv("PROCTOR_REFERENCE");
    char path[4096];
    snprintf(path, sizeof(path), "%s/reference/goldens/quant/%s.%s", root ? root : "../shared",
             type, what);
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    void *p = malloc(1 << 20);
    *n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static void bytes_equal_the_recorded_blocks(void **arg)
{
    (void)arg;
    for (size_t t = 0; t < N_TYPES; t++) {
        size_t n_in, n_blocks;
        float *x = read_golden(TYPES[t].file, "in.f32", &n_in);
        if (!x) {
            printf("SKIP bytes_equal_the_recorded_blocks: no data below PROCTOR_REFERENCE\n");
            skip();
        }
        uint8_t *want = read_golden(TYPES[t].file, "blocks.bin", &n_blocks);
        assert_non_null(want);
        size_t n = n_in / 4, bad = 0;
        assert_int_equal(n / TYPES[t].block * TYPES[t].bytes, n_blocks);
        uint8_t *got = malloc(n_blocks);
        assert_int_equal(quantize_row(TYPES[t].type, x, got, n, NULL), 0);
        for (size_t i = 0; i < n_blocks; i++)
            if (got[i] != want[i] && bad++ < 5)
                printf("%s byte %zu of block %zu: %02x, expected %02x\n", TYPES[t].file,
                       i % TYPES[t].bytes, i / TYPES[t].bytes, got[i], want[i]);
        free(x);
        free(want);
        free(got);
        assert_int_equal(bad, 0);
    }
}

/* Half a step plus what rounding the scale to half precision costs. */
static void what_comes_back_is_within_a_step(void **arg)
{
    (void)arg;
    const double steps[] = {0, 0, 16, 15, 32, 31, 127};
    for (size_t t = 0; t < N_TYPES; t++) {
        float x[64], y[64];
        uint8_t p[256];
        for (int i = 0; i < 64; i++)
            x[i] = i < 32 ? (float)(i * 37 % 64 - 32) / 32.0f : -0.001f * (float)i;
        assert_int_equal(quantize_row(TYPES[t].type, x, p, 64, NULL), 0);
        dequantize(TYPES[t].type, p, y, 64);
        for (int i = 0; i < 64; i++) {
            double top = i < 32 ? 1.0 : 0.063;
            double step = steps[t] > 0 ? 2.0 * top / steps[t] : top / 128;
            assert_true(fabs((double)x[i] - (double)y[i]) <= step * 1.01);
        }
    }
}

static void a_block_of_zeros_stays_zero(void **arg)
{
    (void)arg;
    float x[32] = {0}, y[32];
    uint8_t p[128];
    for (size_t t = 0; t < N_TYPES; t++) {
        assert_int_equal(quantize_row(TYPES[t].type, x, p, 32, NULL), 0);
        dequantize(TYPES[t].type, p, y, 32);
        for (int i = 0; i < 32; i++)
            assert_true(y[i] == 0.0f);
    }
}

static void tiny_blocks_are_written_and_large_values_refused(void **arg)
{
    (void)arg;
    struct px_err err;
    float x[32], y[32];
    uint8_t p[128], untouched[128];
    memset(p, 7, sizeof(p));
    memset(untouched, 7, sizeof(untouched));
    const float bad[] = {NAN, INFINITY, -INFINITY, 1e6f};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < 32; i++)
            x[i] = 1.0f;
        x[9] = bad[k];
        for (size_t t = 2; t < N_TYPES; t++) {
            assert_int_equal(quantize_row(TYPES[t].type, x, p, 32, &err), -1);
            assert_int_equal(err.code, PX_EINPUT);
            assert_non_null(strstr(err.text, "value 9"));
            assert_memory_equal(p, untouched, sizeof(p));
        }
    }
    for (int i = 0; i < 32; i++) /* 1/d is infinite here */
        x[i] = (float)(i - 16) * 1e-44f;
    for (size_t t = 2; t < N_TYPES; t++) {
        assert_int_equal(quantize_row(TYPES[t].type, x, p, 32, &err), 0);
        dequantize(TYPES[t].type, p, y, 32);
        for (int i = 0; i < 32; i++)
            assert_true(fabsf(y[i]) < 1e-6f);
    }
}

static void other_types_and_part_blocks_are_refused(void **arg)
{
    (void)arg;
    struct px_err err;
    float x[64] = {0};
    uint8_t p[512];
    assert_int_equal(quantize_row(GGML_Q4_K, x, p, 64, &err), -1);
    assert_int_equal(err.code, PX_EUNSUPPORTED);
    assert_int_equal(quantize_row(GGML_Q8_0, x, p, 33, &err), -1);
    assert_int_equal(err.code, PX_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_equal_the_recorded_blocks),
        cmocka_unit_test(what_comes_back_is_within_a_step),
        cmocka_unit_test(a_block_of_zeros_stays_zero),
        cmocka_unit_test(tiny_blocks_are_written_and_large_values_refused),
        cmocka_unit_test(other_types_and_part_blocks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
