/* manifest.h - what a run consists of, as the store tells readers that know no recipe.
 *
 * The coordinator writes the manifest before the first unit: one JSON document in STORE_META under
 * "manifest" and, per (cell, task), one group in STORE_GROUP that lists its units in order. Reports
 * walk groups -> plan keys -> results and verdicts. */
#ifndef COORDINATOR_STORE_MANIFEST_H
#define COORDINATOR_STORE_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/store/store.h"
#include "proto/digest.h"

struct manifest_unit {
    struct px_digest plan_key;
    char *problem; /* id in its task */
    uint32_t sample;
    uint32_t turn;   /* of a conversation; 0 elsewhere */
    uint32_t subset; /* index in the task's subsets; 0 when it has none */
};

#define MANIFEST_NONE UINT32_MAX

struct manifest_group {
    uint32_t index;
    uint32_t cell;   /* index in the manifest's cells */
    uint32_t task;   /* index in the manifest's tasks */
    uint32_t judged; /* the group whose answers this one judges; MANIFEST_NONE elsewhere */
    uint32_t
        opponent; /* pairwise: the group that they are compared with; MANIFEST_NONE elsewhere */
    struct manifest_unit *units;
    uint32_t n_units;
};

struct manifest_cell {
    char **names; /* every name under which the cell is reported; the first is the main one */
    uint32_t n_names;
    char *model;          /* recipe name */
    char *settings;       /* JSON object: the resolved values */
    double speedup_bound; /* layer reuse; 1 when off */
    bool reuse_on;
};

struct manifest_task {
    char *name;
    char *request;        /* "generate" or "choice" */
    char *headline;       /* metric name */
    char *scorer;         /* kind, proto/scorer_kinds.h */
    char *subsets;        /* JSON array of {"name", "group"}; empty when there are none */
    char *aggregates;     /* JSON array: metrics made of sums, see `aggregate` in docs/tasks.md */
    char *oracle;         /* JSON object: known scores of reference, empty, first answers */
    char *compat;         /* "" or "lm-eval" */
    char *strategy;       /* "" or one of the task's strategies */
    bool lower_is_better; /* of the headline */
    double chance;        /* score of guessing, for the below-chance alarm; 0 when unknown */
    uint32_t n_problems;
    char *digest;   /* hex: task file and data */
    char *problems; /* hex: ids and rows alone; variants of a task's prompts have the same */
};

struct manifest {
    char *recipe; /* name */
    char *run_dir;
    uint64_t seed;
    char *models;      /* JSON array: name, digest, path, backend, architecture, bytes */
    char *plan_digest; /* hex */
    struct manifest_cell *cells;
    uint32_t n_cells;
    struct manifest_task *tasks;
    uint32_t n_tasks;
    struct manifest_group *groups;
    uint32_t n_groups;
};

void manifest_write(const struct manifest *m, struct store_batch *b); /* adds puts to the batch */

/* Owned. PX_EMISSING when the run wrote none yet, PX_EINPUT when it is damaged or does not fit. */
struct manifest *manifest_read(struct store *s, struct px_err *err);
/* As manifest_read, without the groups' units (n_units is right, units is NULL): cheap. */
struct manifest *manifest_read_head(struct store *s, struct px_err *err);
void manifest_free(struct manifest **m);

/* The two decoders behind them; total: any bytes give a result or an error. The head's groups have
 * no units; a group's units are put into the head's group (which must be empty and agree). */
struct manifest *manifest_decode_head(const void *json, size_t n, struct px_err *err);
int manifest_decode_group(const void *p, size_t n, struct manifest_group *g,
                          struct px_err *err) PX_MUST_CHECK;

#endif
