/* pyjson.h - does Python's json.loads accept a text? */
#ifndef SANDBOX_SCORE_PYJSON_H
#define SANDBOX_SCORE_PYJSON_H

#include <stdbool.h>

#include "sandbox/score/text.h"

/* One value of any type with white space around it. NaN, Infinity and -Infinity are values; control
 * characters in strings are not allowed, lone surrogates are; an integer of more than 4,300 digits
 * is refused (Python 3.11). Any depth, where Python ends with RecursionError. Linear. */
bool pyjson_valid(struct span s);

#endif
