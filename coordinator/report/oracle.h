/* oracle.h - what several cells of one model know together, problem by problem.
 *
 * Cells are taken together only when they ran the same weights (digest) on the same version of a
 * task; sets that differ are reduced to the problems that all have done, and say so. A problem is
 * solved by a cell when any of its samples is right. */
#ifndef COORDINATOR_REPORT_ORACLE_H
#define COORDINATOR_REPORT_ORACLE_H

#include "coordinator/report/collect.h"

struct oracle_member {
    const struct group_stats *group;
    const char *run;   /* its run's name; borrowed */
    uint32_t solved;   /* problems */
    uint32_t unique;   /* of them, by no other member */
    uint32_t strategy; /* index in unions */
};

/* Everything that the cells with one value of `strategy` solve. */
struct oracle_union {
    char *strategy;
    uint32_t members, solved;
};

struct oracle {
    const struct manifest_task *task; /* of the first member */
    const char *model_digest;
    struct oracle_member *members;
    uint32_t n_members;
    struct oracle_union *unions;
    uint32_t n_unions;
    uint32_t n;          /* problems done by all members */
    uint32_t left_out;   /* the first member's others */
    bool sets_differ;    /* members have different sets of problems */
    uint32_t solved;     /* by any member: the oracle */
    uint32_t always;     /* every sample of every member is right */
    uint32_t never;      /* none is; what is neither is inconsistent */
    uint32_t best;       /* member that solves most; the first among equals */
    uint32_t best_union; /* index in unions */
};

struct oracle_source {
    const struct run_stats *run;
    const char *name;
};

/* One oracle per task and model digest that has right and wrong answers, in the order of their
 * first cells. task: NULL for all. Owned list, *n entries. */
struct oracle *oracles_make(const struct oracle_source *runs, uint32_t n_runs, const char *task,
                            uint32_t *n);
void oracles_free(struct oracle **list, uint32_t n);

void oracles_text(const struct oracle *list, uint32_t n, struct px_buf *out);
void oracles_json(const struct oracle *list, uint32_t n, struct px_buf *out);

#endif
