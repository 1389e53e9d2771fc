/* results.h - results.json: the machine-readable report (docs/results.md).
 *
 * Its "result" object derives from compared parts alone and is byte for byte equal between two
 * complete runs of one recipe; "observed" holds what merely happened: places, times, speeds. */
#ifndef COORDINATOR_REPORT_RESULTS_H
#define COORDINATOR_REPORT_RESULTS_H

#include "coordinator/report/alarms.h"
#include "coordinator/report/collect.h"

#define RESULTS_FORMAT 1

void results_json(const struct run_stats *r, const struct alarms *a, struct px_buf *out);

#endif
