/* text.h - a completion's answer part: thinking stripped, special tokens and next turns cut.
 *
 * Works on bytes with lengths: model output may hold anything, NUL included. Linear time. */
#ifndef SANDBOX_SCORE_TEXT_H
#define SANDBOX_SCORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/span.h"

/* The part that answers: after the last </think>, before the first special token that follows
 * anything. *unclosed: the text opens a thought and never closes it (there is no answer). */
struct span text_answer(struct span all, bool *unclosed);

/* The first line of s and what follows it; the newline belongs to neither. */
struct span text_line(struct span s, struct span *rest);

struct span text_trim(struct span s); /* white space at both ends */
bool text_is_blank(struct span s);
bool text_starts(struct span s, const char *prefix);
bool text_equals(struct span s, const char *word);
/* Offset of the first (or last) occurrence, case-sensitive or not; (size_t)-1 when there is none.
 */
size_t text_find(struct span s, const char *word);
size_t text_find_last(struct span s, const char *word, bool ignore_case);

#endif
