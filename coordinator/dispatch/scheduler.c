/* scheduler.c - what happened: units, peers, results, deaths. What follows is in sched_lease.c. */
#include "coordinator/dispatch/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/sched_internal.h"
#include "proto/mem.h"

void sched_config_default(struct sched_config *c)
{
    *c = (struct sched_config){.silence_us = 8000000,
                               .no_progress_us = 120000000,
                               .stall_us = 2000000,
                               .first_backoff_us = 1000000,
                               .last_backoff_us = 60000000,
                               .max_failures = 5,
                               .max_solo_deaths = 3};
}

struct scheduler *sched_new(const struct sched_config *cfg)
{
    struct scheduler *s = px_xcalloc(1, sizeof *s);
    s->cfg = *cfg;
    s->next_lease = 1;
    s->ticked_us = -1;
    return s;
}

void sched_free(struct scheduler **sp)
{
    struct scheduler *s = *sp;
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n_jobs; i++) {
        free(s->jobs[i].ready.a);
        free(s->jobs[i].suspects.a);
    }
    for (uint32_t i = 0; i < s->n_peers; i++)
        free(s->peers[i].units);
    free(s->units);
    free(s->free_units);
    free(s->jobs);
    free(s->busy_jobs);
    free(s->delayed.a);
    free(s->peers);
    free(s->events);
    free(s->out_units);
    free(s->out_attempts);
    free(s);
    *sp = NULL;
}

/* ---- units and their states ---- */

static void list_job(struct scheduler *s, uint32_t job)
{
    if (s->jobs[job].listed)
        return;
    PX_GROW(s->busy_jobs, s->n_busy, s->cap_busy);
    s->busy_jobs[s->n_busy++] = job;
    s->jobs[job].listed = true;
}

static struct sched_heap *heap_of(struct scheduler *s, const struct sched_unit *u)
{
    if (u->state == S_DELAYED)
        return &s->delayed;
    struct sched_job *j = &s->jobs[u->job];
    return u->group ? &j->suspects : &j->ready;
}

void sched_move(struct scheduler *s, uint32_t unit, enum sched_state to)
{
    struct sched_unit *u = &s->units[unit];
    if (u->state == S_READY || u->state == S_DELAYED)
        heap_remove(s, heap_of(s, u), unit);
    s->by_state[u->state]--;
    s->by_state[to]++;
    u->state = (uint8_t)to;
    if (to == S_READY || to == S_DELAYED)
        heap_push(s, heap_of(s, u), unit);
    if (to == S_READY)
        list_job(s, u->job);
}

void sched_add_job(struct scheduler *s, uint32_t job, enum peer_role role,
                   const struct px_digest *model)
{
    while (s->n_jobs <= job) {
        PX_GROW(s->jobs, s->n_jobs, s->cap_jobs);
        memset(&s->jobs[s->n_jobs++], 0, sizeof *s->jobs);
    }
    s->jobs[job].role = role;
    s->jobs[job].model = *model;
}

uint32_t sched_add(struct scheduler *s, uint64_t id, uint32_t job, double cost)
{
    uint32_t unit;
    px_assert(job < s->n_jobs);
    if (s->n_free) {
        unit = s->free_units[--s->n_free];
    } else {
        PX_GROW(s->units, s->n_units, s->cap_units);
        unit = s->n_units++;
        s->by_state[S_FREE]++;
    }
    s->units[unit] = (struct sched_unit){.id = id,
                                         .seq = s->next_seq++,
                                         .cost = cost,
                                         .job = job,
                                         .holder = {SCHED_NONE, SCHED_NONE},
                                         .state = S_FREE};
    sched_move(s, unit, S_READY);
    return unit;
}

static void release_unit(struct scheduler *s, uint32_t unit)
{
    sched_move(s, unit, S_FREE);
    PX_GROW(s->free_units, s->n_free, s->cap_free);
    s->free_units[s->n_free++] = unit;
}

uint32_t sched_n_holders(const struct sched_unit *u)
{
    return (u->holder[0] != SCHED_NONE) + (u->holder[1] != SCHED_NONE);
}

bool sched_holds_unit(const struct scheduler *s, uint32_t unit, uint32_t peer)
{
    const struct sched_unit *u = &s->units[unit];
    return peer != SCHED_NONE && (u->holder[0] == peer || u->holder[1] == peer);
}

void sched_attach(struct scheduler *s, uint32_t unit, uint32_t peer)
{
    struct sched_unit *u = &s->units[unit];
    struct sched_peer_state *p = &s->peers[peer];
    int k = u->holder[0] == SCHED_NONE ? 0 : 1;
    px_assert(u->holder[k] == SCHED_NONE);
    if (p->n == 0)
        p->moved_us = s->now;
    PX_GROW(p->units, p->n, p->cap);
    u->holder[k] = peer;
    u->at[k] = p->n;
    p->units[p->n++] = unit;
    p->suspects += u->group != 0;
}

void sched_detach(struct scheduler *s, uint32_t unit, uint32_t peer)
{
    struct sched_unit *u = &s->units[unit];
    struct sched_peer_state *p = &s->peers[peer];
    int k = u->holder[0] == peer ? 0 : 1;
    px_assert(u->holder[k] == peer);
    uint32_t moved = p->units[--p->n];
    struct sched_unit *m = &s->units[moved];
    m->at[m->holder[0] == peer ? 0 : 1] = u->at[k];
    p->units[u->at[k]] = moved;
    u->holder[k] = SCHED_NONE;
    p->suspects -= u->group != 0;
}

static void push_event(struct scheduler *s, enum sched_action_kind kind, uint32_t peer,
                       uint32_t unit, const char *class_name)
{
    if (s->events_head == s->n_events)
        s->events_head = s->n_events = 0;
    PX_GROW(s->events, s->n_events, s->cap_events);
    s->events[s->n_events++] = (struct sched_event){kind, peer, unit, class_name};
}

/* Everybody but `winner` who holds it is told to forget it. */
static void cancel_others(struct scheduler *s, uint32_t unit, uint32_t winner)
{
    struct sched_unit *u = &s->units[unit];
    for (int k = 0; k < MAX_HOLDERS; k++) {
        uint32_t peer = u->holder[k];
        if (peer == SCHED_NONE)
            continue;
        sched_detach(s, unit, peer);
        if (peer != winner)
            push_event(s, SCHED_CANCEL, peer, unit, NULL);
    }
}

static void give_up(struct scheduler *s, uint32_t unit, const char *class_name)
{
    cancel_others(s, unit, SCHED_NONE);
    s->units[unit].class_name = class_name;
    sched_move(s, unit, S_GIVEN_UP);
    s->counts.given_up++;
    push_event(s, SCHED_GIVE_UP, SCHED_NONE, unit, class_name);
}

/* ---- peers ---- */

static int64_t advance(struct scheduler *s, int64_t now)
{
    if (now > s->now)
        s->now = now;
    return s->now;
}

uint32_t sched_join(struct scheduler *s, int64_t now, const struct sched_peer *info)
{
    uint32_t peer = 0;
    advance(s, now);
    /* While actions wait that name a dead peer, its number must not mean somebody else. */
    bool reuse = s->events_head == s->n_events;
    while (peer < s->n_peers && (s->peers[peer].live || !reuse))
        peer++;
    if (peer == s->n_peers) {
        PX_GROW(s->peers, s->n_peers, s->cap_peers);
        memset(&s->peers[s->n_peers++], 0, sizeof *s->peers);
    }
    struct sched_peer_state *p = &s->peers[peer];
    uint32_t *units = p->units;
    uint32_t cap = p->cap;
    *p = (struct sched_peer_state){.info = *info,
                                   .live = true,
                                   .units = units,
                                   .cap = cap,
                                   .job = SCHED_NONE,
                                   .heard_us = s->now,
                                   .moved_us = s->now};
    return peer;
}

static struct sched_peer_state *live_peer(struct scheduler *s, uint32_t peer)
{
    px_assert(peer < s->n_peers && s->peers[peer].live);
    return &s->peers[peer];
}

void sched_holds(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit)
{
    struct sched_unit *u = &s->units[unit];
    advance(s, now);
    live_peer(s, peer);
    if (u->state != S_READY && u->state != S_DELAYED)
        return;
    sched_move(s, unit, S_LEASED);
    u->leased_at = s->now;
    u->attempts++;
    sched_attach(s, unit, peer);
}

void sched_heard(struct scheduler *s, int64_t now, uint32_t peer)
{
    live_peer(s, peer)->heard_us = advance(s, now);
}

void sched_ready(struct scheduler *s, int64_t now, uint32_t peer, uint32_t free_places)
{
    sched_heard(s, now, peer);
    s->peers[peer].places = free_places;
}

void sched_progress(struct scheduler *s, int64_t now, uint32_t peer, uint64_t progress)
{
    sched_heard(s, now, peer);
    struct sched_peer_state *p = &s->peers[peer];
    if (progress != p->progress)
        p->moved_us = s->now;
    p->progress = progress;
}

void sched_drain(struct scheduler *s, uint32_t peer)
{
    live_peer(s, peer)->draining = true;
}

/* A death with n companions: the next time in half the company, at last alone. */
static void suspect(struct scheduler *s, uint32_t unit, uint32_t company)
{
    struct sched_unit *u = &s->units[unit];
    uint32_t group = u->group && u->group < company ? u->group : company;
    u->deaths++;
    if (company == 1)
        u->solo_deaths++;
    u->group = group > 1 ? group / 2 : 1;
}

void sched_gone(struct scheduler *s, int64_t now, uint32_t peer, bool planned)
{
    struct sched_peer_state *p = live_peer(s, peer);
    bool counts = !planned && !p->draining;
    uint32_t company = p->n;
    advance(s, now);
    s->counts.deaths += !planned && !p->draining;
    p->live = false;
    while (p->n) {
        uint32_t unit = p->units[p->n - 1];
        struct sched_unit *u = &s->units[unit];
        sched_detach(s, unit, peer);
        /* A copy elsewhere goes on undisturbed; its own lease is what counts there. */
        if (sched_n_holders(u))
            continue;
        if (counts)
            suspect(s, unit, company);
        if (u->solo_deaths >= s->cfg.max_solo_deaths)
            give_up(s, unit, "crash");
        else
            sched_move(s, unit, S_READY);
    }
    px_assert(p->suspects == 0);
}

/* ---- results ---- */

static void note_duration(struct scheduler *s, const struct sched_unit *u)
{
    struct sched_job *j = &s->jobs[u->job];
    j->durations[j->n_durations++ % DURATIONS] = (double)(s->now - u->leased_at);
}

bool sched_result(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit)
{
    struct sched_unit *u = &s->units[unit];
    advance(s, now);
    if (peer != SCHED_NONE) {
        s->peers[peer].heard_us = s->now;
        s->peers[peer].moved_us = s->now;
    }
    if (u->state == S_COMMITTING || u->state == S_GIVEN_UP || u->state == S_FREE)
        return false;
    if (sched_holds_unit(s, unit, peer))
        note_duration(s, u);
    cancel_others(s, unit, peer);
    sched_move(s, unit, S_COMMITTING);
    return true;
}

void sched_committed(struct scheduler *s, uint32_t unit)
{
    px_assert(s->units[unit].state == S_COMMITTING);
    release_unit(s, unit);
}

/* Backoff doubles from failure to failure; a little of the unit's number keeps herds apart. */
static int64_t backoff(const struct scheduler *s, const struct sched_unit *u)
{
    int64_t wait = s->cfg.first_backoff_us;
    for (uint32_t i = 1; i < u->failures && wait < s->cfg.last_backoff_us; i++)
        wait *= 2;
    if (wait > s->cfg.last_backoff_us)
        wait = s->cfg.last_backoff_us;
    return wait + wait / 8 * (int64_t)(u->id % 4);
}

void sched_failed(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit, bool retryable)
{
    struct sched_unit *u = &s->units[unit];
    advance(s, now);
    bool committing = u->state == S_COMMITTING; /* its record was not acceptable after all */
    if (!committing && !sched_holds_unit(s, unit, peer))
        return;
    if (!committing) {
        sched_detach(s, unit, peer);
        s->peers[peer].moved_us = s->now;
        if (sched_n_holders(u))
            return;
    }
    u->failures++;
    if (!retryable || u->failures >= s->cfg.max_failures) {
        give_up(s, unit, "failed");
        return;
    }
    s->counts.retries++;
    u->ready_at = s->now + backoff(s, u);
    sched_move(s, unit, S_DELAYED);
}

void sched_returned(struct scheduler *s, int64_t now, uint32_t peer, uint32_t unit)
{
    advance(s, now);
    if (!sched_holds_unit(s, unit, peer))
        return;
    sched_detach(s, unit, peer);
    s->peers[peer].retract_sent = false;
    struct sched_unit *u = &s->units[unit];
    if (sched_n_holders(u))
        return;
    u->attempts--;
    sched_move(s, unit, S_READY);
}

/* ---- judging ---- */

static void bury(struct scheduler *s, uint32_t peer, const char *why)
{
    push_event(s, SCHED_BURY, peer, SCHED_NONE, why);
    sched_gone(s, s->now, peer, false);
}

void sched_tick(struct scheduler *s, int64_t now)
{
    advance(s, now);
    bool stalled = s->ticked_us >= 0 && s->now - s->ticked_us > s->cfg.stall_us;
    s->ticked_us = s->now;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        struct sched_peer_state *p = &s->peers[i];
        if (!p->live)
            continue;
        if (stalled) /* its messages may still wait: one grace period for everybody */
            p->heard_us = p->moved_us = s->now;
        if (s->now - p->heard_us > s->cfg.silence_us)
            bury(s, i, "silent");
        else if (p->n && s->now - p->moved_us > s->cfg.no_progress_us)
            bury(s, i, "hung");
    }
    while (s->delayed.n && s->units[s->delayed.a[0]].ready_at <= s->now)
        sched_move(s, s->delayed.a[0], S_READY);
}

int64_t sched_deadline(const struct scheduler *s)
{
    int64_t next = s->delayed.n ? s->units[s->delayed.a[0]].ready_at : INT64_MAX;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct sched_peer_state *p = &s->peers[i];
        if (!p->live)
            continue;
        if (p->heard_us + s->cfg.silence_us + 1 < next)
            next = p->heard_us + s->cfg.silence_us + 1;
        if (p->n && p->moved_us + s->cfg.no_progress_us + 1 < next)
            next = p->moved_us + s->cfg.no_progress_us + 1;
    }
    return next;
}

/* ---- actions ---- */

static bool next_event(struct scheduler *s, struct sched_action *out)
{
    while (s->events_head < s->n_events) {
        const struct sched_event *e = &s->events[s->events_head++];
        if (e->kind == SCHED_CANCEL && !s->peers[e->peer].live)
            continue;
        *out = (struct sched_action){.kind = e->kind, .peer = e->peer, .class_name = e->class_name};
        if (e->kind == SCHED_BURY)
            return true;
        s->out_units[0] = e->unit;
        out->units = s->out_units;
        out->n = 1;
        out->job = s->units[e->unit].job;
        out->id = s->units[e->unit].id;
        if (e->kind == SCHED_GIVE_UP) {
            out->deaths = s->units[e->unit].deaths;
            release_unit(s, e->unit);
        }
        return true;
    }
    return false;
}

void sched_next(struct scheduler *s, int64_t now, bool leasing, struct sched_action *out)
{
    advance(s, now);
    memset(out, 0, sizeof *out);
    if (!s->cap_out)
        PX_GROW(s->out_units, 0, s->cap_out);
    if (next_event(s, out))
        return;
    if (leasing && (sched_make_lease(s, out) || sched_make_retract(s, out)))
        return;
    out->kind = SCHED_IDLE;
}

/* ---- counting ---- */

void sched_count(const struct scheduler *s, struct sched_counts *out)
{
    *out = s->counts;
    out->ready = s->by_state[S_READY];
    out->delayed = s->by_state[S_DELAYED];
    out->leased = s->by_state[S_LEASED];
    out->committing = s->by_state[S_COMMITTING];
    out->peers = out->generators = out->scorers = 0;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        if (!s->peers[i].live)
            continue;
        out->peers++;
        out->generators += (s->peers[i].info.roles & ROLE_GENERATE) != 0;
        out->scorers += (s->peers[i].info.roles & ROLE_SCORE) != 0;
    }
}

uint64_t sched_unit_id(const struct scheduler *s, uint32_t unit)
{
    return s->units[unit].id;
}

uint32_t sched_unit_job(const struct scheduler *s, uint32_t unit)
{
    return s->units[unit].job;
}

uint32_t sched_ready_units(const struct scheduler *s, enum peer_role role)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_busy; i++) {
        const struct sched_job *j = &s->jobs[s->busy_jobs[i]];
        if (j->role == role)
            n += j->ready.n + j->suspects.n;
    }
    return n;
}

uint32_t sched_free_places(const struct scheduler *s, enum peer_role role)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct sched_peer_state *p = &s->peers[i];
        if (p->live && !p->draining && (p->info.roles & (unsigned)role))
            n += p->places;
    }
    return n;
}
