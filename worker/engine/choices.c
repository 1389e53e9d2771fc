/* choices.c - the common head of a unit's choices and the distinct rest (choices.h). */
#include "worker/engine/choices.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

/* Tokens that every choice begins with and none scores. */
static uint32_t common_context(const struct unit *u)
{
    const struct unit_choice *first = &u->choices[0];
    uint32_t n = first->n_skip;
    for (uint32_t i = 1; i < u->n_choices; i++) {
        const struct unit_choice *c = &u->choices[i];
        n = c->n_skip < n ? c->n_skip : n;
        for (uint32_t j = 0; j < n; j++)
            if (c->tokens[j] != first->tokens[j])
                n = j;
    }
    return n;
}

struct sorting {
    const struct unit *u;
    uint32_t n_common;
};

static int compare_feeds(const struct sorting *s, uint32_t a, uint32_t b)
{
    const struct unit_choice *x = &s->u->choices[a], *y = &s->u->choices[b];
    if (x->n_tokens != y->n_tokens)
        return x->n_tokens < y->n_tokens ? -1 : 1;
    return memcmp(x->tokens + s->n_common, y->tokens + s->n_common,
                  (x->n_tokens - 1 - s->n_common) * sizeof *x->tokens);
}

static int by_feed(const void *a, const void *b, void *arg)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = compare_feeds(arg, x, y);
    return order ? order : x < y ? -1 : x > y;
}

static int by_first_choice(const void *a, const void *b, void *arg)
{
    const uint32_t *members = arg;
    const struct choice_feed *x = a, *y = b;
    return members[x->first] < members[y->first] ? -1 : 1;
}

/* members is sorted by feed; those that feed nothing are the shortest and come first. */
static void find_feeds(struct choices *c, const struct sorting *s)
{
    const struct unit *u = s->u;
    c->feeds = px_xcalloc(c->n_members, sizeof *c->feeds);
    for (uint32_t i = 0; i < c->n_members; i++) {
        const struct unit_choice *ch = &u->choices[c->members[i]];
        uint32_t n = ch->n_tokens - 1 - c->n_common, silent = ch->n_skip - c->n_common;
        if (n == 0) {
            c->n_direct++;
            continue;
        }
        if (i == c->n_direct || compare_feeds(s, c->members[i - 1], c->members[i]) != 0)
            c->feeds[c->n_feeds++] = (struct choice_feed){
                .tokens = ch->tokens + c->n_common, .n = n, .n_silent = UINT32_MAX, .first = i};
        struct choice_feed *f = &c->feeds[c->n_feeds - 1];
        f->n_members++;
        /* Row j gives the logits of token j + 1; token n_skip is the first that counts. */
        silent = silent > 0 ? silent - 1 : 0;
        f->n_silent = silent < f->n_silent ? silent : f->n_silent;
        c->longest = n > c->longest ? n : c->longest;
    }
    qsort_r(c->feeds, c->n_feeds, sizeof *c->feeds, by_first_choice, c->members);
}

struct choices *choices_new(const struct unit *u)
{
    struct choices *c = px_xcalloc(1, sizeof *c);
    c->n_common = common_context(u);
    c->n_context = u->n_prompt + c->n_common;
    c->context = px_xcalloc(c->n_context + 1, sizeof *c->context);
    if (u->n_prompt)
        memcpy(c->context, u->prompt, u->n_prompt * sizeof *c->context);
    if (c->n_common)
        memcpy(c->context + u->n_prompt, u->choices[0].tokens, c->n_common * sizeof *c->context);
    c->n_members = u->n_choices;
    c->members = px_xcalloc(u->n_choices, sizeof *c->members);
    for (uint32_t i = 0; i < u->n_choices; i++)
        c->members[i] = i;
    struct sorting s = {.u = u, .n_common = c->n_common};
    qsort_r(c->members, c->n_members, sizeof *c->members, by_feed, &s);
    find_feeds(c, &s);
    return c;
}

void choices_free(struct choices **cp)
{
    struct choices *c = *cp;
    if (c == NULL)
        return;
    free(c->context);
    free(c->members);
    free(c->feeds);
    free(c);
    *cp = NULL;
}
