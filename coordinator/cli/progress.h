/* progress.h - a run's progress: one live line on a terminal, plain lines elsewhere. */
#ifndef COORDINATOR_PROGRESS_H
#define COORDINATOR_PROGRESS_H

#include "coordinator/dispatch/hall.h"
#include "coordinator/run/conductor.h"

struct progress;

/* Owned. quiet: shows nothing, but keeps the run's heartbeat for `proctor status`. */
struct progress *progress_new(struct conductor *c, bool quiet);
void progress_free(struct progress **p);                           /* ends the live line */
void progress_show(void *progress, const struct hall_progress *h); /* a hall_progress_fn */

#endif
