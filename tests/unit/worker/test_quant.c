/* test_quant.c - dequantize against the recorded blocks, bit for bit; half-precision conversions
 * against their definition; edges of the formats. */
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
#include "worker/engine/unpack.h"

static const struct golden {
    const char *file;
    enum ggml_type type;
} GOLDENS[] = {
    {"f16", GGML_F16},       {"bf16", GGML_BF16},     {"q4_0", GGML_Q4_0}, {"q4_1", GGML_Q4_1},
    {"q5_0", GGML_Q5_0},     {"q5_1", GGML_Q5_1},     {"q8_0", GGML_Q8_0}, {"q2_K", GGML_Q2_K},
    {"q3_K", GGML_Q3_K},     {"q4_K", GGML_Q4_K},     {"q5_K", GGML_Q5_K}, {"q6_K", GGML_Q6_K},
    {"iq4_nl", GGML_IQ4_NL}, {"iq4_xs", GGML_IQ4_XS},
};
#define N_GOLDENS (sizeof(GOLDENS) / sizeof(GOLDENS[0]))

/* Reads goldens/quant/NAME of the reference data; NULL when it is absent. */
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

static void compare_golden(const struct golden *g, const char *blocks_name, const char *out_name)
{
    size_t n_blocks, n_out;
    void *blocks = read_golden(g->file, blocks_name, &n_blocks);
    uint32_t *want = read_golden(g->file, out_name, &n_out);
    assert_non_null(blocks);
    assert_non_null(want);
    size_t n = n_out / 4, bad = 0;
    assert_true(n >= 1024);
    uint32_t *got = malloc(n_out);
    dequantize(g->type, blocks, (float *)(void *)got, n);
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i] && bad++ < 5)
            printf("%s %s [%zu]: %08x, expected %08x\n", g->file, out_name, i, got[i], want[i]);
    free(got);
    free(want);
    free(blocks);
    assert_int_equal(bad, 0);
}

static void dequantize_equals_the_recorded_values(void **arg)
{
    (void)arg;
    size_t n;
    void *p = read_golden("q4_0", "out.f32", &n);
    if (!p) {
        printf("SKIP dequantize_equals_the_recorded_values: no data below PROCTOR_REFERENCE\n");
        skip();
    }
    free(p);
    for (size_t i = 0; i < N_GOLDENS; i++) {
        compare_golden(&GOLDENS[i], "blocks.bin", "out.f32");
        compare_golden(&GOLDENS[i], "rand.blocks.bin", "rand.out.f32");
    }
}

static void every_half_goes_to_single_and_back(void **arg)
{
    (void)arg;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = f16_to_f32((uint16_t)h);
        uint32_t exp = (h >> 10) & 31, frac = h & 1023;
        if (exp == 31 && frac) {
            assert_true(isnan(f));
            assert_int_equal(f32_to_f16(f), h | 0x200);
            continue;
        }
        double want = exp == 31 ? INFINITY
                      : exp     ? ldexp(1024 + frac, (int)exp - 25)
                                : ldexp(frac, -24);
        assert_true((double)f == (h & 0x8000 ? -want : want));
        assert_int_equal(f32_to_f16(f), h);
    }
}

/* The nearest half by search over the two neighbours, even on a tie. */
static void single_to_half_rounds_to_nearest_even(void **arg)
{
    (void)arg;
    uint64_t s = 88172645463325252ull;
    for (int i = 0; i < 300000; i++) {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        uint32_t u = (uint32_t)s & 0x7fffffff;
        if (i % 2)
            u = 0x33000000 + u % 0x14800000; /* the range of halves */
        if (i % 8 == 1)
            u &= ~0xfffu; /* ties */
        float f;
        memcpy(&f, &u, sizeof(f));
        if (isnan(f))
            continue;
        uint16_t got = f32_to_f16(f);
        if ((double)f >= 65520.0) {
            assert_int_equal(got, 0x7c00);
            continue;
        }
        double mid = (double)f16_to_f32(got), e = fabs((double)f - mid);
        double up = got < 0x7bff ? (double)f16_to_f32((uint16_t)(got + 1)) - (double)f : 1e9;
        double down = got > 0 ? (double)f - (double)f16_to_f32((uint16_t)(got - 1)) : 1e9;
        assert_true(e < up || (e == up && got % 2 == 0));
        assert_true(e < down || (e == down && got % 2 == 0));
        f = -f;
        assert_int_equal(f32_to_f16(f), got | 0x8000);
    }
}

static void bf16_is_the_upper_half_of_a_single(void **arg)
{
    (void)arg;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t b = (uint16_t)h;
        float f;
        dequantize(GGML_BF16, &b, &f, 1);
        uint32_t u;
        memcpy(&u, &f, sizeof(u));
        assert_int_equal(u, h << 16);
    }
}

static void q8_0_reaches_minus_128(void **arg)
{
    (void)arg;
    uint8_t block[34] = {0x00, 0x3c, 0x80, 0x7f}; /* d = 1; -128, 127, 0 ... */
    float out[32];
    dequantize(GGML_Q8_0, block, out, 32);
    assert_true(out[0] == -128.0f && out[1] == 127.0f && out[2] == 0.0f);
}

/* unpack_values never gives more than the stated top: the vector kernels rely on it. */
static void unpacked_values_stay_within_their_range(void **arg)
{
    (void)arg;
    uint8_t p[256], u[UNPACK_MAX];
    float scale[16], min[16];
    uint64_t s = 1;
    for (size_t g = 2; g < N_GOLDENS; g++) {
        struct quant_format f = quant_format(GOLDENS[g].type);
        uint32_t seen = 0;
        for (int k = 0; k < 400; k++) {
            for (size_t i = 0; i < sizeof(p); i++) {
                s = s * 6364136223846793005ull + 1442695040888963407ull;
                p[i] = (uint8_t)(s >> 56);
            }
            unpack_values(GOLDENS[g].type, p, f.block, u, scale, min);
            for (uint32_t i = 0; i < f.block; i++)
                seen = u[i] > seen ? u[i] : seen;
        }
        assert_int_equal(seen, f.top);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dequantize_equals_the_recorded_values),
        cmocka_unit_test(every_half_goes_to_single_and_back),
        cmocka_unit_test(single_to_half_rounds_to_nearest_even),
        cmocka_unit_test(bf16_is_the_upper_half_of_a_single),
        cmocka_unit_test(q8_0_reaches_minus_128),
        cmocka_unit_test(unpacked_values_stay_within_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
