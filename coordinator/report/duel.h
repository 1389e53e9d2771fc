/* duel.h - pairwise judgements: what both orders of a pair of answers come to together.
 *
 * A judge that prefers the same answer in both orders decides; one that changes its mind with the
 * order, or calls a tie, makes a tie (FastChat's llm_judge). The share of pairs whose two
 * judgements differ is the flip rate: how much of the result is the order's. */
#ifndef COORDINATOR_REPORT_DUEL_H
#define COORDINATOR_REPORT_DUEL_H

#include "coordinator/report/walk.h"

struct duel {
    bool valid;     /* the group is judged in pairs */
    uint64_t pairs; /* with two judgements */
    uint64_t wins, losses, ties;
    uint64_t flips;    /* the two judgements differ */
    uint64_t unjudged; /* pairs with a judgement that is missing or cannot be read */
    /* the pair at hand */
    double first;
    bool first_judged;
};

/* Units in the manifest's order: the two orders of a pair stand next to each other. */
void duel_note(struct duel *d, const struct sample *s);

/* (wins + ties / 2) / pairs; NaN without pairs. */
double duel_win_rate(const struct duel *d);
double duel_flip_rate(const struct duel *d);

#endif
