/* math_sympy.h - which texts lm-evaluation-harness's minerva_math can compare, and what it makes of
 * them: an approximation of sympy's parse_latex (its ANTLR grammar) and simplify.
 *
 * Reproduced: what the grammar reads (letters are factors, i, e and \pi are symbols like any other,
 * a letter before parentheses is a function), where it fails (a construct that is not closed as
 * the grammar wants, signs that its lexer does not know, as %), and that it stops silently at the
 * first token which cannot go on, so that only a beginning is compared. Not reproduced: simplify;
 * equal means equal by math_eval.h. Time and memory are bounded as in math_tree.h. */
#ifndef SANDBOX_SCORE_MATH_SYMPY_H
#define SANDBOX_SCORE_MATH_SYMPY_H

#include <stdbool.h>

#include "sandbox/score/math_tree.h"

/* False: an error of the parser. A relation is read, but can be compared with nothing. */
bool math_sympy_parse(struct span s, struct math_tree *out);

/* is_equiv of two normalised answers (math_normalise). */
bool math_sympy_equal(struct span a, struct span b);

#endif
