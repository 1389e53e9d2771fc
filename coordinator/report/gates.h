/* gates.h - bounds on results that a recipe sets (`gates`, docs/recipe.md), judged group by group.
 *
 * A recipe's gates reach the store as JSON under META "gates". The report judges them from its
 * numbers; gate_watch.h judges the same way while a run goes on. */
#ifndef COORDINATOR_REPORT_GATES_H
#define COORDINATOR_REPORT_GATES_H

#include "coordinator/report/collect.h"

enum gate_bound { GATE_AT_LEAST = 1, GATE_AT_MOST, GATE_ABOVE, GATE_BELOW };
const char *gate_bound_name(enum gate_bound b); /* "at_least" ... */

enum gate_severity {
    GATE_WARN = 1,  /* is told */
    GATE_STOP,      /* fails the run, and stops it once the bound cannot be met any more */
    GATE_STOP_EARLY /* also when the value after `after` units misses it */
};
const char *gate_severity_name(enum gate_severity s); /* "warn", "stop", "stop_early" */

struct gate {
    char *task;   /* "": every task */
    char *metric; /* a metric, pass@k, maj@n, accidents/NAME, outcomes/NAME or errors */
    char *model;  /* "": every model */
    char *cell;   /* any of a cell's names; "": every cell */
    enum gate_bound bound;
    double threshold;
    enum gate_severity severity;
    uint64_t after; /* units of a group from which on it is judged; 0: all of them */
};

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

/* What a gate's metric is taken from. */
enum gate_source {
    GATE_OF_METRIC = 1, /* mean over units, or a metric made of sums */
    GATE_OF_PASS_AT,    /* k */
    GATE_OF_MAJORITY,
    GATE_OF_OUTCOMES, /* share of units whose outcome is in `outcomes` (bits) */
    GATE_OF_ACCIDENT  /* share of units with the accident `bit` */
};
struct gate_measure {
    enum gate_source source;
    uint32_t k, outcomes, bit;
};
/* False when the name is none of the special ones and not well-formed: "accidents/x". */
bool gate_measure_parse(const char *metric, struct gate_measure *out);

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

/* The list that META holds; NULL with *n = 0 for none. Entries that are no gates are left out. */
struct gate *gates_parse(const void *json, size_t n_json, uint32_t *n);
void gates_free_list(struct gate *list, uint32_t n);
/* "humaneval/pass@1 at_least 0.6", with model and cell where given. Appended. */
void gate_write(const struct gate *g, struct px_buf *out);

/* Fills r->gates: one result per gate and group that it covers. */
void gates_judge_run(struct store_view *v, struct run_stats *r);
void gates_free(struct run_stats *r);
/* Fails the run: missed, or behind where that stops it. */
bool gate_failed(const struct gate_result *g);

#endif
