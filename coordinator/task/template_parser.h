/* template_parser.h - where a template's parser stands, and its expressions: for template.c and
 * template_expr.c only. */
#ifndef COORDINATOR_TASK_TEMPLATE_PARSER_H
#define COORDINATOR_TASK_TEMPLATE_PARSER_H

#include "coordinator/task/template_node.h"

#define PARSE_DEPTH 32 /* nesting, and the length of chains such as a + b + c */

struct parse {
    struct text_template *t;
    size_t at;
    bool strip_next;      /* the last tag ended with "-": the text after it loses its white space */
    const char *ended_by; /* the word that ended the last block */
    struct px_err *err;
};

struct node *parse_new_node(struct parse *p, enum node_kind kind);
void parse_skip_space(struct parse *p);
bool parse_take(struct parse *p, const char *s); /* after white space */
bool parse_word(struct parse *p, const char *word);
const char *parse_name(struct parse *p); /* NULL when no name stands here */
struct node *parse_expression(struct parse *p, unsigned depth);

#endif
