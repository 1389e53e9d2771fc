/* results_out.h - graded rows in the form of the recording they came from: each row as it was, with
 * `result` and `passed` as HumanEval's own program writes them, EvalPlus's statuses, and what only
 * we know (`verdict`, `extracted`, `rule`, `metrics`). A row with several texts becomes one line
 * per text. */
#ifndef COORDINATOR_RECORDED_RESULTS_OUT_H
#define COORDINATOR_RECORDED_RESULTS_OUT_H

#include "coordinator/recorded/graded.h"
#include "coordinator/recorded/join.h"

/* Appends JSON lines in the recording's order. Rows that are about no problem are left out. */
void results_lines(const struct recording *r, const struct joined *j, const struct graded *g,
                   struct px_buf *out);

#endif
