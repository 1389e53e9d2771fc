/* backend.h - the one small interface between a worker's session and what makes completions.
 *
 * A backend holds rows: units that run side by side. The session submits units while there are
 * credits and calls step() until everything is finished. A completion never depends on what else
 * is in the batch. Single-threaded towards the caller; a backend may use threads inside a step. */
#ifndef WORKER_BACKEND_H
#define WORKER_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"

enum { BACKEND_ROWS = 32 }; /* side by side where nobody says how many */

struct backend_config {
    int64_t memory_budget; /* bytes for private allocations (KV pages, activations) */
    int64_t host_memory;   /* bytes for mapped models and private memory together; 0: no limit */
    uint32_t threads;
    uint32_t max_rows; /* units side by side at most; 0: BACKEND_ROWS */
    const char *isa;   /* "auto" or a name of kernels_choose */
};

struct backend_done {
    uint64_t ticket;
    bool failed; /* err is set, completion is empty */
    bool retryable;
    struct px_err err;
    struct completion completion; /* owned by the receiver (completion_clear) */
};

struct backend {
    const char *name;
    void *self;
    /* Free rows right now for units of this job; 0 when it must finish others first. */
    uint32_t (*credits)(void *self, const struct job *job);
    /* Takes a row. job and unit are borrowed until the ticket comes back from step().
     * Fails at once for what can never run here (model missing, larger than the budget). */
    int (*submit)(void *self, const struct job *job, const struct unit *unit, uint64_t ticket,
                  struct px_err *err);
    /* Advances every row by at most a slice of work (aim: under 300 ms); fills at most max of
     * `done`, returns how many; -1 when the backend itself is broken. */
    int (*step)(void *self, struct backend_done *done, int max, struct px_err *err);
    void (*cancel)(void *self, uint64_t ticket); /* drops a row; it will not be reported */
    uint64_t (*progress)(void *self);            /* tokens computed so far, only grows */
    void (*free)(void *self);
};

/* Constructors; NULL with err. Freed by b->free(b->self) and free(b). */
struct backend *backend_native_new(const struct backend_config *cfg, struct px_err *err);
struct backend *backend_replay_new(const struct backend_config *cfg, struct px_err *err);
struct backend *backend_noop_new(const struct backend_config *cfg, struct px_err *err);

#endif
