/* math_real.c - elementary functions in binary128 by series, complex numbers with error bounds.
 *
 * Series: Abramowitz and Stegun, chapter 4. Constants are sums of three doubles. */
#include "sandbox/score/math_real.h"

#include <stdint.h>

static const math_real tiny = 0x1p-108; /* relative error of one operation, with room to spare */

math_real math_pi(void)
{
    return (math_real)0x1.921fb54442d18p+1 + (math_real)0x1.1a62633145c07p-53 +
           (math_real)-0x1.f1976b7ed8fbcp-109;
}

static math_real ln2(void)
{
    return (math_real)0x1.62e42fefa39efp-1 + (math_real)0x1.abc9e3b39803fp-56 +
           (math_real)0x1.7b57a079a1934p-111;
}

math_real math_abs(math_real x)
{
    return x < 0 ? -x : x;
}

bool math_is_finite(math_real x)
{
    return x - x == 0;
}

math_real math_floor(math_real x)
{
    math_real whole = (math_real)(int64_t)x;
    return whole > x ? whole - 1 : whole;
}

/* x * 2^n */
static math_real scale(math_real x, int n)
{
    math_real step = n < 0 ? 0.5 : 2;
    for (unsigned k = n < 0 ? -(unsigned)n : (unsigned)n; k > 0; k >>= 1, step *= step)
        if (k & 1)
            x *= step;
    return x;
}

/* x = m * 2^e with m in [0.5, 1), x > 0 and finite */
static math_real split(math_real x, int *e)
{
    *e = 0;
    for (int step = 8192; step > 0; step /= 2) {
        if (x >= scale(1, step)) {
            x = scale(x, -step);
            *e += step;
        } else if (x < scale(1, -step)) {
            x = scale(x, step);
            *e -= step;
        }
    }
    if (x >= 1) {
        x /= 2;
        ++*e;
    }
    for (; x < 0.5; --*e)
        x *= 2;
    return x;
}

static math_real huge(void) /* its square is still finite */
{
    return scale(1, 8000);
}

bool math_sqrt(math_real x, math_real *out)
{
    if (!(x >= 0) || !math_is_finite(x))
        return false;
    if (x == 0) {
        *out = 0;
        return true;
    }
    int e;
    math_real m = split(x, &e);
    if (e % 2 != 0) {
        m *= 2;
        e--;
    }
    math_real y = (m + 1) / 2;
    for (int i = 0; i < 9; i++) /* Newton: the digits double each time */
        y = (y + m / y) / 2;
    *out = scale(y, e / 2);
    return true;
}

bool math_exp(math_real x, math_real *out)
{
    if (!(math_abs(x) < 11000))
        return false;
    int k = (int)(int64_t)math_floor(x / ln2() + 0.5);
    math_real r = scale(x - k * ln2(), -8), term = 1, sum = 0;
    for (int i = 1; i < 18; i++) { /* exp(r) - 1, so that squaring keeps small parts */
        term = term * r / i;
        sum += term;
    }
    for (int i = 0; i < 8; i++)
        sum = sum * (2 + sum);
    *out = scale(1 + sum, k);
    return true;
}

bool math_log(math_real x, math_real *out)
{
    if (!(x > 0) || !math_is_finite(x))
        return false;
    int e;
    math_real m = split(x, &e);
    if (m < (math_real)0.70710678118654752) {
        m *= 2;
        e--;
    }
    math_real z = (m - 1) / (m + 1), power = z, sum = 0;
    for (int i = 1; i < 50; i += 2) {
        sum += power / i;
        power *= z * z;
    }
    *out = 2 * sum + e * ln2();
    return true;
}

bool math_sin_cos(math_real x, math_real *sine, math_real *cosine)
{
    if (!(math_abs(x) < 1e6))
        return false;
    int64_t k = (int64_t)math_floor(x * 2 / math_pi() + 0.5);
    math_real r = x - (math_real)k * (math_pi() / 2), s = r, c = 1, term = 1;
    for (int i = 1; i < 34; i++) {
        term = term * r / i;
        math_real signed_term = (i / 2) % 2 == 0 ? term : -term;
        if (i % 2 == 0)
            c += signed_term;
        else if (i > 1)
            s += signed_term;
    }
    math_real turned[4][2] = {{s, c}, {c, -s}, {-s, -c}, {-c, s}};
    *sine = turned[k & 3][0];
    *cosine = turned[k & 3][1];
    return true;
}

static math_real atan_of(math_real x) /* |x| <= 1 */
{
    for (int i = 0; i < 3; i++) {
        math_real root = 1;
        if (!math_sqrt(1 + x * x, &root))
            return 0;
        x = x / (1 + root);
    }
    math_real power = x, sum = 0;
    for (int i = 1; i < 45; i += 2) {
        sum += (i / 2) % 2 == 0 ? power / i : -power / i;
        power *= x * x;
    }
    return 8 * sum;
}

math_real math_atan2(math_real y, math_real x)
{
    if (x == 0 && y == 0)
        return 0;
    math_real a;
    if (math_abs(y) <= math_abs(x)) {
        a = atan_of(y / x);
        if (x < 0)
            a += y < 0 ? -math_pi() : math_pi();
    } else {
        a = (y < 0 ? -math_pi() : math_pi()) / 2 - atan_of(x / y);
    }
    return a;
}

/* ---- complex ---- */

struct math_complex math_c_real(math_real x)
{
    return (struct math_complex){x, 0, math_abs(x) * tiny};
}

struct math_complex math_c_neg(struct math_complex a)
{
    return (struct math_complex){-a.re, -a.im, a.err};
}

math_real math_c_abs(struct math_complex a)
{
    math_real n = 0;
    if (a.im == 0)
        return math_abs(a.re);
    if (a.re == 0)
        return math_abs(a.im);
    return math_sqrt(a.re * a.re + a.im * a.im, &n) ? n : huge() * huge();
}

/* Rounds: adds the error of one operation. False where the value is beyond what is kept. */
static bool keep(math_real re, math_real im, math_real err, struct math_complex *out)
{
    struct math_complex v = {re, im, err};
    if (!math_is_finite(re) || !math_is_finite(im) || !math_is_finite(err))
        return false;
    v.err += (math_abs(re) + math_abs(im)) * tiny;
    if (math_abs(re) > huge() || math_abs(im) > huge())
        return false;
    *out = v;
    return true;
}

bool math_c_add(struct math_complex a, struct math_complex b, struct math_complex *out)
{
    return keep(a.re + b.re, a.im + b.im, a.err + b.err, out);
}

bool math_c_mul(struct math_complex a, struct math_complex b, struct math_complex *out)
{
    math_real x = math_abs(a.re) + math_abs(a.im), y = math_abs(b.re) + math_abs(b.im);
    return keep(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re,
                x * b.err + y * a.err + a.err * b.err + x * y * tiny, out);
}

bool math_c_div(struct math_complex a, struct math_complex b, struct math_complex *out)
{
    math_real n = b.re * b.re + b.im * b.im, m = math_c_abs(b);
    if (!(m > 2 * b.err) || !(n > 0))
        return false; /* perhaps zero */
    struct math_complex inverse;
    return keep(b.re / n, -b.im / n, b.err / (m * (m - b.err)), &inverse) &&
           math_c_mul(a, inverse, out);
}

bool math_c_sqrt(struct math_complex a, struct math_complex *out)
{
    math_real r = math_c_abs(a), s, t, root;
    if (r <= 4 * a.err) { /* perhaps zero: anything up to sqrt(5 err) away */
        return math_sqrt(5 * a.err, &root) && keep(0, 0, root, out);
    }
    if (a.im != 0 && a.re < 0 && math_abs(a.im) <= a.err)
        return false; /* on the cut, perhaps on its other side */
    if (!math_sqrt((r + math_abs(a.re)) / 2, &s))
        return false;
    t = a.im / (2 * s);
    math_real err = a.err / s + (math_abs(s) + math_abs(t)) * tiny * 4;
    if (a.re >= 0)
        return keep(s, t, err, out);
    return keep(math_abs(t), a.im < 0 ? -s : s, err, out);
}

bool math_c_exp(struct math_complex a, struct math_complex *out)
{
    math_real size, s, c;
    if (!math_exp(a.re, &size) || !math_sin_cos(a.im, &s, &c) || a.err > 0.01)
        return false;
    math_real spread = a.err + (math_abs(a.re) + math_abs(a.im)) * tiny + 8 * tiny;
    return keep(size * c, size * s, 2 * size * spread, out);
}

bool math_c_log(struct math_complex a, struct math_complex *out)
{
    math_real r = math_c_abs(a), l;
    if (r <= 4 * a.err || !math_log(r, &l) || (a.re < 0 && a.im != 0 && math_abs(a.im) <= a.err))
        return false;
    return keep(l, math_atan2(a.im, a.re), 2 * a.err / r + 16 * tiny, out);
}

static bool whole_power(struct math_complex a, int64_t n, struct math_complex *out)
{
    struct math_complex result = {1, 0, 0};
    for (uint64_t k = n < 0 ? -(uint64_t)n : (uint64_t)n; k > 0; k >>= 1) {
        if ((k & 1) && !math_c_mul(result, a, &result))
            return false;
        if (k > 1 && !math_c_mul(a, a, &a))
            return false;
    }
    return n >= 0 ? (*out = result, true) : math_c_div((struct math_complex){1, 0, 0}, result, out);
}

bool math_c_pow(struct math_complex a, struct math_complex b, struct math_complex *out)
{
    bool real = b.im == 0 && math_abs(b.re) < 1e9;
    math_real nearest = real ? math_floor(b.re + 0.5) : 0;
    if (real && math_abs(b.re - nearest) <= 4 * b.err && b.err < 1e-15) {
        if (nearest == 0 && math_c_abs(a) <= 2 * a.err)
            return false;
        return whole_power(a, (int64_t)nearest, out);
    }
    struct math_complex l;
    return math_c_log(a, &l) && math_c_mul(l, b, &l) && math_c_exp(l, out);
}

bool math_c_same(struct math_complex a, struct math_complex b)
{
    struct math_complex d = {a.re - b.re, a.im - b.im, 0};
    math_real err = a.err + b.err, x = math_c_abs(a), y = math_c_abs(b);
    math_real size = x > y ? x : y;
    if (math_c_abs(d) > 4 * err)
        return false;
    return err <= size * (math_real)1e-20 || (size <= 8 * err && err < (math_real)1e-25);
}
