/* rescore.c - which verdicts are missing under the rules of today, and the change to them. */
#include "coordinator/run/rescore.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/digest_map.h"
#include "coordinator/plan/keys.h"
#include "proto/mem.h"

enum state { R_SAME, R_STORED, R_WAITING, R_LEASED, R_DONE, R_FAILED, R_FORGOTTEN };

#define NO_UNIT UINT64_MAX

struct slot {
    struct px_digest content, old, now;
    uint32_t group, index;
    uint32_t problem; /* in the task */
    uint8_t state;
    uint64_t next; /* waits for the same verdict, NO_UNIT at the end */
};

struct rescore {
    struct store *store;
    const struct manifest *manifest;
    const struct rescore_rule *rules;
    struct slot *slots;
    uint64_t n, cap;
    uint64_t cursor;
    uint64_t in_flight;
    struct digest_map *heads; /* new verdict key -> slot that is judged for all */
    uint32_t *jobs;           /* per group */
};

/* ---- problems by id ---- */

struct named {
    const char *id;
    uint32_t problem;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->id, ((const struct named *)b)->id);
}

static struct named *name_problems(const struct task *t)
{
    uint32_t n = task_n_problems(t);
    struct named *list = px_xcalloc((size_t)n + 1, sizeof *list);
    for (uint32_t i = 0; i < n; i++)
        list[i] = (struct named){task_problem_id(t, i), i};
    qsort(list, n, sizeof *list, by_id);
    return list;
}

/* ---- what is there ---- */

static int new_key(const struct rescore *r, const struct slot *u, const void *rec, size_t n,
                   struct px_digest *out, struct px_err *err)
{
    const struct rescore_rule *rule = &r->rules[u->group];
    struct px_digest completion;
    struct px_buf json;
    px_buf_init(&json, UNIT_LIMIT);
    int rc = completion_result_digest(rec, n, &completion, err);
    if (rc == 0)
        rc = task_problem_json(rule->task, u->problem, &json, err);
    if (rc == 0)
        *out = verdict_key(&completion, rule->scorer, (const char *)json.data, json.len);
    px_buf_clear(&json);
    return rc;
}

static bool has(struct store_view *v, enum store_db db, const struct px_digest *key)
{
    const void *val;
    size_t n;
    return store_view_get(v, db, key->b, sizeof key->b, &val, &n);
}

/* A unit without completion is none of ours: false. */
static bool look_up(struct store_view *v, const struct px_digest *plan_key, struct slot *u,
                    const void **rec, size_t *n_rec)
{
    const void *val;
    size_t n;
    if (!store_view_get(v, STORE_PLAN, plan_key->b, sizeof plan_key->b, &val, &n) ||
        n != 2 * PX_DIGEST_SIZE)
        return false;
    memcpy(u->content.b, val, PX_DIGEST_SIZE);
    memcpy(u->old.b, (const uint8_t *)val + PX_DIGEST_SIZE, PX_DIGEST_SIZE);
    return store_view_get(v, STORE_RESULT, u->content.b, sizeof u->content.b, rec, n_rec);
}

static int add_unit(struct rescore *r, struct store_view *v, uint32_t group, uint32_t index,
                    const struct named *names, struct px_err *err)
{
    const struct manifest_unit *mu = &r->manifest->groups[group].units[index];
    struct slot u = {.group = group, .index = index, .next = NO_UNIT};
    struct named want = {mu->problem, 0};
    const void *rec;
    size_t n_rec;
    if (!look_up(v, &mu->plan_key, &u, &rec, &n_rec))
        return 0;
    const struct named *found =
        bsearch(&want, names, task_n_problems(r->rules[group].task), sizeof *names, by_id);
    if (!found) {
        u.state = R_FORGOTTEN;
        u.now = u.old;
    } else {
        u.problem = found->problem;
        if (new_key(r, &u, rec, n_rec, &u.now, err) != 0)
            return px_wrap(err, "problem %s", mu->problem);
        bool judged = has(v, STORE_VERDICT, &u.now);
        u.state = !judged ? R_WAITING : px_digest_eq(&u.now, &u.old) ? R_SAME : R_STORED;
    }
    PX_GROW(r->slots, r->n, r->cap);
    r->slots[r->n++] = u;
    return 0;
}

static int fill(struct rescore *r, struct px_err *err)
{
    struct store_view *v = store_view_begin(r->store, err);
    if (!v)
        return -1;
    int rc = 0;
    for (uint32_t g = 0; g < r->manifest->n_groups && rc == 0; g++) {
        if (!r->rules[g].task)
            continue;
        struct named *names = name_problems(r->rules[g].task);
        for (uint32_t i = 0; i < r->manifest->groups[g].n_units && rc == 0; i++)
            rc = add_unit(r, v, g, i, names, err);
        free(names);
    }
    store_view_end(&v);
    return rc;
}

struct rescore *rescore_new(struct store *s, const struct manifest *m,
                            const struct rescore_rule *rules, struct px_err *err)
{
    struct rescore *r = px_xcalloc(1, sizeof *r);
    r->store = s;
    r->manifest = m;
    r->rules = rules;
    r->heads = digest_map_new();
    r->jobs = px_xcalloc((size_t)m->n_groups + 1, sizeof *r->jobs);
    if (fill(r, err) != 0)
        rescore_free(&r);
    return r;
}

void rescore_free(struct rescore **rp)
{
    struct rescore *r = *rp;
    if (!r)
        return;
    digest_map_free(&r->heads);
    free(r->jobs);
    free(r->slots);
    free(r);
    *rp = NULL;
}

void rescore_count(const struct rescore *r, struct rescore_counts *out)
{
    memset(out, 0, sizeof *out);
    out->units = r->n;
    for (uint64_t i = 0; i < r->n; i++) {
        unsigned s = r->slots[i].state;
        out->same += s == R_SAME;
        out->stored += s == R_STORED;
        out->forgotten += s == R_FORGOTTEN;
        out->done += s == R_DONE;
        out->gave_up += s == R_FAILED;
        out->to_do += s == R_WAITING || s == R_LEASED || s == R_DONE || s == R_FAILED;
    }
}

/* ---- the hall's source ---- */

void rescore_attach(struct rescore *r, struct hall *h)
{
    for (uint32_t g = 0; g < r->manifest->n_groups; g++) {
        const struct rescore_rule *rule = &r->rules[g];
        if (!rule->task)
            continue;
        char none[] = "";
        struct job j = {.kind = UNIT_SCORE,
                        .task = (char *)task_name(rule->task),
                        .backend = BACKEND_NATIVE,
                        .model_name = none,
                        .model_path = none,
                        .kv = KV_F16,
                        .sampler.top_p = 1,
                        .reuse = {.k = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT},
                        .scorer = rule->scorer,
                        .options = none};
        r->jobs[g] = hall_add_job(h, &j);
    }
}

static int pull(void *ctx, struct hall_unit *out, int max, struct px_err *err)
{
    struct rescore *r = ctx;
    int n = 0;
    (void)err;
    for (; n < max && r->cursor < r->n; r->cursor++) {
        struct slot *u = &r->slots[r->cursor];
        uint64_t head;
        if (u->state != R_WAITING)
            continue;
        u->state = R_LEASED;
        if (digest_map_get(r->heads, &u->now, &head)) {
            if (r->slots[head].state != R_LEASED) { /* judged meanwhile */
                u->state = r->slots[head].state;
            } else {
                u->next = r->slots[head].next;
                r->slots[head].next = r->cursor;
            }
            continue;
        }
        digest_map_put(r->heads, &u->now, r->cursor);
        r->in_flight++;
        out[n++] = (struct hall_unit){r->cursor, u->now, r->jobs[u->group], 0.05};
    }
    return n;
}

static bool exhausted(void *ctx)
{
    const struct rescore *r = ctx;
    return r->in_flight == 0 && r->cursor >= r->n;
}

static int encode(void *ctx, uint64_t id, struct px_buf *out, struct px_err *err)
{
    const struct rescore *r = ctx;
    const struct slot *u = &r->slots[id];
    const struct manifest_unit *mu = &r->manifest->groups[u->group].units[u->index];
    struct unit unit = {
        .key = u->now, .problem = mu->problem, .sample = mu->sample, .turn = mu->turn};
    struct px_buf rec, json;
    bool found = false;
    px_buf_init(&rec, UNIT_LIMIT);
    px_buf_init(&json, UNIT_LIMIT);
    int rc =
        store_get(r->store, STORE_RESULT, u->content.b, sizeof u->content.b, &rec, &found, err);
    if (rc == 0 && !found)
        rc = px_fail(err, PX_EIO, "the completion of problem %s cannot be read back", mu->problem);
    if (rc == 0)
        rc = task_problem_json(r->rules[u->group].task, u->problem, &json, err);
    if (rc == 0) {
        unit.problem_json = (char *)json.data;
        unit.completion = rec.data;
        unit.n_completion = (uint32_t)rec.len;
        unit_encode(&unit, out);
    }
    px_buf_clear(&rec);
    px_buf_clear(&json);
    return rc;
}

static int record(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
                  struct px_err *err)
{
    struct rescore *r = ctx;
    struct verdict v;
    if (verdict_decode(rec, n, &v, err) != 0)
        return -1;
    int rc = 0;
    if (v.class == VERDICT_SANDBOX_ERROR || v.class == VERDICT_INCONCLUSIVE)
        rc = px_fail(err, PX_EIO, "the tester reports %s: %s", verdict_class_name(v.class),
                     v.detail);
    verdict_clear(&v);
    const struct px_digest *key = &r->slots[id].now;
    if (rc == 0)
        store_batch_put_new(b, STORE_VERDICT, key->b, sizeof key->b, rec, n);
    return rc;
}

static void settle(struct rescore *r, uint64_t head, enum state s)
{
    for (uint64_t i = head; i != NO_UNIT; i = r->slots[i].next)
        r->slots[i].state = (uint8_t)s;
}

static void committed(void *ctx, uint64_t id)
{
    struct rescore *r = ctx;
    r->in_flight--;
    settle(r, id, r->slots[id].state == R_FAILED ? R_FAILED : R_DONE);
}

static void gave_up(void *ctx, uint64_t id, const char *class_name, const char *evidence,
                    struct store_batch *b)
{
    struct rescore *r = ctx;
    const struct px_digest *key = &r->slots[id].now;
    (void)class_name;
    store_batch_put(b, STORE_QUARANTINE, key->b, sizeof key->b, evidence, strlen(evidence));
    settle(r, id, R_FAILED);
}

struct hall_source rescore_source(struct rescore *r)
{
    struct hall_source s = {.ctx = r,
                            .pull = pull,
                            .exhausted = exhausted,
                            .encode = encode,
                            .record = record,
                            .committed = committed,
                            .gave_up = gave_up};
    return s;
}

/* ---- going over ---- */

static bool goes_over(const struct slot *u)
{
    return u->state == R_STORED || u->state == R_DONE;
}

static bool verdict_at(struct store_view *v, const struct px_digest *key, struct verdict *out)
{
    const void *val;
    size_t n;
    return !px_digest_is_zero(key) &&
           store_view_get(v, STORE_VERDICT, key->b, sizeof key->b, &val, &n) &&
           verdict_decode(val, n, out, NULL) == 0;
}

int rescore_walk(const struct rescore *r, rescored_fn fn, void *ctx, struct px_err *err)
{
    struct store_view *v = store_view_begin(r->store, err);
    if (!v)
        return -1;
    int rc = 0;
    for (uint64_t i = 0; i < r->n && rc == 0; i++) {
        const struct slot *u = &r->slots[i];
        struct verdict old, now;
        if (!goes_over(u))
            continue;
        if (!verdict_at(v, &u->now, &now)) {
            rc = px_fail(err, PX_EIO, "the new verdict of problem %s cannot be read back",
                         r->manifest->groups[u->group].units[u->index].problem);
            break;
        }
        bool had = verdict_at(v, &u->old, &old);
        struct rescored x = {u->group, u->index, had ? &old : NULL, &now};
        fn(ctx, &x);
        if (had)
            verdict_clear(&old);
        verdict_clear(&now);
    }
    store_view_end(&v);
    return rc;
}

int rescore_commit(struct rescore *r, struct manifest *m, struct px_err *err)
{
    struct store_batch *b = store_batch_new();
    for (uint64_t i = 0; i < r->n; i++) {
        const struct slot *u = &r->slots[i];
        if (u->state != R_FORGOTTEN)
            m->groups[u->group].units[u->index].subset =
                task_subset(r->rules[u->group].task, u->problem);
    }
    manifest_write(m, b);
    for (uint64_t i = 0; i < r->n; i++) {
        const struct slot *u = &r->slots[i];
        if (!goes_over(u))
            continue;
        const struct px_digest *key = &r->manifest->groups[u->group].units[u->index].plan_key;
        uint8_t val[2 * PX_DIGEST_SIZE];
        memcpy(val, u->content.b, PX_DIGEST_SIZE);
        memcpy(val + PX_DIGEST_SIZE, u->now.b, PX_DIGEST_SIZE);
        store_batch_put(b, STORE_PLAN, key->b, sizeof key->b, val, sizeof val);
    }
    return store_commit(r->store, b, err);
}
