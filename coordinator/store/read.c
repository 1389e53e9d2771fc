/* read.c - reading: single values, views, scans, and the map that must not move meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/log.h"
#include "coordinator/store/record.h"
#include "coordinator/store/store_internal.h"
#include "proto/mem.h"

static MDB_val as_val(const void *p, size_t n)
{
    union {
        const void *in;
        void *out;
    } u = {.in = p}; /* LMDB's type is not const; it does not write through keys */
    return (MDB_val){.mv_size = n, .mv_data = u.out};
}

/* With s->lock held. A thread that reads already must not wait for a resize, which waits for it. */
static bool this_thread_reads(const struct store *s)
{
    for (const struct store_view *v = s->views; v; v = v->next)
        if (pthread_equal(v->owner, pthread_self()))
            return true;
    return false;
}

static void reader_enter(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->resizing && !this_thread_reads(s))
        pthread_cond_wait(&s->idle, &s->lock);
    s->n_readers++;
    pthread_mutex_unlock(&s->lock);
}

static void reader_leave(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->n_readers--;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

int store_resize(struct store *s, uint64_t bytes, struct px_err *err)
{
    pthread_mutex_lock(&s->lock);
    if (this_thread_reads(s)) {
        pthread_mutex_unlock(&s->lock);
        return px_fail(err, PX_EIO, "store %s grew while it was being read: try again", s->dir);
    }
    while (s->resizing)
        pthread_cond_wait(&s->idle, &s->lock);
    s->resizing = true;
    while (s->n_readers)
        pthread_cond_wait(&s->idle, &s->lock);
    int rc = mdb_env_set_mapsize(s->env, bytes);
    s->resizing = false;
    pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
    return rc ? store_lmdb_fail(s, err, rc, "cannot enlarge the map of") : 0;
}

int store_read_begin(struct store *s, MDB_txn **txn, struct px_err *err)
{
    enum { TRIES = 16 };
    for (int i = 0;; i++) {
        reader_enter(s);
        int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, txn);
        if (rc == 0)
            return 0;
        reader_leave(s);
        if (rc != MDB_MAP_RESIZED || i == TRIES)
            return store_lmdb_fail(s, err, rc, "cannot read");
        if (store_resize(s, 0, err) != 0)
            return -1;
    }
}

void store_read_end(struct store *s, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    reader_leave(s);
}

static int get_logged(struct store *s, MDB_txn *txn, uint64_t last, enum store_db db,
                      const void *key, size_t n_key, const void **val, size_t *n_val,
                      struct px_err *err)
{
    struct log_hit hit;
    switch (log_find(s, txn, last, db, key, n_key, &hit)) {
    case LOG_PRESENT:
        *val = hit.val;
        *n_val = hit.n_val;
        return 1;
    case LOG_FAILED:
        return store_lmdb_fail(s, err, hit.rc, "cannot read");
    case LOG_DAMAGED:
        store_found_damage(s, db, key, n_key);
        return 0;
    case LOG_ABSENT:
    default:
        return 0;
    }
}

/* 1 found, 0 absent or damaged, -1 LMDB failed. */
static int get_record(struct store *s, MDB_txn *txn, uint64_t last, enum store_db db,
                      const void *key, size_t n_key, const void **val, size_t *n_val,
                      struct px_err *err)
{
    MDB_val k = as_val(key, n_key), v;
    if (n_key == 0 || n_key > STORE_KEY_MAX)
        return 0;
    if (log_has(db))
        return get_logged(s, txn, last, db, key, n_key, val, n_val, err);
    int rc = mdb_get(txn, s->dbi[db], &k, &v);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc)
        return store_lmdb_fail(s, err, rc, "cannot read");
    if (record_open(v.mv_data, v.mv_size, val, n_val))
        return 1;
    store_found_damage(s, db, key, n_key);
    return 0;
}

int store_get(struct store *s, enum store_db db, const void *key, size_t n_key, struct px_buf *out,
              bool *found, struct px_err *err)
{
    MDB_txn *txn;
    const void *val;
    size_t n_val;
    if (store_read_begin(s, &txn, err) != 0)
        return -1;
    uint64_t last = 0;
    int rc = log_has(db) ? log_catch_up(s, txn, &last, err) : 0;
    if (rc == 0)
        rc = get_record(s, txn, last, db, key, n_key, &val, &n_val, err);
    if (rc == 1)
        px_buf_put(out, val, n_val);
    store_read_end(s, txn);
    if (rc < 0)
        return -1;
    *found = rc == 1;
    return 0;
}

/* A view asks for the end of the log when it first needs it: counters alone do not. */
#define NOT_ASKED UINT64_MAX

struct store_view *store_view_begin(struct store *s, struct px_err *err)
{
    MDB_txn *txn;
    if (store_read_begin(s, &txn, err) != 0)
        return NULL;
    struct store_view *v = px_xcalloc(1, sizeof *v);
    v->s = s;
    v->txn = txn;
    v->last = NOT_ASKED;
    v->owner = pthread_self();
    pthread_mutex_lock(&s->lock);
    v->next = s->views;
    s->views = v;
    pthread_mutex_unlock(&s->lock);
    return v;
}

void store_view_end(struct store_view **v)
{
    if (!*v)
        return;
    struct store *s = (*v)->s;
    pthread_mutex_lock(&s->lock);
    struct store_view **at = &s->views;
    while (*at != *v)
        at = &(*at)->next;
    *at = (*v)->next;
    pthread_mutex_unlock(&s->lock);
    store_read_end(s, (*v)->txn);
    free(*v);
    *v = NULL;
}

bool store_view_get(struct store_view *v, enum store_db db, const void *key, size_t n_key,
                    const void **val, size_t *n_val)
{
    if (log_has(db) && v->last == NOT_ASKED && log_catch_up(v->s, v->txn, &v->last, NULL) != 0)
        return false;
    return get_record(v->s, v->txn, v->last, db, key, n_key, val, n_val, NULL) == 1;
}

int store_view_scan(struct store_view *v, enum store_db db, const void *from, size_t n_from,
                    store_scan_fn fn, void *ctx, struct px_err *err)
{
    struct store *s = v->s;
    MDB_cursor *cur;
    MDB_val k = as_val(from, n_from), raw;
    uint64_t count;
    if (log_has(db))
        return log_scan(s, v->txn, db, from, n_from, fn, ctx, &count, err);
    int rc = mdb_cursor_open(v->txn, s->dbi[db], &cur);
    if (rc)
        return store_lmdb_fail(s, err, rc, "cannot read");
    rc = mdb_cursor_get(cur, &k, &raw, from ? MDB_SET_RANGE : MDB_FIRST);
    while (rc == 0) {
        const void *val;
        size_t n_val;
        if (!record_open(raw.mv_data, raw.mv_size, &val, &n_val))
            store_found_damage(s, db, k.mv_data, k.mv_size);
        else if (!fn(ctx, k.mv_data, k.mv_size, val, n_val))
            break;
        rc = mdb_cursor_get(cur, &k, &raw, MDB_NEXT);
    }
    mdb_cursor_close(cur);
    return rc && rc != MDB_NOTFOUND ? store_lmdb_fail(s, err, rc, "cannot read") : 0;
}

uint64_t store_view_count(struct store_view *v, enum store_db db)
{
    MDB_stat st;
    uint64_t count;
    if (log_has(db))
        return log_scan(v->s, v->txn, db, NULL, 0, NULL, NULL, &count, NULL) == 0 ? count : 0;
    return mdb_stat(v->txn, v->s->dbi[db], &st) == 0 ? st.ms_entries : 0;
}

void store_found_damage(struct store *s, enum store_db db, const void *key, size_t n_key)
{
    /* a rotten sequence record keeps its number; log.c repairs it when the store is opened */
    if (s->mode == STORE_READ || db == STORE_LOST || db == STORE_SEQUENCE) {
        atomic_fetch_add(&s->damaged, 1);
        return;
    }
    struct store_batch *b = store_batch_new();
    b->internal = true;
    store_batch_set_aside(b, db, key, n_key);
    store_enqueue(s, b);
}
