/* sample_json.h - one sample as one JSON line: what is compared and what was observed, apart. */
#ifndef COORDINATOR_REPORT_SAMPLE_JSON_H
#define COORDINATOR_REPORT_SAMPLE_JSON_H

#include "coordinator/report/walk.h"

/* Appends {"result": {...}, "observed": {...}} and a newline. The sample is done or has at least a
 * completion. docs/results.md describes the members. */
void sample_json(const struct sample *s, struct px_buf *out);

#endif
