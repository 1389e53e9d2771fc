/* rendezvous.h - where peers meet the hall: the ipc:// socket of a run, the tcp:// one with CURVE.
 *
 * The ipc socket lies in <run>/sock (mode 0700). When that path is too long for a socket's name
 * (107 bytes), the directory is made under XDG_RUNTIME_DIR or /tmp instead, with a name that the
 * run's path determines, so that peers find a coordinator that was started again. */
#ifndef COORDINATOR_DISPATCH_RENDEZVOUS_H
#define COORDINATOR_DISPATCH_RENDEZVOUS_H

#include <stdbool.h>

#include "proto/buf.h"
#include "proto/curve.h"
#include "proto/err.h"

/* The ipc:// endpoint of a run, whether somebody listens there or not; its directory is made when
 * `make`. Owned, or NULL with err. */
char *rendezvous_ipc(const char *run_dir, bool make, struct px_err *err);
/* Removes the socket and its directory. */
void rendezvous_remove(const char *endpoint);

/* A bound ROUTER socket, or NULL with err (PX_EEXIST: the port is in use). keys: NULL for ipc. */
void *rendezvous_bind(void *ctx, const char *endpoint, const struct curve_server *keys,
                      struct px_err *err);

/* The socket that is asked who may connect over CURVE; before the first bind with keys. */
void *rendezvous_guard(void *ctx, struct px_err *err);
/* Answers what waits there: only the holder of the client key is let in. */
void rendezvous_answer(void *guard, const struct curve_server *keys);

/* Asks a running coordinator how its run stands: the JSON of STATUS. */
int rendezvous_ask(const char *endpoint, const char *curve_dir, int timeout_ms, struct px_buf *json,
                   struct px_err *err) PX_MUST_CHECK;

#endif
