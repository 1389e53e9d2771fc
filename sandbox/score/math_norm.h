/* math_norm.h - the texts that published MATH scores compare: where an answer is looked for, and
 * how it is normalised before two answers are compared as strings.
 *
 * Rules of lm-evaluation-harness (minerva_math, hendrycks_math), with their oddities; the names of
 * the steps follow Lewkowycz et al. 2022, appendix D. Work on bytes: any input, linear time. */
#ifndef SANDBOX_SCORE_MATH_NORM_H
#define SANDBOX_SCORE_MATH_NORM_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/score/text.h"

/* What the last box holds, borrowed from s; p is NULL when there is none. lm_eval: `\boxed x` (up
 * to the next $) goes before every braced box, and an \fbox is found and then refused. Otherwise
 * the last of \boxed{...}, \fbox{...}, \boxed x; a box that is never closed is not an answer. */
struct span math_boxed(struct span s, bool lm_eval);

/* The answer of "Final Answer: The final answer is ... . I hope it is correct." (the first one),
 * borrowed from s, white space trimmed; p is NULL when there is none. lm_eval: exactly the
 * harness's pattern on s + "I hope it is correct.". Otherwise "final answer is" in any case, up to
 * the closing sentence or the end of its line, and the last one counts. */
struct span math_sentence(struct span s, bool lm_eval);

/* minerva_math's normalisation. Owned, NUL-terminated; *n its length. */
char *math_normalise(struct span s, size_t *n);

/* hendrycks_math's strip_string. Owned; NULL where the original raises an exception (and compares
 * the raw texts). */
char *math_strip_string(struct span s, size_t *n);

bool math_same_normalised(struct span a, struct span b); /* after math_normalise */
bool math_same_stripped(struct span a, struct span b);   /* after math_strip_string, or raw */

#endif
