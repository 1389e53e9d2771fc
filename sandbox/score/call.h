/* call.h - the function call in an answer.
 *
 * Read are JSON ({"name": ..., "arguments": {...}}, also "parameters"; {"function": {...}};
 * {"tool_calls": [...]}; {"f": {...}}; a list of such) and Python's syntax (f(a=1), [f(a=1)]), in
 * the whole answer, in a <tool_call> tag, in a fence, or somewhere in prose. Linear time but for a
 * bounded number of places where a call could begin. */
#ifndef SANDBOX_SCORE_CALL_H
#define SANDBOX_SCORE_CALL_H

#include <json-c/json.h>
#include <stdbool.h>

#include "sandbox/score/text.h"

struct call {
    char *name;                    /* of the first call; owned */
    struct json_object *arguments; /* an object; owned */
    unsigned count;                /* calls in the answer; 0: none was found */
    bool json;                     /* the whole answer (in its tag or fence) is strict JSON */
    bool positional;               /* an argument without name was there */
    const char *rule;              /* "whole", "tag", "fence", "prose", "" */
};

/* text: well-formed UTF-8. functions: what may be called, an array of {"name"}. *out owned. */
void call_find(struct span text, struct json_object *functions, struct call *out);
void call_clear(struct call *c);

#endif
