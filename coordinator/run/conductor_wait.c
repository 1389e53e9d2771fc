/* conductor_wait.c - units whose prompts quote answers: later turns of a conversation, judges.
 *
 * A unit waits for the first answer that is missing, in a list that hangs on that unit; when the
 * answer is there it is looked at again and may wait for the next one. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/run/conductor_internal.h"
#include "proto/mem.h"

static void make_lists(struct conductor *c)
{
    c->first_waiter = px_xmalloc(c->plan->n_units * sizeof *c->first_waiter);
    c->next_waiter = px_xmalloc(c->plan->n_units * sizeof *c->next_waiter);
    for (uint64_t i = 0; i < c->plan->n_units; i++)
        c->first_waiter[i] = c->next_waiter[i] = NO_UNIT;
}

int conductor_wait(struct conductor *c, uint64_t unit)
{
    uint64_t needs[PLAN_MAX_NEEDS];
    uint32_t n = plan_needs(c->plan, unit, needs);
    for (uint32_t i = 0; i < n; i++) {
        unsigned state = c->units[needs[i]].state;
        if (state == U_FAILED)
            return -1;
        if (state == U_DONE)
            continue;
        if (!c->first_waiter)
            make_lists(c);
        c->units[unit].state = U_WAITING;
        c->next_waiter[unit] = c->first_waiter[needs[i]];
        c->first_waiter[needs[i]] = unit;
        return 0;
    }
    return 1;
}

void conductor_wake(struct conductor *c, uint64_t unit)
{
    if (!c->first_waiter)
        return;
    for (uint64_t w = c->first_waiter[unit], next; w != NO_UNIT; w = next) {
        next = c->next_waiter[w];
        c->next_waiter[w] = NO_UNIT;
        c->units[w].state = U_PENDING;
        PX_GROW(c->ready, c->n_ready, c->cap_ready);
        c->ready[c->n_ready++] = w;
    }
    c->first_waiter[unit] = NO_UNIT;
}

void needed_texts_clear(struct needed_texts *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        free(t->texts[i]);
    t->n = 0;
}

/* What a unit's verdict says may be quoted. */
static int text_of(struct conductor *c, uint64_t unit, char **out, struct px_err *err)
{
    struct px_buf rec;
    struct verdict v;
    bool found = false;
    const struct px_digest *key = &c->units[unit].verdict;
    px_buf_init(&rec, UNIT_LIMIT);
    int rc = store_get(c->store, STORE_VERDICT, key->b, sizeof key->b, &rec, &found, err);
    if (rc == 0 && !found)
        rc = px_fail(err, PX_EIO, "the verdict of unit %llu cannot be read back",
                     (unsigned long long)unit);
    if (rc == 0)
        rc = verdict_decode(rec.data, rec.len, &v, err);
    px_buf_clear(&rec);
    if (rc != 0)
        return -1;
    *out = px_xstrdup(v.visible);
    verdict_clear(&v);
    return 0;
}

int conductor_texts(struct conductor *c, uint64_t unit, struct needed_texts *out,
                    struct px_err *err)
{
    uint64_t needs[PLAN_MAX_NEEDS];
    uint32_t n = plan_needs(c->plan, unit, needs);
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < n; i++) {
        if (text_of(c, needs[i], &out->texts[i], err) != 0) {
            needed_texts_clear(out);
            return -1;
        }
        out->n++;
    }
    return 0;
}
