/* math_numeral.c - numbers, mixed numbers, numerals in a base, names and TeX's arguments. */
#include <string.h>

#include "sandbox/score/math_parser.h"

static bool plain_integer(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

bool math_node_integer(const struct parser *p, int n)
{
    const struct math_node *x = &p->tree->node[n];
    return x->kind == MATH_NUMBER && x->cols == 0 &&
           plain_integer((struct span){p->tree->text + x->at, x->length});
}

static bool integer_less(const struct parser *p, int a, int b)
{
    const struct math_node *x = &p->tree->node[a], *y = &p->tree->node[b];
    if (x->length != y->length)
        return x->length < y->length;
    return memcmp(p->tree->text + x->at, p->tree->text + y->at, x->length) < 0;
}

int math_parse_argument(struct parser *p)
{
    struct math_token *t = peek(p);
    if (take(p, '{')) {
        int inner = math_parse_sum(p);
        return take(p, '}') ? inner : -1;
    }
    if (t->kind == TOKEN_NUMBER) {
        int n = text_node(p, MATH_NUMBER, t->at, 1);
        if (p->tree->text[t->at] == '.')
            return -1;
        t->at++;
        if (--t->length == 0)
            p->i++;
        return n;
    }
    return t->kind == TOKEN_LETTER || t->kind == TOKEN_COMMAND ? math_parse_primary(p) : -1;
}

bool math_is_fraction(const struct parser *p, const struct math_token *t)
{
    return is_text(p, t, TOKEN_COMMAND, "frac") || is_text(p, t, TOKEN_COMMAND, "dfrac") ||
           is_text(p, t, TOKEN_COMMAND, "tfrac") || is_text(p, t, TOKEN_COMMAND, "cfrac");
}

/* A whole number as an argument of \frac, at token k, `skip` digits into it. */
static bool literal_argument(struct parser *p, int *k, int *skip, struct math_token *out)
{
    struct math_token *t = ahead(p, *k);
    bool braces = is_sign(t, '{');
    *out = braces ? *ahead(p, *k + 1) : *t;
    if (out->kind != TOKEN_NUMBER || !plain_integer(text_of(p, out)) ||
        (braces && (*skip != 0 || !is_sign(ahead(p, *k + 2), '}'))))
        return false;
    if (braces) {
        *k += 3;
        return true;
    }
    out->at = (uint16_t)(out->at + *skip);
    out->length = 1;
    if (++*skip == t->length) {
        *skip = 0;
        ++*k;
    }
    return true;
}

/* A proper fraction behind a whole number: \frac{1}{3}, or 1/3 behind a space. -1: not that. */
static int parse_mixed(struct parser *p, int whole)
{
    struct math_token over, under;
    int k = 1, skip = 0;
    if (math_is_fraction(p, peek(p))) {
        if (!literal_argument(p, &k, &skip, &over) || !literal_argument(p, &k, &skip, &under) ||
            skip != 0)
            return -1;
    } else {
        over = *peek(p);
        under = *ahead(p, 2);
        k = 3;
        if (over.kind != TOKEN_NUMBER || !over.spaced || !is_sign(ahead(p, 1), '/') ||
            under.kind != TOKEN_NUMBER || !plain_integer(text_of(p, &over)) ||
            !plain_integer(text_of(p, &under)))
            return -1;
    }
    int a = text_node(p, MATH_NUMBER, over.at, over.length);
    int b = text_node(p, MATH_NUMBER, under.at, under.length);
    if (a < 0 || b < 0 || !integer_less(p, a, b))
        return -1;
    p->i += k;
    return binary_node(p, MATH_ADD, whole, binary_node(p, MATH_DIV, a, b));
}

/* 52_8, 152A_{11}: a numeral in a base. -1: not that. */
static int parse_based(struct parser *p)
{
    int k = 1;
    bool letters = false;
    while ((ahead(p, k)->kind == TOKEN_LETTER || ahead(p, k)->kind == TOKEN_NUMBER) &&
           !ahead(p, k)->spaced) {
        letters = letters || ahead(p, k)->kind == TOKEN_LETTER;
        k++;
    }
    if (!is_sign(ahead(p, k), '_'))
        return -1;
    bool braces = is_sign(ahead(p, k + 1), '{');
    struct math_token *base = ahead(p, k + 1 + braces);
    if (base->kind != TOKEN_NUMBER || !plain_integer(text_of(p, base)) ||
        (letters && base->length < 2) || (braces && !is_sign(ahead(p, k + 3), '}')))
        return -1;
    size_t from = peek(p)->at, to = ahead(p, k - 1)->at + (size_t)ahead(p, k - 1)->length;
    int n = text_node(p, MATH_BASED, from, to - from);
    int b = text_node(p, MATH_NUMBER, base->at, base->length);
    p->i += k + 2 + 2 * braces;
    if (n >= 0 && b >= 0)
        p->tree->node[n].b = (int16_t)b;
    return b < 0 ? -1 : n;
}

int math_parse_number(struct parser *p)
{
    int n = parse_based(p);
    if (n >= 0)
        return n;
    struct math_token *t = peek(p);
    n = text_node(p, MATH_NUMBER, t->at, t->length);
    p->i++;
    if (n >= 0 && peek(p)->kind == TOKEN_REPEAT) {
        p->tree->node[n].cols = peek(p)->length;
        p->i++;
        return n;
    }
    int mixed = n >= 0 && math_node_integer(p, n) ? parse_mixed(p, n) : -1;
    return mixed >= 0 ? mixed : n;
}

/* x_1, x_{10}, a_n: the letters and digits of the subscript belong to the name. */
int math_parse_name(struct parser *p)
{
    struct math_token *t = peek(p);
    struct span name = text_of(p, t);
    size_t end = t->at + (size_t)t->length;
    p->i++;
    if (is_sign(peek(p), '_')) {
        bool braces = is_sign(ahead(p, 1), '{');
        int k = 1 + braces;
        do {
            struct math_token *sub = ahead(p, k);
            if (sub->kind != TOKEN_NUMBER && sub->kind != TOKEN_LETTER)
                return -1;
            end = sub->at + (size_t)sub->length;
            k++;
        } while (braces && !is_sign(ahead(p, k), '}'));
        p->i += k + braces;
        return text_node(p, MATH_NAME, t->at, end - t->at);
    }
    if (text_equals(name, "i") || text_equals(name, "e"))
        return math_add(p->tree, name.p[0] == 'i' ? MATH_I : MATH_E, -1, -1);
    bool function = name.n == 1 && strchr("fgFG", name.p[0]) != NULL;
    if (function && take(p, '(')) {
        int argument = math_parse_sum(p);
        if (argument < 0 || !take(p, ')'))
            return -1;
        int n = text_node(p, MATH_APPLY, t->at, t->length);
        if (n >= 0)
            p->tree->node[n].a = (int16_t)argument;
        return n;
    }
    return text_node(p, MATH_NAME, t->at, t->length);
}
