/* votes.h - majority vote over the answers of a problem's samples (self-consistency).
 *
 * Every judged sample with an answer has one vote; samples without one vote only when none of the
 * problem has any. The answer with the most votes wins, the one seen first among equals, and the
 * problem's value is that of the winner's first sample (equal answers are judged alike). */
#ifndef COORDINATOR_REPORT_VOTES_H
#define COORDINATOR_REPORT_VOTES_H

#include "coordinator/report/collect.h"

struct vote {
    uint64_t answer; /* eight bytes of its SHA-256 */
    uint32_t at;     /* order of casting */
    bool parsed;
    double value;
};

struct votes {
    uint32_t n_problems; /* 0: off, and every call does nothing */
    struct vote *cast;
    uint32_t n, cap;
    double sum, sum_of_squares;
    bool binary;
};

void votes_begin(struct votes *v, uint32_t n_problems);
void votes_cast(struct votes *v, const char *answer, uint32_t n_answer, double value);
/* The problem has no more samples. */
void votes_close(struct votes *v);
/* What they come to over all problems; one without a vote is 0. Frees. */
void votes_end(struct votes *v, struct majority *out);

#endif
