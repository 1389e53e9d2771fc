/* math_sympy.c - a reader after sympy's LaTeX grammar (LaTeX.g4 of sympy 1.11 to 1.14), by
 * recursive descent. Where the generated parser falls back to the longest beginning that it could
 * read, this one goes back to before the construct that failed. */
#include "sandbox/score/math_sympy.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "sandbox/score/math_equal.h"

enum token_kind {
    T_END = 0,
    T_LETTER,
    T_DIGIT,
    T_SYMBOL, /* \name that is nothing else */
    T_FUNC,   /* \sin and the like */
    T_SQRT,
    T_OVERLINE,
    T_FRAC,
    T_BINOM,
    T_DIFFERENTIAL, /* d and a name */
    T_RELATION,
    T_TIMES, /* \cdot, \times, * */
    T_OVER,  /* /, \div, : */
    T_OPEN_BRACE_SIGN,
    T_CLOSE_BRACE_SIGN,
    T_FLOOR,
    T_FLOOR_END,
    T_CEIL,
    T_CEIL_END,
    T_OTHER, /* a construct that is not read */
    T_ERROR, /* the lexer knows nothing that begins so */
    T_CHAR   /* from here on: T_CHAR + the character */
};

struct token {
    uint16_t kind, at, length;
};

struct reader {
    struct math_tree *tree;
    struct token *t;
    int n, i, depth;
    bool fatal; /* an unknown sign was looked at: nothing can be saved */
};

/* ---- tokens ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int command_kind(struct span name)
{
    static const struct {
        const char *names;
        int kind; /* T_END: skipped */
    } known[] = {
        {" left right quad qquad thinspace medspace thickspace negthinspace negmedspace "
         "negthickspace vrule vcenter vbox vskip vspace hfil ",
         T_END},
        {" exp log lg ln sin cos tan csc sec cot arcsin arccos arctan arccsc arcsec arccot sinh "
         "cosh tanh arsinh arcosh artanh ",
         T_FUNC},
        {" sqrt ", T_SQRT},
        {" overline ", T_OVERLINE},
        {" frac dfrac tfrac ", T_FRAC},
        {" binom dbinom tbinom ", T_BINOM},
        {" times cdot ", T_TIMES},
        {" div ", T_OVER},
        {" le leq leqq leqslant ge geq geqq geqslant neq ", T_RELATION},
        {" lfloor ", T_FLOOR},
        {" rfloor ", T_FLOOR_END},
        {" lceil ", T_CEIL},
        {" rceil ", T_CEIL_END},
        {" lim to rightarrow Rightarrow longrightarrow Longrightarrow int sum prod langle rangle "
         "mathit ",
         T_OTHER}};
    char word[32];
    if (name.n + 3 > sizeof word)
        return T_SYMBOL;
    word[0] = ' ';
    memcpy(word + 1, name.p, name.n);
    word[name.n + 1] = ' ';
    word[name.n + 2] = '\0';
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strstr(known[i].names, word) != NULL)
            return known[i].kind;
    return T_SYMBOL;
}

/* A backslash: what it begins, and how long that is. */
static int backslash(struct span s, size_t *length)
{
    size_t n = 1;
    while (n < s.n && is_letter(s.p[n]))
        n++;
    *length = n > 1 ? n : 2;
    if (n > 1)
        return command_kind((struct span){s.p + 1, n - 1});
    char c = s.n > 1 ? s.p[1] : '\0';
    if (c == '{' || c == '}')
        return c == '{' ? T_OPEN_BRACE_SIGN : T_CLOSE_BRACE_SIGN;
    return c != '\0' && strchr(",:;!*-./\"(=", c) != NULL ? T_END : T_ERROR;
}

/* d x, d \theta */
static size_t differential(struct span s)
{
    size_t i = 1;
    while (i < s.n && strchr(" \t\r\n", s.p[i]) != NULL && s.p[i] != '\0')
        i++;
    if (i < s.n && is_letter(s.p[i]))
        return i + 1;
    if (i + 1 >= s.n || s.p[i] != '\\' || !is_letter(s.p[i + 1]))
        return 0;
    for (i++; i < s.n && is_letter(s.p[i]); i++)
        ;
    return i;
}

/* What begins at s, and its length; T_END: nothing that counts. */
static int token_at(struct span s, size_t *length)
{
    char c = s.p[0];
    *length = 1;
    if (c == '\\')
        return backslash(s, length);
    if (c == 'd' && (*length = differential(s)) > 0)
        return T_DIFFERENTIAL;
    *length = 1;
    if (is_letter(c))
        return T_LETTER;
    if (is_digit(c))
        return T_DIGIT;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
        return T_END;
    if (c == '=' || c == '<' || c == '>')
        return T_RELATION;
    if (c == '*')
        return T_TIMES;
    if (c == '/' || c == ':')
        return T_OVER;
    return c != '\0' && strchr("+-(){}[]|_^!',.", c) != NULL ? T_CHAR + c : T_ERROR;
}

static void read_tokens(struct reader *r, struct span s)
{
    for (size_t i = 0; i < s.n;) {
        size_t length;
        int kind = token_at((struct span){r->tree->text + i, s.n - i}, &length);
        if (kind != T_END)
            r->t[r->n++] = (struct token){(uint16_t)kind, (uint16_t)i, (uint16_t)length};
        i += length;
    }
    r->t[r->n] = (struct token){T_END, (uint16_t)s.n, 0};
}

static int kind_ahead(struct reader *r, int k)
{
    int i = r->i + k < r->n ? r->i + k : r->n;
    r->fatal = r->fatal || r->t[i].kind == T_ERROR;
    return r->fatal ? T_ERROR : r->t[i].kind;
}

static int kind(struct reader *r)
{
    return kind_ahead(r, 0);
}

static bool take(struct reader *r, int k)
{
    if (kind(r) != k)
        return false;
    r->i++;
    return true;
}

static bool token_is(const struct reader *r, int i, const char *text)
{
    struct span s = {r->tree->text + r->t[i].at, r->t[i].length};
    return text_equals(s, text);
}

/* ---- nodes ---- */

static int node(struct reader *r, enum math_kind k, int a, int b, int from, int to)
{
    int n = math_add(r->tree, k, a, b);
    if (n >= 0 && from < to) {
        r->tree->node[n].at = r->t[from].at;
        r->tree->node[n].length = (uint16_t)(r->t[to - 1].at + r->t[to - 1].length - r->t[from].at);
    }
    return n;
}

static int pair(struct reader *r, enum math_kind k, int a, int b)
{
    return a < 0 || b < 0 ? -1 : node(r, k, a, b, 0, 0);
}

static int wrap(struct reader *r, enum math_kind k, int a)
{
    return a < 0 ? -1 : node(r, k, a, -1, 0, 0);
}

static int read_expr(struct reader *r);
static int read_postfix(struct reader *r, bool functions);
static int read_mp(struct reader *r, bool functions);

static int read_between(struct reader *r, int open, int close)
{
    if (!take(r, open))
        return -1;
    int n = read_expr(r);
    return n >= 0 && take(r, close) ? n : -1;
}

static int read_braces(struct reader *r)
{
    return read_between(r, T_CHAR + '{', T_CHAR + '}');
}

/* digits (, three digits)* (. digits)? A point that no digit follows confuses the original: only
 * the first digit is read. */
static int read_number(struct reader *r)
{
    int from = r->i, to;
    bool commas = false;
    while (take(r, T_DIGIT))
        ;
    while (kind(r) == T_CHAR + ',' && kind_ahead(r, 1) == T_DIGIT && kind_ahead(r, 2) == T_DIGIT &&
           kind_ahead(r, 3) == T_DIGIT) {
        r->i += 4;
        commas = true;
    }
    if (kind(r) == T_CHAR + '.') {
        if (kind_ahead(r, 1) != T_DIGIT)
            r->i = from + 1;
        else
            r->i++;
        while (r->i > from + 1 && take(r, T_DIGIT))
            ;
    }
    to = r->i;
    if (commas || r->t[to - 1].at - r->t[from].at != to - 1 - from)
        return -1; /* separators inside: never after normalisation */
    return r->fatal ? -1 : node(r, MATH_NUMBER, -1, -1, from, to);
}

/* _ (atom | {expr}): part of a name; false on an error. */
static bool skip_subscript(struct reader *r)
{
    if (!take(r, T_CHAR + '_'))
        return true;
    if (kind(r) == T_CHAR + '{')
        return read_braces(r) >= 0;
    if (kind(r) == T_DIGIT)
        return read_number(r) >= 0;
    return take(r, T_LETTER) || take(r, T_SYMBOL);
}

/* A letter or symbol with its subscript; before parentheses it is a function. */
static int read_name(struct reader *r)
{
    int from = r->i++;
    if (!skip_subscript(r))
        return -1;
    while (take(r, T_CHAR + '\''))
        ;
    int to = r->i, used = r->tree->n;
    if (kind(r) == T_CHAR + '(') {
        int argument = read_between(r, T_CHAR + '(', T_CHAR + ')');
        if (argument >= 0)
            return node(r, MATH_APPLY, argument, -1, from, to);
        r->i = to;
        r->tree->n = used;
    }
    return r->fatal ? -1 : node(r, MATH_NAME, -1, -1, from, to);
}

static int read_argument_of_frac(struct reader *r)
{
    if (kind(r) == T_DIGIT) {
        r->i++;
        return node(r, MATH_NUMBER, -1, -1, r->i - 1, r->i);
    }
    return read_braces(r);
}

static int read_root(struct reader *r)
{
    int index = -1;
    r->i++;
    if (kind(r) == T_CHAR + '[' && (index = read_between(r, T_CHAR + '[', T_CHAR + ']')) < 0)
        return -1;
    int n = wrap(r, MATH_ROOT, read_braces(r));
    if (n >= 0)
        r->tree->node[n].b = (int16_t)index;
    return n;
}

/* ---- functions ---- */

static int known_function(const struct reader *r, int i)
{
    static const struct {
        const char *name;
        int func;
    } known[] = {{"\\sin", MATH_SIN},       {"\\cos", MATH_COS},       {"\\tan", MATH_TAN},
                 {"\\cot", MATH_COT},       {"\\sec", MATH_SEC},       {"\\csc", MATH_CSC},
                 {"\\arcsin", MATH_ARCSIN}, {"\\arccos", MATH_ARCCOS}, {"\\arctan", MATH_ARCTAN},
                 {"\\ln", MATH_LN},         {"\\log", MATH_LOG},       {"\\exp", MATH_EXP}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (token_is(r, i, known[k].name))
            return known[k].func;
    return 0;
}

static int read_power(struct reader *r) /* behind ^ */
{
    switch (kind(r)) {
    case T_CHAR + '{':
        return read_braces(r);
    case T_DIGIT:
        return read_number(r);
    case T_LETTER:
    case T_SYMBOL: {
        int from = r->i++;
        return skip_subscript(r) ? node(r, MATH_NAME, -1, -1, from, r->i) : -1;
    }
    case T_FRAC: {
        r->i++;
        int a = read_argument_of_frac(r);
        return a < 0 ? -1 : pair(r, MATH_DIV, a, read_argument_of_frac(r));
    }
    default:
        return -1;
    }
}

static int read_function(struct reader *r)
{
    int name = r->i++, power = -1, base = -1, argument;
    int func = known_function(r, name);
    for (int k = 0; k < 2; k++) {
        if (power < 0 && take(r, T_CHAR + '^') && (power = read_power(r)) < 0)
            return -1;
        if (base < 0 && take(r, T_CHAR + '_') && (base = read_power(r)) < 0)
            return -1;
    }
    if (kind(r) == T_CHAR + '(')
        argument = read_between(r, T_CHAR + '(', T_CHAR + ')');
    else
        argument = read_mp(r, false);
    if (argument < 0)
        return -1;
    int n = node(r, func != 0 ? MATH_FUNC : MATH_APPLY, argument, -1, name, name + 1);
    if (n < 0)
        return -1;
    r->tree->node[n].op = (uint8_t)func;
    if (func == MATH_LOG)
        r->tree->node[n].b = (int16_t)base;
    return power < 0 ? n : pair(r, MATH_POW, n, power);
}

/* ---- expressions ---- */

static int read_comp(struct reader *r, bool functions)
{
    int k = kind(r), a;
    switch (k) {
    case T_CHAR + '(':
        return read_between(r, k, T_CHAR + ')');
    case T_CHAR + '[':
        return read_between(r, k, T_CHAR + ']');
    case T_CHAR + '{':
        return read_braces(r);
    case T_OPEN_BRACE_SIGN:
        return read_between(r, k, T_CLOSE_BRACE_SIGN);
    case T_CHAR + '|':
        return wrap(r, MATH_ABS, read_between(r, k, k));
    case T_FLOOR:
        return wrap(r, MATH_FLOOR, read_between(r, k, T_FLOOR_END));
    case T_CEIL:
        return wrap(r, MATH_CEIL, read_between(r, k, T_CEIL_END));
    case T_DIGIT:
        return read_number(r);
    case T_LETTER:
    case T_SYMBOL:
        return read_name(r);
    case T_DIFFERENTIAL:
        r->i++;
        return node(r, MATH_NAME, -1, -1, r->i - 1, r->i);
    case T_FRAC:
        return read_power(r);
    case T_BINOM:
        r->i++;
        a = read_braces(r);
        return a < 0 ? -1 : pair(r, MATH_BINOM, a, read_braces(r));
    case T_FUNC:
        return functions ? read_function(r) : -1;
    case T_SQRT:
        return functions ? read_root(r) : -1;
    case T_OVERLINE:
        r->i++;
        a = functions ? read_braces(r) : -1;
        return a < 0 ? -1 : node(r, MATH_APPLY, a, -1, r->i - 1, r->i);
    default:
        return -1;
    }
}

/* exp and its operators: powers, factorials. What fails behind a complete part is left unread. */
static int read_postfix(struct reader *r, bool functions)
{
    if (++r->depth > MATH_MAX_DEPTH)
        return -1;
    int n = read_comp(r, functions);
    while (n >= 0) {
        int before = r->i, used = r->tree->n;
        if (take(r, T_CHAR + '!')) {
            n = wrap(r, MATH_FACT, n);
            continue;
        }
        if (!take(r, T_CHAR + '^'))
            break;
        int power = read_power(r);
        if (power >= 0 && skip_subscript(r)) {
            n = pair(r, MATH_POW, n, power);
            continue;
        }
        r->i = before;
        r->tree->n = used;
        break;
    }
    r->depth--;
    return n;
}

static int read_unary(struct reader *r, bool functions)
{
    bool minus = false;
    for (;;) {
        if (take(r, T_CHAR + '-'))
            minus = !minus;
        else if (!take(r, T_CHAR + '+'))
            break;
    }
    int n = read_postfix(r, true);
    while (n >= 0) {
        int before = r->i, used = r->tree->n, next = read_postfix(r, functions);
        if (next < 0) {
            r->i = before;
            r->tree->n = used;
            break;
        }
        n = pair(r, MATH_MUL, n, next);
    }
    return minus ? wrap(r, MATH_NEG, n) : n;
}

/* An operator and what follows it, or neither. */
static int read_mp(struct reader *r, bool functions)
{
    int n = read_unary(r, functions);
    while (n >= 0 && (kind(r) == T_TIMES || kind(r) == T_OVER)) {
        int before = r->i, used = r->tree->n;
        enum math_kind op = r->t[r->i++].kind == T_TIMES ? MATH_MUL : MATH_DIV;
        int next = read_unary(r, functions);
        if (next < 0) {
            r->i = before;
            r->tree->n = used;
            break;
        }
        n = pair(r, op, n, next);
    }
    return n;
}

static int read_expr(struct reader *r)
{
    if (++r->depth > MATH_MAX_DEPTH)
        return -1;
    int n = read_mp(r, true);
    while (n >= 0 && (kind(r) == T_CHAR + '+' || kind(r) == T_CHAR + '-')) {
        int before = r->i, used = r->tree->n;
        bool minus = r->t[r->i++].kind == T_CHAR + '-';
        int next = read_mp(r, true);
        if (next < 0) {
            r->i = before;
            r->tree->n = used;
            break;
        }
        n = pair(r, MATH_ADD, n, minus ? wrap(r, MATH_NEG, next) : next);
    }
    r->depth--;
    return n;
}

bool math_sympy_parse(struct span s, struct math_tree *out)
{
    out->n = 0;
    out->root = -1;
    if (s.n == 0 || s.n > MATH_MAX_TEXT)
        return false;
    struct reader r = {.tree = out, .t = px_xcalloc(s.n + 1, sizeof *r.t)};
    memcpy(out->text, s.p, s.n);
    out->text[s.n] = '\0';
    read_tokens(&r, s);
    int n = read_expr(&r);
    if (n >= 0 && kind(&r) == T_RELATION) {
        int before = r.i++;
        int other = read_expr(&r);
        if (other >= 0)
            n = pair(&r, MATH_RELATION, n, other);
        else
            r.i = before;
    }
    bool ok = n >= 0 && !r.fatal;
    free(r.t);
    out->root = ok ? n : -1;
    return ok;
}

bool math_sympy_equal(struct span a, struct span b)
{
    struct math_tree *x = px_xmalloc(sizeof *x), *y = px_xmalloc(sizeof *y);
    bool yes = math_sympy_parse(a, x) && math_sympy_parse(b, y) &&
               x->node[x->root].kind != MATH_RELATION && y->node[y->root].kind != MATH_RELATION;
    if (yes && !(a.n == b.n && memcmp(a.p, b.p, a.n) == 0)) {
        struct math_context c = {.steps = MATH_STEPS};
        yes =
            math_same_scalar(&c, (struct math_at){x, x->root, 0}, (struct math_at){y, y->root, 0});
    }
    free(x);
    free(y);
    return yes;
}
