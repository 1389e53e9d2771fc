/* walk.c - plan key, completion, verdict: followed for each unit of a group. */
#include "coordinator/report/walk.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

bool sample_done(const struct sample *s)
{
    return s->quarantine || s->has_verdict ||
           (s->has_completion && strcmp(s->task->scorer, "none") == 0);
}

enum verdict_class sample_class(const struct sample *s)
{
    if (!sample_done(s))
        return 0;
    if (s->has_verdict)
        return s->verdict.class;
    return s->quarantine ? VERDICT_ERROR : VERDICT_UNSCORED;
}

double sample_value(const struct sample *s)
{
    return s->has_verdict ? verdict_metric(&s->verdict, s->task->headline, 0) : 0;
}

static bool lookup(struct store_view *v, enum store_db db, const struct px_digest *key,
                   const void **val, size_t *n)
{
    return !px_digest_is_zero(key) && store_view_get(v, db, key->b, sizeof key->b, val, n);
}

static void quarantined(struct store_view *v, const struct px_digest *key, struct sample *s)
{
    const void *val;
    size_t n;
    if (!s->quarantine && lookup(v, STORE_QUARANTINE, key, &val, &n))
        s->quarantine = px_xmemdup(val, n);
}

static void find_keys(struct store_view *v, struct sample *s)
{
    const void *val;
    size_t n;
    if (!lookup(v, STORE_PLAN, &s->unit->plan_key, &val, &n) || n != 2 * PX_DIGEST_SIZE)
        return;
    memcpy(s->content.b, val, PX_DIGEST_SIZE);
    memcpy(s->verdict_key.b, (const char *)val + PX_DIGEST_SIZE, PX_DIGEST_SIZE);
}

static int load(struct store_view *v, bool tokens, struct sample *s, struct px_err *err)
{
    const void *val;
    size_t n;
    if (lookup(v, STORE_RESULT, &s->content, &val, &n)) {
        if (completion_decode(val, n, &s->completion, err) != 0)
            return -1;
        s->has_completion = true;
        s->has_receipt = receipt_get(v, &s->content, tokens, &s->receipt) == 1;
        s->accidents = s->receipt.accidents;
        if (lookup(v, STORE_VERDICT, &s->verdict_key, &val, &n)) {
            if (verdict_decode(val, n, &s->verdict, err) != 0)
                return -1;
            s->has_verdict = true;
            s->accidents |= s->verdict.accidents;
        }
    }
    if (!s->has_verdict) {
        quarantined(v, &s->content, s);
        quarantined(v, &s->verdict_key, s);
    }
    return 0;
}

bool task_graded(const struct manifest_task *t)
{
    static const char *const ratings[] = {"rating", "score"};
    for (size_t i = 0; i < sizeof ratings / sizeof *ratings; i++)
        if (strcmp(t->headline, ratings[i]) == 0)
            return true;
    struct json_object *list = px_json_parse(t->aggregates, strlen(t->aggregates), NULL);
    size_t n =
        list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    bool found = false;
    for (size_t i = 0; i < n && !found; i++) {
        const char *name = px_json_str_or(json_object_array_get_idx(list, i), "metric", "");
        found = strcmp(name, t->headline) == 0;
    }
    json_object_put(list);
    return found;
}

/* Loads the unit of s, shows it, and lets go of it. *go_on: fn's answer. */
static int visit(struct store_view *v, struct sample *s, bool tokens, walk_fn fn, void *ctx,
                 bool *go_on, struct px_err *err)
{
    int rc = load(v, tokens, s, err);
    if (rc == 0)
        *go_on = fn(ctx, s);
    else
        px_wrap(err, "the record of problem %s (%s, %s)", s->unit->problem, s->cell->names[0],
                s->task->name);
    completion_clear(&s->completion);
    verdict_clear(&s->verdict);
    receipt_clear(&s->receipt);
    free(s->quarantine);
    return rc;
}

static struct sample sample_in(const struct manifest *m, uint32_t group)
{
    const struct manifest_group *g = &m->groups[group];
    struct sample s = {.group = g, .cell = &m->cells[g->cell], .task = &m->tasks[g->task]};
    s.graded = task_graded(s.task);
    return s;
}

static int walk(struct store_view *v, const struct manifest *m, uint32_t group, bool tokens,
                walk_fn fn, void *ctx, struct px_err *err)
{
    const struct manifest_group *g = &m->groups[group];
    const struct sample s = sample_in(m, group);
    bool go_on = true;
    int rc = 0;
    for (uint32_t i = 0; i < g->n_units && go_on && rc == 0; i++) {
        struct sample one = s;
        one.unit = &g->units[i];
        one.index = i;
        find_keys(v, &one);
        rc = visit(v, &one, tokens, fn, ctx, &go_on, err);
    }
    return rc;
}

int walk_group(struct store_view *v, const struct manifest *m, uint32_t group, walk_fn fn,
               void *ctx, struct px_err *err)
{
    return walk(v, m, group, false, fn, ctx, err);
}

int walk_group_tokens(struct store_view *v, const struct manifest *m, uint32_t group, walk_fn fn,
                      void *ctx, struct px_err *err)
{
    return walk(v, m, group, true, fn, ctx, err);
}

int walk_unit_tokens(struct store_view *v, const struct manifest *m, uint32_t group, uint32_t index,
                     walk_fn fn, void *ctx, struct px_err *err)
{
    struct sample one = sample_in(m, group);
    bool go_on;
    one.unit = &m->groups[group].units[index];
    one.index = index;
    find_keys(v, &one);
    return visit(v, &one, true, fn, ctx, &go_on, err);
}

int walk_keys(struct store_view *v, const struct manifest *m, uint32_t group,
              const struct px_digest *content, const struct px_digest *verdict, walk_fn fn,
              void *ctx, struct px_err *err)
{
    static const struct manifest_unit nameless = {.problem = (char *)""};
    struct sample one = sample_in(m, group);
    bool go_on;
    one.unit = &nameless;
    one.content = *content;
    one.verdict_key = *verdict;
    return visit(v, &one, false, fn, ctx, &go_on, err);
}
