#include "coordinator/run/conductor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/run/conductor_internal.h"
#include "proto/mem.h"

/* ---- small helpers ---- */

uint32_t conductor_group(const struct conductor *c, uint64_t unit)
{
    return plan_unit_at(c->plan, unit).group;
}

void conductor_queue_push(struct conductor *c, uint64_t unit)
{
    if (c->queue_len == c->queue_cap) {
        size_t cap = c->queue_cap ? 2 * c->queue_cap : 256;
        uint64_t *q = px_xmalloc(cap * sizeof *q);
        for (size_t i = 0; i < c->queue_len; i++)
            q[i] = c->queue[(c->queue_head + i) % c->queue_cap];
        free(c->queue);
        c->queue = q;
        c->queue_cap = cap;
        c->queue_head = 0;
    }
    c->queue[(c->queue_head + c->queue_len++) % c->queue_cap] = unit;
}

uint64_t conductor_queue_pop(struct conductor *c)
{
    uint64_t unit = c->queue[c->queue_head];
    c->queue_head = (c->queue_head + 1) % c->queue_cap;
    c->queue_len--;
    return unit;
}

static bool stored(struct store_view *v, enum store_db db, const struct px_digest *key)
{
    const void *val;
    size_t n;
    return store_view_get(v, db, key->b, sizeof key->b, &val, &n);
}

void conductor_finish(struct conductor *c, uint64_t unit, enum unit_state how)
{
    c->units[unit].state = (uint8_t)how;
    conductor_wake(c, unit);
    conductor_gates_count(c, unit);
}

/* The completion of a unit is known: on to the tester, or finished. */
void conductor_completion_known(struct conductor *c, uint64_t unit)
{
    if (plan_unscored(c->plan, conductor_group(c, unit))) {
        conductor_finish(c, unit, U_DONE);
        return;
    }
    c->units[unit].state = U_TO_SCORE;
    conductor_queue_push(c, unit);
}

/* ---- what is in the store ---- */

/* Where a unit stands by what the view holds. */
static enum unit_state resume_unit(const struct conductor *c, struct store_view *v, uint64_t unit,
                                   struct unit_slot *u)
{
    struct px_digest key = plan_key(c->plan, unit);
    const void *val;
    size_t n;
    if (!store_view_get(v, STORE_PLAN, key.b, sizeof key.b, &val, &n) || n != 64)
        return U_PENDING;
    memcpy(u->content.b, val, 32);
    memcpy(u->verdict.b, (const uint8_t *)val + 32, 32);
    if (stored(v, STORE_QUARANTINE, &u->content))
        return U_FAILED;
    if (!stored(v, STORE_RESULT, &u->content))
        return U_PENDING;
    if (plan_unscored(c->plan, conductor_group(c, unit)))
        return U_DONE;
    if (px_digest_is_zero(&u->verdict))
        return U_TO_SCORE;
    if (stored(v, STORE_QUARANTINE, &u->verdict))
        return U_FAILED;
    return stored(v, STORE_VERDICT, &u->verdict) ? U_DONE : U_TO_SCORE;
}

static int resume(struct conductor *c, const struct conductor_options *opt, struct px_err *err)
{
    struct store_view *v = store_view_begin(c->store, err);
    if (!v)
        return -1;
    for (uint64_t i = 0; i < c->plan->n_units; i++) {
        struct unit_slot *u = &c->units[i];
        u->next = NO_UNIT;
        bool wanted = !opt || !opt->wants || opt->wants(opt->ctx, i);
        u->state = wanted ? (uint8_t)resume_unit(c, v, i, u) : U_DONE;
        if (u->state == U_TO_SCORE)
            conductor_queue_push(c, i);
    }
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        if (stored(v, STORE_RESULT, &c->plan->imports[i].key))
            c->imports[i] = IMPORT_DONE;
    store_view_end(&v);
    return 0;
}

struct conductor *conductor_new(const struct plan *p, struct store *s,
                                const struct conductor_options *opt, struct px_err *err)
{
    struct conductor *c = px_xcalloc(1, sizeof *c);
    c->plan = p;
    c->store = s;
    c->partial = opt && opt->wants;
    c->units = px_xcalloc(p->n_units, sizeof *c->units);
    c->visit = visit_new(p);
    c->imports = px_xcalloc(p->n_imports, 1);
    c->by_content = digest_map_new();
    c->by_verdict = digest_map_new();
    if (resume(c, opt, err) != 0)
        conductor_free(&c);
    return c;
}

void conductor_free(struct conductor **cp)
{
    struct conductor *c = *cp;
    if (!c)
        return;
    digest_map_free(&c->by_content);
    digest_map_free(&c->by_verdict);
    free(c->units);
    visit_free(&c->visit);
    free(c->imports);
    free(c->generate_job);
    free(c->score_job);
    free(c->import_job);
    free(c->queue);
    free(c->first_waiter);
    free(c->next_waiter);
    free(c->ready);
    free(c->settled);
    if (c->receipts)
        store_batch_free(&c->receipts);
    free(c->stage_failure);
    free(c->gate_stop);
    gate_watch_free(&c->gates);
    free(c->heartbeat);
    free(c);
    *cp = NULL;
}

void conductor_count(const struct conductor *c, struct conductor_counts *out)
{
    memset(out, 0, sizeof *out);
    out->total = c->plan->n_units;
    for (uint64_t i = 0; i < c->plan->n_units; i++) {
        unsigned s = c->units[i].state;
        out->done += s == U_DONE;
        out->generated += s == U_TO_SCORE || s == U_SCORING;
        out->quarantined += s == U_FAILED;
    }
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        out->imports += c->imports[i] != IMPORT_DONE;
}

/* ---- counters and plan records ---- */

static const char *const settled_counter[] = {"generated", "scored", "failed"};

static void counter_name(char out[64], uint32_t group, const char *what)
{
    snprintf(out, 64, "g%u.%s", group, what);
}

void conductor_count_up(struct store_batch *b, uint32_t group, const char *what)
{
    char name[64];
    counter_name(name, group, what);
    store_batch_add(b, name, 1);
}

static void set_counter(struct store_batch *b, const char *name, uint64_t value)
{
    uint8_t raw[8];
    px_store_u64(raw, value);
    store_batch_put(b, STORE_COUNTER, name, strlen(name), raw, sizeof raw);
}

void conductor_put_plan(struct conductor *c, struct store_batch *b, uint64_t unit)
{
    struct px_digest key = plan_key(c->plan, unit);
    uint8_t val[64];
    memcpy(val, c->units[unit].content.b, 32);
    memcpy(val + 32, c->units[unit].verdict.b, 32);
    store_batch_put(b, STORE_PLAN, key.b, sizeof key.b, val, sizeof val);
}

/* A unit that the store itself answered: its plan record goes out with the next commit. */
void conductor_settle(struct conductor *c, uint64_t unit, enum settled how)
{
    PX_GROW(c->settled, c->n_settled, c->cap_settled);
    c->settled[c->n_settled++] = unit << 2 | how;
}

void conductor_write_settled(struct conductor *c, struct store_batch *b)
{
    for (size_t i = 0; i < c->n_settled; i++) {
        uint64_t unit = c->settled[i] >> 2;
        enum settled how = (enum settled)(c->settled[i] & 3);
        conductor_put_plan(c, b, unit);
        conductor_count_up(b, conductor_group(c, unit), settled_counter[how]);
        if (how == SETTLED_FAILED)
            store_batch_add(b, "quarantined", 1);
    }
    c->n_settled = 0;
    if (c->receipts)
        store_batch_append(b, &c->receipts);
    if (c->heartbeat) {
        store_batch_put(b, STORE_META, "heartbeat", 9, c->heartbeat, strlen(c->heartbeat));
        free(c->heartbeat);
        c->heartbeat = NULL;
    }
}

void conductor_heartbeat(struct conductor *c, const char *json)
{
    free(c->heartbeat);
    c->heartbeat = px_xstrdup(json);
}

int conductor_flush(struct conductor *c, struct px_err *err)
{
    if (c->n_settled == 0 && !c->heartbeat && !c->receipts)
        return 0;
    struct store_batch *b = store_batch_new();
    conductor_write_settled(c, b);
    return store_commit(c->store, b, err);
}

static void write_counters(const struct conductor *c, struct store_batch *b)
{
    uint64_t quarantined = 0;
    for (uint32_t g = 0; g < c->plan->n_groups; g++) {
        const struct plan_group *pg = &c->plan->groups[g];
        uint64_t generated = 0;
        uint64_t scored = 0;
        uint64_t failed = 0;
        for (uint64_t i = pg->first; i < pg->first + pg->n_units; i++) {
            unsigned s = c->units[i].state;
            generated += s == U_DONE || s == U_TO_SCORE;
            scored += s == U_DONE && !plan_unscored(c->plan, g);
            failed += s == U_FAILED;
        }
        char name[64];
        counter_name(name, g, "generated");
        set_counter(b, name, generated);
        counter_name(name, g, "scored");
        set_counter(b, name, scored);
        counter_name(name, g, "failed");
        set_counter(b, name, failed);
        quarantined += failed;
    }
    set_counter(b, "units", c->plan->n_units);
    set_counter(b, "quarantined", quarantined);
}

int conductor_begin(struct conductor *c, const char *run_dir, struct px_err *err)
{
    struct manifest *m = plan_manifest(c->plan, run_dir);
    struct store_batch *b = store_batch_new();
    manifest_write(m, b);
    conductor_gates_put(c, m, b);
    manifest_free(&m);
    write_counters(c, b);
    if (store_commit(c->store, b, err) != 0)
        return -1;
    conductor_gates_resume(c);
    return 0;
}

void conductor_attach(struct conductor *c, struct hall *h)
{
    const struct plan *p = c->plan;
    c->generate_job = px_xcalloc(p->n_groups, sizeof *c->generate_job);
    c->score_job = px_xcalloc(p->n_groups, sizeof *c->score_job);
    c->import_job = px_xcalloc(p->n_imports, sizeof *c->import_job);
    for (uint32_t i = 0; i < p->n_groups; i++) {
        c->generate_job[i] = hall_add_job(h, &p->groups[i].generate);
        c->score_job[i] = hall_add_job(h, &p->groups[i].score);
    }
    for (uint32_t i = 0; i < p->n_imports; i++)
        c->import_job[i] = hall_add_job(h, &p->imports[i].job);
}

struct hall_source conductor_source(struct conductor *c)
{
    struct hall_source s = {.ctx = c,
                            .pull = conductor_pull,
                            .exhausted = conductor_exhausted,
                            .encode = conductor_encode,
                            .record = conductor_record,
                            .committed = conductor_committed,
                            .gave_up = conductor_gave_up};
    return s;
}

const char *conductor_stage_failure(const struct conductor *c)
{
    return c->stage_failure;
}
