/* math_residue.c - scalars modulo two primes: exact comparison of numbers of any size and of
 * rational expressions. */
#include <string.h>

#include "sandbox/score/math_eval.h"

/* The largest primes below 2^61 that are 1 mod 4, and a root of -1 modulo each. */
static const struct {
    uint64_t p, i;
} primes[MATH_PRIMES] = {{2305843009213693921U, 583529827753931384U},
                         {2305843009213693693U, 966685122347009555U}};

uint64_t math_mod_mul(uint64_t a, uint64_t b, int prime)
{
    return (uint64_t)((unsigned __int128)a * b % primes[prime].p);
}

static uint64_t add(uint64_t a, uint64_t b, int prime)
{
    return (a + b) % primes[prime].p;
}

uint64_t math_mod_subtract(uint64_t a, uint64_t b, int prime)
{
    return add(a, primes[prime].p - b, prime);
}

static uint64_t power(uint64_t a, uint64_t n, int prime)
{
    uint64_t r = 1;
    for (; n > 0; n >>= 1, a = math_mod_mul(a, a, prime))
        if (n & 1)
            r = math_mod_mul(r, a, prime);
    return r;
}

static bool invert(uint64_t a, int prime, uint64_t *out)
{
    *out = power(a, primes[prime].p - 2, prime);
    return a != 0;
}

/* FNV-1a, then a mixer (splitmix64): a residue for a name. */
static uint64_t residue_of(const char *tag, const char *s, size_t n, uint64_t salt, int prime)
{
    uint64_t h = 14695981039346656037U ^ salt;
    for (; *tag != '\0'; tag++)
        h = (h ^ (unsigned char)*tag) * 1099511628211U;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 1099511628211U;
    h += 0x9e3779b97f4a7c15U * (uint64_t)(prime + 1);
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9U;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebU;
    return 2 + (h ^ (h >> 31)) % (primes[prime].p - 2);
}

/* ---- small whole numbers ---- */

static bool digits_int(const char *s, size_t n, int64_t *out)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, s[i] - '0', &v))
            return false;
    *out = v;
    return n > 0;
}

bool math_small_int(struct math_context *c, struct math_at x, int64_t *out)
{
    const struct math_node *n = &x.tree->node[x.node];
    struct math_at a = {x.tree, n->a, x.sign}, b = {x.tree, n->b, x.sign};
    int64_t u, v;
    if (--c->steps < 0)
        return false;
    switch (n->kind) {
    case MATH_NUMBER:
        return n->cols == 0 && digits_int(x.tree->text + n->at, n->length, out);
    case MATH_NEG:
        return math_small_int(c, a, &u) && !__builtin_sub_overflow(0, u, out);
    case MATH_ADD:
        return math_small_int(c, a, &u) && math_small_int(c, b, &v) &&
               !__builtin_add_overflow(u, v, out);
    case MATH_MUL:
        return math_small_int(c, a, &u) && math_small_int(c, b, &v) &&
               !__builtin_mul_overflow(u, v, out);
    case MATH_DIV:
        if (!math_small_int(c, a, &u) || !math_small_int(c, b, &v) || v <= 0 || u % v != 0)
            return false;
        *out = u / v;
        return true;
    default:
        return false;
    }
}

/* ---- residues ---- */

static bool number(const struct math_tree *t, const struct math_node *n, int prime, uint64_t *out)
{
    const char *s = t->text + n->at;
    uint64_t v = 0, scale = 1, inverse;
    bool fraction = false;
    if (n->length == 0) {
        *out = n->op == MATH_ZERO ? 0 : power(10, n->op, prime);
        return true;
    }
    for (size_t i = 0; i < n->length; i++) {
        if (s[i] == '.') {
            fraction = true;
            continue;
        }
        v = add(math_mod_mul(v, 10, prime), (uint64_t)(s[i] - '0'), prime);
        if (fraction)
            scale = math_mod_mul(scale, 10, prime);
    }
    if (n->cols > 0) { /* repeating digits: r / (scale * (10^cols - 1)) more */
        uint64_t r = 0, nines = add(power(10, n->cols, prime), primes[prime].p - 1, prime);
        for (size_t i = 0; i < n->cols; i++)
            r = add(math_mod_mul(r, 10, prime), (uint64_t)(s[n->length + i] - '0'), prime);
        v = add(math_mod_mul(v, nines, prime), r, prime);
        scale = math_mod_mul(scale, nines, prime);
    }
    if (!invert(scale, prime, &inverse))
        return false;
    *out = math_mod_mul(v, inverse, prime);
    return true;
}

static bool factorial(struct math_context *c, int64_t n, int prime, uint64_t *out)
{
    uint64_t r = 1;
    if (n < 0 || n > MATH_MAX_FACTORIAL || (c->steps -= n) < 0)
        return false;
    for (int64_t i = 2; i <= n; i++)
        r = math_mod_mul(r, (uint64_t)i, prime);
    *out = r;
    return true;
}

static bool binomial(struct math_context *c, int64_t n, int64_t k, int prime, uint64_t *out)
{
    uint64_t a, b, d, inverse;
    if (k < 0 || k > n) {
        *out = 0;
        return n >= 0;
    }
    if (!factorial(c, n, prime, &a) || !factorial(c, k, prime, &b) ||
        !factorial(c, n - k, prime, &d) || !invert(math_mod_mul(b, d, prime), prime, &inverse))
        return false;
    *out = math_mod_mul(a, inverse, prime);
    return true;
}

static bool raised(uint64_t base, int64_t n, int prime, uint64_t *out)
{
    if (base == 0 && n <= 0)
        return false;
    uint64_t v = power(base, n < 0 ? -(uint64_t)n : (uint64_t)n, prime);
    return n >= 0 ? (*out = v, true) : invert(v, prime, out);
}

/* A numeral keeps its base: 52_8 is 52_8 and nothing else. */
static uint64_t based(const struct math_tree *t, const struct math_node *n, int prime)
{
    const struct math_node *b = &t->node[n->b];
    const char *s = t->text + n->at, *base = t->text + b->at;
    size_t k = 0, j = 0;
    while (k + 1 < n->length && s[k] == '0' && s[k + 1] != '.')
        k++;
    while (j + 1 < b->length && base[j] == '0')
        j++;
    uint64_t salt = residue_of("base", base + j, (size_t)b->length - j, 0, prime);
    return residue_of("digits", s + k, (size_t)n->length - k, salt, prime);
}

static bool constant(const struct math_context *c, const struct math_node *n, int prime,
                     uint64_t *out)
{
    static const char *const tags[] = {
        [MATH_PI] = "pi", [MATH_E] = "e", [MATH_I] = "i", [MATH_INFINITY] = "infinity"};
    *out = n->kind == MATH_I && !c->plain_names ? primes[prime].i
                                                : residue_of(tags[n->kind], "", 0, 0, prime);
    return true;
}

static bool binary(const struct math_node *n, int sign, uint64_t u, uint64_t v, int prime,
                   uint64_t *out)
{
    bool minus = n->kind == MATH_PM && (sign < 0) != (n->op == '-');
    uint64_t inverse;
    switch (n->kind) {
    case MATH_PM:
        if (sign == 0)
            return false;
        *out = add(u, minus ? primes[prime].p - v : v, prime);
        return true;
    case MATH_ADD:
        *out = add(u, v, prime);
        return true;
    case MATH_MUL:
        *out = math_mod_mul(u, v, prime);
        return true;
    default:
        if (!invert(v, prime, &inverse))
            return false;
        *out = math_mod_mul(u, inverse, prime);
        return true;
    }
}

bool math_residue(struct math_context *c, struct math_at x, int prime, uint64_t *out)
{
    const struct math_node *n = &x.tree->node[x.node];
    struct math_at a = {x.tree, n->a, x.sign}, b = {x.tree, n->b, x.sign};
    const char *text = x.tree->text + n->at;
    int64_t k, j;
    uint64_t u, v;
    if (--c->steps < 0)
        return false;
    switch (n->kind) {
    case MATH_NUMBER:
        c->steps -= n->length + n->cols;
        return number(x.tree, n, prime, out);
    case MATH_NAME:
        *out = residue_of("name", text, n->length, (uint64_t)c->assignment, prime);
        return true;
    case MATH_PI:
    case MATH_E:
    case MATH_I:
    case MATH_INFINITY:
        return constant(c, n, prime, out);
    case MATH_BASED:
        *out = based(x.tree, n, prime);
        return true;
    case MATH_APPLY:
        if (!math_residue(c, a, prime, &u))
            return false;
        *out = residue_of("apply", text, n->length, u, prime);
        return true;
    case MATH_NEG:
        if (!math_residue(c, a, prime, &u))
            return false;
        *out = u == 0 ? 0 : primes[prime].p - u;
        return true;
    case MATH_ADD:
    case MATH_PM:
    case MATH_MUL:
    case MATH_DIV:
        return math_residue(c, a, prime, &u) && math_residue(c, b, prime, &v) &&
               binary(n, x.sign, u, v, prime, out);
    case MATH_POW:
        return math_small_int(c, b, &k) && math_residue(c, a, prime, &u) &&
               raised(u, k, prime, out);
    case MATH_DEGREE:
        if (!math_residue(c, a, prime, &u))
            return false;
        if (c->radians)
            u = invert(180, prime, &v) ? math_mod_mul(math_mod_mul(u, v, prime),
                                                      residue_of("pi", "", 0, 0, prime), prime)
                                       : 0;
        *out = u;
        return true;
    case MATH_FACT:
        return math_small_int(c, a, &k) && factorial(c, k, prime, out);
    case MATH_BINOM:
        return math_small_int(c, a, &k) && math_small_int(c, b, &j) &&
               binomial(c, k, j, prime, out);
    default:
        return false;
    }
}
