/* math_number.c - scalars as complex numbers with error bounds. */
#include <string.h>

#include "sandbox/score/math_eval.h"

static bool eval(struct math_context *c, struct math_at x, int point, struct math_complex *out);

/* ---- leaves ---- */

static struct math_complex with_error(math_real v, size_t roundings)
{
    return (struct math_complex){v, 0,
                                 math_abs(v) * (math_real)0x1p-108 * (1 + (int)roundings / 16)};
}

static bool written(const struct math_tree *t, const struct math_node *n, struct math_complex *out)
{
    const char *s = t->text + n->at;
    math_real v = 0, unit = 1, ten = 10;
    bool fraction = false;
    for (size_t i = 0; i < n->length; i++) {
        if (s[i] == '.') {
            fraction = true;
            continue;
        }
        v = v * ten + (s[i] - '0');
        if (fraction)
            unit *= ten;
    }
    if (n->length == 0 && n->op != MATH_ZERO) {
        v = 1;
        for (int i = 0; i < n->op; i++)
            v *= ten;
    }
    v /= unit;
    if (n->cols > 0) {
        math_real r = 0, nines = 1;
        for (size_t i = 0; i < n->cols; i++) {
            r = r * ten + (s[n->length + i] - '0');
            nines *= ten;
        }
        v += r / (nines - 1) / unit;
    }
    *out = with_error(v, (size_t)n->length + n->cols);
    return math_is_finite(v);
}

/* A variable's value: at least 0.35, below 2.35; negative at point 1, of either sign at point 2. */
static struct math_complex named(const char *tag, const char *s, size_t n, int point)
{
    uint64_t h = 14695981039346656037U + 977 * (uint64_t)point;
    for (; *tag != '\0'; tag++)
        h = (h ^ (unsigned char)*tag) * 1099511628211U;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211U;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9U;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebU;
    h ^= h >> 31;
    math_real v = (math_real)0.35 + (math_real)(h >> 11) * (math_real)0x1p-52;
    bool minus = point == 1 || (point == 2 && (h & 1) != 0);
    return math_c_real(minus ? -v : v);
}

static bool constant(const struct math_context *c, int kind, int point, struct math_complex *out)
{
    math_real e;
    if (c->plain_names)
        *out = named("constant", (const char[]){(char)kind}, 1, point);
    else if (kind == MATH_PI)
        *out = math_c_real(math_pi());
    else if (kind == MATH_E && math_exp(1, &e))
        *out = with_error(e, 16);
    else
        *out = (struct math_complex){0, 1, 0};
    return true;
}

/* ---- functions ---- */

static bool arcsine(struct math_complex x, struct math_complex *out)
{
    math_real root, half = math_pi() / 2, one = math_abs(x.re) - 1;
    if (math_abs(one) <= x.err && x.err < (math_real)0x1p-100) {
        *out = with_error(x.re < 0 ? -half : half, 16);
        return true;
    }
    if (one > 0 || !math_sqrt(1 - x.re * x.re, &root) || root < (math_real)1e-6)
        return false;
    *out = with_error(math_atan2(x.re, root), 64);
    out->err += 2 * x.err / root + (math_real)0x1p-106 / root;
    return true;
}

static bool trigonometric(int func, struct math_complex x, struct math_complex *out)
{
    math_real s, c;
    if (x.im != 0 || x.err > (math_real)1e-20 || !math_sin_cos(x.re, &s, &c))
        return false;
    math_real err = x.err + (1 + math_abs(x.re)) * (math_real)0x1p-107;
    struct math_complex sine = {s, 0, err}, cosine = {c, 0, err}, one = {1, 0, 0};
    switch (func) {
    case MATH_SIN:
        *out = sine;
        return true;
    case MATH_COS:
        *out = cosine;
        return true;
    case MATH_TAN:
        return math_c_div(sine, cosine, out);
    case MATH_COT:
        return math_c_div(cosine, sine, out);
    case MATH_SEC:
        return math_c_div(one, cosine, out);
    default:
        return math_c_div(one, sine, out);
    }
}

static bool function(struct math_context *c, struct math_at x, const struct math_node *n, int point,
                     struct math_complex *out)
{
    struct math_at a = {x.tree, n->a, x.sign}, b = {x.tree, n->b, x.sign};
    struct math_complex v, base, half = with_error(math_pi() / 2, 16);
    bool radians = c->radians;
    c->steps -= 20;
    c->radians = true;
    bool ok = eval(c, a, point, &v);
    c->radians = radians;
    if (!ok)
        return false;
    switch (n->op) {
    case MATH_ARCSIN:
        return v.im == 0 && arcsine(v, out);
    case MATH_ARCCOS:
        return v.im == 0 && arcsine(v, &v) && math_c_add(half, math_c_neg(v), out);
    case MATH_ARCTAN:
        *out = with_error(math_atan2(v.re, 1), 64);
        out->err += v.err;
        return v.im == 0;
    case MATH_LN:
        return math_c_log(v, out);
    case MATH_LOG:
        if (n->b < 0)
            base = math_c_real(10);
        else if (!eval(c, b, point, &base))
            return false;
        return math_c_log(v, &v) && math_c_log(base, &base) && math_c_div(v, base, out);
    case MATH_EXP:
        return math_c_exp(v, out);
    default:
        return trigonometric(n->op, v, out);
    }
}

/* The real root where there is one: the cube root of -8 is -2. */
static bool root(struct math_context *c, struct math_at x, const struct math_node *n, int point,
                 struct math_complex *out)
{
    struct math_complex v, index = {1, 0, 0};
    int64_t k = 2;
    c->steps -= 20;
    if (!eval(c, (struct math_at){x.tree, n->a, x.sign}, point, &v))
        return false;
    if (n->b >= 0 && !math_small_int(c, (struct math_at){x.tree, n->b, x.sign}, &k))
        return false;
    if (k == 2)
        return math_c_sqrt(v, out);
    if (k < 2 || k > 1000 || !math_c_div(index, math_c_real(k), &index))
        return false;
    bool mirrored = v.im == 0 && v.re < 0 && k % 2 != 0;
    if (!math_c_pow(mirrored ? math_c_neg(v) : v, index, out))
        return false;
    if (mirrored)
        *out = math_c_neg(*out);
    return true;
}

static bool rounded(int kind, struct math_complex v, struct math_complex *out)
{
    if (kind == MATH_ABS) {
        *out = (struct math_complex){math_c_abs(v), 0, v.err + math_c_abs(v) * (math_real)0x1p-108};
        return true;
    }
    if (v.im != 0 || !(math_abs(v.re) < (math_real)1e15) || v.err > (math_real)1e-12)
        return false;
    math_real nearest = math_floor(v.re + (math_real)0.5);
    bool whole = math_abs(v.re - nearest) <= 8 * v.err;
    math_real low = whole ? nearest : math_floor(v.re);
    *out = math_c_real(kind == MATH_FLOOR || whole ? low : low + 1);
    return true;
}

static bool factorial(struct math_context *c, struct math_at a, struct math_complex *out)
{
    int64_t n;
    if (!math_small_int(c, a, &n) || n < 0 || n > 1000 || (c->steps -= n) < 0)
        return false;
    *out = math_c_real(1);
    for (int64_t i = 2; i <= n; i++)
        if (!math_c_mul(*out, math_c_real(i), out))
            return false;
    return true;
}

static bool binomial(struct math_context *c, struct math_at a, struct math_at b,
                     struct math_complex *out)
{
    int64_t n, k;
    if (!math_small_int(c, a, &n) || !math_small_int(c, b, &k) || n < 0 || k < 0 || k > 1000 ||
        n > 1000000 || (c->steps -= k) < 0)
        return false;
    *out = math_c_real(1);
    for (int64_t i = 0; i < k; i++) {
        struct math_complex factor;
        if (!math_c_div(math_c_real(n - i), math_c_real(i + 1), &factor) ||
            !math_c_mul(*out, factor, out))
            return false;
    }
    return true;
}

static bool degrees(const struct math_context *c, struct math_complex v, struct math_complex *out)
{
    *out = v;
    return !c->radians ||
           (math_c_mul(v, math_c_real(math_pi()), &v) && math_c_div(v, math_c_real(180), out));
}

/* ---- operators ---- */

static bool unary(struct math_context *c, struct math_at x, const struct math_node *n, int point,
                  struct math_complex *out)
{
    struct math_complex v;
    if (!eval(c, (struct math_at){x.tree, n->a, x.sign}, point, &v))
        return false;
    if (n->kind == MATH_NEG) {
        *out = math_c_neg(v);
        return true;
    }
    return n->kind == MATH_DEGREE ? degrees(c, v, out) : rounded(n->kind, v, out);
}

static bool binary(struct math_context *c, struct math_at x, const struct math_node *n, int point,
                   struct math_complex *out)
{
    struct math_complex u, v;
    if (!eval(c, (struct math_at){x.tree, n->a, x.sign}, point, &u) ||
        !eval(c, (struct math_at){x.tree, n->b, x.sign}, point, &v))
        return false;
    switch (n->kind) {
    case MATH_ADD:
        return math_c_add(u, v, out);
    case MATH_PM:
        return x.sign != 0 &&
               math_c_add(u, (x.sign < 0) != (n->op == '-') ? math_c_neg(v) : v, out);
    case MATH_MUL:
        return math_c_mul(u, v, out);
    case MATH_DIV:
        return math_c_div(u, v, out);
    default:
        c->steps -= 20;
        return math_c_pow(u, v, out);
    }
}

static bool eval(struct math_context *c, struct math_at x, int point, struct math_complex *out)
{
    const struct math_node *n = &x.tree->node[x.node];
    struct math_at a = {x.tree, n->a, x.sign}, b = {x.tree, n->b, x.sign};
    if (--c->steps < 0)
        return false;
    switch (n->kind) {
    case MATH_NUMBER:
        c->steps -= n->length + n->cols;
        return written(x.tree, n, out);
    case MATH_NAME:
        *out = named("name", x.tree->text + n->at, n->length, point);
        return true;
    case MATH_PI:
    case MATH_E:
    case MATH_I:
        return constant(c, n->kind, point, out);
    case MATH_NEG:
    case MATH_ABS:
    case MATH_FLOOR:
    case MATH_CEIL:
    case MATH_DEGREE:
        return unary(c, x, n, point, out);
    case MATH_ADD:
    case MATH_PM:
    case MATH_MUL:
    case MATH_DIV:
    case MATH_POW:
        return binary(c, x, n, point, out);
    case MATH_ROOT:
        return root(c, x, n, point, out);
    case MATH_FUNC:
        return function(c, x, n, point, out);
    case MATH_FACT:
        return factorial(c, a, out);
    case MATH_BINOM:
        return binomial(c, a, b, out);
    default:
        return false;
    }
}

bool math_number(struct math_context *c, struct math_at x, int point, struct math_complex *out)
{
    return eval(c, x, point, out);
}
