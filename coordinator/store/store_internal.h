/* store_internal.h - what the store's own files share; nobody else includes it.
 *
 * Threads. Any thread reads; one thread submits; the writer thread alone makes write transactions.
 * `lock` guards everything below it. LMDB moves its map only when no transaction of the process is
 * open, so readers are counted and a resize waits until there are none. */
#ifndef COORDINATOR_STORE_INTERNAL_H
#define COORDINATOR_STORE_INTERNAL_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "coordinator/store/store.h"

#define STORE_KEY_MAX 480

enum store_op_kind { OP_PUT, OP_PUT_NEW, OP_DEL, OP_ADD, OP_SET_ASIDE };

/* One change; the bytes lie in the batch's arena: key at `at`, then (puts) a record. */
struct store_op {
    uint8_t kind;
    uint8_t db;
    uint16_t n_key;
    size_t at;
    size_t n_val; /* payload bytes behind a RECORD_HEADER, a logged value's prefix included */
    int64_t delta;
};

struct store_batch {
    struct store_op *ops;
    size_t n_ops, cap_ops;
    uint8_t *arena;
    size_t n_arena, cap_arena;
    /* once submitted */
    struct store_batch *next;
    uint64_t tag;
    bool internal;   /* nobody wants its tag */
    uint64_t ticket; /* store_commit waits for it; 0: nobody does */
};

struct key_index;

struct store_view {
    struct store *s;
    MDB_txn *txn;
    uint64_t last; /* change that it sees last */
    pthread_t owner;
    struct store_view *next;
};

struct store {
    char *dir;
    MDB_env *env;
    MDB_dbi dbi[STORE_N_DBS]; /* unused for the databases in the log */
    MDB_dbi value_dbi;        /* their values, by sequence number */
    enum store_mode mode;
    int lock_fd; /* writer.lock */
    int event_fd;
    dev_t dev; /* identity of the data file, for the list of open stores */
    ino_t ino;
    struct store *next_open;
    pthread_t writer;
    bool writer_runs;
    atomic_uint_fast64_t damaged;

    pthread_mutex_t index_lock; /* may be held when `lock` is taken, never the other way */
    struct key_index *index;

    pthread_mutex_t lock;
    pthread_cond_t work;    /* the queue has something, or stop */
    pthread_cond_t settled; /* a group was committed or failed */
    pthread_cond_t idle;    /* no reader is left, or a resize is over */
    struct store_batch *head, *tail;
    bool stop;
    bool failed;
    struct px_err failure;
    uint64_t *tags; /* committed, not reaped */
    size_t n_tags, cap_tags;
    struct store_view *views;
    unsigned n_readers;
    bool resizing;
    uint64_t commits, batches;
    uint64_t tickets, tickets_committed; /* given out in order, committed in order */

    /* the writer thread's own */
    uint64_t last_sequence; /* committed */
};

/* An LMDB result in words. Returns -1. */
int store_lmdb_fail(struct store *s, struct px_err *err, int rc, const char *what);

/* A read transaction that a resize respects; ended by store_read_end. */
int store_read_begin(struct store *s, MDB_txn **txn, struct px_err *err) PX_MUST_CHECK;
void store_read_end(struct store *s, MDB_txn *txn);

/* Moves the map: bytes, or 0 for what other processes made of it. Waits for readers. */
int store_resize(struct store *s, uint64_t bytes, struct px_err *err) PX_MUST_CHECK;

/* A damaged value was met: the writer will set it aside (no-op for readers). */
void store_found_damage(struct store *s, enum store_db db, const void *key, size_t n_key);

void store_enqueue(struct store *s, struct store_batch *b);
void store_batch_set_aside(struct store_batch *b, enum store_db db, const void *key, size_t n_key);

/* Commits the batches of a list, all in one transaction; grows the map as needed. */
int store_write_group(struct store *s, const struct store_batch *list,
                      struct px_err *err) PX_MUST_CHECK;

int store_writer_start(struct store *s, struct px_err *err) PX_MUST_CHECK;
void store_writer_stop(struct store *s);

#endif
