/* accidents.c - accidents of completions. */
#include "sandbox/score/accidents.h"

#include <string.h>

#include "proto/accident.h"
#include "sandbox/score/text.h"

enum { TAIL_TOKENS = 48, TAIL_BYTES = 192 };

/* Does the tail of `unit`-sized elements repeat with a period of at most a quarter of it? */
static bool loops(const void *all, size_t n, size_t unit, size_t tail)
{
    if (n < tail)
        return false;
    const char *t = (const char *)all + (n - tail) * unit;
    for (size_t period = 1; period <= tail / 4; period++)
        if (memcmp(t, t + period * unit, (tail - period) * unit) == 0)
            return true;
    return false;
}

uint32_t completion_accidents(const struct completion *c)
{
    uint32_t bits = 0;
    if (c->finish == FINISH_SCORED || c->finish == FINISH_TOO_LONG || c->finish == FINISH_ERROR)
        return 0;
    if (c->finish == FINISH_LENGTH)
        bits |= ACCIDENT_HIT_CAP;
    if (text_is_blank((struct span){c->text, c->n_text}))
        bits |= ACCIDENT_EMPTY;
    if (c->n_tokens > 0 ? loops(c->tokens, c->n_tokens, sizeof *c->tokens, TAIL_TOKENS)
                        : loops(c->text, c->n_text, 1, TAIL_BYTES))
        bits |= ACCIDENT_REPETITION;
    if (c->think == THINK_UNCLOSED)
        bits |= ACCIDENT_UNCLOSED_THOUGHT;
    return bits;
}
