/* grid_rules.h - inside of the grid: for grid.c and grid_rules.c only. */
#ifndef COORDINATOR_RECIPE_GRID_RULES_H
#define COORDINATOR_RECIPE_GRID_RULES_H

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/grid.h"

#define MAX_AXES KNOB_COUNT

struct axis {
    struct grid_entry entry;
    char **texts; /* canonical, one per value */
    size_t n;
};

struct grid {
    const struct yaml_node *eval;
    const char *path;
    struct findings *f;
    const struct yaml_node *base_nodes[KNOB_COUNT];
    struct eval_settings base;
    struct axis axes[MAX_AXES];
    uint32_t n_axes;
    struct recipe_cell *cells;
    uint64_t *hashes; /* of settings_json, beside cells */
    uint32_t n_cells, cap_cells;
    uint32_t n_wanted;      /* cells before merging */
    bool named[KNOB_COUNT]; /* given a value other than its default in some cell */
    bool acted[KNOB_COUNT]; /* ... and it survived normalisation in some cell */
    bool lacks_subset;      /* some cell has k > 1 and no subset */
};

/* One map of `exclude`. */
struct rule {
    const struct yaml_node *node;
    bool *match[MAX_AXES]; /* per value of the axis; NULL: the axis is not named */
    uint64_t hits;
};

/* Findings and false when the map is not one of axes and their values. */
bool grid_read_rule(struct grid *g, const struct yaml_node *node, struct rule *r);
void grid_rule_clear(struct rule *r);
/* Does the cell at these indices match; counts a hit. */
bool grid_rule_matches(struct rule *r, const size_t *at, uint32_t n_axes);

/* The value's canonical text; owned. */
char *grid_node_text(const struct key *key, const struct yaml_node *node);
/* "stages.1.eval.grid.reuse.k" */
void grid_entry_path(const struct grid *g, const char *section, const char *axis,
                     char out[CHECK_PATH]);

#endif
