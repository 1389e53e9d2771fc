/* conductor_gates.c - the recipe's gates while the run goes on: every unit that ends is counted
 * once; a gate that stops the run lets what is leased finish and starts nothing new. */
#include <string.h>

#include "coordinator/plan/plan_gates.h"
#include "coordinator/run/conductor_internal.h"
#include "proto/log.h"
#include "proto/mem.h"

/* What is newly missed is told; the first gate that stops the run is kept. */
static void judge(struct conductor *c)
{
    bool stop = false;
    for (const char *words; (words = gate_watch_next(c->gates, &stop));) {
        px_log(PX_WARN, "gate", "%s", words);
        if (stop && !c->gate_stop)
            c->gate_stop = px_xstrdup(words);
    }
}

static void count(struct conductor *c, uint64_t unit)
{
    uint32_t group = conductor_group(c, unit);
    struct px_err err;
    if (!gate_watch_covers(c->gates, group))
        return;
    uint64_t index = unit - c->plan->groups[group].first;
    const struct unit_slot *u = &c->units[unit];
    if (gate_watch_note(c->gates, c->store, group, index, &u->content, &u->verdict, &err) != 0)
        px_log(PX_WARN, "gate_uncounted", "%s", err.text);
}

void conductor_gates_count(struct conductor *c, uint64_t unit)
{
    if (!c->gates)
        return;
    count(c, unit);
    judge(c);
}

void conductor_gates_put(struct conductor *c, const struct manifest *m, struct store_batch *b)
{
    uint32_t n;
    struct gate *list = plan_gates(c->plan, &n);
    struct px_buf json;
    px_buf_init(&json, 16u << 20);
    gates_json(list, n, &json);
    store_batch_put(b, STORE_META, "gates", 5, json.data, json.len);
    px_buf_clear(&json);
    gate_watch_free(&c->gates);
    if (!c->partial)
        c->gates = gate_watch_new(list, n, m);
    gates_free_list(list, n);
}

void conductor_gates_resume(struct conductor *c)
{
    for (uint64_t i = 0; c->gates && i < c->plan->n_units; i++)
        if (c->units[i].state == U_DONE || c->units[i].state == U_FAILED)
            count(c, i);
    if (c->gates)
        judge(c);
}

const char *conductor_gate_stop(const struct conductor *c)
{
    return c->gate_stop;
}
