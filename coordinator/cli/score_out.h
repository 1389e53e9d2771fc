/* score_out.h - what `proctor score` tells: the table, agreement with published verdicts, graded
 * rows, one JSON object. */
#ifndef COORDINATOR_SCORE_OUT_H
#define COORDINATOR_SCORE_OUT_H

#include "coordinator/recorded/join.h"
#include "coordinator/store/store.h"

struct score_output {
    const struct recording *recording;
    const struct joined *joined;
    const struct task *task;
    const char *stem, *run_dir, *style, *text_key, *output;
    const char *const *flags; /* "KEY" or "KEY=METRIC" */
    uint32_t n_flags;
    bool json, quiet, answers, allow_missing;
};

/* Writes the report, the graded rows and what is printed. 0, 1 when something was not judged, or -1
 * with err. */
int score_conclude(const struct score_output *o, struct store *store, struct px_err *err);

#endif
