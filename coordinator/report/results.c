/* results.c - see results.h. */
#include "coordinator/report/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "proto/json.h"
#include "proto/mem.h"

/* ---- the compared part ---- */

static void write_interval(struct emit *j, struct interval v)
{
    emit_begin(j, "interval", '[');
    emit_f64(j, NULL, v.lo);
    emit_f64(j, NULL, v.hi);
    emit_end(j, ']');
}

/* The manifest's models, without the paths they happened to have. */
static void write_models(struct emit *j, const char *models, bool observed)
{
    struct json_object *list = px_json_parse(models, strlen(models), NULL);
    emit_begin(j, "models", '[');
    for (size_t i = 0;
         list && json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
         i++) {
        struct json_object *m = json_object_array_get_idx(list, i);
        emit_begin(j, NULL, '{');
        emit_text(j, "name", px_json_str_or(m, "name", ""));
        if (observed) {
            emit_text(j, "path", px_json_str_or(m, "path", ""));
        } else {
            emit_text(j, "digest", px_json_str_or(m, "digest", ""));
            emit_text(j, "backend", px_json_str_or(m, "backend", ""));
            emit_text(j, "architecture", px_json_str_or(m, "architecture", ""));
            emit_u64(j, "bytes", (uint64_t)px_json_int_or(m, "bytes", 0));
        }
        emit_end(j, '}');
    }
    emit_end(j, ']');
    json_object_put(list);
}

static void write_tasks(struct emit *j, const struct manifest *m)
{
    emit_begin(j, "tasks", '[');
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        const struct manifest_task *t = &m->tasks[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "name", t->name);
        emit_text(j, "request", t->request);
        emit_text(j, "scorer", t->scorer);
        emit_text(j, "headline", t->headline);
        emit_f64(j, "chance", t->chance);
        emit_u64(j, "problems", t->n_problems);
        emit_text(j, "digest", t->digest);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_cells(struct emit *j, const struct manifest *m)
{
    emit_begin(j, "cells", '[');
    for (uint32_t i = 0; i < m->n_cells; i++) {
        const struct manifest_cell *c = &m->cells[i];
        emit_begin(j, NULL, '{');
        emit_begin(j, "names", '[');
        for (uint32_t k = 0; k < c->n_names; k++)
            emit_text(j, NULL, c->names[k]);
        emit_end(j, ']');
        emit_text(j, "model", c->model);
        emit_raw(j, "settings", c->settings);
        emit_bool(j, "reuse", c->reuse_on);
        emit_f64(j, "speedup_bound", c->speedup_bound);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_counts(struct emit *j, const struct group_stats *g)
{
    emit_begin(j, "outcomes", '{');
    for (int i = 0; i < N_OUTCOMES; i++)
        emit_u64(j, outcome_name((enum outcome)i), g->outcomes[i]);
    emit_end(j, '}');
    emit_begin(j, "verdicts", '{');
    for (int i = 1; i < N_CLASSES; i++)
        if (g->classes[i])
            emit_u64(j, verdict_class_name((enum verdict_class)i), g->classes[i]);
    emit_end(j, '}');
    emit_begin(j, "finishes", '{');
    for (int i = 1; i < N_FINISHES; i++)
        if (g->finishes[i])
            emit_u64(j, finish_name((enum finish)i), g->finishes[i]);
    emit_end(j, '}');
    emit_begin(j, "tokens", '{');
    emit_u64(j, "prompt", g->prompt_tokens);
    emit_u64(j, "generated", g->generated_tokens);
    emit_u64(j, "decode_steps", g->decode_steps);
    emit_u64(j, "refresh_steps", g->refresh_steps);
    emit_u64(j, "reused_layer_steps", g->reused_layer_steps);
    emit_end(j, '}');
}

static void write_metrics(struct emit *j, const struct group_stats *g)
{
    emit_begin(j, "metrics", '{');
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        emit_begin(j, g->metrics[i].name, '{');
        emit_f64(j, "value", g->metrics[i].value);
        write_interval(j, g->metrics[i].interval);
        emit_end(j, '}');
    }
    emit_end(j, '}');
    if (!g->n_pass_at)
        return;
    emit_begin(j, "pass_at", '{');
    for (uint32_t i = 0; i < g->n_pass_at; i++) {
        char k[16];
        snprintf(k, sizeof k, "%u", g->pass_at[i].k);
        emit_f64(j, k, g->pass_at[i].value);
    }
    emit_end(j, '}');
}

/* Beyond its sixth digit a large test's p depends on the machine's log-gamma. */
static double six_digits(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return strtod(text, NULL);
}

static void write_group(struct emit *j, const struct run_stats *r, const struct group_stats *g)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "cell", g->cell->names[0]);
    emit_text(j, "model", g->cell->model);
    emit_text(j, "task", g->task->name);
    emit_text(j, "metric", g->task->headline);
    emit_f64(j, "value", g->metrics[0].value);
    write_interval(j, g->metrics[0].interval);
    emit_u64(j, "n", g->n);
    emit_u64(j, "done", g->done);
    emit_u64(j, "problems", g->n_problems);
    emit_u64(j, "samples", g->samples);
    write_metrics(j, g);
    write_counts(j, g);
    const struct pairing *p = &g->pairing;
    if (p->valid) {
        emit_begin(j, "paired", '{');
        emit_text(j, "baseline", r->groups[p->baseline].cell->names[0]);
        emit_u64(j, "problems", p->n);
        emit_f64(j, "difference", p->difference);
        emit_u64(j, "gained", p->gained);
        emit_u64(j, "lost", p->lost);
        emit_f64(j, "p", six_digits(p->p));
        emit_end(j, '}');
    }
    emit_end(j, '}');
}

static void write_alarms(struct emit *j, const struct run_stats *r, const struct alarms *a)
{
    emit_begin(j, "alarms", '[');
    for (uint32_t i = 0; i < a->n; i++) {
        const struct group_stats *g = &r->groups[a->list[i].group];
        emit_begin(j, NULL, '{');
        emit_text(j, "severity", alarm_severity_name(a->list[i].severity));
        emit_text(j, "kind", a->list[i].kind);
        emit_text(j, "cell", g->cell->names[0]);
        emit_text(j, "task", g->task->name);
        emit_text(j, "text", a->list[i].text);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_result(struct emit *j, const struct run_stats *r, const struct alarms *a)
{
    const struct manifest *m = r->manifest;
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)m->seed);
    emit_begin(j, "result", '{');
    emit_text(j, "recipe", m->recipe);
    emit_text(j, "seed", seed);
    emit_text(j, "plan", m->plan_digest);
    write_models(j, m->models, false);
    write_tasks(j, m);
    write_cells(j, m);
    emit_begin(j, "groups", '[');
    for (uint32_t i = 0; i < r->n_groups; i++)
        write_group(j, r, &r->groups[i]);
    emit_end(j, ']');
    write_alarms(j, r, a);
    emit_end(j, '}');
}

/* ---- what was merely observed ---- */

static void write_observed_group(struct emit *j, const struct group_stats *g)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "cell", g->cell->names[0]);
    emit_text(j, "task", g->task->name);
    emit_f64(j, "prefill_tokens_per_s", group_prefill_speed(g));
    emit_f64(j, "decode_tokens_per_s", group_decode_speed(g));
    if (g->pairing.valid && g->pairing.speed_ratio > 0)
        emit_f64(j, "decode_speed_ratio", g->pairing.speed_ratio);
    emit_u64(j, "retried", g->retried);
    emit_u64(j, "first_wall_us", (uint64_t)g->first_wall_us);
    emit_u64(j, "last_wall_us", (uint64_t)g->last_wall_us);
    emit_begin(j, "hosts", '[');
    for (uint32_t i = 0; i < g->n_hosts; i++) {
        const struct host_speed *h = &g->hosts[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "host", h->host);
        emit_u64(j, "units", h->n);
        emit_f64(j, "prefill_s", h->prefill_s);
        emit_f64(j, "decode_s", h->decode_s);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_end(j, '}');
}

static void write_observed(struct emit *j, const struct run_stats *r)
{
    emit_begin(j, "observed", '{');
    emit_text(j, "run_dir", r->manifest->run_dir);
    write_models(j, r->manifest->models, true);
    emit_u64(j, "damaged_records", r->lost);
    emit_begin(j, "groups", '[');
    for (uint32_t i = 0; i < r->n_groups; i++)
        write_observed_group(j, &r->groups[i]);
    emit_end(j, ']');
    emit_end(j, '}');
}

void results_json(const struct run_stats *r, const struct alarms *a, struct px_buf *out)
{
    struct emit j = {.b = out, .lines_to = 3};
    emit_begin(&j, NULL, '{');
    emit_u64(&j, "format", RESULTS_FORMAT);
    write_result(&j, r, a);
    write_observed(&j, r);
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
