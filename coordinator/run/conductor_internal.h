/* conductor_internal.h - the conductor's state, shared by its source files only: conductor.c (where
 * a run stands), conductor_pull.c (what to do next), conductor_wait.c (who waits for whom) and
 * conductor_record.c (what came back). */
#ifndef COORDINATOR_CONDUCTOR_INTERNAL_H
#define COORDINATOR_CONDUCTOR_INTERNAL_H

#include "coordinator/plan/digest_map.h"
#include "coordinator/report/gate_watch.h"
#include "coordinator/run/conductor.h"
#include "coordinator/run/visit.h"

/* WAITING: its prompt quotes an answer that is not there yet. */
enum unit_state { U_PENDING, U_WAITING, U_GENERATING, U_TO_SCORE, U_SCORING, U_DONE, U_FAILED };

/* What a hall id refers to, in its two top bits. */
#define ID_KIND(id) ((unsigned)((id) >> 62))
#define ID_INDEX(id) ((id) & ((UINT64_C(1) << 62) - 1))
#define ID_OF(kind, index) ((uint64_t)(kind) << 62 | (index))
enum { ID_GENERATE, ID_SCORE, ID_IMPORT };

enum import_state { IMPORT_WAITING, IMPORT_LEASED, IMPORT_DONE, IMPORT_FAILED };

enum settled { SETTLED_GENERATED, SETTLED_SCORED, SETTLED_FAILED };

#define NO_UNIT UINT64_MAX

struct unit_slot {
    struct px_digest content;
    struct px_digest verdict;
    uint64_t next; /* the next unit that follows the same work, NO_UNIT at the end */
    uint8_t state;
    bool written; /* its plan record went out with the result that is being committed */
};

struct conductor {
    const struct plan *plan;
    struct store *store;
    struct unit_slot *units;
    uint8_t *imports; /* enum import_state */
    uint32_t *generate_job, *score_job, *import_job;
    struct digest_map *by_content; /* in flight: key -> head unit */
    struct digest_map *by_verdict;
    struct visit *visit; /* the order of the units, NULL for that of their indices */
    uint64_t cursor;     /* a place in it: units before it are not PENDING */
    uint64_t *queue;     /* ring of units to score */
    size_t queue_head, queue_len, queue_cap;
    uint64_t *first_waiter, *next_waiter; /* per unit: who waits for it; NULL in most plans */
    uint64_t *ready;                      /* stack of units that need wait no longer */
    size_t n_ready, cap_ready;
    uint64_t *settled; /* unit << 2 | enum settled: plan records that the next commit writes */
    size_t n_settled, cap_settled;
    struct store_batch *receipts; /* of units that were pulled since the last commit, or NULL */
    uint64_t in_flight;
    char *stage_failure;
    struct gate_watch *gates; /* NULL without gates */
    bool partial;             /* only some units are wanted: gates would not see the others */
    char *gate_stop;          /* the gate that ended the run, in words */
    char *heartbeat;          /* to be written, or NULL */
};

/* conductor.c */
uint32_t conductor_group(const struct conductor *c, uint64_t unit);
void conductor_queue_push(struct conductor *c, uint64_t unit);
uint64_t conductor_queue_pop(struct conductor *c);
/* The unit is done (or given up); whoever waits for it is looked at again. */
void conductor_finish(struct conductor *c, uint64_t unit, enum unit_state how);
/* The completion of a unit is known: on to the tester, or finished. */
void conductor_completion_known(struct conductor *c, uint64_t unit);
void conductor_count_up(struct store_batch *b, uint32_t group, const char *what);
void conductor_put_plan(struct conductor *c, struct store_batch *b, uint64_t unit);
/* A unit that the store itself answered: its plan record goes out with the next commit. */
void conductor_settle(struct conductor *c, uint64_t unit, enum settled how);
void conductor_write_settled(struct conductor *c, struct store_batch *b);

/* conductor_wait.c: units whose prompts quote answers. 1: all answers are there; 0: the unit waits
 * now; -1: one of them was given up. */
int conductor_wait(struct conductor *c, uint64_t unit);
void conductor_wake(struct conductor *c, uint64_t unit);
/* The texts that the unit's prompt quotes, for plan_make_unit; owned, freed by the other. */
struct needed_texts {
    char *texts[PLAN_MAX_NEEDS];
    uint32_t n;
};
int conductor_texts(struct conductor *c, uint64_t unit, struct needed_texts *out,
                    struct px_err *err) PX_MUST_CHECK;
void needed_texts_clear(struct needed_texts *t);

/* conductor_gates.c */
/* The gates go to the store and are watched from here on; m has its units. */
void conductor_gates_put(struct conductor *c, const struct manifest *m, struct store_batch *b);
/* Counts what is finished already. */
void conductor_gates_resume(struct conductor *c);
/* A unit has come to its end: its state is U_DONE or U_FAILED, its records are on disk. */
void conductor_gates_count(struct conductor *c, uint64_t unit);

/* conductor_pull.c: functions of struct hall_source */
int conductor_pull(void *ctx, struct hall_unit *out, int max, struct px_err *err);
bool conductor_exhausted(void *ctx);
int conductor_encode(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err);

/* conductor_record.c: functions of struct hall_source */
int conductor_record(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
                     struct px_err *err);
void conductor_committed(void *ctx, uint64_t id);
void conductor_gave_up(void *ctx, uint64_t id, const char *class_name, const char *evidence,
                       struct store_batch *b);

#endif
