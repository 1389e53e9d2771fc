/* accident.h - what can quietly go wrong between a problem and its answer.
 *
 * A bit each; a prompt's are found when it is made (its receipt), a completion's when it is scored
 * (its verdict). None changes a score; the report counts them and a recipe's limits can fail a run.
 */
#ifndef PROTO_ACCIDENT_H
#define PROTO_ACCIDENT_H

#include <stdint.h>

enum accident {
    /* of the prompt */
    ACCIDENT_DOUBLE_BOS = 1u << 0,     /* begins with BOS twice */
    ACCIDENT_MISSING_BOS = 1u << 1,    /* the tokenizer wants BOS and the prompt has none */
    ACCIDENT_TEMPLATE_TWICE = 1u << 2, /* chat markers inside what the template was applied to */
    ACCIDENT_STOP_IN_PROMPT = 1u << 3, /* a stop string occurs in the question itself */
    ACCIDENT_TRUNCATED = 1u << 4,      /* tokens were cut from the left to make it fit */
    ACCIDENT_BOUNDARY_MERGE = 1u << 5, /* tokens merge across context and continuation */
    /* of the completion */
    ACCIDENT_HIT_CAP = 1u << 8,          /* ended by max_tokens */
    ACCIDENT_EMPTY = 1u << 9,            /* white space only */
    ACCIDENT_REPETITION = 1u << 10,      /* ends in a loop */
    ACCIDENT_UNCLOSED_THOUGHT = 1u << 11 /* the thought never ended */
};
enum { N_ACCIDENTS = 10 };

/* The i-th accident (0 .. N_ACCIDENTS - 1), its bit and its name ("double_bos"). */
uint32_t accident_bit(int i);
const char *accident_name(int i);
/* The accident with that name, or 0. */
uint32_t accident_by_name(const char *name);

#endif
