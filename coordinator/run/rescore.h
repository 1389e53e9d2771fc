/* rescore.h - a run's stored completions judged by the tasks and scorers as they are now.
 *
 * Theory of operation. Verdicts are stored under (completion, scorer, reference), so what changed
 * in a task gives other keys: those that the store does not have yet are score units for testers,
 * nothing is generated. Old verdicts stay. The run goes over to the new ones in one transaction at
 * the end (plan records and manifest), so an interrupted rescoring leaves the old results as they
 * were, and the same command goes on. Needs no model and no plan: the manifest names the units. */
#ifndef COORDINATOR_RESCORE_H
#define COORDINATOR_RESCORE_H

#include "coordinator/dispatch/hall.h"
#include "coordinator/store/manifest.h"
#include "coordinator/task/task.h"
#include "proto/unit.h"

/* What judges one group now. */
struct rescore_rule {
    const struct task *task; /* borrowed; NULL: the group keeps its verdicts */
    char *scorer;            /* JSON, owned by the caller */
};

struct rescore_counts {
    uint64_t units;     /* with a completion, of groups that are judged */
    uint64_t same;      /* judged already by these very rules */
    uint64_t stored;    /* new rules, and the store has the verdict */
    uint64_t to_do;     /* new rules, to be judged */
    uint64_t done;      /* of to_do */
    uint64_t gave_up;   /* of to_do */
    uint64_t forgotten; /* their problem is not in the task any more: they keep theirs */
};

struct rescore;

/* rules: one per group of the manifest; manifest, rules and store must outlive it. */
struct rescore *rescore_new(struct store *s, const struct manifest *m,
                            const struct rescore_rule *rules, struct px_err *err);
void rescore_free(struct rescore **r);
void rescore_count(const struct rescore *r, struct rescore_counts *out);

void rescore_attach(struct rescore *r, struct hall *h);
struct hall_source rescore_source(struct rescore *r);

/* A unit that goes over to another verdict. Verdicts are borrowed during the call. */
struct rescored {
    uint32_t group, index;     /* in the manifest */
    const struct verdict *old; /* NULL: it had none */
    const struct verdict *now;
};
typedef void (*rescored_fn)(void *ctx, const struct rescored *u);
int rescore_walk(const struct rescore *r, rescored_fn fn, void *ctx,
                 struct px_err *err) PX_MUST_CHECK;

/* The run goes over to the new verdicts; m is the manifest as it is to be from now on, with the
 * units of the one that this began with (their subsets are set anew). */
int rescore_commit(struct rescore *r, struct manifest *m, struct px_err *err) PX_MUST_CHECK;

#endif
