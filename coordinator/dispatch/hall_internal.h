/* hall_internal.h - the hall's data, shared by its parts: hall.c (the loop), hall_roster.c (peers
 * and their messages), hall_work.c (leases, results, commits). */
#ifndef COORDINATOR_DISPATCH_HALL_INTERNAL_H
#define COORDINATOR_DISPATCH_HALL_INTERNAL_H

#include <signal.h>
#include <sys/types.h>

#include "coordinator/dispatch/hall.h"
#include "coordinator/dispatch/local.h"
#include "coordinator/dispatch/scheduler.h"
#include "proto/buf.h"
#include "proto/curve.h"
#include "proto/link.h"
#include "proto/wire.h"

enum {
    HALL_N_SOCKETS = 2, /* ipc, tcp */
    RATE_SLOTS = 16,    /* of a quarter of a second each */
};

struct hall_job {
    struct px_buf head; /* encoded */
    enum peer_role role;
};

/* One connected peer; its index is the scheduler's. */
struct roster_peer {
    bool used;
    void *socket;
    struct link_identity to;
    char *name;
    char *host;
    char *program;
    unsigned roles;
    pid_t pid;      /* of a child of ours, 0 otherwise */
    int fd;         /* of its connection, -1 unknown */
    int64_t cut_us; /* when its connection was seen to end, 0: it stands */
    int64_t heard_us;
    int64_t rss;
    uint64_t progress;
    uint8_t *knows; /* [n_knows] job heads it has */
    uint32_t n_knows;
    struct px_buf acks; /* keys to acknowledge */
    int64_t n_acks;
};

/* What becomes of a unit when its batch is on disk. */
struct outcome {
    uint32_t slot; /* SCHED_NONE: only acknowledge */
    bool given_up;
    bool acknowledge;
    enum peer_role role;
    struct px_digest key;
    void *socket;
    struct link_identity to;
};

/* What one turn of the loop submits; comes back as the store's tag. */
struct turn {
    struct store_batch *batch;
    struct outcome *outcomes;
    uint32_t n, cap;
    size_t bytes;
    uint32_t place; /* in hall.submitted */
};

struct last_words { /* evidence for a unit that is given up */
    char peer[96];
    char host[72];
    char class_name[64];
    char detail[512];
    int64_t rss;
};

struct hall {
    struct hall_config cfg;
    char *run_dir;
    char *endpoint;
    char *listen;
    char own_id[64];
    char own_host[65];
    struct store *store;
    struct hall_source src;
    struct sched *sched;
    struct local *local;
    void *ctx;
    void *socket[HALL_N_SOCKETS];
    void *monitor[HALL_N_SOCKETS];
    void *guard;
    struct curve_server keys;
    struct hall_job *jobs;
    uint32_t n_jobs, cap_jobs;
    struct roster_peer *roster;
    uint32_t n_roster, cap_roster;
    struct turn *turn;       /* being filled */
    struct turn **submitted; /* [n_submitted] on their way to the disk */
    uint32_t n_submitted, cap_submitted;
    uint64_t n_pending_units;
    size_t pending_bytes; /* submitted and not on disk yet */
    bool more_to_pull;
    bool stuck; /* nothing is done and nothing can be */
    int64_t stuck_since;
    struct last_words death, fault;
    uint64_t oom_kills;
    /* signals */
    int signal_fd;
    sigset_t old_mask;
    bool mask_set;
    int asked_to_stop; /* signals received */
    bool child_ended;
    /* time */
    int64_t turned_us, beat_us, told_us, rated_us, waiting_us;
    /* counts */
    struct hall_progress counts;
    uint64_t deaths;
    int stillborn[2]; /* [is a worker] children that ended before they joined, in a row */
    uint64_t tokens, units;
    struct {
        int64_t at;
        uint64_t units, tokens;
    } rate[RATE_SLOTS];
    uint32_t at_rate;
    struct px_err failure; /* of the source or the store; ends the run */
    bool failed;
};

/* hall_roster.c */
int hall_read_mail(struct hall *h, int64_t now);
void hall_read_monitors(struct hall *h, int64_t now);
void hall_probe(struct hall *h, int64_t now);
void hall_beat(struct hall *h, int64_t now);
void hall_bury_children(struct hall *h, int64_t now);
/* Out of the roster and of the scheduler. */
void hall_lose(struct hall *h, uint32_t peer, enum sched_end how, const char *why, int64_t now);
/* Out of the roster, as the scheduler has judged already. */
void hall_lost(struct hall *h, uint32_t peer, enum sched_end how, uint32_t held);
void hall_say_bye(struct hall *h, const char *reason);
void hall_clear_roster(struct hall *h);
uint64_t hall_read_oom_kills(void);

/* hall_work.c */
int hall_pull(struct hall *h, int64_t now);
void hall_act(struct hall *h, int64_t now); /* carries out what the scheduler wants */
void hall_got_results(struct hall *h, uint32_t peer, void *socket, const struct link_identity *from,
                      const struct wire_msg *m, int64_t now);
void hall_got_fail(struct hall *h, uint32_t peer, const struct wire_msg *m, int64_t now);
void hall_submit(struct hall *h);
int hall_reap(struct hall *h, int64_t now);
void hall_fail(struct hall *h, const struct px_err *err); /* keeps the first */
void hall_free_turn(struct turn *t);

#endif
