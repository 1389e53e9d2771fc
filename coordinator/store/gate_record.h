/* gate_record.h - the bounds that a recipe sets on results, as the store keeps them for readers
 * that know no recipe: one JSON list in STORE_META under "gates". */
#ifndef COORDINATOR_STORE_GATE_RECORD_H
#define COORDINATOR_STORE_GATE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

enum gate_bound { GATE_AT_LEAST = 1, GATE_AT_MOST, GATE_ABOVE, GATE_BELOW };
const char *gate_bound_name(enum gate_bound b);       /* "at_least" ... */
enum gate_bound gate_bound_by_name(const char *name); /* 0: none */

enum gate_severity {
    GATE_WARN = 1,  /* is told */
    GATE_STOP,      /* fails the run, and stops it once the bound cannot be met any more */
    GATE_STOP_EARLY /* also when the value after `after` units misses it */
};
const char *gate_severity_name(enum gate_severity s);       /* "warn", "stop", "stop_early" */
enum gate_severity gate_severity_by_name(const char *name); /* 0: none */

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

/* What a gate's metric is taken from. */
enum gate_source {
    GATE_OF_METRIC = 1, /* mean over units, or a metric made of sums */
    GATE_OF_PASS_AT,    /* k */
    GATE_OF_MAJORITY,   /* k */
    GATE_OF_OUTCOMES,   /* share of units whose outcome is in `outcomes` (bits) */
    GATE_OF_ACCIDENT    /* share of units with the accident `bit` */
};
struct gate_measure {
    enum gate_source source;
    uint32_t k, outcomes, bit;
};
/* False when the name is none of the special ones and not well-formed: "accidents/x". */
bool gate_measure_parse(const char *metric, struct gate_measure *out);

/* The list that META holds; NULL with *n = 0 for none. Entries that are no gates are left out. */
struct gate *gates_parse(const void *json, size_t n_json, uint32_t *n);
void gates_free_list(struct gate *list, uint32_t n);
/* The same as JSON, appended. */
void gates_json(const struct gate *list, uint32_t n, struct px_buf *out);
/* "humaneval/pass@1 at_least 0.6", with model and cell where given. Appended. */
void gate_write(const struct gate *g, struct px_buf *out);

#endif
