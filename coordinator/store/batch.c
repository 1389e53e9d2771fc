/* batch.c - changes collected for one transaction. No I/O. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/log.h"
#include "coordinator/store/record.h"
#include "coordinator/store/store_internal.h"
#include "proto/mem.h"

struct store_batch *store_batch_new(void)
{
    return px_xcalloc(1, sizeof(struct store_batch));
}

void store_batch_free(struct store_batch **b)
{
    if (!*b)
        return;
    free((*b)->ops);
    free((*b)->arena);
    free(*b);
    *b = NULL;
}

static uint8_t *arena_take(struct store_batch *b, size_t n, size_t *at)
{
    if (b->cap_arena - b->n_arena < n) {
        size_t cap = b->cap_arena ? b->cap_arena : 256;
        while (cap - b->n_arena < n)
            cap *= 2;
        b->arena = px_xrealloc(b->arena, cap);
        b->cap_arena = cap;
    }
    *at = b->n_arena;
    b->n_arena += n;
    return b->arena + *at;
}

static uint8_t *add_op(struct store_batch *b, enum store_op_kind kind, enum store_db db,
                       const void *key, size_t n_key, size_t n_rec)
{
    px_assert(n_key > 0 && n_key <= STORE_KEY_MAX && db < STORE_N_DBS);
    PX_GROW(b->ops, b->n_ops, b->cap_ops);
    struct store_op *op = &b->ops[b->n_ops++];
    memset(op, 0, sizeof *op);
    op->kind = (uint8_t)kind;
    op->db = (uint8_t)db;
    op->n_key = (uint16_t)n_key;
    uint8_t *p = arena_take(b, n_key + n_rec, &op->at);
    memcpy(p, key, n_key);
    return p + n_key;
}

static void add_put(struct store_batch *b, enum store_op_kind kind, enum store_db db,
                    const void *key, size_t n_key, const void *val, size_t n_val)
{
    size_t prefix = log_has(db) ? LOG_PREFIX(n_key) : 0;
    uint8_t *rec = add_op(b, kind, db, key, n_key, RECORD_HEADER + prefix + n_val);
    if (prefix)
        log_write_prefix(rec + RECORD_HEADER, db, key, n_key);
    if (n_val)
        memcpy(rec + RECORD_HEADER + prefix, val, n_val);
    record_seal(rec, prefix + n_val);
    b->ops[b->n_ops - 1].n_val = prefix + n_val;
}

void store_batch_put(struct store_batch *b, enum store_db db, const void *key, size_t n_key,
                     const void *val, size_t n_val)
{
    add_put(b, OP_PUT, db, key, n_key, val, n_val);
}

void store_batch_put_new(struct store_batch *b, enum store_db db, const void *key, size_t n_key,
                         const void *val, size_t n_val)
{
    add_put(b, OP_PUT_NEW, db, key, n_key, val, n_val);
}

void store_batch_del(struct store_batch *b, enum store_db db, const void *key, size_t n_key)
{
    add_op(b, OP_DEL, db, key, n_key, 0);
}

void store_batch_add(struct store_batch *b, const char *counter, int64_t delta)
{
    add_op(b, OP_ADD, STORE_COUNTER, counter, strlen(counter), 0);
    b->ops[b->n_ops - 1].delta = delta;
}

void store_batch_set_aside(struct store_batch *b, enum store_db db, const void *key, size_t n_key)
{
    add_op(b, OP_SET_ASIDE, db, key, n_key, 0);
}

void store_batch_append(struct store_batch *to, struct store_batch **from)
{
    struct store_batch *f = *from;
    size_t base = 0;
    if (f->n_arena)
        memcpy(arena_take(to, f->n_arena, &base), f->arena, f->n_arena);
    for (size_t i = 0; i < f->n_ops; i++) {
        PX_GROW(to->ops, to->n_ops, to->cap_ops);
        to->ops[to->n_ops] = f->ops[i];
        to->ops[to->n_ops++].at += base;
    }
    store_batch_free(from);
}
