/* figures.h - what a group's problems come to: values, standard errors, intervals.
 *
 * A metric is the mean over problems, or made of sums over them. An interval of the latter comes
 * from the bootstrap over problems (resample.h, 2,000 replicates of jackknife pseudo-values of the
 * ratio or mean inside, its ends then carried through the exponential). */
#ifndef COORDINATOR_REPORT_FIGURES_H
#define COORDINATOR_REPORT_FIGURES_H

#include "coordinator/report/collect.h"

/* Adds a metric; NULL when the group has MAX_METRICS already. */
struct metric_stats *group_add_metric(struct group_stats *g, const char *name,
                                      enum metric_kind kind);
/* The headline, then the task's aggregates and what they are made of. */
void group_first_metrics(struct group_stats *g);
/* Fills values, errors and intervals from the problems. */
void group_figures(struct group_stats *g);

/* A metric over the problems at[0 .. n-1], or over all (at NULL, n the number of problems). NaN for
 * none, and where a ratio has nothing below the line. */
double figure_value(const struct group_stats *g, const struct metric_stats *m, const uint32_t *at,
                    uint32_t n);
/* out[0 .. n-1]: values whose mean is (nearly) the metric and whose spread is its uncertainty: the
 * problems' own for a mean, jackknife pseudo-values for one made of sums. */
void figure_parts(const struct group_stats *g, const struct metric_stats *m, const uint32_t *at,
                  uint32_t n, double *out);

/* What a metric of a task is made of, by the task's own words. */
struct metric_sums {
    enum metric_kind kind;
    char *of;   /* METRIC_MEAN: the metric itself */
    char *over; /* NULL where nothing is below the line */
};
void metric_sums_find(const struct manifest_task *t, const char *metric, struct metric_sums *out);
void metric_sums_clear(struct metric_sums *m);
/* From the two sums to the metric; exp_neg_mean: over is the count. NaN when over is 0. */
double metric_of_sums(enum metric_kind kind, double of, double over);

#endif
