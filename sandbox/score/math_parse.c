/* math_parse.c - from tokens to a tree, by recursive descent:
 *
 *   list      element ((, | ; | and) element)*
 *   element   relation unit*
 *   relation  union ((= | < | ... | in) union)*
 *   union     ratio ((cup | cap) ratio)*
 *   ratio     sum (: sum)*
 *   sum       term ((+ | - | pm) term)*
 *   term      unary ((* | /) unary | factor)*      a factor without a sign multiplies
 *   factor    primary (! | ^ exponent | degree | %)*                                       */
#include <string.h>

#include "sandbox/score/math_parser.h"

int math_add(struct math_tree *t, enum math_kind kind, int a, int b)
{
    if (t->n >= MATH_MAX_NODES)
        return -1;
    t->node[t->n] =
        (struct math_node){.kind = (uint8_t)kind, .a = (int16_t)a, .b = (int16_t)b, .next = -1};
    return t->n++;
}

static int parse_term(struct parser *p);
static int parse_element(struct parser *p);

/* 10 to a power, or MATH_ZERO: numbers that are written nowhere. */
static int power_node(struct parser *p, int power)
{
    int n = text_node(p, MATH_NUMBER, 0, 0);
    if (n >= 0)
        p->tree->node[n].op = (uint8_t)power;
    return n;
}

/* ---- operators ---- */

static int parse_postfix(struct parser *p)
{
    int n = math_parse_primary(p);
    bool power = false;
    while (n >= 0) {
        if (take(p, '!')) {
            n = unary_node(p, MATH_FACT, n);
        } else if (take(p, SIGN_DEGREE)) {
            n = unary_node(p, MATH_DEGREE, n);
        } else if (!power && take(p, '^')) {
            n = binary_node(p, MATH_POW, n, math_parse_exponent(p));
            power = true;
        } else if (!take(p, '%')) {
            break;
        }
    }
    return n;
}

int math_parse_factor(struct parser *p)
{
    if (++p->depth > MATH_MAX_DEPTH)
        return -1;
    int n = parse_postfix(p);
    p->depth--;
    return n;
}

bool math_starts_factor(struct parser *p)
{
    const struct math_token *t = peek(p), *before = p->i > 0 ? t - 1 : NULL;
    if (t->kind == TOKEN_NUMBER)
        return before == NULL || (before->kind != TOKEN_NUMBER && before->kind != TOKEN_LETTER &&
                                  before->kind != TOKEN_REPEAT && !is_sign(before, '!'));
    if (t->kind == TOKEN_LETTER || t->kind == TOKEN_COMMAND || t->kind == TOKEN_BEGIN)
        return true;
    return t->kind == TOKEN_SIGN &&
           (t->sign == '(' || t->sign == '{' || t->sign == '[' || t->sign == SIGN_FLOOR ||
            t->sign == SIGN_CEIL || (t->sign == '|' && p->in_abs == 0));
}

static int parse_unary(struct parser *p)
{
    int minus = 0;
    for (int signs = 0; signs < 4; signs++) {
        if (take(p, '-'))
            minus ^= 1;
        else if (take(p, SIGN_PM)) {
            int n = binary_node(p, MATH_PM, power_node(p, MATH_ZERO), parse_term(p));
            return minus ? unary_node(p, MATH_NEG, n) : n;
        } else if (!take(p, '+'))
            break;
    }
    int n = math_parse_factor(p);
    return minus ? unary_node(p, MATH_NEG, n) : n;
}

static int parse_term(struct parser *p)
{
    int n = parse_unary(p);
    while (n >= 0) {
        if (take(p, '*'))
            n = binary_node(p, MATH_MUL, n, parse_unary(p));
        else if (take(p, '/'))
            n = binary_node(p, MATH_DIV, n, parse_unary(p));
        else if (math_starts_factor(p))
            n = binary_node(p, MATH_MUL, n, math_parse_factor(p));
        else
            break;
    }
    return n;
}

int math_parse_sum(struct parser *p)
{
    if (++p->depth > MATH_MAX_DEPTH)
        return -1;
    int n = parse_term(p);
    while (n >= 0) {
        if (take(p, '+')) {
            n = binary_node(p, MATH_ADD, n, parse_term(p));
        } else if (take(p, '-')) {
            n = binary_node(p, MATH_ADD, n, unary_node(p, MATH_NEG, parse_term(p)));
        } else if (is_sign(peek(p), SIGN_PM) || is_sign(peek(p), SIGN_MP)) {
            int op = peek(p)->sign == SIGN_MP ? '-' : 0;
            p->i++;
            n = binary_node(p, MATH_PM, n, parse_term(p));
            if (n >= 0)
                p->tree->node[n].op = (uint8_t)op;
        } else {
            break;
        }
    }
    p->depth--;
    return n;
}

/* ---- structures ---- */

static int parse_chain(struct parser *p, enum math_kind kind, int sign,
                       int (*part)(struct parser *))
{
    int first = part(p), tail = 0;
    if (first < 0 || !is_sign(peek(p), sign))
        return first;
    int n = math_add(p->tree, kind, -1, -1);
    if (!append(p, n, &tail, first))
        return -1;
    while (take(p, sign))
        if (!append(p, n, &tail, part(p)))
            return -1;
    return n;
}

static int parse_ratio(struct parser *p)
{
    return parse_chain(p, MATH_RATIO, ':', math_parse_sum);
}

static int parse_union(struct parser *p)
{
    int n = parse_chain(p, MATH_UNION, SIGN_CUP, parse_ratio);
    if (n >= 0 && p->tree->node[n].kind == MATH_UNION)
        p->tree->node[n].op = 'u';
    return n;
}

static enum math_rel relation_of(const struct math_token *t)
{
    static const struct {
        int sign;
        enum math_rel rel;
    } known[] = {{'=', MATH_EQ}, {SIGN_NE, MATH_NE}, {'<', MATH_LT},    {SIGN_LE, MATH_LE},
                 {'>', MATH_GT}, {SIGN_GE, MATH_GE}, {SIGN_IN, MATH_IN}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (is_sign(t, known[i].sign))
            return known[i].rel;
    return 0;
}

/* What stands on a side of a relation: a value, or words. */
static int parse_side(struct parser *p)
{
    struct math_token *t = peek(p);
    if (t->kind == TOKEN_TEXT) {
        p->i++;
        return text_node(p, MATH_TEXT, t->at, t->length);
    }
    return parse_union(p);
}

static int parse_relation(struct parser *p)
{
    int first = parse_side(p), tail = 0;
    if (first < 0 || relation_of(peek(p)) == 0)
        return first;
    int n = math_add(p->tree, MATH_RELATION, -1, -1);
    if (!append(p, n, &tail, first))
        return -1;
    for (enum math_rel rel; (rel = relation_of(peek(p))) != 0;) {
        p->i++;
        int side = parse_side(p);
        if (!append(p, n, &tail, side))
            return -1;
        p->tree->node[side].rel = (uint8_t)rel;
    }
    return n;
}

/* million -> 6; 0: no such word; -1: a word that changes the value in another way. */
static int power_of_ten(struct span s)
{
    static const struct {
        const char *word;
        int power;
    } known[] = {{"hundred", 2},   {"thousand", 3}, {"million", 6}, {"billion", 9},
                 {"trillion", 12}, {"dozen", -1},   {"half", -1},   {"halves", -1}};
    static const char *const changing[] = {"mod", "base", "remainder", "r.", "R"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (text_find(s, known[i].word) != (size_t)-1)
            return text_equals(s, known[i].word) ? known[i].power : -1;
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++)
        if (text_find(s, changing[i]) != (size_t)-1 && !math_is_unit(s))
            return -1;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9' && !math_is_unit(s))
            return -1;
    return 0;
}

/* Units behind a value are dropped; words that multiply are not. */
static int parse_units(struct parser *p, int n)
{
    if (n >= 0 && p->tree->node[n].kind == MATH_TEXT)
        return n;
    while (n >= 0 && (peek(p)->kind == TOKEN_TEXT || peek(p)->kind == TOKEN_WORD)) {
        struct span word = text_of(p, peek(p));
        int power = power_of_ten(word);
        if (power < 0 || (power == 0 && peek(p)->kind == TOKEN_WORD && !math_is_unit(word)))
            return -1;
        p->i++;
        if (power > 0) {
            n = binary_node(p, MATH_MUL, n, power_node(p, power));
        } else if (take(p, '^') && math_parse_exponent(p) < 0) {
            return -1;
        }
    }
    return n;
}

static int parse_element(struct parser *p)
{
    if (++p->depth > MATH_MAX_DEPTH)
        return -1;
    int n = parse_units(p, parse_relation(p));
    p->depth--;
    return n;
}

static bool take_separator(struct parser *p, bool words)
{
    bool any = take(p, ',') || take(p, ';');
    if (words)
        any = take(p, SIGN_AND) || any;
    return any;
}

int math_parse_list(struct parser *p, bool words)
{
    int first = parse_element(p), tail = 0;
    if (first < 0 || !take_separator(p, words))
        return first;
    int n = math_add(p->tree, MATH_LIST, -1, -1);
    if (!append(p, n, &tail, first))
        return -1;
    do {
        if (!append(p, n, &tail, parse_element(p)))
            return -1;
    } while (take_separator(p, words));
    return n;
}

bool math_parse(struct span s, struct math_tree *out)
{
    struct math_tokens tokens;
    struct parser p = {.tree = out, .tokens = &tokens};
    out->n = 0;
    out->root = -1;
    if (!math_lex(s, out, &tokens) || tokens.n == 0)
        return false;
    int root = math_parse_list(&p, true);
    if (root < 0 || p.i != tokens.n)
        return false;
    out->root = root;
    return true;
}
