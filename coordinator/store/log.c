/* log.c - reading the log. Writing is group.c's. */
#include "coordinator/store/log.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/store/key_index.h"
#include "coordinator/store/record.h"
#include "proto/mem.h"

bool log_has(unsigned db)
{
    return db == STORE_PLAN || db == STORE_RESULT || db == STORE_VERDICT || db == STORE_RECEIPT;
}

void log_sequence_key(uint64_t sequence, uint8_t key[8])
{
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(sequence >> (56 - 8 * i));
}

static uint64_t sequence_of(const MDB_val *key)
{
    const uint8_t *p = key->mv_data;
    uint64_t v = 0;
    for (size_t i = 0; i < 8 && i < key->mv_size; i++)
        v = v << 8 | p[i];
    return v;
}

void log_write_prefix(uint8_t *p, unsigned db, const void *key, size_t n_key)
{
    p[0] = (uint8_t)db;
    p[1] = 0;
    p[2] = (uint8_t)n_key;
    p[3] = (uint8_t)(n_key >> 8);
    memcpy(p + 4, key, n_key);
}

/* Splits a logged payload; false when it is none. */
static bool split(const uint8_t *p, size_t n, unsigned *db, const uint8_t **key, size_t *n_key)
{
    if (n < LOG_PREFIX(1))
        return false;
    *db = p[0];
    *key = p + 4;
    *n_key = px_load_u16(p + 2);
    return log_has(*db) && *n_key > 0 && *n_key <= STORE_KEY_MAX && LOG_PREFIX(*n_key) <= n;
}

/* ---- one key ---- */

/* Is change `sequence` the deletion of this key? 1, 0, or -1 when LMDB fails (hit->rc). */
static int is_deletion(struct store *s, MDB_txn *txn, uint64_t sequence, unsigned db,
                       const void *key, size_t n_key, struct log_hit *hit)
{
    uint8_t number[8];
    MDB_val k = {.mv_size = sizeof number, .mv_data = number}, raw;
    const void *val;
    size_t n;
    log_sequence_key(sequence, number);
    hit->rc = mdb_get(txn, s->dbi[STORE_SEQUENCE], &k, &raw);
    if (hit->rc == MDB_NOTFOUND)
        return 0;
    if (hit->rc)
        return -1;
    const uint8_t *p = record_open(raw.mv_data, raw.mv_size, &val, &n) ? val : NULL;
    return p && n == 1 + n_key && p[0] == (db | LOG_GONE) && memcmp(p + 1, key, n_key) == 0;
}

/* What change `sequence` says of the key: as log_find, or -1 when it is another key's. */
static int examine(struct store *s, MDB_txn *txn, uint64_t sequence, unsigned db, const void *key,
                   size_t n_key, struct log_hit *hit)
{
    uint8_t number[8];
    MDB_val k = {.mv_size = sizeof number, .mv_data = number};
    const void *payload;
    const uint8_t *its_key;
    size_t n, n_its_key;
    unsigned its_db;
    log_sequence_key(sequence, number);
    hit->sequence = sequence;
    hit->rc = mdb_get(txn, s->value_dbi, &k, &hit->raw);
    if (hit->rc == MDB_NOTFOUND) {
        int gone = is_deletion(s, txn, sequence, db, key, n_key, hit);
        return gone < 0 ? LOG_FAILED : gone ? LOG_ABSENT : -1;
    }
    if (hit->rc)
        return LOG_FAILED;
    if (!record_open(hit->raw.mv_data, hit->raw.mv_size, &payload, &n) ||
        !split(payload, n, &its_db, &its_key, &n_its_key))
        return LOG_DAMAGED;
    if (its_db != db || n_its_key != n_key || memcmp(its_key, key, n_key) != 0)
        return -1;
    hit->val = (const uint8_t *)payload + LOG_PREFIX(n_key);
    hit->n_val = n - LOG_PREFIX(n_key);
    return LOG_PRESENT;
}

enum log_found log_find(struct store *s, MDB_txn *txn, uint64_t most, unsigned db, const void *key,
                        size_t n_key, struct log_hit *hit)
{
    uint64_t print = key_fingerprint(db, key, n_key), sequence = 0;
    int found = -1;
    pthread_mutex_lock(&s->index_lock);
    while (found < 0 && (sequence = key_index_find(s->index, print, most, sequence)))
        found = examine(s, txn, sequence, db, key, n_key, hit);
    pthread_mutex_unlock(&s->index_lock);
    return found < 0 ? LOG_ABSENT : (enum log_found)found;
}

/* ---- the index ---- */

/* A sequence record that rotted is told again by the value beside it. */
static void repair(struct store *s, const uint8_t number[8], unsigned db, const void *key,
                   size_t n_key)
{
    uint8_t what[1 + STORE_KEY_MAX];
    what[0] = (uint8_t)db;
    memcpy(what + 1, key, n_key);
    struct store_batch *b = store_batch_new();
    b->internal = true;
    store_batch_set_aside(b, STORE_SEQUENCE, number, 8);
    store_batch_put(b, STORE_SEQUENCE, number, 8, what, 1 + n_key);
    store_enqueue(s, b);
}

/* Adds one change to the index; a change that nothing can be learnt of stays a gap. */
static void learn(struct store *s, MDB_txn *txn, MDB_val *number, const MDB_val *raw)
{
    const void *val;
    const uint8_t *key;
    size_t n, n_key;
    unsigned db;
    MDB_val value;
    uint64_t sequence = sequence_of(number);
    if (number->mv_size != 8 || sequence <= key_index_last(s->index))
        return;
    if (record_open(raw->mv_data, raw->mv_size, &val, &n) && n > 1) {
        const uint8_t *p = val;
        db = p[0] & ~(unsigned)LOG_GONE;
        if (log_has(db))
            key_index_add(s->index, sequence, key_fingerprint(db, p + 1, n - 1));
        else
            key_index_skip(s->index, sequence);
        return;
    }
    if (mdb_get(txn, s->value_dbi, number, &value) == 0 &&
        record_open(value.mv_data, value.mv_size, &val, &n) && split(val, n, &db, &key, &n_key)) {
        key_index_add(s->index, sequence, key_fingerprint(db, key, n_key));
        if (s->mode == STORE_WRITE)
            repair(s, number->mv_data, db, key, n_key);
    }
    key_index_skip(s->index, sequence);
    atomic_fetch_add(&s->damaged, s->mode == STORE_READ);
}

/* Reads the log from the index's end to the transaction's. With index_lock held. */
static int extend(struct store *s, MDB_txn *txn, MDB_cursor *cur, uint64_t *last)
{
    MDB_val k, v;
    uint8_t number[8];
    int rc = mdb_cursor_get(cur, &k, &v, MDB_LAST);
    *last = rc == 0 ? sequence_of(&k) : 0;
    if (rc || *last <= key_index_last(s->index))
        return rc == MDB_NOTFOUND ? 0 : rc;
    log_sequence_key(key_index_last(s->index) + 1, number);
    k = (MDB_val){.mv_size = sizeof number, .mv_data = number};
    for (rc = mdb_cursor_get(cur, &k, &v, MDB_SET_RANGE); rc == 0;
         rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT))
        learn(s, txn, &k, &v);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int log_catch_up(struct store *s, MDB_txn *txn, uint64_t *last, struct px_err *err)
{
    MDB_cursor *cur;
    int rc = mdb_cursor_open(txn, s->dbi[STORE_SEQUENCE], &cur);
    if (rc)
        return store_lmdb_fail(s, err, rc, "cannot read");
    pthread_mutex_lock(&s->index_lock);
    rc = extend(s, txn, cur, last);
    pthread_mutex_unlock(&s->index_lock);
    mdb_cursor_close(cur);
    return rc ? store_lmdb_fail(s, err, rc, "cannot read") : 0;
}

/* ---- all keys of a database ---- */

struct entry {
    const uint8_t *key; /* borrowed from the transaction */
    size_t n_key;
    uint64_t sequence;
    bool gone;
};

static int compare_keys(const void *a, size_t n_a, const void *b, size_t n_b)
{
    int c = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return c ? c : (n_a > n_b) - (n_a < n_b);
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = compare_keys(x->key, x->n_key, y->key, y->n_key);
    return c ? c : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static int collect(struct store *s, MDB_txn *txn, unsigned db, struct entry **out, size_t *n_out)
{
    MDB_cursor *cur;
    MDB_val k, v;
    struct entry *all = NULL;
    size_t n = 0, cap = 0;
    int rc = mdb_cursor_open(txn, s->dbi[STORE_SEQUENCE], &cur);
    if (rc)
        return rc;
    for (rc = mdb_cursor_get(cur, &k, &v, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) {
        const void *val;
        size_t n_val;
        if (!record_open(v.mv_data, v.mv_size, &val, &n_val) || n_val < 2)
            continue;
        const uint8_t *p = val;
        if ((p[0] & ~(unsigned)LOG_GONE) != db)
            continue;
        PX_GROW(all, n, cap);
        all[n++] = (struct entry){p + 1, n_val - 1, sequence_of(&k), p[0] & LOG_GONE};
    }
    mdb_cursor_close(cur);
    if (n)
        qsort(all, n, sizeof *all, by_key);
    *out = all;
    *n_out = n;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The last entry of each run of one key counts. */
static bool is_newest(const struct entry *all, size_t n, size_t i)
{
    return i + 1 == n ||
           compare_keys(all[i].key, all[i].n_key, all[i + 1].key, all[i + 1].n_key) != 0;
}

int log_scan(struct store *s, MDB_txn *txn, unsigned db, const void *from, size_t n_from,
             store_scan_fn fn, void *ctx, uint64_t *count, struct px_err *err)
{
    struct entry *all = NULL;
    size_t n = 0;
    int rc = collect(s, txn, db, &all, &n);
    bool go_on = true;
    *count = 0;
    for (size_t i = 0; i < n && rc == 0 && go_on; i++) {
        const struct entry *e = &all[i];
        struct log_hit hit;
        if (!is_newest(all, n, i) || e->gone ||
            (from && compare_keys(e->key, e->n_key, from, n_from) < 0))
            continue;
        ++*count;
        if (!fn)
            continue;
        int found = examine(s, txn, e->sequence, db, e->key, e->n_key, &hit);
        if (found == LOG_PRESENT)
            go_on = fn(ctx, e->key, e->n_key, hit.val, hit.n_val);
        else if (found == LOG_DAMAGED)
            store_found_damage(s, (enum store_db)db, e->key, e->n_key);
        else if (found == LOG_FAILED)
            rc = hit.rc;
    }
    free(all);
    return rc ? store_lmdb_fail(s, err, rc, "cannot read") : 0;
}
