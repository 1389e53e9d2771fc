/* check.h - a recipe's tree against the table of keys: unknown keys, types, ranges, what is
 * missing. */
#ifndef COORDINATOR_RECIPE_CHECK_H
#define COORDINATOR_RECIPE_CHECK_H

#include "coordinator/recipe/findings.h"
#include "coordinator/recipe/keys.h"

/* Walks the whole tree. Grids and lists of cells are only checked to be maps and lists: grid.c
 * looks into them. */
void check_recipe(const struct yaml_node *root, struct findings *f);

/* One value against its key, with what is allowed and the nearest value. */
bool check_value(const struct key *key, const struct yaml_node *node, const char *path,
                 struct findings *f);

/* "; did you mean 'x'" for the nearest of n names, or nothing. Appended. */
void check_suggest(const char *word, const char *const *names, uint32_t n, struct px_buf *out);

#define CHECK_PATH 512 /* bytes of a key's path in messages; longer ones are cut */

#endif
