/* template.h - the part of Jinja that tasks are written in (docs/tasks.md lists it).
 *
 * Anything else is an error with its line and column when the template is parsed. Rendering is
 * strict: a field that a row lacks, a list in the middle of a text, a sum of a text and a number
 * are errors. Immutable after parsing. */
#ifndef COORDINATOR_TASK_TEMPLATE_H
#define COORDINATOR_TASK_TEMPLATE_H

#include "coordinator/task/value.h"

struct text_template;

/* What a template sees: the row's fields, `row` and `row_number`. */
struct template_row {
    const struct value *row; /* a map */
    int64_t number;          /* from 0 */
};

/* Owned, or NULL with "line:column of the template: what". */
struct text_template *template_parse(const char *text, size_t n, struct px_err *err);
void template_free(struct text_template **t);

/* The value of a template that is one {{ expression }} and nothing else, with its type; a text
 * otherwise. Lives in the arena and as long as the row's values. */
int template_value(const struct text_template *t, const struct template_row *row, struct arena *a,
                   struct value *out, struct px_err *err) PX_MUST_CHECK;

/* As text, appended. At most 16 MiB. */
int template_render(const struct text_template *t, const struct template_row *row, struct arena *a,
                    struct px_buf *out, struct px_err *err) PX_MUST_CHECK;

#endif
