/* gates.h - a recipe's `gates`: bounds on its results. */
#ifndef COORDINATOR_RECIPE_GATES_H
#define COORDINATOR_RECIPE_GATES_H

#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/recipe.h"

/* Fills r->gates from the recipe's tree, which check_recipe has seen. Whether tasks, metrics,
 * models and cells exist is the plan's to find out. */
void recipe_read_gates(struct recipe *r, const struct yaml_node *root, struct findings *f);
void recipe_write_gates(const struct recipe *r, struct px_buf *out);
void recipe_free_gates(struct recipe *r);

#endif
