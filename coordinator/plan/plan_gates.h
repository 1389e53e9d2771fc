/* plan_gates.h - the recipe's gates against what the plan has: tasks, metrics, models, cells. */
#ifndef COORDINATOR_PLAN_GATES_H
#define COORDINATOR_PLAN_GATES_H

#include "coordinator/plan/plan.h"
#include "coordinator/store/gate_record.h"

/* Tells each problem with its position in the recipe. */
typedef void (*plan_say_fn)(void *ctx, uint32_t line, uint32_t column, const char *text);
void plan_check_gates(const struct plan *p, plan_say_fn say, void *ctx);

/* The gates as the store keeps them. Owned (gates_free_list). */
struct gate *plan_gates(const struct plan *p, uint32_t *n);

#endif
