/* grid.h - an eval stage's settings and grid as cells.
 *
 * The product of the axes in the recipe's order (the last axis runs fastest), without what
 * `exclude` matches, then what `include` adds. Cells that resolve to the same settings are one
 * cell with several names. Without grid and include there is one cell, "default". */
#ifndef COORDINATOR_RECIPE_GRID_H
#define COORDINATOR_RECIPE_GRID_H

#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/keys.h"
#include "coordinator/recipe/recipe.h"

/* A setting named by a grid, an exclude or an include: `key` is NULL when there is none such. */
struct grid_entry {
    const struct key *key;
    char *axis;                   /* dotted path as written */
    const struct yaml_node *name; /* where it was written */
    const struct yaml_node *value;
};

struct grid_entries {
    struct grid_entry *list;
    uint32_t n, cap;
};

/* A map of dotted paths; nested maps mean the same as dots. */
void grid_flatten(const struct yaml_node *map, struct grid_entries *out);
void grid_entries_clear(struct grid_entries *e);

/* The node of a setting in an eval's own (nested) maps, NULL when it is not given. */
const struct yaml_node *grid_base_node(const struct yaml_node *eval, const struct key *key);

/* Owned cells; on findings the result may be empty. `path` is the eval's ("stages.1.eval"). */
void grid_resolve(const struct yaml_node *eval, const char *path, uint64_t seed, struct findings *f,
                  struct recipe_cell **cells, uint32_t *n_cells);
void grid_free_cells(struct recipe_cell *cells, uint32_t n);

#endif
