/* yaml.h - a YAML document as a tree that remembers line and column (libyaml underneath).
 *
 * Scalars keep their text; numbers and booleans are decided by whoever reads them, so "1234" in a
 * string place stays text. Limits: 4 MiB of text, depth 64, 200,000 nodes, aliases expanded at
 * most to that node count (an alias bomb is an error). Duplicate keys and invalid UTF-8 are errors.
 * One document per file. */
#ifndef COORDINATOR_YAML_H
#define COORDINATOR_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

enum yaml_kind { YAML_SCALAR = 1, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    uint32_t line;   /* from 1 */
    uint32_t column; /* from 1 */
    char *text;      /* scalar: the value */
    size_t n_text;
    bool quoted;              /* scalar written with quotes or as a block */
    struct yaml_node **items; /* list: elements; map: values */
    struct yaml_node **keys;  /* map: scalar nodes */
    size_t n;
};

struct yaml_doc;
struct findings;

/* `name` stands in messages. NULL with err: "name:line:column: what". */
struct yaml_doc *yaml_parse(const char *text, size_t len, const char *name, struct px_err *err);
struct yaml_doc *yaml_load(const char *path, struct px_err *err);
/* As yaml_parse, but duplicate keys are added to findings (recipe/findings.h) and the first of them
 * is kept, so that everything wrong with a file can be told at once. */
struct yaml_doc *yaml_parse_findings(const char *text, size_t len, const char *name,
                                     struct findings *findings, struct px_err *err);
void yaml_doc_free(struct yaml_doc **d);               /* libyaml itself exports a yaml_free */
struct yaml_node *yaml_root(const struct yaml_doc *d); /* borrowed */
const char *yaml_name(const struct yaml_doc *d);
/* Value of a map's key, NULL when absent or not a map. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
bool yaml_is_null(const struct yaml_node *n); /* unquoted ~, null or empty */
/* Typed reading of a scalar: false when it is not one. true/false/yes/no for booleans. */
bool yaml_int(const struct yaml_node *n, int64_t *out);
bool yaml_double(const struct yaml_node *n, double *out); /* 2e-4, 0.6, 3 */
bool yaml_bool(const struct yaml_node *n, bool *out);
/* Nodes made by programs (--set): owned by the document. */
struct yaml_node *yaml_new_scalar(struct yaml_doc *d, const char *text);
/* Parses a value (inline YAML) and puts it at a dotted path, making maps on the way. A part that is
 * a number is an index (from 0) where a list stands. The nodes made have line 0. */
int yaml_set_path(struct yaml_doc *d, const char *path, const char *value,
                  struct px_err *err) PX_MUST_CHECK;

/* Puts a map over another of the same document: maps are merged at every depth, everything else
 * replaces what was there, and a key whose value is null is taken away. */
void yaml_merge(struct yaml_node *into, const struct yaml_node *over);

#endif
