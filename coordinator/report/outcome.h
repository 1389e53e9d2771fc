/* outcome.h - what became of a unit, by what the store knows of it. */
#ifndef COORDINATOR_REPORT_OUTCOME_H
#define COORDINATOR_REPORT_OUTCOME_H

#include "coordinator/report/walk.h"
#include "proto/outcome.h"

enum outcome outcome_of(const struct sample *s);

#endif
