/* findings.h - everything that is wrong with a recipe, collected and told in the file's order. */
#ifndef COORDINATOR_RECIPE_FINDINGS_H
#define COORDINATOR_RECIPE_FINDINGS_H

#include <stdint.h>

#include "coordinator/recipe/yaml.h"
#include "proto/buf.h"
#include "proto/err.h"

struct finding {
    uint32_t line, column;
    char *text; /* "key.path: what is wrong; what is allowed" */
};

struct findings {
    const char *file; /* borrowed */
    struct finding *list;
    uint32_t n, cap;
    uint32_t untold; /* beyond MAX_FINDINGS: only counted */
};

#define MAX_FINDINGS 1000

/* At a node; line 0 (a value of --set) is told as "--set". path "" for none. */
void findings_add(struct findings *f, const struct yaml_node *at, const char *path, const char *fmt,
                  ...) PX_PRINTF(4, 5);
/* "file:line:column: text", sorted by position, one per line. */
void findings_write(struct findings *f, struct px_buf *out);
void findings_clear(struct findings *f);

#endif
