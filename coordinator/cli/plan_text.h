/* plan_text.h - `proctor plan`: the plan for people and, as JSON, for programs. */
#ifndef COORDINATOR_PLAN_TEXT_H
#define COORDINATOR_PLAN_TEXT_H

#include "coordinator/plan/estimate.h"
#include "coordinator/run/conductor.h"

struct plan_facts {
    const struct plan *plan;
    const struct resources *res;
    const struct estimate *estimate;
    const struct conductor_counts *counts; /* NULL: no store yet */
    const char *run_dir;
};

void plan_write_text(const struct plan_facts *f, struct px_buf *out);
void plan_write_json(const struct plan_facts *f, struct px_buf *out);

#endif
