/* hall_roster.c - the peers of the hall: how they come, what they say, how they are lost. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <zmq.h>

#include "coordinator/dispatch/hall_internal.h"
#include "proto/clock.h"
#include "proto/log.h"
#include "proto/mem.h"

enum {
    BEAT_US = 1000000,
    PROBE_US = 100000,     /* after a connection was cut, until it is asked for */
    CUT_GRACE_US = 500000, /* until its peer on another host is given up */
    MAIL_PER_TURN = 512,
    MAX_CHILD_DEATHS = 16,
    MAX_STILLBORN = 6 /* in a row, of one program */
};

/* ---- the roster ---- */

static uint32_t find_peer(const struct hall *h, const void *socket, const struct link_identity *id)
{
    for (uint32_t i = 0; i < h->n_roster; i++) {
        const struct roster_peer *p = &h->roster[i];
        if (p->used && p->socket == socket && p->to.n == id->n &&
            memcmp(p->to.b, id->b, id->n) == 0)
            return i;
    }
    return SCHED_NONE;
}

static uint32_t find_name(const struct hall *h, const char *name)
{
    for (uint32_t i = 0; i < h->n_roster; i++)
        if (h->roster[i].used && strcmp(h->roster[i].name, name) == 0)
            return i;
    return SCHED_NONE;
}

static void clear_peer(struct roster_peer *p)
{
    free(p->name);
    free(p->host);
    free(p->program);
    free(p->knows);
    px_buf_clear(&p->acks);
    memset(p, 0, sizeof *p);
}

void hall_clear_roster(struct hall *h)
{
    for (uint32_t i = 0; i < h->n_roster; i++)
        if (h->roster[i].used)
            clear_peer(&h->roster[i]);
    free(h->roster);
    h->roster = NULL;
    h->n_roster = h->cap_roster = 0;
}

static void remember_death(struct hall *h, const struct roster_peer *p, enum sched_end how,
                           const char *why)
{
    struct last_words *w = &h->death;
    snprintf(w->peer, sizeof w->peer, "%s", p->name);
    snprintf(w->host, sizeof w->host, "%s", p->host);
    snprintf(w->class_name, sizeof w->class_name, "%s", sched_end_name(how));
    snprintf(w->detail, sizeof w->detail, "%s", why);
    w->rss = p->rss;
}

static void lose(struct hall *h, uint32_t peer, enum sched_end how, const char *why, uint32_t held)
{
    struct roster_peer *p = &h->roster[peer];
    bool planned = how == SCHED_LEFT;
    px_log(planned ? PX_INFO : PX_WARN, planned ? "peer-left" : "peer-lost",
           "peer=%s program=%s how=%s held=%u %s", p->name, p->program, sched_end_name(how), held,
           why);
    if (!planned) {
        remember_death(h, p, how, why);
        h->deaths += (p->roles & ROLE_GENERATE) != 0;
    }
    pid_t pid = p->pid;
    clear_peer(p);
    /* A child of ours that is silent or hangs makes room for a fresh one. */
    if (pid > 0 && (how == SCHED_SILENT || how == SCHED_HUNG))
        local_kill(h->local, pid);
}

void hall_lose(struct hall *h, uint32_t peer, enum sched_end how, const char *why, int64_t now)
{
    lose(h, peer, how, why, sched_in_flight(h->sched, peer));
    sched_remove(h->sched, peer, how, now);
}

void hall_lost(struct hall *h, uint32_t peer, enum sched_end how, uint32_t held)
{
    lose(h, peer, how,
         how == SCHED_SILENT ? "it was not heard any more" : "it made no progress any more", held);
}

void hall_say_bye(struct hall *h, const char *reason)
{
    struct wire_msg m = {.kind = WIRE_BYE, .reason = (char *)(uintptr_t)reason};
    for (uint32_t i = 0; i < h->n_roster; i++)
        if (h->roster[i].used)
            link_send(h->roster[i].socket, &h->roster[i].to, &m);
}

/* ---- HELLO ---- */

static void refuse(void *socket, const struct link_identity *to, const char *reason)
{
    struct wire_msg m = {.kind = WIRE_REFUSED, .reason = (char *)(uintptr_t)reason};
    px_log(PX_WARN, "refused", "%s", reason);
    link_send(socket, to, &m);
}

static uint64_t host_number(const char *host)
{
    struct px_digest d = px_sha256(host, strlen(host));
    return px_load_u64(d.b);
}

static bool acceptable(void *socket, const struct link_identity *from, const struct wire_msg *m)
{
    const int64_t all = ROLE_GENERATE | ROLE_SCORE | ROLE_STAGE;
    char text[256];
    if (m->numerics != PX_NUMERICS_VERSION) {
        snprintf(text, sizeof text,
                 "%.16s of another build (%.32s): its numerics version is %" PRId64
                 ", this coordinator's (%s) is %d; install the same version on both sides",
                 m->program, m->build, m->numerics, PROCTOR_VERSION, PX_NUMERICS_VERSION);
        refuse(socket, from, text);
        return false;
    }
    if (m->roles <= 0 || (m->roles & ~all) || m->credits < 0 || m->credits > 1 << 20 || !m->id[0]) {
        refuse(socket, from, "a HELLO without roles, with unknown ones or with senseless credits");
        return false;
    }
    return true;
}

static uint32_t join(struct hall *h, const struct wire_msg *m, int64_t now)
{
    struct sched_peer info = {.roles = (unsigned)m->roles,
                              .host = host_number(m->host),
                              .credits = (uint32_t)m->credits,
                              .end_us = INT64_MAX};
    if (m->end_time_us > 0)
        info.end_us = now + (m->end_time_us - clk_wall_us());
    uint32_t i = sched_join(h->sched, &info, now);
    while (i >= h->n_roster) {
        PX_GROW(h->roster, h->n_roster, h->cap_roster);
        memset(&h->roster[h->n_roster++], 0, sizeof *h->roster);
    }
    return i;
}

static void adopt_held(struct hall *h, uint32_t peer, const struct wire_msg *m, int64_t now)
{
    struct px_digest *keys;
    struct px_err err;
    if (wire_unpack_keys(m->body[0], m->n_body[0], m->n, &keys, &err) != 0) {
        px_log(PX_WARN, "bad message", "peer=%s %s", m->id, err.text);
        return;
    }
    for (int64_t k = 0; k < m->n; k++)
        sched_holds(h->sched, peer, &keys[k], now);
    free(keys);
}

static void got_hello(struct hall *h, void *socket, const struct link_identity *from, int fd,
                      const struct wire_msg *m, int64_t now)
{
    if (!m->id || !acceptable(socket, from, m))
        return;
    uint32_t old = find_name(h, m->id);
    if (old != SCHED_NONE) /* the same life over a new connection, or a HELLO said twice */
        hall_lose(h, old, SCHED_LEFT, "says HELLO again", now);
    uint32_t i = join(h, m, now);
    struct roster_peer *p = &h->roster[i];
    bool here = strcmp(m->host, h->own_host) == 0;
    *p = (struct roster_peer){.used = true,
                              .socket = socket,
                              .to = *from,
                              .name = px_xstrdup(m->id),
                              .host = px_xstrdup(m->host),
                              .program = px_xstrdup(m->program),
                              .roles = (unsigned)m->roles,
                              .fd = fd,
                              .heard_us = now};
    if (here && m->pid > 0 && m->pid <= INT32_MAX && local_is_mine(h->local, (pid_t)m->pid))
        p->pid = (pid_t)m->pid;
    if (p->pid)
        h->stillborn[(p->roles & ROLE_SCORE) == 0] = 0;
    px_buf_init(&p->acks, (size_t)WIRE_MAX_UNITS * PX_DIGEST_SIZE);
    struct wire_msg w = {
        .kind = WIRE_WELCOME, .id = h->own_id, .build = (char *)(uintptr_t)PROCTOR_VERSION};
    link_send(socket, from, &w);
    px_log(PX_INFO, "peer-joined",
           "peer=%s program=%s pid=%" PRId64 " roles=%u credits=%" PRId64
           " isa=%s build=%s holds=%" PRId64,
           p->name, p->program, m->pid, p->roles, m->credits, m->isa, m->build, m->n);
    adopt_held(h, i, m, now);
}

/* ---- other messages ---- */

static void got_status(struct hall *h, void *socket, const struct link_identity *from)
{
    struct px_buf b;
    px_buf_init(&b, WIRE_JSON_LIMIT / 4);
    hall_progress_json(&h->counts, &b);
    struct wire_msg m = {.kind = WIRE_STATUS, .progress_json = (char *)b.data};
    link_send(socket, from, &m);
    px_buf_clear(&b);
}

static void got_beat(struct hall *h, uint32_t peer, const struct wire_msg *m, int64_t now)
{
    struct roster_peer *p = &h->roster[peer];
    uint64_t total = (uint64_t)m->progress;
    if (total > p->progress && (p->roles & ROLE_GENERATE))
        h->tokens += total - p->progress;
    p->progress = total;
    p->rss = m->rss;
    sched_progress(h->sched, peer, total, now);
}

static void got_returned(struct hall *h, uint32_t peer, const struct wire_msg *m, int64_t now)
{
    struct px_digest *keys;
    if (wire_unpack_keys(m->body[0], m->n_body[0], m->n, &keys, NULL) != 0)
        return;
    for (int64_t k = 0; k < m->n; k++)
        sched_returned(h->sched, peer, &keys[k], now);
    free(keys);
}

static void got_from_peer(struct hall *h, uint32_t peer, const struct wire_msg *m, int64_t now)
{
    switch (m->kind) {
    case WIRE_READY:
        if (m->credits >= 0 && m->credits <= 1 << 20)
            sched_credits(h->sched, peer, (uint32_t)m->credits);
        return;
    case WIRE_FAIL:
        hall_got_fail(h, peer, m, now);
        return;
    case WIRE_BEAT:
        got_beat(h, peer, m, now);
        return;
    case WIRE_RETRACT:
        got_returned(h, peer, m, now);
        return;
    case WIRE_DRAIN:
        px_log(PX_INFO, "peer-drains", "peer=%s %s", h->roster[peer].name, m->reason);
        sched_drain(h->sched, peer);
        return;
    case WIRE_BYE:
        hall_lose(h, peer, SCHED_LEFT, m->reason, now);
        return;
    case WIRE_HELLO:
    case WIRE_DONE:
    case WIRE_STATUS: /* handled by the caller */
    case WIRE_WELCOME:
    case WIRE_REFUSED:
    case WIRE_WORK:
    case WIRE_ACK:
    case WIRE_GET:
    case WIRE_PUT:
    case WIRE_N_KINDS:
        return; /* the coordinator's own words */
    }
}

static void got_message(struct hall *h, void *socket, const struct link_identity *from, int fd,
                        const struct wire_msg *m, int64_t now)
{
    uint32_t peer = find_peer(h, socket, from);
    if (peer != SCHED_NONE) {
        struct roster_peer *p = &h->roster[peer];
        p->fd = fd;
        p->cut_us = 0;
        p->heard_us = now;
        sched_heard(h->sched, peer, now);
    }
    if (m->kind == WIRE_HELLO) {
        got_hello(h, socket, from, fd, m, now);
    } else if (m->kind == WIRE_STATUS) {
        got_status(h, socket, from);
    } else if (m->kind == WIRE_DONE) { /* welcome from whoever */
        hall_got_results(h, peer, socket, from, m, now);
    } else if (peer != SCHED_NONE) {
        got_from_peer(h, peer, m, now);
    } else if (m->kind != WIRE_BYE) {
        struct wire_msg who = {.kind = WIRE_HELLO, .bare = true};
        link_send(socket, from, &who);
    }
}

static void got_bad(void *socket, const struct link_identity *from, const struct wire_msg *m,
                    const struct px_err *err)
{
    char text[256];
    if (err->code == PX_EVERSION && m->kind == WIRE_HELLO) {
        snprintf(text, sizeof text, "worker of another build: %.180s", err->text);
        refuse(socket, from, text);
    } else {
        px_log(PX_WARN, "bad message", "%s", err->text);
    }
}

int hall_read_mail(struct hall *h, int64_t now)
{
    int n = 0;
    for (int k = 0; k < HALL_N_SOCKETS; k++) {
        void *socket = h->socket[k];
        struct link_identity from;
        struct wire_msg m;
        struct px_err err;
        int fd;
        for (int i = 0; socket && i < MAIL_PER_TURN; i++) {
            enum link_got got = link_recv(socket, &from, &fd, &m, &err);
            if (got == LINK_NOTHING)
                break;
            n++;
            if (got == LINK_MESSAGE) {
                got_message(h, socket, &from, fd, &m, now);
                wire_clear(&m);
            } else {
                got_bad(socket, &from, &m, &err);
            }
        }
    }
    return n;
}

/* ---- losing peers ---- */

void hall_read_monitors(struct hall *h, int64_t now)
{
    uint16_t event;
    uint32_t value;
    for (int k = 0; k < HALL_N_SOCKETS; k++) {
        while (h->monitor[k] && link_event(h->monitor[k], &event, &value)) {
            if (event != ZMQ_EVENT_DISCONNECTED)
                continue;
            for (uint32_t i = 0; i < h->n_roster; i++) {
                struct roster_peer *p = &h->roster[i];
                if (p->used && p->socket == h->socket[k] && p->fd == (int)value && !p->cut_us)
                    p->cut_us = now;
            }
        }
    }
}

/* A cut connection is only a rumour (descriptors are used again): ROUTER knows for sure. */
void hall_probe(struct hall *h, int64_t now)
{
    struct wire_msg m = {.kind = WIRE_BEAT, .bare = true};
    for (uint32_t i = 0; i < h->n_roster; i++) {
        struct roster_peer *p = &h->roster[i];
        if (!p->used || !p->cut_us || now - p->cut_us < PROBE_US)
            continue;
        if (link_send(p->socket, &p->to, &m) == 0) {
            if (now - p->cut_us > CUT_GRACE_US)
                p->cut_us = 0; /* it stands */
            continue;
        }
        /* A child of ours that died is reaped; one that was stopped is judged by its silence. */
        if (p->pid == 0 && now - p->cut_us > CUT_GRACE_US)
            hall_lose(h, i, SCHED_CRASHED, "its connection ended", now);
    }
}

void hall_beat(struct hall *h, int64_t now)
{
    struct wire_msg m = {.kind = WIRE_BEAT, .bare = true};
    if (now - h->beat_us < BEAT_US)
        return;
    h->beat_us = now;
    for (uint32_t i = 0; i < h->n_roster; i++) {
        struct roster_peer *p = &h->roster[i];
        if (p->used && link_send(p->socket, &p->to, &m) != 0 && !p->cut_us)
            p->cut_us = now;
    }
}

/* How often the kernel has killed for memory on this host; 0 when it does not say. */
uint64_t hall_read_oom_kills(void)
{
    char name[64];
    unsigned long long v, found = 0;
    FILE *f = fopen("/proc/vmstat", "re");
    if (!f)
        return 0;
    while (fscanf(f, "%63s %llu", name, &v) == 2)
        if (strcmp(name, "oom_kill") == 0)
            found = v;
    fclose(f);
    return found;
}

static enum sched_end how_it_died(struct hall *h, int status)
{
    uint64_t oom = hall_read_oom_kills();
    bool for_memory = oom != h->oom_kills;
    h->oom_kills = oom;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !for_memory)
        return SCHED_KILLED;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? SCHED_LEFT : SCHED_CRASHED;
}

/* A program that ends again and again before it says HELLO will not do better. */
static void never_joined(struct hall *h, const struct local_death *d, const char *why,
                         enum sched_end how)
{
    const char *program = d->worker ? "worker" : "tester";
    px_log(PX_WARN, "child-lost", "pid=%d program=%s %s", (int)d->pid, program, why);
    if (how == SCHED_KILLED || ++h->stillborn[d->worker] < MAX_STILLBORN)
        return;
    struct px_err err;
    px_fail(&err, PX_EUNSUPPORTED, "local %ss do not start on this host: %s", program, why);
    hall_fail(h, &err);
}

void hall_bury_children(struct hall *h, int64_t now)
{
    struct local_death dead[MAX_CHILD_DEATHS];
    int n = local_reap(h->local, now, dead, MAX_CHILD_DEATHS);
    for (int k = 0; k < n; k++) {
        char why[384];
        int s = dead[k].status;
        enum sched_end how = how_it_died(h, s);
        if (WIFSIGNALED(s))
            snprintf(why, sizeof why, "signal %d (%s): %s", WTERMSIG(s), strsignal(WTERMSIG(s)),
                     dead[k].words);
        else
            snprintf(why, sizeof why, "exit status %d: %s", WEXITSTATUS(s), dead[k].words);
        bool known = false;
        for (uint32_t i = 0; i < h->n_roster; i++) {
            if (h->roster[i].used && h->roster[i].pid == dead[k].pid) {
                hall_lose(h, i, how, why, now);
                known = true;
            }
        }
        if (!known && how != SCHED_LEFT)
            never_joined(h, &dead[k], why, how);
    }
}
