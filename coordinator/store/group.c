/* group.c - one transaction: a list of batches, sorted by key, applied whole or not at all.
 *
 * Sorting makes neighbours of changes that share a page, so a large group touches each page once,
 * and lets the changes of a counter be summed; order of submission decides between changes of one
 * key. The databases in the log (log.h) are appended to. Runs in the writer thread only. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/key_index.h"
#include "coordinator/store/log.h"
#include "coordinator/store/record.h"
#include "coordinator/store/store_internal.h"
#include "proto/log.h"
#include "proto/mem.h"

struct change {
    const struct store_op *op;
    uint8_t *key; /* the record follows it */
    size_t order;
};

struct group_txn {
    struct store *s;
    MDB_txn *txn;
    uint64_t sequence; /* last one given out */
    uint64_t damaged;
};

static int by_key(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->op->db != y->op->db)
        return x->op->db < y->op->db ? -1 : 1;
    size_t n = x->op->n_key < y->op->n_key ? x->op->n_key : y->op->n_key;
    int c = memcmp(x->key, y->key, n);
    if (c)
        return c;
    if (x->op->n_key != y->op->n_key)
        return x->op->n_key < y->op->n_key ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static struct change *sort_changes(const struct store_batch *list, size_t *n)
{
    size_t total = 0;
    for (const struct store_batch *b = list; b; b = b->next)
        total += b->n_ops;
    struct change *all = px_xcalloc(total + 1, sizeof *all);
    size_t k = 0;
    for (const struct store_batch *b = list; b; b = b->next)
        for (size_t i = 0; i < b->n_ops; i++, k++)
            all[k] = (struct change){&b->ops[i], b->arena + b->ops[i].at, k};
    if (total)
        qsort(all, total, sizeof *all, by_key);
    *n = total;
    return all;
}

/* Seals n bytes and stores them; flags as mdb_put's. */
static int put_sealed(struct group_txn *t, enum store_db db, MDB_val *key, const void *val,
                      size_t n, unsigned flags)
{
    MDB_val v = {.mv_size = RECORD_HEADER + n};
    int rc = mdb_put(t->txn, t->s->dbi[db], key, &v, flags | MDB_RESERVE);
    if (rc == 0) {
        uint8_t *rec = v.mv_data;
        memcpy(rec + RECORD_HEADER, val, n);
        record_seal(rec, n);
    }
    return rc;
}

/* Adds "this changed" (flags: LOG_GONE) under the next number, which *number receives. */
static int append_sequence(struct group_txn *t, const struct change *c, unsigned flags,
                           uint8_t number[8])
{
    uint8_t what[1 + STORE_KEY_MAX];
    log_sequence_key(++t->sequence, number);
    what[0] = (uint8_t)(c->op->db | flags);
    memcpy(what + 1, c->key, c->op->n_key);
    MDB_val k = {.mv_size = 8, .mv_data = number};
    return put_sealed(t, STORE_SEQUENCE, &k, what, 1u + c->op->n_key, MDB_APPEND);
}

/* The damaged bytes at c's key are copied to STORE_LOST. */
static int keep_damaged(struct group_txn *t, const struct change *c, MDB_val raw)
{
    uint8_t where[1 + STORE_KEY_MAX];
    where[0] = c->op->db;
    memcpy(where + 1, c->key, c->op->n_key);
    MDB_val k = {.mv_size = 1u + c->op->n_key, .mv_data = where};
    PX_FREE char *copy = px_xmemdup(raw.mv_data, raw.mv_size); /* a put may move raw's page */
    t->damaged++;
    return put_sealed(t, STORE_LOST, &k, copy, raw.mv_size, 0);
}

/* ---- the databases in the log ---- */

static void index_change(struct group_txn *t, const struct change *c)
{
    struct store *s = t->s;
    pthread_mutex_lock(&s->index_lock);
    key_index_add(s->index, t->sequence, key_fingerprint(c->op->db, c->key, c->op->n_key));
    pthread_mutex_unlock(&s->index_lock);
}

static enum log_found find_logged(struct group_txn *t, const struct change *c, struct log_hit *hit)
{
    return log_find(t->s, t->txn, UINT64_MAX, c->op->db, c->key, c->op->n_key, hit);
}

static int append_change(struct group_txn *t, const struct change *c, unsigned flags)
{
    uint8_t number[8];
    int rc = append_sequence(t, c, flags, number);
    if (rc == 0 && !flags) {
        MDB_val k = {.mv_size = sizeof number, .mv_data = number};
        MDB_val v = {.mv_size = RECORD_HEADER + c->op->n_val, .mv_data = c->key + c->op->n_key};
        rc = mdb_put(t->txn, t->s->value_dbi, &k, &v, MDB_APPEND);
    }
    if (rc == 0)
        index_change(t, c);
    return rc;
}

static int put_logged(struct group_txn *t, const struct change *c)
{
    struct log_hit hit;
    int rc = 0;
    if (c->op->kind == OP_PUT_NEW) {
        enum log_found found = find_logged(t, c, &hit);
        if (found == LOG_PRESENT)
            return 0; /* accepted once */
        if (found == LOG_FAILED)
            return hit.rc;
        if (found == LOG_DAMAGED)
            rc = keep_damaged(t, c, hit.raw);
    }
    return rc ? rc : append_change(t, c, 0);
}

static int del_logged(struct group_txn *t, const struct change *c)
{
    struct log_hit hit;
    enum log_found found = find_logged(t, c, &hit);
    if (found == LOG_FAILED)
        return hit.rc;
    return found == LOG_ABSENT ? 0 : append_change(t, c, LOG_GONE);
}

/* The value goes; its number stays as that of a deletion. */
static int set_aside_logged(struct group_txn *t, const struct change *c)
{
    struct log_hit hit;
    uint8_t number[8], what[1 + STORE_KEY_MAX];
    enum log_found found = find_logged(t, c, &hit);
    if (found != LOG_DAMAGED)
        return found == LOG_FAILED ? hit.rc : 0; /* replaced or gone since it was met */
    int rc = keep_damaged(t, c, hit.raw);
    log_sequence_key(hit.sequence, number);
    MDB_val k = {.mv_size = sizeof number, .mv_data = number};
    if (rc == 0)
        rc = mdb_del(t->txn, t->s->value_dbi, &k, NULL);
    what[0] = (uint8_t)(c->op->db | LOG_GONE);
    memcpy(what + 1, c->key, c->op->n_key);
    return rc ? rc : put_sealed(t, STORE_SEQUENCE, &k, what, 1u + c->op->n_key, 0);
}

/* ---- the others ---- */

static int apply_put(struct group_txn *t, const struct change *c)
{
    MDB_val k = {.mv_size = c->op->n_key, .mv_data = c->key};
    MDB_val v = {.mv_size = RECORD_HEADER + c->op->n_val, .mv_data = c->key + c->op->n_key};
    MDB_val have = v;
    MDB_dbi dbi = t->s->dbi[c->op->db];
    const void *val;
    size_t n_val;
    uint8_t number[8];
    if (log_has(c->op->db))
        return put_logged(t, c);
    int rc = mdb_put(t->txn, dbi, &k, &have, c->op->kind == OP_PUT_NEW ? MDB_NOOVERWRITE : 0);
    if (rc == MDB_KEYEXIST) {
        if (record_open(have.mv_data, have.mv_size, &val, &n_val))
            return 0;
        rc = keep_damaged(t, c, have);
        if (rc == 0)
            rc = mdb_put(t->txn, dbi, &k, &v, 0);
    }
    if (rc == 0 && c->op->db == STORE_QUARANTINE)
        rc = append_sequence(t, c, 0, number);
    return rc;
}

static int apply_del(struct group_txn *t, const struct change *c)
{
    MDB_val k = {.mv_size = c->op->n_key, .mv_data = c->key};
    if (log_has(c->op->db))
        return del_logged(t, c);
    int rc = mdb_del(t->txn, t->s->dbi[c->op->db], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int apply_set_aside(struct group_txn *t, const struct change *c)
{
    MDB_val k = {.mv_size = c->op->n_key, .mv_data = c->key}, raw;
    const void *val;
    size_t n_val;
    if (log_has(c->op->db))
        return set_aside_logged(t, c);
    int rc = mdb_get(t->txn, t->s->dbi[c->op->db], &k, &raw);
    if (rc || record_open(raw.mv_data, raw.mv_size, &val, &n_val))
        return rc == MDB_NOTFOUND ? 0 : rc;
    rc = keep_damaged(t, c, raw);
    return rc ? rc : apply_del(t, c);
}

/* Changes i .. of one counter are summed up; *used says how many they were. */
static int apply_adds(struct group_txn *t, const struct change *c, size_t n, size_t *used)
{
    MDB_val k = {.mv_size = c->op->n_key, .mv_data = c->key}, raw;
    const void *val;
    size_t n_val, i = 0;
    uint64_t sum = 0; /* two's complement: wraps like the stored i64 */
    for (; i < n && c[i].op->kind == OP_ADD && c[i].op->n_key == c->op->n_key &&
           memcmp(c[i].key, c->key, c->op->n_key) == 0;
         i++)
        sum += (uint64_t)c[i].op->delta;
    *used = i;
    int rc = mdb_get(t->txn, t->s->dbi[STORE_COUNTER], &k, &raw);
    if (rc == 0) {
        if (record_open(raw.mv_data, raw.mv_size, &val, &n_val) && n_val == 8)
            sum += px_load_u64(val);
        else
            rc = keep_damaged(t, c, raw);
    }
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    uint8_t le[8];
    px_store_u64(le, sum);
    return put_sealed(t, STORE_COUNTER, &k, le, sizeof le, 0);
}

static int apply_all(struct group_txn *t, const struct change *all, size_t n)
{
    int rc = 0;
    for (size_t i = 0, used = 1; i < n && rc == 0; i += used, used = 1) {
        switch ((enum store_op_kind)all[i].op->kind) {
        case OP_PUT:
        case OP_PUT_NEW:
            rc = apply_put(t, &all[i]);
            break;
        case OP_DEL:
            rc = apply_del(t, &all[i]);
            break;
        case OP_ADD:
            rc = apply_adds(t, &all[i], n - i, &used);
            break;
        case OP_SET_ASIDE:
            rc = apply_set_aside(t, &all[i]);
            break;
        }
    }
    return rc;
}

static int try_group(struct store *s, const struct change *all, size_t n)
{
    struct group_txn t = {.s = s, .sequence = s->last_sequence};
    int rc = mdb_txn_begin(s->env, NULL, 0, &t.txn);
    if (rc)
        return rc;
    rc = apply_all(&t, all, n);
    if (rc)
        mdb_txn_abort(t.txn);
    else
        rc = mdb_txn_commit(t.txn);
    if (rc) {
        pthread_mutex_lock(&s->index_lock);
        key_index_rewind(s->index, s->last_sequence);
        pthread_mutex_unlock(&s->index_lock);
        return rc;
    }
    s->last_sequence = t.sequence;
    if (t.damaged) {
        atomic_fetch_add(&s->damaged, t.damaged);
        px_log(PX_WARN, "store_damaged", "dir=%s set_aside=%llu: that work is done again", s->dir,
               (unsigned long long)t.damaged);
    }
    return 0;
}

static int grow(struct store *s, struct px_err *err)
{
    const uint64_t step = (uint64_t)4 << 30;
    MDB_envinfo info;
    mdb_env_info(s->env, &info);
    uint64_t now = info.me_mapsize;
    return store_resize(s, now < step ? 2 * now : now + step, err);
}

int store_write_group(struct store *s, const struct store_batch *list, struct px_err *err)
{
    size_t n;
    PX_FREE struct change *all = sort_changes(list, &n);
    for (;;) {
        int rc = try_group(s, all, n);
        if (rc == 0)
            return 0;
        if (rc != MDB_MAP_FULL)
            return store_lmdb_fail(s, err, rc, "cannot write to");
        if (grow(s, err) != 0)
            return -1;
    }
}
