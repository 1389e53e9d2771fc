/* draft.c - the longest match of a text's end in the text (draft.h). */
#include "worker/engine/draft.h"

enum {
    LONGEST = 8, /* tokens of a match that are looked at */
    PRIOR = 2    /* tried tokens that the length of a match stands for */
};

static const double fade = 0.9, slow_fade = 0.99;

static uint32_t token_at(const struct draft_text *t, uint32_t i)
{
    return i < t->n_prompt ? t->prompt[i] : t->output[i - t->n_prompt];
}

/* Tokens before `at` that equal those before the end. */
static uint32_t match(const struct draft_text *t, uint32_t at, uint32_t n)
{
    uint32_t m = 0;
    while (m < LONGEST && m < at && token_at(t, at - 1 - m) == token_at(t, n - 1 - m))
        m++;
    return m;
}

uint32_t draft_find(const struct draft_text *t, uint32_t least, uint32_t *at)
{
    uint32_t n = t->n_prompt + t->n_output, best = 0;
    uint32_t last = n ? token_at(t, n - 1) : 0;
    for (uint32_t i = n > 1 ? n - 1 : 0; i > 0 && best < LONGEST; i--) {
        uint32_t m = token_at(t, i - 1) == last ? match(t, i, n) : 0;
        if (m > best && m >= least) {
            best = m;
            *at = i;
        }
    }
    return best;
}

void draft_copy(const struct draft_text *t, uint32_t at, uint32_t n, uint32_t *out)
{
    uint32_t all = t->n_prompt + t->n_output;
    for (uint32_t i = 0; i < n; i++)
        out[i] = at + i < all ? token_at(t, at + i) : out[at + i - all];
}

void draft_judge(struct draft_record *r, uint32_t n, uint32_t n_right)
{
    r->tried = fade * r->tried + n_right + (n_right < n);
    r->right = fade * r->right + n_right;
}

void draft_pass_by(struct draft_record *r)
{
    r->tried *= slow_fade;
    r->right *= slow_fade;
}

double draft_chance(const struct draft_record *r, uint32_t n_match)
{
    double prior = n_match / (n_match + 1.0);
    return (r->right + PRIOR * prior) / (r->tried + PRIOR);
}
