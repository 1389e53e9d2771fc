/* pages.h - the report as Markdown and as CSV: every column, one row per cell and task. */
#ifndef COORDINATOR_REPORT_PAGES_H
#define COORDINATOR_REPORT_PAGES_H

#include "coordinator/report/alarms.h"
#include "coordinator/report/collect.h"

void page_markdown(const struct run_stats *r, const struct alarms *a, struct px_buf *out);

/* RFC 4180 with a header line; fractions, not percentages; empty where there is no value. */
void page_csv(const struct run_stats *r, struct px_buf *out);

#endif
