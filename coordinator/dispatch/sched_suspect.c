/* sched_suspect.c - what a peer's end means for the units it held.
 *
 * A peer runs many units at once, so its death makes each of them a suspect and none of them
 * guilty. Suspects run again in batches, apart from other work: halves after a death among
 * several, alone in the end; what finishes is innocent. Only a death alone counts, and one that
 * came from outside (a kill, a silence) counts a third. */
#include <stdlib.h>

#include "coordinator/dispatch/sched_internal.h"
#include "proto/mem.h"

void suspects_new_batch(struct sched *s, const uint32_t *slots, uint32_t n, int64_t not_before)
{
    uint32_t b = 0;
    if (n == 0)
        return;
    while (b < s->n_batches && s->batches[b].units.n > 0)
        b++;
    if (b == s->n_batches) {
        PX_GROW(s->batches, s->n_batches, s->cap_batches);
        s->n_batches++;
    }
    s->batches[b] = (struct batch){.not_before = not_before};
    for (uint32_t i = 0; i < n; i++) {
        struct slot *u = &s->slots[slots[i]];
        u->state = SLOT_SUSPECT;
        u->suspect = true;
        u->batch = b;
        list_append(s, &s->batches[b].units, slots[i]);
    }
}

void suspects_leave_batch(struct sched *s, uint32_t slot)
{
    struct slot *u = &s->slots[slot];
    list_remove(s, &s->batches[u->batch].units, slot);
    u->batch = SCHED_NONE;
    while (s->n_batches > 0 && s->batches[s->n_batches - 1].units.n == 0)
        s->n_batches--;
}

/* It died with nobody else around. */
static void blame(struct sched *s, uint32_t slot, enum sched_end how, int64_t now)
{
    struct slot *u = &s->slots[slot];
    bool outside = how == SCHED_KILLED || how == SCHED_SILENT;
    u->solo = (uint16_t)(u->solo + (outside ? KILLED_WEIGHT : CRASH_WEIGHT));
    u->n_solo++;
    if (u->solo >= s->cfg.solo_deaths * CRASH_WEIGHT) {
        s->counts.ready--;
        slot_give_up(s, slot, "deaths");
        return;
    }
    int64_t wait = (250 * (int64_t)SCHED_MS) << (u->n_solo < 5 ? u->n_solo - 1 : 4);
    suspects_new_batch(s, &slot, 1, now + (outside ? 0 : wait));
}

static void judge(struct sched *s, const uint32_t *slots, uint32_t n, enum sched_end how,
                  int64_t now)
{
    if (n == 1) {
        blame(s, slots[0], how, now);
        return;
    }
    suspects_new_batch(s, slots, n / 2, now);
    suspects_new_batch(s, slots + n / 2, n - n / 2, now);
}

/* Units of which another peer runs a copy go over to it; the others are collected. */
static uint32_t take_leases(struct sched *s, uint32_t peer, uint32_t *out)
{
    struct peer_state *p = &s->peers[peer];
    uint32_t n = 0;
    while (p->leases.n > 0) {
        uint32_t slot = p->leases.first;
        struct slot *u = &s->slots[slot];
        list_remove(s, &p->leases, slot);
        p->in_flight--;
        if (u->dup != SCHED_NONE) {
            u->peer = u->dup;
            u->dup = SCHED_NONE;
            s->peers[u->peer].dup = SCHED_NONE;
            list_append(s, &s->peers[u->peer].leases, slot);
            continue;
        }
        u->peer = SCHED_NONE;
        s->counts.leased--;
        s->counts.ready++;
        out[n++] = slot;
    }
    return n;
}

static void forget_actions(struct sched *s, uint32_t peer)
{
    uint32_t n = s->at_action;
    for (uint32_t i = s->at_action; i < s->n_actions; i++)
        if (s->actions[i].peer != peer)
            s->actions[n++] = s->actions[i];
    s->n_actions = n;
    if (s->scratch_peer == peer)
        s->n_scratch = 0;
}

void peer_gone(struct sched *s, uint32_t peer, enum sched_end how, int64_t now)
{
    struct peer_state *p = &s->peers[peer];
    uint32_t *slots = px_xcalloc(p->leases.n, sizeof *slots);
    px_assert(p->used);
    uint32_t n = take_leases(s, peer, slots);
    if (p->dup != SCHED_NONE)
        drop_dup(s, p->dup);
    px_assert(p->in_flight == 0);
    for (uint32_t i = 0; i < p->n_blocked; i++)
        s->groups[p->blocked[i]].n_blocked--;
    if (p->current != SCHED_NONE)
        s->groups[p->current].n_on--;
    free(p->blocked);
    p->blocked = NULL;
    p->n_blocked = p->cap_blocked = 0;
    p->used = false;
    forget_actions(s, peer);
    if (n > 0 && how != SCHED_LEFT && !p->draining) {
        judge(s, slots, n, how, now);
    } else {
        for (uint32_t i = 0; i < n; i++)
            slot_requeue(s, slots[i], now);
    }
    free(slots);
}
