/* sched_internal.h - the scheduler's tables, shared by its source files only. */
#ifndef COORDINATOR_SCHED_INTERNAL_H
#define COORDINATOR_SCHED_INTERNAL_H

#include "coordinator/dispatch/scheduler.h"

enum { MAX_HOLDERS = 2, DURATIONS = 64, MODELS_KEPT = 4 };

enum sched_state { S_FREE, S_READY, S_DELAYED, S_LEASED, S_COMMITTING, S_GIVEN_UP };

struct sched_unit {
    uint64_t id;
    uint64_t seq; /* order of arrival */
    int64_t ready_at;
    int64_t leased_at;
    double cost;
    uint32_t job;
    uint32_t holder[MAX_HOLDERS]; /* peers, SCHED_NONE when free */
    uint32_t at[MAX_HOLDERS];     /* index in the holder's list */
    uint32_t heap_at;             /* READY, DELAYED: index in its heap */
    uint32_t group;               /* 0: no suspect; else the largest group it may run in */
    uint32_t solo_deaths, deaths, failures, attempts;
    const char *class_name; /* GIVEN_UP */
    uint8_t state;
    bool retracted; /* asked back once already */
};

/* A heap of unit handles; `less` depends on the heap. */
struct sched_heap {
    uint32_t *a;
    uint32_t n, cap;
};

struct sched_job {
    enum peer_role role;
    struct px_digest model;
    struct sched_heap ready;     /* longest first */
    struct sched_heap suspects;  /* smallest group last: good work goes first */
    double durations[DURATIONS]; /* seconds, a ring */
    uint32_t n_durations;
    bool listed; /* in the list of jobs with ready units */
};

struct sched_peer_state {
    struct sched_peer info;
    bool live;
    bool draining;
    uint32_t places; /* free places it announced, less what was leased since */
    uint32_t *units; /* what it holds */
    uint32_t n, cap;
    uint32_t job;                         /* of its last lease */
    struct px_digest models[MODELS_KEPT]; /* mapped lately, newest first */
    uint64_t progress;
    int64_t heard_us;
    int64_t moved_us;  /* last progress, or when it got its first unit */
    uint32_t suspects; /* units it holds that are suspects: then it gets nothing else */
    bool retract_sent; /* one at a time */
};

struct sched_event { /* actions that wait to be fetched */
    enum sched_action_kind kind;
    uint32_t peer;
    uint32_t unit;
    const char *class_name;
};

struct scheduler {
    struct sched_config cfg;
    struct sched_unit *units;
    uint32_t n_units, cap_units;
    uint32_t *free_units;
    uint32_t n_free, cap_free;
    struct sched_job *jobs;
    uint32_t n_jobs, cap_jobs;
    uint32_t *busy_jobs; /* jobs with ready units or suspects */
    uint32_t n_busy, cap_busy;
    struct sched_heap delayed; /* earliest first */
    struct sched_peer_state *peers;
    uint32_t n_peers, cap_peers;
    struct sched_event *events;
    uint32_t events_head, n_events, cap_events;
    uint32_t *out_units, *out_attempts; /* of the action being returned */
    uint32_t cap_out, cap_out_attempts;
    uint64_t next_seq, next_lease;
    int64_t now;       /* the latest time seen: clocks that step back are ignored */
    int64_t ticked_us; /* last tick, -1: never */
    uint32_t by_state[S_GIVEN_UP + 1];
    struct sched_counts counts;
    uint32_t scan; /* where the search for a peer to serve begins */
};

/* sched_heap.c */
void heap_push(struct scheduler *s, struct sched_heap *h, uint32_t unit);
void heap_remove(struct scheduler *s, struct sched_heap *h, uint32_t unit);

/* scheduler.c */
void sched_move(struct scheduler *s, uint32_t unit, enum sched_state to);
void sched_attach(struct scheduler *s, uint32_t unit, uint32_t peer);
void sched_detach(struct scheduler *s, uint32_t unit, uint32_t peer);
bool sched_holds_unit(const struct scheduler *s, uint32_t unit, uint32_t peer);
uint32_t sched_n_holders(const struct sched_unit *u);

/* sched_lease.c */
bool sched_make_lease(struct scheduler *s, struct sched_action *out);
bool sched_make_retract(struct scheduler *s, struct sched_action *out);
/* The q-quantile of a job's durations in microseconds; -1 when nothing is known yet. */
int64_t sched_duration(const struct sched_job *j, double q);

#endif
