/* sched_queue.c - the scheduler's containers: heaps that know where each slot is, lists threaded
 * through the slots, running medians. */
#include <math.h>
#include <string.h>

#include "coordinator/dispatch/sched_internal.h"
#include "proto/mem.h"

static bool before(const struct sched *s, uint32_t a, uint32_t b)
{
    const struct slot *x = &s->slots[a], *y = &s->slots[b];
    return x->rank < y->rank || (x->rank <= y->rank && x->seq < y->seq);
}

static void place(struct sched *s, struct heap *h, uint32_t i, uint32_t slot)
{
    h->slot[i] = slot;
    s->slots[slot].heap = i;
}

static void sift_up(struct sched *s, struct heap *h, uint32_t i)
{
    uint32_t slot = h->slot[i];
    while (i > 0 && before(s, slot, h->slot[(i - 1) / 2])) {
        place(s, h, i, h->slot[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(s, h, i, slot);
}

static void sift_down(struct sched *s, struct heap *h, uint32_t i)
{
    uint32_t slot = h->slot[i];
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < h->n && before(s, h->slot[child + 1], h->slot[child]))
            child++;
        if (child >= h->n || !before(s, h->slot[child], slot))
            break;
        place(s, h, i, h->slot[child]);
        i = child;
    }
    place(s, h, i, slot);
}

double ready_rank(const struct sched *s, uint32_t slot)
{
    return -ilogb(s->slots[slot].cost);
}

void heap_push(struct sched *s, struct heap *h, uint32_t slot, double rank)
{
    s->slots[slot].rank = rank;
    PX_GROW(h->slot, h->n, h->cap);
    place(s, h, h->n, slot);
    sift_up(s, h, h->n++);
}

void heap_remove(struct sched *s, struct heap *h, uint32_t slot)
{
    uint32_t i = s->slots[slot].heap;
    px_assert(i < h->n && h->slot[i] == slot);
    uint32_t last = h->slot[--h->n];
    if (last == slot)
        return;
    place(s, h, i, last);
    sift_up(s, h, i);
    sift_down(s, h, s->slots[last].heap);
}

uint32_t heap_pop(struct sched *s, struct heap *h)
{
    if (h->n == 0)
        return SCHED_NONE;
    uint32_t slot = h->slot[0];
    heap_remove(s, h, slot);
    return slot;
}

void list_append(struct sched *s, struct list *l, uint32_t slot)
{
    struct slot *u = &s->slots[slot];
    u->prev = l->n ? l->last : SCHED_NONE;
    u->next = SCHED_NONE;
    if (l->n)
        s->slots[l->last].next = slot;
    else
        l->first = slot;
    l->last = slot;
    l->n++;
}

void list_remove(struct sched *s, struct list *l, uint32_t slot)
{
    struct slot *u = &s->slots[slot];
    px_assert(l->n > 0);
    if (u->prev != SCHED_NONE)
        s->slots[u->prev].next = u->next;
    else
        l->first = u->next;
    if (u->next != SCHED_NONE)
        s->slots[u->next].prev = u->prev;
    else
        l->last = u->prev;
    l->n--;
}

void ring_add(struct ring *r, double v)
{
    r->v[r->at] = (float)v;
    r->at = (uint8_t)((r->at + 1) % N_SAMPLES);
    if (r->n < N_SAMPLES)
        r->n++;
}

double ring_median(const struct ring *r)
{
    float v[N_SAMPLES];
    if (r->n < 3)
        return 0;
    memcpy(v, r->v, sizeof v);
    for (unsigned i = 1; i < r->n; i++) {
        float x = v[i];
        unsigned k = i;
        for (; k > 0 && v[k - 1] > x; k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
    return (double)v[r->n / 2];
}

struct group *group_of(struct sched *s, uint32_t slot)
{
    return &s->groups[s->jobs[s->slots[slot].job].group];
}
