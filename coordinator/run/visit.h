/* visit.h - the order in which a run takes its units.
 *
 * Units are taken in the order of their indices, but within a group those of one subset (a subject
 * of MMLU) come one after another: they share their few-shot head, which an engine computes once
 * as long as the units that begin with it arrive together. Nothing else depends on the order. */
#ifndef COORDINATOR_VISIT_H
#define COORDINATOR_VISIT_H

#include <stdint.h>

#include "coordinator/plan/plan.h"

struct visit;

/* NULL when the order is that of the indices (no memory is needed then). */
struct visit *visit_new(const struct plan *p);
void visit_free(struct visit **v);

/* The unit at a place of the order, and the place of a unit. v may be NULL. */
uint64_t visit_unit(const struct visit *v, uint64_t place);
uint64_t visit_place(const struct visit *v, uint64_t unit);

#endif
