/* hall_work.c - units through the hall: pulled from the source, leased, their results recorded,
 * committed and acknowledged, or given up. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/hall_internal.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"

enum {
    WINDOW = 8192,        /* units that wait in the scheduler at most */
    PULL = 256,           /* units asked for at once */
    WORK_BYTES = 1 << 20, /* of units in one WORK, unless one alone is larger */
    MOST_PENDING_UNITS = 16384,
    MOST_PENDING_BYTES = 64 << 20
};

void hall_fail(struct hall *h, const struct px_err *err)
{
    if (!h->failed)
        h->failure = *err;
    h->failed = true;
}

/* ---- pulling ---- */

/* Asks the source once while there is room. Returns how many units came. */
int hall_pull(struct hall *h, int64_t now)
{
    struct hall_unit u[PULL];
    struct sched_counts c;
    struct px_err err;
    (void)now;
    sched_counts(h->sched, &c);
    if (!h->more_to_pull || c.ready >= WINDOW || h->asked_to_stop)
        return 0;
    int n = h->src.pull(h->src.ctx, u, PULL, &err);
    if (n < 0) {
        hall_fail(h, &err);
        return 0;
    }
    h->more_to_pull = n > 0;
    for (int i = 0; i < n; i++) {
        px_assert(u[i].job < h->n_jobs);
        if (sched_add_unit(h->sched, u[i].id, &u[i].key, u[i].job, u[i].cost) == SCHED_NONE) {
            px_fail(&err, PX_EINTERNAL, "the source gave unit %" PRIu64 " a key that is in use",
                    u[i].id);
            hall_fail(h, &err);
        }
    }
    return n;
}

/* ---- leasing ---- */

static bool knows_job(struct roster_peer *p, uint32_t job)
{
    if (job >= p->n_knows) {
        uint32_t n = job + 16;
        p->knows = px_xrealloc(p->knows, n);
        memset(p->knows + p->n_knows, 0, n - p->n_knows);
        p->n_knows = n;
    }
    bool was = p->knows[job];
    p->knows[job] = 1;
    return was;
}

static bool send_work(struct hall *h, struct roster_peer *p, const struct sched_action *a,
                      struct px_buf *body, int64_t n)
{
    uint32_t job = a->job; /* the scheduler counts jobs as the hall does */
    struct wire_msg m = {.kind = WIRE_WORK, .lease = (int64_t)a->lease, .job = job, .n = n};
    if (!knows_job(p, job)) {
        m.body[0] = h->jobs[job].head.data;
        m.n_body[0] = h->jobs[job].head.len;
    }
    m.body[1] = body->data;
    m.n_body[1] = body->len;
    return link_send(p->socket, &p->to, &m) == 0;
}

/* Units that never reached the peer are nobody's fault. */
static void take_back(struct hall *h, const struct sched_action *a, uint32_t from, int64_t now)
{
    struct px_digest *keys = px_xcalloc(a->n, sizeof *keys);
    uint32_t peer = a->peer, n = a->n;
    struct sched_unit u;
    for (uint32_t i = from; i < n; i++) {
        sched_get_unit(h->sched, a->slots[i], &u);
        keys[i] = u.key;
    }
    for (uint32_t i = from; i < n; i++)
        sched_returned(h->sched, peer, &keys[i], now);
    free(keys);
}

static void grant(struct hall *h, const struct sched_action *a, int64_t now)
{
    struct roster_peer *p = &h->roster[a->peer];
    struct px_buf body, unit;
    struct sched_unit u = {0};
    struct px_err err;
    px_buf_init(&body, WIRE_BODY_LIMIT);
    px_buf_init(&unit, UNIT_LIMIT);
    uint32_t sent = 0;
    int64_t n = 0;
    bool ok = true;
    for (uint32_t i = 0; i < a->n && ok; i++) {
        sched_get_unit(h->sched, a->slots[i], &u);
        px_buf_reset(&unit);
        if (h->src.encode(h->src.ctx, u.id, &unit, &err) != 0) {
            hall_fail(h, &err);
            ok = false;
            break;
        }
        wire_pack_unit(&body, u.attempts, unit.data, unit.len);
        n++;
        if (body.len < WORK_BYTES && i + 1 < a->n)
            continue;
        ok = send_work(h, p, a, &body, n);
        if (ok)
            sent = i + 1;
        px_buf_reset(&body);
        n = 0;
    }
    if (a->n == 1 || u.attempts > 1)
        px_log(PX_INFO, "lease", "lease=%" PRIu64 " peer=%s units=%u attempt=%u", a->lease, p->name,
               a->n, u.attempts);
    else
        px_log(PX_DEBUG, "lease", "lease=%" PRIu64 " peer=%s units=%u", a->lease, p->name, a->n);
    px_buf_clear(&body);
    px_buf_clear(&unit);
    if (ok)
        return;
    take_back(h, a, sent, now);
    if (!h->failed) {
        if (!p->cut_us)
            p->cut_us = now;
        hall_lose(h, a->peer, SCHED_CRASHED, "it cannot be reached", now);
    }
}

static void send_keys(struct hall *h, const struct sched_action *a)
{
    struct roster_peer *p = &h->roster[a->peer];
    struct wire_msg m = {.kind = WIRE_RETRACT, .cancel = a->kind == SCHED_CANCEL, .n = a->n};
    struct px_buf keys;
    struct sched_unit u;
    px_buf_init(&keys, (size_t)WIRE_MAX_UNITS * PX_DIGEST_SIZE);
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->kind == SCHED_RETRACT)
            sched_get_unit(h->sched, a->slots[i], &u);
        wire_pack_key(&keys, a->kind == SCHED_RETRACT ? &u.key : &a->keys[i]);
    }
    m.body[0] = keys.data;
    m.n_body[0] = keys.len;
    link_send(p->socket, &p->to, &m); /* when it is lost, the lease ends by itself */
    px_buf_clear(&keys);
}

/* ---- giving up ---- */

static void add_outcome(struct hall *h, const struct outcome *o)
{
    struct turn *t = h->turn;
    if (!t) {
        t = h->turn = px_xcalloc(1, sizeof *t);
        t->batch = store_batch_new();
    }
    PX_GROW(t->outcomes, t->n, t->cap);
    t->outcomes[t->n++] = *o;
    h->n_pending_units++;
}

static void json_text(struct px_buf *b, const char *name, const char *s)
{
    px_buf_printf(b, ",\"%s\":", name);
    px_json_quote(b, s, strlen(s));
}

static void give_up(struct hall *h, const struct sched_action *a)
{
    struct sched_unit u;
    struct px_buf b;
    bool deaths = strcmp(a->reason, "deaths") == 0;
    const struct last_words *w = deaths ? &h->death : &h->fault;
    const char *class_name = deaths                              ? "crash"
                             : strcmp(a->reason, "no-peer") == 0 ? "model"
                                                                 : w->class_name;
    sched_get_unit(h->sched, a->slots[0], &u);
    px_buf_init(&b, 1 << 16);
    px_buf_printf(&b, "{\"attempts\":%u,\"fails\":%u,\"solo_deaths\":%u,\"rss_bytes\":%" PRId64,
                  u.attempts, u.fails, u.solo_deaths, w->rss);
    json_text(&b, "reason", a->reason);
    json_text(&b, "class", class_name);
    json_text(&b, "how", w->class_name);
    json_text(&b, "detail", w->detail);
    json_text(&b, "peer", w->peer);
    json_text(&b, "host", w->host);
    px_buf_char(&b, '}');
    struct outcome o = {
        .slot = a->slots[0], .given_up = true, .role = h->jobs[u.job].role, .key = u.key};
    add_outcome(h, &o);
    px_log(PX_WARN, "gave-up", "id=%" PRIu64 " class=%s %s", u.id, class_name, w->detail);
    h->src.gave_up(h->src.ctx, u.id, class_name, (const char *)b.data, h->turn->batch);
    px_buf_clear(&b);
    h->counts.gave_up++;
    if (h->cfg.max_failures && h->counts.gave_up >= h->cfg.max_failures) {
        struct px_err err;
        px_fail(&err, PX_ELIMIT, "stopped after %" PRIu64 " failed units; the last: %s: %s",
                h->counts.gave_up, class_name, w->detail);
        hall_fail(h, &err);
    }
}

void hall_act(struct hall *h, int64_t now)
{
    struct sched_action a;
    sched_leasing(h->sched, !h->asked_to_stop && h->n_pending_units < MOST_PENDING_UNITS &&
                                h->pending_bytes < MOST_PENDING_BYTES);
    while (!h->failed && sched_next(h->sched, now, &a)) {
        switch (a.kind) {
        case SCHED_GRANT:
            grant(h, &a, now);
            break;
        case SCHED_RETRACT:
        case SCHED_CANCEL:
            send_keys(h, &a);
            break;
        case SCHED_GIVE_UP:
            give_up(h, &a);
            break;
        case SCHED_LOST:
            hall_lost(h, a.peer, a.how, a.n);
            break;
        }
    }
}

/* ---- results ---- */

static void remember_fault(struct hall *h, uint32_t peer, const char *class_name,
                           const char *detail)
{
    struct last_words *w = &h->fault;
    const struct roster_peer *p = peer == SCHED_NONE ? NULL : &h->roster[peer];
    snprintf(w->peer, sizeof w->peer, "%s", p ? p->name : "");
    snprintf(w->host, sizeof w->host, "%s", p ? p->host : "");
    snprintf(w->class_name, sizeof w->class_name, "%s", class_name);
    snprintf(w->detail, sizeof w->detail, "%s", detail);
    w->rss = p ? p->rss : 0;
}

static void acknowledge(void *socket, const struct link_identity *to, const void *keys, int64_t n)
{
    struct wire_msg m = {.kind = WIRE_ACK, .n = n};
    m.body[0] = (uint8_t *)(uintptr_t)keys;
    m.n_body[0] = (size_t)n * PX_DIGEST_SIZE;
    link_send(socket, to, &m);
}

/* A result of a unit that was committed before: a free audit, since bits are reproducible. */
static bool audit(struct hall *h, const struct wire_result *r)
{
    struct px_digest a, b;
    struct px_buf first;
    bool verdict = r->n > 0 && r->p[0] == 'V', found = false, same = false;
    px_buf_init(&first, UNIT_LIMIT);
    if (store_get(h->store, verdict ? STORE_VERDICT : STORE_RESULT, r->key.b, PX_DIGEST_SIZE,
                  &first, &found, NULL) != 0 ||
        !found) {
        px_buf_clear(&first);
        return false;
    }
    if (verdict)
        same = verdict_result_digest(first.data, first.len, &a, NULL) == 0 &&
               verdict_result_digest(r->p, r->n, &b, NULL) == 0 && px_digest_eq(&a, &b);
    else
        same = completion_result_digest(first.data, first.len, &a, NULL) == 0 &&
               completion_result_digest(r->p, r->n, &b, NULL) == 0 && px_digest_eq(&a, &b);
    h->counts.audits++;
    if (!same) {
        char hex[PX_HEX_SIZE];
        px_digest_hex(&r->key, hex);
        h->counts.mismatches++;
        px_log(PX_ERROR, "determinism", "two results of unit %s differ; the first is kept", hex);
    }
    px_buf_clear(&first);
    return true;
}

static void record(struct hall *h, uint32_t peer, uint32_t slot, struct outcome *o,
                   const struct wire_result *r, int64_t now)
{
    struct sched_unit u;
    struct px_err err;
    sched_get_unit(h->sched, slot, &u);
    o->slot = slot;
    o->role = h->jobs[u.job].role;
    add_outcome(h, o);
    if (h->src.record(h->src.ctx, u.id, r->p, r->n, h->turn->batch, &err) == 0) {
        h->turn->bytes += r->n;
        return;
    }
    px_log(PX_WARN, "bad record", "id=%" PRIu64 " %s", u.id, err.text);
    h->turn->outcomes[h->turn->n - 1].slot = SCHED_NONE; /* the peer may forget it all the same */
    remember_fault(h, peer, "record", err.text);
    sched_rejected(h->sched, slot, now);
}

void hall_got_results(struct hall *h, uint32_t peer, void *socket, const struct link_identity *from,
                      const struct wire_msg *m, int64_t now)
{
    struct wire_result *r;
    struct px_err err;
    uint32_t slot;
    if (wire_unpack_results(m->body[0], m->n_body[0], m->n, &r, &err) != 0) {
        px_log(PX_WARN, "bad message", "DONE: %s", err.text);
        return;
    }
    for (int64_t i = 0; i < m->n; i++) {
        struct outcome o = {.slot = SCHED_NONE,
                            .acknowledge = true,
                            .key = r[i].key,
                            .socket = socket,
                            .to = *from};
        switch (sched_done(h->sched, peer, &r[i].key, now, &slot)) {
        case SCHED_ACCEPTED:
            record(h, peer, slot, &o, &r[i], now);
            break;
        case SCHED_PENDING: /* its commit comes before this turn's */
            add_outcome(h, &o);
            break;
        case SCHED_UNKNOWN:
            if (audit(h, &r[i]))
                acknowledge(socket, from, &r[i].key, 1);
            break;
        }
    }
    free(r);
}

static enum sched_fault fault_of(const struct wire_msg *m)
{
    if (!m->retryable)
        return SCHED_FAULT_FINAL;
    if (strcmp(m->class_name, "model") == 0)
        return SCHED_FAULT_MODEL;
    if (strcmp(m->class_name, "memory") == 0)
        return SCHED_FAULT_MEMORY;
    return strcmp(m->class_name, "io") == 0 ? SCHED_FAULT_IO : SCHED_FAULT_OTHER;
}

void hall_got_fail(struct hall *h, uint32_t peer, const struct wire_msg *m, int64_t now)
{
    struct px_digest key;
    if (m->n_body[0] != PX_DIGEST_SIZE)
        return;
    memcpy(key.b, m->body[0], PX_DIGEST_SIZE);
    px_log(PX_WARN, "unit-failed", "peer=%s class=%s retryable=%d %s", h->roster[peer].name,
           m->class_name, m->retryable, m->detail);
    remember_fault(h, peer, m->class_name, m->detail);
    sched_failed(h->sched, peer, &key, fault_of(m), now);
    hall_act(h, now); /* a unit given up for this is told with these words */
}

/* ---- commits ---- */

void hall_free_turn(struct turn *t)
{
    if (!t)
        return;
    store_batch_free(&t->batch);
    free(t->outcomes);
    free(t);
}

void hall_submit(struct hall *h)
{
    struct turn *t = h->turn;
    if (!t)
        return;
    h->turn = NULL;
    h->pending_bytes += t->bytes;
    struct store_batch *b = t->batch;
    t->batch = NULL;
    t->place = h->n_submitted;
    PX_GROW(h->submitted, h->n_submitted, h->cap_submitted);
    h->submitted[h->n_submitted++] = t;
    store_submit(h->store, b, (uint64_t)(uintptr_t)t);
}

static uint32_t peer_at(const struct hall *h, const struct outcome *o)
{
    for (uint32_t i = 0; i < h->n_roster; i++) {
        const struct roster_peer *p = &h->roster[i];
        if (p->used && p->socket == o->socket && p->to.n == o->to.n &&
            memcmp(p->to.b, o->to.b, o->to.n) == 0)
            return i;
    }
    return SCHED_NONE;
}

static void flush_acks(struct roster_peer *p)
{
    if (p->n_acks == 0)
        return;
    acknowledge(p->socket, &p->to, p->acks.data, p->n_acks);
    px_buf_reset(&p->acks);
    p->n_acks = 0;
}

static void queue_ack(struct hall *h, const struct outcome *o)
{
    uint32_t i = peer_at(h, o);
    if (i == SCHED_NONE) {
        acknowledge(o->socket, &o->to, &o->key, 1);
        return;
    }
    struct roster_peer *p = &h->roster[i];
    wire_pack_key(&p->acks, &o->key);
    if (++p->n_acks == WIRE_MAX_UNITS)
        flush_acks(p);
}

static void settle(struct hall *h, const struct outcome *o)
{
    struct sched_unit u;
    h->n_pending_units--;
    if (o->slot != SCHED_NONE) {
        sched_get_unit(h->sched, o->slot, &u);
        sched_forget(h->sched, o->slot);
        h->src.committed(h->src.ctx, u.id);
        h->units += !o->given_up;
        if (!o->given_up && o->role == ROLE_GENERATE)
            h->counts.done_generate++;
        else if (!o->given_up && o->role == ROLE_SCORE)
            h->counts.done_score++;
        else if (!o->given_up)
            h->counts.done_stage++;
    }
    if (o->acknowledge)
        queue_ack(h, o);
}

int hall_reap(struct hall *h, int64_t now)
{
    uint64_t tags[64];
    struct px_err err;
    int n, total = 0;
    (void)now;
    while ((n = store_reap(h->store, tags, 64, &err)) > 0) {
        for (int k = 0; k < n; k++) {
            struct turn *t = (struct turn *)(uintptr_t)tags[k];
            for (uint32_t i = 0; i < t->n; i++)
                settle(h, &t->outcomes[i]);
            h->pending_bytes -= t->bytes;
            struct turn *last = h->submitted[--h->n_submitted];
            h->submitted[t->place] = last;
            last->place = t->place;
            hall_free_turn(t);
        }
        total += n;
    }
    if (n < 0)
        hall_fail(h, &err);
    if (total > 0)
        h->more_to_pull = true;
    for (uint32_t i = 0; i < h->n_roster; i++)
        if (h->roster[i].used)
            flush_acks(&h->roster[i]);
    return total;
}
