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

#include "sandbox/score/math_lex.h"

struct parser {
    struct math_tree *tree;
    struct math_tokens *tokens;
    int i, depth, in_abs;
};

int math_add(struct math_tree *t, enum math_kind kind, int a, int b)
{
    if (t->n >= MATH_MAX_NODES)
        return -1;
    t->node[t->n] =
        (struct math_node){.kind = (uint8_t)kind, .a = (int16_t)a, .b = (int16_t)b, .next = -1};
    return t->n++;
}

static int parse_sum(struct parser *p);
static int parse_list(struct parser *p, bool words);
static int parse_element(struct parser *p);
static int parse_factor(struct parser *p);
static int parse_primary(struct parser *p);
static int parse_term(struct parser *p);

static struct math_token *peek(struct parser *p)
{
    return &p->tokens->t[p->i];
}

static struct math_token *ahead(struct parser *p, int k)
{
    int i = p->i + k;
    return &p->tokens->t[i < p->tokens->n ? i : p->tokens->n];
}

static bool is_sign(const struct math_token *t, int sign)
{
    return t->kind == TOKEN_SIGN && t->sign == sign;
}

static bool take(struct parser *p, int sign)
{
    if (!is_sign(peek(p), sign))
        return false;
    p->i++;
    return true;
}

static struct span text_of(const struct parser *p, const struct math_token *t)
{
    return (struct span){p->tree->text + t->at, t->length};
}

static bool is_text(const struct parser *p, const struct math_token *t, int kind, const char *word)
{
    return t->kind == kind && text_equals(text_of(p, t), word);
}

static int unary_node(struct parser *p, enum math_kind kind, int a)
{
    return a < 0 ? -1 : math_add(p->tree, kind, a, -1);
}

static int binary_node(struct parser *p, enum math_kind kind, int a, int b)
{
    return a < 0 || b < 0 ? -1 : math_add(p->tree, kind, a, b);
}

static int text_node(struct parser *p, enum math_kind kind, size_t at, size_t length)
{
    int n = math_add(p->tree, kind, -1, -1);
    if (n >= 0) {
        p->tree->node[n].at = (uint16_t)at;
        p->tree->node[n].length = (uint16_t)length;
    }
    return n;
}

/* 10 to a power, or MATH_ZERO: numbers that are written nowhere. */
static int power_node(struct parser *p, int power)
{
    int n = text_node(p, MATH_NUMBER, 0, 0);
    if (n >= 0)
        p->tree->node[n].op = (uint8_t)power;
    return n;
}

/* Appends a part to a structure; false when something is missing or there are too many. */
static bool append(struct parser *p, int whole, int *tail, int part)
{
    if (whole < 0 || part < 0)
        return false;
    struct math_node *w = &p->tree->node[whole];
    if (w->n_parts >= MATH_MAX_PARTS)
        return false;
    if (w->n_parts++ == 0)
        w->a = (int16_t)part;
    else
        p->tree->node[*tail].next = (int16_t)part;
    *tail = part;
    return true;
}

/* ---- primaries ---- */

static bool plain_integer(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n > 0;
}

static bool node_integer(const struct parser *p, int n)
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

/* An argument as TeX takes it: {...}, or one digit, letter or command. */
static int parse_argument(struct parser *p)
{
    struct math_token *t = peek(p);
    if (take(p, '{')) {
        int inner = parse_sum(p);
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
    return t->kind == TOKEN_LETTER || t->kind == TOKEN_COMMAND ? parse_primary(p) : -1;
}

static bool is_fraction(const struct parser *p, const struct math_token *t)
{
    return is_text(p, t, TOKEN_COMMAND, "frac") || is_text(p, t, TOKEN_COMMAND, "dfrac") ||
           is_text(p, t, TOKEN_COMMAND, "tfrac") || is_text(p, t, TOKEN_COMMAND, "cfrac");
}

static int parse_fraction(struct parser *p)
{
    p->i++;
    int a = parse_argument(p);
    return a < 0 ? -1 : binary_node(p, MATH_DIV, a, parse_argument(p));
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
    if (is_fraction(p, peek(p))) {
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

static int parse_number(struct parser *p)
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
    int mixed = n >= 0 && node_integer(p, n) ? parse_mixed(p, n) : -1;
    return mixed >= 0 ? mixed : n;
}

/* x_1, x_{10}, a_n: the letters and digits of the subscript belong to the name. */
static int parse_name(struct parser *p)
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
        int argument = parse_sum(p);
        if (argument < 0 || !take(p, ')'))
            return -1;
        int n = text_node(p, MATH_APPLY, t->at, t->length);
        if (n >= 0)
            p->tree->node[n].a = (int16_t)argument;
        return n;
    }
    return text_node(p, MATH_NAME, t->at, t->length);
}

/* ( [ \{ < with what is inside: a value in parentheses, a point, an interval, a set. */
static int parse_brackets(struct parser *p)
{
    int open = peek(p)->sign, in_abs = p->in_abs;
    p->i++;
    if (open == SIGN_SET_OPEN && take(p, SIGN_SET_CLOSE))
        return math_add(p->tree, MATH_SET, -1, -1);
    p->in_abs = 0;
    int inner = parse_list(p, open == SIGN_SET_OPEN);
    p->in_abs = in_abs;
    int close = peek(p)->sign;
    if (inner < 0 || peek(p)->kind != TOKEN_SIGN)
        return -1;
    p->i++;
    struct math_node *n = &p->tree->node[inner];
    bool many = n->kind == MATH_LIST;
    if (open == SIGN_SET_OPEN) {
        if (close != SIGN_SET_CLOSE)
            return -1;
        if (many) {
            n->kind = MATH_SET;
            return inner;
        }
        int set = math_add(p->tree, MATH_SET, -1, -1), tail = 0;
        return append(p, set, &tail, inner) ? set : -1;
    }
    if (open == SIGN_ANGLE && close == SIGN_ANGLE_END)
        open = '(', close = ')';
    if ((open != '(' && open != '[') || (close != ')' && close != ']'))
        return -1;
    if (many) {
        n->kind = MATH_TUPLE;
        n->op = (uint8_t)((open == '[') * 2 + (close == ']'));
        return inner;
    }
    return (open == '(') == (close == ')') ? inner : -1;
}

static int parse_fenced(struct parser *p, enum math_kind kind, int close)
{
    p->i++;
    p->in_abs += kind == MATH_ABS;
    int inner = parse_sum(p);
    p->in_abs -= kind == MATH_ABS;
    return inner >= 0 && take(p, close) ? unary_node(p, kind, inner) : -1;
}

static int parse_matrix(struct parser *p)
{
    static const char *const kinds[] = {"pmatrix", "bmatrix",     "matrix", "array",
                                        "Bmatrix", "smallmatrix", "vmatrix"};
    struct span kind = text_of(p, peek(p));
    int m = math_add(p->tree, MATH_MATRIX, -1, -1), tail = 0, cols = 0, col = 0;
    bool known = false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        known = known || text_equals(kind, kinds[i]);
    if (m < 0 || !known)
        return -1;
    p->tree->node[m].op = text_equals(kind, "vmatrix") ? 'v' : 0;
    p->i++;
    for (;;) {
        if (!append(p, m, &tail, parse_sum(p)))
            return -1;
        col++;
        if (take(p, '&'))
            continue;
        if (cols != 0 && col != cols)
            return -1;
        cols = col;
        col = 0;
        if (peek(p)->kind == TOKEN_ROW)
            p->i++;
        else if (peek(p)->kind != TOKEN_FINISH)
            return -1;
        if (peek(p)->kind == TOKEN_FINISH)
            break;
    }
    p->i++;
    p->tree->node[m].cols = (uint16_t)cols;
    return m;
}

/* ---- functions and commands ---- */

static int function_of(struct span name)
{
    static const struct {
        const char *name;
        int func;
    } known[] = {{"sin", MATH_SIN},       {"cos", MATH_COS},       {"tan", MATH_TAN},
                 {"cot", MATH_COT},       {"sec", MATH_SEC},       {"csc", MATH_CSC},
                 {"arcsin", MATH_ARCSIN}, {"arccos", MATH_ARCCOS}, {"arctan", MATH_ARCTAN},
                 {"ln", MATH_LN},         {"log", MATH_LOG},       {"exp", MATH_EXP}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (text_equals(name, known[i].name))
            return known[i].func;
    return 0;
}

static bool starts_factor(struct parser *p);

static int parse_func_argument(struct parser *p)
{
    if (is_sign(peek(p), '(') || is_sign(peek(p), '{'))
        return parse_factor(p);
    bool minus = take(p, '-');
    int arg = parse_factor(p);
    while (arg >= 0 && starts_factor(p) && !is_sign(peek(p), '(') &&
           function_of(text_of(p, peek(p))) == 0)
        arg = binary_node(p, MATH_MUL, arg, parse_factor(p));
    return minus ? unary_node(p, MATH_NEG, arg) : arg;
}

static int parse_exponent(struct parser *p)
{
    if (is_sign(peek(p), '{'))
        return parse_argument(p);
    if (take(p, '-'))
        return unary_node(p, MATH_NEG, parse_exponent(p));
    struct math_token *t = peek(p);
    if (t->kind == TOKEN_NUMBER) {
        p->i++;
        return text_node(p, MATH_NUMBER, t->at, t->length);
    }
    if (t->kind == TOKEN_LETTER)
        return parse_name(p);
    if (is_sign(t, '('))
        return parse_brackets(p);
    return t->kind == TOKEN_COMMAND ? parse_argument(p) : -1;
}

static int parse_func(struct parser *p, int func)
{
    int power = -1, base = -1;
    p->i++;
    for (int k = 0; k < 2; k++) {
        if (power < 0 && take(p, '^') && (power = parse_exponent(p)) < 0)
            return -1;
        if (func == MATH_LOG && base < 0 && take(p, '_') && (base = parse_argument(p)) < 0)
            return -1;
    }
    const struct math_node *e = power < 0 ? NULL : &p->tree->node[power];
    bool inverse = e != NULL && e->kind == MATH_NEG && node_integer(p, e->a) &&
                   p->tree->node[e->a].length == 1 && p->tree->text[p->tree->node[e->a].at] == '1';
    if (inverse && func >= MATH_SIN && func <= MATH_TAN)
        func += MATH_ARCSIN - MATH_SIN;
    else
        inverse = false;
    int n = unary_node(p, MATH_FUNC, parse_func_argument(p));
    if (n < 0)
        return -1;
    p->tree->node[n].op = (uint8_t)func;
    p->tree->node[n].b = (int16_t)base;
    return power < 0 || inverse ? n : binary_node(p, MATH_POW, n, power);
}

static int parse_root(struct parser *p)
{
    bool sign = is_text(p, peek(p), TOKEN_COMMAND, "root"); /* the character: takes a number */
    int index = -1, a;
    p->i++;
    if (!sign && take(p, '[')) {
        index = parse_sum(p);
        if (index < 0 || !take(p, ']'))
            return -1;
    }
    if (is_sign(peek(p), '('))
        a = parse_brackets(p);
    else if (sign && peek(p)->kind == TOKEN_NUMBER)
        a = parse_exponent(p);
    else
        a = parse_argument(p);
    int n = unary_node(p, MATH_ROOT, a);
    if (n >= 0)
        p->tree->node[n].b = (int16_t)index;
    return n;
}

static int parse_command(struct parser *p)
{
    static const char *const greek[] = {"alpha",  "beta",   "gamma", "delta", "epsilon", "theta",
                                        "lambda", "mu",     "nu",    "rho",   "sigma",   "tau",
                                        "phi",    "varphi", "omega", "xi",    "psi",     "eta",
                                        "zeta",   "kappa",  "Delta", "Omega", "Theta",   "ell"};
    struct math_token *t = peek(p);
    struct span name = text_of(p, t);
    int func = function_of(name);
    if (func != 0)
        return parse_func(p, func);
    if (is_fraction(p, t))
        return parse_fraction(p);
    if (text_equals(name, "sqrt") || text_equals(name, "root"))
        return parse_root(p);
    if (text_equals(name, "binom") || text_equals(name, "dbinom") || text_equals(name, "tbinom")) {
        p->i++;
        int a = parse_argument(p);
        return a < 0 ? -1 : binary_node(p, MATH_BINOM, a, parse_argument(p));
    }
    for (size_t i = 0; i < sizeof greek / sizeof greek[0]; i++)
        if (text_equals(name, greek[i]))
            return parse_name(p);
    p->i++;
    if (text_equals(name, "pi"))
        return math_add(p->tree, MATH_PI, -1, -1);
    if (text_equals(name, "infty") || text_equals(name, "infinity"))
        return math_add(p->tree, MATH_INFINITY, -1, -1);
    if (text_equals(name, "emptyset") || text_equals(name, "varnothing"))
        return math_add(p->tree, MATH_SET, -1, -1);
    return -1;
}

static int parse_group(struct parser *p)
{
    p->i++;
    int inner = parse_list(p, true);
    if (inner < 0 || !take(p, '}'))
        return -1;
    if (p->tree->node[inner].kind == MATH_LIST)
        p->tree->node[inner].kind = MATH_SET;
    return inner;
}

static int parse_primary(struct parser *p)
{
    struct math_token *t = peek(p);
    switch (t->kind) {
    case TOKEN_NUMBER:
        return parse_number(p);
    case TOKEN_LETTER:
        return parse_name(p);
    case TOKEN_COMMAND:
        return parse_command(p);
    case TOKEN_BEGIN:
        return parse_matrix(p);
    case TOKEN_SIGN:
        break;
    default:
        return -1;
    }
    switch (t->sign) {
    case '(':
    case '[':
    case SIGN_SET_OPEN:
    case SIGN_ANGLE:
        return parse_brackets(p);
    case '{':
        return parse_group(p);
    case '|':
        return parse_fenced(p, MATH_ABS, '|');
    case SIGN_FLOOR:
        return parse_fenced(p, MATH_FLOOR, SIGN_FLOOR_END);
    case SIGN_CEIL:
        return parse_fenced(p, MATH_CEIL, SIGN_CEIL_END);
    default:
        return -1;
    }
}

/* ---- operators ---- */

static int parse_postfix(struct parser *p)
{
    int n = parse_primary(p);
    bool power = false;
    while (n >= 0) {
        if (take(p, '!')) {
            n = unary_node(p, MATH_FACT, n);
        } else if (take(p, SIGN_DEGREE)) {
            n = unary_node(p, MATH_DEGREE, n);
        } else if (!power && take(p, '^')) {
            n = binary_node(p, MATH_POW, n, parse_exponent(p));
            power = true;
        } else if (!take(p, '%')) {
            break;
        }
    }
    return n;
}

static int parse_factor(struct parser *p)
{
    if (++p->depth > MATH_MAX_DEPTH)
        return -1;
    int n = parse_postfix(p);
    p->depth--;
    return n;
}

/* Does a factor follow that multiplies without a sign? */
static bool starts_factor(struct parser *p)
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
    int n = parse_factor(p);
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
        else if (starts_factor(p))
            n = binary_node(p, MATH_MUL, n, parse_factor(p));
        else
            break;
    }
    return n;
}

static int parse_sum(struct parser *p)
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
    return parse_chain(p, MATH_RATIO, ':', parse_sum);
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
        } else if (take(p, '^') && parse_exponent(p) < 0) {
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

static int parse_list(struct parser *p, bool words)
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
    int root = parse_list(&p, true);
    if (root < 0 || p.i != tokens.n)
        return false;
    out->root = root;
    return true;
}
