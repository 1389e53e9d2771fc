/* regex.h - regular expressions of task files, in the language of Python's `re`
 * (proto/pypattern.h), run on a data set's texts.
 *
 * Matching is bounded: a pattern that backtracks without end is an error, not a wait. Texts are
 * UTF-8. Immutable after compilation, but a regex must not be used by two threads at once. */
#ifndef COORDINATOR_TASK_REGEX_H
#define COORDINATOR_TASK_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/buf.h"
#include "proto/err.h"

struct regex;

/* Owned; NULL with "regular expression: what". */
struct regex *regex_compile(const char *pattern, size_t n, struct px_err *err);
void regex_free(struct regex **r);

/* 1 when it matches somewhere in the text, 0 when not, -1 with err. */
int regex_search(const struct regex *r, const char *text, size_t n, struct px_err *err);

/* re.sub(pattern, by, text), appended: every match from the left, empty ones included. In `by`,
 * \1 to \99 and \g<1> are groups (those that did not match are empty) and \\ is a backslash. */
int regex_replace(const struct regex *r, const char *text, size_t n, const char *by, size_t n_by,
                  struct px_buf *out, struct px_err *err) PX_MUST_CHECK;

#endif
