/* compare.h - two groups of one task, problem by problem: which is better, and could chance do
 * that?
 *
 * Problems are paired by their id within one version of a task (equal digests); those that are not
 * done in both are left out and counted. Values of 0 and 1 with one sample get the exact McNemar
 * test and Newcombe's interval, all others the paired bootstrap (resample.h) of the problems'
 * differences, or of the differences of their jackknife pseudo-values where the metric is made of
 * sums. */
#ifndef COORDINATOR_REPORT_COMPARE_H
#define COORDINATOR_REPORT_COMPARE_H

#include "coordinator/report/collect.h"

struct comparison {
    const struct group_stats *base, *other; /* borrowed */
    const char *metric;                     /* borrowed from base */
    bool lower_is_better;
    uint32_t n;                     /* problems done in both */
    uint32_t only_base, only_other; /* ids that the other set does not have */
    uint32_t undone;                /* in both sets and not done in one of them */
    uint32_t *at_base, *at_other;   /* the n pairs, as indices of problems; owned */
    bool exact;                     /* McNemar; else the bootstrap */
    double base_value, other_value; /* over the n problems */
    double difference;              /* other - base */
    struct interval interval;       /* 95 % */
    double p;                       /* two-sided */
    double p_holm;                  /* adjusted over what is shown together; p when alone */
    uint32_t gained, lost;          /* problems on which other is better, worse */
    uint32_t both;                  /* exact: right in both */
    double detectable;              /* the smallest difference that n problems like these would
                                     * show with power 0.8 at a two-sided 0.05 */
};

/* Both sides answered the same problems: one task, or variants of it (strategy, compat) that only
 * ask in another way. */
bool comparison_same_problems(const struct group_stats *a, const struct group_stats *b);

/* PX_EUSAGE when the groups are of different tasks or of versions of a task with different
 * problems, or lack the metric (NULL: the headline). *out is cleared by comparison_clear. */
int compare_groups(const struct group_stats *base, const struct group_stats *other,
                   const char *metric, struct comparison *out, struct px_err *err) PX_MUST_CHECK;
void comparison_clear(struct comparison *c);

/* Is `other` better (1), worse (-1) or the same (0) on the i-th pair? */
int comparison_sign(const struct comparison *c, uint32_t i);

#endif
