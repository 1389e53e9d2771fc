/* scheduler.h - who does what next. Pure: no I/O, no clock; events and times are handed in.
 *
 * Theory of operation. Units wait in one heap per (role, model), longer ones first and those of
 * about the same length in the order in which they came. A peer with free credits gets units of the
 * model it already has mapped, else of the model with the most work per peer. A lease lives while
 * its peer is heard and its progress moves. When a peer is lost unexpectedly, what it held becomes
 * a set of suspects: two halves, each run apart from other work on an idle peer, halved again at
 * the next death, in the end one unit alone. Only a death alone counts against a unit. Results are
 * accepted once, by key, from whoever sends them.
 *
 * Promises, whatever the order of events: no unit is lost, none is accepted twice, no peer is
 * leased more than its credits, and while units and able peers exist something moves. Each event
 * costs O(log n) in the number of units (and O(n) in the number of peers).
 *
 * The caller reports events, then calls sched_next until it returns false and carries out what
 * it gets. One thread. */
#ifndef COORDINATOR_DISPATCH_SCHEDULER_H
#define COORDINATOR_DISPATCH_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/digest.h"

#define SCHED_NONE UINT32_MAX

struct sched;

struct sched_config {
    int64_t no_progress_us; /* leases without progress for so long: their peer hangs */
    int64_t silence_us;     /* a peer unheard for so long is lost */
    uint32_t max_fails;     /* failed attempts before a unit is given up */
    uint32_t solo_deaths;   /* deaths alone before a unit is given up */
};

struct sched *sched_new(const struct sched_config *cfg);
void sched_free(struct sched **s);

/* ---- units ---- */

/* model: what peers should not have to map twice; zeros where it does not matter. */
uint32_t sched_add_job(struct sched *s, unsigned role, const struct px_digest *model);
/* The unit's slot, valid until sched_forget; SCHED_NONE when the key is here already. */
uint32_t sched_add_unit(struct sched *s, uint64_t id, const struct px_digest *key, uint32_t job,
                        double cost);

struct sched_unit {
    uint64_t id;
    struct px_digest key;
    uint32_t job;
    uint32_t attempts; /* leases so far */
    uint32_t fails;
    uint32_t solo_deaths;
};
void sched_get_unit(const struct sched *s, uint32_t slot, struct sched_unit *out);

/* ---- peers ---- */

struct sched_peer {
    unsigned roles;
    uint64_t host; /* any number that tells hosts apart */
    uint32_t credits;
    int64_t end_us; /* its end on the caller's clock; INT64_MAX: never */
};
uint32_t sched_join(struct sched *s, const struct sched_peer *info, int64_t now);
void sched_credits(struct sched *s, uint32_t peer, uint32_t credits);
void sched_heard(struct sched *s, uint32_t peer, int64_t now);
void sched_progress(struct sched *s, uint32_t peer, uint64_t total, int64_t now);
/* It works on this unit already (it outlived an earlier coordinator or connection). The unit is
 * leased to it, or the peer is told to forget it (an action). */
void sched_holds(struct sched *s, uint32_t peer, const struct px_digest *key, int64_t now);
/* Nothing more is leased to it; its end counts against no unit. */
void sched_drain(struct sched *s, uint32_t peer);

enum sched_end {
    SCHED_LEFT,    /* said BYE, or ended as planned: counts for nothing */
    SCHED_CRASHED, /* died by its own doing, or nobody knows how */
    SCHED_KILLED,  /* was killed from outside: weighs a third of a crash */
    SCHED_SILENT,  /* was not heard any more: weighs a third */
    SCHED_HUNG     /* lived and made no progress */
};
const char *sched_end_name(enum sched_end e);
void sched_remove(struct sched *s, uint32_t peer, enum sched_end how, int64_t now);
uint32_t sched_in_flight(const struct sched *s, uint32_t peer);

/* ---- results ---- */

enum sched_answer {
    SCHED_ACCEPTED, /* the first: commit it, then sched_forget */
    SCHED_PENDING,  /* accepted before, its commit is under way */
    SCHED_UNKNOWN   /* no such unit here: committed long ago, or not pulled yet */
};
enum sched_answer sched_done(struct sched *s, uint32_t peer, const struct px_digest *key,
                             int64_t now, uint32_t *slot);
/* The record of an accepted unit is no good: a failed attempt. */
void sched_rejected(struct sched *s, uint32_t slot, int64_t now);
/* Committed or given up, and done with: the slot is free again. */
void sched_forget(struct sched *s, uint32_t slot);

enum sched_fault {
    SCHED_FAULT_FINAL,  /* nobody can do it */
    SCHED_FAULT_MODEL,  /* this peer cannot hold the model */
    SCHED_FAULT_MEMORY, /* it is tried again alone */
    SCHED_FAULT_IO,
    SCHED_FAULT_OTHER
};
/* The slot, or SCHED_NONE when the peer does not hold this unit. */
uint32_t sched_failed(struct sched *s, uint32_t peer, const struct px_digest *key,
                      enum sched_fault fault, int64_t now);
/* Given back untouched. */
void sched_returned(struct sched *s, uint32_t peer, const struct px_digest *key, int64_t now);

/* ---- time ---- */

/* The caller did not look at its clock or mail for a while: nobody is judged for that time. */
void sched_stalled(struct sched *s, int64_t now);
/* While it is off nothing new is leased (what is held goes on). On at first. */
void sched_leasing(struct sched *s, bool on);
/* Asks every peer for what it has not started: an action for each unit held. */
void sched_recall(struct sched *s);

/* ---- what to do ---- */

enum sched_action_kind {
    SCHED_GRANT,   /* lease `slots`, all of one job, to the peer */
    SCHED_RETRACT, /* ask for `slots` back if they are not started */
    SCHED_CANCEL,  /* tell the peer to forget `keys` */
    SCHED_GIVE_UP, /* slots[0] is given up for `reason`; sched_forget it in the end */
    SCHED_LOST     /* the peer is gone from the roster for `how` (its units are taken care of) */
};
struct sched_action {
    enum sched_action_kind kind;
    uint32_t peer;
    uint64_t lease;
    uint32_t job;
    const uint32_t *slots; /* borrowed until the next call */
    const struct px_digest *keys;
    uint32_t n;         /* LOST: units it held */
    const char *reason; /* "deaths", "failures", "final", "no-peer" */
    enum sched_end how;
};
bool sched_next(struct sched *s, int64_t now, struct sched_action *out);

struct sched_counts {
    uint64_t ready; /* waiting for a peer, suspects and delayed ones included */
    uint64_t leased;
    uint64_t pending; /* accepted or given up, not yet forgotten */
    uint64_t retries; /* leases after the first */
};
void sched_counts(const struct sched *s, struct sched_counts *out);

#endif
