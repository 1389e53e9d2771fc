/* conductor_record.c - results on their way to the store, and what follows their commit. */
#include <string.h>

#include "coordinator/run/conductor_internal.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"

/* Where the imported form is, or why it is not: the run goes on either way. */
static void tell_import(const struct completion *done)
{
    struct json_object *o = px_json_parse(done->text, done->n_text, NULL), *f = NULL;
    const char *model = o ? px_json_str_or(o, "model", "") : "";
    const char *host = done->host ? done->host : "";
    if (o && json_object_object_get_ex(o, "imported", &f) && f) {
        const char *problem = px_json_str_or(f, "problem", "");
        if (*problem)
            px_log(PX_WARN, "not-imported", "model=%s host=%s: %s; its own file is used", model,
                   host, problem);
        else
            px_log(PX_INFO, "imported", "model=%s host=%s path=%s bytes=%lld%s", model, host,
                   px_json_str_or(f, "path", ""), (long long)px_json_int_or(f, "bytes", 0),
                   px_json_bool_or(f, "was_there", false) ? " (was there already)" : "");
    }
    json_object_put(o);
}

static int record_import(struct conductor *c, uint64_t i, const void *rec, size_t n,
                         struct store_batch *b, struct px_err *err)
{
    struct completion done;
    if (completion_decode(rec, n, &done, err) != 0)
        return -1;
    if (done.finish == FINISH_EOS) {
        tell_import(&done);
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
    const struct job *j = &c->plan->groups[conductor_group(c, head)].generate;
    bool fits = j->kind != UNIT_CHOICE || done.finish == FINISH_SCORED ||
                done.finish == FINISH_TOO_LONG || done.finish == FINISH_ERROR;
    completion_clear(&done);
    if (!fits)
        return px_fail(err, PX_EINPUT, "a text came back for a loglikelihood unit");
    const struct px_digest *key = &c->units[head].content;
    store_batch_put_new(b, STORE_RESULT, key->b, sizeof key->b, rec, n);
    for (uint64_t u = head; u != NO_UNIT; u = c->units[u].next) {
        c->units[u].written = true;
        conductor_put_plan(c, b, u);
        conductor_count_up(b, conductor_group(c, u), "generated");
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
        conductor_put_plan(c, b, u);
        conductor_count_up(b, conductor_group(c, u), "scored");
    }
    return 0;
}

int conductor_record(void *ctx, uint64_t id, const void *rec, size_t n, struct store_batch *b,
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
        conductor_write_settled(c, b);
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
        conductor_finish(c, unit, U_FAILED);
        if (late)
            conductor_settle(c, unit, SETTLED_FAILED);
    } else if (generated) {
        if (late)
            conductor_settle(c, unit, SETTLED_GENERATED);
        conductor_completion_known(c, unit);
    } else {
        conductor_finish(c, unit, U_DONE);
        if (late)
            conductor_settle(c, unit, SETTLED_SCORED);
    }
}

void conductor_committed(void *ctx, uint64_t id)
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

void conductor_gave_up(void *ctx, uint64_t id, const char *class_name, const char *evidence,
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
           task_problem_id(c->plan->tasks[c->plan->groups[conductor_group(c, i)].task],
                           plan_unit_at(c->plan, i).problem),
           class_name);
    store_batch_put(b, STORE_QUARANTINE, key->b, sizeof key->b, evidence, strlen(evidence));
    for (uint64_t u = i; u != NO_UNIT; u = c->units[u].next) {
        c->units[u].state = U_FAILED;
        c->units[u].written = true;
        conductor_put_plan(c, b, u);
        conductor_count_up(b, conductor_group(c, u), "failed");
        store_batch_add(b, "quarantined", 1);
    }
}
