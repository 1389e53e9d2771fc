/* math_primary.c - what operators work on: brackets, matrices, functions, commands. */
#include <string.h>

#include "sandbox/score/math_parser.h"

/* ( [ \{ < with what is inside: a value in parentheses, a point, an interval, a set. */
static int parse_brackets(struct parser *p)
{
    int open = peek(p)->sign, in_abs = p->in_abs;
    p->i++;
    if (open == SIGN_SET_OPEN && take(p, SIGN_SET_CLOSE))
        return math_add(p->tree, MATH_SET, -1, -1);
    p->in_abs = 0;
    int inner = math_parse_list(p, open == SIGN_SET_OPEN);
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
    int inner = math_parse_sum(p);
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
        if (!append(p, m, &tail, math_parse_sum(p)))
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

static int parse_func_argument(struct parser *p)
{
    if (is_sign(peek(p), '(') || is_sign(peek(p), '{'))
        return math_parse_factor(p);
    bool minus = take(p, '-');
    int arg = math_parse_factor(p);
    while (arg >= 0 && math_starts_factor(p) && !is_sign(peek(p), '(') &&
           function_of(text_of(p, peek(p))) == 0)
        arg = binary_node(p, MATH_MUL, arg, math_parse_factor(p));
    return minus ? unary_node(p, MATH_NEG, arg) : arg;
}

int math_parse_exponent(struct parser *p)
{
    if (is_sign(peek(p), '{'))
        return math_parse_argument(p);
    if (take(p, '-'))
        return unary_node(p, MATH_NEG, math_parse_exponent(p));
    struct math_token *t = peek(p);
    if (t->kind == TOKEN_NUMBER) {
        p->i++;
        return text_node(p, MATH_NUMBER, t->at, t->length);
    }
    if (t->kind == TOKEN_LETTER)
        return math_parse_name(p);
    if (is_sign(t, '('))
        return parse_brackets(p);
    return t->kind == TOKEN_COMMAND ? math_parse_argument(p) : -1;
}

static int parse_func(struct parser *p, int func)
{
    int power = -1, base = -1;
    p->i++;
    for (int k = 0; k < 2; k++) {
        if (power < 0 && take(p, '^') && (power = math_parse_exponent(p)) < 0)
            return -1;
        if (func == MATH_LOG && base < 0 && take(p, '_') && (base = math_parse_argument(p)) < 0)
            return -1;
    }
    const struct math_node *e = power < 0 ? NULL : &p->tree->node[power];
    bool inverse = e != NULL && e->kind == MATH_NEG && math_node_integer(p, e->a) &&
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
        index = math_parse_sum(p);
        if (index < 0 || !take(p, ']'))
            return -1;
    }
    if (is_sign(peek(p), '('))
        a = parse_brackets(p);
    else if (sign && peek(p)->kind == TOKEN_NUMBER)
        a = math_parse_exponent(p);
    else
        a = math_parse_argument(p);
    int n = unary_node(p, MATH_ROOT, a);
    if (n >= 0)
        p->tree->node[n].b = (int16_t)index;
    return n;
}

static int parse_fraction(struct parser *p)
{
    p->i++;
    int a = math_parse_argument(p);
    return a < 0 ? -1 : binary_node(p, MATH_DIV, a, math_parse_argument(p));
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
    if (math_is_fraction(p, t))
        return parse_fraction(p);
    if (text_equals(name, "sqrt") || text_equals(name, "root"))
        return parse_root(p);
    if (text_equals(name, "binom") || text_equals(name, "dbinom") || text_equals(name, "tbinom")) {
        p->i++;
        int a = math_parse_argument(p);
        return a < 0 ? -1 : binary_node(p, MATH_BINOM, a, math_parse_argument(p));
    }
    for (size_t i = 0; i < sizeof greek / sizeof greek[0]; i++)
        if (text_equals(name, greek[i]))
            return math_parse_name(p);
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
    int inner = math_parse_list(p, true);
    if (inner < 0 || !take(p, '}'))
        return -1;
    if (p->tree->node[inner].kind == MATH_LIST)
        p->tree->node[inner].kind = MATH_SET;
    return inner;
}

int math_parse_primary(struct parser *p)
{
    struct math_token *t = peek(p);
    switch (t->kind) {
    case TOKEN_NUMBER:
        return math_parse_number(p);
    case TOKEN_LETTER:
        return math_parse_name(p);
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
