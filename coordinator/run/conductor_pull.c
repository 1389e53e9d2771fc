/* conductor_pull.c - what the plan still needs, as units for the hall. */
#include <string.h>

#include "coordinator/run/conductor_internal.h"
#include "proto/mem.h"

static bool in_store(struct conductor *c, enum store_db db, const struct px_digest *key,
                     struct px_buf *out)
{
    bool found = false;
    struct px_buf scratch;
    px_buf_init(&scratch, UNIT_LIMIT);
    struct px_buf *to = out ? out : &scratch;
    if (store_get(c->store, db, key->b, sizeof key->b, to, &found, NULL) != 0)
        found = false;
    px_buf_clear(&scratch);
    return found;
}

/* The same work was given up for another unit: this one shares its fate, whichever came first. */
static bool known_bad(struct conductor *c, uint64_t unit, const struct px_digest *key)
{
    if (!in_store(c, STORE_QUARANTINE, key, NULL))
        return false;
    conductor_finish(c, unit, U_FAILED);
    conductor_settle(c, unit, SETTLED_FAILED);
    return true;
}

static bool pull_import(struct conductor *c, struct hall_unit *out)
{
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        if (c->imports[i] == IMPORT_WAITING) {
            c->imports[i] = IMPORT_LEASED;
            c->in_flight++;
            *out =
                (struct hall_unit){ID_OF(ID_IMPORT, i), c->plan->imports[i].key, c->import_job[i],
                                   1e-9 * (double)c->plan->imports[i].job.model_bytes + 0.01};
            return true;
        }
    return false;
}

/* Chains a unit behind the head that is already doing the same work. */
static void chain(struct conductor *c, uint64_t head, uint64_t unit)
{
    c->units[unit].next = c->units[head].next;
    c->units[head].next = unit;
}

/* 1: out is filled; 0: the unit needs no tester of its own; -1: error. */
static int pull_score(struct conductor *c, uint64_t unit, struct hall_unit *out, struct px_err *err)
{
    struct unit_slot *u = &c->units[unit];
    struct px_buf rec;
    struct unit su;
    uint64_t head;
    px_buf_init(&rec, UNIT_LIMIT);
    if (!in_store(c, STORE_RESULT, &u->content, &rec)) {
        px_buf_clear(&rec); /* damaged since: make it again */
        u->state = U_PENDING;
        uint64_t place = visit_place(c->visit, unit);
        c->cursor = place < c->cursor ? place : c->cursor;
        return 0;
    }
    int rc = plan_make_score_unit(c->plan, unit, rec.data, rec.len, &su, err);
    px_buf_clear(&rec);
    if (rc != 0)
        return -1;
    u->verdict = su.key;
    unit_clear(&su);
    u->state = U_SCORING;
    if (digest_map_get(c->by_verdict, &u->verdict, &head)) {
        chain(c, head, unit);
        return 0;
    }
    if (in_store(c, STORE_VERDICT, &u->verdict, NULL)) {
        conductor_finish(c, unit, U_DONE);
        conductor_settle(c, unit, SETTLED_SCORED);
        return 0;
    }
    if (known_bad(c, unit, &u->verdict))
        return 0;
    u->next = NO_UNIT;
    digest_map_put(c->by_verdict, &u->verdict, unit);
    c->in_flight++;
    *out = (struct hall_unit){ID_OF(ID_SCORE, unit), u->verdict,
                              c->score_job[conductor_group(c, unit)], 0.05};
    return 1;
}

/* A rough measure of a unit's work: prompt tokens are some ten times cheaper than new ones. */
static double cost_of(const struct job *j, const struct unit *u)
{
    double cost = 0.1 * u->n_prompt + j->max_tokens;
    for (uint32_t i = 0; i < u->n_choices; i++)
        cost += u->choices[i].n_tokens;
    return cost;
}

/* Goes out with the next commit, before any completion of the unit can. */
static void keep_receipt(struct conductor *c, const struct px_digest *content, struct receipt *r)
{
    if (r->n_tokens) {
        if (!c->receipts)
            c->receipts = store_batch_new();
        receipt_put(c->receipts, content, r);
    }
    receipt_clear(r);
}

static int pull_generate(struct conductor *c, uint64_t unit, struct hall_unit *out,
                         struct px_err *err)
{
    struct unit_slot *u = &c->units[unit];
    uint32_t group = conductor_group(c, unit);
    struct unit gu;
    struct receipt receipt;
    uint64_t head;
    struct needed_texts texts;
    int waits = conductor_wait(c, unit);
    if (waits < 0) { /* an answer that it would quote was given up: so is it */
        conductor_finish(c, unit, U_FAILED);
        conductor_settle(c, unit, SETTLED_FAILED);
    }
    if (waits <= 0)
        return 0;
    if (conductor_texts(c, unit, &texts, err) != 0)
        return -1;
    int rc = plan_make_unit(c->plan, unit, (const char *const *)texts.texts, &gu, &receipt, err);
    needed_texts_clear(&texts);
    if (rc != 0)
        return -1;
    double cost = cost_of(&c->plan->groups[group].generate, &gu);
    u->content = gu.key;
    keep_receipt(c, &gu.key, &receipt);
    memset(&u->verdict, 0, sizeof u->verdict);
    unit_clear(&gu);
    u->state = U_GENERATING;
    if (digest_map_get(c->by_content, &u->content, &head)) {
        chain(c, head, unit);
        return 0;
    }
    if (in_store(c, STORE_RESULT, &u->content, NULL)) {
        conductor_settle(c, unit, SETTLED_GENERATED);
        conductor_completion_known(c, unit);
        return 0;
    }
    if (known_bad(c, unit, &u->content))
        return 0;
    u->next = NO_UNIT;
    digest_map_put(c->by_content, &u->content, unit);
    c->in_flight++;
    *out = (struct hall_unit){ID_OF(ID_GENERATE, unit), u->content, c->generate_job[group], cost};
    return 1;
}

/* Units of a model whose import is not done wait; they are looked at again after its commit. */
static bool import_ready(const struct conductor *c, uint64_t unit)
{
    const struct plan_group *g = &c->plan->groups[conductor_group(c, unit)];
    return !g->after_import || c->imports[g->import] == IMPORT_DONE;
}

/* One pass over what waits; fills at most max. */
static int pull_pass(struct conductor *c, struct hall_unit *out, int max, struct px_err *err)
{
    int n = 0;
    while (n < max && c->queue_len) {
        int k = pull_score(c, conductor_queue_pop(c), &out[n], err);
        if (k < 0)
            return -1;
        n += k;
    }
    while (n < max && c->n_ready) {
        uint64_t unit = c->ready[--c->n_ready];
        int k = c->units[unit].state == U_PENDING ? pull_generate(c, unit, &out[n], err) : 0;
        if (k < 0)
            return -1;
        n += k;
    }
    while (n < max && c->cursor < c->plan->n_units) {
        uint64_t unit = visit_unit(c->visit, c->cursor);
        if (c->units[unit].state == U_PENDING) {
            if (!import_ready(c, unit))
                break;
            int k = pull_generate(c, unit, &out[n], err);
            if (k < 0)
                return -1;
            n += k;
        }
        c->cursor++;
    }
    return n;
}

int conductor_pull(void *ctx, struct hall_unit *out, int max, struct px_err *err)
{
    struct conductor *c = ctx;
    int n = 0;
    if (c->stage_failure || c->gate_stop)
        return 0;
    while (n < max && pull_import(c, &out[n]))
        n++;
    do { /* what the store answers makes further units ready */
        int k = pull_pass(c, out + n, max - n, err);
        if (k < 0)
            return -1;
        n += k;
    } while (n < max && (c->queue_len || c->n_ready));
    /* Nothing more to lease may come of it: then what the store answered must not wait. */
    if (n == 0 && c->in_flight == 0 && conductor_flush(c, err) != 0)
        return -1;
    return n;
}

bool conductor_exhausted(void *ctx)
{
    const struct conductor *c = ctx;
    if (c->in_flight)
        return false;
    if (c->stage_failure || c->gate_stop)
        return true;
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        if (c->imports[i] != IMPORT_DONE)
            return false;
    return c->cursor >= c->plan->n_units && c->queue_len == 0 && c->n_ready == 0;
}

int conductor_encode(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err)
{
    struct conductor *c = ctx;
    uint64_t i = ID_INDEX(id);
    struct unit u = {0};
    int rc = 0;
    if (ID_KIND(id) == ID_IMPORT) {
        u.key = c->plan->imports[i].key;
        u.problem = px_xstrdup(c->plan->imports[i].job.model_name);
    } else if (ID_KIND(id) == ID_GENERATE) {
        struct needed_texts texts;
        rc = conductor_texts(c, i, &texts, err);
        if (rc == 0)
            rc = plan_make_unit(c->plan, i, (const char *const *)texts.texts, &u, NULL, err);
        needed_texts_clear(&texts);
    } else {
        struct px_buf rec;
        px_buf_init(&rec, UNIT_LIMIT);
        if (!in_store(c, STORE_RESULT, &c->units[i].content, &rec))
            rc = px_fail(err, PX_EIO, "the completion of unit %llu cannot be read back",
                         (unsigned long long)i);
        else
            rc = plan_make_score_unit(c->plan, i, rec.data, rec.len, &u, err);
        px_buf_clear(&rec);
    }
    if (rc == 0)
        unit_encode(&u, out);
    unit_clear(&u);
    return rc;
}
