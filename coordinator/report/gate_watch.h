/* gate_watch.h - gates judged while a run goes on, from counts in memory: each unit is noted once,
 * when it is finished, whatever way it came (recorded, shared, found in the store). */
#ifndef COORDINATOR_REPORT_GATE_WATCH_H
#define COORDINATOR_REPORT_GATE_WATCH_H

#include "coordinator/report/gates.h"

struct gate_watch;

/* The list is copied; the manifest must have its units (they are not kept). NULL without gates.
 * maj@n is left to the end of the run. */
struct gate_watch *gate_watch_new(const struct gate *list, uint32_t n, const struct manifest *m);
void gate_watch_free(struct gate_watch **w);

bool gate_watch_covers(const struct gate_watch *w, uint32_t group);

/* A unit of a covered group is finished; its keys as the store has them, its place in its group.
 * Reads its records by key. */
int gate_watch_note(struct gate_watch *w, struct store *s, uint32_t group, uint64_t index,
                    const struct px_digest *content, const struct px_digest *verdict,
                    struct px_err *err) PX_MUST_CHECK;

/* The next gate that is newly missed (or behind), in words; NULL when there is none. *stop: it ends
 * the run. Borrowed until the next call. */
const char *gate_watch_next(struct gate_watch *w, bool *stop);

#endif
