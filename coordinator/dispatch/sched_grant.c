/* sched_grant.c - the scheduler's decisions: leases, suspects first, then the longest units of
 * the model at hand; retracts and second copies at the tail; the end of silent or hung peers. */
#include "coordinator/dispatch/sched_internal.h"
#include "proto/mem.h"
#include "proto/unit.h"

enum {
    JUDGE_US = 100 * SCHED_MS,
    LOOK_US = 50 * SCHED_MS,
    END_MARGIN_US = 2000 * SCHED_MS,
    RETRACT_AGE_US = 100 * SCHED_MS,
    STRAGGLER_US = 10000 * SCHED_MS
};

double expected_us(const struct sched *s, uint32_t slot)
{
    const struct slot *u = &s->slots[slot];
    const struct sched_job *j = &s->jobs[u->job];
    double per_cost = ring_median(&j->ring);
    if (per_cost <= 0)
        per_cost = ring_median(&s->groups[j->group].ring);
    return per_cost * u->cost;
}

/* Would it be done before the peer's end? Half as long again as expected, and a margin. */
static bool fits(const struct sched *s, const struct peer_state *p, uint32_t slot, int64_t now)
{
    if (p->info.end_us == INT64_MAX)
        return true;
    double left = (double)(p->info.end_us - now - END_MARGIN_US);
    return left > 0 && 1.5 * expected_us(s, slot) < left;
}

static bool has_room(const struct sched *s, const struct peer_state *p)
{
    return p->used && !p->draining && !s->stopped && p->in_flight < p->info.credits;
}

/* ---- telling ---- */

/* The units of one job among those just leased. */
static bool tell_grant(struct sched *s, struct sched_action *out)
{
    if (s->n_scratch == 0)
        return false;
    uint32_t job = s->slots[s->scratch[0]].job, n = 0, kept = 0;
    for (uint32_t i = 0; i < s->n_scratch; i++) {
        if (s->slots[s->scratch[i]].job == job)
            s->told[n++] = s->scratch[i];
        else
            s->scratch[kept++] = s->scratch[i];
    }
    s->n_scratch = kept;
    *out = (struct sched_action){.kind = SCHED_GRANT,
                                 .peer = s->scratch_peer,
                                 .lease = s->slots[s->told[0]].lease,
                                 .job = job,
                                 .slots = s->told,
                                 .n = n};
    return true;
}

static bool tell_pending(struct sched *s, struct sched_action *out)
{
    if (s->at_action == s->n_actions) {
        s->at_action = s->n_actions = 0;
        return false;
    }
    const struct pending_action *a = &s->actions[s->at_action++];
    *out = (struct sched_action){
        .kind = a->kind, .peer = a->peer, .n = 1, .reason = a->reason, .how = a->how};
    if (a->kind == SCHED_LOST) {
        out->n = a->slot;
    } else if (a->kind == SCHED_CANCEL) {
        s->told_key = a->key;
        out->keys = &s->told_key;
    } else {
        s->told[0] = a->slot;
        out->slots = s->told;
    }
    return true;
}

/* ---- leasing ---- */

static void now_on(struct sched *s, struct peer_state *p, uint32_t group)
{
    if (p->current == group)
        return;
    if (p->current != SCHED_NONE)
        s->groups[p->current].n_on--;
    s->groups[group].n_on++;
    p->current = group;
    uint32_t moved = group;
    for (int i = 0; i < N_RECENT; i++) {
        uint32_t was = p->recent[i];
        p->recent[i] = moved;
        if (was == group || was == SCHED_NONE)
            break;
        moved = was;
    }
}

static void lease(struct sched *s, uint32_t peer, uint32_t slot, int64_t now)
{
    slot_lease(s, slot, peer, now);
    s->slots[slot].lease = s->next_lease;
    s->scratch[s->n_scratch++] = slot;
    s->scratch_peer = peer;
    now_on(s, &s->peers[peer], s->jobs[s->slots[slot].job].group);
}

/* An idle peer takes a batch of suspects, as many as it has credits for. */
static bool grant_batch(struct sched *s, uint32_t peer, int64_t now)
{
    struct peer_state *p = &s->peers[peer];
    for (uint32_t b = 0; b < s->n_batches; b++) {
        struct batch *t = &s->batches[b];
        if (t->units.n == 0 || t->not_before > now)
            continue;
        uint32_t group = s->jobs[s->slots[t->units.first].job].group;
        if (!(p->info.roles & s->groups[group].role) || peer_blocked(p, group) ||
            !fits(s, p, t->units.first, now))
            continue;
        while (b < s->n_batches && t->units.n > 0 && p->in_flight < p->info.credits &&
               s->n_scratch < MAX_GRANT) {
            uint32_t slot = t->units.first;
            suspects_leave_batch(s, slot);
            lease(s, peer, slot, now);
        }
        s->next_lease++;
        p->exclusive = true;
        p->reserved = false;
        return true;
    }
    return false;
}

/* When suspects wait and nobody is idle, one peer is kept free for them. */
static void reserve_for_suspects(struct sched *s, int64_t now)
{
    for (uint32_t b = 0; b < s->n_batches; b++) {
        const struct batch *t = &s->batches[b];
        if (t->units.n == 0 || t->not_before > now)
            continue;
        uint32_t group = s->jobs[s->slots[t->units.first].job].group, best = SCHED_NONE;
        bool taken = false;
        for (uint32_t i = 0; i < s->n_peers; i++) {
            const struct peer_state *p = &s->peers[i];
            if (!p->used || p->draining || p->info.credits == 0 || peer_blocked(p, group) ||
                !(p->info.roles & s->groups[group].role) || !fits(s, p, t->units.first, now))
                continue;
            taken |= p->exclusive || p->reserved;
            if (best == SCHED_NONE || p->in_flight < s->peers[best].in_flight)
                best = i;
        }
        if (!taken && best != SCHED_NONE)
            s->peers[best].reserved = true;
    }
}

static uint32_t choose_group(const struct sched *s, const struct peer_state *p)
{
    uint32_t best = SCHED_NONE;
    double most = 0;
    for (uint32_t i = 0; i < s->n_groups; i++) /* stages first: others wait for what they make */
        if (s->groups[i].role == ROLE_STAGE && s->groups[i].ready.n > 0 &&
            (p->info.roles & ROLE_STAGE) && !peer_blocked(p, i))
            return i;
    for (int i = 0; i < N_RECENT && p->recent[i] != SCHED_NONE; i++) {
        const struct group *g = &s->groups[p->recent[i]];
        if (g->ready.n > 0 && !peer_blocked(p, p->recent[i]))
            return p->recent[i];
    }
    for (uint32_t i = 0; i < s->n_groups; i++) {
        const struct group *g = &s->groups[i];
        if (g->ready.n == 0 || !(p->info.roles & g->role) || peer_blocked(p, i))
            continue;
        double per_peer = (double)g->ready.n / (1 + g->n_on);
        if (per_peer > most) {
            most = per_peer;
            best = i;
        }
    }
    return best;
}

/* How many units this peer should hold so that the last ones are spread evenly. */
static uint32_t fair_share(const struct sched *s, const struct group *g)
{
    uint64_t sum = g->ready.n, peers = 0;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *p = &s->peers[i];
        if (!p->used || p->draining || p->exclusive || p->reserved || !(p->info.roles & g->role) ||
            p->info.credits == 0)
            continue;
        sum += p->in_flight;
        peers++;
    }
    return peers ? (uint32_t)((sum + peers - 1) / peers) : UINT32_MAX;
}

static bool grant_ready(struct sched *s, uint32_t peer, int64_t now)
{
    struct peer_state *p = &s->peers[peer];
    uint32_t unfit[MAX_UNFIT], n_unfit = 0, g = choose_group(s, p);
    if (g == SCHED_NONE)
        return false;
    struct heap *h = &s->groups[g].ready;
    uint32_t share = fair_share(s, &s->groups[g]);
    uint32_t limit = share > 0 && share < p->info.credits ? share : p->info.credits;
    while (h->n > 0 && p->in_flight < limit && s->n_scratch < MAX_GRANT && n_unfit < MAX_UNFIT) {
        uint32_t slot = heap_pop(s, h);
        if (fits(s, p, slot, now))
            lease(s, peer, slot, now);
        else
            unfit[n_unfit++] = slot;
    }
    for (uint32_t i = 0; i < n_unfit; i++)
        heap_push(s, h, unfit[i], ready_rank(s, unfit[i]));
    s->next_lease += s->n_scratch > 0;
    return s->n_scratch > 0;
}

/* ---- the tail ---- */

static bool can_help(const struct sched *s, const struct peer_state *p, uint32_t slot)
{
    uint32_t g = s->jobs[s->slots[slot].job].group;
    return (p->info.roles & s->groups[g].role) && !peer_blocked(p, g);
}

/* Asks the fullest peer for half of what it got last, if that is still waiting there. */
static bool retract_for(struct sched *s, uint32_t idle, int64_t now, struct sched_action *out)
{
    uint32_t full = SCHED_NONE, n = 0;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *p = &s->peers[i];
        if (p->used && i != idle && !p->exclusive && p->leases.n >= 2 &&
            can_help(s, &s->peers[idle], p->leases.last) &&
            (full == SCHED_NONE || p->leases.n > s->peers[full].leases.n))
            full = i;
    }
    if (full == SCHED_NONE)
        return false;
    uint32_t most = s->peers[full].leases.n / 2, slot = s->peers[full].leases.last;
    if (most > s->peers[idle].info.credits)
        most = s->peers[idle].info.credits;
    for (uint32_t k = 0; k < most && n < MAX_RETRACT; k++, slot = s->slots[slot].prev) {
        struct slot *u = &s->slots[slot];
        if (u->asked || u->dup != SCHED_NONE || now - u->since < RETRACT_AGE_US)
            continue;
        u->asked = true;
        s->told[n++] = slot;
    }
    if (n == 0)
        return false;
    *out = (struct sched_action){.kind = SCHED_RETRACT, .peer = full, .slots = s->told, .n = n};
    return true;
}

/* A second copy of the oldest straggler that runs on another host. */
static bool duplicate_for(struct sched *s, uint32_t idle, int64_t now, struct sched_action *out)
{
    struct peer_state *p = &s->peers[idle];
    if (p->dup != SCHED_NONE)
        return false;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *o = &s->peers[i];
        if (!o->used || o->info.host == p->info.host || o->leases.n == 0)
            continue;
        uint32_t slot = o->leases.first;
        struct slot *u = &s->slots[slot];
        double expected = expected_us(s, slot);
        int64_t age = now - u->since;
        if (u->dup != SCHED_NONE || u->suspect || expected <= 0 || age < STRAGGLER_US ||
            (double)age < 3 * expected || !can_help(s, p, slot) || !fits(s, p, slot, now))
            continue;
        u->dup = idle;
        u->attempts++;
        s->counts.retries++;
        p->dup = slot;
        if (p->in_flight++ == 0)
            p->moved = now;
        s->told[0] = slot;
        *out = (struct sched_action){.kind = SCHED_GRANT,
                                     .peer = idle,
                                     .lease = s->next_lease++,
                                     .job = u->job,
                                     .slots = s->told,
                                     .n = 1};
        return true;
    }
    return false;
}

/* ---- time ---- */

static void wake_delayed(struct sched *s, int64_t now)
{
    while (s->delayed.n > 0 && s->slots[s->delayed.slot[0]].rank <= (double)now)
        slot_to_ready(s, heap_pop(s, &s->delayed));
}

static void judge_peers(struct sched *s, int64_t now)
{
    if (now - s->judged < JUDGE_US)
        return;
    s->judged = now;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *p = &s->peers[i];
        if (!p->used)
            continue;
        bool silent = now - p->heard > s->cfg.silence_us;
        bool hung = p->in_flight > 0 && now - p->moved > s->cfg.no_progress_us;
        if (!silent && !hung)
            continue;
        enum sched_end how = silent ? SCHED_SILENT : SCHED_HUNG;
        uint32_t held = p->in_flight;
        peer_gone(s, i, how, now);
        struct pending_action *a = action_add(s, SCHED_LOST, i);
        a->how = how;
        a->slot = held;
    }
}

/* Units of a model that every peer of their role has refused. */
static void give_up_hopeless(struct sched *s)
{
    for (uint32_t g = 0; g < s->n_groups; g++) {
        if (s->groups[g].n_blocked == 0 || group_has_able_peer(s, g))
            continue;
        while (s->groups[g].ready.n > 0) {
            uint32_t slot = heap_pop(s, &s->groups[g].ready);
            s->counts.ready--;
            slot_give_up(s, slot, "no-peer");
        }
        for (uint32_t b = 0; b < s->n_batches; b++) {
            while (b < s->n_batches && s->batches[b].units.n > 0 &&
                   s->jobs[s->slots[s->batches[b].units.first].job].group == g) {
                uint32_t slot = s->batches[b].units.first;
                slot_detach(s, slot);
                slot_give_up(s, slot, "no-peer");
            }
        }
    }
}

static bool decide(struct sched *s, int64_t now, struct sched_action *out)
{
    for (uint32_t i = 0; i < s->n_peers; i++) {
        struct peer_state *p = &s->peers[i];
        if (!p->used)
            continue;
        if (p->in_flight == 0)
            p->exclusive = false;
        if (!has_room(s, p))
            continue;
        if (p->in_flight == 0 && grant_batch(s, i, now))
            return tell_grant(s, out);
        if (!p->exclusive && !p->reserved && grant_ready(s, i, now))
            return tell_grant(s, out);
    }
    reserve_for_suspects(s, now);
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct peer_state *p = &s->peers[i];
        if (has_room(s, p) && p->in_flight == 0 && !p->reserved &&
            (retract_for(s, i, now, out) || duplicate_for(s, i, now, out)))
            return true;
    }
    return false;
}

/* A reservation ends when nobody waits for it any more. */
static void release_reserved(struct sched *s)
{
    if (s->n_batches > 0)
        return;
    for (uint32_t i = 0; i < s->n_peers; i++)
        s->peers[i].reserved = false;
}

bool sched_next(struct sched *s, int64_t now, struct sched_action *out)
{
    judge_peers(s, now);
    if (tell_pending(s, out) || tell_grant(s, out))
        return true;
    if (s->quiet && now - s->looked < LOOK_US)
        return false;
    wake_delayed(s, now);
    release_reserved(s);
    give_up_hopeless(s);
    if (tell_pending(s, out) || decide(s, now, out))
        return true;
    s->quiet = true;
    s->looked = now;
    return false;
}
