/* table_parts.h - the parts of the terminal's report beside the main table. */
#ifndef COORDINATOR_REPORT_TABLE_PARTS_H
#define COORDINATOR_REPORT_TABLE_PARTS_H

#include "coordinator/report/collect.h"

/* Groups of subsets and the total, micro and macro; the subsets too when the task has one cell. */
void table_parts(const struct run_stats *r, uint32_t task, char *const *labels, struct px_buf *out);
/* pass@k for several k, where there are more than two samples. */
void table_passes(const struct run_stats *r, uint32_t task, char *const *labels,
                  struct px_buf *out);
/* Wins, ties, losses and flips of cells that are judged in pairs. */
void table_duels(const struct run_stats *r, uint32_t task, char *const *labels, struct px_buf *out);
/* How many of the prompts' tokens were computed, the others being shared; observed. */
void table_sharing(const struct run_stats *r, uint32_t task, struct px_buf *out);
/* Accidents with counts and shares, per cell and task. */
void table_accidents(const struct run_stats *r, char *const *labels, struct px_buf *out);
void table_gates(const struct run_stats *r, char *const *labels, struct px_buf *out);
/* Hosts that were more than 1.5 times as fast as others. */
void table_speeds(const struct run_stats *r, char *const *labels, struct px_buf *out);

#endif
