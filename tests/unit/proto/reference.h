/* reference.h - the reference data: models and golden values beside the checkout, when present.
 *
 * $PROCTOR_REFERENCE, else ../shared. A test that needs a file that is not there says so on a line
 * that begins with SKIP and skips. */
#ifndef TESTS_UNIT_PROTO_REFERENCE_H
#define TESTS_UNIT_PROTO_REFERENCE_H

#include <stdio.h>
#include <stdlib.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

/* Path of a file below the reference data. Owned. */
static inline char *reference_path(const char *name)
{
    const char *root = getenv("PROCTOR_REFERENCE");
    return px_path_join(root && *root ? root : "../shared", name);
}

/* Path of a file that the test cannot do without; skips the test when it is not there. An array,
 * because a skipped test never comes back to free anything. */
#define REFERENCE_OR_SKIP(var, name)                                                               \
    char var[1024];                                                                                \
    reference_put_path(var, sizeof var, name);                                                     \
    if (!px_exists(var)) {                                                                         \
        printf("SKIP %s: no %s (set PROCTOR_REFERENCE)\n", __func__, var);                         \
        skip();                                                                                    \
    }

static inline void reference_put_path(char *out, size_t size, const char *name)
{
    PX_FREE char *path = reference_path(name);
    snprintf(out, size, "%s", path);
}

/* A JSON file; fails the test when it cannot be read. Owned (json_object_put). */
static inline struct json_object *reference_json(const char *path)
{
    struct px_err err = {0};
    char *text;
    size_t len;
    if (px_read_file(path, 64u << 20, &text, &len, &err) != 0)
        fail_msg("%s", err.text);
    struct json_object *o = px_json_parse(text, len, &err);
    if (!o)
        fail_msg("%s: %s", path, err.text);
    free(text);
    return o;
}

#endif
