/* math_equal.h - do two written answers say the same?
 *
 * Equal are: the same text; the same words (case, spaces and \text apart); trees of the same
 * structure whose scalars have the same values (math_eval.h). Units, currency, percent signs and
 * degree marks do not count; kinds of brackets, the order in points and the base of a numeral do.
 * docs/scoring.md lists what counts as the same. In doubt the answer is no.
 *
 * Deterministic; time and memory are bounded (answers above MATH_MAX_TEXT bytes are compared as
 * bytes). */
#ifndef SANDBOX_SCORE_MATH_EQUAL_H
#define SANDBOX_SCORE_MATH_EQUAL_H

#include <stdbool.h>

#include "sandbox/score/math_eval.h"
#include "sandbox/score/text.h"

bool math_equal(struct span a, struct span b);

/* ---- the parts ---- */

/* Trees that math_parse made: same structure, same values. */
bool math_same_tree(const struct math_tree *a, const struct math_tree *b);

/* Scalars only: the same value wherever both have one. */
bool math_same_scalar(struct math_context *c, struct math_at x, struct math_at y);

/* Words: letters in any case, white space and LaTeX around them apart. */
bool math_same_words(struct span a, struct span b);

enum { MATH_STEPS = 100000 }; /* of one comparison */

#endif
