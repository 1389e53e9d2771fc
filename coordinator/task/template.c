/* template.c - parsing: text and tags into a tree. Expressions by recursive descent with Jinja's
 * precedences (or, and, not, comparison, + -, ~, unary, postfix and filters). */
#include "coordinator/task/template.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/template_node.h"
#include "coordinator/task/template_parser.h"
#include "proto/mem.h"

int template_fail(const struct text_template *t, size_t at, struct px_err *err, const char *fmt,
                  ...)
{
    char what[600];
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && i < t->n; i++) {
        if (((unsigned char)t->text[i] & 0xc0) != 0x80)
            column++;
        if (t->text[i] == '\n') {
            line++;
            column = 1;
        }
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return px_fail(err, PX_EINPUT, "template %zu:%zu: %s", line, column, what);
}

/* ---- lists of kids that grow outside the arena ---- */

struct kids {
    struct node **list;
    size_t n, cap;
};

static void add_kid(struct kids *k, struct node *n)
{
    PX_GROW(k->list, k->n, k->cap);
    k->list[k->n++] = n;
}

static void end_kids(struct parse *p, struct kids *k, struct node *to)
{
    to->n = k->n;
    to->kids = arena_alloc(p->t->arena, (k->n + 1) * sizeof *to->kids);
    if (k->n > 0)
        memcpy(to->kids, k->list, k->n * sizeof *to->kids);
    free(k->list);
}

/* ---- statements ---- */

/* Which words end a block: bits. */
enum { END_FILE = 1, END_IF = 2, END_ELSE = 4, END_FOR = 8 };

static struct node *parse_block(struct parse *p, unsigned ends, unsigned depth);

/* The next tag from here: its place, or the end of the text. */
static size_t find_tag(const struct parse *p, size_t from)
{
    for (size_t i = from; i + 1 < p->t->n; i++) {
        if (p->t->text[i] == '{' && strchr("{%#", p->t->text[i + 1]) && p->t->text[i + 1])
            return i;
    }
    return p->t->n;
}

/* Literal text up to the next tag; `-` in the tags around it strips white space. */
static void parse_text(struct parse *p, struct kids *k)
{
    const char *s = p->t->text;
    size_t from = p->at, end = find_tag(p, from);
    p->at = end;
    if (p->strip_next) {
        while (from < end && isspace((unsigned char)s[from]))
            from++;
    }
    p->strip_next = false;
    if (end + 2 < p->t->n && s[end + 2] == '-') {
        while (end > from && isspace((unsigned char)s[end - 1]))
            end--;
    }
    if (from == end)
        return;
    struct node *n = parse_new_node(p, NODE_TEXT);
    n->literal = value_text(s + from, end - from);
    add_kid(k, n);
}

static int skip_comment(struct parse *p)
{
    const char *s = p->t->text;
    size_t from = p->at;
    for (size_t i = from + 2; i + 1 < p->t->n; i++) {
        if (s[i] == '#' && s[i + 1] == '}') {
            p->strip_next = s[i - 1] == '-' && i - 1 > from + 1;
            p->at = i + 2;
            return 0;
        }
    }
    return template_fail(p->t, from, p->err, "a comment without its end '#}'");
}

/* Behind "{{" or "{%" and an optional "-". */
static void open_tag(struct parse *p)
{
    p->at += 2;
    if (p->at < p->t->n && p->t->text[p->at] == '-')
        p->at++;
}

/* "%}" or "}}", with an optional "-" before it. */
static int close_tag(struct parse *p, const char *end)
{
    parse_skip_space(p);
    bool strip = parse_take(p, "-");
    if (!parse_take(p, end))
        return template_fail(p->t, p->at, p->err,
                             "'%s' is missing, or something unknown stands here", end);
    p->strip_next = strip;
    return 0;
}

static struct node *parse_print(struct parse *p)
{
    struct node *n = parse_new_node(p, NODE_PRINT);
    open_tag(p);
    struct kids k = {0};
    struct node *e = parse_expression(p, 1);
    if (!e || close_tag(p, "}}") != 0)
        return NULL;
    add_kid(&k, e);
    end_kids(p, &k, n);
    return n;
}

static struct node *parse_if(struct parse *p, size_t at, unsigned depth)
{
    struct node *n = parse_new_node(p, NODE_IF);
    n->at = (uint32_t)at;
    n->kids = arena_alloc(p->t->arena, 3 * sizeof *n->kids);
    n->n = 3;
    n->kids[2] = NULL;
    n->kids[0] = parse_expression(p, 1);
    if (!n->kids[0] || close_tag(p, "%}") != 0)
        return NULL;
    n->kids[1] = parse_block(p, END_IF | END_ELSE, depth + 1);
    if (!n->kids[1])
        return NULL;
    if (strcmp(p->ended_by, "elif") == 0) {
        n->kids[2] = parse_if(p, p->at, depth + 1);
        return n->kids[2] ? n : NULL;
    }
    if (strcmp(p->ended_by, "else") == 0) {
        if (close_tag(p, "%}") != 0)
            return NULL;
        n->kids[2] = parse_block(p, END_IF, depth + 1);
        if (!n->kids[2])
            return NULL;
    }
    return close_tag(p, "%}") == 0 ? n : NULL;
}

static struct node *parse_for(struct parse *p, size_t at, unsigned depth)
{
    struct node *n = parse_new_node(p, NODE_FOR);
    n->at = (uint32_t)at;
    n->name = parse_name(p);
    if (!n->name || !parse_word(p, "in")) {
        template_fail(p->t, p->at, p->err, "expected: for name in list");
        return NULL;
    }
    n->kids = arena_alloc(p->t->arena, 2 * sizeof *n->kids);
    n->n = 2;
    n->kids[0] = parse_expression(p, 1);
    if (!n->kids[0] || close_tag(p, "%}") != 0)
        return NULL;
    n->kids[1] = parse_block(p, END_FOR, depth + 1);
    if (!n->kids[1] || close_tag(p, "%}") != 0)
        return NULL;
    return n;
}

static struct node *parse_set(struct parse *p, size_t at)
{
    struct node *n = parse_new_node(p, NODE_SET);
    n->at = (uint32_t)at;
    n->name = parse_name(p);
    if (!n->name || !parse_take(p, "=")) {
        template_fail(p->t, p->at, p->err, "expected: set name = value");
        return NULL;
    }
    n->kids = arena_alloc(p->t->arena, sizeof *n->kids);
    n->n = 1;
    n->kids[0] = parse_expression(p, 1);
    return n->kids[0] && close_tag(p, "%}") == 0 ? n : NULL;
}

/* A tag that ends the block that we are in. */
static bool is_end(const char *word, unsigned ends)
{
    return (strcmp(word, "endif") == 0 && (ends & END_IF)) ||
           (strcmp(word, "endfor") == 0 && (ends & END_FOR)) ||
           ((strcmp(word, "else") == 0 || strcmp(word, "elif") == 0) && (ends & END_ELSE));
}

/* 1: a statement (in *out), 0: the end of the block, -1: an error. */
static int parse_statement(struct parse *p, unsigned ends, unsigned depth, struct node **out)
{
    size_t at = p->at;
    open_tag(p);
    const char *word = parse_name(p);
    if (!word)
        return template_fail(p->t, p->at, p->err,
                             "a statement needs a word; known: if, elif, "
                             "else, endif, for, endfor, set");
    if (is_end(word, ends)) {
        p->ended_by = word;
        return 0;
    }
    if (strcmp(word, "if") == 0)
        *out = parse_if(p, at, depth);
    else if (strcmp(word, "for") == 0)
        *out = parse_for(p, at, depth);
    else if (strcmp(word, "set") == 0)
        *out = parse_set(p, at);
    else if (strcmp(word, "else") == 0 || strcmp(word, "elif") == 0 || strncmp(word, "end", 3) == 0)
        return template_fail(p->t, at, p->err, "'%s' without its beginning", word);
    else
        return template_fail(p->t, at, p->err,
                             "'%.40s' is not a known statement; known: if, elif, else, endif, for, "
                             "endfor, set",
                             word);
    return *out ? 1 : -1;
}

static struct node *parse_block(struct parse *p, unsigned ends, unsigned depth)
{
    struct kids k = {0};
    size_t from = p->at;
    struct node *block = parse_new_node(p, NODE_BLOCK);
    bool ended = false;
    if (depth > PARSE_DEPTH) {
        template_fail(p->t, p->at, p->err, "more than %d levels of nesting", PARSE_DEPTH);
        return NULL;
    }
    while (!ended) {
        parse_text(p, &k);
        if (p->at >= p->t->n)
            break;
        char kind = p->t->text[p->at + 1];
        struct node *n = NULL;
        int rc = kind == '#'   ? skip_comment(p)
                 : kind == '{' ? ((n = parse_print(p)) ? 1 : -1)
                               : parse_statement(p, ends, depth, &n);
        if (rc < 0) {
            free(k.list);
            return NULL;
        }
        if (n)
            add_kid(&k, n);
        ended = rc == 0 && kind == '%';
    }
    end_kids(p, &k, block);
    if (!ended && !(ends & END_FILE)) {
        template_fail(p->t, from, p->err, "the block that begins here has no end");
        return NULL;
    }
    return block;
}

struct text_template *template_parse(const char *text, size_t n, struct px_err *err)
{
    struct text_template *t = px_xcalloc(1, sizeof *t);
    t->arena = arena_new();
    t->text = px_xmemdup(text, n);
    t->n = n;
    struct parse p = {.t = t, .err = err};
    t->root = n < (1u << 20) ? parse_block(&p, END_FILE, 1) : NULL;
    if (n >= (1u << 20))
        px_fail(err, PX_ELIMIT, "a template of more than 1 MiB");
    if (!t->root)
        template_free(&t);
    return t;
}

void template_free(struct text_template **t)
{
    if (!*t)
        return;
    for (size_t i = 0; i < (*t)->n_regexes; i++)
        pyregex_free((*t)->regexes[i]);
    free((*t)->regexes);
    arena_free(&(*t)->arena);
    free((*t)->text);
    free(*t);
    *t = NULL;
}
