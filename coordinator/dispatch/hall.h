/* hall.h - the message loop of a run: peers come and go, units are leased, results are committed.
 *
 * The hall owns the ROUTER socket, the roster of peers, the local worker and tester processes and
 * the (pure) scheduler. It pulls units from a source, leases them, and hands each result back
 * after it is on disk. It decides nothing about what units mean.
 *
 * Order of one unit: source.pull -> lease -> DONE -> source.record (the puts to commit) -> commit
 * -> source.committed -> ACK to the peer. */
#ifndef COORDINATOR_HALL_H
#define COORDINATOR_HALL_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/store/store.h"
#include "proto/err.h"
#include "proto/unit.h"

struct hall_unit {
    uint64_t id;          /* the source's handle, unique in the run */
    struct px_digest key; /* content, verdict or stage key */
    uint32_t job;         /* index from hall_add_job */
    double cost;          /* expected seconds or any relative measure; longest first */
};

/* What the hall asks of the run. All called from the hall's thread. */
struct hall_source {
    void *ctx;
    /* Fills at most max units that are ready now; returns how many, 0 when none is ready yet
     * (more may come after commits), -1 with err on failure. Called again after every commit. */
    int (*pull)(void *ctx, struct hall_unit *out, int max, struct px_err *err);
    /* Nothing will ever come again (as far as the source knows now). */
    bool (*exhausted)(void *ctx);
    /* Appends the encoded struct unit for a lease. */
    int (*encode)(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err);
    /* A record arrived: check it and add what must be committed. -1: the record is not acceptable
     * (counts as a failed attempt of that peer). */
    int (*record)(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
                  struct px_err *err);
    /* It is on disk. May make new units ready. */
    void (*committed)(void *ctx, uint64_t id);
    /* Given up: quarantined after three solo deaths, or failed for good. evidence is a JSON
     * object; the source adds what must be committed; committed(id) follows. */
    void (*gave_up)(void *ctx, uint64_t id, const char *class_name, const char *evidence,
                    struct store_batch *b);
};

struct hall_config {
    const char *run_dir;   /* sockets (0700), logs/ of local peers */
    const char *listen;    /* tcp://host:port or NULL; CURVE always on it */
    const char *curve_dir; /* keys, made at first use with mode 0600 */
    uint32_t workers;      /* local processes to start; dead ones are started again */
    uint32_t testers;
    uint32_t threads;        /* per worker */
    int64_t memory;          /* private bytes per worker */
    int64_t host_memory;     /* 0: no limit */
    const char *isa;         /* "auto" or a name */
    uint32_t max_rows;       /* rows a worker batches; 0: its default */
    int64_t no_progress_us;  /* a lease without progress for so long is lost; 0: 120 s */
    int64_t silence_us;      /* a peer unheard for so long is dead; 0: 8 s */
    uint32_t max_failures;   /* stop the run after so many given-up units; 0: never */
    const char *program_dir; /* where proctor-worker and proctor-tester are; NULL: beside us */
};

struct hall_progress {
    uint64_t done_generate, done_score, done_stage; /* committed in this life */
    uint64_t leased, ready, gave_up, retries;
    uint32_t workers, testers; /* connected now */
    uint64_t worker_deaths;
    double units_per_s; /* recent */
    double tokens_per_s;
    uint64_t audits;     /* second results of a unit that were compared with the first */
    uint64_t mismatches; /* ... and differed: a determinism alarm */
    bool stopping;       /* asked to stop: running units finish, a second signal stops at once */
};

struct hall;

struct hall *hall_new(const struct hall_config *cfg, struct store *store,
                      const struct hall_source *src, struct px_err *err);
/* hall_new blocks SIGINT, SIGTERM and SIGCHLD for the calling thread until hall_free: they are read
 * from a descriptor. Threads that live already must have them blocked. */
void hall_free(struct hall **h); /* stops local peers, removes sockets */

/* Registers a job head (copied); units refer to it by the index returned. */
uint32_t hall_add_job(struct hall *h, const struct job *job);

/* The endpoint that peers connect to (ipc://...), borrowed. */
const char *hall_endpoint(const struct hall *h);

/* The progress as a JSON object (what STATUS answers). */
void hall_progress_json(const struct hall_progress *p, struct px_buf *out);

/* Runs until the source is exhausted and everything is committed (0), or until a stop:
 * -1 with PX_EINTERRUPTED after SIGINT/SIGTERM (first drains, second stops at once),
 * PX_ENOSPC when a commit met a full disk, or another error. on_progress is called about
 * four times a second. */
typedef void (*hall_progress_fn)(void *ctx, const struct hall_progress *p);
int hall_run(struct hall *h, hall_progress_fn on_progress, void *ctx,
             struct px_err *err) PX_MUST_CHECK;

#endif
