/* math_parser.h - what the parser's files share: the cursor over the tokens, and the rules that
 * call each other. Rules return a node, or -1 where the text is not understood. */
#ifndef SANDBOX_SCORE_MATH_PARSER_H
#define SANDBOX_SCORE_MATH_PARSER_H

#include "sandbox/score/math_lex.h"

struct parser {
    struct math_tree *tree;
    struct math_tokens *tokens;
    int i, depth, in_abs;
};

static inline struct math_token *peek(struct parser *p)
{
    return &p->tokens->t[p->i];
}

static inline struct math_token *ahead(struct parser *p, int k)
{
    int i = p->i + k;
    return &p->tokens->t[i < p->tokens->n ? i : p->tokens->n];
}

static inline bool is_sign(const struct math_token *t, int sign)
{
    return t->kind == TOKEN_SIGN && t->sign == sign;
}

static inline bool take(struct parser *p, int sign)
{
    if (!is_sign(peek(p), sign))
        return false;
    p->i++;
    return true;
}

static inline struct span text_of(const struct parser *p, const struct math_token *t)
{
    return (struct span){p->tree->text + t->at, t->length};
}

static inline bool is_text(const struct parser *p, const struct math_token *t, int kind,
                           const char *word)
{
    return t->kind == kind && text_equals(text_of(p, t), word);
}

static inline int unary_node(struct parser *p, enum math_kind kind, int a)
{
    return a < 0 ? -1 : math_add(p->tree, kind, a, -1);
}

static inline int binary_node(struct parser *p, enum math_kind kind, int a, int b)
{
    return a < 0 || b < 0 ? -1 : math_add(p->tree, kind, a, b);
}

static inline int text_node(struct parser *p, enum math_kind kind, size_t at, size_t length)
{
    int n = math_add(p->tree, kind, -1, -1);
    if (n >= 0) {
        p->tree->node[n].at = (uint16_t)at;
        p->tree->node[n].length = (uint16_t)length;
    }
    return n;
}

/* Appends a part to a structure; false when something is missing or there are too many. */
static inline bool append(struct parser *p, int whole, int *tail, int part)
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

/* math_parse.c */
int math_parse_sum(struct parser *p);
int math_parse_factor(struct parser *p);
int math_parse_list(struct parser *p, bool words); /* words: "and" separates, too */
bool math_starts_factor(
    struct parser *p); /* does a factor follow that multiplies without a sign? */

/* math_numeral.c */
bool math_node_integer(const struct parser *p, int n); /* a whole number as it is written */
int math_parse_number(struct parser *p);
int math_parse_name(struct parser *p);
int math_parse_argument(
    struct parser *p); /* as TeX takes it: {...}, one digit, letter or command */
bool math_is_fraction(const struct parser *p, const struct math_token *t);

/* math_primary.c */
int math_parse_primary(struct parser *p);
int math_parse_exponent(struct parser *p); /* behind ^ */

#endif
