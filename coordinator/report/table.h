/* table.h - the report for a terminal: one table per task, at most 80 columns when names allow. */
#ifndef COORDINATOR_REPORT_TABLE_H
#define COORDINATOR_REPORT_TABLE_H

#include "coordinator/report/alarms.h"
#include "coordinator/report/collect.h"

void table_write(const struct run_stats *r, const struct alarms *a, struct px_buf *out);

#endif
