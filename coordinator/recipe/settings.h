/* settings.h - the values of one cell: reading, normalising, copying and writing them. */
#ifndef COORDINATOR_RECIPE_SETTINGS_H
#define COORDINATOR_RECIPE_SETTINGS_H

#include "coordinator/recipe/keys.h"
#include "coordinator/recipe/recipe.h"

#define REUSE_DEFAULT_SIZE 12

void settings_init(struct eval_settings *s, uint64_t seed); /* every knob at its default */
void settings_clear(struct eval_settings *s);
struct eval_settings settings_copy(const struct eval_settings *s);

/* Sets one knob from a node that key_check accepted. */
void settings_apply(struct eval_settings *s, const struct key *key, const struct yaml_node *node);

/* Puts what cannot act at its default, so that equal behaviour is equal values: without
 * temperature the filters and further samples; without layer reuse (k = 1 or no layers) the rest
 * of reuse; with a list of layers the size. */
void settings_normalise(struct eval_settings *s);

/* The knob's value as a recipe writes it (inline YAML): in names of cells, and to compare. */
void settings_write_value(const struct eval_settings *s, enum knob knob, struct px_buf *out);
/* The same for a node: two nodes that mean the same value give the same text. */
void settings_node_value(const struct key *key, const struct yaml_node *node, struct px_buf *out);

/* Does the knob stand where it stands when the recipe does not name it. */
bool settings_is_default(const struct eval_settings *s, enum knob knob);

/* One JSON object in a fixed order of keys: equal texts, equal settings. Owned. */
char *settings_json(const struct eval_settings *s);

#endif
