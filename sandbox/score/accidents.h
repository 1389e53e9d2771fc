/* accidents.h - what went quietly wrong in a completion (proto/accident.h), from its record alone.
 */
#ifndef SANDBOX_SCORE_ACCIDENTS_H
#define SANDBOX_SCORE_ACCIDENTS_H

#include "proto/unit.h"

/* Bits. Repetition: the last 48 tokens (192 bytes where a recording has no tokens) or more repeat
 * with a period of at most a quarter of them. Linear time. */
uint32_t completion_accidents(const struct completion *c);

#endif
