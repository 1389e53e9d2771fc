/* results_group.h - one group as JSON: what results.json and summary.json share. */
#ifndef COORDINATOR_REPORT_RESULTS_GROUP_H
#define COORDINATOR_REPORT_RESULTS_GROUP_H

#include "coordinator/report/collect.h"
#include "coordinator/report/emit.h"

/* metric, value, interval, how much of the task it covers, ceiling and floors. */
void results_headline(struct emit *j, const struct run_stats *r, const struct group_stats *g);
/* Shares of all units: wrong, unparsed, truncated, timed_out, error, missing; and the spread over
 * the ways to find an answer. */
void results_decomposition(struct emit *j, const struct group_stats *g);
/* The whole group, an element of "groups". */
void results_group(struct emit *j, const struct run_stats *r, const struct group_stats *g);
/* Accidents by name with their counts of units; those that did not happen are left out. */
void results_accidents(struct emit *j, const uint64_t accidents[N_ACCIDENTS]);

/* Rounded to six digits: beyond, a large test's p depends on the machine's log-gamma. */
double results_six_digits(double v);

#endif
