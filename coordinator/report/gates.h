/* gates.h - bounds on results that a recipe sets (`gates`, docs/recipe.md), judged group by group.
 *
 * A recipe's gates reach the store as JSON under META "gates". The report judges them from its
 * numbers; gate_watch.h judges the same way while a run goes on. */
#ifndef COORDINATOR_REPORT_GATES_H
#define COORDINATOR_REPORT_GATES_H

#include "coordinator/report/collect.h"
#include "coordinator/store/gate_record.h"

enum gate_state {
    GATE_OPEN = 0, /* not all units are done, and it can go either way */
    GATE_MET,
    GATE_MISSED, /* or cannot be met any more, whatever is still to come */
    GATE_BEHIND  /* open, `after` units are done, and their value misses it */
};
const char *gate_state_name(enum gate_state s);

struct gate_result {
    const struct gate *gate; /* borrowed from run_stats: see gates_free */
    uint32_t group;
    enum gate_state state;
    double value; /* over what is done; NaN when nothing is */
    uint64_t done, n;
};

/* The value so far. */
struct gate_tally {
    double value;     /* shares: sum over what is done, divided by all of n */
    bool share;       /* lies in 0 .. 1 and what is missing counts 0 in value */
    bool linear;      /* of a share: one unit moves it by at most 1 / n */
    uint64_t done, n; /* units */
};
/* *value: over what is done. */
enum gate_state gate_judge(const struct gate *g, const struct gate_tally *t, double *value);

/* Does the gate speak of this group? */
bool gate_covers(const struct gate *g, const struct manifest *m, const struct manifest_group *mg);

/* Fills r->gates: one result per gate and group that it covers. */
void gates_judge_run(struct store_view *v, struct run_stats *r);
void gates_free(struct run_stats *r);
/* Fails the run: missed, or behind where that stops it. */
bool gate_failed(const struct gate_result *g);

#endif
