/* test_detmath.c - our exp, log, sin, cos and pow against long double libm, and their edges. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/engine/kernels.h"

static uint64_t state = 0x9e3779b97f4a7c15ull;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double between(double lo, double hi)
{
    return lo + (hi - lo) * ((double)(next_random() >> 11) * 0x1p-53);
}

/* Distance from the exact value in units of the double's last place there. */
static double ulps(double got, long double want)
{
    int e;
    frexpl(want, &e);
    e = e - 53 < -1074 ? -1074 : e - 53;
    return (double)(fabsl((long double)got - want) / ldexpl(1.0L, e));
}

static double ulps_f(float got, double want)
{
    int e;
    frexp(want, &e);
    e = e - 24 < -149 ? -149 : e - 24;
    return fabs((double)got - want) / ldexp(1.0, e);
}

static void expf_is_within_one_ulp_everywhere(void **arg)
{
    (void)arg;
    double worst = 0;
    for (int i = 0; i < 100000; i++) {
        float x = (float)between(-103.9, 88.7);
        worst = fmax(worst, ulps_f(det_expf(x), exp((double)x)));
    }
    printf("expf: %.3f ulp\n", worst);
    assert_true(worst < 1.0);
}

static void expf_has_defined_edges(void **arg)
{
    (void)arg;
    assert_true(det_expf(0.0f) == 1.0f && det_expf(-0.0f) == 1.0f);
    assert_true(isinf(det_expf(88.73f)) && isinf(det_expf(INFINITY)) && isinf(det_expf(3e38f)));
    assert_true(det_expf(88.72f) <= FLT_MAX && det_expf(88.72f) > 3.3e38f);
    assert_true(det_expf(-104.0f) == 0.0f && det_expf(-INFINITY) == 0.0f);
    assert_true(det_expf(-103.0f) > 0.0f);
    assert_true(isnan(det_expf(NAN)));
}

static void exp_is_within_one_ulp_everywhere(void **arg)
{
    (void)arg;
    double worst = 0;
    for (int i = 0; i < 50000; i++) {
        double x = i % 2 ? between(-745.0, 709.7) : between(-2.0, 2.0);
        worst = fmax(worst, ulps(det_exp(x), expl((long double)x)));
    }
    printf("exp: %.3f ulp\n", worst);
    assert_true(worst < 1.0);
    assert_true(det_exp(0.0) == 1.0 && det_exp(-800.0) == 0.0 && isinf(det_exp(709.79)));
    assert_true(isinf(det_exp(INFINITY)) && det_exp(-INFINITY) == 0.0 && isnan(det_exp(NAN)));
}

static void log_is_within_one_ulp_everywhere(void **arg)
{
    (void)arg;
    double worst = 0;
    for (int i = 0; i < 50000; i++) {
        double x = between(0.5, 2.0);
        if (i % 3 == 0)
            x = ldexp(x, (int)between(-1060, 1020));
        if (i % 3 == 1)
            x = 1.0 + (x - 1.25) * 1e-6;
        worst = fmax(worst, ulps(det_log(x), logl((long double)x)));
    }
    printf("log: %.3f ulp\n", worst);
    assert_true(worst < 1.0);
    assert_true(det_log(1.0) == 0.0 && isinf(det_log(0.0)) && det_log(0.0) < 0);
    assert_true(isnan(det_log(-1.0)) && isnan(det_log(NAN)) && isinf(det_log(INFINITY)));
    assert_true(ulps(det_log(DBL_TRUE_MIN), logl((long double)DBL_TRUE_MIN)) < 1.0);
}

static void sincos_is_within_one_ulp_up_to_a_million(void **arg)
{
    (void)arg;
    double worst = 0, s, c;
    for (int i = 0; i < 50000; i++) {
        double x = i % 3 ? between(-1e6, 1e6) : between(-4.0, 4.0);
        if (i % 5 == 0)
            x = (double)(int64_t)x;
        if (i % 7 == 0) /* next to a zero of one of them */
            x = (double)((int64_t)(x / 2)) * 1.57079632679489661923;
        det_sincos(x, &s, &c);
        worst = fmax(worst, ulps(s, sinl((long double)x)));
        worst = fmax(worst, ulps(c, cosl((long double)x)));
    }
    printf("sin, cos: %.3f ulp\n", worst);
    assert_true(worst < 1.0);
    det_sincos(0.0, &s, &c);
    assert_true(s == 0.0 && c == 1.0);
    det_sincos(1e7, &s, &c);
    assert_true(isnan(s) && isnan(c));
}

static void pow_is_within_one_ulp_for_rope_and_close_beyond(void **arg)
{
    (void)arg;
    double worst = 0, worst_far = 0;
    for (int i = 0; i < 50000; i++) {
        double base = between(2.0, 5e6), e = between(-1.0, 0.0);
        worst = fmax(worst, ulps(det_pow(base, e), powl((long double)base, (long double)e)));
        double x = between(0.01, 100.0), y = between(-150.0, 150.0);
        worst_far = fmax(worst_far, ulps(det_pow(x, y), powl((long double)x, (long double)y)));
    }
    printf("pow: %.3f ulp, far %.3f ulp\n", worst, worst_far);
    assert_true(worst < 1.0);
    assert_true(worst_far < 8.0);
    assert_true(det_pow(10.0, 0.0) == 1.0 && det_pow(1.0, 1e300) == 1.0);
    assert_true(det_pow(2.0, 10.0) == 1024.0 && isinf(det_pow(2.0, 2000.0)));
    assert_true(det_pow(2.0, -2000.0) == 0.0 && det_pow(0.0, 2.0) == 0.0);
    assert_true(isinf(det_pow(0.0, -1.0)) && isnan(det_pow(-1.0, 0.5)));
    assert_true(det_pow(0.5, INFINITY) == 0.0 && isinf(det_pow(0.5, -INFINITY)));
}

/* The bits themselves: what any machine must give. */
static void golden_bits(void **arg)
{
    (void)arg;
    uint64_t h = 1469598103934665603ull;
    for (int i = 0; i < 2000; i++) {
        double x = -30.0 + 0.03 * i, v[5];
        v[0] = det_exp(x);
        v[1] = det_log(x * x + 0.1);
        det_sincos(x * 1000, &v[2], &v[3]);
        v[4] = (double)det_expf((float)x) + det_pow(10000.0, x / 64);
        for (size_t k = 0; k < sizeof(v); k++)
            h = (h ^ ((unsigned char *)v)[k]) * 1099511628211ull;
    }
    printf("bits: %016llx\n", (unsigned long long)h);
    assert_true(h == 0x002b2b70886e9a85ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expf_is_within_one_ulp_everywhere),
        cmocka_unit_test(expf_has_defined_edges),
        cmocka_unit_test(exp_is_within_one_ulp_everywhere),
        cmocka_unit_test(log_is_within_one_ulp_everywhere),
        cmocka_unit_test(sincos_is_within_one_ulp_up_to_a_million),
        cmocka_unit_test(pow_is_within_one_ulp_for_rope_and_close_beyond),
        cmocka_unit_test(golden_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
