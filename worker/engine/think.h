/* think.h - follows a thinking model through its own markers, by token id alone.
 *
 * Fed every generated token in order. A thought begins with the open marker (or in the prompt)
 * and ends with the close marker; a close marker without an open one ends a thought that began
 * where the last one ended, or at the start. What looks like a marker but is other tokens is text.
 * Pure state, no memory of its own. */
#ifndef WORKER_ENGINE_THINK_H
#define WORKER_ENGINE_THINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/unit.h"

struct think {
    const struct think_spec *spec;
    enum think_state state; /* UNCLOSED while inside */
    uint32_t n_tokens;      /* inside thoughts so far, generated markers included */
    uint32_t since;         /* index of the token after the last marker, or 0 */
    uint32_t n_forced;      /* close tokens still to be forced: the last so many of the marker */
    size_t answer_at;       /* offset in the text where the present answer begins */
};

/* spec is borrowed. Off when it has no close marker: nothing is ever inside then. */
void think_begin(struct think *t, const struct think_spec *spec);

/* The last of tokens[0 .. n) was just appended and the text is now n_text bytes long. */
void think_take(struct think *t, const uint32_t *tokens, uint32_t n, size_t n_text);

/* The next token must be *token, whatever the logits say: the thought has used up its budget. */
bool think_forces(const struct think *t, uint32_t *token);

/* Text is answer, not thought: stop strings may act from answer_at on. */
static inline bool think_is_answer(const struct think *t)
{
    return t->state != THINK_UNCLOSED;
}

#endif
