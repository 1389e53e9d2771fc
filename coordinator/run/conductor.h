/* conductor.h - gives the hall what the plan still needs and books what comes back.
 *
 * Theory of operation. Each unit of the plan walks PENDING -> GENERATING -> TO_SCORE -> SCORING ->
 * DONE (or FAILED). Units that resolve to the same content key share one generate unit, completions
 * that are judged alike share one score unit: the others are chained to the first and follow it.
 * At start the store is asked for every unit (resume), so what is known is never done again; the
 * same questions are asked again while running, so a cell that another cell has already answered
 * costs nothing. Single-threaded: the hall's thread. */
#ifndef COORDINATOR_CONDUCTOR_H
#define COORDINATOR_CONDUCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/dispatch/hall.h"
#include "coordinator/plan/plan.h"
#include "coordinator/store/store.h"

struct conductor;

struct conductor_counts {
    uint64_t total;       /* units of the plan */
    uint64_t done;        /* scored (or generated, where nothing is scored) */
    uint64_t generated;   /* completion known, verdict not yet */
    uint64_t quarantined; /* given up */
    uint64_t imports;     /* import stages still to run */
};

struct conductor_options {
    /* Which units to do; the others count as done. NULL: all. */
    bool (*wants)(void *ctx, uint64_t unit);
    void *ctx;
};

/* Reads the store and finds what is left. plan, store and what the options refer to must outlive
 * it; opt may be NULL. */
struct conductor *conductor_new(const struct plan *p, struct store *s,
                                const struct conductor_options *opt, struct px_err *err);
void conductor_free(struct conductor **c);

void conductor_count(const struct conductor *c, struct conductor_counts *out);

/* Writes the manifest, the counters and the run's facts to the store: before the first unit. */
int conductor_begin(struct conductor *c, const char *run_dir, struct px_err *err) PX_MUST_CHECK;

/* Registers the job heads with the hall; the source's functions refer to them. */
void conductor_attach(struct conductor *c, struct hall *h);
struct hall_source conductor_source(struct conductor *c);

/* Commits what is still waiting to be written (answers found in the store itself). */
int conductor_flush(struct conductor *c, struct px_err *err) PX_MUST_CHECK;

/* What readers of the store are shown as the run's pulse (JSON object, copied): written with the
 * next commit. */
void conductor_heartbeat(struct conductor *c, const char *json);

/* The gate that ended the run before all was done, in words, or NULL. */
const char *conductor_gate_stop(const struct conductor *c);

/* Why an import stage failed, or NULL. */
const char *conductor_stage_failure(const struct conductor *c);

#endif
