/* literal.h - values as models write them: JSON, or the literals of Python.
 *
 * One reader for both: what is not JSON in the strict sense (RFC 8259: single quotes, True, tuples,
 * a trailing comma, bare words, numbers like .5) is read as Python and noted. Tuples are lists, a
 * bare word is a text. Texts of at most LITERAL_BYTES and values at most LITERAL_DEPTH deep are
 * read. */
#ifndef SANDBOX_SCORE_LITERAL_H
#define SANDBOX_SCORE_LITERAL_H

#include <json-c/json.h>
#include <stdbool.h>

#include "sandbox/score/text.h"

enum { LITERAL_BYTES = 1 << 20, LITERAL_DEPTH = 64 };

struct literal_reader {
    const char *p, *end; /* well-formed UTF-8; p moves */
    int depth;
    bool json; /* everything read so far is JSON; set it before the first read */
};

/* Reads a value. *out owned (NULL stands for null). false: there is none at p. */
bool literal_read(struct literal_reader *r, struct json_object **out);
void literal_space(struct literal_reader *r); /* skips white space */
/* Is c next, behind white space? Then it is taken. */
bool literal_take(struct literal_reader *r, char c);
/* A name with dots, borrowed; n = 0 when there is none. */
struct span literal_name(struct literal_reader *r);

#endif
