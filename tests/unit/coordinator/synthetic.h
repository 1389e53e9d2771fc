/* synthetic.h - a run made by hand: a manifest and records, without recipe, worker or tester. */
#ifndef TESTS_COORDINATOR_SYNTHETIC_H
#define TESTS_COORDINATOR_SYNTHETIC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/manifest.h"
#include "proto/mem.h"
#include "proto/unit.h"

enum { SYN_MOST = 8 };

/* What one unit came to. Zero finish: nothing yet. Zero class: no verdict yet. */
struct syn_unit {
    enum finish finish;
    enum verdict_class class;
    const char *text, *extracted;
    double value; /* headline */
    uint32_t n_tokens, decode_steps;
    uint64_t reused;
    bool quarantined;
    bool no_timing;
    double decode_s;
    const char *host;
    const char *more[4]; /* further metrics of the verdict, with these values */
    double more_value[4];
    uint32_t accidents; /* of the verdict */
    uint32_t subset;
    uint32_t batch;
    int64_t wall_us; /* 0: one second */
};

struct syn_run {
    struct manifest m;
    struct manifest_cell cells[SYN_MOST];
    struct manifest_task tasks[SYN_MOST];
    struct manifest_group groups[SYN_MOST];
    struct store_batch *b;
};

static inline char *syn_text(const char *text)
{
    return px_xstrdup(text);
}

static inline void syn_begin(struct syn_run *r)
{
    memset(r, 0, sizeof *r);
    r->m.recipe = syn_text("made by hand");
    r->m.run_dir = syn_text("/somewhere");
    r->m.seed = 1234;
    r->m.models = syn_text("[{\"name\":\"tiny\",\"digest\":\"ab\",\"path\":\"/a/b.gguf\","
                           "\"backend\":\"native\",\"architecture\":\"llama\",\"bytes\":7}]");
    r->m.plan_digest = syn_text("cd");
    r->m.cells = r->cells;
    r->m.tasks = r->tasks;
    r->m.groups = r->groups;
    r->b = store_batch_new();
}

/* names are separated by ';'. */
static inline uint32_t syn_cell(struct syn_run *r, const char *names, const char *settings,
                                bool reuse, double bound)
{
    struct manifest_cell *c = &r->cells[r->m.n_cells];
    char *copy = syn_text(names), *at = copy, *name;
    c->names = px_xcalloc(SYN_MOST, sizeof *c->names);
    while ((name = strsep(&at, ";")))
        c->names[c->n_names++] = syn_text(name);
    free(copy);
    c->model = syn_text("tiny");
    c->settings = syn_text(settings);
    c->reuse_on = reuse;
    c->speedup_bound = bound;
    return r->m.n_cells++;
}

static inline uint32_t syn_task(struct syn_run *r, const char *name, const char *request,
                                const char *headline, const char *scorer, double chance)
{
    struct manifest_task *t = &r->tasks[r->m.n_tasks];
    t->name = syn_text(name);
    t->request = syn_text(request);
    t->headline = syn_text(headline);
    t->scorer = syn_text(scorer);
    t->chance = chance;
    t->digest = syn_text("ef");
    t->compat = syn_text("");
    t->strategy = syn_text("");
    t->problems = syn_text("ab");
    return r->m.n_tasks++;
}

static inline struct px_digest syn_key(const char *kind, uint32_t group, uint32_t unit)
{
    struct px_hash *h = px_hash_new(kind);
    px_hash_u64(h, group);
    px_hash_u64(h, unit);
    return px_hash_end(&h);
}

static inline void syn_put_records(struct syn_run *r, uint32_t group, uint32_t index,
                                   const struct syn_unit *u, const char *headline)
{
    struct px_digest plan = syn_key("plan", group, index),
                     content = syn_key("content", group, index);
    struct px_digest judged = syn_key("verdict", group, index);
    uint8_t both[64] = {0};
    struct px_buf rec;
    if (!u->finish && !u->quarantined)
        return;
    px_buf_init(&rec, 1 << 20);
    memcpy(both, content.b, 32);
    if (u->finish) {
        char error[] = "", host[16], worker[] = "w", isa[] = "avx2";
        uint32_t tokens[256] = {0};
        snprintf(host, sizeof host, "%s", u->host ? u->host : "here");
        struct completion c = {.finish = u->finish,
                               .text = syn_text(u->text ? u->text : "text"),
                               .tokens = tokens,
                               .n_tokens = u->n_tokens,
                               .n_prompt = 10,
                               .decode_steps = u->decode_steps,
                               .reused_layer_steps = u->reused,
                               .error = error,
                               .host = host,
                               .worker = worker,
                               .backend = isa,
                               .isa = isa,
                               .build = isa,
                               .prefill_s = u->no_timing ? 0 : 0.1,
                               .decode_s = u->decode_s,
                               .attempts = 1,
                               .batch = u->batch,
                               .wall_us = u->wall_us ? u->wall_us : 1000000};
        c.n_text = (uint32_t)strlen(c.text);
        completion_encode(&c, &rec);
        free(c.text);
        store_batch_put(r->b, STORE_RESULT, content.b, 32, rec.data, rec.len);
    }
    if (u->finish && u->class) {
        struct verdict v = {.class = u->class};
        v.extracted = syn_text(u->extracted ? u->extracted : "");
        v.n_extracted = (uint32_t)strlen(v.extracted);
        v.rule = syn_text("rule");
        v.exception = syn_text("");
        v.assurance = syn_text("data");
        v.visible = syn_text("");
        v.detail = syn_text("");
        v.stderr_tail = syn_text("");
        v.jail = syn_text("{\"rung\":3}");
        v.host = syn_text("here");
        v.accidents = u->accidents;
        if (!u->more[0] || u->more[0][0] != '-') /* "-": without the headline */
            verdict_add_metric(&v, headline, u->value);
        for (int i = 0; i < 4; i++)
            if (u->more[i] && u->more[i][0] != '-')
                verdict_add_metric(&v, u->more[i], u->more_value[i]);
        px_buf_reset(&rec);
        verdict_encode(&v, &rec);
        verdict_clear(&v);
        memcpy(both + 32, judged.b, 32);
        store_batch_put(r->b, STORE_VERDICT, judged.b, 32, rec.data, rec.len);
    }
    if (u->quarantined)
        store_batch_put(r->b, STORE_QUARANTINE, content.b, 32, "{\"deaths\":3}", 12);
    store_batch_put(r->b, STORE_PLAN, plan.b, 32, both, 64);
    px_buf_clear(&rec);
}

static inline uint32_t syn_group(struct syn_run *r, uint32_t cell, uint32_t task,
                                 const struct syn_unit *units, uint32_t n, uint32_t samples)
{
    uint32_t index = r->m.n_groups++;
    struct manifest_group *g = &r->groups[index];
    char counter[32];
    g->index = index;
    g->cell = cell;
    g->task = task;
    g->judged = g->opponent = MANIFEST_NONE;
    g->n_units = n;
    g->units = px_xcalloc(n, sizeof *g->units);
    for (uint32_t i = 0; i < n; i++) {
        g->units[i].plan_key = syn_key("plan", index, i);
        g->units[i].problem = px_xasprintf("p%u", i / samples);
        g->units[i].sample = i % samples;
        g->units[i].subset = units[i].subset;
        syn_put_records(r, index, i, &units[i], r->tasks[task].headline);
        snprintf(counter, sizeof counter, "g%u.generated", index);
        store_batch_add(r->b, counter, units[i].finish != 0);
        snprintf(counter, sizeof counter, "g%u.scored", index);
        store_batch_add(r->b, counter, units[i].class != 0);
        snprintf(counter, sizeof counter, "g%u.failed", index);
        store_batch_add(r->b, counter, units[i].quarantined);
    }
    r->tasks[task].n_problems = n / samples;
    return index;
}

static inline int syn_commit(struct syn_run *r, struct store *store)
{
    manifest_write(&r->m, r->b);
    int rc = store_commit(store, r->b, NULL);
    for (uint32_t i = 0; i < r->m.n_cells; i++) {
        for (uint32_t k = 0; k < r->cells[i].n_names; k++)
            free(r->cells[i].names[k]);
        free(r->cells[i].names);
        free(r->cells[i].model);
        free(r->cells[i].settings);
    }
    for (uint32_t i = 0; i < r->m.n_tasks; i++) {
        free(r->tasks[i].name);
        free(r->tasks[i].request);
        free(r->tasks[i].headline);
        free(r->tasks[i].scorer);
        free(r->tasks[i].compat);
        free(r->tasks[i].strategy);
        free(r->tasks[i].problems);
        free(r->tasks[i].subsets);
        free(r->tasks[i].aggregates);
        free(r->tasks[i].oracle);
        free(r->tasks[i].digest);
    }
    for (uint32_t i = 0; i < r->m.n_groups; i++) {
        for (uint32_t k = 0; k < r->groups[i].n_units; k++)
            free(r->groups[i].units[k].problem);
        free(r->groups[i].units);
    }
    free(r->m.recipe);
    free(r->m.run_dir);
    free(r->m.models);
    free(r->m.plan_digest);
    return rc;
}

#endif
