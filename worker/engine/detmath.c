/* detmath.c - exp, log, sin, cos and pow with defined bits.
 *
 * libm picks variants per CPU, so it may not decide a bit of a result. Here every operation is one
 * IEEE operation with one right answer: + - * /, fma, and conversions, in a fixed order. fma() and
 * fmaf() are the exactly rounded ones whether they are an instruction or a library call. The
 * polynomials are plain Taylor series on reduced arguments, long enough for the last bit.
 * Rounding mode: to nearest even, as the process starts with. Pure, any thread. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "worker/engine/detmath_exp.h"
#include "worker/engine/detmath_expf.h"
#include "worker/engine/kernels.h"

static double bits_to_double(uint64_t u)
{
    double d;
    memcpy(&d, &u, sizeof(d));
    return d;
}

static uint64_t double_to_bits(double d)
{
    uint64_t u;
    memcpy(&u, &d, sizeof(u));
    return u;
}

/* 2^k for -1022 <= k <= 1023. */
static double pow2(int k)
{
    return bits_to_double((uint64_t)(k + 1023) << 52);
}

/* Nearest integer, ties to even, for |x| < 2^51: the addition does the rounding. */
static double round_even(double x)
{
    double t = x + EXP_MAGIC;
    return t - EXP_MAGIC;
}

float det_expf(float x)
{
    return expf_defined(x);
}

/* exp(x + x_lo), x_lo far below x's last bit. */
static double exp_pair(double x, double x_lo)
{
    static const double c[EXP_N_TERMS] = EXP_TERMS;
    double n = round_even(x * EXP_LOG2E);
    double a = fma(n, -EXP_LN2_HI, x);
    double r = fma(n, -EXP_LN2_LO, a);
    double r_lo = fma(n, -EXP_LN2_LO, a - r) + x_lo;
    double p = c[0];
    for (size_t i = 1; i < EXP_N_TERMS; i++)
        p = fma(p, r, c[i]);
    double h = 1.0 + r, h_lo = (1.0 - h) + r;
    p *= r * r;
    p = h + (h_lo + fma(r_lo, h + p, p));
    int k = (int)n, k1 = k / 2;
    return p * pow2(k1) * pow2(k - k1);
}

double det_exp(double x)
{
    if (isnan(x))
        return x;
    if (x > EXP_MAX)
        return INFINITY;
    if (x < EXP_MIN)
        return 0.0;
    return exp_pair(x, 0.0);
}

/* log(x) = hi + lo for finite x > 0; lo carries about seven bits beyond the double. */
static void log_pair(double x, double *hi, double *lo)
{
    /* 2/(2k+3): log(1+f) = 2s + s^3 (2/3 + 2/5 s^2 + ...), s = f/(2+f), s^2 < 0.0295. */
    static const double c[] = {2.0 / 25, 2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15,
                               2.0 / 13, 2.0 / 11, 2.0 / 9,  2.0 / 7,  2.0 / 5,  2.0 / 3};
    int e = 0;
    if (x < DBL_MIN) {
        x *= 0x1p54;
        e = -54;
    }
    uint64_t u = double_to_bits(x);
    e += (int)(u >> 52) - 1023;
    double m = bits_to_double((u & 0xfffffffffffffull) | 0x3ff0000000000000ull);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        e++;
    }
    double f = m - 1.0;
    double den = 2.0 + f, den_lo = f - (den - 2.0);
    double s = f / den;
    double s_lo = (fma(-s, den, f) - s * den_lo) / den;
    double z = s * s, p = c[0];
    for (size_t i = 1; i < sizeof(c) / sizeof(c[0]); i++)
        p = fma(p, z, c[i]);
    double tail = fma(2.0, s_lo, s * z * p);
    /* e ln2 + 2s + tail: each sum keeps its rounding error. */
    double a = (double)e * EXP_LN2_HI, a_lo = fma((double)e, EXP_LN2_HI, -a);
    a_lo = fma((double)e, EXP_LN2_LO, a_lo);
    double b = 2.0 * s, h = a + b, t = h - a;
    double h_lo = (a - (h - t)) + (b - t) + a_lo + tail;
    *hi = h + h_lo;
    *lo = h_lo - (*hi - h);
}

double det_log(double x)
{
    if (isnan(x) || x < 0.0)
        return NAN;
    if (x == 0.0)
        return -INFINITY;
    if (isinf(x))
        return x;
    double hi, lo;
    log_pair(x, &hi, &lo);
    return hi;
}

double det_pow(double x, double y)
{
    if (isnan(x) || isnan(y) || x < 0.0)
        return NAN;
    if (y == 0.0 || x == 1.0)
        return 1.0;
    if (x == 0.0 || isinf(x) || isinf(y)) {
        bool grows = isinf(y) ? (x > 1.0) == (y > 0.0) : (x == 0.0) == (y < 0.0);
        return grows ? INFINITY : 0.0;
    }
    double hi, lo;
    log_pair(x, &hi, &lo);
    double p = y * hi;
    if (p > EXP_MAX || p < EXP_MIN)
        return det_exp(p);
    return exp_pair(p, fma(y, hi, -p) + y * lo);
}

/* sin and cos of r + t, |r| <= pi/4, t far below r's last bit. */
static double sin_reduced(double r, double t)
{
    static const double c[] = {-1.0 / 121645100408832000.0,
                               1.0 / 355687428096000.0,
                               -1.0 / 1307674368000.0,
                               1.0 / 6227020800.0,
                               -1.0 / 39916800.0,
                               1.0 / 362880.0,
                               -1.0 / 5040.0,
                               1.0 / 120.0,
                               -1.0 / 6.0};
    double z = r * r, p = c[0];
    for (size_t i = 1; i < sizeof(c) / sizeof(c[0]); i++)
        p = fma(p, z, c[i]);
    return r + fma(z * r, p, t);
}

static double cos_reduced(double r, double t)
{
    static const double c[] = {1.0 / 2432902008176640000.0,
                               -1.0 / 6402373705728000.0,
                               1.0 / 20922789888000.0,
                               -1.0 / 87178291200.0,
                               1.0 / 479001600.0,
                               -1.0 / 3628800.0,
                               1.0 / 40320.0,
                               -1.0 / 720.0,
                               1.0 / 24.0};
    double z = r * r, p = c[0];
    for (size_t i = 1; i < sizeof(c) / sizeof(c[0]); i++)
        p = fma(p, z, c[i]);
    double h = 0.5 * z, w = 1.0 - h;
    double low = ((1.0 - w) - h) - fma(0.5 * r, r, -h);
    return w + (low + fma(z * z, p, -r * t));
}

void det_sincos(double x, double *s, double *c)
{
    if (isnan(x) || fabs(x) > 1e6) {
        *s = *c = NAN; /* beyond the promise: never a plausible number */
        return;
    }
    /* x - n pi/2: the first difference is exact (both are multiples of 2^-52 below 1). */
    const double p1 = 0x1.921fb54442d18p+0, p2 = 0x1.1a62633145c07p-54,
                 p3 = -0x1.f1976b7ed8fbcp-110;
    double n = round_even(x * 0x1.45f306dc9c883p-1);
    double a = fma(n, -p1, x);
    double w = n * p2, w_lo = fma(n, p2, -w);
    double r = a - w, v = r - a;
    double t = fma(n, -p3, (a - (r - v)) - (w + v) - w_lo);
    double sr = sin_reduced(r, t), cr = cos_reduced(r, t);
    switch ((int64_t)n & 3) {
    case 0:
        *s = sr;
        *c = cr;
        break;
    case 1:
        *s = cr;
        *c = -sr;
        break;
    case 2:
        *s = -sr;
        *c = -cr;
        break;
    default:
        *s = -cr;
        *c = sr;
        break;
    }
}
