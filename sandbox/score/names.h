/* names.h - which function tests call: found in the text of assertions, without running anything.
 *
 * A token scan of Python source, good enough to find `f` in "assert set(f([1], 'x')) == {2}":
 * strings and comments are skipped, a call behind a dot is a method's, keywords and built-in
 * functions are not meant. Total: any bytes, linear time. The tests' process binds names by
 * Python's own parser; this is for the extraction, which wants to know what the program should
 * define. */
#ifndef SANDBOX_SCORE_NAMES_H
#define SANDBOX_SCORE_NAMES_H

#include <stdbool.h>

#include "sandbox/score/text.h"

/* The first name that the source calls and that is no built-in; when it calls built-ins only, the
 * first of these. *builtin says which. Borrowed from the source; n = 0 when nothing is called. */
struct span names_called(struct span source, bool *builtin);

#endif
