#include "coordinator/dispatch/scheduler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/sched_internal.h"
#include "proto/buf.h"
#include "proto/mem.h"

struct sched *sched_new(const struct sched_config *cfg)
{
    struct sched *s = px_xcalloc(1, sizeof *s);
    s->cfg = *cfg;
    s->free_slot = SCHED_NONE;
    s->next_lease = 1;
    s->scratch_peer = SCHED_NONE;
    keymap_init(&s->by_key);
    return s;
}

void sched_free(struct sched **ps)
{
    struct sched *s = *ps;
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n_groups; i++)
        free(s->groups[i].ready.slot);
    for (uint32_t i = 0; i < s->n_peers; i++)
        free(s->peers[i].blocked);
    keymap_clear(&s->by_key);
    free(s->slots);
    free(s->groups);
    free(s->jobs);
    free(s->peers);
    free(s->batches);
    free(s->delayed.slot);
    free(s->actions);
    free(s);
    *ps = NULL;
}

/* ---- jobs and units ---- */

static uint32_t find_group(struct sched *s, unsigned role, const struct px_digest *model)
{
    for (uint32_t i = 0; i < s->n_groups; i++)
        if (s->groups[i].role == role && px_digest_eq(&s->groups[i].model, model))
            return i;
    PX_GROW(s->groups, s->n_groups, s->cap_groups);
    s->groups[s->n_groups] = (struct group){.role = role, .model = *model};
    return s->n_groups++;
}

uint32_t sched_add_job(struct sched *s, unsigned role, const struct px_digest *model)
{
    PX_GROW(s->jobs, s->n_jobs, s->cap_jobs);
    s->jobs[s->n_jobs] = (struct sched_job){.group = find_group(s, role, model)};
    return s->n_jobs++;
}

static uint32_t new_slot(struct sched *s)
{
    uint32_t i = s->free_slot;
    if (i != SCHED_NONE) {
        s->free_slot = s->slots[i].heap;
        return i;
    }
    PX_GROW(s->slots, s->n_slots, s->cap_slots);
    return s->n_slots++;
}

uint32_t sched_add_unit(struct sched *s, uint64_t id, const struct px_digest *key, uint32_t job,
                        double cost)
{
    uint64_t there;
    px_assert(job < s->n_jobs);
    if (keymap_get(&s->by_key, key, &there))
        return SCHED_NONE;
    uint32_t i = new_slot(s);
    s->slots[i] = (struct slot){.key = *key,
                                .id = id,
                                .cost = isfinite(cost) && cost > 0 ? cost : 1,
                                .job = job,
                                .peer = SCHED_NONE,
                                .dup = SCHED_NONE,
                                .batch = SCHED_NONE,
                                .seq = s->next_seq++};
    keymap_put(&s->by_key, key, i);
    slot_to_ready(s, i);
    s->counts.ready++;
    s->quiet = false;
    return i;
}

void sched_get_unit(const struct sched *s, uint32_t slot, struct sched_unit *out)
{
    const struct slot *u = &s->slots[slot];
    *out = (struct sched_unit){.id = u->id,
                               .key = u->key,
                               .job = u->job,
                               .attempts = u->attempts,
                               .fails = u->fails,
                               .solo_deaths = u->n_solo};
}

/* ---- where a unit is ---- */

void slot_to_ready(struct sched *s, uint32_t slot)
{
    s->slots[slot].state = SLOT_READY;
    heap_push(s, &group_of(s, slot)->ready, slot, ready_rank(s, slot));
}

void slot_delay(struct sched *s, uint32_t slot, int64_t until)
{
    s->slots[slot].state = SLOT_DELAYED;
    heap_push(s, &s->delayed, slot, (double)until);
}

void slot_requeue(struct sched *s, uint32_t slot, int64_t now)
{
    if (s->slots[slot].suspect)
        suspects_new_batch(s, &slot, 1, now);
    else
        slot_to_ready(s, slot);
}

void slot_lease(struct sched *s, uint32_t slot, uint32_t peer, int64_t now)
{
    struct slot *u = &s->slots[slot];
    struct peer_state *p = &s->peers[peer];
    u->state = SLOT_LEASED;
    u->peer = peer;
    u->since = now;
    u->asked = false;
    s->counts.retries += u->attempts > 0;
    u->attempts++;
    list_append(s, &p->leases, slot);
    if (p->in_flight++ == 0)
        p->moved = now;
    s->counts.ready--;
    s->counts.leased++;
}

/* The peer that runs a second copy does not hold it any more. */
void drop_dup(struct sched *s, uint32_t slot)
{
    struct slot *u = &s->slots[slot];
    if (u->dup == SCHED_NONE)
        return;
    s->peers[u->dup].dup = SCHED_NONE;
    s->peers[u->dup].in_flight--;
    u->dup = SCHED_NONE;
}

void slot_detach(struct sched *s, uint32_t slot)
{
    struct slot *u = &s->slots[slot];
    switch ((enum slot_state)u->state) {
    case SLOT_READY:
        heap_remove(s, &group_of(s, slot)->ready, slot);
        break;
    case SLOT_DELAYED:
        heap_remove(s, &s->delayed, slot);
        break;
    case SLOT_SUSPECT:
        suspects_leave_batch(s, slot);
        break;
    case SLOT_LEASED:
        list_remove(s, &s->peers[u->peer].leases, slot);
        s->peers[u->peer].in_flight--;
        u->peer = SCHED_NONE;
        drop_dup(s, slot);
        s->counts.leased--;
        return;
    case SLOT_FREE:
    case SLOT_PENDING:
        px_assert(!"a detached unit");
    }
    s->counts.ready--;
}

void slot_give_up(struct sched *s, uint32_t slot, const char *reason)
{
    struct pending_action *a = action_add(s, SCHED_GIVE_UP, SCHED_NONE);
    a->slot = slot;
    a->reason = reason;
    s->slots[slot].state = SLOT_PENDING;
    s->counts.pending++;
}

struct pending_action *action_add(struct sched *s, enum sched_action_kind kind, uint32_t peer)
{
    PX_GROW(s->actions, s->n_actions, s->cap_actions);
    struct pending_action *a = &s->actions[s->n_actions++];
    *a = (struct pending_action){.kind = kind, .peer = peer, .slot = SCHED_NONE};
    return a;
}

static void cancel(struct sched *s, uint32_t peer, const struct px_digest *key)
{
    action_add(s, SCHED_CANCEL, peer)->key = *key;
}

static uint32_t slot_of(const struct sched *s, const struct px_digest *key)
{
    uint64_t v;
    return keymap_get(&s->by_key, key, &v) ? (uint32_t)v : SCHED_NONE;
}

/* ---- peers ---- */

uint32_t sched_join(struct sched *s, const struct sched_peer *info, int64_t now)
{
    uint32_t i = 0;
    while (i < s->n_peers && s->peers[i].used)
        i++;
    if (i == s->n_peers) {
        PX_GROW(s->peers, s->n_peers, s->cap_peers);
        s->n_peers++;
    }
    struct peer_state *p = &s->peers[i];
    *p = (struct peer_state){.used = true,
                             .info = *info,
                             .dup = SCHED_NONE,
                             .current = SCHED_NONE,
                             .heard = now,
                             .moved = now};
    for (int k = 0; k < N_RECENT; k++)
        p->recent[k] = SCHED_NONE;
    s->quiet = false;
    return i;
}

void sched_credits(struct sched *s, uint32_t peer, uint32_t credits)
{
    s->peers[peer].info.credits = credits;
    s->quiet = false;
}

void sched_heard(struct sched *s, uint32_t peer, int64_t now)
{
    s->peers[peer].heard = now;
}

void sched_progress(struct sched *s, uint32_t peer, uint64_t total, int64_t now)
{
    struct peer_state *p = &s->peers[peer];
    p->heard = now;
    if (total != p->progress)
        p->moved = now;
    p->progress = total;
}

void sched_holds(struct sched *s, uint32_t peer, const struct px_digest *key, int64_t now)
{
    uint32_t slot = slot_of(s, key);
    struct slot *u = slot == SCHED_NONE ? NULL : &s->slots[slot];
    if (u && u->state == SLOT_LEASED && u->peer == peer)
        return;
    struct peer_state *p = &s->peers[peer];
    if (!u || u->state == SLOT_LEASED || u->state == SLOT_PENDING ||
        p->in_flight >= p->info.credits) {
        cancel(s, peer, key);
        return;
    }
    slot_detach(s, slot); /* counts it as no longer ready */
    s->counts.ready++;
    if (u->solo > 0) /* it did not die of it after all */
        u->solo--;
    u->suspect = false;
    u->lease = 0;
    slot_lease(s, slot, peer, now);
}

void sched_drain(struct sched *s, uint32_t peer)
{
    s->peers[peer].draining = true;
}

uint32_t sched_in_flight(const struct sched *s, uint32_t peer)
{
    return s->peers[peer].in_flight;
}

const char *sched_end_name(enum sched_end e)
{
    static const char *const names[] = {"left", "crashed", "killed", "silent", "hung"};
    return names[e];
}

void sched_remove(struct sched *s, uint32_t peer, enum sched_end how, int64_t now)
{
    peer_gone(s, peer, how, now);
    s->quiet = false;
}

bool peer_blocked(const struct peer_state *p, uint32_t group)
{
    for (uint32_t i = 0; i < p->n_blocked; i++)
        if (p->blocked[i] == group)
            return true;
    return false;
}

bool group_has_able_peer(const struct sched *s, uint32_t group)
{
    bool any = false;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *p = &s->peers[i];
        if (!p->used || p->draining || !(p->info.roles & s->groups[group].role))
            continue;
        if (!peer_blocked(p, group))
            return true;
        any = true;
    }
    return !any;
}

/* ---- results ---- */

/* How long it took, for the medians; only when its own holder answered. */
static void learn(struct sched *s, const struct slot *u, int64_t now)
{
    double per_cost = (double)(now - u->since) / u->cost;
    struct sched_job *j = &s->jobs[u->job];
    ring_add(&j->ring, per_cost);
    ring_add(&s->groups[j->group].ring, per_cost);
}

enum sched_answer sched_done(struct sched *s, uint32_t peer, const struct px_digest *key,
                             int64_t now, uint32_t *slot)
{
    uint32_t i = slot_of(s, key);
    s->quiet = false;
    if (peer != SCHED_NONE)
        s->peers[peer].heard = s->peers[peer].moved = now;
    if (i == SCHED_NONE)
        return SCHED_UNKNOWN;
    struct slot *u = &s->slots[i];
    *slot = i;
    if (u->state == SLOT_PENDING)
        return SCHED_PENDING;
    if (u->state == SLOT_LEASED) {
        if (u->peer == peer)
            learn(s, u, now);
        else
            cancel(s, u->peer, key);
        if (u->dup != SCHED_NONE && u->dup != peer)
            cancel(s, u->dup, key);
    }
    slot_detach(s, i);
    u->state = SLOT_PENDING;
    s->counts.pending++;
    return SCHED_ACCEPTED;
}

static int64_t backoff_us(const struct slot *u, enum sched_fault fault)
{
    int64_t base = fault == SCHED_FAULT_MEMORY ? 1000 * SCHED_MS : 250 * SCHED_MS;
    int64_t wait = base << (u->fails < 8 ? u->fails : 8);
    if (wait > 60000 * (int64_t)SCHED_MS)
        wait = 60000 * (int64_t)SCHED_MS;
    /* Jitter of up to a quarter, from the key: the same in every replay. */
    return wait + wait / 4 * (int64_t)(px_load_u32(u->key.b) % 1024) / 1024;
}

/* A detached unit that failed: again later, alone, elsewhere, or never. */
static void after_failure(struct sched *s, uint32_t slot, enum sched_fault fault, int64_t now)
{
    struct slot *u = &s->slots[slot];
    s->counts.ready++;
    if (fault == SCHED_FAULT_FINAL || u->fails >= s->cfg.max_fails) {
        s->counts.ready--;
        slot_give_up(s, slot, fault == SCHED_FAULT_FINAL ? "final" : "failures");
        return;
    }
    u->suspect = fault == SCHED_FAULT_MEMORY;
    if (fault == SCHED_FAULT_MODEL) {
        slot_to_ready(s, slot);
    } else if (u->suspect) {
        suspects_new_batch(s, &slot, 1, now + backoff_us(u, fault));
    } else {
        slot_delay(s, slot, now + backoff_us(u, fault));
    }
}

static void block(struct sched *s, uint32_t peer, uint32_t group)
{
    struct peer_state *p = &s->peers[peer];
    if (peer_blocked(p, group))
        return;
    PX_GROW(p->blocked, p->n_blocked, p->cap_blocked);
    p->blocked[p->n_blocked++] = group;
    s->groups[group].n_blocked++;
}

void sched_rejected(struct sched *s, uint32_t slot, int64_t now)
{
    struct slot *u = &s->slots[slot];
    px_assert(u->state == SLOT_PENDING);
    s->counts.pending--;
    s->quiet = false;
    u->fails++;
    after_failure(s, slot, SCHED_FAULT_OTHER, now);
}

/* The slot if the peer holds this unit. A second copy that is gone leaves the first in place. */
static uint32_t held_slot(struct sched *s, uint32_t peer, const struct px_digest *key, int64_t now)
{
    uint32_t slot = slot_of(s, key);
    s->quiet = false;
    s->peers[peer].heard = s->peers[peer].moved = now;
    if (slot == SCHED_NONE || s->slots[slot].state != SLOT_LEASED)
        return SCHED_NONE;
    if (s->slots[slot].dup == peer)
        drop_dup(s, slot);
    return s->slots[slot].peer == peer ? slot : SCHED_NONE;
}

uint32_t sched_failed(struct sched *s, uint32_t peer, const struct px_digest *key,
                      enum sched_fault fault, int64_t now)
{
    uint32_t slot = held_slot(s, peer, key, now);
    if (slot == SCHED_NONE)
        return SCHED_NONE;
    struct slot *u = &s->slots[slot];
    if (u->dup != SCHED_NONE)
        cancel(s, u->dup, key);
    slot_detach(s, slot);
    if (fault == SCHED_FAULT_MODEL)
        block(s, peer, s->jobs[u->job].group);
    else
        u->fails++;
    after_failure(s, slot, fault, now);
    return slot;
}

void sched_returned(struct sched *s, uint32_t peer, const struct px_digest *key, int64_t now)
{
    uint32_t slot = held_slot(s, peer, key, now);
    if (slot == SCHED_NONE)
        return;
    if (s->slots[slot].dup != SCHED_NONE)
        cancel(s, s->slots[slot].dup, key);
    slot_detach(s, slot);
    s->counts.ready++;
    slot_requeue(s, slot, now);
}

void sched_forget(struct sched *s, uint32_t slot)
{
    struct slot *u = &s->slots[slot];
    px_assert(u->state == SLOT_PENDING);
    keymap_take(&s->by_key, &u->key, NULL);
    u->state = SLOT_FREE;
    u->heap = s->free_slot;
    s->free_slot = slot;
    s->counts.pending--;
}

/* ---- time ---- */

void sched_stalled(struct sched *s, int64_t now)
{
    for (uint32_t i = 0; i < s->n_peers; i++)
        s->peers[i].heard = s->peers[i].moved = now;
    s->judged = now;
}

void sched_leasing(struct sched *s, bool on)
{
    if (s->stopped && on)
        s->quiet = false;
    s->stopped = !on;
}

void sched_recall(struct sched *s)
{
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *p = &s->peers[i];
        if (!p->used)
            continue;
        uint32_t slot = p->leases.first;
        for (uint32_t k = 0; k < p->leases.n; k++, slot = s->slots[slot].next)
            action_add(s, SCHED_RETRACT, i)->slot = slot;
    }
}

void sched_counts(const struct sched *s, struct sched_counts *out)
{
    *out = s->counts;
}
