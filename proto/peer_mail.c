/* peer_mail.c - what the coordinator says to a peer, turned into events for the caller; the words
 * that answer it at once. The network thread alone calls this. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/link.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/peer_internal.h"

void peer_forget_jobs(struct peer_net *t)
{
    for (uint32_t i = 0; i < t->n_jobs; i++)
        px_buf_clear(&t->jobs[i]);
    free(t->jobs);
    t->jobs = NULL;
    t->n_jobs = 0;
}

/* Keeps a job's head, or finds the one that came before. */
static const struct px_buf *job_head(struct peer_net *t, const struct wire_msg *m)
{
    enum { MOST = 1 << 20 };
    if (m->job < 0 || m->job >= MOST)
        return NULL;
    uint32_t i = (uint32_t)m->job;
    if (m->n_body[0] > 0) {
        if (i >= t->n_jobs) {
            t->jobs = px_xrealloc(t->jobs, (i + 1) * sizeof *t->jobs);
            for (uint32_t k = t->n_jobs; k <= i; k++)
                px_buf_init(&t->jobs[k], UNIT_LIMIT);
            t->n_jobs = i + 1;
        }
        px_buf_reset(&t->jobs[i]);
        px_buf_put(&t->jobs[i], m->body[0], m->n_body[0]);
    }
    return i < t->n_jobs && t->jobs[i].len > 0 ? &t->jobs[i] : NULL;
}

static int decode_units(const struct wire_msg *m, struct peer_event *ev, struct px_err *err)
{
    struct wire_unit *w;
    if (wire_unpack_units(m->body[1], m->n_body[1], m->n, &w, err) != 0)
        return -1;
    ev->units = px_xcalloc((size_t)m->n, sizeof *ev->units);
    ev->attempts = px_xcalloc((size_t)m->n, sizeof *ev->attempts);
    int rc = 0;
    for (int64_t i = 0; i < m->n && rc == 0; i++) {
        rc = unit_decode(w[i].p, w[i].n, &ev->units[i], err);
        ev->attempts[i] = w[i].attempt;
        ev->n += rc == 0;
    }
    free(w);
    return rc;
}

static void got_work(struct peer_net *t, const struct wire_msg *m)
{
    struct px_err err;
    const struct px_buf *head = job_head(t, m);
    struct peer_event ev = {.kind = PEER_WORK, .lease = (uint64_t)m->lease};
    ev.job = px_xcalloc(1, sizeof *ev.job);
    int rc = -1;
    if (!head)
        px_fail(&err, PX_EINPUT, "WORK of job %" PRId64 " without its head", m->job);
    else
        rc = job_decode(head->data, head->len, ev.job, &err);
    if (rc == 0)
        rc = decode_units(m, &ev, &err);
    if (rc == 0) {
        peer_push_event(t, &ev);
        return;
    }
    px_log(PX_ERROR, "bad work", "lease=%" PRId64 " %s", m->lease, err.text);
    for (uint32_t i = 0; i < ev.n; i++)
        unit_clear(&ev.units[i]);
    free(ev.units);
    free(ev.attempts);
    job_clear(ev.job);
    free(ev.job);
    peer_end_with(t, PEER_REFUSED, PX_EINPUT,
                  "the coordinator sent work that this build cannot read");
}

static void got_retract(struct peer_net *t, const struct wire_msg *m)
{
    struct peer_event ev = {.kind = m->cancel ? PEER_CANCEL : PEER_RETRACT};
    if (m->n > 0 && wire_unpack_keys(m->body[0], m->n_body[0], m->n, &ev.keys, NULL) == 0) {
        ev.n = (uint32_t)m->n;
        peer_push_event(t, &ev);
    }
}

static void got_ack(struct peer_net *t, const struct wire_msg *m)
{
    struct peer *p = t->p;
    struct px_digest *keys;
    uint64_t v;
    if (wire_unpack_keys(m->body[0], m->n_body[0], m->n, &keys, NULL) != 0)
        return;
    pthread_mutex_lock(&p->lock);
    for (int64_t i = 0; i < m->n; i++)
        if (keymap_get(&p->result_of, &keys[i], &v))
            peer_forget_result(p, (struct result *)(uintptr_t)v);
    pthread_mutex_unlock(&p->lock);
    free(keys);
}

/* Everything unacknowledged is to be sent again; what the peer holds is announced in HELLO. */
void peer_say_all_again(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    p->n_unsent = 0;
    for (struct result *r = p->results; r; r = r->next) {
        r->sent = false;
        p->n_unsent++;
    }
    p->capacity_changed = true;
    p->drain_changed = p->draining;
    pthread_mutex_unlock(&p->lock);
}

void peer_say_hello(struct peer_net *t)
{
    struct peer *p = t->p;
    struct px_buf keys;
    px_buf_init(&keys, (size_t)WIRE_MAX_UNITS * PX_DIGEST_SIZE);
    struct wire_msg m = {.kind = WIRE_HELLO,
                         .id = p->id,
                         .program = p->program,
                         .host = p->host,
                         .isa = p->isa,
                         .build = (char *)(uintptr_t)PROCTOR_VERSION,
                         .roles = p->cfg.roles,
                         .pid = getpid(),
                         .cores = p->cfg.cores,
                         .memory = p->cfg.memory_budget,
                         .end_time_us = p->cfg.end_time_us,
                         .numerics = PX_NUMERICS_VERSION};
    pthread_mutex_lock(&p->lock);
    m.credits = p->capacity;
    for (size_t i = 0; i < p->held.cap && m.n < WIRE_MAX_UNITS; i++) {
        if (p->held.entry[i].used) {
            wire_pack_key(&keys, &p->held.entry[i].key);
            m.n++;
        }
    }
    pthread_mutex_unlock(&p->lock);
    m.body[0] = keys.data;
    m.n_body[0] = keys.len;
    t->welcome = false;
    t->last_hello = clk_now_us();
    link_send(t->socket, NULL, &m);
    px_buf_clear(&keys);
}

static void got_message(struct peer_net *t, const struct wire_msg *m)
{
    struct peer_event ev = {.kind = PEER_DRAIN};
    switch (m->kind) {
    case WIRE_HELLO:
        peer_say_hello(t);
        return;
    case WIRE_WELCOME:
        t->welcome = true;
        peer_forget_jobs(t);
        peer_say_all_again(t->p);
        px_log(PX_DEBUG, "welcome", "id=%s coordinator=%s", t->p->id, m->id);
        return;
    case WIRE_REFUSED:
        peer_end_with(t, PEER_REFUSED, PX_EVERSION, m->reason);
        return;
    case WIRE_WORK:
        got_work(t, m);
        return;
    case WIRE_RETRACT:
        got_retract(t, m);
        return;
    case WIRE_ACK:
        got_ack(t, m);
        return;
    case WIRE_DRAIN:
        peer_push_event(t, &ev);
        return;
    case WIRE_BYE:
        peer_end_with(t, PEER_GONE, PX_OK, m->reason);
        return;
    case WIRE_BEAT: /* that it was heard is all it says */
    case WIRE_STATUS:
    case WIRE_READY:
    case WIRE_DONE:
    case WIRE_FAIL:
    case WIRE_GET:
    case WIRE_PUT:
    case WIRE_N_KINDS:
        return;
    }
}

void peer_read_mail(struct peer_net *t)
{
    struct wire_msg m;
    struct px_err err;
    while (!t->over) {
        enum link_got got = link_recv(t->socket, NULL, NULL, &m, &err);
        if (got == LINK_NOTHING)
            return;
        t->last_heard = clk_now_us();
        if (got == LINK_MESSAGE) {
            got_message(t, &m);
            wire_clear(&m);
        } else if (err.code == PX_EVERSION) {
            peer_end_with(
                t, PEER_REFUSED, PX_EVERSION,
                "the coordinator is of another build: it speaks another protocol version");
        } else {
            px_log(PX_WARN, "bad message", "%s", err.text);
        }
    }
}
