/* graded.h - what became of each recorded completion, read from a run's store. */
#ifndef COORDINATOR_RECORDED_GRADED_H
#define COORDINATOR_RECORDED_GRADED_H

#include "coordinator/report/walk.h"

struct grade {
    bool done;
    enum verdict_class class; /* 0 when not done */
    double value;             /* headline */
    char *extracted;          /* owned; UTF-8 or not */
    uint32_t n_extracted;
    char *rule, *exception;
    struct metric_value *metrics;
    uint32_t n_metrics;
};

struct graded {
    struct manifest *manifest; /* owned */
    struct grade *list;        /* by problem, then sample: of one group */
    uint32_t group;
    uint32_t n;
    uint32_t samples; /* per problem */
};

int graded_read(struct store *s, uint32_t group, uint32_t samples, struct graded *out,
                struct px_err *err) PX_MUST_CHECK;
void graded_clear(struct graded *g);

/* NULL when the verdict does not have it. */
const double *grade_metric(const struct grade *g, const char *name);

#endif
