#include "worker/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "worker/stage/import.h"

enum {
    LIGHT_PLACES = 512, /* replay and noop: units weigh nothing */
    MAX_DONE = 64,
    N_BACKENDS = BACKEND_NOOP + 1,
    IDLE_MS = 1000,
};

/* The job head of one WORK message, shared by its units. */
struct head {
    struct job *job;
    uint32_t refs;
};

struct held {
    struct held *next;
    struct head *head;
    struct unit unit;
    uint64_t lease;
    uint64_t ticket; /* 0: queued */
    uint32_t attempt;
    int64_t arrived_us;
    int64_t started_us;
};

struct session {
    const struct session_config *cfg;
    struct peer *peer;
    struct backend *backends[N_BACKENDS]; /* made when first needed */
    uint32_t running[N_BACKENDS];
    struct held *first, **last; /* in order of arrival */
    uint32_t n_held;
    uint32_t n_running;
    uint32_t announced; /* free places said last; UINT32_MAX: none yet */
    uint32_t rows;
    bool light; /* the last work was for replay or noop */
    bool draining;
    bool over;
    uint64_t next_ticket;
    uint64_t stage_progress;
    char host[65];
};

/* ---- held units ---- */

static void drop_head(struct head *h)
{
    if (--h->refs == 0) {
        job_clear(h->job);
        free(h->job);
        free(h);
    }
}

/* Takes the unit out of the list and frees it. */
static void forget(struct session *s, struct held **at)
{
    struct held *u = *at;
    *at = u->next;
    if (s->last == &u->next)
        s->last = at;
    if (u->ticket) {
        s->n_running--;
        s->running[u->head->job->backend]--;
    }
    s->n_held--;
    unit_clear(&u->unit);
    drop_head(u->head);
    free(u);
}

static struct held **find_key(struct session *s, const struct px_digest *key)
{
    for (struct held **at = &s->first; *at; at = &(*at)->next)
        if (px_digest_eq(&(*at)->unit.key, key))
            return at;
    return NULL;
}

static struct held **find_ticket(struct session *s, uint64_t ticket)
{
    for (struct held **at = &s->first; *at; at = &(*at)->next)
        if ((*at)->ticket == ticket)
            return at;
    return NULL;
}

/* ---- backends ---- */

static struct backend *backend_of(struct session *s, enum backend_kind kind, struct px_err *err)
{
    struct backend **b = &s->backends[kind];
    if (!*b) {
        if (kind == BACKEND_NATIVE)
            *b = backend_native_new(&s->cfg->backend, err);
        else if (kind == BACKEND_REPLAY)
            *b = backend_replay_new(&s->cfg->backend, err);
        else
            *b = backend_noop_new(&s->cfg->backend, err);
    }
    return *b;
}

static void report_progress(struct session *s)
{
    uint64_t total = s->stage_progress;
    for (int i = 0; i < N_BACKENDS; i++)
        if (s->backends[i])
            total += s->backends[i]->progress(s->backends[i]->self);
    peer_progress(s->peer, total);
}

/* ---- results ---- */

static uint64_t private_bytes(void)
{
    char *text;
    size_t len;
    uint64_t bytes = 0;
    if (px_read_file("/proc/self/status", 1 << 16, &text, &len, NULL) == 0) {
        const char *at = strstr(text, "RssAnon:");
        if (at)
            bytes = strtoull(at + 8, NULL, 10) * 1024;
        free(text);
    }
    return bytes;
}

static void replace_text(char **field, const char *value)
{
    free(*field);
    *field = px_xstrdup(value);
}

/* What was merely observed; the backend has filled what only it knows. */
static void observe(struct session *s, const struct held *u, struct completion *c, uint64_t rss)
{
    replace_text(&c->host, s->host);
    replace_text(&c->worker, peer_id(s->peer));
    replace_text(&c->backend, backend_kind_name(u->head->job->backend));
    replace_text(&c->build, s->cfg->build);
    if (!c->isa)
        replace_text(&c->isa, s->cfg->peer.isa);
    c->attempts = u->attempt;
    c->queue_s = (double)(u->started_us - u->arrived_us) / 1e6;
    c->rss_bytes = rss;
    c->wall_us = clk_wall_us();
}

static void send_completion(struct session *s, const struct held *u, struct completion *c,
                            uint64_t rss)
{
    struct px_buf rec;
    observe(s, u, c, rss);
    px_buf_init(&rec, UNIT_LIMIT);
    completion_encode(c, &rec);
    if (rec.overflow)
        peer_fail(s->peer, u->lease, &u->unit.key, false, "too-large",
                  "the completion is larger than a message may be");
    else
        peer_done(s->peer, u->lease, &u->unit.key, rec.data, rec.len);
    px_buf_clear(&rec);
}

static void send_failure(struct session *s, const struct held *u, bool retryable,
                         const struct px_err *err)
{
    px_log(PX_WARN, "unit-failed", "problem=%s %s", u->unit.problem, err->text);
    /* A model that is not on this host may be on another one. */
    bool missing = err->code == PX_EMISSING;
    peer_fail(s->peer, u->lease, &u->unit.key, retryable || missing,
              missing                  ? "model"
              : err->code == PX_ELIMIT ? "limit"
                                       : "backend",
              err->text);
}

/* ---- work ---- */

static void take_work(struct session *s, struct peer_event *ev)
{
    struct head *h = px_xcalloc(1, sizeof *h);
    h->job = ev->job;
    h->refs = ev->n + 1;
    s->light = ev->job->backend != BACKEND_NATIVE;
    for (uint32_t i = 0; i < ev->n; i++) {
        struct held *u = px_xcalloc(1, sizeof *u);
        u->head = h;
        u->unit = ev->units[i];
        u->lease = ev->lease;
        u->attempt = ev->attempts ? ev->attempts[i] : 1;
        u->arrived_us = clk_now_us();
        *s->last = u;
        s->last = &u->next;
        s->n_held++;
    }
    drop_head(h);
    free(ev->units);
    free(ev->attempts);
}

static void give_back(struct session *s, const struct px_digest *key)
{
    struct held **at = find_key(s, key);
    if (at && !(*at)->ticket) {
        peer_return(s->peer, (*at)->lease, key);
        forget(s, at);
    }
}

static void cancel(struct session *s, const struct px_digest *key)
{
    struct held **at = find_key(s, key);
    if (!at)
        return;
    if ((*at)->ticket) {
        struct backend *b = s->backends[(*at)->head->job->backend];
        b->cancel(b->self, (*at)->ticket);
    }
    forget(s, at);
}

static void start_drain(struct session *s)
{
    if (s->draining)
        return;
    s->draining = true;
    peer_drain(s->peer);
    for (struct held **at = &s->first; *at;) {
        if ((*at)->ticket) {
            at = &(*at)->next;
            continue;
        }
        peer_return(s->peer, (*at)->lease, &(*at)->unit.key);
        forget(s, at);
    }
}

/* Stages run alone on the session's thread; the peer's thread keeps the heartbeat. */
static void stage_tick(void *ctx, uint64_t done)
{
    struct session *s = ctx;
    s->stage_progress = done > s->stage_progress ? done : s->stage_progress + 1;
    report_progress(s);
}

static void run_import(struct session *s, struct held **at)
{
    struct held *u = *at;
    struct completion c = {0};
    struct px_err err;
    u->started_us = clk_now_us();
    if (stage_import(u->head->job, &u->unit, stage_tick, s, &c, &err) == 0)
        send_completion(s, u, &c, private_bytes());
    else
        send_failure(s, u, err.code == PX_EIO, &err);
    completion_clear(&c);
    forget(s, at);
}

/* Starts queued units, first come first served, while their backend has rows. */
static void start_units(struct session *s)
{
    bool full[N_BACKENDS] = {false};
    for (struct held **at = &s->first; *at;) {
        struct held *u = *at;
        struct job *job = u->head->job;
        struct px_err err;
        if (u->ticket || full[job->backend]) {
            at = &u->next;
            continue;
        }
        if (job->kind == UNIT_IMPORT) {
            run_import(s, at);
            continue;
        }
        struct backend *b = backend_of(s, job->backend, &err);
        if (b && b->credits(b->self, job) == 0 && s->running[job->backend]) {
            full[job->backend] = true;
            at = &u->next;
            continue;
        }
        uint64_t ticket = ++s->next_ticket;
        if (!b || b->submit(b->self, job, &u->unit, ticket, &err) != 0) {
            send_failure(s, u, false, &err);
            forget(s, at);
            continue;
        }
        u->ticket = ticket;
        u->started_us = clk_now_us();
        s->n_running++;
        s->running[job->backend]++;
        at = &u->next;
    }
}

static int step_backend(struct session *s, struct backend *b, struct px_err *err)
{
    struct backend_done done[MAX_DONE];
    int n = b->step(b->self, done, MAX_DONE, err);
    if (n < 0)
        return -1;
    uint64_t rss = n ? private_bytes() : 0;
    for (int i = 0; i < n; i++) {
        struct held **at = find_ticket(s, done[i].ticket);
        px_assert(at);
        if (done[i].failed)
            send_failure(s, *at, done[i].retryable, &done[i].err);
        else
            send_completion(s, *at, &done[i].completion, rss);
        completion_clear(&done[i].completion);
        forget(s, at);
    }
    return 0;
}

static int step_backends(struct session *s, struct px_err *err)
{
    for (int i = 0; i < N_BACKENDS; i++)
        if (s->running[i] && step_backend(s, s->backends[i], err) != 0)
            return px_wrap(err, "backend %s", s->backends[i]->name);
    return 0;
}

/* ---- the loop ---- */

static void announce(struct session *s)
{
    /* A quarter more than the rows, so that a freed row need not wait for a round trip. */
    uint32_t places = s->light ? LIGHT_PLACES : s->rows + (s->rows + 3) / 4;
    uint32_t held_now = s->n_held < places ? s->n_held : places;
    uint32_t free_places = s->draining ? 0 : places - held_now;
    if (free_places != s->announced) {
        s->announced = free_places;
        peer_ready(s->peer, free_places);
    }
}

static int handle(struct session *s, struct peer_event *ev, struct px_err *err)
{
    switch (ev->kind) {
    case PEER_NONE:
        break;
    case PEER_WORK:
        take_work(s, ev);
        if (s->draining) {
            s->draining = false; /* crossed on the wire: give it back the same way */
            start_drain(s);
        }
        break;
    case PEER_RETRACT:
        for (uint32_t i = 0; i < ev->n; i++)
            give_back(s, &ev->keys[i]);
        free(ev->keys);
        break;
    case PEER_CANCEL:
        for (uint32_t i = 0; i < ev->n; i++)
            cancel(s, &ev->keys[i]);
        free(ev->keys);
        break;
    case PEER_DRAIN:
        start_drain(s);
        break;
    case PEER_REFUSED:
        *err = ev->err;
        return -1;
    case PEER_GONE:
        s->over = true;
        if (ev->err.code != PX_OK) {
            *err = ev->err;
            return -1;
        }
        break;
    }
    return 0;
}

/* Waits for the peer or a signal. A first signal drains, a second one leaves. */
static void wait_for_events(struct session *s, int signals, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = peer_fd(s->peer), .events = POLLIN},
                            {.fd = signals, .events = POLLIN}};
    if (poll(fds, 2, timeout_ms) <= 0 || !(fds[1].revents & POLLIN))
        return;
    struct signalfd_siginfo si;
    while (read(signals, &si, sizeof si) == (ssize_t)sizeof si) {
        if (s->draining)
            s->over = true;
        start_drain(s);
    }
}

static bool time_is_up(const struct session *s)
{
    int64_t end = s->cfg->peer.end_time_us;
    return end > 0 && clk_wall_us() >= end;
}

static int loop(struct session *s, int signals, struct px_err *err)
{
    while (!s->over) {
        struct peer_event ev;
        announce(s);
        wait_for_events(s, signals, s->n_running ? 0 : IDLE_MS);
        do {
            peer_poll(s->peer, 0, &ev);
            if (handle(s, &ev, err) != 0)
                return -1;
        } while (ev.kind != PEER_NONE && !s->over);
        if (time_is_up(s))
            start_drain(s);
        start_units(s);
        if (step_backends(s, err) != 0)
            return -1;
        report_progress(s);
        if (s->draining && s->n_held == 0)
            break;
    }
    return 0;
}

static void session_clear(struct session *s)
{
    for (struct held **at = &s->first; *at;) {
        if ((*at)->ticket) {
            struct backend *b = s->backends[(*at)->head->job->backend];
            b->cancel(b->self, (*at)->ticket);
        }
        forget(s, at);
    }
    for (int i = 0; i < N_BACKENDS; i++)
        if (s->backends[i]) {
            s->backends[i]->free(s->backends[i]->self);
            free(s->backends[i]);
        }
}

int session_run(const struct session_config *cfg, struct px_err *err)
{
    struct session s = {.cfg = cfg, .announced = UINT32_MAX};
    struct peer_config pc = cfg->peer;
    sigset_t set;
    s.last = &s.first;
    s.rows = cfg->backend.max_rows ? cfg->backend.max_rows : BACKEND_ROWS;
    gethostname(s.host, sizeof s.host - 1);
    pc.credits = s.rows + (s.rows + 3) / 4;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    PX_CLOSE int signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals < 0)
        return px_fail_errno(err, "cannot watch signals");
    s.peer = peer_new(&pc, err);
    if (!s.peer)
        return -1;
    int rc = loop(&s, signals, err);
    session_clear(&s);
    peer_free(&s.peer);
    return rc;
}
