/* names.h - models flow by name: who makes which, in what order stages can run. */
#ifndef COORDINATOR_RECIPE_NAMES_H
#define COORDINATOR_RECIPE_NAMES_H

#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/recipe.h"

/* Findings for names made twice, names nobody makes, cycles, models that no stage uses, and
 * imports of what is no GGUF; puts the stages in an order in which every name is made before it is
 * taken (with a cycle the order stays as written). */
void names_resolve(struct recipe *r, struct findings *f);

/* The model that a name comes from, through imports; NULL when there is none. */
const struct recipe_model *names_origin(const struct recipe *r, const char *name);

#endif
