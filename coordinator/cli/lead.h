/* lead.h - what every command that has units done shares: the run directory's store, the conductor
 * and the hall with its local workers and testers. */
#ifndef COORDINATOR_LEAD_H
#define COORDINATOR_LEAD_H

#include "coordinator/cli/setup.h"
#include "coordinator/run/conductor.h"

struct lead_options {
    const char *isa, *listen, *curve_dir; /* NULL: auto; no listening; <run>/curve */
    bool fresh;                           /* throw away what the store holds first */
    bool retry_quarantined, network_store;
    bool quiet;           /* no progress, no announcement */
    int64_t max_failures; /* 0: no limit */
};

/* Once, before anything else: signals end the program with 3 and a word of `command` (static), and
 * as many descriptors as may be had are taken. */
int lead_prepare(const char *command, struct px_err *err) PX_MUST_CHECK;

/* A name that no worker could have is refused; whether this CPU has it is for each worker to say.
 */
int lead_check_isa(const char *isa, struct px_err *err) PX_MUST_CHECK;

/* Makes the run directory, opens its store for writing and writes <run>/recipe.yaml. */
struct store *lead_open(const struct lead_options *o, const struct setup *s, struct px_err *err);

/* Does what the plan still needs. 0: all of it is done or given up, or a gate stopped the run (said
 * on stderr); 1: a stage failed (said on stderr); -1 with err, {PX_EINTERRUPTED} for Ctrl-C among
 * them. co: NULL for every unit. */
int lead_run(const struct lead_options *o, const struct setup *s, struct store *store,
             const struct conductor_options *co, struct px_err *err);

#endif
