/* sched_internal.h - the scheduler's data, shared by its parts: scheduler.c (events),
 * sched_queue.c (heaps, lists), sched_suspect.c (what deaths mean), sched_grant.c (decisions). */
#ifndef COORDINATOR_DISPATCH_SCHED_INTERNAL_H
#define COORDINATOR_DISPATCH_SCHED_INTERNAL_H

#include "coordinator/dispatch/scheduler.h"
#include "proto/keymap.h"

enum {
    N_RECENT = 4,      /* models a peer is believed to have mapped */
    N_SAMPLES = 15,    /* durations kept for a running median */
    MAX_GRANT = 512,   /* units in one decision */
    MAX_RETRACT = 64,  /* units asked back at once */
    MAX_UNFIT = 16,    /* too long units looked past, for a peer whose end is near */
    CRASH_WEIGHT = 3,  /* a death alone by the unit's own doing ... */
    KILLED_WEIGHT = 1, /* ... and one that came from outside */
    SCHED_MS = 1000
};

enum slot_state {
    SLOT_FREE,
    SLOT_READY,   /* in its group's heap */
    SLOT_DELAYED, /* in the heap of delays */
    SLOT_SUSPECT, /* in a batch of suspects that waits */
    SLOT_LEASED,
    SLOT_PENDING /* accepted or given up */
};

struct slot {
    struct px_digest key;
    uint64_t id;
    uint64_t lease;
    int64_t since; /* of the present lease */
    double rank;   /* in its heap: smaller first */
    double cost;
    uint32_t job;
    uint32_t peer;       /* holder of the lease */
    uint32_t dup;        /* holder of a second copy */
    uint32_t prev, next; /* in the holder's list or the batch's */
    uint32_t heap;       /* place in its heap; next free slot when free */
    uint32_t batch;
    uint32_t seq;
    uint32_t attempts;
    uint16_t fails;
    uint16_t solo;  /* deaths alone, weighed */
    uint8_t n_solo; /* the same, counted */
    uint8_t state;
    bool suspect; /* runs only apart from other work */
    bool asked;   /* was asked back under this lease */
};

struct list {
    uint32_t first, last, n;
};

struct heap {
    uint32_t *slot;
    uint32_t n, cap;
};

/* Running median of duration per unit of cost, microseconds. */
struct ring {
    float v[N_SAMPLES];
    uint8_t n, at;
};

struct group { /* (role, model) */
    unsigned role;
    struct px_digest model;
    struct heap ready;
    uint32_t n_on;      /* peers whose last lease was of this group */
    uint32_t n_blocked; /* peers that cannot hold this model */
    struct ring ring;
};

struct sched_job {
    uint32_t group;
    struct ring ring;
};

struct batch { /* suspects that run together or not at all */
    struct list units;
    int64_t not_before;
};

struct peer_state {
    bool used;
    bool draining;
    bool exclusive; /* runs suspects */
    bool reserved;  /* gets nothing until it is idle: suspects wait for it */
    struct sched_peer info;
    uint32_t in_flight;
    struct list leases; /* oldest first */
    uint32_t dup;       /* slot of which it runs a second copy */
    uint64_t progress;
    int64_t heard;
    int64_t moved;
    uint32_t current;
    uint32_t recent[N_RECENT];
    uint32_t *blocked;
    uint32_t n_blocked, cap_blocked;
};

struct pending_action {
    enum sched_action_kind kind;
    uint32_t peer;
    uint32_t slot; /* LOST: how many units the peer held */
    struct px_digest key;
    const char *reason;
    enum sched_end how;
};

struct sched {
    struct sched_config cfg;
    struct slot *slots;
    uint32_t n_slots, cap_slots, free_slot;
    struct keymap by_key;
    struct group *groups;
    uint32_t n_groups, cap_groups;
    struct sched_job *jobs;
    uint32_t n_jobs, cap_jobs;
    struct peer_state *peers;
    uint32_t n_peers, cap_peers;
    struct batch *batches;
    uint32_t n_batches, cap_batches;
    struct heap delayed;
    struct pending_action *actions; /* FIFO from at_action */
    uint32_t n_actions, cap_actions, at_action;
    uint32_t scratch[MAX_GRANT]; /* units leased and not yet told */
    uint32_t n_scratch;
    uint32_t scratch_peer;
    uint32_t told[MAX_GRANT];
    struct px_digest told_key;
    uint64_t next_lease;
    uint32_t next_seq;
    int64_t judged; /* when silence and progress were looked at last */
    int64_t looked; /* when a pass over all peers found nothing to do */
    bool quiet;     /* nothing happened since then */
    bool stopped;
    struct sched_counts counts;
};

/* sched_queue.c */
void heap_push(struct sched *s, struct heap *h, uint32_t slot, double rank);
/* A unit's rank among those that are ready: longer ones first, but those within a factor of two in
 * the order in which they came. Neighbours share their heads, which an engine computes once while
 * it has them side by side; a finer order would scatter them and shorten the end by little. */
double ready_rank(const struct sched *s, uint32_t slot);
void heap_remove(struct sched *s, struct heap *h, uint32_t slot);
uint32_t heap_pop(struct sched *s, struct heap *h); /* SCHED_NONE when empty */
void list_append(struct sched *s, struct list *l, uint32_t slot);
void list_remove(struct sched *s, struct list *l, uint32_t slot);
void ring_add(struct ring *r, double v);
double ring_median(const struct ring *r); /* 0 when there are fewer than 3 */
struct group *group_of(struct sched *s, uint32_t slot);

/* scheduler.c */
void slot_to_ready(struct sched *s, uint32_t slot);
void slot_delay(struct sched *s, uint32_t slot, int64_t until);
/* Puts a unit that nobody holds back where it belongs. */
void slot_requeue(struct sched *s, uint32_t slot, int64_t now);
void slot_lease(struct sched *s, uint32_t slot, uint32_t peer, int64_t now);
void slot_give_up(struct sched *s, uint32_t slot, const char *reason);
void drop_dup(struct sched *s, uint32_t slot);
/* Takes it off whatever holds it (heap, list, batch, peers' lists); the state is the caller's. */
void slot_detach(struct sched *s, uint32_t slot);
struct pending_action *action_add(struct sched *s, enum sched_action_kind kind, uint32_t peer);
bool peer_blocked(const struct peer_state *p, uint32_t group);
/* Some peer of the group's role could take its units; true as well when there is no peer yet. */
bool group_has_able_peer(const struct sched *s, uint32_t group);

/* sched_suspect.c */
void suspects_new_batch(struct sched *s, const uint32_t *slots, uint32_t n, int64_t not_before);
void suspects_leave_batch(struct sched *s, uint32_t slot);
void peer_gone(struct sched *s, uint32_t peer, enum sched_end how, int64_t now);

/* sched_grant.c */
double expected_us(const struct sched *s, uint32_t slot); /* 0: unknown */

#endif
