/* template_expr.c - parsing of expressions. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/template_parser.h"
#include "proto/mem.h"
#include "proto/number.h"

static struct node *parse_unary(struct parse *p, unsigned depth, bool with_filters);

struct node *parse_new_node(struct parse *p, enum node_kind kind)
{
    struct node *n = arena_alloc(p->t->arena, sizeof *n);
    *n = (struct node){.kind = kind, .at = (uint32_t)p->at};
    return n;
}

static struct node *refuse(struct parse *p, size_t at, const char *what)
{
    template_fail(p->t, at, p->err, "%s", what);
    return NULL;
}

void parse_skip_space(struct parse *p)
{
    while (p->at < p->t->n && isspace((unsigned char)p->t->text[p->at]))
        p->at++;
}

bool parse_take(struct parse *p, const char *s)
{
    size_t n = strlen(s);
    parse_skip_space(p);
    if (p->t->n - p->at < n || memcmp(p->t->text + p->at, s, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

bool parse_word(struct parse *p, const char *word)
{
    size_t n = strlen(word);
    parse_skip_space(p);
    if (p->t->n - p->at < n || memcmp(p->t->text + p->at, word, n) != 0)
        return false;
    if (p->at + n < p->t->n && is_name_char(p->t->text[p->at + n]))
        return false;
    p->at += n;
    return true;
}

const char *parse_name(struct parse *p)
{
    parse_skip_space(p);
    size_t from = p->at, end = from;
    while (end < p->t->n && is_name_char(p->t->text[end]))
        end++;
    if (end == from || isdigit((unsigned char)p->t->text[from]))
        return NULL;
    p->at = end;
    return arena_copy(p->t->arena, p->t->text + from, end - from);
}

static struct node *with_kids(struct parse *p, enum node_kind kind, size_t at, size_t n)
{
    struct node *node = parse_new_node(p, kind);
    node->at = (uint32_t)at;
    node->n = n;
    node->kids = arena_alloc(p->t->arena, (n + 1) * sizeof *node->kids);
    return node;
}

static struct node *binary(struct parse *p, enum op op, size_t at, struct node *a, struct node *b)
{
    struct node *n = with_kids(p, NODE_BINARY, at, 2);
    n->op = op;
    n->kids[0] = a;
    n->kids[1] = b;
    return b ? n : NULL;
}

/* Comma-separated expressions up to `close`, behind what is already in kids[0 .. n_first). */
static struct node *parse_items(struct parse *p, struct node *to, size_t n_first, const char *close,
                                unsigned depth)
{
    struct node *items[64] = {0};
    size_t n = 0;
    while (!parse_take(p, close)) {
        if (n > 0 && !parse_take(p, ","))
            return refuse(p, p->at, "a comma or the closing bracket is missing");
        if (n == 64)
            return refuse(p, p->at, "more than 64 items");
        items[n] = parse_expression(p, depth + 1);
        if (!items[n++])
            return NULL;
    }
    struct node **kids = arena_alloc(p->t->arena, (n_first + n + 1) * sizeof *kids);
    if (n_first > 0)
        memcpy(kids, to->kids, n_first * sizeof *kids);
    memcpy(kids + n_first, items, n * sizeof *kids);
    to->kids = kids;
    to->n = n_first + n;
    return to;
}

/* At a quote. */
static struct node *parse_string(struct parse *p)
{
    const char *s = p->t->text;
    size_t from = p->at;
    char quote = s[p->at++];
    struct node *n = parse_new_node(p, NODE_LITERAL);
    char *text = arena_alloc(p->t->arena, p->t->n - from + 1);
    size_t len = 0;
    for (; p->at < p->t->n && s[p->at] != quote; p->at++) {
        if (s[p->at] != '\\') {
            text[len++] = s[p->at];
            continue;
        }
        static const char names[] = "nt\\'\"", values[] = "\n\t\\'\"";
        const char *e = ++p->at < p->t->n && s[p->at] ? strchr(names, s[p->at]) : NULL;
        if (!e)
            return refuse(p, p->at - 1,
                          "an unknown escape in a text; known: \\n \\t \\\\ \\' \\\"");
        text[len++] = values[e - names];
    }
    if (p->at >= p->t->n)
        return refuse(p, from, "a text without its closing quote");
    p->at++;
    n->literal = value_text(text, len);
    return n;
}

static struct node *parse_number(struct parse *p)
{
    const char *s = p->t->text;
    size_t from = p->at, end = from;
    bool is_float = false;
    while (end < p->t->n &&
           (isdigit((unsigned char)s[end]) || (s[end] == '.' && end + 1 < p->t->n && !is_float &&
                                               isdigit((unsigned char)s[end + 1])))) {
        is_float = is_float || s[end] == '.';
        end++;
    }
    struct node *n = parse_new_node(p, NODE_LITERAL);
    PX_FREE char *text = px_xstrndup(s + from, end - from);
    p->at = end;
    int64_t i;
    double d;
    if (!is_float && px_parse_int(text, 0, INT64_MAX, &i, NULL) == 0)
        n->literal = value_int(i);
    else if (is_float && px_parse_double(text, 0, 1e300, &d, NULL) == 0)
        n->literal = (struct value){.kind = VALUE_FLOAT, .number = d};
    else
        return refuse(p, from, "a number out of range");
    return n;
}

static struct node *parse_name_or_word(struct parse *p)
{
    static const struct {
        const char *word;
        struct value value;
    } words[] = {{"true", {.kind = VALUE_BOOL, .is_true = true}},
                 {"True", {.kind = VALUE_BOOL, .is_true = true}},
                 {"false", {.kind = VALUE_BOOL}},
                 {"False", {.kind = VALUE_BOOL}},
                 {"none", {.kind = VALUE_NULL}},
                 {"None", {.kind = VALUE_NULL}}};
    static const char *const reserved[] = {"and", "or",   "not", "in",  "is",
                                           "if",  "else", "for", "elif"};
    size_t at = p->at;
    struct node *n = parse_new_node(p, NODE_NAME);
    n->name = parse_name(p);
    if (!n->name)
        return refuse(p, at, "an expression is missing, or something unknown stands here");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(n->name, words[i].word) == 0) {
            n->kind = NODE_LITERAL;
            n->literal = words[i].value;
        }
    }
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        if (strcmp(n->name, reserved[i]) == 0)
            return refuse(p, at, "an expression is missing before this word");
    }
    return n;
}

static struct node *parse_primary(struct parse *p, unsigned depth)
{
    parse_skip_space(p);
    size_t at = p->at;
    char c = at < p->t->n ? p->t->text[at] : '\0';
    if (c == '(') {
        p->at++;
        struct node *n = parse_expression(p, depth + 1);
        if (n && !parse_take(p, ")"))
            return refuse(p, p->at, "')' is missing");
        return n;
    }
    if (c == '[') {
        p->at++;
        return parse_items(p, with_kids(p, NODE_LIST, at, 0), 0, "]", depth);
    }
    if (c == '\'' || c == '"')
        return parse_string(p);
    if (isdigit((unsigned char)c))
        return parse_number(p);
    return parse_name_or_word(p);
}

static int refuse_function(struct parse *p, size_t at, const char *name, bool as_filter)
{
    struct px_buf known;
    px_buf_init(&known, 4096);
    function_names(as_filter, &known);
    int rc = template_fail(p->t, at, p->err, "unknown %s '%.40s'; known: %s",
                           as_filter ? "filter" : "method", name, (char *)known.data);
    px_buf_clear(&known);
    return rc;
}

static int check_count(struct parse *p, size_t at, const struct function *f, size_t n)
{
    char range[40];
    if (n >= f->min_args && n <= f->max_args)
        return 0;
    if (f->max_args > f->min_args)
        snprintf(range, sizeof range, "%u to %u", f->min_args, f->max_args);
    else
        snprintf(range, sizeof range, "%u", f->min_args);
    return template_fail(p->t, at, p->err, "'%s' takes %s argument%s, not %zu", f->name, range,
                         f->max_args == 1 && f->min_args == 1 ? "" : "s", n);
}

/* The pattern is compiled with the template, so it must be written out. */
static int compile_pattern(struct parse *p, struct node *n)
{
    const struct node *pattern = n->kids[1];
    struct px_err inner;
    if (pattern->kind != NODE_LITERAL || pattern->literal.kind != VALUE_TEXT)
        return template_fail(p->t, pattern->at, p->err,
                             "the pattern of 'regex_replace' must be a text that is written out");
    n->regex = pyregex_new((struct span){pattern->literal.text, pattern->literal.n}, 0, &inner);
    if (!n->regex)
        return template_fail(p->t, pattern->at, p->err, "%s", inner.text);
    PX_GROW(p->t->regexes, p->t->n_regexes, p->t->cap_regexes);
    p->t->regexes[p->t->n_regexes++] = n->regex;
    return 0;
}

/* name and, for methods always and for filters perhaps, arguments. */
static struct node *parse_call(struct parse *p, struct node *of, const char *name, size_t at,
                               bool as_filter, unsigned depth)
{
    const struct function *f = function_find(name, as_filter);
    if (!f) {
        refuse_function(p, at, name, as_filter);
        return NULL;
    }
    struct node *n = with_kids(p, NODE_CALL, at, 1);
    n->name = name;
    n->function = f;
    n->kids[0] = of;
    if (parse_take(p, "(")) {
        if (f->keyword && !(parse_word(p, f->keyword) && parse_take(p, "="))) {
            template_fail(p->t, p->at, p->err, "'%s' takes %s=...", name, f->keyword);
            return NULL;
        }
        if (!parse_items(p, n, 1, ")", depth))
            return NULL;
    }
    if (check_count(p, at, f, n->n - 1) != 0)
        return NULL;
    if (f->special == FUNCTION_REGEX && compile_pattern(p, n) != 0)
        return NULL;
    return n;
}

static struct node *parse_dot(struct parse *p, struct node *of, unsigned depth)
{
    size_t at = p->at;
    const char *name = parse_name(p);
    if (!name)
        return refuse(p, at, "a field's name is missing after the point");
    size_t behind = p->at;
    if (parse_take(p, "(")) {
        p->at = behind;
        return parse_call(p, of, name, at, false, depth);
    }
    p->at = behind;
    struct node *n = with_kids(p, NODE_FIELD, at, 1);
    n->name = name;
    n->kids[0] = of;
    return n;
}

/* Behind "[": an index, or a slice with either end left out. */
static struct node *parse_subscript(struct parse *p, struct node *of, size_t at, unsigned depth)
{
    struct node *n = with_kids(p, NODE_SLICE, at, 3);
    n->kids[0] = of;
    n->kids[1] = n->kids[2] = NULL;
    if (!parse_take(p, ":")) {
        n->kids[1] = parse_expression(p, depth + 1);
        if (!n->kids[1])
            return NULL;
        if (parse_take(p, "]")) {
            n->kind = NODE_INDEX;
            n->n = 2;
            return n;
        }
        if (!parse_take(p, ":"))
            return refuse(p, p->at, "']' is missing");
    }
    if (parse_take(p, "]"))
        return n;
    n->kids[2] = parse_expression(p, depth + 1);
    if (n->kids[2] && !parse_take(p, "]"))
        return refuse(p, p->at, "']' is missing");
    return n->kids[2] ? n : NULL;
}

static struct node *parse_postfix(struct parse *p, struct node *of, unsigned depth)
{
    unsigned links = 0;
    while (of) {
        size_t at = p->at;
        if (++links > PARSE_DEPTH)
            return refuse(p, at, "a chain of more than 32 fields");
        if (parse_take(p, ".")) {
            of = parse_dot(p, of, depth);
        } else if (parse_take(p, "[")) {
            of = parse_subscript(p, of, at, depth);
        } else if (parse_take(p, "(")) {
            return refuse(p, at, "only methods and filters can be called");
        } else {
            p->at = at;
            return of;
        }
    }
    return NULL;
}

static struct node *parse_filters(struct parse *p, struct node *of, unsigned depth)
{
    unsigned links = 0;
    while (of && parse_take(p, "|")) {
        parse_skip_space(p);
        size_t at = p->at;
        const char *name = parse_name(p);
        if (!name)
            return refuse(p, at, "a filter's name is missing");
        if (++links > PARSE_DEPTH)
            return refuse(p, at, "a chain of more than 32 filters");
        of = parse_call(p, of, name, at, true, depth);
    }
    return of;
}

/* `is [not] name`, behind an operand. */
static struct node *parse_test(struct parse *p, struct node *of)
{
    size_t before = p->at;
    if (!parse_word(p, "is")) {
        p->at = before;
        return of;
    }
    bool negated = parse_word(p, "not");
    parse_skip_space(p);
    size_t at = p->at;
    struct node *n = with_kids(p, NODE_TEST, at, 1);
    n->name = parse_name(p);
    if (!n->name || !template_test_known(n->name))
        return refuse(p, at, "an unknown test behind `is`; known: " TEMPLATE_TESTS);
    n->op = negated ? OP_NOT : OP_EQUAL;
    n->kids[0] = of;
    return n;
}

static struct node *parse_unary(struct parse *p, unsigned depth, bool with_filters)
{
    parse_skip_space(p);
    size_t at = p->at;
    struct node *n;
    if (depth > PARSE_DEPTH)
        return refuse(p, at, "more than 32 levels of nesting");
    /* A "-" that closes the tag is not a sign. */
    if (at + 1 < p->t->n && p->t->text[at] == '-' && !strchr("}%", p->t->text[at + 1])) {
        p->at++;
        struct node *inner = parse_unary(p, depth + 1, false);
        if (!inner)
            return NULL;
        n = with_kids(p, NODE_UNARY, at, 1);
        n->op = OP_NEGATE;
        n->kids[0] = inner;
    } else {
        n = parse_primary(p, depth);
    }
    n = parse_postfix(p, n, depth);
    n = n && with_filters ? parse_filters(p, n, depth) : n;
    return n && with_filters ? parse_test(p, n) : n;
}

static struct node *parse_concat(struct parse *p, unsigned depth)
{
    struct node *n = parse_unary(p, depth, true);
    unsigned links = 0;
    while (n && parse_take(p, "~")) {
        if (++links > PARSE_DEPTH)
            return refuse(p, p->at, "a chain of more than 32 terms");
        size_t at = p->at;
        n = binary(p, OP_CONCAT, at, n, parse_unary(p, depth, true));
    }
    return n;
}

static struct node *parse_sum(struct parse *p, unsigned depth)
{
    struct node *n = parse_concat(p, depth);
    unsigned links = 0;
    while (n) {
        parse_skip_space(p);
        size_t at = p->at;
        char c = at < p->t->n ? p->t->text[at] : '\0';
        bool closes = c == '-' && at + 1 < p->t->n && strchr("}%", p->t->text[at + 1]);
        if ((c != '+' && c != '-') || closes)
            break;
        if (++links > PARSE_DEPTH)
            return refuse(p, at, "a chain of more than 32 terms");
        p->at++;
        n = binary(p, c == '+' ? OP_ADD : OP_SUBTRACT, at, n, parse_concat(p, depth));
    }
    return n;
}

static bool parse_comparison(struct parse *p, enum op *op)
{
    static const struct {
        const char *text;
        enum op op;
    } signs[] = {{"==", OP_EQUAL},         {"!=", OP_DIFFERENT}, {"<=", OP_LESS_EQUAL},
                 {">=", OP_GREATER_EQUAL}, {"<", OP_LESS},       {">", OP_GREATER}};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (parse_take(p, signs[i].text)) {
            *op = signs[i].op;
            return true;
        }
    }
    size_t at = p->at;
    bool negated = parse_word(p, "not");
    if (parse_word(p, "in")) {
        *op = negated ? OP_NOT_IN : OP_IN;
        return true;
    }
    p->at = at;
    return false;
}

static struct node *parse_compare(struct parse *p, unsigned depth)
{
    struct node *n = parse_sum(p, depth);
    size_t at = p->at;
    enum op op, again;
    if (!n || !parse_comparison(p, &op))
        return n;
    n = binary(p, op, at, n, parse_sum(p, depth));
    at = p->at;
    if (n && parse_comparison(p, &again))
        return refuse(p, at, "a chain of comparisons: use `and`");
    return n;
}

static struct node *parse_not(struct parse *p, unsigned depth)
{
    parse_skip_space(p);
    size_t at = p->at;
    if (depth > PARSE_DEPTH)
        return refuse(p, at, "more than 32 levels of nesting");
    if (!parse_word(p, "not"))
        return parse_compare(p, depth);
    struct node *inner = parse_not(p, depth + 1);
    if (!inner)
        return NULL;
    struct node *n = with_kids(p, NODE_UNARY, at, 1);
    n->op = OP_NOT;
    n->kids[0] = inner;
    return n;
}

static struct node *parse_logic(struct parse *p, enum op op, unsigned depth)
{
    struct node *n = op == OP_OR ? parse_logic(p, OP_AND, depth) : parse_not(p, depth);
    unsigned links = 0;
    while (n) {
        size_t at = p->at;
        if (!parse_word(p, op == OP_OR ? "or" : "and"))
            break;
        if (++links > PARSE_DEPTH)
            return refuse(p, at, "a chain of more than 32 terms");
        n = binary(p, op, at, n, op == OP_OR ? parse_logic(p, OP_AND, depth) : parse_not(p, depth));
    }
    return n;
}

struct node *parse_expression(struct parse *p, unsigned depth)
{
    if (depth > PARSE_DEPTH)
        return refuse(p, p->at, "more than 32 levels of nesting");
    struct node *n = parse_logic(p, OP_OR, depth);
    size_t at = p->at;
    if (!n || !parse_word(p, "if"))
        return n;
    struct node *cond = with_kids(p, NODE_COND, at, 3);
    cond->kids[0] = n;
    cond->kids[1] = parse_logic(p, OP_OR, depth);
    if (!cond->kids[1])
        return NULL;
    if (!parse_word(p, "else"))
        return refuse(p, p->at, "`a if b` needs an else");
    cond->kids[2] = parse_expression(p, depth + 1);
    return cond->kids[2] ? cond : NULL;
}
