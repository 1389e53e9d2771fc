/* stability.h - the same cell run several times: how much of it came out the same?
 *
 * Groups belong together when their cell's name and settings, their model's digest and their task's
 * digest are equal. Units are matched by problem, sample and turn; what one of the runs has not
 * done is left out and counted. */
#ifndef COORDINATOR_REPORT_STABILITY_H
#define COORDINATOR_REPORT_STABILITY_H

#include "coordinator/report/collect.h"
#include "coordinator/report/oracle.h"

struct stability {
    const struct group_stats *group; /* in the first run that has it */
    uint32_t runs;
    uint64_t n;            /* units done in all of them */
    uint64_t left_out;     /* of the first one's */
    uint64_t same_text;    /* all texts are equal */
    uint64_t same_verdict; /* all outcomes are equal */
    double least, most;    /* headline over the runs */
};

/* One entry per cell and task that at least two of the runs have. Owned list, *n entries. */
struct stability *stability_make(const struct oracle_source *runs, uint32_t n_runs,
                                 const char *task, uint32_t *n);
void stability_text(const struct stability *list, uint32_t n, struct px_buf *out);
void stability_json(const struct stability *list, uint32_t n, struct px_buf *out);

#endif
