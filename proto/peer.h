/* peer.h - the side of the wire that workers and testers share.
 *
 * Theory of operation. A peer owns a thread with the DEALER socket; the caller's thread talks to
 * it through this face and never blocks on the network. The peer thread says HELLO, sends a BEAT
 * every second with the progress counter, reconnects with backoff when the coordinator goes away,
 * keeps every result until it is acknowledged and sends it again after a reconnect.
 * docs/protocol.md describes the messages.
 *
 * One thread may call the functions below; peer_progress may be called from any thread. */
#ifndef PROTO_PEER_H
#define PROTO_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"

struct peer;

struct peer_config {
    const char *endpoint;  /* ipc://... or tcp://host:port */
    const char *curve_dir; /* directory with keys for tcp://, NULL for ipc:// */
    const char *program;   /* "worker" or "tester" */
    unsigned roles;        /* bits of enum peer_role */
    uint32_t credits;      /* units it can hold at once */
    uint32_t cores;
    const char *isa;       /* "scalar", "avx2", "avx512", "amx" ... */
    int64_t memory_budget; /* bytes it may allocate for itself */
    int64_t end_time_us;   /* wall clock UTC when this host's job ends; 0: never */
    int64_t gone_after_us; /* give up when no coordinator was heard for so long; 0: 60 s */
};

enum peer_event_kind {
    PEER_NONE = 0, /* the timeout passed */
    PEER_WORK,     /* units to do */
    PEER_RETRACT,  /* units that must not be started any more; running ones may finish */
    PEER_CANCEL,   /* units whose lease is lost: stop and forget them */
    PEER_DRAIN,    /* return what is not started, finish what runs, then peer_free */
    PEER_REFUSED,  /* err says why; exit non-zero */
    PEER_GONE      /* the coordinator said BYE or was silent too long; exit */
};

struct peer_event {
    enum peer_event_kind kind;
    uint64_t lease;
    struct job *job;    /* WORK: taken by the caller (job_clear + free) */
    struct unit *units; /* WORK: taken by the caller, n of them */
    uint32_t *attempts; /* WORK: which attempt each of them is, from 1; freed by the caller */
    uint32_t n;
    struct px_digest *keys; /* RETRACT, CANCEL: n keys, freed by the caller */
    struct px_err err;      /* REFUSED, GONE */
};

/* Connects in the background; returns at once. NULL with err on a malformed endpoint or keys.
 * The process must not fork afterwards. */
struct peer *peer_new(const struct peer_config *cfg, struct px_err *err);
void peer_free(struct peer **p); /* sends BYE, waits at most 2 s for unacknowledged results */

/* A descriptor that is readable when peer_poll has an event; owned by the peer. */
int peer_fd(const struct peer *p);

/* The next event; waits at most timeout_ms (0: does not wait). */
void peer_poll(struct peer *p, int timeout_ms, struct peer_event *out);

/* Announces how many more units it can take now (absolute number of free places). */
void peer_ready(struct peer *p, uint32_t free_places);

/* A finished unit: record is an encoded completion or verdict, copied. Kept until acknowledged. */
void peer_done(struct peer *p, uint64_t lease, const struct px_digest *key, const void *record,
               size_t n);

/* A unit that could not be done here. retryable: another peer or a later time may succeed. */
void peer_fail(struct peer *p, uint64_t lease, const struct px_digest *key, bool retryable,
               const char *class_name, const char *detail);

/* Gives units back untouched (drain, retract). */
void peer_return(struct peer *p, uint64_t lease, const struct px_digest *key);

/* Says that this peer is about to leave (SIGTERM, end of time): nothing more is leased to it, and
 * its death from now on counts against no unit. Finish or return what is held, then peer_free. */
void peer_drain(struct peer *p);

/* Progress in any unit that only grows (tokens, steps); a lease lives as long as it moves. */
void peer_progress(struct peer *p, uint64_t total);

uint32_t peer_unacknowledged(const struct peer *p);
const char *peer_id(const struct peer *p); /* fresh per life, borrowed */

#endif
