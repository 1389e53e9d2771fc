/* pairing.h - cells compared with the cell that differs from them in layer reuse alone. */
#ifndef COORDINATOR_REPORT_PAIRING_H
#define COORDINATOR_REPORT_PAIRING_H

#include "coordinator/report/collect.h"

/* Fills the pairing of every group whose cell reuses layers and has a baseline in the run: same
 * task, model and settings, reuse off, and the same problems in the same order. */
void pair_groups(struct run_stats *r);

#endif
