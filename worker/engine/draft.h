/* draft.h - guesses at what comes next, taken from what is there already (prompt lookup).
 *
 * Where the last tokens of a text stood before, what followed them then is a guess at what follows
 * now: code and answers quote their prompts and themselves. A guess is computed as rows beside the
 * true next one and counts only as far as sampling, position by position, agrees: it makes
 * generation faster and cannot change it. Pure. */
#ifndef WORKER_ENGINE_DRAFT_H
#define WORKER_ENGINE_DRAFT_H

#include <stdint.h>

enum { DRAFT_MOST = 16 }; /* tokens */

/* A text in two parts; borrowed. */
struct draft_text {
    const uint32_t *prompt, *output;
    uint32_t n_prompt, n_output;
};

/* What a unit's guesses were worth, the past fading. */
struct draft_record {
    double tried, right;
};

/* Where the longest end of the text, at least `least` tokens (1 ... 8), stood before, the latest
 * place of equals: *at is the position after it, the answer its length; 0 when there is none. */
uint32_t draft_find(const struct draft_text *t, uint32_t least, uint32_t *at);
/* What followed there: n tokens; where the text ends, the guess continues with itself. at < the
 * text's length. */
void draft_copy(const struct draft_text *t, uint32_t at, uint32_t n, uint32_t *out);

/* Of n tokens that followed a match of so many, this unit's sampling agreed with the first
 * n_right. */
void draft_judge(struct draft_record *r, uint32_t n, uint32_t n_right);
/* A token was generated without a guess: what was learnt counts less. */
void draft_pass_by(struct draft_record *r);
/* How likely the next guessed token is right when all before it are. */
double draft_chance(const struct draft_record *r, uint32_t n_match);

#endif
