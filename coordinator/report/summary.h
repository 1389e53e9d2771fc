/* summary.h - summary.json: what one cell came to, small enough to read at a glance. */
#ifndef COORDINATOR_REPORT_SUMMARY_H
#define COORDINATOR_REPORT_SUMMARY_H

#include "coordinator/report/collect.h"

/* Appends one JSON object and a newline: the cell's names, model and its digest, settings, and per
 * task the headline with its interval, coverage and decomposition (docs/results.md). Derived from
 * compared parts alone. */
void summary_json(const struct run_stats *r, uint32_t cell, struct px_buf *out);

#endif
