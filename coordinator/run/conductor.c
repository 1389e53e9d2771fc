#include "coordinator/run/conductor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/digest_map.h"
#include "proto/log.h"
#include "proto/mem.h"

enum unit_state { U_PENDING, U_GENERATING, U_TO_SCORE, U_SCORING, U_DONE, U_FAILED };

/* What a hall id refers to, in its two top bits. */
#define ID_KIND(id) ((unsigned)((id) >> 62))
#define ID_INDEX(id) ((id) & ((UINT64_C(1) << 62) - 1))
#define ID_OF(kind, index) ((uint64_t)(kind) << 62 | (index))
enum { ID_GENERATE, ID_SCORE, ID_IMPORT };

enum import_state { IMPORT_WAITING, IMPORT_LEASED, IMPORT_DONE, IMPORT_FAILED };

enum settled { SETTLED_GENERATED, SETTLED_SCORED, SETTLED_FAILED };
static const char *const settled_counter[] = {"generated", "scored", "failed"};

#define NO_UNIT UINT64_MAX

struct unit_slot {
    struct px_digest content;
    struct px_digest verdict;
    uint64_t next; /* the next unit that follows the same work, NO_UNIT at the end */
    uint8_t state;
    bool written; /* its plan record went out with the result that is being committed */
};

struct conductor {
    const struct plan *plan;
    struct store *store;
    struct unit_slot *units;
    uint8_t *imports; /* enum import_state */
    uint32_t *generate_job, *score_job, *import_job;
    struct digest_map *by_content; /* in flight: key -> head unit */
    struct digest_map *by_verdict;
    uint64_t cursor; /* units before it are not PENDING */
    uint64_t *queue; /* ring of units to score */
    size_t queue_head, queue_len, queue_cap;
    uint64_t
        *settled; /* unit << 2 | enum settled: plan records to be written with the next commit */
    size_t n_settled, cap_settled;
    uint64_t in_flight;
    char *stage_failure;
    char *heartbeat; /* to be written, or NULL */
};

/* ---- small helpers ---- */

static uint32_t group_of(const struct conductor *c, uint64_t unit)
{
    return plan_unit_at(c->plan, unit).group;
}

static void queue_push(struct conductor *c, uint64_t unit)
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

static uint64_t queue_pop(struct conductor *c)
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

/* The completion of a unit is known: on to the tester, or finished. */
static void completion_known(struct conductor *c, uint64_t unit)
{
    if (plan_unscored(c->plan, group_of(c, unit))) {
        c->units[unit].state = U_DONE;
        return;
    }
    c->units[unit].state = U_TO_SCORE;
    queue_push(c, unit);
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
    if (plan_unscored(c->plan, group_of(c, unit)))
        return U_DONE;
    if (px_digest_is_zero(&u->verdict))
        return U_TO_SCORE;
    if (stored(v, STORE_QUARANTINE, &u->verdict))
        return U_FAILED;
    return stored(v, STORE_VERDICT, &u->verdict) ? U_DONE : U_TO_SCORE;
}

static int resume(struct conductor *c, struct px_err *err)
{
    struct store_view *v = store_view_begin(c->store, err);
    if (!v)
        return -1;
    for (uint64_t i = 0; i < c->plan->n_units; i++) {
        struct unit_slot *u = &c->units[i];
        u->next = NO_UNIT;
        u->state = (uint8_t)resume_unit(c, v, i, u);
        if (u->state == U_TO_SCORE)
            queue_push(c, i);
    }
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        if (stored(v, STORE_RESULT, &c->plan->imports[i].key))
            c->imports[i] = IMPORT_DONE;
    store_view_end(&v);
    return 0;
}

struct conductor *conductor_new(const struct plan *p, struct store *s, struct px_err *err)
{
    struct conductor *c = px_xcalloc(1, sizeof *c);
    c->plan = p;
    c->store = s;
    c->units = px_xcalloc(p->n_units, sizeof *c->units);
    c->imports = px_xcalloc(p->n_imports, 1);
    c->by_content = digest_map_new();
    c->by_verdict = digest_map_new();
    if (resume(c, err) != 0)
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
    free(c->imports);
    free(c->generate_job);
    free(c->score_job);
    free(c->import_job);
    free(c->queue);
    free(c->settled);
    free(c->stage_failure);
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

static void counter_name(char out[64], uint32_t group, const char *what)
{
    snprintf(out, 64, "g%u.%s", group, what);
}

static void count_up(struct store_batch *b, uint32_t group, const char *what)
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

static void put_plan_record(struct conductor *c, struct store_batch *b, uint64_t unit)
{
    struct px_digest key = plan_key(c->plan, unit);
    uint8_t val[64];
    memcpy(val, c->units[unit].content.b, 32);
    memcpy(val + 32, c->units[unit].verdict.b, 32);
    store_batch_put(b, STORE_PLAN, key.b, sizeof key.b, val, sizeof val);
}

/* A unit that the store itself answered: its plan record goes out with the next commit. */
static void settle(struct conductor *c, uint64_t unit, enum settled how)
{
    PX_GROW(c->settled, c->n_settled, c->cap_settled);
    c->settled[c->n_settled++] = unit << 2 | how;
}

static void write_settled(struct conductor *c, struct store_batch *b)
{
    for (size_t i = 0; i < c->n_settled; i++) {
        uint64_t unit = c->settled[i] >> 2;
        enum settled how = (enum settled)(c->settled[i] & 3);
        put_plan_record(c, b, unit);
        count_up(b, group_of(c, unit), settled_counter[how]);
        if (how == SETTLED_FAILED)
            store_batch_add(b, "quarantined", 1);
    }
    c->n_settled = 0;
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
    if (c->n_settled == 0 && !c->heartbeat)
        return 0;
    struct store_batch *b = store_batch_new();
    write_settled(c, b);
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
    manifest_free(&m);
    write_counters(c, b);
    return store_commit(c->store, b, err);
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

/* ---- the source: pulling ---- */

static bool in_store(struct conductor *c, enum store_db db, const struct px_digest *key,
                     struct px_buf *out)
{
    bool found = false;
    struct px_buf scratch;
    px_buf_init(&scratch, UNIT_LIMIT);
    struct px_buf *to = out ? out : &scratch;
    if (store_get(c->store, db, key->b, sizeof key->b, to, &found, NULL) != 0)
        found = false;
    px_buf_clear(&scratch);
    return found;
}

/* The same work was given up for another unit: this one shares its fate, whichever came first. */
static bool known_bad(struct conductor *c, uint64_t unit, const struct px_digest *key)
{
    if (!in_store(c, STORE_QUARANTINE, key, NULL))
        return false;
    c->units[unit].state = U_FAILED;
    settle(c, unit, SETTLED_FAILED);
    return true;
}

static bool pull_import(struct conductor *c, struct hall_unit *out)
{
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        if (c->imports[i] == IMPORT_WAITING) {
            c->imports[i] = IMPORT_LEASED;
            c->in_flight++;
            *out =
                (struct hall_unit){ID_OF(ID_IMPORT, i), c->plan->imports[i].key, c->import_job[i],
                                   1e-9 * (double)c->plan->imports[i].job.model_bytes + 0.01};
            return true;
        }
    return false;
}

/* Chains a unit behind the head that is already doing the same work. */
static void chain(struct conductor *c, uint64_t head, uint64_t unit)
{
    c->units[unit].next = c->units[head].next;
    c->units[head].next = unit;
}

/* 1: out is filled; 0: the unit needs no tester of its own; -1: error. */
static int pull_score(struct conductor *c, uint64_t unit, struct hall_unit *out, struct px_err *err)
{
    struct unit_slot *u = &c->units[unit];
    struct px_buf rec;
    struct unit su;
    uint64_t head;
    px_buf_init(&rec, UNIT_LIMIT);
    if (!in_store(c, STORE_RESULT, &u->content, &rec)) {
        px_buf_clear(&rec); /* damaged since: make it again */
        u->state = U_PENDING;
        if (unit < c->cursor)
            c->cursor = unit;
        return 0;
    }
    int rc = plan_make_score_unit(c->plan, unit, rec.data, rec.len, &su, err);
    px_buf_clear(&rec);
    if (rc != 0)
        return -1;
    u->verdict = su.key;
    unit_clear(&su);
    u->state = U_SCORING;
    if (digest_map_get(c->by_verdict, &u->verdict, &head)) {
        chain(c, head, unit);
        return 0;
    }
    if (in_store(c, STORE_VERDICT, &u->verdict, NULL)) {
        u->state = U_DONE;
        settle(c, unit, SETTLED_SCORED);
        return 0;
    }
    if (known_bad(c, unit, &u->verdict))
        return 0;
    u->next = NO_UNIT;
    digest_map_put(c->by_verdict, &u->verdict, unit);
    c->in_flight++;
    *out = (struct hall_unit){ID_OF(ID_SCORE, unit), u->verdict, c->score_job[group_of(c, unit)],
                              0.05};
    return 1;
}

/* A rough measure of a unit's work: prompt tokens are some ten times cheaper than new ones. */
static double cost_of(const struct job *j, const struct unit *u)
{
    double cost = 0.1 * u->n_prompt + j->max_tokens;
    for (uint32_t i = 0; i < u->n_choices; i++)
        cost += u->choices[i].n_tokens;
    return cost;
}

static int pull_generate(struct conductor *c, uint64_t unit, struct hall_unit *out,
                         struct px_err *err)
{
    struct unit_slot *u = &c->units[unit];
    uint32_t group = group_of(c, unit);
    struct unit gu;
    uint64_t head;
    if (plan_make_unit(c->plan, unit, &gu, err) != 0)
        return -1;
    double cost = cost_of(&c->plan->groups[group].generate, &gu);
    u->content = gu.key;
    memset(&u->verdict, 0, sizeof u->verdict);
    unit_clear(&gu);
    u->state = U_GENERATING;
    if (digest_map_get(c->by_content, &u->content, &head)) {
        chain(c, head, unit);
        return 0;
    }
    if (in_store(c, STORE_RESULT, &u->content, NULL)) {
        settle(c, unit, SETTLED_GENERATED);
        completion_known(c, unit);
        return 0;
    }
    if (known_bad(c, unit, &u->content))
        return 0;
    u->next = NO_UNIT;
    digest_map_put(c->by_content, &u->content, unit);
    c->in_flight++;
    *out = (struct hall_unit){ID_OF(ID_GENERATE, unit), u->content, c->generate_job[group], cost};
    return 1;
}

/* Units of a model whose import is not done wait; they are looked at again after its commit. */
static bool import_ready(const struct conductor *c, uint64_t unit)
{
    const struct plan_cell *cell = &c->plan->cells[c->plan->groups[group_of(c, unit)].cell];
    return !cell->after_import || c->imports[cell->import] == IMPORT_DONE;
}

static int source_pull(void *ctx, struct hall_unit *out, int max, struct px_err *err)
{
    struct conductor *c = ctx;
    int n = 0;
    if (c->stage_failure)
        return 0;
    while (n < max && pull_import(c, &out[n]))
        n++;
    while (n < max && c->queue_len) {
        int k = pull_score(c, queue_pop(c), &out[n], err);
        if (k < 0)
            return -1;
        n += k;
    }
    while (n < max && c->cursor < c->plan->n_units) {
        uint64_t unit = c->cursor;
        if (c->units[unit].state == U_PENDING) {
            if (!import_ready(c, unit))
                break;
            int k = pull_generate(c, unit, &out[n], err);
            if (k < 0)
                return -1;
            n += k;
        }
        c->cursor++;
    }
    /* Nothing more to lease may come of it: then what the store answered must not wait. */
    if (n == 0 && c->in_flight == 0 && conductor_flush(c, err) != 0)
        return -1;
    return n;
}

static bool source_exhausted(void *ctx)
{
    const struct conductor *c = ctx;
    if (c->in_flight)
        return false;
    if (c->stage_failure)
        return true;
    for (uint32_t i = 0; i < c->plan->n_imports; i++)
        if (c->imports[i] != IMPORT_DONE)
            return false;
    return c->cursor >= c->plan->n_units && c->queue_len == 0;
}

static int source_encode(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err)
{
    struct conductor *c = ctx;
    uint64_t i = ID_INDEX(id);
    struct unit u = {0};
    int rc = 0;
    if (ID_KIND(id) == ID_IMPORT) {
        u.key = c->plan->imports[i].key;
        u.problem = px_xstrdup(c->plan->imports[i].job.model_name);
    } else if (ID_KIND(id) == ID_GENERATE) {
        rc = plan_make_unit(c->plan, i, &u, err);
    } else {
        struct px_buf rec;
        px_buf_init(&rec, UNIT_LIMIT);
        if (!in_store(c, STORE_RESULT, &c->units[i].content, &rec))
            rc = px_fail(err, PX_EIO, "the completion of unit %llu cannot be read back",
                         (unsigned long long)i);
        else
            rc = plan_make_score_unit(c->plan, i, rec.data, rec.len, &u, err);
        px_buf_clear(&rec);
    }
    if (rc == 0)
        unit_encode(&u, out);
    unit_clear(&u);
    return rc;
}

/* ---- the source: results ---- */

static int record_import(struct conductor *c, uint64_t i, const void *rec, size_t n,
                         struct store_batch *b, struct px_err *err)
{
    struct completion done;
    if (completion_decode(rec, n, &done, err) != 0)
        return -1;
    if (done.finish == FINISH_EOS) {
        const struct px_digest *key = &c->plan->imports[i].key;
        store_batch_put(b, STORE_RESULT, key->b, sizeof key->b, rec, n);
    } else if (!c->stage_failure) {
        c->stage_failure = px_xasprintf("import of model '%s' failed: %s",
                                        c->plan->imports[i].job.model_name, done.error);
        c->imports[i] = IMPORT_FAILED;
    }
    completion_clear(&done);
    return 0;
}

static int record_completion(struct conductor *c, uint64_t head, const void *rec, size_t n,
                             struct store_batch *b, struct px_err *err)
{
    struct completion done;
    if (completion_decode(rec, n, &done, err) != 0)
        return -1;
    const struct job *j = &c->plan->groups[group_of(c, head)].generate;
    bool fits = j->kind != UNIT_CHOICE || done.finish == FINISH_SCORED ||
                done.finish == FINISH_TOO_LONG || done.finish == FINISH_ERROR;
    completion_clear(&done);
    if (!fits)
        return px_fail(err, PX_EINPUT, "a text came back for a loglikelihood unit");
    const struct px_digest *key = &c->units[head].content;
    store_batch_put_new(b, STORE_RESULT, key->b, sizeof key->b, rec, n);
    for (uint64_t u = head; u != NO_UNIT; u = c->units[u].next) {
        c->units[u].written = true;
        put_plan_record(c, b, u);
        count_up(b, group_of(c, u), "generated");
    }
    return 0;
}

static int record_verdict(struct conductor *c, uint64_t head, const void *rec, size_t n,
                          struct store_batch *b, struct px_err *err)
{
    struct verdict v;
    if (verdict_decode(rec, n, &v, err) != 0)
        return -1;
    enum verdict_class class = v.class;
    int rc = 0;
    if (class == VERDICT_SANDBOX_ERROR || class == VERDICT_INCONCLUSIVE)
        rc = px_fail(err, PX_EIO, "the tester reports %s: %s", verdict_class_name(class), v.detail);
    verdict_clear(&v);
    if (rc != 0)
        return -1;
    const struct px_digest *key = &c->units[head].verdict;
    store_batch_put_new(b, STORE_VERDICT, key->b, sizeof key->b, rec, n);
    for (uint64_t u = head; u != NO_UNIT; u = c->units[u].next) {
        c->units[u].written = true;
        put_plan_record(c, b, u);
        count_up(b, group_of(c, u), "scored");
    }
    return 0;
}

static int source_record(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
                         struct px_err *err)
{
    struct conductor *c = ctx;
    uint64_t i = ID_INDEX(id);
    int rc;
    if (ID_KIND(id) == ID_IMPORT)
        rc = record_import(c, i, rec, n, b, err);
    else if (ID_KIND(id) == ID_GENERATE)
        rc = record_completion(c, i, rec, n, b, err);
    else
        rc = record_verdict(c, i, rec, n, b, err);
    if (rc == 0)
        write_settled(c, b);
    return rc;
}

/* A unit whose work is on disk goes on. One that was chained while the result was on its way to
 * the disk has no plan record yet: it gets one with the next commit. */
static void follow_commit(struct conductor *c, uint64_t unit, bool generated, bool gave_up)
{
    struct unit_slot *u = &c->units[unit];
    bool late = !u->written;
    u->written = false;
    if (gave_up) {
        u->state = U_FAILED;
        if (late)
            settle(c, unit, SETTLED_FAILED);
    } else if (generated) {
        if (late)
            settle(c, unit, SETTLED_GENERATED);
        completion_known(c, unit);
    } else {
        u->state = U_DONE;
        if (late)
            settle(c, unit, SETTLED_SCORED);
    }
}

static void source_committed(void *ctx, uint64_t id)
{
    struct conductor *c = ctx;
    uint64_t i = ID_INDEX(id);
    c->in_flight--;
    if (ID_KIND(id) == ID_IMPORT) {
        if (c->imports[i] == IMPORT_LEASED)
            c->imports[i] = IMPORT_DONE;
        return;
    }
    bool generated = ID_KIND(id) == ID_GENERATE;
    bool gave_up = c->units[i].state == U_FAILED;
    if (generated)
        digest_map_remove(c->by_content, &c->units[i].content);
    else
        digest_map_remove(c->by_verdict, &c->units[i].verdict);
    for (uint64_t u = i, next; u != NO_UNIT; u = next) {
        next = c->units[u].next;
        c->units[u].next = NO_UNIT;
        follow_commit(c, u, generated, gave_up);
    }
}

static void source_gave_up(void *ctx, uint64_t id, const char *class_name, const char *evidence,
                           struct store_batch *b)
{
    struct conductor *c = ctx;
    uint64_t i = ID_INDEX(id);
    if (ID_KIND(id) == ID_IMPORT) {
        c->imports[i] = IMPORT_FAILED;
        if (!c->stage_failure)
            c->stage_failure =
                px_xasprintf("import of model '%s' was given up (%s): %s",
                             c->plan->imports[i].job.model_name, class_name, evidence);
        return;
    }
    const struct unit_slot *head = &c->units[i];
    const struct px_digest *key = ID_KIND(id) == ID_GENERATE ? &head->content : &head->verdict;
    px_log(PX_WARN, "quarantined", "problem=%s class=%s",
           task_problem_id(c->plan->tasks[c->plan->groups[group_of(c, i)].task],
                           plan_unit_at(c->plan, i).problem),
           class_name);
    store_batch_put(b, STORE_QUARANTINE, key->b, sizeof key->b, evidence, strlen(evidence));
    for (uint64_t u = i; u != NO_UNIT; u = c->units[u].next) {
        c->units[u].state = U_FAILED;
        c->units[u].written = true;
        put_plan_record(c, b, u);
        count_up(b, group_of(c, u), "failed");
        store_batch_add(b, "quarantined", 1);
    }
}

struct hall_source conductor_source(struct conductor *c)
{
    struct hall_source s = {.ctx = c,
                            .pull = source_pull,
                            .exhausted = source_exhausted,
                            .encode = source_encode,
                            .record = source_record,
                            .committed = source_committed,
                            .gave_up = source_gave_up};
    return s;
}

const char *conductor_stage_failure(const struct conductor *c)
{
    return c->stage_failure;
}
