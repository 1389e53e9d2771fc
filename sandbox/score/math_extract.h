/* math_extract.h - where a completion answers a mathematical question.
 *
 * Rules in order: boxed (the last box), final-answer ("final answer is ..."), answer-is (after the
 * last "answer is" or "answer:"), formula (the last one that is set off as such, behind its last
 * "="), last-number. Text from a line that asks the next problem on does not count. Linear time. */
#ifndef SANDBOX_SCORE_MATH_EXTRACT_H
#define SANDBOX_SCORE_MATH_EXTRACT_H

#include "sandbox/score/score.h"

/* out->text is owned. unusable: VERDICT_UNPARSED or, for a thought that never ends, OVERFLOW. */
void math_extract(struct span completion, struct extract *out);

#endif
