/* catalogue.h - the data sets that are known: what each file must be and where it comes from.
 *
 * The catalogue is data: recipes/data/catalogue.yaml, whose head describes the keys. A set is what
 * people fetch by name; it has files. A file whose name has one `*` in its last part stands for a
 * family of files, and its digest is that of all of them, one after the other in the order of their
 * names (as `each` of a task file). Immutable after loading. */
#ifndef COORDINATOR_DATA_CATALOGUE_H
#define COORDINATOR_DATA_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/err.h"

struct catalogue_file {
    char *file;            /* path below a data directory: no "..", never absolute */
    struct px_digest hash; /* zero: not known, so it is never fetched */
    int64_t bytes, rows;   /* -1: not known */
    uint32_t n_files;      /* of a family; 1 otherwise */
    char *url;             /* https; or NULL: */
    char *manual;          /* how a person gets it; or NULL: */
    bool shipped;          /* it is part of Proctor */
    char *instead_of;      /* another form of that file; NULL: of none */
    uint32_t set;          /* index */
};

struct catalogue_set {
    char *name, *about, *licence, *origin;
    uint32_t first, n; /* its files */
};

struct catalogue {
    char *path; /* where it was read from */
    struct catalogue_set *sets;
    struct catalogue_file *files;
    uint32_t n_sets, n_files;
};

/* Owned. path NULL: Proctor's own. NULL with err: every mistake with file:line:column. */
struct catalogue *catalogue_load(const char *path, struct px_err *err);
/* The same from text; `name` stands in messages. */
struct catalogue *catalogue_parse(const char *text, size_t len, const char *name,
                                  struct px_err *err);
void catalogue_free(struct catalogue **c);

const struct catalogue_set *catalogue_set(const struct catalogue *c,
                                          const char *name); /* or NULL */
/* A file by its name; a member of a family finds the family. NULL when it is not known. */
const struct catalogue_file *catalogue_file(const struct catalogue *c, const char *file);
/* For messages about a missing file: the name of the set in Proctor's own catalogue that has it.
 * Owned; NULL when none has, or there is no readable catalogue. */
char *catalogue_hint(const char *file);

/* Does the name match a family's pattern (one `*`, which matches no '/')? */
bool catalogue_matches(const char *pattern, const char *name);

#endif
