/* sched_heap.c - binary heaps of unit handles; each unit knows its place, so any can be removed.
 *
 * DELAYED units are ordered by when they may go on; READY ones by cost, then by arrival; suspects
 * by the size of their group (large groups first), then likewise. */
#include "coordinator/dispatch/sched_internal.h"
#include "proto/mem.h"

static bool before(const struct scheduler *s, uint32_t ia, uint32_t ib)
{
    const struct sched_unit *a = &s->units[ia];
    const struct sched_unit *b = &s->units[ib];
    if (a->state == S_DELAYED && a->ready_at != b->ready_at)
        return a->ready_at < b->ready_at;
    if (a->group != b->group)
        return a->group > b->group;
    if (a->cost > b->cost || a->cost < b->cost)
        return a->cost > b->cost;
    return a->seq < b->seq;
}

static void place(struct scheduler *s, struct sched_heap *h, uint32_t at, uint32_t unit)
{
    h->a[at] = unit;
    s->units[unit].heap_at = at;
}

static void sift_up(struct scheduler *s, struct sched_heap *h, uint32_t at)
{
    uint32_t unit = h->a[at];
    while (at > 0 && before(s, unit, h->a[(at - 1) / 2])) {
        place(s, h, at, h->a[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(s, h, at, unit);
}

static void sift_down(struct scheduler *s, struct sched_heap *h, uint32_t at)
{
    uint32_t unit = h->a[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(s, h->a[child + 1], h->a[child]))
            child++;
        if (!before(s, h->a[child], unit))
            break;
        place(s, h, at, h->a[child]);
        at = child;
    }
    place(s, h, at, unit);
}

void heap_push(struct scheduler *s, struct sched_heap *h, uint32_t unit)
{
    PX_GROW(h->a, h->n, h->cap);
    h->a[h->n] = unit;
    sift_up(s, h, h->n++);
}

void heap_remove(struct scheduler *s, struct sched_heap *h, uint32_t unit)
{
    uint32_t at = s->units[unit].heap_at;
    px_assert(at < h->n && h->a[at] == unit);
    uint32_t last = h->a[--h->n];
    if (last == unit)
        return;
    place(s, h, at, last);
    sift_up(s, h, at);
    sift_down(s, h, s->units[last].heap_at);
}
