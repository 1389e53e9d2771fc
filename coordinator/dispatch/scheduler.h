/* scheduler.h - who does what next: pure, no I/O, no clock.
 *
 * Theory of operation. The hall tells what happened (units added, peers joined, were heard,
 * finished, failed or died) with the time, and asks for actions one after the other until there are
 * none. A unit is READY, DELAYED (backoff), LEASED to a peer (at most two: stragglers are
 * duplicated on another host), COMMITTING, or given up. It leaves the scheduler when it is
 * committed or given up.
 *
 * Rules. A peer never holds more units than the places it announced. A lease names units of one
 * job, longest expected first; peers keep their job and their model while there is work for it.
 * When a peer dies unexpectedly every unit it held becomes a suspect: suspects are leased again
 * only to a peer that holds nothing else, in groups of half the size, at last alone; only a death
 * alone counts, and after three the unit is given up. A planned leave (drain, end of time) suspects
 * nobody. A lease lives while its peer is heard and makes progress. The first result of a unit is
 * accepted, whoever brings it and however late. After a stall of the caller itself everybody gets a
 * grace period.
 *
 * Handles: peers and units are small numbers, valid from join/add until gone/(committed, given up).
 * Costs: O(log n) per unit event, O(non-empty jobs) per lease. One thread. */
#ifndef COORDINATOR_SCHEDULER_H
#define COORDINATOR_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/unit.h"

#define SCHED_NONE UINT32_MAX

struct scheduler;

struct sched_config {
    int64_t silence_us;     /* a peer unheard for so long is dead */
    int64_t no_progress_us; /* a peer that holds units and makes no progress for so long is hung */
    int64_t stall_us;       /* between two ticks: more means that the caller itself stood still */
    int64_t first_backoff_us, last_backoff_us; /* after a retryable failure, doubling */
    uint32_t max_failures; /* retryable failures of one unit before it is given up */
    uint32_t max_solo_deaths;
};
void sched_config_default(struct sched_config *c); /* 8 s, 120 s, 2 s, 1 s..60 s, 5, 3 */

struct sched_peer {
    unsigned roles; /* bits of enum peer_role */
    uint64_t host;  /* hash of its host's name */
    int64_t end_us; /* monotonic time when it must be gone; INT64_MAX: never */
};

enum sched_action_kind {
    SCHED_IDLE = 0, /* nothing to do now */
    SCHED_LEASE,    /* send these units to the peer under this lease */
    SCHED_RETRACT,  /* ask the peer to give these back if it has not started them */
    SCHED_CANCEL,   /* tell the peer to forget these: somebody else was faster, or given up */
    SCHED_GIVE_UP,  /* one unit, class_name says why; the unit's handle dies with the action */
    SCHED_BURY /* the peer is silent or hung: disconnect (kill) it; sched_gone was done for it */
};

struct sched_action {
    enum sched_action_kind kind;
    uint32_t peer;
    uint64_t lease;
    uint32_t job;
    const uint32_t *units;    /* borrowed until the next call */
    const uint32_t *attempts; /* LEASE: which attempt each is, from 1 */
    uint32_t n;
    const char *class_name; /* GIVE_UP: "crash", "failed"; BURY: "silent", "hung" */
    uint32_t deaths;        /* GIVE_UP */
    uint64_t id;            /* GIVE_UP: the id given to sched_add */
};

struct scheduler *sched_new(const struct sched_config *cfg);
void sched_free(struct scheduler **s);

/* Jobs are numbered from 0 by the caller; must be known before their units. */
void sched_add_job(struct scheduler *s, uint32_t job, enum peer_role role,
                   const struct px_digest *model);
/* Returns the unit's handle. id is the caller's own. */
uint32_t sched_add(struct scheduler *s, uint64_t id, uint32_t job, double cost);

uint32_t sched_join(struct scheduler *s, int64_t now, const struct sched_peer *p);
/* A peer that came back (reconnect, restart of the coordinator) says what it still holds. */
void sched_holds(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit);
void sched_ready(struct scheduler *s, int64_t now, uint32_t peer, uint32_t free_places);
void sched_heard(struct scheduler *s, int64_t now, uint32_t peer);
void sched_progress(struct scheduler *s, int64_t now, uint32_t peer, uint64_t progress);
/* It is leaving in good order: nothing more is leased to it, its end suspects nobody. */
void sched_drain(struct scheduler *s, uint32_t peer);
/* It is gone. What it held is leased again. planned: by our own doing or in good order. */
void sched_gone(struct scheduler *s, int64_t now, uint32_t peer, bool planned);

/* A result for a unit arrived (peer may be SCHED_NONE: from somebody buried). true: accept it, it
 * is COMMITTING now; false: it was accepted before. */
bool sched_result(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit);
/* It is on disk: the handle is free again. */
void sched_committed(struct scheduler *s, uint32_t unit);
/* Its record was not acceptable or the peer says it cannot do it. */
void sched_failed(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit, bool retryable);
/* The peer gives it back untouched. */
void sched_returned(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit);

/* Judges leases; call after all waiting messages were read. */
void sched_tick(struct scheduler *s, int64_t now);
/* The next thing to do. Call until it is SCHED_IDLE. leasing = false: no new leases (draining). */
void sched_next(struct scheduler *s, int64_t now, bool leasing, struct sched_action *out);
/* When sched_tick has something to judge next. */
int64_t sched_deadline(const struct scheduler *s);

struct sched_counts {
    uint32_t peers, generators, scorers;         /* live */
    uint32_t ready, delayed, leased, committing; /* units */
    uint64_t retries, deaths, given_up, retracted, duplicated;
};
void sched_count(const struct scheduler *s, struct sched_counts *out);
uint64_t sched_unit_id(const struct scheduler *s, uint32_t unit);
uint32_t sched_unit_job(const struct scheduler *s, uint32_t unit);
/* READY units of a role: how much more is worth pulling. */
uint32_t sched_ready_units(const struct scheduler *s, enum peer_role role);
/* Free places over all live peers of a role that do not drain. */
uint32_t sched_free_places(const struct scheduler *s, enum peer_role role);

/* Aborts when an invariant does not hold; O(everything), for tests. */
void sched_check(const struct scheduler *s);

#endif
