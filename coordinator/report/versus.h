/* versus.h - comparisons shown together: pairs of cells per task, adjusted for how many there are.
 */
#ifndef COORDINATOR_REPORT_VERSUS_H
#define COORDINATOR_REPORT_VERSUS_H

#include "coordinator/report/compare.h"

/* One side: a run and, or NULL for every cell, one of its cells, named
 * as labels.h has it. */
struct versus_side {
    const struct run_stats *run; /* borrowed */
    const char *name;            /* of the run, for people */
    const char *cell;
};

struct versus {
    struct comparison *list;
    uint32_t n, cap;
    const char *base_name, *other_name; /* of the runs; equal when it is one run */
};

/* All pairs per task: of base's cells among themselves when other is base (the same run and no
 * cell), else of base's cells with other's. Without cells, two runs' cells meet by a common name,
 * or as they are when each run has only one for the task. task, metric: NULL for all, the headline.
 * p values are adjusted by Holm over everything found. PX_EUSAGE when nothing is left to compare,
 * or a cell or task is not there. */
int versus_make(const struct versus_side *base, const struct versus_side *other, const char *task,
                const char *metric, struct versus *out, struct px_err *err) PX_MUST_CHECK;
void versus_clear(struct versus *v);

/* For a terminal; items: the ids that were gained and lost. */
void versus_text(const struct versus *v, bool items, struct px_buf *out);
void versus_json(const struct versus *v, bool items, struct px_buf *out);

#endif
