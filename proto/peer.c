#include "proto/peer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "proto/peer_internal.h"

static void ring(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void make_id(struct peer *p)
{
    uint8_t r[8];
    gethostname(p->host, sizeof p->host - 1);
    for (char *c = p->host; *c; c++)
        if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e)
            *c = '_';
    px_random_bytes(r, sizeof r);
    snprintf(p->id, sizeof p->id, "%.24s-%d-%02x%02x%02x%02x%02x%02x%02x%02x", p->host,
             (int)getpid(), r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
}

static int check_endpoint(struct peer *p, struct px_err *err)
{
    if (strncmp(p->endpoint, "ipc://", 6) == 0 && p->endpoint[6] == '/')
        return 0;
    const char *port = strrchr(p->endpoint, ':');
    if (strncmp(p->endpoint, "tcp://", 6) != 0 || port <= p->endpoint + 6)
        return px_fail(err, PX_EUSAGE, "endpoint '%s' is neither ipc:///path nor tcp://host:port",
                       p->endpoint);
    if (!p->curve_dir)
        return px_fail(err, PX_EUSAGE,
                       "endpoint '%s' needs keys: say where client.key is (--curve-dir)",
                       p->endpoint);
    p->curve = true;
    return curve_client_load(p->curve_dir, &p->keys, err);
}

static int start_thread(struct peer *p, struct px_err *err)
{
    sigset_t all, old;
    sigfillset(&all); /* signals are for the caller's thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&p->thread, NULL, peer_thread_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? 0 : px_fail(err, PX_EIO, "cannot start a thread: %s", strerror(rc));
}

static void discard(struct peer *p)
{
    if (p->to_caller >= 0)
        close(p->to_caller);
    if (p->to_thread >= 0)
        close(p->to_thread);
    pthread_mutex_destroy(&p->lock);
    free(p->endpoint);
    free(p->program);
    free(p->isa);
    free(p->curve_dir);
    free(p);
}

struct peer *peer_new(const struct peer_config *cfg, struct px_err *err)
{
    struct peer *p = px_xcalloc(1, sizeof *p);
    p->cfg = *cfg;
    p->endpoint = px_xstrdup(cfg->endpoint);
    p->program = px_xstrdup(cfg->program ? cfg->program : "worker");
    p->isa = px_xstrdup(cfg->isa ? cfg->isa : "");
    p->curve_dir = cfg->curve_dir ? px_xstrdup(cfg->curve_dir) : NULL;
    p->capacity = cfg->credits;
    p->to_caller = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->to_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&p->lock, NULL);
    keymap_init(&p->held);
    keymap_init(&p->result_of);
    if (p->cfg.gone_after_us <= 0)
        p->cfg.gone_after_us = 60 * INT64_C(1000000);
    make_id(p);
    if (p->to_caller < 0 || p->to_thread < 0)
        px_fail_errno(err, "cannot make an eventfd");
    else if (check_endpoint(p, err) == 0 && start_thread(p, err) == 0)
        return p;
    discard(p);
    return NULL;
}

static void clear_event(struct peer_event *ev)
{
    if (ev->job) {
        job_clear(ev->job);
        free(ev->job);
    }
    for (uint32_t i = 0; ev->units && i < ev->n; i++)
        unit_clear(&ev->units[i]);
    free(ev->units);
    free(ev->attempts);
    free(ev->keys);
}

void peer_free(struct peer **pp)
{
    struct peer *p = *pp;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_mutex_unlock(&p->lock);
    ring(p->to_thread);
    pthread_join(p->thread, NULL);
    while (p->events) {
        struct queued_event *e = p->events;
        p->events = e->next;
        clear_event(&e->ev);
        free(e);
    }
    while (p->results)
        peer_forget_result(p, p->results);
    while (p->remarks) {
        struct remark *r = p->remarks;
        p->remarks = r->next;
        free(r->class_name);
        free(r->detail);
        free(r);
    }
    keymap_clear(&p->held);
    keymap_clear(&p->result_of);
    discard(p);
    *pp = NULL;
}

int peer_fd(const struct peer *p)
{
    return p->to_caller;
}

/* Units become the caller's when their event is handed over, and cease to be when cancelled. */
static void account(struct peer *p, const struct peer_event *ev)
{
    for (uint32_t i = 0; i < ev->n; i++) {
        if (ev->kind == PEER_WORK)
            keymap_put(&p->held, &ev->units[i].key, ev->lease);
        else if (ev->kind == PEER_CANCEL)
            keymap_take(&p->held, &ev->keys[i], NULL);
    }
}

static bool take_event(struct peer *p, struct peer_event *out)
{
    uint64_t drop;
    pthread_mutex_lock(&p->lock);
    struct queued_event *e = p->events;
    if (e) {
        p->events = e->next;
        if (!p->events)
            p->events_last = NULL;
        account(p, &e->ev);
    }
    if (!p->events) /* nothing left: not readable any more */
        while (read(p->to_caller, &drop, sizeof drop) < 0 && errno == EINTR)
            ;
    pthread_mutex_unlock(&p->lock);
    if (!e)
        return false;
    *out = e->ev;
    free(e);
    return true;
}

void peer_poll(struct peer *p, int timeout_ms, struct peer_event *out)
{
    struct pollfd pfd = {.fd = p->to_caller, .events = POLLIN};
    memset(out, 0, sizeof *out);
    if (take_event(p, out) || timeout_ms == 0)
        return;
    if (poll(&pfd, 1, timeout_ms) > 0)
        take_event(p, out);
}

void peer_ready(struct peer *p, uint32_t free_places)
{
    pthread_mutex_lock(&p->lock);
    uint32_t capacity = (uint32_t)p->held.n + free_places;
    bool changed = capacity != p->capacity;
    if (changed) {
        p->capacity = capacity;
        p->capacity_changed = true;
    }
    pthread_mutex_unlock(&p->lock);
    if (changed)
        ring(p->to_thread);
}

void peer_done(struct peer *p, uint64_t lease, const struct px_digest *key, const void *record,
               size_t n)
{
    struct result *r = px_xcalloc(1, sizeof *r);
    r->key = *key;
    r->lease = lease;
    r->rec = px_xmemdup(record, n);
    r->n = (uint32_t)n;
    uint64_t old;
    pthread_mutex_lock(&p->lock);
    keymap_take(&p->held, key, NULL);
    if (keymap_get(&p->result_of, key, &old)) /* the same unit again: the bits are the same */
        peer_forget_result(p, (struct result *)(uintptr_t)old);
    r->prev = p->results_last;
    if (p->results_last)
        p->results_last->next = r;
    else
        p->results = r;
    p->results_last = r;
    keymap_put(&p->result_of, key, (uint64_t)(uintptr_t)r);
    bool first = p->n_unsent++ == 0;
    pthread_mutex_unlock(&p->lock);
    if (first)
        ring(p->to_thread);
}

void peer_forget_result(struct peer *p, struct result *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        p->results = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        p->results_last = r->prev;
    keymap_take(&p->result_of, &r->key, NULL);
    p->n_unsent -= !r->sent;
    free(r->rec);
    free(r);
}

static void say(struct peer *p, struct remark *r)
{
    pthread_mutex_lock(&p->lock);
    keymap_take(&p->held, &r->key, NULL);
    if (p->remarks_last)
        p->remarks_last->next = r;
    else
        p->remarks = r;
    p->remarks_last = r;
    pthread_mutex_unlock(&p->lock);
    ring(p->to_thread);
}

void peer_fail(struct peer *p, uint64_t lease, const struct px_digest *key, bool retryable,
               const char *class_name, const char *detail)
{
    struct remark *r = px_xcalloc(1, sizeof *r);
    r->retryable = retryable;
    r->lease = lease;
    r->key = *key;
    r->class_name = px_xstrdup(class_name);
    r->detail = px_xstrdup(detail);
    say(p, r);
}

void peer_return(struct peer *p, uint64_t lease, const struct px_digest *key)
{
    struct remark *r = px_xcalloc(1, sizeof *r);
    r->returned = true;
    r->lease = lease;
    r->key = *key;
    say(p, r);
}

void peer_drain(struct peer *p)
{
    pthread_mutex_lock(&p->lock);
    bool first = !p->draining;
    p->draining = p->drain_changed = true;
    pthread_mutex_unlock(&p->lock);
    if (first)
        ring(p->to_thread);
}

void peer_progress(struct peer *p, uint64_t total)
{
    atomic_store_explicit(&p->progress, total, memory_order_relaxed);
}

uint32_t peer_unacknowledged(const struct peer *cp)
{
    struct peer *p = (struct peer *)(uintptr_t)cp;
    pthread_mutex_lock(&p->lock);
    uint32_t n = (uint32_t)p->result_of.n;
    pthread_mutex_unlock(&p->lock);
    return n;
}

const char *peer_id(const struct peer *p)
{
    return p->id;
}
