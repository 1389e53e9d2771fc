/* fetch.h - one file from its public origin into a data directory, whole or not at all.
 *
 * Theory of operation. The bytes go to a hidden file beside the target, ".<name>.<digest>.part",
 * whose name says what it will become, so that only a part of the same file is ever continued (HTTP
 * Range). A server that ignores Range begins anew. When all bytes are there their SHA-256 is
 * compared; only the right file is renamed into place. What the network does (refused, slow, cut
 * off, 5xx) is tried again with growing pauses; what cannot become better (404, a larger file, a
 * wrong digest) is told at once. A part is kept after an interruption and removed when it cannot
 * become the file. One process at a time works on a part (flock). */
#ifndef COORDINATOR_DATA_FETCH_H
#define COORDINATOR_DATA_FETCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/digest.h"
#include "proto/err.h"

struct fetch_request {
    const char *url;       /* https; or http when `plain` */
    const char *path;      /* where it belongs; its directory is made */
    struct px_digest hash; /* must be known */
    int64_t bytes;
};

struct fetch_options {
    bool plain;                        /* http is allowed too: a mirror that the user named */
    unsigned retries;                  /* further attempts after the first */
    bool progress;                     /* a line on stderr that is written over again and again */
    const volatile sig_atomic_t *stop; /* set by a signal: end soon, keep the part. May be NULL */
};

/* PX_EMISSING: the server has no such file. PX_EINPUT: it has another one. PX_EIO, PX_ETIMEOUT: the
 * network, after all attempts. PX_ENOSPC, PX_EINTERRUPTED: the part is kept. */
int fetch_file(const struct fetch_request *r, const struct fetch_options *o,
               struct px_err *err) PX_MUST_CHECK;

/* The URL at another host: scheme and host of `url` replaced by `base`. Owned; NULL with err when
 * base is not http:// or https://. */
char *fetch_mirrored(const char *url, const char *base, struct px_err *err);

#endif
