/* choices.h - what the choices of one unit need computed, and nothing twice.
 *
 * All choices begin with the unit's prompt, and often with more: what they have in common and do
 * not score belongs to the context, which is computed once. After it every choice feeds its tokens
 * but the last. Choices that feed the same tokens (they differ in the last one at most, as A, B,
 * C and D do) are one *feed*; a choice of one token needs none, the context's logits score it.
 *
 * Pure; indices into a choice's tokens count from its own start everywhere. */
#ifndef WORKER_ENGINE_CHOICES_H
#define WORKER_ENGINE_CHOICES_H

#include <stdint.h>

#include "proto/unit.h"

struct choice_feed {
    const uint32_t *tokens; /* fed after the context, n >= 1 of them; borrowed from the unit */
    uint32_t n;
    uint32_t n_silent; /* the first so many rows score nothing */
    uint32_t first;    /* members[first .. first + n_members) are its choices */
    uint32_t n_members;
};

struct choices {
    uint32_t *context; /* the prompt, then what all choices share; may be empty */
    uint32_t n_context;
    uint32_t n_common;         /* tokens of each choice that went into the context */
    uint32_t *members;         /* [n_choices] choices, those of one feed side by side */
    uint32_t n_members;        /* n_choices */
    uint32_t n_direct;         /* members[0 .. n_direct) are scored by the context alone */
    struct choice_feed *feeds; /* in order of their first choices */
    uint32_t n_feeds;
    uint32_t longest; /* tokens of the longest feed, 0 when there is none */
};

/* u has choices, each with n_skip < n_tokens. Owned; u is borrowed for its life. */
struct choices *choices_new(const struct unit *u);
void choices_free(struct choices **c);

#endif
