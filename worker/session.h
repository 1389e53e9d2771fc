/* session.h - a worker's life with a coordinator: units in, completions out.
 *
 * Theory of operation. One loop on one thread: take events from the peer, start queued units while
 * the backend has rows, advance the backends by a slice, hand finished completions to the peer.
 * The peer's own thread keeps the heartbeat, so a long slice silences nobody. Every unit that the
 * worker holds is either queued (may be given back untouched) or running.
 *
 * SIGTERM and SIGINT drain: queued units go back, running ones finish, then the worker leaves. A
 * second signal leaves at once; the coordinator leases the rest again. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include "proto/peer.h"
#include "worker/backend/backend.h"

struct session_config {
    struct peer_config peer; /* credits are set by the session */
    struct backend_config backend;
    const char *build; /* for records */
};

/* Runs until drained, refused or left alone. 0: left in good order. -1 with err otherwise.
 * Signals must be blocked by the caller before any thread is made (SIGTERM, SIGINT). */
int session_run(const struct session_config *cfg, struct px_err *err) PX_MUST_CHECK;

#endif
