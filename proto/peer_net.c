/* peer_net.c - the network thread of a peer: it owns the DEALER socket and talks to the
 * coordinator; it never waits for the caller, nor the caller for it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/link.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/peer_internal.h"

enum {
    BEAT_US = 1000000,
    HELLO_AGAIN_US = 2000000,
    RESEND_US = 20000000, /* results that were not acknowledged for so long are said again */
    BYE_WAIT_US = 2000000,
    STALL_US = 3000000,
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 1000,
    DONE_UNITS = 512,
    DONE_BYTES = 1 << 20,
    HANDSHAKE_TRIES = 3
};

/* The thread's own state. */
struct net {
    struct peer *p;
    void *ctx;
    void *socket;
    void *monitor;
    bool connected; /* the transport stands */
    bool welcome;   /* the coordinator answered our HELLO */
    bool over;      /* REFUSED or GONE was told: nothing more to do */
    int bad_handshakes;
    int64_t last_heard;
    int64_t last_hello;
    int64_t last_beat;
    int64_t last_resend;
    struct px_buf *jobs; /* [n_jobs] encoded heads by the coordinator's number */
    uint32_t n_jobs;
};

static void push_event(struct net *t, struct peer_event *ev)
{
    struct peer *p = t->p;
    struct queued_event *e = px_xcalloc(1, sizeof *e);
    uint64_t one = 1;
    e->ev = *ev;
    pthread_mutex_lock(&p->lock);
    if (p->events_last)
        p->events_last->next = e;
    else
        p->events = e;
    p->events_last = e;
    while (write(p->to_caller, &one, sizeof one) < 0 && errno == EINTR)
        ;
    pthread_mutex_unlock(&p->lock);
}

static void end_with(struct net *t, enum peer_event_kind kind, enum px_code code, const char *text)
{
    if (t->over)
        return;
    struct peer_event ev = {.kind = kind};
    px_fail(&ev.err, code, "%s", text);
    t->over = true;
    push_event(t, &ev);
}

/* ---- what the coordinator says ---- */

static void forget_jobs(struct net *t)
{
    for (uint32_t i = 0; i < t->n_jobs; i++)
        px_buf_clear(&t->jobs[i]);
    free(t->jobs);
    t->jobs = NULL;
    t->n_jobs = 0;
}

/* Keeps a job's head, or finds the one that came before. */
static const struct px_buf *job_head(struct net *t, const struct wire_msg *m)
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

static void got_work(struct net *t, const struct wire_msg *m)
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
        push_event(t, &ev);
        return;
    }
    px_log(PX_ERROR, "bad work", "lease=%" PRId64 " %s", m->lease, err.text);
    for (uint32_t i = 0; i < ev.n; i++)
        unit_clear(&ev.units[i]);
    free(ev.units);
    free(ev.attempts);
    job_clear(ev.job);
    free(ev.job);
    end_with(t, PEER_REFUSED, PX_EINPUT, "the coordinator sent work that this build cannot read");
}

static void got_retract(struct net *t, const struct wire_msg *m)
{
    struct peer_event ev = {.kind = m->cancel ? PEER_CANCEL : PEER_RETRACT};
    if (m->n > 0 && wire_unpack_keys(m->body[0], m->n_body[0], m->n, &ev.keys, NULL) == 0) {
        ev.n = (uint32_t)m->n;
        push_event(t, &ev);
    }
}

static void got_ack(struct net *t, const struct wire_msg *m)
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
static void say_everything_again(struct peer *p)
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

static void say_hello(struct net *t)
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

static void got_message(struct net *t, const struct wire_msg *m)
{
    struct peer_event ev = {.kind = PEER_DRAIN};
    switch (m->kind) {
    case WIRE_HELLO:
        say_hello(t);
        return;
    case WIRE_WELCOME:
        t->welcome = true;
        forget_jobs(t);
        say_everything_again(t->p);
        px_log(PX_DEBUG, "welcome", "id=%s coordinator=%s", t->p->id, m->id);
        return;
    case WIRE_REFUSED:
        end_with(t, PEER_REFUSED, PX_EVERSION, m->reason);
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
        push_event(t, &ev);
        return;
    case WIRE_BYE:
        end_with(t, PEER_GONE, PX_OK, m->reason);
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

static void read_mail(struct net *t)
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
            end_with(t, PEER_REFUSED, PX_EVERSION,
                     "the coordinator is of another build: it speaks another protocol version");
        } else {
            px_log(PX_WARN, "bad message", "%s", err.text);
        }
    }
}

/* ---- what happens to the connection ---- */

static void handshake_failed(struct net *t, bool certain)
{
    struct peer *p = t->p;
    t->bad_handshakes++;
    if (!p->curve || (!certain && t->bad_handshakes < HANDSHAKE_TRIES))
        return;
    PX_FREE char *text = px_xasprintf("the coordinator at %s does not accept the keys in %s: copy "
                                      "the client.key of that coordinator there",
                                      p->endpoint, p->curve_dir);
    end_with(t, PEER_REFUSED, PX_EINPUT, text);
}

static void read_monitor(struct net *t)
{
    uint16_t event;
    uint32_t value;
    while (link_event(t->monitor, &event, &value)) {
        switch (event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            t->bad_handshakes = 0;
            t->connected = true;
            say_hello(t);
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            handshake_failed(t, event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
            t->connected = t->welcome = false;
            break;
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_DISCONNECTED:
            if (!t->connected)
                handshake_failed(t, false);
            t->connected = t->welcome = false;
            break;
        default:
            break;
        }
    }
}

static int open_socket(struct net *t, struct px_err *err)
{
    struct peer *p = t->p;
    int ivl = RECONNECT_MS, ivl_max = RECONNECT_MAX_MS;
    t->ctx = zmq_ctx_new();
    if (!t->ctx)
        return px_fail_errno(err, "cannot make a ZeroMQ context");
    t->socket = zmq_socket(t->ctx, ZMQ_DEALER);
    if (!t->socket)
        return px_fail_errno(err, "cannot make a ZeroMQ socket");
    if (link_set_options(t->socket, err) != 0)
        return -1;
    zmq_setsockopt(t->socket, ZMQ_RECONNECT_IVL, &ivl, sizeof ivl);
    zmq_setsockopt(t->socket, ZMQ_RECONNECT_IVL_MAX, &ivl_max, sizeof ivl_max);
    if (p->curve &&
        (zmq_setsockopt(t->socket, ZMQ_CURVE_SERVERKEY, p->keys.server, CURVE_Z85) != 0 ||
         zmq_setsockopt(t->socket, ZMQ_CURVE_PUBLICKEY, p->keys.public_key, CURVE_Z85) != 0 ||
         zmq_setsockopt(t->socket, ZMQ_CURVE_SECRETKEY, p->keys.secret_key, CURVE_Z85) != 0))
        return px_fail_errno(err, "cannot use the keys in %s", p->curve_dir);
    t->monitor = link_monitor(t->ctx, t->socket, "peer-monitor", err);
    if (!t->monitor)
        return -1;
    if (zmq_connect(t->socket, p->endpoint) != 0)
        return px_fail_errno(err, "cannot connect to %s", p->endpoint);
    return 0;
}

/* ---- what we say ---- */

static bool send_results(struct net *t)
{
    struct peer *p = t->p;
    struct px_buf body;
    struct wire_msg m = {.kind = WIRE_DONE};
    px_buf_init(&body, WIRE_BODY_LIMIT);
    pthread_mutex_lock(&p->lock);
    /* Unsent results are the last ones, unless everything is said again. */
    struct result *r = p->results_last;
    for (uint32_t k = p->n_unsent; k > 1 && r && r->prev; k--)
        r = r->prev;
    for (; r && p->n_unsent > 0 && m.n < DONE_UNITS && body.len < DONE_BYTES; r = r->next) {
        wire_pack_result(&body, r->lease, &r->key, r->rec, r->n);
        r->sent = true;
        p->n_unsent--;
        m.n++;
    }
    bool more = p->n_unsent > 0;
    pthread_mutex_unlock(&p->lock);
    if (m.n > 0) {
        m.body[0] = body.data;
        m.n_body[0] = body.len;
        link_send(t->socket, NULL, &m);
        t->last_resend = clk_now_us();
    }
    px_buf_clear(&body);
    return more;
}

static void send_remark(struct net *t, const struct remark *r)
{
    struct wire_msg m = {.kind = r->returned ? WIRE_RETRACT : WIRE_FAIL,
                         .lease = (int64_t)r->lease,
                         .n = 1,
                         .retryable = r->retryable,
                         .class_name = r->class_name,
                         .detail = r->detail};
    m.body[0] = (uint8_t *)(uintptr_t)r->key.b;
    m.n_body[0] = PX_DIGEST_SIZE;
    link_send(t->socket, NULL, &m);
}

static void send_remarks(struct net *t)
{
    struct peer *p = t->p;
    pthread_mutex_lock(&p->lock);
    struct remark *list = p->remarks;
    p->remarks = p->remarks_last = NULL;
    pthread_mutex_unlock(&p->lock);
    while (list) {
        struct remark *r = list;
        list = r->next;
        send_remark(t, r);
        free(r->class_name);
        free(r->detail);
        free(r);
    }
}

/* Results before credits: a place counts as free only after what filled it was said. */
static void send_news(struct net *t)
{
    struct peer *p = t->p;
    struct wire_msg ready = {.kind = WIRE_READY}, drain = {.kind = WIRE_DRAIN};
    if (!t->welcome)
        return;
    while (send_results(t))
        ;
    send_remarks(t);
    pthread_mutex_lock(&p->lock);
    bool say_ready = p->capacity_changed, say_drain = p->drain_changed;
    p->capacity_changed = p->drain_changed = false;
    ready.credits = p->capacity;
    pthread_mutex_unlock(&p->lock);
    if (say_drain) {
        drain.reason = (char *)(uintptr_t) "leaving";
        link_send(t->socket, NULL, &drain);
    }
    if (say_ready)
        link_send(t->socket, NULL, &ready);
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%*s %ld", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void send_beat(struct net *t, int64_t now)
{
    struct peer *p = t->p;
    t->last_beat = now;
    if (!t->connected)
        return;
    if (!t->welcome) {
        if (now - t->last_hello > HELLO_AGAIN_US)
            say_hello(t);
        return;
    }
    struct wire_msg m = {.kind = WIRE_BEAT, .rss = resident_bytes()};
    m.progress = (int64_t)(atomic_load_explicit(&p->progress, memory_order_relaxed) & INT64_MAX);
    pthread_mutex_lock(&p->lock);
    m.held = (int64_t)p->held.n;
    bool stuck = p->results && now - t->last_resend > RESEND_US;
    pthread_mutex_unlock(&p->lock);
    link_send(t->socket, NULL, &m);
    if (stuck)
        say_everything_again(p);
}

static void judge_silence(struct net *t, int64_t now)
{
    struct peer *p = t->p;
    char span[32];
    if (now - t->last_heard <= p->cfg.gone_after_us)
        return;
    snprintf(span, sizeof span, "%.0f s", (double)(now - t->last_heard) / 1e6);
    PX_FREE char *text = px_xasprintf("no coordinator was heard at %s for %s", p->endpoint, span);
    end_with(t, PEER_GONE, PX_ETIMEOUT, text);
}

/* One turn: waits for anything to happen, then reads all mail before it judges anybody. */
static void turn(struct net *t, int timeout_ms)
{
    uint64_t drop;
    zmq_pollitem_t item[3] = {{t->socket, 0, ZMQ_POLLIN, 0},
                              {t->monitor, 0, ZMQ_POLLIN, 0},
                              {NULL, t->p->to_thread, ZMQ_POLLIN, 0}};
    int64_t before = clk_now_us();
    zmq_poll(item, 3, timeout_ms);
    int64_t now = clk_now_us();
    if (now - before > STALL_US && now - t->last_heard > t->p->cfg.gone_after_us / 2)
        t->last_heard = now - t->p->cfg.gone_after_us / 2; /* it was we who slept */
    while (read(t->p->to_thread, &drop, sizeof drop) < 0 && errno == EINTR)
        ;
    read_monitor(t);
    read_mail(t);
    if (t->over)
        return;
    send_news(t);
    if (now - t->last_beat >= BEAT_US) {
        send_beat(t, now);
        judge_silence(t, now);
    }
}

static bool told_to_stop(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    bool stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return stop;
}

/* Waits a little for what is still unacknowledged, then says BYE. */
static void farewell(struct net *t)
{
    int64_t until = clk_now_us() + BYE_WAIT_US;
    int linger = 500;
    while (!t->over && t->welcome && clk_now_us() < until && peer_unacknowledged(t->p) > 0)
        turn(t, 20);
    if (t->over || !t->welcome)
        return;
    send_news(t);
    struct wire_msg bye = {.kind = WIRE_BYE, .reason = (char *)(uintptr_t) "leaving"};
    link_send(t->socket, NULL, &bye);
    zmq_setsockopt(t->socket, ZMQ_LINGER, &linger, sizeof linger);
}

void *peer_thread_main(void *arg)
{
    struct net t = {.p = arg};
    struct px_err err;
    t.last_heard = t.last_beat = t.last_resend = clk_now_us();
    if (open_socket(&t, &err) != 0)
        end_with(&t, PEER_REFUSED, err.code, err.text);
    while (!t.over && !told_to_stop(t.p))
        turn(&t, 250);
    farewell(&t);
    link_close(t.socket, t.monitor);
    if (t.ctx)
        zmq_ctx_term(t.ctx);
    forget_jobs(&t);
    return NULL;
}
