/* peer_net.c - the network thread of a peer: it owns the DEALER socket and talks to the
 * coordinator; it never waits for the caller, nor the caller for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/clock.h"
#include "proto/link.h"
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

void peer_push_event(struct peer_net *t, struct peer_event *ev)
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

void peer_end_with(struct peer_net *t, enum peer_event_kind kind, enum px_code code,
                   const char *text)
{
    if (t->over)
        return;
    struct peer_event ev = {.kind = kind};
    px_fail(&ev.err, code, "%s", text);
    t->over = true;
    peer_push_event(t, &ev);
}

/* ---- what happens to the connection ---- */

static void handshake_failed(struct peer_net *t, bool certain)
{
    struct peer *p = t->p;
    t->bad_handshakes++;
    if (!p->curve || (!certain && t->bad_handshakes < HANDSHAKE_TRIES))
        return;
    PX_FREE char *text = px_xasprintf("the coordinator at %s does not accept the keys in %s: copy "
                                      "the client.key of that coordinator there",
                                      p->endpoint, p->curve_dir);
    peer_end_with(t, PEER_REFUSED, PX_EINPUT, text);
}

static void read_monitor(struct peer_net *t)
{
    uint16_t event;
    uint32_t value;
    while (link_event(t->monitor, &event, &value)) {
        switch (event) {
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            t->bad_handshakes = 0;
            t->connected = true;
            peer_say_hello(t);
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

static int open_socket(struct peer_net *t, struct px_err *err)
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

static bool send_results(struct peer_net *t)
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

static void send_remark(struct peer_net *t, const struct remark *r)
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

static void send_remarks(struct peer_net *t)
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
static void send_news(struct peer_net *t)
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

static void send_beat(struct peer_net *t, int64_t now)
{
    struct peer *p = t->p;
    t->last_beat = now;
    if (!t->connected)
        return;
    if (!t->welcome) {
        if (now - t->last_hello > HELLO_AGAIN_US)
            peer_say_hello(t);
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
        peer_say_all_again(p);
}

static void judge_silence(struct peer_net *t, int64_t now)
{
    struct peer *p = t->p;
    char span[32];
    if (now - t->last_heard <= p->cfg.gone_after_us)
        return;
    snprintf(span, sizeof span, "%.0f s", (double)(now - t->last_heard) / 1e6);
    PX_FREE char *text = px_xasprintf("no coordinator was heard at %s for %s", p->endpoint, span);
    peer_end_with(t, PEER_GONE, PX_ETIMEOUT, text);
}

/* One turn: waits for anything to happen, then reads all mail before it judges anybody. */
static void turn(struct peer_net *t, int timeout_ms)
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
    peer_read_mail(t);
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
static void farewell(struct peer_net *t)
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
    struct peer_net t = {.p = arg};
    struct px_err err;
    t.last_heard = t.last_beat = t.last_resend = clk_now_us();
    if (open_socket(&t, &err) != 0)
        peer_end_with(&t, PEER_REFUSED, err.code, err.text);
    while (!t.over && !told_to_stop(t.p))
        turn(&t, 250);
    farewell(&t);
    link_close(t.socket, t.monitor);
    if (t.ctx)
        zmq_ctx_term(t.ctx);
    peer_forget_jobs(&t);
    return NULL;
}
