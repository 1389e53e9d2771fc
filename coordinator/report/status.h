/* status.h - how far a run is, live or finished, in milliseconds whatever its size: it reads the
 * manifest's head, the counters and the conductor's heartbeat, no unit. */
#ifndef COORDINATOR_REPORT_STATUS_H
#define COORDINATOR_REPORT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/store/manifest.h"

struct status_group {
    const struct manifest_cell *cell; /* borrowed from the manifest */
    const struct manifest_task *task;
    uint64_t n, generated, scored, failed;
    uint64_t done; /* scored or failed; generated where nothing is scored */
};

struct run_status {
    struct manifest *manifest; /* head, owned */
    struct status_group *groups;
    uint32_t n_groups;
    uint64_t total, done, failed, generated;
    uint64_t quarantined, damaged;
    bool live; /* a coordinator has the store open for writing */
    int pid;   /* its process, 0 when unknown */
    /* from the heartbeat of the run; zero when it wrote none */
    int64_t heartbeat_us; /* wall clock */
    double rate, eta_s;
    uint64_t workers, testers;
};

int status_read(struct store *s, struct run_status *out, struct px_err *err) PX_MUST_CHECK;
void status_clear(struct run_status *st);

void status_text(const struct run_status *st, struct px_buf *out); /* for a terminal */
void status_json(const struct run_status *st, struct px_buf *out); /* one object and a newline */

#endif
