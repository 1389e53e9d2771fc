/* keys.h - the one table of a recipe's keys.
 *
 * Validation, suggestions, defaults and docs/recipe.md come from it. A key's `path` is a pattern:
 * `*` stands for any name, `[]` for an element of a list ("stages[].eval.sampler.top_k"). */
#ifndef COORDINATOR_RECIPE_KEYS_H
#define COORDINATOR_RECIPE_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/recipe/yaml.h"
#include "proto/buf.h"

enum key_type {
    KEY_MAP,      /* of the keys below it */
    KEY_NAMED,    /* map of freely named maps */
    KEY_STAGES,   /* list of maps with one key each */
    KEY_NAME,     /* letters, digits, _ - . */
    KEY_TEXT,     /* any text that is not empty */
    KEY_NAMES,    /* list of texts, none twice */
    KEY_TEXTS,    /* list of texts */
    KEY_INT,      /* lo .. hi, or `word` */
    KEY_NUMBER,   /* lo .. hi */
    KEY_SIZE,     /* bytes with a unit, lo .. hi, or `word` */
    KEY_DURATION, /* a span with a unit, lo .. hi microseconds, or `word` */
    KEY_ENUM,     /* one of `allowed` */
    KEY_SUBSET,   /* one of `allowed` or a list of layer indices */
    KEY_GRID,     /* axes: settings of an eval by dotted path, each a list */
    KEY_CELLS,    /* list of maps from axes to values */
    KEY_MAPS      /* list of maps of the keys below "<path>[]" */
};

/* The settings that a cell resolves; everything that can be an axis of a grid. */
enum knob {
    KNOB_NONE,
    KNOB_SAMPLES,
    KNOB_LIMIT,
    KNOB_TEMPERATURE,
    KNOB_TOP_K,
    KNOB_TOP_P,
    KNOB_MIN_P,
    KNOB_MAX_TOKENS,
    KNOB_STOP,
    KNOB_KV,
    KNOB_CONTEXT,
    KNOB_CHAT,
    KNOB_FEWSHOT,
    KNOB_STRATEGY,
    KNOB_COMPAT,
    KNOB_REUSE_K,
    KNOB_REUSE_SUBSET,
    KNOB_REUSE_SIZE,
    KNOB_REUSE_MODE,
    KNOB_REUSE_KV,
    KNOB_COUNT
};

struct key {
    const char *path;
    enum key_type type;
    bool required;
    bool lo_open; /* lo itself is not allowed */
    double lo, hi;
    const char *word; /* a word instead of a number, e.g. "auto" */
    const char *def;  /* as written in a recipe; NULL: none */
    const char *const *allowed;
    enum knob knob;
    const char *acts; /* what it acts on */
    const char *doc;  /* one line */
};

#define KEY_EVAL "stages[].eval"
#define MAX_CELLS 10000

extern const struct key recipe_keys[];
extern const uint32_t n_recipe_keys;

const struct key *key_find(const char *path); /* by pattern; NULL when there is none */
const struct key *key_of_knob(enum knob knob);
/* The part below KEY_EVAL: "sampler.top_k". */
const char *key_axis(const struct key *key);
/* The setting with this dotted path below an eval, NULL when it is none. */
const struct key *key_by_axis(const char *axis);

/* Names directly below a pattern; at most max, returns how many. */
uint32_t key_children(const char *path, const char **names, uint32_t max);

/* Is `name` below `path` a key or a value of a later version: known, and refused by name. */
bool key_is_later(const char *path, const char *name);

/* "an integer from 1 to 64, or task": what a key takes, appended. */
void key_write_allowed(const struct key *key, struct px_buf *out);

/* Does the node hold a value of the key's type and range? On false `why` (of n bytes) says what is
 * wrong. KEY_MAP and the other structures are not looked into. */
bool key_check(const struct key *key, const struct yaml_node *node, char *why, size_t n);

#endif
