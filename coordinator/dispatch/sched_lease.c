/* sched_lease.c - what to do next: which units go to which peer, and what to take back at the tail.
 */
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/sched_internal.h"
#include "proto/mem.h"

enum { MAX_LEASE = 1024 };
static const int64_t straggler_us = 10000000; /* younger units are never duplicated */
static const int64_t unknown_us = 5000000;    /* expected duration before anything is known */

static int by_value(const void *pa, const void *pb)
{
    double a = *(const double *)pa;
    double b = *(const double *)pb;
    return (a > b) - (a < b);
}

int64_t sched_duration(const struct sched_job *j, double q)
{
    double sorted[DURATIONS];
    uint32_t n = j->n_durations < DURATIONS ? j->n_durations : DURATIONS;
    if (n == 0)
        return -1;
    memcpy(sorted, j->durations, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    return (int64_t)sorted[(uint32_t)(q * (n - 1))];
}

/* A unit that cannot finish before its peer must leave is not leased to it. */
static bool fits_in_time(const struct scheduler *s, const struct sched_peer_state *p,
                         const struct sched_job *j)
{
    if (p->info.end_us == INT64_MAX)
        return true;
    int64_t expected = sched_duration(j, 0.9);
    if (expected < 0)
        expected = unknown_us;
    return p->info.end_us - s->now > expected + expected / 2;
}

static bool model_mapped(const struct sched_peer_state *p, const struct sched_job *j)
{
    for (int i = 0; i < MODELS_KEPT; i++)
        if (px_digest_eq(&p->models[i], &j->model))
            return true;
    return false;
}

static void map_model(struct sched_peer_state *p, const struct sched_job *j)
{
    int at = 0;
    while (at < MODELS_KEPT - 1 && !px_digest_eq(&p->models[at], &j->model))
        at++;
    memmove(&p->models[1], &p->models[0], (size_t)at * sizeof *p->models);
    p->models[0] = j->model;
}

/* Jobs whose last ready unit went are taken off the list as they are met. */
static void unlist_empty(struct scheduler *s)
{
    for (uint32_t i = 0; i < s->n_busy;) {
        struct sched_job *j = &s->jobs[s->busy_jobs[i]];
        if (j->ready.n || j->suspects.n) {
            i++;
            continue;
        }
        j->listed = false;
        s->busy_jobs[i] = s->busy_jobs[--s->n_busy];
    }
}

/* The job to serve this peer from: its own, one of its models, else the first. */
static uint32_t choose_job(const struct scheduler *s, const struct sched_peer_state *p)
{
    uint32_t best = SCHED_NONE;
    int best_score = -1;
    for (uint32_t i = 0; i < s->n_busy; i++) {
        uint32_t job = s->busy_jobs[i];
        const struct sched_job *j = &s->jobs[job];
        if (!(p->info.roles & (unsigned)j->role) || !fits_in_time(s, p, j))
            continue;
        if (j->ready.n == 0 && p->n > 0) /* suspects go to empty peers only */
            continue;
        int score = job == p->job ? 2 : model_mapped(p, j) ? 1 : 0;
        if (score > best_score || (score == best_score && job < best)) {
            best = job;
            best_score = score;
        }
    }
    return best;
}

static void lease_unit(struct scheduler *s, uint32_t unit, uint32_t peer, struct sched_action *out)
{
    struct sched_unit *u = &s->units[unit];
    PX_GROW(s->out_units, out->n, s->cap_out);
    PX_GROW(s->out_attempts, out->n, s->cap_out_attempts);
    if (u->state != S_LEASED) { /* else a second copy of a straggler */
        sched_move(s, unit, S_LEASED);
        u->leased_at = s->now;
    }
    u->retracted = false;
    u->attempts++;
    sched_attach(s, unit, peer);
    s->out_units[out->n] = unit;
    s->out_attempts[out->n] = u->attempts;
    out->n++;
}

/* Good units first; suspects only to a peer that holds nothing, one group at a time. */
static void fill_lease(struct scheduler *s, uint32_t peer, uint32_t job, struct sched_action *out)
{
    struct sched_peer_state *p = &s->peers[peer];
    struct sched_job *j = &s->jobs[job];
    uint32_t most = p->places < MAX_LEASE ? p->places : MAX_LEASE;
    if (j->ready.n) {
        while (out->n < most && j->ready.n)
            lease_unit(s, j->ready.a[0], peer, out);
    } else {
        uint32_t group = s->units[j->suspects.a[0]].group;
        while (out->n < most && out->n < group && j->suspects.n &&
               s->units[j->suspects.a[0]].group == group)
            lease_unit(s, j->suspects.a[0], peer, out);
    }
    p->places -= out->n;
    p->job = job;
    map_model(p, j);
}

static void finish_lease(struct scheduler *s, uint32_t peer, uint32_t job, struct sched_action *out)
{
    out->kind = SCHED_LEASE;
    out->peer = peer;
    out->job = job;
    out->lease = s->next_lease++;
    out->units = s->out_units;
    out->attempts = s->out_attempts;
    s->peers[peer].retract_sent = false;
}

static bool can_take(const struct sched_peer_state *p)
{
    return p->live && !p->draining && p->places > 0 && p->suspects == 0;
}

bool sched_make_lease(struct scheduler *s, struct sched_action *out)
{
    unlist_empty(s);
    for (uint32_t i = 0; s->n_busy && i < s->n_peers; i++) {
        uint32_t peer = (s->scan + i) % s->n_peers;
        struct sched_peer_state *p = &s->peers[peer];
        uint32_t job = can_take(p) ? choose_job(s, p) : SCHED_NONE;
        if (job == SCHED_NONE)
            continue;
        fill_lease(s, peer, job, out);
        finish_lease(s, peer, job, out);
        s->scan = (peer + 1) % s->n_peers;
        return true;
    }
    return false;
}

/* ---- the tail ---- */

/* A live peer with nothing to do and nothing waiting for it. */
static uint32_t idle_peer(const struct scheduler *s)
{
    for (uint32_t i = 0; i < s->n_peers; i++)
        if (can_take(&s->peers[i]) && s->peers[i].n == 0)
            return i;
    return SCHED_NONE;
}

static bool same_work(const struct scheduler *s, const struct sched_peer_state *idle,
                      const struct sched_peer_state *busy)
{
    for (uint32_t i = 0; i < busy->n; i++)
        if (idle->info.roles & (unsigned)s->jobs[s->units[busy->units[i]].job].role)
            return true;
    return false;
}

/* Asks the fullest peer for a part of what it got last: prefetched units come back, running ones
 * stay. Each unit is asked back once. */
static bool retract_from(struct scheduler *s, uint32_t victim, struct sched_action *out)
{
    struct sched_peer_state *p = &s->peers[victim];
    uint32_t most = p->n / 2;
    for (uint32_t i = p->n; i-- > 0 && out->n < most;) {
        struct sched_unit *u = &s->units[p->units[i]];
        if (u->retracted || sched_n_holders(u) > 1)
            continue;
        u->retracted = true;
        PX_GROW(s->out_units, out->n, s->cap_out);
        s->out_units[out->n++] = p->units[i];
    }
    if (out->n == 0)
        return false;
    p->retract_sent = true;
    s->counts.retracted += out->n;
    out->kind = SCHED_RETRACT;
    out->peer = victim;
    out->units = s->out_units;
    return true;
}

/* A unit that has taken twice what most of its job take is given to another host as well. */
static bool duplicate_straggler(struct scheduler *s, uint32_t idle, struct sched_action *out)
{
    const struct sched_peer_state *to = &s->peers[idle];
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct sched_peer_state *p = &s->peers[i];
        if (!p->live || p->info.host == to->info.host || p->suspects)
            continue;
        for (uint32_t k = 0; k < p->n; k++) {
            struct sched_unit *u = &s->units[p->units[k]];
            struct sched_job *j = &s->jobs[u->job];
            int64_t age = s->now - u->leased_at;
            int64_t most = sched_duration(j, 0.75);
            if (age < straggler_us || most < 0 || age < 2 * most || sched_n_holders(u) > 1 ||
                !(to->info.roles & (unsigned)j->role) || !fits_in_time(s, to, j))
                continue;
            lease_unit(s, p->units[k], idle, out);
            s->peers[idle].places--;
            s->counts.duplicated++;
            finish_lease(s, idle, u->job, out);
            return true;
        }
    }
    return false;
}

bool sched_make_retract(struct scheduler *s, struct sched_action *out)
{
    uint32_t idle = idle_peer(s);
    uint32_t victim = SCHED_NONE;
    if (idle == SCHED_NONE || s->n_busy)
        return false;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct sched_peer_state *p = &s->peers[i];
        if (p->live && !p->draining && !p->suspects && !p->retract_sent && p->n >= 2 &&
            same_work(s, &s->peers[idle], p) && (victim == SCHED_NONE || p->n > s->peers[victim].n))
            victim = i;
    }
    if (victim != SCHED_NONE && retract_from(s, victim, out))
        return true;
    return duplicate_straggler(s, idle, out);
}

/* ---- invariants ---- */

static void check_peer(const struct scheduler *s, uint32_t i)
{
    const struct sched_peer_state *p = &s->peers[i];
    uint32_t suspects = 0;
    px_assert(p->live || p->n == 0);
    for (uint32_t k = 0; k < p->n; k++) {
        const struct sched_unit *u = &s->units[p->units[k]];
        px_assert(u->state == S_LEASED);
        int h = u->holder[0] == i ? 0 : 1;
        px_assert(u->holder[h] == i && u->at[h] == k);
        suspects += u->group != 0;
    }
    px_assert(suspects == p->suspects);
    px_assert(suspects == 0 || suspects == p->n);
}

void sched_check(const struct scheduler *s)
{
    uint32_t by_state[S_GIVEN_UP + 1] = {0};
    uint32_t held = 0;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        check_peer(s, i);
        held += s->peers[i].n;
    }
    for (uint32_t i = 0; i < s->n_units; i++) {
        const struct sched_unit *u = &s->units[i];
        by_state[u->state]++;
        px_assert((u->state == S_LEASED) == (sched_n_holders(u) > 0));
        held -= sched_n_holders(u);
        if (u->state == S_READY)
            px_assert(s->jobs[u->job].listed);
    }
    px_assert(held == 0);
    px_assert(memcmp(by_state, s->by_state, sizeof by_state) == 0);
}
