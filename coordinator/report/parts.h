/* parts.h - a group's subsets (mmlu's subjects), their families (its four groups) and the total.
 *
 * "micro" is over problems, "macro" the mean of the subsets' values; both are shown, never mixed. A
 * family's standard error is lm-eval's: sqrt((sum (n_i - 1) se_i^2 n_i / (sum n_i - k)) / sum n_i)
 * over its k subsets of n_i problems. */
#ifndef COORDINATOR_REPORT_PARTS_H
#define COORDINATOR_REPORT_PARTS_H

#include "coordinator/report/collect.h"

/* Fills subsets and families; nothing when the task has no subsets. After group_figures. */
void parts_make(struct group_stats *g);
void parts_free(struct group_stats *g);

#endif
